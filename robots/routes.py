"""The AGVs' route graph as arrays: lanes, which of them are too close to share, shortest time paths.

Invariant that the right of way builds on: centres of two AGVs that are ``clearance_m`` apart never touch, whatever their
headings. Two lanes or nodes closer than that are in conflict and are never held by two AGVs at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias

import numba
import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components, dijkstra

if TYPE_CHECKING:
    from robots.agv_config import AgvsConfig
    from robots.config import RoutesConfig

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]

ACTIONS = ("", "pick", "drop", "charge", "park")
STRAIGHT_RAD = np.deg2rad(8.0)  # below this change of direction an AGV drives through a node without stopping
_STOP_AND_GO_S = 2.0  # time that stopping for a turn costs beside the turn itself


def _directed(routes: RoutesConfig) -> list[tuple[int, int, int]]:
    """Directed edges as (start node, end node, lane)."""
    index = {node.id: i for i, node in enumerate(routes.nodes)}
    edges = []
    for lane, edge in enumerate(routes.edges):
        edges.append((index[edge.start], index[edge.end], lane))
        if edge.two_way:
            edges.append((index[edge.end], index[edge.start], lane))
    return edges


def unreachable_pair(routes: RoutesConfig) -> tuple[str, str] | None:
    """First pair of nodes with an action of which the second cannot be reached from the first, None if there is none."""
    n = len(routes.nodes)
    busy = [i for i, node in enumerate(routes.nodes) if node.action is not None]
    if len(busy) < 2:
        return None
    edges = _directed(routes)
    matrix = csr_matrix((np.ones(len(edges)), ([e[0] for e in edges], [e[1] for e in edges])), shape=(n, n))
    far = np.isinf(dijkstra(matrix, indices=busy, unweighted=True)[:, busy])
    if not far.any():
        return None
    a, b = np.argwhere(far)[0]
    return routes.nodes[busy[a]].id, routes.nodes[busy[b]].id


def _rows(pairs: Iterable[tuple[int, int]], n_rows: int) -> tuple[IntArray, IntArray]:
    """Compressed rows ``(start (n_rows + 1,), item)`` of ``(row, item)`` pairs."""
    rows: list[list[int]] = [[] for _ in range(n_rows)]
    for row, item in pairs:
        rows[row].append(item)
    start = np.zeros(n_rows + 1, np.int64)
    start[1:] = np.cumsum([len(r) for r in rows])
    return start, np.array([i for r in rows for i in r], np.int64)


def point_segment_distance(point: FloatArray, start: FloatArray, end: FloatArray) -> FloatArray:
    """Distance between points (..., 2) and segments (..., 2) in m."""
    along = end - start
    share = np.clip(np.sum((point - start) * along, -1) / np.maximum(np.sum(along * along, -1), 1e-12), 0.0, 1.0)
    return np.asarray(np.linalg.norm(point - start - share[..., None] * along, axis=-1))


def segment_distance(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> FloatArray:
    """Distance between the plane segments a-b and c-d, arrays (..., 2) in m."""

    def side(p: FloatArray, q: FloatArray, r: FloatArray) -> FloatArray:
        return np.asarray((q[..., 0] - p[..., 0]) * (r[..., 1] - p[..., 1]) - (q[..., 1] - p[..., 1]) * (r[..., 0] - p[..., 0]))

    crossing = (side(a, b, c) * side(a, b, d) < 0) & (side(c, d, a) * side(c, d, b) < 0)
    near = np.minimum(
        np.minimum(point_segment_distance(a, c, d), point_segment_distance(b, c, d)),
        np.minimum(point_segment_distance(c, a, b), point_segment_distance(d, a, b)),
    )
    return np.where(crossing, 0.0, near)


class Graph:
    """Route graph of one kind of AGV, reduced to the nodes that all reach each other.

    Parameters
    ----------
    routes : the graph.
    agvs : size, speed and turn rate of the vehicles.

    Attributes
    ----------
    node_id : names of the N nodes. node_xy : (N, 2) [m]. node_action : (N,) index into ``ACTIONS``.
    edge_start, edge_end : (E,) nodes of directed edges; edge_lane : (E,) undirected lane; edge_two_way : (E,).
    edge_length_m, edge_speed_mps, edge_yaw_rad, edge_time_s : (E,).
    edge_of : (N, N) directed edge from node to node, -1 for none.
    release_m : (E,) how far from its start an AGV frees the start node, inf where only at the end.
    edge_max_height_m : (E,) how high vehicle and load may be, inf where nothing is said.
    edge_low : (E,) whether that is less than the highest load needs; nobody is sent aside over such an edge.
    junction : (N,) nodes with more than two neighbours.
    out_start, out_edge : edges that leave each node, compressed rows.
    lane_lanes, lane_nodes, node_lanes : conflicts between lanes, lanes and nodes, compressed rows.
    time_s : (N, N) shortest driving time without turns [s].
    clearance_m : centres kept this far apart never touch [m].
    """

    def __init__(self, routes: RoutesConfig, agvs: AgvsConfig) -> None:
        self.clearance_m = agvs.clearance_m
        self.turn_rad_per_s = float(np.deg2rad(agvs.turn_rate_deg_per_s))
        n_all = len(routes.nodes)
        edges = _directed(routes)
        keep = self._core(routes, n_all, edges)
        new = np.full(n_all, -1)
        new[keep] = np.arange(len(keep))
        self.node_id = tuple(routes.nodes[i].id for i in keep)
        self.node_xy = np.array([routes.nodes[i].position_m for i in keep], float).reshape(-1, 2)
        self.node_action = np.array([ACTIONS.index(routes.nodes[i].action or "") for i in keep], np.int64)
        n = len(keep)
        inside = [(int(new[a]), int(new[b]), lane) for a, b, lane in edges if new[a] >= 0 and new[b] >= 0]
        lanes = sorted({lane for _, _, lane in inside})
        lane_of = {lane: i for i, lane in enumerate(lanes)}
        self.edge_start = np.array([e[0] for e in inside], np.int64)
        self.edge_end = np.array([e[1] for e in inside], np.int64)
        self.edge_lane = np.array([lane_of[e[2]] for e in inside], np.int64)
        self.edge_two_way = np.array([routes.edges[e[2]].two_way for e in inside], bool)
        limit = [routes.edges[e[2]].max_speed_mps or agvs.max_speed_mps for e in inside]
        self.edge_speed_mps = np.minimum(np.array(limit, float), agvs.max_speed_mps)
        heights = [routes.edges[e[2]].max_height_m for e in inside]
        self.edge_max_height_m = np.array([np.inf if h is None else h for h in heights], float)
        self.edge_low = self.edge_max_height_m < agvs.body_height_m + agvs.highest_load_m
        along = self.node_xy[self.edge_end] - self.node_xy[self.edge_start]
        self.edge_length_m = np.linalg.norm(along, axis=1)
        self.edge_yaw_rad = np.arctan2(along[:, 1], along[:, 0])
        self.edge_time_s = self.edge_length_m / self.edge_speed_mps
        self.edge_of = np.full((n, n), -1, np.int64)
        self.edge_of[self.edge_start, self.edge_end] = np.arange(len(inside))
        self.out_start, self.out_edge = _rows(((int(a), e) for e, a in enumerate(self.edge_start)), n)
        times = csr_matrix((self.edge_time_s, (self.edge_start, self.edge_end)), shape=(n, n))
        neighbours = np.zeros((n, n), bool)
        neighbours[self.edge_start, self.edge_end] = neighbours[self.edge_end, self.edge_start] = True
        self.junction = neighbours.sum(1) > 2
        self.time_s = dijkstra(times) if n else np.zeros((0, 0))
        self._find_conflicts(len(lanes))
        self.release_m = np.array([self._release(e) for e in range(len(inside))], float)

    @staticmethod
    def _core(routes: RoutesConfig, n_all: int, edges: list[tuple[int, int, int]]) -> IntArray:
        """Nodes of the strongly connected part that holds the nodes with an action (else of the largest part)."""
        if n_all == 0:
            return np.zeros(0, np.int64)
        matrix = csr_matrix((np.ones(len(edges)), ([e[0] for e in edges], [e[1] for e in edges])), shape=(n_all, n_all))
        _, part = connected_components(matrix, directed=True, connection="strong")
        busy = [i for i, node in enumerate(routes.nodes) if node.action is not None]
        chosen = part[busy[0]] if busy else np.bincount(part).argmax()
        return np.flatnonzero(part == chosen)

    def _find_conflicts(self, n_lanes: int) -> None:
        n = len(self.node_id)
        first = np.zeros((n_lanes, 2), np.int64)
        for e in range(len(self.edge_start) - 1, -1, -1):
            first[self.edge_lane[e]] = self.edge_start[e], self.edge_end[e]
        a, b = self.node_xy[first[:, 0]], self.node_xy[first[:, 1]]
        gap = segment_distance(a[:, None], b[:, None], a[None], b[None])
        shared = (first[:, None, :, None] == first[None, :, None, :]).any((2, 3))
        lane_lane = np.argwhere((gap < self.clearance_m) & ~shared)
        gap_node = point_segment_distance(self.node_xy[None], a[:, None], b[:, None])
        touches = (first[:, :, None] == np.arange(n)).any(1)
        lane_node = np.argwhere((gap_node < self.clearance_m) & ~touches)
        self.n_lanes = n_lanes
        self.lane_lanes = _rows(((int(i), int(j)) for i, j in lane_lane), n_lanes)
        self.lane_nodes = _rows(((int(i), int(j)) for i, j in lane_node), n_lanes)
        self.node_lanes = _rows(((int(j), int(i)) for i, j in lane_node), n)

    def _release(self, e: int) -> float:
        """Distance from the start of edge ``e`` from where on it is clear of the start node and of all its other edges [m]."""
        start, end = self.node_xy[self.edge_start[e]], self.node_xy[self.edge_end[e]]
        along_m = np.arange(0.0, self.edge_length_m[e], 0.01)
        point = start + along_m[:, None] * (end - start) / self.edge_length_m[e]
        clear = along_m >= self.clearance_m
        for other in range(len(self.edge_start)):
            if self.edge_lane[other] != self.edge_lane[e] and self.edge_start[e] in (
                self.edge_start[other],
                self.edge_end[other],
            ):
                a, b = self.node_xy[self.edge_start[other]], self.node_xy[self.edge_end[other]]
                clear &= point_segment_distance(point, a, b) >= self.clearance_m
        blocked = np.flatnonzero(~clear)
        last = int(blocked[-1]) if blocked.size else -1
        return float(along_m[last + 1]) if last + 1 < along_m.size else np.inf

    @property
    def capacity(self) -> int:
        """AGVs that these routes hold: at least as many nodes stay free as are taken."""
        return len(self.node_id) // 2

    def too_close(self) -> tuple[str, str, float] | None:
        """Find the closest two nodes and their distance [m] where two AGVs could not stand on both, None if there are none."""
        if len(self.node_id) < 2:
            return None
        gap = np.linalg.norm(self.node_xy[:, None] - self.node_xy[None], axis=2)
        np.fill_diagonal(gap, np.inf)
        a, b = np.unravel_index(gap.argmin(), gap.shape)
        return None if gap[a, b] >= self.clearance_m else (self.node_id[a], self.node_id[b], float(gap[a, b]))

    def nodes_with(self, action: str) -> IntArray:
        """Give the indices of the nodes with an action (a name of ``ACTIONS``)."""
        return np.flatnonzero(self.node_action == ACTIONS.index(action))

    def charging_nodes(self) -> IntArray:
        """Give the nodes where AGVs charge: those with action charge, or the parks where there are none."""
        stations = self.nodes_with("charge")
        return stations if stations.size else self.nodes_with("park")

    def too_low_for(self, height_m: float) -> tuple[str, str] | None:
        """First pick and drop between which nothing so high finds a way, None if there are none."""
        picks, drops = self.nodes_with("pick"), self.nodes_with("drop")
        high = self.edge_max_height_m >= height_m
        if high.all() or not picks.size or not drops.size:
            return None
        n = len(self.node_id)
        open_edges = csr_matrix((self.edge_time_s[high], (self.edge_start[high], self.edge_end[high])), shape=(n, n))
        shut = np.isinf(dijkstra(open_edges, indices=picks)[:, drops])
        if not shut.any():
            return None
        a, b = np.argwhere(shut)[0]
        return self.node_id[picks[a]], self.node_id[drops[b]]

    def edge_points(self, step_m: float = 1.0) -> tuple[FloatArray, IntArray]:
        """Give points along all directed edges, for whoever puts a number to each edge.

        Parameters
        ----------
        step_m : largest distance between two points of an edge [m].

        Returns
        -------
        point_m : (k, 2) [m]. edge : (k,) the edge that each lies on; every edge has at least one.
        """
        points, owner = [], []
        for e in range(len(self.edge_start)):
            a, b = self.node_xy[self.edge_start[e]], self.node_xy[self.edge_end[e]]
            parts = max(1, int(np.ceil(self.edge_length_m[e] / step_m)))
            share = (np.arange(parts) + 0.5) / parts
            points.append(a + share[:, None] * (b - a))
            owner.append(np.full(parts, e, np.int64))
        if not points:
            return np.zeros((0, 2)), np.zeros(0, np.int64)
        return np.concatenate(points), np.concatenate(owner)

    def start_nodes(self, count: int) -> IntArray:
        """Give nodes for ``count`` AGVs to start on: parks first, then nodes without an action, then others, spread out."""
        chosen: list[int] = []
        for group in (self.nodes_with("park"), self.nodes_with(""), np.flatnonzero(self.node_action > 0)):
            left = [int(v) for v in group if int(v) not in chosen]
            want = min(count - len(chosen), len(left))
            chosen += [left[k * len(left) // want] for k in range(want)]
        return np.array(chosen, np.int64)

    def plan(
        self, start: int, goal: int, heading_rad: float, penalty_s: FloatArray | None = None, time_weight: float = 1.0
    ) -> IntArray:
        """Cheapest path, turns included: the fastest one unless penalties say otherwise.

        Parameters
        ----------
        start, goal : nodes.
        heading_rad : heading at the start [rad].
        penalty_s : (E,) cost added to each directed edge [s], inf to forbid it.
        time_weight : what a second of driving or turning costs [s].

        Returns
        -------
        (k,) nodes from start to goal, both included; empty where penalties forbid every path.
        """
        cost = self.edge_time_s if time_weight == 1.0 else time_weight * self.edge_time_s
        if penalty_s is not None:
            cost = cost + penalty_s
        return np.asarray(
            shortest_path(
                start, goal, heading_rad, cost, self.edge_start, self.edge_end, self.edge_yaw_rad, self.out_start, self.out_edge,
                self.turn_rad_per_s, time_weight,
            )
        )  # fmt: skip


@numba.njit(cache=True)
def turn_time_s(from_rad: float, to_rad: float, turn_rad_per_s: float) -> float:
    """Time to turn in place, the stop for it included; 0 for a direction that is kept [s]."""
    change = abs((to_rad - from_rad + np.pi) % (2 * np.pi) - np.pi)
    return 0.0 if change < STRAIGHT_RAD else change / turn_rad_per_s + _STOP_AND_GO_S


@numba.njit(cache=True)
def shortest_path(start, goal, heading, cost, edge_start, edge_end, edge_yaw, out_start, out_edge, turn_rad_per_s, time_weight):  # type: ignore[no-untyped-def]
    """Dijkstra over directed edges, so that a turn between two edges has a cost; see :meth:`Graph.plan`."""
    n_edges = edge_start.shape[0]
    if start == goal:
        return np.full(1, start, np.int64)
    best = np.full(n_edges, np.inf)
    before = np.full(n_edges, -1, np.int64)
    done = np.zeros(n_edges, np.bool_)
    for at in range(out_start[start], out_start[start + 1]):
        e = out_edge[at]
        best[e] = cost[e] + time_weight * turn_time_s(heading, edge_yaw[e], turn_rad_per_s)
    last = -1
    while True:
        e, least = -1, np.inf
        for f in range(n_edges):
            if not done[f] and best[f] < least:
                e, least = f, best[f]
        if e < 0:
            return np.empty(0, np.int64)
        done[e] = True
        if edge_end[e] == goal:
            last = e
            break
        node = edge_end[e]
        for at in range(out_start[node], out_start[node + 1]):
            f = out_edge[at]
            reach = least + cost[f] + time_weight * turn_time_s(edge_yaw[e], edge_yaw[f], turn_rad_per_s)
            if reach < best[f]:
                best[f] = reach
                before[f] = e
    length, e = 1, last
    while e >= 0:
        length += 1
        e = before[e]
    path = np.empty(length, np.int64)
    e = last
    for k in range(length - 1, 0, -1):
        path[k] = edge_end[e]
        e = before[e]
    path[0] = start
    return path
