"""The production ledger: what was finished, how often and why machines stood, what that cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from robots.routes import FloatArray, IntArray
from robots.state import CHARGING, COMMUNICATION, MODES, NO_ORDER, PERSON_NEAR, QUEUE, FinishedOrder

STOP_CAUSES = (COMMUNICATION, PERSON_NEAR, QUEUE)
LOST = (COMMUNICATION, PERSON_NEAR, QUEUE, NO_ORDER, CHARGING)


def _by_cause(counts: FloatArray | IntArray, causes: Sequence[int]) -> dict[str, Any]:
    """Give the counts (len(MODES),) of some causes by name."""
    return {MODES[c]: counts[c].item() for c in causes}


def fleet_production(
    time_us: int,
    orders: Sequence[FinishedOrder],
    finished: IntArray,
    distance_m: FloatArray,
    mode_us: IntArray,
    stops: IntArray,
) -> dict[str, Any]:
    """Give the AGVs' ledger.

    Parameters
    ----------
    time_us : time so far [us].
    orders : finished transports. finished : (n,) their number per AGV. distance_m : (n,) driven [m].
    mode_us : (n, len(MODES)) time in each mode [us]. stops : (n, len(MODES)) how often each mode was entered.

    Returns
    -------
    ``orders_finished``, ``orders_per_hour``, ``order_time_s`` (mean, None without orders), ``distance_m``; ``stops`` by cause;
    ``minutes`` by mode, of which all but driving and working are ``minutes_lost``; ``machines``: the same per AGV.
    """
    minutes = mode_us / 6e7
    times_s = [(o.finished_us - o.taken_us) / 1e6 for o in orders]
    return {
        "orders_finished": len(orders),
        "orders_per_hour": len(orders) * 3.6e9 / time_us if time_us else 0.0,
        "order_time_s": float(np.mean(times_s)) if times_s else None,
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


def cobot_production(time_us: int, names: Sequence[str], parts: IntArray, lost_s: FloatArray, stops: IntArray) -> dict[str, Any]:
    """Give the cobots' ledger.

    Parameters
    ----------
    time_us : time so far [us]. names : cobots' names. parts : (m,) finished cycles.
    lost_s : (m, len(MODES)) time lost by cause, slow time by its share [s]. stops : (m, len(MODES)).

    Returns
    -------
    ``parts`` and ``parts_per_hour`` of all; ``stops`` and ``minutes_lost`` by cause; ``machines``: the same per cobot.
    """
    causes = (COMMUNICATION, PERSON_NEAR)
    return {
        "parts": int(parts.sum()),
        "parts_per_hour": float(parts.sum()) * 3.6e9 / time_us if time_us else 0.0,
        "stops": _by_cause(stops.sum(0), causes),
        "minutes_lost": _by_cause(lost_s.sum(0) / 60, causes),
        "machines": {
            name: {
                "parts": int(parts[i]),
                "stops": _by_cause(stops[i], causes),
                "minutes_lost": _by_cause(lost_s[i] / 60, causes),
            }
            for i, name in enumerate(names)
        },
    }
