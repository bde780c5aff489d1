"""Tails that can be believed: unavailability beyond what a shift can count, by estimators that stand side by side.

conditional
    Mean over messages of the probability that the service is down, given the channel that was met. Nothing is extrapolated:
    states of the hall that the run did not meet are missing, which its upper end allows for.
peaks_over_threshold
    Depths of the service's margin (``tails_kernels``) below a threshold, of blockage episodes that are independent of one
    another, fitted by a generalised Pareto distribution and carried through block error and survival-time rule. It tells of
    depths that the run did not meet, as far as the tail goes on as it began (Mehrnia and Coleri, IEEE TWC 2021, for power).

Independent units are not messages but blocks of time of the whole hall: a blockage episode takes 0.2 to 1 s and often several
devices at once, a block of 10 s holds it whole. Blocks are merged in twos and fours to see whether they are independent, and the
largest of the variances counts.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import chi2, t

from radio.figures.tails_kernels import BINS, CERTAIN, EDGES, LONGEST_WINDOW, RING, RING_LAST, WIDEST
from radio.messages.reliability import SMALLEST_RATE
from radio.messages.traffic import Traffic
from radio.types import BoolArray, FloatArray, IntArray

EPISODE_S = 0.2
"""Assumed length of an episode that a run did not meet [s]; those measured take 0.2 to 1 s."""
FEWEST_UNITS = 10.0
"""Effective number of units below which an unmet episode is added to the upper end."""
FEWEST_EPISODES = 12
"""Blocks with a margin below the threshold that a fit needs."""
LARGEST_SHARE = 0.01
"""Largest share of messages that counts as the tail: above it margins are held up by the ceiling that EVM sets."""
SMALLEST_TAIL = 1e-300
_TAIL = 0.025
_THRESHOLDS = 6
_SHAPES: FloatArray = np.linspace(-0.8, 0.6, 29)
_SCALES: FloatArray = np.geomspace(0.1, 6.0, 35)  # in mean excesses
_FINE: FloatArray = np.arange(CERTAIN, 12.0 + 1e-9, 0.1)
_GOOD_FIT = 0.1  # threshold choice: the fit's probability by chance from which it is taken

Json = dict[str, Any]


class MarginTables(NamedTuple):
    """Margins of V services with N streams; with a leading axis, those of several policies.

    Attributes
    ----------
    ring, state : (N, LONGEST_WINDOW) and (N, RING), see `radio.figures.tails_kernels.window_margin`.
    margins : (V, blocks, BINS) messages by margin.
    block_us : (1,) length of a block [us].
    """

    ring: FloatArray
    state: FloatArray
    margins: IntArray
    block_us: IntArray

    def row(self, policy: int) -> MarginTables:
        """View the tables of one policy."""
        return MarginTables(*(table[policy] for table in self))


def new_margins(traffic: Traffic, n: int, block_us: int, max_blocks: int) -> MarginTables:
    """Return empty tables of n policies."""
    n_streams, n_services = traffic.n_streams, len(traffic.service_name)
    state = np.zeros((n, n_streams, RING))
    state[:, :, RING_LAST] = WIDEST
    return MarginTables(
        np.zeros((n, n_streams, LONGEST_WINDOW)),
        state,
        np.zeros((n, n_services, max_blocks, BINS), dtype=np.int32),
        np.full((n, 1), block_us, dtype=np.int64),
    )


def unknown(reason: str, packets: int = 0) -> Json:
    """Return an estimate that cannot be given, and why."""
    return {"value": None, "low": None, "high": None, "packets": packets, "reason": reason}


def known(value: float, low: float, high: float, packets: int) -> Json:
    """Return an estimate of a share with its 95 % interval and its cost in simulated packets."""
    return {
        "value": float(value),
        "low": float(min(max(low, 0.0), value)),
        "high": float(min(max(high, value), 1.0)),
        "packets": int(packets),
        "reason": None,
    }


def share_interval(weight: FloatArray, messages: FloatArray, unmet: float = 1.0) -> tuple[float, float, float]:
    """Share of messages of a weight summed over units, and its 95 % interval.

    Parameters
    ----------
    weight, messages : (B,) sums of each unit, in order of time.
    unmet : weight of an episode that no unit holds; it widens the upper end where fewer than ``FEWEST_UNITS`` carry the sum.

    Returns
    -------
    value, low, high. The interval is the gamma interval of a sum of Poisson counts with unequal weights (Fay and Feuer,
    Statistics in Medicine 16, 1997), which keeps its coverage where few units carry the sum; its variance is the units' own,
    widened as Student's t is beside the normal distribution, since few units know their variance badly.
    """
    n, heaviest = float(messages.sum()), float(weight.max(initial=0.0))
    value = float(weight.sum()) / n
    none_met = 0.5 * unmet * float(chi2.ppf(1.0 - _TAIL, 2.0)) / n
    if value < SMALLEST_RATE:  # nothing was met that counts beside what was not
        return value, 0.0, min(1.0, none_met)
    unit, weight = heaviest, weight / heaviest
    y, heaviest = float(weight.sum()), 1.0
    variance = _variance(weight, messages) * float(t.ppf(1.0 - _TAIL, max(len(weight) - 1, 1)) / ndtri(1.0 - _TAIL)) ** 2
    if y * y < FEWEST_UNITS * variance:
        heaviest = max(heaviest, unmet / unit)
    if variance <= 1e-24 * y * y:
        return value, value, value
    low = 0.5 * variance / y * chi2.ppf(_TAIL, 2.0 * y * y / variance)
    total, spread = y + heaviest, variance + heaviest * heaviest
    high = 0.5 * spread / total * chi2.ppf(1.0 - _TAIL, 2.0 * total * total / spread)
    return value, float(low * unit / n), float(min(1.0, high * unit / n))


def conditional(down: FloatArray, messages: FloatArray, interval_s: float) -> Json:
    """Estimate unavailability by conditional expectation.

    Parameters
    ----------
    down, messages : (B,) sum of the probabilities of being down, and messages, of each block of time, all devices together.
    interval_s : transfer interval [s].
    """
    used = messages > 0
    if not used.any():
        return unknown("no message was finished yet")
    value, low, high = share_interval(down[used], messages[used], max(1.0, EPISODE_S / interval_s))
    return known(value, low, high, int(messages.sum()))


def _variance(weight: FloatArray, messages: FloatArray) -> float:
    """Variance of a sum over blocks, the largest that blocks merged by 1, 2 or 4 suggest."""
    rest = weight - messages * (weight.sum() / messages.sum())
    found = 0.0
    for merge in (1, 2, 4):
        n = len(rest) // merge
        if merge > 1 and n < 16:
            break
        merged = rest[: n * merge].reshape(n, merge).sum(axis=1)
        # What is left over counts in proportion.
        found = max(found, float((merged**2).sum()) * n / max(n - 1, 1) * len(rest) / (n * merge))
    return found


class _Fit(NamedTuple):
    """Generalised Pareto distributions of a grid at one threshold.

    ``edge`` is the threshold's index among EDGES, ``log_share`` (G, edge + 1) the logarithms of the bins' probabilities, deepest
    first, ``down`` (G,) the mean probability of being down in the tail.
    """

    edge: int
    log_share: FloatArray
    down: FloatArray


def peaks_over_threshold(margins: IntArray, m: int, seed: int, replicates: int = 200) -> Json:
    """Estimate unavailability from the tail of the margin.

    Parameters
    ----------
    margins : (B, BINS) messages of each block of time by the service's margin, all devices together.
    m : messages of the survival-time rule.
    seed : of the bootstrap.
    replicates : bootstrap replicates.

    Notes
    -----
    Of ``_THRESHOLDS`` thresholds between shares of ``LARGEST_SHARE`` and what ``FEWEST_EPISODES`` blocks allow, the highest one
    whose fit is not improbable (chi-square over bins, counts divided by messages per independent episode) is taken: estimates
    below it are stable. Grouped maximum likelihood over a grid of shapes and scales, so there is always a maximum; messages at
    margins below -6 are censored. The interval spans the bootstrap over blocks, with a threshold chosen in each replicate, and
    the profile likelihood of the unavailability at an effective number of episodes.
    """
    blocks = np.asarray(margins[margins.sum(axis=1) > 0], dtype=np.float64)
    n = float(blocks.sum())
    if n == 0.0:
        return unknown("no margin was followed: video, or a survival time of more than 32 messages")
    edges = _thresholds(blocks)
    if not edges:
        reason = f"fewer than {FEWEST_EPISODES} independent blocks of time hold the tail of the margin; run longer"
        return unknown(reason, int(n))
    in_bin = _down_in_bins(m)
    rng = np.random.default_rng([seed, m])
    weights = np.vstack([np.ones(len(blocks)), rng.multinomial(len(blocks), np.full(len(blocks), 1.0 / len(blocks)), replicates)])
    counts = weights @ blocks
    fits = [_grid(e, m, counts[0]) for e in edges]
    best = [counts[:, : f.edge + 1] @ f.log_share.T for f in fits]
    chosen = np.full(len(counts), len(fits) - 1)
    estimate: FloatArray = np.zeros((len(fits), len(counts)))
    for j in range(len(fits) - 1, -1, -1):
        fit, at = fits[j], best[j].argmax(axis=1)
        tail = counts[:, : fit.edge + 1].sum(axis=1)
        estimate[j] = (tail * fit.down[at] + counts[:, fit.edge + 1 :] @ in_bin[fit.edge + 1 :]) / counts.sum(axis=1)
        chosen[_fits_well(counts, fit, at, _cluster(blocks, fit.edge))] = j
    rows = np.arange(len(counts))
    drawn = estimate[chosen, rows]
    value, j = float(drawn[0]), int(chosen[0])
    fit, edge = fits[j], fits[j].edge
    likely = best[j][0] >= best[j][0].max() - 0.5 * float(chi2.ppf(1 - 2 * _TAIL, 1)) * _cluster(blocks, edge)
    body = float(counts[0, edge + 1 :] @ in_bin[edge + 1 :]) / n
    reach = fit.down[likely] * float(counts[0, : edge + 1].sum()) / n + body
    low = min(float(np.quantile(drawn[1:], _TAIL)), float(reach.min()))
    high = max(float(np.quantile(drawn[1:], 1 - _TAIL)), float(reach.max()))
    result = known(value, low, high, int(n))
    k = int(best[j][0].argmax())
    result |= {
        "threshold": float(EDGES[edge]),
        "shape": float(_SHAPES[k // len(_SCALES)]),
        "tail_share": float(counts[0, : edge + 1].sum() / n),
        "episodes": round(_effective(blocks[:, : edge + 1].sum(axis=1)), 1),
    }
    return result


def _effective(x: FloatArray) -> float:
    total = float(x.sum())
    return total * total / max(float((x * x).sum()), SMALLEST_TAIL)


def _cluster(blocks: FloatArray, edge: int) -> float:
    """Messages below a threshold for each independent episode."""
    tail = blocks[:, : edge + 1].sum(axis=1)
    return max(1.0, float(tail.sum()) / max(_effective(tail), 1.0))


def _thresholds(blocks: FloatArray) -> list[int]:
    """Return indices among EDGES of thresholds to try, highest margin first."""
    below = np.cumsum(blocks, axis=1)[:, : len(EDGES)]
    share = below.sum(axis=0) / blocks.sum()
    fit_for = [
        e
        for e in range(4, len(EDGES))
        if 0.0 < share[e] <= LARGEST_SHARE and EDGES[e] > 0.0 and np.count_nonzero(below[:, e]) >= FEWEST_EPISODES
        and _effective(below[:, e]) >= FEWEST_EPISODES / 2
    ]  # fmt: skip
    if not fit_for:
        return []
    pick = np.unique(np.linspace(0, len(fit_for) - 1, min(_THRESHOLDS, len(fit_for))).round().astype(int))
    return [fit_for[i] for i in pick][::-1]


def down_probability(margin: FloatArray, m: int) -> FloatArray:
    """Return the probability ``Q(z)^m`` that a service of margin z is down."""
    return np.asarray(ndtr(-np.asarray(margin, dtype=np.float64)) ** m, dtype=np.float64)


def _down_in_bins(m: int) -> FloatArray:
    """Mean probability of being down over each bin, (BINS,)."""
    middle = np.linspace(0.0, 1.0, 21)
    inside = EDGES[:-1, None] + (EDGES[1:] - EDGES[:-1])[:, None] * middle
    return np.concatenate([[1.0], down_probability(inside, m).mean(axis=1), [0.0]])


def _tail_of(depth: FloatArray, scale: FloatArray, shape: FloatArray) -> FloatArray:
    """Share of generalised Pareto distributions beyond depths, as ``scipy.stats.genpareto.sf`` gives it, a third of its time."""
    reduced = depth / scale
    bent = np.where(np.abs(shape) < 1e-9, 1e-9, shape)
    return np.asarray(np.exp(-np.log(np.maximum(1.0 + bent * reduced, SMALLEST_TAIL)) / bent) * (1.0 + bent * reduced > 0.0))


def _grid(edge: int, m: int, counts: FloatArray) -> _Fit:
    """Prepare the distributions of the grid for depths below ``EDGES[edge]``."""
    u = float(EDGES[edge])
    middle = np.concatenate([[CERTAIN], 0.5 * (EDGES[:edge] + EDGES[1 : edge + 1])])
    mean = float(((u - middle) * counts[: edge + 1]).sum() / max(counts[: edge + 1].sum(), 1.0))
    shape, scale = (a.ravel()[:, None] for a in np.meshgrid(_SHAPES, _SCALES * mean, indexing="ij"))
    beyond = _tail_of(u - EDGES[None, : edge + 1], scale, shape)  # at EDGES[edge] it is 1
    share = np.diff(np.concatenate([np.zeros((len(beyond), 1)), beyond], axis=1), axis=1)
    fine = _FINE[u > _FINE]
    tail = _tail_of(u - fine[None, :], scale, shape)
    here = np.diff(np.concatenate([np.zeros((len(tail), 1)), tail], axis=1), axis=1)
    down = here @ down_probability(np.concatenate([fine[:1], fine[1:] - 0.5 * (_FINE[1] - _FINE[0])]), m)
    return _Fit(edge, np.log(np.maximum(share, SMALLEST_TAIL)), down)


def _fits_well(counts: FloatArray, fit: _Fit, at: IntArray, cluster: float) -> BoolArray:
    """Tell for each row of counts whether its best distribution agrees with them, bins put together by threes."""
    seen = counts[:, : fit.edge + 1]
    expected = np.exp(fit.log_share[at]) * seen.sum(axis=1, keepdims=True)
    # Bins of a tenth of the tail each, by the first row, so that no bin is empty.
    order = np.cumsum(seen[0]) / max(seen[0].sum(), 1.0)
    group = np.minimum((order * 8.0).astype(int), 7)
    which = np.eye(8)[group]
    seen, expected = seen @ which, expected @ which
    distance = ((seen - expected) ** 2 / np.maximum(expected, 1e-9)).sum(axis=1) / cluster
    freedom = max(len(np.unique(group)) - 3, 1)
    good: BoolArray = chi2.sf(distance, freedom) >= _GOOD_FIT
    return good


def estimators(
    down: FloatArray, messages: FloatArray, margins: IntArray | None, interval_s: float, m: int, video: bool, seed: int
) -> Json:
    """Return what ``kpi.json`` says under ``estimators``: the service's unavailability three times.

    Parameters
    ----------
    down, messages : (B,) of blocks of time, see ``conditional``.
    margins : (B, BINS), see ``peaks_over_threshold``; None where they were not followed.
    interval_s, m, video : of the service.
    seed : of the bootstrap.
    """
    n = int(messages.sum())
    if video:
        peaks = unknown("frames are lost by coming late: they have no margin", n)
    elif m > LONGEST_WINDOW:
        peaks = unknown(f"it survives {m} messages; margins are followed over {LONGEST_WINDOW} at most", n)
    elif margins is None:
        peaks = unknown("margins were not followed", n)
    else:
        peaks = peaks_over_threshold(margins, m, seed)
    splitting = unknown("not estimated in a run: factory-twin tails SCENARIO --service NAME --out kpi.json")
    return {
        "conditional": conditional(down, messages, interval_s),
        "peaks_over_threshold": peaks,
        "splitting": splitting,
    }
