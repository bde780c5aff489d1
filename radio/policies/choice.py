"""One option per device at the least symbols and risk, within every resource: a multiple-choice knapsack, greedily.

`radio.policies.milp` solves the same problem exactly, which takes too long for a network that runs.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from radio.types import BoolArray, FloatArray, IntArray

_ROUNDS = 60
_EQUAL = 1e-9


def worth(
    cost: FloatArray, risk: FloatArray, target: FloatArray, decade: FloatArray, allowed: BoolArray,
    price: FloatArray | float = 1.0,
) -> FloatArray:  # fmt: skip
    """Return what every option costs, penalty on risk above the target included (U, O).

    Parameters
    ----------
    cost : (U, O, R) symbols per second of each resource.
    risk : (U, O) of a message.
    target, decade : (U,) risk wanted, and symbols per second that a tenth of it may take where it is not reached.
    allowed : (U, O) options that there are; the others cost infinity.
    price : (R,) of a symbol of each resource.
    """
    decades = np.maximum(np.log10(risk / target[:, None]), 0.0)
    total = (cost * price).sum(axis=2) + decade[:, None] * decades
    return np.asarray(np.where(allowed, total, np.inf), dtype=np.float64)


@njit(cache=True, fastmath=False)
def excess(used: FloatArray, limit: FloatArray) -> float:
    """Return by how much resources (R,) are overspent, as shares of their limits added up."""
    total = 0.0
    for r in range(limit.size):
        if used[r] > limit[r]:
            total += (used[r] - limit[r]) / max(limit[r], _EQUAL)
    return total


@njit(cache=True, fastmath=False)
def _excess_after(used: FloatArray, limit: FloatArray, old: FloatArray, new: FloatArray) -> float:
    total = 0.0
    for r in range(limit.size):
        after = used[r] - old[r] + new[r]
        if after > limit[r] * (1.0 + _EQUAL):
            total += (after - limit[r]) / max(limit[r], _EQUAL)
    return total


@njit(cache=True, fastmath=False)
def _move(u: int, o: int, choice: IntArray, cost: FloatArray, used: FloatArray) -> None:
    for r in range(used.size):
        used[r] += cost[u, o, r] - cost[u, choice[u], r]
    choice[u] = o


@njit(cache=True, fastmath=False)
def _relieve(choice: IntArray, cost: FloatArray, value: FloatArray, limit: FloatArray, used: FloatArray) -> None:
    """Move devices to options that relieve overspent resources, the least loss per relief first."""
    n_ue, n_option = value.shape
    while True:
        over = excess(used, limit)
        if over <= _EQUAL:
            return
        best_u, best_o, best_rate = -1, -1, np.inf
        for u in range(n_ue):
            for o in range(n_option):
                if o == choice[u] or not np.isfinite(value[u, o]):
                    continue
                relief = over - _excess_after(used, limit, cost[u, choice[u]], cost[u, o])
                if relief > _EQUAL:
                    rate = (value[u, o] - value[u, choice[u]]) / relief
                    if rate < best_rate:
                        best_u, best_o, best_rate = u, o, rate
        if best_u < 0:
            return
        _move(best_u, best_o, choice, cost, used)


@njit(cache=True, fastmath=False)
def _improve(choice: IntArray, cost: FloatArray, value: FloatArray, limit: FloatArray, used: FloatArray) -> None:
    """Exchange options, of one device or of two at once, as long as that is worth it and overspends nothing more."""
    n_ue, n_option = value.shape
    between = np.empty(used.size)
    for _ in range(_ROUNDS):
        over = excess(used, limit)
        best, u1, o1, u2, o2 = -_EQUAL, -1, -1, -1, -1
        for u in range(n_ue):
            for o in range(n_option):
                if o == choice[u] or not np.isfinite(value[u, o]):
                    continue
                gained = value[u, o] - value[u, choice[u]]
                if gained < best and _excess_after(used, limit, cost[u, choice[u]], cost[u, o]) <= over:
                    best, u1, o1, u2, o2 = gained, u, o, -1, -1
                for r in range(used.size):
                    between[r] = used[r] - cost[u, choice[u], r] + cost[u, o, r]
                for v in range(u + 1, n_ue):
                    for p in range(n_option):
                        if p == choice[v] or not np.isfinite(value[v, p]):
                            continue
                        both = gained + value[v, p] - value[v, choice[v]]
                        if both < best and _excess_after(between, limit, cost[v, choice[v]], cost[v, p]) <= over:
                            best, u1, o1, u2, o2 = both, u, o, v, p
        if u1 < 0:
            return
        _move(u1, o1, choice, cost, used)
        if u2 >= 0:
            _move(u2, o2, choice, cost, used)


@njit(cache=True, fastmath=False)
def choose(cost: FloatArray, value: FloatArray, limit: FloatArray) -> IntArray:
    """Choose one option per device (U,).

    Parameters
    ----------
    cost : (U, O, R) symbols per second of each resource.
    value : (U, O) what an option costs, see `worth`; infinity where there is none. Every device has one.
    limit : (R,) symbols per second that there are.

    Notes
    -----
    Where the best option of everybody fits, that is the optimum. Otherwise two ways are gone and the better end is taken: down
    from the best options, by the least loss per relief, and up from those that spend least; then options are exchanged, of one
    device or of two at once. A resource stays overspent only if no single move relieves it.
    """
    n_ue, n_option = value.shape
    best_choice = np.zeros(n_ue, np.int64)
    best_over, best_value = np.inf, np.inf
    for way in range(2):
        choice = np.zeros(n_ue, np.int64)
        used = np.zeros(limit.size)
        for u in range(n_ue):
            least = np.inf
            for o in range(n_option):
                score = value[u, o]
                if way == 1 and np.isfinite(score):
                    score = 0.0
                    for r in range(limit.size):
                        score += cost[u, o, r] / max(limit[r], _EQUAL)
                if score < least:
                    least, choice[u] = score, o
            for r in range(limit.size):
                used[r] += cost[u, choice[u], r]
        if way == 0 and excess(used, limit) <= _EQUAL:
            return choice
        _relieve(choice, cost, value, limit, used)
        _improve(choice, cost, value, limit, used)
        over, total = excess(used, limit), 0.0
        for u in range(n_ue):
            total += value[u, choice[u]]
        if over < best_over - _EQUAL or (over <= best_over + _EQUAL and total < best_value):
            best_over, best_value = over, total
            best_choice[:] = choice
    return best_choice


def choose_plain(cost: FloatArray, value: FloatArray, limit: FloatArray) -> IntArray:
    """Choose the best of all combinations (U,), the reference for a handful of devices; least overspent, then least worth."""
    n_ue, n_option = value.shape
    best, best_key = np.zeros(n_ue, dtype=np.int64), (math.inf, math.inf)
    for combination in np.ndindex(*(n_option,) * n_ue):
        rows = np.arange(n_ue)
        total = float(value[rows, list(combination)].sum())
        if not math.isfinite(total):
            continue
        used = cost[rows, list(combination)].sum(axis=0)
        over = float((np.maximum(used - limit, 0.0) / np.maximum(limit, _EQUAL)).sum())
        key = (0.0 if over <= _EQUAL else over, total)
        if key < best_key:
            best, best_key = np.array(combination, dtype=np.int64), key
    return best
