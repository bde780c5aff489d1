"""People of a live twin: bodies that walk where location tags say, as :class:`humans.tracking.PeopleTracker` has them.

A tag tells a place and nothing of the pose. So bodies are upright, walk with the gait of their speed and face the way they went
last; statures are drawn, for a tag does not tell them, and panels are in the hands of those who came first.
"""

from __future__ import annotations

import math

import numpy as np

from humans.animation import Animation
from humans.body import capsule_radius_m, draw_statures
from humans.config import PeopleConfig
from humans.gestures import GestureRates
from humans.panels import hold_clear
from humans.pseudonyms import Pseudonyms
from humans.tracking import PeopleEstimate, PeopleTracker, TrackingConfig
from humans.types import STAND, WALK, BoolArray, FloatArray, IntArray, Occupancy, PeopleState, WalkSpace

__all__ = ["TrackedCrowd"]

_TURN_S = 0.3
_WALKS_MPS = 0.3  # what a filter says of somebody who stands is below this most of the time
_FORGET_EVERY_US = 1_000_000


class TrackedCrowd:
    """People from outside, in the place of simulated ones.

    Parameters
    ----------
    n : the most people at the same time, fixed. config : statures, panels and pseudonyms are taken from it.
    tracking : how places become tracks. space : the floor, for panels. rng : draws statures, gait phases and pseudonyms.

    Attributes
    ----------
    tracker : takes the places; whoever has them calls its ``take`` between two steps.
    estimate : what was known at the last step.
    """

    role_names = ("tagged",)

    def __init__(
        self, n: int, config: PeopleConfig, tracking: TrackingConfig, space: WalkSpace, rng: np.random.Generator
    ) -> None:
        self.tracker = PeopleTracker(n, tracking)
        self._space = space
        self._stature = draw_statures(config.stature_p5_m, config.stature_p95_m, n, rng)
        self._radius = capsule_radius_m(self._stature)
        self.holders: IntArray = np.arange(min(config.panels, n), dtype=np.int64)
        self._animation = Animation.create(self._stature, rng.random(n), self.holders, sway=True)
        self._names = Pseudonyms(n, config.pseudonym_rotation_s, rng)
        self._position: FloatArray = np.zeros((n, 2))
        self._velocity: FloatArray = np.zeros((n, 2))
        self._heading: FloatArray = np.zeros(n)
        self._present: BoolArray = np.zeros(n, np.bool_)
        self._time_us = 0
        self.estimate: PeopleEstimate = self.tracker.estimate(0)

    @property
    def n(self) -> int:
        """The most people at the same time."""
        return self.tracker.n

    def step(self, time_us: int, dt_us: int, occupancy: Occupancy) -> None:
        """Move everybody to where they are thought to be at ``time_us``; machines do not move them."""
        self._time_us = time_us
        if time_us % _FORGET_EVERY_US < dt_us:
            self.tracker.forget(time_us)
        self.estimate = known = self.tracker.estimate(time_us)
        new = known.known & ~self._present
        self._present = known.known
        inside = np.clip(known.position_m, 0.0, self._space.size_m)
        self._position = np.where(known.known[:, None], inside, self._position)
        self._velocity = np.where(known.known[:, None], known.velocity_mps, 0.0)
        speed = np.hypot(self._velocity[:, 0], self._velocity[:, 1])
        toward = np.arctan2(self._velocity[:, 1], self._velocity[:, 0])
        delta = (toward - self._heading + np.pi) % (2 * np.pi) - np.pi
        share = np.where(new, 1.0, np.where(speed > _WALKS_MPS, 1.0 - math.exp(-dt_us * 1e-6 / _TURN_S), 0.0))
        self._heading = self._heading + delta * share
        self._animation.advance(dt_us, np.where(speed > _WALKS_MPS, speed, 0.0))

    def gesture_rates(self) -> GestureRates:
        """Return no rates: tags do not tell what people do at their places."""
        return GestureRates.nothing_known(self.n)

    def state(self) -> PeopleState:
        """Return everybody at the time of the last step, in fresh arrays."""
        a, b, panel = self._animation.bodies(self._time_us, self._position, self._heading, self.holders)
        speed = np.hypot(self._velocity[:, 0], self._velocity[:, 1])
        return PeopleState(
            time_us=self._time_us,
            present=self._present.copy(),
            position_m=self._position.copy(),
            velocity_mps=self._velocity.copy(),
            tracked_velocity_mps=self._velocity.copy(),
            heading_rad=self._heading.copy(),
            stature_m=self._stature,
            capsule_a=a,
            capsule_b=b,
            capsule_radius_m=self._radius,
            activity=np.where(speed > _WALKS_MPS, WALK, STAND).astype(np.int64),
            role=np.zeros(self.n, dtype=np.int64),
            pseudonym=self._names.at(self._time_us),
            panel_holder=self.holders,
            panel_position_m=hold_clear(panel, self._position, self.holders, self._space),
            goal_m=self._position.copy(),
        )
