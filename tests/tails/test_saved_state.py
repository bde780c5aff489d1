"""A twin brought back to a saved state goes on as it did, bit by bit; reseeded it does something else."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from factory.saved_state import forget, reseed, restore, save
from factory.scenario import load_scenario
from factory.twin import Twin

AHEAD = 300


@pytest.fixture(scope="module")
def twin():
    """Two seconds into the small hall, three policies side by side."""
    made = Twin(load_scenario("small"))
    assert len(made.networks) == 3
    for _ in range(200):
        made.tick()
    yield made
    made.close()


def _digest(twin, ticks):
    """Everything that leaves ``ticks`` ticks: messages, people, AGVs, arms, contacts and, at the end, key figures."""
    digest = hashlib.sha256()
    for _ in range(ticks):
        tick = twin.tick()
        for d in tick.delivered:
            for array in (d.ints, d.floats, d.ok, d.spent):
                digest.update(np.ascontiguousarray(array).tobytes())
        for array in (
            tick.people.position_m, tick.people.capsule_a, tick.agvs.position_m, tick.cobots.joint_target_rad,
            twin.world.cobot_joint_position(),
        ):  # fmt: skip
            digest.update(np.ascontiguousarray(array).tobytes())
        digest.update(repr(tick.contacts).encode())
    for network in twin.networks:
        digest.update(repr(network.kpi.result(1.0)).encode())
    return digest.hexdigest()


def test_restored_twin_goes_on_as_before_as_often_as_wanted(twin):
    state = save(twin)
    start_us = twin.time_us
    first = _digest(twin, AHEAD)
    for _ in range(2):
        restore(state)
        assert twin.time_us == start_us
        assert _digest(twin, AHEAD) == first
    restore(state)
    forget(state)


def test_branches_differ_by_their_key_alone(twin):
    state = save(twin)
    found = []
    for key in ((1,), (2,), (1,)):
        restore(state)
        reseed(twin, key)
        found.append(_digest(twin, 100))
    assert found[0] == found[2] != found[1]
    restore(state)
    assert _digest(twin, 100) not in found
    restore(state)
    forget(state)


def test_without_figures_messages_are_the_same_and_figures_count_on(twin):
    state = save(twin, figures=False)
    full = save(twin)
    assert state.size_bytes < 0.3 * full.size_bytes
    messages = [twin.tick().delivered[0].floats.tobytes() for _ in range(50)]
    counted = twin.networks[0].kpi.result(1.0)["services"][0]["messages"]
    restore(state)
    assert [twin.tick().delivered[0].floats.tobytes() for _ in range(50)] == messages
    assert twin.networks[0].kpi.result(1.0)["services"][0]["messages"] > counted
    restore(full)
    forget(state)
    forget(full)


def test_branches_of_people_part_within_seconds():
    """How soon branches are different futures: who walks swings at once, who stands goes on when the work is done."""
    busy = "people.roles=[{name: busy, share: 1, stations: [cell, rack, desk], dwell_mean_s: 2}]"
    twin = Twin(load_scenario("small", ["radio.enabled=false", busy]))
    try:
        for _ in range(800):
            twin.tick()
        state = save(twin)
        places = []
        for key in range(4):
            restore(state)
            reseed(twin, (key,))
            at = []
            for tick in range(500):
                people = twin.tick().people
                if tick in (4, 99, 499):
                    at.append(people.position_m.copy())
            places.append(at)
    finally:
        twin.close()
    apart = np.array([[np.hypot(*(places[a][t] - places[0][t]).T).max() for a in (1, 2, 3)] for t in range(3)])
    assert (apart[0] < 0.01).all()
    assert (apart[1] > 0.02).all()
    assert (apart[2] > 0.3).all()
    assert (np.median(apart, axis=1)[:2] < np.median(apart, axis=1)[1:]).all()
