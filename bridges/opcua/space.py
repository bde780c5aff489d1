"""Making nodes and writing values, told once for all parts of the address space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from asyncua import ua
from asyncua.server.internal_server import InternalServer
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes

from bridges.opcua.cells import Cell

__all__ = ["BAD_GONE", "BAD_NO_DATA", "GOOD", "UNCERTAIN", "Analog", "Space", "node_id", "status"]


def status(code: int) -> ua.StatusCode:
    """Return a status code."""
    return ua.StatusCode(ua.UInt32(code))


GOOD, BAD_NO_DATA, BAD_GONE = status(StatusCodes.Good), status(StatusCodes.BadNoData), status(StatusCodes.BadNotConnected)
UNCERTAIN = status(StatusCodes.UncertainLastUsableValue)


def node_id(identifier: str | int, index: int = 0) -> ua.NodeId:
    """Return a node id; asyncua infers its kind from the identifier, its annotations ask for wrapper types."""
    return ua.NodeId(cast(Any, identifier), cast(Any, index))


@dataclass(frozen=True, slots=True)
class Analog:
    """Unit and range of a number (OPC 10000-8 clause 5.3.2.3).

    Attributes
    ----------
    code : UNECE Recommendation 20 common code, for example ``MTR``.
    symbol, name : as people write and say the unit.
    low, high : range that the value normally stays in; a percent dead-band is a share of it.
    """

    code: str
    symbol: str
    name: str
    low: float
    high: float

    @property
    def unit(self) -> ua.EUInformation:
        """The unit; its number is made of the code's characters (OPC 10000-8 clause 5.6.3.3)."""
        number = int.from_bytes(self.code.encode(), "big") if self.code else -1
        return ua.EUInformation(
            NamespaceUri="http://www.opcfoundation.org/UA/units/un/cefact" if self.code else "urn:factory-twin:units",
            UnitId=number,
            DisplayName=ua.LocalizedText(self.symbol),
            Description=ua.LocalizedText(self.name),
        )

    @property
    def range(self) -> ua.Range:
        """The range."""
        return ua.Range(Low=self.low, High=self.high)


