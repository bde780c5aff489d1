"""Connections of the OPC UA server: what asyncua does with them, and the doors it leaves open.

- An error in a message is answered by an error message and the end of the connection (OPC 10000-6 clause 7.1.5); asyncua logs it
  and goes on, so that the client waits for its time limit and a stranger can try on.
- A message announced longer than the buffer that was agreed is refused as its header comes; asyncua collects up to 4 GiB for it.
- A client that does not read its answers is no longer listened to, and cut off after ten seconds; asyncua keeps all answers.
- Before a session is activated a message has at most 64 KiB, so that strangers together can hold no more than a few MB; and what
  a message may make of itself as it is decoded is bounded (:mod:`bridges.opcua.decoding`).
- Where all connections are taken, the oldest that has no session makes room, so that half-open ones cannot lock a plant out.
- A channel's certificate is judged before the channel exists (:mod:`bridges.opcua.trust`), and a session belongs to the
  application whose channel it is.
"""

from __future__ import annotations

import asyncio
import copy
import logging
import socket
import struct
from typing import Any, cast

from asyncua import ua
from asyncua.common.utils import NotEnoughData, ServiceError
from asyncua.crypto.security_policies import SecurityPolicyFactory, SecurityPolicyNone
from asyncua.server.binary_server_asyncio import BinaryServer, OPCUAProtocol
from asyncua.server.server import Server
from asyncua.server.uaprocessor import UaProcessor
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import struct_from_binary, uatcp_to_binary
from asyncua.ua.uaerrors import UaError, UaStatusCodeError
from cryptography import x509

from bridges.opcua.decoding import harden_decoder
from bridges.opcua.space import status
from bridges.opcua.trust import TrustList, leaf

__all__ = ["TwinUaServer"]

_log = logging.getLogger(__name__)

_LEAST_BUFFER = 8192  # OPC 10000-6 table 57
_MAX_MESSAGE = 4 * 1024 * 1024
_MAX_STRANGERS_MESSAGE = 65_536
_SEND_BUFFER = 262_144
_PATIENCE_S = 10.0  # with a client that does not read
_ADDITIONAL_INFO = 0x80  # of operations: OPC 10000-4 table 171
_TYPES = (b"HEL", b"OPN", b"MSG", b"CLO", b"ERR")

_UNDECODABLE = (NotEnoughData, UaError, ValueError, OverflowError, RecursionError, struct.error)

_CREATE_SESSION = ua.NodeId(ObjectIds.CreateSessionRequest_Encoding_DefaultBinary)  # type: ignore[arg-type]
_BROWSE_NEXT = ua.NodeId(ObjectIds.BrowseNextRequest_Encoding_DefaultBinary)  # type: ignore[arg-type]


def _error(code: int) -> bytes:
    """Return an error message, after which the connection ends."""
    return uatcp_to_binary(cast(Any, ua.MessageType.Error), ua.ErrorMessage(status(code), ua.String("")))


class _TrustedFactory(SecurityPolicyFactory):
    """Makes channels for applications that are trusted."""

    def __init__(self, inner: Any, trust: TrustList) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            inner.cls, inner.mode, inner.certificate, inner.private_key, inner.permission_ruleset, inner.certificate_chain
        )
        self._trust = trust

    def create(self, peer_certificate: bytes | None) -> Any:
        if self.cls is not SecurityPolicyNone:
            self._trust.require_trusted(peer_certificate or b"")
        return super().create(peer_certificate)  # type: ignore[no-untyped-call]


