"""Whatever comes in at the doors of a live twin is counted under its reason, and the next sound message is taken.

One twin with all its doors open at one broker: tags, radio measurements, what people ask about the radio, a real AGV, and mapped
machines. Orders to the twin's own AGVs are in tests/bridges/test_vda5050_hostile.py and test_vda5050_agvs.py.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bridges.broker import EmbeddedBroker
from bridges.config import MqttConfig
from bridges.mqtt import Message, MqttConnection
from bridges.radio_listener import RadioListener
from bridges.tag_listener import TagListener
from bridges.vda5050.base import stamp
from bridges.vda5050.fleet_manager import FleetManager
from factory.live import start_bridges
from factory.live_connect import PlantLine
from factory.observed_feed import ObservedFeed
from factory.publish import build_view
from factory.scenario import load_scenario
from factory.twin import Twin

HOUR_S = 3600.0
MAPPING = """version: 1
sources: {gate: {kind: mqtt, max_bytes: 1000, qos: 1}}
max_waiting: 100
variables:
  - {twin: agvs.agv-03.x, source: gate, topic: plant/agv-03, path: $.x, time_path: $.ts, time_unit: s, stale_after_s: 5}
  - {twin: agvs.agv-03.y, source: gate, topic: plant/agv-03, path: $.y}
