"""Monitored items as OPC 10000-4 clause 5.12.1 has them.

asyncua compares a value with the one before it, so a slow drift passes under any dead-band and is never told; it knows no
percent dead-band, no sampling interval, no overflow, and leaves DiscardOldest aside. Here a value is compared with the one that
the client was told last. Nor is it copied for every item: each value in the address space is an object of its own that nobody
changes. Subscriptions and their memory: :mod:`bridges.opcua.publishing`.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import time
from collections.abc import Callable
from struct import Struct
from typing import Any

from asyncua import ua
from asyncua.server.address_space import AddressSpace
from asyncua.server.monitored_item_service import MonitoredItemData, MonitoredItemService
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes

from bridges.opcua.publishing import MAX_PLACES, Notice, TwinSubscription, TwinSubscriptionService, encoded
from bridges.opcua.space import status
from bridges.opcua.where import Where

__all__ = ["TwinItems", "TwinSubscriptions"]

_log = logging.getLogger(__name__)

_SAMPLING_MS = (20.0, 3_600_000.0)
_OVERFLOW = 0x480  # InfoType DataValue and its Overflow bit (OPC 10000-4 clause 7.39.1)
_SLACK_S = 0.005  # views come every 100 ms within some milliseconds; an interval of 100 ms takes each
_EURANGE = ua.QualifiedName("EURange", 0)
_HANDLE = Struct("<I")


@dataclasses.dataclass(slots=True)
class _Told:
    """What an item has been told, and what waits for its sampling interval to pass."""

    interval_s: float
    discard_oldest: bool
    band: float  # absolute; a percent one is turned into it as the item is made
    trigger: ua.DataChangeTrigger
    value: ua.DataValue | None = None
    waiting: ua.DataValue | None = None
    sampled: float = -math.inf
    handle: bytes = b""  # the client's, encoded


def _bad(code: int, item_id: int = 0) -> ua.MonitoredItemCreateResult:
    return ua.MonitoredItemCreateResult(StatusCode=status(code), MonitoredItemId=ua.IntegerId(item_id))


def _is(value: Any, kind: Any) -> bool:
    """Tell whether a decoded structure is of a kind; asyncua may decode into a twin of the class that it offers."""
    return bool(getattr(value, "data_type", None) == kind.data_type)


class TwinItems(MonitoredItemService):
    """The monitored items of one subscription."""

    isub: TwinSubscription

    def __init__(self, isub: TwinSubscription, aspace: AddressSpace, free_places: Callable[[], int]) -> None:
        super().__init__(isub, aspace)
        self._free_places = free_places
        self._free = 0  # places that all subscriptions together have left; counted anew for each request
        self._told: dict[int, _Told] = {}
        self._waiting: set[int] = set()

    def _revise_queue_size(self, requested: int) -> int:
        """Return how long a queue may be; those of one subscription share a number of places, and so do all subscriptions."""
        return max(1, min(super()._revise_queue_size(requested), MAX_PLACES - self.isub.places, self._free))

    async def create_monitored_items(self, params: ua.CreateMonitoredItemsParameters) -> list[ua.MonitoredItemCreateResult]:
        """Make items; each has a status of its own."""
        results = []
        self._free = self._free_places()
        for item in params.ItemsToCreate:
            wanted, what = item.RequestedParameters, item.ItemToMonitor
            if isinstance(wanted.Filter, ua.ExtensionObject) and wanted.Filter.Body is None:
                wanted.Filter = None  # an empty one, as most clients send it
            if isinstance(wanted.Filter, ua.ExtensionObject):  # an unknown kind of filter
                results.append(_bad(StatusCodes.BadMonitoredItemFilterUnsupported))
            elif what.AttributeId == AttributeIds.EventNotifier:
                good = _is(wanted.Filter, ua.EventFilter)
                results.append(self._create_events_monitored_item(item) if good else _bad(StatusCodes.BadEventFilterInvalid))
            else:
                results.append(await self._create_item(item))
        return results

    async def _create_item(self, item: ua.MonitoredItemCreateRequest) -> ua.MonitoredItemCreateResult:
        what, wanted = item.ItemToMonitor, item.RequestedParameters
        code, told = self._judge(what, wanted)
        if told is None:
            return _bad(code)
        result, data = self._make_monitored_item_common(item)
        result.StatusCode, handle = self.aspace.add_datachange_callback(
            what.NodeId, AttributeIds(what.AttributeId), self.datachange_callback
        )
        if not result.StatusCode.is_good():
            return _bad(result.StatusCode.value)
        data.callback_handle = handle
        data.queue_size = int(data.queue_size) if wanted.QueueSize else 1
        told.handle = _HANDLE.pack(data.client_handle or 0)
        self.isub.places += data.queue_size
        self._free -= data.queue_size
        result.RevisedQueueSize = ua.Counter(data.queue_size)
        result.RevisedSamplingInterval = ua.Duration(1000.0 * told.interval_s)
        self._commit_monitored_item(result, data)
        self._monitored_datachange[handle] = result.MonitoredItemId
        self._told[result.MonitoredItemId] = told
        if data.mode != ua.MonitoringMode.Disabled:
            await self.trigger_datachange(handle, what.NodeId, AttributeIds(what.AttributeId))
        return result

    def _create_events_monitored_item(self, params: ua.MonitoredItemCreateRequest) -> ua.MonitoredItemCreateResult:
        result = super()._create_events_monitored_item(params)
        data = self._monitored_items.get(result.MonitoredItemId) if result.StatusCode.is_good() else None
        if data is not None:
            data.where_clause_evaluator = Where(self.logger, self.aspace, data.filter.WhereClause)
        return result

    async def _trigger_event(self, event: Any, mid: int) -> None:
        data = self._monitored_items.get(mid)
        if data is not None and data.mode == ua.MonitoringMode.Reporting:
            await super()._trigger_event(event, mid)

    def _judge(self, what: ua.ReadValueId, wanted: ua.MonitoringParameters) -> tuple[int, _Told | None]:
        """Return what an item will be, or the status code that refuses it."""
        interval, (least, most) = float(wanted.SamplingInterval), _SAMPLING_MS
        if interval < 0 or not math.isfinite(interval):
            interval = float(self.isub.data.RevisedPublishingInterval)
        interval = 0.0 if interval == 0.0 else min(max(interval, least), most)
        told = _Told(interval / 1000.0, bool(wanted.DiscardOldest), 0.0, ua.DataChangeTrigger.StatusValue)
        rule = wanted.Filter
        if rule is None:
            return StatusCodes.Good, told
        if not _is(rule, ua.DataChangeFilter) or what.AttributeId != AttributeIds.Value:
            return StatusCodes.BadFilterNotAllowed, None
        told.trigger = ua.DataChangeTrigger(rule.Trigger)
        kind, band = ua.DeadbandType(rule.DeadbandType), float(rule.DeadbandValue)
        if kind == ua.DeadbandType.None_:
            return StatusCodes.Good, told
        if not math.isfinite(band) or band < 0 or (kind == ua.DeadbandType.Percent and band > 100):
            return StatusCodes.BadDeadbandFilterInvalid, None
        if not self._holds_numbers(what.NodeId):
            return StatusCodes.BadFilterNotAllowed, None
        if kind == ua.DeadbandType.Percent:
            span = self._range_of(what.NodeId)
            if span is None:
                return StatusCodes.BadMonitoredItemFilterUnsupported, None
            band *= (span.High - span.Low) / 100.0
        told.band = band
        return StatusCodes.Good, told

    def _holds_numbers(self, node: ua.NodeId) -> bool:
        kind = self.aspace.read_attribute_value(node, AttributeIds.DataType)
        if kind.Value is None or not isinstance(kind.Value.Value, ua.NodeId):
            return False
        number = kind.Value.Value
        return number.NamespaceIndex == 0 and number.Identifier in range(ObjectIds.SByte, ObjectIds.Double + 1)

    def _range_of(self, node: ua.NodeId) -> ua.Range | None:
        for reference in self.aspace[node].references:
            if reference.IsForward and reference.BrowseName == _EURANGE:
                data = self.aspace.read_attribute_value(reference.NodeId, AttributeIds.Value)
                return data.Value.Value if data.Value is not None and isinstance(data.Value.Value, ua.Range) else None
        return None

    def _modify_monitored_item(self, params: ua.MonitoredItemModifyRequest) -> ua.MonitoredItemModifyResult:
        data, result = self._monitored_items.get(params.MonitoredItemId), ua.MonitoredItemModifyResult()
        if data is None or data.read_value_id is None:
            result.StatusCode = status(StatusCodes.BadMonitoredItemIdInvalid)
            return result
        wanted = params.RequestedParameters
        if isinstance(wanted.Filter, ua.ExtensionObject) and wanted.Filter.Body is None:
            wanted.Filter = None
        data.client_handle = wanted.ClientHandle
        old = self._told.get(params.MonitoredItemId)
        if old is not None:
            code, told = self._judge(data.read_value_id, wanted)
            if told is None:
                result.StatusCode = status(code)
                return result
            told.value, told.waiting, told.sampled = old.value, old.waiting, old.sampled
            told.handle = _HANDLE.pack(wanted.ClientHandle)
            self._told[params.MonitoredItemId] = told
            result.RevisedSamplingInterval = ua.Duration(1000.0 * told.interval_s)
        data.filter = wanted.Filter if wanted.Filter is not None else data.filter
        self.isub.places -= data.queue_size
        self._free = self._free_places()
        data.queue_size = self._revise_queue_size(max(1, wanted.QueueSize))
        self.isub.places += data.queue_size
        result.RevisedQueueSize = ua.Counter(data.queue_size)
        return result

    def _delete_monitored_items(self, mid: int) -> ua.StatusCode:
        self._told.pop(mid, None)
        self._waiting.discard(mid)
        data = self._monitored_items.get(mid)
        if data is None:
            return status(StatusCodes.BadMonitoredItemIdInvalid)
        self.isub.places -= data.queue_size
        for queue in (self.isub.notices, self.isub._triggered_events):
            queue.pop(mid, None)  # what was to be told of an item goes with it
        return super()._delete_monitored_items(mid)

    async def _set_monitoring_mode(self, mode: ua.MonitoringMode, mid: int) -> ua.StatusCode:
        data = self._monitored_items.get(mid)
        before = data.mode if data is not None else None
        done = await super()._set_monitoring_mode(mode, mid)
        if data is not None and mode == ua.MonitoringMode.Disabled:
            self.isub.notices.pop(mid, None)
            self._waiting.discard(mid)
            if mid in self._told:
                self._told[mid].value = self._told[mid].waiting = None
        elif before == ua.MonitoringMode.Sampling and mode == ua.MonitoringMode.Reporting and mid in self._waiting:
            await self.flush(time.monotonic())
        return done

    async def datachange_callback(self, handle: int, value: ua.DataValue, error: ua.StatusCode | None = None) -> None:
        """Take a new value of a node, or the error that ends its monitoring."""
        if error:
            await self.trigger_statuschange(error)
        else:
            self.take(handle, value)

    def take(self, handle: int, value: ua.DataValue) -> None:
        """Take a new value of a node."""
        mid = self._monitored_datachange[handle]
        data, told = self._monitored_items[mid], self._told[mid]
        if data.mode is ua.MonitoringMode.Disabled:
            return
        if told.interval_s > 0.0 or data.mode is not ua.MonitoringMode.Reporting:
            now = time.monotonic()
            if data.mode is ua.MonitoringMode.Sampling or now - told.sampled < told.interval_s - _SLACK_S:
                told.waiting = value
                self._waiting.add(mid)
                return
            told.sampled = now
            self._waiting.discard(mid)
        if _differs(told, value):
            self._tell(mid, data, told, value)

    async def flush(self, now: float) -> None:
        """Sample what waited for its interval to pass.

        Parameters
        ----------
        now : monotonic time [s].
        """
        for mid in tuple(self._waiting):
            data, told = self._monitored_items.get(mid), self._told.get(mid)
            if data is None or told is None or told.waiting is None:
                self._waiting.discard(mid)
            elif data.mode == ua.MonitoringMode.Reporting and now - told.sampled >= told.interval_s - _SLACK_S:
                self._waiting.discard(mid)
                value, told.waiting, told.sampled = told.waiting, None, now
                if _differs(told, value):
                    self._tell(mid, data, told, value)

    def _tell(self, mid: int, data: MonitoredItemData, told: _Told, value: ua.DataValue) -> None:
        told.value = value
        notice = Notice(told.handle + encoded(value), value)
        queues = self.isub.notices
        queue = queues.get(mid)
        if queue is None:
            queues[mid] = [notice]
            return
        if len(queue) < data.queue_size:
            queue.append(notice)
            return
        # the queue is full: one value is lost, and the one beside the gap says so where the queue is longer than one
        if told.discard_oldest:
            queue.pop(0)
            queue.append(notice)
            marked = 0
        else:
            queue[-1] = notice
            marked = -1
        if data.queue_size > 1:
            over = _overflowed(queue[marked].value)
            queue[marked] = Notice(told.handle + encoded(over), over)


def _overflowed(value: ua.DataValue) -> ua.DataValue:
    code = value.StatusCode.value if value.StatusCode is not None else 0
    return dataclasses.replace(value, StatusCode=status(code | _OVERFLOW))


def _differs(told: _Told, value: ua.DataValue) -> bool:
    """Tell whether a value is to be told, after the one that was told last."""
    old = told.value
    if old is None or old.StatusCode != value.StatusCode:
        return True
    if told.trigger == ua.DataChangeTrigger.Status:
        return False
    if told.trigger == ua.DataChangeTrigger.StatusValueTimestamp and old.SourceTimestamp != value.SourceTimestamp:
        return True
    before = old.Value.Value if old.Value is not None else None
    after = value.Value.Value if value.Value is not None else None
    if told.band > 0.0 and isinstance(before, int | float) and isinstance(after, int | float):
        return not abs(after - before) <= told.band
    return bool(before != after)


class TwinSubscriptions(TwinSubscriptionService):
    """The subscriptions of all sessions, with the items above."""

    def make_items(self, subscription: TwinSubscription) -> TwinItems:
        """Return the items, none so far, of a new subscription."""
        return TwinItems(subscription, self.aspace, self.free_places)

    async def flush(self) -> None:
        """Sample in all subscriptions what waited for its interval to pass."""
        now = time.monotonic()
        for subscription in tuple(self.subscriptions.values()):
            items = subscription.monitored_item_srv
            if isinstance(items, TwinItems) and items._waiting:
                await items.flush(now)
