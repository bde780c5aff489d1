"""The report's view along a blocked path: who stood in it, with which part of the body, and what else the link had."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Patch, Polygon
from scipy.spatial import ConvexHull

from factory.explain import clock
from factory.report.charts import BLUE, GREY, VERMILLION, style, to_svg
from factory.report.maps import draw_hall
from factory.report.words import number

Floats = npt.NDArray[np.float64]

_BODY_COLOUR = "#9ecae1"
_RING = np.linspace(0.0, 2.0 * np.pi, 24, endpoint=False)
_NEAR_M = 0.05  # a body closer to an antenna than this is drawn as if it stood here


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where a body stands on a path.

    Attributes
    ----------
    start_m, end_m : (3,) ends of the leg that the part stands in [m].
    near_m, far_m : way along the path from the place of the part to the TRP and to the UE [m].
    right, up : (3,) unit vectors across the leg, as seen by who looks along it.
    """

    start_m: Floats
    end_m: Floats
    near_m: float
    far_m: float
    right: Floats
    up: Floats

    def zone_m(self, n: int, wavelength_m: float) -> float:
        """Radius of the n-th Fresnel zone where the part stands [m]."""
        return math.sqrt(n * wavelength_m * self.near_m * self.far_m / (self.near_m + self.far_m))


def crossing(case: Mapping[str, Any]) -> Crossing:
    """Find the leg that the deepest part stands in, and where."""
    corners = np.asarray(case["vertices_m"], dtype=np.float64)
    deepest = next(p for p in case["body"] if p["deepest"])
    axis = np.asarray(deepest["axis_m"], dtype=np.float64)
    points = axis[0] + np.linspace(0.0, 1.0, 21)[:, None] * (axis[1] - axis[0])
    best: tuple[float, int, float] = (math.inf, 0, 0.0)
    for leg in range(len(corners) - 1):
        along = corners[leg + 1] - corners[leg]
        length = float(np.linalg.norm(along))
        share = np.clip((points - corners[leg]) @ along / max(length, 1e-9) ** 2, 0.0, 1.0)
        off = np.linalg.norm(points - corners[leg] - share[:, None] * along, axis=1)
        k = int(np.argmin(off))
        if off[k] < best[0]:
            best = (float(off[k]), leg, float(share[k]))
    _, leg, where = best
    legs = np.linalg.norm(np.diff(corners, axis=0), axis=1)
    near = float(legs[:leg].sum() + where * legs[leg])
    toward = (corners[leg + 1] - corners[leg]) / max(float(legs[leg]), 1e-9)
    right = np.cross(toward, (0.0, 0.0, 1.0))
    if np.linalg.norm(right) < 1e-6:  # straight down: x to the right
        right = np.array([1.0, 0.0, 0.0])
    right /= np.linalg.norm(right)
    total = float(legs.sum())
    return Crossing(
        corners[leg], corners[leg + 1], max(near, _NEAR_M), max(total - near, _NEAR_M), right, np.cross(right, toward)
    )


def sentence(case: Mapping[str, Any]) -> str:
    """Tell one case: which path, who with which part, what it took, and what the link had beside it."""
    where = crossing(case)
    hit = next(p for p in case["paths"] if p["hit"]) if any(p["hit"] for p in case["paths"]) else None
    via = f"over {' and '.join(hit['via'])}" if hit and hit["via"] else "in line of sight" if hit else ""
    near_device = where.far_m < where.near_m
    place = f"{min(where.near_m, where.far_m):.1f} m from {case['device'] if near_device else case['trp']}"
    part = f"{case['blocker']}'s {case['part']}" if case["part"] else str(case["blocker"])
    text = (
        f"At {clock(case['time_us'])} {part} stood in the path from {case['trp']} to {case['device']} {via}".rstrip()
        + f", {place}, and took {number(case['loss_db'])} dB of it."
    )
    others = [p for p in case["paths"] if not p["hit"]]
    if hit and others:
        best = max(others, key=lambda p: p["gain_db"] - p["body_loss_db"])
        below = (hit["gain_db"]) - (best["gain_db"] - best["body_loss_db"])
        over = f"over {' and '.join(best['via'])}" if best["via"] else "in line of sight"
        than = "weaker" if below >= 0 else "stronger"
        text += f" The best other path, {over}, was {abs(below):.0f} dB {than} than this one would be with nobody there."
    return text


