"""What changes of people need of a shift plan: making one of a number of people, times of the run, names, stations of a place."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from factory.checks import box_at
from factory.study.changes import ChangeError, Draft, Json, unknown
from factory.study.changes_hall import inside
from humans.config import StationConfig
from humans.crowd import share_out
from humans.shift_config import DAY_S, clock, seconds_of_day
from robots.routes import point_segment_distance

NOON = "12:00"
_GATE_FROM_WALL_M, _GATE_CLEAR_M, _GATE_OFF_ROUTE_M = 1.0, 0.8, 1.5
_LONGEST_S = DAY_S // 2
_SHORTEST_S = 60  # shift plans let nobody come later than this before the end


def begin_s(draft: Draft) -> int:
    """Time of day at the first instant of the run [s after midnight]; the scenario has a shift plan."""
    return seconds_of_day(str(draft.mapping("people", "shift")["starts_at"]))


def clock_in_run(draft: Draft, minutes: float) -> str:
    """Time of day at a minute of the run, as shift plans write it.

    Raises
    ------
    ChangeError
        Where that is later than plans can say.
    """
    seconds = begin_s(draft) + round(minutes * 60)
    if seconds >= 2 * DAY_S:
        raise ChangeError(f"minute {minutes:g} is more than a day after the run's first midnight; shift plans say +1 at most")
    return clock(seconds)


def free_name(wanted: str, taken: Sequence[str]) -> str:
    """Return a name that is not taken yet: the one wanted, or with a number."""
    name, k = wanted, 1
    while name in taken:
        k += 1
        name = f"{wanted}-{k}"
    return name


def crew_defaults(draft: Draft, word: str, role: str, count: int, from_min: float | None, to_min: float | None) -> Json:
    """Return a crew that is there from one minute of the run to another, all the time where neither is given."""
    config = draft.scenario.people.shift
    names = [c.name for c in config.crews] if config is not None else []
    names += [str(c["name"]) for c in draft.entries("people", "shift", "crews")]
    longest = round(draft.scenario.duration_s)
    start = begin_s(draft) + round((from_min or 0.0) * 60)
    if from_min is None:
        start = max(0, begin_s(draft) - _LONGEST_S)  # there before the run begins
    if start >= DAY_S:
        raise ChangeError(f"minute {from_min or 0:g} of the run is on the next day; shift plans begin on the run's first one")
    end = begin_s(draft) + round(to_min * 60) if to_min is not None else begin_s(draft) + longest + 60
    if end - start > DAY_S:
        raise ChangeError("a crew is there for 24 h at most; give from_min and to_min")
    if from_min is not None and end - start < _SHORTEST_S:
        raise ChangeError(f"from minute {from_min:g} on for {end - start} s: who comes stays for a minute or more")
    punctual = {"early_mean_min": 0.0, "early_sd_min": 0.0} if from_min is not None else {}
    breaks: Json = {"breaks": []} if to_min is not None else {}
    crew: Json = {"name": free_name(word, names), "role": role, "people": count}
    return crew | {"starts_at": clock(start), "ends_at": clock(end)} | punctual | breaks


def places_near(draft: Draft, place: str) -> list[StationConfig]:
    """Stations in a zone, or whose names begin with a word.

    Raises
    ------
    ChangeError
        Where there is none.
    """

    def bare(text: str) -> str:
        return re.sub(r"[\s_-]+", "-", text.strip().lower())

    people, zones = draft.scenario.people, draft.scenario.hall.zones
    zone = next((z for z in zones if bare(z.name) == bare(place)), None)
    word = bare(place)
    there = [
        s
        for s in people.stations
        if (zone is not None and inside(zone, s.position_m)) or bare(s.name) == word or bare(s.name).startswith(word + "-")
    ]
    if not there:
        known = [z.name for z in zones] + sorted({s.name for s in people.stations})
        raise ChangeError(unknown("zone or station", place, known), "near")
    return there


def stations_near(draft: Draft, place: str, kinds: Sequence[str]) -> list[str]:
    """Names of the stations of a place, of the kinds that a role works at.

    Raises
    ------
    ChangeError
        Where there is none.
    """
    there = places_near(draft, place)
    work = [s.name for s in there if s.kind in kinds]
    if not work:
        has = ", ".join(sorted({s.kind for s in there}))
        raise ChangeError(
            f"{place!r} has stations of kind {has}; the role works at {', '.join(kinds)}; name another role", "near"
        )
    return work


def by_plan(draft: Draft, gate_m: tuple[float, float] | None = None) -> None:
    """Let the same people come by a shift plan, where the scenario has none: a crew for every role, there from before the run.

    Raises
    ------
    ChangeError
        For a replay, and for runs of more than 12 h, which need a plan of their own.
    """
    config = draft.scenario.people
    if config.shift is not None:
        return
    if config.replay is not None:
        raise ChangeError("people.replay: recorded people keep their own times; this change needs simulated people")
    if draft.scenario.duration_s > _LONGEST_S:
        raise ChangeError("a run of more than 12 h needs a shift plan of its own (people.shift)")
    people = draft.mapping("people")
    stations = draft.entries("people", "stations")
    if not any(s.get("kind") == "gate" for s in stations):
        x, y = gate_m if gate_m is not None else _place_for_gate(draft)
        name = free_name("gate", [str(s["name"]) for s in stations])
        stations.append({"name": name, "position_m": [x, y], "facing_deg": 0.0, "kind": "gate"})
    heads = np.bincount(share_out(config.roles, config.count), minlength=len(config.roles))
    crews = [
        {"name": role.name, "role": role.name, "people": int(n), "starts_at": "00:00", "ends_at": "00:00+1"}
        for role, n in zip(config.roles, heads, strict=True)
        if n
    ]
    if not crews:
        raise ChangeError("there are no people (people.count: 0); give the scenario a shift plan")
    if people.get("start"):
        people["start"] = []
    people["shift"] = {"starts_at": NOON, "tasks": [], "crews": crews, "visitors": []}
    draft.accept()


def _place_for_gate(draft: Draft) -> tuple[float, float]:
    """Return a place by a wall, clear of boxes and routes, the first one along the walls from the origin."""
    hall, routes = draft.scenario.hall, draft.scenario.robots.routes
    length, width, _ = hall.size_m
    place = {n.id: np.array(n.position_m) for n in routes.nodes}
    d = _GATE_FROM_WALL_M
    along, up = np.arange(2.0, length - 2.0, 0.5), np.arange(2.0, width - 2.0, 0.5)
    walls = [(d, y) for y in up] + [(x, d) for x in along] + [(length - d, y) for y in up] + [(x, width - d) for x in along]
    for x, y in walls:
        point = np.array([x, y])
        if box_at(hall, float(x), float(y), margin_m=_GATE_CLEAR_M) is not None:
            continue
        if any(point_segment_distance(point, place[e.start], place[e.end]) < _GATE_OFF_ROUTE_M for e in routes.edges):
            continue
        if any(np.hypot(*(point - c.position_m[:2])) < 2.0 for c in draft.scenario.robots.cobots):
            continue
        return float(x), float(y)
    raise ChangeError("no place for a gate by the walls; say where with people_by_plan: {gate_m: [x, y]}")
