"""Fit the radio of a scenario to measured RSRP.

    log = read_log(open("walk.csv"), config, hall)
    result = calibrate(config, hall, log)

The fit is the maximum of a posterior: robust likelihood of the residuals times Gaussian priors around the scenario's values
(``CalibrationSettings``), found with ``scipy.optimize.least_squares``. Its scheme is an MM-estimate: a convex loss finds the
place and the scale of the residuals, then Tukey's biweight (Huber and Ronchetti, Robust Statistics, 2009, ch. 7) gives rows far
off, such as those behind a person, no weight at all. Neighbouring rows of a log share their surroundings, so each TRP's rows
count as ``n / (1 + 2 sum of autocorrelations)`` (Sokal 1997), in the fit and in the intervals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from radio.config import RadioConfig
from radio.fitting.calibration_csv import MeasurementLog
from radio.fitting.calibration_estimate import (
    Task,
    angle_modes,
    angle_starts,
    correlated_rows,
    covariance_of,
    minimise,
    other_values,
    scale_db,
)
from radio.fitting.calibration_model import CONDUCTOR_PERMITTIVITY, ForwardModel, Parameter, hall_materials
from radio.fitting.calibration_result import CalibrationResult, Comparison
from radio.fitting.calibration_words import Outcome, finish
from radio.propagation.geometry import Hall, prepare_hall
from radio.types import Blockers, BoolArray, FloatArray, IntArray

Group = Literal["common_gain", "power", "azimuth", "downtilt", "materials", "body_scale"]
# Whole-dB steps alone leave 0.29 dB; below this a scale says more about rounding than about the radio.
SMALLEST_NOISE_DB = 0.3


class CalibrationSettings(BaseModel):
    """What is fitted, and what is believed before the log is seen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fit: tuple[Group, ...] = Field(
        ("common_gain", "power", "azimuth", "downtilt", "materials", "body_scale"),
        min_length=1,
        description="Groups of parameters to fit; body_scale is fitted only where the log comes with bodies.",
    )
    rsrp_per: Literal["resource_element", "carrier"] = Field(
        "resource_element",
        description="Power that the log holds: of one resource element (TS 38.215 SS-RSRP) or of the whole carrier.",
    )
    common_gain_sd_db: float = Field(3.0, gt=0, le=40, description="Prior standard deviation of the receiver's gain error in dB.")
    power_sd_db: float = Field(3.0, gt=0, le=40, description="Prior standard deviation of each TRP's power error in dB.")
    angle_sd_deg: float = Field(5.0, gt=0, le=45, description="Prior standard deviation of azimuth and downtilt in degrees.")
    permittivity_sd: float = Field(
        0.3, gt=0, le=2, description="Prior standard deviation of the natural logarithm of relative permittivities."
    )
    conductivity_sd: float = Field(
        0.3, gt=0, le=2, description="Prior standard deviation of the natural logarithm of conductivities."
    )
    body_scale_sd: float = Field(0.2, gt=0, le=1, description="Prior standard deviation of the body scale around 1.")
    loss: Literal["tukey", "soft_l1", "linear"] = Field(
        "tukey", description="What a row far off costs: nothing more (tukey), in proportion (soft_l1), its square (linear)."
    )
    blocks: int = Field(20, ge=4, le=1000, description="Equal parts of the log in time; every fourth is held out.")
    smallest_rows: int = Field(30, ge=1, le=100000, description="Rows of a TRP below which its angles stay as they are.")
    smallest_spread_deg: float = Field(
        3.0, ge=0, le=90, description="Cone that a TRP's rows must fill for its angles to be fitted, in degrees."
    )


@dataclass(frozen=True, slots=True)
class _Fit:
    """Offsets, scale, rows that count as one per TRP, covariance, and other offsets that fit as well."""

    x: FloatArray
    noise_db: float
    correlation: FloatArray
    covariance: FloatArray
    rivals: dict[int, float]


def calibrate(
    config: RadioConfig,
    hall: Hall,
    log: MeasurementLog,
    settings: CalibrationSettings | None = None,
    bodies: Callable[[float], Blockers] | None = None,
) -> CalibrationResult:
    """Fit powers, panel angles, materials and, with bodies, their scale to a log.

    Parameters
    ----------
    config : radio section of the scenario.
    hall : its hall.
    log : measurements, see ``radio.fitting.calibration_csv.read_log``.
    settings : what to fit and the priors; defaults when absent.
    bodies : bodies in the hall at a time of the log [s]; the hall is taken as empty when absent.

    Returns
    -------
    CalibrationResult
        Fitted to three quarters of the log; the rest, whole blocks of time, only judges it.

    Raises
    ------
    ValueError
        If the configuration has no geometry, or the model finds no path to any place of the log.

    Notes
    -----
    Intervals are 95 %, from the Gauss-Newton covariance with Huber's correction for the loss, priors included. Where a TRP's rows
    cannot tell its angles at all (too few, or all in one direction) these are held and their prior uncertainty is carried over to
    the other parameters' intervals.
    """
    settings = settings or CalibrationSettings()
    if config.channel != "geometric":
        raise ValueError(f"channel is {config.channel!r}; calibration needs the hall's paths, wanted channel: geometric")
    parameters = parameters_of(config, hall, settings, bodies is not None)
    model = ForwardModel(config, hall, log, parameters, settings.rsrp_per, bodies)
    if model.n_rows == 0:
        raise ValueError(
            f"the model finds no path to any of the {log.n_heard} places where a TRP was heard; "
            "check the places' frame (x along the hall, y across, z up, in m) and the TRPs' positions"
        )
    held_out = _held_out(model.time_s, settings.blocks)
    train = ~held_out
    rows = np.bincount(model.trp[train], minlength=len(config.trps))
    held = np.array([_cannot_tell(p, rows, model.departure_spread_deg, settings) for p in parameters], dtype=object)
    free = np.array([not reason for reason in held])
    fit = _fit(model, train, free, settings)
    before, after = model.measured_dbm - model.predict(np.zeros(len(parameters))), model.measured_dbm - model.predict(fit.x)
    names = tuple(t.name for t in config.trps)
    return finish(
        Outcome(
            config=config,
            materials=model.material_names,
            permittivity=model.nominal_permittivity,
            frequency_hz=model.frequency_hz,
            parameters=parameters,
            x=fit.x,
            covariance=fit.covariance,
            held_reason=tuple(str(reason) for reason in held),
            rivals=fit.rivals,
            noise_db=fit.noise_db,
            rows=rows,
            effective_rows=rows / fit.correlation,
            spread_deg=model.departure_spread_deg,
            trained=Comparison.of(before[train], after[train], model.trp[train], names),
            held_out=Comparison.of(before[held_out], after[held_out], model.trp[held_out], names) if held_out.any() else None,
            uncovered=log.n_heard - model.n_rows,
            log=log,
            headed=bool(np.isfinite(log.heading_rad).all()),
            rsrp_per=settings.rsrp_per,
        )
    )


