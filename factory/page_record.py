"""The last minutes of a live twin, kept so that an outage can be explained while the twin runs.

It is the recording of a run (``docs/run-folder.md``) in the state folder, of which minutes that are over are removed. The tick's
thread writes and, when asked, hands over what it still holds; the page's thread reads.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bridges.page.story import Story
from factory.blocked_paths import BlockedPaths
from factory.explain_run import Facts
from factory.journal import Journal
from factory.page_story import tell_spell, worst_between
from factory.run_folder import MINUTE_US, Run, RunFolder
from factory.twin import Tick, Twin

__all__ = ["LiveRecord"]

_KINDS = ("ticks", "events", "stops")
_HAND_OVER_S = 5.0


class _Recent(Run):
    """Minutes that were written, and what was not written yet.

    Parameters
    ----------
    path : the run folder. parts : files of every kind. held : tables not written. links : links that lost messages.
    reached_us : time of the twin [us].
    """

    def __init__(
        self, path: Path, parts: dict[str, list[Path]], held: dict[str, pa.Table], links: list[dict[str, Any]], reached_us: int
    ) -> None:
        super().__init__(path)
        self._kept_parts, self._held, self._links_kept, self._reached_us = parts, held, links, reached_us

    @property
    def kept_s(self) -> float:
        """Time that the twin has reached [s]."""
        return self._reached_us / 1e6

    def lost_links(self) -> list[dict[str, Any]]:
        """Return the links that lost messages."""
        return self._links_kept

    def blocked_paths(self) -> list[dict[str, Any]]:
        """Return none: the links say the same."""
        return []

    def _parts(self, kind: str) -> list[Path]:
        return self._kept_parts.get(kind, [])

    def _frame(self, parts: Iterable[Path], columns: list[str] | None, kind: str) -> pd.DataFrame:
        held = self._held[kind]
        tables = [pq.read_table(part, columns=columns) for part in parts]
        tables.append(held if columns is None else held.select(columns))
        frame: pd.DataFrame = pa.concat_tables(tables).unify_dictionaries().to_pandas()
        return frame


class _LiveFacts(Facts):
    """Facts of a run whose first instants may be gone.

    Parameters
    ----------
    run : the run. devices : names of its devices.
    """

    def __init__(self, run: Run, devices: Sequence[str]) -> None:
        self._names = tuple(devices)
        super().__init__(run)

    @property
    def devices(self) -> tuple[str, ...]:
        """Names of the devices."""
        return self._names


class LiveRecord:
    """Records a live twin and tells its outages; see :class:`bridges.page.story.Stories`.

    Parameters
    ----------
    twin : the twin. folder : where to write; what an earlier twin left there is removed. minutes : what is kept.
    """

    def __init__(self, twin: Twin, folder: Path, minutes: float) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        loaded = twin.loaded
        made = RunFolder.create(folder, loaded.text, loaded.scenario.model_dump(mode="json"), loaded.scenario.seed)
        self._twin, self._path, self._kept_us = twin, folder, round(60e6 * minutes)
        self._journal, self._blocked = Journal(twin, made), BlockedPaths(twin, made)
        self._minute = 0
        self._minute_of: dict[Path, int] = {}
        self._reading = threading.Lock()
        self._asked, self._given = threading.Event(), threading.Event()
        self._recent: _Recent | None = None

    def add(self, tick: Tick) -> None:
        """Record one tick; on the twin's thread."""
        self._journal.add(tick)
        self._blocked.add(tick)
        if tick.time_us // MINUTE_US != self._minute:
            self._minute = tick.time_us // MINUTE_US
            self._forget(tick.time_us)

    def hand_over(self) -> None:
        """Give a reader that waits what has not been written yet; on the twin's thread, between two ticks."""
        if not self._asked.is_set():
            return
        self._asked.clear()
        parts = {kind: sorted((self._path / kind).glob("part-*.parquet")) for kind in _KINDS}
        now = self._twin.time_us
        links = self._blocked.links_since(now - self._kept_us)
        self._recent = _Recent(self._path, parts, self._journal.recorder.held(), links, now)
        self._given.set()

    def tell(self, service: str, start_us: int, end_us: int | None, see_people: bool) -> Story | None:
        """Tell the worst outage of a service between two times [us]; on a thread of the page.

        Returns
        -------
        None where the twin does not answer, or nothing of that time is held.
        """
        with self._reading:
            self._given.clear()
            self._asked.set()
            if not self._given.wait(_HAND_OVER_S) or self._recent is None:
                return None
            facts = _LiveFacts(self._recent, self._twin.devices)
            spell = worst_between(facts, service, start_us, end_us)
            return None if spell is None else tell_spell(facts, spell, see_people)

    def close(self) -> None:
        """Remove what was recorded: it was kept for the moment only."""
        with self._reading:
            shutil.rmtree(self._path, ignore_errors=True)

    def _forget(self, now_us: int) -> None:
        """Remove minutes that are over, unless somebody reads at this moment; then the next minute does it."""
        for kind in _KINDS:
            for part in (self._path / kind).glob("part-*.parquet"):
                self._minute_of.setdefault(part, self._minute)
        if not self._reading.acquire(blocking=False):
            return
        try:
            self._blocked.links_since(now_us - self._kept_us)
            for part, written in list(self._minute_of.items()):
                if (written - 1) * MINUTE_US < now_us - self._kept_us - MINUTE_US:
                    part.unlink(missing_ok=True)
                    del self._minute_of[part]
        finally:
            self._reading.release()
