"""The ledger against the same shift with an ideal radio: what it books as the radio's loss has to come back.

``python -m factory.validate.loop_study --seeds 16`` runs shifts of the small hall in pairs, with the radio and with one that
delivers every message, and keeps what it found in ``loop_study.json`` beside this file, which ``factory-twin validate`` shows.
A pair shares its seed, but not its footsteps beyond the first stop: people and AGVs meet differently from then on. Seeds are the
independent units.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from factory.scenario import load_scenario

KEPT = "loop_study.json"
Json = dict[str, Any]
Floats = npt.NDArray[np.float64]


def flicker(off_s: float, every_s: float, minutes: float) -> str:
    """Override that switches the small hall's two TRPs off in turn, each for ``off_s`` out of ``every_s``."""
    spans = []
    for k in range(int(minutes * 60 / every_s)):
        for trp, begin in (("ceiling-west", k * every_s + 5.0), ("corner-east", k * every_s + 5.0 + every_s / 2)):
            spans.append(f"{{trp: {trp}, from_s: {begin:g}, to_s: {begin + off_s:g}}}")
    return f"radio.outages=[{', '.join(spans)}]"


# Which paths there are, and how often bodies move, matters little to whether a ledger adds up; it takes time to compute.
_SERVICES = (
    "[{name: agv-control, profile: mobile-robot, devices: agv}, "
    "{name: cobot-control, profile: control-to-control, devices: cobot}]"
)
_PLAIN = ("radio.paths.max_order=1", "radio.remainder.enabled=false", f"radio.services={_SERVICES}")
_COARSE = ("clock.tick_hz=50", "people.count=3")
OFTEN, SELDOM = "each TRP off for 4 s in 20 s, static", "each TRP off for 2 s in 40 s, reactive"


def cases(minutes: float) -> dict[str, list[str]]:
    """Give the overrides of every case that is run."""
    return {
        OFTEN: ["radio.policy=static", flicker(4.0, 20.0, minutes), *_PLAIN, *_COARSE],
        SELDOM: ["radio.policy=reactive", flicker(2.0, 40.0, minutes), *_PLAIN, *_COARSE],
    }


def one(seed: int, minutes: float, overrides: Sequence[str]) -> Json:
    """Run one shift and return what it made and lost."""
    from factory.twin import Twin  # with Bullet, which who reads the kept result does not need

    fixed = [f"seed={seed}", f"duration_s={minutes * 60:g}", "radio.compare=[]"]
    twin = Twin(load_scenario("small", [*fixed, *overrides]))
    for _ in range(round(minutes * 60e6 / twin.dt_us)):
        twin.tick()
    fleet, cobots, radio_s = twin.fleet.production(), twin.cobots.production(), twin.stops.radio_s()
    n = twin.fleet.n
    spent_s = twin.stops.ledger.spent_us.sum(axis=1) / 1e6
    ledger = twin.stops.ledger
    found = {
        "orders": fleet["orders_finished"],
        "distance_m": fleet["distance_m"],
        "parts": cobots["parts"],
        "agv_s": float(spent_s[:n].sum()),
        "cobot_s": float(spent_s[n:].sum()),
        "agv_minutes": fleet["minutes"],
        "agv_lost_s": {k: float(v[:n].sum()) for k, v in radio_s.items()},
        "cobot_lost_s": {k: float(v[n:].sum()) for k, v in radio_s.items()},
        "cobot_slow_s": float(ledger.total_slow_s[n:].sum()),
        "stops": fleet["stops"]["communication"] + cobots["stops"]["communication"],
    }
    twin.close()
    return found


def kept() -> Json | None:
    """Read what the last study found; None before the first."""
    file = resources.files("factory.validate").joinpath(KEPT)
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def interval(values: Floats) -> tuple[float, float, float]:
    """Mean of independent units and its 95 % interval by Student's t."""
    mean = float(values.mean())
    half = float(student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return mean, mean - half, mean + half


def main() -> None:
    """Run from the command line and keep the result."""
    parser = argparse.ArgumentParser(description="the stop ledger against an ideal radio")
    parser.add_argument("--seeds", type=int, default=16, help="pairs of shifts of each case, default 16")
    parser.add_argument("--first", type=int, default=1, help="seed of the first pair, default 1")
    parser.add_argument("--minutes", type=float, default=6.0, help="length of a shift, default 6")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name(KEPT), help="where to keep the result")
    given = parser.parse_args()
    result: Json = {"minutes": given.minutes, "first_seed": given.first, "scenario": "small", "ideal": [], "cases": {}}
    for seed in range(given.first, given.first + given.seeds):
        result["ideal"].append(one(seed, given.minutes, ["radio.enabled=false", *_COARSE]))
        for name, overrides in cases(given.minutes).items():
            result["cases"].setdefault(name, []).append(one(seed, given.minutes, overrides))
            print(seed, name, result["cases"][name][-1]["orders"], result["ideal"][-1]["orders"], flush=True)
        given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
