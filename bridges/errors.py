"""Errors of the bridges, each with a text for the person at the keyboard."""

from __future__ import annotations

import errno
import socket


class BridgeError(ValueError):
    """A bridge that cannot start as it is configured."""


class CredentialsError(BridgeError):
    """User names, passwords or their files that cannot be used."""


class BrokerStartError(BridgeError):
    """The embedded MQTT broker did not come up."""


class PortInUseError(BridgeError, OSError):
    """The TCP port of a bridge belongs to another program.

    Parameters
    ----------
    service : what wanted the port, for example ``OPC UA``.
    host, port : the address.
    key : configuration key that names another port, for example ``bridges.opcua.port``.
    """

    def __init__(self, service: str, host: str, port: int, key: str) -> None:
        super().__init__(
            f"{service}: port {port} on {host} is in use by another program; stop that program or set {key} to a free port"
        )
        self.errno = errno.EADDRINUSE
        self.service = service
        self.host = host
        self.port = port


def require_free_port(service: str, host: str, port: int, key: str) -> None:
    """Check that a TCP port can be listened on, before anything slow is started.

    Parameters
    ----------
    service, host, port, key : as in :class:`PortInUseError`.

    Raises
    ------
    PortInUseError
        Another program listens there.
    BridgeError
        The address is none of this machine's, or the port is not allowed to this user.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except socket.gaierror as error:
        raise BridgeError(
            f"{service}: host {host!r} is unknown ({error.strerror}); 127.0.0.1 serves this machine only"
        ) from error
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortInUseError(service, host, port, key) from error
            raise BridgeError(f"{service}: cannot listen on {host} port {port}: {error.strerror}") from error
