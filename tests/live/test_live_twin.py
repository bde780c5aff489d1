"""A whole twin beside a simulated plant: people follow their tags, AGVs their shadows, and what leaves names nobody."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from bridges.tags import TagObservations
from bridges.vda5050.shadow import AgvObservations
from factory.live_agvs import LiveAgvs
from factory.live_connect import PauseSimulated, SetPolicy, machines_of
from factory.live_lookahead import Lookahead
from factory.live_people import LivePeople, PlantClock
from factory.live_twin import LiveTwin
from factory.publish import build_view
from factory.scenario import load_scenario
from factory.twin import Twin
from humans.tracked_crowd import TrackedCrowd
from robots.shadows import ShadowConfig

SET = ["live.people_from=tags", "bridges.tags.enabled=true", "live.max_people=3"]
BEGAN_S = 1_767_225_600.0


@pytest.fixture
def clock():
    return {"s": BEGAN_S}


def tagged_twin(clock, *more):
    twin = Twin(load_scenario("small", [*SET, *more]), beside_a_plant=True)
    waiting = []

    def drain():
        rows, waiting[:] = list(waiting), []
        tag, at, x, y = (np.array(c) for c in zip(*rows, strict=True)) if rows else (np.zeros(0),) * 4
        places = np.stack([x, y], axis=1) if rows else np.zeros((0, 2))
        return TagObservations(tag.astype(np.int64), at, places, np.full(len(rows), 0.1), ("uwb",) * len(rows), 1)

    assert isinstance(twin.crowd, TrackedCrowd)
    LiveTwin(twin, LivePeople(twin.crowd, drain, 0.01), now=lambda: clock["s"])
    return twin, waiting


def run(twin, clock, seconds, waiting=None, walk=None):
    for _ in range(round(seconds * 100)):
        at = clock["s"] - BEGAN_S
        if walk is not None and round(at * 100) % 20 == 0:
            waiting.append((77, clock["s"] - 0.1, *walk(at - 0.1)))
        twin.tick()
        clock["s"] += 0.01


def test_people_follow_their_tags_and_are_forgotten(clock):
    twin, waiting = tagged_twin(clock)
    try:
        run(twin, clock, 0.5)
        assert not twin.people.present.any()
        run(twin, clock, 4.0, waiting, lambda at: (3.0 + 1.0 * at, 4.0))
        assert twin.people.present.sum() == 1
        i = int(np.flatnonzero(twin.people.present)[0])
        assert twin.people.position_m[i] == pytest.approx([3.0 + (twin.time_us * 1e-6), 4.0], abs=0.25)
        assert twin.people.velocity_mps[i] == pytest.approx([1.0, 0.0], abs=0.35)
        assert abs(twin.people.heading_rad[i]) < 0.3
        head = twin.people.capsule_b[i, :, 2].max()
        assert 1.2 < head < 2.1
        view = build_view(twin, 1.0)
        assert sum(z.people for z in view.zones) == 1
        people = view.assets[-1]
        assert (people.id, people.known, people.fresh) == ("people", 1, True)
        assert 0.0 <= people.age_s < 0.35
        assert people.offset_m < 0.5
        assert people.skill > 0.5
        text = json.dumps(view.to_json_dict())
        assert "77" not in [w.strip('":,') for w in text.split()]
        run(twin, clock, 5.5)
        assert not twin.people.present.any()
        assert build_view(twin, 1.0).assets[-1].known == 0
    finally:
        twin.close()


def test_a_pause_of_the_twin_does_not_make_people_jump_in_time(clock):
    twin, waiting = tagged_twin(clock)
    try:
        run(twin, clock, 2.0, waiting, lambda at: (6.0, 4.0))
        clock["s"] += 2.0  # nobody ticks, the plant goes on
        run(twin, clock, 0.05)
        known = twin.crowd.estimate
        assert 1.9e6 < known.age_us[known.age_us >= 0].max() < 2.5e6
        run(twin, clock, 1.0, waiting, lambda at: (6.0, 4.0))
        assert build_view(twin, 1.0).assets[-1].age_s < 0.35
    finally:
        twin.close()


def test_new_pseudonyms_begin_new_tracks(clock):
    twin, waiting = tagged_twin(clock)
    try:
        run(twin, clock, 2.0, waiting, lambda at: (6.0, 4.0))
        live = twin.live.people
        live._epoch = 0  # as if the places so far were of an older epoch
        run(twin, clock, 1.0, waiting, lambda at: (6.0, 4.0))
        assert twin.people.present.sum() == 1
    finally:
        twin.close()


def test_the_clock_holds_still_while_ticks_come_late_and_moves_after_a_gap():
    clock = PlantClock()
    with pytest.raises(ValueError, match="follows nothing"):
        clock.to_twin_us(1.0)
    assert clock.follow(0, 100.0) == 0
    assert clock.follow(10_000, 100.04) == 0
    assert clock.to_twin_us(100.02) == 20_000
    assert clock.follow(20_000, 101.02) == -1_000_000
    assert clock.to_twin_us(101.02) == 20_000


def observed(at_s, now_s, x, speed=1.0):
    one = np.ones(1)
    return AgvObservations(
        ("s1",), one > 0, np.array([at_s]), np.array([now_s - at_s]), np.array([[x, 4.0]]), 0.0 * one, np.array([[speed, 0.0]]),
        0.0 * one, one, one > 0, 0.0 * one, ("",), (0,), ("",), ((),),
    )  # fmt: skip


def test_a_real_agv_stands_in_the_twin_where_it_says_and_further_on_by_what_passed(clock):
    twin = Twin(load_scenario("small"), beside_a_plant=True)
    try:
        simulated = twin.agvs.position_m.copy()

        def observe(now_s):
            at = np.floor((now_s - 0.15) * 5.0) / 5.0
            return observed(at, now_s, 2.0 + (at - BEGAN_S))

        LiveTwin(twin, agvs=LiveAgvs(observe, (1,), ShadowConfig()), now=lambda: clock["s"])
        run(twin, clock, 3.0)
        at = clock["s"] - 0.01 - BEGAN_S
        assert twin.agvs.position_m[1] == pytest.approx([2.0 + at, 4.0], abs=0.05)
        assert twin.agvs_ahead(500_000).position_m[1] == pytest.approx([2.5 + at, 4.0], abs=0.08)
        assert not np.array_equal(twin.agvs.position_m[1], simulated[1])
        asset = build_view(twin, 1.0).assets[0]
        assert (asset.id, asset.fresh) == (twin.devices[1], True)
        assert 0.1 < asset.age_s < 0.4
        assert asset.offset_m < 0.1
        assert asset.skill > 0.9
    finally:
        twin.close()


def test_looking_ahead_leaves_no_trace_and_sees_who_will_stand_in_the_way():
    runs = []
    for looks in (False, True):
        twin = Twin(load_scenario("small", ["seed=3"]))
        try:
            look = Lookahead(twin, (400, 800)).look
            for k in range(150):
                twin.tick()
                if looks and k % 20 == 19:
                    seen = look(twin.time_us)
            runs.append((twin.people.position_m.copy(), twin.networks[0].state.sinr_dl_db.copy(), twin.agvs.position_m.copy()))
        finally:
            twin.close()
    for a, b in zip(*runs, strict=True):
        assert np.array_equal(a, b, equal_nan=True)
    m = len(seen.risk)
    assert ((0.0 <= seen.risk) & (seen.risk <= 1.0)).all()
    assert set(seen.ahead_us.tolist()) <= {400_000, 800_000}
    assert len(seen.margin_db) == m


def test_the_margin_ahead_is_the_margin_then(clock):
    """Nobody moves: people and machines as they are, so what is expected is what is."""
    twin = Twin(load_scenario("small", ["seed=3"]))
    try:
        for _ in range(100):
            twin.tick()
        still = dataclasses.replace(twin.people, tracked_velocity_mps=np.zeros_like(twin.people.tracked_velocity_mps))
        twin.people = still
        twin.agvs_ahead = lambda horizon_us: twin.agvs
        look = Lookahead(twin, (100,))
        seen = look.look(twin.time_us)
        now = look._margin.of(twin.networks[0].state, twin.networks[0].plan.trp)[: twin.n_machines]
        assert seen.margin_db == pytest.approx(now, abs=0.5)
    finally:
        twin.close()


def test_acts_of_the_twin_itself_are_done_and_taken_back():
    twin = Twin(load_scenario("small"))
    try:
        for _ in range(20):
            twin.tick()
        pause, name = PauseSimulated(twin), twin.devices[0]
        assert pause.begin(name) == ""
        assert twin.fleet.paused(0)
        assert "already" in pause.begin(name)
        assert pause.end(name) == ""
        assert not twin.fleet.paused(0)
        assert pause.end(name) == ""  # nothing to take back
        assert "unknown" in pause.begin("agv-99")
        before = twin.networks[0].policy
        other = "static" if before != "static" else "reactive"
        policy = SetPolicy(twin, other)
        assert policy.begin("network") == ""
        assert twin.networks[0].policy == other
        assert "already" in policy.begin("network")
        assert policy.end("network") == ""
        assert twin.networks[0].policy == before
        machines = machines_of(twin)
        assert machines.name[:1] == twin.devices[:1]
        assert len(machines.lane) == machines.n_agv == twin.fleet.n
    finally:
        twin.close()


def test_another_speed_is_refused_while_the_plant_sets_the_pace(clock):
    from bridges.inbox import Command

    twin, _ = tagged_twin(clock)
    try:
        answers = []
        twin.steering.apply([Command("test", "set_speed", arguments=(("factor", 2.0),), reply=answers.append)])
        assert not answers[0].done
        assert "plant" in answers[0].message
    finally:
        twin.close()
