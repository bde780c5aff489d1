"""The KUKA LBR iiwa 14: where its joints must be to hold the tool straight down over a place, and its pick-and-place cycle.

Lengths are those of pybullet_data's ``kuka_iiwa/model.urdf``; joint speeds are the LBR iiwa 14 R820 data sheet's.
"""

from __future__ import annotations

import numpy as np

from robots.routes import FloatArray

SHOULDER_HEIGHT_M = 0.36
UPPER_ARM_M = 0.42
FOREARM_M = 0.40
WRIST_TO_FLANGE_M = 0.126
JOINT_LIMIT_RAD = np.deg2rad([170.0, 120.0, 170.0, 120.0, 170.0, 120.0, 175.0])
JOINT_SPEED_LIMIT_RAD_PER_S = np.deg2rad([85.0, 85.0, 100.0, 75.0, 130.0, 135.0, 135.0])

MIN_JERK_PEAK = 1.875  # peak speed of a minimum-jerk move over its mean speed (Flash and Hogan 1985)
WORK_HEIGHT_M = 0.15  # flange above the base when gripping: base and bench top are level
HOVER_HEIGHT_M = 0.35
GRIP_S = 0.4


def joints_over(azimuth_rad: float, reach_m: float, height_m: float) -> FloatArray:
    """Joint angles with the tool straight down, elbow up.

    Parameters
    ----------
    azimuth_rad : direction from the base axis, 0 in front [rad].
    reach_m : distance of the flange from the base axis [m].
    height_m : height of the flange above the base [m].

    Returns
    -------
    (7,) joint angles [rad].

    Raises
    ------
    ValueError
        If the arm does not reach there.
    """
    rise = height_m + WRIST_TO_FLANGE_M - SHOULDER_HEIGHT_M
    distance = float(np.hypot(reach_m, rise))
    if not abs(UPPER_ARM_M - FOREARM_M) < distance < UPPER_ARM_M + FOREARM_M:
        raise ValueError(
            f"reach {reach_m} m at height {height_m} m is outside the iiwa's reach of {UPPER_ARM_M + FOREARM_M:.2f} m"
        )
    at_shoulder = np.arccos((UPPER_ARM_M**2 + distance**2 - FOREARM_M**2) / (2 * UPPER_ARM_M * distance))
    at_elbow = np.arccos((UPPER_ARM_M**2 + FOREARM_M**2 - distance**2) / (2 * UPPER_ARM_M * FOREARM_M))
    upper = np.arctan2(reach_m, rise) - at_shoulder  # both links' angles are from the vertical
    fore = upper + np.pi - at_elbow
    joints = np.array([azimuth_rad, upper, 0.0, upper - fore, 0.0, np.pi - fore, azimuth_rad])
    beyond = np.abs(joints) > JOINT_LIMIT_RAD
    if beyond.any():
        j = int(np.flatnonzero(beyond)[0])
        raise ValueError(
            f"joint {j + 1} would turn to {np.rad2deg(joints[j]):.0f} deg; its limit is {np.rad2deg(JOINT_LIMIT_RAD[j]):.0f}"
        )
    return joints


def tool_position(joints_rad: FloatArray) -> FloatArray:
    """Flange position (3,) in the base frame [m] of joint angles (7,) with joints 3 and 5 at zero [rad]."""
    q1, q2, _, q4, _, q6, _ = joints_rad
    fore, tool = q2 - q4, q2 - q4 + q6
    out = UPPER_ARM_M * np.sin(q2) + FOREARM_M * np.sin(fore) + WRIST_TO_FLANGE_M * np.sin(tool)
    up = SHOULDER_HEIGHT_M + UPPER_ARM_M * np.cos(q2) + FOREARM_M * np.cos(fore) + WRIST_TO_FLANGE_M * np.cos(tool)
    return np.array([out * np.cos(q1), out * np.sin(q1), up])


