"""From SINR to block error, and from lost messages to a service that is down.

Block error is the normal approximation of Polyanskiy, Poor and Verdu (IEEE Trans. Inf. Theory 56(5), 2010) for the complex
AWGN channel, with a named implementation gap. Survival-time mathematics follow TS 22.104 C.3.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from scipy.stats import norm

from radio.types import BoolArray, FloatArray

_LOG2_E = 1.0 / math.log(2.0)

NO_FAILURE_SEEN = -math.log(0.05)
"""One-sided 95 % bound on the number of failures to expect where none was seen."""
FEWEST_FAILURES = 0.1
"""A mean time between failures is told only where this many are expected in the observed time: up to ten times that time. Beyond,
what decides are states of the hall that a run as short as this need not have met."""
SMALLEST_RATE = 1e-12
"""Failures per message below which loss probabilities say nothing: a receiver's error floor, and losses that come together."""


@njit(cache=True, fastmath=False)
def block_error_scalar(snr: float, n_re: float, k_bits: float) -> float:
    """Block error ratio at a linear SNR; the kernel behind `block_error`.

    eps = Q((n C - k + 0.5 log2 n) / (sqrt(n V) log2 e)), C = log2(1 + g), V = 1 - (1 + g)^-2.
    """
    numerator = n_re * math.log1p(snr) * _LOG2_E - k_bits + 0.5 * math.log2(n_re)
    dispersion = 1.0 - (1.0 + snr) ** -2
    if not dispersion > 1e-15:
        return 1.0 if numerator < 0.0 or math.isnan(snr) else 0.0
    return 0.5 * math.erfc(numerator / (math.sqrt(2.0 * n_re * dispersion) * _LOG2_E))


@njit(cache=True, fastmath=False)
def _block_error(sinr_db: FloatArray, n_re: FloatArray, k_bits: FloatArray) -> FloatArray:
    out = np.empty(sinr_db.size)
    for i in range(sinr_db.size):
        out[i] = block_error_scalar(10.0 ** (0.1 * sinr_db[i]), n_re[i], k_bits[i])
    return out


@njit(cache=True, fastmath=False)
def _required_sinr_db(n_re: FloatArray, k_bits: FloatArray, target: FloatArray) -> FloatArray:
    out = np.empty(n_re.size)
    for i in range(n_re.size):
        low, high = -60.0, 80.0
        for _ in range(60):
            middle = 0.5 * (low + high)
            if block_error_scalar(10.0 ** (0.1 * middle), n_re[i], k_bits[i]) > target[i]:
                low = middle
            else:
                high = middle
        out[i] = 0.5 * (low + high)
    return out


def _broadcast(*values: FloatArray | float) -> tuple[tuple[int, ...], list[FloatArray]]:
    arrays = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in values))
    return arrays[0].shape, [np.ascontiguousarray(a).ravel() for a in arrays]


def block_error(sinr_db: FloatArray | float, n_re: FloatArray | float, k_bits: FloatArray | float) -> FloatArray:
    """Block error ratio by the normal approximation.

    Parameters
    ----------
    sinr_db : SINR after any implementation gap, see `effective_sinr_db` [dB].
    n_re : resource elements the block is spread over (complex channel uses).
    k_bits : information bits with CRC. The three broadcast against one another.

    Returns
    -------
    Probability that the block is not decoded, of the broadcast shape. NaN SINR gives 1.
    """
    shape, columns = _broadcast(sinr_db, n_re, k_bits)
    return np.asarray(_block_error(*columns), dtype=np.float64).reshape(shape)


def block_error_oracle(sinr_db: FloatArray | float, n_re: FloatArray | float, k_bits: FloatArray | float) -> FloatArray:
    """Compute `block_error` in plain NumPy and SciPy, the reference for its kernel."""
    g = 10.0 ** (np.asarray(sinr_db, dtype=np.float64) / 10.0)
    n = np.asarray(n_re, dtype=np.float64)
    bits = n * np.log2(1.0 + g) - k_bits + 0.5 * np.log2(n)
    spread = np.sqrt(n * (1.0 - (1.0 + g) ** -2)) * np.log2(np.e)
    return np.asarray(norm.sf(bits / spread), dtype=np.float64)


def required_sinr_db(n_re: FloatArray | float, k_bits: FloatArray | float, target: FloatArray | float) -> FloatArray:
    """SINR at which `block_error` equals a target, by bisection between -60 and 80 dB [dB].

    Parameters
    ----------
    n_re, k_bits : as in `block_error`.
    target : block error ratio, 0 < target < 1.

    Raises
    ------
    ValueError
        If a target is not strictly between 0 and 1.
    """
    wanted = np.asarray(target, dtype=np.float64)
    if not np.all((wanted > 0.0) & (wanted < 1.0)):
        raise ValueError(f"target {target} is no block error ratio; use a value between 0 and 1, for example 1e-5")
    shape, columns = _broadcast(n_re, k_bits, wanted)
    return np.asarray(_required_sinr_db(*columns), dtype=np.float64).reshape(shape)


