"""A hall of one of each, of which the reference page and the NodeSet2 export are made."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from asyncua import ua

from bridges.config import OpcUaConfig
from bridges.credentials import UserStore
from bridges.inbox import Inbox
from bridges.opcua.model import Model
from bridges.opcua.rights import RightsServer
from bridges.opcua.transport import TwinUaServer
from bridges.view import (
    AdviceView,
    AssetView,
    ForecastView,
    LinkView,
    MachineView,
    OutageView,
    PoseView,
    ServiceView,
    TrpView,
    TwinView,
    ZoneView,
)

__all__ = ["Sample", "make_sample", "sample_view"]

_STAMP = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Sample:
    """A server that does not listen, with a model in it.

    Attributes
    ----------
    server : the server. guarded : its inner part. model : what was made. nodes : ids of all nodes outside of the core namespace.
    """

    server: TwinUaServer
    guarded: RightsServer
    model: Model
    nodes: tuple[ua.NodeId, ...]


def sample_view() -> TwinView:
    """Return a view with an AGV, a cobot, a panel, a transmission point, a service, a zone, a person and advice."""
    machines = (
        MachineView("agv-01", "agv", 1.0, 2.0, 0.0, 0.0, 1.0, "driving", False, 0.8, ""),
        MachineView("cobot-1", "cobot", 5.0, 5.0, 0.8, 0.0, 0.2, "working", False, None, "", (0.0,) * 7, 1.0),
    )
    devices = ("agv-01", "cobot-1", "panel-1")
    return TwinView(
        time_us=0,
        name="sample",
        running=True,
        real_time_factor=1.0,
        machines=machines,
        links=tuple(LinkView(d, "trp-1", 0, 20.0, 20.0, 10.0, "", 0.0, 0.1) for d in devices),
        services=(ServiceView("agv-control", "mobile-robot", 1.0, None, 0.0, True, None),),
        zones=(ZoneView("aisle", 1),),
        trps=(TrpView("trp-1", 10.0, 5.0, 5.5, 0.0, 1.0, 28e9, 64, True, 0.1, 0.1, 0.0, devices, (0, 1, 2)),),
        forecasts=tuple(ForecastView(d, (0.5, 1.0, 2.0), (0.1, 0.1, 0.1)) for d in devices),
        outages=tuple(OutageView(d) for d in devices),
        service_outages=(OutageView("", "agv-control"),),
        people=(PoseView(3.0, 4.0, 0.0),),
        assets=(
            AssetView("agv-01", "agv", 1, True, 0.2, 0.2, 0.03, 0.03, 0.04, 0.9, 1.1),
            AssetView("people", "people", 0, False, *[math.nan] * 7),
        ),
        advice=(AdviceView("agv_slow", "agv-01", "0.60 m/s", "-3.0 dB of margin expected in 0.4 s", 0.8, 900_000, ""),),
    )


async def make_sample(view: TwinView, config: OpcUaConfig, people: bool) -> Sample:
    """Make a server of a view without opening a port.

    Parameters
    ----------
    view : what is shown. config : which nodes there are. people : whether places of people are among them.

    Raises
    ------
    BridgeError
        The official NodeSet2 files cannot be used.
    """
    guarded = RightsServer(UserStore({}), True)
    server = TwinUaServer(guarded, cast(Any, None))  # nobody connects, so nobody is to be trusted
    await server.init()
    model = Model(server, guarded, config.model_copy(update={"people_for_safety": people}), Inbox())
    await model.make(view.name)
    await model.show(view, _STAMP)
    nodes = tuple(node for node in guarded.aspace.keys() if node.NamespaceIndex > 1)
    return Sample(server, guarded, model, nodes)
