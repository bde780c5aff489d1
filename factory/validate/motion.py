"""How the twin's people move beside recorded ones: distributions of motion, the gait cycle, and a whole shift's worst moments.

The recordings are not part of the repository. ``motion.json`` beside this file keeps statistics of them: quantiles of each
quantity, and mean joint angles over the gait cycle. Where the recordings are at hand, :func:`refresh` writes it anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from factory.validate import motion_gestures, motion_shift
from factory.validate.motion_gait import JOINTS_SEEN, angles_of_twin, cycle_of
from factory.validate.motion_soak import kept
from factory.validate.motion_tracks import QUANTITIES, Motion, Walk, motion_of, read_walks, recorded_file
from factory.validate.motion_twin import walks_of_twin
from factory.validate.rows import Row
from humans.body import SHANK, THIGH

Floats = npt.NDArray[np.float64]

SUMMARY_FILE = Path(__file__).with_name("motion.json")
SHARES = np.linspace(0.0, 1.0, 201)
GROUPS = {"workers": "WORKER", "visitors": "VISITOR"}
FITTED_PERSONS = (2, 4, 7)
OWN_QUANTITIES, SHARED_QUANTITIES = QUANTITIES[:4], QUANTITIES[4:]
NAMES = {
    "speed_mps": ("walking speed", "m/s"),
    "acceleration_mps2": ("change of speed", "m/s²"),
    "turn_radps": ("change of direction", "rad/s"),
    "stay_s": ("stay", "s"),
    "distance_m": ("distance of any two people", "m"),
    "nearest_m": ("distance to the nearest other", "m"),
}
"""How quantities are called, and their units."""
_SEEDS, _MINUTES = 6, 10.0
_TOUR_SEEDS, _TOUR_MINUTES = 4, 11.0
_BOUND = 0.15
_SOURCE = "THOR, Rudenko 2020"
_CAPTURE = "CMU-like motion capture, one adult, 1.588 m/s"
_CAPTURED_STATURE_M = 1.70  # its hips are at 0.90 m, which is 0.530 of this

NOTES: Mapping[str, str] = {
    "Motion of people: distance of distributions": """\
Kolmogorov-Smirnov distances of motion at 0.4 s, the twin's people beside recorded ones (THOR: workers and visitors in a room
with a robot). Pace, swings of pace and direction, and stays were fitted to persons 2, 4 and 7; persons 5 and 8 were held out.
The second row of each pair says how far two groups of recorded people are from each other, which is as near as one can come.
The recording sways less with every step than other recordings and the twin's heads do; it is compared with 0.6 of their sway,
fitted as well. Only stays that begin and end at the same place within what was seen count; the long ones of visitors were mostly
lost. Of distances between people only the number of visitors was chosen: THOR's visitors walk in groups, as visitors of a shift
plan do; people who go about alone are farther apart.""",
    "Gait beside a captured walk": """\
Joint angles over the gait cycle at the capture's speed. The capture is a stylised walk, with knees bent by some 20 degrees more
and elbows by some 30 degrees more than in gait laboratories; the twin keeps the laboratories' curves, and the second row of each
pair leaves that difference out.""",
    "People through a whole shift": """\
