"""Statistics of pairs: two variants on the same seeds, their difference or their factor, and how sure it is.

The units are seeds (whole shifts), never messages. Two kinds of figures, two methods, chosen by their measured coverage
(``factory.study.coverage``, table in docs/comparing.md):

- Figures that are far from zero and about symmetric (orders, OEE, energy): mean of the paired differences with Student's t.
- Risks (unavailability, stops, minutes lost: skewed, with zeros): the ratio of the means, R = mean(b) / mean(a). Its interval
  comes from the ratios of all subsets of the seeds: if R times the one and the other variant of a seed are exchangeable, the true
  R is equally likely to lie between any two neighbours of the sorted ratios sum(b over subset) / sum(a over subset) (Hartigan,
  "Using subsample values as typical values", J. Am. Stat. Assoc. 64, 1969). It is the inverted sign-flip test of b - R a, so the
  p value of "no difference" is that of the sign-flip test. No shape of the distribution is assumed.

Neither is told where there are too few seeds for it: fewer than `FEWEST_FOR_RATIO`, or so many zeros that a bound does not exist.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]

CONFIDENCE = 0.95
FEWEST_FOR_MEAN = 3
"""Pairs below which no interval of a mean difference is told."""
FEWEST_FOR_RATIO = 6
"""Pairs below which 95 % do not fit between the extreme subset ratios: 2 / 2^5 is more than 5 %, 2 / 2^6 less."""
_ENUMERATED = 12
_DRAWN = 8191


@dataclass(frozen=True, slots=True)
class Estimate:
    """A difference or a ratio with its 95 % interval.

    Attributes
    ----------
    value : the estimate; NaN where it is not defined.
    low, high : ends of the interval; NaN where it is not told, infinite where it has no end.
    p : two-sided p value of "no difference"; NaN where there is none.
    pairs : number of pairs.
    reason : why something is not told, "" where all is.
    """

    value: float
    low: float
    high: float
    p: float
    pairs: int
    reason: str = ""

    @property
    def told(self) -> bool:
        """Whether both ends of the interval are known."""
        return math.isfinite(self.low) and math.isfinite(self.high)


def _pairs(a: npt.ArrayLike, b: npt.ArrayLike) -> tuple[Floats, Floats]:
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"pairs of shapes {first.shape} and {second.shape}; give one value per common seed of both")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("a value is no finite number; leave out seeds in which a variant has none")
    return first, second


def mean_difference(a: npt.ArrayLike, b: npt.ArrayLike, confidence: float = CONFIDENCE) -> Estimate:
    """Mean of b - a over pairs, with Student's t.

    Parameters
    ----------
    a, b : (n,) values of the two variants on the same seeds.
    confidence : of the interval.
    """
    first, second = _pairs(a, b)
    d, n = second - first, len(first)
    if n == 0:
        return Estimate(math.nan, math.nan, math.nan, math.nan, 0, "no common seed")
    d[np.abs(d) <= 1e-12 * np.maximum(np.abs(first), np.abs(second))] = 0.0  # the order in which numbers were added up
    value = float(d.mean())
    if not d.any():
        return Estimate(0.0, 0.0, 0.0, 1.0, n)
    if n < FEWEST_FOR_MEAN:
        return Estimate(value, math.nan, math.nan, math.nan, n, too_few(n, FEWEST_FOR_MEAN))
    error = float(d.std(ddof=1)) / math.sqrt(n)
    if error <= 1e-12 * abs(value):  # the same difference in every seed: a t of infinity would say more than n signs can
        return Estimate(value, value, value, min(1.0, 2.0 ** (1 - n)), n)
    reach = float(stats.t.ppf(0.5 + confidence / 2, n - 1)) * error
    return Estimate(value, value - reach, value + reach, float(2 * stats.t.sf(abs(value) / error, n - 1)), n)


def subsets(n: int, rng: np.random.Generator | None = None) -> Floats:
    """Return subsets of n pairs as rows of zeros and ones (k, n).

    All but the empty one up to 12 pairs, random ones beyond (every pair is in with probability 1/2).

    Parameters
    ----------
    n : number of pairs.
    rng : draws the random ones; a generator of a fixed seed when absent, so that a comparison is repeatable.
    """
    if n <= _ENUMERATED:
        return ((np.arange(1, 2**n)[:, None] >> np.arange(n)) & 1).astype(np.float64)
    generator = rng if rng is not None else np.random.default_rng([1969, n])
    return (generator.random((_DRAWN, n)) < 0.5).astype(np.float64)


def sign_flip_p(a: npt.ArrayLike, b: npt.ArrayLike, which: Floats | None = None) -> float:
    """Two-sided p value of the sign-flip test of b - a: exact where the two variants of a seed are exchangeable.

    Parameters
    ----------
    a, b : (n,) pairs.
    which : rows of `subsets`.
    """
    first, second = _pairs(a, b)
    if len(first) == 0:
        return math.nan
    rows = subsets(len(first)) if which is None else which
    total = rows @ (second - first)
    tie = 1e-12 * float(np.abs(second - first).sum())
    above, below = int((total >= -tie).sum()) + 1, int((total <= tie).sum()) + 1
    return min(1.0, 2 * min(above, below) / (len(rows) + 1))


def pooled_ratio(a: npt.ArrayLike, b: npt.ArrayLike, which: Floats | None = None, confidence: float = CONFIDENCE) -> Estimate:
    """Ratio mean(b) / mean(a) over pairs with the interval of the subset ratios.

    Parameters
    ----------
    a, b : (n,) values of the two variants on the same seeds, not negative.
    which : rows of `subsets`, where many measures of the same pairs are compared.
    confidence : of the interval.

    Notes
    -----
    Subsets in which ``a`` has nothing at all bound the ratio on neither side; they are counted on both. So the interval has no
    upper end where ``a`` is zero in most seeds, and `Estimate.reason` says that there are too few.
    """
    first, second = _pairs(a, b)
    n = len(first)
    if n and min(first.min(), second.min()) < 0:
        raise ValueError("a ratio of risks needs values that are not negative; use the mean difference")
    if n == 0:
        return Estimate(math.nan, math.nan, math.nan, math.nan, 0, "no common seed")
    rows = subsets(n) if which is None else which
    if np.array_equal(first, second):
        reason = "" if first.any() else "none in either"
        return Estimate(1.0 if first.any() else math.nan, 1.0, 1.0, 1.0, n, reason)
    if not first.any():
        return Estimate(math.inf, math.nan, math.nan, sign_flip_p(first, second, rows), n, "none in the one it is compared with")
    value = float(second.sum() / first.sum())
    if n < FEWEST_FOR_RATIO:
        return Estimate(value, math.nan, math.nan, math.nan, n, too_few(n, FEWEST_FOR_RATIO))
    if not second.any():  # seeds that may still have some, were it as much where it happens as in the other variant
        most = 1.0 - (0.5 * (1 - confidence)) ** (1 / n)
        bound = most * float(first[first > 0].mean() / first.mean())
        return Estimate(0.0, 0.0, bound, sign_flip_p(first, second, rows), n, "")
    over, under = rows @ second, rows @ first
    # sums are of one order of magnitude with their parts; what is smaller than rounding is none
    empty = under <= 1e-13 * float(first.sum())
    unknown = empty & (over <= 1e-13 * float(second.sum()))
    ratios = np.sort(over[~empty] / under[~empty])
    infinite = int((empty & ~unknown).sum())
    k = math.floor(0.5 * (1 - confidence) * (len(rows) + 1))
    low = _nth(ratios, k - int(unknown.sum()), infinite, 0.0)
    high = _nth(ratios[::-1], k - int(unknown.sum()) - infinite, 0, math.inf)
    reason = "" if math.isfinite(high) else "too few seeds have any of it to bound the factor"
    return Estimate(value, low, high, sign_flip_p(first, second, rows), n, reason)


def _nth(ordered: Floats, k: int, more: int, end: float) -> float:
    """Return the k-th (from 1) of the ordered values, the end of the scale before the first of them."""
    if k < 1:
        return end
    return float(ordered[k - 1]) if k <= len(ordered) else (math.inf if more else end)


def too_few(pairs: int, needed: int) -> str:
    """Say that there are too few seeds."""
    return f"too few seeds: {pairs}, at least {needed} are needed"


def holm(p: Sequence[float]) -> list[float]:
    """Adjust p values for their number (Holm, Scand. J. Statist. 6, 1979); those that are NaN stay so and are not counted."""
    known = sorted((value, k) for k, value in enumerate(p) if not math.isnan(value))
    out, largest = [math.nan] * len(p), 0.0
    for rank, (value, k) in enumerate(known):
        largest = max(largest, min(1.0, value * (len(known) - rank)))
        out[k] = largest
    return out


def fewest_pairs(comparisons: int, level: float = 1 - CONFIDENCE) -> int:
    """Pairs from which a risk can pass Holm's correction at all: the smallest p of n sign flips is 2 / 2^n."""
    return max(FEWEST_FOR_RATIO, math.ceil(1 + math.log2(max(comparisons, 1) / level)))


