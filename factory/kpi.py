"""kpi.json: what a shift came to, for services, policies and production."""

from __future__ import annotations

from typing import Any

from factory.twin import Twin
from radio.traffic import resolve

Json = dict[str, Any]


def collect(twin: Twin) -> Json:
    """Return the figures of the shift so far as JSON values; docs/run-folder.md lists them."""
    duration_s = twin.time_us / 1e6
    policies = {network.policy: _policy(twin, network.kpi.result(duration_s)) for network in twin.networks}
    acting = twin.networks[0].policy if twin.networks else None
    return {
        "acting_policy": acting,
        "simulated_s": duration_s,
        "services": policies[acting]["services"] if acting else [],
        "outages_by_cause": policies[acting]["outages_by_cause"] if acting else {},
        "policies": policies,
        "production": production(twin),
    }


def _policy(twin: Twin, result: Json) -> Json:
    interval_us = {s.name: resolve(s).interval_us for s in twin.scenario.radio.services}
    services = [_service(s) | {"transfer_interval_us": interval_us[s["name"]]} for s in result["services"]]
    return {"services": services, "resources": result["resources"], "outages_by_cause": _by_cause(services)}


def _service(service: Json) -> Json:
    """Add the verdict that a reader looks for first: both targets met, one missed, or still open."""
    target = service.get("target")
    if target is None:
        return service | {"targets": {"availability": None, "mtbf_s": None}, "met": None}
    verdicts = (target["availability_met"], target["mtbf_met"])
    met = False if False in verdicts else True if verdicts == (True, True) else None
    return service | {"targets": {"availability": target["availability"], "mtbf_s": target["mtbf_s"]}, "met": met}


def _by_cause(services: list[Json]) -> Json:
    messages: dict[str, int] = {}
    for service in services:
        for cause, count in service.get("causes", {}).items():
            messages[cause] = messages.get(cause, 0) + count
    total = sum(messages.values())
    order = sorted(messages, key=lambda cause: (-messages[cause], cause))
    return {cause: {"messages": messages[cause], "share": messages[cause] / total} for cause in order}


def production(twin: Twin) -> Json:
    """Orders, parts, stops and minutes lost by cause, of the fleet and the cobots together and apart."""
    fleet, cobots = twin.fleet.production(), twin.cobots.production()
    return {
        "orders": fleet["orders_finished"],
        "orders_per_hour": fleet["orders_per_hour"],
        "parts": cobots["parts"],
        "parts_per_hour": cobots["parts_per_hour"],
        "stops": _sum(fleet["stops"], cobots["stops"]),
        "minutes_lost": _sum(fleet["minutes_lost"], cobots["minutes_lost"]),
        "agvs": fleet,
        "cobots": cobots,
    }


def _sum(a: Json, b: Json) -> Json:
    return {key: a.get(key, 0) + b.get(key, 0) for key in (*a, *(k for k in b if k not in a))}
