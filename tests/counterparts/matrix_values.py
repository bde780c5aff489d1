"""The history that the clients read, and its aggregates, reckoned from the values one by one."""

from __future__ import annotations

HISTORY_S = 2500
"""Kept values, one a second."""
INTERVAL_S = 1000
"""Interval of the aggregates; the last one is shorter."""


def availability(second: int) -> float:
    """Return the kept value at a second of the history."""
    return 0.5 + 0.001 * (second % 100)


def _aggregates() -> dict[str, list[float]]:
    parts = [
        [availability(k) for k in range(begin, min(begin + INTERVAL_S, HISTORY_S))] for begin in range(0, HISTORY_S, INTERVAL_S)
    ]
    means = [sum(part) / len(part) for part in parts]
    # each value stands for one second, so the time-weighted average is the plain one
    return {"Average": means, "TimeAverage": means, "Minimum": [min(p) for p in parts], "Maximum": [max(p) for p in parts]}


AGGREGATES = _aggregates()
"""By the name of the aggregate, its value in each interval."""

PAIR_S = 2
"""A shorter interval, with more intervals than an answer holds."""
PAIR_MEANS = [(availability(k) + availability(k + 1)) / 2.0 for k in range(0, HISTORY_S, PAIR_S)]
"""The averages over it."""


def means_agree(values: list[float]) -> bool:
    """Tell whether these are the averages over the shorter interval."""
    return len(values) == len(PAIR_MEANS) and all(abs(a - b) < 1e-9 for a, b in zip(values, PAIR_MEANS, strict=True))
