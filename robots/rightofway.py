"""Right of way without deadlock: who may drive onto which lane next.

Invariant: for the fleet's present state (where every AGV will stand when it has driven what is released to it, and which path
it still has to its goal) a *schedule* is known: a list of single moves after which every AGV has reached its goal. A lane is
released, and a new path accepted, only where a schedule is found for the state afterwards (a banker's check); so somebody can
always move, and the first move of the schedule known last is the way out if all wait for each other. AGVs that have reached
their goal may be moved aside in a schedule, since they get a new goal or can be sent away.

The search is greedy and may refuse a state that has a schedule, never accept one that has none:

1. AGVs whose whole way is free of AGVs that are still to arrive drive to their goal, in any order, until none can; arrived
   ones are pushed on before them, or moved off their way first;
2. the others advance by one section (a one-way lane, or all two-way lanes in a row together with what follows them), unless
   this closes a circle of AGVs that wait for each other; then again 1;
3. where even that fails, by one section as far as the next junction.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from robots.routes import STRAIGHT_RAD, BoolArray, FloatArray, Graph, IntArray

MAX_MOVES = 8192
_PUSHES = 4


class Lanes(NamedTuple):
    """The arrays of :class:`robots.routes.Graph` that kernels use."""

    node_xy: FloatArray
    edge_of: IntArray
    edge_end: IntArray
    edge_lane: IntArray
    edge_two_way: BoolArray
    edge_length_m: FloatArray
    edge_speed_mps: FloatArray
    edge_yaw_rad: FloatArray
    release_m: FloatArray
    junction: BoolArray
    out_start: IntArray
    out_edge: IntArray
    lane_lane_start: IntArray
    lane_lane: IntArray
    lane_node_start: IntArray
    lane_node: IntArray
    node_lane_start: IntArray
    node_lane: IntArray
    edge_low: BoolArray


def lanes_of(graph: Graph) -> Lanes:
    """Take the kernels' arrays out of a graph."""
    return Lanes(
        graph.node_xy,
        graph.edge_of,
        graph.edge_end,
        graph.edge_lane,
        graph.edge_two_way,
        graph.edge_length_m,
        graph.edge_speed_mps,
        graph.edge_yaw_rad,
        graph.release_m,
        graph.junction,
        graph.out_start,
        graph.out_edge,
        *graph.lane_lanes,
        *graph.lane_nodes,
        *graph.node_lanes,
        graph.edge_low,
    )


class Traffic(NamedTuple):
    """Where AGVs are on their paths and what they hold; changed in place by the kernels.

    Attributes
    ----------
    path : (n, P) nodes of each AGV's path. path_len : (n,) nodes in it.
    at_k : (n,) index of the node passed last. along_m : (n,) distance driven from it [m].
    head_k : (n,) index of the last released node: the path up to it is VDA 5050's base, the rest its horizon.
    freed : (n,) whether the node passed last is released again.
    heading_rad, speed_mps : (n,).
    node_holder : (N,) AGV that holds a node, -1 for none. lane_holder : (L,) likewise.
    version : (1,) counts changes of the above. refused : (n,) version at which an AGV's next lane was refused.
    paused : (n,) AGVs that a startPause keeps from driving.
    """

    path: IntArray
    path_len: IntArray
    at_k: IntArray
    along_m: FloatArray
    head_k: IntArray
    freed: BoolArray
    heading_rad: FloatArray
    speed_mps: FloatArray
    node_holder: IntArray
    lane_holder: IntArray
    version: IntArray
    refused: IntArray
    paused: BoolArray


class Schedule(NamedTuple):
    """Moves ``(agv, node)`` after which all have arrived; those from ``first`` (1,) up to ``end`` (1,) are still to be made."""

    agv: IntArray
    node: IntArray
    first: IntArray
    end: IntArray


def new_schedule() -> Schedule:
    """Build an empty schedule."""
    return Schedule(np.zeros(MAX_MOVES, np.int64), np.zeros(MAX_MOVES, np.int64), np.zeros(1, np.int64), np.zeros(1, np.int64))


@numba.njit(cache=True)
def _blocker(agv: int, a: int, b: int, occupant: IntArray, lanes: Lanes) -> int:
    """AGV at rest that keeps ``agv`` from driving from node a to b, -1 for none."""
    if occupant[b] >= 0 and occupant[b] != agv:
        return int(occupant[b])
    lane = lanes.edge_lane[lanes.edge_of[a, b]]
    for at in range(lanes.lane_node_start[lane], lanes.lane_node_start[lane + 1]):
        other = occupant[lanes.lane_node[at]]
        if other >= 0 and other != agv:
            return int(other)
    return -1


