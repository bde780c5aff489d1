"""Several networks on the same footsteps: one hall, one acting policy, and beside it as many variants as are asked for.

A run compares policies of one radio section. Here each variant has overrides of its own (a margin, a sensor's radius), yet
meets the same people, the same channel and, by numbered draws, the same luck, since none of them moves a machine.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from factory.rooms import draw_seed, generator
from factory.scenario import load_scenario
from radio.network import Known, Network
from radio.policies.sensing import Sensing
from radio.types import Plan, Sweep

Json = dict[str, Any]


class _Sensing(Network):
    """A network whose devices have sensors of their own settings, and not those of the hall's radio section."""

    sensing: Sensing | None = None

    def decide(self, known: Known) -> Plan:
        """Plan the tick from what is known at its start."""
        return super().decide(known if self.sensing is None else dataclasses.replace(known, sensed=self.sensing.now()))


def run_variants(hall: str, overrides: Sequence[str], variants: Mapping[str, tuple[str, Sequence[str]]], seconds: float) -> Json:
    """Run a hall with its acting policy and every variant beside it.

    Parameters
    ----------
    hall : name of a shipped scenario.
    overrides : settings that all share, among them the seed.
    variants : by name, a policy and settings of its own, which must not change the channel.
    seconds : simulated time [s].

    Returns
    -------
    By variant: expected outages, unavailability and messages of every service, symbols spent, beams and legs changed, and share
    of ticks with a second leg.
    """
    from factory.twin import Twin  # with Bullet, which who reads the kept result does not need

    acting = [
        "radio.policy=reactive",
        f"radio.compare=[{', '.join(sorted({p for p, _ in variants.values()} - {'decentralised'}))}]",
    ]
    twin = Twin(load_scenario(hall, [*overrides, *acting]))
    radio, n_ue = twin.scenario.radio, len(twin.devices)
    twin.networks, twin.accounts = twin.networks[:1], twin.accounts[:1]
    added: list[_Sensing] = []
    for policy, own in variants.values():
        section = load_scenario(hall, [*overrides, *own]).scenario.radio
        if any(getattr(section, name) != getattr(radio, name) for name in _SHARED):
            raise ValueError(f"settings {list(own)} of a variant change the channel, which all variants share")
        network = _Sensing(section, twin.channel, twin.traffic, policy, n_ue, draw_seed(twin.scenario.seed))
        if policy == "decentralised":
            network.sensing = Sensing(section, generator(twin.scenario.seed, "sensing"))
        added.append(network)
    twin.networks = (*twin.networks, *added)
    twin.accounts = (*twin.accounts, *(type(twin.accounts[0])(radio, twin.traffic.service_name, radio.energy) for _ in added))
    changes, spent = np.zeros((len(added), 4), np.int64), np.zeros((len(added), len(twin.traffic.service_name)))
    before: list[Any] = [None] * len(added)
    swept_us = -1
    while twin.time_us < seconds * 1e6:
        tick = twin.tick()
        newest, known = twin.ether.newest, tick.air.known if tick.air is not None else None
        for network in added:
            if network.sensing is not None and newest is not None and known is not None:
                if newest.time_us != swept_us:
                    network.sensing.measure(Sweep(newest.time_us, newest.gain))
                network.sensing.look(known.time_us, known.dt_us, known.ues, tick.scene.blockers)
        swept_us = -1 if newest is None else newest.time_us
        for k, network in enumerate(added):
            spent[k] += tick.delivered[1 + k].spent_by_service.sum(axis=(1, 2))
            if network.plan is not before[k]:
                changes[k] += changed(before[k], network.plan)
                before[k] = network.plan
    twin.close()
    found: Json = {}
    for k, (name, network) in enumerate(zip(variants, added, strict=True)):
        result = network.kpi.result(seconds, 20)
        found[name] = {
            "devices": n_ue,
            "services": _services(result["services"], spent[k]),
            "changes": dict(zip(CHANGES, changes[k].tolist(), strict=True)),
            "second_leg_share": result["resources"]["second_leg_share"],
        }
    return found


_SHARED = (
    "trps", "carrier", "carriers", "ue", "paths", "blockage", "remainder", "channel", "inf", "materials", "services",
)  # fmt: skip
CHANGES = ("beam", "trp", "second_leg", "second_leg_given_up")


def changed(before: Any, plan: Any) -> list[int]:
    """Count what a plan changes: beams of the same TRP, TRPs, second legs that are new or others, second legs given up."""
    if before is None:
        return [0] * len(CHANGES)
    trp, old = plan.trp, before.trp
    moved, same = trp[:, 0] != old[:, 0], trp[:, 0] == old[:, 0]
    beam = same & (plan.beam[:, 0] != before.beam[:, 0])
    second = (trp[:, 1] >= 0) & ((trp[:, 1] != old[:, 1]) | (plan.beam[:, 1] != before.beam[:, 1]))
    swapped = moved & (trp[:, 0] == old[:, 1]) & (trp[:, 1] == old[:, 0])
    given_up = (trp[:, 1] < 0) & (old[:, 1] >= 0)
    return [int(beam.sum()), int((moved & ~swapped).sum()), int((second & ~swapped).sum()), int(given_up.sum())]


def _services(services: Sequence[Json], spent: npt.NDArray[np.float64]) -> Json:
    return {
        s["name"]: {
            "messages": s["messages"],
            "lost": s.get("lost", 0),
            "expected_outages": s.get("expected_outages", 0.0),
            "unavailability": s["unavailability"]["value"] if "unavailability" in s else None,
            "symbols": float(spent[v]),
            "causes": s.get("causes", {}),
        }
        for v, s in enumerate(services)
    }
