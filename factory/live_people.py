"""People of the live twin: what the location tags told since the last tick goes into the tracks that the crowd follows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bridges.fusion import Fusion
from bridges.tags import TagObservations
from humans.tracked_crowd import TrackedCrowd

__all__ = ["LivePeople", "PeopleFigures", "PlantClock"]

_STEP_US = 50_000  # a twin that is late by less keeps its clock; beyond it, what was measured moves along


class PlantClock:
    """Twin time of the plant's time, while the twin keeps up with it.

    The difference is held as long as it changes by less than 50 ms, so that a late tick shakes nothing that was measured.
    """

    def __init__(self) -> None:
        self._offset_us: int | None = None

    def follow(self, time_us: int, now_s: float) -> int:
        """Say that it is ``time_us`` in the twin and ``now_s`` in the plant; returns by how much the past moved [us]."""
        offset_us = time_us - round(now_s * 1e6)
        if self._offset_us is None:
            self._offset_us = offset_us
            return 0
        moved = offset_us - self._offset_us
        if abs(moved) < _STEP_US:
            return 0
        self._offset_us = offset_us
        return moved

    def to_plant_us(self, time_us: int) -> int:
        """Return the plant's time [us since 1970] of an instant of the twin [us]."""
        if self._offset_us is None:
            raise ValueError("the clock follows nothing yet; call follow first")
        return time_us - self._offset_us

    def to_twin_us(self, measured_s: float) -> int:
        """Return the twin time [us] of an instant of the plant, seconds since 1970."""
        if self._offset_us is None:
            raise ValueError("the clock follows nothing yet; call follow first")
        return round(measured_s * 1e6) + self._offset_us


@dataclass(frozen=True, slots=True)
class PeopleFigures:
    """How well people are known, over everybody who is; NaN where nobody is known.

    Attributes
    ----------
    known : people. age_s, age_p95_s : age of their last place, median and 95 % [s].
    offset_m, offset_p95_m : distance of their last place to where the twin expected it [m].
    sigma_m : median standard deviation of their place along each axis [m].
    skill : forecast skill against standing still. innovation : mean normalised innovation squared over its expectation, 1 where
        accuracies are what the tags say.
    """

    known: int
    age_s: float
    age_p95_s: float
    offset_m: float
    offset_p95_m: float
    sigma_m: float
    skill: float
    innovation: float


class LivePeople:
    """Takes tags' places into the crowd at the start of a tick.

    Parameters
    ----------
    crowd : who follows them. drain : gives the places that came since the last call. same_instant_s : see :class:`Fusion`.

    Attributes
    ----------
    drain : as given; who records puts something of their own before it.
    clock : the plant's. fusion : how systems that see one person agree.
    """

    def __init__(self, crowd: TrackedCrowd, drain: Callable[[], TagObservations], same_instant_s: float) -> None:
        self._crowd, self.drain = crowd, drain
        self.clock, self.fusion = PlantClock(), Fusion(same_instant_s)
        self._epoch = -1

    def take_in(self, time_us: int, now_s: float) -> None:
        """Take in what came; ``time_us`` is the tick's [us], ``now_s`` the plant's clock, seconds since 1970."""
        tracker = self._crowd.tracker
        moved = self.clock.follow(time_us, now_s)
        if moved:
            tracker.shift(moved)
        places = self.drain()
        if not len(places.tag):
            return
        if places.epoch != self._epoch:
            # The old pseudonyms will not be heard again; their people come back under new ones with their next places.
            tracker.clear()
            self._epoch = places.epoch
        places = self.fusion.fuse(places)
        at_us = np.array([self.clock.to_twin_us(s) for s in places.measured_s.tolist()], np.int64)
        tracker.take(places.tag, at_us, places.position_m, places.accuracy_m)

    def figures(self) -> PeopleFigures:
        """Return how well people are known at the last tick."""
        known, tracker = self._crowd.estimate, self._crowd.tracker
        at = np.flatnonzero(known.known)
        if not len(at):
            nan = math.nan
            return PeopleFigures(0, nan, nan, nan, nan, nan, nan, nan)
        age_s = known.age_us[at] * 1e-6
        offset_m = tracker.offset_m[at]
        offset_m = offset_m[np.isfinite(offset_m)]
        offsets = np.quantile(offset_m, (0.5, 0.95)).tolist() if len(offset_m) else [math.nan, math.nan]
        age, age_p95 = np.quantile(age_s, (0.5, 0.95)).tolist()
        offset, offset_p95 = offsets
        sigma = float(np.median(known.sigma_m[at]))
        return PeopleFigures(len(at), age, age_p95, offset, offset_p95, sigma, tracker.skill, 0.5 * tracker.squared_innovation)
