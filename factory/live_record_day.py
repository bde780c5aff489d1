"""Reads a recorded day: checks it whole once, then gives its rows tick by tick, so that a day of any length fits into memory."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import ValidationError

from factory.errors import UserError
from factory.live_record import DAY, FORMAT, INPUTS
from factory.live_record_rows import EndRow, PrintRow, ReachedRow, Row, read_row

__all__ = ["DayReader", "RecordedDay", "read_day", "seconds_text"]

_LINE_BYTES = 256_000_000


@dataclass(frozen=True)
class RecordedDay:
    """A day as it was recorded.

    Attributes
    ----------
    folder : where it is. scenario : the scenario as JSON values.
    base : file that the scenario was read from, where relative paths in it begin.
    fingerprints : by time [us]. rows : number of its inputs.
    end_us : last time that is known of the day [us]. whole : whether its end was written.
    """

    folder: Path
    scenario: dict[str, Any]
    base: Path
    fingerprints: dict[int, str]
    rows: int
    end_us: int
    whole: bool


def read_day(folder: Path) -> RecordedDay:
    """Read a folder; a last line that was cut off by a kill is left out.

    Raises
    ------
    UserError
        A file is absent or damaged; it says where.
    """
    day = _read_head(folder / DAY)
    prints: dict[int, str] = {}
    rows, end_us, whole = 0, 0, False
    reader = DayReader(folder)
    try:
        while (row := reader.next()) is not None:
            if whole:
                raise reader.fault("nothing may follow the end of the day")
            if isinstance(row, PrintRow | EndRow):
                prints[row.t], whole = row.value, isinstance(row, EndRow)
            elif not isinstance(row, ReachedRow):
                rows += 1
            if row.t < end_us:
                raise reader.fault(f"time {row.t} us goes back; {end_us} us was before it")
            end_us = row.t
    finally:
        reader.close()
    return RecordedDay(folder, day["scenario"], Path(day["base"]), prints, rows, end_us, whole)


def _read_head(path: Path) -> dict[str, Any]:
    try:
        day = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path.parent} is no record of live: {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged: {error}") from error
    if not isinstance(day, dict) or day.get("format") != FORMAT:
        found = day.get("format") if isinstance(day, dict) else day
        raise UserError(f"{path}: format {str(found)[:40]}; format {FORMAT} is read. Record the day again with this version")
    for key, kind, words in (("scenario", dict, "the scenario as an object"), ("base", str, "the scenario's file as a text")):
        if not isinstance(day.get(key), kind):
            raise UserError(f"{path}: {key}: {str(day.get(key))[:40]!r}; it holds {words}")
    return day


class DayReader:
    """Gives the rows of a record one after the other.

    Parameters
    ----------
    folder : of the record.

    Raises
    ------
    UserError
        There is no such file; from :meth:`next` and :meth:`up_to` where a line is no row.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / INPUTS
        try:
            self._file: BinaryIO = self.path.open("rb")
        except OSError as error:
            raise UserError(f"{folder} is no record of live: {self.path}: {error.strerror}") from error
        self._at, self._number = 0, 0
        self._ahead: Row | None = None

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def fault(self, message: str) -> UserError:
        """Return an error at the line that was read last."""
        return UserError(f"{self.path}:{self._number}: {message}")

    def next(self) -> Row | None:
        """Return the next row, None after the last; a last line without its newline was cut off and is none."""
        if self._ahead is not None:
            row, self._ahead = self._ahead, None
            return row
        self._at = self._file.tell()
        line = self._file.readline(_LINE_BYTES)
        if not line:
            return None
        self._number += 1
        if not line.endswith(b"\n"):
            if len(line) == _LINE_BYTES:
                raise self.fault(f"the line is longer than {_LINE_BYTES} bytes; the file was damaged after it was written")
            return None
        try:
            return read_row(line)
        except ValidationError as error:
            fault = error.errors(include_url=False, include_context=False)[0]
            place = ".".join(str(p) for p in fault["loc"])
            found = f"; found {str(fault['input'])[:60]!r}" if place else ""
            said = fault["msg"].removeprefix("Value error, ")
            raise self.fault(f"{place + ': ' if place else ''}{said}{found}; the file was damaged after it was written") from None

    def up_to(self, time_us: int) -> list[Row]:
        """Return the rows from here on whose time is at most ``time_us`` [us]."""
        rows = []
        while (row := self.next()) is not None:
            if row.t > time_us:
                self._ahead = row
                break
            rows.append(row)
        return rows

    def place(self) -> tuple[int, int]:
        """Return where the next row is, for :meth:`go_to`."""
        return (self._at, self._number - 1) if self._ahead is not None else (self._file.tell(), self._number)

    def go_to(self, place: tuple[int, int]) -> None:
        """Go on from a place."""
        self._ahead = None
        self._file.seek(place[0])
        self._number = place[1]


def seconds_text(time_us: float) -> str:
    """Write a time of the day in s, for messages."""
    return "the end" if math.isinf(time_us) else f"{time_us / 1e6:.2f} s"
