"""What the crowd does every tick, in one call each: a step, and what is told about it."""

from __future__ import annotations

from numba import njit

from humans.animation import advance_bodies, animate, observe_velocity
from humans.due import due, seen_activities
from humans.panels import hold
from humans.walking import walk

POSITION, VELOCITY, TRACKED, TARGET = range(4)
"""Rows of ``plane`` (4, n, 2): where people are, how fast, as a tracker sees it, and where they are bound for [m, m/s]."""
HEADING, PACE, SPEED, FACING, STATURE, PHASE, SCALE, WORK, WORK_TARGET, CARRY = range(10)
"""Rows of ``real`` (10, n): see :func:`humans.walking.walk` and :class:`humans.animation.Animation`."""
LEAVE_US, WAVE_US, REACH_US, GESTURE, START_US, END_US, HAND = range(7)
"""Rows of ``whole`` (7, n): when people leave, wave and reach [us]; their gesture and its time; the hand."""
WALKING, ON_BREAK, WAITS, PRESENT = range(4)
"""Rows of ``flag`` (4, n); who is not present is neither walking nor in anybody's way."""


@njit(cache=True)
def decisions_due(time_us, plane, real, whole, flag):  # type: ignore[no-untyped-def]
    """Tell whether anybody arrives, leaves or begins a gesture; see :func:`humans.due.due`."""
    return due(
        time_us, plane[POSITION], plane[TARGET], flag[WALKING], flag[ON_BREAK], whole[LEAVE_US], whole[WAVE_US], whole[REACH_US],
        whole[GESTURE], whole[END_US], real[WORK_TARGET],
    )  # fmt: skip


@njit(cache=True)
def step_crowd(  # type: ignore[no-untyped-def]
    time_us, dt_s, check, plane, real, whole, flag, wander, goal, ahead, wide, fine_m, centre_m, step_m, nx, ny,
    machine_xy, machine_v, machine_r, size_m, box_c, box_h, box_yaw, since_us, sample_us, sample_m, clock,
):  # fmt: skip
    """Walk, animate and track everybody by a step, unless something is to be decided first.

    ``check`` tells whether to look for that; then True is returned and nobody has moved. The other arrays are those of
    :func:`humans.walking.walk`, :func:`humans.animation.advance_bodies` and :func:`humans.animation.observe_velocity`.
    """
    if check and decisions_due(time_us, plane, real, whole, flag):
        return True
    position = plane[POSITION]
    walk(
        dt_s, position, plane[VELOCITY], real[HEADING], real[PACE], flag[WALKING], real[SPEED], goal, plane[TARGET], real[FACING],
        ahead, wide, fine_m, centre_m, step_m, nx, ny, machine_xy, machine_v, machine_r, size_m, box_c, box_h, box_yaw,
        flag[WAITS], flag[PRESENT], wander,
    )  # fmt: skip
    advance_bodies(dt_s, real[PACE], real[STATURE], real[PHASE], real[SCALE], real[WORK], real[WORK_TARGET])
    observe_velocity(time_us, position, since_us, sample_us, sample_m, clock, plane[TRACKED])
    return False


@njit(cache=True)
def report_crowd(  # type: ignore[no-untyped-def]
    time_us, sway, plane, real, whole, flag, timing, load_half, load_us, holder, size_m, box_c, box_h, box_yaw, reaches, gap_m,
    capsule, panel, activity, load,
) -> None:  # fmt: skip
    """Write everybody's capsules (2, n, 12, 3), held panels (k, 3), carried boxes (n, 3) [m] and activities (n,)."""
    position, heading = plane[POSITION], real[HEADING]
    seen_activities(flag[WALKING], flag[WAITS], flag[ON_BREAK], whole[GESTURE], activity)
    animate(
        time_us, position, heading, real[STATURE], real[PHASE], real[SCALE], sway, real[WORK], real[CARRY], whole[GESTURE],
        whole[START_US], timing, whole[HAND], load_half, load_us, holder, capsule[0], capsule[1], panel, load,
    )  # fmt: skip
    hold(panel, position, holder, size_m, box_c, box_h, box_yaw, reaches, gap_m)