"""


class Doors:
    """A live twin at a broker, and somebody who may write everywhere."""

    def __init__(self, folder: Path, port: int) -> None:
        (folder / "m.yaml").write_text(MAPPING)
        settings = [
            "radio.enabled=false", "bridges.opcua.enabled=false", "bridges.page.enabled=false", "bridges.mqtt.host=127.0.0.1",
            f"bridges.mqtt.port={port}", "bridges.mqtt.enabled=false", "live.people_from=tags", "bridges.tags.enabled=true",
            "bridges.tags.topic=tags/#", "bridges.tags.max_waiting=10", "live.agvs_from=vda5050",
            "bridges.vda5050.real=[{manufacturer: acme, serial_number: s1, version: 2.1.0, twin: agv-02}]",
            "bridges.radio_reports.enabled=true", "bridges.radio_reports.max_waiting=10", "live.recalibration.enabled=true",
            f"bridges.mapping.file={folder / 'm.yaml'}",
        ]  # fmt: skip
        self.twin = Twin(load_scenario("small", settings), beside_a_plant=True)
        self.bridges, _ = start_bridges(
            self.twin.scenario.bridges, folder / "state", build_view(self.twin, 1.0), self.twin
        )  # fmt: skip
        line = next(b for b in self.bridges if isinstance(b, PlantLine))
        feed = next(b for b in self.bridges if isinstance(b, ObservedFeed))
        parts = {type(c): c for c in line._connections}
        self.manager: FleetManager = parts[FleetManager]  # type: ignore[assignment]
        self.tags: TagListener = parts[TagListener]  # type: ignore[assignment]
        self.radio: RadioListener = parts[RadioListener]  # type: ignore[assignment]
        self.gate, self.values = feed.sources["gate"], feed._values
        self.mouth = MqttConnection(MqttConfig(host="127.0.0.1", port=port), "somebody")
        self.mouth.start()
        for end in (self.mouth, self.manager.connection, self.tags.connection, self.radio.connection, self.gate):
            assert end.wait_connected(30)

    def say(self, topic: str, payload: Any, retain: bool = False) -> None:
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        deadline = time.monotonic() + 60
        while not self.mouth.publish(Message(topic, raw, 1, retain)):  # as many wait as may
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def until(self, condition: Callable[[], object], what: Callable[[], object]) -> None:
        """Go on with the twin until something is so."""
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, what()
            self.twin.tick()
            time.sleep(0.02)

    def stop(self) -> None:
        self.mouth.stop()
        for bridge in reversed(self.bridges):
            bridge.stop()
        self.twin.close()


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    folder = tmp_path_factory.mktemp("doors")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    broker = EmbeddedBroker(port, folder / "broker.log")
    broker.start()
    doors = Doors(folder, port)
    yield doors
    doors.stop()
    broker.stop()


def place(at_s: float = 0.0, **more: Any) -> dict[str, Any]:
    """Return a sound place of a tag, measured ``at_s`` from now, changed."""
    return {
        "position": {"type": "Point", "coordinates": [3.0, 4.0]}, "source": "z", "provider_type": "uwb", "provider_id": "tag",
        "timestamp_generated": stamp(time.time() + at_s), "accuracy": 0.1, **more,
    }  # fmt: skip


def test_tags(doors: Doors) -> None:
    bad: dict[str, Any] = {
        "json": b"{", "schema": {"version": 9}, "crs": place(crs="EPSG:25832"), "late": place(-HOUR_S), "early": place(HOUR_S),
        "accuracy": place(accuracy=50.0), "size": b" " * 1_000_001, "batch": b"[" + b"0," * 1000 + b"0]",
    }  # fmt: skip
    for payload in bad.values():
        doors.say("tags/7", payload)
    doors.say("tags/7/../$SYS/x", place(position={"type": "Point", "coordinates": [1e308, -1e308]}))
    doors.say("tags/kept", place(), retain=True)
    counts = doors.tags.reader.counts
    doors.until(lambda: all(counts[reason] for reason in (*bad, "far")), lambda: counts)
    doors.say("tags/7", [place(provider_id=f"tag-{k}") for k in range(500)])
    doors.until(lambda: counts["overflow"], lambda: counts)  # a flood: the twin takes the last ten
    doors.until(  # the flood's people are forgotten first
        lambda: doors.say("tags/7", place(provider_id="new")) or people_at(doors.twin, (3.0, 4.0)),
        lambda: (counts, doors.twin.people.position_m),
    )
    assert doors.tags.connection.counters.handler_errors == 0


def people_at(twin: Twin, at_m: tuple[float, float]) -> bool:
    """Whether somebody is there, and nobody anywhere else."""
    places = twin.people.position_m[twin.people.present]
    return len(places) > 0 and bool((abs(places - at_m) < 0.5).all())


def reading(at_s: float = 0.0, **more: Any) -> dict[str, Any]:
    """Return a sound measurement, changed."""
    return {"ue": "agv-01", "trp": "ceiling-west", "rsrp_dbm": -80.0, "time": stamp(time.time() + at_s), **more}


def test_radio_measurements_and_what_people_ask_about_them(doors: Doors) -> None:
    bad: dict[str, Any] = {
        "json": b"{", "schema": reading(rsrp_dbm="loud"), "late": reading(-HOUR_S), "early": reading(HOUR_S),
        "ue": reading(ue="agv-01/../#"), "trp": reading(trp="$SYS"), "size": b" " * 1_000_001, "batch": [reading()] * 1001,
    }  # fmt: skip
    for payload in bad.values():
        doors.say("plant/radio/gnb", payload)
    asks = [b"{", b"[]", {"ask": "open"}, {"ask": "accept"}, {"ask": "accept", "trp": "a", "as": "root"}, b" " * 1001]
    for payload in asks:
        doors.say("plant/radio-ask", payload)
    doors.say("plant/radio-ask", {"ask": "accept", "trp": "nowhere"})  # refused by the twin, not by the door
    counts = doors.radio.reader.counts
    doors.until(lambda: all(counts[reason] for reason in bad), lambda: counts)
    doors.until(lambda: doors.radio.asked_wrong == len(asks), lambda: doors.radio.asked_wrong)
    now = time.time()
    doors.say("plant/radio/gnb", [reading(time=stamp(now - 1e-3 * k)) for k in range(500, 0, -1)])
    doors.until(lambda: counts["overflow"], lambda: counts)
    before = counts["taken"]
    doors.until(lambda: doors.say("plant/radio/gnb", reading()) or counts["taken"] > before, lambda: counts)
    assert doors.radio.connection.counters.handler_errors == 0


def test_what_the_broker_kept_of_other_times_is_not_read(doors: Doors) -> None:
    """Who subscribes anew is given what was retained; so these listeners begin where it waits already."""
    mqtt, config = doors.twin.scenario.bridges.mqtt, doors.twin.scenario.bridges
    heard: set[str] = set()
    witness = MqttConnection(mqtt, "witness")
    witness.subscribe("#", 1, lambda m: heard.add(m.topic))
    witness.start()
    assert witness.wait_connected(30)
    kept = {
        "tags/kept": place(), "plant/radio/kept": reading(), "plant/radio-ask": {"ask": "accept_places"},
        "uagv/v2/acme/s1/visualization": seen(1),
    }  # fmt: skip
    for topic, payload in kept.items():
        doors.say(topic, payload, retain=True)
    doors.until(lambda: heard >= set(kept), lambda: heard)
    tags = TagListener(mqtt, config.tags)
    asked: list[Any] = []
    radio = RadioListener(mqtt, config.radio_reports, doors.twin.devices, ["ceiling-west"], lambda c: asked.append(c) is None)
    manager = FleetManager(mqtt, config.vda5050)
    for end in (tags, radio, manager):
        end.start()
    try:
        doors.until(
            lambda: tags.retained and radio.retained and radio.asked_wrong and manager.counts["retained"],
            lambda: (tags.retained, radio.retained, radio.asked_wrong, manager.counts),
        )
        assert not asked
        assert tags.reader.counts["taken"] == radio.reader.counts["taken"] == 0
        assert not manager.agvs["s1"].counts
    finally:
        for end in (tags, radio, manager, witness):
            end.stop()
        for topic in kept:
            doors.say(topic, b"", retain=True)


def seen(header_id: int, at_s: float = 0.0, **more: Any) -> dict[str, Any]:
    """Return a sound visualization of the real AGV, changed."""
    at = {"x": 5.0, "y": 8.2, "theta": 0.0, "mapId": "hall", "positionInitialized": True}
    return {
        "headerId": header_id, "timestamp": stamp(time.time() + at_s), "version": "2.1.0", "manufacturer": "acme",
        "serialNumber": "s1", "agvPosition": at, **more,
    }  # fmt: skip


def test_a_real_agv(doors: Doors) -> None:
    topic, counts, agv = "uagv/v2/acme/s1/visualization", doors.manager.counts, doors.manager.agvs["s1"]
    bad: dict[str, Any] = {
        "json": b"{", "schema": seen(1, agvPosition={"x": "here"}), "version": seen(2, version="3.0.0"),
        "addressee": seen(3, serialNumber="s2"), "size": b" " * 1_000_001,
    }  # fmt: skip
    for payload in bad.values():
        doors.say(topic, payload)
    doors.until(lambda: all(counts[reason] for reason in bad), lambda: counts)
    doors.say("uagv/v2/acme/s1/connection", {**seen(0), "connectionState": "ONLINE"})
    far = {"x": 1e308, "y": -1e308, "theta": 0.0, "mapId": "hall", "positionInitialized": True}
    doors.say(topic, seen(4, agvPosition=far))
    doors.say(topic, seen(5, velocity={"vx": 1e200}))
    doors.until(lambda: agv.counts["impossible"] == 2, lambda: agv.counts)
    # its clock is an hour wrong: what it says is taken, and the hour taken off
    header = iter(range(10, 10**6))
    doors.until(
        lambda: doors.say(topic, seen(next(header), -HOUR_S)) or agv.counts["visualization"] > 5, lambda: (agv.counts, counts)
    )
    assert agv.clock_offset_s == pytest.approx(HOUR_S, abs=30.0)
    at = pytest.approx([5.0, 8.2], abs=0.05)
    doors.until(
        lambda: doors.say(topic, seen(next(header), -HOUR_S)) or doors.twin.agvs.position_m[1].tolist() == at,
        lambda: doors.twin.agvs.position_m,
    )
    # two vehicles under one serial number: each counts for itself
    first, second = iter(range(1000, 10**6)), iter(range(500_000, 10**6))
    doors.until(
        lambda: doors.say(topic, seen(next(first), -HOUR_S)) or doors.say(topic, seen(next(second), -HOUR_S))
        or agv.counts["two_senders"],
        lambda: agv.counts,
    )  # fmt: skip
    assert doors.manager.connection.counters.handler_errors == 0


def test_mapped_machines(doors: Doors) -> None:
    topic, now = "plant/agv-03", time.time()
    x, y = doors.values.counts
    gate: Any = doors.gate
    doors.say(topic, {"x": 3.0, "y": 4.0, "ts": now}, retain=True)
    wrong = ({"x": 3.0, "ts": now}, {"x": "here", "y": 1e9, "ts": now}, {"x": 3.0, "ts": "now"})
    for payload in (b"{", b"\xff", b" " * 1001, *wrong):
        doors.say(topic, payload)
    doors.say(topic, {"x": 1.0, "y": 1.0, "ts": now + HOUR_S})  # from the future: taken for now
    doors.until(lambda: x["early"], lambda: (x, y, gate.counts))
    assert gate.counts["json"] == 2
    assert gate.counts["size"] == 1
    assert (x["type"], y["missing"], y["range"], x["time"]) == (1, 2, 1, 1)
    for k in range(50):
        doors.say(topic, {"x": 2.0, "y": 2.0, "ts": now - HOUR_S + k})
    doors.until(lambda: x["out_of_order"], lambda: x)
    for _ in range(300):
        doors.say(topic, {"x": 2.0, "y": 2.0, "ts": now})
    doors.until(lambda: doors.values.overflow or y["taken"] > 340, lambda: (y, doors.values.overflow))
    doors.until(
        lambda: doors.say(topic, {"x": 6.0, "y": 8.2, "ts": time.time()})
        or doors.twin.agvs.position_m[2].tolist() == pytest.approx([6.0, 8.2], abs=0.05),
        lambda: doors.twin.agvs.position_m,
    )  # fmt: skip
    doors.say(topic, b"", retain=True)
    assert gate._connection.counters.handler_errors == 0
