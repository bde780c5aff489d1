"""A session of the OPC UA server: rights per node and method, and subscriptions of its own only."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User
from asyncua.server.internal_session import InternalSession
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaStatusCodeError

if TYPE_CHECKING:
    from bridges.opcua.security import GuardedServer

__all__ = ["GuardedSession", "MethodRule", "TwinUser", "WriteRule"]

_MAX_SUBSCRIPTIONS = 20  # of one session
_MAX_ITEMS = 10_000  # of one subscription
_MAX_ITEMS_OF_SESSION = 20_000
_MAX_ITEMS_OF_ALL = 100_000
_MAX_HISTORIES = 100  # nodes of one request
_MAX_NODES = 10_000  # of one request
_PUBLISHING_MS = (20.0, 60_000.0)
_READ_LEVEL = ua.AccessLevel.CurrentRead.mask


@dataclass
class TwinUser(User):
    """A user of the twin.

    Attributes
    ----------
    twin_role : viewer, engineer or safety.
    """

    twin_role: str = "viewer"


@dataclass(frozen=True, slots=True)
class MethodRule:
    """A method.

    Attributes
    ----------
    name : for the audit log.
    roles : who may call it.
    call : takes session, object and arguments; returns the result and a text for the audit log.
    audited : whether calls are told.
    """

    name: str
    roles: frozenset[str]
    call: Callable[[GuardedSession, ua.NodeId, list[Any]], Awaitable[tuple[ua.CallMethodResult, str]]]
    audited: bool = True


@dataclass(frozen=True, slots=True)
class WriteRule:
    """A node that may be written.

    Attributes
    ----------
    name : for the audit log.
    roles : who may write it.
    accept : takes the new value and returns the status; what is not good is not written.
    """

    name: str
    roles: frozenset[str]
    accept: Callable[[ua.DataValue], ua.StatusCode]


def _status(code: int) -> ua.StatusCode:
    return ua.StatusCode(ua.UInt32(code))


class GuardedSession(InternalSession):
    """A session that is activated over an encrypted channel only, and asks the rules of its server.

    Attributes
    ----------
    channel_mode : security mode of the channel.
    peer : address of the client.
    wants_diagnostics : whether the present request asks for texts beside status codes.
    """

    iserver: GuardedServer
    channel_mode: ua.MessageSecurityMode = ua.MessageSecurityMode.None_
    peer: object = ""
    wants_diagnostics: bool = False

    @property
    def role(self) -> str:
        """Role of the user, "" before activation."""
        return self.user.twin_role if isinstance(self.user, TwinUser) else ""

    def activate_session(self, params: ua.ActivateSessionParameters, peer_certificate: bytes | None) -> ua.ActivateSessionResult:
        """Let a user in.

        Raises
        ------
        ServiceError
            The channel, the token or the user is not accepted.
        """
        token, server = params.UserIdentityToken, self.iserver
        name = str(getattr(token, "UserName", "") or "") or type(token).__name__
        server.proven = None
        try:
            # asyncua knows the peer's certificate on every secure channel and on no other (there it is empty)
            if not peer_certificate and not server.insecure:
                raise ServiceError(StatusCodes.BadSecurityModeRejected)
            result = super().activate_session(params, peer_certificate)
        except (ServiceError, UaStatusCodeError) as error:
            self._tell("login", "", type(token).__name__, [name], ua.StatusCode(ua.UInt32(error.code)).name, name)
            raise
        finally:
            server.proven = None
        self._tell("login", self.role, type(token).__name__, [], "Good", self.user.name or "")
        return result

    def _tell(self, action: str, role: str, target: str, arguments: list[Any], result: str, user: str) -> None:
        if self.iserver.audit is not None:
            self.iserver.audit.write(action, user, role, self.peer, target, arguments, result)

    async def read(self, params: ua.ReadParameters) -> list[ua.DataValue]:
        """Read; what a user may do is told for this user (UserAccessLevel, UserExecutable)."""
        if len(params.NodesToRead) > _MAX_NODES:
            raise ServiceError(StatusCodes.BadTooManyOperations)
        results = await super().read(params)
        for i, what in enumerate(params.NodesToRead):
            write, method = self.iserver.writable.get(what.NodeId), self.iserver.methods.get(what.NodeId)
            if write is not None and what.AttributeId == AttributeIds.UserAccessLevel and self.role not in write.roles:
                results[i] = dataclasses.replace(results[i], Value=ua.Variant(_READ_LEVEL, ua.VariantType.Byte))
            if method is not None and what.AttributeId == AttributeIds.UserExecutable and self.role not in method.roles:
                results[i] = dataclasses.replace(results[i], Value=ua.Variant(False, ua.VariantType.Boolean))
        return results

    async def history_read(self, params: ua.HistoryReadParameters) -> list[ua.HistoryReadResult]:
        """Read history from the twin's own store."""
        if len(params.NodesToRead) > _MAX_HISTORIES:
            raise ServiceError(StatusCodes.BadTooManyOperations)
        if params.ReleaseContinuationPoints:  # a point holds all that it stands for, so there is nothing to let go
            return [ua.HistoryReadResult() for _ in params.NodesToRead]
        history = self.iserver.history
        if history is None:
            raise ServiceError(StatusCodes.BadHistoryOperationUnsupported)
        return [history.read(params.HistoryReadDetails, what) for what in params.NodesToRead]

    async def write(self, params: ua.WriteParameters) -> list[ua.StatusCode]:
        """Write what the role may write, after its rule has accepted the value."""
        results = []
        for item in params.NodesToWrite:
            rule = self.iserver.writable.get(item.NodeId)
            if item.NodeId not in self.aspace:
                status = _status(StatusCodes.BadNodeIdUnknown)
            elif rule is None or item.AttributeId != AttributeIds.Value:
                status = _status(StatusCodes.BadNotWritable)
            elif self.role not in rule.roles:
                status = _status(StatusCodes.BadUserAccessDenied)
            else:
                status = rule.accept(item.Value)
            if status.is_good():
                status = (await self.iserver.isession.write(ua.WriteParameters(NodesToWrite=[item])))[0]
            value = item.Value.Value.Value if item.Value is not None and item.Value.Value is not None else None
            name = rule.name if rule is not None else str(item.NodeId)
            self._tell("write", self.role, name, [value], status.name, self.user.name or "")
            results.append(status)
        return results

    async def call(self, params: list[ua.CallMethodRequest]) -> list[ua.CallMethodResult]:
        """Call methods of the server's list; asyncua would call whatever has code behind it."""
        return [await self._call(request) for request in params]

    async def _call(self, request: ua.CallMethodRequest) -> ua.CallMethodResult:
        rule, told = self.iserver.methods.get(request.MethodId), ""
        result = ua.CallMethodResult()
        arguments = [a.Value if isinstance(a, ua.Variant) else None for a in request.InputArguments or []]
        if request.ObjectId not in self.aspace:
            result.StatusCode = _status(StatusCodes.BadNodeIdUnknown)
        elif rule is None:
            known = request.MethodId in self.aspace
            result.StatusCode = _status(StatusCodes.BadUserAccessDenied if known else StatusCodes.BadMethodInvalid)
        elif self.role not in rule.roles:
            result.StatusCode = _status(StatusCodes.BadUserAccessDenied)
        else:
            diagnostics = self.wants_diagnostics
            result, told = await rule.call(self, request.ObjectId, list(request.InputArguments or []))
            if not diagnostics:
                result.InputArgumentDiagnosticInfos = []
        if rule is None or rule.audited:
            name = rule.name if rule is not None else str(request.MethodId)
            text = f"{result.StatusCode.name}: {told}" if told else result.StatusCode.name
            self._tell("call", self.role, name, arguments, text, self.user.name or "")
        return result

    def _require_own(self, ids: Iterable[int]) -> None:
        """Raise where a subscription is another session's: to this one it does not exist."""
        for number in ids:
            subscription = self.subscription_service.subscriptions.get(number)
            if subscription is None or subscription.session_id != self.session_id:
                raise ServiceError(StatusCodes.BadSubscriptionIdInvalid)

    def _own(self) -> list[int]:
        return [i for i, s in self.subscription_service.subscriptions.items() if s.session_id == self.session_id]

    async def create_subscription(
        self, params: ua.CreateSubscriptionParameters, callback: Any, request_callback: Any = None
    ) -> ua.CreateSubscriptionResult:
        """Make a subscription, its publishing interval within 20 ms to a minute."""
        if self.external and len(self._own()) >= _MAX_SUBSCRIPTIONS:
            raise ServiceError(StatusCodes.BadTooManySubscriptions)
        wanted, (least, most) = float(params.RequestedPublishingInterval), _PUBLISHING_MS
        params.RequestedPublishingInterval = min(max(wanted, least), most) if math.isfinite(wanted) else least
        return await super().create_subscription(params, callback, request_callback=request_callback)

    async def create_monitored_items(self, params: ua.CreateMonitoredItemsParameters) -> list[ua.MonitoredItemCreateResult]:
        """Make monitored items in an own subscription."""
        self._require_own([params.SubscriptionId])
        subscriptions, wanted = self.subscription_service.subscriptions, len(params.ItemsToCreate)
        counts = {number: len(s.monitored_item_srv._monitored_items) for number, s in subscriptions.items()}
        if (
            counts[params.SubscriptionId] + wanted > _MAX_ITEMS
            or sum(counts[number] for number in self._own()) + wanted > _MAX_ITEMS_OF_SESSION
            or sum(counts.values()) + wanted > _MAX_ITEMS_OF_ALL
        ):
            raise ServiceError(StatusCodes.BadTooManyMonitoredItems)
        return await super().create_monitored_items(params)

    async def modify_monitored_items(self, params: ua.ModifyMonitoredItemsParameters) -> list[ua.MonitoredItemModifyResult]:
        """Modify items of an own subscription."""
        self._require_own([params.SubscriptionId])
        return await super().modify_monitored_items(params)

    async def delete_monitored_items(self, params: ua.DeleteMonitoredItemsParameters) -> list[ua.StatusCode]:
        """Delete items of an own subscription."""
        self._require_own([params.SubscriptionId])
        return await super().delete_monitored_items(params)

    async def set_monitoring_mode(self, params: ua.SetMonitoringModeParameters) -> list[ua.StatusCode]:
        """Set the mode of items of an own subscription."""
        self._require_own([params.SubscriptionId])
        return await super().set_monitoring_mode(params)

    def modify_subscription(self, params: ua.ModifySubscriptionParameters) -> ua.ModifySubscriptionResult:
        """Modify an own subscription."""
        self._require_own([params.SubscriptionId])
        return super().modify_subscription(params)

    async def set_publishing_mode(self, params: ua.SetPublishingModeParameters) -> list[ua.StatusCode]:
        """Switch publishing of own subscriptions."""
        self._require_own(params.SubscriptionIds)
        return await super().set_publishing_mode(params)

    def republish(self, params: ua.RepublishParameters) -> ua.NotificationMessage:
        """Send a message of an own subscription again."""
        self._require_own([params.SubscriptionId])
        message = super().republish(params)
        if not message.NotificationData:
            raise ServiceError(StatusCodes.BadMessageNotAvailable)
        return message

    async def delete_subscriptions(self, ids: list[int]) -> list[ua.StatusCode]:
        """Delete own subscriptions."""
        own = set(self._own())
        done = iter(await super().delete_subscriptions([i for i in ids if i in own]))
        return [next(done) if i in own else _status(StatusCodes.BadSubscriptionIdInvalid) for i in ids]

    def publish(self, acks: Iterable[ua.SubscriptionAcknowledgement] | None = None) -> tuple[int, list[ua.StatusCode]]:
        """Acknowledge messages of own subscriptions."""
        own = self._own()
        if not own:
            raise ServiceError(StatusCodes.BadNoSubscription)
        results = []
        for ack in acks or ():
            if ack.SubscriptionId in own:
                self.subscription_service.subscriptions[ack.SubscriptionId].publish([ack.SequenceNumber])
            good = ack.SubscriptionId in own
            results.append(_status(StatusCodes.Good if good else StatusCodes.BadSubscriptionIdInvalid))
        return len(own), results
