"""The fleet manager's end: listens to real AGVs so that their twins follow, and sends them orders where that is allowed."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from bridges.config import MqttConfig
from bridges.errors import BridgeError
from bridges.mqtt.connection import Message, MqttConnection
from bridges.vda5050.base import stamp
from bridges.vda5050.config import RealAgvConfig, Vda5050Config
from bridges.vda5050.messages import MESSAGES, Refusal, Topic, read, write
from bridges.vda5050.shadow import AgvObservations, RealAgv, observe

__all__ = ["FleetManager"]

_log = logging.getLogger(__name__)
_LOG_EVERY_S = 5.0
_FLOOD_PER_S = 200  # assumed: states and visualizations of one AGV beyond this are a flood, and are not read
_LISTENED: tuple[Topic, ...] = ("state", "visualization", "connection")


class FleetManager:
    """Listens to the real AGVs of a scenario, and may send them orders and instant actions.

    Parameters
    ----------
    mqtt : the broker. config : which AGVs are real, and what may be sent to them.
    """

    def __init__(self, mqtt: MqttConfig, config: Vda5050Config) -> None:
        self._config = config
        self._real = {agv.serial_number: agv for agv in config.real}
        self.agvs = {serial: RealAgv(serial, config.real_max_age_s) for serial in self._real}
        self.counts: Counter[str] = Counter()
        self._header_id: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self._logged_s = -_LOG_EVERY_S
        self._connection = MqttConnection(mqtt, "the twin's fleet manager", birth=self._birth)
        for agv in config.real:
            for topic in _LISTENED:
                self._connection.subscribe(f"{self._base(agv)}/{topic}", 1, self._listener(agv, topic))

    @property
    def connection(self) -> MqttConnection:
        """The connection, for its counters."""
        return self._connection

    def _base(self, agv: RealAgvConfig) -> str:
        return f"{self._config.interface_name}/v{agv.version.split('.')[0]}/{agv.manufacturer}/{agv.serial_number}"

    def start(self) -> None:
        """Begin to connect; raises BridgeError where password or certificates cannot be used."""
        self._connection.start()

    def stop(self) -> None:
        """Disconnect."""
        self._connection.stop()

    def _birth(self) -> list[Message]:
        """Ask every AGV for its state, where that is allowed: else it is known only with the next event, up to 30 s later."""
        if "instantActions" not in self._config.may_send:
            return []
        ask = {"actionType": "stateRequest", "blockingType": "NONE"}
        return [
            self._message(agv, "instantActions", {"actions": [{**ask, "actionId": f"state-{secrets.token_hex(8)}"}]})
            for agv in self._config.real
        ]

    def observe(self, now_s: float | None = None) -> AgvObservations:
        """Return what is known of the real AGVs, in the scenario's order; ``now_s`` since 1970 [s], default: now."""
        return observe(list(self.agvs.values()), time.time() if now_s is None else now_s)

    def _listener(self, agv: RealAgvConfig, topic: Topic) -> Any:
        shadow = self.agvs[agv.serial_number]
        window_s, in_window = 0.0, 0

        def take(message: Message) -> None:
            nonlocal window_s, in_window
            now_s = time.monotonic()
            if now_s - window_s >= 1.0:
                window_s, in_window = now_s, 0
            in_window += 1
            if in_window > _FLOOD_PER_S:
                self._refuse("flood", agv, topic, f"more than {_FLOOD_PER_S} messages in a second; the rest is not read")
                return
            content = read(message.payload, topic, agv.version)
            if isinstance(content, Refusal):
                self._refuse(content.kind, agv, topic, content.reason)
                return
            named = (getattr(content, "manufacturer", None), getattr(content, "serial_number", None))
            if named not in ((agv.manufacturer, agv.serial_number), (None, None)):
                self._refuse("addressee", agv, topic, f"it says that it comes from {named[0]!r} {named[1]!r}")
                return
            if topic == "connection":
                shadow.connected(getattr(content, "connection_state", ""))
            elif message.retain:  # a state that was kept is from another time
                self._refuse("retained", agv, topic, "a retained message may be old")
            else:
                shadow.take(topic, content, time.time())

        return take

    def _refuse(self, kind: str, agv: RealAgvConfig, topic: str, reason: str) -> None:
        self.counts[kind] += 1
        now_s = time.monotonic()
        if now_s - self._logged_s >= _LOG_EVERY_S:
            self._logged_s = now_s
            _log.warning("VDA 5050: %s of %s was refused: %s", topic, agv.serial_number, reason)

    def send_order(self, serial: str, order: Mapping[str, Any]) -> bool:
        """Send an order or an order update to a real AGV.

        Parameters
        ----------
        serial : its serial number.
        order : the message without its header, as the AGV's version of the standard has it.

        Returns
        -------
        bool
            Whether it was handed to the broker's connection. Whether the AGV took it says its state: :meth:`observe`.

        Raises
        ------
        BridgeError
            The AGV is not a real one of the scenario, the scenario does not allow it, or the order is no order.
        """
        return self._send(serial, "order", order)

    def send_instant_actions(self, serial: str, actions: Sequence[Mapping[str, Any]]) -> bool:
        """Send instant actions to a real AGV, for example a startPause; as :meth:`send_order`."""
        return self._send(serial, "instantActions", {"actions": list(actions)})

    def _send(self, serial: str, topic: Topic, body: Mapping[str, Any]) -> bool:
        agv = self._real.get(serial)
        if agv is None:
            raise BridgeError(f"{serial!r} is no real AGV; bridges.vda5050.real names {', '.join(self._real) or 'none'}")
        if topic not in self._config.may_send:
            raise BridgeError(f"{topic} to {serial!r} is not allowed; add {topic} to bridges.vda5050.may_send")
        # QoS 0 as the standard has it; while the broker is away nothing is kept, for an old order is worse than none
        return self._connection.publish(self._message(agv, topic, body))

    def _message(self, agv: RealAgvConfig, topic: Topic, body: Mapping[str, Any]) -> Message:
        serial = agv.serial_number
        with self._lock:
            number = self._header_id[serial, topic]
            self._header_id[serial, topic] = (number + 1) % 2**32
        header = {
            "headerId": number, "timestamp": stamp(time.time()), "version": agv.version,
            "manufacturer": agv.manufacturer, "serialNumber": serial,
        }  # fmt: skip
        try:
            message = MESSAGES[agv.version][topic].model_validate({**body, **header}, strict=False)
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in fault["loc"]) or topic
            raise BridgeError(f"{topic} to {serial!r}: {place}: {fault['msg']}") from error
        return Message(f"{self._base(agv)}/{topic}", write(message))
