"""The bridges' configuration: loopback by default, errors that say what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from bridges.config import BridgesConfig, MqttConfig, MqttTlsConfig, OpcUaConfig, is_loopback


def test_everything_is_bound_to_this_machine_by_default():
    config = BridgesConfig()
    assert is_loopback(config.opcua.host)
    assert config.mqtt.host is None
    assert not config.opcua.insecure
    assert (config.opcua.port, config.mqtt.port) == (4840, 1883)  # IANA's registered ports


@pytest.mark.parametrize(
    ("host", "here"), [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("plc", False)]
)
def test_loopback(host, here):
    assert is_loopback(host) is here


@pytest.mark.parametrize("port", [0, 65_536, -1])
def test_an_impossible_port_is_refused(port):
    with pytest.raises(ValidationError, match="port"):
        OpcUaConfig(port=port)


def test_an_unknown_key_is_refused():
    with pytest.raises(ValidationError, match="Extra inputs"):
        BridgesConfig.model_validate({"opcua": {"prot": 4840}})


@pytest.mark.parametrize("prefix", ["plant/+/twin", "/plant", "plant/", "$SYS/twin", "a#"])
def test_a_prefix_that_is_no_topic_is_refused(prefix):
    with pytest.raises(ValidationError, match="topic_prefix"):
        MqttConfig(topic_prefix=prefix)


def test_a_password_does_not_cross_a_network_in_clear():
    with pytest.raises(ValidationError, match="unencrypted: add tls"):
        MqttConfig(host="broker.plant", user="twin")
    assert MqttConfig(host="broker.plant", user="twin", tls=MqttTlsConfig()).tls is not None
    assert MqttConfig(host="broker.plant", user="twin", insecure=True).insecure
    assert MqttConfig(host="127.0.0.1", user="twin").user == "twin"


def test_halves_are_refused():
    with pytest.raises(ValidationError, match="belong together"):
        MqttTlsConfig(certificate_file=Path("c.pem"))
    with pytest.raises(ValidationError, match="without user"):
        MqttConfig(password_file=Path("p"))
    with pytest.raises(ValidationError, match="name its host"):
        MqttConfig(tls=MqttTlsConfig())
