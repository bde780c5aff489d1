"""Key figures of a run: availability, mean time between failures, packet errors, latency, resources, each with its interval.

Availability and mean time between failures come twice: as the conditional expectation (products of the conditional loss
probabilities of m consecutive messages, exact under the survival-time rule given channel and resources), and counted from the
drawn outcomes. Memory is bounded: everything is summed per unit, a stream times a block of time, and blocks are merged in pairs
when they become too many.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import beta

from radio.figures.kpi_kernels import (
    BINS_PER_E,
    COUNTS,
    DOWN,
    DOWN_COUNTED,
    ENTRIES,
    ENTRIES_COUNTED,
    LATENCY_BINS,
    LATENCY_LOW_US,
    LOSS,
    LOST,
    MESSAGES,
    SECOND_LEGS,
    SUMS,
    SWITCHES,
    TICKS,
    accumulate,
)
from radio.figures.tails import MarginTables, estimators
from radio.figures.tails_kernels import RING_LAST
from radio.messages.delivery import CAUSES, Delivered
from radio.messages.reliability import FEWEST_FAILURES, NO_FAILURE_SEEN, mtbf_figure
from radio.messages.traffic import Traffic
from radio.types import FloatArray, IntArray, Plan

_PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p999": 0.999}
_CONFIDENCE = 0.95
_FEW_UNITS = 10.0

_NO_LEGS: IntArray = np.zeros((2, 0, 2), dtype=np.int64)
_BLOCK_S, _MAX_BLOCKS = 10.0, 512

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Running:
    """Figures of a service so far, without intervals; None before its first message, or where it cannot be told."""

    availability: float | None
    mtbf_s: float | None
    packet_error_ratio: float | None


class KpiTables(NamedTuple):
    """Sums of N streams of V services; with a leading axis, those of several policies.

    Attributes
    ----------
    history : (N, m + 1) ring of the last loss probabilities of each stream, zeros (good) before the first message.
    seen : (2, N) messages seen, and bad ones in a row by now.
    units : (N, blocks, SUMS) sums of each stream and block. latency : (V, blocks, LATENCY_BINS) histograms.
    causes : (V, len(CAUSES)) losses by cause.
    load_sum : (2, T) shares of symbols, summed over ticks. last_leg : (U, 2) TRP and beam of the last tick's first legs.
    counts : (COUNTS,) changes of first legs, second legs and ticks.
    block_us : (1,) length of a block [us].
    """

    history: FloatArray
    seen: IntArray
    units: FloatArray
    latency: IntArray
    causes: IntArray
    load_sum: FloatArray
    last_leg: IntArray
    counts: IntArray
    block_us: IntArray

    def row(self, policy: int) -> KpiTables:
        """View the tables of one policy."""
        return KpiTables(*(table[policy] for table in self))


def new_tables(
    traffic: Traffic, n: int, n_trp: int = 0, n_ue: int = 0, block_s: float = _BLOCK_S, max_blocks: int = _MAX_BLOCKS
) -> KpiTables:
    """Return empty tables of n policies; blocks are ``block_s`` long at first, and ``max_blocks`` are kept, an even number."""
    if block_s <= 0.0 or max_blocks < 2 or max_blocks % 2:
        raise ValueError(f"block_s {block_s} must be above 0 and max_blocks {max_blocks} an even number of at least 2")
    n_streams, n_services = traffic.n_streams, len(traffic.service_name)
    longest = int(traffic.survival.max()) if n_streams else 1
    return KpiTables(
        np.zeros((n, n_streams, longest + 1)),
        np.zeros((n, 2, n_streams), dtype=np.int64),
        np.zeros((n, n_streams, max_blocks, SUMS)),
        np.zeros((n, n_services, max_blocks, LATENCY_BINS), dtype=np.int32),
        np.zeros((n, n_services, len(CAUSES)), dtype=np.int64),
        np.zeros((n, 2, n_trp)),
        np.zeros((n, n_ue, 2), dtype=np.int64),
        np.zeros((n, COUNTS), dtype=np.int64),
        np.full((n, 1), max(1, round(block_s * 1e6)), dtype=np.int64),
    )


class KpiAccumulator:
    """Adds up what one policy delivered.

    Parameters
    ----------
    traffic : streams and targets.
    bootstrap_seed : seed of the bootstrap, so that ``result`` is repeatable.
    block_s : initial length of a block [s]; it doubles when ``max_blocks`` is reached.
    max_blocks : blocks kept, even.
    tables : what somebody else adds up, to be read here; new ones of its own if None.
    margins : the same of the messages' margins; without them no peaks over a threshold are told.

    Notes
    -----
    Units (device and service, times a block) are taken as independent; the bootstrap resamples them. A unit of 10 s is longer
    than a blockage episode (0.2 to 1 s), which packets are not.
    """

    def __init__(
        self,
        traffic: Traffic,
        bootstrap_seed: int,
        block_s: float = _BLOCK_S,
        max_blocks: int = _MAX_BLOCKS,
        tables: KpiTables | None = None,
        margins: MarginTables | None = None,
    ) -> None:
        self._traffic = traffic
        self._margins = margins
        self._seed = int(bootstrap_seed)
        self._tables = tables or new_tables(traffic, 1, block_s=block_s, max_blocks=max_blocks).row(0)

    @property
    def tables(self) -> KpiTables:
        """The sums so far, to be read."""
        return self._tables

    @property
    def totals(self) -> tuple[FloatArray | IntArray, ...]:
        """Tables that only grow: what a branch of a run need not bring back. Not the rings that say what comes next."""
        tables = self._tables
        own = () if self._margins is None else (self._margins.margins, self._margins.block_us)
        return (tables.units, tables.latency, tables.causes, tables.block_us, *own)

    @property
    def last_margins(self) -> FloatArray:
        """Margin of the last message of each stream (N,), see ``tails_kernels``; empty where margins are not followed."""
        return np.zeros(0) if self._margins is None else self._margins.state[:, RING_LAST]

    def add(self, delivered: Delivered, plan: Plan | None = None) -> None:
        """Add the finished messages of a tick, and the plan's beams to the count of switches."""
        legs = _NO_LEGS if plan is None else np.array([plan.trp, plan.beam], dtype=np.int64)
        tables = self._tables
        if not tables.counts[TICKS]:
            self._tables = tables = tables._replace(load_sum=np.zeros(delivered.spent.shape))
        if plan is not None and len(tables.last_leg) != legs.shape[1]:
            self._tables = tables = tables._replace(last_leg=np.ascontiguousarray(legs[:, :, 0].T))
        accumulate(
            delivered.ints, delivered.floats, delivered.ok, len(delivered.ok), delivered.spent, delivered.available, legs,
            self._traffic.service, self._traffic.survival, *tables,
        )  # fmt: skip

    def running(self) -> tuple[Running, ...]:
        """Return the conditional expectations of every service so far, for displays."""
        totals = self._tables.units.sum(axis=1)
        out = []
        for v in range(len(self._traffic.service_name)):
            rows = self._traffic.service == v
            total = totals[rows].sum(axis=0)
            n = float(total[MESSAGES])
            if n == 0.0:
                out.append(Running(None, None, None))
                continue
            interval_s = int(self._traffic.interval_us[rows][0]) * 1e-6
            rate = float(total[ENTRIES] / n)
            mtbf_s = mtbf_figure(interval_s, n, rate, rate, rate)["value"]
            out.append(Running(1.0 - total[DOWN] / n, mtbf_s, total[LOSS] / n))
        return tuple(out)

    def result(self, duration_s: float, replicates: int = 400) -> Json:
        """Return the figures as plain JSON data: no NaN, no infinity; None comes with a reason.

        Parameters
        ----------
        duration_s : simulated time, for rates [s].
        replicates : bootstrap replicates.

        Notes
        -----
        Intervals are 95 %. For availability and mean time between failures, where fewer than 10 units carry the risk (effective
        number, ``(sum x)^2 / sum x^2``), the bootstrap cannot be trusted, and the unfavourable bound is widened to what no
        failure at all in the observed time would prove: at most 2.996 more entries, each one transfer interval long.
        A mean time between failures beyond ten times the observed time of all devices is not told, only bounded
        (``reliability.mtbf_figure``); ``expected_outages`` is what the loss probabilities of the messages add up to.
        ``met`` is True or False only where the whole interval is on one side of the target, else None.
        """
        services = [self._service(v, replicates) for v in range(len(self._traffic.service_name))]
        counts = self._tables.counts
        ticks = max(int(counts[TICKS]), 1)
        n_ue = len(self._tables.last_leg)
        loads = self._tables.load_sum / ticks
        return {
            "duration_s": float(duration_s),
            "services": services,
            "resources": {
                "downlink_share": [float(x) for x in loads[0]],
                "uplink_share": [float(x) for x in loads[1]],
                "mean_share": float(loads.mean()) if loads.size else 0.0,
                "beam_switches": int(counts[SWITCHES]),
                "second_leg_share": int(counts[SECOND_LEGS]) / (ticks * n_ue) if n_ue else 0.0,
            },
        }

    def _service(self, v: int, replicates: int) -> Json:
        traffic = self._traffic
        rows = np.flatnonzero(traffic.service == v)
        name = traffic.service_name[v]
        head: Json = {"name": name, "profile": traffic.profile[v], "devices": len(rows)}
        units = self._tables.units[rows].reshape(-1, SUMS)
        used = units[:, MESSAGES] > 0
        units = units[used]
        if not len(units):
            reason = "the hall has no device of this service" if not len(rows) else "no message was finished yet"
            return head | {"messages": 0, "reason": reason}
        interval_s = int(traffic.interval_us[rows[0]]) * 1e-6
        total = units.sum(axis=0)
        n, time_s = float(total[MESSAGES]), float(total[MESSAGES]) * interval_s
        rng = np.random.default_rng([self._seed, v])
        samples = _resample(units, replicates, rng)
        drawn = samples[:, MESSAGES]

        down = _ratio_interval(total[DOWN] / n, samples[:, DOWN] / drawn)
        entries = _ratio_interval(total[ENTRIES] / n, samples[:, ENTRIES] / drawn)
        few = min(_effective(units[:, DOWN]), _effective(units[:, ENTRIES])) < _FEW_UNITS
        if few:
            down["high"] = min(1.0, max(down["high"], down["value"] + NO_FAILURE_SEEN / n))
            entries["high"] = max(entries["high"], entries["value"] + NO_FAILURE_SEEN / n)
        errors = _ratio_interval(total[LOSS] / n, samples[:, LOSS] / drawn)
        if not total[LOST]:
            errors["high"] = min(1.0, max(errors["high"], NO_FAILURE_SEEN / n))
        availability = {"value": 1.0 - down["value"], "low": 1.0 - down["high"], "high": 1.0 - down["low"]}
        mtbf = mtbf_figure(interval_s, n, entries["value"], entries["low"], entries["high"])
        targets = (float(traffic.availability_target[v]), float(traffic.mtbf_target_s[v]))
        failing = int(np.count_nonzero(units[:, ENTRIES_COUNTED]))
        head |= {
            "messages": int(n),
            "lost": int(total[LOST]),
            "outages": int(total[ENTRIES_COUNTED]),
            "expected_outages": float(total[ENTRIES]),
            "down_s": float(total[DOWN_COUNTED]) * interval_s,
            "device_hours": time_s / 3600.0,
            "availability": availability,
            "unavailability": down,
            "mtbf_s": mtbf,
            "packet_error_ratio": errors,
            "latency_ms": self._latency_ms(v, replicates, rng),
            "counted": {
                "availability": 1.0 - float(total[DOWN_COUNTED]) / n,
                "packet_error_ratio": float(total[LOST]) / n,
                "mtbf_s": time_s / float(total[ENTRIES_COUNTED]) if total[ENTRIES_COUNTED] else None,
                "failing_units": _clopper_pearson(failing, len(units)),
                "units": len(units),
            },
            "target": {
                "availability": targets[0],
                "availability_met": _met(availability["low"], availability["high"], targets[0]),
                "mtbf_s": targets[1],
                "mtbf_met": _met(mtbf["low"], mtbf["high"], targets[1]),
            },
            "causes": {CAUSES[c]: int(self._tables.causes[v, c]) for c in np.flatnonzero(self._tables.causes[v])},
        }
        by_block = self._tables.units[rows].sum(axis=0)
        head["estimators"] = estimators(
            by_block[:, DOWN], by_block[:, MESSAGES], None if self._margins is None else self._margins.margins[v], interval_s,
            int(traffic.survival[rows[0]]), bool(traffic.video[rows[0]]), self._seed,
        )  # fmt: skip
        reasons = []
        if few:
            reasons.append("few units carry the risk: unfavourable bounds widened by the rule for zero failures")
        if mtbf["value"] is None:
            reasons.append(
                f"mtbf_s null: longer than {1.0 / FEWEST_FAILURES:.0f} times the observed time, of which low is proven"
            )
        if mtbf["high"] is None:
            reasons.append("mtbf_s high null: less risk was met than loss probabilities can tell")
        if head["counted"]["mtbf_s"] is None:
            reasons.append("counted mtbf_s null: no outage was counted")
        if not int(n - total[LOST]):
            reasons.append("latency_ms null: no message arrived")
        return head | {"reason": "; ".join(reasons) or None}

    def _latency_ms(self, v: int, replicates: int, rng: np.random.Generator) -> dict[str, Json | None]:
        counts = self._tables.latency[v]
        blocks = counts[counts.sum(axis=1) > 0].astype(np.float64)
        if not len(blocks):
            return dict.fromkeys(_PERCENTILES)
        samples = _resample(blocks, replicates, rng)
        figures: dict[str, Json | None] = {}
        for name, p in _PERCENTILES.items():
            low, high = np.quantile(_percentile_us(samples, p), _tails())
            value = float(_percentile_us(blocks.sum(axis=0)[None], p)[0])
            figures[name] = {"value": value / 1e3, "low": min(low, value) / 1e3, "high": max(high, value) / 1e3}
        return figures


