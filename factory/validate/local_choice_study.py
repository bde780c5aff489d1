"""Reactive's outer loop beside fixed margins, and devices that choose for themselves beside networks that plan for them.

``python -m factory.validate.local_choice_study`` runs every variant on the same footsteps in the small hall and
the assembly hall, and keeps what it found in ``local_choice.json`` beside this file. A seed is an independent unit. Settings
and rules of the outer loop and of the decentralised policy were chosen on seeds 1 to 3 and 100 to 103, which are none of these.
"""

from __future__ import annotations

import argparse
import json
import time
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from factory.validate.policy_variants import run_variants
from radio.config import RadioConfig, TrpConfig
from radio.policies import Observation, Report, create_policy
from radio.policies.sensing import Sensed

KEPT = "local_choice.json"
HALLS = ("small", "assembly-hall")
FIRST_SEED = 11
MARGINS_DB = (0, 3, 6, 10, 15, 20)
DEVICES = (5, 10, 20, 40, 80)
POLICIES = ("static", "reactive", "duplicate", "human_aware", "decentralised")
Json = dict[str, Any]

_LOOP = "radio.link_adaptation.outer_loop.enabled=true"


def variants(seconds: float) -> dict[str, tuple[str, list[str]]]:
    """Give every variant by name: fixed margins, the outer loop, devices that choose, and a centre that is silent for a third."""
    silent = f"radio.centre_outages=[{{start_s: {seconds / 3:g}, duration_s: {seconds / 3:g}}}]"
    no_eyes, no_ears = "radio.decentralised.sensing_radius_m=0", "radio.decentralised.hear_radius_m=0"
    found: dict[str, tuple[str, list[str]]] = {
        f"reactive, margin {m} dB": ("reactive", [f"radio.link_adaptation.margin_db={m}"]) for m in MARGINS_DB
    }
    found["reactive, outer loop"] = ("reactive", [_LOOP])
    for name in ("static", "duplicate", "human_aware", "decentralised"):
        found[name] = (name, [])
    found["decentralised, no sensors"] = ("decentralised", [no_eyes])
    found["decentralised, no beacons"] = ("decentralised", [no_ears])
    found["decentralised, neither"] = ("decentralised", [no_eyes, no_ears])
    found["decentralised, outer loop"] = ("decentralised", [_LOOP])
    for name in ("reactive", "duplicate", "human_aware", "decentralised"):
        found[f"{name}, centre silent"] = (name, [silent])
    return found


def planning_ms(name: str, n_ue: int, ticks: int = 300) -> float:
    """Return the mean time of a plan for ``n_ue`` devices over reports that change every 20 ms [ms]."""
    trps = tuple(TrpConfig(name=f"trp-{t}", position_m=(10.0 * t, 5.0, 7.0)) for t in range(4))
    config, rng = RadioConfig(trps=trps), np.random.default_rng(n_ue)
    budget = np.zeros((3, 4))
    base = rng.uniform(-10, 40, (n_ue, 4, 64, 4))
    gains = [10.0 ** (0.1 * (base + k)) for k in range(4)]
    policy, load, legs = create_policy(name, config, n_ue), np.zeros(4), rng.uniform(5, 25, (n_ue, 2))
    place, bodies = rng.uniform(0, 30, (n_ue, 2)), rng.uniform(0, 30, (n_ue, 30, 2))
    apart = np.linalg.norm(place[:, None] - place[None], axis=2)
    spent_ns = 0
    for k in range(ticks):
        now = 10_000 * k
        report = Report(now - now % 20_000, gains[k // 2 % 4], budget)
        ahead = tuple(Report(now - now % 100_000 + h, gains[0], budget) for h in (100_000, 250_000, 500_000))
        sensed = Sensed(
            report, now - now % 50_000, place, np.ones(n_ue), bodies, np.full(30, 1.8), np.full(30, 0.25), apart < 15.0, apart,
            np.ones(n_ue, np.bool_),
        )  # fmt: skip
        seen = Observation(now, report, report, now - 10_000, 1, legs, legs, load, load, ahead, None, None, sensed)
        report.best()  # found once for all policies
        begin = time.process_time_ns()
        policy.plan(seen)
        spent_ns += time.process_time_ns() - begin if k >= 20 else 0
    return spent_ns / (ticks - 20) * 1e-6


def signalling_bits(changes: Json, policy: str, n_ue: int, seconds: float, config: RadioConfig, beacons: bool = True) -> float:
    """Return what choosing beams costs a device [bit/s], by the sizes of ``radio.signalling``; how sweeps are sent is left out.

    Of a central policy a device sends a report per SSB period, and is told beams, TRPs and second legs; by ``static`` it sends
    none. A device that chooses sends requests, for which it gets the same answers, and beacons.
    """
    sizes = config.signalling
    told = changes["beam"] + changes["second_leg"] + changes["second_leg_given_up"]
    bits = told * sizes.indication_bits + changes["trp"] * sizes.handover_bits
    if policy == "decentralised":
        bits += (told + changes["trp"]) * sizes.request_bits
        if beacons:
            bits += n_ue * seconds * 1000.0 / config.decentralised.beacon_period_ms * sizes.beacon_bits
    elif policy != "static":
        bits += n_ue * seconds * 1000.0 / config.beam_management.ssb_period_ms * sizes.report_bits
    return float(bits / (n_ue * seconds))


def study(seeds: int, seconds: float) -> Json:
    """Run everything; minutes."""
    chosen, drawn = variants(seconds), list(range(FIRST_SEED, FIRST_SEED + seeds))
    halls = {hall: [run_variants(hall, [f"seed={s}"], chosen, seconds) for s in drawn] for hall in HALLS}
    planning = {name: [planning_ms(name, n) for n in DEVICES] for name in POLICIES}
    return {"seconds": seconds, "seeds": drawn, "halls": halls, "devices": list(DEVICES), "planning_ms": planning}


def kept() -> Json | None:
    """Return what the study found, None before it ran."""
    file = resources.files("factory.validate") / KEPT
    found: Json | None = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
    return found


def main() -> None:
    """Run the study and keep what it found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=60.0)
    asked = parser.parse_args()
    text = json.dumps(study(asked.seeds, asked.seconds), indent=1)
    Path(__file__).with_name(KEPT).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
