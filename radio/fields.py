"""Quantities that vary over a hall's floor: normal fields with an exponential correlation, seeded, asked at any place."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numba as nb
import numpy as np

from radio.types import FloatArray

_CELLS_PER_CORRELATION = 4
_LARGEST_GRID = 4096


class SpatialField:
    """Standard normal fields over a floor, correlated as ``exp(-distance / correlation_m)`` (TR 38.901 7.4.4).

    Parameters
    ----------
    size_m : (2 or more,) extent along x and y [m].
    correlation_m : correlation distance [m].
    seeds : one per field; fields are independent.

    Attributes
    ----------
    grid : (n, X, Y) values at the grid's points, which begin at the origin.
    step_m : distance between points [m].
    correlation_m : correlation distance [m].

    Raises
    ------
    ValueError
        If the correlation distance is so short against the floor that the grid would not fit into memory.

    Notes
    -----
    Drawn on a torus that is six correlation distances longer than the floor, by its spectrum (circulant embedding), and read
    between the points by bilinear interpolation that keeps the variance at 1.
    """

    def __init__(self, size_m: FloatArray, correlation_m: float, seeds: Sequence[np.random.SeedSequence]) -> None:
        self.correlation_m = float(correlation_m)
        self.step_m = self.correlation_m / _CELLS_PER_CORRELATION
        length, width = (float(s) for s in size_m[:2])
        shape = [math.ceil(s / self.step_m) + 2 for s in (length, width)]
        if max(shape) > _LARGEST_GRID:
            raise ValueError(
                f"correlation distance {correlation_m:g} m is too short for a floor of {length:g} x {width:g} m; "
                f"wanted {1.01 * max(length, width) * _CELLS_PER_CORRELATION / _LARGEST_GRID:.2g} m or more"
            )
        torus = [n + 6 * _CELLS_PER_CORRELATION for n in shape]
        away = [np.minimum(np.arange(n), n - np.arange(n)) for n in torus]
        distance = np.hypot(away[0][:, None], away[1][None, :]) / _CELLS_PER_CORRELATION
        spectrum = np.maximum(np.fft.fft2(np.exp(-distance)).real, 0.0)
        # The few negative values that were set to 0 are made up for by all others.
        spectrum *= spectrum.size / spectrum.sum()
        self.grid: FloatArray = np.empty((len(seeds), *shape))
        for field, seed in zip(self.grid, seeds, strict=True):
            white = np.random.default_rng(seed).standard_normal(torus)
            field[:] = np.fft.ifft2(np.sqrt(spectrum) * np.fft.fft2(white)).real[: shape[0], : shape[1]]

    def at(self, point_m: FloatArray) -> FloatArray:
        """Values (K, n) of every field at points (K, 2 or 3) [m]; a point off the floor takes the nearest edge's."""
        values: FloatArray = values_kernel(self.grid, self.step_m, self.correlation_m, np.asarray(point_m, dtype=np.float64))
        return values


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def values_kernel(grid, step_m, correlation_m, point_m):  # type: ignore[no-untyped-def]
    """Return ``SpatialField.at``."""
    near, far = math.exp(-step_m / correlation_m), math.exp(-math.sqrt(2.0) * step_m / correlation_m)
    out = np.empty((point_m.shape[0], grid.shape[0]))
    for k in range(point_m.shape[0]):
        u = min(max(point_m[k, 0] / step_m, 0.0), grid.shape[1] - 1.000001)
        v = min(max(point_m[k, 1] / step_m, 0.0), grid.shape[2] - 1.000001)
        i, j = int(u), int(v)
        a, b = u - i, v - j
        w00, w10, w01, w11 = (1.0 - a) * (1.0 - b), a * (1.0 - b), (1.0 - a) * b, a * b
        variance = w00 * w00 + w10 * w10 + w01 * w01 + w11 * w11
        variance += 2.0 * near * (w00 + w11) * (w10 + w01) + 2.0 * far * (w00 * w11 + w10 * w01)
        scale = 1.0 / math.sqrt(variance)
        for n in range(grid.shape[0]):
            value = w00 * grid[n, i, j] + w10 * grid[n, i + 1, j] + w01 * grid[n, i, j + 1] + w11 * grid[n, i + 1, j + 1]
            out[k, n] = value * scale
    return out
