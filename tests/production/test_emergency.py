"""Emergency stops of panels: the message has to arrive, the arm to brake, and somebody to acknowledge it."""

from __future__ import annotations

import numpy as np
import pytest

from factory.emergency import EmergencyStops
from humans.config import PeopleConfig
from radio.config import RadioConfig, ServiceConfig
from radio.messages.delivery import Delivered
from radio.messages.traffic import build_traffic
from robots.state import EMERGENCY_STOP

DT_US = 10_000
TRP = {"name": "a", "position_m": (1, 1, 3)}


def _traffic(n_panel):
    services = (ServiceConfig(name="estop", profile="mobile-panel-estop", devices="panel"),)
    radio = RadioConfig.model_validate({"trps": [TRP], "services": services})
    return build_traffic(radio, ["panel"] * n_panel, np.random.default_rng(0))


def _delivered(*messages):
    """Messages as (stream, time_us, ok, latency_us)."""
    n = len(messages)
    stream, time_us, ok, latency = (np.array(c) for c in zip(*messages, strict=True)) if n else (np.zeros(0, int),) * 4
    zero = np.zeros(n, int)
    return Delivered(stream, zero, time_us, ok.astype(bool), zero * 0.0, latency, *(zero,) * 3, *(zero * 0.0,) * 2, *(zero,) * 3,
                     *(np.zeros(1, int),) * 4)  # fmt: skip


def _stops(rate=3600.0 / 10, paired=(0,), acknowledge_s=1.0, n_cobot=1, seed=0):
    config = PeopleConfig(emergency_stops_per_panel_hour=rate, emergency_acknowledge_s=acknowledge_s)
    traffic = _traffic(len(paired))
    streams = [np.flatnonzero(traffic.ue == p) for p in range(len(paired))]
    return EmergencyStops(config, np.array(paired), streams, traffic, np.random.default_rng(seed), n_cobot)


def test_the_arm_stops_when_the_first_message_after_the_press_has_arrived_and_goes_on_when_acknowledged():
    stops = _stops()
    pressed = int(stops._next_us[0])
    held, moving, standing = np.array([True]), np.array([False]), np.array([True])
    tick = -(-pressed // DT_US) * DT_US
    assert stops.step(tick - DT_US, _delivered((0, pressed - 1, 1, 500)), held, moving).tolist() == [-1]
    # sent before the press, and one that was lost: neither tells of it
    halt = stops.step(tick, _delivered((0, pressed - 1, 1, 500), (0, pressed + 1, 0, -1)), held, moving)
    assert halt.tolist() == [-1]
    halt = stops.step(tick + DT_US, _delivered((0, pressed + 8_001, 1, 700)), held, moving)
    assert halt.tolist() == [EMERGENCY_STOP]
    assert stops.panel_of.tolist() == [0]
    assert not stops.stopped
    assert stops.step(tick + 2 * DT_US, _delivered(), held, standing).tolist() == [EMERGENCY_STOP]
    (told,) = stops.stopped
    assert (told.panel, told.cobot, told.pressed_us, told.message_us) == (0, 0, pressed, 8_701)
    assert told.standing_us == tick + 2 * DT_US - pressed
    now = tick + 2 * DT_US
    while stops.step(now, _delivered(), held, standing)[0] == EMERGENCY_STOP:
        now += DT_US
    assert now - (tick + 2 * DT_US) == 1_000_000
    assert len(stops.stopped) == 1


def test_where_no_message_comes_the_watchdog_is_first_and_the_record_says_so():
    stops = _stops()
    pressed = int(stops._next_us[0])
    tick = -(-pressed // DT_US) * DT_US
    stops.step(tick, _delivered(), np.array([True]), np.array([False]))
    assert stops.step(tick + 3 * DT_US, _delivered(), np.array([True]), np.array([True])).tolist() == [-1]
    assert stops.stopped[0].message_us == -1
    # when commands are back the press is still to be acknowledged
    late = _delivered((0, tick + 40 * DT_US, 1, 500))
    assert stops.step(tick + 41 * DT_US, late, np.array([True]), np.array([True])).tolist() == [EMERGENCY_STOP]


def test_without_a_radio_a_press_arrives_at_once_and_without_a_holder_nobody_presses():
    stops = _stops()
    tick = -(-int(stops._next_us[0]) // DT_US) * DT_US
    assert stops.step(tick, None, np.array([False]), np.array([False])).tolist() == [-1]
    assert stops._next_us[0] > tick
    tick = -(-int(stops._next_us[0]) // DT_US) * DT_US
    assert stops.step(tick, None, np.array([True]), np.array([False])).tolist() == [EMERGENCY_STOP]


def test_two_panels_of_one_arm_both_have_to_be_acknowledged():
    stops = _stops(paired=(0, 0), seed=3)
    first, second = np.sort(stops._next_us)
    held, standing = np.ones(2, bool), np.array([True])
    halted = []
    for now in range(0, int(second) + 3_000_000, DT_US):
        stops._next_us[stops._next_us > second] = 2**62  # each is pressed once
        halted.append(stops.step(now, None, held, standing)[0] == EMERGENCY_STOP)
    on = np.flatnonzero(halted) * DT_US
    assert len(stops.stopped) == 2
    assert on[0] == -(-first // DT_US) * DT_US
    assert on[-1] == pytest.approx(max(second, on[0]) + 1_000_000, abs=2 * DT_US)


def test_presses_come_as_often_as_they_are_said_to():
    stops = _stops(rate=360.0, acknowledge_s=0.0)
    for now in range(0, 3_600_000_000, 100_000):
        stops.step(now, None, np.array([True]), np.array([True]))
    assert 360 * 0.85 < len(stops.stopped) < 360 * 1.15


def test_nobody_presses_by_default_nor_where_there_is_no_arm():
    assert not _stops(rate=0.0).enabled
    assert not _stops(paired=(-1,), n_cobot=0).enabled
