"""Recorded scenes as tracks, how they are split, and windows of them for fitting and scoring.

THOR's file holds windows of eight seconds; windows that follow each other are joined into tracks, whose common end marks the run.
Split: persons 5 and 8 of THOR and the scene CITR are held out from the numbers that are shipped. For DUT and for HERMES the same
is fitted again without that scene (``factory.validate.forecast_fit``). ZARA01 is fitted to only; UNIV is not used.
"""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from numba import njit

from humans.forecast_filter import track_features
from humans.forecast_neighbours import NEIGHBOURS, SEEN_US, neighbour_features
from humans.forecast_numbers import KNOTS_S

Floats = npt.NDArray[np.float64]

_ROOT = Path(__file__).resolve().parents[2]
SCENES = ("thor_a", "citr_veh_lat_uni", "dut_intersection", "hermes_uni", "zara01", "univ")
DENSE = ("citr_veh_lat_uni", "dut_intersection", "hermes_uni")
"""Scenes recorded 10 to 30 times a second; they are read every 0.1 s."""
TEST_PERSONS = (5, 8)
DENSE_STEP_S = 0.1
_MAX_JOINT_M = 0.35


@dataclass(frozen=True, slots=True)
class Track:
    """One person's way.

    Attributes
    ----------
    t_s, xy_m : (k,) times [s] and (k, 2) positions [m].
    person : who, where the recording says so, else the track's number.
    run : run of a recording in which clocks are common; tracks of different runs never meet.
    """

    t_s: Floats
    xy_m: Floats
    person: int
    run: int


def recorded_folder() -> Path | None:
    """Return where the recordings lie, None where they are not at hand; ``FACTORY_TWIN_SHARED`` names another place."""
    folder = Path(os.environ.get("FACTORY_TWIN_SHARED", _ROOT.parent / "shared" / "data")) / "people"
    return folder if (folder / "thor_a.csv").is_file() else None


