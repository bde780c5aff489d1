"""Zones of devices, against a plain search, and messages booked in them in long runs."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.rooms import zone_index
from factory.scenario import load_scenario
from factory.zones import Zones, add_messages, find_zones
from radio.figures.kpi_kernels import MESSAGES, SUMS
from radio.messages.traffic import build_traffic

SMALL = load_scenario("small").scenario


@settings(deadline=None, derandomize=True, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_zones_are_those_of_the_plain_search(seed):
    xy = np.random.default_rng(seed).uniform(-2, 34, (50, 3))
    zones = Zones(SMALL.hall, build_traffic(SMALL.radio, ["agv"], np.random.default_rng(0)), 50)
    zones.locate(xy)
    assert (zones.of_device == zone_index(SMALL.hall, xy)).all()
    out = np.zeros(50, np.int64)
    find_zones(xy, np.zeros((0, 4)), out)
    assert (out == 0).all()


def test_blocks_are_merged_when_the_run_is_long_and_nothing_is_lost():
    units, block_us = np.zeros((1, 1, 4, SUMS)), np.array([10])
    history, seen = np.zeros((1, 2)), np.zeros((2, 1), np.int64)
    one, zero = np.ones(1, np.int64), np.zeros(1, np.int64)
    for t in range(200):
        add_messages(
            zero, np.array([t]), np.array([0.5]), np.array([True]), zero, zero, one, zero, history, seen, units, block_us
        )
    assert block_us[0] == 80
    assert units[0, 0, :, MESSAGES].tolist() == [80, 80, 40, 0]
