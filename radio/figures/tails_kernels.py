"""Kernels of ``radio.figures.tails``: how far every message was from being lost, and how likely a service is down.

The margin of a message is the argument of the block error ``Q(x)`` of ``reliability``: the SINR above what half of such
messages would need, in standard deviations of the decoder. The margin of a service at a message is the one at which m messages in
a row would be lost as likely as the last m were: ``Q(z)^m = Q(x_1) ... Q(x_m)``, so that the survival-time rule is exact in it.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from radio.messages.delivery_tables import (
    G_CARRIER,
    G_ELEMENTS,
    PENALTY,
    R_LOSS,
    R_MCS,
    R_SINR,
    R_STREAM,
    R_TIME,
    R_TRP,
    T_CODED,
    T_VIDEO,
)
from radio.types import FloatArray, IntArray

CERTAIN = -6.0
"""Margin at and below which a message is taken as lost: Q(-6) = 1 - 1e-9."""
LONGEST_WINDOW = 32
"""Longest run of messages m whose margin is followed; a service that survives longer has none."""
FINEST_LOSS = 1e-290
"""Loss below which a product of probabilities says nothing any more, and the margin comes from the SINR."""

_LOG2_E = 1.0 / math.log(2.0)
_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
WIDEST = 700.0
"""Margin that stands for messages which were not sent yet."""
_COARSER, _FINE = 1.12, 0.5


def _edges() -> FloatArray:
    fine = np.arange(CERTAIN, -CERTAIN + 0.5 * _FINE, _FINE)
    n = math.ceil(math.log(-WIDEST / CERTAIN) / math.log(_COARSER))
    return np.concatenate([fine, fine[-1] * _COARSER ** np.arange(1, n + 1)])


EDGES = _edges()
"""Edges of the bins of margins: half a standard deviation wide where messages can be lost, a share of 12 % beyond."""
BINS = len(EDGES) + 1
"""Bins with those below the first and above the last edge."""
RING_LAST, RING_EQUAL, RING_SEEN, RING_HEAD, RING = range(5)
"""State of a stream's ring: margin of its last message, how many in a row were equal, how many were seen, where the next goes."""


@njit(cache=True, fastmath=False)
def log_q(x: float) -> float:
    """Return ``log Q(x)``, the logarithm of the upper tail of a standard normal variable, to 1e-8."""
    if x < 8.0:
        return math.log(0.5 * math.erfc(x / math.sqrt(2.0)))
    y = 1.0 / (x * x)
    return -0.5 * x * x - math.log(x) - _HALF_LOG_2PI + math.log1p(-y * (1.0 - y * (3.0 - y * (15.0 - 105.0 * y))))


@njit(cache=True, fastmath=False)
def inverse_log_q(level: float) -> float:
    """Return x with ``log Q(x) = level``, no less than ``CERTAIN``."""
    if level > -1e-9:
        return CERTAIN
    x = math.sqrt(-2.0 * level)
    if level > -2.0:
        x = 0.0
    elif x > 2.0:
        x -= (math.log(x) + _HALF_LOG_2PI) / x
    for _ in range(40):
        value = log_q(x)
        # The slope of log Q is the normal hazard, exp(-x^2 / 2 - log sqrt(2 pi) - log Q).
        step = (value - level) * math.exp(min(0.5 * x * x + _HALF_LOG_2PI + value, 700.0))
        step = min(max(step, -1.0), 1.0)
        x = max(x + step, CERTAIN)
        if abs(step) < 1e-10 * (1.0 + abs(x)):
            break
    return x


@njit(cache=True, fastmath=False)
def margin_of(sinr_db: float, n_re: float, k_bits: float, penalty_db: float) -> float:
    """Return the margin of a block: the argument of Q in ``reliability.block_error_scalar``; CERTAIN without a SINR."""
    snr = 10.0 ** (0.1 * (sinr_db - penalty_db))
    dispersion = 1.0 - (1.0 + snr) ** -2
    if not dispersion > 1e-15:
        return CERTAIN
    x = (n_re * math.log1p(snr) * _LOG2_E - k_bits + 0.5 * math.log2(n_re)) / (math.sqrt(n_re * dispersion) * _LOG2_E)
    return max(x, CERTAIN)


@njit(cache=True, fastmath=False)
def bin_of(margin: float) -> int:
    """Return the bin of a margin: 0 up to the first edge, BINS - 1 above the last."""
    fine = round((-2.0 * CERTAIN) / _FINE)
    if margin <= CERTAIN:
        return 0
    if margin <= -CERTAIN:
        return min(1 + math.floor((margin - CERTAIN) / _FINE), fine)
    return min(fine + 1 + int(math.log(margin / -CERTAIN) / math.log(_COARSER)), EDGES.size)


