"""The OPC UA server in a thread of its own.

The tick leaves a view and goes on; the server's event loop looks every 20 ms and shows the latest. A view that comes while
another is being shown replaces any that waits: a plant system wants the present, not the queue. The loop looks by itself because
waking it from the tick's thread takes a system call, during which this thread would take the interpreter from the tick.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from asyncua.server.server import Server

from bridges.config import OpcUaConfig
from bridges.credentials import UserStore, load_users
from bridges.errors import BridgeError, PortInUseError, require_free_port
from bridges.opcua.certificate import ServerIdentity, load_or_make
from bridges.opcua.nodes import NAMESPACE_URI, TwinNodes
from bridges.opcua.security import GuardedServer, ViewerRules, policies
from bridges.view import TwinView

__all__ = ["OpcUaServer"]

_log = logging.getLogger(__name__)

_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 10.0
_LOOK_S = 0.02
_PORT_KEY = "bridges.opcua.port"


class OpcUaServer:
    """Shows views of the twin over OPC UA.

    Parameters
    ----------
    config : address, users and security.
    state_dir : folder that outlives a run; certificate and made password are kept in its ``opcua`` folder.

    Attributes
    ----------
    endpoint_url : what a client connects to.
    notices : what the person at the keyboard should be told after :meth:`start`, for example where the password is.
    """

    def __init__(self, config: OpcUaConfig, state_dir: Path) -> None:
        self._config = config
        self._folder = state_dir / "opcua"
        self.endpoint_url = f"opc.tcp://{config.host}:{config.port}/factory-twin"
        self.notices: tuple[str, ...] = ()
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._latest: tuple[TwinView, float] | None = None  # written by the tick's thread alone
        self._shown: tuple[TwinView, float] | None = None  # written by the server's thread alone
        self._stopping = False
        self._views_shown = 0

    @property
    def views_shown(self) -> int:
        """Views shown since the start; fewer than published where the loop could not keep up."""
        return self._views_shown

    @property
    def running(self) -> bool:
        """Whether clients are being served."""
        return self._thread is not None and self._thread.is_alive() and self._failure is None

    def start(self, initial: TwinView | None = None) -> None:
        """Start serving; returns when clients can connect.

        Parameters
        ----------
        initial : view whose nodes exist before the first client comes.

        Raises
        ------
        PortInUseError
            Another program listens on the port.
        BridgeError
            Users, certificate or address cannot be used.
        """
        if self._thread is not None:
            raise BridgeError("the OPC UA server was started already")
        config = self._config
        require_free_port("OPC UA", config.host, config.port, _PORT_KEY)
        notices = []
        if config.insecure:
            notices.append(f"OPC UA at {self.endpoint_url} is open to anyone who can reach it (bridges.opcua.insecure: true)")
            users = UserStore({})
            if config.user_file is not None:
                users, _ = load_users(config.user_file, "FACTORY_TWIN_OPCUA", self._folder / "password.txt")
        else:
            users, told = load_users(config.user_file, "FACTORY_TWIN_OPCUA", self._folder / "password.txt")
            if told:
                notices.append(f"OPC UA at {self.endpoint_url}: {told}")
        identity = load_or_make(config.certificate_dir or self._folder, config.host)
        self.notices = tuple(notices)
        if initial is not None:
            self._latest = (initial, time.time())
        self._thread = threading.Thread(target=self._run, args=(users, identity), name="opcua-server", daemon=True)
        self._thread.start()
        if not self._ready.wait(_START_TIMEOUT_S):
            raise BridgeError(f"the OPC UA server was not ready within {_START_TIMEOUT_S:.0f} s")
        if self._failure is not None:
            self._thread.join()
            if isinstance(self._failure, OSError) and not isinstance(self._failure, BridgeError):
                raise PortInUseError("OPC UA", config.host, config.port, _PORT_KEY) from self._failure
            raise self._failure

    def publish(self, view: TwinView) -> None:
        """Hand a view over and return at once. Called on the tick's thread.

        Its values carry the wall time of this call as source timestamp.
        """
        self._latest = (view, time.time())

    def stop(self) -> None:
        """Close all sessions and free the port; harmless where nothing runs."""
        thread = self._thread
        self._stopping = True
        if thread is None:
            return
        thread.join(_STOP_TIMEOUT_S)
        if thread.is_alive():
            _log.error("the OPC UA server did not stop within %.0f s", _STOP_TIMEOUT_S)

    def _run(self, users: UserStore, identity: ServerIdentity) -> None:
        try:
            asyncio.run(self._serve(users, identity))
        except BaseException as error:  # whatever it was, start() or the log must tell it
            self._failure = error
            if self._ready.is_set():
                _log.exception("the OPC UA server ended")
        finally:
            self._ready.set()

    async def _serve(self, users: UserStore, identity: ServerIdentity) -> None:
        config = self._config
        server = Server(iserver=GuardedServer(users, config.insecure))
        server.product_uri = "urn:factory-twin"
        server.name = "factory-twin"
        server.manufacturer_name = "factory-twin"
        await server.init()
        await server.set_application_uri(identity.application_uri)
        server.set_endpoint(self.endpoint_url)
        server.set_security_policy(policies(config.insecure), permission_ruleset=ViewerRules())  # type: ignore[no-untyped-call]
        await server.load_certificate(identity.certificate)
        await server.load_private_key(identity.private_key)
        nodes = TwinNodes(server, await server.register_namespace(NAMESPACE_URI))
        await nodes.make_root()
        await self._show(nodes)
        await server.start()
        self._ready.set()
        try:
            while not self._stopping:
                await self._show(nodes)
                await asyncio.sleep(_LOOK_S)
        finally:
            await server.stop()

    async def _show(self, nodes: TwinNodes) -> None:
        latest = self._latest
        if latest is not None and latest is not self._shown:
            self._shown = latest
            view, wall_s = latest
            await nodes.write(view, datetime.fromtimestamp(wall_s, UTC))
            self._views_shown += 1
