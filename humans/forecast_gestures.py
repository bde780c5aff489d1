"""Gestures in drawn futures: who waves, reaches or goes down on a knee within the horizon, by the task at hand.

Rates come from the task (:class:`humans.gestures.GestureRates`), what somebody does now and since when from watching. A gesture
begins within a horizon h with probability ``1 - exp(-rate h)``; one that goes on ends with a drawn course that is longer than it
has lasted. When the next gesture is due is known to the simulation alone and is not used.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numba import njit

from humans.body import JOINTS, PART_NAMES, pose_one
from humans.forecast_types import PeopleSamples
from humans.gait import REFERENCE_STEP, WALK_RATIO, gait_joints
from humans.gestures import GESTURE_KNEEL, GESTURE_REACH, GESTURE_WAVE, NO_GESTURE, GestureRates, gesture_joints, gesture_timing
from humans.types import KNEEL, REACH, WAVE, BoolArray, FloatArray, IntArray, PeopleState

_WALKS_MPS = 0.3  # as bodies are drawn in mid-stride from here on
_MAX_SCALE = 1.35
_RIGHT_HANDED = 0.9
_TRIES = 8  # courses drawn for a gesture that goes on; the first that is long enough counts
_KIND_OF = np.zeros(8, dtype=np.int64)
_KIND_OF[[WAVE, REACH, KNEEL]] = GESTURE_WAVE, GESTURE_REACH, GESTURE_KNEEL
_HANDS = [PART_NAMES.index(f"forearm_{side}") for side in ("left", "right")]
_THIGHS = [PART_NAMES.index(f"thigh_{side}") for side in ("left", "right")]


@dataclass(frozen=True, slots=True)
class GestureSamples:
    """Gestures of drawn futures. S samples, n people, H horizons.

    Attributes
    ----------
    kind : (S, n, H) NO_GESTURE, GESTURE_WAVE, GESTURE_REACH or GESTURE_KNEEL.
    age_s : (S, n, H) time since it began [s].
    timing : (S, n, H, 4) its course, see :func:`humans.gestures.gesture_joints`.
    hand : (S, n, H) 0 left, 1 right.
    at_work : (n,) who stands at work now.
    """

    kind: IntArray
    age_s: FloatArray
    timing: FloatArray
    hand: IntArray
    at_work: BoolArray


class GestureWatch:
    """Remembers since when everybody has been seen to do what they do.

    Parameters
    ----------
    n_people : number of people, fixed.

    Attributes
    ----------
    since_us : (n,) start of the present activity, between two looks [us]; -1 where it had begun before the first look.
    """

    def __init__(self, n_people: int) -> None:
        self.since_us: IntArray = np.full(n_people, -1, dtype=np.int64)
        self._activity: IntArray = np.full(n_people, -1, dtype=np.int64)
        self._last_us = -1

    def observe(self, state: PeopleState) -> None:
        """Take in what everybody does now."""
        changed = (state.activity != self._activity) & (self._last_us >= 0)
        self.since_us[changed] = (state.time_us + self._last_us) // 2
        self._activity, self._last_us = state.activity.copy(), state.time_us


def draw_gestures(
    state: PeopleState,
    since_us: IntArray,
    rates: GestureRates,
    horizon_us: IntArray,
    n_samples: int,
    rng: np.random.Generator,
) -> GestureSamples:
    """Draw what everybody's arms and knees do in every future.

    Parameters
    ----------
    state : people now.
    since_us : (n,) since when they do it, see :class:`GestureWatch` [us].
    rates : how often they begin something else.
    horizon_us : (H,) how far ahead [us]. n_samples : how many futures.
    rng : generator.

    Raises
    ------
    ValueError
        If rates or times are of another number of people.
    """
    n = len(state.activity)
    if rates.per_s.shape != (n, 3) or since_us.shape != (n,):
        raise ValueError(
            f"rates {rates.per_s.shape} and since_us {since_us.shape} do not fit {n} people; give ({n}, 3) and ({n},)"
        )
    horizon = np.asarray(horizon_us, dtype=np.float64) * 1e-6
    now = np.where(state.present, _KIND_OF[state.activity], NO_GESTURE)
    tries = gesture_timing(np.broadcast_to(now, (_TRIES, n_samples, n)), rng.random((_TRIES, n_samples, n, 4)))
    lasts = 2.0 * tries[..., 0] + tries[..., 1]
    known = since_us >= 0
    age = np.where(known, (state.time_us - since_us) * 1e-6, rng.random((n_samples, n)) * lasts[0])
    chosen = np.where((lasts > age).any(axis=0), (lasts > age).argmax(axis=0), lasts.argmax(axis=0))[None]
    course = np.take_along_axis(tries, chosen[..., None], axis=0)[0]
    left_s = np.where(now > NO_GESTURE, np.take_along_axis(lasts, chosen, axis=0)[0] - age, 0.0)
    total = rates.per_s.sum(axis=1)
    with np.errstate(divide="ignore"):
        begins = np.maximum(left_s, 0.0) + rng.standard_exponential((n_samples, n)) / total
    edges = np.cumsum(rates.per_s, axis=1) / np.where(total > 0.0, total, 1.0)[:, None]
    upcoming = 1 + (rng.random((n_samples, n, 1)) > edges[:, :2]).sum(axis=2)
    coming = gesture_timing(upcoming, rng.random((n_samples, n, 4)))
    ends = begins + 2.0 * coming[..., 0] + coming[..., 1]
    still = (horizon < left_s[..., None]) & (now > NO_GESTURE)[:, None]
    begun = (horizon >= begins[..., None]) & (horizon < ends[..., None]) & state.present[:, None]
    hand = (rng.random((n_samples, n)) < _RIGHT_HANDED).astype(np.int64)
    return GestureSamples(
        kind=np.where(still, now[:, None], np.where(begun, upcoming[..., None], NO_GESTURE)),
        age_s=np.where(still, age[..., None] + horizon, np.where(begun, horizon - np.where(begun, begins[..., None], 0.0), 0.0)),
        timing=np.where(still[..., None], course[:, :, None], coming[:, :, None]),
        hand=np.where(still, _hand_in_use(state, now)[:, None], hand[..., None]),
        at_work=rates.per_s[:, 1:].sum(axis=1) > 0.0,
    )


def _hand_in_use(state: PeopleState, kind: IntArray) -> IntArray:
    """Side of everybody's gesture (n,), as the pose tells: the hand that is farther up and out, or the knee on the floor."""
    hand = state.capsule_b[:, _HANDS]
    out = hand[..., 2] + np.hypot(hand[..., 0] - state.position_m[:, None, 0], hand[..., 1] - state.position_m[:, None, 1])
    knee = state.capsule_b[:, _THIGHS, 2]
    right = np.where(kind == GESTURE_KNEEL, knee[:, 1] < knee[:, 0], out[:, 1] >= out[:, 0])
    return right.astype(np.int64)


