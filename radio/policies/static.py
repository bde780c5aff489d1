"""The network that knows the empty hall and nothing else."""

from __future__ import annotations

import numpy as np

from radio.config import RadioConfig
from radio.policies import kernels
from radio.policies.base import Observation, evm_ceiling
from radio.policies.reports import Report
from radio.types import IntArray, Plan


class StaticPolicy:
    """Best TRP and beam of the empty hall at the UE's place, whatever bodies do.

    The survey is a map: a change of TRP or beam is prepared and interrupts nothing. A TRP is kept until another is better by
    ``hysteresis_db``. Link adaptation reckons with the survey's SNR under the EVM ceiling, less ``margin_db``.

    Parameters
    ----------
    config : the radio section.
    n_ue : number of UEs U.
    """

    name = "static"

    def __init__(self, config: RadioConfig, n_ue: int) -> None:
        self._hysteresis_db = config.beam_management.hysteresis_db
        self._margin_db = config.link_adaptation.margin_db
        self._evm = evm_ceiling(config)
        self._present: IntArray = np.full(n_ue, -1, dtype=np.int64)
        self._plan: Plan | None = None
        self._survey_us: int | None = None

    def plan(self, observation: Observation) -> Plan:
        """Return the plan of the coming tick: the same one until there is a new survey."""
        survey = observation.survey
        if self._plan is None or survey.time_us != self._survey_us:
            self._survey_us = survey.time_us
            self._plan = self._follow(survey)
        return self._plan

    def _follow(self, survey: Report) -> Plan:
        best, n_ue = survey.best(), len(self._present)
        legs, sinr_db = np.full((3, n_ue, 2), -1, dtype=np.int64), np.empty((2, n_ue))
        kernels.follow_map(
            self._present, self._hysteresis_db, self._margin_db, self._evm,
            best.dl_db, best.ul_db, best.beam, best.sector, legs, sinr_db,
        )  # fmt: skip
        usable = np.zeros((n_ue, 2), dtype=np.bool_)
        usable[:, 0] = True  # a second leg is never there
        return Plan(legs[0], legs[1], legs[2], usable, np.ones(n_ue, dtype=np.int64), sinr_db[0], sinr_db[1])
