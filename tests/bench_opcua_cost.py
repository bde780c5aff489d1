"""Processor time that the OPC UA server takes for a view, beside stock asyncua: ``python -m tests.bench_opcua_cost``.

One process, no network and no clients, so that the figure holds on a machine with other work too: 2,000 numbers change with each
view, and two sessions are subscribed to all of them. Told is the processor time of writing a view, of noticing what to tell, and
of the publish responses up to the bytes that would be encrypted: for the twin's server, and for stock asyncua that is given the
same values. A share of a core is that time at ten views a second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from asyncua import Server, ua
from asyncua.crypto.permission_rules import UserRole
from asyncua.server.internal_subscription import InternalSubscription
from asyncua.server.uaprocessor import PublishRequestData
from asyncua.ua.ua_binary import struct_to_binary

from bridges.credentials import UserStore
from bridges.opcua.nodes import NAMESPACE_URI, TwinNodes
from bridges.opcua.security import GuardedServer
from bridges.opcua.session import TwinUser
from bridges.opcua.transport import TwinUaServer
from bridges.opcua.trust import TrustList
from tests.bench_opcua import CLIENTS, NODES, _item, identifiers, view


class _Sessions:
    """Sessions that are subscribed to everything, and what would be sent to them."""

    def __init__(self) -> None:
        self.subscriptions: list[InternalSubscription] = []
        self.sent = 0
        self._request = PublishRequestData(ua.RequestHeader(), ua.SequenceHeader(), [])  # type: ignore[no-untyped-call]

    async def take(self, result: ua.PublishResult, request: Any = None) -> None:
        response: Any = ua.PublishResponse()
        result.Results = []
        response.Parameters = result
        self.sent += len(struct_to_binary(response))

    async def subscribe(self, iserver: Any, index: int) -> None:
        for k in range(CLIENTS):
            session = iserver.create_session(f"client {k}", external=True)
            session.user = TwinUser(role=UserRole.User, name="bench")
            params: Any = ua.CreateSubscriptionParameters(
                RequestedPublishingInterval=ua.Duration(60_000.0),
                RequestedLifetimeCount=ua.Counter(1000),
                RequestedMaxKeepAliveCount=ua.Counter(100),
                PublishingEnabled=True,
            )
            number = (await session.create_subscription(params, self.take, lambda _: self._request)).SubscriptionId
            items = [_item(ua.NodeId(name, index), handle) for handle, name in enumerate(identifiers())]  # type: ignore[arg-type]
            made = await session.create_monitored_items(
                ua.CreateMonitoredItemsParameters(SubscriptionId=number, ItemsToCreate=items)
            )
            for result in made:
                result.StatusCode.check()
            self.subscriptions.append(iserver.subscription_service.subscriptions[number])

    async def publish(self) -> None:
        for subscription in self.subscriptions:
            await subscription.publish_results(self._request)


async def _measure(write: Callable[[int], Awaitable[object]], sessions: _Sessions, views: int) -> dict[str, float]:
    spent = np.zeros((views, 2))
    for k in range(-3, views):
        begin = time.process_time()
        await write(k + 4)
        wrote = time.process_time()
        before = sessions.sent
        await sessions.publish()
        if k >= 0:
            spent[k] = wrote - begin, time.process_time() - wrote
            assert sessions.sent - before > CLIENTS * NODES * 30, "not everything was told"
    writing, publishing = np.median(spent, axis=0)
    return {
        "writing_ms": 1e3 * float(writing),
        "publishing_ms": 1e3 * float(publishing),
        "core_share_at_10_hz": 10.0 * float(writing + publishing),
    }


async def _twin(folder: Path, views: int) -> dict[str, float]:
    guarded = GuardedServer(UserStore({}), True)
    server = TwinUaServer(guarded, TrustList(folder, True))
    await server.init()
    index = await server.register_namespace(NAMESPACE_URI)
    shown = TwinNodes(server, index, pause_s=0.0)
    await shown.make_root()
    await shown.write(view(0), datetime.now(UTC))
    sessions = _Sessions()
    await sessions.subscribe(guarded, index)
    return await _measure(lambda k: shown.write(view(k), datetime.now(UTC)), sessions, views)


async def _stock(views: int) -> dict[str, float]:
    server = Server()
    await server.init()
    index = await server.register_namespace(NAMESPACE_URI)
    ids = [
        (await server.nodes.objects.add_variable(ua.NodeId(name, index), name, 0.0)).nodeid  # type: ignore[arg-type]
        for name in identifiers()
    ]
    sessions = _Sessions()
    await sessions.subscribe(server.iserver, index)

    async def write(k: int) -> None:
        shown, stamp = view(k), datetime.now(UTC)
        numbers: list[Any] = []
        for m, r in zip(shown.machines, shown.links, strict=True):
            numbers += [m.x_m, m.y_m, m.heading_rad, m.speed_mps, m.battery]
            numbers += [r.sinr_dl_db, r.sinr_ul_db, r.margin_db, r.body_loss_db, r.risk]
        for node, number in zip(ids, numbers, strict=True):
            value = ua.DataValue(ua.Variant(number, ua.VariantType.Double), SourceTimestamp=stamp, ServerTimestamp=stamp)  # type: ignore[arg-type]
            await server.write_attribute_value(node, value)

    return await _measure(write, sessions, views)


def cost(folder: Path, views: int = 60) -> dict[str, Any]:
    """Measure both.

    Parameters
    ----------
    folder : for the certificates' lists of the server, which stay empty.
    views : how many are measured; the median counts.

    Returns
    -------
    dict
        For ``twin`` and ``stock``: ``writing_ms`` and ``publishing_ms`` of a view, ``core_share_at_10_hz``; and ``ratio``, the
        twin's time over stock's.
    """
    twin, stock = asyncio.run(_twin(folder, views)), asyncio.run(_stock(views))
    return {"twin": twin, "stock": stock, "ratio": twin["core_share_at_10_hz"] / stock["core_share_at_10_hz"]}


def main() -> None:
    """Run; see the module's text."""
    import tempfile

    parser = argparse.ArgumentParser(prog="python -m tests.bench_opcua_cost", description="Processor time for a view.")
    parser.add_argument("--views", type=int, default=60)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        print(json.dumps(cost(Path(directory), given.views), indent=1))


if __name__ == "__main__":
    main()
