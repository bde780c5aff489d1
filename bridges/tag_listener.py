"""Location tags from a broker: a subscription in front of :class:`bridges.tags.TagReader`."""

from __future__ import annotations

import time

from bridges.config import MqttConfig
from bridges.mqtt.connection import Message, MqttConnection
from bridges.tags import TagObservations, TagReader, TagsConfig

__all__ = ["TagListener"]


class TagListener:
    """Listens to location tags.

    Parameters
    ----------
    mqtt : the broker. config : topic, coordinates and limits.

    Attributes
    ----------
    reader : what was read, and the counts of what was refused. retained : retained messages, which may be old and are not read.
    """

    def __init__(self, mqtt: MqttConfig, config: TagsConfig) -> None:
        self.reader = TagReader(config)
        self.retained = 0
        self._connection = MqttConnection(mqtt, "the tag listener")
        self._connection.subscribe(config.topic, 0, self._take)

    @property
    def connection(self) -> MqttConnection:
        """The connection, for its counters."""
        return self._connection

    def start(self) -> None:
        """Begin to connect; raises BridgeError where password or certificates cannot be used."""
        self._connection.start()

    def stop(self) -> None:
        """Disconnect."""
        self._connection.stop()

    def drain(self) -> TagObservations:
        """Take all places that wait. Called once a tick."""
        return self.reader.drain()

    def _take(self, message: Message) -> None:
        if message.retain:
            self.retained += 1
        else:
            self.reader.take(message.payload, time.time())
