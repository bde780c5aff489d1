"""How people move, as numbers: speeds, accelerations, turns, stays and distances of tracks at 0.4 s, recorded or simulated.

The same functions read recorded workers and visitors (THOR, Rudenko et al. 2020) and the twin's own people, so that both sides
are seen through the same instrument.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_Point = tuple[float, float, float]  # t [s], x, y [m]
_Chain = tuple[tuple[int, str], list[_Point]]  # person and role, and where

STEP_S = 0.4
MOVING_MPS, STILL_MPS, STAY_S = 0.6, 0.25, 2.0
"""Faster than this somebody walks; slower than this for longer than this somebody stays."""
_CHAIN_M = 0.8  # a window that begins 0.4 s after another and this near to its end goes on with it
_SAME_M = 0.0015  # steps that differ by no more than the file's rounding were interpolated
_STRAIGHT_STEPS = 5
_NEAR_M = 12.0
_SAME_PLACE_M = 0.5


@dataclass(frozen=True, slots=True)
class Walk:
    """One person over some time, every 0.4 s.

    Attributes
    ----------
    person, role : who, as the recording numbers and names them.
    recording : which recording it belongs to; those of one recording were in the room together. Empty where that is not known.
    time_s : (k,) instants [s].
    xy_m : (k, 2) places [m].
    measured : (k - 1,) whether a step was seen, and not put in between by interpolation.
    """

    person: int
    role: str
    recording: str
    time_s: Floats
    xy_m: Floats
    measured: Bools


@dataclass(frozen=True, slots=True)
class Motion:
    """Samples of each quantity, in no order.

    Attributes
    ----------
    speed_mps : speeds of walking steps (faster than 0.6 m/s).
    acceleration_mps2 : changes of speed between two steps of which at least one is walked.
    turn_radps : changes of direction between two walked steps, without sign.
    stay_s : durations of stays at one place (slower than 0.25 m/s for longer than 2 s) whose begin and end the track holds.
    distance_m : distances of any two people in the room together, below 12 m, every 2 s.
    nearest_m : distance of each person to the nearest other one, every 2 s.
    """

    speed_mps: Floats
    acceleration_mps2: Floats
    turn_radps: Floats
    stay_s: Floats
    distance_m: Floats
    nearest_m: Floats


QUANTITIES = Motion.__slots__


def motion_of(walks: Iterable[Walk]) -> Motion:
    """Measure tracks; see :class:`Motion`."""
    walks = tuple(walks)
    speed, acceleration, turn, stay = [], [], [], []
    for walk in walks:
        step = np.diff(walk.xy_m, axis=0)
        v = np.hypot(*step.T) / STEP_S
        seen = walk.measured
        moving = (v > MOVING_MPS) & seen
        speed.append(v[moving])
        both = seen[1:] & seen[:-1]
        some = both & ((v[1:] > MOVING_MPS) | (v[:-1] > MOVING_MPS))
        acceleration.append(np.diff(v)[some] / STEP_S)
        pair = both & moving[1:] & moving[:-1]
        cross = step[:-1, 0] * step[1:, 1] - step[:-1, 1] * step[1:, 0]
        dot = (step[:-1] * step[1:]).sum(axis=1)
        turn.append(np.abs(np.arctan2(cross, dot))[pair] / STEP_S)
        stay.append(_stays(v, walk.xy_m))
    distance, nearest = _apart(walks)
    whole = [np.concatenate(part) if part else np.zeros(0) for part in (speed, acceleration, turn, stay)]
    return Motion(whole[0], whole[1], whole[2], whole[3], distance, nearest)


def _stays(speed_mps: Floats, xy: Floats) -> Floats:
    """Durations of stays at one place, of which the track holds begin and end."""
    still = speed_mps < STILL_MPS
    edge = np.flatnonzero(np.diff(np.concatenate([[False], still, [False]]).astype(int)))
    begin, end = edge[::2], edge[1::2]
    whole = (begin > 0) & (end < len(still))
    out = []
    for b, e in zip(begin[whole], end[whole], strict=True):
        # A person who was lost for a while seems to glide; such a line ends elsewhere than it began.
        if (e - b) * STEP_S > STAY_S and np.hypot(*(xy[e] - xy[b])) < _SAME_PLACE_M:
            out.append((e - b) * STEP_S)
    return np.array(out, dtype=np.float64)


def _apart(walks: tuple[Walk, ...]) -> tuple[Floats, Floats]:
    """Distances of people who were in the room together, and of each to the nearest, every 2 s."""
    rooms: dict[str, list[Walk]] = {}
    for walk in walks:
        if walk.recording:
            rooms.setdefault(walk.recording, []).append(walk)
    distance, nearest = [], []
    for members in rooms.values():
        at: dict[int, list[Floats]] = {}
        for walk in members:
            tick = np.round((walk.time_s - members[0].time_s[0]) / STEP_S).astype(int)
            seen = walk.measured
            known = np.concatenate([seen, [False]]) | np.concatenate([[False], seen])
            for k, xy in zip(tick[known], walk.xy_m[known], strict=True):
                if k % 5 == 0:
                    at.setdefault(int(k), []).append(xy)
        for places in at.values():
            if len(places) < 2:
                continue
            xy = np.array(places)
            apart = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))
            pairs = apart[np.triu_indices(len(xy), 1)]
            distance.append(pairs[pairs < _NEAR_M])
            nearest.append((apart + 1e9 * np.eye(len(xy))).min(axis=1))
    empty = np.zeros(0)
    return (np.concatenate(distance) if distance else empty, np.concatenate(nearest) if nearest else empty)


def kolmogorov_distance(ours: Floats, theirs: Floats) -> float:
    """Kolmogorov-Smirnov distance of two samples: the largest difference of their distribution functions."""
    a, b = np.sort(ours), np.sort(theirs)
    both = np.concatenate([a, b])
    below_a, below_b = np.searchsorted(a, both, side="right") / len(a), np.searchsorted(b, both, side="right") / len(b)
    return float(np.abs(below_a - below_b).max())


def recorded_file() -> Path | None:
    """Return THOR's tracks from beside the checkout, None where there are none."""
    root = Path(os.environ.get("FACTORY_TWIN_SHARED", Path(__file__).resolve().parents[3] / "shared" / "data"))
    path = root / "people" / "thor_a.csv"
    return path if path.is_file() else None


