"""What a live twin tells of its radio: offsets and alarms that measurements gave, and sessions asked of the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from bridges.view_parts import number

__all__ = ["CalibrationView", "QosView", "RadioAlarmView"]


@dataclass(frozen=True, slots=True)
class RadioAlarmView:
    """A sudden change of the radio that stands until a person accepts or dismisses it.

    Attributes
    ----------
    kind : ``trp`` (a fault), ``place`` (something was put there, or taken away) or ``box`` (it is no longer where the hall has
        it). trp, box : name of the TRP or box, "" where it is not about one.
    x_m, y_m : where the TRP or the place is, or where the box stood [m]. change_db : change of RSRP [dB].
    devices : how many saw it.
    since_us, found_us : twin time since when, and when it was found [us]. words : the same for a person.
    """

    kind: Literal["trp", "place", "box"]
    trp: str
    box: str
    x_m: float
    y_m: float
    change_db: float
    devices: int
    since_us: int
    found_us: int
    words: str

    def to_json_dict(self) -> dict[str, Any]:
        """Return the alarm as JSON-safe values."""
        return {
            "kind": self.kind,
            "trp": self.trp,
            "box": self.box,
            "x_m": number(self.x_m, 2),
            "y_m": number(self.y_m, 2),
            "change_db": number(self.change_db, 1),
            "devices": int(self.devices),
            "since_us": int(self.since_us),
            "found_us": int(self.found_us),
            "words": self.words,
        }


@dataclass(frozen=True, slots=True)
class CalibrationView:
    """How measured and predicted RSRP agree.

    Attributes
    ----------
    learning : offsets are still learnt, there are no alarms. corrects : the twin's radio goes by the offsets.
    used, refused, missed : measurements compared, refused as they came, and of a time that the twin no longer knows.
    offset_db : name of each TRP and its offset, measured less predicted [dB]. alarms : those that stand.
    """

    learning: bool
    corrects: bool
    used: int
    refused: int
    missed: int
    offset_db: tuple[tuple[str, float], ...]
    alarms: tuple[RadioAlarmView, ...]

    def to_json_dict(self) -> dict[str, Any]:
        """Return the figures as JSON-safe values."""
        return {
            "learning": bool(self.learning),
            "corrects": bool(self.corrects),
            "used": int(self.used),
            "refused": int(self.refused),
            "missed": int(self.missed),
            "offset_db": {name: number(value, 2) for name, value in self.offset_db},
            "alarms": [a.to_json_dict() for a in self.alarms],
        }


@dataclass(frozen=True, slots=True)
class QosView:
    """Sessions that the network was asked for.

    Attributes
    ----------
    open : devices that have one. opened, closed, failed, refused, over_budget : counts since the start.
    last_error : what the network said last, "" for nothing.
    """

    open: tuple[str, ...]
    opened: int
    closed: int
    failed: int
    refused: int
    over_budget: int
    last_error: str

    def to_json_dict(self) -> dict[str, Any]:
        """Return the figures as JSON-safe values."""
        counts = {name: int(getattr(self, name)) for name in ("opened", "closed", "failed", "refused", "over_budget")}
        return {"open": list(self.open), **counts, "last_error": self.last_error}
