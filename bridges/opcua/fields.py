"""What the twin's own nodes show: for every folder the part of the view, and for every variable its type, unit and range.

Identifiers are made of the browse names and are part of the interface: they stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from asyncua import ua

from bridges.opcua.space import Analog
from bridges.view import TwinView

__all__ = ["FOLDERS", "TWIN", "Field", "Folder"]

_STRING, _BOOL = ua.VariantType.String, ua.VariantType.Boolean
_DOUBLE, _INT, _COUNT = ua.VariantType.Double, ua.VariantType.Int32, ua.VariantType.UInt32

# Ranges are what a value normally stays within; percent dead-bands are shares of them.
_ALONG = Analog("MTR", "m", "metre", 0.0, 200.0)
_HEIGHT = Analog("MTR", "m", "metre", 0.0, 10.0)
_TURN = Analog("C81", "rad", "radian", -math.pi, math.pi)
_SPEED = Analog("MTS", "m/s", "metre per second", 0.0, 3.0)
_SHARE = Analog("C62", "1", "one", 0.0, 1.0)
_LEVEL = Analog("2N", "dB", "decibel", -30.0, 60.0)
_LOSS = Analog("2N", "dB", "decibel", 0.0, 60.0)
_WHILE = Analog("SEC", "s", "second", 0.0, 86_400.0)
_FACTOR = Analog("C62", "1", "one", 0.0, 20.0)
_HEADS = Analog("IE", "persons", "person", 0.0, 100.0)
_CARRIER = Analog("HTZ", "Hz", "hertz", 0.0, 300e9)
_FALL = Analog("2N", "dB", "decibel", -10.0, 60.0)
_ROUND = Analog("C81", "rad", "radian", -2.0 * math.pi, 2.0 * math.pi)
_TILT = Analog("C81", "rad", "radian", -0.5 * math.pi, 0.5 * math.pi)
_COUNTED = Analog("C62", "1", "one", 0.0, 1024.0)
_AGE = Analog("SEC", "s", "second", 0.0, 10.0)
_ERROR = Analog("MTR", "m", "metre", 0.0, 5.0)
_SKILL = Analog("C62", "1", "one", -1.0, 1.0)
_RATIO = Analog("C62", "1", "one", 0.0, 10.0)


@dataclass(frozen=True, slots=True)
class Field:
    """One variable: its browse name, the attribute of the view it shows, its type and what it says."""

    name: str
    attribute: str
    kind: ua.VariantType
    description: str
    analog: Analog | None = None
    scale: float = 1.0
    array: bool = False


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder of the address space and the part of the view it shows.

    Attributes
    ----------
    name : browse name of the folder.
    items : the parts of a view that are shown, one object each.
    key : browse name of a part's object.
    fields : its variables.
    also : several of these may show variables of the same objects; then this word tells them apart.
    """

    name: str
    items: Callable[[TwinView], tuple[Any, ...]]
    key: Callable[[Any], str]
    fields: tuple[Field, ...]
    also: str = ""

    def getter(self) -> Callable[[Any], tuple[Any, ...]]:
        """Return what takes the fields' values out of a part of the view."""
        if len(self.fields) == 1:
            only = attrgetter(self.fields[0].attribute)
            return lambda part: (only(part),)
        return attrgetter(*(field.attribute for field in self.fields))


