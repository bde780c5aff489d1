"""The whole address space: the twin's own nodes, machines by the companion specifications, places, methods and alarms."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from asyncua.server.server import Server

from bridges.config import OpcUaConfig
from bridges.inbox import Inbox
from bridges.opcua.alarms import Alarms
from bridges.opcua.companion import Companion
from bridges.opcua.machines import MachineNodes
from bridges.opcua.methods import Methods
from bridges.opcua.nodes import NAMESPACE_URI, PAUSE_S, TwinNodes
from bridges.opcua.spatial import SpatialNodes
from bridges.view import TwinView

if TYPE_CHECKING:
    from bridges.opcua.security import GuardedServer

__all__ = ["Model"]


class Model:
    """Makes the address space of one server and shows views in it.

    Parameters
    ----------
    server : an initialised server.
    guarded : its inner part, whose sessions may call and write; where there is a history, figures are kept in it.
    config : which nodes there are.
    inbox : where commands go; without one there are no methods.
    pause_s : how long to sleep after a batch of writes [s].

    Attributes
    ----------
    nodes : the twin's own nodes, from :meth:`make` on.
    """

    def __init__(
        self,
        server: Server,
        guarded: GuardedServer,
        config: OpcUaConfig,
        inbox: Inbox | None = None,
        pause_s: float = PAUSE_S,
    ) -> None:
        self._server, self._guarded, self._config, self._inbox = server, guarded, config, inbox
        self._pause_s = pause_s

    async def make(self, scenario: str) -> None:
        """Make what is there before the first view.

        Raises
        ------
        BridgeError
            The official NodeSet2 files cannot be used.
        """
        server, guarded = self._server, self._guarded
        index = await server.register_namespace(NAMESPACE_URI)
        self.nodes = nodes = TwinNodes(server, index, guarded.history, self._pause_s)
        await nodes.make_root()
        if self._inbox is not None:
            await Methods(guarded, nodes, self._inbox).make()
        self._alarms = Alarms(guarded, nodes)
        await self._alarms.make()
        companion = Companion(server, nodes.space)
        await companion.load(self._config.nodesets_dir)
        self._machines = MachineNodes(nodes, companion, scenario)
        self._spatial = SpatialNodes(server, nodes, self._config.people_for_safety)
        await self._spatial.make(scenario)

    @property
    def serving(self) -> bool:
        """Whether clients may be connected, who are given their turn between writes."""
        return self.nodes.serving

    @serving.setter
    def serving(self, serving: bool) -> None:
        self.nodes.serving = serving

    async def show(self, view: TwinView, stamp: datetime) -> None:
        """Show a view; ``stamp`` is the source timestamp of every value in it."""
        await self.nodes.write(view, stamp)
        await self._machines.write(view, stamp)
        await self._spatial.write(view, stamp)
        await self._alarms.write(view, stamp)

    async def mark_stale(self) -> None:
        """Say of every value that it is the last one known, for no view has come for a while."""
        await self.nodes.mark_stale()
        await self._machines.mark_stale()
        await self._spatial.mark_stale()
