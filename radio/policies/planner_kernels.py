"""Compiled: what SINR the planner expects of a leg, how wrong it was so far, and the cheapest rung that keeps a risk.

Interference is reckoned from the network's own loads and the gains of the last report, as every scheduler that plans all TRPs of
a hall can; what measurements say beyond that is a residual, whose distribution is learned.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from radio.policies.kernels import BEAM, OFFSET_DL, SECTOR, STEP, TRP, UL_OVER_DL, in_db
from radio.types import BoolArray, FloatArray, IntArray

LOW_DB, STEP_DB, BINS = -45.0, 0.5, 120
"""Residuals are kept in half decibels from -45 to 15 dB, what is beyond in the outermost bins."""
TAIL_SHARE = 0.02  # beyond this quantile the residual's distribution is an exponential fitted to the excesses (assumed)
PRIOR_WEIGHT = 20.0  # measurements that the devices of the same services count for
LEAST_EXCESS_DB = 0.5
DECADE_TIMES = 7.0
"""Times its shortest rung that a message may take for a tenth of its risk, where its target is not reached (assumed)."""
SURE = 1e-12  # no risk is believed to be less
FEWEST = 50.0  # measurements before margins below the fixed one are believed


@njit(cache=True, fastmath=False)
def served_by(legs: IntArray, n_trp: int) -> FloatArray:
    """Return the number of devices whose first leg each TRP has (T,)."""
    served = np.zeros(n_trp)
    for u in range(legs.shape[1]):
        if legs[TRP, u] >= 0:
            served[legs[TRP, u]] += 1.0
    return served


@njit(cache=True, fastmath=False)
def heard_db(
    u: int, t: int, b: int, s: int, d: int, legs: IntArray, served: FloatArray, load: FloatArray, gain: FloatArray,
    budget: FloatArray, carrier: IntArray,
) -> float:  # fmt: skip
    """Return the interference over noise [dB] that a leg meets by the report, in whole steps of it; -200 for none.

    Downlink: every other TRP of the carrier, on the mean of the beams of its devices, times its load. Uplink: every other device
    whose first leg is on another TRP, for its share of that TRP's load.
    """
    total = 0.0
    for v in range(legs.shape[1]):
        o = legs[TRP, v]
        if o < 0 or o == t or carrier[o] != carrier[t] or load[d, o] <= 0.0:
            continue
        if d == 0:
            total += gain[u, o, legs[BEAM, v], s] * load[0, o] / served[o] * 10.0 ** (0.1 * (budget[OFFSET_DL, o]))
        elif v != u:
            total += gain[v, t, b, legs[SECTOR, v]] * load[1, o] / served[o]
    if d == 1:
        total *= 10.0 ** (0.1 * (budget[OFFSET_DL, t] + budget[UL_OVER_DL, t]))
    if total < 1e-20:
        return -200.0
    inr_db = 10.0 * math.log10(total)
    step_db = budget[STEP, t]
    return float(np.rint(inr_db / step_db) * step_db) if step_db > 0.0 else inr_db


@njit(cache=True, fastmath=False)
def sinr_db(snr_db: float, inr_db: float, evm: float) -> float:
    """Return the SINR [dB] of an SNR under interference over noise, both in dB, and the EVM's noise-to-signal ratio."""
    ratio = (1.0 + 10.0 ** (0.1 * inr_db)) * 10.0 ** (-0.1 * max(snr_db, -200.0)) + evm
    return -10.0 * math.log10(ratio)


