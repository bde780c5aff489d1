"""Key figures of parts of a run: of one device, one hour, one zone. Sums per unit come in, figures with intervals go out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from radio.figures.kpi import KpiTables
from radio.figures.kpi_kernels import (
    BINS_PER_E,
    DOWN,
    DOWN_COUNTED,
    ENTRIES_COUNTED,
    LATENCY_LOW_US,
    LOSS,
    LOST,
    MESSAGES,
    SUMS,
)
from radio.messages.reliability import NO_FAILURE_SEEN
from radio.messages.traffic import Traffic
from radio.types import FloatArray, IntArray

_REPLICATES = 200
_TAILS = (0.025, 0.975)
_FEW_UNITS = 10.0
HOUR_US = 3_600_000_000

Json = dict[str, Any]


def loss_figures(units: FloatArray, interval_s: float, rng: np.random.Generator) -> Json:
    """Give the figures of a service over some units (a stream or a zone times a block of time).

    Parameters
    ----------
    units : (n, SUMS) sums as of ``kpi_kernels``, each with at least one message. interval_s : transfer interval [s].
    rng : draws the bootstrap.

    Returns
    -------
    ``messages``, ``lost``, ``outages``, ``down_s`` as counted; ``packet_error_ratio`` by the loss probabilities, and
    ``unavailability`` by products of them under the survival-time rule (TS 22.104): ``value``, ``low``, ``high``, 95 % by
    resampling units. Where fewer than 10 units carry the risk, ``high`` is widened to what no failure at all would prove.
    """
    total = units.sum(axis=0)
    n = float(total[MESSAGES])
    drawn = (
        rng.multinomial(len(units), np.full(len(units), 1.0 / len(units)), size=_REPLICATES) @ units[:, [MESSAGES, LOSS, DOWN]]
    )

    def figure(row: int, column: int) -> Json:
        value = float(total[row] / n)
        low, high = np.quantile(drawn[:, column] / drawn[:, 0], _TAILS)
        low, high = min(float(low), value), max(float(high), value)
        square = float(np.square(units[:, row]).sum())
        if square == 0.0 or float(total[row]) ** 2 / square < _FEW_UNITS:
            high = min(1.0, max(high, value + NO_FAILURE_SEEN / n))
        return {"value": value, "low": low, "high": high}

    return {
        "messages": int(n),
        "lost": int(total[LOST]),
        "outages": int(total[ENTRIES_COUNTED]),
        "down_s": float(total[DOWN_COUNTED]) * interval_s,
        "packet_error_ratio": figure(LOSS, 1),
        "unavailability": figure(DOWN, 2),
    }


def by_device(traffic: Traffic, tables: KpiTables, seed: int) -> dict[int, dict[str, Json]]:
    """Give the figures of every service of every device that had messages: UE, then service."""
    out: dict[int, dict[str, Json]] = {}
    for s in np.flatnonzero(traffic.sent.copy == 0).tolist():  # copies are figures of a service, not of the device
        units = tables.units[s]
        units = units[units[:, MESSAGES] > 0]
        if len(units):
            name = traffic.service_name[traffic.service[s]]
            rng = np.random.default_rng([seed, s])
            out.setdefault(int(traffic.ue[s]), {})[name] = loss_figures(units, float(traffic.interval_us[s]) * 1e-6, rng)
    return out


def by_hour(traffic: Traffic, tables: KpiTables, seed: int) -> list[dict[str, Json]]:
    """Give the figures of every service in every hour of the run, the first hour first.

    A block belongs to the hour that its middle lies in; blocks are 10 s long at first, and a minute or two in runs of days.
    """
    block_us = int(tables.block_us[0])
    hour = (np.arange(tables.units.shape[1]) * block_us + block_us // 2) // HOUR_US
    used = tables.units[:, :, MESSAGES].sum(axis=0) > 0
    out: list[dict[str, Json]] = []
    for h in range(int(hour[used].max()) + 1 if used.any() else 0):
        services: dict[str, Json] = {}
        for v, name in enumerate(traffic.service_name):
            rows = traffic.service == v
            units = tables.units[rows][:, hour == h].reshape(-1, SUMS)
            units = units[units[:, MESSAGES] > 0]
            if len(units):
                interval_s = float(traffic.interval_us[rows][0]) * 1e-6
                services[name] = loss_figures(units, interval_s, np.random.default_rng([seed, h, v]))
        out.append(services)
    return out


def latency_quantile_us(traffic: Traffic, tables: KpiTables, streams: IntArray, share: float) -> int:
    """Give the latency that a share of the messages that arrived did not exceed, of the slowest service of some streams [us].

    It is the upper edge of the histogram's bin, 3 % wide; a service of which nothing has arrived yet has its allowed latency.
    """
    slowest_us = 0.0
    for v in np.unique(traffic.service[streams]):
        counts = tables.latency[v].sum(axis=0)
        arrived = int(counts.sum())
        if arrived:
            last = int(np.searchsorted(np.cumsum(counts), share * arrived))
            latency_us = LATENCY_LOW_US * float(np.exp((last + 1) / BINS_PER_E))
        else:
            latency_us = float(traffic.deadline_us[streams[traffic.service[streams] == v]].max())
        slowest_us = max(slowest_us, latency_us)
    return math.ceil(slowest_us)
