"""Orders that come from outside: what an AGV accepts, rejects and carries out (VDA 5050 3.0.0, 6.1.2 to 6.1.4).

The AGV drives the base of its order from one node where it must stop to the next. The twin's right of way stays between order and
wheels: a released node is driven to when the order releases it *and* the right of way does. An AGV that waits at the end of its
base keeps its place; that others can pass it there is up to whoever gives the orders.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from robots.action_queue import ActionQueue
from robots.agv import ACTING, AWAITING, EVENT_ARRIVED, IDLE, ON_CHARGE, ORDERED
from robots.books import Books
from robots.dispatch import Dispatch
from robots.order_messages import read_action_state, read_order, write_action_memory, write_order
from robots.orders import STOPS_DRIVING, Action, ActionState, Order, OrderEdge, OrderError, OrderNode, malformed
from robots.ways import RETRY_US, Ways

NODE_ACTIONS = ("pick", "drop", "startCharging", "stopCharging", "finePositioning")
EDGE_ACTIONS = ("finePositioning",)
INSTANT_ACTIONS = ("cancelOrder", "startPause", "stopPause", "initPosition")
_FINE_POSITIONING_US = 3_000_000
_STATION = {"pick": "pick", "drop": "drop", "startCharging": "charge"}
_KEPT_ERRORS = 10  # whoever floods an AGV with wrong orders sees the last ones
_KEPT_ACTIONS = 200  # finished ones of an order that goes on by updates for days
_KEPT_ORDERS = 100  # earlier orders, so that a copy that comes late is known for one
_OVER = ("FINISHED", "FAILED")


class _Vehicle:
    """One AGV's order: its nodes and edges by sequenceId, its actions, and what was rejected since the last order."""

    def __init__(self, queue: ActionQueue) -> None:
        self.order_id, self.update_id = "", 0
        self.last: Order | None = None
        self.node: dict[int, OrderNode] = {}
        self.edge: dict[int, OrderEdge] = {}
        self.actions: dict[str, ActionState] = {}
        self.queue = queue
        self.at = 0  # sequenceId of the node passed last
        self.decision = 0  # sequenceId of the last released node
        self.active = self.cancelled = self.cancelling = False
        self.errors: tuple[OrderError, ...] = ()
        self.met: set[int] = set()
        self.try_at_us = 0
        self.earlier: deque[str] = deque(maxlen=_KEPT_ORDERS)  # digests of earlier orders, see _mark
        self.first_mark: str | None = None  # and of the present one as it first came


