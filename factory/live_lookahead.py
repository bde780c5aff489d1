"""How probable it is that a machine's link falls below its need in the next second, and which TRP would then serve better.

A look ahead leaves no trace in the run. People are expected to go on at constant velocity; beside that expectation stand four
more futures, all equally likely, in which everybody is further or less far, to the left or to the right, by what keeps the
variance of that forecast. AGVs go on as they plan, or as their shadows do; arms stay. A link's margin ahead is its margin now and
what the gain of its TRPs' best beams will have changed by.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from factory.margin import LinkMargin
from factory.snapshot import Scene
from humans.forecast import forecast_constant_velocity, forecast_spread_m
from humans.tracked_crowd import TrackedCrowd
from humans.types import PeopleState

if TYPE_CHECKING:
    from factory.twin import Twin

__all__ = ["Lookahead", "Outlooks"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_TINY = 1e-30
_R = math.sqrt(2.5)
_BESIDE = ((0.0, 0.0), (_R, 0.0), (-_R, 0.0), (0.0, _R), (0.0, -_R))
"""Futures in standard deviations along and across the way; so placed, five of equal weight have unit variance on each axis."""
_AT_RISK = 0.2  # links at less risk are not looked at for another TRP
_BETTER_DB = 3.0


@dataclass(frozen=True, slots=True)
class Outlooks:
    """What is ahead of m machines (AGVs first, then cobots).

    Attributes
    ----------
    time_us : when it was worked out [us].
    risk : (m,) probability that the margin of the link is below 0 dB at the worst of the horizons; 0 without a link.
    ahead_us : (m,) that horizon [us].
    margin_db : (m,) margin that is expected there [dB], NaN without a link.
    other_trp : (m,) TRP that would serve at least 3 dB better there, -1 for none, or where the link is not at risk.
    """

    time_us: int
    risk: Floats
    ahead_us: Ints
    margin_db: Floats
    other_trp: Ints


class Lookahead:
    """Looks ahead from a twin.

    Parameters
    ----------
    twin : with radio. horizons_ms : how far ahead.
    """

    def __init__(self, twin: Twin, horizons_ms: Sequence[int]) -> None:
        self._twin = twin
        self._horizon_us: Ints = np.array([1000 * h for h in horizons_ms], np.int64)
        self._margin = LinkMargin(twin.scenario.radio, twin.traffic, len(twin.devices))

    def look(self, time_us: int) -> Outlooks:
        """Return what is ahead of the machines, from the last tick's people and machines; ``time_us`` is now [us]."""
        twin, m = self._twin, self._twin.n_machines
        network = twin.networks[0] if twin.networks else None
        plan, state = (network.plan, network.state) if network else (None, None)
        if plan is None or state is None or m == 0:
            return Outlooks(time_us, np.zeros(m), np.full(m, self._horizon_us[0]), np.full(m, np.nan), np.full(m, -1))
        trp = plan.trp[:m]
        needed = np.zeros((len(twin.devices), twin.channel.n_trp), np.bool_)
        for leg in range(2):
            used = np.flatnonzero(trp[:, leg] >= 0)
            needed[used, trp[used, leg]] = True
        margin_db = self._margin.of(state, plan.trp)[:m]
        now = self._gain(twin.scene(time_us, twin.people, twin.agvs), needed)[:m]
        n_h = len(self._horizon_us)
        below, expected, scenes = np.zeros((n_h, m)), np.empty((n_h, m)), []
        for h, horizon_us in enumerate(self._horizon_us.tolist()):
            agvs = twin.agvs_ahead(horizon_us)
            for k, people in enumerate(self._futures(horizon_us)):
                scene = twin.scene(time_us + horizon_us, people, agvs)
                ahead = margin_db + _change_db(now, self._gain(scene, needed)[:m])
                below[h] += (ahead < 0.0) / len(_BESIDE)
                if k == 0:
                    expected[h] = ahead
                    scenes.append(scene)
        # Of horizons at equal risk the one with the least margin.
        worst = np.lexsort((expected, -below), axis=0)[0]
        at = worst, np.arange(m)
        return Outlooks(
            time_us,
            below[at],
            self._horizon_us[worst],
            expected[at],
            self._others(scenes, worst, below[at] >= _AT_RISK, needed[:m]),
        )

    def _futures(self, horizon_us: int) -> Iterator[PeopleState]:
        twin = self._twin
        ahead = forecast_constant_velocity(twin.people, horizon_us / 1e6)
        spread = forecast_spread_m(twin.people, horizon_us / 1e6)
        if isinstance(twin.crowd, TrackedCrowd):  # what is not known of the present is not known of the future either
            spread = np.hypot(spread, np.where(twin.people.present, twin.crowd.estimate.sigma_m, 0.0))
        heading = ahead.heading_rad
        along = np.stack([np.cos(heading), np.sin(heading)], axis=1)
        across = np.stack([-along[:, 1], along[:, 0]], axis=1)
        for a, b in _BESIDE:
            yield _moved(ahead, spread[:, None] * (a * along + b * across)) if a or b else ahead

    def _gain(self, scene: Scene, needed: Bools) -> Floats:
        """Return the gain of the best beam pair of every link that is needed, (U, T), 0 for the others."""
        channel, links = self._twin.channel, needed.ravel()
        paths = channel.paths(scene.ues, links, remember=False)
        loss_db = channel.blockage(paths, scene.blockers, scene.ues, links).loss_db
        gain: Floats = channel.sweep(paths, scene.ues, loss_db, scene.time_us, links).gain.max(axis=(2, 3))
        return np.where(needed, gain, 0.0)

    def _others(self, scenes: list[Scene], worst: Ints, at_risk: Bools, served: Bools) -> Ints:
        m = len(worst)
        other = np.full(m, -1, np.int64)
        for h in np.unique(worst[at_risk]).tolist():
            rows = np.flatnonzero(at_risk & (worst == h))
            needed = np.zeros((len(self._twin.devices), self._twin.channel.n_trp), np.bool_)
            needed[rows] = True
            gain = self._gain(scenes[h], needed)
            snr_db = np.asarray(self._twin.channel.snr_dl_db(gain))[rows]
            best = snr_db.argmax(axis=1)
            mine = np.where(served[rows], snr_db, -np.inf).max(axis=1)
            better = snr_db[np.arange(len(rows)), best] >= mine + _BETTER_DB
            other[rows[better]] = best[better]
        return other


def _change_db(now: Floats, ahead: Floats) -> Floats:
    """Change of the best leg's gain, (m,) [dB], of gains (m, T)."""
    change: Floats = 10.0 * np.log10(np.maximum(ahead.max(axis=1), _TINY) / np.maximum(now.max(axis=1), _TINY))
    return change


def _moved(people: PeopleState, shift_m: Floats) -> PeopleState:
    """Return people with their bodies moved by (n, 2) [m]."""
    body = np.concatenate([shift_m, np.zeros((len(shift_m), 1))], axis=1)
    return replace(
        people,
        position_m=people.position_m + shift_m,
        capsule_a=people.capsule_a + body[:, None],
        capsule_b=people.capsule_b + body[:, None],
        panel_position_m=people.panel_position_m + body[people.panel_holder],
        load_center_m=people.load_center_m + body[people.load_holder],
    )
