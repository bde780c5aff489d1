"""Compiled: the short way of a control message that is sent once, over one hop, in any symbol, outside of slices.

Most messages are such. `delivery_control` does the same for all messages at twice the time; a test compares them bit by
bit.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from radio.messages import delivery_tables as tables
from radio.messages.delivery_causes import BODY_COUNTS_DB, control_cause, error_at, pick_mcs, uniform, worst_leg
from radio.messages.delivery_symbols import BusyArray, end_of, ordinal_at, reserve, waited_us
from radio.messages.delivery_tables import (
    DECIDED,
    G_AFTER,
    G_BEFORE,
    G_CARRIER,
    G_CHAINS,
    G_ELEMENTS,
    G_FIRST,
    G_PERIOD,
    G_RUN,
    G_SLOTTED,
    G_SYMBOL,
    G_USABLE,
    KEPT,
    NO_BODY,
    SINR,
    T_DEADLINE,
)
from radio.types import BoolArray, FloatArray, IntArray


@njit(cache=True, fastmath=False, inline="always")
def send_plain(
    now_us: int, dt_us: int, seed: int, i: int, numbers: FloatArray, streams: IntArray, grid_i: IntArray, grid_f: FloatArray,
    mcs_symbols: IntArray, required_db: FloatArray, efficiency: FloatArray, circular: FloatArray, trp: IntArray,
    usable_leg: BoolArray, repetitions: IntArray, sinr_db: FloatArray, levels: FloatArray, whom: IntArray, used: BusyArray,
    spent: IntArray, by_service: IntArray, queue_i: IntArray, positions: IntArray, sent: IntArray, ends: FloatArray,
    n_re: FloatArray, robust_re: FloatArray, out_i: IntArray, out_f: FloatArray,
) -> int:  # fmt: skip
    """Send message ``i`` of the queue; parameters and result as `radio.messages.delivery_control.send_hop`."""
    s = queue_i[i, tables.STREAM]
    u, d = streams[tables.T_UE, s], streams[tables.T_DIRECTION, s]
    service = streams[tables.T_SERVICE, s]
    k_bits = float(streams[tables.T_CODED, s])
    arrival = queue_i[i, tables.ARRIVAL] - now_us
    deadline = arrival + streams[T_DEADLINE, s]
    leg, leg_usable, last_end = 0, False, -np.inf  # the end on the leg that has longest
    for j in range(2):
        t = trp[u, j]
        if t >= 0 and usable_leg[u, j]:
            if not leg_usable:
                leg = j
            leg_usable = True
            last_end = max(last_end, deadline - grid_f[t, G_AFTER + d])
    home = max(trp[u, leg], 0)
    if not leg_usable:
        last_end = deadline - grid_f[home, G_AFTER + d]
    last_chance = last_end <= dt_us
    if not leg_usable and last_end > 0.0:
        queue_i[i, tables.BLOCKED] = 1
    reckoned = sinr_db[d, u]
    mcs = pick_mcs(required_db[s], reckoned)
    repeated = max(repetitions[u], streams[tables.T_REPEAT, s])
    waited = -1.0
    for j in range(2):
        sent[j] = 0
        t = trp[u, j]
        if t < 0 or not usable_leg[u, j]:
            continue
        period_us, symbol_us = grid_i[t, G_PERIOD], grid_f[t, G_SYMBOL]
        first, usable = grid_i[t, G_FIRST + d], grid_i[t, G_USABLE + d]
        length = mcs_symbols[grid_i[t, G_CARRIER], s, mcs]
        n_re[j] = min(length * grid_f[t, G_ELEMENTS], k_bits / efficiency[0])
        start = ordinal_at(arrival + grid_f[t, G_BEFORE + d], period_us, symbol_us, first, usable)
        row = used[t, d, : usable * (dt_us // period_us)]
        count, n_positions, end = reserve(
            row, grid_i[t, G_CHAINS], start, length, repeated, deadline - grid_f[t, G_AFTER + d], period_us, symbol_us, first,
            usable, grid_i[t, G_RUN + d], grid_i[t, G_SLOTTED] > 0, positions,
        )  # fmt: skip
        if count == 0 or (count < repeated and not last_chance):
            continue
        for n in range(n_positions):
            row[positions[n]] += 1
        spent[d, t] += n_positions
        by_service[service, d, t] += n_positions
        queue_i[i, tables.SPENT] += n_positions
        if waited < 0.0:
            begun = end_of(positions[0], period_us, symbol_us, first, usable) - symbol_us
            ready = arrival + grid_f[t, G_BEFORE + d]
            run = min(length, grid_i[t, G_RUN + d])
            waited = waited_us(begun, ready, run, grid_i[t, G_SLOTTED] > 0, period_us, symbol_us, first, usable)
        sent[j] = count
        ends[j] = end + grid_f[t, G_AFTER + d]
    error, latency, cause, guilty, tries = 1.0, -1.0, tables.NONE, False, 0
    status = DECIDED
    if sent[0] + sent[1] == 0:
        if not last_chance:
            status = KEPT
        else:
            cause = tables.RECOVERY if queue_i[i, tables.BLOCKED] > 0 else tables.NO_RESOURCES
            carrier = grid_i[home, G_CARRIER]
            clear = pick_mcs(required_db[s], levels[NO_BODY + d, u, leg])
            shorter = mcs_symbols[carrier, s, clear] < mcs_symbols[carrier, s, mcs]
            guilty = cause == tables.RECOVERY or (shorter and levels[tables.BODY_LOSS, u, leg] >= BODY_COUNTS_DB)
    else:
        tries = 1
        queue_i[i, tables.WAIT] = round(waited)
        a, b = levels[SINR + d, u, 0], levels[SINR + d, u, 1]
        circular_re = k_bits * circular[mcs]
        error = error_at(a, b, sent[0], sent[1], n_re, k_bits, circular_re, numbers)
        draw = uniform(seed, s, queue_i[i, tables.MESSAGE])
        leg = 0 if sent[0] > 0 else 1
        if draw >= error:
            # the draw decides leg by leg: the first fails below its own error, both below the product
            end = ends[leg]
            if sent[0] > 0 and sent[1] > 0 and draw < error_at(a, b, sent[0], 0, n_re, k_bits, circular_re, numbers):
                end = ends[1]
            latency = end - arrival
        else:
            best = a if sent[0] > 0 else b
            if sent[1] > 0 and b > best:
                best = b
            robust = pick_mcs(required_db[s], best)
            for j in range(2):
                if sent[j] > 0:
                    t = trp[u, j]
                    symbols_re = mcs_symbols[grid_i[t, G_CARRIER], s, robust] * grid_f[t, G_ELEMENTS]
                    robust_re[j] = min(symbols_re, k_bits / efficiency[0])
            cause = control_cause(
                levels, d, u, sent[0], sent[1], n_re, robust_re, k_bits, circular_re, numbers, error, draw
            )  # fmt: skip
            guilty = cause == tables.BODY
    if guilty:
        if tries > 0:
            leg = worst_leg(levels[tables.BODY_LOSS, u, 0], levels[tables.BODY_LOSS, u, 1], sent[0], sent[1])
        queue_i[i, tables.OWNER] = whom[tables.BY_OWNER, u, leg]
        queue_i[i, tables.PART] = whom[tables.BY_PART, u, leg]
    queue_i[i, tables.TRIES] = tries
    out_i[tables.O_CAUSE], out_i[tables.O_LEG], out_i[tables.O_MCS], out_i[tables.O_GUILTY] = cause, leg, mcs, guilty
    out_i[tables.O_UE], out_i[tables.O_DIRECTION] = u, d
    out_f[tables.O_LOSS], out_f[tables.O_LATENCY], out_f[tables.O_PLAN] = error, latency, reckoned
    return status
