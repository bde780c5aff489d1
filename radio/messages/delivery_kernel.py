"""Compiled inside of `radio.messages.delivery`: symbols handed out one tick at a time, and what became of every message.

Times are microseconds from the start of the tick; `delivery_symbols` counts symbols and finds free ones. Every TRP has the
symbols of its own carrier. A message is handled in `radio.messages.delivery_control` or `radio.messages.delivery_video`.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from radio.messages import delivery_tables as tables
from radio.messages.delivery_causes import uniform
from radio.messages.delivery_control import send_control
from radio.messages.delivery_plain import send_plain
from radio.messages.delivery_tables import (
    ARRIVAL,
    BEAM,
    BLAMED,
    CAUSE,
    ERROR,
    KEPT,
    LATENCY,
    LEFT,
    MCS,
    MESSAGE,
    MET,
    OUTCOME,
    OWNER,
    PART,
    R_BEAM,
    R_CAUSE,
    R_LATENCY,
    R_LOSS,
    R_MCS,
    R_MESSAGE,
    R_OWNER,
    R_PART,
    R_PLAN,
    R_SINR,
    R_SPENT,
    R_STREAM,
    R_TIME,
    R_TRIES,
    R_TRP,
    R_WAIT,
    RECKONED,
    SINR,
    STREAM,
    T_ARRIVAL,
    T_DEADLINE,
    T_INTERVAL,
    T_JITTER,
    T_NEXT,
    T_OFFSET,
    T_POISSON,
    T_VIDEO,
    TRP,
    Books,
    Fixed,
    Orders,
)
from radio.messages.delivery_video import send_video
from radio.types import BoolArray, FloatArray, IntArray


@njit(cache=True, fastmath=False)
def sort_queue(queue_i: IntArray, n_queue: int, streams: IntArray, by_deadline: bool, order: IntArray) -> None:
    """Write the queue's order, earliest deadline or earliest arrival first, equals as they are in the queue (insertion sort)."""
    for i in range(n_queue):
        due = queue_i[i, ARRIVAL]
        if by_deadline:
            due += streams[T_DEADLINE, queue_i[i, STREAM]]
        j = i
        while j > 0:
            before = order[j - 1]
            other = queue_i[before, ARRIVAL]
            if by_deadline:
                other += streams[T_DEADLINE, queue_i[before, STREAM]]
            if other <= due:
                break
            order[j] = before
            j -= 1
        order[j] = i


@njit(cache=True, fastmath=False)
def next_arrival(seed: int, streams: IntArray, s: int, last_us: int) -> int:
    """Return when the message that comes next in a stream arrives, of which the one before arrived at ``last_us`` [us].

    Periodic streams: a transfer interval apart, each within the jitter of its instant, not before 0. Events: a Poisson process,
    so exponential gaps with that mean. Numbered draws, so that policies that are compared meet the same messages.
    """
    if streams[T_POISSON, s] > 0:
        gap_us = -math.log1p(-uniform(seed, s + tables.GAP, streams[T_NEXT, s])) * streams[T_INTERVAL, s]
        return last_us + max(int(gap_us), 1)
    arrival: int = streams[T_OFFSET, s] + streams[T_NEXT, s] * streams[T_INTERVAL, s]
    if streams[T_JITTER, s] > 0:
        draw = uniform(seed, s + tables.JITTER, streams[T_NEXT, s])
        arrival = max(arrival + math.floor((2.0 * draw - 1.0) * streams[T_JITTER, s] + 0.5), 0)
    return arrival


@njit(cache=True, fastmath=False)
def _enqueue(seed: int, time_us: int, streams: IntArray, queue_i: IntArray, queue_f: FloatArray, n_queue: int) -> int:
    """Append the messages that arrive before a time to the queue; return its new length.

    Events that the queue has no room for come with the next tick; it has room for ten standard deviations more than expected.
    """
    room = queue_i.shape[0]
    for s in range(streams.shape[1]):
        arrival = streams[T_ARRIVAL, s]
        while arrival < time_us and n_queue < room:
            queue_i[n_queue, :] = 0
            queue_f[n_queue, :] = 0.0
            queue_i[n_queue, STREAM] = s
            queue_i[n_queue, MESSAGE] = streams[T_NEXT, s]
            queue_i[n_queue, ARRIVAL] = arrival
            queue_i[n_queue, OWNER] = -1
            queue_i[n_queue, PART] = -1
            queue_f[n_queue, LEFT] = streams[tables.T_BITS, s]
            n_queue += 1
            streams[T_NEXT, s] += 1
            arrival = next_arrival(seed, streams, s, arrival)
        streams[T_ARRIVAL, s] = arrival
    return n_queue


