"""What goes into a forecast and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from humans.forecast_numbers import LEVELS
from humans.types import BoolArray, FloatArray, IntArray


class ForecastConfig(BaseModel):
    """How people are forecast."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    learn_places: bool = Field(True, description="Learn while watching where in the hall people turn, stop and set off.")
    calibrate: bool = Field(True, description="Let every observation widen or narrow the regions of later forecasts.")
    score_every_s: float = Field(
        0.2, ge=0.05, le=2.0, description="Time between forecasts that are kept and scored later [s], 0.05 to 2."
    )
    hall_step: float = Field(
        0.01, ge=0.0, le=0.2, description="Step of the calibration that all speeds share, per score in log radius, 0 to 0.2."
    )
    bin_step: float = Field(
        0.03, ge=0.0, le=0.2, description="Step of the calibration of each speed bin, per score in log radius, 0 to 0.2."
    )
    forget_s: float = Field(
        3.0, ge=0.2, le=60.0, description="Time unseen after which a person is no longer forecast [s], 0.2 to 60."
    )
    late_s: float = Field(
        1.0,
        ge=0.0,
        le=60.0,
        description="How far back a stamp may lie and still count as late, not as a set-back clock [s], 0 to 60.",
    )
    jump_m: float = Field(
        0.6,
        ge=0.1,
        le=10.0,
        description="Distance from the expected place that is a jump, besides noise and speed [m], 0.1 to 10.",
    )


@dataclass(frozen=True, slots=True)
class PeopleForecast:
    """Where everybody will be, and how sure that is. n people, H horizons, M modes, G goals, L levels.

    Attributes
    ----------
    time_us : when it was made: the last observation's time [us].
    horizon_us : (H,) how far ahead [us].
    known : (n,) who has been seen lately; the rest of a row that is not known says nothing.
    position_m : (n, H, 2) single forecast: the geometric median of the future, not a mean over modes [m].
    covariance_m2 : (n, H, 2, 2) the Gaussian about ``position_m`` whose 90 % region is the calibrated one [m^2].
    mode_weight : (n, M) probabilities of ``humans.forecast_numbers.MODES``; goals share out of them.
    mode_position_m : (n, M, H, 2) mean position in each mode [m].
    goal_weight : (n, G) probability that somebody is bound for each known goal; what is left is for none of them.
    axis_m : (n, H, 2) standard deviations along and across ``direction`` [m].
    direction : (n, 2) unit vector of each person's way.
    radius : (n, H, L) how many of these deviations the region of each of ``LEVELS`` reaches.
    """

    time_us: int
    horizon_us: IntArray
    known: BoolArray
    position_m: FloatArray
    covariance_m2: FloatArray
    mode_weight: FloatArray
    mode_position_m: FloatArray
    goal_weight: FloatArray
    axis_m: FloatArray
    direction: FloatArray
    radius: FloatArray

    def distance(self, position_m: FloatArray) -> FloatArray:
        """Return how many deviations (n, H, 2) positions lie from the single forecast, (n, H)."""
        off = position_m - self.position_m
        ex, ey = self.direction[:, None, 0], self.direction[:, None, 1]
        along = off[..., 0] * ex + off[..., 1] * ey
        across = off[..., 1] * ex - off[..., 0] * ey
        result: FloatArray = np.hypot(along / self.axis_m[..., 0], across / self.axis_m[..., 1])
        return result

    def covers(self, position_m: FloatArray, level: float) -> BoolArray:
        """Return whether the region of a level (one of ``LEVELS``) holds (n, H, 2) positions, (n, H)."""
        if level not in LEVELS:
            raise ValueError(f"level {level} has no region; it must be one of {', '.join(map(str, LEVELS))}")
        inside: BoolArray = self.distance(position_m) <= self.radius[..., LEVELS.index(level)]
        return inside


@dataclass(frozen=True, slots=True)
class PeopleSamples:
    """Futures that hang together over time. S samples, n people, H horizons.

    Attributes
    ----------
    time_us, horizon_us, known : as in :class:`PeopleForecast`.
    position_m : (S, n, H, 2) [m]; who is not known stays at the last place.
    heading_rad : (S, n, H) the way a body faces [rad].
    speed_mps : (S, n, H) walking speed [m/s].
    phase : (S, n, H) share of the gait cycle, for bodies that walk.
    """

    time_us: int
    horizon_us: IntArray
    known: BoolArray
    position_m: FloatArray
    heading_rad: FloatArray
    speed_mps: FloatArray
    phase: FloatArray
