"""What a forecast reads of the others: the kernel beside a plain reference, mirrors, and a run reads what the fit read."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.validate.forecast_data import Track, windows
from factory.validate.forecast_fit import MIRRORED, of, straight_m
from humans.forecast_filter import FEATURES
from humans.forecast_neighbours import (
    ACROSS,
    ALONG,
    AWAY,
    GAP,
    INPUTS,
    MEET_S,
    MIRRORED_COLUMNS,
    MISS,
    NEAR,
    NEIGHBOURS,
    NOBODY_M,
    neighbour_features,
    neighbour_features_reference,
)
from humans.forecast_numbers import KNOTS_S, UNIT_M, fitted_numbers
from humans.forecast_online import Forecaster
from humans.forecast_types import ForecastConfig

_PROFILE = settings(deadline=None, max_examples=60, derandomize=True)


def _read(place: np.ndarray, velocity: np.ndarray, angle: float = 0.0, who: np.ndarray | None = None) -> np.ndarray:
    out = np.full(NEIGHBOURS, np.nan)
    frame = np.array([np.cos(angle), np.sin(angle), 1.0, 0.0, 0.0])
    neighbour_features(0, np.ones(len(place), np.bool_) if who is None else who, place, velocity, frame, out)
    return out


@_PROFILE
@given(seed=st.integers(0, 10_000), n=st.integers(1, 12), angle=st.floats(-3, 3))
def test_kernel_reads_what_the_reference_reads(seed: int, n: int, angle: float) -> None:
    rng = np.random.default_rng(seed)
    place, velocity = rng.uniform(-7, 7, (n, 2)), rng.normal(0, 1, (n, 2))
    ahead = np.array([np.cos(angle), np.sin(angle)])
    np.testing.assert_allclose(_read(place, velocity, angle), neighbour_features_reference(place, velocity, ahead), atol=1e-9)


@_PROFILE
@given(seed=st.integers(0, 10_000))
def test_a_mirrored_hall_mirrors_the_columns_that_say_so(seed: int) -> None:
    rng = np.random.default_rng(seed)
    place, velocity = rng.uniform(-5, 5, (6, 2)), rng.normal(0, 1, (6, 2))
    sign = np.ones(NEIGHBOURS)
    sign[list(MIRRORED_COLUMNS)] = -1.0
    flip = np.array([1.0, -1.0])
    np.testing.assert_allclose(_read(place * flip, velocity * flip), sign * _read(place, velocity), atol=1e-9)
    np.testing.assert_array_equal(MIRRORED[FEATURES:], sign)


def test_a_meeting_is_seen_and_who_is_far_or_not_there_is_not() -> None:
    place = np.array([[0.0, 0.0], [4.0, 0.5], [1.0, 3.0], [0.0, 30.0]])
    velocity = np.array([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0], [0.0, -9.0]])
    seen = _read(place, velocity)
    assert seen[[ALONG, ACROSS, MEET_S, MISS]].round(6).tolist() == [4.0, 0.5, 2.0, 0.5]  # head on, half a metre to the left
    assert seen[GAP] == 4.0
    assert seen[NEAR] == 0
    alone = _read(place, velocity, who=np.array([True, False, False, True]))
    assert alone[[ALONG, AWAY, MEET_S, MISS]].tolist() == [NOBODY_M] * 4


def test_a_run_reads_what_the_fit_read() -> None:
    t = np.arange(0, 6.05, 0.1)
    ways = [
        np.stack([1.2 * t, 0.1 * np.sin(2 * t)], axis=1),
        np.stack([8.0 - 1.1 * t, 0.4 + 0.02 * t**2], axis=1),
        np.stack([3.0 + 0.2 * np.cos(1.1 * t), 4.0 - 0.7 * t], axis=1),
    ]
    cut = windows([Track(t, way, k, 0) for k, way in enumerate(ways)], every_s=0.4, rng=np.random.default_rng(1))
    apart = windows([Track(t, way, k, k) for k, way in enumerate(ways)], every_s=0.4, rng=np.random.default_rng(1))
    assert cut.features.shape[1] == INPUTS
    assert (apart.features[:, FEATURES + MISS] == NOBODY_M).all()  # of other runs
    expected = straight_m(cut.frame) + np.array(UNIT_M)[:, None] * of(fitted_numbers().point, cut.features).reshape(-1, 6, 2)
    one = Forecaster(3, ForecastConfig(learn_places=False), None, np.random.default_rng(1))
    said = []
    for k in range(len(t)):
        one.observe(k * 100_000, np.stack([way[k] for way in ways]), np.ones(3, np.bool_))
        if k >= 4 and k % 4 == 0 and t[k] + 2.0 <= t[-1] + 1e-9:
            said.append(
                one.predict(np.round(np.array(KNOTS_S) * 1e6).astype(np.int64)).position_m - one.predict(np.array([0])).position_m
            )
    runs = np.stack(said).swapaxes(0, 1).reshape(-1, 6, 2)
    e = cut.frame[:, None, :2]
    first = straight_m(cut.frame)[:, :1] - cut.frame[:, None, 2:3] * np.array([[[KNOTS_S[0], 0.0]]])
    along = (runs * e).sum(-1)
    across = runs[..., 1] * e[..., 0] - runs[..., 0] * e[..., 1]
    np.testing.assert_allclose(np.stack([along, across], axis=-1), expected - first, atol=1e-9)
