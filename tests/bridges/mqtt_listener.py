"""A paho client that writes down what it hears."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion


class Listener:
    """Subscribes to a filter and keeps every message as (topic, content, retained)."""

    def __init__(self, port: int, topics: str = "#", user: str | None = None, password: str | None = None) -> None:
        self.messages: list[tuple[str, Any, bool]] = []
        self.refusal = ""
        self._topics = topics
        self._subscribed = threading.Event()
        self._answered = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv311)
        if user is not None:
            self._client.username_pw_set(user, password)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _on_connect(self, client, userdata, flags, reason, properties) -> None:
        if reason.is_failure:
            self.refusal = str(reason)
        else:
            client.subscribe(self._topics, qos=1)
        self._answered.set()

    def _on_message(self, client, userdata, message) -> None:
        try:
            content = json.loads(message.payload)
        except ValueError:
            content = bytes(message.payload)
        self.messages.append((message.topic, content, bool(message.retain)))

    def __enter__(self) -> Listener:
        assert self._answered.wait(10), "the broker did not answer"
        assert self.refusal or self._subscribed.wait(10), "the broker did not confirm the subscription"
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def on(self, topic: str) -> list[Any]:
        """Return the contents heard on one topic."""
        return [content for heard, content, _ in list(self.messages) if heard == topic]

    def last(self, topic: str) -> Any:
        """Return the content heard last on one topic, an empty one where nothing was."""
        return (self.on(topic) or [{}])[-1]

    def wait(self, condition: Callable[[Listener], bool], what: str, timeout_s: float = 15.0) -> None:
        """Wait until something was heard; fail naming what was awaited."""
        deadline = time.monotonic() + timeout_s
        while not condition(self):
            assert time.monotonic() < deadline, f"not heard within {timeout_s:.0f} s: {what}; heard {self.messages[-5:]}"
            time.sleep(0.01)
