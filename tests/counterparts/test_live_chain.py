"""The whole chain at a real broker: tags say that somebody walks into a link, and the twin warns whoever listens.

Tag messages go through mosquitto into a live twin; a body crosses the link between a TRP and an arm; the risk goes out over
mosquitto as advice and as the link's own risk, and is withdrawn when the person has gone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import numpy as np
import pytest
from test_mosquitto import run_broker

from bridges.config import MqttConfig
from bridges.mqtt import Message, MqttConnection
from bridges.vda5050.base import stamp
from factory.live import start_bridges
from factory.publish import Publisher
from factory.scenario import load_scenario
from factory.twin import Twin

pytestmark = pytest.mark.counterpart

TRP, ARM = np.array([10.0, 10.0]), np.array([4.4, 14.6])  # m; the arm's antenna is 2 m high
WALK_MPS, FAR_M, STAND_S = 1.0, 3.0, 4.0
# low, weak and turned aside: the link has 5 dB to spare, and a body costs it about 10 dB
LOW = "{name: low, position_m: [10, 10, 0.6], azimuth_deg: 100, downtilt_deg: 0, tx_power_dbm: -10}"
SETTINGS = [
    "name=chain", "seed=1", "live.people_from=tags", "live.max_people=2", "live.mode=advise", "people.count=2", "people.panels=0",
    "robots.agvs.count=1", f"radio.trps=[{LOW}]", "radio.compare=[]", "radio.paths.max_order=0",
    "radio.ue.noise_figure_db=20", "bridges.opcua.enabled=false", "bridges.page.enabled=false",
    "radio.services=[{name: cobot-control, profile: control-to-control, devices: cobot}]", "bridges.tags.enabled=true",
    "bridges.tags.topic=omlox/#", "bridges.mqtt.enabled=true", "bridges.mqtt.host=127.0.0.1",
]  # fmt: skip


class Plant:
    """A location system that says where one person is, who crosses the link and stands in it; and a dashboard that listens."""

    def __init__(self, port: int) -> None:
        config = MqttConfig(host="127.0.0.1", port=port)
        self.tags, self.dashboard = MqttConnection(config, "tags"), MqttConnection(config, "dashboard")
        self.advice: list[dict[str, object]] = []
        self.risk: list[float] = []
        self.heard: list[bytes] = []
        self.dashboard.subscribe("factory-twin/chain/advice", 0, self._advice)
        self.dashboard.subscribe("factory-twin/chain/links/cobot-2", 0, self._link)
        self.dashboard.subscribe("factory-twin/#", 0, lambda m: self.heard.append(m.payload))
        for end in (self.tags, self.dashboard):
            end.start()
            assert end.wait_connected(15)

    def _advice(self, message: Message) -> None:
        self.advice.append(json.loads(message.payload))

    def _link(self, message: Message) -> None:
        self.risk.append(json.loads(message.payload)["risk"])

    def say_place(self, at_s: float) -> None:
        """Say where the person is ``at_s`` seconds after they began to walk."""
        walk_s = FAR_M / WALK_MPS
        crossing_s = 2 * walk_s + STAND_S
        at, back = at_s % crossing_s, int(at_s / crossing_s) % 2
        off_m = WALK_MPS * (min(at - walk_s, 0.0) + max(at - walk_s - STAND_S, 0.0)) * (-1 if back else 1)
        across = np.array([ARM[1] - TRP[1], TRP[0] - ARM[0]]) / np.hypot(*(ARM - TRP))
        x, y = TRP + 0.35 * (ARM - TRP) + off_m * across
        place = {
            "position": {"type": "Point", "coordinates": [x, y]}, "source": "hall", "provider_type": "uwb", "accuracy": 0.1,
            "provider_id": "badge 4711", "timestamp_generated": stamp(time.time()),
        }  # fmt: skip
        self.tags.publish(Message("omlox/jsonrpc/trackable_motions/1", json.dumps(place).encode()))

    def warned(self) -> bool:
        """Whether the newest list of advice holds the risk of the arm."""
        newest = self.advice[-1]["advice"] if self.advice else []
        assert isinstance(newest, list)
        return any((a["kind"], a["target"]) == ("risk", "cobot-2") for a in newest)

    def stop(self) -> None:
        """Disconnect."""
        for end in (self.tags, self.dashboard):
            end.stop()


@pytest.fixture
def plant(mosquitto: str, tmp_path, new_port) -> Iterator[tuple[Plant, int]]:
    port = new_port()
    broker = run_broker(mosquitto, tmp_path, port, "allow_anonymous true")
    plant = Plant(port)
    yield plant, port
    plant.stop()
    broker.terminate()
    broker.wait(10)


def test_a_body_that_walks_into_a_link_is_warned_of_and_the_warning_goes_with_it(plant, tmp_path):
    plant, port = plant
    twin = Twin(load_scenario("small", [*SETTINGS, f"bridges.mqtt.port={port}"]), beside_a_plant=True)
    publisher = Publisher(twin)
    bridges, _ = start_bridges(twin.scenario.bridges, tmp_path / "state", publisher.view(1.0), twin)
    begun = time.monotonic()
    said_s, deadline = -1.0, begun + 240
    story: list[bool] = []  # whether it was warned, each time that changed
    try:
        while story[-3:] != [False, True, False]:  # nobody near, somebody on their way, gone again
            assert time.monotonic() < deadline, (story, plant.advice[-3:], plant.risk[-3:], twin.people.position_m)
            at_s = time.monotonic() - begun
            if at_s - said_s >= 0.2:
                said_s = at_s
                plant.say_place(at_s)
            publisher.watch(twin.tick())
            twin.stops.take()
            if twin.time_us % 100_000 == 0:
                view = publisher.view(1.0)
                for bridge in bridges:
                    bridge.publish(view)
            if plant.advice and (not story or story[-1] != plant.warned()):
                story.append(plant.warned())
            time.sleep(max(0.0, begun + twin.time_us * 1e-6 - time.monotonic()))
        warned = [a for told in plant.advice for a in told["advice"] if (a["kind"], a["target"]) == ("risk", "cobot-2")]
        assert max(a["risk"] for a in warned) >= 0.5
        assert "dB of margin expected in" in warned[0]["reason"]
        assert not any(b"4711" in payload for payload in plant.heard)  # the badge stays at the door
    finally:
        for bridge in reversed(bridges):
            bridge.stop()
        twin.close()
