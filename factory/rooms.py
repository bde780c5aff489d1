"""Builds the rooms of a scenario: what each room needs to know of the hall, and a generator of its own for each.

A room's ``ValueError`` becomes a :class:`factory.errors.ScenarioError` with the place of the section it belongs to.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from factory.config import HallConfig
from factory.errors import ScenarioError, UserError
from factory.scenario import LoadedScenario
from humans.types import WalkSpace
from radio.propagation.geometry import Hall
from robots.config import CobotConfig


def generator(seed: int, name: str) -> np.random.Generator:
    """Random generator of a subsystem, independent of every other name's.

    The name and not the order of creation selects the stream, so that a new subsystem leaves the others' draws alone.
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(zlib.crc32(name.encode()),)))


def draw_seed(seed: int) -> int:
    """Seed of the messages' draws, shared by all policies so that they meet the same luck."""
    return int(generator(seed, "messages").integers(2**62))


def channel_seed(seed: int) -> int:
    """Seed of what the channel draws: the remainder, and the statistical channel's places of shadow."""
    return int(generator(seed, "channel").integers(2**62))


@contextmanager
def blaming(loaded: LoadedScenario, key: str) -> Iterator[None]:
    """Turn a room's ValueError into an error at ``key`` of the scenario."""
    try:
        yield
    except UserError:
        raise
    except ValueError as error:
        raise loaded.problem(key, str(error)) from error


def _boxes(hall: HallConfig) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    centre = np.array([(*b.center_m, b.size_m[2] / 2) for b in hall.boxes], dtype=np.float64).reshape(-1, 3)
    half = np.array([b.size_m for b in hall.boxes], dtype=np.float64).reshape(-1, 3) / 2
    return centre, half, np.radians(np.array([b.yaw_deg for b in hall.boxes], dtype=np.float64))


def radio_hall(hall: HallConfig) -> Hall:
    """Return the hall as the radio sees it."""
    centre, half, yaw = _boxes(hall)
    return Hall(
        size_m=np.array(hall.size_m, dtype=np.float64),
        box_center_m=centre,
        box_half_m=half,
        box_yaw_rad=yaw,
        box_material=tuple(b.material for b in hall.boxes),
        wall_material=hall.wall_material,
        floor_material=hall.floor_material,
        ceiling_material=hall.ceiling_material,
        wall_thickness_m=hall.wall_thickness_m,
        floor_thickness_m=hall.floor_thickness_m,
        ceiling_thickness_m=hall.ceiling_thickness_m,
        box_thickness_m=np.array([b.thickness_m for b in hall.boxes], dtype=np.float64),
    )


PEDESTAL_HALF_M = 0.25


def walk_space(hall: HallConfig, cobots: Sequence[CobotConfig] = ()) -> WalkSpace:
    """Return the floor as people see it: nobody walks through a box, nor through the pedestal that a cobot stands on."""
    centre, half, yaw = _boxes(hall)
    stand = np.array([c.position_m[:2] for c in cobots], dtype=np.float64).reshape(-1, 2)
    turned = np.radians(np.array([c.yaw_deg for c in cobots], dtype=np.float64))
    return WalkSpace(
        size_m=np.array(hall.size_m[:2], dtype=np.float64),
        box_center_m=np.concatenate([centre[:, :2], stand]),
        box_half_m=np.concatenate([half[:, :2], np.full_like(stand, PEDESTAL_HALF_M)]),
        box_yaw_rad=np.concatenate([yaw, turned]),
        box_name=(*(b.name for b in hall.boxes), *(f"pedestal of {c.name}" for c in cobots)),
    )


def zone_index(hall: HallConfig, xy_m: np.ndarray) -> np.ndarray:
    """Index of the first zone that holds each point (k, 2) [m]; ``len(hall.zones)`` where none does."""
    index = np.full(len(xy_m), len(hall.zones), dtype=np.int64)
    for i in range(len(hall.zones) - 1, -1, -1):
        zone = hall.zones[i]
        inside = (
            (xy_m[:, 0] >= zone.x_m[0]) & (xy_m[:, 0] < zone.x_m[1]) & (xy_m[:, 1] >= zone.y_m[0]) & (xy_m[:, 1] < zone.y_m[1])
        )
        index[inside] = i
    return index


def zone_names(hall: HallConfig) -> tuple[str, ...]:
    """Names of the zones, the rest of the hall last."""
    return (*(z.name for z in hall.zones), "elsewhere" if hall.zones else "hall")


__all__ = [
    "ScenarioError",
    "blaming",
    "channel_seed",
    "draw_seed",
    "generator",
    "radio_hall",
    "walk_space",
    "zone_index",
    "zone_names",
]
