"""Hours of a scenario with the radio off, for the separation of its cobots: nearest people, margins, how often arms slowed.

``python -m factory.validate.cobot_soak --hours 8`` runs the whole twin with Bullet's arms, keeps what the cobots' log says in
``cobot_soak.json`` beside this file, and ``factory-twin validate`` shows it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from factory.scenario import load_scenario
from factory.twin import Twin
from factory.validate.rows import Row

KEPT = Path(__file__).with_name("cobot_soak.json")
TABLE = "Cobots among people for a shift"


def soak(scenario: str, hours: float, seed: int) -> dict[str, Any]:
    """Run a scenario's machines and people for some hours and return what the cobots' ledger tells.

    Parameters
    ----------
    scenario : a shipped scenario's name, or a file. hours : how long [h]. seed : the run's seed.
    """
    loaded = load_scenario(scenario, [f"seed={seed}", "radio.enabled=false"])
    twin = Twin(loaded)
    ticks = round(hours * 3600 * loaded.scenario.clock.tick_hz)
    for k in range(ticks):
        twin.tick()
        if k % 360_000 == 0:
            print(f"{k * twin.dt_us / 3.6e9:.1f} of {hours:g} h", flush=True)
    ledger = twin.cobots.production()
    n_people = len(twin.people.present)
    twin.close()
    return {
        "scenario": scenario, "hours": hours, "seed": seed, "cobots": len(ledger["machines"]), "people": n_people,
        "parts_per_hour": ledger["parts_per_hour"], "minutes_lost": ledger["minutes_lost"], "separation": ledger["separation"],
    }  # fmt: skip


def cobot_rows() -> Iterator[Row]:
    """Return rows on the separation that the cobots kept in the soaks that were stored last, seed by seed."""
    for found in json.loads(KEPT.read_text(encoding="utf-8")):
        yield from _rows_of(found)


def _rows_of(found: dict[str, Any]) -> Iterator[Row]:
    size = f"{found['cobots']} cobots, {found['people']} people, {found['hours']:g} h"
    who = f"`{found['scenario']}`, {size}, seed {found['seed']}"
    log, hours = found["separation"], found["hours"] * found["cobots"]
    source = "ISO/TS 15066 5.5.4.2.3"
    yield Row(TABLE, f"{who}: required separation not kept", log["not_kept"], 0, "times", 0, source, "at most")
    yield Row(TABLE, f"{who}: least margin above it", log["least_margin_m"], 0.0, "m", 0, source, "at least")
    for what, value, unit in (
        ("least distance of a person from an arm, standing ones included", log["least_m"], "m"),
        ("an arm slowed for a person", log["slowed"] / hours, "1/h"),
        ("an arm stopped for a person", log["stopped"] / hours, "1/h"),
        ("an arm was slowed", log["slowed_min"] / hours, "min/h"),
        ("lost to people", found["minutes_lost"]["person_near"] / hours, "min/h"),
    ):
        yield Row(TABLE, f"{who}: {what}", value, np.nan, unit, 0.1, "as found", "reported")


def main() -> None:
    """Run the soaks and keep what they found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=8.0)
    parser.add_argument("--scenario", default="default")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    given = parser.parse_args()
    found = []
    for seed in given.seeds:
        found.append(soak(given.scenario, given.hours, seed))
        KEPT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
