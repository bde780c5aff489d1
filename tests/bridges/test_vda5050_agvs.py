"""The twin's AGVs under a fleet manager: orders, updates, cancel, pause, errors, headers, and messages nobody should obey."""

from __future__ import annotations

import json
import socket
from itertools import pairwise

import jsonschema
import pytest
from mqtt_listener import Listener
from vda_plant import Plant, encoded, header, instant, order, wait_for
from vda_schemas import FOLDER, VERSIONS, schema

from bridges.broker import EmbeddedBroker
from bridges.config import MqttConfig
from bridges.errors import BridgeError
from bridges.inbox import Command, Inbox
from bridges.mqtt import Message, MqttConnection
from bridges.vda5050.agvs import VirtualAgvs
from bridges.vda5050.base import stamp
from bridges.vda5050.config import Vda5050Config
from bridges.vda5050.view import VehicleSheet
from factory.fleet_bridge import vehicle_sheet
from robots.agv_config import AgvsConfig

PICK = {"actionType": "pick", "actionId": "p-1", "blockingType": "HARD"}
DROP = {"actionType": "drop", "actionId": "d-1", "blockingType": "HARD"}


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = EmbeddedBroker(port, tmp_path_factory.mktemp("broker") / "broker.log")
    running.start()
    yield running
    running.stop()


class Manager:
    """A fleet manager's end of the line: sends, and remembers what it heard."""

    def __init__(self, port, version="2.1.0", interface="uagv", serial="agv-01"):
        self.base = f"{interface}/v{version[0]}/factory-twin/{serial}"
        self.ear = Listener(port, f"{interface}/#")
        self.mouth = MqttConnection(MqttConfig(host="127.0.0.1", port=port), "manager")

    def __enter__(self):
        self.ear.__enter__()
        self.mouth.start()
        assert self.mouth.wait_connected(15)
        return self

    def __exit__(self, *_):
        self.mouth.stop()
        self.ear.__exit__()

    def send(self, topic, message, retain=False):
        payload = message if isinstance(message, bytes) else encoded(message)
        if not retain:  # an AGV that has told its state has subscribed
            wait_for(lambda: bool(self.states()), lambda: "no state was heard")
        assert self.mouth.publish(Message(f"{self.base}/{topic}", payload, 1, retain))

    def states(self):
        return self.ear.on(f"{self.base}/state")

    def state(self):
        return self.ear.last(f"{self.base}/state")

    def until(self, condition, timeout_s=20.0):
        wait_for(lambda: bool(self.states()) and condition(self.state()), lambda: json.dumps(self.state())[:1500], timeout_s)


def action_status(state, action_id):
    actions = [*state["actionStates"], *state.get("instantActionStates", [])]
    return next((a["actionStatus"] for a in actions if a["actionId"] == action_id), "")


@pytest.mark.parametrize("version", VERSIONS)
def test_an_order_with_an_update_is_driven_and_everything_said_fulfils_the_schemas(broker, version):
    interface = f"drive{version[0]}"
    with Manager(broker.port, version, interface) as manager, Plant(broker.port, version=version, interface_name=interface):
        manager.until(lambda s: s["lastNodeId"] == "r0" and s["orderId"] == "")
        assert manager.state()["nodeStates"] == []
        manager.send("order", order(["r0", "r1", "r2"], version, 2, actions={"r1": [PICK]}))
        manager.until(lambda s: s["lastNodeId"] == "r1" and action_status(s, "p-1") == "FINISHED" and s["newBaseRequest"])
        state = manager.state()
        assert [(n["nodeId"], n["sequenceId"], n["released"]) for n in state["nodeStates"]] == [("r2", 4, False)]
        assert [e["edgeId"] for e in state["edgeStates"]] == ["from-r1-to-r2"]  # by the sender's own name
        assert len(state["loads"]) == 1
        update = order(["r1", "r2", "r3", "r4"], version, update=1, first=2, actions={"r1": [PICK], "r4": [DROP]})
        manager.send("order", update)
        manager.until(lambda s: s["lastNodeId"] == "r4" and action_status(s, "d-1") == "FINISHED")
        state = manager.state()
        assert (state["orderId"], state["orderUpdateId"], state["lastNodeSequenceId"]) == ("o-1", 1, 8)
        assert (state["nodeStates"], state["edgeStates"], state["loads"], state["errors"]) == ([], [], [], [])
        states = manager.states()
        passed = [a["lastNodeId"] for a, b in pairwise(states) if a["lastNodeId"] != b["lastNodeId"]]
        assert passed == ["r0", "r1", "r2", "r3"]
        assert any(s["driving"] for s in states)
        manager.ear.wait(lambda e: e.on(f"{manager.base}/visualization"), "visualization")
        heard = [(t, m) for t, m, _ in list(manager.ear.messages) if t.startswith(interface)]
    manager_topics = {t.rsplit("/", 1)[-1] for t, _ in heard}
    assert manager_topics >= {"state", "connection", "factsheet", "visualization"}
    for topic in ("state", "visualization"):
        numbers = [m["headerId"] for t, m in heard if t.endswith(f"/{topic}")]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    if FOLDER is not None:
        judges = {t: jsonschema.Draft202012Validator(schema(version, t)) for t in manager_topics}
        for topic, message in heard:
            judges[topic.rsplit("/", 1)[-1]].validate(message)


