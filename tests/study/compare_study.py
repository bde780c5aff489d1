"""A study without a twin: run folders whose stops, maps and figures are drawn, so that what a variant does is known."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from factory.recording import Recorder
from factory.run_folder import RunFolder, write_bytes
from factory.stop_ledger import Stop
from factory.stop_record import StopRecorder
from factory.study.study_folder import StudyContent, StudyFolder, StudyVariant

VERSIONS = {"python": "3.11.9", "numpy": "2.4.6", "numba": "0.62.0", "pybullet": "3.2.7", "factory-twin": "0.1.0"}
TEXT = "name: test-hall\nseed: 1\n"
MODES = ("communication", "person_near", "queue", "no_order", "charging", "handover", "paused", "breakdown", "emergency_stop")


def scenario(size_m: Sequence[float] = (30.0, 20.0, 6.0), name: str = "test-hall") -> dict[str, Any]:
    """Return what the maps read of a scenario."""
    return {
        "name": name,
        "hall": {
            "size_m": list(size_m),
            "boxes": [{"name": "rack", "kind": "rack", "center_m": [15, 10, 1], "size_m": [8, 1, 2]}],
        },
        "radio": {"policy": "reactive", "trps": [{"name": "west", "position_m": [2, 10, 5], "azimuth_deg": 0}]},
        "robots": {"routes": {"nodes": [], "edges": []}},
    }


def make_run(
    path: Path, seed: int, factor: float, orders: float = 0.0, minutes: float = 2.0, spec: Mapping[str, Any] | None = None
) -> Path:
    """Write a run in which the radio costs ``factor`` times what it costs with this seed otherwise.

    Parameters
    ----------
    path : folder to make.
    seed : of the run; what happens is drawn from it, lognormal with sigma 1.
    factor : of unavailability, stops' length and losses by a body. orders : that are added.
    minutes : length. spec : scenario.
    """
    rng = np.random.default_rng(seed)
    held = dict(spec or scenario())
    nx, ny = int(held["hall"]["size_m"][0]), int(held["hall"]["size_m"][1])
    folder = RunFolder.create(path, TEXT, held, seed, VERSIONS)
    level = (
        factor * float(np.exp(rng.normal())) * float(np.exp(0.2 * np.random.default_rng([seed, round(1000 * factor)]).normal()))
    )
    end_us = round(minutes * 6e7)
    stops = [
        Stop(10_000_000, 10_000_000 + round(2e6 * level), 0, "communication", "communication", "", "", 3.5, 4.5),
        Stop(40_000_000, 45_000_000, 1, "queue", "communication", "agv-01", "", 12.2, 9.9),
        Stop(50_000_000, 52_000_000, 1, "no_order", "no_order", "", "", 20.0, 2.0),
        Stop(30_000_000, 30_000_000 + round(1e6 * level), 2, "communication", "communication", "", "", 8.0, 8.0),
    ]
    down_s = 0.5 * level
    recorder = Recorder(
        folder, devices=("agv-01",), modes=[MODES], services=("agv-control",), trps=("west",), causes=("body",),
        hall_size_m=held["hall"]["size_m"],
    )  # fmt: skip
    book = StopRecorder(folder.path, ("agv-01", "agv-02", "cobot-1"), 2)
    if level > 0:
        common = {"device": "agv-01", "service": "agv-control", "policy": "reactive", "x_m": 3.5, "y_m": 4.5}
        recorder.add_event(10_000_000, "service_down", **common)  # type: ignore[arg-type]
        recorder.add_event(10_000_000 + round(1e6 * down_s), "service_up", **common)  # type: ignore[arg-type]
    book.close([s for s in stops if s.end_us > s.start_us])
    recorder.close(_kpi(level, stops, down_s, 20.0 + rng.integers(0, 5) + orders, minutes), simulated_s=end_us / 1e6, wall_s=1.0)
    grids = {name: np.zeros((ny, nx)) for name in ("people_s", "device_s", "outage_s")}
    grids["outage_s"][4, 3] = down_s
    grids["people_s"][2:8, 2:8] = 1.0 + rng.random((6, 6))
    buffer = io.BytesIO()
    np.savez_compressed(buffer, cell_m=np.array(1.0), **grids)  # type: ignore[arg-type]
    write_bytes(path / "grids.npz", buffer.getvalue())
    return path


def _kpi(level: float, stops: Sequence[Stop], down_s: float, orders: float, minutes: float) -> dict[str, Any]:
    messages = 100_000
    unavailability = 1e-4 * level
    lost = {"body": round(200 * level), "interference": 20}
    service = {
        "name": "agv-control",
        "messages": messages,
        "device_hours": 2 * minutes / 60,
        "unavailability": {"value": unavailability, "low": 0.5 * unavailability, "high": 2 * unavailability + 3e-5},
        "mtbf_s": {"value": 900.0, "low": 400.0, "high": None},
        "expected_outages": 3 * level,
        "packet_error_ratio": {"value": 2e-3 * level, "low": 1e-3 * level, "high": 4e-3 * level},
        "latency_ms": {"p99": {"value": 0.9, "low": 0.9, "high": 0.91}},
        "down_s": down_s,
    }

    def part(machines: Sequence[int]) -> dict[str, Any]:
        stopped = {m: sum((s.end_us - s.start_us) / 6e7 for s in stops if s.machine in machines and s.cause == m) for m in MODES}
        radio = stopped["communication"]
        return {
            "stopped_min": stopped,
            "stops": {m: sum(s.machine in machines and s.cause == m and s.end_us > s.start_us for s in stops) for m in MODES},
            "downtime_min": sum(stopped.values()),
            "slow_min": {},
            "radio_min": {"standing": radio, "anyway": 0.0, "total": radio},
        }

    ledger = {"hall": part((0, 1, 2)), "classes": {"agvs": part((0, 1)), "cobots": part((2,))}}
    by_cause = {c: {"messages": n, "share": n / sum(lost.values())} for c, n in lost.items() if n}
    figures = {"services": [service], "outages_by_cause": by_cause, "resources": {"beam_switches": 5}}
    return {
        "acting_policy": "reactive",
        "services": [service],
        "outages_by_cause": by_cause,
        "policies": {"reactive": figures},
        "production": {"orders": orders, "orders_per_hour": 60 * orders / minutes, "parts": 7, "ledger": ledger},
    }


def make_study(
    path: Path, factors: Mapping[str, float], seeds: Sequence[int], skip: Sequence[tuple[str, int]] = ()
) -> StudyFolder:
    """Write a study; variant ``name`` costs ``factors[name]`` times what the first one does, and "more" has two more orders."""
    variants = [
        StudyVariant(name, f"- radio: {{costs: {f:g}}}" if k else "", (f"x={f:g}",) if k else ())
        for k, (name, f) in enumerate(factors.items())
    ]
    study = StudyFolder.create(path, StudyContent.of("test", TEXT, variants, seeds, 2.0))
    for name, factor in factors.items():
        for seed in seeds:
            if (name, seed) not in skip:
                make_run(study.point(name, seed), seed, factor, 2.0 if name == "more" else 0.0)
    return study