@njit(cache=True, fastmath=False)
def _results(
    streams: IntArray, queue_i: IntArray, queue_f: FloatArray, n_queue: int, kinds: int, scratch: IntArray,
    result_i: IntArray, result_f: FloatArray, result_ok: BoolArray,
) -> int:  # fmt: skip
    """Write the results of the messages that are decided, each stream's in order; mark them as done; return their number."""
    order, done, waiting = scratch[tables.ORDER], scratch[tables.DONE], scratch[tables.WAITING]
    waiting[: streams.shape[1]] = 0
    n = 0
    for kind in range(kinds):
        for place in range(n_queue):
            i = order[place]
            s = queue_i[i, STREAM]
            if kinds > 1 and streams[T_VIDEO, s] != kind:
                continue
            if queue_i[i, OUTCOME] == 0:
                waiting[s] = 1
            if waiting[s] > 0:
                continue
            done[i] = 1
            ok = queue_f[i, LATENCY] >= 0.0
            blamed = queue_i[i, BLAMED] > 0 and not ok
            result_ok[n] = ok
            result_i[R_STREAM, n] = s
            result_i[R_MESSAGE, n] = queue_i[i, MESSAGE]
            result_i[R_TIME, n] = queue_i[i, ARRIVAL]
            result_i[R_LATENCY, n] = math.ceil(queue_f[i, LATENCY]) if ok else -1
            result_i[R_CAUSE, n] = tables.NONE if ok else queue_i[i, CAUSE]
            result_i[R_OWNER, n] = queue_i[i, OWNER] if blamed else -1
            result_i[R_PART, n] = queue_i[i, PART] if blamed else -1
            result_i[R_TRP, n] = queue_i[i, TRP]
            result_i[R_BEAM, n] = queue_i[i, BEAM]
            result_i[R_MCS, n] = queue_i[i, MCS]
            result_i[R_SPENT, n] = queue_i[i, tables.SPENT]
            result_i[R_WAIT, n] = queue_i[i, tables.WAIT]
            result_i[R_TRIES, n] = queue_i[i, tables.TRIES]
            result_f[R_LOSS, n] = queue_f[i, ERROR]
            result_f[R_SINR, n] = queue_f[i, MET]
            result_f[R_PLAN, n] = queue_f[i, RECKONED]
            n += 1
    return n


