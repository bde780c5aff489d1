"""The policies' contract: what a network can observe, and the plan it answers with.

A policy sees reports of finished beam sweeps, the serving legs as measured at reference signals, the survey of the empty hall,
the load of each TRP, and forecasts that someone offers it. It never sees the true state of the coming tick.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numba import njit

from radio import nr
from radio.config import RadioConfig
from radio.policies.reports import Report
from radio.types import BoolArray, FloatArray, IntArray, LinkState, Plan

MIN_BFD_INTERVAL_MS = 2.0  # TS 38.213 clause 6: indications no more often than max(BFD-RS period, 2 ms)


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
        first = -(-time_us // self._period_us) * self._period_us
        self.occasions = max(0, -(-(time_us + dt_us - first) // self._period_us))
        if self.occasions:
            self.time_us = first + (self.occasions - 1) * self._period_us
            self.dl_db, self.ul_db = state.sinr_dl_db, state.sinr_ul_db

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


@njit(cache=True, fastmath=False)
def write_plan(
    now_us: int, trp: IntArray, beam: IntArray, sector: IntArray, free_us: IntArray,
    second_trp: IntArray, second_beam: IntArray, second_sector: IntArray, second_us: IntArray,
    known_dl_db: FloatArray, known_ul_db: FloatArray, margin_db: float,
) -> tuple[IntArray, IntArray, IntArray, BoolArray, IntArray, FloatArray, FloatArray]:  # fmt: skip
    """Write the fields of a Plan without repetitions, in their order.

    Parameters
    ----------
    now_us : start of the tick [us].
    trp, beam, sector, free_us : (U,) first legs, and when each may carry data again [us].
    second_trp, second_beam, second_sector, second_us : (U,) second legs, -1 for none, and when each becomes active [us].
    known_dl_db, known_ul_db : (U,) SINR known of the first legs [dB].
    margin_db : what link adaptation takes off it [dB].
    """
    n_ue = trp.size
    trps, beams, sectors = np.empty((n_ue, 2), np.int64), np.empty((n_ue, 2), np.int64), np.empty((n_ue, 2), np.int64)
    usable = np.empty((n_ue, 2), np.bool_)
    sinr_dl_db, sinr_ul_db = np.empty(n_ue), np.empty(n_ue)
    for u in range(n_ue):
        trps[u, 0], beams[u, 0], sectors[u, 0] = trp[u], beam[u], sector[u]
        trps[u, 1], beams[u, 1], sectors[u, 1] = second_trp[u], second_beam[u], second_sector[u]
        usable[u, 0] = free_us[u] <= now_us
        usable[u, 1] = second_trp[u] >= 0 and second_us[u] <= now_us
        sinr_dl_db[u] = known_dl_db[u] - margin_db
        sinr_ul_db[u] = known_ul_db[u] - margin_db
    return trps, beams, sectors, usable, np.ones(n_ue, np.int64), sinr_dl_db, sinr_ul_db
