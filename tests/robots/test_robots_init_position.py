"""initPosition: an AGV that knows where it is confirms it or refuses."""

from __future__ import annotations

import numpy as np
import pytest
from robot_graphs import config, ring

from factory.fleet_bridge import FleetBridge
from robots.fleet import Fleet
from robots.orders import Action


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({}, "FINISHED", ""),
        ({"x": 0.3}, "FINISHED", ""),
        ({"theta": 6.2}, "FINISHED", ""),
        ({"x": 0.6}, "FAILED", "0.60 m and 0.00 rad from where the AGV knows it is"),
        ({"theta": 0.5}, "FAILED", "0.50 rad from where"),
        ({"y": "north"}, "FAILED", "needs the numbers"),
        ({"y": True}, "FAILED", "needs the numbers"),
        ({"theta": float("nan")}, "FAILED", "needs the numbers"),
    ],
)
def test_it_agrees_or_it_fails(change, status, words):
    fleet = Fleet(config(ring(), 1, orders_from="outside"), np.random.default_rng(0))
    state = fleet.state()
    place = {"x": state.position_m[0, 0], "y": state.position_m[0, 1], "theta": state.heading_rad[0]}
    given = {k: float(v) for k, v in place.items()}
    given |= {k: given[k] + v if isinstance(v, float) else v for k, v in change.items()}
    error = fleet.instant_action(0, Action("i", "initPosition", parameters=given))
    assert fleet.instant_action_states(0)[0].status == status
    assert (error is None) == (status == "FINISHED")
    if error is not None:
        assert words in error.description
    assert np.array_equal(fleet.state().position_m, state.position_m)


def test_another_map_is_refused():
    bridge = FleetBridge(Fleet(config(ring(), 1, orders_from="outside"), np.random.default_rng(0)), ("agv-01",))
    assert bridge._elsewhere(Action("i", "initPosition", parameters={"mapId": "cellar"})).error_type == "UNKNOWN_MAP_ID"
    assert bridge._elsewhere(Action("i", "initPosition", parameters={"mapId": "hall"})) is None
