"""Subscriptions: how what was told is put on the wire, and what a client that does not ask for it may cost.

asyncua encodes every notification of every client by walking its data classes. Here a value is encoded once, as it is told to the
first of its items, and each item's notification is these bytes behind its client handle; a publish response joins them.

What subscriptions may keep for clients that do not fetch it is bounded: places in the queues of their items, of each subscription
and of all together, and the bytes of messages that were sent and not acknowledged. A message holds at most as many notifications
as the client wants in one, and at most ten thousand; the rest follows with the next publish request, and MoreNotifications says
so (OPC 10000-4 clause 5.14.1.1).
"""

from __future__ import annotations

from datetime import UTC, datetime
from struct import Struct
from typing import Any, NamedTuple

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server.internal_subscription import InternalSubscription
from asyncua.server.monitored_item_service import MonitoredItemService
from asyncua.server.subscription_service import SubscriptionService
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import struct_to_binary

__all__ = ["MAX_PLACES", "Notice", "TwinSubscription", "TwinSubscriptionService", "encoded"]

MAX_PLACES = 100_000  # in the queues of one subscription
_MAX_PLACES_OF_ALL = 1_000_000
_MAX_PER_MESSAGE = 10_000
_MAX_UNACKNOWLEDGED_BYTES = 2**20  # of one subscription
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)  # OPC 10000-6 clause 5.2.2.5
_DOUBLE = Struct("<BBdIqq")
_COUNT = Struct("<i")
_NO_DIAGNOSTICS = b"\xff\xff\xff\xff"
_NOTIFICATION = ua.NodeId(ObjectIds.DataChangeNotification_Encoding_DefaultBinary)  # type: ignore[arg-type]


class Notice(NamedTuple):
    """One notification that waits to be published.

    Attributes
    ----------
    binary : MonitoredItemNotification, encoded.
    value : the value in it.
    """

    binary: bytes
    value: ua.DataValue


def _ticks(when: datetime) -> int:
    """Return a time of UTC as OPC UA counts it, in 100 ns since 1601."""
    since = when - _EPOCH
    return (since.days * 86_400 + since.seconds) * 10_000_000 + since.microseconds * 10


class _Encoder:
    """Encodes values; a value that many items are told, one after the other, is encoded for the first of them only."""

    def __init__(self) -> None:
        self._last: ua.DataValue | None = None
        self._binary = b""
        self._when: Any = None
        self._when_ticks = 0
        self._server: Any = None  # a view's values come with the same two times
        self._server_ticks = 0

    def __call__(self, value: ua.DataValue) -> bytes:
        if value is not self._last:
            self._binary = self._encode(value)
            self._last = value
        return self._binary

    def _encode(self, value: Any) -> bytes:
        variant, when, server = value.Value, value.SourceTimestamp, value.ServerTimestamp
        plain = (
            variant is not None
            and variant.VariantType is ua.VariantType.Double
            and type(variant.Value) is float
            and isinstance(when, datetime)
            and isinstance(server, datetime)
            and when.tzinfo is UTC
            and server.tzinfo is UTC
            and value.StatusCode is not None
            and value.SourcePicoseconds is None
            and value.ServerPicoseconds is None
        )
        if not plain:
            return struct_to_binary(value)
        if when is not self._when:
            self._when, self._when_ticks = when, _ticks(when)
        if server is not self._server:
            self._server, self._server_ticks = server, _ticks(server)
        # mask: value, status, source and server timestamp (OPC 10000-6 table 26); then the variant's type
        return _DOUBLE.pack(0x0F, 11, variant.Value, value.StatusCode.value, self._when_ticks, self._server_ticks)


#: Encodes a value (DataValue of OPC 10000-6 clause 5.2.2.17); to be called on the server's thread alone.
encoded = _Encoder()


