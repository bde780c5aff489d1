"""The bound: a network that knows the channel of the coming tick, and that no timer holds up."""

from __future__ import annotations

from dataclasses import replace

from radio.config import RadioConfig
from radio.policies import kernels
from radio.policies.base import Observation
from radio.policies.human_aware import HumanAwarePolicy
from radio.policies.reports import Best, Report
from radio.types import Plan

PREFER_DB = 0.5
"""Another pair has to be better by this for the oracle to change [dB]."""
_NEVER_OUT_DB = -1e3


class OraclePolicy(HumanAwarePolicy):
    """The planner of `human_aware` with the true channel in the place of reports and forecasts.

    Parameters
    ----------
    config : the radio section.
    n_ue : number of UEs U.

    Notes
    -----
    - It alone is shown ``Observation.truth``: the sweep of the tick that is planned, with the bodies where they will be, neither
      late nor rounded. Beams and TRPs change at once, interrupt nothing and are never lost, so to know more of the future would
      not help it.
    - A first pair is kept until another is better by ``PREFER_DB``, so that equal ones do not take turns; a second one is chosen
      anew in every tick.
    - What others will send in the tick it cannot know: interference is what the last tick's loads make of it, as for
      `human_aware`, and what is left of that it learns from measurements.
    - It bounds what better knowledge of bodies can bring to this planner, tick by tick, not what every conceivable plan might.
    """

    name = "oracle"
    wants_forecast = False
    sees_truth = True

    def __init__(self, config: RadioConfig, n_ue: int) -> None:
        super().__init__(config, n_ue)
        for timer in (kernels.TTT, kernels.INTERRUPTION, kernels.TCI, kernels.HOLD):
            self._timers[timer] = 0
        self._levels[kernels.HYSTERESIS] = PREFER_DB
        self._levels[kernels.QOUT] = _NEVER_OUT_DB

    def plan(self, observation: Observation) -> Plan:
        """Return the plan of the coming tick."""
        truth = observation.truth
        if truth is None:
            raise ValueError("the oracle needs the true channel of the tick: Observation.truth is None")
        self._legs[[kernels.SECOND_TRP, kernels.SECOND_BEAM, kernels.SECOND_SECTOR]] = -1  # chosen anew: it costs nothing
        return super().plan(replace(observation, report=truth, forecast=(truth,)))

    def _advance(self, observation: Observation) -> tuple[Report, Best]:
        """Bring the serving legs up to date, beams that are chosen in this very tick among them."""
        report, best = super()._advance(observation)
        if self._next_switch_us <= observation.time_us:
            self._next_switch_us = kernels.activate_beams(
                observation.time_us, self._legs, self._known, self._levels, report.gain, report.budget
            )
        return report, best