def effective_sinr_db(sinr_db: FloatArray | float, implementation_gap_db: float, channel_estimation_loss_db: float) -> FloatArray:
    """SINR that enters the normal approximation: the channel's less what a real receiver loses [dB]."""
    return np.asarray(sinr_db, dtype=np.float64) - implementation_gap_db - channel_estimation_loss_db


def survival_messages(survival_time_us: int, transfer_interval_us: int) -> int:
    """Return m, the consecutive bad messages after which the service is down: floor(T_survival / T_interval) + 1."""
    if transfer_interval_us <= 0 or survival_time_us < 0:
        raise ValueError(
            f"survival_time_us {survival_time_us} and transfer_interval_us {transfer_interval_us}: "
            "the interval must be above 0 and the survival time not below 0"
        )
    return survival_time_us // transfer_interval_us + 1


def service_down(ok: BoolArray, m: int) -> BoolArray:
    """Apply the exact survival-time rule: down from the m-th consecutive bad message until the next good one.

    Parameters
    ----------
    ok : (N,) whether each message of one stream arrived correct and in time, in order.
    m : see `survival_messages`.

    Returns
    -------
    (N,) whether the service is down from this message until the next.
    """
    _check_m(m)
    good = np.flatnonzero(np.concatenate(([True], np.asarray(ok, dtype=np.bool_))))
    position = np.arange(len(ok)) + 1
    last_good = good[np.searchsorted(good, position, side="right") - 1]
    return np.asarray(position - last_good >= m, dtype=np.bool_)


def service_down_probability(loss: FloatArray, m: int) -> tuple[FloatArray, FloatArray]:
    """Probability that the service is down, or enters down, at each message, given independent conditional losses.

    Given the channel, messages are lost independently, so the service is down after message i with the product of the last m
    loss probabilities, and goes down there if the message before those m was good as well. Messages before the first count
    as good.

    Parameters
    ----------
    loss : (N,) conditional loss probability of each message of one stream, in order.
    m : see `survival_messages`.

    Returns
    -------
    down, entry : (N,) each.
    """
    _check_m(m)
    padded = np.concatenate((np.zeros(m), np.asarray(loss, dtype=np.float64)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, m + 1)
    down = np.prod(windows[:, 1:], axis=1)
    return down, down * (1.0 - windows[:, 0])


def iid_unavailability(loss: float, m: int) -> float:
    """Unavailability where messages are lost independently with one probability: p^m."""
    _check_m(m)
    return float(loss**m)


def iid_mtbf_s(loss: float, m: int, transfer_interval_us: int) -> float:
    """Mean time between two entries into the down state for independent losses: T / (p^m (1 - p)) [s]."""
    _check_m(m)
    if not 0.0 < loss < 1.0:
        raise ValueError(f"loss {loss} gives no finite time between failures; use a value between 0 and 1")
    return float(transfer_interval_us * 1e-6 / (loss**m * (1.0 - loss)))


def mtbf_figure(interval_s: float, messages: float, rate: float, low: float, high: float) -> dict[str, float | None]:
    """Mean time between failures and its 95 % interval [s], as far as the observed time and the loss probabilities carry it.

    Parameters
    ----------
    interval_s : transfer interval [s].
    messages : messages observed, of all devices.
    rate, low, high : failures per message by their loss probabilities, and the ends of their 95 % interval.

    Returns
    -------
    dict
        ``value``: None where fewer than ``FEWEST_FAILURES`` are expected in the observed time. ``low``: never above a value, and
        without one no more than what no failure in the observed time proves, observed time / 2.996. ``high``: longest time that
        the risk in this run allows, None where that is below ``SMALLEST_RATE``.
    """
    known = rate * messages >= FEWEST_FAILURES
    most = high if known else max(high, rate + NO_FAILURE_SEEN / messages)
    return {
        "value": interval_s / rate if known else None,
        "low": interval_s / most,
        "high": interval_s / low if low >= SMALLEST_RATE else None,
    }


def markov_unavailability(bad: float, bad_after_bad: float, m: int) -> float:
    """Unavailability of a two-state Markov channel: P(bad) P(bad | bad)^(m - 1)."""
    _check_m(m)
    return float(bad * bad_after_bad ** (m - 1))


def _check_m(m: int) -> None:
    if m < 1:
        raise ValueError(f"m {m} must be at least 1: with no survival time the first bad message takes the service down")
