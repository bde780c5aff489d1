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
BadNotConnected; where no view came for two seconds, all values are UncertainLastUsableValue.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from operator import attrgetter
from typing import Any

from asyncua import ua
from asyncua.server.server import Server
from asyncua.ua.object_ids import ObjectIds

from bridges.opcua.history import History
from bridges.opcua.space import BAD_GONE, BAD_NO_DATA, GOOD, UNCERTAIN, Analog, Space, node_id
from bridges.view import TwinView

__all__ = ["NAMESPACE_URI", "PAUSE_S", "TwinNodes"]

NAMESPACE_URI = "urn:factory-twin:telemetry"

# After so many writes, some 0.4 ms, the loop sleeps: clients get their turn, and the tick's thread gets the interpreter. A mere
# yield would not do, for this thread would take the interpreter back before the other one woke.
_BATCH = 50
PAUSE_S = 0.000_5

_STRING, _BOOL = ua.VariantType.String, ua.VariantType.Boolean
_DOUBLE, _INT, _COUNT = ua.VariantType.Double, ua.VariantType.Int32, ua.VariantType.UInt32

# Ranges are what a value normally stays within; percent dead-bands are shares of them.
_ALONG = Analog("MTR", "m", "metre", 0.0, 200.0)
_HEIGHT = Analog("MTR", "m", "metre", 0.0, 10.0)
_TURN = Analog("C81", "rad", "radian", -math.pi, math.pi)
_SPEED = Analog("MTS", "m/s", "metre per second", 0.0, 3.0)
_SHARE = Analog("C62", "1", "one", 0.0, 1.0)
_LEVEL = Analog("2N", "dB", "decibel", -30.0, 60.0)
_LOSS = Analog("2N", "dB", "decibel", 0.0, 60.0)
_WHILE = Analog("SEC", "s", "second", 0.0, 86_400.0)
_FACTOR = Analog("C62", "1", "one", 0.0, 20.0)
_HEADS = Analog("IE", "persons", "person", 0.0, 100.0)


@dataclass(frozen=True, slots=True)
class _Field:
    """One variable: its browse name, the attribute of the view it shows, its type and what it says."""

    name: str
    attribute: str
    kind: ua.VariantType
    description: str
    analog: Analog | None = None
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
            _Field("X", "x_m", _DOUBLE, "Position along the hall's length [m]", _ALONG),
            _Field("Y", "y_m", _DOUBLE, "Position along the hall's width [m]", _ALONG),
            _Field("Z", "z_m", _DOUBLE, "Height above the floor [m]", _HEIGHT),
            _Field("Heading", "heading_rad", _DOUBLE, "Turn about the vertical, counter-clockwise from +x [rad]", _TURN),
            _Field("Speed", "speed_mps", _DOUBLE, "Speed of an AGV, or of a cobot's tool [m/s]", _SPEED),
            _Field("Mode", "mode", _STRING, "Word of the mode, for example driving or protective_stop"),
            _Field("Loaded", "loaded", _BOOL, "Carries or holds a load"),
            _Field("Battery", "battery", _DOUBLE, "Charge [0..1]", _SHARE),
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
            _Field("SinrDownlink", "sinr_dl_db", _DOUBLE, "SINR at the device [dB]", _LEVEL),
            _Field("SinrUplink", "sinr_ul_db", _DOUBLE, "SINR at the transmission point [dB]", _LEVEL),
            _Field("Margin", "margin_db", _DOUBLE, "SINR above what the most demanding service needs [dB]", _LEVEL),
            _Field("BlockedBy", "blocked_by", _STRING, "What stands in the way: person, a machine's id, or empty"),
            _Field("BodyLoss", "body_loss_db", _DOUBLE, "Loss by moving bodies on the serving beam [dB]", _LOSS),
            _Field("Risk", "risk", _DOUBLE, "Probability that the link falls short within the forecast horizon [0..1]", _SHARE),
        ),
    ),
    _Folder(
        "Services",
        attrgetter("services"),
        attrgetter("name"),
        (
            _Field("Profile", "profile", _STRING, "Profile of TS 22.104"),
            _Field("Availability", "availability", _DOUBLE, "Communication service availability since the start [0..1]", _SHARE),
            _Field("Mtbf", "mtbf_s", _DOUBLE, "Mean time between failures [s]", _WHILE),
            _Field("PacketErrorRatio", "packet_error_ratio", _DOUBLE, "Lost or late messages over all [0..1]", _SHARE),
            _Field("Up", "up", _BOOL, "The service is up on every device"),
            _Field("DownSince", "down_since_us", _DOUBLE, "Twin time of the present failure's start [s]", _WHILE, 1e-6),
        ),
    ),
    _Folder(
        "Zones", attrgetter("zones"), attrgetter("name"), (_Field("People", "people", _COUNT, "People in the zone", _HEADS),)
    ),
)

