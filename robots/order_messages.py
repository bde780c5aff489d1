"""VDA 5050 messages as the standard's JSON has them, to and from :mod:`robots.orders`; the header is whoever sends it.

Reading is strict about what it uses and plain about what it cannot use: a trajectory, a corridor or an orientation is refused
with UNSUPPORTED_PARAMETER, since these AGVs drive straight edges with their front ahead.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from robots.orders import Action, ActionState, ActionStatus, BlockingType, Order, OrderEdge, OrderError, OrderNode

Version = Literal["2.1.0", "3.0.0"]
ACTION_STATUS: tuple[str, ...] = get_args(ActionStatus)
_CANNOT_USE = ("trajectory", "corridor", "orientation", "direction", "minimumLoadHandlingDeviceHeight", "minHeight")


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", strict=True)


class _Parameter(_Message):
    key: str
    value: Any


class _Action(_Message):
    action_type: str = Field(alias="actionType")
    action_id: str = Field(alias="actionId")
    blocking_type: BlockingType = Field(alias="blockingType")
    parameters: list[_Parameter] = Field(default_factory=list, alias="actionParameters")

    def plain(self) -> Action:
        return Action(self.action_id, self.action_type, self.blocking_type, {p.key: p.value for p in self.parameters})


class _Node(_Message):
    node_id: str = Field(alias="nodeId")
    sequence_id: int = Field(alias="sequenceId", ge=0)
    released: bool
    actions: list[_Action]


class _Edge(_Message):
    edge_id: str = Field(alias="edgeId")
    sequence_id: int = Field(alias="sequenceId", ge=0)
    released: bool
    actions: list[_Action]


class _Order(_Message):
    order_id: str = Field(alias="orderId")
    order_update_id: int = Field(alias="orderUpdateId", ge=0)
    nodes: list[_Node]
    edges: list[_Edge]


def read_order(message: Any) -> Order | OrderError:
    """Read an order message (parsed JSON) of VDA 5050 2.1.0 or 3.0.0.

    Returns
    -------
    The order; or VALIDATION_FAILURE or UNSUPPORTED_PARAMETER, naming the field. Edges join the nodes before and after them.
    """
    try:
        parsed = _Order.model_validate(message)
    except ValidationError as error:
        return _validation_failure(error, message)
    for k, edge in enumerate(parsed.edges):
        for name in _CANNOT_USE:
            if (edge.model_extra or {}).get(name) is not None:
                text = f"edges[{k}].{name}: these AGVs drive straight edges with their front ahead; leave it out"
                return OrderError("UNSUPPORTED_PARAMETER", text, (("orderId", parsed.order_id), ("edgeId", edge.edge_id)))
    nodes = tuple(OrderNode(n.node_id, n.sequence_id, n.released, tuple(a.plain() for a in n.actions)) for n in parsed.nodes)
    by_sequence = {n.sequence_id: n.node_id for n in nodes}
    edges = tuple(
        OrderEdge(
            by_sequence.get(e.sequence_id - 1, "?"),
            by_sequence.get(e.sequence_id + 1, "?"),
            e.sequence_id,
            e.released,
            tuple(a.plain() for a in e.actions),
        )
        for e in parsed.edges
    )
    return Order(parsed.order_id, parsed.order_update_id, nodes, edges)


def read_instant_actions(message: Any) -> tuple[Action, ...] | OrderError:
    """Read an instantActions message (parsed JSON); VALIDATION_FAILURE names the field that is wrong."""

    class _InstantActions(_Message):
        actions: list[_Action]

    try:
        return tuple(a.plain() for a in _InstantActions.model_validate(message).actions)
    except ValidationError as error:
        return _validation_failure(error, message)


def _validation_failure(error: ValidationError, message: Any) -> OrderError:
    first = error.errors()[0]
    place = ""
    for part in first["loc"]:
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else str(part)
    known = message if isinstance(message, dict) else {}
    references = tuple((key, str(known[key])) for key in ("orderId", "orderUpdateId") if key in known)
    return OrderError("VALIDATION_FAILURE", f"{place or 'message'}: {first['msg']}", references)


def _action(action: Action, version: Version) -> dict[str, Any]:
    blocking = "HARD" if version == "2.1.0" and action.blocking_type == "SINGLE" else action.blocking_type
    out: dict[str, Any] = {"actionType": action.action_type, "actionId": action.action_id, "blockingType": blocking}
    if action.parameters:
        out["actionParameters"] = [{"key": key, "value": value} for key, value in action.parameters.items()]
    return out


def write_order(order: Order, version: Version = "3.0.0") -> dict[str, Any]:
    """Put an order into the standard's JSON, without its header; SINGLE, which 2.1.0 does not know, becomes HARD there."""
    nodes = [
        {
            "nodeId": n.node_id,
            "sequenceId": n.sequence_id,
            "released": n.released,
            "actions": [_action(a, version) for a in n.actions],
        }
        for n in order.nodes
    ]
    edges: list[dict[str, Any]] = []
    for e in order.edges:
        edge: dict[str, Any] = {"edgeId": e.edge_id, "sequenceId": e.sequence_id, "released": e.released}
        if version == "2.1.0":
            edge |= {"startNodeId": e.start_node_id, "endNodeId": e.end_node_id}
        edges.append({**edge, "actions": [_action(a, version) for a in e.actions]})
    return {"orderId": order.order_id, "orderUpdateId": order.order_update_id, "nodes": nodes, "edges": edges}


def write_action_state(state: ActionState, version: Version = "3.0.0") -> dict[str, Any]:
    """Put an action's state into the standard's JSON."""
    out: dict[str, Any] = {
        "actionId": state.action.action_id,
        "actionType": state.action.action_type,
        "actionStatus": state.status,
    }
    if state.result:
        out["resultDescription" if version == "2.1.0" else "actionResult"] = state.result
    return out


def write_error(error: OrderError, version: Version = "3.0.0") -> dict[str, Any]:
    """Put a rejection into the standard's JSON, by the version's own name and level."""
    old = version == "2.1.0"
    return {
        "errorType": error.error_type_2_1 if old else error.error_type,
        "errorLevel": "WARNING" if old else error.error_level,
        "errorDescription": error.description,
        "errorReferences": [{"referenceKey": key, "referenceValue": value} for key, value in error.references],
    }


def write_action_memory(state: ActionState) -> dict[str, Any]:
    """Put an action with its state into JSON for :func:`read_action_state`; it is not a part of any message."""
    return {"action": _action(state.action, "3.0.0"), "status": state.status, "result": state.result}


def read_action_state(entry: dict[str, Any]) -> ActionState:
    """Read what :func:`write_action_memory` wrote; ValueError where it is something else."""
    status = entry["status"]
    if status not in ACTION_STATUS:
        raise ValueError(f"status {status!r} of an action is none of {', '.join(ACTION_STATUS)}")
    return ActionState(_Action.model_validate(entry["action"]).plain(), status, str(entry["result"]))
