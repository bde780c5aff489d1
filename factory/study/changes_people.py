"""Changes of the people: more or fewer by role, another shift plan, a rush hour, visitors, an evacuation."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field, model_validator

from factory.study.changes import Change, ChangeError, Draft, Json, change, unknown
from factory.study.evacuate import evacuate
from factory.study.people_plan import begin_s, by_plan, clock_in_run, crew_defaults, free_name, places_near, stations_near
from humans.config import RoleConfig
from humans.crowd import share_out
from humans.tasks import StationKind

Point = tuple[float, float]
_MINUTES = 10_080.0


def _role(draft: Draft, name: str | None, near: str | None = None) -> RoleConfig:
    """Return a role; where none is named, the one that most people have, of those who work at the place that is named."""
    people = draft.scenario.people
    if name is not None:
        for role in people.roles:
            if role.name == name:
                return role
        raise ChangeError(unknown("role", name, [r.name for r in people.roles]) + " (people.roles)", "role")
    heads = {role.name: role.share for role in people.roles}
    if people.shift is not None:
        heads = {r: sum(c.people for c in people.shift.crews if c.role == r) for r in heads}
    kinds = None if near is None else {s.kind for s in places_near(draft, near)}
    able = [role for role in people.roles if kinds is None or kinds & set(role.stations)]
    if not able:
        raise ChangeError(f"nobody works at {near!r}: it has stations of kind {', '.join(sorted(kinds or ()))}", "near")
    return max(able, key=lambda role: heads[role.name])


@change("add_people")
class AddPeople(Change):
    """More people, of a role and at a place where that is said."""

    count: int = Field(ge=1, le=500, description="How many more.")
    role: str | None = Field(
        None, description="Role of people.roles; absent: in the shares of the scenario, or the largest crew's."
    )
    near: str | None = Field(None, description="Zone or stations (the beginning of their names) that they work at.")
    from_min: float | None = Field(
        None, ge=0, le=_MINUTES, description="From this time of the run on in min; absent: all the time."
    )
    to_min: float | None = Field(None, gt=0, le=_MINUTES, description="Until this time of the run in min.")

    @model_validator(mode="after")
    def _span(self) -> AddPeople:
        if self.to_min is not None and self.to_min <= (self.from_min or 0.0):
            raise ValueError(f"to_min {self.to_min:g} is not after from_min {self.from_min or 0.0:g}")
        return self

    def apply(self, draft: Draft) -> None:
        """Add to the number of people, or a crew to the shift plan."""
        people = draft.scenario.people
        if people.replay is not None:
            raise ChangeError("people.replay: recorded people are as many as were recorded")
        timed = self.near is not None or self.from_min is not None or self.to_min is not None
        if people.shift is None and not timed:
            _recount(draft, self.count, None if self.role is None else _role(draft, self.role).name)
            return
        by_plan(draft)
        _add_crew(draft, "added", self.count, _role(draft, self.role, self.near), self.near, self.from_min, self.to_min)


@change("remove_people")
class RemovePeople(Change):
    """Fewer people."""

    count: int = Field(ge=1, le=500, description="How many fewer.")
    role: str | None = Field(
        None, description="Role of people.roles; absent: in the shares of the scenario, or the largest crew."
    )

    def apply(self, draft: Draft) -> None:
        """Take from the number of people, or from the crews of the role, the largest first."""
        people = draft.scenario.people
        if people.replay is not None:
            raise ChangeError("people.replay: recorded people are as many as were recorded")
        if people.shift is None:
            _recount(draft, -self.count, None if self.role is None else _role(draft, self.role).name)
            return
        role = _role(draft, self.role).name
        crews = draft.entries("people", "shift", "crews")
        left = self.count
        for crew in sorted((c for c in crews if c["role"] == role), key=lambda c: -int(c["people"])):
            taken = min(left, int(crew["people"]))
            crew["people"] = int(crew["people"]) - taken
            left -= taken
        if left:
            raise ChangeError(f"role {role!r} has {self.count - left} people in crews; at most that many can go", "count")
        gone = {c["name"] for c in crews if not c["people"]}
        crews[:] = [c for c in crews if c["people"]]
        for crew in crews:
            if crew.get("relieved_by") in gone:
                del crew["relieved_by"]


def _recount(draft: Draft, by: int, role: str | None) -> None:
    """Change the number of people without a shift, of one role where it is named."""
    config = draft.scenario.people
    if config.count + by < 0:
        raise ChangeError(f"there are {config.count} people; at most that many can go", "count")
    people = draft.mapping("people")
    people["count"] = config.count + by
    if role is None:
        return
    index = [r.name for r in config.roles].index(role)
    heads = [int(h) for h in (share_out(config.roles, config.count)[:, None] == range(len(config.roles))).sum(axis=0)]
    heads[index] += by
    if heads[index] < 0:
        raise ChangeError(f"role {role!r} has {heads[index] - by} people; at most that many can go", "count")
    total = sum(heads)
    roles = draft.entries("people", "roles")
    for entry, number in zip(roles, heads, strict=True):
        entry["share"] = number / total if total else entry.get("share")
    if total:
        people["roles"] = [entry for entry, number in zip(roles, heads, strict=True) if number]


def _add_crew(
    draft: Draft, word: str, count: int, role: RoleConfig, near: str | None, from_min: float | None, to_min: float | None
) -> None:
    """Append a crew to the shift plan, and a task at the stations that it works at."""
    crew: Json = crew_defaults(draft, word, role.name, count, from_min, to_min)
    if near is not None:
        stations = stations_near(draft, near, role.stations)
        tasks = draft.entries("people", "shift", "tasks")
        task = free_name(f"work-{near}", [t["name"] for t in tasks])
        kneels = {"kneel_per_min": role.kneel_per_min} if role.kneel_per_min else {}
        tasks.append(
            {"name": task, "stations": stations, "duration_mean_s": role.dwell_mean_s, "duration_cv": role.dwell_cv} | kneels
        )
        crew["tasks"] = [task]
    draft.entries("people", "shift", "crews").append(crew)


@change("people_by_plan")
class PeopleByPlan(Change):
    """The same people, come in by a shift plan; nothing else changes. What `add_people` with a place or a time begins with."""

    gate_m: Point | None = Field(None, description="Place of a gate where the scenario has none in m; absent: by a wall.")

    def apply(self, draft: Draft) -> None:
        """Write the plan."""
        if draft.scenario.people.shift is not None:
            raise ChangeError("the scenario has a shift plan already (people.shift)")
        by_plan(draft, self.gate_m)


@change("change_crew")
class ChangeCrew(Change):
    """Another plan for a crew: its number, times, breaks or tasks."""

    name: str = Field(min_length=1, description="Name of the crew; * and ? stand for anything.")
    people: int | None = Field(None, ge=1, le=500, description="New number of people.")
    starts_at: str | None = Field(None, description="New start, for example '06:00'.")
    ends_at: str | None = Field(None, description="New end, for example '14:00', or '06:00+1' on the next day.")
    breaks: tuple[str, ...] | None = Field(None, description="New breaks, for example ['09:00-09:15']; []: none.")
    break_groups: int | None = Field(None, ge=1, le=20, description="In how many groups they take every break.")
    tasks: tuple[str, ...] | None = Field(None, description="New tasks to choose from.")

    def apply(self, draft: Draft) -> None:
        """Write what is given."""
        _need_shift(draft)
        for crew in draft.named("crew", self.name, "people", "shift", "crews"):
            crew.update(self.model_dump(mode="json", exclude_none=True, exclude={"name"}))


@change("add_crew")
class AddCrew(Change):
    """A crew more; every field that people.shift.crews takes can be given."""

    model_config = ConfigDict(frozen=True, extra="allow")
    name: str = Field(min_length=1, description="Name of the crew.")

    def apply(self, draft: Draft) -> None:
        """Append the crew as it is."""
        _need_shift(draft)
        draft.entries("people", "shift", "crews").append(self.model_dump(mode="json"))


@change("remove_crew")
class RemoveCrew(Change):
    """A crew less."""

    name: str = Field(min_length=1, description="Name of the crew; * and ? stand for anything.")

    def apply(self, draft: Draft) -> None:
        """Take the crews out; nobody is relieved by them."""
        _need_shift(draft)
        gone = {c["name"] for c in draft.named("crew", self.name, "people", "shift", "crews")}
        crews = draft.entries("people", "shift", "crews")
        crews[:] = [c for c in crews if c["name"] not in gone]
        for crew in crews:
            if crew.get("relieved_by") in gone:
                del crew["relieved_by"]


@change("shift_file")
class ShiftFile(Change):
    """Further people by a CSV file."""

    file: str = Field(
        min_length=1, description="CSV file: person, role, starts_at, ends_at, task, station; by the scenario's folder."
    )

    def apply(self, draft: Draft) -> None:
        """Write the file's name."""
        _need_shift(draft)
        draft.mapping("people", "shift")["plan"] = self.file