def parameters_of(
    config: RadioConfig, hall: Hall, settings: CalibrationSettings, with_bodies: bool = False
) -> tuple[Parameter, ...]:
    """Return the unknowns of a fit: of every TRP, of every material in use that is no conductor, and of bodies if any."""
    found: list[Parameter] = []
    wanted = settings.fit
    if "common_gain" in wanted:
        found.append(Parameter("common_gain", "", -1, "dB", settings.common_gain_sd_db, 30.0))
    for kind, unit, sd, bound in (
        ("power", "dB", settings.power_sd_db, 30.0),
        ("azimuth", "deg", settings.angle_sd_deg, 30.0),
        ("downtilt", "deg", settings.angle_sd_deg, 30.0),
    ):
        if kind in wanted:
            found += [Parameter(kind, t.name, i, unit, sd, bound) for i, t in enumerate(config.trps)]
    if "materials" in wanted:
        names, eps = hall_materials(hall, prepare_hall(hall, [c.frequency_hz for c in config.used_carriers]))
        for kind, sd in (("permittivity", settings.permittivity_sd), ("conductivity", settings.conductivity_sd)):
            for i, name in enumerate(names):
                if (np.abs(eps[:, i]) < CONDUCTOR_PERMITTIVITY).all() and (kind == "permittivity" or (eps[:, i].imag != 0).any()):
                    found.append(Parameter(kind, name, i, "ln", sd, 2.0))
    if "body_scale" in wanted and with_bodies:
        found.append(Parameter("body_scale", "", -1, "ratio", settings.body_scale_sd, 0.6))
    return tuple(found)


def _held_out(time_s: FloatArray, blocks: int) -> BoolArray:
    """Rows of every fourth block of time; none where the log has fewer instants than five a block."""
    instants = np.unique(time_s)
    blocks = min(blocks, len(instants) // 5)
    out = np.zeros(len(time_s), np.bool_)
    if blocks < 4:
        return out
    edges = np.array([part[0] for part in np.array_split(instants, blocks)])
    block = np.searchsorted(edges, time_s, side="right") - 1
    out[:] = block % 4 == 2
    return out


def _cannot_tell(parameter: Parameter, rows: IntArray, spread_deg: FloatArray, settings: CalibrationSettings) -> str:
    """Why the geometry of the log cannot tell a parameter; empty where it may."""
    if parameter.kind not in ("power", "azimuth", "downtilt"):
        return ""
    n = int(rows[parameter.index])
    if n == 0:
        return "this TRP was never heard where the model has a path"
    if parameter.kind == "power":
        return ""
    if n < settings.smallest_rows:
        return f"only {n} rows, wanted {settings.smallest_rows} or more"
    if spread_deg[parameter.index] < settings.smallest_spread_deg:
        return (
            f"the device hardly moved as seen from this TRP: all rows lie within {spread_deg[parameter.index]:.1f} deg, "
            f"wanted {settings.smallest_spread_deg:g} deg or more"
        )
    return ""


def _fit(model: ForwardModel, train: BoolArray, free: BoolArray, settings: CalibrationSettings) -> _Fit:
    n_trp = len(model.departure_spread_deg)
    x = np.zeros(len(model.parameters))
    error = (model.measured_dbm - model.predict(x))[train]
    for t in range(n_trp):
        mine = model.trp[train] == t
        if mine.any():
            error[mine] -= np.median(error[mine])
    first_loss = "linear" if settings.loss == "linear" else "soft_l1"
    task = Task(model, train, free, max(scale_db(error), 1.0), np.ones(n_trp), first_loss)
    starts = angle_starts(task)
    rivals: dict[int, float] = {}
    for step in range(3):
        x, starts, of_angles = angle_modes(task, x, starts) if step < 2 else (x, starts, {})
        x = minimise(task, x)
        if step == 1:
            x, rivals = other_values(task, x)
            rivals |= of_angles
        error = (model.measured_dbm - model.predict(x))[train]
        noise_db = max(float(np.std(error)) if settings.loss == "linear" else scale_db(error), SMALLEST_NOISE_DB)
        correlation = np.array([correlated_rows(error[model.trp[train] == t], noise_db) for t in range(n_trp)])
        task = Task(model, train, free, noise_db, correlation, settings.loss)
    return _Fit(x, task.noise_db, task.correlation, covariance_of(task, x), rivals)