def test_online_retained_offline_at_a_clean_end(broker):
    with Manager(broker.port, interface="hello") as manager:
        with Plant(broker.port, interface_name="hello"):
            manager.ear.wait(lambda e: e.on(f"{manager.base}/factsheet"), "factsheet")
            assert manager.ear.last(f"{manager.base}/connection")["connectionState"] == "ONLINE"
            with Listener(broker.port, "hello/#") as late:
                late.wait(lambda e: e.on(f"{manager.base}/factsheet"), "the retained factsheet")
                assert late.last(f"{manager.base}/connection")["connectionState"] == "ONLINE"
        manager.ear.wait(lambda e: e.last(f"{manager.base}/connection").get("connectionState") == "OFFLINE", "offline")


def test_cancel_pause_and_requests(broker):
    with Manager(broker.port, interface="instant") as manager, Plant(broker.port, interface_name="instant") as plant:
        manager.send("order", order(["r0", "r1", "r2", "r3", "r4"]))
        manager.until(lambda s: s["driving"])
        manager.send("instantActions", instant("startPause", "i-1"))
        manager.until(lambda s: s["paused"] and not s["driving"] and action_status(s, "i-1") == "FINISHED")
        manager.send("instantActions", instant("stopPause", "i-2"))
        manager.until(lambda s: not s["paused"] and s["driving"])
        manager.send("instantActions", instant("cancelOrder", "i-3"))
        manager.until(lambda s: action_status(s, "i-3") == "FINISHED" and s["nodeStates"] == [] and not s["driving"])
        stopped = manager.state()["lastNodeId"]
        manager.send("instantActions", instant("cancelOrder", "i-3"))  # the same id again: not carried out twice
        manager.send("instantActions", instant("cancelOrder", "i-4"))
        manager.until(lambda s: action_status(s, "i-4") == "FAILED")
        assert [a["actionId"] for a in manager.state()["actionStates"]].count("i-3") == 1
        assert "noOrderToCancel" in [e["errorType"] for e in manager.state()["errors"]]
        assert plant.agvs.counts()["repeated_action"] == 1
        after = {"r0": ["r0", "r1"], "r1": ["r1", "r2"], "r2": ["r2", "r3"], "r3": ["r3", "r4"], "r4": ["r4", "r5"]}[stopped]
        manager.send("order", order(after, order_id="o-2"))
        manager.until(lambda s: s["orderId"] == "o-2" and s["lastNodeId"] == after[1] and s["errors"] == [])
        assert any(s["orderId"] == "o-2" and s["nodeStates"] for s in manager.states())
        factsheets = len(manager.ear.on(f"{manager.base}/factsheet"))
        manager.send("instantActions", instant("factsheetRequest", "i-5"))
        manager.until(lambda s: action_status(s, "i-5") == "FINISHED")
        manager.ear.wait(lambda e: len(e.on(f"{manager.base}/factsheet")) > factsheets, "factsheet on request")


@pytest.mark.parametrize(
    ("message", "error_type", "reason", "kind"),
    [
        (b"{nonsense", "validationError", "order: Invalid JSON", "json"),
        (encoded({**header(), "orderId": 7}), "validationError", "orderId: Input should be a valid string, not '7'", "schema"),
        (encoded(order(["r0", "r1"], "3.0.0")), "validationError", "edges[0].startNodeId: Field required", "schema"),
        (encoded({**order(["r0", "r1"]), "version": "3.0.0"}), "validationError", "2.1.0 is spoken here", "version"),
        (encoded(order(["r0", "r1"], serial="agv-99")), "validationError", "addressed to 'factory-twin' 'agv-99'", "addressee"),
        (encoded(order(["r0", "r9"])), "noRouteError", "node 'r9' is not in the routes", None),
        (encoded(order(["r1", "r2"])), "noRouteError", "the AGV is at 'r0'", None),
    ],
)
def test_a_wrong_order_is_told_in_the_state_and_nothing_moves(broker, message, error_type, reason, kind):
    with Manager(broker.port, interface="wrong") as manager, Plant(broker.port, interface_name="wrong") as plant:
        manager.until(lambda s: s["errors"] == [])
        manager.send("order", message)
        manager.until(lambda s: any(e["errorType"] == error_type and reason in e["errorDescription"] for e in s["errors"]))
        assert manager.state()["orderId"] == ""
        if kind is not None:
            assert plant.agvs.counts()[kind] == 1
        manager.send("order", order(["r0", "r1"]))
        manager.until(lambda s: s["errors"] == [] and s["lastNodeId"] == "r1")


