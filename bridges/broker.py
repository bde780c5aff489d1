"""The MQTT broker that comes with the twin, for a plant or a laptop that has none.

It is amqtt in a process of its own, so that its work never shares an interpreter with the tick. It serves this machine only. The
process ends with the twin, however the twin ends: it watches a pipe that the operating system closes.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bridges.credentials import write_private
from bridges.errors import BrokerStartError, PortInUseError, require_free_port

__all__ = ["EMBEDDED_HOST", "EmbeddedBroker"]

EMBEDDED_HOST = "127.0.0.1"
_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 5.0
_PORT_KEY = "bridges.mqtt.port"
_READY, _PORT_TAKEN = b"ready\n", b"port taken\n"


class EmbeddedBroker:
    """An MQTT 3.1.1 broker on 127.0.0.1 in a process of its own.

    Parameters
    ----------
    port : TCP port.
    log_file : what the broker says goes there.
    user, password : what clients must show; None: anyone on this machine may connect.
    """

    def __init__(self, port: int, log_file: Path, user: str | None = None, password: str | None = None) -> None:
        self.port = port
        self._log_file = log_file
        self._user = user
        self._password = password
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id, None while it does not run."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Start the broker; returns when clients can connect.

        Raises
        ------
        PortInUseError
            Another program listens on the port.
        BrokerStartError
            The process ended or was not ready in time.
        """
        if self._process is not None:
            raise BrokerStartError("the embedded MQTT broker was started already")
        require_free_port("MQTT broker", EMBEDDED_HOST, self.port, _PORT_KEY)
        self._log_file.parent.mkdir(parents=True, exist_ok=True)
        root = str(Path(__file__).resolve().parent.parent)
        path = os.pathsep.join(p for p in (root, os.environ.get("PYTHONPATH", "")) if p)
        with self._log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bridges.broker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONPATH": path},
            )
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        # the password travels by the pipe: arguments and environment can be read by other programs
        wish = {"port": self.port, "user": self._user, "password": self._password}
        with contextlib.suppress(BrokenPipeError):
            stdin.write(json.dumps(wish).encode() + b"\n")
            stdin.flush()
        answer = stdout.readline() if select.select([stdout], [], [], _START_TIMEOUT_S)[0] else b"late"
        if answer == _READY:
            return
        self.stop()
        if answer == _PORT_TAKEN:
            raise PortInUseError("MQTT broker", EMBEDDED_HOST, self.port, _PORT_KEY)
        what = f"was not ready within {_START_TIMEOUT_S:.0f} s" if answer == b"late" else "ended while starting"
        raise BrokerStartError(f"the embedded MQTT broker {what}; it says why in {self._log_file}")

    def stop(self) -> None:
        """End the process; harmless where none runs."""
        process, self._process = self._process, None
        if process is None:
            return
        with process:  # closes the pipes, which tells the broker to end, and waits
            if process.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.close()
            try:
                process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _plugins(user: str | None, password: str | None, folder: Path) -> dict[str, Any]:
    if user is None:
        return {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
    from pwdlib import PasswordHash
    from pwdlib.hashers.argon2 import Argon2Hasher

    file = folder / "users"
    write_private(file, f"{user}:{PasswordHash((Argon2Hasher(),)).hash(password or '')}\n".encode())
    return {"amqtt.plugins.authentication.FileAuthPlugin": {"password_file": str(file)}}


async def _serve(port: int, plugins: dict[str, Any]) -> None:
    """Run the broker until standard input ends."""
    from amqtt.broker import Broker
    from amqtt.errors import BrokerError

    ended = asyncio.Event()

    def look() -> None:
        if not os.read(0, 4096):
            ended.set()

    broker = Broker({"listeners": {"default": {"type": "tcp", "bind": f"{EMBEDDED_HOST}:{port}"}}, "plugins": plugins})
    try:
        await broker.start()
    except BrokerError as error:
        cause = error.__cause__
        taken = isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE
        os.write(1, _PORT_TAKEN if taken else b"failed\n")
        raise SystemExit(3) from error
    asyncio.get_running_loop().add_reader(0, look)
    os.write(1, _READY)
    await ended.wait()
    # a client that does not read must not keep the process
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(broker.shutdown(), _STOP_TIMEOUT_S / 2)


def main() -> None:
    """Run as the broker's process: read one line of JSON from standard input, serve until it ends."""
    # Ctrl-C at the terminal reaches every process; the twin says goodbye over this broker first
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            raise SystemExit("bridges.broker is started by the twin, not by hand")
        line += byte
    wish = json.loads(line)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_serve(wish["port"], _plugins(wish["user"], wish["password"], Path(folder))))


if __name__ == "__main__":
    main()
