"""A walk through the whole address space as each role: no place of a person where it must not be.

Once through all services that tell a value, in the process; and once by real clients on encrypted connections.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json

import pytest
from asyncua import ua
from asyncua.ua.object_ids import ObjectIds
from opcua_client import PASSWORDS, node_id, port_of_its_own, secured, user_lines

from bridges.config import OpcUaConfig
from bridges.inbox import Inbox
from bridges.opcua import OpcUaServer
from bridges.opcua.rights import concerns_people
from bridges.opcua.sample import sample_view
from bridges.view import PoseView

# numbers that occur nowhere else, so that finding one of them is finding the person
X_M, Y_M, HEADING_RAD = 31.415926, 27.182818, 1.6180339
POSITION = "People/Place_001/SpatialObject/PositionFrame/Position/X"


def peopled():
    return dataclasses.replace(sample_view(), people=(PoseView(X_M, Y_M, HEADING_RAD),))


def gives_away(value) -> bool:
    """Tell whether a value of any kind holds one of the person's numbers."""
    if isinstance(value, float):
        return any(abs(value - secret) < 1e-3 for secret in (X_M, Y_M, HEADING_RAD))
    if isinstance(value, list | tuple):
        return any(gives_away(v) for v in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return any(gives_away(getattr(value, f.name)) for f in dataclasses.fields(value))
    return isinstance(value, str) and any(f"{secret:.3f}" in value for secret in (X_M, Y_M, HEADING_RAD))


def walk(hall, role):
    """Return all nodes that browsing finds from the root, in both directions, and all values of all of their attributes."""
    session, root = hall.session(role), ua.NodeId(ObjectIds.RootFolder)
    seen, todo, leaks = {root}, [root], []

    async def run():
        while todo:
            batch = [todo.pop() for _ in range(min(len(todo), 100))]
            what = [ua.BrowseDescription(n, ua.BrowseDirection.Both, ua.NodeId(), True, 0, 63) for n in batch]
            for result in await session.browse(ua.BrowseParameters(NodesToBrowse=what)):
                for reference in result.References:
                    if reference.NodeId not in seen:
                        seen.add(reference.NodeId)
                        todo.append(reference.NodeId)
        reads = [ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value) for node in seen]
        own = [node for node in seen if node.NamespaceIndex]  # the core's own nodes have nothing but a value that could change
        reads += [ua.ReadValueId(NodeId=node, AttributeId=a) for node in own for a in ua.AttributeIds]
        for k in range(0, len(reads), 5000):
            part = reads[k : k + 5000]
            for what, data in zip(part, await session.read(ua.ReadParameters(NodesToRead=part)), strict=True):
                if data.Value is not None and gives_away(data.Value.Value):
                    leaks.append(what.NodeId)

    hall.run(run())
    return seen, leaks


@pytest.mark.parametrize("role", ["viewer", "engineer"])
def test_nobody_else_finds_a_place(hall, role):
    hall.show(peopled())
    seen, leaks = walk(hall, role)
    assert not leaks
    assert not any(concerns_people(node) for node in seen)
    assert len(seen) > 5000, "less would mean that the walk missed the types and the server's own nodes"


def test_safety_finds_places_in_their_folder_and_nowhere_else(hall):
    hall.show(peopled())
    _, leaks = walk(hall, "safety")
    assert {str(node.Identifier).split("/")[0] for node in leaks} == {"People"}
    assert len(set(leaks)) == 6  # frame, position, X, Y, orientation, C


def test_a_guess_of_every_identifier_is_in_vain(hall):
    hall.show(peopled())
    hidden = [node for node in hall.sample.nodes if concerns_people(node)]
    hidden += [node for node in hall.guarded.aspace.keys() if concerns_people(node) and node not in hidden]
    session = hall.session("engineer")
    reads = [ua.ReadValueId(NodeId=node, AttributeId=a) for node in hidden for a in ua.AttributeIds]
    results = hall.run(session.read(ua.ReadParameters(NodesToRead=reads)))
    assert {r.StatusCode.name for r in results} == {"BadNodeIdUnknown"}
    assert len(hidden) > 20


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    state = tmp_path_factory.mktemp("state")
    (state / "users").write_text(user_lines())
    config = OpcUaConfig(
        port=port_of_its_own(), user_file=state / "users", trust_any_client=True, stale_after_s=3600, people_for_safety=True
    )
    twin = OpcUaServer(config, state, Inbox())
    twin.start(peopled())
    yield twin
    twin.stop()


