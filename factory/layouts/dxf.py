"""Reader of DXF drawings: layers mapped in a YAML file become walls, racks, machines, zones and lanes.

Lines and curves of a box layer become boxes of the layer's thickness, closed outlines one box: the smallest rectangle around.
Lanes are joined where their ends meet or where one ends on another. Block inserts are taken apart; hatches, texts and dimensions
are counted and left.
"""

from __future__ import annotations

import contextlib
import logging
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from ezdxf import recover
from ezdxf.entities.dxfentity import DXFEntity
from ezdxf.entities.insert import Insert
from ezdxf.filemanagement import readfile
from ezdxf.lldxf.const import DXFError
from ezdxf.path import make_path

from factory.layouts.dxf_lanes import join_lanes
from factory.layouts.found import BoxKind, Found, FoundBox, FoundNode, FoundStation, FoundZone
from factory.layouts.layers import LayerConfig, LayersConfig, read_layers
from factory.layouts.outline import smallest_rectangle
from factory.layouts.report import LayoutError, Report
from factory.layouts.source import MAX_BYTES, MAX_COORDINATE

UNITS_M = {"m": 1.0, "mm": 1e-3, "cm": 1e-2, "in": 0.0254, "ft": 0.3048}
_INSUNITS = {1: "in", 2: "ft", 4: "mm", 5: "cm", 6: "m"}  # DXF header variable $INSUNITS
_DRAWN = {"LINE", "LWPOLYLINE", "POLYLINE", "CIRCLE", "ARC", "ELLIPSE", "SPLINE", "SOLID", "TRACE", "3DFACE"}
_DEEPEST = 8  # blocks within blocks
_MOST_PARTS = 200_000
_SAGITTA_M = 0.05  # how far a chord may lie from a curve
_HANGS_M = 0.3


@dataclass(frozen=True, slots=True)
class Drawn:
    """An entity as points: layer, kind, handle, whether it is closed, and its points (x, y) [m]."""

    layer: str
    kind: str
    handle: str
    closed: bool
    points: list[tuple[float, float]]
    high_m: float

    @property
    def place(self) -> str:
        """Where it is in the drawing."""
        return f"layer {self.layer!r}, {self.kind} {self.handle}"


def read_dxf(path: Path, report: Report, layers_file: Path | None, units: str | None) -> Found:
    """Read a drawing.

    Parameters
    ----------
    path, layers_file : the drawing, and what its layers mean.
    report : gets every layer and kind of entity that is left out.
    units : unit of the drawing, instead of the layers file's and the header's.

    Raises
    ------
    LayoutError
        If the drawing or the layers file cannot be used; names layer and entity.
    """
    if layers_file is None:
        raise report.error("", "needs --layers, a YAML file that says what its layers are")
    layers = read_layers(layers_file)
    document = _open(path, report)
    scale_m = _unit(document, layers, units, report)
    found = Found(path.stem, report)
    left = Counter[str]()
    unmapped: dict[str, Counter[str]] = {}
    lanes: list[tuple[Drawn, LayerConfig]] = []
    points: list[tuple[Drawn, LayerConfig]] = []
    for drawn in _entities(document, layers, scale_m, report, left, unmapped):
        config = layers.of(drawn.layer)
        if config is None:
            continue
        if config.meaning == "lane":
            lanes.append((drawn, config))
        elif config.meaning == "zone":
            _zone(found, drawn)
        elif config.meaning in ("wall", "rack", "machine", "cell", "office"):
            _boxes(found, drawn, config)
        else:
            points.append((drawn, config))
    for kind, n in sorted(left.items()):
        report.ignored("", f"{n} entities {kind}: not taken from drawings")
    for layer, kinds in sorted(unmapped.items()):
        what = ", ".join(f"{n} {kind}" for kind, n in kinds.most_common(4))
        report.ignored(f"layer {layer!r}", f"{what}: not in the layers file; add it there, or to its ignore list")
    join_lanes(found, [(d.points, d.closed, d.place, c) for d, c in lanes], layers.snap_m)
    _on_lanes(found, points, report)
    for name, config in layers.layers.items():
        if config.meaning == "lane" and not lanes:
            report.missing(f"layer {name!r}", "no lane is drawn there; add robots.routes to drive AGVs")
    if not (found.boxes or found.nodes or found.zones or found.stations):
        known = ", ".join(sorted(unmapped)[:12]) or "none that is not ignored"
        raise report.error(
            "", f"nothing lies on the layers that {layers_file} names; the drawing's layers with entities: {known}"
        )
    return found


