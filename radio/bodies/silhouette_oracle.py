"""Silhouettes by brute force: the reference for ``radio.bodies.silhouette_kernels``.

Outlines are drawn point by point as convex polygons, the silhouette is cut into thin rows, the rows' intervals are merged, and
the Fresnel integrals are SciPy's. Nothing is faded out. Both share the model's definition: the plane's place and the clipping.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import fresnel

from radio.types import SHAPE_CAPSULE, SHAPE_RECTANGLE, Blockers, FloatArray, Paths

NEAREST_PLANE_M = 0.01


def reference_field(paths: Paths, blockers: Blockers, p: int, owner: int, row: float = 0.01) -> complex:
    """Compute the factor of one owner on the field of path ``p``.

    Parameters
    ----------
    paths, blockers : as ``radio.bodies.blockage.blockage_db`` takes them.
    p : path.
    owner : owner.
    row : thickness of the rows [Fresnel units].
    """
    trp = int(np.searchsorted(paths.offset, p, side="right") - 1) % paths.n_trp
    points = paths.vertex_m[p, : paths.order[p] + 2]
    legs = np.linalg.norm(np.diff(points, axis=0), axis=1)
    factor = 1.0 + 0.0j
    for k in range(len(legs)):
        if legs[k] > 0.0:
            before, total = float(legs[:k].sum()), float(legs.sum())
            factor *= leg_field(blockers, owner, points[k], points[k + 1], before, total, float(paths.wavelength_m[trp]), row)
    return factor


def leg_field(
    blockers: Blockers,
    owner: int,
    start_m: FloatArray,
    end_m: FloatArray,
    before_m: float,
    total_m: float,
    wavelength_m: float,
    row: float = 0.01,
) -> complex:
    """Compute the factor of one owner on one leg, which starts ``before_m`` along a path of ``total_m``."""
    leg = float(np.linalg.norm(end_m - start_m))
    toward = (end_m - start_m) / leg
    across = np.array([-toward[1], toward[0], 0.0])
    across = across / np.linalg.norm(across) if np.linalg.norm(across) > 1e-9 else np.array([0.0, 1.0, 0.0])
    frame = np.stack((across, np.cross(toward, across)))
    outlines, areas, places = [], [], []
    for i in np.flatnonzero(blockers.owner == owner):
        part = _clipped(blockers, int(i), start_m, toward, leg)
        if part is not None:
            generators, middle, turn = part
            outline = _outline(generators @ frame.T, (middle - start_m) @ frame.T, turn)
            outlines.append(outline)
            areas.append(_area(outline))
            places.append(min(max(float((middle - start_m) @ toward), 0.0), leg))
    if sum(areas) <= 0.0:
        return 1.0 + 0.0j
    near = before_m + float(np.average(places, weights=areas))
    near = min(max(near, NEAREST_PLANE_M), total_m - NEAREST_PLANE_M) if total_m > 2 * NEAREST_PLANE_M else total_m / 2
    scale = math.sqrt(2 * total_m / (wavelength_m * near * (total_m - near)))
    return 1.0 - 0.5j * union_integral([scale * o for o in outlines], row)


def union_integral(outlines: list[FloatArray], row: float = 0.01) -> complex:
    """Integral of exp(-j pi (u^2 + v^2) / 2) over the union of convex polygons (K, 2), by rows of constant v."""
    low = min(float(o[:, 1].min()) for o in outlines)
    high = max(float(o[:, 1].max()) for o in outlines)
    border = np.linspace(low, high, max(2, math.ceil((high - low) / row)) + 1)
    middle = 0.5 * (border[1:] + border[:-1])
    left, right = np.stack([_row_ends(o, middle) for o in outlines], axis=2)
    by_left = np.argsort(left, axis=1)
    left, right = np.take_along_axis(left, by_left, 1), np.take_along_axis(right, by_left, 1)
    covered = np.full(len(middle), -np.inf)
    across = np.zeros(len(middle), np.complex128)
    for i in range(left.shape[1]):
        a = np.maximum(left[:, i], covered)
        some = right[:, i] > a
        across[some] += _fresnel(right[some, i]) - _fresnel(a[some])
        covered = np.maximum(covered, right[:, i])
    return complex(np.sum(np.diff(_fresnel(border)) * across))


def _fresnel(x: FloatArray) -> np.ndarray[tuple[int, ...], np.dtype[np.complex128]]:
    s, c = fresnel(x)
    f: np.ndarray[tuple[int, ...], np.dtype[np.complex128]] = c - 1j * s
    return f


def _row_ends(outline: FloatArray, v: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Left and right end of a convex polygon on each row; an empty row has (inf, -inf)."""
    bottom, top = int(np.argmin(outline[:, 1])), int(np.argmax(outline[:, 1]))
    ring = np.roll(outline, -bottom, axis=0)
    up = (top - bottom) % len(outline)
    one, other = ring[: up + 1], np.concatenate((ring[up:], ring[:1]))[::-1]
    ends = np.stack([np.interp(v, chain[:, 1], chain[:, 0]) for chain in (one, other)])
    inside = (v > outline[bottom, 1]) & (v < outline[top, 1])
    return np.where(inside, ends.min(axis=0), np.inf), np.where(inside, ends.max(axis=0), -np.inf)


