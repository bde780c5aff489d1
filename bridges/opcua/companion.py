"""Types of the companion specifications that the machines' nodes are instances of.

OPC 10000-100 (DI), OPC 40001-1 (Machinery) and OPC 40010-1 (Robotics). Where the person at the keyboard has the official NodeSet2
files and names their folder, they are loaded as they are; else the few types that are used are made here, with the names, numbers
and supertypes of the official files but without optional members, so that a client finds the same type definitions either way.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asyncua import ua
from asyncua.ua.object_ids import ObjectIds

from bridges.errors import BridgeError
from bridges.opcua.space import Space, node_id

if TYPE_CHECKING:
    from asyncua.server.server import Server

__all__ = ["DI", "ITEM_STATES", "MACHINERY", "OPERATION_MODES", "ROBOTICS", "Companion", "Robot"]

DI = "http://opcfoundation.org/UA/DI/"
IA = "http://opcfoundation.org/UA/IA/"
MACHINERY = "http://opcfoundation.org/UA/Machinery/"
ROBOTICS = "http://opcfoundation.org/UA/Robotics/"

_log = logging.getLogger(__name__)

# files of the OPC Foundation's repository, in the order in which one needs the other
_FILES = ("Opc.Ua.Di.NodeSet2.xml", "Opc.Ua.IA.NodeSet2.xml", "Opc.Ua.Machinery.NodeSet2.xml", "Opc.Ua.Robotics.NodeSet2.xml")
_CORE = "http://opcfoundation.org/UA/"


class Robot:
    """Numbers of OPC 40010-1's types in its namespace."""

    system = 1002
    controller = 1003
    device = 1004
    task_control = 1011
    safety_state = 1013
    motor = 1019
    axis = 16601
    power_train = 16794
    user = 18175
    operational_mode = 3006
    motion_profile = 3008
    category = 18193


ITEM_STATES = {"NotAvailable": 5005, "OutOfService": 5004, "NotExecuting": 5007, "Executing": 5006}
"""States of a machine (OPC 40001-1 clause 10) and the numbers of their nodes."""

OPERATION_MODES = {"None": 5024, "Maintenance": 5025, "Setup": 5027, "Processing": 5026}
"""Operation modes of a machine (OPC 40001-1 clause 11) and the numbers of their nodes."""

# namespace, number, name, supertype
_TYPES = (
    (DI, 1001, "TopologyElementType", (_CORE, 58)),
    (DI, 15063, "ComponentType", (DI, 1001)),
    (DI, 15106, "SoftwareType", (DI, 15063)),
    (DI, 1005, "FunctionalGroupType", (_CORE, 61)),
    (MACHINERY, 1004, "MachineryItemIdentificationType", (DI, 1005)),
    (MACHINERY, 1012, "MachineIdentificationType", (MACHINERY, 1004)),
    (MACHINERY, 1002, "MachineryItemState_StateMachineType", (_CORE, 2771)),
    (MACHINERY, 1008, "MachineryOperationModeStateMachineType", (_CORE, 2771)),
    (ROBOTICS, Robot.system, "MotionDeviceSystemType", (DI, 15063)),
    (ROBOTICS, Robot.controller, "ControllerType", (DI, 15063)),
    (ROBOTICS, Robot.device, "MotionDeviceType", (DI, 15063)),
    (ROBOTICS, Robot.task_control, "TaskControlType", (DI, 15063)),
    (ROBOTICS, Robot.safety_state, "SafetyStateType", (DI, 15063)),
    (ROBOTICS, Robot.motor, "MotorType", (DI, 15063)),
    (ROBOTICS, Robot.axis, "AxisType", (DI, 15063)),
    (ROBOTICS, Robot.power_train, "PowerTrainType", (DI, 15063)),
    (ROBOTICS, Robot.user, "UserType", (_CORE, 58)),
)

# type, state's number, number of its StateNumber, value
_STATES = (
    (
        1002,
        ITEM_STATES,
        {"NotAvailable": (6039, 0), "OutOfService": (6038, 1), "NotExecuting": (6041, 2), "Executing": (6040, 3)},
    ),
    (1008, OPERATION_MODES, {"None": (6059, 0), "Maintenance": (6060, 1), "Setup": (6062, 2), "Processing": (6061, 3)}),
)

# number, name, number of EnumStrings, values from 0 on
_ENUMERATIONS = (
    (
        Robot.operational_mode,
        "OperationalModeEnumeration",
        6022,
        ("OTHER", "MANUAL_REDUCED_SPEED", "MANUAL_HIGH_SPEED", "AUTOMATIC", "AUTOMATIC_EXTERNAL"),
    ),
    (
        Robot.motion_profile,
        "AxisMotionProfileEnumeration",
        6027,
        ("OTHER", "ROTARY", "ROTARY_ENDLESS", "LINEAR", "LINEAR_ENDLESS"),
    ),
    (
        Robot.category,
        "MotionDeviceCategoryEnumeration",
        18194,
        (
            *("OTHER", "ARTICULATED_ROBOT", "SCARA_ROBOT", "CARTESIAN_ROBOT"),
            *("SPHERICAL_ROBOT", "PARALLEL_ROBOT", "CYLINDRICAL_ROBOT"),
        ),
    ),
)


