"""From where people are and what they do to capsules: gait, gestures and pose of everybody in one call."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from humans.body import JOINTS, PART_NAMES, PARTS, pose_one
from humans.gait import advance_gait, gait_joints
from humans.gestures import (
    GESTURE_KNEEL,
    GESTURE_REACH,
    GESTURE_WAVE,
    KNEEL_HOLD_S,
    KNEEL_RAISE_S,
    NO_GESTURE,
    PANEL_HEIGHT,
    PANEL_REACH_M,
    REACH_FLEXION_RAD,
    REACH_HOLD_S,
    REACH_RAISE_S,
    WAVE_FREQUENCY_HZ,
    WAVE_HOLD_S,
    WAVE_RAISE_S,
    WAVE_SWING_RAD,
    gesture_joints,
    within_hand_speed,
)
from humans.loads import DOWN_US, PICKED_US, Loads, carry_joints, load_course, place_load
from humans.types import FloatArray, IntArray

GAIT_SMOOTHING_S = 0.2
WORK_SMOOTHING_S = 0.4
TRACK_BASELINE_US = 400_000
_TRACK_PERIOD_US = 20_000
_TRACK_SAMPLES = 24
_SHOULDERS = (PART_NAMES.index("upper_arm_left"), PART_NAMES.index("upper_arm_right"))


@njit(cache=True)
def advance_bodies(dt_s, speed_mps, stature_m, phase, scale, work, work_target) -> None:  # type: ignore[no-untyped-def]
    """Advance gait and working posture of all bodies by ``dt_s``, in place; see :class:`Animation`."""
    advance_gait(dt_s, speed_mps, stature_m, phase, scale, GAIT_SMOOTHING_S)
    blend = 1.0 - np.exp(-dt_s / WORK_SMOOTHING_S)
    for i in range(work.shape[0]):
        work[i] += blend * (work_target[i] - work[i])


@njit(cache=True)
def animate(  # type: ignore[no-untyped-def]
    time_us,
    position,
    heading,
    stature,
    phase,
    scale,
    sway,
    work,
    carry,
    kind,
    start_us,
    timing,
    hand,
    load_half,
    load_us,
    holder,
    out_a,
    out_b,
    panel,
    load,
) -> None:
    """Write all capsules (n, 12, 3) twice, the held panels (k, 3) and carried boxes (n, 3); see :meth:`Animation.bodies`."""
    joints = np.empty(JOINTS)
    for i in range(position.shape[0]):
        gait_joints(phase[i], scale[i], stature[i], sway, joints)
        gesture_joints(work[i], carry[i], kind[i], (time_us - start_us[i]) * 1e-6, timing[i], hand[i], joints)
        hands, box = 0.0, 0.0
        if load_half[i, 0] > 0.0:
            hands, box = load_course(time_us, load_us[PICKED_US, i], load_us[DOWN_US, i])
            carry_joints(hands, box, load_half[i], stature[i], joints)
        pose_one(position[i, 0], position[i, 1], heading[i], stature[i], joints, out_a[i], out_b[i])
        if hands > 0.0:
            place_load(box, load_half[i], stature[i], heading[i], out_a[i, _SHOULDERS[0]], out_a[i, _SHOULDERS[1]], load[i])
    for k in range(holder.shape[0]):
        i = holder[k]
        panel[k, 0] = position[i, 0] + PANEL_REACH_M * np.cos(heading[i])
        panel[k, 1] = position[i, 1] + PANEL_REACH_M * np.sin(heading[i])
        panel[k, 2] = PANEL_HEIGHT * stature[i]


@dataclass(slots=True)
class Animation:
    """The moving state of n bodies: gait phase, posture and gestures.

    Attributes
    ----------
    stature_m : (n,) body heights [m].
    phase, scale : (n,) gait cycle and stretch of the angle curves (see ``humans.gait``).
    work, work_target : (n,) weight of the working posture and where it tends.
    carry : (n,) 1 for people with a panel in their hands, else 0.
    gesture : (n,) NO_GESTURE, GESTURE_WAVE, GESTURE_REACH or GESTURE_KNEEL.
    gesture_start_us, gesture_end_us : (n,) its time [us].
    timing : (n, 4) its course (see ``humans.gestures.gesture_joints``).
    hand : (n,) 0 left, 1 right.
    loads : boxes that people carry.
    sway : 1 to shift the pelvis with every step, 0 where the positions already hold that sway.
    """

    stature_m: FloatArray
    phase: FloatArray
    scale: FloatArray
    work: FloatArray
    work_target: FloatArray
    carry: FloatArray
    gesture: IntArray
    gesture_start_us: IntArray
    gesture_end_us: IntArray
    timing: FloatArray
    hand: IntArray
    loads: Loads
    sway: float

    @staticmethod
    def create(stature_m: FloatArray, phase: FloatArray, holders: IntArray, sway: bool) -> Animation:
        """Return bodies that stand still, (n,) stature [m] and gait phase, (k,) panel holders."""
        n = len(stature_m)
        carry = np.zeros(n)
        carry[holders] = 1.0
        return Animation(
            stature_m=stature_m,
            phase=phase,
            scale=np.zeros(n),
            work=np.zeros(n),
            work_target=np.zeros(n),
            carry=carry,
            gesture=np.full(n, NO_GESTURE, dtype=np.int64),
            gesture_start_us=np.zeros(n, dtype=np.int64),
            gesture_end_us=np.zeros(n, dtype=np.int64),
            timing=np.ones((n, 4)),
            hand=np.ones(n, dtype=np.int64),
            loads=Loads(n),
            sway=1.0 if sway else 0.0,
        )

    def advance(self, dt_us: int, speed_mps: FloatArray) -> None:
        """Advance gait and posture by a tick at (n,) speeds [m/s]."""
        advance_bodies(dt_us * 1e-6, speed_mps, self.stature_m, self.phase, self.scale, self.work, self.work_target)

    def begin(self, person: int, kind: int, time_us: int, rng: np.random.Generator) -> None:
        """Let one person begin a wave, a reach or to kneel, with a course drawn from ``rng``; it ends at ``gesture_end_us``."""
        if kind == GESTURE_WAVE:
            ranges = (WAVE_RAISE_S, WAVE_HOLD_S, WAVE_FREQUENCY_HZ, WAVE_SWING_RAD)
        elif kind == GESTURE_REACH:
            ranges = (REACH_RAISE_S, REACH_HOLD_S, REACH_FLEXION_RAD, (0.0, 0.0))
        elif kind == GESTURE_KNEEL:
            ranges = (KNEEL_RAISE_S, KNEEL_HOLD_S, (0.0, 0.0), (0.0, 0.0))
        else:
            known = f"{GESTURE_WAVE} (wave), {GESTURE_REACH} (reach) or {GESTURE_KNEEL} (kneel)"
            raise ValueError(f"gesture {kind} is unknown; it must be {known}")
        draw = rng.random(5)
        for k, (low, high) in enumerate(ranges):
            self.timing[person, k] = low + draw[k] * (high - low)
        within_hand_speed(kind, self.timing[person])
        self.hand[person] = int(draw[4] < 0.9)  # nine in ten people are right-handed
        self.gesture[person] = kind
        self.gesture_start_us[person] = time_us
        self.gesture_end_us[person] = time_us + round(1e6 * (2.0 * self.timing[person, 0] + self.timing[person, 1]))

    def bodies(
        self, time_us: int, position_m: FloatArray, heading_rad: FloatArray, holders: IntArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return capsule ends (n, 12, 3) twice and the panels of the (k,) holders, (k, 3), in fresh arrays [m]."""
        n = len(position_m)
        capsule_a, capsule_b = np.empty((n, PARTS, 3)), np.empty((n, PARTS, 3))
        panel, load = np.empty((len(holders), 3)), np.zeros((n, 3))
        animate(
            time_us,
            position_m,
            heading_rad,
            self.stature_m,
            self.phase,
            self.scale,
            self.sway,
            self.work,
            self.carry,
            self.gesture,
            self.gesture_start_us,
            self.timing,
            self.hand,
            self.loads.half_m,
            self.loads.since_us,
            holders,
            capsule_a,
            capsule_b,
            panel,
            load,
        )
        return capsule_a, capsule_b, panel


