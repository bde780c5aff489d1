"""How unevenly people walk: nobody keeps a pace or a line to the millimetre.

Pace and direction swing about what somebody wants, each as an Ornstein-Uhlenbeck process; the pace differs from one walk to the
next besides. Fitted to recorded workers and visitors of THOR (Rudenko et al. 2020; persons 2, 4 and 7, walks of more than 3 s):
walking speed differs by 0.06 m/s between people, by 0.09 m/s between walks of one person and by 0.09 m/s within a walk, where
it is correlated by 0.72 from one 0.4 s to the next.
"""

from __future__ import annotations

import numpy as np

from humans.types import FloatArray

WALK_CV = 0.065
"""Standard deviation of the pace between walks of one person over its mean."""
HASTE_CV, HASTE_S = 0.135, 0.7
"""Standard deviation of the pace within a walk over its mean, and its correlation time [s]."""
TURN_RAD, TURN_S = 0.2, 1.0
"""Standard deviation of the direction wanted [rad], and its correlation time [s]."""
_PERIOD_US = 100_000
TURN, HASTE = range(2)
"""Rows of ``Wander.now``."""


class Wander:
    """Swings of n people's direction and pace.

    Parameters
    ----------
    n : number of people.
    rng : draws the swings.

    Attributes
    ----------
    now : (2, n) by how much each turns off the way [rad], and the factor on the pace; renewed ten times a second.
    """

    def __init__(self, n: int, rng: np.random.Generator) -> None:
        self._rng = rng
        self._next_us = 0
        sd = np.array([[TURN_RAD], [HASTE_CV]])
        keep = np.exp(-_PERIOD_US * 1e-6 / np.array([[TURN_S], [HASTE_S]]))
        self._keep: FloatArray = keep
        self._kick: FloatArray = sd * np.sqrt(1.0 - keep * keep)
        self._swing: FloatArray = sd * rng.standard_normal((2, n))
        self.now: FloatArray = np.empty((2, n))
        self._write()

    def advance(self, time_us: int) -> None:
        """Go on to ``time_us``."""
        if time_us < self._next_us:
            return
        self._next_us = time_us + _PERIOD_US
        self._swing *= self._keep
        self._swing += self._kick * self._rng.standard_normal(self._swing.shape)
        self._write()

    def _write(self) -> None:
        self.now[TURN] = self._swing[TURN]
        np.clip(1.0 + self._swing[HASTE], 0.6, 1.4, out=self.now[HASTE])


def pace_of_walk(rng: np.random.Generator) -> float:
    """Draw the factor on somebody's pace for one walk, within three standard deviations of 1."""
    return 1.0 + WALK_CV * float(np.clip(rng.standard_normal(), -3.0, 3.0))
