"""A hall of rack aisles with too few transmission points: a main corridor in sight of them, and aisles in the racks' shadow.

Four metal racks stand along the hall; AGVs fetch in the east and bring to the west. Two transmission points in the corners of
the south wall see the main corridor, one lane each way, and the streets across. Between the racks, where people pick, they are
hidden. Going by the corridor is longer, by more or less from order to order, so that whoever routes has a choice on every way.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

LANES_Y_M = (1.8, 4.4, 10.5, 16.5, 22.5, 28.2)
"""Two lanes of the corridor and four aisles; they lead east and west by turns."""
_RACKS_Y_M = (7.5, 13.5, 19.5, 25.5)
_NORTH_X_M, _SOUTH_X_M = (7.0, 41.0), (4.0, 38.0)  # streets across, west and east, one for each direction
_SIZE_M = (46.0, 30.0, 7.0)
_RACK_X_M, _RACK_M = (11.0, 34.0), (23.0, 2.4, 4.5)


def routes() -> dict[str, Any]:
    """Give the route graph: one-way streets, drops in the west, picks in the east."""
    nodes: list[dict[str, Any]] = []
    edges: list[dict[str, Any]] = []

    def node(name: str, x: float, y: float, action: str | None = None) -> str:
        nodes.append({"id": name, "position_m": [x, y], "action": action})
        return name

    across: dict[float, list[str]] = {x: [] for x in (*_NORTH_X_M, *_SOUTH_X_M)}
    for j, y in enumerate(LANES_Y_M):
        names = []
        for x in sorted(across):
            across[x].append(node(f"x{x:g}-{j}", x, y))
            names.append(across[x][-1])
            if x == 7.0:
                names += [node(f"a{j}-{k}", at, y) for k, at in enumerate((14.0, 22.5, 31.0))]
        row = names if j % 2 == 0 else names[::-1]
        edges += [{"start": a, "end": b, "two_way": False} for a, b in pairwise(row)]
    for x, names in across.items():
        up = names if x in _NORTH_X_M else names[::-1]
        for a, b in pairwise(up):
            j = min(int(a.split("-")[1]), int(b.split("-")[1]))
            y = 0.5 * (LANES_Y_M[j] + LANES_Y_M[j + 1])
            if not j:
                edges.append({"start": a, "end": b, "two_way": False})
                continue
            halfway = node(f"m{x:g}-{j}", x, y, {4.0: "drop", 41.0: "pick"}.get(x))
            edges += [{"start": a, "end": halfway, "two_way": False}, {"start": halfway, "end": b, "two_way": False}]
    return {"nodes": nodes, "edges": edges}


def scenario(seed: int, weight: float, agvs: int = 8, people: int = 9) -> dict[str, Any]:
    """Give the whole scenario as a file would hold it.

    Parameters
    ----------
    seed : of everything. weight : ``link_risk_weight``. agvs, people : how many.
    """
    boxes = [
        {"name": f"rack-{j}", "kind": "rack", "material": "metal", "center_m": [sum(_RACK_X_M) / 2, y],
         "size_m": list(_RACK_M)}
        for j, y in enumerate(_RACKS_Y_M)
    ]  # fmt: skip
    stations = [
        {"name": f"bay-{j}-{k}", "position_m": [x, LANES_Y_M[j] + side * 1.3], "facing_deg": 90 * side, "kind": "rack"}
        for j in (2, 3, 4)
        for k, (x, side) in enumerate(((13.0, 1), (18.0, -1), (24.0, 1), (29.0, -1), (32.5, 1)))
    ]
    return {
        "name": "weak-aisles", "seed": seed, "duration_s": 3600, "clock": {"tick_hz": 50, "physics_hz": 25},
        "hall": {"size_m": list(_SIZE_M), "wall_material": "concrete", "floor_material": "concrete",
                 "ceiling_material": "concrete", "boxes": boxes},
        "robots": {"agvs": {"count": agvs, "load_time_s": 8, "unload_time_s": 6}, "routes": routes(),
                   "routing": {"link_risk_weight": weight}},
        "people": {"count": people, "panels": 0, "stations": stations,
                   "roles": [{"name": "picker", "share": 1.0, "stations": ["rack"], "reach_per_min": 10}]},
        "radio": {
            "policy": "reactive", "compare": ["reactive"],
            "carrier": {"frequency_hz": 28e9, "bandwidth_hz": 50e6, "subcarrier_spacing_hz": 120000, "resource_blocks": 32},
            "trps": [
                {"name": "south-west", "position_m": [0.5, 0.5, 5.0], "azimuth_deg": 45, "downtilt_deg": 8, "tx_power_dbm": 30},
                {"name": "south-east", "position_m": [45.5, 0.5, 5.0], "azimuth_deg": 135, "downtilt_deg": 8, "tx_power_dbm": 30},
            ],
            "services": [{"name": "agv-control", "profile": "mobile-robot", "devices": "agv"}],
        },
    }  # fmt: skip


def hidden(node: str) -> bool:
    """Whether an edge that begins at this node leads through an aisle between or behind the racks."""
    return node.startswith("a") and int(node[1]) >= 2
