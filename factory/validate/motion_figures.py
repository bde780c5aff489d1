"""Figures of recorded and simulated motion: distributions, distances between people, and the gait cycle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from factory.validate.figures import BLUE, GREY, ORANGE, plain, write
from factory.validate.motion import (
    GROUPS,
    NAMES,
    OWN_QUANTITIES,
    SHARED_QUANTITIES,
    SHARES,
    Sample,
    captured,
    measured,
    twin,
)
from factory.validate.motion_gait import JOINTS_SEEN, PHASES, angles_of_twin

DISTRIBUTIONS, DISTANCES, GAIT = "motion-distributions.svg", "motion-distances.svg", "motion-gait.svg"
_LIMITS = {
    "speed_mps": (0.6, 1.8), "acceleration_mps2": (-1.6, 1.6), "turn_radps": (0.0, 1.2), "stay_s": (0.0, 60.0),
    "distance_m": (0.0, 12.0), "nearest_m": (0.0, 12.0),
}  # fmt: skip


def write_motion(folder: Path) -> None:
    """Write all three figures into a folder."""
    write(distributions_figure, folder / DISTRIBUTIONS)
    write(distances_figure, folder / DISTANCES)
    write(gait_figure, folder / GAIT)


def distributions_figure() -> Figure:
    """Cumulated shares of speed, its changes, turns and stays: workers and visitors, recorded and simulated."""
    figure = Figure(figsize=(10.0, 5.2), layout="constrained")
    panels = figure.subplots(2, 4, sharey=True)
    for row, group in zip(panels, GROUPS, strict=True):
        for axes, name in zip(row, OWN_QUANTITIES, strict=True):
            _curve(axes, measured()[f"{group}, fitted"][name], GREY, "recorded, fitted to")
            _curve(axes, measured()[f"{group}, held out"][name], ORANGE, "recorded, held out")
            _curve(axes, twin()[group][name], BLUE, "this twin")
            _finish(axes, name, group, name == OWN_QUANTITIES[0])
    panels[0, 3].legend(loc="lower right", frameon=False, fontsize=7)
    return figure


def distances_figure() -> Figure:
    """Cumulated shares of distances between people in one room."""
    figure = Figure(figsize=(7.2, 3.2), layout="constrained")
    for axes, name in zip(figure.subplots(1, 2, sharey=True), SHARED_QUANTITIES, strict=True):
        _curve(axes, measured()["all"][name], ORANGE, "recorded")
        _curve(axes, twin()["tours"][name], BLUE, "this twin, visitors in groups")
        _curve(axes, twin()["all"][name], GREY, "this twin, everybody alone")
        _finish(axes, name, "one room", name == SHARED_QUANTITIES[0])
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False, fontsize=7)
    return figure


def _curve(axes: Axes, values: Sample, colour: str, label: str) -> None:
    axes.plot(values[1], SHARES, color=colour, linewidth=1.5, label=label)


def _finish(axes: Axes, name: str, group: str, first: bool) -> None:
    axes.set_xlim(*_LIMITS[name])
    axes.set_ylim(0.0, 1.0)
    words, unit = NAMES[name]
    plain(axes, group, f"{words} [{unit}]", "share below" if first else "")


def gait_figure() -> Figure:
    """Joint angles over the gait cycle, of the captured walk and of the twin's at the same speed."""
    figure = Figure(figsize=(7.2, 5.0), layout="constrained")
    phase = np.linspace(0.0, 1.0, 101)
    ours = angles_of_twin(phase)
    for axes, name in zip(figure.subplots(2, 2).ravel(), JOINTS_SEEN, strict=True):
        axes.plot(
            100.0 * PHASES, np.degrees(captured()[name]), "o", color=ORANGE, markersize=4, label="one captured adult, 1.588 m/s"
        )
        axes.plot(100.0 * phase, np.degrees(ours[name]), color=BLUE, linewidth=1.5, label="this twin")
        plain(axes, name, "gait cycle from the heel's contact [%]", "flexion [°]")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False, fontsize=8)
    return figure
