"""A plausible run made without the other rooms: people walk, links dip, three policies lose different messages."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from factory.recording import Recorder, RecordingConfig, RunFolder

CAUSES = ("", "body", "interference", "recovery", "no_resources", "adaptation", "static_shadow", "decoding", "late")
SERVICES = ("agv-control", "cobot-control", "panel-estop", "agv-video")
PERSON_PARTS = ("trunk", "left upper arm", "right upper arm", "left forearm", "right forearm")
POLICIES = {"static": 3.0, "reactive": 1.0, "human_aware": 0.12}
VERSIONS = {"python": "3.11.9", "numpy": "2.4.6", "numba": "0.62.0", "pybullet": "3.2.7", "factory-twin": "0.1.0"}

SCENARIO_TEXT = """\
name: assembly-hall
seed: 1
duration_s: 600
hall:
  size_m: [60, 40, 8]
  wall_material: concrete
  boxes:
    - {name: rack-a1, kind: rack, center_m: [18, 33], size_m: [24, 1.2, 5], yaw_deg: 0, material: metal}
    - {name: rack-a2, kind: rack, center_m: [18, 29], size_m: [24, 1.2, 5], yaw_deg: 0, material: metal}
    - {name: rack-a3, kind: rack, center_m: [18, 25], size_m: [24, 1.2, 5], yaw_deg: 0, material: metal}
    - {name: cell-1, kind: cell, center_m: [44, 30], size_m: [5, 4, 2.4], yaw_deg: 0, material: metal}
    - {name: cell-2, kind: cell, center_m: [53, 30], size_m: [5, 4, 2.4], yaw_deg: 0, material: metal}
    - {name: cell-3, kind: cell, center_m: [44, 10], size_m: [5, 4, 2.4], yaw_deg: 0, material: metal}
    - {name: cell-4, kind: cell, center_m: [53, 10], size_m: [5, 4, 2.4], yaw_deg: 20, material: metal}
    - {name: store, kind: rack, center_m: [10, 6], size_m: [12, 4, 4], yaw_deg: 0, material: metal}
radio:
  trps:
    - {name: ceiling-north, position_m: [48, 32, 7.5], azimuth_deg: -90, downtilt_deg: 40}
    - {name: ceiling-south, position_m: [48, 8, 7.5], azimuth_deg: 90, downtilt_deg: 40}
    - {name: aisle-west, position_m: [1, 31, 3], azimuth_deg: 0, downtilt_deg: 5}
    - {name: aisle-east, position_m: [33, 27, 3], azimuth_deg: 180, downtilt_deg: 5}
  policy: reactive
robots:
  routes:
    nodes:
      - {id: n1, position_m: [4, 31]}
      - {id: n2, position_m: [32, 31]}
      - {id: n3, position_m: [38, 20]}
      - {id: n4, position_m: [48, 20]}
      - {id: n5, position_m: [20, 16]}
      - {id: n6, position_m: [4, 16]}
      - {id: n7, position_m: [56, 20]}
      - {id: n8, position_m: [4, 27]}
      - {id: n9, position_m: [32, 27]}
    edges:
      - {start: n1, end: n2}
      - {start: n2, end: n3}
      - {start: n3, end: n4}
      - {start: n4, end: n7}
      - {start: n3, end: n5}
      - {start: n5, end: n6}
      - {start: n6, end: n8}
      - {start: n8, end: n9}
      - {start: n9, end: n3}
      - {start: n8, end: n1}
