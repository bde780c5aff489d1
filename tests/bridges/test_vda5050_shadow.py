"""Shadows of real AGVs: what is taken, what is refused and why, clocks that are wrong, and orders that may be sent."""

from __future__ import annotations

import json
import math
import socket
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vda_plant import Plant, wait_for
from vda_schemas import VERSIONS

from bridges.broker import EmbeddedBroker
from bridges.config import MqttConfig
from bridges.errors import BridgeError
from bridges.mqtt import Message, MqttConnection
from bridges.vda5050.base import stamp
from bridges.vda5050.config import RealAgvConfig, Vda5050Config
from bridges.vda5050.fleet_manager import FleetManager
from bridges.vda5050.messages import Refusal, read
from bridges.vda5050.shadow import RESET_AFTER, RealAgv, observe
from robots.order_messages import write_order
from robots.orders import order_of

NOW_S = 1_767_225_600.0


def seen(header_id, stamp_s, x_m=0.0, version="2.1.0", heading_rad=0.0, vx=1.0):
    pose = {"x": x_m, "y": 2.0, "theta": heading_rad, "mapId": "hall"}
    body = {"headerId": header_id, "timestamp": stamp(stamp_s), "version": version, "manufacturer": "m", "serialNumber": "s"}
    body["velocity"] = {"vx": vx, "vy": 0.0, "omega": 0.1}
    if version == "2.1.0":
        body["agvPosition"] = {**pose, "positionInitialized": True}
    else:
        body |= {"mobileRobotPosition": {**pose, "localized": True}, "referenceStateHeaderId": 0}
    message = read(json.dumps(body).encode(), "visualization", version)
    assert not isinstance(message, Refusal), message
    return message


def position(agv, now_s=NOW_S):
    return observe([agv], now_s).position_m[0, 0]


@pytest.mark.parametrize("version", VERSIONS)
def test_pose_velocity_and_age_come_through_in_the_maps_frame(version):
    agv = RealAgv("s", 2.0)
    agv.connected("ONLINE")
    assert agv.take("visualization", seen(0, NOW_S, 4.0, version, math.pi / 2), NOW_S + 0.1) == ""
    o = observe([agv], NOW_S + 0.5)
    assert o.online[0]
    assert o.position_m[0] == pytest.approx([4.0, 2.0])
    assert o.velocity_mps[0] == pytest.approx([0.0, 1.0], abs=1e-12)
    assert (o.turn_radps[0], o.heading_rad[0]) == pytest.approx((0.1, math.pi / 2))
    assert o.age_s[0] == pytest.approx(0.5, abs=1e-6)
    assert o.order_id == ("",)
    assert math.isnan(o.battery[0])


def test_nothing_is_known_before_the_first_message():
    o = observe([RealAgv("a", 2.0), RealAgv("b", 2.0)], NOW_S)
    assert not o.online.any()
    assert np.isnan(o.position_m).all()
    assert np.isnan(o.age_s).all()


@pytest.mark.parametrize(
    ("header_id", "stamp_s", "arrived_s", "reason"),
    [
        (10, 0.0, 0.05, "duplicate"),
        (9, -0.1, 0.06, "out_of_order"),
        (11, 0.1, 5.0, "late"),
        (11, 9.0, 0.2, "early"),
    ],
)
def test_what_is_late_twice_or_out_of_order_changes_nothing(header_id, stamp_s, arrived_s, reason):
    agv = RealAgv("s", 2.0)
    assert agv.take("visualization", seen(10, NOW_S, 1.0), NOW_S + 0.02) == ""
    assert agv.take("visualization", seen(header_id, NOW_S + stamp_s, 7.0), NOW_S + arrived_s) == reason
    assert position(agv) == 1.0
    assert agv.counts[reason] == 1
    assert agv.take("visualization", seen(12, NOW_S + 0.3, 1.3), NOW_S + 0.32) == ""
    assert position(agv) == 1.3


def test_gaps_and_new_beginnings_are_counted():
    agv = RealAgv("s", 2.0)
    for header_id, k in ((0, 0), (1, 1), (5, 2), (2**32 - 1, 3), (0, 4), (1, 5)):
        assert agv.take("visualization", seen(header_id, NOW_S + 0.1 * k, k), NOW_S + 0.1 * k) == ""
    assert agv.counts["lost"] == 3
    assert agv.counts["restarted"] == 0  # the counter ran over: no new beginning
    assert agv.take("visualization", seen(0, NOW_S + 0.6, 6), NOW_S + 0.6) == ""
    assert agv.counts["restarted"] == 1
    assert position(agv) == 6


@pytest.mark.parametrize("skew_s", [-3600.0, 3600.0, 86_400.0])
def test_a_clock_an_hour_wrong_is_taken_off(skew_s):
    agv = RealAgv("s", 2.0)
    for k in range(20):
        assert agv.take("visualization", seen(k, NOW_S + 0.1 * k + skew_s, k), NOW_S + 0.1 * k + 0.02 + 0.01 * (k % 3)) == ""
    o = observe([agv], NOW_S + 2.0)
    assert o.clock_offset_s[0] == pytest.approx(-skew_s + 0.02, abs=0.002)
    assert o.age_s[0] == pytest.approx(0.1, abs=0.03)
    assert agv.take("visualization", seen(20, NOW_S + 2.0 + skew_s, 20), NOW_S + 6.0) == "late"  # lateness is still seen


def test_a_clock_that_is_set_is_learnt_anew():
    agv = RealAgv("s", 2.0)
    k = 0
    for skew_s in (0.0, 3600.0, 0.0):
        taken = []
        for _ in range(20):
            at = NOW_S + 0.1 * k
            taken.append(agv.take("visualization", seen(k, at + skew_s, k), at + 0.02) == "")
            k += 1
        assert taken[-1]
        assert taken.count(False) <= RESET_AFTER + 1 or skew_s == 0.0
    assert agv.counts["clock_set"] >= 1


