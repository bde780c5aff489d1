"""Charts of the comparison report as inline SVG: intervals, seeds, time, causes. Variants differ by colour and by marker."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from factory.explain import CAUSE_WORDS
from factory.report.charts import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION, style, to_svg
from factory.report.words import number
from factory.study.compare import Comparison, Row
from factory.study.compare_curves import Curves
from factory.study.compare_words import per_shift
from factory.study.measures import Measure
from factory.study.paired import median_interval

_COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK, "#a6761d")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
_LEAST_RATIO, _MOST_RATIO = 1e-3, 1e3
_LEGEND: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1.0), "borderaxespad": 0.2}


def looks(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Colour and marker of every variant; the first one, the base, is grey."""
    out = {names[0]: (GREY, "o")}
    for k, name in enumerate(names[1:]):
        round_ = k // len(_COLOURS)  # where colours come again, markers are others
        out[name] = (_COLOURS[k % len(_COLOURS)], _MARKERS[(k + round_) % len(_MARKERS)])
    return out


def forest(comparison: Comparison) -> str:
    """Forest plot: factors of risks on a logarithmic axis, relative differences of the other figures, with their intervals."""
    look = looks([v.name for v in comparison.material.variants])
    measures = list(dict.fromkeys(r.measure.key for r in comparison.headline))
    rows = {k: [r for r in comparison.headline if r.measure.key == k] for k in measures}
    risks = [k for k in measures if rows[k][0].factor is not None]
    others = [k for k in measures if rows[k][0].factor is None and rows[k][0].base and not rows[k][0].measure.risk]
    with style():
        panels = [(kind, keys) for kind, keys in (("factor", risks), ("percent", others)) if keys]
        if not panels:
            return ""
        each = len(look) - 1
        heights = [len(keys) * (0.16 * each + 0.16) + 0.55 for _, keys in panels]
        figure = Figure(figsize=(11.6, sum(heights) + 0.4), layout="constrained")
        grid = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axes, (kind, keys) in zip(grid, panels, strict=True):
            for i, key in enumerate(reversed(keys)):
                for j, row in enumerate(rows[key]):
                    y = i + 0.36 - 0.72 * (j + 0.5) / each
                    _interval(axes, row, y, kind, *look[row.variant])
                if i % 2:
                    axes.axhspan(i - 0.5, i + 0.5, color="#f4f6f8", zorder=0)
            axes.set_yticks(range(len(keys)), [rows[k][0].measure.label for k in reversed(keys)])
            axes.set_ylim(-0.55, len(keys) - 0.45)
            axes.tick_params(axis="y", length=0)
            axes.axvline(1.0 if kind == "factor" else 0.0, color=BLACK, linewidth=0.9, zorder=1)
            if kind == "factor":
                _ratio_axis(axes)
                axes.set_xlabel(f"factor against {comparison.material.variants[0].name} (left of 1: less)")
            else:
                axes.set_xlabel(f"difference to {comparison.material.variants[0].name} [%]")
        handles = [
            grid[0].plot([], [], marker=m, color=c, linestyle="", label=name)[0] for name, (c, m) in list(look.items())[1:]
        ]
        figure.legend(handles=handles, loc="outside upper left", ncols=min(5, len(handles)))
        return to_svg(figure, "forest", "Factors and differences of every variant against the base with 95 % intervals")


def _interval(axes: Any, row: Row, y: float, kind: str, colour: str, marker: str) -> None:
    if kind == "factor":
        assert row.factor is not None
        value, low, high = row.factor.value, row.factor.low, row.factor.high
        value, low, high = (x if math.isnan(x) else min(max(x, _LEAST_RATIO), _MOST_RATIO) for x in (value, low, high))
    else:
        scale = 100 / abs(row.base)
        value, low, high = (scale * x for x in (row.difference.value, row.difference.low, row.difference.high))
    sure = row.verdict in ("better", "worse", "higher", "lower")
    if not math.isnan(low):
        axes.plot([low, high], [y, y], color=colour, linewidth=2.4 if sure else 1.2, solid_capstyle="butt", zorder=2)
    face = colour if sure else "white"
    axes.plot(value, y, marker=marker, color=colour, markerfacecolor=face, markersize=5.5, zorder=3)


