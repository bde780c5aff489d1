"""The twin's own fleet control: which order an AGV gets, what it carries, when it charges and where it waits."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from robots import agv as kernel
from robots.agv import IDLE, LOADING, ON_CHARGE, TO_CHARGE, TO_DROP, TO_PICK, UNLOADING, WANT_DROP, WANT_PICK
from robots.books import Books
from robots.routes import IntArray
from robots.state import FinishedOrder
from robots.ways import Ways

KEPT_ORDERS = 1000
"""Finished transports that are kept one by one; a twin may live for months, so of the others only the sums are."""
_GOALS_TRIED = 2
_STATIONS_PERIOD_US = 1_000_000  # between two looks at batteries and charging stations


class Dispatch:
    """Orders of a fleet.

    Parameters
    ----------
    books, ways : the fleet's state, and who gives ways.

    Attributes
    ----------
    finished_orders : the last ``KEPT_ORDERS`` transports, in the order of their end.
    finished : (n,) number of finished transports per AGV. order_us : (n,) time that they took, all together [us].
    cancelled : transports that were cancelled. rescued : how often an AGV ran empty and somebody came.
    """

    def __init__(self, books: Books, ways: Ways) -> None:
        self._books, self._ways = books, ways
        graph = books.graph
        self._picks, self._drops, self._parks = (graph.nodes_with(action) for action in ("pick", "drop", "park"))
        kinds = books.config.agvs.loads
        self._kind_share = np.cumsum([k.share for k in kinds]) / sum(k.share for k in kinds) if kinds else np.zeros(0)
        self._taken_us = np.zeros(books.n, np.int64)
        self._next_order = 0
        self._waiting = 0
        self._next_arrival_us = 0
        self._next_stations_us = 0
        self.finished = np.zeros(books.n, np.int64)
        self.order_us = np.zeros(books.n, np.int64)
        self.finished_orders: deque[FinishedOrder] = deque(maxlen=KEPT_ORDERS)
        self.cancelled = self.rescued = 0
        self._empty_since_us: dict[int, int] = {}

    def on_event(self, i: int, event: int) -> None:
        """Carry on with AGV ``i``, which has arrived or has done its work."""
        books, machines = self._books, self._books.machines
        stage = machines.stage[i]
        if event == kernel.EVENT_ARRIVED:
            if stage == TO_PICK:
                books.pick_sequence[i] = books.first_sequence[i] + 2 * books.traffic.at_k[i]
                self.load(i)
                machines.stage[i] = LOADING
            elif stage == TO_DROP:
                machines.stage[i] = UNLOADING
                machines.busy_until_us[i] = books.time_us + round(self.unload_time_s(i) * 1e6)
            elif stage == TO_CHARGE:
                machines.stage[i] = ON_CHARGE
            else:
                machines.stage[i] = IDLE
        elif stage == LOADING:
            self.loaded(i)
            machines.stage[i] = WANT_DROP
            books.since_us[i] = books.time_us
            self.next_way(i)
        elif stage == UNLOADING:
            self._finish_order(i)
            self.next_way(i)
        else:
            machines.stage[i] = IDLE
            self.next_way(i)

    def load(self, i: int, kind: int | None = None) -> None:
        """Begin to take a load; what it is is drawn where the kinds differ in the time they take, or given."""
        books, agvs = self._books, self._books.config.agvs
        seconds: float | None = None
        if agvs.loads:
            if kind is None:
                empties = books.rng.random() >= agvs.loaded_share
                kind = -1 if empties else int(np.searchsorted(self._kind_share, books.rng.random(), side="right"))
            books.load_kind[i] = kind
            seconds = agvs.loads[kind].load_time_s if kind >= 0 else None
        seconds = agvs.load_time_s if seconds is None else seconds
        books.machines.busy_until_us[i] = books.time_us + round(seconds * 1e6)

    def loaded(self, i: int, surely: bool = False) -> None:
        """Note that the load is on the vehicle, and how high it is; ``surely`` if it is known to be no empties."""
        books, agvs = self._books, self._books.config.agvs
        if not agvs.loads:
            heights: Sequence[float] = agvs.load_heights_m
            books.loaded[i] = surely or books.rng.random() < agvs.loaded_share
            books.load_height_m[i] = heights[int(books.rng.integers(len(heights)))] if books.loaded[i] else 0.0
            return
        books.loaded[i] = books.load_kind[i] >= 0
        if books.loaded[i]:
            kind = agvs.loads[books.load_kind[i]]
            layers = int(books.rng.integers(kind.layers[0], kind.layers[1] + 1))
            books.load_height_m[i] = kind.carrier_height_m + layers * kind.layer_height_m

    def unload_time_s(self, i: int) -> float:
        """Time to give what AGV ``i`` carries [s]."""
        agvs, kind = self._books.config.agvs, int(self._books.load_kind[i])
        own = agvs.loads[kind].unload_time_s if kind >= 0 else None
        return agvs.unload_time_s if own is None else own

    def unloaded(self, i: int) -> None:
        """Note that the vehicle is empty again."""
        self._books.loaded[i], self._books.load_height_m[i], self._books.load_kind[i] = False, 0.0, -1

    def _finish_order(self, i: int) -> None:
        books = self._books
        taken_us = int(self._taken_us[i])
        self.finished_orders.append(FinishedOrder(int(books.order_id[i]), i, taken_us, books.time_us))
        self.finished[i] += 1
        self.order_us[i] += books.time_us - taken_us
        self.unloaded(i)
        books.order_id[i] = -1
        books.machines.stage[i] = IDLE

    def orders_arrive(self) -> None:
        """Count the transports that have come in by now."""
        books, rate = self._books, self._books.config.agvs.orders_per_hour
        if rate is None:
            self._waiting = books.n
            return
        while self._next_arrival_us <= books.time_us:
            if self._next_arrival_us > 0:
                self._waiting += 1
            self._next_arrival_us += 1 + int(books.rng.exponential(3.6e9 / rate))

    def _take_order(self, i: int) -> None:
        books = self._books
        books.order_id[i] = self._next_order
        books.begin_errand(i, "transport", self._next_order, has_way=False)
        books.pick_sequence[i] = -1
        self._next_order += 1
        self._taken_us[i] = books.since_us[i] = books.time_us

    def next_way(self, i: int) -> bool:
        """Give an AGV without a way its next one, if a free one is found."""
        books, machines, battery = self._books, self._books.machines, self._books.config.agvs.battery
        strict = self._ways.strict_now
        if machines.stage[i] == IDLE:
            if books.chargers.size and machines.battery[i] < battery.low_share:
                if not strict and self._to_charger(i):
                    return True
                if machines.battery[i] < battery.critical_share:
                    return False
            if self._waiting == 0:
                return not strict and self._rest(i)
            self._waiting -= 1
            self._take_order(i)
            machines.stage[i] = WANT_PICK
        if strict:
            return False
        goals, then = (self._picks, TO_PICK) if machines.stage[i] == WANT_PICK else (self._drops, TO_DROP)
        for goal in self._goals_by_demand(i, goals)[:_GOALS_TRIED]:
            if self._ways.try_way(i, int(goal)):
                machines.stage[i] = then
                return True
        return False

    def _goals_by_demand(self, i: int, goals: IntArray) -> IntArray:
        """Goals, least wanted by others first, ties by lot; the node the AGV stands on last."""
        books = self._books
        here = books.traffic.path[i, books.traffic.head_k[i]]
        demand = np.array([(books.goal == g).sum() - (books.goal[i] == g) + 100 * (g == here) for g in goals])
        return goals[np.lexsort((books.rng.random(len(goals)), demand))]

    def _to_charger(self, i: int) -> bool:
        books = self._books
        others = books.goal[np.arange(books.n) != i]
        here = books.traffic.path[i, books.traffic.head_k[i]]
        if here in books.chargers:
            books.machines.stage[i] = ON_CHARGE
            return True
        free = [int(c) for c in books.chargers if c not in others]
        for goal in sorted(free, key=lambda c: (books.graph.time_s[here, c], c))[:_GOALS_TRIED]:
            if self._ways.try_way(i, goal):
                books.begin_errand(i, "charge")
                books.machines.stage[i] = TO_CHARGE
                books.since_us[i] = books.time_us
                return True
        return False

    def _someone_needs_a_station(self) -> bool:
        """Whether an AGV is low and on no way to a station."""
        machines = self._books.machines
        going = (machines.stage == ON_CHARGE) | (machines.stage == TO_CHARGE)
        return bool((~going & (machines.battery < self._books.config.agvs.battery.low_share)).any())

    def _rest(self, i: int) -> bool:
        """Without an order: charge if the battery can take it, else wait on a park, off the charging stations at least."""
        books, graph = self._books, self._books.graph
        here = int(books.traffic.path[i, books.traffic.head_k[i]])
        in_demand = books.chargers.size > 0 and self._someone_needs_a_station()
        wants_charge = books.chargers.size > 0 and books.machines.battery[i] < books.config.agvs.battery.idle_share
        if wants_charge and not in_demand and self._to_charger(i):
            return True
        if here in self._parks and not (in_demand and here in books.chargers):
            return False
        heads = books.heads()
        free = [int(p) for p in self._parks if p not in books.goal and p not in heads]
        if not free and in_demand and here in books.chargers:
            free = [v for v in range(len(graph.node_id)) if v not in heads and v not in books.chargers]
        for goal in sorted(free, key=lambda p: (graph.time_s[here, p], p))[:_GOALS_TRIED]:
            if self._ways.go_aside(i, goal):
                return True
        return False

    def mind_batteries(self) -> None:
        """Once a second: help AGVs that ran empty, and share the stations.

        An AGV that is charged enough leaves its station where another one that is low finds none free.
        """
        books, machines, battery = self._books, self._books.machines, self._books.config.agvs.battery
        if books.time_us < self._next_stations_us or not books.chargers.size:
            return
        self._next_stations_us = books.time_us + _STATIONS_PERIOD_US
        for i in np.flatnonzero(machines.battery == 0.0):
            self._empty_since_us.setdefault(int(i), books.time_us)
            if books.time_us - self._empty_since_us[int(i)] >= battery.rescue_time_s * 1e6:
                machines.battery[i] = battery.enough_share
                del self._empty_since_us[int(i)]
                self.rescued += 1
        charging = machines.stage == ON_CHARGE
        going = charging | (machines.stage == TO_CHARGE)
        if going.sum() < books.chargers.size or not self._someone_needs_a_station():
            return
        fullest = int(np.where(charging, machines.battery, -1.0).argmax())
        if charging[fullest] and machines.battery[fullest] >= battery.enough_share:
            machines.stage[fullest] = IDLE

    def drop_order(self, i: int) -> None:
        """Let go of AGV ``i``'s order after a cancelOrder; what it has loaded is brought away as a new transport."""
        books = self._books
        if books.order_id[i] >= 0:
            self.cancelled += 1
            books.order_id[i] = -1
        if books.loaded[i]:
            self._take_order(i)
            books.machines.stage[i] = WANT_DROP
        else:
            books.machines.stage[i] = IDLE
