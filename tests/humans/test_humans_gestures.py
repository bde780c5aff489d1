"""Waves, reaches and carried panels: smooth, and where a hand is expected."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humans.animation import Animation
from humans.body import PART_NAMES
from humans.gestures import GESTURE_REACH, GESTURE_WAVE, HAND_SPEED_MPS, gesture_weight, min_jerk

_PROFILE = settings(deadline=None, max_examples=60, derandomize=True)
_NOBODY = np.zeros(0, np.int64)


def _bodies(holder: bool = False) -> Animation:
    return Animation.create(np.array([1.75]), np.zeros(1), np.zeros(int(holder), np.int64), sway=True)


def _film(bodies: Animation, holders: np.ndarray = _NOBODY) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the ends of all parts (k, 12, 3) twice at 100 Hz while a gesture lasts and a while longer, and its end [s]."""
    frames = [
        bodies.bodies(t, np.zeros((1, 2)), np.zeros(1), holders)[:2]
        for t in range(0, int(bodies.gesture_end_us[0]) + 500_000, 10_000)
    ]
    return np.array([a[0] for a, _ in frames]), np.array([b[0] for _, b in frames]), bodies.gesture_end_us[0] * 1e-6


@_PROFILE
@given(share=st.floats(-0.5, 1.5))
def test_minimum_jerk_runs_from_rest_to_rest(share: float) -> None:
    h = 1e-4
    assert 0.0 <= min_jerk(share) <= 1.0
    assert min_jerk(share + h) >= min_jerk(share)
    assert min_jerk(share) + min_jerk(1 - share) == pytest.approx(1.0, abs=1e-12)
    # Peak velocity of a minimum-jerk movement is 15/8 of the mean (Flash & Hogan 1985).
    assert (min_jerk(share + h) - min_jerk(share)) / h <= 1.875 + 1e-3


@_PROFILE
@given(age=st.floats(-1, 8), raise_s=st.floats(0.5, 0.9), hold_s=st.floats(0.4, 4))
def test_a_gesture_rises_holds_and_falls(age: float, raise_s: float, hold_s: float) -> None:
    weight = gesture_weight(age, raise_s, hold_s)
    assert 0.0 <= weight <= 1.0
    if raise_s <= age <= raise_s + hold_s:
        assert weight == pytest.approx(1.0, abs=1e-9)
    if age <= 0 or age >= 2 * raise_s + hold_s:
        assert weight == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", [GESTURE_WAVE, GESTURE_REACH])
def test_gestures_are_smooth(kind: int, seed: int) -> None:
    bodies = _bodies()
    bodies.begin(0, kind, 0, np.random.default_rng(seed))
    a, b, _ = _film(bodies)
    speed = np.linalg.norm(np.diff(b, axis=0), axis=2) / 0.01
    assert speed.max() < HAND_SPEED_MPS + 0.01  # ISO 13855: what hands approach with
    # The same wave reverses at 58 m/s2; a jump of 1 cm within a tick would be 100 m/s2.
    assert np.linalg.norm(np.diff(b, 2, axis=0), axis=2).max() / 1e-4 < 90.0
    np.testing.assert_allclose(np.linalg.norm(b - a, axis=2).std(axis=0), 0.0, atol=1e-9)
    np.testing.assert_allclose(b[0], b[-1], atol=1e-9)  # back to where it began


@pytest.mark.parametrize("seed", range(8))
def test_a_wave_raises_the_forearm_and_swings_it(seed: int) -> None:
    bodies = _bodies()
    bodies.begin(0, GESTURE_WAVE, 0, np.random.default_rng(seed))
    raise_s, hold_s, frequency_hz, swing_rad = bodies.timing[0]
    assert 1.6 <= raise_s <= 2.2
    assert 1.0 <= frequency_hz <= 2.5
    # Fast waves are small ones.
    assert np.radians(15) <= swing_rad <= np.radians(30)
    assert 2 * np.pi * frequency_hz * swing_rad * 0.43 <= HAND_SPEED_MPS + 1e-9
    a, b, _ = _film(bodies)
    side = ("left", "right")[bodies.hand[0]]
    held = slice(int(100 * raise_s) + 1, int(100 * (raise_s + hold_s)))
    elbow, hand = a[held, PART_NAMES.index(f"forearm_{side}")], b[held, PART_NAMES.index(f"forearm_{side}")]
    shoulder = a[held, PART_NAMES.index(f"upper_arm_{side}")]
    assert (hand[:, 2] > elbow[:, 2] + 0.25).all()
    assert (hand[:, 2] > shoulder[:, 2] + 0.1).all()
    other = b[:, PART_NAMES.index(f"forearm_{'left' if side == 'right' else 'right'}")]
    np.testing.assert_allclose(other, other[:1].repeat(len(other), 0), atol=1e-12)
    tilt = np.arctan2(hand[:, 1] - elbow[:, 1], hand[:, 2] - elbow[:, 2])
    assert np.ptp(tilt) == pytest.approx(2 * swing_rad, rel=0.1)
    full = tilt[30:-30] - 0.5 * (tilt.max() + tilt.min())  # the swing sets in and fades within 0.3 s
    assert np.count_nonzero(np.diff(np.sign(full))) == pytest.approx(2 * frequency_hz * len(full) / 100, abs=1.1)


def test_a_reach_brings_the_hand_forwards() -> None:
    bodies = _bodies()
    bodies.begin(0, GESTURE_REACH, 0, np.random.default_rng(4))
    _, b, _ = _film(bodies)
    hand = b[:, PART_NAMES.index("forearm_" + ("left", "right")[bodies.hand[0]])]
    farthest = hand[hand[:, 0].argmax()]
    assert farthest[0] > 0.6
    assert 0.9 < farthest[2] < 2.1
    assert hand[0, 0] < 0.2


def test_a_panel_is_held_before_the_chest_by_both_hands() -> None:
    bodies = _bodies(holder=True)
    _, b, panel = bodies.bodies(0, np.zeros((1, 2)), np.full(1, np.pi / 2), np.zeros(1, np.int64))
    assert panel[0] == pytest.approx((0.0, 0.35, 1.10 / 1.70 * 1.75), abs=1e-9)
    for side in ("left", "right"):
        assert np.linalg.norm(b[0, PART_NAMES.index(f"forearm_{side}")] - panel[0]) < 0.3


def test_a_holder_waves_with_one_hand_and_keeps_the_other_on_the_panel() -> None:
    bodies = _bodies(holder=True)
    bodies.begin(0, GESTURE_WAVE, 0, np.random.default_rng(0))
    middle = int(bodies.gesture_end_us[0]) // 2
    _, b, panel = bodies.bodies(middle, np.zeros((1, 2)), np.zeros(1), np.zeros(1, np.int64))
    hands = b[0, [PART_NAMES.index("forearm_left"), PART_NAMES.index("forearm_right")]]
    far = np.linalg.norm(hands - panel[0], axis=1)
    assert far.min() < 0.3
    assert far.max() > 0.5


def test_an_unknown_gesture_is_refused() -> None:
    with pytest.raises(ValueError, match="gesture 7 is unknown"):
        _bodies().begin(0, 7, 0, np.random.default_rng(0))
