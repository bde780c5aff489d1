"""Compiled: what becomes of one video frame in a tick."""

from __future__ import annotations

import math

from numba import njit

from radio.messages import delivery_tables as tables
from radio.messages.delivery_causes import SURVIVES, ideal_rate, pick_mcs, uniform, video_cause, video_rate, would_survive
from radio.messages.delivery_places import allowed_symbols
from radio.messages.delivery_symbols import BusyArray, count_until, end_of, ordinal_at, waited_us
from radio.messages.delivery_tables import (
    DECIDED,
    G_AFTER,
    G_BEFORE,
    G_CHAINS,
    G_ELEMENTS,
    G_FIRST,
    G_HARQ,
    G_PERIOD,
    G_SYMBOL,
    G_USABLE,
    KEPT,
    NO_BODY,
    NO_INTERFERENCE,
    PLACE,
    SINR,
    Books,
    Fixed,
)
from radio.types import BoolArray, FloatArray, IntArray

# Blocks that fail like this after a retransmission make the scheduler stop for the tick after one HARQ round trip of NACKs.
HOPELESS = 0.5


@njit(cache=True, fastmath=False, inline="always")
def send_video(
    now_us: int, dt_us: int, guaranteed: bool, sliced: bool, i: int, fixed: Fixed, books: Books, numbers: FloatArray,
    streams: IntArray, grid_i: IntArray, grid_f: FloatArray, required_db: FloatArray, efficiency: FloatArray, trp: IntArray,
    usable_leg: BoolArray, sinr_db: FloatArray, levels: FloatArray, whom: IntArray, used: BusyArray, spent: IntArray,
    by_service: IntArray, qi: IntArray, qf: FloatArray, out_i: IntArray, out_f: FloatArray,
) -> int:  # fmt: skip
    """Send what a tick lets of video frame ``i`` of the queue, over the first usable leg.

    Parameters and result as `radio.messages.delivery_control.send_hop`; ``sliced`` says that there are slices.
    """
    block_bits, penalty_db = numbers[tables.BLOCK_BITS], numbers[tables.PENALTY]
    s = qi[i, tables.STREAM]
    u, d = streams[tables.T_UE, s], streams[tables.T_DIRECTION, s]
    arrival = qi[i, tables.ARRIVAL] - now_us
    draw = uniform(fixed.seed, s, qi[i, tables.MESSAGE])
    error, latency, cause, mcs = 1.0, -1.0, tables.NONE, -1
    leg, leg_usable = 0, False
    for j in range(2):
        if trp[u, j] >= 0 and usable_leg[u, j] and not leg_usable:
            leg, leg_usable = j, True
    t = trp[u, leg]
    home = max(t, 0)
    elements, harq_us = grid_f[home, G_ELEMENTS], grid_f[home, G_HARQ]
    last_end = arrival + streams[tables.T_DEADLINE, s] - grid_f[home, G_AFTER + d] - harq_us
    last_chance = last_end <= dt_us
    if not leg_usable and last_end > 0.0:
        qi[i, tables.BLOCKED] = 1
    reckoned = sinr_db[d, u]
    period_us, symbol_us = grid_i[home, G_PERIOD], grid_f[home, G_SYMBOL]
    first, usable, chains = grid_i[home, G_FIRST + d], grid_i[home, G_USABLE + d], grid_i[home, G_CHAINS]
    total = usable * (dt_us // period_us)
    true_db, clear_db = levels[SINR + d, u, leg], levels[NO_BODY + d, u, leg]
    quiet_db, place_db = levels[NO_INTERFERENCE + d, u, leg], levels[PLACE + d, u, leg]
    need, limit = total + 1, total
    bits_per_symbol, residual = 0.0, 1.0
    if leg_usable:
        mcs = pick_mcs(required_db, reckoned + sinr_db[2 + d, u])
        bits_per_symbol, residual = video_rate(true_db, mcs, efficiency, elements, block_bits, penalty_db)
        if bits_per_symbol * total >= qf[i, tables.LEFT]:
            need = math.ceil(qf[i, tables.LEFT] / bits_per_symbol)
        if residual > HOPELESS:
            limit = usable * math.ceil(harq_us / period_us)
    if t >= 0:
        if sliced:
            limit = max(min(limit, allowed_symbols(fixed, books, streams[tables.T_SLICE, s], d, t, guaranteed)), 0)
        from_us = arrival + grid_f[t, G_BEFORE + d]
        start = ordinal_at(from_us, period_us, symbol_us, first, usable)
        stop = count_until(min(last_end, float(dt_us)), total, period_us, symbol_us, first, usable)
        window, offered, taken = max(stop - start, 0), 0, 0
        row = used[t, d]
        for q in range(start, stop):
            if guaranteed and (not leg_usable or taken >= limit):
                break  # what it does not get now it is offered when the rest is given out
            if row[q] >= chains:
                continue
            offered += 1
            if leg_usable and taken < limit:
                if taken == 0 and qi[i, tables.SPENT] == 0:
                    begun = end_of(q, period_us, symbol_us, first, usable) - symbol_us
                    qi[i, tables.WAIT] = round(waited_us(begun, from_us, 1, False, period_us, symbol_us, first, usable))
                row[q] += 1
                taken += 1
                if taken >= need:
                    finish = end_of(q, period_us, symbol_us, first, usable)
                    latency = finish + harq_us + grid_f[t, G_AFTER + d] - arrival
                    window = q - start + 1
                    break
        spent[d, t] += taken
        by_service[streams[tables.T_SERVICE, s], d, t] += taken
        qi[i, tables.SPENT] += taken
        if sliced and streams[tables.T_SLICE, s] >= 0:
            books.by_slice[streams[tables.T_SLICE, s], d, t] += taken
        qf[i, tables.LEFT] -= taken * bits_per_symbol
        if guaranteed and latency < 0.0:
            window = 0
        clear_rate = ideal_rate(clear_db, required_db, efficiency, elements)
        true_rate = ideal_rate(true_db, required_db, efficiency, elements)
        place_rate = ideal_rate(place_db, required_db, efficiency, elements)
        if leg_usable:
            qf[i, tables.CLEAR] += offered * clear_rate
            qf[i, tables.QUIET] += offered * ideal_rate(quiet_db, required_db, efficiency, elements)
            qf[i, tables.TRUE] += offered * true_rate
            qf[i, tables.SHADOW] += offered * place_rate
        else:
            qf[i, tables.MISSED] += offered * clear_rate
        qf[i, tables.ALL] += window * true_rate
        qf[i, tables.ALL_SHADOW] += window * place_rate
        qf[i, tables.ALL_TOP] += window * efficiency[efficiency.size - 1] * elements
        if window > 0 and levels[tables.BODY_LOSS, u, leg] > qf[i, tables.BODY_DB] and whom[tables.BY_OWNER, u, leg] >= 0:
            qf[i, tables.BODY_DB] = levels[tables.BODY_LOSS, u, leg]
            qi[i, tables.OWNER] = whom[tables.BY_OWNER, u, leg]
            qi[i, tables.PART] = whom[tables.BY_PART, u, leg]
    if latency >= 0.0:
        error = residual
        if draw < residual:
            latency = -1.0
            clear_residual = video_rate(clear_db, mcs, efficiency, elements, block_bits, penalty_db)[1]
            quiet_residual = video_rate(quiet_db, mcs, efficiency, elements, block_bits, penalty_db)[1]
            if would_survive(clear_residual, residual, draw):
                cause = tables.BODY
            elif would_survive(quiet_residual, residual, draw):
                cause = tables.INTERFERENCE
            else:
                cause = tables.DECODING if residual < SURVIVES else tables.ADAPTATION
    elif last_chance and not guaranteed:
        cause = video_cause(float(streams[tables.T_BITS, s]), qi[i], qf[i])
    else:
        return KEPT
    guilty = cause == tables.BODY or cause == tables.RECOVERY
    guilty = guilty or (cause == tables.NO_RESOURCES and qf[i, tables.ALL] < streams[tables.T_BITS, s])
    out_i[tables.O_CAUSE], out_i[tables.O_LEG], out_i[tables.O_MCS], out_i[tables.O_GUILTY] = cause, leg, mcs, guilty
    out_i[tables.O_UE], out_i[tables.O_DIRECTION] = u, d
    out_f[tables.O_LOSS], out_f[tables.O_LATENCY], out_f[tables.O_PLAN] = error, latency, reckoned
    return DECIDED
