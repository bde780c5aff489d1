"""History of the services' figures in SQLite: raw values and aggregates (OPC 10000-11, OPC 10000-13). None on people or machines.

Kept are the numbers below ``Services/<name>`` as they change, at most one a second and node, for ``history_days``. asyncua's own
SQLite history makes a table per node, which breaks on string identifiers, and knows no aggregates.

In an interval an aggregate counts the values within it that are good; the time-weighted average lets each value stand until the
next one comes, the last one before the interval too. An interval without a value has BadNoData.
"""

from __future__ import annotations

import math
import sqlite3
import struct
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from asyncua import ua
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes

from bridges.opcua.space import GOOD, status

__all__ = ["AGGREGATES", "History"]

AGGREGATES = {
    ObjectIds.AggregateFunction_Average: "average",
    ObjectIds.AggregateFunction_TimeAverage: "time average",
    ObjectIds.AggregateFunction_Minimum: "minimum",
    ObjectIds.AggregateFunction_Maximum: "maximum",
}
"""Aggregates by the numbers of their nodes."""

_OLDEST_FIRST = "SELECT us, value, code FROM history WHERE node = ? AND us >= ? AND us <= ? ORDER BY us ASC LIMIT ?"
_NEWEST_FIRST = _OLDEST_FIRST.replace("ASC", "DESC")
_PAGE = 1000  # values or intervals of one answer
_MAX_INTERVALS = 100_000  # of one reading, over all its pages
_LEAST_STEP_US = 1_000_000
_CLEAN_US = 60_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_YEAR = 1971  # a time before says that the client gave none


def _us(when: datetime | None) -> int | None:
    """Return a time as microseconds since 1970, None where the client gave none."""
    if when is None or when.year < _FIRST_YEAR:
        return None
    return round((when.replace(tzinfo=when.tzinfo or UTC) - _EPOCH) / timedelta(microseconds=1))


def _time(us: float) -> datetime:
    return _EPOCH + timedelta(microseconds=us)


