"""Machines and robots under the companion specifications' names; units and ranges; nobody's place or name anywhere."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import time

import pytest
from asyncua import ua
from demo_view import demo_view
from opcua_client import PASSWORDS, node_id, port_of_its_own, secured, user_lines

from bridges.config import OpcUaConfig
from bridges.errors import BridgeError
from bridges.inbox import Inbox
from bridges.opcua import OpcUaServer
from bridges.opcua.companion import DI, MACHINERY, ROBOTICS
from bridges.opcua.machines import item_state, operation_mode, protective_stop
from robots.state import MODES


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    state = tmp_path_factory.mktemp("state")
    (state / "users").write_text(user_lines())
    config = OpcUaConfig(port=port_of_its_own(), user_file=state / "users", trust_any_client=True, stale_after_s=3600)
    twin = OpcUaServer(config, state, Inbox())
    twin.start(demo_view(0, agvs=2, cobots=1, panels=1))
    yield twin
    twin.stop()


@pytest.fixture(scope="module")
def client_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("client")


def use(server, folder, what, user="vera"):
    async def run():
        async with await secured(server.endpoint_url, folder, user, PASSWORDS[user]) as client:
            return await what(client)

    return asyncio.run(run())


def show(server, view):
    before = server.views_shown
    server.publish(view)
    deadline = time.monotonic() + 10
    while server.views_shown == before:
        assert time.monotonic() < deadline
        time.sleep(0.005)


async def paths(client, *steps):
    """Return the node at a path of (namespace URI or "twin", name) below Objects."""
    qualified = []
    for uri, name in steps:
        space = "urn:factory-twin:telemetry" if uri == "twin" else uri
        index = 0 if uri == "" else await client.get_namespace_index(space)
        qualified.append(ua.QualifiedName(name, index))
    return await client.nodes.objects.get_child(qualified)


PLATE = ("Manufacturer", "Model", "ProductCode", "SerialNumber")


def test_a_machine_identifies_itself(server, client_folder):
    async def look(client):
        identification = await paths(client, (MACHINERY, "Machines"), ("twin", "agv-01"), (DI, "Identification"))
        index = await client.get_namespace_index(DI)
        values = {n: await (await identification.get_child(f"{index}:{n}")).read_value() for n in (*PLATE, "ProductInstanceUri")}
        kind = await identification.read_type_definition()
        blocks = await paths(
            client, (MACHINERY, "Machines"), ("twin", "agv-01"), (MACHINERY, "MachineryBuildingBlocks"), (DI, "Identification")
        )
        return values, kind, blocks.nodeid == identification.nodeid, await client.get_namespace_index(MACHINERY)

    values, kind, same, machinery = use(server, client_folder, look)
    assert values["SerialNumber"] == "agv-01"
    assert values["ProductInstanceUri"] == "urn:factory-twin:assembly-hall:agv-01"
    assert "simulated" in values["Manufacturer"].Text
    assert kind == ua.NodeId(1012, machinery)
    assert same, "the building block is the machine's identification itself"


def test_states_follow_the_machine(server, client_folder):
    whole = demo_view(1_000_000, agvs=2, cobots=1, panels=1)

    async def look(client):
        told = []
        for name in ("MachineryItemState", "MachineryOperationMode"):
            current = await paths(
                client,
                *((MACHINERY, "Machines"), ("twin", "agv-01"), (MACHINERY, "MachineryBuildingBlocks"), (MACHINERY, name)),
                ("", "CurrentState"),
            )
            state = client.get_node(await (await current.get_child("0:Id")).read_value())
            told += [(await current.read_value()).Text, (await state.read_browse_name()).Name]
        return told

    for mode, wanted in (
        ("driving", ["Executing"] * 2 + ["Processing"] * 2),
        ("queue", ["NotExecuting"] * 2 + ["Processing"] * 2),
        ("breakdown", ["OutOfService"] * 2 + ["Maintenance"] * 2),
    ):
        first = dataclasses.replace(whole.machines[0], mode=mode)
        show(server, dataclasses.replace(whole, machines=(first, *whole.machines[1:])))
        assert use(server, client_folder, look) == wanted
    show(server, dataclasses.replace(whole, machines=whole.machines[1:]))
    assert use(server, client_folder, look) == ["NotAvailable"] * 2 + ["None"] * 2
    show(server, whole)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_has_a_state(mode):
    machine = dataclasses.replace(demo_view(0).machines[0], mode=mode)
    assert (item_state(machine) == "Executing") == (mode in ("driving", "working", "handover"))
    assert (operation_mode(machine) == "Maintenance") == (mode == "breakdown")
    assert protective_stop(machine) == (mode in ("person_near", "communication"))


SYSTEM = ((DI, "DeviceSet"), ("twin", "cobot-1"))


def test_a_cobot_shows_its_axes_and_safety_state(server, client_folder):
    view = demo_view(2_000_000, agvs=2, cobots=1, panels=1)
    arm = dataclasses.replace(
        view.machines[-1], mode="person_near", joints_rad=tuple(0.1 * j for j in range(7)), speed_scale=0.25
    )
    show(server, dataclasses.replace(view, machines=(*view.machines[:-1], arm)))

    async def look(client):
        device = (*SYSTEM, (ROBOTICS, "MotionDevices"), ("twin", "cobot-1"))
        degrees = []
        for j in range(7):
            axis = (*device, (ROBOTICS, "Axes"), ("twin", f"Axis_{j + 1}"), (DI, "ParameterSet"), (ROBOTICS, "ActualPosition"))
            degrees.append(await (await paths(client, *axis)).read_value())
        unit = await (await paths(client, *axis, ("", "EngineeringUnits"))).read_value()
        override = await paths(client, *device, (DI, "ParameterSet"), (ROBOTICS, "SpeedOverride"))
        safety = (*SYSTEM, (ROBOTICS, "SafetyStates"), ("twin", "SafetyState"), (DI, "ParameterSet"))
        states = [
            await (await paths(client, *safety, (ROBOTICS, n))).read_value()
            for n in ("OperationalMode", "EmergencyStop", "ProtectiveStop")
        ]
        category = await paths(client, *device, (ROBOTICS, "MotionDeviceCategory"))
        data_type = client.get_node(await category.read_data_type())
        return degrees, unit, await override.read_value(), states, (await data_type.read_browse_name()).Name

    degrees, unit, override, states, data_type = use(server, client_folder, look)
    assert degrees == pytest.approx([math.degrees(0.1 * j) for j in range(7)])
    assert (unit.UnitId, unit.DisplayName.Text) == (17476, "°")  # UNECE "DD"
    assert override == 25.0
    assert states == [3, False, True]
    assert data_type == "MotionDeviceCategoryEnumeration"


async def walk(client, start):
    """Yield every node below, with its path of names."""
    seen, todo = set(), [(start, "")]
    while todo:
        node, path = todo.pop()
        if node.nodeid in seen:
            continue
        seen.add(node.nodeid)
        yield node, path
        for reference in await node.get_references(ua.ObjectIds.HierarchicalReferences, ua.BrowseDirection.Forward):
            todo.append((client.get_node(reference.NodeId), f"{path}/{reference.BrowseName.Name}"))


def test_every_number_has_its_unit_and_range(server, client_folder):
    async def look(client):
        missing, count = [], 0
        async for node, path in walk(client, client.get_node(await node_id(client, "FactoryTwin"))):
            if await node.read_node_class() != ua.NodeClass.Variable or node.nodeid.NamespaceIndex == 0:
                continue
            kind = await node.read_data_type()
            if kind != ua.NodeId(ua.ObjectIds.Double) or await node.read_type_definition() == ua.NodeId(
                ua.ObjectIds.PropertyType
            ):
                continue
            count += 1
            unit = await (await node.get_child("0:EngineeringUnits")).read_value()
            span = await (await node.get_child("0:EURange")).read_value()
            if not (unit.DisplayName.Text and unit.UnitId > 0 and span.Low < span.High):
                missing.append(path)
        return missing, count

    missing, count = use(server, client_folder, look)
    assert not missing
    assert count >= 30


@pytest.mark.parametrize("user", sorted(PASSWORDS))
def test_no_role_finds_a_person_anywhere(server, client_folder, user):
    """People appear as counts of zones, as the word in BlockedBy, as settings, and as how well all of them together are known."""

    async def look(client):
        found = []
        async for node, path in walk(client, client.nodes.objects):
            if path.startswith("/Server"):
                continue
            if any(word in path.lower() for word in ("person", "people", "worker", "operator", "pose")):
                value = await node.read_data_value(raise_on_bad_status=False)
                found.append((path, value.Value.Value if value.Value else None))
        return found

    found = use(server, client_folder, look, user)
    values = {path: value for path, value in found if path.endswith("/People")}
    assert values == {"/FactoryTwin/Zones/assembly/People": 5, "/FactoryTwin/Zones/aisle-a/People": 0}
    allowed = ("/FactoryTwin/Zones/", "/FactoryTwin/Alarms/", "/FactoryTwin/Settings/", "/FactoryTwin/Assets/people")
    assert all(path.startswith(allowed) for path, _ in found)


def test_a_missing_nodeset_is_told_by_name(tmp_path):
    (tmp_path / "sets").mkdir()
    config = OpcUaConfig(port=port_of_its_own(), nodesets_dir=tmp_path / "sets")
    with pytest.raises(BridgeError, match=r"Opc\.Ua\.Di\.NodeSet2\.xml: is missing"):
        OpcUaServer(config, tmp_path / "state").start()
