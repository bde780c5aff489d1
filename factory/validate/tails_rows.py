"""Rows on the estimators of rare outages: beside closed forms, and beside what was counted in a hall (``tails.json``)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from factory.splitting import split
from factory.validate import tails_study, tails_walkway
from factory.validate.rows import Row
from radio.figures.tails import share_interval

_TOY, _WALKWAY = "Rare outages of known probability", "Rare outages beside plain counting"
_HALL = "Rare outages where geometry decides"
_NAMES = {"conditional": "conditional expectation", "peaks_over_threshold": "peaks over threshold", "splitting": "splitting"}
_REPETITIONS, _REPLICAS = 20, 8

NOTES = {
    _TOY: """\
A two-state channel that is down from the eighth bad message on, whose unavailability is P(bad) q^7. Eight replicas of multilevel
splitting make one estimate; an estimate agrees where its 95 % interval holds the truth.""",
    _WALKWAY: """\
The walkway of `tails_walkway.yaml`: six AGVs that stand, two people who walk to and fro across their links, each on a lane, one
transmission point. A body costs about 2 dB, which makes a short message likelier to be lost without taking it for certain; so
that there is something to count, the power is small and an attenuator stands for distance. Down is who loses two messages in
a row. The truth is counted: over independent runs every message is lost or not by a draw, 3000 times over on the same
probabilities, the runs being the units of its interval. Every estimate is of a run that the truth has not seen, or of splitting
on draws of its own; nothing was chosen by these runs. Times fewer messages than counting would need for the same root mean square
error: `independent` beside textbook counting, (1 - U) / (U e²) messages; `as they come` beside the counting of this hall,
whose losses share their fades. Pilots and warm-ups count as messages of splitting, and are most of them: people who set out
together walk in step for half a minute, and with 20 s of warm-up instead of 40 splitting came out 8 % low at 1e-4 over 20
estimates. Splitting finds here what the conditional expectation finds already, since nearly all of what is left is which depths
of a common fade were met, and pays for its warm-ups; peaks over threshold hit the value, but a tail of some dozen episodes leaves
an upper end far above it. Messages come every 200 ms: were there more of them in a fade, each would tell less, and the gain in
messages would shrink as that in simulated time does not. How intervals are widened for few units was tried out on the runs of
the truth. Kept in `tails_walkway.json`; again: `python -m factory.validate.tails_walkway`.""",
    _HALL: """\
The counter-example: where a body takes all, a message is lost for certain or not at all, the luck of decoding is none of the
variance, and the conditional expectation needs as many messages as counting does. Nothing here is known well.
The hall of `tails_hall.yaml`: 48 AGVs that stand, eight people who walk among them, one transmission point, a static policy;
channel by line of sight, bodies and remainder. What was counted is cut into shifts of 200 s, and each estimator judges each
shift; splitting is repeated on draws of its own. Messages that counting needs are reckoned with its own variance between blocks
of 10 s, since losses come in episodes. The share of
messages that peaks over threshold take as the tail was chosen on the first half of what was counted. Kept in `tails.json`;
again: `python -m factory.validate.tails_study`.""",
}


def tails_rows() -> Iterator[Row]:
    """Return rows on the splitting of a Markov channel, and on all estimators in the two halls that were counted."""
    yield from _markov()
    walkway = tails_walkway.kept()
    for service in walkway["services"]:
        yield from _counted(service, walkway)
    hall = tails_study.kept()
    for service in hall["services"]:
        yield from _service(service, hall)


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


def _counted(service: dict[str, Any], found: dict[str, Any]) -> Iterator[Row]:
    """Return rows of a service of the walkway."""
    truth, name = service["truth"], service["name"]
    counted = f"{truth['low']:.3g} to {truth['high']:.3g}; {truth['down']:.0f} down in {truth['messages']:.3g}"
    yield Row(_WALKWAY, f"{name}: counted", truth["value"], math.nan, "1", 0, counted, "reported")
    tolerance = truth["high"] - truth["value"]
    yield Row(
        _WALKWAY,
        f"{name}: conditional expectation over the same runs",
        truth["conditional"],
        truth["value"],
        "1",
        tolerance,
        counted,
    )
    clusters = (truth["geometry"] + truth["luck"]) * truth["value"] / (1.0 - truth["value"])
    yield Row(
        _WALKWAY, f"{name}: messages to count, as they come over independent ones", clusters, math.nan, "1", 0.01,
        f"geometry is {100 * truth['geometry'] / (truth['geometry'] + truth['luck']):.2g} % of counting's variance", "reported",
    )  # fmt: skip
    for f in service["estimators"]:
        case = f"{name}, {_NAMES[f['kind']]} of {f['run_s']} s"
        if f["given"] < 2:
            yield Row(_WALKWAY, f"{case}: estimates given", f["given"], f["of"], "", 1, "as found", "reported")
            continue
        n = f["given"]
        enough = n >= _REPETITIONS
        source = f"{f['covered']} of {n} (of {f['of']} runs), 95 % interval {f['coverage_low']:.2f} to {f['coverage_high']:.2f}"
        yield Row(
            _WALKWAY, f"{case}: intervals that hold the truth", f["covered"] / n, 0.85, "1", 0.001, source,
            "at least" if enough else "reported",
        )  # fmt: skip
        source = f"half of the median interval {100 * f['half_width']:.0f} %, {f['packets']:.3g} messages each"
        yield Row(_WALKWAY, f"{case}: relative error", f["relative_error"], math.nan, "1", 0.001, source, "reported")
        few = f["times_fewer_independent"]
        source = f"as they come {f['times_fewer_clustered']:.3g}, at equal width {f['times_fewer_by_width']:.3g}"
        aimed = truth["value"] < 2e-6 and f["kind"] != "peaks_over_threshold"
        aim: tuple[float, Literal["at least", "reported"]] = (1000.0, "at least") if aimed else (math.nan, "reported")
        known = f["kind"] == "splitting"
        yield Row(_WALKWAY, f"{case}: times fewer messages, independent", few, aim[0], "", 0.1, source, aim[1], known)


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
