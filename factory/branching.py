"""A twin that goes on otherwise from the present moment: another policy, a TRP moved, turned, stronger or off.

People, machines, orders and stops stay where they are. The radio begins anew, in the unchanged branch too, so that both attach
their devices in the same instant and their figures begin there. What a state cannot take (other people, other racks, other
services: their walkways, routes and streams are woven into it) is told by :func:`why_not`.
"""

from __future__ import annotations

import json
from typing import Any

from factory.rooms import channel_seed, draw_seed, generator, radio_hall
from factory.scenario import LoadedScenario, Locator, Scenario, apply_override, validated
from factory.twin import Twin
from radio.figures.energy import ResourceAccount
from radio.links import Channel
from radio.network import Ether, create_networks

TRP_KEYS = frozenset(
    {"position_m", "azimuth_deg", "downtilt_deg", "tx_power_dbm", "noise_figure_db", "gain_offset_db", "polarisation_deg"}
)
"""What may differ of a TRP: a state's traffic and devices fit whatever it is."""
RADIO_KEYS = frozenset({"policy", "compare", "outages", "trps", "human_aware"})


def present(twin: Twin) -> LoadedScenario:
    """Return the scenario with the policy that acts now, no other to compare it with, and the TRPs that were switched off."""
    if not twin.networks:
        return changed(twin.loaded, [])
    changes = [f"radio.policy={twin.networks[0].policy}", "radio.compare=[]"]
    if twin.steering.off:
        outages = [outage.model_dump(mode="json", exclude_none=True) for outage in twin.steering.outages()]
        changes.append(f"radio.outages={json.dumps(outages)}")
    return changed(twin.loaded, changes)


def changed(loaded: LoadedScenario, changes: list[str] | tuple[str, ...]) -> LoadedScenario:
    """Return a scenario with changes ``key=value``.

    Raises
    ------
    UserError
        For a change that is none, or makes the scenario invalid.
    """
    root: dict[str, Any] = loaded.scenario.model_dump(mode="json", exclude_unset=True)
    places: dict[tuple[str | int, ...], str] = {}
    for change in changes:
        apply_override(root, change, places)
    locator = Locator(str(loaded.path), root, places)
    return LoadedScenario(validated(root, locator), loaded.text, loaded.path, locator)


def why_not(before: Scenario, after: Scenario) -> str:
    """Say why a change needs a scenario that begins anew, "" where the present state can take it."""
    one, two = (s.model_dump(mode="json") for s in (before, after))
    for key in one:
        if key == "radio" or one[key] == two[key]:
            continue
        return f"{key} differs, which the state of now cannot take"
    for key in one["radio"]:
        if one["radio"][key] != two["radio"][key] and key not in RADIO_KEYS:
            return f"radio.{key} differs, which the state of now cannot take"
    before_trps, after_trps = one["radio"]["trps"], two["radio"]["trps"]
    if len(before_trps) != len(after_trps):
        return "the number of TRPs differs, which the state of now cannot take"
    for trp, other in zip(before_trps, after_trps, strict=True):
        differing = {k for k in trp if trp[k] != other[k]} - TRP_KEYS
        if differing:
            return f"{min(differing)} of TRP {trp['name']} differs, which the state of now cannot take"
    return "" if one["radio"]["enabled"] else "the scenario has no radio"


def branch(twin: Twin, loaded: LoadedScenario, channel: Channel) -> None:
    """Let a twin go on under another radio section from now on; its figures of messages begin anew.

    Parameters
    ----------
    twin : between two ticks.
    loaded : the scenario from here on, one for which :func:`why_not` has nothing to say.
    channel : channel of its radio section, see :func:`channel_of`.
    """
    radio = loaded.scenario.radio
    twin.loaded, twin.scenario, twin.channel = loaded, loaded.scenario, channel
    twin.ether = Ether(radio, channel, generator(loaded.scenario.seed, "sensing"))
    twin.networks = create_networks(
        radio, channel, twin.traffic, radio.policies[:1], len(twin.devices), draw_seed(loaded.scenario.seed)
    )
    twin.accounts = tuple(ResourceAccount(radio, twin.traffic.service_name, radio.energy) for _ in twin.networks)


def channel_of(loaded: LoadedScenario) -> Channel:
    """Return the channel of a scenario."""
    return Channel(loaded.scenario.radio, radio_hall(loaded.scenario.hall), seed=channel_seed(loaded.scenario.seed))
