"""A hall for forty AGVs: a grid of one-way streets with picks in the east, drops in the west, and stations off the lanes.

Streets run east and west at every 9 m, north and south at every 12 m, in alternating directions, so that the outer ones form a
ring. Picks and drops stand halfway between two crossings; charging stations and parks on spurs of their own, so that an AGV that
charges keeps nobody from passing.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from humans.config import PeopleConfig
from humans.types import WalkSpace
from robots.config import RobotsConfig

COLUMNS, ROWS = 8, 6
COLUMN_M, ROW_M, EDGE_M = 12.0, 9.0, 7.0
SIZE_M = (2 * EDGE_M + (COLUMNS - 1) * COLUMN_M, 2 * EDGE_M + (ROWS - 1) * ROW_M)
_SPUR_M = 4.0
_BESIDE_M = 2.2  # a work place stands this far beside the street


def routes() -> dict[str, Any]:
    """Give the route graph as a scenario holds it."""
    x = [EDGE_M + COLUMN_M * i for i in range(COLUMNS)]
    y = [EDGE_M + ROW_M * j for j in range(ROWS)]
    nodes: list[dict[str, Any]] = []
    edges: list[dict[str, Any]] = []

    def node(name: str, px: float, py: float, action: str | None = None) -> str:
        nodes.append({"id": name, "position_m": (px, py), "action": action})
        return name

    def chain(names: list[str]) -> None:
        edges.extend({"start": a, "end": b, "two_way": False} for a, b in pairwise(names))

    for j in range(ROWS):
        street = []
        for i in range(COLUMNS):
            street.append(node(f"x{i}-{j}", x[i], y[j]))
            if i + 1 < COLUMNS:
                action = "drop" if i < 2 else "pick" if i >= COLUMNS - 4 else None
                street.append(node(f"m{i}-{j}", x[i] + COLUMN_M / 2, y[j], action))
        chain(street if j % 2 == 0 else street[::-1])
    for i in range(COLUMNS):
        street = [f"x{i}-{j}" for j in range(ROWS)]
        chain(street if i % 2 else street[::-1])
    for i in range(COLUMNS - 1):
        for action, j, py in (("charge", 0, y[0] - _SPUR_M), ("park", ROWS - 1, y[-1] + _SPUR_M)):
            edges.append({"start": f"m{i}-{j}", "end": node(f"{action}-{i}", x[i] + COLUMN_M / 2, py, action)})
    return {"nodes": nodes, "edges": edges}


def robots(count: int = 40, **agvs: Any) -> RobotsConfig:
    """Give the robots section: mixed loads on pallets and carts, opportunity charging; ``agvs`` overrides."""
    loads = [
        {"name": "boxes on a cart", "share": 3, "carrier_height_m": 0.2, "layer_height_m": 0.28, "layers": (1, 4)},
        {"name": "pallet", "share": 2, "carrier_height_m": 0.144, "layer_height_m": 0.4, "layers": (1, 4)},
        {"name": "rack of sheet metal", "share": 1, "layer_height_m": 2.1, "load_time_s": 25.0, "unload_time_s": 20.0},
    ]
    fleet = {"count": count, "loads": loads, "battery": {"driving_time_s": 4 * 3600.0}, **agvs}
    return RobotsConfig.model_validate({"agvs": fleet, "routes": routes()})


def walk_space() -> WalkSpace:
    """Give the floor without boxes: people may cross wherever they like, which is the harder case for the AGVs."""
    none = np.zeros((0, 2))
    return WalkSpace(np.array(SIZE_M), none, none, np.zeros(0), ())


def people(count: int = 40) -> PeopleConfig:
    """Give the people section: work places beside the streets, each block its own, and a place for breaks."""
    stations: list[dict[str, Any]] = []
    for j in range(ROWS - 1):
        for i in range(COLUMNS - 1):
            px = EDGE_M + COLUMN_M * (i + 0.5) + 2.0
            py = EDGE_M + ROW_M * j + _BESIDE_M
            kind = "cell" if i < 2 else "rack"
            stations.append({"name": f"place-{i}-{j}", "position_m": (px, py), "facing_deg": -90, "kind": kind})
    for k in range(4):
        stations.append({"name": f"coffee-{k}", "position_m": (2.0, 20.0 + 2 * k), "facing_deg": 0, "kind": "break"})
    return PeopleConfig.model_validate({"count": count, "panels": 0, "stations": stations})
