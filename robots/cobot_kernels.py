"""One step of all cobots: what people, commands and waiting hands permit, and the cycles that go on as far as that allows."""

from __future__ import annotations

import numba
import numpy as np

from robots.routes import BoolArray, FloatArray, IntArray
from robots.safety import permitted_scale, watchdog_step
from robots.state import COMMUNICATION, HANDOVER, PERSON_NEAR, WORKING

ACCELERATION_TIME_S = 0.5  # from standing to full speed
PLAIN, HANDING = 0, 1  # cycles: put down, or held out to a person
GRIPPED, CLEAR_OF_PICK, RELEASED = 2, 3, 6
"""Poses of the plain cycle: the part gripped, the tool above the pick with it, the part put down."""
HELD_OUT, BACK = 4, 5
"""Poses of a hand-over cycle, which is alike up to ``CLEAR_OF_PICK``: the part held out, and as the arm leaves again."""

(
    SCALE, PHASE, PERMITTED, SEPARATION, LEAST_M, LEAST_MARGIN_M, SLOWED_S, WORST_M, REACHED_S, WAITED_S, PERMITTED_IDEAL,
    RADIO_SLOW_S,
) = range(12)  # fmt: skip
"""Rows of ``real``: share of full speed, phase [s], permitted share, separation [m], its least so far [m], the least by which it
exceeded the required one while the arm moved [m], time slowed by a person [s], deepest intrusion [m], time that hands have been
at the part [s], time that the part has been held out [s], the share that would be permitted without the radio's delay, and the
time lost to that delay's part of the separation [s]."""
PARTS, MODE, CAUSE, STOPPED, SLOWDOWNS, INTRUSIONS, CYCLE, SINCE_HANDOVER, TAKEN, HANDOVERS, WAS_SLOWED, INTRUDED = range(12)
"""Rows of ``whole``: parts, mode, mode code of what slowed it last, whether a person stopped it, how often one slowed it, how
often the required separation was not kept, cycle, plain cycles since the last hand-over, whether the part was taken, hand-overs,
and whether the last step was slowed, or not kept its distance."""
_ROUNDING_M = 1e-9


@numba.njit(cache=True)
def cycle_pose(phase_s: float, poses: FloatArray, time_s: FloatArray, out: FloatArray) -> None:
    """Joint angles at a phase of the cycle, minimum-jerk between poses (Flash and Hogan 1985), written to ``out`` (7,)."""
    j = 0
    while j < time_s.shape[0] - 2 and phase_s >= time_s[j + 1]:
        j += 1
    u = min(1.0, max(0.0, (phase_s - time_s[j]) / (time_s[j + 1] - time_s[j])))
    share = u * u * u * (10.0 - 15.0 * u + 6.0 * u * u)
    for axis in range(7):
        out[axis] = poses[j, axis] + share * (poses[j + 1, axis] - poses[j, axis])


@numba.njit(cache=True)
def carrying(real: FloatArray, whole: IntArray, time_s: FloatArray) -> BoolArray:
    """Whether each tool holds a part, (m,): from the end of the grip until it is put down or taken."""
    out = np.empty(real.shape[1], np.bool_)
    for i in range(out.shape[0]):
        cycle, phase_s = whole[CYCLE, i], real[PHASE, i]
        gripped = phase_s >= time_s[cycle, i, GRIPPED]
        out[i] = gripped and not whole[TAKEN, i] and (cycle == HANDING or phase_s < time_s[PLAIN, i, RELEASED])
    return out


@numba.njit(cache=True)
def _next_cycle(i: int, every: int, caller_near: bool, time_s: FloatArray, real: FloatArray, whole: IntArray) -> None:
    """Book a finished cycle of cobot ``i`` and choose the next one."""
    done, real[PHASE, i] = whole[CYCLE, i], real[PHASE, i] - time_s[whole[CYCLE, i], i, -1]
    if done == HANDING and not whole[TAKEN, i]:
        # Nobody took it: it is put down where parts are put down.
        whole[CYCLE, i] = PLAIN
        real[PHASE, i] = time_s[PLAIN, i, CLEAR_OF_PICK]
        return
    whole[PARTS, i] += 1
    whole[HANDOVERS, i] += done == HANDING
    whole[SINCE_HANDOVER, i] = 0 if done == HANDING else whole[SINCE_HANDOVER, i] + 1
    whole[TAKEN, i] = 0
    whole[CYCLE, i] = HANDING if every > 0 and caller_near and whole[SINCE_HANDOVER, i] >= every else PLAIN


