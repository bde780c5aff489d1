"""How far silhouettes are ahead of NumPy and SciPy on a hall full of people: ``python -m tests.bench_bodies``.

36,000 legs, 200 people of twelve capsules; CPU seconds of one thread. The NumPy references look at a random share of the legs,
and their time is scaled up by it; both cull by bounding spheres first. The reference for unions is the oracle of the tests: exact
rather than fast, NumPy in a pair and a Python loop over pairs. The one per capsule is all NumPy, but wrong by overlaps.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import fresnel

from radio.blockage import blockage_db
from radio.silhouette_oracle import leg_field
from radio.types import SHAPE_CAPSULE, Blockers, FloatArray, IntArray, Paths

LEGS, PEOPLE = 36_000, 200
WAVELENGTH_M = 0.299792458 / 28.0
TAPER_END = 6.0

# A person of 1.70 m in mid-stride who faces +x: ends and radius of twelve capsules [m].
_BODY = np.array(
    [
        (0.02, 0.00, 1.55, 0.02, 0.00, 1.58, 0.095),
        (0.00, 0.05, 0.95, 0.02, 0.05, 1.31, 0.120),
        (0.00, -0.05, 0.95, 0.02, -0.05, 1.31, 0.120),
        (0.00, 0.05, 0.91, 0.00, -0.05, 0.91, 0.110),
        (0.02, 0.18, 1.37, -0.07, 0.18, 1.06, 0.050),
        (0.02, -0.18, 1.37, 0.12, -0.18, 1.06, 0.050),
        (-0.07, 0.18, 1.06, -0.07, 0.18, 0.67, 0.040),
        (0.12, -0.18, 1.06, 0.37, -0.18, 0.76, 0.040),
        (0.00, 0.08, 0.88, 0.14, 0.08, 0.49, 0.085),
        (0.00, -0.08, 0.88, -0.12, -0.08, 0.48, 0.085),
        (0.14, 0.08, 0.49, 0.25, 0.08, 0.08, 0.058),
        (-0.12, -0.08, 0.48, -0.42, -0.08, 0.19, 0.058),
    ]
)


def crowd(rng: np.random.Generator, people: int) -> Blockers:
    """People at random places of a 60 x 40 m hall, facing anywhere."""
    turn = rng.uniform(-np.pi, np.pi, people)
    cos, sin = np.cos(turn), np.sin(turn)
    zero, one = np.zeros(people), np.ones(people)
    frames = np.stack((cos, sin, zero, -sin, cos, zero, zero, zero, one), axis=1).reshape(people, 3, 3)
    place = np.stack((rng.uniform(0, 60, people), rng.uniform(0, 40, people), zero), axis=1)[:, None]
    parts = len(_BODY)
    n = people * parts
    return Blockers(
        start_m=(_BODY[:, 0:3] @ frames + place).reshape(n, 3),
        end_m=(_BODY[:, 3:6] @ frames + place).reshape(n, 3),
        half_width_m=np.tile(_BODY[:, [6, 6]], (people, 1)),
        yaw_rad=np.zeros(n),
        shape=np.full(n, SHAPE_CAPSULE),
        owner=np.repeat(np.arange(people), parts),
        part=np.tile(np.arange(parts), people),
    )


def straight_legs(rng: np.random.Generator, legs: int) -> Paths:
    """Straight paths, one a link, between antennas of 2.5 to 7.5 m and devices of 0.3 to 1.8 m somewhere in the hall."""
    low, high = np.array([[0, 0, 2.5], [0, 0, 0.3]]), np.array([[60, 40, 7.5], [60, 40, 1.8]])
    ends = rng.uniform(low, high, (legs, 2, 3))
    way = ends[:, 1] - ends[:, 0]
    length = np.linalg.norm(way, axis=1)
    gain = WAVELENGTH_M / (4 * np.pi * length) * np.exp(-2j * np.pi * length / WAVELENGTH_M)
    return Paths(
        n_ue=legs,
        n_trp=1,
        wavelength_m=np.array([WAVELENGTH_M]),
        offset=np.arange(legs + 1),
        order=np.zeros(legs, np.int64),
        vertex_m=np.concatenate((ends, ends[:, 1:], ends[:, 1:]), axis=1),
        length_m=length,
        transfer=gain[:, None, None] * np.array([[1.0, 0.0], [0.0, -1.0]]),
        amplitude=gain,
        departure=way / length[:, None],
        arrival=-way / length[:, None],
        facet=np.full((legs, 2), -1),
    )


def _near_pairs(start: FloatArray, end: FloatArray, bodies: Blockers, people: int) -> tuple[IntArray, IntArray]:
    """Legs and people whose bounding sphere comes within the taper's end of the leg."""
    points = np.concatenate((bodies.start_m, bodies.end_m)).reshape(2, people, -1, 3)
    middle = 0.5 * (points.min(axis=(0, 2)) + points.max(axis=(0, 2)))
    radius = (np.linalg.norm(points - middle[:, None], axis=3) + bodies.half_width_m[:, 0].reshape(people, -1)).max(axis=(0, 2))
    legs, who = [], []
    for first in range(0, len(start), 500):  # in pieces that stay in the cache
        a, way = start[first : first + 500], (end - start)[first : first + 500]
        length = np.linalg.norm(way, axis=1)
        unit = way / length[:, None]
        rise = middle[None] - a[:, None]
        s = np.einsum("lpc,lc->lp", rise, unit)
        beyond = s - np.clip(s, 0.0, length[:, None])
        reach = radius[None] + TAPER_END * np.sqrt(WAVELENGTH_M * length / 8.0)[:, None]
        i, j = np.nonzero((rise**2).sum(axis=2) - s**2 + beyond**2 < reach**2)
        legs.append(i + first)
        who.append(j)
    return np.concatenate(legs), np.concatenate(who)


