"""MQTT: topics, last words, the embedded broker, and that nothing holds the tick up."""

from __future__ import annotations

import dataclasses
import math
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time

import pytest
from demo_view import demo_view
from mqtt_listener import Listener

from bridges.broker import EmbeddedBroker
from bridges.config import MqttConfig, MqttTlsConfig
from bridges.credentials import write_private
from bridges.errors import BridgeError, BrokerStartError, CredentialsError, PortInUseError
from bridges.mqtt import MqttPublisher

BASE = "factory-twin/assembly-hall"


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = EmbeddedBroker(port, tmp_path_factory.mktemp("broker") / "broker.log")
    running.start()
    yield running
    running.stop()


def publisher_for(broker: EmbeddedBroker, tmp_path, name: str, **options) -> MqttPublisher:
    return MqttPublisher(MqttConfig(host="127.0.0.1", port=broker.port, **options), tmp_path, name)


def is_served(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_embedded_broker_comes_with_the_publisher(tmp_path, free_port):
    publisher = MqttPublisher(MqttConfig(port=free_port), tmp_path, "assembly-hall")
    publisher.start()
    try:
        assert publisher.wait_connected(15)
        with Listener(free_port) as ear:
            publisher.publish(demo_view(1_000_000))
            expected = 1 + 16 + 19 + 2 + 1 + 2 + 1 + 2  # the last two: calibration and qos
            ear.wait(lambda e: len({topic for topic, _, _ in e.messages}) >= expected, "every topic")
            topics = {topic for topic, _, _ in ear.messages}
            assert {
                f"{BASE}/{t}" for t in ("status", "machines/agv-01", "links/panel-3", "services/agv-control", "zones")
            } <= topics
            assert len(topics) == expected
            link = ear.on(f"{BASE}/links/agv-02")[0]
            assert link["time_us"] == 1_000_000
            assert (link["trp"], link["beam"], link["blocked_by"]) == ("aisle-west", 11, "person")
            assert ear.on(f"{BASE}/links/panel-3")[0]["sinr_dl_db"] is None
            assert ear.on(f"{BASE}/zones")[0]["zones"][0] == {"name": "assembly", "people": 5}
            publisher.stop()
            ear.wait(lambda e: e.last(f"{BASE}/status") == {"state": "offline"}, "offline")
    finally:
        publisher.stop()
    assert not is_served(free_port)  # the broker went with it


def test_the_status_is_retained_and_says_offline_after_a_clean_end(broker, tmp_path):
    publisher = publisher_for(broker, tmp_path, "clean")
    publisher.start()
    assert publisher.wait_connected(15)
    publisher.publish(demo_view(5))
    with Listener(broker.port, "factory-twin/clean/status") as ear:
        ear.wait(lambda e: [s for s in e.on("factory-twin/clean/status") if s.get("running")], "online with its state")
        publisher.stop()
        ear.wait(lambda e: e.last("factory-twin/clean/status") == {"state": "offline"}, "offline")
    with Listener(broker.port, "factory-twin/clean/#") as late:
        late.wait(lambda e: bool(e.messages), "the retained status")
        time.sleep(0.2)
        # amqtt may send a retained message twice to a new subscriber; nothing else is retained
        assert all(m == ("factory-twin/clean/status", {"state": "offline"}, True) for m in late.messages)


def test_a_pause_is_told_at_once(broker, tmp_path):
    publisher = publisher_for(broker, tmp_path, "pause")
    publisher.start()
    try:
        assert publisher.wait_connected(15)
        with Listener(broker.port, "factory-twin/pause/status") as ear:
            publisher.publish(demo_view(1))
            ear.wait(lambda e: e.last("factory-twin/pause/status").get("running") is True, "running")
            publisher.publish(dataclasses.replace(demo_view(2), running=False, real_time_factor=math.nan))
            ear.wait(lambda e: e.last("factory-twin/pause/status").get("running") is False, "paused", 0.9)
            assert ear.last("factory-twin/pause/status")["real_time_factor"] is None
    finally:
        publisher.stop()


def test_what_does_not_change_is_sent_again_once_a_second_only(broker, tmp_path):
    publisher = publisher_for(broker, tmp_path, "still")
    publisher.start()
    try:
        assert publisher.wait_connected(15)
        with Listener(broker.port, "factory-twin/still/#") as ear:
            begin = time.monotonic()
            for i in range(20):
                publisher.publish(demo_view(i * 100_000))
                time.sleep(0.1)
            elapsed_s = time.monotonic() - begin
            ear.wait(lambda e: len(e.on("factory-twin/still/machines/agv-01")) >= 15, "the moving machine")
            still = len(ear.on("factory-twin/still/services/agv-control"))
            assert 1 <= still <= elapsed_s + 2
    finally:
        publisher.stop()


def test_it_connects_when_the_broker_comes_and_comes_back(tmp_path, free_port):
    publisher = MqttPublisher(MqttConfig(host="127.0.0.1", port=free_port), tmp_path, "patient")
    publisher.start()
    broker = EmbeddedBroker(free_port, tmp_path / "broker.log")
    try:
        publisher.publish(demo_view(0))  # nobody there: kept out of the way, no error
        time.sleep(0.3)
        assert not publisher.connected
        for _ in range(2):
            broker.start()
            assert publisher.wait_connected(30)
            with Listener(free_port, "factory-twin/patient/#") as ear:
                publisher.publish(demo_view(1))
                ear.wait(lambda e: e.on("factory-twin/patient/services/agv-control"), "all parts after a new connection")
            broker.stop()
            deadline = time.monotonic() + 10
            while publisher.connected:
                assert time.monotonic() < deadline
                time.sleep(0.01)
    finally:
        publisher.stop()
        broker.stop()


def test_a_user_needs_the_password(tmp_path, free_port):
    secret = tmp_path / "secret"
    write_private(secret, b"cell 3\n")
    publisher = MqttPublisher(MqttConfig(port=free_port, user="twin", password_file=secret), tmp_path, "guarded")
    publisher.start()
    try:
        assert publisher.wait_connected(15)
        with Listener(free_port, user="twin", password="wrong") as ear:
            assert "authorized" in ear.refusal.lower() or "bad user" in ear.refusal.lower()
        with Listener(free_port) as ear:
            assert ear.refusal
        with Listener(free_port, user="twin", password="cell 3") as ear:
            assert not ear.refusal
            publisher.publish(demo_view(1))
            ear.wait(lambda e: e.on("factory-twin/guarded/zones"), "zones")
        assert b"cell 3" not in (tmp_path / "mqtt" / "broker.log").read_bytes()
    finally:
        publisher.stop()


def test_the_broker_ends_with_its_parent_however_that_ends(tmp_path, free_port):
    code = (
        "import sys, time, pathlib\nfrom bridges.broker import EmbeddedBroker\n"
        f"b = EmbeddedBroker({free_port}, pathlib.Path({str(tmp_path / 'broker.log')!r}))\nb.start()\n"
        "print(b.pid, flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    deadline = time.monotonic() + 10
    while is_served(free_port):
        assert time.monotonic() < deadline, f"the broker, process {child}, outlived its parent"
        time.sleep(0.05)


def test_a_port_in_use_is_told_with_the_key_to_change(tmp_path, broker):
    publisher = MqttPublisher(MqttConfig(port=broker.port), tmp_path, "second")
    with pytest.raises(PortInUseError, match=rf"port {broker.port} on 127.0.0.1 is in use .* bridges.mqtt.port"):
        publisher.start()
    publisher.stop()


def test_a_broker_that_ends_while_starting_is_told_with_its_log(tmp_path, free_port, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    broker = EmbeddedBroker(free_port, tmp_path / "broker.log")
    with pytest.raises(BrokerStartError, match=r"ended while starting; it says why in .*broker.log"):
        broker.start()
    assert broker.pid is None


def test_a_user_without_a_password_is_told(tmp_path, monkeypatch):
    config = MqttConfig(host="127.0.0.1", user="twin")
    with pytest.raises(CredentialsError, match="FACTORY_TWIN_MQTT_PASSWORD"):
        MqttPublisher(config, tmp_path, "x").start()


def test_a_certificate_that_is_missing_is_told(tmp_path):
    config = MqttConfig(host="127.0.0.1", tls=MqttTlsConfig(ca_file=tmp_path / "none.pem"))
    with pytest.raises(BridgeError, match=r"bridges.mqtt.tls: cannot use .*none.pem"):
        MqttPublisher(config, tmp_path, "x").start()


def test_names_cannot_break_out_of_their_topic(broker, tmp_path):
    publisher = publisher_for(broker, tmp_path, "a/b+#")
    publisher.start()
    try:
        assert publisher.wait_connected(15)
        with Listener(broker.port, "factory-twin/a_b__/#") as ear:
            view = demo_view(1)
            odd = dataclasses.replace(view.machines[0], id="x/../+")
            publisher.publish(dataclasses.replace(view, machines=(odd,)))
            ear.wait(lambda e: e.on("factory-twin/a_b__/machines/x_..__"), "the machine under a safe name")
    finally:
        publisher.stop()


def test_a_broker_that_does_not_read_costs_no_memory(tmp_path):
    """A socket that accepts, answers CONNECT and then reads nothing: whole views are dropped, none pile up."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        ended = threading.Event()

        def accept() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(200)
                connection.sendall(b"\x20\x02\x00\x00")  # CONNACK, accepted (MQTT 3.1.1 section 3.2)
                ended.wait(60)

        deaf = threading.Thread(target=accept, daemon=True)
        deaf.start()
        config = MqttConfig(host="127.0.0.1", port=listener.getsockname()[1], max_pending=100)
        publisher = MqttPublisher(config, tmp_path, "deaf")
        publisher.start()
        try:
            assert publisher.wait_connected(15)
            deadline = time.monotonic() + 30
            i = 0
            while publisher.views_dropped < 3:
                assert time.monotonic() < deadline, "no view was dropped although nobody reads"
                publisher.publish(demo_view(i * 100_000, agvs=200))
                i += 1
                time.sleep(0.01)
            assert publisher.connection.pending() <= 100
        finally:
            ended.set()
            deaf.join()
            publisher.stop()


def test_publish_returns_at_once(broker, tmp_path):
    publisher = publisher_for(broker, tmp_path, "quick")
    publisher.start()
    try:
        assert publisher.wait_connected(15)
        times_us = []
        for i in range(100):
            view = demo_view(i * 100_000)
            begin = time.perf_counter_ns()
            publisher.publish(view)
            times_us.append((time.perf_counter_ns() - begin) / 1000)
            time.sleep(0.002)
        assert statistics.median(times_us) < 100, f"median {statistics.median(times_us):.0f} us"
    finally:
        publisher.stop()
