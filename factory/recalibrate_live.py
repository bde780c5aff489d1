"""Measurements of real devices beside the twin's own prediction: what a live twin recalibrates by.

What the hall looked like is kept ten times a second, for ten seconds. A measurement is compared with the prediction for its own
time, place and link, and that is worked out only for links that were measured, one instant a tick. What the going of a box
would change on these links comes after it, box by box, a few links a tick: so a tick stays short.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, replace

import numpy as np

from bridges.radio_reports import RadioReadings
from factory.rooms import channel_seed
from factory.twin import Twin
from radio.recalibration.base import Finding, RecalibrationConfig, Residuals
from radio.recalibration.recalibrator import Recalibrator
from radio.recalibration.removal import Removal
from radio.types import Blockers, FloatArray, IntArray, Ues

__all__ = ["PERIOD_US", "LiveRecalibration", "finding_text"]

PERIOD_US = 100_000
_KEEP_US = 10_000_000
_SETTLE_US = 1_000_000  # assumed: reports of one instant have come by then; later ones may find their window closed
_BEHIND_US = 3_000_000  # a measurement that waits longer is compared without asking for boxes
_LINKS_A_TICK = 8  # for boxes
_SUBCARRIERS_PER_BLOCK = 12
_SMALLEST_GAIN = 1e-30

_Scene = tuple[int, int, Ues, Blockers]
_Row = tuple[int, int, float]


@dataclass(slots=True)
class _Compared:
    """An instant's residuals, for which boxes are still to be asked."""

    residuals: Residuals
    ues: Ues
    clear_gain: FloatArray
    gone_db: FloatArray
    asked: list[tuple[int, IntArray]]