@njit(cache=True)
def _repose(who, kind, age_s, timing, hand, walks, phase, scale, work, carry, position, facing, stature, out_a, out_b) -> None:  # type: ignore[no-untyped-def]
    """Write the capsules (n, parts, 3) of those of whom ``who`` (n,) says so."""
    joints = np.zeros(JOINTS)
    for i in range(position.shape[0]):
        if who[i]:
            joints[:] = 0.0
            gait_joints(phase[i], scale[i] if walks[i] else 0.0, stature[i], 1.0, joints)
            gesture_joints(work[i], carry[i], kind[i], age_s[i], timing[i], hand[i], joints)
            pose_one(position[i, 0], position[i, 1], facing[i], stature[i], joints, out_a[i], out_b[i])


def with_gestures(
    future: PeopleState, now: PeopleState, samples: PeopleSamples, gestures: GestureSamples, sample: int, horizon: int
) -> PeopleState:
    """Give the bodies of a drawn future their gestures.

    Parameters
    ----------
    future : from ``bodies_of_samples(now, samples, sample, horizon)``.
    now, samples : what that future was made of.
    gestures : from :func:`draw_gestures`, for the same people, samples and horizons.
    sample, horizon : which future, and which of its horizons.

    Returns
    -------
    PeopleState
        Who makes a gesture now or then is posed anew; nobody reaches or kneels in walking, and boxes stay in both hands.
    """
    speed = np.where(samples.known, samples.speed_mps[sample, :, horizon], 0.0)
    walks = speed >= _WALKS_MPS
    kind = gestures.kind[sample, :, horizon]
    kind = np.where(walks & (kind != GESTURE_WAVE), NO_GESTURE, kind)
    who = now.present & ((kind != NO_GESTURE) | (~walks & (_KIND_OF[now.activity] != NO_GESTURE)))
    who[now.load_holder] = False
    if not who.any():
        return future
    carry = np.zeros(len(who))
    carry[now.panel_holder] = 1.0
    stride = np.sqrt(60.0 * WALK_RATIO * np.maximum(speed, 1e-9)) / now.stature_m / REFERENCE_STEP
    capsule_a, capsule_b = future.capsule_a.copy(), future.capsule_b.copy()
    _repose(
        who, kind, np.ascontiguousarray(gestures.age_s[sample, :, horizon]),
        np.ascontiguousarray(gestures.timing[sample, :, horizon]), np.ascontiguousarray(gestures.hand[sample, :, horizon]),
        walks, np.ascontiguousarray(samples.phase[sample, :, horizon]), np.minimum(stride, _MAX_SCALE),
        np.where(gestures.at_work & ~walks, 1.0, 0.0), carry, future.position_m, future.heading_rad, now.stature_m,
        capsule_a, capsule_b,
    )  # fmt: skip
    return replace(future, capsule_a=capsule_a, capsule_b=capsule_b)
