"""Our own IMMERSE: people and AGVs of this twin cross a link, and a modem reports its RSRP.

The places of antennas and tracks are not at hand. They are fitted, inside ranges that a laboratory hall allows, to half of the
recordings (:mod:`factory.validate.immerse_fit`). Bodies and their diffraction are those of any run of the twin: not fitted.

The modem is modelled by what the recordings show. It measures on a grid of 18.3 samples. While the level is steady a report
comes after 1 to 8 grid steps, all equally often (so are the changes of the recordings without anybody in the hall, if half of
the reports change the whole dB); in a shadow it comes sooner (``SHADOW_STEPS``, from the times between changes of all
pedestrian runs). Between reports the last value holds. That makes a shadow's first report late and its fall look sudden.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from factory.validate.immerse_traces import EDGE_DB, Trace
from factory.validate.links import direct_paths
from humans.body import JOINTS, PARTS, capsule_radius_m, draw_statures, pose
from humans.config import PeopleConfig
from humans.gait import REFERENCE_STEP, gait_joints, step_length_m
from radio.bodies.blockage import BlockageModel, blockage_db
from radio.types import SHAPE_CAPSULE, SHAPE_RECTANGLE, Blockers, Paths

Floats = npt.NDArray[np.float64]

FREQUENCY_HZ = 27e9
"""Middle of what Germany licenses to local networks between 26.5 and 27.5 GHz; the set does not give it."""
GRID_SAMPLES = 18.3
"""Samples between two measurements of the modem, as the changes of the recordings are spaced."""
GRID_S = 0.020
"""What the grid is taken for: the usual period of synchronisation signal blocks (TS 38.213)."""
STEADY_STEPS = (0.125,) * 8
SHADOW_STEPS = (0.28, 0.34, 0.125, 0.125, 0.07, 0.035, 0.02, 0.005)
"""Shares of reports that come 1, 2, ... 8 grid steps after the one before, in a steady level and in a shadow."""
NOISE_DB = 0.4
"""Standard deviation of a report; rounded to whole dB it is 0.46, and the recordings without anybody vary by 0.47 dB."""

_PEOPLE = PeopleConfig()
_APART_M = 50.0
_REACH_S = {"pedestrian": 1.0, "agv": 2.6}


@dataclass(frozen=True, slots=True)
class Site:
    """Where the links and tracks lie, and how people and AGVs move on them.

    Attributes
    ----------
    trp_height_m, ue_height_m : antennas above the floor [m].
    link_m : horizontal length of the link [m].
    crossing_1_m, crossing_2_m : distance from the UE at which each track crosses the link [m].
    angle_1_deg, angle_2_deg : angle between track and link [deg].
    speed_mps, speed_sd_mps : pedestrians' mean speed and its spread over runs [m/s].
    remainder_db : mean power of all other paths below the direct one [dB]; exponential over runs, added in power.
    agv_speed_mps, agv_speed_sd_mps : the same for the AGV [m/s].
    agv_length_m, agv_height_m : its body with load as one box; its width is 0.8 m, that of the twin's AGVs [m].
    """

    trp_height_m: float
    ue_height_m: float
    link_m: float
    crossing_1_m: float
    crossing_2_m: float
    angle_1_deg: float
    angle_2_deg: float
    speed_mps: float
    speed_sd_mps: float
    remainder_db: float
    agv_speed_mps: float
    agv_speed_sd_mps: float
    agv_length_m: float
    agv_height_m: float


AGV_WIDTH_M = 0.8


def traces(site: Site, mode: str, n: int, rng: np.random.Generator, model: BlockageModel = "silhouette") -> tuple[Trace, ...]:
    """Let n runs happen.

    Parameters
    ----------
    site : geometry and motion.
    mode : ``pedestrian_track1``, ``pedestrian_track2``, ``agv_track1`` or ``agv_track2``.
    n : number of runs.
    rng : draws per run: speed, stature, phase of the gait, side and direction, other paths, times and noise of the reports.
    model : body model of ``radio.bodies.blockage.blockage_db``.

    Raises
    ------
    ValueError
        If the mode is none of these.
    """
    who, _, track = mode.partition("_track")
    if who not in _REACH_S or track not in ("1", "2"):
        raise ValueError(f"mode {mode!r}: give pedestrian_track1, pedestrian_track2, agv_track1 or agv_track2")
    return tuple(report(_levels(site, who, track, rng, model), run, rng) for run in range(n))


def _levels(site: Site, who: str, track: str, rng: np.random.Generator, model: BlockageModel) -> Floats:
    """RSRP at every grid step of one run over that of the clear link [dB]."""
    grid_s = np.arange(-_REACH_S[who] - GRID_S * rng.random(), _REACH_S[who], GRID_S)
    remainder = rng.exponential(10.0 ** (-site.remainder_db / 10.0))
    power = np.abs(crossing_field(site, who, track, grid_s, rng, model)) ** 2
    level: Floats = 10.0 * np.log10((power + remainder) / (1.0 + remainder))
    return level


def crossing_field(
    site: Site, who: str, track: str, time_s: Floats, rng: np.random.Generator, model: BlockageModel
) -> npt.NDArray[np.complex128]:
    """Field of the direct path over that without anybody, at every instant of one run.

    Parameters
    ----------
    site, who, track : geometry and motion, ``pedestrian`` or ``agv``, ``1`` or ``2``.
    time_s : (k,) instants, 0 as the middle of the body crosses the link's line [s].
    rng : draws speed, stature, phase, side and direction.
    model : body model of ``radio.bodies.blockage.blockage_db``.
    """
    near = site.crossing_1_m if track == "1" else site.crossing_2_m
    angle = math.radians(site.angle_1_deg if track == "1" else site.angle_2_deg)
    heading = angle * rng.choice((-1.0, 1.0)) + math.pi * rng.integers(2)
    mean, sd = (site.speed_mps, site.speed_sd_mps) if who == "pedestrian" else (site.agv_speed_mps, site.agv_speed_sd_mps)
    speed = max(0.4 * mean, mean + sd * rng.standard_normal())
    along = speed * time_s
    position = np.stack((site.link_m - near + along * math.cos(heading), along * math.sin(heading)), axis=1)
    apart: Floats = _APART_M * np.arange(len(time_s), dtype=np.float64)
    if who == "pedestrian":
        blockers = _walker(position, heading, speed, along, apart, rng)
    else:
        blockers = _agv(position, heading, site, apart)
    paths = _direct(site, apart)
    return blockage_db(paths, blockers, np.full(len(time_s), -1), model=model).field


def _direct(site: Site, apart: Floats) -> Paths:
    """One direct path per instant, side by side, so that a whole run is one call and nobody stands in another instant's path."""
    n = len(apart)
    start = np.stack((np.zeros(n), apart, np.full(n, site.trp_height_m)), axis=1)
    end = np.stack((np.full(n, site.link_m), apart, np.full(n, site.ue_height_m)), axis=1)
    return direct_paths(start, end, FREQUENCY_HZ)


