"""The parties of a drill, each in a process of its own that may be killed at any moment; see ``drills.py``.

What each of them sees it writes, line by line, to a file of its own, for nobody's memory outlives ``kill -9``.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from vda_plant import DT_US, ring

from bridges.config import BridgesConfig, MqttConfig, OpcUaConfig
from bridges.errors import BridgeError
from bridges.inbox import Inbox
from bridges.vda5050.config import RealAgvConfig, Vda5050Config
from bridges.vda5050.fleet_manager import FleetManager
from factory.fleet_bridge import start_vda5050
from robots.config import RobotsConfig
from robots.fleet import Fleet
from robots.order_messages import write_order
from robots.orders import Action, Order, order_of
from robots.state import MODES

SERIAL = "agv-01"
NOBODY = (np.zeros((0, 2)), np.zeros(0, bool))
_SILENCE_EVERY_US, _SILENCE_US = 6_000_000, 300_000  # the radio fails so often for so long: protective stops during drills


def order_number(k: int) -> Order:
    """Give the k-th order: half a round, with a pick on the even ones and a drop on the odd ones."""
    names = [f"r{(3 * k + j) % 6}" for j in range(4)]
    action = Action(f"act-{k}", "drop" if k % 2 else "pick")
    return order_of(f"drill-{k}", 0, names, 4, actions={2: (action,)})


def new_fleet() -> Fleet:
    """Build the plant of the drills: one AGV on a ring."""
    agvs = {"count": 1, "orders_from": "outside", "load_time_s": 2.0, "unload_time_s": 2.0, "restart_delay_s": 0.5}
    return Fleet(RobotsConfig.model_validate({"agvs": agvs, "routes": ring()}), np.random.default_rng(0))


class Diary:
    """A file to which lines of JSON are added, each with its time, whole or not at all."""

    def __init__(self, folder: Path, name: str) -> None:
        self._file = os.open(folder / f"{name}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(self, what: str, **more: Any) -> None:
        os.write(self._file, json.dumps({"t": time.time(), "what": what, **more}).encode() + b"\n")


def twin(folder: Path, port: int, opcua_port: int, speed: float) -> None:
    """Drive the AGV and let it speak; its orders are kept in the state folder. ``opcua_port`` 0: without OPC UA."""
    diary, fleet, inbox = Diary(folder, "twin"), new_fleet(), Inbox()
    mqtt = MqttConfig(host="127.0.0.1", port=port, reconnect_min_s=0.05, reconnect_max_s=0.5)
    vda = Vda5050Config(enabled=True, min_state_interval_s=0.0, visualization_interval_s=0.5)
    while True:
        try:
            started = start_vda5050(BridgesConfig(mqtt=mqtt, vda5050=vda), fleet, (SERIAL,), inbox, folder / "state")
            break
        except BridgeError:  # the one before is dying still
            time.sleep(0.02)
    assert started is not None
    bridge, agvs = started
    diary.write("begin", notice=bridge.notice)
    server = _serve(folder, opcua_port) if opcua_port else None
    connection, connections = agvs.vehicles[SERIAL].connection, 0
    time_us, age, told, trips = 0, np.zeros(1, np.int64), {}, 0
    while True:
        for command in inbox.drain():
            bridge.carry_out(command)
        time_us += DT_US
        age[0] = 200_000 if time_us % _SILENCE_EVERY_US < _SILENCE_US else 0
        fleet.step(time_us, DT_US, age, *NOBODY)
        agvs.publish_fleet(bridge.view())
        now = {"order": fleet.order(0).order_id, **{s.action.action_id: s.status for s in fleet.action_states(0)}}
        if now != told:
            diary.write("order", **now)
            told = now
        if fleet.watchdog.trips != trips:
            trips = fleet.watchdog.trips
            diary.write("stop", mode=MODES[fleet.state().mode[0]])
        if connection.connections != connections:
            connections = connection.connections
            diary.write("connected")
        if server is not None:
            server(time_us)
        time.sleep(DT_US * 1e-6 / speed)


def _serve(folder: Path, port: int) -> Any:
    """Start the OPC UA server in a thread, so that orders need not wait for it; returns what takes the time of a view."""
    from demo_view import demo_view

    from bridges.opcua.server import OpcUaServer

    server, ready = OpcUaServer(OpcUaConfig(port=port, insecure=True, history_days=0), folder / "state"), threading.Event()

    def start() -> None:
        server.start(demo_view(0, agvs=1, cobots=0, panels=1, sinr_db=12.0))
        ready.set()

    def publish(time_us: int) -> None:
        if ready.is_set() and time_us % 1_000_000 == 0:
            server.publish(demo_view(time_us, agvs=1, cobots=0, panels=1, sinr_db=12.0))

    threading.Thread(target=start, daemon=True).start()
    return publish


def manager(folder: Path, port: int) -> None:
    """Give the order whose number lies in ``wanted``, again until the AGV's state shows it, and note when it is carried out."""
    diary = Diary(folder, "manager")
    real = RealAgvConfig(manufacturer="factory-twin", serial_number=SERIAL, twin=SERIAL)
    mqtt = MqttConfig(host="127.0.0.1", port=port, reconnect_min_s=0.05, reconnect_max_s=0.5)
    fleet_manager = FleetManager(mqtt, Vda5050Config(real=(real,), may_send=("order", "instantActions")))
    fleet_manager.start()
    begun_s, known_s, sent_s, connections, done = time.time(), 0.0, 0.0, 0, -1
    while True:
        if fleet_manager.connection.connections != connections:
            connections = fleet_manager.connection.connections
            diary.write("connected")
        seen = fleet_manager.observe()
        measured_s = float(seen.measured_s[0])
        if measured_s > max(known_s, begun_s):
            if measured_s - known_s > 0.05:
                diary.write("known", measured_s=measured_s)
            known_s = measured_s
        k = int((folder / "wanted").read_text() or -1)
        order = order_number(k)
        goal, now_s = order.nodes[-1].node_id, time.time()
        if k > done and seen.online[0] and measured_s > begun_s:
            if seen.order_id[0] != order.order_id and now_s - sent_s > 0.5:
                sent_s = now_s
                fleet_manager.send_order(SERIAL, write_order(order, "2.1.0"))
            elif seen.order_id[0] == order.order_id and seen.last_node[0] == goal and not seen.driving[0]:
                done = k
                diary.write("done", k=k)
        time.sleep(0.02)


