"""Floor maps of the comparison report: every variant on one scale, and its difference to the base on one diverging scale."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from factory.report.charts import style, to_svg
from factory.report.maps import draw_hall
from factory.study.compare_maps import MAPS

DIVERGING = "PuOr_r"
"""Orange: more than in the base, purple: less; told apart with any common colour blindness."""


def map_figure(
    name: str,
    grids: Mapping[str, npt.NDArray[np.float64]],
    scenarios: Mapping[str, Mapping[str, Any]],
    order: Sequence[str],
    scale: float,
) -> str:
    """Draw one map of several variants, and below the differences to the first.

    Parameters
    ----------
    name : key of `MAPS`.
    grids : (ny, nx) of every variant.
    scenarios : scenario of every variant, for what stands in its hall.
    order : variants to draw, the base first.
    scale : factor to the unit in `MAPS`.

    Returns
    -------
    SVG; "" where there is nothing on any map.
    """
    words, unit = MAPS[name]
    held = {v: scale * grids[v] for v in order}
    top = max(float(g.max()) for g in held.values())
    if top <= 0:
        return ""
    positive = np.concatenate([g[g > 0] for g in held.values()])
    clipped = float(np.quantile(positive, 0.99)) if len(positive) > 50 else top  # one cell must not bleach all others
    base = order[0]
    differences = {v: held[v] - held[base] for v in order[1:]}
    spread = np.concatenate([np.abs(d[d != 0]) for d in differences.values()]) if differences else np.zeros(0)
    reach = float(np.quantile(spread, 0.99)) if len(spread) > 50 else float(spread.max(initial=0.0))
    length, width = scenarios[base]["hall"]["size_m"][:2]
    columns = len(order)
    each = 11.3 / max(columns, 2)
    with style():
        figure = Figure(figsize=(11.6, 2 * (each * min(max(width / length, 0.3), 1.3) + 0.35) + 0.3), layout="constrained")
        panels = figure.subplots(2, columns, squeeze=False)
        ny, nx = held[base].shape
        for axes, variant in zip(panels[0], order, strict=True):
            draw_hall(axes, scenarios[variant], labels=False)
            image = axes.imshow(
                np.ma.masked_less_equal(held[variant], 0), origin="lower", extent=(0, nx, 0, ny), cmap="viridis_r",
                interpolation="none", vmin=0, vmax=clipped, zorder=1,
            )  # fmt: skip
            _bare(axes, variant)
        extend = "max" if clipped < top else "neither"
        figure.colorbar(image, ax=list(panels[0]), fraction=0.025, pad=0.01, extend=extend).set_label(unit)
        panels[1, 0].set_visible(False)
        for axes, variant in zip(panels[1, 1:], order[1:], strict=True):
            draw_hall(axes, scenarios[variant], labels=False)
            image = axes.imshow(
                np.ma.masked_equal(differences[variant], 0), origin="lower", extent=(0, nx, 0, ny), cmap=DIVERGING,
                interpolation="none", norm=Normalize(-max(reach, 1e-9), max(reach, 1e-9)), zorder=1,
            )  # fmt: skip
            _bare(axes, f"{variant} − {base}")
        if reach > 0:
            figure.colorbar(image, ax=list(panels[1]), fraction=0.025, pad=0.01, extend="both").set_label(f"difference, {unit}")
        return _unique(to_svg(figure, f"map-{name}", f"Floor maps: {words}, of every variant and the differences to {base}"))


def _unique(svg: str) -> str:
    """Give every image an id of its own: matplotlib makes them of the content, so that two equal maps would share one."""
    numbers = itertools.count(1)
    return re.sub(r'id="([^"]*-image)[^"]*"', lambda found: f'id="{found[1]}-{next(numbers)}"', svg)


def _bare(axes: Any, title: str) -> None:
    axes.set_title(title, fontsize=9)
    axes.set_xlabel("")
    axes.set_ylabel("")
    axes.tick_params(labelsize=7)
