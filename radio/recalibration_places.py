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

from radio.recalibration import Finding, RecalibrationConfig, median_by
from radio.types import BoolArray, FloatArray, IntArray

__all__ = ["Places", "cells_of_ray", "place_threshold"]

_GRID_M = 1.0
_STEP_M = 0.4
_CLIP_DB = 15
_SPANS = (0.25, 0.5, 1.0)  # of the memory, over which is summed
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
    position_m: FloatArray
    change_db: FloatArray


def cells_of_ray(trp_m: FloatArray, ue_m: FloatArray, height_m: float, shape: tuple[int, int]) -> IntArray:
    """Return the squares of 1 m, as ``x * shape[1] + y``, over which a ray runs lower than ``height_m``; (3,) points [m]."""
    way = ue_m - trp_m
    n = max(2, int(np.hypot(way[0], way[1]) / _STEP_M) + 1)
    points = trp_m + np.linspace(0.0, 1.0, n)[:, None] * way
    low = points[points[:, 2] <= height_m]
    x = np.clip((low[:, 0] / _GRID_M).astype(np.int64), 0, shape[0] - 1)
    y = np.clip((low[:, 1] / _GRID_M).astype(np.int64), 0, shape[1] - 1)
    return np.unique(x * shape[1] + y)


def place_threshold(config: RecalibrationConfig) -> float:
    """Return the log-likelihood ratio at which one square has the mean time to a false alarm that is asked for.

    By the bound of Wald, over the looks of an hour, the spans and both signs; for independent witnesses.
    """
    looks = config.place_run_length_h * 3600.0 / config.epoch_s
    return max(0.0, math.log(looks * len(_SPANS) * 2))


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
        self._shape = (max(1, round(size_m[0] / _GRID_M)), max(1, round(size_m[1] / _GRID_M)))
        self._threshold = place_threshold(config)
        self._epochs: deque[_Units] = deque()
        self._rays: dict[int, IntArray] = {}
        bins = np.arange(-_CLIP_DB, _CLIP_DB + 1, dtype=np.float64)
        prior = (1.0 - _PRIOR_TAIL) * _normal(bins, 0.0) + _PRIOR_TAIL / len(bins)
        self._prior = prior
        self._history: FloatArray = np.zeros((0, len(bins)))  # per device
        sizes = np.arange(math.ceil(config.place_change_db), _CLIP_DB + 1)
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
        key, change = median_by((cell * 100_003 + ue) * n_trp + trp, change_db)
        _, first = np.unique((cell * 100_003 + ue) * n_trp + trp, return_index=True)
        kept = np.zeros(len(key), np.bool_)
        for t in range(n_trp):
            own = trp[first] == t
            if own.sum() >= _LEAST_UNITS:  # what all rays of a TRP have in common is no place
                change[own] -= np.median(change[own])
                kept |= own
        units = _Units(time_us, key[kept], ue[first][kept], trp[first][kept], position_m[first][kept], change[kept])
        self._epochs.append(units)
        while self._epochs and self._epochs[0].time_us <= time_us - round(self._config.memory_s * 1e6):
            self._epochs.popleft()
        self._count(units.ue, _bin(units.change_db))
        return None if learning else self._search(time_us)

    def _count(self, ue: IntArray, bins: IntArray) -> None:
        """Count looks into the histograms of their devices."""
        more = int(ue.max(initial=-1)) + 1 - len(self._history)
        if more > 0:
            self._history = np.concatenate((self._history, np.zeros((more, len(self._prior)))))
        self._history *= 1.0 - _FORGET
        np.add.at(self._history, (ue, bins), 1.0)

    def _null(self) -> FloatArray:
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
        return self._is_near(cells_of_ray(self._trp_m[trp], ue_m, self._config.obstacle_height_m, self._shape), (finding,))

    def _search(self, time_us: int) -> Finding | None:
        """Return the best finding over all spans and both signs, which then stands."""
        null = self._null()
        best: Finding | None = None
        for span in _SPANS:
            since = time_us - round(span * self._config.memory_s * 1e6)
            ue, trp, bins, change, rays = self._merged(since)
            for sign, changed in zip((-1.0, 1.0), self._changed, strict=True):
                ratio = np.log((_CHANGED_SHARE * changed + (1.0 - _CHANGED_SHARE) * null) / null)
                score = np.minimum(ratio, _LARGEST_STEP)[ue, bins]
                found = self._best(time_us, since, sign, ue, trp, change, score, rays)
                if found is not None and (best is None or found.evidence > best.evidence):
                    best = found
        if best is not None:
            self.active.append(best)
        return best

    def _merged(self, since: int) -> tuple[IntArray, IntArray, IntArray, FloatArray, list[IntArray]]:
        """Return looks after a time, each once: a device that stands still is one witness, however long it stands."""
        epochs = [e for e in self._epochs if e.time_us > since and len(e.key)]
        if not epochs:
            none = np.zeros(0, np.int64)
            return none, none, none, np.zeros(0), []
        keys, places = np.concatenate([e.key for e in epochs]), np.concatenate([e.position_m for e in epochs])
        ues, trps = np.concatenate([e.ue for e in epochs]), np.concatenate([e.trp for e in epochs])
        merged, change = median_by(keys, np.concatenate([e.change_db for e in epochs]))
        _, first = np.unique(keys, return_index=True)
        rays = [self._ray(int(k), int(trps[i]), places[i]) for k, i in zip(merged, first, strict=True)]
        free = np.array([len(cells) > 0 and not self._is_near(cells, self.active) for cells in rays], np.bool_)
        kept = [r for r, f in zip(rays, free, strict=True) if f]
        return ues[first][free], trps[first][free], _bin(change[free]), change[free], kept

    def _ray(self, key: int, trp: int, position_m: FloatArray) -> IntArray:
        """Squares under a ray; the ray of a device, a TRP and a square of the map is worked out once."""
        if key not in self._rays:
            if len(self._rays) > 50_000:
                self._rays.clear()
            self._rays[key] = cells_of_ray(self._trp_m[trp], position_m, self._config.obstacle_height_m, self._shape)
        return self._rays[key]

    def _is_near(self, cells: IntArray, findings: list[Finding] | tuple[Finding, ...]) -> bool:
        if not findings or not len(cells):
            return False
        x, y = (cells // self._shape[1] + 0.5) * _GRID_M, (cells % self._shape[1] + 0.5) * _GRID_M
        return any(bool((np.hypot(x - f.position_m[0], y - f.position_m[1]) < _NEAR_ACTIVE_M).any()) for f in findings)

    def _best(
        self, time_us: int, since: int, sign: float, ue: IntArray, trp: IntArray, change: FloatArray, score: FloatArray,
        rays: list[IntArray],
    ) -> Finding | None:  # fmt: skip
        """Return the square with the most evidence of one sign, if that is enough and comes from several devices."""
        if not rays:
            return None
        n_cells, n_trp = self._shape[0] * self._shape[1], len(self._trp_m)
        cells, owner = np.concatenate(rays), np.repeat(np.arange(len(rays)), [len(r) for r in rays])
        # no sum can be larger than that of what speaks for it: most looks end here
        most = np.bincount(cells, weights=np.maximum(score, 0.0)[owner], minlength=n_cells)
        open_ = (most >= self._threshold)[cells]
        cells, owner = cells[open_], owner[open_]
        if not len(cells):
            return None
        n_pairs = (int(ue.max()) + 1) * n_trp
        group, of_group = np.unique(cells * n_pairs + (ue * n_trp + trp)[owner], return_inverse=True)
        witness = np.bincount(of_group, weights=score[owner]) / np.bincount(of_group)
        evidence = np.bincount(group // n_pairs, weights=witness, minlength=n_cells)
        device, of_device = np.unique(group // n_trp, return_inverse=True)
        by_device = np.bincount(of_device, weights=witness)
        largest = np.zeros(n_cells)
        np.maximum.at(largest, device // (n_pairs // n_trp), by_device)
        evidence[evidence - largest < _OTHERS_SHARE * evidence] = 0.0
        peak = float(evidence.max())
        if peak < self._threshold:
            return None
        top: BoolArray = evidence >= 0.9 * peak
        weight = np.where(top, evidence, 0.0)
        x = float(np.average(np.arange(n_cells) // self._shape[1], weights=weight) + 0.5) * _GRID_M
        y = float(np.average(np.arange(n_cells) % self._shape[1], weights=weight) + 0.5) * _GRID_M
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


def _bin(change_db: FloatArray) -> IntArray:
    """Bins of 1 dB, 0 to 2 * 15."""
    return np.clip(np.round(change_db), -_CLIP_DB, _CLIP_DB).astype(np.int64) + _CLIP_DB
