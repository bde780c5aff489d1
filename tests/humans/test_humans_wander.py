"""How unevenly people walk: swings of the fitted size and memory, drawn from the seed alone, that never lead astray."""

from __future__ import annotations

import numpy as np
import pytest
from humans_hall import TICK_US, floor_with

from humans.config import PeopleConfig
from humans.crowd import Crowd
from humans.types import Occupancy
from humans.wander import HASTE, HASTE_CV, HASTE_S, TURN, TURN_RAD, TURN_S, WALK_CV, Wander, pace_of_walk


def _film(seconds: float, n: int = 400) -> np.ndarray:
    wander, out = Wander(n, np.random.default_rng(5)), []
    for now in range(0, round(seconds * 1e6), 100_000):
        wander.advance(now)
        out.append(wander.now.copy())
    return np.array(out)


def test_swings_have_the_fitted_size_and_memory() -> None:
    film = _film(30.0)
    assert film[:, TURN].std() == pytest.approx(TURN_RAD, rel=0.05)
    assert film[:, HASTE].std() == pytest.approx(HASTE_CV, rel=0.05)
    assert film[:, HASTE].mean() == pytest.approx(1.0, abs=0.01)
    assert abs(film[:, TURN].mean()) < 0.02  # to neither side
    for row, seconds in ((TURN, TURN_S), (HASTE, HASTE_S)):
        values = film[:, row] - film[:, row].mean()
        for lag in (4, 8):
            seen = (values[lag:] * values[:-lag]).mean() / values.var()
            assert seen == pytest.approx(np.exp(-0.1 * lag / seconds), abs=0.05)


def test_swings_are_renewed_ten_times_a_second_and_not_more_often() -> None:
    wander = Wander(3, np.random.default_rng(1))
    wander.advance(0)
    held = wander.now.copy()
    wander.advance(90_000)
    np.testing.assert_array_equal(wander.now, held)
    wander.advance(100_000)
    assert not np.array_equal(wander.now, held)


def test_the_same_seed_swings_the_same() -> None:
    np.testing.assert_array_equal(_film(3.0, 5), _film(3.0, 5))


def test_paces_of_walks_differ_by_the_fitted_share() -> None:
    rng = np.random.default_rng(2)
    paces = np.array([pace_of_walk(rng) for _ in range(4000)])
    assert paces.mean() == pytest.approx(1.0, abs=0.01)
    assert paces.std() == pytest.approx(WALK_CV, rel=0.06)
    assert paces.min() > 1 - 3.01 * WALK_CV


def test_walkers_swing_about_their_line_and_still_arrive() -> None:
    config = PeopleConfig.model_validate(
        {
            "count": 1,
            "panels": 0,
            "start": [(2, 5)],
            "stations": [{"name": "there", "position_m": (28, 5), "kind": "desk"}],
            "roles": [{"name": "walker", "share": 1, "stations": ["desk"], "dwell_mean_s": 3600, "dwell_cv": 0}],
        }
    )
    off, arrived = [], 0
    for seed in range(8):
        crowd, aside = Crowd(config, floor_with((30, 10), []), np.random.default_rng(seed)), 0.0
        for now in range(TICK_US, 40_000_000, TICK_US):
            crowd.step(now, TICK_US, Occupancy.empty())
            if now % 400_000 == 0:
                aside = max(aside, abs(float(crowd.state().position_m[0, 1]) - 5.0))
        arrived += bool(np.hypot(*(crowd.state().position_m[0] - (28, 5))) < 0.3)
        off.append(aside)
    assert arrived == 8
    assert 0.05 < np.median(off) < 1.0
    assert max(off) < 2.0