def variance_saved(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Share of the variance of b - a that common seeds save, 1 - var(b - a) / (var a + var b); NaN where nothing varies."""
    first, second = _pairs(a, b)
    apart = float(first.var(ddof=1) + second.var(ddof=1)) if len(first) > 1 else 0.0
    rounding = 1e-24 * float(np.square(first).sum() + np.square(second).sum())
    return 1.0 - float((second - first).var(ddof=1)) / apart if apart > rounding else math.nan


def median_interval(values: npt.ArrayLike, confidence: float = CONFIDENCE) -> tuple[float, float, float]:
    """Median over seeds and its interval from order statistics, which holds for any distribution.

    Returns
    -------
    median, low, high; the ends are NaN below 6 values, where the extremes hold less than 95 %.
    """
    held = np.sort(np.asarray(values, dtype=np.float64))
    n = len(held)
    if n == 0:
        return math.nan, math.nan, math.nan
    k = int(stats.binom.ppf(0.5 * (1 - confidence), n, 0.5))
    if k < 1 or stats.binom.cdf(k - 1, n, 0.5) > 0.5 * (1 - confidence):
        k = 0 if k < 1 else k - 1
    ends = (float(held[k - 1]), float(held[n - k])) if k >= 1 else (math.nan, math.nan)
    return float(np.median(held)), *ends


@dataclass(frozen=True, slots=True)
class Ranked:
    """A variant's place.

    Attributes
    ----------
    name : the variant.
    mean : its mean.
    groups : letters; variants that share one cannot be told apart.
    """

    name: str
    mean: float
    groups: str


def ranking(
    values: dict[str, Floats], lower_is_better: bool, risk: bool, base: str | None = None, level: float = 1 - CONFIDENCE
) -> list[Ranked]:
    """Rank variants by a measure, the best first, with groups that cannot be told apart.

    Parameters
    ----------
    values : (n,) of every variant, on the same seeds.
    lower_is_better : which way.
    risk : whether pairs are compared by sign flips (risks) or Student's t.
    base : variant that the others are compared with; its comparisons are a family of their own, so that the groups say of it what
        the table says.
    level : family-wise error rate of each family (Holm).
    """
    sign = 1 if lower_is_better else -1
    names = sorted(values, key=lambda name: (sign * values[name].mean(), list(values).index(name)))
    couples = list(combinations(range(len(names)), 2))
    few = len(next(iter(values.values()), ())) < (FEWEST_FOR_RATIO if risk else FEWEST_FOR_MEAN)
    apart: set[tuple[int, int]] = set()
    for with_base in (True, False):
        family = [(i, j) for i, j in couples if (base in (names[i], names[j])) is with_base]
        p = []
        for i, j in family:
            one, two = values[names[i]], values[names[j]]
            p.append(1.0 if few else sign_flip_p(one, two) if risk else mean_difference(one, two).p)
        apart |= {couple for couple, adjusted in zip(family, holm(p), strict=True) if adjusted <= level}
    runs: list[tuple[int, int]] = []
    for first in range(len(names)):
        last = first
        while last + 1 < len(names) and not any((k, last + 1) in apart for k in range(first, last + 1)):
            last += 1
        if not runs or last > runs[-1][1]:
            runs.append((first, last))
    letters = "abcdefghijklmnopqrstuvwxyz"
    return [
        Ranked(
            name,
            float(values[name].mean()),
            "".join(letters[r % 26] for r, (first, last) in enumerate(runs) if first <= k <= last),
        )
        for k, name in enumerate(names)
    ]
