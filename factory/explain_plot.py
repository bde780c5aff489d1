"""Draws one outage: SINR, bodies and what was done against time, and the floor with device, path and who stood in it."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, MaxNLocator

from factory.explain import CAUSE_WORDS, clock
from factory.explain_run import AFTER_US, BEFORE_US, Facts, Outage
from factory.report.charts import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION, style
from factory.report.maps import draw_hall
from radio.messages.traffic import DOWNLINK

_FLOOR_DB = -30.0  # a link that is gone altogether is drawn here, so that the rest keeps its scale
_TRP_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, "#F0E442", "#a6761d", GREY)
_MARKS = {
    "second_leg": ("second leg", "P", SKY),
    "beam_failure": ("beam failure", "v", VERMILLION),
    "beam_switch": ("beam or TRP changed", "^", BLUE),
    "leg_restored": ("carries data again", "o", GREEN),
    "protective_stop": ("protective stop", "s", "black"),
    "restart": ("moves again", ">", "black"),
    "trp_down": ("TRP out of service", "X", VERMILLION),
    "trp_up": ("TRP in service again", "D", GREEN),
}
_MARGIN_M = 3.0
Floats = npt.NDArray[np.float64]


def plot(facts: Facts, outage: Outage) -> str:
    """Draw an outage as one SVG picture.

    Parameters
    ----------
    facts : what the run holds.
    outage : the outage.
    """
    what = (
        f"{outage.device} lost {outage.cost.messages} messages at {clock(outage.start_us)}: {CAUSE_WORDS.get(outage.cause, '')}"
    )
    with style():
        figure = Figure(figsize=(13.0, 6.2), layout="constrained")
        figure.patch.set_facecolor("white")
        parts: Any = figure.subfigures(1, 2, width_ratios=(1.45, 1))
        times, floor = parts
        level, loss, strip = times.subplots(3, 1, sharex=True, height_ratios=(3.2, 1.2, 1.0))
        _levels(level, facts, outage)
        _bodies(loss, facts, outage)
        _strip(strip, facts, outage)
        for axes in (level, loss, strip):
            _shade(axes, facts, outage)
        level.set_title(what)
        strip.xaxis.set_major_locator(MaxNLocator(7))
        strip.xaxis.set_major_formatter(FuncFormatter(lambda s, _: clock(round(s * 1e6))))
        strip.set_xlabel("time since the start of the run [min:s]")
        _floor(floor.subplots(), facts, outage)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Title": what})
    return buffer.getvalue().replace("'DejaVu Sans'", "'DejaVu Sans', Verdana, sans-serif")


def _window(outage: Outage) -> tuple[int, int]:
    return max(outage.start_us - BEFORE_US, 0), outage.end_us + AFTER_US


def _ticks(facts: Facts, outage: Outage) -> pd.DataFrame:
    start, end = _window(outage)
    ticks = facts.run.ticks(start_us=start, end_us=end + 1)
    return ticks[ticks["device"] == outage.device]


def _losses(facts: Facts, outage: Outage) -> pd.DataFrame:
    e = facts.events
    start, end = _window(outage)
    mine = (e["kind"] == "packet_lost") & (e["policy"] == outage.policy) & (e["device"] == outage.device)
    return e[mine & (e["service"] == outage.service) & e["time_us"].between(start, end)]


def _direction(facts: Facts, service: str) -> str:
    """Return dl or ul, whichever way the service sends."""
    known = facts.services.get(service)
    return "dl" if known is None or known.direction == DOWNLINK else "ul"


def _line(ticks: pd.DataFrame, column: str, losses: pd.DataFrame, of_loss: str) -> tuple[Floats, Floats]:
    """Time [s] and values of a column of the ticks, with what is known of the lost messages in between."""
    parts = [(losses["time_us"], losses[of_loss])]
    if column in ticks:
        parts.append((ticks["time_us"], ticks[column]))
    t = np.concatenate([time.to_numpy(dtype=np.float64) / 1e6 for time, _ in parts])
    value = np.concatenate([v.to_numpy(dtype=np.float64) for _, v in parts])
    kept = np.isfinite(value)
    order = np.argsort(t[kept], kind="stable")
    return t[kept][order], np.maximum(value[kept][order], _FLOOR_DB)


def _levels(axes: Any, facts: Facts, outage: Outage) -> None:
    """SINR as it was, as it was reckoned with, and as it was needed."""
    way, losses = _direction(facts, outage.service), _losses(facts, outage)
    acting = outage.policy == facts.acting
    ticks = _ticks(facts, outage) if acting else pd.DataFrame({"time_us": np.zeros(0)})
    t, value = _line(ticks, f"sinr_{way}_db", losses, "sinr_db")
    word = "downlink" if way == "dl" else "uplink"
    axes.plot(t, value, color=BLUE, linewidth=1.6, marker=".", markersize=4, label=f"SINR of the {word} as it was")
    margin_db = outage.knew.margin_db if outage.video else 0.0  # frames do without it, and what is recorded of a loss says so
    ticks = ticks.assign(**{c: ticks[c] + margin_db for c in (f"plan_{way}_db",) if c in ticks})
    t, value = _line(ticks, f"plan_{way}_db", losses, "plan_sinr_db")
    if len(t):
        axes.step(
            t, value, where="post", color=ORANGE, linewidth=1.5, linestyle="--", label="SINR that the network reckoned with"
        )
    need = losses["need_db"].to_numpy(dtype=np.float64)
    if np.isfinite(need).any():
        word = "needed by a frame in half of its time" if outage.video else "needed by a message"
        axes.axhline(float(np.nanmedian(need)), color="black", linewidth=1.2, linestyle=":", label=word)
        if "other_margin_db" in ticks and ticks["other_margin_db"].notna().any():
            other = ticks["need_" + way + "_db"].to_numpy(dtype=np.float64) + ticks["other_margin_db"].to_numpy(dtype=np.float64)
            axes.plot(
                ticks["time_us"] / 1e6, np.maximum(other, _FLOOR_DB), color=GREEN, linewidth=1.1, linestyle="-.",
                label="best other TRP, without interference",
            )  # fmt: skip
    axes.plot(
        losses["time_us"] / 1e6, np.maximum(losses["sinr_db"].fillna(_FLOOR_DB).to_numpy(dtype=np.float64), _FLOOR_DB), "x",
        color=VERMILLION, markersize=6, markeredgewidth=1.6, linestyle="", label="lost message", zorder=5,
    )  # fmt: skip
    axes.set_ylabel("SINR [dB]")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=3, fontsize=8)


def _bodies(axes: Any, facts: Facts, outage: Outage) -> None:
    if outage.policy == facts.acting:
        ticks = _ticks(facts, outage)
        t, db = ticks["time_us"].to_numpy() / 1e6, ticks["body_loss_db"].to_numpy(dtype=np.float64)
        axes.fill_between(t, np.maximum(db, 0.0), color=ORANGE, alpha=0.55, linewidth=0)
        axes.set_ylim(0, 1.5 * max(float(np.nanmax(db, initial=0.0)), 5.0))
        named = np.flatnonzero((ticks["blocker"] != "").to_numpy() & (db >= 3.0))
        inside = named[np.abs(t[named] - 0.5 * (outage.start_us + outage.end_us) / 1e6) <= _near_s(outage)]
        named = inside if len(inside) else named
        if len(named):
            at = named[np.argmax(db[named])]
            row = ticks.iloc[at]
            label = f"{row['blocker']}, {row['blocker_part']}" if row["blocker_part"] else str(row["blocker"])
            axes.annotate(label, (t[at], db[at]), (0, 4), textcoords="offset points", ha="center", fontsize=8)
    else:
        axes.text(0.5, 0.5, f"recorded for {facts.acting} only", transform=axes.transAxes, ha="center", color=GREY)
    axes.set_ylabel("bodies\ntake [dB]")


def _near_s(outage: Outage) -> float:
    """Half of the outage and a recorded period to either side [s]."""
    return 0.5 * (outage.end_us - outage.start_us) / 1e6 + 0.1


def _strip(axes: Any, facts: Facts, outage: Outage) -> None:
    """Draw the serving TRP as a strip, and what happened as marks above it."""
    start, end = (t / 1e6 for t in _window(outage))
    colours = {trp: _TRP_COLOURS[k % len(_TRP_COLOURS)] for k, trp in enumerate(facts.trps)}
    if outage.policy == facts.acting:
        ticks = _ticks(facts, outage)
        changes = [(outage.start_us / 1e6 + s.after_s, s.trp) for s in outage.done if s.kind == "beam_switch"]
        seen = sorted([*zip(ticks["time_us"].to_numpy() / 1e6, ticks["trp"].astype(str), strict=True), *changes])
        t, trp = np.array([at for at, _ in seen]), np.array([name for _, name in seen])
    else:
        losses = _losses(facts, outage)
        t, trp = losses["time_us"].to_numpy() / 1e6, losses["trp"].astype(str).to_numpy()
    unnamed: dict[str, Any] = {}  # TRPs that serve for too short a time to be named in the strip
    edges = [0, *(np.flatnonzero(trp[1:] != trp[:-1]) + 1).tolist(), len(trp)]
    for a, b in pairwise(edges):
        if a == b or not trp[a]:
            continue
        until = t[b] if b < len(t) else min(t[-1] + 0.1, end)
        axes.barh(0.0, until - t[a], left=t[a], height=0.8, color=colours.get(trp[a], GREY), alpha=0.45, linewidth=0)
        colour = colours.get(trp[a], GREY)
        if until - t[a] <= 0.12 * (end - start):
            unnamed[trp[a]] = Patch(color=colour, alpha=0.45, label=trp[a])
        else:
            axes.text(0.5 * (t[a] + until), 0.0, trp[a], ha="center", va="center", fontsize=8)
    handles: dict[str, Any] = {}
    for step in outage.done:
        if step.kind in _MARKS:
            word, marker, colour = _MARKS[step.kind]
            at = outage.start_us / 1e6 + step.after_s
            if not start <= at <= end:
                continue
            (handles[word],) = axes.plot(
                at, 0.85, marker=marker, color=colour, markersize=6, linestyle="", label=word, clip_on=False
            )
    axes.set_xlim(start, end)
    axes.set_ylim(-0.5, 1.3)
    axes.set_yticks([0.0], ["TRP"])
    if handles or unnamed:
        axes.legend(
            handles=[*handles.values(), *unnamed.values()], loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=6, fontsize=8
        )


def _shade(axes: Any, facts: Facts, outage: Outage) -> None:
    """Shade the time in which messages were lost, darker while the service was down."""
    axes.axvspan(
        outage.start_us / 1e6, max(outage.end_us, outage.start_us + 10_000) / 1e6, color=VERMILLION, alpha=0.10, linewidth=0
    )
    for down, up in facts.down_spans(outage):
        up = min(up, _window(outage)[1])
        axes.axvspan(down / 1e6, up / 1e6, facecolor=VERMILLION, edgecolor=VERMILLION, alpha=0.18, linewidth=0, hatch="//")


def _floor(axes: Any, facts: Facts, outage: Outage) -> None:
    scenario = facts.scenario
    draw_hall(axes, scenario, labels=True)
    halo = [withStroke(linewidth=2.2, foreground="white")]
    x, y = outage.position_m[:2]
    corners = np.array(outage.link["vertices_m"], dtype=np.float64).reshape(-1, 3) if outage.link else np.zeros((0, 3))
    handles: list[Any] = []
    if len(corners):
        axes.plot(corners[:, 0], corners[:, 1], color=BLUE, linewidth=1.6, zorder=8)
        handles.append(Line2D([], [], color=BLUE, linewidth=1.6, label="path"))
    elif outage.trp_m is not None:
        axes.plot([outage.trp_m[0], x], [outage.trp_m[1], y], color=BLUE, linewidth=1.2, linestyle=(0, (4, 3)), zorder=8)
        handles.append(Line2D([], [], color=BLUE, linewidth=1.2, linestyle=(0, (4, 3)), label="straight line to the TRP"))
    axes.plot(x, y, "s", color=BLUE, markeredgecolor="white", markersize=8, zorder=10)
    axes.annotate(outage.device, (x, y), (8, -11), textcoords="offset points", fontsize=8, path_effects=halo, zorder=11)
    handles.append(Line2D([], [], marker="s", color=BLUE, linestyle="", markersize=7, label="device"))
    if outage.blocker_m is not None:
        bx, by = outage.blocker_m[:2]
        axes.plot(bx, by, "X", color=VERMILLION, markeredgecolor="white", markersize=11, zorder=12)
        axes.annotate(outage.blocker, (bx, by), (8, 6), textcoords="offset points", fontsize=8, path_effects=halo, zorder=12)
        handles.append(Line2D([], [], marker="X", color=VERMILLION, linestyle="", markersize=9, label="body in the path"))
    handles.append(Line2D([], [], marker="^", color="black", linestyle="", markersize=7, label="TRP"))
    handles.append(Patch(facecolor=VERMILLION, alpha=0.10, label="left: messages lost"))
    handles.append(Patch(facecolor=VERMILLION, alpha=0.28, hatch="//", label="left: service down"))
    seen = [corners[:, :2], np.array([[x, y]])]
    if outage.trp_m is not None:
        seen.append(np.array([outage.trp_m[:2]], dtype=np.float64))
    _zoom(axes, np.concatenate(seen), np.array(scenario["hall"]["size_m"][:2], dtype=np.float64))
    axes.set_title(f"{outage.device}: {outage.place}", fontsize=9)
    axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3, fontsize=8)


def _zoom(axes: Any, seen: Floats, size: Floats) -> None:
    """Show the places (k, 2) [m] with what is around them, in a view that is about as high as wide, where the hall is."""
    low, high = seen.min(axis=0) - _MARGIN_M, seen.max(axis=0) + _MARGIN_M
    span = np.maximum(high - low, 0.9 * (high - low).max())
    low = np.clip(0.5 * (low + high) - 0.5 * span, -0.5, None)
    high = np.minimum(low + span, size + 0.5)
    low = np.maximum(high - span, -0.5)
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
    for text in axes.texts:
        text.set_clip_on(True)
        text.set_in_layout(False)
