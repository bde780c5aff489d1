"""Connections of the OPC UA server: what asyncua does with them, and the doors it leaves open.

- An error in a message is answered by an error message and the end of the connection (OPC 10000-6 clause 7.1.5); asyncua logs it
  and goes on, so that the client waits for its time limit and a stranger can try on.
- A message announced longer than the buffer that was agreed is refused as its header comes; asyncua collects up to 4 GiB for it.
- A client that does not read its answers is no longer listened to, and cut off after ten seconds; asyncua keeps all answers.
- Where all connections are taken, the oldest that has no session makes room, so that half-open ones cannot lock a plant out.
- A channel's certificate is judged before the channel exists (:mod:`bridges.opcua.trust`), and a session belongs to the
  application whose channel it is.
"""

from __future__ import annotations

import asyncio
import copy
import logging
from typing import Any, cast

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.security_policies import SecurityPolicyFactory, SecurityPolicyNone
from asyncua.server.binary_server_asyncio import BinaryServer, OPCUAProtocol
from asyncua.server.server import Server
from asyncua.server.uaprocessor import UaProcessor
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import struct_from_binary, uatcp_to_binary
from asyncua.ua.uaerrors import UaStatusCodeError
from cryptography import x509

from bridges.opcua.space import status
from bridges.opcua.trust import TrustList, leaf

__all__ = ["TwinUaServer"]

_log = logging.getLogger(__name__)

_LEAST_BUFFER = 8192  # OPC 10000-6 table 57
_MAX_MESSAGE = 4 * 1024 * 1024
_PATIENCE_S = 10.0  # with a client that does not read
_ADDITIONAL_INFO = 0x80  # of operations: OPC 10000-4 table 171
_TYPES = (b"HEL", b"OPN", b"MSG", b"CLO", b"ERR")

_CREATE_SESSION = ua.NodeId(ObjectIds.CreateSessionRequest_Encoding_DefaultBinary)  # type: ignore[arg-type]


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

    async def process(self, header: Any, body: Any) -> bool:
        try:
            if header.MessageType == ua.MessageType.Hello:
                self._greet(struct_from_binary(ua.Hello, body.copy()))
            elif not self.greeted:
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
        return await super()._process_message(typeid, requesthdr, seqhdr, body)  # type: ignore[no-untyped-call]

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
