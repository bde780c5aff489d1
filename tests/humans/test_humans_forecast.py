"""Forecasts: rigid bodies at constant velocity, whoever stands stays, and how far off that is."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from humans_hall import aisle_machines, assembly_hall, assembly_people, recording, run
from hypothesis import given, settings
from hypothesis import strategies as st

from humans.animation import VelocityTracker
from humans.forecast import SPREAD_M, forecast_constant_velocity, forecast_spread_m
from humans.sources import create_crowd
from humans.types import PeopleState

_PROFILE = settings(deadline=None, max_examples=40, derandomize=True)


def _people() -> PeopleState:
    crowd = create_crowd(assembly_people(), assembly_hall(), np.random.default_rng(6), None)
    run(crowd, 30.0, aisle_machines(0))
    state = crowd.state()
    speed = np.hypot(*state.tracked_velocity_mps.T)
    assert (speed > 0.5).any()  # the scene has walkers
    assert (speed < 0.15).any()  # and people who stand
    return state


_STATE = _people()


@_PROFILE
@given(horizon=st.floats(0, 3))
def test_bodies_move_rigidly_by_tracked_velocity(horizon: float) -> None:
    ahead = forecast_constant_velocity(_STATE, horizon)
    moving = np.hypot(*_STATE.tracked_velocity_mps.T) >= 0.15
    shift = np.where(moving[:, None], _STATE.tracked_velocity_mps * horizon, 0.0)
    np.testing.assert_allclose(ahead.position_m, _STATE.position_m + shift, atol=1e-12)
    for before, after in ((_STATE.capsule_a, ahead.capsule_a), (_STATE.capsule_b, ahead.capsule_b)):
        np.testing.assert_allclose(after[..., :2] - before[..., :2], np.broadcast_to(shift[:, None], (16, 12, 2)), atol=1e-12)
        np.testing.assert_array_equal(after[..., 2], before[..., 2])
    np.testing.assert_allclose(
        ahead.panel_position_m[:, :2], _STATE.panel_position_m[:, :2] + shift[_STATE.panel_holder], atol=1e-12
    )
    np.testing.assert_array_equal(ahead.position_m[~moving], _STATE.position_m[~moving])
    assert ahead.time_us == _STATE.time_us + round(horizon * 1e6)


def test_a_forecast_knows_nothing_of_goals_and_leaves_the_present_alone() -> None:
    kept = _STATE.position_m.copy(), _STATE.capsule_a.copy(), _STATE.panel_position_m.copy()
    lost = replace(_STATE, goal_m=np.zeros((16, 2)), velocity_mps=np.zeros((16, 2)))
    one, other = forecast_constant_velocity(_STATE, 1.0), forecast_constant_velocity(lost, 1.0)
    np.testing.assert_array_equal(one.position_m, other.position_m)
    np.testing.assert_array_equal(one.capsule_b, other.capsule_b)
    for now, then in zip((_STATE.position_m, _STATE.capsule_a, _STATE.panel_position_m), kept, strict=True):
        np.testing.assert_array_equal(now, then)


def test_the_past_is_not_forecast() -> None:
    with pytest.raises(ValueError, match=r"horizon_s -0\.1 lies in the past"):
        forecast_constant_velocity(_STATE, -0.1)
    with pytest.raises(ValueError, match="horizon_s -1 lies in the past"):
        forecast_spread_m(_STATE, -1)


@_PROFILE
@given(a=st.floats(0, 4), b=st.floats(0, 4))
def test_spread_grows_with_the_horizon_from_nothing(a: float, b: float) -> None:
    early, late = sorted((a, b))
    assert (forecast_spread_m(_STATE, early) <= forecast_spread_m(_STATE, late) + 1e-12).all()
    assert (forecast_spread_m(_STATE, 0.0) == 0.0).all()


def test_spread_is_the_measured_one_of_the_speed_bin() -> None:
    speeds = np.array([0.0, 0.3, 0.7, 1.1, 2.0])
    velocity = np.zeros((16, 2))
    velocity[:5, 1] = speeds
    spread = forecast_spread_m(replace(_STATE, tracked_velocity_mps=velocity), 1.2)
    np.testing.assert_allclose(spread[:5], [0.123, 0.188, 0.266, 0.214, 0.246])
    np.testing.assert_allclose(forecast_spread_m(replace(_STATE, tracked_velocity_mps=velocity), 0.2)[:5], SPREAD_M[:, 1] / 2)


@_PROFILE
@given(vx=st.floats(-2, 2), vy=st.floats(-2, 2))
def test_a_tracker_reports_a_steady_walk_exactly(vx: float, vy: float) -> None:
    tracker = VelocityTracker(1)
    since = np.zeros(1, np.int64)
    for now in range(0, 1_000_000, 10_000):
        tracker.observe(now, np.array([[vx, vy]]) * now * 1e-6, since)
    np.testing.assert_allclose(tracker.velocity_mps, [[vx, vy]], atol=1e-9)


def test_a_tracker_lags_by_half_its_baseline_behind_a_sudden_stop() -> None:
    tracker = VelocityTracker(1)
    since = np.zeros(1, np.int64)
    seen = {}
    for now in range(0, 2_000_000, 10_000):
        tracker.observe(now, np.array([[min(now * 1e-6, 1.0), 0.0]]), since)
        seen[now] = tracker.velocity_mps[0, 0]
    assert seen[1_200_000] == pytest.approx(0.5, abs=0.06)
    assert seen[1_450_000] == pytest.approx(0.0, abs=1e-9)


def test_simulated_people_are_about_as_hard_to_forecast_as_recorded_ones() -> None:
    crowd = create_crowd(assembly_people(), assembly_hall(), np.random.default_rng(7), None)
    now, waiting, errors = 0, [], []
    for _ in range(600):
        now = run(crowd, 0.4, aisle_machines(now), now)
        waiting.append(crowd.state())
        if len(waiting) > 3:
            errors.extend(np.hypot(*(forecast_constant_velocity(waiting[-4], 1.2).position_m - waiting[-1].position_m).T))
    # Final displacement after 1.2 s: THOR workers 0.126 m, inspectors 0.216 m.
    assert 0.04 < np.mean(errors) < 0.216


@pytest.mark.recorded
def test_spread_is_that_of_the_recorded_tracks() -> None:
    tracks: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    with recording("thor_a.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            tracks[row["id"]].append((float(row["t"]), float(row["x"]), float(row["y"])))
    squares: list[list[float]] = [[] for _ in SPREAD_M]
    for rows in tracks.values():
        track = np.array(rows)
        index = {round(t * 10): k for k, t in enumerate(track[:, 0])}
        for tick, k in index.items():
            before, after = index.get(tick - 4), index.get(tick + 12)
            if before is None or after is None:
                continue
            velocity = (track[k, 1:] - track[before, 1:]) / 0.4
            speed = float(np.hypot(*velocity))
            error = track[after, 1:] - track[k, 1:] - (velocity * 1.2 if speed >= 0.15 else 0.0)
            squares[int(np.digitize(speed, (0.15, 0.5, 0.9, 1.3)))].append(float((error**2).mean()))
    assert [np.sqrt(np.mean(s)) for s in squares] == pytest.approx(SPREAD_M[:, 3].tolist(), rel=0.1)
