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
``assets/<id>``                       ``time_us`` and the fields of an AssetView                  0       no
``advice``                            ``time_us`` and ``advice``: all AdviceViews that stand      0       no
``calibration``                       ``time_us`` and the fields of a CalibrationView             0       no
``qos``                               ``time_us`` and the fields of a QosView                     0       no
====================================  ==========================================================  ======  ========

A part that did not change is sent again once a second only. Fields: :mod:`bridges.view`.
"""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bridges.broker import EmbeddedBroker
from bridges.config import MqttConfig
from bridges.errors import BridgeError
from bridges.mqtt.connection import Message, MqttConnection, mqtt_password
from bridges.mqtt.topics import level
from bridges.view import (
    AdviceView,
    AssetView,
    CalibrationView,
    LinkView,
    MachineView,
    QosView,
    ServiceView,
    TwinView,
    ZoneView,
)

__all__ = ["MqttPublisher"]

_log = logging.getLogger(__name__)

_REPEAT_S = 1.0
# The sending thread looks for a view by itself, so that the tick need not wake it, and sleeps after every few messages, so that
# the tick's thread gets the interpreter.
_LOOK_S = 0.02
_BATCH = 10
_PAUSE_S = 0.000_2
_STOP_TIMEOUT_S = 3.0

_Part = (
    MachineView | LinkView | ServiceView | AssetView | CalibrationView | QosView | tuple[ZoneView, ...] | tuple[AdviceView, ...]
)


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":"), allow_nan=False).encode()


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
        self._base = f"{config.topic_prefix}/{level(name)}"
        self._status_topic = f"{self._base}/status"
        self._connection = MqttConnection(config, "the twin", will=self._state("lost"), birth=lambda: [self._state("online")])
        self._broker: EmbeddedBroker | None = None
        self._thread: threading.Thread | None = None
        self._latest: tuple[TwinView] | None = None  # written by the tick's thread alone
        self._stopping = False
        # of the sending thread alone
        self._taken: tuple[TwinView] | None = None
        self._sent: dict[str, tuple[_Part, float]] = {}
        self._status: tuple[bool, float] | None = None
        self._connections_seen = 0
        self._views_dropped = 0

    def _state(self, state: str) -> Message:
        return Message(self._status_topic, _json({"state": state}), qos=1, retain=True)

    @property
    def broker_url(self) -> str:
        """Address of the broker, for the person at the keyboard."""
        return self._connection.url

    @property
    def connection(self) -> MqttConnection:
        """The connection, for its counters."""
        return self._connection

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the twin."""
        return self._connection.connected

    @property
    def views_dropped(self) -> int:
        """Views not sent because the broker did not take the ones before in time."""
        return self._views_dropped

    def wait_connected(self, timeout_s: float) -> bool:
        """Wait until the broker has accepted the twin; False where it has not by then."""
        return self._connection.wait_connected(timeout_s)

    def start(self) -> None:
        """Start the embedded broker where none is named, and the publisher.

        A named broker need not be there yet: the publisher keeps trying.

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
        password = mqtt_password(config)
        if config.host is None:
            self._broker = EmbeddedBroker(config.port, self._log_file, config.user, password)
            self._broker.start()
        self._connection.start()
        self._thread = threading.Thread(target=self._run, name="mqtt-publisher", daemon=True)
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
        self._connection.stop(self._state("offline"))
        if self._broker is not None:
            self._broker.stop()
            self._broker = None

    def _run(self) -> None:
        while not self._stopping:
            latest = self._latest
            known = latest is self._taken and self._connection.connections == self._connections_seen
            if latest is None or known or not self._connection.connected:
                time.sleep(_LOOK_S)
                continue
            self._taken = latest
            try:
                self._send(latest[0], time.monotonic())
            except Exception:  # one view that cannot be sent must not silence the ones after it
                _log.exception("MQTT: a view was not sent")

    def _send(self, view: TwinView, now_s: float) -> None:
        connections = self._connection.connections
        if connections != self._connections_seen:
            # a new connection: what was on its way is gone, and whoever listens there knows nothing yet
            self._connections_seen = connections
            self._sent.clear()
            self._status = None
        if self._connection.pending() >= self._config.max_pending:
            self._views_dropped += 1
            return
        if self._status is None or self._status[0] != view.running or now_s - self._status[1] >= _REPEAT_S:
            self._status = (view.running, now_s)
            factor = view.real_time_factor if math.isfinite(view.real_time_factor) else None
            status = {"state": "online", "time_us": int(view.time_us), "running": bool(view.running), "real_time_factor": factor}
            self._connection.publish(Message(self._status_topic, _json(status), qos=1, retain=True))
        sent = 0
        for topic, part in self._parts(view):
            last = self._sent.get(topic)
            if last is not None and last[0] == part and now_s - last[1] < _REPEAT_S:
                continue
            if isinstance(part, tuple):  # the topic's last level is the name of the list
                content: dict[str, Any] = {topic.rsplit("/", 1)[-1]: [p.to_json_dict() for p in part]}
            else:
                content = part.to_json_dict()
            if not self._connection.publish(Message(topic, _json({"time_us": int(view.time_us), **content}))):
                if self._connection.connected:
                    self._views_dropped += 1  # in part: the broker does not take them as fast as they come
                return
            self._sent[topic] = (part, now_s)
            sent += 1
            if sent % _BATCH == 0:
                time.sleep(_PAUSE_S)

    def _parts(self, view: TwinView) -> Iterator[tuple[str, _Part]]:
        base = self._base
        for machine in view.machines:
            yield f"{base}/machines/{level(machine.id)}", machine
        for link in view.links:
            yield f"{base}/links/{level(link.device)}", link
        for service in view.services:
            yield f"{base}/services/{level(service.name)}", service
        yield f"{base}/zones", view.zones
        for asset in view.assets:
            yield f"{base}/assets/{level(asset.id)}", asset
        if view.advice is not None:
            yield f"{base}/advice", view.advice
        if view.calibration is not None:
            yield f"{base}/calibration", view.calibration
        if view.qos is not None:
            yield f"{base}/qos", view.qos
