"""The network that knows the empty hall and nothing else."""

from __future__ import annotations

import numpy as np

from radio.config import RadioConfig
from radio.policies.base import Observation, best_pairs, capped_db, evm_ceiling, single_leg
from radio.types import FloatArray, IntArray, Plan


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
        self._trp: IntArray = np.full(n_ue, -1, dtype=np.int64)
        self._beam: IntArray = np.zeros(n_ue, dtype=np.int64)
        self._sector: IntArray = np.zeros(n_ue, dtype=np.int64)
        self._sinr_dl_db: FloatArray = np.zeros(n_ue)
        self._sinr_ul_db: FloatArray = np.zeros(n_ue)
        self._survey_us: int | None = None

    def plan(self, observation: Observation) -> Plan:
        """Return the plan of the coming tick; it changes only with a new survey."""
        survey = observation.survey
        if survey.time_us != self._survey_us:
            self._survey_us = survey.time_us
            best_db, beam, sector = best_pairs(survey.snr_dl_db)
            rows = self._rows
            candidate = best_db.argmax(axis=1)
            kept = np.maximum(self._trp, 0)
            change = (self._trp < 0) | (best_db[rows, candidate] > best_db[rows, kept] + self._hysteresis_db)
            self._trp = np.where(change, candidate, kept)
            self._beam, self._sector = beam[rows, self._trp], sector[rows, self._trp]
            pair = (rows, self._trp, self._beam, self._sector)
            self._sinr_dl_db = capped_db(survey.snr_dl_db[pair], self._evm) - self._margin_db
            self._sinr_ul_db = capped_db(survey.snr_ul_db[pair], self._evm) - self._margin_db
        usable = np.ones(len(self._rows), dtype=np.bool_)
        return single_leg(self._trp, self._beam, self._sector, usable, self._sinr_dl_db.copy(), self._sinr_ul_db.copy())
