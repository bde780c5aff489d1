"""What a scenario may say about the radio. Every number carries its unit in its name."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from radio.carrier_config import CarrierConfig as CarrierConfig
from radio.carrier_config import NamedCarrierConfig as NamedCarrierConfig
from radio.figures.energy_config import EnergyConfig
from radio.policy_config import CentreOutageConfig, DecentralisedConfig, OuterLoopConfig, SignallingConfig
from radio.policy_config import HumanAwareConfig as HumanAwareConfig
from radio.policy_names import BUILT_IN, known_policy

PolicyName = Annotated[str, AfterValidator(known_policy), Field(json_schema_extra={"examples": list(BUILT_IN)})]
Point = tuple[float, float, float]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MaterialOverride(_Model):
    """A material's constants where the hall's own are known better than ITU-R P.2040's row, the same at every carrier."""

    name: str = Field(min_length=1, description="Material as the hall names it, for example concrete.")
    relative_permittivity: float = Field(ge=1, le=100, description="Real part of the relative permittivity.")
    conductivity_s_per_m: float = Field(ge=0, le=1e9, description="Conductivity in S/m; concrete at 28 GHz has 0.63.")


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
    panel: PanelConfig = Field(default_factory=PanelConfig, description="Antenna panel.")
    polarisation_deg: float = Field(
        0.0, ge=-90, le=90, description="Slant of the elements in degrees, 0 is vertical (TR 38.901 7.3.2, model 2)."
    )
    carrier: str | None = Field(None, description="Name of one of carriers; the carrier section itself when absent.")
    gain_offset_db: float = Field(
        0.0,
        ge=-40,
        le=40,
        description="Gain of the TRP's links beyond what the model says in dB, both ways: cable, radome, calibration.",
    )


class TrpOutageConfig(_Model):
    """A span in which a TRP is out of service; the network is not told."""

    trp: str = Field(description="Name of the TRP.")
    from_s: float = Field(ge=0, le=604_800, description="From this time of the run on in s, 300 is five minutes after its start.")
    to_s: float | None = Field(None, gt=0, le=604_800, description="Until this time in s; absent: to the end of the run.")

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> TrpOutageConfig:
        if self.to_s is not None and self.to_s <= self.from_s:
            raise ValueError(
                f"to_s {self.to_s:g} is not after from_s {self.from_s:g}; give a later time, or leave to_s out for an outage to "
                "the end of the run"
            )
        return self


class UePanelConfig(_Model):
    """A device's single panel, with a DFT codebook whose beams are its sectors."""

    rows: int = Field(2, ge=1, le=8, description="Elements in elevation.")
    columns: int = Field(4, ge=1, le=8, description="Elements in azimuth.")
    heading_offset_deg: float = Field(
        0.0, ge=-360, le=360, description="Panel boresight against the device's heading in degrees counter-clockwise."
    )
    elevation_deg: float = Field(0.0, ge=-90, le=90, description="Panel boresight above the horizon in degrees.")


