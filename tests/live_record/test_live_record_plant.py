"""A day beside a plant is replayed bit by bit: tagged people, a shadowed AGV, radio measurements, and the twin's own acts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridges.inbox import Command
from bridges.radio_reports import RadioReportReader
from bridges.tags import TagReader
from bridges.vda5050.base import stamp
from bridges.vda5050.shadow import AgvObservations
from factory.kpi import collect
from factory.live_agvs import LiveAgvs
from factory.live_connect import PauseSimulated, SetPolicy
from factory.live_people import LivePeople
from factory.live_radio import LiveRadio
from factory.live_record import LiveRecord, fingerprint
from factory.live_record_day import read_day
from factory.live_record_replay import Replay, branch_commands
from factory.live_twin import LiveTwin
from factory.scenario import load_scenario
from factory.twin import Twin
from humans.tracked_crowd import TrackedCrowd

BEGAN_S = 1_767_225_600.123456
TICKS = 450
NAMES = ("tag-of-anna", "tag-of-bert")
SETTINGS = [
    "seed=6", "live.people_from=tags", "live.max_people=3", "bridges.tags.enabled=true", "live.agvs_from=vda5050",
    "bridges.vda5050.real=[{manufacturer: acme, serial_number: s1, version: 2.1.0, twin: agv-02}]",
    "bridges.radio_reports.enabled=true", "bridges.mqtt.enabled=true", "live.recalibration.enabled=true", "live.mode=act",
    "live.may=[radio_policy, agv_pause, radio_offsets]", "bridges.vda5050.may_send=[instantActions]",
]  # fmt: skip


def state_of(twin: Twin) -> str:
    """Hash more than the fingerprint does: tracks, shadows, links and offsets too."""
    assert isinstance(twin.crowd, TrackedCrowd)
    assert twin.live is not None
    assert twin.live.agvs is not None
    assert twin.live.radio is not None
    digest = hashlib.blake2b(fingerprint(twin).encode())
    known, shadow = twin.crowd.estimate, twin.live.agvs.estimate(twin.time_us)
    parts: list[np.ndarray] = [known.sigma_m, known.age_us, shadow.position_m, shadow.sigma_m, twin.live.agvs.online]
    parts += [twin.live.radio.recalibration.recalibrator.offset_db, twin.live.radio.applied_db]
    parts += [network.state.sinr_dl_db for network in twin.networks if network.state is not None]
    for part in parts:
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest() + twin.networks[0].policy


class Plant:
    """A plant at the doors of a live twin: its clock jumps, its people wear tags, one AGV drives, devices measure."""

    def __init__(self, twin: Twin) -> None:
        self.twin, self.now_s = twin, BEGAN_S
        scenario, self._rng = twin.scenario, np.random.default_rng(3)
        self.tags = TagReader(scenario.bridges.tags)
        self.reports = RadioReportReader(scenario.bridges.radio_reports, twin.devices, [trp.name for trp in scenario.radio.trps])
        self._agv_s = np.nan
        assert isinstance(twin.crowd, TrackedCrowd)
        people = LivePeople(twin.crowd, self.tags.drain, 0.01)
        agvs = LiveAgvs(self._observe, (1,), scenario.live.shadows)
        radio = LiveRadio(twin, scenario.live.recalibration, self.reports.drain, corrects=True)
        LiveTwin(twin, people, agvs, self, now=lambda: self.now_s, radio=radio)  # type: ignore[arg-type]
        self.ahead = None
        self._pause, self._policy = PauseSimulated(twin), SetPolicy(twin, "static")

    def step(self, k: int) -> None:
        """Let what happens before tick ``k`` come in."""
        at_s = BEGAN_S + k * 0.01
        self.now_s = at_s + float(self._rng.uniform(0.0, 0.02)) + (0.5 if k > 220 else 0.0)
        if k % 20 == 0:
            for i, name in enumerate(NAMES):
                self.tags.take(json.dumps(self._location(name, 4.0 + 0.01 * k, 4.0 + 3 * i)).encode(), self.now_s)
        if k % 10 == 5:
            trps = [trp.name for trp in self.twin.scenario.radio.trps]
            told = [
                {"ue": ue, "trp": trp, "rsrp_dbm": float(self._rng.normal(-80.0, 2.0)), "time": stamp(self.now_s - 0.05)}
                for ue in self.twin.devices[:3]
                for trp in trps
            ]
            self.reports.take(json.dumps(told).encode(), self.now_s)
        if k == 100:
            self.twin.inbox.put(Command("opcua:carla", "stop_agv", self.twin.devices[3]))
        if k == 330:
            self.twin.inbox.put(Command("mqtt:radio", "radio_accept_places"))

    def _location(self, name: str, x: float, y: float) -> dict[str, Any]:
        x, y = (float(v) for v in self._rng.normal((x, y), 0.05))
        return {
            "position": {"type": "Point", "coordinates": [x, y]}, "source": "zone", "provider_type": f"maker of {name}",
            "provider_id": name, "timestamp_generated": stamp(self.now_s - 0.1), "accuracy": 0.1,
        }  # fmt: skip

    def _observe(self, now_s: float) -> AgvObservations:
        one = np.ones(1)
        if int(now_s * 5) != int(self._agv_s * 5 if np.isfinite(self._agv_s) else -1):
            self._agv_s = now_s - 0.15
        x = 2.0 + (self._agv_s - BEGAN_S)
        return AgvObservations(
            ("s1",), np.array([now_s < BEGAN_S + 3.0]), np.array([self._agv_s]), np.array([now_s - self._agv_s]),
            np.array([[x, 8.2]]), 0.0 * one, np.array([[1.0, 0.0]]), np.array([np.nan]), one, one > 0, 0.0 * one, ("",), (0,),
            ("",), ((),),
        )  # fmt: skip

    def look(self, time_us: int) -> None:
        """Act, as the modes would: from within the tick."""
        if time_us == 2_000_000:
            assert self._policy.begin("network") == ""
            assert self._pause.begin(self.twin.devices[2]) == ""
        if time_us == 3_500_000:
            assert self._policy.end("network") == ""
            assert self._pause.end(self.twin.devices[2]) == ""

    def published(self) -> tuple[()]:
        """Return nothing."""
        return ()


class Day:
    """A recorded day: its folder, the state after each tick, and the figures in the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        twin = Twin(load_scenario("small", SETTINGS), beside_a_plant=True)
        plant, record = Plant(twin), LiveRecord(folder, twin)
        record.begin()
        self.states: list[str] = []
        for k in range(TICKS):
            plant.step(k)
            twin.tick()
            twin.stops.take()
            self.states.append(state_of(twin))
        record.close()
        assert record.fault == ""
        self.figures = json.dumps(collect(twin))
        self.people_seen = int(twin.people.present.sum())
        self.measured = twin.live.radio.view().used if twin.live is not None and twin.live.radio is not None else 0
        twin.close()


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    return Day(tmp_path_factory.mktemp("plant") / "day")


