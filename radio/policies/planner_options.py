"""Compiled: the options of every device, what they cost and risk; the rungs of the legs in use; second legs kept in order."""

from __future__ import annotations

import numpy as np
from numba import njit

from radio.policies import kernels
from radio.policies.kernels import OFFSET_DL, UL_OVER_DL, beam_db, in_db, sector_of
from radio.policies.planner_kernels import DECADE_TIMES, cheapest_rung, heard_db, rung_risk, served_by, sinr_db
from radio.policies.planner_load import FULL, FULL_DB
from radio.types import BoolArray, FloatArray, IntArray

RELAXED = 100.0  # a second kind of every option has this many times the target, for when symbols are short
SAME_TRP = 0.9  # share of failures that two beams of one TRP have in common (assumed)
EASE = 3.0  # a second leg is given up where the first alone stays this factor below the target
SPARE = 0.25  # load of a TRP below which its symbols are not short (assumed)
BETTER = 3.0  # a second leg makes place for another one with this much less risk


@njit(cache=True, fastmath=False)
def expect(snr_db: float, inr_db: float, drop_db: float, beyond_db: float, evm: float) -> float:
    """Return the SINR to expect of a leg [dB].

    ``drop_db`` is what a forecast takes from the report's SNR. ``beyond_db`` is what the last measurement was off what the report
    said of it: if that was less than reported, a body may have come that the forecast knows of, so the larger fall counts alone.
    """
    level_db = sinr_db(snr_db, inr_db, evm)
    fallen_db = sinr_db(snr_db - drop_db, inr_db, evm) - level_db
    if beyond_db < 0.0:
        return level_db + min(fallen_db, beyond_db)
    return level_db + fallen_db + beyond_db


@njit(cache=True, fastmath=False)
def _leg_ahead(
    u: int, t: int, b: int, s: int, d: int, drop: FloatArray, extra_db: float, beyond_db: float, legs: IntArray,
    served: FloatArray, load: FloatArray, gain: FloatArray, budget: FloatArray, carrier: IntArray, evm: float, out: FloatArray,
) -> None:  # fmt: skip
    """Write the SINR to expect of a pair now and in every future (2 S,); ``drop`` (S, U, T), and ``extra_db`` at least."""
    snr_db = in_db(gain[u, t, b, s], budget[OFFSET_DL, t], budget[kernels.STEP, t])
    if d == 1:
        snr_db += budget[UL_OVER_DL, t]
    inr_db = heard_db(u, t, b, s, d, legs, served, load, gain, budget, carrier)
    n_futures = drop.shape[0]
    for f in range(n_futures):
        out[f] = expect(snr_db, inr_db, 0.0, beyond_db, evm)
        out[n_futures + f] = expect(snr_db, inr_db, max(drop[f, u, t], extra_db), beyond_db, evm)


@njit(cache=True, fastmath=False)
def _write_option(
    o: int, u: int, t: int, other: int, target: float, first: FloatArray, second: FloatArray, rate: FloatArray,
    symbols: FloatArray, needed: FloatArray, carrier: IntArray, price: FloatArray, log_shares: FloatArray, together: float,
    bare: bool, cost: FloatArray, risk: FloatArray,
) -> None:  # fmt: skip
    """Write cost and risk of one way to serve a device: its cheapest rungs at a target, or the shortest ones if ``bare``."""
    n_trp = carrier.size
    total = np.empty(symbols.shape[2])
    left = 1.0
    for d in range(2):
        if rate[d] <= 0.0:
            continue
        a, c = carrier[t], carrier[other] if other >= 0 else carrier[t]
        for k in range(total.size):
            total[k] = symbols[d, a, k] + (symbols[d, c, k] if other >= 0 else 0.0)
        if bare:
            rung = int(total.argmin())
            here = rung_risk(rung, first[d], second[d], needed[d, a], needed[d, c], log_shares[d], together)
        else:
            rung, here = cheapest_rung(
                target,
                DECADE_TIMES * symbols[d, a].min() / price[d, t],
                first[d],
                second[d],
                needed[d, a],
                needed[d, c],
                total,
                log_shares[d],
                together,
            )
        left *= 1.0 - here
        cost[u, o, d * n_trp + t] += symbols[d, a, rung]
        if other >= 0:
            cost[u, o, d * n_trp + other] += symbols[d, c, rung]
    risk[u, o] = max(1.0 - left, 1e-15)


