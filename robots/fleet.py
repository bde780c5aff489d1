"""The fleet: orders, where each AGV goes next, who yields to whom; the ledger of what was finished and what was lost."""

from __future__ import annotations

from typing import Any

import numpy as np

from robots import agv as kernel
from robots.agv import ASIDE, IDLE, LOADING, ON_CHARGE, TO_CHARGE, TO_DROP, TO_PICK, UNLOADING, WANT_DROP, WANT_PICK
from robots.config import RobotsConfig
from robots.fleet_kernels import need_ways, oldest_first, report_ahead, report_fleet, step_fleet
from robots.ledger import fleet_production
from robots.rightofway import (
    congestion_s,
    find_schedule,
    lane_is_free,
    lanes_of,
    new_schedule,
    next_move,
    release_lanes,
    take_lane,
)
from robots.routes import BoolArray, FloatArray, Graph, IntArray
from robots.safety import Watchdog
from robots.state import (
    COMMUNICATION,
    DRIVING,
    NO_ORDER,
    QUEUE,
    AgvState,
    FinishedOrder,
    Order,
    order_ahead,
)
from robots.tables import FLAG, REAL, WHOLE, machines_of, new_tables, pack_lanes, traffic_of

PLANNING_PERIOD_US = 50_000
RETRY_US = 500_000  # between two looks for a way for the same AGV
REROUTE_AFTER_US = 4_000_000  # in a queue, before another way is looked for
ASIDE_AFTER_US = 1_000_000  # in a queue behind an AGV without a way, before that one is sent aside
GRIDLOCK_AFTER_US = 5_000_000  # nobody moves, before the known schedule is carried out
PATIENCE_US = 120_000_000  # in a queue, before the known schedule is carried out
_PLANS_PER_PERIOD = 2
_GOALS_TRIED = 2
_PLACES_TRIED = 3


