"""What the model gets wrong at each place: residuals of every TRP, learnt square by square of the hall's floor."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from radio.recalibration.base import RecalibrationConfig
from radio.types import BoolArray, FloatArray, IntArray

__all__ = ["ResidualMap"]

_PRIOR_COUNT = 1.0  # samples that the map's zero is worth
_MEMORY = 400.0  # samples that the map of a square goes back
_DEVICE_M = 1.2  # height taken for a ray of the map
_KNOWN = 5.0  # samples from which on a square is known
_HUBER_DB = 6.0


class ResidualMap:
    """Means of residuals less the TRP's offset, per TRP and square.

    Parameters
    ----------
    config : side of the squares. n_trp : TRPs. size_m : (x, y) of the hall [m].
    """

    def __init__(self, config: RecalibrationConfig, n_trp: int, size_m: tuple[float, float]) -> None:
        self._cell_m = config.cell_m
        self._shape = tuple(math.ceil(s / config.cell_m) for s in size_m)
        self._mean_db: FloatArray = np.zeros((n_trp, self._shape[0] * self._shape[1]))
        self._count: FloatArray = np.zeros_like(self._mean_db)

    def cell(self, place_m: FloatArray) -> IntArray:
        """Return the squares of places (n, 3) [m]."""
        x = np.clip((place_m[:, 0] / self._cell_m).astype(np.int64), 0, self._shape[0] - 1)
        y = np.clip((place_m[:, 1] / self._cell_m).astype(np.int64), 0, self._shape[1] - 1)
        return x * self._shape[1] + y

    def at(self, trp: IntArray, cell: IntArray) -> tuple[FloatArray, BoolArray]:
        """Return what the map says of TRPs from squares [dB], and where it knows them."""
        return self._mean_db[trp, cell], self._count[trp, cell] >= _KNOWN

    def learn(self, trp: IntArray, cell: IntArray, value_db: FloatArray, learning: bool) -> None:
        """Take samples (n,), residuals less the TRP's offset [dB]; after the ``learning`` one far off counts for less."""
        for t, c, value in zip(trp.tolist(), cell.tolist(), value_db.tolist(), strict=True):
            self._count[t, c] = min(self._count[t, c] + 1.0, _MEMORY)
            error = value - self._mean_db[t, c]
            if not learning and self._count[t, c] > _KNOWN:
                error = min(max(error, -_HUBER_DB), _HUBER_DB)
            self._mean_db[t, c] += error / (self._count[t, c] + _PRIOR_COUNT)

    def forget(self, trp: int, cell: int) -> None:
        """Forget what is known of a TRP from a square."""
        self._mean_db[trp, cell] = self._count[trp, cell] = 0.0

    def forget_where(self, concerned: Callable[[int, FloatArray], bool]) -> None:
        """Forget the squares for which ``concerned(trp, place)`` holds, their middles (3,) [m] at the height of a device."""
        x, y = np.divmod(np.arange(self._mean_db.shape[1]), self._shape[1])
        middle = np.stack(((x + 0.5) * self._cell_m, (y + 0.5) * self._cell_m, np.full(len(x), _DEVICE_M)), axis=1)
        for t, c in np.argwhere(self._count > 0).tolist():
            if concerned(t, middle[c]):
                self.forget(t, c)
