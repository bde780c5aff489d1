"""Measures the early stop on synthetic studies of known truth: ``python -m factory.study.sequential_study`` prints the table.

A study has up to N pairs of a base and a variant, which share the luck of their seed; the variant differs by a known effect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from factory.study.sequential import MIN_PAIRS, RISK_FLOOR, boundaries

Floats = npt.NDArray[np.float64]
Kind = Literal["normal", "lognormal", "zero-inflated"]

KINDS: tuple[Kind, ...] = ("normal", "lognormal", "zero-inflated")
MOST = (8, 16, 32)
STUDIES = 4000
_SEED = 4


@dataclass(frozen=True, slots=True)
class Rates:
    """What came of many studies.

    Attributes
    ----------
    called : share that called a difference. cover : share whose interval at the end holds the truth.
    pairs : mean number of pairs.
    """

    called: float
    cover: float
    pairs: float


def studies(kind: Kind, most: int, effect: float, number: int, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Draw studies.

    Parameters
    ----------
    kind : "normal": the effect shifts by ``effect - 1`` standard deviations of a difference; "lognormal" (sigma 1) and
        "zero-inflated" (the same, but 0 in about half of the runs): the effect is a factor.
    most : pairs of a study. effect : 1 is no difference. number : studies.

    Returns
    -------
    Values of base and variant (number, most), and many more differences for the truth (m,), as pairs (m, 2).
    """
    shared = rng.standard_normal((number, most))

    def one(luck: Floats) -> Floats:
        own = rng.standard_normal(luck.shape)
        if kind == "normal":
            return luck + own
        value: Floats = np.exp(np.sqrt(0.5) * (luck + own))
        return value if kind == "lognormal" else value * (rng.random(luck.shape) < np.where(luck > 0, 0.7, 0.3))

    def changed(value: Floats) -> Floats:
        return value + (effect - 1.0) * np.sqrt(2.0) if kind == "normal" else effect * value

    luck = rng.standard_normal(400_000)
    return one(shared), changed(one(shared)), np.stack([one(luck), changed(one(luck))], axis=1)


def many(kind: Kind, most: int, effect: float, *, decades: bool = False, drawn: tuple[Floats, Floats] | None = None) -> Rates:
    """Run the sequential test over many studies at once.

    Parameters
    ----------
    kind, most, effect : as `studies` takes them.
    decades : whether the test looks at decimal logarithms, as it does at unavailability.
    drawn : studies to take instead of new ones.
    """
    rng = np.random.default_rng([_SEED, most, round(effect * 100), KINDS.index(kind)])
    base, variant, truth = studies(kind, most, effect, STUDIES, rng)
    if drawn is not None:
        base, variant = drawn

    def scaled(value: Floats) -> Floats:
        return np.log10(np.maximum(value, RISK_FLOOR)) if decades else value

    difference = scaled(variant) - scaled(base)
    true = float((scaled(truth[:, 1]) - scaled(truth[:, 0])).mean())
    n = np.arange(1, most + 1)
    mean = difference.cumsum(axis=1) / n
    squares = np.maximum((difference**2).cumsum(axis=1) - n * mean**2, 0.0)
    bound = np.array(boundaries(most))
    looks = np.isfinite(bound)
    half = np.full_like(difference, np.inf)
    half[:, looks] = bound[looks] * np.sqrt(squares[:, looks] / (n[looks] - 1) / n[looks])
    found = (np.abs(mean) > half) & ((difference != 0).cumsum(axis=1) >= MIN_PAIRS)
    last = np.where(found.any(axis=1), found.argmax(axis=1), most - 1)
    rows = np.arange(len(difference))
    cover = np.abs(mean[rows, last] - true) <= half[rows, last]
    return Rates(float(found[rows, last].mean()), float(cover.mean()), float(last.mean() + 1))


def table() -> str:
    """Return the table of docs/what-if.md."""
    lines = [
        "| differences | at most | none: called | covered | x 2: called | covered | pairs | x 10: called | covered | pairs |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for kind in KINDS:
        for decades in (False, True) if kind != "normal" else (False,):
            for most in MOST:
                none, two, ten = (many(kind, most, effect, decades=decades) for effect in (1.0, 2.0, 10.0))
                name = f"{kind}, {'decades' if decades else 'as they are'}"
                cells = [f"{100 * none.called:.1f} %", f"{100 * none.cover:.1f} %"]
                for rates in (two, ten):
                    cells += [f"{100 * rates.called:.0f} %", f"{100 * rates.cover:.1f} %", f"{rates.pairs:.1f}"]
                lines.append(f"| {name} | {most} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
