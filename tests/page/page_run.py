"""Run folders for the page, written by the recorder itself but without a twin: AGVs in circles, one outage that is known."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from factory.recording import Recorder, RecordingConfig
from factory.run_folder import RunFolder

DEVICES = ("agv-01", "agv-02", "agv-03", "cobot-1", "panel-1")
MODES = ("driving", "working")
PERSON, PERSON_M = "person-3f2a", (12.34, 33.21)
PANEL_M = (7.77, 8.88)
DOWN_US, UP_US, END_US = 3_010_000, 3_900_000, 12_000_000
SERVICE = "agv-control"

SCENARIO: dict[str, Any] = {
    "name": "fake-run",
    "hall": {
        "size_m": [60.0, 40.0, 8.0],
        "boxes": [
            {"name": "rack-a", "kind": "rack", "center_m": [44.0, 12.0], "size_m": [24.0, 1.2, 5.0], "yaw_deg": 0.0},
            {"name": "cell-1", "kind": "machine", "center_m": [9.0, 5.3], "size_m": [3.6, 2.0, 2.4], "yaw_deg": 20.0},
        ],
        "zones": [
            {"name": "west lanes", "x_m": [0.0, 30.0], "y_m": [20.0, 40.0]},
            {"name": "cells south", "x_m": [0.0, 30.0], "y_m": [0.0, 20.0]},
        ],
    },
    "robots": {
        "agvs": {"length_m": 1.2, "width_m": 0.8, "body_height_m": 0.35},
        "cobots": [{"name": "cobot-1", "position_m": [12.0, 8.5, 0.8], "yaw_deg": 90.0}],
    },
    "radio": {
        "enabled": True,
        "policy": "reactive",
        "services": [{"name": SERVICE, "profile": "mobile-robot", "devices": "agv"}],
        "trps": [
            {"name": "south", "position_m": [30.0, 2.0, 6.0], "azimuth_deg": 90.0, "downtilt_deg": 20.0,
             "panel": {"rows": 8, "columns": 8}},
            {"name": "north", "position_m": [30.0, 38.0, 6.0], "azimuth_deg": -90.0, "downtilt_deg": 20.0,
             "panel": {"rows": 8, "columns": 8}},
        ],
    },
}  # fmt: skip


def place(device: int, time_us: int) -> tuple[float, float, float]:
    """Return where a device is [m]: AGVs go round, the third stands from 4 s on."""
    if device == 3:
        return 12.0, 8.5, 1.8
    if device == 4:
        return *PANEL_M, 1.2
    t = min(time_us, 4_000_000) / 1e6 if device == 2 else time_us / 1e6
    angle = 0.1 * t + 2.0 * device
    return 30.0 + 20.0 * math.cos(angle), 20.0 + 14.0 * math.sin(angle), 1.2


def write_run(path: Path, policy: str = "reactive", outage: bool = True, shift_m: float = 0.0) -> Path:
    """Write a run of 12 s; from 3.01 s to 3.9 s a person costs agv-02 its control service.

    Parameters
    ----------
    shift_m : moves every AGV to the east, so that two runs can be told apart.
    """
    scenario = SCENARIO | {"radio": SCENARIO["radio"] | {"policy": policy}}
    folder = RunFolder.create(path, "name: fake-run\n", scenario, 1)
    n = len(DEVICES)
    recorder = Recorder(
        folder,
        devices=DEVICES,
        modes=[MODES] * 4 + [("carried",)],
        services=(SERVICE,),
        trps=("south", "north"),
        causes=("body",),
        hall_size_m=SCENARIO["hall"]["size_m"],
        config=RecordingConfig(people_tracks=True),
    )
    recorder.set_blockers((PERSON, *DEVICES[:4]), [("torso",), *[("body",)] * 4], ("picker", "agv", "agv", "agv", "cobot"))
    recorder.set_people((PERSON,))
    none, zero = np.full(n, -1), np.zeros(n)
    for time_us in range(0, END_US, 100_000):
        xyz = np.array([place(d, time_us) for d in range(n)])
        xyz[:3, 0] += shift_m
        hit = np.where((np.arange(n) == 1) & outage & (DOWN_US <= time_us <= UP_US), 0, -1)
        recorder.add_ticks(
            time_us, position_m=xyz, speed_mps=zero + 1.7, mode=np.array([0, 0, 0, 1, 0]), trp=np.arange(n) % 2,
            beam=36 + np.arange(n), second_trp=none, sinr_dl_db=zero + 20.0, sinr_ul_db=zero + 18.0,
            margin_db=np.where(hit == 0, -6.0, 12.0 + np.arange(n)), body_loss_db=np.where(hit == 0, 18.0, 0.0),
            blocker=hit, blocker_part=hit, loss_probability=zero,
        )  # fmt: skip
        recorder.add_people(time_us, np.array([PERSON_M]), np.array([True]))
    if outage:
        for time_us in range(3_000_000, 3_880_000, 20_000):
            one, x_m, y_m = np.zeros(1, np.int64), *place(1, time_us)[:2]
            recorder.add_losses(
                policy, time_us=one + time_us, device=one + 1, service=one, cause=one, blocker=one, part=one, trp=one + 1,
                beam=one + 37, x_m=one + x_m + shift_m, y_m=one + y_m, sinr_db=one - 4.0, loss_probability=one + 0.99,
            )  # fmt: skip
        panel = np.array([7_000_000]), np.zeros(1, np.int64)
        recorder.add_losses(
            policy, time_us=panel[0], device=panel[1] + 4, service=panel[1], cause=panel[1], blocker=panel[1], part=panel[1],
            trp=panel[1], beam=panel[1] + 5, x_m=np.array([PANEL_M[0]]), y_m=np.array([PANEL_M[1]]), sinr_db=panel[1] - 4.0,
            loss_probability=panel[1] + 0.99,
        )  # fmt: skip
        for time_us, kind in ((DOWN_US, "service_down"), (UP_US, "service_up")):
            recorder.add_event(time_us, kind, device="agv-02", service=SERVICE, policy=policy, trp="north", beam=37)
    figure = {"value": 0.9, "low": 0.8, "high": 0.95}
    kpi = {
        "acting_policy": policy,
        "policies": {policy: {}},
        "services": [
            {"name": SERVICE, "profile": "mobile-robot", "devices": 3, "messages": 1800, "lost": 44, "outages": int(outage),
             "availability": figure, "mtbf_s": figure, "met": False, "targets": {"availability": 0.999999, "mtbf_s": None}},
        ],
    }  # fmt: skip
    recorder.close(kpi, simulated_s=END_US / 1e6, wall_s=1.0)
    return path
