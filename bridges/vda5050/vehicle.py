"""One of the twin's AGVs at the broker: what a fleet manager sees of a vehicle and what it may ask of it.

==================  =======  ====  ========  ==============================================================================
topic               way      QoS   retained  when
==================  =======  ====  ========  ==============================================================================
``connection``      out      1     yes       ONLINE after every connection, OFFLINE before a clean end, broken as last will
``factsheet``       out      0     yes       after every connection, and on ``factsheetRequest``
``state``           out      0     no        on every event, on ``stateRequest``, and at least every ``state_interval_s``
``visualization``   out      0     no        every ``visualization_interval_s``
``order``           in       0     -         a retained one is refused: it may be from yesterday
``instantActions``  in       0     -         as ``order``; an action whose id was seen before is not carried out again
==================  =======  ====  ========  ==============================================================================

Topics are ``<interfaceName>/v<major>/<manufacturer>/<serialNumber>/<topic>``. Every AGV has a connection of its own, since a
broker speaks one last will per connection; its client id is fixed, so that a new twin takes over from one that was killed and the
old last will comes before the new ONLINE.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from bridges.config import MqttConfig
from bridges.inbox import Command, Inbox
from bridges.mqtt.connection import Message, MqttConnection
from bridges.mqtt.topics import level
from bridges.vda5050.base import Part, Version, stamp, time_of
from bridges.vda5050.config import Vda5050Config
from bridges.vda5050.limits import excessive
from bridges.vda5050.messages import Refusal, Topic, read, write
from bridges.vda5050.view import ActionView, ErrorView, VehicleSheet, VehicleView
from bridges.vda5050.writing import (
    BRIDGE_ACTIONS,
    connection_message,
    factsheet_message,
    state_message,
    visualization_message,
)

__all__ = ["INSTANT_COMMAND", "ORDER_COMMAND", "VirtualAgv"]

_log = logging.getLogger(__name__)

ORDER_COMMAND, INSTANT_COMMAND = "vda5050_order", "vda5050_instant_actions"
_KNOWN_ACTIONS = 1000
_OWN_STAMPS = 20
_KEPT_ERRORS, _KEPT_ACTIONS = 10, 20
_SKEW_S = 60.0  # assumed: beyond it somebody's clock is wrong; told, not refused, for orders are judged by their ids
_LOG_EVERY_S = 5.0
_TWIN_S = 30.0
_SHARED = ErrorView(
    "validationError", "validationError", "WARNING", "somebody else is online under this serial number; give one another name"
)


class VirtualAgv:
    """One AGV of the twin at the broker.

    Parameters
    ----------
    serial : serial number, the AGV's id in the hall.
    mqtt, config : broker; names, version, intervals.
    sheet : contents of the factsheet.
    inbox : where orders and instant actions go.
    password : of the broker's user, where it was read already.
    known_actions : ids of instant actions that were carried out before this process began.

    Attributes
    ----------
    counts : messages by topic, refused ones by reason, and what was noticed: ``flood``, ``clock_skew``, ``repeated_action``,
        ``contradicted`` (somebody else said that this AGV is not there), ``twin`` (somebody else speaks as this AGV).
    """

    def __init__(
        self,
        serial: str,
        mqtt: MqttConfig,
        config: Vda5050Config,
        sheet: VehicleSheet,
        inbox: Inbox,
        password: str | None = None,
        known_actions: Iterable[str] = (),
    ) -> None:
        self.serial = serial
        self.version: Version = config.versions.get(serial, config.version)
        self._config, self._sheet, self._inbox = config, sheet, inbox
        base = f"{config.interface_name}/v{self.version.split('.')[0]}/{config.manufacturer}/{level(serial)}"
        self._base = base
        self._header_id: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self._lock, self._header_lock = threading.Lock(), threading.Lock()
        self._errors: deque[ErrorView] = deque(maxlen=_KEPT_ERRORS)
        self._done: deque[ActionView] = deque(maxlen=_KEPT_ACTIONS)
        self._known_actions: OrderedDict[str, None] = OrderedDict((action_id, None) for action_id in known_actions)
        self._window_s, self._in_window = 0.0, 0
        self._logged_s: dict[str, float] = {}
        self._stamps: deque[tuple[int, str]] = deque(maxlen=_OWN_STAMPS)
        self._first_connection = True
        self._other_s = -1e9
        self._due = True  # a state is due whatever the AGV does
        self._wants_factsheet = False
        self._told: tuple[Any, ...] = ()
        self._state_s = self._visualized_s = -1e9
        self._state_id = 0
        self._connection = MqttConnection(
            mqtt,
            f"AGV {serial}",
            client_id=base.replace("/", "-"),
            will=self._connection_message("BROKEN"),
            birth=self._birth,
            password=password,
        )
        self._connection.subscribe(f"{base}/order", 1, self._on_order)
        self._connection.subscribe(f"{base}/instantActions", 1, self._on_instant_actions)
        self._connection.subscribe(f"{base}/connection", 1, self._on_own_connection)

    @property
    def connection(self) -> MqttConnection:
        """The connection, for its counters."""
        return self._connection

    def start(self) -> None:
        """Begin to connect; raises BridgeError where password or certificates cannot be used."""
        self._connection.start()

    def stop(self) -> None:
        """Say OFFLINE and disconnect."""
        self._connection.stop(self._connection_message("OFFLINE"))

    # what is told

    def _header(self, topic: Topic) -> dict[str, Any]:
        with self._header_lock:  # births come from the network thread
            number = self._header_id[topic]
            self._header_id[topic] = (number + 1) % 2**32
        return {
            "header_id": number,
            "timestamp": stamp(time.time()),
            "version": self.version,
            "manufacturer": self._config.manufacturer,
            "serial_number": self.serial,
        }

    def _message(self, topic: Topic, content: Part, qos: int = 0, retain: bool = False) -> Message:
        return Message(f"{self._base}/{topic}", write(content), qos, retain)

    def _connection_message(self, state: str) -> Message:
        header = self._header("connection")
        self._stamps.append((header["header_id"], header["timestamp"]))
        return self._message("connection", connection_message(header, state, self.version), 1, True)

    def _factsheet(self) -> Message:
        c = self._config
        sheet = factsheet_message(
            self._header("factsheet"), self._sheet, c.min_state_interval_s, c.state_interval_s, c.visualization_interval_s,
            self.version,
        )  # fmt: skip
        return self._message("factsheet", sheet, 0, True)

    def _birth(self) -> list[Message]:
        self._due = True
        return [self._connection_message("ONLINE"), self._factsheet()]

    def tell(self, vehicle: VehicleView, now_s: float) -> None:
        """Publish what is due of state and visualization. Called on the sending thread.

        Parameters
        ----------
        vehicle : the AGV now. now_s : monotonic clock [s].
        """
        if not self._connection.connected:
            return
        config = self._config
        if self._wants_factsheet:
            self._wants_factsheet = False
            self._connection.publish(self._factsheet())
        shared = (_SHARED,) if now_s - self._other_s < _TWIN_S else ()
        with self._lock:
            vehicle = replace(
                vehicle,
                errors=(*vehicle.errors, *self._errors, *shared),
                instant_actions=(*vehicle.instant_actions, *self._done),
            )
        events = _events(vehicle)
        since_s = now_s - self._state_s
        due = since_s >= config.min_state_interval_s and (self._due or events != self._told)
        if due or since_s >= config.state_interval_s:
            self._due = False
            header = self._header("state")
            message = self._message("state", state_message(header, vehicle, config.map_id, self.version))
            if self._connection.publish(message):
                self._told, self._state_s, self._state_id = events, now_s, header["header_id"]
            else:
                self._due = True
        interval_s = config.visualization_interval_s
        if interval_s > 0 and now_s - self._visualized_s >= interval_s:
            self._visualized_s = now_s
            header = self._header("visualization")
            seen = visualization_message(header, vehicle, config.map_id, self._state_id, self.version)
            self._connection.publish(self._message("visualization", seen))

    # what is asked, on the network thread

    def _admitted(self, message: Message, topic: Topic) -> Part | None:
        """Read a message; None, counted and told in the next state, where it cannot be obeyed."""
        now_s = time.monotonic()
        if now_s - self._window_s >= 1.0:
            self._window_s, self._in_window = now_s, 0
        self._in_window += 1
        if self._in_window > self._config.max_messages_per_s:
            self.counts["flood"] += 1
            self._log("flood", f"more than {self._config.max_messages_per_s} messages in a second; the rest is not read", topic)
            return None
        if message.retain:
            self._refuse("retained", topic, "a retained message may be old; publish without the retain flag")
            return None
        content = read(message.payload, topic, self.version)
        if isinstance(content, Refusal):
            self._refuse(content.kind, topic, content.reason)
            return None
        named = (getattr(content, "manufacturer", ""), getattr(content, "serial_number", ""))
        if named != (self._config.manufacturer, self.serial):
            self._refuse("addressee", topic, f"addressed to {named[0]!r} {named[1]!r}; this is {self.serial!r}")
            return None
        excess = excessive(content)
        if excess:
            self._refuse("limit", topic, excess)
            return None
        ahead_s = time_of(getattr(content, "timestamp", "")) - time.time()
        if abs(ahead_s) > _SKEW_S:
            self.counts["clock_skew"] += 1
            self._log("clock_skew", f"its timestamp is {ahead_s:+.0f} s from our clock; it is read, but set that clock", topic)
        self.counts[topic] += 1
        return content

    def _refuse(self, kind: str, topic: Topic, reason: str) -> None:
        self.counts[kind] += 1
        self._log(kind, reason, topic)
        error = ErrorView("VALIDATION_FAILURE", "validationError", "WARNING", f"{topic}: {reason}", (("topic", topic),))
        with self._lock:
            if error not in self._errors:
                self._errors.append(error)
        self._due = True

    def _log(self, kind: str, reason: str, topic: Topic) -> None:
        """Say in the log what is wrong, once in a while for each kind; who floods does not fill a disk."""
        now_s = time.monotonic()
        if now_s - self._logged_s.get(kind, -_LOG_EVERY_S) >= _LOG_EVERY_S:
            self._logged_s[kind] = now_s
            _log.warning(
                "VDA 5050: %s, %s on %s (%d so far): %s", self.serial, kind, topic, self.counts[kind], reason
            )  # fmt: skip

    def _on_order(self, message: Message) -> None:
        order = self._admitted(message, "order")
        if order is None:
            return
        payload = order.model_dump(mode="json", by_alias=True, exclude_none=True)
        with self._lock:
            self._errors.clear()  # what was wrong with earlier messages is over
        if not self._inbox.put(Command(f"vda5050:{self.serial}", ORDER_COMMAND, self.serial, payload=payload)):
            self._refuse("inbox_full", "order", "the twin has more commands than it can take; send the order again")
        self._due = True

    def _on_instant_actions(self, message: Message) -> None:
        content = self._admitted(message, "instantActions")
        if content is None:
            return
        wanted = []
        for action in content.model_dump(mode="json", by_alias=True, exclude_none=True)["actions"]:
            action_id, action_type = action["actionId"], action["actionType"]
            if action_id in self._known_actions:
                self.counts["repeated_action"] += 1
                continue
            self._known_actions[action_id] = None
            if len(self._known_actions) > _KNOWN_ACTIONS:
                self._known_actions.popitem(last=False)
            if action_type in BRIDGE_ACTIONS:
                self._wants_factsheet = self._wants_factsheet or action_type == "factsheetRequest"
                with self._lock:
                    self._done.append(ActionView(action_id, action_type, "FINISHED"))
            else:
                wanted.append(action)
        self._due = True
        if wanted and not self._inbox.put(
            Command(f"vda5050:{self.serial}", INSTANT_COMMAND, self.serial, payload={"actions": wanted})
        ):
            for action in wanted:
                self._known_actions.pop(action["actionId"], None)
            self._refuse("inbox_full", "instantActions", "the twin has more commands than it can take; send them again")

    def _on_own_connection(self, message: Message) -> None:
        """Notice who else speaks as this AGV, and say ONLINE again where they said that it is not.

        What the broker kept from before the first connection is an earlier life of this AGV; a last will is its own too.
        """
        state = read(message.payload, "connection", self.version)
        first, self._first_connection = self._first_connection, False
        if isinstance(state, Refusal):
            if message.payload and not (message.retain and first):
                self.counts["connection_garbage"] += 1
                self._log("connection_garbage", state.reason, "connection")
            return
        said = getattr(state, "connection_state", "")
        if (getattr(state, "header_id", -1), getattr(state, "timestamp", "")) in self._stamps or (message.retain and first):
            return
        if said == "ONLINE":
            self.counts["twin"] += 1
            self._other_s = time.monotonic()
            self._log(
                "twin", f"somebody else is online as {self.serial}; give one of the two another name or broker", "connection"
            )
            self._due = True
            return
        if message.retain:
            return
        self.counts["contradicted"] += 1
        self._log("contradicted", f"somebody else said {said} for it; it is ONLINE", "connection")
        self._connection.publish(self._connection_message("ONLINE"))


def _events(vehicle: VehicleView) -> tuple[Any, ...]:
    """Give all of an AGV whose change is an event: everything but what changes steadily (pose, speed, charge)."""
    v = vehicle
    return (
        v.order_id, v.order_update_id, v.last_node, v.last_sequence, v.nodes, v.edges, v.actions, v.instant_actions, v.driving,
        v.paused, v.base_ends, v.charging, v.load_type, v.errors, v.standstill, v.emergency_stop, v.field_violation,
    )  # fmt: skip
