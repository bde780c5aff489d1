"""The report's charts against time and by cause, as inline SVG.

Colours are Okabe and Ito's, or viridis; causes differ by the shape of their marker as well.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from factory.explain import CAUSE_WORDS, clock
from factory.report.data import Digest
from factory.report.words import RADIO_STOPS, cause_of_stop

BLUE, VERMILLION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
SKY, PURPLE, BLACK, GREY = "#56B4E9", "#CC79A7", "#000000", "#6b6b6b"
CAUSE_STYLE: dict[str, tuple[str, str]] = {
    "body": (VERMILLION, "o"),
    "interference": (BLUE, "s"),
    "recovery": (ORANGE, "^"),
    "no_resources": (PURPLE, "D"),
    "adaptation": (SKY, "v"),
    "static_shadow": (GREY, "P"),
    "stale_beam": ("#a6761d", "p"),
    "decoding": (GREEN, "X"),
    "late": (BLACK, "*"),
    "trp_down": ("#8c1515", "h"),
}
POLICY_COLOURS: dict[str, str] = {
    "static": GREY,
    "reactive": BLUE,
    "duplicate": PURPLE,
    "human_aware": VERMILLION,
    "oracle": GREEN,
    "decentralised": ORANGE,
    "adaptive": "#56b4e9",
}
_FLOOR_DB = -40.0  # a link that is gone altogether is drawn here, so that the rest keeps its scale
MARGIN_RANGE_DB = (-10.0, 30.0)
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "factory-twin",
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "figure.facecolor": "none",
}
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


def style() -> Any:
    """Context in which every figure of the report is made and written; it leaves matplotlib's settings as they were."""
    return matplotlib.rc_context(_STYLE)


