"""What the machines made and lost: orders, parts, the stop ledger, and the figures of ISO 22400-2 that follow from them."""

from __future__ import annotations

from typing import Any

import numpy as np

from factory.oee import WorkUnit, together
from factory.twin import Twin
from robots.state import (
    BREAKDOWN,
    CHARGING,
    COMMUNICATION,
    DRIVING,
    EMERGENCY_STOP,
    HANDOVER,
    MODES,
    NO_ORDER,
    PAUSED,
    PERSON_NEAR,
    QUEUE,
    WORKING,
)
from robots.stop_ledger import STOPS

Json = dict[str, Any]

PRODUCING = (DRIVING, WORKING)
SETTING_UP = (HANDOVER,)
DELAYED = (COMMUNICATION, PERSON_NEAR, QUEUE, PAUSED, BREAKDOWN, EMERGENCY_STOP)
IDLE = (NO_ORDER, CHARGING)
CLASSES = ("agvs", "cobots")


def production(twin: Twin) -> Json:
    """Orders, parts, stops and minutes lost by cause, the stop ledger, and OEE, of the fleet, the cobots and both together."""
    fleet, cobots = twin.fleet.production(), twin.cobots.production()
    out = {
        "orders": fleet["orders_finished"],
        "orders_per_hour": fleet["orders_per_hour"],
        "parts": cobots["parts"],
        "parts_per_hour": cobots["parts_per_hour"],
        "stops": _sum(fleet["stops"], cobots["stops"]),
        "minutes_lost": _sum(fleet["minutes_lost"], cobots["minutes_lost"]),
        "agvs": fleet,
        "cobots": cobots,
        "ledger": ledger(twin),
        "oee": efficiency(twin),
    }
    if twin.emergency.enabled:
        out["emergency_stops"] = emergency_stops(twin)
    return out


def _sum(a: Json, b: Json) -> Json:
    return {key: a.get(key, 0) + b.get(key, 0) for key in (*a, *(k for k in b if k not in a))}


def _rows(twin: Twin) -> dict[str, slice]:
    """Rows of every class of machines among all machines."""
    return dict(zip(CLASSES, (slice(0, twin.fleet.n), slice(twin.fleet.n, twin.n_machines)), strict=True))


def ledger(twin: Twin) -> Json:
    """Give the stop ledger: of every machine, every class and the hall.

    Returns
    -------
    ``machines.NAME``, ``classes.CLASS`` and ``hall``, each with ``stopped_min`` by cause (they add up to ``downtime_min``, and
    with ``running_min`` to ``total_min``), ``stops`` by cause, ``queue_root_min`` (queues by what their heads stood for),
    ``slow_min`` by cause (lost while moving, apart from stops), and ``radio_min`` (see ``factory.stop_ledger.Stops.radio_s``).
    """
    book, radio_s = twin.stops.ledger, twin.stops.radio_s()
    slow_s = book.total_slow_s

    def part(rows: slice) -> Json:
        spent = book.spent_us[rows].sum(axis=0) / 6e7
        root, slow = book.root_us[rows].sum(axis=0) / 6e7, slow_s[rows].sum(axis=0) / 60
        starts = book.starts[rows].sum(axis=0)
        return {
            "stopped_min": {MODES[c]: float(spent[c]) for c in STOPS},
            "stops": {MODES[c]: int(starts[c]) for c in STOPS},
            "downtime_min": float(spent[list(STOPS)].sum()),
            "running_min": float(spent[list(PRODUCING)].sum()),
            "total_min": float(spent.sum()),
            "queue_root_min": {MODES[c]: float(root[c]) for c in range(len(MODES)) if root[c] > 0},
            "slow_min": {MODES[c]: float(slow[c]) for c in range(len(MODES)) if slow[c] > 0},
            "radio_min": {name: float(values[rows].sum() / 60) for name, values in radio_s.items()},
        }

    return {
        "machines": {name: part(slice(k, k + 1)) for k, name in enumerate(book.names)},
        "classes": {name: part(rows) for name, rows in _rows(twin).items() if rows.stop > rows.start},
        "hall": part(slice(0, len(book.names))),
    }


def efficiency(twin: Twin) -> Json:
    """Give the figures of ISO 22400-2 of every machine, class and the hall, see ``factory.oee.WorkUnit.figures``.

    Notes
    -----
    Planned busy time is the time in which the shift plan has anybody at work, the whole run where there is no plan. A transport's
    planned time is that of loading, unloading, and driving between a pick and a drop and back at full speed, the mean over all
    pairs, unless ``production.planned_order_s`` gives it; a part's is the cobot's cycle. Charging and want of orders are planned
    time without work; a hand-over counts as setting up; all other stops are delays.
    """
    units = _units(twin)
    rows = _rows(twin)
    return {
        "machines": {name: unit.figures() for name, unit in zip(twin.stops.ledger.names, units, strict=True)},
        "classes": {name: together(units[of]).figures() for name, of in rows.items() if of.stop > of.start},
        "hall": together(units).figures(),
    }


def _units(twin: Twin) -> list[WorkUnit]:
    planned = twin.stops.planned()
    spent_s, radio = planned.spent_us / 1e6, planned.radio_s
    order_s, config = planned_order_s(twin), twin.scenario.production
    units = []
    for k in range(twin.n_machines):
        agv = k < twin.fleet.n
        item_s = order_s if agv else twin.scenario.robots.cobots[k - twin.fleet.n].cycle_s
        of = spent_s[k]
        radio_delay_s = min(float(sum(radio[name][k] for name in ("standing", "behind", "tail")) - radio["anyway"][k]), of.sum())
        delay_s = float(of[list(DELAYED)].sum())
        units.append(
            WorkUnit(
                pbt_s=float(of.sum()),
                apt_s=float(of[list(PRODUCING)].sum()),
                aust_s=float(of[list(SETTING_UP)].sum()),
                adet_s=delay_s,
                idle_s=float(of[list(IDLE)].sum()),
                aoet_s=float(planned.order_s[k]) if agv else float(of.sum()),
                pq=float(planned.made[k]),
                gq=float(planned.made[k]) * config.good_share,
                planned_s=item_s * float(planned.made[k]),
                radio_s=float(radio["total"][k]),
                radio_adet_s=min(max(radio_delay_s, 0.0), delay_s),
            )
        )
    return units


def planned_order_s(twin: Twin) -> float:
    """Planned time of a transport [s], see :func:`efficiency`; 0 without AGVs."""
    given = twin.scenario.production.planned_order_s
    if given is not None or not twin.fleet.n:
        return given or 0.0
    agvs, graph = twin.scenario.robots.agvs, twin.fleet.graph
    picks, drops = graph.nodes_with("pick"), graph.nodes_with("drop")
    there, back = graph.time_s[np.ix_(picks, drops)], graph.time_s[np.ix_(drops, picks)]
    return float(agvs.load_time_s + agvs.unload_time_s + there.mean() + back.mean())


def emergency_stops(twin: Twin) -> Json:
    """Give how many emergency stops there were, and how long machines took to stand: ``value`` mean and ``largest`` [ms]."""
    stopped = twin.emergency.stopped
    by_radio = [s.message_us / 1e3 for s in stopped if s.message_us >= 0]
    whole = [s.standing_us / 1e3 for s in stopped]

    def figure(values: list[float]) -> Json:
        return {"value": float(np.mean(values)) if values else None, "largest": max(values, default=None)}

    return {"count": len(stopped), "message_ms": figure(by_radio), "standing_ms": figure(whole)}
