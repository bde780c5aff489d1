"""The mosquitto configuration that the examples ship: it starts, asks for TLS and names, and keeps everybody to their topics."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import pytest
from test_mosquitto import run_broker

from bridges.config import MqttConfig, MqttTlsConfig
from bridges.credentials import write_private
from bridges.mqtt import Message, MqttConnection
from bridges.opcua.certificate import load_or_make

SHIPPED = Path(__file__).resolve().parents[2] / "examples" / "mosquitto"
USERS = ("twin", "fleet-manager", "dashboard", "tags")

pytestmark = pytest.mark.counterpart


@pytest.fixture
def site(mosquitto, mosquitto_passwd, tmp_path, new_port):
    """Run a broker with the shipped lines and files of this test in place of the plant's; give how to connect as a user."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    own = load_or_make(tmp_path / "tls", "127.0.0.1")
    pem, passwords = tmp_path / "server.crt", tmp_path / "passwords"
    pem.write_bytes(x509.load_der_x509_certificate(own.certificate.read_bytes()).public_bytes(Encoding.PEM))
    for k, user in enumerate(USERS):
        first = ["-c"] if k == 0 else []
        subprocess.run([mosquitto_passwd, "-b", *first, str(passwords), user, f"word of {user}"], check=True, capture_output=True)
        write_private(tmp_path / f"secret-{user}", f"word of {user}".encode())
    files = {"passwords": passwords, "acl": SHIPPED / "acl", "server.crt": pem, "server.key": own.private_key}
    lines = []
    for line in (SHIPPED / "mosquitto.conf").read_text().splitlines():
        if line.startswith("#") or not line or line.startswith(("listener", "persistence")):
            continue  # the test brings its own port, and keeps nothing
        match = re.fullmatch(r"(\S+) /etc/mosquitto/twin/(\S+)", line)
        lines.append(f"{match[1]} {files[match[2]]}" if match else line)
    port = new_port()
    process = run_broker(mosquitto, tmp_path, port, *lines)

    def connect(user: str, topics: str) -> tuple[MqttConnection, list[str]]:
        heard: list[str] = []
        config = MqttConfig(
            host="127.0.0.1", port=port, user=user, password_file=tmp_path / f"secret-{user}", tls=MqttTlsConfig(ca_file=pem)
        )
        connection = MqttConnection(config, user)
        connection.subscribe(topics, 1, lambda m: heard.append(m.topic))
        connection.start()
        assert connection.wait_connected(15), (tmp_path / "mosquitto.log").read_text()
        return connection, heard

    yield connect, port
    process.terminate()
    process.wait(10)


# paho leaves the socket of a failed TLS handshake to the garbage collector
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_everybody_is_kept_to_their_topics(site):
    connect, port = site
    ends = {user: connect(user, "#") for user in USERS}
    wanted = {
        "factory-twin/hall/status": {"twin"},
        "uagv/v2/m/s/order": {"twin", "fleet-manager"},
        "uagv/v2/m/s/state": {"twin"},
        "omlox/place": {"tags"},
    }
    hears = {
        "factory-twin/hall/status": {"twin", "dashboard"},
        "uagv/v2/m/s/order": {"twin", "fleet-manager"},
        "uagv/v2/m/s/state": {"twin", "fleet-manager"},
        "omlox/place": {"twin"},
    }
    try:
        for topic, may in wanted.items():
            for user in USERS:
                before = {u: heard.count(topic) for u, (_, heard) in ends.items()}
                assert ends[user][0].publish(Message(topic, b"x", 1))
                if user not in may:
                    continue
                deadline = time.monotonic() + 10
                while {u for u, (_, heard) in ends.items() if heard.count(topic) > before[u]} != hears[topic]:
                    assert time.monotonic() < deadline, (topic, user)
                    time.sleep(0.01)
        time.sleep(0.3)
        for topic, may in wanted.items():
            for user, (_, heard) in ends.items():
                assert heard.count(topic) == (len(may) if user in hears[topic] else 0), (topic, user)
    finally:
        for connection, _ in ends.values():
            connection.stop()
    nobody = MqttConnection(MqttConfig(host="127.0.0.1", port=port), "nobody")
    nobody.start()
    assert not nobody.wait_connected(1.0)  # no plain TCP
    nobody.stop()
