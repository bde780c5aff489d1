"""The network of today: it measures, waits for its timers, and follows."""

from __future__ import annotations

import numpy as np

from radio.config import RadioConfig
from radio.policies import kernels
from radio.policies.base import Observation, evm_ceiling, recovery_tail_us
from radio.policies.outer_loop import OuterLoop
from radio.policies.reports import Best, Report
from radio.types import FloatArray, IntArray, Plan

_NO_TIMES: IntArray = np.zeros(0, dtype=np.int64)
_NO_LEVELS: FloatArray = np.zeros((0, 0, 0))


class ReactivePolicy:
    """Beam management by L1-RSRP reports, beam failure detection and recovery (TS 38.213, 38.321, 38.331).

    Parameters
    ----------
    config : the radio section.
    n_ue : number of UEs U.

    Attributes
    ----------
    outer_loop : margins that follow the messages, None where they are fixed.

    Notes
    -----
    - The UE first attaches to the best pair of the survey.
    - Beam of the serving TRP: with every report, the best one if better than the present by ``hysteresis_db``; in use
      ``tci_activation_ms`` later, until then the old one serves. The UE's own sector follows each report at once.
    - TRP: another one whose best beam was better by the hysteresis in every report for ``time_to_trigger_ms``; no data for
      ``trp_switch_interruption_ms``.
    - Beam failure: serving SINR below ``qout_db`` at ``beam_failure_max_count`` consecutive occasions. No data until the next
      PRACH occasion, 4 slots, the PDCCH and 28 symbols of the serving carrier have passed; then the best pair of the latest
      report serves.
    - Link adaptation: last measured SINR of the leg, or its reported SNR under the EVM ceiling while it was not yet measured,
      less ``margin_db``, or less the margin of ``link_adaptation.outer_loop`` (`radio.policies.outer_loop`).
    """

    name = "reactive"

    def __init__(self, config: RadioConfig, n_ue: int) -> None:
        beams, aware = config.beam_management, config.human_aware
        self._timers: IntArray = np.zeros(kernels.TIMERS, dtype=np.int64)
        self._timers[kernels.TTT] = beams.time_to_trigger_ms * 1000
        self._timers[kernels.INTERRUPTION] = round(beams.trp_switch_interruption_ms * 1000)
        self._timers[kernels.TCI] = round(beams.tci_activation_ms * 1000)
        self._timers[kernels.PRACH] = round(beams.prach_period_ms * 1000)
        self._timers[kernels.MAX_COUNT] = beams.beam_failure_max_count
        self._levels: FloatArray = np.zeros(kernels.LEVELS)
        self._levels[kernels.HYSTERESIS] = beams.hysteresis_db
        self._levels[kernels.QOUT] = beams.qout_db
        self._levels[kernels.MARGIN] = config.link_adaptation.margin_db
        self._levels[kernels.EVM] = evm_ceiling(config)
        self._levels[kernels.RISK] = aware.risk_sinr_db
        self._tail_us = recovery_tail_us(config)
        self._legs: IntArray = np.zeros((kernels.ROWS, n_ue), dtype=np.int64)
        for row in (kernels.SWITCH, kernels.CANDIDATE, kernels.SECOND_TRP, kernels.SECOND_BEAM, kernels.SECOND_SECTOR):
            self._legs[row] = -1
        self._legs[kernels.RISK_UNTIL] = -1
        self._known: FloatArray = np.zeros((kernels.KNOWN_ROWS, n_ue))
        self._report: Report | None = None
        self._best: Best | None = None
        self._report_us = -1
        self._serving_us = -1
        self._next_switch_us: int = kernels.NEVER_US
        # Forecasts that link adaptation may look at: target times (H,), best pairs of their links (H, U, T).
        self._forecast_us: IntArray = _NO_TIMES
        self._forecast_dl_db: FloatArray = _NO_LEVELS
        self._forecast_ul_db: FloatArray = _NO_LEVELS
        loop, margin_db = config.link_adaptation.outer_loop, config.link_adaptation.margin_db
        self.wants_feedback = loop.enabled
        self.outer_loop = OuterLoop(loop, margin_db, n_ue) if loop.enabled else None
        self._reckoned_db: FloatArray | None = None

    def plan(self, observation: Observation) -> Plan:
        """Return the plan of the coming tick."""
        self._advance(observation)
        return self._planned(observation.time_us)

    def _planned(self, now_us: int) -> Plan:
        n_ue = self._legs.shape[1]
        legs = np.empty((3, n_ue, 2), dtype=np.int64)
        usable, repetitions = np.empty((n_ue, 2), dtype=np.bool_), np.empty(n_ue, dtype=np.int64)
        sinr_db = np.empty((2, n_ue))
        kernels.write_plan(
            now_us, self._legs, self._known, self._timers, self._levels,
            self._forecast_us, self._forecast_dl_db, self._forecast_ul_db, legs, usable, repetitions, sinr_db,
        )  # fmt: skip
        if self.outer_loop is None:
            return Plan(legs[0], legs[1], legs[2], usable, repetitions, sinr_db[0], sinr_db[1])
        margin_db = self.outer_loop.margin_db.copy()
        sinr_db += self._levels[kernels.MARGIN] - margin_db
        self._reckoned_db = sinr_db.copy()
        return Plan(legs[0], legs[1], legs[2], usable, repetitions, sinr_db[0], sinr_db[1], margin_db)

    def _adapt(self, observation: Observation, measured: bool) -> None:
        """Let the outer loop follow messages, and measurements of first legs that serve since before them."""
        if self.outer_loop is None:
            return
        levels_db = None
        if measured:
            levels_db = np.array([observation.serving_dl_db[:, 0], observation.serving_ul_db[:, 0]])
            at_us = observation.serving_time_us
            levels_db[:, (self._legs[kernels.SINCE] > at_us) | (self._legs[kernels.FREE] > at_us)] = np.nan
        self.outer_loop.follow(observation.feedback, self._reckoned_db, levels_db)

    def _advance(self, observation: Observation) -> tuple[Report, Best]:
        """Bring the serving legs up to date; return the latest report and its best pairs."""
        now_us, legs, known = observation.time_us, self._legs, self._known
        report, best = self._report, self._best
        if report is None or best is None:
            self._report = report = observation.survey
            self._best = best = report.best()
            kernels.attach_all(now_us, legs, known, self._levels, report.gain, report.budget, best.dl_db, best.beam, best.sector)
        if self._next_switch_us <= now_us:
            kernels.activate_beams(now_us, legs, known, self._levels, report.gain, report.budget)
        is_new = False
        latest = observation.report
        if latest is not None and latest.time_us != self._report_us:
            is_new = True
            self._report, self._best = report, best = latest, latest.best()
            self._report_us = latest.time_us
        occasions = 0
        if observation.serving_occasions > 0 and observation.serving_time_us != self._serving_us:
            occasions, self._serving_us = observation.serving_occasions, observation.serving_time_us
        self._adapt(observation, occasions > 0)
        self._next_switch_us = kernels.advance(
            now_us, self._report_us, is_new, self._serving_us, occasions,
            observation.serving_dl_db, observation.serving_ul_db, legs, known, self._timers, self._levels, self._tail_us,
            report.gain, report.budget, best.dl_db, best.beam, best.sector,
            self._merits(observation, report, best) if is_new else best.dl_db,
        )  # fmt: skip
        return report, best

    def _merits(self, observation: Observation, report: Report, best: Best) -> FloatArray:
        """Return what TRPs are compared by (U, T) [dB]: the SNR of their best pairs."""
        return best.dl_db
