"""Columns of the recorded files, and the growing buffers in which they wait until a minute is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

EVENT_KINDS = (
    "packet_lost",
    "service_down",
    "service_up",
    "beam_failure",
    "beam_switch",
    "leg_restored",
    "second_leg",
    "protective_stop",
    "restart",
    "contact",
    "order_finished",
    "trp_down",
    "trp_up",
    "emergency_stop",
)

DEVICE_TYPES: dict[str, type[np.generic] | str] = {
    "plan_dl_db": np.float32,
    "plan_ul_db": np.float32,
    "need_dl_db": np.float32,
    "need_ul_db": np.float32,
    "usable_legs": np.int8,
    "other_trp": "name",
    "other_margin_db": np.float32,
}
"""Columns of the ticks that tell what the network reckoned with and could have had, see `factory.what_if`."""
LOSS_TYPES: dict[str, type[np.generic] | str] = {
    "plan_sinr_db": np.float32,
    "mcs": np.int8,
    "sent_need_db": np.float32,
    "need_db": np.float32,
    "clear_db": np.float32,
    "quiet_db": np.float32,
    "usable_legs": np.int8,
    "load": np.float32,
    "other_trp": "name",
    "other_margin_db": np.float32,
    "other_load": np.float32,
    "interferer": "name",
    "forecast_db": np.float32,
}
"""Columns of lost messages that tell what would have been otherwise, see `factory.what_if`."""
DEVICE_COLUMNS, LOSS_COLUMNS = tuple(DEVICE_TYPES), tuple(LOSS_TYPES)

TICK_TYPES: dict[str, type[np.generic] | str] = {
    "time_us": np.int64,
    "device": "name",
    "x_m": np.float32,
    "y_m": np.float32,
    "z_m": np.float32,
    "speed_mps": np.float32,
    "mode": "name",
    "trp": "name",
    "beam": np.int16,
    "second_trp": "name",
    "sinr_dl_db": np.float32,
    "sinr_ul_db": np.float32,
    "margin_db": np.float32,
    "body_loss_db": np.float32,
    "blocker": "name",
    "blocker_part": "name",
    "loss_probability": np.float64,
    **DEVICE_TYPES,
}
EVENT_TYPES: dict[str, type[np.generic] | str] = {
    "time_us": np.int64,
    "kind": "name",
    "device": "name",
    "service": "name",
    "policy": "name",
    "cause": "name",
    "blocker": "name",
    "part": "name",
    "role": "name",
    "trp": "name",
    "beam": np.int16,
    "x_m": np.float32,
    "y_m": np.float32,
    "sinr_db": np.float32,
    "loss_probability": np.float64,
    "detail": "name",
    **LOSS_TYPES,
}
STOP_TYPES: dict[str, type[np.generic] | str] = {
    "start_us": np.int64,
    "end_us": np.int64,
    "machine": "name",
    "kind": "name",
    "cause": "name",
    "root": "name",
    "blocker": "name",
    "detail": "name",
    "x_m": np.float32,
    "y_m": np.float32,
}
PEOPLE_TYPES: dict[str, type[np.generic] | str] = {"time_us": np.int64, "person": "name", "x_m": np.float32, "y_m": np.float32}


class Names:
    """Words of one column and their codes, in order of first use."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self._code: dict[str, int] = {}

    def code(self, word: str) -> int:
        """Code of a word, a new one where it is new."""
        code = self._code.get(word)
        if code is None:
            code = self._code[word] = len(self.words)
            self.words.append(word)
        return code

    def lookup(self, words: Iterable[str]) -> npt.NDArray[np.int32]:
        """Codes by index with -1 for none: entry 0 is the empty word, entry i + 1 is word i."""
        return np.array([self.code(""), *(self.code(w) for w in words)], dtype=np.int32)

    def lookup_rows(self, rows: Sequence[Sequence[str]]) -> npt.NDArray[np.int32]:
        """Codes by (row, index), -1 for none in both: row 0 and column 0 are the empty word."""
        width = max((len(r) for r in rows), default=0)
        table = np.full((len(rows) + 1, width + 1), self.code(""), dtype=np.int32)
        for i, row in enumerate(rows):
            table[i + 1, : len(row) + 1] = self.lookup(row)
        return table


class Buffer:
    """Columns of equal length that grow by doubling; a column of names holds codes.

    Parameters
    ----------
    types : NumPy type of every column, or "name" for words held as codes.
    rows : rows to make room for at first.
    """

    def __init__(self, types: Mapping[str, type[np.generic] | str], rows: int) -> None:
        self.names = {name: Names() for name, kind in types.items() if kind == "name"}
        self.columns: dict[str, npt.NDArray[Any]] = {
            name: np.zeros(rows, dtype=np.int32 if isinstance(kind, str) else kind) for name, kind in types.items()
        }
        self.rows = 0
        self._capacity = rows

    def reserve(self, n: int) -> slice:
        """Return the slice of the next ``n`` rows and count them."""
        start, end = self.rows, self.rows + n
        if end > self._capacity:
            self._capacity = max(2 * self._capacity, end)
            for name, column in self.columns.items():
                grown = np.zeros(self._capacity, dtype=column.dtype)
                grown[:start] = column[:start]
                self.columns[name] = grown
        self.rows = end
        return slice(start, end)

    def blank(self, rows: slice, columns: Iterable[str]) -> None:
        """Put what says "does not apply" into columns: the empty word, NaN, -1."""
        for name in columns:
            column = self.columns[name]
            if name in self.names:
                column[rows] = self.names[name].code("")
            else:
                column[rows] = np.nan if np.issubdtype(column.dtype, np.floating) else -1

    def table(self, order: npt.NDArray[np.int64] | None = None) -> pa.Table:
        """Arrow table of the rows held, names dictionary-encoded with only the words that occur."""
        arrays = {}
        for name, column in self.columns.items():
            held = column[: self.rows] if order is None else column[: self.rows][order]
            if name in self.names:
                used, codes = np.unique(held, return_inverse=True)
                words = self.names[name].words
                dictionary = pa.array([words[i] for i in used], pa.string())
                arrays[name] = pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), dictionary)
            else:
                arrays[name] = pa.array(held)
        return pa.table(arrays)
