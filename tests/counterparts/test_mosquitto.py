"""mosquitto, the broker that plants run, takes the twin's telemetry and speaks its last will."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from demo_view import demo_view
from mqtt_listener import Listener

from bridges.config import MqttConfig, MqttTlsConfig
from bridges.credentials import write_private
from bridges.mqtt import MqttPublisher
from bridges.opcua.certificate import load_or_make

HERE = Path(__file__).parent

pytestmark = pytest.mark.counterpart

BASE = "factory-twin/assembly-hall"


def run_broker(mosquitto: str, folder, port: int, *lines: str) -> subprocess.Popen:
    config = folder / "mosquitto.conf"
    config.write_text("\n".join([f"listener {port} 127.0.0.1", "persistence false", "user root", *lines]) + "\n")
    with (folder / "mosquitto.log").open("ab") as log:
        process = subprocess.Popen([mosquitto, "-c", str(config)], stdout=log, stderr=log)
    deadline = time.monotonic() + 15
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process
        assert process.poll() is None, (folder / "mosquitto.log").read_text()
        assert time.monotonic() < deadline, "mosquitto did not listen within 15 s"
        time.sleep(0.02)


@pytest.fixture
def broker(mosquitto, tmp_path, new_port):
    port = new_port()
    process = run_broker(mosquitto, tmp_path, port, "allow_anonymous true")
    yield port
    process.terminate()
    process.wait(10)


def test_mosquitto_sub_prints_the_telemetry(broker, mosquitto_sub, tmp_path):
    publisher = MqttPublisher(MqttConfig(host="127.0.0.1", port=broker), tmp_path, "assembly-hall")
    command = [mosquitto_sub, "-h", "127.0.0.1", "-p", str(broker), "-t", f"{BASE}/links/+", "-C", "19", "-W", "20", "-v"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as ear:
        publisher.start()
        try:
            assert publisher.wait_connected(15)
            view = demo_view(1_000_000)
            while ear.poll() is None:
                publisher.publish(view)
                time.sleep(0.05)
        finally:
            publisher.stop()
        assert ear.stdout is not None
        heard = dict(line.split(" ", 1) for line in ear.stdout.read().splitlines())
    assert ear.returncode == 0
    assert set(heard) == {f"{BASE}/links/{k.device}" for k in demo_view(0).links}
    assert json.loads(heard[f"{BASE}/links/agv-02"])["blocked_by"] == "person"


def test_the_last_will_is_heard_after_kill_9(broker, tmp_path):
    with Listener(broker, f"{BASE}/#") as ear:
        twin = subprocess.Popen([sys.executable, str(HERE / "telemetry_process.py"), str(broker), str(tmp_path)])
        try:
            ear.wait(lambda e: e.on(f"{BASE}/machines/agv-01") and e.last(f"{BASE}/status").get("running"), "the running twin")
            os.kill(twin.pid, signal.SIGKILL)
        finally:
            twin.kill()
            twin.wait()
        ear.wait(lambda e: e.last(f"{BASE}/status") == {"state": "lost"}, "the last will", 10)
    with Listener(broker, f"{BASE}/status") as late:
        late.wait(lambda e: bool(e.messages), "the retained last will")
        assert late.messages[0] == (f"{BASE}/status", {"state": "lost"}, True)


def test_a_new_twin_is_online_again_and_a_clean_end_has_no_last_will(broker, tmp_path):
    with Listener(broker, f"{BASE}/status") as ear:
        publisher = MqttPublisher(MqttConfig(host="127.0.0.1", port=broker), tmp_path, "assembly-hall")
        publisher.start()
        ear.wait(lambda e: e.last(f"{BASE}/status").get("state") == "online", "online")
        publisher.stop()
        ear.wait(lambda e: e.last(f"{BASE}/status") == {"state": "offline"}, "offline")
        time.sleep(0.5)
        assert {"state": "lost"} not in ear.on(f"{BASE}/status")


# paho leaves the socket of a failed TLS handshake to the garbage collector
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_user_password_and_tls(mosquitto, mosquitto_passwd, tmp_path, new_port):
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    own = load_or_make(tmp_path / "tls", "127.0.0.1")
    pem = tmp_path / "broker.pem"
    pem.write_bytes(x509.load_der_x509_certificate(own.certificate.read_bytes()).public_bytes(Encoding.PEM))
    passwords = tmp_path / "passwords"
    subprocess.run([mosquitto_passwd, "-b", "-c", str(passwords), "twin", "cell 3"], check=True, capture_output=True)
    port = new_port()
    lines = (f"certfile {pem}", f"keyfile {own.private_key}", "allow_anonymous false", f"password_file {passwords}")
    broker = run_broker(mosquitto, tmp_path, port, *lines)
    secret, wrong = tmp_path / "secret", tmp_path / "wrong"
    write_private(secret, b"cell 3")
    write_private(wrong, b"cell 4")
    try:
        for file, expected in ((wrong, False), (secret, True)):
            config = MqttConfig(host="127.0.0.1", port=port, user="twin", password_file=file, tls=MqttTlsConfig(ca_file=pem))
            publisher = MqttPublisher(config, tmp_path, "secured")
            publisher.start()
            assert publisher.wait_connected(10 if expected else 1.5) is expected
            publisher.stop()
        # a broker that the certificates do not vouch for gets nothing
        publisher = MqttPublisher(MqttConfig(host="127.0.0.1", port=port, tls=MqttTlsConfig()), tmp_path, "secured")
        publisher.start()
        assert not publisher.wait_connected(1.5)
        publisher.stop()
    finally:
        broker.terminate()
        broker.wait(10)
