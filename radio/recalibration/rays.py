"""The squares of the floor under rays, worked out once per device, TRP and square of the map, and kept in one array."""

from __future__ import annotations

import numpy as np

from radio.types import FloatArray, IntArray

__all__ = ["GRID_M", "Rays", "cells_of_ray"]

GRID_M = 1.0
_STEP_M = 0.4
_MOST_RAYS = 50_000


def cells_of_ray(trp_m: FloatArray, ue_m: FloatArray, height_m: float, shape: tuple[int, int]) -> IntArray:
    """Return the squares of 1 m, as ``x * shape[1] + y``, over which a ray runs lower than ``height_m``; (3,) points [m]."""
    way = ue_m - trp_m
    n = max(2, int(np.hypot(way[0], way[1]) / _STEP_M) + 1)
    points = trp_m + np.linspace(0.0, 1.0, n)[:, None] * way
    low = points[points[:, 2] <= height_m]
    x = np.clip((low[:, 0] / GRID_M).astype(np.int64), 0, shape[0] - 1)
    y = np.clip((low[:, 1] / GRID_M).astype(np.int64), 0, shape[1] - 1)
    return np.unique(x * shape[1] + y)


class Rays:
    """Squares under the rays that were met.

    Parameters
    ----------
    trp_m : (T, 3) TRPs [m]. height_m : below which a ray meets obstacles [m]. shape : squares of 1 m of the hall.
    """

    def __init__(self, trp_m: FloatArray, height_m: float, shape: tuple[int, int]) -> None:
        self._trp_m, self._height_m, self._shape = trp_m, height_m, shape
        self._index: dict[int, int] = {}
        self._start: IntArray = np.zeros(1024, np.int64)
        self._cells: IntArray = np.zeros(1024, np.int64)

    @property
    def is_full(self) -> bool:
        """Whether so many are kept that they should be forgotten; indices given before are void then."""
        return len(self._index) > _MOST_RAYS

    def forget(self) -> None:
        """Forget all rays."""
        self._index.clear()

    def index(self, key: IntArray, trp: IntArray, ue_m: FloatArray) -> IntArray:
        """Return the indices of rays; a key that is new is worked out from its TRP and the device's place (n, 3) [m]."""
        for i, k in enumerate(key.tolist()):
            if k not in self._index:
                self._enter(k, cells_of_ray(self._trp_m[trp[i]], ue_m[i], self._height_m, self._shape))
        return np.array([self._index[k] for k in key.tolist()], np.int64)

    def cells(self, index: IntArray) -> tuple[IntArray, IntArray]:
        """Return all squares of the rays, and of each square its ray's position in ``index``."""
        length = self._start[index + 1] - self._start[index]
        owner = np.repeat(np.arange(len(index)), length)
        before = np.cumsum(length) - length
        return self._cells[self._start[index][owner] + np.arange(len(owner)) - before[owner]], owner

    def _enter(self, key: int, cells: IntArray) -> None:
        n = len(self._index)
        begin = int(self._start[n]) if n else 0
        end = begin + len(cells)
        if n + 2 > len(self._start):
            self._start = np.concatenate((self._start, np.zeros_like(self._start)))
        while end > len(self._cells):
            self._cells = np.concatenate((self._cells, np.zeros_like(self._cells)))
        self._cells[begin:end] = cells
        self._start[n + 1] = end
        self._index[key] = n
