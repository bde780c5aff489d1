"""Radio measurements from a broker, and what a person asks about them: subscriptions in front of the reader and the inbox."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bridges.config import MqttConfig
from bridges.inbox import Command
from bridges.mqtt.connection import Message, MqttConnection
from bridges.radio_reports import RadioReadings, RadioReportReader, RadioReportsConfig

__all__ = ["RadioListener"]

_log = logging.getLogger(__name__)
_MAX_ASK_BYTES = 1000


class _Ask(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    ask: Literal["accept", "dismiss", "accept_places", "revert"]
    trp: str = Field("", max_length=256)
    seconds: float = Field(0.0, ge=0, le=604_800)

    @model_validator(mode="after")
    def _says_what(self) -> _Ask:
        if self.ask in ("accept", "dismiss") and not self.trp:
            raise ValueError(f"{self.ask} needs trp, the name of the TRP")
        if self.ask == "revert" and not self.seconds > 0:
            raise ValueError("revert needs seconds: how far back the offsets are to go")
        return self


class RadioListener:
    """Listens to radio measurements.

    Parameters
    ----------
    mqtt : the broker. config : topics and limits. ues, trps : names, in the order of the twin's indices.
    put : takes what a person asks, as a command; False where it is full.

    Attributes
    ----------
    reader : what was read, and the counts of what was refused. retained : retained messages, which may be old and are not read.
    asked_wrong : messages on ``ask_topic`` that ask nothing.
    """

    def __init__(
        self,
        mqtt: MqttConfig,
        config: RadioReportsConfig,
        ues: Sequence[str],
        trps: Sequence[str],
        put: Callable[[Command], bool],
    ) -> None:
        self.reader = RadioReportReader(config, ues, trps)
        self.retained = self.asked_wrong = 0
        self._put = put
        self._connection = MqttConnection(mqtt, "the listener to radio measurements")
        self._connection.subscribe(config.topic, 0, self._take)
        self._connection.subscribe(config.ask_topic, 1, self._asked)

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

    def drain(self) -> RadioReadings:
        """Take all measurements that wait. Called once a tick."""
        return self.reader.drain()

    def _take(self, message: Message) -> None:
        if message.retain:
            self.retained += 1
        else:
            self.reader.take(message.payload, time.time())

    def _asked(self, message: Message) -> None:
        if message.retain or len(message.payload) > _MAX_ASK_BYTES:
            self.asked_wrong += 1
            return
        try:
            ask = _Ask.model_validate_json(message.payload)
        except ValidationError as error:
            self.asked_wrong += 1
            if self.asked_wrong % 100 == 1:
                fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
                _log.warning('radio: %s; an example: {"ask": "dismiss", "trp": "ceiling-west"}', fault["msg"])
            return
        arguments = (("seconds", ask.seconds),) if ask.ask == "revert" else ()
        if not self._put(Command("mqtt:radio", f"radio_{ask.ask}", ask.trp, arguments)):
            _log.warning("radio: %s was not taken, too many commands wait; ask again", ask.ask)