class TwinSubscription(InternalSubscription):
    """A subscription that keeps notifications as bytes, and no more than it may.

    Attributes
    ----------
    notices : what waits to be published, by monitored item.
    places : in the queues of all its items.
    per_message : most notifications in one message.
    """

    def __init__(self, *args: Any, per_message: int = 0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.notices: dict[int, list[Notice]] = {}
        self.places = 0
        self.per_message = min(per_message, _MAX_PER_MESSAGE) if per_message > 0 else _MAX_PER_MESSAGE
        self._kept_bytes: dict[int, int] = {}

    def has_published_results(self) -> bool:
        """Tell whether a message is due, a keep-alive one after a while of silence."""
        return bool(self._publishing_enabled and self.notices) or super().has_published_results()

    async def publish_results(self, requestdata: Any = None) -> bool:
        """Publish what waits, in as many messages as it takes and the client has asked for."""
        published = await super().publish_results(requestdata)
        while published and self._publishing_enabled and self.notices and self.pub_request_callback is not None:
            if not await super().publish_results():
                break
        return published

    def _pop_publish_result(self) -> ua.PublishResult:
        result = super()._pop_publish_result()
        result.MoreNotifications = bool(self._publishing_enabled and self.notices)
        kept, sequence = self._not_acknowledged_results, result.NotificationMessage.SequenceNumber
        if sequence in kept:
            bodies = (getattr(part, "Body", None) for part in result.NotificationMessage.NotificationData or ())
            self._kept_bytes[sequence] = 200 + sum(len(body) if body is not None else 1000 for body in bodies)
        self._kept_bytes = {number: size for number, size in self._kept_bytes.items() if number in kept}
        total = sum(self._kept_bytes.values())
        while total > _MAX_UNACKNOWLEDGED_BYTES and len(kept) > 1:
            oldest = next(iter(kept))
            kept.pop(oldest)
            total -= self._kept_bytes.pop(oldest, 0)
            result.AvailableSequenceNumbers = list(kept)
        return result

    def _pop_triggered_datachanges(self, result: ua.PublishResult) -> None:
        if not self.notices:
            return
        if self.pub_request_callback is None:
            self._pop_for_server(result)
            return
        taken = [notice.binary for queue in self.notices.values() for notice in queue]
        if len(taken) <= self.per_message:
            self.notices = {}
        else:
            taken = self._pop_some()
        parts = [_COUNT.pack(len(taken)), *taken, _NO_DIAGNOSTICS]
        message: Any = ua.ExtensionObject(TypeId=_NOTIFICATION, Body=ua.ByteString(b"".join(parts)))
        result.NotificationMessage.NotificationData.append(message)

    def _pop_some(self) -> list[bytes]:
        """Take as many notifications as fit into one message, and leave the rest."""
        taken: list[Notice] = []
        while self.notices and len(taken) < self.per_message:
            mid, queue = next(iter(self.notices.items()))
            room = self.per_message - len(taken)
            taken += queue[:room]
            if len(queue) > room:
                self.notices[mid] = queue[room:]
            else:
                del self.notices[mid]
        return [notice.binary for notice in taken]

    def _pop_for_server(self, result: ua.PublishResult) -> None:
        """Hand notifications as objects to a subscription of the server itself."""
        items = self.monitored_item_srv._monitored_items
        message: Any = ua.DataChangeNotification()
        message.MonitoredItems = [
            ua.MonitoredItemNotification(ClientHandle=ua.IntegerId(items[mid].client_handle or 0), Value=notice.value)
            for mid, queue in self.notices.items()
            for notice in queue
        ]
        self.notices = {}
        result.NotificationMessage.NotificationData.append(message)


class TwinSubscriptionService(SubscriptionService):
    """Makes the subscriptions above."""

    def make_items(self, subscription: TwinSubscription) -> MonitoredItemService:
        """Return the items, none so far, of a new subscription."""
        return MonitoredItemService(subscription, self.aspace)

    def free_places(self) -> int:
        """Return how many places in queues are left for all subscriptions together."""
        return _MAX_PLACES_OF_ALL - sum(s.places for s in self.subscriptions.values() if isinstance(s, TwinSubscription))

    async def create_subscription(
        self, params: ua.CreateSubscriptionParameters, callback: Any, session_id: ua.NodeId, request_callback: Any = None
    ) -> ua.CreateSubscriptionResult:
        """Make a subscription.

        Raises
        ------
        ServiceError
            The server has as many as it may.
        """
        limits = self.iserver
        assert limits is not None
        if len(self.subscriptions) >= limits.max_subscriptions:
            raise ServiceError(StatusCodes.BadTooManySubscriptions)
        self._sub_id_counter += 1
        number = self._sub_id_counter
        result = ua.CreateSubscriptionResult(
            SubscriptionId=ua.IntegerId(number),
            RevisedPublishingInterval=params.RequestedPublishingInterval,
            RevisedLifetimeCount=ua.Counter(self._clamp_lifetime_count(params.RequestedLifetimeCount)),
            RevisedMaxKeepAliveCount=ua.Counter(self._clamp_keep_alive_count(params.RequestedMaxKeepAliveCount)),
        )
        subscription = TwinSubscription(
            result,
            self.aspace,
            callback,
            session_id,
            request_callback=request_callback,
            delete_callback=lambda: self.subscriptions.pop(number, None),
            no_acks_limit=limits.max_unacked_messages_per_subscription,
            max_queue_size=limits.max_monitored_item_queue_size,
            publishing_enabled=params.PublishingEnabled,
            per_message=int(params.MaxNotificationsPerPublish),
        )
        subscription.monitored_item_srv = self.make_items(subscription)
        await subscription.start()
        self.subscriptions[number] = subscription
        return result
