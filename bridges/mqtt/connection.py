"""One connection to an MQTT broker that comes back by itself.

Invariants:

- ``publish`` never blocks and never holds more than ``max_pending`` messages; it says at once whether it took a message.
- A message of QoS 1 or 2 that was taken is sent again after every reconnection until the broker has acknowledged it.
- A message of QoS 0 is dropped while the broker is away: who listens later wants the present, not the past.
- A message that arrives is acknowledged only after its handler returned.
- Subscriptions and last will are renewed with every connection; the birth messages follow them.
"""

from __future__ import annotations

import logging
import os
import random
import secrets
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from bridges.broker import EMBEDDED_HOST
from bridges.config import MqttConfig
from bridges.credentials import read_secret
from bridges.errors import BridgeError, CredentialsError
from bridges.mqtt.client import BufferedClient

__all__ = ["Handler", "Message", "MqttConnection", "MqttCounters", "mqtt_password"]

_log = logging.getLogger(__name__)

_PASSWORD_VARIABLE = "FACTORY_TWIN_MQTT_PASSWORD"  # the variable's name, not a password
_STOP_TIMEOUT_S = 3.0
_LOG_EVERY_S = 5.0
_STABLE_S = 5.0  # a connection that lasted this long is taken for a good one: the back-off begins anew
_SHORT_LIVED = 5  # so many that did not, one after the other: tell what may be wrong


@dataclass(frozen=True, slots=True)
class Message:
    """A message on its way out or in.

    Attributes
    ----------
    topic, payload : where and what.
    qos : 0 at most once, 1 at least once, 2 exactly once.
    retain : on the way out: keep it for who subscribes later; on the way in: it was kept, so it may be old.
    """

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False


Handler = Callable[[Message], None]
"""Takes a message on the network thread; must return soon."""


@dataclass(frozen=True, slots=True)
class MqttCounters:
    """What happened since the start.

    Attributes
    ----------
    connections : times the broker accepted us. refusals : times it did not.
    sent : messages taken for sending. received : messages handed to a handler.
    dropped_offline : QoS 0 messages dropped because the broker was away.
    dropped_full : messages of any QoS refused because too many wait already.
    handler_errors : messages whose handler failed; each is logged.
    """

    connections: int
    refusals: int
    sent: int
    received: int
    dropped_offline: int
    dropped_full: int
    handler_errors: int


def mqtt_password(config: MqttConfig) -> str | None:
    """Return the password for the configured user, None without a user.

    Raises
    ------
    CredentialsError
        There is a user but no password, or its file cannot be used.
    """
    if config.user is None:
        return None
    if config.password_file is not None:
        return read_secret(config.password_file, "the MQTT password")
    password = os.environ.get(_PASSWORD_VARIABLE, "")
    if not password:
        raise CredentialsError(
            f"bridges.mqtt.user is {config.user!r}, but there is no password: "
            f"set bridges.mqtt.password_file or the variable {_PASSWORD_VARIABLE}"
        )
    return password


