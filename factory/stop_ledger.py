"""The stop ledger of a run: what every machine stood for, with the service, person or machine behind it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from factory.planned import Sums, busy_spans_us
from humans.shift_crowd import ShiftCrowd
from robots import stop_ledger_kernels as kernel
from robots.state import COMMUNICATION, EMERGENCY_STOP, MODES, PAUSED, PERSON_NEAR, QUEUE
from robots.stop_ledger import Intervals, StopLedger

if TYPE_CHECKING:
    from factory.twin import Twin

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop of one machine for one cause.

    Attributes
    ----------
    start_us, end_us : [us]. machine : index, AGVs first. cause, root : names of ``robots.state.MODES``; root is that of who heads
        the queue where the cause is ``queue``, else the cause again.
    blocker : who was behind it: the person near (pseudonym), the head of the queue. detail : the service that was silent, the
        person's role, the panel, an empty battery. Both empty where nobody or nothing can be named.
    x_m, y_m : where the machine was when it began [m].
    """

    start_us: int
    end_us: int
    machine: int
    cause: str
    root: str
    blocker: str
    detail: str
    x_m: float
    y_m: float


class Stops:
    """Books the stops of a twin's machines and remembers what was behind them.

    Parameters
    ----------
    twin : the twin, whose fleet, cobots, traffic and people are asked.

    Attributes
    ----------
    ledger : the sums.
    """

    def __init__(self, twin: Twin) -> None:
        self._twin = twin
        hours = math.ceil(twin.scenario.duration_s / 3600) + 1
        self.ledger = StopLedger(twin.fleet, twin.cobots, len(twin.zones.names), hours)
        n = len(self.ledger.names)
        self._blocker, self._detail = [""] * n, [""] * n
        self._place_m = np.zeros((n, 2))
        self._cobot_m = np.array([c.position_m[:2] for c in twin.scenario.robots.cobots], np.float64).reshape(-1, 2)
        self._ended: list[Stop] = []
        self._changes_us: list[int] = [0]  # planned time begins, ends, begins again
        if isinstance(twin.crowd, ShiftCrowd):
            self._changes_us = busy_spans_us(twin.crowd.plan, round(twin.scenario.duration_s * 1e6)).ravel().tolist()
        self._is_planned = False
        self._planned_before: Sums | None = None
        self._planned_from: Sums | None = None

    def add(self, time_us: int, dt_us: int) -> None:
        """Book the tick that begins at ``time_us``, once the machines have made it."""
        if self._changes_us and time_us >= self._changes_us[0]:
            self._plan_changes(time_us)
        found = self.ledger.observe(time_us, dt_us, self._twin.zones.of_device)
        if len(found.machine):
            self._ended += self._stops(found)
        for machine in found.opened.tolist():
            self._open(machine)

    def _plan_changes(self, time_us: int) -> None:
        """Let planned time begin or end."""
        now = self._sums()
        while self._changes_us and time_us >= self._changes_us[0]:
            del self._changes_us[0]
            if self._is_planned and self._planned_from is not None:
                done = now.since(self._planned_from)
                self._planned_before = done if self._planned_before is None else self._planned_before.plus(done)
            else:
                self._planned_from = now
            self._is_planned = not self._is_planned

    def _sums(self) -> Sums:
        """Add up what the machines have done since the run began."""
        twin, n_agv = self._twin, self._twin.fleet.n
        made, order_s = np.zeros(twin.n_machines, np.int64), np.zeros(twin.n_machines)
        made[:n_agv], order_s[:n_agv] = twin.fleet.finished, twin.fleet.order_us / 1e6
        made[n_agv:] = twin.cobot_state.parts
        return Sums(self.ledger.spent_us.copy(), made, order_s, self.radio_s())

    def planned(self) -> Sums:
        """Give what the machines did in the planned busy time so far: the shift plan's, all of the run where there is none."""
        now = self._sums()
        before = now.nothing() if self._planned_before is None else self._planned_before
        if self._is_planned and self._planned_from is not None:
            return before.plus(now.since(self._planned_from))
        return before

    def take(self) -> list[Stop]:
        """Give the stops that ended since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def unfinished(self, time_us: int) -> list[Stop]:
        """Give the stops that last at ``time_us`` [us], as if they ended there."""
        return self._stops(self.ledger.unfinished(time_us))

    def _stops(self, found: Intervals) -> list[Stop]:
        columns = (found.start_us, found.end_us, found.machine, found.cause, found.root)
        return [
            Stop(start, end, k, MODES[cause], MODES[root], self._blocker[k], self._detail[k], *self._place_m[k].tolist())
            for start, end, k, cause, root in zip(*(c.tolist() for c in columns), strict=True)
        ]

    def _open(self, k: int) -> None:
        """Note what is behind what machine ``k`` stands for from now on."""
        twin, cause = self._twin, self.ledger.cause(k)
        agv = k < twin.fleet.n
        place = twin.fleet.tables.position_m[k] if agv else self._cobot_m[k - twin.fleet.n]
        self._place_m[k] = place
        blocker = detail = ""
        if cause == COMMUNICATION:
            detail = twin.silent_service(k)
        elif cause == PERSON_NEAR:
            blocker, detail = self._nearest(k, place)
        elif cause == QUEUE:
            head = self.ledger.head(k)
            blocker = self.ledger.names[head] if head >= 0 else ""
        elif cause == EMERGENCY_STOP:
            detail = f"panel-{int(twin.emergency.panel_of[k - twin.fleet.n]) + 1}"
        elif cause == PAUSED and agv and twin.fleet.tables.real[3, k] == 0.0:
            detail = "battery empty"
        self._blocker[k], self._detail[k] = blocker, detail

    def _nearest(self, k: int, place_m: Floats) -> tuple[str, str]:
        """Pseudonym and role of the person that is nearest to machine ``k``."""
        people = self._twin.people
        if not people.present.any():
            return "", ""
        if k < self._twin.fleet.n:
            apart = np.where(people.present, np.hypot(*(people.position_m - place_m).T), np.inf)
            person = int(apart.argmin())
        else:
            person = int(self._twin.nearest_person[k - self._twin.fleet.n])
        if person < 0:
            return "", ""
        return people.pseudonym[person], self._twin.crowd.role_names[people.role[person]]

    def radio_s(self) -> dict[str, Floats]:
        """Give the radio's share of what every machine lost, by the way it was lost, (M,) each [s].

        Returns
        -------
        ``standing``: without commands; ``anyway``: what of it the machine would have stood without an outage too, to be taken
        off; ``behind``: in a queue whose head stands without commands; ``tail``: in that queue after its head has gone on;
        ``restart``: AGVs speeding up again; ``separation``: cobots slowed or stopped by the delay's part of the required
        separation; ``total``.
        """
        ledger = self.ledger
        out = {
            "standing": ledger.radio_s[:, kernel.STANDS].copy(),
            "anyway": ledger.radio_s[:, kernel.ANYWAY].copy(),
            "behind": ledger.radio_s[:, kernel.BEHIND].copy(),
            "tail": ledger.radio_s[:, kernel.TAIL].copy(),
            "restart": ledger.total_slow_s[:, COMMUNICATION],
            "separation": ledger.separation_s,
        }
        out["total"] = out["standing"] - out["anyway"] + out["behind"] + out["tail"] + out["restart"] + out["separation"]
        return out
