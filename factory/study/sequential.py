"""Stops a study once the answer is certain: a group-sequential t test on paired differences, looked at after every seed.

Looking again and again at the same test would find a difference in far more than one of twenty studies without one. So the error
is spent bit by bit: after n of N pairs no more than ``alpha * (n / N) ** 2`` (Lan and DeMets, "Discrete sequential boundaries for
clinical trials", Biometrika 70, 1983, with the power family of Kim and DeMets, Biometrika 74, 1987). The boundaries are those of
the t statistic itself, found by simulation of normal differences, as few pairs need (Shao and Feng, "Group sequential t-test for
clinical trials with small sample sizes across stages", Contemp. Clin. Trials 28, 2007): the t statistics of a study do not depend
on scale, so one simulation serves all. ``mean +- boundary * standard error`` is a repeated confidence interval (Jennison and
Turnbull, J. R. Stat. Soc. B 51, 1989): all of them together hold the truth with 1 - alpha, whenever and for whatever reason the
study stops.

With K variants against the base each takes alpha / K (Bonferroni), so that the error is that of the whole study.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

ALPHA = 0.04
"""Error of a whole study, with room below the 5 % that is stated: a false alarm, or an interval that leaves the truth out."""
MIN_PAIRS = 5
RISK_FLOOR = 1e-9
"""Risks below this count as this much on the scale of decades: nobody runs a plant by what lies below."""
_PATHS = 200_000
_SPEND_POWER = 2.0
_SEED = 20_071_989

Scale = Literal["difference", "decades"]
Verdict = Literal["open", "differs", "alike"]


@lru_cache(maxsize=64)
def boundaries(most_pairs: int, alpha: float = ALPHA, min_pairs: int = MIN_PAIRS) -> tuple[float, ...]:
    """Boundaries of the absolute t statistic after 1, 2 ... ``most_pairs`` pairs; infinite before ``min_pairs``.

    Parameters
    ----------
    most_pairs : pairs of a study that is not stopped.
    alpha : probability that any look at no difference finds one, two-sided.
    min_pairs : pairs before the first look.
    """
    if not 2 <= min_pairs <= most_pairs:
        raise ValueError(f"{most_pairs} pairs at most and {min_pairs} at least: a sequential test needs 2 <= least <= most")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha {alpha:g} is no probability between 0 and 1")
    rng = np.random.default_rng(_SEED)
    total, squares = np.zeros(_PATHS), np.zeros(_PATHS)
    going = np.ones(_PATHS, np.bool_)
    found: list[float] = []
    for n in range(1, most_pairs + 1):
        drawn = rng.standard_normal(_PATHS)
        total += drawn
        squares += drawn * drawn
        if n < min_pairs:
            found.append(np.inf)
            continue
        t = np.abs(total) / np.sqrt(n * np.maximum(squares - total * total / n, 1e-300) / (n - 1))
        spent = int(np.floor(alpha * (n / most_pairs) ** _SPEND_POWER * _PATHS))
        stops = spent - int(_PATHS - going.sum())
        if stops <= 0:
            found.append(np.inf)
            continue
        alive = t[going]
        bound = float(np.partition(alive, len(alive) - stops)[len(alive) - stops])
        found.append(bound)
        going &= t < bound
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Look:
    """What is known of one variant against the base after some pairs.

    Attributes
    ----------
    variant : its name. pairs : pairs looked at.
    mean, low, high : mean difference (variant less base) and its repeated confidence interval, on the scale of the test; infinite
        before the first look.
    verdict : "differs" (the interval leaves zero out), "alike" (it lies within the margin), or "open".
    """

    variant: str
    pairs: int
    mean: float
    low: float
    high: float
    verdict: Verdict


class SequentialTest:
    """Looks at the paired differences of a study after every complete seed.

    Parameters
    ----------
    variants : names of the variants that are compared with the base.
    most_pairs : seeds of the study.
    margin : differences below this, on the scale of the test, make no difference to the plant; None: only a difference stops.
    scale : "difference" takes values as they are, "decades" their decimal logarithm (for unavailability and other risks).
    alpha : error of the whole study.
    min_pairs : pairs before the first look.
    """

    def __init__(
        self,
        variants: Sequence[str],
        most_pairs: int,
        *,
        margin: float | None = None,
        scale: Scale = "difference",
        alpha: float = ALPHA,
        min_pairs: int = MIN_PAIRS,
    ) -> None:
        if not variants:
            raise ValueError("a sequential test compares at least one variant with the base")
        if margin is not None and not margin > 0:
            raise ValueError(f"margin {margin:g}: give a difference above 0 that would still not matter")
        self.variants, self.scale, self.margin = tuple(variants), scale, margin
        self._bound = boundaries(most_pairs, alpha / len(variants), min_pairs)
        self._difference: dict[str, list[float]] = {v: [] for v in variants}

    def add(self, base: float, values: Mapping[str, float]) -> list[Look]:
        """Add the values of one seed, of the base and of every variant, and look.

        Raises
        ------
        ValueError
            Where there are more seeds than the study has, or a value is missing or no number.
        """
        for variant in self.variants:
            difference = self._on_scale(values[variant]) - self._on_scale(base)
            if not np.isfinite(difference):
                raise ValueError(f"{values[variant]} against {base}: a sequential test needs finite values")
            self._difference[variant].append(difference)
        return self.looks()

    def looks(self) -> list[Look]:
        """Return what is known of every variant."""
        return [self._look(v) for v in self.variants]

    @property
    def certain(self) -> bool:
        """Whether every variant has its verdict, so that the study can stop."""
        return all(look.verdict != "open" for look in self.looks())

    def _on_scale(self, value: float) -> float:
        return float(np.log10(max(value, RISK_FLOOR))) if self.scale == "decades" else float(value)

    def _look(self, variant: str) -> Look:
        differences = np.array(self._difference[variant])
        n = len(differences)
        if n > len(self._bound):
            raise ValueError(f"{n} pairs are more than the {len(self._bound)} that the boundaries are made for")
        if n < 2 or not np.isfinite(self._bound[n - 1]):
            return Look(variant, n, float(differences.mean()) if n else 0.0, -np.inf, np.inf, "open")
        mean, half = float(differences.mean()), float(self._bound[n - 1] * differences.std(ddof=1) / np.sqrt(n))
        low, high = mean - half, mean + half
        # Pairs equal to the last bit (nothing happened in either) say little of what is rare: a verdict needs enough others.
        verdict: Verdict = "open"
        if np.count_nonzero(differences) >= MIN_PAIRS:
            if low > 0 or high < 0:
                verdict = "differs"
            elif self.margin is not None and -self.margin < low and high < self.margin:
                verdict = "alike"
        return Look(variant, n, mean, low, high, verdict)
