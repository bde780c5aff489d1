"""What a scenario may not say about machines, and what the error tells."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from robot_graphs import config, grid, ring

from robots.config import AgvsConfig, CobotConfig, RobotsConfig, RoutesConfig


def _nodes(*ids: str) -> list[dict[str, object]]:
    return [{"id": name, "position_m": (3.0 * k, 0.0)} for k, name in enumerate(ids)]


def test_edge_to_a_missing_node_names_edge_and_node():
    with pytest.raises(ValidationError, match="edge 'a' -> 'x' names node 'x', which is not in nodes"):
        RoutesConfig.model_validate({"nodes": _nodes("a", "b"), "edges": [{"start": "a", "end": "x"}]})


def test_duplicate_ids_and_edges_are_named():
    with pytest.raises(ValidationError, match="id 'a' is used 2 times"):
        RoutesConfig.model_validate({"nodes": _nodes("a", "b", "a")})
    edges = [{"start": "a", "end": "b"}, {"start": "b", "end": "a"}]
    with pytest.raises(ValidationError, match="'b' and 'a' are joined twice"):
        RoutesConfig.model_validate({"nodes": _nodes("a", "b"), "edges": edges})
    with pytest.raises(ValidationError, match="starts and ends at the same node"):
        RoutesConfig.model_validate({"nodes": _nodes("a"), "edges": [{"start": "a", "end": "a"}]})


def test_unreachable_drop_names_the_pair():
    routes = ring()
    routes["edges"] = [e for e in routes["edges"] if e["start"] != "r2"]
    with pytest.raises(ValidationError, match="no way leads from node 'r1' to node 'r4'"):
        RoutesConfig.model_validate(routes)


@pytest.mark.parametrize("field", ["max_speed_mps", "deceleration_mps2", "length_m"])
def test_negative_numbers_are_refused_with_their_field(field):
    with pytest.raises(ValidationError, match=field):
        AgvsConfig.model_validate({field: -1.0})


def test_unknown_keys_are_refused():
    with pytest.raises(ValidationError, match="max_speed"):
        AgvsConfig.model_validate({"max_speed": 1.0})


def test_weak_emergency_brake_and_wrong_load_height_are_refused():
    with pytest.raises(ValidationError, match="a protective stop must brake at least as hard"):
        AgvsConfig(deceleration_mps2=1.0, emergency_deceleration_mps2=0.5)
    with pytest.raises(ValidationError, match=r"1800\.0 m is not a load's height; give metres"):
        AgvsConfig(load_heights_m=(1800.0,))


def test_too_many_agvs_are_told_the_limit():
    assert config(grid(4, 4), 8).agvs.count == 8
    with pytest.raises(ValidationError, match="9 AGVs are more than these routes hold: the limit is 8"):
        config(grid(4, 4), 9)


def test_agvs_need_picks_drops_and_room():
    with pytest.raises(ValidationError, match="3 AGVs need at least one node with action: pick"):
        RobotsConfig.model_validate({"agvs": {"count": 3}})
    with pytest.raises(ValidationError, match=r"'n\d-\d' and 'n\d-\d' are 1\.20 m apart; AGVs of 1\.2 x 0\.8 m need 1\.49 m"):
        config(grid(4, 4, spacing_m=1.2), 2)


def test_cobot_cycle_shorter_than_its_joints_allow_is_told_the_shortest():
    with pytest.raises(
        ValidationError, match=r"1\.0 s is too short for cobot 'c': the iiwa's joint speeds allow \d\.\d s or more"
    ):
        CobotConfig(name="c", position_m=(0, 0, 0.8), cycle_s=1.0)
    twice = {"cobots": [{"name": "c", "position_m": (0, 0, 0.8)}] * 2}
    with pytest.raises(ValidationError, match="name 'c' is used twice"):
        RobotsConfig.model_validate(twice)


def test_every_field_says_what_it_is():
    for model in (RobotsConfig, AgvsConfig, CobotConfig, RoutesConfig):
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name}"
