"""The OPC UA server in a process of its own, so that 50 clients take no time from the tick.

A thread shares the interpreter with the tick: what it spends on clients, the tick waits for. Here the tick's thread leaves a view
and goes on, as with :class:`bridges.opcua.server.OpcUaServer`; a thread beside it sends the latest view through a pipe, every
20 ms at most, and brings the clients' commands to the twin's inbox and the answers back.

What the clients do there cannot reach the twin but by these commands, of which as many may wait as the inbox takes. Where the
process ends by itself, :attr:`OpcUaProcess.running` is false and the log says so; the twin goes on.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import multiprocessing
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bridges.config import OpcUaConfig
from bridges.errors import BridgeError, CredentialsError, PortInUseError
from bridges.inbox import Answer, Command, Inbox
from bridges.view import TwinView

__all__ = ["OpcUaProcess"]

_log = logging.getLogger(__name__)

_PORT_KEY = "bridges.opcua.port"
_LOOK_S = 0.02
_START_TIMEOUT_S = 90.0
_STOP_TIMEOUT_S = 15.0
_MAX_WAITING = 1024  # commands that no tick has answered


class OpcUaProcess:
    """Shows views of the twin over OPC UA, from another process.

    Parameters
    ----------
    config : address, users and security.
    state_dir : folder that outlives a run; certificates, made password and audit log are kept in its ``opcua`` folder.
    inbox : where commands go; without one there are no methods.

    Attributes
    ----------
    endpoint_url : what a client connects to.
    notices : what the person at the keyboard should be told after :meth:`start`.
    """

    def __init__(self, config: OpcUaConfig, state_dir: Path, inbox: Inbox | None = None) -> None:
        self._config, self._state, self._inbox = config, state_dir, inbox
        self.endpoint_url = f"opc.tcp://{config.host}:{config.port}/factory-twin"
        self.notices: tuple[str, ...] = ()
        self._latest: TwinView | None = None
        self._answers: list[tuple[int, Answer]] = []
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._process: Any = None
        self._pipe: Connection | None = None

    @property
    def running(self) -> bool:
        """Whether clients are being served."""
        return self._process is not None and bool(self._process.is_alive()) and not self._stop.is_set()

    @property
    def pid(self) -> int | None:
        """Number of the process, None before :meth:`start`."""
        return self._process.pid if self._process is not None else None

    def start(self, initial: TwinView | None = None) -> None:
        """Start serving; returns when clients can connect.

        Parameters
        ----------
        initial : view whose nodes exist before the first client comes.

        Raises
        ------
        BridgeError
            The port is in use, or users, certificate or address cannot be used; the error is of the kind that
            :meth:`bridges.opcua.server.OpcUaServer.start` raises.
        """
        if self._process is not None:
            raise BridgeError("the OPC UA server was started already")
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve,
            args=(theirs, self._config, self._state, self._inbox is not None, initial),
            name="opcua-server",
            daemon=True,
        )
        self._process.start()
        theirs.close()
        self._pipe = ours
        try:
            if not ours.poll(_START_TIMEOUT_S):
                raise BridgeError(f"the OPC UA server was not ready within {_START_TIMEOUT_S:.0f} s")
            what, content = ours.recv()
            while what not in ("ready", "failed"):  # a client was faster than the word that it may come
                self._put(what, content)
                what, content = ours.recv()
        except (EOFError, OSError) as error:
            self._process.join(_STOP_TIMEOUT_S)
            raise BridgeError(f"the OPC UA server ended as it started (exit code {self._process.exitcode})") from error
        except BridgeError:
            self._process.terminate()
            raise
        if what == "failed":
            self._process.join(_STOP_TIMEOUT_S)
            raise self._error(*content)
        self.notices = tuple(content)
        for work, name in ((self._send, "opcua-send"), (self._receive, "opcua-receive")):
            thread = threading.Thread(target=work, args=(ours,), name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def publish(self, view: TwinView) -> None:
        """Hand a view over and return at once. Called on the tick's thread."""
        self._latest = view

    def stop(self) -> None:
        """Close all sessions and free the port; harmless where nothing runs."""
        if self._process is None or self._stop.is_set():
            return
        self._stop.set()
        for thread in self._threads[:1]:
            thread.join(_STOP_TIMEOUT_S)
        self._process.join(_STOP_TIMEOUT_S)
        if self._process.is_alive():
            _log.error("the OPC UA server did not stop within %.0f s and is ended", _STOP_TIMEOUT_S)
            self._process.kill()
            self._process.join(_STOP_TIMEOUT_S)
        for thread in self._threads[1:]:
            thread.join(_STOP_TIMEOUT_S)
        if self._pipe is not None:
            self._pipe.close()

    def _error(self, kind: str, text: str) -> BridgeError:
        if kind == PortInUseError.__name__:
            return PortInUseError("OPC UA", self._config.host, self._config.port, _PORT_KEY)
        return CredentialsError(text) if kind == CredentialsError.__name__ else BridgeError(text)

    def _send(self, pipe: Connection) -> None:
        sent: TwinView | None = None
        # a full pipe holds this thread alone: the tick leaves its views and goes on
        try:
            while not self._stop.wait(_LOOK_S):
                latest = self._latest
                if latest is not sent and latest is not None:
                    sent = latest
                    pipe.send(("view", latest))
                while self._answers:
                    pipe.send(("answer", self._answers.pop(0)))
            pipe.send(("stop", None))
        except (OSError, ValueError):
            if not self._stop.is_set():
                _log.error("the OPC UA server's process has ended; the twin goes on without it")

    def _receive(self, pipe: Connection) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                number, command = pipe.recv()
                self._put(number, command)

    def _put(self, number: int, command: Command) -> None:
        def reply(answer: Answer) -> None:
            self._answers.append((number, answer))

        assert self._inbox is not None
        if not self._inbox.put(dataclasses.replace(command, reply=reply)):
            reply(Answer(False, "the twin's inbox is full; nothing was done"))


