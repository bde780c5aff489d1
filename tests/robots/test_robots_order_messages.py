"""Orders as VDA 5050's JSON: there and back, against the standard's schemas, and what a wrong message is told."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from robots.order_messages import read_instant_actions, read_order, write_action_state, write_error, write_order
from robots.orders import Action, ActionState, Order, OrderError, order_of

SCHEMAS = next(
    (p / "shared/data/vda5050" for p in Path(__file__).resolve().parents if (p / "shared/data/vda5050").is_dir()), None
)
HEADER = {
    "headerId": 1,
    "timestamp": "2026-01-01T08:00:00.000Z",
    "manufacturer": "factory-twin",
    "serialNumber": "agv-01",
}
PICK = Action("a-1", "pick", "SINGLE", {"loadType": "pallet", "height": 0.2})
ORDER = order_of("transport-7", 3, ["a", "b", "c"], 2, 4, {4: (PICK,), 8: (Action("a-2", "drop"),)})


def _schema(version, name):
    if SCHEMAS is None:
        pytest.skip("the standard's schemas (shared/data/vda5050) are not beside the checkout")
    return json.loads((SCHEMAS / version / f"{name}.schema").read_text(encoding="utf-8"))


@pytest.mark.recorded
@pytest.mark.parametrize("version", ["2.1.0", "3.0.0"])
def test_orders_states_and_errors_fulfil_the_standards_schemas(version):
    jsonschema.validate({**HEADER, "version": version, **write_order(ORDER, version)}, _schema(version, "order"))
    state = _schema(version, "state")
    parts = {**state.get("definitions", {}), **state["properties"]}
    actions = parts["actionStates"]
    one = actions["items"]
    if "$ref" in one:
        one = state["definitions"][one["$ref"].rsplit("/", 1)[-1]]
    told = write_action_state(ActionState(PICK, "FAILED", "order cancelled"), version)
    jsonschema.validate(told, one)
    assert set(told) <= set(one["properties"])
    errors = parts["errors"]["items"]
    if "$ref" in errors:
        errors = state["definitions"][errors["$ref"].rsplit("/", 1)[-1]]
    error = OrderError("UNSUPPORTED_PARAMETER", "edges[0].corridor", (("orderId", "o"),))
    jsonschema.validate(write_error(error, version), errors)


@pytest.mark.parametrize("version", ["2.1.0", "3.0.0"])
def test_an_order_comes_back_as_it_was_written(version):
    back = read_order(json.loads(json.dumps({**HEADER, **write_order(ORDER, version)})))
    assert isinstance(back, Order)
    if version == "3.0.0":
        assert back == ORDER
    assert [a.blocking_type for a in back.actions()] == ["HARD" if version == "2.1.0" else "SINGLE", "HARD"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m.pop("orderId"), "orderId: Field required"),
        (lambda m: m["nodes"][1].update(sequenceId=-2), "nodes[1].sequenceId: Input should be greater than or equal to 0"),
        (lambda m: m["nodes"][0].update(released="yes"), "nodes[0].released: Input should be a valid boolean"),
        (
            lambda m: m["nodes"][0]["actions"][0].update(blockingType="MAYBE"),
            "nodes[0].actions[0].blockingType: Input should be 'NONE'",
        ),
    ],
)
def test_a_malformed_message_is_told_the_field(change, words):
    message = write_order(ORDER)
    change(message)
    error = read_order(message)
    assert isinstance(error, OrderError)
    assert error.error_type == "VALIDATION_FAILURE"
    assert words in error.description
    assert ("orderUpdateId", "3") in error.references


def test_what_the_agvs_cannot_use_is_refused_by_name():
    message = write_order(ORDER)
    message["edges"][1]["corridor"] = {"leftWidth": 1.0, "rightWidth": 1.0}
    error = read_order(message)
    assert isinstance(error, OrderError)
    assert (error.error_type, error.error_level) == ("UNSUPPORTED_PARAMETER", "CRITICAL")
    assert "edges[1].corridor" in error.description
    assert read_order([1, 2]).error_type == "VALIDATION_FAILURE"


def test_instant_actions_are_read():
    stop = {"actionType": "startPause", "actionId": "i-1", "blockingType": "NONE"}
    assert read_instant_actions({**HEADER, "actions": [stop]}) == (Action("i-1", "startPause", "NONE"),)
    assert read_instant_actions({"actions": [{}]}).description.startswith("actions[0].actionType")
