"""Cobots that hand parts to people, carry loads and keep the separation that the standard asks for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from robots.cobot import Cobots
from robots.config import RobotsConfig
from robots.kinematics import JOINT_SPEED_LIMIT_RAD_PER_S, tool_position
from robots.safety import protective_separation_m, stopping_time_s
from robots.state import HANDOVER, PERSON_NEAR, WORKING

DT_US = 10_000
FAR, FRESH = np.full(1, np.inf), np.zeros(1, np.int64)


def _cobot(safety=None, **more):
    raw = {"cobots": [{"name": "c1", "position_m": (5.0, 5.0, 0.8), "yaw_deg": 90.0, **more}], "safety": safety or {}}
    return Cobots(RobotsConfig.model_validate(raw), np.random.default_rng(3), survival_time_us=10_000)


def _run(cobots, seconds, separation=FAR, taker=None, start_us=0):
    for k in range(1, round(seconds * 100) + 1):
        cobots.step(start_us + k * DT_US, DT_US, FRESH, separation, taker_m=taker)
        yield cobots.state()


def test_parts_are_held_out_only_where_somebody_waits_and_taken_from_a_standing_arm():
    cobots = _cobot(handover={"every_parts": 2, "azimuth_deg": 20.0, "reach_m": 0.6, "take_s": 1.0})
    assert cobots.handover_m[0] == pytest.approx([5.0 - 0.6 * np.sin(np.deg2rad(20)), 5.0 + 0.6 * np.cos(np.deg2rad(20))])
    assert all(s.mode[0] == WORKING for s in _run(cobots, 60))
    before = cobots.production()["parts"]
    waited, held = 0, None
    for state in _run(cobots, 60, taker=np.array([0.7]), start_us=60_000_000):
        if state.mode[0] == HANDOVER:
            waited += 1
            held = tool_position(state.joint_target_rad[0]) if state.speed_scale[0] == 0 else held
    assert held == pytest.approx([0.6 * np.cos(np.deg2rad(20)), 0.6 * np.sin(np.deg2rad(20)), 0.3], abs=1e-9)
    ledger = cobots.production()
    assert ledger["handovers"] >= 2
    assert ledger["parts"] > before
    # Each costs the time to come to a stand and the second that a person needs.
    assert 1.0 < waited / 100 / ledger["handovers"] < 1.5
    assert "handover" not in ledger["stops"]
    assert ledger["minutes_lost"]["handover"] * 60 > ledger["handovers"]


def test_a_part_that_nobody_takes_is_put_down_after_the_patience():
    cobots = _cobot(handover={"every_parts": 1, "patience_s": 5.0})
    states = list(_run(cobots, 40, taker=np.array([2.0])))  # somebody waits, out of reach
    waiting = [s.mode[0] == HANDOVER for s in states]
    assert 500 <= sum(waiting) <= 1600
    assert cobots.production()["handovers"] == 0
    assert cobots.production()["parts"] >= 2
    joints = np.array([s.joint_target_rad[0] for s in states])
    assert (np.abs(np.diff(joints, axis=0)) <= JOINT_SPEED_LIMIT_RAD_PER_S * 0.01 + 1e-12).all()


def test_a_tool_carries_from_the_grip_to_the_release_or_the_taking():
    cobots = _cobot(cycle_s=8.0)
    carries = np.array([s.carrying[0] for s in _run(cobots, 80)])
    assert 0.3 < carries.mean() < 0.7
    assert np.abs(np.diff(carries.astype(int))).sum() in (19, 20, 21)


def test_loads_lengthen_the_stop_and_slow_the_arm_near_people():
    light, heavy = _cobot(), _cobot(payload_kg=14.0)
    assert stopping_time_s(light.safety, 7.0) == pytest.approx(0.4)
    slow = [list(_run(c, 2, np.array([0.7])))[-1].permitted_scale[0] for c in (light, heavy)]
    assert slow[1] < slow[0] < 1


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.integers(0, 10_000), st.floats(0.0, 14.0))
def test_the_required_separation_is_kept_whatever_way_people_come(seed, payload):
    rng, cobots = np.random.default_rng(seed), _cobot(payload_kg=payload)
    safety = cobots.safety
    stopping_s = stopping_time_s(safety, payload)
    distance, toward, least = 4.0, 0.0, np.inf
    for k in range(1, 1500):
        if k % 25 == 1:
            toward = rng.uniform(-safety.human_speed_mps, safety.human_speed_mps)
        scale = cobots.state().speed_scale[0]
        # The arm may come towards the person too, as fast as it is.
        distance = max(distance - 0.01 * (toward + scale * safety.cobot_speed_mps * rng.random()), 0.0)
        age = np.array([rng.choice([0, 0, 10_000])])
        if scale > 0:
            delay_s = safety.reaction_time_s + age[0] * 1e-6
            required = protective_separation_m(safety.human_speed_mps, scale, delay_s, scale * stopping_s, 0.1, 0.05, 0.05)
            least = min(least, distance - required)
        cobots.step(k * DT_US, DT_US, age, np.array([distance]))
    log = cobots.production()["separation"]
    assert log["not_kept"] == 0
    assert least >= -1e-9
    assert log["least_margin_m"] == pytest.approx(least, abs=1e-9)


def test_the_log_tells_a_separation_that_was_not_kept():
    cobots = _cobot()
    list(_run(cobots, 1))
    list(_run(cobots, 1, np.array([0.05]), start_us=1_000_000))  # somebody out of nowhere
    log = cobots.production()["separation"]
    assert log["not_kept"] == 1
    assert log["deepest_m"] > 0.5
    assert log["least_m"] == 0.05
    assert log["slowed"] == log["stopped"] == 1
    assert log["slowed_min"] * 60 == pytest.approx(1.0, abs=0.011)  # a step late
    assert cobots.state().mode[0] == PERSON_NEAR


@pytest.mark.parametrize(
    ("more", "safety", "words"),
    [
        ({"handover": {"reach_m": 0.75, "height_m": 0.7}}, {}, "reach"),
        ({}, {"cobot_speed_mps": 0.5}, "cobot_speed_mps: 0.5 m/s is less than"),
        ({"payload_kg": 15.0}, {}, "payload_kg"),
    ],
)
def test_what_an_arm_cannot_do_is_refused(more, safety, words):
    with pytest.raises(ValidationError, match=words):
        _cobot(safety, **more)
