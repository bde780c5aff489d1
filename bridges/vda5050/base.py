"""What the messages of both versions have in common, and how strictly they are read.

The models follow the JSON schemas that the VDA publishes with each version. They are as strict as those (a number in quotes, an
unknown word of an enumeration or a ``null`` is refused) and, beyond them, want a timestamp that is one. Members that the standard
does not know are ignored, as 2.1.0 and 3.0.0 ask of a receiver.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator
from pydantic.alias_generators import to_camel

__all__ = [
    "ActionParameter",
    "Angle",
    "BoundingBox",
    "ControlPoint",
    "Header",
    "Info",
    "Integer",
    "LoadDimensions",
    "NatInteger",
    "Part",
    "Reference",
    "Score",
    "Timestamp",
    "Velocity",
    "Version",
    "stamp",
    "time_of",
]

Version = Literal["2.1.0", "3.0.0"]


def stamp(time_s: float) -> str:
    """Return a time as the standard writes it: ISO 8601, UTC, milliseconds.

    Parameters
    ----------
    time_s : seconds since 1970 [s].
    """
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(time_s * 1000) % 1000:03d}Z"


def time_of(text: str) -> float:
    """Return the seconds since 1970 of a timestamp [s].

    Raises
    ------
    ValueError
        It is not ISO 8601, or does not say its zone.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is no time; 2026-01-31T08:00:00.000Z is one") from None
    if time.tzinfo is None:
        raise ValueError(f"{text[:40]!r} does not say its zone; end it with Z for UTC")
    return time.timestamp()


def _checked_stamp(text: str) -> str:
    time_of(text)
    return text


def _whole(value: Any) -> Any:
    """Take 2.0 for 2: JSON does not tell them apart, and JSON Schema calls both integers."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _no_null(value: Any) -> Any:
    if value is None:
        raise ValueError("null; give a value")
    return value


Timestamp = Annotated[str, AfterValidator(_checked_stamp)]
Integer = Annotated[int, BeforeValidator(_whole)]
NatInteger = Annotated[int, BeforeValidator(_whole), Field(ge=0)]
Angle = Annotated[float, Field(ge=-3.14159265359, le=3.14159265359)]
"""[rad]"""
Score = Annotated[float, Field(ge=0, le=1)]


class Part(BaseModel):
    """A JSON object of a message; names here are the standard's, in Python's spelling."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="ignore", alias_generator=to_camel, populate_by_name=True, allow_inf_nan=False
    )

    @model_validator(mode="after")
    def _nothing_is_null(self, info: ValidationInfo) -> Self:
        # the schemas leave an absent member out; null is no value of any of their types
        if info.mode == "json":
            for name in self.model_fields_set:
                if getattr(self, name) is None:
                    raise ValueError(f"{type(self).model_fields[name].alias} is null; give it a value or leave it out")
        return self


class Header(Part):
    """Who sent a message, when, and which one it is of its topic.

    ``header_id`` counts the messages of one topic; ``timestamp`` is the sender's clock.
    """

    header_id: Integer
    timestamp: Timestamp
    version: str
    manufacturer: str
    serial_number: str


class ActionParameter(Part):
    """A named argument of an action."""

    key: str
    value: Annotated[Any, AfterValidator(_no_null)]


class Reference(Part):
    """What an error or a piece of information is about, for example ``nodeId``."""

    reference_key: str
    reference_value: str


class Info(Part):
    """Something for people who debug."""

    info_type: str
    info_references: tuple[Reference, ...] | None = None
    info_level: Literal["INFO", "DEBUG"]


class Velocity(Part):
    """Speed in the vehicle's own frame: forward and left [m/s], turn [rad/s]."""

    vx: float | None = None
    vy: float | None = None
    omega: float | None = None


class ControlPoint(Part):
    """A control point of a NURBS curve [m]."""

    x: float
    y: float
    weight: float | None = None


class BoundingBox(Part):
    """Reference of a load's bounding box in the vehicle's frame [m, rad]."""

    x: float
    y: float
    z: float
    theta: float | None = None


class LoadDimensions(Part):
    """Size of a load [m]."""

    length: float
    width: float
    height: float | None = None
