"""Bare links for the validation: direct paths without a hall."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from radio.types import SPEED_OF_LIGHT_MPS, Paths

Floats = npt.NDArray[np.float64]


def wavelength_m(frequency_hz: float) -> float:
    """Return the wavelength in vacuum [m]."""
    return SPEED_OF_LIGHT_MPS / frequency_hz


def direct_paths(
    start_m: Floats | Sequence[Sequence[float]], end_m: Floats | Sequence[Sequence[float]], frequency_hz: float
) -> Paths:
    """Return one direct path per pair of antennas.

    Parameters
    ----------
    start_m, end_m : (n, 3) antennas; the n links have nothing to do with each other [m].
    frequency_hz : carrier frequency [Hz].

    Returns
    -------
    Paths of n UEs and one TRP, whose place is that of the path.
    """
    start, end = np.asarray(start_m, dtype=np.float64), np.asarray(end_m, dtype=np.float64)
    n = len(start)
    length = np.linalg.norm(end - start, axis=1)
    ahead = (end - start) / length[:, None]
    wave = wavelength_m(frequency_hz)
    gain = wave / (4.0 * math.pi * length) * np.exp(-2j * math.pi * length / wave)
    return Paths(
        n_ue=n,
        n_trp=1,
        wavelength_m=np.array([wave]),
        offset=np.arange(n + 1),
        order=np.zeros(n, np.int64),
        vertex_m=np.stack((start, end, end, end), axis=1),
        length_m=length,
        transfer=gain[:, None, None] * np.diag((1.0, -1.0)),  # phi-hat is opposite at the far end
        amplitude=gain,
        departure=ahead,
        arrival=-ahead,
        facet=np.full((n, 2), -1),
    )
