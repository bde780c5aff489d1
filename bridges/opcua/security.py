"""Who may connect to the OPC UA server, and what they may do.

A client application that is trusted (:mod:`bridges.opcua.trust`) opens a secure channel (Basic256Sha256, Aes128_Sha256_RsaOaep or
Aes256_Sha256_RsaPss) and activates a session with user name and password or with a user certificate. A user has one role:

==========  ======================================================================================================
viewer      reads, browses, subscribes, refreshes conditions
engineer    and calls the methods that steer the twin and its AGVs, acknowledges alarms, writes settings
safety      as engineer; for what concerns people, of which nothing is in the address space but counts
==========  ======================================================================================================

A channel without security serves only to ask which endpoints there are; ``insecure: true`` opens it to viewers, without a user.

Doors that asyncua leaves open are closed here and in :mod:`bridges.opcua.transport`:

- the discovery channel would let a session be activated with the password in clear, and so would one that only signs;
- an encrypted password is taken without a look at the server's nonce in it, so a recorded one could be sent again;
- ActivateSession on another channel takes an existing session over *before* the password is checked, and session tokens count up
  from 1000, so a stranger could read as the last user; sessions are therefore never moved between channels: a client that lost
  its connection opens a new session;
- any session may change, read and delete any other's subscriptions by their numbers, which count up;
- RegisterServer is answered without a session.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from struct import unpack_from
from typing import Any

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto import uacrypto
from asyncua.crypto.permission_rules import SimpleRoleRuleset, User, UserRole
from asyncua.server.internal_server import InternalServer
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from bridges.credentials import ROLES, UserStore
from bridges.errors import CredentialsError
from bridges.opcua.audit import AuditLog
from bridges.opcua.history import History
from bridges.opcua.monitoring import TwinSubscriptions
from bridges.opcua.session import GuardedSession, MethodRule, TwinUser, WriteRule
from bridges.opcua.trust import leaf, load_certificate, require_usable

__all__ = ["GuardedServer", "RoleRules", "load_user_certificates", "policies"]

_log = logging.getLogger(__name__)

_MAX_CONNECTIONS = 100
_ACTIVATION_S = 10.0
_MAX_QUEUE = 1000
_OAEP: dict[str, Callable[[Any, Any], bytes]] = {
    "http://www.w3.org/2001/04/xmlenc#rsa-oaep": uacrypto.decrypt_rsa_oaep,
    "http://opcfoundation.org/UA/security/rsa-oaep-sha2-256": uacrypto.decrypt_rsa_oaep_sha256,
}

# Services of OPC 10000-4; HistoryUpdate, AddNodes and their kin are not among them. Which methods and nodes: the session asks.
_LOOKING = (
    "Read",
    "Browse",
    "BrowseNext",
    "TranslateBrowsePathsToNodeIds",
    "RegisterNodes",
    "UnregisterNodes",
    "HistoryRead",
    "CreateSubscription",
    "ModifySubscription",
    "DeleteSubscriptions",
    "SetPublishingMode",
    "CreateMonitoredItems",
    "ModifyMonitoredItems",
    "DeleteMonitoredItems",
    "SetMonitoringMode",
    "Publish",
    "Republish",
    "Call",
    "CloseSecureChannel",
)


def _requests(*names: str) -> frozenset[ua.NodeId]:
    return frozenset(ua.NodeId(getattr(ObjectIds, f"{name}Request_Encoding_DefaultBinary")) for name in names)


_SERVICES = {"viewer": _requests(*_LOOKING), "engineer": _requests(*_LOOKING, "Write"), "safety": _requests(*_LOOKING, "Write")}


def policies(insecure: bool, sign: bool = False) -> list[ua.SecurityPolicyType]:
    """Return the security policies that are offered, the one most clients know first."""
    names = ("Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss")
    modes = ("SignAndEncrypt", "Sign") if sign else ("SignAndEncrypt",)
    secure = [ua.SecurityPolicyType[f"{name}_{mode}"] for mode in modes for name in names]
    return [*secure, ua.SecurityPolicyType.NoSecurity] if insecure else secure


def load_user_certificates(folder: Path | None, users: UserStore) -> dict[bytes, str]:
    """Return user names by the DER form of their certificates.

    Parameters
    ----------
    folder : files ``<user>.der`` or ``<user>.pem``; None for none.
    users : who there is.

    Raises
    ------
    CredentialsError
        The folder or a file cannot be used, or a file belongs to no user.
    """
    if folder is None:
        return {}
    if not folder.is_dir():
        raise CredentialsError(f"{folder}: is no folder; bridges.opcua.user_certificate_dir holds <user>.der or <user>.pem files")
    found: dict[bytes, str] = {}
    for path in sorted([*folder.glob("*.der"), *folder.glob("*.pem")]):
        if path.stem not in users.names:
            raise CredentialsError(f"{path}: there is no user {path.stem!r}; known: {', '.join(users.names) or 'none'}")
        try:
            found[load_certificate(path).public_bytes(Encoding.DER)] = path.stem
        except (OSError, ValueError) as error:
            raise CredentialsError(f"{path}: is no X.509 certificate in DER or PEM form ({error})") from error
    return found


class RoleRules(SimpleRoleRuleset):
    """Which services a role may ask for."""

    def check_validity(self, user: User, action_type_id: ua.NodeId, body: Any) -> bool:
        """Tell whether the user may use the service with this request type."""
        return isinstance(user, TwinUser) and user.role == UserRole.User and action_type_id in _SERVICES[user.twin_role]


@dataclass(frozen=True, slots=True)
class _Users:
    """User manager of asyncua over a :class:`UserStore`."""

    users: UserStore
    certificates: dict[bytes, str]
    insecure: bool

    def get_user(
        self, iserver: GuardedServer, username: str | None = None, password: str | None = None, certificate: Any = None
    ) -> User | None:
        # asyncua hands the channel's certificate over here where the token is anonymous: only what was proven counts
        if username is None and iserver.proven is not None:
            username = self.certificates.get(iserver.proven)
            return self._user(username) if username is not None else None
        if username is None:
            return TwinUser(role=UserRole.User, name="anonymous", twin_role=ROLES[0]) if self.insecure else None
        return self._user(username) if self.users.verify(username, password or "") else None

    def _user(self, name: str) -> TwinUser:
        return TwinUser(role=UserRole.User, name=name, twin_role=self.users.role(name))


class GuardedServer(InternalServer):
    """The address space and its sessions, behind the rules above.

    Parameters
    ----------
    users : who may log in.
    insecure : also let anyone view, without encryption.
    certificates : user names by their certificates.
    audit : where logins, calls and writes are told.

    Attributes
    ----------
    methods, writable : what may be called and written, by node.
    history : values of the past, None where none are kept.
    proven : certificate whose key the session that is just being activated has shown.
    """

    def __init__(
        self, users: UserStore, insecure: bool, certificates: dict[bytes, str] | None = None, audit: AuditLog | None = None
    ) -> None:
        manager = _Users(users, certificates or {}, insecure)
        super().__init__(user_manager=manager)  # type: ignore[arg-type]  # asyncua asks for its own base class
        self.subscription_service = self.isession.subscription_service = TwinSubscriptions(self.aspace, iserver=self)
        self.insecure = insecure
        self.audit = audit
        self.methods: dict[ua.NodeId, MethodRule] = {}
        self.writable: dict[ua.NodeId, WriteRule] = {}
        self.history: History | None = None
        self.proven: bytes | None = None
        self.allow_remote_admin = False
        self.max_connections = _MAX_CONNECTIONS
        self.max_pending_activation_seconds = _ACTIVATION_S
        self.max_monitored_item_queue_size = _MAX_QUEUE
        self.max_unacked_messages_per_subscription = 50
        tokens: list[type] = [ua.UserNameIdentityToken]
        if certificates:
            tokens.append(ua.X509IdentityToken)
        if insecure:
            tokens.append(ua.AnonymousIdentityToken)
        self.supported_tokens = tuple(tokens)  # type: ignore[assignment]  # declared as the fixed default triple

    def create_session(
        self,
        name: str,
        user: User = User(role=UserRole.Anonymous),  # noqa: B008 - asyncua's own signature
        external: bool = False,
    ) -> GuardedSession:
        """Open a session; it may do nothing until it is activated."""
        return GuardedSession(self, self.aspace, self.subscription_service, name, user=user, external=external)

    def lookup_external_session(self, auth_token: ua.NodeId) -> None:
        """Find no session: none is moved from one channel to another."""
        return None

    def register_server(self, server: Any, conf: Any = None) -> None:
        """Refuse: this is no discovery server."""
        raise ServiceError(StatusCodes.BadServiceUnsupported)

    def decrypt_user_token(self, isession: Any, token: ua.UserNameIdentityToken) -> tuple[str, str]:
        """Return user name and password; the password crossed the wire encrypted, and for this session (OPC 10000-4, 7.41.2)."""
        name, secret = str(token.UserName or ""), token.Password or b""
        if not token.EncryptionAlgorithm:
            if isession.channel_mode != ua.MessageSecurityMode.SignAndEncrypt:
                raise ServiceError(StatusCodes.BadIdentityTokenInvalid)
            return name, bytes(secret).decode()
        if token.EncryptionAlgorithm not in _OAEP:
            raise ServiceError(StatusCodes.BadIdentityTokenInvalid)
        plain = _OAEP[token.EncryptionAlgorithm](self.private_key, secret)
        length, nonce = unpack_from("<I", plain)[0], isession.nonce
        if length != len(plain) - 4 or length < len(nonce) or plain[4 + length - len(nonce) :] != nonce:
            raise ServiceError(StatusCodes.BadIdentityTokenInvalid)
        return name, plain[4 : 4 + length - len(nonce)].decode()

    def verify_x509_token(self, isession: Any, token: ua.X509IdentityToken, signature: ua.SignatureData) -> bytes:
        """Return the certificate whose key signed this session's nonce; SHA-1 is not taken."""
        if signature.Algorithm == "http://www.w3.org/2000/09/xmldsig#rsa-sha1":
            raise ServiceError(StatusCodes.BadUserSignatureInvalid)
        der = leaf(super().verify_x509_token(isession, token, signature))
        require_usable(x509.load_der_x509_certificate(der))
        self.proven = der
        return der
