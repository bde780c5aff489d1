"""Processes whose unavailability is known in closed form."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from radio.figures.tails_kernels import BINS, bin_of
from radio.types import FloatArray, IntArray


class GaussianFade:
    """A margin that wanders as a first-order autoregression, stationary N(mean, sd): E[Q(margin)] = Q(mean / sqrt(1 + sd^2))."""

    def __init__(self, mean: float, sd: float, keep: float, seed: int) -> None:
        self._mean, self._sd, self._keep = mean, sd, keep
        self._rng = np.random.default_rng(seed)
        self._margin = mean + sd * self._rng.standard_normal()

    @property
    def truth(self) -> float:
        return float(ndtr(-self._mean / np.hypot(1.0, self._sd)))

    def step(self) -> tuple[float, npt.NDArray[np.float64]]:
        kick = self._sd * np.sqrt(1.0 - self._keep**2) * self._rng.standard_normal()
        self._margin = self._mean + self._keep * (self._margin - self._mean) + kick
        return -self._margin, np.array([1.0, ndtr(-self._margin), 0.0])

    def save(self) -> Any:
        return self._margin

    def restore(self, state: Any) -> None:
        self._margin = state

    def forget(self, state: Any) -> None:
        pass

    def reseed(self, key: tuple[int, ...]) -> None:
        self._rng = np.random.default_rng(list(key))


def gaussian_margins(mean: float, sd: float, keep: float, blocks: int, per_block: int, seed: int) -> tuple[FloatArray, IntArray]:
    """Margins (blocks, per_block) of a GaussianFade, and their histograms (blocks, BINS)."""
    from scipy.signal import lfilter

    rng = np.random.default_rng(seed)
    n = blocks * per_block
    noise = np.sqrt(1.0 - keep**2) * rng.standard_normal(n)
    start = rng.standard_normal()
    z = lfilter([1.0], [1.0, -keep], noise, zi=[keep * start])[0]
    margin = (mean + sd * z).reshape(blocks, per_block)
    counts = np.zeros((blocks, BINS), np.int64)
    for b in range(blocks):
        counts[b] = np.bincount([bin_of(x) for x in margin[b]], minlength=BINS)
    return margin, counts
