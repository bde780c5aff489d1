"""The stop ledger: every second in which a machine stands has one cause, and a queue the cause of the one who heads it.

A machine is in one mode in each step, so the causes add up to the time, to the microsecond. An interval ends where the mode
changes, or, of one that waits in a queue, where the head of the queue or its mode does: a stop that begins for one cause and goes
on for another is two intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from robots import stop_ledger_kernels as kernel
from robots.cobot import Cobots
from robots.fleet import Fleet
from robots.routes import FloatArray, IntArray
from robots.state import DRIVING, MODES, WORKING

STOPS = tuple(k for k in range(len(MODES)) if k not in (DRIVING, WORKING))
"""Modes in which a machine stands."""
_HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Intervals:
    """Stops that ended in a step.

    Attributes
    ----------
    machine : (r,) machine, AGVs first. cause, root : (r,) modes: why it stood; of a queue, why its head stood (``queue`` itself:
        ordinary traffic). head : (r,) machine that headed the queue, -1 for none. start_us, end_us : (r,) [us].
    opened : (q,) machines that stand for something new from this step on.
    """

    machine: IntArray
    cause: IntArray
    root: IntArray
    head: IntArray
    start_us: IntArray
    end_us: IntArray
    opened: IntArray


_NONE: IntArray = np.zeros(0, np.int64)
NO_INTERVALS = Intervals(_NONE, _NONE, _NONE, _NONE, _NONE, _NONE, _NONE)


class StopLedger:
    """Books what every AGV and cobot does or stands for.

    Parameters
    ----------
    fleet, cobots : whom it watches; it changes nothing of them.
    n_zones : number of zones of the floor. hours : hours that the run takes, rounded up.

    Attributes
    ----------
    names : names of the M machines, AGVs first.
    spent_us, starts : (M, len(MODES)) time in each mode [us], and how often it began.
    root_us : (M, len(MODES)) time in queues by the mode of who headed them [us].
    slow_s : (M, len(MODES)) time that AGVs lost while they sped up again, by what they had stood for [s]; cobots' own:
        ``Cobots.slow_s``.
    radio_s : (M, RADIO_PARTS) see ``robots.stop_ledger_kernels``.
    by_zone_us, by_hour_us, zone_starts, hour_starts : (zones or hours, len(MODES)) the same of all machines.
    """

    def __init__(self, fleet: Fleet, cobots: Cobots, n_zones: int = 1, hours: int = 1) -> None:
        self._fleet, self._cobots = fleet, cobots
        self.n_agv = fleet.n
        self.names: tuple[str, ...] = (*(f"agv-{i + 1:02d}" for i in range(fleet.n)), *cobots.names)
        n, modes = len(self.names), len(MODES)
        self.spent_us, self.starts, self.root_us = np.zeros((3, n, modes), np.int64)
        self.slow_s, self.radio_s = np.zeros((n, modes)), np.zeros((n, kernel.RADIO_PARTS))
        self.by_zone_us, self.zone_starts = np.zeros((2, max(n_zones, 1), modes), np.int64)
        self.by_hour_us, self.hour_starts = np.zeros((2, max(hours, 1), modes), np.int64)
        self._state = np.full((kernel.STATE_ROWS, n), -1, np.int64)
        self._state[kernel.OWED] = 0
        # before the first step a machine is where it works: what it stands for from the first step on begins there
        self._state[kernel.CAUSE] = WORKING
        self._speed = np.zeros((2, fleet.n))
        self._rows, self._opened = np.zeros((n, kernel.ROW_INTS), np.int64), np.zeros(n, np.int64)
        self._nowhere: IntArray = np.zeros(n, np.int64)
        self._top_mps = float(fleet.config.agvs.max_speed_mps)

    def observe(self, time_us: int, dt_us: int, zone: IntArray | None = None) -> Intervals:
        """Book the step that the fleet and the cobots have just made.

        Parameters
        ----------
        time_us, dt_us : start and length of the step [us]. zone : (M,) zone that each machine is in.
        """
        hour = min(time_us // _HOUR_US, len(self.by_hour_us) - 1)
        tables, lanes = self._fleet.tables, self._fleet.lane_tables
        cobot_mode, cobot_real = self._cobots.tables
        n_rows, n_opened = kernel.observe(
            time_us, dt_us, hour, self._top_mps, self._nowhere if zone is None else zone,
            tables.whole, tables.real, tables.flag, tables.path, tables.holder, tables.version,
            lanes.whole, lanes.real, lanes.flag, lanes.at, cobot_mode, cobot_real,
            self._state, self._speed, self.spent_us, self.starts, self.root_us, self.slow_s, self.radio_s,
            self.by_zone_us, self.by_hour_us, self.zone_starts, self.hour_starts, self._rows, self._opened,
        )  # fmt: skip
        if not n_rows and not n_opened:
            return NO_INTERVALS
        machine, cause, root, head, start_us, end_us = self._rows[:n_rows].T.copy()
        return Intervals(machine, cause, root, head, start_us, end_us, self._opened[:n_opened].copy())

    def cause(self, machine: int) -> int:
        """Mode of a machine in the last step."""
        return int(self._state[kernel.CAUSE, machine])

    def head(self, machine: int) -> int:
        """Machine that heads the queue in which a machine waits, -1 for none."""
        return int(self._state[kernel.HEAD, machine])

    def unfinished(self, time_us: int) -> Intervals:
        """Give the stops that last at ``time_us`` [us], as if they ended there."""
        cause, since = self._state[kernel.CAUSE], self._state[kernel.SINCE]
        machine = np.flatnonzero(np.isin(cause, STOPS) & (since < time_us))
        state = self._state[:, machine].copy()
        end_us = np.full(len(machine), time_us, np.int64)
        return Intervals(
            machine, state[kernel.CAUSE], state[kernel.ROOT], state[kernel.HEAD], state[kernel.SINCE], end_us, machine[:0]
        )

    @property
    def total_slow_s(self) -> FloatArray:
        """Time lost by cause while a machine moved, slower than it could have: (M, len(MODES)) [s]."""
        total = self.slow_s.copy()
        total[self.n_agv :] += self._cobots.slow_s
        return total

    @property
    def separation_s(self) -> FloatArray:
        """Time that the radio's delay cost by a longer required separation: (M,) [s]."""
        out = np.zeros(len(self.names))
        out[self.n_agv :] = self._cobots.radio_slow_s
        return out


def stop_names(causes: Sequence[int] = STOPS) -> tuple[str, ...]:
    """Names of causes."""
    return tuple(MODES[c] for c in causes)
