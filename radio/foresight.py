"""Sweeps that a network can expect, worked out for the links that somebody looks at.

A forecast is asked for the legs in use, and for all TRPs of the devices whose legs are at risk. What is forecast of a link
depends on the predicted scenes alone, so asking later gives what asking at once would have given. Drawn futures are kept apart
for the best pair of every link: two legs fail together where they do so in one future.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from radio.policies.reports import LinkBudget, Report
from radio.types import Blockers, BoolArray, FloatArray, Sweep, Ues

if TYPE_CHECKING:
    from radio.links import Channel

Scene: TypeAlias = tuple[int, Ues, Blockers]
"""A predicted scene: its time [us], devices and bodies."""


class Foresight:
    """Predicted sweeps of some scenes.

    Parameters
    ----------
    channel : channel of the hall.
    budget : turns sweeps into reports.
    scenes : predicted scenes in order of time; scenes of one time are futures that are equally likely.
    links : (U * T,) links to begin with.
    share : of the futures that may be worse than what the reports say, pair by pair.
    heard : (T,) TRPs that were heard last; the others have no gain. None: all.

    Attributes
    ----------
    covered : (U * T,) links that are worked out.
    reports : the predicted sweeps; links that are not covered have no gain.
    """

    def __init__(
        self,
        channel: Channel,
        budget: LinkBudget,
        scenes: Sequence[Scene],
        links: BoolArray,
        share: float = 0.5,
        heard: BoolArray | None = None,
    ) -> None:
        self._channel, self._share = channel, share
        self._heard = None if heard is None or heard.all() else heard
        # Copied, for devices and bodies move on before the last link is asked for.
        copies = [(time_us, _copied_ues(ues), _copied_blockers(blockers)) for time_us, ues, blockers in scenes]
        self._instants = [list(futures) for _, futures in groupby(copies, key=lambda scene: scene[0])]
        self.covered: BoolArray = links.copy()
        first = [self._sweep(futures, links) for futures in self._instants]
        made = [(budget.report(sweep), futures) for sweep, futures in first]
        self.reports = tuple([Report(r.time_us, r.gain, r.budget, source=self, futures=futures) for r, futures in made])

    def cover(self, links: BoolArray) -> bool:
        """Work out links (U * T,), as far as they are not covered; return whether there were any."""
        missing = links & ~self.covered
        if not missing.any():
            return False
        for futures, report in zip(self._instants, self.reports, strict=True):
            sweep, each = self._sweep(futures, missing)
            report.add(sweep.gain, each)
        self.covered |= missing
        return True

    def _sweep(self, futures: Sequence[Scene], links: BoolArray) -> tuple[Sweep, FloatArray | None]:
        """Return what is exceeded in all futures but a share, and of several futures the best pair's gain in each (S, U, T)."""
        sweeps = [self._future(scene, links) for scene in futures]
        if len(sweeps) == 1:
            return sweeps[0], None
        every = np.array([sweep.gain for sweep in sweeps])
        gain = np.quantile(every, self._share, axis=0, method="lower")
        return Sweep(sweeps[0].time_us, gain), every.max(axis=(3, 4))

    def _future(self, scene: Scene, links: BoolArray) -> Sweep:
        time_us, ues, blockers = scene
        if self._heard is not None:
            links = links & np.tile(self._heard, len(ues.owner))
        paths = self._channel.paths(ues, links, remember=False)
        loss_db = self._channel.blockage(paths, blockers, ues, links).loss_db
        return self._channel.sweep(paths, ues, loss_db, time_us, links)


def _copied_ues(ues: Ues) -> Ues:
    return Ues(ues.position_m.copy(), ues.heading_rad.copy(), ues.owner.copy())


def _copied_blockers(b: Blockers) -> Blockers:
    return Blockers(
        b.start_m.copy(), b.end_m.copy(), b.half_width_m.copy(), b.yaw_rad.copy(), b.shape.copy(), b.owner.copy(), b.part.copy()
    )
