"""Numbers and sentences as a plant engineer reads them. A figure that is not known says so in words and never as NaN."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_SPACE = "\u202f"  # narrow no-break space between thousands, and between a number and its unit
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
POLICY_WORDS: dict[str, str] = {
    "static": "best beam of the empty hall, never changed for a body",
    "reactive": "measures, and changes the beam after the signal has dropped",
    "duplicate": "sends everything twice, over the two best transmission points",
    "human_aware": "forecasts where people walk, and prepares another beam before they arrive",
    "oracle": "knows the true channel of every tick; a bound of what knowing bodies can bring",
    "adaptive": "plans as human_aware does, but is not told where people go",
    "decentralised": "every device chooses for itself, from what it senses and hears nearby",
}
NOUNS: dict[str, str] = {"video": "video frame"}
RADIO_STOPS = ("communication", "radio")
STOP_WORDS: dict[str, str] = {
    "communication": "radio",
    "person_near": "a person too near",
    "queue": "waiting for the right of way",
    "right_of_way": "waiting for the right of way",
    "no_order": "no order to do",
    "handover": "handing parts to people",
    "breakdown": "a breakdown",
    "emergency_stop": "an emergency stop",
    "paused": "a pause or an empty battery",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table: what is read first, and lines of small print below it (interval, reason)."""

    text: str
    small: tuple[str, ...] = ()


def number(value: float, digits: int = 3) -> str:
    """Write a number with ``digits`` significant digits and grouped thousands."""
    if value == 0:
        return "0"
    if float(value).is_integer() and abs(value) >= 10 ** (digits - 1):
        return f"{int(value):,}".replace(",", _SPACE)
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{places}f}".replace(",", _SPACE)
    return text.rstrip("0").rstrip(".") if "." in text else text


def count(value: float, noun: str, plural: str | None = None) -> str:
    """Write "no outage", "1 outage", "1 204 outages"."""
    n = round(value)
    many = plural or f"{noun}s"
    return f"no {noun}" if n == 0 else f"1 {noun}" if n == 1 else f"{number(n)} {many}"


def ratio(value: float) -> str:
    """Write a share: in % from one in a thousand on, as a power of ten below."""
    if value == 0:
        return "0"
    if value >= 1e-3:
        return f"{number(100 * value, 3)}{_SPACE}%"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa} · 10{str(int(exponent)).translate(_SUPERSCRIPT)}"


def percent(value: float) -> str:
    """Write a percentage with one digit after the point."""
    return f"{value:.1f}{_SPACE}%"


def availability(value: float) -> str:
    """Write an availability in % with two digits of what is missing to 100 %, for example "99.9987 %"."""
    missing = 1.0 - value
    if missing <= 1e-12:
        return f"100{_SPACE}%"
    places = max(1, min(12, 1 - math.floor(math.log10(100 * missing))))
    return f"{100 * value:.{places}f}{_SPACE}%"


def nines(value: float) -> str:
    """Write an availability as nines: 0.999 has 3.0; a value of 1 has no finite number."""
    missing = 1.0 - value
    return "all" if missing <= 1e-15 else f"{-math.log10(missing):.1f}"


def duration(seconds: float) -> str:
    """Write a time span in the unit that suits it: "40 ms", "3.2 s", "14 min", "2.5 h", "8 days", "3.1 years"."""
    if seconds == 0:
        return f"0{_SPACE}s"
    for limit, unit_s, unit in (
        (1.0, 1e-3, "ms"),
        (120.0, 1.0, "s"),
        (7200.0, 60.0, "min"),
        (172_800.0, 3600.0, "h"),
        (63_072_000.0, 86_400.0, "days"),
    ):
        if seconds < limit:
            return f"{number(seconds / unit_s, 3 if unit != 'ms' else 2)}{_SPACE}{unit}"
    years = seconds / 31_557_600.0
    return f"more than 10{_SPACE}000{_SPACE}years" if years > 1e4 else f"{number(years, 3)}{_SPACE}years"


