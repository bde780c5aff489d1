"""A whole twin as something that can be split, and what its replicas say of a service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from factory.saved_state import SavedState, forget, generators_of, reseed, restore, save
from factory.scenario import LoadedScenario
from factory.splitting import Split, levels_from, split
from factory.twin import Twin
from radio.figures.tails import EPISODE_S, Json, known, share_interval, unknown
from radio.figures.tails_kernels import add_down

Floats = npt.NDArray[np.float64]

MESSAGES, DOWN, ENTRIES = range(3)


@dataclass(frozen=True, slots=True)
class _State:
    twin: SavedState
    history: Floats
    seen: npt.NDArray[np.int64]
    depth: Floats


class TwinProcess:
    """One service of a twin, split by how near the worst of its devices is to losing messages.

    Parameters
    ----------
    twin : the twin; it counts from here on.
    service : index of the service in the traffic.
    hold_s : how long an importance is held [s]: a fade takes a few ticks, and comes back before the body has left.

    Notes
    -----
    Importance is the negative margin (``radio.tails_kernels``) of the last message of the worst device, the largest of the last
    ``hold_s``. What is summed are messages, probabilities of being down and of going down: conditional expectations, so that the
    luck of single messages need not be met.
    """

    def __init__(self, twin: Twin, service: int, hold_s: float = 0.2) -> None:
        traffic = twin.traffic
        self.twin, self._survival = twin, traffic.survival
        self._wanted = (traffic.service == service).astype(np.int64)
        self._rows = np.flatnonzero(self._wanted)
        self._network = twin.networks[0]
        self._generators = generators_of(twin)
        self._history: Floats = np.zeros((traffic.n_streams, int(traffic.survival.max()) + 1))
        self._seen = np.zeros(traffic.n_streams, np.int64)
        self._depth: Floats = np.full(max(1, round(hold_s * 1e6 / twin.dt_us)), -np.inf)

    def step(self) -> tuple[float, Floats]:
        """Advance the twin by a tick; see :class:`factory.splitting.Process`."""
        delivered = self.twin.tick().delivered[0]
        gain = np.zeros(3)
        add_down(
            delivered.ints, delivered.floats, len(delivered.ok), self._wanted, self._survival, self._history, self._seen, gain
        )
        self._depth[:-1] = self._depth[1:]
        self._depth[-1] = -self._network.kpi.last_margins[self._rows].min()
        return float(self._depth.max()), gain

    def save(self) -> _State:
        """Save the twin and what is known of its last messages."""
        return _State(save(self.twin, figures=False), self._history.copy(), self._seen.copy(), self._depth.copy())

    def restore(self, state: _State) -> None:
        """Go back to a state."""
        restore(state.twin)
        self._history[:], self._seen[:], self._depth[:] = state.history, state.seen, state.depth

    def forget(self, state: _State) -> None:
        """Free a state."""
        forget(state.twin)

    def reseed(self, key: tuple[int, ...]) -> None:
        """Draw otherwise from now on."""
        reseed(self.twin, key, self._generators)


@dataclass(frozen=True, slots=True)
class Effort:
    """How a service's unavailability is estimated by splitting.

    Attributes
    ----------
    replicas : independent replicas: the same hall, radio and people, who do something else in each.
    seconds, warm_up_s : simulated length of a replica's main run, and of what goes before, in which people part [s].
    factor : copies at each level.
    margins : levels as margins, decreasing; empty for those of a pilot run.
    pilot_s : length of the pilot run [s]. most_levels : number of levels that it may give.
    """

    replicas: int = 8
    seconds: float = 60.0
    warm_up_s: float = 40.0
    factor: int = 4
    margins: tuple[float, ...] = ()
    pilot_s: float = 60.0
    most_levels: int = 6


@dataclass(frozen=True, slots=True)
class Estimated:
    """What splitting found: ``estimate`` as in ``kpi.json``, the levels' margins, replicas, simulated seconds of all branches."""

    estimate: Json
    margins: tuple[float, ...]
    replicas: tuple[Split, ...]
    branch_s: float


def estimate(
    loaded: LoadedScenario,
    service: int,
    effort: Effort,
    progress: Callable[[int, int], None] = lambda done, of: None,
    key: int = 0,
) -> Estimated:
    """Estimate the unavailability of a service under the acting policy.

    Parameters
    ----------
    loaded : the scenario; its seed makes the hall's channel, people and, with the replica's number, their draws.
    service : index of the service.
    effort : how.
    progress : is told how many replicas are done, and of how many.
    key : another one gives an independent estimate.

    Notes
    -----
    The interval is that of independent replicas (``tails.share_interval``). ``packets`` counts the service's messages in
    all branches, in warm-ups and in the pilot run.
    """
    process = TwinProcess(Twin(loaded), service)
    try:
        process.step()
        start = process.save()
        margins, packets = effort.margins, 0.0
        if not margins:
            margins, packets = _pilot(process, start, effort, key)
        levels, dt_s = [-m for m in margins], process.twin.dt_us * 1e-6
        found: list[Split] = []
        for replica in range(1, effort.replicas + 1):
            packets += _begin(process, start, (key, replica), effort.warm_up_s)
            found.append(split(process, levels, effort.factor, max(1, round(effort.seconds / dt_s)), (2, key, replica)))
            packets += found[-1].cost[MESSAGES]
            progress(replica, effort.replicas)
    finally:
        process.twin.close()
    branch_s = sum(part.steps for part in found) * dt_s
    return Estimated(_of_replicas(found, effort, round(packets)), margins, tuple(found), branch_s)


def _of_replicas(found: list[Split], effort: Effort, packets: int) -> Json:
    down = np.array([part.sums[DOWN] for part in found])
    messages = np.array([part.main[MESSAGES] for part in found])
    if not messages.sum():
        return unknown("no message was finished: the service has no device, or its interval is longer than a replica", packets)
    deepest = max(int(np.flatnonzero(part.reached).max()) for part in found)
    # An episode that no branch met: what all devices send meanwhile is more than any one of them can lose.
    unmet = max(1.0, EPISODE_S * float(messages.mean()) / effort.seconds) * float(effort.factor) ** -deepest
    return known(*share_interval(down, messages, unmet), packets)


def _begin(process: TwinProcess, start: _State, replica: tuple[int, int], warm_up_s: float) -> float:
    """Bring the process to the beginning of a replica, people elsewhere than in any other; return the messages that this took."""
    process.restore(start)
    process.reseed((0, *replica))
    spent = 0.0
    for _ in range(round(warm_up_s * 1e6 / process.twin.dt_us)):
        spent += float(process.step()[1][MESSAGES])
    return spent


def _pilot(process: TwinProcess, start: _State, effort: Effort, key: int) -> tuple[tuple[float, ...], float]:
    packets = _begin(process, start, (key, 0), effort.warm_up_s)
    importance = np.empty(max(1, round(effort.pilot_s * 1e6 / process.twin.dt_us)))
    for i in range(len(importance)):
        importance[i], gain = process.step()
        packets += float(gain[MESSAGES])
    return tuple(-level for level in levels_from(importance, effort.factor, effort.most_levels, 0.0)), packets
