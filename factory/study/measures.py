"""The figures of a run under names: what comparisons, gates and searches look at.

A measure is one number of kpi.json (docs/run-folder.md) with its unit, its words, and which way is better. Those that grow with
the length of a run are marked, so that nobody compares the minutes of a short run with those of a long one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from factory.explain import CAUSE_WORDS
from factory.report.words import cause_of_stop
from radio.messages.delivery import CAUSES
from radio.messages.reliability import SMALLEST_RATE

Better = Literal["lower", "higher"]

GROUPS: dict[str, str] = {
    "services": "Services",
    "stops": "Stops",
    "minutes": "Minutes",
    "production": "Production",
    "resources": "Radio resources",
    "causes": "Messages lost, by cause",
}
"""Groups of measures in the order in which they are told, and their words."""
CLASSES: dict[str, str] = {"agvs": "AGVs", "cobots": "cobots"}
_NEUTRAL_STOPS = ("no_order", "charging", "handover", "paused")
BLOCKING = ("communication", "person_near", "queue", "breakdown", "emergency_stop")
"""Causes for which a machine that has work stands; want of orders, charging, hand-overs and pauses are none."""
_BLAMED_STOPS = ("communication", "person_near")


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of a run.

    Attributes
    ----------
    key : its name, for example ``service.agv-control.unavailability``.
    value : the number.
    unit : its unit, "" for a share or a count.
    label : its words, without the unit.
    better : which way is better; None where more is neither good nor bad.
    group : key of `GROUPS`.
    extensive : True where the value grows with the length of the run.
    headline : True where it is told first.
    derived : True where another measure tells the same in other units; told, but not tested a second time.
    risk : True where it is not negative, skewed, and may be 0 in many runs (unavailability, stops, minutes lost), so that factors
        say more than differences.
    """

    key: str
    value: float
    unit: str
    label: str
    better: Better | None
    group: str
    extensive: bool = False
    headline: bool = False
    derived: bool = False
    risk: bool = False


def measures(kpi: Mapping[str, Any], policy: str | None = None) -> dict[str, Measure]:
    """Return the measures of a run by their keys, those alone that have a value.

    Parameters
    ----------
    kpi : content of kpi.json.
    policy : whose services and resources; the acting policy when absent. Of another policy there are no stops, minutes and
        production: its deliveries moved no machine.

    Raises
    ------
    ValueError
        If the run has no such policy.
    """
    return read(kpi, policy)[0]


def missing(kpi: Mapping[str, Any], policy: str | None = None) -> dict[str, str]:
    """Return why a measure of a run has no value, by its key."""
    return read(kpi, policy)[1]


def read(kpi: Mapping[str, Any], policy: str | None = None) -> tuple[dict[str, Measure], dict[str, str]]:
    """Return `measures` and `missing` of a run at once."""
    acting = kpi.get("acting_policy")
    policies: Mapping[str, Any] = kpi.get("policies") or {}
    if policy is not None and policy not in policies:
        known = ", ".join(sorted(policies)) or "none"
        raise ValueError(f"policy {policy!r} was not run; the run has {known}")
    of = policy if policy is not None else acting
    figures: Mapping[str, Any] = policies.get(of) or {} if of is not None else {}
    found: dict[str, Measure] = {}
    absent: dict[str, str] = {}
    sources = [_services(figures, absent), _causes(figures), _resources(figures, absent)]
    if of == acting:
        production: Mapping[str, Any] = kpi.get("production") or {}
        sources += [_stops(production), _production(production, absent)]
    else:
        absent["production"] = f"policy {of} moved no machine: stops and orders are known of {acting} alone"
    for source in sources:
        for measure in source:
            found[measure.key] = measure
    order = list(GROUPS)
    return dict(sorted(found.items(), key=lambda kv: order.index(kv[1].group))), absent


