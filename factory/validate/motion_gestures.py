"""Whether gestures are forecast as often as they come: drawn futures beside what the twin's people then did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from factory.rooms import generator, walk_space
from factory.scenario import load_scenario
from factory.validate.motion_shift import day
from factory.validate.rows import Row
from humans.forecast_gestures import GestureWatch, draw_gestures
from humans.gestures import NO_GESTURE
from humans.shift_crowd import ShiftCrowd
from humans.types import ACTIVITIES, Occupancy

Floats = npt.NDArray[np.float64]

TABLE = "Gestures in drawn futures"
HORIZONS_S = (0.25, 0.5, 1.0, 2.0)
EDGES = np.array((0.0, 0.02, 0.1, 0.3, 0.6, 0.9, 1.0 + 1e-9))
"""Edges of the forecast probabilities that the reliability table holds together."""
_TICK_US, _LOOK_US, _EVERY_US, _FUTURES = 50_000, 100_000, 500_000, 50
_RAISED = [ACTIVITIES.index(name) for name in ("reach", "wave", "kneel")]

NOTES: Mapping[str, str] = {
    TABLE: """\
The share of fifty drawn futures in which somebody waves, reaches or kneels, beside what the twin's own people then did; the day
of the table above. The forecast knows the task's rates and since when somebody makes a gesture, not when the next one
is due. It takes people to stay where they are. The Brier skill is over the mean share of that horizon, and over the belief that
whatever is done now goes on."""
}
"""What is said below the heading of this table."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """Forecasts of gestures at one horizon, and what came.

    Attributes
    ----------
    horizon_s : how far ahead [s]. forecast : (k,) share of futures with a gesture. came : (k,) 1 where there was one, else 0.
    now : (k,) 1 where there was one when the forecast was made.
    """

    horizon_s: float
    forecast: Floats
    came: Floats
    now: Floats

    def table(self) -> list[tuple[int, float, float]]:
        """Return number of forecasts, mean forecast and share that came, by the bins of :data:`EDGES`, empty ones apart."""
        part = np.digitize(self.forecast, EDGES) - 1
        bins = [part == b for b in range(len(EDGES) - 1)]
        return [(int(b.sum()), float(self.forecast[b].mean()), float(self.came[b].mean())) for b in bins if b.any()]

    def calibration_error(self) -> float:
        """Return the expected calibration error: mean gap of forecast and share that came, weighted by number."""
        return sum(n * abs(said - came) for n, said, came in self.table()) / len(self.came)

    def skill(self, other: Floats | float) -> float:
        """Return the Brier skill over another forecast (k,)."""
        against = float(np.mean((other - self.came) ** 2))
        return 1.0 - float(np.mean((self.forecast - self.came) ** 2)) / against if against > 0.0 else 0.0


def reliability(seed: int, minutes: float, horizons_s: tuple[float, ...] = HORIZONS_S) -> tuple[Reliability, ...]:
    """Forecast gestures of a day with everything on, twice a second.

    Parameters
    ----------
    seed, minutes : of the run. horizons_s : how far ahead [s], multiples of 0.05.
    """
    loaded = load_scenario("day-shift", []).scenario
    crowd = ShiftCrowd(day(loaded.people.model_dump()), walk_space(loaded.hall), generator(seed, "people"), None)
    watch, rng, nobody = GestureWatch(crowd.n), generator(seed, "gestures"), Occupancy.empty()
    horizon_us = np.array([round(h * 1e6) for h in horizons_s], dtype=np.int64)
    ticks = round(minutes * 60e6 / _TICK_US)
    raised, there = np.zeros((ticks + 1, crowd.n)), np.zeros((ticks + 1, crowd.n), np.bool_)
    made: list[tuple[int, Floats]] = []
    for k in range(1, ticks + 1):
        now = k * _TICK_US
        crowd.step(now, _TICK_US, nobody)
        people = crowd.state()
        raised[k], there[k] = np.isin(people.activity, _RAISED), people.present
        if now % _LOOK_US == 0:
            watch.observe(people)
        if now % _EVERY_US == 0:
            drawn = draw_gestures(people, watch.since_us, crowd.gesture_rates(), horizon_us, _FUTURES, rng)
            made.append((k, (drawn.kind != NO_GESTURE).mean(axis=0)))
    out = []
    for h, ahead in enumerate(horizon_us // _TICK_US):
        said, came, before = [], [], []
        for k, share in made:
            if k + ahead > ticks:
                break
            both = there[k] & there[k + ahead]
            said.append(share[both, h])
            came.append(raised[k + ahead, both])
            before.append(raised[k, both])
        out.append(Reliability(horizons_s[h], *(np.concatenate(part) for part in (said, came, before))))
    return tuple(out)


def gesture_rows() -> Iterator[Row]:
    """Rows on the calibration of forecast gestures."""
    for seen in reliability(1, 40.0):
        who = f"{seen.horizon_s:g} s ahead, n = {len(seen.came)}"
        yield Row(TABLE, f"{who}: expected calibration error", seen.calibration_error(), 0.03, "1", 0.0, "design", "at most")
        for what, other in (("the mean share", float(seen.came.mean())), ("what is done now going on", seen.now)):
            yield Row(TABLE, f"{who}: Brier skill over {what}", seen.skill(other), np.nan, "1", 0.01, "as found", "reported")
    for n, said, came in seen.table():
        case = f"{seen.horizon_s:g} s ahead, forecast {said:.3f}, n = {n}: share that came"
        yield Row(TABLE, case, came, said, "1", 0.01, "as forecast", "reported")
