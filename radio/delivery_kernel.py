"""Compiled inside of `radio.delivery`: symbols handed out one tick at a time, and what became of every message.

Times are microseconds from the start of the tick; `radio.delivery_symbols` counts symbols and finds free ones. Every TRP has the
symbols of its own carrier.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from radio.delivery_symbols import BusyArray, count_until, end_of, ordinal_at, reserve
from radio.reliability import block_error_scalar
from radio.types import BoolArray, FloatArray, IntArray

# Causes, see radio.delivery.Cause.
_NONE, _BODY, _INTERFERENCE, _RECOVERY, _NO_RESOURCES, _ADAPTATION, _STATIC_SHADOW, _STALE_BEAM, _DECODING = range(9)
# A counterfactual that leaves less risk than this would have carried the message.
SURVIVES = 1e-3
# Body loss from which a body can be behind a low MCS [dB].
BODY_COUNTS_DB = 0.5
# Blocks that fail like this after a retransmission make the scheduler stop for the tick after one HARQ round trip of NACKs.
HOPELESS = 0.5
# Columns of the queue: integers, then floats: bits that a video frame still lacks, and what the symbols offered to it would have
# carried (MISSED: while its legs were interrupted; ALL: had it got every symbol of the TRP).
STREAM, MESSAGE, ARRIVAL, BLOCKED, OWNER, PART, QUEUE_INTS = range(7)
LEFT, CLEAR, QUIET, TRUE, SHADOW, MISSED, ALL, ALL_SHADOW, ALL_TOP, BODY_DB, QUEUE_FLOATS = range(11)
# Rows of the results.
(R_STREAM, R_MESSAGE, R_TIME, R_LATENCY, R_CAUSE, R_OWNER, R_PART, R_TRP, R_BEAM, R_MCS, RESULT_INTS) = range(11)
R_LOSS, R_SINR, R_PLAN, RESULT_FLOATS = range(4)
# Rows of the stream table; T_NEXT is the number of the message that comes next.
(T_UE, T_DIRECTION, T_INTERVAL, T_OFFSET, T_DEADLINE, T_BITS, T_VIDEO, T_CODED, T_NEXT, STREAM_ROWS) = range(10)
# Columns of the tables of TRPs (T, ...). Integers: the carrier's TDD period [us], first data symbol and data symbols of each
# direction in it, which carrier it is, RF chains. Floats: symbol duration [us], resource elements of a symbol, processing before
# and after the symbols of each direction [us], a HARQ round trip [us].
(G_PERIOD, G_FIRST, _FIRST_UL, G_USABLE, _USABLE_UL, G_CARRIER, G_CHAINS, GRID_INTS) = range(8)
(G_SYMBOL, G_ELEMENTS, G_BEFORE, _BEFORE_UL, G_AFTER, _AFTER_UL, G_HARQ, GRID_FLOATS) = range(8)
# Rows of the true levels of the legs (LEVELS, U, 2), in the order of `radio.types.LinkState`: SINRs, the uplink's behind the
# downlink's, then what bodies cost; and of the bodies behind that (WHOM, U, 2).
SINR, NO_BODY, NO_INTERFERENCE, PLACE, BODY_LOSS, LEVELS = 0, 2, 4, 6, 8, 9
BY_OWNER, BY_PART, WHOM = range(3)
# Fixed numbers of the link level: bits of a code block, what a real receiver loses [dB], margin that video does without [dB].
BLOCK_BITS, PENALTY, VIDEO_MARGIN, NUMBERS = range(4)
# Rows of the scratch table: the queue's order, which of it is finished, symbols of a message.
ORDER, DONE, POSITIONS, SCRATCH = range(4)


@njit(cache=True, fastmath=False)
def uniform(seed: int, stream: int, message: int) -> float:
    """Return the uniform draw of a message: SplitMix64 of seed, stream and message number, the same for every policy."""
    z = np.uint64(seed) + np.uint64(0x9E3779B97F4A7C15) * (
        np.uint64(stream) * np.uint64(0xD1342543DE82EF95) + np.uint64(message) + np.uint64(1)
    )
    for _ in range(2):
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return float(z >> np.uint64(11)) * 2.0**-53


@njit(cache=True, fastmath=False)
def pick_mcs(required_db: FloatArray, sinr_db: float) -> int:
    """Return the highest MCS whose required SINR is met, 0 if none is."""
    for mcs in range(required_db.size - 1, 0, -1):
        if required_db[mcs] <= sinr_db:
            return mcs
    return 0


@njit(cache=True, fastmath=False)
def joint_error(
    first_db: float, second_db: float, first: int, second: int, n_re: FloatArray, k_bits: float, penalty_db: float
) -> float:
    """Return the error of both legs together: chase combining within a leg, a product over the legs that sent.

    ``first``, ``second`` are the repetitions that each leg sent, ``n_re`` (2,) the resource elements of one of them.
    """
    error = 1.0
    if first > 0:
        error *= block_error_scalar(10.0 ** (0.1 * (first_db - penalty_db)) * first, n_re[0], k_bits)
    if second > 0:
        error *= block_error_scalar(10.0 ** (0.1 * (second_db - penalty_db)) * second, n_re[1], k_bits)
    return error


@njit(cache=True, fastmath=False)
def would_survive(error: float, actual: float, draw: float) -> bool:
    """Return whether a message lost at risk ``actual`` would have arrived at risk ``error``, by its draw or by design."""
    return draw >= error or (error < SURVIVES and 10.0 * error <= actual)


@njit(cache=True, fastmath=False)
def control_cause(
    levels: FloatArray, d: int, u: int, first: int, second: int, n_re: FloatArray, robust_re: FloatArray, k_bits: float,
    penalty_db: float, error: float, draw: float,
) -> int:  # fmt: skip
    """Return why a message that was sent was not decoded: the first rung of the ladder that would have carried it.

    ``levels`` (LEVELS, U, 2) hold the SINRs of the ladder, ``robust_re`` (2,) the resource elements that an MCS chosen for
    the true SINR would have taken on each leg.
    """
    a, b = levels[NO_BODY + d, u, 0], levels[NO_BODY + d, u, 1]
    if would_survive(joint_error(a, b, first, second, n_re, k_bits, penalty_db), error, draw):
        return _BODY
    a, b = levels[NO_INTERFERENCE + d, u, 0], levels[NO_INTERFERENCE + d, u, 1]
    if would_survive(joint_error(a, b, first, second, n_re, k_bits, penalty_db), error, draw):
        return _INTERFERENCE
    if error < SURVIVES:
        return _DECODING
    if (first > 0 and robust_re[0] > n_re[0]) or (second > 0 and robust_re[1] > n_re[1]):
        a, b = levels[SINR + d, u, 0], levels[SINR + d, u, 1]
        if would_survive(joint_error(a, b, first, second, robust_re, k_bits, penalty_db), error, draw):
            return _ADAPTATION
    a, b = levels[PLACE + d, u, 0], levels[PLACE + d, u, 1]
    if would_survive(joint_error(a, b, first, second, n_re, k_bits, penalty_db), error, draw):
        return _STALE_BEAM
    return _STATIC_SHADOW


@njit(cache=True, fastmath=False)
def worst_leg(first_loss_db: float, second_loss_db: float, first: int, second: int) -> int:
    """Return the sending leg that bodies cost most; ``first``, ``second`` are the repetitions that each sent."""
    if first == 0:
        return 1
    return 1 if second > 0 and second_loss_db > first_loss_db else 0


@njit(cache=True, fastmath=False)
def video_rate(
    sinr_db: float, mcs: int, efficiency: FloatArray, re_per_symbol: float, block_bits: float, penalty_db: float
) -> tuple[float, float]:
    """Return goodput of one symbol [bit] and residual block error after one chase-combined retransmission."""
    snr = 10.0 ** (0.1 * (sinr_db - penalty_db))
    n_re = block_bits / efficiency[mcs]
    once = block_error_scalar(snr, n_re, block_bits)
    residual = once * block_error_scalar(2.0 * snr, n_re, block_bits)
    return efficiency[mcs] * re_per_symbol * (1.0 - residual) / (1.0 + once), residual


@njit(cache=True, fastmath=False)
def ideal_rate(sinr_db: float, required_db: FloatArray, efficiency: FloatArray, re_per_symbol: float) -> float:
    """Return the bits of a symbol if the MCS had been chosen for this very SINR, 0 below the most robust one."""
    if not sinr_db >= required_db[0]:
        return 0.0
    return float(efficiency[pick_mcs(required_db, sinr_db)]) * re_per_symbol


@njit(cache=True, fastmath=False)
def video_cause(bits: float, queue_i: IntArray, queue_f: FloatArray) -> int:
    """Return why a frame came late: what, had it been otherwise in every tick, would have carried all its bits."""
    sent = bits - queue_f[LEFT]
    if queue_i[BLOCKED] > 0 and sent + queue_f[MISSED] >= bits:
        return _RECOVERY
    if queue_f[CLEAR] >= bits and queue_f[BODY_DB] >= BODY_COUNTS_DB:
        return _BODY
    if queue_f[QUIET] >= bits and queue_f[QUIET] > 1.01 * queue_f[TRUE]:
        return _INTERFERENCE
    if queue_f[TRUE] >= bits:
        return _ADAPTATION
    if queue_f[ALL] >= bits or queue_f[ALL_TOP] < bits:
        return _NO_RESOURCES
    if queue_f[SHADOW] >= bits:
        return _STALE_BEAM
    return _NO_RESOURCES if queue_f[ALL_SHADOW] >= bits else _STATIC_SHADOW


@njit(cache=True, fastmath=False)
def sort_by_deadline(queue_i: IntArray, n_queue: int, streams: IntArray, order: IntArray) -> None:
    """Write the queue's order, earliest deadline first, equal deadlines by arrival in the queue (insertion sort)."""
    for i in range(n_queue):
        due = queue_i[i, ARRIVAL] + streams[T_DEADLINE, queue_i[i, STREAM]]
        j = i
        while j > 0:
            before = order[j - 1]
            if queue_i[before, ARRIVAL] + streams[T_DEADLINE, queue_i[before, STREAM]] <= due:
                break
            order[j] = before
            j -= 1
        order[j] = i


