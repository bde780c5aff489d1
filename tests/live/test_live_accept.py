"""A person accepts advice of a real twin: the AGV pauses until its reason ends, or the acceptance is undone."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest

from bridges.inbox import Answer, Command
from factory.live_connect import connect_plant
from factory.live_lookahead import Outlooks
from factory.live_record import LiveRecord, fingerprint
from factory.live_record_day import read_day
from factory.live_record_replay import Replay
from factory.scenario import load_scenario
from factory.twin import Twin

GIVEN = [
    "people.count=0",
    "people.panels=0",
    "radio.compare=[]",
    "live.mode=advise",
    "live.advice.hold_s=0.2",
    "live.advice.detour_after_s=1",
]


@pytest.fixture
def twin(tmp_path):
    running = Twin(load_scenario("small", GIVEN), beside_a_plant=True)
    line, _ = connect_plant(running, tmp_path)
    running.risk = np.zeros(running.fleet.n + len(running.cobots.names))

    def look(time_us):
        n = len(running.risk)
        return Outlooks(time_us, running.risk.copy(), np.full(n, 400_000), np.full(n, -3.0), np.full(n, -1))

    running.live.modes._look = look
    yield running
    line.stop()
    running.close()


def ask(twin, name, target="", **arguments):
    answers: list[Answer] = []
    assert twin.inbox.put(Command("page:emil", name, target, tuple(arguments.items()), answers.append))
    twin.tick()
    (answer,) = answers
    return answer


def go(twin, seconds):
    for _ in range(round(seconds * 1e6 / twin.dt_us)):
        twin.tick()


def paused(twin):
    return [twin.devices[i] for i in range(twin.fleet.n) if twin.fleet.paused(i)]


def at_risk(twin):
    """Let an AGV that drives be at risk, and return its name."""
    for _ in range(60):
        go(twin, 1.0)
        moving = np.flatnonzero(twin.fleet.state().speed_mps > 0.3)
        if moving.size:
            break
    k = int(moving[0])
    twin.risk[k] = 1.0
    go(twin, 0.5)
    return twin.devices[k], k


def test_it_pauses_until_the_risk_is_over(twin):
    name, k = at_risk(twin)
    assert paused(twin) == []  # advised, not done
    assert "is not advised" in ask(twin, "accept_advice", "agv-99", kind="agv_slow").message
    answer = ask(twin, "accept_advice", name, kind="agv_slow")
    assert answer == Answer(True, f"agv_slow for {name} is carried out while its reason stands")
    assert paused(twin) == [name]
    assert {a.act for a in twin.live.advice() if a.kind == "risk"} == {""}
    twin.risk[k] = 0.0
    go(twin, 1.0)
    assert paused(twin) == []


def test_it_is_undone_as_one_action(twin):
    name, _ = at_risk(twin)
    assert ask(twin, "accept_advice", name, kind="agv_slow").done
    assert paused(twin) == [name]
    answer = ask(twin, "undo")
    assert answer.message == f"acceptance of agv_slow for {name} is undone: agv_slow for {name} is no longer carried out"
    assert paused(twin) == []
    go(twin, 1.0)
    assert paused(twin) == []
    assert ask(twin, "undo") == Answer(False, "there is nothing to undo")


def test_a_detour_is_accepted_once_and_leaves_nothing_to_take_back(twin):
    accepted = None
    for _ in range(40):
        name, k = at_risk(twin)
        for _ in range(30):
            go(twin, 0.2)
            if any(a.kind == "agv_detour" and a.target == name for a in twin.live.advice()):
                accepted = ask(twin, "accept_advice", name, kind="agv_detour")
                break
        twin.risk[k] = 0.0
        go(twin, 1.0)
        if accepted is not None and accepted.done:
            break
    assert accepted is not None
    assert accepted.done, accepted.message  # in forty tries one had another way
    assert twin.live.modes.counts["ended"] >= 1


def test_where_nobody_looks_ahead_nothing_is_accepted():
    twin = Twin(load_scenario("small", ["people.count=0", "radio.enabled=false"]))
    try:
        answer = ask(twin, "accept_advice", "agv-01", kind="agv_slow")
        assert not answer.done
        assert "live.mode: advise" in answer.message
    finally:
        twin.close()


def test_a_day_with_accepted_advice_is_replayed(twin, tmp_path):
    record = LiveRecord(tmp_path / "day", twin)
    record.begin()
    name, k = at_risk(twin)
    assert ask(twin, "accept_advice", name, kind="agv_slow").done
    go(twin, 1.0)
    assert ask(twin, "undo").done
    go(twin, 1.0)
    other = ask(twin, "accept_advice", name, kind="risk")
    assert other.done
    twin.risk[k] = 0.0
    go(twin, 1.0)
    record.close()
    assert record.fault == ""
    with closing(Replay(read_day(tmp_path / "day"))) as replay:
        while replay.twin.time_us < twin.time_us:
            replay.tick()
        assert fingerprint(replay.twin) == fingerprint(twin)
        assert replay.twin.networks[0].policy == twin.networks[0].policy
