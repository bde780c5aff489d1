"""The default hall as the page is told of it."""

from __future__ import annotations

import math

from factory.page_view import scene_of
from factory.scenario import load_scenario


def test_the_page_is_told_the_hall_of_the_scenario() -> None:
    scene = scene_of(load_scenario("assembly-hall", []).scenario)
    assert scene.size_m == (60.0, 40.0, 8.0)
    assert scene.boxes[0] == ("rack-a", "rack", 44.0, 8.0, 24.0, 1.2, 5.0, 0.0)
    assert scene.zones[0] == ("aisle 1", 32.0, 56.0, 7.4, 12.5)
    assert len(scene.trps) == 4
    assert all(abs(trp[4]) <= 2 * math.pi for trp in scene.trps)
    assert set(scene.policies) >= {"static", "reactive", "duplicate", "human_aware"}
    assert "oracle" not in scene.policies
