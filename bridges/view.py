"""The one thing that leaves the twin.

``factory`` builds a :class:`TwinView` once per publish and applies privacy there: a view holds no person's position, name or
track, only how many people are in a zone and that *a person* stands in a link's way. So no bridge can leak what it never had.

Numbers that do not exist (no serving link, no failure yet) are ``None`` or NaN here and ``null`` in JSON.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["LinkView", "MachineView", "ServiceView", "TwinView", "ZoneView"]


def _number(value: float | None, digits: int) -> float | None:
    """Return a number rounded for JSON, or None for a missing one: JSON has no NaN and no infinity."""
    if value is None or not math.isfinite(value):
        return None
    return round(value, digits)


@dataclass(frozen=True, slots=True)
class MachineView:
    """One AGV or cobot.

    Attributes
    ----------
    id : name in the hall, for example ``agv-07``.
    kind : ``agv`` or ``cobot``.
    x_m, y_m, z_m : reference point in the hall frame [m] (AGV: centre of the footprint on the floor; cobot: its base).
    heading_rad : turn about the vertical, counter-clockwise from +x [rad].
    speed_mps : ground speed of an AGV, speed of the tool of a cobot [m/s].
    mode : word of the mode, for example ``driving``, ``protective_stop``.
    loaded : carries or holds a load.
    battery : charge 0..1, None for a machine on the mains.
    order : id of the order being worked on, "" for none.
    joints_rad : positions of an arm's joints from its base on [rad], none for an AGV.
    speed_scale : share of full speed 0..1 that an arm runs at, None for an AGV.
    """

    id: str
    kind: Literal["agv", "cobot"]
    x_m: float
    y_m: float
    z_m: float
    heading_rad: float
    speed_mps: float
    mode: str
    loaded: bool
    battery: float | None
    order: str
    joints_rad: tuple[float, ...] = ()
    speed_scale: float | None = None

    def to_json_dict(self) -> dict[str, Any]:
        """Return the machine as JSON-safe values: millimetres and milliradians, millimetres per second."""
        return {
            "id": self.id,
            "kind": self.kind,
            "x_m": _number(self.x_m, 3),
            "y_m": _number(self.y_m, 3),
            "z_m": _number(self.z_m, 3),
            "heading_rad": _number(self.heading_rad, 3),
            "speed_mps": _number(self.speed_mps, 3),
            "mode": self.mode,
            "loaded": bool(self.loaded),
            "battery": _number(self.battery, 3),
            "order": self.order,
            "joints_rad": [_number(q, 4) for q in self.joints_rad],
            "speed_scale": _number(self.speed_scale, 3),
        }


@dataclass(frozen=True, slots=True)
class LinkView:
    """The radio link of one device.

    Attributes
    ----------
    device : id of the device that carries the UE (an AGV, a cobot, a hand-held panel).
    trp : name of the serving TRP, "" for none.
    beam : index of the serving beam at that TRP, -1 for none.
    sinr_dl_db, sinr_ul_db : SINR down and up [dB], NaN without a serving beam.
    margin_db : SINR above what the device's most demanding service needs [dB], negative where it falls short.
    blocked_by : what stands in the way: ``person``, the id of a machine, "" for nothing.
    body_loss_db : loss by moving bodies on the serving beam [dB], 0 for a clear path.
    risk : probability 0..1 that the link falls below its need within the forecast horizon.
    """

    device: str
    trp: str
    beam: int
    sinr_dl_db: float
    sinr_ul_db: float
    margin_db: float
    blocked_by: str
    body_loss_db: float
    risk: float

    def to_json_dict(self) -> dict[str, Any]:
        """Return the link as JSON-safe values, dB to two places."""
        return {
            "device": self.device,
            "trp": self.trp,
            "beam": int(self.beam),
            "sinr_dl_db": _number(self.sinr_dl_db, 2),
            "sinr_ul_db": _number(self.sinr_ul_db, 2),
            "margin_db": _number(self.margin_db, 2),
            "blocked_by": self.blocked_by,
            "body_loss_db": _number(self.body_loss_db, 2),
            "risk": _number(self.risk, 4),
        }


@dataclass(frozen=True, slots=True)
class ServiceView:
    """One communication service over all devices that use it.

    Attributes
    ----------
    name : name in the scenario.
    profile : row of TS 22.104 it follows, for example ``mobile-robot``.
    availability : communication service availability 0..1 since the start (TS 22.104 annex C).
    mtbf_s : mean time between failures [s], None until a tenth of an outage is expected.
    packet_error_ratio : lost, late or damaged messages over all messages, 0..1.
    up : the service is up on every device now.
    down_since_us : twin time of the present failure's start [us], None while up.
    """

    name: str
    profile: str
    availability: float | None
    mtbf_s: float | None
    packet_error_ratio: float | None
    up: bool
    down_since_us: int | None

    def to_json_dict(self) -> dict[str, Any]:
        """Return the service as JSON-safe values; ratios keep nine places, for eight nines are asked of some services."""
        return {
            "name": self.name,
            "profile": self.profile,
            "availability": _number(self.availability, 9),
            "mtbf_s": _number(self.mtbf_s, 3),
            "packet_error_ratio": _number(self.packet_error_ratio, 9),
            "up": bool(self.up),
            "down_since_us": None if self.down_since_us is None else int(self.down_since_us),
        }


@dataclass(frozen=True, slots=True)
class ZoneView:
    """How many people are in one zone of the hall.

    Attributes
    ----------
    name : name of the zone.
    people : people in it now.
    """

    name: str
    people: int

    def to_json_dict(self) -> dict[str, Any]:
        """Return the zone as JSON-safe values."""
        return {"name": self.name, "people": int(self.people)}


@dataclass(frozen=True, slots=True)
class TwinView:
    """The twin at one instant, as everyone outside may see it.

    Attributes
    ----------
    time_us : twin time since the start [us].
    name : name of the scenario.
    running : False while paused.
    real_time_factor : twin time over wall time, 1.0 when in step with the plant.
    machines, links, services, zones : parts in a stable order.
    """

    time_us: int
    name: str
    running: bool
    real_time_factor: float
    machines: tuple[MachineView, ...]
    links: tuple[LinkView, ...]
    services: tuple[ServiceView, ...]
    zones: tuple[ZoneView, ...]

    def to_json_dict(self) -> dict[str, Any]:
        """Return the whole view as JSON-safe values."""
        return {
            "time_us": int(self.time_us),
            "name": self.name,
            "running": bool(self.running),
            "real_time_factor": _number(self.real_time_factor, 3),
            "machines": [m.to_json_dict() for m in self.machines],
            "links": [k.to_json_dict() for k in self.links],
            "services": [s.to_json_dict() for s in self.services],
            "zones": [z.to_json_dict() for z in self.zones],
        }
