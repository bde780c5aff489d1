"""How far the planner's choice is from the optimum: two hundred small instances, solved by it and by HiGHS.

``python -m factory.validate.planner_gap`` solves them again and keeps what it found in ``planner_gap.json`` beside this file,
which ``factory-twin validate`` shows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from factory.validate.rows import Row
from radio.policies.choice import choose, excess, worth
from radio.policies.milp import choose_exactly
from radio.types import FloatArray

KEPT = "planner_gap.json"
INSTANCES = 200
_TABLE = "The planner's choice beside the optimum"


@dataclass(frozen=True)
class Gaps:
    """What was found.

    Attributes
    ----------
    instances, binding : instances, and those of them in which the best option of everybody does not fit.
    median, p90, largest : gap of the worth of the choice above the optimum, as a share of that, over all instances.
    median_binding, p90_binding : the same over those that bind.
    overspent : instances in which a resource was overspent.
    """

    instances: int
    binding: int
    median: float
    p90: float
    largest: float
    median_binding: float
    p90_binding: float
    overspent: int


def instance(seed: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Make a problem of 3 to 8 devices and 2 to 4 TRPs: cost (U, O, R), worth (U, O) and limits (R,).

    Every device has its first leg, that with each TRP, at two rungs each, and to send nothing. Of the seeds the even ones have
    limits at 30 to 90 % of what the best options would take of each resource, the odd ones at 90 to 150 %.
    """
    rng = np.random.default_rng(seed)
    n_ue, n_trp = int(rng.integers(3, 9)), int(rng.integers(2, 5))
    n_option = 2 * n_trp + 1
    cost, risk = np.zeros((n_ue, n_option, 2 * n_trp)), np.ones((n_ue, n_option))
    for u in range(n_ue):
        home, direction = int(rng.integers(n_trp)), int(rng.integers(2))
        base, depth = float(rng.choice([200.0, 250.0, 500.0])), rng.uniform(-6.0, -1.5, n_trp)
        for o in range(n_option - 1):
            rung = int(rng.integers(4))
            for t in {home, o // 2}:
                cost[u, o, direction * n_trp + t] += base * 2.0**rung
                risk[u, o] *= 10.0 ** (depth[t] * (1.0 + 0.3 * rung))
    decade = rng.uniform(500.0, 4000.0, n_ue)
    value = worth(cost, np.maximum(risk, 1e-12), np.full(n_ue, 1e-5), decade, np.ones(risk.shape, dtype=np.bool_))
    wanted = cost[np.arange(n_ue), value.argmin(axis=1)].sum(axis=0)
    share = rng.uniform(0.3, 0.9, wanted.size) if seed % 2 == 0 else rng.uniform(0.9, 1.5, wanted.size)
    return cost, value, np.maximum(wanted * share, 100.0)


def solve(instances: int = INSTANCES) -> Gaps:
    """Solve the instances with seeds 0, 1, ... both ways."""
    gaps, binding, overspent = [], [], 0
    for seed in range(instances):
        cost, value, limit = instance(seed)
        rows = np.arange(len(value))
        chosen = choose(cost, value, limit)
        best = value[rows, choose_exactly(cost, value, limit)].sum()
        gaps.append(float(value[rows, chosen].sum() / best - 1.0))
        free = value.argmin(axis=1)
        binding.append(bool((cost[rows, free].sum(axis=0) > limit).any()))
        overspent += bool(excess(cost[rows, chosen].sum(axis=0), limit * (1.0 + 1e-6)) > 0.0)
    gap, bind = np.array(gaps), np.array(binding)
    of_all = float(np.median(gap)), float(np.quantile(gap, 0.9)), float(gap.max())
    of_binding = float(np.median(gap[bind])), float(np.quantile(gap[bind], 0.9))
    return Gaps(instances, int(bind.sum()), *of_all, *of_binding, overspent)


def kept() -> Gaps:
    """Return what was kept."""
    return Gaps(**json.loads(resources.files("factory.validate").joinpath(KEPT).read_text(encoding="utf-8")))


def planner_rows() -> Iterator[Row]:
    """Return rows on the gap between the planner's choice and the optimum."""
    found = kept()
    source = f"HiGHS, {found.instances} instances, {found.binding} of them binding"
    yield Row(_TABLE, "median gap", 100.0 * found.median, 5.0, "%", 0.01, source, "at most")
    yield Row(_TABLE, "median gap where the limits bind", 100.0 * found.median_binding, 5.0, "%", 0.01, source, "at most")
    yield Row(_TABLE, "gap, 90th percentile", 100.0 * found.p90, np.nan, "%", 0.01, source, "reported")
    yield Row(
        _TABLE, "gap, 90th percentile where the limits bind", 100.0 * found.p90_binding, np.nan, "%", 0.01, source, "reported"
    )
    yield Row(_TABLE, "largest gap", 100.0 * found.largest, np.nan, "%", 0.01, source, "reported")
    yield Row(_TABLE, "instances with a resource overspent", found.overspent, 0, "1", 0, source, "at most")


def main() -> None:
    """Solve the instances and keep what was found."""
    found = asdict(solve())
    Path(__file__).with_name(KEPT).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(found)


if __name__ == "__main__":
    main()