@numba.njit(cache=True)
def _hold_out(
    i: int,
    dt: float,
    hold_s: float,
    take_s: float,
    patience_s: float,
    taker_m: float,
    reach_m: float,
    real: FloatArray,
    whole: IntArray,
) -> bool:
    """Whether cobot ``i``, whose part is held out, goes on holding it, and since when hands are at it."""
    if whole[TAKEN, i] or real[WAITED_S, i] >= patience_s:
        return False
    real[PHASE, i] = hold_s
    real[WAITED_S, i] += dt
    real[REACHED_S, i] = real[REACHED_S, i] + dt if taker_m <= reach_m and real[SCALE, i] == 0.0 else 0.0
    if real[REACHED_S, i] >= take_s:
        whole[TAKEN, i] = 1
    return True


@numba.njit(cache=True)
def advance_cycle(
    i: int, dt_us: int, held_by: int, stop_rate: float, handover: FloatArray, taker_m: float,
    poses: FloatArray, time_s: FloatArray,
    real: FloatArray, whole: IntArray, mode_us: IntArray, stops: IntArray, lost_s: FloatArray, joints: FloatArray,
) -> None:  # fmt: skip
    """Advance cobot ``i``'s cycle by one step towards the permitted share of full speed, and keep its ledger; all in place.

    Parameters
    ----------
    dt_us : length of the step [us]. held_by : mode code of what stops it at once, -1 for nothing.
    stop_rate : change of the share per second when braking [1/s].
    handover : (4,) cycles between hand-overs (0 for none), time a taker needs [s], patience [s], a taker's reach [m].
    taker_m : distance from the part held out to the nearest person who stands [m], inf for none.
    poses : (2, m, 9, 7), time_s : (2, m, 9) cycles: plain, and held out to a person.
    real : (12, m), whole : (12, m) see the rows' names above.
    mode_us, stops : (m, len(MODES)) ledger. lost_s : (2, m, len(MODES)) time lost, and the part of it while it moved.
    joints : (m, 7) targets [rad].
    """
    wanted = real[PERMITTED, i]
    held = held_by >= 0
    dt = dt_us * 1e-6
    before = real[SCALE, i]
    waiting = False
    if whole[CYCLE, i] == HANDING:
        hold_s = time_s[HANDING, i, HELD_OUT]
        if real[PHASE, i] < hold_s:
            real[WAITED_S, i] = real[REACHED_S, i] = 0.0
        elif real[PHASE, i] < time_s[HANDING, i, BACK]:
            waiting = _hold_out(i, dt, hold_s, handover[1], handover[2], taker_m, handover[3], real, whole)
    target = 0.0 if held or waiting else wanted
    if target > before:
        real[SCALE, i] = min(target, before + dt / ACCELERATION_TIME_S)
    else:
        real[SCALE, i] = max(target, before - dt * stop_rate)
    if not waiting:
        real[PHASE, i] += 0.5 * (before + real[SCALE, i]) * dt
    while real[PHASE, i] >= time_s[whole[CYCLE, i], i, -1]:
        _next_cycle(i, int(handover[0]), taker_m < np.inf, time_s, real, whole)
    cycle = whole[CYCLE, i]
    cycle_pose(real[PHASE, i], poses[cycle, i], time_s[cycle, i], joints[i])
    now = WORKING
    if held:
        now = held_by
    elif waiting:
        now = HANDOVER
    elif real[SCALE, i] == 0.0 and target == 0.0:
        now = PERSON_NEAR
    if now != whole[MODE, i]:
        stops[i, now] += 1
    whole[MODE, i] = now
    mode_us[i, now] += dt_us
    missing = (1.0 - 0.5 * (before + real[SCALE, i])) * dt
    if held:
        whole[CAUSE, i] = held_by
    elif waiting:
        whole[CAUSE, i] = HANDOVER
    elif wanted < 1.0:
        whole[CAUSE, i] = PERSON_NEAR
    if missing > 1e-12:
        lost_s[0, i, whole[CAUSE, i]] += missing  # speeding up again counts for what had slowed it
        if now == WORKING:
            lost_s[1, i, whole[CAUSE, i]] += missing
    if not held and not waiting:
        real[RADIO_SLOW_S, i] += max(0.0, real[PERMITTED_IDEAL, i] - wanted) * dt


