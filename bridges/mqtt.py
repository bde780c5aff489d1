"""Telemetry over MQTT 3.1.1.

====================================  ==========================================================  ======  ========
topic, below ``<prefix>/<twin>/``     payload (JSON)                                              QoS     retained
====================================  ==========================================================  ======  ========
``status``                            ``state``: ``online``, ``offline`` (stopped) or ``lost``    1       yes
                                      (last will); while online also ``running``,
                                      ``real_time_factor``, ``time_us``
``machines/<id>``                     ``time_us`` and the fields of a MachineView                 0       no
``links/<device>``                    ``time_us`` and the fields of a LinkView                    0       no
``services/<name>``                   ``time_us`` and the fields of a ServiceView                 0       no
``zones``                             ``time_us`` and ``zones``: name and people of each          0       no
====================================  ==========================================================  ======  ========

A part that did not change is sent again once a second only. Fields: :mod:`bridges.view`.
"""

from __future__ import annotations

import json
import logging
import math
import os
import secrets
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from bridges.broker import EMBEDDED_HOST, EmbeddedBroker
from bridges.config import MqttConfig
from bridges.credentials import read_secret
from bridges.errors import BridgeError, CredentialsError
from bridges.view import LinkView, MachineView, ServiceView, TwinView, ZoneView

__all__ = ["MqttPublisher"]

_log = logging.getLogger(__name__)

_REPEAT_S = 1.0
# The sending thread looks for a view by itself, so that the tick need not wake it, and sleeps after every few messages, so that
# the tick's thread gets the interpreter.
_LOOK_S = 0.02
_BATCH = 10
_PAUSE_S = 0.000_2
_STOP_TIMEOUT_S = 3.0
_RECONNECT_MIN_S, _RECONNECT_MAX_S = 1, 30
_PASSWORD_VARIABLE = "FACTORY_TWIN_MQTT_PASSWORD"  # the variable's name, not a password

_Part = MachineView | LinkView | ServiceView | tuple[ZoneView, ...]


def _level(name: str) -> str:
    """Return a name as one level of a topic: the characters that MQTT reserves become underscores."""
    return name.translate({ord(c): "_" for c in "/+#\0"}) or "_"


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":"), allow_nan=False).encode()


def _on_its_way(info: paho.MQTTMessageInfo) -> bool:
    """Tell whether a message still waits to be written to the socket."""
    try:
        return not info.is_published()
    except (RuntimeError, ValueError):  # lost with its connection
        return False


def _password(config: MqttConfig) -> str | None:
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


