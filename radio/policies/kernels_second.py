"""Compiled steps of a second leg at all times.

The state's rows are those of `radio.policies.kernels`.
"""

from __future__ import annotations

from numba import njit

from radio.policies.kernels import (
    HYSTERESIS,
    INTERRUPTION,
    SECOND_BEAM,
    SECOND_FROM,
    SECOND_SECTOR,
    SECOND_TRP,
    TCI,
    TRP,
    beam_db,
    sector_of,
)
from radio.types import FloatArray, IntArray


@njit(cache=True, fastmath=False)
def drop_doubled(legs: IntArray) -> bool:
    """Give up, in place, second legs at the TRP of the first; return whether any UE is without a second one."""
    any_bare = False
    for u in range(legs.shape[1]):
        if legs[SECOND_TRP, u] == legs[TRP, u]:
            legs[SECOND_TRP, u] = legs[SECOND_BEAM, u] = legs[SECOND_SECTOR, u] = -1
        any_bare |= legs[SECOND_TRP, u] < 0
    return any_bare


@njit(cache=True, fastmath=False)
def follow_seconds(
    now_us: int, legs: IntArray, timers: IntArray, levels: FloatArray, gain: FloatArray, budget: FloatArray,
    best_db: FloatArray, best_beam: IntArray, best_sector: IntArray,
) -> None:  # fmt: skip
    """Let second legs follow a report: the best pair (U, T) of a TRP that is not the first leg's.

    Parameters as those of `radio.policies.kernels.advance`.
    """
    for u in range(legs.shape[1]):
        first, held = legs[TRP, u], legs[SECOND_TRP, u]
        other = -1
        for t in range(best_db.shape[1]):
            if t != first and (other < 0 or best_db[u, t] > best_db[u, other]):
                other = t
        if other < 0:
            continue
        if held < 0 or (other != held and best_db[u, other] > best_db[u, held] + levels[HYSTERESIS]):
            legs[SECOND_TRP, u], legs[SECOND_BEAM, u] = other, best_beam[u, other]
            legs[SECOND_SECTOR, u] = best_sector[u, other]
            legs[SECOND_FROM, u] = now_us + max(timers[INTERRUPTION], timers[TCI])
        elif best_db[u, held] > beam_db(gain, budget, u, held, legs[SECOND_BEAM, u]) + levels[HYSTERESIS]:
            legs[SECOND_BEAM, u], legs[SECOND_SECTOR, u] = best_beam[u, held], best_sector[u, held]
            legs[SECOND_FROM, u] = now_us + timers[TCI]
        else:
            legs[SECOND_SECTOR, u] = sector_of(gain, budget, u, held, legs[SECOND_BEAM, u])