def test_what_an_order_asks_and_the_agv_would_not_do_is_refused(broker):
    slow, elsewhere = order(["r0", "r1"]), order(["r0", "r1"])
    slow["edges"][0]["maxSpeed"] = 0.3
    elsewhere["nodes"][0]["nodePosition"] = {"x": 2.0, "y": 2.0, "mapId": "cellar"}
    with Manager(broker.port, interface="limits") as manager, Plant(broker.port, interface_name="limits"):
        manager.send("order", slow)
        manager.until(lambda s: any("edges[0].maxSpeed: 0.3 m/s" in e["errorDescription"] for e in s["errors"]))
        manager.send("order", elsewhere)
        manager.until(lambda s: any("'cellar'; the AGV is on 'hall'" in e["errorDescription"] for e in s["errors"]))
        assert manager.state()["orderId"] == ""


def test_retained_orders_floods_and_an_hour_of_skew(broker):
    with Manager(broker.port, interface="bad") as manager:
        manager.send("order", order(["r0", "r1"]), retain=True)  # there before the twin: from yesterday
        with Plant(broker.port, interface_name="bad", max_messages_per_s=20) as plant:
            manager.until(lambda s: any("may be old" in e["errorDescription"] for e in s["errors"]))
            assert manager.state()["orderId"] == ""
            for k in range(400):
                manager.send("order", b"x%d" % k)
            wait_for(
                lambda: manager.send("order", b"more") or plant.agvs.counts().get("flood", 0) > 20,
                lambda: str(plant.agvs.counts()),
            )
            wait_for(lambda: len(manager.state()["errors"]) <= 11, lambda: str(manager.state()))
            late = {**order(["r0", "r1"]), "timestamp": stamp(0.0)}
            wait_for(
                lambda: manager.send("order", late) or plant.agvs.counts().get("clock_skew", 0) > 0,
                lambda: str(plant.agvs.counts()),
            )
            manager.until(lambda s: s["orderId"] == "o-1")
        manager.send("order", b"", retain=True)


def test_a_contradicted_connection_is_said_again(broker):
    with Manager(broker.port, interface="twice") as manager, Plant(broker.port, interface_name="twice") as plant:
        manager.ear.wait(lambda e: e.on(f"{manager.base}/connection"), "online")
        manager.send("connection", {**header(), "connectionState": "CONNECTIONBROKEN"})
        wait_for(lambda: plant.agvs.counts().get("contradicted", 0) == 1, lambda: str(plant.agvs.counts()))
        manager.ear.wait(lambda e: e.last(f"{manager.base}/connection")["connectionState"] == "ONLINE", "online again")


def test_serial_numbers_and_versions_must_fit():
    mqtt, sheet = MqttConfig(), vehicle_sheet(AgvsConfig(count=1))
    assert isinstance(sheet, VehicleSheet)
    with pytest.raises(BridgeError, match="serial number 'a' belongs to two AGVs"):
        VirtualAgvs(mqtt, Vda5050Config(), ("a", "b", "a"), sheet, Inbox())
    with pytest.raises(BridgeError, match=r"versions: 'c' is no AGV; there are a, b"):
        VirtualAgvs(mqtt, Vda5050Config(versions={"c": "3.0.0"}), ("a", "b"), sheet, Inbox())
    with pytest.raises(ValueError, match="one level of a topic"):
        Vda5050Config(manufacturer="a/b")


def test_a_full_inbox_is_told_and_the_action_may_be_sent_again(broker):
    inbox = Inbox(capacity=1)
    assert inbox.put(Command("someone", "pause"))
    sheet = vehicle_sheet(AgvsConfig(count=1))
    config = Vda5050Config(interface_name="full")
    agvs = VirtualAgvs(MqttConfig(host="127.0.0.1", port=broker.port), config, ("agv-01",), sheet, inbox)

    def send(manager):
        topic = f"{manager.base}/instantActions"
        assert manager.mouth.publish(Message(topic, encoded(instant("startPause", "i-1")), 1))

    agvs.start()
    try:
        assert agvs.vehicles["agv-01"].connection.wait_connected(15)
        with Manager(broker.port, interface="full") as manager:
            wait_for(
                lambda: send(manager) or agvs.counts().get("inbox_full", 0) > 1,
                lambda: str(agvs.counts()),
            )
            inbox.drain()
            send(manager)
            got: list[Command] = []
            wait_for(lambda: bool(got.extend(inbox.drain()) or got), lambda: str(agvs.counts()))
            assert got[0].payload["actions"][0]["actionId"] == "i-1"
            assert inbox.refused >= 2
    finally:
        agvs.stop()


def test_a_fleet_under_the_twins_own_control_tells_its_orders_and_refuses_others(broker):
    interface = "own"
    with Manager(broker.port, interface=interface) as manager, Plant(broker.port, interface_name=interface, own=True):
        manager.until(lambda s: s["orderId"] != "" and s["nodeStates"] != [])
        first = manager.state()["orderId"]
        manager.send("order", order(["r0", "r1"]))
        manager.until(lambda s: any("robots.agvs.orders_from: outside" in e["errorDescription"] for e in s["errors"]))
        manager.send("instantActions", instant("cancelOrder", "i-1"))
        manager.until(lambda s: action_status(s, "i-1") == "FINISHED", 30)
        manager.until(lambda s: s["orderId"] not in ("", first) and s["nodeStates"] != [], 30)  # the next one is told as ever
