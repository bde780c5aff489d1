"""Values encoded once against asyncua's own encoding, messages in parts, and what is kept for a client that does not fetch it."""

from __future__ import annotations

import asyncio
import datetime

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary
from hypothesis import given, settings
from hypothesis import strategies as st

from bridges.opcua import publishing
from bridges.opcua.publishing import Notice, TwinSubscription

NOW = datetime.datetime(2026, 5, 4, 12, 0, 0, 123_456, tzinfo=datetime.UTC)
TIMES = st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1), timezones=st.just(datetime.UTC))
CODES = st.sampled_from([0, 0x480, 0x40900000, 0x809B0000])


def data(value, kind=ua.VariantType.Double, code=0, source=NOW, server=NOW):
    return ua.DataValue(ua.Variant(value, kind), ua.StatusCode(code), SourceTimestamp=source, ServerTimestamp=server)


@settings(deadline=None, derandomize=True)
@given(st.floats(allow_nan=False), CODES, TIMES, TIMES)
def test_numbers_are_encoded_as_asyncua_does(value, code, source, server):
    told = data(value, code=code, source=source, server=server)
    assert publishing.encoded(told) == struct_to_binary(told)


@pytest.mark.parametrize(
    "told",
    [
        data("aisle-west", ua.VariantType.String),
        data(True, ua.VariantType.Boolean),
        data(3, ua.VariantType.Int32),
        data([1.0, 2.0]),
        data(1.0, source=None),
        data(1.0, server=NOW.replace(tzinfo=None)),
        data(1.0, source=NOW.astimezone(datetime.timezone(datetime.timedelta(hours=2)))),
        ua.DataValue(ua.Variant(None, ua.VariantType.Null), ua.StatusCode(0x809B0000)),
    ],
)
def test_all_other_values_too(told):
    assert publishing.encoded(told) == struct_to_binary(told)


def test_a_value_is_encoded_once_and_the_next_one_anew():
    first, second = data(1.0), data(1.0)
    assert publishing.encoded(first) is publishing.encoded(first)
    assert publishing.encoded(second) is not publishing.encoded(first)


def subscription(requests, per_message=0, **kwargs):
    """Return a subscription with so many publish requests at hand, and the list of what it sends."""
    sent = []

    async def take(result, request=None):
        sent.append(result)

    made = ua.CreateSubscriptionResult(SubscriptionId=7, RevisedLifetimeCount=100, RevisedMaxKeepAliveCount=10)
    left = iter(range(requests))
    return (
        TwinSubscription(
            made, None, take, ua.NodeId(), request_callback=lambda _: next(left, None), per_message=per_message, **kwargs
        ),
        sent,
    )


def fill(twin, items, each):
    for mid in range(items):
        values = [data(float(10 * mid + k)) for k in range(each)]
        twin.notices[mid] = [Notice(mid.to_bytes(4, "little") + publishing.encoded(v), v) for v in values]


def decoded(result):
    body = result.NotificationMessage.NotificationData[0].Body
    items = struct_from_binary(ua.DataChangeNotification, Buffer(body)).MonitoredItems
    return [(item.ClientHandle, item.Value.Value.Value) for item in items]


def test_a_message_holds_what_the_client_wants_in_one_and_the_rest_follows():
    twin, sent = subscription(10, per_message=4)
    fill(twin, items=3, each=3)
    asyncio.run(twin.publish_results())
    assert [len(decoded(r)) for r in sent] == [4, 4, 1]
    assert [r.MoreNotifications for r in sent] == [True, True, False]
    assert [r.NotificationMessage.SequenceNumber for r in sent] == [1, 2, 3]
    assert [pair for r in sent for pair in decoded(r)] == [(mid, float(10 * mid + k)) for mid in range(3) for k in range(3)]


def test_the_rest_waits_where_the_client_has_asked_once():
    twin, sent = subscription(1, per_message=4)
    fill(twin, items=3, each=3)
    asyncio.run(twin.publish_results())
    assert [len(decoded(r)) for r in sent] == [4]
    assert sum(map(len, twin.notices.values())) == 5


def test_a_subscription_that_is_switched_off_keeps_what_it_has():
    twin, sent = subscription(5, publishing_enabled=False)
    fill(twin, items=2, each=1)
    asyncio.run(twin.publish_results())
    assert [r.NotificationMessage.NotificationData for r in sent] == [[]]
    assert len(twin.notices) == 2
    asyncio.run(twin.set_publishing_mode(True))
    asyncio.run(twin.publish_results())
    assert decoded(sent[1]) == [(0, 0.0), (1, 10.0)]


def test_messages_that_nobody_acknowledges_are_forgotten_by_their_size(monkeypatch):
    monkeypatch.setattr(publishing, "_MAX_UNACKNOWLEDGED_BYTES", 3000)
    twin, sent = subscription(100)
    for _ in range(20):
        fill(twin, items=30, each=1)
        asyncio.run(twin.publish_results())
    kept = list(twin._not_acknowledged_results)
    assert kept == [19, 20]  # some 1,300 bytes each
    assert sent[-1].AvailableSequenceNumbers == kept
    assert decoded(twin._not_acknowledged_results[19]) == decoded(sent[18])
    twin.publish(kept)
    assert not twin._not_acknowledged_results
