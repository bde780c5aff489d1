"""The address space: which node shows which number of the view.

All nodes are in the namespace ``urn:factory-twin:telemetry`` with string identifiers made of the browse names, below
``Objects/FactoryTwin`` (identifier ``FactoryTwin``). They are part of the interface and stay as they are:

===============================  =====================================================================================
identifier                       children
===============================  =====================================================================================
``Twin``                         Name, Time [s], Running, RealTimeFactor
``Machines/<id>``                Kind, X, Y, Z [m], Heading [rad], Speed [m/s], Mode, Loaded, Battery [0..1], Order
``Links/<device>``               ServingTrp, ServingBeam, SinrDownlink, SinrUplink, Margin [dB], BlockedBy, BodyLoss
                                 [dB], Risk [0..1]
``Services/<name>``              Profile, Availability [0..1], Mtbf [s], PacketErrorRatio [0..1], Up, DownSince [s]
``Zones/<name>``                 People
===============================  =====================================================================================

For example ``nsu=urn:factory-twin:telemetry;s=Links/agv-07/SinrDownlink``. A number that does not exist (SINR without a serving
beam, MTBF before a tenth of an outage is expected) has status BadNoData; everything of a device that left the hall has
BadNotConnected.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, cast

from asyncua import ua
from asyncua.server.server import Server
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes

from bridges.view import TwinView

__all__ = ["NAMESPACE_URI", "TwinNodes"]

NAMESPACE_URI = "urn:factory-twin:telemetry"

# After so many writes, some 0.4 ms, the loop sleeps: clients get their turn, and the tick's thread gets the interpreter. A mere
# yield would not do, for this thread would take the interpreter back before the other one woke.
_BATCH = 50
_PAUSE_S = 0.000_5

_STRING, _BOOL = ua.VariantType.String, ua.VariantType.Boolean
_DOUBLE, _INT, _COUNT = ua.VariantType.Double, ua.VariantType.Int32, ua.VariantType.UInt32

_VALUE = AttributeIds.Value
_GOOD = ua.StatusCode(ua.UInt32(StatusCodes.Good))
_NO_DATA = ua.StatusCode(ua.UInt32(StatusCodes.BadNoData))
_GONE = ua.StatusCode(ua.UInt32(StatusCodes.BadNotConnected))


@dataclass(frozen=True, slots=True)
class _Field:
    """One variable: its browse name, the attribute of the view it shows, its type and what it says."""

    name: str
    attribute: str
    kind: ua.VariantType
    description: str
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class _Folder:
    """One folder of the address space and the part of the view it shows."""

    name: str
    items: Callable[[TwinView], tuple[Any, ...]]
    key: Callable[[Any], str]
    fields: tuple[_Field, ...]


_FOLDERS = (
    _Folder(
        "Machines",
        attrgetter("machines"),
        attrgetter("id"),
        (
            _Field("Kind", "kind", _STRING, "agv or cobot"),
            _Field("X", "x_m", _DOUBLE, "Position along the hall's length [m]"),
            _Field("Y", "y_m", _DOUBLE, "Position along the hall's width [m]"),
            _Field("Z", "z_m", _DOUBLE, "Height above the floor [m]"),
            _Field("Heading", "heading_rad", _DOUBLE, "Turn about the vertical, counter-clockwise from +x [rad]"),
            _Field("Speed", "speed_mps", _DOUBLE, "Speed of an AGV, or of a cobot's tool [m/s]"),
            _Field("Mode", "mode", _STRING, "Word of the mode, for example driving or protective_stop"),
            _Field("Loaded", "loaded", _BOOL, "Carries or holds a load"),
            _Field("Battery", "battery", _DOUBLE, "Charge [0..1]"),
            _Field("Order", "order", _STRING, "Order being worked on, empty for none"),
        ),
    ),
    _Folder(
        "Links",
        attrgetter("links"),
        attrgetter("device"),
        (
            _Field("ServingTrp", "trp", _STRING, "Serving transmission point, empty for none"),
            _Field("ServingBeam", "beam", _INT, "Serving beam at that point, -1 for none"),
            _Field("SinrDownlink", "sinr_dl_db", _DOUBLE, "SINR at the device [dB]"),
            _Field("SinrUplink", "sinr_ul_db", _DOUBLE, "SINR at the transmission point [dB]"),
            _Field("Margin", "margin_db", _DOUBLE, "SINR above what the most demanding service needs [dB]"),
            _Field("BlockedBy", "blocked_by", _STRING, "What stands in the way: person, a machine's id, or empty"),
            _Field("BodyLoss", "body_loss_db", _DOUBLE, "Loss by moving bodies on the serving beam [dB]"),
            _Field("Risk", "risk", _DOUBLE, "Probability that the link falls short within the forecast horizon [0..1]"),
        ),
    ),
    _Folder(
        "Services",
        attrgetter("services"),
        attrgetter("name"),
        (
            _Field("Profile", "profile", _STRING, "Profile of TS 22.104"),
            _Field("Availability", "availability", _DOUBLE, "Communication service availability since the start [0..1]"),
            _Field("Mtbf", "mtbf_s", _DOUBLE, "Mean time between failures [s]"),
            _Field("PacketErrorRatio", "packet_error_ratio", _DOUBLE, "Lost or late messages over all [0..1]"),
            _Field("Up", "up", _BOOL, "The service is up on every device"),
            _Field("DownSince", "down_since_us", _DOUBLE, "Twin time of the present failure's start [s]", 1e-6),
        ),
    ),
    _Folder("Zones", attrgetter("zones"), attrgetter("name"), (_Field("People", "people", _COUNT, "People in the zone"),)),
)

_TWIN = _Folder(
    "Twin",
    lambda view: (view,),
    lambda view: "",
    (
        _Field("Name", "name", _STRING, "Name of the scenario"),
        _Field("Time", "time_us", _DOUBLE, "Twin time since the start [s]", 1e-6),
        _Field("Running", "running", _BOOL, "False while paused"),
        _Field("RealTimeFactor", "real_time_factor", _DOUBLE, "Twin time over wall time"),
    ),
)


def _node_id(identifier: str | int, index: int = 0) -> ua.NodeId:
    """Return a node id; asyncua infers its kind from the identifier, its annotations ask for wrapper types."""
    return ua.NodeId(cast(Any, identifier), cast(Any, index))


class _Item:
    """The variables of one device, and the value each showed last."""

    __slots__ = ("last", "node_ids", "seen")

    def __init__(self, node_ids: list[ua.NodeId]) -> None:
        self.node_ids = node_ids
        self.last: list[Any] = [_Item] * len(node_ids)  # equal to no value, so the first write shows everything
        self.seen = 0


class TwinNodes:
    """Writes views into an address space, one new value per number that changed.

    Parameters
    ----------
    server : an initialised server.
    index : index of :data:`NAMESPACE_URI` in it.
    """

    def __init__(self, server: Server, index: int) -> None:
        self._session = server.iserver.isession
        self._aspace = server.iserver.aspace
        self._index = index
        self._items: dict[tuple[str, str], _Item] = {}
        self._round = 0
        self._getters = {f.name: attrgetter(*(x.attribute for x in f.fields)) for f in (*_FOLDERS, _TWIN)}

    async def make_root(self) -> None:
        """Make the folders below ``Objects``."""
        root = await self._add(_node_id(ObjectIds.ObjectsFolder), "FactoryTwin", "FactoryTwin", ObjectIds.BaseObjectType)
        for folder in _FOLDERS:
            await self._add(root, folder.name, folder.name, ObjectIds.FolderType)
        await self._add_item(_TWIN, "", root)

    async def write(self, view: TwinView, stamp: datetime) -> int:
        """Show a view.

        Parameters
        ----------
        view : what to show.
        stamp : source timestamp, UTC, of every value in it.

        Returns
        -------
        int
            Values written.
        """
        self._round += 1
        written = 0
        for folder in (_TWIN, *_FOLDERS):
            getter = self._getters[folder.name]
            for part in folder.items(view):
                key = folder.key(part)
                item = self._items.get((folder.name, key))
                if item is None:
                    item = await self._add_item(folder, key, _node_id(folder.name, self._index))
                item.seen = self._round
                values = getter(part)
                if len(folder.fields) == 1:
                    values = (values,)
                for i, (field, value) in enumerate(zip(folder.fields, values, strict=True)):
                    if value is not None and field.kind is _DOUBLE:
                        value = float(value) * field.scale if math.isfinite(value) else None
                    if value == item.last[i]:
                        continue
                    item.last[i] = value
                    await self._put(item.node_ids[i], field.kind, value, _NO_DATA if value is None else _GOOD, stamp)
                    written += 1
                    if written % _BATCH == 0:
                        await asyncio.sleep(_PAUSE_S)
        for item in self._items.values():
            if item.seen != self._round and item.last[0] is not _GONE:
                item.last = [_GONE] * len(item.last)
                for node_id in item.node_ids:
                    await self._put(node_id, _STRING, None, _GONE, stamp)
                    written += 1
        return written

    async def _put(self, node_id: ua.NodeId, kind: ua.VariantType, value: Any, status: ua.StatusCode, when: Any) -> None:
        variant = ua.Variant(None, ua.VariantType.Null) if value is None else ua.Variant(value, kind)
        data = ua.DataValue(variant, status, SourceTimestamp=when, ServerTimestamp=when)
        (await self._aspace.write_attribute_value(node_id, _VALUE, data)).check()

    async def _add_item(self, folder: _Folder, key: str, parent: ua.NodeId) -> _Item:
        path = f"{folder.name}/{key}" if key else folder.name
        node = await self._add(parent, path, key or folder.name, ObjectIds.BaseObjectType)
        ids = [await self._add(node, f"{path}/{f.name}", f.name, ObjectIds.BaseDataVariableType, f) for f in folder.fields]
        item = self._items[folder.name, key] = _Item(ids)
        await asyncio.sleep(_PAUSE_S)
        return item

    async def _add(self, parent: ua.NodeId, identifier: str, name: str, type_id: int, field: _Field | None = None) -> ua.NodeId:
        attributes: Any
        if field is None:
            attributes = ua.ObjectAttributes()
            attributes.Description = ua.LocalizedText(name)
        else:
            attributes = ua.VariableAttributes()
            attributes.Description = ua.LocalizedText(field.description)
            attributes.DataType = _node_id(field.kind.value)
            attributes.Value = ua.Variant(None, ua.VariantType.Null)
            attributes.ValueRank = ua.ValueRank.Scalar
            attributes.ArrayDimensions = None
            attributes.AccessLevel = attributes.UserAccessLevel = ua.AccessLevel.CurrentRead.mask
            attributes.Historizing = False
        attributes.DisplayName = ua.LocalizedText(name)
        attributes.WriteMask = attributes.UserWriteMask = 0
        item = ua.AddNodesItem()
        item.RequestedNewNodeId = _node_id(identifier, self._index)
        item.BrowseName = ua.QualifiedName(name, self._index)
        item.NodeClass = ua.NodeClass.Object if field is None else ua.NodeClass.Variable
        item.ParentNodeId = parent
        organizes = type_id == ObjectIds.FolderType or parent.NamespaceIndex == 0
        item.ReferenceTypeId = _node_id(ObjectIds.Organizes if organizes else ObjectIds.HasComponent)
        item.TypeDefinition = _node_id(type_id)
        item.NodeAttributes = attributes
        result = (await self._session.add_nodes([item]))[0]
        result.StatusCode.check()
        return cast(ua.NodeId, result.AddedNodeId)
