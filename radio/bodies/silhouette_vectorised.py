"""Silhouettes by NumPy and SciPy, all pairs of leg and body at once: the fast reference for ``radio.bodies.silhouette_kernels``.

``silhouette_oracle`` draws one pair's outlines point by point. Here bodies made of capsules, such as people, are taken many
pairs at a time: pairs out of reach are left out as the kernels leave them out, the capsules are projected, and the silhouette is
cut into rows, whose intervals are merged by sorting their left and their right ends apart: where the next interval begins after
as many have ended as have begun, there is a gap. Along u the integral is exact (``scipy.special.fresnel``), along v Filon's rule
with two Gauss places a slab, slabs being thin near the ray. Arrays have parts first, then rows, then pairs, so that every
operation runs along memory, and as many pairs are taken at a time as stay in the cache. Intervals' ends are of single precision,
which changes nothing at these accuracies.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import fresnel

from radio.bodies.silhouette_oracle import NEAREST_PLANE_M
from radio.types import SHAPE_CAPSULE, Blockers, FloatArray, IntArray

ComplexArray: TypeAlias = npt.NDArray[np.complex128]
Singles: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Rows:
    """Where the slabs of v lie.

    Attributes
    ----------
    off : largest distance of the nearest edge from the ray that these rows are for, below 0 in the shadow [Fresnel units].
    reach : how far they go along the edge [Fresnel units].
    thick : thickness beside the ray [Fresnel units].
    growth : share of their distance that slabs are thick farther out.
    """

    off: float
    reach: float
    thick: float
    growth: float


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How accurate the silhouettes are.

    Attributes
    ----------
    taper_start, taper_end : where the nearest edge stands as bodies begin to be faded out, and where they are gone
        [Fresnel units].
    rows : slabs by the distance of the nearest edge, in its order.
    fade_from : share of the slabs' reach from which on they are faded out.
    """

    taper_start: float
    taper_end: float
    rows: tuple[Rows, ...]
    fade_from: float


# For the kernels' two efforts: the same tapers, and slabs that leave errors of the same size.
TICK = Accuracy(3.5, 5.0, (Rows(-0.5, 12.0, 0.1, 0.06), Rows(2.0, 7.0, 0.22, 0.15), Rows(math.inf, 4.5, 0.8, 0.3)), 0.55)
FINE = Accuracy(6.0, 9.0, (Rows(1.5, 80.0, 0.015, 0.01), Rows(4.0, 40.0, 0.04, 0.03), Rows(math.inf, 20.0, 0.08, 0.05)), 0.6)

# As many as stay in the cache; half and twice as many took longer.
LEGS_AT_ONCE, PAIRS_AT_ONCE, CELLS_AT_ONCE = 256, 1024, 1 << 14
_GAUSS = 1.0 / math.sqrt(3.0)
_NOWHERE = 1e9  # both ends of an interval that is none


