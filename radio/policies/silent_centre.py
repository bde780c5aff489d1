"""What is left of a network while nobody plans for all devices: the last plan, and what TRPs and devices do by themselves.

Assumed: with the centre silent no beam, TRP or second leg changes by order, and the margin stays. The TRPs' schedulers go on
adapting the MCS to the measured serving SINR. A device whose beam fails (TS 38.213 clause 6, with the usual count)
re-establishes (TS 38.331 5.3.7): random access on the best pair of its own latest sweep, and ``reestablishment_ms`` beyond what
a beam recovery takes, for the TRP has to find the device's context without the centre. A TRP gives it its beam then, and no
second leg.
"""

from __future__ import annotations

import numpy as np

from radio.config import RadioConfig
from radio.policies import kernels
from radio.policies.base import Observation
from radio.policies.reactive import ReactivePolicy
from radio.policies.reports import Report
from radio.types import FloatArray, Plan


class CentreSpans:
    """Says when the centre is silent.

    Parameters
    ----------
    config : the radio section with its ``centre_outages``.
    """

    def __init__(self, config: RadioConfig) -> None:
        self._spans = [
            (round(o.start_s * 1e6), round((o.start_s + o.duration_s) * 1e6), o.reestablishment_ms) for o in config.centre_outages
        ]

    @property
    def any_planned(self) -> bool:
        """Whether the centre is ever silent."""
        return bool(self._spans)

    def at(self, time_us: int) -> float | None:
        """Return what re-establishment takes [ms] in the tick that begins at ``time_us``; None while the centre speaks."""
        return next((wait for start, end, wait in self._spans if start <= time_us < end), None)


class LeftAlone(ReactivePolicy):
    """Devices that were left with a plan; no policy to be asked for by name.

    Parameters
    ----------
    config : the radio section.
    last : plan of the last tick in which the centre spoke.
    time_us : start of the first silent tick [us].
    reestablishment_ms : what re-establishment takes beyond random access [ms].
    """

    name = "left_alone"

    def __init__(self, config: RadioConfig, last: Plan, time_us: int, reestablishment_ms: float) -> None:
        super().__init__(config, len(last.trp))
        self._tail_us = self._tail_us + reestablishment_ms * 1000.0
        for row, second, values in (
            (kernels.TRP, kernels.SECOND_TRP, last.trp),
            (kernels.BEAM, kernels.SECOND_BEAM, last.beam),
            (kernels.SECTOR, kernels.SECOND_SECTOR, last.sector),
        ):
            self._legs[row], self._legs[second] = values[:, 0], values[:, 1]
        self._legs[kernels.SINCE] = time_us
        margin_db = np.full((2, len(last.trp)), config.link_adaptation.margin_db) if last.margin_db is None else last.margin_db
        self._margin_db: FloatArray = margin_db
        self._known[:] = np.array([last.sinr_dl_db, last.sinr_ul_db]) + margin_db
        self.outer_loop = None

    def plan_alone(self, observation: Observation, own: Report) -> Plan:
        """Return the plan of the coming tick; ``own`` is the latest sweep that the devices measured themselves."""
        now_us, best = observation.time_us, own.best()
        occasions = 0
        if observation.serving_occasions > 0 and observation.serving_time_us != self._serving_us:
            occasions, self._serving_us = observation.serving_occasions, observation.serving_time_us
        recovering = self._legs[kernels.RECOVERING] != 0
        kernels.advance(
            now_us, self._report_us, False, self._serving_us, occasions, observation.serving_dl_db, observation.serving_ul_db,
            self._legs, self._known, self._timers, self._levels, self._tail_us, own.gain, own.budget, best.dl_db, best.beam,
            best.sector, best.dl_db,
        )  # fmt: skip
        back = recovering & (self._legs[kernels.RECOVERING] == 0)
        for row in (kernels.SECOND_TRP, kernels.SECOND_BEAM, kernels.SECOND_SECTOR):
            self._legs[row, back] = -1
        plan = self._planned(now_us)
        plan.sinr_dl_db[:] += self._levels[kernels.MARGIN] - self._margin_db[0]
        plan.sinr_ul_db[:] += self._levels[kernels.MARGIN] - self._margin_db[1]
        return Plan(
            plan.trp, plan.beam, plan.sector, plan.usable, plan.repetitions, plan.sinr_dl_db, plan.sinr_ul_db, self._margin_db
        )
