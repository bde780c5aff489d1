"""Where-clauses of event filters (OPC 10000-4 clause 7.7).

asyncua takes OfType to mean exactly this type, looks only at the first name of a path, and logs an error where a field does not
exist; here subtypes count, paths are followed, and what does not exist is null, so that a comparison with it is not true.
"""

from __future__ import annotations

from typing import Any

from asyncua import ua
from asyncua.server.monitored_item_service import WhereClauseEvaluator
from asyncua.ua.object_ids import ObjectIds

from bridges.opcua.space import node_id

__all__ = ["Where"]

_SUBTYPE = node_id(ObjectIds.HasSubtype)
_MAX_DEPTH = 20
_ORDERS = {
    ua.FilterOperator.GreaterThan: lambda a, b: a > b,
    ua.FilterOperator.LessThan: lambda a, b: a < b,
    ua.FilterOperator.GreaterThanOrEqual: lambda a, b: a >= b,
    ua.FilterOperator.LessThanOrEqual: lambda a, b: a <= b,
}


class Where(WhereClauseEvaluator):
    """Tells whether an event passes a where-clause."""

    _depth = 0

    def _eval_el(self, index: int, event: Any) -> Any:
        self._depth += 1
        try:
            if self._depth > _MAX_DEPTH:  # an element that refers to itself
                return False
            element = self.elements[index]
            operator, operands = element.FilterOperator, element.FilterOperands
            if operator == ua.FilterOperator.OfType:
                return self._is_of(event.EventType, self._eval_op(operands[0], event))
            if operator in _ORDERS:
                left, right = (self._eval_op(operand, event) for operand in operands[:2])
                numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (left, right))
                alike = numbers or (left is not None and type(left) is type(right))
                return alike and _ORDERS[operator](left, right)
            return super()._eval_el(index, event)
        finally:
            self._depth -= 1

    def _eval_op(self, op: Any, event: Any) -> Any:
        if getattr(op, "data_type", None) == ua.SimpleAttributeOperand.data_type and op.BrowsePath:
            return getattr(event, "/".join(str(name.Name) for name in op.BrowsePath), None)
        if getattr(op, "data_type", None) == ua.LiteralOperand.data_type:
            return op.Value.Value if op.Value is not None else None
        if getattr(op, "data_type", None) == ua.ElementOperand.data_type:
            return self._eval_el(op.Index, event)
        return super()._eval_op(op, event)

    def _is_of(self, kind: ua.NodeId | None, ancestor: Any) -> bool:
        for _ in range(_MAX_DEPTH):
            if kind == ancestor:
                return True
            data = self._aspace.get(kind) if kind is not None else None
            above = [r.NodeId for r in data.references if r.ReferenceTypeId == _SUBTYPE and not r.IsForward] if data else []
            kind = above[0] if above else None
        return False
