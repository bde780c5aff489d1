"""People at work: who they are, where they go next, how long they stay, when they wave, reach and rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from humans import crowd_kernels as kernel
from humans.animation import Animation, VelocityTracker
from humans.body import PARTS, capsule_radius_m, draw_statures
from humans.config import PeopleConfig, RoleConfig
from humans.due import ARRIVED_M
from humans.floor import Floor, box_that_holds
from humans.gestures import GESTURE_REACH, GESTURE_WAVE, NO_GESTURE
from humans.panels import GAP_M, REACHES
from humans.pseudonyms import Pseudonyms
from humans.replay import ReplayCrowd
from humans.stations import Stations
from humans.types import FloatArray, IntArray, Occupancy, PeopleState, WalkSpace
from humans.walking import CORE_M

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
        self._role = share_out(config.roles, n)
        roles = [config.roles[r] for r in self._role]
        mean = np.array([r.speed_mean_mps for r in roles])
        sd = np.array([r.speed_sd_mps for r in roles])
        self._plane: FloatArray = np.zeros((4, n, 2))
        self._real: FloatArray = np.zeros((10, n))
        self._whole: IntArray = np.zeros((7, n), dtype=np.int64)
        self._flag = np.zeros((3, n), np.bool_)
        self._position, self._velocity, self._target = (self._plane[k] for k in (kernel.POSITION, kernel.VELOCITY, kernel.TARGET))
        self._heading, self._pace, self._facing, self._stature = (
            self._real[k] for k in (kernel.HEADING, kernel.PACE, kernel.FACING, kernel.STATURE)
        )
        self._leave_us, self._wave_us, self._reach_us = (
            self._whole[k] for k in (kernel.LEAVE_US, kernel.WAVE_US, kernel.REACH_US)
        )
        self._walking, self._on_break = self._flag[kernel.WALKING], self._flag[kernel.ON_BREAK]
        self._real[kernel.SPEED] = np.clip(rng.normal(mean, sd), 0.5 * mean, 1.6 * mean) if n else 0.0
        self._stature[:] = draw_statures(config.stature_p5_m, config.stature_p95_m, n, rng)
        self._radius = capsule_radius_m(self._stature)
        self.holders = self._panel_holders(roles)
        self._animation = self._bodies(rng.random(n))
        self._tracker = VelocityTracker(n, self._plane[kernel.TRACKED])
        self._names = Pseudonyms(n, config.pseudonym_rotation_s, rng)
        self._walking[:] = True
        self._leave_us[:] = _NEVER
        self._progress_us = np.zeros(n, dtype=np.int64)
        self._to_go_m: FloatArray = np.full(n, np.inf)
        self._blocked = np.zeros(n, dtype=np.int64)
        for i in range(n):
            self._set_out(i, 0)
        self._position[:] = self._first_positions()
        self._heading[:] = rng.uniform(-np.pi, np.pi, n)
        every_us = config.breaks.every_min * 60e6
        self._break_us = (rng.random(n) * every_us).astype(np.int64) + round(0.2 * every_us)
        self._wave_us[:] = [self._next(r.wave_per_min, 0) for r in roles]
        self._reach_us[:] = [self._next(r.reach_per_min, 0) for r in roles]
        self._watch_us = 0
        self._time_us = 0
        self._always: IntArray = np.zeros(n, dtype=np.int64)
        self._present = np.ones(n, np.bool_)
        floor, stations = self._floor, self._stations
        self._boxes = (space.size_m, space.box_center_m, space.box_half_m, space.box_yaw_rad)
        self._ways = (
            stations.goal, stations.ahead, floor.wide, floor.fine_m, floor.centre_m, floor.step_m, floor.nx, floor.ny,
        )  # fmt: skip
        self._tracked = (self._always, self._tracker.sample_us, self._tracker.sample_m, self._tracker.clock)

    @property
    def n(self) -> int:
        """Number of people."""
        return self._config.count

    @property
    def role_names(self) -> tuple[str, ...]:
        """Names behind ``PeopleState.role``."""
        return tuple(r.name for r in self._config.roles)

    # ------------------------------------------------------------------ beginning
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
        for i in range(len(config.start), self.n):
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
            time_us, dt_us * 1e-6, check, self._plane, self._real, self._whole, self._flag, *self._ways,
            occupancy.position_m, occupancy.velocity_mps, occupancy.radius_m, *self._boxes, *self._tracked,
        )  # fmt: skip
        return due

    def _decide(self, now: int) -> None:
        """Let those arrive, depart or gesture whose time has come."""
        near = ((self._target - self._position) ** 2).sum(axis=1) < ARRIVED_M**2
        for i in np.flatnonzero(self._walking & near):
            self._arrive(int(i), now)
        for i in np.flatnonzero(~self._walking & (self._leave_us <= now)):
            self._depart(int(i), now)
        for i in np.flatnonzero(self._wave_us <= now):
            self._gesture(int(i), GESTURE_WAVE, now)
        for i in np.flatnonzero(self._reach_us <= now):
            self._gesture(int(i), GESTURE_REACH, now)

    def _arrive(self, i: int, now: int) -> None:
        role = self._config.roles[self._role[i]]
        self._walking[i] = False
        self._blocked[i] = 0
        if self._on_break[i]:
            self._leave_us[i] = now + round(self._config.breaks.for_min * 60e6)
            return
        # Gamma with the role's mean and coefficient of variation: positive, skewed as dwell times are.
        shape = 1.0 / max(role.dwell_cv, 1e-3) ** 2
        self._leave_us[i] = now + round(1e6 * max(1.0, self._rng.gamma(shape, role.dwell_mean_s / shape)))

    def _depart(self, i: int, now: int) -> None:
        resting = bool(now >= self._break_us[i]) and self._stations.has_rest and not self._on_break[i]
        if resting:
            self._break_us[i] = now + round(self._config.breaks.every_min * 60e6)
        self._on_break[i] = resting
        self._set_out(i, now)

    def _set_out(self, i: int, now: int) -> None:
        """Send somebody to another station; who was blocked twice on the way goes anywhere."""
        self._stations.claim(i, int(self._role[i]), bool(self._on_break[i]), self._rng, anywhere=bool(self._blocked[i] >= 2))
        self._target[i], self._facing[i] = self._stations.spot(i)
        self._walking[i] = True
        self._leave_us[i] = _NEVER
        self._progress_us[i], self._to_go_m[i] = now, np.inf

    def _gesture(self, i: int, kind: int, now: int) -> None:
        role = self._config.roles[self._role[i]]
        at_work = not self._walking[i] and not self._on_break[i] and i not in self.holders
        if self._animation.gesture[i] == NO_GESTURE and (kind == GESTURE_WAVE or at_work):
            self._animation.begin(i, kind, now, self._rng)  # a holder waves with one hand and does not reach
        if kind == GESTURE_WAVE:
            self._wave_us[i] = self._next(role.wave_per_min, now)
        else:
            self._reach_us[i] = self._next(role.reach_per_min, now)

    def _look_for_stuck(self, now: int) -> None:
        """Let who has come no nearer for a while settle there if the goal is close, else go somewhere else first."""
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

    def state(self) -> PeopleState:
        """Return everybody at the time of the last step; later steps leave the arrays alone."""
        n, plane = self.n, self._plane.copy()
        capsule, panel, activity = np.empty((2, n, PARTS, 3)), np.empty((len(self.holders), 3)), np.empty(n, np.int64)
        animation = self._animation
        kernel.report_crowd(
            self._time_us, animation.sway, plane, self._real, self._whole, self._flag, animation.timing, self.holders,
            *self._boxes, REACHES, GAP_M, capsule, panel, activity,
        )  # fmt: skip
        position_m, velocity_mps, tracked_mps, goal_m = plane
        capsule_a, capsule_b = capsule
        return PeopleState(
            self._time_us, self._present, position_m, velocity_mps, tracked_mps, self._heading.copy(), self._stature,
            capsule_a, capsule_b, self._radius, activity, self._role, self._names.at(self._time_us), self.holders, panel, goal_m,
        )  # fmt: skip


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
