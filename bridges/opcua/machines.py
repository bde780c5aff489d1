"""AGVs and cobots as OPC 40001-1 machines, and cobots as OPC 40010-1 motion device systems.

The machines are the nodes ``Machines/<id>`` of the twin's own namespace, seen from the companion specification's entry points::

    Objects/Machinery:Machines/<id>            Identification, MachineryBuildingBlocks (Identification, MachineryItemState,
                                               MachineryOperationMode)
    Objects/DI:DeviceSet/<cobot>               MotionDevices/<cobot> (Axes, PowerTrains, ParameterSet/SpeedOverride),
                                               Controllers/Controller, SafetyStates/SafetyState

The arms are simulated: motors have no temperature (status BadNotSupported), and the maker says so. An AGV is no motion device:
the specification is of manipulators. Of a machine that left the hall the state is NotAvailable, and all else has BadNotConnected.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from asyncua import ua
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes

from bridges.opcua.cells import Cell
from bridges.opcua.companion import DI, ITEM_STATES, MACHINERY, OPERATION_MODES, ROBOTICS, Companion, Robot
from bridges.opcua.nodes import TwinNodes
from bridges.opcua.space import BAD_GONE, BAD_NO_DATA, GOOD, UNCERTAIN, Analog, node_id, status
from bridges.view import MachineView, TwinView

__all__ = ["MachineNodes", "item_state", "operation_mode", "protective_stop"]

_MAKER = "factory-twin (simulated)"
_JOINT = Analog("DD", "°", "degree [unit of angle]", -180.0, 180.0)
_CELSIUS = Analog("CEL", "°C", "degree Celsius", -20.0, 120.0)
_TEXT, _STRING, _BOOL = ua.VariantType.LocalizedText, ua.VariantType.String, ua.VariantType.Boolean
_DOUBLE, _INT = ua.VariantType.Double, ua.VariantType.Int32
_AUTOMATIC, _ROTARY, _ARTICULATED = 3, 1, 1  # of OPC 40010-1's enumerations

_STATE_OF_MODE = {
    "driving": "Executing",
    "working": "Executing",
    "handover": "Executing",
    "breakdown": "OutOfService",
}


def item_state(machine: MachineView) -> str:
    """Return the MachineryItemState: what neither works nor is broken waits for something, so it is NotExecuting."""
    return _STATE_OF_MODE.get(machine.mode, "NotExecuting")


def operation_mode(machine: MachineView) -> str:
    """Return the MachineryOperationMode: a machine that is being repaired is in Maintenance, all others produce."""
    return "Maintenance" if machine.mode == "breakdown" else "Processing"


def protective_stop(machine: MachineView) -> bool:
    """Tell whether a machine stands for the safety of people, or because its command stream is overdue (ISO 10218-1, 3.14)."""
    return machine.mode in ("person_near", "communication", "protective_stop")


@dataclass(slots=True)
class _Bound:
    """A node and where its value comes from; ``gone`` is what it shows when the machine has left, None for a bad status."""

    node: ua.NodeId
    cell: Cell
    of: Callable[[MachineView], Any]
    gone: Any = None
    last: Any = None  # a value with its status; None before the first


class MachineNodes:
    """Makes the nodes and writes views into them.

    Parameters
    ----------
    nodes : the twin's own nodes, which are written first.
    companion : types and entry points.
    scenario : name of the scenario, part of the machines' URIs.
    """

    def __init__(self, nodes: TwinNodes, companion: Companion, scenario: str) -> None:
        self._nodes, self._space, self._companion = nodes, nodes.space, companion
        self._scenario = scenario
        self._bound: dict[str, list[_Bound]] = {}

    async def write(self, view: TwinView, stamp: datetime) -> int:
        """Show a view; returns the values written."""
        written = 0
        now = datetime.now(UTC)
        present = {}
        for machine in view.machines:
            present[machine.id] = machine
            if machine.id not in self._bound:
                await self._make(machine)
        for key, bound in self._bound.items():
            here = present.get(key)
            for item in bound:
                value = item.of(here) if here is not None else item.gone
                code = GOOD if value is not None else BAD_NO_DATA if here is not None else BAD_GONE
                if (value, code) == item.last:
                    continue
                item.last = (value, code)
                item.cell.show(value, code, stamp, now)
                written += 1
                if written % 50 == 0:
                    await self._nodes.pause()
        return written

    async def mark_stale(self) -> None:
        """Say of every value that it is the last one known; the next view says otherwise."""
        for bound in self._bound.values():
            for item in bound:
                if item.last is not None and item.last[1] == GOOD:
                    await self._space.put_status(item.node, UNCERTAIN)
                    item.last = None
            await self._nodes.pause()

    def _bind(
        self, bound: list[_Bound], node: ua.NodeId, kind: ua.VariantType, of: Callable[[MachineView], Any], gone: Any = None
    ) -> None:
        bound.append(_Bound(node, self._space.cell(node, kind), of, gone))

    async def _make(self, machine: MachineView) -> None:
        bound = self._bound[machine.id] = []
        node = node_id(f"Machines/{machine.id}", self._nodes.index)
        await self._space.reference(self._companion.machines, ObjectIds.Organizes, node, ua.NodeClass.Object)
        identification = await self._identification(node, machine)
        blocks = await self._object(node, MACHINERY, "MachineryBuildingBlocks", ObjectIds.FolderType)
        await self._space.reference(blocks, ObjectIds.HasAddIn, identification, ua.NodeClass.Object)
        await self._state_machine(blocks, "MachineryItemState", 1002, ITEM_STATES, item_state, "NotAvailable", bound)
        await self._state_machine(blocks, "MachineryOperationMode", 1008, OPERATION_MODES, operation_mode, "None", bound)
        if machine.kind == "cobot":
            await self._system(machine, bound)
        await self._nodes.pause()

    async def _object(self, parent: ua.NodeId, uri: str, name: str, kind: ua.NodeId | int, reference: int = 0) -> ua.NodeId:
        node = node_id(f"{parent.Identifier!s}/{name}", self._nodes.index)
        return await self._space.object(parent, node, self._companion.name(uri, name), kind, reference or ObjectIds.HasComponent)

    async def _own(self, parent: ua.NodeId, name: str, kind: ua.NodeId) -> ua.NodeId:
        """Make an object with a name of the twin's."""
        node = node_id(f"{parent.Identifier!s}/{name}", self._nodes.index)
        return await self._space.object(parent, node, ua.QualifiedName(name, self._nodes.index), kind)

    async def _property(
        self, parent: ua.NodeId, uri: str, name: str, kind: ua.VariantType, value: Any, data: int = 0
    ) -> ua.NodeId:
        data_type = self._companion.id(ROBOTICS, data) if data else None
        return await self._space.property(parent, self._companion.name(uri, name), kind, value, data_type)

    async def _variable(
        self, parent: ua.NodeId, name: str, kind: ua.VariantType, value: Any = None, analog: Analog | None = None, data: int = 0
    ) -> ua.NodeId:
        return await self._space.variable(
            parent,
            node_id(f"{parent.Identifier!s}/{name}", self._nodes.index),
            self._companion.name(ROBOTICS, name),
            kind,
            value,
            analog=analog,
            # the Robotics specification has its values as AnalogUnitType; the range is there beside the unit
            type_id=ObjectIds.AnalogUnitType if analog is not None else None,
            data_type=self._companion.id(ROBOTICS, data) if data else None,
        )

    async def _plate(self, parent: ua.NodeId, model: str, code: str, serial: str) -> None:
        """Say who made a component: members of DI's ComponentType."""
        await self._property(parent, DI, "Manufacturer", _TEXT, ua.LocalizedText(_MAKER))
        await self._property(parent, DI, "Model", _TEXT, ua.LocalizedText(model))
        await self._property(parent, DI, "ProductCode", _STRING, code)
        await self._property(parent, DI, "SerialNumber", _STRING, serial)

    async def _identification(self, machine_node: ua.NodeId, machine: MachineView) -> ua.NodeId:
        kind = self._companion.id(MACHINERY, 1012)
        node = await self._object(machine_node, DI, "Identification", kind, ObjectIds.HasAddIn)
        await self._plate(node, _model(machine), machine.kind, machine.id)
        uri = f"urn:factory-twin:{self._scenario}:{machine.id}"
        await self._property(node, DI, "ProductInstanceUri", _STRING, uri)
        await self._property(node, DI, "ComponentName", _TEXT, ua.LocalizedText(machine.id))
        return node

    async def _state_machine(
        self,
        parent: ua.NodeId,
        name: str,
        kind: int,
        states: dict[str, int],
        of: Callable[[MachineView], str],
        gone: str,
        bound: list[_Bound],
    ) -> None:
        node = await self._object(parent, MACHINERY, name, self._companion.id(MACHINERY, kind), ObjectIds.HasAddIn)
        current = await self._space.variable(
            node,
            node_id(f"{node.Identifier!s}/CurrentState", self._nodes.index),
            ua.QualifiedName("CurrentState", 0),
            _TEXT,
            type_id=ObjectIds.FiniteStateVariableType,
        )
        number = await self._space.property(current, "Id", ua.VariantType.NodeId, None)
        texts = {state: ua.LocalizedText(state) for state in states}
        ids = {state: self._companion.id(MACHINERY, i) for state, i in states.items()}
        self._bind(bound, current, _TEXT, lambda m: texts[of(m)], texts[gone])
        self._bind(bound, number, ua.VariantType.NodeId, lambda m: ids[of(m)], ids[gone])

    async def _system(self, machine: MachineView, bound: list[_Bound]) -> None:
        of, index = self._companion.id, self._nodes.index
        system = await self._space.object(
            self._companion.device_set,
            node_id(f"Robotics/{machine.id}", index),
            ua.QualifiedName(machine.id, index),
            of(ROBOTICS, Robot.system),
        )
        devices, controllers, safety = [
            await self._object(system, ROBOTICS, name, ObjectIds.FolderType)
            for name in ("MotionDevices", "Controllers", "SafetyStates")
        ]
        await self._device(devices, machine, bound)
        await self._controller(controllers, machine)
        state = await self._own(safety, "SafetyState", of(ROBOTICS, Robot.safety_state))
        parameters = await self._object(state, DI, "ParameterSet", ObjectIds.BaseObjectType)
        mode = await self._variable(parameters, "OperationalMode", _INT, data=Robot.operational_mode)
        self._bind(bound, mode, _INT, lambda m: _AUTOMATIC)
        stop = await self._variable(parameters, "EmergencyStop", _BOOL)
        self._bind(bound, stop, _BOOL, lambda m: m.mode == "emergency_stop")
        stop = await self._variable(parameters, "ProtectiveStop", _BOOL)
        self._bind(bound, stop, _BOOL, protective_stop)

    async def _device(self, parent: ua.NodeId, machine: MachineView, bound: list[_Bound]) -> None:
        of = self._companion.id
        device = await self._own(parent, machine.id, of(ROBOTICS, Robot.device))
        await self._plate(device, _model(machine), machine.kind, machine.id)
        await self._property(device, ROBOTICS, "MotionDeviceCategory", _INT, _ARTICULATED, Robot.category)
        parameters = await self._object(device, DI, "ParameterSet", ObjectIds.BaseObjectType)
        override = await self._variable(parameters, "SpeedOverride", _DOUBLE)
        self._bind(bound, override, _DOUBLE, lambda m: None if m.speed_scale is None else 100.0 * m.speed_scale)
        axes = await self._object(device, ROBOTICS, "Axes", ObjectIds.FolderType)
        trains = await self._object(device, ROBOTICS, "PowerTrains", ObjectIds.FolderType)
        for j in range(len(machine.joints_rad)):
            await self._axis(axes, j, bound)
            await self._power_train(trains, j, machine)

    async def _axis(self, axes: ua.NodeId, j: int, bound: list[_Bound]) -> None:
        axis = await self._own(axes, f"Axis_{j + 1}", self._companion.id(ROBOTICS, Robot.axis))
        await self._property(axis, ROBOTICS, "MotionProfile", _INT, _ROTARY, Robot.motion_profile)
        parameters = await self._object(axis, DI, "ParameterSet", ObjectIds.BaseObjectType)
        position = await self._variable(parameters, "ActualPosition", _DOUBLE, analog=_JOINT)
        self._bind(bound, position, _DOUBLE, lambda m: math.degrees(m.joints_rad[j]) if j < len(m.joints_rad) else None)

    async def _power_train(self, trains: ua.NodeId, j: int, machine: MachineView) -> None:
        of = self._companion.id
        train = await self._own(trains, f"PowerTrain_{j + 1}", of(ROBOTICS, Robot.power_train))
        motor = await self._own(train, "Motor", of(ROBOTICS, Robot.motor))
        await self._plate(motor, "joint motor", "motor", f"{machine.id}-{j + 1}")
        parameters = await self._object(motor, DI, "ParameterSet", ObjectIds.BaseObjectType)
        temperature = await self._variable(parameters, "MotorTemperature", _DOUBLE, analog=_CELSIUS)
        await self._space.put(temperature, _DOUBLE, None, status(StatusCodes.BadNotSupported), None)

    async def _controller(self, parent: ua.NodeId, machine: MachineView) -> None:
        of = self._companion.id
        controller = await self._own(parent, "Controller", of(ROBOTICS, Robot.controller))
        await self._plate(controller, "twin's controller", "controller", machine.id)
        user = await self._object(controller, ROBOTICS, "CurrentUser", of(ROBOTICS, Robot.user))
        await self._property(user, ROBOTICS, "Level", _STRING, "none")
        software = await self._object(controller, ROBOTICS, "Software", ObjectIds.FolderType)
        twin = await self._own(software, "Twin", of(DI, 15106))
        await self._property(twin, DI, "Manufacturer", _TEXT, ua.LocalizedText(_MAKER))
        await self._property(twin, DI, "Model", _TEXT, ua.LocalizedText("factory-twin"))
        await self._property(twin, DI, "SoftwareRevision", _STRING, self._nodes.software_revision)
        tasks = await self._object(controller, ROBOTICS, "TaskControls", ObjectIds.FolderType)
        task = await self._own(tasks, "TaskControl", of(ROBOTICS, Robot.task_control))
        await self._property(task, DI, "ComponentName", _TEXT, ua.LocalizedText("TaskControl"))
        parameters = await self._object(task, DI, "ParameterSet", ObjectIds.BaseObjectType)
        await self._variable(parameters, "TaskProgramLoaded", _BOOL, True)
        await self._variable(parameters, "TaskProgramName", _STRING, "pick and place")


def _model(machine: MachineView) -> str:
    return "KUKA LBR iiwa 14, model" if machine.kind == "cobot" else "AGV, model"