@numba.njit(cache=True)
def _push(
    node: int, taboo: BoolArray, occupant: IntArray, place: IntArray, waiting: BoolArray, lanes: Lanes, out: Schedule
) -> bool:
    """Move the arrived AGV at ``node`` away, pushing other arrived ones before it, to the nearest free node that is not taboo."""
    n_nodes = occupant.shape[0]
    before = np.full(n_nodes, -2, np.int64)
    queue = np.empty(n_nodes, np.int64)
    queue[0] = node
    before[node] = -1
    first, last, hole = 0, 1, -1
    while first < last and hole < 0:
        a = queue[first]
        first += 1
        for at in range(lanes.out_start[a], lanes.out_start[a + 1]):
            b = lanes.edge_end[lanes.out_edge[at]]
            if before[b] != -2 or lanes.edge_low[lanes.out_edge[at]]:
                continue
            if occupant[b] >= 0 and waiting[occupant[b]]:
                continue
            lane = lanes.edge_lane[lanes.out_edge[at]]
            clear = True
            for near in range(lanes.lane_node_start[lane], lanes.lane_node_start[lane + 1]):
                clear = clear and occupant[lanes.lane_node[near]] < 0
            if not clear:
                continue
            before[b] = a
            if occupant[b] < 0 and not taboo[b]:
                hole = b
                break
            queue[last] = b
            last += 1
    if hole < 0:
        return False
    b = hole
    while before[b] >= 0:  # from the hole backwards: each AGV on the way drives on to where the last one left from
        a = before[b]
        while occupant[a] < 0:
            a = before[a]
        agv, first = occupant[a], 0
        step = b
        while step != a:
            queue[first] = step
            first += 1
            step = before[step]
        for j in range(first - 1, -1, -1):
            if out.end[0] >= MAX_MOVES:
                return False
            out.agv[out.end[0]] = agv
            out.node[out.end[0]] = queue[j]
            out.end[0] += 1
        occupant[b] = agv
        place[agv] = b
        occupant[a] = -1
        b = a
    return True


@numba.njit(cache=True)
def _drive(
    agv: int,
    until_k: int,
    clear_first: bool,
    path: IntArray,
    k: IntArray,
    occupant: IntArray,
    place: IntArray,
    waiting: BoolArray,
    lanes: Lanes,
    out: Schedule,
) -> bool:
    """Move one AGV along its path to index ``until_k``, pushing arrived ones; False where it cannot.

    Arrived ones are pushed on when the AGV comes to them, or with ``clear_first`` off its whole path before it starts (out of a
    dead end that it wants to enter).
    """
    taboo = np.zeros(occupant.shape[0], np.bool_)
    for j in range(k[agv], until_k):
        b = _blocker(agv, path[agv, j], path[agv, j + 1], occupant, lanes)
        if b >= 0 and waiting[b]:
            return False
    if clear_first:
        for j in range(k[agv], until_k + 1):
            taboo[path[agv, j]] = True
        for j in range(until_k, k[agv], -1):
            if occupant[path[agv, j]] >= 0 and occupant[path[agv, j]] != agv:
                _push(path[agv, j], taboo, occupant, place, waiting, lanes, out)
        taboo[:] = False
    while k[agv] < until_k:
        a, b = path[agv, k[agv]], path[agv, k[agv] + 1]
        for _ in range(_PUSHES):
            other = _blocker(agv, a, b, occupant, lanes)
            if other < 0:
                break
            taboo[b] = True
            pushed = not waiting[other] and _push(place[other], taboo, occupant, place, waiting, lanes, out)
            taboo[b] = False
            if not pushed:
                return False
        if _blocker(agv, a, b, occupant, lanes) >= 0 or out.end[0] >= MAX_MOVES:
            return False
        out.agv[out.end[0]] = agv
        out.node[out.end[0]] = b
        out.end[0] += 1
        occupant[a] = -1
        occupant[b] = agv
        place[agv] = b
        k[agv] += 1
    return True


@numba.njit(cache=True)
def _in_circle(agv: int, path: IntArray, k: IntArray, occupant: IntArray, waiting: BoolArray, lanes: Lanes) -> bool:
    """Whether the chain of AGVs that wait for each other from ``agv`` on closes."""
    j = agv
    for _ in range(k.shape[0] + 1):
        other = _blocker(j, path[j, k[j]], path[j, k[j] + 1], occupant, lanes)
        if other < 0 or not waiting[other]:
            return False
        j = other
    return True


