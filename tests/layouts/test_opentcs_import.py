"""openTCS plant models: millimetres become metres, operations become actions, what is not modelled is listed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from layout_tools import SAMPLES, imported, lines, plan_of

from factory.layouts.report import LayoutError
from factory.layouts.to_scenario import Options

PLANT = SAMPLES / "small-plant.xml"

LISTED = {
    "height": ("ignored", r"line 5: point 'P3': positionZ 500 mm: the twin has one floor"),
    "locked path": ("ignored", r"line 13: path 'P2 --- P4': is locked"),
    "unknown point": ("ignored", r"line 14: path 'P1 --- P9': names point 'P9'"),
    "link to an unknown point": ("ignored", r"location 'Goods out' is linked to point 'P9'"),
    "no speed": ("repaired", r"path 'P3 --- P4': maxVelocity is 0 in both directions"),
    "type that is not described": ("repaired", r"location 'Door': is of type 'Fire door', which the file does not describe"),
    "location without a link": ("ignored", r"location 'Door': of type 'Fire door' is linked to no point"),
    "block": ("ignored", r"1 elements <block>"),
    "curve": ("ignored", r"the curves of 1 paths"),
    "length": ("ignored", r"the length of 1 paths, which is 1\.50 to 1\.50"),
    "vehicles that differ": ("ignored", r"vehicles differ in size or speed"),
    "sizes": ("missing", r"sizes of 4 locations"),
}


@pytest.mark.parametrize("case", LISTED)
def test_what_is_not_taken_as_it_is_is_listed(case: str) -> None:
    verdict, pattern = LISTED[case]
    assert re.search(pattern, lines(plan_of(PLANT).found.report, verdict)), case


def test_scenario_has_the_plant(tmp_path: Path) -> None:
    loaded, _ = imported(PLANT, tmp_path / "s.yaml")
    robots = loaded.scenario.robots
    assert {n.id: n.action for n in robots.routes.nodes} == {"P1": "charge", "P2": "pick", "P3": "drop", "P4": "park"}
    place = {n.id: n.position_m for n in robots.routes.nodes}
    assert place["P3"][0] - place["P1"][0] == pytest.approx(10.0)
    lane = {(e.start, e.end): e for e in robots.routes.edges}
    assert lane["P1", "P2"].max_speed_mps == pytest.approx(1.2)
    assert lane["P2", "P3"].two_way
    assert lane["P2", "P3"].max_speed_mps == pytest.approx(0.4)
    assert lane["P3", "P4"].max_speed_mps is None
    assert (robots.agvs.count, robots.agvs.length_m, robots.agvs.width_m) == (2, 1.4, 0.9)
    assert robots.agvs.max_speed_mps == 1.0
    assert {s.name for s in loaded.scenario.people.stations} == {"Goods in", "Goods out"}


def test_more_agvs_than_the_routes_hold_are_refused_with_the_number() -> None:
    with pytest.raises(LayoutError, match="--agvs 3: these routes hold 2, half of the nodes"):
        plan_of(PLANT, options=Options(agvs=3))


@pytest.mark.parametrize("value", ["NaN", "inf", "east", "1e30", ""])
def test_position_that_is_no_number_ends_the_import_with_its_line(value: str, tmp_path: Path) -> None:
    file = tmp_path / "plant.xml"
    file.write_text(PLANT.read_text().replace('positionX="10000" positionY="0"', f'positionX="{value}" positionY="0"', 1))
    with pytest.raises(LayoutError, match=r"plant\.xml: line 4: point 'P2': positionX is '.*'; give a finite number"):
        plan_of(file)
