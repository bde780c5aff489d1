"""From a shift's configuration to everybody's day: spans of time with something to do, drawn from a seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np

from humans.calendar_ics import CalendarEvent, local_time, read_calendar
from humans.config import PeopleConfig, did_you_mean
from humans.shift_config import (
    DAY_S,
    WEEKDAYS,
    CrewConfig,
    HourOfDay,
    ShiftConfig,
    VisitorsConfig,
    handover_window_s,
    seconds_of_day,
)
from humans.shift_csv import ShiftError, read_plan
from humans.tasks import draw_duration_s
from humans.types import BoolArray, FloatArray, IntArray

FREE, TASK, PAUSE, HANDOVER = range(4)
"""Kinds of span: free work, a task, a break, and a handover. Who has no span is not in the hall."""

MOST_PEOPLE = 500
_MOST_LATE_S = 3600.0


@dataclass(frozen=True, slots=True)
class ShiftPlan:
    """What everybody does when. n people, m spans in the order of people and, for each, of time.

    Attributes
    ----------
    role : (n,) index into the roles. gate : (n,) station that they use, -1 for any gate.
    menu : n tuples of the tasks to choose from on free work, empty for the role's own stations.
    in_turn : (n,) whether these are done one after the other. hall_breaks : (n,) whether ``people.breaks`` holds.
    first : (n + 1,) where everybody's spans begin in the arrays below.
    kind : (m,) FREE, TASK, PAUSE or HANDOVER. start_us, end_us : (m,) when [us], below 0 for who is there at the beginning.
    task : (m,) index into the tasks or -1. station : (m,) index into the stations or -1.
    partner : (m,) the other person of a handover or -1.
    """

    role: IntArray
    gate: IntArray
    menu: tuple[tuple[int, ...], ...]
    in_turn: BoolArray
    hall_breaks: BoolArray
    first: IntArray
    kind: IntArray
    start_us: IntArray
    end_us: IntArray
    task: IntArray
    station: IntArray
    partner: IntArray


@dataclass(slots=True, eq=False)
class _Span:
    kind: int
    start_s: float
    end_s: float
    task: int = -1
    station: int = -1
    partner: _Person | None = None


@dataclass(slots=True, eq=False)
class _Person:
    role: int
    gate: int = -1
    menu: tuple[int, ...] = ()
    in_turn: bool = False
    hall_breaks: bool = False
    spans: list[_Span] = field(default_factory=list)


@dataclass(slots=True)
class _Window:
    """Presence on a day, and what is fixed in it [s after midnight of the run's first day]."""

    start_s: float
    end_s: float
    fixed: list[_Span]


def plan_shift(config: PeopleConfig, rng: np.random.Generator, base_dir: Path | None) -> ShiftPlan:
    """Draw everybody's spans.

    Parameters
    ----------
    config : people with a shift.
    rng : draws arrivals, absences and visitors.
    base_dir : folder that relative paths start from, the working folder when absent.

    Raises
    ------
    ShiftError
        For a file that cannot be used, or more than 500 people.
    """
    if config.shift is None:
        raise ValueError("people.shift is absent; there is nothing to plan")
    return _Planner(config, config.shift, rng, base_dir).plan()


class _Planner:
    def __init__(self, config: PeopleConfig, shift: ShiftConfig, rng: np.random.Generator, base_dir: Path | None) -> None:
        self._config, self._shift, self._rng, self._base_dir = config, shift, rng, base_dir
        self._roles = [r.name for r in config.roles]
        self._stations = [s.name for s in config.stations]
        self._tasks = [t.name for t in shift.tasks]
        self._begin_s = seconds_of_day(shift.starts_at)

    def plan(self) -> ShiftPlan:
        """Return all people's spans."""
        people: list[_Person] = self._crews()
        for visitors in self._shift.visitors:
            people += self._visitors(visitors)
        if self._shift.plan is not None:
            people += self._listed(self._path(self._shift.plan))
        for person in people:
            person.spans = [s for s in person.spans if s.end_s > self._begin_s]
        people = [p for p in people if p.spans]
        if len(people) > MOST_PEOPLE:
            raise ShiftError(
                f"shift: {len(people)} people come; at most {MOST_PEOPLE} can be simulated, so plan fewer people or days"
            )
        number = {id(p): i for i, p in enumerate(people)}
        spans = [s for p in people for s in p.spans]
        return ShiftPlan(
            role=np.array([p.role for p in people], dtype=np.int64),
            gate=np.array([p.gate for p in people], dtype=np.int64),
            menu=tuple(p.menu for p in people),
            in_turn=np.array([p.in_turn for p in people], dtype=np.bool_),
            hall_breaks=np.array([p.hall_breaks for p in people], dtype=np.bool_),
            first=np.cumsum([0, *(len(p.spans) for p in people)], dtype=np.int64),
            kind=np.array([s.kind for s in spans], dtype=np.int64),
            start_us=self._us([s.start_s for s in spans]),
            end_us=self._us([s.end_s for s in spans]),
            task=np.array([s.task for s in spans], dtype=np.int64),
            station=np.array([s.station for s in spans], dtype=np.int64),
            partner=np.array([number.get(id(s.partner), -1) for s in spans], dtype=np.int64),
        )

    def _us(self, seconds: list[float]) -> IntArray:
        return np.round((np.array(seconds, dtype=np.float64) - self._begin_s) * 1e6).astype(np.int64)

    def _path(self, name: str) -> Path:
        path = Path(name)
        return path if self._base_dir is None or path.is_absolute() else self._base_dir / path

    # ------------------------------------------------------------------ crews
    def _crews(self) -> list[_Person]:
        """Members of all crews; whoever is well takes over from the one with the same number in the crew that is relieved."""
        days = range(-1, self._shift.days)
        teams: dict[str, list[_Person]] = {}
        windows: dict[str, list[dict[int, _Window]]] = {}
        for crew in self._shift.crews:
            teams[crew.name] = [self._member(crew) for _ in range(crew.people)]
            windows[crew.name] = self._calendar_days(crew) if crew.calendar is not None else self._days(crew, days)
        for crew in self._shift.crews:
            if crew.relieved_by is not None:
                later = next(c for c in self._shift.crews if c.name == crew.relieved_by)
                self._hand_over(crew, later, teams, windows)
        for crew in self._shift.crews:
            for person, mine in zip(teams[crew.name], windows[crew.name], strict=True):
                for day in sorted(mine):
                    self._call_away(crew, mine[day])
                    person.spans += _cut(mine[day])
                person.spans.sort(key=lambda s: s.start_s)
        return [person for crew in self._shift.crews for person in teams[crew.name]]

    def _member(self, crew: CrewConfig) -> _Person:
        return _Person(
            role=self._roles.index(crew.role),
            gate=self._station(crew.gate),
            menu=tuple(self._tasks.index(t) for t in crew.tasks),
            in_turn=crew.order == "in_turn",
            hall_breaks=crew.breaks is None and crew.calendar is None,
        )

    def _station(self, name: str | None) -> int:
        return -1 if name is None else self._stations.index(name)

    def _works_on(self, crew: CrewConfig, day: int) -> bool:
        if not crew.weekdays or self._shift.date is None:
            return True
        return WEEKDAYS[(date.fromisoformat(self._shift.date) + timedelta(days=day)).weekday()] in crew.weekdays

    def _arrival_s(self, crew: CrewConfig, start_s: float, end_s: float) -> float:
        early_s = 60.0 * self._rng.normal(crew.early_mean_min, crew.early_sd_min)
        return float(np.clip(start_s - early_s, start_s - 2 * 3600.0, min(start_s + _MOST_LATE_S, end_s - 60.0)))

    def _days(self, crew: CrewConfig, days: range) -> list[dict[int, _Window]]:
        """Every member's days, numbered from the run's first one; a day on which somebody is sick is missing."""
        begins, ends = seconds_of_day(crew.starts_at or ""), seconds_of_day(crew.ends_at or "")
        out: list[dict[int, _Window]] = [{} for _ in range(crew.people)]
        for day in days:
            if not self._works_on(crew, day):
                continue
            for k in range(crew.people):
                sick = self._rng.random() < crew.sick_share
                start, end = begins + day * DAY_S, ends + day * DAY_S
                arrival = self._arrival_s(crew, start, end)
                if not sick:
                    out[k][day] = _Window(arrival, float(end), list(self._fixed(crew, k, day * DAY_S)))
        return out

    def _fixed(self, crew: CrewConfig, member: int, offset_s: int) -> Iterator[_Span]:
        begins = seconds_of_day(crew.starts_at or "")

        def on_the_day(seconds: int, end: int) -> float:
            return float(seconds + offset_s + (DAY_S if end <= begins else 0))

        group = member * crew.break_groups // crew.people
        for text in crew.breaks or ():
            a, b = (seconds_of_day(part) for part in text.split("-"))
            late = group * (b - a)
            last = a + crew.break_groups * (b - a)
            yield _Span(PAUSE, on_the_day(a, last) + late, on_the_day(b, last) + late)
        for item in crew.planned:
            a, b = seconds_of_day(item.starts_at), seconds_of_day(item.ends_at)
            yield _Span(TASK, on_the_day(a, b), on_the_day(b, b), self._tasks.index(item.task), self._station(item.station))

    def _hand_over(
        self,
        crew: CrewConfig,
        later: CrewConfig,
        teams: dict[str, list[_Person]],
        windows: dict[str, list[dict[int, _Window]]],
    ) -> None:
        window = handover_window_s(crew, later)
        if window is None:
            return
        next_day = round((window[0] - seconds_of_day(later.starts_at or "")) / DAY_S)
        station = self._station(crew.handover_station)
        for k in range(min(crew.people, later.people)):
            for day, mine in windows[crew.name][k].items():
                other = windows[later.name][k].get(day + next_day)
                if other is None or other.start_s >= window[1] + day * DAY_S:
                    continue  # nobody to hand over to
                start, end = (float(t + day * DAY_S) for t in window)
                mine.end_s = max(mine.end_s, end)
                mine.fixed.append(_Span(HANDOVER, start, end, -1, station, teams[later.name][k]))
                other.fixed.append(_Span(HANDOVER, start, end, -1, station, teams[crew.name][k]))

    def _call_away(self, crew: CrewConfig, window: _Window) -> None:
        """Draw absences by the hour; who would miss something fixed stays."""
        for hour, rate in sorted(crew.away_per_h.items()):
            for day in (0, 1):
                from_s = (window.start_s // DAY_S + day) * DAY_S + 3600.0 * int(hour)
                for _ in range(int(self._rng.poisson(rate))):
                    start = from_s + 3600.0 * self._rng.random()
                    end = start + draw_duration_s(60.0 * crew.away_mean_min, 0.8, "gamma", self._rng)
                    inside = window.start_s + 60.0 < start and end < window.end_s - 60.0
                    if inside and all(end < s.start_s or s.end_s < start for s in window.fixed):
                        window.fixed.append(_Span(_AWAY, start, end))

    # ------------------------------------------------------------------ calendars
    def _calendar_days(self, crew: CrewConfig) -> list[dict[int, _Window]]:
        """Every member's presence by the calendar's events called shift; the others are what is fixed in them."""
        shift = self._shift
        path = self._path(crew.calendar or "")
        begin = local_time(shift.date or "", self._begin_s, shift.timezone)
        # Absences last, for they go before whatever else was planned.
        events = sorted(read_calendar(path, begin, shift.days), key=lambda e: e.summary == "away")
        events = [e for e in events if e.start_s + self._begin_s < shift.days * DAY_S]
        shifts = [e for e in events if e.summary == "shift"]
        if not shifts:
            raise ShiftError(f"{path}: no event called 'shift' near {begin:%Y-%m-%d}; it says when crew {crew.name!r} is there")
        for one, other in pairwise(shifts):
            if other.start_s < one.end_s:
                raise ShiftError(
                    f"{other.place}: this shift overlaps the one of {one.place}; one person does one thing at a time"
                )
        out: list[dict[int, _Window]] = [{} for _ in range(crew.people)]
        for number, event in enumerate(shifts):
            start, end = event.start_s + self._begin_s, event.end_s + self._begin_s
            for k in range(crew.people):
                sick = self._rng.random() < crew.sick_share
                arrival = self._arrival_s(crew, start, end)
                if not sick:
                    out[k][number] = _Window(arrival, end, [])
        for event in events:
            if event.summary == "shift":
                continue
            span = self._event_span(event)
            inside = [n for n, s in enumerate(shifts) if event.start_s < s.end_s and s.start_s < event.end_s]
            # A break of yesterday belongs to a shift that is over.
            if not inside and span.kind != _AWAY and span.start_s >= 0:
                raise ShiftError(f"{event.place}: {event.summary!r} is outside every event called 'shift'; move it or the shift")
            for mine in out:
                for n in inside:
                    if n in mine:
                        self._add_event(event, span, mine[n])
        return out

    def _event_span(self, event: CalendarEvent) -> _Span:
        kinds = {"break": PAUSE, "handover": HANDOVER, "away": _AWAY, "work": FREE}
        kind, task = kinds.get(event.summary, TASK), -1
        if kind == TASK:
            names = [t.lower() for t in self._tasks]
            if event.summary not in names:
                known = [*self._tasks, "shift", *kinds]
                raise ShiftError(f"{event.place}: unknown task {event.summary!r}; {did_you_mean(event.summary, known)}")
            task = names.index(event.summary)
        if event.location is not None and event.location not in self._stations:
            raise ShiftError(f"{event.place}: unknown station {event.location!r}; {did_you_mean(event.location, self._stations)}")
        return _Span(kind, event.start_s + self._begin_s, event.end_s + self._begin_s, task, self._station(event.location))

    @staticmethod
    def _add_event(event: CalendarEvent, span: _Span, window: _Window) -> None:
        met = [other for other in window.fixed if span.start_s < other.end_s and other.start_s < span.end_s]
        if span.kind == _AWAY:
            window.fixed = [other for other in window.fixed if not any(other is m for m in met)]
        elif met:
            raise ShiftError(
                f"{event.place}: {event.summary!r} overlaps another event of its shift; one person does one thing at a time"
            )
        window.fixed.append(span)

    # ------------------------------------------------------------------ visitors and lists
    def _visitors(self, visitors: VisitorsConfig) -> list[_Person]:
        """Draw groups that come by a Poisson process with a rate by the hour and see stations together."""
        role = self._config.roles[self._roles.index(visitors.role)]
        open_to = [s.name for s in self._config.stations if s.kind in role.stations]
        names = visitors.stations or tuple(open_to)
        if not names:
            raise ShiftError(f"visitors {visitors.name!r}: there is no station of kind {' or '.join(role.stations)} to show them")
        places = [self._stations.index(n) for n in names]
        people = []
        for day in range(self._shift.days):
            for at_s in self._group_times(visitors.groups_per_h, day):
                size = 1 + int(self._rng.poisson(visitors.group_size_mean - 1.0))
                roles = [self._roles.index(visitors.guide_role)] if visitors.guide_role is not None else []
                roles += [self._roles.index(visitors.role)] * size
                spans = []
                start, last = at_s, -1
                for _ in range(visitors.stops):
                    others = [p for p in places if p != last] or places
                    last = int(others[int(self._rng.integers(len(others)))])
                    end = start + draw_duration_s(60.0 * visitors.stop_mean_min, 0.5, "gamma", self._rng)
                    spans.append((start, end, last))
                    start = end
                people += [
                    _Person(r, self._station(visitors.gate), spans=[_Span(PAUSE, a, b, -1, s) for a, b, s in spans])
                    for r in roles
                ]
        return people

    def _group_times(self, per_h: dict[HourOfDay, float], day: int) -> list[float]:
        times: FloatArray = np.concatenate(
            [
                np.zeros(0),
                *(
                    day * DAY_S + 3600.0 * (int(hour) + self._rng.random(int(self._rng.poisson(rate))))
                    for hour, rate in sorted(per_h.items())
                ),
            ]
        )
        return [float(t) for t in np.sort(times)]

    def _listed(self, path: Path) -> list[_Person]:
        """People of a CSV file."""
        people: dict[str, _Person] = {}
        words = {"": FREE, "work": FREE, "break": PAUSE, "handover": HANDOVER, "away": _AWAY}
        for row in read_plan(path, self._shift.date):
            if row.role not in self._roles:
                raise ShiftError(f"{row.place}: unknown role {row.role!r}; {did_you_mean(row.role, self._roles)}")
            kind = words.get(row.task.lower(), TASK)
            if kind == TASK and row.task not in self._tasks:
                raise ShiftError(
                    f"{row.place}: unknown task {row.task!r}; {did_you_mean(row.task, [*self._tasks, *list(words)[1:]])}"
                )
            if row.station is not None and row.station not in self._stations:
                raise ShiftError(f"{row.place}: unknown station {row.station!r}; {did_you_mean(row.station, self._stations)}")
            person = people.setdefault(row.person, _Person(self._roles.index(row.role)))
            task = self._tasks.index(row.task) if kind == TASK else -1
            if kind != _AWAY:
                person.spans.append(_Span(kind, row.start_s, row.end_s, task, self._station(row.station)))
        return list(people.values())


_AWAY = -1


def _cut(window: _Window) -> Iterator[_Span]:
    """Free work between what is fixed; nothing while away."""
    at = window.start_s
    for span in sorted(window.fixed, key=lambda s: s.start_s):
        start, end = max(span.start_s, at), min(span.end_s, window.end_s)
        if end <= start:
            continue
        if start > at:
            yield _Span(FREE, at, start)
        if span.kind != _AWAY:
            yield _Span(span.kind, start, end, span.task, span.station, span.partner)
        at = end
    if window.end_s > at:
        yield _Span(FREE, at, window.end_s)
