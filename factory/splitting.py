"""Multilevel splitting: rare events met by letting a simulation begin again, many times, from where they came near.

RESTART (Villen-Altamirano and Villen-Altamirano, 1991 and 2002): whenever a run comes above the next level of an importance, it
goes on in ``factor`` copies, each with draws of its own and ``1 / factor`` of the weight; a copy ends when it falls below the
level that it was born at, the first of them goes on. What is summed up by weight is unbiased, whatever levels and importance
are; how much they help is told by the intervals over independent replicas.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MOST_BRANCHES = 200_000
"""Copies of one replica from which it is given up: levels stand too close."""


class Process(Protocol):
    """What can be split: it steps, tells how near the event is and what the step counted, and returns to saved states."""

    def step(self) -> tuple[float, Floats]:
        """Go one step; return the importance after it, larger is nearer, and what is to be summed up, (K,)."""
        ...

    def save(self) -> Any:
        """Return the present state."""
        ...

    def restore(self, state: Any) -> None:
        """Go back to a state."""
        ...

    def forget(self, state: Any) -> None:
        """Let go of a state that is not needed any more."""
        ...

    def reseed(self, key: tuple[int, ...]) -> None:
        """Draw by ``key`` from now on."""
        ...


@dataclass(frozen=True, slots=True)
class Split:
    """What one replica came to.

    Attributes
    ----------
    sums : (K,) weighted sums. main : (K,) those of the main run alone, without weights.
    steps : steps of all branches. main_steps : of the main run.
    cost : (K,) unweighted sums over all branches, so that messages among them are the cost in messages.
    reached : (M + 1,) branches that began at each level, the main run first.
    futures : how many different sums the branches born at the highest level reached came to, over their number: 1 where every
        copy came to something else, near 0 where copies went on alike; None without a branch.
    """

    sums: Floats
    main: Floats
    steps: int
    main_steps: int
    cost: Floats
    reached: npt.NDArray[np.int64]
    futures: float | None


@dataclass(slots=True)
class _Branch:
    state: Any
    born: int
    step: int
    key: tuple[int, ...]
    share: Callable[[], None]


def split(
    process: Process, levels: Sequence[float], factor: int, n_steps: int, key: tuple[int, ...] = (), n_sums: int = 3
) -> Split:
    """Run one replica.

    Parameters
    ----------
    process : at the state that the main run begins in; somewhere else afterwards.
    levels : importances, increasing.
    factor : copies that a run which comes above a level goes on in, itself one of them.
    n_steps : length of the main run in steps.
    key : of the copies' draws.
    n_sums : K.

    Raises
    ------
    ValueError
        If levels do not increase, there is no step, or more than ``MOST_BRANCHES`` copies were made.
    """
    at = np.asarray(levels, dtype=np.float64)
    if factor < 1 or n_steps < 1 or not (np.diff(at) > 0).all():
        raise ValueError(f"levels {list(levels)} must increase, factor {factor} and steps {n_steps} must be 1 or more")
    weight = float(factor) ** -np.arange(len(at) + 1)
    sums, main, cost = np.zeros(n_sums), np.zeros(n_sums), np.zeros(n_sums)
    reached = np.zeros(len(at) + 1, np.int64)
    reached[0] = 1
    came_to: list[list[bytes]] = [[] for _ in at]
    waiting: list[_Branch] = []
    steps = branches = 0

    def climb(level: int, importance: float, step: int) -> int:
        """Leave copies behind for every level that the run has come above; return its level."""
        nonlocal branches
        first = level
        while level < len(at) and importance >= at[level]:
            level += 1
        for born in range(first + 1, level + 1) if factor > 1 else ():
            if branches + factor > MOST_BRANCHES:
                raise ValueError(f"more than {MOST_BRANCHES} branches: give fewer levels, or wider apart")
            state, left = process.save(), [factor - 1]

            def done(state: Any = state, left: list[int] = left) -> None:
                left[0] -= 1
                if left[0] == 0:
                    process.forget(state)

            for _ in range(factor - 1):
                branches += 1
                waiting.append(_Branch(state, born, step, (*key, branches), done))
            reached[born] += factor - 1
        return level

    def run(born: int, level: int, first: int) -> Floats:
        """Go on until the end, or below the level that the branch was born at."""
        nonlocal steps
        own = np.zeros(n_sums)
        for step in range(first, n_steps):
            importance, gain = process.step()
            steps += 1
            sums[:] += weight[level] * gain
            own += gain
            if born > 0 and importance < at[born - 1]:
                break
            level = min(level, int(np.searchsorted(at, importance, side="right")))
            level = climb(level, importance, step + 1)
        cost[:] += own
        return own

    main[:] = run(0, 0, 0)
    while waiting:
        branch = waiting.pop()
        process.restore(branch.state)
        branch.share()
        process.reseed(branch.key)
        own = run(branch.born, branch.born, branch.step)
        came_to[branch.born - 1].append(own.tobytes())
    deepest = next((found for found in reversed(came_to) if found), None)
    futures = None if deepest is None else len(set(deepest)) / len(deepest)
    return Split(sums, main, steps, n_steps, cost, reached, futures)


def levels_from(importance: Floats, factor: int, most: int, end: float) -> tuple[float, ...]:
    """Choose levels from a pilot run.

    Parameters
    ----------
    importance : of the pilot's steps.
    factor : copies at each level; a level is met a ``factor``-th as often as the one before.
    most : largest number of levels.
    end : importance at which the event is there; levels stay below it.

    Returns
    -------
    Increasing levels. Where the pilot met too little (below 20 steps) the rest goes on at the last distance.
    """
    ordered = np.sort(np.asarray(importance, dtype=np.float64))
    n = len(ordered)
    found: list[float] = []
    share = 0.5 / factor
    while share * n >= 20.0 and len(found) < most:
        level = float(ordered[-max(round(share * n), 1)])
        if level >= end:
            break
        if not found or level > found[-1]:
            found.append(level)
        share /= factor
    if len(found) >= 2:
        gap = found[-1] - found[-2]
        while len(found) < most and found[-1] + gap < end:
            found.append(found[-1] + gap)
    return tuple(found)
