"""Compiled: the symbols that one transmission of a control message gets on its legs.

Here are the waits for occasions, requests and grants, the schemes by which two legs share a message, and the limits of slices.
"""

from __future__ import annotations

import math

from numba import njit

from radio.messages import delivery_tables as tables
from radio.messages.delivery_symbols import end_of, occasion_from, ordinal_at, reserve, start_from, waited_us
from radio.messages.delivery_tables import (
    DEDICATED,
    FDM_A,
    G_AFTER,
    G_BEFORE,
    G_CARRIER,
    G_CHAINS,
    G_FIRST,
    G_PERIOD,
    G_RUN,
    G_SLOTTED,
    G_SYMBOL,
    G_USABLE,
    GUARANTEED,
    MAXIMUM,
    NO_LIMIT,
    TDM_A,
    TDM_SLOTS,
    Books,
    Fixed,
    Orders,
)
from radio.types import FloatArray, IntArray


@njit(cache=True, fastmath=False)
def allowed_symbols(fixed: Fixed, books: Books, s_slice: int, d: int, t: int, guaranteed: bool) -> int:
    """Return how many more symbols of a TRP and direction a slice may spend in this tick.

    Parameters
    ----------
    s_slice : the slice, -1 for traffic in none.
    guaranteed : True while only what a slice is guaranteed is given out; False: what nobody else is dedicated, up to its maximum.
    """
    n_slices = fixed.shares.shape[1]
    if n_slices == 0:
        return NO_LIMIT
    free: int = fixed.available[d, t] - books.spent[d, t]
    for other in range(n_slices):
        if other != s_slice:
            free -= max(fixed.shares[DEDICATED, other, d, t] - books.by_slice[other, d, t], 0)
    if s_slice < 0:
        return free
    kind = GUARANTEED if guaranteed else MAXIMUM
    own: int = fixed.shares[kind, s_slice, d, t] - books.by_slice[s_slice, d, t]
    return min(free, own)


@njit(cache=True, fastmath=False)
def enter(books: Books, qi: IntArray, service: int, s_slice: int, d: int, t: int, n: int) -> None:
    """Enter ``n`` symbols spent for a message into the books."""
    books.spent[d, t] += n
    books.by_service[service, d, t] += n
    if s_slice >= 0:
        books.by_slice[s_slice, d, t] += n
    qi[tables.SPENT] += n


@njit(cache=True, fastmath=False)
def access_from(now_us: int, fixed: Fixed, streams: IntArray, s: int, t: int, d: int, length: int, ready_us: float) -> float:
    """Return when a message that the sender has ready may begin on a TRP [us].

    By occasions where the service has some; by the next scheduling request and its grant where it asks first.
    """
    spacing = streams[tables.T_OCCASION, s]
    grid_i, grid_f = fixed.grid_i, fixed.grid_f
    period_us, symbol_us, slotted = grid_i[t, G_PERIOD], grid_f[t, G_SYMBOL], grid_i[t, G_SLOTTED] > 0
    if streams[tables.T_REQUEST, s] > 0:
        first, usable = grid_i[t, G_FIRST + 1], grid_i[t, G_USABLE + 1]
        if spacing > 0:
            request = occasion_from(now_us, ready_us, spacing, 1, slotted, period_us, symbol_us, first, usable)
        else:
            request = start_from(ready_us, period_us, symbol_us, first, usable)
        grant = start_from(
            request + symbol_us + grid_f[t, tables.G_ASK + 1], period_us, symbol_us, grid_i[t, G_FIRST], grid_i[t, G_USABLE]
        )
        begin: float = grant + symbol_us + grid_f[t, tables.G_AGAIN + 1]
        return begin
    if spacing > 0:
        first, usable = grid_i[t, G_FIRST + d], grid_i[t, G_USABLE + d]
        run = min(length, grid_i[t, G_RUN + d])
        return occasion_from(now_us, ready_us, spacing, run, slotted, period_us, symbol_us, first, usable)
    return ready_us