class Companion:
    """The companion specifications' namespaces, types and entry points in one server.

    Parameters
    ----------
    server : an initialised server.
    space : its address space.

    Attributes
    ----------
    index : namespace indices by URI, from :meth:`load` on.
    official : whether the types come from the official files.
    """

    def __init__(self, server: Server, space: Space) -> None:
        self._server = server
        self._space = space
        self.index: dict[str, int] = {_CORE: 0}
        self.official = False

    def id(self, uri: str, number: int) -> ua.NodeId:
        """Return the id of a node with a number in one of the namespaces."""
        return node_id(number, self.index[uri])

    def name(self, uri: str, name: str) -> ua.QualifiedName:
        """Return a browse name in one of the namespaces."""
        return ua.QualifiedName(name, self.index[uri])

    async def load(self, folder: Path | None) -> None:
        """Make the types.

        Parameters
        ----------
        folder : where the official NodeSet2 files are; None to make what is needed of them.

        Raises
        ------
        BridgeError
            A file is missing, or is no such file.
        """
        if folder is not None:
            await self._import(folder)
        for uri in (DI, MACHINERY, ROBOTICS):
            self.index[uri] = await self._server.register_namespace(uri)
        if folder is None:
            await self._make_types()

    async def _import(self, folder: Path) -> None:
        for name in _FILES:
            path = folder / name
            if not path.is_file():
                raise BridgeError(
                    f"{path}: is missing; bridges.opcua.nodesets_dir holds {', '.join(_FILES)}, "
                    "as the OPC Foundation publishes them"
                )
            try:
                await self._server.import_xml(str(path), strict_mode=False)
            except Exception as error:  # whatever asyncua meets in a file, the person must hear which one it is
                raise BridgeError(f"{path}: cannot be loaded as a NodeSet2 file: {error}") from error
        self.official = True

    async def _make_types(self) -> None:
        space = self._space
        for uri, number, name, (super_uri, super_number) in _TYPES:
            await self._add(self.id(super_uri, super_number), self.id(uri, number), self.name(uri, name), ua.NodeClass.ObjectType)
        for type_number, numbers, states in _STATES:
            for name, (number_id, value) in states.items():
                state = await space.object(
                    self.id(MACHINERY, type_number),
                    self.id(MACHINERY, numbers[name]),
                    self.name(MACHINERY, name),
                    ObjectIds.StateType,
                )
                await space.variable(
                    state,
                    self.id(MACHINERY, number_id),
                    ua.QualifiedName("StateNumber", 0),
                    ua.VariantType.UInt32,
                    value,
                    type_id=ObjectIds.PropertyType,
                    reference=ObjectIds.HasProperty,
                )
        for number, name, strings_number, strings in _ENUMERATIONS:
            enumeration = self.id(ROBOTICS, number)
            await self._add(node_id(ObjectIds.Enumeration), enumeration, self.name(ROBOTICS, name), ua.NodeClass.DataType)
            await space.variable(
                enumeration,
                self.id(ROBOTICS, strings_number),
                ua.QualifiedName("EnumStrings", 0),
                ua.VariantType.LocalizedText,
                [ua.LocalizedText(text) for text in strings],
                type_id=ObjectIds.PropertyType,
                reference=ObjectIds.HasProperty,
                rank=ua.ValueRank.OneDimension,
            )
        objects = node_id(ObjectIds.ObjectsFolder)
        for uri, number, name, kind in (
            (DI, 5001, "DeviceSet", ObjectIds.BaseObjectType),
            (MACHINERY, 1001, "Machines", ObjectIds.FolderType),
        ):
            await space.object(objects, self.id(uri, number), self.name(uri, name), kind, ObjectIds.Organizes)

    async def _add(self, parent: ua.NodeId, node: ua.NodeId, name: ua.QualifiedName, node_class: ua.NodeClass) -> None:
        attributes: Any = ua.ObjectTypeAttributes() if node_class == ua.NodeClass.ObjectType else ua.DataTypeAttributes()
        attributes.Description = ua.LocalizedText(str(name.Name))
        attributes.IsAbstract = False
        await self._space.add(parent, node, name, node_class, attributes, None, ObjectIds.HasSubtype)

    @property
    def device_set(self) -> ua.NodeId:
        """Where motion device systems are."""
        return self.id(DI, 5001)

    @property
    def machines(self) -> ua.NodeId:
        """Where machines are."""
        return self.id(MACHINERY, 1001)
