"""What a scenario may say about the energy of TRPs; apart from `radio.figures.energy`, so that `radio.config` can hold it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

SetName = Literal["set1", "set2", "set3"]
Sleep = Literal["micro", "light", "deep"]


class EnergyConfig(BaseModel):
    """How the relative energy of transmission points is reckoned (TR 38.864)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    category: Literal[1, 2] = Field(1, description="Category of the base station in TR 38.864: 1 or 2.")
    reference: SetName | None = Field(
        None, description="Reference configuration set1 (FR1 TDD), set2 (FR1 FDD) or set3 (FR2); by the carrier when absent."
    )
    deepest_sleep: Sleep = Field(
        "micro", description="Deepest sleep of a TRP in ticks without data: micro, light or deep. Assumed; micro needs no time."
    )
    static_share: float = Field(
        0.4, ge=0, le=1, description="A: share of a transmitter's power above micro sleep that does not follow its load, 0..1."
    )
    low_load_efficiency: float = Field(
        1.0, gt=0, le=1, description="Efficiency eta of the power amplifier below half load; TR 38.864 has 1 or 0.76."
    )
