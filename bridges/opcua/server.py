"""The OPC UA server in a thread of its own.

The tick leaves a view and goes on; the server's event loop looks every 20 ms and shows the latest. A view that comes while
another is being shown replaces any that waits: a plant system wants the present, not the queue. The loop looks by itself because
waking it from the tick's thread takes a system call, during which this thread would take the interpreter from the tick.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from bridges.config import OpcUaConfig
from bridges.credentials import UserStore, load_users
from bridges.errors import BridgeError, PortInUseError, require_free_port
from bridges.inbox import Inbox
from bridges.opcua.audit import AuditLog
from bridges.opcua.certificate import ServerIdentity, load_or_make
from bridges.opcua.history import History
from bridges.opcua.model import Model
from bridges.opcua.monitoring import TwinSubscriptions
from bridges.opcua.nodes import PAUSE_S
from bridges.opcua.rights import RightsServer
from bridges.opcua.security import GuardedServer, RoleRules, load_user_certificates, policies
from bridges.opcua.transport import TwinUaServer
from bridges.opcua.trust import TrustList
from bridges.view import TwinView

__all__ = ["OpcUaServer"]

_log = logging.getLogger(__name__)

_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 10.0
_LOOK_S = 0.02
_CLOCK_SLACK_S = 0.25
_PORT_KEY = "bridges.opcua.port"


class OpcUaServer:
    """Shows views of the twin over OPC UA.

    Parameters
    ----------
    config : address, users and security.
    state_dir : folder that outlives a run; certificates, made password and audit log are kept in its ``opcua`` folder.
    inbox : where commands go; without one there are no methods.
    pause_s : how long the loop sleeps after a batch of writes, so that the tick's thread gets the interpreter; 0 where no tick
        runs in this process [s].

    Raises
    ------
    ValueError
        ``pause_s`` is negative or not finite.

    Attributes
    ----------
    endpoint_url : what a client connects to.
    notices : what the person at the keyboard should be told after :meth:`start`, for example where the password is.
    """

    def __init__(self, config: OpcUaConfig, state_dir: Path, inbox: Inbox | None = None, *, pause_s: float = PAUSE_S) -> None:
        if not 0.0 <= pause_s < math.inf:
            raise ValueError(f"pause_s is {pause_s}; it is a time in seconds, 0 or more")
        self._pause_s = pause_s
        self._config = config
        self._inbox = inbox
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
        self._stale = False
        self._clock = _Clock()
        self._guarded: GuardedServer | None = None

    @property
    def connections(self) -> int:
        """Connections that are open now, those without a session too."""
        return len(self._guarded.asyncio_transports) if self._guarded is not None else 0

    @property
    def unread_bytes(self) -> int:
        """Bytes of answers that wait for clients to read them."""
        transports = list(self._guarded.asyncio_transports) if self._guarded is not None else []
        return sum(t.get_write_buffer_size() for t in transports)

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
        certificates = load_user_certificates(config.user_certificate_dir, users)
        folder = config.certificate_dir or self._folder
        identity = load_or_make(folder, config.host)
        trust = TrustList(folder, config.trust_any_client or config.insecure)
        if not (config.trust_any_client or config.insecure):
            notices.append(
                f"OPC UA: a new client is refused once; to trust it, move its certificate from {trust.rejected} "
                f"to {trust.trusted}"
            )
        self.notices = tuple(notices)
        if initial is not None:
            self._latest = (initial, time.time())
        guarded = self._guarded = RightsServer(users, config.insecure, certificates, AuditLog(self._folder))
        self._thread = threading.Thread(target=self._run, args=(guarded, identity, trust), name="opcua-server", daemon=True)
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

        Its values carry the twin's time as source timestamp, placed in UTC.
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

    def _run(self, guarded: GuardedServer, identity: ServerIdentity, trust: TrustList) -> None:
        try:
            asyncio.run(self._serve(guarded, identity, trust))
        except BaseException as error:  # whatever it was, start() or the log must tell it
            self._failure = error
            if self._ready.is_set():
                _log.exception("the OPC UA server ended")
        finally:
            for store in (guarded.audit, guarded.history):
                if store is not None:
                    store.close()
            self._ready.set()

    async def _serve(self, guarded: GuardedServer, identity: ServerIdentity, trust: TrustList) -> None:
        config = self._config
        server = TwinUaServer(guarded, trust)
        server.product_uri = "urn:factory-twin"
        server.name = "factory-twin"
        server.manufacturer_name = "factory-twin"
        await server.init()
        await server.set_application_uri(identity.application_uri)
        server.set_endpoint(self.endpoint_url)
        offered = policies(config.insecure, config.allow_sign)
        server.set_security_policy(offered, permission_ruleset=RoleRules())  # type: ignore[no-untyped-call]
        await server.load_certificate(identity.certificate)
        await server.load_private_key(identity.private_key)
        if config.history_days > 0:
            guarded.history = History(self._folder / "history.sqlite", config.history_days)
        latest = self._latest
        scenario = latest[0].name if latest is not None else "twin"
        model = Model(server, guarded, config, self._inbox, self._pause_s)
        await model.make(scenario)
        await self._show(model)
        model.serving = True
        await server.start()
        subscriptions = guarded.subscription_service
        assert isinstance(subscriptions, TwinSubscriptions)
        self._ready.set()
        try:
            while not self._stopping:
                await self._show(model)
                await subscriptions.flush()
                await asyncio.sleep(_LOOK_S)
        finally:
            await server.stop()

    async def _show(self, model: Model) -> None:
        latest = self._latest
        if latest is None:
            return
        view, wall_s = latest
        if latest is not self._shown:
            self._shown = latest
            stamp = datetime.fromtimestamp(self._clock.utc_s(view.time_us, wall_s), UTC)
            await model.show(view, stamp)
            self._stale = False
            self._views_shown += 1
        elif not self._stale and time.time() - wall_s > self._config.stale_after_s:
            self._stale = True
            await model.mark_stale()


class _Clock:
    """Places the twin's time in UTC: views keep the twin's distances, and its pauses, lags and speeds are followed."""

    def __init__(self) -> None:
        self._offset_s = math.inf

    def utc_s(self, time_us: int, wall_s: float) -> float:
        """Return the UTC time [s] of a view that was published at a wall time."""
        if not abs(time_us / 1e6 + self._offset_s - wall_s) <= _CLOCK_SLACK_S:
            self._offset_s = wall_s - time_us / 1e6
        return time_us / 1e6 + self._offset_s
