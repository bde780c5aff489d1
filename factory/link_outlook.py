"""How probable it is that a link falls short half a second, one and two seconds ahead, for whoever watches the twin.

The twin is not touched: bodies are drawn by a forecaster of this module's own, from generators of its own, and the channel is
only glanced at. So a run with somebody watching is the same bit by bit as one without.

One horizon is worked out per call, so that no single tick pays for all. Horizons count from the drawing of the futures, and with
views at 10 Hz a value is at most 0.3 s old.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from factory.outlook import Futures, Outlook
from factory.snapshot import Scene
from radio.policies.reports import LinkBudget

if TYPE_CHECKING:
    from factory.twin import Twin

__all__ = ["FUTURES", "HORIZONS_S", "LinkOutlook", "risk_of_futures"]

Floats = npt.NDArray[np.float64]

HORIZONS_S = (0.5, 1.0, 2.0)
"""How far ahead links are looked at [s]."""
FUTURES = 8
"""Drawn futures per horizon."""
_NO_GAIN = 1e-30
_SILENT_DB = -100.0  # below it there is no link, but a TRP that is off
_REMEMBERED = 50  # views, five seconds at 10 Hz


def risk_of_futures(margin_db: Floats, usual: float) -> Floats:
    """Probability (U,) that a link falls short, of its margin in drawn futures (S, U) [dB].

    A link falls short for what the futures show, of which k among S are short, or for something else, as often as is ``usual``:
    u + (1 - u) k / (S + 1). No finite number of futures proves that something cannot happen, nor that it must.
    """
    shown = (margin_db < 0.0).sum(axis=0) / (len(margin_db) + 1.0)
    return np.asarray(usual + (1.0 - usual) * shown, dtype=np.float64)


class LinkOutlook:
    """The risk of every link of the acting network.

    Parameters
    ----------
    twin : what is watched; it has a network.
    futures : futures drawn per horizon.

    Attributes
    ----------
    risk : (H, U) probability that the link's margin is below zero at each of `HORIZONS_S`; NaN before the first forecast.
    made_us : instant that each horizon counts from [us], -1 before the first forecast.

    Notes
    -----
    What a link will have is the SNR of its best beam pair in the drawn future, in which people, AGVs and their loads have moved
    on, less what usually lies between that SNR and its margin: need, interference, fading. That is the median over the last
    views, for the margin of one instant says little of the next. Where its TRP falls short in a future, the others are looked at
    too, for the network will have changed over by then. A link without a serving beam has risk 1.
    """

    def __init__(self, twin: Twin, futures: int = FUTURES) -> None:
        scenario = twin.scenario
        aware = scenario.radio.human_aware.model_copy(
            update={"horizons_ms": tuple(1000.0 * h for h in HORIZONS_S), "futures": futures}
        )
        radio = scenario.radio.model_copy(update={"human_aware": aware})
        self._twin, self._n_futures = twin, futures
        self._outlook = Outlook(scenario.model_copy(update={"radio": radio}), len(twin.people.present))
        self._drawn: Futures = []
        self._drawn_us = -1
        self._next = 0
        self.risk: Floats = np.full((len(HORIZONS_S), len(twin.devices)), np.nan)
        self.made_us = [-1] * len(HORIZONS_S)
        self._offset_db = LinkBudget(radio).offset_dl_db
        self._between_db: deque[Floats] = deque(maxlen=_REMEMBERED)
        self._short = [0.5, 1.0]  # links that fell short, and links looked at, with half of one as the prior

    def step(self, margin_db: Floats) -> None:
        """Work out one horizon; the futures are drawn anew before the first.

        Parameters
        ----------
        margin_db : (U,) present margin of every link [dB], NaN without a serving beam.
        """
        twin, network = self._twin, self._twin.networks[0]
        plan, newest = network.plan, twin.ether.newest
        if plan is None or newest is None or twin.time_us == self._drawn_us:
            return  # nothing measured yet, or the twin is paused
        trp, u = plan.trp[:, 0], np.arange(len(twin.devices))
        n_trp, served = twin.channel.n_trp, trp >= 0
        now_db = _decibels(newest.gain[u, trp].max(axis=(1, 2))) + self._offset_db[trp]
        heard = served & (now_db > _SILENT_DB) & ~np.isnan(margin_db)
        self._between_db.append(np.where(heard, now_db - margin_db, np.nan))
        self._short[0] += float((~(margin_db >= 0.0)).sum())
        self._short[1] += len(u)
        if self._next == 0:
            rates = twin.crowd.gesture_rates()
            self._drawn, self._drawn_us = self._outlook.ahead(twin.time_us, twin.people, rates), twin.time_us
        h = self._next
        self._next = (h + 1) % len(HORIZONS_S)
        links = np.zeros((len(u), n_trp), np.bool_)
        links[u[served], trp[served]] = True
        between_db = _median(np.array(self._between_db))
        target_us = self._drawn_us + round(HORIZONS_S[h] * 1e6)
        agvs = twin.fleet.state_ahead((target_us - twin.time_us) / 1e6)
        scenes = [twin.scene(target_us, people, agvs) for people in self._drawn[h]]
        margins = self._snr_db(scenes, links) - between_db
        worse: npt.NDArray[np.bool_] = np.any(margins < 0.0, axis=0)
        if worse.any():
            others: npt.NDArray[np.bool_] = (
                ~links & worse[:, None] & (newest.gain.max(axis=(2, 3)) > _NO_GAIN)
            )  # of those that are heard at all
            margins = np.maximum(margins, self._snr_db(scenes, others) - between_db)
        self.made_us[h] = self._drawn_us
        self.risk[h] = risk_of_futures(margins, self._short[0] / self._short[1])
        self.risk[h, ~heard] = 1.0

    def _snr_db(self, scenes: list[Scene], links: npt.NDArray[np.bool_]) -> Floats:
        """SNR (S, U) of every device's best beam pair on some links (U, T), in every scene [dB]; very low without a link."""
        channel, needed = self._twin.channel, links.ravel()
        ues = scenes[0].ues
        paths = channel.paths(ues, needed, remember=False)
        snr_db = np.empty((len(scenes), len(links)))
        for s, scene in enumerate(scenes):
            # Futures differ in their bodies; antennas move with them only where somebody holds one.
            if not np.array_equal(scene.ues.position_m, ues.position_m):
                ues = scene.ues
                paths = channel.paths(ues, needed, remember=False)
            loss_db = channel.blockage(paths, scene.blockers, ues, needed).loss_db
            gain = channel.sweep(paths, ues, loss_db, scene.time_us, needed).gain.max(axis=(2, 3))
            snr_db[s] = (_decibels(gain) + self._offset_db).max(axis=1)
        return snr_db


def _decibels(gain: Floats) -> Floats:
    return np.asarray(10.0 * np.log10(np.maximum(gain, _NO_GAIN)), dtype=np.float64)


def _median(rows: Floats) -> Floats:
    """Median (U,) of the rows that have a number; infinite where none has, so that the link falls short."""
    known = ~np.isnan(rows).all(axis=0)
    median = np.full(rows.shape[1], np.inf)
    median[known] = np.nanmedian(rows[:, known], axis=0)
    return median
