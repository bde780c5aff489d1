"""What a planner makes of loads: what a symbol is worth where many want it, and where video frames would get through."""

from __future__ import annotations

import numpy as np
from numba import njit

from radio.policies import kernels
from radio.policies.kernels import OFFSET_DL, UL_OVER_DL, in_db, sector_of
from radio.policies.planner_kernels import heard_db, served_by, sinr_db
from radio.types import BoolArray, FloatArray, IntArray

FULL, FULL_DB = 0.9, 20.0  # load from which a TRP has no room for further frames, and what that counts for (assumed)
PRICE_POWER = 2.0  # of what is free; the best of 0, 1, 2, 3 in two loaded halls, on seeds that judge nothing


def prices(mean_load: FloatArray) -> FloatArray:
    """Return what a symbol is worth beside one of an idle TRP, by mean loads (2, T).

    Messages of many devices wait for each other long before a TRP is full on average: in an open queue the wait grows with the
    inverse of what is free, and what is sent more robustly makes everybody wait.
    """
    return np.asarray((1.0 - np.minimum(mean_load, FULL)) ** -PRICE_POWER)


@njit(cache=True, fastmath=False)
def prefer_for_frames(
    legs: IntArray, video: BoolArray, load: FloatArray, gain: FloatArray, budget: FloatArray, carrier: IntArray,
    best_beam: IntArray, evm: float, best_db: FloatArray,
) -> None:  # fmt: skip
    """Write for devices with video what frames would get at every TRP instead of its SNR (U, T) [dB].

    The worse SINR of the directions that have frames, on the best beam, under mean loads (2, T), and ``FULL_DB`` less where the
    TRP is full.
    """
    served = served_by(legs, carrier.size)
    for u in range(legs.shape[1]):
        if not (video[u, 0] or video[u, 1]):
            continue
        for t in range(carrier.size):
            b, worst_db = best_beam[u, t], np.inf
            s = sector_of(gain, budget, u, t, b)
            for d in range(2):
                if not video[u, d]:
                    continue
                snr_db = in_db(gain[u, t, b, s], budget[OFFSET_DL, t], budget[kernels.STEP, t])
                if d == 1:
                    snr_db += budget[UL_OVER_DL, t]
                inr_db = heard_db(u, t, b, s, d, legs, served, load, gain, budget, carrier)
                here_db = sinr_db(snr_db, inr_db, evm) - (FULL_DB if load[d, t] > FULL else 0.0)
                worst_db = min(worst_db, here_db)
            best_db[u, t] = worst_db
