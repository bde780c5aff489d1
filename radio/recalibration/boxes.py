"""A box of the hall that is no longer where the hall has it: found by what its going would do to each ray.

Here the change is not any change, as with :mod:`radio.recalibration.places`, but the one that is worked out for the box, ray by
ray (:mod:`radio.recalibration.removal`), and the two hypotheses are "most rays changed by what they would without it" and "they
are as they always were". So a ray tells even where a reflection off the box went with it, and few rays suffice.

Where a box reflects much the prediction is apt to be wrong even if the box is there: ten centimetres beside, and the
reflection is gone. So it is counted, box by box, how looks scatter where so much would change, and the mean of that and of how
the device's looks scatter anyway is what a look is held against.

What counts as one witness, how a device's looks scatter, and the spans are those of the search for places; and as there one
device alone finds nothing.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from radio.recalibration.base import Finding, RecalibrationConfig, median_by
from radio.recalibration.places import CLIP_DB, MOST_CELLS, SPANS, bins_of
from radio.types import BoolArray, FloatArray, IntArray

__all__ = ["MissingBoxes"]

_LEAST_DB = 4.0  # a ray that would change by less says nothing
_CHANGED_SHARE = 0.7  # assumed: of the rays that would change, how many did
_SD_DB = 4.0  # of the change round what was worked out
_LARGEST_STEP = 3.0
_LEAST_DEVICES = 2
_LEAST_OTHERS = 5  # rays of a TRP to which a box does not matter, for what they have in common
_PRIOR_LOOKS = 100.0  # that what all boxes have in common counts for, beside a box's own looks
_FORGET = 0.001  # of the counts in an epoch
_OTHERS_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class _Looks:
    """Looks of one epoch at rays that a box's going would change."""

    time_us: int
    box: IntArray
    ue: IntArray
    trp: IntArray
    cell: IntArray
    change_db: FloatArray
    gone_db: FloatArray


