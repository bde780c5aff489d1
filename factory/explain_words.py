"""Tells one outage in words, for a terminal of 80 columns."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator

import pandas as pd

from factory.explain import CAUSE_WORDS, clock
from factory.explain_run import Outage, Step

WIDTH = 80
_INDENT = 12
_HANGING = {"It did": 10, "Saved by": 5}
_MUCH_DB = 1.0  # smaller differences are not told


def tell(outage: Outage, causes: pd.DataFrame, detailed: bool, noun: str = "message") -> str:
    """Tell an outage, and why messages of the whole run were lost.

    Parameters
    ----------
    outage : the outage.
    causes : table of the run by cause, as `factory.explain.outages_by_cause` gives it.
    detailed : whether the run recorded what losses would have been otherwise.
    noun : what the service sends, in the singular.

    Returns
    -------
    Lines of at most 80 columns.
    """
    parts = [("", headline(outage, noun))]
    parts += [(head, text) for head, text in sections(outage, detailed, noun) if text]
    lines: list[str] = []
    for head, text in parts:
        for k, paragraph in enumerate(text.split("\n")):
            first = f"{head if k == 0 else '':<{_INDENT}}" if head else ""
            hanging = " " * (_INDENT + _HANGING.get(head, 0)) if head else ""
            lines += textwrap.wrap(
                paragraph, WIDTH, initial_indent=first, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False
            )
    lines += ["", *_causes(causes, outage.policy)]
    return "\n".join(lines)


def headline(o: Outage, noun: str) -> str:
    """Say in a sentence when, who, how much and whether the service was down."""
    n = o.cost.messages
    lasted = (o.end_us - o.start_us) / 1e6
    took = f" over {_time(lasted)}" if lasted > 0 else ""
    down = "; the service was down" if o.service_down else "; the service survived it"
    return f"{clock(o.start_us)}  {o.device} lost {n} {noun}{'' if n == 1 else 's'} of {o.service}{took}{down} ({o.policy})."


def sections(o: Outage, detailed: bool, noun: str) -> Iterator[tuple[str, str]]:
    """Yield the heads and texts of the story in the order in which they are read; a text may be empty, or have lines."""
    yield "Why", why(o)
    yield "Where", _where(o)
    yield "Path", path(o)
    yield "It knew", _knew(o)
    yield "It did", "\n".join(_step(s) for s in o.done)
    yield "Saved by", _saving(o, detailed)
    yield "Cost", _cost(o, noun)


def why(o: Outage) -> str:
    """Name the cause with whoever is behind it."""
    who = body(o)
    sinr = f" at {o.lowest_sinr_db:.1f} dB SINR" if math.isfinite(o.lowest_sinr_db) else ""
    words = {
        "body": f"{who or 'a body'} stood in the path of {o.trp}",
        "interference": f"the cell of {o.interferer or 'another TRP'} drowned {o.trp}{sinr}",
        "recovery": _recovery(o) + (f", after {who} stood in the path" if who else ""),
        "no_resources": f"{o.trp} had no beam time or resource blocks left" + (f" while {who} stood in the path" if who else ""),
        "adaptation": f"the MCS was chosen for more SINR than {o.trp} delivered",
        "static_shadow": f"the place is in the shadow of {o.trp}, whoever walks there",
        "stale_beam": f"the beam of {o.trp} lagged behind the device",
        "decoding": f"bad luck: {o.trp} delivered enough SINR, a loss had probability {o.loss_probability:.1g}",
        "late": "messages came through after their deadline",
        "trp_down": f"{o.trp} was out of service and the device still on it",
    }
    text = words.get(o.cause, f"cause {o.cause or 'unknown'}")
    if o.cause == "static_shadow" and o.in_between:
        text += f": {_listed(o.in_between)} between them"
    if o.also:
        text += f"; {_listed(o.also)} lost messages to the same"
    return text + "."


def body(o: Outage) -> str:
    """Name the body in the path with its role and part, "" for none."""
    if not o.blocker:
        return ""
    role = f" ({o.role})" if o.role and o.role not in ("agv", "cobot") else ""
    return f"{o.blocker}'s {o.part}{role}" if o.part else f"{o.blocker}{role}"


def _recovery(o: Outage) -> str:
    kinds = {s.kind for s in o.done if s.after_s <= max(o.end_us - o.start_us, 0) / 1e6}
    if "beam_failure" in kinds:
        return "no data while the device recovered from a beam failure"
    if any(s.kind == "beam_switch" and not s.detail.startswith(f"from {s.trp} ") for s in o.done):
        return f"no data while the device changed its TRP to {o.trp}"
    return "no data while the device recovered its beam or changed its TRP"


def _where(o: Outage) -> str:
    x, y, z = o.position_m
    zone = not o.place.startswith(("beside", "open", "aisle", "unknown"))
    text = f"{o.device} in {o.place}" if zone else f"{o.device}, {o.place}"
    if math.isfinite(x):
        text += f", x {x:.1f} m, y {y:.1f} m, antenna {z:.1f} m up"
    if o.blocker and o.blocker_m is not None:
        text += f"; {o.blocker} at x {o.blocker_m[0]:.1f} m, y {o.blocker_m[1]:.1f} m"
    return text + "."


def path(o: Outage) -> str:
    """Tell which path of which TRP it was, and what the link had beside it."""
    leg = f"{o.trp}{f' beam {o.beam}' if o.beam >= 0 else ''}"
    if not o.trp:
        return "the device had no TRP."
    if o.link is None:
        return f"{leg}."
    paths = o.link["paths"]
    if not paths:
        return f"{leg}; no path reaches the device, not even over two walls."
    hit = next((p for p in paths if p["hit"]), paths[0])
    text = f"{leg}, {_via(hit)}, {hit['length_m']:.1f} m long"
    if hit["body_loss_db"] >= _MUCH_DB:
        text += f", of which bodies took {hit['body_loss_db']:.0f} dB"
    others = [p for p in paths if p is not hit]
    if others:
        best = max(others, key=lambda p: p["gain_db"] - p["body_loss_db"])
        below = hit["gain_db"] - hit["body_loss_db"] - (best["gain_db"] - best["body_loss_db"])
        text += f"; the best other path, {_via(best)}, was {abs(below):.0f} dB {'weaker' if below >= 0 else 'stronger'}"
    return text + "."


def _via(p: dict[str, list[str]]) -> str:
    return f"over {_listed(tuple(p['via']))}" if p["via"] else "direct"


def _knew(o: Outage) -> str:
    k = o.knew
    parts = []
    if k.reckoned_db is not None:
        true = f"the message met {k.true_db:.1f} dB" if math.isfinite(k.true_db) else "there was no leg"
        margin = "" if o.video else f" (margin of {k.margin_db:g} dB taken off)"
        parts.append(f"it reckoned with {k.reckoned_db:.1f} dB{margin}; {true}")
        if k.mcs is not None and k.mcs >= 0 and k.needed_db is not None:
            parts.append(f"MCS {k.mcs} as sent needs {k.needed_db:.1f} dB")
    if k.measured_drop is not None and o.policy != "static":
        parts.append("it had measured the drop" if k.measured_drop else "it had not measured the drop")
    if k.measured_ms is not None:
        parts.append(f"last measurement of the beam {k.measured_ms:.0f} ms old")
    if k.report_ms is not None:
        parts.append(f"last sweep report {k.report_ms:.0f} ms old")
    if o.policy == "static":
        parts.append("this policy knows the empty hall alone and measures nothing")
    if k.forecast_db is not None:
        parts.append(f"the forecast promised {k.forecast_db:.1f} dB")
    if k.foreseen_s is not None:
        parts.append(f"it had foreseen a risk and prepared a second leg {_time(k.foreseen_s)} before")
    elif o.policy == "human_aware":
        parts.append("no second leg had been prepared in the 2 s before")
    text = "; ".join(parts)
    return text[:1].upper() + text[1:] + "." if text else ""


def _step(s: Step) -> str:
    at = f"{'+' if s.after_s >= 0 else '-'}{_time(abs(s.after_s))}"
    leg = f"{s.trp} beam {s.beam}" if s.beam >= 0 else s.trp
    other_trp = s.kind == "beam_switch" and not s.detail.startswith(f"from {s.trp} ")
    words = {
        "second_leg": f"second leg {leg} {s.detail}",
        "beam_failure": f"beam failure declared on {leg}; recovery begins",
        "beam_switch": f"{'TRP changed' if other_trp else 'beam changed'} to {leg}, {s.detail}",
        "leg_restored": f"{leg} carries data again",
        "service_down": f"service down{f', {s.detail}' if s.detail else ''}",
        "left_out": f"... {s.detail}",
        "service_up": "service up again",
        "protective_stop": "protective stop",
        "restart": "machine moves again",
        "trp_down": f"{s.trp} out of service",
        "trp_up": f"{s.trp} in service again",
    }
    return f"{at:>8}  {words[s.kind]}"


def _saving(o: Outage, detailed: bool) -> str:
    if not detailed:
        return "not known: the run was recorded by a version that kept less of each loss. Run it again."
    if not o.saving:
        return "nothing that was recorded would have carried it."
    lines = []
    for option in o.saving:
        share = "" if option.carried in (0, option.of) else f" ({option.carried} of {option.of} messages)"
        mark = "yes" if option.saves else "no" if option.carried == 0 else "part"
        lines.append(f"{mark:<5}{option.text}{share}.")
    return "\n".join(lines)


def _cost(o: Outage, noun: str) -> str:
    c = o.cost
    text = f"{c.messages} {noun}{'' if c.messages == 1 else 's'}, service down for {_time(c.down_s)}"
    if c.stops:
        text += f", {c.stops} protective stop{'' if c.stops == 1 else 's'}, {_time(c.stopped_s)} stood still"
    elif o.service_down:
        text += ", no protective stop"
    return text + "."


def _causes(causes: pd.DataFrame, policy: str) -> list[str]:
    if causes.empty:
        return []
    total = int(causes["messages"].sum())
    lines = [f"All {total} lost messages of the run under {policy}, by cause:"]
    for _, row in causes.iterrows():
        words = CAUSE_WORDS.get(str(row["cause"]), str(row["cause"]) or "unknown")
        lines.append(f"  {row['share_percent']:5.1f} %  {int(row['messages']):>8}  {words}")
    return lines


def _time(seconds: float) -> str:
    if seconds >= 60.0:
        return f"{int(seconds // 60)} min {seconds % 60:.0f} s"
    return f"{seconds:.1f} s" if seconds >= 0.95 else f"{1000 * seconds:.0f} ms"


def _listed(words: tuple[str, ...]) -> str:
    shown = words[:4]
    more = f" and {len(words) - 4} more" if len(words) > 4 else ""
    if more or len(shown) < 2:
        return ", ".join(shown) + more
    return f"{', '.join(shown[:-1])} and {shown[-1]}"
