"""A day of the OPC UA server in some minutes: ``python -m tests.opcua_abuse.soak``.

A day is taken to be 86,400 views, one a second, in which every number changes; an alarm comes and goes every minute; a row of
history is kept per number of a service and second, for six hours; 1,440 clients come, log in, subscribe, read and go, half of
them without goodbye; and one client stays, subscribed to everything. ``--share`` is how much of a day is run. The server's
process shows views as fast as it can; told is its memory (RSS) all the while.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from asyncua import Client, ua

from bridges.config import OpcUaConfig
from bridges.opcua import OpcUaServer
from bridges.opcua import server as server_module
from bridges.view import LinkView, MachineView, ServiceView, TwinView, ZoneView
from tests.bridges.opcua_client import port_of_its_own
from tests.opcua_abuse.host import _status
from tests.opcua_abuse.wire import Wire

VIEWS_A_DAY = 86_400
CLIENTS_A_DAY = 1_440
_DEVICES = 4
_HISTORY_DAYS = 0.25
_WARM_UP = 0.1  # of the run; what comes later must not grow


def view(k: int) -> TwinView:
    """Return the k-th second's view."""
    x = 1e-4 * (k % 1999)
    alarm = k % 60 < 5
    mode, who, risk, since_us = ("emergency_stop", "person", 0.9, 10**6 * k) if alarm else ("driving", "", x, None)
    names = [f"agv-{i:03d}" for i in range(_DEVICES)]
    machines = tuple(MachineView(n, "agv", 50 + x, 20 + x, 0.0, x, 1 + x, mode, alarm, 0.5 + x, f"o{k}") for n in names)
    links = tuple(LinkView(n, f"trp-{k % 7}", k % 64, 18 + x, 15 + x, 6 + x, who, 1 + x, risk) for n in names)
    service = ServiceView("agv-control", "mobile-robot", 0.99 + x / 100, 3600 + x, x / 100, not alarm, since_us)
    return TwinView(k * 1_000_000, "soak", True, 1.0, machines, links, (service,), (ZoneView("assembly", k % 9),))


class _Day:
    """Clock of a day that runs as fast as its views come."""

    def __init__(self) -> None:
        self.begin_s = time.time()

    def utc_s(self, time_us: int, wall_s: float) -> float:
        return self.begin_s + time_us / 1e6


class _Fast(OpcUaServer):
    """Shows the next view whenever it looks."""

    shown, views = 0, 0

    async def _show(self, nodes: Any) -> None:
        if self.shown < self.views:
            self.shown += 1
            self._latest = view(self.shown), time.time()
        await super()._show(nodes)


def serve(port: int, folder: Path, views: int) -> None:
    """Show so many views; print ``ready`` and, every second, how far it has come."""
    server_module._LOOK_S = 0.0
    config = OpcUaConfig(port=port, insecure=True, history_days=_HISTORY_DAYS, stale_after_s=3600)
    server = _Fast(config, folder, pause_s=0.0)
    server._clock = _Day()  # type: ignore[assignment]
    server.start(view(0))
    print("ready", flush=True)
    sys.stdin.readline()
    server.views = views
    while server.shown < views:
        time.sleep(1.0)
        rss_mb, threads = _status(os.getpid())
        guarded = server._guarded
        assert guarded is not None
        told = {
            "views": server.shown,
            "rss_mb": rss_mb,
            "threads": threads,
            "tasks": sum(not task.done() for task in list(asyncio.tasks._all_tasks)),  # type: ignore[attr-defined]
            "subscriptions": len(guarded.subscription_service.subscriptions),
            "connections": server.connections,
            "history_mb": (folder / "opcua" / "history.sqlite").stat().st_size / 2**20,
            "cpu_s": time.process_time(),
        }
        print(json.dumps(told), flush=True)
    server.stop()


def stay(port: int) -> None:
    """Stay subscribed to everything that changes until the standard input ends; print how many notifications and events came."""
    came = {"notifications": 0, "events": 0}

    def take(result: ua.PublishResult) -> None:
        for part in result.NotificationMessage.NotificationData or []:
            if isinstance(part, ua.DataChangeNotification):
                came["notifications"] += len(part.MonitoredItems)
            elif isinstance(part, ua.EventNotificationList):
                came["events"] += len(part.Events)

    async def listen() -> None:
        async with Client(f"opc.tcp://127.0.0.1:{port}/factory-twin", timeout=60, watchdog_intervall=60.0) as client:
            params: Any = ua.CreateSubscriptionParameters(
                RequestedPublishingInterval=100.0,  # type: ignore[arg-type]
                RequestedLifetimeCount=10_000,  # type: ignore[arg-type]
                RequestedMaxKeepAliveCount=100,  # type: ignore[arg-type]
                PublishingEnabled=True,
            )
            number = (await client.uaclient.create_subscription(params, take)).SubscriptionId
            items = [_item(node, ua.AttributeIds.Value) for node in _watched()]
            select = ua.SimpleAttributeOperand(BrowsePath=[ua.QualifiedName("Severity")], AttributeId=ua.AttributeIds.Value)
            items.append(_item(ua.NodeId(2253), ua.AttributeIds.EventNotifier, ua.EventFilter(SelectClauses=[select])))  # type: ignore[arg-type]
            made = await client.uaclient.create_monitored_items(
                ua.CreateMonitoredItemsParameters(SubscriptionId=number, ItemsToCreate=items)
            )
            for result in made:
                result.StatusCode.check()
            print("ready", flush=True)
            await asyncio.to_thread(sys.stdin.readline)

    asyncio.run(listen())
    print(json.dumps(came), flush=True)


