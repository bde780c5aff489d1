"""People on shifts: they come in through a gate, work, rest and hand over as their plan says, and leave."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from humans import crowd_kernels as kernel
from humans.config import PeopleConfig, RoleConfig
from humans.crowd import Crowd
from humans.gestures import GESTURE_KNEEL, GESTURE_REACH, GESTURE_WAVE, NO_GESTURE
from humans.lifting import lifting_index
from humans.shift_plan import FREE, HANDOVER, PAUSE, TASK, plan_shift
from humans.tasks import TaskConfig, draw_duration_s
from humans.types import BREAK, STAND, BoolArray, FloatArray, IntArray, Occupancy, PeopleState, WalkSpace
from humans.walking import CORE_M

_NEVER = np.iinfo(np.int64).max
_RETRY_US = 500_000  # whoever finds the gate taken waits so long outside
_DETOUR_US = 3_000_000
_ROOM_M = CORE_M + 0.1
_MACHINE_ROOM_M = 0.6
_NO_TASK = -1


class ShiftCrowd(Crowd):
    """Simulated people with a shift plan; n is everybody who comes at any time of the run.

    Parameters
    ----------
    config : the people section, with a shift.
    space : the floor.
    rng : generator of everything that is drawn.
    base_dir : folder that relative paths of plans and calendars start from, the working folder when absent.

    Attributes
    ----------
    plan : everybody's spans.

    Raises
    ------
    ValueError
        As :class:`humans.crowd.Crowd`, and for a plan or calendar that cannot be used.
    """

    def __init__(self, config: PeopleConfig, space: WalkSpace, rng: np.random.Generator, base_dir: Path | None) -> None:
        self.plan = plan = plan_shift(config, rng, base_dir)
        n = len(plan.role)
        shift = config.shift
        self._tasks: tuple[TaskConfig, ...] = () if shift is None else shift.tasks
        self._lift_index: FloatArray = np.array([*(lifting_index(t.lift) if t.lift else 0.0 for t in self._tasks), 0.0])
        self._task_effort: FloatArray = np.array([*(t.effort for t in self._tasks), 0.0])
        names, kinds = [s.name for s in config.stations], np.array([s.kind for s in config.stations])
        self._places: list[IntArray] = [
            np.array([names.index(s) for s in t.stations], dtype=np.int64)
            if t.stations
            else np.flatnonzero(np.isin(kinds, t.station_kinds))
            for t in self._tasks
        ]
        self._gates: IntArray = np.flatnonzero(kinds == "gate")
        self._rests = bool((kinds == "break").any())
        self._span: IntArray = np.full(n, -1, dtype=np.int64)
        self._upcoming: IntArray = plan.first[:-1].copy()
        self._turn_us: IntArray = np.full(n, _NEVER, dtype=np.int64)
        self._task: IntArray = np.full(n, _NO_TASK, dtype=np.int64)
        self._done: IntArray = np.arange(n)  # so that people in turn begin at different stations
        self._leaving: BoolArray = np.zeros(n, np.bool_)
        self._at_ease: BoolArray = np.zeros(n, np.bool_)
        self._astray: BoolArray = np.zeros(n, np.bool_)
        for i in range(n):
            self._next_span(i, 0)
        self._next_turn_us = int(self._turn_us.min(initial=_NEVER))
        self._occupancy = Occupancy.empty()
        super().__init__(config.model_copy(update={"count": n}), space, rng)
        away = np.flatnonzero(~self._present)
        self._wave_us[away], self._reach_us[away] = _NEVER, _NEVER
        self._walking[away], self._on_break[away] = False, True
        self._position[away] = self._stations.place_m[[self._my_gates(int(i))[0] for i in away]]
        self._target[away] = self._position[away]

    # ------------------------------------------------------------------ beginning
    def _roles(self) -> IntArray:
        return self.plan.role

    def _at_the_beginning(self) -> BoolArray:
        return np.asarray(self._span >= 0)

    def _panel_holders(self, roles: list[RoleConfig]) -> IntArray:
        """Panels go to people who are there, and of these to roles that carry them."""
        order = sorted(range(self.n), key=lambda i: (self._span[i] < 0, not roles[i].carries_panel, i))
        return np.array(sorted(order[: self._config.panel_count]), dtype=np.int64)

    def _next_span(self, i: int, now: int) -> None:
        """Find what somebody does at ``now``, and when that changes."""
        plan, k = self.plan, int(self._upcoming[i])
        last = int(plan.first[i + 1])
        while k < last and plan.end_us[k] <= now:
            k += 1
        # Who is there at the first instant has come in before it.
        here = k < last and (plan.start_us[k] < now or (plan.start_us[k] == now and now > 0))
        self._span[i] = k if here else -1
        self._upcoming[i] = k + 1 if here else k
        self._turn_us[i] = plan.end_us[k] if here else plan.start_us[k] if k < last else _NEVER

    # ------------------------------------------------------------------ time
    def step(self, time_us: int, dt_us: int, occupancy: Occupancy) -> None:
        """Move everybody to ``time_us``, which is ``dt_us`` after the last step."""
        if time_us >= self._next_turn_us:
            self._occupancy = occupancy
            for i in np.flatnonzero(self._turn_us <= time_us):
                self._turn(int(i), time_us)
            self._next_turn_us = int(self._turn_us.min(initial=_NEVER))
        super().step(time_us, dt_us, occupancy)

    def _turn(self, i: int, now: int) -> None:
        """Let somebody come, begin what is next, or leave; whoever kneels or lifts a box finishes that first."""
        kneels = self._animation.gesture[i] == GESTURE_KNEEL
        busy_us = max(int(self._animation.gesture_end_us[i]) if kneels else 0, int(self._leave_us[i]) if self._lifts[i] else 0)
        if busy_us > now:
            self._turn_us[i] = busy_us
            return
        before = int(self._span[i])
        self._next_span(i, now)
        if self._span[i] < 0:
            if self._present[i]:
                self._hand_panel_on(i, before)
                self._leaving[i] = True
                self._set_out(i, now)
        elif self._present[i]:
            self._leaving[i], self._on_break[i] = False, False
            self._set_out(i, now)
        else:
            self._come_in(i, now)

    def _come_in(self, i: int, now: int) -> None:
        """Appear at a gate where there is room, else wait outside."""
        gates = self._my_gates(i)
        stations = self._stations
        for gate in gates[self._rng.permutation(len(gates))]:
            for spot in stations.slot_m[gate, : stations.slots[gate]]:
                if self._room_at(spot):
                    self._position[i] = spot
                    self._heading[i] = stations.facing(int(gate))
                    self._velocity[i] = 0.0
                    self._present[i], self._leaving[i], self._on_break[i] = True, False, False
                    every_us = self._config.breaks.every_min * 60e6
                    self._break_us[i] = now + round((0.2 + self._rng.random()) * every_us)
                    self._always[i] = now
                    self._wave_us[i] = self._next(self._per_min(i, GESTURE_WAVE), now)
                    self._take_panel(i)
                    self._walking[i] = True  # nobody lifts a box at the gate
                    self._set_out(i, now)
                    return
        self._upcoming[i] = self._span[i]
        self._span[i] = -1
        self._turn_us[i] = now + _RETRY_US

    def _room_at(self, spot: FloatArray) -> bool:
        near = self._present & (((self._position - spot) ** 2).sum(axis=1) < _ROOM_M**2)
        machines = self._occupancy
        gap = np.hypot(*(machines.position_m - spot).T) - machines.radius_m
        return not near.any() and not (gap < _MACHINE_ROOM_M).any()

    def _my_gates(self, i: int) -> IntArray:
        gate = int(self.plan.gate[i])
        return self._gates if gate < 0 else np.array([gate], dtype=np.int64)

    # ------------------------------------------------------------------ what to do
    def _set_out(self, i: int, now: int) -> None:
        """Send somebody to where the present span, or the way out, leads."""
        k = int(self._span[i])
        self._at_ease[i] = False
        self._task[i] = _NO_TASK
        if self._leaving[i]:
            self._on_break[i] = True
            self._go(i, now, self._my_gates(i))
            return
        if k < 0:
            return  # not in the hall
        kind, fixed = int(self.plan.kind[k]), int(self.plan.station[k])
        # Between tasks people walk about on their own account; a break, a handover and a tour are no work.
        if kind in (PAUSE, HANDOVER):
            self._on_break[i] = True
            self._at_ease[i] = kind == HANDOVER or fixed >= 0
            self._go(i, now, self._meeting_place(i, k))
            return
        if kind == TASK:
            self._task[i] = self.plan.task[k]
        elif self.plan.menu[i] and not self._on_break[i]:
            self._task[i] = self._choose_task(i)
        task = int(self._task[i])
        if task == _NO_TASK:
            among = np.array([fixed]) if fixed >= 0 else None
        else:
            self._on_break[i] = False
            among = np.array([fixed]) if fixed >= 0 else self._choose_places(i, task)
        self._go(i, now, among)

    def _go(self, i: int, now: int, among: IntArray | None) -> None:
        """Claim a place and walk there; the role's own stations, or any after two blocked ways, where ``among`` is None."""
        astray = bool(self._blocked[i] >= 2)
        resting = bool(self._on_break[i]) and not self._leaving[i] and not self._at_ease[i]
        self._astray[i] = astray
        self._stations.claim(i, int(self._role[i]), resting, self._rng, anywhere=astray, among=among)
        self._walk_to_claimed(i, now)

    def _meeting_place(self, i: int, k: int) -> IntArray | None:
        """Stations of a break or handover; whoever is relieved stays where they are."""
        plan, goal = self.plan, self._stations.goal
        if plan.station[k] >= 0:
            return plan.station[k : k + 1]
        who = i
        if plan.kind[k] == PAUSE:
            if self._rests:
                return None
        else:
            partner = int(plan.partner[k])
            stays_on = k + 1 < plan.first[i + 1] and plan.start_us[k + 1] == plan.end_us[k]
            if stays_on and partner >= 0 and self._present[partner]:
                who = partner
        return goal[who : who + 1].copy() if goal[who] >= 0 else None

    def _choose_task(self, i: int) -> int:
        menu = self.plan.menu[i]
        if self.plan.in_turn[i]:
            return menu[int(self._done[i]) % len(menu)]
        weight = np.array([self._tasks[t].weight for t in menu])
        return menu[int(self._rng.choice(len(menu), p=weight / weight.sum()))]

    def _choose_places(self, i: int, task: int) -> IntArray:
        places = self._places[task]
        if self._tasks[task].visit == "in_order":
            k = int(self._done[i]) % len(places)
            return places[k : k + 1]
        return places

    def _depart(self, i: int, now: int) -> None:
        self._done[i] += 1
        if self._leaving[i] or self._span[i] < 0:
            self._set_out(i, now)
        elif self.plan.kind[self._span[i]] == FREE:
            if self.plan.hall_breaks[i]:
                super()._depart(i, now)  # which may begin a break
            else:
                self._on_break[i] = False
                self._set_out(i, now)
        else:
            self._set_out(i, now)

    def _arrive(self, i: int, now: int) -> None:
        if self._leaving[i]:
            if int(self._stations.goal[i]) in self._gates:
                self._go_out(i)
            else:  # was blocked, and went elsewhere first
                self._walking[i] = False
                self._blocked[i] = 0
                self._leave_us[i] = now + _DETOUR_US
            return
        k = int(self._span[i])
        super()._arrive(i, now)
        kind = FREE if k < 0 else int(self.plan.kind[k])
        if kind in (PAUSE, HANDOVER) or (kind == TASK and self.plan.station[k] >= 0):
            # Until the span ends; whoever was blocked and went elsewhere tries again soon.
            self._leave_us[i] = now + _DETOUR_US if self._astray[i] else _NEVER
        if self._reach_us[i] == _NEVER:
            self._reach_us[i] = self._next(self._per_min(i, GESTURE_REACH) * self._work_rate(i), now)

    def _go_out(self, i: int) -> None:
        """Leave the hall; a panel stays at the gate for whoever comes in next."""
        self._stations.release(i)
        self._present[i], self._leaving[i], self._walking[i], self._on_break[i] = False, False, False, True
        self._leave_us[i], self._wave_us[i], self._reach_us[i] = _NEVER, _NEVER, _NEVER
        self._target[i] = self._position[i]
        self._animation.loads.drop(i)
        self._blocked[i] = 0
        self._whole[kernel.GESTURE, i] = NO_GESTURE

    # ------------------------------------------------------------------ panels
    def _hand_panel_on(self, i: int, span: int) -> None:
        """Give the panel of somebody whose shift ends to whoever took over."""
        partner = int(self.plan.partner[span]) if span >= 0 else -1
        if partner < 0 or not self._present[partner] or partner in self.holders:
            return
        for k in np.flatnonzero(self.holders == i):
            self._pass_panel(int(k), partner)

    def _take_panel(self, i: int) -> None:
        """Let somebody who comes in take a panel that nobody in the hall holds."""
        roles = self._config.roles
        wanted = roles[self._role[i]].carries_panel or not any(r.carries_panel for r in roles)
        spare = np.flatnonzero(~self._present[self.holders]) if wanted and i not in self.holders else np.zeros(0, np.int64)
        if len(spare):
            self._pass_panel(int(spare[0]), i)

    def _pass_panel(self, panel: int, person: int) -> None:
        carry = self._real[kernel.CARRY]
        carry[self.holders[panel]] = 0.0
        carry[person] = 1.0
        holders = self.holders.copy()  # earlier states keep theirs
        holders[panel] = person
        self.holders = holders

    # ------------------------------------------------------------------ loads and rates
    def _takes_along(self, i: int) -> tuple[float, float, float] | None:
        if self._leaving[i] or self._on_break[i] or i in self.holders:
            return None
        task = int(self._task[i])
        if task == _NO_TASK:
            return super()._takes_along(i)
        return self._config.roles[int(self._role[i])].load_size_m if self._tasks[task].carries else None

    def _dwell_s(self, i: int) -> float:
        if self._task[i] == _NO_TASK:
            return super()._dwell_s(i)
        task = self._tasks[self._task[i]]
        return draw_duration_s(task.duration_mean_s, task.duration_cv, task.distribution, self._rng) / self._work_rate(i)

    def _rates(self, i: int) -> tuple[float, float, float]:
        """Waves, reaches and kneeling per minute."""
        role = self._config.roles[self._role[i]]
        if self._task[i] == _NO_TASK:
            return role.wave_per_min, role.reach_per_min, role.kneel_per_min
        task = self._tasks[self._task[i]]
        waves = role.wave_per_min if task.wave_per_min is None else task.wave_per_min
        reaches = role.reach_per_min if task.reach_per_min is None else task.reach_per_min
        return waves, reaches, task.kneel_per_min

    def _per_min(self, i: int, kind: int) -> float:
        waves, reaches, kneels = self._rates(i)
        return waves if kind == GESTURE_WAVE else reaches + kneels

    def _kneel_share(self, i: int) -> float:
        _, reaches, kneels = self._rates(i)
        return kneels / max(reaches + kneels, 1e-9)

    def _task_rates(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        waves, hands, kneels, lift = super()._task_rates()
        tasked = self._task != _NO_TASK
        # Whoever is through with a task takes a box along where the next one wants it; mostly that is the same task again.
        by_task = np.array([*(t.carries / t.duration_mean_s for t in self._tasks), 0.0])[self._task]
        return waves, hands, kneels, np.where(tasked, by_task, lift)

    # ------------------------------------------------------------------ what is told
    def _effort(self) -> FloatArray:
        own = super()._effort()
        return np.where(self._task == _NO_TASK, own, self._task_effort[self._task])

    def _task_names(self) -> tuple[str, ...]:
        return tuple("" if t == _NO_TASK else self._tasks[t].name for t in self._task)

    def _lifting_index(self) -> FloatArray:
        return self._lift_index[self._task]

    def state(self) -> PeopleState:
        """Return everybody at the time of the last step; who hands over or is shown round stands, as does who is not there."""
        state = super().state()
        ease = (state.activity == BREAK) & (self._at_ease | ~self._present)
        if not ease.any():
            return state
        return replace(state, activity=np.where(ease, STAND, state.activity))