def _tails() -> list[float]:
    return [0.5 * (1.0 - _CONFIDENCE), 0.5 * (1.0 + _CONFIDENCE)]


def _resample(units: FloatArray, replicates: int, rng: np.random.Generator) -> FloatArray:
    """Return sums over units drawn with replacement, (replicates, k)."""
    n = len(units)
    out = np.empty((replicates, units.shape[1]))
    for start in range(0, replicates, 50):
        size = min(50, replicates - start)
        weights = rng.multinomial(n, np.full(n, 1.0 / n), size=size).astype(np.float64)
        out[start : start + size] = weights @ units
    return out


def _ratio_interval(value: float, samples: FloatArray) -> dict[str, float]:
    low, high = np.quantile(samples, _tails())
    return {"value": float(value), "low": float(min(low, value)), "high": float(max(high, value))}


def _effective(x: FloatArray) -> float:
    """Effective number of units that carry a sum, (sum x)^2 / sum x^2."""
    peak = float(x.max())
    if peak <= 0.0:
        return 0.0
    scaled = x / peak
    return float(scaled.sum() ** 2 / np.square(scaled).sum())


def _met(low: float | None, high: float | None, target: float) -> bool | None:
    if low is not None and low >= target:
        return True
    if high is not None and high < target:
        return False
    return True if low is None else None


