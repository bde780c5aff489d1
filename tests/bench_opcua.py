"""The OPC UA server under load, beside stock asyncua in the same run: ``python -m tests.bench_opcua``.

A server process shows 2,000 numbers that all change at 10 Hz to two clients in processes of their own, each of them subscribed to
every number (publishing interval 50 ms, Basic256Sha256, SignAndEncrypt). First the twin's server in a process of its own, then in
a thread beside the views, then stock asyncua with 2,000 variables of the same names. Told are

delivered  notifications that came, over numbers that changed, per client
age        from the source timestamp to the moment at which the client has decoded the notification [ms]
cores      processor time of the server over the wall time, the making and sending of the views within it

``--output`` writes the result as JSON, ``--seconds`` says how long each part is measured.
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
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from asyncua import Client, Server, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256

from bridges.config import OpcUaConfig
from bridges.opcua import OpcUaServer
from bridges.opcua.certificate import load_or_make
from bridges.opcua.nodes import NAMESPACE_URI
from bridges.opcua.process import OpcUaProcess
from bridges.view import LinkView, MachineView, TwinView
from tests.bridges.opcua_client import PASSWORD, USER, port_of_its_own

DEVICES = 200
NODES = 10 * DEVICES
CLIENTS = 2
KINDS = ("process", "thread", "stock")
PERIOD_S = 0.1
_PUBLISHING_MS = 50.0
_QUEUE = 10
_SETTLE_S = 3.0  # between the last client's subscription and the first counted view
_FIELDS = (
    ("Machines", ("X", "Y", "Heading", "Speed", "Battery")),
    ("Links", ("SinrDownlink", "SinrUplink", "Margin", "BodyLoss", "Risk")),
)


def identifiers(devices: int = DEVICES) -> list[str]:
    """Return the identifiers of the numbers that change."""
    return [f"{folder}/agv-{i:03d}/{name}" for i in range(devices) for folder, names in _FIELDS for name in names]


def view(k: int, period_s: float = PERIOD_S, devices: int = DEVICES) -> TwinView:
    """Return the k-th view, of which every number differs from the view before."""
    machines, links = [], []
    for i in range(devices):
        x = 1e-4 * ((37 * k + 11 * i) % 1999)  # 0..0.2, and never twice the same in a row
        name = f"agv-{i:03d}"
        machines.append(MachineView(name, "agv", 50 + x, 20 + x, 0.0, x, 1 + x, "driving", False, 0.5 + x, f"o{i}"))
        links.append(LinkView(name, "aisle-west", 3, 18 + x, 15 + x, 6 + x, "", 1 + x, x))
    return TwinView(round(k * period_s * 1e6), "bench", True, 1.0, tuple(machines), tuple(links), (), ())


def _cpu_s(pid: int | None) -> float:
    """Return the processor time of this process, and of another one where its number is given."""
    own = time.process_time()
    if pid is None:
        return own
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return own + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _serve_twin(port: int, folder: Path, seconds: float, kind: str) -> float:
    os.environ |= {"FACTORY_TWIN_OPCUA_USER": USER, "FACTORY_TWIN_OPCUA_PASSWORD": PASSWORD}
    config = OpcUaConfig(port=port, trust_any_client=True)
    server: Any = OpcUaProcess(config, folder) if kind == "process" else OpcUaServer(config, folder)
    server.start(view(0))
    print("ready", flush=True)
    begin_s = float(sys.stdin.readline())
    pid = server.pid if kind == "process" else None
    k, spent = 1, 0.0
    try:
        # from long before the first counted view on, so that the clock in the server has settled
        begin = begin_s - _SETTLE_S
        while (due := begin + k * PERIOD_S) < begin_s + seconds:
            time.sleep(max(0.0, due - time.time()))
            if k == round(_SETTLE_S / PERIOD_S):
                spent = _cpu_s(pid)
            server.publish(view(k))
            k += 1
        time.sleep(PERIOD_S)
        return _cpu_s(pid) - spent
    finally:
        time.sleep(1.0)  # the last notifications are still under way
        server.stop()


def _serve_stock(port: int, folder: Path, seconds: float) -> float:
    async def serve() -> float:
        own = load_or_make(folder, "127.0.0.1")
        server = Server()
        await server.init()
        await server.set_application_uri(own.application_uri)
        server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/factory-twin")
        server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])  # type: ignore[no-untyped-call]
        await server.load_certificate(own.certificate)
        await server.load_private_key(own.private_key)
        index = await server.register_namespace(NAMESPACE_URI)
        nodes = [
            (await server.nodes.objects.add_variable(ua.NodeId(name, index), name, 0.0)).nodeid  # type: ignore[arg-type]
            for name in identifiers()
        ]
        async with server:
            print("ready", flush=True)
            begin_s = float(await asyncio.to_thread(sys.stdin.readline))
            begin, k, spent = begin_s - _SETTLE_S, 1, 0.0
            while (due := begin + k * PERIOD_S) < begin_s + seconds:
                await asyncio.sleep(max(0.0, due - time.time()))
                if k == round(_SETTLE_S / PERIOD_S):
                    spent = time.process_time()
                shown = view(k)
                numbers: list[Any] = []
                for m, r in zip(shown.machines, shown.links, strict=True):
                    numbers += [m.x_m, m.y_m, m.heading_rad, m.speed_mps, m.battery]
                    numbers += [r.sinr_dl_db, r.sinr_ul_db, r.margin_db, r.body_loss_db, r.risk]
                stamp: Any = datetime.fromtimestamp(due, UTC)
                for n, (node, number) in enumerate(zip(nodes, numbers, strict=True)):
                    value = ua.Variant(number, ua.VariantType.Double)
                    await server.write_attribute_value(node, ua.DataValue(value, SourceTimestamp=stamp, ServerTimestamp=stamp))
                    if n % 100 == 99:
                        await asyncio.sleep(0)
                k += 1
            await asyncio.sleep(PERIOD_S)
            spent = time.process_time() - spent
            await asyncio.sleep(1.0)
            return spent

    return asyncio.run(serve())


def _listen(port: int, folder: Path, login: bool, seconds: float) -> dict[str, float]:
    ages: list[np.ndarray[Any, Any]] = []
    stamps: list[np.ndarray[Any, Any]] = []

    def take(result: ua.PublishResult) -> None:
        now = datetime.now(UTC).timestamp()
        for part in result.NotificationMessage.NotificationData or []:
            if isinstance(part, ua.DataChangeNotification):
                sent = np.array([_posix_s(item.Value.SourceTimestamp) for item in part.MonitoredItems])
                stamps.append(sent)
                ages.append(now - sent)

    async def listen() -> dict[str, float]:
        own = load_or_make(folder, "127.0.0.1")
        client = Client(f"opc.tcp://127.0.0.1:{port}/factory-twin", timeout=60, watchdog_intervall=60.0)
        client.application_uri = own.application_uri
        await client.set_security(SecurityPolicyBasic256Sha256, certificate=own.certificate, private_key=own.private_key)
        if login:
            client.set_user(USER)
            client.set_password(PASSWORD)
        async with client:
            index = await client.get_namespace_index(NAMESPACE_URI)
            params = ua.CreateSubscriptionParameters(
                RequestedPublishingInterval=ua.Duration(_PUBLISHING_MS),
                RequestedLifetimeCount=ua.Counter(10_000),
                RequestedMaxKeepAliveCount=ua.Counter(1000),
                PublishingEnabled=True,
            )
            number = (await client.uaclient.create_subscription(params, take)).SubscriptionId
            for chunk in np.array_split(np.array(identifiers(), dtype=object), 10):
                items = [_item(ua.NodeId(name, index), handle) for handle, name in enumerate(chunk)]  # type: ignore[arg-type]
                made = await client.uaclient.create_monitored_items(
                    ua.CreateMonitoredItemsParameters(SubscriptionId=number, ItemsToCreate=items)
                )
                for result in made:
                    result.StatusCode.check()
            print("ready", flush=True)
            begin_s = float(await asyncio.to_thread(sys.stdin.readline))
            await asyncio.sleep(max(0.0, begin_s - time.time()))
            spent = time.process_time()
            await asyncio.sleep(begin_s + seconds - time.time())
            spent = time.process_time() - spent
            await asyncio.sleep(0.8)
            sent, age = np.concatenate(stamps), np.concatenate(ages)
            counted = (sent > begin_s - PERIOD_S / 2) & (sent < begin_s + seconds - PERIOD_S / 2)
            p50, p99 = np.quantile(age[counted], [0.5, 0.99]) if counted.any() else (np.nan, np.nan)
            return {
                "delivered": float(counted.sum()) / (NODES * round(seconds / PERIOD_S)),
                "age_p50_ms": 1e3 * float(p50),
                "age_p99_ms": 1e3 * float(p99),
                "client_cores": spent / seconds,
            }

    return asyncio.run(listen())


def _posix_s(stamp: Any) -> float:
    return float((stamp if stamp.tzinfo is not None else stamp.replace(tzinfo=UTC)).timestamp())


def _item(node: ua.NodeId, handle: int) -> ua.MonitoredItemCreateRequest:
    return ua.MonitoredItemCreateRequest(
        ItemToMonitor=ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value),
        MonitoringMode=ua.MonitoringMode.Reporting,
        RequestedParameters=ua.MonitoringParameters(
            ClientHandle=ua.IntegerId(handle), SamplingInterval=ua.Duration(0.0), QueueSize=ua.Counter(_QUEUE), DiscardOldest=True
        ),
    )


class _Part:
    """A process of this program, which says ``ready``, waits for a line and ends with a line of JSON."""

    def __init__(self, *arguments: object) -> None:
        command = [sys.executable, "-m", "tests.bench_opcua", *map(str, arguments)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def wait_ready(self) -> None:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if line.strip() != "ready":
            raise SystemExit(f"{' '.join(self.process.args[2:])} did not start: {line!r}")  # type: ignore[index]

    def go(self, begin_s: float) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{begin_s!r}\n")
        self.process.stdin.flush()

    def result(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readlines()[-1])

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(20)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


def load(kind: str, seconds: float) -> dict[str, Any]:
    """Measure one server.

    Parameters
    ----------
    kind : ``process``, ``thread`` or ``stock``.
    seconds : how long.

    Returns
    -------
    dict
        ``cores`` of the server and the figures of the clients, each as told in the module's text.
    """
    port, parts = port_of_its_own(), []
    with tempfile.TemporaryDirectory() as directory:
        try:
            parts.append(_Part("serve", kind, port, Path(directory) / "server", seconds))
            parts[0].wait_ready()
            for k in range(CLIENTS):
                parts.append(_Part("listen", kind, port, Path(directory) / f"client{k}", seconds))
            for part in parts[1:]:
                part.wait_ready()
            begin_s = time.time() + _SETTLE_S + 0.5
            for part in parts:
                part.go(begin_s)
            spent, *clients = [part.result() for part in parts]
        finally:
            for part in parts:
                part.end()
    return {"cores": spent / seconds, "clients": clients}


def compare(seconds: float, kinds: Sequence[str] = KINDS, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Measure the servers, one after the other, and return their figures and ratios."""
    result: dict[str, Any] = {
        "machine": {
            "processor": platform.machine(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "load": os.getloadavg()[0],
        },
        "date": datetime.now(UTC).date().isoformat(),
        "nodes": NODES,
        "rate_hz": 1.0 / PERIOD_S,
        "clients": CLIENTS,
        "seconds": seconds,
    }
    for kind in kinds:
        figures = result[kind] = load(kind, seconds)
        say(f"{kind}: {figures['cores']:.2f} cores")
        for client in figures["clients"]:
            say(
                f"  delivered {100 * client['delivered']:.1f} %, age {client['age_p50_ms']:.0f} ms (median), "
                f"{client['age_p99_ms']:.0f} ms (99 %), client {client['client_cores']:.2f} cores"
            )
    served = {k: _worst(result[k]) for k in kinds if all(client["delivered"] for client in result[k]["clients"])}
    stock = served.pop("stock", None)
    if stock is None:
        say("no ratios: stock asyncua was not asked for or delivered nothing in time")
        return result
    result["ratios to stock"] = {
        kind: {
            "processor time per notification": figures["cost"] / stock["cost"],
            "notifications delivered": figures["delivered"] / stock["delivered"],
            "age, 99 %": figures["age_p99_ms"] / stock["age_p99_ms"],
        }
        for kind, figures in served.items()
    }
    return result


def _worst(figures: dict[str, Any]) -> dict[str, float]:
    clients = figures["clients"]
    return {
        "cost": figures["cores"] / sum(c["delivered"] for c in clients),
        "delivered": min(c["delivered"] for c in clients),
        "age_p99_ms": max(c["age_p99_ms"] for c in clients),
    }


def main(arguments: list[str]) -> None:
    """Run; see the module's text."""
    if arguments[:1] in (["serve"], ["listen"]):
        what, kind, port, folder, seconds = arguments
        if what == "listen":
            print(json.dumps(_listen(int(port), Path(folder), kind != "stock", float(seconds))))
        else:
            given = int(port), Path(folder), float(seconds)
            print(json.dumps(_serve_stock(*given) if kind == "stock" else _serve_twin(*given, kind)))
        return
    parser = argparse.ArgumentParser(prog="python -m tests.bench_opcua", description="The OPC UA server under load.")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each part is measured [s]")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--output", type=Path, help="file for the result as JSON")
    given = parser.parse_args(arguments)
    result = compare(given.seconds, given.kinds)
    for kind, ratios in result.get("ratios to stock", {}).items():
        print(f"{kind}, over stock: " + ", ".join(f"{name} x {ratio:.2f}" for name, ratio in ratios.items()))
    if given.output is not None:
        given.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
