"""Draw the plots of docs/cookbook.md from the studies that its commands leave in studies/.

    .venv/bin/python docs/cookbook/plots.py studies [NAME ...]

Left: the figure of the answer, a dot per seed and a line for the mean. Right: what the variants change, with 95 % intervals;
filled where the difference is marked after Holm's correction.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from factory.report.charts import BLACK, style
from factory.study.compare import Comparison, Row, compare, load_study
from factory.study.compare_words import per_shift
from factory.study.report.charts import looks

HERE = Path(__file__).parent
RISKS = ("service.agv-control.unavailability", "service.panel-estop.unavailability", "service.agv-video.unavailability")
RECIPES: dict[str, tuple[str, tuple[str, ...]]] = {
    "third-trp": ("service.cobot-control.unavailability", ("service.agv-control.unavailability", "losses.body")),
    "power": ("service.cobot-control.unavailability", ("service.agv-control.unavailability", "losses.body")),
    "trp-moved": ("service.agv-video.unavailability", (*RISKS[:2], "losses.body")),
    "policy": ("service.panel-estop.unavailability", (RISKS[0], RISKS[2], "losses.body", "losses.interference")),
    "people": ("stops.person_near", ("production.parts", "production.orders", "losses.body")),
    "agv-count": ("production.orders", ("production.order_time_s", "minutes.queue", "stops.agvs.person_near")),
    "agv-speed": ("production.orders", ("production.order_time_s", "minutes.queue", "stops.agvs.person_near")),
    "aisle-closed": ("production.orders", ("production.order_time_s", "minutes.queue", "stops.agvs.person_near")),
    "racks": ("service.agv-control.lost_per_million", (RISKS[1], "losses.recovery", "losses.interference", "losses.body")),
    "trp-fails": ("minutes.communication", (*RISKS[:2], "production.orders")),
}
"""Study: figure of the answer, and the others of its plot."""


def draw(comparison: Comparison, others: tuple[str, ...]) -> Figure:
    """Draw one plot: seeds left, intervals right."""
    names = [v.name for v in comparison.material.variants]
    look = looks(names)
    figure = Figure(figsize=(9.4, 2.9), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.0, 1.15))
    _seeds(left, comparison, look)
    keys = [comparison.key, *(k for k in others if any(r.measure.key == k for r in comparison.rows))]
    _intervals(right, [[r for r in comparison.rows if r.measure.key == k] for k in keys], look)
    return figure


def _seeds(axes: Any, comparison: Comparison, look: dict[str, tuple[str, str]]) -> None:
    values = comparison.material.values(comparison.key)
    measure = comparison.chosen[0].measure
    scale = per_shift(comparison.material.minutes) if measure.extensive else 1.0
    for k, (name, row) in enumerate(values.items()):
        colour, marker = look[name]
        places = [k + 0.4 * ((n + 0.5) / len(row) - 0.5) for n in range(len(row))]
        axes.plot(places, scale * row, linestyle="", marker=marker, color=colour, markersize=4.5, alpha=0.75)
        axes.plot([k - 0.32, k + 0.32], [scale * row.mean()] * 2, color=colour, linewidth=2)
    axes.set_xticks(range(len(values)), [n.replace("-", "-\n", 1) if len(n) > 11 else n for n in values])
    axes.set_xlim(-0.5, len(values) - 0.5)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.set_ylim(bottom=0)
    per = "per shift of 8 h" if measure.extensive else ""
    axes.set_title(f"{measure.label} {per}\none dot per seed, line: mean".replace(" \n", "\n"), fontsize=9)


def _intervals(axes: Any, blocks: list[list[Row]], look: dict[str, tuple[str, str]]) -> None:
    """Factor of every figure, of means where it is no risk: 1 is no change."""
    ends: list[float] = []
    bars: list[tuple[float, float, float, float, str, str, bool]] = []
    for i, rows in enumerate(blocks):
        for j, row in enumerate(rows):
            value, low, high = _factor(row)
            y = -i + 0.28 - 0.56 * (j + 0.5) / len(rows)
            bars.append((y, value, low, high, *look[row.variant], row.verdict in ("better", "worse", "higher", "lower")))
            ends += [x for x in (value, low, high) if math.isfinite(x) and x > 0]
    least, most = max(min([*ends, 0.5]), 1e-2), min(max([*ends, 2.0]), 1e2)
    for y, value, low, high, colour, marker, sure in bars:
        if not math.isnan(low):
            axes.plot([max(low, least / 2), min(high, most * 2)], [y, y], color=colour, linewidth=2.2 if sure else 1.1)
        if math.isinf(value):
            axes.text(1.03, y, "from none", color=colour, fontsize=8, va="center")
        if math.isfinite(value):
            shown = min(max(value, least / 1.5), most * 1.5)
            axes.plot(shown, y, marker=marker, color=colour, markerfacecolor=colour if sure else "white", markersize=5.5)
    axes.set_xscale("log")
    axes.set_xlim(least / 1.6, most * 1.6)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    near = most / least < 12
    axes.xaxis.set_minor_formatter(
        FuncFormatter(lambda x, _: f"{x:g}" if f"{x:e}"[0] in "25" else "") if near else NullFormatter()
    )
    axes.axvline(1.0, color=BLACK, linewidth=0.9, zorder=0)
    axes.set_yticks([-i for i in range(len(blocks))], [rows[0].measure.label for rows in blocks])
    axes.set_ylim(0.5 - len(blocks), 0.5)
    axes.tick_params(axis="y", length=0)
    axes.set_title("factor against base, 95 %\nfilled: told apart", fontsize=9)


def _factor(row: Row) -> tuple[float, float, float]:
    if row.measure.risk and row.base == 0:
        return (math.inf if row.other else math.nan, math.nan, math.nan)
    if row.factor is not None:
        return row.factor.value, row.factor.low, row.factor.high
    d = row.difference
    return tuple(1 + x / row.base if row.base else math.nan for x in (d.value, d.low, d.high))  # type: ignore[return-value]


def main(arguments: list[str]) -> None:
    """Draw every study that is there, or those that are named."""
    studies, *wanted = arguments
    for name in wanted or RECIPES:
        folder = Path(studies) / name
        if not (folder / "study.json").is_file():
            print(f"{folder}: not there, left out")
            continue
        key, others = RECIPES[name]
        with style():
            figure = draw(compare(load_study(folder), key), others)
            target = HERE / f"{name}.svg"
            figure.savefig(target, format="svg", metadata={"Date": None})
        print(f"{target}: {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
