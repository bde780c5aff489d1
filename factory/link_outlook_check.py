"""Holds the risks of :mod:`factory.link_outlook` against what became of the links: ``python -m factory.link_outlook_check``.

Every forecast is looked at again when it is due: was the link's margin below zero then? Whole runs are the independent units, for
within a run the same people block the same links again and again.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from itertools import pairwise
from typing import Any

import numpy as np

from factory.link_outlook import HORIZONS_S
from factory.publish import Publisher
from factory.scenario import load_scenario
from factory.twin import Twin

__all__ = ["due", "main", "scores"]

_BINS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0 + 1e-9)
_WARM_US = 3_000_000  # a forecaster knows little of people it has just met


def due(scenario: str, seed: int, seconds: float) -> dict[float, list[tuple[float, bool, bool]]]:
    """Run a scenario and return what was forecast and what came.

    Returns
    -------
    dict
        By horizon [s] tuples: the risk that was told, whether the link fell short when the forecast was due, and whether it fell
        short when the forecast was made, which is what "it stays as it is" would have said.
    """
    twin = Twin(load_scenario(scenario, [f"seed={seed}"]))
    publisher = Publisher(twin, forecasts=True)
    waiting: dict[int, list[tuple[float, int, float, bool]]] = defaultdict(list)
    found: dict[float, list[tuple[float, bool, bool]]] = {h: [] for h in HORIZONS_S}
    made_us = np.full(len(HORIZONS_S), -1)
    try:
        while twin.time_us < seconds * 1e6:
            publisher.watch(twin.tick())
            if twin.time_us % 100_000:
                continue
            view = publisher.view(1.0)
            short = [not link.margin_db >= 0.0 for link in view.links]
            for horizon_s, u, risk, before in waiting.pop(twin.time_us, []):
                found[horizon_s].append((risk, short[u], before))
            outlook = publisher.outlook
            if outlook is None or twin.time_us < _WARM_US:
                continue
            for h, horizon_s in enumerate(HORIZONS_S):
                if outlook.made_us[h] == made_us[h]:
                    continue
                made_us[h] = outlook.made_us[h]
                at = int(made_us[h]) + round(horizon_s * 1e6)
                waiting[at] += [(horizon_s, u, float(outlook.risk[h, u]), short[u]) for u in range(len(short))]
    finally:
        twin.close()
    return found


def scores(rows: list[tuple[float, bool, bool]]) -> dict[str, Any]:
    """Return Brier scores and a table of reliability.

    The reference scores are those of always telling the share that fell short, and of telling what is the case now.
    """
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    risk, came, now = table.T
    share = float(came.mean())
    bins = []
    for low, high in pairwise(_BINS):
        inside = (risk >= low) & (risk < high)
        if inside.any():
            told, observed = float(risk[inside].mean()), float(came[inside].mean())
            bins.append({"n": int(inside.sum()), "told": round(told, 4), "came": round(observed, 4)})
    return {
        "forecasts": len(table),
        "fell_short": round(share, 5),
        "brier": round(float(((risk - came) ** 2).mean()), 5),
        "brier_of_the_share": round(share * (1.0 - share), 5),
        "brier_of_now": round(float(((now - came) ** 2).mean()), 5),
        "reliability": bins,
    }


def main(arguments: list[str]) -> int:
    """Print scores by horizon and seed as JSON; returns the exit code."""
    if len(arguments) < 3:
        print("usage: python -m factory.link_outlook_check SCENARIO SECONDS SEED [SEED ...]", file=sys.stderr)
        return 2
    scenario, seconds, seeds = arguments[0], float(arguments[1]), [int(a) for a in arguments[2:]]
    runs = {seed: due(scenario, seed, seconds) for seed in seeds}
    result = {
        "scenario": scenario,
        "seconds": seconds,
        "horizons": {
            f"{h:g} s": {"all": scores([row for run in runs.values() for row in run[h]])}
            | {f"seed {seed}": scores(run[h]) for seed, run in runs.items()}
            for h in HORIZONS_S
        },
    }
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
