"""Messages and neighbours that nobody should trust: limits, injected topics, two twins of one name; and orders that are kept."""

from __future__ import annotations

import json
import logging
import socket
import time

import numpy as np
import pytest
from test_vda5050_agvs import Manager
from vda_plant import DT_US, NOBODY, encoded, header, instant, order, ring, wait_for

from bridges.broker import EmbeddedBroker
from bridges.config import BridgesConfig, MqttConfig
from bridges.errors import BridgeError
from bridges.inbox import Command, Inbox
from bridges.mqtt import Message, level
from bridges.vda5050.agvs import VirtualAgvs
from bridges.vda5050.config import RealAgvConfig, Vda5050Config
from bridges.vda5050.fleet_manager import FleetManager
from bridges.vda5050.limits import excessive
from bridges.vda5050.memory import OrdersFile
from bridges.vda5050.messages import read
from bridges.vda5050.vehicle import INSTANT_COMMAND, ORDER_COMMAND, VirtualAgv
from factory.fleet_bridge import FleetBridge, start_vda5050, vehicle_sheet
from robots.config import RobotsConfig
from robots.fleet import Fleet

SHEET = vehicle_sheet(RobotsConfig.model_validate({"agvs": {"count": 1}, "routes": ring()}).agvs)


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = EmbeddedBroker(port, tmp_path_factory.mktemp("broker") / "broker.log")
    running.start()
    yield running
    running.stop()


def fleet_of(count=1):
    agvs = {"count": count, "orders_from": "outside", "load_time_s": 2.0, "unload_time_s": 2.0}
    return Fleet(RobotsConfig.model_validate({"agvs": agvs, "routes": ring()}), np.random.default_rng(0))


def run(fleet, steps, begin_us=0):
    for k in range(steps):
        fleet.step(begin_us + (k + 1) * DT_US, DT_US, np.zeros(fleet.n, np.int64), *NOBODY)


def vehicle(**options):
    """Build an AGV that was not started: what its network thread does is called from here."""
    inbox = Inbox()
    return VirtualAgv("agv-01", MqttConfig(), Vda5050Config(**options), SHEET, inbox), inbox


def long_order(**changes):
    return {**order(["r0", "r1"]), **changes}


def many_actions(n, **changes):
    return [{"actionType": "pick", "actionId": f"a-{k}", "blockingType": "NONE", **changes} for k in range(n)]


def with_actions(actions):
    message = order(["r0", "r1"])
    message["nodes"][0]["actions"] = actions
    return message


@pytest.mark.parametrize(
    ("topic", "message", "reason"),
    [
        ("order", long_order(orderId="x" * 300), "orderId: 300 characters; at most 256"),
        ("order", long_order(orderUpdateId=2**40), "orderUpdateId: above 4294967295"),
        ("order", order(["r0", "r1"], first=2**70), "nodes[0].sequenceId: above 4294967295"),
        ("order", order(["r0", "r1"] * 501), "nodes: 1002; at most 1000 are taken"),
        ("order", order(["r0", "r" * 300]), "nodes[1]: an id of more than 256 characters"),
        ("order", with_actions(many_actions(101)), "nodes[0].actions: 101 actions; at most 100"),
        ("order", with_actions(many_actions(1, actionId="a" * 999)), "nodes[0].actions[0]: an id of more than 256 characters"),
        (
            "order",
            with_actions(many_actions(1, actionParameters=[{"key": "k", "value": 1}] * 51)),
            "nodes[0].actions[0].actionParameters: 51; at most 50",
        ),
        ("instantActions", {**header(), "actions": many_actions(101)}, "actions: 101 actions; at most 100"),
    ],
)
def test_a_message_beyond_the_limits_is_told_counted_and_not_carried_out(topic, message, reason):
    agv, inbox = vehicle()
    take = agv._on_order if topic == "order" else agv._on_instant_actions
    take(Message("t", encoded(message)))
    assert agv.counts["limit"] == 1
    assert inbox.drain() == ()
    assert any(reason in e.description for e in agv._errors)
    assert all(len(e.description) < 400 for e in agv._errors)
    assert excessive(read(encoded(order(["r0", "r1"])), "order", "2.1.0")) == ""


