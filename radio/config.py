"""What a scenario may say about the radio. Every number carries its unit in its name."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

PolicyName = Literal["static", "reactive", "human_aware"]
Point = tuple[float, float, float]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CarrierConfig(_Model):
    """One NR carrier shared by every TRP (reuse 1)."""

    frequency_hz: float = Field(28e9, ge=0.5e9, le=150e9, description="Carrier frequency in Hz, for example 28e9.")
    bandwidth_hz: float = Field(100e6, ge=5e6, le=2e9, description="Channel bandwidth in Hz, for example 100e6.")
    subcarrier_spacing_hz: Literal[15000, 30000, 60000, 120000] = Field(
        120000, description="Subcarrier spacing in Hz (TS 38.211 numerology)."
    )
    resource_blocks: int = Field(66, ge=11, le=273, description="PRBs of the channel (TS 38.101 table 5.3.2).")
    downlink_share: float = Field(0.5, gt=0.05, lt=0.95, description="Share of symbols that the TDD pattern gives the downlink.")
    overhead_share: float = Field(0.14, ge=0.0, lt=0.8, description="Share of symbols spent on SSB, PDCCH and reference signals.")

    @model_validator(mode="after")
    def _blocks_fit(self) -> CarrierConfig:
        width_hz = self.resource_blocks * 12 * self.subcarrier_spacing_hz
        if width_hz > self.bandwidth_hz:
            raise ValueError(
                f"resource_blocks: {self.resource_blocks} PRBs at {self.subcarrier_spacing_hz / 1e3:g} kHz take "
                f"{width_hz / 1e6:.4g} MHz, more than bandwidth_hz {self.bandwidth_hz:g}; TS 38.101 table 5.3.2 gives what fits"
            )
        return self


class PanelConfig(_Model):
    """Uniform planar array of TR 38.901 7.3-1 elements with a DFT codebook."""

    rows: int = Field(8, ge=1, le=32, description="Elements in elevation.")
    columns: int = Field(8, ge=1, le=32, description="Elements in azimuth.")


class TrpConfig(_Model):
    """A transmission point: one panel, one or more RF chains."""

    name: str = Field(description="Name in reports.")
    position_m: Point = Field(description="Position in the hall frame in m.")
    azimuth_deg: float = Field(0.0, ge=-360, le=360, description="Panel boresight, degrees counter-clockwise from +x.")
    downtilt_deg: float = Field(0.0, ge=-90, le=90, description="Panel boresight below the horizon in degrees.")
    tx_power_dbm: float = Field(30.0, ge=-10, le=60, description="Transmit power over the carrier in dBm.")
    noise_figure_db: float = Field(6.0, ge=0, le=20, description="Uplink receiver noise figure in dB.")
    rf_chains: int = Field(1, ge=1, le=8, description="Beams that the panel can form at the same instant.")
    panel: PanelConfig = Field(default_factory=PanelConfig)


class UeConfig(_Model):
    """The device's radio."""

    antenna: Literal["isotropic", "quad_sector"] = Field(
        "quad_sector",
        description="isotropic (0 dBi), or four panels looking to the four sides, 2x2 elements each, one fixed beam per panel.",
    )
    tx_power_dbm: float = Field(23.0, ge=-10, le=40, description="Transmit power in dBm.")
    noise_figure_db: float = Field(9.0, ge=0, le=20, description="Downlink receiver noise figure in dB.")
    evm_percent: float = Field(
        3.5,
        gt=0,
        le=20,
        description="Transmitter and receiver error vector magnitude in %, which caps the SINR (-20 lg EVM).",
    )


class PathConfig(_Model):
    """Which paths are followed."""

    max_paths: int = Field(12, ge=1, le=64, description="Paths kept per link, strongest first.")
    reach_db: float = Field(
        40.0,
        ge=3,
        le=100,
        description="Paths weaker than the link's strongest by more than this are dropped [dB].",
    )
    tones: int = Field(4, ge=1, le=64, description="Frequencies over the carrier at which paths are summed coherently.")


class BlockageConfig(_Model):
    """Body blockage."""

    model: Literal["model_b"] = Field("model_b", description="TR 38.901 7.6.4.2 screens.")


class BeamManagementConfig(_Model):
    """Timers of beam management (TS 38.213, 38.321, 38.331)."""

    ssb_period_ms: Literal[5, 10, 20, 40, 80, 160] = Field(20, description="SSB period, one full beam sweep, in ms.")
    report_delay_ms: float = Field(4.0, ge=0, le=100, description="From the end of a sweep to its report being usable in ms.")
    hysteresis_db: float = Field(3.0, ge=0, le=20, description="A new beam or TRP must be better by this much [dB].")
    time_to_trigger_ms: Literal[0, 40, 64, 80, 100, 128, 160, 256, 320, 480, 512, 640] = Field(
        40, description="A new TRP must be better for this long in ms (TS 38.331 timeToTrigger)."
    )
    trp_switch_interruption_ms: float = Field(10.0, ge=0, le=200, description="No data while the serving TRP changes in ms.")
    bfd_rs_period_ms: float = Field(10.0, ge=1, le=160, description="Beam failure detection reference signal period in ms.")
    beam_failure_max_count: Literal[1, 2, 3, 4, 5, 6, 8, 10] = Field(
        2, description="Beam failure instances before recovery (beamFailureInstanceMaxCount)."
    )
    qout_db: float = Field(
        -6.0,
        ge=-20,
        le=10,
        description="SINR at which a hypothetical PDCCH reaches 10 % block error (Qout,LR) [dB].",
    )
    prach_period_ms: float = Field(10.0, ge=0.5, le=160, description="Period of the random access occasions for recovery in ms.")
    tci_activation_ms: float = Field(3.0, ge=0, le=20, description="MAC-CE TCI activation of a beam of the serving TRP in ms.")


