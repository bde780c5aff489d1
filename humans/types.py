"""The frozen arrays that enter and leave the humans room.

Frame: hall frame, metres, x along the length, y along the width, z up from the floor; yaw in rad counter-clockwise from +x.
Time: integer microseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from humans.gestures import GestureRates

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]

ACTIVITIES = ("walk", "stand", "work", "reach", "wave", "break", "kneel")
"""Names behind ``PeopleState.activity``."""
WALK, STAND, WORK, REACH, WAVE, BREAK, KNEEL = range(7)


@dataclass(frozen=True, slots=True)
class WalkSpace:
    """The floor that people walk on: a rectangle with boxes standing on it.

    Attributes
    ----------
    size_m : (2,) length and width of the hall [m].
    box_center_m : (N, 2) centres of the boxes [m].
    box_half_m : (N, 2) half extents along and across each box's own axis [m].
    box_yaw_rad : (N,) orientation of that axis [rad].
    box_name : N names, used in errors.
    """

    size_m: FloatArray
    box_center_m: FloatArray
    box_half_m: FloatArray
    box_yaw_rad: FloatArray
    box_name: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Occupancy:
    """Machines on the floor, as discs that people keep clear of.

    Attributes
    ----------
    position_m : (K, 2) centres [m].
    velocity_mps : (K, 2) velocities [m/s].
    radius_m : (K,) radii [m].
    """

    position_m: FloatArray
    velocity_mps: FloatArray
    radius_m: FloatArray

    @staticmethod
    def empty() -> Occupancy:
        """Return a hall without machines."""
        return Occupancy(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0))


@dataclass(frozen=True, slots=True)
class PeopleState:
    """Everybody in the hall at one instant. n is fixed for a run; whoever is not ``present`` keeps the last pose.

    Attributes
    ----------
    time_us : instant [us].
    present : (n,) whether the person is in the hall (replayed people come and go).
    position_m : (n, 2) middle of the hips over the floor [m].
    velocity_mps : (n, 2) true velocity [m/s].
    tracked_velocity_mps : (n, 2) displacement over the last 0.4 s, as a tracker would report it [m/s].
    heading_rad : (n,) direction that the chest faces [rad].
    stature_m : (n,) body height [m].
    capsule_a, capsule_b : (n, 12, 3) ends of the body's capsules in the order of ``humans.body.PART_NAMES`` [m].
    capsule_radius_m : (n, 12) radii of the capsules [m].
    activity : (n,) index into ``ACTIVITIES``.
    role : (n,) index into the crowd's ``role_names``.
    pseudonym : n rotating pseudonyms such as "person-3f2a"; never names.
    panel_holder : (k,) people who carry a hand-held panel.
    panel_position_m : (k, 3) the panels [m]; an absent holder's panel stays where the holder was last.
    goal_m : (n, 2) where each person is bound for, the own position when at the goal or when replayed [m].
    load_holder : (b,) people who have a box in their hands just now; none unless the crowd says so.
    load_center_m, load_half_m : (b, 3) the boxes' middles, and half depth, width and height [m]. A box stands upright and is
        turned as its holder's chest, its depth along the heading.
    """

    time_us: int
    present: BoolArray
    position_m: FloatArray
    velocity_mps: FloatArray
    tracked_velocity_mps: FloatArray
    heading_rad: FloatArray
    stature_m: FloatArray
    capsule_a: FloatArray
    capsule_b: FloatArray
    capsule_radius_m: FloatArray
    activity: IntArray
    role: IntArray
    pseudonym: tuple[str, ...]
    panel_holder: IntArray
    panel_position_m: FloatArray
    goal_m: FloatArray
    load_holder: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    load_center_m: FloatArray = field(default_factory=lambda: np.zeros((0, 3)))
    load_half_m: FloatArray = field(default_factory=lambda: np.zeros((0, 3)))


class PeopleModel(Protocol):
    """What a source of people offers: simulated (``Crowd``) and recorded (``ReplayCrowd``) people alike."""

    @property
    def n(self) -> int:
        """Number of people or slots, fixed for a run."""
        ...

    @property
    def role_names(self) -> tuple[str, ...]:
        """Names behind ``PeopleState.role``."""
        ...

    def step(self, time_us: int, dt_us: int, occupancy: Occupancy) -> None:
        """Move everybody to ``time_us``, which is ``dt_us`` after the last step."""
        ...

    def gesture_rates(self) -> GestureRates:
        """Return how often everybody begins a gesture at the present task."""
        ...

    def state(self) -> PeopleState:
        """Return everybody at the time of the last step, in arrays that later steps leave alone."""
        ...
