"""Boxes carried before the chest with both hands: lifted from a bench, held while walking, put down again.

The box and the hands move on minimum-jerk paths; the arms' angles follow from the hands by the inverse kinematics of upper arm
and forearm, so that the hands lie on the box's sides whatever its size.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from humans.body import FOREARM, FOREARM_RADIUS, HAND, SHOULDER_HEIGHT, SHOULDER_OFFSET, TRUNK_RADIUS, UPPER_ARM
from humans.types import FloatArray, IntArray

GRASP_S, LIFT_S = 0.6, 0.9
"""Time to bring the hands to a box, and to bring the box to the chest; as long again to put it down. Design values [s]."""
LARGEST_M, SMALLEST_M = 0.8, 0.05
_GAP_M = 0.03  # between chest and box
_BENCH_M = 0.12  # how much farther away the box stands on its bench
_CARRY_DROP = 0.158  # shoulders to the middle of the box over stature: just above the elbows
_BENCH_DROP = SHOULDER_HEIGHT - 0.55  # a bench at about 0.93 m for a person of 1.70 m
_REACH_M = 0.32  # a deep box is held by the near part of its sides
_LOWER_ARM = FOREARM + HAND - FOREARM_RADIUS
_NEVER = np.iinfo(np.int64).max
_NOBODY: IntArray = np.zeros(0, dtype=np.int64)
_NO_BOX: FloatArray = np.zeros((0, 3))
PICKED_US, DOWN_US = range(2)
"""Rows of ``Loads.since_us``."""


class Loads:
    """What n people carry.

    Parameters
    ----------
    n : number of people.

    Attributes
    ----------
    half_m : (n, 3) half depth, width and height of each person's box [m]; 0 for nothing.
    since_us : (2, n) when it was picked up, and when it began to be put down [us].
    center_m : (n, 3) where it was when bodies were posed last [m]; says nothing of those without a box.
    """

    def __init__(self, n: int) -> None:
        self.half_m: FloatArray = np.zeros((n, 3))
        self.since_us: IntArray = np.full((2, n), _NEVER, dtype=np.int64)
        self.center_m: FloatArray = np.zeros((n, 3))
        self._any = False

    def pick_up(self, person: int, size_m: tuple[float, float, float], now_us: int) -> int:
        """Let a person lift a box off the bench before them.

        Parameters
        ----------
        person, now_us : who, and when [us].
        size_m : depth (away from the chest), width and height [m].

        Returns
        -------
        When the box is before the chest and the person can set out [us].

        Raises
        ------
        ValueError
            If the box is too small or too large to be carried before the chest.
        """
        if not all(SMALLEST_M <= side <= LARGEST_M for side in size_m):
            raise ValueError(f"a box of {list(size_m)} m cannot be carried; give sides from {SMALLEST_M} to {LARGEST_M} m")
        self._any = True
        self.half_m[person] = 0.5 * np.array(size_m)
        self.since_us[PICKED_US, person] = now_us
        self.since_us[DOWN_US, person] = _NEVER
        return now_us + round(1e6 * (GRASP_S + LIFT_S))

    def put_down(self, person: int, now_us: int) -> int:
        """Let a person put down the box; return when the hands are free [us]."""
        if not self.half_m[person, 0]:
            return now_us
        self.since_us[DOWN_US, person] = now_us
        return now_us + round(1e6 * (GRASP_S + LIFT_S))

    def carries(self, person: int, now_us: int) -> bool:
        """Whether a person's hands are at a box, from reaching for it until letting it go."""
        return bool(self.half_m[person, 0] > 0.0 and now_us < _end_us(self.since_us[DOWN_US, person]))

    def drop(self, person: int) -> None:
        """Take the box away, for who leaves the hall."""
        self.half_m[person] = 0.0

    def in_hands(self, now_us: int) -> IntArray:
        """People (b,) whose box is off the bench."""
        picked, down = self.since_us
        up = (self.half_m[:, 0] > 0.0) & (now_us >= picked + round(GRASP_S * 1e6))
        return np.flatnonzero(up & ((down == _NEVER) | (now_us <= np.where(down == _NEVER, 0, down) + round(LIFT_S * 1e6))))

    def seen(self, now_us: int) -> tuple[IntArray, FloatArray, FloatArray]:
        """Return who has a box in the hands (b,), and its middle and half extents (b, 3) each [m]."""
        if not self._any:  # most halls: nothing to look through in every tick
            return _NOBODY, _NO_BOX, _NO_BOX
        holder = self.in_hands(now_us)
        return holder, self.center_m[holder], self.half_m[holder]


def _end_us(down_us: int) -> int:
    return _NEVER if down_us == _NEVER else int(down_us) + round(1e6 * (GRASP_S + LIFT_S))


