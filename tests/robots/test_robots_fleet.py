"""Fleet: long runs without overlap or deadlock, orders, ledger, determinism."""

from __future__ import annotations

import numpy as np
import pytest
from robot_graphs import NOBODY, config, corridor, grid, one_way_hall

from robots.fleet import Fleet
from robots.orders import malformed
from robots.state import COMMUNICATION, MODES, NO_ORDER, PERSON_NEAR


def _run(fleet, hours, dt_us, check_every=1, disturb=None):
    """Run headless; the smallest distance between two centres [m] and the longest time an AGV finished nothing [s]."""
    n, age = fleet.n, np.zeros(fleet.n, np.int64)
    people, present = NOBODY
    last, finished, longest, nearest = np.zeros(n), np.zeros(n), 0.0, np.inf
    upper = np.triu_indices(n, 1)
    for step in range(1, int(hours * 3600e6 / dt_us) + 1):
        time_us = step * dt_us
        if disturb is not None:
            people, present, age = disturb(step, people, present, age)
        fleet.step(time_us, dt_us, age, people, present)
        if step % check_every == 0:
            p = fleet.state().position_m
            nearest = min(nearest, float(np.linalg.norm(p[upper[0]] - p[upper[1]], axis=1).min()))
            now = fleet.finished.copy()
            last[now > finished] = time_us
            finished = now
            longest = max(longest, float((time_us - last).max()) / 1e6)
    return nearest, longest


def _diagonal_m(fleet):
    return float(np.hypot(fleet.config.agvs.length_m, fleet.config.agvs.width_m))


@pytest.mark.parametrize(
    ("routes", "count", "hours", "gap_s"),
    [(grid(4, 4), 8, 2.5, 3000.0), (one_way_hall(), 20, 1.0, 1000.0), (corridor(), 8, 1.0, 3000.0)],
    ids=["grid-8-agvs", "one-way-hall-20-agvs", "one-lane-corridor-8-agvs"],
)
def test_long_run_without_overlap_or_deadlock(routes, count, hours, gap_s):
    fleet = Fleet(config(routes, count), np.random.default_rng(1))
    nearest, longest = _run(fleet, hours, 250_000, check_every=16)
    assert nearest >= _diagonal_m(fleet)
    assert longest < gap_s
    per_agv = fleet.finished
    assert per_agv.min() > 0


def test_people_and_lost_commands_delay_but_never_lock_or_overlap():
    rng = np.random.default_rng(9)

    def disturb(step, people, present, age):
        if step % 40 == 1:
            return rng.uniform(0, 20, (5, 2)), np.ones(5, bool), np.where(rng.random(age.shape[0]) < 0.05, 10**6, 0)
        return people, present, age

    fleet = Fleet(config(grid(5, 5), 8), np.random.default_rng(2))
    nearest, longest = _run(fleet, 0.5, 100_000, disturb=disturb)
    assert nearest >= _diagonal_m(fleet)
    assert longest < 1500.0
    ledger = fleet.production()
    assert ledger["stops"]["communication"] > 0
    assert ledger["stops"]["person_near"] > 0
    assert ledger["minutes_lost"]["person_near"] > 0


def test_footprints_never_overlap_at_the_100_hz_tick():
    fleet = Fleet(config(one_way_hall(), 16), np.random.default_rng(4))
    nearest, _ = _run(fleet, 0.1, 10_000)
    assert nearest >= _diagonal_m(fleet)


def test_motion_stays_within_speed_acceleration_and_turn_rate():
    fleet = Fleet(config(one_way_hall(), 12), np.random.default_rng(3))
    agvs, age, before = fleet.config.agvs, np.zeros(12, np.int64), fleet.state()
    for step in range(1, 10_001):
        fleet.step(step * 10_000, 10_000, age, *NOBODY)
        now = fleet.state()
        change = (now.speed_mps - before.speed_mps) / 0.01
        assert now.speed_mps.max() <= agvs.max_speed_mps + 1e-9
        assert change.max() <= agvs.max_acceleration_mps2 + 1e-6
        assert change.min() >= -agvs.deceleration_mps2 * 1.05 - 0.05 / 0.01  # the last millimetre is driven at 5 cm/s at most
        assert np.linalg.norm(now.position_m - before.position_m, axis=1).max() <= agvs.max_speed_mps * 0.01 + 2e-3
        turn = np.abs((now.heading_rad - before.heading_rad + np.pi) % (2 * np.pi) - np.pi)
        assert turn.max() <= np.deg2rad(agvs.turn_rate_deg_per_s) * 0.01 + 1e-9
        before = now


def test_same_seed_same_run_to_the_bit_and_another_seed_differs():
    def trace(seed):
        fleet = Fleet(config(one_way_hall(), 12), np.random.default_rng(seed))
        age, out = np.zeros(12, np.int64), []
        for step in range(1, 8_001):
            fleet.step(step * 10_000, 10_000, age, *NOBODY)
            if step % 500 == 0:
                out.append(fleet.state().position_m.tobytes())
        return out, fleet.finished_orders

    assert trace(5) == trace(5)
    assert trace(5)[0] != trace(6)[0]


def test_the_ledger_accounts_for_every_second_and_every_order():
    fleet = Fleet(config(grid(4, 4), 5), np.random.default_rng(8))
    _run(fleet, 0.5, 200_000, check_every=1000)
    ledger = fleet.production()
    assert sum(ledger["minutes"].values()) == pytest.approx(5 * 30.0)
    assert (
        ledger["orders_finished"] == len(fleet.finished_orders) == sum(m["orders_finished"] for m in ledger["machines"].values())
    )
    assert ledger["orders_per_hour"] == pytest.approx(2 * ledger["orders_finished"])
    ids = [o.order_id for o in fleet.finished_orders]
    assert len(set(ids)) == len(ids)
    assert all(o.finished_us - o.taken_us > 27e6 for o in fleet.finished_orders)  # loading 15 s and unloading 12 s at least
    assert set(ledger["minutes"]) == set(MODES)


