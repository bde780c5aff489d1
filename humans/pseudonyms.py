"""Rotating pseudonyms: enough to tell people apart for a while, never a name."""

from __future__ import annotations

import numpy as np


class Pseudonyms:
    """Pseudonyms of n people, such as "person-3f2a", that change with every period.

    Parameters
    ----------
    n : number of people.
    rotation_s : length of a period [s].
    rng : the secret is drawn from it once, so that a seed gives the same pseudonyms again.
    """

    def __init__(self, n: int, rotation_s: float, rng: np.random.Generator) -> None:
        self._n = n
        self._rotation_us = round(rotation_s * 1e6)
        self._secret = int(rng.integers(2**62))
        self._epoch = -1
        self._now: tuple[str, ...] = ()

    def at(self, time_us: int) -> tuple[str, ...]:
        """Pseudonyms at an instant, all different."""
        epoch = time_us // self._rotation_us
        if epoch != self._epoch:
            self._epoch = epoch
            codes = np.random.default_rng([self._secret, epoch]).choice(16**4, self._n, replace=False)
            self._now = tuple(f"person-{code:04x}" for code in codes)
        return self._now
