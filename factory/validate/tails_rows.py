"""Rows on the estimators of rare outages: beside closed forms, and beside what was counted in a hall (``tails.json``)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from factory.splitting import split
from factory.validate.rows import Row
from factory.validate.tails_study import KEPT, kept
from radio.figures.tails import share_interval

_TOY, _HALL = "Rare outages of known probability", "Rare outages beside plain counting"
_NAMES = {"conditional": "conditional expectation", "peaks_over_threshold": "peaks over threshold", "splitting": "splitting"}
_REPETITIONS, _REPLICAS = 20, 8

NOTES = {
    _TOY: """\
A two-state channel that is down from the eighth bad message on, whose unavailability is P(bad) q^7. Eight replicas of multilevel
splitting make one estimate; an estimate agrees where its 95 % interval holds the truth.""",
    _HALL: """\
The hall of `tails_hall.yaml`: 48 AGVs that stand, eight people who walk among them, one transmission point, a static policy;
channel by line of sight, bodies and remainder. What was counted is cut into shifts of 200 s, and each estimator judges each
shift; splitting is repeated on draws of its own. Messages that counting needs are reckoned with its own variance between blocks
of 10 s, since losses come in episodes. The share of
messages that peaks over threshold take as the tail was chosen on the first half of what was counted. Kept in `tails.json`;
again: `python -m factory.validate.tails_study`.""",
}


def tails_rows() -> Iterator[Row]:
    """Return rows on the splitting of a Markov channel, and on all estimators in the hall that was counted."""
    yield from _markov()
    if KEPT.exists():
        found = kept()
        for service in found["services"]:
            yield from _service(service, found)


class GilbertSpells:
    """A two-state channel (TS 22.104 C.3) as a process to be split: importance is the bad messages in a row.

    It is down from the m-th bad message on, so that its unavailability is ``truth`` = P(bad) q^(m - 1).
    """

    def __init__(self, bad: float, again: float, m: int, key: tuple[int, ...]) -> None:
        self._again, self._into, self._m = again, bad * (1.0 - again) / (1.0 - bad), m
        self._run, self.truth = 0, bad * again ** (m - 1)
        self.reseed(key)

    def step(self) -> tuple[float, np.ndarray]:
        """Send a message: its importance, and messages, messages down and entries into down."""
        chance = self._again if self._run else self._into
        self._run = self._run + 1 if self._rng.random() < chance else 0
        return float(self._run), np.array([1.0, float(self._run >= self._m), float(self._run == self._m)])

    def save(self) -> Any:
        """Return the state."""
        return self._run

    def restore(self, state: Any) -> None:
        """Go back to a state."""
        self._run = state

    def forget(self, state: Any) -> None:
        """Free a state, of which there is nothing to free."""
        del state

    def reseed(self, key: tuple[int, ...]) -> None:
        """Draw otherwise from now on."""
        self._rng = np.random.default_rng([22_104, *key])


def _markov() -> Iterator[Row]:
    bad, again, m, factor = 0.01, 0.3, 8, 4
    truth = GilbertSpells(bad, again, m, ()).truth
    values, covered, cost = [], 0, 0.0
    for repetition in range(_REPETITIONS):
        keys = [(repetition, replica) for replica in range(_REPLICAS)]
        parts = [split(GilbertSpells(bad, again, m, key), range(1, m + 1), factor, 1500, key) for key in keys]
        sums, main = np.array([p.sums for p in parts]), np.array([p.main for p in parts])
        value, low, high = share_interval(sums[:, 1], main[:, 0], float(factor) ** -m)
        values.append(value)
        covered += low <= truth <= high
        cost += sum(p.steps for p in parts) / _REPETITIONS
    error = float(np.std(values)) / truth
    source = "P(bad) q^(m - 1), TS 22.104 C.3"
    spread = 4 * error * truth / math.sqrt(_REPETITIONS)
    yield Row(_TOY, "splitting: mean of 20 estimates", float(np.mean(values)), truth, "1", spread, source)
    yield Row(_TOY, "splitting: intervals of 20 that hold the truth", covered, 17, "", 0, "95 %, 3 more may miss", "at least")
    fewer = (1.0 + again) / (1.0 - again) / truth / error**2 / cost
    yield Row(_TOY, "splitting: times fewer messages than counting", fewer, 100, "", 0, "aim at 2e-6: 1000", "at least")


def _service(service: dict[str, Any], found: dict[str, Any]) -> Iterator[Row]:
    truth, name = service["truth"], service["name"]
    counted = f"counted in {found['counted_s']} s, {truth['low']:.2g} to {truth['high']:.2g}"
    pooled = service["conditional_of_all"]
    yield Row(_HALL, f"{name}: conditional expectation over all", pooled["value"], truth["value"], "1", 0, counted, "reported")
    for kind, words in _NAMES.items():
        f = service["estimators"][kind]
        if not f["given"]:
            yield Row(_HALL, f"{name}, {words}: estimates given", 0, f["of"], "", 1, "as found", "reported")
            continue
        low, high, n = f["coverage_low"], f["coverage_high"], f["given"]
        source = f"{f['covered']} of {n} (given {n} of {f['of']}), {low:.2f} to {high:.2f}"
        yield Row(
            _HALL, f"{name}, {words}: intervals that hold what was counted", f["covered"] / n, 0.95, "1", 0.01, source, "reported"
        )
        yield Row(_HALL, f"{name}, {words}: median", f["median"], truth["value"], "1", 0, counted, "reported")
        if f["times_fewer"] is not None:
            source = f"{f['packets']:.3g} messages at {100 * f['relative_error']:.0f} % error"
            yield Row(_HALL, f"{name}, {words}: times fewer messages", f["times_fewer"], math.nan, "", 0.1, source, "reported")
