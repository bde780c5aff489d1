"""Figure of the beam measurements: what is lost over how many pairs are measured."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from factory.validate.beam_measurements import TAGS_M, WAYS, kept
from factory.validate.figures import BLUE, GREEN, GREY, ORANGE, plain, write

FIGURE = "beam-measurements.svg"
_LEAST_DB = 0.05  # below this every loss is drawn here, so that an axis of decades can show it


def write_beams(folder: Path) -> None:
    """Write the figure into a folder."""
    write(beams_figure, folder / FIGURE)


def beams_figure() -> Figure:
    """Loss that a tenth and a hundredth of the selections exceed, over measured pairs, hall by hall."""
    found = kept()
    if found is None:
        raise ValueError("there is no beam_measurements.json yet: run python -m factory.validate.beam_measurements")
    figure = Figure(figsize=(7.2, 5.6), layout="constrained")
    panels = figure.subplots(2, len(found["halls"]), sharex=True, sharey=True)
    for column, (hall, of) in enumerate(found["halls"].items()):
        for row, (figure_name, words) in enumerate((("p90", "one in ten"), ("p99", "one in a hundred"))):
            axes = panels[row, column]
            for tag, colour in zip(TAGS_M, (GREEN, BLUE, ORANGE), strict=True):
                loss = [max(x, _LEAST_DB) for x in of["losses"][f"twin {tag:g} m"][figure_name]]
                told = "exact places" if tag == 0.0 else f"tags of {100 * tag:g} cm"
                axes.plot(found["budgets"], loss, color=colour, marker=".", linewidth=1.5, label=f"the twin's list, {told}")
            for way, mark in zip(WAYS, ("s", "^", "v"), strict=True):
                at = of["costs"][way]["pairs"], max(of["losses"][way][figure_name], _LEAST_DB)
                axes.plot(*at, color=GREY, marker=mark, linestyle="none", label=way)
            axes.set_xscale("log", base=2)
            axes.set_yscale("log")
            plain(axes, f"{hall}, {words}", "measured beam pairs" if row == 1 else "", "loss [dB]" if column == 0 else "")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    return figure
