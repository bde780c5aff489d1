"""Batteries drain, are charged as lithium cells are, and nobody is left without a station."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from robot_graphs import NOBODY, config, grid, ring

from robots.agv import charging_current
from robots.agv_config import BatteryConfig
from robots.fleet import Fleet
from robots.state import CHARGING, MODES, NO_ORDER

FAST = {"driving_time_s": 1800.0, "charging_time_s": 300.0}


def _run(fleet, hours, dt_us=200_000, each=None):
    for step in range(1, int(hours * 3600e6 / dt_us) + 1):
        fleet.step(step * dt_us, dt_us, np.zeros(fleet.n, np.int64), *NOBODY)
        if each is not None:
            each(fleet.state())


def _run_on(fleet, seconds):
    for _ in range(round(seconds / 0.05)):
        fleet.step(fleet.state().time_us + 50_000, 50_000, np.zeros(fleet.n, np.int64), *NOBODY)


def test_current_is_constant_and_then_falls_with_what_is_missing():
    assert charging_current(0.0, 0.8) == charging_current(0.8, 0.8) == 1.0
    assert charging_current(0.9, 0.8) == pytest.approx(0.5)
    assert charging_current(1.0, 0.8) == 0.05
    assert charging_current(0.99, 1.0) == 1.0


def test_charging_to_nine_tenths_takes_the_time_of_constant_current_and_constant_voltage():
    routes = ring()
    routes["nodes"][0]["action"] = "charge"
    battery = {"charging_time_s": 1000.0, "driving_time_s": 7200.0, "low_share": 0.8, "enough_share": 0.85, "critical_share": 0.3}
    fleet = Fleet(config(routes, 1, battery=battery), np.random.default_rng(4))
    track = []
    _run(fleet, 1.0, each=lambda s: track.append((s.mode[0], s.battery[0])))
    mode, charge = np.array(track).T
    began = int(np.flatnonzero(mode == CHARGING)[0])
    ended = began + int(np.flatnonzero(mode[began:] != CHARGING)[0])
    start = charge[began]
    at_constant_current_s = 1000.0 * (0.8 - start)
    at_constant_voltage_s = 1000.0 * 0.2 * np.log(2.0)  # dc/dt = (1 - c) / 0.2 / 1000 s from 0.8 to 0.9
    assert (ended - began) * 0.2 == pytest.approx(at_constant_current_s + at_constant_voltage_s, rel=0.01)


def test_a_load_drains_more():

    routes = ring(60.0)
    routes["nodes"][0]["action"] = "charge"
    spent = {}
    for factor in (1.0, 2.0):
        fleet = Fleet(
            config(routes, 1, loaded_share=1.0, battery={**FAST, "driving_time_s": 7200.0, "loaded_drain_factor": factor}),
            np.random.default_rng(4),
        )
        _run(fleet, 0.05)
        before, driven = fleet.state().battery[0], fleet.production()["distance_m"]
        while not fleet.state().loaded[0]:
            fleet.step(fleet.state().time_us + 50_000, 50_000, np.zeros(1, np.int64), *NOBODY)
        fleet._books.machines.battery[0] = 0.9
        before, driven = 0.9, fleet.production()["distance_m"]
        for _ in range(200):
            fleet.step(fleet.state().time_us + 50_000, 50_000, np.zeros(1, np.int64), *NOBODY)
        spent[factor] = (before - fleet.state().battery[0], fleet.production()["distance_m"] - driven)
    assert spent[1.0][1] == spent[2.0][1] > 5
    assert spent[2.0][0] == pytest.approx(2 * spent[1.0][0], rel=0.1)


def test_an_agv_that_runs_empty_brakes_and_stands_until_somebody_comes():
    routes = ring(60.0)
    routes["nodes"][0]["action"] = "charge"
    fleet = Fleet(config(routes, 1, battery={"rescue_time_s": 60.0}), np.random.default_rng(4))
    _run(fleet, 0.01)
    assert fleet.state().speed_mps[0] > 1.0
    fleet._books.machines.battery[0] = 0.0
    _run_on(fleet, 0.05)
    stood = 0
    while fleet.state().battery[0] == 0.0:
        before = fleet.state().speed_mps[0]
        fleet.step(fleet.state().time_us + 50_000, 50_000, np.zeros(1, np.int64), *NOBODY)
        assert before - fleet.state().speed_mps[0] <= 0.7 * 0.05 + 1e-9
        stood += fleet.state().speed_mps[0] == 0.0
    assert 50 < stood * 0.05 < 62
    assert MODES[fleet.state().mode[0]] == "paused"
    driven_m = fleet.production()["distance_m"]
    _run_on(fleet, 20)
    assert fleet.production()["distance_m"] > driven_m + 5


def test_more_agvs_than_stations_share_them_and_none_runs_empty():
    fleet = Fleet(config(grid(5, 5), 8, battery={"driving_time_s": 1500.0, "charging_time_s": 200.0}), np.random.default_rng(8))
    assert len(fleet.graph.nodes_with("charge")) == 2
    least, charging = [], []
    _run(fleet, 2.0, each=lambda s: (least.append(s.battery.min()), charging.append((s.mode == CHARGING).sum())))
    assert min(least) > 0.02
    assert max(charging) == 2
    assert len({o.agv for o in fleet.finished_orders[-60:]}) == 8


def test_an_agv_without_orders_charges_and_then_waits():
    routes = grid(4, 4)
    for k in (5, 6):
        routes["nodes"][k]["action"] = "park"
    fleet = Fleet(config(routes, 2, orders_per_hour=0.001), np.random.default_rng(8))
    fleet._books.machines.battery[:] = 0.4
    modes = []
    _run(fleet, 1.0, each=lambda s: modes.append(s.mode.copy()))
    assert (np.array(modes) == CHARGING).any(0).all()
    assert (modes[-1] == NO_ORDER).all()
    assert fleet.state().battery.min() > 0.85


def test_shares_out_of_order_and_batteries_that_do_not_reach_a_station_are_refused():
    with pytest.raises(ValidationError, match=r"critical_share 0\.3, low_share 0\.25, full_share 0\.9: give them in this order"):
        BatteryConfig(critical_share=0.3)
    with pytest.raises(ValidationError, match=r"enough_share: 0\.1 is below low_share 0\.25"):
        BatteryConfig(enough_share=0.1)
    with pytest.raises(
        ValidationError, match=r"critical_share: 0\.001 does not take an AGV to the nearest charging station, .* give 0\.0"
    ):
        config(grid(5, 5), 4, battery={"critical_share": 0.001, "driving_time_s": 600.0})


def test_a_charging_station_that_cannot_be_reached_is_named():
    routes = ring()
    routes["nodes"].append({"id": "socket", "position_m": (40.0, 30.0), "action": "charge"})
    with pytest.raises(ValidationError, match="no way leads from node 'r1' to node 'socket'"):
        config(routes, 1)
