"""Walking: steps from the walk ratio, joint angles in their published ranges, no jumps."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from humans_hall import recording
from hypothesis import given, settings
from hypothesis import strategies as st

from humans.animation import Animation
from humans.body import JOINT_NAMES, JOINTS, PART_NAMES, pose
from humans.gait import CURVES, advance_gait, cadence_per_min, gait_joints, step_length_m

_PROFILE = settings(deadline=None, max_examples=60, derandomize=True)
_LEFT, _RIGHT = PART_NAMES.index("shank_left"), PART_NAMES.index("shank_right")


def _bodies(phases: np.ndarray, scale: float, stature: float = 1.75) -> tuple[np.ndarray, np.ndarray]:
    joints = np.zeros((len(phases), JOINTS))
    for i, phase in enumerate(phases):
        gait_joints(phase, scale, stature, 1.0, joints[i])
    n = len(phases)
    return pose(np.zeros((n, 2)), np.zeros(n), np.full(n, stature), joints)


def _settled_scale(speed: float, stature: float = 1.75) -> float:
    phase, scale = np.zeros(1), np.zeros(1)
    for _ in range(500):
        advance_gait(0.01, np.array([speed]), np.array([stature]), phase, scale, 0.2)
    return float(scale[0])


def test_step_length_follows_the_walk_ratio() -> None:
    # Walk ratio 0.0065 m/(step/min), Sekiya 1996, Rota 2011: 0.787 m at 1.588 m/s.
    assert step_length_m(np.array([1.588]))[0] == pytest.approx(0.787, abs=5e-4)
    assert cadence_per_min(np.array([1.588]))[0] == pytest.approx(121.1, abs=0.1)


@_PROFILE
@given(speed=st.floats(0.05, 2.5))
def test_steps_times_cadence_is_speed(speed: float) -> None:
    v = np.array([speed])
    assert step_length_m(v)[0] * cadence_per_min(v)[0] / 60 == pytest.approx(speed, rel=1e-12)
    assert step_length_m(v)[0] / cadence_per_min(v)[0] == pytest.approx(0.0065, rel=1e-12)


def test_phase_advances_by_a_cycle_every_two_steps() -> None:
    phase, scale, travelled = np.zeros(1), np.zeros(1), 0.0
    speed, cycles, before = 1.3, 0, 0.0
    for _ in range(1000):
        advance_gait(0.01, np.array([speed]), np.array([1.75]), phase, scale, 0.2)
        travelled += 0.01 * speed
        cycles += int(phase[0] < before)
        before = phase[0]
    assert travelled / (2 * (cycles + phase[0])) == pytest.approx(step_length_m(np.array([speed]))[0], rel=1e-9)


@pytest.mark.parametrize("speed", [0.7, 1.0, 1.3, 1.6])
def test_feet_are_about_a_step_apart_when_a_heel_lands(speed: float) -> None:
    _, b = _bodies(np.linspace(0, 1, 200, endpoint=False), _settled_scale(speed))
    apart = np.abs(b[:, _LEFT, 0] - b[:, _RIGHT, 0]).max()
    assert apart == pytest.approx(step_length_m(np.array([speed]))[0], rel=0.2)


def test_angles_stay_in_their_published_ranges_at_the_reference_step() -> None:
    hip, knee, ankle = np.degrees(CURVES)
    assert (hip.min(), hip.max()) == pytest.approx((-12, 30))  # Winter 1991, Perry
    assert (knee.min(), knee.max()) == pytest.approx((0, 62))
    assert (ankle.min(), ankle.max()) == pytest.approx((-20, 10))
    assert 12 < knee[: len(knee) // 3].max() < 24  # stance peak 18 deg
    np.testing.assert_allclose(CURVES[:, 0], CURVES[:, -1], atol=1e-12)


def test_the_trunk_bobs_and_sways_by_centimetres() -> None:
    a, _ = _bodies(np.linspace(0, 1, 200, endpoint=False), _settled_scale(1.3))
    head = a[:, PART_NAMES.index("head")]
    assert 0.02 < np.ptp(head[:, 2]) < 0.08  # 2.74 to 4.83 cm, Orendurff 2004
    assert 0.0385 <= np.ptp(head[:, 1]) <= 0.0699


def test_both_sides_do_the_same_half_a_cycle_apart() -> None:
    early, late = np.zeros(JOINTS), np.zeros(JOINTS)
    gait_joints(0.2, 1.0, 1.75, 1.0, early)
    gait_joints(0.7, 1.0, 1.75, 1.0, late)
    for name in ("hip", "knee", "ankle", "shoulder", "elbow"):
        left, right = JOINT_NAMES.index(f"{name}_left"), JOINT_NAMES.index(f"{name}_right")
        assert early[left] == pytest.approx(late[right], abs=1e-9)
        assert early[right] == pytest.approx(late[left], abs=1e-9)


def test_arms_swing_with_the_opposite_leg() -> None:
    _, b = _bodies(np.linspace(0, 1, 200, endpoint=False), 1.0)
    hand, foot = b[:, PART_NAMES.index("forearm_right"), 0], b[:, _LEFT, 0]
    assert np.corrcoef(hand, foot)[0, 1] > 0.7


def test_standing_people_stand_still_and_upright() -> None:
    bodies = Animation.create(np.array([1.75]), np.array([0.4]), np.zeros(0, np.int64), sway=True)
    place, heading = np.zeros((1, 2)), np.zeros(1)
    first = bodies.bodies(0, place, heading, np.zeros(0, np.int64))
    for _ in range(100):
        bodies.advance(10_000, np.zeros(1))
    later = bodies.bodies(1_000_000, place, heading, np.zeros(0, np.int64))
    np.testing.assert_array_equal(first[0], later[0])
    assert first[1][0, PART_NAMES.index("head"), 2] + 0.095 / 1.70 * 1.75 == pytest.approx(1.75, abs=1e-9)


def test_setting_off_and_stopping_never_jerks_a_limb() -> None:
    bodies = Animation.create(np.array([1.75]), np.zeros(1), np.zeros(0, np.int64), sway=True)
    nobody = np.zeros(0, np.int64)
    before = bodies.bodies(0, np.zeros((1, 2)), np.zeros(1), nobody)[1][0]
    fastest = 0.0
    for k in range(600):
        speed = 1.4 if 100 <= k < 350 else 0.0
        bodies.advance(10_000, np.array([speed]))
        now = bodies.bodies(k, np.zeros((1, 2)), np.zeros(1), nobody)[1][0]
        fastest = max(fastest, float(np.linalg.norm(now - before, axis=1).max()) / 0.01)
        before = now
    # A swinging foot moves at up to about three times the walking speed (Winter 1991), here relative to the hips.
    assert 1.5 < fastest < 5.0


@pytest.mark.recorded
def test_predicted_steps_match_a_recorded_walk() -> None:
    with recording("mocap_walk_joints.csv").open(encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if r["joint"] in ("Hip", "LeftAnkle", "RightAnkle")]
    track = {
        joint: np.array([[float(r[c]) for c in ("t", "x", "y", "z")] for r in rows if r["joint"] == joint])
        for joint in ("Hip", "LeftAnkle", "RightAnkle")
    }
    hip = track["Hip"]
    way = hip[-1, 1:3] - hip[0, 1:3]
    speed = float(np.hypot(*way) / (hip[-1, 0] - hip[0, 0]))
    assert speed == pytest.approx(1.588, abs=0.001)
    apart = np.abs((track["LeftAnkle"][:, 1:3] - track["RightAnkle"][:, 1:3]) @ (way / np.hypot(*way)))
    peaks = [k for k in range(5, len(apart) - 5) if apart[k] == apart[k - 5 : k + 6].max() and apart[k] > 0.5]
    step_time = np.diff(hip[peaks, 0]).mean()
    assert speed * step_time == pytest.approx(0.781, abs=0.02)
    assert step_length_m(np.array([speed]))[0] == pytest.approx(speed * step_time, rel=0.03)
    # The body's own feet come as far apart as the recorded ankles.
    _, b = _bodies(np.linspace(0, 1, 200, endpoint=False), _settled_scale(speed, 1.75))
    assert np.abs(b[:, _LEFT, 0] - b[:, _RIGHT, 0]).max() == pytest.approx(apart[peaks].mean(), rel=0.15)
