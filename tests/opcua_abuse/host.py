"""A server in a process of its own beside something that ticks, and what it says of itself.

``python -m tests.opcua_abuse.host PORT FOLDER thread|process`` runs the server in a thread beside what ticks, or in a process of
its own; what is told of memory, threads and files is of the process that serves. It prints ``ready``, then a line of JSON for
every line that it reads.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from bridges.config import OpcUaConfig
from bridges.opcua import OpcUaServer
from bridges.opcua.process import OpcUaProcess
from bridges.view import TwinView
from tests.bench_opcua import view
from tests.bridges.opcua_client import PASSWORD, USER, port_of_its_own

_TICK_S = 0.01


def _status(pid: int) -> tuple[float, int]:
    """Return memory [MB] and threads of a process."""
    with open(f"/proc/{pid}/status") as file:
        lines = dict(line.split(":", 1) for line in file)
    return int(lines["VmRSS"].split()[0]) / 1024, int(lines["Threads"])


def _connections(port: int) -> int:
    """Return how many connections to a port of this machine are established."""
    with open("/proc/net/tcp") as file:
        rows = [line.split() for line in file][1:]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == "01" for row in rows)


def _demo(k: int) -> TwinView:
    return view(k, devices=20)


class _Ticker(threading.Thread):
    """Ticks a hundred times a second, gives every tenth tick a view, and remembers how late it was."""

    def __init__(self, server: Any) -> None:
        super().__init__(daemon=True)
        self.server, self.count, self.late_s = server, 0, [0.0]

    def run(self) -> None:
        due = time.monotonic()
        while True:
            due += _TICK_S
            time.sleep(max(0.0, due - time.monotonic()))
            late = time.monotonic() - due
            self.late_s.append(late)
            if late > 1.0:
                due = time.monotonic()
            self.count += 1
            if self.count % 10 == 0:
                self.server.publish(_demo(self.count // 10))


def main(port: int, folder: Path, kind: str) -> None:
    """Serve until the standard input ends."""
    os.environ |= {"FACTORY_TWIN_OPCUA_USER": USER, "FACTORY_TWIN_OPCUA_PASSWORD": PASSWORD}
    config = OpcUaConfig(port=port, insecure=True)
    server: Any = OpcUaProcess(config, folder) if kind == "process" else OpcUaServer(config, folder)
    server.start(_demo(0))
    pid = server.pid if kind == "process" else os.getpid()
    ticker = _Ticker(server)
    ticker.start()
    print("ready", flush=True)
    for _ in sys.stdin:
        rss_mb, threads = _status(pid)
        late, ticker.late_s = sorted(ticker.late_s), [0.0]
        told = {
            "rss_mb": rss_mb,
            "threads": threads,
            "files": len(os.listdir(f"/proc/{pid}/fd")),
            "connections": _connections(port),
            "ticks": ticker.count,
            "late_p99_ms": 1e3 * late[int(0.99 * (len(late) - 1))],
            "late_most_ms": 1e3 * late[-1],
        }
        if kind == "thread":
            told["tasks"] = sum(not task.done() for task in list(asyncio.tasks._all_tasks))  # type: ignore[attr-defined]
            told["subscriptions"] = len(server._guarded.subscription_service.subscriptions)
        print(json.dumps(told), flush=True)
    server.stop()


class Host:
    """The process above.

    Parameters
    ----------
    folder : for the server's state and its log.
    kind : ``thread`` or ``process``.

    Attributes
    ----------
    port : of its server.
    """

    def __init__(self, folder: Path, kind: str = "thread") -> None:
        self.port = port_of_its_own()
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._log = (folder / "log").open("w")
        command = [sys.executable, "-m", "tests.opcua_abuse.host", str(self.port), str(folder), kind]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            cwd=Path(__file__).parents[2],
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
        if self._line() != "ready":
            raise RuntimeError(f"the server did not start; {folder / 'log'} says why")

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def state(self) -> dict[str, Any]:
        """Return what the process says of itself."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return dict(json.loads(self._line()))

    def settled(self, timeout_s: float = 30.0) -> dict[str, Any]:
        """Return the state once all connections have ended, at the latest after a while."""
        until = time.monotonic() + timeout_s
        while (state := self.state())["connections"] and time.monotonic() < until:
            time.sleep(0.2)
        time.sleep(3.0)
        late = state["late_p99_ms"], state["late_most_ms"]
        state = self.state()
        state["late_p99_ms"], state["late_most_ms"] = max(late[0], state["late_p99_ms"]), max(late[1], state["late_most_ms"])
        return state

    def stop(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
        self._process.stdout.close()
        self._log.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
