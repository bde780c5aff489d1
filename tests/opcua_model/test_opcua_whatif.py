"""What-ifs over OPC UA: what reaches the twin, and what comes back."""

from __future__ import annotations

import json
import math

import pytest
from asyncua import ua

from bridges.inbox import Answer, Command

CHANGES = ["radio.policy=reactive", "radio.carrier.bandwidth_hz=100e6"]


class Stub:
    """Answers commands as they are handed in, in the twin's place."""

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.answer = Answer(True, "")

    def put(self, command: Command) -> bool:
        self.commands.append(command)
        command.answer(self.answer.done, self.answer.message)
        return True


@pytest.fixture
def stub(hall, monkeypatch):
    twin = Stub()
    monkeypatch.setattr(hall.model._inbox, "put", twin.put)
    return twin


def call(hall, name, *arguments, role="engineer"):
    return hall.call(role, hall.id("Methods"), hall.id(f"Methods/{name}"), *arguments)


def given(changes=CHANGES, seconds=30.0, seeds=2):
    return (
        ua.Variant(changes, ua.VariantType.String),
        ua.Variant(seconds, ua.VariantType.Double),
        ua.Variant(seeds, ua.VariantType.UInt32),
    )


def test_a_what_if_is_started(hall, stub):
    stub.answer = Answer(True, json.dumps({"job": 7, "state": "running", "progress": 0.0}))
    result = call(hall, "StartWhatIf", *given())
    assert result.StatusCode.is_good()
    assert result.OutputArguments[0].Value == "7"
    assert json.loads(result.OutputArguments[1].Value)["state"] == "running"
    (command,) = stub.commands
    assert (command.name, command.source) == ("start_whatif", "opcua:engineer")
    assert dict(command.payload) == {"changes": CHANGES, "seconds": 30.0, "seeds": 2}
    assert isinstance(command.payload["seeds"], int)


def test_a_what_if_is_read(hall, stub):
    text = json.dumps({"job": 7, "state": "done", "progress": 1.0, "result": {"difference": -0.25}})
    stub.answer = Answer(True, text)
    result = call(hall, "ReadWhatIf", ua.Variant("7"))
    assert [v.Value for v in result.OutputArguments] == [text, 1.0]
    assert dict(stub.commands[0].payload) == {"job": "7"}


@pytest.mark.parametrize("text", ["done", "[1, 2]", '{"state": "running"}', '{"progress": "half"}', '{"progress": true}'])
def test_progress_that_is_not_told_is_no_number(hall, stub, text):
    stub.answer = Answer(True, text)
    result = call(hall, "ReadWhatIf", ua.Variant("7"))
    assert result.OutputArguments[0].Value == text
    assert math.isnan(result.OutputArguments[1].Value)


def test_what_the_twin_refuses_is_told(hall, stub):
    stub.answer = Answer(False, "no change 'radio.polcy'; did you mean radio.policy?")
    result = call(hall, "StartWhatIf", *given(["radio.polcy=x"]))
    assert result.StatusCode.name == "BadOutOfRange"
    assert hall.value("Methods/LastAnswer") == "StartWhatIf: no change 'radio.polcy'; did you mean radio.policy?"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (given("radio.policy=reactive"), "BadInvalidArgument"),
        (given([]), "BadOutOfRange"),
        (given(["x" * 501]), "BadOutOfRange"),
        (given(["a=1\x00"]), "BadOutOfRange"),
        (given(["a=1"] * 21), "BadOutOfRange"),
        (given(seconds=0.5), "BadOutOfRange"),
        (given(seconds=601.0), "BadOutOfRange"),
        (given(seconds=math.nan), "BadOutOfRange"),
        (given(seeds=0), "BadOutOfRange"),
        (given(seeds=17), "BadOutOfRange"),
        ((*given()[:2], ua.Variant(1.5, ua.VariantType.Double)), "BadOutOfRange"),
        ((*given()[:2], ua.Variant("two")), "BadInvalidArgument"),
        (given()[:2], "BadArgumentsMissing"),
    ],
)
def test_wrong_arguments_do_not_reach_the_twin(hall, stub, arguments, code):
    assert call(hall, "StartWhatIf", *arguments).StatusCode.name == code
    assert not stub.commands


def test_viewers_start_nothing(hall, stub):
    assert call(hall, "StartWhatIf", *given(), role="viewer").StatusCode.name == "BadUserAccessDenied"
    assert not stub.commands
