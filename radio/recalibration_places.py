"""What was put into a hall, or taken away: found by the rays that changed.

Something at a place changes what devices hear along all rays that pass over it. So for every square metre of the floor the
changes of the rays of the last minutes are collected, of all TRPs and devices, where a ray runs low enough to meet an obstacle,
and the hypothesis "these rays changed by one amount, all others not" is held against "nothing changed": a generalised likelihood
ratio over space. What all rays of a TRP have in common is taken off first, so that a fault of a TRP is no place.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from radio.recalibration import Finding, RecalibrationConfig, median_by
from radio.types import BoolArray, FloatArray, IntArray

__all__ = ["Places", "cells_of_ray"]

_GRID_M = 1.0
_STEP_M = 0.4
_CLIP_DB = 15.0
_LEAST_SD_DB = 1.5
_LEAST_RAYS, _LEAST_DEVICES = 4, 2
_SHARE = 0.7  # of the rays through a changed place that changed by half of its mean or more
_SAME_PLACE_M = 3.0
_NEAR_ACTIVE_M = 4.0
_LEAST_UNITS = 5  # of one TRP in an epoch, for what they have in common


@dataclass(frozen=True, slots=True)
class _Units:
    """Rays of one epoch: one per device, TRP and square of the map."""

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
        self._epochs: deque[_Units] = deque()
        self._rays: dict[int, IntArray] = {}
        self._suspect: tuple[float, float, float] | None = None
        self._null_db: deque[float] = deque(maxlen=4000)
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
        self._null_db.extend(units.change_db.tolist())
        return None if learning else self._search(time_us)

    def _search(self, time_us: int) -> Finding | None:
        key, ue, change, rays = self._merged()
        if len(key) < _LEAST_RAYS:
            return None
        sd_db = max(_LEAST_SD_DB, 1.4826 * float(np.median(np.abs(np.array(self._null_db)))))
        best: Finding | None = None
        for sign in (-1.0, 1.0):
            found = self._best(time_us, sign, ue, change, rays, sd_db)
            if found is not None and (best is None or found.evidence > best.evidence):
                best = found
        if best is None:
            self._suspect = None
            return None
        x, y = best.position_m
        before, self._suspect = self._suspect, (x, y, np.sign(best.change_db))
        if before is None or before[2] != np.sign(best.change_db) or np.hypot(before[0] - x, before[1] - y) > _SAME_PLACE_M:
            return None  # once is chance; the next look must find it again
        self.active.append(best)
        self._suspect = None
        return best

    def _merged(self) -> tuple[IntArray, IntArray, FloatArray, list[IntArray]]:
        """Rays of the memory, each once: a device that stands still is one witness, however long it stands."""
        if not self._epochs:
            return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), []
        keys = np.concatenate([e.key for e in self._epochs])
        ues, trps = np.concatenate([e.ue for e in self._epochs]), np.concatenate([e.trp for e in self._epochs])
        places = np.concatenate([e.position_m for e in self._epochs])
        merged, change = median_by(keys, np.clip(np.concatenate([e.change_db for e in self._epochs]), -_CLIP_DB, _CLIP_DB))
        _, first = np.unique(keys, return_index=True)
        rays = [self._ray(int(k), int(trps[i]), places[i]) for k, i in zip(merged, first, strict=True)]
        free = np.array([not self._near_active(cells) for cells in rays], np.bool_)
        return merged[free], ues[first][free], change[free], [r for r, f in zip(rays, free, strict=True) if f]

    def _ray(self, key: int, trp: int, position_m: FloatArray) -> IntArray:
        """Squares under a ray; the ray of a device, a TRP and a square of the map is worked out once."""
        if key not in self._rays:
            if len(self._rays) > 50_000:
                self._rays.clear()
            self._rays[key] = cells_of_ray(self._trp_m[trp], position_m, self._config.obstacle_height_m, self._shape)
        return self._rays[key]

    def _near_active(self, cells: IntArray) -> bool:
        if not self.active or not len(cells):
            return False
        x, y = (cells // self._shape[1] + 0.5) * _GRID_M, (cells % self._shape[1] + 0.5) * _GRID_M
        return any(bool((np.hypot(x - f.position_m[0], y - f.position_m[1]) < _NEAR_ACTIVE_M).any()) for f in self.active)

    def _best(
        self, time_us: int, sign: float, ue: IntArray, change: FloatArray, rays: list[IntArray], sd_db: float
    ) -> Finding | None:
        config, n_cells = self._config, self._shape[0] * self._shape[1]
        length = np.array([len(r) for r in rays])
        cells, owner = np.concatenate(rays), np.repeat(np.arange(len(rays)), length)
        count = np.bincount(cells, minlength=n_cells)
        mean = np.bincount(cells, weights=sign * change[owner], minlength=n_cells) / np.maximum(count, 1)
        strong = np.bincount(cells, weights=(sign * change[owner] > mean[cells] / 2).astype(np.float64), minlength=n_cells)
        evidence = count * mean**2 / (2.0 * sd_db**2) / config.place_evidence
        evidence[(mean < config.place_change_db) | (count < _LEAST_RAYS) | (strong < _SHARE * count)] = 0.0
        if not (evidence >= 1.0).any():
            return None
        top: BoolArray = evidence >= 0.9 * evidence.max()
        weight = np.where(top, evidence, 0.0)
        x = float(np.average(np.arange(n_cells) // self._shape[1], weights=weight) + 0.5) * _GRID_M
        y = float(np.average(np.arange(n_cells) % self._shape[1], weights=weight) + 0.5) * _GRID_M
        witnesses = owner[cells == int(evidence.argmax())]
        devices = len(np.unique(ue[witnesses]))
        if devices < _LEAST_DEVICES:
            return None
        since = time_us - round(config.memory_s * 1e6)
        peak = float(evidence.max())
        return Finding("place", time_us, since, -1, (x, y), float(sign * mean[evidence.argmax()]), peak, devices)
