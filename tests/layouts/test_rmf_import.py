"""Open-RMF building maps: pixels become metres, walls stay, lanes drive, other levels and graphs are listed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from layout_tools import SAMPLES, imported, lines, plan_of

from factory.layouts.read import Reading
from factory.layouts.report import LayoutError

MAP = SAMPLES / "workshop.building.yaml"

LISTED = {
    "other level": ("ignored", r"levels\.L2: 1 lanes, 0 walls: .*--level L2"),
    "other graph": ("ignored", r"1 lanes of graph 1: .*--graph 1"),
    "measurement of nothing": ("ignored", r"measurements\[1\]: says that 0 pixels are 1 m"),
    "wall without length": ("ignored", r"walls\[5\]: has no length"),
    "wall to nowhere": ("ignored", r"walls\[6\]: its ends 3 \.\.\. are no vertices"),
    "lane to nowhere": ("ignored", r"lanes\[4\]: its ends 4 \.\.\. are no vertices"),
    "models": ("ignored", r"models: 1 entries: models have no size in the file \(1 Table\)"),
    "orientation": ("ignored", r"lanes\[2\]: orientation 'forward'"),
    "lane through a wall": ("repaired", r"walls\[4\]: a lane comes nearer than 0\.36 m to wall 'wall-4': cut back, in 2 parts"),
    "one-way dead end": ("repaired", r"lanes\[2\]: no way leads back from 'dock' to 'v6': the lane is driven both ways"),
    "doors": ("read", r"1 doors, taken as open"),
}


@pytest.mark.parametrize("case", LISTED)
def test_what_is_not_taken_as_it_is_is_listed(case: str) -> None:
    verdict, pattern = LISTED[case]
    assert re.search(pattern, lines(plan_of(MAP).found.report, verdict)), case


def test_every_line_of_the_report_about_an_entry_names_its_line() -> None:
    text = MAP.read_text().splitlines()
    for note in plan_of(MAP).found.report.notes:
        match = re.match(r"line (\d+): levels\.L1\.(walls|lanes|vertices|measurements)\[", note.place)
        if match:
            assert text[int(match.group(1)) - 1].lstrip().startswith("- [")


def test_scenario_has_the_workshop(tmp_path: Path) -> None:
    loaded, _ = imported(MAP, tmp_path / "s.yaml")
    scenario = loaded.scenario
    assert scenario.hall.size_m[:2] == pytest.approx((27.2, 17.2), abs=0.11)
    place = {n.id: n.position_m for n in scenario.robots.routes.nodes}
    assert place["bench"][0] - place["stock"][0] == pytest.approx(15.0)
    assert place["v6"][1] - place["dock"][1] == pytest.approx(5.0)  # the picture counts downwards, the hall upwards
    assert {n.id: n.action for n in scenario.robots.routes.nodes} == {
        "stock": "pick",
        "bench": "drop",
        "v6": None,
        "dock": "charge",
    }
    speed = {(e.start, e.end): e.max_speed_mps for e in scenario.robots.routes.edges}
    assert speed["v6", "bench"] == 0.8
    heights = {b.name: b.size_m[2] for b in scenario.hall.boxes}
    assert heights["wall-0"] == 2.5
    assert heights["wall-1"] == 3.0
    assert scenario.robots.agvs.count == 1


def test_scale_comes_through_fiducials_where_a_level_has_no_measurement() -> None:
    plan = plan_of(MAP, Reading(level="L2"))
    assert "the scale is that of level L1 through 2 fiducials" in lines(plan.found.report, "repaired")
    a, b = plan.found.nodes
    assert abs(b.x_m - a.x_m) == pytest.approx(10.0)  # 500 pixels there are 250 here, 0.05 m there is 0.1 m here


BROKEN = {
    "no levels": ("levels:", "floors:", r"levels: is missing or empty"),
    "no scale": ("[3, 25]", "[3, 0]", r"levels\.L1\.measurements: no usable measurement .*--scale"),
    "NaN": ("[100, 150, 0, stock", "[.nan, 150, 0, stock", r"line 18: levels\.L1\.vertices\[4\]: x is nan; give a finite number"),
    "vertex that is a word": ('- [250, 150, 0, ""]', "- middle", r"vertices\[6\]: is 'middle'; a vertex is a list"),
    "coordinates on the globe": ("reference_image", "wgs84", r"line 1: coordinate_system 'wgs84' is not read"),
    "forty kilometres": ("[3, 25]", "[3, 40000]", r"reaches over 40,000 x 24,000 m, a hall at most 500 m"),
    "not YAML": ("levels:", "levels: [", r"workshop\.building\.yaml:\d+:\d+: not valid YAML"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_map_is_refused_with_its_place(case: str, tmp_path: Path) -> None:
    old, new, message = BROKEN[case]
    text = MAP.read_text()
    assert old in text
    file = tmp_path / "workshop.building.yaml"
    if case == "no scale":
        text = text.replace("- [500, 0, b]", "")
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(LayoutError, match=message):
        plan_of(file, Reading(kind="rmf"))


def test_unknown_level_and_graph_are_refused_with_what_there_is() -> None:
    with pytest.raises(LayoutError, match="there is no level 'L9'; there is L1, L2"):
        plan_of(MAP, Reading(level="L9"))
    with pytest.raises(LayoutError, match="no lane has graph_idx 5; there is 0, 1"):
        plan_of(MAP, Reading(graph=5))
