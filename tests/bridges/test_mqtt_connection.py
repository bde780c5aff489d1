"""The connection manager: what it takes it delivers, it comes back by itself, and nothing that fails ends it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

import pytest
from cut_line import Line
from hypothesis import given, settings
from hypothesis import strategies as st
from mqtt_listener import Listener

from bridges.broker import EmbeddedBroker
from bridges.config import MqttConfig
from bridges.errors import BridgeError
from bridges.mqtt import Message, MqttConnection, level


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = EmbeddedBroker(port, tmp_path_factory.mktemp("broker") / "broker.log")
    running.start()
    yield running
    running.stop()


@pytest.fixture
def line(broker):
    line = Line(broker.port)
    yield line
    line.close()


def until(condition: Callable[[], bool], what: str, timeout_s: float = 15.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s:.0f} s: {what}"
        time.sleep(0.01)


def config_for(port: int, **options) -> MqttConfig:
    return MqttConfig(host="127.0.0.1", port=port, reconnect_min_s=0.05, reconnect_max_s=0.3, **options)


def test_what_was_taken_arrives_although_the_line_breaks(broker, line):
    connection = MqttConnection(config_for(line.port), "the twin")
    connection.start()
    try:
        assert connection.wait_connected(15)
        with Listener(broker.port, "plant/numbers") as ear:
            taken = []
            for number in range(300):
                if number % 60 == 30:
                    line.cut()
                if number % 60 == 59:
                    line.mend()
                    until(lambda: connection.connected, "connected again")
                if connection.publish(Message("plant/numbers", str(number).encode(), qos=1)):
                    taken.append(number)
                time.sleep(0.002)
            assert taken == list(range(300))
            ear.wait(lambda e: set(e.on("plant/numbers")) >= set(taken), "every message that was taken", 30)
        assert connection.connections == 6
        assert connection.counters.dropped_full == 0
    finally:
        connection.stop()


def test_subscriptions_last_will_and_birth_come_back_with_the_connection(broker, line):
    heard: list[bytes] = []
    will, birth = Message("plant/a", b'"gone"', 1, True), Message("plant/a", b'"here"', 1, True)
    connection = MqttConnection(config_for(line.port), "the twin", will=will, birth=lambda: [birth])
    connection.subscribe("plant/orders/+", 1, lambda m: heard.append(m.payload))
    other = MqttConnection(config_for(broker.port), "other")
    other.start()
    connection.start()
    try:
        assert connection.wait_connected(15)
        assert other.wait_connected(15)
        with Listener(broker.port, "plant/a") as ear:
            for k in range(3):
                until(lambda: connection.connected, "connected")
                other.publish(Message("plant/orders/1", f"{k}".encode(), 1))
                until(lambda k=k: f"{k}".encode() in heard, f"message {k}")
                line.cut()
                until(lambda: not connection.connected, "the cut is seen")
                ear.wait(lambda e, k=k: e.on("plant/a").count("gone") > k, "last will")
                line.mend()
                begin = time.monotonic()
                until(lambda: connection.connected, "connected again")
                assert time.monotonic() - begin < 2.0
            ear.wait(lambda e: e.last("plant/a") == "here", "birth after the last connection")
    finally:
        connection.stop()
        other.stop()


def test_what_waits_is_bounded_while_the_broker_is_away(free_port):
    connection = MqttConnection(config_for(free_port, max_pending=100), "the twin")
    connection.start()
    try:
        assert not any(connection.publish(Message("a", b"now", 0)) for _ in range(50))
        taken = sum(connection.publish(Message("a", b"kept", 1)) for _ in range(500))
        counters = connection.counters
        assert 100 <= taken <= 121  # paho lets 20 more be in flight
        assert (counters.dropped_offline, counters.dropped_full) == (50, 500 - taken)
    finally:
        connection.stop()


def test_a_handler_that_fails_is_counted_and_the_next_message_is_handled(broker, caplog):
    heard: list[bytes] = []

    def fragile(message: Message) -> None:
        if message.payload == b"bad":
            raise ValueError("no")
        heard.append(message.payload)

    connection = MqttConnection(config_for(broker.port), "the twin")
    connection.subscribe("plant/f", 1, fragile)
    connection.start()
    try:
        assert connection.wait_connected(15)
        until(lambda: bool(connection.publish(Message("plant/f", b"good", 1))) and len(heard) > 0, "subscribed")
        connection.publish(Message("plant/f", b"bad", 1))
        connection.publish(Message("plant/f", b"last", 1))
        until(lambda: b"last" in heard, "the message behind the bad one")
        assert connection.counters.handler_errors == 1
        assert "plant/f" in caplog.text
    finally:
        connection.stop()


def test_tries_come_later_and_later_and_spread(free_port, monkeypatch):
    config = MqttConfig(host="127.0.0.1", port=free_port, reconnect_min_s=0.1, reconnect_max_s=0.8)
    connection = MqttConnection(config, "the twin")
    waits: list[float] = []

    class Recorder:
        def reconnect_delay_set(self, shortest, longest):
            assert shortest == longest
            waits.append(shortest)

    for _ in range(200):
        connection._back_off(Recorder())
    limits = [min(0.8, 0.1 * 2.0**k) for k in range(200)]
    assert all(limit / 2 <= wait <= limit for wait, limit in zip(waits, limits, strict=True))
    assert len(set(waits)) > 190
    assert connection._tries == 200


def test_stop_and_publish_are_harmless_where_nothing_runs(free_port):
    connection = MqttConnection(config_for(free_port), "the twin")
    assert not connection.publish(Message("a", b"", 1))
    connection.stop()
    connection.start()
    with pytest.raises(BridgeError, match="started already"):
        connection.start()
    with pytest.raises(BridgeError, match="'late' was subscribed to after the start"):
        connection.subscribe("late", 0, lambda m: None)
    connection.stop()
    assert threading.active_count() < 50


@settings(deadline=None, derandomize=True)
@given(st.text())
def test_a_name_is_one_level_whatever_it_holds(name):
    safe = level(name)
    assert safe
    assert len(safe) <= 256
    assert not set(safe) & set("/+#\0")
    assert not safe.startswith("$")
