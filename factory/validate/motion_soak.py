"""A whole shift of people walking, watched ten times a second: who is in a wall, in another person, or stuck.

``python -m factory.validate.motion_soak`` walks eight hours and keeps the result beside this file; it takes some minutes.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from factory.rooms import walk_space
from factory.scenario import load_scenario
from humans.body import PART_NAMES
from humans.config import PeopleConfig
from humans.crowd import Crowd
from humans.types import ACTIVITIES, Occupancy, PeopleState, WalkSpace

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SOAK_FILE = Path(__file__).with_name("motion_soak.json")
_TRUNK = np.array([PART_NAMES.index(name) for name in ("head", "trunk_left", "trunk_right", "pelvis")])
_LIMBS = np.array([k for k, name in enumerate(PART_NAMES) if any(limb in name for limb in ("arm", "thigh", "shank"))])
_SHANKS = np.array([PART_NAMES.index(f"shank_{side}") for side in ("left", "right")])
_LOOK_US = 100_000
_SHIFTS = ((8.0, 16, False, 1), (8.0, 16, True, 2), (2.0, 60, True, 3))
"""Hours, people, whether among AGVs, and seed."""
_THERE_M = 0.25  # who is this near to a place is not on the way to it
_TOUCH_M = 1.2  # people whose middles are farther apart do not touch with their trunks


@dataclass(frozen=True, slots=True)
class Soak:
    """What the worst moments of a shift were.

    Attributes
    ----------
    scenario, people, hours, seed, machines : what was walked; with AGVs that stop for nobody, or without.
    nearest_m : smallest distance of two people's middles [m].
    trunk_gap_m : smallest gap between two people's trunks, pelvises and heads, negative where they overlap [m].
    middle_clearance_m : smallest distance of anybody's middle from a box or wall, negative inside [m].
    trunk_clearance_m : smallest distance of anybody's trunk or pelvis from a box as high as that or a wall [m].
    limb_error_m : largest change of the length of an arm's or leg's part [m].
    lowest_m : lowest point of any capsule above the floor [m]. highest_ankle_m : the lower ankle at its highest [m].
    stuck_s : longest time that somebody who was on the way came no farther than a metre [s].
    machine_gap_m : smallest gap between anybody's middle and a machine's disc [m], infinite without machines.
    fastest_mps : fastest that anybody moved between two ticks of 0.1 s [m/s].
    walked_km : mean way of a person [km].
    """

    scenario: str
    people: int
    hours: float
    seed: int
    machines: bool
    nearest_m: float
    trunk_gap_m: float
    middle_clearance_m: float
    trunk_clearance_m: float
    limb_error_m: float
    lowest_m: float
    highest_ankle_m: float
    stuck_s: float
    machine_gap_m: float
    fastest_mps: float
    walked_km: float


@njit(cache=True)
def segment_gap(a, b, c, d):  # type: ignore[no-untyped-def]
    """Return the smallest distance of the segments ab and cd, (3,) ends each (Ericson, Real-Time Collision Detection, 5.1.9)."""
    ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    vx, vy, vz = d[0] - c[0], d[1] - c[1], d[2] - c[2]
    rx, ry, rz = a[0] - c[0], a[1] - c[1], a[2] - c[2]
    uu, vv = ux * ux + uy * uy + uz * uz, vx * vx + vy * vy + vz * vz
    vr, ur, uv = vx * rx + vy * ry + vz * rz, ux * rx + uy * ry + uz * rz, ux * vx + uy * vy + uz * vz
    uu, vv = max(uu, 1e-12), max(vv, 1e-12)
    wide = uu * vv - uv * uv
    s = min(max((uv * vr - ur * vv) / wide, 0.0), 1.0) if wide > 1e-12 else 0.0
    t = (uv * s + vr) / vv
    if t < 0.0:
        t, s = 0.0, min(max(-ur / uu, 0.0), 1.0)
    elif t > 1.0:
        t, s = 1.0, min(max((uv - ur) / uu, 0.0), 1.0)
    dx, dy, dz = rx + s * ux - t * vx, ry + s * uy - t * vy, rz + s * uz - t * vz
    return np.sqrt(dx * dx + dy * dy + dz * dz)


@njit(cache=True)
def nearest_trunks(present, position, start, end, radius, parts):  # type: ignore[no-untyped-def]
    """Return the smallest distance of two middles and the smallest gap of two people's parts, infinite for one person."""
    near, gap = np.inf, np.inf
    for i in range(position.shape[0]):
        for j in range(i + 1, position.shape[0]):
            if not (present[i] and present[j]):
                continue
            dx, dy = position[i, 0] - position[j, 0], position[i, 1] - position[j, 1]
            apart = np.sqrt(dx * dx + dy * dy)
            near = min(near, apart)
            if apart > _TOUCH_M:
                continue
            for p in parts:
                for q in parts:
                    between = segment_gap(start[i, p], end[i, p], start[j, q], end[j, q])
                    gap = min(gap, between - radius[i, p] - radius[j, q])
    return near, gap


