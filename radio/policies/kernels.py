"""Compiled steps of the policies: what is known of serving legs, and when they change.

The state of U UEs is two arrays, ``legs`` (ROWS, U) of integers and ``known`` (2, U) of floats; a policy's timers and levels
are two small arrays beside them. UEs do not depend on one another, so every step is one loop over them.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from radio.types import BoolArray, FloatArray, IntArray

# Rows of the state: the first leg, since when it serves, when it may carry data, the beam it changes to and when (-1: it does
# not), the other TRP that was better and since which report, beam failure instances, whether it is being recovered; the second
# leg (-1: none), when it becomes active, and until when risk lasts.
(
    TRP, BEAM, SECTOR, SINCE, FREE, NEXT_BEAM, NEXT_SECTOR, SWITCH, CANDIDATE, CANDIDATE_SINCE, FAILURES, RECOVERING,
    SECOND_TRP, SECOND_BEAM, SECOND_SECTOR, SECOND_FROM, RISK_UNTIL, ROWS,
) = range(18)  # fmt: skip
# Rows of what is known of the first leg [dB].
KNOWN_DL, KNOWN_UL, KNOWN_ROWS = range(3)
# Timers [us], the failure count among them.
TTT, INTERRUPTION, TCI, PRACH, MAX_COUNT, HOLD, NEAR, TIMERS = range(8)
# Levels [dB], and the EVM's noise-to-signal ratio.
HYSTERESIS, QOUT, MARGIN, EVM, RISK, LEVELS = range(6)
# Rows of a link budget (3, T): SNR at unit gain [dB], uplink over downlink [dB], resolution [dB], 0 for none.
OFFSET_DL, UL_OVER_DL, STEP, BUDGET_ROWS = range(4)
NO_GAIN = 1e-30
NEVER_US = 2**62


@njit(cache=True, fastmath=False)
def in_db(gain: float, offset_db: float, step_db: float) -> float:
    """Return the SNR of a gain [dB], rounded to ``step_db`` unless that is 0."""
    value = math.log10(NO_GAIN if gain < NO_GAIN else gain) * 10.0 + offset_db
    if step_db > 0.0:
        value = np.rint(value / step_db) * step_db
    return value


@njit(cache=True, fastmath=False)
def capped(snr_db: float, evm: float) -> float:
    """Return the SINR under the EVM ceiling [dB]; see `radio.policies.base.capped_db`."""
    return -10.0 * math.log10(10.0 ** (-0.1 * max(snr_db, -200.0)) + evm)


@njit(cache=True, fastmath=False)
def in_decibels(gain: FloatArray, budget: FloatArray) -> FloatArray:
    """Return the downlink SNR of gains (U, T, B, S) [dB]."""
    out = np.empty(gain.shape)
    n_ue, n_trp, n_beam, n_sector = gain.shape
    for u in range(n_ue):
        for t in range(n_trp):
            for b in range(n_beam):
                for s in range(n_sector):
                    out[u, t, b, s] = in_db(gain[u, t, b, s], budget[OFFSET_DL, t], budget[STEP, t])
    return out


@njit(cache=True, fastmath=False)
def _first_above(row: FloatArray, start: int, stop: int, level: float) -> int:
    """Return the first index in ``[start, stop)`` with more than a level, ``stop`` if there is none."""
    i = start
    while i + 32 <= stop:  # 32 at once, which the compiler compares side by side
        hits = 0
        for j in range(i, i + 32):
            hits += row[j] > level
        if hits > 0:
            break
        i += 32
    while i < stop and not row[i] > level:
        i += 1
    return i


@njit(cache=True, fastmath=False)
def best_of_links(gain: FloatArray, budget: FloatArray, index: IntArray) -> tuple[FloatArray, FloatArray, IntArray, IntArray]:
    """Return the best downlink and uplink SNR [dB], beam and sector (U, T) of every link; the lowest index wins a tie.

    ``index`` (U * T,) is where each link's largest gain lies among its B * S. What is rounded ties more often than gains do.
    """
    n_ue, n_trp, _, n_sector = gain.shape
    dl_db, ul_db = np.empty((n_ue, n_trp)), np.empty((n_ue, n_trp))
    beam, sector = np.empty((n_ue, n_trp), np.int64), np.empty((n_ue, n_trp), np.int64)
    flat = gain.reshape(n_ue * n_trp, gain.shape[2] * n_sector)
    for u in range(n_ue):
        for t in range(n_trp):
            row = flat[u * n_trp + t]
            at = index[u * n_trp + t]
            offset_db, step_db = budget[OFFSET_DL, t], budget[STEP, t]
            best_db = in_db(row[at], offset_db, step_db)
            if row[at] < NO_GAIN:
                at = 0
            elif step_db > 0.0:
                edge = 10.0 ** (0.1 * (best_db - 0.5 * step_db - offset_db))  # what is rounded up to the best begins here
                above, below = edge * (1.0 + 1e-9), edge * (1.0 - 1e-9)
                first = _first_above(row, 0, at, below)
                while first < at and row[first] < above and in_db(row[first], offset_db, step_db) < best_db:
                    first = _first_above(row, first + 1, at, below)
                at = first
            dl_db[u, t], ul_db[u, t] = best_db, best_db + budget[UL_OVER_DL, t]
            beam[u, t], sector[u, t] = divmod(at, n_sector)
    return dl_db, ul_db, beam, sector


@njit(cache=True, fastmath=False)
def sector_of(gain: FloatArray, budget: FloatArray, u: int, t: int, b: int) -> int:
    """Return the best sector of a beam; the lowest index wins a tie."""
    best, best_db = 0, in_db(gain[u, t, b, 0], budget[OFFSET_DL, t], budget[STEP, t])
    for s in range(1, gain.shape[3]):
        value_db = in_db(gain[u, t, b, s], budget[OFFSET_DL, t], budget[STEP, t])
        if value_db > best_db:
            best, best_db = s, value_db
    return best


@njit(cache=True, fastmath=False)
def beam_db(gain: FloatArray, budget: FloatArray, u: int, t: int, b: int) -> float:
    """Return the SNR of a beam on its best sector [dB]."""
    best = gain[u, t, b, 0]
    for s in range(1, gain.shape[3]):
        best = max(best, gain[u, t, b, s])
    return in_db(best, budget[OFFSET_DL, t], budget[STEP, t])


@njit(cache=True, fastmath=False)
def _move(
    u: int, t: int, b: int, s: int, since_us: int, legs: IntArray, known: FloatArray, gain: FloatArray, budget: FloatArray,
    evm: float,
) -> None:  # fmt: skip
    """Let a UE be served by another leg from now on; what the report says of it is all that is known."""
    legs[TRP, u], legs[BEAM, u], legs[SECTOR, u], legs[SINCE, u] = t, b, s, since_us
    legs[SWITCH, u] = -1
    legs[CANDIDATE, u] = -1
    legs[FAILURES, u] = 0
    snr_db = in_db(gain[u, t, b, s], budget[OFFSET_DL, t], budget[STEP, t])
    known[KNOWN_DL, u] = capped(snr_db, evm)
    known[KNOWN_UL, u] = capped(snr_db + budget[UL_OVER_DL, t], evm)


@njit(cache=True, fastmath=False)
def _attach(
    u: int, now_us: int, legs: IntArray, known: FloatArray, gain: FloatArray, budget: FloatArray,
    best_db: FloatArray, best_beam: IntArray, best_sector: IntArray, evm: float,
) -> None:  # fmt: skip
    """Let a UE be served by the best pair of a report."""
    t = best_db[u].argmax()
    _move(u, t, best_beam[u, t], best_sector[u, t], now_us, legs, known, gain, budget, evm)


@njit(cache=True, fastmath=False)
def attach_all(
    now_us: int, legs: IntArray, known: FloatArray, levels: FloatArray, gain: FloatArray, budget: FloatArray,
    best_db: FloatArray, best_beam: IntArray, best_sector: IntArray,
) -> None:  # fmt: skip
    """Let every UE be served by the best pair of a report."""
    for u in range(legs.shape[1]):
        _attach(u, now_us, legs, known, gain, budget, best_db, best_beam, best_sector, levels[EVM])


@njit(cache=True, fastmath=False)
def follow_map(
    present: IntArray, hysteresis_db: float, margin_db: float, evm: float,
    best_dl_db: FloatArray, best_ul_db: FloatArray, best_beam: IntArray, best_sector: IntArray,
    plan_legs: IntArray, sinr_db: FloatArray,
) -> None:  # fmt: skip
    """Write first legs (3, U, 2) and SINR (2, U) by the best pairs of a map (U, T); a present TRP stays within the hysteresis."""
    for u in range(present.size):
        t = best_dl_db[u].argmax()
        if present[u] >= 0 and not best_dl_db[u, t] > best_dl_db[u, present[u]] + hysteresis_db:
            t = present[u]
        present[u] = t
        plan_legs[0, u, 0], plan_legs[1, u, 0], plan_legs[2, u, 0] = t, best_beam[u, t], best_sector[u, t]
        sinr_db[0, u] = capped(best_dl_db[u, t], evm) - margin_db
        sinr_db[1, u] = capped(best_ul_db[u, t], evm) - margin_db


@njit(cache=True, fastmath=False)
def activate_beams(
    now_us: int, legs: IntArray, known: FloatArray, levels: FloatArray, gain: FloatArray, budget: FloatArray
) -> int:
    """Put beams in use whose activation is due; return when the next one is [us]."""
    next_us = NEVER_US
    for u in range(legs.shape[1]):
        due_us = legs[SWITCH, u]
        if 0 <= due_us <= now_us:
            _move(u, legs[TRP, u], legs[NEXT_BEAM, u], legs[NEXT_SECTOR, u], now_us, legs, known, gain, budget, levels[EVM])
        elif due_us >= 0:
            next_us = min(next_us, due_us)
    return next_us


@njit(cache=True, fastmath=False)
def _follow_report(
    u: int, now_us: int, report_us: int, legs: IntArray, known: FloatArray, timers: IntArray, levels: FloatArray,
    gain: FloatArray, budget: FloatArray, best_db: FloatArray, best_beam: IntArray, best_sector: IntArray, merit_db: FloatArray,
) -> None:  # fmt: skip
    """Take a report's sector, beam of the serving TRP and candidate for another TRP into the state; change the TRP if it is time.

    A UE that holds a second leg changes no TRP by reports.
    """
    t, b = legs[TRP, u], legs[BEAM, u]
    settled = legs[FREE, u] <= now_us and legs[RECOVERING, u] == 0
    if settled:
        legs[SECTOR, u] = sector_of(gain, budget, u, t, b)
    own_db = best_db[u, t]
    legs[SWITCH, u] = -1
    if settled:
        present_db = in_db(gain[u, t, b, legs[SECTOR, u]], budget[OFFSET_DL, t], budget[STEP, t])
        if own_db > present_db + levels[HYSTERESIS]:
            legs[NEXT_BEAM, u], legs[NEXT_SECTOR, u] = best_beam[u, t], best_sector[u, t]
            legs[SWITCH, u] = now_us + timers[TCI]
    other, other_db = 0, -np.inf
    for o in range(best_db.shape[1]):
        if o != t and merit_db[u, o] > other_db:
            other, other_db = o, merit_db[u, o]
    if not (settled and legs[SECOND_TRP, u] < 0 and other_db > merit_db[u, t] + levels[HYSTERESIS]):
        legs[CANDIDATE, u] = -1
        return
    if other != legs[CANDIDATE, u]:
        legs[CANDIDATE_SINCE, u] = report_us
    legs[CANDIDATE, u] = other
    if report_us - legs[CANDIDATE_SINCE, u] >= timers[TTT]:
        legs[FREE, u] = now_us + timers[INTERRUPTION]
        _move(u, other, best_beam[u, other], best_sector[u, other], now_us, legs, known, gain, budget, levels[EVM])


@njit(cache=True, fastmath=False)
def _exchange(
    u: int, now_us: int, serving_us: int, serving_dl_db: FloatArray, serving_ul_db: FloatArray,
    legs: IntArray, known: FloatArray, gain: FloatArray, budget: FloatArray, evm: float,
) -> None:  # fmt: skip
    """Let the legs of a UE change places; both carry data, so nothing is interrupted."""
    t, b, s = legs[TRP, u], legs[BEAM, u], legs[SECTOR, u]
    measured = legs[SECOND_FROM, u] <= serving_us and np.isfinite(serving_dl_db[u, 1])
    _move(u, legs[SECOND_TRP, u], legs[SECOND_BEAM, u], legs[SECOND_SECTOR, u], now_us, legs, known, gain, budget, evm)
    if measured:
        known[KNOWN_DL, u], known[KNOWN_UL, u] = serving_dl_db[u, 1], serving_ul_db[u, 1]
    legs[SECOND_TRP, u], legs[SECOND_BEAM, u], legs[SECOND_SECTOR, u] = t, b, s
    legs[SECOND_FROM, u] = max(legs[FREE, u], now_us)
    legs[FREE, u] = now_us


@njit(cache=True, fastmath=False)
def _follow_serving(
    u: int, now_us: int, serving_us: int, occasions: int, serving_dl_db: FloatArray, serving_ul_db: FloatArray,
    legs: IntArray, known: FloatArray, timers: IntArray, levels: FloatArray, tail_us: FloatArray,
    gain: FloatArray, budget: FloatArray,
) -> None:  # fmt: skip
    """Take a measurement of the serving legs into what is known; on beam failure change to a working second leg, or recover.

    A leg that changed or was interrupted since the measurement was not measured.
    """
    sinr_db = serving_dl_db[u, 0]
    if legs[SINCE, u] > serving_us or legs[FREE, u] > serving_us or not np.isfinite(sinr_db):
        legs[FAILURES, u] = 0
        return
    known[KNOWN_DL, u], known[KNOWN_UL, u] = sinr_db, serving_ul_db[u, 0]
    legs[FAILURES, u] = legs[FAILURES, u] + occasions if sinr_db < levels[QOUT] else 0
    if legs[FAILURES, u] < timers[MAX_COUNT] or legs[RECOVERING, u] != 0:
        return
    active = legs[SECOND_TRP, u] >= 0 and legs[SECOND_FROM, u] <= min(now_us, serving_us)
    if active and serving_dl_db[u, 1] >= levels[QOUT]:
        _exchange(u, now_us, serving_us, serving_dl_db, serving_ul_db, legs, known, gain, budget, levels[EVM])
        return
    prach_us = -(-now_us // timers[PRACH]) * timers[PRACH]
    legs[RECOVERING, u] = 1
    legs[FREE, u] = math.ceil(prach_us + tail_us[legs[TRP, u]])
    legs[FAILURES, u] = 0
    legs[SWITCH, u] = -1


@njit(cache=True, fastmath=False)
def advance(
    now_us: int, report_us: int, is_new: bool, serving_us: int, occasions: int, serving_dl_db: FloatArray,
    serving_ul_db: FloatArray, legs: IntArray, known: FloatArray, timers: IntArray, levels: FloatArray, tail_us: FloatArray,
    gain: FloatArray, budget: FloatArray, best_db: FloatArray, best_beam: IntArray, best_sector: IntArray, merit_db: FloatArray,
) -> int:  # fmt: skip
    """Bring the serving legs up to date: the latest report where it is new, a measurement, recoveries that are over.

    Parameters
    ----------
    now_us, report_us, serving_us : start of the tick, of the latest report, and of the last measurement [us].
    is_new : whether the report was not taken into account before.
    occasions : failure detection occasions of a new measurement, 0 where there is none.
    serving_dl_db, serving_ul_db : (U, 2) the measurement [dB].
    tail_us : (T,) from a PRACH occasion until a recovered beam carries data [us].
    gain, budget, best_db, best_beam, best_sector : the report, its link budget, and its best pairs (U, T).
    merit_db : (U, T) what TRPs are compared by, ``best_db`` for most.

    Returns
    -------
    When the next beam activation is due [us].
    """
    next_us = NEVER_US
    for u in range(legs.shape[1]):
        if is_new:
            _follow_report(
                u, now_us, report_us, legs, known, timers, levels, gain, budget, best_db, best_beam, best_sector, merit_db
            )  # fmt: skip
        if occasions > 0:
            _follow_serving(
                u, now_us, serving_us, occasions, serving_dl_db, serving_ul_db, legs, known, timers, levels, tail_us,
                gain, budget,
            )  # fmt: skip
        if legs[RECOVERING, u] != 0 and legs[FREE, u] <= now_us:
            legs[RECOVERING, u] = 0
            _attach(u, now_us, legs, known, gain, budget, best_db, best_beam, best_sector, levels[EVM])
        if legs[SWITCH, u] >= 0:
            next_us = min(next_us, legs[SWITCH, u])
    return next_us


@njit(cache=True, fastmath=False)
def write_plan(
    now_us: int, legs: IntArray, known: FloatArray, timers: IntArray, levels: FloatArray,
    forecast_us: IntArray, forecast_dl_db: FloatArray, forecast_ul_db: FloatArray,
    plan_legs: IntArray, usable: BoolArray, repetitions: IntArray, sinr_db: FloatArray,
) -> None:  # fmt: skip
    """Write the arrays of a plan: TRP, beam and sector (3, U, 2), usable (U, 2), repetitions (U,), and SINR (2, U) [dB].

    Link adaptation reckons with what is known of the first leg, or with a near forecast (H,) of the best pair of its TRP
    (H, U, T) under the EVM ceiling where that is lower: beams and sectors follow a moving UE within a sweep, bodies take what is
    left of all. The margin comes off either.
    """
    for u in range(legs.shape[1]):
        for i in range(3):
            plan_legs[i, u, 0] = legs[TRP + i, u]
            plan_legs[i, u, 1] = legs[SECOND_TRP + i, u]
        usable[u, 0] = legs[FREE, u] <= now_us
        usable[u, 1] = legs[SECOND_TRP, u] >= 0 and legs[SECOND_FROM, u] <= now_us
        repetitions[u] = 1
        dl_db, ul_db = known[KNOWN_DL, u] - levels[MARGIN], known[KNOWN_UL, u] - levels[MARGIN]
        for h in range(forecast_us.size):
            if now_us <= forecast_us[h] <= now_us + timers[NEAR]:
                dl_db = min(dl_db, capped(forecast_dl_db[h, u, legs[TRP, u]], levels[EVM]) - levels[MARGIN])
                ul_db = min(ul_db, capped(forecast_ul_db[h, u, legs[TRP, u]], levels[EVM]) - levels[MARGIN])
        sinr_db[0, u], sinr_db[1, u] = dl_db, ul_db


@njit(cache=True, fastmath=False)
def release(now_us: int, legs: IntArray) -> bool:
    """Give up, in place, second legs without risk and those that are the first by now.

    Returns
    -------
    Whether a second leg is active beside a first one that is not being recovered.
    """
    any_active = False
    for u in range(legs.shape[1]):
        if legs[SECOND_TRP, u] < 0:
            continue
        same = legs[SECOND_TRP, u] == legs[TRP, u] and legs[SECOND_BEAM, u] == legs[BEAM, u]
        same = same and legs[SECOND_SECTOR, u] == legs[SECTOR, u]
        if legs[RISK_UNTIL, u] < now_us or same:
            legs[SECOND_TRP, u] = -1
            legs[SECOND_BEAM, u] = -1
            legs[SECOND_SECTOR, u] = -1
        elif legs[SECOND_FROM, u] <= now_us and legs[RECOVERING, u] == 0:
            any_active = True
    return any_active


@njit(cache=True, fastmath=False)
def exchange_by_merit(
    now_us: int, serving_us: int, serving_dl_db: FloatArray, serving_ul_db: FloatArray, gain_db: FloatArray, foreseen: bool,
    legs: IntArray, known: FloatArray, levels: FloatArray, gain: FloatArray, budget: FloatArray,
) -> None:  # fmt: skip
    """Let second legs lead that are better by the hysteresis: measured, or predicted where ``foreseen`` by ``gain_db`` (U,).

    ``gain``, ``budget`` are the latest report, which tells what is known of a leg that was not measured.
    """
    hysteresis_db, works_db = levels[HYSTERESIS], levels[RISK] + levels[MARGIN]
    for u in range(legs.shape[1]):
        if legs[SECOND_TRP, u] < 0 or legs[SECOND_FROM, u] > now_us or legs[RECOVERING, u] != 0:
            continue
        fresh = legs[SECOND_FROM, u] <= serving_us and legs[SINCE, u] <= serving_us
        # the worse direction; NaN, not measured, is never better
        first_db = np.minimum(serving_dl_db[u, 0], serving_ul_db[u, 0])
        second_db = np.minimum(serving_dl_db[u, 1], serving_ul_db[u, 1])
        better = fresh and second_db > first_db + hysteresis_db
        if foreseen:
            works = fresh and second_db >= np.minimum(first_db, works_db)
            better = (better and gain_db[u] > -hysteresis_db) or (works and gain_db[u] > hysteresis_db)
        if better:
            _exchange(u, now_us, serving_us, serving_dl_db, serving_ul_db, legs, known, gain, budget, levels[EVM])
