"""What a network expects of people: one future, or several drawn ones."""

from __future__ import annotations

import numpy as np
import pytest

from factory.outlook import Outlook
from factory.scenario import load_scenario
from factory.twin import Twin
from humans.forecast import forecast_constant_velocity
from humans.gestures import GestureRates

FUTURES = ["radio.human_aware.futures=5"]


@pytest.fixture(scope="module")
def walkers():
    """States of people ten times a second over three seconds."""
    twin = Twin(load_scenario("small", ["radio.enabled=false"]))
    states = []
    for k in range(300):
        twin.tick()
        if k % 10 == 9:
            states.append((twin.time_us, twin.people))
    yield twin, states
    twin.close()


def _watched(walkers):
    twin, states = walkers
    scenario = load_scenario("small", FUTURES[:1]).scenario
    outlook = Outlook(scenario, len(twin.people.present))
    for now_us, people in states:
        futures = outlook.ahead(now_us, people)
    return outlook, futures


def test_one_future_is_constant_velocity(walkers):
    twin, states = walkers
    outlook = Outlook(twin.scenario, len(twin.people.present))
    now_us, people = states[-1]
    for horizon_us, futures in zip(outlook.horizon_us, outlook.ahead(now_us, people), strict=True):
        assert len(futures) == 1
        expected = forecast_constant_velocity(people, horizon_us / 1e6)
        np.testing.assert_array_equal(futures[0].capsule_a, expected.capsule_a)


def test_futures_of_one_horizon_differ_and_spread_with_the_horizon(walkers):
    outlook, futures = _watched(walkers)
    assert outlook.horizon_us.tolist() == [100_000, 250_000, 500_000]
    assert [len(f) for f in futures] == [5, 5, 5]
    spread = [np.std([p.position_m for p in people], axis=0).mean() for people in futures]
    assert 0.0 < spread[0] < spread[1] < spread[2] < 0.5


@pytest.mark.parametrize("source", ["tags", "nothing"])
def test_without_poses_people_are_upright_and_about_where_they_are_or_may_be(walkers, source):
    twin, states = walkers
    overrides = [*FUTURES, f"people.forecast.observed_by={source}", "people.forecast.tag_gap_share=0"]
    outlook = Outlook(load_scenario("small", overrides).scenario, len(twin.people.present))
    for now_us, people in states:
        futures = outlook.ahead(now_us, people)
    assert [len(f) for f in futures] == [5, 5, 5]
    off = np.array([np.hypot(*(f.position_m - people.position_m).T) for f in futures[0]])
    if source == "tags":
        assert np.median(off) < 0.6
    else:
        stations = np.array([s.position_m for s in twin.scenario.people.stations])
        near = np.hypot(*(futures[0][0].position_m[:, None] - stations[None]).transpose(2, 0, 1)).min(axis=1)
        assert near.max() < 1.1  # half a cell's diagonal and the cell that a station lies in
        assert futures[0][0].present.all()
    heads = futures[0][0].capsule_b[futures[0][0].present, 0, 2]
    assert (heads > 0.85 * people.stature_m[futures[0][0].present]).all()


def test_rates_let_drawn_people_begin_a_gesture(walkers):
    twin, states = walkers
    n = len(twin.people.present)
    rates = GestureRates(np.full((n, 3), [0.0, 5.0, 0.0]), np.zeros(n))
    with_rates, without = (Outlook(load_scenario("small", FUTURES).scenario, n) for _ in range(2))
    now_us, people = states[-1]
    a, b = with_rates.ahead(now_us, people, rates), without.ahead(now_us, people)
    assert all(np.array_equal(p.position_m, q.position_m) for p, q in zip(a[2], b[2], strict=True))
    stays = np.hypot(*people.tracked_velocity_mps.T) < 0.05
    if stays.any():
        assert any(not np.array_equal(p.capsule_b[stays], q.capsule_b[stays]) for p, q in zip(a[2], b[2], strict=True))


def test_the_same_past_draws_the_same_futures(walkers):
    (_, one), (_, other) = _watched(walkers), _watched(walkers)
    for a, b in zip(one, other, strict=True):
        for p, q in zip(a, b, strict=True):
            np.testing.assert_array_equal(p.capsule_b, q.capsule_b)


def test_a_twin_runs_on_drawn_futures_and_repeats_itself():
    hashes = []
    for _ in range(2):
        twin = Twin(load_scenario("small", FUTURES))
        for _ in range(60):
            tick = twin.tick()
        hashes.append(tick.air.known.forecast[-1].gain.tobytes())
        assert len(tick.air.known.forecast) == 3
        twin.close()
    assert hashes[0] == hashes[1]