@njit(cache=True, fastmath=False)
def leg_levels(
    trp: IntArray, beam: IntArray, sector: IntArray, legs: IntArray, load: FloatArray, gain: FloatArray, budget: FloatArray,
    carrier: IntArray,
) -> tuple[FloatArray, FloatArray]:  # fmt: skip
    """Return SNR and interference over noise (N, U, 2 directions) [dB] of legs (N, U) by a report, NaN where there is none."""
    snr, inr = np.full((trp.shape[0], trp.shape[1], 2), np.nan), np.full((trp.shape[0], trp.shape[1], 2), np.nan)
    served = served_by(legs, gain.shape[1])
    for j in range(trp.shape[0]):
        for u in range(trp.shape[1]):
            t = trp[j, u]
            if t < 0:
                continue
            dl_db = in_db(gain[u, t, beam[j, u], sector[j, u]], budget[OFFSET_DL, t], budget[STEP, t])
            for d in range(2):
                snr[j, u, d] = dl_db + (budget[UL_OVER_DL, t] if d == 1 else 0.0)
                inr[j, u, d] = heard_db(
                    u, t, beam[j, u], sector[j, u], d, legs, served, load, gain, budget, carrier
                )  # fmt: skip
    return snr, inr


@njit(cache=True, fastmath=False)
def learn(
    measured: FloatArray, expected: FloatArray, keep: float, counts: FloatArray, joint: FloatArray, joint_db: float
) -> None:
    """Take what legs were measured at beyond what was expected of them into the record.

    Parameters
    ----------
    measured, expected : (2 legs, U, 2) [dB]; NaN is no measurement.
    keep : share of the old record that is kept.
    counts : (U, 2, BINS) weight of each residual; written.
    joint : (U, 2) weights of instants at which one of two legs, or both of them, fell by more than ``joint_db``; written.
    """
    for u in range(measured.shape[1]):
        for d in range(2):
            worst, fell, legs = 0.0, 0, 0
            for j in range(2):
                residual = measured[j, u, d] - expected[j, u, d]
                if not np.isfinite(residual):
                    continue
                if legs == 0:
                    for i in range(BINS):
                        counts[u, d, i] *= keep
                legs += 1
                worst = min(worst, residual)
                counts[u, d, min(max(math.floor((residual - LOW_DB) / STEP_DB), 0), BINS - 1)] += 1.0
                if residual < -joint_db:
                    fell += 1
            if legs == 2:
                joint[u, 0] *= keep
                joint[u, 1] *= keep
                if fell > 0:
                    joint[u, 0] += 1.0
                if fell == 2:
                    joint[u, 1] += 1.0


@njit(cache=True, fastmath=False)
def _log_shares(counts: FloatArray, out: FloatArray) -> None:
    """Write the logarithm of the share of residuals below each edge (BINS,), its lower tail an exponential."""
    total = counts.sum()
    below = 0.0
    knee = -1
    excess = 0.0
    for i in range(BINS):
        out[i] = math.log(max(below / total, SURE))  # below the bin's lower edge
        below += counts[i]
        if below >= TAIL_SHARE * total and knee < 0:
            knee = i  # the tail begins at this bin's upper edge
    inside = 0.0
    for i in range(knee + 1):
        inside += counts[i]
        excess += counts[i] * (knee + 0.5 - i) * STEP_DB
    scale_db = max(excess / inside, LEAST_EXCESS_DB)
    for i in range(knee + 1):
        out[i] = max(math.log(inside / total) - (knee + 1 - i) * STEP_DB / scale_db, math.log(SURE))


@njit(cache=True, fastmath=False)
def residual_shares(counts: FloatArray, group: IntArray, prior: FloatArray, out: FloatArray) -> None:
    """Write, for every device and direction, the logarithm of the share of residuals below each edge of the bins (U, 2, BINS).

    A device's own record is mixed with ``PRIOR_WEIGHT`` measurements of the devices of its services, and these with as many of
    what is assumed before anything is known, ``prior`` (BINS,), whose weight is that of its sum.
    """
    n_ue = counts.shape[0]
    shared = np.empty((2, BINS))
    mixed = np.empty(BINS)
    for g in range(group.max() + 1 if n_ue else 0):
        for d in range(2):
            total = prior.sum()
            for i in range(BINS):
                shared[d, i] = prior[i]
            for u in range(n_ue):
                if group[u] == g:
                    for i in range(BINS):
                        shared[d, i] += counts[u, d, i]
                        total += counts[u, d, i]
            for i in range(BINS):
                shared[d, i] *= PRIOR_WEIGHT / total
        for u in range(n_ue):
            if group[u] == g:
                for d in range(2):
                    for i in range(BINS):
                        mixed[i] = counts[u, d, i] + shared[d, i]
                    _log_shares(mixed, out[u, d])