def _ratio_axis(axes: Any) -> None:
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.set_xlim(max(min(low, 0.5), 0.8 * _LEAST_RATIO), min(max(high, 2.0), 1.25 * _MOST_RATIO))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    low, high = axes.get_xlim()
    axes.xaxis.set_minor_formatter(
        FuncFormatter(lambda x, _: f"{x:g}" if high / low < 30 else "") if high / low < 30 else NullFormatter()
    )


def seeds(comparison: Comparison) -> str:
    """Dots of every seed: one panel of the chosen measure, one per service's unavailability; bars: intervals of the median."""
    material = comparison.material
    look = looks([v.name for v in material.variants])
    keys = [comparison.key, *(r.measure.key for r in comparison.headline if r.measure.key.endswith(".unavailability"))]
    keys = list(dict.fromkeys(keys))[:6]
    known: dict[str, Measure] = {r.measure.key: r.measure for r in comparison.rows}
    with style():
        columns = min(3, len(keys))
        lines = -(-len(keys) // columns)
        figure = Figure(figsize=(11.6, lines * (0.34 * len(look) + 1.25)), layout="constrained")
        panels = figure.subplots(lines, columns, squeeze=False).ravel()
        for axes, key in zip(panels, keys, strict=False):
            _seed_panel(axes, material.values(key), known[key], look, material.minutes, key.endswith(".unavailability"))
        for axes in panels[len(keys) :]:
            axes.set_visible(False)
        for k, axes in enumerate(panels[: len(keys)]):
            if k % columns:
                axes.set_yticklabels([])
        return to_svg(figure, "seeds", "Values of every seed and variant with intervals of the median")


def _seed_panel(
    axes: Any, values: dict[str, Any], measure: Measure, look: dict[str, tuple[str, str]], minutes: float, as_nines: bool
) -> None:
    scale = per_shift(minutes) if measure.extensive else 1.0
    held = np.concatenate(list(values.values()))
    least = 10.0 ** math.floor(math.log10(held[held > 0].min())) if as_nines else 0.0
    least = max(least, 1e-12)
    names = [n for n in look if n in values]
    table = np.stack([values[n] for n in names])
    y = np.arange(len(names))[::-1]
    show = np.where(table > 0, table, 0.3 * least) if as_nines else table * scale
    if show.shape[1] <= 40:
        axes.plot(show, np.repeat(y[:, None], show.shape[1], axis=1), color="#d5dae0", linewidth=0.6, zorder=1)
    for row, name, place in zip(show, names, y, strict=True):
        colour, marker = look[name]
        middle, low, high = median_interval(row)
        if not math.isnan(low):
            axes.plot([low, high], [place - 0.27] * 2, color=colour, linewidth=3.0, solid_capstyle="butt", alpha=0.5, zorder=2)
        axes.plot(middle, place - 0.27, "|", color=colour, markersize=9, markeredgewidth=2, zorder=3)
        axes.plot(row, np.full(len(row), place), linestyle="", marker=marker, color=colour, markersize=4.5, alpha=0.8, zorder=3)
    axes.set_yticks(y, names)
    axes.set_ylim(-0.6, len(names) - 0.5)
    unit = f" [{measure.unit or '1'} per shift]" if measure.extensive else f" [{measure.unit}]" if measure.unit else ""
    axes.set_title(measure.label + unit)
    if as_nines:
        axes.set_xscale("log")
        axes.set_xlim(0.2 * least, max(2 * show.max(), 10 * least))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}" if x >= 1e-3 else f"1e{round(math.log10(x))}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        if (table == 0).any():
            axes.axvline(0.55 * least, color="#999999", linewidth=0.8, linestyle=":")
            axes.annotate("none", (0.3 * least, -0.55), ha="center", va="bottom", fontsize=7.5, color="#59636e")
    else:
        axes.set_xlim(left=0)
        axes.xaxis.set_major_locator(MaxNLocator(5))


