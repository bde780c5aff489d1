"""The twin as a program with asyncua's client uses it, step by step."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from asyncua import Client, ua
from matrix_hall import MatrixHall
from matrix_values import AGGREGATES, HISTORY_S, INTERVAL_S, PAIR_S, availability, means_agree
from opcua_client import PASSWORDS, secured

from bridges.opcua.nodes import NAMESPACE_URI

_FIELDS = ("EventId", "ConditionName", "SourceName", "Severity", "ActiveState/Id", "AckedState/Id", "ConfirmedState/Id")
_ACKNOWLEDGE = ua.NodeId(ua.ObjectIds.AcknowledgeableConditionType_Acknowledge)
_CONFIRM = ua.NodeId(ua.ObjectIds.AcknowledgeableConditionType_Confirm)
_DOUBLE, _STRING = ua.VariantType.Double, ua.VariantType.String
_SINR, _FACTOR, _LIMIT = "Links/agv-01/SinrDownlink", "Twin/RealTimeFactor", "Settings/RiskLimit"


class Kept:
    """Handler of a subscription that keeps what it is told."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.events: list[list[Any]] = []

    def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
        self.values.append(value)

    def event_notification(self, event: Any) -> None:
        self.events.append([getattr(event, name, None) for name in _FIELDS])

    async def wait(self, kind: str, count: int) -> None:
        until = time.monotonic() + 15
        while len(getattr(self, kind)) < count and time.monotonic() < until:
            await asyncio.sleep(0.02)


async def outcome(work: Awaitable[Any], good: Any = "Good") -> Any:
    """Return the name of the status that an operation ends with."""
    try:
        result = await work
    except ua.UaStatusCodeError as error:
        return type(error).__name__
    return result if good is None else good


