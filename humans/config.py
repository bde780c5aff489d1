"""What a scenario may say about people. Every number carries its unit in its name."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from humans.person_twin_config import PersonTwinConfig
from humans.shift_config import ShiftConfig
from humans.tags import WatchConfig
from humans.tasks import StationKind

Point = tuple[float, float]
LoadSide = Annotated[float, Field(ge=0.05, le=0.8)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StationConfig(_Model):
    """A place where somebody works, waits or rests."""

    name: str = Field(min_length=1, description="Name in reports and errors.")
    position_m: Point = Field(description="Where a person stands, x and y in the hall frame in m.")
    facing_deg: float = Field(0.0, ge=-360, le=360, description="Where that person looks, degrees counter-clockwise from +x.")
    kind: StationKind = Field(
        description="cell (work at a machine), rack (picking), desk (standing), break (resting), gate (the way in and out)."
    )


class RoleConfig(_Model):
    """What a kind of person does all day."""

    name: str = Field(min_length=1, description="Name in reports.")
    share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of all people; the shares add up to 1. With a shift the crews count and it is left out.",
    )
    stations: tuple[StationKind, ...] = Field(min_length=1, description="Kinds of station that the role works at.")
    speed_mean_mps: float = Field(1.1, ge=0.3, le=2.5, description="Mean speed that one walks at on a free way in m/s.")
    speed_sd_mps: float = Field(0.05, ge=0, le=0.6, description="Standard deviation of that speed between people in m/s.")
    dwell_mean_s: float = Field(17.2, ge=1, le=3600, description="Mean time at a station in s.")
    dwell_cv: float = Field(0.8, ge=0, le=2, description="Standard deviation of that time divided by its mean.")
    wave_per_min: float = Field(0.0, ge=0, le=20, description="Hand waves per minute.")
    reach_per_min: float = Field(0.0, ge=0, le=40, description="Reaches per minute while at work.")
    kneel_per_min: float = Field(0.0, ge=0, le=10, description="Times per minute at work that somebody goes down on a knee.")
    carry_share: float = Field(0.0, ge=0, le=1, description="Share of the ways between stations with a box before the chest.")
    load_size_m: tuple[LoadSide, LoadSide, LoadSide] = Field(
        (0.3, 0.4, 0.3), description="Depth, width and height of that box in m, each from 0.05 to 0.8."
    )
    carries_panel: bool = Field(False, description="Whether hand-held panels go to this role first.")


class BreakConfig(_Model):
    """Breaks, taken at stations of kind break; none are taken where there is no such station."""

    every_min: float = Field(60.0, ge=1, le=720, description="Time from one break to the next in min.")
    for_min: float = Field(5.0, gt=0, le=120, description="Length of a break in min.")


def _default_roles() -> tuple[RoleConfig, ...]:
    """Return roles near the workers and visitors recorded in THOR (Rudenko 2020), computed from its tracks at 0.4 s.

    Walking (faster than 0.6 m/s): workers 1.04 +- 0.20 m/s, visitors 1.00 +- 0.17 m/s, which people have who want to walk at
    1.1 and 1.07 m/s, start, stop and swing (``humans.wander``; docs/validation.md). Standing (slower than 0.25 m/s for more than
    2 s): workers 17.2 s (sd 19.4, 31 spells), visitors 15.7 s (sd 13.2). The operator's longer dwell is a design value, for THOR
    has no machine cells.
    """
    return (
        RoleConfig(name="operator", share=0.4, stations=("cell",), dwell_mean_s=60.0, reach_per_min=6.0, wave_per_min=0.1),
        RoleConfig(
            name="picker", share=0.4, stations=("rack",), dwell_mean_s=17.2, dwell_cv=1.1, reach_per_min=10.0, wave_per_min=0.1
        ),
        RoleConfig(
            name="supervisor",
            share=0.2,
            stations=("cell", "rack", "desk"),
            speed_mean_mps=1.07,
            dwell_mean_s=15.7,
            wave_per_min=1.0,
            carries_panel=True,
        ),
    )


class PeopleConfig(_Model):
    """The people of a hall: simulated by role, or replayed from recorded tracks."""

    count: int = Field(16, ge=0, le=500, description="Number of people; a replay or a shift brings its own number.")
    panels: int = Field(3, ge=0, le=500, description="People who carry a hand-held panel; never more than there are people.")
    emergency_stops_per_panel_hour: float = Field(
        0.0, ge=0, le=360, description="How often the emergency stop of each panel is pressed, per hour (Poisson); 0: never."
    )
    emergency_acknowledge_s: float = Field(
        20.0, ge=0, le=86_400, description="From standstill by an emergency stop until it is acknowledged, in s."
    )
    stature_p5_m: float = Field(
        1.535, ge=1.2, le=2.1, description="Body height that 5 % fall short of in m (DIN 33402-2, women)."
    )
    stature_p95_m: float = Field(1.86, ge=1.3, le=2.3, description="Body height that 5 % exceed in m (DIN 33402-2, men).")
    stations: tuple[StationConfig, ...] = Field(
        (), description="Stations; where none are given, people roam over the free floor."
    )
    roles: tuple[RoleConfig, ...] = Field(default_factory=_default_roles, min_length=1, description="Roles by share.")
    breaks: BreakConfig = Field(default_factory=BreakConfig, description="Breaks.")
    start: tuple[Point, ...] = Field((), description="Initial x and y in m of the first people; the others start at stations.")
    shift: ShiftConfig | None = Field(
        None, description="Who comes when and does what; absent: all people are there all the time."
    )
    forecast: WatchConfig = Field(default_factory=WatchConfig, description="How people are forecast, and from what.")
    person_twin: PersonTwinConfig = Field(
        default_factory=PersonTwinConfig, description="An estimate of everybody's workload and fatigue; off unless enabled."
    )
    pseudonym_rotation_s: float = Field(3600.0, ge=1, description="Time after which everybody gets another pseudonym in s.")
    replay: str | None = Field(
        None, description="CSV file of recorded tracks (columns t in s, id, x and y in m) to replay instead."
    )
    replay_offset_m: Point | None = Field(
        None, description="Where the recording's origin lies in the hall in m; absent: where fewest recorded people meet boxes."
    )
    replay_yaw_deg: float | None = Field(
        None,
        ge=-360,
        le=360,
        description="Rotation of the recording in degrees; absent: chosen among quarter turns with the offset.",
    )
    replay_scale: float = Field(1.0, ge=1e-4, le=100, description="Metres per unit of the recording, for example 0.001 for mm.")
    replay_loop: bool = Field(True, description="Whether the recording starts again when the run is longer.")

    @property
    def panel_count(self) -> int:
        """Panels carried: ``panels``, or ``count`` where there are fewer people."""
        return min(self.panels, self.count)

    @model_validator(mode="after")
    def _consistent(self) -> PeopleConfig:
        if self.stature_p5_m >= self.stature_p95_m:
            raise ValueError(f"stature_p5_m {self.stature_p5_m} must be below stature_p95_m {self.stature_p95_m}")
        if self.shift is None:
            none = [role.name for role in self.roles if role.share <= 0]
            if none:
                raise ValueError(f"roles: {none[0]!r} has no share; give the share of all people, such as 0.4")
            total = sum(role.share for role in self.roles)
            if abs(total - 1) > 1e-6:
                raise ValueError(f"roles: the shares add up to {total:.6g}, they must add up to 1")
        for what, names in (("stations", [s.name for s in self.stations]), ("roles", [r.name for r in self.roles])):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{what}: the name {twice[0]!r} is used more than once; every name must be unique")
        if self.shift is not None:
            self._check_shift(self.shift)
        return self

    def _check_shift(self, shift: ShiftConfig) -> None:
        """Raise ValueError where a shift names what there is not, or cannot be kept with the rest of the section."""
        if self.replay is not None:
            raise ValueError("replay and shift: recorded people keep their own times; give one of the two")
        if self.start:
            raise ValueError("start and shift: with a shift people come in through gates; leave start out")
        gates = [s.name for s in self.stations if s.kind == "gate"]
        if not gates:
            raise ValueError("shift: there is no gate; add a station of kind gate where people come in and leave")
        stations, roles, tasks = ([x.name for x in group] for group in (self.stations, self.roles, shift.tasks))
        crews = [crew.name for crew in shift.crews]
        for what, word, name in _references(shift):
            names = {"station": stations, "gate": gates, "role": roles, "task": tasks, "crew": crews}[word]
            if name not in names:
                raise ValueError(f"{what}: unknown {word} {name!r}; {did_you_mean(name, names)}")
        kinds = {s.kind for s in self.stations}
        for task in shift.tasks:
            if task.station_kinds and not kinds & set(task.station_kinds):
                raise ValueError(f"task {task.name!r}: there is no station of kind {' or '.join(task.station_kinds)}")


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """Say which of the known names comes near, or what there is."""
    near = difflib.get_close_matches(name, known, 1)
    return f"did you mean {near[0]!r}?" if near else f"there is {', '.join(known)}" if known else "there is none"


def _references(shift: ShiftConfig) -> Iterator[tuple[str, str, str]]:
    """Yield every name that a shift refers to: who does, what kind of thing, and its name."""
    for task in shift.tasks:
        yield from ((f"task {task.name!r}", "station", s) for s in task.stations)
    for crew in shift.crews:
        who = f"crew {crew.name!r}"
        yield who, "role", crew.role
        yield from ((who, "task", t) for t in crew.tasks)
        for item in crew.planned:
            yield who, "task", item.task
            if item.station is not None:
                yield who, "station", item.station
        for word, name in (("gate", crew.gate), ("crew", crew.relieved_by), ("station", crew.handover_station)):
            if name is not None:
                yield who, word, name
    for group in shift.visitors:
        who = f"visitors {group.name!r}"
        yield who, "role", group.role
        if group.guide_role is not None:
            yield who, "role", group.guide_role
        if group.gate is not None:
            yield who, "gate", group.gate
        yield from ((who, "station", s) for s in group.stations)