class History:
    """Values of some nodes.

    Parameters
    ----------
    path : the database file, made where it is missing; its folder exists.
    days : how long values are kept.
    """

    def __init__(self, path: Path, days: float) -> None:
        # used by the server's thread alone, but made on another one
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
            "CREATE TABLE IF NOT EXISTS history (node TEXT, us INTEGER, value REAL, code INTEGER, PRIMARY KEY (node, us))"
            " WITHOUT ROWID"
        )
        self._kept_us = round(days * 86_400e6)
        self._last: dict[str, tuple[int, float | None]] = {}
        self._cleaned_us = -math.inf

    def record(self, node: str, when: datetime, value: float | None) -> None:
        """Keep a value of a node; None for one that does not exist at this time."""
        us = _us(when) or 0
        last = self._last.get(node)
        if last is not None and (us - last[0] < _LEAST_STEP_US or value == last[1]):
            return
        self._last[node] = us, value
        code = StatusCodes.Good if value is not None else StatusCodes.BadNoData
        self._db.execute("INSERT OR REPLACE INTO history VALUES (?, ?, ?, ?)", (node, us, value, code))
        if us - self._cleaned_us > _CLEAN_US:
            self._cleaned_us = us
            self._db.execute("DELETE FROM history WHERE us < ?", (us - self._kept_us,))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def read(self, details: Any, what: ua.HistoryReadValueId) -> ua.HistoryReadResult:
        """Answer for one node, as OPC 10000-11 clause 6.4 has it."""
        result, kind = ua.HistoryReadResult(), getattr(details, "data_type", None)
        if what.NodeId.NodeIdType != ua.NodeIdType.String or what.NodeId.Identifier not in self._known():
            result.StatusCode = status(StatusCodes.BadHistoryOperationUnsupported)
        elif kind == ua.ReadRawModifiedDetails.data_type and not details.IsReadModified:
            self._raw(details, what, result)
        elif kind == ua.ReadProcessedDetails.data_type:
            self._processed(details, what, result)
        else:
            result.StatusCode = status(StatusCodes.BadHistoryOperationUnsupported)
        return result

    def _known(self) -> set[str]:
        return {row[0] for row in self._db.execute("SELECT DISTINCT node FROM history")}

    def _raw(self, details: Any, what: ua.HistoryReadValueId, result: ua.HistoryReadResult) -> None:
        begin, end, most = _us(details.StartTime), _us(details.EndTime), int(details.NumValuesPerNode)
        if (begin is None) + (end is None) + (most == 0) > 1:
            result.StatusCode = status(StatusCodes.BadHistoryOperationInvalid)
            return
        # without a start, or with it after the end, the newest come first
        back = begin is None or (end is not None and begin > end)
        low, high = (begin, end) if not back or begin is None else (end, begin)
        left = most
        if what.ContinuationPoint:
            if len(what.ContinuationPoint) != 16:
                result.StatusCode = status(StatusCodes.BadContinuationPointInvalid)
                return
            edge, left = struct.unpack("<qq", what.ContinuationPoint)
            low, high = (low, edge - 1) if back else (edge + 1, high)
        count = min(left, _PAGE) if left else _PAGE
        rows = self._db.execute(
            _NEWEST_FIRST if back else _OLDEST_FIRST,
            (what.NodeId.Identifier, -(2**62) if low is None else low, 2**62 if high is None else high, count + 1),
        ).fetchall()
        more = len(rows) > count
        rows = rows[:count]
        left = left - len(rows) if left else 0
        values = [_value(us, value, code) for us, value, code in rows]
        result.HistoryData = ua.HistoryData(DataValues=values)
        if more and rows and (left or not most):
            result.ContinuationPoint = ua.ByteString(struct.pack("<qq", rows[-1][0], left))
        if not rows:
            result.StatusCode = status(StatusCodes.GoodNoData)

    def _processed(self, details: Any, what: ua.HistoryReadValueId, result: ua.HistoryReadResult) -> None:
        begin, end = _us(details.StartTime), _us(details.EndTime)
        step_us = float(details.ProcessingInterval) * 1000.0
        kind = AGGREGATES.get(details.AggregateType[0].Identifier) if len(details.AggregateType or []) == 1 else None
        if kind is None:
            result.StatusCode = status(StatusCodes.BadAggregateNotSupported)
            return
        if begin is None or end is None or begin >= end or not math.isfinite(step_us) or step_us < 0:
            result.StatusCode = status(StatusCodes.BadHistoryOperationInvalid)
            return
        step_us = step_us or float(end - begin)
        intervals = math.ceil((end - begin) / step_us - 1e-9)
        if intervals > _MAX_INTERVALS:
            result.StatusCode = status(StatusCodes.BadHistoryOperationInvalid)
            return
        first = 0
        if what.ContinuationPoint:
            first = struct.unpack("<q", what.ContinuationPoint)[0] if len(what.ContinuationPoint) == 8 else -1
            if not 0 < first < intervals:
                result.StatusCode = status(StatusCodes.BadContinuationPointInvalid)
                return
        behind = min(first + _PAGE, intervals)
        edges = [begin + k * step_us for k in range(first, behind)] + [min(begin + behind * step_us, float(end))]
        result.HistoryData = ua.HistoryData(DataValues=self._intervals(what.NodeId.Identifier, kind, edges))
        if behind < intervals:
            result.ContinuationPoint = ua.ByteString(struct.pack("<q", behind))

    def _intervals(self, name: str, kind: str, edges: list[float]) -> list[ua.DataValue]:
        """Return the aggregate between each two neighbouring edges [us]."""
        before = self._db.execute(
            "SELECT us, value FROM history WHERE node = ? AND us < ? ORDER BY us DESC LIMIT 1", (name, edges[0])
        ).fetchall()
        rows = self._db.execute(
            "SELECT us, value FROM history WHERE node = ? AND us >= ? AND us < ? ORDER BY us", (name, edges[0], edges[-1])
        ).fetchall()
        standing: float | None = before[0][1] if before else None
        values, at = [], 0
        for low, high in pairwise(edges):
            inside = []
            while at < len(rows) and rows[at][0] < high:
                inside.append(rows[at])
                at += 1
            number = _aggregate(kind, low, high, inside, standing)
            values.append(_value(low, number, StatusCodes.Good if number is not None else StatusCodes.BadNoData))
            standing = inside[-1][1] if inside else standing
        return values


def _aggregate(kind: str, low: float, high: float, rows: list[tuple[int, float | None]], standing: float | None) -> float | None:
    numbers = [value for _, value in rows if value is not None]
    if kind != "time average":
        if not numbers:
            return None
        return {"average": sum(numbers) / len(numbers), "minimum": min(numbers), "maximum": max(numbers)}[kind]
    total = weight = 0.0
    edges = [(low, standing), *rows]
    for (begin, value), end in zip(edges, [*(float(us) for us, _ in rows), high], strict=True):
        if value is not None:
            total += value * (end - begin)
            weight += end - begin
    return total / weight if weight > 0.0 else None


def _value(us: float, value: float | None, code: int) -> ua.DataValue:
    variant = ua.Variant(None, ua.VariantType.Null) if value is None else ua.Variant(value, ua.VariantType.Double)
    when: Any = _time(us)
    return ua.DataValue(variant, GOOD if code == StatusCodes.Good else status(code), SourceTimestamp=when, ServerTimestamp=when)
