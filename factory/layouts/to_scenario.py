"""A scenario from what was found: the hall around it, boxes, routes, and proposals for what no layout file says.

What the file says, what was assumed and what is only proposed stands beside every section of the YAML as a comment.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from factory.checks import AGV_CLEARANCE_M
from factory.config import BoxConfig, HallConfig
from factory.errors import UserError
from factory.layouts.clear_lanes import clear_lanes, lane_points
from factory.layouts.found import Found, FoundBox, FoundVehicle, unique
from factory.layouts.place import StandingRoom, trp_places
from factory.layouts.repair import connected, describe, listed, make_drivable
from factory.layouts.report import Report
from robots.agv_config import AgvsConfig

LARGEST_M = 500.0  # hall.size_m takes no more
HALL_HEIGHT_M = 6.0
HEIGHT_M = {"wall": 3.0, "rack": 5.0, "machine": 2.2, "cell": 0.9, "office": 2.8}
MATERIAL = {"wall": "concrete", "rack": "chipboard", "machine": "metal", "cell": "metal", "office": "plasterboard"}
MANY_BOXES = 60  # above, paths with one reflection only: the cost of two grows with the square of the faces
EMPTY_HALL_M = 20.0
DEFAULT_AGVS = 4


@dataclass(frozen=True, slots=True)
class Options:
    """What the user says beside the file; None leaves it to the file or to the stated default.

    Attributes
    ----------
    name : name of the scenario. agvs, people : how many.
    agv_length_m, agv_width_m : of the AGVs [m].
    hall_height_m, margin_m : height, and room left around what was found [m].
    """

    name: str | None = None
    agvs: int | None = None
    people: int | None = None
    agv_length_m: float | None = None
    agv_width_m: float | None = None
    hall_height_m: float | None = None
    margin_m: float | None = None


@dataclass(slots=True)
class Plan:
    """A scenario about to be written, all in the hall frame.

    Attributes
    ----------
    found : what was read, repaired and moved into the hall frame.
    name, description : of the scenario.
    size_m : the hall [m]. origin_m : the hall's corner in the plant's frame [m].
    vehicle : the AGVs as the scenario gives them, every value filled in.
    load_heights_m : heights of loads, None for the twin's own.
    trps : (x, y, z) [m].
    stations : name, x, y [m], facing [degrees], kind.
    people : how many.
    max_order : reflections of a path.
    """

    found: Found
    name: str
    description: str
    size_m: tuple[float, float, float]
    origin_m: tuple[float, float]
    vehicle: FoundVehicle
    load_heights_m: tuple[float, ...] | None
    trps: list[tuple[float, float, float]]
    stations: list[tuple[str, float, float, float, str]]
    people: int
    max_order: int


def agv_size_of(text: str | None) -> tuple[float | None, float | None]:
    """Return length and width of ``1.2x0.8`` [m], Nones for None.

    Raises
    ------
    UserError
        If the text is not of that form.
    """
    if text is None:
        return None, None
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*[xX×]\s*([0-9]*\.?[0-9]+)\s*", text)
    if match is None:
        raise UserError(f"--agv-size {text}: write length x width in m, such as 1.2x0.8")
    return float(match.group(1)), float(match.group(2))


def plan_scenario(found: Found, options: Options) -> Plan:
    """Repair what was found and fill in what is missing.

    Raises
    ------
    LayoutError
        If what was found does not fit into a hall: a wrong unit, or a stray coordinate.
    """
    report = found.report
    vehicle = _vehicle(found, options)
    width_m = vehicle.width_m or AgvsConfig().width_m
    agv = AgvsConfig(length_m=vehicle.length_m or 1.2, width_m=width_m)
    _check_extent(found)
    make_drivable(found, agv.clearance_m)
    found.boxes = [replace(box, name=name) for box, name in zip(found.boxes, unique(b.name for b in found.boxes), strict=True)]
    found.zones = [replace(zone, name=name) for zone, name in zip(found.zones, unique(z.name for z in found.zones), strict=True)]
    clear_lanes(found, width_m / 2 + AGV_CLEARANCE_M + 0.01)
    size_m, origin_m = _hall(found, options, agv.clearance_m / 2)
    hall = HallConfig(size_m=size_m, boxes=tuple(_box(b) for b in found.boxes))
    count = _agv_count(found, options)
    vehicle = replace(vehicle, count=count)
    trps = trp_places(hall)
    report.assumed("radio.trps", f"{len(trps)} proposed: one in the middle of every field of 20 m x 20 m, 1 m below the ceiling")
    stations, people = _people(found, hall, lane_points(found), width_m, options)
    max_order = 2 if len(found.boxes) <= MANY_BOXES else 1
    if max_order == 1:
        report.assumed(
            "radio.paths.max_order", f"1: two reflections among {len(found.boxes)} boxes take long; raise it for a study"
        )
    report.assumed("hall", "walls and floor of concrete, ceiling of metal, 0.1 m thick")
    describe(report, found)
    return Plan(
        found, options.name or _slug(found.name), f"Imported from {report.kind} file {_base(report.source)}.", size_m, origin_m,
        vehicle,
        _load_heights(found, agv, report) if count else None, trps, stations, people, max_order,
    )  # fmt: skip


def _base(source: str) -> str:
    return re.split(r"[/\\]", source)[-1]


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:60].strip("-.") or "layout"


def _vehicle(found: Found, options: Options) -> FoundVehicle:
    """Return the vehicle with its size filled in."""
    given, report, defaults = found.vehicle, found.report, AgvsConfig()
    length = options.agv_length_m or given.length_m
    width = options.agv_width_m or given.width_m
    if length is None or width is None:
        length, width = (0.6, 0.5) if report.kind == "rmf" and length is None and width is None else (length, width)
        length, width = length or defaults.length_m, width or defaults.width_m
        if found.lanes:
            report.assumed("robots.agvs", f"AGVs of {length:g} x {width:g} m: the file does not say how large they are")
    for what, value, low, high in (("length", length, 0.11, 6.0), ("width", width, 0.11, 4.0)):
        if not low <= value <= high:
            raise report.error(
                "robots.agvs", f"a vehicle of {value:g} m {what} is not modelled; give {low:g} to {high:g} m with --agv-size"
            )
    height = given.height_m
    if height is not None and height > 3.0:
        report.repaired("robots.agvs", f"vehicles are {height:g} m high; the twin takes 3 m")
        height = 3.0
    return replace(given, length_m=length, width_m=width, height_m=height)


def _corners(found: Found) -> npt.NDArray[np.float64]:
    """Return all points that the hall has to hold (k, 2) [m]."""
    points = [(n.x_m, n.y_m) for n in found.nodes]
    points += [(s.x_m, s.y_m) for s in found.stations if s.x_m is not None and s.y_m is not None]
    points += [(x, y) for z in found.zones for x in z.x_m for y in z.y_m]
    for box in found.boxes:
        yaw = math.radians(box.yaw_deg)
        half_x = (abs(box.length_m * math.cos(yaw)) + abs(box.width_m * math.sin(yaw))) / 2
        half_y = (abs(box.length_m * math.sin(yaw)) + abs(box.width_m * math.cos(yaw))) / 2
        points += [(box.x_m - half_x, box.y_m - half_y), (box.x_m + half_x, box.y_m + half_y)]
    return np.array(points, dtype=np.float64).reshape(-1, 2)


def _check_extent(found: Found) -> None:
    """Refuse what is larger than a hall, and name what lies farthest out."""
    corners = _corners(found)
    if not len(corners):
        return
    extent = corners.max(axis=0) - corners.min(axis=0)
    if extent.max() > LARGEST_M - 1.0:
        away = np.abs(corners - np.median(corners, axis=0)).max(axis=1)
        x, y = corners[int(away.argmax())]
        far = [n.place or n.id for n in found.nodes if math.hypot(n.x_m - x, n.y_m - y) < 1.0]
        far += [b.place or b.name for b in found.boxes if math.hypot(b.x_m - x, b.y_m - y) < 1.0 + b.length_m]
        what = f" ({far[0]})" if far else ""
        stray = away.max() > 20 * (np.quantile(away, 0.75, method="lower") + 1e-9) and len(corners) > 4
        raise found.report.error(
            "",
            f"reaches over {extent[0]:,.0f} x {extent[1]:,.0f} m, a hall at most {LARGEST_M:g} m; "
            + (f"one place lies far off at {x:,.0f}, {y:,.0f} m{what}: put it right" if stray else
               f"if its numbers are millimetres give --units mm; farthest out is {x:,.0f}, {y:,.0f} m{what}"),
        )  # fmt: skip
    if 0 < extent.max() < 1.0 and len(corners) > 2:
        found.report.missing("", f"reaches over {extent[0]:.3f} x {extent[1]:.3f} m only: is the unit right? See --units")


def _hall(found: Found, options: Options, swing_m: float) -> tuple[tuple[float, float, float], tuple[float, float]]:
    """Return size and corner of the hall, and move everything found into its frame."""
    report, corners = found.report, _corners(found)
    if not len(corners):
        report.missing("hall.size_m", f"nothing has a place; an empty hall of {EMPTY_HALL_M:g} x {EMPTY_HALL_M:g} m is made")
        corners = np.array([[0.0, 0.0], [EMPTY_HALL_M, EMPTY_HALL_M]])
        margin = 0.0
    else:
        margin = options.margin_m if options.margin_m is not None else (1.0 if len(found.boxes) > 3 else 3.0)
    nodes = np.array([(n.x_m, n.y_m) for n in found.nodes]).reshape(-1, 2)
    margin = max(margin, 0.01)  # the scenario gives millimetres
    low, high = corners.min(axis=0) - margin, corners.max(axis=0) + margin
    if len(nodes):  # an AGV that turns on the outermost node must not touch the wall
        low, high = np.minimum(low, nodes.min(axis=0) - swing_m - 0.3), np.maximum(high, nodes.max(axis=0) + swing_m + 0.3)
    low = np.floor(np.round(low * 10, 6)) / 10
    size = np.ceil(np.round((high - low) * 10, 6)) / 10
    if size.max() > LARGEST_M:
        raise report.error("hall.size_m", f"with its margin the hall is {size[0]:g} x {size[1]:g} m; take a smaller --margin")
    boxes = []
    bare = {kind: [b for b in found.boxes if b.kind == kind and b.height_m is None] for kind in HEIGHT_M}
    for kind, some in bare.items():
        if some:
            report.assumed("hall.boxes", f"{len(some)} of kind {kind} are {HEIGHT_M[kind]:g} m high: the file does not say")
    for kind in HEIGHT_M:
        some = [b for b in found.boxes if b.kind == kind and b.material is None]
        if some:
            report.assumed("hall.boxes", f"{len(some)} of kind {kind} are made of {MATERIAL[kind]}: the file does not say")
    for box in found.boxes:
        boxes.append(
            replace(
                box, x_m=box.x_m - float(low[0]), y_m=box.y_m - float(low[1]), height_m=box.height_m or HEIGHT_M[box.kind],
                material=box.material or MATERIAL[box.kind],
            )
        )  # fmt: skip
    tallest = max((b.height_m or 0.0 for b in boxes), default=0.0)
    height = options.hall_height_m
    if height is None:
        height = max(HALL_HEIGHT_M, math.ceil(tallest) + 1.0)
        report.assumed("hall.size_m", f"the hall is {height:g} m high: the file does not say")
    elif height < tallest:
        raise report.error("hall.size_m", f"--height {height:g} is below the highest box of {tallest:g} m")
    found.boxes = boxes
    found.nodes = [replace(n, x_m=n.x_m - float(low[0]), y_m=n.y_m - float(low[1])) for n in found.nodes]
    found.zones = [
        replace(
            z, x_m=(z.x_m[0] - float(low[0]), z.x_m[1] - float(low[0])), y_m=(z.y_m[0] - float(low[1]), z.y_m[1] - float(low[1]))
        )
        for z in found.zones
    ]
    found.stations = [
        replace(s, x_m=None if s.x_m is None else s.x_m - float(low[0]), y_m=None if s.y_m is None else s.y_m - float(low[1]))
        for s in found.stations
    ]
    return (float(size[0]), float(size[1]), float(height)), (float(low[0]), float(low[1]))


def _box(box: FoundBox) -> BoxConfig:
    return BoxConfig(
        name=box.name, kind=box.kind, center_m=(box.x_m, box.y_m), size_m=(box.length_m, box.width_m, box.height_m or 1.0),
        yaw_deg=math.remainder(box.yaw_deg, 360.0), material=box.material or "metal",
    )  # fmt: skip


def _agv_count(found: Found, options: Options) -> int:
    report = found.report
    reach = {lane.start for lane in found.lanes} | {lane.end for lane in found.lanes}
    working = {a for n in found.nodes if n.id in reach for a in n.actions}
    if not {"pick", "drop"} <= working:
        if options.agvs:
            raise report.error("robots.agvs", f"--agvs {options.agvs}: there are no lanes with a pick and a drop to drive on")
        report.missing("robots.agvs", "no lanes with a pick and a drop: no AGV drives; panels carried by people use the radio")
        return 0
    capacity = min(200, max(1, connected(found) // 2))
    wanted = options.agvs if options.agvs is not None else found.vehicle.count
    if wanted is None:
        wanted = min(DEFAULT_AGVS, capacity)
        report.assumed("robots.agvs.count", f"{wanted} AGVs: the file does not say how many there are")
    if wanted > capacity:
        if options.agvs is not None:
            raise report.error(
                "robots.agvs", f"--agvs {wanted}: these routes hold {capacity}, half of the nodes that reach each other"
            )
        report.repaired("robots.agvs.count", f"{wanted} AGVs are more than these routes hold; {capacity} drive")
        wanted = capacity
    return wanted


def _load_heights(found: Found, agv: AgvsConfig, report: Report) -> tuple[float, ...] | None:
    """Return lower loads where an edge's height asks for them."""
    body = found.vehicle.height_m or agv.body_height_m
    lowest = min((lane.max_height_m for lane in found.lanes if lane.max_height_m is not None), default=math.inf)
    fitting = tuple(h for h in agv.load_heights_m if body + h <= lowest)
    if len(fitting) == len(agv.load_heights_m):
        return None
    if not fitting and lowest - body < 0.05:
        found.lanes = [replace(lane, max_height_m=None) for lane in found.lanes]
        report.repaired(
            "robots.routes.edges", f"max_height_m of {lowest:g} m is below the vehicle's own {body:g} m; read as no limit"
        )
        return None
    heights = fitting or (math.floor((lowest - body) * 100) / 100,)
    report.assumed("robots.agvs.load_heights_m", f"{list(heights)}: the lowest edge lets {lowest:g} m through")
    return heights


