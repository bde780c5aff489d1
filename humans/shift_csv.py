"""A shift plan as CSV: who does what from when to when, read with errors that name file, line and column."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path

from humans.shift_config import DAY_S, clock, seconds_of_day

COLUMNS = ("person", "role", "starts_at", "ends_at", "task")
_WANTED = "the columns person, role, starts_at, ends_at, task and, where it matters, station"


class ShiftError(ValueError):
    """A plan that cannot be used; the text begins with file, line and column where it came from a file."""


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One line of a plan.

    Attributes
    ----------
    person : whom the line is about; used to tell people apart and then dropped.
    role, task, station : names; an empty task is free work, station is None where none is given.
    start_s, end_s : when [s after midnight of the run's first day].
    place : file, line and column, for errors.
    """

    person: str
    role: str
    task: str
    station: str | None
    start_s: int
    end_s: int
    place: str


def read_plan(path: Path, day: str | None) -> list[PlanRow]:
    """Read a plan with the columns person, role, starts_at, ends_at, task and station; commas or semicolons between them.

    Parameters
    ----------
    path : the file.
    day : date of the run's first instant (2026-03-02), needed where the plan has dates; None without.

    Returns
    -------
    Rows in the order of people's first lines, everybody's by time.

    Raises
    ------
    ShiftError
        For a file that cannot be read, lacks a column or value, has a time that is none, an end before its start, or lines of one
        person that overlap or differ in the role.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ShiftError(f"{path}: no such file; give a CSV with {_WANTED}") from None
    except UnicodeDecodeError:
        raise ShiftError(f"{path}: not a text file in UTF-8; give a CSV with {_WANTED}") from None
    except OSError as error:
        raise ShiftError(f"{path}: cannot be read ({error.strerror}); give a CSV with {_WANTED}") from None
    lines = text.splitlines()
    semicolons = bool(lines) and lines[0].count(";") > lines[0].count(",")
    rows = csv.reader(lines, delimiter=";" if semicolons else ",")
    try:
        return _ordered(list(_rows(path, rows, day)), path)
    except csv.Error as error:
        raise ShiftError(f"{path}:{rows.line_num}:1: not a CSV ({error}); give a CSV with {_WANTED}") from None


def _rows(path: Path, rows: Iterator[list[str]], day: str | None) -> Iterator[PlanRow]:
    header = [h.strip().lower() for h in next(rows, [])]
    if not any(header):
        raise ShiftError(f"{path}:1:1: the file is empty; its first line must name {_WANTED}")
    for column in COLUMNS:
        if column not in header:
            raise ShiftError(f"{path}:1:1: no column {column!r} among {', '.join(header)}; needed are {_WANTED}")
    for line, row in enumerate(rows, 2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) < len(header):
            raise ShiftError(f"{path}:{line}:1: {len(row)} values, the header names {len(header)} columns")
        cells = {name: cell.strip() for name, cell in zip(header, row, strict=False)}
        at = {name: f"{path}:{line}:{header.index(name) + 1}" for name in cells}
        for name in ("person", "role"):
            if not cells[name]:
                raise ShiftError(f"{at[name]}: {name} is empty; wanted a {'number or label' if name == 'person' else 'role'}")
        start, end = (_time_s(at[name], name, cells[name], day) for name in ("starts_at", "ends_at"))
        if end <= start:
            raise ShiftError(
                f"{at['ends_at']}: ends_at {cells['ends_at']!r} is not after starts_at {cells['starts_at']!r}; "
                f"for the next day write {clock(end % DAY_S)}+1, or a date"
            )
        yield PlanRow(cells["person"], cells["role"], cells["task"], cells.get("station") or None, start, end, at["task"])


def _time_s(place: str, column: str, text: str, day: str | None) -> int:
    parts = text.replace("T", " ").split()
    try:
        if len(parts) == 2:
            if day is None:
                raise ShiftError(f"{place}: {column} {text!r} has a date; people.shift.date must say on which day the run begins")
            days = (date.fromisoformat(parts[0]) - date.fromisoformat(day)).days
            return days * DAY_S + seconds_of_day(parts[1])
        return seconds_of_day(text)
    except ShiftError:
        raise
    except ValueError:
        raise ShiftError(
            f"{place}: {column} is {text!r}, wanted a time such as 06:00, 06:00+1 (next day) or 2026-03-02 06:00"
        ) from None


def _ordered(rows: list[PlanRow], path: Path) -> list[PlanRow]:
    if not rows:
        raise ShiftError(f"{path}:1:1: only a header; the plan has nobody")
    of: dict[str, list[PlanRow]] = {}
    for row in rows:
        first = of.setdefault(row.person, [row])[0]
        if row is not first:
            of[row.person].append(row)
        if row.role != first.role:
            raise ShiftError(
                f"{row.place}: role {row.role!r} of a person who is {first.role!r} in {first.place}; one person has one role"
            )
    out = []
    for mine in of.values():
        mine.sort(key=lambda row: row.start_s)
        for one, other in pairwise(mine):
            if other.start_s < one.end_s:
                late, early = (other, one) if _line(other) > _line(one) else (one, other)
                times, before = (f"{clock(r.start_s)}-{clock(r.end_s)}" for r in (late, early))
                raise ShiftError(
                    f"{late.place}: {times} overlaps {before} of the same person in line {_line(early)}; "
                    "one person does one thing at a time"
                )
        out += mine
    return out


def _line(row: PlanRow) -> int:
    return int(row.place.rsplit(":", 2)[1])
