"""Numbers of the Bullet world: where the arms' links are, and which pairs of a person and a machine Bullet is asked about.

Bullet moves the joints; the links follow from the joints by the frames of the arm's URDF. Bullet decides who touches whom; pairs
that are farther apart than their shapes reach are not worth the question.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from robots.safety import segment_distance_m

Floats = npt.NDArray[np.float64]
JOINTS = 7
TOOL_M = 0.17
"""Flange and gripper beyond the last joint [m]."""
MESH_REACH_M = 0.20
"""No collision shape of a link reaches this far from its axis; its mesh's farthest corner is 0.150 m away (the base's)."""
_SLACK_M = 0.05  # beyond Bullet's collision margins

KIND_AGV, KIND_LOAD, KIND_COBOT = range(3)


def joint_frames(parent_m: Floats, parent_quaternion: Floats, inertial_m: Floats) -> Floats:
    """Joint frames in the frame of the link before, from what Bullet tells of them.

    Parameters
    ----------
    parent_m, parent_quaternion : (7, 3) [m], (7, 4) x, y, z, w: joints in the parent's inertial frame (``getJointInfo``).
    inertial_m : (7, 3) parents' inertial frames in their link frames, which are parallel to them [m].

    Returns
    -------
    (7, 3, 4) rotation and, in the last column, place [m].
    """
    # Bullet's quaternion turns the parent's frame into the joint's; the joint's axes in the parent's frame are its reverse.
    x, y, z, w = (np.array([-1, -1, -1, 1]) * parent_quaternion / np.linalg.norm(parent_quaternion, axis=1, keepdims=True)).T
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    ).transpose(2, 0, 1)
    return np.ascontiguousarray(np.concatenate((rotation, (parent_m + inertial_m)[:, :, None]), axis=2))


@njit(cache=True)
def arm_links(angle_rad, base_m, base_yaw_rad, frame, start, end) -> None:  # type: ignore[no-untyped-def]
    """Write the axes of the arms' links.

    Parameters
    ----------
    angle_rad : (m, 7) joint angles about the joints' own z [rad].
    base_m, base_yaw_rad : (m, 3) [m], (m,) [rad]. frame : (7, 3, 4) see :func:`joint_frames`.
    start, end : (m, 8, 3) written: from base over the joints to the tool, whose axis is the last link's z [m].
    """
    r = np.empty((3, 3))
    turned = np.empty((3, 3))
    for j in range(angle_rad.shape[0]):
        c, s = np.cos(base_yaw_rad[j]), np.sin(base_yaw_rad[j])
        r[0, 0], r[0, 1], r[0, 2] = c, -s, 0.0
        r[1, 0], r[1, 1], r[1, 2] = s, c, 0.0
        r[2, 0], r[2, 1], r[2, 2] = 0.0, 0.0, 1.0
        for axis in range(3):
            start[j, 0, axis] = base_m[j, axis]
        for k in range(JOINTS):
            f = frame[k]
            for axis in range(3):
                along = r[axis, 0] * f[0, 3] + r[axis, 1] * f[1, 3] + r[axis, 2] * f[2, 3]
                start[j, k + 1, axis] = end[j, k, axis] = start[j, k, axis] + along
            c, s = np.cos(angle_rad[j, k]), np.sin(angle_rad[j, k])
            for row in range(3):
                for column in range(3):
                    turned[row, column] = r[row, 0] * f[0, column] + r[row, 1] * f[1, column] + r[row, 2] * f[2, column]
            for row in range(3):
                r[row, 0] = turned[row, 0] * c + turned[row, 1] * s
                r[row, 1] = turned[row, 1] * c - turned[row, 0] * s
                r[row, 2] = turned[row, 2]
        for axis in range(3):
            end[j, JOINTS, axis] = start[j, JOINTS, axis] + TOOL_M * r[axis, 2]


@njit(cache=True)
def take_poses(xy, yaw, load_m, target, pose, wanted):  # type: ignore[no-untyped-def]
    """Copy AGV poses to (n, 4) x, y, yaw, load and joint targets to (m, 7); False if a number is not finite."""
    total = 0.0
    for i in range(pose.shape[0]):
        pose[i, 0], pose[i, 1], pose[i, 2], pose[i, 3] = xy[i, 0], xy[i, 1], yaw[i], load_m[i]
        total += xy[i, 0] + xy[i, 1] + yaw[i] + load_m[i]
    for j in range(wanted.shape[0]):
        for k in range(wanted.shape[1]):
            wanted[j, k] = target[j, k]
            total += target[j, k]
    return np.isfinite(total)


@njit(cache=True)
def take_people(present, a, b, into_present, into_a, into_b):  # type: ignore[no-untyped-def]
    """Copy who is there and their capsules (k, C, 3); the first person with a pose that is not finite, -1 for none.

    Nothing is copied then. Whoever is away may have no pose.
    """
    for i in range(present.shape[0]):
        if present[i]:
            total = 0.0
            for c in range(a.shape[1]):
                for axis in range(3):
                    total += a[i, c, axis] + b[i, c, axis]
            if not np.isfinite(total):
                return i
    into_present[:] = present
    into_a[:] = a
    into_b[:] = b
    return -1


@njit(cache=True)
def _in_box(a, b, radius, pose, half, low, high):  # type: ignore[no-untyped-def]
    """Whether the bounding box of a capsule, in the frame of an upright box, meets that box."""
    c, s = np.cos(pose[2]), np.sin(pose[2])
    ax, ay, bx, by = a[0] - pose[0], a[1] - pose[1], b[0] - pose[0], b[1] - pose[1]
    u, v = c * ax + s * ay, c * ay - s * ax
    p, q = c * bx + s * by, c * by - s * bx
    grown = radius + _SLACK_M
    return (
        min(u, p) - grown < half[0]
        and max(u, p) + grown > -half[0]
        and min(v, q) - grown < half[1]
        and max(v, q) + grown > -half[1]
        and min(a[2], b[2]) - grown < high
        and max(a[2], b[2]) + grown > low
    )


@njit(cache=True)
def near_pairs(present, a, b, radius, pose, agv_half, body_m, link_start, link_end, pair):  # type: ignore[no-untyped-def]
    """List the people's capsules that may touch a machine, cautiously: every pair that touches is among them.

    Parameters
    ----------
    present : (k,). a, b : (k, C, 3) capsules [m]. radius : (k, C) [m].
    pose : (n, 4) AGVs' x, y [m], yaw [rad], load height [m]. agv_half : (n, 2) [m]. body_m : height of an AGV [m].
    link_start, link_end : (m, 8, 3) axes of the arms' links [m].
    pair : (rows, 4) written: kind of machine (``KIND_...``), its index, person, capsule.

    Returns
    -------
    Number of pairs, which may exceed the rows that there were.
    """
    n = 0
    for i in range(present.shape[0]):
        if not present[i]:
            continue
        x, y = a[i, 0, 0], a[i, 0, 1]
        reach = 0.0  # of the whole body about that place
        for c in range(a.shape[1]):
            from_a = np.hypot(a[i, c, 0] - x, a[i, c, 1] - y)
            from_b = np.hypot(b[i, c, 0] - x, b[i, c, 1] - y)
            reach = max(reach, max(from_a, from_b) + radius[i, c])
        for k in range(pose.shape[0]):
            far = reach + agv_half[k, 0] + agv_half[k, 1] + _SLACK_M
            if (x - pose[k, 0]) ** 2 + (y - pose[k, 1]) ** 2 > far * far:
                continue
            for c in range(a.shape[1]):
                for part in range(2 if pose[k, 3] > 0.0 else 1):
                    low, high = (0.0, body_m) if part == 0 else (body_m, body_m + pose[k, 3])
                    if _in_box(a[i, c], b[i, c], radius[i, c], pose[k], agv_half[k], low, high):
                        if n < pair.shape[0]:
                            pair[n, 0], pair[n, 1], pair[n, 2], pair[n, 3] = KIND_AGV if part == 0 else KIND_LOAD, k, i, c
                        n += 1
        for j in range(link_start.shape[0]):
            base, tip = link_start[j, 0], link_end[j, JOINTS]
            span = 0.0
            for part in range(JOINTS + 1):
                span = max(span, np.hypot(link_end[j, part, 0] - base[0], link_end[j, part, 1] - base[1]))
            far = reach + span + MESH_REACH_M
            if (x - base[0]) ** 2 + (y - base[1]) ** 2 > far * far:
                continue
            for c in range(a.shape[1]):
                for part in range(JOINTS + 1):
                    base, tip = link_start[j, part], link_end[j, part]
                    gap = segment_distance_m(
                        a[i, c, 0], a[i, c, 1], a[i, c, 2], b[i, c, 0], b[i, c, 1], b[i, c, 2],
                        base[0], base[1], base[2], tip[0], tip[1], tip[2],
                    )  # fmt: skip
                    if gap < radius[i, c] + MESH_REACH_M:
                        if n < pair.shape[0]:
                            pair[n, 0], pair[n, 1], pair[n, 2], pair[n, 3] = KIND_COBOT, j, i, c
                        n += 1
                        break
    return n
