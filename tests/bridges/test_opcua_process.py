"""The server in a process of its own: what a client sees, commands and answers, and its ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time

import pytest
from demo_view import demo_view
from opcua_client import PASSWORDS, Twin, name_of_error, node_id, port_of_its_own, secured, user_lines

from bridges.config import OpcUaConfig
from bridges.errors import CredentialsError, PortInUseError
from bridges.inbox import Answer, Inbox
from bridges.opcua.process import OpcUaProcess

SINR = "Links/agv-01/SinrDownlink"


@pytest.fixture(scope="module")
def users(tmp_path_factory):
    path = tmp_path_factory.mktemp("users") / "users"
    path.write_text(user_lines())
    return path


@pytest.fixture
def inbox():
    return Inbox()


@pytest.fixture
def server(tmp_path, users, inbox):
    process = OpcUaProcess(
        OpcUaConfig(port=port_of_its_own(), user_file=users, trust_any_client=True, stale_after_s=3600), tmp_path, inbox
    )
    process.start(demo_view(0, sinr_db=9.0))
    yield process
    process.stop()


def test_views_are_shown_and_commands_answered(server, tmp_path, inbox):
    async def use():
        async with await secured(server.endpoint_url, tmp_path / "client", "egon", PASSWORDS["egon"]) as client:
            node = client.get_node(await node_id(client, SINR))
            assert await node.read_value() == 9.0
            server.publish(demo_view(100_000, sinr_db=4.5))
            until = time.monotonic() + 10
            while await node.read_value() != 4.5:
                assert time.monotonic() < until
                await asyncio.sleep(0.02)
            methods = client.get_node(await node_id(client, "Methods"))
            await methods.call_method(await node_id(client, "Methods/Pause"))
            return await name_of_error(methods.call_method(await node_id(client, "Methods/StopAgv"), "agv-99"))

    def answer(command):
        return Answer(command.name == "pause", "done" if command.name == "pause" else "there is no agv-99")

    with Twin(inbox, answer) as twin:
        assert asyncio.run(asyncio.wait_for(use(), 30)) == "BadOutOfRange"
    assert twin.commands[0].name == "pause"
    assert twin.commands[0].source == "opcua:egon"


def test_the_twin_goes_on_where_the_process_is_killed(server, caplog):
    assert server.running
    os.kill(server.pid, signal.SIGKILL)
    until = time.monotonic() + 10
    k = 1
    while server.running or "has ended" not in caplog.text:
        assert time.monotonic() < until
        server.publish(demo_view(k * 100_000))
        k += 1
        time.sleep(0.02)
    begin = time.perf_counter()
    server.publish(demo_view(0))
    assert time.perf_counter() - begin < 0.05
    server.stop()


def test_its_port_is_free_after_stop_and_told_where_it_is_not(server, tmp_path, users):
    taken = OpcUaProcess(server._config, tmp_path / "other")
    with pytest.raises(PortInUseError, match=r"bridges\.opcua\.port"):
        taken.start()
    server.stop()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", server._config.port))
    server.stop()


def test_wrong_users_are_told_as_by_the_thread(tmp_path):
    (tmp_path / "users").write_text("nonsense\n")
    process = OpcUaProcess(OpcUaConfig(port=port_of_its_own(), user_file=tmp_path / "users"), tmp_path)
    with pytest.raises(CredentialsError, match="users"):
        process.start()