@njit(cache=True, fastmath=False)
def easy_devices(
    now_us: int, legs: IntArray, beyond: FloatArray, drop: FloatArray, beam_drop: FloatArray, load: FloatArray, gain: FloatArray,
    budget: FloatArray, evm: float, rate: FloatArray, symbols: FloatArray, needed: FloatArray, target: FloatArray,
    carrier: IntArray, price: FloatArray, log_shares: FloatArray, easy: BoolArray, risk: FloatArray,
) -> None:  # fmt: skip
    """Write which devices nothing can serve cheaper than their first leg alone (U,), and the risk of that (U,).

    Two legs spend at least the shortest rung each, the second where symbols are cheapest; a first leg that keeps the target with
    no more is not beaten.
    """
    n_ue, n_trp = legs.shape[1], carrier.size
    served = served_by(legs, n_trp)
    first, none = np.empty((2, 2 * drop.shape[0])), np.full((2, 2 * drop.shape[0]), np.nan)
    cost, one = np.zeros((1, 1, 2 * n_trp)), np.empty((1, 1))
    for u in range(n_ue):
        t, b, s = legs[kernels.TRP, u], legs[kernels.BEAM, u], legs[kernels.SECTOR, u]
        if legs[kernels.FREE, u] > now_us:
            easy[u], risk[u] = rate[u, 0] <= 0.0 and rate[u, 1] <= 0.0, 1.0
            continue
        least = 0.0
        for d in range(2):
            if rate[u, d] > 0.0:
                least += symbols[u, d, carrier[t]].min() * (price[d, t] + price[d].min())
                _leg_ahead(
                    u, t, b, s, d, drop, beam_drop[u], beyond[0, u, d], legs, served, load, gain, budget, carrier, evm, first[d]
                )  # fmt: skip
        cost[:] = 0.0
        _write_option(
            0, 0, t, -1, target[u], first, none, rate[u], symbols[u], needed[u], carrier, price, log_shares[u], 0.0, False, cost,
            one,
        )  # fmt: skip
        risk[u] = one[0, 0]
        worth = 0.0
        for d in range(2):
            worth += price[d, t] * cost[0, 0, d * n_trp + t]
        easy[u] = least <= 0.0 or (risk[u] <= target[u] and worth <= least)