def test_few_orders_leave_agvs_without_order_on_their_parks():
    routes = grid(4, 4)
    for k in (5, 6, 9):
        routes["nodes"][k]["action"] = "park"
    fleet = Fleet(config(routes, 3, orders_per_hour=6.0), np.random.default_rng(8))
    _run(fleet, 2.0, 200_000, check_every=1000)
    ledger = fleet.production()
    assert 3 <= ledger["orders_finished"] <= 30
    assert ledger["minutes"]["no_order"] > 0.6 * 360
    idle = fleet.state().mode == NO_ORDER
    parks = fleet.graph.nodes_with("park")
    assert np.isin(fleet.state().node[idle], parks).all()


def test_batteries_are_charged_before_they_are_empty():
    battery = {"driving_time_s": 1800.0, "charging_time_s": 300.0}
    fleet = Fleet(config(grid(4, 4), 4, battery=battery), np.random.default_rng(8))
    least = 1.0
    for step in range(1, 2 * 18_000 + 1):
        fleet.step(step * 200_000, 200_000, np.zeros(4, np.int64), *NOBODY)
        least = min(least, float(fleet.state().battery.min()))
    assert 0.02 < least < 0.25
    assert fleet.production()["minutes"]["charging"] > 4 * 120 * 0.05


def test_loads_have_the_configured_heights_and_only_between_pick_and_drop():
    fleet = Fleet(config(grid(4, 4), 5, load_heights_m=(0.4, 1.6), loaded_share=1.0), np.random.default_rng(8))
    seen = set()
    for step in range(1, 10_001):
        fleet.step(step * 100_000, 100_000, np.zeros(5, np.int64), *NOBODY)
        state = fleet.state()
        assert (state.loaded == (state.load_height_m > 0)).all()
        assert (state.order_id[state.loaded] >= 0).all()
        seen |= set(state.load_height_m.tolist())
    assert seen == {0.0, 0.4, 1.6}


def test_order_is_base_then_horizon_in_vda5050_words():
    fleet = Fleet(config(one_way_hall(), 6), np.random.default_rng(8))
    _run(fleet, 0.02, 10_000, check_every=1000)
    for i in range(6):
        order = fleet.order(i)
        released = [node.released for node in order.nodes]
        assert released == sorted(released, reverse=True)
        assert released[0]
        first = order.nodes[0].sequence_id
        assert first >= 0
        assert [node.sequence_id for node in order.nodes] == [first + 2 * k for k in range(len(order.nodes))]
        assert [edge.sequence_id for edge in order.edges] == [first + 1 + 2 * k for k in range(len(order.edges))]
        assert malformed(order) is None
        for edge, a, b in zip(order.edges, order.nodes[:-1], order.nodes[1:], strict=True):
            assert (edge.start_node_id, edge.end_node_id, edge.released) == (a.node_id, b.node_id, b.released)


def test_plan_preview_is_where_an_undisturbed_agv_comes_to():
    fleet = Fleet(config(one_way_hall(), 1, max_acceleration_mps2=4.0), np.random.default_rng(8))
    age, right, tried = np.zeros(1, np.int64), 0, 0
    state, ahead = fleet.state(), []
    for step in range(1, 20_001):
        fleet.step(step * 10_000, 10_000, age, *NOBODY)
        before, state = state, fleet.state()
        ahead.append((fleet.plan_position_m(0.5)[0][0], float(before.speed_mps[0] == state.speed_mps[0] == 1.5)))
        if step > 50 and ahead[-51][1] and ahead[-1][1]:
            tried += 1
            right += np.linalg.norm(ahead[-51][0] - state.position_m[0]) < 0.05
    assert tried > 1000
    assert right > 0.95 * tried
    position, heading = fleet.plan_position_m(0.0)
    assert (position == fleet.state().position_m).all()
    assert (heading == fleet.state().heading_rad).all()


def test_an_empty_fleet_is_a_fleet():
    fleet = Fleet(config(one_way_hall(), 0), np.random.default_rng(1))
    fleet.step(10_000, 10_000, np.zeros(0, np.int64), *NOBODY)
    assert fleet.state().antenna_m.shape == (0, 3)
    assert fleet.plan_position_m(1.0)[0].shape == (0, 2)
    assert fleet.production()["orders_finished"] == 0
    assert MODES[COMMUNICATION] == "communication"
    assert MODES[PERSON_NEAR] == "person_near"


def test_orders_are_kept_one_by_one_up_to_a_bound_and_as_sums_beyond(monkeypatch):
    monkeypatch.setattr("robots.dispatch.KEPT_ORDERS", 3)
    fleet, age, told = Fleet(config(grid(4, 4), 5), np.random.default_rng(8)), np.zeros(5, np.int64), []
    for step in range(1, 9_001):
        fleet.step(step * 200_000, 200_000, age, *NOBODY)
        told += fleet.finished_since(len(told))
    ids = [o.order_id for o in told]
    assert len(ids) == len(set(ids)) == fleet.finished.sum() > 3
    assert fleet.finished_orders == fleet.finished_since(0) == told[-3:]
    assert fleet.finished_since(len(told)) == []
    ledger = fleet.production()
    assert ledger["orders_finished"] == len(told)
    assert ledger["order_time_s"] == pytest.approx(np.mean([(o.finished_us - o.taken_us) / 1e6 for o in told]))
