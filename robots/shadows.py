"""Shadows of real AGVs: where each is now by what it told some time ago, an extended Kalman filter on an arc (one per AGV).

Between messages an AGV is taken to keep speed and turn rate (Bar-Shalom, Li and Kirubarajan 2001, 11.7, coordinated turn). A pose
that does not fit (chi-square, three degrees of freedom) changes nothing; several in a row that fit each other begin anew, for
AGVs are carried, and localise anew.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass, replace

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from robots import shadow_kernels as kernel
from robots.routes import BoolArray, FloatArray, IntArray
from robots.state import AgvState

__all__ = ["AgvEstimate", "AgvShadows", "ShadowConfig", "shadowed", "update_reference"]

_GATE = 16.266236196238129  # chi-square with three degrees of freedom, 0.999
_SLOW_MPS = 0.02
_START = (1.0, 0.3)  # deviations of speed [m/s] and turn rate [rad/s] that a first pose does not tell; assumed
_MEMORY = 100
_KEPT = 64
_SETTLES = 4


class ShadowConfig(BaseModel):
    """How real AGVs are followed from what they tell."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    position_sd_m: float = Field(
        0.03, ge=0.001, le=1.0, description="Standard deviation of a told place along each axis in m; assumed."
    )
    heading_sd_deg: float = Field(1.0, ge=0.05, le=30.0, description="Standard deviation of a told heading in degrees; assumed.")
    speed_sd_mps: float = Field(0.05, ge=0.005, le=1.0, description="Standard deviation of a told speed in m/s; assumed.")
    turn_sd_deg_per_s: float = Field(
        2.0, ge=0.1, le=60.0, description="Standard deviation of a told turn rate in degrees/s; assumed."
    )
    acceleration_mps2: float = Field(
        0.5, ge=0.05, le=5.0, description="How much the speed changes in a second, one standard deviation, in m/s^2; assumed."
    )
    turning_deg_per_s2: float = Field(
        30.0, ge=1.0, le=360.0, description="How much the turn rate changes in a second, one standard deviation, in degrees/s^2."
    )
    restart_after: int = Field(3, ge=2, le=10, description="Poses beyond the gate that must agree before they are believed.")
    forget_s: float = Field(
        35.0, ge=1.0, le=600.0, description="An AGV that is silent for longer is not known, in s; VDA 5050: 30 s."
    )
    horizon_ms: float = Field(500.0, ge=100.0, le=2000.0, description="How far ahead the published forecast skill is, in ms.")


@dataclass(frozen=True, slots=True)
class AgvEstimate:
    """Where n AGVs are thought to be.

    Attributes
    ----------
    time_us : instant [us]. known : (n,) heard lately. age_us : (n,) since the last believed pose was measured, -1: none [us].
    position_m : (n, 2) [m]. heading_rad : (n,) [rad]. speed_mps : (n,) [m/s]. turn_radps : (n,) [rad/s].
    sigma_m : (n,) standard deviation of the place along each axis [m]. What is not known is NaN.
    """

    time_us: int
    known: BoolArray
    age_us: IntArray
    position_m: FloatArray
    heading_rad: FloatArray
    speed_mps: FloatArray
    turn_radps: FloatArray
    sigma_m: FloatArray


