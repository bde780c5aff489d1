"""Relative energy of base stations beside TR 38.864, worked by hand from its table and scaling law."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from factory.validate.rows import Row
from radio.config import RadioConfig, TrpConfig
from radio.figures.energy import POWER_MODELS, ResourceAccount, downlink_power, sleep_energy, uplink_power
from radio.figures.energy_config import SetName

_TABLE = "Relative energy of transmission points"
_SOURCE = "TR 38.864 v18.1.0 by 5G-LENA"
# Category, reference configuration, load: shares of chains and band, and the power that the table and the law give by hand.
_DOWNLINK: tuple[tuple[int, SetName, float, float, float], ...] = (
    (1, "set1", 1.0, 1.0, 280.0),
    (1, "set1", 0.5, 1.0, 167.5),
    (1, "set3", 1.0, 0.5, 117.8),
    (1, "set3", 1.0, 0.0, 83.6),
    (2, "set1", 1.0, 1.0, 32.0),
)
_TICK_US, _TICKS = 10_000, 100


def energy_rows() -> Iterator[Row]:
    """Return rows on powers of the states, on sleep, and on what an idle and a busy TRP take."""
    for category, name, chains, band, by_hand in _DOWNLINK:
        case = f"category {category} {name}, sending with {chains:g} of its chains on {band:g} of its band"
        yield Row(_TABLE, case, downlink_power(POWER_MODELS[category, name], chains, band), by_hand, "1", 0.05, _SOURCE)
    power = uplink_power(POWER_MODELS[1, "set3"], 0.5)
    yield Row(_TABLE, "category 1 set3, receiving with half of its chains", power, 59.0, "1", 0.05, _SOURCE)
    for gap_ms, by_hand in ((2.0, 76.0), (10.0, 340.0), (100.0, 1100.0)):
        energy = sleep_energy(POWER_MODELS[1, "set3"], gap_ms, "deep")
        case = f"category 1 set3, gap of {gap_ms:g} ms, the state that takes least"
        yield Row(_TABLE, case, energy, by_hand, "power x ms", 0.05, f"{_SOURCE}; sleeping all along, transitions beside it")
    radio = RadioConfig(trps=(TrpConfig(name="trp", position_m=(1.0, 1.0, 3.0)),))
    for case, share in (("idle", 0.0), ("half of all symbols", 0.5), ("every symbol", 1.0)):
        account = ResourceAccount(radio, ("service",))
        there = np.full((2, 1), 560)
        for k in range(_TICKS):
            account.add_tick(k * _TICK_US, _TICK_US, (share * there).astype(np.int64), there)
        power = account.result()["mean_relative_power"]
        note = "28 GHz, 64 beams, SSB every 20 ms, control symbols not counted"
        yield Row(_TABLE, f"mean relative power of a TRP, {case}", power, np.nan, "1", 0.1, note, "reported")
