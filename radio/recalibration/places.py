"""What was put into a hall, or taken away: found by the rays that changed.

Something at a place changes what devices hear along all rays that pass over it. For every square metre of the floor the looks of
the last minutes are collected, of all TRPs and devices, where a ray ran low enough to meet an obstacle, and two hypotheses are
held against each other by their log-likelihood ratio: "most of these rays changed" against "they are as they always were". How
changes scatter without any event is not assumed but counted: a histogram of the looks of each device, tails included, for a tag
that a person wears scatters far more than an AGV's antenna. So one ray adds what its value is worth and no more, and a ray that
did not change speaks against the place.

Looks are not independent, and are not taken for it: a device that stands is one look however long it stands, and all looks of one
device at one TRP through one square together are one witness. One device alone finds nothing. What all rays of a TRP have in
common is taken off first, so that a fault of a TRP is no place.

The sums run over the last quarter, half and whole of the memory: a CUSUM limited to a window (Lai, IEEE Trans. Inf. Theory 44,
1998). With independent witnesses the exponential of a sum has a mean of at most 1 without a change, so a look at one square is
false with a probability of at most ``exp(-threshold)`` (Wald, 1947).
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from radio.recalibration.base import Finding, RecalibrationConfig, median_by
from radio.recalibration.rays import GRID_M, Rays, cells_of_ray
from radio.types import BoolArray, FloatArray, IntArray

__all__ = ["CLIP_DB", "MOST_CELLS", "SPANS", "Places", "bins_of", "place_threshold"]

CLIP_DB = 15
MOST_CELLS = 100_003  # of the map, for keys of device, TRP and square
SPANS = (0.25, 0.5, 1.0)  # of the memory, over which is summed
_LEAST_DEVICES = 2
_CHANGED_SHARE = 0.7  # assumed: of the rays over a changed place, how many changed
_OTHERS_SHARE = 0.25  # of the evidence that must stay when the device that adds most is left out
_LARGEST_STEP = 3.0  # what a witness may add at most
_PRIOR_LOOKS, _PRIOR_SD_DB, _PRIOR_TAIL = 100.0, 2.5, 0.05
_FORGET = 0.001  # of the counts in an epoch: the histograms go back a thousand epochs
_NEAR_ACTIVE_M = 4.0
_LEAST_UNITS = 5  # of one TRP in an epoch, for what they have in common


@dataclass(frozen=True, slots=True)
class _Units:
    """Looks of one epoch: one per device, TRP and square of the map."""

    time_us: int
    key: IntArray
    ue: IntArray
    trp: IntArray
    ray: IntArray
    change_db: FloatArray


def place_threshold(config: RecalibrationConfig) -> float:
    """Return the log-likelihood ratio at which one square has the mean time to a false alarm that is asked for.

    By the bound of Wald, over the looks of an hour, the spans and both signs; for independent witnesses.
    """
    looks = config.place_run_length_h * 3600.0 / config.epoch_s
    return max(0.0, math.log(looks * len(SPANS) * 2))


class Places:
    """Looks for places that changed.

    Parameters
    ----------
    config : times and thresholds. trp_position_m : (T, 3) TRPs [m]. size_m : (x, y) of the hall [m].

    Attributes
    ----------
    active : findings that nobody accepted yet; rays through them are left out.
    """

    def __init__(self, config: RecalibrationConfig, trp_position_m: FloatArray, size_m: tuple[float, float]) -> None:
        self._config, self._trp_m = config, trp_position_m
        self._shape = (max(1, round(size_m[0] / GRID_M)), max(1, round(size_m[1] / GRID_M)))
        self._threshold = place_threshold(config)
        self._epochs: deque[_Units] = deque()
        self._rays = Rays(trp_position_m, config.obstacle_height_m, self._shape)
        bins = np.arange(-CLIP_DB, CLIP_DB + 1, dtype=np.float64)
        prior = (1.0 - _PRIOR_TAIL) * _normal(bins, 0.0) + _PRIOR_TAIL / len(bins)
        self._prior = prior
        self._history: FloatArray = np.zeros((0, len(bins)))  # per device
        sizes = np.arange(math.ceil(config.place_change_db), CLIP_DB + 1)
        rise = np.mean([_normal(bins, float(size)) for size in sizes], axis=0)
        self._changed: tuple[FloatArray, FloatArray] = (rise[::-1].copy(), rise)  # drop, rise
        self.active: list[Finding] = []

    def look(
        self,
        time_us: int,
        ue: IntArray,
        trp: IntArray,
        cell: IntArray,
        position_m: FloatArray,
        change_db: FloatArray,
        learning: bool,
    ) -> Finding | None:
        """Take an epoch's samples, and return the place that changed, if one did.

        Parameters
        ----------
        time_us : end of the epoch [us]. ue, trp, cell : (n,) device, TRP and square of the map. position_m : (n, 3) devices [m].
        change_db : (n,) residual less offset and map [dB]. learning : nothing is found yet.
        """
        n_trp = len(self._trp_m)
        key, change = median_by((cell * MOST_CELLS + ue) * n_trp + trp, change_db)
        _, first = np.unique((cell * MOST_CELLS + ue) * n_trp + trp, return_index=True)
        kept = np.zeros(len(key), np.bool_)
        for t in range(n_trp):
            own = trp[first] == t
            if own.sum() >= _LEAST_UNITS:  # what all rays of a TRP have in common is no place
                change[own] -= np.median(change[own])
                kept |= own
        if self._rays.is_full:
            self._rays.forget()
            self._epochs.clear()
        first = first[kept]
        ray = self._rays.index(key[kept], trp[first], position_m[first])
        units = _Units(time_us, key[kept], ue[first], trp[first], ray, change[kept])
        self._epochs.append(units)
        while self._epochs and self._epochs[0].time_us <= time_us - round(self._config.memory_s * 1e6):
            self._epochs.popleft()
        self._count(units.ue, bins_of(units.change_db))
        return None if learning else self._search(time_us)

    def _count(self, ue: IntArray, bins: IntArray) -> None:
        """Count looks into the histograms of their devices."""
        more = int(ue.max(initial=-1)) + 1 - len(self._history)
        if more > 0:
            self._history = np.concatenate((self._history, np.zeros((more, len(self._prior)))))
        self._history *= 1.0 - _FORGET
        np.add.at(self._history, (ue, bins), 1.0)

    def null(self) -> FloatArray:
        """How looks of each device fall into the bins without a change (U, 31); a device seen little goes by all devices."""
        common = self._history.sum(axis=0) + _PRIOR_LOOKS * self._prior
        rows = self._history + _PRIOR_LOOKS * common / common.sum()
        null: FloatArray = rows / rows.sum(axis=1, keepdims=True)
        return null

    def accept(self) -> list[Finding]:
        """Forget the findings that stand and all looks, which are of the time before; returns what stood."""
        stood, self.active = self.active, []
        self._epochs.clear()
        return stood

    def near(self, finding: Finding, trp: int, ue_m: FloatArray) -> bool:
        """Whether the ray from a TRP to a device at (3,) ``ue_m`` [m] passes a finding within 4 m."""
        cells = cells_of_ray(self._trp_m[trp], ue_m, self._config.obstacle_height_m, self._shape)
        x, y = (cells // self._shape[1] + 0.5) * GRID_M, (cells % self._shape[1] + 0.5) * GRID_M
        return bool((np.hypot(x - finding.position_m[0], y - finding.position_m[1]) < _NEAR_ACTIVE_M).any())

    def _search(self, time_us: int) -> Finding | None:
        """Return the best finding over all spans and both signs, which then stands."""
        null = self.null()
        best: Finding | None = None
        for span in SPANS:
            since = time_us - round(span * self._config.memory_s * 1e6)
            ue, trp, change, ray = self._merged(since)
            cells, owner = self._rays.cells(ray)
            bins = bins_of(change)
            for sign, changed in zip((-1.0, 1.0), self._changed, strict=True):
                ratio = np.log((_CHANGED_SHARE * changed + (1.0 - _CHANGED_SHARE) * null) / null)
                score = np.minimum(ratio, _LARGEST_STEP)[ue, bins]
                found = self._best(time_us, since, sign, ue, trp, change, score, cells, owner)
                if found is not None and (best is None or found.evidence > best.evidence):
                    best = found
        if best is not None:
            self.active.append(best)
        return best

    def _merged(self, since: int) -> tuple[IntArray, IntArray, FloatArray, IntArray]:
        """Return looks after a time, each once: a device that stands still is one witness, however long it stands.

        Device, TRP, change [dB] and ray; without rays that never run low, or that pass a finding.
        """
        epochs = [e for e in self._epochs if e.time_us > since and len(e.key)]
        if not epochs:
            none = np.zeros(0, np.int64)
            return none, none, np.zeros(0), none
        keys = np.concatenate([e.key for e in epochs])
        ue, trp, ray = (np.concatenate([getattr(e, name) for e in epochs]) for name in ("ue", "trp", "ray"))
        merged, change = median_by(keys, np.concatenate([e.change_db for e in epochs]))
        _, first = np.unique(keys, return_index=True)
        free = np.ones(len(merged), np.bool_)
        if self.active:
            cells, owner = self._rays.cells(ray[first])
            passing = owner[self._near_active(cells)]
            free[passing] = False
        return ue[first][free], trp[first][free], change[free], ray[first][free]

    def _near_active(self, cells: IntArray) -> BoolArray:
        """Tell which squares are within 4 m of a finding that stands."""
        x, y = (cells // self._shape[1] + 0.5) * GRID_M, (cells % self._shape[1] + 0.5) * GRID_M
        near: BoolArray = np.zeros(len(cells), np.bool_)
        for f in self.active:
            near |= np.hypot(x - f.position_m[0], y - f.position_m[1]) < _NEAR_ACTIVE_M
        return near

    def _best(
        self, time_us: int, since: int, sign: float, ue: IntArray, trp: IntArray, change: FloatArray, score: FloatArray,
        cells: IntArray, owner: IntArray,
    ) -> Finding | None:  # fmt: skip
        """Return the square with the most evidence of one sign, if that is enough and comes from several devices."""
        n_cells, n_trp = self._shape[0] * self._shape[1], len(self._trp_m)
        # no sum can be larger than that of what speaks for it: most looks end here
        most = np.bincount(cells, weights=np.maximum(score, 0.0)[owner], minlength=n_cells)
        open_ = np.flatnonzero(most >= self._threshold)
        if not len(open_):
            return None
        compact = np.full(n_cells, -1, np.int64)
        compact[open_] = np.arange(len(open_))
        inside = compact[cells] >= 0
        cells, owner = cells[inside], owner[inside]
        shape = (len(open_), int(ue.max()) + 1, n_trp)
        group = (compact[cells] * shape[1] + ue[owner]) * n_trp + trp[owner]
        size = math.prod(shape)
        looks = np.bincount(group, minlength=size)
        witness = np.bincount(group, weights=score[owner], minlength=size) / np.maximum(looks, 1)
        by_device = witness.reshape(shape).sum(axis=2)
        total = by_device.sum(axis=1)
        total[total - np.maximum(by_device.max(axis=1), 0.0) < _OTHERS_SHARE * total] = 0.0
        evidence = np.zeros(n_cells)
        evidence[open_] = total
        peak = float(evidence.max())
        if peak < self._threshold:
            return None
        top: BoolArray = evidence >= 0.9 * peak
        weight = np.where(top, evidence, 0.0)
        x = float(np.average(np.arange(n_cells) // self._shape[1], weights=weight) + 0.5) * GRID_M
        y = float(np.average(np.arange(n_cells) % self._shape[1], weights=weight) + 0.5) * GRID_M
        seen = owner[(cells == int(evidence.argmax())) & (score[owner] > 0.0)]
        devices = len(np.unique(ue[seen]))
        if devices < _LEAST_DEVICES:
            return None
        return Finding(
            "place", time_us, since, -1, (x, y), float(np.median(change[seen])), peak / self._threshold, devices
        )  # fmt: skip


def _normal(bins: FloatArray, mean: float) -> FloatArray:
    """Return a normal distribution over bins of 1 dB, those at the ends with what lies beyond."""
    edges = np.concatenate(([-math.inf], bins[:-1] + 0.5, [math.inf]))
    below = np.array([0.5 * (1.0 + math.erf((e - mean) / (_PRIOR_SD_DB * math.sqrt(2.0)))) for e in edges])
    share: FloatArray = np.diff(below)
    return share


def bins_of(change_db: FloatArray) -> IntArray:
    """Bins of 1 dB, 0 to 2 * 15."""
    return np.clip(np.round(change_db), -CLIP_DB, CLIP_DB).astype(np.int64) + CLIP_DB
