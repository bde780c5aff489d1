"""From a tag's message at a broker to the person in the twin, and from a risk to the advice at the broker."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

import numpy as np

from bridges.broker import EmbeddedBroker
from bridges.config import MqttConfig
from bridges.mqtt import Message, MqttConnection
from bridges.vda5050.base import stamp
from factory.live import start_bridges
from factory.publish import build_view
from factory.scenario import load_scenario
from factory.twin import Twin

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "live" / "plant.yaml"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_the_example_is_a_scenario_that_may_act():
    live = load_scenario(str(EXAMPLE)).scenario.live
    assert (live.people_from, live.agvs_from, live.mode, live.may) == ("tags", "vda5050", "act", ("agv_pause",))


def test_tags_at_the_broker_become_people_and_advice_goes_out(tmp_path):
    port = free_port()
    broker = EmbeddedBroker(port, tmp_path / "broker.log", None, None)
    broker.start()
    twin = Twin(load_scenario(str(EXAMPLE), [f"bridges.mqtt.port={port}", "bridges.mqtt.host=127.0.0.1"]), beside_a_plant=True)
    running, notices = start_bridges(twin.scenario.bridges, tmp_path, build_view(twin, 1.0), twin)
    heard = {}
    plant = MqttConnection(MqttConfig(host="127.0.0.1", port=port), "plant")
    plant.subscribe("factory-twin/plant/#", 0, lambda m: heard.__setitem__(m.topic.split("/", 2)[2], m.payload))
    plant.start()
    try:
        assert plant.wait_connected(10.0)
        assert any("12 at most" in n for n in notices)
        assert any("act, and may agv_pause" in n for n in notices)
        began = time.monotonic()
        told = -1.0
        while time.monotonic() - began < 150.0:  # a few seconds on a machine that is not busy
            at = time.monotonic() - began
            if at - told > 0.2:
                told = at
                tag = {
                    "position": {"type": "Point", "coordinates": [8.0 + 0.3 * at, 10.0]}, "source": "z", "provider_type": "uwb",
                    "provider_id": "tag-anna", "timestamp_generated": stamp(time.time()), "accuracy": 0.1,
                }  # fmt: skip
                plant.publish(Message("omlox/jsonrpc/trackable_motions/z", json.dumps(tag).encode()))
            twin.tick()
            if twin.time_us % 100_000 == 0:
                for bridge in running:
                    bridge.publish(build_view(twin, 1.0))
                if twin.people.present.any() and {"advice", "assets/people", "assets/agv-01"} <= set(heard):
                    people = json.loads(heard["assets/people"])
                    if people["known"] == 1:
                        break
            time.sleep(max(0.0, began + twin.time_us * 1e-6 - time.monotonic()))
        i = np.flatnonzero(twin.people.present)
        assert len(i) == 1
        assert abs(twin.people.position_m[i[0], 1] - 10.0) < 0.3
        assert people["age_s"] < 2.0
        assert json.loads(heard["assets/agv-01"])["fresh"] is False  # no real AGV speaks here
        assert json.loads(heard["advice"])["advice"] == []
        assert "anna" not in " ".join(str(payload) for payload in heard.values())
    finally:
        for bridge in reversed(running):
            bridge.stop()
        plant.stop()
        broker.stop()
        twin.close()
