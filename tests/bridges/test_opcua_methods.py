"""Methods: arguments, roles, the twin's answer, and the audit log."""

from __future__ import annotations

import asyncio
import json

import pytest
from asyncua import ua
from demo_view import demo_view
from opcua_client import PASSWORDS, Twin, name_of_error, node_id, port_of_its_own, secured, user_lines

from bridges.config import OpcUaConfig
from bridges.inbox import Answer, Command, Inbox
from bridges.opcua import OpcUaServer, methods


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    state = tmp_path_factory.mktemp("state")
    (state / "users").write_text(user_lines())
    config = OpcUaConfig(port=port_of_its_own(), user_file=state / "users", trust_any_client=True)
    inbox = Inbox()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(methods.Methods.__init__, "__defaults__", (0.5,))
        twin = OpcUaServer(config, state, inbox)
        twin.start(demo_view(0))
    twin.inbox, twin.state = inbox, state
    yield twin
    twin.stop()


@pytest.fixture(scope="module")
def client_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("client")


def answer(command: Command) -> Answer | None:
    if command.name == "set_policy" and command.argument("policy") == "mute":
        return None
    if command.name == "stop_agv" and command.target != "agv-01":
        return Answer(False, f"AGV {command.target!r} is unknown; did you mean 'agv-01'?")
    return Answer(True, f"done: {command.name}")


def call(server, folder, user, method, *arguments, diagnostics=False):
    """Return the whole result of a call, and what LastAnswer says."""

    async def use():
        async with await secured(server.endpoint_url, folder, user, PASSWORDS[user]) as client:
            request = ua.CallMethodRequest(
                ObjectId=await node_id(client, "Methods"),
                MethodId=await node_id(client, f"Methods/{method}"),
                InputArguments=list(arguments),
            )
            if diagnostics:
                set_header = client.uaclient.protocol._setup_request_header

                def with_texts(header, *args):
                    set_header(header, *args)
                    header.ReturnDiagnostics = 0x80

                client.uaclient.protocol._setup_request_header = with_texts
            (result,) = await client.uaclient.call([request])
            last = await client.get_node(await node_id(client, "Methods/LastAnswer")).read_value()
            return result, last

    with Twin(server.inbox, answer) as twin:
        result, last = asyncio.run(use())
    return result, last, twin.commands


def number(value):
    return ua.Variant(value, ua.VariantType.Double)


def text(value):
    return ua.Variant(value, ua.VariantType.String)


@pytest.mark.parametrize(
    ("method", "arguments", "command"),
    [
        ("Pause", (), Command("opcua:egon", "pause")),
        ("Resume", (), Command("opcua:egon", "resume")),
        ("SetSpeed", (number(2.5),), Command("opcua:egon", "set_speed", "", (("factor", 2.5),))),
        ("SetSpeed", (ua.Variant(2, ua.VariantType.Int32),), Command("opcua:egon", "set_speed", "", (("factor", 2.0),))),
        ("SetPolicy", (text("reactive"),), Command("opcua:egon", "set_policy", "", (("policy", "reactive"),))),
        ("StopAgv", (text("agv-01"),), Command("opcua:egon", "stop_agv", "agv-01")),
        ("ReleaseAgv", (text("agv-01"),), Command("opcua:egon", "release_agv", "agv-01")),
    ],
)
def test_a_call_becomes_a_command_and_its_answer_comes_back(server, client_folder, method, arguments, command):
    result, last, commands = call(server, client_folder, "egon", method, *arguments)
    assert commands == [command]
    assert result.StatusCode.name == "Good"
    assert [v.Value for v in result.OutputArguments] == [f"done: {command.name}"]
    assert last == f"{method}: done: {command.name}"


@pytest.mark.parametrize(
    ("method", "arguments", "status", "each", "says"),
    [
        ("SetSpeed", (number(0.0),), "BadOutOfRange", ["BadOutOfRange"], "0.1 to 20"),
        ("SetSpeed", (number(float("nan")),), "BadOutOfRange", ["BadOutOfRange"], "nan"),
        ("SetSpeed", (text("2"),), "BadInvalidArgument", ["BadTypeMismatch"], "should be a number"),
        ("SetSpeed", (ua.Variant(True, ua.VariantType.Boolean),), "BadInvalidArgument", ["BadTypeMismatch"], "a number"),
        ("SetSpeed", (ua.Variant([1.0], ua.VariantType.Double),), "BadInvalidArgument", ["BadTypeMismatch"], "a number"),
        ("SetSpeed", (), "BadArgumentsMissing", [], "factor"),
        ("Pause", (number(1.0),), "BadTooManyArguments", [], "none"),
        ("SetPolicy", (text(""),), "BadOutOfRange", ["BadOutOfRange"], "1 to 64"),
        ("SetPolicy", (text("a\nb"),), "BadOutOfRange", ["BadOutOfRange"], "printable"),
        ("StopAgv", (text("x" * 65),), "BadOutOfRange", ["BadOutOfRange"], "1 to 64"),
    ],
)
def test_wrong_arguments_never_reach_the_twin(server, client_folder, method, arguments, status, each, says):
    result, last, commands = call(server, client_folder, "egon", method, *arguments)
    assert (result.StatusCode.name, [r.name for r in result.InputArgumentResults or []]) == (status, each)
    assert commands == []
    assert says in last
    assert not result.InputArgumentDiagnosticInfos  # nobody asked for them


