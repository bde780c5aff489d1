"""MQTT messages by a mapping, and the first mapping that is written of a server."""

from __future__ import annotations

import json
import time

import pytest
from plant_server import HALL, Plant, bound
from rich.console import Console

from bridges.config import MqttConfig
from bridges.mapping import OpcUaSource
from bridges.mapping_values import MappedValues
from bridges.mqtt.connection import Message
from bridges.mqtt.mapped import MappedMqtt
from bridges.opcua.client_browse import Found, guess, mapping_text
from factory.observed_command import browse_command, check_mapping_command

TEXT = """version: 1
sources: {gate: {kind: mqtt, max_bytes: 1000}}
variables:
  - {twin: agvs.agv-01.x, source: gate, topic: plant/1, path: '$.pose[0]', unit: mm, time_path: $.ts, time_unit: ms}
  - {twin: agvs.agv-01.y, source: gate, topic: plant/1, path: '$.pose[1]', unit: mm, time_path: $.at}
  - {twin: machines.press-2.running, source: gate, topic: plant/2, path: $.state, true_when: [RUN]}
"""


def test_messages_become_values_and_bad_ones_are_counted(tmp_path):
    mapping, told = bound(tmp_path, TEXT), []
    values = MappedValues(mapping, told.append)
    source = MappedMqtt("gate", mapping.mapping.sources["gate"], MqttConfig(), mapping.of_source("gate"), values)
    now = time.time()

    def take(topic: str, payload: object, retain: bool = False) -> None:
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        source._take(Message(topic, raw, 0, retain))

    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - 3))
    take("plant/1", {"pose": [1500, 2500.0], "ts": 1000 * (now - 0.2), "at": stamp})
    take("plant/2", {"state": "RUN"})
    seen = values.take(now + 0.1)
    assert seen.value == pytest.approx([1.5, 2.5, 1.0])
    assert seen.age_s[0] == pytest.approx(0.3, abs=1e-3)
    assert 3.0 < seen.age_s[1] < 4.2
    assert seen.stale.tolist() == [False, True, False]

    take("plant/2", {"state": "STOP"}, retain=True)  # without a time: nobody knows how old it is
    assert values.take(now).value[2] == 1.0
    for payload in (b"{", b"\xff", b"[" * 900, {"pose": []}, {"pose": [1, 2], "ts": "soon", "at": "today"}, b" " * 1001, [1], 7):
        take("plant/1", payload)
    assert values.take(now).value == pytest.approx([1.5, 2.5, 1.0])
    assert source.counts == {"taken": 6, "retained": 1, "json": 3, "size": 1}
    assert len(told) == len(set(told))
    assert any("agvs.agv-01.x: $.pose[0] in a message on 'plant/1': step 2 asks for element 0 of a list of 0" in t for t in told)


@pytest.mark.parametrize(
    ("path", "type_", "variable"),
    [
        (("cobot-1", "Axes", "Axis_3", "ActualPosition"), "Double", "cobots.cobot-1.joint_3"),
        (("Robot", "A3"), "Double", "cobots.cobot-1.joint_3"),  # the only cobot need not be named
        (("Robot", "Axis_3", "ActualSpeed"), "Double", None),
        (("AGV 01", "Position", "X"), "Double", "agvs.agv-01.x"),
        (("Press2", "Running"), "Boolean", "machines.press-2.running"),
        (("Press2", "Running"), "Double", None),
        (("Oven", "Temperature"), "Double", None),
    ],
)
def test_guesses_by_name(path, type_, variable):
    found = guess(Found(path, "ns=2;i=1", type_, "0", ""), HALL.values())
    assert (None if found is None else found.name) == variable


def test_a_written_mapping_can_be_read(tmp_path):
    source = OpcUaSource(kind="opcua", url="opc.tcp://10.0.0.5:4840")
    found = [Found(("Robot", f"A{j}"), f"nsu=urn:it's;s=A{j}", "Double", "1.0", "deg") for j in range(1, 10)]
    mapping = bound(tmp_path, mapping_text(source, found, list(HALL.values())))
    assert [b.entry.twin for b in mapping.entries] == [f"cobots.cobot-1.joint_{j}" for j in range(1, 8)]
    assert mapping.entries[2].entry.unit == "deg"
    assert bound(tmp_path, mapping_text(source, [], [])).entries == ()


def test_browse_and_dry_run_of_a_server(tmp_path, free_port):
    out = Console(record=True, width=200)
    with Plant(free_port) as plant:
        assert browse_command(plant.url, "small", tmp_path / "m.yaml", None, None, True, tmp_path / "state", out) == 0
        text = (tmp_path / "m.yaml").read_text()
        assert "# - {twin: , source: plant, node: 'nsu=urn:plant:cell-3;s=Robot/X'}" in text
        assert "Text" not in text  # no number
        entry = "  - {twin: agvs.agv-01.x, source: plant, node: 'nsu=urn:plant:cell-3;s=Robot/X', unit: mm, stale_after_s: 300}\n"
        (tmp_path / "m.yaml").write_text(text.split("variables:")[0] + "variables:\n" + entry)
        assert check_mapping_command(tmp_path / "m.yaml", "small", [], True, 6.0, tmp_path / "state", out) == 0
    shown = out.export_text()
    assert "agvs.agv-01.x" in shown
    assert "good" in shown
