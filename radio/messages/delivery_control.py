"""Compiled: what becomes of one control message in a tick, over its transmissions, legs and hops."""

from __future__ import annotations

import numpy as np
from numba import njit

from radio.messages import delivery_tables as tables
from radio.messages.delivery_causes import BODY_COUNTS_DB, control_cause, error_at, legs_error, pick_mcs, uniform, worst_leg
from radio.messages.delivery_places import asked_again, place
from radio.messages.delivery_tables import (
    DECIDED,
    FDM_A,
    G_AFTER,
    G_BEFORE,
    G_CARRIER,
    G_ELEMENTS,
    G_SYMBOL,
    KEPT,
    SINR,
    Books,
    Fixed,
    Orders,
)
from radio.types import FloatArray, IntArray


@njit(cache=True, fastmath=False)
def _elements(
    fixed: Fixed, orders: Orders, s: int, u: int, home: int, mcs: int, k_bits: float, halves: bool, n_re: FloatArray
) -> None:
    """Write the resource elements of one reception on each leg; half of the PRBs each if ``halves``."""
    share = 0.5 if halves else 1.0
    for j in range(2):
        t = orders.legs[0, u, j]
        if t < 0:
            t = home
        length = fixed.mcs_symbols[fixed.grid_i[t, G_CARRIER], s, mcs]
        n_re[j] = share * min(length * fixed.grid_f[t, G_ELEMENTS], k_bits / fixed.efficiency[0])


@njit(cache=True, fastmath=False)
def _second_leg(fixed: Fixed, orders: Orders, u: int) -> bool:
    """Return whether both legs of a device can carry one message together."""
    first, second = orders.legs[0, u, 0], orders.legs[0, u, 1]
    if first < 0 or second < 0 or not orders.usable[u, 0] or not orders.usable[u, 1]:
        return False
    scheme = int(fixed.numbers[tables.SCHEME])
    same = fixed.grid_i[first, G_CARRIER] == fixed.grid_i[second, G_CARRIER]
    if scheme == tables.INDEPENDENT:
        return True
    if scheme == tables.PDCP:
        return not same
    return same and (first != second or scheme < FDM_A)


