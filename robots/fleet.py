"""The fleet: steps vehicles, orders and right of way, and tells where everything is and what was finished."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from robots.agv import ASIDE, LOADING, TO_CHARGE, TO_DROP, TO_PICK, UNLOADING
from robots.books import Books
from robots.config import RobotsConfig
from robots.dispatch import Dispatch
from robots.fleet_kernels import need_ways, oldest_first, report_ahead, report_fleet, step_fleet
from robots.fleet_memory import FleetMemory
from robots.instant import InstantActions
from robots.ledger import fleet_production
from robots.orders import Action, ActionState, Order, OrderError, order_of
from robots.outside import OutsideOrders
from robots.rightofway import release_lanes
from robots.routes import BoolArray, FloatArray, IntArray
from robots.safety import Watchdog
from robots.state import QUEUE, AgvState, FinishedOrder
from robots.tables import FleetTables, LaneTables
from robots.ways import ASIDE_AFTER_US, GRIDLOCK_AFTER_US, PATIENCE_US, RETRY_US, Ways

PLANNING_PERIOD_US = 50_000
_PLANS_PER_PERIOD = 2
_GOAL_ACTION = {TO_PICK: "pick", LOADING: "pick", TO_DROP: "drop", UNLOADING: "drop", TO_CHARGE: "startCharging"}


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
    """

    def __init__(self, config: RobotsConfig, rng: np.random.Generator, survival_time_us: int | IntArray = 50_000) -> None:
        self.config = config
        self._books = books = Books(config, rng)
        self.graph, self.n = books.graph, config.agvs.count
        n = self.n
        self._ways = Ways(books)
        self._dispatch = Dispatch(books, self._ways)
        self._outside = OutsideOrders(books, self._ways, self._dispatch) if config.agvs.orders_from == "outside" else None
        self._instant = InstantActions(books, self._ways, self._dispatch, self._outside)
        self._memory = None if self._outside is None else FleetMemory(books, self._outside, self._instant)
        self.watchdog = Watchdog(
            np.broadcast_to(np.asarray(survival_time_us, np.int64), (n,)),
            np.full(n, round(config.agvs.restart_delay_s * 1e6), np.int64),
        )
        self._half_extent_m = np.tile(np.array([config.agvs.length_m, config.agvs.width_m]) / 2, (n, 1))
        self._radius_m = np.full(n, books.drive.swept_radius)
        self._antenna_at_m = (*config.agvs.antenna_offset_m, config.agvs.antenna_height_m)
        self._body_height_m = config.agvs.body_height_m
        self._state: AgvState | None = None
        self._next_planning_us = 0

    @property
    def finished_orders(self) -> list[FinishedOrder]:
        """The last transports in the order of their end, ``robots.dispatch.KEPT_ORDERS`` at most."""
        return list(self._dispatch.finished_orders)

    @property
    def finished(self) -> IntArray:
        """Number of finished transports per AGV (n,); it changes in place."""
        return self._dispatch.finished

    @property
    def order_us(self) -> IntArray:
        """Time that finished transports took per AGV, all together (n,) [us]; it changes in place."""
        return self._dispatch.order_us

    def finished_since(self, count: int) -> list[FinishedOrder]:
        """Return the transports that ended after the first ``count``, as far as they are kept."""
        orders = self._dispatch.finished_orders
        fresh = min(int(self.finished.sum()) - count, len(orders))
        return list(islice(orders, len(orders) - fresh, None)) if fresh > 0 else []

    @property
    def tables(self) -> FleetTables:
        """The fleet's state, to be read; it changes in place."""
        return self._books.tables

    @property
    def lane_tables(self) -> LaneTables:
        """The lanes, to be read."""
        return self._books.lane_tables

    @property
    def ways_out(self) -> int:
        """How often AGVs had waited for each other so long that the known schedule was carried out."""
        return self._ways.ways_out

    def step(self, time_us: int, dt_us: int, command_age_us: IntArray, people_xy: FloatArray, people_present: BoolArray) -> None:
        """Advance to ``time_us``.

        Parameters
        ----------
        time_us, dt_us : end and length of the step [us].
        command_age_us : (n,) age of the last valid command at the end of the step [us].
        people_xy : (k, 2) [m]. people_present : (k,) whether somebody is there.
        """
        books, ways, watchdog = self._books, self._ways, self.watchdog
        books.time_us = time_us
        self._state = None
        if self.n == 0:
            return
        planning = time_us >= self._next_planning_us
        strict = ways.strict_now
        trips, event, need = step_fleet(
            time_us, dt_us, strict, planning, PLANNING_PERIOD_US, ASIDE_AFTER_US, GRIDLOCK_AFTER_US, PATIENCE_US,
            ways.starved_us, ways.try_at_us, command_age_us, people_xy, people_present, books.numbers, watchdog.survival_us,
            watchdog.restart_us, watchdog.tripped, watchdog.back_since_us, *books.tables, *books.lane_tables, *books.schedule,
            *books.scratch,
        )  # fmt: skip
        watchdog.trips += trips
        if event:
            self._on_events()
            if planning:
                need = need_ways(
                    time_us, PLANNING_PERIOD_US, ASIDE_AFTER_US, GRIDLOCK_AFTER_US, PATIENCE_US,
                    books.tables.whole, ways.starved_us, ways.try_at_us,
                )  # fmt: skip
        if self._outside is not None:
            self._outside.advance(dt_us)
            need = True
        if planning:
            self._next_planning_us = time_us + PLANNING_PERIOD_US
            self._plan(need, command_age_us, people_xy, people_present)
        if not (event or need or strict):
            return
        if ways.strict_now:
            ways.follow_schedule(watchdog.tripped | books.traffic.paused | books.machines.broken)
        else:
            release_lanes(
                oldest_first(books.since_us), watchdog.tripped | books.machines.broken, books.drive.deceleration, books.traffic,
                books.lanes,
                books.schedule, books.scratch,
            )  # fmt: skip
        if books.new_errands:
            books.number_errands()

    def _on_events(self) -> None:
        machines = self._books.machines
        for k in np.flatnonzero(machines.event):
            i, event = int(k), int(machines.event[k])
            if self._instant.on_event(i):
                continue
            if self._outside is not None and machines.stage[i] != ASIDE:
                self._outside.on_event(i, event)
            else:
                self._dispatch.on_event(i, event)

    def _plan(self, need: bool, command_age_us: IntArray, people_xy: FloatArray, present: BoolArray) -> None:
        """Do what no tick needs at once: orders that come in, new ways, what the fleet remembers of its routes."""
        books, ways = self._books, self._ways
        if books.costs.watches:
            books.costs.watch(books.time_us, self.edges(), command_age_us > 0, people_xy, present)
        self._instant.advance()
        self._dispatch.mind_batteries()
        if self._outside is not None:
            return
        self._dispatch.orders_arrive()
        if need or ways.strict:
            self._plan_ways()
        else:
            ways.last_progress_us = books.time_us

    def _plan_ways(self) -> None:
        """Look for new ways and for other ways, send AGVs aside, or stick to the known schedule."""
        books, ways, now = self._books, self._ways, self._books.time_us
        machines, traffic = books.machines, books.traffic
        ended = books.ended()
        wants = ended & ways.idle()
        wait = np.where(machines.waits_since_us >= 0, now - machines.waits_since_us, -1)
        queued = ~ended & (machines.mode == QUEUE) & (traffic.at_k == traffic.head_k)
        if ways.stick_or_go(ended, wants, queued):
            return
        due = (ways.try_at_us <= now) & (wants | (queued & (wait >= ASIDE_AFTER_US))) & ~traffic.paused
        rank = oldest_first(books.since_us)
        for i in rank[due[rank]][:_PLANS_PER_PERIOD]:
            ways.try_at_us[i] = now + RETRY_US
            if wants[i]:
                self._dispatch.next_way(int(i))
            else:
                ways.help_along(int(i), int(wait[i]))
        if wants.all() and wait.max() >= GRIDLOCK_AFTER_US:
            ways.stir()

    def set_edge_cost(self, kind: str, cost: npt.ArrayLike) -> None:
        """Say what edges cost beside time, instead of what the fleet remembers; see :meth:`robots.edge_costs.EdgeCosts.give`.

        Parameters
        ----------
        kind : ``link_risk``: expected time without commands during one passage [s]; ``people``: expected people on the edge.
        cost : (E,) in the order of ``graph.edge_start`` and ``graph.edge_end``.
        """
        self._books.costs.give(kind, cost)

    def edges(self) -> IntArray:
        """Give the directed edge that each AGV is on (n,), -1 for one that stands on a node."""
        traffic, rows = self._books.traffic, np.arange(self.n)
        ahead = np.minimum(traffic.at_k + 1, traffic.path_len - 1)
        edge = self.graph.edge_of[traffic.path[rows, traffic.at_k], traffic.path[rows, ahead]]
        return np.where(traffic.along_m > 0, edge, -1)

    def edge_cost(self, kind: str) -> FloatArray:
        """Give what is taken for each directed edge now (E,), as given or as remembered."""
        return self._books.costs.risk(kind).copy()

    def state(self) -> AgvState:
        """Give the fleet at the last step; the same struct until the next one."""
        if self._state is None:
            n, tables = self.n, self._books.tables
            plane, antenna_m, real, whole = np.empty((2, n, 2)), np.empty((n, 3)), np.empty((4, n)), np.empty((3, n), np.int64)
            report_fleet(
                *self._antenna_at_m, tables.whole, tables.real, tables.position_m, tables.path, plane, antenna_m, real, whole
            )
            position_m, velocity_mps = plane
            heading_rad, speed_mps, load_height_m, battery = real
            mode, node, order_id = whole
            self._state = AgvState(
                self._books.time_us, position_m, heading_rad, speed_mps, velocity_mps, self._books.loaded.copy(), load_height_m,
                mode, battery, node, order_id, antenna_m, self._half_extent_m, self._radius_m, self._body_height_m,
            )  # fmt: skip
        return self._state

    def state_ahead(self, horizon_s: float) -> AgvState:
        """Give the fleet as it will be ``horizon_s`` ahead if undisturbed, see :meth:`plan_position_m`."""
        now = self.state()
        position_m, heading_rad, antenna_m = self._ahead(horizon_s)
        return AgvState(
            self._books.time_us + round(horizon_s * 1e6), position_m, heading_rad, now.speed_mps, now.velocity_mps, now.loaded,
            now.load_height_m, now.mode, now.battery, now.node, now.order_id, antenna_m, now.half_extent_m, now.radius_m,
            now.body_height_m,
        )  # fmt: skip

    def _ahead(self, horizon_s: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        n = self.n
        position_m, heading_rad, antenna_m = np.empty((n, 2)), np.empty(n), np.empty((n, 3))
        report_ahead(
            float(horizon_s), *self._antenna_at_m, self.watchdog.tripped, *self._books.tables, *self._books.lane_tables,
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
        """Give AGV ``i``'s order from the node passed last on, in VDA 5050's words.

        A transport is one order from the way to the pick to the drop; each drive to a charging station or aside is its own. Every
        change of the way and every node released is an update, so that orderUpdateId rises with them. An AGV that stands
        without an order keeps the last one, as the standard has it; before the first the order has no name.
        """
        if self._outside is not None:
            return self._outside.order(i)
        books, traffic = self._books, self._books.traffic
        at, head, last = int(traffic.at_k[i]), int(traffic.head_k[i]), int(traffic.path_len[i])
        first = int(books.first_sequence[i]) + 2 * at
        names = [self.graph.node_id[v] for v in traffic.path[i, at:last]]
        name = f"{books.errand_kind[i]}-{books.errand[i]}" if books.errand[i] >= 0 else ""
        return order_of(name, books.update_id(i), names, head - at + 1, first, self._actions(i, name, first, last - 1 - at))

    def _actions(self, i: int, name: str, first: int, to_goal: int) -> dict[int, tuple[Action, ...]]:
        """Actions of AGV ``i``'s order by sequenceId: where it was loaded, and what it goes for."""
        books, stage = self._books, int(self._books.machines.stage[i])
        actions: dict[int, tuple[Action, ...]] = {}
        if books.pick_sequence[i] >= first:
            actions[int(books.pick_sequence[i])] = (Action(f"{name}-pick", "pick"),)
        if stage in _GOAL_ACTION:
            what = _GOAL_ACTION[stage]
            actions[first + 2 * to_goal] = (Action(f"{name}-{what}", what),)
        return actions

    def action_states(self, i: int) -> tuple[ActionState, ...]:
        """Give the actions of AGV ``i``'s order ahead and how far they are."""
        if self._outside is not None:
            return self._outside.action_states(i)
        stage = int(self._books.machines.stage[i])
        states = [ActionState(action) for action in self.order(i).actions()]
        for state in states:
            if state.action.action_type == "pick" and stage not in (TO_PICK, LOADING):
                state.status = "FINISHED"
            elif stage in (LOADING, UNLOADING):
                state.status = "RUNNING"
        return tuple(states)

    def receive(self, i: int, order: Order) -> OrderError | None:
        """Hand AGV ``i`` an order or an order update from outside.

        Parameters
        ----------
        i : AGV. order : its base and horizon.

        Returns
        -------
        Why it was rejected, by the standard's name; None if it was accepted, or is the one that the AGV has.
        """
        if self._outside is None:
            text = "the twin's own fleet control gives this fleet its orders; set robots.agvs.orders_from: outside"
            return OrderError("MOBILE_ROBOT_NOT_AVAILABLE", text, (("orderId", order.order_id),))
        return self._outside.receive(i, order)

    def instant_action(self, i: int, action: Action) -> OrderError | None:
        """Let AGV ``i`` do something at once: ``startPause``, ``stopPause`` or ``cancelOrder``.

        Returns
        -------
        Why it was rejected; None if it was accepted. How far it is: :meth:`instant_action_states`.
        """
        return self._instant.receive(i, action)

    def instant_action_states(self, i: int) -> tuple[ActionState, ...]:
        """Give AGV ``i``'s instant actions and how far they are."""
        return tuple(self._instant.states[i])

    def instant_action_ids(self, i: int) -> tuple[str, ...]:
        """Give the actionIds of AGV ``i``'s last instant actions, those before its process began too."""
        return tuple(self._instant.ids[i])

    def order_active(self, i: int) -> bool:
        """Whether AGV ``i`` carries out an order from outside, or waits for the rest of it."""
        return self._outside is not None and self._outside.active(i)

    def errors(self, i: int) -> tuple[OrderError, ...]:
        """Give what AGV ``i`` has rejected since it last accepted an order from outside."""
        return self._outside.errors(i) if self._outside is not None else ()

    @property
    def memory(self) -> FleetMemory | None:
        """Takes snapshots of a fleet with orders from outside, and takes them up; None for a fleet with its own orders."""
        return self._memory

    def recall(self, snapshot: Any) -> None:
        """Take up a snapshot of ``memory`` before the first step; ValueError where it does not fit this hall."""
        if self._memory is None:
            raise ValueError("the twin's own fleet control gives this fleet its orders; there is nothing to take up")
        self._memory.give(snapshot)
        self._state = None

    def detour(self, i: int) -> tuple[str, str] | None:
        """Send AGV ``i`` another way to where it goes, around the next lane that is not released to it yet.

        Returns
        -------
        tuple of str or None
            Names of the nodes of the lane that it avoids now; None where there is none ahead, or no other way that is safe for
            all, and for orders from outside, whose way is their sender's.
        """
        avoided = None if self._outside is not None else self._ways.detour(i)
        return None if avoided is None else (self.graph.node_id[avoided[0]], self.graph.node_id[avoided[1]])

    def set_broken(self, broken: BoolArray) -> None:
        """Say which AGVs (n,) are out of order; they brake as in a protective stop and stand until they are not."""
        self._books.machines.broken[:] = broken

    def paused(self, i: int) -> bool:
        """Whether AGV ``i`` is paused (linked state of startPause)."""
        return bool(self._books.traffic.paused[i])

    def load_kind(self, i: int) -> str:
        """Name of the kind of load that AGV ``i`` carries, empty where it carries none or kinds have no names."""
        kind = int(self._books.load_kind[i])
        return self.config.agvs.loads[kind].name if kind >= 0 and self._books.loaded[i] else ""

    def production(self) -> dict[str, Any]:
        """Give the fleet's ledger so far.

        Returns
        -------
        See :func:`robots.ledger.fleet_production`.
        """
        machines = self._books.machines
        return fleet_production(
            self._books.time_us,
            self._dispatch.finished,
            self._dispatch.order_us,
            machines.distance_m,
            machines.mode_us,
            machines.stops,
        )
