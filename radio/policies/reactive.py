"""The network of today: it measures, waits for its timers, and follows."""

from __future__ import annotations

import numpy as np
from numba import njit

from radio.config import RadioConfig
from radio.policies.base import Observation, capped_db, evm_ceiling, recovery_tail_us, write_plan
from radio.policies.reports import Report
from radio.types import BoolArray, FloatArray, IntArray, Plan


@njit(cache=True, fastmath=False)
def judge_serving(
    time_us: int, occasions: int, serving_dl_db: FloatArray, serving_ul_db: FloatArray,
    since_us: IntArray, free_us: IntArray, recovering: BoolArray, qout_db: float, max_count: int,
    known_dl_db: FloatArray, known_ul_db: FloatArray, failures: IntArray,
) -> tuple[BoolArray, bool]:  # fmt: skip
    """Take a measurement of the serving legs into what is known and into the failure counters, both in place.

    A leg that changed or was interrupted since the measurement was not measured.

    Returns
    -------
    (U,) whether beam failure is declared, and whether it is for any.
    """
    any_failed = False
    failed = np.zeros(since_us.size, dtype=np.bool_)
    for u in range(since_us.size):
        sinr_db = serving_dl_db[u, 0]
        if since_us[u] > time_us or free_us[u] > time_us or not np.isfinite(sinr_db):
            failures[u] = 0
            continue
        known_dl_db[u] = sinr_db
        known_ul_db[u] = serving_ul_db[u, 0]
        failures[u] = failures[u] + occasions if sinr_db < qout_db else 0
        failed[u] = failures[u] >= max_count and not recovering[u]
        any_failed = any_failed or failed[u]
    return failed, any_failed


@njit(cache=True, fastmath=False)
def any_due(wanted: BoolArray, from_us: IntArray, now_us: int) -> bool:
    """Return whether a time has come for anybody for whom it is wanted; a time below 0 never comes."""
    for u in range(from_us.size):
        if wanted[u] and 0 <= from_us[u] <= now_us:
            return True
    return False


@njit(cache=True, fastmath=False)
def follow_report(
    snr_db: FloatArray, best_db: FloatArray, best_beam: IntArray, best_sector: IntArray,
    now_us: int, report_us: int, hysteresis_db: float, tci_us: int, ttt_us: int,
    trp: IntArray, beam: IntArray, sector: IntArray, free_us: IntArray, recovering: BoolArray, held: BoolArray,
    next_beam: IntArray, next_sector: IntArray, switch_us: IntArray, candidate: IntArray, candidate_us: IntArray,
) -> tuple[BoolArray, IntArray, bool]:  # fmt: skip
    """Take a report's sectors, beams of the serving TRP and candidates for another TRP into the state, in place.

    Returns
    -------
    (U,) whether the TRP is to be changed now, (U,) the best other TRP, and whether anybody changes.
    """
    n_ue, n_trp = best_db.shape
    change = np.zeros(n_ue, dtype=np.bool_)
    other = np.zeros(n_ue, dtype=np.int64)
    any_change = False
    for u in range(n_ue):
        t, b = trp[u], beam[u]
        settled = free_us[u] <= now_us and not recovering[u]
        if settled:
            sector[u] = snr_db[u, t, b].argmax()
        own_db = best_db[u, t]
        switch_us[u] = -1
        if settled and own_db > snr_db[u, t, b, sector[u]] + hysteresis_db:
            next_beam[u], next_sector[u] = best_beam[u, t], best_sector[u, t]
            switch_us[u] = now_us + tci_us
        other_db = -np.inf
        for o in range(n_trp):
            if o != t and best_db[u, o] > other_db:
                other_db = best_db[u, o]
                other[u] = o
        if settled and not held[u] and other_db > own_db + hysteresis_db:
            if other[u] != candidate[u]:
                candidate_us[u] = report_us
            candidate[u] = other[u]
            change[u] = report_us - candidate_us[u] >= ttt_us
            any_change = any_change or change[u]
        else:
            candidate[u] = -1
    return change, other, any_change