The assembly hall's people without radio, looked at ten times a second, with ticks of 20 ms. Trunks are the capsules of trunk,
pelvis and head.""",
    **motion_shift.NOTES,
    **motion_gestures.NOTES,
}
"""What is said below the headings of these tables."""

Sample = tuple[int, Floats]
"""Number of values, and their quantiles at ``SHARES``."""


def sample(values: Floats) -> Sample:
    """Keep a sample as its quantiles."""
    return len(values), np.quantile(values, SHARES)


def distance(ours: Sample, theirs: Sample) -> float:
    """Kolmogorov-Smirnov distance of two samples kept as quantiles; exact to the 0.005 between two of them."""
    at = np.concatenate([ours[1], theirs[1]])
    return float(np.abs(_share_below(ours[1], at) - _share_below(theirs[1], at)).max())


def _share_below(quantiles: Floats, at: Floats) -> Floats:
    # Equal quantiles are a step: the share below it and the share up to it are averaged.
    left, right = np.searchsorted(quantiles, at, side="left"), np.searchsorted(quantiles, at, side="right")
    inside: Floats = np.interp(at, quantiles, SHARES)
    step = right - left > 1
    return np.where(step, 0.5 * (SHARES[np.minimum(left, len(SHARES) - 1)] + SHARES[np.maximum(right - 1, 0)]), inside)


def _samples(walks: tuple[Walk, ...], names: tuple[str, ...]) -> dict[str, Sample]:
    motion: Motion = motion_of(walks)
    return {name: sample(getattr(motion, name)) for name in names}


@cache
def twin() -> Mapping[str, Mapping[str, Sample]]:
    """Walk THOR's room with the twin's own people: group to quantity to sample.

    Distances between people are in "all", where everybody goes about alone, and in "tours", where visitors go in groups.
    """
    walks = tuple(walk for seed in range(_SEEDS) for walk in walks_of_twin(seed, _MINUTES))
    out = {name: _samples(tuple(w for w in walks if w.role == role), OWN_QUANTITIES) for name, role in GROUPS.items()}
    tours = tuple(walk for seed in range(_TOUR_SEEDS) for walk in walks_of_twin(seed, _TOUR_MINUTES, tours=True))
    return {**out, "all": _samples(walks, SHARED_QUANTITIES), "tours": _samples(tours, SHARED_QUANTITIES)}


def summary_of(tracks: Path, capture: Path) -> dict[str, Any]:
    """Summarise both recordings, as ``motion.json`` keeps them."""
    walks = read_walks(tracks)
    motion: dict[str, Any] = {}
    for name, role in GROUPS.items():
        for half in (True, False):
            mine = tuple(w for w in walks if w.role == role and (w.person in FITTED_PERSONS) == half)
            motion[f"{name}, {'fitted' if half else 'held out'}"] = _record(_samples(mine, OWN_QUANTITIES))
    motion["all"] = _record(_samples(walks, SHARED_QUANTITIES))
    return {
        "source": "THOR: A. Rudenko, T. Kucner, C. Swaminathan, R. Chadalavada, K. Arras, A. Lilienthal, IEEE RA-L 2020, "
        "CC BY 4.0; here: quantiles of its tracks at 0.4 s. Gait: mean joint angles of one captured walk.",
        "motion": motion,
        "gait": {name: np.round(curve, 4).tolist() for name, curve in cycle_of(capture).items()},
    }


def _record(samples: dict[str, Sample]) -> dict[str, Any]:
    return {name: {"n": n, "quantiles": np.round(quantiles, 3).tolist()} for name, (n, quantiles) in samples.items()}


@cache
def measured() -> Mapping[str, Mapping[str, Sample]]:
    """Read what is kept of the recorded people: "workers, fitted", "workers, held out" and so on, and "all"."""
    record = json.loads(SUMMARY_FILE.read_text(encoding="utf-8"))["motion"]
    return {
        group: {name: (int(part["n"]), np.array(part["quantiles"], dtype=np.float64)) for name, part in quantities.items()}
        for group, quantities in record.items()
    }


@cache
def captured() -> Mapping[str, Floats]:
    """Mean joint angles of the captured walk over the cycle [rad], and its limbs' lengths [m]."""
    record = json.loads(SUMMARY_FILE.read_text(encoding="utf-8"))["gait"]
    return {name: np.array(curve, dtype=np.float64) for name, curve in record.items()}


def refresh() -> bool:
    """Write the summary anew where the recordings are at hand; return whether they are."""
    tracks = recorded_file()
    capture = None if tracks is None else tracks.with_name("mocap_walk_joints.csv")
    if tracks is None or capture is None or not capture.is_file():
        return False
    SUMMARY_FILE.write_text(json.dumps(summary_of(tracks, capture), indent=None, ensure_ascii=False) + "\n", encoding="utf-8")
    measured.cache_clear()
    captured.cache_clear()
    return True


def motion_rows() -> Iterator[Row]:
    """Rows of all tables on motion."""
    yield from _distribution_rows()
    yield from gait_rows()
    yield from soak_rows()
    yield from motion_shift.day_rows()
    yield from motion_gestures.gesture_rows()


