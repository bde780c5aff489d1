"""Kneeling: knee and foot on the floor, the other foot flat, nothing through the floor on the way, and no jerk."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humans.animation import Animation
from humans.body import ANKLE_HEIGHT, JOINT_NAMES, JOINTS, PART_NAMES, SHANK, THIGH, capsule_radius_m, pose
from humans.gestures import GESTURE_KNEEL, kneel_share
from humans.kneeling import KNEEL_HIP_HEIGHT, kneel_joints, leg_joints

_PROFILE = settings(deadline=None, max_examples=60, derandomize=True)
_NOBODY = np.zeros(0, np.int64)
_STATURE = 1.75


def _at(name: str) -> int:
    return PART_NAMES.index(name)


def _kneeling(share: float, front: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    joints = np.zeros((1, JOINTS))
    kneel_joints(share, front, joints[0])
    a, b = pose(np.zeros((1, 2)), np.zeros(1), np.array([_STATURE]), joints)
    return a[0], b[0], joints[0]


@_PROFILE
@given(height=st.floats(0.28, 0.50), x=st.floats(-0.25, 0.25), z=st.floats(0.039, 0.12), pitch=st.floats(-1.5, 0.5))
def test_a_leg_puts_its_ankle_where_it_is_wanted(height: float, x: float, z: float, pitch: float) -> None:
    hip, knee, ankle = leg_joints(height, x, z, pitch)
    shank = hip - knee
    reached = np.array([THIGH * np.sin(hip) + SHANK * np.sin(shank), height - THIGH * np.cos(hip) - SHANK * np.cos(shank)])
    if np.hypot(x, height - z) < THIGH + SHANK:
        np.testing.assert_allclose(reached, (x, z), atol=1e-9)
    assert knee >= 0.0  # knees bend one way
    assert hip - knee + ankle == pytest.approx(pitch, abs=1e-12)


@pytest.mark.parametrize(("front", "knee", "foot"), [(0, "right", "left"), (1, "left", "right")])
def test_one_kneels_on_one_knee_with_the_other_foot_flat(front: int, knee: str, foot: str) -> None:
    a, b, joints = _kneeling(1.0, front)
    radius = capsule_radius_m(np.array([_STATURE]))[0]
    resting = b[_at(f"thigh_{knee}")]
    assert resting[2] - radius[_at(f"thigh_{knee}")] == pytest.approx(0.0, abs=1e-6)
    assert a[_at(f"thigh_{knee}"), 2] == pytest.approx(KNEEL_HIP_HEIGHT * _STATURE, abs=1e-6)
    standing = b[_at(f"shank_{foot}")]
    assert standing[2] == pytest.approx(ANKLE_HEIGHT * _STATURE, abs=1e-6)
    pitch = joints[front] - joints[2 + front] + joints[4 + front]
    assert pitch == pytest.approx(0.0, abs=1e-9)
    assert standing[0] > resting[0] + 0.3
    assert b[_at("head"), 2] < 0.8 * _STATURE


@_PROFILE
@given(share=st.floats(0, 1), front=st.integers(0, 1))
def test_nothing_goes_through_the_floor_on_the_way_down(share: float, front: int) -> None:
    a, b, joints = _kneeling(share, front)
    radius = capsule_radius_m(np.array([_STATURE]))[0]
    assert (np.minimum(a, b)[:, 2] - radius).min() > -1e-9
    for side, name in enumerate(("left", "right")):
        shank, pitch = _at(f"shank_{name}"), joints[side] - joints[2 + side] + joints[4 + side]
        for along in (-0.25 * 0.152, 0.45 * 0.152):  # heel and ball before and behind the ankle
            sole = b[shank, 2] + _STATURE * (along * np.sin(pitch) - 0.039 * np.cos(pitch))
            assert sole > -1e-9
    still = pose(np.zeros((1, 2)), np.zeros(1), np.array([_STATURE]), np.zeros((1, JOINTS)))
    np.testing.assert_allclose(np.linalg.norm(b - a, axis=1), np.linalg.norm(still[1][0] - still[0][0], axis=1), atol=1e-9)


def test_each_foot_stays_where_it_bears_the_body() -> None:
    shares = np.linspace(0.0, 1.0, 101)
    ankle = np.array([_kneeling(s, 0)[1][[_at("shank_left"), _at("shank_right")]] for s in shares])
    moved = np.abs(np.diff(ankle[..., 0], axis=0)) > 2e-3
    lifted = np.maximum(ankle[1:, :, 2], ankle[:-1, :, 2]) > ANKLE_HEIGHT * _STATURE + 1e-3
    assert not (moved & ~lifted).any()  # no foot slides on the floor
    assert not moved.all(axis=1).any()  # and one foot at a time


@pytest.mark.parametrize("seed", range(4))
def test_going_down_and_up_is_smooth_and_ends_where_it_began(seed: int) -> None:
    bodies = Animation.create(np.array([_STATURE]), np.zeros(1), _NOBODY, sway=True)
    bodies.begin(0, GESTURE_KNEEL, 0, np.random.default_rng(seed))
    raise_s, hold_s = bodies.timing[0, :2]
    assert 1.6 <= raise_s <= 2.4
    assert 4.0 <= hold_s <= 20.0
    assert bodies.gesture_end_us[0] == round(1e6 * (2 * raise_s + hold_s))
    times = range(0, int(bodies.gesture_end_us[0]) + 100_000, 10_000)
    film = np.array([bodies.bodies(t, np.zeros((1, 2)), np.zeros(1), _NOBODY)[1][0] for t in times])
    assert np.linalg.norm(np.diff(film, axis=0), axis=2).max() / 0.01 < 2.5  # m/s
    assert np.linalg.norm(np.diff(film, 2, axis=0), axis=2).max() / 1e-4 < 40.0  # m/s2
    np.testing.assert_allclose(film[0], film[-1], atol=1e-9)
    head = film[:, _at("head"), 2]
    middle = int(100 * (raise_s + 0.5 * hold_s))
    assert head[0] - head[middle] > 0.4
    np.testing.assert_allclose(film[middle], film[middle + 50], atol=1e-12)


@_PROFILE
@given(age=st.floats(-1, 40), raise_s=st.floats(0.5, 3), hold_s=st.floats(0, 20))
def test_the_share_goes_down_stays_and_comes_back(age: float, raise_s: float, hold_s: float) -> None:
    share = kneel_share(age, raise_s, hold_s)
    assert 0.0 <= share <= 1.0
    if 0 <= age <= raise_s:
        assert share == pytest.approx(age / raise_s)
    assert share == pytest.approx(kneel_share(2 * raise_s + hold_s - age, raise_s, hold_s), abs=1e-9)


def test_the_arms_work_while_kneeling() -> None:
    bodies = Animation.create(np.array([_STATURE]), np.zeros(1), _NOBODY, sway=True)
    bodies.begin(0, GESTURE_KNEEL, 0, np.random.default_rng(0))
    middle = int(bodies.gesture_end_us[0]) // 2
    a, b, _ = bodies.bodies(middle, np.zeros((1, 2)), np.zeros(1), _NOBODY)
    for side in ("left", "right"):
        hand = b[0, _at(f"forearm_{side}")]
        assert hand[0] > 0.3
        assert 0.3 < hand[2] < 1.2
    assert b[0, _at("trunk_left"), 0] - a[0, _at("trunk_left"), 0] > 0.08  # leans forward
    assert JOINT_NAMES[17] == "lean"
