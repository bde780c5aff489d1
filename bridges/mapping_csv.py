"""A recording as a table, replayed as if it happened now, by a mapping."""

from __future__ import annotations

import csv
import math
import threading
import time
from collections.abc import Sequence
from typing import Any

from bridges.errors import BridgeError
from bridges.mapping import CsvSource
from bridges.mapping_file import BoundEntry
from bridges.mapping_values import GOOD, MappedValues

__all__ = ["CsvReplay"]

_MAX_ROWS = 5_000_000


class CsvReplay:
    """Replays a table: its first line happens at the start, the others as much later as their times say.

    Parameters
    ----------
    name : of the source. source : as mapped. entries : which columns. values : takes what comes.

    Raises
    ------
    BridgeError
        The table or a column of it cannot be used; the text has its line.
    """

    def __init__(self, name: str, source: CsvSource, entries: Sequence[BoundEntry], values: MappedValues) -> None:
        self._name, self._source, self._entries, self._values = name, source, tuple(entries), values
        self._time_s, self._cells = _read(source, self._entries)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._done = False

    @property
    def connected(self) -> bool:
        """Whether the replay runs."""
        return self._thread is not None and not self._done

    @property
    def problem(self) -> str:
        """Why nothing comes, "" where it does."""
        return "the recording is over" if self._done else ""

    def wait_connected(self, timeout_s: float) -> bool:
        """Whether the replay has begun; there is nothing to wait for."""
        return self._thread is not None

    def start(self) -> None:
        """Begin to replay."""
        self._thread = threading.Thread(target=self._run, name=f"csv-{self._name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; harmless where nothing runs."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        speed = self._source.speed
        while not self._stop.is_set():
            began, began_wall = time.monotonic(), time.time()
            for at_s, cells in zip(self._time_s, self._cells, strict=True):
                due_s = (at_s - self._time_s[0]) / speed
                wait_s = due_s - (time.monotonic() - began)
                if wait_s > 0 and self._stop.wait(wait_s):
                    return
                now = time.time()
                self._values.heard(self._name, now)
                for bound, cell in zip(self._entries, cells, strict=True):
                    if cell is not None:
                        self._values.put(bound.row, cell, GOOD, began_wall + due_s, max(now, began_wall + due_s))
            if not self._source.repeat or len(self._time_s) < 2:
                break
            # one mean step lies between the last line and the first of the next round
            self._stop.wait((self._time_s[-1] - self._time_s[0]) / (len(self._time_s) - 1) / speed)
        self._done = True


def _read(source: CsvSource, entries: Sequence[BoundEntry]) -> tuple[list[float], list[tuple[Any, ...]]]:
    path = source.file
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = csv.reader(file, delimiter=source.separator)
            names = next(lines, [])
            columns = {name.strip(): k for k, name in enumerate(names)}
            for wanted, place in ((source.time_column, ""), *((b.entry.column or "", f"{b.place}: ") for b in entries)):
                if wanted not in columns:
                    raise BridgeError(f"{place}{path}:1: there is no column {wanted!r}; there are {', '.join(columns) or 'none'}")
            at = columns[source.time_column]
            time_s: list[float] = []
            cells: list[tuple[Any, ...]] = []
            for cell in lines:
                if not cell:
                    continue
                if len(cell) != len(names):
                    raise BridgeError(f"{path}:{lines.line_num}: {len(cell)} columns, the first line has {len(names)}")
                time_s.append(_time(cell[at], path, lines.line_num, time_s, source.time_column))
                cells.append(tuple(_cell(cell[columns[b.entry.column or ""]]) for b in entries))
                if len(time_s) > _MAX_ROWS:
                    raise BridgeError(f"{path}: more than {_MAX_ROWS} lines; cut the recording")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BridgeError(f"{path}: cannot be read: {error}") from error
    if not time_s:
        raise BridgeError(f"{path}: has no line beside the names of its columns")
    return time_s, cells


def _time(text: str, path: object, line: int, before: list[float], column: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BridgeError(f"{path}:{line}: {column}: {text!r} is no time in s")
    if before and value < before[-1]:
        raise BridgeError(f"{path}:{line}: {column}: {value:g} s comes after {before[-1]:g} s; sort the lines by time")
    return value


def _cell(text: str) -> Any:
    """Read a cell: a number, a truth value, a text; None for an empty one."""
    text = text.strip()
    if not text:
        return None
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
