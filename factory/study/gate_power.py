"""How often a check raises an alarm: where nothing has changed, and where something has. Run as a module; prints Markdown.

    python -m factory.study.gate_power                      tests beside each other on a stub model, minutes
    python -m factory.study.gate_power --pool FILE.json     on figures of the twin that were kept by gate_pool

The stub is no model of a hall, but its figures are as awkward: they are skewed, bad seeds are bad in several figures at once,
some figures are 0 in many seeds, some are small whole numbers. What has changed is known, so that rates can be counted.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.stats import beta

from factory.study.baseline import FALSE_ALARM_RATE, TOLERANCE, default_floor
from factory.study.gate_statistics import Better, Statistic, holm, p_worse

Floats = npt.NDArray[np.float64]
STATISTICS: tuple[Statistic, ...] = ("welch", "permutation", "mann_whitney")
_CHUNK = 50


@dataclass(frozen=True, slots=True)
class StubKpi:
    """One figure of the stub.

    Attributes
    ----------
    name, unit : what it stands for.
    median, sigma : of the lognormal part.
    shared : share of the spread that a bad seed has in common with the other figures.
    zeros : share of seeds in which it is 0.
    counted : True for a Poisson count whose rate is the lognormal part.
    better : which way is better.
    """

    name: str
    unit: str
    median: float
    sigma: float
    shared: float = 0.5
    zeros: float = 0.0
    counted: bool = False
    better: Better = "lower"


STUB: tuple[StubKpi, ...] = (
    StubKpi("a unavailability", "", 1e-3, 1.0),
    StubKpi("a failures", "1/(device h)", 2.0, 1.0),
    StubKpi("b unavailability", "", 1e-4, 1.0, zeros=0.4),
    StubKpi("b failures", "1/(device h)", 0.3, 1.0, zeros=0.4),
    StubKpi("stops", "", 2.0, 0.5, counted=True),
    StubKpi("stops for people", "", 1.0, 0.5, counted=True),
    StubKpi("minutes lost", "min", 0.1, 0.8, zeros=0.3),
    StubKpi("orders", "", 20.0, 0.0, counted=True, better="higher"),
    StubKpi("parts", "", 40.0, 0.0, counted=True, better="higher"),
)


def draw(rng: np.random.Generator, repetitions: int, seeds: int, change: Sequence[float]) -> list[Floats]:
    """Draw the stub's figures, a list of (repetitions, seeds).

    Parameters
    ----------
    rng : generator.
    repetitions, seeds : shape.
    change : factor by which every figure of `STUB` is worse.
    """
    shape = repetitions, seeds
    bad = rng.standard_normal(shape)
    out = []
    for kpi, worse in zip(STUB, change, strict=True):
        own = rng.standard_normal(shape)
        spread = kpi.sigma * (np.sqrt(kpi.shared) * bad + np.sqrt(1.0 - kpi.shared) * own)
        value = kpi.median * np.exp(spread) * (worse if kpi.better == "lower" else 1.0 / worse)
        value = np.where(rng.random(shape) < kpi.zeros, 0.0, value)
        out.append(rng.poisson(value).astype(np.float64) if kpi.counted else value)
    return out


def alarms(
    statistic: Statistic,
    before: Sequence[Floats],
    now: Sequence[Floats],
    tolerance: float = TOLERANCE,
    rate: float = FALSE_ALARM_RATE,
    kpis: Sequence[StubKpi] = STUB,
) -> npt.NDArray[np.bool_]:
    """Return which figures raise an alarm, (repetitions, K), as `gate.judge` does.

    Parameters
    ----------
    statistic : name of the test.
    before, now : of every figure (repetitions, seeds).
    tolerance, rate : of the gate.
    kpis : what the figures are.
    """
    p = np.empty((len(before[0]), len(kpis)))
    for r in range(0, len(p), _CHUNK):
        rows = slice(r, r + _CHUNK)
        for k, kpi in enumerate(kpis):
            floor = np.array([default_floor(kpi.unit, tuple(b), kpi.counted) for b in before[k][rows]])[:, None]
            # a floor of 1 stands for every repetition's own
            p[rows, k] = p_worse(statistic, before[k][rows] / floor, now[k][rows] / floor, tolerance, 1.0, kpi.better)
    return holm(p, rate)


def exact_interval(hits: int, of: int) -> tuple[float, float]:
    """95 % interval of a share (Clopper and Pearson, Biometrika 26, 1934)."""
    low = float(beta.ppf(0.025, hits, of - hits + 1)) if hits else 0.0
    high = float(beta.ppf(0.975, hits + 1, of - hits)) if hits < of else 1.0
    return low, high


def share(hits: npt.NDArray[np.bool_]) -> str:
    """Tell a share in percent with its interval."""
    n = int(hits.sum())
    low, high = exact_interval(n, len(hits))
    return f"{100 * n / len(hits):.1f} ({100 * low:.1f}-{100 * high:.1f})"


CASES: tuple[tuple[str, float, tuple[int, ...]], ...] = (
    ("no change", 1.0, tuple(range(len(STUB)))),
    (f"all worse by the tolerated {TOLERANCE:g}", TOLERANCE, tuple(range(len(STUB)))),
    ("a unavailability 2x", 2.0, (0,)),
    ("all 2x", 2.0, tuple(range(len(STUB)))),
    ("a unavailability 10x", 10.0, (0,)),
    ("b unavailability 10x", 10.0, (2,)),
    ("all 10x", 10.0, tuple(range(len(STUB)))),
)


def stub_table(repetitions: int, seeds: Sequence[int], seed: int = 1) -> list[str]:
    """Return the table of the stub: share of checks with any alarm, by test, change and number of seeds."""
    lines = ["| seeds | change | " + " | ".join(f"{s} [%]" for s in STATISTICS) + " |", "|---|---|---|---|---|"]
    for n in seeds:
        for name, worse, which in CASES:
            rng = np.random.default_rng([seed, n])
            change = [worse if k in which else 1.0 for k in range(len(STUB))]
            before, now = draw(rng, repetitions, n, [1.0] * len(STUB)), draw(rng, repetitions, n, change)
            cells = [share(np.any(alarms(s, before, now), axis=1)) for s in STATISTICS]
            lines.append(f"| {n} | {name} | " + " | ".join(cells) + " |")
    return lines


def pool_table(pool: dict[str, dict[str, list[float]]], n: int, repetitions: int, seed: int = 1) -> list[str]:
    """Return the table of the twin's own figures: groups of seeds of one pool against groups of another, none in both.

    Parameters
    ----------
    pool : variant to figure to the values of its seeds; the variant ``base`` is the unchanged one.
    n : seeds of a baseline and of a check.
    repetitions : checks drawn from the pool; of the base disjoint ones are counted as well.
    seed : of the drawing.
    """
    base = pool["base"]
    total = len(next(iter(base.values())))
    lines = ["| change | seeds | checks | " + " | ".join(f"{s} [%]" for s in STATISTICS) + " |", "|---|---|---|---|---|---|"]
    rng = np.random.default_rng(seed)
    apart = total // (2 * n)
    order = rng.permutation(total)[: 2 * n * apart].reshape(apart, 2, n)
    cells = [share(_pool_alarms(s, base, base, order[:, 0], order[:, 1])) for s in STATISTICS]
    lines.append(f"| none, disjoint groups | {total} | {apart} | " + " | ".join(cells) + " |")
    for name, figures in pool.items():
        size = len(next(iter(figures.values())))
        cells = [share(pool_alarms(pool, name, n, repetitions, seed, s)) for s in STATISTICS]
        told = "none, groups drawn anew" if figures is base else name
        lines.append(f"| {told} | {size} | {repetitions} | " + " | ".join(cells) + " |")
    return lines


def pool_alarms(
    pool: dict[str, dict[str, list[float]]], variant: str, n: int, repetitions: int, seed: int, statistic: Statistic
) -> npt.NDArray[np.bool_]:
    """Return which of many checks raise an alarm, (repetitions,), whose seeds are drawn from a pool without being put back.

    Parameters
    ----------
    pool, n, repetitions, seed : as of `pool_table`.
    variant : whose seeds are checked against those of the base; of the base itself others than the baseline's.
    statistic : name of the test.
    """
    rng, base, other = np.random.default_rng(seed), pool["base"], pool[variant]
    total, size = len(next(iter(base.values()))), len(next(iter(other.values())))
    before, now = [], []
    for _ in range(repetitions):
        drawn = rng.permutation(total)
        before.append(drawn[:n])
        now.append(drawn[n : 2 * n] if variant == "base" else rng.permutation(size)[:n])
    return _pool_alarms(statistic, base, other, np.array(before), np.array(now))


def _pool_alarms(
    statistic: Statistic,
    base: dict[str, list[float]],
    other: dict[str, list[float]],
    before: npt.NDArray[np.int64],
    now: npt.NDArray[np.int64],
) -> npt.NDArray[np.bool_]:
    kpis = tuple(StubKpi(k, _unit(k), 1, 1, counted=_counted(k), better=_better(k)) for k in base)
    old = [np.array(base[k.name])[before] for k in kpis]
    new = [np.array(other[k.name])[now] for k in kpis]
    raised: npt.NDArray[np.bool_] = np.any(alarms(statistic, old, new, kpis=kpis), axis=1)
    return raised


def _counted(key: str) -> bool:
    return key.startswith(("stops.", "production."))


def _better(key: str) -> Better:
    return "higher" if key.startswith("production.") else "lower"


def _unit(key: str) -> str:
    return "min" if key.startswith("radio_minutes") else "1/(device h)" if key.endswith("failures_per_hour") else ""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m factory.study.gate_power", description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=1000, help="checks per cell")
    parser.add_argument("--seeds", type=int, nargs="+", default=[8, 16, 24], help="seeds of a baseline and of a check")
    parser.add_argument("--pool", type=Path, help="figures of the twin, as gate_pool wrote them")
    asked = parser.parse_args(arguments)
    if asked.pool is None:
        lines = stub_table(asked.repetitions, asked.seeds)
    else:
        pool = json.loads(asked.pool.read_text(encoding="utf-8"))["variants"]
        lines = pool_table(pool, asked.seeds[0], asked.repetitions)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