def _distribution_rows() -> Iterator[Row]:
    table = "Motion of people: distance of distributions"
    recorded, ours = measured(), twin()
    for group in GROUPS:
        fitted, held_out = recorded[f"{group}, fitted"], recorded[f"{group}, held out"]
        for name in OWN_QUANTITIES:
            case = f"{group}, {NAMES[name][0]}, n = {held_out[name][0]}"
            bound = group == "workers" and name != "stay_s"
            far = distance(ours[group][name], held_out[name])
            yield Row(
                table,
                f"{case}, persons held out",
                far,
                _BOUND if bound else np.nan,
                "1",
                0.0 if bound else 0.01,
                _SOURCE,
                "at most" if bound else "reported",
            )
            yield Row(
                table,
                f"{case}, recorded persons fitted to, beside those held out",
                distance(fitted[name], held_out[name]),
                np.nan,
                "1",
                0.01,
                _SOURCE,
                "reported",
            )
    for name in SHARED_QUANTITIES:
        for group, word in (("all", "everybody alone"), ("tours", "visitors in groups")):
            case = f"{NAMES[name][0]}, n = {recorded['all'][name][0]}, {word}"
            far = distance(ours[group][name], recorded["all"][name])
            yield Row(table, case, far, np.nan, "1", 0.01, _SOURCE, "reported")
    table = "Motion of people: medians"
    for group in GROUPS:
        for name in OWN_QUANTITIES:
            theirs, mine = recorded[f"{group}, held out"][name][1], ours[group][name][1]
            for share, word in ((100, "median"), (180, "nine tenths below")):
                yield Row(
                    table,
                    f"{group}, {NAMES[name][0]}, {word}",
                    mine[share],
                    theirs[share],
                    NAMES[name][1],
                    0.1,
                    _SOURCE,
                    "reported",
                )


def gait_rows() -> Iterator[Row]:
    """Rows on joint angles and limbs beside a captured walk."""
    table = "Gait beside a captured walk"
    theirs, ours = captured(), angles_of_twin()
    for name in JOINTS_SEEN:
        gap = np.degrees(ours[name] - theirs[name])
        rms, about_mean = float(np.sqrt(np.mean(gap**2))), float(gap.std())
        yield Row(table, f"{name}, root mean square difference over the cycle", rms, np.nan, "°", 1.0, _CAPTURE, "reported")
        yield Row(table, f"{name}, the same about the mean difference", about_mean, np.nan, "°", 1.0, _CAPTURE, "reported")
    leg = float(theirs["thigh_m"][0] + theirs["shank_m"][0])
    yield Row(table, "thigh and shank at 1.70 m", _CAPTURED_STATURE_M * (THIGH + SHANK), leg, "m", 0.02, _CAPTURE)


def soak_rows() -> Iterator[Row]:
    """Rows on the worst moments of whole shifts."""
    table = "People through a whole shift"
    for shift in kept():
        agvs = "among AGVs that stop for nobody" if shift.machines else "alone"
        who = f"{shift.people} people, {shift.hours:g} h, {agvs}"
        source = "nobody in a wall, in another, or off the floor"
        yield Row(table, f"{who}: trunk to trunk, smallest gap", shift.trunk_gap_m, 0.0, "m", 0.0, source, "at least")
        yield Row(table, f"{who}: trunk to box or wall, smallest gap", shift.trunk_clearance_m, 0.0, "m", 0.0, source, "at least")
        yield Row(table, f"{who}: change of a limb's length", shift.limb_error_m, 1e-9, "m", 0.0, source, "at most")
        yield Row(table, f"{who}: lowest point of a body above the floor", shift.lowest_m, 0.0, "m", 0.0, source, "at least")
        yield Row(table, f"{who}: longest time on the way without coming on", shift.stuck_s, 60.0, "s", 0.0, source, "at most")
        if shift.machines:
            yield Row(
                table, f"{who}: smallest gap to a machine's disc", shift.machine_gap_m, np.nan, "m", 0.01, source, "reported"
            )
        yield Row(table, f"{who}: way of a person", shift.walked_km, np.nan, "km", 0.1, source, "reported")