@njit(cache=True)
def observe_velocity(time_us, position, since_us, sample_us, sample, clock, out) -> None:  # type: ignore[no-untyped-def]
    """Write each person's displacement over the newest sample at least a baseline old, or the oldest since appearing.

    A new sample is taken every ``_TRACK_PERIOD_US``; ``clock`` (2,) is where it goes and when the last one was taken [us].
    """
    samples = sample_us.shape[0]
    if time_us < clock[1]:
        sample_us[:] = -1
        clock[1] = time_us - _TRACK_PERIOD_US
    for i in range(position.shape[0]):
        out[i, 0] = 0.0
        out[i, 1] = 0.0
        for back in range(1, samples + 1):
            k = (clock[0] - back) % samples
            if sample_us[k] < since_us[i] or sample_us[k] < 0:
                break
            age_s = (time_us - sample_us[k]) * 1e-6
            if age_s <= 0.0:
                continue
            out[i, 0] = (position[i, 0] - sample[k, i, 0]) / age_s
            out[i, 1] = (position[i, 1] - sample[k, i, 1]) / age_s
            if time_us - sample_us[k] >= TRACK_BASELINE_US:
                break
    if time_us - clock[1] >= _TRACK_PERIOD_US:
        sample_us[clock[0]] = time_us
        sample[clock[0]] = position
        clock[0] = (clock[0] + 1) % samples
        clock[1] = time_us


class VelocityTracker:
    """Velocity over a 0.4 s baseline, as an observer of positions would report it; knows nothing of anybody's intention.

    Parameters
    ----------
    n : number of people.
    velocity_mps : (n, 2) array to write to, a new one when absent [m/s].

    Attributes
    ----------
    sample_us, sample_m, clock : past positions, see :func:`observe_velocity`.
    """

    def __init__(self, n: int, velocity_mps: FloatArray | None = None) -> None:
        self.sample_us: IntArray = np.full(_TRACK_SAMPLES, -1, dtype=np.int64)
        self.sample_m: FloatArray = np.zeros((_TRACK_SAMPLES, n, 2))
        self.clock: IntArray = np.array([0, -_TRACK_PERIOD_US], dtype=np.int64)
        self.velocity_mps: FloatArray = np.zeros((n, 2)) if velocity_mps is None else velocity_mps

    def observe(self, time_us: int, position_m: FloatArray, since_us: IntArray) -> None:
        """Take in (n, 2) positions [m]; samples older than (n,) ``since_us`` belong to somebody else and are not used."""
        observe_velocity(time_us, position_m, since_us, self.sample_us, self.sample_m, self.clock, self.velocity_mps)
