"""Where machines, transmission points and people are, as OPC 10000-210 (Relative Spatial Location, RSL) 1.00 has it.

::

    Objects/RSL:RelativeSpatialLocations/Hall  SpatialObjectsListType with the WorldFrame: the hall's corner, x along its length
    Machines/<id>/SpatialObject                SpatialObjectType as an add-in: PositionFrame of an AGV (centre of its footprint
                                               on the floor) and of a cobot (its base)
    Trps/<name>/SpatialObject                  the same of a panel (its centre, x along the boresight)

A ``PositionFrame`` is a 3DFrame in metres and radians relative to ``Base``, the WorldFrame: A is roll about x, B pitch about y
and C yaw about z, as ISO 9787 has them; a panel that looks down has a positive B. Its parts are variables of their own.

Names, numbers and supertypes of the types are those of the official NodeSet2 file; optional members are left out.

``People/Place_001`` and so on are there where the scenario says ``people_for_safety: true``, for the role safety alone
(:mod:`bridges.opcua.rights`). A place is whoever stands at it: numbers follow the places from the hall's origin along x, so none
of them stays anybody's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from asyncua import ua
from asyncua.ua.object_ids import ObjectIds

from bridges.opcua.cells import Cell
from bridges.opcua.nodes import TwinNodes
from bridges.opcua.rights import PEOPLE
from bridges.opcua.space import BAD_GONE, BAD_NO_DATA, GOOD, UNCERTAIN, Analog, node_id
from bridges.view import TwinView

if TYPE_CHECKING:
    from asyncua.server.server import Server

__all__ = ["RSL", "SpatialNodes"]

RSL = "http://opcfoundation.org/UA/RSL/"

Pose = tuple[float, float, float, float, float, float]
"""x, y, z [m] and rotations A, B, C about x, y, z [rad]."""

_FRAME, _RPY, _SPATIAL_OBJECT, _LIST, _ENTRY = 2004, 2005, 1002, 1003, 5001
# number, name, supertype, data type, whether it is abstract; supertypes above 10,000 and BaseDataVariableType are the core's
_VARIABLE_TYPES = (
    (2002, "RelativeValueType", ObjectIds.BaseDataVariableType, ObjectIds.BaseDataType, True),
    (2003, "SpatialLocationType", 2002, ObjectIds.BaseDataType, True),
    (_FRAME, "CartesianFrameAngleOrientationType", 2003, ObjectIds.ThreeDFrame, False),
    (_RPY, "RpyOrientationType", ObjectIds.OrientationType, ObjectIds.ThreeDOrientation, False),
)
_OBJECT_TYPES = ((_SPATIAL_OBJECT, "SpatialObjectType"), (_LIST, "SpatialObjectsListType"))
_DOUBLE, _STRUCTURE, _ID = ua.VariantType.Double, ua.VariantType.ExtensionObject, ua.VariantType.NodeId
_STRING = ua.VariantType.String
_METRE = Analog("MTR", "m", "metre", 0.0, 200.0)
_RADIAN = Analog("C81", "rad", "radian", -math.pi, math.pi)
_HEADS = Analog("IE", "persons", "person", 0.0, 1000.0)
_AXES = (("X", "along the hall's length"), ("Y", "along its width"), ("Z", "above the floor"))
_TURNS = (("A", "Roll about x"), ("B", "Pitch about y"), ("C", "Yaw about z"))


@dataclass(slots=True)
class _Frame:
    """The nodes of one PositionFrame and what they show: whole frame, position, its three numbers, orientation, its three."""

    nodes: list[ua.NodeId] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    last: list[Any] = field(default_factory=lambda: [None] * 9)
    code: ua.StatusCode | None = None


class SpatialNodes:
    """Makes the nodes and writes places into them.

    Parameters
    ----------
    server : an initialised server. nodes : the twin's own nodes, which are written first.
    people : whether places of people are shown to the role safety.
    """

    def __init__(self, server: Server, nodes: TwinNodes, people: bool) -> None:
        self._server, self._nodes, self._space = server, nodes, nodes.space
        self._people = people
        self._frames: dict[str, _Frame] = {}
        self._rsl = 0
        self._world = node_id("Spatial/Hall/WorldFrame", nodes.index)
        self._version = 0

    async def make(self, scenario: str) -> None:
        """Make types, entry point and the list of the hall's objects."""
        index, space = self._nodes.index, self._space
        self._rsl = await self._server.register_namespace(RSL)
        for number, name, above, data, abstract in _VARIABLE_TYPES:
            attributes: Any = ua.VariableTypeAttributes()
            attributes.Description = ua.LocalizedText(name)
            attributes.DataType, attributes.ValueRank, attributes.IsAbstract = node_id(data), ua.ValueRank.Scalar, abstract
            parent = node_id(above, self._rsl if 2000 < above < 2010 else 0)
            await self._type(parent, number, name, ua.NodeClass.VariableType, attributes)
        for number, name in _OBJECT_TYPES:
            attributes = ua.ObjectTypeAttributes()
            attributes.Description, attributes.IsAbstract = ua.LocalizedText(name), False
            await self._type(node_id(ObjectIds.BaseObjectType), number, name, ua.NodeClass.ObjectType, attributes)
        entry = await space.object(
            node_id(ObjectIds.ObjectsFolder),
            node_id(_ENTRY, self._rsl),
            self._name("RelativeSpatialLocations"),
            ObjectIds.FolderType,
            ObjectIds.Organizes,
        )
        hall = await self._make_list(entry, "Spatial/Hall", "Hall", scenario)
        self._write(await self._make_frame(hall, "WorldFrame", None), (0.0,) * 6, GOOD, None, datetime.now(UTC))
        if self._people:
            people = await space.object(
                self._nodes.root,
                node_id(PEOPLE, index),
                ua.QualifiedName(PEOPLE, index),
                ObjectIds.FolderType,
                ObjectIds.Organizes,
            )
            await space.variable(
                people,
                node_id(f"{PEOPLE}/Count", index),
                ua.QualifiedName("Count", index),
                ua.VariantType.UInt32,
                0,
                "People in the hall; as many of the places below are taken",
                _HEADS,
            )

    async def write(self, view: TwinView, stamp: datetime) -> int:
        """Show a view; returns the values written."""
        seen, written, now = set(), 0, datetime.now(UTC)
        for key, pose in _poses(view):
            frame = await self._of(key)
            seen.add(key)
            written += self._write(frame, pose, GOOD, stamp, now)
        if self._people:
            count = node_id(f"{PEOPLE}/Count", self._nodes.index)
            await self._space.put(count, ua.VariantType.UInt32, len(view.people), GOOD, stamp)
            for k, person in enumerate(view.people):
                key = f"{PEOPLE}/Place_{k + 1:03d}"
                seen.add(key)
                pose = (person.x_m, person.y_m, 0.0, 0.0, 0.0, person.heading_rad)
                written += self._write(await self._of(key), pose, GOOD, stamp, now)
                if k % 10 == 9:
                    await self._nodes.pause()
        for key, frame in self._frames.items():
            if key not in seen:
                # nobody stands at a place: there is no number; a machine that left is no longer connected
                code = BAD_NO_DATA if key.startswith(f"{PEOPLE}/") else BAD_GONE
                written += self._write(frame, None, code, stamp, now)
        return written

    async def mark_stale(self) -> None:
        """Say of every place that it is the last one known."""
        for frame in self._frames.values():
            if frame.code != GOOD:
                continue
            for node in frame.nodes:
                await self._space.put_status(node, UNCERTAIN)
            frame.last = [None] * len(frame.last)
            await self._nodes.pause()

    def _write(self, frame: _Frame, pose: Pose | None, code: ua.StatusCode, stamp: datetime | None, now: datetime) -> int:
        if pose is None:
            if frame.code == code:
                return 0
            for cell in frame.cells:
                cell.show(None, code, stamp, now)
            frame.last, frame.code = [None] * len(frame.last), code
            return len(frame.cells)
        frame.code = code
        x, y, z, a, b, c = pose
        written = 0
        for i, value in enumerate((pose, pose[:3], x, y, z, pose[3:], a, b, c)):
            if frame.last[i] != value:
                frame.last[i] = value
                frame.cells[i].show(value, code, stamp, now)
                written += 1
        return written

    async def _of(self, key: str) -> _Frame:
        """Return the frame of a machine, a transmission point or a place, made where it is the first time."""
        frame = self._frames.get(key)
        if frame is not None:
            return frame
        index, space = self._nodes.index, self._space
        owner = node_id(key, index)
        if not space.has(owner):  # a place of a person; machines and transmission points are there already
            name = ua.QualifiedName(key.rpartition("/")[2], index)
            await space.object(node_id(PEOPLE, index), owner, name, ObjectIds.BaseObjectType, ObjectIds.HasComponent)
        located = await space.object(
            owner,
            node_id(f"{key}/SpatialObject", index),
            self._name("SpatialObject"),
            node_id(_SPATIAL_OBJECT, self._rsl),
            ObjectIds.HasAddIn,
        )
        await space.property(located, self._name("Identifier"), _STRING, key)
        frame = await self._make_frame(located, "PositionFrame", self._world)
        self._frames[key] = frame
        if not key.startswith(f"{PEOPLE}/"):
            await space.reference(node_id("Spatial/Hall", index), ObjectIds.Organizes, located, ua.NodeClass.Object)
            self._version += 1
            version = node_id("Spatial/Hall/NodeVersion", index)
            await space.put(version, _STRING, str(self._version), GOOD, None)
        await self._nodes.pause()
        return frame

    async def _make_list(self, parent: ua.NodeId, identifier: str, name: str, scenario: str) -> ua.NodeId:
        index = self._nodes.index
        made = await self._space.object(
            parent,
            node_id(identifier, index),
            ua.QualifiedName(name, index),
            node_id(_LIST, self._rsl),
            ObjectIds.Organizes,
            "Everything in the hall that has a place",
        )
        await self._space.property(made, self._name("Identifier"), _STRING, scenario)
        await self._space.property(made, "NodeVersion", _STRING, "0")
        return made

    async def _make_frame(self, parent: ua.NodeId, name: str, base: ua.NodeId | None) -> _Frame:
        """Make a CartesianFrameAngleOrientationType variable (clause 7.3) with its parts."""
        path, index, space = f"{parent.Identifier!s}/{name}", self._nodes.index, self._space
        frame = _Frame()

        async def variable(
            above: ua.NodeId, below: str, browse: ua.QualifiedName, text: str, data: int, kind: ua.NodeId | int
        ) -> ua.NodeId:
            node = node_id(f"{path}{below}", index)
            made = await space.variable(above, node, browse, _STRUCTURE, None, text, type_id=kind, data_type=node_id(data))
            frame.nodes.append(made)
            frame.cells.append(space.cell(made, _STRUCTURE, _MADE[data]))
            return made

        text = "Position and orientation relative to Base [m, rad]"
        whole = await variable(parent, "", self._name(name), text, ObjectIds.ThreeDFrame, node_id(_FRAME, self._rsl))
        await space.variable(
            whole,
            node_id(f"{path}/Base", index),
            self._name("Base"),
            _ID,
            base or ua.NodeId(),
            "Frame that this one is relative to",
        )
        position = await variable(
            whole,
            "/Position",
            self._name("Position"),
            "Position [m]",
            ObjectIds.ThreeDCartesianCoordinates,
            ObjectIds.ThreeDCartesianCoordinatesType,
        )
        await space.property(position, "LengthUnit", _STRUCTURE, _METRE.unit, ObjectIds.EUInformation)
        for axis, words in _AXES:
            made = await self._number(position, f"{path}/Position/{axis}", ua.QualifiedName(axis, 0), words, _METRE)
            frame.nodes.append(made)
            frame.cells.append(space.cell(made, _DOUBLE))
        orientation = await variable(
            whole,
            "/Orientation",
            self._name("Orientation"),
            "Orientation [rad]",
            ObjectIds.ThreeDOrientation,
            node_id(_RPY, self._rsl),
        )
        await space.property(orientation, "AngleUnit", _STRUCTURE, _RADIAN.unit, ObjectIds.EUInformation)
        for turn, words in _TURNS:
            made = await self._number(orientation, f"{path}/Orientation/{turn}", self._name(turn), words, _RADIAN)
            frame.nodes.append(made)
            frame.cells.append(space.cell(made, _DOUBLE))
        return frame

    async def _number(self, parent: ua.NodeId, path: str, name: ua.QualifiedName, text: str, analog: Analog) -> ua.NodeId:
        return await self._space.variable(
            parent,
            node_id(path, self._nodes.index),
            name,
            _DOUBLE,
            None,
            f"{text} [{analog.symbol}]",
            analog,
            type_id=ObjectIds.BaseDataVariableType,
        )

    def _name(self, name: str) -> ua.QualifiedName:
        return ua.QualifiedName(name, self._rsl)

    async def _type(self, parent: ua.NodeId, number: int, name: str, node_class: ua.NodeClass, attributes: Any) -> None:
        node = node_id(number, self._rsl)
        await self._space.add(parent, node, self._name(name), node_class, attributes, None, ObjectIds.HasSubtype)


