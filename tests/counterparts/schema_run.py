"""Every message of a run held against the official schemas of its version.

``python tests/counterparts/schema_run.py MINUTES SPEED [RESULT.json]``: two AGVs, one of each version, are driven through
mosquitto by a fleet manager that uses what they support and much that they refuse. MINUTES are of the wall's clock; in the plant
it is SPEED times as many.
"""

from __future__ import annotations

import json
import shutil
import socket
import sys
import tempfile
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "bridges"))

import jsonschema
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from test_mosquitto import run_broker
from vda_plant import Plant, encoded, header, order
from vda_schemas import VERSIONS, schema

SERIAL = {"2.1.0": "agv-01", "3.0.0": "agv-02"}


class Judge:
    """Hears everything and holds it against the schemas; keeps counts, the first faults and each AGV's last state."""

    def __init__(self, port: int) -> None:
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []
        self.invalid = 0
        self.state: dict[str, dict[str, Any]] = {}
        self.seen: Counter[str] = Counter()
        topics = ("order", "instantActions", "state", "visualization", "connection", "factsheet")
        self._judges = {(v[0], t): jsonschema.Draft202012Validator(schema(v, t)) for v in VERSIONS for t in topics}
        self._waiting: deque[tuple[str, bytes]] = deque()
        self.client = paho.Client(CallbackAPIVersion.VERSION2)
        self.client.on_connect = lambda client, *_: client.subscribe("uagv/#", 1)
        self.client.on_message = lambda client, userdata, message: self._waiting.append((message.topic, message.payload))
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def look(self) -> None:
        """Judge what came."""
        while self._waiting:
            place, payload = self._waiting.popleft()
            _, version, _, serial, topic = place.split("/")
            if topic in ("order", "instantActions") and payload.startswith(b"wrong"):
                self.counts["wrong on purpose"] += 1
                continue
            message = json.loads(payload)
            self.counts[f"{version} {topic}"] += 1
            error = next(self._judges[version[1], topic].iter_errors(message), None)
            if error is not None and not message.get("orderId", "").startswith("wrong"):
                self.invalid += 1
                if len(self.faults) < 20:
                    self.faults.append(f"{place}: {error.json_path}: {error.message[:200]}")
            if topic == "state":
                self.state[serial] = message
                self._note(version, message)

    def _note(self, version: str, state: dict[str, Any]) -> None:
        """Count what the states have shown, so that one sees what was not exercised."""
        for action in (*state["actionStates"], *state.get("instantActionStates", ())):
            self.seen[f"{version} {action['actionType']} {action['actionStatus']}"] += 1
        for error in state["errors"]:
            self.seen[f"{version} error {error['errorType']}"] += 1
        self.seen[f"{version} horizon"] += any(not n["released"] for n in state["nodeStates"])
        self.seen[f"{version} paused"] += state["paused"]
        self.seen[f"{version} load"] += bool(state.get("loads"))


