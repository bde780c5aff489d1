"""Mapped values on their way from the sources' threads to the tick's.

Sources put values in as they come (:meth:`MappedValues.put`); the tick takes what is known of every variable once
(:meth:`MappedValues.take`), in the twin's own units, with quality and age.

Invariant: the measuring time of a variable never goes back, except where a source's clock was set: after ``RESET_AFTER`` values
in a row that look older than the one before, the new times are believed.
"""

from __future__ import annotations

import math
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bridges.mapping_file import BoundEntry, BoundMapping

__all__ = [
    "BAD", "GOOD", "QUALITIES", "RESET_AFTER", "UNCERTAIN", "CameIn", "MappedObservations", "MappedValues", "WrongValueError",
]  # fmt: skip

QUALITIES = ("good", "uncertain", "bad")
"""What a value is worth, as OPC 10000-4, 7.39 has the severities of status codes; index = code."""
GOOD, UNCERTAIN, BAD = range(3)
RESET_AFTER = 5

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


class WrongValueError(ValueError):
    """A value that cannot be the variable's.

    Attributes
    ----------
    kind : ``type`` or ``range``.
    """

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class MappedObservations:
    """What is known of the n variables of a mapping, in the file's order.

    Attributes
    ----------
    value : (n,) in the twin's own units, truth values as 0 and 1; NaN where none came yet.
    quality : (n,) code of ``QUALITIES``, ``BAD`` where none came yet.
    measured_s : (n,) when it was so, seconds since 1970 by our clock, dead time taken off [s]; NaN where none came yet.
    age_s : (n,) since then; inf where none came yet [s].
    stale : (n,) older than ``stale_after_s``, bad, or none.
    fresh : (n,) came since the last take.
    """

    value: FloatArray
    quality: npt.NDArray[np.int64]
    measured_s: FloatArray
    age_s: FloatArray
    stale: BoolArray
    fresh: BoolArray


@dataclass(frozen=True, slots=True)
class CameIn:
    """What sources put in since it was last taken.

    Attributes
    ----------
    rows : per value its variable, the value (NaN where it is bad), its quality and when it was measured [s], as they came.
    heard_s : (n,) per source when it was last heard, seconds since 1970 [s]; -inf where never.
    """

    rows: tuple[tuple[int, float, int, float], ...]
    heard_s: FloatArray


def converted(bound: BoundEntry, raw: Any) -> float:
    """Turn a plant's value into the twin's.

    Raises
    ------
    WrongValueError
        It is of another type, or cannot be true.
    """
    entry, variable = bound.entry, bound.variable
    if variable.dimension == "truth":
        if entry.true_when is not None:
            if not isinstance(raw, bool | int | str):
                raise WrongValueError("type", f"{_shown(raw)}; true_when compares truth values, whole numbers and texts")
            return float(raw in entry.true_when)
        if isinstance(raw, bool | int | float) and raw in (0, 1):
            return float(raw)
        raise WrongValueError("type", f"{_shown(raw)} is neither true nor false; say with true_when what counts as true")
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise WrongValueError("type", f"{_shown(raw)} is no number")
    value = float(raw) * bound.factor + bound.shift
    if not math.isfinite(value):
        raise WrongValueError("range", f"{raw!r} is no finite number")
    if not variable.low <= value <= variable.high:
        text = f"{_shown(raw)} gives {value:.6g} {variable.unit}; {variable.low:.6g} to {variable.high:.6g} are possible"
        raise WrongValueError("range", f"{text}. Are scale, offset and unit right?")
    return value


def _shown(raw: Any) -> str:
    text = repr(raw)
    return f"{text[:60]}{'...' if len(text) > 60 else ''} ({type(raw).__name__})"


