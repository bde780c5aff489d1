"""What the twin asks of routes and boxes, and how an import gets there."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layout_tools import lines
from ruamel.yaml import YAML

from factory.checks import faults
from factory.config import BoxConfig, HallConfig
from factory.layouts.clear_lanes import clear_lanes
from factory.layouts.found import Found, FoundBox, FoundLane, FoundNode, unique
from factory.layouts.place import StandingRoom, trp_places
from factory.layouts.repair import make_drivable
from factory.layouts.report import Report
from factory.layouts.to_scenario import Options, Plan, plan_scenario
from factory.layouts.write_scenario import text_of, write_scenario
from factory.scenario import load_scenario
from humans.config import PeopleConfig
from radio.config import RadioConfig
from robots.agv_config import AgvsConfig
from robots.config import RobotsConfig, RoutesConfig
from robots.routes import Graph

CLEARANCE_M = AgvsConfig().clearance_m


def _found(nodes: list[FoundNode], lanes: list[FoundLane], boxes: list[FoundBox] | None = None) -> Found:
    return Found("made", Report("made.json", "lif"), nodes, lanes, boxes or [])


def _robots(found: Found, count: int = 1) -> RobotsConfig:
    nodes = [{"id": n.id, "position_m": (n.x_m, n.y_m), "action": n.actions[0] if n.actions else None} for n in found.nodes]
    edges = [{"start": e.start, "end": e.end, "two_way": e.two_way} for e in found.lanes]
    return RobotsConfig.model_validate({"agvs": {"count": count}, "routes": {"nodes": nodes, "edges": edges}})


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(3, 14), st.floats(0.1, 0.6))
def test_any_graph_becomes_one_that_the_twin_takes(seed: int, n: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    actions = [(), (), ("pick",), ("drop",), ("pick", "drop"), ("park",), ("charge", "park")]
    nodes = [
        FoundNode(f"n{i}", *map(float, rng.uniform(0, 20, 2)), actions[int(rng.integers(len(actions)))], source_ids=(f"n{i}",))
        for i in range(n)
    ]
    pairs = [(a, b) for a in range(n) for b in range(n) if a != b and rng.random() < density]
    lanes = [FoundLane(f"n{a}", f"n{b}", bool(rng.random() < 0.3), source_ids=(f"e{k}",)) for k, (a, b) in enumerate(pairs)]
    found = _found(nodes, lanes)
    make_drivable(found, CLEARANCE_M)
    if len(found.nodes) < 2 or not found.lanes:
        return
    robots = _robots(found)
    graph = Graph(robots.routes, robots.agvs)
    assert graph.too_close() is None
    assert len(graph.nodes_with("pick")) >= 1
    assert len(graph.nodes_with("drop")) >= 1
    # Nothing is lost: every node and lane is one that is left, joined to one, or named in the report.
    told = "\n".join(str(note) for note in found.report.notes)
    for node in nodes:
        assert any(node.id in kept.source_ids for kept in found.nodes) or "without a lane" in told
    kept_lanes = {s for lane in found.lanes for s in lane.source_ids}
    assert len(kept_lanes) + told.count("the lane lies within node") == len(lanes)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    st.floats(-180, 180),
    st.floats(0.1, 8),
    st.floats(0.1, 8),
    st.tuples(*[st.floats(1, 19)] * 4),
    st.floats(2, 18),
    st.floats(2, 18),
)
def test_lanes_are_free_after_boxes_are_cut(
    yaw: float, length: float, width: float, lane: tuple[float, ...], x: float, y: float
) -> None:
    nodes = [FoundNode("a", lane[0], lane[1]), FoundNode("b", lane[2] + 1e-3, lane[3])]
    box = FoundBox("box", "rack", x, y, length, width, 3.0, yaw, "metal")
    found = _found(nodes, [FoundLane("a", "b", True)], [box])
    agvs = AgvsConfig()
    clear_lanes(found, agvs.width_m / 2 + 0.11)
    boxes = tuple(
        BoxConfig(name=b.name, kind=b.kind, center_m=(b.x_m, b.y_m), size_m=(b.length_m, b.width_m, 3.0), yaw_deg=b.yaw_deg)
        for b in found.boxes
    )
    hall = HallConfig(size_m=(40, 40, 6), boxes=boxes)
    routes = RoutesConfig.model_validate(
        {"nodes": [{"id": n.id, "position_m": (n.x_m, n.y_m)} for n in nodes], "edges": [{"start": "a", "end": "b"}]}
    )
    radio = RadioConfig.model_validate({"trps": [{"name": "t", "position_m": (30, 30, 5)}]})
    found_faults = [f for f in faults(hall, RobotsConfig(routes=routes), PeopleConfig(count=0), radio) if "routes" in f[0]]
    assert found_faults == []
    area = sum(b.length_m * b.width_m for b in found.boxes)
    assert area <= length * width * (1 + 1e-9)
    if found.boxes == [box]:
        assert "cut back" not in lines(found.report, "repaired")
    else:
        assert "cut back" in lines(found.report, "repaired")


def test_rack_beside_a_lane_loses_its_edge_and_not_its_length() -> None:
    nodes = [FoundNode("a", 0.0, 0.0), FoundNode("b", 20.0, 0.0)]
    found = _found(nodes, [FoundLane("a", "b", True)], [FoundBox("rack", "rack", 10.0, 1.0, 12.0, 1.2, 5.0)])
    clear_lanes(found, 0.51)
    (rack,) = found.boxes
    assert rack.length_m == 12.0
    assert rack.y_m - rack.width_m / 2 == pytest.approx(0.56)
    assert rack.y_m + rack.width_m / 2 == pytest.approx(1.6)


def test_parallel_lanes_keep_the_lowest_limit() -> None:
    nodes = [FoundNode("a", 0.0, 0.0, ("pick",)), FoundNode("b", 9.0, 0.0, ("drop",))]
    lanes = [FoundLane("a", "b", False, 1.0), FoundLane("b", "a", False, 0.4), FoundLane("a", "b", False, 0.7)]
    found = _found(nodes, lanes)
    make_drivable(found, CLEARANCE_M)
    (lane,) = found.lanes
    assert (lane.two_way, lane.max_speed_mps) == (True, 0.4)
    assert "3 lanes between 'a' and 'b' are one in the twin, at the lowest limit of 0.4 m/s" in lines(found.report, "repaired")


def test_one_trp_hangs_in_every_field_of_20_m() -> None:
    places = trp_places(HallConfig(size_m=(50, 30, 8)))
    assert len(places) == 6
    assert {round(p[2], 6) for p in places} == {7.0}
    assert places[0][:2] == pytest.approx((50 / 6, 7.5))
    tall = HallConfig(size_m=(50, 30, 8), boxes=(BoxConfig(name="b", center_m=(25, 7.5), size_m=(4, 4, 8)),))
    assert math.dist(trp_places(tall)[1][:2], (25, 7.5)) > 2.0
    assert len(trp_places(HallConfig(size_m=(500, 400, 8)))) <= 16


def test_people_stand_off_lanes_and_boxes() -> None:
    hall = HallConfig(size_m=(20, 12, 6), boxes=(BoxConfig(name="b", center_m=(10, 7), size_m=(6, 1, 3)),))
    lane = np.stack([np.linspace(1, 19, 300), np.full(300, 5.0)], axis=1)
    room = StandingRoom(hall, lane, 0.8)
    for _ in range(4):
        spot = room.near(10.0, 5.0)
        assert spot is not None
        assert abs(spot[1] - 5.0) > 0.89
        assert not (6.6 < spot[0] < 13.4 and 6.1 < spot[1] < 7.9)


def test_names_are_made_unique() -> None:
    assert unique(["a", "b", "a", "a", "a-2"]) == ["a", "b", "a-2", "a-3", "a-2-2"]


@settings(deadline=None, derandomize=True, max_examples=80)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12))
def test_any_name_survives_the_yaml(name: str) -> None:
    assert YAML(typ="safe", pure=True).load(f"{{name: {text_of(name)}}}") == {"name": name}


def _plan() -> Plan:
    nodes = [FoundNode("a", -5.0, 100.0, ("pick",)), FoundNode("b", 9.0, 100.0, ("drop",))]
    return plan_scenario(_found(nodes, [FoundLane("a", "b", True)]), Options())


def test_scenario_says_what_was_assumed() -> None:
    text = write_scenario(_plan())
    assert "Hall frame = plant frame - [-8, 97] m." in text
    assert "# proposed: one per field of 20 m x 20 m" in text
    assert "# missing: cobots" in text


def test_box_at_the_edge_of_the_hall_can_be_loaded(tmp_path: Path) -> None:
    boxes = [FoundBox(f"b{k}", "rack", 3.33333 * k, 0.12345 * k, 1.23456, 0.77777, None, 7.7 * k) for k in range(6)]
    text = write_scenario(plan_scenario(_found([], [], boxes), Options(margin_m=0.0)))
    (tmp_path / "s.yaml").write_text(text)
    assert len(load_scenario(str(tmp_path / "s.yaml")).scenario.hall.boxes) == 6


def test_same_file_gives_the_same_scenario() -> None:
    assert write_scenario(_plan()) == write_scenario(_plan())
