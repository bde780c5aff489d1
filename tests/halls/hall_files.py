"""The halls of the policy study, and the link budgets that they are said to have."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from factory.scenario import LoadedScenario, load_scenario
from radio.config import RadioConfig

FOLDER = Path(__file__).parents[2] / "examples" / "policies" / "halls"
REGIMES = ("aisle-ends", "narrow-licence", "shared-chain", "panel-crowd", "cell-140ghz", "trp-out", "well-planned")
GENERATED = {"generated-11": 11, "generated-12": 12, "generated-14": 14, "generated-17": 17}
THERMAL_DBM_PER_HZ = 10.0 * math.log10(1.380649e-23 * 290.0) + 30.0


@dataclass(frozen=True)
class Row:
    """A link budget: carrier [Hz], bandwidth [Hz] of its noise, direction, SNR at 10, 25 and 50 m [dB]."""

    frequency_hz: float
    bandwidth_hz: float
    uplink: bool
    snr_db: tuple[float, float, float]


# Free space, no body, peak beams; the noise is that of the named bandwidth, whatever the hall's carrier has.
ROWS = {
    "28 GHz, 30 dBm": Row(28e9, 100e6, False, (71, 63, 57)),
    "28 GHz, uplink 23 dBm": Row(28e9, 20e6, True, (74, 66, 60)),
    "28 GHz, 24 dBm, isotropic": Row(28e9, 400e6, False, (48, 40, 34)),
    "3.7 GHz, 24 dBm, isotropic": Row(3.7e9, 100e6, False, (50, 42, 36)),
    "140 GHz, 10 dBm": Row(140e9, 2e9, False, (35, 27, 21)),
}
WIDE, LICENCE = ("28 GHz, 24 dBm, isotropic",), ("3.7 GHz, 24 dBm, isotropic",)
CELL = ("140 GHz, 10 dBm",)
BEAMS = ("28 GHz, 30 dBm", "28 GHz, uplink 23 dBm")
ROWS_OF = {
    "aisle-ends": WIDE, "narrow-licence": LICENCE, "shared-chain": BEAMS, "panel-crowd": WIDE, "cell-140ghz": CELL,
    "trp-out": WIDE, "well-planned": BEAMS, "generated-11": WIDE, "generated-12": BEAMS, "generated-14": WIDE,
    "generated-17": LICENCE,
}  # fmt: skip


def load(name: str, *overrides: str) -> LoadedScenario:
    """Load a hall of the study."""
    return load_scenario(str(FOLDER / f"{name}.yaml"), overrides)


def snr_db(radio: RadioConfig, trp: int, row: Row, distance_m: float) -> float:
    """Free-space SNR with peak beams: the hall's powers, antennas and noise figures at the row's frequency and bandwidth [dB].

    TR 38.901 table 7.3-1 has 8 dBi an element and TRP; the devices' elements have 5 dBi.
    """
    at, ue = radio.trps[trp], radio.ue
    trp_gain_db = 8.0 + 10.0 * math.log10(at.panel.rows * at.panel.columns) + at.gain_offset_db
    ue_gain_db = {
        "isotropic": 0.0,
        "dipole": 2.15,
        "quad_sector": 5.0 + 10.0 * math.log10(4),
        "panel": 5.0 + 10.0 * math.log10(ue.panel.rows * ue.panel.columns),
    }[ue.antenna]
    path_loss_db = 20.0 * math.log10(4.0 * math.pi * distance_m * row.frequency_hz / 299_792_458.0)
    power_dbm, noise_figure_db = (ue.tx_power_dbm, at.noise_figure_db) if row.uplink else (at.tx_power_dbm, ue.noise_figure_db)
    noise_dbm = THERMAL_DBM_PER_HZ + 10.0 * math.log10(row.bandwidth_hz) + noise_figure_db
    return power_dbm + trp_gain_db + ue_gain_db - path_loss_db - noise_dbm
