"""The gait cycle: joint angles of the twin's walker and of a captured one over the phase of the step."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import numpy.typing as npt

from humans.body import JOINT_NAMES, JOINTS
from humans.gait import REFERENCE_STEP, gait_joints, step_length_m

Floats = npt.NDArray[np.float64]

SPEED_MPS, STATURE_M = 1.588, 1.70
"""Of the captured walk; the stature follows from the height of its hips."""
JOINTS_SEEN = ("hip", "knee", "shoulder", "elbow")
PHASES = np.arange(20) / 20.0
_CHAINS = {"hip": ("Hip", "Knee"), "shank": ("Knee", "Ankle"), "shoulder": ("Shoulder", "Elbow"), "forearm": ("Elbow", "Wrist")}


def angles_of_twin(phase: Floats = PHASES) -> dict[str, Floats]:
    """Flexion of the left hip, knee, shoulder and elbow of the twin's walker at (k,) phases, (k,) each [rad]."""
    scale = float(step_length_m(np.array([SPEED_MPS]))[0]) / STATURE_M / REFERENCE_STEP
    joints = np.zeros((len(phase), JOINTS))
    for k, at in enumerate(phase):
        gait_joints(at, scale, STATURE_M, 1.0, joints[k])
    return {name: joints[:, JOINT_NAMES.index(f"{name}_left")] for name in JOINTS_SEEN}


def cycle_of(path: Path) -> dict[str, Floats]:
    """Read a captured walk and average both sides over the cycle.

    Parameters
    ----------
    path : CSV with t [s], joint, x, y, z [m].

    Returns
    -------
    Flexion of hip, knee, shoulder and elbow at ``PHASES`` (20,) [rad], 0 where the twin's hips agree best with both captured
    hips; ``thigh_m`` and ``shank_m`` (1,), mean lengths [m].
    """
    tracks: dict[str, list[tuple[float, ...]]] = {}
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            tracks.setdefault(row["joint"], []).append(tuple(float(row[c]) for c in ("t", "x", "y", "z")))
    joint = {name: np.array(rows) for name, rows in tracks.items()}
    time_s = joint["Hip"][:, 0]
    way = joint["Hip"][-1, 1:3] - joint["Hip"][0, 1:3]
    way /= np.hypot(*way)
    sides = [_angles(joint, side, way) for side in ("Left", "Right")]
    swing = sides[0]["hip"] - sides[1]["hip"]
    rates = np.linspace(0.8, 1.3, 501)
    rate = rates[np.abs(np.exp(-2j * np.pi * rates[:, None] * time_s) @ (swing - swing.mean())).argmax()]
    starts = np.arange(200) / 200.0
    errors = []
    for start in starts:
        phase = (rate * time_s + start) % 1.0
        errors.append(sum(_gap(angles_of_twin((phase + 0.5 * k) % 1.0)["hip"], sides[k]["hip"]) for k in range(2)))
    phase = (rate * time_s + starts[int(np.argmin(errors))]) % 1.0
    out = {name: _mean_cycle([(phase + 0.5 * k) % 1.0 for k in range(2)], [s[name] for s in sides]) for name in JOINTS_SEEN}
    for name, (upper, lower) in (("thigh_m", _CHAINS["hip"]), ("shank_m", _CHAINS["shank"])):
        length = [np.linalg.norm(joint[s + lower][:, 1:] - joint[s + upper][:, 1:], axis=1).mean() for s in ("Left", "Right")]
        out[name] = np.array([np.mean(length)])
    return out


def _angles(joint: dict[str, Floats], side: str, way: Floats) -> dict[str, Floats]:
    limb = {name: joint[side + end][:, 1:] - joint[side + start][:, 1:] for name, (start, end) in _CHAINS.items()}
    pitch = {name: np.arctan2(v[:, :2] @ way, -v[:, 2]) for name, v in limb.items()}
    along = (limb["shoulder"] * limb["forearm"]).sum(axis=1)
    elbow = np.arccos(along / np.linalg.norm(limb["shoulder"], axis=1) / np.linalg.norm(limb["forearm"], axis=1))
    return {"hip": pitch["hip"], "knee": pitch["hip"] - pitch["shank"], "shoulder": pitch["shoulder"], "elbow": elbow}


def _gap(ours: Floats, theirs: Floats) -> float:
    return float(np.mean((ours - theirs) ** 2))


def _mean_cycle(phases: list[Floats], curves: list[Floats]) -> Floats:
    """Mean of both sides around each of ``PHASES``, within a fortieth of the cycle."""
    phase, curve = np.concatenate(phases), np.concatenate(curves)
    near = np.abs((phase[None] - PHASES[:, None] + 0.5) % 1.0 - 0.5) <= 0.025
    mean: Floats = (near * curve[None]).sum(axis=1) / near.sum(axis=1)
    return mean