class Space:
    """The address space of one server.

    Parameters
    ----------
    iserver : its internal server, initialised.
    """

    def __init__(self, iserver: InternalServer) -> None:
        self._session = iserver.isession
        self._aspace = iserver.aspace

    def has(self, node: ua.NodeId) -> bool:
        """Tell whether a node is there."""
        return node in self._aspace

    async def object(
        self,
        parent: ua.NodeId,
        node: ua.NodeId,
        name: ua.QualifiedName,
        type_id: ua.NodeId | int = ObjectIds.BaseObjectType,
        reference: ua.NodeId | int = ObjectIds.HasComponent,
        text: str = "",
    ) -> ua.NodeId:
        """Make an object and return its id."""
        attributes = ua.ObjectAttributes()
        attributes.Description = ua.LocalizedText(text or str(name.Name))
        attributes.EventNotifier = ua.Byte(0)
        return await self.add(parent, node, name, ua.NodeClass.Object, attributes, type_id, reference)

    async def variable(
        self,
        parent: ua.NodeId,
        node: ua.NodeId,
        name: ua.QualifiedName,
        kind: ua.VariantType,
        value: Any = None,
        text: str = "",
        analog: Analog | None = None,
        *,
        type_id: ua.NodeId | int | None = None,
        reference: ua.NodeId | int = ObjectIds.HasComponent,
        data_type: ua.NodeId | None = None,
        rank: int = ua.ValueRank.Scalar,
        writable: bool = False,
        historizing: bool = False,
    ) -> ua.NodeId:
        """Make a variable, with unit and range where it is analog, and return its id."""
        attributes: Any = ua.VariableAttributes()
        attributes.Description = ua.LocalizedText(text or str(name.Name))
        attributes.DataType = data_type or node_id(kind.value)
        attributes.Value = ua.Variant(None, ua.VariantType.Null) if value is None else ua.Variant(value, kind)
        attributes.ValueRank = rank
        attributes.ArrayDimensions = None if rank == ua.ValueRank.Scalar else [0]
        access = ua.AccessLevel.CurrentRead.mask | (ua.AccessLevel.CurrentWrite.mask if writable else 0)
        access |= ua.AccessLevel.HistoryRead.mask if historizing else 0
        attributes.AccessLevel = attributes.UserAccessLevel = access
        attributes.Historizing = historizing
        if type_id is None:
            type_id = ObjectIds.AnalogUnitRangeType if analog is not None else ObjectIds.BaseDataVariableType
        made = await self.add(parent, node, name, ua.NodeClass.Variable, attributes, type_id, reference)
        if analog is not None:
            await self.property(made, "EngineeringUnits", ua.VariantType.ExtensionObject, analog.unit, ObjectIds.EUInformation)
            await self.property(made, "EURange", ua.VariantType.ExtensionObject, analog.range, ObjectIds.Range)
        return made

    async def property(
        self,
        parent: ua.NodeId,
        name: str | ua.QualifiedName,
        kind: ua.VariantType,
        value: Any,
        data_type: ua.NodeId | int | None = None,
        rank: int = ua.ValueRank.Scalar,
    ) -> ua.NodeId:
        """Make a property of a node with a string identifier, named after it, and return its id."""
        qualified = name if isinstance(name, ua.QualifiedName) else ua.QualifiedName(name, 0)
        node = node_id(f"{parent.Identifier!s}/{qualified.Name}", parent.NamespaceIndex)
        return await self.variable(
            parent,
            node,
            qualified,
            kind,
            value,
            type_id=ObjectIds.PropertyType,
            reference=ObjectIds.HasProperty,
            data_type=node_id(data_type) if isinstance(data_type, int) else data_type,
            rank=rank,
        )

    async def method(self, parent: ua.NodeId, node: ua.NodeId, name: str, text: str) -> ua.NodeId:
        """Make a method without arguments and return its id."""
        attributes = ua.MethodAttributes()
        attributes.Description = ua.LocalizedText(text)
        attributes.Executable = attributes.UserExecutable = True
        qualified = ua.QualifiedName(name, node.NamespaceIndex)
        return await self.add(parent, node, qualified, ua.NodeClass.Method, attributes, None, ObjectIds.HasComponent)

    async def arguments(self, method: ua.NodeId, which: str, arguments: Sequence[ua.Argument]) -> None:
        """Describe the arguments of a method; ``which`` is ``InputArguments`` or ``OutputArguments``."""
        await self.property(
            method, which, ua.VariantType.ExtensionObject, list(arguments), ObjectIds.Argument, ua.ValueRank.OneDimension
        )

    async def reference(
        self, source: ua.NodeId, kind: int, target: ua.NodeId, target_class: ua.NodeClass, both: bool = True
    ) -> None:
        """Add a reference, and its inverse where not said otherwise."""
        items = []
        ways = ((source, target, True), (target, source, False)) if both else ((source, target, True),)
        for begin, end, forward in ways:
            items.append(ua.AddReferencesItem(begin, node_id(kind), forward, TargetNodeId=end, TargetNodeClass=target_class))
        for result in await self._session.add_references(items):
            result.check()

    def cell(self, node: ua.NodeId, kind: ua.VariantType, make: Callable[[Any], Any] | None = None) -> Cell:
        """Return the value of a variable that changes with every view; ``make`` as in :class:`bridges.opcua.cells.Cell`."""
        return Cell(self._aspace[node].attributes[AttributeIds.Value], kind, make)

    async def put(self, node: ua.NodeId, kind: ua.VariantType, value: Any, code: ua.StatusCode, when: datetime | None) -> None:
        """Write a value with its source timestamp; None writes none, with the status alone."""
        variant = ua.Variant(None, ua.VariantType.Null) if value is None else ua.Variant(value, kind)
        data = ua.DataValue(variant, code, SourceTimestamp=cast(Any, when), ServerTimestamp=cast(Any, datetime.now(UTC)))
        (await self._aspace.write_attribute_value(node, AttributeIds.Value, data)).check()

    async def put_status(self, node: ua.NodeId, code: ua.StatusCode) -> None:
        """Give a value another status; value and source timestamp stay."""
        old = self._aspace.read_attribute_value(node, AttributeIds.Value)
        data = ua.DataValue(old.Value, code, old.SourceTimestamp, cast(Any, datetime.now(UTC)))
        (await self._aspace.write_attribute_value(node, AttributeIds.Value, data)).check()

    def value(self, node: ua.NodeId) -> Any:
        """Return the value of a variable."""
        data = self._aspace.read_attribute_value(node, AttributeIds.Value)
        return data.Value.Value if data.Value is not None else None

    def allow_events(self, node: ua.NodeId) -> None:
        """Let clients subscribe to the events of an object."""
        bit = ua.DataValue(ua.Variant(ua.EventNotifier.SubscribeToEvents.mask, ua.VariantType.Byte))
        self._aspace[node].attributes[AttributeIds.EventNotifier].value = bit

    async def add(
        self,
        parent: ua.NodeId,
        node: ua.NodeId,
        name: ua.QualifiedName,
        node_class: ua.NodeClass,
        attributes: Any,
        type_id: ua.NodeId | int | None,
        reference: ua.NodeId | int,
    ) -> ua.NodeId:
        """Make a node of any class with the attributes of its class, and return its id."""
        attributes.DisplayName = ua.LocalizedText(str(name.Name))
        attributes.WriteMask = attributes.UserWriteMask = 0
        item = ua.AddNodesItem()
        item.RequestedNewNodeId = node
        item.BrowseName = name
        item.NodeClass = node_class
        item.ParentNodeId = parent
        item.ReferenceTypeId = reference if isinstance(reference, ua.NodeId) else node_id(reference)
        if type_id is not None:
            item.TypeDefinition = type_id if isinstance(type_id, ua.NodeId) else node_id(type_id)
        item.NodeAttributes = attributes
        result = (await self._session.add_nodes([item]))[0]
        result.StatusCode.check()
        return cast(ua.NodeId, result.AddedNodeId)