class Manager:
    """Drives one AGV: the next thing as soon as it is idle."""

    def __init__(self, judge: Judge, version: str) -> None:
        self._judge, self._version, self._serial = judge, version, SERIAL[version]
        self._base = f"uagv/v{version[0]}/factory-twin/{self._serial}"
        self._k, self._sent_s = 0, 0.0
        self._then: deque[tuple[float, Any]] = deque()
        self.orders = 0

    def _send(self, topic: str, message: dict[str, Any] | bytes) -> None:
        payload = message if isinstance(message, bytes) else encoded(message)
        self._judge.client.publish(f"{self._base}/{topic}", payload, qos=1)

    def _instant(self, kind: str, **parameters: Any) -> None:
        self._k += 1
        action: dict[str, Any] = {"actionType": kind, "actionId": f"i-{self._serial}-{self._k}", "blockingType": "NONE"}
        if parameters:
            action["actionParameters"] = [{"key": key, "value": value} for key, value in parameters.items()]
        self._send("instantActions", {**header(self._version, self._serial), "actions": [action]})

    def go_on(self) -> None:
        """Do the next thing where it is time for it."""
        state, now_s = self._judge.state.get(self._serial), time.monotonic()
        if state is None:
            return
        if self._then and now_s >= self._then[0][0]:
            self._then.popleft()[1]()
        running = any(a["actionStatus"] in ("RUNNING", "WAITING") for a in state["actionStates"])
        if state["nodeStates"] or running or state["paused"] or self._then or now_s - self._sent_s < 1.0:
            return
        self._sent_s = now_s
        self._next(state, now_s)

    def _next(self, state: dict[str, Any], now_s: float) -> None:
        self._k += 1
        self.orders += 1
        kind, at = self.orders % 7, int(state["lastNodeId"][1:])
        names = [f"r{(at + j) % 6}" for j in range(4)]
        name, version, serial = f"o-{serial_number(self._serial)}-{self._k}", self._version, self._serial
        loaded = bool(state.get("loads"))
        actions: dict[str, list[dict[str, Any]]] = {}
        for node in names[1:]:
            what = {"r1": None if loaded else "pick", "r4": "drop" if loaded else None}.get(node)
            if what:
                actions[node] = [{"actionType": what, "actionId": f"{name}-{what}", "blockingType": "HARD"}]
            elif kind in (1, 5):
                blocking = ("NONE", "SOFT", "SINGLE" if version == "3.0.0" else "HARD")[self._k % 3]
                actions[node] = [{"actionType": "finePositioning", "actionId": f"{name}-{node}", "blockingType": blocking}]
        message = order(names, version, 2 if kind == 2 else None, order_id=name, actions=actions, serial=serial)
        if kind == 5:
            message["edges"][1]["actions"] = [
                {"actionType": "finePositioning", "actionId": f"{name}-edge", "blockingType": "NONE"}
            ]
        self._send("order", message)
        later: list[tuple[float, Any]] = []
        if kind == 2:
            rest = {node: a for node, a in actions.items() if node in names[1:]}
            update = order(names[1:], version, order_id=name, update=1, first=2, actions=rest, serial=serial)
            later = [(1.5, lambda: self._send("order", update))]
        elif kind == 3:
            later = [(0.6, lambda: self._instant("startPause")), (1.5, lambda: self._instant("stopPause"))]
        elif kind == 4:
            later = [(0.8, lambda: self._instant("cancelOrder")), (1.6, lambda: self._instant("cancelOrder"))]
        elif kind == 6:
            later = [
                (0.2, lambda: self._send("order", b"wrong {")),
                (
                    0.4,
                    lambda: self._send("order", {**order(["r0", "r9"], version, order_id="wrong-1", serial=serial), "nodes": 3}),
                ),
                (0.6, lambda: self._send("order", order(["r0", "r9"], version, order_id="other", serial=serial))),
                (0.8, lambda: self._instant("dance")),
                (1.0, lambda: self._instant("stateRequest")),
                (1.2, lambda: self._instant("factsheetRequest")),
                (1.4, lambda: self._instant("initPosition", x=-9.0, y=2.0, theta=0.0, mapId="hall", lastNodeId="r0")),
            ]
        self._then.extend((now_s + after_s, do) for after_s, do in later)


def serial_number(serial: str) -> int:
    """Give the number at the end of an AGV's name."""
    return int(serial.rsplit("-", 1)[1])


def run(mosquitto: str, folder: Path, port: int, minutes: float, speed: float) -> dict[str, Any]:
    """Run and judge; see the module's text."""
    broker = run_broker(mosquitto, folder, port, "allow_anonymous true")
    try:
        judge = Judge(port)
        managers = [Manager(judge, version) for version in VERSIONS]
        end_s = time.monotonic() + 60.0 * minutes
        with Plant(
            port, 2, speed, versions={"agv-02": "3.0.0"}, min_state_interval_s=0.05, visualization_interval_s=0.5
        ) as plant:
            while time.monotonic() < end_s:
                judge.look()
                for manager in managers:
                    manager.go_on()
                time.sleep(0.05)
            counts = plant.agvs.counts()
        time.sleep(0.5)
        judge.look()
        judge.client.disconnect()
        judge.client.loop_stop()
    finally:
        broker.terminate()
        broker.wait(10)
    return {
        "wall_minutes": minutes, "plant_minutes": minutes * speed, "messages": sum(judge.counts.values()),
        "against_the_schema": judge.invalid, "faults": judge.faults, "by_topic": dict(sorted(judge.counts.items())),
        "orders": {v: m.orders for v, m in zip(VERSIONS, managers, strict=True)}, "agvs_counts": dict(sorted(counts.items())),
        "states_with": dict(sorted((what, n) for what, n in judge.seen.items() if n)),
    }  # fmt: skip


if __name__ == "__main__":
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = int(probe.getsockname()[1])
    path = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if path is None:
        raise SystemExit("mosquitto is not installed; tests/counterparts/install.sh installs it")
    with tempfile.TemporaryDirectory() as place:
        result = run(path, Path(place), free, float(sys.argv[1]), float(sys.argv[2]))
    text = json.dumps(result, indent=1)
    if len(sys.argv) > 3:
        Path(sys.argv[3]).write_text(text + "\n", encoding="utf-8")
    print(text)
