"""What the report says about production: where the machines' minutes went, and what ISO 22400-2 makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from factory.report.charts import GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION, style, to_svg
from factory.report.words import Cell, cause_of_stop, number, ratio

CLASS_WORDS = {"agvs": "AGVs", "cobots": "cobots", "hall": "all machines"}
LOSS_WORDS: dict[str, tuple[str, str, str]] = {
    "good": ("good production at the planned rate", GREEN, ""),
    "speed": ("slower than planned", SKY, "//"),
    "quality": ("not good", GREY, "xx"),
    "setup": ("setting up, handing over", PURPLE, ""),
    "idle": ("no work, charging", "#d9d9d9", ".."),
    "delay_other": ("stopped, not by radio", ORANGE, "\\\\"),
    "delay_radio": ("stopped by radio", VERMILLION, ""),
}
"""Words, colour and hatching of where planned time went, in the order of the bars; colours are Okabe and Ito's."""
_RADIO_ROWS = (
    ("standing", "standing without commands"),
    ("anyway", "of it, stood anyway (taken off)"),
    ("behind", "in queues behind such a machine"),
    ("tail", "in those queues after it went on"),
    ("restart", "speeding up again"),
    ("separation", "longer separation from people"),
    ("total", "lost to radio in all"),
)


def _columns(ledger: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    of: dict[str, Mapping[str, Any]] = dict(ledger.get("classes") or {})
    columns: list[tuple[str, Mapping[str, Any]]] = [(CLASS_WORDS.get(name, name), part) for name, part in of.items()]
    return [*columns, (CLASS_WORDS["hall"], ledger["hall"])] if len(columns) > 1 else columns


def minutes_table(production: Mapping[str, Any]) -> dict[str, Any] | None:
    """Give the table "Where the minutes went", None for a run without a stop ledger.

    Returns
    -------
    ``heads``: classes of machines; ``rows``: name, cells, and whether it is a sum; ``radio``: the same of what the radio cost.
    """
    ledger = production.get("ledger")
    if not ledger or not ledger["hall"]["total_min"]:
        return None
    columns = _columns(ledger)
    parts = [part for _, part in columns]
    told = parts[-1]["stopped_min"]  # most minutes first
    causes = sorted((c for c in told if any(p["stopped_min"][c] for p in parts)), key=lambda c: (-told[c], c))

    def row(name: str, values: list[float], of: list[float], is_sum: bool = False, is_part: bool = False) -> dict[str, Any]:
        cells = [Cell(_minutes(v), (ratio(v / w),) if w and v >= 0.001 * w else ()) for v, w in zip(values, of, strict=True)]
        return {"name": name, "cells": cells, "sum": is_sum, "part": is_part}

    total = [p["total_min"] for p in parts]
    rows = [row("driving, working", [p["running_min"] for p in parts], total)]
    for cause in causes:
        rows.append(row(cause_of_stop(cause), [p["stopped_min"][cause] for p in parts], total))
        if cause == "queue":
            for root in sorted({r for p in parts for r in p["queue_root_min"] if r != "queue"}):
                values = [p["queue_root_min"].get(root, 0.0) for p in parts]
                rows.append(row(f"of it, behind one that stood for {_root(root)}", values, total, is_part=True))
    rows.append(row("stopped in all", [p["downtime_min"] for p in parts], total, is_sum=True))
    rows.append(row("machine time", total, [0.0] * len(total), is_sum=True))
    radio = [
        row(words, [p["radio_min"].get(key, 0.0) for p in parts], total, is_sum=key == "total", is_part=key == "anyway")
        for key, words in _RADIO_ROWS
    ]
    lost = parts[-1]["radio_min"].get("standing", 0.0) or parts[-1]["radio_min"].get("total", 0.0)
    return {"heads": [name for name, _ in columns], "rows": rows, "radio": radio if lost else []}


def _root(root: str) -> str:
    return {"working": "loading or working", "no_order": "want of an order"}.get(root, cause_of_stop(root))


def _minutes(value: float) -> str:
    return "0" if abs(value) < 5e-5 else number(value, 3)


def oee_table(production: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give OEE and its factors of every class of machines and the hall, in percent; empty for a run without."""
    oee = production.get("oee")
    if not oee:
        return []
    rows = []
    parts = [*oee["classes"].items(), *([("hall", oee["hall"])] if len(oee["classes"]) > 1 else [])]
    keys = ("oee", "availability", "effectiveness", "quality_ratio", "radio_share_of_delay", "radio_share_of_loss")
    for name, figures in parts:
        cells = [Cell("–" if figures.get(k) is None else ratio(figures[k])) for k in keys]
        rows.append({"name": CLASS_WORDS.get(name, name), "cells": cells})
    return rows


def oee_bars(production: Mapping[str, Any]) -> str:
    """Stacked bars: where the planned busy time of every class of machines went; "" for a run without it."""
    oee = production.get("oee")
    if not oee or not oee["hall"]["pbt_s"]:
        return ""
    parts = [(CLASS_WORDS.get(n, n), f) for n, f in oee["classes"].items() if f["pbt_s"]]
    if len(parts) > 1:
        parts.append((CLASS_WORDS["hall"], oee["hall"]))
    with style():
        figure = Figure(figsize=(11.6, 0.55 * len(parts) + 1.35), layout="constrained")
        axes = figure.add_subplot()
        rows = range(len(parts) - 1, -1, -1)
        shown: dict[str, Any] = {}
        for row, (_, figures) in zip(rows, parts, strict=True):
            left = 0.0
            losses = dict(figures["losses_s"])
            if losses["speed"] < 0:  # faster than planned: the bar cannot show less than nothing
                losses["good"] += losses["speed"]
                losses["speed"] = 0.0
            for key, (words, colour, hatch) in LOSS_WORDS.items():
                share = 100 * losses[key] / figures["pbt_s"]
                if share <= 0:
                    continue
                bar = axes.barh(row, share, left=left, color=colour, hatch=hatch, edgecolor="white", height=0.62, linewidth=0.6)
                shown.setdefault(words, bar)
                if share >= 4.0:
                    axes.annotate(
                        f"{share:.1f} %", (left + share / 2, row), ha="center", va="center", fontsize=8.5,
                        bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.85},
                    )  # fmt: skip
                left += share
        axes.set_yticks(list(rows), [name for name, _ in parts])
        axes.set_xlim(0, 100)
        axes.set_xlabel("share of the planned busy time [%]; the first part is the OEE")
        order = [words for words, _, _ in LOSS_WORDS.values() if words in shown]
        axes.legend([shown[w] for w in order], order, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, borderaxespad=0.2)
        return to_svg(figure, "oee", "Stacked bars: where the planned busy time of the machines went")
