"""Shift times from an iCalendar file (RFC 5545): events become presence, breaks, tasks and absences of a crew.

Only summary, location and times of an event are read. Names of people (attendees, organiser) never enter.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil.rrule import rrulestr
from icalendar import Calendar

from humans.shift_csv import ShiftError

_MOST = 2000
_TIMES = ("DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID")


@dataclass(frozen=True, slots=True)
class CalendarEvent:
    """One occurrence of an event.

    Attributes
    ----------
    summary : what it is, in small letters.
    location : where, None where nothing is said.
    start_s, end_s : when [s after the run's first instant].
    place : file, line and column, for errors.
    """

    summary: str
    location: str | None
    start_s: float
    end_s: float
    place: str


@dataclass(frozen=True, slots=True)
class _Source:
    """Where an event stands in its file: line of each property, and of BEGIN under the empty name."""

    path: Path
    line: dict[str, int]

    def place(self, name: str = "") -> str:
        return f"{self.path}:{self.line.get(name, self.line[''])}:1"


def local_time(day: str, clock_s: int, timezone: str | None) -> datetime:
    """Return the instant ``clock_s`` seconds into ``day`` (2026-03-02), in ``timezone`` where one is given.

    Raises
    ------
    ShiftError
        For an unknown time zone.
    """
    try:
        zone = ZoneInfo(timezone) if timezone else None
    except (ZoneInfoNotFoundError, ValueError):
        raise ShiftError(f"timezone {timezone!r} is unknown; write it as Europe/Berlin") from None
    return datetime.combine(date.fromisoformat(day), time(), zone) + timedelta(seconds=clock_s)


def read_calendar(path: Path, begin: datetime, days: int) -> list[CalendarEvent]:
    """Read the events of a calendar that touch a run.

    Parameters
    ----------
    path : the .ics file.
    begin : the run's first instant, with a time zone where the scenario names one.
    days : length of the plan.

    Returns
    -------
    Occurrences in order of time, from a day before the run's beginning; repeated events (RRULE, RDATE, EXDATE and single
    occurrences that were moved) are written out.

    Raises
    ------
    ShiftError
        For a file that cannot be read or is no calendar, for events without a summary or a time, that end before they start, that
        last whole days (apart from ``away``), or whose time zone the run does not know.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ShiftError(f"{path}: no such file; give an iCalendar file (.ics)") from None
    except UnicodeDecodeError:
        raise ShiftError(f"{path}: not a text file in UTF-8; give an iCalendar file (.ics)") from None
    except OSError as error:
        raise ShiftError(f"{path}: cannot be read ({error.strerror}); give an iCalendar file (.ics)") from None
    if not text.lstrip().upper().startswith("BEGIN:VCALENDAR"):
        raise ShiftError(f"{path}:1:1: not an iCalendar file; its first line must be BEGIN:VCALENDAR")
    try:
        events = Calendar.from_ical(text).walk("VEVENT")
    except (ValueError, IndexError, KeyError) as error:
        raise ShiftError(f"{path}: not an iCalendar file that can be read: {error}") from None
    sources = _sources(path, text)
    if len(events) != len(sources):
        raise ShiftError(f"{path}: {len(sources)} events begin but {len(events)} end; every BEGIN:VEVENT needs its END:VEVENT")
    parsed = list(zip(events, sources, strict=True))
    moved = {(str(e.get("UID")), _moment(e, "RECURRENCE-ID", s, begin)) for e, s in parsed if e.get("RECURRENCE-ID") is not None}
    out = [found for event, source in parsed for found in _occurrences(event, source, moved, begin, days)]
    return sorted(out, key=lambda event: event.start_s)


def _sources(path: Path, text: str) -> list[_Source]:
    """Lines of the properties of every event, in the file's order."""
    sources: list[_Source] = []
    inside = 0
    for number, line in enumerate(text.splitlines(), 1):
        word = line.upper().strip()
        if word == "BEGIN:VEVENT":
            sources.append(_Source(path, {"": number}))
            inside = 1
        elif inside and word.startswith(("BEGIN:", "END:")):
            inside += 1 if word.startswith("BEGIN:") else -1  # alarms stand inside an event
        elif inside == 1 and line[:1] not in (" ", "\t"):
            name = word.split(":", 1)[0].split(";", 1)[0]
            sources[-1].line.setdefault(name, number)
    return sources


def _moment(event: Any, name: str, source: _Source, begin: datetime) -> float:
    """Return a time of an event [s after the run's first instant]."""
    return _seconds(event.decoded(name), source.place(name), begin)


