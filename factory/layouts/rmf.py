"""Reader of Open-RMF building maps (``*.building.yaml`` of the traffic editor): one level, in pixels scaled by its measurements.

Parameters are pairs ``[type, value]`` there. ``reference_image`` maps count y downwards from the picture's corner;
``cartesian_meters`` maps are metres with y up.
"""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

from factory.layouts.found import Found, FoundBox, FoundLane, FoundNode, FoundStation, FoundVehicle
from factory.layouts.report import Report, shown
from factory.layouts.source import line_of, need_number, number, read_yaml

WALL_THICKNESS_M = 0.1  # the traffic editor draws walls without a thickness; its world generator makes them 0.1 m
_IGNORED = {
    "models": "models have no size in the file",
    "floors": "the twin's hall has one floor of one material",
    "features": "aids for aligning pictures",
    "constraints": "aids for aligning pictures",
    "layers": "pictures drawn over the plan",
    "drawing": "the picture itself",
    "human_lanes": "people find their own ways",
}


def read_rmf(path: Path, report: Report, level: str | None = None, graph: int | None = None, scale: float | None = None) -> Found:
    """Read a level of a building map.

    Parameters
    ----------
    path : the YAML file.
    report : gets every repair.
    level : name of the level; the one with most lanes when absent.
    graph : ``graph_idx`` of the lanes to take; the one with most lanes on the level when absent.
    scale : metres per pixel, instead of the measurements.

    Raises
    ------
    LayoutError
        If it is no building map, has no such level or graph, or nothing says how long a pixel is.
    """
    root = read_yaml(path)
    levels = root.get("levels") if isinstance(root, dict) else None
    if not isinstance(levels, dict) or not levels:
        raise report.error("levels", "is missing or empty; a building map has at least one level with vertices")
    system = root.get("coordinate_system", "reference_image")
    if system not in ("reference_image", "cartesian_meters"):
        raise report.error(
            line_of(root, "coordinate_system"),
            f"coordinate_system {shown(system)} is not read; export the map as reference_image or cartesian_meters",
        )
    name = _choose(levels, level, report)
    chosen = levels[name]
    pixels = system == "reference_image"
    scale_m = (scale or _scale(levels, name, report)) if pixels else 1.0
    if scale is not None and not (math.isfinite(scale) and scale > 0):
        raise report.error("", f"--scale {scale:g}: give metres per pixel, more than 0")
    found = Found(f"{root.get('name') or path.stem.split('.')[0]} {name}", report)
    vertices = _vertices(chosen, name, report, scale_m, -1.0 if pixels else 1.0)
    _lanes(found, chosen, name, vertices, graph)
    _walls(found, chosen, name, vertices)
    doors = _entries(chosen, "doors")
    if doors:
        report.read(f"levels.{name}.doors", f"{len(doors)} doors, taken as open: the twin's boxes do not move")
    for key, why in _IGNORED.items():
        value = chosen.get(key)
        if value:
            report.ignored(
                f"levels.{name}.{key}", f"{len(value) if hasattr(value, '__len__') else 1} entries: {why}{_kinds(key, value)}"
            )
    for key, value in root.items():
        if key not in ("levels", "coordinate_system", "name") and value:
            report.ignored(str(key), f"{len(value) if hasattr(value, '__len__') else 1} entries: not modelled")
    return found


def _kinds(key: str, value: Any) -> str:
    if key != "models" or not isinstance(value, list):
        return ""
    kinds = Counter(str(m.get("model_name", "?")).rpartition("/")[2] for m in value if isinstance(m, dict))
    return " (" + ", ".join(f"{n} {kind}" for kind, n in kinds.most_common(5)) + (", ...)" if len(kinds) > 5 else ")")


def _entries(level: Any, key: str) -> list[Any]:
    value = level.get(key)
    return value if isinstance(value, list) else []


def _choose(levels: dict[str, Any], wanted: str | None, report: Report) -> str:
    usable = [str(name) for name, level in levels.items() if isinstance(level, dict)]
    if wanted is not None and wanted not in usable:
        raise report.error("levels", f"there is no level {wanted!r}; there is {', '.join(usable) or 'none'}")
    if not usable:
        raise report.error("levels", "no level is a mapping with vertices")
    name = wanted or max(usable, key=lambda n: len(_entries(levels[n], "lanes")))
    for other in usable:
        if other != name:
            report.ignored(
                f"levels.{other}",
                f"{len(_entries(levels[other], 'lanes'))} lanes, {len(_entries(levels[other], 'walls'))} walls: the twin has one "
                f"floor; take it with --level {other}",
            )
    return name