class Asyncua:
    """One run against a hall; ``answer`` holds what came of each point."""

    def __init__(self, hall: MatrixHall, folder: Path) -> None:
        self.hall, self.folder = hall, folder
        self.answer: dict[str, Any] = {}

    async def client(self, user: str, policy: str = "Basic256Sha256", mode: str = "SignAndEncrypt", password: str = "") -> Client:
        return await secured(
            self.hall.url, self.folder, user, password or PASSWORDS[user], policy.replace("_", ""), ua.MessageSecurityMode[mode]
        )

    async def run(self) -> dict[str, Any]:
        await self.policies()
        async with await self.client("vera") as viewer:
            self.index = await viewer.get_namespace_index(NAMESPACE_URI)
            await self.refusals(viewer)
        async with await self.client("egon") as engineer:
            await self.reading(engineer)
            await self.methods(engineer)
            await self.subscriptions(engineer)
            await self.alarms(engineer)
            await self.refresh(engineer)
            await self.history(engineer)
        await self.restart()
        return self.answer

    def id(self, name: str) -> ua.NodeId:
        return ua.NodeId(name, self.index)

    async def policies(self) -> None:
        from matrix_points import SECURE

        async with Client(self.hall.url, timeout=10) as client:
            self.index = await client.get_namespace_index(NAMESPACE_URI)
            node = client.get_node(self.id(_SINR))
            limit = client.get_node(self.id(_LIMIT))
            self.answer["None None"] = [await node.read_value(), await outcome(limit.write_value(ua.Variant(0.4, _DOUBLE)))]
        for policy in SECURE:
            for mode in ("SignAndEncrypt", "Sign"):
                async with await self.client("vera", policy, mode) as client:
                    self.answer[f"{policy} {mode}"] = await client.get_node(self.id(_SINR)).read_value()
        wrong = await self.client("vera", password="another word")
        self.answer["wrong password"] = await outcome(wrong.connect())

    async def refusals(self, viewer: Client) -> None:
        node, limit = viewer.get_node(self.id(_SINR)), viewer.get_node(self.id(_LIMIT))
        self.answer["viewer writes value"] = await outcome(node.write_value(ua.Variant(99.0, _DOUBLE)))
        self.answer["viewer writes setting"] = await outcome(limit.write_value(ua.Variant(0.6, _DOUBLE)))
        self.answer["viewer calls"] = await self.call(viewer, "SetSpeed", ua.Variant(2.0, _DOUBLE))
        self.answer["viewer acknowledges"] = await self.see(viewer, _ACKNOWLEDGE, b"any")

    async def reading(self, client: Client) -> None:
        names = [f"{self.index}:{name}" for name in ("FactoryTwin", "Links", "agv-01", "SinrDownlink")]
        self.answer["path"] = (await client.nodes.objects.get_child(names)).nodeid.Identifier
        children = await client.get_node(self.id("Links/agv-01")).get_children()
        self.answer["browse"] = {self.id(_SINR), self.id("Links/agv-01/Margin")} <= {child.nodeid for child in children}
        node, limit = client.get_node(self.id(_SINR)), client.get_node(self.id(_LIMIT))
        self.answer["read"] = await node.read_value()
        self.answer["engineer writes value"] = await outcome(node.write_value(ua.Variant(99.0, _DOUBLE)))
        written = await outcome(limit.write_value(ua.Variant(0.6, _DOUBLE)))
        self.answer["engineer writes setting"] = [written, await limit.read_value()]

    async def call(self, client: Client, method: str, *arguments: ua.Variant) -> str:
        target = client.get_node(self.id("Methods"))
        return await outcome(target.call_method(self.id(f"Methods/{method}"), *arguments))

    async def methods(self, client: Client) -> None:
        one = ua.Variant(1.0, _DOUBLE)
        for key, method, arguments in (
            ("right arguments", "SetSpeed", [one]),
            ("no arguments", "SetSpeed", []),
            ("too many arguments", "SetSpeed", [one, one]),
            ("out of range", "SetSpeed", [ua.Variant(1000.0, _DOUBLE)]),
            ("wrong type", "SetSpeed", [ua.Variant("fast", _STRING)]),
            ("unknown target", "StopAgv", [ua.Variant("agv-99", _STRING)]),
        ):
            self.answer[key] = await self.call(client, method, *arguments)

    async def subscriptions(self, client: Client) -> None:
        plain, banded = Kept(), Kept()
        first, second = await client.create_subscription(50, plain), await client.create_subscription(50, banded)
        node = client.get_node(self.id(_FACTOR))
        await first.subscribe_data_change(node, queuesize=10, sampling_interval=0)
        await second.deadband_monitor(node, 0.5, queuesize=10)
        await plain.wait("values", 1)
        await banded.wait("values", 1)
        for factor in (1.2, 1.4, 1.6, 3.0, 1.0):
            await self.call(client, "SetSpeed", ua.Variant(factor, _DOUBLE))
        await plain.wait("values", 6)
        await banded.wait("values", 4)
        self.answer["subscription"], self.answer["dead-band"] = plain.values, banded.values
        await first.delete()
        await second.delete()

    async def see(self, client: Client, method: ua.NodeId, event: bytes) -> str:
        alarm = client.get_node(self.id("Alarms/MachineStopped/agv-01"))
        comment = ua.Variant(ua.LocalizedText("seen"), ua.VariantType.LocalizedText)
        return await outcome(alarm.call_method(method, ua.Variant(event, ua.VariantType.ByteString), comment))

    async def stop(self, client: Client, *agvs: str, method: str = "StopAgv") -> None:
        for agv in agvs:
            await self.call(client, method, ua.Variant(agv, _STRING))

    def filter(self, least: int) -> ua.EventFilter:
        base = ua.NodeId(ua.ObjectIds.BaseEventType)

        def operand(name: str) -> ua.SimpleAttributeOperand:
            path = [ua.QualifiedName(part) for part in name.split("/")]
            return ua.SimpleAttributeOperand(TypeDefinitionId=base, BrowsePath=path, AttributeId=ua.AttributeIds.Value)

        limit = ua.LiteralOperand(Value=ua.Variant(least, ua.VariantType.UInt16))
        element = ua.ContentFilterElement(ua.FilterOperator.GreaterThanOrEqual, [operand("Severity"), limit])
        return ua.EventFilter(SelectClauses=[operand(n) for n in _FIELDS], WhereClause=ua.ContentFilter(Elements=[element]))

    async def alarms(self, client: Client) -> None:
        kept = Kept()
        subscription = await client.create_subscription(50, kept)
        await subscription.subscribe_events(ua.ObjectIds.Server, evfilter=self.filter(600), queuesize=100)
        await self.stop(client, "agv-02", "agv-01")
        await kept.wait("events", 1)
        event = kept.events[0][0]
        codes = [await self.see(client, _ACKNOWLEDGE, b"no such event"), await self.see(client, _ACKNOWLEDGE, event)]
        codes.append(await self.see(client, _ACKNOWLEDGE, event))
        await self.stop(client, "agv-01", "agv-02", method="ReleaseAgv")
        await kept.wait("events", 3)
        codes.append(await self.see(client, _CONFIRM, event))
        await kept.wait("events", 4)
        self.answer["alarm"] = codes
        self.answer["events"] = [event[1:] for event in kept.events]
        await subscription.delete()

    async def refresh(self, client: Client) -> None:
        await self.stop(client, "agv-01", "agv-02")
        kept = Kept()
        subscription = await client.create_subscription(50, kept)
        await subscription.subscribe_events(ua.ObjectIds.Server, evfilter=self.filter(0), queuesize=100)

        async def refresh(number: int) -> str:
            kind = client.get_node(ua.NodeId(ua.ObjectIds.ConditionType))
            method = ua.NodeId(ua.ObjectIds.ConditionType_ConditionRefresh)
            return await outcome(kind.call_method(method, ua.Variant(number, ua.VariantType.UInt32)))

        code = await refresh(subscription.subscription_id)
        await kept.wait("events", 4)  # begin, two alarms, end
        names = sorted(f"{event[1]} {event[2]}" for event in kept.events if event[1] is not None)
        self.answer["refresh"] = [code, names, await refresh(subscription.subscription_id + 99)]
        await self.stop(client, "agv-01", "agv-02", method="ReleaseAgv")
        await subscription.delete()

    async def history(self, client: Client) -> None:
        begin, end = self.hall.begin, self.hall.begin + timedelta(seconds=HISTORY_S)
        node = client.get_node(self.id("Services/control/Availability"))
        pages: list[int] = []
        ask: Callable[..., Awaitable[Any]] = node.history_read

        async def counted(details: Any, point: Any = None) -> Any:
            result = await ask(details, point)
            pages.append(len(result.HistoryData.DataValues))
            return result

        node.history_read = counted  # type: ignore[method-assign]  # to see the pages that the client's own function fetches
        values = [v.Value.Value for v in await node.read_raw_history(begin, end)]
        self.answer["history"] = [len(values), len(pages), values == [availability(k) for k in range(HISTORY_S)]]
        raw = ua.ReadRawModifiedDetails(IsReadModified=False, StartTime=begin, EndTime=end, NumValuesPerNode=0)
        self.answer["bad point"] = (await ask(raw, b"none")).StatusCode.name
        self.answer["aggregates"] = {}
        for name in AGGREGATES:
            kind = ua.NodeId(getattr(ua.ObjectIds, f"AggregateFunction_{name}"))
            details = ua.ReadProcessedDetails(
                StartTime=begin, EndTime=end, ProcessingInterval=INTERVAL_S * 1000.0, AggregateType=[kind]
            )
            result = await ask(details, None)
            self.answer["aggregates"][name] = [v.Value.Value for v in result.HistoryData.DataValues]
        average = [ua.NodeId(ua.ObjectIds.AggregateFunction_Average)]
        details = ua.ReadProcessedDetails(StartTime=begin, EndTime=end, ProcessingInterval=PAIR_S * 1000.0, AggregateType=average)
        means: list[float] = []
        count, point = 0, None
        while point or not count:
            result = await ask(details, point)
            means += [v.Value.Value for v in result.HistoryData.DataValues]
            count, point = count + 1, result.ContinuationPoint
        self.answer["aggregate pages"] = [count, means_agree(means)]
        machine = client.get_node(self.id("Machines/agv-01/X"))
        self.answer["no history"] = await outcome(machine.read_raw_history(begin, end))

    async def restart(self) -> None:
        client = await self.client("egon")
        await client.connect(auto_reconnect=True, reconnect_max_delay=1.0)
        try:
            kept = Kept()
            subscription = await client.create_subscription(50, kept)
            await subscription.subscribe_data_change(client.get_node(self.id(_FACTOR)), queuesize=10, sampling_interval=0)
            await kept.wait("values", 1)
            await asyncio.to_thread(self.hall.restart)
            value, until = None, time.monotonic() + 30
            while value is None:
                try:
                    value = await client.get_node(self.id(_SINR)).read_value()
                except (ConnectionError, TimeoutError, ua.UaError):
                    assert time.monotonic() < until
                    await asyncio.sleep(0.2)
            count = len(kept.values)
            until = time.monotonic() + 15
            while 1.5 not in kept.values and time.monotonic() < until:
                with suppress(ConnectionError, TimeoutError, ua.UaError):  # the new connection may be closed once more by the old
                    await self.call(client, "SetSpeed", ua.Variant(1.5, _DOUBLE))
                await asyncio.sleep(0.2)
            self.answer["restart"] = [value, kept.values[-1] if len(kept.values) >= count else None]
            with suppress(ConnectionError, TimeoutError, ua.UaError):
                await self.call(client, "SetSpeed", ua.Variant(1.0, _DOUBLE))
        finally:
            await client.disconnect()


def use(hall: MatrixHall, folder: Path) -> dict[str, Any]:
    """Do everything, and return what came of each point."""
    return asyncio.run(asyncio.wait_for(Asyncua(hall, folder).run(), 150))
