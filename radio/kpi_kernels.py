"""Kernels of ``radio.kpi``: a tick's messages and symbols added to the sums of a run."""

from __future__ import annotations

import numpy as np
from numba import njit

from radio.delivery_kernel import R_CAUSE, R_LATENCY, R_LOSS, R_STREAM, R_TIME
from radio.types import BoolArray, FloatArray, IntArray

# Sums per unit.
(MESSAGES, LOSS, LOST, DOWN, ENTRIES, DOWN_COUNTED, ENTRIES_COUNTED, SUMS) = range(8)
SWITCHES, SECOND_LEGS, COUNTS = range(3)
LATENCY_BINS = 512
LATENCY_LOW_US = 10.0
BINS_PER_E = 34.0  # bins of 3 %, so 10 us to 34 s


@njit(cache=True, fastmath=False)
def accumulate(
    ints: IntArray, floats: FloatArray, ok: BoolArray, block_us: int,
    service: IntArray, survival: IntArray, history: FloatArray, seen: IntArray, bad_run: IntArray,
    units: FloatArray, latency: IntArray, causes: IntArray,
    spent: IntArray, available: IntArray, load_sum: FloatArray,
    trp: IntArray, beam: IntArray, last_leg: IntArray, counts: IntArray,
) -> bool:  # fmt: skip
    """Add a tick's messages to their units, its loads to ``load_sum`` (2, T), its changes of legs and second legs to ``counts``.

    False, and nothing is added, where a message lies behind the last block. ``ints``, ``floats``, ``ok``, ``spent`` and
    ``available`` are those of `radio.delivery.Delivered`. ``history`` is a ring per stream of the last loss probabilities, zeros
    (good) before the first message. ``last_leg`` (U, 2), TRP and beam, is brought up to date.
    """
    stream, time_us, latency_us, cause = ints[R_STREAM], ints[R_TIME], ints[R_LATENCY], ints[R_CAUSE]
    loss = floats[R_LOSS]
    for r in range(stream.size):
        if time_us[r] // block_us >= units.shape[1]:
            return False
    ring = history.shape[1]
    for r in range(stream.size):
        s, b = stream[r], time_us[r] // block_us
        m = survival[s]
        before = history[s, (seen[s] - m) % ring]  # the message ahead of the last m
        history[s, seen[s] % ring] = loss[r]
        down = 1.0
        for j in range(m):
            down *= history[s, (seen[s] - j) % ring]
            if down == 0.0:
                break
        seen[s] += 1
        units[s, b, MESSAGES] += 1.0
        units[s, b, LOSS] += loss[r]
        units[s, b, DOWN] += down
        units[s, b, ENTRIES] += down * (1.0 - before)
        v = service[s]
        if ok[r]:
            bad_run[s] = 0
            position = int(np.log(max(latency_us[r], 1) / LATENCY_LOW_US) * BINS_PER_E)
            latency[v, b, min(max(position, 0), LATENCY_BINS - 1)] += 1
        else:
            bad_run[s] += 1
            units[s, b, LOST] += 1.0
            causes[v, cause[r]] += 1
            if bad_run[s] >= m:
                units[s, b, DOWN_COUNTED] += 1.0
                if bad_run[s] == m:
                    units[s, b, ENTRIES_COUNTED] += 1.0
    for d in range(2):
        for t in range(spent.shape[1]):
            load_sum[d, t] += spent[d, t] / available[d, t]
    for u in range(trp.shape[0]):
        if trp[u, 0] != last_leg[u, 0] or beam[u, 0] != last_leg[u, 1]:
            counts[SWITCHES] += 1
            last_leg[u, 0], last_leg[u, 1] = trp[u, 0], beam[u, 0]
        if trp[u, 1] >= 0:
            counts[SECOND_LEGS] += 1
    return True
