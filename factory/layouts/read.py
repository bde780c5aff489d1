"""Which reader a file is for, and units that the user gives."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from factory.errors import UserError
from factory.layouts.boxes_csv import read_boxes_csv
from factory.layouts.dxf import UNITS_M, read_dxf
from factory.layouts.found import Found
from factory.layouts.lif import read_lif
from factory.layouts.opentcs import read_opentcs
from factory.layouts.report import LayoutError, Report
from factory.layouts.rmf import read_rmf
from factory.layouts.ros_map import DEFAULT_CELL_M, read_ros_map

KINDS = ("lif", "opentcs", "rmf", "ros", "dxf", "csv")


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read a file; None leaves it to the file.

    Attributes
    ----------
    kind : one of ``KINDS``.
    level : layout or floor to take (LIF, RMF). graph : lanes to take (RMF).
    scale : metres per pixel (RMF).
    units : unit of the file's numbers: m, mm, cm, in, ft.
    layers : YAML file that maps layers (DXF).
    cell_m : side of the squares that an occupancy map is made of [m].
    """

    kind: str | None = None
    level: str | None = None
    graph: int | None = None
    scale: float | None = None
    units: str | None = None
    layers: Path | None = None
    cell_m: float = DEFAULT_CELL_M


def kind_of(path: Path) -> str:
    """Tell the kind of a layout file by its name and first characters.

    Raises
    ------
    LayoutError
        If neither says what it is.
    """
    name, suffix = path.name.lower(), path.suffix.lower()
    if name.endswith((".building.yaml", ".building.yml")):
        return "rmf"
    by_suffix = {".dxf": "dxf", ".csv": "csv", ".xml": "opentcs", ".json": "lif", ".lif": "lif"}
    if suffix in by_suffix:
        return by_suffix[suffix]
    if suffix in (".yaml", ".yml"):
        try:
            head = path.read_bytes()[:200_000].decode("utf-8", "replace")
        except OSError as error:
            raise LayoutError(str(path), "", f"cannot be read: {error.strerror or error}") from None
        lines = {line.partition(":")[0] for line in head.splitlines()}
        if "levels" in lines:
            return "rmf"
        if {"image", "resolution"} & lines:
            return "ros"
    raise LayoutError(str(path), "", f"nothing tells what kind of layout this is; name it with --kind ({', '.join(KINDS)})")


def read_layout(path: Path, reading: Reading) -> Found:
    """Read a layout file of any kind.

    Raises
    ------
    LayoutError
        With file and place, if it cannot be used.
    UserError
        If an option does not go with the kind.
    """
    kind = reading.kind or kind_of(path)
    if kind not in KINDS:
        raise UserError(f"--kind {kind}: give one of {', '.join(KINDS)}")
    _options_fit(reading, kind)
    report = Report(str(path), kind)
    if kind == "lif":
        found = read_lif(path, report, reading.level)
    elif kind == "opentcs":
        found = read_opentcs(path, report)
    elif kind == "rmf":
        found = read_rmf(path, report, reading.level, reading.graph, reading.scale)
    elif kind == "ros":
        found = read_ros_map(path, report, reading.cell_m)
    elif kind == "dxf":
        found = read_dxf(path, report, reading.layers, reading.units)
    else:
        found = read_boxes_csv(path, report)
    report.read(
        "",
        f"{len(found.nodes)} nodes, {len(found.lanes)} lanes, {len(found.stations)} stations, {len(found.boxes)} boxes, "
        f"{len(found.zones)} zones, as the file gives them",
    )
    if reading.units is not None and kind != "dxf":
        found = _in_metres(found, reading.units)
    return found


def _options_fit(reading: Reading, kind: str) -> None:
    for option, value, kinds in (
        ("--level", reading.level, ("lif", "rmf")),
        ("--graph", reading.graph, ("rmf",)),
        ("--scale", reading.scale, ("rmf",)),
        ("--layers", reading.layers, ("dxf",)),
        ("--units", reading.units, ("lif", "dxf")),
    ):
        if value is not None and kind not in kinds:
            raise UserError(f"{option} goes with {' and '.join(kinds)} files, not with {kind}; leave it out")
    if kind == "dxf" and reading.layers is None:
        raise UserError("a DXF file needs --layers layers.yaml, which says what its layers are; docs/layouts.md shows one")
    if reading.units is not None and reading.units not in UNITS_M:
        raise UserError(f"--units {reading.units}: give one of {', '.join(UNITS_M)}")


def _in_metres(found: Found, units: str) -> Found:
    """Scale everything found from another unit."""
    k = UNITS_M[units]
    if k == 1.0:
        return found
    found.report.assumed("", f"numbers are taken as {units}, as --units says")
    found.nodes = [replace(n, x_m=k * n.x_m, y_m=k * n.y_m) for n in found.nodes]
    found.boxes = [
        replace(
            b, x_m=k * b.x_m, y_m=k * b.y_m, length_m=k * b.length_m, width_m=k * b.width_m,
            height_m=None if b.height_m is None else k * b.height_m,
        )
        for b in found.boxes
    ]  # fmt: skip
    found.stations = [
        replace(s, x_m=None if s.x_m is None else k * s.x_m, y_m=None if s.y_m is None else k * s.y_m) for s in found.stations
    ]
    return found


def to_json(value: object) -> str:
    """Return JSON as this package writes it."""
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"
