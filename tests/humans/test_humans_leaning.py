"""Who leans forwards in a reach or on a knee stays out of what stands before them."""

from __future__ import annotations

import numpy as np
import pytest
from humans_hall import floor_with

from factory.validate.motion_soak import nearest_wall
from humans.body import PART_NAMES
from humans.config import PeopleConfig
from humans.crowd import Crowd
from humans.gestures import NO_GESTURE
from humans.types import Occupancy

_TRUNK = [PART_NAMES.index(name) for name in ("trunk_left", "trunk_right", "pelvis")]


def _work(box_at_m: float) -> tuple[float, int]:
    """Smallest clearance of a tall person's trunk at a station before a box, and how many reaches there were."""
    space = floor_with((8, 8), [(4.0, box_at_m, 2.0, 1.0, 0.0)])
    station = {"name": "bench", "position_m": (4.0, 3.0), "facing_deg": 90, "kind": "cell"}
    role = {"name": "tall", "share": 1.0, "stations": ["cell"], "dwell_mean_s": 3600, "reach_per_min": 20, "kneel_per_min": 5}
    config = {"count": 1, "panels": 0, "stature_p5_m": 2.05, "stature_p95_m": 2.1, "stations": [station], "roles": [role]}
    crowd = Crowd(PeopleConfig.model_validate(config), space, np.random.default_rng(1))
    clear, reaches, before = np.inf, 0, NO_GESTURE
    for k in range(1, 6000):
        crowd.step(k * 20_000, 20_000, Occupancy.empty())
        if k % 5 == 0:
            people = crowd.state()
            radius = people.capsule_radius_m[:, _TRUNK]
            boxes = space.size_m, space.box_center_m, space.box_half_m, space.box_yaw_rad
            for ends in (people.capsule_a, people.capsule_b):
                clear = min(clear, nearest_wall(people.present, ends[:, _TRUNK, :2], radius, *boxes))
            reaches += int(people.activity[0] in (3, 6) and before not in (3, 6))
            before = int(people.activity[0])
    return clear, reaches


@pytest.mark.parametrize(("box_at_m", "reaches"), [(3.785, False), (4.6, True)])
def test_nobody_leans_into_a_box(box_at_m: float, reaches: bool):
    clear, seen = _work(box_at_m)
    assert clear >= 0.0
    assert (seen > 5) == reaches
