"""The mosquitto configuration that the examples ship: it starts, asks for TLS and names, and keeps everybody to their topics."""

from __future__ import annotations

import json
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
from bridges.tag_listener import TagListener
from bridges.tags import TagsConfig
from bridges.vda5050.base import stamp

SHIPPED = Path(__file__).resolve().parents[2] / "examples" / "mosquitto"
STRANGER = "stranger"  # has a password, and is not named in the ACL
USERS = ("twin", "fleet-manager", "dashboard", "tags", "radio", "radio-engineer", "gateway", "x-1", STRANGER)

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

    def config_of(user: str | None, secret: Path | None) -> MqttConfig:
        return MqttConfig(host="127.0.0.1", port=port, user=user, password_file=secret, tls=MqttTlsConfig(ca_file=pem))

    def connect(user: str, topics: str) -> tuple[MqttConnection, list[str]]:
        heard: list[str] = []
        connection = MqttConnection(config_of(user, tmp_path / f"secret-{user}"), user)
        connection.subscribe(topics, 1, lambda m: heard.append(m.topic))
        connection.start()
        assert connection.wait_connected(15), (tmp_path / "mosquitto.log").read_text()
        return connection, heard

    yield connect, config_of
    process.terminate()
    process.wait(10)


# paho leaves the socket of a failed TLS handshake to the garbage collector
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_everybody_is_kept_to_their_topics(site):
    connect, config_of = site
    ends = {user: connect(user, "#") for user in USERS}
    wanted = {
        "factory-twin/hall/status": {"twin"},
        "factory-twin/hall/calibration": {"twin"},
        "uagv/v2/m/x-1/order": {"twin", "fleet-manager"},
        "uagv/v2/m/x-2/instantActions": {"twin", "fleet-manager"},
        "uagv/v2/m/x-1/state": {"twin", "x-1"},
        "uagv/v2/m/x-2/state": {"twin"},
        "omlox/jsonrpc/trackable_motions/7": {"tags"},
        "plant/radio/gnb-1": {"radio"},
        "plant/radio-ask": {"radio-engineer"},
        "plant/press-2": {"gateway"},
        "plant/agv/2": {"gateway"},
        "other/plant": set(),
    }
    hears = {
        "factory-twin/hall/status": {"twin", "dashboard"},
        "factory-twin/hall/calibration": {"twin", "dashboard", "radio-engineer"},
        "uagv/v2/m/x-1/order": {"twin", "fleet-manager", "x-1"},
        "uagv/v2/m/x-2/instantActions": {"twin", "fleet-manager"},
        "uagv/v2/m/x-1/state": {"twin", "fleet-manager"},
        "uagv/v2/m/x-2/state": {"twin", "fleet-manager"},
        "omlox/jsonrpc/trackable_motions/7": {"twin"},  # where people are
        "plant/radio/gnb-1": {"twin"},
        "plant/radio-ask": {"twin"},
        "plant/press-2": {"twin"},
        "plant/agv/2": {"twin"},
        "other/plant": set(),
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
    plain = config_of(None, None).model_copy(update={"tls": None})
    nobody = MqttConnection(plain, "nobody")
    nobody.start()
    assert not nobody.wait_connected(1.0)  # no plain TCP
    nobody.stop()


@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_a_place_reaches_the_twin_from_the_location_system_alone(site, tmp_path):
    connect, config_of = site
    users = [user for user in USERS if user not in ("twin", "tags")]
    others, (tags, _) = [connect(user, "#")[0] for user in users], connect("tags", "#")
    listener = TagListener(config_of("twin", tmp_path / "secret-twin"), TagsConfig())
    listener.start()
    try:
        assert listener.connection.wait_connected(15)
        for k, end in enumerate(others):
            for retain in (False, True):
                assert end.publish(Message("omlox/jsonrpc/trackable_motions/1", place(f"false-{k}"), 1, retain))
        deadline = time.monotonic() + 30
        while not listener.reader.counts["taken"]:
            assert time.monotonic() < deadline, listener.reader.counts
            assert tags.publish(Message("omlox/jsonrpc/trackable_motions/1", place("true"), 1))
            time.sleep(0.05)
        time.sleep(0.3)
        assert len(set(listener.drain().tag.tolist())) == 1
        assert listener.retained == 0
    finally:
        for end in (*others, tags, listener):
            end.stop()


def test_who_has_no_or_a_wrong_password_is_not_let_in(site, tmp_path):
    _, config_of = site
    write_private(tmp_path / "wrong", b"word of somebody else")
    for user, password in (("tags", tmp_path / "wrong"), ("nobody", tmp_path / "wrong"), (None, None)):
        end = MqttConnection(config_of(user, password), "nobody")
        end.start()
        try:
            deadline = time.monotonic() + 30
            while not end.counters.refusals:
                assert time.monotonic() < deadline, end.counters
                assert not end.connected
                time.sleep(0.02)
        finally:
            end.stop()


def place(name: str) -> bytes:
    """Return where a tag is now."""
    at = {"type": "Point", "coordinates": [1.0, 2.0]}
    told = {"position": at, "source": "z", "provider_type": "uwb", "provider_id": name, "timestamp_generated": stamp(time.time())}
    return json.dumps(told).encode()
