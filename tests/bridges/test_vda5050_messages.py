"""The models of VDA 5050 against the standard's own schemas, both ways, and what a wrong message is told."""

from __future__ import annotations

import json

import jsonschema
import pytest
from vda_schemas import TOPICS, VERSIONS, broken_messages, full_message, schema

from bridges.vda5050.base import stamp, time_of
from bridges.vda5050.messages import MESSAGES, Refusal, read, write

# where a schema is at odds with its own standard's text: what the model says there instead
SLIPS = {
    ("2.1.0", "factsheet"): ("blockingTypes", "envelopes3d.0.description"),
    ("2.1.0", "state"): ("actionStatus",),
}


def _message(version, topic):
    root = schema(version, topic)
    message = {**full_message(root, root), "version": version}
    if (version, topic) == ("2.1.0", "factsheet"):
        for action in message["protocolFeatures"]["agvActions"]:
            del action["blockingTypes"]  # a list that must equal one word: no value fulfils it
    jsonschema.Draft202012Validator(root).validate(message)
    return root, message


@pytest.mark.recorded
@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize("version", VERSIONS)
def test_every_member_of_the_schema_survives_reading_and_writing(version, topic):
    root, message = _message(version, topic)
    known = read(json.dumps(message).encode(), topic, version)
    assert not isinstance(known, Refusal), known
    back = json.loads(write(known))
    assert back == message
    jsonschema.Draft202012Validator(root).validate(back)


@pytest.mark.recorded
@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize("version", VERSIONS)
def test_the_models_have_no_member_that_the_schema_does_not_know(version, topic):
    root, _ = _message(version, topic)
    own_schema = MESSAGES[version][topic].model_json_schema(by_alias=True)

    def members(node, base, path=""):
        while "$ref" in node or "anyOf" in node:
            if "anyOf" in node:
                node = next(n for n in node["anyOf"] if n.get("type") != "null")
            else:
                target = base
                for level in node["$ref"].removeprefix("#/").split("/"):
                    target = target[level]
                node = target
        found = {path}
        for key, child in node.get("properties", {}).items():
            found |= members(child, base, f"{path}/{key}")
        if "items" in node and node["items"] is not True:
            found |= members(node["items"], base, path)
        return found

    assert members(own_schema, own_schema) == members(root, root)


@pytest.mark.recorded
@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize("version", VERSIONS)
def test_models_and_schemas_refuse_the_same_messages(version, topic):
    root, message = _message(version, topic)
    judge = jsonschema.Draft202012Validator(root)
    differing, judged, refused = [], 0, 0
    for what, broken in broken_messages(message):
        if what in ("version text", "timestamp text"):
            continue  # the models know what a timestamp is, and which version they read
        if any(slip in what for slip in SLIPS.get((version, topic), ())):
            continue
        right = judge.is_valid(broken)
        judged += 1
        refused += not right
        if right == isinstance(read(json.dumps(broken).encode(), topic, version), Refusal):
            differing.append((what, right))
    assert not differing, differing[:10]
    assert refused > 20
    assert judged > refused


HEADER = {"headerId": 1, "timestamp": "2026-01-31T08:00:00.000Z", "version": "2.1.0", "manufacturer": "m", "serialNumber": "s"}
PICK = {"actionType": "pick", "actionId": "1", "blockingType": "HARD"}
NODE = {"nodeId": "a", "sequenceId": 0, "released": True, "actions": [PICK]}
ORDER = {**HEADER, "orderId": "o", "orderUpdateId": 0, "edges": [], "nodes": [NODE]}


def _with(**changes):
    return json.dumps({**ORDER, **changes}).encode()


@pytest.mark.parametrize(
    ("payload", "kind", "reason"),
    [
        (b"{", "json", "Invalid JSON"),
        (b"", "json", "Invalid JSON"),
        (b"\xff\xfe", "json", "Invalid JSON"),
        (b"[]", "schema", "message: Input should be an object"),
        (b" " * 1_000_001, "size", "1000001 bytes; at most 1000000 are read"),
        (_with(orderUpdateId="0"), "schema", "orderUpdateId: Input should be a valid integer, not '0'"),
        (_with(orderUpdateId=-1), "schema", "orderUpdateId: Input should be greater than or equal to 0, not '-1'"),
        (_with(timestamp="yesterday"), "schema", "timestamp: 'yesterday' is no time; 2026-01-31T08:00:00.000Z is one"),
        (_with(timestamp="2026-01-31T08:00:00"), "schema", "timestamp: '2026-01-31T08:00:00' does not say its zone"),
        (_with(version="3.0.0"), "version", "version: '3.0.0'; 2.1.0 is spoken here"),
        (_with(zoneSetId=None), "schema", "zoneSetId is null; give it a value or leave it out"),
        (
            _with(nodes=[{**NODE, "actions": [{**PICK, "blockingType": "SINGLE"}]}]),
            "schema",
            "nodes[0].actions[0].blockingType: Input should be 'NONE', 'SOFT' or 'HARD', not 'SINGLE'",
        ),
        (_with(nodes=[{}]), "schema", "nodes[0].nodeId: Field required; nodes[0].sequenceId: Field required; "),
    ],
)
def test_a_wrong_message_is_told_what_and_where(payload, kind, reason):
    refusal = read(payload, "order", "2.1.0")
    assert isinstance(refusal, Refusal)
    assert refusal.kind == kind
    assert reason in refusal.reason
    assert len(refusal.reason) < 400


def test_deep_nesting_ends_in_a_reason():
    deep = b'{"actions":' * 5000 + b"[" * 5000
    refusal = read(deep, "instantActions", "3.0.0")
    assert isinstance(refusal, Refusal)
    assert refusal.kind == "json"


def test_whole_numbers_may_be_written_as_fractions_and_unknown_members_are_ignored():
    order = read(_with(orderUpdateId=2.0, future="x"), "order", "2.1.0")
    assert not isinstance(order, Refusal)
    assert order.order_update_id == 2
    assert b"future" not in write(order)


def test_times_go_there_and_back():
    for time_s in (0.0, 1_767_225_600.0, 1_767_225_599.999):
        assert time_of(stamp(time_s)) == pytest.approx(time_s, abs=0.0011)
    assert stamp(1_767_225_600.5) == "2026-01-01T00:00:00.500Z"
    assert time_of("2026-01-01T01:00:00+01:00") == 1_767_225_600.0
