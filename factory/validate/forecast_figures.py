"""Figures of the forecast: error over horizon, coverage, and reliability of a link's blockage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from factory.validate.figures import BLUE, GREEN, GREY, ORANGE, plain, write
from factory.validate.forecast_rows import SCENE_NAMES, kept

ERRORS, COVERAGE, RELIABILITY = "forecast-errors.svg", "forecast-coverage.svg", "forecast-reliability.svg"
_MARKS = ("o", "s", "^", "D")
_COLOURS = (BLUE, ORANGE, GREEN, GREY)


def write_forecast(folder: Path) -> None:
    """Write the figures into a folder."""
    write(errors_figure, folder / ERRORS)
    write(coverage_figure, folder / COVERAGE)
    write(reliability_figure, folder / RELIABILITY)


def errors_figure() -> Figure:
    """Draw the final displacement error over the horizon, ours and constant velocity's, scene by scene."""
    study = kept()
    figure = Figure(figsize=(7.2, 5.2), layout="constrained")
    panels = figure.subplots(2, 2, sharex=True)
    for axes, (scene, name) in zip(panels.flat, SCENE_NAMES.items(), strict=True):
        part = study["clean"][scene]
        axes.plot(study["knots_s"], part["constant_velocity_m"], "s--", color=ORANGE, markersize=4, label="constant velocity")
        axes.plot(study["knots_s"], part["fde_m"], "o-", color=BLUE, markersize=4, label="forecast")
        if scene in study["noisy"]:
            noisy = study["noisy"][scene]
            axes.plot(study["knots_s"], noisy["fde_m"], "^-", color=GREEN, markersize=4, label="forecast, 5 cm noise")
        plain(axes, name, "horizon [s]" if axes in panels[1] else "", "final displacement error [m]")
        axes.set_ylim(0.0, None)
    panels[0, 1].legend(frameon=False, fontsize=8)
    return figure


def coverage_figure() -> Figure:
    """Share of true positions inside the 50 % and 90 % regions over the horizon, scene by scene."""
    study = kept()
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    axes.axhspan(0.87, 0.94, color="0.93")
    axes.axhspan(0.45, 0.55, color="0.93")
    for (scene, name), colour, mark in zip(SCENE_NAMES.items(), _COLOURS, _MARKS, strict=True):
        part = study["clean"][scene]
        for level, line in (("50", "--"), ("90", "-")):
            label = name if level == "90" else None
            axes.plot(study["knots_s"], part[f"cover{level}"], line, marker=mark, color=colour, markersize=4, label=label)
    plain(axes, "Share of true positions inside the 90 % (solid) and 50 % regions (dashed)", "horizon [s]", "share inside")
    axes.set_ylim(0.3, 1.0)
    axes.legend(frameon=False, fontsize=8, loc="center right", bbox_to_anchor=(1.0, 0.62))
    return figure


def reliability_figure() -> Figure:
    """How often links were blocked over how likely that was said to be, at 0.4 s and 2 s."""
    study = kept()
    figure = Figure(figsize=(7.2, 3.6), layout="constrained")
    for axes, which, when in zip(figure.subplots(1, 2, sharey=True), (0, 1), ("0.4 s", "2.0 s"), strict=True):
        axes.plot([0, 1], [0, 1], color="0.7", linewidth=1.0)
        for (scene, name), colour, mark in zip(SCENE_NAMES.items(), _COLOURS, _MARKS, strict=True):
            table = np.array(study["clean"][scene]["reliability"][which])
            enough = table[:, 0] >= 20
            axes.plot(table[enough, 1], table[enough, 2], marker=mark, color=colour, markersize=4, linewidth=1.2, label=name)
        plain(axes, f"Blockage {when} ahead", "forecast probability", "share of links blocked")
        axes.set_xlim(0.0, 1.0)
        axes.set_ylim(0.0, 1.0)
        if which == 0:
            axes.legend(frameon=False, fontsize=8)
    return figure
