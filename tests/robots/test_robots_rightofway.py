"""A schedule that is found works: the property that the right of way rests on."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from robot_graphs import config, corridor, grid, one_way_hall

from robots.rightofway import find_schedule, lanes_of, new_schedule
from robots.routes import Graph

GRAPHS = []
for _routes in (grid(3, 4), corridor(), one_way_hall()):
    _config = config(_routes, 1)
    GRAPHS.append(Graph(_config.routes, _config.agvs))


def _schedule(graph, paths):
    path = np.zeros((len(paths), 200), np.int64)
    for i, p in enumerate(paths):
        path[i, : len(p)] = p
    out = new_schedule()
    length = np.array([len(p) for p in paths])
    found = find_schedule(path, length, np.zeros(len(paths), np.int64), lanes_of(graph), out)
    return found, [(int(out.agv[k]), int(out.node[k])) for k in range(int(out.end[0]))]


def _replay(graph, paths, moves):
    """Carry the moves out one by one in plain Python, checking every rule."""
    place = [p[0] for p in paths]
    done = [0] * len(paths)
    start, near = graph.lane_nodes
    for agv, node in moves:
        edge = graph.edge_of[place[agv], node]
        assert edge >= 0, "a move follows an edge"
        others = {place[j] for j in range(len(paths)) if j != agv}
        assert node not in others, "a move ends on a free node"
        lane = graph.edge_lane[edge]
        assert not others & set(near[start[lane] : start[lane + 1]].tolist()), "nobody stands too close to the lane"
        if done[agv] < len(paths[agv]) - 1:
            done[agv] += 1
            assert node == paths[agv][done[agv]], "who has not arrived follows its own path"
        place[agv] = node
    assert all(done[i] == len(p) - 1 for i, p in enumerate(paths)), "all arrive"


@settings(deadline=None, max_examples=150, derandomize=True)
@given(st.integers(0, len(GRAPHS) - 1), st.integers(1, 7), st.integers(0, 2**31))
def test_found_schedules_bring_all_to_their_goals(which, n, seed):
    graph = GRAPHS[which]
    rng = np.random.default_rng(seed)
    starts = rng.choice(len(graph.node_id), min(n, len(graph.node_id) // 2), replace=False)
    goals = rng.integers(0, len(graph.node_id), len(starts))
    paths = [graph.plan(int(a), int(b), 0.0) for a, b in zip(starts, goals, strict=True)]
    found, moves = _schedule(graph, paths)
    if found:
        _replay(graph, paths, moves)


def test_one_agv_among_standing_ones_always_has_a_schedule_in_a_grid():
    graph = GRAPHS[0]
    rng = np.random.default_rng(4)
    for _ in range(50):
        starts = rng.choice(12, 6, replace=False)
        goal = int(rng.integers(12))
        paths = [graph.plan(int(starts[0]), goal, 0.0)] + [np.array([s]) for s in starts[1:]]
        found, moves = _schedule(graph, paths)
        assert found
        _replay(graph, paths, moves)


def test_head_on_in_a_one_lane_corridor_is_refused_and_behind_each_other_is_not():
    graph = GRAPHS[1]
    index = {name: i for i, name in enumerate(graph.node_id)}

    def way(*names):
        return np.array([index[name] for name in names])

    east = way("c0", "c1", "c2", "c3", "c4", "ej", "e3")
    west = way("c4", "c3", "c2", "c1", "c0", "wj", "w2")
    assert not _schedule(graph, [east, west])[0]
    assert _schedule(graph, [east, way("c2", "c3", "c4", "ej", "e0")])[0]


def test_swapping_a_dead_end_is_refused_and_waiting_one_node_before_it_is_not():
    graph = GRAPHS[1]
    index = {name: i for i, name in enumerate(graph.node_id)}
    leave = [index["w-station-0"], index["w0"], index["w1"]]
    assert not _schedule(graph, [np.array(leave), np.array([index["w0"], index["w-station-0"]])])[0]
    enter = [index["w3"], index["w0"], index["w-station-0"]]
    assert _schedule(graph, [np.array(leave), np.array(enter)])[0]


def test_a_full_ring_that_all_want_to_go_round_is_refused():
    graph = GRAPHS[0]
    index = {name: i for i, name in enumerate(graph.node_id)}
    ring = [index[name] for name in ("n0-0", "n1-0", "n1-1", "n0-1")]
    paths = [np.array([ring[k], ring[(k + 1) % 4]]) for k in range(4)]
    assert not _schedule(graph, paths)[0]
    assert _schedule(graph, paths[:3])[0]