def _open(path: Path, report: Report) -> Any:
    """Return the document; what had to be mended in it stands in the report."""
    if not path.is_file():
        raise report.error("", "is not there, or is no file")
    if path.stat().st_size > MAX_BYTES:
        raise report.error("", f"has {path.stat().st_size / 1e6:.0f} MB; layouts of up to {MAX_BYTES / 1e6:.0f} MB are read")
    logging.getLogger("ezdxf").setLevel(logging.ERROR)  # what it says is said in the report
    try:
        return readfile(path)
    except (OSError, DXFError, ValueError, TypeError, KeyError, IndexError, AttributeError, UnicodeDecodeError) as first:
        with contextlib.suppress(Exception):  # a file that even the recovery cannot read is told about below
            document, auditor = recover.readfile(path)
            problems = [*auditor.fixes, *auditor.errors]
            if len(document.modelspace()) or document.blocks:
                why = str(first).splitlines()[0] if str(first) else type(first).__name__
                report.repaired("", f"is not quite DXF ({why}); read as far as it can be, {len(problems)} faults mended")
                return document
        why = str(first).splitlines()[0] if str(first) else type(first).__name__
        raise LayoutError(str(path), "", f"cannot be read as DXF: {why}") from None


def _unit(document: Any, layers: LayersConfig, units: str | None, report: Report) -> float:
    code = int(document.header.get("$INSUNITS", 0) or 0)
    said = _INSUNITS.get(code)
    wanted = units or layers.units
    if wanted is None and said is None:
        raise report.error(
            "header $INSUNITS", f"is {code}: the drawing does not say its unit; give --units, or units in the layers file"
        )
    if wanted is not None and said is not None and wanted != said:
        report.repaired("header $INSUNITS", f"says {said}; {wanted} is taken as told")
    report.read("", f"drawing in {wanted or said}")
    return UNITS_M[wanted or said or "m"]


def _entities(
    document: Any, layers: LayersConfig, scale_m: float, report: Report, left: Counter[str], unmapped: dict[str, Counter[str]]
) -> Iterator[Drawn]:
    """Yield what is drawn on layers that mean something, inserts taken apart."""
    names = {block.name for block in document.blocks if block.block is not None and block.block.is_xref}
    total = 0
    for entity, layer, handle in _flat(document.modelspace(), "", "", 0, (), report, names):
        total += 1
        if total > _MOST_PARTS:
            raise report.error("", f"has more than {_MOST_PARTS:,} entities once its blocks are taken apart; draw less")
        kind = entity.dxftype()
        if layers.ignores(layer):
            continue
        if layers.of(layer) is None:
            unmapped.setdefault(layer, Counter())[kind] += 1
            continue
        if kind == "POINT":
            x, y, z = entity.dxf.location
            yield _checked(Drawn(layer, kind, handle, False, [(x * scale_m, y * scale_m)], z * scale_m), report)
        elif kind in _DRAWN:
            drawn = _points(entity, layer, handle, scale_m, report)
            if drawn is not None:
                yield _checked(drawn, report)
        else:
            left[kind] += 1


def _flat(
    entities: Iterable[DXFEntity],
    parent_layer: str,
    parent: str,
    depth: int,
    stack: tuple[str, ...],
    report: Report,
    xrefs: set[str],
) -> Iterator[tuple[DXFEntity, str, str]]:
    """Yield entities with layer and handle; those of inserted blocks too, at the place of the insert."""
    for entity in entities:
        layer = str(entity.dxf.get("layer", "0"))
        if layer == "0" and parent_layer:
            layer = parent_layer  # what is drawn on layer 0 of a block takes the layer of its insert
        handle = entity.dxf.get("handle") or parent
        if not isinstance(entity, Insert):
            yield entity, layer, handle
            continue
        name = entity.dxf.name
        place = f"layer {layer!r}, INSERT {handle}"
        if name in xrefs:
            report.ignored(place, f"block {name!r} is another drawing (xref); bind it in the CAD program, or import it by itself")
            continue
        if name in stack:
            report.ignored(place, f"block {name!r} contains itself; the inner one is left out")
            continue
        if depth >= _DEEPEST:
            report.ignored(place, f"block {name!r} lies more than {_DEEPEST} blocks deep; left out")
            continue
        if entity.block() is None:
            report.ignored(place, f"block {name!r} is not in the drawing")
            continue
        try:
            parts = [p for one in (entity.multi_insert() if entity.mcount > 1 else [entity]) for p in one.virtual_entities()]
        except (DXFError, ValueError, ZeroDivisionError, TypeError) as error:
            report.ignored(place, f"block {name!r} cannot be taken apart: {str(error).splitlines()[0]}")
            continue
        yield from _flat(parts, layer, handle, depth + 1, (*stack, name), report, xrefs)