class _RemoteInbox(Inbox):
    """Stands in the server's process for the twin's inbox."""

    def __init__(self, send: Callable[[tuple[int, Command]], None]) -> None:
        super().__init__()
        self._send = send
        self._number = 0
        self._waiting: dict[int, Callable[[Answer], None] | None] = {}

    def put(self, command: Command) -> bool:
        """Send a command to the twin; False where too many wait."""
        with self._lock:
            if len(self._waiting) >= _MAX_WAITING:
                return False
            self._number += 1
            self._waiting[self._number] = command.reply
            self._send((self._number, dataclasses.replace(command, reply=None)))
            return True

    def answered(self, number: int, answer: Answer) -> None:
        """Give the twin's answer to whoever waits for it."""
        with self._lock:
            reply = self._waiting.pop(number, None)
        if reply is not None:
            reply(answer)


def _serve(pipe: Connection, config: OpcUaConfig, state: Path, steered: bool, initial: TwinView | None) -> None:
    """Serve until the twin says stop or is gone."""
    import gc
    import signal

    from bridges.opcua.server import OpcUaServer

    # Ctrl-C goes to all processes of a terminal; the twin says when it is over
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sending = threading.Lock()  # this thread and the server's share the pipe

    def send(message: tuple[Any, Any]) -> None:
        with sending:
            pipe.send(message)

    inbox = _RemoteInbox(send) if steered else None
    server = OpcUaServer(config, state, inbox, pause_s=0.0)  # no tick waits for this interpreter
    try:
        server.start(initial)
    except BaseException as error:
        text = str(error) if isinstance(error, BridgeError) else f"the OPC UA server did not start: {error!r}"
        send(("failed", (type(error).__name__, text)))
        return
    # the address space stays: a collection that walks it holds everybody up for some tenths of a second
    gc.collect()
    gc.freeze()
    gc.collect()  # full collections come by what the last one left: now that is next to nothing
    gc.set_threshold(50_000, 20, 20)
    try:
        send(("ready", server.notices))
        while server.running:
            if not pipe.poll(1.0):
                continue
            what, content = pipe.recv()
            if what == "stop":
                break
            if what == "view":
                server.publish(content)
            elif inbox is not None:
                inbox.answered(*content)
    except (EOFError, OSError):
        pass  # the twin is gone
    finally:
        server.stop()
