"""Machines that fail: how often, for how long, and that they stand for that cause alone."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from robot_graphs import NOBODY, config, ring

from robots.breakdowns import Breakdowns, repair_times_s
from robots.cobot import Cobots
from robots.config import BreakdownConfig, BreakdownsConfig, RobotsConfig
from robots.fleet import Fleet
from robots.state import BREAKDOWN, DRIVING, EMERGENCY_STOP, NO_ORDER, WORKING

DT_US = 10_000


def _both(**more):
    of = {"mtbf_s": 100.0, "mttr_s": 20.0, **more}
    return BreakdownsConfig.model_validate({"agvs": of, "cobots": of})


def test_nothing_fails_unless_it_is_asked_for():
    none = Breakdowns(BreakdownsConfig(), 2, 2, np.random.default_rng(0))
    assert not none.enabled
    mode = np.array([DRIVING, DRIVING, WORKING, WORKING])
    assert not any(none.step(k * 10**9, 10**9, mode).any() for k in range(100))


def test_repair_times_have_the_mean_and_variation_that_are_given():
    drawn = repair_times_s(BreakdownConfig(mtbf_s=100, mttr_s=30, repair_variation=0.5), 200_000, np.random.default_rng(1))
    assert drawn.mean() == pytest.approx(30.0, rel=0.01)
    assert drawn.std() == pytest.approx(15.0, rel=0.03)
    always = repair_times_s(BreakdownConfig(mtbf_s=100, mttr_s=30, repair_variation=0), 5, np.random.default_rng(1))
    assert always == pytest.approx(30.0)


def test_failures_come_after_the_mean_operating_time_and_machines_that_wait_do_not_age():
    rng, n = np.random.default_rng(2), 200
    failing = Breakdowns(_both(), n, n, rng)
    mode = np.array([DRIVING] * n + [WORKING] * n)
    mode[:50] = NO_ORDER
    broken_s = np.zeros(2 * n)
    for k in range(5000):
        broken_s += failing.step(k * 1_000_000, 1_000_000, mode)
    assert failing.failures[:50].sum() == 0
    cycles = 5000 * (2 * n - 50) / failing.failures[50:].sum()  # MTBF and MTTR, to the second that a step is long
    assert cycles == pytest.approx(121.0, rel=0.03)
    assert broken_s.sum() / failing.failures.sum() == pytest.approx(20.5, rel=0.04)
    again = Breakdowns(_both(), n, n, np.random.default_rng(2))
    for k in range(5000):
        last = again.step(k * 1_000_000, 1_000_000, mode)
    assert (last == failing.broken).all()


def test_a_broken_agv_brakes_stands_for_that_cause_and_drives_on_when_repaired():
    fleet = Fleet(config(ring(60.0), 2), np.random.default_rng(0), survival_time_us=50_000)
    fresh, now = np.zeros(2, np.int64), 0
    while fleet.state().speed_mps[0] < 1.5:
        fleet.step(now, DT_US, fresh, *NOBODY)
        now += DT_US
    fleet.set_broken(np.array([True, False]))
    for _ in range(3000):
        fleet.step(now, DT_US, fresh, *NOBODY)
        now += DT_US
        assert fleet.state().mode[0] == BREAKDOWN
    assert fleet.state().speed_mps[0] == 0.0
    assert fleet.production()["minutes"]["breakdown"] == pytest.approx(0.5)
    fleet.set_broken(np.array([False, False]))
    for _ in range(3000):
        fleet.step(now, DT_US, fresh, *NOBODY)
        now += DT_US
    assert fleet.production()["machines"]["agv-01"]["stops"]["breakdown"] == 1
    assert fleet.state().mode[0] != BREAKDOWN


def test_a_halted_cobot_brakes_and_its_time_has_that_cause_and_no_other():
    raw = {"cobots": [{"name": "c1", "position_m": (5.0, 5.0, 0.8)}, {"name": "c2", "position_m": (9.0, 5.0, 0.8)}]}
    cobots = Cobots(RobotsConfig.model_validate(raw), np.random.default_rng(0))
    fresh, far = np.zeros(2, np.int64), np.full(2, np.inf)
    for k in range(200):
        cobots.step(k * DT_US, DT_US, fresh, far)
    halt = np.array([EMERGENCY_STOP, BREAKDOWN])
    for k in range(200, 400):
        cobots.step(k * DT_US, DT_US, np.array([10**9, 10**9]), far, halt=halt)  # whatever commands do
    assert cobots.state().mode.tolist() == [EMERGENCY_STOP, BREAKDOWN]
    assert (cobots.state().speed_scale == 0.0).all()
    machines = cobots.production()["machines"]
    assert machines["c1"]["stops"] == {"communication": 0, "person_near": 0, "breakdown": 0, "emergency_stop": 1}
    assert machines["c2"]["stops"]["breakdown"] == 1
    # 2 s, less what it still did while it braked: half of 0.3 s
    assert machines["c1"]["minutes_lost"]["emergency_stop"] * 60 == pytest.approx(1.85, abs=0.02)


def test_wrong_numbers_are_refused():
    with pytest.raises(ValidationError, match="mtbf_s"):
        BreakdownConfig(mtbf_s=0)
    with pytest.raises(ValidationError, match="mttr_s"):
        BreakdownConfig(mtbf_s=100, mttr_s=-1)