class MqttConnection:
    """A client of an MQTT broker: MQTT 3.1.1 or 5, TLS, user and password or client certificate, last will.

    Parameters
    ----------
    config : broker, protocol and user.
    what : who this is, for the log, for example ``the twin`` or ``AGV agv-01``.
    client_id : name of the session at the broker; a random one where none is given, and then nothing is kept between connections.
    will : what the broker says for us when the connection breaks.
    birth : what is said first after every connection, given anew each time; called on the network thread.
    password : where it was read already; default: read from the configuration at the start.
    """

    def __init__(
        self,
        config: MqttConfig,
        what: str,
        *,
        client_id: str | None = None,
        will: Message | None = None,
        birth: Callable[[], list[Message]] | None = None,
        password: str | None = None,
    ) -> None:
        self._config, self._what, self._will, self._birth, self._given = config, what, will, birth, password
        self._client_id = client_id or f"factory-twin-{secrets.token_hex(4)}"
        self._keeps = config.session_expiry_s > 0 and client_id is not None
        self._host = config.host or EMBEDDED_HOST
        self._client: paho.Client | None = None
        self._handlers: dict[str, tuple[int, Handler]] = {}
        self._online = threading.Event()
        self._stopping = False
        self._lock = threading.Lock()
        self._pending: deque[paho.MQTTMessageInfo] = deque()
        self._refusal = ""
        self._random = random.Random()  # spreads reconnections; no result depends on it
        self._tries = 0
        self._since_s = 0.0
        self._failed_s = -_LOG_EVERY_S
        self._connections = self._refusals = self._sent = self._received = 0
        self._dropped_offline = self._dropped_full = self._handler_errors = 0

    @property
    def url(self) -> str:
        """Address of the broker, for the person at the keyboard."""
        return f"{'mqtts' if self._config.tls else 'mqtt'}://{self._host}:{self._config.port}"

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted us."""
        return self._online.is_set()

    @property
    def connections(self) -> int:
        """How often the broker accepted us; a change tells that a new connection began."""
        return self._connections

    @property
    def counters(self) -> MqttCounters:
        """What happened since the start."""
        return MqttCounters(
            self._connections, self._refusals, self._sent, self._received,
            self._dropped_offline, self._dropped_full, self._handler_errors,
        )  # fmt: skip

    def pending(self) -> int:
        """Count QoS 0 messages that wait to be written to the socket."""
        with self._lock:
            while self._pending and not _on_its_way(self._pending[0]):
                self._pending.popleft()
            return len(self._pending)

    def wait_connected(self, timeout_s: float) -> bool:
        """Wait until the broker has accepted us; False where it has not by then."""
        return self._online.wait(timeout_s)

    def subscribe(self, topics: str, qos: int, handler: Handler) -> None:
        """Hand every message of a topic filter to a function; call before :meth:`start`.

        Parameters
        ----------
        topics : the filter, with ``+`` and ``#``.
        qos : highest QoS that is wanted.
        handler : called on the network thread, once per message and filter.
        """
        if self._client is not None:
            raise BridgeError(f"MQTT: {topics!r} was subscribed to after the start")
        self._handlers[topics] = (qos, handler)

    def start(self) -> None:
        """Begin to connect, and go on until :meth:`stop`; the broker need not be there yet.

        Raises
        ------
        BridgeError
            Password or certificates cannot be used, or it was started already.
        """
        if self._client is not None:
            raise BridgeError("the MQTT connection was started already")
        config = self._config
        client = self._make_client(self._given if self._given is not None else mqtt_password(config))
        self._client = client
        if config.protocol == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves it without types
            properties.SessionExpiryInterval = config.session_expiry_s if self._keeps else 0
            client.connect_async(
                self._host, config.port, keepalive=config.keepalive_s, clean_start=not self._keeps, properties=properties
            )
        else:
            client.connect_async(self._host, config.port, keepalive=config.keepalive_s)
        client.loop_start()

    def publish(self, message: Message) -> bool:
        """Hand a message over and return at once; from any thread.

        Returns
        -------
        bool
            Whether it was taken; a taken one of QoS 1 or 2 reaches the broker unless this process ends first.
        """
        client = self._client
        if client is None:
            return False
        if message.qos == 0:
            if not self._online.is_set():
                self._dropped_offline += 1
                return False
            if self.pending() >= self._config.max_pending:
                self._dropped_full += 1
                return False
        info = client.publish(message.topic, message.payload, qos=message.qos, retain=message.retain)
        if message.qos == 0:
            if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._dropped_offline += 1
                return False
            with self._lock:
                self._pending.append(info)
        elif info.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
            self._dropped_full += 1
            return False
        self._sent += 1
        return True

    def stop(self, farewell: Message | None = None) -> None:
        """Say goodbye where the broker is there, disconnect in order (no last will), and end; harmless where nothing runs."""
        self._stopping = True
        client, self._client = self._client, None
        if client is None:
            return
        if farewell is not None and self._online.is_set():
            info = client.publish(farewell.topic, farewell.payload, qos=farewell.qos, retain=farewell.retain)
            try:
                info.wait_for_publish(_STOP_TIMEOUT_S)
            except (RuntimeError, ValueError) as error:  # the broker went away meanwhile: the last will says so
                _log.warning("MQTT: %s could not say goodbye to %s: %s", self._what, self.url, error)
        client.disconnect()
        client.loop_stop()
        self._online.clear()

    def _make_client(self, password: str | None) -> paho.Client:
        config = self._config
        five = config.protocol == "5"
        client = BufferedClient(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            protocol=paho.MQTTv5 if five else paho.MQTTv311,
            clean_session=None if five else not self._keeps,
        )
        if config.user is not None:
            client.username_pw_set(config.user, password)
        if config.tls is not None:
            tls = config.tls
            try:
                client.tls_set(
                    ca_certs=str(tls.ca_file) if tls.ca_file else None,
                    certfile=str(tls.certificate_file) if tls.certificate_file else None,
                    keyfile=str(tls.key_file) if tls.key_file else None,
                )
            except (OSError, ssl.SSLError) as error:
                files = ", ".join(str(f) for f in (tls.ca_file, tls.certificate_file, tls.key_file) if f)
                raise BridgeError(f"bridges.mqtt.tls: cannot use {files}: {error}") from error
        if self._will is not None:
            client.will_set(self._will.topic, self._will.payload, qos=self._will.qos, retain=self._will.retain)
        client.max_queued_messages_set(config.max_pending)
        for topics, (_, handler) in self._handlers.items():
            client.message_callback_add(topics, self._guarded(handler))
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_connect_fail = self._failed
        return client

    def _guarded(self, handler: Handler) -> Callable[[paho.Client, Any, paho.MQTTMessage], None]:
        """Keep a failing handler from ending the network thread."""

        def take(client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
            self._received += 1
            try:
                handler(Message(message.topic, bytes(message.payload), message.qos, bool(message.retain)))
            except Exception:
                self._handler_errors += 1
                now_s = time.monotonic()
                if now_s - self._failed_s >= _LOG_EVERY_S:  # whoever floods a handler that fails does not fill a disk
                    self._failed_s = now_s
                    _log.exception(
                        "MQTT: a message on %r could not be handled (%d so far)", message.topic, self._handler_errors
                    )  # fmt: skip

        return take

    def _connected(
        self, client: paho.Client, userdata: Any, flags: paho.ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._refusals += 1
            if self._refusal != str(reason):
                self._refusal = str(reason)
                _log.error("MQTT: %s refuses %s: %s", self.url, self._what, reason)
            return
        self._refusal = ""
        self._since_s = time.monotonic()
        if self._handlers:
            client.subscribe([(topics, qos) for topics, (qos, _) in self._handlers.items()])
        for message in self._birth() if self._birth is not None else ():
            client.publish(message.topic, message.payload, qos=message.qos, retain=message.retain)
        self._connections += 1
        self._online.set()

    def _disconnected(
        self, client: paho.Client, userdata: Any, flags: paho.DisconnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        was_online = self._online.is_set()
        self._online.clear()
        if self._stopping:
            return
        if was_online:
            stable = time.monotonic() - self._since_s >= _STABLE_S
            if stable:
                self._tries = 0
            _log.warning("MQTT: %s lost %s (%s); trying again", self._what, self.url, reason)
        self._back_off(client)

    def _failed(self, client: paho.Client, userdata: Any) -> None:
        self._back_off(client)

    def _back_off(self, client: paho.Client) -> None:
        """Set the time to the next try: doubled each time up to the limit, a random half of it off so that clients spread."""
        config = self._config
        longest = min(config.reconnect_max_s, config.reconnect_min_s * 2.0 ** min(self._tries, 30))
        self._tries += 1
        if self._tries == _SHORT_LIVED and self._connections >= _SHORT_LIVED:
            _log.error(
                "MQTT: %s has accepted %s %d times and ended it soon each time; does another client use the id %r?",
                self.url, self._what, self._connections, self._client_id,
            )  # fmt: skip
        delay_s = longest * (1.0 - 0.5 * self._random.random())
        # the library would double the delay by itself; a delay set anew is taken as it is
        client.reconnect_delay_set(delay_s, delay_s)  # type: ignore[arg-type]


def _on_its_way(info: paho.MQTTMessageInfo) -> bool:
    """Tell whether a message still waits to be written to the socket."""
    try:
        return not info.is_published()
    except (RuntimeError, ValueError):  # lost with its connection
        return False
