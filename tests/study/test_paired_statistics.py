"""Differences and factors over pairs: intervals hold what they promise, and nothing is told of too little."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from factory.study.coverage import KINDS, measure
from factory.study.paired import (
    FEWEST_FOR_RATIO,
    fewest_pairs,
    holm,
    mean_difference,
    median_interval,
    pooled_ratio,
    ranking,
    sign_flip_p,
    subsets,
    variance_saved,
)

POSITIVE = arrays(np.float64, st.integers(6, 10), elements=st.floats(0.125, 128))


@pytest.mark.parametrize(
    ("kind", "pairs", "factor"),
    [
        ("normal", 8, 0.5), ("normal", 32, 1.0), ("lognormal", 8, 0.5), ("lognormal", 16, 0.1), ("lognormal", 32, 1.0),
        ("unequal", 16, 0.5), ("zeros 30 %", 8, 0.5), ("zeros 30 %", 32, 0.1), ("counts", 16, 0.5),
    ],
)  # fmt: skip
def test_intervals_hold_the_truth_in_93_to_97_percent(kind: str, pairs: int, factor: float) -> None:
    studies = 600
    row = measure(kind, pairs, factor, studies, np.random.default_rng([11, pairs, list(KINDS).index(kind)]))
    covered = row.difference if kind == "normal" else row.ratio
    noise = 2.6 * math.sqrt(0.05 * 0.95 / studies)  # of the share itself, over so few studies
    assert 0.93 - noise < covered < 0.97 + noise


def test_where_most_seeds_have_none_of_it_the_interval_says_so_and_errs_on_the_safe_side() -> None:
    row = measure("zeros 60 %", 8, 0.5, 400, np.random.default_rng(5))
    assert row.bounded < 0.2
    assert row.ratio > 0.96


def test_student_s_t_would_not_hold_for_skewed_figures() -> None:
    row = measure("lognormal", 8, 0.1, 400, np.random.default_rng(6))
    assert row.difference < 0.88 < 0.91 < row.ratio


def test_no_difference_is_called_one_in_five_percent() -> None:
    rows = [measure(kind, 16, 1.0, 400, np.random.default_rng(7)) for kind in ("normal", "lognormal", "counts")]
    assert all(row.alarms < 0.05 + 2.6 * math.sqrt(0.05 * 0.95 / 400) for row in rows)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(POSITIVE, st.integers(0, 2**32 - 1))
def test_the_ends_are_where_the_sign_flip_test_begins_to_reject(a: np.ndarray, seed: int) -> None:
    b = a * np.exp(np.random.default_rng(seed).normal(size=len(a)))
    ratio = pooled_ratio(a, b)
    assert ratio.low <= ratio.value <= ratio.high
    assert sign_flip_p(0.999 * ratio.low * a, b) <= 0.05 < sign_flip_p(1.001 * ratio.low * a, b) or ratio.low == 0
    assert sign_flip_p(1.001 * ratio.high * a, b) <= 0.05 < sign_flip_p(0.999 * ratio.high * a, b)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(POSITIVE, st.floats(0.1, 10))
def test_the_unit_does_not_matter(a: np.ndarray, unit: float) -> None:
    b = np.roll(a, 1) * 0.7
    one, two = pooled_ratio(a, b), pooled_ratio(unit * a, unit * b)
    assert (one.value, one.low, one.high) == pytest.approx((two.value, two.low, two.high))
    assert variance_saved(a, b) == pytest.approx(variance_saved(unit * a, unit * b), abs=1e-9, nan_ok=True)


def test_sign_flips_of_all_patterns_are_counted() -> None:
    rng = np.random.default_rng(8)
    a, b = rng.random(7), 0.2 + rng.random(7)
    d = b - a
    sums = np.array([np.dot(signs, d) for signs in itertools.product((-1, 1), repeat=7)])
    share = min(np.mean(sums <= d.sum() + 1e-12), np.mean(sums >= d.sum() - 1e-12))
    assert sign_flip_p(a, b) == pytest.approx(min(1.0, 2 * share))


def test_t_is_that_of_scipy() -> None:
    from scipy import stats

    rng = np.random.default_rng(9)
    a, b = rng.normal(size=12), 0.4 + rng.normal(size=12)
    own, other = mean_difference(a, b), stats.ttest_rel(b, a)
    ends = other.confidence_interval(0.95)
    assert (own.p, own.low, own.high) == pytest.approx((other.pvalue, ends.low, ends.high))


def test_too_few_pairs_are_said_to_be_too_few() -> None:
    few = pooled_ratio([1.0] * 5, [0.5, 0.4, 0.5, 0.6, 0.5])
    assert few.value == pytest.approx(0.5)
    assert not few.told
    assert few.reason == "too few seeds: 5, at least 6 are needed"
    assert "at least 3" in mean_difference([1, 2], [2, 4]).reason
    assert mean_difference([], []).reason == "no common seed"


def test_what_never_happens_has_a_bound_by_the_number_of_seeds() -> None:
    gone = pooled_ratio([1.0] * 8, [0.0] * 8)
    assert (gone.value, gone.low) == (0.0, 0.0)
    assert gone.high == pytest.approx(1 - 0.025 ** (1 / 8))
    assert gone.p == pytest.approx(2 / 256)
    new = pooled_ratio([0.0] * 8, [1.0] * 8)
    assert math.isinf(new.value)
    assert not new.told
    assert pooled_ratio([0.0] * 8, [0.0] * 8).p == 1.0


def test_a_base_with_few_seeds_that_have_any_bounds_nothing_above() -> None:
    rare = pooled_ratio([0, 0, 0, 0, 0, 1, 0, 2], [0, 0, 0, 1, 0, 0, 0, 0])
    assert math.isinf(rare.high)
    assert "too few seeds have any" in rare.reason


def test_equal_values_are_equal_and_constant_differences_claim_no_more_than_their_signs() -> None:
    a = np.arange(1.0, 9.0)
    assert (mean_difference(a, a).p, pooled_ratio(a, a).p) == (1.0, 1.0)
    assert mean_difference(a, a + 1).p == pytest.approx(2 / 256)


def test_wrong_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="one value per common seed"):
        mean_difference([1, 2], [1])
    with pytest.raises(ValueError, match="no finite number"):
        pooled_ratio([1, math.nan], [1, 2])
    with pytest.raises(ValueError, match="not negative"):
        pooled_ratio([1.0] * 6, [-1.0] * 6)


def test_holm_is_holm() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    adjusted = holm([0.01, math.nan, 0.02])
    assert adjusted[0] == pytest.approx(0.02)
    assert math.isnan(adjusted[1])


@pytest.mark.parametrize("comparisons", [1, 4, 12, 36])
def test_the_fewest_pairs_are_those_at_which_sign_flips_pass_the_correction(comparisons: int) -> None:
    n = fewest_pairs(comparisons)
    assert 2 / 2**n * comparisons <= 0.05
    assert n == FEWEST_FOR_RATIO or 2 / 2 ** (n - 1) * comparisons > 0.05


def test_the_median_s_interval_is_that_of_order_statistics() -> None:
    from scipy import stats

    for n in (6, 8, 10, 16, 31):
        middle, low, high = median_interval(np.arange(n))
        k = int(low)
        assert stats.binom.cdf(k, n, 0.5) <= 0.025 < stats.binom.cdf(k + 1, n, 0.5)
        assert (middle, high) == (np.median(np.arange(n)), n - 1 - k)
    assert math.isnan(median_interval([1, 2, 3, 4, 5])[1])


def test_variants_that_cannot_be_told_apart_share_a_letter() -> None:
    rng = np.random.default_rng(10)
    base = np.exp(rng.normal(size=16))
    values = {"base": base, "same": base * np.exp(0.3 * rng.normal(size=16)), "tenth": 0.1 * base}
    ranked = {r.name: r for r in ranking(values, lower_is_better=True, risk=True, base="base")}
    assert next(iter(ranked)) == "tenth"
    assert set(ranked["base"].groups) & set(ranked["same"].groups)
    assert not set(ranked["base"].groups) & set(ranked["tenth"].groups)
    few = {name: v[:4] for name, v in values.items()}
    assert {r.groups for r in ranking(few, True, True, "base")} == {"a"}


def test_random_subsets_beyond_twelve_pairs_are_the_same_every_time() -> None:
    assert np.array_equal(subsets(20), subsets(20))
    assert subsets(5).shape == (31, 5)


def test_common_parts_are_saved_and_independent_ones_are_not() -> None:
    rng = np.random.default_rng(12)
    common, own = rng.normal(size=400), rng.normal(size=(2, 400))
    assert variance_saved(common, common + 0.1 * own[0]) > 0.98
    assert abs(variance_saved(own[0], own[1])) < 0.15
