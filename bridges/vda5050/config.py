"""Configuration of VDA 5050: the ``bridges.vda5050:`` section of a scenario. The broker is that of ``bridges.mqtt``."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bridges.vda5050.base import Version

__all__ = ["RealAgvConfig", "Vda5050Config"]


def _one_level(value: str) -> str:
    """Refuse a name that would reach other topics than its own."""
    from bridges.mqtt.topics import level  # its package reads the configuration

    if level(value) != value or "$" in value:
        raise ValueError(f"{value[:40]!r} must be one level of a topic: without / + # $ or control characters, 256 at most")
    return value


class RealAgvConfig(BaseModel):
    """A real AGV that drives its twin."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    manufacturer: str = Field(min_length=1, description="Manufacturer as in its topics.")
    serial_number: str = Field(min_length=1, description="Serial number as in its topics.")
    version: Version = Field("2.1.0", description="Version of the standard that it speaks.")
    twin: str = Field(min_length=1, description="The AGV in the hall that it drives (agv-01).")

    @field_validator("manufacturer", "serial_number")
    @classmethod
    def _is_one_level(cls, value: str) -> str:
        return _one_level(value)


class Vda5050Config(BaseModel):
    """The twin's AGVs as VDA 5050 vehicles."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(False, description="Let the twin's AGVs speak VDA 5050 when live.")
    interface_name: str = Field("uagv", min_length=1, description="First level of the topics.")
    manufacturer: str = Field("factory-twin", min_length=1, description="Manufacturer in topics and headers.")
    version: Version = Field("2.1.0", description="Version of the standard that the AGVs speak.")
    versions: dict[str, Version] = Field({}, description="Another version for single AGVs, by serial number (agv-01).")
    map_id: str = Field("hall", min_length=1, description="Name of the map in whose frame positions are.")
    state_interval_s: float = Field(
        10.0, ge=1, le=30, description="Longest time between two state messages in s; the standard allows 30."
    )
    min_state_interval_s: float = Field(0.1, ge=0, le=5, description="Shortest time between two state messages in s.")
    visualization_interval_s: float = Field(1.0, ge=0, le=60, description="Time between visualization messages in s; 0: none.")
    max_messages_per_s: int = Field(
        50, ge=1, le=10_000, description="Messages to one AGV per second beyond which they are dropped unread."
    )

    remember_orders: bool = Field(
        True,
        description="Keep the AGVs' orders and places in the state folder: a twin that comes back goes on with them.",
    )

    real: tuple[RealAgvConfig, ...] = Field((), description="Real AGVs whose state drives their twins.")
    real_max_age_s: float = Field(
        2.0, gt=0, le=60, description="A message of a real AGV that is older than this when it comes is refused, in s."
    )
    may_send: tuple[Literal["order", "instantActions"], ...] = Field(
        (), description="What may be sent to real AGVs; nothing unless it is named here."
    )

    @model_validator(mode="after")
    def _real_agvs_are_different(self) -> Vda5050Config:
        for what in ("serial_number", "twin"):
            twice = [name for name, n in Counter(getattr(agv, what) for agv in self.real).items() if n > 1]
            if twice:
                raise ValueError(f"real: {what} {twice[0]!r} is used twice; give each real AGV its own")
        return self

    @field_validator("interface_name", "manufacturer")
    @classmethod
    def _is_one_level(cls, value: str) -> str:
        return _one_level(value)