@njit(cache=True, fastmath=False)
def asked_again(fixed: Fixed, orders: Orders, u: int, d: int, sent: IntArray, ends: FloatArray) -> float:
    """Return when the next transmission may begin, after those whose ``ends`` (with decoding) are known [us].

    Downlink: T_proc,1, a symbol for HARQ-ACK, and the gNB's processing. Uplink: the gNB's, a symbol for the grant, and T_proc,2.
    """
    grid_i, grid_f = fixed.grid_i, fixed.grid_f
    latest = 0.0
    other = 1 - d
    for j in range(2):
        if sent[j] > 0:
            t = orders.legs[0, u, j]
            end = ends[j] - grid_f[t, G_AFTER + d]
            ask = start_from(
                end + grid_f[t, tables.G_ASK + d], grid_i[t, G_PERIOD], grid_f[t, G_SYMBOL], grid_i[t, G_FIRST + other],
                grid_i[t, G_USABLE + other],
            )  # fmt: skip
            latest = max(latest, ask + grid_f[t, G_SYMBOL] + grid_f[t, tables.G_AGAIN + d])
    return latest


@njit(cache=True, fastmath=False)
def _together(
    fixed: Fixed, orders: Orders, books: Books, u: int, d: int, start_a: int, start_b: int, length: int, repetitions: int,
    last_end: float, total: int, scratch: IntArray,
) -> tuple[int, int, int, float, float]:  # fmt: skip
    """Find symbols for both legs at once: the same ones (FDM), or following ones in one slot (TDM in a slot).

    Returns
    -------
    Repetitions found, symbols of the first and of the second leg in the rows of positions, and their ends [us].
    """
    scheme = int(fixed.numbers[tables.SCHEME])
    a, b = orders.legs[0, u, 0], orders.legs[0, u, 1]
    grid_i, grid_f = fixed.grid_i, fixed.grid_f
    period_us, symbol_us = grid_i[a, G_PERIOD], grid_f[a, G_SYMBOL]
    first, usable, longest, slotted = (
        grid_i[a, G_FIRST + d],
        grid_i[a, G_USABLE + d],
        grid_i[a, G_RUN + d],
        grid_i[a, G_SLOTTED] > 0,
    )
    row_a, row_b = books.used[a, d, :total], books.used[b, d, :total]
    chains_a, chains_b = grid_i[a, G_CHAINS], grid_i[b, G_CHAINS]
    positions, others = scratch[tables.POSITIONS], scratch[tables.POSITIONS_B]
    start = max(start_a, start_b)
    if scheme >= FDM_A:
        shared = books.shared[:total]
        for q in range(total):
            shared[q] = 1 if row_a[q] >= chains_a or row_b[q] >= chains_b else 0
        count, n, end = reserve(
            shared, 1, start, length, repetitions, last_end, period_us, symbol_us, first, usable, longest, slotted, positions
        )
        for k in range(n):
            others[k] = positions[k]
        return count, n, n, end, end
    slot_us = 14.0 * symbol_us
    start = start_a
    for _ in range(8):
        count, n, end = reserve(
            row_a, chains_a, start, length, 1, last_end, period_us, symbol_us, first, usable, longest, slotted, positions
        )
        if count == 0:
            return 0, 0, 0, 0.0, 0.0
        follow = max(ordinal_at(end, period_us, symbol_us, first, usable), start_b)
        more, m, last = reserve(
            row_b, chains_b, follow, length, 1, last_end, period_us, symbol_us, first, usable, longest, slotted, others
        )
        if more == 0:
            return 0, 0, 0, 0.0, 0.0
        slot = math.floor((end_of(positions[0], period_us, symbol_us, first, usable) - 0.5 * symbol_us) / slot_us)
        if math.floor((last - 0.5 * symbol_us) / slot_us) == slot:
            return 1, n, m, end, last
        later = math.floor((end_of(others[0], period_us, symbol_us, first, usable) - 0.5 * symbol_us) / slot_us)
        start = max(ordinal_at(max(later, slot + 1) * slot_us, period_us, symbol_us, first, usable), start + 1)
    return 0, 0, 0, 0.0, 0.0