def view(case: Mapping[str, Any], scenario: Mapping[str, Any]) -> str:
    """Draw one case as SVG: the path on the floor plan, and the body as it is seen along the path."""
    where = crossing(case)
    corners = np.asarray(case["vertices_m"], dtype=np.float64)
    with style():
        figure = Figure(figsize=(11.6, 3.9), layout="constrained")
        plan, along = figure.subplots(1, 2, width_ratios=(1.75, 1))
        draw_hall(plan, scenario, labels=False)
        plan.plot(corners[:, 0], corners[:, 1], color=BLUE, linewidth=1.4, zorder=8)
        plan.plot(*corners[-1, :2], "s", color=BLUE, markersize=6, zorder=9)
        for part in case["body"]:
            plan.add_patch(Polygon(_outline(part, np.eye(3)[:2]), **_paint(part), zorder=10))
        low, high = corners[:, :2].min(axis=0) - 2.0, corners[:, :2].max(axis=0) + 2.0
        plan.set_xlim(max(low[0], -0.5), min(high[0], float(scenario["hall"]["size_m"][0]) + 0.5))
        plan.set_ylim(max(low[1], -0.5), min(high[1], float(scenario["hall"]["size_m"][1]) + 0.5))
        plan.set_title(f"Floor plan: path from {case['trp']} (triangle) to {case['device']} (square)")
        basis = np.stack((where.right, where.up))
        for part in case["body"]:
            along.add_patch(Polygon(_outline(part, basis) - basis @ where.start_m, **_paint(part), zorder=2))
        for n, dashes in ((1, "-"), (2, (0, (4, 3)))):
            along.add_patch(
                Circle((0, 0), where.zone_m(n, case["wavelength_m"]), fill=False, edgecolor="black", linestyle=dashes, zorder=4)
            )
        along.plot(0, 0, "+", color="black", markersize=9, zorder=5)
        along.autoscale_view()
        reach = max(1.0, 1.15 * where.zone_m(2, case["wavelength_m"]))
        along.set_xlim(-reach, reach)
        along.set_ylim(-reach, reach)
        along.set_aspect("equal")
        along.set_xlabel("across the path [m]")
        along.set_ylabel("upwards [m]")
        along.set_title("Seen along the path from the transmission point")
        handles = [
            Line2D([], [], color="black", label="first Fresnel zone"),
            Line2D([], [], color="black", linestyle=(0, (4, 3)), label="second"),
            Patch(color=VERMILLION, label=str(case["part"] or case["blocker"])),
            Patch(color=_BODY_COLOUR, label=f"rest of {case['blocker']}"),
        ]
        along.legend(handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
        return to_svg(figure, f"why-{case['time_us']}", f"{case['blocker']} in the path from {case['trp']} to {case['device']}")


def choose(cases: Sequence[Mapping[str, Any]], most: int) -> list[Mapping[str, Any]]:
    """Pick the cases worth a picture: those that took most, one per device as long as there are other devices."""
    ranked = sorted(cases, key=lambda c: (-c["loss_db"], c["time_us"], c["device"]))
    first = [c for i, c in enumerate(ranked) if c["device"] not in {e["device"] for e in ranked[:i]}]
    rest = [c for c in ranked if c not in first]
    return sorted([*first, *rest][:most], key=lambda c: (c["time_us"], c["device"]))


def _paint(part: Mapping[str, Any]) -> dict[str, Any]:
    colour = VERMILLION if part["deepest"] else _BODY_COLOUR
    return {"facecolor": colour, "edgecolor": GREY, "linewidth": 0.5, "alpha": 0.9}


def _outline(part: Mapping[str, Any], basis: Floats) -> Floats:
    """Outline of a part (k, 2) projected on two axes ``basis`` (2, 3) [m]."""
    axis = np.asarray(part["axis_m"], dtype=np.float64)
    a, b = (float(h) for h in part["half_m"])
    if part["capsule"]:
        ring = a * np.stack((np.cos(_RING), np.sin(_RING)), axis=1)
        points = np.concatenate([(end @ basis.T) + ring for end in axis])
    else:
        c, s = math.cos(part["yaw_rad"]), math.sin(part["yaw_rad"])
        corner = np.array([(a * i * c - b * j * s, a * i * s + b * j * c, 0.0) for i in (-1, 1) for j in (-1, 1)])
        points = np.concatenate([(end + corner) @ basis.T for end in axis])
    return np.asarray(points[ConvexHull(points, qhull_options="QJ").vertices], dtype=np.float64)
