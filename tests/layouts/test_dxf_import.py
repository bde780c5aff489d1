"""DXF drawings: layers become boxes, zones and lanes; blocks are taken apart; what is left out is counted."""

from __future__ import annotations

import math
import time
from pathlib import Path

import ezdxf
import pytest
from ezdxf.document import Drawing
from layout_tools import imported, lines, plan_of

from factory.layouts.outline import smallest_rectangle
from factory.layouts.read import Reading
from factory.layouts.report import LayoutError

LAYERS = """
layers:
  WALLS: {as: wall, height_m: 4, thickness_m: 0.24, material: concrete}
  "RACK*": {as: rack, height_m: 6, material: metal}
  MACHINES: {as: machine}
  LANES: {as: lane, max_speed_mps: 1.2}
  ZONES: {as: zone}
  PICK: {as: pick}
  DROP: {as: drop}
ignore: [DIM*]
"""


def _drawing(units: int = 4) -> Drawing:
    document = ezdxf.new("R2010")
    document.header["$INSUNITS"] = units
    return document


def _hall() -> Drawing:
    """Return a hall of 30 m x 20 m drawn in mm: walls, two racks as blocks, a column, lanes with a branch, a zone, texts."""
    document = _drawing()
    model = document.modelspace()
    model.add_lwpolyline([(0, 0), (30000, 0), (30000, 20000), (0, 20000)], close=True, dxfattribs={"layer": "WALLS"})
    rack = document.blocks.new("RACK")
    rack.add_lwpolyline([(-5000, -600), (5000, -600), (5000, 600), (-5000, 600)], close=True)
    model.add_blockref("RACK", (15000, 5000), dxfattribs={"layer": "RACKS-A"})
    model.add_blockref("RACK", (15000, 15000), dxfattribs={"layer": "RACKS-A", "rotation": 20})
    model.add_circle((25000, 15000), 400, dxfattribs={"layer": "MACHINES"})
    model.add_lwpolyline([(3000, 10000), (27000, 10000), (27000, 3000)], dxfattribs={"layer": "LANES"})
    model.add_line((8000, 10000), (8000, 3000), dxfattribs={"layer": "LANES"})
    model.add_point((3000, 10000), dxfattribs={"layer": "PICK"})
    model.add_point((8000, 3100), dxfattribs={"layer": "DROP"})
    model.add_lwpolyline([(0, 8000), (30000, 8000), (30000, 12000), (0, 12000)], close=True, dxfattribs={"layer": "ZONES"})
    model.add_text("Halle 1", dxfattribs={"layer": "WALLS"})
    model.add_line((0, 0), (1, 1), dxfattribs={"layer": "DIM-1"})
    model.add_line((0, 0), (9000, 0), dxfattribs={"layer": "PIPES"})
    return document


def _save(document: Drawing, folder: Path, layers: str = LAYERS) -> tuple[Path, Reading]:
    file, layers_file = folder / "hall.dxf", folder / "layers.yaml"
    document.saveas(file)
    layers_file.write_text(layers)
    return file, Reading(layers=layers_file)


def test_hall_is_read_from_its_layers(tmp_path: Path) -> None:
    file, reading = _save(_hall(), tmp_path)
    loaded, printed = imported(file, tmp_path / "s.yaml", reading)
    hall = loaded.scenario.hall
    kinds = [b.kind for b in hall.boxes]
    assert (kinds.count("wall"), kinds.count("rack"), kinds.count("machine")) == (4, 2, 1)
    racks = [b for b in hall.boxes if b.kind == "rack"]
    assert sorted(b.yaw_deg for b in racks) == pytest.approx([0.0, 20.0], abs=1e-3)
    assert all(b.size_m == pytest.approx((10.0, 1.2, 6.0)) and b.material == "metal" for b in racks)
    assert racks[1].center_m[1] - racks[0].center_m[1] == pytest.approx(10.0)
    column = next(b for b in hall.boxes if b.kind == "machine")
    assert column.size_m[:2] == pytest.approx((0.8, 0.8), abs=0.02)
    routes = loaded.scenario.robots.routes
    assert len(routes.nodes) == 5  # two ends, a corner, a branch and its end
    assert sorted(n.action or "" for n in routes.nodes) == ["", "", "", "drop", "pick"]
    assert len(routes.edges) == 4
    assert all(e.two_way and e.max_speed_mps == 1.2 for e in routes.edges)
    assert len(hall.zones) == 1
    assert "1 entities TEXT: not taken from drawings" in printed
    assert "layer 'PIPES': 1 LINE: not in the layers file" in printed
    assert "DIM-1" not in printed


