"""What the channel keeps from one tick to the next saves work and changes no bit."""

from dataclasses import fields

import numpy as np
import pytest
from radio_scenes import assembly_hall, free_points, radio_config, random_blockers

from radio.links import Channel
from radio.types import Plan, Ues


def same_bits(got, want):
    for f in fields(want):
        a, b = getattr(got, f.name), getattr(want, f.name)
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes(), f.name


def plan_of(rng, n_ue):
    trp = np.stack([rng.integers(0, 4, n_ue), rng.integers(-1, 4, n_ue)], axis=1)
    beam, sector = rng.integers(0, 64, (n_ue, 2)), rng.integers(0, 4, (n_ue, 2))
    return Plan(trp, beam, sector, np.ones((n_ue, 2), bool), np.ones(n_ue, np.int64), np.zeros(n_ue), np.zeros(n_ue))


@pytest.mark.parametrize("seed", range(4))
def test_a_channel_that_remembers_equals_a_fresh_one(seed):
    rng = np.random.default_rng(seed)
    hall, config, n_ue = assembly_hall(), radio_config(), 8
    used = Channel(config, hall)
    places = free_points(rng, hall, 40, 0.5, 1.6)
    places[0] = (30.0, 8.0, 1.0)  # inside a rack: no path
    places[1] = (-1.0, 8.0, 1.0)  # outside
    # One pair of arrays for all ticks: what is remembered must not change with them.
    position, heading = places[:n_ue].copy(), rng.uniform(-np.pi, np.pi, n_ue)
    reused = 0
    for tick in range(8):
        if tick:
            move, turn = rng.random(n_ue) < 0.4, rng.random(n_ue) < 0.3
            reused += int((~move).sum())
            position[move] = places[rng.integers(0, len(places), int(move.sum()))]
            heading[turn] += 0.1
        ues = Ues(position.copy(), heading.copy(), np.full(n_ue, -1))
        shared = Ues(position, heading, np.full(n_ue, -1))
        fresh = Channel(config, hall)
        bodies, plan, load = random_blockers(rng), plan_of(rng, n_ue), rng.uniform(0, 1, 4)
        paths, expected = used.paths(shared), fresh.paths(ues)
        same_bits(paths, expected)
        blockage = used.blockage(paths, bodies, shared)
        same_bits(used.sweep(paths, shared, blockage.loss_db, tick), fresh.sweep(expected, ues, blockage.loss_db, tick))
        got = used.state(paths, shared, blockage, plan, load, load)
        same_bits(got, fresh.state(expected, ues, blockage, plan, load, load))
    assert reused > 20


def test_another_number_of_ues_is_no_hindrance():
    rng = np.random.default_rng(5)
    hall, config = assembly_hall(), radio_config()
    used = Channel(config, hall)
    places = free_points(rng, hall, 6, 0.5, 1.6)
    for n_ue in (6, 2, 0, 5, 6):
        ues = Ues(places[:n_ue], np.zeros(n_ue), np.full(n_ue, -1))
        fresh = Channel(config, hall)
        paths = used.paths(ues)
        same_bits(paths, fresh.paths(ues))
        same_bits(used.sweep(paths, ues, None, 0), fresh.sweep(paths, ues, None, 0))


def test_states_that_are_not_worked_out_again_are_what_they_would_be():
    # no load: nothing is heard, so the quiet state is the state; no body: so is the clear one
    rng = np.random.default_rng(6)
    hall, config = assembly_hall(), radio_config()
    channel = Channel(config, hall)
    ues = Ues(free_points(rng, hall, 6, 0.5, 1.6), np.zeros(6), np.full(6, -1))
    paths, plan, zero, full = channel.paths(ues), plan_of(rng, 6), np.zeros(4), np.ones(4)
    none = channel.blockage(paths, random_blockers(rng, 0, 0, 0), ues)
    bodies = channel.blockage(paths, random_blockers(rng, 40), ues)
    assert bodies.loss_db.max() > 1.0
    alone = channel.state(paths, ues, bodies, plan, zero, zero)
    heard = channel.state(paths, ues, bodies, plan, full, full)
    for way in ("dl", "ul"):
        quiet, clear = f"quiet_{way}_db", f"clear_{way}_db"
        np.testing.assert_array_equal(getattr(alone, quiet), getattr(alone, f"sinr_{way}_db"))
        np.testing.assert_allclose(getattr(heard, quiet), getattr(alone, quiet), rtol=0, atol=1e-9)
        bare = channel.state(paths, ues, none, plan, zero, zero)
        np.testing.assert_array_equal(getattr(bare, clear), getattr(bare, f"sinr_{way}_db"))
        np.testing.assert_allclose(getattr(alone, clear), getattr(bare, clear), rtol=0, atol=1e-9)
