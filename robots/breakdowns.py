"""Machines' own failures: exponential operating time between two, lognormal time to repair."""

from __future__ import annotations

import numpy as np

from robots.config import BreakdownConfig, BreakdownsConfig
from robots.routes import BoolArray, FloatArray, IntArray
from robots.state import DRIVING, WORKING


def repair_times_s(config: BreakdownConfig, n: int, rng: np.random.Generator) -> FloatArray:
    r"""Draw n times to repair [s].

    Lognormal with the mean ``mttr_s`` and the coefficient of variation c = ``repair_variation``:
    :math:`\sigma^2 = \ln(1 + c^2)`, :math:`\mu = \ln(\mathrm{mttr}) - \sigma^2 / 2`.
    """
    square = float(np.log1p(config.repair_variation**2))
    drawn: FloatArray = rng.lognormal(np.log(config.mttr_s) - 0.5 * square, np.sqrt(square), n)
    return drawn


class Breakdowns:
    """Failures of n AGVs and m cobots, AGVs first.

    A machine ages only while it operates (drives, or works at its cycle), so it fails there and never while it waits, charges,
    loads or holds a part out.

    Parameters
    ----------
    config : which classes fail, and how.
    n_agv, n_cobot : number of machines.
    rng : draws times between failures and to repair.

    Attributes
    ----------
    enabled : whether any machine ever fails. broken : (n + m,) machines out of order. failures : (n + m,) how often each failed.
    """

    def __init__(self, config: BreakdownsConfig, n_agv: int, n_cobot: int, rng: np.random.Generator) -> None:
        n = n_agv + n_cobot
        self._rng = rng
        self._classes: list[tuple[slice, BreakdownConfig]] = [
            (rows, of) for rows, of in ((slice(0, n_agv), config.agvs), (slice(n_agv, n), config.cobots)) if of is not None
        ]
        self.enabled = bool(self._classes) and n > 0
        self.broken: BoolArray = np.zeros(n, np.bool_)
        self.failures: IntArray = np.zeros(n, np.int64)
        self._operates = np.array([DRIVING] * n_agv + [WORKING] * n_cobot, np.int64)
        self._left_us = np.full(n, np.inf)
        self._until_us = np.zeros(n)
        for rows, of in self._classes:
            self._left_us[rows] = 1e6 * rng.exponential(of.mtbf_s, len(self._left_us[rows]))

    def step(self, time_us: int, dt_us: int, mode: IntArray) -> BoolArray:
        """Advance by one step.

        Parameters
        ----------
        time_us, dt_us : end and length of the step [us]. mode : (n + m,) what the machines did in it.

        Returns
        -------
        (n + m,) machines out of order; the array is reused.
        """
        self._left_us[(mode == self._operates) & ~self.broken] -= dt_us
        repaired = self.broken & (self._until_us <= time_us)
        fails = ~self.broken & (self._left_us <= 0.0)
        if repaired.any() or fails.any():
            for rows, of in self._classes:
                n = self.broken[rows].shape[0]
                # drawn for all of the class, so that whose turn it is changes nobody else's times
                next_us, repair_us = 1e6 * self._rng.exponential(of.mtbf_s, n), 1e6 * repair_times_s(of, n, self._rng)
                self._left_us[rows] = np.where(fails[rows], next_us, self._left_us[rows])
                self._until_us[rows] = np.where(fails[rows], time_us + repair_us, self._until_us[rows])
            self.broken &= ~repaired
            self.broken |= fails
            self.failures += fails
        return self.broken