def over_time(comparison: Comparison, held: Curves) -> str:
    """Machine minutes lost up to each instant, and how many outages last longer than a time."""
    material = comparison.material
    look = looks([v.name for v in material.variants])
    with style():
        figure = Figure(figsize=(11.6, 3.7), layout="constrained")
        left, right = figure.subplots(1, 2)
        for name, lost in held.lost_min.items():
            colour, marker = look[name]
            for line in lost if len(lost) <= 40 else ():
                left.plot(held.time_min, line, color=colour, linewidth=0.5, alpha=0.35)
            left.plot(
                held.time_min,
                lost.mean(axis=0),
                color=colour,
                linewidth=2.0,
                marker=marker,
                markevery=20,
                markersize=5,
                label=name,
            )
        left.set_xlim(0, float(held.time_min[-1]))
        left.set_ylim(bottom=0)
        left.set_xlabel("time since the start [min]")
        words = "without commands" if held.causes == ("communication",) else "blocked"
        thick = "; thick: mean of the seeds" if material.paired else ""
        left.set_title(f"machine minutes stood {words} [min]{thick}")
        left.legend(loc="upper left", fontsize=8)
        drawn = False
        for name, lengths in held.outage_s.items():
            if not len(lengths) or not held.device_hours[name]:
                continue
            drawn = True
            colour, marker = look[name]
            longer = np.arange(len(lengths), 0, -1) / held.device_hours[name]
            right.step(lengths, longer, where="pre", color=colour, linewidth=1.6, label=name)
            right.plot(lengths[-1], longer[-1], marker=marker, color=colour, markersize=5)
        right.set_title("outages that last longer [per device hour]")
        right.set_xlabel("length of the outage [s]")
        if drawn:
            right.set_xscale("log")
            right.set_yscale("log")
            for axis in (right.xaxis, right.yaxis):
                axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
                axis.set_minor_formatter(NullFormatter())
        else:
            right.text(0.5, 0.5, "no outage in any run", transform=right.transAxes, ha="center", color=GREY)
            right.set_xticks([])
            right.set_yticks([])
        return to_svg(figure, "time", "Minutes lost against time, and lengths of outages, for every variant")


def causes(comparison: Comparison) -> str:
    """Messages lost per shift by cause, before and after, as bars; "" where none was lost."""
    material = comparison.material
    base = material.variants[0].name
    rows = [r for r in comparison.rows if r.measure.group == "causes"]
    keys = list(dict.fromkeys(r.measure.key for r in rows))
    if not keys:
        return ""
    scale = per_shift(material.minutes)
    amount: dict[str, dict[str, float]] = {}
    for key in keys:
        mine = [r for r in rows if r.measure.key == key]
        amount[key] = {base: scale * mine[0].base} | {r.variant: scale * r.other for r in mine}
    keys.sort(key=lambda k: -max(amount[k].values()))
    look = looks([v.name for v in material.variants])
    with style():
        figure = Figure(figsize=(11.6, len(keys) * (0.15 * len(look) + 0.2) + 0.9), layout="constrained")
        axes = figure.add_subplot()
        highest = max(max(a.values()) for a in amount.values())
        for i, key in enumerate(keys):
            for j, (name, (colour, _)) in enumerate(look.items()):
                y = -i + 0.4 - 0.8 * (j + 0.5) / len(look)
                value = amount[key].get(name, 0.0)
                axes.barh(y, value, height=0.74 / len(look), color=colour, label=name if i == 0 else None)
                axes.annotate(
                    number(round(value, 1), 3), (value, y), (3, 0), textcoords="offset points", va="center", fontsize=7.5
                )
        axes.set_yticks([-i for i in range(len(keys))], [CAUSE_WORDS.get(k.removeprefix("losses."), k) for k in keys])
        axes.tick_params(axis="y", length=0)
        axes.set_xlim(0, 1.12 * highest)
        axes.set_xlabel("messages lost per shift of 8 h, all services")
        axes.legend(ncols=min(5, len(look)), **_LEGEND)
        return to_svg(figure, "causes", "Bars: messages lost by cause, base and variants")
