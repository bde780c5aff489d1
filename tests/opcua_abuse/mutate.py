"""Good requests, and what a seed makes of them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from asyncua import ua

from tests.opcua_abuse.wire import Wire, hello, packet

_LENGTHS = (-1, -2, 0, 1, 2, 127, 255, 65_535, 65_536, 2**24, 2**31 - 1, -(2**31))


def requests() -> list[Any]:
    """Return a good request of every service that the server knows, and of some that it does not."""
    node: Any = ua.NodeId("Links/agv-01/SinrDownlink", 2)  # type: ignore[arg-type]
    folder: Any = ua.NodeId("Links", 2)  # type: ignore[arg-type]
    value = ua.DataValue(ua.Variant([1.0, 2.0], ua.VariantType.Double))
    made: dict[str, Any] = {name: getattr(ua, f"{name}Request")() for name in _NAMES}
    made["Read"].Parameters.NodesToRead = [ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value)] * 3
    made["Write"].Parameters.NodesToWrite = [ua.WriteValue(NodeId=node, AttributeId=ua.AttributeIds.Value, Value=value)]
    made["Browse"].Parameters.NodesToBrowse = [ua.BrowseDescription(NodeId=folder)]
    made["Browse"].Parameters.RequestedMaxReferencesPerNode = 2
    made["BrowseNext"].Parameters.ContinuationPoints = [b"\x01\x02"]
    path = ua.RelativePath(Elements=[ua.RelativePathElement(TargetName=ua.QualifiedName("FactoryTwin", 2))])  # type: ignore[arg-type]
    made["TranslateBrowsePathsToNodeIds"].Parameters.BrowsePaths = [ua.BrowsePath(StartingNode=folder, RelativePath=path)]
    made["CreateSubscription"].Parameters.RequestedPublishingInterval = 50.0
    made["CreateSubscription"].Parameters.RequestedLifetimeCount = 100
    items = [
        ua.MonitoredItemCreateRequest(
            ItemToMonitor=ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value),
            MonitoringMode=ua.MonitoringMode.Reporting,
            RequestedParameters=ua.MonitoringParameters(
                Filter=ua.DataChangeFilter(DeadbandType=1, DeadbandValue=0.5),  # type: ignore[arg-type]
                QueueSize=10,  # type: ignore[arg-type]
            ),
        ),
        ua.MonitoredItemCreateRequest(
            ItemToMonitor=ua.ReadValueId(NodeId=ua.NodeId(2253), AttributeId=ua.AttributeIds.EventNotifier),  # type: ignore[arg-type]
            RequestedParameters=ua.MonitoringParameters(Filter=_event_filter()),
        ),
    ]
    made["CreateMonitoredItems"].Parameters.SubscriptionId = 78
    made["CreateMonitoredItems"].Parameters.ItemsToCreate = items
    made["DeleteMonitoredItems"].Parameters.MonitoredItemIds = [112, 113]
    made["SetMonitoringMode"].Parameters.MonitoredItemIds = [112]
    made["SetPublishingMode"].Parameters.SubscriptionIds = [78]
    made["DeleteSubscriptions"].Parameters.SubscriptionIds = [79]
    made["Publish"].Parameters.SubscriptionAcknowledgements = [
        ua.SubscriptionAcknowledgement(SubscriptionId=78, SequenceNumber=1)  # type: ignore[arg-type]
    ]
    made["Call"].Parameters.MethodsToCall = [
        ua.CallMethodRequest(ObjectId=folder, MethodId=node, InputArguments=[ua.Variant([[1, 2], [3, 4]])])
    ]
    made["HistoryRead"].Parameters.HistoryReadDetails = ua.ReadRawModifiedDetails(NumValuesPerNode=10)  # type: ignore[arg-type]
    made["HistoryRead"].Parameters.NodesToRead = [ua.HistoryReadValueId(NodeId=node)]
    made["RegisterNodes"].Parameters.NodesToRegister = [node]
    made["CloseSession"].DeleteSubscriptions = True
    return list(made.values())


_NAMES = (
    "Read Write Browse BrowseNext TranslateBrowsePathsToNodeIds CreateSubscription CreateMonitoredItems ModifyMonitoredItems "
    "DeleteMonitoredItems SetMonitoringMode SetPublishingMode ModifySubscription DeleteSubscriptions Publish Republish Call "
    "HistoryRead HistoryUpdate RegisterNodes UnregisterNodes AddNodes DeleteNodes QueryFirst FindServers GetEndpoints "
    "RegisterServer CreateSession ActivateSession CloseSession Cancel TransferSubscriptions"
).split()


def _event_filter() -> ua.EventFilter:
    operand = ua.SimpleAttributeOperand(BrowsePath=[ua.QualifiedName("Severity")], AttributeId=ua.AttributeIds.Value)
    literal = ua.LiteralOperand(Value=ua.Variant(300, ua.VariantType.UInt16))
    element = ua.ContentFilterElement(FilterOperator=ua.FilterOperator.GreaterThan, FilterOperands=[operand, literal])
    return ua.EventFilter(SelectClauses=[operand], WhereClause=ua.ContentFilter(Elements=[element]))


def _bits(body: bytearray, rng: np.random.Generator) -> bytearray:
    for _ in range(int(rng.integers(1, 9))):
        body[rng.integers(len(body))] ^= 1 << int(rng.integers(8))
    return body


def _length(body: bytearray, rng: np.random.Generator) -> bytearray:
    at = int(rng.integers(max(len(body) - 4, 1)))
    body[at : at + 4] = struct.pack("<i", _LENGTHS[rng.integers(len(_LENGTHS))])
    return body


def _bytes(body: bytearray, rng: np.random.Generator) -> bytearray:
    at = int(rng.integers(len(body)))
    body[at] = int(rng.choice([0x00, 0x01, 0x7F, 0x80, 0x8B, 0x97, 0xC0, 0xFF]))
    return body


def _cut(body: bytearray, rng: np.random.Generator) -> bytearray:
    return body[: int(rng.integers(len(body)))]


def _stretch(body: bytearray, rng: np.random.Generator) -> bytearray:
    return body + rng.bytes(int(rng.integers(1, 2000)))


def _repeat(body: bytearray, rng: np.random.Generator) -> bytearray:
    begin = int(rng.integers(len(body)))
    end = min(len(body), begin + int(rng.integers(1, 64)))
    return body[:begin] + body[begin:end] * int(rng.integers(2, 200)) + body[end:]


_BODY: tuple[Callable[[bytearray, np.random.Generator], bytearray], ...] = (
    _bits,
    _length,
    _length,
    _bytes,
    _cut,
    _stretch,
    _repeat,
)


def mutated(body: bytes, rng: np.random.Generator) -> bytes:
    """Return a body with one to three faults in it."""
    result = bytearray(body)
    for _ in range(int(rng.integers(1, 4))):
        result = _BODY[rng.integers(len(_BODY))](result or bytearray(1), rng)
    return bytes(result[:60_000]) or b"\0"


def _chunk(wire: Wire, body: bytes, rng: np.random.Generator) -> bytes:
    """Return a message whose frame is wrong in one way."""
    kinds = (b"MSGF", b"MSGC", b"MSGA", b"MSGX", b"OPNF", b"OPNC", b"CLOF", b"HELF", b"ACKF", b"ERRF", b"XXXF", b"RHEF")
    which = int(rng.integers(7))
    channel, token = wire.channel, wire.token
    if which == 0:
        return wire.message(body, kinds[rng.integers(len(kinds))])
    if which == 1:  # another length than it has
        content = struct.pack("<II", channel, token) + wire.numbered() + body
        lengths = (0, 7, 8, 11, 12, 16, 23, 24, len(content), len(content) + 7, len(content) + 9, 65_535, 2**31, 2**32 - 1)
        return packet(b"MSGF", content, int(rng.choice(np.array(lengths, dtype=np.int64))))
    if which == 2:  # numbers that do not go on
        wire.sequence = int(rng.integers(2**32 - 2))
        return wire.message(body)
    if which == 3:
        other = struct.pack("<II", channel + int(rng.integers(3)), token + int(rng.integers(3)))
        return packet(b"MSGF", other + wire.numbered() + body)
    if which == 4:  # in pieces, of which the last may be missing or another request's
        pieces = [body[i : i + 40] for i in range(0, len(body), 40)][: int(rng.integers(1, 30))]
        number = wire.request + 1
        sent = b""
        for k, piece in enumerate(pieces):
            wire.sequence += 1
            last = k == len(pieces) - 1 and rng.random() < 0.7
            number += int(rng.random() < 0.02)
            head = struct.pack("<IIII", channel, token, wire.sequence, number)
            sent += packet(b"MSGF" if last else b"MSGC", head + piece)
        wire.request = number
        return sent
    if which == 5:
        return hello(mutated(b"opc.tcp://127.0.0.1", rng), int(rng.choice([0, 1, 8191, 8192, 2**31, 2**32 - 1])))
    content = mutated(wire.opening(lifetime_ms=int(rng.choice([0, 1, 2**32 - 1])))[8:], rng)
    return packet(b"OPNF", content)


def attempt(wire: Wire, good: list[Any], rng: np.random.Generator) -> bytes:
    """Return the bytes of one attempt on an open connection."""
    body = wire.encoded(good[rng.integers(len(good))])
    if rng.random() < 0.3:
        return _chunk(wire, body if rng.random() < 0.5 else mutated(body, rng), rng)
    # the first bytes name the request and its session; faults there hide those behind
    kept = int(rng.choice([0, 4, 30]))
    return wire.message(body[:kept] + mutated(body[kept:], rng))