def observer(folder: Path, port: int) -> None:
    """Write down every state that the AGV tells."""
    diary = Diary(folder, "observer")

    def take(client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
        state = json.loads(message.payload)
        diary.write(
            "state",
            order=state["orderId"],
            at=state["lastNodeSequenceId"],
            left=sum(n["released"] for n in state["nodeStates"]),
            actions={a["actionId"]: a["actionStatus"] for a in state["actionStates"] if a["actionId"].startswith("act-")},
            driving=state["driving"],
            why=[i["infoDescription"] for i in state["information"]],
            errors=[e["errorType"] for e in state["errors"]],
        )

    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.on_connect = lambda c, *_: c.subscribe(f"uagv/v2/factory-twin/{SERIAL}/state", 0)
    client.on_message = take
    client.reconnect_delay_set(1, 1)
    client.connect_async("127.0.0.1", port)
    client.loop_forever(retry_first_connection=True)


def reader(folder: Path, port: int) -> None:
    """Read a value of the twin's OPC UA server ten times a second, and connect anew when that fails."""
    from asyncua import Client, ua

    from bridges.opcua.nodes import NAMESPACE_URI

    diary = Diary(folder, "reader")
    logging.getLogger("asyncua").setLevel(logging.ERROR)

    async def follow() -> None:
        async with Client(f"opc.tcp://127.0.0.1:{port}/factory-twin", timeout=5) as client:
            index = await client.get_namespace_index(NAMESPACE_URI)
            node = client.get_node(ua.NodeId("Links/agv-01/SinrDownlink", index))
            diary.write("connected")
            last_s = 0.0
            while True:
                await node.read_value()
                if time.time() - last_s > 1.0:
                    last_s = time.time()
                    diary.write("read")
                await asyncio.sleep(0.1)

    while True:
        try:
            asyncio.run(follow())
        except (OSError, TimeoutError, ua.UaError, ConnectionError, asyncio.CancelledError):
            time.sleep(0.2)
