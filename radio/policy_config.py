"""What a scenario may say about single policies and their links; part of `radio.config`, from where it is taken."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OuterLoopConfig(_Model):
    """A margin per device and direction that follows what became of its messages, instead of a fixed one."""

    enabled: bool = Field(False, description="true lets the margin of every device and direction follow its messages.")
    step_db: float = Field(0.5, gt=0, le=10, description="A lost transmission raises the margin by this [dB].")
    target: float = Field(
        1e-2,
        ge=1e-6,
        le=0.3,
        description="Share of lost transmissions and shortfalls that the loop steers to; each good one lowers the margin by "
        "step_db * target / (1 - target).",
    )
    shortfall_gain: float = Field(
        0.5,
        ge=0,
        le=1,
        description="A measured SINR below what was reckoned with raises the margin by this share of what was missing.",
    )
    minimum_db: float = Field(0.0, ge=-10, le=40, description="Least margin [dB].")
    maximum_db: float = Field(20.0, ge=0, le=60, description="Largest margin [dB].")

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> OuterLoopConfig:
        if self.minimum_db > self.maximum_db:
            raise ValueError(
                f"minimum_db {self.minimum_db:g} is above maximum_db {self.maximum_db:g}; give bounds in their order"
            )
        return self


class DecentralisedConfig(_Model):
    """What a device that chooses for itself senses and hears."""

    measurement_step_db: float = Field(0.1, gt=0, le=3, description="Resolution of a device's own measurements [dB].")
    measurement_noise_db: float = Field(0.5, ge=0, le=6, description="Standard deviation of a device's own SSB levels [dB].")
    request_ms: float = Field(
        1.0, ge=0, le=50, description="From a device's choice to the network having its request in ms (assumed)."
    )
    sensing_radius_m: float = Field(8.0, ge=0, le=50, description="How far a device's own sensors see bodies in m; 0: not.")
    sensing_noise_m: float = Field(0.05, ge=0, le=2, description="Standard deviation of a sensed place along each axis in m.")
    horizon_ms: float = Field(400.0, ge=0, le=3000, description="How far ahead a device carries sensed bodies on in ms.")
    clearance_m: float = Field(
        0.25, ge=0, le=3, description="A body nearer to the direct ray than its own radius and this puts a link at risk, in m."
    )
    trend_ms: float = Field(10.0, ge=0, le=1000, description="How far ahead a falling serving SINR is carried on in ms.")
    hear_radius_m: float = Field(15.0, ge=0, le=200, description="How far a sidelink beacon is heard in m; 0: none are sent.")
    neighbour_radius_m: float = Field(
        1.5, ge=0, le=50, description="A beacon's blocked TRP puts the link of a device at most this far away at risk, in m."
    )
    beacon_period_ms: int = Field(100, ge=10, le=5000, description="Time between two beacons of a device in ms.")
    beacon_loss: float = Field(0.1, ge=0, lt=1, description="Share of beacons that a device in reach does not receive.")


class SignallingConfig(_Model):
    """Sizes of the messages that choosing beams costs; assumed, for comparing policies, none takes part in a run."""

    report_bits: int = Field(36, ge=1, le=10_000, description="An L1-RSRP report of four beams on PUCCH in bit.")
    indication_bits: int = Field(24, ge=1, le=10_000, description="A beam indication or activation by MAC CE in bit.")
    handover_bits: int = Field(800, ge=1, le=100_000, description="What a change of TRP takes in bit.")
    request_bits: int = Field(24, ge=1, le=10_000, description="A device's request for a beam, TRP or second leg in bit.")
    beacon_bits: int = Field(300, ge=1, le=10_000, description="A sidelink beacon, its control part included, in bit.")


class CentreOutageConfig(_Model):
    """A span in which whatever plans for all devices is silent; TRPs and devices go on."""

    start_s: float = Field(ge=0, le=604_800, description="From this time of the run on in s.")
    duration_s: float = Field(gt=0, le=604_800, description="For this long in s.")
    reestablishment_ms: float = Field(
        60.0, ge=0, le=5000, description="What RRC re-establishment takes a device beyond random access in ms (assumed)."
    )


class HumanAwareConfig(_Model):
    """The forecast-driven policy; see docs/policies.md."""

    horizons_ms: tuple[float, ...] = Field(
        (100.0, 250.0, 500.0), min_length=1, description="Instants ahead that are looked at in ms."
    )
    period_ms: float = Field(100.0, ge=10, le=1000, description="Time between forecasts in ms.")
    risk_target: float = Field(
        1e-5, ge=1e-9, le=1e-2, description="Risk that a control message may have: the cheapest plan below it is chosen."
    )
    hold_ms: float = Field(
        200.0, ge=10, le=10_000, description="Least time that a second leg is kept once it was prepared, in ms."
    )
    memory_s: float = Field(
        20.0, ge=1, le=3600, description="How long measurements count for what a prediction may miss, as a time constant in s."
    )
    risk_sinr_db: float = Field(
        8.0,
        ge=-20,
        le=40,
        description="SINR below which a link counts as weak: decentralised prepares a second leg then [dB].",
    )
    futures: int = Field(
        1, ge=1, le=200, description="Futures drawn for each instant; 1: the expected one alone, people going on as they walk."
    )
    futures_share: float = Field(
        0.2, gt=0, lt=1, description="Of several futures, the share that may be worse than what is reckoned with, 0..1."
    )