def read_walks(path: Path) -> tuple[Walk, ...]:
    """Read THOR's windows of eight seconds and join those that go on with one another."""
    windows: dict[int, list[_Point]] = {}
    who: dict[int, tuple[int, str]] = {}
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            windows.setdefault(int(row["id"]), []).append((float(row["t"]), float(row["x"]), float(row["y"])))
            who[int(row["id"])] = int(row["person"]), row["role"]
    return tuple(_walk(points, *key) for key, points in _chains(windows, who))


def _chains(windows: dict[int, list[_Point]], who: dict[int, tuple[int, str]]) -> list[_Chain]:
    open_: list[_Chain] = []
    done: list[_Chain] = []
    for number in sorted(windows, key=lambda k: (windows[k][0][0], k)):
        window = windows[number]
        still_open: list[_Chain] = []
        for chain in open_:
            (done if chain[1][-1][0] < window[0][0] - 2 * STEP_S else still_open).append(chain)
        open_ = still_open
        fits = [
            c
            for c in open_
            if c[0] == who[number] and abs(window[0][0] - c[1][-1][0] - STEP_S) < 0.05 and _gap(c, window) < _CHAIN_M
        ]
        if fits:
            min(fits, key=lambda c: _gap(c, window))[1].extend(window)
        else:
            open_.append((who[number], list(window)))
    return sorted(done + open_, key=lambda c: (c[1][0], c[0]))


def _gap(chain: _Chain, window: list[_Point]) -> float:
    return float(np.hypot(chain[1][-1][1] - window[0][1], chain[1][-1][2] - window[0][2]))


def _walk(points: list[_Point], person: int, role: str) -> Walk:
    data = np.array(points)
    if abs(data[1, 0] - data[0, 0] - STEP_S) > 0.05:  # the recording's first step is half as long
        data = data[1:]
    phase = round(float(data[0, 0]) % 8.0, 1) % 8.0
    step = np.diff(data[:, 1:], axis=0)
    same = np.abs(np.diff(step, axis=0)).max(axis=1) <= _SAME_M
    run = np.zeros(len(step), int)
    for k in range(1, len(step)):
        run[k] = run[k - 1] + 1 if same[k - 1] else 0
    straight = np.zeros(len(step), bool)
    for last in np.flatnonzero(run >= _STRAIGHT_STEPS - 1):
        straight[last - run[last] : last + 1] = True
    recording = f"{phase:g}" if phase in _ALONE else ""
    return Walk(person, role, recording, data[:, 0], data[:, 1:], ~straight)


_ALONE = (1.0, 1.8, 5.8, 6.6, 7.0)
"""Starts of windows, modulo their 8 s, that belong to one recording each; other starts are shared by several recordings."""
