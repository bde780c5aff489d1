"""Hours of a live twin beside a plant, as fast as the machine goes: ``python -m tests.live.soak --hours 8 --output F``.

The plant is a second twin without radio. Its people wear tags (10 cm, 5 Hz, 100 ms), and one of its AGVs is real: both tell the
live twin by the doors' own readers, on a clock as fast as the ticks. The live twin looks ahead, advises and pauses AGVs.
It is served as ever, by page, MQTT with its own broker and OPC UA in a process of its own, while peers misbehave: a page viewer
and an MQTT subscriber that never read what they asked for, clients that come and are gone without goodbye, and messages without
sense at the door of the tags. Told every ten minutes of twin time are the memory of the twin (RSS), its threads, and the longest
that a tick and the handing over of views took [ms].
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import socket
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from bridges.credentials import hash_password
from bridges.tags import TagReader, TagsConfig
from bridges.vda5050.base import stamp
from bridges.vda5050.shadow import AgvObservations
from factory.live import settle, start_bridges
from factory.live_agvs import LiveAgvs
from factory.live_connect import PauseSimulated, machines_of
from factory.live_lookahead import Lookahead
from factory.live_modes import Modes
from factory.live_people import LivePeople
from factory.live_twin import LiveTwin
from factory.publish import Publisher
from factory.rooms import generator
from factory.scenario import load_scenario
from factory.twin import Twin
from humans.tags import TagStream, WatchConfig
from humans.tracked_crowd import TrackedCrowd
from robots.shadows import ShadowConfig

TAGS = WatchConfig(tag_sigma_m=0.1, tag_rate_hz=5.0, tag_delay_ms=100.0, tag_gap_share=0.05)
BEGAN_S = 1_767_225_600.0
TOLD_US = 600_000_000
VISIT_US = 60_000_000
REAL_AGV = 1
PASSWORD = "of the soak alone"


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def rss_mb() -> float:
    """Return the memory of this process that is in use [MB]."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1000.0
    raise OSError("no VmRSS in /proc/self/status")


class Plant:
    """A simulated hall and what it tells.

    Parameters
    ----------
    reader : the door of the tags. seed : of people, tags and nonsense.
    """

    def __init__(self, reader: TagReader, seed: int) -> None:
        self.twin = Twin(load_scenario("small", ["radio.enabled=false", f"seed={seed}", "clock.tick_hz=50"]))
        self._tags = TagStream(len(self.twin.people.present), TAGS, generator(seed, "tags"))
        self._reader, self._rng = reader, generator(seed, "nonsense")
        self._past: list[tuple[float, np.ndarray, np.ndarray, float]] = []

    @property
    def now_s(self) -> float:
        """The plant's clock, seconds since 1970."""
        return BEGAN_S + self.twin.time_us / 1e6

    def step(self) -> None:
        """Go on by a tick and send what the tags told."""
        people = self.twin.tick().people
        self.twin.stops.take()
        self.twin.tracker.take()
        agvs = self.twin.agvs
        self._past = [
            *self._past,
            (self.now_s, agvs.position_m[REAL_AGV], agvs.velocity_mps[REAL_AGV], agvs.heading_rad[REAL_AGV]),
        ][-20:]
        for report in self._tags.read(self.twin.time_us, people.position_m, people.present):
            at_s = BEGAN_S + report.time_us / 1e6
            for i in np.flatnonzero(report.heard):
                self._send(f"tag-{i}", at_s, report.position_m[i])
        if self.twin.time_us % 1_000_000 == 0:
            self._reader.take(self._rng.bytes(40), self.now_s)

    def _send(self, tag: str, at_s: float, place_m: np.ndarray) -> None:
        message = {
            "position": {"type": "Point", "coordinates": [float(place_m[0]), float(place_m[1])]}, "source": "hall",
            "provider_type": "uwb", "provider_id": tag, "timestamp_generated": stamp(at_s), "accuracy": 0.1,
        }  # fmt: skip
        self._reader.take(json.dumps(message).encode(), self.now_s)

    def observe(self, now_s: float) -> AgvObservations:
        """Return what the real AGV told last: every 200 ms, 150 ms late."""
        at_s = np.floor((now_s - 0.15) * 5.0) / 5.0
        past = [row for row in self._past if row[0] <= at_s + 1e-6] or self._past[:1]
        when, place, velocity, heading = past[-1]
        one = np.ones(1)
        return AgvObservations(
            ("real-1",), one > 0, np.array([when]), np.array([now_s - when]), place.reshape(1, -1)[:, :2], heading * one,
            velocity.reshape(1, -1)[:, :2], 0.0 * one, one, one > 0, 0.0 * one, ("",), (0,), ("",), ((),),
        )  # fmt: skip


def misbehave(page_url: str, mqtt_port: int, opcua_port: int, cookie: str) -> Iterator[None]:
    """Come as a peer that does not read, or is gone at once; each step is one visit."""
    kept: list[socket.socket] = []
    host, port = page_url.split("//")[1].rstrip("/").split(":")
    upgrade = (
        f"GET /api/socket HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Origin: {page_url.rstrip('/')}\r\nCookie: {cookie}\r\n\r\n"
    ).encode()
    name = b"\x00\x04soak"
    connect = b"\x10" + bytes([10 + len(name)]) + b"\x00\x04MQTT\x04\x02\x00\x00" + name
    subscribe = b"\x82\x06\x00\x01\x00\x01#\x00"
    while True:
        for at, first in ((int(port), upgrade), (mqtt_port, connect + subscribe), (opcua_port, b"HELF" + os.urandom(28))):
            try:
                peer = socket.create_connection(("127.0.0.1", at), 5.0)
                peer.sendall(first)
                kept.append(peer)
            except OSError:
                continue  # the server had enough of it
        while len(kept) > 6:
            kept.pop(0).close()
        yield


