"""The page's server in a thread of its own.

The tick leaves a view and goes on; the server's event loop looks every 20 ms and shows the latest, as the OPC UA server does and
for the same reason: waking it from the tick's thread would take the interpreter from the tick.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from bridges.errors import BridgeError, PortInUseError, require_free_port
from bridges.inbox import Inbox
from bridges.loopback import is_loopback
from bridges.page.app import make_app
from bridges.page.audit import Audit
from bridges.page.config import PageConfig
from bridges.page.hub import Hub
from bridges.page.replay import RecordedRun, add_replay
from bridges.page.scene import ActingView, PeopleView, SceneView
from bridges.page.solid import SolidView, add_solid
from bridges.page.story import Stories, add_stories
from bridges.page.users import PageUsers, Sessions, load_page_users
from bridges.view import TwinView

__all__ = ["PageServer"]

_log = logging.getLogger(__name__)

_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 10.0
_LOOK_S = 0.02
_MESSAGE_BYTES_MAX = 4096  # nothing is expected from a viewer's socket
_PORT_KEY = "bridges.page.port"
_Shown = tuple[TwinView, PeopleView | None, ActingView | None]


class PageServer:
    """Shows views of the twin in browsers and takes commands from them.

    Parameters
    ----------
    config : address, users and TLS.
    state_dir : folder that outlives a run; the made password and the audit log are kept in its ``page`` folder.
    inbox : where commands go, None for a page that only shows.
    scene : the hall.

    Attributes
    ----------
    url : what a browser on this machine opens.
    notices : what the person at the keyboard should be told after :meth:`start`.
    runs : finished runs to show instead of a live twin; set before :meth:`start`, as the two below.
    stories : who tells outages of a live twin. solid : what the 3D view draws beside the hall.
    """

    def __init__(self, config: PageConfig, state_dir: Path, inbox: Inbox | None, scene: SceneView) -> None:
        self._config, self._inbox, self._scene = config, inbox, scene
        self.runs: Sequence[RecordedRun] = ()
        self.stories: Stories | None = None
        self.solid: SolidView | None = None
        self._folder = state_dir / "page"
        self.url = config.url
        self.notices: tuple[str, ...] = ()
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._latest: _Shown | None = None  # written by the tick's thread alone
        self._stopping = False
        self._hub: Hub | None = None

    @property
    def running(self) -> bool:
        """Whether viewers are being served."""
        return self._thread is not None and self._thread.is_alive() and self._failure is None

    @property
    def viewers(self) -> int:
        """Open sockets."""
        return 0 if self._hub is None else self._hub.viewers

    def start(self, first: TwinView | None = None) -> None:
        """Start serving; returns when browsers can connect.

        Parameters
        ----------
        first : view that is shown at once.

        Raises
        ------
        PortInUseError
            Another program listens on the port.
        BridgeError
            Users, certificate or address cannot be used.
        """
        if self._thread is not None:
            raise BridgeError("the page was started already")
        config = self._config
        require_free_port("page", config.host, config.port, _PORT_KEY)
        _check_certificate(config)
        users, told = load_page_users(config.user_file, self._folder / "password.txt")
        notices = [f"page: {self.url}: {told}"] if told else []
        if not is_loopback(config.host) and not config.tls:
            notices.append(f"page: passwords for {self.url} cross the network unencrypted (bridges.page.insecure: true)")
        self.notices = tuple(notices)
        if first is not None:
            self._latest = (first, None, None)
        self._thread = threading.Thread(target=self._run, args=(users,), name="page-server", daemon=True)
        self._thread.start()
        if not self._ready.wait(_START_TIMEOUT_S):
            raise BridgeError(f"the page was not ready within {_START_TIMEOUT_S:.0f} s")
        if self._failure is not None:
            self._thread.join()
            if isinstance(self._failure, OSError) and not isinstance(self._failure, BridgeError):
                raise PortInUseError("page", config.host, config.port, _PORT_KEY) from self._failure
            raise BridgeError(f"the page cannot be served: {self._failure}") from self._failure

    def publish(self, view: TwinView, people: PeopleView | None = None, acting: ActingView | None = None) -> None:
        """Hand a view over and return at once. Called on the tick's thread.

        Parameters
        ----------
        view : what everyone may see.
        people : where people are, for the safety role alone.
        acting : what runs the twin.
        """
        self._latest = (view, people, acting)

    def stop(self) -> None:
        """Close all sockets and free the port; harmless where nothing runs."""
        thread = self._thread
        self._stopping = True
        if thread is None:
            return
        thread.join(_STOP_TIMEOUT_S)
        if thread.is_alive():
            _log.error("the page did not stop within %.0f s", _STOP_TIMEOUT_S)

    def _run(self, users: PageUsers) -> None:
        try:
            asyncio.run(self._serve(users))
        except BaseException as error:  # whatever it was, start() or the log must tell it
            self._failure = error
            if self._ready.is_set():
                _log.exception("the page ended")
        finally:
            self._ready.set()

    async def _serve(self, users: PageUsers) -> None:
        config = self._config
        hub = self._hub = Hub(self._scene, config.history_minutes)
        hub.runs = len(self.runs)
        audit = Audit(self._folder / "audit.jsonl")
        app = make_app(
            hub,
            users,
            Sessions(config.session_minutes),
            self._inbox,
            audit,
            loopback=is_loopback(config.host),
            tls=config.tls,
            extras=(
                lambda app: add_replay(app, self.runs, audit),
                lambda app: add_stories(app, hub, self.stories),
                lambda app: add_solid(app, self.solid),
            ),
        )
        server = _Server(
            uvicorn.Config(
                app,
                host=config.host,
                port=config.port,
                ssl_certfile=config.certificate_file,
                ssl_keyfile=config.key_file,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                ws="websockets-sansio",
                ws_max_size=_MESSAGE_BYTES_MAX,
                ws_per_message_deflate=False,  # deflating for every viewer would cost more than a local network does
                timeout_graceful_shutdown=2,
                limit_concurrency=500,
            )
        )
        serving = asyncio.create_task(server.serve())
        shown: _Shown | None = None
        try:
            while not self._stopping and not serving.done():
                latest = self._latest
                if latest is not None and latest is not shown:
                    shown = latest
                    hub.show(*latest)
                if server.started:
                    self._ready.set()
                await asyncio.sleep(_LOOK_S)
        finally:
            server.should_exit = True
            await serving
        if not self._ready.is_set():
            raise BridgeError(f"nothing could listen on {config.host} port {config.port}")


class _Server(uvicorn.Server):
    """A server that never ends the process; beside the main thread it leaves Ctrl-C alone by itself."""

    async def startup(self, sockets=None) -> None:  # type: ignore[no-untyped-def]
        """Start listening; a port that was lost meanwhile is an error of this thread alone."""
        try:
            await super().startup(sockets)
        except SystemExit as error:
            raise OSError(f"cannot listen ({error})") from error


def _check_certificate(config: PageConfig) -> None:
    if config.certificate_file is None or config.key_file is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(config.certificate_file, config.key_file)
    except (OSError, ssl.SSLError) as error:
        raise BridgeError(
            f"certificate {config.certificate_file} with key {config.key_file} cannot be used: {error}; "
            "bridges.page.certificate_file and key_file are PEM files that belong together"
        ) from error
