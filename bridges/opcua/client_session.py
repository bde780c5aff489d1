"""One connection to a plant's OPC UA server: whom to trust, how to log in, which node is which.

The server's certificate is judged before a channel is opened with it (:class:`bridges.opcua.trust.TrustList`), so no password is
ever sent to a server that nobody trusts.
"""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.utils import ServiceError
from asyncua.crypto import security_policies
from asyncua.ua.object_ids import ObjectIds
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

from bridges.credentials import read_secret
from bridges.errors import BridgeError
from bridges.mapping import NODE_ID, OpcUaSource
from bridges.opcua.certificate import ServerIdentity, load_or_make
from bridges.opcua.trust import TrustList, leaf, load_certificate

__all__ = ["ClientIdentity", "ServerStatus", "UntrustedServerError", "open_session", "prepare", "read_status", "resolve"]

_SESSION_MS = 30_000.0  # a session that we left without a word is freed by the server after this
_STATUS = ua.NodeId.from_string(f"i={ObjectIds.Server_ServerStatus}")


class UntrustedServerError(BridgeError):
    """The server's certificate is not trusted."""


@dataclasses.dataclass(frozen=True, slots=True)
class ClientIdentity:
    """What a client shows and checks, read once at the start.

    Attributes
    ----------
    own : application certificate and key, None without encryption. trust : which servers are trusted. password : of the user.
    """

    own: ServerIdentity | None
    trust: TrustList | None
    password: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class ServerStatus:
    """What a server says about itself.

    Attributes
    ----------
    start_s : since when it runs, by its clock, seconds since 1970 [s]; a change means that it was restarted.
    running : whether it says that it runs.
    clock_offset_s : our clock minus its own, give or take ``doubt_s``, half the time that the question took [s].
    """

    start_s: float
    running: bool
    clock_offset_s: float
    doubt_s: float


def prepare(source: OpcUaSource, state: Path) -> ClientIdentity:
    """Read password and certificates, so that what is wrong with them is told before anything starts.

    Parameters
    ----------
    source : the server. state : folder of the twin; ``opcua-client`` in it is made where the source names no folder.

    Raises
    ------
    BridgeError
        A file cannot be used; the text says which.
    """
    password = None
    if source.user is not None and source.password_file is not None:
        password = read_secret(source.password_file, f"the password of {source.user!r}")
    if source.user_certificate_file is not None and source.user_key_file is not None:
        try:
            load_certificate(source.user_certificate_file)
            _load_key(source.user_key_file)
        except (OSError, ValueError, TypeError) as error:
            files = f"{source.user_certificate_file}, {source.user_key_file}"
            raise BridgeError(f"{files}: cannot log in with these: {error}") from error
    if source.policy == "None":
        return ClientIdentity(None, None, password)
    folder = source.certificate_dir or state / "opcua-client"
    return ClientIdentity(load_or_make(folder, "127.0.0.1"), TrustList(folder, False, "server"), password)


def _load_key(path: Path) -> object:
    content = path.read_bytes()
    return load_pem_private_key(content, None) if content.startswith(b"-----BEGIN") else load_der_private_key(content, None)


async def open_session(source: OpcUaSource, identity: ClientIdentity) -> Client:
    """Connect, open a channel and log in.

    Raises
    ------
    UntrustedServerError
        The server's certificate is not trusted; it lies in ``rejected`` now.
    BridgeError
        The server does not offer what the source asks for.
    ConnectionError, OSError, TimeoutError, ua.UaError
        It is not there, or refuses.
    """
    # the library's own watch would give up a server that is slow for a second
    client = Client(source.url, timeout=source.timeout_s, watchdog_intervall=source.timeout_s)
    client.session_timeout = _SESSION_MS  # type: ignore[assignment]  # the library annotates what is its default, an int
    client.name = client.description = "factory-twin"
    if identity.own is not None and identity.trust is not None:
        await _secure(client, source, identity.own, identity.trust)
    if source.user is not None:
        client.set_user(source.user)
        client.set_password(identity.password or "")
    if source.user_certificate_file is not None and source.user_key_file is not None:
        client.user_certificate = load_certificate(source.user_certificate_file)
        client.user_private_key = _load_key(source.user_key_file)  # type: ignore[assignment]  # any kind of key is tried
    await client.connect()
    return client


async def _secure(client: Client, source: OpcUaSource, own: ServerIdentity, trust: TrustList) -> None:
    policy = getattr(security_policies, f"SecurityPolicy{source.policy.replace('_', '')}")
    mode = ua.MessageSecurityMode[source.mode]
    client.application_uri = own.application_uri
    offered = await client.connect_and_get_server_endpoints()
    for endpoint in offered:
        if endpoint.SecurityMode == mode and endpoint.SecurityPolicyUri == policy.URI and endpoint.ServerCertificate:
            break
    else:
        kinds = sorted(
            {f"{e.SecurityPolicyUri.rpartition('#')[2]} {ua.MessageSecurityMode(e.SecurityMode).name}" for e in offered}
        )
        raise BridgeError(f"{source.url} offers no {source.policy} {source.mode}; it offers {', '.join(kinds) or 'nothing'}")
    certificate = leaf(endpoint.ServerCertificate)
    try:
        trust.require_trusted(certificate)
    except ServiceError as error:
        name = ua.status_codes.get_name_and_doc(error.code)[0]
        raise UntrustedServerError(
            f"the certificate of {source.url} is not trusted ({name}); if it is the right one, move it from {trust.rejected} "
            f"to {trust.trusted}"
        ) from error
    _require_uri(certificate, endpoint.Server.ApplicationUri, source.url)
    await client.set_security(policy, own.certificate, own.private_key, server_certificate=certificate, mode=mode)


def _require_uri(der: bytes, uri: str, url: str) -> None:
    """Check that the certificate is of the application that the endpoint names (OPC 10000-4, 6.1.3)."""
    try:
        names = x509.load_der_x509_certificate(der).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return  # older servers; who trusts the certificate itself knows what it is
    known = names.get_values_for_type(x509.UniformResourceIdentifier)
    if known and uri not in known:
        raise UntrustedServerError(f"{url} calls itself {uri!r}, but its certificate is of {known[0]!r}")


async def read_status(client: Client) -> ServerStatus:
    """Ask the server how it is and what time it has."""
    asked = time.time()
    status = (await client.get_node(_STATUS).read_data_value()).Value.Value  # type: ignore[union-attr]  # read without an error
    answered = time.time()
    return ServerStatus(
        status.StartTime.timestamp(),
        status.State == ua.ServerState.Running,
        0.5 * (asked + answered) - status.CurrentTime.timestamp(),
        0.5 * (answered - asked),
    )


async def resolve(client: Client, text: str) -> ua.NodeId:
    """Turn a node id of a mapping into one of this server; ``nsu=`` is looked up anew, for an index may change with a restart.

    Raises
    ------
    LookupError
        The server has no such namespace.
    """
    match = NODE_ID.fullmatch(text)
    assert match is not None  # checked as the mapping was read
    index, uri, kind, identifier = match.groups()
    if uri is not None:
        namespaces = await client.get_namespace_array()
        if uri not in namespaces:
            raise LookupError(f"the server has no namespace {uri!r}; it has {', '.join(namespaces[1:6]) or 'none'}")
        index = str(namespaces.index(uri))
    return ua.NodeId.from_string(f"ns={index or 0};{kind}={identifier}")
