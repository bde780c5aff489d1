"""Which way an AGV takes, who is asked to make room, and when all stick to the known way out."""

from __future__ import annotations

import numpy as np

from robots.agv import ASIDE, IDLE, ON_CHARGE, WANT_DROP, WANT_PICK
from robots.books import Books
from robots.rightofway import congestion_s, find_schedule, lane_is_free, next_move, take_lane
from robots.routes import BoolArray, IntArray
from robots.state import NO_ORDER, QUEUE

RETRY_US = 500_000  # between two looks for a way for the same AGV
REROUTE_AFTER_US = 4_000_000  # in a queue, before another way is looked for
ASIDE_AFTER_US = 1_000_000  # in a queue behind an AGV without a way, before that one is sent aside
GRIDLOCK_AFTER_US = 5_000_000  # nobody moves, before the known schedule is carried out
PATIENCE_US = 120_000_000  # in a queue, before the known schedule is carried out
_PLACES_TRIED = 3
_AVOID_S = 600.0  # what a lane that somebody wants avoided counts as costing
_DETOUR_S = 20.0  # what the lane ahead counts as costing while an AGV that waits for it looks for another way


class Ways:
    """Ways of a fleet's AGVs; a way is only given where a schedule for all is known with it.

    Parameters
    ----------
    books : the fleet's state.

    Attributes
    ----------
    strict : whether the known schedule is carried out as it stands. ways_out : how often that was begun.
    starved_us : (n,) patience spent in queues [us]. try_at_us : (n,) no look for a way before this [us].
    """

    def __init__(self, books: Books) -> None:
        self._books = books
        n = books.n
        self.starved_us, self.try_at_us = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self._rerouted_us = np.zeros(n, np.int64)
        self.strict, self._strict_for = False, 0
        self.ways_out = 0
        self.last_progress_us = 0

    @property
    def strict_now(self) -> bool:
        """Whether moves of the known schedule are still to be carried out."""
        first, end = self._books.schedule.first, self._books.schedule.end
        return self.strict and bool(first[0] < end[0])

    def idle(self) -> BoolArray:
        """Tell which AGVs (n,) stand without anything to do here, and may be moved; those with orders from outside may not."""
        stage = self._books.machines.stage
        if self._books.config.agvs.orders_from == "outside":
            return np.zeros(self._books.n, np.bool_)
        return np.asarray((stage == IDLE) | (stage == WANT_PICK) | (stage == WANT_DROP))

    def stick_or_go(self, ended: BoolArray, wants: BoolArray, queued: BoolArray) -> bool:
        """Decide whether the known schedule is carried out; then nobody needs another way. Arguments (n,)."""
        books, now = self._books, self._books.time_us
        mode = books.machines.mode
        if not queued.any() or ((mode != QUEUE) & (mode != NO_ORDER)).any():
            self.last_progress_us = now
        known = bool(books.schedule.first[0] < books.schedule.end[0])
        if self.strict:
            if known and not (ended & ~wants)[self._strict_for]:
                return True
            self.strict = False  # it led out for the one it was for; the others' patience starts anew
            self.starved_us[:] = 0
        starved = self.starved_us >= PATIENCE_US
        if now - self.last_progress_us >= GRIDLOCK_AFTER_US:
            starved |= queued
        if starved.any() and known:
            self.strict = True
            self._strict_for = int(np.where(starved, books.since_us, now + 1).argmin())
            self.ways_out += 1
            return True
        return False

    def help_along(self, i: int, waited_us: int) -> None:
        """Do something for an AGV that waits in a queue: send away who stands in its way, or look for another way."""
        now = self._books.time_us
        self._send_blocker_aside(i)
        if waited_us >= REROUTE_AFTER_US and now - self._rerouted_us[i] >= REROUTE_AFTER_US:
            self._rerouted_us[i] = now
            self._reroute(i)

    def stir(self) -> None:
        """Nobody has a way and none is found from here: move one AGV to a free node next to it, by lot."""
        books, graph = self._books, self._books.graph
        heads = books.heads()
        j = int(books.rng.integers(books.n))
        out = graph.out_edge[graph.out_start[heads[j]] : graph.out_start[heads[j] + 1]]
        places = [int(v) for v in graph.edge_end[out] if v not in heads]
        if places:
            self.go_aside(j, places[int(books.rng.integers(len(places)))])

    def go_aside(self, i: int, place: int) -> bool:
        """Send an AGV that has nothing to do at a place to another; one that waits for a way goes on wanting it."""
        if not self.try_way(i, place):
            return False
        if self._books.machines.stage[i] == IDLE:
            self._books.begin_errand(i, "park")
            self._books.machines.stage[i] = ASIDE
        return True

    def try_way(self, i: int, goal: int) -> bool:
        """Give an AGV a way to a node if a schedule for all is found with it."""
        books, graph = self._books, self._books.graph
        weight = books.costs.time_weight
        crowded = books.penalty_s(i, congestion_s(i, books.standing(), books.traffic, books.lanes))
        head, yaw = int(books.heads()[i]), books.head_yaw(i)
        way = graph.plan(head, goal, yaw, crowded, weight)
        plain = graph.plan(head, goal, yaw, books.penalty_s(i, None), weight)
        if self.accept(i, way):
            return True
        return not np.array_equal(plain, way) and self.accept(i, plain)

    def accept(self, i: int, way: IntArray) -> bool:
        """Replace what lies beyond an AGV's released path by ``way`` (from its last released node) if that is safe."""
        books, traffic = self._books, self._books.traffic
        at, head, length = int(traffic.at_k[i]), int(traffic.head_k[i]), int(traffic.path_len[i])
        old, sequence = traffic.path[i, :length].copy(), int(books.first_sequence[i])
        new = np.concatenate((old[at : head + 1], way[1:]))
        if way.size == 0 or new.size > traffic.path.shape[1]:
            return False
        books.set_path(i, new, head - at)
        if find_schedule(traffic.path, traffic.path_len, traffic.head_k, books.lanes, books.scratch):
            books.schedule, books.scratch = books.scratch, books.schedule
            traffic.version[0] += 1
            books.goal[i] = way[-1]
            books.way_changes[i] += 1
            return True
        traffic.path[i, :length] = old
        traffic.path_len[i], traffic.head_k[i], traffic.at_k[i] = length, head, at
        books.first_sequence[i] = sequence
        return False

    def cut(self, i: int) -> None:
        """Let AGV ``i``'s way end at the next node where it can stop and where a schedule for all is known with it standing."""
        books, traffic, graph = self._books, self._books.traffic, self._books.graph
        at, head, length = int(traffic.at_k[i]), int(traffic.head_k[i]), int(traffic.path_len[i])
        path = traffic.path[i, :length].copy()
        edges = [int(graph.edge_of[path[k], path[k + 1]]) for k in range(at, head)]
        way_m = np.concatenate(([0.0], np.cumsum(graph.edge_length_m[edges]))) - traffic.along_m[i]
        needs_m = traffic.speed_mps[i] ** 2 / (2 * books.drive.deceleration) + 0.05 * float(traffic.speed_mps[i] > 0)
        for k in range(at, head + 1):
            if way_m[k - at] < needs_m:
                continue
            traffic.path_len[i], traffic.head_k[i] = k + 1, k
            if find_schedule(traffic.path, traffic.path_len, traffic.head_k, books.lanes, books.scratch):
                books.schedule, books.scratch = books.scratch, books.schedule
                kept = set(path[at : k + 1].tolist())
                kept_lanes = {int(graph.edge_lane[e]) for e in edges[: k - at]}
                for j in range(k, head):
                    node, lane = int(path[j + 1]), int(graph.edge_lane[edges[j - at]])
                    if node not in kept and traffic.node_holder[node] == i:
                        traffic.node_holder[node] = -1
                    if lane not in kept_lanes and traffic.lane_holder[lane] == i:
                        traffic.lane_holder[lane] = -1
                traffic.version[0] += 1
                books.goal[i] = path[k]
                books.way_changes[i] += 1
                return
        traffic.path_len[i], traffic.head_k[i] = length, head

    def _reroute(self, i: int) -> None:
        """Look for another way for an AGV that waits in a queue."""
        books, traffic = self._books, self._books.traffic
        k = int(traffic.head_k[i])
        rest = traffic.path[i, k : traffic.path_len[i]]
        crowded = congestion_s(i, books.standing(), traffic, books.lanes)
        crowded[books.graph.edge_of[rest[0], rest[1]]] += _DETOUR_S
        penalty = books.penalty_s(i, crowded)
        way = books.graph.plan(int(rest[0]), int(rest[-1]), books.head_yaw(i), penalty, books.costs.time_weight)
        if way.size < 2 or way[1] == rest[1] or not lane_is_free(i, int(way[0]), int(way[1]), traffic, books.lanes):
            return
        self.accept(i, way)

    def detour(self, i: int) -> tuple[int, int] | None:
        """Look for a way for AGV ``i`` to its goal that leaves out the next lane that is not released to it yet.

        Returns
        -------
        tuple of int or None
            The nodes of the lane that it avoids now; None where there is none ahead, or no other way that is safe for all.
        """
        books, traffic, graph = self._books, self._books.traffic, self._books.graph
        k = int(traffic.head_k[i])
        rest = traffic.path[i, k : traffic.path_len[i]].copy()
        if rest.size < 2 or self.strict_now:
            return None
        edge = int(graph.edge_of[rest[0], rest[1]])
        crowded = congestion_s(i, books.standing(), traffic, books.lanes)
        crowded[graph.edge_lane == graph.edge_lane[edge]] += _AVOID_S
        way = graph.plan(int(rest[0]), int(rest[-1]), books.head_yaw(i), books.penalty_s(i, crowded), books.costs.time_weight)
        if way.size < 2 or graph.edge_lane[graph.edge_of[way[0], way[1]]] == graph.edge_lane[edge]:
            return None
        return (int(rest[0]), int(rest[1])) if self.accept(i, way) else None

    def _send_blocker_aside(self, i: int) -> None:
        """Send away an AGV that stands without a way where another wants to go."""
        books, graph, traffic = self._books, self._books.graph, self._books.traffic
        k = int(traffic.head_k[i])
        a, b = int(traffic.path[i, k]), int(traffic.path[i, k + 1])
        lane = graph.edge_lane[graph.edge_of[a, b]]
        start, near = graph.lane_nodes
        heads = books.heads()
        for node in (b, *near[start[lane] : start[lane + 1]].tolist()):
            for j in np.flatnonzero(heads == node):
                if j != i and self.idle()[j] and traffic.head_k[j] == traffic.path_len[j] - 1:
                    self._send_aside(int(j), traffic.path[i, k : traffic.path_len[i]])

    def _send_aside(self, j: int, avoid: IntArray) -> None:
        """Give AGV ``j`` a way to a near free node, rather not one of ``avoid``."""
        books, graph = self._books, self._books.graph
        heads = books.heads()
        head, taken, in_the_way = int(heads[j]), set(heads.tolist()), set(avoid.tolist())
        places = [v for v in range(len(graph.node_id)) if v not in taken]
        places.sort(key=lambda v: (v in in_the_way, graph.time_s[head, v], v))
        for place in places[:_PLACES_TRIED]:
            if self.go_aside(j, place):
                return

    def follow_schedule(self, held: BoolArray) -> None:
        """Carry out the known schedule as far as it goes now: AGVs wait for each other too long, and it leads out."""
        books = self._books
        schedule, traffic, machines = books.schedule, books.traffic, books.machines
        while True:
            ended = books.ended()
            # who has arrived has to work before it can be moved; charging can be broken off
            ready = ~held & (~ended | self.idle() | (machines.stage == ON_CHARGE))
            at = next_move(ready, traffic, books.lanes, schedule)
            if at < 0:
                return
            i, node, k = int(schedule.agv[at]), int(schedule.node[at]), int(traffic.head_k[schedule.agv[at]])
            if ended[i] or traffic.path[i, k + 1] != node:
                if machines.stage[i] in (IDLE, ON_CHARGE):
                    books.begin_errand(i, "park", has_way=False)
                    machines.stage[i] = ASIDE
                books.set_path(i, np.append(traffic.path[i, traffic.at_k[i] : k + 1], node), k - int(traffic.at_k[i]))
                books.way_changes[i] += 1
            take_lane(i, traffic, books.lanes)
            first = int(schedule.first[0])
            schedule.agv[first + 1 : at + 1] = schedule.agv[first:at].copy()
            schedule.node[first + 1 : at + 1] = schedule.node[first:at].copy()
            schedule.first[0] += 1