@numba.njit(cache=True)
def find_schedule(path: IntArray, path_len: IntArray, head_k: IntArray, lanes: Lanes, out: Schedule) -> bool:
    """Find a schedule for the state in which every AGV stands on its last released node; written to ``out``."""
    n, n_nodes = path.shape[0], lanes.node_xy.shape[0]
    occupant = np.full(n_nodes, -1, np.int64)
    place = np.empty(n, np.int64)
    k = head_k.copy()
    waiting = np.empty(n, np.bool_)
    left = 0
    for i in range(n):
        place[i] = path[i, k[i]]
        occupant[place[i]] = i
        waiting[i] = k[i] < path_len[i] - 1
        left += waiting[i]
    out.first[0] = 0
    out.end[0] = 0
    occupant_0, place_0 = occupant.copy(), place.copy()
    while left > 0:
        progress = False
        for section in range(4):
            for i in range(n):
                if not waiting[i]:
                    continue
                until = path_len[i] - 1
                if section >= 2:
                    until = k[i] + 1
                    while until < path_len[i] - 1:
                        node = path[i, until]
                        if not lanes.edge_two_way[lanes.edge_of[path[i, until - 1], node]] or (
                            section == 3 and lanes.junction[node]
                        ):
                            break
                        until += 1
                occupant_0[:] = occupant
                place_0[:] = place
                k_0, count_0 = k[i], out.end[0]
                done = _drive(i, until, section == 1, path, k, occupant, place, waiting, lanes, out)
                if done and k[i] < path_len[i] - 1 and _in_circle(i, path, k, occupant, waiting, lanes):
                    done = False
                if done:
                    progress = True
                    if k[i] == path_len[i] - 1:
                        waiting[i] = False
                        left -= 1
                else:
                    occupant[:] = occupant_0
                    place[:] = place_0
                    k[i] = k_0
                    out.end[0] = count_0
            if progress:
                break
        if not progress:
            return False
    return True


@numba.njit(cache=True)
def lane_is_free(agv: int, a: int, b: int, traffic: Traffic, lanes: Lanes) -> bool:
    """Whether nobody else holds node b, the lane to it, or anything too close to either."""
    lane = lanes.edge_lane[lanes.edge_of[a, b]]
    node_holder, lane_holder = traffic.node_holder, traffic.lane_holder
    if (node_holder[b] >= 0 and node_holder[b] != agv) or (lane_holder[lane] >= 0 and lane_holder[lane] != agv):
        return False
    for at in range(lanes.lane_lane_start[lane], lanes.lane_lane_start[lane + 1]):
        holder = lane_holder[lanes.lane_lane[at]]
        if holder >= 0 and holder != agv:
            return False
    for at in range(lanes.lane_node_start[lane], lanes.lane_node_start[lane + 1]):
        holder = node_holder[lanes.lane_node[at]]
        if holder >= 0 and holder != agv:
            return False
    for at in range(lanes.node_lane_start[b], lanes.node_lane_start[b + 1]):
        holder = lane_holder[lanes.node_lane[at]]
        if holder >= 0 and holder != agv:
            return False
    return True


@numba.njit(cache=True)
def take_lane(agv: int, traffic: Traffic, lanes: Lanes) -> None:
    """Release the next lane of its path to an AGV."""
    k = traffic.head_k[agv]
    a, b = traffic.path[agv, k], traffic.path[agv, k + 1]
    traffic.node_holder[b] = agv
    traffic.lane_holder[lanes.edge_lane[lanes.edge_of[a, b]]] = agv
    traffic.head_k[agv] = k + 1
    traffic.version[0] += 1


@numba.njit(cache=True)
def base_left_m(agv: int, traffic: Traffic, lanes: Lanes) -> float:
    """Way that is still released to an AGV [m]."""
    left = -traffic.along_m[agv]
    for k in range(traffic.at_k[agv], traffic.head_k[agv]):
        left += lanes.edge_length_m[lanes.edge_of[traffic.path[agv, k], traffic.path[agv, k + 1]]]
    return float(left)


