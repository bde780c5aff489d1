"""The scene that is exported: boxes, AGVs where they start, cobots' bases, TRPs, all in the hall frame [m]."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from factory.scenario import Scenario
from factory.validate.sionna_live import box_corners
from robots.routes import Graph

# Corners of the hall's faces, in the order of geometry (x = 0 first, floor and ceiling last), numbered as box_corners does.
_FACES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
COBOT_BASE_M = (0.3, 0.3)  # footprint of the pedestal's top that stands for the arm's base
TRP_SIZE_M = (0.1, 0.3, 0.3)


@dataclass(frozen=True, slots=True)
class Block:
    """A named box of the scene.

    Attributes
    ----------
    name, kind : kind is rack, cell, machine, wall, office, agv, cobot or trp.
    center_m, size_m : (3,) [m].
    yaw_rad, pitch_rad : turn about the vertical, then nose down [rad].
    material : row of ITU-R P.2040, empty for what has none.
    about : what a tool may want to know beside.
    """

    name: str
    kind: str
    center_m: npt.NDArray[np.float64]
    size_m: npt.NDArray[np.float64]
    yaw_rad: float
    pitch_rad: float
    material: str
    about: dict[str, float | str]


def blocks(scenario: Scenario) -> list[Block]:
    """Return everything that stands or hangs in the hall, in the order boxes, AGVs, cobots, TRPs."""
    result = []
    for box in scenario.hall.boxes:
        size = np.array(box.size_m)
        center = np.array([*box.center_m, size[2] / 2])
        about: dict[str, float | str] = {"thickness_m": box.thickness_m}
        result.append(Block(box.name, box.kind, center, size, math.radians(box.yaw_deg), 0.0, box.material, about))
    agvs = scenario.robots.agvs
    if agvs.count:
        graph = Graph(scenario.robots.routes, agvs)
        size = np.array([agvs.length_m, agvs.width_m, agvs.body_height_m])
        for k, node in enumerate(graph.start_nodes(agvs.count)):
            center = np.array([*graph.node_xy[node], size[2] / 2])
            out = np.flatnonzero(graph.edge_start == node)
            yaw = float(graph.edge_yaw_rad[out[0]]) if len(out) else 0.0
            about = {"node": graph.node_id[node], "antenna_height_m": agvs.antenna_height_m}
            result.append(Block(f"agv-{k + 1}", "agv", center, size, yaw, 0.0, "metal", about))
    for cobot in scenario.robots.cobots:
        x, y, z = cobot.position_m
        size = np.array([*COBOT_BASE_M, max(z, 0.1)])
        center = np.array([x, y, size[2] / 2])
        result.append(Block(cobot.name, "cobot", center, size, math.radians(cobot.yaw_deg), 0.0, "metal", {"base_height_m": z}))
    for trp in scenario.radio.trps:
        about = {
            "frequency_hz": scenario.radio.carrier_of(trp).frequency_hz,
            "tx_power_dbm": trp.tx_power_dbm,
            "azimuth_deg": trp.azimuth_deg,
            "downtilt_deg": trp.downtilt_deg,
            "rows": trp.panel.rows,
            "columns": trp.panel.columns,
        }
        result.append(
            Block(
                trp.name, "trp", np.array(trp.position_m), np.array(TRP_SIZE_M), math.radians(trp.azimuth_deg),
                math.radians(trp.downtilt_deg), "", about,
            )
        )  # fmt: skip
    return result


def face_corners(size_m: npt.NDArray[np.float64], face: int) -> npt.NDArray[np.float64]:
    """Return the (4, 3) corners of a face of the hall [m]."""
    return np.asarray(box_corners(size_m / 2, size_m / 2, 0.0)[list(_FACES[face])], dtype=np.float64)
