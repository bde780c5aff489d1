"""The production ledger: what was finished, how often and why machines stood, what that cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from robots import cobot_kernels as kernel
from robots.routes import FloatArray, IntArray
from robots.state import (
    BREAKDOWN,
    CHARGING,
    COMMUNICATION,
    EMERGENCY_STOP,
    HANDOVER,
    MODES,
    NO_ORDER,
    PAUSED,
    PERSON_NEAR,
    QUEUE,
)

STOP_CAUSES = (COMMUNICATION, PERSON_NEAR, QUEUE, BREAKDOWN)
LOST = (COMMUNICATION, PERSON_NEAR, QUEUE, NO_ORDER, CHARGING, PAUSED, BREAKDOWN)
COBOT_STOPS = (COMMUNICATION, PERSON_NEAR, BREAKDOWN, EMERGENCY_STOP)


def _by_cause(counts: FloatArray | IntArray, causes: Sequence[int]) -> dict[str, Any]:
    """Give the counts (len(MODES),) of some causes by name."""
    return {MODES[c]: counts[c].item() for c in causes}


def fleet_production(
    time_us: int,
    finished: IntArray,
    order_us: IntArray,
    distance_m: FloatArray,
    mode_us: IntArray,
    stops: IntArray,
) -> dict[str, Any]:
    """Give the AGVs' ledger.

    Parameters
    ----------
    time_us : time so far [us].
    finished : (n,) finished transports per AGV. order_us : (n,) time that they took, all together [us].
    distance_m : (n,) driven [m].
    mode_us : (n, len(MODES)) time in each mode [us]. stops : (n, len(MODES)) how often each mode was entered.

    Returns
    -------
    ``orders_finished``, ``orders_per_hour``, ``order_time_s`` (mean, None without orders), ``distance_m``; ``stops`` by cause;
    ``minutes`` by mode, of which all but driving and working are ``minutes_lost``; ``machines``: the same per AGV.
    """
    minutes = mode_us / 6e7
    orders = int(finished.sum())
    return {
        "orders_finished": orders,
        "orders_per_hour": orders * 3.6e9 / time_us if time_us else 0.0,
        "order_time_s": int(order_us.sum()) / 1e6 / orders if orders else None,
        "distance_m": float(distance_m.sum()),
        "stops": _by_cause(stops.sum(0), STOP_CAUSES),
        "minutes": _by_cause(minutes.sum(0), range(len(MODES))),
        "minutes_lost": _by_cause(minutes.sum(0), LOST),
        "machines": {
            f"agv-{i + 1:02d}": {
                "orders_finished": int(finished[i]),
                "distance_m": float(distance_m[i]),
                "stops": _by_cause(stops[i], STOP_CAUSES),
                "minutes_lost": _by_cause(minutes[i], LOST),
            }
            for i in range(len(finished))
        },
    }


def cobot_production(
    time_us: int, names: Sequence[str], real: FloatArray, whole: IntArray, lost_s: FloatArray, stops: IntArray
) -> dict[str, Any]:
    """Give the cobots' ledger.

    Parameters
    ----------
    time_us : time so far [us]. names : cobots' names. real, whole : tables of ``robots.cobot_kernels``.
    lost_s : (m, len(MODES)) time lost by cause, slow time by its share [s]. stops : (m, len(MODES)).

    Returns
    -------
    ``parts`` and ``parts_per_hour`` of all; ``handovers``; ``stops`` and ``minutes_lost`` by cause; ``separation``: what ISO/TS
    15066 asks for, see :func:`separation_log`; ``machines``: the same per cobot.
    """
    causes = COBOT_STOPS
    losses = (*causes, HANDOVER)
    parts, handovers = whole[kernel.PARTS], whole[kernel.HANDOVERS]
    every = range(len(names))
    return {
        "parts": int(parts.sum()),
        "parts_per_hour": float(parts.sum()) * 3.6e9 / time_us if time_us else 0.0,
        "handovers": int(handovers.sum()),
        "stops": _by_cause(stops.sum(0), causes),
        "minutes_lost": _by_cause(lost_s.sum(0) / 60, losses),
        "separation": separation_log(real, whole, stops, every),
        "machines": {
            name: {
                "parts": int(parts[i]),
                "handovers": int(handovers[i]),
                "stops": _by_cause(stops[i], causes),
                "minutes_lost": _by_cause(lost_s[i] / 60, losses),
                "separation": separation_log(real, whole, stops, (i,)),
            }
            for i, name in enumerate(names)
        },
    }


def separation_log(real: FloatArray, whole: IntArray, stops: IntArray, which: Sequence[int]) -> dict[str, Any]:
    """Give what the separation monitoring saw of some cobots.

    Returns
    -------
    ``least_m``: the nearest that anybody came; ``least_margin_m``: the least by which the separation was above the one that
    the arm's speed required, while it moved (below 0: not kept); both None where nobody came. ``not_kept``: how often that
    was, ``deepest_m``: by how much at most. ``slowed``: how often a person slowed the arm, ``slowed_min``: for how long
    [min]; ``stopped``: how often it stood for one.
    """
    index = list(which)

    def least(row: int) -> float | None:
        value = float(np.min(real[row, index], initial=np.inf))
        return value if np.isfinite(value) else None

    return {
        "least_m": least(kernel.LEAST_M),
        "least_margin_m": least(kernel.LEAST_MARGIN_M),
        "not_kept": int(whole[kernel.INTRUSIONS, index].sum()),
        "deepest_m": float(np.max(real[kernel.WORST_M, index], initial=0.0)),
        "slowed": int(whole[kernel.SLOWDOWNS, index].sum()),
        "slowed_min": float(real[kernel.SLOWED_S, index].sum() / 60),
        "stopped": int(stops[index, PERSON_NEAR].sum()),
    }
