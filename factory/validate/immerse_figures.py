"""Figures of the IMMERSE comparison."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from factory.validate.figures import BLUE, GREY, ORANGE, plain, write
from factory.validate.immerse import DEPTH_EDGES_DB, TIME_EDGES, measured, runs_of_twin, share_below, twin
from factory.validate.immerse_traces import Trace

DISTRIBUTIONS, SHAPES = "immerse-distributions.svg", "immerse-shapes.svg"
_TRACKS = {"pedestrian_track1": "track 1", "pedestrian_track2": "track 2"}
_EXAMPLES = 3


def write_immerse(folder: Path) -> None:
    """Write both figures into a folder."""
    write(distributions_figure, folder / DISTRIBUTIONS)
    write(shapes_figure, folder / SHAPES)


def distributions_figure() -> Figure:
    """Cumulated shares of depth and time below -5 dB, both tracks, twin and the runs held out."""
    figure = Figure(figsize=(7.2, 5.4), layout="constrained")
    panels = figure.subplots(2, 2, sharey=True)
    for row, (mode, track) in zip(panels, _TRACKS.items(), strict=True):
        ours, theirs = twin(mode), measured()[mode, "held out"]
        for axes, edges, name, limit, x in (
            (row[0], DEPTH_EDGES_DB, "depth_counts", 40.0, "depth of the shadow [dB]"),
            (row[1], TIME_EDGES, "below5_counts", 400.0, "time below -5 dB [samples]"),
        ):
            for summary, colour, label in (
                (theirs, ORANGE, f"measured, held out (n = {theirs.n})"),
                (ours, BLUE, f"this twin (n = {ours.n})"),
            ):
                counts = getattr(summary, name)
                axes.step(edges[1 : len(counts) + 1], share_below(counts), color=colour, where="post", linewidth=1.5, label=label)
            axes.set_xlim(0.0, limit)
            plain(axes, f"Pedestrians, {track}", x, "share of runs")
    panels[0, 0].legend(loc="lower right", frameon=False, fontsize=8)
    return figure


def shapes_figure() -> Figure:
    """Draw some runs of the twin as reported, and the mean shape of entry and exit, twin and the runs held out."""
    figure = Figure(figsize=(7.2, 5.4), layout="constrained")
    panels = figure.subplots(2, 2)
    for row, (mode, track) in zip(panels, _TRACKS.items(), strict=True):
        for run, shade in zip(runs_of_twin(mode)[:_EXAMPLES], (BLUE, "#56B4E9", GREY), strict=True):
            _reported(row[0], run, shade)
        plain(row[0], f"Three runs of this twin, {track}", "time [samples]", "RSRP against clear [dB]")
        row[0].set_xlim(600.0, 1300.0)
        ours, theirs = twin(mode), measured()[mode, "held out"]
        at = 20.0 * np.arange(len(theirs.entry_db)) - 100.0
        for summary, colour, who in ((theirs, ORANGE, "measured, held out"), (ours, BLUE, "this twin")):
            row[1].plot(at, summary.entry_db, color=colour, linewidth=1.5, label=f"{who}, from the entry")
            row[1].plot(at, summary.exit_db, color=colour, linewidth=1.5, linestyle="--", label=f"{who}, back from the exit")
        plain(row[1], f"Mean shadow, {track}", "time into the shadow [samples]", "mean loss [dB]")
        row[1].set_ylim(-1.0, 1.6 * max(*theirs.entry_db, *ours.entry_db))
    panels[0, 1].legend(loc="upper right", frameon=False, fontsize=7)
    return figure


def _reported(axes: Axes, run: Trace, colour: str) -> None:
    axes.step(
        np.append(run.start, run.samples), np.append(run.level_db, run.level_db[-1]), color=colour, where="post", linewidth=1.2
    )
