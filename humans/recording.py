"""Recorded tracks: a CSV with t, id, x, y, read with errors that name file, line and column."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from humans.types import FloatArray

COLUMNS = ("t", "id", "x", "y")
_GAP_S = 4.0  # a track that is silent for longer is somebody who left and came back


class ReplayError(ValueError):
    """A recording that cannot be used; the text begins with file, line and column."""


@dataclass(frozen=True, slots=True)
class Track:
    """One recorded person: times (k,) [s] from the recording's start, positions (k, 2) [m]."""

    time_s: FloatArray
    xy_m: FloatArray


def read_tracks(path: Path, scale: float = 1.0) -> list[Track]:
    """Read a CSV with the columns t [s], id, x, y; others are left alone.

    Parameters
    ----------
    path : the file.
    scale : metres per unit of x and y.

    Raises
    ------
    ReplayError
        For a file that cannot be read, is empty, lacks a column, or holds a value that is no finite number or a time that
        steps back within a track.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ReplayError(f"{path}: no such file; give a CSV with the columns t, id, x, y") from None
    except UnicodeDecodeError:
        raise ReplayError(f"{path}: not a text file; give a CSV with the columns t, id, x, y") from None
    except OSError as error:
        raise ReplayError(f"{path}: cannot be read ({error.strerror}); give a CSV with the columns t, id, x, y") from None
    rows = csv.reader(text.splitlines())
    try:
        return _tracks(path, rows, scale)
    except csv.Error as error:
        raise ReplayError(f"{path}:{rows.line_num}:1: not a CSV ({error}); give a CSV with the columns t, id, x, y") from None


def _tracks(path: Path, rows: Iterator[list[str]], scale: float) -> list[Track]:
    header = next(rows, None)
    if header is None or not any(h.strip() for h in header):
        raise ReplayError(f"{path}:1:1: the file is empty; its first line must name the columns t, id, x, y")
    names = [h.strip() for h in header]
    for column in COLUMNS:
        if column not in names:
            raise ReplayError(f"{path}:1:1: no column {column!r} among {', '.join(names)}; t [s], id, x, y [m] are needed")
    at = {c: names.index(c) for c in COLUMNS}
    tracks: dict[str, list[tuple[float, float, float]]] = {}
    for line, row in enumerate(rows, 2):
        if not row or not any(cell.strip() for cell in row):
            continue
        if len(row) < len(names):
            raise ReplayError(f"{path}:{line}:1: {len(row)} values, the header names {len(names)} columns")
        if not row[at["id"]].strip():
            raise ReplayError(f"{path}:{line}:{at['id'] + 1}: id is empty, wanted the name or number of a track")
        t, x, y = (_number(path, line, at[c] + 1, c, row[at[c]]) for c in ("t", "x", "y"))
        track = tracks.setdefault(row[at["id"]].strip(), [])
        if track and t <= track[-1][0]:
            raise ReplayError(
                f"{path}:{line}:{at['t'] + 1}: t {t:g} of track {row[at['id']].strip()} does not follow {track[-1][0]:g}; "
                "times must grow within a track"
            )
        track.append((t, x * scale, y * scale))
    if not tracks:
        raise ReplayError(f"{path}:1:1: no tracks, only a header; the file is empty of people")
    start = min(track[0][0] for track in tracks.values())
    out = []
    for points in tracks.values():
        data = np.array(points)
        for piece in np.split(data, np.flatnonzero(np.diff(data[:, 0]) > _GAP_S) + 1):
            if len(piece) > 1:
                out.append(Track(piece[:, 0] - start, piece[:, 1:3]))
    if not out:
        raise ReplayError(f"{path}: every track has a single point; at least two are needed to walk")
    return sorted(out, key=lambda track: float(track.time_s[0]))


def _number(path: Path, line: int, column: int, name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ReplayError(f"{path}:{line}:{column}: {name} is {text.strip()!r}, wanted a number") from None
    if not math.isfinite(value):
        raise ReplayError(f"{path}:{line}:{column}: {name} is {text.strip()}, wanted a finite number")
    return value
