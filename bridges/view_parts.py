"""Parts of a view that say why a link is as it is: transmission points, what lies ahead of a link, and its last outage.

Beside them :class:`PoseView`, the one part that holds where a person is. It is made only where the scenario says
``bridges.opcua.people_for_safety: true``, has no identity, and never becomes JSON.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["IMPAIRED_DB", "ForecastView", "OutageView", "PoseView", "TrpView", "number"]

IMPAIRED_DB = 10.0
"""Shortfall from which a transmission point counts as impaired where nothing else is said [dB] (assumed)."""


def number(value: float | None, digits: int) -> float | None:
    """Return a number rounded for JSON, or None for a missing one: JSON has no NaN and no infinity."""
    if value is None or not math.isfinite(value):
        return None
    return round(value, digits)


@dataclass(frozen=True, slots=True)
class TrpView:
    """One transmission point.

    Attributes
    ----------
    name : name in the scenario.
    x_m, y_m, z_m : centre of its panel in the hall frame [m].
    azimuth_rad : boresight about the vertical, counter-clockwise from +x [rad].
    downtilt_rad : boresight below the horizon [rad].
    carrier_hz : centre frequency [Hz].
    beams : beams of its codebook.
    in_service : False while it is switched off or out of order.
    load_dl, load_ul : share of its symbols that the last tick spent, 0..1.
    shortfall_db : how far the newest sweep's level lies below what the empty hall leads one to expect, median of the devices
        that should hear it best [dB]; None where it is off or too few hear it. People in the way are in it.
    devices, serving_beams : devices that it serves as their first leg, and the beam of each.
    second_devices, second_beams : the same of second legs.
    """

    name: str
    x_m: float
    y_m: float
    z_m: float
    azimuth_rad: float
    downtilt_rad: float
    carrier_hz: float
    beams: int
    in_service: bool
    load_dl: float
    load_ul: float
    shortfall_db: float | None = None
    devices: tuple[str, ...] = ()
    serving_beams: tuple[int, ...] = ()
    second_devices: tuple[str, ...] = ()
    second_beams: tuple[int, ...] = ()

    @property
    def state(self) -> Literal["in service", "impaired", "off"]:
        """The state in a word: ``impaired`` from a shortfall of `IMPAIRED_DB` on."""
        if not self.in_service:
            return "off"
        return "impaired" if self.shortfall_db is not None and self.shortfall_db >= IMPAIRED_DB else "in service"

    def to_json_dict(self) -> dict[str, Any]:
        """Return the transmission point as JSON-safe values."""
        return {
            "name": self.name,
            "x_m": number(self.x_m, 3),
            "y_m": number(self.y_m, 3),
            "z_m": number(self.z_m, 3),
            "azimuth_rad": number(self.azimuth_rad, 4),
            "downtilt_rad": number(self.downtilt_rad, 4),
            "carrier_hz": number(self.carrier_hz, 0),
            "beams": int(self.beams),
            "in_service": bool(self.in_service),
            "load_dl": number(self.load_dl, 4),
            "load_ul": number(self.load_ul, 4),
            "shortfall_db": number(self.shortfall_db, 2),
            "devices": list(self.devices),
            "serving_beams": list(self.serving_beams),
            "second_devices": list(self.second_devices),
            "second_beams": list(self.second_beams),
        }


@dataclass(frozen=True, slots=True)
class ForecastView:
    """How probable it is that a link will fall short.

    Attributes
    ----------
    device : id of the device.
    horizon_s : how far ahead each value is [s].
    risk : probability 0..1, one per horizon, that the link has less than its most demanding service needs; None before the
        first forecast.
    """

    device: str
    horizon_s: tuple[float, ...]
    risk: tuple[float | None, ...]

    def at(self, horizon_s: float) -> float | None:
        """Return the risk at a horizon, None where it was not looked at."""
        return next((r for h, r in zip(self.horizon_s, self.risk, strict=True) if h == horizon_s), None)

    @property
    def in_500_ms(self) -> float | None:
        """Risk half a second ahead."""
        return self.at(0.5)

    @property
    def in_1_s(self) -> float | None:
        """Risk one second ahead."""
        return self.at(1.0)

    @property
    def in_2_s(self) -> float | None:
        """Risk two seconds ahead."""
        return self.at(2.0)

    def to_json_dict(self) -> dict[str, Any]:
        """Return the forecast as JSON-safe values."""
        return {"device": self.device, "horizon_s": list(self.horizon_s), "risk": [number(r, 4) for r in self.risk]}


@dataclass(frozen=True, slots=True)
class OutageView:
    """The last time that a service was down on a device, or None and "" where it never was.

    Attributes
    ----------
    device, service : what was down, and where.
    since_us : twin time at which it went down [us].
    until_us : twin time at which it came back [us], None while it is down.
    cause : word of ``radio.messages.delivery.Cause`` for the message that decided it, for example ``body``.
    blocked_by : what stood in the way: ``person``, the id of a machine, "" for nothing.
    trp : transmission point that the message went over, "" for none.
    """

    device: str
    service: str = ""
    since_us: int | None = None
    until_us: int | None = None
    cause: str = ""
    blocked_by: str = ""
    trp: str = ""

    @property
    def duration_us(self) -> int | None:
        """How long it lasted [us], None while it lasts."""
        return None if self.since_us is None or self.until_us is None else self.until_us - self.since_us

    def to_json_dict(self) -> dict[str, Any]:
        """Return the outage as JSON-safe values."""
        return {
            "device": self.device,
            "service": self.service,
            "since_us": None if self.since_us is None else int(self.since_us),
            "until_us": None if self.until_us is None else int(self.until_us),
            "cause": self.cause,
            "blocked_by": self.blocked_by,
            "trp": self.trp,
        }


@dataclass(frozen=True, slots=True)
class PoseView:
    """Where somebody stands; for the role safety alone.

    Attributes
    ----------
    x_m, y_m : place on the floor [m].
    heading_rad : turn about the vertical, counter-clockwise from +x [rad].
    """

    x_m: float
    y_m: float
    heading_rad: float
