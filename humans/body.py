"""Bodies as twelve capsules from stature, and the pose of many bodies at once.

A body is posed by 18 joint values (``JOINT_NAMES``). The pelvis height is not one of them: it follows from the legs, so that
the lowest of soles and knees rests on the floor in every pose. Body frame: x forward, y left, z up.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from humans.types import FloatArray

PART_NAMES = (
    "head",
    "trunk_left",
    "trunk_right",
    "pelvis",
    "upper_arm_left",
    "upper_arm_right",
    "forearm_left",
    "forearm_right",
    "thigh_left",
    "thigh_right",
    "shank_left",
    "shank_right",
)
"""The twelve parts, in the order of ``PeopleState.capsule_a``; a forearm includes its hand."""

JOINT_NAMES = (
    "hip_left",
    "hip_right",
    "knee_left",
    "knee_right",
    "ankle_left",
    "ankle_right",
    "shoulder_left",
    "abduction_left",
    "elbow_left",
    "rotation_left",
    "shoulder_right",
    "abduction_right",
    "elbow_right",
    "rotation_right",
    "pelvis_yaw",
    "thorax_yaw",
    "sway",
    "lean",
)
"""Joint values: angles [rad], flexion positive; ``rotation`` turns the forearm's plane outwards; ``sway`` is the pelvis's shift
to the left as a fraction of stature; ``lean`` tilts the trunk forwards."""
JOINTS = len(JOINT_NAMES)
PARTS = len(PART_NAMES)

# Fractions of stature, Drillis & Contini 1966 (as reproduced by Winter) unless another source stands beside.
SHOULDER_HEIGHT = 0.818
HIP_HEIGHT = 0.530
ANKLE_HEIGHT = 0.039
UPPER_ARM = 0.186
FOREARM = 0.146
HAND = 0.108
THIGH = 0.245
SHANK = 0.246
FOOT = 0.152
TORSO = SHOULDER_HEIGHT - HIP_HEIGHT

# Radii as fractions of stature: P50 radius (from limb circumferences) over the P50 stature 1.70 m.
P50_STATURE_M = 1.70
_P95_Z = 1.6448536269514722
HEAD_RADIUS = 0.095 / P50_STATURE_M  # head breadth 0.155 m, length 0.195 m
TRUNK_RADIUS = 0.120 / P50_STATURE_M  # ellipse 0.34 m x 0.24 m as two capsules side by side
PELVIS_RADIUS = 0.110 / P50_STATURE_M
UPPER_ARM_RADIUS = 0.050 / P50_STATURE_M
FOREARM_RADIUS = 0.040 / P50_STATURE_M  # forearm 0.043 m, hand 0.030 m
THIGH_RADIUS = 0.085 / P50_STATURE_M
SHANK_RADIUS = 0.058 / P50_STATURE_M

TRUNK_OFFSET = 0.17 / P50_STATURE_M - TRUNK_RADIUS
# Drillis's shoulder half breadth (0.129) is an outer measure: the joints stand so that the arms end at the bideltoid breadth
# 0.465 m (DIN 33402-2, P50), and likewise the thighs at the hip half breadth 0.0955.
SHOULDER_OFFSET = 0.465 / 2 / P50_STATURE_M - UPPER_ARM_RADIUS
HIP_OFFSET = 0.0955 - THIGH_RADIUS
PELVIS_OFFSET = 0.0955 - PELVIS_RADIUS
HEAD_HEIGHT = 0.130  # chin to vertex; the neck between it and the shoulders is the trunk capsules' round top
TRUNK_BOTTOM = 0.045  # capsule centres above the hips and below the shoulders, so that the round ends meet hips and neck
TRUNK_TOP = TORSO - 0.035
HEEL = -0.25 * FOOT  # sole points before and behind the ankle; the ball of the foot lies at 70 % of its length
BALL = 0.45 * FOOT

_RADII = np.array(
    [HEAD_RADIUS, TRUNK_RADIUS, TRUNK_RADIUS, PELVIS_RADIUS]
    + [UPPER_ARM_RADIUS] * 2
    + [FOREARM_RADIUS] * 2
    + [THIGH_RADIUS] * 2
    + [SHANK_RADIUS] * 2
)


def capsule_radius_m(stature_m: FloatArray) -> FloatArray:
    """Return the capsules' radii.

    Parameters
    ----------
    stature_m : (n,) body heights [m].

    Returns
    -------
    (n, 12) radii [m], proportional to stature.
    """
    radius: FloatArray = np.asarray(stature_m, dtype=np.float64)[:, None] * _RADII[None, :]
    return radius


def draw_statures(p5_m: float, p95_m: float, n: int, rng: np.random.Generator) -> FloatArray:
    """Body heights (n,) from a normal distribution through the two percentiles, cut at the 1st and 99th [m]."""
    mean = 0.5 * (p5_m + p95_m)
    sd = (p95_m - p5_m) / (2.0 * _P95_Z)
    return np.asarray(np.clip(rng.normal(mean, sd, n), mean - 2.326 * sd, mean + 2.326 * sd), dtype=np.float64)


@njit(cache=True)
def pose_one(  # type: ignore[no-untyped-def]
    x_m, y_m, heading_rad, stature_m, joints, out_a, out_b
) -> None:
    """Write one body's twelve capsules, (12, 3) each; the joints are (18,). The numerical core of `pose`."""
    h = stature_m
    pelvis_sin, pelvis_cos = np.sin(joints[14]), np.cos(joints[14])
    thorax_sin, thorax_cos = np.sin(joints[15]), np.cos(joints[15])
    sway = joints[16] * h
    lean_sin, lean_cos = np.sin(joints[17]), np.cos(joints[17])
    # The legs tilt against the sway, so that the feet stay below their places while the pelvis shifts.
    roll_sin = joints[16] / HIP_HEIGHT
    roll_cos = np.sqrt(1.0 - roll_sin * roll_sin)

    hip_z = 0.0
    for side in range(2):
        s = 1.0 - 2.0 * side
        hip = joints[side]
        shank = hip - joints[2 + side]
        foot = shank + joints[4 + side]
        knee_x, knee_z = THIGH * h * np.sin(hip), -THIGH * h * np.cos(hip)
        ankle_x, ankle_z = knee_x + SHANK * h * np.sin(shank), knee_z - SHANK * h * np.cos(shank)
        foot_sin, foot_cos = np.sin(foot), np.cos(foot)
        heel_z = ankle_z + h * (HEEL * foot_sin - ANKLE_HEIGHT * foot_cos)
        ball_z = ankle_z + h * (BALL * foot_sin - ANKLE_HEIGHT * foot_cos)
        hip_z = max(hip_z, -min(heel_z, ball_z) * roll_cos, THIGH_RADIUS * h - knee_z * roll_cos)
        offset = s * HIP_OFFSET * h
        hip_x, hip_y = -offset * pelvis_sin, sway + offset * pelvis_cos
        thigh, lower = 8 + side, 10 + side
        out_a[thigh, 0], out_a[thigh, 1], out_a[thigh, 2] = hip_x, hip_y, 0.0
        out_b[thigh, 0], out_b[thigh, 1], out_b[thigh, 2] = hip_x + knee_x, hip_y + knee_z * roll_sin, knee_z * roll_cos
        out_a[lower, 0], out_a[lower, 1], out_a[lower, 2] = out_b[thigh, 0], out_b[thigh, 1], out_b[thigh, 2]
        out_b[lower, 0], out_b[lower, 1], out_b[lower, 2] = hip_x + ankle_x, hip_y + ankle_z * roll_sin, ankle_z * roll_cos
    for leg in range(8, 12):
        out_a[leg, 2] += hip_z
        out_b[leg, 2] += hip_z

    # Trunk: leans about the middle of the hips, turns with the thorax.
    for side in range(2):
        s = 1.0 - 2.0 * side
        offset = s * TRUNK_OFFSET * h
        for end in range(2):
            along = (TRUNK_BOTTOM if end == 0 else TRUNK_TOP) * h
            out = out_a if end == 0 else out_b
            out[1 + side, 0] = along * lean_sin - offset * thorax_sin
            out[1 + side, 1] = sway + offset * thorax_cos
            out[1 + side, 2] = hip_z + along * lean_cos
    pelvis = PELVIS_OFFSET * h
    pelvis_z = hip_z + 0.02 * h
    out_a[3, 0], out_a[3, 1], out_a[3, 2] = -pelvis * pelvis_sin, sway + pelvis * pelvis_cos, pelvis_z
    out_b[3, 0], out_b[3, 1], out_b[3, 2] = pelvis * pelvis_sin, sway - pelvis * pelvis_cos, pelvis_z

    neck_x, neck_z = TORSO * h * lean_sin, hip_z + TORSO * h * lean_cos
    head_low = (1.0 - HEAD_HEIGHT + HEAD_RADIUS - SHOULDER_HEIGHT) * h
    head_high = (1.0 - HEAD_RADIUS - SHOULDER_HEIGHT) * h
    out_a[0, 0], out_a[0, 1], out_a[0, 2] = neck_x, sway, neck_z + head_low
    out_b[0, 0], out_b[0, 1], out_b[0, 2] = neck_x, sway, neck_z + head_high

    for side in range(2):
        s = 1.0 - 2.0 * side
        arm = 6 + 4 * side
        flex_sin, flex_cos = np.sin(joints[arm]), np.cos(joints[arm])
        abd_sin, abd_cos = np.sin(joints[arm + 1]), np.cos(joints[arm + 1])
        bend_sin, bend_cos = np.sin(joints[arm + 2]), np.cos(joints[arm + 2])
        turn_sin, turn_cos = np.sin(joints[arm + 3]), np.cos(joints[arm + 3])
        # u: along the upper arm; w: across it, in the plane in which the elbow bends.
        ux, uy, uz = flex_sin * abd_cos, s * abd_sin, -flex_cos * abd_cos
        wx = turn_cos * flex_cos - turn_sin * flex_sin * abd_sin
        wy = turn_sin * s * abd_cos
        wz = turn_cos * flex_sin + turn_sin * flex_cos * abd_sin
        offset = s * SHOULDER_OFFSET * h
        upper, fore = 4 + side, 6 + side
        out_a[upper, 0], out_a[upper, 1], out_a[upper, 2] = neck_x - offset * thorax_sin, sway + offset * thorax_cos, neck_z
        length = UPPER_ARM * h
        out_b[upper, 0] = out_a[upper, 0] + length * ux
        out_b[upper, 1] = out_a[upper, 1] + length * uy
        out_b[upper, 2] = out_a[upper, 2] + length * uz
        length = (FOREARM + HAND - FOREARM_RADIUS) * h
        for k in range(3):
            out_a[fore, k] = out_b[upper, k]
        out_b[fore, 0] = out_a[fore, 0] + length * (bend_cos * ux + bend_sin * wx)
        out_b[fore, 1] = out_a[fore, 1] + length * (bend_cos * uy + bend_sin * wy)
        out_b[fore, 2] = out_a[fore, 2] + length * (bend_cos * uz + bend_sin * wz)

    yaw_sin, yaw_cos = np.sin(heading_rad), np.cos(heading_rad)
    for part in range(12):
        ax, ay = out_a[part, 0], out_a[part, 1]
        out_a[part, 0], out_a[part, 1] = x_m + ax * yaw_cos - ay * yaw_sin, y_m + ax * yaw_sin + ay * yaw_cos
        bx, by = out_b[part, 0], out_b[part, 1]
        out_b[part, 0], out_b[part, 1] = x_m + bx * yaw_cos - by * yaw_sin, y_m + bx * yaw_sin + by * yaw_cos


@njit(cache=True)
def _pose(position_m, heading_rad, stature_m, joints, out_a, out_b) -> None:  # type: ignore[no-untyped-def]
    for i in range(position_m.shape[0]):
        pose_one(position_m[i, 0], position_m[i, 1], heading_rad[i], stature_m[i], joints[i], out_a[i], out_b[i])


def pose(
    position_m: FloatArray, heading_rad: FloatArray, stature_m: FloatArray, joints: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Pose bodies by forward kinematics.

    Parameters
    ----------
    position_m : (n, 2) middle of the hips over the floor [m].
    heading_rad : (n,) direction that the body faces [rad].
    stature_m : (n,) body heights [m].
    joints : (n, 18) joint values in the order of ``JOINT_NAMES`` [rad].

    Returns
    -------
    capsule_a, capsule_b : (n, 12, 3) capsule ends in the hall frame [m]. Lengths depend on stature alone.
    """
    n = len(position_m)
    capsule_a, capsule_b = np.empty((n, PARTS, 3)), np.empty((n, PARTS, 3))
    _pose(position_m, heading_rad, stature_m, joints, capsule_a, capsule_b)
    return capsule_a, capsule_b
