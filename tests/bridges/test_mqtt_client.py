"""The client that reads in pieces: whatever the pieces, every message comes once and in order, and sending is not starved."""

from __future__ import annotations

import socket
import struct

import paho.mqtt.client as paho
from hypothesis import given, settings
from hypothesis import strategies as st
from paho.mqtt.enums import CallbackAPIVersion

from bridges.mqtt.client import BufferedClient


def packet(topic: bytes, payload: bytes) -> bytes:
    """Build a PUBLISH of QoS 0 (MQTT 3.1.1, 3.3)."""
    body = struct.pack("!H", len(topic)) + topic + payload
    rest, length = len(body), b""
    while True:
        rest, digit = divmod(rest, 128)
        length += bytes([digit | (0x80 if rest else 0)])
        if not rest:
            return b"\x30" + length + body


class Counting:
    """A socket that counts how often it is read."""

    def __init__(self, inner: socket.socket) -> None:
        self._inner, self.reads = inner, 0

    def recv(self, size: int) -> bytes:
        self.reads += 1
        return self._inner.recv(size)

    def fileno(self) -> int:
        return self._inner.fileno()

    def close(self) -> None:
        self._inner.close()


class Line:
    """A client at one end of a socket pair; what it hears."""

    def __init__(self, kind: type[paho.Client] = BufferedClient) -> None:
        near, self.far = socket.socketpair()
        near.setblocking(False)
        self.far.setblocking(False)
        self.socket, self.heard = Counting(near), []
        self.client = kind(CallbackAPIVersion.VERSION2)
        self.client.on_message = lambda client, userdata, message: self.heard.append(message.payload)
        self.client._sock = self.socket

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.client._sock = None
        self.socket.close()
        self.far.close()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(sizes=st.lists(st.integers(0, 700), min_size=1, max_size=12), cuts=st.lists(st.integers(1, 900), min_size=1, max_size=9))
def test_messages_come_once_and_in_order_however_they_are_cut(sizes, cuts):
    payloads = [bytes([k % 256]) * size for k, size in enumerate(sizes)]
    stream = b"".join(packet(b"a/b", payload) for payload in payloads)
    with Line() as line:
        at = 0
        for k in range(len(stream)):
            end = at + cuts[k % len(cuts)]
            line.far.sendall(stream[at:end])
            assert line.client.loop_read() == 0
            at = end
            if at >= len(stream):
                break
        assert line.heard == payloads


def test_one_read_takes_many_messages():
    reads = {}
    for kind in (paho.Client, BufferedClient):
        with Line(kind) as line:
            line.far.sendall(b"".join(packet(b"tags/1", b"x" * 150) for _ in range(200)))
            while len(line.heard) < 200:
                line.client.loop_read()
            reads[kind] = line.socket.reads
    assert reads[paho.Client] >= 4 * 200
    assert reads[BufferedClient] == 1


def test_a_flood_leaves_room_for_sending():
    with Line() as line:
        sent = 0
        flood = packet(b"f", b"y" * 1000) * 40
        for _ in range(10):
            try:
                sent += line.far.send(flood)
            except BlockingIOError:
                break
        line.client.loop_read()
        assert 0 < len(line.heard) <= 66  # one piece of 64 KiB, then the network thread may write
        before = len(line.heard)
        line.client.loop_read()
        assert len(line.heard) > before


def test_what_was_held_of_a_lost_connection_is_forgotten():
    with Line() as line:
        whole = packet(b"a", b"z" * 50)
        line.far.sendall(whole + whole[:20])
        line.client.loop_read()
        assert line.heard == [b"z" * 50]
        line.client._held, line.client._at = b"rest", 0
        line.client._sock_close()
        assert (line.client._held, line.client._at) == (b"", 0)
