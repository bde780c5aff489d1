"""Cobots: pick-and-place cycles on a time base that people slow down (speed and separation monitoring) and lost commands stop."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from robots.config import RobotsConfig
from robots.kinematics import GRIP_S, pick_and_place
from robots.ledger import cobot_production
from robots.routes import BoolArray, FloatArray, IntArray
from robots.safety import Watchdog, permitted_speed_scale
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
def advance_cycles(
    dt_us: int,
    wanted: FloatArray,
    held: BoolArray,
    stop_rate: float,
    poses: FloatArray,
    time_s: FloatArray,
    scale: FloatArray,
    phase_s: FloatArray,
    parts: IntArray,
    mode: IntArray,
    cause: IntArray,
    mode_us: IntArray,
    lost_s: FloatArray,
    stops: IntArray,
    joints: FloatArray,
) -> None:
    """Advance all cycles by one step, all arrays in place.

    Parameters
    ----------
    dt_us : length of the step [us].
    wanted : (m,) share of full speed that people permit. held : (m,) protective stop.
    stop_rate : change of the share per second when braking [1/s].
    poses : (m, 9, 7), time_s : (m, 9) cycle. scale, phase_s, parts, mode : (m,) states.
    cause : (m,) mode code of what slowed it last.
    mode_us, lost_s, stops : (m, len(MODES)) ledger. joints : (m, 7) targets [rad].
    """
    dt = dt_us * 1e-6
    for i in range(wanted.shape[0]):
        target = 0.0 if held[i] else wanted[i]
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
        now = COMMUNICATION if held[i] else (PERSON_NEAR if scale[i] == 0.0 and target == 0.0 else WORKING)
        if now != mode[i]:
            stops[i, now] += 1
        mode[i] = now
        mode_us[i, now] += dt_us
        missing = (1.0 - 0.5 * (before + scale[i])) * dt
        if held[i]:
            cause[i] = COMMUNICATION
        elif wanted[i] < 1.0:
            cause[i] = PERSON_NEAR
        if missing > 1e-12:
            lost_s[i, cause[i]] += missing  # speeding up again counts for what had slowed it


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
        self._phase_s = rng.random(m) * self._time_s[:, -1]
        self._scale = np.ones(m)
        self._permitted = np.ones(m)
        self._separation_m = np.full(m, np.inf)
        self._parts = np.zeros(m, np.int64)
        self._mode = np.full(m, WORKING, np.int64)
        self._cause = np.full(m, PERSON_NEAR, np.int64)
        self._mode_us = np.zeros((m, len(MODES)), np.int64)
        self._lost_s = np.zeros((m, len(MODES)))
        self._stops = np.zeros((m, len(MODES)), np.int64)
        self._joints = np.empty((m, 7))
        self._stopped_by_person = np.zeros(m, np.bool_)
        self._time_us = 0
        for i in range(m):
            cycle_pose(self._phase_s[i], self._poses[i], self._time_s[i], self._joints[i])

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
        safety = self.safety
        reaction_s = safety.reaction_time_s + np.minimum(command_age_us, self.watchdog.survival_us) * 1e-6
        if safety.human_speed_monitored and person_speed_mps is not None:
            human_mps = np.minimum(person_speed_mps, safety.human_speed_mps)
        else:
            human_mps = np.full(separation_m.shape, safety.human_speed_mps)
        seen_m = np.where(self._stopped_by_person, separation_m - safety.hysteresis_m, separation_m)
        self._permitted = permitted_speed_scale(seen_m, reaction_s, human_mps, safety)
        self._stopped_by_person = self._permitted == 0
        held = self.watchdog.step(time_us, command_age_us, self._scale == 0)
        advance_cycles(
            dt_us,
            self._permitted,
            held,
            1.0 / safety.stopping_time_s,
            self._poses,
            self._time_s,
            self._scale,
            self._phase_s,
            self._parts,
            self._mode,
            self._cause,
            self._mode_us,
            self._lost_s,
            self._stops,
            self._joints,
        )
        self._separation_m = separation_m
        self._time_us = time_us

    def state(self) -> CobotState:
        """Give all cobots at the last step; arrays are the caller's own except the constant antennas and yaws."""
        return CobotState(
            time_us=self._time_us,
            joint_target_rad=self._joints.copy(),
            speed_scale=self._scale.copy(),
            mode=self._mode.copy(),
            separation_m=self._separation_m.copy(),
            permitted_scale=self._permitted.copy(),
            parts=self._parts.copy(),
            antenna_m=self.antenna_m,
            yaw_rad=self.yaw_rad,
        )

    def production(self) -> dict[str, Any]:
        """Give the cobots' ledger so far.

        Returns
        -------
        See :func:`robots.ledger.cobot_production`.
        """
        return cobot_production(self._time_us, self.names, self._parts, self._lost_s, self._stops)
