"""Whether anything is to be decided in a tick, and what everybody is seen to be doing: one pass over all people each."""

from __future__ import annotations

from numba import njit

from humans.gestures import GESTURE_KNEEL, GESTURE_REACH, GESTURE_WAVE, NO_GESTURE
from humans.types import BREAK, KNEEL, REACH, STAND, WALK, WAVE, WORK

ARRIVED_M = 0.25
"""Who is this near to a place has arrived [m]."""


@njit(cache=True)
def due(  # type: ignore[no-untyped-def]
    now_us, position, target, walking, on_break, leave_us, wave_us, reach_us, gesture, gesture_end_us, work_target
):
    """Tell whether anybody arrives, leaves or begins a gesture at ``now_us``; end gestures and set postures on the way.

    ``gesture`` (n,) and ``work_target`` (n,) are written in place.
    """
    found = False
    for i in range(position.shape[0]):
        if gesture_end_us[i] <= now_us:
            gesture[i] = NO_GESTURE
        work_target[i] = 0.0 if walking[i] or on_break[i] else 1.0
        if walking[i]:
            dx, dy = target[i, 0] - position[i, 0], target[i, 1] - position[i, 1]
            found |= dx * dx + dy * dy < ARRIVED_M * ARRIVED_M
        else:
            found |= leave_us[i] <= now_us
        found |= wave_us[i] <= now_us or reach_us[i] <= now_us
    return found


@njit(cache=True)
def seen_activities(walking, waits, on_break, gesture, out) -> None:  # type: ignore[no-untyped-def]
    """Write everybody's activity, (n,) indices into ``humans.types.ACTIVITIES``; a gesture shows before anything else."""
    for i in range(walking.shape[0]):
        if gesture[i] == GESTURE_WAVE:
            out[i] = WAVE
        elif gesture[i] == GESTURE_REACH:
            out[i] = REACH
        elif gesture[i] == GESTURE_KNEEL:
            out[i] = KNEEL
        elif walking[i]:
            out[i] = STAND if waits[i] else WALK
        else:
            out[i] = BREAK if on_break[i] else WORK
