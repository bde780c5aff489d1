"""Bodies: twelve rigid capsules that stand on the floor in any pose."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from humans_hall import recording
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from humans import body
from humans.body import JOINT_NAMES, JOINTS, PART_NAMES, capsule_radius_m, draw_statures, pose
from humans.gait import gait_joints

_PROFILE = settings(deadline=None, max_examples=60, derandomize=True)
_ANGLES = st.lists(st.floats(-1.2, 1.2), min_size=JOINTS, max_size=JOINTS)
_LENGTH = {
    "head": 0.130 - 2 * 0.095 / 1.70,
    "upper_arm_left": 0.186,  # Drillis & Contini 1966
    "upper_arm_right": 0.186,
    "forearm_left": 0.146 + 0.108 - 0.040 / 1.70,  # to the fingertips, less the round end
    "forearm_right": 0.146 + 0.108 - 0.040 / 1.70,
    "thigh_left": 0.245,
    "thigh_right": 0.245,
    "shank_left": 0.246,
    "shank_right": 0.246,
}


def _joints(values: list[float]) -> np.ndarray:
    joints = np.array(values)
    joints[JOINT_NAMES.index("sway")] *= 0.02
    return joints


def _at(name: str) -> int:
    return PART_NAMES.index(name)


def _soles(joints: np.ndarray, a: np.ndarray, b: np.ndarray, stature_m: float) -> list[float]:
    """Heights of heels and balls of both feet: rigid soles below the ankles, turned with the foot."""
    heights = []
    for side, name in enumerate(("left", "right")):
        thigh, shank = _at(f"thigh_{name}"), _at(f"shank_{name}")
        down = (b[shank] - a[thigh])[1:]
        roll = abs(down[1]) / np.hypot(*down)  # the leg's plane leans with the sway
        pitch = joints[side] - joints[2 + side] + joints[4 + side]
        for along in (-0.25 * 0.152, 0.45 * 0.152):
            drop = stature_m * (along * np.sin(pitch) - 0.039 * np.cos(pitch))
            heights.append(float(b[shank, 2] + drop * roll))
    return heights


@_PROFILE
@given(values=_ANGLES, heading=st.floats(-7, 7), x=st.floats(-50, 50), stature=st.floats(1.4, 2.1))
def test_limbs_keep_their_length_in_any_pose(values: list[float], heading: float, x: float, stature: float) -> None:
    a, b = pose(np.array([[x, 3.0]]), np.array([heading]), np.array([stature]), _joints(values)[None])
    length = np.linalg.norm(b[0] - a[0], axis=1)
    for name, fraction in _LENGTH.items():
        assert length[_at(name)] == pytest.approx(fraction * stature, abs=1e-9), name
    still = pose(np.zeros((1, 2)), np.zeros(1), np.array([stature]), np.zeros((1, JOINTS)))
    np.testing.assert_allclose(length, np.linalg.norm(still[1][0] - still[0][0], axis=1), rtol=0, atol=1e-9)


@_PROFILE
@given(values=_ANGLES, heading=st.floats(-7, 7))
def test_limbs_hang_together(values: list[float], heading: float) -> None:
    a, b = (ends[0] for ends in pose(np.zeros((1, 2)), np.array([heading]), np.array([1.75]), _joints(values)[None]))
    for side in ("left", "right"):
        np.testing.assert_allclose(b[_at(f"thigh_{side}")], a[_at(f"shank_{side}")], atol=1e-12)
        np.testing.assert_allclose(b[_at(f"upper_arm_{side}")], a[_at(f"forearm_{side}")], atol=1e-12)
    shoulders = np.linalg.norm(a[_at("upper_arm_left")] - a[_at("upper_arm_right")])
    hips = np.linalg.norm(a[_at("thigh_left")] - a[_at("thigh_right")])
    # Bideltoid breadth 0.465 m at P50 (DIN 33402-2) less an arm's radius on both sides; hip breadth 0.191 of stature.
    assert shoulders == pytest.approx(1.75 * (0.465 - 2 * 0.050) / 1.70, abs=1e-9)
    assert hips == pytest.approx(1.75 * (2 * 0.0955 - 2 * 0.085 / 1.70), abs=1e-9)


@_PROFILE
@given(values=_ANGLES)
def test_the_lower_foot_stands_on_the_floor_in_any_pose(values: list[float]) -> None:
    joints = _joints(values)
    joints[JOINT_NAMES.index("sway")] = 0.0
    joints[4:6] *= 0.5
    a, b = (ends[0] for ends in pose(np.zeros((1, 2)), np.zeros(1), np.array([1.8]), joints[None]))
    assert min(_soles(joints, a, b, 1.8)) == pytest.approx(0.0, abs=1e-9)


@_PROFILE
@given(phase=st.floats(0, 1), scale=st.floats(0, 1.35), stature=st.floats(1.5, 1.95))
def test_the_lower_foot_stands_on_the_floor_in_any_gait(phase: float, scale: float, stature: float) -> None:
    joints = np.zeros(JOINTS)
    gait_joints(phase, scale, stature, 1.0, joints)
    a, b = (ends[0] for ends in pose(np.zeros((1, 2)), np.zeros(1), np.array([stature]), joints[None]))
    soles = _soles(joints, a, b, stature)
    assert min(soles) == pytest.approx(0.0, abs=1e-6)
    assert max(soles) < 0.45 * stature


@_PROFILE
@given(flexion=st.floats(-1, 2.5), abduction=st.floats(-0.2, 1.6), elbow=st.floats(0, 2.4), turn=st.floats(-1, 1.6))
def test_arms_agree_with_a_chain_of_rotations(flexion: float, abduction: float, elbow: float, turn: float) -> None:
    for side, sign in (("left", 1.0), ("right", -1.0)):
        joints = np.zeros((1, JOINTS))
        for name, value in (("shoulder", flexion), ("abduction", abduction), ("elbow", elbow), ("rotation", turn)):
            joints[0, JOINT_NAMES.index(f"{name}_{side}")] = value
        a, b = (ends[0] for ends in pose(np.zeros((1, 2)), np.zeros(1), np.ones(1), joints))
        upper, fore = _at(f"upper_arm_{side}"), _at(f"forearm_{side}")
        # Flexion about y, then abduction about x; the forearm's plane turns outwards about the upper arm, the elbow bends in it.
        shoulder = Rotation.from_rotvec([0, -flexion, 0]) * Rotation.from_rotvec([sign * abduction, 0, 0])
        plane = Rotation.from_rotvec([0, 0, sign * turn])
        lower = shoulder * plane * Rotation.from_rotvec([0, -elbow, 0])
        u, f = b[upper] - a[upper], b[fore] - a[fore]
        np.testing.assert_allclose(u / np.linalg.norm(u), shoulder.apply([0, 0, -1]), atol=1e-9)
        np.testing.assert_allclose(f / np.linalg.norm(f), lower.apply([0, 0, -1]), atol=1e-9)


def test_a_standing_body_has_the_proportions_of_the_table() -> None:
    a, b = (ends[0] for ends in pose(np.zeros((1, 2)), np.zeros(1), np.array([1.70]), np.zeros((1, JOINTS))))
    radius = capsule_radius_m(np.array([1.70]))[0]
    assert b[_at("head"), 2] + radius[_at("head")] == pytest.approx(1.70, abs=1e-9)
    assert a[_at("upper_arm_left"), 2] == pytest.approx(1.391, abs=0.001)  # shoulder height P50
    assert a[_at("thigh_left"), 2] == pytest.approx(0.901, abs=0.001)  # hip height P50
    assert b[_at("thigh_left"), 2] == pytest.approx(0.485, abs=0.01)  # knee height P50
    assert b[_at("shank_left"), 2] == pytest.approx(0.066, abs=0.001)  # ankle height P50
    outer = np.abs(np.stack([a, b])[..., 1]) + radius
    assert 2 * outer.max() == pytest.approx(0.465, abs=0.002)  # bideltoid breadth P50
    trunk = [_at("trunk_left"), _at("trunk_right")]
    assert 2 * outer[:, trunk].max() == pytest.approx(0.34, abs=0.002)
    assert 2 * radius[trunk[0]] == pytest.approx(0.24, abs=0.002)  # chest depth


def test_heading_turns_the_whole_body() -> None:
    joints = np.zeros((1, JOINTS))
    joints[0, JOINT_NAMES.index("shoulder_left")] = np.pi / 2
    place, stature = np.array([[4.0, 5.0]]), np.array([1.7])
    east = pose(place, np.zeros(1), stature, joints)[1][0] - [4, 5, 0]
    north = pose(place, np.full(1, np.pi / 2), stature, joints)[1][0] - [4, 5, 0]
    np.testing.assert_allclose(north, np.stack([-east[:, 1], east[:, 0], east[:, 2]], axis=1), atol=1e-12)
    hand = east[_at("forearm_left")]
    assert hand[0] > 0.6  # the raised arm points forwards
    assert hand[1] > 0.15  # and the left side is to the left


def test_bodies_are_posed_independently_of_each_other() -> None:
    rng = np.random.default_rng(3)
    place, heading, stature = rng.uniform(0, 9, (5, 2)), rng.uniform(-3, 3, 5), rng.uniform(1.5, 1.9, 5)
    joints = 0.3 * rng.standard_normal((5, JOINTS)) * np.where(np.array(JOINT_NAMES) == "sway", 0.05, 1.0)
    together = pose(place, heading, stature, joints)
    for i in range(5):
        alone = pose(place[i : i + 1], heading[i : i + 1], stature[i : i + 1], joints[i : i + 1])
        np.testing.assert_array_equal(together[0][i], alone[0][0])
        np.testing.assert_array_equal(together[1][i], alone[1][0])


def test_statures_follow_the_two_percentiles() -> None:
    drawn = draw_statures(1.535, 1.86, 20_000, np.random.default_rng(1))
    assert np.percentile(drawn, [5, 95]) == pytest.approx([1.535, 1.86], abs=0.01)
    assert drawn.min() > 1.4
    assert drawn.max() < 2.0


@pytest.mark.recorded
def test_fractions_are_those_of_the_anthropometric_table() -> None:
    with recording("anthropometry.csv").open(encoding="utf-8") as file:
        table = {row["item"]: row["fraction_of_stature"] for row in csv.DictReader(file)}
    for item, value in (
        ("shoulder (acromion) height", body.SHOULDER_HEIGHT),
        ("hip (trochanter) height", body.HIP_HEIGHT),
        ("ankle height", body.ANKLE_HEIGHT),
        ("upper arm length", body.UPPER_ARM),
        ("forearm length", body.FOREARM),
        ("hand length", body.HAND),
        ("thigh length", body.THIGH),
        ("shank length", body.SHANK),
        ("foot length", body.FOOT),
        ("torso (hip to shoulder)", body.TORSO),
    ):
        assert value == pytest.approx(float(table[item]), abs=1e-9), item