def read_scene(folder: Path, name: str, *, native: bool = False) -> list[Track]:
    """Return the tracks of a scene; a dense one interpolated to every ``DENSE_STEP_S`` unless ``native``."""
    rows: dict[int, list[tuple[float, float, float]]] = defaultdict(list)
    who: dict[int, tuple[int, str]] = {}
    with (folder / f"{name}.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            track = int(row["id"])
            rows[track].append((float(row["t"]), float(row["x"]), float(row["y"])))
            who[track] = (int(row.get("person") or track), row.get("role") or "")
    tracks = {track: np.array(sorted(points)) for track, points in rows.items()}
    if name == "thor_a":
        return _joined(tracks, who)
    out = []
    for track, points in tracks.items():
        t, xy = points[:, 0], points[:, 1:]
        if name in DENSE and not native:
            grid = np.arange(np.ceil(t[0] / DENSE_STEP_S - 1e-9), np.floor(t[-1] / DENSE_STEP_S + 1e-9) + 1) * DENSE_STEP_S
            xy = np.stack([np.interp(grid, t, xy[:, c]) for c in range(2)], axis=1)
            t = grid
        if len(t) > 1:
            out.append(Track(t, xy, track, 0))
    return out


def _joined(windows: dict[int, Floats], who: dict[int, tuple[int, str]]) -> list[Track]:
    """Join windows of the same person and role where one goes on from the other."""
    groups: dict[tuple[int, str], list[Floats]] = defaultdict(list)
    for track, points in windows.items():
        groups[who[track]].append(points)
    out = []
    for (person, _), parts in sorted(groups.items()):
        left = sorted(parts, key=lambda p: float(p[0, 0]))
        while left:
            chain = left.pop(0)
            while True:
                ahead = chain[-1, 1:] + (chain[-1, 1:] - chain[-2, 1:])
                follows = [
                    k for k, p in enumerate(left)
                    if abs(p[0, 0] - chain[-1, 0] - 0.4) < 0.05 and np.hypot(*(p[0, 1:] - ahead)) < _MAX_JOINT_M
                ]  # fmt: skip
                if not follows:
                    break
                chain = np.concatenate([chain, left.pop(follows[0])])
            # The first stamp of a run is rounded in the file; steps are 0.4 s.
            end = float(chain[-1, 0])
            out.append(Track(np.round(end - 0.4 * np.arange(len(chain))[::-1], 3), chain[:, 1:], person, round(end * 10)))
    return out


@dataclass(frozen=True, slots=True)
class Windows:
    """Moments at which a forecast is made, with what came after; k of them, H horizons.

    Attributes
    ----------
    features, frame : (k, INPUTS) and (k, 5), see ``humans.forecast_filter`` and ``humans.forecast_neighbours``.
    ahead_m : (k, H, 2) true positions at the knots relative to the last observation, along and across the body frame [m].
    constant_velocity_m : (k, H, 2) what the displacement over the last 0.4 s forecasts, the same frame [m].
    person : (k,) whose.
    """

    features: Floats
    frame: Floats
    ahead_m: Floats
    constant_velocity_m: Floats
    person: Floats


def windows(
    tracks: list[Track],
    *,
    every_s: float,
    sigma_m: float = 0.0,
    step_s: float | None = None,
    history_s: float = 0.4,
    rng: np.random.Generator,
) -> Windows:
    """Cut tracks into windows with the full horizon of truth after them.

    Parameters
    ----------
    tracks : of a scene.
    every_s : time between windows [s].
    sigma_m : noise added to what is observed [m]; the truth stays.
    step_s : time between observations, the track's own when absent [s].
    history_s : least time observed before [s].
    rng : draws the noise.
    """
    knots = np.array(KNOTS_S)
    watched = []
    for track in tracks:
        t = track.t_s
        if len(t) < 2:
            continue
        seen = t if step_s is None else np.arange(t[0] + rng.uniform(0, 0.1), t[-1] + 1e-9, step_s)
        z = _at(seen, t, track.xy_m) + sigma_m * rng.standard_normal((len(seen), 2))
        watched.append((track, seen, z, *track_features(seen, z, sigma_m)))
    start = np.concatenate([[0], np.cumsum([len(seen) for _, seen, *_ in watched])]).astype(np.int64)
    runs = np.array([track.run for track, *_ in watched])
    all_t, all_z, all_frame = (np.concatenate([w[k] for w in watched]) for k in (1, 2, 4))
    parts: list[tuple[Floats, ...]] = []
    for own, (track, seen, z, features, frame) in enumerate(watched):
        t, xy = track.t_s, track.xy_m
        if t[-1] - t[0] < history_s + knots[-1] or len(seen) < 2:
            continue
        stride = max(1, round(every_s / float(np.median(np.diff(seen)))))
        i = np.arange(0, len(seen), stride)
        i = i[(seen[i] - seen[0] >= history_s - 1e-6) & (seen[i] + knots[-1] <= t[-1] + 1e-6)]
        if not len(i):
            continue
        truth = np.stack([_at(seen[i] + h, t, xy) for h in knots], axis=1) - z[i][:, None]
        velocity = (z[i] - _at(seen[i] - 0.4, seen, z)) / 0.4
        straight = velocity[:, None] * knots[None, :, None]
        others = np.zeros((len(i), NEIGHBOURS))
        _neighbours(own, start, runs, all_t, all_z, all_frame, start[own] + i, others)
        inputs = np.concatenate([features[i], others], axis=1)
        parts.append((inputs, frame[i], turned(truth, frame[i]), turned(straight, frame[i]), np.full(len(i), track.person)))
    return Windows(*(np.concatenate(column) for column in zip(*parts, strict=True)))


@njit(cache=True)
def _neighbours(own, start, runs, t_s, xy_m, frame, rows, out) -> None:  # type: ignore[no-untyped-def]
    """Write what the others of the same run are to a track at its ``rows``, from what had been seen of them by then."""
    n = len(start) - 1
    who, place, velocity = np.zeros(n, np.bool_), np.zeros((n, 2)), np.zeros((n, 2))
    for q in range(len(rows)):
        now = t_s[rows[q]]
        for k in range(n):
            who[k] = False
            if runs[k] != runs[own]:
                continue
            j = start[k] + np.searchsorted(t_s[start[k] : start[k + 1]], now + 1e-6) - 1
            if j < start[k] or now - t_s[j] > SEEN_US * 1e-6:
                continue
            who[k] = True
            for c in range(2):
                velocity[k, c] = frame[j, 2] * frame[j, c]
                place[k, c] = xy_m[j, c] + velocity[k, c] * (now - t_s[j])
        neighbour_features(own, who, place, velocity, frame[rows[q]], out[q])


def turned(vector: Floats, frame: Floats) -> Floats:
    """Return (k, H, 2) hall vectors along and across the body frames (k, 5)."""
    e = frame[:, None, :2]
    along = (vector * e).sum(-1)
    across = vector[..., 1] * e[..., 0] - vector[..., 0] * e[..., 1]
    return np.stack([along, across], axis=-1)


def _at(when: Floats, t: Floats, xy: Floats) -> Floats:
    return np.stack([np.interp(when, t, xy[:, c]) for c in range(2)], axis=-1)
