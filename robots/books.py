"""What a fleet knows of itself, in one place that its parts share: where AGVs are, what they are about, who holds which lane.

:class:`robots.ways.Ways` gives AGVs their ways, :class:`robots.dispatch.Dispatch` decides what each of them is about,
:class:`robots.outside.OutsideOrders` carries out orders from outside; :class:`robots.fleet.Fleet` steps them all.
"""

from __future__ import annotations

import numpy as np

from robots import agv as kernel
from robots.agv import IDLE
from robots.config import RobotsConfig
from robots.edge_costs import EdgeCosts
from robots.rightofway import lanes_of, new_schedule
from robots.routes import BoolArray, FloatArray, Graph, IntArray
from robots.state import COMMUNICATION, DRIVING, NO_ORDER
from robots.tables import FLAG, REAL, WHOLE, machines_of, new_tables, pack_lanes, traffic_of

START_UPDATE = -1  # orderUpdateId before the first way of an order is known


class Books:
    """State of a fleet of n AGVs on a graph, shared by its parts and changed by them.

    Parameters
    ----------
    config : the robots section.
    rng : draws picks, drops and loads.

    Attributes
    ----------
    graph, lanes, lane_tables : the routes, their kernels' arrays, and those packed. costs : what edges cost beside time.
    tables, traffic, machines : the AGVs, packed and as views. time_us : now [us].
    since_us, order_id, loaded, load_height_m : (n,) further views. load_kind : (n,) index of the kind of load, -1 for none.
    schedule, scratch : the known way out of the present state, and room for the search.
    goal : (n,) node that an AGV's way leads to, -1 before the first. chargers : nodes where AGVs charge.
    errand, errand_kind : number and kind of the order an AGV is on; charging and stepping aside count as orders.
    first_sequence : (n,) VDA 5050 sequenceId of the first node of an AGV's path.
    way_changes : (n,) how often its way was changed.
    told_from : (n,) what an order's updates are counted from: what is known of it in the step in which it got its first way.
    new_errands : AGVs whose order has begun and was not numbered yet.
    pick_sequence : (n,) sequenceId of the node where the transport was loaded, -1 before.
    """

    def __init__(self, config: RobotsConfig, rng: np.random.Generator) -> None:
        self.config, self.rng = config, rng
        self.graph = graph = Graph(config.routes, config.agvs)
        self.n = n = config.agvs.count
        self.lanes = lanes_of(graph)
        self.lane_tables = pack_lanes(self.lanes)
        self.costs = EdgeCosts(graph, config.routing)
        self.chargers = graph.charging_nodes()
        self.drive = kernel.drive_of(config.agvs, config.safety, has_battery=bool(self.chargers.size))
        self.numbers = np.array(self.drive, np.float64)
        n_nodes = len(graph.node_id)
        start = graph.start_nodes(n)
        self.tables = tables = new_tables(n, 3 * n_nodes + 16, n_nodes, graph.n_lanes)
        whole, real, flag, position_m, path, holder, version, ledger = tables
        self.traffic = traffic_of.py_func(n_nodes, whole, real, flag, path, holder, version)
        self.machines = machines_of.py_func(whole, real, flag, position_m, ledger)
        self.since_us, self.order_id = whole[WHOLE.index("since_us")], whole[WHOLE.index("order_id")]
        self.loaded, self.load_height_m = flag[FLAG.index("loaded")], real[REAL.index("load_height_m")]
        self.load_kind = np.full(n, -1, np.int64)
        self.traffic.path[:, 0] = start
        self.traffic.heading_rad[:] = [graph.edge_yaw_rad[graph.out_edge[graph.out_start[v]]] for v in start]
        self.traffic.node_holder[start] = np.arange(n)
        self.machines.position_m[:] = graph.node_xy[start]
        self.machines.mode[:], self.machines.stage[:] = NO_ORDER, IDLE
        self.machines.battery[:] = rng.uniform(0.5, 1.0, n) if self.chargers.size else 1.0
        self.schedule, self.scratch = new_schedule(), new_schedule()
        self.goal = np.full(n, -1, np.int64)
        self.errand = np.full(n, -1, np.int64)
        self.errand_kind = ["" for _ in range(n)]
        self.first_sequence = np.zeros(n, np.int64)
        self.way_changes = np.full(n, START_UPDATE, np.int64)
        self.pick_sequence = np.full(n, -1, np.int64)
        self.told_from = np.zeros(n, np.int64)
        self.new_errands: set[int] = set()
        self._next_errand = 0
        self.time_us = 0

    def begin_errand(self, i: int, kind: str, number: int | None = None, has_way: bool = True) -> None:
        """Note that AGV ``i``, which stands, begins a new order; its sequence starts on the node it stands on.

        Parameters
        ----------
        i : AGV. kind : ``transport``, ``charge`` or ``park``. number : its number, the next one of its kind when absent.
        has_way : whether the order's way is known already, so that what is known is its orderUpdateId 0.
        """
        if number is None:
            number, self._next_errand = self._next_errand, self._next_errand + 1
        self.errand[i], self.errand_kind[i] = number, kind
        self.first_sequence[i] = -2 * self.traffic.at_k[i]
        self.way_changes[i] = START_UPDATE + has_way
        self.told_from[i] = 0
        self.new_errands.add(i)

    def number_errands(self) -> None:
        """At the end of a step, let what is known of new orders that have a way be their orderUpdateId 0."""
        for i in sorted(self.new_errands):
            if self.way_changes[i] > START_UPDATE:
                self.told_from[i] = self.way_changes[i] + self.released(i)
                self.new_errands.discard(i)

    def released(self, i: int) -> int:
        """Nodes released to AGV ``i`` since its order began."""
        return int(self.first_sequence[i]) // 2 + int(self.traffic.head_k[i])

    def update_id(self, i: int) -> int:
        """VDA 5050 orderUpdateId of AGV ``i``'s order: rises with every change of its way and every node released."""
        return max(0, int(self.way_changes[i]) + self.released(i) - int(self.told_from[i]))

    def set_path(self, i: int, path: IntArray, head_k: int) -> None:
        """Replace AGV ``i``'s path by one that starts on the node it passed last; released up to index ``head_k``."""
        self.first_sequence[i] += 2 * self.traffic.at_k[i]
        self.traffic.path[i, : path.size] = path
        self.traffic.path_len[i] = path.size
        self.traffic.head_k[i] = head_k
        self.traffic.at_k[i] = 0

    def heads(self) -> IntArray:
        """Nodes (n,) on which AGVs will stand when they have driven what is released to them."""
        return self.traffic.path[np.arange(self.n), self.traffic.head_k]

    def head_yaw(self, i: int) -> float:
        """Heading with which AGV ``i`` will arrive there [rad]."""
        traffic, k = self.traffic, self.traffic.head_k[i]
        if k == 0:
            return float(traffic.heading_rad[i])
        return float(self.graph.edge_yaw_rad[self.graph.edge_of[traffic.path[i, k - 1], traffic.path[i, k]]])

    def ended(self) -> BoolArray:
        """Tell which AGVs (n,) have been released their whole way."""
        return np.asarray(self.traffic.head_k == self.traffic.path_len - 1)

    def standing(self) -> BoolArray:
        """Tell which AGVs (n,) stand for another reason than the radio."""
        mode = self.machines.mode
        return np.asarray((mode != DRIVING) & (mode != COMMUNICATION))

    def height_m(self, i: int) -> float:
        """Height of AGV ``i`` with its load [m]."""
        return float(self.config.agvs.body_height_m + self.load_height_m[i])

    def penalty_s(self, i: int, congestion_s: FloatArray | None) -> FloatArray | None:
        """Cost of every edge (E,) for AGV ``i`` beside the driving time [s], None for none."""
        penalty, extra = congestion_s, self.costs.extra_s
        if penalty is not None and self.costs.time_weight != 1.0:
            penalty = self.costs.time_weight * penalty
        if extra is not None:
            penalty = extra if penalty is None else penalty + extra
        if self.graph.edge_low.any() and self.loaded[i]:
            low = np.where(self.graph.edge_max_height_m < self.height_m(i), np.inf, 0.0)
            penalty = low if penalty is None else penalty + low
        return penalty
