"""stops.parquet: every stop of every machine, written a part a simulated minute and joined at the end."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from factory.record_columns import STOP_TYPES, Buffer
from factory.run_folder import MINUTE_US, write_parquet
from factory.stop_ledger import Stop

FILE, PARTS = "stops.parquet", "stops"


class StopRecorder:
    """Writes the stops of one run.

    Parameters
    ----------
    folder : the run folder's path. machines : (M,) names. n_agv : the first of them are AGVs, the others cobots.
    """

    def __init__(self, folder: Path, machines: Sequence[str], n_agv: int) -> None:
        self._folder, self._machines, self._n_agv = folder, tuple(machines), n_agv
        self._buffer = Buffer(STOP_TYPES, 1024)
        self._minute, self._parts = 0, 0
        (folder / PARTS).mkdir()

    def add(self, time_us: int, stops: Sequence[Stop]) -> None:
        """Take the stops that ended in the tick that begins at ``time_us``."""
        if time_us // MINUTE_US != self._minute:
            self._flush()
            self._minute = time_us // MINUTE_US
        for stop in stops:
            i = self._buffer.reserve(1).start
            columns, names = self._buffer.columns, self._buffer.names
            columns["start_us"][i], columns["end_us"][i] = stop.start_us, stop.end_us
            columns["x_m"][i], columns["y_m"][i] = stop.x_m, stop.y_m
            words = {
                "machine": self._machines[stop.machine],
                "kind": "agv" if stop.machine < self._n_agv else "cobot",
                "cause": stop.cause,
                "root": stop.root,
                "blocker": stop.blocker,
                "detail": stop.detail,
            }
            for name, word in words.items():
                columns[name][i] = names[name].code(word)

    def close(self, stops: Sequence[Stop]) -> None:
        """Take the stops that last at the end of the run, and join the parts into one file in order of time."""
        self.add(self._minute * MINUTE_US, stops)
        self._flush()
        target = self._folder / FILE
        temporary = target.with_name(target.name + ".tmp")
        with pq.ParquetWriter(temporary, self._buffer.table().schema, compression="zstd") as writer:
            for part in sorted((self._folder / PARTS).glob("part-*.parquet")):
                table = pq.read_table(part)
                writer.write_table(table, row_group_size=max(table.num_rows, 1))
        os.replace(temporary, target)
        shutil.rmtree(self._folder / PARTS)

    def _flush(self) -> None:
        if self._buffer.rows:
            order = np.argsort(self._buffer.columns["start_us"][: self._buffer.rows], kind="stable")
            write_parquet(self._folder / PARTS / f"part-{self._parts:04d}.parquet", self._buffer.table(order))
            self._parts += 1
            self._buffer.rows = 0
