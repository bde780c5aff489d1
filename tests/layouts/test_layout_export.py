"""Exports: a glTF that hangs together, a Mitsuba scene with the hall's own faces, a LIF that loses nothing."""

from __future__ import annotations

import base64
import io
import json
import struct
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from layout_tools import SAMPLES, imported
from rich.console import Console

from factory.errors import UserError
from factory.layouts.command import export_command
from factory.layouts.export_gltf import gltf_of
from factory.layouts.export_lif import export_lif
from factory.layouts.export_mitsuba import export_mitsuba
from factory.layouts.lif_fields import LIF, put_right
from factory.layouts.report import Report
from factory.scenario import LoadedScenario, load_scenario

STRAYS = SAMPLES / "strays.lif.json"


@pytest.fixture(scope="module")
def small() -> LoadedScenario:
    return load_scenario("small", ["hall.boxes[5].yaw_deg=25", "radio.trps[0].downtilt_deg=60"])


def _leaves(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        return {k: v for key, entry in value.items() for k, v in _leaves(entry, f"{path}.{key.strip()}").items()} or {path: {}}
    if isinstance(value, list):
        return {k: v for i, entry in enumerate(value) for k, v in _leaves(entry, f"{path}[{i}]").items()} or {path: []}
    return {path: value}


def _same(a: Any, b: Any) -> bool:
    """Tell whether a repaired value says what the stray said."""
    try:
        return a == b or float(a) == float(b)
    except (TypeError, ValueError):
        return str(a).lower() == str(b).lower()


def lost(source: Any, export: Any) -> list[str]:
    """Return the fields of a document that an export does not give back."""
    given = _leaves(export)
    return [path for path, value in _leaves(source).items() if path not in given or not _same(value, given[path])]


def test_lif_comes_back_with_every_field(tmp_path: Path) -> None:
    loaded, _ = imported(STRAYS, tmp_path / "s.yaml")
    export_lif(loaded, tmp_path / "back.json")
    source, export = json.loads(STRAYS.read_text()), json.loads((tmp_path / "back.json").read_text())
    assert lost(source, export) == []
    assert len(export["layouts"][0]["edges"]) == len(source["layouts"][0]["edges"])


def test_a_lost_field_would_be_noticed() -> None:
    source = json.loads(STRAYS.read_text())
    export = json.loads(STRAYS.read_text())
    del export["layouts"][0]["nodes"][2]["colour"]
    export["layouts"][0]["edges"][0]["vehicleTypeEdgeProperties"][0]["maxSpeed"] = 1.3
    assert len(lost(source, export)) == 2


def test_export_needs_fewer_repairs_than_the_file_did(tmp_path: Path) -> None:
    loaded, _ = imported(STRAYS, tmp_path / "s.yaml")
    export_lif(loaded, tmp_path / "back.json")
    before, after = Report("a", "lif"), Report("b", "lif")
    put_right(json.loads(STRAYS.read_text()), LIF, "", before)
    put_right(json.loads((tmp_path / "back.json").read_text()), LIF, "", after)
    assert before.number()["repaired"] >= 8
    assert after.number()["repaired"] == 0


def test_changes_of_the_scenario_reach_the_lif(tmp_path: Path) -> None:
    imported(STRAYS, tmp_path / "s.yaml")
    text = (tmp_path / "s.yaml").read_text()
    loaded = load_scenario(str(tmp_path / "s.yaml"))
    x, y = next(n.position_m for n in loaded.scenario.robots.routes.nodes if n.id == "B")
    text = text.replace(f"{{id: B, position_m: [{x:g}, {y:g}], action: pick}}",
                        f"{{id: B, position_m: [{x + 0.5:g}, {y:g}], action: drop}}")  # fmt: skip
    text = text.replace("action: drop}\n      - {id: D", "action: pick}\n      - {id: D")
    text = text.replace("two_way: false, max_speed_mps: 1.2", "two_way: true, max_speed_mps: 0.7")
    text = text.replace("    edges:\n", f"      - {{id: E, position_m: [{x:g}, {y + 4:g}]}}\n    edges:\n"
                        "      - {start: E, end: D}\n")  # fmt: skip
    (tmp_path / "s.yaml").write_text(text)
    told = export_lif(load_scenario(str(tmp_path / "s.yaml")), tmp_path / "back.json")
    layout = json.loads((tmp_path / "back.json").read_text())["layouts"][0]
    node = {n["nodeId"]: n for n in layout["nodes"]}
    assert node["B"]["nodePosition"]["x"] == pytest.approx(13.0)
    assert [a["actionType"] for a in node["B"]["vehicleTypeNodeProperties"][0]["actions"]] == ["beep", "drop"]
    assert node["E"]["nodePosition"] == pytest.approx({"x": 12.5, "y": 4.0})
    edge = {(e["startNodeId"], e["endNodeId"]): e for e in layout["edges"]}
    assert edge["A", "B"]["vehicleTypeEdgeProperties"][0]["maxSpeed"] == 0.7
    assert ("B", "A") in edge
    assert ("E", "D") in edge
    assert ("D", "E") in edge
    assert edge["C", "D"]["vehicleTypeEdgeProperties"][0]["loadRestriction"]["loadSetNames"] == ["crate"]
    assert any("'B' was moved by 0.500 m" in line for line in told)


def test_node_taken_out_of_the_scenario_leaves_the_lif(tmp_path: Path) -> None:
    imported(STRAYS, tmp_path / "s.yaml")
    kept = [line for line in (tmp_path / "s.yaml").read_text().splitlines() if "id: D" not in line and "end: D" not in line
            and "start: D" not in line]  # fmt: skip
    text = "\n".join(kept).replace("start: A, end: B, two_way: false", "start: A, end: B, two_way: true")
    (tmp_path / "s.yaml").write_text(text.replace("start: B, end: C, two_way: false", "start: B, end: C, two_way: true"))
    export_lif(load_scenario(str(tmp_path / "s.yaml"), ["robots.agvs.count=1"]), tmp_path / "back.json")
    layout = json.loads((tmp_path / "back.json").read_text())["layouts"][0]
    assert [n["nodeId"] for n in layout["nodes"]] == ["A", "B", "C", "C2", "nowhere"]
    assert not {"C-D", "D-A"} & {e["edgeId"] for e in layout["edges"]}


def test_scenario_of_ones_own_becomes_a_lif_without_strays(small: LoadedScenario, tmp_path: Path) -> None:
    export_lif(small, tmp_path / "small.json")
    document = json.loads((tmp_path / "small.json").read_text())
    report = Report("small.json", "lif")
    put_right(document, LIF, "", report)
    assert report.notes == []
    layout, routes = document["layouts"][0], small.scenario.robots.routes
    assert [n["nodeId"] for n in layout["nodes"]] == [n.id for n in routes.nodes]
    assert len(layout["edges"]) == sum(2 if e.two_way else 1 for e in routes.edges)
    again, _ = imported(tmp_path / "small.json", tmp_path / "again.yaml")
    assert {n.id: n.action for n in again.scenario.robots.routes.nodes} == {n.id: n.action for n in routes.nodes}


def test_broken_sidecar_is_told(tmp_path: Path) -> None:
    loaded, _ = imported(STRAYS, tmp_path / "s.yaml")
    for content in ("[]", '{"kind": "lif", "document": {}}', "{"):
        (tmp_path / "s.layout.json").write_text(content)
        with pytest.raises(UserError, match=r"s\.layout\.json"):
            export_lif(loaded, tmp_path / "back.json")
    assert not (tmp_path / "back.json").exists()


def _accessor(document: dict[str, Any], k: int) -> np.ndarray:
    accessor = document["accessors"][k]
    view = document["bufferViews"][accessor["bufferView"]]
    data = base64.b64decode(document["buffers"][0]["uri"].partition("base64,")[2])
    assert len(data) == document["buffers"][0]["byteLength"]
    part = data[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
    kind = {5126: np.float32, 5123: np.uint16}[accessor["componentType"]]
    width = {"VEC3": 3, "SCALAR": 1}[accessor["type"]]
    array = np.frombuffer(part, kind)
    assert len(array) == accessor["count"] * width
    return array.reshape(-1, width)


def test_gltf_hangs_together(small: LoadedScenario) -> None:
    document = gltf_of(small.scenario)
    assert document["asset"]["version"] == "2.0"
    points, normals, index = (_accessor(document, k) for k in range(3))
    assert document["accessors"][0]["min"] == points.min(axis=0).tolist()
    assert document["accessors"][0]["max"] == points.max(axis=0).tolist()
    triangle = points[index.reshape(-1, 3)]
    outward = np.cross(triangle[:, 1] - triangle[:, 0], triangle[:, 2] - triangle[:, 0])
    np.testing.assert_allclose(outward / np.linalg.norm(outward, axis=1)[:, None], normals[index.reshape(-1, 3)[:, 0]])
    assert (np.einsum("ij,ij->i", outward, triangle.mean(axis=1)) > 0).all()
    for node in document["nodes"]:
        assert node.get("mesh", 0) < len(document["meshes"])
        assert np.linalg.norm(node.get("rotation", [0, 0, 0, 1])) == pytest.approx(1.0)
        assert all(child < len(document["nodes"]) for child in node.get("children", []))
    for view in document["bufferViews"]:
        assert view["byteOffset"] % 4 == 0
    assert sorted(document["nodes"][0]["children"]) == list(range(1, len(document["nodes"])))


def _turn(q: list[float], v: np.ndarray) -> np.ndarray:
    x, y, z, w = q
    u = np.array([x, y, z])
    return np.asarray(v + 2 * np.cross(u, np.cross(u, v) + w * v))


def test_gltf_holds_everything_where_it_is(small: LoadedScenario) -> None:
    document, scenario = gltf_of(small.scenario), small.scenario
    node = {n["name"]: n for n in document["nodes"]}
    for box in scenario.hall.boxes:
        assert node[box.name]["translation"] == pytest.approx([*box.center_m, box.size_m[2] / 2])
        assert node[box.name]["scale"] == pytest.approx(list(box.size_m))
        assert node[box.name]["extras"]["itu_material"] == box.material
    turned = _turn(node[scenario.hall.boxes[5].name]["rotation"], np.array([1.0, 0.0, 0.0]))
    assert turned == pytest.approx([np.cos(np.radians(25)), np.sin(np.radians(25)), 0.0])
    trp = scenario.radio.trps[0]
    looks = _turn(node[trp.name]["rotation"], np.array([1.0, 0.0, 0.0]))
    assert looks == pytest.approx([0.5, 0.0, -np.sqrt(0.75)])  # azimuth 0, 60 degrees down
    assert node[trp.name]["translation"] == list(trp.position_m)
    assert _turn(document["nodes"][0]["rotation"], np.array([0.0, 0.0, 1.0])) == pytest.approx([0.0, 1.0, 0.0])  # up is y in glTF
    kinds = [n["extras"]["kind"] for n in document["nodes"][1:]]
    assert (kinds.count("agv"), kinds.count("cobot"), kinds.count("trp")) == (4, 2, 2)


def _read_ply(path: Path) -> tuple[np.ndarray, np.ndarray]:
    head, _, body = path.read_bytes().partition(b"end_header\n")
    lines = head.decode().splitlines()
    n, k = (int(next(line for line in lines if line.startswith(f"element {what}")).split()[-1]) for what in ("vertex", "face"))
    assert len(body) == 12 * n + 13 * k
    faces = [struct.unpack_from("<Biii", body, 12 * n + 13 * i) for i in range(k)]
    assert all(face[0] == 3 for face in faces)
    return np.frombuffer(body[: 12 * n], "<f4").reshape(-1, 3), np.array([face[1:] for face in faces])


def test_mitsuba_scene_has_every_face_and_box(small: LoadedScenario, tmp_path: Path) -> None:
    export_mitsuba(small.scenario, tmp_path / "hall.xml")
    root = ET.parse(tmp_path / "hall.xml").getroot()
    shapes = root.findall("shape")
    assert len(shapes) == 6 + len(small.scenario.hall.boxes)
    materials = {b.get("id"): (b.find("string").get("value"), float(b.find("float").get("value"))) for b in root.findall("bsdf")}
    volume = 0.0
    for shape in shapes:
        corners, triangles = _read_ply(tmp_path / shape.find("string").get("value"))
        assert triangles.max() < len(corners)
        assert shape.find("ref").get("id") in materials
        a, b, c = corners[triangles].astype(float).transpose(1, 0, 2)
        volume += float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6) if shape.get("id").startswith("mesh-box") else 0.0
    assert volume == pytest.approx(sum(np.prod(b.size_m) for b in small.scenario.hall.boxes), rel=1e-5)
    rack = root.find("shape[@id='mesh-box-0-rack-a']")
    assert materials[rack.find("ref").get("id")] == ("chipboard", 0.1)


def test_export_refuses_what_it_cannot_do(small: LoadedScenario, tmp_path: Path) -> None:
    console = Console(file=io.StringIO())
    with pytest.raises(UserError, match="--as obj: give one of gltf, lif, mitsuba"):
        export_command("small", "obj", tmp_path / "a.obj", False, console)
    (tmp_path / "a.gltf").write_text("mine")
    with pytest.raises(UserError, match="exists already"):
        export_command("small", "gltf", tmp_path / "a.gltf", False, console)
    assert (tmp_path / "a.gltf").read_text() == "mine"
    assert export_command("small", "gltf", tmp_path / "a.gltf", True, console) == 0
    with pytest.raises(UserError, match="is no folder"):
        export_command("small", "gltf", tmp_path / "no" / "a.gltf", False, console)
