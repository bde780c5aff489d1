"""Graph arrays, shortest paths, conflicts of lanes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from robot_graphs import config, corridor, grid, one_way_hall

from robots.routes import Graph, segment_distance


def _graph(routes, **agvs):
    made = config(routes, 1, **agvs)
    return Graph(made.routes, made.agvs)


def _path_time_s(graph, path):
    return sum(graph.edge_time_s[graph.edge_of[a, b]] for a, b in pairwise(path))


def test_planned_paths_are_scipys_shortest_paths_but_for_stops_at_turns():
    for routes in (grid(4, 5), corridor(), one_way_hall()):
        graph = _graph(routes)
        graph.turn_rad_per_s = np.inf
        n = len(graph.node_id)
        for start in range(0, n, 3):
            for goal in range(0, n, 2):
                path = graph.plan(start, goal, 0.0)
                assert path[0] == start
                assert path[-1] == goal
                stops_s = 2.0 * (len(path) - 1)  # at most: turning takes no time here, but the stop for it still costs 2 s
                assert graph.time_s[start, goal] - 1e-9 <= _path_time_s(graph, path) <= graph.time_s[start, goal] + stops_s


def test_turns_cost_time():
    graph = _graph(grid(4, 4))
    index = {name: i for i, name in enumerate(graph.node_id)}
    path = [graph.node_id[v] for v in graph.plan(index["n0-0"], index["n3-3"], 0.0)]
    assert path == ["n0-0", "n1-0", "n2-0", "n3-0", "n3-1", "n3-2", "n3-3"]  # straight on first, one turn


def test_penalties_lead_around_and_infinite_ones_forbid():
    graph = _graph(grid(3, 3))
    index = {name: i for i, name in enumerate(graph.node_id)}
    start, goal = index["n0-0"], index["n2-0"]
    penalty = np.zeros(len(graph.edge_start))
    penalty[graph.edge_of[index["n0-0"], index["n1-0"]]] = 100.0
    assert [graph.node_id[v] for v in graph.plan(start, goal, 0.0, penalty)][1] == "n0-1"
    assert graph.plan(start, goal, 0.0, np.full(len(graph.edge_start), np.inf)).size == 0


def test_crossing_and_near_lanes_are_in_conflict_and_far_ones_are_not():
    nodes = [
        {"id": "a", "position_m": (0, 5), "action": "pick"},
        {"id": "b", "position_m": (10, 5), "action": "drop"},
        {"id": "c", "position_m": (5, 0)},
        {"id": "d", "position_m": (5, 10)},
        {"id": "e", "position_m": (12, 12)},
    ]
    pairs = [("a", "b"), ("c", "d"), ("b", "e"), ("d", "e"), ("a", "c")]
    graph = _graph({"nodes": nodes, "edges": [{"start": a, "end": b} for a, b in pairs]})
    start, items = graph.lane_lanes
    conflicts = {(i, int(j)) for i in range(graph.n_lanes) for j in items[start[i] : start[i + 1]]}
    assert conflicts == {(0, 1), (1, 0)}  # a-b crosses c-d; lanes that share a node exclude each other by the node


def test_release_is_clear_of_the_node_and_of_its_other_lanes():
    for routes in (corridor(), one_way_hall(), grid(3, 3)):
        graph = _graph(routes)
        for e, release in enumerate(graph.release_m):
            if np.isinf(release):
                continue
            a = graph.edge_start[e]
            along = np.arange(release, graph.edge_length_m[e], 0.05)
            yaw = graph.edge_yaw_rad[e]
            points = graph.node_xy[a] + along[:, None] * [np.cos(yaw), np.sin(yaw)]
            for f in range(len(graph.edge_start)):
                if graph.edge_lane[f] != graph.edge_lane[e] and a in (graph.edge_start[f], graph.edge_end[f]):
                    steps = np.linspace(graph.node_xy[graph.edge_start[f]], graph.node_xy[graph.edge_end[f]], 200)
                    gap = np.linalg.norm(points[:, None] - steps[None], axis=2).min()
                    assert gap >= graph.clearance_m - 1e-6


@settings(deadline=None, max_examples=100, derandomize=True)
@given(st.lists(st.floats(-5, 5), min_size=8, max_size=8))
def test_segment_distance_agrees_with_dense_sampling(numbers):
    a, b, c, d = np.array(numbers).reshape(4, 2)
    share = np.linspace(0, 1, 201)[:, None]
    sampled = np.linalg.norm((a + share * (b - a))[:, None] - (c + share * (d - c))[None], axis=2).min()
    exact = float(segment_distance(a, b, c, d))
    assert exact <= sampled + 1e-9
    assert exact >= sampled - 0.05 * (1 + np.linalg.norm(b - a) + np.linalg.norm(d - c)) / 2


def test_starts_are_distinct_and_prefer_parks():
    routes = grid(4, 4)
    routes["nodes"][5]["action"] = "park"
    graph = _graph(routes)
    start = graph.start_nodes(8)
    assert len(set(start.tolist())) == 8
    assert start[0] == 5
