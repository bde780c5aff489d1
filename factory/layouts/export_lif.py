"""Export of a scenario's routes as VDMA LIF 1.0.

A scenario that was imported from LIF has a file beside it (``NAME.layout.json``) which holds the document it came from, put
right. The export writes that document again, with what was changed in the scenario since: no field of it gets lost, whether the
twin has a place for it or not. Other scenarios become a LIF of their own.
"""

from __future__ import annotations

import copy
import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from factory.errors import UserError
from factory.layouts.found import FoundNode
from factory.layouts.lif import ACTION_OF
from factory.layouts.lif_fields import LIF_VERSION
from factory.layouts.source import read_json
from factory.layouts.to_scenario import Plan
from factory.scenario import LoadedScenario, Scenario
from robots.config import EdgeConfig, NodeConfig

VEHICLE_TYPE = "AGV"
_MOVED_M = 1.5e-3  # scenarios give millimetres
_ACTION_TYPES = {"pick": ("pick",), "drop": ("drop",), "charge": ("startCharging", "stopCharging")}


def sidecar_of(scenario: Path) -> Path:
    """Return the name of the file that keeps the document a scenario came from."""
    return scenario.with_name(f"{scenario.stem}.layout.json")


def source_record(plan: Plan) -> str:
    """Return the content of that file: the document, and which of its parts the scenario's nodes and edges stand for."""
    found = plan.found
    by_id = {n.id: n for n in found.nodes}
    record = {
        "kind": found.report.kind,
        "level": found.level,
        "origin_m": list(plan.origin_m),
        "nodes": {n.id: {"ids": list(n.source_ids), "position_m": _rounded(n), "action": n.actions[0] if n.actions else None}
                  for n in found.nodes},
        "edges": [
            {"start": e.start, "end": e.end, "ids": list(e.source_ids), "two_way": e.two_way, "opened": e.opened,
             "max_speed_mps": e.max_speed_mps}
            for e in found.lanes if e.start in by_id
        ],
        "document": found.document,
    }  # fmt: skip
    return json.dumps(record, indent=1, ensure_ascii=False) + "\n"


def _rounded(node: FoundNode) -> list[float]:
    return [round(node.x_m, 3), round(node.y_m, 3)]


def export_lif(loaded: LoadedScenario, out: Path) -> list[str]:
    """Write the routes of a scenario as LIF and return what to tell the user.

    Raises
    ------
    UserError
        If the scenario has no routes and no document to give back, or that document is broken.
    """
    sidecar = sidecar_of(loaded.path)
    told: list[str] = []
    if sidecar.is_file():
        record = read_json(sidecar)
        if not isinstance(record, dict) or not isinstance(record.get("document"), dict) or record.get("kind") != "lif":
            raise UserError(f"{sidecar}: is not what an import of LIF writes; remove it, or import the layout again")
        try:
            document = _updated(record, loaded.scenario, told)
        except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
            raise UserError(
                f"{sidecar}: does not hold what an import of LIF writes ({type(error).__name__}: {error}); "
                "remove it, or import the layout again"
            ) from None
        told.append(f"LIF: {out}, the document kept in {sidecar.name} with the scenario's changes")
    else:
        if not loaded.scenario.robots.routes.nodes:
            raise UserError("robots.routes: there are no nodes; a LIF describes routes of AGVs")
        document = _fresh(loaded.scenario, datetime.now(UTC))
        told.append(f"LIF: {out}")
    out.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return told


def _fresh(scenario: Scenario, now: datetime) -> dict[str, Any]:
    routes = scenario.robots.routes
    edges = []
    for edge in routes.edges:
        edges.append(_edge(edge.start, edge.end, edge))
        if edge.two_way:
            edges.append(_edge(edge.end, edge.start, edge))
    return {
        "metaInformation": {
            "projectIdentification": scenario.name,
            "creator": "factory-twin",
            "exportTimestamp": now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 10_000:02d}Z",
            "lifVersion": LIF_VERSION,
        },
        "layouts": [
            {
                "layoutId": scenario.name,
                "layoutName": scenario.name,
                "layoutVersion": "1",
                "layoutDescription": scenario.description,
                "nodes": [_node(n, n.position_m) for n in routes.nodes],
                "edges": edges,
                "stations": [
                    {"stationId": f"station-{n.id}", "interactionNodeIds": [n.id], "stationName": n.id}
                    for n in routes.nodes
                    if n.action in ("pick", "drop")
                ],
            }
        ],
    }


def _node(node: NodeConfig, position_m: tuple[float, float], vehicle_types: tuple[str, ...] = (VEHICLE_TYPE,)) -> dict[str, Any]:
    properties: list[dict[str, Any]] = [{"vehicleTypeId": v} for v in vehicle_types]
    if node.action in _ACTION_TYPES:
        for one in properties:
            one["actions"] = _actions(str(node.action))
    return {
        "nodeId": node.id,
        "nodePosition": {"x": position_m[0], "y": position_m[1]},
        "vehicleTypeNodeProperties": properties,
    }


def _actions(action: str) -> list[dict[str, Any]]:
    return [{"actionType": t, "requirementType": "CONDITIONAL", "blockingType": "HARD"} for t in _ACTION_TYPES[action]]


