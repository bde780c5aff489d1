"""Why AGVs stop: lost commands and people ahead; exact times and distances."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from robot_graphs import NOBODY, config, ring

from robots.agv import braking_speed
from robots.fleet import Fleet
from robots.safety import Watchdog
from robots.state import COMMUNICATION, DRIVING, PERSON_NEAR

DT_US = 10_000


def _cruising(**agvs):
    """Give a fleet of one on the long side of a ring at full speed, and the time."""
    fleet = Fleet(config(ring(60.0), 1, **agvs), np.random.default_rng(0), survival_time_us=50_000)
    time_us = 0
    while True:
        time_us += DT_US
        fleet.step(time_us, DT_US, np.zeros(1, np.int64), *NOBODY)
        state = fleet.state()
        if state.speed_mps[0] == 1.5 and 6 < state.position_m[0, 0] < 14 and state.position_m[0, 1] == 2:
            return fleet, time_us
        assert time_us < 300e6


def test_watchdog_trips_and_frees_at_the_exact_step():
    watchdog = Watchdog(np.array([50_000, 20_000]), np.array([2_000_000, 0]))
    standing = np.array([True, True])

    def step(time_us, *ages):
        return watchdog.step(time_us, np.array(ages), standing).tolist()

    assert step(10_000, 50_000, 20_000) == [False, False]  # as old as the survival time is still valid
    assert step(20_000, 50_001, 20_001) == [True, True]
    assert step(30_000, 60_000, 0) == [True, False]  # no restart delay
    assert step(40_000, 0, 0) == [True, False]  # back from here on
    assert step(2_030_000, 0, 0) == [True, False]
    assert step(2_040_000, 0, 0) == [False, False]
    assert watchdog.trips == 2


def test_watchdog_counts_the_delay_anew_when_commands_fail_again_and_only_at_standstill():
    watchdog = Watchdog(np.array([50_000]), np.array([100_000]))
    moving, standing, lost, back = np.array([False]), np.array([True]), np.array([60_000]), np.array([0])
    watchdog.step(0, lost, moving)
    assert watchdog.step(100_000, back, moving)[0]
    assert watchdog.step(300_000, back, standing)[0]
    assert watchdog.step(350_000, lost, standing)[0]
    assert watchdog.step(400_000, back, standing)[0]
    assert watchdog.step(499_999, back, standing)[0]
    assert not watchdog.step(500_000, back, standing)[0]


def test_lost_commands_stop_an_agv_within_its_emergency_braking_distance_and_it_restarts_after_the_delay():
    fleet, time_us = _cruising()
    lost_at, start = time_us, fleet.state().position_m[0].copy()
    tripped_at = None
    for _ in range(300):
        time_us += DT_US
        fleet.step(time_us, DT_US, np.array([time_us - lost_at]), *NOBODY)
        if fleet.state().mode[0] == COMMUNICATION:
            tripped_at = tripped_at or time_us
            if fleet.state().speed_mps[0] == 0:
                break
    assert tripped_at == lost_at + 60_000  # the first step at which the command is older than 50 ms
    assert time_us == tripped_at - DT_US + 750_000  # 1.5 m/s at 2 m/s^2
    way = np.linalg.norm(fleet.state().position_m[0] - start)
    assert abs(way - (1.5 * 0.05 + 1.5**2 / (2 * 2.0))) < 1e-9

    back_at = time_us + DT_US
    while fleet.state().speed_mps[0] == 0:
        time_us += DT_US
        fleet.step(time_us, DT_US, np.zeros(1, np.int64), *NOBODY)
    assert time_us == back_at + 2_000_000
    assert fleet.state().mode[0] == DRIVING
    ledger = fleet.production()
    assert ledger["stops"]["communication"] == 1
    assert abs(ledger["minutes"]["communication"] * 60 - (time_us - tripped_at) / 1e6) < 1e-6


def test_losses_shorter_than_the_survival_time_change_nothing():
    with_gaps, t = _cruising()
    without, _ = _cruising()
    for k in range(2000):
        t += DT_US
        with_gaps.step(t, DT_US, np.array([10_000 * (k % 6)]), *NOBODY)
        without.step(t, DT_US, np.zeros(1, np.int64), *NOBODY)
    assert (with_gaps.state().position_m == without.state().position_m).all()
    assert with_gaps.watchdog.trips == 0


@settings(deadline=None, max_examples=15, derandomize=True)
@given(st.floats(3.0, 12.0), st.floats(-0.6, 0.6))
def test_agv_never_drives_into_a_standing_person_and_waits_as_long_as_it_stands(ahead_m, aside_m):
    fleet, time_us = _cruising()
    person = fleet.state().position_m[0] + [ahead_m, aside_m]
    for _ in range(1500):
        time_us += DT_US
        fleet.step(time_us, DT_US, np.zeros(1, np.int64), person[None], np.ones(1, bool))
        nose = fleet.state().position_m[0, 0] + 0.6
        assert nose <= person[0] - 0.3 - 0.5 + 0.01  # person's radius and the stop distance
    assert fleet.state().mode[0] == PERSON_NEAR
    assert nose > person[0] - 0.3 - 0.5 - 0.1  # and not far before it
    for _ in range(300):
        time_us += DT_US
        fleet.step(time_us, DT_US, np.zeros(1, np.int64), *NOBODY)
    assert fleet.state().mode[0] == DRIVING
    assert fleet.production()["stops"]["person_near"] == 1


def test_person_beside_the_lane_or_absent_does_not_stop_an_agv():
    fleet, time_us = _cruising()
    start = fleet.state().position_m[0].copy()
    people = start + np.array([[5.0, 0.85], [5.0, -0.85], [5.0, 0.0]])
    for _ in range(600):
        time_us += DT_US
        fleet.step(time_us, DT_US, np.zeros(1, np.int64), people, np.array([True, True, False]))
    assert fleet.state().position_m[0, 0] > start[0] + 8
    assert fleet.production()["stops"]["person_near"] == 0


def test_person_who_steps_in_within_the_service_braking_distance_meets_the_emergency_brake():
    fleet, time_us = _cruising()
    x = fleet.state().position_m[0, 0]
    person = np.array([[x + 0.6 + 0.3 + 0.5 + 0.9, 2.0]])  # 1.5 m/s needs 1.6 m in service and 0.56 m in emergency braking
    for _ in range(300):
        time_us += DT_US
        fleet.step(time_us, DT_US, np.zeros(1, np.int64), person, np.ones(1, bool))
    assert fleet.state().speed_mps[0] == 0
    assert fleet.state().position_m[0, 0] + 0.6 <= person[0, 0] - 0.3 - 0.5 + 1e-3


def test_nobody_is_hit_by_a_turning_agv():
    fleet = Fleet(config(ring(20.0), 1), np.random.default_rng(0))
    corner = np.array([22.0, 2.0])
    time_us, near = 0, 0
    person = corner - np.array([0.0, 0.9])
    for _ in range(12_000):
        time_us += DT_US
        before = fleet.state()
        fleet.step(time_us, DT_US, np.zeros(1, np.int64), person[None], np.ones(1, bool))
        state = fleet.state()
        if np.linalg.norm(state.position_m[0] - corner) < 1e-6:
            near += 1
            assert state.heading_rad[0] == before.heading_rad[0]
    assert near > 100
    assert state.mode[0] == PERSON_NEAR


@settings(deadline=None, max_examples=200, derandomize=True)
@given(st.floats(0.0, 20.0), st.floats(0.0, 2.0), st.floats(0.3, 3.0), st.sampled_from([0.01, 0.05, 0.1]))
def test_braking_speed_leaves_exactly_the_braking_distance(distance, speed, deceleration, dt):
    new = braking_speed(distance, speed, deceleration, dt)
    used = 0.5 * (speed + new) * dt
    if new > 0:
        assert abs(used + new * new / (2 * deceleration) - distance) < 1e-9
    else:
        assert distance <= 0.5 * speed * dt + 1e-12