def pick_and_place(pick_deg: float, place_deg: float, reach_m: float) -> tuple[FloatArray, FloatArray]:
    """Joint poses of one cycle and the shortest times between them.

    Parameters
    ----------
    pick_deg, place_deg : azimuths of the two places [deg]. reach_m : distance from the base axis [m].

    Returns
    -------
    poses : (9, 7) joint angles, the last equal to the first [rad].
    shortest_s : (8,) time from pose to pose at the joints' speed limits, minimum-jerk; grip and release take ``GRIP_S`` [s].
    """
    above_pick = joints_over(np.deg2rad(pick_deg), reach_m, HOVER_HEIGHT_M)
    pick = joints_over(np.deg2rad(pick_deg), reach_m, WORK_HEIGHT_M)
    above_place = joints_over(np.deg2rad(place_deg), reach_m, HOVER_HEIGHT_M)
    place = joints_over(np.deg2rad(place_deg), reach_m, WORK_HEIGHT_M)
    poses = np.array([above_pick, pick, pick, above_pick, above_place, place, place, above_place, above_pick])
    shortest_s = MIN_JERK_PEAK * (np.abs(np.diff(poses, axis=0)) / JOINT_SPEED_LIMIT_RAD_PER_S).max(axis=1)
    shortest_s[[1, 5]] = GRIP_S
    return poses, shortest_s


def hold_out(
    pick_deg: float, pick_reach_m: float, azimuth_deg: float, reach_m: float, height_m: float
) -> tuple[FloatArray, FloatArray]:
    """Joint poses of a cycle that holds the part out to a person, and the shortest times between them.

    Parameters
    ----------
    pick_deg : azimuth of the pick [deg]. pick_reach_m : its distance from the base axis [m].
    azimuth_deg, reach_m, height_m : where the part is held out: azimuth [deg], distance from the base axis [m], height of the
        flange above the base [m].

    Returns
    -------
    As :func:`pick_and_place`: above the pick, at it, gripped, above it, held out twice, above the pick again and three times.

    Raises
    ------
    ValueError
        If the arm does not reach there.
    """
    above = joints_over(np.deg2rad(pick_deg), pick_reach_m, HOVER_HEIGHT_M)
    pick = joints_over(np.deg2rad(pick_deg), pick_reach_m, WORK_HEIGHT_M)
    held = joints_over(np.deg2rad(azimuth_deg), reach_m, height_m)
    poses = np.array([above, pick, pick, above, held, held, above, above, above])
    shortest_s = MIN_JERK_PEAK * (np.abs(np.diff(poses, axis=0)) / JOINT_SPEED_LIMIT_RAD_PER_S).max(axis=1)
    shortest_s[[1, 4]] = GRIP_S
    return poses, shortest_s


def timed(shortest_s: FloatArray, slowness: float) -> FloatArray:
    """Instants (9,) of a cycle's poses [s]: moves take ``slowness`` times their shortest times (8,), grips their own."""
    times = np.where(shortest_s == GRIP_S, GRIP_S, shortest_s * slowness)
    return np.concatenate(([0.0], np.cumsum(times)))


def peak_tool_speed_mps(poses: FloatArray, time_s: FloatArray) -> float:
    """Highest speed of the flange in an undisturbed cycle [m/s].

    Parameters
    ----------
    poses : (9, 7) joint angles [rad]. time_s : (9,) their instants [s]; moves between them are minimum-jerk.
    """
    peak = 0.0
    u = np.linspace(0.0, 1.0, 201)
    course = u**3 * (10.0 - 15.0 * u + 6.0 * u**2)
    for start, end, span in zip(poses[:-1], poses[1:], np.diff(time_s), strict=True):
        if span > 0.0:
            places = np.array([tool_position(start + c * (end - start)) for c in course])
            peak = max(peak, float(np.linalg.norm(np.diff(places, axis=0), axis=1).max()) * 200.0 / span)
    return peak


def shortest_cycle_s(pick_deg: float, place_deg: float, reach_m: float) -> float:
    """Shortest time of a pick-and-place cycle at the joints' speed limits [s]."""
    return float(pick_and_place(pick_deg, place_deg, reach_m)[1].sum())