@njit(cache=True)
def _stride(phase, scale, stature_m, joints) -> None:  # type: ignore[no-untyped-def]
    for k in range(phase.shape[0]):
        gait_joints(phase[k], scale, stature_m, 1.0, joints[k])


def _walker(
    position_m: Floats, heading: float, speed: float, along_m: Floats, apart_m: Floats, rng: np.random.Generator
) -> Blockers:
    """Capsules of one walking body at every instant, each instant an owner of its own."""
    n = len(along_m)
    stature = float(draw_statures(_PEOPLE.stature_p5_m, _PEOPLE.stature_p95_m, 1, rng)[0])
    step = float(step_length_m(np.array([speed]))[0])
    joints = np.zeros((n, JOINTS))
    _stride((along_m / (2.0 * step) + rng.random()) % 1.0, step / stature / REFERENCE_STEP, stature, joints)
    start, end = pose(position_m, np.full(n, heading), np.full(n, stature), joints)
    for ends in (start, end):
        ends[:, :, 1] += apart_m[:, None]
    radius = capsule_radius_m(np.full(n, stature)).reshape(-1)
    return Blockers(
        start_m=start.reshape(-1, 3),
        end_m=end.reshape(-1, 3),
        half_width_m=np.stack((radius, radius), axis=1),
        yaw_rad=np.zeros(n * PARTS),
        shape=np.full(n * PARTS, SHAPE_CAPSULE),
        owner=np.repeat(np.arange(n), PARTS),
        part=np.tile(np.arange(PARTS), n),
    )


def _agv(position_m: Floats, heading: float, site: Site, apart_m: Floats) -> Blockers:
    """Box of the AGV with its load at every instant, each instant an owner of its own."""
    n = len(apart_m)
    foot = np.stack((position_m[:, 0], position_m[:, 1] + apart_m, np.zeros(n)), axis=1)
    return Blockers(
        start_m=foot,
        end_m=foot + np.array([0.0, 0.0, site.agv_height_m]),
        half_width_m=np.tile((0.5 * site.agv_length_m, 0.5 * AGV_WIDTH_M), (n, 1)),
        yaw_rad=np.full(n, heading),
        shape=np.full(n, SHAPE_RECTANGLE),
        owner=np.arange(n),
        part=np.zeros(n, np.int64),
    )


def report(level_db: Floats, run: int, rng: np.random.Generator) -> Trace:
    """Let the modem report a run.

    Parameters
    ----------
    level_db : (k,) RSRP at every grid step over that of the clear link [dB].
    run : number of the run.
    rng : draws when reports come, and their noise.

    Returns
    -------
    Trace in samples and whole dB relative to the clear link, as long as the run.
    """
    steps = len(level_db)
    whole = np.round(level_db + NOISE_DB * rng.standard_normal(steps))
    draws = rng.random(steps)
    steady, shadow = np.cumsum(STEADY_STEPS), np.cumsum(SHADOW_STEPS)
    at = [0]
    for draw in draws:
        reached = shadow if whole[at[-1]] <= -EDGE_DB else steady
        following = at[-1] + 1 + min(int(np.searchsorted(reached, draw)), len(reached) - 1)
        if following >= steps:
            break
        at.append(following)
    start = np.round(GRID_SAMPLES * np.array(at)).astype(np.int64)
    return Trace(run, "twin", start, whole[at], int(GRID_SAMPLES * steps))


FITTED = Site(
    trp_height_m=1.84,
    ue_height_m=0.965,
    link_m=9.12,
    crossing_1_m=0.532,
    crossing_2_m=5.16,
    angle_1_deg=84.7,
    angle_2_deg=62.8,
    speed_mps=1.58,
    speed_sd_mps=0.144,
    remainder_db=25.5,
    agv_speed_mps=1.79,
    agv_speed_sd_mps=0.117,
    agv_length_m=0.904,
    agv_height_m=1.54,
)
"""Found by ``factory.validate.immerse_fit`` in the fitted half of the recordings, to three digits: the pedestrians' numbers by
search and polish, the AGV's by search alone."""