def test_a_flood_is_counted_logged_now_and_then_and_leaves_nothing_behind(caplog):
    agv, inbox = vehicle(max_messages_per_s=20)
    with caplog.at_level(logging.WARNING):
        for k in range(5000):
            agv._on_order(Message("t", b"garbage %d" % k))
            agv._on_instant_actions(Message("t", encoded(instant("startPause", f"i-{k}"))))
            agv._on_own_connection(Message("t", b"\xff garbage", retain=bool(k % 2)))
    assert agv.counts["flood"] > 9000
    assert agv.counts["connection_garbage"] > 4900
    assert len(agv._errors) <= 10
    assert len(inbox.drain()) <= 1024
    assert len(agv._known_actions) <= 1000
    words = [r.getMessage() for r in caplog.records]
    assert any("flood on" in w and "more than 20 messages" in w for w in words)
    assert len(words) < 40


def test_a_real_agv_that_floods_is_not_read(caplog):
    real = RealAgvConfig(manufacturer="other", serial_number="x-1", twin="agv-01")
    manager = FleetManager(MqttConfig(), Vda5050Config(real=(real,)))
    take = manager._listener(real, "state")
    for _ in range(3000):
        take(Message("t", b"garbage"))
    assert manager.counts["flood"] > 2000
    assert manager.counts["flood"] + manager.counts["json"] == 3000
    assert len(caplog.records) < 10


def test_names_cannot_leave_their_level():
    for name in ("a/b", "+", "#", "$SYS", "x\0y", "line\nbreak", "\ud800", "\ufffe", "n" * 999, ""):
        clean = level(name)
        assert clean
        assert not set(clean) & set("/+#\0\n$\ud800\ufffe")
        assert len(clean) <= 256
        clean.encode()
    for bad in ("+", "#", "a/b", "agv\n1", "$share"):
        with pytest.raises(ValueError, match="one level of a topic"):
            RealAgvConfig(manufacturer="other", serial_number=bad, twin="agv-01")
        with pytest.raises(ValueError, match="one level of a topic"):
            RealAgvConfig(manufacturer=bad, serial_number="x", twin="agv-01")
    with pytest.raises(BridgeError, match="'agv/1' and 'agv_1' would share the topics of 'agv_1'"):
        VirtualAgvs(MqttConfig(), Vda5050Config(), ("agv/1", "agv_1"), SHEET, Inbox())


def test_two_twins_on_one_identity_are_noticed_told_and_survived(broker, caplog):
    mqtt = MqttConfig(host="127.0.0.1", port=broker.port, reconnect_min_s=0.05, reconnect_max_s=0.2)
    config = Vda5050Config(interface_name="double", min_state_interval_s=0.0)
    pair = [VirtualAgvs(mqtt, config, ("agv-01",), SHEET, Inbox()) for _ in range(2)]
    view = FleetBridge(fleet_of(), ("agv-01",)).view()
    with Manager(broker.port, interface="double") as manager, caplog.at_level(logging.WARNING):
        for agvs in pair:
            agvs.publish_fleet(view)
            agvs.start()
            time.sleep(0.01)  # two that say ONLINE in the same millisecond, word for word the same, are one to the other
        try:
            wait_for(lambda: any(a.counts().get("twin", 0) for a in pair), lambda: str([a.counts() for a in pair]))
            manager.until(lambda s: any("somebody else is online" in e["errorDescription"] for e in s["errors"]))
        finally:
            pair[0].stop()
        before = len(manager.states())
        wait_for(lambda: len(manager.states()) > before, lambda: "the one that is left fell silent")
        pair[1].stop()
    assert any("somebody else is online as agv-01" in r.getMessage() for r in caplog.records)


def test_a_message_that_makes_the_fleet_fail_does_not_end_the_twin(monkeypatch, caplog):
    fleet = fleet_of()
    bridge = FleetBridge(fleet, ("agv-01",))
    monkeypatch.setattr(fleet, "receive", lambda i, o: 1 / 0)
    answers = []
    for _ in range(250):
        command = Command("x", ORDER_COMMAND, "agv-01", payload=order(["r0", "r1"]), reply=answers.append)
        assert bridge.carry_out(command)
    assert bridge.faults == 250
    assert not answers[0].done
    assert sum("could not be carried out" in r.getMessage() for r in caplog.records) == 3
    assert len(bridge.view().vehicles[0].errors) <= 10