def to_svg(figure: Figure, name: str, description: str) -> str:
    """Write a figure as an SVG element to be placed in a page.

    Parameters
    ----------
    figure : the figure.
    name : prefix of every id in it, unique in the page.
    description : what a reader who cannot see the figure is told.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata=_NO_METADATA)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'href="#', f'href="#{name}-', text)
    text = re.sub(r"url\(#", f"url(#{name}-", text)
    text = text.replace("'DejaVu Sans'", "'DejaVu Sans', Verdana, sans-serif")
    width = 96 * figure.get_size_inches()[0]
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    label = f'role="img" aria-label="{_escaped(description)}" style="width:100%;max-width:{width:.0f}px"'
    opening = f"<svg {spaces} {label} viewBox"
    text = re.sub(r"<svg\b[^>]*?viewBox", opening, text, count=1, flags=re.DOTALL)
    return re.sub(r"[ \t]*\n[ \t]*", "\n", text).strip()


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


def _time_axis(axes: Any, length_s: float) -> None:
    axes.set_xlim(0, length_s)
    axes.xaxis.set_major_locator(MaxNLocator(10, steps=[1, 1.2, 1.5, 2, 3, 6, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda s, _: clock(round(s * 1e6))[:-2]))
    axes.set_xlabel("time since the start [min:s]" if length_s < 3600 else "time since the start [h:min:s]")


def cause_bars(table: pd.DataFrame) -> str:
    """Bars of lost messages by cause (columns of `factory.explain.outages_by_cause`)."""
    with style():
        figure = Figure(figsize=(6.2, 0.42 * len(table) + 0.75), layout="constrained")
        axes = figure.add_subplot()
        rows = np.arange(len(table))[::-1]
        colours = [CAUSE_STYLE.get(c, (GREY, "o"))[0] for c in table["cause"]]
        axes.barh(rows, table["share_percent"], color=colours, height=0.62)
        for row, share, messages in zip(rows, table["share_percent"], table["messages"], strict=True):
            axes.annotate(f"{share:.1f} %  ({int(messages)})", (share, row), (4, 0), textcoords="offset points", va="center")
        axes.set_yticks(rows, [CAUSE_WORDS.get(c, c or "unknown") for c in table["cause"]])
        axes.set_xlim(0, max(table["share_percent"].max() * 1.25, 1))
        axes.set_xlabel("share of lost messages [%]  (messages)")
        return to_svg(figure, "causes", "Bars: share of lost messages by cause")


def policy_strips(digest: Digest, acting: str, order: Sequence[str]) -> str:
    """Lost messages against time, one strip for every policy, on one scale."""
    with style():
        figure = Figure(figsize=(11.6, 0.75 * len(order) + 0.75), layout="constrained")
        strips = figure.subplots(len(order), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        width = np.diff(digest.edges_s)
        highest = max((v.max() for v in digest.lost_by_policy.values()), default=0.0)
        for axes, policy in zip(strips, order, strict=True):
            lost = digest.lost_by_policy.get(policy, np.zeros(len(width)))
            axes.fill_between(
                digest.edges_s, np.append(lost, 0.0), step="post", color=POLICY_COLOURS.get(policy, BLACK), linewidth=0
            )
            label = policy + (" (moved the machines)" if policy == acting else "")
            axes.text(0.004, 0.93, f"{label}: {int(lost.sum())} lost", transform=axes.transAxes, va="top", fontsize=9)
            axes.set_ylim(0, max(1.0, highest * 1.35))
            axes.yaxis.set_major_locator(MaxNLocator(2, integer=True))
        _time_axis(strips[-1], float(digest.edges_s[-1]))
        figure.supylabel(f"messages lost per {width[0]:g} s", fontsize=9)
        return to_svg(figure, "policies", "Lost messages against time for every policy on the same footsteps")


def timeline(digest: Digest) -> str:
    """One row per device: margin against time as colour, and below it a line where messages were lost or a service was down."""
    n, bins = digest.margin_db.shape
    margin = np.clip((digest.margin_db - MARGIN_RANGE_DB[0]) / (MARGIN_RANGE_DB[1] - MARGIN_RANGE_DB[0]), 0, 1)
    with style():
        colours = matplotlib.colormaps["viridis"](np.nan_to_num(margin))
        colours[np.isnan(digest.margin_db)] = to_rgba("#e6e6e6")
        image = np.ones((5 * n, bins, 4))
        for k in range(3):
            image[k::5] = colours
        marks = np.ones((n, bins, 4))
        marks[digest.lost > 0] = to_rgba(VERMILLION)
        marks[digest.down] = to_rgba(BLACK)
        image[3::5] = marks
        figure = Figure(figsize=(11.6, 0.27 * n + 1.35), layout="constrained")
        axes = figure.add_subplot()
        axes.imshow(image, aspect="auto", interpolation="none", extent=(0, float(digest.edges_s[-1]), 5 * n, 0))
        axes.set_yticks(5 * np.arange(n) + 1.7, digest.devices)
        axes.tick_params(axis="y", length=0)
        _time_axis(axes, float(digest.edges_s[-1]))
        scale = ScalarMappable(Normalize(*MARGIN_RANGE_DB), "viridis")
        bar = figure.colorbar(scale, ax=axes, fraction=0.025, pad=0.01, extend="both")
        bar.set_label("smallest margin [dB]")
        handles = [
            Patch(color=VERMILLION, label="messages lost"),
            Patch(color=BLACK, label="a service of the device down"),
            Patch(color="#e6e6e6", label="nothing recorded"),
        ]
        axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, borderaxespad=0.2)
        return to_svg(figure, "timeline", "Margin of every device against time with lost messages marked")


def zoom(ticks: pd.DataFrame, losses: pd.DataFrame, spell: Mapping[str, Any]) -> str:
    """Seconds around one spell: SINR and lost messages above, body loss with the name of the blocker below.

    Parameters
    ----------
    ticks : ticks of the spell's device around it.
    losses : its "packet_lost" events there.
    spell : a row of `factory.explain.find_spells`.
    """
    with style():
        figure = Figure(figsize=(11.6, 4.6), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1.25))
        t = ticks["time_us"].to_numpy() / 1e6
        dl, ul, margin, at_loss = (
            np.maximum(v.to_numpy(dtype=np.float64), _FLOOR_DB)
            for v in (ticks["sinr_dl_db"], ticks["sinr_ul_db"], ticks["margin_db"], losses["sinr_db"])
        )
        upper.plot(t, dl, color=BLUE, marker=".", linewidth=1.2, label="SINR downlink")
        upper.plot(t, ul, color=GREEN, marker=".", linewidth=1.2, linestyle="--", label="SINR uplink")
        upper.plot(t, margin, color=GREY, linewidth=1.2, linestyle=":", label="margin above what the service needs")
        upper.plot(
            losses["time_us"].to_numpy() / 1e6, at_loss, "x", color=VERMILLION, markersize=5, label="lost message, at its SINR"
        )
        upper.axhline(0, color="#bbbbbb", linewidth=0.8, zorder=0)
        upper.set_ylabel("SINR, margin [dB]")
        upper.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, borderaxespad=0.2)
        lower.fill_between(t, ticks["body_loss_db"], color=ORANGE, alpha=0.55, linewidth=0)
        lower.plot(t, ticks["body_loss_db"], color=ORANGE, linewidth=1.0)
        highest = max(float(ticks["body_loss_db"].max()), 5.0) if len(ticks) else 5.0
        lower.set_ylim(0, 1.45 * highest)
        lower.set_ylabel("body loss [dB]")
        for name, first, last, peak in _blocked(ticks):
            lower.annotate(
                name, ((first + last) / 2, peak), (0, 3), textcoords="offset points", ha="center", va="bottom", fontsize=8
            )
        for axes in (upper, lower):
            axes.axvspan(
                spell["start_us"] / 1e6, max(spell["end_us"], spell["start_us"] + 20_000) / 1e6, color=VERMILLION, alpha=0.1
            )
        lower.xaxis.set_major_formatter(FuncFormatter(lambda s, _: clock(round(s * 1e6))))
        lower.set_xlabel("time since the start [min:s]; shaded: from the first to the last lost message")
        return to_svg(figure, "zoom", f"SINR, margin and body loss of {spell['device']} around its worst spell")


def _blocked(ticks: pd.DataFrame) -> list[tuple[str, float, float, float]]:
    """Spans in which one blocker with a name is recorded and costs 3 dB or more: name and part, first and last second, peak.

    Of each name the span with the highest peak, so that a hand that waves is told once.
    """
    names = [f"{b}, {p}" if p else str(b) for b, p in zip(ticks["blocker"], ticks["blocker_part"], strict=True)]
    loss = ticks["body_loss_db"].to_numpy(dtype=np.float64)
    t = ticks["time_us"].to_numpy() / 1e6
    highest: dict[str, tuple[str, float, float, float]] = {}
    i = 0
    while i < len(names):
        j = i
        while j + 1 < len(names) and names[j + 1] == names[i]:
            j += 1
        peak = float(np.nanmax(loss[i : j + 1])) if np.isfinite(loss[i : j + 1]).any() else 0.0
        if ticks["blocker"].iloc[i] and peak >= 3.0:
            span = (names[i], float(t[i]), float(t[j]), peak)
            highest[names[i]] = max(span, highest.get(names[i], span), key=lambda s: s[3])
        i = j + 1
    return list(highest.values())


def minutes_bars(minutes: Mapping[str, float]) -> str:
    """Bars of machine minutes lost by cause."""
    with style():
        kept = sorted(((k, float(v)) for k, v in minutes.items() if v), key=lambda kv: (kv[1], kv[0]))
        figure = Figure(figsize=(6.2, 0.42 * len(kept) + 0.75), layout="constrained")
        axes = figure.add_subplot()
        axes.barh(
            range(len(kept)), [v for _, v in kept], color=[VERMILLION if k in RADIO_STOPS else BLUE for k, _ in kept], height=0.62
        )
        for row, (_, value) in enumerate(kept):
            axes.annotate(f"{value:.2f} min", (value, row), (4, 0), textcoords="offset points", va="center")
        axes.set_yticks(range(len(kept)), [cause_of_stop(k) for k, _ in kept])
        axes.set_xlim(0, 1.25 * max(v for _, v in kept))
        axes.set_xlabel("machine minutes lost [min]")
        handles = [Patch(color=VERMILLION, label="lost to radio"), Patch(color=BLUE, label="lost to anything else")]
        axes.legend(handles=handles, loc="lower right")
        return to_svg(figure, "minutes", "Bars: machine minutes lost by cause")


def cause_handles(causes: Sequence[str]) -> list[Line2D]:
    """Legend entries of the causes' markers."""
    return [
        Line2D(
            [],
            [],
            linestyle="",
            marker=CAUSE_STYLE.get(c, (GREY, "o"))[1],
            color=CAUSE_STYLE.get(c, (GREY, "o"))[0],
            label=CAUSE_WORDS.get(c, c),
        )
        for c in causes
    ]
