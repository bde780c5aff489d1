"""One person who walks straight through a link, and what it costs: for the validation's people rows and its figure."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from factory.snapshot import person_blockers
from factory.validate.figures import BLUE, GREEN, ORANGE, plain, write
from factory.validate.links import direct_paths, wavelength_m
from humans.body import JOINTS, capsule_radius_m, pose
from humans.gait import REFERENCE_STEP, gait_joints, step_length_m
from humans.types import PeopleState
from radio.bodies.blockage import blockage_db, screen_loss_db

Floats = npt.NDArray[np.float64]

FREQUENCY_HZ, LINK_M, ANTENNA_M = 28e9, 10.0, 1.2
SPEED_MPS, STATURE_M = 1.4, 1.70
HUMAN_SCREEN_M = (0.3, 1.7)
"""Width and height of a person's screen, TR 38.901 table 7.6.4.2-5."""


def walker(x_m: float, y_m: float, heading_rad: float, walked_m: float, speed_mps: float = SPEED_MPS) -> PeopleState:
    """One person of 1.70 m in mid-stride.

    Parameters
    ----------
    x_m, y_m, heading_rad : where, and which way [m, rad].
    walked_m : distance walked so far, which gives the gait's phase [m].
    speed_mps : walking speed, 0 for standing [m/s].
    """
    stature = np.array([STATURE_M])
    joints = np.zeros((1, JOINTS))
    step = float(step_length_m(np.array([speed_mps]))[0])
    phase = (walked_m / (2 * step)) % 1.0 if step else 0.0
    gait_joints(phase, step / STATURE_M / REFERENCE_STEP, STATURE_M, 1.0, joints[0])
    position, heading = np.array([[x_m, y_m]]), np.array([heading_rad])
    capsule_a, capsule_b = pose(position, heading, stature, joints)
    velocity = speed_mps * np.array([[math.cos(heading_rad), math.sin(heading_rad)]])
    return PeopleState(
        time_us=0,
        present=np.ones(1, np.bool_),
        position_m=position,
        velocity_mps=velocity,
        tracked_velocity_mps=velocity,
        heading_rad=heading,
        stature_m=stature,
        capsule_a=capsule_a,
        capsule_b=capsule_b,
        capsule_radius_m=capsule_radius_m(stature),
        activity=np.zeros(1, np.int64),
        role=np.zeros(1, np.int64),
        pseudonym=("person-0001",),
        panel_holder=np.zeros(0, np.int64),
        panel_position_m=np.zeros((0, 3)),
        goal_m=position,
    )


def crossing(time_s: Floats) -> tuple[Floats, Floats, Floats]:
    """Loss of a 10 m link at 28 GHz, antennas 1.2 m high, while one person walks through its middle at 1.4 m/s.

    Parameters
    ----------
    time_s : (k,) instants from the crossing of the link's line [s].

    Returns
    -------
    silhouette_db, model_b_db, formula_db : (k,) loss of the walking body by its silhouette and by model B, and of the one
        upright screen of TR 38.901 table 7.6.4.2-5 by equations 7.6-28 and 7.6-29 [dB].
    """
    paths = direct_paths([[0.0, 0.0, ANTENNA_M]], [[LINK_M, 0.0, ANTENNA_M]], FREQUENCY_HZ)
    nobody_carries = np.array([-1])
    silhouette, model_b, formula = np.empty(len(time_s)), np.empty(len(time_s)), np.empty(len(time_s))
    for k, t in enumerate(time_s):
        beside = SPEED_MPS * float(t)
        body = walker(LINK_M / 2, beside, math.pi / 2, beside + 10.0)
        silhouette[k] = blockage_db(paths, person_blockers(body), nobody_carries).loss_db[0]
        model_b[k] = blockage_db(paths, person_blockers(body, "model_b"), nobody_carries, "model_b").loss_db[0]
        width, height = HUMAN_SCREEN_M
        half = LINK_M / 2
        formula[k] = screen_loss_db(half, half, width / 2, height / 2, beside, ANTENNA_M - height / 2, wavelength_m(FREQUENCY_HZ))
    return silhouette, model_b, formula


def crossing_figure() -> Figure:
    """Loss against time of the walk through the link."""
    time_s = np.linspace(-0.8, 0.8, 641)
    silhouette, model_b, formula = crossing(time_s)
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(time_s, silhouette, color=BLUE, linewidth=1.8, label="silhouette of the walking body, 1.70 m (the default)")
    axes.plot(time_s, model_b, color=GREEN, linewidth=1.4, label="model B of its trunk and limbs")
    axes.plot(time_s, formula, color=ORANGE, linewidth=1.4, linestyle="--", label="TR 38.901 7.6.4.2: one screen, 0.3 m × 1.7 m")
    plain(
        axes,
        "One person walks at 1.4 m/s through the middle of a 10 m link at 28 GHz",
        "time from the crossing of the line between the antennas (1.2 m high) [s]",
        "loss of the direct path [dB]",
    )
    axes.set_xlim(-0.8, 0.8)
    highest = max(float(silhouette.max()), float(model_b.max()), float(formula.max()))
    axes.set_ylim(min(0.0, 1.1 * float(silhouette.min())), 1.45 * highest)
    axes.legend(loc="upper left", frameon=False)
    return figure


def write_crossing(path: Path) -> None:
    """Write the figure as SVG, the same bytes every time."""
    write(crossing_figure, path)