@dataclass(frozen=True, slots=True)
class _Bodies:
    """Capsules of G bodies as (parts, G), those that a body lacks with radius -1; sphere and upright cylinder round each body."""

    middle: FloatArray  # (3, parts, G)
    axis: FloatArray  # (3, parts, G) half axis
    radius: FloatArray
    center: FloatArray  # (G, 3)
    around: FloatArray
    beside: FloatArray
    low: FloatArray
    high: FloatArray

    @staticmethod
    def of(blockers: Blockers) -> _Bodies:
        names, owner = np.unique(blockers.owner, return_inverse=True)
        rank = np.empty(len(owner), np.int64)
        by_owner = np.argsort(owner, kind="stable")
        count = np.bincount(owner, minlength=len(names))
        rank[by_owner] = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
        most = int(count.max(initial=0))
        middle, axis = np.zeros((3, most, len(names))), np.zeros((3, most, len(names)))
        radius = np.full((most, len(names)), -1.0)
        middle[:, rank, owner] = 0.5 * (blockers.end_m + blockers.start_m).T
        axis[:, rank, owner] = 0.5 * (blockers.end_m - blockers.start_m).T
        radius[rank, owner] = blockers.half_width_m[:, 0]
        there = radius >= 0.0
        wide = np.abs(axis) + radius
        low = np.where(there, middle - wide, np.inf).min(axis=1, initial=np.inf)
        high = np.where(there, middle + wide, -np.inf).max(axis=1, initial=-np.inf)
        center = 0.5 * (low + high)
        ends = np.stack((middle - axis, middle + axis)) - center[:, None]
        flat = np.hypot(ends[:, 0], ends[:, 1]) + radius
        far = np.sqrt(flat**2 + (np.abs(ends[:, 2]) + radius) ** 2)
        return _Bodies(
            middle, axis, radius, np.ascontiguousarray(center.T),
            np.where(there, far, 0.0).max(axis=(0, 1)), np.where(there, flat, 0.0).max(axis=(0, 1)), low[2], high[2],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Legs:
    """Straight legs of paths.

    Attributes
    ----------
    start_m, end_m : (L, 3) ends [m].
    before_m, total_m : (L,) how far along its path the leg starts, and how long the path is [m].
    wavelength_m : (L,) wavelength [m].
    """

    start_m: FloatArray
    end_m: FloatArray
    before_m: FloatArray
    total_m: FloatArray
    wavelength_m: FloatArray


def leg_fields(legs: Legs, blockers: Blockers, accuracy: Accuracy = TICK) -> ComplexArray:
    """Compute the factor of all bodies on every leg.

    Parameters
    ----------
    legs : (L,) legs, none of length 0.
    blockers : parts of bodies, all of them capsules.
    accuracy : :data:`TICK` or :data:`FINE`.

    Returns
    -------
    (L,) product of the owners' factors, as ``radio.bodies.blockage`` defines them, but without their least size.

    Raises
    ------
    ValueError
        If a part is no capsule.
    """
    if not (blockers.shape == SHAPE_CAPSULE).all():
        raise ValueError(
            f"part {int(np.argmax(blockers.shape != SHAPE_CAPSULE))} is no capsule; use radio.bodies.silhouette_oracle"
        )
    field = np.ones(len(legs.before_m), np.complex128)
    seen = list(_seen_pairs(legs, blockers, accuracy))
    if seen:
        for leg, factor in _pair_fields(seen, accuracy):
            np.multiply.at(field, leg, factor)
    return field


def pairs_in_reach(legs: Legs, blockers: Blockers, accuracy: Accuracy = TICK) -> tuple[IntArray, IntArray]:
    """Return legs, and owners whose silhouettes come within the taper's end of them, for bodies as in :func:`leg_fields`."""
    seen = list(_seen_pairs(legs, blockers, accuracy))
    if not seen:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    return np.concatenate([s.leg for s in seen]), np.unique(blockers.owner)[np.concatenate([s.body for s in seen])]


@dataclass(frozen=True, slots=True)
class _Seen:
    """Pairs whose silhouette comes near: leg, body, distance of the nearest edge, and capsules (5, parts, n), turned and scaled.

    A capsule is the lower end of its axis (u, v), how far it goes from there (du, dv), and its radius [Fresnel units].
    """

    leg: IntArray
    body: IntArray
    off: FloatArray
    capsule: FloatArray


def _seen_pairs(legs: Legs, blockers: Blockers, accuracy: Accuracy) -> Iterator[_Seen]:
    """Yield the pairs of legs and bodies that are not faded out altogether."""
    if not len(legs.before_m) or not len(blockers.owner):
        return
    bodies = _Bodies.of(blockers)
    way = legs.end_m - legs.start_m
    length = np.sqrt(np.einsum("lc,lc->l", way, way))
    unit = way / length[:, None]
    leg, who = _near_pairs(legs, unit, length, bodies, accuracy.taper_end)
    for first in range(0, len(leg), PAIRS_AT_ONCE):
        part = slice(first, first + PAIRS_AT_ONCE)
        yield _projected(legs, unit, length, bodies, leg[part], who[part], accuracy.taper_end)


def _near_pairs(legs: Legs, unit: FloatArray, length: FloatArray, bodies: _Bodies, taper_end: float) -> tuple[IntArray, IntArray]:
    """Legs, and the bodies whose sphere, and then upright cylinder, comes within the taper's end of them."""
    middle = np.clip(0.5 * legs.total_m, legs.before_m, legs.before_m + length)
    widest = taper_end * np.sqrt(0.5 * legs.wavelength_m * middle * (legs.total_m - middle) / legs.total_m)
    at = np.einsum("lc,lc->l", legs.start_m, unit)
    square = np.einsum("gc,gc->g", bodies.center, bodies.center)
    found = []
    for first in range(0, len(length), LEGS_AT_ONCE):
        part = slice(first, first + LEGS_AT_ONCE)
        along = unit[part] @ bodies.center.T
        along -= at[part, None]
        gap2 = legs.start_m[part] @ bodies.center.T
        gap2 *= -2.0
        gap2 += square
        gap2 += np.einsum("lc,lc->l", legs.start_m[part], legs.start_m[part])[:, None]
        gap2 -= along * along
        beyond = along - np.clip(along, 0.0, length[part, None])
        beyond *= beyond
        gap2 += beyond
        i, g = np.nonzero(gap2 < (bodies.around + widest[part, None]) ** 2)
        found.append((i + first, g))
    leg, who = (np.concatenate(both) for both in zip(*found, strict=True))
    # The stretch of the leg at the body's heights, seen from above.
    start, way, wide = legs.start_m[leg].T, unit[leg].T, widest[leg]
    rise = np.where(np.abs(way[2]) > 1e-9, way[2], 1e-9)
    a, b = (bodies.low[who] - wide - start[2]) / rise, (bodies.high[who] + wide - start[2]) / rise
    low, high = np.maximum(np.minimum(a, b), 0.0), np.minimum(np.maximum(a, b), length[leg])
    dx, dy = bodies.center[who, 0] - start[0], bodies.center[who, 1] - start[1]
    s = (dx * way[0] + dy * way[1]) / np.maximum(way[0] ** 2 + way[1] ** 2, 1e-18)
    s = np.minimum(np.maximum(s, low), high)
    dx, dy = dx - s * way[0], dy - s * way[1]
    near = (low <= high) & (dx * dx + dy * dy < (bodies.beside[who] + wide) ** 2)
    return leg[near], who[near]


def _projected(
    legs: Legs, unit: FloatArray, length: FloatArray, bodies: _Bodies, leg: IntArray, who: IntArray, taper_end: float
) -> _Seen:
    """Project the pairs' bodies, and keep those whose nearest edge is within the taper.

    A capsule's axis ends half a radius outside the leg, and one that lies outside altogether is thinner the farther out.
    """
    wx, wy, wz = unit[leg].T
    level = np.hypot(wx, wy)
    upright = level <= 1e-9
    level = np.where(upright, 1.0, level)
    px, py = np.where(upright, 0.0, -wy / level), np.where(upright, 1.0, wx / level)
    qx, qy, qz = -wz * py, wz * px, wx * py - wy * px
    start, long = legs.start_m[leg].T, length[leg]
    dx, dy, dz = np.take(bodies.middle, who, axis=2) - start[:, None]
    ex, ey, ez = np.take(bodies.axis, who, axis=2)
    radius = np.take(bodies.radius, who, axis=1)
    s, hs = dx * wx + dy * wy + dz * wz, ex * wx + ey * wy + ez * wz
    x, hx = dx * px + dy * py, ex * px + ey * py
    y, hy = dx * qx + dy * qy + dz * qz, ex * qx + ey * qy + ez * qz
    margin = 0.5 * radius
    slope = np.where(np.abs(hs) > 1e-12, hs, 1e-12)
    a, b = (-margin - s) / slope, (long + margin - s) / slope
    low, high = np.clip(np.minimum(a, b), -1.0, 1.0), np.clip(np.maximum(a, b), -1.0, 1.0)
    middle, span = 0.5 * (low + high), 0.5 * (high - low)
    s, x, y = s + middle * hs, x + middle * hx, y + middle * hy
    hx, hy = span * hx, span * hy
    outside = np.maximum(np.maximum(-s, s - long) - np.abs(span * hs), 0.0)
    there = (outside < margin) & (radius > 0.0)
    thin = outside / np.where(there, margin, 1.0)
    radius = np.where(there, radius * np.sqrt(np.maximum(1.0 - thin * thin, 0.0)), 0.0)
    area = np.where(there, 4.0 * radius * np.hypot(hx, hy) + math.pi * radius * radius, 0.0)
    # Nearest point of every axis, and the nearest edge of all.
    t = np.clip(-(x * hx + y * hy) / (hx * hx + hy * hy + 1e-18), -1.0, 1.0)
    cx, cy = x + t * hx, y + t * hy
    away = np.hypot(cx, cy)
    gap = np.where(there, away - radius, np.inf)
    nearest = np.argmin(gap, axis=0)
    pair = np.arange(len(leg))
    whole = area.sum(axis=0)
    place = (area * np.clip(s, 0.0, long)).sum(axis=0) / np.maximum(whole, 1e-300)
    total, lam = legs.total_m[leg], legs.wavelength_m[leg]
    d1 = np.clip(legs.before_m[leg] + place, NEAREST_PLANE_M, total - NEAREST_PLANE_M)
    d1 = np.where(total > 2.0 * NEAREST_PLANE_M, d1, 0.5 * total)
    scale = np.sqrt(2.0 * total / (lam * d1 * (total - d1)))
    off = gap[nearest, pair] * scale
    shown = np.flatnonzero(off < taper_end)
    nearest, scale, radius, there = nearest[shown], scale[shown], radius[:, shown], there[:, shown]
    x, y, hx, hy = x[:, shown], y[:, shown], hx[:, shown], hy[:, shown]
    cx, cy, away = (c[nearest, shown] for c in (cx, cy, away))
    # On the axis itself the edge lies across it.
    own = np.arange(len(shown))
    ax, ay = hy[nearest, own], -hx[nearest, own]
    nx, ny = np.where(away > 1e-9, (cx, cy), np.where(np.hypot(ax, ay) > 1e-9, (ax, ay), ((1.0,), (0.0,))))
    size = scale / np.hypot(nx, ny)
    nx, ny = size * nx, size * ny
    u, v, du, dv = nx * x + ny * y, nx * y - ny * x, nx * hx + ny * hy, nx * hy - ny * hx
    up = np.where(dv < 0.0, -2.0, 2.0)
    capsule = np.stack((u - 0.5 * up * du, v - 0.5 * up * dv, up * du, up * dv, np.where(there, scale * radius, -1.0)))
    return _Seen(leg[shown], who[shown], off[shown], capsule)


def _pair_fields(seen: list[_Seen], accuracy: Accuracy) -> Iterator[tuple[IntArray, ComplexArray]]:
    """Yield legs and factors of the pairs, taken together by how many slabs they need."""
    leg, off = np.concatenate([s.leg for s in seen]), np.concatenate([s.off for s in seen])
    capsule = np.concatenate([s.capsule for s in seen], axis=2)
    _, v, _, dv, r = capsule
    bottom = np.where(r > 0.0, v - r, np.inf).min(axis=0)
    top = np.where(r > 0.0, v + dv + r, -np.inf).max(axis=0)
    kind = np.searchsorted([rows.off for rows in accuracy.rows], off)
    fade = np.clip((accuracy.taper_end - off) / (accuracy.taper_end - accuracy.taper_start), 0.0, 1.0)
    fade = 0.5 * fade * fade * (3.0 - 2.0 * fade)
    room = np.empty((5, capsule.shape[1], CELLS_AT_ONCE), np.float32)
    for k, rows in enumerate(accuracy.rows):
        of_kind = np.flatnonzero((kind == k) & (np.maximum(bottom, -rows.reach) < np.minimum(top, rows.reach)))
        low, high = (
            np.arcsinh(np.clip(end[of_kind], -rows.reach, rows.reach) * (rows.growth / rows.thick)) / rows.growth
            for end in (bottom, top)
        )
        slabs = np.maximum(np.ceil(high - low), 2.0).astype(np.int64)
        order = np.argsort(slabs, kind="stable")
        first = 0
        while first < len(order):
            # A few slabs more for some pairs cost less than many small pieces.
            least = int(slabs[order[first]])
            most = least + least // 8
            size = max(CELLS_AT_ONCE // (2 * most), 16)
            last = min(first + size, int(np.searchsorted(slabs[order], most, side="right")))
            some = order[first:last]
            pair = of_kind[some]
            n = int(slabs[some].max())
            border = low[some] + (high - low)[some] * (np.arange(n + 1)[:, None] / n)
            border = (rows.thick / rows.growth) * np.sinh(rows.growth * border)
            height, weight = _filon(border, rows.reach, accuracy.fade_from)
            if height.size > room.shape[2]:
                room = np.empty((5, capsule.shape[1], height.size), np.float32)
            whole = _over_rows(height.astype(np.float32), weight, capsule[:, :, pair].astype(np.float32), room)
            yield leg[pair], 1.0 - 1j * fade[pair] * whole
            first = last


def _filon(border: FloatArray, reach: float, fade_from: float) -> tuple[FloatArray, ComplexArray]:
    """Two Gauss places of every slab between borders (slabs + 1, n), and the weights that exp(-j pi v^2 / 2) gives them."""
    s, c = fresnel(border)
    turn = np.exp(-0.5j * math.pi * border * border)
    middle = 0.5 * (border[1:] + border[:-1])
    part = 0.5 * _GAUSS * (border[1:] - border[:-1])
    zeroth = np.diff(c, axis=0) - 1j * np.diff(s, axis=0)
    first = ((turn[:-1] - turn[1:]) / (1j * math.pi) - middle * zeroth) / part
    x = np.clip((np.abs(middle) / reach - fade_from) / (1.0 - fade_from), 0.0, 1.0)
    fade = 0.5 * (1.0 - x * x * (3.0 - 2.0 * x))
    return np.concatenate((middle - part, middle + part)), np.concatenate((fade * (zeroth - first), fade * (zeroth + first)))


def _over_rows(height: Singles, weight: ComplexArray, capsule: Singles, room: Singles) -> ComplexArray:
    """Integral over the union (n,) by rows at heights (rows, n) with weights, of capsules (5, parts, n); ``room`` is scratch."""
    u, v, du, dv, r = iter(capsule[:, :, None])
    parts = len(u)
    rows, n = height.shape
    above, off, t, right, left = (part[:, : rows * n].reshape(parts, rows, n) for part in room[:, :parts])
    inverse = 1.0 / np.maximum(dv, 1e-9)
    lift = r * du / np.maximum(np.sqrt(du * du + dv * dv), 1e-9)
    r2 = r * np.abs(r)
    np.subtract(height, v, out=above)
    for end, sign in ((right, -1.0), (left, 1.0)):
        # Where on the axis the outline at this height is widest.
        np.subtract(above, sign * lift, out=t)
        np.multiply(t, inverse, out=t)
        np.maximum(t, 0.0, out=t)
        np.minimum(t, 1.0, out=t)
        np.multiply(t, dv, out=off)
        np.subtract(above, off, out=off)
        np.multiply(off, off, out=off)
        np.subtract(r2, off, out=off)
        np.less(off, 0.0, out=end)
        np.multiply(end, _NOWHERE, out=end)
        np.maximum(off, 0.0, out=off)
        np.sqrt(off, out=off)
        np.multiply(t, du, out=t)
        np.add(t, u, out=t)
        np.add(end, t, out=end)
        (np.add if sign < 0.0 else np.subtract)(end, off, out=end)
    lefts, rights = ([row.ravel() for row in end] for end in (left, right))
    spare = off[0].ravel()
    for i, j in _network(parts):
        for side in (lefts, rights):
            np.minimum(side[i], side[j], out=spare)
            np.maximum(side[i], side[j], out=side[j])
            side[i], spare = spare, side[i]
    sums = np.zeros(rows * n, np.complex128)
    filled = np.flatnonzero(lefts[0] < 0.5 * _NOWHERE)
    sums[filled] = -_fresnel(lefts[0][filled])
    for ends, begins in zip(rights, [*lefts[1:], np.full(rows * n, 2.0 * _NOWHERE, np.float32)], strict=True):
        ended = np.flatnonzero((ends < begins) & (ends < 0.5 * _NOWHERE))
        sums[ended] += _fresnel(ends[ended])
        begun = ended[begins[ended] < 0.5 * _NOWHERE]
        sums[begun] -= _fresnel(begins[begun])
    out: ComplexArray = (sums.reshape(rows, n) * weight).sum(axis=0)
    return out


def _fresnel(x: Any) -> ComplexArray:
    s, c = fresnel(x)
    out: ComplexArray = c - 1j * s
    return out


@cache
def _network(n: int) -> tuple[tuple[int, int], ...]:
    """Pairs to put in order, one after the other, that sort n things (Batcher's merge exchange, Knuth 5.2.2 M)."""
    pairs = []
    top = 1 << max(math.ceil(math.log2(n)) - 1, 0) if n > 1 else 0
    p = top
    while p > 0:
        q, r, d = top, 0, p
        while True:
            pairs += [(i, i + d) for i in range(n - d) if i & p == r]
            if q == p:
                break
            d, q, r = q - p, q // 2, p
        p //= 2
    return tuple(pairs)