FOLDERS = (
    Folder(
        "Machines",
        attrgetter("machines"),
        attrgetter("id"),
        (
            Field("Kind", "kind", _STRING, "agv or cobot"),
            Field("X", "x_m", _DOUBLE, "Position along the hall's length [m]", _ALONG),
            Field("Y", "y_m", _DOUBLE, "Position along the hall's width [m]", _ALONG),
            Field("Z", "z_m", _DOUBLE, "Height above the floor [m]", _HEIGHT),
            Field("Heading", "heading_rad", _DOUBLE, "Turn about the vertical, counter-clockwise from +x [rad]", _TURN),
            Field("Speed", "speed_mps", _DOUBLE, "Speed of an AGV, or of a cobot's tool [m/s]", _SPEED),
            Field("Mode", "mode", _STRING, "Word of the mode, for example driving or protective_stop"),
            Field("Loaded", "loaded", _BOOL, "Carries or holds a load"),
            Field("Battery", "battery", _DOUBLE, "Charge [0..1]", _SHARE),
            Field("Order", "order", _STRING, "Order being worked on, empty for none"),
        ),
    ),
    Folder(
        "Links",
        attrgetter("links"),
        attrgetter("device"),
        (
            Field("ServingTrp", "trp", _STRING, "Serving transmission point, empty for none"),
            Field("ServingBeam", "beam", _INT, "Serving beam at that point, -1 for none"),
            Field("SinrDownlink", "sinr_dl_db", _DOUBLE, "SINR at the device [dB]", _LEVEL),
            Field("SinrUplink", "sinr_ul_db", _DOUBLE, "SINR at the transmission point [dB]", _LEVEL),
            Field("Margin", "margin_db", _DOUBLE, "SINR above what the most demanding service needs [dB]", _LEVEL),
            Field("BlockedBy", "blocked_by", _STRING, "What stands in the way: person, a machine's id, or empty"),
            Field("BodyLoss", "body_loss_db", _DOUBLE, "Loss by moving bodies on the serving beam [dB]", _LOSS),
            Field("Risk", "risk", _DOUBLE, "Probability that the link falls short within the forecast horizon [0..1]", _SHARE),
        ),
    ),
    Folder(
        "Services",
        attrgetter("services"),
        attrgetter("name"),
        (
            Field("Profile", "profile", _STRING, "Profile of TS 22.104"),
            Field("Availability", "availability", _DOUBLE, "Communication service availability since the start [0..1]", _SHARE),
            Field("Mtbf", "mtbf_s", _DOUBLE, "Mean time between failures [s]", _WHILE),
            Field("PacketErrorRatio", "packet_error_ratio", _DOUBLE, "Lost or late messages over all [0..1]", _SHARE),
            Field("Up", "up", _BOOL, "The service is up on every device"),
            Field("DownSince", "down_since_us", _DOUBLE, "Twin time of the present failure's start [s]", _WHILE, 1e-6),
        ),
    ),
    Folder(
        "Links",
        attrgetter("forecasts"),
        attrgetter("device"),
        tuple(
            Field(name, attribute, _DOUBLE, f"Probability that the link falls short {ahead} from now [0..1]", _SHARE)
            for name, attribute, ahead in (
                ("RiskIn500ms", "in_500_ms", "half a second"),
                ("RiskIn1s", "in_1_s", "one second"),
                ("RiskIn2s", "in_2_s", "two seconds"),
            )
        ),
        "forecast",
    ),
    Folder(
        "Links",
        attrgetter("outages"),
        attrgetter("device"),
        (
            Field("LastOutage", "since_us", _DOUBLE, "Twin time at which a service went down last [s]", _WHILE, 1e-6),
            Field("LastOutageDuration", "duration_us", _DOUBLE, "How long it was down then [s]", _WHILE, 1e-6),
            Field("LastOutageCause", "cause", _STRING, "Why: body, interference, recovery ..., empty for none yet"),
            Field("LastOutageBlockedBy", "blocked_by", _STRING, "What stood in the way then: person, a machine's id, or empty"),
            Field("LastOutageTrp", "trp", _STRING, "Transmission point that the deciding message went over"),
            Field("LastOutageService", "service", _STRING, "The service that was down"),
        ),
        "outage",
    ),
    Folder(
        "Services",
        attrgetter("service_outages"),
        attrgetter("service"),
        (
            Field("LastOutage", "since_us", _DOUBLE, "Twin time at which the service went down last [s]", _WHILE, 1e-6),
            Field("LastOutageDuration", "duration_us", _DOUBLE, "How long it was down then [s]", _WHILE, 1e-6),
            Field("LastOutageCause", "cause", _STRING, "Why: body, interference, recovery ..., empty for none yet"),
            Field("LastOutageBlockedBy", "blocked_by", _STRING, "What stood in the way then: person, a machine's id, or empty"),
            Field("LastOutageTrp", "trp", _STRING, "Transmission point that the deciding message went over"),
            Field("LastOutageDevice", "device", _STRING, "The device on which it was down"),
        ),
        "outage",
    ),
    Folder(
        "Trps",
        attrgetter("trps"),
        attrgetter("name"),
        (
            Field("InService", "in_service", _BOOL, "It radiates and listens"),
            Field("Health", "state", _STRING, "in service, impaired or off"),
            Field("Shortfall", "shortfall_db", _DOUBLE, "Level below what the empty hall leads one to expect [dB]", _FALL),
            Field("LoadDownlink", "load_dl", _DOUBLE, "Share of its downlink symbols in use [0..1]", _SHARE),
            Field("LoadUplink", "load_ul", _DOUBLE, "Share of its uplink symbols in use [0..1]", _SHARE),
            Field("CarrierFrequency", "carrier_hz", _DOUBLE, "Centre frequency [Hz]", _CARRIER),
            Field("Beams", "beams", _COUNT, "Beams of its codebook", _COUNTED),
            Field("ServedDevices", "devices", _STRING, "Devices that it serves", array=True),
            Field("ServingBeams", "serving_beams", _INT, "Beam of each of these devices", array=True),
            Field("SecondDevices", "second_devices", _STRING, "Devices that have it as their second leg", array=True),
            Field("SecondBeams", "second_beams", _INT, "Beam of each of these devices", array=True),
            Field("X", "x_m", _DOUBLE, "Position along the hall's length [m]", _ALONG),
            Field("Y", "y_m", _DOUBLE, "Position along the hall's width [m]", _ALONG),
            Field("Z", "z_m", _DOUBLE, "Height above the floor [m]", _HEIGHT),
            Field("Azimuth", "azimuth_rad", _DOUBLE, "Boresight, counter-clockwise from +x [rad]", _ROUND),
            Field("Downtilt", "downtilt_rad", _DOUBLE, "Boresight below the horizon [rad]", _TILT),
        ),
    ),
    Folder("Zones", attrgetter("zones"), attrgetter("name"), (Field("People", "people", _COUNT, "People in the zone", _HEADS),)),
    Folder(
        "Assets",
        attrgetter("assets"),
        attrgetter("id"),
        (
            Field("Kind", "kind", _STRING, "agv, or people for everybody together"),
            Field("Known", "known", _COUNT, "How many are known now", _COUNTED),
            Field("Fresh", "fresh", _BOOL, "It is heard"),
            Field(
                "Age", "age_s", _DOUBLE, "Age of information: time since its last believed place was measured, median [s]", _AGE
            ),
            Field("AgeP95", "age_p95_s", _DOUBLE, "Age of information, 95 % over people [s]", _AGE),
            Field("Offset", "offset_m", _DOUBLE, "Distance of that place to where the twin had it then, median [m]", _ERROR),
            Field("OffsetP95", "offset_p95_m", _DOUBLE, "That distance, 95 % over people [m]", _ERROR),
            Field("Sigma", "sigma_m", _DOUBLE, "Standard deviation of its place along each axis, as believed now [m]", _ERROR),
            Field("Skill", "skill", _DOUBLE, "Forecast skill against standing still, at most 1", _SKILL),
            Field("Innovation", "innovation", _DOUBLE, "Mean normalised innovation squared over its expectation", _RATIO),
        ),
    ),
    Folder(
        "Advice",
        lambda view: view.advice or (),
        lambda advice: f"{advice.kind}_{advice.target}",
        (
            Field("Kind", "kind", _STRING, "risk, agv_slow, agv_detour or serve_from"),
            Field("Target", "target", _STRING, "Device that it is about"),
            Field("Value", "value", _STRING, "What is advised: a speed, a lane to avoid, a TRP; empty for an alarm"),
            Field("Reason", "reason", _STRING, "Why, in words"),
            Field("Risk", "risk", _DOUBLE, "Probability that the link falls below its need within the horizon [0..1]", _SHARE),
            Field("Since", "since_us", _DOUBLE, "Twin time since when it stands [s]", _WHILE, 1e-6),
            Field("Act", "act", _STRING, "What the twin itself does about it now, empty for nothing"),
        ),
    ),
)

TWIN = Folder(
    "Twin",
    lambda view: (view,),
    lambda view: "",
    (
        Field("Name", "name", _STRING, "Name of the scenario"),
        Field("Time", "time_us", _DOUBLE, "Twin time since the start [s]", _WHILE, 1e-6),
        Field("Running", "running", _BOOL, "False while paused"),
        Field("RealTimeFactor", "real_time_factor", _DOUBLE, "Twin time over wall time", _FACTOR),
    ),
)