def _points(entity: DXFEntity, layer: str, handle: str, scale_m: float, report: Report) -> Drawn | None:
    kind = entity.dxftype()
    try:
        if kind in ("SOLID", "TRACE", "3DFACE"):
            corners = [entity.dxf.get(f"vtx{i}") for i in ((0, 1, 3, 2) if kind != "3DFACE" else (0, 1, 2, 3))]
            vertices = [v for v in corners if v is not None]
            closed = True
        else:
            path = make_path(entity)
            vertices = list(path.flattening(_SAGITTA_M / scale_m, segments=4))
            closed = path.is_closed
    except (DXFError, ValueError, TypeError, ZeroDivisionError, IndexError) as error:
        report.ignored(
            f"layer {layer!r}, {kind} {handle}", f"has no usable shape: {str(error).splitlines()[0] if str(error) else 'empty'}"
        )
        return None
    points: list[tuple[float, float]] = []
    for v in vertices:
        point = (v.x * scale_m, v.y * scale_m)
        if not points or math.dist(points[-1], point) > 1e-6 or not all(map(math.isfinite, point)):
            points.append(point)
    if len(points) < 2:
        report.ignored(f"layer {layer!r}, {kind} {handle}", "has no extent")
        return None
    return Drawn(layer, kind, handle, closed, points, min((v.z for v in vertices), default=0.0) * scale_m)


def _checked(drawn: Drawn, report: Report) -> Drawn:
    for x, y in drawn.points:
        if not (math.isfinite(x) and math.isfinite(y) and max(abs(x), abs(y)) <= MAX_COORDINATE):
            raise report.error(drawn.place, f"lies at {x:g}, {y:g} m; coordinates are finite and within {MAX_COORDINATE:g} m")
    return drawn


def _boxes(found: Found, drawn: Drawn, config: LayerConfig) -> None:
    """Add the boxes of an entity: one of a closed outline, one per stretch of a line."""
    report = found.report
    kind = cast("BoxKind", config.meaning)  # the caller has looked
    if drawn.high_m > _HANGS_M:
        report.ignored(drawn.place, f"lies {drawn.high_m:g} m above the floor; the twin's boxes stand on it")
        return
    name = f"{drawn.layer}-{drawn.handle}"
    if drawn.closed and kind != "wall":
        x, y, length, width, yaw_deg, share = smallest_rectangle(drawn.points)
        if min(length, width) < 1e-3:
            report.ignored(drawn.place, "its outline has no area")
            return
        if share < 0.97:
            report.repaired(drawn.place, f"its outline fills {100 * share:.0f} % of the rectangle that stands for it")
        found.boxes.append(FoundBox(name, kind, x, y, length, width, config.height_m, yaw_deg, config.material, drawn.place))
        return
    stretches = list(pairwise(drawn.points))
    for k, ((ax, ay), (bx, by)) in enumerate(stretches):
        length = math.hypot(bx - ax, by - ay)
        if length < 1e-3:
            continue
        called = name if len(stretches) == 1 else f"{name}-{k + 1}"
        yaw_deg = math.degrees(math.atan2(by - ay, bx - ax))
        found.boxes.append(
            FoundBox(
                called, kind, (ax + bx) / 2, (ay + by) / 2, length, config.thickness_m, config.height_m, yaw_deg, config.material,
                drawn.place,
            )
        )  # fmt: skip


def _zone(found: Found, drawn: Drawn) -> None:
    xs, ys = [p[0] for p in drawn.points], [p[1] for p in drawn.points]
    if max(xs) - min(xs) < 1e-3 or max(ys) - min(ys) < 1e-3:
        found.report.ignored(drawn.place, "its outline has no area")
        return
    if smallest_rectangle(drawn.points)[5] < 0.97 or len(set(xs)) > 2:
        found.report.repaired(drawn.place, "zones are rectangles along the axes; the one around it is taken")
    found.zones.append(FoundZone(f"{drawn.layer}-{drawn.handle}", (min(xs), max(xs)), (min(ys), max(ys)), drawn.place))


def _on_lanes(found: Found, points: list[tuple[Drawn, LayerConfig]], report: Report) -> None:
    """Give the nearest node the action of a mark, or put a person's station there."""
    for drawn, config in points:
        xs, ys = [p[0] for p in drawn.points], [p[1] for p in drawn.points]
        x, y = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
        name = f"{drawn.layer}-{drawn.handle}"
        near = min(found.nodes, key=lambda n: math.hypot(n.x_m - x, n.y_m - y), default=None)
        if config.meaning == "station":
            ids = (near.id,) if near is not None and math.hypot(near.x_m - x, near.y_m - y) < 3.0 else ()
            found.stations.append(FoundStation(name, ids, x, y, "cell", drawn.place))
            continue
        if near is None or math.hypot(near.x_m - x, near.y_m - y) > 3.0:
            report.ignored(
                drawn.place, f"no lane has a node within 3 m of this {config.meaning}; draw the lane's end or a vertex there"
            )
            continue
        k = found.nodes.index(near)
        found.nodes[k] = FoundNode(
            near.id, near.x_m, near.y_m, tuple(dict.fromkeys((*near.actions, config.meaning))), True, near.place, near.source_ids
        )
        if config.meaning in ("pick", "drop"):
            found.stations.append(FoundStation(name, (near.id,), None, None, "rack", drawn.place))
