"""AGVs of the live twin: the real ones stand in the twin where their shadows are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from bridges.vda5050.shadow import AgvObservations
from factory.live_people import PlantClock
from robots.shadows import AgvEstimate, AgvShadows, ShadowConfig, shadowed
from robots.state import AgvState

__all__ = ["LiveAgvs"]

_LISTEN_US = 20_000  # messages come at 10 Hz at most; their instants are what counts, not when they are read


class LiveAgvs:
    """Takes what real AGVs say into their shadows at the start of a tick.

    Parameters
    ----------
    observe : gives what is known of the real AGVs at an instant, seconds since 1970.
    row : row in the fleet of each real AGV's twin, in the order of the observations.
    config : see :class:`ShadowConfig`.

    Attributes
    ----------
    observe : as given; who records puts something of their own before it.
    clock : the plant's. shadows : the filters. online : (n,) the broker says that it is there.
    """

    def __init__(self, observe: Callable[[float], AgvObservations], row: Sequence[int], config: ShadowConfig) -> None:
        self.observe = observe
        self.row = np.array(row, np.int64)
        self.clock, self.shadows = PlantClock(), AgvShadows(len(self.row), config)
        self.online = np.zeros(len(self.row), np.bool_)
        self._heard_s = np.full(len(self.row), math.nan)
        self._estimate: AgvEstimate | None = None

    def take_in(self, time_us: int, now_s: float) -> None:
        """Take in what came; ``time_us`` is the tick's [us], ``now_s`` the plant's clock, seconds since 1970."""
        moved = self.clock.follow(time_us, now_s)
        if moved:
            self.shadows.shift(moved)
        self._estimate = None
        if time_us % _LISTEN_US:
            return
        seen = self.observe(now_s)
        self.online = seen.online
        for i in np.flatnonzero(np.isfinite(seen.measured_s) & (seen.measured_s != self._heard_s)).tolist():
            self._heard_s[i] = seen.measured_s[i]
            heading = float(seen.heading_rad[i])
            vx, vy = seen.velocity_mps[i].tolist()
            speed = vx * math.cos(heading) + vy * math.sin(heading)
            pose = (float(seen.position_m[i, 0]), float(seen.position_m[i, 1]), heading)
            at_us = self.clock.to_twin_us(float(seen.measured_s[i]))
            self.shadows.take(i, at_us, pose, speed, float(seen.turn_radps[i]), bool(seen.driving[i]))

    def put_into(self, state: AgvState, ahead_us: int = 0) -> AgvState:
        """Return the fleet with the real AGVs where their shadows are at the state's instant, or will be.

        Parameters
        ----------
        state : the fleet as simulated. ahead_us : how far ahead of now the state is [us].
        """
        estimate = self.estimate(state.time_us) if ahead_us == 0 else self.shadows.estimate(state.time_us)
        return shadowed(state, self.row, estimate)

    def estimate(self, time_us: int) -> AgvEstimate:
        """Return where the shadows are at ``time_us`` [us]."""
        if self._estimate is None or self._estimate.time_us != time_us:
            self._estimate = self.shadows.estimate(time_us)
        return self._estimate