class Fleet:
    """All AGVs of a hall, their orders and their right of way.

    Parameters
    ----------
    config : the robots section.
    rng : draws picks, drops and loads.
    survival_time_us : survival time of the commands, one for all or (n,) [us]; TS 22.104 mobile robots: a transfer interval.

    Attributes
    ----------
    graph : the routes; state's ``node`` indexes its ``node_id``. n : number of AGVs. watchdog : its stops.
    finished_orders : transports in the order of their end. ways_out : how often AGVs had waited for each other so long that
        the known schedule was carried out.
    """

    def __init__(self, config: RobotsConfig, rng: np.random.Generator, survival_time_us: int | IntArray = 50_000) -> None:
        self.config = config
        self.graph = Graph(config.routes, config.agvs)
        self.n = n = config.agvs.count
        self._rng = rng
        self._lanes = lanes_of(self.graph)
        chargers = self.graph.nodes_with("charge")
        self._chargers = chargers if chargers.size else self.graph.nodes_with("park")
        self._drive = kernel.drive_of(config.agvs, config.safety, has_battery=bool(self._chargers.size))
        n_nodes = len(self.graph.node_id)
        start = self.graph.start_nodes(n)
        self._tables = tables = new_tables(n, 3 * n_nodes + 16, n_nodes, self.graph.n_lanes)
        self._lane_tables = pack_lanes(self._lanes)
        whole, real, flag, position_m, path, holder, version, ledger = tables
        self._traffic = traffic_of.py_func(n_nodes, whole, real, flag, path, holder, version)
        self._machines = machines_of.py_func(whole, real, position_m, ledger)
        self._since_us, self._order_id = whole[WHOLE.index("since_us")], whole[WHOLE.index("order_id")]
        self._loaded, self._load_height_m = flag[FLAG.index("loaded")], real[REAL.index("load_height_m")]
        self._traffic.path[:, 0] = start
        self._traffic.heading_rad[:] = [self.graph.edge_yaw_rad[self.graph.out_edge[self.graph.out_start[v]]] for v in start]
        self._traffic.node_holder[start] = np.arange(n)
        self._machines.position_m[:] = self.graph.node_xy[start]
        self._machines.mode[:], self._machines.stage[:] = NO_ORDER, IDLE
        self._machines.battery[:] = rng.uniform(0.5, 1.0, n) if self._chargers.size else 1.0
        self.watchdog = Watchdog(
            np.broadcast_to(np.asarray(survival_time_us, np.int64), (n,)),
            np.full(n, round(config.agvs.restart_delay_s * 1e6), np.int64),
        )
        self._schedule, self._scratch = new_schedule(), new_schedule()
        self._update_id = np.zeros(n, np.int64)
        self._taken_us = np.zeros(n, np.int64)
        self._goal = np.full(n, -1, np.int64)
        self._rerouted_us = np.zeros(n, np.int64)
        self._finished = np.zeros(n, np.int64)
        self._numbers = np.array(self._drive, np.float64)
        self._half_extent_m = np.tile(np.array([config.agvs.length_m, config.agvs.width_m]) / 2, (n, 1))
        self._radius_m = np.full(n, self._drive.swept_radius)
        self._antenna_at_m = (*config.agvs.antenna_offset_m, config.agvs.antenna_height_m)
        self._body_height_m = config.agvs.body_height_m
        self._state: AgvState | None = None
        self._next_order = 0
        self._orders_waiting = 0
        self._next_arrival_us = 0
        self._next_planning_us = 0
        self._last_progress_us = 0
        self._strict, self._strict_for = False, 0
        self._starved_us = np.zeros(n, np.int64)
        self._try_at_us = np.zeros(n, np.int64)
        self._time_us = 0
        self._picks, self._drops = self.graph.nodes_with("pick"), self.graph.nodes_with("drop")
        self._parks = self.graph.nodes_with("park")
        self.finished_orders: list[FinishedOrder] = []
        self.ways_out = 0

    def step(self, time_us: int, dt_us: int, command_age_us: IntArray, people_xy: FloatArray, people_present: BoolArray) -> None:
        """Advance to ``time_us``.

        Parameters
        ----------
        time_us, dt_us : end and length of the step [us].
        command_age_us : (n,) age of the last valid command at the end of the step [us].
        people_xy : (k, 2) [m]. people_present : (k,) whether somebody is there.
        """
        self._time_us = time_us
        self._state = None
        if self.n == 0:
            return
        planning = time_us >= self._next_planning_us
        watchdog, known, scratch = self.watchdog, self._schedule, self._scratch
        strict = self._strict and bool(known.first[0] < known.end[0])
        trips, event, need = step_fleet(
            time_us, dt_us, strict, planning, PLANNING_PERIOD_US, ASIDE_AFTER_US, GRIDLOCK_AFTER_US, PATIENCE_US,
            self._starved_us, self._try_at_us, command_age_us, people_xy, people_present, self._numbers, watchdog.survival_us,
            watchdog.restart_us, watchdog.tripped, watchdog.back_since_us, *self._tables, *self._lane_tables, *known, *scratch,
        )  # fmt: skip
        watchdog.trips += trips
        if event:
            for i in np.flatnonzero(self._machines.event):
                self._on_event(int(i), int(self._machines.event[i]))
            if planning:
                need = need_ways(
                    time_us, PLANNING_PERIOD_US, ASIDE_AFTER_US, GRIDLOCK_AFTER_US, PATIENCE_US,
                    self._tables.whole, self._starved_us, self._try_at_us,
                )  # fmt: skip
        if planning:
            self._next_planning_us = time_us + PLANNING_PERIOD_US
            self._orders_arrive()
            if need or self._strict:
                self._plan_ways()
            else:
                self._last_progress_us = time_us
        if not (event or need or strict):
            return
        if self._strict and self._schedule.first[0] < self._schedule.end[0]:
            self._follow_schedule(watchdog.tripped)
            return
        release_lanes(
            oldest_first(self._since_us), watchdog.tripped, self._drive.deceleration, self._traffic, self._lanes, self._schedule,
            self._scratch,
        )  # fmt: skip

    def _on_event(self, i: int, event: int) -> None:
        machines, agvs = self._machines, self.config.agvs
        stage = machines.stage[i]
        if event == kernel.EVENT_ARRIVED:
            if stage == TO_PICK:
                machines.stage[i] = LOADING
                machines.busy_until_us[i] = self._time_us + round(agvs.load_time_s * 1e6)
            elif stage == TO_DROP:
                machines.stage[i] = UNLOADING
                machines.busy_until_us[i] = self._time_us + round(agvs.unload_time_s * 1e6)
            elif stage == TO_CHARGE:
                machines.stage[i] = ON_CHARGE
                missing = max(0.0, agvs.battery.full_share - float(machines.battery[i]))
                machines.busy_until_us[i] = self._time_us + round(missing * agvs.battery.charging_time_s * 1e6)
            else:
                machines.stage[i] = IDLE
        elif stage == LOADING:
            self._loaded[i] = self._rng.random() < agvs.loaded_share
            heights = agvs.load_heights_m
            self._load_height_m[i] = heights[int(self._rng.integers(len(heights)))] if self._loaded[i] else 0.0
            machines.stage[i] = WANT_DROP
            self._since_us[i] = self._time_us
            self._next_way(i)
        elif stage == UNLOADING:
            self._finish_order(i)
            self._next_way(i)
        else:
            machines.stage[i] = IDLE
            self._next_way(i)

    def _finish_order(self, i: int) -> None:
        self.finished_orders.append(FinishedOrder(int(self._order_id[i]), i, int(self._taken_us[i]), self._time_us))
        self._finished[i] += 1
        self._loaded[i], self._load_height_m[i] = False, 0.0
        self._order_id[i] = -1
        self._machines.stage[i] = IDLE

    def _orders_arrive(self) -> None:
        rate = self.config.agvs.orders_per_hour
        if rate is None:
            self._orders_waiting = self.n
            return
        while self._next_arrival_us <= self._time_us:
            if self._next_arrival_us > 0:
                self._orders_waiting += 1
            self._next_arrival_us += 1 + int(self._rng.exponential(3.6e9 / rate))

    def _plan_ways(self) -> None:
        """Do what no tick needs at once: new ways, other ways, AGVs sent aside; decide when to stick to the known schedule."""
        machines, traffic, now = self._machines, self._traffic, self._time_us
        ended = traffic.head_k == traffic.path_len - 1
        wants = ended & ((machines.stage == IDLE) | (machines.stage == WANT_PICK) | (machines.stage == WANT_DROP))
        wait = np.where(machines.waits_since_us >= 0, now - machines.waits_since_us, -1)
        queued = ~ended & (machines.mode == QUEUE) & (traffic.at_k == traffic.head_k)
        if not queued.any() or ((machines.mode != QUEUE) & (machines.mode != NO_ORDER)).any():
            self._last_progress_us = now
        if self._strict:
            if self._schedule.first[0] < self._schedule.end[0] and not (ended & ~wants)[self._strict_for]:
                return
            self._strict = False  # it led out for the one it was for; the others' patience starts anew
            self._starved_us[:] = 0
        starved = self._starved_us >= PATIENCE_US
        if now - self._last_progress_us >= GRIDLOCK_AFTER_US:
            starved |= queued
        if starved.any() and self._schedule.first[0] < self._schedule.end[0]:
            self._strict = True
            self._strict_for = int(np.where(starved, self._since_us, now + 1).argmin())
            self.ways_out += 1
            return
        due = (self._try_at_us <= now) & (wants | (queued & (wait >= ASIDE_AFTER_US)))
        rank = oldest_first(self._since_us)
        for i in rank[due[rank]][:_PLANS_PER_PERIOD]:
            self._try_at_us[i] = now + RETRY_US
            if wants[i]:
                self._next_way(int(i))
            else:
                self._send_blocker_aside(int(i))
                if wait[i] >= REROUTE_AFTER_US and now - self._rerouted_us[i] >= REROUTE_AFTER_US:
                    self._rerouted_us[i] = now
                    self._reroute(int(i))
        if wants.all() and wait.max() >= GRIDLOCK_AFTER_US:
            self._stir()

    def _next_way(self, i: int) -> bool:
        """Give an AGV without a way its next one, if a free one is found."""
        machines, agvs = self._machines, self.config.agvs
        strict = self._strict and self._schedule.first[0] < self._schedule.end[0]
        if machines.stage[i] == IDLE:
            if machines.battery[i] < agvs.battery.low_share and self._chargers.size:
                return not strict and self._to_charger(i)
            if self._orders_waiting == 0:
                return not strict and self._to_park(i)
            self._orders_waiting -= 1
            self._order_id[i] = self._next_order
            self._next_order += 1
            self._update_id[i] = 0
            self._taken_us[i] = self._since_us[i] = self._time_us
            machines.stage[i] = WANT_PICK
        if strict:
            return False
        goals, then = (self._picks, TO_PICK) if machines.stage[i] == WANT_PICK else (self._drops, TO_DROP)
        for goal in self._goals_by_demand(i, goals)[:_GOALS_TRIED]:
            if self._try_way(i, int(goal)):
                machines.stage[i] = then
                return True
        return False

    def _stir(self) -> None:
        """Nobody has a way and none is found from here: move one AGV to a free node next to it, by lot."""
        heads = self._heads()
        j = int(self._rng.integers(self.n))
        out = self.graph.out_edge[self.graph.out_start[heads[j]] : self.graph.out_start[heads[j] + 1]]
        places = [int(v) for v in self.graph.edge_end[out] if v not in heads]
        if places:
            self._go_aside(j, places[int(self._rng.integers(len(places)))])

    def _goals_by_demand(self, i: int, goals: IntArray) -> IntArray:
        """Goals, least wanted by others first, ties by lot; the node the AGV stands on last."""
        here = self._traffic.path[i, self._traffic.head_k[i]]
        demand = np.array([(self._goal == g).sum() - (self._goal[i] == g) + 100 * (g == here) for g in goals])
        return goals[np.lexsort((self._rng.random(len(goals)), demand))]

    def _to_charger(self, i: int) -> bool:
        others = self._goal[np.arange(self.n) != i]
        here = self._traffic.path[i, self._traffic.head_k[i]]
        free = [int(c) for c in self._chargers if c not in others]
        for goal in sorted(free, key=lambda c: (self.graph.time_s[here, c], c))[:_GOALS_TRIED]:
            if self._try_way(i, goal):
                self._machines.stage[i] = TO_CHARGE
                self._since_us[i] = self._time_us
                return True
        return False

    def _to_park(self, i: int) -> bool:
        here = self._traffic.path[i, self._traffic.head_k[i]]
        if here in self._parks:
            return False
        heads = self._heads()
        free = [int(p) for p in self._parks if p not in self._goal and p not in heads]
        for goal in sorted(free, key=lambda p: (self.graph.time_s[here, p], p))[:_GOALS_TRIED]:
            if self._go_aside(i, goal):
                return True
        return False

    def _go_aside(self, i: int, place: int) -> bool:
        """Send an AGV that has nothing to do at a place to another; one that waits for a way goes on wanting it."""
        if not self._try_way(i, place):
            return False
        if self._machines.stage[i] == IDLE:
            self._machines.stage[i] = ASIDE
        return True

    def _heads(self) -> IntArray:
        """Nodes (n,) on which AGVs will stand when they have driven what is released to them."""
        return self._traffic.path[np.arange(self.n), self._traffic.head_k]

    def _head_yaw(self, i: int) -> float:
        traffic, k = self._traffic, self._traffic.head_k[i]
        if k == 0:
            return float(traffic.heading_rad[i])
        edge = self.graph.edge_of[traffic.path[i, k - 1], traffic.path[i, k]]
        return float(self.graph.edge_yaw_rad[edge])

    def _standing(self) -> BoolArray:
        mode = self._machines.mode
        return np.asarray((mode != DRIVING) & (mode != COMMUNICATION))

    def _try_way(self, i: int, goal: int) -> bool:
        """Give an AGV a way to a node if a schedule for all is found with it."""
        penalty = congestion_s(i, self._standing(), self._traffic, self._lanes)
        head, yaw = int(self._heads()[i]), self._head_yaw(i)
        way, plain = self.graph.plan(head, goal, yaw, penalty), self.graph.plan(head, goal, yaw)
        if self._accept(i, way):
            return True
        return not np.array_equal(plain, way) and self._accept(i, plain)

    def _accept(self, i: int, way: IntArray) -> bool:
        """Replace what lies beyond an AGV's released path by ``way`` (from its last released node) if that is safe."""
        traffic = self._traffic
        at, head, length = int(traffic.at_k[i]), int(traffic.head_k[i]), int(traffic.path_len[i])
        old = traffic.path[i, :length].copy()
        new = np.concatenate((old[at : head + 1], way[1:]))
        if way.size == 0 or new.size > traffic.path.shape[1]:
            return False
        self._set_path(i, new, head - at)
        if find_schedule(traffic.path, traffic.path_len, traffic.head_k, self._lanes, self._scratch):
            self._schedule, self._scratch = self._scratch, self._schedule
            traffic.version[0] += 1
            self._goal[i] = way[-1]
            self._update_id[i] += 1
            return True
        traffic.path[i, :length] = old
        traffic.path_len[i], traffic.head_k[i], traffic.at_k[i] = length, head, at
        return False

    def _set_path(self, i: int, path: IntArray, head_k: int) -> None:
        self._traffic.path[i, : path.size] = path
        self._traffic.path_len[i] = path.size
        self._traffic.head_k[i] = head_k
        self._traffic.at_k[i] = 0

    def _reroute(self, i: int) -> None:
        """Look for another way for an AGV that waits in a queue."""
        traffic, k = self._traffic, int(self._traffic.head_k[i])
        rest = traffic.path[i, k : traffic.path_len[i]]
        penalty = congestion_s(i, self._standing(), traffic, self._lanes)
        penalty[self.graph.edge_of[rest[0], rest[1]]] += 20.0
        way = self.graph.plan(int(rest[0]), int(rest[-1]), self._head_yaw(i), penalty)
        if way.size < 2 or way[1] == rest[1] or not lane_is_free(i, int(way[0]), int(way[1]), traffic, self._lanes):
            return
        self._accept(i, way)

    def _send_blocker_aside(self, i: int) -> None:
        """Send away an AGV that stands without a way where another wants to go."""
        traffic, machines = self._traffic, self._machines
        k = int(traffic.head_k[i])
        a, b = int(traffic.path[i, k]), int(traffic.path[i, k + 1])
        lane = self.graph.edge_lane[self.graph.edge_of[a, b]]
        start, near = self.graph.lane_nodes
        heads = self._heads()
        for node in (b, *near[start[lane] : start[lane + 1]].tolist()):
            for j in np.flatnonzero(heads == node):
                idle = machines.stage[j] in (IDLE, WANT_PICK, WANT_DROP) and traffic.head_k[j] == traffic.path_len[j] - 1
                if j != i and idle:
                    self._send_aside(int(j), traffic.path[i, k : traffic.path_len[i]])

    def _send_aside(self, j: int, avoid: IntArray) -> None:
        """Give AGV ``j`` a way to a near free node, rather not one of ``avoid``."""
        head = int(self._heads()[j])
        taken = set(self._heads().tolist())
        places = [v for v in range(len(self.graph.node_id)) if v not in taken]
        in_the_way = set(avoid.tolist())
        places.sort(key=lambda v: (v in in_the_way, self.graph.time_s[head, v], v))
        for place in places[:_PLACES_TRIED]:
            if self._go_aside(j, place):
                return

    def _follow_schedule(self, held: BoolArray) -> None:
        """Carry out the known schedule as far as it goes now: AGVs wait for each other too long, and it leads out."""
        schedule, traffic, machines = self._schedule, self._traffic, self._machines
        while True:
            ended = traffic.head_k == traffic.path_len - 1
            idle = (machines.stage == IDLE) | (machines.stage == WANT_PICK) | (machines.stage == WANT_DROP)
            # who has arrived has to work before it can be moved; charging can be broken off
            at = next_move(~held & (~ended | idle | (machines.stage == ON_CHARGE)), traffic, self._lanes, schedule)
            if at < 0:
                return
            i, node, k = int(schedule.agv[at]), int(schedule.node[at]), int(traffic.head_k[schedule.agv[at]])
            if ended[i] or traffic.path[i, k + 1] != node:
                self._set_path(i, np.append(traffic.path[i, traffic.at_k[i] : k + 1], node), k - int(traffic.at_k[i]))
                if machines.stage[i] in (IDLE, ON_CHARGE):
                    machines.stage[i] = ASIDE
            take_lane(i, traffic, self._lanes)
            first = int(schedule.first[0])
            schedule.agv[first + 1 : at + 1] = schedule.agv[first:at].copy()
            schedule.node[first + 1 : at + 1] = schedule.node[first:at].copy()
            schedule.first[0] += 1

    def state(self) -> AgvState:
        """Give the fleet at the last step; the same struct until the next one."""
        if self._state is None:
            n, tables = self.n, self._tables
            plane, antenna_m, real, whole = np.empty((2, n, 2)), np.empty((n, 3)), np.empty((4, n)), np.empty((3, n), np.int64)
            report_fleet(
                *self._antenna_at_m, tables.whole, tables.real, tables.position_m, tables.path, plane, antenna_m, real, whole
            )
            position_m, velocity_mps = plane
            heading_rad, speed_mps, load_height_m, battery = real
            mode, node, order_id = whole
            self._state = AgvState(
                self._time_us, position_m, heading_rad, speed_mps, velocity_mps, self._loaded.copy(), load_height_m, mode,
                battery, node, order_id, antenna_m, self._half_extent_m, self._radius_m, self._body_height_m,
            )  # fmt: skip
        return self._state

    def state_ahead(self, horizon_s: float) -> AgvState:
        """Give the fleet as it will be ``horizon_s`` ahead if undisturbed, see :meth:`plan_position_m`."""
        now = self.state()
        position_m, heading_rad, antenna_m = self._ahead(horizon_s)
        return AgvState(
            self._time_us + round(horizon_s * 1e6), position_m, heading_rad, now.speed_mps, now.velocity_mps, now.loaded,
            now.load_height_m, now.mode, now.battery, now.node, now.order_id, antenna_m, now.half_extent_m, now.radius_m,
            now.body_height_m,
        )  # fmt: skip

    def _ahead(self, horizon_s: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        n = self.n
        position_m, heading_rad, antenna_m = np.empty((n, 2)), np.empty(n), np.empty((n, 3))
        report_ahead(
            float(horizon_s), *self._antenna_at_m, self.watchdog.tripped, *self._tables, *self._lane_tables,
            position_m, heading_rad, antenna_m,
        )  # fmt: skip
        return position_m, heading_rad, antenna_m

    def plan_position_m(self, horizon_s: float) -> tuple[FloatArray, FloatArray]:
        """Where AGVs will be if undisturbed, along their path at their present speed.

        Parameters
        ----------
        horizon_s : how far ahead [s].

        Returns
        -------
        position_m : (n, 2) [m]. heading_rad : (n,) [rad].
        """
        position_m, heading_rad, _ = self._ahead(horizon_s)
        return position_m, heading_rad

    def order(self, i: int) -> Order:
        """Give AGV ``i``'s way ahead in VDA 5050's words; order_id -1 while it drives without a transport order."""
        traffic = self._traffic
        first, head, last = int(traffic.at_k[i]), int(traffic.head_k[i]), int(traffic.path_len[i])
        names = [self.graph.node_id[v] for v in traffic.path[i, first:last]]
        return order_ahead(int(self._order_id[i]), int(self._update_id[i]), names, head - first + 1)

    def production(self) -> dict[str, Any]:
        """Give the fleet's ledger so far.

        Returns
        -------
        See :func:`robots.ledger.fleet_production`.
        """
        return fleet_production(
            self._time_us,
            self.finished_orders,
            self._finished,
            self._machines.distance_m,
            self._machines.mode_us,
            self._machines.stops,
        )
