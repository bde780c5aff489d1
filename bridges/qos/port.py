"""What every network is asked through: open, extend, close, status. Intent only; see :mod:`bridges.qos`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bridges.loopback import is_loopback

__all__ = ["QosConfig", "QosError", "QosPort", "Session"]

State = Literal["requested", "available", "unavailable"]


class QosError(Exception):
    """A request that came to nothing.

    Parameters
    ----------
    message : what was asked and what the network said.
    again : whether the same request may succeed later (no answer, 429, 5xx); False for a refusal.
    gone : whether the network does not know the session (any more).
    """

    def __init__(self, message: str, again: bool, gone: bool = False) -> None:
        super().__init__(message)
        self.again, self.gone = again, gone


@dataclass(frozen=True, slots=True)
class Session:
    """A session as the network tells it.

    Attributes
    ----------
    id : of the network. device : its address. state : requested, available or unavailable.
    duration_s : how long the network grants from its start [s]; None where its interface knows no end.
    """

    id: str
    device: str
    state: State
    duration_s: int | None


class QosPort(Protocol):
    """An adapter; every call may block up to the time-out and raises :class:`QosError`.

    Attributes
    ----------
    endless : whether what was opened lasts until it is closed, so that a lost answer must be followed up.
    """

    endless: bool

    def open(self, device: str, duration_s: int) -> Session:
        """Ask for a session, or return the one that an earlier, unanswered request made."""

    def extend(self, session: Session, more_s: int) -> Session:
        """Prolong a session."""

    def status(self, session: Session) -> Session:
        """Ask how a session is."""

    def close(self, session: Session) -> None:
        """End a session; one that is gone already is no error."""


class QosConfig(BaseModel):
    """QoS on demand: whom to ask, and when."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(False, description="Ask the network for better treatment of devices at risk when live.")
    interface: Literal["camara", "as-session-with-qos", "a1"] = Field("camara", description="Interface of the network.")
    url: str = Field("http://127.0.0.1:9091/quality-on-demand/vwip", pattern=r"^https?://[^\s/]+", description="Root of the API.")
    token_file: Path | None = Field(None, description="File with the bearer token; read anew for every request.")
    insecure: bool = Field(False, description="Allow plain HTTP to another machine.")
    device_ip: dict[str, str] = Field(default_factory=dict, description="IPv4 address of each device, by its name.")
    server_ip: str = Field("127.0.0.1", description="IPv4 address of the application that controls the devices.")
    profile: str = Field(
        "QOS_E",
        pattern=r"^[a-zA-Z0-9_.-]{3,256}$",
        description="QoS profile, QoS reference or policy type agreed with the operator.",
    )
    consumer: str = Field("factory-twin", min_length=1, max_length=64, description="Our name at the network (scsAsId).")
    time_out_s: float = Field(2.0, ge=0.1, le=60, description="Longest wait for an answer in s.")
    open_risk: float = Field(1e-3, gt=0, le=1, description="Forecast risk of a message above which a session is opened, 0..1.")
    close_risk: float = Field(1e-4, ge=0, le=1, description="Risk below which a session may be closed, 0..1.")
    calm_s: float = Field(10.0, ge=0, le=3600, description="How long the risk must be that low before a session is closed, in s.")
    duration_s: int = Field(60, ge=5, le=86_400, description="Duration that is asked for, in s.")
    renew_s: float = Field(15.0, ge=1, le=3600, description="A session still needed is extended this long before its end, in s.")
    most_sessions: int = Field(
        4, ge=1, le=1000, description="Sessions open at a time; the devices at the highest risk come first."
    )
    budget_s_per_h: float = Field(3600.0, gt=0, le=1e7, description="Session seconds that may be asked for in any hour.")
    retry_min_s: float = Field(0.5, ge=0.05, le=60, description="First wait after a failed request in s; it doubles.")
    retry_max_s: float = Field(30.0, ge=0.05, le=3600, description="Longest wait after a failed request in s.")

    @model_validator(mode="after")
    def _agrees(self) -> QosConfig:
        if self.close_risk >= self.open_risk:
            raise ValueError(f"close_risk {self.close_risk:g} must be below open_risk {self.open_risk:g}, or sessions flap")
        if self.renew_s >= self.duration_s:
            raise ValueError(f"renew_s {self.renew_s:g} must be below duration_s {self.duration_s}")
        host = self.url.split("//", 1)[1].split("/", 1)[0].rsplit(":", 1)[0]
        if self.url.startswith("http://") and not self.insecure and not is_loopback(host):
            raise ValueError(f"url {self.url!r} would carry the token unencrypted: use https, or insecure: true")
        return self
