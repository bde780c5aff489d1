"""What people do at stations: tasks with a duration that is drawn, gestures, a load to lift and an effort."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

StationKind = Literal["cell", "rack", "desk", "break", "gate"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LiftConfig(_Model):
    """A lift as the revised NIOSH equation takes it (Waters, Putz-Anderson and Garg 1994)."""

    load_kg: float = Field(gt=0, le=200, description="Mass that is lifted in kg.")
    horizontal_m: float = Field(0.4, ge=0.1, le=1.0, description="Hands before the ankles in m, for example 0.4.")
    from_m: float = Field(ge=0, le=2.2, description="Height of the hands at the start in m.")
    to_m: float = Field(ge=0, le=2.2, description="Height of the hands at the end in m.")
    asymmetry_deg: float = Field(0.0, ge=0, le=180, description="Turn of the trunk in degrees.")
    per_min: float = Field(0.2, gt=0, le=20, description="Lifts per minute.")
    hours: float = Field(8.0, gt=0, le=8, description="Hours of lifting in a shift; 1, 2 and 8 are the equation's classes.")
    coupling: Literal["good", "fair", "poor"] = Field("fair", description="How well the load can be gripped.")


class TaskConfig(_Model):
    """Something to do at a station, for a time that is drawn anew every time."""

    name: str = Field(min_length=1, description="Name in crews, plans and errors.")
    stations: tuple[str, ...] = Field((), description="Names of stations where it is done.")
    station_kinds: tuple[StationKind, ...] = Field((), description="Or kinds of station where it is done.")
    visit: Literal["free", "in_order"] = Field("free", description="Any of these stations, or one after the other as listed.")
    duration_mean_s: float = Field(ge=1, le=86_400, description="Mean duration at a station in s.")
    duration_cv: float = Field(0.8, ge=0, le=3, description="Standard deviation of the duration divided by its mean.")
    distribution: Literal["gamma", "lognormal", "uniform", "fixed"] = Field(
        "gamma", description="Shape of the durations: gamma or lognormal (skewed), uniform, or fixed at the mean."
    )
    weight: float = Field(1.0, gt=0, le=1000, description="How often a crew chooses it, against its other tasks.")
    reach_per_min: float | None = Field(None, ge=0, le=40, description="Reaches per minute; absent: as the role.")
    wave_per_min: float | None = Field(None, ge=0, le=20, description="Hand waves per minute; absent: as the role.")
    kneel_per_min: float = Field(0.0, ge=0, le=10, description="Times per minute that somebody goes down on a knee.")
    carries: bool = Field(False, description="Whether a box is carried on the way to it.")
    effort: float = Field(
        0.0,
        ge=0,
        le=0.95,
        description="Mean load on the muscles meanwhile, as a share of the greatest voluntary force, 0 to 0.95.",
    )
    lift: LiftConfig | None = Field(None, description="What is lifted, for the lifting index.")

    @model_validator(mode="after")
    def _somewhere(self) -> TaskConfig:
        if not self.stations and not self.station_kinds:
            raise ValueError(f"task {self.name!r}: give stations (names) or station_kinds where it is done")
        if self.stations and self.station_kinds:
            raise ValueError(f"task {self.name!r}: give stations or station_kinds, not both")
        if self.distribution == "uniform" and self.duration_cv > 1 / math.sqrt(3):
            raise ValueError(
                f"task {self.name!r}: duration_cv {self.duration_cv:g} is too wide for uniform durations, "
                f"which cannot be negative: at most {1 / math.sqrt(3):.3f}"
            )
        return self


def draw_duration_s(mean_s: float, cv: float, distribution: str, rng: np.random.Generator) -> float:
    """Draw how long something takes.

    Parameters
    ----------
    mean_s, cv : mean [s], and standard deviation over mean.
    distribution : gamma, lognormal, uniform (of that mean and deviation) or fixed.

    Returns
    -------
    Seconds, never less than one.
    """
    if cv < 1e-3 or distribution == "fixed":
        drawn = mean_s
    elif distribution == "lognormal":
        variance = math.log1p(cv * cv)
        drawn = float(rng.lognormal(math.log(mean_s) - 0.5 * variance, math.sqrt(variance)))
    elif distribution == "uniform":
        half = math.sqrt(3.0) * cv * mean_s
        drawn = float(rng.uniform(mean_s - half, mean_s + half))
    else:
        shape = 1.0 / cv**2
        drawn = float(rng.gamma(shape, mean_s / shape))
    return max(1.0, drawn)
