"""The crowd's kernels beside plain Python: who is due, how everybody walks alone, where a forecast puts bodies."""

import math
from dataclasses import fields

import numpy as np
from humans_hall import assembly_hall, assembly_people, run

from humans.crowd import Crowd
from humans.due import ARRIVED_M, due
from humans.forecast import STANDING_MPS, forecast_constant_velocity
from humans.gestures import GESTURE_WAVE, NO_GESTURE
from humans.types import Occupancy
from humans.walking import RELAXATION_S, walk

NEVER = np.iinfo(np.int64).max


def _crowd(seed: int = 4) -> Crowd:
    return Crowd(assembly_people(), assembly_hall(), np.random.default_rng(seed))


def test_somebody_is_due_who_arrives_leaves_or_begins_a_gesture() -> None:
    rng = np.random.default_rng(1)
    said = []
    for _ in range(400):
        n = int(rng.integers(1, 5))
        target = rng.uniform(0, 10, (n, 2))
        offset = rng.normal(size=(n, 2))
        offset *= (
            rng.choice((0.5, 1.0 - 1e-9, 1.0 + 1e-9, 3.0, 9.0), (n, 1)) * ARRIVED_M / np.linalg.norm(offset, axis=1)[:, None]
        )
        walking, on_break = rng.random(n) < 0.5, rng.random(n) < 0.3
        leave, wave, reach = (rng.choice((99, 100, 101, NEVER, NEVER, NEVER), n) for _ in range(3))
        gesture, end = np.full(n, GESTURE_WAVE), rng.choice((100, 101), n)
        posture = np.full(n, 0.5)
        found = due(100, target + offset, target, walking, on_break, leave, wave, reach, gesture, end, posture)
        wanted = False
        for i in range(n):
            arrives = bool(walking[i]) and math.hypot(*offset[i]) < ARRIVED_M
            leaves = not walking[i] and leave[i] <= 100
            wanted = wanted or arrives or leaves or wave[i] <= 100 or reach[i] <= 100
            assert gesture[i] == (NO_GESTURE if end[i] <= 100 else GESTURE_WAVE)
            assert posture[i] == (0.0 if walking[i] or on_break[i] else 1.0)
        assert bool(found) == wanted
        said.append(wanted)
    assert 40 < sum(said) < 360


def test_alone_on_a_free_floor_one_walks_as_the_relaxation_says() -> None:
    """Velocity relaxes to the wanted one, v' = (w - v) / 0.5 s, with w straight to the target and turned into it."""
    dt, speed, target = 0.01, 1.3, np.array([[16.0, 5.0]])
    position, velocity, heading, pace = np.array([[4.0, 5.0]]), np.zeros((1, 2)), np.array([0.6]), np.zeros(1)
    floor = np.ones((80, 40), np.bool_)
    ahead = np.full((1, 400), -1, np.int32)
    centre = np.zeros((400, 2))
    x, v, yaw = 4.0, 0.0, 0.6
    for _ in range(800):
        walk(
            dt, position, velocity, heading, pace, np.array([True]), np.array([speed]), np.zeros(1, np.int64), target,
            np.zeros(1), ahead, floor, np.array([0.25, 0.25]), centre, np.array([1.0, 1.0]), 20, 20, np.zeros((0, 2)),
            np.zeros((0, 2)), np.zeros(0), np.array([20.0, 10.0]), np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0),
            np.zeros(1, np.bool_), np.ones(1, np.bool_), np.array([[0.0], [1.0]]),
        )  # fmt: skip
        wanted = min(speed, (16.0 - x) / 0.6) * max(0.15, 0.5 + 0.5 * math.cos(yaw))
        v += dt * (wanted - v) / RELAXATION_S
        x += v * dt
        step = -yaw * (1.0 - math.exp(-dt / 0.25))
        yaw += min(max(step, -4.0 * dt), 4.0 * dt)
        assert np.allclose(position[0], (x, 5.0), atol=1e-9)
        assert abs(pace[0] - v) < 1e-9
        assert abs(heading[0] - yaw) < 1e-9
    assert 12.0 < x < 16.0
    assert v > 1.2


def test_a_forecast_moves_walkers_as_one_and_nobody_else() -> None:
    crowd = _crowd()
    now = run(crowd, 20.0, Occupancy.empty())
    state = crowd.state()
    assert state.time_us == now
    ahead = forecast_constant_velocity(state, 0.8)
    speed = np.hypot(*state.tracked_velocity_mps.T)
    shift = np.where((speed >= STANDING_MPS)[:, None], 0.8 * state.tracked_velocity_mps, 0.0)
    assert 0 < (speed >= STANDING_MPS).sum() < len(speed)
    assert np.array_equal(ahead.position_m, state.position_m + shift)
    for end in ("capsule_a", "capsule_b"):
        before, after = getattr(state, end), getattr(ahead, end)
        assert np.array_equal(after[..., :2], before[..., :2] + shift[:, None])
        assert np.array_equal(after[..., 2], before[..., 2])
    assert np.array_equal(ahead.panel_position_m[:, :2], state.panel_position_m[:, :2] + shift[state.panel_holder])
    moved = {"time_us", "position_m", "capsule_a", "capsule_b", "panel_position_m", "load_center_m"}
    assert all(getattr(ahead, f.name) is getattr(state, f.name) for f in fields(state) if f.name not in moved)


def test_later_steps_leave_a_state_alone() -> None:
    crowd = _crowd()
    run(crowd, 2.0, Occupancy.empty())
    state = crowd.state()
    kept = {f.name: np.array(getattr(state, f.name)) for f in fields(state)}
    run(crowd, 2.0, Occupancy.empty(), 2_000_000)
    assert not np.array_equal(crowd.state().position_m, state.position_m)
    for name, value in kept.items():
        assert np.array_equal(getattr(state, name), value), name