class _Processor(UaProcessor):
    """Takes the messages of one connection."""

    greeted = False
    _agreed = _MAX_MESSAGE

    async def process(self, header: Any, body: Any) -> bool:
        try:
            if header.MessageType == ua.MessageType.Hello:
                self._greet(struct_from_binary(ua.Hello, body.copy()))
                going_on = bool(await super().process(header, body))  # type: ignore[no-untyped-call]
                self._agreed, self._limits.max_message_size = self._limits.max_message_size, _MAX_STRANGERS_MESSAGE
                return going_on
            if not self.greeted:
                raise ServiceError(StatusCodes.BadTcpMessageTypeInvalid)
            return bool(await super().process(header, body))  # type: ignore[no-untyped-call]
        except asyncio.CancelledError:
            raise
        except (ServiceError, UaStatusCodeError) as error:
            code = int(error.code)
            _log.info("OPC UA: a message of %s was refused: %s", self.name, status(code).name)
        except Exception as error:
            # whatever a stranger's bytes break is the stranger's: the connection ends, the server goes on
            code = StatusCodes.BadSecurityChecksFailed
            _log.info("OPC UA: a message of %s was refused: %s", self.name, type(error).__name__)
        self._transport.write(_error(code))
        return False

    def _greet(self, hello: ua.Hello) -> None:
        if self.greeted:
            raise ServiceError(StatusCodes.BadTcpMessageTypeInvalid)
        if min(hello.ReceiveBufferSize, hello.SendBufferSize) < _LEAST_BUFFER:
            raise ServiceError(StatusCodes.BadConnectionRejected)
        self.greeted = True

    async def _process_message(self, typeid: ua.NodeId, requesthdr: Any, seqhdr: Any, body: Any) -> Any:
        policy = self._connection.security_policy
        if typeid == _CREATE_SESSION:
            self._require_same_application(struct_from_binary(ua.CreateSessionParameters, body.copy()), policy)
            if self.session is not None:  # a channel of ours has one session; asyncua would forget the first and keep it for ever
                await self.session.close_session(True)
        if self.session is not None:
            self.session.channel_mode = policy.Mode  # type: ignore[attr-defined]
            self.session.peer = self.name  # type: ignore[attr-defined]
            self.session.wants_diagnostics = bool(requesthdr.ReturnDiagnostics & _ADDITIONAL_INFO)  # type: ignore[attr-defined]
        try:
            if self.session is not None and typeid == _BROWSE_NEXT:
                result = await self._browse_next(self.session, requesthdr, seqhdr, body)
            else:
                result = await super()._process_message(typeid, requesthdr, seqhdr, body)  # type: ignore[no-untyped-call]
        except (ServiceError, UaStatusCodeError):
            raise
        except _UNDECODABLE as error:  # asyncua calls it an internal error, and a stranger could fill the log with its traces
            _log.warning("OPC UA: a request of %s cannot be decoded: %s: %s", self.name, type(error).__name__, str(error)[:200])
            raise ServiceError(StatusCodes.BadDecodingError) from error
        if self.session is not None and self.session.is_activated():
            self._limits.max_message_size = self._agreed
        return result

    async def _browse_next(self, session: Any, requesthdr: Any, seqhdr: Any, body: Any) -> bool:
        """Answer BrowseNext, which asyncua does not know."""
        rules: Any = self._connection.security_policy.permissions
        if not rules.check_validity(session.user, _BROWSE_NEXT, body):
            raise ServiceError(StatusCodes.BadUserAccessDenied)
        session.touch()
        response = ua.BrowseNextResponse()
        response.Parameters.Results = await session.browse_next(struct_from_binary(ua.BrowseNextParameters, body))
        self.send_response(requesthdr.RequestHandle, seqhdr, response)  # type: ignore[no-untyped-call]
        return True

    def _should_close_session_on_transport_loss(self) -> bool:
        return True  # no session is ever moved to another channel, so nobody can come back for it

    def _require_same_application(self, params: ua.CreateSessionParameters, policy: Any) -> None:
        """Check that the session is asked for by the application that opened the channel (OPC 10000-4 clause 5.7.2)."""
        if not policy.peer_certificate:
            return
        if leaf(params.ClientCertificate or b"") != leaf(policy.peer_certificate):
            raise ServiceError(StatusCodes.BadCertificateInvalid)
        certificate = x509.load_der_x509_certificate(leaf(policy.peer_certificate))
        try:
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            uris = names.get_values_for_type(x509.UniformResourceIdentifier)
        except (x509.ExtensionNotFound, ValueError):
            uris = []
        if params.ClientDescription.ApplicationUri not in uris:
            raise ServiceError(StatusCodes.BadCertificateUriInvalid)


class _Protocol(OPCUAProtocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if len(self.clients) >= self.iserver.max_connections:
            self._make_room()
        super().connection_made(transport)
        self._readable = asyncio.Event()
        self._readable.set()
        self._cut_off: asyncio.TimerHandle | None = None
        if self.transport is not None:
            # else the system keeps some MB of answers for each client that does not read, before anyone notices
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
            processor = _Processor(self.iserver, self.transport, self.limits)
            processor.set_policies(self.policies)  # type: ignore[no-untyped-call]
            self.processor = processor

    def _make_room(self) -> None:
        for other in self.clients:
            session = other.processor.session if other.processor is not None else None
            if other.transport is not None and (session is None or not session.is_activated()):
                self.clients.remove(other)
                other.transport.abort()
                return

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # what is left is the beginning of one message
        if len(self._buffer) >= 8:
            announced = int.from_bytes(self._buffer[4:8], "little")
            most = self.limits.max_recv_buffer
            if announced > most or len(self._buffer) > most or self._buffer[:3] not in _TYPES:
                self._buffer = b""
                if self.transport is not None:
                    self.transport.write(_error(StatusCodes.BadTcpMessageTooLarge))
                    self.transport.close()

    async def _process_one_msg(self, header: Any, buf: Any) -> bool:
        await self._readable.wait()
        return bool(await super()._process_one_msg(header, buf))

    def pause_writing(self) -> None:
        self._readable.clear()
        if self.transport is not None:
            self.transport.pause_reading()
            self._cut_off = asyncio.get_running_loop().call_later(_PATIENCE_S, self.transport.abort)

    def resume_writing(self) -> None:
        self._readable.set()
        if self._cut_off is not None:
            self._cut_off.cancel()
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    def connection_lost(self, ex: BaseException | None) -> None:
        if self.transport is None:  # it was refused for want of room
            return
        if self._cut_off is not None:
            self._cut_off.cancel()
        super().connection_lost(ex)


class _Sockets(BinaryServer):
    def _make_protocol(self) -> OPCUAProtocol:
        # every connection may agree on limits of its own
        limits = copy.copy(self.limits)
        return _Protocol(
            iserver=self.iserver, policies=self._policies, clients=self.clients, closing_tasks=self.closing_tasks, limits=limits
        )


class TwinUaServer(Server):
    """asyncua's server on the connections above.

    Parameters
    ----------
    iserver : address space and sessions.
    trust : which client applications may open a channel.
    """

    def __init__(self, iserver: Any, trust: TrustList) -> None:
        super().__init__(iserver=iserver)
        harden_decoder()
        self._trust = trust
        self.limits.max_message_size = _MAX_MESSAGE
        self.limits.max_chunk_count = _MAX_MESSAGE // self.limits.max_recv_buffer + 1

    async def start(self) -> None:
        """Listen."""
        await self._setup_server_nodes()
        self._policies = [_TrustedFactory(policy, self._trust) for policy in self._policies]
        await self.iserver.start()
        try:
            host, port = self._get_bind_socket_info()
            self.bserver = _Sockets(self.iserver, str(host), int(port or 0), self.limits)
            self.bserver.set_policies(self._policies)
            await self.bserver.start()
        except BaseException:
            await self.iserver.stop()
            raise
