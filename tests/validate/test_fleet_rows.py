"""The large fleet: a short soak now, and what is kept of the long ones."""

from __future__ import annotations

import numpy as np

from factory.validate import fleet_aisles, fleet_hall
from factory.validate.fleet_routing import paired, shift, trades
from factory.validate.fleet_rows import fleet_rows, write_fleet
from factory.validate.fleet_soak import footprint_gap_m, kept, soak
from robots.config import RobotsConfig
from robots.fleet import Fleet


def test_forty_agvs_work_for_a_while_without_touching_each_other():
    found = soak(0.15, 0, seed=2)
    assert found.overlaps == 0
    assert found.nearest_m > 0.05
    assert found.orders > 20
    assert found.minutes["driving"] > 0.3 * 0.15 * 60 * 40


def test_footprints_are_as_far_apart_as_corners_and_sides_say():
    half = 0.6, 0.4
    side_by_side = np.array([[0.0, 0.0], [0.0, 1.0]])
    assert np.isclose(footprint_gap_m(side_by_side, np.zeros(2), *half), 0.2)
    in_a_row = np.array([[0.0, 0.0], [1.5, 0.0]])
    assert np.isclose(footprint_gap_m(in_a_row, np.zeros(2), *half), 0.3)
    assert np.isclose(footprint_gap_m(in_a_row, np.array([0.0, np.pi / 2]), *half), 0.5)
    assert footprint_gap_m(np.array([[0.0, 0.0], [0.9, 0.3]]), np.array([0.0, 0.7]), *half) < 0


def test_the_hall_holds_the_fleet_and_what_it_carries():
    fleet = Fleet(fleet_hall.robots(40), np.random.default_rng(0))
    assert fleet.graph.capacity >= 40
    assert len(fleet.graph.nodes_with("charge")) == len(fleet.graph.nodes_with("park")) == 7
    assert fleet_hall.people(40).count == 40


def test_what_is_kept_covers_a_shift_with_and_without_people_and_agrees():
    soaks = kept()
    assert {(s.hours, s.agvs, s.people > 0) for s in soaks} == {(8.0, 40, False), (8.0, 40, True)}
    assert all(row.ok for row in fleet_rows())


def test_the_curve_is_drawn_the_same_twice(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_fleet(tmp_path / name)
    assert (tmp_path / "one/fleet-routing.svg").read_bytes() == (tmp_path / "two/fleet-routing.svg").read_bytes()


def test_weights_are_compared_seed_by_seed():
    def entry(weight, seed, orders, down_s):
        more = {"outages": 1.0, "lost_s": 1.0, "order_time_s": 100.0, "aisle_passages": 5.0}
        return {"weight": weight, "seed": seed, "orders_per_hour": orders, "down_s": down_s, **more}

    curve = [entry(w, s, 200.0 + s - 10.0 * (w > 0), 0.2 + 0.01 * s - 0.1 * (w > 0)) for w in (7.0, 0.0) for s in (1, 2, 3)]
    fastest, other = trades({"curve": [*curve, entry(0.0, 4, 1.0, 9.0)]})  # a seed without its pair does not count
    assert (fastest.weight, fastest.seeds, other.weight, other.seeds) == (0.0, 3, 7.0, 3)
    assert fastest.orders_lost == (0.0, 0.0, 0.0)
    assert np.allclose(other.orders_lost, 10.0 / 202.0)  # the same difference on every seed: no width
    assert np.allclose(other.down_saved, 0.1 / 0.22)
    assert paired(np.array([1.0]), np.array([0.5])) == (0.5, -np.inf, np.inf)


def test_the_hall_of_aisles_hides_aisles_and_leaves_a_way_round():
    robots = RobotsConfig.model_validate(fleet_aisles.scenario(1, 0.0)["robots"])
    graph = Fleet(robots, np.random.default_rng(0)).graph
    start = [graph.node_id[k] for k in graph.edge_start]
    hidden = [fleet_aisles.hidden(name) for name in start]
    assert 0 < sum(hidden) < len(hidden)
    assert not fleet_aisles.hidden("a0-1")
    assert fleet_aisles.hidden("a5-0")
    assert not fleet_aisles.hidden("x41-3")
    open_edges = [e for e, away in zip(robots.routes.edges, hidden, strict=False) if not away]
    assert len(graph.nodes_with("pick")) == len(graph.nodes_with("drop")) == 4
    assert len(open_edges) > 30


def test_a_minute_of_the_hall_of_aisles_tells_what_the_study_needs():
    found, risk_s = shift(1, 0.1, 1000.0, None)
    assert (risk_s >= 0).all()
    assert np.isfinite(risk_s).all()
    assert found["down_s"] >= 0
    assert found["outages"] >= 0
    assert found["lost_s"] >= 0
    assert found["weight"] == 1000.0
    assert found["minutes"] == 0.1
