"""Carried boxes: in both hands, before the chest, moved without a jump, and told to the radio's side by PeopleState."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from humans_hall import TICK_US, floor_with
from hypothesis import given, settings
from hypothesis import strategies as st

from humans.body import FOREARM, FOREARM_RADIUS, HAND, PART_NAMES, TRUNK_RADIUS, UPPER_ARM
from humans.config import PeopleConfig
from humans.crowd import Crowd
from humans.forecast import forecast_constant_velocity
from humans.loads import GRASP_S, LIFT_S, Loads, arm_joints, load_course
from humans.types import Occupancy, PeopleState

_PROFILE = settings(deadline=None, max_examples=60, derandomize=True)
_LOWER = FOREARM + HAND - FOREARM_RADIUS
_PICTURE_US = 100_000
_NEVER = np.iinfo(np.int64).max


def _at(name: str) -> int:
    return PART_NAMES.index(name)


def _carriers(size_m: tuple[float, float, float] = (0.3, 0.4, 0.3), **role: object) -> Crowd:
    config = PeopleConfig.model_validate(
        {
            "count": 3,
            "panels": 0,
            "stations": [
                {"name": "a", "position_m": (3, 3), "kind": "rack"},
                {"name": "b", "position_m": (9, 3), "kind": "rack"},
                {"name": "c", "position_m": (6, 9), "kind": "rack"},
                {"name": "d", "position_m": (9, 9), "kind": "rack"},
            ],
            "roles": [
                {
                    "name": "carrier",
                    "share": 1,
                    "stations": ["rack"],
                    "dwell_mean_s": 4,
                    "carry_share": 1,
                    "load_size_m": size_m,
                    **role,
                }
            ],
        }
    )
    return Crowd(config, floor_with((12, 12), []), np.random.default_rng(2))


def _film(crowd: Crowd, seconds: float) -> list[PeopleState]:
    """Ten pictures a second."""
    states = []
    for now in range(TICK_US, round(seconds * 1e6), TICK_US):
        crowd.step(now, TICK_US, Occupancy.empty())
        if now % _PICTURE_US == 0:
            states.append(crowd.state())
    return states


@_PROFILE
@given(x=st.floats(0.05, 0.3), y=st.floats(-0.1, 0.12), z=st.floats(-0.28, 0.0))
def test_the_arm_puts_its_hand_where_it_is_wanted(x: float, y: float, z: float) -> None:
    flexion, elbow, rotation = arm_joints(x, y, z)
    assert elbow >= 0.0
    u = np.array([np.sin(flexion), 0.0, -np.cos(flexion)])
    w = np.array([np.cos(rotation) * np.cos(flexion), np.sin(rotation), np.cos(rotation) * np.sin(flexion)])
    hand = UPPER_ARM * u + _LOWER * (np.cos(elbow) * u + np.sin(elbow) * w)
    wanted = np.array([x, y, z])
    # A hand closer to the shoulder than the arm can fold, or farther to the side than it can turn, is not reached.
    if abs(_LOWER - UPPER_ARM) + 0.01 < np.linalg.norm(wanted) and abs(y) < 0.9 * _LOWER * np.sin(elbow):
        np.testing.assert_allclose(hand, wanted, atol=1e-6)


@pytest.mark.parametrize("size_m", [(0.3, 0.4, 0.3), (0.2, 0.25, 0.15), (0.5, 0.6, 0.4)])
def test_both_hands_lie_on_the_boxs_sides(size_m: tuple[float, float, float]) -> None:
    held = 0
    for state in _film(_carriers(size_m), 30.0):
        for who, centre, half in zip(state.load_holder, state.load_center_m, state.load_half_m, strict=True):
            c, s = np.cos(state.heading_rad[who]), np.sin(state.heading_rad[who])
            for sign, side in ((1, "left"), (-1, "right")):
                hand = state.capsule_b[who, _at(f"forearm_{side}")] - centre
                across = sign * (-s * hand[0] + c * hand[1])
                assert across == pytest.approx(half[1] + state.capsule_radius_m[who, _at("forearm_left")], abs=1e-6)
                assert abs(c * hand[0] + s * hand[1]) <= half[0] + 1e-9
                assert abs(hand[2]) <= half[2]
            chest = c * (centre[0] - state.position_m[who, 0]) + s * (centre[1] - state.position_m[who, 1]) - half[0]
            assert chest > TRUNK_RADIUS * state.stature_m[who]  # and not in the trunk
            np.testing.assert_allclose(half, np.array(size_m) / 2)
            held += 1
    assert held > 100


def test_a_box_is_lifted_carried_and_put_down_without_a_jump() -> None:
    crowd = _carriers()
    states = _film(crowd, 60.0)
    trips = fastest = 0.0
    for before, after in pairwise(states):
        for who in np.intersect1d(before.load_holder, after.load_holder):
            centre = [s.load_center_m[s.load_holder == who][0] for s in (before, after)]
            body = after.position_m[who] - before.position_m[who]
            fastest = max(fastest, float(np.linalg.norm(centre[1] - centre[0] - [*body, 0.0])) / (_PICTURE_US * 1e-6))
        for who in np.setdiff1d(after.load_holder, before.load_holder):
            pace = float(np.hypot(*after.velocity_mps[who]))
            assert pace < 0.2  # lifted where one stands
            trips += 1
    assert trips >= 5
    assert fastest < 3.5  # a quick turn on the spot swings it at 4 rad/s
    walked = [np.hypot(*s.velocity_mps[s.load_holder].T) for s in states]
    assert max(float(v.max()) for v in walked if len(v)) > 0.7  # and it is carried along


def test_nobody_reaches_or_waves_with_full_hands() -> None:
    for state in _film(_carriers(wave_per_min=20, reach_per_min=40), 40.0):
        busy = state.activity[state.load_holder]
        assert not np.isin(busy, (3, 4)).any()  # ACTIVITIES: reach, wave


def test_without_loads_nothing_is_carried_and_nothing_drawn() -> None:
    crowd = _carriers(carry_share=0)
    state = _film(crowd, 20.0)[-1]
    assert state.load_center_m.shape == state.load_half_m.shape == (0, 3)
    assert len(state.load_holder) == 0


def test_a_forecast_takes_the_box_along() -> None:
    for state in _film(_carriers(), 40.0):
        moving = np.hypot(*state.tracked_velocity_mps[state.load_holder].T) > 0.8
        if moving.any():
            break
    ahead = forecast_constant_velocity(state, 0.5)
    gone = ahead.load_center_m - state.load_center_m
    np.testing.assert_allclose(gone[moving, :2], 0.5 * state.tracked_velocity_mps[state.load_holder][moving], atol=1e-12)
    np.testing.assert_array_equal(gone[:, 2], 0.0)


@_PROFILE
@given(at=st.integers(0, 20_000_000), down=st.one_of(st.just(_NEVER), st.integers(2_000_000, 10_000_000)))
def test_hands_come_first_and_go_last(at: int, down: int) -> None:
    hands, box = load_course(at, 1_000_000, down)
    assert 0.0 <= box <= 1.0
    assert 0.0 <= hands <= 1.0
    assert box == 0.0 or hands == pytest.approx(1.0)  # the box moves in the hands only
    if at < 1_000_000 or (down != _NEVER and at > down + 1_500_000):
        assert hands == 0.0


def test_loads_say_when_hands_are_free() -> None:
    loads = Loads(2)
    assert loads.put_down(1, 50) == 50  # nothing to put down
    ready = loads.pick_up(0, (0.3, 0.4, 0.2), 1_000_000)
    assert ready == 1_000_000 + round(1e6 * (GRASP_S + LIFT_S))
    assert loads.carries(0, 1_100_000)
    assert not loads.carries(1, 1_100_000)
    assert loads.in_hands(1_100_000).tolist() == []
    assert loads.in_hands(ready).tolist() == [0]
    free = loads.put_down(0, 9_000_000)
    assert loads.carries(0, free - 1)
    assert not loads.carries(0, free)
    assert loads.in_hands(free).tolist() == []
    loads.pick_up(0, (0.3, 0.4, 0.2), 10_000_000)
    loads.drop(0)
    assert not loads.carries(0, 12_000_000)


@pytest.mark.parametrize("size_m", [(0.3, 0.9, 0.3), (0.3, 0.4, 0.01)])
def test_boxes_that_no_one_carries_are_refused(size_m: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match=r"cannot be carried; give sides from 0.05 to 0.8 m"):
        Loads(1).pick_up(0, size_m, 0)
    with pytest.raises(ValueError, match="load_size_m"):
        PeopleConfig.model_validate({"roles": [{"name": "r", "share": 1, "stations": ["rack"], "load_size_m": size_m}]})