def _watched() -> list[ua.NodeId]:
    names = [
        f"Links/agv-{i:03d}/{n}" for i in range(_DEVICES) for n in ("SinrDownlink", "SinrUplink", "Margin", "Risk", "BlockedBy")
    ]
    return [ua.NodeId(name, 2) for name in [*names, "Services/agv-control/Availability"]]  # type: ignore[arg-type]


def _item(node: ua.NodeId, attribute: ua.AttributeIds, rule: Any = None) -> ua.MonitoredItemCreateRequest:
    return ua.MonitoredItemCreateRequest(
        ItemToMonitor=ua.ReadValueId(NodeId=node, AttributeId=attribute),
        MonitoringMode=ua.MonitoringMode.Reporting,
        RequestedParameters=ua.MonitoringParameters(SamplingInterval=0.0, QueueSize=100, Filter=rule),  # type: ignore[arg-type]
    )


def visit(port: int, k: int) -> None:
    """Come, subscribe, read, ask for history, and go; every second one without goodbye."""
    with Wire(port, 120.0).open() as wire:
        wire.create().activate()
        request: Any = ua.CreateSubscriptionRequest()
        request.Parameters.RequestedPublishingInterval = 50.0
        request.Parameters.RequestedLifetimeCount = 1000
        request.Parameters.PublishingEnabled = True
        _, body = wire.ask(request)
        items: Any = ua.CreateMonitoredItemsRequest()
        items.Parameters.SubscriptionId = int.from_bytes(body.read(4), "little")
        items.Parameters.ItemsToCreate = [_item(node, ua.AttributeIds.Value) for node in _watched()]
        wire.ask(items)[0].ServiceResult.check()
        wire.ask(ua.PublishRequest())[0].ServiceResult.check()
        history: Any = ua.HistoryReadRequest()
        end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=2)
        history.Parameters.HistoryReadDetails = ua.ReadRawModifiedDetails(
            StartTime=end - datetime.timedelta(days=4),  # type: ignore[arg-type]
            EndTime=end,  # type: ignore[arg-type]
            NumValuesPerNode=100,  # type: ignore[arg-type]
        )
        history.Parameters.NodesToRead = [ua.HistoryReadValueId(NodeId=_watched()[-1])]
        wire.ask(history)[0].ServiceResult.check()
        if k % 2:
            close: Any = ua.CloseSessionRequest()
            close.DeleteSubscriptions = True
            wire.ask(close)[0].ServiceResult.check()


def _start(*arguments: object) -> Any:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.opcua_abuse.soak", *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    if process.stdout.readline().strip() != "ready":
        process.kill()
        raise SystemExit(f"{arguments[0]} did not start")
    return process


def soak(share: float, at_most_s: float) -> dict[str, Any]:
    """Run a share of a day, and return what came of it."""
    views, visits = round(share * VIEWS_A_DAY), round(share * CLIENTS_A_DAY)
    port, rows = port_of_its_own(), []
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        server = _start("serve", port, directory, views)
        staying = _start("stay", port)
        done, failed = 0, Counter[str]()

        def watch() -> None:
            for line in server.stdout:
                rows.append(json.loads(line))

        watching = threading.Thread(target=watch, daemon=True)
        watching.start()
        server.stdin.write("\n")
        server.stdin.flush()
        while watching.is_alive() and time.monotonic() - begin < at_most_s:
            if rows and done < visits * rows[-1]["views"] / views:
                try:
                    visit(port, done)
                except (OSError, ua.UaError) as error:
                    failed[f"{type(error).__name__}: {error}"[:80]] += 1
                done += 1
            else:
                time.sleep(0.02)
        staying.stdin.write("\n")
        staying.stdin.flush()
        came = json.loads(staying.stdout.readlines()[-1]) if watching.is_alive() or staying.poll() is None else {}
        server.terminate()
        for process in (server, staying):
            process.wait(30)
            process.stdin.close()
            process.stdout.close()
    rss = np.array([row["rss_mb"] for row in rows])
    at = np.array([row["views"] for row in rows], dtype=float) / VIEWS_A_DAY
    late = at > _WARM_UP * at[-1]
    return {
        "share of a day": float(at[-1]),
        "seconds": time.monotonic() - begin,
        "views": rows[-1]["views"],
        "visits": done,
        "visits failed": dict(failed),
        "staying client": came,
        "rss_mb": {
            "start": float(rss[0]),
            "after warm-up": float(rss[late][0]),
            "middle": float(rss[len(rss) // 2]),
            "end": float(rss[-1]),
            "most": float(rss.max()),
            "slope per day after warm-up": float(np.polyfit(at[late], rss[late], 1)[0]),
        },
        "end": rows[-1],
        "course": [[round(float(a), 4), round(float(r), 1)] for a, r in zip(at, rss, strict=True)][:: max(len(rss) // 40, 1)],
    }


def main(arguments: list[str]) -> None:
    """Run; see the module's text."""
    if arguments[:1] == ["serve"]:
        serve(int(arguments[1]), Path(arguments[2]), int(arguments[3]))
        return
    if arguments[:1] == ["stay"]:
        stay(int(arguments[1]))
        return
    parser = argparse.ArgumentParser(prog="python -m tests.opcua_abuse.soak", description="A day of the OPC UA server.")
    parser.add_argument("--share", type=float, default=1.0, help="how much of a day")
    parser.add_argument("--at-most", type=float, default=1200.0, help="the run ends after so many seconds in any case")
    parser.add_argument("--output", type=Path, help="file for the result as JSON")
    given = parser.parse_args(arguments)
    result = {
        "machine": {"processor": platform.machine(), "cores": os.cpu_count(), "load": os.getloadavg()[0]},
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        **soak(given.share, given.at_most),
    }
    print(json.dumps({k: v for k, v in result.items() if k != "course"}, indent=1))
    if given.output is not None:
        given.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