@njit(cache=True, fastmath=False)
def _enqueue(time_us: int, streams: IntArray, queue_i: IntArray, queue_f: FloatArray, n_queue: int) -> int:
    """Append the messages that arrive before a time to the queue; return its new length."""
    for s in range(streams.shape[1]):
        arrival = streams[T_OFFSET, s] + streams[T_NEXT, s] * streams[T_INTERVAL, s]
        while arrival < time_us:
            queue_i[n_queue, :] = 0
            queue_f[n_queue, :] = 0.0
            queue_i[n_queue, STREAM] = s
            queue_i[n_queue, MESSAGE] = streams[T_NEXT, s]
            queue_i[n_queue, ARRIVAL] = arrival
            queue_i[n_queue, OWNER] = -1
            queue_i[n_queue, PART] = -1
            queue_f[n_queue, LEFT] = streams[T_BITS, s]
            n_queue += 1
            streams[T_NEXT, s] += 1
            arrival += streams[T_INTERVAL, s]
    return n_queue


@njit(cache=True, fastmath=False)
def run_tick(
    time_us: int, dt_us: int, seed: int, numbers: FloatArray, streams: IntArray, grid_i: IntArray, grid_f: FloatArray,
    mcs_symbols: IntArray, mcs_required_db: FloatArray, video_required_db: FloatArray, efficiency: FloatArray,
    plan_legs: IntArray, usable_leg: BoolArray, plan_repetitions: IntArray, plan_db: FloatArray,
    levels: FloatArray, whom: IntArray, used: BusyArray, available: IntArray,
    queue_i: IntArray, queue_f: FloatArray, n_queue: int, scratch: IntArray,
    result_i: IntArray, result_f: FloatArray, result_ok: BoolArray, spent: IntArray, load: FloatArray,
) -> tuple[int, int]:  # fmt: skip
    """Handle one tick of one policy; see `radio.delivery.Delivery.deliver`.

    Parameters
    ----------
    numbers : (NUMBERS,), see above.
    mcs_symbols : (C, N, MCS) symbols of a message on each carrier.
    plan_legs, usable_leg, plan_repetitions, plan_db : TRP and beam (2, U, 2), (U, 2), (U,) and SINR (2, U) of the plan.
    levels, whom : true state of its legs.
    used : scratch of busy RF chains. available : (2, T) the symbols of the tick.
    result_i, result_f, result_ok : written, integers (RESULT_INTS, room), floats (RESULT_FLOATS, room) and success (room,).
    spent, load : written, (2, T) symbols spent per direction, and their share of the available ones.

    Returns
    -------
    Number of messages still queued, and of messages that were finished.
    """
    block_bits, penalty_db, margin_db = numbers[BLOCK_BITS], numbers[PENALTY], numbers[VIDEO_MARGIN]
    plan_trp, plan_beam = plan_legs[0], plan_legs[1]
    body_loss_db, owner, part = levels[BODY_LOSS], whom[BY_OWNER], whom[BY_PART]
    order, done, positions = scratch[ORDER], scratch[DONE], scratch[POSITIONS]
    busy = used.reshape(used.size)  # flat, so that the compiler clears it at once
    busy[:] = 0
    spent[:] = 0
    n_result = 0
    n_queue = _enqueue(time_us + dt_us, streams, queue_i, queue_f, n_queue)
    sort_by_deadline(queue_i, n_queue, streams, order)
    done[:n_queue] = 0
    sent, per_leg = np.zeros(2, dtype=np.int64), np.zeros((3, 2))
    ends, n_re, robust_re = per_leg[0], per_leg[1], per_leg[2]
    for video in range(2):  # control first, frames by what is left
        for place in range(n_queue):
            i = order[place]
            s = queue_i[i, STREAM]
            if streams[T_VIDEO, s] != video:
                continue
            u, d = streams[T_UE, s], streams[T_DIRECTION, s]
            k_bits = float(streams[T_CODED, s])
            arrival = queue_i[i, ARRIVAL] - time_us
            draw = uniform(seed, s, queue_i[i, MESSAGE])
            error, latency, cause, leg, mcs = 1.0, -1.0, _NONE, 0, -1
            guilty = False
            leg_usable = False
            last_end = -np.inf  # on the leg that has longest
            for j in range(2):
                t = plan_trp[u, j]
                if t >= 0 and usable_leg[u, j]:
                    if not leg_usable:
                        leg = j
                    leg_usable = True
                    last_end = max(
                        last_end, arrival + streams[T_DEADLINE, s] - grid_f[t, G_AFTER + d] - video * grid_f[t, G_HARQ]
                    )
            home = max(plan_trp[u, leg], 0)
            if not leg_usable or video:  # a frame has one leg
                last_end = arrival + streams[T_DEADLINE, s] - grid_f[home, G_AFTER + d] - video * grid_f[home, G_HARQ]
            last_chance = last_end <= dt_us
            if not leg_usable and last_end > 0.0:
                queue_i[i, BLOCKED] = 1
            reckoned = plan_db[d, u]
            if video == 0:
                mcs = pick_mcs(mcs_required_db[s], reckoned)
                for j in range(2):
                    sent[j] = 0
                    t = plan_trp[u, j]
                    if t < 0 or not usable_leg[u, j]:
                        continue
                    period_us, symbol_us = grid_i[t, G_PERIOD], grid_f[t, G_SYMBOL]
                    first, usable = grid_i[t, G_FIRST + d], grid_i[t, G_USABLE + d]
                    length = mcs_symbols[grid_i[t, G_CARRIER], s, mcs]
                    n_re[j] = min(length * grid_f[t, G_ELEMENTS], k_bits / efficiency[0])
                    start = ordinal_at(arrival + grid_f[t, G_BEFORE + d], period_us, symbol_us, first, usable)
                    row = used[t, d, : usable * (dt_us // period_us)]
                    count, n_positions, end = reserve(
                        row, grid_i[t, G_CHAINS], start, length, plan_repetitions[u],
                        arrival + streams[T_DEADLINE, s] - grid_f[t, G_AFTER + d],
                        period_us, symbol_us, first, usable, positions,
                    )  # fmt: skip
                    if count == 0 or (count < plan_repetitions[u] and not last_chance):
                        continue
                    for n in range(n_positions):
                        row[positions[n]] += 1
                    spent[d, t] += n_positions
                    sent[j] = count
                    ends[j] = end + grid_f[t, G_AFTER + d]
                if sent[0] + sent[1] == 0:
                    if not last_chance:
                        continue
                    cause = _RECOVERY if queue_i[i, BLOCKED] > 0 else _NO_RESOURCES
                    symbols = mcs_symbols[grid_i[home, G_CARRIER], s]
                    shorter = symbols[pick_mcs(mcs_required_db[s], levels[NO_BODY + d, u, leg])] < symbols[mcs]
                    guilty = cause == _RECOVERY or (shorter and body_loss_db[u, leg] >= BODY_COUNTS_DB)
                else:
                    a, b = levels[SINR + d, u, 0], levels[SINR + d, u, 1]
                    error = joint_error(a, b, sent[0], sent[1], n_re, k_bits, penalty_db)
                    # the draw decides leg by leg: the first fails below its own error, both below the product
                    leg = 0 if sent[0] > 0 else 1
                    end = ends[leg]
                    if sent[0] > 0 and sent[1] > 0 and draw < joint_error(a, b, sent[0], 0, n_re, k_bits, penalty_db):
                        end = ends[1]
                    latency = end - arrival
                    if draw < error:
                        best = a if sent[0] > 0 else b
                        if sent[1] > 0 and b > best:
                            best = b
                        robust = pick_mcs(mcs_required_db[s], best)
                        for j in range(2):
                            if sent[j] > 0:
                                t = plan_trp[u, j]
                                symbols_re = mcs_symbols[grid_i[t, G_CARRIER], s, robust] * grid_f[t, G_ELEMENTS]
                                robust_re[j] = min(symbols_re, k_bits / efficiency[0])
                        cause = control_cause(levels, d, u, sent[0], sent[1], n_re, robust_re, k_bits, penalty_db, error, draw)
                        guilty = cause == _BODY
                    if guilty:
                        leg = worst_leg(body_loss_db[u, 0], body_loss_db[u, 1], sent[0], sent[1])
                if guilty:
                    queue_i[i, OWNER] = owner[u, leg]
                    queue_i[i, PART] = part[u, leg]
            else:
                t = plan_trp[u, leg]
                elements, harq_us = grid_f[home, G_ELEMENTS], grid_f[home, G_HARQ]
                period_us, symbol_us = grid_i[home, G_PERIOD], grid_f[home, G_SYMBOL]
                first, usable, chains = grid_i[home, G_FIRST + d], grid_i[home, G_USABLE + d], grid_i[home, G_CHAINS]
                total = usable * (dt_us // period_us)
                true_db, clear_db = levels[SINR + d, u, leg], levels[NO_BODY + d, u, leg]
                quiet_db, place_db = levels[NO_INTERFERENCE + d, u, leg], levels[PLACE + d, u, leg]
                need, limit = total + 1, total
                bits_per_symbol, residual = 0.0, 1.0
                if leg_usable:
                    mcs = pick_mcs(video_required_db, reckoned + margin_db)
                    bits_per_symbol, residual = video_rate(true_db, mcs, efficiency, elements, block_bits, penalty_db)
                    if bits_per_symbol * total >= queue_f[i, LEFT]:
                        need = math.ceil(queue_f[i, LEFT] / bits_per_symbol)
                    if residual > HOPELESS:
                        limit = usable * math.ceil(harq_us / period_us)
                if t >= 0:
                    start = ordinal_at(arrival + grid_f[t, G_BEFORE + d], period_us, symbol_us, first, usable)
                    stop = count_until(min(last_end, float(dt_us)), total, period_us, symbol_us, first, usable)
                    window, offered, taken = max(stop - start, 0), 0, 0
                    row = used[t, d]
                    for q in range(start, stop):
                        if row[q] >= chains:
                            continue
                        offered += 1
                        if leg_usable and taken < limit:
                            row[q] += 1
                            taken += 1
                            if taken >= need:
                                finish = end_of(q, period_us, symbol_us, first, usable)
                                latency = finish + harq_us + grid_f[t, G_AFTER + d] - arrival
                                window = q - start + 1
                                break
                    spent[d, t] += taken
                    queue_f[i, LEFT] -= taken * bits_per_symbol
                    clear_rate = ideal_rate(clear_db, video_required_db, efficiency, elements)
                    true_rate = ideal_rate(true_db, video_required_db, efficiency, elements)
                    place_rate = ideal_rate(place_db, video_required_db, efficiency, elements)
                    if leg_usable:
                        queue_f[i, CLEAR] += offered * clear_rate
                        queue_f[i, QUIET] += offered * ideal_rate(quiet_db, video_required_db, efficiency, elements)
                        queue_f[i, TRUE] += offered * true_rate
                        queue_f[i, SHADOW] += offered * place_rate
                    else:
                        queue_f[i, MISSED] += offered * clear_rate
                    queue_f[i, ALL] += window * true_rate
                    queue_f[i, ALL_SHADOW] += window * place_rate
                    queue_f[i, ALL_TOP] += window * efficiency[efficiency.size - 1] * elements
                    if window > 0 and body_loss_db[u, leg] > queue_f[i, BODY_DB] and owner[u, leg] >= 0:
                        queue_f[i, BODY_DB] = body_loss_db[u, leg]
                        queue_i[i, OWNER] = owner[u, leg]
                        queue_i[i, PART] = part[u, leg]
                if latency >= 0.0:
                    error = residual
                    if draw < residual:
                        clear_residual = video_rate(clear_db, mcs, efficiency, elements, block_bits, penalty_db)[1]
                        quiet_residual = video_rate(quiet_db, mcs, efficiency, elements, block_bits, penalty_db)[1]
                        if would_survive(clear_residual, residual, draw):
                            cause = _BODY
                        elif would_survive(quiet_residual, residual, draw):
                            cause = _INTERFERENCE
                        else:
                            cause = _DECODING if residual < SURVIVES else _ADAPTATION
                elif last_chance:
                    cause = video_cause(float(streams[T_BITS, s]), queue_i[i], queue_f[i])
                else:
                    continue
                guilty = cause == _BODY or cause == _RECOVERY or (cause == _NO_RESOURCES and queue_f[i, ALL] < streams[T_BITS, s])
            ok = latency >= 0.0 and draw >= error
            done[i] = 1
            result_ok[n_result] = ok
            result_i[R_STREAM, n_result] = s
            result_i[R_MESSAGE, n_result] = queue_i[i, MESSAGE]
            result_i[R_TIME, n_result] = queue_i[i, ARRIVAL]
            result_i[R_LATENCY, n_result] = math.ceil(latency) if ok else -1
            result_i[R_CAUSE, n_result] = _NONE if ok else cause
            result_i[R_OWNER, n_result] = queue_i[i, OWNER] if guilty and not ok else -1
            result_i[R_PART, n_result] = queue_i[i, PART] if guilty and not ok else -1
            result_i[R_TRP, n_result] = plan_trp[u, leg]
            result_i[R_BEAM, n_result] = plan_beam[u, leg]
            result_i[R_MCS, n_result] = mcs
            result_f[R_LOSS, n_result] = error
            result_f[R_SINR, n_result] = levels[SINR + d, u, leg]
            result_f[R_PLAN, n_result] = reckoned
            n_result += 1
    kept = 0
    for i in range(n_queue):
        if done[i] == 0:
            if kept != i:
                queue_i[kept, :] = queue_i[i, :]
                queue_f[kept, :] = queue_f[i, :]
            kept += 1
    for d in range(2):
        for t in range(grid_i.shape[0]):
            load[d, t] = spent[d, t] / available[d, t]
    return kept, n_result