@njit(cache=True, fastmath=False)
def options(
    now_us: int, legs: IntArray, easy: BoolArray, beyond: FloatArray, drop: FloatArray, beam_drop: FloatArray, own_beam: IntArray,
    own_drop: FloatArray, load: FloatArray, nearest: FloatArray, gain: FloatArray, budget: FloatArray, best_beam: IntArray,
    evm: float, rate: FloatArray, symbols: FloatArray, needed: FloatArray, target: FloatArray, carrier: IntArray,
    pairs: BoolArray, price: FloatArray, log_shares: FloatArray, together: FloatArray, heard: BoolArray,
) -> tuple[FloatArray, FloatArray, BoolArray]:  # fmt: skip
    """Return what the options of every device cost (U, O, 2 T) in symbols per second, their risk (U, O), and which there are.

    Options are: the first leg alone; with each TRP's best pair as a second one; with another beam of its own TRP; all of these
    once more at ``RELAXED`` times the target; and the first leg at its shortest rung.

    Parameters
    ----------
    now_us : start of the tick [us].
    legs : state of the legs. easy : (U,) devices of which the first option alone is worked out.
    beyond : (2, U, 2) what the legs' last measurement was off the report [dB].
    drop : (S, U, T) see `planner_kernels.drops_ahead`.
    beam_drop : (U,) fall of the serving pair by the nearest forecasts [dB].
    own_beam, own_drop : (U,) another beam of the serving TRP, -1 for none, and its fall below the report [dB].
    load : (2, T) of each TRP. nearest : (U, T, B, S) gains of the nearest forecast, which tells second legs their sectors.
    gain, budget, best_beam : the report and its best beams (U, T).
    evm : noise-to-signal ratio. rate, symbols, needed, target, carrier, pairs : of the `radio.policies.demand.Demand`.
    price : (2, T) of a symbol, see `planner_load.prices`.
    log_shares : (U, 2, BINS) of the residuals. together : (U,) share of failures that two TRPs have in common.
    heard : (U, T) links of which anything is forecast.
    """
    n_ue, n_trp = legs.shape[1], carrier.size
    ways = n_trp + 2
    n_option = 2 * ways + 1
    cost, risk = np.zeros((n_ue, n_option, 2 * n_trp)), np.ones((n_ue, n_option))
    there = np.zeros((n_ue, n_option), np.bool_)
    served = served_by(legs, n_trp)
    first, second = np.empty((2, 2 * drop.shape[0])), np.empty((2, 2 * drop.shape[0]))
    none = np.full((2, 2 * drop.shape[0]), np.nan)
    for u in range(n_ue):
        t, b, s = legs[kernels.TRP, u], legs[kernels.BEAM, u], legs[kernels.SECTOR, u]
        for d in range(2):
            if legs[kernels.FREE, u] > now_us:
                first[d] = np.nan
            else:
                _leg_ahead(
                    u, t, b, s, d, drop, beam_drop[u], beyond[0, u, d], legs, served, load, gain, budget, carrier, evm, first[d]
                )  # fmt: skip
        for way in range(ways):
            if way > 0 and easy[u]:
                break
            other, beam, sector, extra, share = -1, 0, 0, 0.0, together[u]
            if 0 < way <= n_trp:
                other = way - 1
                if other == t or not pairs[t, other] or not heard[u, other]:
                    continue
                beam = best_beam[u, other]
                if other == legs[kernels.SECOND_TRP, u]:
                    beam = legs[kernels.SECOND_BEAM, u]
                sector = sector_ahead(nearest, gain, budget, u, other, beam)
            elif way > n_trp:
                if own_beam[u] < 0 or not pairs[t, t]:
                    continue
                other, beam, extra, share = t, own_beam[u], own_drop[u], SAME_TRP
                sector = sector_ahead(nearest, gain, budget, u, t, beam)
            for d in range(2):
                if other < 0:
                    second[d] = np.nan
                    continue
                held = other == legs[kernels.SECOND_TRP, u] and beam == legs[kernels.SECOND_BEAM, u]
                _leg_ahead(
                    u, other, beam, sector, d, drop, extra, beyond[1, u, d] if held else 0.0, legs, served, load, gain, budget,
                    carrier, evm, second[d],
                )  # fmt: skip
            for kind in range(2):
                o = way + kind * ways
                there[u, o] = True
                _write_option(
                    o, u, t, other, target[u] * (RELAXED if kind == 1 else 1.0), first, second, rate[u], symbols[u], needed[u],
                    carrier, price, log_shares[u], share, False, cost, risk,
                )  # fmt: skip
        there[u, n_option - 1] = True
        _write_option(
            n_option - 1, u, t, -1, target[u], first, none, rate[u], symbols[u], needed[u], carrier, price, log_shares[u], 0.0,
            True, cost, risk,
        )  # fmt: skip
    return cost, risk, there


@njit(cache=True, fastmath=False)
def own_beams(
    legs: IntArray, easy: BoolArray, ahead_gain: FloatArray, nearest: FloatArray, gain: FloatArray, budget: FloatArray,
    own_beam: IntArray, own_drop: FloatArray,
) -> None:  # fmt: skip
    """Write the other pair of the serving TRP that is best at its worst instant: its beam (U,), -1 for none, and its fall.

    The serving beam itself is another pair where the nearest forecast has another sector for it: the device turns.

    ``ahead_gain`` (H, U, T, B, S) are the coming forecasts.
    """
    for u in range(legs.shape[1]):
        own_beam[u], own_drop[u] = -1, 0.0
        if easy[u]:
            continue
        t, best = legs[kernels.TRP, u], 0.0
        for b in range(gain.shape[2]):
            turned = sector_ahead(nearest, gain, budget, u, t, b) != legs[kernels.SECTOR, u]
            if b == legs[kernels.BEAM, u] and not turned:
                continue
            floor = np.inf
            for h in range(ahead_gain.shape[0]):
                top = 0.0
                for s in range(gain.shape[3]):
                    top = max(top, ahead_gain[h, u, t, b, s])
                floor = min(floor, top)
            if floor > best:
                best, own_beam[u] = floor, b
        if own_beam[u] >= 0:
            fall_db = beam_db(gain, budget, u, t, own_beam[u]) - in_db(best, budget[OFFSET_DL, t], 0.0)
            own_drop[u] = max(fall_db - 0.5 * budget[kernels.STEP, t], 0.0)


