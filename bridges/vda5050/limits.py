"""How large a message may be that is obeyed; the factsheet says the same numbers as limits of the protocol.

The standard leaves these to each vehicle. They keep one message from taking the twin's time, and numbers within 64 bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bridges.vda5050.base import Part

__all__ = ["MAX_ACTIONS", "MAX_BYTES", "MAX_ID", "MAX_NODES", "MAX_PARAMETERS", "excessive"]

MAX_BYTES = 1_000_000
MAX_NODES = 1000
MAX_ACTIONS = 100
"""Actions of one node, one edge or one instantActions message."""
MAX_PARAMETERS = 50
MAX_ID = 256
"""Characters of an id."""
_MAX_NUMBER = 2**32 - 1  # sequenceId and orderUpdateId are uint32


def _actions(actions: Any, place: str) -> Iterator[str]:
    if len(actions) > MAX_ACTIONS:
        yield f"{place}: {len(actions)} actions; at most {MAX_ACTIONS} are taken"
    for k, action in enumerate(actions[:MAX_ACTIONS]):
        if max(len(action.action_id), len(action.action_type)) > MAX_ID:
            yield f"{place}[{k}]: an id of more than {MAX_ID} characters"
        parameters = action.action_parameters or ()
        if len(parameters) > MAX_PARAMETERS:
            yield f"{place}[{k}].actionParameters: {len(parameters)}; at most {MAX_PARAMETERS} are taken"


def _excesses(message: Any) -> Iterator[str]:
    if hasattr(message, "actions"):
        yield from _actions(message.actions, "actions")
    if not hasattr(message, "nodes"):
        return
    if len(message.order_id) > MAX_ID:
        yield f"orderId: {len(message.order_id)} characters; at most {MAX_ID} are taken"
    if message.order_update_id > _MAX_NUMBER:
        yield f"orderUpdateId: above {_MAX_NUMBER}"
    for name, parts in (("nodes", message.nodes), ("edges", message.edges)):
        if len(parts) > MAX_NODES:
            yield f"{name}: {len(parts)}; at most {MAX_NODES} are taken, send the rest as updates"
        for k, part in enumerate(parts[:MAX_NODES]):
            if part.sequence_id > _MAX_NUMBER:
                yield f"{name}[{k}].sequenceId: above {_MAX_NUMBER}"
            if len(part.node_id if name == "nodes" else part.edge_id) > MAX_ID:
                yield f"{name}[{k}]: an id of more than {MAX_ID} characters"
            yield from _actions(part.actions, f"{name}[{k}].actions")


def excessive(message: Part) -> str:
    """Return what of an order or instantActions message is beyond the limits, naming the place; "" where nothing is."""
    return next(_excesses(message), "")
