"""What a scenario may say about a carrier; part of `radio.config`, from where it is taken."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from radio.messages import timeline_grid, timeline_harq

FR1_END_HZ = 7.125e9


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CarrierConfig(_Model):
    """One NR carrier, shared by every TRP that is on it (reuse 1)."""

    frequency_hz: float = Field(
        28e9, ge=0.5e9, le=150e9, description="Carrier frequency in Hz, from 0.5e9 to 150e9; 28 GHz is 28e9, 3.7 GHz is 3.7e9."
    )
    bandwidth_hz: float = Field(100e6, ge=5e6, le=2e9, description="Channel bandwidth in Hz, from 5e6 to 2e9; 100 MHz is 100e6.")
    subcarrier_spacing_hz: Literal[15000, 30000, 60000, 120000] = Field(
        120000, description="Subcarrier spacing in Hz (TS 38.211 numerology)."
    )
    resource_blocks: int = Field(66, ge=11, le=273, description="PRBs of the channel (TS 38.101 table 5.3.2).")
    downlink_share: float = Field(
        0.5, gt=0.05, lt=0.95, description="Share of symbols that the TDD pattern gives the downlink, where no pattern is given."
    )
    duplex: Literal["tdd", "fdd"] = Field("tdd", description="fdd: a paired carrier, on which both directions are always on.")
    tdd_pattern: str | None = Field(
        None,
        description="Slots of the TDD pattern as letters, D downlink, S special, U uplink (TS 38.213 11.1), for example DDDSU; "
        "a split of each period by downlink_share when absent.",
    )
    special_slot: str | None = Field(
        None, description="Symbols of the pattern's S slot as downlink:guard:uplink, 14 together, for example 6:4:4."
    )
    processing_capability: Literal[1, 2] = Field(
        1, description="Processing times of devices (TS 38.214 5.3, 6.4); 2 is the fast one, which 120 kHz does not have."
    )
    overhead_share: float = Field(0.14, ge=0.0, lt=0.8, description="Share of symbols spent on SSB, PDCCH and reference signals.")
    tones: int | None = Field(
        None, ge=1, le=64, description="Frequencies over this carrier at which paths are summed, paths.tones when absent."
    )

    @model_validator(mode="after")
    def _blocks_fit(self) -> CarrierConfig:
        width_hz = self.resource_blocks * 12 * self.subcarrier_spacing_hz
        if width_hz > self.bandwidth_hz:
            raise ValueError(
                f"resource_blocks: {self.resource_blocks} PRBs at {self.subcarrier_spacing_hz / 1e3:g} kHz take "
                f"{width_hz / 1e6:.4g} MHz, more than bandwidth_hz {self.bandwidth_hz:g}; TS 38.101 table 5.3.2 gives what fits"
            )
        return self

    @model_validator(mode="after")
    def _pattern_is_known(self) -> CarrierConfig:
        mu = {15000: 0, 30000: 1, 60000: 2, 120000: 3}[self.subcarrier_spacing_hz]
        timeline_harq.processing(mu, self.processing_capability, self.resource_blocks, self.frequency_hz > FR1_END_HZ)
        if self.tdd_pattern is None:
            if self.special_slot is not None:
                raise ValueError(
                    "special_slot: there is no tdd_pattern with an S slot that it could describe; give one, as DDDSU"
                )
            return self
        if self.duplex == "fdd":
            raise ValueError("tdd_pattern: a carrier with duplex fdd has no TDD pattern; leave one of them out")
        grid = timeline_grid.tdd_grid(mu, self.tdd_pattern, self.special_slot)
        if "+" in self.tdd_pattern or timeline_grid.FRAME_US % grid.period_us:
            raise ValueError(
                f"tdd_pattern {self.tdd_pattern!r}: a carrier takes one pattern that divides the radio frame of 10 ms, "
                f"not one of {grid.period_us / 1000:g} ms or two after one another"
            )
        return self


class NamedCarrierConfig(CarrierConfig):
    """A further carrier that TRPs can be put on by its name."""

    name: str = Field(min_length=1, description="Name that a TRP's carrier field refers to.")