class MappedValues:
    """Holds what came until the tick takes it.

    Parameters
    ----------
    bound : the mapping.
    told : takes a message for the person who runs the twin, once per variable and kind of fault.

    Attributes
    ----------
    counts : per variable, values ``taken`` and refused: ``type``, ``range``, ``out_of_order``, ``missing``; and ``early``: values
        from the future, whose time was taken for now.
    overflow : values that were dropped because nobody took them.
    """

    def __init__(self, bound: BoundMapping, told: Callable[[str], None]) -> None:
        self._bound, self._told = bound, told
        n = len(bound.entries)
        entries = [b.entry for b in bound.entries]
        self._sources = tuple(bound.mapping.sources)
        self._source_of = np.array([self._sources.index(e.source) for e in entries], np.int64)
        self._dead_s = np.array([e.dead_time_ms / 1000.0 for e in entries], np.float64)
        self._stale_s = np.array([e.stale_after_s for e in entries], np.float64)
        self._by_connection = np.array([e.stale_by == "connection" for e in entries], np.bool_)
        self._heard_s = np.full(len(self._sources), -np.inf)
        self._waiting: deque[tuple[int, float, int, float]] = deque()
        self._lock = threading.Lock()
        self.counts: tuple[Counter[str], ...] = tuple(Counter() for _ in range(n))
        self.overflow = 0
        self._faults: set[tuple[int, str]] = set()
        self._value, self._measured_s = np.full(n, np.nan), np.full(n, np.nan)
        self._quality = np.full(n, BAD, np.int64)
        self._behind = np.zeros(n, np.int64)

    def put(self, row: int, raw: Any, quality: int, measured_s: float, arrived_s: float) -> None:
        """Take a value, from any thread.

        Parameters
        ----------
        row : of the variable. raw : as it came; of no interest where the quality is ``BAD``. quality : code of ``QUALITIES``.
        measured_s, arrived_s : by our clock, seconds since 1970 [s].
        """
        bound, counts = self._bound.entries[row], self.counts[row]
        value = math.nan
        if quality != BAD:
            try:
                value = converted(bound, raw)
            except WrongValueError as error:
                quality = BAD
                self.fault(row, error.kind, str(error))
        if measured_s > arrived_s:
            counts["early"] += 1
            measured_s = arrived_s
        counts["taken"] += 1
        with self._lock:
            if len(self._waiting) >= self._bound.mapping.max_waiting:
                self._waiting.popleft()
                self.overflow += 1
            self._waiting.append((row, value, quality, measured_s))

    def fault(self, row: int, kind: str, message: str) -> None:
        """Count a fault of a variable, and tell it the first time."""
        self.counts[row][kind] += 1
        if (row, kind) not in self._faults:
            self._faults.add((row, kind))
            bound = self._bound.entries[row]
            self._told(f"{bound.place}: {bound.entry.twin}: {message}")

    def heard(self, source: str, at_s: float) -> None:
        """Take note that a source is there: what it has not changed is so still."""
        self._heard_s[self._sources.index(source)] = at_s

    def take(self, now_s: float) -> MappedObservations:
        """Return what is known of every variable; on the tick's thread.

        Parameters
        ----------
        now_s : seconds since 1970 [s].
        """
        return self.known(now_s, self.drain())

    def drain(self) -> CameIn:
        """Take what waits; on the tick's thread."""
        rows: deque[tuple[int, float, int, float]] = deque()
        if self._waiting:
            with self._lock:
                rows, self._waiting = self._waiting, rows
        return CameIn(tuple(rows), self._heard_s.copy())

    def known(self, now_s: float, came: CameIn) -> MappedObservations:
        """Return what is known of every variable with what ``came``; on the tick's thread. ``now_s`` since 1970 [s]."""
        fresh = np.zeros(len(self._value), np.bool_)
        for row, value, quality, measured_s in came.rows:
            fresh[row] |= self._keep(row, value, quality, measured_s)
        as_of_s = self._measured_s - self._dead_s
        heard_s = came.heard_s[self._source_of]
        seen_s = np.where(self._by_connection, np.fmax(as_of_s, heard_s - self._dead_s), as_of_s)
        age_s = np.where(np.isnan(as_of_s), np.inf, np.maximum(now_s - seen_s, 0.0))
        stale = (age_s > self._stale_s) | (self._quality == BAD)
        return MappedObservations(
            self._value.copy(), self._quality.copy(), np.where(np.isnan(as_of_s), np.nan, seen_s), age_s, stale, fresh
        )

    def _keep(self, row: int, value: float, quality: int, measured_s: float) -> bool:
        if measured_s < self._measured_s[row]:
            self._behind[row] += 1
            if self._behind[row] < RESET_AFTER:
                self.counts[row]["out_of_order"] += 1
                return False
        self._behind[row] = 0
        self._measured_s[row], self._quality[row] = measured_s, quality
        if quality != BAD:  # of a bad value the last usable one is kept, as uncertain as it is
            self._value[row] = value
        return True
