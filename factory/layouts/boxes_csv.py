"""Reader of a CSV of boxes: one row per rack, machine, cell, wall or office.

Columns ``name, kind, x_m, y_m, length_m, width_m`` and, where known, ``z_m`` (its lower edge), ``height_m``, ``yaw_deg``,
``material``; comma or semicolon between them, decimal points. A row of kind ``zone`` names a part of the floor.
"""

from __future__ import annotations

import csv
import difflib
import io
import math
from pathlib import Path

from factory.layouts.found import BOX_KINDS, Found, FoundBox, FoundZone
from factory.layouts.report import Report, shown
from factory.layouts.source import number, read_text
from radio.propagation.materials import MATERIALS

_NEEDED = ("name", "kind", "x_m", "y_m", "length_m", "width_m")
_OPTIONAL = ("z_m", "height_m", "yaw_deg", "material")
_HANGS_M = 0.3


def read_boxes_csv(path: Path, report: Report) -> Found:
    """Read the boxes of a CSV file.

    Raises
    ------
    LayoutError
        With line and column, where a value cannot be used.
    """
    text = read_text(path)
    first = text.splitlines()[0]
    separator = ";" if first.count(";") > first.count(",") else ","
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    found = Found(path.stem, report)
    try:
        columns = _columns(report, [cell.strip() for cell in next(rows)])
        for row in rows:
            if any(cell.strip() for cell in row):
                _row(found, columns, row, rows.line_num)
    except csv.Error as error:
        raise report.error(f":{rows.line_num}", f"not valid CSV: {error}") from None
    if not found.boxes and not found.zones:
        raise report.error("", "has a header and no rows")
    report.missing("", "lanes: a CSV of boxes has none; add robots.routes to drive AGVs")
    return found


def _columns(report: Report, header: list[str]) -> dict[str, int]:
    """Return where each known column is."""
    known = (*_NEEDED, *_OPTIONAL)
    columns: dict[str, int] = {}
    for i, name in enumerate(header):
        if name in columns:
            raise report.error(f":1:{i + 1}", f"column {name!r} is there twice")
        if name in known:
            columns[name] = i
        else:
            near = difflib.get_close_matches(name, known, 1, 0.5)
            report.ignored(f"line 1, column {i + 1}", f"{name!r} is not known" + (f"; did you mean {near[0]!r}?" if near else ""))
    for name in _NEEDED:
        if name not in columns:
            raise report.error(
                ":1", f"column {name!r} is missing; give {', '.join(_NEEDED)} and, where known, {', '.join(_OPTIONAL)}"
            )
    return columns


def _row(found: Found, columns: dict[str, int], row: list[str], line: int) -> None:
    report = found.report

    def cell(name: str) -> str:
        return row[columns[name]].strip() if name in columns and columns[name] < len(row) else ""

    def value(name: str, low: float, high: float) -> float:
        read = number(cell(name))
        if read is None or not low <= read <= high:
            raise report.error(
                f":{line}:{columns[name] + 1}", f"{name} is {shown(cell(name))}; give a number from {low:g} to {high:g}"
            )
        return read

    def optional(name: str, low: float, high: float) -> float | None:
        return value(name, low, high) if cell(name) else None

    if len(row) > max(columns.values()) + 1 and any(c.strip() for c in row[len(columns) :]):
        report.ignored(f"line {line}", f"{len(row)} cells, more than the header has")
    name, kind, place = cell("name") or f"box-{line}", cell("kind").lower(), f"line {line}"
    x, y = value("x_m", -1e6, 1e6), value("y_m", -1e6, 1e6)
    length, width = value("length_m", 0.001, 500), value("width_m", 0.001, 500)
    if kind == "zone":
        found.zones.append(FoundZone(name, (x - length / 2, x + length / 2), (y - width / 2, y + width / 2), place))
        return
    if kind not in BOX_KINDS:
        near = difflib.get_close_matches(kind, (*BOX_KINDS, "zone"), 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise report.error(f":{line}:{columns['kind'] + 1}", f"kind is {shown(kind)}, none of {', '.join(BOX_KINDS)}, zone{hint}")
    material = cell("material") or None
    if material is not None and material not in MATERIALS:
        near = difflib.get_close_matches(material, MATERIALS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise report.error(
            f":{line}:{columns['material'] + 1}", f"material is {shown(material)}, none of {', '.join(sorted(MATERIALS))}{hint}"
        )
    z, height = optional("z_m", -100, 500) or 0.0, optional("height_m", 0.001, 500)
    if z > _HANGS_M:
        report.ignored(place, f"{kind} {name!r} hangs {z:g} m above the floor; the twin's boxes stand on it")
        return
    if height is not None and z:
        if height + z <= 0:
            report.ignored(place, f"{kind} {name!r} ends below the floor")
            return
        report.repaired(
            place, f"{kind} {name!r} begins at {z:g} m; it is made to stand on the floor and to end at {height + z:g} m"
        )
        height += z
    yaw = optional("yaw_deg", -360, 360) or 0.0
    found.boxes.append(FoundBox(name, kind, x, y, length, width, height, math.remainder(yaw, 360.0), material, place))
