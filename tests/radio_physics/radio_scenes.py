"""Halls, devices and bodies for the tests of the radio's physics, drawn from a seed."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from radio.config import RadioConfig, TrpConfig
from radio.propagation.geometry import Hall
from radio.types import SHAPE_CAPSULE, SHAPE_ELLIPSE, SHAPE_RECTANGLE, Blockers, Paths, Ues

Point = tuple[float, float, float]

WAVELENGTH_28_GHZ_M = 299_792_458.0 / 28e9

TRPS = (
    TrpConfig(name="ceiling-west", position_m=(15.0, 33.0, 7.5), azimuth_deg=-90, downtilt_deg=35),
    TrpConfig(name="ceiling-east", position_m=(45.0, 33.0, 7.5), azimuth_deg=-90, downtilt_deg=35),
    TrpConfig(name="aisle-west", position_m=(1.0, 10.0, 3.0), azimuth_deg=0, downtilt_deg=3),
    TrpConfig(name="aisle-east", position_m=(59.0, 14.0, 3.0), azimuth_deg=180, downtilt_deg=3),
)


def assembly_hall() -> Hall:
    """60 x 40 x 8 m with 8 racks and 9 turned machine cells: 91 facets."""
    racks = [[20 + (i % 2) * 20, 8 + (i // 2) * 4, 2.5] for i in range(8)]
    cells = [[6 + 6 * i, 32 + (i % 2) * 3, 1.0] for i in range(9)]
    half = [[8.0, 0.6, 2.5]] * 8 + [[1.0, 0.8, 1.0]] * 9
    yaw = [0.0] * 8 + [0.1 * i for i in range(9)]
    return Hall(
        np.array([60.0, 40.0, 8.0]),
        np.array(racks + cells, dtype=float),
        np.array(half),
        np.array(yaw),
        ("chipboard",) * 8 + ("metal",) * 9,
    )


def random_hall(rng: np.random.Generator, n_boxes: int) -> Hall:
    half = rng.uniform([0.5, 0.5, 0.5], [6.0, 3.0, 3.0], size=(n_boxes, 3))
    center = rng.uniform([5, 5, 0], [55, 35, 0], size=(n_boxes, 3))
    center[:, 2] = half[:, 2]
    names = ("concrete", "metal", "wood", "glass", "chipboard", "plasterboard")
    material = tuple(names[int(i)] for i in rng.integers(0, len(names), n_boxes))
    return Hall(np.array([60.0, 40.0, 8.0]), center, half, rng.uniform(-np.pi, np.pi, n_boxes), material)


def mixed_hall(rng: np.random.Generator, n_boxes: int) -> Hall:
    """Hall of random size with turned boxes, some of which float, of layers of any thickness."""
    size = rng.uniform([15.0, 10.0, 4.0], [60.0, 40.0, 9.0])
    half = rng.uniform([0.4, 0.4, 0.3], [4.0, 2.0, 1.6], size=(n_boxes, 3))
    center = rng.uniform([3.0, 3.0, 0.0], size - [3.0, 3.0, 0.0], size=(n_boxes, 3))
    center[:, 2] = half[:, 2] + np.where(rng.random(n_boxes) < 0.3, rng.uniform(0.2, size[2] - 3.4, n_boxes), 0.0)
    names = ("glass", "metal", "chipboard", "concrete")
    walls = [names[int(i)] for i in rng.integers(0, len(names), 3)]
    return Hall(
        size, center, half, rng.uniform(-np.pi, np.pi, n_boxes),
        tuple(names[int(i)] for i in rng.integers(0, len(names), n_boxes)),
        *walls, *rng.uniform(0.004, 0.3, 3), rng.uniform(0.004, 0.3, n_boxes),
    )  # fmt: skip


def free_points(rng: np.random.Generator, hall: Hall, n: int, low_m: float = 0.3, high_m: float = 7.7) -> np.ndarray:
    """Draw n points outside the boxes."""
    found: list[np.ndarray] = []
    while len(found) < n:
        p = np.append(rng.uniform(0.3, hall.size_m[:2] - 0.3), rng.uniform(low_m, min(high_m, hall.size_m[2] - 0.3)))
        if not hall.inside_any_box(p)[0]:
            found.append(p)
    return np.array(found)


def random_ues(rng: np.random.Generator, hall: Hall, n: int) -> Ues:
    return Ues(free_points(rng, hall, n, 0.5, 1.6), rng.uniform(-np.pi, np.pi, n), np.full(n, -1))


def ues_at(*position_m: tuple[float, float, float], heading_rad: float = 0.0, owner: int = -1) -> Ues:
    n = len(position_m)
    return Ues(np.array(position_m, dtype=float), np.full(n, heading_rad), np.full(n, owner))


def random_blockers(rng: np.random.Generator, n_people: int = 16, n_agvs: int = 12, n_arms: int = 4, limbs: int = 3) -> Blockers:
    """People (an elliptic trunk and capsule limbs), AGVs (rectangles) and arms (7 capsules), at random in the hall."""
    start, end, half, yaw, shape, owner, part = [], [], [], [], [], [], []

    def add(a: np.ndarray, b: np.ndarray, size: tuple[float, float], turn: float, kind: int, who: int, which: int) -> None:
        for column, value in zip((start, end, half, yaw, shape, owner, part), (a, b, size, turn, kind, who, which), strict=True):
            column.append(value)

    for who in range(n_people + n_agvs + n_arms):
        foot = np.array([*rng.uniform([1, 1], [59, 39]), 0.0])
        turn = float(rng.uniform(-np.pi, np.pi))
        if who < n_people:
            add(foot, foot + np.append(rng.uniform(-0.1, 0.1, 2), 1.7), (0.15, 0.22), turn, SHAPE_ELLIPSE, who, 0)
            for limb in range(limbs):
                shoulder = foot + np.array([0.0, 0.0, 1.4])
                add(shoulder, shoulder + rng.uniform(-0.5, 0.5, 3), (0.05, 0.05), turn, SHAPE_CAPSULE, who, 1 + limb)
        elif who < n_people + n_agvs:
            up = np.array([0.0, 0.0, 1.0])
            add(foot + 0.1 * up, foot + rng.uniform(0.4, 2.0) * up, (0.75, 0.45), turn, SHAPE_RECTANGLE, who, 0)
        else:
            joint = foot + np.array([0.0, 0.0, 0.8])
            for link in range(7):
                tip = joint + rng.uniform(-0.2, 0.2, 3)
                add(joint, tip, (0.07, 0.07), 0.0, SHAPE_CAPSULE, who, link)
                joint = tip
    return blockers(start, end, half, yaw, shape, owner, part)


def blockers(start, end, half, yaw, shape, owner, part) -> Blockers:  # type: ignore[no-untyped-def]
    """Pack lists into Blockers."""
    return Blockers(
        np.array(start, dtype=float).reshape(-1, 3),
        np.array(end, dtype=float).reshape(-1, 3),
        np.array(half, dtype=float).reshape(-1, 2),
        np.array(yaw, dtype=float),
        np.array(shape, dtype=np.int64),
        np.array(owner, dtype=np.int64),
        np.array(part, dtype=np.int64),
    )


def person(x: float, y: float, owner: int = 0, half: tuple[float, float] = (0.15, 0.15), height_m: float = 1.7) -> Blockers:
    """One upright person as a single elliptic screen."""
    return blockers([[x, y, 0.0]], [[x, y, height_m]], [half], [0.0], [SHAPE_ELLIPSE], [owner], [0])


def join(*parts: Blockers) -> Blockers:
    return Blockers(**{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Blockers)})


def line_of_sight(
    trp: tuple[float, float, float], ue: tuple[float, float, float], wavelength_m: float = WAVELENGTH_28_GHZ_M
) -> Paths:
    """Return a single link in free space."""
    a, b = np.array(trp, dtype=float), np.array(ue, dtype=float)
    d = float(np.linalg.norm(b - a))
    w = (b - a) / d
    gain = wavelength_m / (4 * np.pi * d) * np.exp(-2j * np.pi * d / wavelength_m)
    return Paths(
        n_ue=1,
        n_trp=1,
        wavelength_m=np.array([wavelength_m]),
        offset=np.array([0, 1]),
        order=np.array([0]),
        vertex_m=np.array([[a, b, b, b]]),
        length_m=np.array([d]),
        transfer=np.array([[[gain, 0.0], [0.0, -gain]]]),
        amplitude=np.array([gain]),
        departure=w[None],
        arrival=-w[None],
        facet=np.array([[-1, -1]]),
    )


def radio_config(**changes: object) -> RadioConfig:
    return RadioConfig(**{"trps": TRPS, **changes})  # type: ignore[arg-type]