@njit(cache=True, fastmath=False)
def send_hop(
    now_us: int, dt_us: int, guaranteed: bool, fixed: Fixed, streams: IntArray, orders: Orders, levels: FloatArray,
    whom: IntArray, books: Books, qi: IntArray, qf: FloatArray, scratch: IntArray, sent: IntArray, per_leg: FloatArray,
    out_i: IntArray, out_f: FloatArray,
) -> int:  # fmt: skip
    """Send a control message over its present hop as far as the tick lets it.

    A transmission that failed by the message's draw is followed by the next one, if there is time; of a message that arrived,
    those that would have followed count for its loss probability, but take no symbols.

    Parameters
    ----------
    now_us, dt_us : the tick [us].
    guaranteed : True while only what a slice is guaranteed is given out.
    qi, qf : the message's row of the queue, brought up to date.
    scratch, sent, per_leg : scratch, see `radio.messages.delivery_kernel.run_tick`.
    out_i, out_f : written where the hop is decided; a latency of -1 for a loss.

    Returns
    -------
    KEPT or DECIDED.
    """
    ends, n_re, robust_re = per_leg[0], per_leg[1], per_leg[2]
    numbers, grid_i, grid_f, trp = fixed.numbers, fixed.grid_i, fixed.grid_f, orders.legs[0]
    s, hop = qi[tables.STREAM], qi[tables.HOP]
    u, d = streams[tables.T_UE, s], streams[tables.T_DIRECTION, s]
    if hop > 0:
        u, d = streams[tables.T_PEER, s], 0
    k_bits = float(streams[tables.T_CODED, s])
    arrival = qi[tables.ARRIVAL] - now_us
    deadline = arrival + streams[tables.T_DEADLINE, s]
    relayed = hop == 0 and streams[tables.T_PEER, s] >= 0
    draw = uniform(fixed.seed, s + hop * tables.SECOND_HOP, qi[tables.MESSAGE])

    leg, leg_usable, last_end = 0, False, -np.inf  # the end on the leg that has longest
    for j in range(2):
        t = trp[u, j]
        if t >= 0 and orders.usable[u, j]:
            if not leg_usable:
                leg = j
            leg_usable = True
            last_end = max(last_end, deadline - grid_f[t, G_AFTER + d])
    home = max(trp[u, leg], 0)
    if not leg_usable:
        last_end = deadline - grid_f[home, G_AFTER + d]
    # the second hop takes this at least: preparing, two symbols, decoding
    tail_us = grid_f[home, G_BEFORE] + 2.0 * grid_f[home, G_SYMBOL] + grid_f[home, G_AFTER] if relayed else 0.0
    last_end -= tail_us
    last_chance = last_end <= dt_us
    if not leg_usable and last_end > 0.0:
        qi[tables.BLOCKED] = 1

    tries, most = qi[tables.TRIES], streams[tables.T_TRIES, s]
    reckoned = orders.sinr_db[d, u]
    mcs = qi[tables.MCS] if tries > 0 else pick_mcs(fixed.required_db[s], reckoned)
    second = _second_leg(fixed, orders, u)
    scheme, grows = int(numbers[tables.SCHEME]), numbers[tables.REDUNDANCY_GROWS] > 0.0
    _elements(fixed, orders, s, u, home, mcs, k_bits, second and scheme >= FDM_A, n_re)
    circular_re = k_bits * fixed.circular[mcs]
    a_db, b_db = levels[SINR + d, u, 0], levels[SINR + d, u, 1]
    count_a, count_b, sum_a, sum_b = qi[tables.COUNT_A], qi[tables.COUNT_B], qf[tables.SUM_A], qf[tables.SUM_B]
    error = qf[tables.ERROR] if tries > 0 else 1.0
    ready_us = qf[tables.READY] - now_us  # of a retransmission or of the second hop
    latency, arrived, attempt = -1.0, False, tries
    carrying = 0 if count_a > 0 else 1
    while attempt < most:
        for j in range(2):
            sent[j] = 0
        place(
            now_us, dt_us, guaranteed, attempt == 0, not arrived, second, ready_us, deadline - tail_us, last_chance, mcs, u, d,
            fixed, streams, orders, books, qi, scratch, sent, ends,
        )  # fmt: skip
        if sent[0] + sent[1] == 0:
            break
        heard_sum, heard_count = sum_b, count_b  # of the second leg so far
        if sent[0] > 0:
            sum_a += 10.0 ** (0.1 * (a_db - numbers[tables.PENALTY])) * sent[0]
            count_a += sent[0]
        if sent[1] > 0:
            sum_b += 10.0 ** (0.1 * (b_db - numbers[tables.PENALTY])) * sent[1]
            count_b += sent[1]
        error = legs_error(sum_a, sum_b, count_a, count_b, n_re, k_bits, circular_re, scheme, grows)
        attempt += 1
        if attempt < most:
            ready_us = asked_again(fixed, orders, u, d, sent, ends)
        if not arrived:
            tries = attempt
            carrying = 0 if sent[0] > 0 else 1
            arrived = draw >= error
            if arrived:
                # decoded from the first leg alone, if that was enough
                end = ends[0] if sent[0] > 0 else ends[1]
                if sent[0] > 0 and sent[1] > 0 and scheme < FDM_A and draw < legs_error(
                    sum_a, heard_sum, count_a, heard_count, n_re, k_bits, circular_re, scheme, grows
                ):  # fmt: skip
                    end = ends[1]
                latency = end - arrival
    if arrived and attempt < most and not last_chance:
        # beyond this tick the next transmission is taken to find symbols, over the legs as they are
        length_us = fixed.mcs_symbols[grid_i[home, G_CARRIER], s, mcs] * grid_f[home, G_SYMBOL]
        turn_us = grid_f[home, tables.G_ASK + d] + grid_f[home, tables.G_AGAIN + d] + 2.0 * grid_f[home, G_SYMBOL]
        gain_a, gain_b = sum_a / attempt, sum_b / attempt
        each_a, each_b = count_a // attempt, count_b // attempt
        while attempt < most and ready_us + length_us <= last_end:
            sum_a, sum_b, count_a, count_b = sum_a + gain_a, sum_b + gain_b, count_a + each_a, count_b + each_b
            error = legs_error(sum_a, sum_b, count_a, count_b, n_re, k_bits, circular_re, scheme, grows)
            ready_us += length_us + turn_us
            attempt += 1

    cause, guilty = tables.NONE, False
    if not arrived:
        if tries < most and (guaranteed or not last_chance):
            qi[tables.TRIES], qi[tables.MCS], qi[tables.COUNT_A], qi[tables.COUNT_B] = tries, mcs, count_a, count_b
            qf[tables.ERROR], qf[tables.SUM_A], qf[tables.SUM_B] = error, sum_a, sum_b
            if tries > 0:
                qf[tables.READY] = ready_us + now_us
            return KEPT
        if tries == 0:
            cause = tables.RECOVERY if qi[tables.BLOCKED] > 0 else tables.NO_RESOURCES
            symbols = fixed.mcs_symbols[grid_i[home, G_CARRIER], s]
            shorter = symbols[pick_mcs(fixed.required_db[s], levels[tables.NO_BODY + d, u, leg])] < symbols[mcs]
            guilty = cause == tables.RECOVERY or (shorter and levels[tables.BODY_LOSS, u, leg] >= BODY_COUNTS_DB)
        else:
            best = a_db if count_a > 0 else b_db
            if count_b > 0 and b_db > best:
                best = b_db
            robust = pick_mcs(fixed.required_db[s], best)
            _elements(fixed, orders, s, u, home, robust, k_bits, second and scheme >= FDM_A, robust_re)
            cause = control_cause(levels, d, u, count_a, count_b, n_re, robust_re, k_bits, circular_re, numbers, error, draw)
            guilty = cause == tables.BODY
    if tries > 0:
        leg = carrying
    if guilty:
        if tries > 0:
            leg = worst_leg(levels[tables.BODY_LOSS, u, 0], levels[tables.BODY_LOSS, u, 1], count_a, count_b)
        qi[tables.OWNER] = whom[tables.BY_OWNER, u, leg]
        qi[tables.PART] = whom[tables.BY_PART, u, leg]
    qi[tables.TRIES] = tries
    out_i[tables.O_CAUSE], out_i[tables.O_LEG], out_i[tables.O_MCS], out_i[tables.O_GUILTY] = cause, leg, mcs, guilty
    out_i[tables.O_UE], out_i[tables.O_DIRECTION] = u, d
    out_f[tables.O_LOSS], out_f[tables.O_LATENCY], out_f[tables.O_PLAN] = error, latency, reckoned
    return DECIDED


