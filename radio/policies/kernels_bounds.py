"""Compiled steps of the two policies at the ends: a second leg at all times, and the true channel.

The state's rows are those of `radio.policies.kernels`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from radio.policies.kernels import (
    HYSTERESIS,
    INTERRUPTION,
    OFFSET_DL,
    SECOND_BEAM,
    SECOND_FROM,
    SECOND_SECTOR,
    SECOND_TRP,
    TCI,
    TRP,
    UL_OVER_DL,
    beam_db,
    capped,
    in_db,
    sector_of,
)
from radio.types import FloatArray, IntArray

PREFER_DB = 0.5
"""Another pair has to be better by this for the oracle to change [dB]."""


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


@njit(cache=True, fastmath=False)
def learn_interference(
    expected_db: FloatArray, serving_dl_db: FloatArray, serving_ul_db: FloatArray, taken_db: FloatArray
) -> None:
    """Write what the last measurement of first legs (U, 2) [dB] was below what was expected of them (2, U), into ``taken_db``."""
    for u in range(expected_db.shape[1]):
        for d in range(2):
            measured_db = serving_dl_db[u, 0] if d == 0 else serving_ul_db[u, 0]
            if np.isfinite(measured_db) and np.isfinite(expected_db[d, u]):
                taken_db[d, u] = max(expected_db[d, u] - measured_db, 0.0)


@njit(cache=True, fastmath=False)
def follow_truth(
    margin_db: float, risk_db: float, evm: float, gain: FloatArray, budget: FloatArray,
    best_db: FloatArray, best_beam: IntArray, best_sector: IntArray, taken_db: FloatArray,
    legs: IntArray, expected_db: FloatArray, sinr_db: FloatArray,
) -> None:  # fmt: skip
    """Choose legs by the true channel.

    Parameters
    ----------
    margin_db, risk_db, evm : margin of link adaptation, SINR below which a second leg is used, EVM's noise-to-signal ratio.
    gain, budget, best_db, best_beam, best_sector : the true sweep, its link budget, and its best pairs (U, T).
    taken_db : (2, U) what interference took of the first leg by its last measurement.
    legs : (3, U, 2) TRP, beam and sector of the last tick, -1 for none; overwritten.
    expected_db : (2, U) written: SNR of the first leg under the EVM ceiling.
    sinr_db : (2, U) written: what link adaptation reckons with.
    """
    n_trp = best_db.shape[1]
    for u in range(legs.shape[1]):
        t = int(best_db[u].argmax())
        b, s = best_beam[u, t], best_sector[u, t]
        held, held_beam, held_sector = legs[0, u, 0], legs[1, u, 0], legs[2, u, 0]
        first_db = best_db[u, t]
        if held >= 0:
            held_db = in_db(gain[u, held, held_beam, held_sector], budget[OFFSET_DL, held], 0.0)
            if not first_db > held_db + PREFER_DB:
                t, b, s, first_db = held, held_beam, held_sector, held_db
        legs[0, u, 0], legs[1, u, 0], legs[2, u, 0] = t, b, s
        short = False
        for d in range(2):
            expected_db[d, u] = capped(first_db + (budget[UL_OVER_DL, t] if d == 1 else 0.0), evm)
            left_db = expected_db[d, u] - taken_db[d, u]
            sinr_db[d, u] = left_db - margin_db
            short |= left_db < risk_db
        other = -1
        if short:
            for o in range(n_trp):
                if o != t and (other < 0 or best_db[u, o] > best_db[u, other]):
                    other = o
        legs[0, u, 1] = other
        legs[1, u, 1] = best_beam[u, other] if other >= 0 else -1
        legs[2, u, 1] = best_sector[u, other] if other >= 0 else -1