class Watch:
    """Keeps the worst moments of a run.

    Parameters
    ----------
    space : the hall's floor.
    first : everybody at the beginning.
    """

    def __init__(self, space: WalkSpace, first: PeopleState) -> None:
        n = len(first.position_m)
        self._space = space
        self._limb_m = _lengths(first)
        self._last_m: Floats = first.position_m.copy()
        self._was_there = first.present
        self._anchor_m: Floats = np.full((n, 2), np.inf)
        self._still_s: Floats = np.zeros(n)
        self._dwelling = np.zeros(n, np.bool_)
        self._walked_m: Floats = np.zeros(n)
        self.worst = {
            "nearest_m": np.inf, "trunk_gap_m": np.inf, "middle_clearance_m": np.inf, "trunk_clearance_m": np.inf,
            "limb_error_m": 0.0, "lowest_m": np.inf, "highest_ankle_m": 0.0, "stuck_s": 0.0, "machine_gap_m": np.inf,
            "fastest_mps": 0.0,
        }  # fmt: skip

    def look(self, people: PeopleState, machines: Occupancy) -> None:
        """Take in a moment, 0.1 s after the last one."""
        seconds = _LOOK_US * 1e-6
        low, high, position = self._lowest, self._highest, people.position_m
        near, gap = nearest_trunks(people.present, position, people.capsule_a, people.capsule_b, people.capsule_radius_m, _TRUNK)
        low("nearest_m", near)
        low("trunk_gap_m", gap)
        space = self._space
        boxes = space.size_m, space.box_center_m, space.box_half_m, space.box_yaw_rad
        low("middle_clearance_m", nearest_wall(people.present, position[:, None], np.zeros((len(position), 1)), *boxes))
        radius = people.capsule_radius_m[:, _TRUNK[1:]]
        for ends in (people.capsule_a, people.capsule_b):
            low("trunk_clearance_m", nearest_wall(people.present, ends[:, _TRUNK[1:], :2], radius, *boxes))
        high("limb_error_m", np.abs(_lengths(people) - self._limb_m).max())
        low("lowest_m", (np.minimum(people.capsule_a, people.capsule_b)[..., 2] - people.capsule_radius_m).min())
        high("highest_ankle_m", people.capsule_b[:, _SHANKS, 2].min(axis=1).max())
        if len(machines.radius_m):
            apart = np.hypot(*(position[:, None] - machines.position_m[None]).transpose(2, 0, 1)) - machines.radius_m
            low("machine_gap_m", apart.min())
        # Who has just come in, or is not there, has not moved.
        step = np.where(people.present & self._was_there, np.hypot(*(position - self._last_m).T), 0.0)
        high("fastest_mps", step.max() / seconds)
        self._walked_m += step
        self._last_m, self._was_there = position, people.present
        self._stuck(people, seconds)

    def _stuck(self, people: PeopleState, seconds: float) -> None:
        # A gesture hides whether somebody is on the way, so that the last answer stands meanwhile.
        activity = people.activity
        told = ~np.isin(activity, [ACTIVITIES.index(a) for a in ("reach", "wave", "kneel")])
        self._dwelling = np.where(told, np.isin(activity, [ACTIVITIES.index(a) for a in ("work", "break")]), self._dwelling)
        there = ~people.present | (np.hypot(*(people.goal_m - people.position_m).T) < _THERE_M)
        free = self._dwelling | there | (np.hypot(*(people.position_m - self._anchor_m).T) > 1.0)
        self._anchor_m[free] = people.position_m[free]
        self._still_s = np.where(free, 0.0, self._still_s + seconds)
        self._highest("stuck_s", self._still_s.max())

    def walked_km(self) -> float:
        """Mean way of a person so far [km]."""
        return float(self._walked_m.mean()) / 1000.0

    def _lowest(self, name: str, value: float) -> None:
        self.worst[name] = min(self.worst[name], float(value))

    def _highest(self, name: str, value: float) -> None:
        self.worst[name] = max(self.worst[name], float(value))


