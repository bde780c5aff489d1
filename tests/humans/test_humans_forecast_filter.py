"""The straight fits and the trees: the kernels beside plain references, and the body frame that turns with the person."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from humans.forecast_filter import (
    FEATURES,
    MEMORIES,
    MEMORY_S,
    SUMS,
    base_memory,
    fade,
    straight_fit_reference,
    straight_fits,
    take_in,
    track_features,
)
from humans.forecast_neighbours import NEIGHBOURS
from humans.forecast_numbers import MODES, fitted_numbers, load_numbers, save_numbers
from humans.forecast_trees import sum_leaves, sum_leaves_reference

_PROFILE = settings(deadline=None, max_examples=30, derandomize=True)


def _track(seed: int, n: int = 40, step_s: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    t = np.cumsum(rng.uniform(0.5, 1.5, n) * step_s)
    return t, np.cumsum(rng.normal(0.1, 0.05, (n, 2)), axis=0) + rng.normal(0, 0.02, (n, 2)) + 30.0


@_PROFILE
@given(seed=st.integers(0, 1000))
def test_recursive_fits_are_weighted_least_squares(seed: int) -> None:
    t, xy = _track(seed)
    sums, fits = np.zeros((MEMORIES, SUMS)), np.zeros((MEMORIES, 4))
    for k in range(len(t)):
        if k:
            fade(sums, t[k] - t[k - 1], *(xy[k] - xy[k - 1]))
        take_in(sums)
    straight_fits(sums, fits)
    for row, memory in zip(fits[1:], MEMORY_S[1:], strict=True):
        position, velocity = straight_fit_reference(t, xy, memory)
        np.testing.assert_allclose(row[2:], velocity, atol=1e-6)
        np.testing.assert_allclose(row[:2] + xy[-1], position, atol=1e-6)


@_PROFILE
@given(turn=st.floats(-3, 3), x=st.floats(-50, 50), seed=st.integers(0, 50))
def test_features_do_not_depend_on_where_and_which_way(turn: float, x: float, seed: int) -> None:
    t, xy = _track(seed)
    c, s = np.cos(turn), np.sin(turn)
    moved = xy @ np.array([[c, s], [-s, c]]) + np.array([x, -x])
    one, other = track_features(t, xy, 0.02)[0], track_features(t, moved, 0.02)[0]
    np.testing.assert_allclose(one, other, atol=1e-6)
    assert one.shape == (len(t), FEATURES)


def test_a_mirrored_way_mirrors_the_features_across() -> None:
    t, xy = _track(3)
    one, other = track_features(t, xy, 0.0)[0], track_features(t, xy * np.array([1.0, -1.0]), 0.0)[0]
    across = np.zeros(FEATURES, np.bool_)
    across[MEMORIES : 2 * MEMORIES] = across[3 * MEMORIES : 4 * MEMORIES] = True
    np.testing.assert_allclose(one[:, across], -other[:, across], atol=1e-9)
    np.testing.assert_allclose(one[:, ~across], other[:, ~across], atol=1e-9)


def test_more_noise_takes_a_longer_memory() -> None:
    assert [base_memory(noise) for noise in (0.0, 0.05, 0.1, 0.3)] == [2, 2, 3, 4]
    t = np.arange(0, 8, 0.2)
    way = np.stack([t, np.zeros_like(t)], axis=1)
    noisy = way + np.random.default_rng(1).normal(0, 0.15, way.shape)
    speeds = [np.hypot(*(track_features(t, noisy, sigma)[1][20:, :2] * 1.0 - [1.0, 0.0]).T).mean() for sigma in (0.0, 0.15)]
    assert speeds[1] < 0.6 * speeds[0]  # the direction is steadier when the noise is told


def test_trees_walk_as_the_reference_does() -> None:
    numbers = fitted_numbers()
    own = track_features(*_track(8, 60), 0.05)[0]
    features = np.concatenate([own, np.random.default_rng(1).normal(0, 3, (len(own), NEIGHBOURS))], axis=1)
    for trees in (numbers.point, numbers.noisy, numbers.scale, numbers.mode):
        out = np.empty(len(trees.start))
        for x in features[10::7]:
            sum_leaves(x, trees.feature, trees.threshold, trees.leaf, trees.start, out)
            np.testing.assert_allclose(out, sum_leaves_reference(x, trees), rtol=1e-9, atol=1e-12)


def test_shipped_numbers_make_sense(tmp_path) -> None:  # type: ignore[no-untyped-def]
    numbers = fitted_numbers()
    np.testing.assert_allclose(numbers.part_weight.sum(axis=1), 1.0, atol=1e-5)
    assert (np.diff(numbers.radius, axis=-1) > 0).all()
    assert (np.diff(numbers.drawn_radius, axis=-1) > 0).all()
    left, right = MODES.index("turn left"), MODES.index("turn right")
    np.testing.assert_allclose(numbers.mode_mean[left, 1::2], -numbers.mode_mean[right, 1::2], atol=1e-5)
    assert numbers.mode_mean[left, -1] > 0.0  # to the left is positive
    assert numbers.mode_mean[MODES.index("stop"), -2] < 0.0 < numbers.mode_mean[MODES.index("set off"), -2]
    save_numbers(tmp_path / "again.npz", numbers)
    again = load_numbers(tmp_path / "again.npz")
    np.testing.assert_array_equal(again.point.leaf, numbers.point.leaf)
    np.testing.assert_array_equal(again.part_root, numbers.part_root)
