"""The recalibrator: residuals in, offsets and findings out (see :mod:`radio.recalibration.base` for what these are)."""

from __future__ import annotations

import math
from collections import Counter, deque

import numpy as np

from radio.recalibration.base import (
    Finding,
    OffsetChange,
    RecalibrationConfig,
    Residuals,
    mean_run_length,
    median_by,
    threshold_for,
)
from radio.recalibration.boxes import MissingBoxes
from radio.recalibration.places import Places
from radio.recalibration.residual_map import ResidualMap
from radio.types import BoolArray, FloatArray, IntArray

__all__ = ["Recalibrator"]

_HUBER_DB = 6.0
_LEAST_DEVICES, _LEAST_CELLS = 3, 4
_OFFSET_GAIN = 0.02  # of a window's median; the bound on the rate comes on top
_LEAST_SD_DB = 0.5
_LARGEST_MISFIT_DB = 12.0  # of one place, where a TRP's fault is held against a box that went
_AUDIT_STEP_DB = 0.1  # drift is written down in steps of this
_LATEST_WINDOWS = 400


class Recalibrator:
    """Follows the offsets of TRPs and finds sudden changes.

    Parameters
    ----------
    config : times, bounds and thresholds.
    trp_position_m : (T, 3) TRPs [m].
    size_m : (x, y) of the hall [m].
    box_center_m : (N, 2) or (N, 3) boxes of the hall whose going may be found [m]; None for none.

    Attributes
    ----------
    offset_db : (T,) to be added to the predicted RSRP [dB]; written as samples come.
    audit : every change of an offset, drift in steps of 0.1 dB; the last 10,000. audited : changes since the start.
    active : (T,) +1 or -1 where a TRP has a finding that nobody accepted or dismissed; its offset stands still.
    counts : samples ``used``, ``blocked`` (left out), ``late`` (of a window that is over), ``unknown`` (bad index or no number).
    """

    def __init__(
        self,
        config: RecalibrationConfig,
        trp_position_m: FloatArray,
        size_m: tuple[float, float],
        box_center_m: FloatArray | None = None,
    ) -> None:
        self.config, self._trp_m = config, np.asarray(trp_position_m, np.float64)
        n = len(self._trp_m)
        self._map = ResidualMap(config, n, size_m)
        self.offset_db: FloatArray = np.zeros(n)
        self.active: IntArray = np.zeros(n, np.int64)
        self.audit: deque[OffsetChange] = deque(maxlen=10_000)
        self.audited = 0
        self.counts: Counter[str] = Counter()
        self._written_db = self.offset_db.copy()
        self._sum: FloatArray = np.zeros((2, n))  # CUSUM of drops and of rises
        self._since_us: IntArray = np.zeros((2, n), np.int64)
        self._steps: list[deque[float]] = [deque(maxlen=_LATEST_WINDOWS) for _ in range(n)]
        self._recent: deque[tuple[int, IntArray, IntArray, IntArray, FloatArray, FloatArray]] = deque()
        self._places = Places(config, self._trp_m, size_m)
        self._boxes = MissingBoxes(config, np.zeros((0, 2)) if box_center_m is None else box_center_m[:, :2])
        self._window_us, self._epoch_us = round(config.window_s * 1e6), round(config.epoch_s * 1e6)
        self._waiting: list[Residuals] = []
        self._epoch: list[tuple[IntArray, IntArray, IntArray, FloatArray, FloatArray, FloatArray]] = []
        self._window = self._begin = -1
        self._epoch_index = -1
        self._boxes_wait = False

    @property
    def places(self) -> list[Finding]:
        """Places that changed, and boxes that went, that nobody accepted yet."""
        return [*self._places.active, *self._boxes.active]

    @property
    def audited_db(self) -> FloatArray:
        """Offsets as the last line of the audit on each TRP tells them (T,) [dB]; what a correction may use."""
        return self._written_db.copy()

    def learning(self, time_us: int) -> bool:
        """Whether map and offsets are still being learnt."""
        return self._begin < 0 or time_us - self._begin < self.config.learning_s * 1e6

    def threshold_db(self, trp: int) -> float:
        """Threshold of a TRP's test [dB]: for the mean run length asked for at the scatter seen, and at least the least one.

        The scatter of the windows' medians is raised by sqrt((1 + r) / (1 - r)), r their correlation from one to the next.
        """
        config, steps = self.config, np.array(self._steps[trp])
        if len(steps) < 20:
            return config.least_threshold_db
        sd = max(_LEAST_SD_DB, 1.4826 * float(np.median(np.abs(steps - np.median(steps)))))
        centred = np.clip(steps - np.median(steps), -3 * sd, 3 * sd)
        r = float(np.clip((centred[1:] @ centred[:-1]) / max(centred @ centred, 1e-12), 0.0, 0.9))
        sd *= math.sqrt((1.0 + r) / (1.0 - r))
        windows = config.mean_run_length_h * 3600.0 / config.window_s
        return max(config.least_threshold_db, sd * threshold_for(windows, config.change_db / 2.0 / sd))

    def run_length_h(self, trp: int, sd_db: float) -> float:
        """Mean time to a false alarm of a TRP's test at its threshold now [h], were its windows independent with ``sd_db``."""
        steps = mean_run_length(self.threshold_db(trp) / sd_db, self.config.change_db / 2.0 / sd_db)
        return steps * self.config.window_s / 3600.0

    def add(self, residuals: Residuals) -> tuple[Finding, ...]:
        """Take samples, and return what was found in the windows that they end.

        Samples may come out of order within a window; those of a window that is over are counted as late and left out.

        Raises
        ------
        ValueError
            If ``gone_db`` has another number of boxes than the recalibrator.
        """
        if residuals.gone_db is not None and residuals.gone_db.shape != (len(residuals.ue), self._boxes.n_boxes):
            raise ValueError(f"gone_db has shape {residuals.gone_db.shape}, wanted {(len(residuals.ue), self._boxes.n_boxes)}")
        findings: list[Finding] = []
        windows = residuals.time_us // self._window_us
        for window in np.unique(windows).tolist():
            own = windows == window
            if window < self._window:
                self.counts["late"] += int(own.sum())
                continue
            if window > self._window:
                findings += self._close()
                self._window = window
                if self._begin < 0:
                    self._begin = window * self._window_us
            r = residuals
            gone = np.zeros((int(own.sum()), self._boxes.n_boxes)) if r.gone_db is None else r.gone_db[own]
            self._waiting.append(
                Residuals(r.time_us[own], r.ue[own], r.trp[own], r.position_m[own], r.residual_db[own], r.body_loss_db[own], gone)
            )
        return tuple(findings)

    def accept(self, trp: int) -> None:
        """Take a TRP's change for the truth: its offset jumps to where the test saw it, within the bound."""
        steps = list(self._steps[trp])[-10:]
        jump = float(np.median(steps)) if steps and self.active[trp] else 0.0
        self._set(trp, self.offset_db[trp] + jump, "accepted")
        self.dismiss(trp)

    def dismiss(self, trp: int) -> None:
        """Drop a TRP's finding without taking it over; the test begins anew, and finds it again if it is still there."""
        self.active[trp] = 0
        self._sum[:, trp] = 0.0
        self._steps[trp].clear()

    def accept_places(self) -> None:
        """Take the changed places for the truth: what the map knows along rays through them is forgotten, and learnt anew."""
        stood = self._places.accept()
        for t, c in self._boxes.accept():
            self._map.forget(t, c)
        if stood:
            self._map.forget_where(lambda trp, place_m: any(self._places.near(finding, trp, place_m) for finding in stood))

    def revert(self, time_us: int) -> None:
        """Bring every offset back to what it was at a time; the audit keeps what was, and says so."""
        for t in range(len(self.offset_db)):
            later = [c for c in self.audit if c.trp == t and c.time_us > time_us]
            if later:
                self._set(t, later[0].before_db, "reverted")

    def _now_us(self) -> int:
        return (self._window + 1) * self._window_us

    def _set(self, trp: int, value_db: float, reason: str) -> None:
        bound = self.config.largest_offset_db
        after = float(np.clip(value_db, -bound, bound))
        self.audited += 1
        self.audit.append(OffsetChange(self._now_us(), trp, float(self._written_db[trp]), after, reason))
        self.offset_db[trp] = self._written_db[trp] = after

    def _close(self) -> list[Finding]:
        """End a window: a step of every TRP's test, and where an epoch ends too a look for places, after the next for boxes."""
        if not self._waiting:
            return []
        parts, self._waiting = self._waiting, []
        ue, trp = np.concatenate([p.ue for p in parts]), np.concatenate([p.trp for p in parts])
        place = np.concatenate([p.position_m for p in parts])
        value, loss = np.concatenate([p.residual_db for p in parts]), np.concatenate([p.body_loss_db for p in parts])
        gone = np.concatenate([p.gone_db for p in parts if p.gone_db is not None])
        sound = (trp >= 0) & (trp < len(self.offset_db)) & (ue >= 0) & np.isfinite(value) & np.isfinite(place).all(axis=1)
        clear = sound & (loss <= self.config.clear_loss_db)
        self.counts["unknown"] += int((~sound).sum())
        self.counts["blocked"] += int((sound & ~clear).sum())
        self.counts["used"] += int(clear.sum())
        ue, trp, place, value, gone = ue[clear], trp[clear], place[clear], value[clear], gone[clear]
        cell = self._map.cell(place)
        expected, known = self._map.at(trp, cell)
        change = value - self.offset_db[trp] - expected
        now, learning = self._now_us(), self.learning(self._now_us())
        self._epoch.append((ue[known], trp[known], cell[known], place[known], change[known], gone[known]))
        findings = self._steps_of(now, learning, ue[known], trp[known], cell[known], change[known], gone[known])
        self._learn(learning, ue, trp, cell, value)
        if self._boxes_wait:  # a window after the look for places, so that none takes as long as both
            self._boxes_wait = False
            findings += self._boxes.search(now, self._places.null())
        if now // self._epoch_us != self._epoch_index:
            self._epoch_index = now // self._epoch_us
            findings += self._look(now, learning)
            self._boxes_wait = not learning
        return findings

    def _steps_of(
        self, now: int, learning: bool, ue: IntArray, trp: IntArray, cell: IntArray, change: FloatArray, gone: FloatArray
    ) -> list[Finding]:
        """One step of the two-sided CUSUM of every TRP that enough devices heard."""
        findings: list[Finding] = []
        self._recent.append((now, trp, cell, ue, change, gone))
        while self._recent and self._recent[0][0] < now - self.config.memory_s * 1e6:
            self._recent.popleft()
        slack = self.config.change_db / 2.0
        for t in range(len(self.offset_db)):
            own = trp == t
            devices, medians = median_by(ue[own], change[own])
            if len(devices) < _LEAST_DEVICES:
                continue
            step = float(np.median(medians))
            self._steps[t].append(step)
            if not self.active[t]:
                self._follow(t, step, now, learning)
            if learning or self.active[t]:
                continue
            for k, sign in enumerate((-1.0, 1.0)):
                if self._sum[k, t] <= 0.0:
                    self._since_us[k, t] = now - self._window_us
                # a single window may not decide: what it adds is bounded
                self._sum[k, t] = max(0.0, self._sum[k, t] + min(sign * step, 2.0 * self.config.change_db) - slack)
                threshold = self.threshold_db(t) if self._sum[k, t] >= self.config.least_threshold_db else math.inf
                if self._sum[k, t] < threshold:
                    continue
                found = self._judge(t, sign, int(self._since_us[k, t]), now, self._sum[k, t] / threshold)
                if found is not None:
                    self.active[t] = int(sign)
                    findings.append(found)
        return findings

    def _judge(self, trp: int, sign: float, since: int, now: int, evidence: float) -> Finding | None:
        """Tell a TRP's fault, which is seen everywhere and alike, from a change of some places, or by a box that went."""
        rows = [r for r in self._recent if r[0] > since]
        own = [r[1] == trp for r in rows]
        cell = np.concatenate([r[2][o] for r, o in zip(rows, own, strict=True)])
        ue = np.concatenate([r[3][o] for r, o in zip(rows, own, strict=True)])
        change = np.concatenate([r[4][o] for r, o in zip(rows, own, strict=True)])
        _, of_cell = median_by(cell, change)
        amount = float(np.median(of_cell))
        seen: BoolArray = sign * of_cell > self.config.change_db / 3.0
        if len(of_cell) < _LEAST_CELLS or seen.mean() < self.config.spread_share:
            return None
        gone = np.concatenate([r[5][o] for r, o in zip(rows, own, strict=True)])
        misfit = np.minimum(np.abs(of_cell - amount), _LARGEST_MISFIT_DB).mean()
        for box in np.flatnonzero(gone.any(axis=0)).tolist():
            left = np.abs(of_cell - median_by(cell, gone[:, box])[1])
            if np.minimum(left, _LARGEST_MISFIT_DB).mean() < misfit:
                return None  # the search for boxes tells which
        x, y = self._trp_m[trp, :2].tolist()
        return Finding("trp", now, since, trp, (x, y), amount, float(evidence), len(np.unique(ue)))

    def _follow(self, trp: int, step: float, now: int, learning: bool) -> None:
        """Let the offset follow a window's median, after the learning no faster than allowed."""
        limit = math.inf if learning else self.config.largest_rate_db_per_h * self.config.window_s / 3600.0
        bound = self.config.largest_offset_db
        move = float(np.clip(_OFFSET_GAIN * np.clip(step, -_HUBER_DB, _HUBER_DB), -limit, limit))
        self.offset_db[trp] = float(np.clip(self.offset_db[trp] + move, -bound, bound))
        if abs(self.offset_db[trp] - self._written_db[trp]) >= _AUDIT_STEP_DB:
            after = float(self.offset_db[trp])
            self.audited += 1
            self.audit.append(OffsetChange(now, trp, float(self._written_db[trp]), after, "learning" if learning else "drift"))
            self._written_db[trp] = after

    def _learn(self, learning: bool, ue: IntArray, trp: IntArray, cell: IntArray, value: FloatArray) -> None:
        """Let the map learn, one sample per device, TRP and window; not of a TRP with a finding."""
        _, first = np.unique((ue * len(self.offset_db) + trp), return_index=True)
        kept = first[self.active[trp[first]] == 0]
        self._map.learn(trp[kept], cell[kept], value[kept] - self.offset_db[trp[kept]], learning)

    def _look(self, now: int, learning: bool) -> list[Finding]:
        rows, self._epoch = self._epoch, []
        ue, trp, cell, place, change, gone = (np.concatenate([r[i] for r in rows]) for i in range(6))
        if not len(ue):
            return []
        self._boxes.keep(now, ue, trp, cell, change, gone)
        free = ~self._boxes.explains(gone)
        found = self._places.look(now, ue[free], trp[free], cell[free], place[free], change[free], learning)
        return [] if found is None else [found]
