"""The vectorised reference of silhouettes against the one that draws outlines, and against the kernels."""

import math

import numpy as np
import pytest
from body_scenes import random_walker, walker
from radio_scenes import blockers, join, line_of_sight

from radio.bodies import silhouette_vectorised
from radio.bodies.blockage import blockage_db
from radio.bodies.silhouette_oracle import leg_field
from radio.bodies.silhouette_vectorised import FINE, TICK, Accuracy, Legs, leg_fields
from radio.types import SHAPE_CAPSULE, SHAPE_RECTANGLE, Blockers

LAMBDA = 0.299792458 / 28


def legs_of(ends: list[tuple[np.ndarray, np.ndarray]], wavelength_m: float = LAMBDA) -> Legs:
    """Straight paths of one leg each."""
    start, end = (np.array(side, dtype=float) for side in zip(*ends, strict=True))
    length = np.linalg.norm(end - start, axis=1)
    return Legs(start, end, np.zeros(len(length)), length, np.full(len(length), wavelength_m))


def decibels(field: np.ndarray) -> np.ndarray:
    return np.asarray(-20.0 * np.log10(np.maximum(np.abs(field), 1e-9)))


def random_pairs(rng: np.random.Generator, n: int, lam: float) -> tuple[Legs, list[Blockers]]:
    """Links with a walking person in or beside each, the pairs of ``tests/radio_physics/test_silhouette.py``."""
    ends, bodies = [], []
    while len(bodies) < n:
        length, turn, share = rng.uniform(4, 30), rng.uniform(-np.pi, np.pi), rng.uniform(0.03, 0.97)
        trp = np.array([30.0, 20.0, rng.uniform(0.8, 7.5)])
        ue = np.array([30 + length * math.cos(turn), 20 + length * math.sin(turn), rng.uniform(0.3, 2.0)])
        at = trp + share * (ue - trp)
        if at[2] < 2.2:
            unit = math.sqrt(lam * float(np.linalg.norm(ue - trp)) * share * (1 - share) / 2)
            x, y = at[:2] + rng.uniform(-1, 1) * (0.35 + 3 * unit) * np.array([-math.sin(turn), math.cos(turn)])
            ends.append((trp, ue))
            bodies.append(random_walker(rng, float(x), float(y)))
    return legs_of(ends, lam), bodies


def crowded(rng: np.random.Generator, n: int, people: int) -> tuple[list[tuple[np.ndarray, np.ndarray]], Blockers]:
    """Draw ends of links anywhere in a hall of 60 x 40 m, and people all over it."""
    low, high = np.array([[0, 0, 2.5], [0, 0, 0.3]]), np.array([[60, 40, 7.5], [60, 40, 1.8]])
    ends = [(e[0], e[1]) for e in rng.uniform(low, high, (n, 2, 3))]
    return ends, join(*(random_walker(rng, *rng.uniform([0, 0], [60, 40]).tolist(), owner=i) for i in range(people)))


def one_by_one(legs: Legs, bodies: list[Blockers], accuracy: Accuracy) -> np.ndarray:
    """Factor of each leg's own body."""
    fields = []
    for k, body in enumerate(bodies):
        one = Legs(*(getattr(legs, name)[k : k + 1] for name in Legs.__slots__))
        fields.append(leg_fields(one, body, accuracy)[0])
    return np.array(fields)


@pytest.mark.parametrize("frequency_ghz", [3.5, 28, 60])
def test_random_people_agree_with_brute_force(frequency_ghz):
    """The bounds are those that the kernels' two efforts keep."""
    legs, bodies = random_pairs(np.random.default_rng(23), 240, 0.299792458 / frequency_ghz)
    wanted = np.array(
        [
            leg_field(body, 0, legs.start_m[k], legs.end_m[k], 0.0, float(legs.total_m[k]), float(legs.wavelength_m[k]), 0.02)
            for k, body in enumerate(bodies)
        ]
    )
    some = decibels(wanted) < 20.0
    assert np.count_nonzero(some & (decibels(wanted) > 3.0)) > 20
    fine, tick = (np.abs(decibels(one_by_one(legs, bodies, a)) - decibels(wanted))[some] for a in (FINE, TICK))
    assert np.median(fine) < 0.1
    assert np.quantile(fine, 0.99) < 0.5
    assert fine.max() < 1.5
    assert np.median(tick) < 0.25
    assert np.quantile(tick, 0.9) < 0.9
    assert np.quantile(tick, 0.99) < 2.0


