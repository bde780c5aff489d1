"""Writes the twin's advice to nodes of a plant: as often as the mapping allows, never what the twin is not certain of."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.uaerrors import UaError, UaStatusCodeError

from bridges.mapping_file import BoundEntry
from bridges.opcua.client_session import resolve

__all__ = ["AdviceWriter", "as_written"]

_log = logging.getLogger(__name__)

_RANGE = {
    "Byte": (0, 2**8 - 1), "Int16": (-(2**15), 2**15 - 1), "UInt16": (0, 2**16 - 1), "Int32": (-(2**31), 2**31 - 1),
    "UInt32": (0, 2**32 - 1), "Int64": (-(2**63), 2**63 - 1), "UInt64": (0, 2**64 - 1),
}  # fmt: skip
_TOO_OLD_S = 2.0  # an advice that waited longer for its server is no advice


def as_written(bound: BoundEntry, value: float) -> bool | int | float:
    """Turn the twin's value into what its node holds, the reverse of reading.

    Raises
    ------
    ValueError
        The node's type cannot hold it.
    """
    kind = bound.entry.write_back.type if bound.entry.write_back is not None else "Double"
    if kind == "Boolean":
        return bool(value >= 0.5)
    raw = (value - bound.shift) / bound.factor
    if kind in ("Float", "Double"):
        return raw
    low, high = _RANGE[kind]
    if not low <= round(raw) <= high:
        raise ValueError(f"{raw:g} does not fit into {kind} ({low} to {high}); scale and offset of {bound.entry.twin} are wrong")
    return round(raw)


class AdviceWriter:
    """Keeps the newest advice of every node and writes it in turn.

    Parameters
    ----------
    name : of the source. entries : what is written. audit : takes node, value and result of each write.

    Attributes
    ----------
    written, refused, withheld : advice that reached its node, that the server refused, and that the twin was not certain of.
    """

    def __init__(self, name: str, entries: Sequence[BoundEntry], audit: Callable[[str, object, str], None]) -> None:
        self._name, self._audit = name, audit
        self._entries = {b.row: b for b in entries}
        self._lock = threading.Lock()
        self._newest: dict[int, tuple[float, float]] = {}
        self._last: dict[int, tuple[float, bool | int | float]] = {}
        self._nodes: dict[int, ua.NodeId] = {}
        self._told: set[tuple[int, str]] = set()
        self.written = self.refused = self.withheld = 0

    @property
    def has_entries(self) -> bool:
        """Whether the mapping has advice for this server."""
        return bool(self._entries)

    @property
    def entries(self) -> tuple[BoundEntry, ...]:
        """What is written."""
        return tuple(self._entries.values())

    def advise(self, row: int, value: float | None) -> None:
        """Hand over the newest advice, from any thread; None takes back what was not written yet, for it is uncertain."""
        with self._lock:
            if value is None:
                self.withheld += 1
                self._newest.pop(row, None)
            else:
                self._newest[row] = (value, time.monotonic())

    async def resolve(self, client: Client) -> None:
        """Look the nodes up on a new session; what was written to the old one may be gone."""
        self._nodes.clear()
        self._last.clear()
        for row, bound in self._entries.items():
            try:
                self._nodes[row] = await resolve(client, bound.entry.node or "")
            except (LookupError, ValueError, UaError) as error:
                self._tell(row, "node", str(error))

    async def write(self, client: Client, now_s: float) -> None:
        """Write what is due.

        Parameters
        ----------
        client : a session. now_s : of the monotonic clock [s].
        """
        with self._lock:
            due = [row for row in self._newest if self._due(row, now_s)]
            newest = {row: self._newest.pop(row)[0] for row in due}
        for row, value in newest.items():
            await self._write(client, row, value, now_s)

    def _due(self, row: int, now_s: float) -> bool:
        bound, (value, at_s) = self._entries[row], self._newest[row]
        rule = bound.entry.write_back
        assert rule is not None
        if row not in self._nodes or now_s - at_s > _TOO_OLD_S:
            return False
        last = self._last.get(row)
        if last is None:
            return True
        try:
            change = abs(float(as_written(bound, value)) - float(last[1]))
        except ValueError:
            return now_s - last[0] >= rule.min_interval_s
        return now_s - last[0] >= rule.min_interval_s and change > 0.0 and change >= rule.min_change

    async def _write(self, client: Client, row: int, value: float, now_s: float) -> None:
        bound = self._entries[row]
        assert bound.entry.write_back is not None
        try:
            raw = as_written(bound, value)
        except ValueError as error:
            self.refused += 1
            self._last[row] = (now_s, 0.0)
            self._tell(row, "range", str(error))
            return
        data = ua.DataValue(ua.Variant(raw, ua.VariantType[bound.entry.write_back.type]))
        try:
            await client.get_node(self._nodes[row]).write_value(data)
            result = "Good"
            self.written += 1
        except UaStatusCodeError as error:
            result = type(error).__name__
            self.refused += 1
            self._tell(row, result, f"the server refuses {raw!r} at {bound.entry.node}: {result}")
        self._last[row] = (now_s, raw)
        self._audit(bound.entry.node or "", raw, result)

    def _tell(self, row: int, kind: str, message: str) -> None:
        if (row, kind) not in self._told:
            self._told.add((row, kind))
            _log.warning("OPC UA source %s: %s: %s", self._name, self._entries[row].entry.twin, message)
