"""What every figure of the validation shares: colours, axes and how a file is written, the same bytes every time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#666666"
"""Colours of Okabe and Ito, which stay apart for colour-blind readers."""

_SVG: Any = {"svg.fonttype": "none", "svg.hashsalt": "factory-twin", "font.family": "DejaVu Sans", "font.size": 9.0}
_NO_DATE = {"Date": None, "Creator": None, "Format": None, "Type": None}


def plain(axes: Axes, title: str, x: str, y: str) -> None:
    """Give axes a title, labels with units, and a light grid."""
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(color="0.9", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def write(draw: Callable[[], Figure], path: Path) -> None:
    """Draw a figure and write it as SVG without a date."""
    with matplotlib.rc_context(_SVG):
        draw().savefig(path, format="svg", metadata=_NO_DATE)