class MqttPublisher:
    """Publishes views of the twin to a broker, from a thread of its own.

    Only the latest view is kept while the thread is busy or the broker is away; nothing piles up. Where the configuration names
    no broker, the embedded one is started and stopped with it.

    Parameters
    ----------
    config : broker, user and topics.
    state_dir : folder that outlives a run; the embedded broker's log is kept in its ``mqtt`` folder.
    name : name of the twin, the level of every topic below the prefix.
    """

    def __init__(self, config: MqttConfig, state_dir: Path, name: str) -> None:
        self._config = config
        self._log_file = state_dir / "mqtt" / "broker.log"
        self._base = f"{config.topic_prefix}/{_level(name)}"
        self._status_topic = f"{self._base}/status"
        self._host = config.host or EMBEDDED_HOST
        self._broker: EmbeddedBroker | None = None
        self._client: paho.Client | None = None
        self._thread: threading.Thread | None = None
        self._online = threading.Event()
        self._latest: tuple[TwinView] | None = None  # written by the tick's thread alone
        self._stopping = False
        self._refusal = ""
        # of the sending thread alone
        self._taken: tuple[TwinView] | None = None
        self._sent: dict[str, tuple[_Part, float]] = {}
        self._status: tuple[bool, float] | None = None
        self._pending: list[paho.MQTTMessageInfo] = []
        self._connections = 0
        self._connections_seen = 0
        self._views_dropped = 0

    @property
    def broker_url(self) -> str:
        """Address of the broker, for the person at the keyboard."""
        return f"{'mqtts' if self._config.tls else 'mqtt'}://{self._host}:{self._config.port}"

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the twin."""
        return self._online.is_set()

    @property
    def views_dropped(self) -> int:
        """Views not sent because the broker did not take the ones before in time."""
        return self._views_dropped

    def wait_connected(self, timeout_s: float) -> bool:
        """Wait until the broker has accepted the twin; False where it has not by then."""
        return self._online.wait(timeout_s)

    def start(self) -> None:
        """Start the embedded broker where none is named, and the publisher.

        A named broker need not be there yet: the publisher keeps trying, after 1 s at first and 30 s at most.

        Raises
        ------
        PortInUseError
            The embedded broker's port belongs to another program.
        BridgeError
            Password, certificates or broker cannot be used.
        """
        if self._thread is not None:
            raise BridgeError("the MQTT publisher was started already")
        config = self._config
        password = _password(config)
        client = self._make_client(password)
        if config.host is None:
            self._broker = EmbeddedBroker(config.port, self._log_file, config.user, password)
            self._broker.start()
        self._client = client
        client.connect_async(self._host, config.port, keepalive=config.keepalive_s)
        client.loop_start()
        self._thread = threading.Thread(target=self._run, args=(client,), name="mqtt-publisher", daemon=True)
        self._thread.start()

    def publish(self, view: TwinView) -> None:
        """Hand a view over and return at once. Called on the tick's thread."""
        self._latest = (view,)  # a new object each time, so that the sending thread sees that it is new

    def stop(self) -> None:
        """Say ``offline``, disconnect, and stop the embedded broker; harmless where nothing runs."""
        self._stopping = True
        if self._thread is not None:
            self._thread.join(_STOP_TIMEOUT_S)
            self._thread = None
        client, self._client = self._client, None
        if client is not None:
            if self._online.is_set():
                farewell = client.publish(self._status_topic, _json({"state": "offline"}), qos=1, retain=True)
                try:
                    farewell.wait_for_publish(_STOP_TIMEOUT_S)
                except (RuntimeError, ValueError) as error:  # the broker went away meanwhile: its last will says so
                    _log.warning("MQTT: could not say goodbye to %s: %s", self.broker_url, error)
            client.disconnect()
            client.loop_stop()
            self._online.clear()
        if self._broker is not None:
            self._broker.stop()
            self._broker = None

    def _make_client(self, password: str | None) -> paho.Client:
        config = self._config
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"factory-twin-{secrets.token_hex(4)}",
            protocol=paho.MQTTv311,
            clean_session=True,
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
        client.will_set(self._status_topic, _json({"state": "lost"}), qos=1, retain=True)
        client.reconnect_delay_set(_RECONNECT_MIN_S, _RECONNECT_MAX_S)
        client.max_queued_messages_set(config.max_pending)
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        return client

    def _connected(
        self, client: paho.Client, userdata: Any, flags: paho.ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            if self._refusal != str(reason):
                self._refusal = str(reason)
                _log.error("MQTT: %s refuses the twin: %s", self.broker_url, reason)
            return
        self._refusal = ""
        client.publish(self._status_topic, _json({"state": "online"}), qos=1, retain=True)
        self._connections += 1
        self._online.set()

    def _disconnected(
        self, client: paho.Client, userdata: Any, flags: paho.DisconnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        was_online = self._online.is_set()
        self._online.clear()
        if was_online and not self._stopping:
            _log.warning("MQTT: lost %s (%s); trying again", self.broker_url, reason)

    def _run(self, client: paho.Client) -> None:
        while not self._stopping:
            latest = self._latest
            known = latest is self._taken and self._connections == self._connections_seen
            if latest is None or known or not self._online.is_set():
                time.sleep(_LOOK_S)
                continue
            self._taken = latest
            try:
                self._send(client, latest[0], time.monotonic())
            except Exception:  # one view that cannot be sent must not silence the ones after it
                _log.exception("MQTT: a view was not sent")

    def _send(self, client: paho.Client, view: TwinView, now_s: float) -> None:
        if self._connections != self._connections_seen:
            # a new connection: what was on its way is gone, and whoever listens there knows nothing yet
            self._connections_seen = self._connections
            self._pending = []
            self._sent.clear()
            self._status = None
        self._pending = [m for m in self._pending if _on_its_way(m)]
        if len(self._pending) >= self._config.max_pending:
            self._views_dropped += 1
            return
        if self._status is None or self._status[0] != view.running or now_s - self._status[1] >= _REPEAT_S:
            self._status = (view.running, now_s)
            factor = view.real_time_factor if math.isfinite(view.real_time_factor) else None
            status = {"state": "online", "time_us": int(view.time_us), "running": bool(view.running), "real_time_factor": factor}
            client.publish(self._status_topic, _json(status), qos=1, retain=True)
        sent = 0
        for topic, part in self._parts(view):
            last = self._sent.get(topic)
            if last is not None and last[0] == part and now_s - last[1] < _REPEAT_S:
                continue
            content = {"zones": [z.to_json_dict() for z in part]} if isinstance(part, tuple) else part.to_json_dict()
            info = client.publish(topic, _json({"time_us": int(view.time_us), **content}), qos=0)
            if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return  # the connection broke; the next one starts afresh
            self._pending.append(info)
            self._sent[topic] = (part, now_s)
            sent += 1
            if sent % _BATCH == 0:
                time.sleep(_PAUSE_S)

    def _parts(self, view: TwinView) -> Iterator[tuple[str, _Part]]:
        base = self._base
        for machine in view.machines:
            yield f"{base}/machines/{_level(machine.id)}", machine
        for link in view.links:
            yield f"{base}/links/{_level(link.device)}", link
        for service in view.services:
            yield f"{base}/services/{_level(service.name)}", service
        yield f"{base}/zones", view.zones
