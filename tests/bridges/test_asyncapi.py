"""docs/asyncapi.yaml says what the bridges say."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
from demo_view import demo_view
from ruamel.yaml import YAML

from bridges.config import BridgesConfig
from bridges.vda5050.messages import MESSAGES

FILE = Path(__file__).resolve().parents[2] / "docs" / "asyncapi.yaml"


@pytest.fixture(scope="module")
def described():
    return YAML(typ="safe").load(FILE.read_text(encoding="utf-8"))


def test_every_reference_and_parameter_is_there(described):
    for operation in described["operations"].values():
        assert operation["channel"]["$ref"].removeprefix("#/channels/") in described["channels"]
    assert len(described["operations"]) == len(described["channels"])
    for channel in described["channels"].values():
        for name in channel.get("parameters", {}):
            assert f"{{{name}}}" in channel["address"]
        for message in channel["messages"].values():
            assert message["$ref"].removeprefix("#/components/messages/") in described["components"]["messages"]


@pytest.mark.parametrize("kind", ["machine", "link", "service", "zones", "asset", "advice", "calibration", "qos"])
def test_telemetry_is_described_member_by_member(described, kind):
    schema = described["components"]["messages"][kind]["payload"]
    view = demo_view(1_000_000)
    parts = {
        "machine": [m.to_json_dict() for m in view.machines],
        "link": [k.to_json_dict() for k in view.links],
        "service": [s.to_json_dict() for s in view.services],
        "zones": [{"zones": [z.to_json_dict() for z in view.zones]}],
        "asset": [a.to_json_dict() for a in view.assets],
        "advice": [{"advice": [a.to_json_dict() for a in view.advice]}],
        "calibration": [view.calibration.to_json_dict()],
        "qos": [view.qos.to_json_dict()],
    }[kind]
    assert parts
    for part in parts:
        message = {"time_us": view.time_us, **part}
        jsonschema.validate(message, schema)
        assert set(message) == set(schema["required"]) == set(schema["properties"])


def test_topics_are_those_of_the_standard_and_of_the_configuration(described):
    topics = {c["address"].rsplit("/", 1)[-1] for n, c in described["channels"].items() if n.startswith("vda5050")}
    assert topics == set(MESSAGES["2.1.0"]) == set(MESSAGES["3.0.0"])
    config = BridgesConfig()
    assert described["channels"]["radioReports"]["address"] == config.radio_reports.topic
    assert described["channels"]["radioAsk"]["address"] == config.radio_reports.ask_topic
    assert described["channels"]["tags"]["address"] == config.tags.topic
    assert described["channels"]["status"]["parameters"]["prefix"]["default"] == config.mqtt.topic_prefix
    assert described["channels"]["vda5050State"]["parameters"]["interface"]["default"] == config.vda5050.interface_name