@pytest.fixture
def replay(day: Day) -> Iterator[Replay]:
    replay = Replay(read_day(day.folder))
    yield replay
    replay.close()


def test_every_tick_of_the_replay_is_that_of_the_day(day: Day, replay: Replay) -> None:
    assert day.people_seen == len(NAMES)
    assert day.measured > 0
    ended: list[Any] = []
    take = replay.twin.stops.take
    replay.twin.stops.take = lambda: ended.extend(take()) or []  # type: ignore[method-assign, func-returns-value]
    for k in range(TICKS):
        replay.tick()
        assert state_of(replay.twin) == day.states[k], f"tick {k}"
    assert json.dumps(collect(replay.twin)) == day.figures
    assert len(set(day.states)) == TICKS
    assert ended  # stops did end, and none of them is kept
    assert take() == []


def test_a_moment_can_be_returned_to_and_branched(day: Day, replay: Replay) -> None:
    middle, ahead = TICKS // 2, 150
    replay.run(middle * 10_000)
    recorded, same = replay.branch([], ahead / 100)
    assert json.dumps(recorded) == json.dumps(same)  # what came in after the moment came in twice
    assert state_of(replay.twin) == day.states[middle + ahead - 1]
    _, changed = replay.branch(branch_commands(["trp_off=ceiling-west"]), 0.5)
    assert state_of(replay.twin) != day.states[middle + ahead + 49]
    assert changed["simulated_s"] == (middle + ahead + 50) / 100


def test_nobody_is_named_and_nobody_else_may_read(day: Day) -> None:
    files = list(day.folder.iterdir())
    text = b"".join(file.read_bytes() for file in files)
    for name in ("anna", "bert", "carla", "maker of"):
        assert name.encode() not in text
    assert b'"kind":"tags"' in text
    assert day.folder.stat().st_mode & 0o077 == 0


def test_the_clock_is_written_where_it_moved_and_not_with_every_tick(day: Day) -> None:
    rows = [json.loads(line) for line in (day.folder / "inputs.jsonl").read_text().splitlines()]
    clocks = [row["t"] for row in rows if row["kind"] == "clock"]
    assert clocks == [0, 2_210_000]
    own = [(row["t"], row["name"]) for row in rows if row.get("own")]
    begin, end = ("set_policy", "stop_agv"), ("set_policy", "release_agv")
    assert own == [(2_000_000, name) for name in begin] + [(3_500_000, name) for name in end]