def _parameter(entry: Any, key: str) -> Any:
    """Return the value of a parameter ``key: [type, value]`` in the mapping that ends a list entry."""
    parameters = entry[-1] if isinstance(entry, list) and entry and isinstance(entry[-1], dict) else {}
    value = parameters.get(key)
    return value[1] if isinstance(value, list) and len(value) == 2 else value


def _graph(lane: Any) -> int:
    """Return the graph that a lane is of; 0, the editor's own default, where the entry says nothing usable."""
    index = _parameter(lane, "graph_idx")
    return index if isinstance(index, int) and not isinstance(index, bool) else 0


def _raw_points(level: Any) -> list[tuple[float, float] | None]:
    points: list[tuple[float, float] | None] = []
    for vertex in _entries(level, "vertices"):
        pair = [number(v) for v in vertex[:2]] if isinstance(vertex, list) and len(vertex) >= 2 else [None, None]
        points.append(None if pair[0] is None or pair[1] is None else (pair[0], pair[1]))
    return points


def _ends(entry: Any, n: int) -> tuple[int, int] | None:
    if not isinstance(entry, list) or len(entry) < 2:
        return None
    a, b = entry[0], entry[1]
    if isinstance(a, bool) or isinstance(b, bool) or not isinstance(a, int) or not isinstance(b, int):
        return None
    return (a, b) if 0 <= a < n and 0 <= b < n else None


def _scale(levels: dict[str, Any], name: str, report: Report) -> float:
    """Metres per pixel: the mean of the level's measurements, else that of a level which shares two fiducials with it."""
    own = _measured(levels[name], name, report)
    if own is not None:
        return own
    for other, level in levels.items():
        theirs = _measured(level, other, report) if other != name and isinstance(level, dict) else None
        if theirs is None:
            continue
        here, there = _fiducials(levels[name]), _fiducials(level)
        shared = sorted(here.keys() & there.keys())
        ratios = [
            math.dist(there[a], there[b]) / math.dist(here[a], here[b])
            for i, a in enumerate(shared)
            for b in shared[i + 1 :]
            if math.dist(here[a], here[b]) > 0
        ]
        if ratios:
            report.repaired(
                f"levels.{name}.measurements", f"is empty; the scale is that of level {other} through {len(shared)} fiducials"
            )
            return theirs * sum(ratios) / len(ratios)
    raise report.error(
        f"levels.{name}.measurements", "no usable measurement says how long a pixel is; give metres per pixel with --scale"
    )


def _fiducials(level: Any) -> dict[str, tuple[float, float]]:
    result = {}
    for entry in _entries(level, "fiducials"):
        if isinstance(entry, list) and len(entry) >= 3:
            x, y = number(entry[0]), number(entry[1])
            if x is not None and y is not None:
                result[str(entry[2])] = (x, y)
    return result


def _measured(level: Any, name: str, report: Report) -> float | None:
    points, scales = _raw_points(level), []
    for i, entry in enumerate(_entries(level, "measurements")):
        place = f"{line_of(_entries(level, 'measurements'), i)}: levels.{name}.measurements[{i}]"
        ends = _ends(entry, len(points))
        a, b = (points[ends[0]], points[ends[1]]) if ends else (None, None)
        distance = number(_parameter(entry, "distance"))
        if a is None or b is None:
            report.ignored(place, "names vertices that there are not")
        elif distance is None or distance <= 0 or math.dist(a, b) == 0:
            report.ignored(
                place, f"says that {math.dist(a, b):g} pixels are {shown(_parameter(entry, 'distance'))} m; not usable"
            )
        else:
            scales.append(distance / math.dist(a, b))
    if not scales:
        return None
    if max(scales) > 1.05 * min(scales):
        report.repaired(
            f"levels.{name}.measurements", f"give from {min(scales):.4g} to {max(scales):.4g} m a pixel; their mean is taken"
        )
    return sum(scales) / len(scales)


def _vertices(level: Any, name: str, report: Report, scale_m: float, up: float) -> list[tuple[float, float, str, Any, str]]:
    """Return x, y [m], name, entry and place of every vertex."""
    vertices, result = _entries(level, "vertices"), []
    for i, vertex in enumerate(vertices):
        place = f"{line_of(vertices, i)}: levels.{name}.vertices[{i}]"
        if not isinstance(vertex, list) or len(vertex) < 2:
            raise report.error(place, f"is {shown(vertex)}; a vertex is a list of x, y, z, name")
        x, y = need_number(report, place, "x", vertex[0]), need_number(report, place, "y", vertex[1])
        called = str(vertex[3]) if len(vertex) > 3 and isinstance(vertex[3], str) else ""
        result.append((x * scale_m, up * y * scale_m, called, vertex, place))
    return result


