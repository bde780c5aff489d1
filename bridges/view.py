"""The one thing that leaves the twin.

``factory`` builds a :class:`TwinView` once per publish and applies privacy there: a view holds no person's position, name or
track, only how many people are in a zone and that *a person* stands in a link's way. So no bridge can leak what it never had.
The one exception is ``TwinView.people``, which is empty unless the scenario asks for it, and is in no JSON.

Numbers that do not exist (no serving link, no failure yet) are ``None`` or NaN here and ``null`` in JSON.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from bridges.view_parts import ForecastView, OutageView, PoseView, TrpView
from bridges.view_parts import number as _number
from bridges.view_radio import CalibrationView, QosView, RadioAlarmView

__all__ = [
    "AdviceView",
    "AssetView",
    "CalibrationView",
    "ForecastView",
    "LinkView",
    "MachineView",
    "OutageView",
    "PoseView",
    "QosView",
    "RadioAlarmView",
    "ServiceView",
    "TrpView",
    "TwinView",
    "ZoneView",
]


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
class AssetView:
    """How well the twin knows an asset of its plant; NaN where there is no figure.

    Attributes
    ----------
    id : name of an AGV in the hall, or ``people`` for everybody together: no single person's figures leave the twin.
    kind : ``agv`` or ``people``.
    known : how many are known now.
    fresh : it is heard.
    age_s, age_p95_s : age of information: time since its last believed place was measured, median and 95 % over people [s].
    offset_m, offset_p95_m : twin-to-real offset: distance of that place to where the twin had it at that instant [m].
    sigma_m : standard deviation of its place along each axis, as the twin believes now [m].
    skill : forecast skill against standing still, 1 - ratio of mean squared errors, at most 1.
    innovation : mean normalised innovation squared over its expectation, 1 where accuracies are what the plant says.
    """

    id: str
    kind: Literal["agv", "people"]
    known: int
    fresh: bool
    age_s: float
    age_p95_s: float
    offset_m: float
    offset_p95_m: float
    sigma_m: float
    skill: float
    innovation: float

    def to_json_dict(self) -> dict[str, Any]:
        """Return the asset as JSON-safe values: milliseconds and millimetres."""
        return {
            "id": self.id,
            "kind": self.kind,
            "known": int(self.known),
            "fresh": bool(self.fresh),
            "age_s": _number(self.age_s, 3),
            "age_p95_s": _number(self.age_p95_s, 3),
            "offset_m": _number(self.offset_m, 3),
            "offset_p95_m": _number(self.offset_p95_m, 3),
            "sigma_m": _number(self.sigma_m, 3),
            "skill": _number(self.skill, 3),
            "innovation": _number(self.innovation, 3),
        }


@dataclass(frozen=True, slots=True)
class AdviceView:
    """A piece of advice that stands. It is withdrawn by no longer being there.

    Attributes
    ----------
    kind : ``risk`` (alarm), ``agv_slow``, ``agv_detour`` or ``serve_from`` (radio plan).
    target : device it is about.
    value : what is advised: a speed, a lane to avoid, a TRP; "" for an alarm.
    reason : why, in words.
    risk : probability 0..1 that the link falls below its need within the horizon.
    since_us : twin time since when it stands [us].
    act : what the twin itself does about it now, "" for nothing.
    """

    kind: str
    target: str
    value: str
    reason: str
    risk: float
    since_us: int
    act: str

    def to_json_dict(self) -> dict[str, Any]:
        """Return the advice as JSON-safe values."""
        return {
            "kind": self.kind,
            "target": self.target,
            "value": self.value,
            "reason": self.reason,
            "risk": _number(self.risk, 3),
            "since_us": int(self.since_us),
            "act": self.act,
        }


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
    trps : transmission points, none without radio.
    forecasts : what lies ahead of every link, none where nobody asked for it.
    outages : last outage of every device.
    service_outages : last outage of every service, on whatever device.
    people : where people are, in no order that tells who is who; empty unless ``bridges.opcua.people_for_safety`` is true. It
        is for the OPC UA server's role safety alone and in no JSON.
    assets : how well the plant is known; empty where nothing of it is observed.
    advice : what stands and may leave; None where nobody looks ahead.
    calibration : how measured RSRP agrees with the prediction; None where none is measured.
    qos : sessions asked of the network; None where none are.
    """

    time_us: int
    name: str
    running: bool
    real_time_factor: float
    machines: tuple[MachineView, ...]
    links: tuple[LinkView, ...]
    services: tuple[ServiceView, ...]
    zones: tuple[ZoneView, ...]
    trps: tuple[TrpView, ...] = ()
    forecasts: tuple[ForecastView, ...] = ()
    outages: tuple[OutageView, ...] = ()
    service_outages: tuple[OutageView, ...] = ()
    people: tuple[PoseView, ...] = field(default=(), repr=False)
    assets: tuple[AssetView, ...] = ()
    advice: tuple[AdviceView, ...] | None = None
    calibration: CalibrationView | None = None
    qos: QosView | None = None

    def to_json_dict(self) -> dict[str, Any]:
        """Return the view as JSON-safe values, without ``people``."""
        return {
            "time_us": int(self.time_us),
            "name": self.name,
            "running": bool(self.running),
            "real_time_factor": _number(self.real_time_factor, 3),
            "machines": [m.to_json_dict() for m in self.machines],
            "links": [k.to_json_dict() for k in self.links],
            "services": [s.to_json_dict() for s in self.services],
            "zones": [z.to_json_dict() for z in self.zones],
            "trps": [t.to_json_dict() for t in self.trps],
            "forecasts": [f.to_json_dict() for f in self.forecasts],
            "outages": [o.to_json_dict() for o in self.outages],
            "service_outages": [o.to_json_dict() for o in self.service_outages],
            "assets": [a.to_json_dict() for a in self.assets],
            "advice": None if self.advice is None else [a.to_json_dict() for a in self.advice],
            "calibration": None if self.calibration is None else self.calibration.to_json_dict(),
            "qos": None if self.qos is None else self.qos.to_json_dict(),
        }
