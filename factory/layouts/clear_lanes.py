"""Free floor under the lanes: walls and racks that an AGV would touch are cut back, and every cut is told."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from factory.layouts.found import Found, FoundBox

STEP_M = 0.05
_LEAST_M = 0.1  # a shorter rest of a box is not kept
_THICK_M = 0.5  # a box thinner than this is only cut across


def lane_points(found: Found) -> npt.NDArray[np.float64]:
    """Return points (k, 2) along all lanes and on all nodes, ``STEP_M`` apart [m]."""
    place = {node.id: np.array([node.x_m, node.y_m]) for node in found.nodes}
    parts = [np.array(list(place.values())).reshape(-1, 2)]
    for lane in found.lanes:
        a, b = place[lane.start], place[lane.end]
        steps = max(2, math.ceil(float(np.linalg.norm(b - a)) / STEP_M) + 1)
        parts.append(np.linspace(a, b, steps))
    return np.concatenate(parts)


def clear_lanes(found: Found, margin_m: float) -> None:
    """Cut boxes back so that every point of a lane keeps ``margin_m`` from them.

    Parameters
    ----------
    found : what was read; its boxes are changed in place.
    margin_m : half the AGV's width and the room it needs beside [m].
    """
    points = lane_points(found)
    if not len(points):
        return
    reach_m = margin_m + STEP_M
    tree = cKDTree(points)
    boxes: list[FoundBox] = []
    for box in found.boxes:
        around_m = math.hypot(box.length_m / 2 + reach_m, box.width_m / 2 + reach_m)
        pieces = _cut(box, points[tree.query_ball_point((box.x_m, box.y_m), around_m)], reach_m)
        if pieces is None:
            boxes.append(box)
            continue
        left = sum(p.length_m * p.width_m for p in pieces) / (box.length_m * box.width_m)
        what = f"in {len(pieces)} parts, {100 * left:.0f} % of its floor is left" if pieces else "nothing of it is left"
        found.report.repaired(
            box.place, f"a lane comes nearer than {margin_m:.2f} m to {box.kind} {box.name!r}: cut back, {what}"
        )
        boxes += pieces
    found.boxes = boxes


def _cut(box: FoundBox, points: npt.NDArray[np.float64], reach_m: float) -> list[FoundBox] | None:
    """Return what is left of a box, None where no lane comes near."""
    yaw = math.radians(box.yaw_deg)
    d = points - (box.x_m, box.y_m)
    u, v = d[:, 0] * math.cos(yaw) + d[:, 1] * math.sin(yaw), -d[:, 0] * math.sin(yaw) + d[:, 1] * math.cos(yaw)
    half_u, half_v = box.length_m / 2, box.width_m / 2
    near = (np.abs(u) < half_u + reach_m) & (np.abs(v) < half_v + reach_m)
    if not near.any():
        return None
    u, v = u[near], v[near]
    ways = [_rest(u, half_u, reach_m)]
    pieces = [[_piece(box, (a + b) / 2, 0.0, b - a, box.width_m) for a, b in ways[0]]]
    if box.width_m > _THICK_M:
        pieces.append([_piece(box, 0.0, (a + b) / 2, box.length_m, b - a) for a, b in _rest(v, half_v, reach_m)])
    best = max(pieces, key=lambda some: sum(p.length_m * p.width_m for p in some))
    names = (
        [box.name]
        if len(best) == 1
        else [f"{box.name}-{'abcdefghijklmnopqrstuvwxyz'[k % 26]}{k // 26 or ''}" for k in range(len(best))]
    )
    return [replace(piece, name=name) for piece, name in zip(best, names, strict=True)]


def _rest(at: npt.NDArray[np.float64], half: float, reach_m: float) -> list[tuple[float, float]]:
    """Return the stretches of -half..half that keep ``reach_m`` from all points."""
    stretches, start = [], -half
    for point in np.sort(at):
        if point - reach_m - start >= _LEAST_M:
            stretches.append((start, min(float(point) - reach_m, half)))
        start = max(start, float(point) + reach_m)
    if half - start >= _LEAST_M:
        stretches.append((start, half))
    return [(a, b) for a, b in stretches if b - a >= _LEAST_M]


def _piece(box: FoundBox, along_m: float, across_m: float, length_m: float, width_m: float) -> FoundBox:
    yaw = math.radians(box.yaw_deg)
    return replace(
        box,
        x_m=box.x_m + along_m * math.cos(yaw) - across_m * math.sin(yaw),
        y_m=box.y_m + along_m * math.sin(yaw) + across_m * math.cos(yaw),
        length_m=length_m,
        width_m=width_m,
    )
