"""MQTT: one connection manager, and the twin's telemetry on top of it.

:class:`MqttConnection` is the only place where the MQTT library is used; telemetry, VDA 5050 and location tags are written on it.
"""

from bridges.mqtt.connection import Message, MqttConnection, MqttCounters
from bridges.mqtt.publisher import MqttPublisher
from bridges.mqtt.topics import level

__all__ = ["Message", "MqttConnection", "MqttCounters", "MqttPublisher", "level"]