def _lengths(people: PeopleState) -> Floats:
    length: Floats = np.linalg.norm(people.capsule_b[:, _LIMBS] - people.capsule_a[:, _LIMBS], axis=2)
    return length


@njit(cache=True)
def nearest_wall(present, xy, radius, size, box_c, box_h, box_yaw):  # type: ignore[no-untyped-def]
    """Return how far the discs (n, k) at (n, k, 2) of those present are from boxes and walls, negative inside [m]."""
    least = np.inf
    for i in range(xy.shape[0]):
        if not present[i]:
            continue
        for k in range(xy.shape[1]):
            x, y = xy[i, k, 0], xy[i, k, 1]
            clear = min(min(x, size[0] - x), min(y, size[1] - y))
            for b in range(box_c.shape[0]):
                dx, dy, c, s = x - box_c[b, 0], y - box_c[b, 1], np.cos(box_yaw[b]), np.sin(box_yaw[b])
                u, v = abs(dx * c + dy * s) - box_h[b, 0], abs(-dx * s + dy * c) - box_h[b, 1]
                outside = np.sqrt(max(u, 0.0) ** 2 + max(v, 0.0) ** 2)
                clear = min(clear, outside + min(max(u, v), 0.0))
            least = min(least, clear - radius[i, k])
    return least


def blind_machines(time_us: int) -> Occupancy:
    """AGVs of 0.72 m radius at 1.2 m/s that go up and down the assembly hall's aisles and long walls, and stop for nobody."""
    y = np.array([10.25, 14.75, 19.25, 23.75, 28.25, 4.0, 36.0])
    low = np.array([31.0, 31.0, 31.0, 31.0, 31.0, 5.0, 5.0])
    length = 57.0 - low
    along = (1.2 * time_us * 1e-6 + 9.0 * np.arange(7)) % (2 * length)
    out = along < length
    x = np.where(out, low + along, 57.0 - (along - length))
    return Occupancy(np.stack([x, y], axis=1), np.stack([np.where(out, 1.2, -1.2), np.zeros(7)], axis=1), np.full(7, 0.72))


def soak(hours: float, people: int, machines: bool, seed: int, tick_us: int = 20_000, **changes: object) -> Soak:
    """Walk the assembly hall for some hours.

    Parameters
    ----------
    hours, people, seed : how long, how many and which draws.
    machines : whether blind AGVs go up and down meanwhile.
    tick_us : length of a tick [us]; a divisor of 100 ms.
    changes : other values of the people section.
    """
    scenario = load_scenario("assembly-hall").scenario
    config = PeopleConfig.model_validate({**scenario.people.model_dump(), "count": people, **changes})
    space = walk_space(scenario.hall)
    crowd = Crowd(config, space, np.random.default_rng((8, seed)))
    watch, nobody = Watch(space, crowd.state()), Occupancy.empty()
    for now in range(tick_us, round(hours * 3600e6) + 1, tick_us):
        occupancy = blind_machines(now) if machines else nobody
        crowd.step(now, tick_us, occupancy)
        if now % _LOOK_US == 0:
            watch.look(crowd.state(), occupancy)
    return Soak("assembly-hall", people, hours, seed, machines, **watch.worst, walked_km=watch.walked_km())


def kept() -> tuple[Soak, ...]:
    """Return the shifts that were walked last, as kept beside this file."""
    rows: list[dict[str, Any]] = json.loads(SOAK_FILE.read_text(encoding="utf-8"))["shifts"]
    whole: list[dict[str, Any]] = [{k: np.inf if v is None else v for k, v in row.items()} for row in rows]
    return tuple(Soak(**row) for row in whole)


def main() -> None:
    """Walk the shifts of the validation table and keep what was seen."""
    rows = []
    for hours, people, machines, seed in _SHIFTS:
        shift = asdict(soak(hours, people, machines, seed))
        rows.append({k: None if v == np.inf else round(v, 15) if isinstance(v, float) else v for k, v in shift.items()})
    SOAK_FILE.write_text(json.dumps({"shifts": rows}, indent=1, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