def _seconds(value: Any, place: str, begin: datetime) -> float:
    if not isinstance(value, datetime):
        return (datetime.combine(value, time(), begin.tzinfo) - begin).total_seconds()
    if begin.tzinfo is None and value.tzinfo is not None:
        if value.utcoffset() == timedelta(0):
            raise ShiftError(
                f"{place}: {value:%Y-%m-%d %H:%M} is in UTC; people.shift.timezone must name the hall's, such as Europe/Berlin"
            )
        value = value.replace(tzinfo=None)  # the hall keeps the calendar's own clock
    elif begin.tzinfo is not None and value.tzinfo is None:
        value = value.replace(tzinfo=begin.tzinfo)
    if value.tzinfo is not None:
        return float(value.timestamp() - begin.timestamp())  # an hour more or less where the clocks change
    return float((value - begin).total_seconds())


def _occurrences(
    event: Any, source: _Source, moved: set[tuple[str, float]], begin: datetime, days: int
) -> Iterator[CalendarEvent]:
    wrong = next(((name, why) for name, why in event.errors if name in _TIMES), None)
    if wrong is not None:
        raise ShiftError(f"{source.place(str(wrong[0]))}: {wrong[0]}: {wrong[1]}")
    summary = str(event.get("SUMMARY", "")).strip()
    if not summary:
        raise ShiftError(
            f"{source.place('SUMMARY')}: an event without a summary; it must say shift, break, handover, away or a task"
        )
    if event.get("DTSTART") is None:
        raise ShiftError(f"{source.place()}: event {summary!r} has no DTSTART; it must say when it begins")
    start = event.decoded("DTSTART")
    whole_days = not isinstance(start, datetime)
    if whole_days and summary.lower() != "away":
        raise ShiftError(
            f"{source.place('DTSTART')}: event {summary!r} lasts whole days; DTSTART needs a time, such as 20260302T060000"
        )
    first_s = _seconds(start, source.place("DTSTART"), begin)
    if event.get("DTEND") is not None:
        length_s = _moment(event, "DTEND", source, begin) - first_s
    elif event.get("DURATION") is not None:
        length_s = event.decoded("DURATION").total_seconds()
    else:
        length_s = 86_400.0 if whole_days else 0.0
    if length_s <= 0:
        place = source.place("DTEND" if event.get("DTEND") is not None else "DURATION")
        raise ShiftError(f"{place}: event {summary!r} does not end after its start; DTEND must be later than DTSTART")
    location = str(event.get("LOCATION", "")).strip() or None
    single = event.get("RECURRENCE-ID") is not None
    skipped = {_seconds(v.dt, source.place("EXDATE"), begin) for v in _dates(event.get("EXDATE"))}
    for at_s in sorted(_starts(event, source, start, begin, days)):
        if at_s in skipped or (not single and (str(event.get("UID")), at_s) in moved):
            continue
        if -86_400.0 <= at_s + length_s and at_s <= (days + 1) * 86_400.0:
            yield CalendarEvent(summary.lower(), location, at_s, at_s + length_s, source.place())


def _starts(event: Any, source: _Source, start: Any, begin: datetime, days: int) -> set[float]:
    """Beginnings of an event near the run [s after its first instant]."""
    found = {_seconds(start, source.place("DTSTART"), begin)}
    found |= {_seconds(v.dt, source.place("RDATE"), begin) for v in _dates(event.get("RDATE"))}
    if event.get("RRULE") is None:
        return found
    first = start if isinstance(start, datetime) else datetime.combine(start, time())
    try:
        rule = rrulestr(event["RRULE"].to_ical().decode(), dtstart=first)
        zone = first.tzinfo
        origin = begin.astimezone(zone) if zone is not None and begin.tzinfo is not None else begin.replace(tzinfo=zone)
        near = rule.xafter(origin - timedelta(days=2), inc=True)
        last = origin + timedelta(days=days + 1)
        moments = list(itertools.islice(itertools.takewhile(lambda at: at <= last, near), _MOST + 1))
    except (ValueError, TypeError, AttributeError) as error:
        raise ShiftError(f"{source.place('RRULE')}: RRULE cannot be used: {error}") from None
    if len(moments) > _MOST:
        raise ShiftError(
            f"{source.place('RRULE')}: RRULE gives more than {_MOST} events within {days} days; shifts repeat daily or weekly"
        )
    return found | {_seconds(at, source.place("RRULE"), begin) for at in moments}


def _dates(value: Any) -> Iterator[Any]:
    """Every date of a property that may be absent, single or repeated."""
    for entry in value if isinstance(value, list) else [] if value is None else [value]:
        yield from entry.dts
