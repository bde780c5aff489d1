"""What a scenario may say about the person twin: an estimate of workload and fatigue, off unless it is asked for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Effort = Annotated[float, Field(ge=0, le=0.95)]


class PersonTwinConfig(BaseModel):
    """Workload and fatigue of simulated people, and how much they slow down by it.

    The estimates are kept in memory under rotating pseudonyms, for the present instant only, and for nobody but the safety role.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(False, description="Whether workload and fatigue are estimated and slow people down.")
    muscle: Literal["shoulder", "ankle"] = Field(
        "shoulder", description="Muscles that the work loads most; sets how fast they tire and recover."
    )
    role_effort: dict[str, Effort] = Field(
        default_factory=dict,
        description="Mean load at a station by role, as a share of the greatest voluntary force; for work whose task names none.",
    )
    rest_multiplier: float = Field(
        15.0, ge=1, le=50, description="How many times faster an unloaded muscle recovers (Looft, Herkert and Frey-Law 2018)."
    )
    tiring_per_h: float = Field(0.08, ge=0, le=5, description="Rate of general fatigue at work per hour (lambda of Jaber 2013).")
    recovery_per_h: float = Field(0.7, ge=0, le=20, description="Rate of recovery at rest per hour (mu of Jaber 2013).")
    slowest_pace: float = Field(0.85, ge=0.3, le=1, description="Walking speed at full general fatigue over that when rested.")
    slowest_work: float = Field(
        0.7, ge=0.3, le=1, description="Gestures and work per minute when the muscles are spent, over those when rested."
    )
    endurance_cv: float = Field(0.2, ge=0, le=1, description="Standard deviation of endurance between people over its mean.")
    forget_after_min: float = Field(
        30.0,
        ge=0,
        le=1440,
        description="How long an estimate is kept of somebody who has left the hall in min; then it is erased.",
    )
