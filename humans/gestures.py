"""Gestures: hand waves, reaches, kneeling, work at a bench and things held before the chest, as minimum-jerk trajectories."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from humans.kneeling import KNEEL_LEAN_RAD, kneel_joints
from humans.types import FloatArray, IntArray

NO_GESTURE, GESTURE_WAVE, GESTURE_REACH, GESTURE_KNEEL = range(4)

# Arm angles [rad]: shoulder flexion, abduction, elbow flexion, outward rotation. Design values, none of them measured.
_DEG = np.pi / 180.0
WAVE_ARM = (15.0 * _DEG, 75.0 * _DEG, 100.0 * _DEG, 90.0 * _DEG)  # abduction 60-90, elbow 90-110 deg
REACH_ELBOW = 12.0 * _DEG
REACH_LEAN = 12.0 * _DEG
WORK_ARM = (22.0 * _DEG, 6.0 * _DEG, 66.0 * _DEG, -14.0 * _DEG)
WORK_LEAN = 5.0 * _DEG
CARRY_ARM = (10.0 * _DEG, 2.0 * _DEG, 84.0 * _DEG, -16.0 * _DEG)
HAND_SPEED_MPS = 2.0
"""Hands approach no faster than this (ISO 13855, upper limbs); what is drawn faster is stretched to it [m/s]."""
_WAVE_WAY_M, _REACH_WAY_M_PER_RAD, _FOREARM_M = 1.71, 0.87, 0.43  # of the tallest body's hand; for reaches per flexion
WAVE_RAISE_S = (1.6, 2.2)
WAVE_HOLD_S = (1.5, 4.0)
WAVE_ONSET_S = 0.3
WAVE_FREQUENCY_HZ = (1.0, 2.5)
WAVE_SWING_RAD = (20.0 * _DEG, 30.0 * _DEG)
REACH_RAISE_S = (0.6, 0.9)
REACH_HOLD_S = (0.4, 2.0)
REACH_FLEXION_RAD = (55.0 * _DEG, 110.0 * _DEG)
KNEEL_RAISE_S = (1.6, 2.4)
KNEEL_HOLD_S = (4.0, 20.0)

PANEL_REACH_M = 0.35
"""A held panel's distance before the body's axis [m]."""
PANEL_HEIGHT = 1.10 / 1.70
"""A held panel's height over stature."""


@njit(cache=True)
def min_jerk(share):  # type: ignore[no-untyped-def]
    """Return the minimum-jerk course from 0 to 1, ``10 s^3 - 15 s^4 + 6 s^5`` (Flash & Hogan 1985); flat outside 0..1."""
    s = min(max(share, 0.0), 1.0)
    return min(s * s * s * (10.0 + s * (-15.0 + 6.0 * s)), 1.0)  # rounding may end a hair above 1


def within_hand_speed(kind: int, timing: FloatArray) -> None:
    """Stretch a gesture's timing (4,) until its hand keeps to ``HAND_SPEED_MPS``, in place; see :func:`gesture_joints`.

    A minimum-jerk move of a way w in a time t peaks at ``1.875 w / t`` (Flash & Hogan 1985); a swing a at frequency f of a
    forearm r at ``2 pi f a r``.
    """
    if kind == GESTURE_WAVE:
        timing[0] = max(timing[0], 1.875 * _WAVE_WAY_M / HAND_SPEED_MPS)
        timing[3] = min(timing[3], HAND_SPEED_MPS / (2.0 * np.pi * timing[2] * _FOREARM_M))
    elif kind == GESTURE_REACH:
        timing[0] = max(timing[0], 1.875 * _REACH_WAY_M_PER_RAD * timing[2] / HAND_SPEED_MPS)


_RANGES = np.array([
    [WAVE_RAISE_S, WAVE_HOLD_S, WAVE_FREQUENCY_HZ, WAVE_SWING_RAD],
    [REACH_RAISE_S, REACH_HOLD_S, REACH_FLEXION_RAD, (0.0, 0.0)],
    [KNEEL_RAISE_S, KNEEL_HOLD_S, (0.0, 0.0), (0.0, 0.0)],
])  # fmt: skip


