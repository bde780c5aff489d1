"""What a calibration found: estimates with intervals, what the log could not tell, and errors on rows it did not see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from radio.fitting.calibration_model import Parameter
from radio.types import FloatArray, IntArray

# Two-sided 95 % of a normal distribution.
NORMAL_95 = 1.959964
# A posterior standard deviation above this share of the prior's says that the log did not tell.
LARGEST_SD_SHARE = 0.9
LARGEST_CORRELATION = 0.95

# Keys of a scenario that take a parameter's value.
TRP_KEYS = {"power": "tx_power_dbm", "azimuth": "azimuth_deg", "downtilt": "downtilt_deg"}
MATERIAL_KEYS = {"permittivity": "relative_permittivity", "conductivity": "conductivity_s_per_m"}


@dataclass(frozen=True, slots=True)
class Estimate:
    """One parameter after the fit.

    Attributes
    ----------
    parameter : what it is, with its prior.
    nominal : the scenario's value, NaN for an offset without one (``common_gain``).
    offset : estimated offset from it, in the parameter's unit.
    sd : standard deviation of the offset.
    value, low, high : estimate and ends of the 95 % interval in the nominal's unit (dBm, deg, permittivity, S/m, ratio); of
        the offset where there is no nominal.
    identified : whether the log told it apart from the prior and from every other parameter.
    reason : why not, in words.
    used : whether the fragment carries it: what is known only together with another is used, what is not known at all is not.
    """

    parameter: Parameter
    nominal: float
    offset: float
    sd: float
    value: float
    low: float
    high: float
    identified: bool
    reason: str
    used: bool


@dataclass(frozen=True, slots=True)
class Level:
    """Common gain and transmit power of one TRP together, which a log tells although it cannot part them.

    Attributes
    ----------
    trp : name of the TRP.
    offset_db, low_db, high_db : their sum as an offset from the scenario, and its 95 % interval [dB].
    """

    trp: str
    offset_db: float
    low_db: float
    high_db: float


@dataclass(frozen=True, slots=True)
class ErrorFigures:
    """Measured less predicted RSRP over some rows.

    Attributes
    ----------
    rows : number of rows.
    rmse_db, bias_db : root mean square and mean [dB].
    median_db, p95_db : median and 95th percentile of the absolute error [dB].
    """

    rows: int
    rmse_db: float
    bias_db: float
    median_db: float
    p95_db: float

    @classmethod
    def of(cls, error_db: FloatArray) -> ErrorFigures:
        """Figures of errors (n,) [dB]; all NaN for none."""
        if len(error_db) == 0:
            return cls(0, *(float("nan"),) * 4)
        size = np.abs(error_db)
        median, p95 = np.quantile(size, (0.5, 0.95))
        return cls(len(size), float(np.sqrt(np.mean(size**2))), float(error_db.mean()), float(median), float(p95))


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same rows before and after the fit.

    Attributes
    ----------
    before, after : figures over all rows.
    per_trp : name of the TRP, before, after; TRPs without a row are left out.
    """

    before: ErrorFigures
    after: ErrorFigures
    per_trp: tuple[tuple[str, ErrorFigures, ErrorFigures], ...]

    @classmethod
    def of(cls, before_db: FloatArray, after_db: FloatArray, trp: IntArray, names: tuple[str, ...]) -> Comparison:
        """Compare errors (n,) of rows of TRPs ``trp`` (n,)."""
        parts = tuple(
            (name, ErrorFigures.of(before_db[trp == t]), ErrorFigures.of(after_db[trp == t]))
            for t, name in enumerate(names)
            if (trp == t).any()
        )
        return cls(ErrorFigures.of(before_db), ErrorFigures.of(after_db), parts)


@dataclass(frozen=True, slots=True)
class CalibrationResult:
    """Outcome of ``radio.fitting.calibration.calibrate``.

    Attributes
    ----------
    estimates : one per parameter, in the order of the covariance's rows.
    levels : common gain and power together, per TRP that was heard; empty where the common gain was not fitted.
    covariance : (K, K) of the offsets.
    noise_db : scale of what is left, robust (for a normal distribution its standard deviation) [dB].
    effective_rows : (T,) rows of each TRP that the fit counted as independent.
    trained, held_out : errors of the rows that were fitted and of those that were kept aside; ``held_out`` is None where the
        log is too short to keep any aside.
    weak_directions : mixes of parameters that the log leaves open, in words.
    notes : what was counted and assumed.
    warnings : what should be looked at before the result is used.
    gain_offset_db : name and ``gain_offset_db`` of every TRP with the common gain added [dB].
    """

    estimates: tuple[Estimate, ...]
    levels: tuple[Level, ...]
    covariance: FloatArray
    noise_db: float
    effective_rows: FloatArray
    trained: Comparison
    held_out: Comparison | None
    weak_directions: tuple[str, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    gain_offset_db: tuple[tuple[str, float], ...]

    def of(self, kind: str, subject: str = "") -> Estimate:
        """Estimate of one parameter; raises KeyError where the fit had none of that kind and subject."""
        for estimate in self.estimates:
            if (estimate.parameter.kind, estimate.parameter.subject) == (kind, subject):
                return estimate
        raise KeyError(f"{kind} of {subject!r} was not fitted")

    def fragment(self) -> dict[str, Any]:
        """Part of a scenario that takes the result over: ``radio:`` with the changed keys of TRPs, found by their name.

        The common gain goes to every TRP's ``gain_offset_db``, so that the scenario predicts what this receiver measured.
        """
        trps: dict[str, dict[str, Any]] = {}
        materials: dict[str, dict[str, Any]] = {}
        kept: set[str] = set()
        radio: dict[str, Any] = {}
        for e in self.estimates:
            kind, subject = e.parameter.kind, e.parameter.subject
            if kind in MATERIAL_KEYS:
                entry = materials.setdefault(subject, {"name": subject})
                entry[MATERIAL_KEYS[kind]] = float(f"{e.value if e.used else e.nominal:.4g}")
                kept |= {subject} if e.used else set()
            elif e.used and kind in TRP_KEYS:
                trps.setdefault(subject, {"name": subject})[TRP_KEYS[kind]] = round(e.value, 2)
            elif e.used and kind == "common_gain":
                for name, gain_db in self.gain_offset_db:
                    trps.setdefault(name, {"name": name})["gain_offset_db"] = round(gain_db, 2)
            elif e.used and kind == "body_scale":
                radio["blockage"] = {"body_scale": round(e.value, 3)}
        if trps:
            radio["trps"] = list(trps.values())
        if kept:
            radio["materials"] = [m for name, m in materials.items() if name in kept]
        return {"radio": radio}