@njit(cache=True, fastmath=False)
def window_margin(margin: float, m: int, ring: FloatArray, state: FloatArray) -> float:
    """Take a stream's next message and return the margin of its last m.

    Parameters
    ----------
    margin : of the message.
    m : see ``radio.messages.reliability.survival_messages``.
    ring : (m or more,) ``log Q`` of the last margins; written.
    state : (RING,) of the ring; written. Messages before the first count as good.

    Returns
    -------
    The margin of the service, the largest number there is while fewer than m messages were seen.
    """
    if m == 1:
        state[RING_LAST] = margin
        return margin
    head, seen = int(state[RING_HEAD]), int(state[RING_SEEN])
    ring[head] = log_q(margin)
    state[RING_HEAD] = (head + 1) % m
    state[RING_SEEN] = min(seen + 1, m)
    state[RING_EQUAL] = state[RING_EQUAL] + 1.0 if seen > 0 and margin == state[RING_LAST] else 1.0
    state[RING_LAST] = margin
    if seen + 1 < m:
        return WIDEST
    if state[RING_EQUAL] >= m:
        return margin
    total = 0.0
    for j in range(m):
        total += ring[j]
    return inverse_log_q(total / m)


@njit(cache=True, fastmath=False)
def add_margins(
    ints: IntArray, floats: FloatArray, n: int, streams: IntArray, numbers: FloatArray, grid_i: IntArray, grid_f: FloatArray,
    mcs_symbols: IntArray, efficiency: FloatArray, second: IntArray, ue: IntArray, service: IntArray, survival: IntArray,
    block_us: IntArray, own_block_us: IntArray, ring: FloatArray, state: FloatArray, margins: IntArray,
) -> None:  # fmt: skip
    """Add a tick's ``n`` messages to the histograms of margins.

    Parameters
    ----------
    ints, floats : of `radio.messages.delivery.Delivered`.
    streams, numbers, grid_i, grid_f, mcs_symbols, efficiency : the delivery's tables.
    second : (U,) TRP of each UE's second leg, -1 for none. ue, service, survival : those of the traffic.
    block_us : (1,) length of a block now [us]. own_block_us : (1,) that of ``margins``; written.
    ring : (N, LONGEST_WINDOW) and state : (N, RING), see ``window_margin``; written.
    margins : (V, blocks, BINS) messages of a service in a block of time by its margin; written.
    """
    while own_block_us[0] < block_us[0]:
        half = margins.shape[1] // 2
        for v in range(margins.shape[0]):
            for b in range(half):
                for k in range(margins.shape[2]):
                    margins[v, b, k] = margins[v, 2 * b, k] + margins[v, 2 * b + 1, k]
        margins[:, half:] = 0
        own_block_us[0] *= 2
    last_s, last_db, last_mcs, last_trp, last_x = -1, 0.0, -2, -2, 0.0
    for r in range(n):
        s = ints[R_STREAM, r]
        m = survival[s]
        if streams[T_VIDEO, s] or m > LONGEST_WINDOW:
            continue
        loss, mcs, trp, sinr_db = floats[R_LOSS, r], ints[R_MCS, r], ints[R_TRP, r], floats[R_SINR, r]
        two = second[ue[s]] >= 0
        if mcs < 0 or trp < 0 or loss >= 1.0:
            x = CERTAIN
        elif loss > FINEST_LOSS:
            x = inverse_log_q(math.log(loss))
        else:
            if s == last_s and sinr_db == last_db and mcs == last_mcs and trp == last_trp:
                x = last_x
            else:
                elements, k_bits = grid_f[trp, G_ELEMENTS], float(streams[T_CODED, s])
                n_re = min(mcs_symbols[grid_i[trp, G_CARRIER], s, mcs] * elements, k_bits / efficiency[0])
                x = margin_of(sinr_db, n_re, k_bits, numbers[PENALTY])
                last_s, last_db, last_mcs, last_trp, last_x = s, sinr_db, mcs, trp, x
            if two:  # both legs together are better than the one that is told
                x = max(x, -6.0 * CERTAIN)
        z = window_margin(x, m, ring[s], state[s])
        margins[service[s], ints[R_TIME, r] // own_block_us[0], bin_of(z)] += 1


@njit(cache=True, fastmath=False)
def add_down(
    ints: IntArray, floats: FloatArray, n: int, wanted: IntArray, survival: IntArray, history: FloatArray, seen: IntArray,
    sums: FloatArray,
) -> None:  # fmt: skip
    """Add the probabilities that a service is down, and goes down, of a tick's ``n`` messages.

    Parameters
    ----------
    ints, floats : of `radio.messages.delivery.Delivered`.
    wanted : (N,) 1 for the streams that count. survival : (N,) their m.
    history : (N, longest m + 1) ring of the last losses, zeros at first, and seen : (N,) messages so far; written.
    sums : (3,) messages, down, entries; written.
    """
    ring = history.shape[1]
    for r in range(n):
        s = ints[R_STREAM, r]
        if wanted[s] == 0:
            continue
        m = survival[s]
        before = history[s, (seen[s] - m) % ring]
        history[s, seen[s] % ring] = floats[R_LOSS, r]
        down = 1.0
        for j in range(m):
            down *= history[s, (seen[s] - j) % ring]
            if down == 0.0:
                break
        seen[s] += 1
        sums[0] += 1.0
        sums[1] += down
        sums[2] += down * (1.0 - before)
