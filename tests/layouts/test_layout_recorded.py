"""Layouts that other tools wrote: each imports as it is, every repair listed, and LIF comes back whole."""

from __future__ import annotations

import json
import math
from pathlib import Path

import jsonschema
import pytest
from layout_tools import imported, lines, plan_of, recorded_layouts
from test_layout_export import lost

from factory.layouts.export_lif import export_lif
from factory.twin import Twin

pytestmark = pytest.mark.recorded
LIF = [f"example-{k:02d}.json" for k in (0, 1, 3, 4, 6, 7, 9, 10, 12, 13, 15, 16, 18)]
# nodes and lanes in the scenario, boxes, AGVs; LIF 00 is the empty form with the word "number" for every number
OTHERS = {
    "opentcs/Demo-01.xml": (59, 75, 0, 4),
    "rmf/battle_royale.building.yaml": (21, 20, 32, 4),
    "rmf/office.building.yaml": (28, 29, 32, 2),
    "rmf/clinic.building.yaml": (54, 55, 360, 2),
    "ros/map.yaml": (0, 0, 184, 0),
}


@pytest.mark.parametrize("name", LIF)
def test_lif_example_imports_and_comes_back_whole(name: str, tmp_path: Path) -> None:
    file = recorded_layouts() / "lif" / name
    loaded, printed = imported(file, tmp_path / "s.yaml")
    assert "repaired (" in printed  # none of them passes its own schema
    assert (loaded.scenario.robots.agvs.count > 0) == (name != "example-00.json")
    export_lif(loaded, tmp_path / "back.json")
    source, export = json.loads(file.read_text()), json.loads((tmp_path / "back.json").read_text())
    assert lost(source, export) == []


@pytest.mark.parametrize("name", LIF[1:])
def test_lif_example_passes_the_schema_once_exported(name: str, tmp_path: Path) -> None:
    folder = recorded_layouts() / "lif"
    schema = json.loads((folder / "LIF.schema").read_text())
    checker = jsonschema.Draft7Validator(schema)
    loaded, _ = imported(folder / name, tmp_path / "s.yaml")
    export_lif(loaded, tmp_path / "back.json")
    assert [e.message for e in checker.iter_errors(json.loads((tmp_path / "back.json").read_text()))] == []


def test_strays_of_an_example_are_listed() -> None:
    report = plan_of(recorded_layouts() / "lif" / "example-15.json").found.report
    assert lines(report, "repaired").count("is the text") == 3
    assert "node 'NC' stands also for 'NA' (0.00 m), 'NB' (0.00 m)" in lines(report, "repaired")
    assert "6 lanes between 'NC' and 'N2' are one in the twin" in lines(report, "repaired")


@pytest.mark.parametrize("name", OTHERS)
def test_other_tools_layouts_import(name: str, tmp_path: Path) -> None:
    loaded, _ = imported(recorded_layouts() / name, tmp_path / "s.yaml")
    scenario, (nodes, edges, boxes, agvs) = loaded.scenario, OTHERS[name]
    routes = scenario.robots.routes
    assert (len(routes.nodes), len(routes.edges), len(scenario.hall.boxes), scenario.robots.agvs.count) == (
        nodes,
        edges,
        boxes,
        agvs,
    )


def test_office_has_the_mean_scale_of_its_three_measurements() -> None:
    place = {n.id: (n.x_m, n.y_m) for n in plan_of(recorded_layouts() / "rmf" / "office.building.yaml").found.nodes}
    pixels = math.dist((1791.093, 1110.805), (1364.76, 1336.717))  # vertices 63 and 54 in the file, v63 and v54 here
    scale_m = (9.315 / 1101.826 + 8.409 / 991.582 + 20.089 / 2374.038) / 3
    assert math.dist(place["v63"], place["v54"]) == pytest.approx(pixels * scale_m, rel=1e-4)


@pytest.mark.parametrize("name", ["lif/example-07.json", "rmf/office.building.yaml"])
def test_imported_layout_drives(name: str, tmp_path: Path) -> None:
    loaded, _ = imported(recorded_layouts() / name, tmp_path / "s.yaml")
    twin = Twin(loaded)
    try:
        first = twin.agvs.position_m.copy()
        farthest = 0.0
        for _ in range(1500):
            twin.tick()
            farthest = max(farthest, float(abs(twin.agvs.position_m - first).max()))
    finally:
        twin.close()
    assert farthest > 3.0
