"""What a network expects of people: one future, or several drawn ones."""

from __future__ import annotations

import numpy as np
import pytest

from factory.outlook import Outlook
from factory.scenario import load_scenario
from factory.twin import Twin
from humans.forecast import forecast_constant_velocity

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
