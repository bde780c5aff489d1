"""A CSV of boxes: what is read, and errors with file, line and column."""

from __future__ import annotations

from pathlib import Path

import pytest
from layout_tools import imported, lines, plan_of

from factory.layouts.report import LayoutError

GOOD = """name,kind,x_m,y_m,z_m,length_m,width_m,height_m,yaw_deg,material
rack 1,rack,10,5,0,12,1.2,5,0,metal
press,machine,20,5,0.1,3,2,2.4,30,
duct,machine,15,8,4,10,1,1,0,metal
picking,zone,10,5,,14,4,,,
"""


def _file(folder: Path, text: str) -> Path:
    file = folder / "boxes.csv"
    file.write_text(text)
    return file


@pytest.mark.parametrize("separator", [",", ";"])
def test_boxes_and_zones_are_read(separator: str, tmp_path: Path) -> None:
    loaded, _ = imported(_file(tmp_path, GOOD.replace(",", separator)), tmp_path / "s.yaml")
    rack, press = loaded.scenario.hall.boxes
    assert (rack.name, rack.kind, rack.size_m, rack.material) == ("rack 1", "rack", (12.0, 1.2, 5.0), "metal")
    assert (press.yaw_deg, press.material) == (30.0, "metal")
    assert press.size_m[2] == pytest.approx(2.5)
    assert press.center_m[0] - rack.center_m[0] == pytest.approx(10.0)
    assert loaded.scenario.hall.zones[0].name == "picking"


def test_what_hangs_is_listed(tmp_path: Path) -> None:
    report = plan_of(_file(tmp_path, GOOD)).found.report
    assert "line 4: machine 'duct' hangs 4 m above the floor" in lines(report, "ignored")
    assert "line 3: machine 'press' begins at 0.1 m" in lines(report, "repaired")
    assert "1 of kind machine are made of metal" in lines(report, "assumed")


BROKEN = {
    "kind": ("press,machine", "press,machin", r"boxes\.csv:3:2: kind is 'machin', none of .*did you mean 'machine'\?"),
    "number": ("20,5,0.1", "20,five,0.1", r"boxes\.csv:3:4: y_m is 'five'; give a number"),
    "NaN": ("20,5,0.1", "nan,5,0.1", r"boxes\.csv:3:3: x_m is 'nan'"),
    "huge": ("20,5,0.1", "1e12,5,0.1", r"boxes\.csv:3:3: x_m is '1e12'"),
    "no size": ("12,1.2,5", "0,1.2,5", r"boxes\.csv:2:6: length_m is '0'; give a number from 0\.001 to 500"),
    "material": (",metal\npress", ",steel\npress", r"boxes\.csv:2:10: material is 'steel', none of"),
    "column": ("width_m", "width", r"boxes\.csv:1: column 'width_m' is missing"),
    "column twice": ("z_m", "x_m", r"boxes\.csv:1:5: column 'x_m' is there twice"),
    "quote": ("rack 1,", '"rack 1,', r"not valid CSV"),
    "metres or millimetres": ("press,machine,20", "press,machine,40000", r"reaches over 39,999 x 4 m.*\(line 3\)"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_fault_is_named_with_line_and_column(case: str, tmp_path: Path) -> None:
    old, new, message = BROKEN[case]
    assert old in GOOD
    with pytest.raises(LayoutError, match=message):
        plan_of(_file(tmp_path, GOOD.replace(old, new, 1)))


def test_header_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="has a header and no rows"):
        plan_of(_file(tmp_path, GOOD.splitlines()[0] + "\n"))
