"""The tests of "worse than before": their p values, their false alarms and their power."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, ttest_ind

from factory.errors import UserError
from factory.study.gate import refuse_few_seeds
from factory.study.gate_power import STATISTICS as NAMES
from factory.study.gate_power import STUB, alarms, draw, exact_interval
from factory.study.gate_statistics import Statistic, factor_interval, holm, holm_adjusted, p_worse, smallest_p

RNG = np.random.default_rng(5)
BEFORE, NOW = np.exp(RNG.standard_normal(24)), 3.0 * np.exp(RNG.standard_normal(20))


def test_mann_whitney_and_welch_are_scipys() -> None:
    ours = p_worse("mann_whitney", BEFORE, NOW, 1.25, 1e-9, "lower")
    assert ours == pytest.approx(mannwhitneyu(NOW, 1.25 * BEFORE, alternative="greater", method="asymptotic").pvalue, rel=1e-9)
    ours = p_worse("welch", BEFORE, NOW, 1.25, 1e-9, "lower")
    theirs = ttest_ind(np.log(NOW), np.log(1.25 * BEFORE), equal_var=False, alternative="greater").pvalue
    assert ours == pytest.approx(theirs, rel=1e-9)


def test_mann_whitney_corrects_for_ties_as_scipy_does() -> None:
    before, now = np.array([0.0, 0, 0, 1, 1, 2, 0, 3]), np.array([1.0, 2, 2, 3, 0, 4, 5, 1])
    ours = p_worse("mann_whitney", before, now, 1.0, 0.5, "lower")
    assert ours == pytest.approx(mannwhitneyu(now, before, alternative="greater", method="asymptotic").pvalue, rel=1e-9)


def test_the_permutation_test_counts_assignments() -> None:
    """Of the 70 ways to call 4 of 8 values new, one is as extreme as wholly apart."""
    before, now = np.array([1.0, 2, 3, 4]), np.array([50.0, 60, 70, 80])
    assert p_worse("permutation", before, now, 1.0, 1e-9, "lower") == pytest.approx(1 / 70, abs=0.003)


def test_holm_rejects_step_by_step() -> None:
    """The example of Holm (Scand. J. Statist. 6, 1979) in its usual numbers: 0.01, 0.04, 0.03, 0.005 at 5 %."""
    p = np.array([0.01, 0.04, 0.03, 0.005])
    assert holm(p, 0.05).tolist() == [True, False, False, True]
    assert holm_adjusted(p) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.stack((p, p[::-1])), 0.05).tolist() == [[True, False, False, True], [True, False, False, True]]


@pytest.mark.parametrize("statistic", NAMES)
def test_the_interval_holds_the_factor(statistic: Statistic) -> None:
    low, high = factor_interval(statistic, BEFORE, NOW, 1e-9, "lower")
    assert 1.2 < low < 3.0 < high < 8.0
    # its lower end is where the one-sided test stops rejecting
    assert p_worse(statistic, BEFORE, NOW, low * 0.98, 1e-9, "lower") < 0.026
    assert p_worse(statistic, BEFORE, NOW, low * 1.02, 1e-9, "lower") > 0.024
    worse_low, worse_high = factor_interval(statistic, NOW, BEFORE, 1e-9, "higher")
    assert (worse_low, worse_high) == pytest.approx((low, high), rel=0.1)


@settings(deadline=None, derandomize=True, max_examples=30)
@given(
    st.lists(st.floats(0, 1e3), min_size=4, max_size=12),
    st.lists(st.floats(0, 1e3), min_size=4, max_size=12),
    st.floats(1.0, 10.0),
    st.sampled_from(["mann_whitney", "welch"]),
)
def test_what_is_tolerated_more_alarms_less(before: list[float], now: list[float], factor: float, statistic: Statistic) -> None:
    old, new = np.array(before), np.array(now)
    strict = p_worse(statistic, old, new, 1.0, 1e-3, "lower")
    lenient = p_worse(statistic, old, new, factor, 1e-3, "lower")
    assert 0.0 <= strict <= 1.0
    if statistic == "mann_whitney":
        # with the same ties; where the factor parts values that were equal the variance may move p a little
        assert lenient >= strict - 0.05


@pytest.mark.parametrize("statistic", NAMES)
def test_runs_without_a_failure_are_equal(statistic: Statistic) -> None:
    zeros = np.zeros(12)
    assert p_worse(statistic, zeros, zeros, 1.25, 1e-9, "lower") > 0.3
    assert p_worse(statistic, np.full(12, 1e-80), np.full(12, 1e-40), 1.25, 1e-9, "lower") > 0.3
    assert p_worse(statistic, zeros, np.full(12, 1e-3), 1.25, 1e-9, "lower") < 1e-3


@pytest.mark.parametrize("statistic", ["mann_whitney", "welch"])
def test_false_alarms_and_power_on_the_stub(statistic: Statistic) -> None:
    """300 checks of 16 seeds, 9 figures; docs/regression.md has 1,000."""
    rng, same = np.random.default_rng(11), [1.0] * len(STUB)
    quiet = alarms(statistic, draw(rng, 300, 16, same), draw(rng, 300, 16, same)).any(axis=1)
    assert exact_interval(int(quiet.sum()), 300)[0] <= 0.01
    assert quiet.mean() <= 0.02
    for factor, wanted in ((2.0, 0.9), (10.0, 0.99)):
        changed = draw(rng, 300, 16, [factor] * len(STUB))
        assert alarms(statistic, draw(rng, 300, 16, same), changed).any(axis=1).mean() >= wanted


def test_too_few_seeds_are_refused_with_the_number_that_is_enough() -> None:
    assert smallest_p("mann_whitney", 3, 3) > 0.01
    with pytest.raises(UserError, match=r"can never raise an alarm.*at least \d+ of each") as error:
        refuse_few_seeds(24, 2, 9, 0.01)
    enough = int(str(error.value).split("--seeds ")[1].split(")")[0])
    refuse_few_seeds(24, enough, 9, 0.01)
    with pytest.raises(UserError):
        refuse_few_seeds(24, enough - 1, 9, 0.01)
    with pytest.raises(UserError):
        refuse_few_seeds(24, 1, 9, 0.01)
