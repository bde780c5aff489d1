"""Keeps the figures of many fresh seeds of a scenario and of changes to it, for `gate_power` to draw checks from.

    python -m factory.study.gate_pool POOL.json --scenario ci --first 1001 --base 300 --changed 48

Every seed is kept as soon as it is done; the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from factory.run_folder import current_versions, write_json
from factory.scenario import SHIPPED, load_scenario, shipped_scenario
from factory.study.baseline import scenario_hash
from factory.study.gate import gated
from factory.study.gate_run import SeedTask, run_seed

HALVED_DB = 10.0 * 0.30103
"""Half the power in dB."""


def changes(scenario: str) -> dict[str, tuple[str, ...]]:
    """Return the variants of a pool: the scenario as it is, and with half the power of each TRP in turn."""
    trps = load_scenario(scenario).scenario.radio.trps
    halved = {
        f"half the power of {trp.name}": (f"radio.trps[{k}].tx_power_dbm={trp.tx_power_dbm - HALVED_DB:.4g}",)
        for k, trp in enumerate(trps)
    }
    return {"base": (), **halved}


def fill(file: Path, scenario: str, first: int, n_base: int, n_changed: int) -> None:
    """Run the seeds that a pool lacks, one after the other.

    Parameters
    ----------
    file : the pool, JSON.
    scenario : shipped name or file.
    first : first seed; those of the variants follow those of the base, so that no seed is used twice.
    n_base, n_changed : seeds of the base and of every other variant.
    """
    path = shipped_scenario(scenario) if scenario in SHIPPED else Path(scenario)
    text, loaded = path.read_text(encoding="utf-8"), load_scenario(scenario)
    found: dict[str, Any] = {
        "scenario": loaded.scenario.name,
        "scenario_sha256": scenario_hash(loaded),
        "versions": current_versions(),
        "first": first,
        "variants": {},
    }
    if file.exists():
        kept = json.loads(file.read_text(encoding="utf-8"))
        if kept["scenario_sha256"] != found["scenario_sha256"] or kept["first"] != first:
            raise SystemExit(f"{file}: a pool of another scenario or other seeds; choose another file")
        found = kept
    plan = [("base", 0, k) for k in range(n_base)]
    for v, name in enumerate(list(changes(scenario))[1:]):
        plan += [(name, v + 1, k) for k in range(n_changed)]
    # half of the base, then the changes, then the rest: a pool that was stopped early is of use
    plan.sort(key=lambda row: (row[1] == 0 and row[2] >= n_base // 2, row[2] if row[1] else -1, row[2]))
    for name, v, k in plan:
        figures = found["variants"].setdefault(name, {})
        if k < len(next(iter(figures.values()), [])):
            continue
        seed = first + v * 100_000 + k
        kpi = run_seed(SeedTask(text, str(path), changes(scenario)[name], seed))
        if "error" in kpi:
            raise SystemExit(str(kpi["error"]))
        for key, measure in gated(kpi).items():
            figures.setdefault(key, []).append(float(f"{measure.value:.6g}"))
        write_json(file, found)


def main(arguments: Sequence[str] | None = None) -> None:
    """Fill a pool."""
    parser = argparse.ArgumentParser(prog="python -m factory.study.gate_pool", description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--scenario", default="ci")
    parser.add_argument("--first", type=int, default=1001)
    parser.add_argument("--base", type=int, default=300, help="seeds of the scenario as it is")
    parser.add_argument("--changed", type=int, default=48, help="seeds of every change")
    asked = parser.parse_args(arguments)
    fill(asked.file, asked.scenario, asked.first, asked.base, asked.changed)


if __name__ == "__main__":
    main()
