"""Machines and robots held against the official NodeSet2 files: every mandatory member is there, with class, type and data type.

Twice: with the types that the server makes itself, and with the official ones loaded.
"""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest
from asyncua import Client, ua
from conftest import HERE, require
from demo_view import demo_view
from nodesets import CORE, FILES, Id, Node, NodeSets

from bridges.config import OpcUaConfig
from bridges.opcua import OpcUaServer

pytestmark = pytest.mark.counterpart

_HIERARCHY = ua.ObjectIds.HierarchicalReferences


@pytest.fixture(scope="module")
def folder():
    path = Path(os.environ.get("FACTORY_TWIN_NODESETS", HERE / "node_modules" / "node-opcua-nodesets" / "nodesets"))
    require(all((path / name).is_file() for name in FILES), "node-opcua-nodesets")
    return path


@pytest.fixture(scope="module", params=["own types", "official types"])
def server(request, folder, tmp_path_factory):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    sets = folder if request.param == "official types" else None
    twin = OpcUaServer(OpcUaConfig(port=port, insecure=True, nodesets_dir=sets), tmp_path_factory.mktemp("state"))
    twin.start(demo_view(0, agvs=1, cobots=1, panels=1))
    yield twin
    twin.stop()


class Space:
    """The address space of a server as a client browses it, in the words of the files."""

    def __init__(self, client: Client, uris: list[str]) -> None:
        self.client, self.uris = client, uris

    def id(self, node: ua.NodeId) -> Id:
        return self.uris[node.NamespaceIndex], f"i={node.Identifier}" if isinstance(
            node.Identifier, int
        ) else f"s={node.Identifier}"

    async def children(self, node):
        found = []
        for ref in await node.get_references(_HIERARCHY, ua.BrowseDirection.Forward):
            name = self.uris[ref.BrowseName.NamespaceIndex], ref.BrowseName.Name
            found.append((name, self.client.get_node(ref.NodeId), ref.NodeClass.name, self.id(ref.TypeDefinition)))
        return found


async def check(space: Space, sets: NodeSets, node, kind: Id, where: str, faults: list[str], counts: dict[str, int]) -> None:
    members, placeholders = sets.demands(kind)
    children = await space.children(node)
    for member in members:
        await check_member(space, sets, children, member, where, faults, counts)
    for place in placeholders:
        wanted = sets.type_of(place.id)
        counts["placeholders"] += 1
        if not any(wanted is not None and sets.is_a(t, wanted) for _, _, _, t in children):
            faults.append(f"{where}: has no {place.name[1]}")
    for name, child, _, child_type in children:
        if child_type in sets.nodes:
            await check(space, sets, child, child_type, f"{where}/{name[1]}", faults, counts)


async def check_member(space: Space, sets: NodeSets, children, member: Node, where: str, faults, counts) -> None:
    counts["members"] += 1
    found = next(((n, c, t) for name, n, c, t in children if name == member.name), None)
    if found is None:
        faults.append(f"{where}: lacks {member.name[1]}")
        return
    node, node_class, kind = found
    wanted = sets.type_of(member.id)
    if node_class != member.node_class:
        faults.append(f"{where}/{member.name[1]}: is a {node_class}, not a {member.node_class}")
    # of the core's types the exact one is asked for, of a companion specification's also a subtype
    if wanted is not None and kind != wanted and (wanted[0] == CORE or not sets.is_a(kind, wanted)):
        faults.append(f"{where}/{member.name[1]}: has type {kind}, not {wanted}")
    if member.data_type is not None and space.id(await node.read_data_type()) != member.data_type:
        faults.append(f"{where}/{member.name[1]}: has another data type than {member.data_type}")
    # what a member's own declaration demands below it, for example the unit of a position
    below, places = {}, {}
    sets.sort_parts(member.id, below, places)
    deeper = await space.children(node)
    for part in below.values():
        await check_member(space, sets, deeper, part, f"{where}/{member.name[1]}", faults, counts)
    for place in places.values():
        wanted_below = sets.type_of(place.id)
        counts["placeholders"] += 1
        if not any(wanted_below is not None and sets.is_a(t, wanted_below) for _, _, _, t in deeper):
            faults.append(f"{where}/{member.name[1]}: has no {place.name[1]}")


def test_every_mandatory_member_is_there(server, folder):
    sets = NodeSets(folder)
    faults: list[str] = []
    counts = {"members": 0, "placeholders": 0, "instances": 0}

    async def look():
        async with Client(server.endpoint_url, timeout=10) as client:
            space = Space(client, await client.get_namespace_array())
            todo, seen = [(client.nodes.objects, "")], set()
            while todo:
                node, path = todo.pop()
                for name, child, node_class, kind in await space.children(node):
                    here = f"{path}/{name[1]}"
                    if child.nodeid in seen or here == "/Server" or node_class not in ("Object", "Variable"):
                        continue
                    seen.add(child.nodeid)
                    if kind in sets.nodes:
                        counts["instances"] += 1
                        await check(space, sets, child, kind, here, faults, counts)
                    todo.append((child, here))

    asyncio.run(look())
    print(counts)
    assert not faults, "\n".join(sorted(set(faults)))
    # a cobot: system, device, controller, software, task, user, safety state, 7 axes, 7 power trains, 7 motors; two machines'
    # plates and state machines; less would mean that the walk missed them
    assert counts["instances"] >= 34
    assert counts["members"] >= 150