class AgvShadows:
    """Follows n real AGVs.

    Parameters
    ----------
    n : number of AGVs. config : see :class:`ShadowConfig`.

    Attributes
    ----------
    counts : poses ``accepted``, ``gated``, ``old`` (not newer than the last), and ``restarted``.
    offset_m : (n,) distance of the last told place to where the shadow was at that instant [m], NaN for none.
    squared_innovation : (n,) mean normalised innovation squared of late, 3 where the deviations are true.
    """

    def __init__(self, n: int, config: ShadowConfig) -> None:
        self.n, self.config = n, config
        self.counts: Counter[str] = Counter()
        c = config
        self._variance = np.square([
            c.position_sd_m, c.position_sd_m, math.radians(c.heading_sd_deg), c.speed_sd_mps, math.radians(c.turn_sd_deg_per_s)
        ])  # fmt: skip
        moving = (c.acceleration_mps2**2, math.radians(c.turning_deg_per_s2) ** 2, 1e-4)
        # Who stands may begin to drive before it says so; but it says so, thus far less than who drives.
        self._noise: FloatArray = np.array([moving, (1e-4, 1e-4, 1e-5)])
        self._state, self._cov = np.zeros((n, 5)), np.zeros((n, 5, 5))
        self._at_us: IntArray = np.full(n, -1, np.int64)
        self._believed_us: IntArray = np.full(n, -1, np.int64)
        self._rest: BoolArray = np.zeros(n, np.bool_)
        self._jumps: list[list[tuple[int, FloatArray]]] = [[] for _ in range(n)]
        self._past: list[deque[tuple[int, FloatArray]]] = [deque(maxlen=_KEPT) for _ in range(n)]
        self.offset_m: FloatArray = np.full(n, np.nan)
        self.squared_innovation: FloatArray = np.full(n, np.nan)
        self._forecast_m2: FloatArray = np.full(n, np.nan)
        self._still_m2: FloatArray = np.full(n, np.nan)

    def take(
        self, i: int, time_us: int, pose: tuple[float, float, float], speed_mps: float, turn_radps: float, driving: bool
    ) -> bool:
        """Take a pose that AGV ``i`` told.

        Parameters
        ----------
        i : which one. time_us : when it was measured [us]. pose : x, y [m], heading [rad].
        speed_mps, turn_radps : as told, NaN where it did not [m/s], [rad/s]. driving : as told.

        Returns
        -------
        bool
            Whether the shadow followed it.

        Raises
        ------
        ValueError
            If the pose is not finite.
        """
        measured = np.array([*pose, speed_mps, turn_radps])
        if not np.isfinite(measured[:3]).all():
            raise ValueError(f"pose {pose} of AGV {i} must be finite")
        if self._at_us[i] >= 0 and time_us <= self._at_us[i]:
            self.counts["old"] += 1
            return False
        rest = not driving and not abs(speed_mps) > _SLOW_MPS
        if self._at_us[i] < 0:
            self._begin(i, time_us, measured, rest)
            self.counts["accepted"] += 1
            return True
        state, cov = np.empty(5), np.empty((5, 5))
        still = self._rest[i] and rest
        kernel.predict(
            self._state[i], self._cov[i], (time_us - self._at_us[i]) * 1e-6, self._noise[1 if still else 0], state, cov
        )
        offset_m = math.hypot(measured[0] - state[0], measured[1] - state[1])
        told = measured.copy()
        if rest:
            told[3:] = np.where(np.isfinite(told[3:]), told[3:], 0.0)
        nis = kernel.update(state, cov, told, self._variance, _GATE)
        if nis > _GATE:
            self.counts["gated"] += 1
            return self._jumped(i, time_us, measured, rest)
        self.counts["accepted"] += 1
        self._jumps[i].clear()
        self.offset_m[i] = offset_m
        self.squared_innovation[i] = _faded(self.squared_innovation[i], nis)
        self._score(i, time_us, measured)
        self._settle(i, time_us, state, cov, rest)
        return True

    def _begin(self, i: int, time_us: int, measured: FloatArray, rest: bool) -> None:
        told = np.isfinite(measured[3:])
        spread = np.where(told, self._variance[3:], 0.0 if rest else np.square(_START))
        state = np.where(np.isfinite(measured), measured, 0.0)
        self._jumps[i].clear()
        self._past[i].clear()
        self._settle(i, time_us, state, np.diag([*self._variance[:3], *spread]), rest)

    def _settle(self, i: int, time_us: int, state: FloatArray, cov: FloatArray, rest: bool) -> None:
        state[2] = kernel.wrapped(state[2])
        self._state[i], self._cov[i], self._at_us[i], self._rest[i] = state, cov, time_us, rest
        self._believed_us[i] = time_us
        self._past[i].append((time_us, state.copy()))

    def _jumped(self, i: int, time_us: int, measured: FloatArray, rest: bool) -> bool:
        jumps = self._jumps[i]
        if jumps:
            then_us, then = jumps[-1]
            reach = 3.0 * (time_us - then_us) * 1e-6 + 6.0 * self.config.position_sd_m  # no AGV of a hall is faster than 3 m/s
            if math.hypot(*(measured[:2] - then[:2])) > reach:
                jumps.clear()
        jumps.append((time_us, measured))
        if len(jumps) < self.config.restart_after:
            return False
        self.counts["restarted"] += 1
        self._begin(i, time_us, measured, rest)
        return True

    def _score(self, i: int, time_us: int, measured: FloatArray) -> None:
        """Judge the forecast made ``horizon_ms`` or a little more before this pose, and standing still as well."""
        horizon_us = round(self.config.horizon_ms * 1000.0)
        settled = list(self._past[i])[_SETTLES:]  # the first poses of a track may not tell how fast it is
        then = next((past for past in reversed(settled) if time_us - past[0] >= horizon_us), None)
        if then is None or time_us - then[0] > 2 * horizon_us:
            return
        ahead, unused = np.empty(5), np.empty((5, 5))
        kernel.predict(then[1], np.zeros((5, 5)), (time_us - then[0]) * 1e-6, self._noise[0], ahead, unused)
        self._forecast_m2[i] = _faded(self._forecast_m2[i], float(np.square(measured[:2] - ahead[:2]).sum()))
        self._still_m2[i] = _faded(self._still_m2[i], float(np.square(measured[:2] - then[1][:2]).sum()))

    def shift(self, by_us: int) -> None:
        """Move all that was measured by ``by_us`` in time, as when the twin stood still while the plant went on."""
        told = self._at_us >= 0
        self._at_us[told] += by_us
        self._believed_us[told] += by_us
        for i in range(self.n):
            self._past[i].clear()
            self._jumps[i].clear()

    def estimate(self, time_us: int) -> AgvEstimate:
        """Return where AGVs are at ``time_us`` [us]."""
        age_us = np.where(self._believed_us >= 0, np.maximum(time_us - self._believed_us, 0), -1)
        known = (age_us >= 0) & (age_us <= round(self.config.forget_s * 1e6))
        out, spread = np.empty((self.n, 5)), np.empty(self.n)
        kernel.estimate(self._state, self._cov, self._at_us, known, self._rest, time_us, self._noise, out, spread)
        return AgvEstimate(
            time_us, known, age_us, out[:, :2].copy(), out[:, 2].copy(), out[:, 3].copy(), out[:, 4].copy(), spread
        )

    @property
    def skill(self) -> FloatArray:
        """(n,) forecast skill against standing still, 1 - ratio of mean squared errors; NaN where the AGV stood."""
        moved = self._still_m2 > 4.0 * self._variance[0]
        return np.where(moved, 1.0 - self._forecast_m2 / np.where(moved, self._still_m2, 1.0), np.nan)