"""


def scenario() -> dict[str, Any]:
    """Return the scenario as JSON values."""
    return dict(YAML(typ="safe").load(io.StringIO(SCENARIO_TEXT)))


def interval(value: float | None, spread: float = 0.3) -> dict[str, float | None]:
    """Return a figure with a 95 % interval, as the KPI room writes them."""
    if value is None:
        return {"value": None, "low": None, "high": None}
    return {"value": value, "low": value / (1 + spread), "high": value * (1 + spread)}


def share_interval(unavailability: float) -> dict[str, float]:
    """Return an availability with its interval."""
    return {"value": 1 - unavailability, "low": 1 - 2.2 * unavailability, "high": 1 - 0.4 * unavailability}


def make_services(scale: float, lost: dict[str, int], duration_s: float) -> list[dict[str, Any]]:
    """Return the figures of every service; ``scale`` 0 is a policy that lost nothing."""
    base = {
        "agv-control": ("mobile-robot", 2e-4, 12, 0.05, 0.999999, 3.15e7),
        "cobot-control": ("control-to-control", 1e-7, 4, 0.01, 0.999999, 3.15e8),
        "panel-estop": ("mobile-panel-estop", 6e-5, 3, 0.008, 0.99999999, 86400.0),
        "agv-video": ("video", 4e-3, 6, 0.033, None, None),
    }
    out = []
    for name, (profile, bad, devices, step_s, target, mtbf_target) in base.items():
        bad = bad * scale
        messages = int(devices * duration_s / step_s)
        n_lost = lost.get(name, 0)
        outages = min(n_lost, max(1, n_lost // 9)) if n_lost else 0
        mtbf = interval(duration_s * devices / outages) if outages else interval(None)
        if not outages:
            mtbf = {"value": None, "low": duration_s * devices / 3.0, "high": None, "reason": "no failure in the run"}  # type: ignore[dict-item]
        out.append(
            {
                "name": name,
                "profile": profile,
                "availability": share_interval(bad) if bad else {"value": 1.0, "low": 1 - 3 / messages, "high": 1.0},
                "mtbf_s": mtbf,
                "packet_error_ratio": {
                    "value": n_lost / messages,
                    "low": 0.6 * n_lost / messages,
                    "high": (1.6 * n_lost + 3) / messages,
                },
                "latency_ms": {q: interval(v, 0.05) for q, v in (("p50", 0.9), ("p95", 1.6), ("p99", 2.4), ("p999", 6.8))},
                "targets": {"availability": target, "mtbf_s": mtbf_target},
                "met": None if target is None else bool(bad < 1 - target) if name != "panel-estop" or bad else None,
                "messages": messages,
                "lost": n_lost,
                "outages": outages,
                "down_s": bad * duration_s * devices,
            }
        )
    return out


def make_run(
    path: Path, duration_s: float = 120.0, lossless: bool = False, people_tracks: bool = False, scene: bool = True
) -> Path:
    """Write a run folder and return it."""
    rng = np.random.default_rng(7)
    spec = scenario()
    trps = spec["radio"]["trps"]
    trp_m = np.array([t["position_m"] for t in trps])
    nodes = np.array([n["position_m"] for n in spec["robots"]["routes"]["nodes"]], dtype=float)
    loop = nodes[[0, 1, 2, 3, 6, 3, 2, 4, 5, 7, 8, 2, 4, 5, 7, 0]]
    legs = np.hypot(*np.diff(loop, axis=0).T)
    reach = np.concatenate([[0.0], np.cumsum(legs)])
    agvs, cobots, panels = 12, 4, 3
    devices = tuple(f"agv-{i + 1:02d}" for i in range(agvs)) + tuple(f"cobot-{i + 1}" for i in range(cobots))
    devices += tuple(f"panel-{i + 1}" for i in range(panels))
    n = len(devices)
    k = 16
    names = tuple(f"person-{v:04x}" for v in rng.choice(65536, k, replace=False))
    roles = tuple(np.array(["picker", "assembler", "maintenance"])[rng.integers(0, 3, k)])
    seats = np.array([[44, 27.3], [53, 27.3], [44, 12.7], [53, 12.7]])
    goal = rng.uniform([2, 2], [58, 38], (k, 2))
    person = rng.uniform([2, 2], [58, 38], (k, 2))
    folder = RunFolder.create(path, SCENARIO_TEXT, spec, 1, VERSIONS)
    lost_counts: dict[str, dict[str, int]] = {p: {} for p in POLICIES}
    cause_counts: dict[str, dict[str, int]] = {p: {} for p in POLICIES}
    bad_since = np.zeros(n, dtype=int)
    down = np.zeros((n,), dtype=bool)
    recorder = Recorder(
        folder,
        devices=devices,
        modes=(("driving", "loading", "protective_stop"),) * agvs + (("cycle", "slow", "stop"),) * cobots + (("held",),) * panels,
        services=SERVICES,
        trps=tuple(t["name"] for t in trps),
        causes=CAUSES,
        hall_size_m=spec["hall"]["size_m"],
        config=RecordingConfig(people_tracks=people_tracks),
    )
    recorder.set_blockers(names + devices[:agvs], (PERSON_PARTS,) * k + (("body", "load"),) * agvs, roles + ("agv",) * agvs)
    recorder.set_people(names)
    trp = np.full(n, -1)
    for tick in range(int(duration_s * 10)):
        time_us = tick * 100_000
        t = tick / 10
        way = goal - person
        far = np.hypot(*way.T)
        person = person + way / np.maximum(far, 1e-9)[:, None] * np.minimum(0.12, far)[:, None]
        fresh = far < 0.5
        if fresh.any():
            busy = loop[rng.integers(0, len(loop), int(fresh.sum()))] + rng.normal(0, 1.5, (int(fresh.sum()), 2))
            goal[fresh] = np.clip(busy, 1, [59, 39])
        along = (np.arange(agvs) * reach[-1] / agvs + 1.2 * t) % reach[-1]
        xy = np.stack([np.interp(along, reach, loop[:, j]) for j in (0, 1)], axis=1)
        xy = np.concatenate([xy, seats, person[:panels] + 0.3])
        position = np.column_stack([xy, np.array([1.2] * agvs + [1.5] * cobots + [1.1] * panels)])
        distance = np.linalg.norm(position[:, None] - trp_m, axis=2)
        best = np.argmin(distance + 2.0 * (trp_m[:, 2] < 5), axis=1)
        clear = 46 - 20 * np.log10(distance[np.arange(n), best]) - 12 * (np.sin(position[:, 0] / 3) > 0.93)
        start, ray = trp_m[best, :2], position[:, :2] - trp_m[best, :2]
        s = np.einsum("ukj,uj->uk", person[None] - start[:, None], ray) / np.maximum((ray**2).sum(1), 1e-9)[:, None]
        miss = np.hypot(*np.moveaxis(person[None] - (start[:, None] + s[..., None] * ray[:, None]), 2, 0))
        height = trp_m[best, 2][:, None] + s * (position[:, 2] - trp_m[best, 2])[:, None]
        hit = (s > 0.02) & (s < 0.98) & (height < 1.8)
        hit[agvs + cobots + np.arange(panels), np.arange(panels)] = False
        each = np.where(hit, 19 * np.exp(-((miss / 0.35) ** 2)), 0.0)
        body = each.sum(1)
        who = np.where(each.max(1) > 0.5, each.argmax(1), -1)
        sinr = clear - body + rng.normal(0, 0.6, n)
        margin = sinr - 8.0
        risk = 1 / (1 + np.exp(np.clip(2.0 * margin, -60, 60)))
        mode = np.where(down & (np.arange(n) < agvs), 2, 0)
        if not lossless:
            for policy, factor in POLICIES.items():
                chance = np.minimum(1.0, factor * risk)
                hits = np.flatnonzero(rng.random(n) < chance)
                if policy == "human_aware":
                    hits = hits[body[hits] < 14]
                copies = np.repeat(hits, 3)
                if len(copies):
                    service = np.where(copies < agvs, np.where((copies < 6) & (rng.random(len(copies)) < 0.6), 3, 0), -1)
                    service = np.where(copies >= agvs, 1, service)
                    service = np.where(copies >= agvs + cobots, 2, service)
                    cause = np.where(body[copies] > 6, 1, rng.choice([2, 3, 4, 5, 7], len(copies)))
                    recorder.add_losses(
                        policy,
                        time_us=time_us + np.tile([10_000, 43_000, 76_000], len(hits)),
                        device=copies,
                        service=service,
                        cause=cause,
                        blocker=np.where(cause == 1, who[copies], -1),
                        part=np.where(cause == 1, 0, -1),
                        trp=best[copies],
                        beam=27 + copies,
                        x_m=position[copies, 0],
                        y_m=position[copies, 1],
                        sinr_db=sinr[copies],
                        loss_probability=chance[copies],
                    )
                    for j, c in zip(service, cause, strict=True):
                        lost_counts[policy][SERVICES[j]] = lost_counts[policy].get(SERVICES[j], 0) + 1
                        cause_counts[policy][CAUSES[c]] = cause_counts[policy].get(CAUSES[c], 0) + 1
                if policy == "reactive":
                    bad = np.isin(np.arange(n), hits)
                    bad_since = np.where(bad, bad_since + 1, 0)
                    for d in np.flatnonzero((bad_since >= 2) & ~down):
                        service = "agv-control" if d < agvs else "cobot-control" if d < agvs + cobots else "panel-estop"
                        recorder.add_event(time_us + 90_000, "service_down", devices[d], service, policy, "body")
                        if d < agvs:
                            recorder.add_event(time_us + 95_000, "protective_stop", devices[d], detail="watchdog")
                    for d in np.flatnonzero(down & (bad_since == 0)):
                        service = "agv-control" if d < agvs else "cobot-control" if d < agvs + cobots else "panel-estop"
                        recorder.add_event(time_us, "service_up", devices[d], service, policy)
                    down = bad_since >= 2
        for d in np.flatnonzero((trp >= 0) & (trp != best)):
            recorder.add_event(time_us, "beam_switch", devices[d], policy="reactive", trp=trps[best[d]]["name"], beam=27 + int(d))
        trp = best
        recorder.add_ticks(
            time_us,
            position_m=position,
            speed_mps=np.where(np.arange(n) < agvs, 1.2, 0.0),
            mode=mode,
            trp=best,
            beam=27 + np.arange(n),
            second_trp=np.full(n, -1),
            sinr_dl_db=sinr,
            sinr_ul_db=sinr + 2.5,
            margin_db=margin,
            body_loss_db=body,
            blocker=who,
            blocker_part=np.where(who >= 0, 0, -1),
            loss_probability=risk,
            down_s=down * 0.1,
        )
        recorder.add_people(time_us, person, np.ones(k, dtype=bool))
        if tick % 400 == 399:
            recorder.add_event(
                time_us, "order_finished", devices[tick % agvs], x_m=xy[0, 0], y_m=xy[0, 1], detail=f"order-{tick}"
            )
    if scene:
        y, x = np.mgrid[0:480, 0:800]
        picture = np.stack([190 - y // 6 + 0 * x, 200 - y // 7 + 0 * x, 205 - x // 12], axis=2)
        for b in range(12):
            picture[120 + 20 * (b % 5) : 200 + 20 * (b % 5), 40 + 60 * b : 80 + 60 * b] = [210 - 10 * b, 120 + 8 * b, 60]
        folder.write_scene(picture.astype(np.uint8))
    policies = {
        policy: {
            "services": make_services(0.0 if lossless else factor, lost_counts[policy], duration_s),
            "resources": {
                "downlink_share": [0.21 + 0.02 * factor, 0.2, 0.05, 0.31],
                "uplink_share": 0.34 + 0.01 * factor,
                "beam_switches": 0 if policy == "static" else 118 + int(40 / factor),
            },
            "outages_by_cause": _by_cause(cause_counts[policy]),
        }
        for policy, factor in POLICIES.items()
    }
    recorder.close(
        {
            "services": policies["reactive"]["services"],
            "policies": policies,
            "acting_policy": "reactive",
            "outages_by_cause": policies["reactive"]["outages_by_cause"],
            "blockers": [],
            "production": {"orders": 4, "orders_per_hour": 240.0, "stops": 0, "minutes_lost": {}, "parts": 38}
            if lossless
            else {
                "agvs": {
                    "orders": 3,
                    "orders_per_hour": 90.0,
                    "stops": {"communication": 7, "person_near": 12},
                    "minutes_lost": {"communication": 0.42, "person_near": 0.31, "queue": 1.2},
                },
                "cobots": {"parts": 38, "stops": {"communication": 0, "person_near": 4}, "minutes_lost": {"person_near": 0.25}},
            },
        },
        simulated_s=duration_s,
        wall_s=duration_s / 8.4,
    )
    return path


def _by_cause(counts: dict[str, int]) -> dict[str, dict[str, float]]:
    total = sum(counts.values())
    return {cause: {"messages": n, "share": n / total} for cause, n in counts.items()}