class UeConfig(_Model):
    """The device's radio."""

    antenna: Literal["isotropic", "dipole", "quad_sector", "panel"] = Field(
        "quad_sector",
        description="isotropic (0 dBi); dipole (half a wavelength, vertical, 2.15 dBi); quad_sector: four panels looking to the "
        "four sides, 2x2 elements each, one fixed beam per panel; panel: one panel as the panel section describes it.",
    )
    panel: UePanelConfig = Field(default_factory=UePanelConfig, description="The panel of antenna: panel.")
    polarisation_deg: float = Field(
        0.0, ge=-90, le=90, description="Slant of the antenna in degrees, 0 is vertical (TR 38.901 7.3.2, model 2)."
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

    max_order: Literal[0, 1, 2] = Field(2, description="Largest number of reflections of a path, 0 for line of sight alone.")
    max_paths: int = Field(12, ge=1, le=64, description="Paths kept per link, strongest first.")
    reach_db: float = Field(
        40.0,
        ge=3,
        le=100,
        description="Paths weaker than the link's strongest by more than this are dropped [dB].",
    )
    tones: int = Field(
        4, ge=1, le=64, description="Frequencies over a carrier at which paths are summed coherently; a carrier can have its own."
    )


class BlockageConfig(_Model):
    """Body blockage."""

    model: Literal["silhouette", "model_b"] = Field(
        "silhouette",
        description="silhouette: diffraction around the outline of the whole body; model_b: TR 38.901 7.6.4.2 screens.",
    )
    effort: Literal["tick", "fine"] = Field(
        "tick",
        description="How finely silhouettes are integrated: tick for runs, fine for studies of single links (10 times slower).",
    )
    body_scale: float = Field(
        1.0, ge=0.3, le=3, description="Factor on the half widths of every body, for calibration against measurements."
    )


class RemainderConfig(_Model):
    """The part of the channel that no followed path stands for: a Rician remainder (TR 38.901 table 7.5-6, InF)."""

    enabled: bool = Field(True, description="false leaves the followed paths alone.")
    k_db: float = Field(7.0, ge=-20, le=60, description="Mean of the Rician K factor in dB.")
    k_sigma_db: float = Field(8.0, ge=0, le=20, description="Standard deviation of the K factor over the hall in dB.")
    k_floor_db: float = Field(
        -9.0,
        ge=-40,
        le=60,
        description="Smallest K factor in dB: the remainder of a strong direct path is bounded by its energy.",
    )
    correlation_m: float = Field(10.0, ge=0.5, le=100, description="Correlation distance of the K factor in m.")
    delay_spread_ns: float | None = Field(
        None, ge=1, le=1000, description="Delay spread in ns; from the hall's volume and surface when absent (table 7.5-6)."
    )
    body_speed_mps: float = Field(
        1.0, ge=0, le=10, description="Largest speed of the people and machines that reflect, in m/s (TR 38.901 7.6.10)."
    )
    moving_share: float = Field(0.2, ge=0, le=1, description="Share of the rays that are reflected by something that moves.")


class InfConfig(_Model):
    """The statistical indoor factory of TR 38.901 clauses 7.4.1 and 7.4.2, used with channel: statistical_inf."""

    scenario: Literal["SL", "DL", "SH", "DH", "HH"] = Field(
        "SH", description="Sparse or dense clutter, low or high TRPs; HH: both ends above the clutter."
    )
    clutter_density: float | None = Field(
        None, gt=0, lt=1, description="Share of the floor that clutter covers; 0.2 (sparse) or 0.6 (dense) when absent."
    )
    clutter_height_m: float | None = Field(
        None, gt=0, le=10, description="Effective height of the clutter in m; 2 (sparse) or 6 (dense) when absent."
    )
    clutter_size_m: float | None = Field(
        None, gt=0, le=100, description="Typical size of the clutter in m; 10 (sparse) or 2 (dense) when absent."
    )


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
    feedback: Literal["sinr", "cqi"] = Field(
        "sinr",
        description="What link adaptation is told: the SINR itself, or the 15 steps of CQI table 3 (TS 38.214 table 5.2.2.1-4), "
        "which allow an MCS of at most their spectral efficiency.",
    )
    redundancy: Literal["independent_repetition", "pdcp_duplication", "tdm_repetition", "tdm_a", "fdm_a", "fdm_b"] = Field(
        "independent_repetition",
        description="How the two legs of a plan carry a message. independent_repetition: a codeword each, decoded by itself, on "
        "whatever carriers; pdcp_duplication: the same, but on different carriers only; tdm_repetition: following slots, soft "
        "combined (TS 38.214 5.1.2.1, scheme 4); tdm_a: within a slot, soft combined (tdmSchemeA); fdm_a: one codeword over two "
        "sets of PRBs (fdmSchemeA); fdm_b: two redundancy versions over two sets of PRBs (fdmSchemeB).",
    )
    soft_combining: Literal["chase", "incremental_redundancy"] = Field(
        "chase",
        description="How receptions of one transport block are combined: chase adds their SNRs; incremental_redundancy sends new "
        "coded bits until the circular buffer is through.",
    )
    outer_loop: OuterLoopConfig = Field(OuterLoopConfig(), description="A margin that follows the messages.")


class ServiceConfig(_Model):
    """A service of TS 22.104 for one class of devices; every field of the profile can be overridden."""

    name: str = Field(description="Name in reports.")
    profile: str = Field(description="TS 22.104 profile by name, such as mobile-robot or video; docs/radio.md has all.")
    devices: Literal["agv", "cobot", "panel"] = Field(description="Class of devices.")
    share: float = Field(1.0, gt=0, le=1, description="Share of the devices of that class that use the service.")
    copies: int = Field(
        1,
        ge=1,
        le=1024,
        description="Equal devices behind each antenna of that class, each with messages of its own; only the first one's stop "
        "the machine. More than 1 is for studies of how many devices a hall carries.",
    )
    direction: Literal["downlink", "uplink", "uplink_downlink"] | None = Field(
        None,
        description="Direction, the profile's own when absent; uplink_downlink: from device to device through the network.",
    )
    peers: Literal["agv", "cobot", "panel"] | None = Field(
        None, description="With uplink_downlink, the class of devices that receive: the i-th device sends to the i-th of them."
    )
    arrival: Literal["periodic", "poisson"] | None = Field(
        None,
        description="periodic: a message every transfer interval; poisson: events at random, the interval is their mean "
        "distance; the profile's own when absent.",
    )
    jitter_us: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Periodic messages arrive within +- this of their instant in us, at most half an interval.",
    )
    access: Literal["configured_grant", "semi_persistent", "dynamic"] | None = Field(
        None,
        description="Uplink: configured_grant or dynamic (scheduling request, then a grant). Downlink: semi_persistent or "
        "dynamic. When absent, symbols as needed without a request.",
    )
    periodicity_us: int | None = Field(
        None,
        ge=35,
        le=10_000_000,
        description="Time between the occasions of a configured grant or of semi-persistent PDSCH in us; any symbol when absent.",
    )
    sr_period_us: int | None = Field(
        None,
        ge=35,
        le=640_000,
        description="Time between two occasions for a scheduling request in us, with access: dynamic; any symbol when absent.",
    )
    repetitions: Literal[1, 2, 4, 8] = Field(
        1, description="Repetitions K of each transmission (repK of TS 38.331), if the policy does not order more."
    )
    max_transmissions: int = Field(
        1, ge=1, le=8, description="Transmissions of a control message, with HARQ, as long as the deadline allows; 1 is no HARQ."
    )
    transfer_interval_us: int | None = Field(None, ge=100, le=10_000_000, description="Time between two messages in us.")
    survival_time_us: int | None = Field(
        None, ge=0, le=60_000_000, description="Time without messages that the application survives in us."
    )
    max_latency_us: int | None = Field(None, ge=100, le=10_000_000, description="Allowed end-to-end latency in us.")
    message_bytes: int | None = Field(None, ge=1, le=1_000_000, description="Message size in bytes.")
    availability_target: float | None = Field(None, gt=0, lt=1, description="Communication service availability wanted.")
    mtbf_target_s: float | None = Field(None, gt=0, description="Mean time between failures wanted in s.")


