"""The network that knows the empty hall and nothing else."""

from __future__ import annotations

import numpy as np

from radio.config import RadioConfig
from radio.policies.base import Observation, capped_db, evm_ceiling
from radio.types import FloatArray, Plan


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
        self._rows = np.arange(n_ue)
        # TRP, beam and sector of both legs; the second is never there.
        self._legs = np.full((3, n_ue, 2), -1, dtype=np.int64)
        self._usable = np.tile([True, False], (n_ue, 1))
        self._once = np.ones(n_ue, dtype=np.int64)
        self._sinr_db: FloatArray = np.zeros((2, n_ue))
        self._survey_us: int | None = None

    def plan(self, observation: Observation) -> Plan:
        """Return the plan of the coming tick; it changes only with a new survey."""
        survey = observation.survey
        if survey.time_us != self._survey_us:
            self._survey_us = survey.time_us
            best, rows, present = survey.best(), self._rows, self._legs[0, :, 0]
            candidate = best.dl_db.argmax(axis=1)
            kept = np.maximum(present, 0)
            change = (present < 0) | (best.dl_db[rows, candidate] > best.dl_db[rows, kept] + self._hysteresis_db)
            trp = np.where(change, candidate, kept)
            pair = (rows, trp, best.beam[rows, trp], best.sector[rows, trp])
            self._legs[:, :, 0] = pair[1:]
            self._sinr_db[0] = capped_db(survey.snr_dl_db[pair], self._evm) - self._margin_db
            self._sinr_db[1] = capped_db(survey.snr_ul_db[pair], self._evm) - self._margin_db
        legs, sinr_db = self._legs.copy(), self._sinr_db.copy()
        return Plan(legs[0], legs[1], legs[2], self._usable.copy(), self._once.copy(), sinr_db[0], sinr_db[1])
