"""The stop ledger: every microsecond booked once, queues traced to who heads them, the radio's share apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from robot_graphs import NOBODY, config, grid, ring

from robots import stop_ledger_kernels as kernel
from robots.cobot import Cobots
from robots.config import RobotsConfig
from robots.fleet import Fleet
from robots.rightofway import Lanes, lane_is_free
from robots.state import BREAKDOWN, COMMUNICATION, DRIVING, MODES, NO_ORDER, PERSON_NEAR, QUEUE, WORKING
from robots.stop_ledger import STOPS, StopLedger

DT_US = 10_000
NO_COBOTS = Cobots(RobotsConfig(), np.random.default_rng(0))


def _fleet(routes, count, seed=0, **agvs):
    return Fleet(config(routes, count, **agvs), np.random.default_rng(seed), survival_time_us=50_000)


def _cobots():
    raw = {"cobots": [{"name": "c1", "position_m": (5.0, 5.0, 0.8)}, {"name": "c2", "position_m": (9.0, 5.0, 0.8)}]}
    return Cobots(RobotsConfig.model_validate(raw), np.random.default_rng(0))


def _rows(intervals):
    fields = (intervals.machine, intervals.cause, intervals.root, intervals.head, intervals.start_us, intervals.end_us)
    return list(zip(*(f.tolist() for f in fields), strict=True))


@settings(deadline=None, max_examples=6, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.03), st.floats(0.0, 0.5))
def test_intervals_add_up_to_the_time_by_machine_cause_zone_and_hour(seed, losing, meeting):
    rng = np.random.default_rng(seed)
    fleet, cobots = _fleet(grid(4, 3), 5, seed), _cobots()
    ledger = StopLedger(fleet, cobots, n_zones=3, hours=1)
    people, lost_until = np.zeros((2, 2)), np.zeros(7, np.int64)
    rows, zone = [], np.zeros(7, np.int64)
    steps = 3000
    for k in range(steps):
        now = k * DT_US
        lost_until = np.where(rng.random(7) < losing, now + rng.integers(0, 3_000_000, 7), lost_until)
        age = np.where(lost_until > now, 200_000, 0)
        if k % 200 == 0:
            zone = rng.integers(0, 3, 7)
            people = rng.uniform(2, 16, (2, 2))
        here = np.full(2, rng.random() < meeting)
        fleet.step(now, DT_US, age[:5], people, here)
        cobots.step(now, DT_US, age[5:], np.where(here, rng.uniform(0.0, 2.0, 2), np.inf))
        rows += _rows(ledger.observe(now, DT_US, zone))
    rows += _rows(ledger.unfinished(steps * DT_US))
    assert (ledger.spent_us.sum(axis=1) == steps * DT_US).all()
    booked = np.zeros_like(ledger.spent_us)
    last_end = {}
    for machine, cause, root, _head, start, end in rows:
        assert start < end
        assert start >= last_end.get(machine, 0)  # no second has two causes
        assert (root == cause) or cause == QUEUE
        last_end[machine] = end
        booked[machine, cause] += end - start
    assert (booked[:, list(STOPS)] == ledger.spent_us[:, list(STOPS)]).all()
    assert booked[:, [DRIVING, WORKING]].sum() == 0
    assert (ledger.root_us.sum(axis=1) == ledger.spent_us[:, QUEUE]).all()
    for by in (ledger.by_zone_us, ledger.by_hour_us):
        assert (by.sum(axis=0) == ledger.spent_us.sum(axis=0)).all()
    for by in (ledger.zone_starts, ledger.hour_starts):
        assert (by.sum(axis=0) == ledger.starts.sum(axis=0)).all()
    # and it is what the machines' own books say
    assert np.allclose(ledger.spent_us[:5].sum(0) / 6e7, [fleet.production()["minutes"][m] for m in MODES])
    assert (ledger.radio_s[:, kernel.ANYWAY] <= ledger.radio_s[:, kernel.STANDS] + 1e-9).all()
    assert (ledger.radio_s[:, kernel.STANDS] <= ledger.spent_us[:, COMMUNICATION] / 1e6 + 1e-9).all()


def _until(fleet, ledger, now, age, done, people=NOBODY, limit_s=120):
    rows = []
    for _ in range(limit_s * 100):
        fleet.step(now, DT_US, age, *people)
        rows += _rows(ledger.observe(now, DT_US))
        now += DT_US
        if done():
            return now, rows
    raise AssertionError("it never came to that")


def test_a_queue_counts_for_what_its_head_stands_for_and_then_for_traffic_again():
    fleet = _fleet(ring(60.0), 3)
    ledger = StopLedger(fleet, NO_COBOTS)
    fresh = np.zeros(3, np.int64)
    mode = lambda: fleet.state().mode  # noqa: E731
    now, _ = _until(fleet, ledger, 0, fresh, lambda: (mode() == DRIVING).all() and (fleet.state().speed_mps > 1.0).all())
    silent = np.array([10**9, 0, 0])
    now, _ = _until(fleet, ledger, now, silent, lambda: ledger.root_us[:, COMMUNICATION].max() > 3_000_000)
    (behind,) = np.flatnonzero(ledger.root_us[:, COMMUNICATION])[:1]
    assert ledger.cause(behind) == QUEUE
    assert ledger.head(behind) == 0
    assert ledger.radio_s[behind, kernel.BEHIND] == pytest.approx(ledger.root_us[behind, COMMUNICATION] / 1e6)
    booked = ledger.root_us[behind, COMMUNICATION]
    now, rows = _until(fleet, ledger, now, fresh, lambda: mode()[behind] == DRIVING)
    mine = [r for r in rows if r[0] == behind]
    assert [r[1:4] for r in mine][:1] == [(QUEUE, COMMUNICATION, 0)]  # ends as its head goes on after the restart delay
    assert ledger.root_us[behind, COMMUNICATION] >= booked + 2_000_000
    assert mine[1][1:4] == (QUEUE, QUEUE, -1)
    # had the head not stood, it would be ahead by all of its stop, so this one would have gone on earlier, or never stood
    lost_by_head_us = min(ledger.spent_us[0, COMMUNICATION], mine[-1][5] - mine[0][4])
    lost_us = 1e6 * (ledger.radio_s[behind, kernel.BEHIND] + ledger.radio_s[behind, kernel.TAIL])
    assert lost_us == pytest.approx(lost_by_head_us, abs=2 * DT_US)


def test_a_stop_that_goes_on_for_another_cause_is_two_intervals():
    fleet = _fleet(ring(60.0), 1)
    ledger = StopLedger(fleet, NO_COBOTS)
    fresh = np.zeros(1, np.int64)
    cruising = lambda: fleet.state().speed_mps[0] == 1.5 and 6 < fleet.state().position_m[0, 0] < 14  # noqa: E731
    now, _ = _until(fleet, ledger, 0, fresh, cruising)
    person = (fleet.state().position_m[0] + [3.0, 0.0])[None], np.ones(1, bool)
    now, _ = _until(fleet, ledger, now, fresh, lambda: ledger.spent_us[0, PERSON_NEAR] > 1_000_000, person)
    now, rows = _until(fleet, ledger, now, np.array([10**9]), lambda: ledger.spent_us[0, COMMUNICATION] > 1_000_000, person)
    ((machine, cause, root, head, start, end),) = rows
    assert (machine, cause, root, head) == (0, PERSON_NEAR, PERSON_NEAR, -1)
    ((_, second, _, _, then, _),) = _rows(ledger.unfinished(now))
    assert second == COMMUNICATION
    assert then == end
    assert end - start == ledger.spent_us[0, PERSON_NEAR]


def test_what_an_agv_loses_by_a_stop_of_commands_is_braking_standing_and_speeding_up():
    """Against a twin that never stops: the way that is missing, at full speed, is what was booked."""
    stopped, going = _fleet(ring(60.0), 1), _fleet(ring(60.0), 1)
    ledger = StopLedger(stopped, NO_COBOTS)
    fresh = np.zeros(1, np.int64)
    now = 0
    while not (stopped.state().speed_mps[0] == 1.5 and 6 < stopped.state().position_m[0, 0] < 8):
        for fleet in (stopped, going):
            fleet.step(now, DT_US, fresh, *NOBODY)
        ledger.observe(now, DT_US)
        now += DT_US
    for k in range(900):
        stopped.step(now, DT_US, np.array([10**9 if k < 100 else 0]), *NOBODY)
        going.step(now, DT_US, fresh, *NOBODY)
        ledger.observe(now, DT_US)
        now += DT_US
    assert stopped.state().speed_mps[0] == going.state().speed_mps[0] == 1.5
    missing_s = (going.production()["distance_m"] - stopped.production()["distance_m"]) / 1.5
    booked_s = ledger.radio_s[0, kernel.STANDS] + ledger.total_slow_s[0, COMMUNICATION]
    assert booked_s == pytest.approx(missing_s, abs=0.02)
    assert ledger.total_slow_s[0, COMMUNICATION] == pytest.approx(1.5, abs=0.01)  # 3 s to full speed at half of it


def test_nobody_is_in_the_way_exactly_where_a_lane_is_free():
    fleet = _fleet(grid(4, 3), 6)
    books = fleet._books
    lanes = Lanes(*books.lanes)
    checked = blocked = 0
    for k in range(4000):
        fleet.step(k * DT_US, DT_US, np.zeros(6, np.int64), *NOBODY)
        traffic = books.traffic
        for i in range(6):
            at = int(traffic.head_k[i])
            if traffic.at_k[i] != at or at >= traffic.path_len[i] - 1:
                continue
            free = lane_is_free(i, int(traffic.path[i, at]), int(traffic.path[i, at + 1]), traffic, lanes)
            holder = kernel.who_is_in_the_way(i, traffic, lanes)
            assert (holder < 0) == free
            assert holder != i
            checked, blocked = checked + 1, blocked + (not free)
    assert checked > 100
    assert blocked > 20


def test_a_circle_of_waiting_machines_has_no_head():
    mode = np.array([QUEUE, QUEUE, QUEUE, BREAKDOWN, NO_ORDER])
    assert kernel.head_of_queue(0, mode, np.array([1, 2, 0, -1, -1])) == -1
    assert kernel.head_of_queue(0, mode, np.array([1, 2, 3, -1, -1])) == 3
    assert kernel.head_of_queue(0, mode, np.array([1, -1, 0, -1, -1])) == -1
