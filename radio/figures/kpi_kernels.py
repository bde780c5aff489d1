"""Kernels of ``radio.figures.kpi``: a tick's messages and symbols added to the sums of a run."""

from __future__ import annotations

import numpy as np
from numba import njit

from radio.messages.delivery_tables import R_CAUSE, R_LATENCY, R_LOSS, R_STREAM, R_TIME
from radio.types import BoolArray, FloatArray, IntArray

# Sums per unit.
(MESSAGES, LOSS, LOST, DOWN, ENTRIES, DOWN_COUNTED, ENTRIES_COUNTED, SUMS) = range(8)
SWITCHES, SECOND_LEGS, TICKS, COUNTS = range(4)
LATENCY_BINS = 512
LATENCY_LOW_US = 10.0
BINS_PER_E = 34.0  # bins of 3 %, so 10 us to 34 s


@njit(cache=True, fastmath=False)
def merge_blocks(units: FloatArray, latency: IntArray) -> None:
    """Merge blocks in pairs, in place: half as many, twice as long."""
    half = units.shape[1] // 2
    for b in range(half):
        for i in range(units.shape[0]):
            for k in range(units.shape[2]):
                units[i, b, k] = units[i, 2 * b, k] + units[i, 2 * b + 1, k]
        for v in range(latency.shape[0]):
            for k in range(latency.shape[2]):
                latency[v, b, k] = latency[v, 2 * b, k] + latency[v, 2 * b + 1, k]
    units[:, half:] = 0.0
    latency[:, half:] = 0


@njit(cache=True, fastmath=False)
def accumulate(
    ints: IntArray, floats: FloatArray, ok: BoolArray, n: int, spent: IntArray, available: IntArray, legs: IntArray,
    service: IntArray, survival: IntArray, history: FloatArray, seen: IntArray, units: FloatArray, latency: IntArray,
    causes: IntArray, load_sum: FloatArray, last_leg: IntArray, counts: IntArray, block_us: IntArray,
) -> None:  # fmt: skip
    """Add a tick's ``n`` messages, its loads, its changes of legs and its second legs to the sums of a run.

    Parameters
    ----------
    ints, floats, ok, spent, available : those of `radio.messages.delivery.Delivered`, which may have room for more messages.
    legs : (2, U, 2) TRP and beam of the plan's legs.
    service, survival : those of the traffic.
    history, seen, units, latency, causes, load_sum, last_leg, counts, block_us : see `kpi.KpiTables`, brought up to date.
    """
    for r in range(n):
        while ints[R_TIME, r] // block_us[0] >= units.shape[1]:
            merge_blocks(units, latency)
            block_us[0] *= 2
    length_us = block_us[0]
    bad_run = seen[1]
    stream, time_us, latency_us, cause = ints[R_STREAM], ints[R_TIME], ints[R_LATENCY], ints[R_CAUSE]
    loss = floats[R_LOSS]
    ring = history.shape[1]
    for r in range(n):
        s, b = stream[r], time_us[r] // length_us
        m = survival[s]
        before = history[s, (seen[0, s] - m) % ring]  # the message ahead of the last m
        history[s, seen[0, s] % ring] = loss[r]
        down = 1.0
        for j in range(m):
            down *= history[s, (seen[0, s] - j) % ring]
            if down == 0.0:
                break
        seen[0, s] += 1
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
    for u in range(legs.shape[1]):
        if counts[TICKS] == 0:
            last_leg[u, 0], last_leg[u, 1] = legs[0, u, 0], legs[1, u, 0]
        if legs[0, u, 0] != last_leg[u, 0] or legs[1, u, 0] != last_leg[u, 1]:
            counts[SWITCHES] += 1
            last_leg[u, 0], last_leg[u, 1] = legs[0, u, 0], legs[1, u, 0]
        if legs[0, u, 1] >= 0:
            counts[SECOND_LEGS] += 1
    counts[TICKS] += 1
