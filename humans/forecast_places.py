"""What is learnt of the hall itself: where people are, where they stand, and where they do not do what their motion says.

Cells lie on a torus of ``CELLS`` cells a side, so that no size must be known beforehand; halls longer than 96 m share cells with
places 96 m away. Nothing is kept of single people.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from humans.forecast_numbers import KNOTS, UNIT_M
from humans.types import FloatArray

CELL_M = 0.75
CELLS = 128
HEADINGS = 9
"""Eight octants of walking, and standing."""
STANDING_MPS = 0.15
FEW = 4.0
"""Visits at which half of what was seen is believed."""
_MEMORY = 0.02
_UNIT = np.array(UNIT_M)


@njit(cache=True)
def _cell(v) -> int:  # type: ignore[no-untyped-def]
    return int(np.floor(v / CELL_M)) % CELLS


@njit(cache=True)
def _octant(ex, ey, speed) -> int:  # type: ignore[no-untyped-def]
    if speed < STANDING_MPS:
        return 8
    return int(np.floor((np.arctan2(ey, ex) + np.pi) / (np.pi / 4.0))) % 8


@njit(cache=True)
def recall(who, last, frame, miss, visits, out) -> None:  # type: ignore[no-untyped-def]
    """Write by how much people at the places ``last`` (n, 2) usually miss their forecasts, ``out`` (n, KNOTS, 2) [m].

    The own cell counts with its four neighbours and the two octants beside; what was seen seldom is drawn to nothing.
    """
    for i in range(last.shape[0]):
        out[i] = 0.0
        if not who[i]:
            continue
        x, y = _cell(last[i, 0]), _cell(last[i, 1])
        o = _octant(frame[i, 0], frame[i, 1], frame[i, 2])
        mass = np.zeros(KNOTS)
        for r in range(7):
            a, b, d, w = x, y, o, 0.4
            if r == 0:
                w = 1.0
            elif r == 1:
                a = (x + 1) % CELLS
            elif r == 2:
                a = (x - 1) % CELLS
            elif r == 3:
                b = (y + 1) % CELLS
            elif r == 4:
                b = (y - 1) % CELLS
            elif o == 8:
                continue
            else:
                d = (o + (1 if r == 5 else 7)) % 8
            for k in range(KNOTS):
                v = w * visits[a, b, d, k]
                mass[k] += v
                out[i, k, 0] += v * miss[a, b, d, k, 0]
                out[i, k, 1] += v * miss[a, b, d, k, 1]
        for k in range(KNOTS):
            out[i, k, 0] *= _UNIT[k] / (mass[k] + FEW)
            out[i, k, 1] *= _UNIT[k] / (mass[k] + FEW)


@njit(cache=True)
def learn(slot_at, slot_frame, off, ok, miss, visits) -> None:  # type: ignore[no-untyped-def]
    """Move each cell's running median of misses towards ``off`` (n, KNOTS, 2) [m], where ``ok`` (n, KNOTS) names the slot."""
    for i in range(off.shape[0]):
        for k in range(KNOTS):
            s = ok[i, k]
            if s < 0:
                continue
            f = slot_frame[s, i]
            x, y, o = _cell(slot_at[s, i, 0]), _cell(slot_at[s, i, 1]), _octant(f[0], f[1], f[2])
            seen = visits[x, y, o, k]
            rate = max(1.0 / (seen + 2.0), _MEMORY)
            dx, dy = off[i, k, 0] / _UNIT[k] - miss[x, y, o, k, 0], off[i, k, 1] / _UNIT[k] - miss[x, y, o, k, 1]
            # A step of bounded length follows the median, as forecasts are judged by distance, not by its square.
            size = max(np.hypot(dx, dy), 0.5)
            miss[x, y, o, k, 0] += rate * dx / size
            miss[x, y, o, k, 1] += rate * dy / size
            visits[x, y, o, k] = min(seen + 1.0, 200.0)


@njit(cache=True)
def stay(position, seen, speed, dt_s, seconds) -> None:  # type: ignore[no-untyped-def]
    """Add the time spent in each cell, walking and standing, ``seconds`` (CELLS, CELLS, 2)."""
    for i in range(position.shape[0]):
        if seen[i]:
            seconds[_cell(position[i, 0]), _cell(position[i, 1]), 1 if speed[i] < STANDING_MPS else 0] += dt_s


class Places:
    """The hall's memory.

    Attributes
    ----------
    miss : (CELLS, CELLS, HEADINGS, KNOTS, 2) usual miss in units of ``UNIT_M``, along and across.
    visits : (CELLS, CELLS, HEADINGS, KNOTS) how often it was seen.
    seconds : (CELLS, CELLS, 2) person-seconds walking and standing.
    watched_s : how long the hall was watched [s].
    """

    def __init__(self) -> None:
        self.miss = np.zeros((CELLS, CELLS, HEADINGS, KNOTS, 2), np.float32)
        self.visits = np.zeros((CELLS, CELLS, HEADINGS, KNOTS), np.float32)
        self.seconds: FloatArray = np.zeros((CELLS, CELLS, 2))
        self.watched_s = 0.0

    def expect_at(self, position_m: FloatArray, people: float, for_s: float = 600.0) -> None:
        """Say before anything is seen that ``people`` stand about (k, 2) places, as if watched for ``for_s`` seconds."""
        for x, y in position_m:
            self.seconds[int(np.floor(x / CELL_M)) % CELLS, int(np.floor(y / CELL_M)) % CELLS, 1] += (
                people * for_s / len(position_m)
            )
        self.watched_s += for_s

    def density(self, position_m: FloatArray) -> FloatArray:
        """Return the mean number of people per square metre at (k, 2) places, (k,), walking and standing."""
        cell = np.floor(position_m / CELL_M).astype(np.int64) % CELLS
        mean: FloatArray = self.seconds[cell[:, 0], cell[:, 1]].sum(axis=-1) / (max(self.watched_s, 1e-9) * CELL_M**2)
        return mean

    def standing_share(self, position_m: FloatArray) -> FloatArray:
        """Return which share of the time spent at (k, 2) places was spent standing, (k,); 0 where nobody was seen."""
        cell = np.floor(position_m / CELL_M).astype(np.int64) % CELLS
        walked, stood = np.moveaxis(self.seconds[cell[:, 0], cell[:, 1]], -1, 0)
        share: FloatArray = stood / np.maximum(walked + stood, 1e-9)
        return share