def test_the_text_comes_with_the_diagnostics_where_they_are_asked_for(server, client_folder):
    result, _, _ = call(server, client_folder, "egon", "SetSpeed", number(99.0), diagnostics=True)
    assert "0.1 to 20" in result.InputArgumentDiagnosticInfos[0].AdditionalInfo


def test_what_the_twin_refuses_is_told_with_its_words(server, client_folder):
    result, last, commands = call(server, client_folder, "egon", "StopAgv", text("agv-99"))
    assert len(commands) == 1
    assert result.StatusCode.name == "BadOutOfRange"
    assert last == "StopAgv: AGV 'agv-99' is unknown; did you mean 'agv-01'?"


def test_no_answer_is_a_timeout(server, client_folder):
    result, last, _ = call(server, client_folder, "egon", "SetPolicy", text("mute"))
    assert result.StatusCode.name == "BadTimeout"
    assert "may still be carried out" in last


def test_a_viewer_calls_nothing_and_safety_may(server, client_folder):
    result, _, commands = call(server, client_folder, "vera", "Pause")
    assert (result.StatusCode.name, commands) == ("BadUserAccessDenied", [])
    result, _, commands = call(server, client_folder, "sara", "Pause")
    assert (result.StatusCode.name, [c.source for c in commands]) == ("Good", ["opcua:sara"])


def test_a_full_inbox_is_told(server, client_folder):
    while server.inbox.put(Command("test", "fill")):
        pass

    async def use():
        async with await secured(server.endpoint_url, client_folder, "egon", PASSWORDS["egon"]) as client:
            folder = client.get_node(await node_id(client, "Methods"))
            return await name_of_error(folder.call_method(await node_id(client, "Methods/Pause")))

    try:
        assert asyncio.run(use()) == "BadTooManyOperations"
    finally:
        server.inbox.drain()


def test_every_call_is_audited(server, client_folder):
    call(server, client_folder, "egon", "SetSpeed", number(3.0))
    call(server, client_folder, "vera", "StopAgv", text("agv-01"))
    lines = [json.loads(line) for line in (server.state / "opcua" / "audit.log").read_text().splitlines()]
    calls = [x for x in lines if x["action"] == "call"][-2:]
    assert [(c["user"], c["role"], c["target"], c["arguments"], c["result"]) for c in calls] == [
        ("egon", "engineer", "SetSpeed", ["3.0"], "Good: done: set_speed"),
        ("vera", "viewer", "StopAgv", ["agv-01"], "BadUserAccessDenied"),
    ]
    assert all(c["peer"].startswith("127.0.0.1:") and c["time"] for c in calls)


def test_arguments_are_described(server, client_folder):
    async def look():
        async with await secured(server.endpoint_url, client_folder, "vera", PASSWORDS["vera"]) as client:
            node = client.get_node(await node_id(client, "Methods/SetSpeed"))
            (given,) = await (await node.get_child("0:InputArguments")).read_value()
            (answered,) = await (await node.get_child("0:OutputArguments")).read_value()
            return given, answered, (await node.read_description()).Text

    given, answered, description = asyncio.run(look())
    assert (given.Name, given.DataType) == ("factor", ua.NodeId(ua.ObjectIds.Double))
    assert given.Description.Text == "Twin time over wall time, 0.1 to 20"
    assert (answered.Name, answered.DataType) == ("Message", ua.NodeId(ua.ObjectIds.String))
    assert description


def test_without_an_inbox_there_are_no_methods(tmp_path, client_folder):
    server = OpcUaServer(OpcUaConfig(port=port_of_its_own(), insecure=True), tmp_path)
    server.start(demo_view(0))
    try:

        async def look():
            from asyncua import Client

            async with Client(server.endpoint_url, timeout=10) as client:
                node = client.get_node(await node_id(client, "FactoryTwin"))
                return [(await n.read_browse_name()).Name for n in await node.get_children()]

        assert "Methods" not in asyncio.run(look())
    finally:
        server.stop()
