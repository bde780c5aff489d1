"""Emergency stops pressed on hand-held panels: until the machine stands, the message has to arrive and the arm to brake."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from humans.config import PeopleConfig
from radio.messages.delivery import Delivered
from radio.messages.traffic import Traffic
from robots.state import EMERGENCY_STOP

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_NEVER = 2**62


@dataclass(frozen=True, slots=True)
class Pressed:
    """One emergency stop, told when the machine stands.

    Attributes
    ----------
    panel, cobot : whose it was, and what it stopped. pressed_us : when [us].
    message_us : from then until the message had arrived [us], -1 where the machine stood before.
    standing_us : from then until the machine stood [us].
    """

    panel: int
    cobot: int
    pressed_us: int
    message_us: int
    standing_us: int


class EmergencyStops:
    """Presses the emergency stops of the panels, and lets their messages stop the cobots that they are paired with.

    A press is carried by the next message of the panel's control streams that arrives; where none comes for longer than the
    survival time the watchdog stops the cobot anyway. It stands until the stop is acknowledged.

    Parameters
    ----------
    config : how often, and how long until it is acknowledged.
    paired : (k,) cobot of each panel, -1 for none.
    streams : control streams of each panel. traffic : the streams.
    rng : draws the times.
    n_cobot : number of cobots.

    Attributes
    ----------
    enabled : whether any is ever pressed. stopped : stops so far, in the order in which the machines stood.
    halt : (m,) ``robots.state.EMERGENCY_STOP`` where one holds, else -1. panel_of : (m,) which panel's.
    """

    def __init__(
        self, config: PeopleConfig, paired: Ints, streams: list[Ints], traffic: Traffic, rng: np.random.Generator, n_cobot: int
    ) -> None:
        self.enabled = config.emergency_stops_per_panel_hour > 0 and bool((paired >= 0).any())
        self.stopped: list[Pressed] = []
        self.halt: Ints = np.full(n_cobot, -1, np.int64)
        self.panel_of: Ints = np.full(n_cobot, -1, np.int64)
        self._rng, self._paired = rng, paired
        self._mean_us = 3.6e9 / config.emergency_stops_per_panel_hour if self.enabled else 0.0
        self._acknowledge_us = round(config.emergency_acknowledge_s * 1e6)
        n = len(paired)
        self._panel_of_stream = np.full(traffic.n_streams, -1, np.int64)
        for p, rows in enumerate(streams):
            self._panel_of_stream[rows] = p
        self._next_us = np.full(n, _NEVER, np.int64)
        self._pressed_us, self._arrived_us, self._free_us = np.full((3, n), -1, np.int64)
        self._told = np.zeros(n, np.bool_)
        if self.enabled:
            self._next_us[:] = np.where(paired >= 0, rng.exponential(self._mean_us, n), _NEVER)

    def step(self, time_us: int, delivered: Delivered | None, held: Bools, standing: Bools) -> Ints:
        """Advance to the tick that begins at ``time_us``.

        Parameters
        ----------
        time_us : start of the tick [us].
        delivered : messages of the tick before under the acting policy; None where there is no radio: a press arrives at once.
        held : (k,) whether somebody holds each panel. standing : (m,) cobots that stand.

        Returns
        -------
        (m,) ``halt``.
        """
        for p in np.flatnonzero((self._next_us <= time_us) & (self._pressed_us < 0)).tolist():
            if held[p]:
                self._pressed_us[p] = self._next_us[p]
            else:
                self._next_us[p] += 1 + int(self._rng.exponential(self._mean_us))
        for p in np.flatnonzero(self._pressed_us >= 0).tolist():
            self._follow(p, time_us, delivered, standing)
        return self.halt

    def _follow(self, p: int, time_us: int, delivered: Delivered | None, standing: Bools) -> None:
        """Bring one press on its way: arrived, standing, acknowledged."""
        cobot, pressed = int(self._paired[p]), int(self._pressed_us[p])
        if self._arrived_us[p] < 0:
            self._arrived_us[p] = self._arrival_us(p, pressed, delivered)
        if self._arrived_us[p] >= 0 and self.halt[cobot] < 0:
            self.halt[cobot], self.panel_of[cobot] = EMERGENCY_STOP, p
        if standing[cobot] and not self._told[p]:
            self._told[p] = True
            arrived = int(self._arrived_us[p])
            message_us = arrived - pressed if 0 <= arrived <= time_us else -1
            self.stopped.append(Pressed(p, cobot, pressed, message_us, max(time_us - pressed, 0)))
        if self._told[p] and self._arrived_us[p] >= 0:
            if self._free_us[p] < 0:
                self._free_us[p] = time_us + self._acknowledge_us
            if time_us >= self._free_us[p]:
                self._next_us[p] = time_us + 1 + int(self._rng.exponential(self._mean_us))
                self._pressed_us[p] = self._arrived_us[p] = self._free_us[p] = -1
                self._told[p] = False
                others = (self._paired == cobot) & (self._arrived_us >= 0)
                if not others.any():
                    self.halt[cobot] = self.panel_of[cobot] = -1

    def _arrival_us(self, p: int, pressed_us: int, delivered: Delivered | None) -> int:
        """When the first message of a panel that knows of the press arrived [us], -1 while none has."""
        if delivered is None:
            return pressed_us
        told = delivered.ok & (self._panel_of_stream[delivered.stream] == p) & (delivered.time_us >= pressed_us)
        if not told.any():
            return -1
        return int((delivered.time_us[told] + delivered.latency_us[told]).min())
