"""Floors, machines and recordings for the tests of people."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from factory.validate.motion_soak import blind_machines
from humans.config import PeopleConfig
from humans.floor import box_distance_m
from humans.types import Occupancy, PeopleModel, WalkSpace

_ROOT = Path(__file__).resolve().parents[2]
_SCENARIO = YAML(typ="safe").load((_ROOT / "factory/scenarios/assembly-hall.yaml").read_text(encoding="utf-8"))
TICK_US = 20_000
aisle_machines = blind_machines  # the same traffic as in the soaks


def assembly_hall() -> WalkSpace:
    """Return the floor of the default scenario: six racks, five aisles, four cells."""
    boxes = _SCENARIO["hall"]["boxes"]
    return floor_with(
        _SCENARIO["hall"]["size_m"][:2],
        [(*b["center_m"], *b["size_m"][:2], b.get("yaw_deg", 0.0)) for b in boxes],
        tuple(b["name"] for b in boxes),
    )


def assembly_people(**changes: Any) -> PeopleConfig:
    """Return the default scenario's people, changed."""
    return PeopleConfig.model_validate({**_SCENARIO["people"], **changes})


def floor_with(size_m: Any, boxes: list[tuple[float, ...]], names: tuple[str, ...] | None = None) -> WalkSpace:
    """Return a floor with boxes given as (x, y, length, width, yaw in degrees)."""
    table = np.array(boxes, dtype=float).reshape(-1, 5)
    return WalkSpace(
        np.array(size_m, dtype=float),
        table[:, :2],
        table[:, 2:4] / 2,
        np.radians(table[:, 4]),
        names or tuple(f"box-{k}" for k in range(len(table))),
    )


def run(crowd: PeopleModel, seconds: float, occupancy: Occupancy | None = None, from_us: int = 0, tick_us: int = TICK_US) -> int:
    """Let people go on for a while and return the time [us]."""
    now = from_us
    for _ in range(round(seconds * 1e6 / tick_us)):
        now += tick_us
        crowd.step(now, tick_us, occupancy or Occupancy.empty())
    return now


def clearance_m(space: WalkSpace, position_m: np.ndarray) -> float:
    """Return how near anybody of (n, 2) comes to a box or a wall, negative inside [m]."""
    wall = np.minimum(position_m, space.size_m - position_m).min()
    return float(min(wall, box_distance_m(space, position_m).min() if len(space.box_name) else np.inf))


def recording(name: str) -> Path:
    """Return a file of recorded data from beside the checkout; skip the test where there is none."""
    folder = Path(os.environ.get("FACTORY_TWIN_SHARED", _ROOT.parent / "shared" / "data"))
    path = folder / "people" / name
    if not path.is_file():
        pytest.skip(f"no recorded data at {path}; set FACTORY_TWIN_SHARED to the folder that holds people/{name}")
    return path