class ReactivePolicy:
    """Beam management by L1-RSRP reports, beam failure detection and recovery (TS 38.213, 38.321, 38.331).

    Parameters
    ----------
    config : the radio section.
    n_ue : number of UEs U.

    Notes
    -----
    - The UE first attaches to the best pair of the survey.
    - Beam of the serving TRP: with every report, the best one if better than the present by ``hysteresis_db``; in use
      ``tci_activation_ms`` later, until then the old one serves. The UE's own sector follows each report at once.
    - TRP: another one whose best beam was better by the hysteresis in every report for ``time_to_trigger_ms``; no data for
      ``trp_switch_interruption_ms``.
    - Beam failure: serving SINR below ``qout_db`` at ``beam_failure_max_count`` consecutive occasions. No data until the next
      PRACH occasion, 4 slots, the PDCCH and 28 symbols have passed; then the best pair of the latest report serves.
    - Link adaptation: last measured SINR of the leg, or its reported SNR under the EVM ceiling while it was not yet measured,
      less ``margin_db``.
    """

    name = "reactive"

    def __init__(self, config: RadioConfig, n_ue: int) -> None:
        beams = config.beam_management
        self._hysteresis_db = beams.hysteresis_db
        self._ttt_us = beams.time_to_trigger_ms * 1000
        self._interruption_us = round(beams.trp_switch_interruption_ms * 1000)
        self._tci_us = round(beams.tci_activation_ms * 1000)
        self._max_count = beams.beam_failure_max_count
        self._qout_db = beams.qout_db
        self._prach_us = round(beams.prach_period_ms * 1000)
        self._tail_us = recovery_tail_us(config)
        self._margin_db = config.link_adaptation.margin_db
        self._evm = evm_ceiling(config)
        self._rows = np.arange(n_ue)

        def ints(value: int) -> IntArray:
            return np.full(n_ue, value, dtype=np.int64)

        self._trp, self._beam, self._sector = ints(-1), ints(0), ints(0)
        self._since_us = ints(0)  # present leg serves since
        self._free_us = ints(0)  # no data before
        self._next_beam, self._next_sector, self._switch_us = ints(0), ints(0), ints(-1)
        self._candidate, self._candidate_us = ints(-1), ints(0)
        self._failures = ints(0)
        self._recovering: BoolArray = np.zeros(n_ue, dtype=np.bool_)
        self._known_dl_db: FloatArray = np.zeros(n_ue)
        self._known_ul_db: FloatArray = np.zeros(n_ue)
        self._report: Report | None = None
        self._report_us = -1
        self._serving_us = -1
        self._none = ints(-1)
        self._nobody: BoolArray = np.zeros(n_ue, dtype=np.bool_)
        self._everybody: BoolArray = np.ones(n_ue, dtype=np.bool_)

    def plan(self, observation: Observation) -> Plan:
        """Return the plan of the coming tick."""
        self._advance(observation)
        return self._planned(observation.time_us, self._none, self._none, self._none, self._none)

    def _planned(self, now_us: int, trp: IntArray, beam: IntArray, sector: IntArray, from_us: IntArray) -> Plan:
        """Return the plan of the present legs and these second ones."""
        return Plan(
            *write_plan(
                now_us, self._trp, self._beam, self._sector, self._free_us, trp, beam, sector, from_us,
                self._known_dl_db, self._known_ul_db, self._margin_db,
            )
        )  # fmt: skip

    def _advance(self, observation: Observation) -> None:
        """Bring the serving legs up to date."""
        now_us = observation.time_us
        if self._report is None:
            self._report = observation.survey
            self._attach(self._everybody, observation.survey, now_us)
        if any_due(self._everybody, self._switch_us, now_us):
            self._activate_beams(now_us)
        report = observation.report
        if report is not None and report.time_us != self._report_us:
            self._report, self._report_us = report, report.time_us
            self._follow_report(report, now_us)
        if observation.serving_occasions > 0 and observation.serving_time_us != self._serving_us:
            self._serving_us = observation.serving_time_us
            self._follow_serving(observation)
        if any_due(self._recovering, self._free_us, now_us):
            self._finish_recovery(self._report, now_us)

    def _attach(self, mask: BoolArray, report: Report, now_us: int) -> None:
        """Let the UEs of a mask be served by the best pair of a report."""
        best = report.best()
        trp = best.dl_db.argmax(axis=1)
        self._move(mask, trp, best.beam[self._rows, trp], best.sector[self._rows, trp], now_us)

    def _move(self, mask: BoolArray, trp: IntArray, beam: IntArray, sector: IntArray, since_us: int) -> None:
        """Let the UEs of a mask be served by another leg from now on; what the report says of it is all that is known."""
        if self._report is None:
            return
        self._trp = np.where(mask, trp, self._trp)
        self._beam = np.where(mask, beam, self._beam)
        self._sector = np.where(mask, sector, self._sector)
        self._since_us = np.where(mask, since_us, self._since_us)
        self._switch_us = np.where(mask, -1, self._switch_us)
        self._candidate = np.where(mask, -1, self._candidate)
        self._failures = np.where(mask, 0, self._failures)
        pair = (self._rows, self._trp, self._beam, self._sector)
        self._known_dl_db = np.where(mask, capped_db(self._report.snr_dl_db[pair], self._evm), self._known_dl_db)
        self._known_ul_db = np.where(mask, capped_db(self._report.snr_ul_db[pair], self._evm), self._known_ul_db)

    def _activate_beams(self, now_us: int) -> None:
        due = (self._switch_us >= 0) & (self._switch_us <= now_us)
        self._move(due, self._trp, self._next_beam, self._next_sector, now_us)

    def _follow_report(self, report: Report, now_us: int) -> None:
        best, rows = report.best(), self._rows
        change, other, any_change = follow_report(
            report.snr_dl_db, best.dl_db, best.beam, best.sector,
            now_us, report.time_us, self._hysteresis_db, self._tci_us, self._ttt_us,
            self._trp, self._beam, self._sector, self._free_us, self._recovering, self._held(),
            self._next_beam, self._next_sector, self._switch_us, self._candidate, self._candidate_us,
        )  # fmt: skip
        if any_change:
            self._free_us = np.where(change, now_us + self._interruption_us, self._free_us)
            self._move(change, other, best.beam[rows, other], best.sector[rows, other], now_us)

    def _held(self) -> BoolArray:
        """Return which UEs must not change their TRP by reports."""
        return self._nobody

    def _follow_serving(self, observation: Observation) -> None:
        failed, any_failed = judge_serving(
            observation.serving_time_us, observation.serving_occasions, observation.serving_dl_db, observation.serving_ul_db,
            self._since_us, self._free_us, self._recovering, self._qout_db, self._max_count,
            self._known_dl_db, self._known_ul_db, self._failures,
        )  # fmt: skip
        if any_failed:
            self._fail(failed, observation)

    def _fail(self, failed: BoolArray, observation: Observation) -> None:
        """Start beam failure recovery."""
        prach_us = -(-observation.time_us // self._prach_us) * self._prach_us
        self._recovering = self._recovering | failed
        self._free_us = np.where(failed, int(np.ceil(prach_us + self._tail_us)), self._free_us)
        self._failures = np.where(failed, 0, self._failures)
        self._switch_us = np.where(failed, -1, self._switch_us)

    def _finish_recovery(self, report: Report, now_us: int) -> None:
        found = self._recovering & (self._free_us <= now_us)
        self._recovering = self._recovering & ~found
        self._attach(found, report, now_us)
