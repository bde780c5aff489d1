"""Small scenes for the tests of the Bullet world: a hall with two boxes, AGVs, arms, and people in mid-stride."""

import numpy as np

from factory.world import WorldSpec
from humans.body import JOINTS, capsule_radius_m, pose
from humans.gait import gait_joints
from humans.types import PeopleState

HALL_M = (20.0, 12.0, 6.0)
RACK_CENTER_M = (10.0, 10.0)
READY_RAD = np.array([0.0, 0.5, 0.0, -1.2, 0.0, 0.8, 0.0])
"""Joint angles of an arm that reaches forwards over its cell."""


def people(
    position_m: np.ndarray,
    heading_rad: np.ndarray | None = None,
    stature_m: np.ndarray | None = None,
    phase: np.ndarray | None = None,
    scale: np.ndarray | None = None,
    present: np.ndarray | None = None,
) -> PeopleState:
    """People who stand (scale 0) or walk at a phase of their gait cycle."""
    position = np.asarray(position_m, dtype=float).reshape(-1, 2)
    n = len(position)
    heading = np.zeros(n) if heading_rad is None else heading_rad
    stature = np.full(n, 1.75) if stature_m is None else stature_m
    phase = np.zeros(n) if phase is None else phase
    scale = np.zeros(n) if scale is None else scale
    joints = np.zeros((n, JOINTS))
    for i in range(n):
        gait_joints(phase[i], scale[i], stature[i], 1.0, joints[i])
    capsule_a, capsule_b = pose(position, heading, stature, joints)
    return PeopleState(
        time_us=0,
        present=np.ones(n, bool) if present is None else present,
        position_m=position,
        velocity_mps=np.zeros((n, 2)),
        tracked_velocity_mps=np.zeros((n, 2)),
        heading_rad=heading,
        stature_m=stature,
        capsule_a=capsule_a,
        capsule_b=capsule_b,
        capsule_radius_m=capsule_radius_m(stature),
        activity=np.zeros(n, np.int64),
        role=np.zeros(n, np.int64),
        pseudonym=tuple(f"person-{i:04x}" for i in range(n)),
        panel_holder=np.zeros(0, np.int64),
        panel_position_m=np.zeros((0, 3)),
        goal_m=position.copy(),
    )


def spec(crowd: PeopleState, agvs: int = 1, cobots: int = 1, boxes: bool = True) -> WorldSpec:
    """Return a hall with a rack and a turned cell, AGVs of 1.2 m x 0.8 m x 0.3 m, and arms on pedestals of 0.8 m."""
    center = np.array([[*RACK_CENTER_M, 2.0], [16.0, 3.0, 0.75]]) if boxes else np.zeros((0, 3))
    half = np.array([[3.0, 0.5, 2.0], [1.0, 1.0, 0.75]]) if boxes else np.zeros((0, 3))
    return WorldSpec(
        hall_size_m=np.array(HALL_M),
        box_center_m=center,
        box_half_m=half,
        box_yaw_rad=np.array([0.0, 0.4]) if boxes else np.zeros(0),
        box_kind=("rack", "cell") if boxes else (),
        agv_half_extent_m=np.tile((0.6, 0.4), (agvs, 1)),
        agv_body_height_m=0.3,
        cobot_position_m=np.array([[3.0 + 3.0 * j, 9.0, 0.8] for j in range(cobots)]).reshape(-1, 3),
        cobot_yaw_rad=0.3 * np.arange(cobots),
        person_radius_m=crowd.capsule_radius_m,
        trp_position_m=np.array([[0.5, 6.0, 3.0]]),
    )