@pytest.fixture(scope="module")
def client_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("client")


def use(server, folder, user, what):
    async def run():
        async with await secured(server.endpoint_url, folder, user, PASSWORDS[user]) as client:
            return await what(client)

    return asyncio.run(run())


async def status_of(client, identifier):
    node = client.get_node(await node_id(client, identifier))
    return (await node.read_data_value(raise_on_bad_status=False)).StatusCode.name


def test_over_the_wire_only_safety_reads_a_place(server, client_folder):
    async def look(client):
        root = client.get_node(await node_id(client, "FactoryTwin"))
        names = [(await child.read_browse_name()).Name for child in await root.get_children()]
        return await status_of(client, POSITION), "People" in names

    assert use(server, client_folder, "sara", look) == ("Good", True)
    assert use(server, client_folder, "vera", look) == ("BadNodeIdUnknown", False)


def test_the_audit_log_tells_who_looked_at_people(server, client_folder):
    async def look(client):
        return [await status_of(client, POSITION) for _ in range(3)]

    log = server._guarded.audit.path
    before = log.read_text().count("see people")
    assert use(server, client_folder, "sara", look) == ["Good"] * 3
    assert use(server, client_folder, "vera", look) == ["BadNodeIdUnknown"] * 3
    lines = [json.loads(line) for line in log.read_text().splitlines() if "see people" in line]
    assert len(lines) == before + 1
    assert {(line["user"], line["role"], line["target"]) for line in lines} == {("sara", "safety", "People")}


def test_over_the_wire_a_session_that_changes_its_user_loses_sight(server, client_folder):
    async def look(client):
        before = await status_of(client, POSITION)
        number = (await client.uaclient.create_subscription(ua.CreateSubscriptionParameters(), lambda _: None)).SubscriptionId
        item = ua.MonitoredItemCreateRequest(
            ItemToMonitor=ua.ReadValueId(NodeId=await node_id(client, POSITION), AttributeId=ua.AttributeIds.Value),
            MonitoringMode=ua.MonitoringMode.Reporting,
            RequestedParameters=ua.MonitoringParameters(ClientHandle=1, QueueSize=1),
        )
        params = ua.CreateMonitoredItemsParameters(SubscriptionId=number, ItemsToCreate=[item])
        made = (await client.uaclient.create_monitored_items(params))[0]
        await client.activate_session(username="vera", password=PASSWORDS["vera"])
        after = await status_of(client, POSITION)
        gone = await client.uaclient.delete_monitored_items(
            ua.DeleteMonitoredItemsParameters(SubscriptionId=number, MonitoredItemIds=[made.MonitoredItemId])
        )
        return before, made.StatusCode.name, after, gone[0].name

    assert use(server, client_folder, "sara", look) == ("Good", "Good", "BadNodeIdUnknown", "BadMonitoredItemIdInvalid")


def test_over_the_wire_browsing_goes_on_page_by_page(server, client_folder):
    async def look(client):
        node = await node_id(client, "FactoryTwin")
        what = ua.BrowseDescription(node, ua.BrowseDirection.Forward, ua.NodeId(), True, 0, 63)
        params = ua.BrowseParameters(RequestedMaxReferencesPerNode=3, NodesToBrowse=[what])
        result = (await client.uaclient.browse(params))[0]
        sizes, names = [len(result.References)], [r.BrowseName.Name for r in result.References]
        while result.ContinuationPoint:
            params = ua.BrowseNextParameters(ReleaseContinuationPoints=False, ContinuationPoints=[result.ContinuationPoint])
            result = (await client.uaclient.browse_next(params))[0]
            sizes.append(len(result.References))
            names += [r.BrowseName.Name for r in result.References]
        return sizes, names

    sizes, names = use(server, client_folder, "vera", look)
    assert set(sizes[:-1]) == {3}
    assert {"Machines", "Links", "Services", "Trps", "Zones", "Twin"} <= set(names)
    assert "People" not in names
    assert len(names) == len(set(names))
