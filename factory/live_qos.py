"""QoS on demand in the live twin: what the look ahead expects decides which machines' sessions are open."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from bridges.opcua.audit import AuditLog
from bridges.qos import QosKeeper
from bridges.view_radio import QosView
from factory.live_lookahead import Outlooks

__all__ = ["LiveQos"]

_EVERY_US = 1_000_000


class LiveQos:
    """Feeds a keeper of sessions, which asks the network on a thread of its own.

    Parameters
    ----------
    keeper : opens and closes sessions. machines : names, in the order of the look ahead.
    audit : where openings and closings are written down; None: nowhere.
    now : any clock that runs on [s]; sessions last by it.
    """

    def __init__(
        self,
        keeper: QosKeeper,
        machines: Sequence[str],
        audit: AuditLog | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.keeper, self._machines, self._audit, self._now = keeper, tuple(machines), audit, now
        self._next_us = 0
        self._open: dict[str, str] = {}
        self._failed = 0

    def step(self, time_us: int, ahead: Outlooks | None) -> None:
        """Decide once a second of twin time; returns at once. ``ahead`` is the newest look, None before the first."""
        if time_us < self._next_us or ahead is None:
            return
        self._next_us = time_us + _EVERY_US
        risk = dict(zip(self._machines, ahead.risk.tolist(), strict=True))
        self.keeper.step(self._now(), risk)
        self._note(risk)

    def _note(self, risk: dict[str, float]) -> None:
        now = {name: session.id for name, session in self.keeper.sessions.items()}
        for name in sorted(set(now) | set(self._open)):
            before, after = self._open.get(name), now.get(name)
            if before == after:
                continue
            why = f"risk {risk.get(name, 0.0):.2f}"
            if before is not None:
                self._write("end", name, why, before)
            if after is not None:
                self._write("begin", name, why, after)
        self._open = now
        counts = self.keeper.counts
        failed = counts["failed"] + counts["refused"]
        if failed != self._failed:
            self._failed = failed
            self._write("fail", "network", f"{failed} so far", self.keeper.last_error)

    def _write(self, action: str, target: str, why: str, result: str) -> None:
        if self._audit is not None:
            self._audit.write(action, "factory-twin", "act", "", f"qos_session {target}", [why], result)

    def view(self) -> QosView:
        """Return what leaves the twin."""
        counts = self.keeper.counts
        return QosView(
            tuple(sorted(self._open)), counts["opened"], counts["closed"], counts["failed"], counts["refused"],
            counts["over_budget"], self.keeper.last_error,
        )  # fmt: skip

    def stop(self) -> None:
        """Close every session; one that the network does not let go runs out, and the audit says so."""
        open_before = sorted(self.keeper.sessions)
        left = self.keeper.stop()
        for name in open_before:
            self._write("end", name, "the twin stops", f"{left} sessions are left to run out" if left else "done")
        if self._audit is not None:
            self._audit.close()