def run(hours: float, seed: int, output: Path | None) -> dict[str, Any]:
    """Let the hours pass; the result is written at every ten minutes of them."""
    folder = Path(tempfile.mkdtemp())
    (folder / "users.txt").write_text(f"soak:engineer:{hash_password(PASSWORD)}\n", encoding="utf-8")
    ports = [free_port() for _ in range(3)]
    given = [
        "live.people_from=tags", "bridges.tags.enabled=true", "live.max_people=8", "live.mode=act", "live.may=[agv_pause]",
        "clock.tick_hz=50", "bridges.mqtt.enabled=true", f"bridges.mqtt.port={ports[0]}", "bridges.opcua.enabled=true",
        f"bridges.opcua.port={ports[1]}", "bridges.page.enabled=true", f"bridges.page.port={ports[2]}", f"seed={seed}",
        f"bridges.page.user_file={folder / 'users.txt'}",
    ]  # fmt: skip
    twin = Twin(load_scenario("small", given), beside_a_plant=True)
    quiet = twin.scenario.bridges.model_copy(update={"tags": twin.scenario.bridges.tags.model_copy(update={"enabled": False})})
    reader = TagReader(TagsConfig(enabled=True))
    plant = Plant(reader, seed)
    publisher = Publisher(twin)
    live = twin.scenario.live
    bridges, _ = start_bridges(quiet, folder, publisher.view(1.0), twin)
    for bridge in [b for b in bridges if type(b).__name__ == "PlantLine"]:  # its tags come by the wall's clock
        bridge.stop()
        bridges.remove(bridge)
    look = Lookahead(twin, live.advice.horizons_ms).look
    modes = Modes(
        live, look, lambda: machines_of(twin), [t.name for t in twin.scenario.radio.trps], {"agv_pause": PauseSimulated(twin)},
        folder / "live",
    )  # fmt: skip
    assert isinstance(twin.crowd, TrackedCrowd)
    people = LivePeople(twin.crowd, reader.drain, 0.01)
    LiveTwin(twin, people, LiveAgvs(plant.observe, (REAL_AGV,), ShadowConfig()), modes, now=lambda: plant.now_s)
    page = next(b for b in bridges if type(b).__name__ == "Page")
    with httpx.Client(base_url=page.url, trust_env=False) as client:
        client.post("/api/login", json={"user": "soak", "password": PASSWORD}).raise_for_status()
        cookie = "; ".join(f"{k}={v}" for k, v in client.cookies.items())
    visits = misbehave(page.url, ports[0], ports[1], cookie)
    rows: list[dict[str, Any]] = []
    result: dict[str, Any] = {
        "command": f"python -m tests.live.soak --hours {hours:g} --seed {seed}", "date": datetime.now(UTC).date().isoformat(),
        "machine": {"processor": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}, "rows": rows,
    }  # fmt: skip
    settle()
    began, longest_tick, longest_publish = time.monotonic(), 0.0, 0.0
    try:
        while twin.time_us < hours * 3.6e9:
            plant.step()
            start = time.monotonic()
            tick = twin.tick()
            publisher.watch(tick)
            twin.stops.take()
            page.add(tick)
            ticked = time.monotonic()
            longest_tick = max(longest_tick, ticked - start)
            if twin.time_us % 100_000 == 0:
                view = publisher.view(1.0)
                twin.tracker.take()
                start = time.monotonic()
                for bridge in bridges:
                    bridge.publish(view)
                longest_publish = max(longest_publish, time.monotonic() - start)
            if twin.time_us % VISIT_US == 0:
                next(visits)
            if twin.time_us % TOLD_US == 0:
                threads = len(list(Path("/proc/self/task").iterdir()))
                rows.append(
                    {
                        "hours": round(twin.time_us / 3.6e9, 3),
                        "wall_s": round(time.monotonic() - began, 1),
                        "rss_mb": round(rss_mb(), 1),
                        "threads": threads,
                        "people": int(twin.people.present.sum()),
                        "longest_tick_ms": round(1e3 * longest_tick, 1),
                        "longest_handing_over_ms": round(1e3 * longest_publish, 1),
                        "tags": dict(reader.counts),
                        "advice": dict(modes.counts),
                    }
                )
                longest_tick = longest_publish = 0.0
                print(json.dumps(rows[-1]), flush=True)
                if output is not None:
                    output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    finally:
        modes.stop(twin.time_us)
        for bridge in reversed(bridges):
            bridge.stop()
        twin.close()
        plant.twin.close()
    return result


def main() -> None:
    """Run; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=8.0, help="twin time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    logging.getLogger("bridges").setLevel(logging.ERROR)  # nonsense is told of every second
    run(given.hours, given.seed, given.output)


if __name__ == "__main__":
    main()