@njit(cache=True, fastmath=False)
def _second_hop_loss(fixed: Fixed, streams: IntArray, orders: Orders, levels: FloatArray, s: int, n_re: FloatArray) -> float:
    """Return the loss probability that the second hop of a message would have had now, with symbols enough."""
    u = streams[tables.T_PEER, s]
    second = _second_leg(fixed, orders, u)
    first = 1 if orders.legs[0, u, 0] >= 0 and orders.usable[u, 0] else 0
    other = 1 if orders.legs[0, u, 1] >= 0 and orders.usable[u, 1] and (second or first == 0) else 0
    if first + other == 0:
        return 1.0
    repeated = max(orders.repetitions[u], streams[tables.T_REPEAT, s])
    mcs = pick_mcs(fixed.required_db[s], orders.sinr_db[0, u])
    k_bits = float(streams[tables.T_CODED, s])
    home = max(orders.legs[0, u, 0 if first else 1], 0)
    halves = second and int(fixed.numbers[tables.SCHEME]) >= FDM_A
    _elements(fixed, orders, s, u, home, mcs, k_bits, halves, n_re)
    a_db, b_db = levels[SINR, u, 0], levels[SINR, u, 1]
    return error_at(a_db, b_db, first * repeated, other * repeated, n_re, k_bits, k_bits * fixed.circular[mcs], fixed.numbers)


@njit(cache=True, fastmath=False)
def send_control(
    now_us: int, dt_us: int, guaranteed: bool, fixed: Fixed, streams: IntArray, orders: Orders, levels: FloatArray,
    whom: IntArray, books: Books, qi: IntArray, qf: FloatArray, scratch: IntArray, sent: IntArray, per_leg: FloatArray,
    out_i: IntArray, out_f: FloatArray,
) -> int:  # fmt: skip
    """Send a control message, over both hops where it goes from device to device; parameters as `send_hop`.

    Both hops have draws of their own, and the loss is 1 - (1 - p_ul)(1 - p_dl). Where the first hop is lost, the second is
    reckoned with the legs as they are.
    """
    while True:
        status = send_hop(
            now_us, dt_us, guaranteed, fixed, streams, orders, levels, whom, books, qi, qf, scratch, sent, per_leg, out_i, out_f
        )
        s = qi[tables.STREAM]
        if status == KEPT or streams[tables.T_PEER, s] < 0:
            return status
        loss, latency = out_f[tables.O_LOSS], out_f[tables.O_LATENCY]
        if qi[tables.HOP] > 0:
            out_f[tables.O_LOSS] = 1.0 - (1.0 - qf[tables.FIRST_LOSS]) * (1.0 - loss)
            return DECIDED
        if latency < 0.0:
            out_f[tables.O_LOSS] = 1.0 - (1.0 - loss) * (
                1.0 - _second_hop_loss(fixed, streams, orders, levels, s, per_leg[1])
            )  # fmt: skip
            return DECIDED
        qi[tables.HOP], qi[tables.BLOCKED] = 1, 0
        for column in (tables.TRIES, tables.COUNT_A, tables.COUNT_B):
            qi[column] = 0
        for column in (tables.ERROR, tables.SUM_A, tables.SUM_B):
            qf[column] = 0.0
        qf[tables.FIRST_LOSS] = loss
        qf[tables.READY] = qi[tables.ARRIVAL] + latency
        if qf[tables.READY] >= now_us + dt_us:
            return KEPT
