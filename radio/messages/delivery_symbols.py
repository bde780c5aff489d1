"""Compiled arithmetic of TDD symbols: when the data symbols of a TRP are, and which are free.

Times are microseconds from the start of the tick. An *ordinal* counts the data symbols of one direction of one TRP from there. A
row of ``used`` holds, per ordinal, how many of the TRP's RF chains are busy.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from numba import njit

from radio.types import IntArray

BusyArray: TypeAlias = npt.NDArray[np.int16]  # cleared every tick, so small


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
def start_from(time_us: float, period_us: int, symbol_us: float, first: int, usable: int) -> float:
    """Return when the first data symbol at or after a time begins, which may lie before the tick [us]."""
    period = math.floor(time_us / period_us)
    inside = math.ceil((time_us - period * period_us) / symbol_us - 1e-9)
    if inside >= first + usable:
        return (period + 1) * period_us + first * symbol_us
    return period * period_us + max(inside, first) * symbol_us


@njit(cache=True, fastmath=False)
def run_from(time_us: float, length: int, slotted: bool, period_us: int, symbol_us: float, first: int, usable: int) -> float:
    """Return when the first run of ``length`` data symbols at or after a time begins, within a slot if ``slotted`` [us]."""
    start = start_from(time_us, period_us, symbol_us, first, usable)
    for _ in range(2 * (first + usable)):
        symbol = round((start - math.floor(start / period_us + 1e-12) * period_us) / symbol_us)
        if symbol + length <= first + usable and (not slotted or symbol % 14 + length <= 14):
            return start
        start = start_from(start + 0.5 * symbol_us, period_us, symbol_us, first, usable)
    return start


@njit(cache=True, fastmath=False)
def waited_us(
    begun_us: float, ready_us: float, length: int, slotted: bool, period_us: int, symbol_us: float, first: int, usable: int
) -> float:
    """Return how long after the first run of symbols that it could have had a transmission began, 0 for none [us]."""
    if begun_us <= start_from(ready_us, period_us, symbol_us, first, usable) + 1e-6 * symbol_us:
        return 0.0
    return max(begun_us - run_from(ready_us, length, slotted, period_us, symbol_us, first, usable), 0.0)


@njit(cache=True, fastmath=False)
def occasion_from(
    now_us: int, ready_us: float, spacing_us: int, length: int, slotted: bool, period_us: int, symbol_us: float, first: int,
    usable: int,
) -> float:  # fmt: skip
    """Return when a transmission that is bound to occasions may begin, at or after ``ready_us`` [us].

    An occasion is the first run of symbols from a multiple of ``spacing_us`` on, counted from the start of the run, of which the
    tick begins at ``now_us``.
    """
    n = math.floor((now_us + ready_us) / spacing_us)
    start = run_from(n * spacing_us - now_us, length, slotted, period_us, symbol_us, first, usable)
    if start >= ready_us - 1e-6 * symbol_us:
        return start
    return run_from((n + 1) * spacing_us - now_us, length, slotted, period_us, symbol_us, first, usable)


@njit(cache=True, fastmath=False)
def count_until(last_end: float, total: int, period_us: int, symbol_us: float, first: int, usable: int) -> int:
    """Return how many of ``total`` data symbols have been sent by a time."""
    # start a little behind where the time points to, so that `end_of` alone decides
    count = min(max(ordinal_at(last_end - 2.0 * symbol_us, period_us, symbol_us, first, usable) - 1, 0), total)
    while count < total and end_of(count, period_us, symbol_us, first, usable) <= last_end:
        count += 1
    return count


@njit(cache=True, fastmath=False)
def reserve(
    used: BusyArray, chains: int, start: int, length: int, repetitions: int, last_end: float,
    period_us: int, symbol_us: float, first: int, usable: int, longest: int, slotted: bool, positions: IntArray,
) -> tuple[int, int, float]:  # fmt: skip
    """Find the earliest symbols for a message's repetitions, without taking them.

    A repetition of up to ``longest`` symbols is contiguous inside a TDD period, and within a slot if ``slotted``; a longer one
    takes the free symbols as they come.

    Returns
    -------
    Repetitions that end by ``last_end`` within the tick, symbols written to ``positions``, end of the last one [us].
    """
    total = used.size
    contiguous = length <= longest
    q, count, end = start, 0, 0.0
    for repetition in range(repetitions):
        begin = count
        if contiguous:
            run = 0
            while q < total and run < length:
                if used[q] >= chains:
                    run = 0
                elif run > 0 and (q % usable == 0 or (slotted and (first + q % usable) % 14 == 0)):
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
