"""The planner of `human_aware` without forecasts: what robust link adaptation and a second leg bring where nobody sees people."""

from __future__ import annotations

from radio.config import RadioConfig
from radio.policies.base import Observation
from radio.policies.human_aware import HumanAwarePolicy
from radio.policies.reports import Report


class AdaptivePolicy(HumanAwarePolicy):
    """For every device the cheapest legs and rung whose risk is low enough, expecting that nothing moves.

    Parameters
    ----------
    config : the radio section.
    n_ue : number of UEs U.

    Notes
    -----
    It plans as often as `human_aware` and differs in one thing alone: instead of forecasts it has the latest report, for the
    nearest horizon. What `human_aware` does better, it does because it is told where people go.
    """

    name = "adaptive"
    wants_forecast = False

    def __init__(self, config: RadioConfig, n_ue: int) -> None:
        super().__init__(config, n_ue)
        aware = config.human_aware
        self._period_us, self._ahead_us = round(aware.period_ms * 1000), round(min(aware.horizons_ms) * 1000)
        self._still: Report | None = None
        self._still_of: Report | None = None

    def _coming(self, observation: Observation, report: Report) -> list[Report]:
        """Return the report once more, as what is expected until the next time that forecasts would come."""
        due_us = observation.time_us // self._period_us * self._period_us + self._ahead_us
        if self._still is None or self._still_of is not report or self._still.time_us != due_us:
            self._still, self._still_of = Report(due_us, report.gain, report.budget), report
        return [self._still]