@change("run_starts")
class RunStarts(Change):
    """Another time of the day: the run looks at another part of the shift plan."""

    at: str = Field(min_length=4, description="Time of day at the first instant of the run, for example '13:50'.")

    def apply(self, draft: Draft) -> None:
        """Write the time."""
        _need_shift(draft)
        draft.mapping("people", "shift")["starts_at"] = self.at


def _need_shift(draft: Draft) -> None:
    if draft.scenario.people.shift is None:
        raise ChangeError(
            "the scenario has no shift plan (people.shift); put people_by_plan: {} before this change, or write one"
        )


@change("rush_hour")
class RushHour(Change):
    """More people for a while, who come in by a gate, work and leave."""

    people: int = Field(ge=1, le=500, description="How many more.")
    from_min: float = Field(ge=0, le=_MINUTES, description="From this time of the run on in min.")
    to_min: float = Field(gt=0, le=_MINUTES, description="Until this time of the run in min.")
    role: str | None = Field(None, description="Role of people.roles; the largest when absent.")
    near: str | None = Field(None, description="Zone or stations (the beginning of their names) that they work at.")

    @model_validator(mode="after")
    def _span(self) -> RushHour:
        if self.to_min <= self.from_min:
            raise ValueError(f"to_min {self.to_min:g} is not after from_min {self.from_min:g}")
        return self

    def apply(self, draft: Draft) -> None:
        """Append a crew that comes and goes."""
        by_plan(draft)
        role = _role(draft, self.role, self.near)
        _add_crew(draft, "rush-hour", self.people, role, self.near, self.from_min, self.to_min)


