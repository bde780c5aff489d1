"""Tests of "worse than before by more than a factor", of few seeds each: three of them, vectorised over repetitions.

All compare logarithms above a floor. Figures of reliability are positive and skewed, and a change multiplies them; below the
floor two values are taken as equal, so that a run without failures is a number like any other. The old values are multiplied by
the factor that is tolerated before they are compared, so that the hypothesis under test is "worse by no more than this factor".

`gate_power` measures how often each raises an alarm where nothing has changed, and where something has.

References
----------
B. L. Welch, Biometrika 34 (1947) 28-35. H. B. Mann, D. R. Whitney, Ann. Math. Statist. 18 (1947) 50-60.
B. Phipson, G. K. Smyth, Stat. Appl. Genet. Mol. Biol. 9 (2010) 39: a p value of random permutations is never zero.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, rankdata
from scipy.stats import t as student_t

Floats = npt.NDArray[np.float64]
Better = Literal["lower", "higher"]
Statistic = Literal["mann_whitney", "welch", "permutation"]

PERMUTATIONS = 19_999
"""Random assignments of the permutation test; the smallest p value is 1 / (PERMUTATIONS + 1)."""
WIDEST_FACTOR = 1e4
"""Factors beyond this are told as "more than" it."""
_BISECTIONS = 30


def p_worse(statistic: Statistic, before: Floats, now: Floats, factor: float, floor: float, better: Better) -> Floats:
    """Return the one-sided p values of "now is worse than ``factor`` times before".

    Parameters
    ----------
    statistic : name of the test.
    before, now : (..., m) and (..., n) values of the seeds, not negative.
    factor : factor that is tolerated; above 1 tolerates getting worse, whichever way is better.
    floor : values below it are taken as equal to it, above 0.
    better : which way is better.

    Returns
    -------
    (...) p values.
    """
    old, new = _worse_is_larger(before, now, factor, floor, better)
    return _TESTS[statistic](old, new)


def factor_interval(
    statistic: Statistic, before: Floats, now: Floats, floor: float, better: Better, confidence: float = 0.95
) -> tuple[float, float]:
    """Return the factors of getting worse that the test does not reject, from and to: the interval that belongs to `p_worse`.

    Parameters
    ----------
    statistic, before, now, floor, better : as of `p_worse`, of one figure: (m,) and (n,).
    confidence : of the two-sided interval.
    """
    tail, test = 0.5 * (1.0 - confidence), _TESTS[statistic]

    def edge(sign: float) -> float:
        low, high = -np.log(WIDEST_FACTOR), np.log(WIDEST_FACTOR)
        for _ in range(_BISECTIONS):
            middle = 0.5 * (low + high)
            old, new = _worse_is_larger(before, now, float(np.exp(middle)), floor, better)
            rejected = bool(test(sign * old, sign * new) <= tail)
            # a factor that is too small is rejected by "worse than it", one that is too large by "better than it"
            if rejected == (sign > 0):
                low = middle
            else:
                high = middle
        return float(np.exp(0.5 * (low + high)))

    return edge(1.0), edge(-1.0)


def smallest_p(statistic: Statistic, n_before: int, n_now: int) -> float:
    """Return the p value of seeds that lie wholly apart: no result of so few seeds can be surer than this."""
    old = np.linspace(0.0, 0.1, n_before)
    return float(_TESTS[statistic](old, np.linspace(10.0, 10.1, n_now)))


def holm(p: Floats, rate: float) -> npt.NDArray[np.bool_]:
    """Return which of K hypotheses Holm's step-down procedure rejects at a family-wise rate.

    Parameters
    ----------
    p : (..., K) p values.
    rate : largest probability of any false rejection among the K.
    """
    k = p.shape[-1]
    order = np.argsort(p, axis=-1, kind="stable")
    passed = np.take_along_axis(p, order, axis=-1) <= rate / np.arange(k, 0, -1)
    out: npt.NDArray[np.bool_] = np.zeros(p.shape, dtype=bool)
    np.put_along_axis(out, order, np.logical_and.accumulate(passed, axis=-1), axis=-1)
    return out


def holm_adjusted(p: Floats) -> Floats:
    """Return the p values (K,) after Holm's correction: what is at most a rate is rejected at that rate."""
    order = np.argsort(p, kind="stable")
    out: Floats = np.empty(len(p))
    out[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return out


def _worse_is_larger(before: Floats, now: Floats, factor: float, floor: float, better: Better) -> tuple[Floats, Floats]:
    if better == "lower":
        return np.log(np.maximum(before * factor, floor)), np.log(np.maximum(now, floor))
    return -np.log(np.maximum(before / factor, floor)), -np.log(np.maximum(now, floor))


def _welch(old: Floats, new: Floats) -> Floats:
    """Welch's t test, one-sided; where neither sample varies, certain or not at all."""
    a, b = new.var(axis=-1, ddof=1) / new.shape[-1], old.var(axis=-1, ddof=1) / old.shape[-1]
    gap, variance = new.mean(axis=-1) - old.mean(axis=-1), a + b
    safe = np.maximum(variance, 1e-30)
    freedom = safe**2 / np.maximum(a**2 / (new.shape[-1] - 1) + b**2 / (old.shape[-1] - 1), 1e-60)
    p = student_t.sf(gap / np.sqrt(safe), np.maximum(freedom, 1.0))
    return np.where(variance > 1e-20, p, np.where(gap > 1e-9, 0.0, 1.0))


def _mann_whitney(old: Floats, new: Floats) -> Floats:
    """Mann and Whitney's rank sum, one-sided: normal approximation with corrections for ties and continuity."""
    m, n = old.shape[-1], new.shape[-1]
    total = m + n
    ranks = rankdata(np.concatenate((old, new), axis=-1), axis=-1)
    u = ranks[..., m:].sum(axis=-1) - 0.5 * n * (n + 1)
    # the variance of midranks is what ties leave of (total^2 - 1) / 12
    variance = m * n / (total * (total - 1.0)) * ((ranks - 0.5 * (total + 1)) ** 2).sum(axis=-1)
    z = (u - 0.5 * m * n - 0.5) / np.sqrt(np.maximum(variance, 1e-30))
    return np.where(variance > 1e-9, norm.sf(z), 1.0)


def _permutation(old: Floats, new: Floats) -> Floats:
    """Permutation test of the difference of means, one-sided, with the same random assignments every time."""
    m, n = old.shape[-1], new.shape[-1]
    values = np.concatenate((old, new), axis=-1)
    sums = values @ _assignments(m, n).T
    seen = new.sum(axis=-1)
    # sums of the same numbers in another order may differ in the last bits: such a tie counts as reached
    slack = 1e-9 * (1.0 + np.abs(values).sum(axis=-1))
    reached = (sums >= (seen - slack)[..., None]).sum(axis=-1)
    p: Floats = (1.0 + reached) / (PERMUTATIONS + 1.0)
    return p


@cache
def _assignments(m: int, n: int) -> Floats:
    """Which of the m + n values are called new, (PERMUTATIONS, m + n) of 0 and 1."""
    keys = np.random.default_rng(22_104).random((PERMUTATIONS, m + n))
    rows: Floats = (keys.argsort(axis=1) < n).astype(np.float64)
    return rows


_TESTS: dict[Statistic, Callable[[Floats, Floats], Floats]] = {
    "mann_whitney": _mann_whitney,
    "welch": _welch,
    "permutation": _permutation,
}
