"""What the radio's delay adds to the required separation, and what that costs a cobot."""

from __future__ import annotations

import numpy as np
import pytest

from robots.cobot import Cobots
from robots.config import RobotsConfig
from robots.safety import protective_separation_m

DT_US = 10_000


def _cobots(**safety):
    raw = {
        "cobots": [{"name": "c1", "position_m": (5.0, 5.0, 0.8)}, {"name": "c2", "position_m": (9.0, 5.0, 0.8)}],
        "safety": safety,
    }
    return Cobots(RobotsConfig.model_validate(raw), np.random.default_rng(0), survival_time_us=10_000)


def test_each_100_ms_of_radio_delay_adds_31_cm():
    """The worked example of ISO/TS 15066: Tr 0.1 s, Ts 0.5 s, 1.5 m/s, C 0.85 m, Z 0.1 m gives 2.4 m."""
    here = protective_separation_m(1.6, 1.5, 0.1, 0.5, 0.85, 0.1)
    assert here == pytest.approx(2.435, abs=1e-9)
    assert protective_separation_m(1.6, 1.5, 0.2, 0.5, 0.85, 0.1) - here == pytest.approx(0.31, abs=1e-12)


def _run(cobots, separation_m, delay_us=None, age_us=0, seconds=20):
    delay = None if delay_us is None else np.full(2, delay_us)
    for k in range(seconds * 100):
        cobots.step(k * DT_US, DT_US, np.full(2, age_us), np.full(2, separation_m), radio_delay_us=delay)
    return cobots


def test_a_delay_that_is_reckoned_with_slows_the_arm_and_its_cost_is_told_apart():
    near = 0.9  # m; the arm runs, below full speed
    ideal = _run(_cobots(), near, delay_us=10_000)  # the survival time alone, as with a radio without latency
    late = _run(_cobots(), near, delay_us=110_000)
    assert (ideal.radio_slow_s == 0.0).all()
    assert (late.state().permitted_scale < ideal.state().permitted_scale).all()
    lost_s = [c.production()["minutes_lost"]["person_near"] * 60 for c in (ideal, late)]
    # what was lost more than with an ideal radio is what the ledger says the radio cost, but for the ramps from one to the other
    assert late.radio_slow_s.sum() == pytest.approx(lost_s[1] - lost_s[0], abs=0.3)
    assert late.radio_slow_s.sum() > 1.0


def test_where_nobody_is_near_a_delay_costs_nothing_and_overdue_commands_cost_only_while_they_are():
    assert (_run(_cobots(), np.inf, delay_us=500_000).radio_slow_s == 0.0).all()
    assert (_run(_cobots(), 0.9).radio_slow_s == 0.0).all()  # the default: commands are not overdue
    overdue = _cobots()
    overdue.watchdog.survival_us[:] = 200_000
    assert (_run(overdue, 0.9, age_us=100_000).radio_slow_s > 0.1).all()


def test_slow_seconds_are_those_in_which_the_arm_moved():
    cobots = _run(_cobots(), 0.9)
    lost = cobots.production()["minutes_lost"]["person_near"] * 60
    assert cobots.slow_s.sum() == pytest.approx(lost, abs=1.1)  # it began from a standstill
    standing = _run(_cobots(), 0.05)
    assert standing.production()["stops"]["person_near"] == 2
    assert standing.slow_s.sum() < 1.1
    assert standing.production()["minutes_lost"]["person_near"] * 60 > 35
