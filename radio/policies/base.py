"""The policies' contract: what a network can observe, and the plan it answers with.

A policy sees reports of finished beam sweeps, the serving legs as measured at reference signals, the survey of the empty hall,
the load of each TRP, and forecasts that someone offers it. It never sees the true state of the coming tick.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numba import njit

from radio import nr
from radio.config import RadioConfig
from radio.types import BoolArray, FloatArray, IntArray, LinkState, Plan, Sweep

_THERMAL_DBM_PER_HZ = 10.0 * math.log10(1.380649e-23 * 290.0 * 1e3)
_NO_GAIN = 1e-30
MIN_BFD_INTERVAL_MS = 2.0  # TS 38.213 clause 6: indications no more often than max(BFD-RS period, 2 ms)


@dataclass(frozen=True, slots=True)
class Report:
    """A beam sweep as the network knows it: SNR of every beam pair, without interference, before the EVM ceiling.

    Attributes
    ----------
    time_us : instant the values hold for: of the measurement, or the target of a forecast [us].
    snr_dl_db, snr_ul_db : (U, T, B, S) [dB]; where measured, the downlink in whole decibels.
    """

    time_us: int
    snr_dl_db: FloatArray
    snr_ul_db: FloatArray


@dataclass(frozen=True, slots=True)
class Observation:
    """What a network could know at the start of a tick.

    Attributes
    ----------
    time_us : start of the tick that is planned [us].
    survey : the empty hall at the UEs' present places.
    report : latest usable sweep, None before the first.
    serving_time_us : instant of the last serving-leg measurement [us], -1 before the first.
    serving_occasions : beam failure detection occasions since the last observation.
    serving_dl_db, serving_ul_db : (U, 2) SINR of the legs then in use, NaN for an unused one [dB].
    load_dl, load_ul : (T,) share of symbols spent in the last tick.
    forecast : predicted sweeps in order of time, None where nobody forecasts.
    """

    time_us: int
    survey: Report
    report: Report | None
    serving_time_us: int
    serving_occasions: int
    serving_dl_db: FloatArray
    serving_ul_db: FloatArray
    load_dl: FloatArray
    load_ul: FloatArray
    forecast: tuple[Report, ...] | None


@runtime_checkable
class Policy(Protocol):
    """Chooses beams, TRPs, repetitions and the SINR that link adaptation reckons with, once per tick.

    ``plan`` is called once per tick in order of time, must not change the observation, and must answer with fresh arrays.
    """

    name: str

    def plan(self, observation: Observation) -> Plan:
        """Return the plan of the coming tick."""
        ...


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

    def report(self, sweep: Sweep, step_db: float = 0.0) -> Report:
        """Return a sweep as a report, its downlink SNR rounded to ``step_db`` (0: not rounded)."""
        snr_dl_db = np.maximum(sweep.gain, _NO_GAIN)
        np.log10(snr_dl_db, out=snr_dl_db)
        snr_dl_db *= 10.0
        snr_dl_db += self.offset_dl_db[:, None, None]
        if step_db > 0.0:
            snr_dl_db /= step_db
            np.rint(snr_dl_db, out=snr_dl_db)
            snr_dl_db *= step_db
        # the channel is reciprocal: the uplink differs by powers and noise figures alone
        snr_ul_db = snr_dl_db + (self.offset_ul_db - self.offset_dl_db)[:, None, None]
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


class ServingMonitor:
    """Serving legs of one policy as measured at beam failure detection reference signals.

    Parameters
    ----------
    config : the radio section.
    n_ue : number of UEs.
    """

    def __init__(self, config: RadioConfig, n_ue: int) -> None:
        period_ms = max(config.beam_management.bfd_rs_period_ms, MIN_BFD_INTERVAL_MS)
        self._period_us = round(period_ms * 1000)
        self.time_us = -1
        self.occasions = 0
        self.dl_db: FloatArray = np.full((n_ue, 2), np.nan)
        self.ul_db: FloatArray = np.full((n_ue, 2), np.nan)

    def measure(self, time_us: int, dt_us: int, state: LinkState) -> None:
        """Take what the occasions inside a tick show; the state is held over it. Call once per tick, after it is known."""
        first = _first_occasion_us(time_us, self._period_us)
        self.occasions = max(0, -(-(time_us + dt_us - first) // self._period_us))
        if self.occasions:
            self.time_us = first + (self.occasions - 1) * self._period_us
            self.dl_db = state.sinr_dl_db.copy()
            self.ul_db = state.sinr_ul_db.copy()

    def observe(
        self,
        time_us: int,
        survey: Report,
        report: Report | None,
        load_dl: FloatArray,
        load_ul: FloatArray,
        forecast: tuple[Report, ...] | None = None,
    ) -> Observation:
        """Put an observation together for the tick that begins at ``time_us``."""
        return Observation(
            time_us, survey, report, self.time_us, self.occasions, self.dl_db, self.ul_db, load_dl, load_ul, forecast
        )


@njit(cache=True, fastmath=False)
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
    best_db = np.full((n_ue, n_trp), -np.inf)
    beam = np.zeros((n_ue, n_trp), dtype=np.int64)
    sector = np.zeros((n_ue, n_trp), dtype=np.int64)
    for u in range(n_ue):
        for t in range(n_trp):
            best = -np.inf
            for b in range(n_beam):
                for s in range(n_sector):
                    if snr_db[u, t, b, s] > best:
                        best = snr_db[u, t, b, s]
                        beam[u, t] = b
                        sector[u, t] = s
            best_db[u, t] = best
    return best_db, beam, sector


def best_pairs_oracle(snr_db: FloatArray) -> tuple[FloatArray, IntArray, IntArray]:
    """Compute `best_pairs` in plain NumPy, the reference for its kernel."""
    n_ue, n_trp, _, n_sector = snr_db.shape
    flat = snr_db.reshape(n_ue, n_trp, -1)
    index = flat.argmax(axis=2)
    return flat.max(axis=2), index // n_sector, index % n_sector


def evm_ceiling(config: RadioConfig) -> float:
    """Return the linear noise-to-signal ratio that EVM adds, ``(EVM / 100)^2``."""
    return (config.ue.evm_percent / 100.0) ** 2


def capped_db(snr_db: FloatArray, evm: float) -> FloatArray:
    """SINR that a receiver with an error vector magnitude sees: ``1 / (1 / snr + evm)`` [dB]."""
    return np.asarray(-10.0 * np.log10(10.0 ** (-0.1 * np.maximum(snr_db, -200.0)) + evm), dtype=np.float64)


def recovery_tail_us(config: RadioConfig) -> float:
    """Time from a PRACH occasion until a recovered beam carries data [us].

    Monitoring starts 4 slots after PRACH, the response is a 2-symbol PDCCH, and the new beam holds 28 symbols after it
    (TS 38.213 clause 6).
    """
    mu = nr.numerology(config.carrier.subcarrier_spacing_hz)
    return 4 * nr.slot_us(mu) + (2 + 28) * nr.symbol_us(mu)


def single_leg(
    trp: IntArray, beam: IntArray, sector: IntArray, usable: BoolArray, sinr_dl_db: FloatArray, sinr_ul_db: FloatArray
) -> Plan:
    """Build a plan of one leg per UE and no repetition from arrays of shape (U,)."""
    n_ue = len(trp)
    legs = np.full((3, n_ue, 2), -1, dtype=np.int64)
    legs[0, :, 0], legs[1, :, 0], legs[2, :, 0] = trp, beam, sector
    both = np.zeros((n_ue, 2), dtype=np.bool_)
    both[:, 0] = usable
    return Plan(legs[0], legs[1], legs[2], both, np.ones(n_ue, dtype=np.int64), sinr_dl_db, sinr_ul_db)