@njit(cache=True, fastmath=False)
def sector_ahead(nearest: FloatArray, gain: FloatArray, budget: FloatArray, u: int, t: int, b: int) -> int:
    """Return the best sector of a beam by the nearest forecast (U, T, B, S), by the report where nothing is forecast of it."""
    best = 0
    for s in range(1, nearest.shape[3]):
        if nearest[u, t, b, s] > nearest[u, t, b, best]:
            best = s
    return best if nearest[u, t, b, best] > 0.0 else sector_of(gain, budget, u, t, b)


@njit(cache=True, fastmath=False)
def pair_drops(
    legs: IntArray, ahead_gain: FloatArray, covered: BoolArray, gain: FloatArray, budget: FloatArray, out: FloatArray
) -> None:
    """Raise, in place, by how much every serving pair falls below the report (U,) [dB], by a forecast (U, T, B, S).

    It is the pair's, not the beam's: a device that turns, as an AGV does at a corner, loses its sector until the next report.
    """
    n_trp = gain.shape[1]
    for u in range(legs.shape[1]):
        t, b, s = legs[kernels.TRP, u], legs[kernels.BEAM, u], legs[kernels.SECTOR, u]
        if not covered[u * n_trp + t]:
            continue
        reported_db = in_db(gain[u, t, b, s], budget[OFFSET_DL, t], budget[kernels.STEP, t])
        ahead_db = in_db(ahead_gain[u, t, b, s], budget[OFFSET_DL, t], 0.0)
        out[u] = max(out[u], reported_db - ahead_db - 0.5 * budget[kernels.STEP, t])


@njit(cache=True, fastmath=False)
def beyond_report(
    measured: FloatArray, snr: FloatArray, inr: FloatArray, then: IntArray, legs: IntArray, evm: float, share: float,
    out: FloatArray,
) -> None:  # fmt: skip
    """Write what the last measurement of the present legs was off the latest report (2 legs, U, 2) [dB], 0 where there is none.

    ``measured``, ``snr``, ``inr`` (2, U, 2) are of the legs ``then``, under the loads of that time; a ``share`` of it is kept.
    """
    for u in range(legs.shape[1]):
        for j in range(2):
            row = kernels.TRP if j == 0 else kernels.SECOND_TRP
            for i in range(2):
                was = kernels.TRP if i == 0 else kernels.SECOND_TRP
                same = legs[row, u] >= 0 and legs[row, u] == then[was, u] and legs[row + 1, u] == then[was + 1, u]
                if not same:
                    continue
                for d in range(2):
                    off_db = measured[i, u, d] - sinr_db(snr[i, u, d], inr[i, u, d], evm)
                    out[j, u, d] = share * off_db if np.isfinite(off_db) else 0.0


