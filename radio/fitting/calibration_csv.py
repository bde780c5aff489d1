"""Read a log of measured RSRP: one row per TRP, place and time.

Columns ``time_s, trp, x_m, y_m, z_m, rsrp_dbm``; a blank ``rsrp_dbm`` means that the TRP was not heard. Optional columns:
``beam`` (index in the TRP's codebook, blank for its strongest) and ``heading_deg`` (yaw of the device; without it the receiver
is taken as equally sensitive all round). Every other column is left alone.

Logs are noisy, have gaps, repeat rows and come unsorted: that is put right and counted. What cannot be a measurement in this
hall is refused, with its line.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from radio.config import RadioConfig
from radio.propagation.geometry import Hall
from radio.types import FloatArray, IntArray

REQUIRED_COLUMNS = ("time_s", "trp", "x_m", "y_m", "z_m", "rsrp_dbm")
# A tag in a pocket is a few decimetres off, so a row that close behind a face is left out and not refused.
POSITION_ERROR_M = 0.5
LOWEST_RSRP_DBM = -200.0
HIGHEST_RSRP_DBM = 10.0


@dataclass(frozen=True, slots=True)
class MeasurementLog:
    """A log as arrays, in the order of time.

    Attributes
    ----------
    time_s : (N,) time [s].
    trp : (N,) index of the TRP in the configuration.
    position_m : (N, 3) place of the device [m].
    rsrp_dbm : (N,) RSRP [dBm], NaN where the TRP was not heard.
    beam : (N,) beam of the TRP, -1 where the log names none.
    heading_rad : (N,) yaw of the device [rad], NaN where the log has none.
    line : (N,) line of the file, the header being line 1.
    reordered : rows that stood before an earlier one in the file.
    repeated : exact repetitions, which were left out.
    conflicting : rows with the time, place, TRP and beam of another one but a different RSRP, which were kept.
    off_floor : rows left out because they lie a little outside the hall or inside a box.
    """

    time_s: FloatArray
    trp: IntArray
    position_m: FloatArray
    rsrp_dbm: FloatArray
    beam: IntArray
    heading_rad: FloatArray
    line: IntArray
    reordered: int = 0
    repeated: int = 0
    conflicting: int = 0
    off_floor: int = 0

    @property
    def n_heard(self) -> int:
        """Rows that have an RSRP."""
        return int(np.count_nonzero(~np.isnan(self.rsrp_dbm)))


def read_log(lines: Iterable[str], config: RadioConfig, hall: Hall) -> MeasurementLog:
    """Read a log.

    Parameters
    ----------
    lines : the CSV text line by line, for example an open file.
    config : radio section of the scenario that the log is of.
    hall : its hall.

    Raises
    ------
    ValueError
        Naming line, column, value and what would be right: a missing column, a row of the wrong length, a field that is no
        finite number, an unknown TRP or beam, a place outside the hall or inside a box by more than ``POSITION_ERROR_M``, an
        RSRP that is no power in dBm, a log without rows or without any value, or one value in every row.
    """
    names = [t.name for t in config.trps]
    beams = [t.panel.rows * t.panel.columns for t in config.trps]
    reader = csv.reader(lines)
    header = [h.strip().lstrip("\ufeff") for h in next(reader, [])]
    at = _columns(header)
    rows: list[tuple[float, ...]] = []
    for fields in reader:
        line = reader.line_num
        if not any(f.strip() for f in fields):
            continue
        if len(fields) != len(header):
            raise ValueError(f"line {line}: {len(fields)} fields, but the header names {len(header)} columns")
        rows.append(_row(fields, at, names, beams, line))
    if not rows:
        raise ValueError("the log has a header but no rows; wanted at least one row per TRP and place")
    return _log(np.array(rows), names, hall)


def _columns(header: Sequence[str]) -> dict[str, int]:
    if len(header) == 1 and ";" in header[0]:
        raise ValueError("line 1: columns are separated by ';', wanted ',' (and a decimal point)")
    for name in REQUIRED_COLUMNS:
        if name not in header:
            raise ValueError(
                f"line 1: column {name!r} is missing; the header has {', '.join(header) or 'nothing'}, "
                f"wanted {', '.join(REQUIRED_COLUMNS)}"
            )
    twice = sorted({h for h in header if h and header.count(h) > 1 and h in (*REQUIRED_COLUMNS, "beam", "heading_deg")})
    if twice:
        raise ValueError(f"line 1: column {twice[0]!r} stands twice; keep one")
    return {h: i for i, h in enumerate(header)}


def _row(fields: Sequence[str], at: dict[str, int], names: Sequence[str], beams: Sequence[int], line: int) -> tuple[float, ...]:
    def text(column: str) -> str:
        return fields[at[column]].strip() if column in at else ""

    def number(column: str, unit: str) -> float:
        value = text(column)
        try:
            found = float(value)
        except ValueError:
            found = math.nan
        if not math.isfinite(found):
            raise ValueError(f"line {line}: {column} is {value!r}, wanted a finite number in {unit}")
        return found

    trp = text("trp")
    if trp not in names:
        raise ValueError(f"line {line}: trp is {trp!r}, which the scenario does not have; it has {', '.join(names)}")
    t = names.index(trp)
    rsrp = math.nan
    if text("rsrp_dbm"):
        try:
            rsrp = number("rsrp_dbm", "dBm")
        except ValueError as error:
            raise ValueError(f"{error}, or nothing where the TRP was not heard") from None
        if not LOWEST_RSRP_DBM <= rsrp <= HIGHEST_RSRP_DBM:
            raise ValueError(
                f"line {line}: rsrp_dbm is {rsrp:g}, wanted a power in dBm between {LOWEST_RSRP_DBM:g} and {HIGHEST_RSRP_DBM:g} "
                "(for example -82.5; a blank field where the TRP was not heard)"
            )
    beam = -1.0
    if text("beam"):
        beam = number("beam", "index")
        if beam != int(beam) or not 0 <= beam < beams[t]:
            raise ValueError(f"line {line}: beam is {text('beam')!r}, wanted 0 to {beams[t] - 1}, the beams of {trp!r}")
    heading = math.radians(number("heading_deg", "degrees")) if text("heading_deg") else math.nan
    position = (number("x_m", "m"), number("y_m", "m"), number("z_m", "m"))
    return (number("time_s", "s"), t, *position, rsrp, beam, heading, line)


def _log(table: FloatArray, names: Sequence[str], hall: Hall) -> MeasurementLog:
    off = _off_floor(table, hall)
    reordered = int(np.count_nonzero(np.diff(table[:, 0]) < 0))
    table = table[~off]
    # In time, then TRP, then as written; NaN counts as equal to itself.
    table = table[np.lexsort((table[:, 8], table[:, 1], table[:, 0]))]
    same = np.nan_to_num(table[:, :8], nan=-1e9)
    _, first = np.unique(same, axis=0, return_index=True)
    repeated = len(table) - len(first)
    table = table[np.sort(first)]
    key = np.nan_to_num(table[:, [0, 1, 2, 3, 4, 6, 7]], nan=-1e9)
    conflicting = len(table) - len(np.unique(key, axis=0))
    rsrp = table[:, 5]
    heard = rsrp[~np.isnan(rsrp)]
    if heard.size == 0:
        raise ValueError("no row of the log has an rsrp_dbm inside the hall; there is nothing to calibrate to")
    moved = np.ptp(table[~np.isnan(rsrp), 2:5], axis=0).max() > 1.0 or len(np.unique(table[~np.isnan(rsrp), 1])) > 1
    if heard.size >= 10 and moved and np.ptp(heard) == 0.0:
        raise ValueError(
            f"rsrp_dbm is {heard[0]:g} in all {heard.size} rows, at every place and of every TRP; "
            "a receiver that measures shows some variation"
        )
    return MeasurementLog(
        time_s=table[:, 0].copy(),
        trp=table[:, 1].astype(np.int64),
        position_m=table[:, 2:5].copy(),
        rsrp_dbm=rsrp.copy(),
        beam=table[:, 6].astype(np.int64),
        heading_rad=table[:, 7].copy(),
        line=table[:, 8].astype(np.int64),
        reordered=reordered,
        repeated=repeated,
        conflicting=conflicting,
        off_floor=int(off.sum()),
    )


def _off_floor(table: FloatArray, hall: Hall) -> np.ndarray:
    """Rows a little outside the free space; raises for those far outside."""
    point = table[:, 2:5]
    outside = ~hall.contains(point)
    inside = hall.inside_any_box(point)
    for i in np.flatnonzero(outside):
        beyond = np.maximum(-point[i], point[i] - hall.size_m)
        axis = int(np.argmax(beyond))
        if beyond[axis] > POSITION_ERROR_M:
            raise ValueError(
                f"line {int(table[i, 8])}: {'xyz'[axis]}_m is {point[i, axis]:g}, outside the hall; "
                f"wanted 0 to {hall.size_m[axis]:g} m"
            )
    for i in np.flatnonzero(inside):
        depth, box = max((_depth_m(hall, k, point[i]), k) for k in range(len(hall.box_material)))
        if depth > POSITION_ERROR_M:
            raise ValueError(
                f"line {int(table[i, 8])}: x_m, y_m, z_m are {point[i, 0]:g}, {point[i, 1]:g}, {point[i, 2]:g}, {depth:.2g} m "
                f"inside box {box} centred at {hall.box_center_m[box].tolist()} m; wanted a place in the free space of the hall"
            )
    off: np.ndarray = outside | inside
    return off


def _depth_m(hall: Hall, k: int, point: FloatArray) -> float:
    """How far a point lies behind the nearest face of a box other than its bottom, below 0 outside it [m]."""
    d = point - hall.box_center_m[k]
    cos, sin = math.cos(hall.box_yaw_rad[k]), math.sin(hall.box_yaw_rad[k])
    half = hall.box_half_m[k]
    across = abs(d[1] * cos - d[0] * sin)
    return float(min(half[0] - abs(d[0] * cos + d[1] * sin), half[1] - across, half[2] - d[2]))