def _known(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _interval(figure: Mapping[str, Any], write: Any) -> str:
    low, high = figure.get("low"), figure.get("high")
    if _known(low) and _known(high):
        return f"{write(low)} … {write(high)}"
    if _known(low):
        return f"at least {write(low)}"
    return f"at most {write(high)}" if _known(high) else ""


def _lines(*lines: Any) -> tuple[str, ...]:
    return tuple(str(line) for line in lines if line)


def _unknown(figure: Mapping[str, Any], reason: str = "") -> Cell:
    return Cell("not known", _lines(figure.get("reason") or reason))


def availability_cell(service: Mapping[str, Any]) -> Cell:
    """Availability, its nines, and its interval."""
    figure = service.get("availability") or {"reason": service.get("reason")}
    value, low = figure.get("value"), figure.get("low")
    if value is None or not _known(value):
        return _unknown(figure)
    if 1.0 - value <= 1e-15:
        bound = () if low is None or not _known(low) or low >= 1 else (f"at least {nines(low)} nines", f"({availability(low)})")
        return Cell(f"100{_SPACE}%", bound)
    return Cell(availability(value), _lines(f"{nines(value)} nines", _interval(figure, availability)))


def mtbf_cell(service: Mapping[str, Any]) -> Cell:
    """Mean time between failures; where the run is too short for one, the bounds that it supports, and the reason."""
    figure = service.get("mtbf_s")
    if not figure:
        return _unknown(service)
    if not _known(figure.get("value")):
        low, high = figure.get("low"), figure.get("high")
        if not _known(low):
            return _unknown(figure)
        most = _known(high) and f"at most {duration(float(high))}"
        return Cell(f"> {duration(float(low))}", _lines(most, figure.get("reason") or "all that a run of this length proves"))
    return Cell(duration(float(figure["value"])), _lines(_interval(figure, duration)))


def ratio_cell(service: Mapping[str, Any]) -> Cell:
    """Packet error ratio and its interval."""
    figure = service.get("packet_error_ratio") or {"reason": service.get("reason")}
    value, high = figure.get("value"), figure.get("high")
    if value is None or not _known(value):
        return _unknown(figure)
    if value == 0:
        return Cell("none seen", _lines(high is not None and _known(high) and f"at most {ratio(high)}"))
    return Cell(ratio(value), _lines(_interval(figure, ratio)))


def latency_cell(figure: Mapping[str, Any] | None) -> Cell:
    """Latency in ms and its interval."""
    figure = figure or {}
    if not _known(figure.get("value")):
        return _unknown(figure, "too few messages")
    return Cell(f"{number(float(figure['value']), 3)}{_SPACE}ms", _lines(_interval(figure, lambda v: number(v, 3))))


def target_cell(service: Mapping[str, Any]) -> Cell:
    """Write what was asked of a service."""
    targets = service.get("targets") or {}
    parts = []
    if _known(targets.get("availability")):
        parts.append(availability(targets["availability"]))
    if _known(targets.get("mtbf_s")):
        parts.append(f"MTBF {duration(targets['mtbf_s'])}")
    return Cell(parts[0] if parts else "none set", tuple(parts[1:]))


def weakest_cell(services: Sequence[Mapping[str, Any]]) -> Cell:
    """Lowest availability of any service, as nines, and the service's name."""
    known = [(s["availability"]["value"], s["availability"].get("low") or 0.0, s) for s in services if _value(s, "availability")]
    if not known:
        return Cell("not known")
    value, low, service = min(known, key=lambda k: (k[0], k[1], str(k[2]["name"])))
    if 1.0 - value <= 1e-15:
        return Cell(f"100{_SPACE}%", _lines(low and f"at least {nines(low)} nines"))
    return Cell(f"{nines(value)} nines", (str(service["name"]),))


def shortest_cell(services: Sequence[Mapping[str, Any]]) -> Cell:
    """Shortest mean time between failures of any service, or where none is known the least bound, and the service's name."""
    for key, sign in (("value", ""), ("low", "> ")):
        known = [(float(s["mtbf_s"][key]), str(s["name"])) for s in services if _known((s.get("mtbf_s") or {}).get(key))]
        if known:
            return Cell(f"{sign}{duration(min(known)[0])}", (min(known)[1],))
    return Cell("not known")


def _value(service: Mapping[str, Any], key: str) -> bool:
    return _known((service.get(key) or {}).get("value"))


def verdict(service: Mapping[str, Any]) -> tuple[str, str]:
    """Class and words of the verdict on a service's targets: met, missed, open (too short a run), none."""
    targets = service.get("targets") or {}
    if not any(_known(targets.get(k)) for k in ("availability", "mtbf_s")):
        return "none", "no target"
    met = service.get("met")
    if met is None:
        return "open", "? not decided"
    return ("met", "✓ met") if met else ("missed", "✗ missed")


def total(services: Sequence[Mapping[str, Any]], key: str) -> float:
    """Sum of one figure over services, unknown ones left out."""
    return float(sum(s[key] for s in services if _known(s.get(key))))


def compare_sentence(acting: str, lost: Mapping[str, float], down: Mapping[str, float]) -> str:
    """Compare the other policies with the acting one by lost messages on the same footsteps; "" where there is none."""
    mine = lost.get(acting, 0.0)
    parts = []
    for policy, theirs in lost.items():
        if policy == acting:
            continue
        if theirs == mine:
            parts.append(f"{policy} would have lost {'none either' if mine == 0 else 'just as many'}")
        elif mine == 0:
            parts.append(f"{policy} would have lost {number(theirs)}")
        elif theirs == 0:
            parts.append(f"{policy} would have lost none")
        else:
            how = (
                f"{number(mine / theirs, 2)} times fewer"
                if theirs <= mine / 1.95
                else f"{number(theirs / mine, 2)} times as many"
                if theirs >= 1.95 * mine
                else f"{100 * abs(theirs - mine) / mine:.0f}{_SPACE}% {'fewer' if theirs < mine else 'more'}"
            )
            parts.append(f"{policy} would have lost {number(theirs)} ({how})")
        parts[-1] += f" with services down for {duration(down[policy])}" if down.get(policy) else ""
    return f"On the same footsteps {_listed(parts)}." if parts else ""


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def target_sentence(services: Sequence[Mapping[str, Any]]) -> str:
    """Say which services met their targets."""
    verdicts: dict[str, list[str]] = {"met": [], "missed": [], "open": []}
    for service in services:
        kind = verdict(service)[0]
        if kind in verdicts:
            verdicts[kind].append(str(service["name"]))
    parts = []
    if verdicts["missed"]:
        parts.append(f"missed by {_listed(verdicts['missed'])}")
    if verdicts["met"]:
        parts.append(f"met by {_listed(verdicts['met'])}")
    if verdicts["open"]:
        parts.append(f"not decided by a run of this length for {_listed(verdicts['open'])}")
    return f"Targets: {'; '.join(parts)}." if parts else "No service has a target."


def production_sentence(production: Mapping[str, Any]) -> str:
    """Say what the plant got out of it, from `factory.report.data.production_totals`: orders, parts, stops and minutes lost."""
    sentences = []
    rate = production["orders_per_hour"]
    made = []
    if production["orders"] is not None:
        made.append(f"the fleet finished {count(production['orders'], 'order')}" + (f" ({number(rate)} an hour)" if rate else ""))
    if production["parts"] is not None:
        made.append(f"the cobots {count(production['parts'], 'part')}")
    if made:
        sentences.append(", ".join(made))
    stops = {k: v for k, v in production["stops"].items() if v}
    if production["stops_known"]:
        why = ", ".join(f"{number(v)} for {cause_of_stop(k)}" for k, v in sorted(stops.items()) if k)
        halted = f"machines stopped {times(sum(stops.values()))}" if stops else "machines never stopped"
        sentences.append(halted + (f" ({why})" if why else ""))
    lost = {k: v for k, v in (production["minutes_lost"] or {}).items() if v > 0}
    if lost:
        worst = max(sorted(lost), key=lambda k: lost[k])
        all_minutes, most = number(sum(lost.values()), 3), number(lost[worst], 3)
        sentences.append(
            f"{all_minutes}{_SPACE}machine minutes were lost"
            + (f", {most} of them to {cause_of_stop(worst)}" if len(lost) > 1 else f" to {cause_of_stop(worst)}")
        )
    text = "; ".join(sentences)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def times(n: float) -> str:
    """Write how often: "once", "twice", "14 times"."""
    return {1: "once", 2: "twice"}.get(round(n), f"{number(n)} times")


def cause_of_stop(key: str) -> str:
    """Turn a key of ``minutes_lost`` into words."""
    return STOP_WORDS.get(key, key.replace("_", " "))
