"""Plots of the study of policies: unavailability by hall, the curve against resources, capacity. Colours of Okabe and Ito."""

from __future__ import annotations

import io
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure as Canvas

from factory.study.policies.capacity import AVAILABILITY, TARGETS
from factory.study.policies.figures import CONTROL, EVERYTHING, GROUPS, mean_figure
from factory.study.policies.results import AT_BEST, WITH_LOOP, HallResults

LOOKS = {
    "static": ("#999999", "v"),
    "reactive": ("#0072b2", "o"),
    "duplicate": ("#e69f00", "s"),
    "human_aware": ("#009e73", "D"),
    "adaptive": ("#56b4e9", "X"),
    "decentralised": ("#cc79a7", "^"),
    "oracle": ("#000000", "*"),
}
"""Colour and marker of every policy, told apart by the colour-blind and in black and white."""
_OTHER = ("#56b4e9", "P")
FLOOR = 1e-12
"""Where a risk of 0 is drawn, with an open marker."""
_HASH_SALT = "factory-twin"


def look(policy: str) -> tuple[str, str]:
    """Colour and marker of a policy."""
    return LOOKS.get(policy.removesuffix(AT_BEST).removesuffix(WITH_LOOP), _OTHER)


def draw_unavailability(found: Sequence[HallResults]) -> bytes | None:
    """Draw unavailability of all control with intervals, by hall and policy; None without a table."""
    halls = [h for h in found if h.rows]
    if not halls:
        return None
    names = list(dict.fromkeys(r.policy for h in halls for r in h.rows))
    canvas = Canvas(figsize=(11.0, 1.2 + 0.85 * len(halls)), layout="constrained")
    both = canvas.subplots(1, 2, sharey=True)
    for axes, group in zip(both, GROUPS, strict=True):
        for y, hall in enumerate(halls):
            rows = {r.policy: r for r in hall.rows if r.service == group}
            for k, name in enumerate(names):
                figure = rows[name].figures["unavailability"] if name in rows else None
                if figure is None or figure.value is None or figure.low is None or figure.high is None:
                    continue
                colour, marker = look(name)
                place, x = y + 0.7 * (k + 0.5) / len(names) - 0.35, max(figure.value, FLOOR)
                filled = colour if figure.value > 0.0 and name in LOOKS else "white"
                axes.plot([max(figure.low, FLOOR), max(figure.high, FLOOR)], [place, place], color=colour, linewidth=1.0)
                axes.plot(x, place, marker, color=colour, markerfacecolor=filled, markersize=5, label=name if y == 0 else None)
        axes.set_xscale("log")
        axes.set_xlim(FLOOR / 2.0, 2.0)
        axes.set_xlabel(f"unavailability of {group}, 95 % interval over seeds", fontsize=8)
        axes.grid(axis="x", linewidth=0.3)
    both[0].set_yticks(range(len(halls)), [h.hall.name for h in halls])
    both[0].invert_yaxis()
    both[0].legend(fontsize=6, ncols=4, loc="lower left", bbox_to_anchor=(0.0, 1.0))
    return _svg(canvas)


def shown(hall: HallResults) -> str:
    """Return which services a hall's curve is drawn of: control, where reactive ever fails it, else all."""
    risky = any(p.service == CONTROL and p.policy == "reactive" and p.risk.any() for p in hall.curve)
    return CONTROL if risky else EVERYTHING


def draw_curve(found: Sequence[HallResults]) -> bytes | None:
    """Draw unavailability against symbols, a panel for every hall; None without a curve."""
    halls = [h for h in found if h.curve]
    if not halls:
        return None
    columns = min(2, len(halls))
    rows = -(-len(halls) // columns)
    canvas = Canvas(figsize=(4.4 * columns, 3.4 * rows), layout="constrained")
    panels = np.atleast_1d(canvas.subplots(rows, columns, squeeze=False)).ravel()
    for axes, hall in zip(panels, halls, strict=False):
        group = shown(hall)
        for policy in dict.fromkeys(p.policy for p in hall.curve):
            points = [p for p in hall.curve if p.policy == policy and p.service == group]
            colour, marker = look(policy)
            x = [float(p.symbols_per_s.mean()) for p in points]
            y = [max(float(p.risk.mean()), FLOOR) for p in points]
            for at, point in zip(x, points, strict=True):
                figure = mean_figure(point.risk)
                if figure.low is not None and figure.high is not None:
                    axes.plot([at, at], [max(figure.low, FLOOR), max(figure.high, FLOOR)], color=colour, linewidth=0.6)
            axes.plot(x, y, marker=marker, color=colour, linewidth=0.8, markersize=4, label=policy)
            for at, height, point in zip(x, y, points, strict=True):
                if not np.isnan(point.knob):
                    axes.annotate(f"{point.knob:g}", (at, height), fontsize=5, xytext=(2, 2), textcoords="offset points")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_title(hall.hall.name, fontsize=9)
        axes.set_xlabel(f"symbols of {group} per second", fontsize=8)
        axes.set_ylabel(f"unavailability of {group}", fontsize=8)
        axes.grid(linewidth=0.3)
    for axes in panels[len(halls) :]:
        axes.set_visible(False)
    panels[0].legend(fontsize=7)
    return _svg(canvas)


def draw_capacity(found: Sequence[HallResults]) -> bytes | None:
    """Draw devices carried by hall and policy, both targets and availability alone; None without capacity."""
    halls = [(h, s) for h in found for s in dict.fromkeys(name for name, _ in h.capacity) if h.capacity[s, TARGETS][0]]
    if not halls:
        return None
    canvas = Canvas(figsize=(8.0, 1.5 + 1.1 * len(halls)), layout="constrained")
    both = canvas.subplots(1, 2, sharey=True)
    for axes, criterion in zip(both, (TARGETS, AVAILABILITY), strict=True):
        for y, (hall, service) in enumerate(halls):
            table, best = hall.capacity[service, criterion]
            bars = [(c.policy, c) for c in table]
            if best is not None and best not in table:
                bars.append((best.policy + AT_BEST, best))
            for k, (name, c) in enumerate(bars):
                place = y + 0.8 * (k + 0.5) / len(bars) - 0.4
                colour, _ = look(name)
                hatch = "///" if name.endswith(AT_BEST) else None
                axes.barh(
                    place, c.value, 0.75 / len(bars), color=colour if hatch is None else "white", edgecolor=colour, hatch=hatch
                )
                axes.plot([c.low, c.high], [place, place], color="black", linewidth=0.8)
                axes.text(max(c.high, c.value), place, f" {c.value:g}{'+' if c.most else ''} {name}", fontsize=5, va="center")
        axes.set_title(criterion, fontsize=9)
        axes.set_xlabel("devices carried", fontsize=8)
        axes.margins(x=0.35)
    both[0].set_yticks(range(len(halls)), [f"{h.hall.name}\n{s}" for h, s in halls], fontsize=7)
    both[0].invert_yaxis()
    return _svg(canvas)


def _svg(canvas: Canvas) -> bytes:
    out = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": _HASH_SALT}):
        canvas.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()
