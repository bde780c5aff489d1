"""Kneeling: one foot steps forwards, the other back, and the hips come down between them until the knee rests on the floor.

Feet and hips follow minimum-jerk paths; hip, knee and ankle angles follow from them by the inverse kinematics of the two-link
leg, so that every pose is one that limbs of constant length can take and the foot that bears the body stays flat.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from scipy.optimize import brentq

from humans.body import ANKLE_HEIGHT, BALL, HIP_HEIGHT, SHANK, THIGH, THIGH_RADIUS

KNEEL_LEAN_RAD = math.radians(18.0)
_TOE_BEND_RAD = math.radians(15.0)  # dorsiflexion with the toes tucked under; a design value
_FRONT_STEP = (0.05, 0.45)  # shares of the way down in which each foot is lifted; one foot bears the body at any time
_REAR_STEP = (0.45, 0.85)
_LOWERING = (0.0, 1.0)
_LIFT = 0.08  # how high a stepping foot is lifted, over stature


def _rear_shank_tilt() -> float:
    """Angle by which the rear shank rises from the knee to the ankle, so that knee and ball of the foot both touch the floor."""

    def ball_height(tilt: float) -> float:
        foot = -0.5 * math.pi - tilt + _TOE_BEND_RAD
        return THIGH_RADIUS + SHANK * math.sin(tilt) + BALL * math.sin(foot) - ANKLE_HEIGHT * math.cos(foot)

    return float(brentq(ball_height, 0.0, 0.8))


_TILT = _rear_shank_tilt()
KNEEL_HIP_HEIGHT = THIGH_RADIUS + THIGH
"""Height of the hips over stature when the thigh stands upright on the knee, whose round end is the thigh's."""
KNEE_AHEAD = THIGH
"""How far the raised knee is before the hips, over stature."""
_REAR_X, _REAR_Z = -SHANK * math.cos(_TILT), THIGH_RADIUS + SHANK * math.sin(_TILT)
_REAR_PITCH = -0.5 * math.pi - _TILT + _TOE_BEND_RAD
_FRONT_X = KNEE_AHEAD  # the front shank stands about upright


@njit(cache=True)
def _course(share, window):  # type: ignore[no-untyped-def]
    """Minimum-jerk course within a window of the whole movement, see :func:`humans.gestures.min_jerk`."""
    s = min(max((share - window[0]) / (window[1] - window[0]), 0.0), 1.0)
    return s * s * s * (10.0 + s * (-15.0 + 6.0 * s))


@njit(cache=True)
def leg_joints(hip_height, ankle_x, ankle_z, pitch):  # type: ignore[no-untyped-def]
    """Return hip, knee and ankle flexion [rad] that put an ankle where it is wanted.

    Parameters
    ----------
    hip_height, ankle_x, ankle_z : height of the hip, and the ankle before the hip and above the floor, over stature. Out of
        reach, the leg is stretched towards it.
    pitch : the foot's pitch, toes up positive [rad].
    """
    down = hip_height - ankle_z
    length = np.sqrt(ankle_x * ankle_x + down * down)
    length = min(max(length, abs(THIGH - SHANK) + 1e-9), THIGH + SHANK)
    toward = np.arctan2(ankle_x, down)
    # Law of cosines at the hip and at the knee; the knee bends forwards.
    at_hip = np.arccos(min(max((THIGH * THIGH + length * length - SHANK * SHANK) / (2.0 * THIGH * length), -1.0), 1.0))
    at_knee = np.arccos(min(max((THIGH * THIGH + SHANK * SHANK - length * length) / (2.0 * THIGH * SHANK), -1.0), 1.0))
    hip, knee = toward + at_hip, np.pi - at_knee
    return hip, knee, pitch - hip + knee


@njit(cache=True)
def kneel_joints(share, front, joints) -> None:  # type: ignore[no-untyped-def]
    """Write one body's legs, (18,) joints, in place: standing at ``share`` 0, kneeling on the other knee than ``front`` at 1.

    ``front`` is 0 for the left foot in front, 1 for the right. Angles of what was there before fade within the first tenth.
    """
    if share <= 0.0:
        return
    hips = HIP_HEIGHT - (HIP_HEIGHT - KNEEL_HIP_HEIGHT) * _course(share, _LOWERING)
    forward, back = _course(share, _FRONT_STEP), _course(share, _REAR_STEP)
    lift = 4.0 * _LIFT * forward * (1.0 - forward)
    hip, knee, ankle = leg_joints(hips, _FRONT_X * forward, ANKLE_HEIGHT + lift, 0.0)
    fade = min(share / 0.1, 1.0)
    joints[front] += fade * (hip - joints[front])
    joints[2 + front] += fade * (knee - joints[2 + front])
    joints[4 + front] += fade * (ankle - joints[4 + front])
    lift = 4.0 * _LIFT * back * (1.0 - back)
    height = ANKLE_HEIGHT + back * (_REAR_Z - ANKLE_HEIGHT) + lift
    hip, knee, ankle = leg_joints(hips, _REAR_X * back, height, _REAR_PITCH * back)
    rear = 1 - front
    joints[rear] += fade * (hip - joints[rear])
    joints[2 + rear] += fade * (knee - joints[2 + rear])
    joints[4 + rear] += fade * (ankle - joints[4 + rear])