def _clopper_pearson(failures: int, n: int) -> dict[str, float]:
    """Share of units with an outage, exact 95 % interval; with no failure the bound is one-sided, 1 - 0.05^(1/n) (about 3/n)."""
    if failures == 0:
        return {"value": 0.0, "low": 0.0, "high": float(1.0 - (1.0 - _CONFIDENCE) ** (1.0 / n))}
    tail = 0.5 * (1.0 - _CONFIDENCE)
    high = 1.0 if failures == n else float(beta.ppf(1.0 - tail, failures + 1, n - failures))
    return {"value": failures / n, "low": float(beta.ppf(tail, failures, n - failures + 1)), "high": high}


def _percentile_us(histograms: FloatArray, p: float) -> FloatArray:
    """Quantile of each row of counts, placed inside its logarithmic bin [us]."""
    cumulative = np.cumsum(histograms, axis=1)
    wanted = p * cumulative[:, -1:]
    index = (cumulative < wanted).sum(axis=1)
    rows = np.arange(len(histograms))
    inside = histograms[rows, index]
    below = cumulative[rows, index] - inside
    fraction = (wanted[:, 0] - below) / np.maximum(inside, 1e-300)
    return np.asarray(LATENCY_LOW_US * np.exp((index + fraction) / BINS_PER_E), dtype=np.float64)
