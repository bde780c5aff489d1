"""The network that sends every control message twice, always: robust, and dear."""

from __future__ import annotations

import numpy as np

from radio.config import RadioConfig
from radio.policies import kernels
from radio.policies import kernels_second as seconds
from radio.policies.base import Observation
from radio.policies.reactive import ReactivePolicy
from radio.types import FloatArray, Plan


class DuplicatePolicy(ReactivePolicy):
    """Reactive at its base, with the best pair of another TRP as a second leg at all times.

    Parameters
    ----------
    config : the radio section.
    n_ue : number of UEs U.

    Notes
    -----
    - Second leg: by every report the best pair of another TRP. It changes to a third TRP that is better by ``hysteresis_db``, in
      use ``trp_switch_interruption_ms`` later, and to another beam that is better by as much, in use ``tci_activation_ms`` later.
    - The legs change places, without interruption, when the second is measured better by the hysteresis, and instead of a beam
      recovery.
    - In a hall of one TRP the reactive base remains.
    """

    name = "duplicate"

    def __init__(self, config: RadioConfig, n_ue: int) -> None:
        super().__init__(config, n_ue)
        self._followed_us: int | None = None
        self._no_forecast_db: FloatArray = np.zeros(n_ue)

    def plan(self, observation: Observation) -> Plan:
        """Return the plan of the coming tick."""
        now_us = observation.time_us
        report, best = self._advance(observation)
        if seconds.drop_doubled(self._legs) or self._followed_us != report.time_us:
            self._followed_us = report.time_us
            seconds.follow_seconds(
                now_us, self._legs, self._timers, self._levels, report.gain, report.budget, best.dl_db, best.beam, best.sector
            )
        kernels.exchange_by_merit(
            now_us, observation.serving_time_us, observation.serving_dl_db, observation.serving_ul_db,
            self._no_forecast_db, False, self._legs, self._known, self._levels, report.gain, report.budget,
        )  # fmt: skip
        return self._planned(now_us)
