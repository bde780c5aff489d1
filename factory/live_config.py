"""The ``live:`` section of a scenario: what the twin follows beside the plant, and what it may do there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bridges.config import BridgesConfig
from humans.tracking import TrackingConfig
from radio.policies import policy_class
from radio.recalibration.base import RecalibrationConfig
from robots.shadows import ShadowConfig

__all__ = ["AdviceConfig", "LiveConfig", "live_faults"]


class AdviceConfig(BaseModel):
    """When the twin warns, and how often it may act."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    look_ms: int = Field(200, ge=50, le=2000, multiple_of=10, description="How often the twin looks ahead, in ms.")
    horizons_ms: tuple[int, ...] = Field(
        (400, 800), min_length=1, max_length=6, description="How far ahead it looks, in ms, ascending, 100 to 3000."
    )
    raise_at: float = Field(0.5, gt=0, lt=1, description="Risk from which a warning is raised, 0..1.")
    clear_at: float = Field(0.25, gt=0, lt=1, description="Risk below which it is withdrawn, 0..1; below raise_at.")
    looks: int = Field(2, ge=1, le=20, description="Looks in a row that must agree before a warning is raised.")
    hold_s: float = Field(1.0, ge=0, le=60, description="How long the risk must be low before a warning is withdrawn, in s.")
    detour_after_s: float = Field(6.0, ge=1, le=600, description="A warning that lasts longer makes a detour advisable, in s.")
    acts_per_min: int = Field(6, ge=1, le=600, description="Acts that may begin within a minute, all kinds together.")
    longest_act_s: float = Field(
        5.0, ge=0.5, le=600, description="An act is withdrawn after this, whatever the reason does, in s."
    )
    rest_s: float = Field(20.0, ge=0, le=3600, description="The same act on the same target begins again after this, in s.")
    policy_at_risk: str = Field("human_aware", description="Radio policy that `radio_policy` switches to while a warning stands.")

    @model_validator(mode="after")
    def _is_consistent(self) -> AdviceConfig:
        if self.clear_at >= self.raise_at:
            raise ValueError(f"clear_at {self.clear_at:g} must be below raise_at {self.raise_at:g}, for example 0.25 and 0.5")
        h = self.horizons_ms
        if list(h) != sorted(set(h)) or not (100 <= h[0] and h[-1] <= 3000):
            raise ValueError(f"horizons_ms {list(h)} must ascend and lie in 100 to 3000 ms, for example [400, 800]")
        return self


class LiveConfig(BaseModel):
    """The twin beside its plant; a batch run reads nothing of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    people_from: Literal["simulated", "tags"] = Field(
        "simulated", description="Where live people come from: simulated ones, or location tags (bridges.tags)."
    )
    max_people: int | None = Field(
        None, ge=1, le=500, description="Most tagged people at the same time; absent: as many as the scenario has people."
    )
    agvs_from: Literal["simulated", "vda5050"] = Field(
        "simulated", description="Where live AGVs are: simulated, or where the real ones of bridges.vda5050.real say."
    )
    mode: Literal["observe", "advise", "act"] = Field(
        "observe", description="observe: no advice leaves; advise: advice is published; act: what `may` lists is done as well."
    )
    may: tuple[Literal["agv_pause", "radio_policy", "radio_offsets", "qos_session"], ...] = Field(
        (),
        description="What may be done in mode act: agv_pause (pause an AGV before a gap in its radio), radio_policy, "
        "radio_offsets (correct the twin's TRPs by measurements), qos_session (ask the network for QoS, bridges.qos).",
    )
    recalibration: RecalibrationConfig = Field(
        default_factory=RecalibrationConfig, description="What is made of radio measurements (bridges.radio_reports)."
    )
    tracking: TrackingConfig = Field(default_factory=TrackingConfig, description="How tagged people are followed.")
    shadows: ShadowConfig = Field(default_factory=ShadowConfig, description="How real AGVs are followed.")
    advice: AdviceConfig = Field(default_factory=AdviceConfig, description="When the twin warns, and how often it may act.")

    @model_validator(mode="after")
    def _acts_are_named(self) -> LiveConfig:
        if self.may and self.mode != "act":
            raise ValueError(f"may lists {', '.join(self.may)}, but mode is {self.mode}; set mode: act, or leave may empty")
        if self.mode == "act" and not self.may:
            raise ValueError(
                "mode is act, but may is empty; list what may be done: agv_pause, radio_policy, ... or set mode: advise"
            )
        return self


def live_faults(live: LiveConfig, bridges: BridgesConfig) -> Iterator[tuple[str, str]]:
    """Yield what the section asks of others that they do not give, as key and what is wrong.

    Parameters
    ----------
    live : the section. bridges : the bridges section.
    """
    if live.people_from == "tags" and not bridges.tags.enabled:
        yield "live.people_from", "tags: bridges.tags.enabled is false, so nobody would ever be seen; set it to true"
    if live.agvs_from == "vda5050" and not bridges.vda5050.real:
        yield "live.agvs_from", "vda5050: bridges.vda5050.real names no AGV; name each real AGV and its twin there"
    if live.recalibration.enabled and not bridges.radio_reports.enabled:
        yield (
            "live.recalibration.enabled",
            "true: bridges.radio_reports.enabled is false, so no measurement comes; set it to true",
        )
    if bridges.radio_reports.enabled and not live.recalibration.enabled:
        yield (
            "bridges.radio_reports.enabled",
            "true: nobody uses the measurements; set live.recalibration.enabled to true as well",
        )
    if bridges.radio_reports.enabled and bridges.mqtt.host is None and not bridges.mqtt.enabled:
        yield "bridges.radio_reports.enabled", "true: there is no broker; set bridges.mqtt.enabled to true, or name its host"
    if "radio_offsets" in live.may and not live.recalibration.enabled:
        yield "live.may", "radio_offsets: live.recalibration.enabled is false, so there are no offsets; set it to true"
    if bridges.qos.enabled and "qos_session" not in live.may:
        yield (
            "bridges.qos.enabled",
            "true: sessions are asked for in mode act alone; set live.mode to act and add qos_session to live.may",
        )
    if "qos_session" in live.may and not bridges.qos.enabled:
        yield "live.may", "qos_session: bridges.qos.enabled is false; set it to true, and name the network in bridges.qos.url"
    if bridges.qos.enabled and not bridges.qos.device_ip:
        yield "bridges.qos.device_ip", "it is empty, so no device has a session; give each machine's address, agv-01: 10.0.0.1"
    if "agv_pause" in live.may and live.agvs_from == "vda5050" and "instantActions" not in bridges.vda5050.may_send:
        yield (
            "live.may",
            "agv_pause: bridges.vda5050.may_send does not hold instantActions, so no real AGV could be paused; add it",
        )
    if "radio_policy" in live.may:
        name = live.advice.policy_at_risk
        try:
            bound = getattr(policy_class(name), "sees_truth", False)
        except ValueError as error:
            yield "live.advice.policy_at_risk", str(error)
        else:
            if bound:
                yield (
                    "live.advice.policy_at_risk",
                    f"policy {name!r} is a bound that knows the true channel; no network runs by it",
                )