@change("visitor_group")
class VisitorGroup(Change):
    """One group that comes at a set time, walks from stop to stop together and leaves."""

    people: int = Field(ge=1, le=100, description="Visitors in the group.")
    at_min: float = Field(ge=0, le=_MINUTES, description="When they come in, in min of the run.")
    stop_min: float = Field(2.0, ge=0.2, le=120, description="Time at each stop in min, the way there included.")
    stations: tuple[str, ...] = Field(
        (), description="Stations that they are shown, in order; absent: every third of the hall's."
    )
    role: str = Field("visitor", min_length=1, description="Their role; made where the scenario has none of that name.")

    def apply(self, draft: Draft) -> None:
        """Append a crew whose plan is the tour."""
        by_plan(draft)
        roles = draft.entries("people", "roles")
        kinds: list[StationKind] = [
            k for k in ("cell", "rack", "desk") if any(s.kind == k for s in draft.scenario.people.stations)
        ]
        shown = [s.name for s in draft.scenario.people.stations if s.kind in kinds]
        for name in self.stations:
            if name not in shown:
                raise ChangeError(unknown("station", name, shown), "stations")
        tour = list(self.stations) or shown[::3]
        if not tour:
            raise ChangeError("there is no station to be shown (people.stations)")
        if not any(r["name"] == self.role for r in roles):
            roles.append({"name": self.role, "stations": list(kinds), "dwell_mean_s": 15.7})
        tasks = draft.entries("people", "shift", "tasks")
        crews = draft.entries("people", "shift", "crews")
        task = free_name("be-shown-round", [t["name"] for t in tasks])
        tasks.append({"name": task, "stations": tour, "duration_mean_s": 60.0 * self.stop_min})
        ends_min = self.at_min + self.stop_min * len(tour)
        crew: Json = crew_defaults(draft, "visitors", self.role, self.people, self.at_min, ends_min)
        stops = [clock_in_run(draft, self.at_min + k * self.stop_min) for k in range(len(tour) + 1)]
        planned: list[dict[str, Any]] = [
            {"task": task, "starts_at": a, "ends_at": b, "station": s} for a, b, s in zip(stops, stops[1:], tour, strict=False)
        ]
        crews.append(crew | {"planned": planned, "tasks": [task]})


@change("visitors_at_random")
class VisitorsAtRandom(Change):
    """Groups of visitors by a Poisson process, drawn from the seed."""

    groups_per_h: float = Field(gt=0, le=60, description="Groups per hour, in every hour that the run touches.")
    group_size_mean: float = Field(3.0, ge=1, le=40, description="Mean number of visitors in a group.")
    stops: int = Field(4, ge=1, le=50, description="Number of stations that a group is shown.")
    stop_mean_min: float = Field(4.0, ge=0.2, le=120, description="Mean time at each in min, the way there included.")
    role: str = Field("visitor", min_length=1, description="Their role; made where the scenario has none of that name.")

    def apply(self, draft: Draft) -> None:
        """Append the visitors to the shift plan."""
        by_plan(draft)
        roles = draft.entries("people", "roles")
        if not any(r["name"] == self.role for r in roles):
            kinds = [k for k in ("cell", "rack", "desk") if any(s.kind == k for s in draft.scenario.people.stations)]
            roles.append({"name": self.role, "stations": kinds, "dwell_mean_s": 15.7})
        first = begin_s(draft) // 3600
        last = (begin_s(draft) + round(draft.scenario.duration_s)) // 3600
        hours = {f"{h % 24:02d}": self.groups_per_h for h in range(first, min(last, first + 23) + 1)}
        visitors = draft.entries("people", "shift", "visitors")
        entry: Json = {"name": free_name("visitors", [v["name"] for v in visitors]), "role": self.role, "groups_per_h": hours}
        visitors.append(entry | self.model_dump(include={"group_size_mean", "stops", "stop_mean_min"}))


@change("evacuation")
class Evacuation(Change):
    """At a time everybody leaves by a gate and nobody comes back. Machines go on; people walk at their own speed."""

    at_min: float = Field(gt=0, le=_MINUTES, description="When, in min of the run.")

    def apply(self, draft: Draft) -> None:
        """End everybody's shift at that time."""
        by_plan(draft)
        evacuate(draft, begin_s(draft) + round(self.at_min * 60))
