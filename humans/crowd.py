"""People at work: who they are, where they go next, how long they stay, when they wave, reach and rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from humans.animation import Animation, VelocityTracker
from humans.body import capsule_radius_m
from humans.config import PeopleConfig, RoleConfig
from humans.floor import Floor, box_that_holds
from humans.gestures import GESTURE_REACH, GESTURE_WAVE, NO_GESTURE
from humans.panels import hold_clear
from humans.pseudonyms import Pseudonyms
from humans.replay import ReplayCrowd
from humans.types import BREAK, REACH, STAND, WALK, WAVE, WORK, FloatArray, IntArray, Occupancy, PeopleState, WalkSpace
from humans.walking import BODY_MARGIN_M, walk

_ARRIVED_M = 0.25
_STUCK_US = 12_000_000
_STUCK_M = 0.5
_NEVER = np.iinfo(np.int64).max
_ROAM_STATIONS = 12
_P95_Z = 1.6448536269514722


def draw_statures(config: PeopleConfig, n: int, rng: np.random.Generator) -> FloatArray:
    """Body heights (n,) from a normal distribution through the two percentiles, cut at the 1st and 99th [m]."""
    mean = 0.5 * (config.stature_p5_m + config.stature_p95_m)
    sd = (config.stature_p95_m - config.stature_p5_m) / (2.0 * _P95_Z)
    return np.asarray(np.clip(rng.normal(mean, sd, n), mean - 2.326 * sd, mean + 2.326 * sd), dtype=np.float64)


def share_out(roles: tuple[RoleConfig, ...], n: int) -> IntArray:
    """Role of each of n people: shares rounded by largest remainder, people of a role in a row."""
    exact = np.array([r.share for r in roles]) * n
    count = np.floor(exact).astype(np.int64)
    for k in np.argsort(-(exact - count), kind="stable")[: n - int(count.sum())]:
        count[k] += 1
    return np.repeat(np.arange(len(roles)), count)


class Crowd:
    """Simulated people.

    Parameters
    ----------
    config : the people section.
    space : the floor.
    rng : generator of everything that is drawn.

    Raises
    ------
    ValueError
        If a station or a start stands in a box or outside the hall, or cannot be reached.
    """

    def __init__(self, config: PeopleConfig, space: WalkSpace, rng: np.random.Generator) -> None:
        self._config, self._space, self._rng = config, space, rng
        self._floor = Floor(space)
        self._make_stations()
        n = self.n
        self._role = share_out(config.roles, n)
        roles = [config.roles[r] for r in self._role]
        mean = np.array([r.speed_mean_mps for r in roles])
        sd = np.array([r.speed_sd_mps for r in roles])
        self._speed = np.clip(rng.normal(mean, sd), 0.5 * mean, 1.6 * mean) if n else np.zeros(0)
        self._stature = draw_statures(config, n, rng)
        self._radius = capsule_radius_m(self._stature)
        self.holders = self._panel_holders(roles)
        self._animation = Animation.create(self._stature, rng.random(n), self.holders, sway=True)
        self._tracker = VelocityTracker(n)
        self._names = Pseudonyms(n, config.pseudonym_rotation_s, rng)
        self._goal = np.array([self._choose(i) for i in range(n)], dtype=np.int64)
        self._position = self._first_positions()
        self._velocity: FloatArray = np.zeros((n, 2))
        self._heading = rng.uniform(-np.pi, np.pi, n)
        self._walking = np.ones(n, np.bool_)
        self._on_break = np.zeros(n, np.bool_)
        self._slowed = np.zeros(n, np.bool_)
        self._leave_us = np.full(n, _NEVER, dtype=np.int64)
        every_us = config.breaks.every_min * 60e6
        self._break_us = (rng.random(n) * every_us).astype(np.int64) + round(0.2 * every_us)
        self._wave_us = np.array([self._next(r.wave_per_min, 0) for r in roles], dtype=np.int64)
        self._reach_us = np.array([self._next(r.reach_per_min, 0) for r in roles], dtype=np.int64)
        self._watch_us, self._watch_m = 0, self._position.copy()
        self._stuck_us = np.zeros(n, dtype=np.int64)
        self._time_us = 0
        self._always: IntArray = np.zeros(n, dtype=np.int64)

    @property
    def n(self) -> int:
        """Number of people."""
        return self._config.count

    @property
    def role_names(self) -> tuple[str, ...]:
        """Names behind ``PeopleState.role``."""
        return tuple(r.name for r in self._config.roles)

    # ------------------------------------------------------------------ places
    def _make_stations(self) -> None:
        config, space, floor = self._config, self._space, self._floor
        stations = config.stations
        for station in stations:
            x, y = station.position_m
            if not (0 <= x <= space.size_m[0] and 0 <= y <= space.size_m[1]):
                raise ValueError(f"station {station.name!r} at {[x, y]} m is outside the hall of {space.size_m.tolist()} m")
            box = box_that_holds(space, station.position_m, BODY_MARGIN_M)
            if box is not None:
                raise ValueError(
                    f"station {station.name!r} at {[x, y]} m is in {box!r} or nearer to it than {BODY_MARGIN_M} m; move it away"
                )
        if stations:
            self._place = np.array([s.position_m for s in stations], dtype=np.float64)
            self._facing = np.radians([s.facing_deg for s in stations])
            self._kind = [s.kind for s in stations]
        else:
            cells = self._rng.choice(np.flatnonzero(floor.free), _ROAM_STATIONS)
            self._place, self._facing = floor.centre_m[cells], self._rng.uniform(-np.pi, np.pi, _ROAM_STATIONS)
            self._kind = ["desk"] * _ROAM_STATIONS
        goal_cells = floor.nearest_free(self._place)
        distance, self._next_cell = floor.ways_to(goal_cells)
        for k in range(1, len(self._place)):
            if not np.isfinite(distance[0, goal_cells[k]]):
                name = stations[k].name if stations else f"place {k}"
                first = stations[0].name if stations else "place 0"
                raise ValueError(f"station {name!r} at {self._place[k].tolist()} m cannot be reached from {first!r}")
        self._distance = distance

    def _panel_holders(self, roles: list[RoleConfig]) -> IntArray:
        order = sorted(range(len(roles)), key=lambda i: (not roles[i].carries_panel, i))
        return np.array(sorted(order[: self._config.panel_count]), dtype=np.int64)

    def _first_positions(self) -> FloatArray:
        """Given starts first; the others stand spread around the stations they are bound for."""
        config, floor, n = self._config, self._floor, self.n
        position = self._place[self._goal].copy() if n else np.zeros((0, 2))
        cells = np.flatnonzero(floor.free & np.isfinite(self._distance[0]))
        taken: list[int] = []
        for i in range(n):
            if i < len(config.start):
                box = box_that_holds(self._space, config.start[i])
                if box is not None:
                    raise ValueError(f"start[{i}]: person {i + 1} at {list(config.start[i])} m is inside {box!r}")
                position[i] = config.start[i]
                continue
            near = cells[np.argsort(np.hypot(*(floor.centre_m[cells] - position[i]).T), kind="stable")[: n + 8]]
            cell = next(int(c) for c in near if int(c) not in taken)
            taken.append(cell)
            position[i] = floor.centre_m[cell]
        return position

    def _choose(self, i: int, resting: bool = False) -> int:
        """Next station of a person: of the role's kinds, not the present one, rather one that nobody else is bound for."""
        kinds = ("break",) if resting else self._config.roles[self._role[i]].stations
        open_to = [k for k in range(len(self._kind)) if self._kind[k] in kinds] or list(range(len(self._kind)))
        goal = getattr(self, "_goal", None)
        if goal is not None and len(open_to) > 1:
            open_to = [k for k in open_to if k != goal[i]]
            empty = [k for k in open_to if not (goal == k).any()]
            open_to = empty or open_to
        return int(open_to[int(self._rng.integers(len(open_to)))])

    def _next(self, per_min: float, now_us: int) -> int:
        return now_us + 1 + round(self._rng.exponential(60e6 / per_min)) if per_min > 0 else _NEVER

    # ------------------------------------------------------------------ time
    def step(self, time_us: int, dt_us: int, occupancy: Occupancy) -> None:
        """Move everybody to ``time_us``, which is ``dt_us`` after the last step."""
        self._time_us = time_us
        if not self.n:
            return
        self._decide(time_us)
        floor, space = self._floor, self._space
        walk(
            dt_us * 1e-6, self._position, self._velocity, self._heading, self._walking, self._speed,
            self._goal, self._place[self._goal], self._facing[self._goal], self._next_cell, floor.centre_m, floor.step_m,
            floor.nx, floor.ny, occupancy.position_m, occupancy.velocity_mps, occupancy.radius_m,
            space.size_m, space.box_center_m, space.box_half_m, space.box_yaw_rad, self._slowed,
        )  # fmt: skip
        speed = np.hypot(self._velocity[:, 0], self._velocity[:, 1])
        self._animation.work_target[:] = ~self._walking & ~self._on_break
        self._animation.advance(dt_us, speed)
        self._tracker.observe(time_us, self._position, self._always)

    def _decide(self, now: int) -> None:
        """What happens now and then: arrivals, departures, gestures, ways that lead nowhere."""
        away = self._place[self._goal] - self._position
        near = away[:, 0] ** 2 + away[:, 1] ** 2 < _ARRIVED_M**2
        for i in np.flatnonzero(self._walking & near):
            self._arrive(int(i), now)
        for i in np.flatnonzero(~self._walking & (self._leave_us <= now)):
            self._depart(int(i), now)
        animation = self._animation
        animation.gesture[animation.gesture_end_us <= now] = NO_GESTURE
        for i in np.flatnonzero(self._wave_us <= now):
            self._gesture(int(i), GESTURE_WAVE, now)
        for i in np.flatnonzero(self._reach_us <= now):
            self._gesture(int(i), GESTURE_REACH, now)
        if now - self._watch_us >= 1_000_000:
            self._look_for_stuck(now)

    def _arrive(self, i: int, now: int) -> None:
        role = self._config.roles[self._role[i]]
        self._walking[i] = False
        if self._on_break[i]:
            self._leave_us[i] = now + round(self._config.breaks.for_min * 60e6)
            return
        # Gamma with the role's mean and coefficient of variation: positive, skewed as dwell times are.
        shape = 1.0 / max(role.dwell_cv, 1e-3) ** 2
        self._leave_us[i] = now + round(1e6 * max(1.0, self._rng.gamma(shape, role.dwell_mean_s / shape)))

    def _depart(self, i: int, now: int) -> None:
        resting = now >= self._break_us[i] and "break" in self._kind and not self._on_break[i]
        if resting:
            self._break_us[i] = now + round(self._config.breaks.every_min * 60e6)
        self._on_break[i] = resting
        self._goal[i] = self._choose(i, resting)
        self._walking[i] = True
        self._leave_us[i] = _NEVER
        self._stuck_us[i] = now

    def _gesture(self, i: int, kind: int, now: int) -> None:
        role = self._config.roles[self._role[i]]
        at_work = not self._walking[i] and not self._on_break[i]
        if self._animation.gesture[i] == NO_GESTURE and (kind == GESTURE_WAVE or at_work) and i not in self.holders:
            self._animation.begin(i, kind, now, self._rng)
        elif kind == GESTURE_WAVE and self._animation.gesture[i] == NO_GESTURE:
            self._animation.begin(i, kind, now, self._rng)  # a holder waves with one hand
        if kind == GESTURE_WAVE:
            self._wave_us[i] = self._next(role.wave_per_min, now)
        else:
            self._reach_us[i] = self._next(role.reach_per_min, now)

    def _look_for_stuck(self, now: int) -> None:
        """Who has not come forward for a while goes somewhere else first."""
        self._watch_us = now
        moved = np.hypot(*(self._position - self._watch_m).T) > _STUCK_M
        self._stuck_us[moved | ~self._walking] = now
        self._watch_m[moved] = self._position[moved]
        for i in np.flatnonzero(self._walking & (now - self._stuck_us >= _STUCK_US)):
            self._goal[i] = self._choose(int(i), bool(self._on_break[i]))
            self._stuck_us[i] = now

    def state(self) -> PeopleState:
        """Return everybody at the time of the last step, in fresh arrays."""
        gesture = self._animation.gesture
        activity = np.where(self._walking, np.where(self._slowed, STAND, WALK), np.where(self._on_break, BREAK, WORK))
        activity = np.where(gesture == GESTURE_WAVE, WAVE, np.where(gesture == GESTURE_REACH, REACH, activity))
        a, b, panel = self._animation.bodies(self._time_us, self._position, self._heading, self.holders)
        return PeopleState(
            time_us=self._time_us,
            present=np.ones(self.n, np.bool_),
            position_m=self._position.copy(),
            velocity_mps=self._velocity.copy(),
            tracked_velocity_mps=self._tracker.velocity_mps.copy(),
            heading_rad=self._heading.copy(),
            stature_m=self._stature,
            capsule_a=a,
            capsule_b=b,
            capsule_radius_m=self._radius,
            activity=activity.astype(np.int64),
            role=self._role,
            pseudonym=self._names.at(self._time_us),
            panel_holder=self.holders,
            panel_position_m=hold_clear(panel, self._position, self.holders, self._space),
            goal_m=self._place[self._goal] if self.n else np.zeros((0, 2)),
        )


def create_crowd(config: PeopleConfig, space: WalkSpace, rng: np.random.Generator, base_dir: Path | None) -> Crowd | ReplayCrowd:
    """Return simulated people, or recorded ones where the configuration names a recording.

    Parameters
    ----------
    config, space, rng : as in :class:`Crowd`.
    base_dir : folder that a relative ``replay`` path starts from, the working folder when absent.
    """
    if config.replay is None:
        return Crowd(config, space, rng)
    return ReplayCrowd(config, space, rng, base_dir)