def _faded(mean: float, value: float) -> float:
    return value if math.isnan(mean) else mean + (value - mean) / _MEMORY


def shadowed(state: AgvState, row: IntArray, estimate: AgvEstimate) -> AgvState:
    """Return the fleet with the real AGVs where their shadows are.

    Parameters
    ----------
    state : the fleet as simulated. row : (n,) row of each shadow's AGV in the fleet. estimate : the shadows; unknown ones change
        nothing.
    """
    at = row[estimate.known]
    if not len(at):
        return state
    known = estimate.known
    position, heading, speed = state.position_m.copy(), state.heading_rad.copy(), state.speed_mps.copy()
    velocity, antenna = state.velocity_mps.copy(), state.antenna_m.copy()
    # Antennas are where they were, seen from the vehicle.
    old = heading[at]
    arm = antenna[at, :2] - position[at]
    turn = estimate.heading_rad[known] - old
    c, s = np.cos(turn), np.sin(turn)
    position[at], heading[at] = estimate.position_m[known], estimate.heading_rad[known]
    antenna[at, 0] = position[at, 0] + c * arm[:, 0] - s * arm[:, 1]
    antenna[at, 1] = position[at, 1] + s * arm[:, 0] + c * arm[:, 1]
    speed[at] = np.abs(estimate.speed_mps[known])
    ahead = np.stack([np.cos(heading[at]), np.sin(heading[at])], axis=1)
    velocity[at] = estimate.speed_mps[known][:, None] * ahead
    return replace(state, position_m=position, heading_rad=heading, speed_mps=speed, velocity_mps=velocity, antenna_m=antenna)


def update_reference(
    state: FloatArray, cov: FloatArray, dt_s: float, measured: FloatArray, variance: FloatArray, noise: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return state (5,) and covariance (5, 5) after ``dt_s`` and all of ``measured`` (5,), by matrices.

    The way is driven in small steps, and its derivatives are differences; this is what the kernels are held against.
    """
    steps = 2000

    def drive(x: FloatArray) -> FloatArray:
        px, py, th, v, w = x.tolist()
        for _ in range(steps):
            middle = th + 0.5 * w * dt_s / steps
            px, py, th = px + v * dt_s / steps * math.cos(middle), py + v * dt_s / steps * math.sin(middle), th + w * dt_s / steps
        return np.array([px, py, th, v, w])

    eps = 1e-6
    f = np.stack([(drive(state + eps * e) - drive(state - eps * e)) / (2 * eps) for e in np.eye(5)], axis=1)
    along = state[2] + 0.5 * state[4] * dt_s
    push = np.zeros((5, 2))  # white accelerations act on speed and turn rate, and by these on place and heading
    nodes, weights = np.polynomial.legendre.leggauss(8)
    q = noise[2] * dt_s * np.diag([1.0, 1.0, 0.0, 0.0, 0.0])
    for node, weight in zip(nodes, weights, strict=True):
        left = 0.5 * dt_s * (node + 1.0)
        push[:, 0] = (left * math.cos(along), left * math.sin(along), 0.0, 1.0, 0.0)
        push[:, 1] = (0.0, 0.0, left, 0.0, 1.0)
        q += 0.5 * dt_s * weight * push @ np.diag(noise[:2]) @ push.T
    x, p = drive(state), f @ cov @ f.T + q
    off = measured - x
    off[2] = (off[2] + math.pi) % (2 * math.pi) - math.pi
    gain = p @ np.linalg.inv(p + np.diag(variance))
    return x + gain @ off, (np.eye(5) - gain) @ p
