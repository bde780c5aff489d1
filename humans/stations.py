"""Where people work and rest: stations, the places to stand around them, and who has claimed which."""

from __future__ import annotations

import math

import numpy as np

from humans.config import PeopleConfig
from humans.floor import Floor, box_distance_m, box_that_holds
from humans.types import FloatArray, IntArray, WalkSpace
from humans.walking import BODY_MARGIN_M

_ROAM_STATIONS = 12
_SPACING_M = 0.8  # between the places of people who share a station
_REACH_M = 4.0  # farthest such place from its station
_EDGE_M = 0.4


class Stations:
    """Stations of a hall. The first person at a station stands on it, the next ones beside it.

    Parameters
    ----------
    config : the people section; without stations, twelve places are drawn on the free floor.
    space, floor : the hall.
    rng : draws those places.

    Attributes
    ----------
    place_m : (g, 2) stations [m]. kind : g kinds. distance_m, ahead : ways to them (see :meth:`humans.floor.Floor.ways_to`).
    slot_m : (g, K, 2) places to stand, the station first [m]; ``slots`` (g,) tells how many of them there are.
    owner : (g, K) who has claimed a place, -1 for nobody.

    Raises
    ------
    ValueError
        If a station stands in a box or outside the hall, or cannot be reached.
    """

    def __init__(self, config: PeopleConfig, space: WalkSpace, floor: Floor, rng: np.random.Generator) -> None:
        self._space, self._floor = space, floor
        if not floor.free.any():
            raise ValueError(f"no free floor for people in a hall of {space.size_m.tolist()} m; take boxes away")
        for station in config.stations:
            x, y = station.position_m
            if not (0 <= x <= space.size_m[0] and 0 <= y <= space.size_m[1]):
                raise ValueError(f"station {station.name!r} at {[x, y]} m is outside the hall of {space.size_m.tolist()} m")
            box = box_that_holds(space, station.position_m, BODY_MARGIN_M)
            if box is not None:
                raise ValueError(
                    f"station {station.name!r} at {[x, y]} m is in {box!r} or nearer to it than {BODY_MARGIN_M} m; move it away"
                )
        if config.stations:
            self.place_m: FloatArray = np.array([s.position_m for s in config.stations], dtype=np.float64)
            self._facing: FloatArray = np.radians([s.facing_deg for s in config.stations])
            self.kind: tuple[str, ...] = tuple(s.kind for s in config.stations)
        else:
            largest = np.bincount(floor.part[floor.free]).argmax()
            cells = rng.choice(np.flatnonzero(floor.free & (floor.part == largest)), _ROAM_STATIONS)
            self.place_m, self._facing = floor.centre_m[cells], rng.uniform(-np.pi, np.pi, _ROAM_STATIONS)
            self.kind = ("desk",) * _ROAM_STATIONS
        cells = floor.nearest_free(self.place_m)
        self.distance_m, self.ahead = floor.ways_to(cells)
        for k in np.flatnonzero(~np.isfinite(self.distance_m[0, cells])):
            name, first = config.stations[k].name, config.stations[0].name
            raise ValueError(f"station {name!r} at {self.place_m[k].tolist()} m cannot be reached from {first!r}")
        self._open_to = [self._of_kinds(role.stations) for role in config.roles]
        self._rest: IntArray = np.flatnonzero(np.array(self.kind) == "break")
        self._make_slots(config.count)
        self.owner: IntArray = np.full(self.slot_m.shape[:2], -1, dtype=np.int64)
        self.goal: IntArray = np.full(config.count, -1, dtype=np.int64)
        self.slot: IntArray = np.zeros(config.count, dtype=np.int64)

    @property
    def has_rest(self) -> bool:
        """Whether there is a station for breaks."""
        return bool(len(self._rest))

    def _of_kinds(self, kinds: tuple[str, ...]) -> IntArray:
        chosen = np.flatnonzero(np.isin(self.kind, kinds))
        return chosen if len(chosen) else np.arange(len(self.kind))

    def _make_slots(self, people: int) -> None:
        """Give every station as many places as may be needed there, nearest first, a stride from every other place."""
        fewest = min([len(k) for k in self._open_to] + ([len(self._rest)] if self.has_rest else []))
        wanted = math.ceil(people / fewest)
        rings = math.ceil(_REACH_M / _SPACING_M)
        i, j = (a.ravel() for a in np.meshgrid(np.arange(-2 * rings, 2 * rings + 1), np.arange(-rings, rings + 1)))
        lattice = _SPACING_M * np.stack([i + 0.5 * j, math.sqrt(0.75) * j], axis=1)
        distance = np.hypot(*lattice.T)
        near = (distance > 0.1) & (distance <= _REACH_M)
        lattice = lattice[near][np.argsort(distance[near], kind="stable")]
        slots = [[place] for place in self.place_m]
        taken = self.place_m.copy()
        left = [self._standable(place, place + lattice) if wanted > 1 else lattice[:0] for place in self.place_m]
        for _ in range(1, wanted):
            for k in range(len(slots)):
                if not len(left[k]):
                    continue
                apart = np.hypot(*(left[k][:, None] - taken[None]).transpose(2, 0, 1)).min(axis=1) > 0.9 * _SPACING_M
                left[k] = left[k][apart]
                if len(left[k]):
                    slots[k].append(left[k][0])
                    taken = np.concatenate([taken, left[k][:1]])
                    left[k] = left[k][1:]
        self.slots: IntArray = np.array([len(s) for s in slots], dtype=np.int64)
        self.slot_m: FloatArray = np.stack([np.concatenate([s, np.tile(s[0], (self.slots.max() - len(s), 1))]) for s in slots])

    def _standable(self, place: FloatArray, points: FloatArray) -> FloatArray:
        free = ((points > _EDGE_M) & (points < self._space.size_m - _EDGE_M)).all(axis=1)
        if len(self._space.box_name):
            free &= box_distance_m(self._space, points).min(axis=1) > _EDGE_M
        return np.array([p for p in points[free] if self._floor.sees(place, p)]).reshape(-1, 2)

    def claim(
        self,
        person: int,
        role: int,
        resting: bool,
        rng: np.random.Generator,
        anywhere: bool = False,
        among: IntArray | None = None,
    ) -> None:
        """Let a person leave the present place for another station: one where nobody is, else where fewest are.

        Parameters
        ----------
        person, role : who, and their role.
        resting : whether a break is due; then the station is one for breaks, if there is any.
        rng : draws among the stations.
        anywhere : whether every station will do, because the way to the usual ones is blocked.
        among : (k,) stations to choose from instead of the role's.
        """
        here = int(self.goal[person])
        open_to = self._rest if resting and self.has_rest else self._open_to[role]
        if among is not None:
            open_to = among
        if anywhere:
            open_to = np.arange(len(self.kind))
        if len(open_to) > 1:
            open_to = open_to[open_to != here]
        bound = (self.owner[open_to] >= 0).sum(axis=1)
        spare = bound < self.slots[open_to]
        if spare.any():
            open_to, bound = open_to[spare], bound[spare]
        open_to = open_to[bound == bound.min()]
        goal = int(open_to[int(rng.integers(len(open_to)))])
        self.release(person)
        free = np.flatnonzero(self.owner[goal, : self.slots[goal]] < 0)
        slot = int(free[0]) if len(free) else int(rng.integers(self.slots[goal]))
        if len(free):
            self.owner[goal, slot] = person
        self.goal[person], self.slot[person] = goal, slot

    def release(self, person: int) -> None:
        """Let go of the place that a person has claimed; the station stays the person's last one."""
        here = int(self.goal[person])
        if here >= 0 and self.owner[here, self.slot[person]] == person:
            self.owner[here, self.slot[person]] = -1

    def facing(self, station: int) -> float:
        """Where one faces at a station [rad]."""
        return float(self._facing[station])

    def spot(self, person: int) -> tuple[FloatArray, float]:
        """Place (2,) [m] that a person has claimed, and where one faces there [rad]; guests beside a break or desk face it."""
        goal, slot = self.goal[person], self.slot[person]
        spot = self.slot_m[goal, slot]
        if slot and self.kind[goal] in ("break", "desk"):
            return spot, math.atan2(*(self.place_m[goal] - spot)[::-1])
        return spot, float(self._facing[goal])
