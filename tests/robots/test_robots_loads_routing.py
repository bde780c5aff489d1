"""What AGVs carry and where it fits; ways that weigh time, radio and people."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from robot_graphs import NOBODY, config, grid

from robots.agv_config import AgvsConfig, RoutingConfig
from robots.config import RobotsConfig
from robots.edge_costs import LINK_RISK, PEOPLE, EdgeCosts
from robots.fleet import Fleet
from robots.routes import Graph

KINDS = [
    {"name": "boxes", "share": 3, "carrier_height_m": 0.2, "layer_height_m": 0.3, "layers": (1, 3)},
    {"name": "frame", "share": 1, "layer_height_m": 2.0, "load_time_s": 40.0},
]


def _weighed(routes, count=1, agvs=None, **routing):
    data = {"agvs": {"count": count, **(agvs or {})}, "routes": routes, "routing": routing}
    return RobotsConfig.model_validate(data)


def test_loads_have_the_heights_shares_and_times_of_their_kinds():
    fleet = Fleet(config(grid(4, 4), 5, loads=KINDS, loaded_share=1.0), np.random.default_rng(8))
    before, seen, taken = np.zeros(5, bool), [], []
    mode = np.full(5, -1)
    since = np.zeros(5)
    for step in range(1, 40_001):
        fleet.step(step * 100_000, 100_000, np.zeros(5, np.int64), *NOBODY)
        state = fleet.state()
        new = state.loaded & ~before
        since = np.where((state.mode == 1) & (mode != 1), step, since)
        for i in np.flatnonzero(new):
            seen.append((fleet.load_kind(int(i)), round(float(state.load_height_m[i]), 3)))
            taken.append((fleet.load_kind(int(i)), (step - since[i]) / 10))
        before, mode = state.loaded, state.mode
    assert set(seen) == {("boxes", 0.5), ("boxes", 0.8), ("boxes", 1.1), ("frame", 2.0)}
    share = np.mean([kind == "boxes" for kind, _ in seen])
    assert abs(share - 0.75) < 4 * np.sqrt(0.75 * 0.25 / len(seen))
    assert {kind: round(float(np.median([s for k, s in taken if k == kind]))) for kind in ("boxes", "frame")} == {
        "boxes": 15,
        "frame": 40,
    }


def test_loads_that_are_too_high_or_said_twice_are_refused():
    with pytest.raises(ValidationError, match=r"loads: 'frame' is up to 2 m high, above max_load_height_m 1\.5"):
        AgvsConfig.model_validate({"loads": KINDS, "max_load_height_m": 1.5})
    with pytest.raises(ValidationError, match=r"load_heights_m: 1\.8 m is above max_load_height_m 1; lower the load"):
        AgvsConfig(max_load_height_m=1.0)
    with pytest.raises(ValidationError, match="load_heights_m and loads: both say how high loads are"):
        AgvsConfig.model_validate({"loads": KINDS, "load_heights_m": (1.0,)})
    with pytest.raises(ValidationError, match=r"layers: \[3, 2\] of 'x'; give the fewest"):
        AgvsConfig.model_validate({"loads": [{"name": "x", "layer_height_m": 0.2, "layers": (3, 2)}]})
    with pytest.raises(ValidationError, match="name 'x' is used twice"):
        AgvsConfig.model_validate({"loads": [{"name": "x", "layer_height_m": 0.2}] * 2})


def test_high_loads_go_around_low_doors_and_no_way_at_all_is_refused():
    routes = grid(4, 3)
    low = [e for e in routes["edges"] if e["start"] == "n1-1" and e["end"] == "n2-1"]
    low[0]["max_height_m"] = 1.0
    fleet = Fleet(config(routes, 3, load_heights_m=(1.2,), loaded_share=1.0), np.random.default_rng(2))
    door = {fleet.graph.node_id.index("n1-1"), fleet.graph.node_id.index("n2-1")}
    passed = {True: 0, False: 0}
    last = fleet.state().node.copy()
    for step in range(1, 20_001):
        fleet.step(step * 200_000, 200_000, np.zeros(3, np.int64), *NOBODY)
        state = fleet.state()
        for i in np.flatnonzero(state.node != last):
            if {int(state.node[i]), int(last[i])} == door:
                passed[bool(state.loaded[i])] += 1
        last = state.node.copy()
    assert passed[True] == 0
    assert passed[False] > 0
    assert len(fleet.finished_orders) > 50
    for edge in routes["edges"]:
        if edge["start"].startswith("n1-") and edge["end"].startswith("n2-"):
            edge["max_height_m"] = 1.0
    with pytest.raises(
        ValidationError, match=r"with its highest load of 1\.2 m an AGV is 1\.55 m high and finds no way from pick 'n0-0'"
    ):
        config(routes, 3, load_heights_m=(1.2,))


def test_weights_must_be_positive_and_weigh_something():
    for name in ("time_weight", "link_risk_weight", "people_weight"):
        with pytest.raises(ValidationError, match=name):
            RoutingConfig.model_validate({name: -1.0})
    with pytest.raises(ValidationError, match="are all 0; give at least one a weight"):
        RoutingConfig(time_weight=0.0)


def test_edge_costs_of_wrong_kind_shape_or_sign_are_refused():
    fleet = Fleet(_weighed(grid(3, 3), link_risk_weight=1.0), np.random.default_rng(0))
    n_edges = len(fleet.graph.edge_start)
    with pytest.raises(ValueError, match="edge cost 'noise': give one of link_risk, people"):
        fleet.set_edge_cost("noise", np.zeros(n_edges))
    with pytest.raises(ValueError, match=rf"\(3,\) numbers for {n_edges} directed edges"):
        fleet.set_edge_cost(LINK_RISK, np.zeros(3))
    wrong = np.zeros(n_edges)
    wrong[2] = -1.0
    with pytest.raises(ValueError, match=r"-1\.0 on edge 'n\d-\d' -> 'n\d-\d'; give 0 or more"):
        fleet.set_edge_cost(LINK_RISK, wrong)


def _share_through(config_, kind, edges, hours=0.5):
    """Share of the distance that one AGV drives over some edges when they are risky."""
    fleet = Fleet(config_, np.random.default_rng(5))
    risk = np.zeros(len(fleet.graph.edge_start))
    pairs = [
        (fleet.graph.node_id[a], fleet.graph.node_id[b])
        for a, b in zip(fleet.graph.edge_start, fleet.graph.edge_end, strict=True)
    ]
    bad = {k for k, (a, b) in enumerate(pairs) if a in edges and b in edges}
    risk[list(bad)] = 1.0
    fleet.set_edge_cost(kind, risk)
    through, moves, last = 0, 0, fleet.state().node.copy()
    for step in range(1, int(hours * 18_000) + 1):
        fleet.step(step * 200_000, 200_000, np.zeros(1, np.int64), *NOBODY)
        node = fleet.state().node
        if node[0] != last[0]:
            moves += 1
            through += fleet.graph.edge_of[last[0], node[0]] in bad
        last = node.copy()
    return through / moves, len(fleet.finished_orders)


@pytest.mark.parametrize(("kind", "weight"), [(LINK_RISK, "link_risk_weight"), (PEOPLE, "people_weight")])
def test_risky_edges_are_driven_less_the_more_they_weigh_and_that_costs_time(kind, weight):
    routes = grid(5, 4)
    for node in routes["nodes"]:
        node["action"] = {"n0-1": "pick", "n4-1": "drop"}.get(node["id"])
    row = {f"n{i}-1" for i in range(1, 4)}
    shares, orders = zip(*(_share_through(_weighed(routes, **{weight: w}), kind, row) for w in (0.0, 3.0, 30.0)), strict=True)
    assert shares[0] > 0.3
    assert shares[0] >= shares[1] >= shares[2] == 0.0
    assert orders[0] > orders[2] > 0


def test_with_time_alone_ways_are_the_fastest_as_ever():
    routes, orders = grid(4, 4), []
    for routing in ({}, {"time_weight": 2.0}, {"link_risk_weight": 5.0}):
        fleet = Fleet(_weighed(routes, 4, **routing), np.random.default_rng(5))
        fleet.set_edge_cost(LINK_RISK, np.zeros(len(fleet.graph.edge_start)))
        for step in range(1, 6001):
            fleet.step(step * 200_000, 200_000, np.zeros(4, np.int64), *NOBODY)
        orders.append(fleet.finished_orders)
    assert orders[0] == orders[2]
    assert len(orders[0]) > 10


def test_the_fleet_remembers_where_commands_were_late_and_people_stood():
    made = _weighed(grid(4, 4), 2, link_risk_weight=1.0, people_weight=1.0)
    fleet = Fleet(made, np.random.default_rng(5), survival_time_us=10_000_000)
    graph, late = fleet.graph, np.zeros(2, np.int64)
    person = np.array([[9.0, 7.3]])  # beside the lane n1-1 .. n2-1, which runs along y = 7 m
    for step in range(1, 36_001):
        late[:] = np.where(fleet.state().position_m[:, 0] < 8.0, 100_000, 0)  # the west is silent
        fleet.step(step * 100_000, 100_000, late, person, np.ones(1, bool))
    index = {name: k for k, name in enumerate(graph.node_id)}
    risk, people = fleet.edge_cost(LINK_RISK), fleet.edge_cost(PEOPLE)
    middle = 0.5 * (graph.node_xy[graph.edge_start, 0] + graph.node_xy[graph.edge_end, 0])
    assert risk[middle < 6.0].mean() > 3 * risk[middle > 10.0].mean()
    assert people[graph.edge_of[index["n1-1"], index["n2-1"]]] == pytest.approx(1.0)
    assert people[graph.edge_of[index["n2-1"], index["n1-1"]]] == pytest.approx(1.0)
    assert people.sum() == pytest.approx(2.0)


def test_what_is_remembered_is_seconds_per_passage():
    made = _weighed(grid(3, 3), link_risk_weight=2.0)
    graph = Graph(made.routes, made.agvs)
    costs = EdgeCosts(graph, made.routing)
    edge = np.array([4], np.int64)
    for look in range(200):  # on the edge for 2 s of every 4 s, silent for 1 s of them
        on = edge if look % 8 < 4 else np.array([-1], np.int64)
        costs.watch(look * 500_000, on, np.array([look % 8 < 2]), *NOBODY)
    risk = costs.risk(LINK_RISK)
    assert risk[4] == pytest.approx(1.0, rel=0.05)
    assert np.allclose(costs.extra_s, 2.0 * risk)


def test_edge_points_lie_on_their_edges():
    made = config(grid(3, 3), 1)
    graph = Graph(made.routes, made.agvs)
    point, edge = graph.edge_points(1.5)
    assert set(edge.tolist()) == set(range(len(graph.edge_start)))
    along = graph.node_xy[graph.edge_end[edge]] - graph.node_xy[graph.edge_start[edge]]
    share = ((point - graph.node_xy[graph.edge_start[edge]]) * along).sum(1) / (along**2).sum(1)
    assert ((share > 0) & (share < 1)).all()
    assert np.allclose(graph.node_xy[graph.edge_start[edge]] + share[:, None] * along, point)
