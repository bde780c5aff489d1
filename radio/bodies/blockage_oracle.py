"""Blockage model B screen by screen, with the angles written as TR 38.901 writes them: the reference for ``blockage``."""

from __future__ import annotations

import math

import numpy as np

from radio.bodies.blockage_kernels import TAPER_END, TAPER_START
from radio.types import SHAPE_CAPSULE, SHAPE_ELLIPSE, Blockage, Blockers, FloatArray, IntArray, Paths


def reference_blockage(paths: Paths, blockers: Blockers, ue_owner: IntArray) -> Blockage:
    """Compute what ``blockage_db`` computes with ``model="model_b"``, slowly. Parameters and result are the same."""
    n = len(paths.length_m)
    loss, worst_db = np.zeros(n), np.zeros(n)
    worst_owner, worst_part = np.full(n, -1), np.full(n, -1)
    for link in range(paths.n_ue * paths.n_trp):
        wavelength_m = float(paths.wavelength_m[link % paths.n_trp])
        for p in range(int(paths.offset[link]), int(paths.offset[link + 1])):
            by_owner: dict[int, tuple[float, int]] = {}
            for origin, toward, before, leg, total in unfolded_legs(paths, p):
                for i in range(len(blockers.owner)):
                    o = int(blockers.owner[i])
                    if o == ue_owner[link // paths.n_trp]:
                        continue
                    shadow = screen_shadow(blockers, i, origin, toward, before, leg, total, wavelength_m)
                    if shadow > by_owner.get(o, (0.0, -1))[0]:
                        by_owner[o] = (shadow, int(blockers.part[i]))
            cost = {o: (min(-20 * math.log10(1 - shadow), 60.0), part) for o, (shadow, part) in by_owner.items()}
            loss[p] = sum(db for db, _ in cost.values())
            worst = max(cost, key=lambda o: cost[o][0], default=-1)
            if worst >= 0 and cost[worst][0] >= 0.5:
                worst_owner[p], worst_db[p], worst_part[p] = worst, *cost[worst]
    return Blockage((10.0 ** (loss / -20.0)).astype(np.complex128), loss, worst_owner, worst_part, worst_db)


def unfolded_legs(paths: Paths, p: int) -> list[tuple[FloatArray, FloatArray, float, float, float]]:
    """Legs of path p as (start, unit vector, unfolded length before it, its length, unfolded length of the path) [m]."""
    points = paths.vertex_m[p, : paths.order[p] + 2]
    steps = np.diff(points, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    before = np.concatenate(([0.0], np.cumsum(lengths)))
    return [
        (points[k], steps[k] / lengths[k], float(before[k]), float(lengths[k]), float(before[-1]))
        for k in range(len(lengths))
        if lengths[k] > 0.0
    ]


def screen_shadow(
    blockers: Blockers,
    i: int,
    origin: FloatArray,
    toward: FloatArray,
    before_m: float,
    leg_m: float,
    total_m: float,
    wavelength_m: float,
) -> float:
    """Shadow amplitude (F_h1 + F_h2)(F_w1 + F_w2) of screen i on one leg, tapered; 0 where the screen is not beside the leg."""
    centre = (blockers.start_m[i] + blockers.end_m[i]) / 2
    near = float((centre - origin) @ toward)
    whole = blockers.end_m[i] - blockers.start_m[i]
    axis = whole - (whole @ toward) * toward
    if np.linalg.norm(axis) > 1e-9:
        height = axis / np.linalg.norm(axis)
        share = float((origin - centre) @ height) / float(np.linalg.norm(axis))
        near += min(max(share, -0.5), 0.5) * float(whole @ toward)
    else:
        level = np.array([-toward[1], toward[0], 0.0])
        height = level / np.linalg.norm(level) if np.linalg.norm(level) > 1e-9 else np.array([1.0, 0.0, 0.0])
        axis = np.zeros(3)
    if not 0 < near < leg_m:
        return 0.0
    near += before_m
    far = total_m - near
    width = np.cross(toward, height)
    half_h = float(np.linalg.norm(axis)) / 2 + footprint_half_extent(blockers, i, height)
    half_w = footprint_half_extent(blockers, i, width)
    pierce = origin - centre
    off_h, off_w = float(pierce @ height), float(pierce @ width)
    fresnel_radius = math.sqrt(wavelength_m * near * far / total_m)
    gap = math.hypot(max(abs(off_h) - half_h, 0.0), max(abs(off_w) - half_w, 0.0)) / fresnel_radius
    if gap >= TAPER_END:
        return 0.0
    x = min(1.0, (TAPER_END - gap) / (TAPER_END - TAPER_START))
    views = sum_of_edges(off_h, half_h, near, far, wavelength_m) * sum_of_edges(off_w, half_w, near, far, wavelength_m)
    return views * x * x * (3 - 2 * x)


def footprint_half_extent(blockers: Blockers, i: int, direction: FloatArray) -> float:
    """Half extent of a screen's cross-section in a direction [m]."""
    a, b = (float(h) for h in blockers.half_width_m[i])
    if blockers.shape[i] == SHAPE_CAPSULE:
        return a
    yaw = float(blockers.yaw_rad[i])
    along = a * float(direction @ np.array([math.cos(yaw), math.sin(yaw), 0.0]))
    across = b * float(direction @ np.array([-math.sin(yaw), math.cos(yaw), 0.0]))
    return math.hypot(along, across) if blockers.shape[i] == SHAPE_ELLIPSE else abs(along) + abs(across)


def sum_of_edges(offset: float, half: float, near: float, far: float, wavelength_m: float) -> float:
    """F1 + F2 of one view, by TR 38.901 equation 7.6-29 and its sign rule."""
    edges = (abs(offset - half), abs(offset + half))

    def term(edge: float) -> float:
        if edge == 0.0:
            return 0.0
        excess = edge**2 / (math.hypot(near, edge) + near) + edge**2 / (math.hypot(far, edge) + far)  # D1 + D2 - r
        return math.atan(math.pi / 2 * math.sqrt(math.pi / wavelength_m * excess)) / math.pi

    nearer, farther = sorted(edges)
    return term(farther) + (term(nearer) if abs(offset) < half else -term(nearer))