@numba.njit(cache=True)
def _watch(
    i: int, dt_us: int, separation_m: float, delay_s: float, human_mps: float, cobot_mps: float, stopping_s: float,
    fixed_m: float, real: FloatArray, whole: IntArray,
) -> None:  # fmt: skip
    """Compare cobot ``i``'s separation with the one that its speed requires, and log both; in place."""
    scale = real[SCALE, i]
    real[SEPARATION, i] = separation_m
    real[LEAST_M, i] = min(real[LEAST_M, i], separation_m)
    slowed = real[PERMITTED, i] < 1.0
    whole[SLOWDOWNS, i] += slowed and not whole[WAS_SLOWED, i]
    whole[WAS_SLOWED, i] = slowed
    real[SLOWED_S, i] += slowed * dt_us * 1e-6
    if scale == 0.0:
        whole[INTRUDED, i] = 0
        return
    required_m = human_mps * (delay_s + scale * stopping_s) + scale * cobot_mps * (delay_s + 0.5 * scale * stopping_s) + fixed_m
    margin_m = separation_m - required_m
    real[LEAST_MARGIN_M, i] = min(real[LEAST_MARGIN_M, i], margin_m)
    real[WORST_M, i] = max(real[WORST_M, i], -margin_m)
    intrudes = margin_m < -_ROUNDING_M
    whole[INTRUSIONS, i] += intrudes and not whole[INTRUDED, i]
    whole[INTRUDED, i] = intrudes


@numba.njit(cache=True)
def step_cobots(
    time_us: int, dt_us: int, age_us: IntArray, separation_m: FloatArray, human_mps: FloatArray, taker_m: FloatArray,
    reaction_s: float, reserve_m: float, hysteresis_m: float, cobot_mps: float, stopping_s: FloatArray, fixed_m: float,
    survival_us: IntArray, restart_us: IntArray, tripped: BoolArray, back_since_us: IntArray,
    delay_us: IntArray, halt: IntArray, handover: FloatArray, poses: FloatArray, time_s: FloatArray,
    real: FloatArray, whole: IntArray, ledger_us: IntArray, lost_s: FloatArray, joints: FloatArray,
) -> int:  # fmt: skip
    """Advance all cobots by one step: what people and commands permit, then the cycles.

    The permitted share looks one step ahead: commands may be a step older by then, and person and arm nearer by what they move.
    So the separation that the formula asks for at the speed of the moment is kept at every step, as long as nobody comes
    faster than the formula assumes.

    Parameters
    ----------
    time_us, dt_us : end and length of the step [us].
    age_us : (m,) age of the last valid command [us]. separation_m : (m,) [m]. human_mps : (m,) speed of the nearest person.
    taker_m : (m,) see :func:`advance_cycle`. reaction_s : without the radio's delay [s].
    reserve_m : kept beyond the required separation. hysteresis_m : by which a person must be farther before the arm starts again.
    cobot_mps, fixed_m : see :class:`robots.safety.Separation`. stopping_s : (m,) [s].
    survival_us to back_since_us : see ``Watchdog``. handover : (m, 4).
    delay_us : (m,) the radio's part of the reaction time [us]; -1: how long commands are overdue.
    halt : (m,) mode code of what else than a protective stop stops it at once (breakdown, emergency stop), -1 for nothing.
    ledger_us : (2, m, len(MODES)) time in each mode [us] and how often it was entered. others : see :func:`advance_cycle`.

    Returns
    -------
    How many watchdogs tripped.
    """
    dt = dt_us * 1e-6
    for i in range(age_us.shape[0]):
        overdue = delay_us[i] < 0
        delay_s = reaction_s + (min(age_us[i], survival_us[i]) if overdue else delay_us[i]) * 1e-6
        _watch(i, dt_us, separation_m[i], delay_s, human_mps[i], cobot_mps, stopping_s[i], fixed_m, real, whole)
        seen_m = separation_m[i] - reserve_m - dt * (human_mps[i] + real[SCALE, i] * cobot_mps)
        if whole[STOPPED, i]:
            seen_m -= hysteresis_m
        coming_s = reaction_s + (min(age_us[i] + dt_us, survival_us[i]) if overdue else delay_us[i]) * 1e-6
        ideal_s = reaction_s + (min(dt_us, survival_us[i]) if overdue else survival_us[i]) * 1e-6
        real[PERMITTED, i] = permitted_scale(seen_m, coming_s, human_mps[i], cobot_mps, stopping_s[i], fixed_m)
        real[PERMITTED_IDEAL, i] = real[PERMITTED, i]
        if coming_s > ideal_s and real[PERMITTED, i] < 1.0:
            real[PERMITTED_IDEAL, i] = permitted_scale(seen_m, ideal_s, human_mps[i], cobot_mps, stopping_s[i], fixed_m)
        whole[STOPPED, i] = real[PERMITTED, i] == 0.0
    trips = watchdog_step(time_us, age_us, real[SCALE] == 0.0, survival_us, restart_us, tripped, back_since_us)
    for i in range(age_us.shape[0]):
        advance_cycle(
            i, dt_us, halt[i] if halt[i] >= 0 else (COMMUNICATION if tripped[i] else -1), 1.0 / stopping_s[i], handover[i],
            taker_m[i], poses, time_s, real, whole, ledger_us[0], ledger_us[1], lost_s, joints,
        )  # fmt: skip
    return trips
