"""What a network can expect of the people: where they go on to as they walk, or futures drawn by the calibrated forecaster.

Of the forecaster's three sources (``people.forecast.observed_by``) the first is the twin's own knowledge: true poses, and what
task everybody has. Tags and nothing are what a hall without cameras has; then bodies are upright, where they are thought to be.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from factory.rooms import generator
from factory.scenario import Scenario
from humans.forecast import Forecaster, bodies_of_samples, forecast_constant_velocity
from humans.forecast_gestures import GestureWatch, draw_gestures, with_gestures
from humans.forecast_places import CELL_M
from humans.gestures import GestureRates
from humans.tags import TagStream, known_by_place
from humans.types import PeopleState

Futures = list[list[PeopleState]]


class Outlook:
    """People ahead of now, as often as a network wants to know.

    Parameters
    ----------
    scenario : with one future per instant (``radio.human_aware.futures``) people are expected to go on as they walk; with
        several, whole bodies are drawn from a forecaster that has watched the hall since the run began. It sees positions
        and knows where the stations are, never where somebody means to go.
    n_people : number of people, fixed for a run.

    Attributes
    ----------
    horizon_us : (H,) instants ahead [us].
    forecaster : None for one future.
    """

    def __init__(self, scenario: Scenario, n_people: int) -> None:
        aware = scenario.radio.human_aware
        self.horizon_us: npt.NDArray[np.int64] = np.array([round(h * 1000) for h in aware.horizons_ms], dtype=np.int64)
        self._futures, self._watch = aware.futures, scenario.people.forecast
        self.forecaster: Forecaster | None = None
        if self._futures <= 1:
            return
        stations = np.array([s.position_m for s in scenario.people.stations], dtype=np.float64).reshape(-1, 2)
        self.forecaster = Forecaster(n_people, self._watch, stations, generator(scenario.seed, "forecast"))
        self._rng = generator(scenario.seed, "forecast gestures")
        self._gestures = GestureWatch(n_people)
        self._tags = TagStream(n_people, self._watch, generator(scenario.seed, "tags"))
        size = scenario.hall.size_m[:2]
        if self._watch.observed_by == "nothing":
            self.forecaster.places.expect_at(stations, n_people)
            self._cells = np.stack(
                [a.ravel() for a in np.meshgrid(*(np.arange(0.5 * CELL_M, side, CELL_M) for side in size), indexing="ij")], axis=1
            )
            weight = self.forecaster.occupancy(self._cells)
            weight = weight if weight.sum() > 0.0 else np.ones(len(self._cells))
            self._share = weight / weight.sum()

    def ahead(self, now_us: int, people: PeopleState, rates: GestureRates | None = None) -> Futures:
        """Return for each horizon the people of every future, equally likely.

        Parameters
        ----------
        now_us : instant of ``people`` [us]. people : everybody now.
        rates : how often everybody begins a gesture at the present task; None leaves gestures as they are now.
        """
        if self.forecaster is None:
            return [[forecast_constant_velocity(people, int(h) / 1e6)] for h in self.horizon_us]
        if self._watch.observed_by == "tags":
            return self._by_tags(self.forecaster, now_us, people)
        if self._watch.observed_by == "nothing":
            return self._by_nothing(people)
        self.forecaster.observe(now_us, people.position_m, people.present)
        samples = self.forecaster.samples(people, self.horizon_us, self._futures)
        every = range(self._futures)
        futures = [[bodies_of_samples(people, samples, s, h) for s in every] for h in range(len(self.horizon_us))]
        self._gestures.observe(people)
        if rates is None:
            return futures
        drawn = draw_gestures(people, self._gestures.since_us, rates, self.horizon_us, self._futures, self._rng)
        return [
            [with_gestures(future, people, samples, drawn, s, h) for s, future in enumerate(row)] for h, row in enumerate(futures)
        ]

    def _by_tags(self, forecaster: Forecaster, now_us: int, people: PeopleState) -> Futures:
        """Futures of upright bodies from what the tags have told until now; nobody before the first report."""
        for report in self._tags.read(now_us, people.position_m, people.present):
            forecaster.observe(report.time_us, report.position_m, report.heard, sigma_m=self._watch.tag_sigma_m)
        known = forecaster.known()
        if not known.any():
            nobody = known_by_place(people, people.position_m, people.heading_rad, np.zeros_like(people.present))
            return [[nobody] * self._futures for _ in self.horizon_us]
        # The futures begin at the last report, which is some time ago.
        samples = forecaster.samples(None, self.horizon_us + (now_us - forecaster.time_us), self._futures)
        seen = known_by_place(people, samples.position_m[0, :, 0], samples.heading_rad[0, :, 0], known)
        every = range(self._futures)
        return [[bodies_of_samples(seen, samples, s, h) for s in every] for h in range(len(self.horizon_us))]

    def _by_nothing(self, people: PeopleState) -> Futures:
        """Futures of upright bodies where people are on average; each holds as many as there are people in the scenario."""
        n, everybody = len(people.present), np.ones_like(people.present)
        out: Futures = [[] for _ in self.horizon_us]
        for _ in range(self._futures):
            cell = self._rng.choice(len(self._cells), n, p=self._share)
            place = self._cells[cell] + self._rng.uniform(-0.5 * CELL_M, 0.5 * CELL_M, (n, 2))
            body = known_by_place(people, place, self._rng.uniform(-np.pi, np.pi, n), everybody)
            for row in out:
                row.append(body)
        return out