def gesture_timing(kind: IntArray, share: FloatArray) -> FloatArray:
    """Return the courses (..., 4) of gestures (...) for draws (..., 4) from 0 to 1, hands within their speed.

    What is drawn is told at :func:`gesture_joints`; rows without a gesture get a wave's, which says nothing.
    """
    low, high = np.moveaxis(_RANGES[np.maximum(kind, 1) - 1], -1, 0)
    timing: FloatArray = low + share * (high - low)
    wave, reach = kind == GESTURE_WAVE, kind == GESTURE_REACH
    slowest = 1.875 / HAND_SPEED_MPS * np.where(wave, _WAVE_WAY_M, np.where(reach, _REACH_WAY_M_PER_RAD * timing[..., 2], 0.0))
    timing[..., 0] = np.maximum(timing[..., 0], slowest)
    widest = HAND_SPEED_MPS / (2.0 * np.pi * np.where(wave, timing[..., 2], 1.0) * _FOREARM_M)
    timing[..., 3] = np.where(wave, np.minimum(timing[..., 3], widest), timing[..., 3])
    return timing


@dataclass(frozen=True, slots=True)
class GestureRates:
    """How often people begin a gesture while they go on doing what they do.

    Attributes
    ----------
    per_s : (n, 3) waves, reaches and times on a knee per second of the present task; 0 for what cannot be, such as a reach by
        somebody who walks, rests or has both hands full. One that falls into another gesture is left out.
    lift_per_s : (n,) boxes lifted off a bench per second, for those who take one along when they leave.
    """

    per_s: FloatArray
    lift_per_s: FloatArray

    @staticmethod
    def nothing_known(n: int) -> GestureRates:
        """Rates of n people of whom nothing is known: no gestures."""
        return GestureRates(np.zeros((n, 3)), np.zeros(n))


@njit(cache=True)
def gesture_weight(age_s, raise_s, hold_s):  # type: ignore[no-untyped-def]
    """Return how far an arm has gone into its gesture, 0..1: raise, hold, and lower in the time of the raise."""
    if age_s < 0.0 or age_s > 2.0 * raise_s + hold_s:
        return 0.0
    if age_s < raise_s + hold_s:
        return min_jerk(age_s / raise_s)
    return min_jerk((2.0 * raise_s + hold_s - age_s) / raise_s)


@njit(cache=True)
def kneel_share(age_s, raise_s, hold_s):  # type: ignore[no-untyped-def]
    """Return the share of the way down to the knee, 0..1, at constant pace; see :func:`gesture_weight`."""
    return max(min(age_s / raise_s, (2.0 * raise_s + hold_s - age_s) / raise_s, 1.0), 0.0)


@njit(cache=True)
def _blend(joints, arm, target, weight) -> None:  # type: ignore[no-untyped-def]
    for k in range(4):
        joints[arm + k] += weight * (target[k] - joints[arm + k])


@njit(cache=True)
def gesture_joints(work, carry, kind, age_s, timing, hand, joints) -> None:  # type: ignore[no-untyped-def]
    """Blend one body's arms, (18,) joints, into work, carrying and a gesture, in place.

    ``work`` and ``carry`` are weights 0..1; ``timing`` is (4,): raise time [s], hold time [s], then frequency [Hz] and swing
    [rad] of a wave, or shoulder flexion [rad] and nothing of a reach, or nothing of kneeling; ``hand`` is 0 for the left, 1 for
    the right. One kneels on the knee of the hand's side.
    """
    for side in range(2):
        _blend(joints, 6 + 4 * side, WORK_ARM, work)
        _blend(joints, 6 + 4 * side, CARRY_ARM, carry)
    joints[17] += work * WORK_LEAN
    if kind == NO_GESTURE:
        return
    weight = gesture_weight(age_s, timing[0], timing[1])
    if kind == GESTURE_KNEEL:
        for side in range(2):
            _blend(joints, 6 + 4 * side, WORK_ARM, weight)
        joints[17] += weight * KNEEL_LEAN_RAD
        # A share of the way, not of the pose: feet and hips have their own courses on it.
        kneel_joints(kneel_share(age_s, timing[0], timing[1]), 1 - hand, joints)
        return
    arm = 6 + 4 * hand
    if kind == GESTURE_WAVE:
        _blend(joints, arm, WAVE_ARM, weight)
        # The swing is in the plane of the raised forearm, between the raise and the lowering.
        waved_s = age_s - timing[0]
        swing = min_jerk(waved_s / WAVE_ONSET_S) * min_jerk((timing[1] - waved_s) / WAVE_ONSET_S)
        joints[arm + 2] += swing * timing[3] * np.sin(2.0 * np.pi * timing[2] * waved_s)
    else:
        _blend(joints, arm, (timing[2], 4.0 * _DEG, REACH_ELBOW, 0.0), weight)
        joints[17] += weight * REACH_LEAN
