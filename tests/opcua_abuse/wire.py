"""An OPC UA client that sends bytes as they are given, over a channel without security: what no real client would send."""

from __future__ import annotations

import socket
import struct
from typing import Any

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import nodeid_from_binary, struct_from_binary, struct_to_binary

_NONE = b"http://opcfoundation.org/UA/SecurityPolicy#None"


def packet(kind: bytes, content: bytes, length: int | None = None) -> bytes:
    """Return a message with its header; ``length`` is another one than it has."""
    return kind + struct.pack("<I", 8 + len(content) if length is None else length) + content


def text(content: bytes | None) -> bytes:
    """Return a string or byte string."""
    return struct.pack("<i", -1) if content is None else struct.pack("<i", len(content)) + content


def hello(url: bytes = b"opc.tcp://127.0.0.1", buffer: int = 65535) -> bytes:
    """Return a hello message."""
    return packet(b"HELF", struct.pack("<IIIII", 0, buffer, buffer, 0, 0) + text(url))


class GoneError(ConnectionError):
    """The server has ended the connection; what it said last is the text."""


class Wire:
    """One connection.

    Parameters
    ----------
    port : of the server on this machine.
    timeout_s : how long an answer may take.

    Attributes
    ----------
    channel, token, sequence, request : numbers of the channel, as they are sent next.
    authentication : token of the session.
    """

    def __init__(self, port: int, timeout_s: float = 10.0) -> None:
        self.peer = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        self.peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.channel = self.token = self.sequence = self.request = 0
        self.authentication: Any = ua.NodeId()
        self._got = b""

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.peer.close()

    def send(self, content: bytes) -> None:
        """Send bytes as they are."""
        try:
            self.peer.sendall(content)
        except TimeoutError:
            raise
        except OSError as error:
            raise GoneError(type(error).__name__) from error

    def _read(self, count: int) -> None:
        """Wait until so many bytes are there; what came before the time was over stays."""
        while len(self._got) < count:
            try:
                part = self.peer.recv(65_536)
            except TimeoutError:
                raise
            except OSError as error:
                raise GoneError(type(error).__name__) from error
            if not part:
                raise GoneError("closed")
            self._got += part

    def receive(self) -> tuple[bytes, bytes]:
        """Return kind and content of the next chunk; an error message ends in :class:`GoneError`."""
        self._read(8)
        size = struct.unpack("<I", self._got[4:8])[0]
        self._read(size)
        head, content, self._got = self._got[:8], self._got[8:size], self._got[size:]
        if head[:3] == b"ERR":
            raise GoneError(ua.StatusCode(struct.unpack("<I", content[:4])[0]).name)
        return head[:4], content

    def numbered(self) -> bytes:
        """Return the sequence header of the next chunk."""
        self.sequence += 1
        self.request += 1
        return struct.pack("<II", self.sequence, self.request)

    def message(self, body: bytes, kind: bytes = b"MSGF") -> bytes:
        """Return a chunk of the channel with a body."""
        return packet(kind, struct.pack("<II", self.channel, self.token) + self.numbered() + body)

    def opening(self, policy: bytes = _NONE, certificate: bytes | None = None, lifetime_ms: int = 600_000) -> bytes:
        """Return a request for a channel without security."""
        request: Any = ua.OpenSecureChannelRequest()
        request.Parameters.SecurityMode = ua.MessageSecurityMode.None_
        request.Parameters.RequestedLifetime = lifetime_ms
        head = struct.pack("<I", self.channel) + text(policy) + text(certificate) + text(None)
        return packet(b"OPNF", head + self.numbered() + struct_to_binary(request))

    def open(self) -> Wire:
        """Say hello and open a channel."""
        self.send(hello())
        self.receive()
        self.send(self.opening())
        _, content = self.receive()
        body = Buffer(content[4:])
        for _ in range(3):
            length = struct.unpack("<i", body.read(4))[0]
            body.read(max(length, 0))
        body.read(8)
        nodeid_from_binary(body)
        answer: Any = struct_from_binary(ua.ResponseHeader, body)
        assert answer.ServiceResult.is_good(), answer
        struct.unpack("<I", body.read(4))
        self.channel, self.token = struct.unpack("<II", body.read(8))
        return self

    def encoded(self, request: Any) -> bytes:
        """Return a request of this session as bytes."""
        request.RequestHeader.AuthenticationToken = self.authentication
        return struct_to_binary(request)

    def ask(self, request: Any) -> tuple[Any, Buffer]:
        """Send a request; return the answer's header, and the bytes behind it."""
        self.send(self.message(self.encoded(request)))
        return self.answer()

    def answer(self) -> tuple[Any, Buffer]:
        """Return the header of the next answer, and the bytes behind it."""
        body = b""
        while True:
            kind, content = self.receive()
            body += content[16:]
            if kind[3:] == b"F":
                break
        buffer = Buffer(body)
        nodeid_from_binary(buffer)
        return struct_from_binary(ua.ResponseHeader, buffer), buffer

    def create(self) -> Wire:
        """Create a session, without a user so far."""
        request: Any = ua.CreateSessionRequest()
        request.Parameters.ClientDescription.ApplicationUri = "urn:wire"
        request.Parameters.EndpointUrl = "opc.tcp://127.0.0.1"
        request.Parameters.SessionName = "wire"
        request.Parameters.RequestedSessionTimeout = 600_000.0
        header, body = self.ask(request)
        header.ServiceResult.check()
        nodeid_from_binary(body)
        self.authentication = nodeid_from_binary(body)
        return self

    def activate(self) -> Wire:
        """Activate the session without a user."""
        request: Any = ua.ActivateSessionRequest()
        request.Parameters.UserIdentityToken = ua.AnonymousIdentityToken(PolicyId="anonymous")
        self.ask(request)[0].ServiceResult.check()
        return self
