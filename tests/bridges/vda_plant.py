"""A small plant whose AGVs speak VDA 5050: fleet, bridge, and a clock that runs faster than the wall's."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from bridges.config import MqttConfig
from bridges.inbox import Inbox
from bridges.vda5050.agvs import VirtualAgvs
from bridges.vda5050.base import stamp
from bridges.vda5050.config import Vda5050Config
from factory.fleet_bridge import FleetBridge, vehicle_sheet
from robots.config import RobotsConfig
from robots.fleet import Fleet

DT_US = 50_000
NOBODY = (np.zeros((0, 2)), np.zeros(0, bool))


def ring(length_m: float = 12.0) -> dict[str, Any]:
    """Build a one-way rectangle of six nodes r0 to r5, a pick at r1 and a drop at r4."""
    half = length_m / 2
    places = [(2, 2), (2 + half, 2), (2 + length_m, 2), (2 + length_m, 8), (2 + half, 8), (2, 8)]
    actions = {1: "pick", 4: "drop"}
    nodes = [{"id": f"r{k}", "position_m": p, "action": actions.get(k)} for k, p in enumerate(places)]
    return {"nodes": nodes, "edges": [{"start": f"r{k}", "end": f"r{(k + 1) % 6}", "two_way": False} for k in range(6)]}


class Plant:
    """AGVs that drive in a thread of their own, ``speed`` times as fast as the wall's clock."""

    def __init__(self, port: int, count: int = 1, speed: float = 20.0, **options: Any) -> None:
        orders_from = "twin" if options.pop("own", False) else "outside"
        agvs = {"count": count, "orders_from": orders_from, "load_time_s": 2.0, "unload_time_s": 2.0}
        robots = RobotsConfig.model_validate({"agvs": agvs, "routes": ring()})
        self.fleet = Fleet(robots, np.random.default_rng(0))
        self.serials = tuple(f"agv-{i + 1:02d}" for i in range(count))
        self.inbox = Inbox()
        self.bridge = FleetBridge(self.fleet, self.serials)
        options = {"min_state_interval_s": 0.0, "visualization_interval_s": 0.2, **options}
        mqtt = MqttConfig(host="127.0.0.1", port=port, reconnect_min_s=0.05, reconnect_max_s=0.3)
        self.agvs = VirtualAgvs(mqtt, Vda5050Config(**options), self.serials, vehicle_sheet(robots.agvs), self.inbox)
        self._speed = speed
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        age, time_us = np.zeros(self.fleet.n, np.int64), 0
        while not self._ended.is_set():
            for command in self.inbox.drain():
                assert self.bridge.carry_out(command)
            time_us += DT_US
            self.fleet.step(time_us, DT_US, age, *NOBODY)
            self.agvs.publish_fleet(self.bridge.view())
            time.sleep(DT_US * 1e-6 / self._speed)

    def __enter__(self) -> Plant:
        self._thread.start()
        self.agvs.start()
        for vehicle in self.agvs.vehicles.values():
            assert vehicle.connection.wait_connected(15)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(5)
        self.agvs.stop()


def wait_for(condition: Callable[[], bool], what: Callable[[], str], timeout_s: float = 20.0) -> None:
    """Wait until something is so; fail saying what was seen instead."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s:.0f} s; {what()}"
        time.sleep(0.01)


def order(names: list[str], version: str = "2.1.0", base: int | None = None, **changes: Any) -> dict[str, Any]:
    """Build an order message over nodes; keywords: order_id, update, first (sequenceId), actions by node name, serial."""
    update, first = changes.get("update", 0), changes.get("first", 0)
    base = len(names) if base is None else base
    actions = changes.get("actions", {})
    nodes = [
        {"nodeId": n, "sequenceId": first + 2 * k, "released": k < base, "actions": actions.get(n, [])}
        for k, n in enumerate(names)
    ]
    edges: list[dict[str, Any]] = []
    for k, (a, b) in enumerate(pairwise(names)):
        edge = {"edgeId": f"from-{a}-to-{b}", "sequenceId": first + 2 * k + 1, "released": k + 1 < base, "actions": []}
        edges.append(edge | ({"startNodeId": a, "endNodeId": b} if version == "2.1.0" else {}))
    return header(version, changes.get("serial", "agv-01")) | {
        "orderId": changes.get("order_id", "o-1"), "orderUpdateId": update, "nodes": nodes, "edges": edges,
    }  # fmt: skip


def header(version: str = "2.1.0", serial: str = "agv-01") -> dict[str, Any]:
    """Build a header of now."""
    now = stamp(time.time())
    return {"headerId": 0, "timestamp": now, "version": version, "manufacturer": "factory-twin", "serialNumber": serial}


def instant(action_type: str, action_id: str, version: str = "2.1.0", serial: str = "agv-01") -> dict[str, Any]:
    """Build an instantActions message of one action."""
    action = {"actionType": action_type, "actionId": action_id, "blockingType": "NONE"}
    return header(version, serial) | {"actions": [action]}


def encoded(message: dict[str, Any]) -> bytes:
    """Return a message as JSON bytes."""
    return json.dumps(message).encode()
