"""Reader of VDMA LIF 1.0 layouts: nodes, directed edges and stations of AGV systems, in metres.

The document is put right field by field (:mod:`.lif_fields`) and kept whole, so that an export can give back what the twin has no
place for: orientations, trajectories, load sets, unknown fields.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from factory.layouts.found import Found, FoundLane, FoundNode, FoundStation
from factory.layouts.lif_fields import LIF, LIF_VERSION, put_right
from factory.layouts.report import Report, shown
from factory.layouts.source import number, read_json

# Predefined actions of VDA 5050 that a layout names at its nodes, and what the twin calls them.
ACTION_OF = {"pick": "pick", "drop": "drop", "startCharging": "charge", "stopCharging": "charge"}


def read_lif(path: Path, report: Report, level: str | None = None) -> Found:
    """Read a LIF file.

    Parameters
    ----------
    path : the JSON file.
    report : gets every repair.
    level : layoutId, layoutLevelId or layoutName of the layout to take; the one with most nodes when absent.

    Raises
    ------
    LayoutError
        If the file is no JSON object with layouts, or has no layout of that name.
    """
    raw = read_json(path)
    if not isinstance(raw, dict) or not isinstance(raw.get("layouts"), list):
        raise report.error("layouts", "is missing or no list; a LIF file is an object with metaInformation and layouts")
    if not raw["layouts"]:
        raise report.error("layouts", "is empty; there is nothing to import")
    document = put_right(raw, LIF, "", report)
    meta = document["metaInformation"] if isinstance(document["metaInformation"], dict) else {}
    version = meta.get("lifVersion")
    if version not in (LIF_VERSION, "1.0"):
        report.repaired("metaInformation.lifVersion", f"is {shown(version)}; read as LIF {LIF_VERSION}")
    chosen = _choose(document["layouts"], level, report)
    layout = document["layouts"][chosen]
    at = f"layouts[{chosen}]"
    name = layout.get("layoutName") or layout.get("layoutId") or path.stem
    project = meta.get("projectIdentification")
    found = Found(
        f"{project} {name}" if isinstance(project, str) and project else str(name), report, document=document, level=chosen
    )
    _nodes(found, layout, at)
    _lanes(found, layout, at)
    _stations(found, layout, at)
    types = sorted(_vehicle_types(layout))
    if len(types) > 1:
        report.ignored(
            at, f"{len(types)} vehicle types ({', '.join(types)}): the twin has one kind of AGV, which may use all of their edges"
        )
    return found


def _choose(layouts: list[Any], level: str | None, report: Report) -> int:
    usable = [i for i, layout in enumerate(layouts) if isinstance(layout, dict)]
    if not usable:
        raise report.error("layouts[0]", f"is {shown(layouts[0])} where an object belongs")
    keys = ("layoutId", "layoutLevelId", "layoutName")
    if level is not None:
        match = [i for i in usable if level in [layouts[i].get(key) for key in keys]]
        if not match:
            names = ", ".join(str(layouts[i].get("layoutId")) for i in usable)
            raise report.error("layouts", f"none is called {level!r}; there is {names}")
        chosen = match[0]
    else:
        chosen = max(usable, key=lambda i: (len(_entries(layouts[i], "nodes")), -i))
    for i in usable:
        if i != chosen:
            report.ignored(
                f"layouts[{i}]",
                f"layout {layouts[i].get('layoutId')!r}: the twin has one floor; take it with --level, it is kept for export",
            )
    return chosen


def _entries(layout: dict[str, Any], key: str) -> list[Any]:
    value = layout.get(key)
    return value if isinstance(value, list) else []


def _vehicle_types(layout: dict[str, Any]) -> set[str]:
    return {
        str(p.get("vehicleTypeId"))
        for edge in _entries(layout, "edges")
        if isinstance(edge, dict)
        for p in _entries(edge, "vehicleTypeEdgeProperties")
        if isinstance(p, dict)
    }


def _nodes(found: Found, layout: dict[str, Any], at: str) -> None:
    report, taken = found.report, set[str]()
    maps = Counter(str(n.get("mapId")) for n in _entries(layout, "nodes") if isinstance(n, dict) and n.get("mapId"))
    if len(maps) > 1:
        report.ignored(at, f"nodes lie on {len(maps)} maps ({', '.join(sorted(maps))}); all are put on one floor")
    for i, node in enumerate(_entries(layout, "nodes")):
        place = f"{at}.nodes[{i}]"
        if not isinstance(node, dict):
            continue  # put_right has told so
        node_id = node.get("nodeId")
        if not isinstance(node_id, str) or not node_id:
            report.ignored(place, f"its nodeId is {shown(node_id)}; nobody can name it")
            continue
        position = node.get("nodePosition")
        x, y = (number(position.get(k)) for k in ("x", "y")) if isinstance(position, dict) else (None, None)
        if x is None or y is None:
            report.ignored(place, f"node {node_id!r} has no position in numbers; it is left out of the twin and kept for export")
            continue
        if node_id in taken:
            report.repaired(place, f"nodeId {node_id!r} is used before; the first one counts, this one is kept for export")
            continue
        taken.add(node_id)
        actions = []
        for j, properties in enumerate(_entries(node, "vehicleTypeNodeProperties")):
            for k, action in enumerate(_entries(properties, "actions") if isinstance(properties, dict) else []):
                kind = action.get("actionType") if isinstance(action, dict) else None
                if isinstance(kind, str) and kind in ACTION_OF:
                    actions.append(ACTION_OF[kind])
                else:
                    where = f"{place}.vehicleTypeNodeProperties[{j}].actions[{k}]"
                    report.ignored(where, f"action {shown(kind)}: the twin knows {', '.join(ACTION_OF)}; kept for export")
        named = bool(node.get("nodeName"))
        found.nodes.append(FoundNode(node_id, x, y, tuple(dict.fromkeys(actions)), named, place, (node_id,)))


def _lanes(found: Found, layout: dict[str, Any], at: str) -> None:
    report = found.report
    known = {node.id for node in found.nodes}
    taken: set[str] = set()
    curved: list[str] = []
    for i, edge in enumerate(_entries(layout, "edges")):
        place = f"{at}.edges[{i}]"
        if not isinstance(edge, dict):
            continue
        edge_id = edge.get("edgeId")
        if not isinstance(edge_id, str) or not edge_id:
            edge_id = f"edges[{i}]"
        elif edge_id in taken:
            report.repaired(place, f"edgeId {edge_id!r} is used before; both edges are read")
        taken.add(edge_id)
        ends = [edge.get(key) for key in ("startNodeId", "endNodeId")]
        unknown = [end for end in ends if not isinstance(end, str) or end not in known]
        if unknown:
            report.ignored(place, f"edge {edge_id!r} names node {shown(unknown[0])}, which has no place; kept for export")
            continue
        if ends[0] == ends[1]:
            report.ignored(place, f"edge {edge_id!r} starts and ends at node {ends[0]!r}; kept for export")
            continue
        speeds, heights = [], []
        for j, p in enumerate(_entries(edge, "vehicleTypeEdgeProperties")):
            if not isinstance(p, dict):
                continue
            speeds.append(_limit(report, f"{place}.vehicleTypeEdgeProperties[{j}].maxSpeed", p.get("maxSpeed"), 5.0))
            heights.append(_limit(report, f"{place}.vehicleTypeEdgeProperties[{j}].maxHeight", p.get("maxHeight"), 20.0))
            if p.get("trajectory"):
                curved.append(edge_id)
            if p.get("loadRestriction"):
                report.ignored(
                    f"{place}.vehicleTypeEdgeProperties[{j}].loadRestriction",
                    "AGVs with and without load use it; kept for export",
                )
        speed, height = (min((v for v in values if v is not None), default=None) for values in (speeds, heights))
        found.lanes.append(FoundLane(str(ends[0]), str(ends[1]), False, speed, height, place, (edge_id,)))
    if curved:
        report.ignored(
            at, f"trajectory of {len(set(curved))} edges ({', '.join(sorted(set(curved))[:6])}): the twin drives straight"
        )


def _limit(report: Report, place: str, value: Any, most: float) -> float | None:
    read = number(value)
    if read is None:
        return None
    if read <= 0:
        report.repaired(place, f"is {read:g}, which nobody can keep; read as no limit")
        return None
    if read > most:
        report.repaired(place, f"is {read:g}, above the {most:g} that the twin takes; read as no limit")
        return None
    return read


def _stations(found: Found, layout: dict[str, Any], at: str) -> None:
    report = found.report
    known = {node.id for node in found.nodes}
    for i, station in enumerate(_entries(layout, "stations")):
        place = f"{at}.stations[{i}]"
        if not isinstance(station, dict):
            continue
        name = station.get("stationName") or station.get("stationId") or f"station {i + 1}"
        ids = [node for node in _entries(station, "interactionNodeIds") if isinstance(node, str)]
        for node in ids:
            if node not in known:
                report.ignored(place, f"station {name!r} names node {node!r}, which has no place; kept for export")
        position = station.get("stationPosition")
        x, y = (number(position.get(k)) for k in ("x", "y")) if isinstance(position, dict) else (None, None)
        if x is None or y is None:
            x = y = None
            report.missing(
                place, f"station {name!r} has no stationPosition; its person is put beside node {ids[0] if ids else '-'}"
            )
        if station.get("stationHeight") is not None:
            report.ignored(f"{place}.stationHeight", "heights of handover are not modelled; kept for export")
        found.stations.append(FoundStation(str(name), tuple(n for n in ids if n in known), x, y, "rack", place))
