"""Compiled inside of `radio.delivery`: symbols handed out one tick at a time, and what became of every message.

Times are microseconds from the start of the tick. An *ordinal* counts the data symbols of one direction from there. A row of
``used`` holds, per ordinal, how many of a TRP's RF chains are busy.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from numba import njit

from radio.reliability import block_error_scalar
from radio.types import BoolArray, FloatArray, IntArray

BusyArray: TypeAlias = npt.NDArray[np.int16]  # cleared every tick, so small

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
# Columns of the results.
(R_STREAM, R_MESSAGE, R_TIME, R_OK, R_LATENCY, R_CAUSE, R_OWNER, R_PART, R_TRP, R_BEAM, R_MCS, RESULT_INTS) = range(12)
R_LOSS, R_SINR, R_PLAN, RESULT_FLOATS = range(4)
# Rows of the stream table.
(T_UE, T_DIRECTION, T_INTERVAL, T_OFFSET, T_DEADLINE, T_BITS, T_VIDEO, STREAM_ROWS) = range(8)


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
def ordinal_at(time_us: float, period_us: int, symbol_us: float, first: int, usable: int) -> int:
    """Return the first data symbol that starts at or after a time."""
    if time_us <= 0.0:
        return 0
    period = int(time_us // period_us)
    inside = math.ceil((time_us - period * period_us) / symbol_us - 1e-9) - first
    if inside >= usable:
        return (period + 1) * usable
    return period * usable + max(inside, 0)


@njit(cache=True, fastmath=False)
def end_of(ordinal: int, period_us: int, symbol_us: float, first: int, usable: int) -> float:
    """Return when a data symbol has been sent [us]."""
    return (ordinal // usable) * period_us + (first + ordinal % usable + 1) * symbol_us


@njit(cache=True, fastmath=False)
def reserve(
    used: BusyArray, chains: int, start: int, length: int, repetitions: int, last_end: float,
    period_us: int, symbol_us: float, first: int, usable: int, positions: IntArray,
) -> tuple[int, int, float]:  # fmt: skip
    """Find the earliest symbols for a message's repetitions, without taking them.

    A repetition of up to a slot is contiguous inside a TDD period; a longer one takes the free symbols as they come.

    Returns
    -------
    Repetitions that end by ``last_end`` within the tick, symbols written to ``positions``, end of the last one [us].
    """
    total = used.size
    contiguous = length <= min(14, usable)
    q, count, end = start, 0, 0.0
    for repetition in range(repetitions):
        begin = count
        if contiguous:
            run = 0
            while q < total and run < length:
                if used[q] >= chains:
                    run = 0
                elif run > 0 and q % usable == 0:
                    run = 1
                else:
                    run += 1
                q += 1
            if run == length:
                for j in range(length):
                    positions[count + j] = q - length + j
                count += length
        else:
            while q < total and count - begin < length:
                if used[q] < chains:
                    positions[count] = q
                    count += 1
                q += 1
        if count - begin < length:
            return repetition, begin, end
        finish = end_of(q - 1, period_us, symbol_us, first, usable)
        if finish > last_end:
            return repetition, begin, end
        end = finish
    return repetitions, count, end


@njit(cache=True, fastmath=False)
def pick_mcs(required_db: FloatArray, sinr_db: float) -> int:
    """Return the highest MCS whose required SINR is met, 0 if none is."""
    for mcs in range(required_db.size - 1, 0, -1):
        if required_db[mcs] <= sinr_db:
            return mcs
    return 0


@njit(cache=True, fastmath=False)
def joint_error(sinr_db: FloatArray, repetitions: IntArray, n_re: float, k_bits: float, penalty_db: float) -> float:
    """Return the error of both legs together: chase combining within a leg, a product over the legs that sent."""
    error = 1.0
    for leg in range(2):
        if repetitions[leg] > 0:
            error *= block_error_scalar(10.0 ** (0.1 * (sinr_db[leg] - penalty_db)) * repetitions[leg], n_re, k_bits)
    return error


@njit(cache=True, fastmath=False)
def would_survive(error: float, actual: float, draw: float) -> bool:
    """Return whether a message lost at risk ``actual`` would have arrived at risk ``error``, by its draw or by design."""
    return draw >= error or (error < SURVIVES and 10.0 * error <= actual)


@njit(cache=True, fastmath=False)
def control_cause(
    u: int, d: int, repetitions: IntArray, n_re: float, k_bits: float, penalty_db: float, error: float, draw: float,
    robust_re: float, sinr: tuple[FloatArray, ...], clear: tuple[FloatArray, ...], quiet: tuple[FloatArray, ...],
    shadow: tuple[FloatArray, ...],
) -> int:  # fmt: skip
    """Return why a message that was sent was not decoded: the first rung of the ladder that would have carried it."""
    if would_survive(joint_error(clear[d][u], repetitions, n_re, k_bits, penalty_db), error, draw):
        return _BODY
    if would_survive(joint_error(quiet[d][u], repetitions, n_re, k_bits, penalty_db), error, draw):
        return _INTERFERENCE
    if error < SURVIVES:
        return _DECODING
    if robust_re > n_re and would_survive(joint_error(sinr[d][u], repetitions, robust_re, k_bits, penalty_db), error, draw):
        return _ADAPTATION
    if would_survive(joint_error(shadow[d][u], repetitions, n_re, k_bits, penalty_db), error, draw):
        return _STALE_BEAM
    return _STATIC_SHADOW


@njit(cache=True, fastmath=False)
def worst_leg(body_loss_db: FloatArray, repetitions: IntArray) -> int:
    """Return the sending leg that bodies cost most."""
    if repetitions[0] == 0:
        return 1
    if repetitions[1] > 0 and body_loss_db[1] > body_loss_db[0]:
        return 1
    return 0


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
def run_tick(
    time_us: int, dt_us: int, seed: int, streams: IntArray, next_message: IntArray,
    plan_trp: IntArray, plan_beam: IntArray, usable_leg: BoolArray, plan_repetitions: IntArray,
    plan_dl: FloatArray, plan_ul: FloatArray, sinr_dl: FloatArray, sinr_ul: FloatArray,
    clear_dl: FloatArray, clear_ul: FloatArray, quiet_dl: FloatArray, quiet_ul: FloatArray,
    shadow_dl: FloatArray, shadow_ul: FloatArray,
    body_loss_db: FloatArray, owner: IntArray, part: IntArray,
    k_bits: IntArray, mcs_symbols: IntArray, mcs_required_db: FloatArray, video_required_db: FloatArray,
    efficiency: FloatArray, block_bits: float, re_per_symbol: float, penalty_db: float, margin_db: float,
    chains: IntArray, period_us: int, symbol_us: float, first: IntArray, usable: IntArray,
    before_us: FloatArray, after_us: FloatArray, harq_us: float,
    used: BusyArray, queue_i: IntArray, queue_f: FloatArray, n_queue: int, order: IntArray, done: IntArray,
    positions: IntArray, result_i: IntArray, result_f: FloatArray,
) -> tuple[int, int, IntArray]:  # fmt: skip
    """Handle one tick; see `radio.delivery.Delivery.deliver`.

    Returns
    -------
    Number of finished messages in ``result_*``, number still queued, symbols spent (2, T) per direction.
    """
    # Both directions side by side; numba types loose arrays far faster than tuples of them.
    plan_sinr, sinr, clear = (plan_dl, plan_ul), (sinr_dl, sinr_ul), (clear_dl, clear_ul)
    quiet, shadow = (quiet_dl, quiet_ul), (shadow_dl, shadow_ul)
    used[:] = 0
    spent = np.zeros((2, chains.size), dtype=np.int64)
    n_result = 0
    for s in range(streams.shape[1]):
        arrival = streams[T_OFFSET, s] + next_message[s] * streams[T_INTERVAL, s]
        while arrival < time_us + dt_us:
            queue_i[n_queue, :] = 0
            queue_f[n_queue, :] = 0.0
            queue_i[n_queue, STREAM] = s
            queue_i[n_queue, MESSAGE] = next_message[s]
            queue_i[n_queue, ARRIVAL] = arrival
            queue_i[n_queue, OWNER] = -1
            queue_i[n_queue, PART] = -1
            queue_f[n_queue, LEFT] = streams[T_BITS, s]
            n_queue += 1
            next_message[s] += 1
            arrival += streams[T_INTERVAL, s]
    sort_by_deadline(queue_i, n_queue, streams, order)
    done[:n_queue] = 0
    sent = np.zeros(2, dtype=np.int64)
    ends = np.zeros(2)
    for video in range(2):  # control first, frames by what is left
        for place in range(n_queue):
            i = order[place]
            s = queue_i[i, STREAM]
            if streams[T_VIDEO, s] != video:
                continue
            u, d = streams[T_UE, s], streams[T_DIRECTION, s]
            arrival = queue_i[i, ARRIVAL] - time_us
            last_end = arrival + streams[T_DEADLINE, s] - after_us[d] - video * harq_us
            start = ordinal_at(arrival + before_us[d], period_us, symbol_us, first[d], usable[d])
            total = usable[d] * (dt_us // period_us)
            last_chance = last_end <= dt_us
            draw = uniform(seed, s, queue_i[i, MESSAGE])
            error, latency, cause, leg, mcs = 1.0, -1.0, _NONE, 0, -1
            guilty = False
            leg_usable = False
            for j in range(2):
                if plan_trp[u, j] >= 0 and usable_leg[u, j]:
                    if not leg_usable:
                        leg = j
                    leg_usable = True
            if not leg_usable and last_end > 0.0:
                queue_i[i, BLOCKED] = 1
            reckoned = plan_sinr[d][u]
            if video == 0:
                mcs = pick_mcs(mcs_required_db[s], reckoned)
                length = mcs_symbols[s, mcs]
                n_re = min(length * re_per_symbol, k_bits[s] / efficiency[0])
                for j in range(2):
                    sent[j] = 0
                    t = plan_trp[u, j]
                    if t < 0 or not usable_leg[u, j]:
                        continue
                    row = used[t, d, :total]
                    count, n_positions, end = reserve(
                        row, chains[t], start, length, plan_repetitions[u], last_end,
                        period_us, symbol_us, first[d], usable[d], positions,
                    )  # fmt: skip
                    if count == 0 or (count < plan_repetitions[u] and not last_chance):
                        continue
                    for n in range(n_positions):
                        row[positions[n]] += 1
                    spent[d, t] += n_positions
                    sent[j] = count
                    ends[j] = end
                if sent[0] + sent[1] == 0:
                    if not last_chance:
                        continue
                    cause = _RECOVERY if queue_i[i, BLOCKED] > 0 else _NO_RESOURCES
                    shorter = mcs_symbols[s, pick_mcs(mcs_required_db[s], clear[d][u, leg])] < length
                    guilty = cause == _RECOVERY or (shorter and body_loss_db[u, leg] >= BODY_COUNTS_DB)
                else:
                    error = joint_error(sinr[d][u], sent, n_re, k_bits[s], penalty_db)
                    # the draw decides leg by leg: the first fails below its own error, both below the product
                    leg = 0 if sent[0] > 0 else 1
                    end = ends[leg]
                    if sent[0] > 0 and sent[1] > 0:
                        sent_second = sent[1]
                        sent[1] = 0
                        if draw < joint_error(sinr[d][u], sent, n_re, k_bits[s], penalty_db):
                            end = ends[1]
                        sent[1] = sent_second
                    latency = end + after_us[d] - arrival
                    if draw < error:
                        best = sinr[d][u, 0] if sent[0] > 0 else sinr[d][u, 1]
                        if sent[1] > 0 and sinr[d][u, 1] > best:
                            best = sinr[d][u, 1]
                        robust = mcs_symbols[s, pick_mcs(mcs_required_db[s], best)]
                        robust_re = min(robust * re_per_symbol, k_bits[s] / efficiency[0])
                        cause = control_cause(
                            u, d, sent, n_re, k_bits[s], penalty_db, error, draw, robust_re, sinr, clear, quiet, shadow
                        )
                        guilty = cause == _BODY
                    if sent[0] + sent[1] > 0 and guilty:
                        leg = worst_leg(body_loss_db[u], sent)
                if guilty:
                    queue_i[i, OWNER] = owner[u, leg]
                    queue_i[i, PART] = part[u, leg]
            else:
                t = plan_trp[u, leg]
                window_end = min(last_end, float(dt_us))
                need, limit = total + 1, total
                bits_per_symbol, residual = 0.0, 1.0
                if leg_usable:
                    mcs = pick_mcs(video_required_db, reckoned + margin_db)
                    bits_per_symbol, residual = video_rate(
                        sinr[d][u, leg], mcs, efficiency, re_per_symbol, block_bits, penalty_db
                    )
                    if bits_per_symbol * total >= queue_f[i, LEFT]:
                        need = math.ceil(queue_f[i, LEFT] / bits_per_symbol)
                    if residual > HOPELESS:
                        limit = usable[d] * math.ceil(harq_us / period_us)
                window, offered, taken = 0, 0, 0
                if t >= 0:
                    for q in range(start, total):
                        finish = end_of(q, period_us, symbol_us, first[d], usable[d])
                        if finish > window_end:
                            break
                        window += 1
                        if used[t, d, q] >= chains[t]:
                            continue
                        offered += 1
                        if leg_usable and taken < limit:
                            used[t, d, q] += 1
                            spent[d, t] += 1
                            taken += 1
                            if taken >= need:
                                latency = finish + harq_us + after_us[d] - arrival
                                break
                    queue_f[i, LEFT] -= taken * bits_per_symbol
                    clear_rate = ideal_rate(clear[d][u, leg], video_required_db, efficiency, re_per_symbol)
                    true_rate = ideal_rate(sinr[d][u, leg], video_required_db, efficiency, re_per_symbol)
                    quiet_rate = ideal_rate(quiet[d][u, leg], video_required_db, efficiency, re_per_symbol)
                    shadow_rate = ideal_rate(shadow[d][u, leg], video_required_db, efficiency, re_per_symbol)
                    if leg_usable:
                        queue_f[i, CLEAR] += offered * clear_rate
                        queue_f[i, QUIET] += offered * quiet_rate
                        queue_f[i, TRUE] += offered * true_rate
                        queue_f[i, SHADOW] += offered * shadow_rate
                    else:
                        queue_f[i, MISSED] += offered * clear_rate
                    queue_f[i, ALL] += window * true_rate
                    queue_f[i, ALL_SHADOW] += window * shadow_rate
                    queue_f[i, ALL_TOP] += window * efficiency[efficiency.size - 1] * re_per_symbol
                    if window > 0 and body_loss_db[u, leg] > queue_f[i, BODY_DB] and owner[u, leg] >= 0:
                        queue_f[i, BODY_DB] = body_loss_db[u, leg]
                        queue_i[i, OWNER] = owner[u, leg]
                        queue_i[i, PART] = part[u, leg]
                if latency >= 0.0:
                    error = residual
                    if draw < residual:
                        clear_residual = video_rate(clear[d][u, leg], mcs, efficiency, re_per_symbol, block_bits, penalty_db)[1]
                        quiet_residual = video_rate(quiet[d][u, leg], mcs, efficiency, re_per_symbol, block_bits, penalty_db)[1]
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
            result_i[n_result, R_STREAM] = s
            result_i[n_result, R_MESSAGE] = queue_i[i, MESSAGE]
            result_i[n_result, R_TIME] = queue_i[i, ARRIVAL]
            result_i[n_result, R_OK] = 1 if ok else 0
            result_i[n_result, R_LATENCY] = math.ceil(latency) if ok else -1
            result_i[n_result, R_CAUSE] = _NONE if ok else cause
            result_i[n_result, R_OWNER] = queue_i[i, OWNER] if guilty and not ok else -1
            result_i[n_result, R_PART] = queue_i[i, PART] if guilty and not ok else -1
            result_i[n_result, R_TRP] = plan_trp[u, leg]
            result_i[n_result, R_BEAM] = plan_beam[u, leg]
            result_i[n_result, R_MCS] = mcs
            result_f[n_result, R_LOSS] = error
            result_f[n_result, R_SINR] = sinr[d][u, leg]
            result_f[n_result, R_PLAN] = reckoned
            n_result += 1
    kept = 0
    for i in range(n_queue):
        if done[i] == 0:
            if kept != i:
                queue_i[kept, :] = queue_i[i, :]
                queue_f[kept, :] = queue_f[i, :]
            kept += 1
    return n_result, kept, spent