class SliceConfig(_Model):
    """A network slice: services and the shares of every TRP's symbols that they have, as RRMPolicyRatio of TS 28.541 4.3.36."""

    name: str = Field(min_length=1, description="Name in reports.")
    services: tuple[str, ...] = Field(min_length=1, description="Names of the services in the slice.")
    dedicated_share: float = Field(
        0.0, ge=0, le=1, description="Share that nobody else ever gets (rRMPolicyDedicatedRatio / 100), from 0 to 1."
    )
    guaranteed_share: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Share that is the slice's first and others may use while it does not (rRMPolicyMinRatio / 100), 0 to 1, "
        "the dedicated share included; as much as that when absent.",
    )
    maximum_share: float = Field(1.0, gt=0, le=1, description="Share that it never exceeds (rRMPolicyMaxRatio / 100), up to 1.")

    @property
    def guaranteed(self) -> float:
        """Share guaranteed, the dedicated one included."""
        return self.dedicated_share if self.guaranteed_share is None else self.guaranteed_share

    @model_validator(mode="after")
    def _shares_are_in_order(self) -> SliceConfig:
        if not self.dedicated_share <= self.guaranteed <= self.maximum_share:
            raise ValueError(
                f"slice {self.name!r}: dedicated_share {self.dedicated_share:g}, guaranteed_share {self.guaranteed:g} and "
                f"maximum_share {self.maximum_share:g} must not fall in this order (TS 28.541 4.3.36: dedicated <= min <= max)"
            )
        return self


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
    carrier: CarrierConfig = Field(default_factory=CarrierConfig, description="Carrier of every TRP that names none.")
    carriers: tuple[NamedCarrierConfig, ...] = Field((), description="Further carriers; a TRP names the one it is on.")
    channel: Literal["geometric", "statistical_inf"] = Field(
        "geometric",
        description="geometric: paths among the hall's walls and boxes; statistical_inf: TR 38.901 InF, for halls without them.",
    )
    inf: InfConfig = Field(default_factory=InfConfig, description="The statistical indoor factory.")
    materials: tuple[MaterialOverride, ...] = Field((), description="Constants that replace those of ITU-R P.2040.")
    trps: tuple[TrpConfig, ...] = Field(min_length=1, description="Transmission points.")
    outages: tuple[TrpOutageConfig, ...] = Field((), description="TRPs that are switched off for a while in mid-run.")
    ue: UeConfig = Field(default_factory=UeConfig, description="Radio of every device.")
    paths: PathConfig = Field(default_factory=PathConfig, description="Which paths are followed.")
    blockage: BlockageConfig = Field(default_factory=BlockageConfig, description="What moving bodies cost.")
    remainder: RemainderConfig = Field(default_factory=RemainderConfig, description="What no followed path stands for.")
    beam_management: BeamManagementConfig = Field(default_factory=BeamManagementConfig, description="Timers of beam management.")
    link_adaptation: LinkAdaptationConfig = Field(
        default_factory=LinkAdaptationConfig, description="How the MCS follows the channel."
    )
    human_aware: HumanAwareConfig = Field(default_factory=HumanAwareConfig, description="The forecast-driven policy.")
    decentralised: DecentralisedConfig = Field(default_factory=DecentralisedConfig, description="Devices that choose themselves.")
    signalling: SignallingConfig = Field(default_factory=SignallingConfig, description="What choosing beams costs in bits.")
    centre_outages: tuple[CentreOutageConfig, ...] = Field((), description="Spans in which nobody plans for all devices.")
    services: Annotated[tuple[ServiceConfig, ...], Field(min_length=1)] = Field(
        default_factory=_default_services, description="Services that the devices use."
    )
    core_delay_us: int = Field(
        500, ge=0, le=1_000_000, description="One-way delay between a TRP and the host that runs the application in us."
    )
    scheduler: Literal["control_first", "earliest_deadline", "first_come"] = Field(
        "control_first",
        description="control_first: video gets what control leaves, each by deadline; earliest_deadline: one queue for all by "
        "deadline; first_come: one queue for all in the order of arrival, as best effort has it.",
    )
    slices: tuple[SliceConfig, ...] = Field((), description="Network slices; services in none of them share what these leave.")
    energy: EnergyConfig = Field(default_factory=EnergyConfig, description="How the TRPs' relative energy is reckoned.")

    @model_validator(mode="after")
    def _names_are_unique(self) -> RadioConfig:
        for what, names in (
            ("trps", [t.name for t in self.trps]),
            ("services", [s.name for s in self.services]),
            ("carriers", [c.name for c in self.carriers]),
            ("materials", [m.name for m in self.materials]),
            ("slices", [s.name for s in self.slices]),
        ):
            twice = sorted({n for n in names if names.count(n) > 1})
            if twice:
                raise ValueError(f"{what}: name {twice[0]!r} is used twice; give each its own")
        return self

    @model_validator(mode="after")
    def _carriers_exist(self) -> RadioConfig:
        named = {c.name for c in self.carriers}
        for trp in self.trps:
            if trp.carrier is not None and trp.carrier not in named:
                known = ", ".join(repr(c.name) for c in self.carriers) or "none"
                raise ValueError(
                    f"trps: {trp.name!r} is on carrier {trp.carrier!r}, which does not exist; carriers: {known} "
                    "(leave the field out for the carrier section itself)"
                )
        used = sorted(self.used_carriers, key=lambda c: c.frequency_hz)
        for low, high in pairwise(used):
            if high.frequency_hz - low.frequency_hz < (low.bandwidth_hz + high.bandwidth_hz) / 2.0:
                raise ValueError(
                    f"carriers: {_called(low)} at {low.frequency_hz:g} Hz and {_called(high)} at {high.frequency_hz:g} Hz "
                    "overlap; move one by their bandwidths, or put the TRPs on one carrier"
                )
        return self

    @field_validator("outages")
    @classmethod
    def _outages_are_of_trps(cls, outages: tuple[TrpOutageConfig, ...], info: ValidationInfo) -> tuple[TrpOutageConfig, ...]:
        named = [t.name for t in info.data.get("trps", ())]
        for i, outage in enumerate(outages):
            if named and outage.trp not in named:
                raise ValueError(f"there is no TRP {outage.trp!r} to switch off; the TRPs are {', '.join(named)}")
            for other in outages[:i]:
                first, then = sorted((outage, other), key=lambda o: o.from_s)
                if other.trp == outage.trp and (first.to_s is None or first.to_s > then.from_s):
                    raise ValueError(f"two spans of TRP {outage.trp!r} overlap; make them one")
        return outages

    @model_validator(mode="after")
    def _slices_fit(self) -> RadioConfig:
        known = [s.name for s in self.services]
        of_slice: dict[str, str] = {}
        for slice_ in self.slices:
            for name in slice_.services:
                if name not in known:
                    raise ValueError(
                        f"slices: {slice_.name!r} has service {name!r}, which does not exist; known: {', '.join(known)}"
                    )
                if name in of_slice:
                    raise ValueError(
                        f"slices: service {name!r} is in {of_slice[name]!r} and in {slice_.name!r}; it can be in one"
                    )
                of_slice[name] = slice_.name
        total = sum(s.guaranteed for s in self.slices)
        if total > 1.0 + 1e-9:
            raise ValueError(
                f"slices: guaranteed shares, dedicated ones included, add up to {total:.4g}; there is no more than 1"
            )
        return self

    @model_validator(mode="after")
    def _redundancy_fits(self) -> RadioConfig:
        scheme, on = self.link_adaptation.redundancy, self.trp_carrier
        if scheme == "pdcp_duplication" and len(set(on)) < 2:
            raise ValueError(
                "link_adaptation: redundancy pdcp_duplication needs TRPs on two carriers, for copies are never on the same "
                "one; put TRPs on a further carrier, or use independent_repetition"
            )
        if scheme not in ("pdcp_duplication", "independent_repetition") and len(set(on)) == len(on):
            raise ValueError(f"link_adaptation: redundancy {scheme} needs two TRPs on one carrier; every carrier has one alone")
        return self

    def carrier_of(self, trp: TrpConfig) -> CarrierConfig:
        """Return the carrier that a TRP is on."""
        return next((c for c in self.carriers if c.name == trp.carrier), self.carrier)

    @property
    def used_carriers(self) -> tuple[CarrierConfig, ...]:
        """Carriers with at least one TRP: the carrier section first, then the others in their order."""
        of_trps = {trp.carrier for trp in self.trps}
        default = (self.carrier,) if None in of_trps else ()
        return (*default, *(c for c in self.carriers if c.name in of_trps))

    @property
    def trp_carrier(self) -> tuple[int, ...]:
        """Index into ``used_carriers`` of each TRP's carrier."""
        names = [c.name if isinstance(c, NamedCarrierConfig) else None for c in self.used_carriers]
        return tuple(names.index(trp.carrier) for trp in self.trps)

    @property
    def policies(self) -> tuple[PolicyName, ...]:
        """Policies that are evaluated, the acting one first."""
        return (self.policy, *(p for p in self.compare if p != self.policy))


def _called(carrier: CarrierConfig) -> str:
    return repr(carrier.name) if isinstance(carrier, NamedCarrierConfig) else "the carrier section"
