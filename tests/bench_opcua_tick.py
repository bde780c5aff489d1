"""What 50 OPC UA sessions cost the tick: ``python -m tests.bench_opcua_tick``.

The twin of a scenario ticks on the wall clock, 100 times a second, and gives its view to the OPC UA server ten times a second.
50 sessions of clients in a process of their own hold a subscription each, to 10 numbers, five times a second. Blocks of five
seconds in which views are published alternate with blocks in which none is; each block gives the mean time of a tick, on the wall
and of the tick's thread, and each pair of neighbours one ratio. Told are the mean of the ratios and its 95 % interval (Student's
t over pairs), for the server in a thread of the twin's process and in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from scipy.stats import t as student_t

from bridges.config import OpcUaConfig
from bridges.opcua import OpcUaServer
from bridges.opcua.certificate import load_or_make
from bridges.opcua.nodes import NAMESPACE_URI
from factory.publish import build_view
from factory.scenario import load_scenario
from factory.twin import Twin
from tests.bridges.opcua_client import PASSWORD, USER, port_of_its_own

SESSIONS = 50
ITEMS = 10
_BLOCK_S = 5.0
_REST = 20  # ticks at the beginning of a block that are not counted
_TICKS_A_VIEW = 10


def _clients(url: str, folder: Path, sessions: int) -> None:
    """Hold the sessions until the line on the standard input ends; tell how many notifications came."""
    got = 0

    def take(result: ua.PublishResult) -> None:
        nonlocal got
        for part in result.NotificationMessage.NotificationData or []:
            if isinstance(part, ua.DataChangeNotification):
                got += len(part.MonitoredItems)

    async def hold() -> None:
        own = load_or_make(folder, "127.0.0.1")
        clients = []
        for k in range(sessions):
            client = Client(url, timeout=60, watchdog_intervall=120.0)
            client.application_uri = own.application_uri
            await client.set_security(SecurityPolicyBasic256Sha256, certificate=own.certificate, private_key=own.private_key)
            client.set_user(USER)
            client.set_password(PASSWORD)
            await client.connect()
            clients.append(client)
            if k == 0:
                index = await client.get_namespace_index(NAMESPACE_URI)
                links = await client.get_node(ua.NodeId("Links", index)).get_children()  # type: ignore[arg-type]
                nodes = [child.nodeid for link in links for child in await link.get_children()][:ITEMS]
            params = ua.CreateSubscriptionParameters(
                RequestedPublishingInterval=ua.Duration(200.0),
                RequestedLifetimeCount=ua.Counter(10_000),
                RequestedMaxKeepAliveCount=ua.Counter(1000),
                PublishingEnabled=True,
            )
            number = (await client.uaclient.create_subscription(params, take)).SubscriptionId
            items = [
                ua.MonitoredItemCreateRequest(
                    ItemToMonitor=ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value),
                    MonitoringMode=ua.MonitoringMode.Reporting,
                    RequestedParameters=ua.MonitoringParameters(ClientHandle=ua.IntegerId(h), QueueSize=ua.Counter(2)),
                )
                for h, node in enumerate(nodes)
            ]
            for made in await client.uaclient.create_monitored_items(
                ua.CreateMonitoredItemsParameters(SubscriptionId=number, ItemsToCreate=items)
            ):
                made.StatusCode.check()
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        for client in clients:
            await client.disconnect()
        print(json.dumps(got), flush=True)

    asyncio.run(hold())


def _block(twin: Twin, server: Any, publish: bool) -> tuple[float, float]:
    """Run one block; return the mean time of a tick on the wall and of its thread [s]."""
    wall, thread = [], []
    period_s = twin.dt_us * 1e-6
    begin = time.perf_counter()
    for k in range(round(_BLOCK_S / period_s)):
        time.sleep(max(0.0, begin + k * period_s - time.perf_counter()))
        if publish and k % _TICKS_A_VIEW == 0:
            server.publish(build_view(twin, 1.0))
        start, spent = time.perf_counter(), time.thread_time()
        twin.tick()
        wall.append(time.perf_counter() - start)
        thread.append(time.thread_time() - spent)
    return float(np.mean(wall[_REST:])), float(np.mean(thread[_REST:]))


def measure(kind: str, scenario: str, pairs: int, sessions: int = SESSIONS) -> dict[str, Any]:
    """Measure one way to run the server.

    Parameters
    ----------
    kind : ``thread`` or ``process``.
    scenario : what the twin simulates.
    pairs : pairs of blocks with and without.
    sessions : sessions of clients.

    Returns
    -------
    dict
        ``wall`` and ``thread``: time of a tick with views published over that without, ``mean`` and ``low`` and ``high`` of its
        95 % interval; the times themselves [ms]; the notifications that all clients got, per second of the blocks with.
    """
    os.environ |= {"FACTORY_TWIN_OPCUA_USER": USER, "FACTORY_TWIN_OPCUA_PASSWORD": PASSWORD}
    twin = Twin(load_scenario(scenario))
    try:
        for _ in range(200):
            twin.tick()
        with tempfile.TemporaryDirectory() as directory:
            config = OpcUaConfig(port=port_of_its_own(), trust_any_client=True, stale_after_s=3600)
            if kind == "process":
                from bridges.opcua.process import OpcUaProcess

                server: Any = OpcUaProcess(config, Path(directory) / "state", twin.inbox)
            else:
                server = OpcUaServer(config, Path(directory) / "state", twin.inbox)
            server.start(build_view(twin, 1.0))
            command = [sys.executable, "-m", "tests.bench_opcua_tick", "clients", server.endpoint_url, f"{directory}/client"]
            clients = subprocess.Popen([*command, str(sessions)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            assert clients.stdin is not None
            assert clients.stdout is not None
            try:
                if clients.stdout.readline().strip() != "ready":
                    raise SystemExit("the clients did not start")
                _block(twin, server, True)
                with_, without = [], []
                for pair in range(pairs):
                    order = (True, False) if pair % 2 == 0 else (False, True)
                    for publish in order:
                        (with_ if publish else without).append(_block(twin, server, publish))
                clients.stdin.write("\n")
                clients.stdin.flush()
                got = json.loads(clients.stdout.readlines()[-1])
            finally:
                clients.terminate()
                clients.wait(20)
                clients.stdin.close()
                clients.stdout.close()
                server.stop()
    finally:
        twin.close()
    result: dict[str, Any] = {"pairs": pairs, "sessions": sessions, "notifications_per_s": got / (_BLOCK_S * (pairs + 1))}
    for column, name in enumerate(("wall", "thread")):
        on, off = (np.array(blocks)[:, column] for blocks in (with_, without))
        ratio = on / off
        half = float(student_t.ppf(0.975, pairs - 1) * ratio.std(ddof=1) / np.sqrt(pairs)) if pairs > 1 else float("nan")
        mean = float(ratio.mean())
        result[name] = {
            "mean": mean,
            "low": mean - half,
            "high": mean + half,
            "with_ms": 1e3 * float(on.mean()),
            "without_ms": 1e3 * float(off.mean()),
        }
    return result


def main(arguments: list[str]) -> None:
    """Run; see the module's text."""
    if arguments[:1] == ["clients"]:
        _clients(arguments[1], Path(arguments[2]), int(arguments[3]))
        return
    parser = argparse.ArgumentParser(prog="python -m tests.bench_opcua_tick", description="OPC UA sessions beside the tick.")
    parser.add_argument("--scenario", default="small")
    parser.add_argument("--pairs", type=int, default=10, help="pairs of blocks of five seconds, with and without views")
    parser.add_argument("--kinds", nargs="+", default=["thread", "process"], choices=["thread", "process"])
    parser.add_argument("--output", type=Path, help="file for the result as JSON")
    given = parser.parse_args(arguments)
    result: dict[str, Any] = {
        "machine": {
            "processor": platform.machine(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "load": os.getloadavg()[0],
        },
        "date": datetime.now(UTC).date().isoformat(),
        "scenario": given.scenario,
    }
    for kind in given.kinds:
        figures = result[kind] = measure(kind, given.scenario, given.pairs)
        for name in ("wall", "thread"):
            f = figures[name]
            print(
                f"{kind}, {name}: x {f['mean']:.3f} ({f['low']:.3f} to {f['high']:.3f}), "
                f"{f['with_ms']:.2f} ms with, {f['without_ms']:.2f} ms without",
                flush=True,
            )
        print(f"{kind}: {figures['notifications_per_s']:.0f} notifications a second", flush=True)
    if given.output is not None:
        given.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
