"""Rows of a recorded day: one JSON object a line, checked as they are read.

Every row has ``t``, the twin time of the tick that took it [us], and ``kind``. Numbers are written so that they come back bit by
bit; what is not known (NaN) is null.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from bridges.inbox import Command
from bridges.radio_reports import RadioReadings
from bridges.tags import TagObservations

__all__ = [
    "AgvsRow", "ClockRow", "CommandRow", "EndRow", "MappedRow", "PrintRow", "RadioRow", "ReachedRow", "RecalledRow", "Row",
    "TagsRow", "array_of", "numbers", "read_row",
]  # fmt: skip

FloatArray = npt.NDArray[np.float64]
_Numbers: TypeAlias = list[float | None]
_LONGEST = 1_000_000  # of a list in a row


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    columns: ClassVar[tuple[str, ...]] = ()
    """Members that are lists of the same length."""
    t: int = Field(ge=0, le=2**62)

    @model_validator(mode="after")
    def _columns_agree(self) -> _Row:
        lengths = {name: len(getattr(self, name)) for name in self.columns}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"its lists differ in length: {', '.join(f'{n} has {k}' for n, k in lengths.items())}")
        if any(k > _LONGEST for k in lengths.values()):
            raise ValueError(f"its lists are longer than {_LONGEST}")
        return self


class PrintRow(_Row):
    """Fingerprint of the twin as the tick begins."""

    kind: Literal["fingerprint"] = "fingerprint"
    value: str


class ReachedRow(_Row):
    """The twin has come so far, and nothing else is to be said."""

    kind: Literal["reached"] = "reached"


class EndRow(_Row):
    """The end of the day, with the fingerprint then."""

    kind: Literal["end"] = "end"
    value: str


class ClockRow(_Row):
    """The plant's clock, seconds since 1970 [s]: at the beginning, and where twin and plant have moved against each other."""

    kind: Literal["clock"] = "clock"
    now_s: float = Field(ge=-1e11, le=1e11)


class RecalledRow(_Row):
    """Orders that AGVs had from a twin before this one."""

    kind: Literal["recalled"] = "recalled"
    orders: dict[str, Any]


class CommandRow(_Row):
    """A command; ``own`` where the twin itself acted.

    ``acts`` are the twin's own, begun or ended because of this command; ``error`` is why it was refused, "" where it was done.
    """

    kind: Literal["command"] = "command"
    source: str
    name: str
    target: str
    arguments: list[tuple[str, bool | int | float | str]]
    payload: dict[str, Any] | None
    own: bool
    acts: list[CommandRow] = []
    error: str = ""

    def command(self) -> Command:
        """Return the command; nobody waits for its answer."""
        return Command(self.source, self.name, self.target, tuple(self.arguments), None, self.payload)


class TagsRow(_Row):
    """Places of people under their pseudonyms, see :class:`bridges.tags.TagObservations`; providers are numbered."""

    columns: ClassVar[tuple[str, ...]] = ("tag", "measured_s", "x_m", "y_m", "accuracy_m", "provider")
    kind: Literal["tags"] = "tags"
    epoch: int = Field(ge=0, le=2**62)
    tag: list[Annotated[int, Field(ge=0, lt=2**63)]]
    measured_s: list[float]
    x_m: _Numbers
    y_m: _Numbers
    accuracy_m: list[Annotated[float, Field(gt=0)]]
    provider: list[int]

    @staticmethod
    def empty() -> TagObservations:
        """Return what a tick takes where nobody was seen."""
        nothing = np.zeros(0)
        return TagObservations(np.zeros(0, np.int64), nothing, np.zeros((0, 2)), nothing, ())

    def observations(self) -> TagObservations:
        """Return what the tick took."""
        places = np.stack([array_of(self.x_m), array_of(self.y_m)], axis=1)
        names = tuple(f"provider-{k}" for k in self.provider)
        tag = np.array(self.tag, np.int64)
        return TagObservations(tag, np.array(self.measured_s), places, np.array(self.accuracy_m), names, self.epoch)


_MOTION = ("x_m", "y_m", "heading_rad", "vx_mps", "vy_mps", "turn_radps")


class AgvsRow(_Row):
    """Real AGVs that have something new: ``online`` is of all, the columns are of those in ``row``."""

    columns: ClassVar[tuple[str, ...]] = (
        "row",
        "measured_s",
        "x_m",
        "y_m",
        "heading_rad",
        "vx_mps",
        "vy_mps",
        "turn_radps",
        "driving",
    )
    kind: Literal["agvs"] = "agvs"
    online: list[bool]
    row: list[int]
    measured_s: list[float]
    x_m: _Numbers
    y_m: _Numbers
    heading_rad: _Numbers
    vx_mps: _Numbers
    vy_mps: _Numbers
    turn_radps: _Numbers
    driving: list[bool]


class RadioRow(_Row):
    """Radio measurements, see :class:`bridges.radio_reports.RadioReadings`."""

    columns: ClassVar[tuple[str, ...]] = ("ue", "trp", "measured_s", "rsrp_dbm", "sinr_db")
    kind: Literal["radio"] = "radio"
    ue: list[int]
    trp: list[int]
    measured_s: list[float]
    rsrp_dbm: list[float]
    sinr_db: _Numbers

    @staticmethod
    def empty() -> RadioReadings:
        """Return what a tick takes where nothing was measured."""
        nothing = np.zeros(0)
        return RadioReadings(np.zeros(0, np.int64), np.zeros(0, np.int64), nothing, nothing, nothing)

    def readings(self) -> RadioReadings:
        """Return what the tick took."""
        ue, trp = np.array(self.ue, np.int64), np.array(self.trp, np.int64)
        return RadioReadings(ue, trp, np.array(self.measured_s), np.array(self.rsrp_dbm), array_of(self.sinr_db))


class MappedRow(_Row):
    """Values of a mapping that came, and the clock that their age is told by; ``heard_s`` per source where it changed."""

    columns: ClassVar[tuple[str, ...]] = ("row", "value", "quality", "measured_s")
    kind: Literal["mapped"] = "mapped"
    now_s: float = Field(ge=-1e11, le=1e11)
    row: list[int] = []
    value: _Numbers = []
    quality: list[Annotated[int, Field(ge=0, le=2)]] = []
    measured_s: list[float] = []
    heard_s: _Numbers | None = None


Row: TypeAlias = PrintRow | ReachedRow | EndRow | ClockRow | RecalledRow | CommandRow | TagsRow | AgvsRow | RadioRow | MappedRow
_ROWS: TypeAdapter[Row] = TypeAdapter(Annotated[Row, Field(discriminator="kind")])


def read_row(line: bytes) -> Row:
    """Read a line; raises pydantic's ValidationError where it is no row."""
    return _ROWS.validate_json(line)


def numbers(values: Sequence[float] | FloatArray) -> _Numbers:
    """Return numbers as a row holds them, None for what is not finite."""
    return [float(v) if math.isfinite(v) else None for v in values]


def array_of(column: _Numbers) -> FloatArray:
    """Return a column as an array, NaN for None."""
    return np.array([math.nan if v is None else v for v in column], np.float64)
