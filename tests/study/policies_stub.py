"""Stand-ins for the twin in tests of the study of policies, in a module of their own, which workers can import."""

from __future__ import annotations

import json
from pathlib import Path

from factory.study.worker import PointTask

INTERVAL_S = 0.01
MESSAGES = 1000.0
DEVICES = 4


def service(name: str, down: list[float], symbols: int = 1000, needed: int = 1000, bins: tuple[int, ...] = (100,)) -> dict:
    """Return sums of the devices of a service: ``down`` of each, as many expected outages; latency in some bins."""
    return {
        "name": name,
        "messages": [MESSAGES] * len(down),
        "loss": down,
        "lost": [0.0] * len(down),
        "down": down,
        "entries": down,
        "down_counted": [0.0] * len(down),
        "outages": [0.0] * len(down),
        "latency": [list(bins), [10] * len(bins)],
        "symbols": symbols,
        "needed_symbols": needed,
    }


def point(services: dict[str, list[dict]], acting: str = "reactive", copies: int = 1) -> dict:
    """Return a point of policies, each with its services; the first is control, others are video."""
    first = next(iter(services.values()))
    about = [
        {
            "name": s["name"],
            "profile": "mobile-robot",
            "video": k > 0,
            "interval_s": INTERVAL_S,
            "availability_target": 0.999999,
            "mtbf_target_s": 1e6,
            "restart_s": 2.0 if k == 0 else None,
            "copies": copies if k == 0 else 1,
        }
        for k, s in enumerate(first)
    ]
    policies = {
        name: {
            "services": [{k: v for k, v in s.items() if k != "name"} for s in of],
            "beam_switches": 2,
            "trp_switches": 1,
            "second_leg_share": 0.0,
            "energy": 100.0,
        }
        for name, of in services.items()
    }
    return {
        "format": 1,
        "simulated_s": 10.0,
        "acting": acting,
        "devices": DEVICES,
        "services": about,
        "policies": policies,
        "stops": 1,
        "radio_min": 0.1,
        "orders": 3,
        "parts": 2,
        "margin_db": 6.0,
    }


RISK = {"static": 1e-2, "reactive": 1e-3, "duplicate": 1e-7, "human_aware": 1e-7, "oracle": 1e-7}
CARRIES = {"human_aware": 3, "duplicate": 1}
"""Devices behind each antenna from which on a policy misses its targets; 1 is none."""


def synthetic(task: PointTask, path: Path) -> None:
    """Give unavailability by policy, margin and seed; more devices than a policy carries spoil it."""
    said = dict(o.split("=", 1) for o in task.overrides)
    policies = json.loads(said["radio.compare"])
    margin = float(said.get("radio.link_adaptation.margin_db", 6.0))
    copies = int(said.get("radio.services[0].copies", 1))
    services = {}
    for name in policies:
        risk = RISK.get(name, 1e-7) * (1.0 + 0.1 * (task.seed % 5))
        if name == "reactive":
            risk *= 10.0 ** (-margin / 15.0) if margin <= 15.0 else 1e3
        if copies > 1 or name in CARRIES:
            risk = 1e-8 if copies <= CARRIES.get(name, 0) else risk
        twice = 2 if name == "duplicate" else 1
        services[name] = [
            service("cobot-control", [risk * MESSAGES] * DEVICES * copies, 1000 * twice, 1000),
            service("agv-video", [0.0, 0.0], 5000, 5000),
        ]
    log = Path(task.target).parents[4] / "begun.txt"
    with log.open("a") as file:
        file.write(f"{Path(task.target).parents[3].name} {task.variant} {task.seed}\n")
    path.mkdir(parents=True)
    (path / "kpi.json").write_text(json.dumps(point(services, said["radio.policy"], copies)))
