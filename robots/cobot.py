"""Cobots: pick-and-place cycles on a time base that people slow down (speed and separation monitoring) and lost commands stop."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from robots.config import RobotsConfig
from robots.kinematics import GRIP_S, pick_and_place
from robots.ledger import cobot_production
from robots.routes import BoolArray, FloatArray, IntArray
from robots.safety import Watchdog, permitted_scale, separation_of, watchdog_step
from robots.state import COMMUNICATION, MODES, PERSON_NEAR, WORKING, CobotState

ACCELERATION_TIME_S = 0.5  # from standing to full speed


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
def advance_cycle(
    i: int, dt_us: int, held: bool, stop_rate: float, poses: FloatArray, time_s: FloatArray,
    real: FloatArray, whole: IntArray, mode_us: IntArray, stops: IntArray, lost_s: FloatArray, joints: FloatArray,
) -> None:  # fmt: skip
    """Advance cobot ``i``'s cycle by one step towards the permitted share of full speed, and keep its ledger; all in place.

    Parameters
    ----------
    dt_us : length of the step [us]. held : protective stop. stop_rate : change of the share per second when braking [1/s].
    poses : (m, 9, 7), time_s : (m, 9) cycles.
    real : (4, m) share of full speed, phase [s], permitted share, separation [m].
    whole : (4, m) parts, mode, mode code of what slowed it last, whether a person stopped it.
    mode_us, stops, lost_s : (m, len(MODES)) ledger. joints : (m, 7) targets [rad].
    """
    scale, phase_s, wanted = real[0], real[1], real[2, i]
    parts, mode, cause = whole[0], whole[1], whole[2]
    dt = dt_us * 1e-6
    target = 0.0 if held else wanted
    before = scale[i]
    if target > before:
        scale[i] = min(target, before + dt / ACCELERATION_TIME_S)
    else:
        scale[i] = max(target, before - dt * stop_rate)
    phase_s[i] += 0.5 * (before + scale[i]) * dt
    cycle = time_s[i, time_s.shape[1] - 1]
    while phase_s[i] >= cycle:
        phase_s[i] -= cycle
        parts[i] += 1
    cycle_pose(phase_s[i], poses[i], time_s[i], joints[i])
    now = COMMUNICATION if held else (PERSON_NEAR if scale[i] == 0.0 and target == 0.0 else WORKING)
    if now != mode[i]:
        stops[i, now] += 1
    mode[i] = now
    mode_us[i, now] += dt_us
    missing = (1.0 - 0.5 * (before + scale[i])) * dt
    if held:
        cause[i] = COMMUNICATION
    elif wanted < 1.0:
        cause[i] = PERSON_NEAR
    if missing > 1e-12:
        lost_s[i, cause[i]] += missing  # speeding up again counts for what had slowed it


@numba.njit(cache=True)
def step_cobots(
    time_us: int, dt_us: int, age_us: IntArray, separation_m: FloatArray, human_mps: FloatArray,
    reaction_s: float, hysteresis_m: float, cobot_mps: float, stopping_s: float, fixed_m: float,
    survival_us: IntArray, restart_us: IntArray, tripped: BoolArray, back_since_us: IntArray,
    poses: FloatArray, time_s: FloatArray,
    real: FloatArray, whole: IntArray, ledger_us: IntArray, lost_s: FloatArray, joints: FloatArray,
) -> int:  # fmt: skip
    """Advance all cobots by one step: what people and commands permit, then the cycles.

    Parameters
    ----------
    time_us, dt_us : end and length of the step [us].
    age_us : (m,) age of the last valid command [us]. separation_m : (m,) [m]. human_mps : (m,) speed of the nearest person.
    reaction_s : without the radio's delay [s]. hysteresis_m : by which a person must be farther before the arm starts again.
    cobot_mps, stopping_s, fixed_m : see :class:`robots.safety.Separation`. survival_us to back_since_us : see ``Watchdog``.
    ledger_us : (2, m, len(MODES)) time in each mode [us] and how often it was entered. others : see :func:`advance_cycle`.

    Returns
    -------
    How many watchdogs tripped.
    """
    scale, permitted = real[0], real[2]
    for i in range(age_us.shape[0]):
        seen_m = separation_m[i] - hysteresis_m if whole[3, i] else separation_m[i]
        delay_s = reaction_s + min(age_us[i], survival_us[i]) * 1e-6
        permitted[i] = permitted_scale(seen_m, delay_s, human_mps[i], cobot_mps, stopping_s, fixed_m)
        whole[3, i] = permitted[i] == 0.0
        real[3, i] = separation_m[i]
    trips = watchdog_step(time_us, age_us, scale == 0.0, survival_us, restart_us, tripped, back_since_us)
    for i in range(age_us.shape[0]):
        advance_cycle(
            i, dt_us, tripped[i], 1.0 / stopping_s, poses, time_s, real, whole, ledger_us[0], ledger_us[1], lost_s, joints
        )
    return trips


class Cobots:
    """All cobots of a hall.

    Parameters
    ----------
    config : the robots section.
    rng : draws where in its cycle each cobot starts.
    survival_time_us : survival time of the commands, one for all or (m,) [us]; TS 22.104 control-to-control: 10 ms.

    Attributes
    ----------
    names : cobots' names. watchdog : its stops.
    """

    def __init__(self, config: RobotsConfig, rng: np.random.Generator, survival_time_us: int | IntArray = 10_000) -> None:
        cobots = config.cobots
        m = len(cobots)
        self.safety = config.safety
        self.names = tuple(c.name for c in cobots)
        self.position_m = np.array([c.position_m for c in cobots], float).reshape(m, 3)
        self.yaw_rad = np.deg2rad(np.array([c.yaw_deg for c in cobots], float))
        self.antenna_m = np.empty((m, 3))
        self._poses = np.empty((m, 9, 7))
        self._time_s = np.zeros((m, 9))
        for i, cobot in enumerate(cobots):
            if cobot.antenna_position_m is None:
                back = -0.5 * np.array([np.cos(self.yaw_rad[i]), np.sin(self.yaw_rad[i]), 0.0])
                self.antenna_m[i] = self.position_m[i] + back + np.array([0.0, 0.0, 1.2])
            else:
                self.antenna_m[i] = cobot.antenna_position_m
            self._poses[i], shortest_s = pick_and_place(cobot.pick_azimuth_deg, cobot.place_azimuth_deg, cobot.reach_m)
            moving = shortest_s.sum() - 2 * GRIP_S
            times = shortest_s * (cobot.cycle_s - 2 * GRIP_S) / moving
            times[[1, 5]] = GRIP_S
            self._time_s[i, 1:] = np.cumsum(times)
        self.watchdog = Watchdog(
            np.broadcast_to(np.asarray(survival_time_us, np.int64), (m,)),
            np.array([round(c.restart_delay_s * 1e6) for c in cobots], np.int64),
        )
        self._real = np.ones((4, m))
        self._real[1] = rng.random(m) * self._time_s[:, -1]
        self._real[3] = np.inf
        self._whole = np.zeros((4, m), np.int64)
        self._whole[1], self._whole[2] = WORKING, PERSON_NEAR
        self._ledger = np.zeros((2, m, len(MODES)), np.int64)
        self._lost_s = np.zeros((m, len(MODES)))
        self._joints = np.empty((m, 7))
        self._human_mps = np.full(m, self.safety.human_speed_mps)
        self._numbers = (self.safety.reaction_time_s, self.safety.hysteresis_m, *separation_of(self.safety))
        self._time_us = 0
        self._state: CobotState | None = None
        for i in range(m):
            cycle_pose(self._real[1, i], self._poses[i], self._time_s[i], self._joints[i])

    def step(
        self,
        time_us: int,
        dt_us: int,
        command_age_us: IntArray,
        separation_m: FloatArray,
        person_speed_mps: FloatArray | None = None,
    ) -> None:
        """Advance to ``time_us``.

        Parameters
        ----------
        time_us, dt_us : end and length of the step [us].
        command_age_us : (m,) age of the last valid command [us]; stops the arm beyond the survival time and, before that,
            lengthens the reaction time of the separation monitoring.
        separation_m : (m,) distance to the nearest person, inf for none [m].
        person_speed_mps : (m,) measured speed of that person [m/s]; used where ``safety.human_speed_monitored`` says so.
        """
        safety, watchdog = self.safety, self.watchdog
        human_mps = self._human_mps
        if safety.human_speed_monitored and person_speed_mps is not None:
            human_mps = np.minimum(person_speed_mps, safety.human_speed_mps)
        watchdog.trips += step_cobots(
            time_us, dt_us, command_age_us, separation_m, human_mps, *self._numbers,
            watchdog.survival_us, watchdog.restart_us, watchdog.tripped, watchdog.back_since_us, self._poses, self._time_s,
            self._real, self._whole, self._ledger, self._lost_s, self._joints,
        )  # fmt: skip
        self._time_us = time_us
        self._state = None

    def state(self) -> CobotState:
        """Give all cobots at the last step; the same struct until the next one."""
        if self._state is None:
            scale, _, permitted, separation_m = self._real.copy()
            parts, mode, _, _ = self._whole.copy()
            self._state = CobotState(
                self._time_us, self._joints.copy(), scale, mode, separation_m, permitted, parts, self.antenna_m, self.yaw_rad
            )
        return self._state

    def production(self) -> dict[str, Any]:
        """Give the cobots' ledger so far.

        Returns
        -------
        See :func:`robots.ledger.cobot_production`.
        """
        return cobot_production(self._time_us, self.names, self._whole[0], self._lost_s, self._ledger[1])
