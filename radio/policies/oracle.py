"""The bound: a network that knows the channel of the coming tick, and that no timer holds up."""

from __future__ import annotations

import numpy as np

from radio.config import RadioConfig
from radio.policies import kernels_bounds as bounds
from radio.policies.base import Observation, evm_ceiling
from radio.types import FloatArray, IntArray, Plan


class OraclePolicy:
    """Best pair of the true channel in every tick, and a second one where the best is short of margin.

    Parameters
    ----------
    config : the radio section.
    n_ue : number of UEs U.

    Notes
    -----
    - It alone is shown ``Observation.truth``: the sweep of the tick that is planned, with the bodies where they will be, neither
      late nor rounded. Beams and TRPs change at once and interrupt nothing, so to know more of the future would not help it.
    - A pair is kept until another is better by ``PREFER_DB``, so that equal ones do not take turns.
    - What interference takes it learns as everybody does, from the last measurement of the serving leg. Link adaptation reckons
      with the true SNR under the EVM ceiling, less that, less ``margin_db``: what others will send in the tick it cannot know.
    - While that is below ``risk_sinr_db`` in either direction, the best pair of another TRP carries every control message a
      second time.
    - Its choice is by SNR, tick by tick: it bounds what better knowledge of bodies can bring, not what joint scheduling of all
      devices might.
    """

    name = "oracle"
    sees_truth = True

    def __init__(self, config: RadioConfig, n_ue: int) -> None:
        self._margin_db = config.link_adaptation.margin_db
        self._risk_db = config.human_aware.risk_sinr_db
        self._evm = evm_ceiling(config)
        self._legs: IntArray = np.full((3, n_ue, 2), -1, dtype=np.int64)
        self._expected_db: FloatArray = np.full((2, n_ue), np.nan)
        self._taken_db: FloatArray = np.zeros((2, n_ue))
        self._measured_us = -1

    def plan(self, observation: Observation) -> Plan:
        """Return the plan of the coming tick."""
        truth = observation.truth
        if truth is None:
            raise ValueError("the oracle needs the true channel of the tick: Observation.truth is None")
        if observation.serving_occasions > 0 and observation.serving_time_us != self._measured_us:
            self._measured_us = observation.serving_time_us
            bounds.learn_interference(self._expected_db, observation.serving_dl_db, observation.serving_ul_db, self._taken_db)
        best, n_ue = truth.best(), self._legs.shape[1]
        legs, sinr_db = self._legs.copy(), np.empty((2, n_ue))
        bounds.follow_truth(
            self._margin_db, self._risk_db, self._evm, truth.gain, truth.budget, best.dl_db, best.beam, best.sector,
            self._taken_db, legs, self._expected_db, sinr_db,
        )  # fmt: skip
        self._legs = legs.copy()
        return Plan(legs[0], legs[1], legs[2], legs[0] >= 0, np.ones(n_ue, dtype=np.int64), sinr_db[0], sinr_db[1])
