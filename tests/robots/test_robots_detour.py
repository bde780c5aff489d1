"""An AGV sent another way: around the lane that comes next, to the same goal, and nobody meets or waits for ever."""

from __future__ import annotations

import numpy as np
from robot_graphs import NOBODY, config, corridor, grid

from robots.fleet import Fleet


def ahead(fleet, i):
    """Return the order's edges of AGV ``i`` that are not released yet, as (start, end), and the last node of all."""
    order = fleet.order(i)
    return [(e.start_node_id, e.end_node_id) for e in order.edges if not e.released], order.nodes[-1].node_id


def test_it_goes_round_the_next_lane_to_the_same_goal_and_nobody_is_met():
    fleet = Fleet(config(grid(4, 4), 6), np.random.default_rng(3))
    age, lot, sent, refused = np.zeros(6, np.int64), np.random.default_rng(4), 0, 0
    diagonal_m = float(np.hypot(fleet.config.agvs.length_m, fleet.config.agvs.width_m))
    upper = np.triu_indices(6, 1)
    for step in range(1, 36_001):  # an hour
        fleet.step(step * 100_000, 100_000, age, *NOBODY)
        p = fleet.state().position_m
        assert np.linalg.norm(p[upper[0]] - p[upper[1]], axis=1).min() >= diagonal_m
        if step % 50:
            continue
        i = int(lot.integers(6))
        lanes, goal = ahead(fleet, i)
        avoided = fleet.detour(i)
        if avoided is None:
            refused += 1
            assert ahead(fleet, i) == (lanes, goal)  # what could not be done has changed nothing
            continue
        sent += 1
        assert avoided == lanes[0]
        new, same = ahead(fleet, i)
        assert same == goal
        assert new[0] not in (avoided, avoided[::-1])
    assert sent > 50
    assert refused > 0
    assert fleet.finished.min() > 0  # sent about every thirty seconds each, all still finish transports


def test_where_there_is_one_way_only_there_is_no_other():
    fleet = Fleet(config(corridor(), 2), np.random.default_rng(1))
    asked = 0
    for step in range(1, 6001):
        fleet.step(step * 100_000, 100_000, np.zeros(2, np.int64), *NOBODY)
        for i in range(2):
            lanes, _ = ahead(fleet, i)
            if step % 10 == 0 and lanes and lanes[0][0].startswith("c"):
                assert fleet.detour(i) is None
                asked += 1
    assert asked > 5