def _lanes(found: Found, level: Any, name: str, vertices: list[tuple[float, float, str, Any, str]], graph: int | None) -> None:
    report, lanes = found.report, _entries(level, "lanes")
    graphs = Counter(_graph(lane) for lane in lanes)
    if graph is None and graphs:
        graph = graphs.most_common(1)[0][0]
    elif graph is not None and graph not in graphs:
        raise report.error(
            f"levels.{name}.lanes", f"no lane has graph_idx {graph}; there is {', '.join(map(str, sorted(graphs)))}"
        )
    for other, n in sorted(graphs.items()):
        if other != graph:
            report.ignored(f"levels.{name}.lanes", f"{n} lanes of graph {other}: another fleet's; take them with --graph {other}")
    used: dict[int, str] = {}
    kept = []
    for i, lane in enumerate(lanes):
        place = f"{line_of(lanes, i)}: levels.{name}.lanes[{i}]"
        ends = _ends(lane, len(vertices))
        if ends is None:
            report.ignored(place, f"its ends {shown(lane[0] if isinstance(lane, list) and lane else lane)} ... are no vertices")
            continue
        if _graph(lane) != graph:
            continue
        if ends[0] == ends[1]:
            report.ignored(place, "starts and ends at the same vertex")
            continue
        speed = number(_parameter(lane, "speed_limit"))
        if speed is not None and speed > 5:
            report.repaired(place, f"speed_limit {speed:g} m/s is above the 5 m/s that the twin takes; read as no limit")
            speed = None
        if _parameter(lane, "orientation"):
            report.ignored(place, f"orientation {shown(_parameter(lane, 'orientation'))}: the twin's AGVs drive forwards")
        kept.append((ends, bool(_parameter(lane, "bidirectional")), speed if speed and speed > 0 else None, place))
        for end in ends:
            used.setdefault(end, "")
    names: set[str] = set()
    robots = 0
    for i in sorted(used):
        x, y, called, vertex, place = vertices[i]
        label = called if called and called not in names else f"{called or 'v'}{'-' if called else ''}{i}"
        if called and label != called:
            report.repaired(place, f"the name {called!r} is used before; read as {label!r}")
        names.add(label)
        used[i] = label
        actions = [a for key, a in (("pickup_dispenser", "pick"), ("dropoff_ingestor", "drop")) if _parameter(vertex, key)]
        actions += [a for key, a in (("is_charger", "charge"), ("is_parking_spot", "park")) if _parameter(vertex, key)]
        robots += bool(_parameter(vertex, "spawn_robot_name"))
        found.nodes.append(FoundNode(label, x, y, tuple(actions), bool(called), place, (str(i),)))
        if called and "charge" not in actions:
            found.stations.append(FoundStation(called if label == called else label, (label,), None, None, "desk", place))
    for ends, both, speed, place in kept:
        found.lanes.append(FoundLane(used[ends[0]], used[ends[1]], both, speed, None, place))
    found.vehicle = FoundVehicle(robots or None)


def _walls(found: Found, level: Any, name: str, vertices: list[tuple[float, float, str, Any, str]]) -> None:
    report, walls = found.report, _entries(level, "walls")
    for i, wall in enumerate(walls):
        place = f"{line_of(walls, i)}: levels.{name}.walls[{i}]"
        ends = _ends(wall, len(vertices))
        if ends is None:
            report.ignored(place, f"its ends {shown(wall[0] if isinstance(wall, list) and wall else wall)} ... are no vertices")
            continue
        (ax, ay), (bx, by) = vertices[ends[0]][:2], vertices[ends[1]][:2]
        length = math.hypot(bx - ax, by - ay)
        if length < 1e-6:
            report.ignored(place, "has no length")
            continue
        height = number(_parameter(wall, "texture_height"))
        found.boxes.append(
            FoundBox(
                f"wall-{i}", "wall", (ax + bx) / 2, (ay + by) / 2, length, WALL_THICKNESS_M,
                height if height and height > 0 else None, math.degrees(math.atan2(by - ay, bx - ax)), None, place,
            )
        )  # fmt: skip
    if found.boxes:
        report.assumed(f"levels.{name}.walls", f"{len(found.boxes)} walls are {WALL_THICKNESS_M:g} m thick; the map gives lines")