@njit(cache=True)
def _course(share):  # type: ignore[no-untyped-def]
    """Minimum-jerk course from 0 to 1, see :func:`humans.gestures.min_jerk`."""
    s = min(max(share, 0.0), 1.0)
    return s * s * s * (10.0 + s * (-15.0 + 6.0 * s))


@njit(cache=True)
def load_course(time_us, picked_us, down_us):  # type: ignore[no-untyped-def]
    """Return how far the hands are at the box, 0..1, and how far the box is from the bench to the chest, 0..1."""
    if time_us < picked_us:
        return 0.0, 0.0
    age = (time_us - picked_us) * 1e-6
    hands, box = _course(age / GRASP_S), _course((age - GRASP_S) / LIFT_S)
    if time_us >= down_us:
        gone = (time_us - down_us) * 1e-6
        box = min(box, 1.0 - _course(gone / LIFT_S))
        hands = min(hands, 1.0 - _course((gone - LIFT_S) / GRASP_S))
    return hands, box


@njit(cache=True)
def arm_joints(forward, outward, up):  # type: ignore[no-untyped-def]
    """Return shoulder flexion, elbow flexion and outward rotation [rad] that put the hand where it is wanted, without abduction.

    Parameters
    ----------
    forward, outward, up : the hand from the shoulder, over stature; out of reach, the arm is stretched towards it.
    """
    longest, shortest = UPPER_ARM + _LOWER_ARM, abs(_LOWER_ARM - UPPER_ARM)
    distance = max(np.sqrt(forward * forward + outward * outward + up * up), 1e-9)
    within = min(max(distance, shortest + 1e-6), longest - 1e-9) / distance
    forward, outward, up, distance = forward * within, outward * within, up * within, distance * within
    bend = (distance * distance - UPPER_ARM * UPPER_ARM - _LOWER_ARM * _LOWER_ARM) / (2.0 * UPPER_ARM * _LOWER_ARM)
    elbow = np.arccos(min(max(bend, -1.0), 1.0))
    across = _LOWER_ARM * np.sin(elbow)
    rotation = np.arcsin(min(max(outward / max(across, 1e-9), -1.0), 1.0))
    flexion = np.arctan2(forward, -up) - np.arctan2(across * np.cos(rotation), UPPER_ARM + _LOWER_ARM * np.cos(elbow))
    return flexion, elbow, rotation


@njit(cache=True)
def load_place(box, half_depth_m, stature_m):  # type: ignore[no-untyped-def]
    """Return how far the box's middle is before and below the middle of the shoulders [m] at ``box``, 0 bench to 1 chest."""
    forward = TRUNK_RADIUS * stature_m + _GAP_M + half_depth_m + (1.0 - box) * _BENCH_M
    return forward, stature_m * (_BENCH_DROP + box * (_CARRY_DROP - _BENCH_DROP))


@njit(cache=True)
def carry_joints(hands, box, half_m, stature_m, joints) -> None:  # type: ignore[no-untyped-def]
    """Blend one body's arms, (18,) joints, towards the sides of its box, (3,) half extents [m], in place."""
    if hands <= 0.0:
        return
    forward, drop = load_place(box, half_m[0], stature_m)
    forward = min(forward, TRUNK_RADIUS * stature_m + _GAP_M + _REACH_M)
    outward = half_m[1] / stature_m + FOREARM_RADIUS - SHOULDER_OFFSET
    flexion, elbow, rotation = arm_joints(forward / stature_m, outward, -drop / stature_m)
    for side in range(2):
        arm = 6 + 4 * side
        joints[arm] += hands * (flexion - joints[arm])
        joints[arm + 1] -= hands * joints[arm + 1]
        joints[arm + 2] += hands * (elbow - joints[arm + 2])
        joints[arm + 3] += hands * (rotation - joints[arm + 3])
    # Who carries keeps the trunk square to the box.
    joints[15] -= hands * joints[15]
    joints[17] -= hands * joints[17]


@njit(cache=True)
def place_load(box, half_m, stature_m, heading_rad, shoulder_left, shoulder_right, out) -> None:  # type: ignore[no-untyped-def]
    """Write the middle of one body's box, (3,) [m], from its shoulders, (3,) each."""
    forward, drop = load_place(box, half_m[0], stature_m)
    out[0] = 0.5 * (shoulder_left[0] + shoulder_right[0]) + forward * np.cos(heading_rad)
    out[1] = 0.5 * (shoulder_left[1] + shoulder_right[1]) + forward * np.sin(heading_rad)
    out[2] = 0.5 * (shoulder_left[2] + shoulder_right[2]) - drop
