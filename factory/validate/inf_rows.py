"""The statistical InF channel beside calibration results."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import numpy.typing as npt

from factory.validate.rows import Row
from radio.propagation.inf import Scenario, coupling_loss_samples

Floats = npt.NDArray[np.float64]

_PERCENT = (5, 25, 50, 75, 95)
_COUPLING_DB: dict[tuple[Scenario, float], tuple[float, ...]] = {
    ("SL", 3.5): (49.3, 56.8, 60.6, 63.8, 67.8),
    ("SL", 28.0): (66.4, 74.1, 77.9, 81.0, 85.1),
    ("DL", 3.5): (59.5, 69.3, 74.6, 79.0, 84.5),
    ("DL", 28.0): (77.4, 87.3, 92.5, 97.0, 102.5),
    ("SH", 3.5): (60.2, 65.9, 69.3, 72.0, 75.4),
    ("SH", 28.0): (77.5, 83.2, 86.5, 89.3, 92.7),
    ("DH", 3.5): (57.9, 62.5, 65.3, 67.6, 70.6),
    ("DH", 28.0): (75.6, 80.5, 83.3, 85.6, 88.7),
}
_SIR_PERCENT = (5, 50, 95)
_SIR_DB: dict[Scenario, tuple[float, ...]] = {
    "SL": (-3.8, 2.1, 15.0),
    "DL": (-2.7, 4.8, 22.0),
    "SH": (-4.8, 0.4, 10.0),
    "DH": (-5.3, -0.9, 7.0),
}
_SNAPSHOT_DB = {1: 72.67, 5: 76.06, 25: 80.75, 50: 83.46, 75: 85.79, 95: 88.66, 99: 90.68}
_UES = 20_000


def inf_rows() -> Iterator[Row]:
    """Coupling loss to the serving TRP, and SIR of all TRPs at full power, in the layout of TR 38.901 table 7.8-7."""
    table, source = "InF calibration layout", "table 7.8-7, second implementation, 20 000 UEs"
    for (scenario, ghz), expected in _COUPLING_DB.items():
        ours = np.percentile(_drop(scenario, ghz)[0], _PERCENT)
        for percent, value, db in zip(_PERCENT, ours, expected, strict=True):
            yield Row(table, f"InF-{scenario}, {ghz:g} GHz, coupling loss, {percent} %", float(value), db, "dB", 1.0, source)
    for scenario, levels in _SIR_DB.items():
        ours = np.percentile(_drop(scenario, 28.0)[1], _SIR_PERCENT)
        for percent, value, db in zip(_SIR_PERCENT, ours, levels, strict=True):
            yield Row(table, f"InF-{scenario}, 28 GHz, SIR, {percent} %", float(value), db, "dB", 1.0, source)
    ours = np.percentile(_drop("DH", 28.0)[0], tuple(_SNAPSHOT_DB))
    for (percent, db), value in zip(_SNAPSHOT_DB.items(), ours, strict=True):
        case = f"InF-DH, 28 GHz, coupling loss, {percent} %"
        yield Row(table, case, float(value), db, "dB", 1.0, "Sionna's calibration snapshot, 8 100 UEs")


@cache
def _drop(scenario: Scenario, ghz: float) -> tuple[Floats, Floats]:
    """Coupling losses and SIR of the UEs of one drop (n,) [dB]."""
    samples = coupling_loss_samples(scenario, ghz * 1e9, _UES, np.random.default_rng(38901))
    return samples.coupling_loss_db, samples.sir_db
