"""Beam sweeps as the network learns of them: rounded, late, and with the best pair of every link found once for all policies.

A report keeps the sweep's gains and its link budget. Decibels are worked out where a policy looks, which is at a few pairs of the
thousands that a sweep holds.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from radio.config import RadioConfig
from radio.policies import kernels
from radio.types import BoolArray, FloatArray, IntArray, Sweep

_THERMAL_DBM_PER_HZ = 10.0 * math.log10(1.380649e-23 * 290.0 * 1e3)


@dataclass(frozen=True, slots=True)
class Best:
    """Best beam pair of every link by a report; the lowest index wins a tie.

    Attributes
    ----------
    dl_db, ul_db : (U, T) highest SNR of any pair [dB].
    beam, sector : (U, T) the pair with ``dl_db``.
    """

    dl_db: FloatArray
    ul_db: FloatArray
    beam: IntArray
    sector: IntArray


class Source(Protocol):
    """Where the gains of a forecast come from, link by link.

    Attributes
    ----------
    covered : (U * T,) links that are worked out.
    """

    covered: BoolArray

    def cover(self, links: BoolArray) -> bool:
        """Work out links (U * T,), as far as they are not covered; return whether there were any."""
        ...


@dataclass(frozen=True, slots=True)
class Report:
    """A beam sweep as the network knows it: SNR of every beam pair, without interference, before the EVM ceiling.

    Attributes
    ----------
    time_us : instant the values hold for: of the measurement, or the target of a forecast [us].
    gain : (U, T, B, S) linear power gain of every beam pair.
    budget : (3, T) what makes an SNR of a gain: downlink SNR at unit gain [dB], how far the uplink is above the downlink [dB],
        and the resolution [dB] that the downlink is rounded to, 0 for none.
    found : what ``best`` answers, where it is known already.
    source : of a forecast, what works out further links: those that it has not covered have no gain. None where all have.
    futures : (S, U, T) of a forecast, gain of the best pair of every link in each drawn future, so that what fails together is
        known; None where there is but one, which is ``gain``.
    """

    time_us: int
    gain: FloatArray
    budget: FloatArray
    found: Best | None = field(default=None, repr=False, compare=False)
    source: Source | None = field(default=None, repr=False, compare=False)
    futures: FloatArray | None = field(default=None, repr=False, compare=False)
    _top: FloatArray | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def snr_dl_db(self) -> FloatArray:
        """(U, T, B, S) downlink SNR [dB], where measured in whole decibels; worked out at every call."""
        snr_db: FloatArray = kernels.in_decibels(self.gain, self.budget)
        return snr_db

    @property
    def snr_ul_db(self) -> FloatArray:
        """(U, T, B, S) uplink SNR [dB]; the channel is reciprocal, so it differs by powers and noise figures alone."""
        snr_db: FloatArray = self.snr_dl_db + self.budget[kernels.UL_OVER_DL][:, None, None]
        return snr_db

    def add(self, gain: FloatArray, futures: FloatArray | None = None) -> None:
        """Take in further links' gains, 0 elsewhere, and those of every future; for a forecast's source."""
        np.add(self.gain, gain, out=self.gain)
        if futures is not None and self.futures is not None:
            np.add(self.futures, futures, out=self.futures)
        object.__setattr__(self, "found", None)
        object.__setattr__(self, "_top", None)

    def top_gain(self) -> FloatArray:
        """Return the gain of the best pair of every link in every future (S, U, T), found once."""
        if self.futures is not None:
            return self.futures
        if self._top is None:
            n_ue, n_trp = self.gain.shape[:2]
            object.__setattr__(self, "_top", self.gain.reshape(1, n_ue, n_trp, -1).max(axis=3))
        assert self._top is not None
        return self._top

    def best(self) -> Best:
        """Return the best pair of every link, found at the first call; every policy asks for it."""
        if self.found is None:
            n_ue, n_trp, n_beam, n_sector = self.gain.shape
            # NumPy looks at many values at once, a compiled loop at one
            index = self.gain.reshape(n_ue * n_trp, n_beam * n_sector).argmax(axis=1)
            object.__setattr__(self, "found", Best(*kernels.best_of_links(self.gain, self.budget, index)))
        assert self.found is not None
        return self.found


class LinkBudget:
    """Turns sweep gains into SNR in dB.

    Parameters
    ----------
    config : the radio section: powers, noise figures, bandwidth of each TRP's carrier.

    Attributes
    ----------
    offset_dl_db, offset_ul_db : (T,) SNR at unit gain: transmit power over thermal noise (290 K, channel bandwidth) and noise
        figure [dB].
    """

    def __init__(self, config: RadioConfig) -> None:
        ue, trps = config.ue, config.trps
        noise_dbm = [_THERMAL_DBM_PER_HZ + 10.0 * math.log10(config.carrier_of(t).bandwidth_hz) for t in trps]
        self.offset_dl_db: FloatArray = np.array(
            [t.tx_power_dbm - n - ue.noise_figure_db for t, n in zip(trps, noise_dbm, strict=True)]
        )
        self._configured_db = self.offset_dl_db.copy()
        self.offset_ul_db: FloatArray = np.array(
            [ue.tx_power_dbm - n - t.noise_figure_db for t, n in zip(trps, noise_dbm, strict=True)]
        )
        self._budgets: dict[float, FloatArray] = {}

    def correct_power(self, power_db: FloatArray) -> None:
        """Take every TRP for that much stronger than configured, (T,) [dB], in the reports from now on."""
        self.offset_dl_db[:] = self._configured_db + power_db
        self._budgets.clear()

    def report(self, sweep: Sweep, step_db: float = 0.0) -> Report:
        """Return a sweep as a report, its downlink SNR rounded to ``step_db`` (0: not rounded)."""
        budget = self._budgets.get(step_db)
        if budget is None:
            steps = np.full(len(self.offset_dl_db), step_db)
            budget = np.stack((self.offset_dl_db, self.offset_ul_db - self.offset_dl_db, steps))
            self._budgets[step_db] = budget
        return Report(sweep.time_us, sweep.gain, budget)


def _first_occasion_us(time_us: int, period_us: int) -> int:
    return -(-time_us // period_us) * period_us


class SweepReports:
    """Sweeps on their way to the network: measured at SSB occasions, usable after the report delay.

    Parameters
    ----------
    config : the radio section.
    step_db : resolution of the reports [dB] (TS 38.133 10.1.6 reports L1-RSRP in whole dB).
    """

    def __init__(self, config: RadioConfig, step_db: float = 1.0) -> None:
        beams = config.beam_management
        self._budget = LinkBudget(config)
        self._step_db = step_db
        self._period_us = beams.ssb_period_ms * 1000
        self._delay_us = round(beams.report_delay_ms * 1000)
        self._coming: deque[Report] = deque()
        self._latest: Report | None = None

    def due(self, time_us: int, dt_us: int) -> bool:
        """Return whether an SSB occasion falls into ``[time_us, time_us + dt_us)``."""
        return _first_occasion_us(time_us, self._period_us) < time_us + dt_us

    def add(self, sweep: Sweep) -> None:
        """Take the sweep of an SSB occasion."""
        self._coming.append(self._budget.report(sweep, self._step_db))

    def correct_power(self, power_db: FloatArray) -> None:
        """As :meth:`LinkBudget.correct_power`, for the sweeps that are taken from now on."""
        self._budget.correct_power(power_db)

    @property
    def newest(self) -> Report | None:
        """The newest sweep that was taken, whether or not it is usable yet."""
        return self._coming[-1] if self._coming else self._latest

    def latest(self, time_us: int) -> Report | None:
        """Return the newest report that is usable by a time."""
        while self._coming and self._coming[0].time_us + self._delay_us <= time_us:
            self._latest = self._coming.popleft()
        return self._latest


def best_pairs_oracle(snr_db: FloatArray) -> tuple[FloatArray, IntArray, IntArray]:
    """Find the best beam pair of every UE and TRP in plain NumPy, the reference for ``Report.best``.

    Parameters
    ----------
    snr_db : (U, T, B, S) [dB].

    Returns
    -------
    best_db, beam, sector : (U, T) each; the lowest index wins a tie.
    """
    n_ue, n_trp, _, n_sector = snr_db.shape
    flat = snr_db.reshape(n_ue, n_trp, -1)
    index = flat.argmax(axis=2)
    return flat.max(axis=2), index // n_sector, index % n_sector