@njit(cache=True, fastmath=False)
def share_below(log_shares: FloatArray, residual_db: float) -> float:
    """Return the share of residuals below a value [dB], by logarithms between the edges (BINS,)."""
    at = (residual_db - LOW_DB) / STEP_DB
    if at >= BINS - 1:
        return 1.0
    if at <= 0.0:
        return math.exp(log_shares[0])
    i = int(at)
    low, high = log_shares[i], log_shares[i + 1]
    return math.exp(low + (at - i) * (high - low))


@njit(cache=True, fastmath=False)
def both(first: float, second: float, together: float) -> float:
    """Return the risk that both of two legs fail: apart from one another, or by the same cause for a share ``together``."""
    return together * min(first, second) + (1.0 - together) * first * second


@njit(cache=True, fastmath=False)
def rung_risk(
    rung: int, first_db: FloatArray, second_db: FloatArray, needed_first: FloatArray, needed_second: FloatArray,
    log_shares: FloatArray, together: float,
) -> float:  # fmt: skip
    """Return the risk of a message at a rung, the mean over cases (S,), now and every future, each with both its legs.

    ``first_db``, ``second_db`` (S,) are the SINRs expected of the legs [dB], NaN for one that is not there or cannot carry data.
    """
    total = 0.0
    for s in range(first_db.size):
        risk = 1.0
        if np.isfinite(first_db[s]):
            risk = share_below(log_shares, needed_first[rung] - first_db[s])
        if np.isfinite(second_db[s]):
            other = share_below(log_shares, needed_second[rung] - second_db[s])
            risk = both(risk, other, together) if np.isfinite(first_db[s]) else other
        total += risk
    return max(total / first_db.size, SURE)


@njit(cache=True, fastmath=False)
def cheapest_rung(
    target: float, decade: float, first_db: FloatArray, second_db: FloatArray, needed_first: FloatArray,
    needed_second: FloatArray, cost: FloatArray, log_shares: FloatArray, together: float,
) -> tuple[int, float]:  # fmt: skip
    """Return the cheapest rung whose risk is at most the target, the highest of equal cost, and its risk.

    A decade above the target is worth ``decade`` symbols per second: where the target is out of reach, or too dear, the rung with
    the least sum of symbols and that. ``cost`` (R,) are symbols per second on all legs.
    """
    best, best_worth, best_risk = 0, np.inf, np.inf
    for k in range(cost.size):
        if cost[k] >= best_worth:
            continue
        risk = rung_risk(k, first_db, second_db, needed_first, needed_second, log_shares, together)
        worth = cost[k] + decade * max(math.log10(risk / target), 0.0)
        if worth < best_worth:
            best, best_worth, best_risk = k, worth, risk
    return best, best_risk


@njit(cache=True, fastmath=False)
def drops_ahead(
    report_db: FloatArray, ahead_gain: FloatArray, budget: FloatArray, covered: BoolArray, used: BoolArray
) -> FloatArray:
    """Return by how much every link is forecast to fall below the report (S, U, T) [dB], at least 0.

    Parameters
    ----------
    report_db : (U, T) best pair of every link by the report [dB].
    ahead_gain : (H, S, U, T) gain of the best pair at each instant in every future.
    covered : (U * T,) links of which anything is forecast.
    used : (H,) instants that are looked at.
    """
    n_ahead, n_futures, n_ue, n_trp = ahead_gain.shape
    out = np.zeros((n_futures, n_ue, n_trp))
    for u in range(n_ue):
        for t in range(n_trp):
            if not covered[u * n_trp + t]:
                continue
            for s in range(n_futures):
                least = np.inf
                for h in range(n_ahead):
                    if used[h]:
                        least = min(least, ahead_gain[h, s, u, t])
                if np.isfinite(least):
                    fall_db = report_db[u, t] - in_db(least, budget[OFFSET_DL, t], 0.0)
                    out[s, u, t] = max(fall_db - 0.5 * budget[STEP, t], 0.0)
    return out
