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


def test_many_plans_of_one_tick_share_sums_and_change_no_bit():
    """Plans that agree in some serving sets, in all, or in none; more beam pairs than the table of a tick holds."""
    rng = np.random.default_rng(11)
    hall, config, n_ue = assembly_hall(), radio_config(), 5
    used = Channel(config, hall)
    ues = Ues(free_points(rng, hall, n_ue, 0.5, 1.6), rng.uniform(-np.pi, np.pi, n_ue), np.full(n_ue, -1))
    paths, bodies = used.paths(ues), random_blockers(rng, 40)
    blockage, empty = used.blockage(paths, bodies, ues), used.sweep(paths, ues, None, 0)
    first = plan_of(rng, n_ue)
    emptied = 0
    for k in range(45):
        trp, beam, sector = first.trp.copy(), first.beam.copy(), first.sector.copy()
        if k % 3:  # one device elsewhere, or only on another sector or beam
            u = int(rng.integers(n_ue))
            trp[u], beam[u], sector[u] = rng.integers(0, 4, 2) if k % 2 else trp[u], rng.integers(0, 64, 2), rng.integers(0, 4, 2)
        if k % 5 == 4:
            other = plan_of(rng, n_ue)
            trp, beam, sector = other.trp, other.beam, other.sector
        plan = Plan(trp, beam, sector, first.usable, first.repetitions, first.sinr_dl_db, first.sinr_ul_db)
        load_dl, load_ul = rng.uniform(0, 1, 4), rng.uniform(0, 1, 4) * (rng.random(4) < 0.7)
        base = used._table.base
        got = used.state(paths, ues, blockage, plan, load_dl, load_ul, empty, time_us=30_000)
        emptied += used._table.base != base
        fresh = Channel(config, hall)
        same_bits(got, fresh.state(paths, ues, blockage, plan, load_dl, load_ul, empty, time_us=30_000))
    assert emptied >= 2  # the first time, and when it was full


@pytest.mark.parametrize("n_plans", [1, 3, 11])
def test_plans_that_are_asked_together_fare_as_alone(n_plans):
    rng = np.random.default_rng(n_plans)
    hall, config, n_ue = assembly_hall(), radio_config(), 6
    channel = Channel(config, hall)
    ues = Ues(free_points(rng, hall, n_ue, 0.5, 1.6), rng.uniform(-np.pi, np.pi, n_ue), np.full(n_ue, -1))
    paths = channel.paths(ues)
    blockage = channel.blockage(paths, random_blockers(rng, 40), ues)
    plans = [plan_of(rng, n_ue) for _ in range(n_plans)]
    dl, ul = list(rng.uniform(0, 1, (n_plans, 4))), list(rng.uniform(0, 1, (n_plans, 4)))
    together = channel.states(paths, ues, blockage, plans, dl, ul, time_us=30_000)
    assert len(together) == n_plans
    for i, got in enumerate(together):
        same_bits(got, Channel(config, hall).state(paths, ues, blockage, plans[i], dl[i], ul[i], time_us=30_000))
    plans[-1].beam[4, 0] = 64
    with pytest.raises(ValueError, match=rf"plan of UE 4 leg 0 names TRP {plans[-1].trp[4, 0]}, beam 64, sector"):
        channel.states(paths, ues, blockage, plans, dl, ul)


def test_a_forecast_between_two_ticks_leaves_no_trace():
    """Links that are not needed keep paths and body loss of the last tick, whatever was looked at ahead meanwhile."""
    rng = np.random.default_rng(4)
    hall, config, n_ue = assembly_hall(), radio_config(), 6
    place, heading = free_points(rng, hall, n_ue, 0.5, 1.6), rng.uniform(-np.pi, np.pi, n_ue)
    bodies, moved = random_blockers(rng, 40), random_blockers(rng, 40)
    needed = rng.random(4 * n_ue) < 0.3
    results = []
    for ahead in (False, True):
        channel = Channel(config, hall)
        ues = Ues(place, heading, np.full(n_ue, -1))
        first = channel.paths(ues)
        before = channel.blockage(first, bodies, ues)
        if ahead:
            later = Ues(place + np.array([0.4, 0.1, 0.0]), heading + 0.2, np.full(n_ue, -1))
            glance = channel.paths(later, remember=False)
            channel.sweep(glance, later, channel.blockage(glance, moved, later).loss_db, 500_000)
        ues = Ues(place + np.array([0.015, 0.0, 0.0]), heading, np.full(n_ue, -1))
        paths = channel.paths(ues, needed)
        after = channel.blockage(paths, moved, ues, needed)
        results.append((paths, after, channel.sweep(paths, ues, after.loss_db, 10_000)))
        for link in np.flatnonzero(~needed):
            now = slice(paths.offset[link], paths.offset[link + 1])
            then = slice(first.offset[link], first.offset[link + 1])
            np.testing.assert_array_equal(paths.length_m[now], first.length_m[then])
            np.testing.assert_array_equal(after.field[now], before.field[then])
    for got, want in zip(*results, strict=True):
        same_bits(got, want)
    assert not np.array_equal(before.field, after.field[: len(before.field)])


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


def test_a_glance_at_some_links_sees_of_these_what_a_glance_at_all_sees():
    rng = np.random.default_rng(6)
    hall, config, n_ue = assembly_hall(), radio_config(), 6
    channel = Channel(config, hall)
    place, heading = free_points(rng, hall, n_ue, 0.5, 1.6), rng.uniform(-np.pi, np.pi, n_ue)
    now = Ues(place, heading, np.full(n_ue, -1))
    bodies, later_bodies = random_blockers(rng, 40), random_blockers(rng, 40)
    channel.blockage(channel.paths(now), bodies, now)
    moved = place.copy()
    moved[2:] += np.array([0.4, 0.1, 0.0])  # two stand still
    later = Ues(moved, heading + 0.2, np.full(n_ue, -1))
    whole = channel.paths(later, remember=False)
    lost = channel.blockage(whole, later_bodies, later)
    sweep = channel.sweep(whole, later, lost.loss_db, 500_000)
    needed = rng.random(4 * n_ue) < 0.4
    glance = channel.paths(later, needed, remember=False)
    part = channel.blockage(glance, later_bodies, later, needed)
    gain = channel.sweep(glance, later, part.loss_db, 500_000, needed).gain.reshape(4 * n_ue, -1)
    np.testing.assert_array_equal(np.diff(glance.offset), np.where(needed, np.diff(whole.offset), 0))
    kept = np.repeat(needed, np.diff(whole.offset))
    for name in ("order", "vertex_m", "length_m", "transfer", "amplitude", "departure", "arrival", "facet"):
        np.testing.assert_array_equal(getattr(glance, name), getattr(whole, name)[kept])
    np.testing.assert_array_equal(part.field, lost.field[kept])
    np.testing.assert_array_equal(gain[needed], sweep.gain.reshape(4 * n_ue, -1)[needed])
    assert (gain[~needed] == 0.0).all()
    assert (gain[needed] > 0.0).any()
