"""mosquitto and the connection manager: MQTT 5, sessions that outlive a connection, a killed broker, one identity twice."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest
from cut_line import Line
from test_mosquitto import run_broker

from bridges.config import MqttConfig
from bridges.mqtt import Message, MqttConnection

pytestmark = pytest.mark.counterpart


def until(condition: Callable[[], bool], what: str, timeout_s: float = 15.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s:.0f} s: {what}"
        time.sleep(0.01)


@pytest.fixture
def broker(mosquitto, tmp_path, new_port):
    port = new_port()
    process = run_broker(mosquitto, tmp_path, port, "allow_anonymous true")
    yield port
    process.terminate()
    process.wait(10)


def config_for(port: int, **options) -> MqttConfig:
    return MqttConfig(host="127.0.0.1", port=port, reconnect_min_s=0.05, reconnect_max_s=0.3, **options)


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_a_session_keeps_what_comes_while_the_client_is_away(broker, protocol):
    line = Line(broker)
    heard: list[int] = []
    ear = MqttConnection(config_for(line.port, protocol=protocol, session_expiry_s=60), "ear", client_id="ear")
    ear.subscribe("plant/orders", 1, lambda m: heard.append(int(m.payload)))
    mouth = MqttConnection(config_for(broker, protocol=protocol), "mouth")
    ear.start()
    mouth.start()
    try:
        assert ear.wait_connected(15)
        assert mouth.wait_connected(15)
        until(lambda: mouth.publish(Message("plant/orders", b"0", 1)) and bool(heard), "subscribed")
        line.cut()
        until(lambda: not ear.connected, "the cut is seen")
        for number in range(1000, 1050):
            assert mouth.publish(Message("plant/orders", str(number).encode(), 1))
        line.mend()
        until(lambda: set(heard) >= set(range(1000, 1050)), "what came while away")
        kept = [n for n in heard if n >= 1000]
        assert sorted(set(kept)) == list(range(1000, 1050))
    finally:
        ear.stop()
        mouth.stop()
        line.close()


def test_a_broker_killed_and_restarted_is_found_within_two_seconds(mosquitto, tmp_path, new_port):
    port = new_port()
    process = run_broker(mosquitto, tmp_path, port, "allow_anonymous true")
    connection = MqttConnection(config_for(port), "the twin")
    connection.start()
    try:
        for _ in range(3):
            assert connection.wait_connected(15)
            process.send_signal(signal.SIGKILL)
            process.wait(10)
            until(lambda: not connection.connected, "the end is seen")
            time.sleep(0.5)
            process = run_broker(mosquitto, tmp_path, port, "allow_anonymous true")
            begin = time.monotonic()
            assert connection.wait_connected(15)
            assert time.monotonic() - begin < 2.0
    finally:
        connection.stop()
        process.kill()
        process.wait(10)


def test_two_clients_on_one_identity_are_told_and_back_off(broker, caplog):
    """A broker ends the older connection of an id (MQTT 3.1.1, 3.1.4-2): two twins on one identity end each other."""
    config = MqttConfig(host="127.0.0.1", port=broker, reconnect_min_s=0.05, reconnect_max_s=0.3)
    twins = [MqttConnection(config, f"twin {k}", client_id="same") for k in range(2)]
    for twin in twins:
        twin.start()
    try:
        until(lambda: "does another client use the id 'same'" in caplog.text, "the hint", 20)
        connections = sum(t.connections for t in twins)
        time.sleep(1.0)
        assert sum(t.connections for t in twins) - connections < 40  # no storm
    finally:
        for twin in twins:
            twin.stop()