@pytest.mark.parametrize(("code", "metres"), [(6, 30000.0), (4, 30.0), (5, 300.0)])
def test_unit_comes_from_the_header(code: int, metres: float, tmp_path: Path) -> None:
    document = _drawing(code)
    document.modelspace().add_line((0, 0), (30000, 0), dxfattribs={"layer": "WALLS"})
    file, reading = _save(document, tmp_path)
    if metres > 500:
        with pytest.raises(LayoutError, match=r"reaches over 30,000 x 0 m.*layer 'WALLS', LINE"):
            plan_of(file, reading)
    else:
        assert plan_of(file, reading).found.boxes[0].length_m == pytest.approx(metres)


def test_drawing_without_unit_asks_for_it(tmp_path: Path) -> None:
    document = _drawing(0)
    document.modelspace().add_line((0, 0), (30000, 0), dxfattribs={"layer": "WALLS"})
    file, reading = _save(document, tmp_path)
    with pytest.raises(LayoutError, match=r"header \$INSUNITS: is 0: the drawing does not say its unit; give --units"):
        plan_of(file, reading)
    assert plan_of(file, Reading(layers=reading.layers, units="mm")).found.boxes[0].length_m == pytest.approx(30.0)


def test_blocks_that_hold_each_other_end(tmp_path: Path) -> None:
    document = _hall()
    one, other = document.blocks.new("ONE"), document.blocks.new("OTHER")
    one.add_blockref("OTHER", (0, 0))
    other.add_blockref("ONE", (0, 0))
    one.add_lwpolyline([(0, 0), (1000, 0), (1000, 1000), (0, 1000)], close=True)
    document.modelspace().add_blockref("ONE", (20000, 17000), dxfattribs={"layer": "MACHINES"})
    file, reading = _save(document, tmp_path)
    plan = plan_of(file, reading)
    assert "block 'ONE' contains itself" in lines(plan.found.report, "ignored")
    assert sum(b.kind == "machine" for b in plan.found.boxes) == 2


def test_missing_block_and_hanging_box_are_listed(tmp_path: Path) -> None:
    document = _hall()
    document.modelspace().add_blockref("GONE", (0, 0), dxfattribs={"layer": "MACHINES"})
    document.modelspace().add_line((1000, 1000, 3000), (2000, 1000, 3000), dxfattribs={"layer": "WALLS"})
    file, reading = _save(document, tmp_path)
    text = lines(plan_of(file, reading).found.report, "ignored")
    assert "block 'GONE' is not in the drawing" in text
    assert "lies 3 m above the floor" in text


def test_curves_become_short_walls(tmp_path: Path) -> None:
    document = _hall()
    document.modelspace().add_arc((5000, 15000), 3000, 0, 90, dxfattribs={"layer": "WALLS"})
    file, reading = _save(document, tmp_path)
    walls = [b for b in plan_of(file, reading).found.boxes if b.kind == "wall"]
    length = sum(b.length_m for b in walls) - 100.0
    assert length == pytest.approx(3.0 * math.pi / 2, rel=0.02)


def test_rack_that_is_no_rectangle_is_told(tmp_path: Path) -> None:
    document = _hall()
    outline = [(20000, 1000), (24000, 1000), (24000, 2000), (21000, 2000), (21000, 4000), (20000, 4000)]
    document.modelspace().add_lwpolyline(outline, close=True, dxfattribs={"layer": "RACK-L"})
    file, reading = _save(document, tmp_path)
    assert "its outline fills 50 % of the rectangle" in lines(plan_of(file, reading).found.report, "repaired")


