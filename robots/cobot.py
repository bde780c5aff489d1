"""Cobots: pick-and-place cycles on a time base that people slow down (speed and separation monitoring) and lost commands stop."""

from __future__ import annotations

from typing import Any

import numpy as np

from robots import cobot_kernels as kernel
from robots.config import CobotConfig, RobotsConfig
from robots.kinematics import GRIP_S, hold_out, pick_and_place, timed
from robots.ledger import cobot_production
from robots.routes import FloatArray, IntArray
from robots.safety import Watchdog, separation_of, stopping_time_s
from robots.state import MODES, WORKING, CobotState


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
    handover_m : (m, 2) where each holds parts out to a person, NaN for those that do not [m].
    """

    def __init__(self, config: RobotsConfig, rng: np.random.Generator, survival_time_us: int | IntArray = 10_000) -> None:
        cobots = config.cobots
        m = len(cobots)
        self.safety = config.safety
        self.names = tuple(c.name for c in cobots)
        self.position_m = np.array([c.position_m for c in cobots], float).reshape(m, 3)
        self.yaw_rad = np.deg2rad(np.array([c.yaw_deg for c in cobots], float))
        self.antenna_m = np.empty((m, 3))
        self._poses, self._time_s = np.empty((2, m, 9, 7)), np.zeros((2, m, 9))
        self._handover = np.zeros((m, 4))
        self.handover_m = np.full((m, 2), np.nan)
        for i, cobot in enumerate(cobots):
            if cobot.antenna_position_m is None:
                back = -0.5 * np.array([np.cos(self.yaw_rad[i]), np.sin(self.yaw_rad[i]), 0.0])
                self.antenna_m[i] = self.position_m[i] + back + np.array([0.0, 0.0, 1.2])
            else:
                self.antenna_m[i] = cobot.antenna_position_m
            self._lay_out(i, cobot)
        self.watchdog = Watchdog(
            np.broadcast_to(np.asarray(survival_time_us, np.int64), (m,)),
            np.array([round(c.restart_delay_s * 1e6) for c in cobots], np.int64),
        )
        self._real, self._whole = np.zeros((12, m)), np.zeros((12, m), np.int64)
        self._real[[kernel.PERMITTED, kernel.PERMITTED_IDEAL]] = 1.0  # and from a standstill, for nobody has looked who is near
        self._real[kernel.PHASE] = rng.random(m) * self._time_s[kernel.PLAIN, :, -1]
        self._real[[kernel.SEPARATION, kernel.LEAST_M, kernel.LEAST_MARGIN_M]] = np.inf
        self._whole[kernel.MODE] = self._whole[kernel.CAUSE] = WORKING
        self._ledger = np.zeros((2, m, len(MODES)), np.int64)
        self._lost_s = np.zeros((2, m, len(MODES)))
        self._nothing = np.full(m, -1, np.int64)
        self._joints = np.empty((m, 7))
        self._human_mps, self._no_taker_m = np.full(m, self.safety.human_speed_mps), np.full(m, np.inf)
        cobot_mps, fixed_m = separation_of(self.safety)
        stopping_s = np.array([stopping_time_s(self.safety, c.payload_kg) for c in cobots])
        self._numbers = (
            self.safety.reaction_time_s,
            self.safety.reserve_m,
            self.safety.hysteresis_m,
            cobot_mps,
            stopping_s,
            fixed_m,
        )
        self._time_us = 0
        self._state: CobotState | None = None
        for i in range(m):
            kernel.cycle_pose(self._real[kernel.PHASE, i], self._poses[0, i], self._time_s[0, i], self._joints[i])

    def _lay_out(self, i: int, cobot: CobotConfig) -> None:
        """Lay out the two cycles of a cobot, and where it holds parts out."""
        poses, shortest_s = pick_and_place(cobot.pick_azimuth_deg, cobot.place_azimuth_deg, cobot.reach_m)
        share = (cobot.cycle_s - 2 * GRIP_S) / (shortest_s.sum() - 2 * GRIP_S)
        self._poses[:, i], self._time_s[:, i] = poses, timed(shortest_s, share)
        handover = cobot.handover
        if handover is not None:
            held, held_s = hold_out(
                cobot.pick_azimuth_deg, cobot.reach_m, handover.azimuth_deg, handover.reach_m, handover.height_m
            )
            self._poses[kernel.HANDING, i], self._time_s[kernel.HANDING, i] = held, timed(held_s, share)
            self._handover[i] = handover.every_parts, handover.take_s, handover.patience_s, handover.taker_reach_m
            towards = self.yaw_rad[i] + np.deg2rad(handover.azimuth_deg)
            self.handover_m[i] = self.position_m[i, :2] + handover.reach_m * np.array([np.cos(towards), np.sin(towards)])

    def step(
        self,
        time_us: int,
        dt_us: int,
        command_age_us: IntArray,
        separation_m: FloatArray,
        person_speed_mps: FloatArray | None = None,
        taker_m: FloatArray | None = None,
        halt: IntArray | None = None,
        radio_delay_us: IntArray | None = None,
    ) -> None:
        """Advance to ``time_us``.

        Parameters
        ----------
        time_us, dt_us : end and length of the step [us].
        command_age_us : (m,) age of the last valid command [us]; stops the arm beyond the survival time and, before that,
            lengthens the reaction time of the separation monitoring.
        separation_m : (m,) distance to the nearest person, inf for none [m].
        person_speed_mps : (m,) measured speed of that person [m/s]; used where ``safety.human_speed_monitored`` says so.
        taker_m : (m,) distance from ``handover_m`` to the nearest person who stands there and waits, inf for none [m]. Without
            anybody a part is put down, not held out.
        halt : (m,) mode code of what else stops an arm at once (``robots.state.BREAKDOWN``, ``EMERGENCY_STOP``), -1 for nothing.
        radio_delay_us : (m,) what the separation monitoring reckons with as the radio's part of its reaction time [us], instead
            of how long commands are overdue at present; see ``SafetyConfig.radio_delay``.
        """
        safety, watchdog = self.safety, self.watchdog
        human_mps = self._human_mps
        if safety.human_speed_monitored and person_speed_mps is not None:
            human_mps = np.minimum(person_speed_mps, safety.human_speed_mps)
        watchdog.trips += kernel.step_cobots(
            time_us, dt_us, command_age_us, separation_m, human_mps, self._no_taker_m if taker_m is None else taker_m,
            *self._numbers, watchdog.survival_us, watchdog.restart_us, watchdog.tripped, watchdog.back_since_us,
            self._nothing if radio_delay_us is None else radio_delay_us, self._nothing if halt is None else halt,
            self._handover, self._poses, self._time_s, self._real, self._whole, self._ledger, self._lost_s, self._joints,
        )  # fmt: skip
        self._time_us = time_us
        self._state = None

    def state(self) -> CobotState:
        """Give all cobots at the last step; the same struct until the next one."""
        if self._state is None:
            real, whole = self._real.copy(), self._whole.copy()
            self._state = CobotState(
                self._time_us, self._joints.copy(), real[kernel.SCALE], whole[kernel.MODE], real[kernel.SEPARATION],
                real[kernel.PERMITTED], whole[kernel.PARTS], kernel.carrying(real, whole, self._time_s), self.antenna_m,
                self.yaw_rad,
            )  # fmt: skip
        return self._state

    def production(self) -> dict[str, Any]:
        """Give the cobots' ledger so far.

        Returns
        -------
        See :func:`robots.ledger.cobot_production`.
        """
        return cobot_production(self._time_us, self.names, self._real, self._whole, self._lost_s[0], self._ledger[1])

    @property
    def tables(self) -> tuple[IntArray, FloatArray]:
        """Modes (m,) and the table of :mod:`robots.cobot_kernels`, to be read; both change in place."""
        return self._whole[kernel.MODE], self._real

    @property
    def slow_s(self) -> FloatArray:
        """Time lost by cause while the arm moved, slower than in its undisturbed cycle: (m, len(MODES)) [s]."""
        return np.asarray(self._lost_s[1])

    @property
    def radio_slow_s(self) -> FloatArray:
        """Time lost because the radio's delay lengthens the required separation: (m,) [s]; part of what people cost."""
        return np.asarray(self._real[kernel.RADIO_SLOW_S])
