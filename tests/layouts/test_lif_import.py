"""LIF files that break their own schema: every stray is put right and listed, nothing is lost."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from layout_tools import SAMPLES, imported, lines, plan_of

from factory.layouts.read import Reading
from factory.layouts.report import LayoutError

STRAYS = SAMPLES / "strays.lif.json"

REPAIRS = {
    "text for a number": r"nodes\[1\]\.nodePosition\.x: is the text '12\.5'; read as the number 12\.5",
    "number for a text": r"layouts\[0\]\.layoutVersion: is the number 3; read as the text '3'",
    "text for a truth": r"edges\[0\]\.vehicleTypeEdgeProperties\[0\]\.rotationAllowed: is 'true'; read as true",
    "word in small letters": r"blockingType: is 'hard'; read as 'HARD'",
    "blank in a key": r"stationPosition: its key is written 'stationPosition '",
    "missing required list": r"nodes\[4\]\.vehicleTypeNodeProperties: is missing though LIF asks for it",
    "double id": r"nodes\[5\]: nodeId 'D' is used before",
    "version": r"lifVersion: is '0\.11\.0'; read as LIF 1\.0\.0",
    "nodes too near": r"node 'C' stands also for 'C2' \(0\.40 m\)",
    "lane between joined nodes": r"edges\[4\]: the lane lies within node 'C'",
}
IGNORED = {
    "unknown field": r"metaInformation\.plantCode: is no field of LIF; kept for export",
    "unknown field of a node": r"nodes\[2\]\.colour: is no field of LIF; kept for export",
    "node without a place": r"nodes\[6\]: node 'nowhere' has no position in numbers",
    "unknown action": r"actions\[1\]: action 'beep'",
    "edge to an unknown node": r"edges\[5\]: edge 'A-X' names node 'X'",
    "edge to itself": r"edges\[6\]: edge 'A-A' starts and ends at node 'A'",
    "station at an unknown node": r"stations\[0\]: station 'Press' names node 'X'",
    "other layout": r"layouts\[1\]: layout 'upper': the twin has one floor",
    "trajectory": r"trajectory of 1 edges \(B-C\): the twin drives straight",
    "load restriction": r"edges\[2\].*loadRestriction: AGVs with and without load use it",
}


@pytest.mark.parametrize("case", REPAIRS)
def test_repair_is_listed(case: str) -> None:
    assert re.search(REPAIRS[case], lines(plan_of(STRAYS).found.report, "repaired")), case


@pytest.mark.parametrize("case", IGNORED)
def test_what_has_no_place_in_the_twin_is_listed(case: str) -> None:
    assert re.search(IGNORED[case], lines(plan_of(STRAYS).found.report, "ignored")), case


def test_a_file_in_order_needs_no_repair(tmp_path: Path) -> None:
    def node(name: str, x: float, action: str) -> dict[str, object]:
        properties = [{"vehicleTypeId": "T", "actions": [{"actionType": action, "blockingType": "HARD"}]}]
        return {"nodeId": name, "nodePosition": {"x": x, "y": 0.0}, "vehicleTypeNodeProperties": properties}

    def edge(a: str, b: str) -> dict[str, object]:
        limits = [{"vehicleTypeId": "T", "rotationAllowed": True}]
        return {"edgeId": f"{a}{b}", "startNodeId": a, "endNodeId": b, "vehicleTypeEdgeProperties": limits}

    meta = {"projectIdentification": "p", "creator": "c", "exportTimestamp": "2024-01-01T00:00:00.00Z", "lifVersion": "1.0.0"}
    layout = {
        "layoutId": "l", "layoutVersion": "1", "nodes": [node("A", 0.0, "pick"), node("B", 9.0, "drop")],
        "edges": [edge("A", "B"), edge("B", "A")], "stations": [],
    }  # fmt: skip
    file = tmp_path / "good.json"
    file.write_text(json.dumps({"metaInformation": meta, "layouts": [layout]}))
    report = plan_of(file).found.report
    assert report.number() | {"assumed": 0, "read": 0} == {"read": 0, "repaired": 0, "ignored": 0, "assumed": 0, "missing": 0}


def test_scenario_drives_what_the_file_says(tmp_path: Path) -> None:
    loaded, printed = imported(STRAYS, tmp_path / "s.yaml")
    robots = loaded.scenario.robots
    assert {n.id: n.action for n in robots.routes.nodes} == {"A": None, "B": "pick", "C": "drop", "D": None}
    place = {n.id: n.position_m for n in robots.routes.nodes}
    assert place["B"][0] - place["A"][0] == pytest.approx(12.5)
    assert place["C"][1] - place["A"][1] == pytest.approx(10.0)
    lane = {(e.start, e.end): e for e in robots.routes.edges}
    assert set(lane) == {("A", "B"), ("B", "C"), ("C", "D"), ("D", "A")}
    assert not any(e.two_way for e in lane.values())
    assert lane["A", "B"].max_speed_mps == 1.2
    assert lane["D", "A"].max_height_m == 1.9
    assert robots.agvs.body_height_m + robots.agvs.highest_load_m <= 1.9
    assert {s.name for s in loaded.scenario.people.stations} == {"Press", "S2"}
    assert "repaired" in printed
    assert (tmp_path / "s.layout.json").is_file()


def test_level_is_chosen_by_name() -> None:
    with pytest.raises(LayoutError, match=r"none is called 'cellar'; there is ground, upper"):
        plan_of(STRAYS, Reading(level="cellar"))
    assert plan_of(STRAYS, Reading(level="upper")).found.nodes == []


def test_millimetres_are_suspected_and_can_be_told(tmp_path: Path) -> None:
    document = json.loads(STRAYS.read_text())
    for node in document["layouts"][0]["nodes"][:6]:
        for axis in ("x", "y"):
            node["nodePosition"][axis] = 1000 * float(node["nodePosition"][axis])
    del document["layouts"][0]["stations"]
    file = tmp_path / "mm.json"
    file.write_text(json.dumps(document))
    with pytest.raises(LayoutError, match=r"reaches over 12,900 x 10,000 m, a hall at most 500 m; .*--units mm"):
        plan_of(file)
    assert plan_of(file, Reading(units="mm")).size_m[0] < 30


def test_one_stray_coordinate_is_named(tmp_path: Path) -> None:
    document = json.loads(STRAYS.read_text())
    document["layouts"][0]["nodes"][3]["nodePosition"]["x"] = 4e6
    file = tmp_path / "far.json"
    file.write_text(json.dumps(document))
    with pytest.raises(LayoutError, match=r"one place lies far off at 4,000,000, 10 m \(layouts\[0\]\.nodes\[3\]\)"):
        plan_of(file)


def test_one_way_into_a_dead_end_is_opened(tmp_path: Path) -> None:
    document = json.loads(STRAYS.read_text())
    del document["layouts"][0]["edges"][3]  # D -> A, the only way back
    file = tmp_path / "end.json"
    file.write_text(json.dumps(document))
    plan = plan_of(file)
    assert "no way leads back from 'B' to 'A': the lane is driven both ways" in lines(plan.found.report, "repaired")
    assert all(lane.two_way and lane.opened for lane in plan.found.lanes)