def union_fields(start: FloatArray, end: FloatArray, bodies: Blockers, people: int) -> NDArray[np.complex128]:
    """Factor of every leg by the oracle: outlines, thin rows, merged intervals, SciPy's Fresnel integrals."""
    field = np.ones(len(start), np.complex128)
    each = len(bodies.owner) // people
    for leg, person in zip(*_near_pairs(start, end, bodies, people), strict=True):
        body = slice(person * each, (person + 1) * each)
        one = Blockers(*(getattr(bodies, name)[body] for name in Blockers.__slots__))
        length = float(np.linalg.norm(end[leg] - start[leg]))
        field[leg] *= leg_field(one, int(person), start[leg], end[leg], 0.0, length, WAVELENGTH_M, 0.1)
    return field


def capsule_fields(start: FloatArray, end: FloatArray, bodies: Blockers, people: int) -> NDArray[np.complex128]:
    """Factor of every leg by one flat rectangle per capsule, terms of a person added, so that overlaps count twice."""
    leg, person = _near_pairs(start, end, bodies, people)
    shadow = np.zeros(len(leg), np.complex128)
    way = end - start
    length = np.linalg.norm(way, axis=1)
    unit = way / length[:, None]
    flat = np.stack((-unit[:, 1], unit[:, 0], np.zeros(len(unit))), axis=1)
    flat /= np.linalg.norm(flat, axis=1)[:, None]
    up = np.cross(unit, flat)
    each = len(bodies.owner) // people
    for first in range(0, len(leg), 500):
        i, who = leg[first : first + 500], person[first : first + 500]
        k = who[:, None] * each + np.arange(each)
        middle = 0.5 * (bodies.start_m[k] + bodies.end_m[k]) - start[i][:, None]
        axis = 0.5 * (bodies.end_m[k] - bodies.start_m[k])
        s = np.einsum("npc,nc->np", middle, unit[i])
        on_leg = (s > 0.0) & (s < length[i][:, None])
        d1 = np.clip(s, 0.01, length[i][:, None] - 0.01)
        scale = np.sqrt(2.0 * length[i][:, None] / (WAVELENGTH_M * d1 * (length[i][:, None] - d1)))
        x, y = np.einsum("npc,nc->np", middle, flat[i]), np.einsum("npc,nc->np", middle, up[i])
        hx, hy = np.einsum("npc,nc->np", axis, flat[i]), np.einsum("npc,nc->np", axis, up[i])
        long = np.maximum(np.hypot(hx, hy), 1e-9)
        across, along = (x * hy - y * hx) / long, (x * hx + y * hy) / long
        radius = bodies.half_width_m[k, 0]
        views = []
        for place, half in ((across, radius), (along, radius + long)):
            high_s, high_c = fresnel(scale * (place + half))
            low_s, low_c = fresnel(scale * (place - half))
            views.append((high_c - low_c) - 1j * (high_s - low_s))
        shadow[first : first + 500] = np.where(on_leg, views[0] * views[1], 0.0).sum(axis=1)
    field = np.ones(len(start), np.complex128)
    np.multiply.at(field, leg, 1.0 - 0.5j * shadow)
    return field


def _cpu_s(function: Callable[[], object], repeats: int) -> float:
    """Least CPU time of a call [s]."""
    best = math.inf
    for _ in range(repeats):
        start = time.process_time()
        function()
        best = min(best, time.process_time() - start)
    return best


def bodies_ratios(legs: int = LEGS, people: int = PEOPLE, seed: int = 1, union_share: float = 0.001) -> dict[str, float]:
    """CPU seconds of silhouettes on many legs among many people, and of NumPy with SciPy over them.

    Parameters
    ----------
    legs, people : how many.
    seed : seed of places.
    union_share : share of the legs that the oracle of correct unions is timed on; its time is divided by it.

    Returns
    -------
    Seconds ("..., s"), how many times longer the references take ("... / ..."), and how many pairs come near.
    The keys say which time is scaled.
    """
    rng = np.random.default_rng(seed)
    bodies, paths = crowd(rng, people), straight_legs(rng, legs)
    nobody = np.full(legs, -1)
    start, end = paths.vertex_m[:, 0], paths.vertex_m[:, 1]
    some = rng.choice(legs, max(1, round(union_share * legs)), replace=False)
    few = rng.choice(legs, max(1, legs // 10), replace=False)
    blockage_db(paths, bodies, nobody, effort="tick")
    tick = _cpu_s(lambda: blockage_db(paths, bodies, nobody, effort="tick"), 5)
    fine = _cpu_s(lambda: blockage_db(paths, bodies, nobody, effort="fine"), 1)
    union = _cpu_s(lambda: union_fields(start[some], end[some], bodies, people), 1) * legs / len(some)
    capsules = _cpu_s(lambda: capsule_fields(start[few], end[few], bodies, people), 1) * legs / len(few)
    pairs = len(_near_pairs(start, end, bodies, people)[0])
    return {
        "pairs of leg and person within reach": float(pairs),
        "silhouettes, effort tick, s": tick,
        "silhouettes, effort fine, s": fine,
        "NumPy+SciPy unions (scaled from a share of the legs), s": union,
        "NumPy+SciPy per capsule, overlaps twice (scaled from a tenth of the legs), s": capsules,
        "unions, NumPy+SciPy / effort tick": union / tick,
        "unions, NumPy+SciPy / effort fine": union / fine,
        "per capsule, NumPy+SciPy / effort tick": capsules / tick,
    }


if __name__ == "__main__":
    for _key, _value in bodies_ratios().items():
        print(f"{_key:80s} {_value:10.3f}")
