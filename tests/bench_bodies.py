"""How far silhouettes are ahead of NumPy and SciPy on a hall full of people: ``python -m tests.bench_bodies``.

36,000 legs, 200 people of twelve capsules; CPU seconds of one thread. Both references compute the union of a body's capsules, as
the kernels do, and leave out the same pairs. ``silhouette_vectorised`` takes all pairs at once, with the algorithm and the
accuracy of each of the kernels' efforts, so it shows what compilation brings. ``silhouette_oracle`` draws outlines point by
point, in a Python loop over pairs: it is exact rather than fast, and all errors are told against it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np

from radio.bodies.blockage import Effort, blockage_db
from radio.bodies.silhouette_oracle import leg_field
from radio.bodies.silhouette_vectorised import FINE, TICK, Accuracy, Legs, leg_fields, pairs_in_reach
from radio.types import SHAPE_CAPSULE, Blockers, FloatArray, IntArray, Paths

LEGS, PEOPLE = 36_000, 200
WAVELENGTH_M = 0.299792458 / 28.0
# Pairs that the oracle looks at, its rows for that [Fresnel units], and the deepest loss of which errors are told [dB].
ORACLE_PAIRS, ORACLE_ROW, DEEPEST_DB = 400, 0.02, 20.0
FINE_SHARE = 0.05  # of the legs, for the vectorised reference at the accuracy of effort fine

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


def bodies_ratios(legs: int = LEGS, people: int = PEOPLE, seed: int = 1, pairs: int = ORACLE_PAIRS) -> dict[str, float]:
    """CPU seconds of silhouettes on many legs among many people, and of NumPy with SciPy over them.

    Parameters
    ----------
    legs, people : how many.
    seed : seed of places.
    pairs : pairs of leg and person that the oracle looks at; its time is scaled up to all of them.

    Returns
    -------
    Seconds ("..., s"), how many times longer the references take ("... / ..."), errors ("..., dB") of a pair's loss against the
    oracle, 99 % being below, and how many pairs come near. The keys say which time is scaled.
    """
    rng = np.random.default_rng(seed)
    bodies, paths = crowd(rng, people), straight_legs(rng, legs)
    nobody = np.full(legs, -1)
    whole, half = _legs(paths, np.arange(legs)), _legs(paths, np.arange(0, legs, 2))
    few = _legs(paths, np.sort(rng.choice(legs, max(1, round(FINE_SHARE * legs)), replace=False)))
    blockage_db(paths, bodies, nobody, effort="tick")
    leg_fields(few, bodies, TICK)
    # One after the other, so that both see the same machine.
    tick, numpy_tick = math.inf, math.inf
    for _ in range(5):
        tick = min(tick, _cpu_s(lambda: blockage_db(paths, bodies, nobody, effort="tick")))
        numpy_tick = min(numpy_tick, _cpu_s(lambda: leg_fields(whole, bodies, TICK)))
    numpy_half = min(_cpu_s(lambda: leg_fields(half, bodies, TICK)) for _ in range(3))
    fine = _cpu_s(lambda: blockage_db(paths, bodies, nobody, effort="fine"))
    numpy_fine = _cpu_s(lambda: leg_fields(few, bodies, FINE)) * legs / len(few.before_m)
    leg, person = pairs_in_reach(whole, bodies, TICK)
    some = rng.choice(len(leg), min(pairs, len(leg)), replace=False)
    oracle, errors = _against_oracle(paths, bodies, leg[some], person[some])
    return {
        "pairs of leg and person within reach": float(len(leg)),
        "silhouettes, effort tick, s": tick,
        "silhouettes, effort fine, s": fine,
        "unions, all at once, as accurate as tick, s": numpy_tick,
        "unions, all at once, as accurate as tick, half of the legs, s": numpy_half,
        "unions, all at once, as accurate as fine (scaled from a twentieth of the legs), s": numpy_fine,
        f"unions, pair by pair (scaled from {len(some)} pairs), s": oracle * len(leg),
        **errors,
        "unions, all at once / effort tick": numpy_tick / tick,
        "unions, all at once / effort fine": numpy_fine / fine,
        "unions, pair by pair / effort tick": oracle * len(leg) / tick,
    }


def _legs(paths: Paths, which: IntArray) -> Legs:
    start, end, length = paths.vertex_m[which, 0], paths.vertex_m[which, 1], paths.length_m[which]
    return Legs(start, end, np.zeros(len(which)), length, np.full(len(which), WAVELENGTH_M))


def _against_oracle(paths: Paths, bodies: Blockers, leg: IntArray, person: IntArray) -> tuple[float, dict[str, float]]:
    """Oracle's time of a pair [s], and below what 99 % of the errors of each other method's loss stay [dB]."""
    each = len(_BODY)
    one = [Blockers(*(getattr(bodies, name)[k * each : (k + 1) * each] for name in Blockers.__slots__)) for k in person]
    legs = [_legs(paths, leg[i : i + 1]) for i in range(len(leg))]
    start, end, length = paths.vertex_m[leg, 0], paths.vertex_m[leg, 1], paths.length_m[leg]
    wanted = np.ones(len(leg), np.complex128)

    def draw_outlines() -> None:
        for i, k in enumerate(person):
            wanted[i] = leg_field(one[i], int(k), start[i], end[i], 0.0, float(length[i]), WAVELENGTH_M, ORACLE_ROW)

    seconds = _cpu_s(draw_outlines) / len(leg)
    clear = _db(wanted) < DEEPEST_DB
    efforts: tuple[tuple[Effort, Accuracy], ...] = (("tick", TICK), ("fine", FINE))
    errors = {}
    for effort, accuracy in efforts:
        kernel = [
            blockage_db(_path(paths, int(i)), b, np.array([-1]), effort=effort).field[0] for i, b in zip(leg, one, strict=True)
        ]
        ours = [leg_fields(i, b, accuracy)[0] for i, b in zip(legs, one, strict=True)]
        for name, field in (
            (f"error of effort {effort}", kernel),
            (f"error of unions, all at once, as accurate as {effort}", ours),
        ):
            errors[f"{name}, 99 % below, dB"] = float(np.quantile(np.abs(_db(np.array(field)) - _db(wanted))[clear], 0.99))
    return seconds, errors


def _path(paths: Paths, i: int) -> Paths:
    """Path i as the only one of the only link."""
    rest = {
        name: getattr(paths, name)[i : i + 1]
        for name in ("order", "vertex_m", "length_m", "transfer", "amplitude", "departure", "arrival", "facet")
    }
    return Paths(n_ue=1, n_trp=1, wavelength_m=paths.wavelength_m, offset=np.array([0, 1]), **rest)


def _db(field: FloatArray) -> FloatArray:
    out: FloatArray = -20.0 * np.log10(np.maximum(np.abs(field), 1e-9))
    return out


def _cpu_s(function: Callable[[], object]) -> float:
    """CPU time of a call [s]."""
    start = time.process_time()
    function()
    return time.process_time() - start


if __name__ == "__main__":
    for _key, _value in bodies_ratios().items():
        print(f"{_key:90s} {_value:10.3f}")
