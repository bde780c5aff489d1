"""Radio measurements of real devices over MQTT: checked, put in order, and handed on as arrays.

A message is one JSON object or a list of up to 1000 (see docs/live-radio.md):
``{"ue": "agv-07", "trp": "ceiling-south", "rsrp_dbm": -78.0, "sinr_db": 24.5, "time": "2026-01-31T08:00:00.200Z"}``.
Whatever cannot be used is refused and counted under its reason.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bridges.vda5050.base import time_of

__all__ = ["RadioReadings", "RadioReportReader", "RadioReportsConfig"]

_log = logging.getLogger(__name__)
_MAX_BATCH, _MAX_BYTES = 1000, 1_000_000
_AHEAD_S = 0.5  # assumed: clocks kept by NTP differ by less
_LOG_EVERY_S = 5.0


class RadioReportsConfig(BaseModel):
    """Radio measurements over MQTT. The broker is that of ``bridges.mqtt``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(False, description="Listen to radio measurements when live.")
    topic: str = Field("plant/radio/#", min_length=1, description="Topic filter of the messages.")
    ask_topic: str = Field(
        "plant/radio-ask",
        min_length=1,
        description="Topic by which people accept or dismiss alarms and take corrections back; the broker's ACL guards it.",
    )
    max_age_s: float = Field(5.0, gt=0, le=300, description="A measurement older than this when it comes is refused, in s.")
    max_waiting: int = Field(
        20_000, ge=10, le=1_000_000, description="Measurements kept until the twin takes them; oldest go first."
    )


class _Report(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)

    ue: str = Field(min_length=1, max_length=256)
    trp: str = Field(min_length=1, max_length=256)
    rsrp_dbm: float = Field(ge=-156, le=-20)  # about what TS 38.133 10.1.6 can report
    sinr_db: float | None = Field(None, ge=-43, le=50)
    time: str


@dataclass(frozen=True, slots=True)
class RadioReadings:
    """Measurements since the last were taken, in the order of their measuring.

    Attributes
    ----------
    ue, trp : (n,) index of the device and of the TRP. measured_s : (n,) when, seconds since 1970 [s].
    rsrp_dbm : (n,) [dBm]. sinr_db : (n,) NaN where none came [dB].
    """

    ue: npt.NDArray[np.int64]
    trp: npt.NDArray[np.int64]
    measured_s: npt.NDArray[np.float64]
    rsrp_dbm: npt.NDArray[np.float64]
    sinr_db: npt.NDArray[np.float64]


class RadioReportReader:
    """Reads messages, from any thread, and keeps the measurements until the twin takes them.

    Parameters
    ----------
    config : what is refused.
    ues, trps : names of the devices and TRPs, in the order of the twin's indices.

    Attributes
    ----------
    counts : measurements ``taken`` and refused: ``size``, ``json``, ``schema``, ``batch``, ``ue``, ``trp`` (unknown), ``late``,
        ``early``, ``duplicate``, ``out_of_order``; and ``overflow``, taken but dropped before the twin came.
    """

    def __init__(self, config: RadioReportsConfig, ues: Sequence[str], trps: Sequence[str]) -> None:
        self._config = config
        self._ue = {name: i for i, name in enumerate(ues)}
        self._trp = {name: i for i, name in enumerate(trps)}
        self.counts: Counter[str] = Counter()
        self._latest: dict[tuple[int, int], float] = {}
        self._waiting: deque[tuple[float, int, int, float, float]] = deque()
        self._lock = threading.Lock()
        self._logged_s = -_LOG_EVERY_S

    def take(self, payload: bytes, arrived_s: float) -> int:
        """Read a message that came at ``arrived_s`` (seconds since 1970); returns how many measurements were taken."""
        if len(payload) > _MAX_BYTES:
            return self._refuse("size", f"{len(payload)} bytes; at most {_MAX_BYTES} are read")
        try:
            read = json.loads(payload)
        except (ValueError, RecursionError) as error:
            return self._refuse("json", str(error))
        batch = read if isinstance(read, list) else [read]
        if len(batch) > _MAX_BATCH:
            return self._refuse("batch", f"{len(batch)} measurements in one message; at most {_MAX_BATCH} are read")
        with self._lock:
            rows = sorted(row for row in (self._read(entry, arrived_s) for entry in batch) if row is not None)
            return sum(self._keep(row) for row in rows)

    def _refuse(self, kind: str, reason: str) -> int:
        self.counts[kind] += 1
        now_s = time.monotonic()
        if now_s - self._logged_s >= _LOG_EVERY_S:
            self._logged_s = now_s
            _log.warning("radio reports: a measurement was refused (%s): %s", kind, reason)
        return 0

    def _read(self, entry: object, arrived_s: float) -> tuple[float, int, int, float, float] | None:
        try:
            report = _Report.model_validate(entry)
            measured_s = time_of(report.time)
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
            self._refuse("schema", f"{'.'.join(str(p) for p in fault['loc']) or 'message'}: {fault['msg']}")
            return None
        except ValueError:
            self._refuse("schema", "time: no time with a zone; 2026-01-31T08:00:00.000Z is one")
            return None
        if report.ue not in self._ue:
            self._refuse("ue", f"device {report.ue[:40]!r} is unknown; known: {', '.join(list(self._ue)[:4])} ...")
            return None
        if report.trp not in self._trp:
            self._refuse("trp", f"TRP {report.trp[:40]!r} is unknown; known: {', '.join(self._trp)}")
            return None
        age_s = arrived_s - measured_s
        if not -_AHEAD_S <= age_s <= self._config.max_age_s:
            self._refuse("early" if age_s < 0 else "late", f"measured {age_s:.3f} s before it came; compare the clocks")
            return None
        sinr_db = float("nan") if report.sinr_db is None else report.sinr_db
        return measured_s, self._ue[report.ue], self._trp[report.trp], report.rsrp_dbm, sinr_db

    def _keep(self, row: tuple[float, int, int, float, float]) -> bool:
        link = row[1], row[2]
        latest = self._latest.get(link, float("-inf"))
        if row[0] <= latest:
            self.counts["duplicate" if row[0] == latest else "out_of_order"] += 1
            return False
        self._latest[link] = row[0]
        if len(self._waiting) >= self._config.max_waiting:
            self._waiting.popleft()
            self.counts["overflow"] += 1
        self._waiting.append(row)
        self.counts["taken"] += 1
        return True

    def drain(self) -> RadioReadings:
        """Take all measurements that wait, in the order of their measuring."""
        with self._lock:
            rows = sorted(self._waiting, key=lambda row: row[0])
            self._waiting.clear()
        table = np.array(rows, np.float64).reshape(-1, 5)
        ue, trp = table[:, 1].astype(np.int64), table[:, 2].astype(np.int64)
        return RadioReadings(ue, trp, table[:, 0], table[:, 3], table[:, 4])
