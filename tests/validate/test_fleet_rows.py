"""The large fleet: a short soak now, and what is kept of the long ones."""

from __future__ import annotations

import numpy as np

from factory.validate import fleet_hall
from factory.validate.fleet_rows import curve, fleet_rows, write_fleet
from factory.validate.fleet_soak import footprint_gap_m, kept, soak
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
    entries = [{"weight": w, "orders_per_hour": 10.0 - w, "silent_share": 1e-3} for w in (1.0, 0.0, 1.0)]
    assert [(w, len(orders)) for w, orders, _ in curve({"curve": entries})] == [(0.0, 1), (1.0, 2)]