def _number(value: Any) -> float | None:
    """Return a finite number, None for anything else."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return None


def _value(figure: Any) -> float | None:
    return _number(figure.get("value")) if isinstance(figure, Mapping) else _number(figure)


def _tellable(rate: float) -> float:
    """Return a rate per message, 0 where it is so small that loss probabilities say nothing (1e-12)."""
    return rate if rate >= SMALLEST_RATE else 0.0


def _services(figures: Mapping[str, Any], absent: dict[str, str]) -> Iterator[Measure]:
    for service in figures.get("services") or ():
        name = str(service["name"])
        key = f"service.{name}."
        if not service.get("messages"):
            absent[key + "*"] = str(service.get("reason") or "no message of it was finished")
            continue
        down = _value(service.get("unavailability"))
        if down is not None:
            down = _tellable(down)
            yield Measure(
                key + "unavailability", down, "", f"{name} unavailability", "lower", "services", headline=True, risk=True
            )
            if down > 0.0:
                yield Measure(key + "nines", -math.log10(down), "nines", f"{name} nines", "higher", "services", derived=True)
            else:
                absent[key + "nines"] = "the loss probabilities of this run allow no time down at all: no finite number of nines"
        hours, outages = _number(service.get("device_hours")), _number(service.get("expected_outages"))
        if hours and outages is not None:
            rate = _tellable(outages / service["messages"]) * service["messages"] / hours
            yield Measure(key + "failures_per_hour", rate, "1/(device h)", f"{name} failures", "lower", "services", risk=True)
        if (down_s := _number(service.get("down_s"))) is not None:
            yield Measure(
                key + "down_s", down_s, "s", f"{name} down, counted", "lower", "services", extensive=True, derived=True, risk=True
            )
        errors = _value(service.get("packet_error_ratio"))
        if errors is not None:
            yield Measure(
                key + "lost_per_million", 1e6 * _tellable(errors), "1e-6", f"{name} messages lost", "lower", "services", risk=True
            )
        latency = _value((service.get("latency_ms") or {}).get("p99"))
        if latency is not None:
            yield Measure(key + "latency_p99_ms", latency, "ms", f"{name} latency p99", "lower", "services")
        else:
            absent[key + "latency_p99_ms"] = "no message arrived"


def _causes(figures: Mapping[str, Any]) -> Iterator[Measure]:
    """Messages lost by cause, counted; a cause that is not in the file lost none."""
    if not figures.get("services"):
        return
    by_cause: Mapping[str, Any] = figures.get("outages_by_cause") or {}
    for cause in dict.fromkeys([c for c in CAUSES if c != "none"] + list(by_cause)):
        lost = _number((by_cause.get(cause) or {}).get("messages")) or 0.0
        label = f"lost: {CAUSE_WORDS.get(cause, cause)}"
        yield Measure(f"losses.{cause}", lost, "", label, "lower", "causes", extensive=True, risk=True)


def _stops(production: Mapping[str, Any]) -> Iterator[Measure]:
    """Give stops and minutes by cause and class of the stop ledger, whose causes add up to the time that machines stood."""
    ledger: Mapping[str, Any] = production.get("ledger") or {}
    hall: Mapping[str, Any] = ledger.get("hall") or {}
    parts = [("", "", hall)] + [
        (f"{name}.", f"{CLASSES.get(name, name)} ", part) for name, part in (ledger.get("classes") or {}).items()
    ]
    for prefix, words, part in parts:
        whole = not prefix
        for kind, source, unit, told in (("stops", "stops", "", "stops"), ("minutes", "stopped_min", "min", "stood")):
            for cause, value in (part.get(source) or {}).items():
                yield Measure(
                    f"{kind}.{prefix}{cause}",
                    float(value),
                    unit,
                    f"{words}{told}: {cause_of_stop(cause)}",
                    None if cause in _NEUTRAL_STOPS else "lower",
                    kind,
                    extensive=True,
                    headline=whole and cause == ("communication" if kind == "stops" else "person_near"),
                    risk=True,
                )
        if (down := _number(part.get("downtime_min"))) is not None:
            label = f"{words}stood in all"
            yield Measure(f"minutes.{prefix}all", down, "min", label, None, "minutes", extensive=True, risk=True)
        for cause in _BLAMED_STOPS if whole and "slow_min" in part else ():
            value = float(part["slow_min"].get(cause, 0.0))  # the ledger names those alone that are above zero
            label = f"lost while moving: {cause_of_stop(cause)}"
            yield Measure(f"slowed.{cause}", value, "min", label, "lower", "minutes", extensive=True, risk=True)
        stood: Mapping[str, Any] = part.get("stopped_min") or {}
        if stood:
            blocked = sum(float(v) for cause, v in stood.items() if cause in BLOCKING)
            label = f"{words}blocked"
            yield Measure(f"minutes.{prefix}blocked", blocked, "min", label, "lower", "minutes", extensive=True, risk=True)
        radio_min: Mapping[str, Any] = part.get("radio_min") or {}
        if (total := _number(radio_min.get("total"))) is not None:
            label = f"{words}lost to radio"
            yield Measure(
                f"radio_minutes.{prefix}total", total, "min", label, "lower", "minutes", extensive=True, headline=whole, risk=True
            )
        for name, value in radio_min.items() if whole else ():
            if name not in ("total", "anyway"):
                label = f"radio: {name}"
                yield Measure(f"radio_minutes.{name}", float(value), "min", label, "lower", "minutes", extensive=True, risk=True)


def _production(production: Mapping[str, Any], absent: dict[str, str]) -> Iterator[Measure]:
    rows: tuple[tuple[str, str, str, Better, bool, bool, bool], ...] = (
        ("orders", "", "orders finished", "higher", True, True, False),
        ("orders_per_hour", "1/h", "orders per hour", "higher", False, False, True),
        ("parts", "", "parts made", "higher", True, True, False),
        ("parts_per_hour", "1/h", "parts per hour", "higher", False, False, True),
    )
    for name, unit, label, better, extensive, headline, derived in rows:
        if (value := _number(production.get(name))) is not None:
            key = f"production.{name}"
            yield Measure(key, value, unit, label, better, "production", extensive, headline, derived)
    time_s = _number((production.get("agvs") or {}).get("order_time_s"))
    if time_s is not None:
        yield Measure("production.order_time_s", time_s, "s", "time per order", "lower", "production")
    elif production:
        absent["production.order_time_s"] = "no order was finished"
    oee: Mapping[str, Any] = production.get("oee") or {}
    parts = [("hall", "", oee.get("hall") or {})] + [
        (name, f"{CLASSES.get(name, name)} ", part) for name, part in (oee.get("classes") or {}).items()
    ]
    for name, words, part in parts:
        for figure, label, better in (
            ("oee", "OEE", "higher"),
            ("availability", "availability (ISO 22400)", "higher"),
            ("radio_share_of_delay", "radio share of delays", "lower"),
            ("radio_share_of_loss", "radio share of OEE loss", "lower"),
        ):
            key, value = f"oee.{name}.{figure}", _number(part.get(figure))
            if value is not None:
                first = name == "hall" and figure == "oee"
                yield Measure(
                    key, value, "", f"{words}{label}", "higher" if better == "higher" else "lower", "production", headline=first
                )
            elif part:
                absent[key] = "not defined in this run: nothing that it is a share of"


def _resources(figures: Mapping[str, Any], absent: dict[str, str]) -> Iterator[Measure]:
    resources: Mapping[str, Any] = figures.get("resources") or {}
    if (power := _number(resources.get("mean_relative_power"))) is not None:
        label = "power of all TRPs (deep sleep: 1)"
        yield Measure("resources.mean_relative_power", power, "", label, "lower", "resources", headline=True)
    if (energy := _number(resources.get("relative_energy"))) is not None:
        label = "energy of all TRPs"
        yield Measure(
            "resources.relative_energy", energy, "power x ms", label, "lower", "resources", extensive=True, derived=True
        )
    for direction in ("downlink", "uplink"):
        shares = resources.get(f"{direction}_share")
        if shares:
            mean = sum(float(x) for x in shares) / len(shares)
            yield Measure(
                f"resources.{direction}_share", mean, "", f"{direction} symbols used, mean of TRPs", "lower", "resources"
            )
    for name, trp in (resources.get("trps") or {}).items():
        if (share := _number(trp.get("symbols_share"))) is not None:
            yield Measure(f"resources.symbols.{name}", share, "", f"symbols used, {name}", None, "resources")
    for name, service in (resources.get("services") or {}).items():
        if (share := _number(service.get("share"))) is not None:
            yield Measure(f"resources.prb_share.{name}", share, "", f"share of PRB-symbols, {name}", None, "resources")
        key, spent = f"resources.energy_per_message.{name}", _number(service.get("energy_per_delivered_with_base"))
        if spent is not None:
            yield Measure(key, spent, "power x ms", f"energy per message, {name}", "lower", "resources")
        else:
            absent[key] = "no message of it was delivered"
    if (switches := _number(resources.get("beam_switches"))) is not None:
        yield Measure("resources.beam_switches", switches, "", "beam switches", None, "resources", extensive=True)
    if (second := _number(resources.get("second_leg_share"))) is not None:
        yield Measure("resources.second_leg_share", second, "", "devices with a second leg", None, "resources")
