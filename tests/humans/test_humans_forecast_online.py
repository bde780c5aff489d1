"""The online forecaster: straight walks, noise, gaps, jumps, swaps, clocks set back, calibration, places, goals and futures."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from humans_hall import aisle_machines, assembly_hall, assembly_people, run
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from humans.forecast import ForecastConfig, Forecaster, bodies_of_samples
from humans.forecast_kernels import GAPS, JUMPS, RESTARTS, SWAPS
from humans.forecast_numbers import LEVELS, MODES
from humans.sources import create_crowd

_PROFILE = settings(deadline=None, max_examples=20, derandomize=True)
_SECOND = np.array([1_000_000])
_HORIZONS = np.array([200_000, 400_000, 800_000, 1_200_000, 2_000_000])
_HERE = np.ones(2, np.bool_)


def _forecaster(n: int = 2, goals: np.ndarray | None = None, **config: object) -> Forecaster:
    return Forecaster(n, ForecastConfig.model_validate(config), goals, np.random.default_rng(4))


def _ways(t: float) -> np.ndarray:
    """Two people who walk against each other, 3 m apart sideways."""
    return np.array([[1.2 * t, 0.0], [10.0 - 1.0 * t, 3.0]])


def _walk(forecaster: Forecaster, seconds: float = 3.0, step_s: float = 0.1, from_s: float = 0.0) -> float:
    for k in range(round(seconds / step_s)):
        forecaster.observe(round((from_s + k * step_s) * 1e6), _ways(from_s + k * step_s), _HERE)
    return from_s + (round(seconds / step_s) - 1) * step_s


@_PROFILE
@given(angle=st.floats(-3, 3), speed=st.floats(0.3, 1.6))
def test_a_steady_walk_goes_on(angle: float, speed: float) -> None:
    forecaster = _forecaster(1)
    e = np.array([np.cos(angle), np.sin(angle)])
    for k in range(40):
        forecaster.observe(k * 100_000, (5.0 + speed * e * k * 0.1)[None], np.ones(1, np.bool_))
    ahead = forecaster.predict(_SECOND)
    assert np.hypot(*(ahead.position_m[0, 0] - (5.0 + speed * e * 4.9))) < 0.1 + 0.1 * speed
    assert ahead.known.all()
    assert ahead.mode_weight[0].sum() == pytest.approx(1.0)


def test_who_stands_stays_and_is_surer() -> None:
    forecaster = _forecaster()
    for k in range(60):
        forecaster.observe(k * 100_000, np.array([[4.0, 4.0], [1.0 + 0.12 * k, 2.0]]), _HERE)
    ahead = forecaster.predict(_HORIZONS)
    assert np.hypot(*(ahead.position_m[0] - [4.0, 4.0]).T).max() < 0.05
    assert MODES[int(ahead.mode_weight[0].argmax())] == "stop"
    area = np.sqrt(np.linalg.det(ahead.covariance_m2))
    assert (area[0] < area[1]).all()


@_PROFILE
@given(a=st.integers(0, 3_000_000), b=st.integers(0, 3_000_000))
def test_regions_grow_with_horizon_and_level(a: int, b: int) -> None:
    forecaster = _forecaster()
    _walk(forecaster)
    early, late = sorted((a, b))
    ahead = forecaster.predict(np.array([early, late]))
    assert (np.linalg.eigvalsh(ahead.covariance_m2) > 0).all()
    assert (ahead.axis_m[:, 0] <= ahead.axis_m[:, 1] + 1e-6).all() or late - early < 100_000 or early < 400_000
    assert (np.diff(ahead.radius, axis=-1) >= 0).all()
    inside = [ahead.covers(ahead.position_m + 0.01, level) for level in LEVELS]
    assert all((x <= y).all() for x, y in pairwise(inside))


def test_noise_is_averaged_out() -> None:
    rng, errors = np.random.default_rng(2), {}
    for told in (0.0, 0.1):
        forecaster, off = _forecaster(), []
        for k in range(200):
            t = k * 0.1 % 8.0
            if t == 0.0:
                forecaster = _forecaster()
            forecaster.observe(round((k * 0.1) * 1e6) + 10, _ways(t) + rng.normal(0, 0.1, (2, 2)), _HERE, sigma_m=told)
            if t > 2.5:
                off.append(np.hypot(*(forecaster.predict(_SECOND).position_m[:, 0] - _ways(t + 1.0)).T).mean())
        errors[told] = np.mean(off)
    assert errors[0.1] < 0.6 * errors[0.0]
    assert errors[0.1] < 0.25


def test_one_jump_is_not_believed_and_three_are() -> None:
    forecaster = _forecaster()
    t = _walk(forecaster)
    far = _ways(t + 0.1) + np.array([[8.0, 8.0], [0.0, 0.0]])
    forecaster.observe(round((t + 0.1) * 1e6), far, _HERE)
    assert forecaster.count[JUMPS] == 1
    assert np.hypot(*(forecaster.predict(_SECOND).position_m[0, 0] - _ways(t + 1.1)[0])) < 0.5
    for k in range(2, 5):
        forecaster.observe(round((t + 0.1 * k) * 1e6), far, _HERE)
    assert forecaster.count[RESTARTS] == 1
    assert np.hypot(*(forecaster.predict(_SECOND).position_m[0, 0] - far[0])) < 0.3


def test_swapped_tags_take_their_pasts_along() -> None:
    forecaster = _forecaster()
    t = _walk(forecaster, 2.0)
    for k in range(1, 4):
        forecaster.observe(round((t + 0.1 * k) * 1e6), _ways(t + 0.1 * k)[::-1], _HERE)
    assert forecaster.count[SWAPS] == 1
    ahead = forecaster.predict(_SECOND).position_m[:, 0]
    np.testing.assert_allclose(ahead, _ways(t + 1.3)[::-1], atol=0.35)


def test_late_stamps_are_dropped_and_a_clock_set_back_starts_anew() -> None:
    forecaster = _forecaster()
    t = _walk(forecaster)
    before = forecaster.predict(_HORIZONS).position_m
    forecaster.observe(round((t - 0.5) * 1e6), _ways(0.0), _HERE)
    np.testing.assert_array_equal(forecaster.predict(_HORIZONS).position_m, before)
    assert forecaster.late == 1
    forecaster.observe(-3_600_000_000, _ways(t + 0.1), _HERE)
    assert forecaster.clock_steps == 1
    for k in range(1, 15):
        forecaster.observe(-3_600_000_000 + k * 100_000, _ways(t + 0.1 + 0.1 * k), _HERE)
    assert np.hypot(*(forecaster.predict(_SECOND).position_m[:, 0] - _ways(t + 2.5)).T).max() < 0.4


def test_through_a_gap_people_go_on_and_then_are_not_known() -> None:
    forecaster = _forecaster()
    t = _walk(forecaster)
    alone = np.array([True, False])
    for k in range(1, 6):
        forecaster.observe(round((t + 0.1 * k) * 1e6), _ways(t + 0.1 * k), alone)
    ahead = forecaster.predict(_SECOND)
    assert np.hypot(*(ahead.position_m[1, 0] - _ways(t + 1.5)[1])) < 0.4
    assert ahead.axis_m[1, 0, 0] > ahead.axis_m[0, 0, 0]  # half a second older
    for k in range(6, 40):
        forecaster.observe(round((t + 0.1 * k) * 1e6), np.where(alone[:, None], _ways(t + 0.1 * k), np.nan), _HERE)
    assert forecaster.predict(_SECOND).known.tolist() == [True, False]
    forecaster.observe(round((t + 4.0) * 1e6), _ways(t + 4.0), _HERE)
    assert forecaster.count[GAPS] == 1


@_PROFILE
@given(seed=st.integers(0, 200))
def test_no_stream_of_tags_breaks_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    forecaster, now = _forecaster(), 0
    for _ in range(60):
        now += int(rng.choice([100_000, 30_000, 1_000_000, 0, -200_000, -5_000_000, 4_000_000]))
        where = rng.choice([0.0, 1.0, 1e3, np.nan, np.inf], (2, 2)) + rng.normal(0, 0.3, (2, 2))
        forecaster.observe(now, where, rng.random(2) < 0.7, sigma_m=float(rng.choice([0.0, 0.05, 0.3])))
        if forecaster.known().any():
            ahead = forecaster.predict(_HORIZONS)
            assert np.isfinite(ahead.position_m[ahead.known]).all()
            assert (ahead.axis_m[ahead.known] > 0).all()


def test_the_same_seed_draws_the_same_futures() -> None:
    first, second = _forecaster(), _forecaster()
    for forecaster in (first, second):
        _walk(forecaster)
    one, other = (f.samples(None, _HORIZONS, 20) for f in (first, second))
    np.testing.assert_array_equal(one.position_m, other.position_m)
    assert not np.array_equal(one.position_m, first.samples(None, _HORIZONS, 20).position_m)


def test_futures_spread_as_their_regions_say() -> None:
    forecaster = _forecaster()
    _walk(forecaster)
    ahead = forecaster.predict(_HORIZONS)
    drawn = forecaster.samples(None, _HORIZONS, 4000, np.random.default_rng(3))
    # The spread is right over all people of a speed bin, of one person nearly.
    for level, low, high in ((0.5, 0.38, 0.64), (0.9, 0.84, 0.96)):
        share = np.mean([ahead.covers(p, level) for p in drawn.position_m], axis=0)
        assert (share > low).all(), share
        assert (share < high).all(), share
    # One future hangs together: who is far ahead at 1.2 s is so at 2 s.
    off = drawn.position_m[:, 0] - ahead.position_m[0]
    assert np.corrcoef(off[:, 3, 0], off[:, 4, 0])[0, 1] > 0.7


def test_regions_learn_how_wild_a_hall_is() -> None:
    rng, forecaster = np.random.default_rng(5), _forecaster(1)
    position, velocity, hits = np.zeros(2), np.array([1.0, 0.0]), []
    waiting: list[tuple[int, object]] = []
    for k in range(3000):
        if rng.random() < 0.05:
            angle = rng.uniform(-np.pi, np.pi)
            velocity = 1.2 * np.array([np.cos(angle), np.sin(angle)])
        position = position + 0.1 * velocity
        forecaster.observe(k * 100_000, position[None], np.ones(1, np.bool_))
        while waiting and waiting[0][0] <= k:
            hits.append(waiting.pop(0)[1].covers(position[None, None], 0.9)[0, 0])  # type: ignore[attr-defined]
        if k > 20:
            waiting.append((k + 10, forecaster.predict(_SECOND)))
    assert 0.86 < np.mean(hits[600:]) < 0.94
    assert np.mean(hits[:100]) < 0.8  # people of the recordings are not so wild


def test_places_teach_where_people_turn() -> None:
    errors = {}
    for learn in (False, True):
        forecaster, now, off = _forecaster(1, learn_places=learn), 0, []
        for lap in range(60):
            way = [np.array([min(0.12 * k, 6.0), max(0.12 * k - 6.0, 0.0)]) for k in range(100)]
            for k, place in enumerate(way):
                forecaster.observe(now + k * 100_000, place[None], np.ones(1, np.bool_))
                if lap >= 50 and 35 <= k < 50:  # about to turn
                    off.append(np.hypot(*(forecaster.predict(np.array([2_000_000])).position_m[0, 0] - way[k + 20])))
            now += 15_000_000
        errors[learn] = np.mean(off)
    assert errors[True] < 0.6 * errors[False]


def test_occupancy_without_poses() -> None:
    forecaster = _forecaster()
    forecaster.places.expect_at(np.array([[3.0, 3.0]]), people=2.0)
    assert forecaster.occupancy(np.array([[3.1, 3.1]]))[0] == pytest.approx(2.0 / 0.75**2)
    assert forecaster.occupancy(np.array([[30.0, 30.0]]))[0] == 0.0
    for k in range(100):
        forecaster.observe(k * 100_000, np.array([[20.2, 20.2], [16.2 + 0.1 * k, 40.2]]), _HERE)
    assert forecaster.occupancy(np.array([[20.2, 20.2]]))[0] > forecaster.occupancy(np.array([[20.2, 40.2]]))[0] > 0.0
    assert forecaster.places.standing_share(np.array([[20.2, 20.2]]))[0] > 0.9


def test_a_known_goal_stops_the_forecast_there() -> None:
    rng, here = np.random.default_rng(8), np.ones(1, np.bool_)
    plain, knowing = (_forecaster(1, learn_places=False) for _ in range(2))
    now = 0
    off: dict[str, list[float]] = {"plain": [], "knowing": []}
    for lap in range(60):
        angle, length = rng.uniform(-np.pi, np.pi), rng.uniform(4.0, 7.0)
        way = 1.2 * np.array([np.cos(angle), np.sin(angle)])
        goal = length / 1.2 * way
        place = [way * min(0.1 * k, length / 1.2) for k in range(90)]
        for k in range(70):
            plain.observe(now + k * 100_000, place[k][None], here)
            knowing.observe(now + k * 100_000, place[k][None], here, goal_m=goal[None])
            if lap >= 30 and 0.5 < length - 0.12 * k < 2.0:
                for name, one in (("plain", plain), ("knowing", knowing)):
                    ahead = one.predict(np.array([2_000_000])).position_m[0, 0]
                    off[name].append(float(np.hypot(*(ahead - place[k + 20]))))
        now += 12_000_000
    assert np.mean(off["knowing"]) < 0.5 * np.mean(off["plain"])


def test_goals_are_weighed_by_the_way_that_is_walked() -> None:
    candidates = _forecaster(1, np.array([[10.0, 10.0], [-10.0, 0.0]]))
    for k in range(40):
        candidates.observe(k * 100_000, np.array([[0.1 * k, 0.1 * k]]), np.ones(1, np.bool_))
    weight = candidates.predict(_SECOND).goal_weight[0]
    assert weight[0] > 0.8
    assert weight[1] < 0.1


def test_whole_bodies_of_a_future() -> None:
    crowd = create_crowd(assembly_people(), assembly_hall(), np.random.default_rng(6), None)
    forecaster = Forecaster(16, ForecastConfig(), None, np.random.default_rng(1))
    now = 0
    for _ in range(300):
        now = run(crowd, 0.1, aisle_machines(0), now)
        state = crowd.state()
        forecaster.observe(now, state.position_m, state.present)
    drawn = forecaster.samples(state, np.array([500_000, 2_000_000]), 3)
    for h, wait in enumerate((500_000, 2_000_000)):
        bodies = bodies_of_samples(state, drawn, 2, h)
        assert bodies.time_us == state.time_us + wait
        np.testing.assert_array_equal(bodies.position_m, drawn.position_m[2, :, h])
        middle = 0.5 * (bodies.capsule_a + bodies.capsule_b).mean(axis=1)[:, :2]
        assert np.hypot(*(middle - bodies.position_m).T).max() < 0.45
        for limb in range(bodies.capsule_a.shape[1]):
            length = np.linalg.norm(bodies.capsule_a[:, limb] - bodies.capsule_b[:, limb], axis=-1)
            now_length = np.linalg.norm(state.capsule_a[:, limb] - state.capsule_b[:, limb], axis=-1)
            np.testing.assert_allclose(length, now_length, atol=1e-9)
        reach = np.hypot(*(bodies.panel_position_m[:, :2] - bodies.position_m[state.panel_holder]).T)
        np.testing.assert_allclose(reach, np.hypot(*(state.panel_position_m[:, :2] - state.position_m[state.panel_holder]).T))
    with pytest.raises(ValueError, match=r"samples are of 16 people, the state of 1;|the same people"):
        bodies_of_samples(
            create_crowd(assembly_people(count=1), assembly_hall(), np.random.default_rng(1), None).state(), drawn, 0, 0
        )


def test_wrong_input_is_told() -> None:
    forecaster = _forecaster()
    with pytest.raises(ValueError, match="nothing was observed yet"):
        forecaster.predict(_SECOND)
    with pytest.raises(ValueError, match=r"position_m \(3, 2\) .* must be \(2, 2\)"):
        forecaster.observe(0, np.zeros((3, 2)), _HERE)
    with pytest.raises(ValueError, match=r"sigma_m holds -0\.1; it must be 0 or more"):
        forecaster.observe(0, np.zeros((2, 2)), _HERE, sigma_m=-0.1)
    _walk(forecaster)
    with pytest.raises(ValueError, match=r"horizon_us -5 lies in the past"):
        forecaster.predict(np.array([-5]))
    with pytest.raises(ValueError, match="goals_m of shape"):
        _forecaster(2, np.zeros((3, 3)))
    with pytest.raises(ValidationError, match="score_every_s"):
        ForecastConfig(score_every_s=200)
    ahead = forecaster.predict(_SECOND)
    with pytest.raises(ValueError, match=r"level 0\.8 has no region; it must be one of 0\.25"):
        ahead.covers(ahead.position_m, 0.8)