@njit(cache=True, fastmath=False)
def steer(
    now_us: int, choice: IntArray, risk: FloatArray, easy: BoolArray, target: FloatArray, own_beam: IntArray, pairs: BoolArray,
    timers: IntArray, hysteresis_db: float, nearest: FloatArray, gain: FloatArray, budget: FloatArray, best_db: FloatArray,
    best_beam: IntArray, video: BoolArray, legs: IntArray, scale: FloatArray,
) -> None:  # fmt: skip
    """Prepare, change and keep second legs as options were chosen (U,), and write by how much every target was relaxed (U,).

    A second leg is kept for the hold time, and beyond it while the first alone is not ``EASE`` below the target. Another TRP
    replaces it only with ``BETTER`` times less risk. A TRP that the reports have as a candidate is prepared too, so that the
    change of TRP interrupts nothing.
    """
    n_trp = gain.shape[1]
    ways = n_trp + 2
    for u in range(choice.size):
        o = choice[u]
        bare = o == 2 * ways
        relaxed = not bare and o >= ways
        scale[u] = 0.0 if bare else RELAXED if relaxed else 1.0
        way = 0 if bare else o % ways
        t, held = legs[kernels.TRP, u], legs[kernels.SECOND_TRP, u]
        wanted = t if way > n_trp else way - 1
        candidate = legs[kernels.CANDIDATE, u]
        frames = video[u, 0] or video[u, 1]
        if held >= 0 or wanted == t or frames:  # reports name no candidate while a second leg is held, nor by load
            best = int(best_db[u].argmax())
            rival_db = best_db[u, t] if held < 0 else max(best_db[u, t], best_db[u, held])
            if best_db[u, best] > rival_db + hysteresis_db:
                candidate = best
        if candidate >= 0 and pairs[t, candidate]:
            wanted, way = candidate, candidate + 1
        if wanted < 0:
            if held >= 0 and not bare and risk[u, 0] > target[u] / EASE:
                legs[kernels.RISK_UNTIL, u] = max(legs[kernels.RISK_UNTIL, u], now_us + timers[kernels.HOLD] // 4)
            continue
        beam = own_beam[u] if way > n_trp else best_beam[u, wanted]
        kept = held >= 0
        if kept and wanted != held and candidate == wanted:
            kept = False
        elif kept and wanted != held:
            with_held = risk[u, held + 1] if held != t else risk[u, n_trp + 1]
            kept = with_held <= target[u] or risk[u, way] > with_held / BETTER
        if not kept:
            legs[kernels.SECOND_TRP, u], legs[kernels.SECOND_BEAM, u] = wanted, beam
            legs[kernels.SECOND_SECTOR, u] = sector_ahead(nearest, gain, budget, u, wanted, beam)
            legs[kernels.SECOND_FROM, u] = now_us + timers[kernels.TCI]
        legs[kernels.RISK_UNTIL, u] = now_us + timers[kernels.HOLD]


@njit(cache=True, fastmath=False)
def follow_seconds(
    now_us: int, legs: IntArray, timers: IntArray, levels: FloatArray, nearest: FloatArray, gain: FloatArray, budget: FloatArray,
    best_db: FloatArray, best_beam: IntArray,
) -> None:  # fmt: skip
    """Let beam and sector of second legs at other TRPs follow a new report, by the hysteresis and the activation time."""
    for u in range(legs.shape[1]):
        t = legs[kernels.SECOND_TRP, u]
        if t < 0:
            continue
        beam = legs[kernels.SECOND_BEAM, u]
        if t != legs[kernels.TRP, u] and best_db[u, t] > beam_db(gain, budget, u, t, beam) + levels[kernels.HYSTERESIS]:
            beam = best_beam[u, t]
            legs[kernels.SECOND_BEAM, u] = beam
            legs[kernels.SECOND_FROM, u] = now_us + timers[kernels.TCI]
        legs[kernels.SECOND_SECTOR, u] = sector_ahead(nearest, gain, budget, u, t, beam)


@njit(cache=True, fastmath=False)
def gains_of_seconds(
    now_us: int, legs: IntArray, snr: FloatArray, inr: FloatArray, beyond: FloatArray, drop: FloatArray, evm: float, hold_us: int,
    qout_db: float, known: FloatArray, mean_load: FloatArray, video: BoolArray, out: FloatArray,
) -> None:  # fmt: skip
    """Write what second legs are expected to gain over first ones, in the worse direction, mean over futures (U,) [dB].

    Minus infinity where the first leg has not served for the hold time and still works: legs do not take turns, but for frames,
    which go over the first leg alone. A TRP that is full by its mean load (2, T) counts ``FULL_DB`` less for them.
    """
    n_futures = drop.shape[0]
    for u in range(legs.shape[1]):
        out[u] = -np.inf
        t, o = legs[kernels.TRP, u], legs[kernels.SECOND_TRP, u]
        if o < 0:
            continue
        works = min(known[kernels.KNOWN_DL, u], known[kernels.KNOWN_UL, u]) >= qout_db
        frames = video[u, 0] or video[u, 1]
        if works and not frames and now_us - legs[kernels.SINCE, u] < hold_us:
            continue
        total = 0.0
        for f in range(n_futures):
            first_db, second_db = np.inf, np.inf
            for d in range(2):
                first_db = min(first_db, expect(snr[0, u, d], inr[0, u, d], drop[f, u, t], beyond[0, u, d], evm))
                second_db = min(second_db, expect(snr[1, u, d], inr[1, u, d], drop[f, u, o], beyond[1, u, d], evm))
            total += second_db - first_db
        out[u] = total / n_futures
        for d in range(2):
            if video[u, d]:
                out[u] += FULL_DB * ((mean_load[d, t] > FULL) - (mean_load[d, o] > FULL))


@njit(cache=True, fastmath=False)
def write_rungs(
    now_us: int, legs: IntArray, known: FloatArray, levels: FloatArray, snr: FloatArray, inr: FloatArray, beyond: FloatArray,
    drop: FloatArray, beam_drop: FloatArray, scale: FloatArray, cold: BoolArray, rate: FloatArray, level_db: FloatArray,
    repeats: IntArray, symbols: FloatArray, needed: FloatArray, target: FloatArray, video: BoolArray, carrier: IntArray,
    pairs: BoolArray, price: FloatArray, log_shares: FloatArray, together: FloatArray, busy: FloatArray, expected: FloatArray,
    repetitions: IntArray, sinr: FloatArray, frames: FloatArray, usable: BoolArray,
) -> None:  # fmt: skip
    """Write repetitions (U,) and the SINR that link adaptation reckons with (2, U) [dB] for the legs in use, and ``expected``.

    Parameters
    ----------
    snr, inr, beyond : (2 legs, U, 2) by the report, and the last measurement beyond it [dB].
    drop, beam_drop : (S, U, T), (U,) falls by the near forecasts alone [dB]; with those, and as it is now, the legs have to do.
    scale : (U,) by how much the target is relaxed, 0 for the shortest rung.
    price : (2, T) of a symbol, see `planner_load.prices`.
    busy : (2, T) load of every TRP in both directions.
    cold : (U,) devices of which too little was measured: they keep the fixed margin instead.
    expected : (2 legs, U, 2) written: SINR expected of the legs, which the next measurement is held against [dB].
    frames : (2, U) written: SINR that is reckoned with for video frames, which go over one leg whatever control messages do, are
        retransmitted, and planned anew in the next tick: what the leg carries now [dB].
    usable : (U, 2) written: whether the second leg is used, not only ready.
    """
    n_futures = drop.shape[0]
    at = np.empty((2, 2 * n_futures))
    alone = np.full(2 * n_futures, np.nan)
    total = np.empty(level_db.shape[2])
    rung, risk, carries_db = np.empty((2, 2), np.int64), np.empty((2, 2)), np.empty(2)
    margin_db, evm = levels[kernels.MARGIN], levels[kernels.EVM]
    for u in range(legs.shape[1]):
        t, o = legs[kernels.TRP, u], legs[kernels.SECOND_TRP, u]
        first_works = legs[kernels.FREE, u] <= now_us
        second_works = o >= 0 and legs[kernels.SECOND_FROM, u] <= now_us
        share = SAME_TRP if o == t else together[u]
        if o >= 0 and not pairs[t, o] and first_works:
            second_works = False
        a, c = carrier[t], carrier[o] if o >= 0 else carrier[t]
        both_worth, alone_worth, enough = 0.0, 0.0, True
        for d in range(2):
            for j in range(2):
                leg = t if j == 0 else o
                expected[j, u, d] = np.nan
                if leg < 0:
                    continue
                mean = 0.0
                for f in range(n_futures):
                    fall_db = max(drop[f, u, leg], beam_drop[u] if j == 0 else 0.0)
                    at[j, f] = expect(snr[j, u, d], inr[j, u, d], 0.0, beyond[j, u, d], evm)
                    at[j, n_futures + f] = expect(snr[j, u, d], inr[j, u, d], fall_db, beyond[j, u, d], evm)
                    mean += at[j, n_futures + f]
                expected[j, u, d] = mean / n_futures
            carries_db[d] = known[kernels.KNOWN_DL, u] if d == 0 else known[kernels.KNOWN_UL, u]
            if first_works:
                carries_db[d] = at[0, 0]
            elif second_works:
                carries_db[d] = at[1, 0]
            if not first_works:
                at[0] = np.nan
            if not second_works:
                at[1] = np.nan
            if rate[u, d] <= 0.0 or not (first_works or second_works):
                continue
            decade = DECADE_TIMES * symbols[u, d, a].min() / price[d, t]
            for k in range(total.size):
                total[k] = (symbols[u, d, a, k] if first_works else 0.0) + (symbols[u, d, c, k] if second_works else 0.0)
            rung[0, d], risk[0, d], worth = _rung_of(
                target[u], scale[u], decade, at[0], at[1], needed[u, d, a], needed[u, d, c], total, log_shares[u, d], share
            )
            both_worth += worth
            if first_works and second_works:
                rung[1, d], risk[1, d], worth = _rung_of(
                    target[u], scale[u], decade, at[0], alone, needed[u, d, a], needed[u, d, c], symbols[u, d, a],
                    log_shares[u, d], share,
                )  # fmt: skip
                alone_worth += worth
                enough = enough and risk[1, d] <= target[u]
        # a second leg stands ready where the first alone is good enough, and costs nothing
        way = 1 if first_works and second_works and enough and alone_worth <= both_worth and not cold[u] else 0
        usable[u, 1] = second_works and way == 0
        repetitions[u] = 1
        for d in range(2):
            usual_db = (known[kernels.KNOWN_DL, u] if d == 0 else known[kernels.KNOWN_UL, u]) - margin_db
            reckoned_db = usual_db
            if first_works or second_works:
                reckoned_db = carries_db[d] - margin_db
            if rate[u, d] > 0.0 and (first_works or second_works):
                k = rung[way, d]
                for i in range(total.size):
                    total[i] = symbols[u, d, a, i] if first_works else 0.0
                    if second_works and way == 0:
                        total[i] += symbols[u, d, c, i]
                # as low as costs nothing, down to what the fixed margin would have
                while k + 1 < total.size and total[k + 1] <= total[k] and level_db[u, d, k] > reckoned_db:
                    k += 1
                if cold[u]:
                    reckoned_db = usual_db
                else:
                    # what misses its target is at least as robust as reactive would have it, and so is a leg alone where
                    # symbols are spare: what was learnt of its falls may be too little for margins below the fixed one
                    held = risk[way, d] > target[u] or (not usable[u, 1] and busy[d, t] < SPARE)
                    reckoned_db = min(level_db[u, d, k], usual_db) if held else level_db[u, d, k]
                    repetitions[u] = max(repetitions[u], repeats[k])
            sinr[d, u] = reckoned_db
            frames[d, u] = usual_db + margin_db if cold[u] else carries_db[d]


@njit(cache=True, fastmath=False)
def _rung_of(
    target: float, scale: float, decade: float, first_db: FloatArray, second_db: FloatArray, needed_first: FloatArray,
    needed_second: FloatArray, cost: FloatArray, log_shares: FloatArray, together: float,
) -> tuple[int, float, float]:  # fmt: skip
    """Return a direction's cheapest rung, its risk, and what it costs, risk above the target included [symbols/s].

    The target is relaxed by ``scale``; 0 asks for the shortest rung and no risk is reckoned.
    """
    if scale <= 0.0:
        shortest = int(cost.argmin())
        return shortest, 0.0, cost[shortest]
    rung, risk = cheapest_rung(
        target * scale, decade, first_db, second_db, needed_first, needed_second, cost, log_shares, together
    )
    return rung, risk, cost[rung] + decade * max(np.log10(risk / (target * scale)), 0.0)
