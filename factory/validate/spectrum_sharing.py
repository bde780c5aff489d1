"""A secondary system on the hall's carrier, and what it costs the primary: silent, always on, or on by permission.

``python -m factory.validate.spectrum_sharing`` runs the assembly hall with reactive networks on the same footsteps, one for
each mode and power of the secondary, and keeps what it found in ``spectrum_sharing.json`` beside this file. The permission
lasts ``STEP_US`` and rests on the latest report and on forecast sweeps of the legs in use. Seeds are the independent units.
"""

from __future__ import annotations

import argparse
import json
from importlib import resources
from pathlib import Path
from typing import Any, cast

import numpy as np
from scipy.stats import t as student

from factory.rooms import channel_seed, draw_seed, radio_hall
from factory.scenario import load_scenario
from radio.links import Channel
from radio.network import Network, step_all
from radio.policies.base import evm_ceiling
from radio.policies.spectrum_access import AccessControl, Heard, Secondary, SecondaryChannel, disturb
from radio.types import LinkStates

KEPT = "spectrum_sharing.json"
HALL = "assembly-hall"
PLACE_M, AZIMUTH_DEG = (20.0, 20.0, 1.5), 0.0
POWERS_DBM = (-10.0, 5.0, 20.0)
MODES = ("none", "permitted", "always")
STEP_US = 100_000
FIRST_SEED = 31
Json = dict[str, Any]


class Disturbed:
    """The hall's channel with the secondary in it, while that transmits; anything else is the channel's own.

    Parameters
    ----------
    channel : the hall's. evm : EVM's noise-to-signal ratio.
    """

    def __init__(self, channel: Channel, evm: float) -> None:
        self._channel, self._evm = channel, evm
        self.heard: Heard | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)

    def states(self, paths: Any, ues: Any, blockage: Any, plans: Any, *args: Any, **named: Any) -> LinkStates:
        """As the channel's, and disturbed while ``heard`` is there."""
        found = LinkStates.of(self._channel.states(paths, ues, blockage, plans, *args, **named))
        if self.heard is not None:
            disturb(found, tuple(plans), self.heard, self._evm)
        return found


def run(seed: int, seconds: float, powers_dbm: tuple[float, ...]) -> Json:
    """Run the hall; by power and mode the services' figures and the secondary's airtime."""
    from factory.twin import Twin  # with Bullet, which who reads the kept result does not need

    overrides = [f"seed={seed}", "radio.policy=reactive", "radio.compare=[human_aware]"]  # which asks for forecasts
    twin = Twin(load_scenario(HALL, overrides))
    twin.networks, twin.accounts = twin.networks[:1], twin.accounts[:1]
    radio, hall = twin.scenario.radio, radio_hall(twin.scenario.hall)
    control, evm = AccessControl(radio), evm_ceiling(radio)
    cases: dict[tuple[str, str], tuple[Network, Disturbed, SecondaryChannel | None]] = {}
    for power_dbm in powers_dbm:
        source = SecondaryChannel(radio, hall, Secondary(PLACE_M, AZIMUTH_DEG, power_dbm), channel_seed(seed))
        for mode in MODES:
            if mode == "none" and power_dbm != powers_dbm[0]:
                continue
            around = Disturbed(twin.channel, evm)
            network = Network(
                radio, cast(Channel, around), twin.traffic, "reactive", len(twin.devices), draw_seed(twin.scenario.seed)
            )
            cases[f"{power_dbm:g}", mode] = network, around, None if mode == "none" else source
    on = dict.fromkeys(cases, 0)
    open_now = dict.fromkeys(cases, False)
    while twin.time_us < seconds * 1e6:
        tick = twin.tick()
        air = tick.air
        if air is None:
            raise ValueError(f"{HALL} has no radio; spectrum is shared with one")
        known, now = air.known, tick.time_us
        seen: dict[str, Heard] = {}
        for (power, mode), (network, disturbed, secondary) in cases.items():
            plan = network.decide(known)
            if secondary is not None:
                if now % STEP_US == 0:
                    told = (known.report or known.survey, *(known.forecast or ()))
                    empty = secondary.heard(known.ues, None, now, plan)
                    open_now[power, mode] = mode == "always" or control.permits(plan, told, empty)
                disturbed.heard = None
                if open_now[power, mode]:
                    if power not in seen:
                        seen[power] = secondary.heard(known.ues, tick.scene.blockers, now, plan)
                    disturbed.heard = seen[power]
                    on[power, mode] += 1
            step_all((network,), air)
    twin.close()
    ticks = seconds * 1e6 / twin.dt_us
    return {
        power: {
            mode: {"airtime": on[power, mode] / ticks, "services": _services(cases[power, mode][0], seconds)}
            for mode in MODES
            if (power, mode) in cases
        }
        for power in dict.fromkeys(p for p, _ in cases)
    }


def _services(network: Network, seconds: float) -> Json:
    return {
        s["name"]: {"lost": s.get("lost", 0), "expected_outages": s.get("expected_outages", 0.0),
                    "unavailability": s["unavailability"]["value"] if "unavailability" in s else None}
        for s in network.kpi.result(seconds, 20)["services"]
    }  # fmt: skip


def paired(found: Json, power: str, mode: str, service: str) -> tuple[float, float, float]:
    """Return how much unavailability a mode adds to that without secondary, with its 95 % interval by Student's t over seeds."""
    first = f"{POWERS_DBM[0]:g}"
    more = np.array(
        [
            r[power][mode]["services"][service]["unavailability"] - r[first]["none"]["services"][service]["unavailability"]
            for r in found["runs"]
        ]
    )
    half = float(student.ppf(0.975, len(more) - 1) * more.std(ddof=1) / np.sqrt(len(more)))
    return float(more.mean()), float(more.mean()) - half, float(more.mean()) + half


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
    seeds = list(range(FIRST_SEED, FIRST_SEED + asked.seeds))
    found = {"seconds": asked.seconds, "seeds": seeds, "runs": [run(s, asked.seconds, POWERS_DBM) for s in seeds]}
    Path(__file__).with_name(KEPT).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
