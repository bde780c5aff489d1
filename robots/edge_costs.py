"""What an edge costs beside time: expected silence of the radio and expected people, given from outside or remembered.

A room that knows more may say it (:meth:`EdgeCosts.give`); until then the fleet goes by what it has met itself.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from robots.agv_config import RoutingConfig
from robots.routes import BoolArray, FloatArray, Graph, IntArray, point_segment_distance

LINK_RISK, PEOPLE = "link_risk", "people"
KINDS = (LINK_RISK, PEOPLE)
"""``link_risk``: expected time without commands per passage of an edge [s]; ``people``: expected people on an edge [1]."""

LOOK_PERIOD_US = 500_000
_PRIOR_PASSAGES = 2.0  # an edge counts as average until it was passed a few times
_BESIDE_M = 0.6  # a person this far beside the vehicle's path still makes it slow down


class EdgeCosts:
    """Weighted costs of the edges of a graph.

    Parameters
    ----------
    graph : the routes. routing : the weights.

    Attributes
    ----------
    extra_s : (E,) cost of every directed edge beside driving time [s], None where nothing but time counts.
    time_weight : cost of a second of driving.
    """

    def __init__(self, graph: Graph, routing: RoutingConfig) -> None:
        self._graph, self._routing = graph, routing
        self.time_weight = routing.time_weight
        self._weight = {LINK_RISK: routing.link_risk_weight, PEOPLE: routing.people_weight}
        self._given: dict[str, FloatArray] = {}
        n_edges = len(graph.edge_start)
        self._late_s, self._passages = np.zeros(n_edges), np.zeros(n_edges)
        self._people, self._looked = np.zeros(n_edges), 0.0
        self._last_edge: IntArray = np.zeros(0, np.int64)
        self._next_look_us = 0
        self.extra_s: FloatArray | None = None
        self._reach_m = graph.clearance_m / 2 + _BESIDE_M

    @property
    def watches(self) -> bool:
        """Whether anything that the fleet meets is worth remembering."""
        return any(weight > 0 and kind not in self._given for kind, weight in self._weight.items())

    def give(self, kind: str, cost: npt.ArrayLike) -> None:
        """Say what edges cost, instead of what the fleet remembers.

        Parameters
        ----------
        kind : ``link_risk``: expected time without commands during one passage of each edge [s]; or ``people``: expected
            number of people on it.
        cost : (E,) one number for every directed edge, in the order of ``graph.edge_start``.

        Raises
        ------
        ValueError
            For an unknown kind, another number of edges, or a number that is negative or not finite.
        """
        if kind not in KINDS:
            raise ValueError(f"edge cost {kind!r}: give one of {', '.join(KINDS)}")
        values = np.array(cost, np.float64)
        if values.shape != self._people.shape:
            raise ValueError(f"edge cost {kind!r}: {values.shape} numbers for {self._people.size} directed edges; give one each")
        wrong = np.flatnonzero(~np.isfinite(values) | (values < 0))
        if wrong.size:
            e = int(wrong[0])
            a, b = self._graph.node_id[self._graph.edge_start[e]], self._graph.node_id[self._graph.edge_end[e]]
            raise ValueError(f"edge cost {kind!r}: {values[e]} on edge {a!r} -> {b!r}; give 0 or more, finite")
        self._given[kind] = values
        self._add_up()

    def risk(self, kind: str) -> FloatArray:
        """Give what is taken for each edge now (E,): as given, else as remembered; see :data:`KINDS`."""
        if kind in self._given:
            return self._given[kind]
        if kind == PEOPLE:
            return self._people / max(self._looked, 1e-9)
        passages = float(self._passages.sum())
        usual = float(self._late_s.sum()) / passages if passages > 0 else 0.0
        return (self._late_s + _PRIOR_PASSAGES * usual) / (self._passages + _PRIOR_PASSAGES)

    def _add_up(self) -> None:
        parts = [weight * self.risk(kind) for kind, weight in self._weight.items() if weight > 0]
        self.extra_s = np.sum(parts, axis=0) if parts else None

    def watch(self, time_us: int, edge: IntArray, late: BoolArray, people_xy: FloatArray, present: BoolArray) -> None:
        """Remember what AGVs meet; looks twice a second and forgets with the configured time constant.

        Parameters
        ----------
        time_us : now [us].
        edge : (n,) directed edge that each AGV is on, -1 for none. late : (n,) whether its commands are late.
        people_xy : (k, 2) [m]. present : (k,).
        """
        if time_us < self._next_look_us:
            return
        self._next_look_us = time_us + LOOK_PERIOD_US
        period_s = LOOK_PERIOD_US * 1e-6
        keep = np.exp(-period_s / self._routing.memory_s)
        for memory in (self._late_s, self._passages, self._people):
            memory *= keep
        self._looked = keep * self._looked + 1.0
        if self._last_edge.size != edge.size:
            self._last_edge = np.full(edge.size, -1, np.int64)
        entered = (edge >= 0) & (edge != self._last_edge)
        self._last_edge = edge.copy()
        np.add.at(self._passages, edge[entered], 1.0)
        np.add.at(self._late_s, edge[late & (edge >= 0)], period_s)
        self._people += self._people_on_edges(people_xy[present])
        self._add_up()

    def _people_on_edges(self, people_xy: FloatArray) -> FloatArray:
        if not len(people_xy):
            return np.zeros(self._people.shape)
        graph = self._graph
        a, b = graph.node_xy[graph.edge_start], graph.node_xy[graph.edge_end]
        near = point_segment_distance(people_xy[:, None], a[None], b[None]) < self._reach_m
        return np.asarray(near.sum(0), np.float64)
