"""Whole shifts with everything that people do: they come, kneel, carry, reach, wave, rest, hand over, show visitors round, leave.

``python -m factory.validate.motion_shift`` walks eight hours of a day among a hall's own AGVs, and keeps the worst moments in
``motion_shift.json`` beside this file; what is watched is told in :mod:`factory.validate.motion_soak`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from factory.rooms import generator, walk_space
from factory.scenario import load_scenario
from factory.validate.fleet_soak import person_gap_m
from factory.validate.motion_soak import Watch
from factory.validate.rows import Row
from humans.config import PeopleConfig
from humans.shift_crowd import ShiftCrowd
from humans.types import ACTIVITIES, Occupancy, PeopleState
from robots.fleet import Fleet
from robots.state import DRIVING

KEPT = Path(__file__).with_name("motion_shift.json")
TABLE = "People through a day with everything on"
HALLS = ("day-shift",)
_TICK_US, _LOOK_US = 20_000, 100_000
_SIDE_M, _MOVING_MPS = 0.2, 0.05
"""A moving AGV touches a person where its footprint comes this near to the middle, as in ``fleet_soak``."""

NOTES: Mapping[str, str] = {
    TABLE: """\
Two crews with breaks and a handover, pickers who carry boxes, a cleaner who kneels, visitors in groups and the person twin, from
08:00 on, among the AGVs of the scenario that is named (radio off, people looked at ten times a second, with ticks of 20 ms).
What is missed: once, where an aisle is narrow, somebody with a box is pressed against somebody who kneels; trunks that lean over
a knee or into a reach right before a rack get up to 17 mm into it; and people who are on the way stood at one spot for minutes.
The plainer soak of the table above misses none of these.
Again: `python -m factory.validate.motion_shift`."""
}
"""What is said below the heading of this table."""


@dataclass(frozen=True, slots=True)
class ShiftSoak:
    """What the worst moments of a day were, and what was done in it.

    Attributes
    ----------
    scenario, seed, hours : what was walked. people, most : people of the plan, and most of them in the hall at a time.
    trunk_gap_m, trunk_clearance_m, limb_error_m, lowest_m, highest_ankle_m, stuck_s, fastest_mps : as in
        :class:`factory.validate.motion_soak.Soak`; of people who are in the hall. walked_km : way of all together [km].
    agv_hits : instants at which a moving AGV's footprint touched a person's middle part. orders : transports finished.
    done : person minutes by activity, and with a box in the hands.
    """

    scenario: str
    seed: int
    hours: float
    people: int
    most: int
    trunk_gap_m: float
    trunk_clearance_m: float
    limb_error_m: float
    lowest_m: float
    highest_ankle_m: float
    stuck_s: float
    fastest_mps: float
    walked_km: float
    agv_hits: int
    orders: int
    done: dict[str, float]


def day(people: Mapping[str, Any]) -> PeopleConfig:
    """Give a people section of a hall a day on which everything happens.

    Parameters
    ----------
    people : the section, with its stations.
    """
    stations = list(people["stations"])
    if not any(s["kind"] == "gate" for s in stations):
        stations.append({"name": "gate-west", "position_m": (1.5, 20.0), "facing_deg": 0, "kind": "gate"})
    crew = {"ends_at": "14:00", "starts_at": "06:00", "break_groups": 2}
    crews = [
        {**crew, "name": "early", "role": "operator", "people": 4, "tasks": ["assemble", "mend"], "relieved_by": "late",
         "breaks": ["09:00-09:15", "12:00-12:30"]},
        {"name": "late", "role": "operator", "people": 4, "starts_at": "13:55", "ends_at": "22:00", "tasks": ["assemble", "mend"],
         "breaks": ["15:30-15:45"]},
        {**crew, "name": "pickers", "role": "picker", "people": 3, "tasks": ["pick"], "away_per_h": {"10": 0.5, "11": 0.5},
         "breaks": ["10:00-10:15"]},
        {"name": "late pickers", "role": "picker", "people": 3, "starts_at": "12:00", "ends_at": "20:00", "tasks": ["pick"],
         "breaks": ["14:30-15:00"]},
        {"name": "cleaning", "role": "cleaner", "people": 1, "starts_at": "08:30", "ends_at": "16:30", "tasks": ["sweep"],
         "breaks": ["12:30-13:00"]},
    ]  # fmt: skip
    tasks = [
        {"name": "assemble", "station_kinds": ["cell"], "duration_mean_s": 90, "reach_per_min": 6, "wave_per_min": 0.2,
         "effort": 0.04},
        {"name": "mend", "station_kinds": ["cell"], "duration_mean_s": 60, "reach_per_min": 2, "kneel_per_min": 1, "weight": 0.3},
        {"name": "pick", "station_kinds": ["rack"], "duration_mean_s": 17, "duration_cv": 1.1, "reach_per_min": 10,
         "kneel_per_min": 0.5, "carries": True, "effort": 0.05},
        {"name": "sweep", "station_kinds": ["cell", "rack"], "visit": "in_order", "duration_mean_s": 40, "kneel_per_min": 1},
    ]  # fmt: skip
    hours = {str(hour): 1.0 for hour in range(9, 16)}
    tour = {"name": "tour", "role": "visitor", "groups_per_h": hours, "group_size_mean": 4, "guide_role": "operator"}
    roles = [
        {"name": "operator", "stations": ["cell"], "carries_panel": True, "wave_per_min": 0.1},
        {"name": "picker", "stations": ["rack"], "carry_share": 0.5, "wave_per_min": 0.1},
        {"name": "cleaner", "stations": ["cell", "rack"]},
        {"name": "visitor", "stations": ["cell", "rack", "desk"], "wave_per_min": 0.5},
    ]
    return PeopleConfig.model_validate({
        "panels": 2, "stations": stations, "roles": roles, "person_twin": {"enabled": True},
        "shift": {"starts_at": "08:00", "tasks": tasks, "crews": crews, "visitors": [tour]},
    })  # fmt: skip


class _Done:
    """Adds up what people in the hall do."""

    def __init__(self) -> None:
        self._ticks = np.zeros(len(ACTIVITIES))
        self._carried, self.most = 0, 0

    def look(self, people: PeopleState) -> None:
        here = people.present
        self._ticks += np.bincount(people.activity[here], minlength=len(ACTIVITIES))
        self._carried += int(here[people.load_holder].sum())
        self.most = max(self.most, int(here.sum()))

    def minutes(self, step_us: int) -> dict[str, float]:
        """Person minutes by activity, each look standing for ``step_us`` [us]."""
        each = step_us / 60e6
        named = {name: round(float(ticks * each), 1) for name, ticks in zip(ACTIVITIES, self._ticks, strict=True)}
        return {**named, "carry": round(self._carried * each, 1)}


def soak_day(scenario: str, seed: int, hours: float) -> ShiftSoak:
    """Walk a day with everything on.

    Parameters
    ----------
    scenario : whose hall, stations and AGVs. seed, hours : which draws, and how long [h].
    """
    loaded = load_scenario(scenario, []).scenario
    config, space = day(loaded.people.model_dump()), walk_space(loaded.hall, loaded.robots.cobots)
    crowd = ShiftCrowd(config, space, generator(seed, "people"), None)
    fleet = Fleet(loaded.robots, generator(seed, "fleet"))
    half_m = loaded.robots.agvs.length_m / 2, loaded.robots.agvs.width_m / 2
    people = crowd.state()
    watch, done, nobody = Watch(space, people), _Done(), Occupancy.empty()
    age, hits = np.zeros(fleet.n, np.int64), 0
    for now in range(_TICK_US, round(hours * 3600e6) + 1, _TICK_US):
        fleet.step(now, _TICK_US, age, people.position_m, people.present)
        agvs = fleet.state()
        crowd.step(now, _TICK_US, Occupancy(agvs.position_m, agvs.velocity_mps, agvs.radius_m))
        people = crowd.state()
        if now % _LOOK_US == 0:
            gap = person_gap_m(agvs.position_m, agvs.heading_rad, people.position_m[people.present], *half_m)
            hits += int(((gap < _SIDE_M) & (agvs.mode == DRIVING) & (agvs.speed_mps > _MOVING_MPS)).any())
            watch.look(people, nobody)
            done.look(people)
    worst = {name: watch.worst[name] for name in ShiftSoak.__dataclass_fields__ if name in watch.worst}
    return ShiftSoak(
        scenario, seed, hours, crowd.n, done.most, **worst, walked_km=watch.walked_km() * crowd.n, agv_hits=hits,
        orders=fleet.production()["orders_finished"], done=done.minutes(_LOOK_US),
    )  # fmt: skip


def kept() -> tuple[ShiftSoak, ...]:
    """Return the days that were walked last; none before the first."""
    if not KEPT.is_file():
        return ()
    return tuple(ShiftSoak(**entry) for entry in json.loads(KEPT.read_text(encoding="utf-8")))


def day_rows() -> Iterator[Row]:
    """Rows on the worst moments of the days that were kept."""
    rule = "nobody in a wall, in another, or off the floor"
    for soak in kept():
        who = f"`{soak.scenario}`, {soak.people} people, at most {soak.most} at a time, {soak.hours:g} h, seed {soak.seed}"
        for what, ours, bound, unit, tolerance, least in (
            ("trunk to trunk, smallest gap", soak.trunk_gap_m, 0.0, "m", 0.0, True),
            ("trunk to box or wall, smallest gap", soak.trunk_clearance_m, 0.0, "m", 0.0, True),
            ("change of a limb's length", soak.limb_error_m, 1e-9, "m", 0.0, False),
            ("lowest point of a body above the floor", soak.lowest_m, 0.0, "m", 1e-9, True),
            ("longest time on the way without coming on", soak.stuck_s, 60.0, "s", 0.0, False),
            ("moving AGVs that touched a person", soak.agv_hits, 0, "instants", 0, False),
        ):
            told = f"{who}: {what}"
            missed = ours < bound - tolerance if least else ours > bound + tolerance
            yield Row(TABLE, told, ours, bound, unit, tolerance, rule, "at least" if least else "at most", known=missed)
        for what in ("kneel", "carry", "reach", "wave", "break"):
            yield Row(TABLE, f"{who}: {what}", soak.done[what], np.nan, "person min", 1, "as found", "reported")


def main() -> None:
    """Walk the days of the validation table and keep what was seen."""
    parser = argparse.ArgumentParser(description="days with everything that people do")
    parser.add_argument("--hours", type=float, default=8.0, help="hours of each day, default 8")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2], help="default 1 and 2")
    parser.add_argument("--halls", nargs="+", default=list(HALLS), help="scenarios whose halls are used")
    parser.add_argument("--out", type=Path, default=KEPT, help="where to keep the result")
    given = parser.parse_args()
    found: list[ShiftSoak] = []
    for hall in given.halls:
        for seed in given.seeds:
            found.append(soak_day(hall, seed, given.hours))
            print(found[-1], flush=True)
            whole = [{k: round(v, 15) if isinstance(v, float) else v for k, v in asdict(entry).items()} for entry in found]
            given.out.write_text(json.dumps(whole, indent=1, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
