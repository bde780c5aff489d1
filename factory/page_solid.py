"""What the page's 3D view draws beside the hall: panels of the TRPs, and the arm of the cobots as Bullet's model has it."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from bridges.page.solid import ArmView, SolidView, TrpView
from factory.bullet import pybullet
from factory.scenario import Scenario
from factory.world import LINK_RADIUS_M
from factory.world_kernels import JOINTS, TOOL_M, joint_frames
from radio.propagation.antennas import panel_axes
from robots.kinematics import joints_over

__all__ = ["solid_of", "solid_of_json"]

_AGV_HEIGHT_M = 0.35  # of a run whose version did not say
_REST_REACH_M, _REST_HEIGHT_M = 0.55, 0.35


@cache
def arm_view() -> ArmView:
    """Return the arm of every cobot, its frames read from the URDF once."""
    client = pybullet.connect(pybullet.DIRECT)
    try:
        import pybullet_data

        pybullet.setAdditionalSearchPath(pybullet_data.getDataPath(), physicsClientId=client)
        arm = pybullet.loadURDF("kuka_iiwa/model.urdf", useFixedBase=1, physicsClientId=client)
        info = [pybullet.getJointInfo(arm, j, physicsClientId=client) for j in range(JOINTS)]
        inertial = [pybullet.getDynamicsInfo(arm, j - 1, physicsClientId=client)[3] for j in range(JOINTS)]
        frames = joint_frames(
            np.array([i[14] for i in info]), np.array([i[15] for i in info]), np.array(inertial, dtype=np.float64)
        )
    finally:
        pybullet.disconnect(client)
    return ArmView(
        frames=tuple(tuple(tuple(float(v) for v in row) for row in frame) for frame in frames),
        radius_m=tuple(float(r) for r in LINK_RADIUS_M),
        tool_m=TOOL_M,
        rest_rad=tuple(float(q) for q in joints_over(0.0, _REST_REACH_M, _REST_HEIGHT_M)),
    )


def solid_of(scenario: Scenario) -> SolidView:
    """Return what a scenario's 3D view draws."""
    return solid_of_json(scenario.model_dump(mode="json"))


def solid_of_json(scenario: dict[str, Any]) -> SolidView:
    """Return what a recorded scenario's 3D view draws, also of one that an older version wrote."""
    robots, radio = scenario.get("robots") or {}, scenario.get("radio") or {}
    trps = []
    for trp in radio.get("trps") or ():
        axes = panel_axes(trp.get("azimuth_deg", 0.0), trp.get("downtilt_deg", 0.0))
        boresight, left, up = ((float(a), float(b), float(c)) for a, b, c in axes)
        panel = trp.get("panel") or {}
        trps.append(TrpView(str(trp["name"]), (boresight, left, up), int(panel.get("rows", 1)), int(panel.get("columns", 1))))
    return SolidView(
        trps=tuple(trps),
        arm=arm_view(),
        agv_height_m=float((robots.get("agvs") or {}).get("body_height_m", _AGV_HEIGHT_M)),
        base_m=tuple(float(c["position_m"][2]) for c in robots.get("cobots") or ()),
    )