def _people(
    found: Found, hall: HallConfig, lanes: npt.NDArray[np.float64], width_m: float, options: Options
) -> tuple[list[tuple[str, float, float, float, str]], int]:
    """Return stations for people and how many people there are."""
    report, room = found.report, StandingRoom(hall, lanes, width_m)
    node = {n.id: n for n in found.nodes}
    placed: list[tuple[str, float, float, float, str]] = []
    crowded, moved = [], []
    names = unique(s.name for s in found.stations)
    for station, name in zip(found.stations, names, strict=True):
        serves = next((node[i] for i in station.node_ids if i in node), None)
        own = station.x_m is not None and station.y_m is not None
        if not own and serves is None:
            crowded.append(name)
            continue
        x, y = (station.x_m, station.y_m) if own else (serves.x_m, serves.y_m)  # type: ignore[union-attr]
        spot = room.near(float(x or 0.0), float(y or 0.0))
        if spot is None:
            crowded.append(name)
            continue
        if own and spot[2] > 0.05:
            moved.append(f"{name} by {spot[2]:.1f} m")
        toward = math.degrees(
            math.atan2((serves.y_m if serves else y or 0) - spot[1], (serves.x_m if serves else x or 0) - spot[0])
        )
        placed.append((name, spot[0], spot[1], toward, station.kind))
    if crowded:
        report.ignored("people.stations", f"no free floor beside {len(crowded)} stations: {listed(crowded)}; nobody works there")
    if moved:
        report.repaired("people.stations", f"{len(moved)} moved off lanes and boxes: {listed(moved)}")
    if len(placed) < 2:
        extra = room.spread(6 - len(placed))
        placed += [(f"place-{k + 1}", x, y, 0.0, "desk") for k, (x, y) in enumerate(extra)]
        if extra:
            report.assumed("people.stations", f"{len(extra)} places on the free floor: the file names too few stations")
    placed = [(name, *p[1:]) for name, p in zip(unique(p[0] for p in placed), placed, strict=True)]
    people = options.people
    if people is None:
        area = hall.size_m[0] * hall.size_m[1]
        people = int(min(8, max(2, area // 100), max(1, 2 * len(placed)))) if placed else 0
        report.assumed("people.count", f"{people} people: layouts name none")
    elif people and not placed:
        report.missing("people.stations", "no free floor for stations; people roam")
    return placed, people