def _edge(start: str, end: str, edge: EdgeConfig, vehicle_types: tuple[str, ...] = (VEHICLE_TYPE,)) -> dict[str, Any]:
    limits: dict[str, Any] = {"rotationAllowed": True}
    if edge.max_speed_mps is not None:
        limits["maxSpeed"] = edge.max_speed_mps
    if edge.max_height_m is not None:
        limits["maxHeight"] = edge.max_height_m
    return {
        "edgeId": f"{start}-{end}",
        "startNodeId": start,
        "endNodeId": end,
        "vehicleTypeEdgeProperties": [{"vehicleTypeId": v, **limits} for v in vehicle_types],
    }


def _updated(record: dict[str, Any], scenario: Scenario, told: list[str]) -> dict[str, Any]:
    """Return the kept document with the scenario's changes."""
    document: dict[str, Any] = copy.deepcopy(record["document"])
    layout = document["layouts"][record["level"]]
    nodes = {n.id: n for n in scenario.robots.routes.nodes}
    origin = record["origin_m"]
    kept = record["nodes"]
    gone = {source for name, was in kept.items() if name not in nodes for source in was["ids"]}
    types = tuple(dict.fromkeys(
        p["vehicleTypeId"] for e in layout["edges"] if isinstance(e, dict) for p in e.get("vehicleTypeEdgeProperties", [])
        if isinstance(p, dict) and "vehicleTypeId" in p
    )) or (VEHICLE_TYPE,)  # fmt: skip
    by_source = {source: name for name, was in kept.items() if name in nodes for source in was["ids"]}
    result: list[Any] = []
    for entry in layout["nodes"]:
        source = entry.get("nodeId") if isinstance(entry, dict) else None
        if source in gone:
            told.append(f"node {source!r} was taken out of the scenario and is left out")
            continue
        if source in by_source:
            _change_node(entry, nodes[by_source[source]], kept[by_source[source]], told)
        result.append(entry)
    for name, node in nodes.items():
        if name not in kept:
            result.append(_node(node, (node.position_m[0] + origin[0], node.position_m[1] + origin[1]), types))
            told.append(f"node {name!r} is new")
    layout["nodes"] = result
    _change_edges(layout, record, scenario, types, gone, told)
    for station in layout["stations"]:
        if isinstance(station, dict) and gone & {i for i in station.get("interactionNodeIds", []) if isinstance(i, str)}:
            station["interactionNodeIds"] = [i for i in station["interactionNodeIds"] if i not in gone]
    return document


def _change_node(entry: dict[str, Any], node: NodeConfig, was: dict[str, Any], told: list[str]) -> None:
    shift = [now - before for now, before in zip(node.position_m, was["position_m"], strict=True)]
    if math.hypot(*shift) > _MOVED_M:
        entry["nodePosition"]["x"] += round(shift[0], 3)
        entry["nodePosition"]["y"] += round(shift[1], 3)
        told.append(f"node {entry['nodeId']!r} was moved by {math.hypot(*shift):.3f} m")
    if node.action == was["action"]:
        return
    for one in entry.get("vehicleTypeNodeProperties", []):
        old = one.get("actions", [])
        rest = [a for a in old if not (isinstance(a, dict) and ACTION_OF.get(str(a.get("actionType"))) == was["action"])]
        have = {a.get("actionType") for a in rest if isinstance(a, dict)}
        new = [a for a in _actions(str(node.action)) if a["actionType"] not in have] if node.action in _ACTION_TYPES else []
        one["actions"] = rest + new
    told.append(f"node {entry['nodeId']!r} is now for {node.action or 'nothing'}")


def _change_edges(
    layout: dict[str, Any], record: dict[str, Any], scenario: Scenario, types: tuple[str, ...], gone: set[str], told: list[str]
) -> None:
    now = {frozenset((e.start, e.end)): e for e in scenario.robots.routes.edges}
    was = {frozenset((e["start"], e["end"])): e for e in record["edges"]}
    lost: set[str] = set()
    speed: dict[str, float | None] = {}
    for pair, old in was.items():
        edge = now.get(pair)
        if edge is None:
            lost |= set(old["ids"])
        elif edge.max_speed_mps != old["max_speed_mps"]:
            speed |= dict.fromkeys(old["ids"], edge.max_speed_mps)
    source_of = {name: node["ids"][0] for name, node in record["nodes"].items() if node["ids"]}
    result: list[Any] = []
    for i, entry in enumerate(layout["edges"]):
        if not isinstance(entry, dict):
            result.append(entry)
            continue
        edge_id = entry.get("edgeId") or f"edges[{i}]"
        if edge_id in lost or entry.get("startNodeId") in gone or entry.get("endNodeId") in gone:
            told.append(f"edge {edge_id!r} was taken out of the scenario and is left out")
            continue
        if edge_id in speed:
            for p in entry.get("vehicleTypeEdgeProperties", []):
                p.pop("maxSpeed", None)
                if speed[edge_id] is not None:
                    p["maxSpeed"] = speed[edge_id]
            told.append(f"edge {edge_id!r}: maxSpeed is now {speed[edge_id]}")
        result.append(entry)
    for pair, edge in now.items():
        start, end = source_of.get(edge.start, edge.start), source_of.get(edge.end, edge.end)
        before = was.get(pair)
        if before is None:
            result.append(_edge(start, end, edge, types))
            told.append(f"edge {start!r} -> {end!r} is new")
        if edge.two_way and (before is None or not before["two_way"]):
            result.append(_edge(end, start, edge, types))
            told.append(f"edge {end!r} -> {start!r} is new")
    opened = [e for e in record["edges"] if e["opened"] and frozenset((e["start"], e["end"])) in now]
    if opened:
        told.append(f"{len(opened)} edges are driven both ways in the twin only; the LIF keeps their one direction")
    layout["edges"] = result