class LiveRecalibration:
    """Keeps scenes of the last ten seconds, and compares measurements with the prediction of their own time.

    Parameters
    ----------
    twin : whose channel predicts. config : of the recalibrator.

    Attributes
    ----------
    recalibrator : offsets, audit and findings. missed : measurements of a time of which no scene is kept.
    """

    def __init__(self, twin: Twin, config: RecalibrationConfig) -> None:
        self._channel = twin.channel
        trps, size_m = twin.scenario.radio.trps, twin.scenario.hall.size_m
        self._removal = Removal(self._channel, channel_seed(twin.scenario.seed))
        boxes_m = self._channel.hall.box_center_m[: self._removal.n_boxes]
        self.recalibrator = Recalibrator(config, self._channel.trp_position_m, (size_m[0], size_m[1]), boxes_m)
        blocks = [self._channel.config.carrier_of(t).resource_blocks for t in trps]
        self._per_subcarrier_dbm = np.array([t.tx_power_dbm for t in trps]) - 10 * np.log10(
            _SUBCARRIERS_PER_BLOCK * np.array(blocks, np.float64)
        )
        self._kept: deque[_Scene] = deque()
        self._waiting: dict[int, list[_Row]] = {}
        self._compared: _Compared | None = None
        self.missed = 0

    def keep(self, time_us: int, plant_us: int, ues: Ues, blockers: Blockers) -> None:
        """Keep a scene of a tick where it is time to.

        Parameters
        ----------
        time_us, plant_us : twin time and the plant's time of the scene [us]. ues, blockers : as the tick saw them.
        """
        if time_us % PERIOD_US:
            return
        if self._kept and plant_us <= self._kept[-1][1]:  # the plant's clock went back: what was kept is of another time
            self.missed += sum(len(rows) for rows in self._waiting.values())
            self._kept.clear()
            self._waiting.clear()
            self._compared = None
        self._kept.append((time_us, plant_us, ues, blockers))
        while self._kept[0][1] < plant_us - _KEEP_US:
            self._kept.popleft()

    def take(self, readings: RadioReadings) -> None:
        """Lay measurements beside the scene that is nearest to their time; one of no known time is counted as missed."""
        if not len(readings.ue):
            return
        plant_us = [scene[1] for scene in self._kept]
        rows = zip(
            readings.measured_s.tolist(), readings.ue.tolist(), readings.trp.tolist(), readings.rsrp_dbm.tolist(), strict=True
        )
        for measured_s, ue, trp, rsrp_dbm in rows:
            when = round(measured_s * 1e6)
            at = bisect_left(plant_us, when)
            near = min(plant_us[max(at - 1, 0) : at + 1], key=lambda t: abs(t - when), default=None)
            if near is None or abs(near - when) > PERIOD_US:
                self.missed += 1
            else:
                self._waiting.setdefault(near, []).append((ue, trp, rsrp_dbm))

    def step(self, plant_us: int) -> tuple[Finding, ...]:
        """Compare the measurements of one instant, the oldest that waits and has settled; call it every tick.

        Parameters
        ----------
        plant_us : the plant's time now [us].
        """
        late = bool(self._waiting) and plant_us - min(self._waiting) > _SETTLE_US + _BEHIND_US
        if self._compared is not None:
            return self._ask_boxes(self._compared, late)
        if not self._waiting:
            return ()
        oldest = min(self._waiting)
        if plant_us - oldest < _SETTLE_US:
            return ()
        rows = self._waiting.pop(oldest)
        scene = next((s for s in self._kept if s[1] == oldest), None)
        if scene is None:
            self.missed += len(rows)
            return ()
        self._compared = self._compare(scene, rows)
        return self._ask_boxes(self._compared, late) if late or not self._compared.asked else ()

    def _ask_boxes(self, compared: _Compared, late: bool) -> tuple[Finding, ...]:
        """Work out for a few links what a box's going would change; after the last the recalibrator takes the instant."""
        residuals = compared.residuals
        if compared.asked and not late:
            box, links = compared.asked.pop()
            own = np.zeros(len(compared.ues.owner) * self._channel.n_trp, np.bool_)
            own[links] = True
            change = self._removal.change_db(box, compared.ues, own, compared.clear_gain, int(residuals.time_us[0]))
            told = own[residuals.ue * self._channel.n_trp + residuals.trp]
            compared.gone_db[told, box] = change[residuals.ue[told], residuals.trp[told]]
        if compared.asked and not late:
            return ()
        self._compared = None
        return self.recalibrator.add(replace(residuals, gone_db=compared.gone_db))

    def _compare(self, scene: _Scene, rows: list[_Row]) -> _Compared:
        time_us, _, ues, blockers = scene
        channel = self._channel
        ue, trp = np.array([r[0] for r in rows], np.int64), np.array([r[1] for r in rows], np.int64)
        needed = np.zeros((len(ues.owner), channel.n_trp), np.bool_)
        needed[ue, trp] = True
        links = needed.ravel()
        paths = channel.paths(ues, links, remember=False)  # a glance: the run goes on as if it had not been
        cut = channel.blockage(paths, blockers, ues, links).loss_db
        clear_gain, gain = (channel.sweep(paths, ues, loss, time_us, links).gain.max(axis=(2, 3)) for loss in (None, cut))
        clear, seen = clear_gain[ue, trp], gain[ue, trp]
        seen_db, clear_db = (10 * np.log10(np.maximum(g, _SMALLEST_GAIN)) for g in (seen, clear))
        residual_db = np.array([r[2] for r in rows]) - (self._per_subcarrier_dbm[trp] + seen_db)
        residual_db[seen <= _SMALLEST_GAIN] = np.nan  # nothing predicted: nothing to compare with
        residuals = Residuals(np.full(len(rows), time_us), ue, trp, ues.position_m[ue], residual_db, clear_db - seen_db)
        concerned = self._removal.concerned(paths, ues, links)
        asked: list[tuple[int, IntArray]] = []
        for box in np.flatnonzero(concerned.any(axis=0)).tolist():
            own = np.flatnonzero(concerned[:, box])
            asked += [(box, own[i : i + _LINKS_A_TICK]) for i in range(0, len(own), _LINKS_A_TICK)]
        return _Compared(residuals, ues, clear_gain, np.zeros((len(rows), self._removal.n_boxes)), asked)


def finding_text(finding: Finding, trps: tuple[str, ...], boxes: tuple[str, ...]) -> str:
    """Say a finding to a person, with the names of TRPs and boxes."""
    x, y = finding.position_m
    if finding.kind == "trp":
        word = "weaker" if finding.change_db < 0 else "stronger"
        return (
            f"{trps[finding.trp]} at ({x:.1f}, {y:.1f}) m is {abs(finding.change_db):.1f} dB {word} ({finding.devices} devices)"
        )
    if finding.kind == "box":
        told = f"RSRP changed as it would without it, {finding.change_db:+.1f} dB, {finding.devices} devices"
        return f"{boxes[finding.box]} no longer stands at ({x:.1f}, {y:.1f}) m: {told}"
    word = "something new stands in the way" if finding.change_db < 0 else "something that stood in the way is gone"
    return f"{word} near ({x:.1f}, {y:.1f}) m: {finding.change_db:+.1f} dB ({finding.devices} devices)"