@njit(cache=True, fastmath=False)
def run_tick(
    time_us: int, dt_us: int, fixed: Fixed, streams: IntArray, orders: Orders, levels: FloatArray, whom: IntArray, books: Books,
    queue_i: IntArray, queue_f: FloatArray, n_queue: int, scratch: IntArray,
    result_i: IntArray, result_f: FloatArray, result_ok: BoolArray, load: FloatArray,
) -> tuple[int, int]:  # fmt: skip
    """Handle one tick of one policy; see `radio.messages.delivery.Delivery.deliver`.

    Parameters
    ----------
    time_us, dt_us : start and length of the tick [us].
    fixed, orders, books : see `radio.messages.delivery_tables`; the books are written.
    streams : (STREAM_ROWS, N), of which what comes next is brought up to date.
    levels, whom : true state of the plan's legs.
    queue_i, queue_f : (room, QUEUE_INTS), (room, QUEUE_FLOATS) with ``n_queue`` messages. scratch : (SCRATCH, room or symbols).
    result_i, result_f, result_ok : written, integers (RESULT_INTS, room), floats (RESULT_FLOATS, room) and success (room,).
    load : written, (2, T) share of the available symbols that were spent.

    Returns
    -------
    Number of messages still queued, and of messages that were finished.
    """
    order, done = scratch[tables.ORDER], scratch[tables.DONE]
    busy = books.used.reshape(books.used.size)  # flat, so that the compiler clears it at once
    busy[:] = 0
    books.spent[:] = 0
    books.by_service[:] = 0
    books.by_slice[:] = 0
    n_queue = _enqueue(fixed.seed, time_us + dt_us, streams, queue_i, queue_f, n_queue)
    scheduler = int(fixed.numbers[tables.SCHEDULER])
    sort_queue(queue_i, n_queue, streams, scheduler != tables.FIRST_COME, order)
    done[:n_queue] = 0
    sent, per_leg = np.zeros(2, dtype=np.int64), np.zeros((3, 2))
    out_i, out_f = np.zeros(tables.OUT_INTS, dtype=np.int64), np.zeros(tables.OUT_FLOATS)
    ends, n_re, robust_re = per_leg[0], per_leg[1], per_leg[2]
    numbers, grid_i, grid_f, mcs_symbols = fixed.numbers, fixed.grid_i, fixed.grid_f, fixed.mcs_symbols
    required_db, efficiency, circular = fixed.required_db, fixed.efficiency, fixed.circular
    trp, beam, usable_leg, repetitions, sinr_db = (
        orders.legs[0], orders.legs[1], orders.usable, orders.repetitions, orders.sinr_db,
    )  # fmt: skip
    used, spent, by_service, positions = books.used, books.spent, books.by_service, scratch[tables.POSITIONS]
    video_required_db = fixed.video_required_db
    sliced = fixed.shares.shape[1] > 0
    plain = numbers[tables.SCHEME] == tables.INDEPENDENT and not sliced
    control_first = scheduler == tables.CONTROL_FIRST
    # what slices are guaranteed is given out ahead of the rest; each time control first, and frames get what is left
    guarantees, kinds = 2 if sliced else 1, 2 if control_first else 1
    for phase in range(guarantees * kinds):
        guaranteed = guarantees == 2 and phase < kinds
        kind = phase % kinds
        for place in range(n_queue):
            i = order[place]
            s = queue_i[i, STREAM]
            video = streams[T_VIDEO, s]
            if (control_first and video != kind) or queue_i[i, OUTCOME] > 0 or (guaranteed and streams[tables.T_SLICE, s] < 0):
                continue
            if video == 0 and plain and streams[tables.T_PLAIN, s] > 0:
                status = send_plain(
                    time_us, dt_us, fixed.seed, i, numbers, streams, grid_i, grid_f, mcs_symbols, required_db, efficiency,
                    circular, trp, usable_leg, repetitions, sinr_db, levels, whom, used, spent, by_service, queue_i, positions,
                    sent, ends, n_re, robust_re, out_i, out_f,
                )  # fmt: skip
            elif video == 0:
                status = send_control(
                    time_us, dt_us, guaranteed, fixed, streams, orders, levels, whom, books, queue_i[i], queue_f[i], scratch,
                    sent, per_leg, out_i, out_f,
                )  # fmt: skip
            else:
                status = send_video(
                    time_us, dt_us, guaranteed, sliced, i, fixed, books, numbers, streams, grid_i, grid_f, video_required_db,
                    efficiency, trp, usable_leg, sinr_db, levels, whom, used, spent, by_service, queue_i, queue_f, out_i, out_f,
                )  # fmt: skip
            if status == KEPT:
                continue
            leg, u, d = out_i[tables.O_LEG], out_i[tables.O_UE], out_i[tables.O_DIRECTION]
            queue_i[i, OUTCOME], queue_i[i, CAUSE] = 1, out_i[tables.O_CAUSE]
            queue_i[i, MCS], queue_i[i, BLAMED] = out_i[tables.O_MCS], out_i[tables.O_GUILTY]
            queue_i[i, TRP], queue_i[i, BEAM] = trp[u, leg], beam[u, leg]
            queue_f[i, ERROR], queue_f[i, LATENCY] = out_f[tables.O_LOSS], out_f[tables.O_LATENCY]
            queue_f[i, RECKONED], queue_f[i, MET] = out_f[tables.O_PLAN], levels[SINR + d, u, leg]
    n_result = _results(streams, queue_i, queue_f, n_queue, kinds, scratch, result_i, result_f, result_ok)
    kept = 0
    for i in range(n_queue):
        if done[i] == 0:
            if kept != i:
                queue_i[kept, :] = queue_i[i, :]
                queue_f[kept, :] = queue_f[i, :]
            kept += 1
    for d in range(2):
        for t in range(fixed.grid_i.shape[0]):
            load[d, t] = books.spent[d, t] / fixed.available[d, t]
    return kept, n_result
