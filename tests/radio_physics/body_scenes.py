"""Bodies of many parts and bent paths, for the tests of the silhouettes."""

from __future__ import annotations

import math

import numpy as np
from radio_scenes import WAVELENGTH_28_GHZ_M, blockers

from radio.types import SHAPE_CAPSULE, SHAPE_RECTANGLE, Blockers, Paths

HEAD, TRUNK_LEFT, FOREARM_RIGHT = 0, 1, 7

# A person of 1.70 m in mid-stride who faces +x: ends and radius of head, two trunk capsules, pelvis, upper arms, forearms,
# thighs, shanks (left before right) [m].
WALKER = np.array(
    [
        (0.024, 0.000, 1.549, 0.024, 0.000, 1.580, 0.095),
        (0.004, 0.050, 0.953, 0.021, 0.050, 1.306, 0.120),
        (0.004, -0.050, 0.953, 0.021, -0.050, 1.306, 0.120),
        (0.000, 0.052, 0.911, 0.000, -0.052, 0.911, 0.110),
        (0.024, 0.182, 1.366, -0.069, 0.182, 1.064, 0.050),
        (0.024, -0.182, 1.366, 0.118, -0.182, 1.064, 0.050),
        (-0.069, 0.182, 1.064, -0.069, 0.182, 0.672, 0.040),
        (0.118, -0.182, 1.064, 0.370, -0.182, 0.764, 0.040),
        (0.000, 0.077, 0.877, 0.143, 0.077, 0.485, 0.085),
        (0.000, -0.077, 0.877, -0.123, -0.077, 0.479, 0.085),
        (0.143, 0.077, 0.485, 0.246, 0.077, 0.080, 0.058),
        (-0.123, -0.077, 0.479, -0.423, -0.077, 0.187, 0.058),
    ]
)


def walker(x: float, y: float, heading: float = 0.0, owner: int = 0, parts: np.ndarray = WALKER) -> Blockers:
    """Put a person of twelve capsules at (x, y) who faces ``heading`` [rad]."""
    turn = np.array([[math.cos(heading), math.sin(heading), 0], [-math.sin(heading), math.cos(heading), 0], [0, 0, 1]])
    n = len(parts)
    at = np.array([x, y, 0.0])
    return blockers(
        parts[:, 0:3] @ turn + at,
        parts[:, 3:6] @ turn + at,
        np.repeat(parts[:, 6:], 2, axis=1),
        np.zeros(n),
        np.full(n, SHAPE_CAPSULE),
        np.full(n, owner),
        np.arange(n),
    )


def random_walker(rng: np.random.Generator, x: float, y: float, owner: int = 0) -> Blockers:
    """Draw a person whose limbs' far ends are moved about at random, from slack to gesturing."""
    parts = WALKER.copy()
    spread = rng.uniform(0.0, 0.35)
    for upper, lower in ((4, 6), (5, 7), (8, 10), (9, 11)):
        move = rng.uniform(-spread, spread, 3) * (1.0 if upper < 8 else 0.4)
        parts[upper, 3:6] += move
        parts[lower, 0:3] += move
        parts[lower, 3:6] += 2.0 * move
    parts[:, :6] *= rng.uniform(0.92, 1.12)
    return walker(x, y, float(rng.uniform(-np.pi, np.pi)), owner, parts)


def random_agv(rng: np.random.Generator, x: float, y: float, owner: int = 0) -> Blockers:
    """Draw a box with a smaller box on top."""
    deck, top = rng.uniform(0.3, 0.5), rng.uniform(0.2, 1.3)
    half = rng.uniform([0.5, 0.3], [0.8, 0.5])
    yaw = float(rng.uniform(-np.pi, np.pi))
    return blockers(
        [[x, y, 0.0], [x, y, deck]],
        [[x, y, deck], [x, y, deck + top]],
        [half, 0.8 * half],
        [yaw, yaw],
        [SHAPE_RECTANGLE, SHAPE_RECTANGLE],
        [owner, owner],
        [0, 1],
    )


def random_cobot(rng: np.random.Generator, x: float, y: float, owner: int = 0) -> Blockers:
    """Draw a chain of seven capsules."""
    joint, way = np.array([x, y, rng.uniform(0.6, 1.0)]), np.array([0.0, 0.0, 1.0])
    start, end, half = [], [], []
    for _ in range(7):
        way = way + rng.normal(0, 0.6, 3)
        way /= np.linalg.norm(way)
        tip = joint + rng.uniform(0.1, 0.3) * way
        start.append(joint)
        end.append(tip)
        half.append([rng.uniform(0.06, 0.09)] * 2)
        joint = tip
    return blockers(start, end, half, np.zeros(7), np.full(7, SHAPE_CAPSULE), np.full(7, owner), np.arange(7))


def bent(corners: list[tuple[float, float, float]], wavelength_m: float = WAVELENGTH_28_GHZ_M) -> Paths:
    """One link of one path along the corners, TRP first; what reflects it costs nothing."""
    points = np.array(corners, dtype=float)
    steps = np.diff(points, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    ways = steps / np.maximum(lengths, 1e-12)[:, None]
    total = float(lengths.sum())
    gain = wavelength_m / (4 * np.pi * total) * np.exp(-2j * np.pi * total / wavelength_m)
    bounces = len(points) - 2
    return Paths(
        n_ue=1,
        n_trp=1,
        wavelength_m=np.array([wavelength_m]),
        offset=np.array([0, 1]),
        order=np.array([bounces]),
        vertex_m=np.concatenate((points, np.repeat(points[-1:], 2 - bounces, axis=0)))[None],
        length_m=np.array([total]),
        transfer=np.array([[[gain, 0.0], [0.0, -gain]]]),
        amplitude=np.array([gain]),
        departure=ways[:1],
        arrival=-ways[-1:],
        facet=np.array([[k if k < bounces else -1 for k in range(2)]]),
    )
