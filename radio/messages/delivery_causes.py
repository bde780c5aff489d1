"""Compiled: errors of messages over one or two legs, and why a message was lost."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from radio.messages import delivery_tables as tables
from radio.messages.delivery_tables import FDM_A, FDM_B, INDEPENDENT, NO_BODY, NO_INTERFERENCE, PDCP, PLACE, SINR
from radio.messages.reliability import block_error_scalar
from radio.types import FloatArray, IntArray

# A counterfactual that leaves less risk than this would have carried the message.
SURVIVES = 1e-3
# Body loss from which a body can be behind a low MCS [dB].
BODY_COUNTS_DB = 0.5


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
def soft_combined_error(snr_sum: float, count: float, n_re: float, k_bits: float, circular_re: float, grows: bool) -> float:
    """Return the error of one block received ``count`` times, whose linear SNRs add up to ``snr_sum``.

    Chase combining adds the SNRs. Incremental redundancy (``grows``) sends new coded bits until the circular buffer of
    ``circular_re`` resource elements has been sent, and repeats from there on.
    """
    if not grows or count <= 1.0:
        return block_error_scalar(snr_sum, n_re, k_bits)
    sent = n_re * count
    distinct = min(sent, max(n_re, circular_re))
    return block_error_scalar(snr_sum / count * (sent / distinct), distinct, k_bits)


@njit(cache=True, fastmath=False)
def legs_error(
    first_sum: float, second_sum: float, first: int, second: int, n_re: FloatArray, k_bits: float, circular_re: float,
    scheme: int, grows: bool,
) -> float:  # fmt: skip
    """Return the error of a message from what both legs brought.

    Parameters
    ----------
    first_sum, second_sum : linear SNR of each leg, summed over its receptions. first, second : their numbers.
    n_re : (2,) resource elements of one reception on each leg.
    circular_re : resource elements of the circular buffer.
    scheme : how the legs share the message. Codewords of their own: errors multiply. Time division: the receptions of both legs
        are combined. ``fdm_a``: one codeword over two sets of PRBs, so mutual information adds up. ``fdm_b``: two redundancy
        versions over two sets of PRBs, combined.
    grows : combine by incremental redundancy.
    """
    if first > 0 and second > 0 and scheme != INDEPENDENT and scheme != PDCP:
        if scheme == FDM_A or (scheme == FDM_B and grows):
            # mean of log(1 + snr) over both halves
            level = math.sqrt((1.0 + first_sum) * (1.0 + second_sum)) - 1.0
            return block_error_scalar(level, n_re[0] + n_re[1], k_bits)
        if scheme == FDM_B:
            return block_error_scalar(first_sum + second_sum, n_re[0], k_bits)
        if not grows:
            return block_error_scalar(first_sum + second_sum, n_re[0], k_bits)
        count = first + second
        level = math.exp((first * math.log1p(first_sum / first) + second * math.log1p(second_sum / second)) / count) - 1.0
        return soft_combined_error(level * count, float(count), n_re[0], k_bits, circular_re, True)
    error = 1.0
    if first > 0:
        error *= soft_combined_error(first_sum, float(first), n_re[0], k_bits, circular_re, grows)
    if second > 0:
        error *= soft_combined_error(second_sum, float(second), n_re[1], k_bits, circular_re, grows)
    return error


@njit(cache=True, fastmath=False)
def error_at(
    first_db: float, second_db: float, first: int, second: int, n_re: FloatArray, k_bits: float, circular_re: float,
    numbers: FloatArray,
) -> float:  # fmt: skip
    """Return `legs_error` had every reception of a leg met one SINR [dB]."""
    first_sum, second_sum = 0.0, 0.0
    if first > 0:
        first_sum = 10.0 ** (0.1 * (first_db - numbers[tables.PENALTY])) * first
    if second > 0:
        second_sum = 10.0 ** (0.1 * (second_db - numbers[tables.PENALTY])) * second
    scheme, grows = int(numbers[tables.SCHEME]), numbers[tables.REDUNDANCY_GROWS] > 0.0
    return legs_error(first_sum, second_sum, first, second, n_re, k_bits, circular_re, scheme, grows)


@njit(cache=True, fastmath=False)
def would_survive(error: float, actual: float, draw: float) -> bool:
    """Return whether a message lost at risk ``actual`` would have arrived at risk ``error``, by its draw or by design."""
    return draw >= error or (error < SURVIVES and 10.0 * error <= actual)


@njit(cache=True, fastmath=False)
def control_cause(
    levels: FloatArray, d: int, u: int, first: int, second: int, n_re: FloatArray, robust_re: FloatArray, k_bits: float,
    circular_re: float, numbers: FloatArray, error: float, draw: float,
) -> int:  # fmt: skip
    """Return why a message that was sent was not decoded: the first rung of the ladder that would have carried it.

    ``levels`` (LEVELS, U, 2) hold the SINRs of the ladder, ``robust_re`` (2,) the resource elements that an MCS chosen for
    the true SINR would have taken on each leg.
    """
    a, b = levels[NO_BODY + d, u, 0], levels[NO_BODY + d, u, 1]
    if would_survive(error_at(a, b, first, second, n_re, k_bits, circular_re, numbers), error, draw):
        return tables.BODY
    a, b = levels[NO_INTERFERENCE + d, u, 0], levels[NO_INTERFERENCE + d, u, 1]
    if would_survive(error_at(a, b, first, second, n_re, k_bits, circular_re, numbers), error, draw):
        return tables.INTERFERENCE
    if error < SURVIVES:
        return tables.DECODING
    if (first > 0 and robust_re[0] > n_re[0]) or (second > 0 and robust_re[1] > n_re[1]):
        a, b = levels[SINR + d, u, 0], levels[SINR + d, u, 1]
        if would_survive(error_at(a, b, first, second, robust_re, k_bits, circular_re, numbers), error, draw):
            return tables.ADAPTATION
    a, b = levels[PLACE + d, u, 0], levels[PLACE + d, u, 1]
    if would_survive(error_at(a, b, first, second, n_re, k_bits, circular_re, numbers), error, draw):
        return tables.STALE_BEAM
    return tables.STATIC_SHADOW


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
    sent = bits - queue_f[tables.LEFT]
    if queue_i[tables.BLOCKED] > 0 and sent + queue_f[tables.MISSED] >= bits:
        return tables.RECOVERY
    if queue_f[tables.CLEAR] >= bits and queue_f[tables.BODY_DB] >= BODY_COUNTS_DB:
        return tables.BODY
    if queue_f[tables.QUIET] >= bits and queue_f[tables.QUIET] > 1.01 * queue_f[tables.TRUE]:
        return tables.INTERFERENCE
    if queue_f[tables.TRUE] >= bits:
        return tables.ADAPTATION
    if queue_f[tables.ALL] >= bits or queue_f[tables.ALL_TOP] < bits:
        return tables.NO_RESOURCES
    if queue_f[tables.SHADOW] >= bits:
        return tables.STALE_BEAM
    return tables.NO_RESOURCES if queue_f[tables.ALL_SHADOW] >= bits else tables.STATIC_SHADOW
