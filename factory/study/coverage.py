"""How often the 95 % intervals of ``factory.study.paired`` hold the truth: synthetic studies with known differences and factors.

``python -m factory.study.coverage`` prints the table of docs/comparing.md (1,000 studies a row, about a minute of one core).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from factory.study.paired import mean_difference, pooled_ratio, subsets

Floats = npt.NDArray[np.float64]

PAIRS = (8, 16, 32)
FACTORS = (1.0, 0.5, 0.1)
_SHARED = 0.5  # correlation that common seeds bring, of the logarithms where there are any


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of synthetic figure.

    Attributes
    ----------
    words : what it is like.
    draw : (rng, shape, factor) to values of both variants, each of that shape.
    mean : mean of the first and of the second variant at a factor.
    """

    words: str
    draw: Callable[[np.random.Generator, tuple[int, int], float], tuple[Floats, Floats]]
    mean: Callable[[float], tuple[float, float]]


def _shared(rng: np.random.Generator, shape: tuple[int, int], variance: float = 1.0) -> tuple[Floats, Floats]:
    """Two normal arrays with a common part; the second has the given variance."""
    common = math.sqrt(_SHARED) * rng.normal(size=shape)
    first = common + math.sqrt(1 - _SHARED) * rng.normal(size=shape)
    return first, common + math.sqrt(variance - _SHARED) * rng.normal(size=shape)


def _normal(rng: np.random.Generator, shape: tuple[int, int], factor: float) -> tuple[Floats, Floats]:
    first, second = _shared(rng, shape)
    return 10.0 + first, 10.0 * factor + second


def _lognormal(variance: float) -> Callable[[np.random.Generator, tuple[int, int], float], tuple[Floats, Floats]]:
    def draw(rng: np.random.Generator, shape: tuple[int, int], factor: float) -> tuple[Floats, Floats]:
        first, second = _shared(rng, shape, variance)
        return np.exp(first), factor * np.exp(second)

    return draw


def _with_zeros(share: float) -> Callable[[np.random.Generator, tuple[int, int], float], tuple[Floats, Floats]]:
    """Lognormal with this share of zeros, half of which strike both variants of a seed."""

    def draw(rng: np.random.Generator, shape: tuple[int, int], factor: float) -> tuple[Floats, Floats]:
        first, second = _lognormal(1.0)(rng, shape, factor)
        both = rng.random(shape)
        keep = [np.where(rng.random(shape) < 0.5, both, rng.random(shape)) > share for _ in range(2)]
        return first * keep[0], second * keep[1]

    return draw


def _counts(rng: np.random.Generator, shape: tuple[int, int], factor: float) -> tuple[Floats, Floats]:
    """Poisson counts of a mean of 4 whose rate differs from seed to seed (gamma, shape 2)."""
    rate = 4.0 * rng.gamma(2.0, 0.5, shape)
    return rng.poisson(rate).astype(np.float64), rng.poisson(factor * rate).astype(np.float64)


_E = math.exp(0.5)
KINDS: dict[str, Kind] = {
    "normal": Kind("normal, sd a tenth of the mean", _normal, lambda f: (10.0, 10.0 * f)),
    "lognormal": Kind("lognormal, sigma 1", _lognormal(1.0), lambda f: (_E, f * _E)),
    "unequal": Kind("lognormal, sigma 1 and 1.22", _lognormal(1.5), lambda f: (_E, f * math.exp(0.75))),
    "zeros 30 %": Kind("lognormal, sigma 1, 30 % zeros", _with_zeros(0.3), lambda f: (0.7 * _E, 0.7 * f * _E)),
    "zeros 60 %": Kind("lognormal, sigma 1, 60 % zeros", _with_zeros(0.6), lambda f: (0.4 * _E, 0.4 * f * _E)),
    "counts": Kind("counts, mean 4, overdispersed", _counts, lambda f: (4.0, 4.0 * f)),
}


@dataclass(frozen=True, slots=True)
class Row:
    """Coverage of one setting.

    Attributes
    ----------
    kind, pairs, factor : the setting.
    difference : share of studies whose interval of the mean difference (Student's t) holds the truth.
    ratio : the same of the interval of the subset ratios.
    bounded : share of studies in which that interval has both ends. ratio_bounded : coverage among them, NaN without any.
    fieller, log_t : coverage of two alternatives that are not used: Fieller's interval, and t on the log of the ratio of means.
    alarms : share of studies in which the method that is used (t for "normal", else sign flips) says p <= 5 %.
    """

    kind: str
    pairs: int
    factor: float
    difference: float
    ratio: float
    bounded: float
    ratio_bounded: float
    fieller: float
    log_t: float
    alarms: float


