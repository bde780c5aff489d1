"""Synthetic logs for the tests of calibration: a device walked through a hall whose truth differs from the scenario."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from radio.config import PanelConfig, RadioConfig, TrpConfig
from radio.fitting.calibration import CalibrationSettings, calibrate, parameters_of
from radio.fitting.calibration_csv import MeasurementLog
from radio.fitting.calibration_model import ForwardModel, Parameter
from radio.fitting.calibration_result import CalibrationResult
from radio.propagation.geometry import Hall

TRPS = (
    TrpConfig(name="west", position_m=(1.0, 10.0, 5.0), azimuth_deg=0, downtilt_deg=15),
    TrpConfig(name="east", position_m=(29.0, 10.0, 5.0), azimuth_deg=180, downtilt_deg=15),
    TrpConfig(name="north", position_m=(15.0, 19.0, 5.0), azimuth_deg=-90, downtilt_deg=20, panel=PanelConfig(rows=4, columns=4)),
)
SETTINGS = CalibrationSettings()
Truth = dict[tuple[str, str], float]


def hall() -> Hall:
    """30 x 20 x 6 m with a rack and a machine."""
    return Hall(
        np.array([30.0, 20.0, 6.0]),
        np.array([[18.0, 6.0, 1.5], [8.0, 14.0, 1.0]]),
        np.array([[5.0, 0.6, 1.5], [1.5, 1.0, 1.0]]),
        np.array([0.0, 0.3]),
        ("chipboard", "metal"),
        ceiling_material="plasterboard",
    )


def config(**changes: object) -> RadioConfig:
    return RadioConfig(**{"trps": TRPS, **changes})  # type: ignore[arg-type]


def walk(rng: np.random.Generator, n: int) -> np.ndarray:
    """Places (n, 3) of a device on a random walk between way-points outside the boxes [m]."""
    room, found, at = hall(), [], np.array([15.0, 11.0])
    goal = at
    while len(found) < n:
        if np.linalg.norm(goal - at) < 0.3:
            goal = rng.uniform([1.0, 1.0], [29.0, 19.0])
        step = at + 0.25 * (goal - at) / max(float(np.linalg.norm(goal - at)), 1e-9)
        if room.inside_any_box(np.array([[*step, 1.2]]))[0]:
            goal = at
            continue
        at = step
        found.append([*at, 1.2])
    return np.array(found)


def log_of(position_m: np.ndarray, n_trp: int = 3, interval_s: float = 0.5) -> MeasurementLog:
    """Log without values, one row per TRP and place."""
    n = len(position_m) * n_trp
    return MeasurementLog(
        time_s=np.repeat(np.arange(len(position_m)) * interval_s, n_trp),
        trp=np.tile(np.arange(n_trp), len(position_m)),
        position_m=np.repeat(position_m, n_trp, axis=0),
        rsrp_dbm=np.zeros(n),
        beam=np.full(n, -1),
        heading_rad=np.full(n, np.nan),
        line=np.arange(n) + 2,
    )


def draw(rng: np.random.Generator, parameters: tuple[Parameter, ...]) -> np.ndarray:
    """Offsets (K,) drawn from the priors."""
    return rng.normal(size=len(parameters)) * np.array([p.prior_sd for p in parameters])


def measured(
    radio: RadioConfig, log: MeasurementLog, x: np.ndarray, rng: np.random.Generator | None = None, noise_db: float = 2.0
) -> MeasurementLog:
    """Fill in what the forward model says at offsets ``x``, with noise."""
    model = ForwardModel(radio, hall(), log, parameters_of(radio, hall(), SETTINGS))
    rsrp = np.full(len(log.line), np.nan)
    rsrp[model.covered] = model.predict(x)
    if rng is not None:
        rsrp += rng.normal(scale=noise_db, size=len(rsrp))
    return replace(log, rsrp_dbm=rsrp)


def fit(log: MeasurementLog, **settings: object) -> CalibrationResult:
    return calibrate(config(), hall(), log, CalibrationSettings(**settings))  # type: ignore[arg-type]