class LinkAdaptationConfig(_Model):
    """How the MCS follows the channel."""

    target_bler: float = Field(1e-5, gt=0, lt=0.5, description="Block error ratio at which an MCS is chosen for control traffic.")
    video_target_bler: float = Field(
        0.1, gt=0, lt=0.9, description="Block error ratio at which an MCS is chosen for video (HARQ follows)."
    )
    margin_db: float = Field(6.0, ge=0, le=40, description="Fixed fade margin of control traffic below the last report [dB].")
    implementation_gap_db: float = Field(1.5, ge=0, le=10, description="Loss against the normal approximation [dB].")
    channel_estimation_loss_db: float = Field(0.5, ge=0, le=10, description="Loss by channel estimation [dB].")


class HumanAwareConfig(_Model):
    """The first forecast-driven policy."""

    horizons_ms: tuple[float, ...] = Field(
        (100.0, 250.0, 500.0), min_length=1, description="Instants ahead that are looked at in ms."
    )
    period_ms: float = Field(100.0, ge=10, le=1000, description="Time between forecasts in ms.")
    risk_sinr_db: float = Field(8.0, ge=-20, le=40, description="Forecast SINR below which another leg is prepared [dB].")


class ServiceConfig(_Model):
    """A service of TS 22.104 for one class of devices; every field of the profile can be overridden."""

    name: str = Field(description="Name in reports.")
    profile: str = Field(description="TS 22.104 profile by name: mobile-robot, control-to-control, mobile-panel-estop, video.")
    devices: Literal["agv", "cobot", "panel"] = Field(description="Class of devices.")
    share: float = Field(1.0, gt=0, le=1, description="Share of the devices of that class that use the service.")
    direction: Literal["downlink", "uplink"] | None = Field(None, description="Direction, the profile's own when absent.")
    transfer_interval_us: int | None = Field(None, ge=100, le=10_000_000, description="Time between two messages in us.")
    survival_time_us: int | None = Field(
        None, ge=0, le=60_000_000, description="Time without messages that the application survives in us."
    )
    max_latency_us: int | None = Field(None, ge=100, le=10_000_000, description="Allowed end-to-end latency in us.")
    message_bytes: int | None = Field(None, ge=1, le=1_000_000, description="Message size in bytes.")
    availability_target: float | None = Field(None, gt=0, lt=1, description="Communication service availability wanted.")
    mtbf_target_s: float | None = Field(None, gt=0, description="Mean time between failures wanted in s.")


def _default_services() -> tuple[ServiceConfig, ...]:
    return (
        ServiceConfig(name="agv-control", profile="mobile-robot", devices="agv"),
        ServiceConfig(name="cobot-control", profile="control-to-control", devices="cobot"),
        ServiceConfig(name="panel-estop", profile="mobile-panel-estop", devices="panel"),
        ServiceConfig(name="agv-video", profile="video", devices="agv", share=0.5),
    )


class RadioConfig(_Model):
    """The radio section of a scenario."""

    enabled: bool = Field(True, description="false runs the hall without any radio: every message arrives.")
    policy: PolicyName = Field("reactive", description="Policy whose deliveries move the machines.")
    compare: tuple[PolicyName, ...] = Field(
        ("static", "reactive", "human_aware"),
        description="Policies evaluated beside it on the same footsteps.",
    )
    carrier: CarrierConfig = Field(default_factory=CarrierConfig)
    trps: tuple[TrpConfig, ...] = Field(min_length=1, description="Transmission points.")
    ue: UeConfig = Field(default_factory=UeConfig)
    paths: PathConfig = Field(default_factory=PathConfig)
    blockage: BlockageConfig = Field(default_factory=BlockageConfig)
    beam_management: BeamManagementConfig = Field(default_factory=BeamManagementConfig)
    link_adaptation: LinkAdaptationConfig = Field(default_factory=LinkAdaptationConfig)
    human_aware: HumanAwareConfig = Field(default_factory=HumanAwareConfig)
    services: Annotated[tuple[ServiceConfig, ...], Field(min_length=1)] = Field(default_factory=_default_services)

    @model_validator(mode="after")
    def _names_are_unique(self) -> RadioConfig:
        for what, names in (
            ("trps", [t.name for t in self.trps]),
            ("services", [s.name for s in self.services]),
        ):
            twice = sorted({n for n in names if names.count(n) > 1})
            if twice:
                raise ValueError(f"{what}: name {twice[0]!r} is used twice; give each its own")
        return self

    @property
    def policies(self) -> tuple[PolicyName, ...]:
        """Policies that are evaluated, the acting one first."""
        return (self.policy, *(p for p in self.compare if p != self.policy))