def measure(kind: str, pairs: int, factor: float, studies: int, rng: np.random.Generator) -> Row:
    """Measure the coverage of one setting over synthetic studies."""
    model = KINDS[kind]
    a, b = model.draw(rng, (studies, pairs), factor)
    mean_a, mean_b = model.mean(factor)
    truth, which = mean_b / mean_a, subsets(pairs)
    held_d = held_r = bounded = held_bounded = alarms = 0
    for x, y in zip(a, b, strict=True):
        difference = mean_difference(x, y)
        held_d += difference.low <= mean_b - mean_a <= difference.high
        alarms += difference.p <= 0.05 if kind == "normal" else 0
        if min(x.min(), y.min()) < 0:  # a normal figure near zero is no risk: its ratio is not told
            continue
        ratio = pooled_ratio(x, y, which)
        inside = ratio.low <= truth <= ratio.high or not x.any()
        held_r += inside
        bounded += ratio.told
        held_bounded += inside and ratio.told
        alarms += ratio.p <= 0.05 if kind != "normal" else 0
    told = kind != "normal"
    return Row(
        kind,
        pairs,
        factor,
        held_d / studies,
        held_r / studies if told else math.nan,
        bounded / studies if told else math.nan,
        held_bounded / bounded if told and bounded else math.nan,
        float(np.mean(_fieller(a, b, truth))) if told else math.nan,
        float(np.mean(_log_t(a, b, truth))) if told else math.nan,
        alarms / studies,
    )


def _fieller(a: Floats, b: Floats, truth: float) -> npt.NDArray[np.bool_]:
    """Whether Fieller's interval holds the truth: |t| of b - truth * a below its quantile."""
    d, n = b - truth * a, a.shape[1]
    error = np.maximum(d.std(axis=1, ddof=1), 1e-300) / math.sqrt(n)
    return np.asarray(np.abs(d.mean(axis=1)) <= stats.t.ppf(0.975, n - 1) * error)


def _log_t(a: Floats, b: Floats, truth: float) -> npt.NDArray[np.bool_]:
    """Whether t on the logarithm of the ratio of means holds the truth; a study without any of it in a variant does not."""
    n, mean_a, mean_b = a.shape[1], a.mean(axis=1), b.mean(axis=1)
    some = (mean_a > 0) & (mean_b > 0)
    mean_a, mean_b = np.where(some, mean_a, 1.0), np.where(some, mean_b, 1.0)
    error = (b / mean_b[:, None] - a / mean_a[:, None]).std(axis=1, ddof=1) / math.sqrt(n)
    return np.asarray((np.abs(np.log(mean_b / mean_a / truth)) <= stats.t.ppf(0.975, n - 1) * error) & some)


def table(studies: int = 1000, seed: int = 2026) -> Iterator[Row]:
    """Measure every setting."""
    for kind in KINDS:
        for factor in FACTORS:
            for pairs in PAIRS:
                key = (list(KINDS).index(kind), round(1000 * factor), pairs)
                yield measure(kind, pairs, factor, studies, np.random.default_rng([seed, *key]))


def markdown(rows: Iterator[Row]) -> str:
    """Write rows as the Markdown table of docs/comparing.md: percentages, the method that is used in bold."""
    lines = [
        "| figure | factor | pairs | difference, t | factor, subsets | with both ends | of these held | Fieller | t of log "
        "| p <= 5 % |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]

    def share(value: float, used: bool = False) -> str:
        text = "" if math.isnan(value) else f"{100 * value:.1f}"
        return f"**{text}**" if used and text else text

    for row in rows:
        normal = row.kind == "normal"
        cells = [
            KINDS[row.kind].words,
            f"{row.factor:g}",
            str(row.pairs),
            share(row.difference, normal),
            share(row.ratio, not normal),
            share(row.bounded),
            share(row.ratio_bounded),
            share(row.fieller),
            share(row.log_t),
            share(row.alarms),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown(table()))
