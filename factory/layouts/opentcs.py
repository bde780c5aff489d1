"""Reader of openTCS plant models (XML, version 4 to 7): points, paths, locations and vehicles, in millimetres."""

from __future__ import annotations

from pathlib import Path

from factory.layouts.found import Found, FoundLane, FoundNode, FoundStation, FoundVehicle
from factory.layouts.report import Report, shown
from factory.layouts.source import Element, need_number, number, read_xml

MM = 1e-3
_PARK = "PARK_POSITION"
_CHARGE_WORDS, _PICK_WORDS, _DROP_WORDS = ("charge",), ("load", "pick", "take"), ("unload", "drop", "give", "put")


def read_opentcs(path: Path, report: Report) -> Found:
    """Read a plant model.

    Raises
    ------
    LayoutError
        If the file is no plant model, or a point has no position in numbers.
    """
    root = read_xml(path)
    if root.tag != "model":
        raise report.error(f":{root.line}", f"the root element is <{root.tag}>; a plant model of openTCS begins with <model>")
    found = Found(root.attributes.get("name") or path.stem, report)
    version = root.attributes.get("version", "")
    if version.split(".")[0] not in ("4", "5", "6", "7"):
        report.repaired(str(root), f"version {shown(version)} of the plant model is not known; read as version 7")
    _points(found, root)
    _paths(found, root)
    operations = _operations(root)
    _locations(found, root, operations)
    _vehicles(found, root)
    for tag, why in (
        ("block", "the twin's own right of way keeps AGVs apart"),
        ("group", "groups are not modelled"),
        ("visualLayout", "drawing only"),
    ):
        if root.all(tag):
            report.ignored("", f"{len(root.all(tag))} elements <{tag}>: {why}")
    known = {"point", "path", "location", "locationType", "vehicle", "block", "group", "visualLayout", "property"}
    for tag in sorted({child.tag for child in root.children} - known):
        report.ignored("", f"{len(root.all(tag))} elements <{tag}>: not known")
    return found


def _points(found: Found, root: Element) -> None:
    report, taken = found.report, set[str]()
    for point in root.all("point"):
        name = point.attributes.get("name")
        if not name:
            report.ignored(str(point), "has no name; nobody can lead a path to it")
            continue
        if name in taken:
            report.repaired(str(point), "the name is used before; the first one counts")
            continue
        taken.add(name)
        x, y = (
            MM * need_number(report, str(point), key, point.attributes.get(key, point.attributes.get(old)))
            for key, old in (("positionX", "xPosition"), ("positionY", "yPosition"))
        )
        height = number(point.attributes.get("positionZ", "0"))
        if height:
            report.ignored(str(point), f"positionZ {height:g} mm: the twin has one floor")
        kind = point.attributes.get("type", "")
        found.nodes.append(FoundNode(name, x, y, ("park",) if kind == _PARK else (), False, str(point), (name,)))
    if not found.nodes:
        raise report.error("", "has no point with a name; there is nothing to drive on")


def _paths(found: Found, root: Element) -> None:
    report = found.report
    place_of = {node.id: (node.x_m, node.y_m) for node in found.nodes}
    curved, other_length = 0, []
    for path in root.all("path"):
        ends = [path.attributes.get(key, "") for key in ("sourcePoint", "destinationPoint")]
        unknown = [end for end in ends if end not in place_of]
        if unknown:
            report.ignored(str(path), f"names point {unknown[0]!r}, which is not in the file")
            continue
        if ends[0] == ends[1]:
            report.ignored(str(path), f"starts and ends at point {ends[0]!r}")
            continue
        if path.attributes.get("locked") == "true":
            report.ignored(str(path), "is locked; unlock it in the plant model, or add the edge by hand")
            continue
        forward, reverse = (number(path.attributes.get(key, "0")) or 0.0 for key in ("maxVelocity", "maxReverseVelocity"))
        if forward <= 0 and reverse > 0:
            ends, forward, reverse = ends[::-1], reverse, 0.0
            report.repaired(str(path), "is driven in reverse only; read as a lane the other way, forwards")
        elif forward <= 0:
            report.repaired(str(path), "maxVelocity is 0 in both directions; read as no limit")
        speed = MM * min(v for v in (forward, reverse) if v > 0) if forward > 0 else None
        if speed is not None and speed > 5:
            report.repaired(str(path), f"maxVelocity of {speed:g} m/s is above the 5 m/s that the twin takes; read as no limit")
            speed = None
        layout = path.all("pathLayout")
        if layout and layout[0].attributes.get("connectionType", "DIRECT") not in ("DIRECT", "ELBOW"):
            curved += 1
        (ax, ay), (bx, by) = place_of[ends[0]], place_of[ends[1]]
        chord_m, length = ((bx - ax) ** 2 + (by - ay) ** 2) ** 0.5, number(path.attributes.get("length"))
        if length and chord_m > 0 and abs(MM * length - chord_m) > max(0.5, 0.1 * chord_m):
            other_length.append(MM * length / chord_m)
        found.lanes.append(FoundLane(ends[0], ends[1], reverse > 0, speed, None, str(path), (path.attributes.get("name", ""),)))
    if curved:
        report.ignored("", f"the curves of {curved} paths: the twin drives straight from point to point")
    if other_length:
        report.ignored(
            "",
            f"the length of {len(other_length)} paths, which is {min(other_length):.2f} to {max(other_length):.2f} of the "
            "straight line between their points: positions count",
        )