def test_a_vehicle_that_restarts_with_its_clock_behind_is_believed_after_a_while():
    agv = RealAgv("s", 2.0)
    for k in range(20):
        assert agv.take("visualization", seen(500 + k, NOW_S + 0.1 * k, 0.0), NOW_S + 0.1 * k) == ""
    taken = []
    for k in range(20):
        at = NOW_S + 10.0 + 0.1 * k
        taken.append(agv.take("visualization", seen(k, at - 3600.0, 9.0), at) == "")
    assert taken[-1]
    assert taken.count(False) <= 2 * RESET_AFTER
    assert position(agv) == 9.0


def test_two_vehicles_under_one_serial_number_are_not_trusted():
    agv = RealAgv("s", 2.0)
    agv.connected("ONLINE")
    for k in range(20):
        at = NOW_S + 0.1 * k
        agv.take("visualization", seen(1000 + k if k % 2 else k, at, 50.0 if k % 2 else 0.0), at)
    assert agv.counts["two_senders"] > 0
    assert not observe([agv], NOW_S + 2.0).online[0]
    assert observe([agv], NOW_S + 60.0).online[0]


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.floats(-5, 5), st.floats(0, 4)).map(lambda t: (t[0], t[1], t[2])),
        min_size=1,
        max_size=40,
    )
)
def test_measuring_time_never_goes_back_unless_a_clock_was_set(messages):
    agv = RealAgv("s", 2.0)
    last = -math.inf
    for header_id, stamp_s, delay_s in messages:
        sets = agv.counts["clock_set"]
        agv.take("visualization", seen(header_id, NOW_S + stamp_s, stamp_s), NOW_S + stamp_s + delay_s)
        measured = observe([agv], NOW_S).measured_s[0]
        if agv.counts["clock_set"] == sets:
            assert math.isnan(measured) or measured >= last
        last = measured if not math.isnan(measured) else last
    assert sum(agv.counts[k] for k in ("visualization", "duplicate", "out_of_order", "late", "early")) == len(messages)


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = EmbeddedBroker(port, tmp_path_factory.mktemp("broker") / "broker.log")
    running.start()
    yield running
    running.stop()


@pytest.mark.parametrize("version", VERSIONS)
def test_the_fleet_managers_end_drives_an_agv_and_follows_it(broker, version):
    """Our fleet manager and our virtual AGVs, each at its end of a broker."""
    interface = f"both{version[0]}"
    real = RealAgvConfig(manufacturer="factory-twin", serial_number="agv-01", version=version, twin="agv-01")
    config = Vda5050Config(interface_name=interface, real=(real,), may_send=("order", "instantActions"))
    manager = FleetManager(MqttConfig(host="127.0.0.1", port=broker.port), config)
    manager.start()
    injector = MqttConnection(MqttConfig(host="127.0.0.1", port=broker.port), "injector")
    injector.start()
    try:
        assert manager.connection.wait_connected(15)
        assert injector.wait_connected(15)
        with Plant(broker.port, version=version, interface_name=interface):
            wait_for(lambda: manager.observe().battery[0] > 0.9 and manager.observe().online[0], lambda: str(manager.observe()))
            order = write_order(order_of("o-7", 0, ["r0", "r1", "r2"], 3), version)
            assert manager.send_order("agv-01", order)
            wait_for(lambda: manager.observe().last_node == ("r2",), lambda: str(manager.observe()))
            wait_for(lambda: not manager.observe().driving[0], lambda: str(manager.observe()))
            o = manager.observe()
            assert o.order_id == ("o-7",)
            assert o.position_m[0] == pytest.approx([14.0, 2.0], abs=0.01)  # r2
            assert abs(o.clock_offset_s[0]) == 0.0
            # somebody else's state on this AGV's topic, and garbage
            base = f"{interface}/v{version[0]}/factory-twin/agv-01"
            taken = manager.agvs["agv-01"].counts["state"]
            injector.publish(Message(f"{base}/connection", b"{}", 1))
            other = {"headerId": 0, "timestamp": stamp(time.time()), "version": version, "manufacturer": "x", "serialNumber": "y"}
            injector.publish(Message(f"{base}/connection", json.dumps({**other, "connectionState": "OFFLINE"}).encode(), 1))
            wait_for(lambda: manager.counts["schema"] == 1 and manager.counts["addressee"] == 1, lambda: str(manager.counts))
            assert manager.observe().online[0]
            assert manager.agvs["agv-01"].counts["state"] >= taken
        wait_for(lambda: not manager.observe().online[0], lambda: str(manager.observe()))
        with pytest.raises(BridgeError, match=r"nodes: .*required"):
            manager.send_order("agv-01", {"orderId": "x", "orderUpdateId": 0, "edges": []})
        with pytest.raises(BridgeError, match=r"'agv-77' is no real AGV; .* names agv-01"):
            manager.send_order("agv-77", order)
    finally:
        manager.stop()
        injector.stop()


def test_nothing_is_sent_that_the_scenario_does_not_allow():
    real = RealAgvConfig(manufacturer="m", serial_number="s", twin="agv-01")
    manager = FleetManager(MqttConfig(), Vda5050Config(real=(real,)))
    with pytest.raises(BridgeError, match="instantActions to 's' is not allowed; add instantActions to"):
        manager.send_instant_actions("s", [{"actionType": "startPause", "actionId": "1", "blockingType": "NONE"}])
    with pytest.raises(ValueError, match="twin 'agv-01' is used twice"):
        Vda5050Config(real=(real, RealAgvConfig(manufacturer="m", serial_number="t", twin="agv-01")))
