"""People at work: who they are, where they go next, how long they stay, when they wave, reach and rest."""

from __future__ import annotations

import numpy as np

from humans import crowd_kernels as kernel
from humans.animation import Animation, VelocityTracker
from humans.body import PARTS, TRUNK_OFFSET, TRUNK_RADIUS, TRUNK_TOP, capsule_radius_m, draw_statures
from humans.config import PeopleConfig, RoleConfig
from humans.due import ARRIVED_M
from humans.floor import Floor, box_distance_m, box_that_holds
from humans.gestures import (
    GESTURE_KNEEL,
    GESTURE_REACH,
    GESTURE_WAVE,
    NO_GESTURE,
    REACH_LEAN,
    WORK_LEAN,
    GestureRates,
)
from humans.kneeling import KNEE_AHEAD, KNEEL_LEAN_RAD
from humans.loads import Loads
from humans.panels import GAP_M, REACHES
from humans.person_twin import PersonEstimates, PersonTwin
from humans.pseudonyms import Pseudonyms
from humans.stations import Stations
from humans.tasks import draw_duration_s
from humans.types import BoolArray, FloatArray, IntArray, Occupancy, PeopleState, WalkSpace
from humans.walking import CORE_M
from humans.wander import Wander, pace_of_walk

_SETTLE_US, _SETTLE_M = 5_000_000, 1.2
_STUCK_US = 12_000_000
_PROGRESS_M = 0.3
_NEVER = np.iinfo(np.int64).max


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
        n = self.n
        self._stations = Stations(config, space, self._floor, rng)
        self._role = self._roles()
        roles = [config.roles[r] for r in self._role]
        mean = np.array([r.speed_mean_mps for r in roles])
        sd = np.array([r.speed_sd_mps for r in roles])
        self._plane: FloatArray = np.zeros((4, n, 2))
        self._real: FloatArray = np.zeros((10, n))
        self._whole: IntArray = np.zeros((7, n), dtype=np.int64)
        self._flag = np.zeros((4, n), np.bool_)
        self._position, self._velocity, self._target = (self._plane[k] for k in (kernel.POSITION, kernel.VELOCITY, kernel.TARGET))
        self._heading, self._pace, self._facing, self._stature = (
            self._real[k] for k in (kernel.HEADING, kernel.PACE, kernel.FACING, kernel.STATURE)
        )
        self._leave_us, self._wave_us, self._reach_us = (
            self._whole[k] for k in (kernel.LEAVE_US, kernel.WAVE_US, kernel.REACH_US)
        )
        self._walking, self._on_break, self._present = (self._flag[k] for k in (kernel.WALKING, kernel.ON_BREAK, kernel.PRESENT))
        self._own_mps: FloatArray = np.clip(rng.normal(mean, sd), 0.5 * mean, 1.6 * mean) if n else np.zeros(0)
        self._real[kernel.SPEED] = self._own_mps
        self._wander = Wander(n, rng)
        self._stature[:] = draw_statures(config.stature_p5_m, config.stature_p95_m, n, rng)
        self._radius = capsule_radius_m(self._stature)
        self.holders = self._panel_holders(roles)
        self._animation = self._bodies(rng.random(n))
        self._tracker = VelocityTracker(n, self._plane[kernel.TRACKED])
        self._names = Pseudonyms(n, config.pseudonym_rotation_s, rng)
        self._walking[:] = True
        self._present[:] = self._at_the_beginning()
        self._leave_us[:] = _NEVER
        self._progress_us = np.zeros(n, dtype=np.int64)
        self._to_go_m: FloatArray = np.full(n, np.inf)
        self._blocked = np.zeros(n, dtype=np.int64)
        self._lifts = np.zeros(n, np.bool_)
        for i in range(n):
            self._set_out(i, 0)
        self._position[:] = self._first_positions()
        self._heading[:] = rng.uniform(-np.pi, np.pi, n)
        every_us = config.breaks.every_min * 60e6
        self._break_us = (rng.random(n) * every_us).astype(np.int64) + round(0.2 * every_us)
        self._wave_us[:] = [self._next(self._per_min(i, GESTURE_WAVE), 0) for i in range(n)]
        self._reach_us[:] = [self._next(self._per_min(i, GESTURE_REACH), 0) for i in range(n)]
        self._watch_us = 0
        self._time_us = 0
        self._always: IntArray = np.zeros(n, dtype=np.int64)
        floor, stations = self._floor, self._stations
        self._boxes = (space.size_m, space.box_center_m, space.box_half_m, space.box_yaw_rad)
        self._ways = (
            stations.goal, stations.ahead, floor.wide, floor.fine_m, floor.centre_m, floor.step_m, floor.nx, floor.ny,
        )  # fmt: skip
        self._tracked = (self._always, self._tracker.sample_us, self._tracker.sample_m, self._tracker.clock)
        self._rested_mps = self._own_mps.copy()
        self._twin: PersonTwin | None = None
        if config.person_twin.enabled:
            self._twin = PersonTwin(config.person_twin, self.role_names, self._role, rng)

    @property
    def n(self) -> int:
        """Number of people."""
        return self._config.count

    @property
    def role_names(self) -> tuple[str, ...]:
        """Names behind ``PeopleState.role``."""
        return tuple(r.name for r in self._config.roles)

    # ------------------------------------------------------------------ beginning
    def _roles(self) -> IntArray:
        """Role of everybody, (n,)."""
        return share_out(self._config.roles, self.n)

    def _at_the_beginning(self) -> BoolArray:
        """Who is in the hall at the first instant, (n,)."""
        return np.ones(self.n, np.bool_)

    def _bodies(self, phase: FloatArray) -> Animation:
        """Give bodies that stand, as views of the crowd's tables; ``phase`` (n,) of the gait cycle."""
        real, whole = self._real, self._whole
        real[kernel.PHASE] = phase
        real[kernel.CARRY, self.holders] = 1.0
        whole[kernel.GESTURE], whole[kernel.HAND] = NO_GESTURE, 1
        return Animation(
            stature_m=real[kernel.STATURE],
            phase=real[kernel.PHASE],
            scale=real[kernel.SCALE],
            work=real[kernel.WORK],
            work_target=real[kernel.WORK_TARGET],
            carry=real[kernel.CARRY],
            gesture=whole[kernel.GESTURE],
            gesture_start_us=whole[kernel.START_US],
            gesture_end_us=whole[kernel.END_US],
            timing=np.ones((self.n, 4)),
            hand=whole[kernel.HAND],
            loads=Loads(self.n),
            sway=1.0,
        )

    def _panel_holders(self, roles: list[RoleConfig]) -> IntArray:
        order = sorted(range(len(roles)), key=lambda i: (not roles[i].carries_panel, i))
        return np.array(sorted(order[: self._config.panel_count]), dtype=np.int64)

    def _first_positions(self) -> FloatArray:
        """Given starts first; the others stand spread around the places they are bound for."""
        config, floor, space = self._config, self._floor, self._space
        position: FloatArray = self._target.copy()
        reachable = np.isfinite(self._stations.distance_m[0])
        for i, start in enumerate(config.start[: self.n]):
            who = f"start[{i}]: person {i + 1} at {list(start)} m"
            if not (0 <= start[0] <= space.size_m[0] and 0 <= start[1] <= space.size_m[1]):
                raise ValueError(f"{who} is outside the hall of {space.size_m.tolist()} m")
            box = box_that_holds(space, start)
            if box is not None:
                raise ValueError(f"{who} is inside {box!r}; move the start out of the box")
            if not reachable[floor.nearest_free(np.array([start]))[0]]:
                raise ValueError(f"{who} cannot reach any station; boxes close that place off")
            position[i] = start
        cells = np.flatnonzero(floor.free & reachable)
        taken = position[: len(config.start)]
        for i in np.flatnonzero(self._present)[len(config.start) :]:
            near = cells[np.argsort(np.hypot(*(floor.centre_m[cells] - position[i]).T), kind="stable")[: 4 * self.n + 8]]
            apart = np.array([len(taken) == 0 or np.hypot(*(taken - floor.centre_m[c]).T).min() > CORE_M for c in near])
            position[i] = floor.centre_m[near[int(apart.argmax())]]
            taken = np.concatenate([taken, position[i : i + 1]])
        return position

    def _next(self, per_min: float, now_us: int) -> int:
        return now_us + 1 + round(self._rng.exponential(60e6 / per_min)) if per_min > 0 else _NEVER

    # ------------------------------------------------------------------ time
    def step(self, time_us: int, dt_us: int, occupancy: Occupancy) -> None:
        """Move everybody to ``time_us``, which is ``dt_us`` after the last step."""
        self._time_us = time_us
        if not self.n:
            return
        self._wander.advance(time_us)
        check = time_us - self._watch_us < 1_000_000
        if not check:
            if kernel.decisions_due(time_us, self._plane, self._real, self._whole, self._flag):
                self._decide(time_us)
            self._look_for_stuck(time_us)
        if self._step(time_us, dt_us, check, occupancy):
            self._decide(time_us)
            self._step(time_us, dt_us, False, occupancy)

    def _step(self, time_us: int, dt_us: int, check: bool, occupancy: Occupancy) -> bool:
        due: bool = kernel.step_crowd(
            time_us, dt_us * 1e-6, check, self._plane, self._real, self._whole, self._flag, self._wander.now, *self._ways,
            occupancy.position_m, occupancy.velocity_mps, occupancy.radius_m, *self._boxes, *self._tracked,
        )  # fmt: skip
        return due

    def _decide(self, now: int) -> None:
        """Let those arrive, depart or gesture whose time has come."""
        near = ((self._target - self._position) ** 2).sum(axis=1) < ARRIVED_M**2
        for i in np.flatnonzero(self._walking & near):
            self._arrive(int(i), now)
        for i in np.flatnonzero(~self._walking & (self._leave_us <= now)):
            if self._lifts[i]:
                self._walk_to_claimed(int(i), now)
            else:
                self._depart(int(i), now)
        for i in np.flatnonzero(self._wave_us <= now):
            self._gesture(int(i), GESTURE_WAVE, now)
        for i in np.flatnonzero(self._reach_us <= now):
            self._gesture(int(i), GESTURE_REACH, now)

    def _arrive(self, i: int, now: int) -> None:
        self._walking[i] = False
        self._blocked[i] = 0
        free_us = self._animation.loads.put_down(i, now)
        if self._on_break[i]:
            self._leave_us[i] = now + round(self._config.breaks.for_min * 60e6)
            return
        self._leave_us[i] = max(free_us, now + round(1e6 * self._dwell_s(i)))

    def _dwell_s(self, i: int) -> float:
        """Draw how long somebody stays who has just come to a station [s]; who is tired takes longer."""
        role = self._config.roles[self._role[i]]
        drawn = draw_duration_s(role.dwell_mean_s, max(role.dwell_cv, 1e-3), "gamma", self._rng)
        return float(drawn / self._work_rate(i))

    def _work_rate(self, i: int) -> float:
        return 1.0 if self._twin is None else float(self._twin.work_rate[i])

    def _per_min(self, i: int, kind: int) -> float:
        """How often somebody waves, or reaches or kneels while at work, per minute when rested."""
        role = self._config.roles[int(self._role[i])]
        return role.wave_per_min if kind == GESTURE_WAVE else role.reach_per_min + role.kneel_per_min

    def _kneel_share(self, i: int) -> float:
        """Share of the movements at work that go down on a knee."""
        role = self._config.roles[int(self._role[i])]
        return role.kneel_per_min / max(role.reach_per_min + role.kneel_per_min, 1e-9)

    def _depart(self, i: int, now: int) -> None:
        resting = bool(now >= self._break_us[i]) and self._stations.has_rest and not self._on_break[i]
        if resting:
            self._break_us[i] = now + round(self._config.breaks.every_min * 60e6)
        self._on_break[i] = resting
        self._set_out(i, now)

    def _set_out(self, i: int, now: int) -> None:
        """Send somebody to another station; who was blocked twice on the way goes anywhere."""
        self._stations.claim(i, int(self._role[i]), bool(self._on_break[i]), self._rng, anywhere=bool(self._blocked[i] >= 2))
        self._walk_to_claimed(i, now)

    def _walk_to_claimed(self, i: int, now: int) -> None:
        """Send somebody to the place that they have claimed, with a box lifted first where one is to be taken along."""
        loads = self._animation.loads
        size_m = None if self._walking[i] or self._lifts[i] or loads.carries(i, now) else self._takes_along(i)
        self._lifts[i] = size_m is not None
        if size_m is not None:
            self._leave_us[i] = loads.pick_up(i, size_m, max(now, int(self._animation.gesture_end_us[i])))
            self._target[i] = self._position[i]
            return
        self._target[i], self._facing[i] = self._stations.spot(i)
        self._walking[i] = True
        self._real[kernel.SPEED, i] = self._own_mps[i] * pace_of_walk(self._rng)
        self._leave_us[i] = _NEVER
        self._progress_us[i], self._to_go_m[i] = now, np.inf

    def _takes_along(self, i: int) -> tuple[float, float, float] | None:
        """Size of the box that somebody takes along to the next place [m], None for empty hands."""
        role = self._config.roles[int(self._role[i])]
        if not role.carry_share or self._on_break[i] or i in self.holders or self._rng.random() >= role.carry_share:
            return None
        return role.load_size_m

    def _nobody_ahead(self, i: int) -> bool:
        """Whether somebody can lean forwards and reach out without reaching through another person."""
        there = self._position - self._position[i]
        c, s = np.cos(self._heading[i]), np.sin(self._heading[i])
        along, across = there[:, 0] * c + there[:, 1] * s, there[:, 1] * c - there[:, 0] * s
        return not bool(((along > 0.05) & (along < 0.85) & (np.abs(across) < 0.5) & self._present).any())

    def _stances(self, i: int) -> list[tuple[FloatArray, FloatArray]]:
        """Return where somebody stands, and the way that they face (2,), now and once they have come to rest at their place."""
        places, yaws = (self._position[i], self._target[i]), (self._heading[i], self._facing[i])
        return [(place, np.array([np.cos(yaw), np.sin(yaw)])) for place in places for yaw in yaws]

    def _can_lean(self, i: int, lean_rad: float) -> bool:
        """Whether the trunk of somebody who leans forwards stays out of boxes and walls."""
        stature = self._stature[i]
        radius, reach_m = TRUNK_RADIUS * stature, TRUNK_TOP * stature * np.sin(WORK_LEAN + lean_rad)
        for place, ahead in self._stances(i):
            left = TRUNK_OFFSET * stature * np.array([-ahead[1], ahead[0]])
            sides = place + reach_m * ahead + np.stack([left, -left])
            if not ((sides >= radius) & (sides <= self._space.size_m - radius)).all():
                return False
            if len(self._space.box_name) and box_distance_m(self._space, sides).min() < radius:
                return False
        return True

    def _can_kneel(self, i: int) -> bool:
        """Whether there is room for a knee before somebody."""
        for place, ahead in self._stances(i):
            at = place + KNEE_AHEAD * self._stature[i] * ahead
            inside = bool((at > 0.1).all() and (at < self._space.size_m - 0.1).all())
            if not inside or box_that_holds(self._space, (float(at[0]), float(at[1])), 0.1) is not None:
                return False
        return self._can_lean(i, KNEEL_LEAN_RAD)

    def _gesture(self, i: int, kind: int, now: int) -> None:
        at_work = not self._walking[i] and not self._on_break[i] and i not in self.holders
        hands_full = self._animation.loads.carries(i, now)
        at_work = at_work and self._nobody_ahead(i) and (kind == GESTURE_WAVE or self._can_lean(i, REACH_LEAN))
        if self._animation.gesture[i] == NO_GESTURE and (kind == GESTURE_WAVE or at_work) and not hands_full:
            share = self._kneel_share(i) if kind == GESTURE_REACH else 0.0
            kneels = share > 0 and self._rng.random() < share and self._can_kneel(i)
            # A holder waves with one hand and neither reaches nor kneels.
            self._animation.begin(i, GESTURE_KNEEL if kneels else kind, now, self._rng)
            if kneels:  # nobody walks away on a knee
                self._leave_us[i] = max(self._leave_us[i], self._animation.gesture_end_us[i])
        upcoming = self._next(self._per_min(i, kind) * self._work_rate(i), now)
        (self._wave_us if kind == GESTURE_WAVE else self._reach_us)[i] = upcoming

    # ------------------------------------------------------------------ the person twin
    def _tire(self, dt_s: float) -> None:
        """Let the person twin take in what was done for ``dt_s``; it sets the pace of the walks to come."""
        if self._twin is None:
            return
        at_station = ~self._walking & ~self._on_break
        self._twin.advance(dt_s, np.where(at_station, self._effort(), 0.0), ~self._on_break, self._present)
        self._own_mps[:] = self._rested_mps * self._twin.pace

    def _effort(self) -> FloatArray:
        """Load on everybody's muscles while at work, (n,) shares of the greatest voluntary force."""
        return self._twin.role_effort if self._twin is not None else np.zeros(self.n)

    def _task_names(self) -> tuple[str, ...]:
        return ("",) * self.n

    def _lifting_index(self) -> FloatArray:
        return np.zeros(self.n)

    def person_estimates(self) -> PersonEstimates | None:
        """Return workload and fatigue of those who are in the hall, None without a person twin; for the safety role alone."""
        if self._twin is None:
            return None
        names = self._names.at(self._time_us)
        return self._twin.estimates(self._time_us, names, self._present, self._task_names(), self._lifting_index())

    def _look_for_stuck(self, now: int) -> None:
        """Let who has come no nearer for a while settle there if the goal is close, else go somewhere else first."""
        self._tire((now - self._watch_us) * 1e-6)
        self._watch_us = now
        straight = np.hypot(*(self._target - self._position).T)
        to_go = np.maximum(self._stations.distance_m[self._stations.goal, self._floor.cell(self._position)], straight)
        to_go = np.where(np.isfinite(to_go), to_go, straight)
        nearer = to_go < self._to_go_m - _PROGRESS_M
        self._progress_us[nearer] = now
        self._to_go_m[nearer] = to_go[nearer]
        idle = np.where(self._walking, now - self._progress_us, 0)
        for i in np.flatnonzero((idle >= _SETTLE_US) & (straight < _SETTLE_M)):
            self._target[i] = self._position[i]
            self._arrive(int(i), now)
        for i in np.flatnonzero(self._walking & (idle >= _STUCK_US)):
            self._blocked[i] += 1
            self._set_out(int(i), now)

    def gesture_rates(self) -> GestureRates:
        """Return how often everybody begins a gesture at the present task; it tells nothing of when the next one is due."""
        n, here = self.n, self._present
        waves, hands, kneels, lifts = self._task_rates()
        free = ~np.array([self._animation.loads.carries(i, self._time_us) for i in range(n)], dtype=np.bool_)
        holds = np.zeros(n, np.bool_)
        holds[self.holders] = True
        at_work = here & ~self._walking & ~self._on_break & ~holds & free
        rate = np.ones(n) if self._twin is None else self._twin.work_rate
        waves, hands = np.where(here & free, waves, 0.0), np.where(at_work, hands, 0.0)
        per_min = np.stack([waves, hands * (1.0 - kneels), hands * kneels], axis=1)
        return GestureRates(per_min * rate[:, None] / 60.0, np.where(at_work, lifts * rate, 0.0))

    def _task_rates(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Everybody's waves, and reaches with kneeling, per minute; the share that kneels; and lifts per second, (n,) each."""
        roles = self._config.roles
        lift = np.array([r.carry_share / r.dwell_mean_s for r in roles])[self._role]
        who = range(self.n)
        rates = [(self._per_min(i, GESTURE_WAVE), self._per_min(i, GESTURE_REACH), self._kneel_share(i)) for i in who]
        waves, hands, kneels = np.array(rates, dtype=np.float64).reshape(-1, 3).T
        return waves, hands, kneels, lift

    def state(self) -> PeopleState:
        """Return everybody at the time of the last step; later steps leave the arrays alone."""
        n, plane = self.n, self._plane.copy()
        capsule, panel, activity = np.empty((2, n, PARTS, 3)), np.empty((len(self.holders), 3)), np.empty(n, np.int64)
        animation, loads = self._animation, self._animation.loads
        kernel.report_crowd(
            self._time_us, animation.sway, plane, self._real, self._whole, self._flag, animation.timing, loads.half_m,
            loads.since_us, self.holders, *self._boxes, REACHES, GAP_M, capsule, panel, activity, loads.center_m,
        )  # fmt: skip
        position_m, velocity_mps, tracked_mps, goal_m = plane
        capsule_a, capsule_b = capsule
        return PeopleState(
            self._time_us, self._present.copy(), position_m, velocity_mps, tracked_mps, self._heading.copy(), self._stature,
            capsule_a, capsule_b, self._radius, activity, self._role, self._names.at(self._time_us), self.holders, panel, goal_m,
            *loads.seen(self._time_us),
        )  # fmt: skip