@pytest.mark.parametrize(("accuracy", "effort", "median_db", "p99_db"), [(FINE, "fine", 0.05, 0.5), (TICK, "tick", 0.1, 2.5)])
def test_a_crowd_agrees_with_the_kernels(accuracy, effort, median_db, p99_db):
    """Many people on every leg, so that culling, tapers and the product over people count too."""
    ends, bodies = crowded(np.random.default_rng(24), 300, 200)
    ours = leg_fields(legs_of(ends), bodies, accuracy)
    kernel = np.array(
        [blockage_db(line_of_sight(tuple(a), tuple(b)), bodies, np.array([-1]), effort=effort).field[0] for a, b in ends]
    )
    clear = decibels(kernel) < 20.0
    error = np.abs(decibels(ours) - decibels(kernel))[clear]
    assert np.count_nonzero(np.abs(kernel - 1.0) > 0.01) > 120
    assert np.median(error) < median_db
    assert np.quantile(error, 0.99) < p99_db
    # Who is faded out altogether is so on both sides.
    assert ((ours == 1.0) == (kernel == 1.0)).mean() > 0.99


def test_pieces_do_not_matter(monkeypatch):
    ends, bodies = crowded(np.random.default_rng(25), 200, 100)
    legs = legs_of(ends)
    whole = leg_fields(legs, bodies)
    for name, value in (("LEGS_AT_ONCE", 7), ("PAIRS_AT_ONCE", 13), ("CELLS_AT_ONCE", 100)):
        monkeypatch.setattr(silhouette_vectorised, name, value)
    # Pairs that share their rows with others may get a slab more.
    assert np.abs(leg_fields(legs, bodies) - whole).max() < 0.05


@pytest.mark.parametrize("where", [(0.05, 0.1), (9.9, 0.0), (5.0, 0.0)])
def test_legs_that_begin_or_end_in_a_body(where):
    """Clipped at either antenna, and on the second leg of a longer path."""
    body = walker(*where)
    start, end = np.array([0.0, 0.0, 1.2]), np.array([10.0, 0.0, 1.1])
    for before, total in ((0.0, 10.0005), (4.0, 20.0)):
        legs = Legs(start[None], end[None], np.array([before]), np.array([total]), np.array([LAMBDA]))
        wanted = leg_field(body, 0, start, end, before, total, LAMBDA)
        assert abs(leg_fields(legs, body, FINE)[0] - wanted) < 0.03


def test_seen_from_straight_above():
    start, end = np.array([5.0, 5.0, 7.0]), np.array([5.0, 5.0, 0.1])
    body = walker(5.1, 5.0)
    wanted = leg_field(body, 0, start, end, 0.0, 6.9, LAMBDA)
    assert abs(leg_fields(legs_of([(start, end)]), body, FINE)[0] - wanted) < 0.03


def test_owners_of_different_numbers_of_parts_multiply():
    legs = legs_of([(np.array([0.0, 0.0, 1.2]), np.array([12.0, 0.0, 1.2]))])
    arm = blockers([[4, 0.1, 1.0]], [[4, 0.3, 1.4]], [[0.06, 0.06]], [0.0], [SHAPE_CAPSULE], [0], [3])
    person = walker(6, 0.2, owner=5)
    both, alone, other = (leg_fields(legs, b, FINE)[0] for b in (join(person, arm), person, arm))
    assert abs(alone - 1.0) > 0.3
    assert abs(other - 1.0) > 0.1
    assert both == pytest.approx(alone * other, abs=1e-9)


def test_parts_that_overlap_count_once():
    """A body drawn twice under one owner is the body."""
    legs = legs_of([(np.array([0.0, 0.0, 1.2]), np.array([12.0, 0.0, 1.2]))])
    body = walker(6, 0.1)
    assert leg_fields(legs, join(body, body), FINE)[0] == pytest.approx(leg_fields(legs, body, FINE)[0], abs=1e-6)


def test_what_cannot_be_is_refused_and_nothing_costs_nothing():
    legs = legs_of([(np.array([0.0, 0.0, 1.2]), np.array([12.0, 0.0, 1.2]))])
    box = blockers([[6, 0, 0]], [[6, 0, 1]], [[0.3, 0.3]], [0.0], [SHAPE_RECTANGLE], [0], [0])
    with pytest.raises(ValueError, match="part 12 is no capsule"):
        leg_fields(legs, join(walker(3, 0), box))
    assert leg_fields(legs, walker(6, 9.0))[0] == 1.0
    assert leg_fields(legs, blockers([], [], [], [], [], [], []))[0] == 1.0
    assert len(leg_fields(Legs(*(getattr(legs, n)[:0] for n in Legs.__slots__)), walker(6, 0.0))) == 0


@pytest.mark.parametrize("n", [1, 2, 3, 7, 12, 16, 21])
def test_the_network_sorts(n):
    things = np.random.default_rng(n).random((n, 200))
    for i, j in silhouette_vectorised._network(n):
        things[[i, j]] = np.sort(things[[i, j]], axis=0)
    assert (np.diff(things, axis=0) >= 0).all()
