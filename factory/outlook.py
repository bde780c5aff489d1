"""What a network can expect of the people: where they go on to as they walk, or futures drawn by the calibrated forecaster."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from factory.rooms import generator
from factory.scenario import Scenario
from humans.forecast import Forecaster, bodies_of_samples, forecast_constant_velocity
from humans.types import PeopleState


class Outlook:
    """People ahead of now, as often as a network wants to know.

    Parameters
    ----------
    scenario : with one future per instant (``radio.human_aware.futures``) people are expected to go on as they walk; with
        several, whole bodies are drawn from a forecaster that has watched the hall since the run began. It sees positions
        and knows where the stations are, never where somebody means to go.
    n_people : number of people, fixed for a run.
    """

    def __init__(self, scenario: Scenario, n_people: int) -> None:
        aware = scenario.radio.human_aware
        self.horizon_us: npt.NDArray[np.int64] = np.array([round(h * 1000) for h in aware.horizons_ms], dtype=np.int64)
        self._futures = aware.futures
        self.forecaster: Forecaster | None = None
        if self._futures > 1:
            stations = np.array([s.position_m for s in scenario.people.stations], dtype=np.float64).reshape(-1, 2)
            rng = generator(scenario.seed, "forecast")
            self.forecaster = Forecaster(n_people, scenario.people.forecast, stations, rng)

    def ahead(self, now_us: int, people: PeopleState) -> list[list[PeopleState]]:
        """Return for each horizon the people of every future, equally likely.

        Parameters
        ----------
        now_us : instant of ``people`` [us]. people : everybody now.
        """
        if self.forecaster is None:
            return [[forecast_constant_velocity(people, int(h) / 1e6)] for h in self.horizon_us]
        self.forecaster.observe(now_us, people.position_m, people.present)
        samples = self.forecaster.samples(people, self.horizon_us, self._futures)
        every = range(self._futures)
        return [[bodies_of_samples(people, samples, s, h) for s in every] for h in range(len(self.horizon_us))]
