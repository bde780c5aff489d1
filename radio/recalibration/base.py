"""Recalibration by what devices measure: slow offsets of TRPs are followed, sudden changes are found and named.

Devices report RSRP; the twin predicted it. What is left between the two, the residual, is split into three parts: an offset
per TRP, a map of what the model gets wrong at each place, and the rest. A slow change of the offset is drift, and is followed
within bounds. A sudden one is a fault of the TRP, found by a two-sided CUSUM (Page, Biometrika 41, 1954), and is not followed:
calibrating a fault away would hide it. A sudden change along the rays through one place is something that was put there or taken
away, found in :mod:`radio.recalibration.places`.

Samples that the twin expects to be behind a body are left out; medians over devices look after those that it did not expect.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.optimize import brentq

from radio.types import FloatArray, IntArray

__all__ = ["Finding", "OffsetChange", "RecalibrationConfig", "Residuals", "mean_run_length", "threshold_for"]


class RecalibrationConfig(BaseModel):
    """How measured RSRP corrects the prediction, and when it raises an alarm."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(False, description="Compare measured RSRP with the prediction when live.")
    learning_s: float = Field(900.0, ge=60, le=86_400, description="Time in s in which map and offsets are learnt, no alarms.")
    window_s: float = Field(2.0, ge=0.5, le=60, description="Time in s that is averaged to one step of the offset's test.")
    epoch_s: float = Field(10.0, ge=2, le=120, description="Time in s between two looks for changed places.")
    memory_s: float = Field(120.0, ge=20, le=3600, description="Time in s that a look for changed places goes back.")
    clear_loss_db: float = Field(
        3.0, ge=0, le=20, description="Samples with more predicted body loss than this in dB are left out."
    )
    largest_rate_db_per_h: float = Field(6.0, gt=0, le=60, description="Fastest that an offset follows its drift, in dB/h.")
    largest_offset_db: float = Field(10.0, gt=0, le=30, description="Largest offset of a TRP, in dB.")
    change_db: float = Field(
        6.0, ge=2, le=30, description="Change of a TRP in dB that must be found soon; half of it is ignored."
    )
    mean_run_length_h: float = Field(
        100_000.0,
        ge=1,
        le=1e9,
        description="Mean time in h to a false alarm of one TRP, were its windows independent and normal.",
    )
    least_threshold_db: float = Field(30.0, ge=3, le=300, description="Lowest threshold of the offset's test, dB times windows.")
    spread_share: float = Field(
        0.7, ge=0.5, le=1, description="Share of the places of a TRP that must have changed for a fault of the TRP, 0..1."
    )
    place_change_db: float = Field(5.0, ge=2, le=30, description="Least change in dB of the rays through a changed place.")
    place_run_length_h: float = Field(
        1000.0,
        ge=1,
        le=1e12,
        description="Mean time in h to a false alarm of one square metre, were its witnesses independent.",
    )
    box_run_length_h: float = Field(
        1000.0,
        ge=1,
        le=1e12,
        description="Mean time in h to a false alarm that one box of the hall is missing, were its witnesses independent.",
    )
    cell_m: float = Field(2.0, ge=0.5, le=10, description="Side of the squares of the map of residuals in m.")
    obstacle_height_m: float = Field(5.0, ge=0.5, le=30, description="Height in m below which something may be in a ray's way.")


@dataclass(frozen=True, slots=True)
class Residuals:
    """Measured less predicted RSRP, n samples in order of time.

    Attributes
    ----------
    time_us : (n,) when it was measured [us].
    ue, trp : (n,) who measured whom.
    position_m : (n, 3) where the twin had the device's antenna [m].
    residual_db : (n,) measured less predicted RSRP, the prediction without any offset of this module [dB].
    body_loss_db : (n,) what bodies cost by the prediction [dB].
    gone_db : (n, N) by how much the prediction would change were a box of the hall not there [dB]; None where nobody asks.
    """

    time_us: IntArray
    ue: IntArray
    trp: IntArray
    position_m: FloatArray
    residual_db: FloatArray
    body_loss_db: FloatArray
    gone_db: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A sudden change.

    Attributes
    ----------
    kind : ``trp``, ``place`` or ``box``, which is no longer where the hall has it.
    time_us : when it was found [us]. since_us : since when, by the test [us].
    trp : which TRP, -1 for a place.
    position_m : (x, y) of the TRP, the place, or where the box stood [m].
    change_db : by how much RSRP changed; below 0 for a TRP that got weaker, or a place that something was put to [dB].
    evidence : of a TRP the test's sum over its threshold, of a place or box the log-likelihood ratio over that; 1 or more.
    devices : how many devices saw it.
    box : index of the box in the hall, -1 for a TRP or place.
    """

    kind: Literal["trp", "place", "box"]
    time_us: int
    since_us: int
    trp: int
    position_m: tuple[float, float]
    change_db: float
    evidence: float
    devices: int
    box: int = -1


@dataclass(frozen=True, slots=True)
class OffsetChange:
    """One line of the audit: an offset was changed.

    Attributes
    ----------
    time_us : when [us]. trp : whose. before_db, after_db : offsets [dB].
    reason : ``learning``, ``drift``, ``accepted`` (a finding was) or ``reverted``.
    """

    time_us: int
    trp: int
    before_db: float
    after_db: float
    reason: str


def mean_run_length(threshold: float, slack: float) -> float:
    """Return the mean number of steps to a false alarm of a one-sided CUSUM on independent normal steps.

    Parameters
    ----------
    threshold, slack : threshold and reference value k, in standard deviations of a step.

    Notes
    -----
    Siegmund's approximation with the correction for overshoot (Sequential Analysis, 1985):
    ``(exp(2 k b) - 2 k b - 1) / (2 k^2)`` with ``b = h + 1.166``.
    """
    exponent = 2.0 * slack * (threshold + 1.166)
    if exponent > 700.0:
        return math.inf
    return (math.exp(exponent) - exponent - 1.0) / (2.0 * slack * slack)


def threshold_for(run_length: float, slack: float) -> float:
    """Return the threshold in standard deviations at which :func:`mean_run_length` is ``run_length`` steps; at least 0."""
    if mean_run_length(0.0, slack) >= run_length:
        return 0.0
    top = 700.0 / (2.0 * slack)
    return float(brentq(lambda h: math.log(mean_run_length(h, slack)) - math.log(run_length), 0.0, top - 1.2))


def median_by(keys: IntArray, values: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return the distinct keys, sorted, and the median of each one's values."""
    order = np.lexsort((values, keys))
    found, first, count = np.unique(keys[order], return_index=True, return_counts=True)
    ranked = values[order]
    return found, (ranked[first + (count - 1) // 2] + ranked[first + count // 2]) / 2.0