def test_smallest_rectangle_of_a_turned_box() -> None:
    cos, sin = math.cos(0.7), math.sin(0.7)
    corners = [(3 + u * cos - v * sin, 5 + u * sin + v * cos) for u, v in ((-4, -1), (4, -1), (4, 1), (-4, 1))]
    assert smallest_rectangle(corners) == pytest.approx((3.0, 5.0, 8.0, 2.0, math.degrees(0.7), 1.0))


def test_five_thousand_entities_load_within_ten_seconds(tmp_path: Path) -> None:
    document = _drawing()
    model = document.modelspace()
    block = document.blocks.new("BAY")
    block.add_lwpolyline([(0, 0), (2000, 0), (2000, 1000), (0, 1000)], close=True)
    for k in range(1200):
        model.add_blockref("BAY", (5000 + 4000 * (k % 40), 5000 + 5000 * (k // 40)), dxfattribs={"layer": "RACKS"})
    for k in range(1500):
        model.add_line((100 * k, 0), (100 * k + 90, 0), dxfattribs={"layer": "WALLS"})
    for _ in range(1300):
        model.add_text("bay", dxfattribs={"layer": "RACKS"})
    for k in range(30):
        y = 3500 + 5000 * k
        for x in range(40):
            model.add_line((4000 + 4000 * x, y), (8000 + 4000 * x, y), dxfattribs={"layer": "LANES"})
    assert len(model) > 5000
    file, reading = _save(document, tmp_path)
    begun = time.process_time()
    plan = plan_of(file, reading)
    assert time.process_time() - begun < 10.0
    assert plan.found.report.counts["nodes"] == 30 * 41
    assert plan.found.report.counts["boxes"] >= 2600


BROKEN_LAYERS = {
    "no layers": ("units: mm\n", r"layers: Field required"),
    "unknown meaning": ("layers:\n  WALLS: {as: wal}\n", r"layers\.yaml:2: layers\.WALLS\.as: Input should be 'wall'"),
    "unknown key": ("layers:\n  WALLS: {as: wall, high_m: 3}\n", r"layers\.WALLS\.high_m: Extra inputs are not permitted"),
    "unknown material": ("layers:\n  WALLS: {as: wall, material: steel}\n", r"material 'steel' is unknown; known: brick"),
    "negative height": (
        "layers:\n  WALLS: {as: wall, height_m: -3}\n",
        r"layers\.WALLS\.height_m: Input should be greater than 0",
    ),
    "nothing there": (
        "layers:\n  NOSUCH: {as: wall}\n",
        r"nothing lies on the layers that .* the drawing's layers with entities: .*LANES",
    ),
}


@pytest.mark.parametrize("case", BROKEN_LAYERS)
def test_broken_layers_file_is_refused(case: str, tmp_path: Path) -> None:
    text, message = BROKEN_LAYERS[case]
    file, reading = _save(_hall(), tmp_path, text)
    with pytest.raises(LayoutError, match=message):
        plan_of(file, reading)


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"  0\nSECTION\n  2\nENTITIES\n  0\nLINE\n  8\nWALLS\n 10\nabc\n", b"\x00\xff" * 500]
)
def test_what_is_no_drawing_is_refused(content: bytes, tmp_path: Path) -> None:
    file, reading = _save(_hall(), tmp_path)
    file.write_bytes(content)
    with pytest.raises(LayoutError, match=r"hall\.dxf: "):
        plan_of(file, reading)


def test_truncated_drawing_is_refused_or_told(tmp_path: Path) -> None:
    file, reading = _save(_hall(), tmp_path)
    data = file.read_bytes()
    for share in (0.3, 0.6, 0.9, 0.97):
        file.write_bytes(data[: int(share * len(data))])
        try:
            told = lines(plan_of(file, reading).found.report, "repaired")
        except LayoutError as error:
            told = str(error)
        assert "hall.dxf" in told or "is not quite DXF" in told


def test_coordinates_beyond_reason_name_layer_and_entity(tmp_path: Path) -> None:
    document = _hall()
    document.modelspace().add_line((0, 0), (1e15, 0), dxfattribs={"layer": "WALLS"})
    file, reading = _save(document, tmp_path)
    with pytest.raises(LayoutError, match=r"layer 'WALLS', LINE [0-9A-F]+: lies at 1e\+12, 0 m"):
        plan_of(file, reading)
