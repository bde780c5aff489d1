"""The MQTT library's client, reading its socket in large pieces.

The library asks the socket for one byte, for each byte of a packet's length and then for the rest: four calls for each message,
and each gives the interpreter away and has to wait for it, up to 5 ms where the tick is busy. Here one call takes what there is.

Invariant: when ``loop_read`` returns, nothing that was taken from the socket is left unread; and it takes at most one piece, so
that a flood does not keep the client from sending.
"""

from __future__ import annotations

from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode

__all__ = ["BufferedClient"]

_PIECE = 65_536


class BufferedClient(paho.Client):
    """A client whose socket is read in pieces of 64 KiB; all else is the library's."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._held, self._at, self._reading, self._taken = b"", 0, False, False
        super().__init__(*arguments, **named)

    def _sock_recv(self, bufsize: int) -> bytes:
        if self._at >= len(self._held):
            if self._reading and self._taken:
                raise BlockingIOError
            self._held, self._at = super()._sock_recv(_PIECE), 0
            self._taken = True
        data = self._held[self._at : self._at + bufsize]
        self._at += len(data)
        return data

    def _sock_close(self) -> None:
        self._held, self._at = b"", 0
        super()._sock_close()

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Read what one piece of the socket's bytes holds, and handle every message of it that is whole."""
        self._reading, self._taken = True, False
        try:
            while True:
                result = super().loop_read(max_packets)
                if result or self._at >= len(self._held):
                    return result
        finally:
            self._reading = False