@numba.njit(cache=True)
def release_lanes(
    rank: IntArray, held: BoolArray, deceleration_mps2: float, traffic: Traffic, lanes: Lanes, known: Schedule, scratch: Schedule
) -> int:
    """Release the lanes that AGVs need next, as far as they are free and the state stays safe.

    Parameters
    ----------
    rank : (n,) AGVs in the order in which they are asked.
    held : (n,) AGVs in a protective stop, which get nothing, like those that are paused.
    deceleration_mps2 : service deceleration, which sets how far ahead an AGV needs its way.
    traffic, lanes : state, changed in place, and graph.
    known : the schedule of the present state, replaced on every release. scratch : room for the search.

    Returns
    -------
    Number of lanes released.
    """
    released = 0
    for agv in rank:
        while True:
            k = traffic.head_k[agv]
            if held[agv] or traffic.paused[agv] or k >= traffic.path_len[agv] - 1 or traffic.refused[agv] == traffic.version[0]:
                break
            a, b = traffic.path[agv, k], traffic.path[agv, k + 1]
            speed = traffic.speed_mps[agv]
            ahead = speed * speed / (2.0 * deceleration_mps2) + 0.6 * speed + 0.3
            if k > traffic.at_k[agv]:
                change = lanes.edge_yaw_rad[lanes.edge_of[a, b]] - lanes.edge_yaw_rad[lanes.edge_of[traffic.path[agv, k - 1], a]]
                if abs((change + np.pi) % (2 * np.pi) - np.pi) >= STRAIGHT_RAD:
                    ahead = 0.3  # it stops here to turn, more is not needed yet
            if base_left_m(agv, traffic, lanes) > ahead:
                break
            granted = False
            if lane_is_free(agv, a, b, traffic, lanes):
                if known.first[0] < known.end[0] and known.agv[known.first[0]] == agv and known.node[known.first[0]] == b:
                    granted = True  # the known schedule's own first move: what remains of it is the next one
                    known.first[0] += 1
                else:
                    traffic.head_k[agv] = k + 1
                    granted = find_schedule(traffic.path, traffic.path_len, traffic.head_k, lanes, scratch)
                    traffic.head_k[agv] = k
                    if granted:
                        known.first[0] = 0
                        known.end[0] = scratch.end[0]
                        known.agv[: scratch.end[0]] = scratch.agv[: scratch.end[0]]
                        known.node[: scratch.end[0]] = scratch.node[: scratch.end[0]]
            if not granted:
                traffic.refused[agv] = traffic.version[0]
                break
            take_lane(agv, traffic, lanes)
            released += 1
    return released


@numba.njit(cache=True)
def next_move(ready: BoolArray, traffic: Traffic, lanes: Lanes, known: Schedule) -> int:
    """Index of the first move of the known schedule that can be made now, -1 for none.

    A move may overtake earlier ones if none of them is by the same AGV or ends at the same node, and no lane is near that node:
    then it is in nobody's way, and what remains is a schedule again.

    Parameters
    ----------
    ready : (n,) AGVs that may be moved. traffic, lanes, known : state, graph and schedule.
    """
    seen = np.zeros(ready.shape[0], np.bool_)
    touched = np.zeros(lanes.node_xy.shape[0], np.bool_)
    for at in range(known.first[0], known.end[0]):
        agv, node = known.agv[at], known.node[at]
        alone = lanes.node_lane_start[node] == lanes.node_lane_start[node + 1]
        if not seen[agv] and not touched[node] and ready[agv] and (alone or at == known.first[0]):
            if lane_is_free(agv, traffic.path[agv, traffic.head_k[agv]], node, traffic, lanes):
                return at
        seen[agv] = True
        touched[node] = True
    return -1


@numba.njit(cache=True)
def congestion_s(agv: int, standing: BoolArray, traffic: Traffic, lanes: Lanes) -> FloatArray:
    """Time that other AGVs are likely to cost on each directed edge (E,) [s]: stand in the way, or come against it."""
    n_edges = lanes.edge_end.shape[0]
    cost = np.zeros(n_edges)
    standing_at = np.zeros(lanes.node_xy.shape[0])
    for j in range(traffic.path.shape[0]):
        if j == agv:
            continue
        if standing[j]:
            standing_at[traffic.path[j, traffic.head_k[j]]] = 8.0
        for k in range(traffic.at_k[j], traffic.path_len[j] - 1):
            against = lanes.edge_of[traffic.path[j, k + 1], traffic.path[j, k]]
            if against >= 0:
                cost[against] += 10.0
            cost[lanes.edge_of[traffic.path[j, k], traffic.path[j, k + 1]]] += 0.5
    for e in range(n_edges):
        cost[e] += standing_at[lanes.edge_end[e]]
    return cost
