"""Who may connect to the OPC UA server, and what they may do.

A client opens an encrypted channel (Basic256Sha256, Aes128_Sha256_RsaOaep or Aes256_Sha256_RsaPss, Sign and Encrypt) and
activates a session with user name and password. Any client certificate is accepted, for it is the user that is authenticated. A
channel without encryption serves only to ask which endpoints there are; ``insecure: true`` opens it, without a user, to viewers.

Three doors that asyncua leaves open are closed here:

- the discovery channel would let a session be activated with the password in clear;
- ActivateSession on another channel takes an existing session over *before* the password is checked, and session tokens count up
  from 1000, so a stranger could read as the last user; sessions are therefore never moved between channels: a client that lost
  its connection opens a new session;
- RegisterServer is answered without a session.
"""

from __future__ import annotations

import logging
from typing import Any

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import SimpleRoleRuleset, User, UserRole
from asyncua.server.internal_server import InternalServer
from asyncua.server.internal_session import InternalSession
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes

from bridges.credentials import UserStore

__all__ = ["GuardedServer", "ViewerRules", "policies"]

_log = logging.getLogger(__name__)

_MAX_CONNECTIONS = 100

# Services that look, of OPC 10000-4; Write, Call, HistoryUpdate, AddNodes and their kin are not among them.
_VIEWER_SERVICES = frozenset(
    ua.NodeId(getattr(ObjectIds, f"{name}Request_Encoding_DefaultBinary"))
    for name in (
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
        "CloseSecureChannel",
    )
)


def policies(insecure: bool) -> list[ua.SecurityPolicyType]:
    """Return the security policies that are offered, the one most clients know first."""
    secure = [
        ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
        ua.SecurityPolicyType.Aes128Sha256RsaOaep_SignAndEncrypt,
        ua.SecurityPolicyType.Aes256Sha256RsaPss_SignAndEncrypt,
    ]
    return [*secure, ua.SecurityPolicyType.NoSecurity] if insecure else secure


class ViewerRules(SimpleRoleRuleset):
    """Every user is a viewer: reads, browses, subscribes; writes and calls nothing."""

    def check_validity(self, user: User, action_type_id: ua.NodeId, body: Any) -> bool:
        """Tell whether the user may use the service with this request type."""
        return user.role == UserRole.User and action_type_id in _VIEWER_SERVICES


class _Viewers:
    """User manager of asyncua over a :class:`UserStore`."""

    def __init__(self, users: UserStore, insecure: bool) -> None:
        self._users = users
        self._insecure = insecure

    def get_user(
        self, iserver: InternalServer, username: str | None = None, password: str | None = None, certificate: Any = None
    ) -> User | None:
        if username is None:
            return User(role=UserRole.User, name="anonymous") if self._insecure else None
        if self._users.verify(username, password or ""):
            return User(role=UserRole.User, name=username)
        _log.warning("OPC UA: a login was refused, user %r", username[:64])
        return None


class _GuardedSession(InternalSession):
    """A session that is activated over an encrypted channel only."""

    def activate_session(self, params: ua.ActivateSessionParameters, peer_certificate: bytes | None) -> ua.ActivateSessionResult:
        assert isinstance(self.iserver, GuardedServer)
        # asyncua knows the peer's certificate on every encrypted channel and on no other (there it is empty)
        if not peer_certificate and not self.iserver.insecure:
            raise ServiceError(StatusCodes.BadSecurityModeRejected)
        return super().activate_session(params, peer_certificate)


class GuardedServer(InternalServer):
    """The address space and its sessions, behind the rules above.

    Parameters
    ----------
    users : who may log in.
    insecure : also let anyone view, without encryption.
    """

    def __init__(self, users: UserStore, insecure: bool) -> None:
        super().__init__(user_manager=_Viewers(users, insecure))  # type: ignore[arg-type]  # asyncua asks for its own base class
        self.insecure = insecure
        self.allow_remote_admin = False
        self.max_connections = _MAX_CONNECTIONS
        tokens: list[type] = [ua.UserNameIdentityToken]
        if insecure:
            tokens.append(ua.AnonymousIdentityToken)
        self.supported_tokens = tuple(tokens)  # type: ignore[assignment]  # declared as the fixed default triple

    def create_session(
        self,
        name: str,
        user: User = User(role=UserRole.Anonymous),  # noqa: B008 - asyncua's own signature
        external: bool = False,
    ) -> InternalSession:
        """Open a session; it may do nothing until it is activated."""
        return _GuardedSession(self, self.aspace, self.subscription_service, name, user=user, external=external)

    def lookup_external_session(self, auth_token: ua.NodeId) -> InternalSession | None:
        """Find no session: none is moved from one channel to another."""
        return None

    def register_server(self, server: Any, conf: Any = None) -> None:
        """Refuse: this is no discovery server."""
        raise ServiceError(StatusCodes.BadServiceUnsupported)