@njit(cache=True, fastmath=False)
def place(
    now_us: int, dt_us: int, guaranteed: bool, initial: bool, taking: bool, second: bool, ready_us: float, deadline: float,
    last_chance: bool, mcs: int, u: int, d: int, fixed: Fixed, streams: IntArray, orders: Orders, books: Books, qi: IntArray,
    scratch: IntArray, sent: IntArray, ends: FloatArray,
) -> None:  # fmt: skip
    """Find the symbols of one transmission with its repetitions on each leg, and take them if ``taking``.

    Parameters
    ----------
    guaranteed : True while only what a slice is guaranteed is given out.
    initial : first transmission of the hop; ``ready_us`` is that of a later one, or of the second hop [us].
    second : both legs are used.
    deadline : time of the latest delivery [us]. last_chance : the tick is the last one that can meet it.
    sent, ends : (2,) written: repetitions, and the end of the last one with decoding [us].
    """
    grid_i, grid_f, trp = fixed.grid_i, fixed.grid_f, orders.legs[0]
    s, scheme = qi[tables.STREAM], int(fixed.numbers[tables.SCHEME])
    service, s_slice = streams[tables.T_SERVICE, s], streams[tables.T_SLICE, s]
    repetitions = max(orders.repetitions[u], streams[tables.T_REPEAT, s])
    begin_us = float(qi[tables.ARRIVAL] - now_us) if qi[tables.HOP] == 0 else ready_us
    joint = second and scheme >= TDM_A
    start_a = 0
    waited = -1.0
    for j in range(2):
        t = trp[u, j]
        if t < 0 or not orders.usable[u, j] or (j == 1 and not second and orders.usable[u, 0] and trp[u, 0] >= 0):
            continue
        period_us, symbol_us = grid_i[t, G_PERIOD], grid_f[t, G_SYMBOL]
        first, usable = grid_i[t, G_FIRST + d], grid_i[t, G_USABLE + d]
        length = fixed.mcs_symbols[grid_i[t, G_CARRIER], s, mcs]
        from_us = ready_us
        if initial:
            from_us = begin_us + grid_f[t, G_BEFORE + d]
            if qi[tables.HOP] == 0 and (streams[tables.T_OCCASION, s] > 0 or streams[tables.T_REQUEST, s] > 0):
                from_us = access_from(now_us, fixed, streams, s, t, d, length, from_us)
        start = ordinal_at(from_us, period_us, symbol_us, first, usable)
        row = books.used[t, d, : usable * (dt_us // period_us)]
        positions = scratch[tables.POSITIONS + j]
        if joint:
            if j == 0:
                start_a = start
                continue
            home = trp[u, 0]
            count, n_a, n_b, end_a, end_b = _together(
                fixed, orders, books, u, d, start_a, start, length, repetitions, deadline - grid_f[t, G_AFTER + d],
                row.size, scratch,
            )  # fmt: skip
            if count == 0 or (scheme >= FDM_A and count < repetitions and not last_chance):
                return
            if n_a > allowed_symbols(fixed, books, s_slice, d, home, guaranteed) or n_b > allowed_symbols(
                fixed, books, s_slice, d, t, guaranteed
            ):  # fmt: skip
                return
            if taking:
                for n in range(n_a):
                    books.used[home, d, scratch[tables.POSITIONS, n]] += 1
                for n in range(n_b):
                    row[positions[n]] += 1
                enter(books, qi, service, s_slice, d, home, n_a)
                enter(books, qi, service, s_slice, d, t, n_b)
                begun = end_of(scratch[tables.POSITIONS, 0], period_us, symbol_us, first, usable) - symbol_us
                run = min(length, grid_i[t, G_RUN + d])
                waited = waited_us(begun, from_us, run, grid_i[t, G_SLOTTED] > 0, period_us, symbol_us, first, usable)
            sent[0], sent[1] = count, count
            ends[0], ends[1] = end_a + grid_f[home, G_AFTER + d], end_b + grid_f[t, G_AFTER + d]
            break
        if j == 1 and sent[0] > 0 and scheme == TDM_SLOTS:
            slot_us = 14.0 * symbol_us
            after_us = math.ceil((ends[0] - grid_f[trp[u, 0], G_AFTER + d]) / slot_us - 1e-9) * slot_us
            start = max(start, ordinal_at(after_us, period_us, symbol_us, first, usable))
        count, n_positions, end = reserve(
            row, grid_i[t, G_CHAINS], start, length, repetitions, deadline - grid_f[t, G_AFTER + d], period_us, symbol_us, first,
            usable, grid_i[t, G_RUN + d], grid_i[t, G_SLOTTED] > 0, positions,
        )  # fmt: skip
        if count == 0 or (count < repetitions and not last_chance):
            continue
        if n_positions > allowed_symbols(fixed, books, s_slice, d, t, guaranteed):
            continue
        if taking:
            for n in range(n_positions):
                row[positions[n]] += 1
            enter(books, qi, service, s_slice, d, t, n_positions)
            if waited < 0.0:
                begun = end_of(positions[0], period_us, symbol_us, first, usable) - symbol_us
                run = min(length, grid_i[t, G_RUN + d])
                waited = waited_us(begun, from_us, run, grid_i[t, G_SLOTTED] > 0, period_us, symbol_us, first, usable)
        sent[j] = count
        ends[j] = end + grid_f[t, G_AFTER + d]
    if initial and waited > 0.0:
        qi[tables.WAIT] += round(waited)