class OutsideOrders:
    """Orders from outside for every AGV of a fleet.

    Parameters
    ----------
    books, ways, dispatch : the fleet's state, who gives ways, and who knows loads.

    Attributes
    ----------
    changes : counts what changed in any AGV's order: what was accepted, passed, begun, ended or told.
    """

    def __init__(self, books: Books, ways: Ways, dispatch: Dispatch) -> None:
        self._books, self._ways, self._dispatch = books, ways, dispatch
        self._index = {name: k for k, name in enumerate(books.graph.node_id)}
        self._vehicles = [_Vehicle(ActionQueue(self._timer(i))) for i in range(books.n)]
        self.changes = 0

    def _timer(self, i: int) -> Callable[[Action], int | None]:
        def duration_us(action: Action) -> int | None:
            agvs = self._books.config.agvs
            if action.action_type == "pick":
                kind = self._kind(action)
                own = agvs.loads[kind].load_time_s if kind >= 0 else None
                return round((agvs.load_time_s if own is None else own) * 1e6)
            if action.action_type == "drop":
                return round(self._dispatch.unload_time_s(i) * 1e6)
            return _FINE_POSITIONING_US if action.action_type == "finePositioning" else 0

        return duration_us

    def _kind(self, action: Action) -> int:
        """Index of the kind of load that a pick names; the first kind where it names none, -1 where there are no kinds."""
        kinds = [kind.name for kind in self._books.config.agvs.loads]
        named = action.parameters.get("loadType")
        return kinds.index(str(named)) if named is not None else (0 if kinds else -1)

    # what is accepted

    def receive(self, i: int, order: Order) -> OrderError | None:
        """Take an order or an order update for AGV ``i``; None if it was accepted, or ignored as known already."""
        error = self._judge(i, order)
        vehicle = self._vehicles[i]
        if error is not None:
            vehicle.errors = (*(e for e in vehicle.errors if e != error), error)[-_KEPT_ERRORS:]
            return error
        if vehicle.last == order:
            return None
        self.changes += 1
        if order.order_id != vehicle.order_id or not vehicle.node:
            self._begin(i, order)
        else:
            for sequence in [s for s in (*vehicle.node, *vehicle.edge) if s > vehicle.decision]:
                vehicle.node.pop(sequence, None)  # the horizon may change with every update
                vehicle.edge.pop(sequence, None)
        known = set(vehicle.node)
        vehicle.node.update({n.sequence_id: n for n in order.nodes if n.sequence_id not in known})
        vehicle.edge.update({e.sequence_id: e for e in order.edges})
        parts: list[OrderNode | OrderEdge] = [*vehicle.node.values(), *vehicle.edge.values()]
        planned = {a.action_id for part in parts for a in part.actions}
        kept = {k: s for k, s in vehicle.actions.items() if k in planned or s.status != "WAITING"}
        over = [k for k, s in kept.items() if s.status in _OVER and k not in planned]
        for action_id in over[: max(0, len(over) - _KEPT_ACTIONS)]:
            del kept[action_id]
        vehicle.actions = kept
        for action in order.actions():
            vehicle.actions.setdefault(action.action_id, ActionState(action))
        vehicle.order_id, vehicle.update_id, vehicle.last = order.order_id, order.order_update_id, order
        vehicle.decision = order.base[-1].sequence_id
        vehicle.active, vehicle.errors, vehicle.try_at_us = True, (), 0
        self._meet(i, vehicle.at)
        return None

    def _begin(self, i: int, order: Order) -> None:
        vehicle = self._vehicles[i]
        if vehicle.last is not None and vehicle.first_mark is not None:
            vehicle.earlier.append(vehicle.first_mark)
        vehicle.first_mark = _mark(order)
        vehicle.node, vehicle.edge, vehicle.actions, vehicle.met = {}, {}, {}, set()
        vehicle.cancelled, vehicle.at = False, order.nodes[0].sequence_id
        self._books.begin_errand(i, "outside")
        self._books.first_sequence[i] += vehicle.at
        self._books.since_us[i] = self._books.time_us

    def _judge(self, i: int, order: Order) -> OrderError | None:
        vehicle = self._vehicles[i]
        who = (("orderId", order.order_id), ("orderUpdateId", str(order.order_update_id)))
        error = malformed(order) or self._unknown(order, who)
        if error is not None:
            return error
        if order.order_id != vehicle.order_id or vehicle.last is None:
            return self._judge_new(i, order, who)
        if order.order_update_id < vehicle.update_id:
            text = f"orderUpdateId {order.order_update_id} is older than {vehicle.update_id}, which the AGV has"
            return OrderError("OUTDATED_ORDER_UPDATE", text, who)
        if order.order_update_id == vehicle.update_id:
            if order == vehicle.last:
                return None
            return OrderError("SAME_ORDER_UPDATE_ID", f"orderUpdateId {vehicle.update_id} is known with other contents", who)
        if vehicle.cancelled or vehicle.cancelling:
            return OrderError("ORDER_UPDATE_FOLLOWING_CANCEL", f"order {order.order_id!r} was cancelled; send a new one", who)
        first, decision = order.nodes[0], vehicle.node[vehicle.decision]
        if (first.node_id, first.sequence_id) != (decision.node_id, decision.sequence_id):
            text = (
                f"the update begins at {first.node_id!r} with sequenceId {first.sequence_id}; it continues the base at "
                f"{decision.node_id!r} with sequenceId {decision.sequence_id}"
            )
            return OrderError("VALIDATION_FAILURE", text, (*who, ("nodeId", first.node_id)))
        if first.actions != decision.actions:
            text = f"actions of {first.node_id!r} differ from those released; the base cannot be changed"
            return OrderError("VALIDATION_FAILURE", text, (*who, ("nodeId", first.node_id)))
        return self._judge_actions(i, order, who)

    def _judge_new(self, i: int, order: Order, who: tuple[tuple[str, str], ...]) -> OrderError | None:
        vehicle = self._vehicles[i]
        if vehicle.active or vehicle.cancelling:
            return OrderError("OTHER_ORDER_ACTIVE", f"order {vehicle.order_id!r} is not finished; cancel it first", who)
        if vehicle.earlier and _mark(order) in vehicle.earlier:
            text = f"order {order.order_id!r} was carried out already; give a new order a new orderId"
            return OrderError("OUTDATED_ORDER_UPDATE", text, who)
        if order.order_update_id != 0:
            text = f"orderUpdateId {order.order_update_id} of a new order; it starts at 0"
            return OrderError("VALIDATION_FAILURE", text, who)
        here = self._books.graph.node_id[self._books.heads()[i]]
        if order.nodes[0].node_id != here:
            text = f"the order starts at {order.nodes[0].node_id!r}; the AGV is at {here!r}"
            return OrderError("START_NODE_OUT_OF_RANGE", text, (*who, ("nodeId", order.nodes[0].node_id)))
        return self._judge_actions(i, order, who)

    def _unknown(self, order: Order, who: tuple[tuple[str, str], ...]) -> OrderError | None:
        for node in order.nodes:
            if node.node_id not in self._index:
                known = ", ".join(self._books.graph.node_id[:8])
                text = f"node {node.node_id!r} is not in the routes; they have {known}, ..."
                return OrderError("NO_ROUTE_TO_TARGET", text, (*who, ("nodeId", node.node_id)))
        for edge in order.edges:
            a, b = self._index[edge.start_node_id], self._index[edge.end_node_id]
            if a != b and self._books.graph.edge_of[a, b] < 0:
                text = f"no edge leads from {edge.start_node_id!r} to {edge.end_node_id!r}"
                return OrderError("NO_ROUTE_TO_TARGET", text, (*who, ("edgeId", edge.edge_id)))
        return None

    def _judge_actions(self, i: int, order: Order, who: tuple[tuple[str, str], ...]) -> OrderError | None:
        for node in order.nodes:
            for action in node.actions:
                text = self._cannot(action, self._index[node.node_id])
                if text:
                    return OrderError(
                        "INVALID_ORDER_ACTION", text, (*who, ("actionId", action.action_id), ("nodeId", node.node_id))
                    )
        for edge in order.edges:
            for action in edge.actions:
                if action.action_type not in EDGE_ACTIONS:
                    text = f"action {action.action_type!r} on an edge; AGVs do {', '.join(EDGE_ACTIONS)} there"
                    return OrderError(
                        "INVALID_ORDER_ACTION", text, (*who, ("actionId", action.action_id), ("edgeId", edge.edge_id))
                    )
        return self._too_high(i, order, who)

    def _cannot(self, action: Action, node: int) -> str:
        """Why an action cannot be carried out at a node, empty if it can."""
        graph, agvs = self._books.graph, self._books.config.agvs
        name, kind = graph.node_id[node], action.action_type
        if kind not in NODE_ACTIONS:
            return f"action {kind!r}; AGVs do {', '.join(NODE_ACTIONS)}"
        wanted = _STATION.get(kind)
        places = self._books.chargers if kind == "startCharging" else graph.nodes_with(wanted) if wanted else None
        if places is not None and node not in places:
            others = ", ".join(graph.node_id[v] for v in places) or "none"
            return f"{kind} at {name!r}, which is no {wanted} node; there are {others}"
        if kind == "pick" and "loadType" in action.parameters:
            kinds = [k.name for k in agvs.loads]
            if action.parameters["loadType"] not in kinds:
                return f"loadType {action.parameters['loadType']!r} is unknown; there are {', '.join(kinds) or 'none'}"
        if kind == "pick" and "loadHeight" in action.parameters:
            height = action.parameters["loadHeight"]
            if not isinstance(height, (int, float)) or not 0 < height <= agvs.max_load_height_m:
                return f"loadHeight {height!r} m; the AGV carries loads above 0 and up to {agvs.max_load_height_m:g} m"
        return ""

    def _too_high(self, i: int, order: Order, who: tuple[tuple[str, str], ...]) -> OrderError | None:
        """Find an edge that is too low for what the AGV carries there."""
        books, agvs = self._books, self._books.config.agvs
        height = float(books.load_height_m[i])
        for node, edge in zip(order.nodes, order.edges, strict=False):
            for action in node.actions:
                if action.action_type == "pick":
                    given = action.parameters.get("loadHeight")
                    kind = self._kind(action)
                    height = (
                        float(given) if given is not None else (agvs.loads[kind].highest_m if kind >= 0 else agvs.highest_load_m)
                    )
                elif action.action_type == "drop":
                    height = 0.0
            e = books.graph.edge_of[self._index[edge.start_node_id], self._index[edge.end_node_id]]
            if e >= 0 and agvs.body_height_m + height > books.graph.edge_max_height_m[e]:
                text = (
                    f"edge {edge.edge_id} takes up to {books.graph.edge_max_height_m[e]:g} m; "
                    f"with its load the AGV is {agvs.body_height_m + height:g} m high"
                )
                return OrderError("NO_ROUTE_TO_TARGET", text, (*who, ("edgeId", edge.edge_id)))
        return None

    # what is carried out

    def advance(self, dt_us: int) -> None:
        """Carry out orders and actions for a step [us]; call after the vehicles were moved."""
        for i, vehicle in enumerate(self._vehicles):
            if vehicle.active or vehicle.cancelling or not vehicle.queue.empty:
                self._advance(i, vehicle, dt_us)

    def _advance(self, i: int, vehicle: _Vehicle, dt_us: int) -> None:
        books, machines, traffic = self._books, self._books.machines, self._books.traffic
        now_at = int(books.first_sequence[i] + 2 * traffic.at_k[i])
        while vehicle.at < now_at:
            self._leave(vehicle, vehicle.at + 1)
            vehicle.at += 2
            self._meet(i, vehicle.at)
            self._forget_passed(vehicle)
        if traffic.along_m[i] > 0.0:
            self._meet(i, vehicle.at + 1)
        began, ended = vehicle.queue.advance(dt_us)
        self.changes += len(began) + len(ended)
        for state in began:
            self._start(i, state)
        for state in ended:
            self._done(i, state)
        stands = traffic.at_k[i] == traffic.path_len[i] - 1 and traffic.along_m[i] == 0.0
        if stands and not vehicle.queue.may_drive:
            if machines.stage[i] != ACTING:
                machines.stage[i] = ACTING
                machines.busy_until_us[i] = np.iinfo(np.int64).max
            return
        if stands and vehicle.cancelling:
            if vehicle.queue.empty:
                self._cancelled(i, vehicle)
            return
        if stands and vehicle.at == vehicle.decision and vehicle.queue.empty and max(vehicle.node) == vehicle.decision:
            vehicle.active = False  # all done, no horizon: idle, ready for a new order or an update
            self.changes += 1
            if machines.stage[i] != ON_CHARGE:
                machines.stage[i] = IDLE
            return
        if not vehicle.cancelling:
            self._drive_on(i, vehicle, stands)

    def _drive_on(self, i: int, vehicle: _Vehicle, stands: bool) -> None:
        """Give the AGV the way to the next node where it has to stop, as far as it does not have it yet."""
        books, machines, traffic = self._books, self._books.machines, self._books.traffic
        head = int(books.first_sequence[i] + 2 * traffic.head_k[i])
        end = int(books.first_sequence[i] + 2 * (traffic.path_len[i] - 1))
        stop = vehicle.at
        while stop < vehicle.decision and (stop == vehicle.at or not self._stops(vehicle, stop)):
            if vehicle.node[stop + 2].node_id == vehicle.node[stop].node_id:
                break
            stop += 2
        if stands and stop == vehicle.at and vehicle.at < vehicle.decision:
            books.first_sequence[i] += 2  # the same node again: nothing to drive, only what is to be done there
            return
        if stop > end and books.time_us >= vehicle.try_at_us:
            names = [vehicle.node[s].node_id for s in range(head, stop + 1, 2)]
            if self._ways.accept(i, np.array([self._index[name] for name in names], np.int64)):
                machines.stage[i] = ORDERED
                return
            vehicle.try_at_us = books.time_us + RETRY_US
        if stands and machines.stage[i] in (ACTING, ORDERED):
            machines.stage[i] = AWAITING

    def _stops(self, vehicle: _Vehicle, sequence: int) -> bool:
        """Whether the AGV has to stop at a node: for an action there, or for one of the edge behind it."""
        parts = (vehicle.node[sequence], vehicle.edge.get(sequence + 1))
        return any(a.blocking_type in STOPS_DRIVING for part in parts if part is not None for a in part.actions)

    def _meet(self, i: int, sequence: int) -> None:
        """Enqueue the actions of a released node or edge that is reached; blocking ones of an edge as its first node is."""
        vehicle = self._vehicles[i]
        if sequence > vehicle.decision or (sequence in vehicle.met and sequence % 2):
            return
        parts = [vehicle.node.get(sequence) or vehicle.edge.get(sequence)]
        if sequence % 2 == 0:
            ahead = vehicle.edge.get(sequence + 1)
            if (
                ahead is not None
                and sequence + 1 < vehicle.decision
                and any(a.blocking_type in STOPS_DRIVING for a in ahead.actions)
            ):
                parts.append(ahead)
        for part in parts:
            if part is None or part.sequence_id in vehicle.met:
                continue
            vehicle.met.add(part.sequence_id)
            vehicle.queue.meet([vehicle.actions[a.action_id] for a in part.actions])

    def _leave(self, vehicle: _Vehicle, sequence: int) -> None:
        """End what only runs on the edge that is left."""
        self.changes += 1
        edge = vehicle.edge.get(sequence)
        for action in edge.actions if edge is not None else ():
            vehicle.queue.end(action, "FINISHED", "edge left")

    @staticmethod
    def _forget_passed(vehicle: _Vehicle) -> None:
        """Forget nodes and edges behind the AGV whose actions are over: an order may go on by updates for days."""
        for parts in (vehicle.node, vehicle.edge):
            for sequence in [s for s in parts if s < vehicle.at]:
                if all(vehicle.actions[a.action_id].status in _OVER for a in parts[sequence].actions):
                    del parts[sequence]
        vehicle.met = {s for s in vehicle.met if s >= vehicle.at - 1}

    def _start(self, i: int, state: ActionState) -> None:
        books, action = self._books, state.action
        if action.action_type == "pick" and books.loaded[i]:
            self._vehicles[i].queue.end(action, "FAILED", "the AGV is loaded already")
        elif action.action_type == "drop" and not books.loaded[i]:
            self._vehicles[i].queue.end(action, "FAILED", "the AGV carries nothing")

    def _done(self, i: int, state: ActionState) -> None:
        books, action = self._books, state.action
        if action.action_type == "pick":
            books.load_kind[i] = self._kind(action)
            height = action.parameters.get("loadHeight")
            if height is not None:
                books.loaded[i], books.load_height_m[i] = True, float(height)
            else:
                self._dispatch.loaded(i, surely=True)
        elif action.action_type == "drop":
            self._dispatch.unloaded(i)
        elif action.action_type == "startCharging":
            books.machines.stage[i] = ON_CHARGE
        elif action.action_type == "stopCharging" and books.machines.stage[i] == ON_CHARGE:
            books.machines.stage[i] = IDLE

    def on_event(self, i: int, event: int) -> None:
        """Note that AGV ``i`` has come to the end of its way, or is charged."""
        machines = self._books.machines
        machines.stage[i] = AWAITING if event == EVENT_ARRIVED else IDLE

    # instant actions

    def cancel(self, i: int) -> None:
        """Stop at the next node that the right of way allows; running loading is finished first."""
        vehicle = self._vehicles[i]
        vehicle.cancelling = True
        self.changes += 1
        vehicle.queue.cancel()
        for state in vehicle.actions.values():
            if state.status == "WAITING":
                state.status, state.result = "FAILED", "order cancelled"
        self._ways.cut(i)

    def _cancelled(self, i: int, vehicle: _Vehicle) -> None:
        vehicle.cancelling, vehicle.active, vehicle.cancelled = False, False, True
        self.changes += 1
        self._books.machines.stage[i] = IDLE

    def pause(self, i: int, paused: bool) -> None:
        """Stop or resume the actions that can be paused."""
        self._vehicles[i].queue.pause(paused)
        self.changes += 1

    # what is told

    def active(self, i: int) -> bool:
        """Whether AGV ``i`` carries out an order or waits for the rest of it."""
        return self._vehicles[i].active or self._vehicles[i].cancelling

    def cancelling(self, i: int) -> bool:
        """Whether a cancelOrder is under way."""
        return self._vehicles[i].cancelling

    def order(self, i: int) -> Order:
        """Give AGV ``i``'s order from the node passed last on."""
        vehicle = self._vehicles[i]
        nodes = tuple(vehicle.node[s] for s in sorted(vehicle.node) if s >= vehicle.at)
        edges = tuple(vehicle.edge[s] for s in sorted(vehicle.edge) if s > vehicle.at)
        return Order(vehicle.order_id, vehicle.update_id, nodes, edges)

    def action_states(self, i: int) -> tuple[ActionState, ...]:
        """Give the actions of AGV ``i``'s order and how far they are."""
        return tuple(self._vehicles[i].actions.values())

    def errors(self, i: int) -> tuple[OrderError, ...]:
        """Give what AGV ``i`` has rejected since it accepted an order."""
        return self._vehicles[i].errors

    # what outlives the process

    def remember(self, i: int) -> dict[str, Any]:
        """Give all of AGV ``i``'s order as JSON, for :meth:`recall`."""
        v = self._vehicles[i]
        kept = self.order(i)
        return {
            "order": write_order(kept) if kept.nodes else None,
            "last": write_order(v.last) if v.last is not None else None,
            "actions": [write_action_memory(state) for state in v.actions.values()],
            "queue": v.queue.remember(),
            "at": v.at,
            "decision": v.decision,
            "active": v.active,
            "cancelled": v.cancelled,
            "cancelling": v.cancelling,
            "met": sorted(v.met),
            "earlier": list(v.earlier),
            "first_mark": v.first_mark,
        }

    def recall(self, i: int, memory: dict[str, Any], paused: bool) -> None:
        """Take up AGV ``i``'s order where :meth:`remember` left it.

        Raises
        ------
        ValueError
            It does not hold what it should.
        """
        v = self._vehicles[i] = _Vehicle(ActionQueue(self._timer(i)))
        if memory["order"] is not None:
            kept, last = read_order(memory["order"]), read_order(memory["last"])
            if isinstance(kept, OrderError) or isinstance(last, OrderError):
                raise ValueError(f"the order of AGV number {i + 1} cannot be read")
            v.order_id, v.update_id, v.last = kept.order_id, kept.order_update_id, last
            v.node = {n.sequence_id: n for n in kept.nodes}
            v.edge = {e.sequence_id: e for e in kept.edges}
        states = [read_action_state(entry) for entry in memory["actions"]]
        v.actions = {state.action.action_id: state for state in states}
        v.queue.recall(memory["queue"], v.actions, paused)
        v.at, v.decision = int(memory["at"]), int(memory["decision"])
        v.active, v.cancelled, v.cancelling = bool(memory["active"]), bool(memory["cancelled"]), bool(memory["cancelling"])
        v.met = {int(s) for s in memory["met"]}
        v.earlier.extend(str(mark) for mark in memory["earlier"])
        v.first_mark = memory["first_mark"]
        if v.active and (v.at not in v.node or v.decision not in v.node):
            raise ValueError(f"the order of AGV number {i + 1} does not hold the node it is at")

    def __len__(self) -> int:
        """Give the number of AGVs."""
        return len(self._vehicles)


def _mark(order: Order) -> str:
    """Digest of an order's contents: two orders of the same id and contents are one."""
    return hashlib.blake2b(repr(order).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


__all__ = ["EDGE_ACTIONS", "INSTANT_ACTIONS", "NODE_ACTIONS", "OutsideOrders"]