def _operations(root: Element) -> dict[str, tuple[str, ...]]:
    """Return what can be done at each type of location, in the twin's words."""
    words: dict[str, str] = {}
    for vehicle in root.all("vehicle"):
        for p in vehicle.all("property"):
            for key, action in (("loopback:loadOperation", "pick"), ("loopback:unloadOperation", "drop")):
                if p.attributes.get("name") == key and p.attributes.get("value"):
                    words[p.attributes["value"]] = action
    result: dict[str, tuple[str, ...]] = {}
    for kind in root.all("locationType"):
        names = [operation.attributes.get("name", "") for operation in kind.all("allowedOperation")]
        able = [words.get(name) or _guess(name) for name in names]
        result[kind.attributes.get("name", "")] = tuple(dict.fromkeys(a for a in able if a))
    return result


def _guess(operation: str) -> str | None:
    word = operation.lower()
    if any(w in word for w in _CHARGE_WORDS):
        return "charge"
    if any(w in word for w in _DROP_WORDS):
        return "drop"
    return "pick" if any(w in word for w in _PICK_WORDS) else None


def _locations(found: Found, root: Element, operations: dict[str, tuple[str, ...]]) -> None:
    report = found.report
    index = {node.id: i for i, node in enumerate(found.nodes)}
    for location in root.all("location"):
        name, kind = location.attributes.get("name", ""), location.attributes.get("type", "")
        if kind not in operations:
            report.repaired(
                str(location), f"is of type {kind!r}, which the file does not describe; read as a place without operations"
            )
        points = []
        for link in location.all("link"):
            point = link.attributes.get("point", "")
            if point not in index:
                report.ignored(str(link), f"location {name!r} is linked to point {point!r}, which is not in the file")
                continue
            points.append(point)
            allowed = [_guess(o.attributes.get("name", "")) for o in link.all("allowedOperation")]
            actions = tuple(a for a in allowed if a) or operations.get(kind, ())
            node = found.nodes[index[point]]
            found.nodes[index[point]] = FoundNode(
                node.id, node.x_m, node.y_m, tuple(dict.fromkeys((*actions, *node.actions))), True, node.place, node.source_ids
            )
        if not points:
            report.ignored(str(location), f"of type {kind!r} is linked to no point; AGVs do nothing there")
            continue
        if not operations.get(kind):
            report.ignored(str(location), f"operations of type {kind!r} are neither pick, drop nor charge; a person works there")
        x, y = (number(location.attributes.get(key)) for key in ("positionX", "positionY"))
        if operations.get(kind) == ("charge",):
            continue
        found.stations.append(
            FoundStation(
                name, tuple(points), None if x is None else MM * x, None if y is None else MM * y,
                "rack" if operations.get(kind) else "cell", str(location),
            )
        )  # fmt: skip
    if root.all("location"):
        report.missing(
            "", f"sizes of {len(root.all('location'))} locations: no boxes stand there; add racks and machines under hall.boxes"
        )


def _vehicles(found: Found, root: Element) -> None:
    vehicles = root.all("vehicle")
    if not vehicles:
        return
    sizes, speeds = [], []
    for vehicle in vehicles:
        box = vehicle.all("boundingBox")
        old = vehicle.attributes  # version 4 and 5 give the length alone
        size = [number((box[0].attributes if box else old).get(key)) for key in ("length", "width", "height")]
        sizes.append(tuple(MM * s if s and s > 0 else None for s in size))
        speed = number(vehicle.attributes.get("maxVelocity"))
        if speed and speed > 0:
            speeds.append(min(MM * speed, 5.0))
    largest = [max((v for s in sizes if (v := s[k]) is not None), default=None) for k in range(3)]
    found.vehicle = FoundVehicle(len(vehicles), largest[0], largest[1], largest[2], min(speeds, default=None))
    if len(set(sizes)) > 1 or len(set(speeds)) > 1:
        found.report.ignored(
            "", "vehicles differ in size or speed: the twin's are alike, as large as the largest, as fast as the slowest"
        )