def _area(outline: FloatArray) -> float:
    x, y = outline.T
    return 0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))


def _outline(generators: FloatArray, middle: FloatArray, turn: int) -> FloatArray:
    """Outline of a projected part: a half axis, then a round (``turn`` 1) or square (0) footprint's two half extents, (3, 2)."""
    angle = np.arange(1440) * (2 * np.pi / 1440)
    normal = np.stack((np.cos(angle), np.sin(angle)), axis=1)
    # The point farthest along each normal.
    point = middle + np.sign(normal @ generators[0])[:, None] * generators[0]
    a, b = normal @ generators[1], normal @ generators[2]
    if turn:
        size = np.maximum(np.hypot(a, b), 1e-15)
        return np.asarray(point + (a / size)[:, None] * generators[1] + (b / size)[:, None] * generators[2])
    return np.asarray(point + np.sign(a)[:, None] * generators[1] + np.sign(b)[:, None] * generators[2])


def _clipped(
    blockers: Blockers, i: int, start_m: FloatArray, toward: FloatArray, leg: float
) -> tuple[FloatArray, FloatArray, int] | None:
    """Half axis and two half extents of part i, (3, 3), its middle, and whether it is round; None where it is off the leg."""
    axis = (blockers.end_m[i] - blockers.start_m[i]) / 2
    middle = (blockers.end_m[i] + blockers.start_m[i]) / 2
    wide, yaw = blockers.half_width_m[i], float(blockers.yaw_rad[i])
    if blockers.shape[i] == SHAPE_CAPSULE:
        upright = np.array([-toward[1], toward[0], 0.0])
        upright = upright / np.linalg.norm(upright) if np.linalg.norm(upright) > 1e-9 else np.array([0.0, 1.0, 0.0])
        footprint = wide[0] * np.stack((upright, np.cross(toward, upright)))
        deep = float(wide[0])
    else:
        footprint = np.array(
            [[wide[0] * math.cos(yaw), wide[0] * math.sin(yaw), 0.0], [-wide[1] * math.sin(yaw), wide[1] * math.cos(yaw), 0.0]]
        )
        deep = float(np.linalg.norm(footprint @ toward))
    if blockers.shape[i] == SHAPE_RECTANGLE:
        edges = np.concatenate((axis[None], footprint))
        along = edges @ toward
        place = float((middle - start_m) @ toward)
        reach = float(np.abs(along).sum())
        if place + reach <= 0.0 or place - reach >= leg:
            return None
        cut_low, cut_high = max(reach - place, 0.0), max(place + reach - leg, 0.0)
        keep = _kept(np.abs(along), (cut_low + cut_high) / 2)
        if cut_low > 0 and cut_high > 0:
            middle = middle + (leg / 2 - place) * toward
        else:
            to = 1.0 if cut_low > 0 else -1.0
            middle = middle + to * ((1 - keep) * np.where(along >= 0, 1.0, -1.0)) @ edges
        return keep[:, None] * edges, middle, 0
    margin = deep / 2
    place, slope = float((middle - start_m) @ toward), float(axis @ toward)
    low, high = -1.0, 1.0
    if abs(slope) > 1e-12:
        cuts = sorted(((-margin - place) / slope, (leg + margin - place) / slope))
        low, high = max(low, cuts[0]), min(high, cuts[1])
    if low > high:
        return None
    middle, axis = middle + (low + high) / 2 * axis, (high - low) / 2 * axis
    place = float((middle - start_m) @ toward)
    outside = max(-place, place - leg) - abs(float(axis @ toward))
    if outside >= margin:
        return None
    thin = math.sqrt(1 - (max(outside, 0.0) / margin) ** 2)
    return np.concatenate((axis[None], thin * footprint)), middle, 1


def _kept(along: FloatArray, gone: float) -> FloatArray:
    """Shares 1 - min(1, k along) of a box's half edges with ``sum(along min(1, k along)) = gone``, k found by halving."""
    if gone <= 0.0:
        return np.ones(3)
    low, high = 0.0, 2.0 / max(float(along[along > 1e-12].min(initial=1.0)), 1e-12)
    for _ in range(200):
        k = 0.5 * (low + high)
        if float(along @ np.minimum(1.0, k * along)) < gone:
            low = k
        else:
            high = k
    return 1.0 - np.minimum(1.0, high * along)
