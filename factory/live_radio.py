"""Radio measurements in the live twin: alarms and offsets are told and written down, and corrected where that is allowed."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

import numpy as np

from bridges.inbox import Command
from bridges.opcua.audit import AuditLog
from bridges.radio_reports import RadioReadings
from bridges.view_radio import CalibrationView, RadioAlarmView
from factory.live_people import PlantClock
from factory.recalibrate_live import LiveRecalibration, finding_text
from factory.twin import Tick, Twin
from radio.recalibration.base import Finding, RecalibrationConfig

__all__ = ["LiveRadio"]

_log = logging.getLogger(__name__)
_ASKS = ("radio_accept", "radio_dismiss", "radio_accept_places", "radio_revert")


class LiveRadio:
    """Compares measurements with the twin's prediction, tick by tick.

    Parameters
    ----------
    twin : whose radio it is. config : of the recalibrator.
    drain : gives the measurements that came since the last call.
    corrects : whether the twin's radio goes by the offsets: TRPs' transmit power is taken for that much more. A measured offset
        may as well be an antenna's, which would change the uplink too; that cannot be told apart and is assumed not to be.
    audit : where alarms and offsets are written down; None: nowhere.
    counts : the reader's, for the view.

    Attributes
    ----------
    drain : as given; who records puts something of their own before it. recalibration : offsets and findings.
    applied_db : (T,) what the twin's radio goes by now [dB].
    """

    def __init__(
        self,
        twin: Twin,
        config: RecalibrationConfig,
        drain: Callable[[], RadioReadings],
        corrects: bool = False,
        audit: AuditLog | None = None,
        counts: Counter[str] | None = None,
    ) -> None:
        self._twin, self._corrects, self._audit = twin, corrects, audit
        self.drain = drain
        self._refusals = Counter[str]() if counts is None else counts
        self.recalibration = LiveRecalibration(twin, config)
        self.clock = PlantClock()
        self._trps = tuple(t.name for t in twin.scenario.radio.trps)
        self._boxes = tuple(b.name for b in twin.scenario.hall.boxes)
        self.applied_db = np.zeros(len(self._trps))
        self._audited = 0
        self._alarms: dict[int, RadioAlarmView] = {}
        twin.steering.also(self.carry_out)

    def take_in(self, time_us: int, now_s: float) -> None:
        """Take in what came, and compare one instant of it; ``time_us`` is the tick's [us], ``now_s`` the plant's clock."""
        self.clock.follow(time_us, now_s)
        self.recalibration.take(self.drain())
        for finding in self.recalibration.step(self.clock.to_plant_us(time_us)):
            self._found(finding)
        self._note_offsets(time_us)

    def watch(self, tick: Tick) -> None:
        """Keep what a tick looked like; call it with every tick, after :meth:`take_in`."""
        self.recalibration.keep(tick.time_us, self.clock.to_plant_us(tick.time_us), tick.scene.ues, tick.scene.blockers)

    def _found(self, finding: Finding) -> None:
        words = finding_text(finding, self._trps, self._boxes)
        _log.warning("radio: %s", words)
        self._write("alarm", finding.kind, words)
        if finding.kind == "trp":
            self._alarms[finding.trp] = self._view(finding)

    def _view(self, f: Finding) -> RadioAlarmView:
        trp, box = self._trps[f.trp] if f.trp >= 0 else "", self._boxes[f.box] if f.box >= 0 else ""
        x_m, y_m = f.position_m
        words = finding_text(f, self._trps, self._boxes)
        return RadioAlarmView(f.kind, trp, box, x_m, y_m, f.change_db, f.devices, f.since_us, f.time_us, words)

    def _note_offsets(self, time_us: int) -> None:
        recalibrator = self.recalibration.recalibrator
        if recalibrator.audited == self._audited:
            return
        fresh = list(recalibrator.audit)[-(recalibrator.audited - self._audited) :]
        self._audited = recalibrator.audited
        for change in fresh:
            self._write(
                "offset", self._trps[change.trp], f"{change.before_db:+.2f} to {change.after_db:+.2f} dB: {change.reason}"
            )
        if self._corrects and not recalibrator.learning(time_us):
            self._apply(recalibrator.audited_db, "offsets of the audit")

    def _apply(self, power_db: np.ndarray, why: str) -> None:
        if np.array_equal(power_db, self.applied_db):
            return
        self.applied_db = power_db
        self._twin.ether.correct_power(power_db)
        told = ", ".join(f"{name} {value:+.2f} dB" for name, value in zip(self._trps, power_db.tolist(), strict=True))
        self._write("correct", "radio_offsets", f"{told}: {why}")

    def carry_out(self, command: Command) -> bool:
        """Carry out a command about alarms and offsets; False where it is not one."""
        if command.name not in _ASKS:
            return False
        recalibrator, time_us = self.recalibration.recalibrator, self._twin.time_us
        if command.name in ("radio_accept", "radio_dismiss"):
            if command.target not in self._trps:
                command.answer(False, f"TRP {command.target!r} is unknown; known: {', '.join(self._trps)}")
                return True
            trp = self._trps.index(command.target)
            if not recalibrator.active[trp]:
                command.answer(False, f"{command.target} has no alarm that stands")
                return True
            (recalibrator.accept if command.name == "radio_accept" else recalibrator.dismiss)(trp)
            self._alarms.pop(trp, None)
        elif command.name == "radio_accept_places":
            recalibrator.accept_places()
        else:
            seconds = command.argument("seconds")
            if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not seconds > 0:
                command.answer(False, f"seconds is {seconds!r}; give how far back the offsets are to go, for example 3600")
                return True
            recalibrator.revert(time_us - round(float(seconds) * 1e6))
        self._write("asked", f"{command.name} {command.target}".strip(), f"by {command.source}")
        self._note_offsets(time_us)
        command.answer(True, f"done: {command.name} {command.target}".strip())
        return True

    def view(self) -> CalibrationView:
        """Return what leaves the twin."""
        r = self.recalibration.recalibrator
        refused = sum(n for kind, n in self._refusals.items() if kind != "taken")
        alarms = (*(self._alarms[t] for t in sorted(self._alarms)), *(self._view(f) for f in r.places))
        offsets = tuple(zip(self._trps, r.offset_db.tolist(), strict=True))
        learning = r.learning(self._twin.time_us)
        missed = self.recalibration.missed + r.counts["late"]
        return CalibrationView(learning, self._corrects, r.counts["used"], refused, missed, offsets, alarms)

    def stop(self) -> None:
        """Take the corrections back, and close the audit."""
        self._apply(np.zeros(len(self._trps)), "the twin stops")
        if self._audit is not None:
            self._audit.close()

    def _write(self, action: str, target: str, words: str) -> None:
        if self._audit is not None:
            self._audit.write(action, "factory-twin", "radio", "", target, [f"{self._twin.time_us / 1e6:.2f} s"], words)
