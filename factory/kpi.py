"""kpi.json: what a shift came to, for services, policies and production."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from factory.production import production
from factory.rooms import draw_seed
from factory.twin import Twin
from radio.figures.kpi_parts import by_device, by_hour
from radio.messages.traffic import resolve
from robots.state import MODES
from robots.stop_ledger import STOPS

Json = dict[str, Any]


def collect(twin: Twin) -> Json:
    """Return the figures of the shift so far as JSON values; docs/run-folder.md lists them."""
    duration_s = twin.time_us / 1e6
    policies = {
        network.policy: policy_figures(twin, network.kpi.result(duration_s), account.result())
        for network, account in zip(twin.networks, twin.accounts, strict=True)
    }
    acting = twin.networks[0].policy if twin.networks else None
    return {
        "acting_policy": acting,
        "simulated_s": duration_s,
        "services": policies[acting]["services"] if acting else [],
        "outages_by_cause": policies[acting]["outages_by_cause"] if acting else {},
        "policies": policies,
        "per_device": per_device(twin),
        "per_zone": per_zone(twin),
        "per_hour": per_hour(twin),
        "production": production(twin),
    }


def policy_figures(twin: Twin, result: Json, spent: Json) -> Json:
    """Give services with verdicts, resources and losses by cause of one policy, from what its network and account came to."""
    interval_us = {s.name: resolve(s).interval_us for s in twin.scenario.radio.services}
    services = [_service(s) | {"transfer_interval_us": interval_us[s["name"]]} for s in result["services"]]
    return {"services": services, "resources": result["resources"] | spent, "outages_by_cause": _by_cause(services)}


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


def _stood(spent_us: npt.NDArray[np.int64], starts: npt.NDArray[np.int64]) -> Json:
    """Give stops and machine minutes stood by cause (modes,), causes that occurred alone."""
    return {
        "stops": {MODES[c]: int(starts[c]) for c in STOPS if starts[c]},
        "stopped_min": {MODES[c]: float(spent_us[c] / 6e7) for c in STOPS if spent_us[c]},
        "machine_min": float(spent_us.sum() / 6e7),
    }


def per_device(twin: Twin) -> Json:
    """Give for every device the figures of its services under the acting policy, and of a machine why it stood for how long."""
    book, services = twin.stops.ledger, {}
    if twin.networks:
        services = by_device(twin.traffic, twin.networks[0].kpi.tables, draw_seed(twin.scenario.seed))
    out: Json = {name: {"services": services.get(u, {})} for u, name in enumerate(twin.devices)}
    for k, name in enumerate(book.names):
        out[name] |= _stood(book.spent_us[k], book.starts[k])
    return out


def per_zone(twin: Twin) -> Json:
    """Give the same for every zone: messages of devices in it, stops that began in it, and machine minutes in it."""
    book = twin.stops.ledger
    services = twin.zones.figures(draw_seed(twin.scenario.seed))
    return {
        name: {"services": services[name], **_stood(book.by_zone_us[z], book.zone_starts[z])}
        for z, name in enumerate(twin.zones.names)
    }


def per_hour(twin: Twin) -> list[Json]:
    """Give the same for every hour of the run, the first one first."""
    book, hours = twin.stops.ledger, -(-twin.time_us // 3_600_000_000)
    services: list[Json] = []
    if twin.networks:
        services = by_hour(twin.traffic, twin.networks[0].kpi.tables, draw_seed(twin.scenario.seed))
    services += [{}] * (hours - len(services))
    return [
        {"hour": h + 1, "services": services[h], **_stood(book.by_hour_us[h], book.hour_starts[h])}
        for h in range(min(hours, len(book.by_hour_us)))
    ]
