"""What a scenario may say about people, and what is answered to a slip."""

from __future__ import annotations

import pytest
from humans_hall import assembly_people
from pydantic import ValidationError

from humans.config import PeopleConfig


def test_the_default_people_are_sixteen_with_three_panels() -> None:
    config = PeopleConfig()
    assert (config.count, config.panel_count) == (16, 3)
    assert sum(role.share for role in config.roles) == pytest.approx(1.0)
    worker = {role.name: role for role in config.roles}["picker"]
    assert (worker.speed_mean_mps, worker.dwell_mean_s) == (1.1, 17.2)  # fitted to THOR's workers


def test_fewer_people_than_panels_carry_as_many_as_they_are() -> None:
    assert assembly_people(count=2).panel_count == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"count": 501}, "less than or equal to 500"),
        ({"count": -1}, "greater than or equal to 0"),
        ({"stature_p5_m": 1.9}, "stature_p5_m 1.9 must be below stature_p95_m 1.86"),
        ({"stature_p95_m": 186}, "less than or equal to 2.3"),
        ({"peeple": 3}, "Extra inputs are not permitted"),
        ({"roles": [{"name": "a", "share": 0.5, "stations": ["cell"]}]}, "the shares add up to 0.5, they must add up to 1"),
        (
            {"roles": [{"name": "a", "share": 0.5, "stations": ["cell"]}] * 2},
            "roles: the name 'a' is used more than once; every name must be unique",
        ),
        (
            {"stations": [{"name": "s", "position_m": (1, 1), "kind": "cell"}] * 2},
            "stations: the name 's' is used more than once",
        ),
        ({"stations": [{"name": "s", "position_m": (1, 1), "kind": "sofa"}]}, "'cell', 'rack', 'desk', 'break' or 'gate'"),
        ({"roles": [{"name": "a", "share": 1, "stations": ["cell"], "speed_mean_mps": 104}]}, "less than or equal to 2.5"),
    ],
)
def test_slips_are_answered(change: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        PeopleConfig.model_validate(change)
