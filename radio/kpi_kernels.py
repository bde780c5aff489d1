"""Kernels of ``radio.kpi``: a tick's messages and symbols added to the sums of a run."""

from __future__ import annotations

import numpy as np
from numba import njit

from radio.types import BoolArray, FloatArray, IntArray

# Sums per unit.
(MESSAGES, LOSS, LOST, DOWN, ENTRIES, DOWN_COUNTED, ENTRIES_COUNTED, SUMS) = range(8)
LATENCY_BINS = 512
LATENCY_LOW_US = 10.0
BINS_PER_E = 34.0  # bins of 3 %, so 10 us to 34 s


@njit(cache=True, fastmath=False)
def accumulate(
    stream: IntArray, ok: BoolArray, loss: FloatArray, latency_us: IntArray, cause: IntArray, time_us: IntArray, block_us: int,
    service: IntArray, survival: IntArray, history: FloatArray, seen: IntArray, bad_run: IntArray,
    units: FloatArray, latency: IntArray, causes: IntArray,
) -> bool:  # fmt: skip
    """Add messages to their units; False, and nothing is added, where one of them lies behind the last block.

    ``history`` is a ring per stream of the last loss probabilities, zeros (good) before the first message.
    """
    for r in range(stream.size):
        if time_us[r] // block_us >= units.shape[1]:
            return False
    ring = history.shape[1]
    for r in range(stream.size):
        s, b = stream[r], time_us[r] // block_us
        m = survival[s]
        cell = units[s, b]
        before = history[s, (seen[s] - m) % ring]  # the message ahead of the last m
        history[s, seen[s] % ring] = loss[r]
        down = 1.0
        for j in range(m):
            down *= history[s, (seen[s] - j) % ring]
            if down == 0.0:
                break
        seen[s] += 1
        cell[MESSAGES] += 1.0
        cell[LOSS] += loss[r]
        cell[DOWN] += down
        cell[ENTRIES] += down * (1.0 - before)
        v = service[s]
        if ok[r]:
            bad_run[s] = 0
            position = int(np.log(max(latency_us[r], 1) / LATENCY_LOW_US) * BINS_PER_E)
            latency[v, b, min(max(position, 0), LATENCY_BINS - 1)] += 1
        else:
            bad_run[s] += 1
            cell[LOST] += 1.0
            causes[v, cause[r]] += 1
            if bad_run[s] >= m:
                cell[DOWN_COUNTED] += 1.0
                if bad_run[s] == m:
                    cell[ENTRIES_COUNTED] += 1.0
    return True


@njit(cache=True, fastmath=False)
def count_use(
    spent_dl: IntArray, spent_ul: IntArray, available_dl: IntArray, available_ul: IntArray, load_sum: FloatArray,
    trp: IntArray, beam: IntArray, last_leg: IntArray,
) -> tuple[int, int]:  # fmt: skip
    """Add a tick's loads to ``load_sum`` (2, T), and bring ``last_leg`` (U, 2) up to date.

    Returns
    -------
    How many first legs changed, and how many second legs there are.
    """
    for t in range(spent_dl.size):
        load_sum[0, t] += spent_dl[t] / available_dl[t]
        load_sum[1, t] += spent_ul[t] / available_ul[t]
    switches, seconds = 0, 0
    for u in range(trp.shape[0]):
        if trp[u, 0] != last_leg[u, 0] or beam[u, 0] != last_leg[u, 1]:
            switches += 1
            last_leg[u, 0], last_leg[u, 1] = trp[u, 0], beam[u, 0]
        if trp[u, 1] >= 0:
            seconds += 1
    return switches, seconds
