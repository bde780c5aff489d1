"""Lanes from drawn lines: ends that meet become one node, and a lane that ends on another gets a node there."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from factory.layouts.found import Found, FoundLane, FoundNode
from factory.layouts.layers import LayerConfig
from robots.routes import point_segment_distance


def join_lanes(found: Found, lines: list[tuple[list[tuple[float, float]], bool, str, LayerConfig]], snap_m: float) -> None:
    """Add nodes and lanes.

    Parameters
    ----------
    found : gets them.
    lines : points [m], whether closed, place in the drawing, and the layer, of each drawn line.
    snap_m : points nearer than this are one node [m].
    """
    corners: list[tuple[float, float]] = []
    grid: dict[tuple[int, int], list[int]] = {}  # corners by square, so that only neighbours are compared
    square_m = max(snap_m, 1e-3)

    def node_at(x: float, y: float) -> int:
        i, j = math.floor(x / square_m), math.floor(y / square_m)
        for k in (k for di in (-1, 0, 1) for dj in (-1, 0, 1) for k in grid.get((i + di, j + dj), ())):
            if math.dist(corners[k], (x, y)) <= square_m:
                return k
        corners.append((x, y))
        grid.setdefault((i, j), []).append(len(corners) - 1)
        return len(corners) - 1

    stretches: list[tuple[int, int, str, LayerConfig]] = []
    for points, closed, place, config in lines:
        at = [node_at(x, y) for x, y in points]
        if closed and at[0] != at[-1]:
            at.append(at[0])
        stretches += [(a, b, place, config) for a, b in pairwise(at) if a != b]
    if not stretches:
        return
    xy = np.array(corners)
    lanes: dict[tuple[int, int], FoundLane] = {}
    split = 0
    names = [f"n{i + 1}" for i in range(len(corners))]
    for a, b, place, config in stretches:
        on = np.flatnonzero(point_segment_distance(xy, xy[a], xy[b]) <= square_m)
        on = on[(on != a) & (on != b)]
        split += len(on)
        along = np.linalg.norm(xy[on] - xy[a], axis=1)
        chain = [a, *(int(k) for k in on[np.argsort(along)]), b]
        for p, q in pairwise(chain):
            lanes.setdefault((p, q), FoundLane(names[p], names[q], config.two_way, config.max_speed_mps, None, place))
    if split:
        found.report.read("lanes", f"{split} lanes end on others; nodes join them there")
    crossings = _crossings(xy, stretches)
    if crossings:
        found.report.ignored("lanes", f"{crossings} crossings without a vertex: AGVs wait for each other there, but do not turn")
    found.nodes += [FoundNode(names[i], x, y, (), False, f"node {names[i]}") for i, (x, y) in enumerate(corners)]
    found.lanes += lanes.values()


def _crossings(xy: np.ndarray, stretches: list[tuple[int, int, str, LayerConfig]]) -> int:
    """Count the pairs of stretches that cross in their middles."""
    a, b = xy[[s[0] for s in stretches]], xy[[s[1] for s in stretches]]

    def side(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> np.ndarray:
        return np.asarray((q[..., 0] - p[..., 0]) * (r[..., 1] - p[..., 1]) - (q[..., 1] - p[..., 1]) * (r[..., 0] - p[..., 0]))

    count = 0
    for k in range(len(stretches) - 1):  # row by row, so that a thousand lanes take no gigabyte
        first, last, others_a, others_b = a[k], b[k], a[k + 1 :], b[k + 1 :]
        across = side(first, last, others_a) * side(first, last, others_b) < -1e-9
        count += int((across & (side(others_a, others_b, first) * side(others_a, others_b, last) < -1e-9)).sum())
    return count
