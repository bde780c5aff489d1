"""Values that machines tell over MQTT as JSON, by a mapping: a subscription for each topic, a path for each variable."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from bridges.config import MqttConfig
from bridges.mapping import MqttSource
from bridges.mapping_file import BoundEntry
from bridges.mapping_path import JsonPath, find, parse_json_path
from bridges.mapping_values import GOOD, MappedValues
from bridges.mqtt.connection import Message, MqttConnection
from bridges.vda5050.base import time_of

__all__ = ["MappedMqtt"]


class MappedMqtt:
    """Listens to the topics of a mapping.

    Parameters
    ----------
    name : of the source. source : as mapped. broker : where. entries : what to read. values : takes what comes.

    Attributes
    ----------
    counts : messages ``taken`` and refused: ``size``, ``json``; and ``retained``: those that were kept by the broker, which may
        be old and are read only where they say their time.
    """

    def __init__(
        self, name: str, source: MqttSource, broker: MqttConfig, entries: Sequence[BoundEntry], values: MappedValues
    ) -> None:
        self._name, self._source, self._values = name, source, values
        self.counts: Counter[str] = Counter()
        self._topics: dict[str, list[tuple[BoundEntry, JsonPath, JsonPath | None]]] = {}
        for bound in entries:
            entry = bound.entry
            time_path = None if entry.time_path is None else parse_json_path(entry.time_path)
            self._topics.setdefault(entry.topic or "", []).append((bound, parse_json_path(entry.path or "$"), time_path))
        self._connection = MqttConnection(broker, f"the mapping's source {name}")
        for topic in self._topics:
            self._connection.subscribe(topic, source.qos, self._take)

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted us."""
        return self._connection.connected

    @property
    def problem(self) -> str:
        """Why nothing comes, "" where it does."""
        return "" if self.connected else f"no connection to {self._connection.url}"

    def wait_connected(self, timeout_s: float) -> bool:
        """Wait until the broker has accepted us; False where it has not by then."""
        return self._connection.wait_connected(timeout_s)

    def start(self) -> None:
        """Begin to connect, and go on until :meth:`stop`."""
        self._connection.start()

    def stop(self) -> None:
        """Disconnect."""
        self._connection.stop()

    def _take(self, message: Message) -> None:
        arrived_s = time.time()
        if len(message.payload) > self._source.max_bytes:
            self.counts["size"] += 1
            return
        try:
            document = json.loads(message.payload)
        except (ValueError, RecursionError):
            self.counts["json"] += 1
            for bound, _, _ in self._topics[message.topic]:
                self._values.fault(bound.row, "json", f"a message on {message.topic!r} is no JSON")
            return
        self.counts["retained" if message.retain else "taken"] += 1
        self._values.heard(self._name, arrived_s)
        for bound, path, time_path in self._topics[message.topic]:
            try:
                raw = find(document, path)
                stamp = None if time_path is None else find(document, time_path)
            except LookupError as error:
                self._values.fault(bound.row, "missing", f"{bound.entry.path} in a message on {message.topic!r}: {error}")
                continue
            if stamp is None and message.retain:
                continue  # who knows how old it is
            try:
                measured_s = arrived_s if stamp is None else self._seconds(bound, stamp)
            except (ValueError, TypeError, OverflowError) as error:
                self._values.fault(bound.row, "time", f"{bound.entry.time_path} in a message on {message.topic!r}: {error}")
                continue
            self._values.put(bound.row, raw, GOOD, measured_s, arrived_s)

    def _seconds(self, bound: BoundEntry, stamp: Any) -> float:
        if bound.entry.time_unit == "iso":
            if not isinstance(stamp, str):
                raise ValueError(f"{stamp!r} is no ISO 8601 text; time_unit s or ms takes numbers")
            return time_of(stamp)
        if isinstance(stamp, bool) or not isinstance(stamp, int | float):
            raise ValueError(f"{stamp!r} is no number; time_unit iso takes texts")
        return float(stamp) * (1e-3 if bound.entry.time_unit == "ms" else 1.0)
