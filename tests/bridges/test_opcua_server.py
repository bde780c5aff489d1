"""The OPC UA server: what it shows, whom it lets in, and that it never holds the tick up."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import socket
import statistics
import time
from datetime import UTC, datetime

import pytest
from asyncua import Client, ua
from demo_view import demo_view
from opcua_client import PASSWORD, USER, node_id, secured

from bridges.config import OpcUaConfig
from bridges.errors import PortInUseError
from bridges.opcua import OpcUaServer


def port_of_its_own() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACTORY_TWIN_OPCUA_USER", USER)
        patch.setenv("FACTORY_TWIN_OPCUA_PASSWORD", PASSWORD)
        twin = OpcUaServer(
            OpcUaConfig(port=port_of_its_own(), trust_any_client=True, stale_after_s=3600), tmp_path_factory.mktemp("state")
        )
        twin.start(demo_view(0))
    yield twin
    twin.stop()


@pytest.fixture(scope="module")
def client_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("client")


@pytest.fixture(scope="module")
def stranger_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("stranger")


def publish_and_wait(server: OpcUaServer, view) -> None:
    before = server.views_shown
    server.publish(view)
    deadline = time.monotonic() + 10
    while server.views_shown == before:
        assert time.monotonic() < deadline, "the view was not shown within 10 s"
        time.sleep(0.005)


async def read(client: Client, identifier: str) -> ua.DataValue:
    return await client.get_node(await node_id(client, identifier)).read_data_value(raise_on_bad_status=False)


@pytest.mark.parametrize("policy", ["Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"])
def test_a_user_reads_the_view_over_an_encrypted_channel(server, client_folder, policy):
    publish_and_wait(server, demo_view(2_000_000, sinr_db=17.25))
    wanted = {
        "Links/agv-01/ServingTrp": "aisle-west",
        "Links/agv-01/ServingBeam": 10,
        "Links/agv-01/SinrDownlink": 17.25,
        "Links/agv-02/BlockedBy": "person",
        "Machines/agv-03/Mode": "driving",
        "Machines/agv-03/Y": 2.2,
        "Machines/cobot-1/Kind": "cobot",
        "Services/agv-control/Availability": 0.999_999_1,
        "Services/agv-control/Up": True,
        "Services/panel-estop/DownSince": 1.5,
        "Zones/assembly/People": 5,
        "Twin/Name": "assembly-hall",
        "Twin/Time": 2.0,
    }

    async def look():
        async with await secured(server.endpoint_url, client_folder, policy=policy) as client:
            return {i: (await read(client, i)).Value.Value for i in wanted}

    assert asyncio.run(look()) == pytest.approx(wanted)


def test_values_carry_the_time_of_their_publishing(server, client_folder):
    before = datetime.now(UTC).replace(tzinfo=None)
    publish_and_wait(server, demo_view(3_000_000, sinr_db=11.0))
    after = datetime.now(UTC).replace(tzinfo=None)

    async def look():
        async with await secured(server.endpoint_url, client_folder) as client:
            return await read(client, "Links/agv-01/SinrDownlink"), await read(client, "Links/agv-01/ServingTrp")

    changed, unchanged = asyncio.run(look())
    assert before <= changed.SourceTimestamp.replace(tzinfo=None) <= after
    assert unchanged.SourceTimestamp.replace(tzinfo=None) < before  # a value that did not change is not written again


def test_what_does_not_exist_has_a_status_not_a_number(server, client_folder):
    publish_and_wait(server, demo_view(4_000_000))

    async def look():
        async with await secured(server.endpoint_url, client_folder) as client:
            return [
                (await read(client, i)).StatusCode.name
                for i in ("Links/panel-3/SinrDownlink", "Services/panel-estop/Mtbf", "Machines/cobot-1/Battery")
            ]

    assert asyncio.run(look()) == ["BadNoData"] * 3


def test_a_device_that_left_is_not_connected_and_comes_back(server, client_folder):
    whole = demo_view(5_000_000)
    publish_and_wait(server, dataclasses.replace(whole, machines=whole.machines[1:]))

    async def status():
        async with await secured(server.endpoint_url, client_folder) as client:
            return [(await read(client, f"Machines/{m}/Mode")).StatusCode.name for m in ("agv-01", "agv-02")]

    assert asyncio.run(status()) == ["BadNotConnected", "Good"]
    publish_and_wait(server, whole)
    assert asyncio.run(status()) == ["Good", "Good"]


def test_a_new_device_gets_its_nodes_while_running(server, client_folder):
    publish_and_wait(server, demo_view(6_000_000, panels=4))

    async def look():
        async with await secured(server.endpoint_url, client_folder) as client:
            return (await read(client, "Links/panel-4/ServingBeam")).StatusCode.name

    assert asyncio.run(look()) == "Good"


def test_a_browser_finds_everything_below_objects(server, client_folder):
    async def look():
        async with await secured(server.endpoint_url, client_folder) as client:
            root = client.get_node(await node_id(client, "FactoryTwin"))
            names = [(await n.read_browse_name()).Name for n in await root.get_children()]
            machine = await root.get_child([f"{root.nodeid.NamespaceIndex}:{n}" for n in ("Machines", "agv-01", "X")])
            unit = (await machine.read_description()).Text
            top = [(await n.read_browse_name()).Name for n in await client.nodes.objects.get_children()]
            return names, unit, top

    names, unit, top = asyncio.run(look())
    assert sorted(names) == ["Alarms", "Assets", "Links", "Machines", "Services", "Settings", "Trps", "Twin", "Zones"]
    assert unit.endswith("[m]")
    assert "FactoryTwin" in top


def test_a_subscription_gets_what_changes(server, client_folder):
    class Handler:
        def __init__(self) -> None:
            self.values: list[float] = []

        def datachange_notification(self, node, value, data) -> None:
            self.values.append(value)

    async def follow():
        handler = Handler()
        async with await secured(server.endpoint_url, client_folder) as client:
            subscription = await client.create_subscription(50, handler)
            handle = await subscription.subscribe_data_change(client.get_node(await node_id(client, "Links/agv-01/SinrDownlink")))
            for sinr_db in (1.5, 2.5, 3.5):
                await asyncio.to_thread(publish_and_wait, server, demo_view(7_000_000, sinr_db=sinr_db))
                await asyncio.sleep(0.2)
            await subscription.unsubscribe(handle)
            await subscription.delete()
        return handler.values

    assert asyncio.run(follow())[-3:] == [1.5, 2.5, 3.5]


def refused(client_making) -> str:
    """Return the error that connecting or reading ends in; fail where a value comes back."""

    async def attempt():
        client = await client_making()
        try:
            async with client:
                return f"was let in and read {(await read(client, 'Links/agv-01/SinrDownlink')).Value.Value}"
        except ua.UaStatusCodeError as error:
            return type(error).__name__

    return asyncio.run(attempt())


@pytest.mark.parametrize(
    ("user", "password"),
    [(USER, "wrong"), (USER, ""), ("admin", PASSWORD), ("admin", ""), (" ", ""), (USER, PASSWORD + "\0"), (USER, "x" * 5000)],
)
def test_a_wrong_user_or_password_is_refused(server, client_folder, user, password):
    assert refused(lambda: secured(server.endpoint_url, client_folder, user, password)) == "BadUserAccessDenied"


def test_an_anonymous_user_is_refused(server, client_folder):
    assert refused(lambda: secured(server.endpoint_url, client_folder, None)) == "BadIdentityTokenRejected"


def test_a_good_password_in_clear_is_refused(server):
    async def plain():
        client = Client(server.endpoint_url, timeout=10)
        client.set_user(USER)
        client.set_password(PASSWORD)
        return client

    # asyncua's own client finds no endpoint without security and stops; a ruder one is tried below
    with pytest.raises(ua.UaError, match="No matching endpoint"):
        refused(plain)


def test_only_encrypted_endpoints_are_offered(server):
    async def ask():
        return await Client(server.endpoint_url, timeout=10).connect_and_get_server_endpoints()

    endpoints = asyncio.run(ask())
    assert {e.SecurityMode for e in endpoints} == {ua.MessageSecurityMode.SignAndEncrypt}
    assert {e.SecurityPolicyUri.rpartition("#")[2] for e in endpoints} == {
        "Basic256Sha256",
        "Aes128_Sha256_RsaOaep",
        "Aes256_Sha256_RsaPss",
    }
    assert {t.TokenType for e in endpoints for t in e.UserIdentityTokens} == {ua.UserTokenType.UserName}


async def errors_of_a_rude_session(
    client: Client, activation: ua.ActivateSessionParameters | None, token: ua.NodeId | None = None
):
    """Use the services step by step, going on where one is refused; return what each answered."""
    told: dict[str, str] = {}

    async def step(name: str, call) -> None:
        try:
            told[name] = f"was let through: {await call()}"
        except (ua.UaStatusCodeError, ConnectionError, TimeoutError) as error:
            told[name] = type(error).__name__

    await client.connect_socket()
    await client.send_hello()
    await client.open_secure_channel()
    uaclient = client.uaclient
    try:
        if token is None:
            session = ua.CreateSessionParameters(EndpointUrl=client.server_url.geturl(), RequestedSessionTimeout=60_000)
            session.ClientNonce, session.SessionName = b"n" * 32, "rude"
            session.ClientCertificate = client.security_policy.host_certificate
            session.ClientDescription = ua.ApplicationDescription(ApplicationUri=client.application_uri)
            await uaclient.create_session(session)
        else:
            uaclient.protocol.authentication_token = token
        if activation is not None:
            await step("activate", lambda: uaclient.activate_session(activation))
        target = ua.NodeId("Links/agv-01/SinrDownlink", 2)
        value = ua.DataValue(ua.Variant(99.0, ua.VariantType.Double))
        what = ua.ReadValueId(NodeId=target, AttributeId=ua.AttributeIds.Value)
        change = ua.WriteValue(NodeId=target, AttributeId=ua.AttributeIds.Value, Value=value)
        await step("read", lambda: uaclient.read(ua.ReadParameters(NodesToRead=[what])))
        await step("write", lambda: uaclient.write(ua.WriteParameters(NodesToWrite=[change])))
        browse = ua.BrowseDescription(NodeId=ua.NodeId(ua.ObjectIds.ObjectsFolder), ResultMask=63)
        await step("browse", lambda: uaclient.browse(ua.BrowseParameters(NodesToBrowse=[browse])))
    finally:
        client._closing = True
        if client._renew_channel_task is not None:
            client._renew_channel_task.cancel()
        client.disconnect_socket()
    return told


def in_clear(password: str) -> ua.ActivateSessionParameters:
    token = ua.UserNameIdentityToken(PolicyId="username", UserName=USER, Password=password.encode(), EncryptionAlgorithm="")
    return ua.ActivateSessionParameters(UserIdentityToken=token, ClientSignature=ua.SignatureData())


def test_a_session_that_was_never_activated_can_do_nothing(server, client_folder):
    async def attempt():
        return await errors_of_a_rude_session(await secured(server.endpoint_url, client_folder), None)

    assert asyncio.run(attempt()) == dict.fromkeys(("read", "write", "browse"), "BadUserAccessDenied")


def test_a_session_on_the_discovery_channel_can_do_nothing_even_with_the_password(server):
    async def attempt():
        return await errors_of_a_rude_session(Client(server.endpoint_url, timeout=10), in_clear(PASSWORD))

    told = asyncio.run(attempt())
    assert told["activate"] == "BadSecurityModeRejected"
    assert {told[s] for s in ("read", "write", "browse")} <= {"BadSessionNotActivated", "BadUserAccessDenied"}


@pytest.mark.parametrize("encrypted", [True, False])
def test_a_stranger_cannot_take_a_users_session_over(server, client_folder, stranger_folder, encrypted):
    async def attempt():
        async with await secured(server.endpoint_url, client_folder) as user:
            token = user.uaclient.protocol.authentication_token
            stranger = (
                await secured(server.endpoint_url, stranger_folder, None)
                if encrypted
                else Client(server.endpoint_url, timeout=10)
            )
            anonymous = ua.ActivateSessionParameters(
                UserIdentityToken=ua.AnonymousIdentityToken(), ClientSignature=ua.SignatureData()
            )
            told = await errors_of_a_rude_session(stranger, anonymous, token)
            return told, (await read(user, "Links/agv-01/ServingTrp")).Value.Value

    told, still = asyncio.run(attempt())
    assert set(told) == {"activate", "read", "write", "browse"}
    assert not [v for v in told.values() if v.startswith("was let through")]
    assert still == "aisle-west"


def test_a_user_writes_and_calls_nothing(server, client_folder):
    async def attempt():
        told = []
        async with await secured(server.endpoint_url, client_folder) as client:
            node = client.get_node(await node_id(client, "Links/agv-01/SinrDownlink"))
            twin = await node_id(client, "FactoryTwin")
            for act in (
                lambda: node.write_value(99.0),
                lambda: client.get_node(twin).add_variable(ua.NodeId("mine", twin.NamespaceIndex), "mine", 1),
                lambda: client.delete_nodes([node]),
                lambda: client.nodes.server.call_method(ua.NodeId(ua.ObjectIds.Server_GetMonitoredItems), 1),
            ):
                with pytest.raises(ua.UaStatusCodeError) as refusal:
                    await act()
                told.append(type(refusal.value).__name__)
            level = await node.get_access_level()
        return told, level

    told, level = asyncio.run(attempt())
    assert told == ["BadUserAccessDenied"] * 4
    assert level == {ua.AccessLevel.CurrentRead}


def test_it_is_no_discovery_server(server, client_folder):
    async def attempt():
        client = await secured(server.endpoint_url, client_folder)
        async with client:
            request = ua.RegisteredServer(
                ServerUri="urn:somebody", ServerNames=[ua.LocalizedText("x")], DiscoveryUrls=["opc.tcp://x:1"]
            )
            with pytest.raises(ua.UaStatusCodeError) as refusal:
                await client.uaclient.register_server(request)
            found = await client.find_servers()
        return type(refusal.value).__name__, [s.ApplicationUri for s in found]

    name, uris = asyncio.run(attempt())
    assert name == "BadServiceUnsupported"
    assert "urn:somebody" not in uris


def test_insecure_lets_anyone_look_and_nobody_write(tmp_path):
    server = OpcUaServer(OpcUaConfig(port=port_of_its_own(), insecure=True, stale_after_s=3600), tmp_path)
    server.start(demo_view(0, sinr_db=9.0))
    try:

        async def attempt():
            async with Client(server.endpoint_url, timeout=10) as client:
                node = client.get_node(await node_id(client, "Links/agv-01/SinrDownlink"))
                value = await node.read_value()
                with pytest.raises(ua.UaStatusCodeError) as refusal:
                    await node.write_value(1.0)
                return value, type(refusal.value).__name__

        assert asyncio.run(attempt()) == (9.0, "BadUserAccessDenied")
        assert "open to anyone" in server.notices[0]
        assert not (tmp_path / "opcua" / "password.txt").exists()
    finally:
        server.stop()


def test_a_password_is_made_and_told_where_none_is_configured(tmp_path, client_folder):
    server = OpcUaServer(OpcUaConfig(port=port_of_its_own(), trust_any_client=True, stale_after_s=3600), tmp_path)
    server.start(demo_view(0))
    try:
        file = tmp_path / "opcua" / "password.txt"
        assert str(file) in server.notices[0]
        user, password = file.read_text().strip().split(":")

        async def look():
            async with await secured(server.endpoint_url, client_folder, user, password) as client:
                return (await read(client, "Twin/Running")).Value.Value

        assert asyncio.run(look()) is True
    finally:
        server.stop()


def test_a_port_in_use_is_told_with_the_key_to_change(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortInUseError, match=rf"port {port} on 127.0.0.1 is in use .* bridges.opcua.port"):
            OpcUaServer(OpcUaConfig(port=port), tmp_path).start()
    assert not list(tmp_path.iterdir())  # nothing is made before the port is known to be free


def test_the_port_is_free_after_stop(tmp_path):
    config = OpcUaConfig(port=port_of_its_own(), insecure=True, stale_after_s=3600)
    for _ in range(2):
        server = OpcUaServer(config, tmp_path)
        server.start()
        assert server.running
        server.stop()
        assert not server.running
        server.stop()
        server.publish(demo_view(0))  # after the end: no error, no effect


def test_publish_returns_at_once(server):
    times_us = []
    for i in range(100):
        view = demo_view(10_000_000 + i * 100_000)
        begin = time.perf_counter_ns()
        server.publish(view)
        times_us.append((time.perf_counter_ns() - begin) / 1000)
        time.sleep(0.002)
    assert statistics.median(times_us) < 100, f"median {statistics.median(times_us):.0f} us"


def test_a_view_with_numbers_that_are_none_is_shown(server, client_folder):
    view = demo_view(8_000_000, sinr_db=math.inf)
    publish_and_wait(server, view)

    async def look():
        async with await secured(server.endpoint_url, client_folder) as client:
            return (await read(client, "Links/agv-01/SinrDownlink")).StatusCode.name

    assert asyncio.run(look()) == "BadNoData"
