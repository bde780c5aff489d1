"""Orders in VDA 5050's words: nodes and edges with sequenceId, base and horizon, actions, and why an order is rejected.

Names and rules are those of VDA 5050 3.0.0, sections 6.1 and 6.2; where 2.1.0 names an error differently, both are known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Literal

BlockingType = Literal["NONE", "SINGLE", "SOFT", "HARD"]
ActionStatus = Literal["WAITING", "INITIALIZING", "RUNNING", "PAUSED", "FINISHED", "FAILED"]
BLOCKING_TYPES: tuple[BlockingType, ...] = ("NONE", "SINGLE", "SOFT", "HARD")
STOPS_DRIVING = ("SOFT", "HARD")
RUNS_ALONE = ("SINGLE", "HARD")

ERRORS: Mapping[str, tuple[str, str]] = MappingProxyType({
    "VALIDATION_FAILURE": ("WARNING", "validationError"),
    "UNSUPPORTED_PARAMETER": ("CRITICAL", "orderError"),
    "INVALID_ORDER_ACTION": ("WARNING", "orderError"),
    "OUTDATED_ORDER_UPDATE": ("WARNING", "orderUpdateError"),
    "SAME_ORDER_UPDATE_ID": ("WARNING", "orderUpdateError"),
    "ORDER_UPDATE_FOLLOWING_CANCEL": ("WARNING", "orderUpdateError"),
    "OTHER_ORDER_ACTIVE": ("WARNING", "orderError"),
    "START_NODE_OUT_OF_RANGE": ("WARNING", "noRouteError"),
    "NO_ROUTE_TO_TARGET": ("WARNING", "noRouteError"),
    "UNKNOWN_MAP_ID": ("WARNING", "orderError"),
    "MOBILE_ROBOT_NOT_AVAILABLE": ("WARNING", "orderError"),
    "INVALID_INSTANT_ACTION": ("WARNING", "instantActionError"),
    "NO_ORDER_TO_CANCEL": ("WARNING", "noOrderToCancel"),
})  # fmt: skip
"""Error types of 3.0.0 (6.1.4, 6.1.3, 6.2.1) with their level and the nearest type of 2.1.0."""


@dataclass(frozen=True, slots=True)
class Action:
    """An action of a node, an edge or an instantActions message.

    Attributes
    ----------
    action_id, action_type : its own id, and what to do, for example ``pick``.
    blocking_type : NONE lets others run and the AGV drive; SINGLE runs alone; SOFT stops the AGV; HARD does both.
    parameters : actionParameters by key.
    """

    action_id: str
    action_type: str
    blocking_type: BlockingType = "HARD"
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OrderNode:
    """A node of an order: nodeId, even sequenceId, released (base) or not (horizon), actions."""

    node_id: str
    sequence_id: int
    released: bool
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class OrderEdge:
    """An edge of an order: its two nodes, odd sequenceId, released (base) or not (horizon), actions, maximumSpeed [m/s]."""

    start_node_id: str
    end_node_id: str
    sequence_id: int
    released: bool
    actions: tuple[Action, ...] = ()

    @property
    def edge_id(self) -> str:
        """Name of the edge."""
        return f"{self.start_node_id}>{self.end_node_id}"


@dataclass(frozen=True, slots=True)
class Order:
    """An order or an order update: base first, then horizon."""

    order_id: str
    order_update_id: int
    nodes: tuple[OrderNode, ...]
    edges: tuple[OrderEdge, ...]

    @property
    def base(self) -> tuple[OrderNode, ...]:
        """Released nodes."""
        return tuple(node for node in self.nodes if node.released)

    def actions(self) -> Iterator[Action]:
        """Give the actions in the order in which they are met."""
        for k, node in enumerate(self.nodes):
            yield from node.actions
            if k < len(self.edges):
                yield from self.edges[k].actions

    def since(self, sequence_id: int) -> Order:
        """Cut the order off before the node with a sequenceId, as an update that is stitched to it is sent."""
        nodes = tuple(n for n in self.nodes if n.sequence_id >= sequence_id)
        edges = tuple(e for e in self.edges if e.sequence_id > sequence_id)
        return replace(self, nodes=nodes, edges=edges)


@dataclass(frozen=True, slots=True)
class OrderError:
    """Why something was rejected.

    Attributes
    ----------
    error_type : a key of :data:`ERRORS`. description : what was found and what would be right.
    references : (referenceKey, referenceValue), for example ("nodeId", "a1w").
    """

    error_type: str
    description: str
    references: tuple[tuple[str, str], ...] = ()

    @property
    def error_level(self) -> str:
        """WARNING: the AGV goes on as before; CRITICAL: somebody should look."""
        return ERRORS[self.error_type][0]

    @property
    def error_type_2_1(self) -> str:
        """Nearest error type of VDA 5050 2.1.0."""
        return ERRORS[self.error_type][1]


@dataclass(slots=True)
class ActionState:
    """How far an action is."""

    action: Action
    status: ActionStatus = "WAITING"
    result: str = ""


def order_of(
    order_id: str,
    order_update_id: int,
    names: Sequence[str],
    n_base: int,
    first_sequence_id: int = 0,
    actions: Mapping[int, tuple[Action, ...]] | None = None,
) -> Order:
    """Put a way into VDA 5050's words.

    Parameters
    ----------
    order_id, order_update_id : its names.
    names : nodes from the first one on. n_base : how many of them are released.
    first_sequence_id : sequenceId of the first node, even.
    actions : actions of nodes by sequenceId.
    """
    done = actions or {}
    sequence = [first_sequence_id + 2 * k for k in range(len(names))]
    nodes = tuple(OrderNode(n, s, k < n_base, done.get(s, ())) for k, (n, s) in enumerate(zip(names, sequence, strict=True)))
    edges = tuple(OrderEdge(a.node_id, b.node_id, a.sequence_id + 1, b.released) for a, b in pairwise(nodes))
    return Order(order_id, order_update_id, nodes, edges)


def malformed(order: Order) -> OrderError | None:
    """Check what an order must fulfil whoever gets it (3.0.0, 6.1.1); None where it does."""

    def fault(what: str, *references: tuple[str, str]) -> OrderError:
        return OrderError("VALIDATION_FAILURE", what, (("orderId", order.order_id), *references))

    nodes, edges = order.nodes, order.edges
    if not nodes:
        return fault("nodes: there are none; an order has one node at least")
    if len(edges) != len(nodes) - 1:
        return fault(f"edges: {len(edges)} for {len(nodes)} nodes; one edge less than nodes is right")
    if nodes[0].sequence_id % 2 or nodes[0].sequence_id < 0:
        return fault(f"nodes[0].sequenceId: {nodes[0].sequence_id}; nodes have even ones, 0 or more")
    if not nodes[0].released:
        return fault("nodes[0].released: the first node is always released", ("nodeId", nodes[0].node_id))
    for k, node in enumerate(nodes):
        if node.sequence_id != nodes[0].sequence_id + 2 * k:
            return fault(
                f"nodes[{k}].sequenceId: {node.sequence_id} where {nodes[0].sequence_id + 2 * k} follows",
                ("nodeId", node.node_id),
            )
    for k, edge in enumerate(edges):
        a, b = nodes[k], nodes[k + 1]
        name = ("edgeId", edge.edge_id)
        if edge.sequence_id != a.sequence_id + 1:
            return fault(f"edges[{k}].sequenceId: {edge.sequence_id} where {a.sequence_id + 1} follows", name)
        if (edge.start_node_id, edge.end_node_id) != (a.node_id, b.node_id):
            return fault(f"edges[{k}]: {edge.edge_id} does not join {a.node_id!r} to {b.node_id!r}", name)
        if edge.released and not (a.released and b.released):
            return fault(f"edges[{k}].released: an edge is released only with both its nodes", name)
        if b.released and not (edge.released and a.released):
            return fault(f"nodes[{k + 1}].released: nothing is released behind what is not", ("nodeId", b.node_id))
    ids: set[str] = set()
    for action in order.actions():
        if action.action_id in ids:
            return fault(f"actionId {action.action_id!r} is used twice; give each action its own", ("actionId", action.action_id))
        ids.add(action.action_id)
    return None
