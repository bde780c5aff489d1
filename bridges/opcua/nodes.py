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
                                 RiskIn500ms, RiskIn1s, RiskIn2s [0..1]; LastOutage, LastOutageDuration [s],
                                 LastOutageService, -Cause, -BlockedBy, -Trp
``Services/<name>``              Profile, Availability [0..1], Mtbf [s], PacketErrorRatio [0..1], Up, DownSince [s];
                                 LastOutage, LastOutageDuration [s], LastOutageDevice, -Cause, -BlockedBy, -Trp
``Trps/<name>``                  InService, Health, Shortfall [dB], LoadDownlink, LoadUplink [0..1], CarrierFrequency [Hz], Beams,
                                 ServedDevices, ServingBeams, SecondDevices, SecondBeams, X, Y, Z [m], Azimuth, Downtilt [rad]
``Zones/<name>``                 People
``Assets/<id>``                  Kind, Known, Fresh, Age, AgeP95 [s], Offset, OffsetP95, Sigma [m], Skill, Innovation
``Advice/<kind>_<target>``       Kind, Target, Value, Reason, Risk [0..1], Since [s], Act; for engineers and safety alone
===============================  =====================================================================================

For example ``nsu=urn:factory-twin:telemetry;s=Links/agv-07/SinrDownlink``. A number that does not exist (SINR without a serving
beam, MTBF before a tenth of an outage is expected) has status BadNoData; everything of a device that left the hall, and of advice
that was withdrawn, has BadNotConnected; where no view came for two seconds, all values are UncertainLastUsableValue.
"""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from asyncua import ua
from asyncua.server.server import Server
from asyncua.ua.object_ids import ObjectIds

from bridges.opcua.cells import Cell
from bridges.opcua.fields import FOLDERS, TWIN, Field, Folder
from bridges.opcua.history import History
from bridges.opcua.space import BAD_GONE, BAD_NO_DATA, GOOD, UNCERTAIN, Space, node_id
from bridges.view import TwinView

__all__ = ["NAMESPACE_URI", "PAUSE_S", "TwinNodes"]

NAMESPACE_URI = "urn:factory-twin:telemetry"

# After so many writes, some 0.4 ms, the loop sleeps: clients get their turn, and the tick's thread gets the interpreter. A mere
# yield would not do, for this thread would take the interpreter back before the other one woke.
_BATCH = 50
PAUSE_S = 0.000_5
"""How long the loop sleeps then, where nothing else is said [s]."""

_DOUBLE = ua.VariantType.Double


class _Item:
    """The variables of one device, and the value each showed last."""

    __slots__ = ("cells", "last", "node_ids", "seen")

    def __init__(self, node_ids: list[ua.NodeId], cells: list[Cell]) -> None:
        self.node_ids = node_ids
        self.cells = cells
        self.last: list[Any] = [_Item] * len(node_ids)  # equal to no value, so the first write shows everything
        self.seen = 0


class TwinNodes:
    """Writes views into an address space, one new value per number that changed.

    Parameters
    ----------
    server : an initialised server.
    index : index of :data:`NAMESPACE_URI` in it.
    history : where the services' numbers are kept; None for nowhere.
    pause_s : how long to sleep after a batch of writes, for the tick's sake; 0 where no tick shares the interpreter [s].

    Attributes
    ----------
    space : where nodes are made.
    root : node ``FactoryTwin``, from :meth:`make_root` on.
    software_revision : version of this program.
    serving : whether clients may be connected; until then nobody is kept waiting, so nothing pauses.
    """

    def __init__(self, server: Server, index: int, history: History | None = None, pause_s: float = PAUSE_S) -> None:
        self._pause_s = pause_s
        self.space = Space(server.iserver)
        self.software_revision = version("factory-twin")
        self.history = history
        self.index = index
        self._items: dict[tuple[str, str], _Item] = {}
        self._round = 0
        self.serving = False
        self._shown = [(folder, f"{folder.name} {folder.also}", folder.getter()) for folder in (TWIN, *FOLDERS)]

    async def make_root(self) -> None:
        """Make the folders below ``Objects``."""
        root = self.root = await self._add(
            node_id(ObjectIds.ObjectsFolder), "FactoryTwin", "FactoryTwin", ObjectIds.BaseObjectType
        )
        for folder in FOLDERS:
            if not folder.also:
                await self._add(root, folder.name, folder.name, ObjectIds.FolderType)
        self._items[f"{TWIN.name} {TWIN.also}", ""] = await self._add_item(TWIN, "", root)

    async def pause(self) -> None:
        """Let clients and the tick's thread have their turn."""
        if self.serving:
            await asyncio.sleep(self._pause_s)

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
        now = datetime.now(UTC)
        for folder, word, getter in self._shown:
            for part in folder.items(view):
                key = folder.key(part)
                item = self._items.get((word, key))
                if item is None:
                    item = self._items[word, key] = await self._add_item(folder, key, node_id(folder.name, self.index))
                item.seen = self._round
                for i, (field, value) in enumerate(zip(folder.fields, getter(part), strict=True)):
                    if value is not None and field.kind is _DOUBLE:
                        value = float(value) * field.scale if math.isfinite(value) else None
                    if value == item.last[i]:
                        continue
                    item.last[i] = value
                    if self.history is not None and self._keeps(folder, field):
                        self.history.record(str(item.node_ids[i].Identifier), stamp, value)
                    shown = list(value) if field.array else value
                    item.cells[i].show(shown, BAD_NO_DATA if value is None else GOOD, stamp, now)
                    written += 1
                    if written % _BATCH == 0:
                        await self.pause()
                        now = datetime.now(UTC)
        for item in self._items.values():
            if item.seen != self._round and item.last[0] is not BAD_GONE:
                item.last = [BAD_GONE] * len(item.last)
                for cell in item.cells:
                    cell.show(None, BAD_GONE, stamp, now)
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
                        await self.pause()
            item.last = [_Item] * len(item.last)
        return marked

    async def _add_item(self, folder: Folder, key: str, parent: ua.NodeId) -> _Item:
        path = f"{folder.name}/{key}" if key else folder.name
        node = node_id(path, self.index)
        if not self.space.has(node):
            await self._add(parent, path, key or folder.name, ObjectIds.BaseObjectType)
        ids = [
            await self.space.variable(
                node,
                node_id(f"{path}/{f.name}", self.index),
                ua.QualifiedName(f.name, self.index),
                f.kind,
                text=f.description,
                analog=f.analog,
                rank=ua.ValueRank.OneDimension if f.array else ua.ValueRank.Scalar,
                historizing=self._keeps(folder, f),
            )
            for f in folder.fields
        ]
        await self.pause()
        return _Item(ids, [self.space.cell(i, f.kind) for i, f in zip(ids, folder.fields, strict=True)])

    def _keeps(self, folder: Folder, field: Field) -> bool:
        """Tell whether history is kept of a field: of the services' figures, never of what comes near people or machines."""
        return self.history is not None and folder.name == "Services" and not folder.also and field.analog is not None

    async def _add(self, parent: ua.NodeId, identifier: str, name: str, type_id: int) -> ua.NodeId:
        organizes = type_id == ObjectIds.FolderType or parent.NamespaceIndex == 0
        reference = ObjectIds.Organizes if organizes else ObjectIds.HasComponent
        return await self.space.object(
            parent, node_id(identifier, self.index), ua.QualifiedName(name, self.index), type_id, reference
        )
