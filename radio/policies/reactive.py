"""The network of today: it measures, waits for its timers, and follows."""

from __future__ import annotations

import numpy as np
from numba import njit

from radio.config import RadioConfig
from radio.policies.base import (
    Observation,
    Report,
    best_pairs,
    capped_db,
    evm_ceiling,
    recovery_tail_us,
    single_leg,
)
from radio.types import BoolArray, FloatArray, IntArray, Plan


@njit(cache=True, fastmath=False)
def judge_serving(
    time_us: int, occasions: int, serving_dl_db: FloatArray, serving_ul_db: FloatArray,
    since_us: IntArray, free_us: IntArray, recovering: BoolArray, qout_db: float, max_count: int,
    known_dl_db: FloatArray, known_ul_db: FloatArray, failures: IntArray,
) -> BoolArray:  # fmt: skip
    """Take a measurement of the serving legs into what is known and into the failure counters, both in place.

    A leg that changed or was interrupted since the measurement was not measured.

    Returns
    -------
    (U,) whether beam failure is declared.
    """
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
    return failed


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

    def plan(self, observation: Observation) -> Plan:
        """Return the plan of the coming tick."""
        self._advance(observation)
        return single_leg(
            self._trp,
            self._beam,
            self._sector,
            self._usable(observation.time_us),
            self._known_dl_db - self._margin_db,
            self._known_ul_db - self._margin_db,
        )

    def _usable(self, now_us: int) -> BoolArray:
        return np.asarray(self._free_us <= now_us, dtype=np.bool_)

    def _advance(self, observation: Observation) -> None:
        """Bring the serving legs up to date."""
        now_us = observation.time_us
        if self._report is None:
            self._report = observation.survey
            best_db, beam, sector = best_pairs(observation.survey.snr_dl_db)
            trp = best_db.argmax(axis=1)
            everyone = np.ones(len(self._rows), dtype=np.bool_)
            self._move(everyone, trp, beam[self._rows, trp], sector[self._rows, trp], now_us)
        self._activate_beams(now_us)
        report = observation.report
        if report is not None and report.time_us != self._report_us:
            self._report, self._report_us = report, report.time_us
            self._follow_report(report, now_us)
        if observation.serving_occasions > 0 and observation.serving_time_us != self._serving_us:
            self._serving_us = observation.serving_time_us
            self._follow_serving(observation)
        self._finish_recovery(now_us)

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
        if due.any():
            self._move(due, self._trp, self._next_beam, self._next_sector, now_us)

    def _follow_report(self, report: Report, now_us: int) -> None:
        rows = self._rows
        snr = report.snr_dl_db
        settled = (self._free_us <= now_us) & ~self._recovering
        self._sector = np.where(settled, snr[rows, self._trp, self._beam].argmax(axis=1), self._sector)
        best_db, beam, sector = best_pairs(snr)
        serving_db = snr[rows, self._trp, self._beam, self._sector]
        own_db = best_db[rows, self._trp]
        switch = settled & (own_db > serving_db + self._hysteresis_db)
        self._next_beam = np.where(switch, beam[rows, self._trp], self._next_beam)
        self._next_sector = np.where(switch, sector[rows, self._trp], self._next_sector)
        self._switch_us = np.where(switch, now_us + self._tci_us, -1)

        best_db[rows, self._trp] = -np.inf
        other = best_db.argmax(axis=1)
        better = settled & ~self._held() & (best_db[rows, other] > own_db + self._hysteresis_db)
        fresh = better & (other != self._candidate)
        self._candidate = np.where(better, other, -1)
        self._candidate_us = np.where(fresh, report.time_us, self._candidate_us)
        change = better & (report.time_us - self._candidate_us >= self._ttt_us)
        if change.any():
            self._free_us = np.where(change, now_us + self._interruption_us, self._free_us)
            self._move(change, other, beam[rows, other], sector[rows, other], now_us)

    def _held(self) -> BoolArray:
        """Return which UEs must not change their TRP by reports."""
        return np.zeros(len(self._rows), dtype=np.bool_)

    def _follow_serving(self, observation: Observation) -> None:
        failed = judge_serving(
            observation.serving_time_us, observation.serving_occasions, observation.serving_dl_db, observation.serving_ul_db,
            self._since_us, self._free_us, self._recovering, self._qout_db, self._max_count,
            self._known_dl_db, self._known_ul_db, self._failures,
        )  # fmt: skip
        if failed.any():
            self._fail(failed, observation)

    def _fail(self, failed: BoolArray, observation: Observation) -> None:
        """Start beam failure recovery."""
        prach_us = -(-observation.time_us // self._prach_us) * self._prach_us
        self._recovering = self._recovering | failed
        self._free_us = np.where(failed, int(np.ceil(prach_us + self._tail_us)), self._free_us)
        self._failures = np.where(failed, 0, self._failures)
        self._switch_us = np.where(failed, -1, self._switch_us)

    def _finish_recovery(self, now_us: int) -> None:
        found = self._recovering & (self._free_us <= now_us)
        if found.any() and self._report is not None:
            best_db, beam, sector = best_pairs(self._report.snr_dl_db)
            trp = best_db.argmax(axis=1)
            self._recovering = self._recovering & ~found
            self._move(found, trp, beam[self._rows, trp], sector[self._rows, trp], now_us)