_TWIN = _Folder(
    "Twin",
    lambda view: (view,),
    lambda view: "",
    (
        _Field("Name", "name", _STRING, "Name of the scenario"),
        _Field("Time", "time_us", _DOUBLE, "Twin time since the start [s]", _WHILE, 1e-6),
        _Field("Running", "running", _BOOL, "False while paused"),
        _Field("RealTimeFactor", "real_time_factor", _DOUBLE, "Twin time over wall time", _FACTOR),
    ),
)


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
    history : where the services' numbers are kept; None for nowhere.

    Attributes
    ----------
    space : where nodes are made.
    root : node ``FactoryTwin``, from :meth:`make_root` on.
    software_revision : version of this program.
    """

    def __init__(self, server: Server, index: int, history: History | None = None) -> None:
        self.space = Space(server.iserver)
        self.software_revision = version("factory-twin")
        self.history = history
        self.index = index
        self._items: dict[tuple[str, str], _Item] = {}
        self._round = 0
        self._getters = {f.name: attrgetter(*(x.attribute for x in f.fields)) for f in (*_FOLDERS, _TWIN)}

    async def make_root(self) -> None:
        """Make the folders below ``Objects``."""
        root = self.root = await self._add(
            node_id(ObjectIds.ObjectsFolder), "FactoryTwin", "FactoryTwin", ObjectIds.BaseObjectType
        )
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
                    item = await self._add_item(folder, key, node_id(folder.name, self.index))
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
                    if self.history is not None and folder.name == "Services" and field.analog is not None:
                        self.history.record(str(item.node_ids[i].Identifier), stamp, value)
                    await self.space.put(item.node_ids[i], field.kind, value, BAD_NO_DATA if value is None else GOOD, stamp)
                    written += 1
                    if written % _BATCH == 0:
                        await asyncio.sleep(PAUSE_S)
        for item in self._items.values():
            if item.seen != self._round and item.last[0] is not BAD_GONE:
                item.last = [BAD_GONE] * len(item.last)
                for node in item.node_ids:
                    await self.space.put(node, _STRING, None, BAD_GONE, stamp)
                    written += 1
        return written

    async def mark_stale(self) -> int:
        """Say of every value that it is the last one known, for no view has come for a while; the next view says otherwise.

        Returns
        -------
        int
            Values marked.
        """
        marked = 0
        for item in self._items.values():
            if item.last[0] is BAD_GONE:
                continue
            for i in range(len(item.last)):
                if item.last[i] is not None:
                    await self.space.put_status(item.node_ids[i], UNCERTAIN)
                    marked += 1
                    if marked % _BATCH == 0:
                        await asyncio.sleep(PAUSE_S)
            item.last = [_Item] * len(item.last)
        return marked

    async def _add_item(self, folder: _Folder, key: str, parent: ua.NodeId) -> _Item:
        path = f"{folder.name}/{key}" if key else folder.name
        node = await self._add(parent, path, key or folder.name, ObjectIds.BaseObjectType)
        ids = [
            await self.space.variable(
                node,
                node_id(f"{path}/{f.name}", self.index),
                ua.QualifiedName(f.name, self.index),
                f.kind,
                text=f.description,
                analog=f.analog,
                historizing=self.history is not None and folder.name == "Services" and f.analog is not None,
            )
            for f in folder.fields
        ]
        item = self._items[folder.name, key] = _Item(ids)
        await asyncio.sleep(PAUSE_S)
        return item

    async def _add(self, parent: ua.NodeId, identifier: str, name: str, type_id: int) -> ua.NodeId:
        organizes = type_id == ObjectIds.FolderType or parent.NamespaceIndex == 0
        reference = ObjectIds.Organizes if organizes else ObjectIds.HasComponent
        return await self.space.object(
            parent, node_id(identifier, self.index), ua.QualifiedName(name, self.index), type_id, reference
        )
