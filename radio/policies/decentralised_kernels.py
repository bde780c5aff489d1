"""Compiled steps of devices that choose for themselves; the state's rows are those of `radio.policies.kernels`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from radio.policies.kernels import (
    HOLD,
    HYSTERESIS,
    KNOWN_DL,
    KNOWN_UL,
    OFFSET_DL,
    QOUT,
    RISK,
    RISK_UNTIL,
    SECOND_BEAM,
    SECOND_FROM,
    SECOND_SECTOR,
    SECOND_TRP,
    STEP,
    TCI,
    TRP,
    UL_OVER_DL,
    capped,
    in_db,
    sector_of,
)
from radio.types import BoolArray, FloatArray, IntArray

BLOCKED_DB = 6.0
"""A TRP this far below its mean is blocked to a device, and no longer within half of it [dB]."""
BODY_DB = 15.0
"""What a body is expected to take of a link at risk [dB]: measured dips are 12 to 35 dB deep; assumed."""
MEAN_US = 2e6
"""Time constant of that mean [us]."""
PLACE_GAIN, SPEED_GAIN = 0.5, 0.2
"""Gains of the alpha-beta tracker (Kalata, IEEE Trans. AES-20, 1984) that devices follow bodies with."""
RAY_STEPS = 4
"""Instants of the horizon at which a carried-on body is looked at."""


@dataclass(frozen=True, slots=True)
class Tracks:
    """Bodies as each device follows them.

    Attributes
    ----------
    place_m, velocity_mps : (U, N, 2) place and velocity; a place is NaN where a device sees no such body.
    """

    place_m: FloatArray
    velocity_mps: FloatArray

    @staticmethod
    def empty(n_ue: int) -> Tracks:
        """Return tracks of no body."""
        return Tracks(np.zeros((n_ue, 0, 2)), np.zeros((n_ue, 0, 2)))

    def follow(self, seen_m: FloatArray, gone_s: float) -> Tracks:
        """Return the tracks after places (U, N, 2) [m] were seen ``gone_s`` later; a new body stands until it is seen again."""
        if seen_m.shape != self.place_m.shape:
            return Tracks(seen_m.copy(), np.zeros(seen_m.shape))
        expected = self.place_m + gone_s * self.velocity_mps
        off = seen_m - expected
        fresh = np.isnan(off)
        place = np.where(fresh, seen_m, expected + PLACE_GAIN * off)
        velocity = np.where(fresh, 0.0, self.velocity_mps + SPEED_GAIN / gone_s * np.where(fresh, 0.0, off))
        return Tracks(place, velocity)


@njit(cache=True, fastmath=False)
def rays_at_risk(
    position_m: FloatArray, height_m: FloatArray, trp_m: FloatArray, body_m: FloatArray, velocity_mps: FloatArray,
    top_m: FloatArray, radius_m: FloatArray, horizon_s: float, clearance_m: float,
) -> BoolArray:  # fmt: skip
    """Return whether a body that goes on comes into the direct ray of device and TRP (U, T) within the horizon.

    Parameters
    ----------
    position_m, height_m : (U, 2), (U,) devices. trp_m : (T, 3) TRPs.
    body_m, velocity_mps : (U, N, 2) bodies as each device follows them, a place NaN where it sees none.
    top_m, radius_m : (N,) their heights and half widths.
    horizon_s, clearance_m : how far ahead, and the distance beyond the half width that counts as in the ray.
    """
    n_ue, n_trp, n_body = position_m.shape[0], trp_m.shape[0], body_m.shape[1]
    risk = np.zeros((n_ue, n_trp), np.bool_)
    for u in range(n_ue):
        for t in range(n_trp):
            dx, dy = trp_m[t, 0] - position_m[u, 0], trp_m[t, 1] - position_m[u, 1]
            rise = trp_m[t, 2] - height_m[u]
            flat = max(dx * dx + dy * dy, 1e-12)
            for n in range(n_body):
                if np.isnan(body_m[u, n, 0]):
                    continue
                reach = radius_m[n] + clearance_m
                for k in range(RAY_STEPS + 1):
                    ahead = horizon_s * k / RAY_STEPS
                    x = body_m[u, n, 0] + ahead * velocity_mps[u, n, 0] - position_m[u, 0]
                    y = body_m[u, n, 1] + ahead * velocity_mps[u, n, 1] - position_m[u, 1]
                    along = min(max((x * dx + y * dy) / flat, 0.0), 1.0)
                    if (
                        height_m[u] + along * rise <= top_m[n] + clearance_m
                        and math.hypot(x - along * dx, y - along * dy) <= reach
                    ):
                        risk[u, t] = True
    return risk


@njit(cache=True, fastmath=False)
def follow_levels(mean_db: FloatArray, blocked: BoolArray, best_db: FloatArray, gone_us: float) -> None:
    """Bring means (U, T) and blocked TRPs (U, T) up to date, in place, by best levels (U, T) measured ``gone_us`` later [dB].

    While a TRP is blocked its mean comes down ten times as slowly.
    """
    share = 1.0 - math.exp(-gone_us / MEAN_US)
    for u in range(mean_db.shape[0]):
        for t in range(mean_db.shape[1]):
            if np.isnan(mean_db[u, t]):
                mean_db[u, t] = best_db[u, t]
            below_db = mean_db[u, t] - best_db[u, t]
            blocked[u, t] = below_db >= (0.5 * BLOCKED_DB if blocked[u, t] else BLOCKED_DB)
            mean_db[u, t] -= (0.1 * share if blocked[u, t] else share) * below_db


@njit(cache=True, fastmath=False)
def choose_seconds(
    now_us: int, risk: BoolArray, legs: IntArray, known: FloatArray, timers: IntArray, levels: FloatArray,
    gain: FloatArray, budget: FloatArray, best_db: FloatArray, best_beam: IntArray, best_sector: IntArray,
) -> None:  # fmt: skip
    """Choose second legs of devices whose first is at risk (U, T) or weak; parameters as `kernels.advance`.

    The best TRP counts, one at risk for ``BODY_DB`` less; a second leg stays until another is better by the hysteresis.
    """
    n_trp = best_db.shape[1]
    for u in range(legs.shape[1]):
        first, held = legs[TRP, u], legs[SECOND_TRP, u]
        weak = min(known[KNOWN_DL, u], known[KNOWN_UL, u]) < levels[RISK] + (levels[HYSTERESIS] if held >= 0 else 0.0)
        if risk[u, first] or weak:
            legs[RISK_UNTIL, u] = now_us + timers[HOLD]
            other, other_db, held_db = -1, -np.inf, -np.inf
            for t in range(n_trp):
                level_db = best_db[u, t] - (BODY_DB if risk[u, t] else 0.0)
                if t == held:
                    held_db = level_db
                if t != first and best_db[u, t] > levels[QOUT] and level_db > other_db:
                    other, other_db = t, level_db
            if other >= 0 and other != held and (held < 0 or held == first or other_db > held_db + levels[HYSTERESIS]):
                legs[SECOND_TRP, u], legs[SECOND_BEAM, u] = other, best_beam[u, other]
                legs[SECOND_SECTOR, u] = best_sector[u, other]
                legs[SECOND_FROM, u] = now_us + timers[TCI]
                continue
        held = legs[SECOND_TRP, u]
        if held >= 0:
            legs[SECOND_SECTOR, u] = sector_of(gain, budget, u, held, legs[SECOND_BEAM, u])
            present_db = in_db(
                gain[u, held, legs[SECOND_BEAM, u], legs[SECOND_SECTOR, u]], budget[OFFSET_DL, held], budget[STEP, held]
            )
            if held != first and best_db[u, held] > present_db + levels[HYSTERESIS]:
                legs[SECOND_BEAM, u], legs[SECOND_SECTOR, u] = best_beam[u, held], best_sector[u, held]
                legs[SECOND_FROM, u] = now_us + timers[TCI]


@njit(cache=True, fastmath=False)
def lower_reckoned(
    dl_db: FloatArray, ul_db: FloatArray, usable: BoolArray, legs: IntArray, known: FloatArray, slope: FloatArray,
    ahead_us: float, gain: FloatArray, budget: FloatArray, evm: float,
) -> None:  # fmt: skip
    """Lower, in place, what link adaptation reckons with (U,) to a falling trend's, and to an active second leg's [dB].

    ``slope`` (2, U) is how the serving SINR changes [dB/us]; the second leg counts by the latest own report.
    """
    for u in range(dl_db.size):
        first_dl_db, first_ul_db = known[KNOWN_DL, u], known[KNOWN_UL, u]
        down_db, up_db = min(slope[0, u] * ahead_us, 0.0), min(slope[1, u] * ahead_us, 0.0)
        t = legs[SECOND_TRP, u]
        if t >= 0 and usable[u, 1]:
            snr_db = in_db(gain[u, t, legs[SECOND_BEAM, u], legs[SECOND_SECTOR, u]], budget[OFFSET_DL, t], budget[STEP, t])
            down_db = min(down_db, capped(snr_db, evm) - first_dl_db)
            up_db = min(up_db, capped(snr_db + budget[UL_OVER_DL, t], evm) - first_ul_db)
        dl_db[u] += down_db
        ul_db[u] += up_db