def state_heard(interface, port, state, fleet, inbox):
    mqtt = MqttConfig(host="127.0.0.1", port=port, reconnect_min_s=0.05, reconnect_max_s=0.3)
    vda = Vda5050Config(enabled=True, interface_name=interface, min_state_interval_s=0.0, visualization_interval_s=0)
    started = start_vda5050(BridgesConfig(mqtt=mqtt, vda5050=vda), fleet, ("agv-01",), inbox, state)
    assert started is not None
    return started


def test_a_twin_that_comes_back_goes_on_with_its_order_under_the_senders_names(broker, tmp_path):
    kept = tmp_path / "vda5050" / "orders.json"
    with Manager(broker.port, interface="kept") as manager:
        fleet, inbox = fleet_of(), Inbox()
        bridge, agvs = state_heard("kept", broker.port, tmp_path, fleet, inbox)
        assert bridge.notice == ""
        message = order(["r0", "r1", "r2", "r3"])
        bridge.carry_out(Command("x", ORDER_COMMAND, "agv-01", payload=message))
        pause = {"actions": [{"actionId": "i-1", "actionType": "startPause", "blockingType": "NONE"}]}
        bridge.carry_out(Command("x", INSTANT_COMMAND, "agv-01", payload=pause))
        run(fleet, 20)
        agvs.publish_fleet(bridge.view())
        manager.until(lambda s: s["orderId"] == "o-1")
        assert json.loads(kept.read_text())["fleet"]["vehicles"][0]["order"]["order"]["orderId"] == "o-1"  # kept before told
        with pytest.raises(BridgeError, match="another twin keeps its AGVs' orders"):
            state_heard("kept", broker.port, tmp_path, fleet_of(), Inbox())
        agvs.stop()
        fleet, inbox = fleet_of(), Inbox()
        bridge, agvs = state_heard("kept", broker.port, tmp_path, fleet, inbox)
        try:
            assert "1 of them with an order (agv-01)" in bridge.notice
            assert fleet.paused(0)
            agvs.publish_fleet(bridge.view())
            manager.until(lambda s: s["orderId"] == "o-1" and [e["edgeId"] for e in s["edgeStates"]][-1] == "from-r2-to-r3")
            agvs.vehicles["agv-01"]._on_instant_actions(Message("t", encoded(instant("startPause", "i-1"))))
            assert agvs.counts()["repeated_action"] == 1  # it was carried out in another life
            assert bridge.carry_out(Command("x", ORDER_COMMAND, "agv-01", payload=message))  # known already
            assert fleet.order(0).order_id == "o-1"
        finally:
            agvs.stop()


def test_kept_orders_that_do_not_fit_are_set_aside_and_told(tmp_path):
    folder = tmp_path / "vda5050"
    for text, words in (("{half", "Expecting"), ("[1]", "a part is missing"), ('{"fleet": {}, "told": {}}', "a part is missing")):
        file = OrdersFile(folder)
        file.path.write_text(text)
        bridge = FleetBridge(fleet_of(), ("agv-01",))
        bridge.recall(file)
        assert words in bridge.notice
        assert "orders-not-used.json" in bridge.notice
        assert not file.path.exists()
        file.close()
    two = FleetBridge(fleet_of(2), ("agv-01", "agv-02"))
    file = OrdersFile(folder)
    file.save(two.view().memory)
    one = FleetBridge(fleet_of(), ("agv-01",))
    one.recall(file)
    assert "another number of AGVs" in one.notice
    file.close()
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(BridgeError, match=r"orders cannot be kept in .*choose another --state folder"):
        OrdersFile(blocked / "vda5050")


def test_a_disk_that_fails_is_counted_and_the_agvs_go_on(tmp_path):
    file = OrdersFile(tmp_path / "vda5050")
    agvs = VirtualAgvs(MqttConfig(), Vda5050Config(), ("agv-01",), SHEET, Inbox(), file)
    bridge = FleetBridge(fleet_of(), ("agv-01",))
    for path in (tmp_path / "vda5050").iterdir():
        path.unlink()
    (tmp_path / "vda5050").rmdir()
    agvs._keep(bridge.view().memory)
    assert agvs.counts()["not_kept"] == 1
    agvs.stop()
