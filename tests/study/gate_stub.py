"""A stand-in for the twin: figures of a seed as kpi.json has them, drawn in microseconds, worse by a factor that is known."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from factory.study.gate_run import SeedTask


def stub_kpi(seed: int, worse: float = 1.0) -> dict[str, Any]:
    """Return figures of one service, stops and orders; unavailability and stops are ``worse`` times as large."""
    rng = np.random.default_rng(seed)
    bad = float(np.exp(0.5 * rng.standard_normal()))
    down = 1e-4 * worse * bad
    stops = int(rng.poisson(2.0 * worse * bad))
    service = {
        "name": "control",
        "messages": 1000,
        "unavailability": {"value": down},
        "device_hours": 0.1,
        "expected_outages": 500.0 * down,
        "latency_ms": {"p99": 1.0},
    }
    ledger = {
        "hall": {
            "stops": {"communication": stops, "person_near": 1},
            "stopped_min": {"communication": 0.05 * stops, "person_near": 0.1},
            "downtime_min": 0.05 * stops + 0.1,
            "radio_min": {"total": 0.06 * stops},
        }
    }
    return {
        "acting_policy": "reactive",
        "policies": {
            "reactive": {
                "services": [service],
                "outages_by_cause": {"body": {"messages": round(20 * worse * bad)}, "interference": {"messages": 3}},
            }
        },
        "outages_by_cause": {"body": {"messages": round(20 * worse * bad)}, "interference": {"messages": 3}},
        "production": {"orders": int(rng.poisson(20)), "parts": 12, "ledger": ledger},
    }


def unchanged(task: SeedTask) -> dict[str, Any]:
    """Run a seed of code that has not changed."""
    return stub_kpi(task.seed)


def four_times_worse(task: SeedTask) -> dict[str, Any]:
    """Run a seed of code that costs nines."""
    return stub_kpi(task.seed, 4.0)


def other_draws(task: SeedTask) -> dict[str, Any]:
    """Run a seed of code that is as good and draws otherwise."""
    return stub_kpi(task.seed + 1_000_000)


def silent(task: SeedTask) -> dict[str, Any]:
    """Run a seed of code whose service sends nothing any more."""
    kpi = stub_kpi(task.seed)
    service = kpi["policies"]["reactive"]["services"][0]
    kpi["policies"]["reactive"]["services"] = [{"name": service["name"], "messages": 0, "reason": "no message was sent"}]
    return kpi


def refused(task: SeedTask) -> dict[str, Any]:
    """Run a seed of a scenario that a room refuses."""
    assert re.search("name: ci", task.text)
    return {"error": f"{task.source}:1:1: people: no way from here to there"}
