"""What a scenario may say about shifts: who comes when, what they do, when they rest, and who takes over from them."""

from __future__ import annotations

import re
from datetime import date
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from humans.tasks import TaskConfig

DAY_S = 86_400
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?(\+1)?")


def seconds_of_day(text: str) -> int:
    """Seconds from midnight to a time of day such as ``06:00``, ``13:45:30`` or, on the next day, ``06:00+1``.

    Raises
    ------
    ValueError
        For anything else.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no time of day; write it as '06:00', or '06:00+1' for the next day")
    hours, minutes, seconds, later = match.groups()
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds or 0) + (DAY_S if later else 0)


def clock(seconds: float) -> str:
    """Write seconds after midnight as a time of day, ``+1`` on the next day."""
    whole = round(seconds)
    day, rest = divmod(whole, DAY_S)
    text = f"{rest // 3600:02d}:{rest % 3600 // 60:02d}" + (f":{rest % 60:02d}" if rest % 60 else "")
    return text + (f"{day:+d}" if day else "")


def _time_of_day(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no time of day; write it in quotes as '06:00'")
    seconds_of_day(value)
    return value.strip()


def _time_span(value: Any) -> str:
    if not isinstance(value, str) or value.count("-") != 1:
        raise ValueError(f"{value!r} is no span of time; write it as '09:00-09:15'")
    start, end = (seconds_of_day(part) for part in value.split("-"))
    if end <= start:
        raise ValueError(f"{value!r} ends before it starts; write the later time second, '{clock(end)}-{clock(start)}'")
    return value.strip()


def _hour_of_day(value: Any) -> str:
    text = str(value).strip()
    if not text.isdigit() or int(text) > 23:
        raise ValueError(f"{value!r} is no hour of the day; write it as 6 or '06', 0 to 23")
    return f"{int(text):02d}"


def _iso_date(value: Any) -> str:
    try:
        return date.fromisoformat(str(value).strip()).isoformat()
    except ValueError:
        raise ValueError(f"{value!r} is no date; write it as 2026-03-02") from None


TimeOfDay = Annotated[str, BeforeValidator(_time_of_day)]
TimeSpan = Annotated[str, BeforeValidator(_time_span)]
HourOfDay = Annotated[str, BeforeValidator(_hour_of_day)]
IsoDate = Annotated[str, BeforeValidator(_iso_date)]


def span_s(text: str) -> tuple[int, int]:
    """Start and end of ``09:00-09:15`` [s after midnight]."""
    start, end = (seconds_of_day(part) for part in text.split("-"))
    return start, end


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlannedConfig(_Model):
    """Something that a whole crew does at a set time of the day."""

    task: str = Field(min_length=1, description="Name of a task.")
    starts_at: TimeOfDay = Field(description="When, for example '08:00'.")
    ends_at: TimeOfDay = Field(description="Until when, for example '08:30'.")
    station: str | None = Field(None, description="Station where it is done; absent: the task's own stations.")


class CrewConfig(_Model):
    """People of one role who come, rest and leave together."""

    name: str = Field(min_length=1, description="Name in errors and in relieved_by.")
    role: str = Field(min_length=1, description="Name of a role of people.roles.")
    people: int = Field(ge=1, le=500, description="Number of people.")
    starts_at: TimeOfDay | None = Field(None, description="When their work begins, for example '06:00'.")
    ends_at: TimeOfDay | None = Field(None, description="When it ends, for example '14:00', or '06:00+1' on the next day.")
    calendar: str | None = Field(None, description="iCalendar file (.ics) of the crew, instead of starts_at and ends_at.")
    weekdays: tuple[Weekday, ...] = Field((), description="Days on which they come, such as [mon, tue]; absent: every day.")
    gate: str | None = Field(None, description="Station of kind gate that they use; absent: any gate.")
    tasks: tuple[str, ...] = Field((), description="Tasks to choose from; absent: the role's stations and dwell times.")
    order: Literal["drawn", "in_turn"] = Field("drawn", description="Tasks drawn by weight, or one after the other.")
    planned: tuple[PlannedConfig, ...] = Field((), description="What they all do at set times.")
    breaks: tuple[TimeSpan, ...] | None = Field(
        None, description="Breaks, for example ['09:00-09:15']; absent: as people.breaks says; []: none."
    )
    break_groups: int = Field(1, ge=1, le=20, description="In how many groups, one after the other, they take every break.")
    early_mean_min: float = Field(5.0, ge=-60, le=120, description="How much before the start they come in, mean in min.")
    early_sd_min: float = Field(3.0, ge=0, le=60, description="Standard deviation of that in min.")
    sick_share: float = Field(0.0, ge=0, le=1, description="Probability that somebody does not come on a day, 0 to 1.")
    away_per_h: dict[HourOfDay, float] = Field(
        default_factory=dict, description="How often somebody leaves the hall for a while, times per hour by hour of the day."
    )
    away_mean_min: float = Field(15.0, ge=1, le=240, description="How long such an absence lasts, mean in min.")
    relieved_by: str | None = Field(None, description="Crew that takes over; one person from one.")
    handover_min: float = Field(5.0, gt=0, le=60, description="How long a handover takes in min.")
    handover_station: str | None = Field(None, description="Where; absent: at the station of whoever is relieved.")

    @model_validator(mode="after")
    def _times_fit(self) -> CrewConfig:
        if self.calendar is not None:
            if self.starts_at is not None or self.ends_at is not None:
                raise ValueError(f"crew {self.name!r}: give calendar, or starts_at and ends_at, not both")
            if self.relieved_by is not None:
                raise ValueError(
                    f"crew {self.name!r}: relieved_by needs starts_at and ends_at; with a calendar write 'handover' events"
                )
            return self
        if self.starts_at is None or self.ends_at is None:
            raise ValueError(f"crew {self.name!r}: starts_at and ends_at are missing, or a calendar")
        start, end = seconds_of_day(self.starts_at), seconds_of_day(self.ends_at)
        what = f"crew {self.name!r}: ends_at {self.ends_at!r}"
        if start >= DAY_S:
            raise ValueError(f"crew {self.name!r}: starts_at {self.starts_at!r} must be a time of the day itself, without +1")
        if end <= start:
            raise ValueError(f"{what} is before starts_at {self.starts_at!r}; for the next day write '{clock(end % DAY_S)}+1'")
        if end - start > DAY_S:
            raise ValueError(f"{what} is more than 24 h after starts_at {self.starts_at!r}")
        for hour, rate in self.away_per_h.items():
            if not 0 <= rate <= 20:
                raise ValueError(f"crew {self.name!r}: away_per_h {hour}: {rate:g} is outside 0..20 times per hour")
        self._check_overlaps(start, end)
        return self

    @property
    def timed_s(self) -> list[tuple[int, int, str]]:
        """Breaks of all groups and planned tasks: start, end [s after midnight of the first day] and what it is, in order."""
        begins = seconds_of_day(self.starts_at or "00:00")
        spans = []
        for text in self.breaks or ():
            a, b = span_s(text)
            groups = f" in {self.break_groups} groups" if self.break_groups > 1 else ""
            spans.append((a, a + self.break_groups * (b - a), f"break {text!r}{groups}"))
        for item in self.planned:
            a, b = seconds_of_day(item.starts_at), seconds_of_day(item.ends_at)
            spans.append((a, b, f"task {item.task!r} {item.starts_at}-{item.ends_at}"))
        # In a night shift, a time before its start is on the next day.
        return sorted((a + DAY_S, b + DAY_S, what) if b <= begins else (a, b, what) for a, b, what in spans)

    def _check_overlaps(self, start: int, end: int) -> None:
        for item in self.planned:
            if seconds_of_day(item.ends_at) <= seconds_of_day(item.starts_at):
                raise ValueError(
                    f"crew {self.name!r}: task {item.task!r} ends at {item.ends_at!r}, before its start {item.starts_at!r}"
                )
        spans = self.timed_s
        for a, b, what in spans:
            if a < start or b > end:
                raise ValueError(
                    f"crew {self.name!r}: {what} is outside the shift {self.starts_at}-{self.ends_at}; move it or the shift"
                )
        for (_, b, one), (a, _, other) in pairwise(spans):
            if a < b:
                raise ValueError(f"crew {self.name!r}: {other} overlaps {one}; one person does one thing at a time")


class VisitorsConfig(_Model):
    """Groups that come at random, are shown round and leave."""

    name: str = Field(min_length=1, description="Name in errors.")
    role: str = Field(min_length=1, description="Name of a role of people.roles.")
    groups_per_h: dict[HourOfDay, float] = Field(description="Groups per hour by hour of the day, for example {9: 2, 10: 0.5}.")
    group_size_mean: float = Field(3.0, ge=1, le=40, description="Mean number of visitors in a group.")
    guide_role: str | None = Field(None, description="Role of somebody who walks with every group; absent: nobody does.")
    stations: tuple[str, ...] = Field((), description="Stations that they are shown; absent: those of the role.")
    stops: int = Field(4, ge=1, le=50, description="Number of stations that a group is shown.")
    stop_mean_min: float = Field(4.0, ge=0.2, le=120, description="Mean time at each in min, the way there included.")
    gate: str | None = Field(None, description="Station of kind gate that they use; absent: any gate.")

    @model_validator(mode="after")
    def _rates(self) -> VisitorsConfig:
        for hour, rate in self.groups_per_h.items():
            if not 0 <= rate <= 60:
                raise ValueError(f"visitors {self.name!r}: groups_per_h {hour}: {rate:g} is outside 0..60 groups per hour")
        return self


class ShiftConfig(_Model):
    """A shift plan: crews, visitors and tasks; or rows of a CSV file; or both."""

    starts_at: TimeOfDay = Field(description="Time of day at the first instant of the run, for example '06:00'.")
    date: IsoDate | None = Field(
        None, description="Date of that instant, for example 2026-03-02; for weekdays, CSV dates, calendars."
    )
    timezone: str | None = Field(
        None, description="Time zone of the hall, for example Europe/Berlin; for calendars that name others."
    )
    days: int = Field(1, ge=1, le=7, description="Days that the plan goes on for; afterwards nobody comes in.")
    tasks: tuple[TaskConfig, ...] = Field((), description="What there is to do.")
    crews: tuple[CrewConfig, ...] = Field((), description="Who comes when.")
    visitors: tuple[VisitorsConfig, ...] = Field((), description="Who comes now and then.")
    plan: str | None = Field(
        None, description="CSV file of further people: columns person, role, starts_at, ends_at, task, station."
    )

    @model_validator(mode="after")
    def _consistent(self) -> ShiftConfig:
        if not (self.crews or self.visitors or self.plan):
            raise ValueError("the shift has nobody: give crews, visitors or a plan (CSV file)")
        if seconds_of_day(self.starts_at) >= DAY_S:
            raise ValueError(f"starts_at {self.starts_at!r} must be a time of the day itself, without +1")
        named = (
            ("tasks", [t.name for t in self.tasks]),
            ("crews", [c.name for c in self.crews]),
            ("visitors", [v.name for v in self.visitors]),
        )
        for what, names in named:
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{what}: the name {twice[0]!r} is used more than once; every name must be unique")
        for task in self.tasks:
            if task.name.lower() in RESERVED:
                raise ValueError(
                    f"task {task.name!r}: the name means something else in a plan; choose another than {', '.join(RESERVED)}"
                )
        self._check_handovers()
        for crew in self.crews:
            if self.date is None and (crew.calendar is not None or crew.weekdays):
                what = "a calendar" if crew.calendar is not None else "weekdays"
                raise ValueError(f"crew {crew.name!r} has {what}: people.shift.date must say on which day the run begins")
        return self

    def _check_handovers(self) -> None:
        """Raise ValueError where nobody would be there to take over, or somebody would do something else meanwhile."""
        crews = {crew.name: crew for crew in self.crews}
        for crew in self.crews:
            later = crews.get(crew.relieved_by or "")
            if later is None:
                continue  # an unknown name is reported with the names that there are
            window = handover_window_s(crew, later)
            what = f"crew {crew.name!r} ends at {crew.ends_at!r}"
            if later is crew or window is None:
                raise ValueError(
                    f"{what} but is relieved by {later.name!r}; that crew must be another one, with starts_at and ends_at"
                )
            start, end = window
            ends = seconds_of_day(crew.ends_at or "")
            if not ends - 3600 <= start <= ends:
                raise ValueError(
                    f"{what} but {later.name!r}, which relieves it, begins at {later.starts_at!r}; "
                    "a handover needs a start up to an hour before that end, and not after it"
                )
            shift_s = seconds_of_day(later.starts_at or "") - start
            for who, moved in ((crew, 0), (later, shift_s)):
                for a, b, doing in who.timed_s:
                    if a < end + moved and start + moved < b:
                        raise ValueError(
                            f"crew {who.name!r}: {doing} overlaps the handover {clock(start + moved)}-{clock(end + moved)}"
                        )


def handover_window_s(crew: CrewConfig, later: CrewConfig) -> tuple[int, int] | None:
    """Return when ``later`` takes over from ``crew`` [s after midnight of the day that ``crew`` began on]; None without times."""
    if crew.ends_at is None or later.starts_at is None:
        return None
    end, start = seconds_of_day(crew.ends_at), seconds_of_day(later.starts_at)
    start += DAY_S * round((end - start) / DAY_S)
    return start, start + round(60 * crew.handover_min)


RESERVED = ("shift", "work", "break", "handover", "away")
"""Words of a plan that are no tasks: presence, free work, a break, a handover, and being out of the hall."""
