"""Beam sweeps as the network learns of them: rounded, late, and with the best pair of every link found once for all policies."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numba import njit

from radio.config import RadioConfig
from radio.types import FloatArray, IntArray, Sweep

_THERMAL_DBM_PER_HZ = 10.0 * math.log10(1.380649e-23 * 290.0 * 1e3)
_NO_GAIN = 1e-30


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


@dataclass(frozen=True, slots=True)
class Report:
    """A beam sweep as the network knows it: SNR of every beam pair, without interference, before the EVM ceiling.

    Attributes
    ----------
    time_us : instant the values hold for: of the measurement, or the target of a forecast [us].
    snr_dl_db, snr_ul_db : (U, T, B, S) [dB]; where measured, the downlink in whole decibels.
    found : what ``best`` answers, where it is known already.
    """

    time_us: int
    snr_dl_db: FloatArray
    snr_ul_db: FloatArray
    found: Best | None = field(default=None, repr=False, compare=False)

    def best(self) -> Best:
        """Return the best pair of every link, found at the first call; every policy asks for it."""
        if self.found is None:
            dl_db, beam, sector = best_pairs(self.snr_dl_db)
            object.__setattr__(self, "found", Best(dl_db, self.snr_ul_db.max(axis=(2, 3)), beam, sector))
        assert self.found is not None
        return self.found


class LinkBudget:
    """Turns sweep gains into SNR in dB.

    Parameters
    ----------
    config : the radio section: powers, noise figures, bandwidth.

    Attributes
    ----------
    offset_dl_db, offset_ul_db : (T,) SNR at unit gain: transmit power over thermal noise (290 K, channel bandwidth) and noise
        figure [dB].
    """

    def __init__(self, config: RadioConfig) -> None:
        noise_dbm = _THERMAL_DBM_PER_HZ + 10.0 * math.log10(config.carrier.bandwidth_hz)
        ue = config.ue
        self.offset_dl_db: FloatArray = np.array([t.tx_power_dbm - noise_dbm - ue.noise_figure_db for t in config.trps])
        self.offset_ul_db: FloatArray = np.array([ue.tx_power_dbm - noise_dbm - t.noise_figure_db for t in config.trps])
        # the channel is reciprocal: the uplink differs by powers and noise figures alone
        self._ul_over_dl_db = self.offset_ul_db - self.offset_dl_db

    def report(self, sweep: Sweep, step_db: float = 0.0) -> Report:
        """Return a sweep as a report, its downlink SNR rounded to ``step_db`` (0: not rounded)."""
        snr_dl_db = _floored(sweep.gain)
        np.log10(snr_dl_db, out=snr_dl_db)
        snr_ul_db = _to_snr(snr_dl_db, self.offset_dl_db, self._ul_over_dl_db, step_db)
        return Report(sweep.time_us, snr_dl_db, snr_ul_db)


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

    def latest(self, time_us: int) -> Report | None:
        """Return the newest report that is usable by a time."""
        while self._coming and self._coming[0].time_us + self._delay_us <= time_us:
            self._latest = self._coming.popleft()
        return self._latest


@njit(cache=True, fastmath=False)
def _floored(gain: FloatArray) -> FloatArray:
    """Return gains of at least `_NO_GAIN`, so that their logarithm is finite."""
    out = np.empty(gain.size)
    flat = gain.reshape(gain.size)
    for i in range(gain.size):
        out[i] = _NO_GAIN if flat[i] < _NO_GAIN else flat[i]
    return out.reshape(gain.shape)


@njit(cache=True, fastmath=False)
def _to_snr(snr_dl_db: FloatArray, offset_db: FloatArray, ul_over_dl_db: FloatArray, step_db: float) -> FloatArray:
    """Turn lg of gains (U, T, B, S) into downlink SNR in place, and return the uplink's."""
    n_ue, n_trp, n_beam, n_sector = snr_dl_db.shape
    snr_ul_db = np.empty(snr_dl_db.shape)
    for u in range(n_ue):
        for t in range(n_trp):
            offset, difference = offset_db[t], ul_over_dl_db[t]
            dl = snr_dl_db[u, t].reshape(n_beam * n_sector)
            ul = snr_ul_db[u, t].reshape(n_beam * n_sector)
            if step_db > 0.0:
                for i in range(dl.size):
                    dl[i] = np.rint((dl[i] * 10.0 + offset) / step_db) * step_db
            else:
                for i in range(dl.size):
                    dl[i] = dl[i] * 10.0 + offset
            for i in range(dl.size):
                ul[i] = dl[i] + difference
    return snr_ul_db


@njit(cache=True, fastmath=False)
def _pairs_at(snr_db: FloatArray, index: IntArray) -> tuple[FloatArray, IntArray, IntArray]:
    """Return values, beams and sectors (U, T) of the pairs with an index (U * T,) among a link's B * S."""
    n_ue, n_trp, _, n_sector = snr_db.shape
    best_db = np.empty((n_ue, n_trp))
    beam, sector = np.empty((n_ue, n_trp), dtype=np.int64), np.empty((n_ue, n_trp), dtype=np.int64)
    for u in range(n_ue):
        for t in range(n_trp):
            b, s = divmod(index[u * n_trp + t], n_sector)
            best_db[u, t], beam[u, t], sector[u, t] = snr_db[u, t, b, s], b, s
    return best_db, beam, sector


def best_pairs(snr_db: FloatArray) -> tuple[FloatArray, IntArray, IntArray]:
    """Best beam pair of every UE and TRP.

    Parameters
    ----------
    snr_db : (U, T, B, S) [dB].

    Returns
    -------
    best_db, beam, sector : (U, T) each; the lowest index wins a tie.
    """
    n_ue, n_trp, n_beam, n_sector = snr_db.shape
    # NumPy looks at many values at once, a compiled loop at one
    index = snr_db.reshape(n_ue * n_trp, n_beam * n_sector).argmax(axis=1)
    pairs: tuple[FloatArray, IntArray, IntArray] = _pairs_at(snr_db, index)
    return pairs


def best_pairs_oracle(snr_db: FloatArray) -> tuple[FloatArray, IntArray, IntArray]:
    """Compute `best_pairs` in plain NumPy, the reference for its kernel."""
    n_ue, n_trp, _, n_sector = snr_db.shape
    flat = snr_db.reshape(n_ue, n_trp, -1)
    index = flat.argmax(axis=2)
    return flat.max(axis=2), index // n_sector, index % n_sector
