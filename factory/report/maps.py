"""The report's maps of the floor: the hall with its boxes, transmission points and routes under one grid of 1 m cells each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle
from matplotlib.patheffects import withStroke

from factory.explain import CAUSE_WORDS
from factory.report.charts import CAUSE_STYLE, GREY, MARGIN_RANGE_DB, cause_handles, style, to_svg
from factory.report.data import Digest

_MARKERS_MAX = 500
_BOX_COLOURS = {"rack": "#c9c9c9", "cell": "#e3e3e3"}


def draw_hall(axes: Any, scenario: Mapping[str, Any], labels: bool) -> None:
    """Draw what stands still: hall, boxes, routes, TRPs with their boresights."""
    hall = scenario["hall"]
    length, width = (float(v) for v in hall["size_m"][:2])
    axes.add_patch(Rectangle((0, 0), length, width, fill=False, edgecolor="black", linewidth=1.4, zorder=3))
    halo = [withStroke(linewidth=2.2, foreground="white")]
    routes = (scenario.get("robots") or {}).get("routes") or {}
    at = {str(n["id"]): n["position_m"][:2] for n in routes.get("nodes") or ()}
    segments = [
        (at[str(e["start"])], at[str(e["end"])])
        for e in routes.get("edges") or ()
        if str(e["start"]) in at and str(e["end"]) in at
    ]
    if segments:
        axes.add_collection(LineCollection(segments, colors="#8a8a8a", linewidths=0.8, linestyles=(0, (4, 3)), zorder=2))
    for box in hall.get("boxes") or ():
        (cx, cy), (lx, ly) = box["center_m"][:2], box["size_m"][:2]
        yaw = np.deg2rad(box.get("yaw_deg", 0.0))
        turn = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
        corners = np.array([[-lx, -ly], [lx, -ly], [lx, ly], [-lx, ly]]) / 2 @ turn.T + [cx, cy]
        colour = _BOX_COLOURS.get(str(box.get("kind")), "#d6d6d6")
        axes.add_patch(Polygon(corners, facecolor=colour, edgecolor="#555555", linewidth=0.7, zorder=2.5))
        if labels:
            axes.text(cx, cy, box["name"], ha="center", va="center", fontsize=7.5, path_effects=halo, zorder=6)
    for trp in (scenario.get("radio") or {}).get("trps") or ():
        x, y = trp["position_m"][:2]
        angle = np.deg2rad(trp.get("azimuth_deg", 0.0))
        reach = 0.06 * length
        axes.annotate(
            "",
            (x + reach * np.cos(angle), y + reach * np.sin(angle)),
            (x, y),
            arrowprops={"arrowstyle": "->", "linewidth": 1.3, "color": "black"},
            zorder=6,
        )
        axes.plot(x, y, "^", color="black", markeredgecolor="white", markersize=8, zorder=7)
        if labels:
            near_right = x > 0.85 * length
            axes.annotate(
                trp["name"],
                (x, y),
                (-7 if near_right else 7, 6),
                textcoords="offset points",
                ha="right" if near_right else "left",
                fontsize=8,
                weight="bold",
                path_effects=halo,
                zorder=8,
            )
    axes.set_xlim(-0.5, length + 0.5)
    axes.set_ylim(-0.5, width + 0.5)
    axes.set_aspect("equal")
    axes.spines[:].set_visible(False)
    axes.set_xlabel("x [m]")
    axes.set_ylabel("y [m]")


def _size_in(scenario: Mapping[str, Any], width_in: float, extra_in: float) -> tuple[float, float]:
    length, width = scenario["hall"]["size_m"][:2]
    return width_in, float(np.clip(0.84 * width_in * width / length, 0.25 * width_in, 1.3 * width_in)) + extra_in


def outage_figure(scenario: Mapping[str, Any], digest: Digest, outage_s: npt.NDArray[np.float64] | None) -> tuple[Figure, int]:
    """Draw where services were down and where messages were lost.

    Parameters
    ----------
    scenario : the run's scenario.
    digest : the condensed run.
    outage_s : (ny, nx) seconds with a service down in each cell, None where not recorded.

    Returns
    -------
    The figure, and the number of cells with losses that were left out because they would crowd the map.
    """
    with style():
        figure = Figure(figsize=_size_in(scenario, 11.6, 0.7), layout="constrained")
        axes = figure.add_subplot()
        draw_hall(axes, scenario, labels=True)
        if outage_s is not None and outage_s.max() > 0:
            held = np.ma.masked_less_equal(outage_s, 0)
            ny, nx = outage_s.shape
            image = axes.imshow(
                held, origin="lower", extent=(0, nx, 0, ny), cmap="viridis_r", interpolation="none", vmin=0, zorder=1
            )
            figure.colorbar(image, ax=axes, fraction=0.025, pad=0.01).set_label("time with a service down [s per m²]")
        causes = list(digest.cell_cause)
        left_out = 0
        if causes:
            grids = np.stack([digest.cell_cause[c] for c in causes])
            amount, main = grids.sum(axis=0), grids.argmax(axis=0)
            y, x = np.nonzero(amount)
            order = np.argsort(-amount[y, x], kind="stable")
            left_out = max(0, len(order) - _MARKERS_MAX)
            y, x = y[order][:_MARKERS_MAX], x[order][:_MARKERS_MAX]
            area = 14 + 110 * np.sqrt(amount[y, x] / amount.max())
            drawn = []
            for i, cause in enumerate(causes):
                mine = main[y, x] == i
                if mine.any():
                    colour, marker = CAUSE_STYLE.get(cause, (GREY, "o"))
                    axes.scatter(
                        x[mine] + 0.5,
                        y[mine] + 0.5,
                        s=area[mine],
                        c=colour,
                        marker=marker,
                        edgecolors="white",
                        linewidths=0.5,
                        alpha=0.9,
                        zorder=5,
                    )
                    drawn.append(cause)
            drawn.sort(key=lambda c: list(CAUSE_WORDS).index(c) if c in CAUSE_WORDS else 99)
            axes.legend(handles=cause_handles(drawn), loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, borderaxespad=0.2)
        return figure, left_out


def outage_map(scenario: Mapping[str, Any], digest: Digest, outage_s: npt.NDArray[np.float64] | None) -> tuple[str, int]:
    """Return :func:`outage_figure` as SVG, and its number of cells left out."""
    with style():
        figure, left_out = outage_figure(scenario, digest, outage_s)
        return to_svg(figure, "outages", "Floor map: where services were down and where messages were lost"), left_out


def margin_map(scenario: Mapping[str, Any], digest: Digest) -> str:
    """Draw the margin that devices had in each cell 95 % of the time."""
    with style():
        figure = Figure(figsize=_size_in(scenario, 7.2, 0.35), layout="constrained")
        axes = figure.add_subplot()
        draw_hall(axes, scenario, labels=False)
        ny, nx = digest.margin_map_db.shape
        norm = Normalize(*MARGIN_RANGE_DB)
        held = np.ma.masked_invalid(digest.margin_map_db)
        image = axes.imshow(
            held, origin="lower", extent=(0, nx, 0, ny), cmap="viridis", norm=norm, interpolation="none", zorder=1
        )
        figure.colorbar(image, ax=axes, fraction=0.03, pad=0.01, extend="both").set_label("margin exceeded 95 % of the time [dB]")
        return to_svg(figure, "margin", "Floor map: margin of the radio links")


def people_map(scenario: Mapping[str, Any], people_s: npt.NDArray[np.float64]) -> str:
    """Draw how long people were in each cell; (ny, nx) seconds."""
    with style():
        figure = Figure(figsize=_size_in(scenario, 7.2, 0.35), layout="constrained")
        axes = figure.add_subplot()
        draw_hall(axes, scenario, labels=False)
        ny, nx = people_s.shape
        held = np.ma.masked_less_equal(people_s, 0)
        # one person who stands still for the whole run must not bleach the paths that the others walk
        top = float(np.quantile(people_s[people_s > 0], 0.98)) if (people_s > 0).any() else 1.0
        image = axes.imshow(
            held, origin="lower", extent=(0, nx, 0, ny), cmap="viridis_r", vmin=0, vmax=top, interpolation="none", zorder=1
        )
        figure.colorbar(image, ax=axes, fraction=0.03, pad=0.01, extend="max").set_label("people present [s per m²]")
        return to_svg(figure, "people", "Floor map: where people were")