class MissingBoxes:
    """Looks for boxes that went.

    Parameters
    ----------
    config : times and thresholds. box_center_m : (N, 2) where the boxes stand [m].

    Attributes
    ----------
    threshold : log-likelihood ratio from which on a box is missing, by Wald's bound.
    active : findings that nobody accepted yet.
    """

    def __init__(self, config: RecalibrationConfig, box_center_m: FloatArray) -> None:
        self._config, self._center_m = config, box_center_m
        self.threshold = max(0.0, math.log(config.box_run_length_h * 3600.0 / config.epoch_s * len(SPANS)))
        self._epochs: deque[_Looks] = deque()
        self._touched: list[set[int]] = [set() for _ in box_center_m]  # TRPs and squares of the map from where the box matters
        self.active: list[Finding] = []
        self._looks: FloatArray = np.zeros((len(box_center_m), 2 * CLIP_DB + 1, 2 * CLIP_DB + 1))
        bins = np.arange(-CLIP_DB, CLIP_DB + 1, dtype=np.float64)
        near = np.exp(-0.5 * ((bins[None, :] - bins[:, None]) / _SD_DB) ** 2)
        self._changed = near / near.sum(axis=1, keepdims=True)  # by what was worked out, what is seen

    @property
    def n_boxes(self) -> int:
        """Boxes that are looked for."""
        return len(self._center_m)

    def keep(self, time_us: int, ue: IntArray, trp: IntArray, cell: IntArray, change_db: FloatArray, gone_db: FloatArray) -> None:
        """Keep an epoch's samples.

        Parameters
        ----------
        time_us : end of the epoch [us]. ue, trp, cell : (n,) device, TRP and square of the map. change_db : (n,) residual less
        offset and map [dB]. gone_db : (n, N) what the going of each box would change [dB].
        """
        i, box = np.nonzero(np.abs(gone_db) >= _LEAST_DB)
        change = change_db[i] - self._common_db(trp, change_db, gone_db)[box, trp[i]]
        heard = np.isfinite(change)
        i, box, change = i[heard], box[heard], change[heard]
        self._epochs.append(_Looks(time_us, box, ue[i], trp[i], cell[i], change, gone_db[i, box].astype(np.float64)))
        while self._epochs and self._epochs[0].time_us <= time_us - round(self._config.memory_s * 1e6):
            self._epochs.popleft()

        self._looks *= 1.0 - _FORGET
        np.add.at(self._looks, (box, bins_of(gone_db[i, box]), bins_of(change)), 1.0)
        for k in np.unique(box).tolist():
            self._touched[k].update(np.unique(trp[i][box == k] * MOST_CELLS + cell[i][box == k]).tolist())

    def _common_db(self, trp: IntArray, change_db: FloatArray, gone_db: FloatArray) -> FloatArray:
        """Return what a TRP's rays to which a box does not matter have in common (N, T) [dB]; not finite where they are few."""
        common: FloatArray = np.full((self.n_boxes, int(trp.max(initial=-1)) + 1), np.nan)
        matters = np.abs(gone_db) >= _LEAST_DB
        for t in np.unique(trp).tolist():
            own = trp == t
            whole = np.median(change_db[own])
            for k in range(self.n_boxes):
                others = own & ~matters[:, k]
                n = int(others.sum())
                if n >= _LEAST_OTHERS:
                    common[k, t] = whole if n == own.sum() else np.median(change_db[others])
        return common

    def accept(self) -> list[tuple[int, int]]:
        """Forget findings and looks; returns TRPs and squares of the map from where the boxes that stood as missing matter."""
        stood, self.active = self.active, []
        self._epochs.clear()
        return [divmod(key, MOST_CELLS) for f in stood for key in sorted(self._touched[f.box])]

    def explains(self, gone_db: FloatArray) -> BoolArray:
        """Tell which rays the boxes that stand as missing would change; ``gone_db`` (n, N) [dB]."""
        large = np.abs(gone_db[:, [f.box for f in self.active]]) >= _LEAST_DB
        return np.asarray(large.any(axis=1), np.bool_)

    def search(self, time_us: int, null: FloatArray) -> list[Finding]:
        """Return the box that is most likely missing, which then stands; as ``evidence``."""
        best: Finding | None = None
        for span in SPANS:
            total, change, devices = self.evidence(time_us, span, null)
            total[[f.box for f in self.active]] = 0.0
            k = int(np.argmax(total)) if len(total) else -1
            if k < 0 or total[k] < self.threshold or devices[k] < _LEAST_DEVICES:
                continue
            if best is None or total[k] > best.evidence * self.threshold:
                since = time_us - round(span * self._config.memory_s * 1e6)
                x, y = self._center_m[k].tolist()
                best = Finding(
                    "box", time_us, since, -1, (x, y), float(change[k]), float(total[k]) / self.threshold, int(devices[k]), k
                )  # fmt: skip
        if best is None:
            return []
        self.active.append(best)
        return [best]

    def _null(self, null: FloatArray) -> FloatArray:
        """How looks scatter while a box stands (N, 31, 31), by what would change without it; ``null`` as of ``evidence``."""
        common = self._looks.sum(axis=0) + _PRIOR_LOOKS * null.mean(axis=0)
        rows = self._looks + _PRIOR_LOOKS * common / common.sum(axis=1, keepdims=True)
        scatter: FloatArray = rows / rows.sum(axis=2, keepdims=True)
        return scatter

    def evidence(self, time_us: int, span: float, null: FloatArray) -> tuple[FloatArray, FloatArray, IntArray]:
        """Return the log-likelihood ratio of each box, the change of its rays and their devices, over a share of the memory.

        Parameters
        ----------
        null : (U, 31) how each device's looks fall into bins of 1 dB without a change.
        """
        n = len(self._center_m)
        rows = [e for e in self._epochs if e.time_us > time_us - round(span * self._config.memory_s * 1e6) and len(e.box)]
        total, change, devices = np.zeros(n), np.zeros(n), np.zeros(n, np.int64)
        if not rows:
            return total, change, devices
        box, ue, trp, cell = (np.concatenate([getattr(e, name) for e in rows]) for name in ("box", "ue", "trp", "cell"))
        seen, gone = np.concatenate([e.change_db for e in rows]), np.concatenate([e.gone_db for e in rows])
        n_ue, n_trp = int(ue.max()) + 1, int(trp.max()) + 1
        pair = (box * n_ue + ue) * n_trp + trp
        keys = pair * MOST_CELLS + cell
        key, seen = median_by(keys, seen)
        _, gone = median_by(keys, gone)
        pair = key // MOST_CELLS
        box, ue = pair // (n_ue * n_trp), pair // n_trp % n_ue
        at, expected = bins_of(seen), bins_of(gone)
        against = 0.5 * (null[ue, at] + self._null(null)[box, expected, at])
        ratio = np.log(_CHANGED_SHARE * self._changed[expected, at] / against + (1.0 - _CHANGED_SHARE))
        score = np.minimum(ratio, _LARGEST_STEP)
        witness, of_witness = np.unique(pair, return_inverse=True)
        mean = np.bincount(of_witness, weights=score) / np.bincount(of_witness)
        total[:] = np.bincount(witness // (n_ue * n_trp), weights=mean, minlength=n)
        device, of_device = np.unique(witness // n_trp, return_inverse=True)
        by_device = np.bincount(of_device, weights=mean)
        largest = np.zeros(n)
        np.maximum.at(largest, device // n_ue, by_device)
        total[total - largest < _OTHERS_SHARE * total] = 0.0
        for k in np.flatnonzero(total >= self.threshold).tolist():
            own = (box == k) & (score > 0.0)
            devices[k], change[k] = len(np.unique(ue[own])), float(np.median(seen[own]))
        return total, change, devices