def _coordinates(place: tuple[float, float, float]) -> ua.ThreeDCartesianCoordinates:
    x, y, z = (ua.Double(v) for v in place)
    return ua.ThreeDCartesianCoordinates(X=x, Y=y, Z=z)


def _orientation(turn: tuple[float, float, float]) -> ua.ThreeDOrientation:
    a, b, c = (ua.Double(v) for v in turn)
    return ua.ThreeDOrientation(A=a, B=b, C=c)


def _frame(pose: Pose) -> ua.ThreeDFrame:
    return ua.ThreeDFrame(CartesianCoordinates=_coordinates(pose[:3]), Orientation=_orientation(pose[3:]))


_MADE: dict[int, Callable[[Any], Any]] = {
    ObjectIds.ThreeDFrame: _frame,
    ObjectIds.ThreeDCartesianCoordinates: _coordinates,
    ObjectIds.ThreeDOrientation: _orientation,
}


def _poses(view: TwinView) -> Iterable[tuple[str, Pose]]:
    for machine in view.machines:
        yield f"Machines/{machine.id}", (machine.x_m, machine.y_m, machine.z_m, 0.0, 0.0, machine.heading_rad)
    for trp in view.trps:
        yield f"Trps/{trp.name}", (trp.x_m, trp.y_m, trp.z_m, 0.0, trp.downtilt_rad, trp.azimuth_rad)
