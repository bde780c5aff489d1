"""Variables whose values change with every view, written without asyncua's way through checks, copies and coroutines.

A value that nobody subscribed to is only noted; it becomes a DataValue when somebody reads it. A value that somebody subscribed
to is made once and handed to the monitored items at once. What is written here was checked when the node was made: the type is
the field's, and no client may write these nodes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from asyncua import ua
from asyncua.server.address_space import AttributeValue
from asyncua.ua.attribute_ids import AttributeIds

__all__ = ["Cell", "Items"]

_log = logging.getLogger(__name__)

_NULL = ua.VariantType.Null
_new_variant = ua.Variant.__new__
_ARRAYS = (list, tuple)


class Items(Protocol):
    """Monitored items of a subscription, whose bound ``datachange_callback`` asyncua keeps with an attribute."""

    def take(self, handle: int, value: ua.DataValue) -> None:
        """Take a new value."""


class Cell:
    """The value of one variable.

    Parameters
    ----------
    attribute : the node's attribute Value.
    kind : type of the value.
    make : makes the value that is shown of the one that is given; None where they are the same.
    """

    __slots__ = ("_arrived", "_attribute", "_code", "_kind", "_make", "_stamp", "_value")

    def __init__(self, attribute: AttributeValue, kind: ua.VariantType, make: Callable[[Any], Any] | None = None) -> None:
        self._attribute, self._kind, self._make = attribute, kind, make
        self._value: Any = None
        self._code: Any = None
        self._stamp: Any = None
        self._arrived: Any = None

    def show(self, value: Any, code: ua.StatusCode, stamp: datetime | None, arrived: datetime) -> None:
        """Show a value.

        Parameters
        ----------
        value : of the cell's type; None for none, with the status alone.
        code : its status.
        stamp : its source timestamp, UTC; None for none.
        arrived : its server timestamp, UTC.
        """
        self._value, self._code, self._stamp, self._arrived = value, code, stamp, arrived
        attribute = self._attribute
        items = attribute.datachange_callbacks
        if not items:
            attribute.value_callback = self._read
            return
        data = self._data()
        attribute.value = data
        attribute.value_callback = None
        for handle, call in tuple(items.items()):
            try:
                call.__self__.take(handle, data)  # type: ignore[attr-defined]
            except Exception:
                _log.exception("a monitored item did not take a value")

    def _read(self, node: ua.NodeId, attribute: AttributeIds) -> ua.DataValue:
        return self._data()

    def _data(self) -> ua.DataValue:
        value = self._value
        if value is not None and self._make is not None:
            value = self._make(value)
        if isinstance(value, _ARRAYS):
            variant = ua.Variant(value, self._kind)
        else:  # as the class itself would fill it, without asking what it is
            variant = _new_variant(ua.Variant)
            variant.Value = value
            variant.VariantType = self._kind if value is not None else _NULL
            variant.Dimensions = None
            variant.is_array = False
        return ua.DataValue(variant, self._code, self._stamp, self._arrived)
