"""Cobots: kinematics against the URDF, cycles, slowing and stopping for people, the watchdog."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robots.cobot import Cobots
from robots.config import RobotsConfig
from robots.kinematics import JOINT_LIMIT_RAD, JOINT_SPEED_LIMIT_RAD_PER_S, joints_over, tool_position
from robots.state import COMMUNICATION, PERSON_NEAR, WORKING

DT_US = 10_000
FAR = np.full(2, np.inf)
FRESH = np.zeros(2, np.int64)


def _cobots(seed=0, survival_us=10_000, **more):
    cobot = {"position_m": (5.0, 5.0, 0.8), "yaw_deg": 90.0}
    raw = {"cobots": [{"name": "c1", **cobot, **more}, {"name": "c2", **cobot, "antenna_position_m": (1.0, 2.0, 3.0)}]}
    return Cobots(RobotsConfig.model_validate(raw), np.random.default_rng(seed), survival_time_us=survival_us)


def _run(cobots, seconds, separation=FAR, age=FRESH, start_us=0):
    for k in range(1, round(seconds * 100) + 1):
        cobots.step(start_us + k * DT_US, DT_US, age, separation)
    return start_us + round(seconds * 100) * DT_US


@pytest.mark.parametrize(
    ("joints", "flange"),
    [
        # PyBullet 3.2.7, kuka_iiwa/model.urdf, link 7 frame plus 0.045 m along the tool
        ((0.3, 0.5, 0.0, -1.2, 0.0, 0.8, 0.1), (0.6433543, 0.1990128, 0.57610277)),
        ((-0.7, 0.9, 0.0, -1.6, 0.0, 0.64, -0.7), (0.43487924, -0.36629367, 0.17461892)),
    ],
)
def test_tool_position_is_the_urdfs(joints, flange):
    assert tool_position(np.array(joints)) == pytest.approx(flange, abs=1e-6)


@settings(deadline=None, max_examples=100, derandomize=True)
@given(st.floats(-2.7, 2.7), st.floats(0.45, 0.7), st.floats(0.1, 0.4))
def test_joints_put_the_tool_where_it_should_be_pointing_down_within_limits(azimuth, reach, height):
    joints = joints_over(azimuth, reach, height)
    assert tool_position(joints) == pytest.approx([reach * np.cos(azimuth), reach * np.sin(azimuth), height], abs=1e-9)
    assert joints[1] - joints[3] + joints[5] == pytest.approx(np.pi)
    assert (np.abs(joints) <= JOINT_LIMIT_RAD).all()


def test_places_out_of_reach_are_refused():
    with pytest.raises(ValueError, match="outside the iiwa's reach"):
        joints_over(0.0, 1.2, 0.2)


def test_undisturbed_cobots_make_a_part_every_cycle():
    cobots = _cobots(cycle_s=10.0)
    _run(cobots, 100)
    parts = cobots.production()["machines"]
    assert parts["c1"]["parts"] in (10, 11)
    assert parts["c2"]["parts"] in (12, 13)
    assert cobots.production()["parts_per_hour"] == pytest.approx(cobots.production()["parts"] * 36)
    assert (cobots.state().mode == WORKING).all()
    assert set(cobots.production()["minutes_lost"].values()) == {0.0}


def test_antenna_stands_behind_the_base_unless_placed():
    assert _cobots().state().antenna_m == pytest.approx(np.array([[5.0, 4.5, 2.0], [1.0, 2.0, 3.0]]))


@pytest.mark.parametrize("seed", range(5))
def test_joint_targets_never_jump_whatever_people_and_radio_do(seed):
    rng, cobots = np.random.default_rng(seed), _cobots(seed)
    before, scale = cobots.state().joint_target_rad, cobots.state().speed_scale
    separation, age = FAR, FRESH
    for k in range(1, 3001):
        if k % 20 == 0:
            separation = rng.choice([0.1, 0.4, 0.6, 0.9, np.inf], 2)
            age = np.where(rng.random(2) < 0.1, 30_000, 0)
        cobots.step(k * DT_US, DT_US, age, separation)
        state = cobots.state()
        assert (np.abs(state.joint_target_rad - before) <= JOINT_SPEED_LIMIT_RAD_PER_S * 0.01 + 1e-12).all()
        assert np.abs(state.speed_scale - scale).max() <= 0.01 / 0.3 + 1e-9
        before, scale = state.joint_target_rad, state.speed_scale


def test_people_slow_cobots_and_stop_them_and_the_time_is_booked_on_them():
    cobots = _cobots()
    t = _run(cobots, 2, np.array([0.6, np.inf]))
    slow = cobots.state()
    assert 0 < slow.speed_scale[0] < 1
    assert slow.speed_scale[1] == 1
    assert slow.mode[0] == WORKING
    t = _run(cobots, 2, np.array([0.2, np.inf]), start_us=t)
    assert cobots.state().speed_scale[0] == 0
    assert cobots.state().mode[0] == PERSON_NEAR
    stopped = cobots.state().joint_target_rad[0]
    t = _run(cobots, 1, np.array([0.2, np.inf]), start_us=t)
    assert (cobots.state().joint_target_rad[0] == stopped).all()
    _run(cobots, 2, start_us=t)
    ledger = cobots.production()
    assert {cause: n for cause, n in ledger["stops"].items() if n} == {"person_near": 1}
    assert 3 < ledger["minutes_lost"]["person_near"] * 60 < 6
    assert ledger["machines"]["c2"]["minutes_lost"]["person_near"] == 0


def test_a_stopped_cobot_needs_the_hysteresis_to_start_again():
    cobots = _cobots()
    t = _run(cobots, 1, np.array([0.3, np.inf]))
    t = _run(cobots, 1, np.array([0.55, np.inf]), start_us=t)  # moving would be permitted from 0.49 m on, starting is not
    assert cobots.state().speed_scale[0] == 0
    _run(cobots, 1, np.array([0.65, np.inf]), start_us=t)
    assert cobots.state().speed_scale[0] > 0


def test_an_older_command_lengthens_the_reaction_and_so_slows_the_cobot():
    fresh, old = _cobots(survival_us=50_000), _cobots(survival_us=50_000)
    _run(fresh, 1, np.array([0.6, 0.6]))
    _run(old, 1, np.array([0.6, 0.6]), age=np.array([40_000, 40_000]))
    assert (old.state().permitted_scale < fresh.state().permitted_scale).all()


def test_watchdog_stops_a_cobot_and_frees_it_after_the_delay():
    cobots = _cobots()
    t = _run(cobots, 1)
    cobots.step(t + DT_US, DT_US, np.array([10_000, 0]), FAR)
    assert (cobots.state().mode == WORKING).all()
    cobots.step(t + 2 * DT_US, DT_US, np.array([10_001, 0]), FAR)
    assert cobots.state().mode.tolist() == [COMMUNICATION, WORKING]
    t = _run(cobots, 1, age=np.array([20_000, 0]), start_us=t + 2 * DT_US)
    assert cobots.state().speed_scale.tolist() == [0, 1]
    t = _run(cobots, 1, start_us=t)  # commands are back at t + 10 ms
    assert cobots.state().mode[0] == COMMUNICATION
    cobots.step(t + DT_US, DT_US, FRESH, FAR)
    assert cobots.state().mode[0] == WORKING
    assert cobots.state().speed_scale[0] > 0
    assert cobots.production()["stops"]["communication"] == 1


def test_same_seed_same_cobots():
    a, b, c = _cobots(3), _cobots(3), _cobots(4)
    for cobots in (a, b, c):
        _run(cobots, 5, np.array([0.7, 0.5]))
    assert (a.state().joint_target_rad == b.state().joint_target_rad).all()
    assert (a.state().joint_target_rad != c.state().joint_target_rad).any()


def test_no_cobots_are_fine():
    cobots = Cobots(RobotsConfig(), np.random.default_rng(0))
    cobots.step(DT_US, DT_US, np.zeros(0, np.int64), np.zeros(0))
    assert cobots.state().joint_target_rad.shape == (0, 7)
    assert cobots.production()["parts"] == 0
