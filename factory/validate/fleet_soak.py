"""Hours of a large fleet without the radio: collisions, deadlocks, orders an hour, with and without people.

``python -m factory.validate.fleet_soak --hours 8`` runs the fleet of :mod:`factory.validate.fleet_hall` twice and keeps what it
found in ``fleet_soak.json`` beside this file, which ``factory-twin validate`` shows.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

import numba
import numpy as np
import numpy.typing as npt

from factory.rooms import generator
from factory.validate import fleet_hall
from humans.sources import create_crowd
from humans.types import Occupancy
from robots.fleet import Fleet
from robots.state import DRIVING, MODES

Floats = npt.NDArray[np.float64]
STEP_US = 100_000
KEPT = "fleet_soak.json"


@dataclass(frozen=True)
class Soak:
    """What a soak found.

    Attributes
    ----------
    hours, agvs, people, seed : what was run.
    orders, orders_per_hour : finished transports.
    overlaps : instants at which two footprints overlapped. nearest_m : smallest gap between two footprints [m].
    person_hits : instants at which a moving AGV's footprint touched a person's circle of 0.2 m.
    longest_h : longest time an AGV finished no order, charging apart [h]. fewest_orders : of any AGV.
    ways_out : how often AGVs stuck to the known schedule to get out of a jam. lowest_battery : lowest charge of any AGV.
    minutes : machine minutes by mode.
    """

    hours: float
    agvs: int
    people: int
    seed: int
    orders: int
    orders_per_hour: float
    overlaps: int
    nearest_m: float
    person_hits: int
    longest_h: float
    fewest_orders: int
    ways_out: int
    lowest_battery: float
    minutes: dict[str, float]


@numba.njit(cache=True)
def footprint_gap_m(xy: Floats, yaw: Floats, half_length: float, half_width: float) -> float:
    """Smallest gap between the footprints (n rectangles) along the best separating axis, negative where two overlap [m]."""
    nearest = np.inf
    reach = 2.0 * np.hypot(half_length, half_width) + 6.0
    for i in range(xy.shape[0]):
        for j in range(i + 1, xy.shape[0]):
            dx, dy = xy[j, 0] - xy[i, 0], xy[j, 1] - xy[i, 1]
            if dx * dx + dy * dy > reach * reach:
                continue
            turn = yaw[j] - yaw[i]
            c, s = abs(np.cos(turn)), abs(np.sin(turn))
            widest = -np.inf
            for axis in (yaw[i], yaw[j]):
                ca, sa = np.cos(axis), np.sin(axis)
                along, across = abs(ca * dx + sa * dy), abs(ca * dy - sa * dx)
                widest = max(widest, along - half_length - (half_length * c + half_width * s))
                widest = max(widest, across - half_width - (half_length * s + half_width * c))
            nearest = min(nearest, widest)
    return nearest


@numba.njit(cache=True)
def person_gap_m(xy: Floats, yaw: Floats, people: Floats, half_length: float, half_width: float) -> Floats:
    """Distance from each footprint (n,) to the nearest point of people (k, 2) [m]."""
    out = np.full(xy.shape[0], np.inf)
    for i in range(xy.shape[0]):
        c, s = np.cos(yaw[i]), np.sin(yaw[i])
        for p in range(people.shape[0]):
            dx, dy = people[p, 0] - xy[i, 0], people[p, 1] - xy[i, 1]
            along = max(0.0, abs(c * dx + s * dy) - half_length)
            across = max(0.0, abs(c * dy - s * dx) - half_width)
            out[i] = min(out[i], np.hypot(along, across))
    return out


def soak(hours: float, n_people: int, seed: int = 1, n_agvs: int = 40) -> Soak:
    """Run the fleet and watch it.

    Parameters
    ----------
    hours : simulated. n_people, n_agvs : how many. seed : of everything.
    """
    config = fleet_hall.robots(n_agvs)
    fleet = Fleet(config, generator(seed, "fleet"))
    crowd = None
    if n_people:
        crowd = create_crowd(fleet_hall.people(n_people), fleet_hall.walk_space(), generator(seed, "people"), None)
    half_length, half_width = config.agvs.length_m / 2, config.agvs.width_m / 2
    age = np.zeros(n_agvs, np.int64)
    nobody = (np.zeros((0, 2)), np.zeros(0, np.bool_))
    nearest, overlaps, hits, lowest = np.inf, 0, 0, 1.0
    since_us, longest_us = np.zeros(n_agvs), 0.0
    counted, seen = np.zeros(n_agvs, np.int64), 0
    for step in range(1, round(hours * 3600e6 / STEP_US) + 1):
        now = step * STEP_US
        people = crowd.state() if crowd is not None else None
        where, there = nobody if people is None else (people.position_m, people.present)
        fleet.step(now, STEP_US, age, where, there)
        agvs = fleet.state()
        if crowd is not None:
            crowd.step(now - STEP_US, STEP_US, Occupancy(agvs.position_m, agvs.velocity_mps, agvs.radius_m))
        gap = footprint_gap_m(agvs.position_m, agvs.heading_rad, half_length, half_width)
        nearest, overlaps = min(nearest, gap), overlaps + (gap < 0.0)
        if people is not None:
            reach = person_gap_m(agvs.position_m, agvs.heading_rad, where[there], half_length, half_width)
            hits += int(((reach < 0.2) & (agvs.mode == DRIVING) & (agvs.speed_mps > 0.05)).any())
        lowest = min(lowest, float(agvs.battery.min()))
        for order in fleet.finished_since(seen):
            counted[order.agv] += 1
            since_us[order.agv] = now
        seen = int(counted.sum())
        since_us[agvs.mode == MODES.index("charging")] = now
        longest_us = max(longest_us, float((now - since_us).max()))
    ledger = fleet.production()
    return Soak(
        hours, n_agvs, n_people, seed, ledger["orders_finished"], round(ledger["orders_per_hour"], 2), int(overlaps),
        round(float(nearest), 4), hits, round(longest_us / 3.6e9, 3), int(counted.min()), fleet.ways_out, round(lowest, 3),
        {mode: round(value, 1) for mode, value in ledger["minutes"].items() if value},
    )  # fmt: skip


def kept() -> tuple[Soak, ...]:
    """Read what the last soak found; nothing before the first."""
    file = resources.files("factory.validate").joinpath(KEPT)
    if not file.is_file():
        return ()
    return tuple(Soak(**entry) for entry in json.loads(file.read_text(encoding="utf-8")))


def main() -> None:
    """Run from the command line and keep the result."""
    parser = argparse.ArgumentParser(description="hours of a large fleet, radio off")
    parser.add_argument("--hours", type=float, default=8.0, help="simulated hours, default 8")
    parser.add_argument("--agvs", type=int, default=40, help="number of AGVs, default 40")
    parser.add_argument("--people", type=int, nargs="*", default=[0, 40], help="numbers of people to run with, default 0 and 40")
    parser.add_argument("--seed", type=int, default=1, help="default 1")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name(KEPT), help="where to keep the result")
    given = parser.parse_args()
    found = []
    for n_people in given.people:
        found.append(soak(given.hours, n_people, given.seed, given.agvs))
        print(found[-1])
        given.out.write_text(json.dumps([asdict(entry) for entry in found], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
