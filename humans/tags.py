"""Location tags: what a real hall would tell of where people are, instead of the twin's perfect poses."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
from numba import njit
from pydantic import Field

from humans.body import JOINTS, pose_one
from humans.forecast_types import ForecastConfig
from humans.gait import gait_joints
from humans.types import BoolArray, FloatArray, PeopleState

_GAP_S = 1.0  # mean length of a gap in a tag's stream; assumed
_JITTER = 0.5  # share of the mean delay that is drawn, exponentially; assumed


class WatchConfig(ForecastConfig):
    """How people are forecast, and from what: the forecaster of a hall has tags at best, and often nothing."""

    observed_by: Literal["poses", "tags", "nothing"] = Field(
        "poses",
        description="poses: everybody's true pose; tags: noisy places, with gaps and delays, and no pose; nothing: stations "
        "alone, for what is known of where people are on average.",
    )
    tag_sigma_m: float = Field(
        0.15, ge=0.05, le=0.3, description="Standard deviation of a tag's error along each axis [m], 0.05 to 0.3."
    )
    tag_rate_hz: float = Field(5.0, ge=1.0, le=10.0, description="Places that a tag reports per second [Hz], 1 to 10.")
    tag_gap_share: float = Field(
        0.05, ge=0.0, le=0.5, description="Share of the time in which a tag is not heard, a second or so at a time, 0 to 0.5."
    )
    tag_delay_ms: float = Field(
        100.0, ge=0.0, le=1000.0, description="From measuring a place to knowing it, on average [ms], 0 to 1000."
    )


class TagReport(NamedTuple):
    """Places as the tags told them: stamp [us], when it is known [us], (n, 2) places [m], (n,) who was heard."""

    time_us: int
    known_us: int
    position_m: FloatArray
    heard: BoolArray


class TagStream:
    """Tags that people wear.

    All tags are read at the same instants. A reading has independent noise on both axes; gaps begin and end at random (a
    two-state Markov chain); each instant's readings arrive together, half the mean delay later and an exponential draw of the
    other half, so that some arrive after later ones.

    Parameters
    ----------
    n_people : number of people, fixed.
    config : rate, noise, gaps and delay.
    rng : generator of all of that.
    """

    def __init__(self, n_people: int, config: WatchConfig, rng: np.random.Generator) -> None:
        self._config, self._rng = config, rng
        self._period_us = round(1e6 / config.tag_rate_hz)
        self._silent: BoolArray = rng.random(n_people) < config.tag_gap_share
        self._position: FloatArray = np.zeros((n_people, 2))
        self._present: BoolArray = np.zeros(n_people, np.bool_)
        self._last_us = -1
        self._on_the_way: list[TagReport] = []

    def read(self, time_us: int, position_m: FloatArray, present: BoolArray) -> list[TagReport]:
        """Return what has become known since the last call, in the order of arrival.

        Parameters
        ----------
        time_us : now [us]; later than in the last call.
        position_m : (n, 2) true places [m]; between two calls people are taken to have moved evenly.
        present : (n,) who is in the hall; tags outside are not heard.

        Raises
        ------
        ValueError
            If time has not gone on.
        """
        if time_us <= self._last_us:
            raise ValueError(f"time_us {time_us} is not after the last reading at {self._last_us}; give a later instant")
        first = 0 if self._last_us < 0 else self._last_us // self._period_us + 1
        if self._last_us < 0:
            first = -(-time_us // self._period_us)  # nothing is known of what was before
        both = present & self._present if self._last_us >= 0 else present
        for stamp in range(first * self._period_us, time_us + 1, self._period_us):
            share = 1.0 if self._last_us < 0 else (stamp - self._last_us) / (time_us - self._last_us)
            place = np.where(both[:, None], self._position + share * (position_m - self._position), position_m)
            if self._last_us < 0:
                place = position_m
            self._on_the_way.append(self._reading(stamp, place, both))
        self._position, self._present, self._last_us = position_m.copy(), present.copy(), time_us
        arrived = sorted((r for r in self._on_the_way if r.known_us <= time_us), key=lambda r: r.known_us)
        self._on_the_way = [r for r in self._on_the_way if r.known_us > time_us]
        return arrived

    def _reading(self, stamp: int, place: FloatArray, there: BoolArray) -> TagReport:
        config, rng = self._config, self._rng
        n, share = len(there), config.tag_gap_share
        # The chain of gaps: on average _GAP_S long, and silent for the wanted share of time.
        ends = 1.0 - np.exp(-self._period_us * 1e-6 / _GAP_S)
        begins = min(ends * share / (1.0 - share), 1.0)
        draw = rng.random(n)
        self._silent = np.where(self._silent, draw >= ends, draw < begins)
        noisy = place + rng.normal(0.0, config.tag_sigma_m, (n, 2))
        mean_us = 1000.0 * config.tag_delay_ms
        delay_us = round(mean_us * (1.0 - _JITTER) + mean_us * _JITTER * rng.exponential())
        return TagReport(stamp, stamp + delay_us, noisy, there & ~self._silent)


@njit(cache=True)
def _stand(position, heading, stature, out_a, out_b) -> None:  # type: ignore[no-untyped-def]
    joints = np.zeros(JOINTS)
    gait_joints(0.0, 0.0, 1.7, 1.0, joints)
    for i in range(position.shape[0]):
        pose_one(position[i, 0], position[i, 1], heading[i], stature[i], joints, out_a[i], out_b[i])


def known_by_place(people: PeopleState, position_m: FloatArray, heading_rad: FloatArray, known: BoolArray) -> PeopleState:
    """Return people of whom only places are known: upright bodies that stand, empty-handed but for their panels.

    Parameters
    ----------
    people : everybody now; statures are taken from it, for tags are given to people.
    position_m : (n, 2) where they are taken to be [m]. heading_rad : (n,) which way they are taken to face [rad].
    known : (n,) who is known to be in the hall.
    """
    capsule_a, capsule_b = np.empty_like(people.capsule_a), np.empty_like(people.capsule_b)
    place = np.where(known[:, None], position_m, people.position_m)
    _stand(place, heading_rad, people.stature_m, capsule_a, capsule_b)
    holder = people.panel_holder
    panel = people.panel_position_m.copy()
    ahead = np.stack([np.cos(heading_rad[holder]), np.sin(heading_rad[holder])], axis=1)
    reach = np.hypot(*(panel[:, :2] - people.position_m[holder]).T)[:, None]
    panel[:, :2] = place[holder] + reach * ahead
    nothing = np.zeros((0, 3))
    return replace(
        people, present=known, position_m=place, heading_rad=heading_rad, capsule_a=capsule_a, capsule_b=capsule_b,
        activity=np.zeros_like(people.activity), panel_position_m=panel, load_holder=np.zeros(0, np.int64), load_center_m=nothing,
        load_half_m=nothing,
    )  # fmt: skip
