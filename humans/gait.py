"""Walking: steps from speed, and joint angles over the gait cycle.

Step length and cadence follow the walk ratio; the joint angles are the normative curves of level walking, scaled to the step.
The cycle's phase runs from 0 to 1, 0 at the left heel's contact.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy.interpolate import CubicSpline

from humans.types import FloatArray

WALK_RATIO = 0.0065
"""Step length divided by cadence [m/(step/min)], Sekiya 1996, Rota 2011."""

# Angle curves [deg] at 0, 10, .. 90 % of the cycle; shape after Winter 1991, ranges as in the constants below.
_HIP_SHAPE = (27.0, 23.0, 14.5, 5.0, -4.5, -11.5, -8.5, 10.0, 25.0, 30.0)
_KNEE_SHAPE = (3.0, 15.5, 17.5, 12.0, 6.0, 8.0, 33.0, 61.0, 52.0, 16.0)
_ANKLE_SHAPE = (0.0, -3.0, 3.5, 7.0, 9.5, 7.5, -16.0, -12.0, 0.0, 1.5)
HIP_RANGE_DEG = (-12.0, 30.0)  # Winter 1991, Perry
KNEE_RANGE_DEG = (0.0, 62.0)  # Winter 1991, Perry; stance peak 18 deg
ANKLE_RANGE_DEG = (-20.0, 10.0)  # Winter 1991, Perry
SHOULDER_RANGE_DEG = (-24.0, 8.0)  # at 1.3 m/s, Murray 1967
ELBOW_RANGE_DEG = (10.0, 40.0)  # Murray 1967
PELVIS_YAW_DEG = 4.5  # Perry
THORAX_YAW_DEG = 5.0  # against the pelvis, Perry
# Mediolateral excursion of the centre of mass, peak to peak (Orendurff 2004).
SWAY_SPEED_MPS = (0.7, 1.6)
SWAY_M = (0.0699, 0.0385)

REFERENCE_STEP = float(np.sqrt(60.0 * WALK_RATIO * 1.3)) / 1.70
"""Step length over stature at which the curves have their published range: 1.3 m/s, 1.70 m."""
_SAMPLES = 256
STAND_ABDUCTION_RAD = float(np.deg2rad(4.0))


def _curve(shape_deg: tuple[float, ...], range_deg: tuple[float, float]) -> FloatArray:
    """Return a periodic curve through the shape, stretched to the published range, (257,) [rad]."""
    knots = np.linspace(0.0, 1.0, len(shape_deg) + 1)
    curve = CubicSpline(knots, [*shape_deg, shape_deg[0]], bc_type="periodic")(np.linspace(0.0, 1.0, _SAMPLES + 1))
    low, high = range_deg
    stretched = low + (curve - curve.min()) * (high - low) / (curve.max() - curve.min())
    radians: FloatArray = np.deg2rad(stretched)
    return radians


CURVES = np.stack([_curve(_HIP_SHAPE, HIP_RANGE_DEG), _curve(_KNEE_SHAPE, KNEE_RANGE_DEG), _curve(_ANKLE_SHAPE, ANKLE_RANGE_DEG)])
"""Hip, knee and ankle flexion over the cycle, (3, 257) [rad]."""

_SHOULDER_MEAN = float(np.deg2rad(np.mean(SHOULDER_RANGE_DEG)))
_SHOULDER_SWING = float(np.deg2rad(np.diff(SHOULDER_RANGE_DEG)[0] / 2))
_ELBOW_REST = float(np.deg2rad(ELBOW_RANGE_DEG[0]))
_ELBOW_SWING = float(np.deg2rad(np.diff(ELBOW_RANGE_DEG)[0] / 2))
_PELVIS_YAW = float(np.deg2rad(PELVIS_YAW_DEG))
_THORAX_YAW = float(np.deg2rad(THORAX_YAW_DEG))
_MAX_SCALE = 1.35
_MAX_KNEE_SCALE = 1.15


def step_length_m(speed_mps: FloatArray) -> FloatArray:
    """Return the step length at a walking speed, ``sqrt(60 W v)`` with the walk ratio W.

    Parameters
    ----------
    speed_mps : (n,) walking speeds [m/s].

    Returns
    -------
    (n,) step lengths [m]; 0.787 m at 1.588 m/s, where a recorded adult took 0.781 m.
    """
    length: FloatArray = np.sqrt(60.0 * WALK_RATIO * np.asarray(speed_mps, dtype=np.float64))
    return length


def cadence_per_min(speed_mps: FloatArray) -> FloatArray:
    """Return the cadence at a walking speed, ``sqrt(60 v / W)``.

    Parameters
    ----------
    speed_mps : (n,) walking speeds [m/s].

    Returns
    -------
    (n,) steps per minute.
    """
    cadence: FloatArray = np.sqrt(60.0 * np.asarray(speed_mps, dtype=np.float64) / WALK_RATIO)
    return cadence


@njit(cache=True)
def advance_gait(dt_s, speed_mps, stature_m, phase, scale, smoothing_s) -> None:  # type: ignore[no-untyped-def]
    """Advance the cycle by a tick, in place.

    ``phase`` (n,) in 0..1 grows by cadence; ``scale`` (n,), the stretch of the angle curves, follows step length over stature
    with a lag of ``smoothing_s``, so that people start and stop without a jump.
    """
    blend = 1.0 - np.exp(-dt_s / smoothing_s)
    for i in range(phase.shape[0]):
        v = speed_mps[i]
        step = np.sqrt(60.0 * WALK_RATIO * v)
        target = min(step / stature_m[i] / REFERENCE_STEP, _MAX_SCALE) if v > 0.03 else 0.0
        scale[i] += blend * (target - scale[i])
        if v > 0.0:
            phase[i] = (phase[i] + dt_s * v / (2.0 * step)) % 1.0


@njit(cache=True)
def gait_joints(phase, scale, stature_m, sway, joints) -> None:  # type: ignore[no-untyped-def]
    """Write one body's walking joints, (18,), in place: standing upright at scale 0. ``sway`` is 1, or 0 to leave it out."""
    knee_scale = min(scale, _MAX_KNEE_SCALE)
    for side in range(2):
        at = ((phase + 0.5 * side) % 1.0) * _SAMPLES
        k = min(int(at), _SAMPLES - 1)
        f = at - k
        joints[side] = scale * (CURVES[0, k] + f * (CURVES[0, k + 1] - CURVES[0, k]))
        joints[2 + side] = knee_scale * (CURVES[1, k] + f * (CURVES[1, k + 1] - CURVES[1, k]))
        joints[4 + side] = knee_scale * (CURVES[2, k] + f * (CURVES[2, k + 1] - CURVES[2, k]))
        # An arm swings forwards with the opposite leg.
        forward = -np.cos(2.0 * np.pi * (phase + 0.5 * side))
        arm = 6 + 4 * side
        joints[arm] = scale * (_SHOULDER_MEAN + _SHOULDER_SWING * forward)
        joints[arm + 1] = STAND_ABDUCTION_RAD
        joints[arm + 2] = _ELBOW_REST + scale * _ELBOW_SWING * (1.0 + forward)
        joints[arm + 3] = 0.0
    # The left hip leads at the left heel's contact: the pelvis turns to the right, the thorax against it.
    lead = np.cos(2.0 * np.pi * phase)
    joints[14] = -scale * _PELVIS_YAW * lead
    joints[15] = scale * _THORAX_YAW * lead
    # The centre of mass lies over the standing leg at its mid-stance, 30 % of the cycle after its contact.
    step = scale * REFERENCE_STEP * stature_m
    speed = step * step / (60.0 * WALK_RATIO)
    share = min(max((speed - SWAY_SPEED_MPS[0]) / (SWAY_SPEED_MPS[1] - SWAY_SPEED_MPS[0]), 0.0), 1.0)
    excursion = SWAY_M[0] + share * (SWAY_M[1] - SWAY_M[0])
    moving = min(scale / 0.5, 1.0)
    joints[16] = sway * moving * 0.5 * excursion * np.cos(2.0 * np.pi * (phase - 0.3)) / stature_m
    joints[17] = 0.0
