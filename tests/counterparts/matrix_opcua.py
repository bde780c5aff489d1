"""The twin as a program with the older Python package ``opcua`` uses it, step by step."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import opcua
from matrix_hall import MatrixHall
from matrix_points import NEVER, SECURE
from matrix_values import AGGREGATES, HISTORY_S, INTERVAL_S, PAIR_S, availability, means_agree
from opcua import ua
from opcua.crypto import security_policies
from opcua_client import PASSWORDS

from bridges.opcua.certificate import load_or_make
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
        # the package names a field by the first word of its path
        self.events.append([getattr(event, name.partition("/")[0], None) for name in _FIELDS])

    def wait(self, kind: str, count: int) -> None:
        until = time.monotonic() + 15
        while len(getattr(self, kind)) < count and time.monotonic() < until:
            time.sleep(0.02)


def outcome(work: Callable[[], Any]) -> str:
    """Return the name of the status that an operation ends with."""
    try:
        work()
    except ua.UaStatusCodeError as error:
        return type(error).__name__
    return "Good"


class Opcua:
    """One run against a hall; ``answer`` holds what came of each point."""

    def __init__(self, hall: MatrixHall, folder: Path) -> None:
        self.hall = hall
        self.own = load_or_make(folder, "127.0.0.1")
        self.answer: dict[str, Any] = {}

    def client(self, user: str, mode: str = "SignAndEncrypt", password: str = "") -> Any:
        client = opcua.Client(self.hall.url, timeout=10)
        client.set_user(user)
        client.set_password(password or PASSWORDS[user])
        client.application_uri = self.own.application_uri
        client.set_security_string(f"Basic256Sha256,{mode},{self.own.certificate},{self.own.private_key}")
        return client

    def run(self) -> dict[str, Any]:
        self.policies()
        with self.client("vera") as viewer:
            self.refusals(viewer)
        with self.client("egon") as engineer:
            self.reading(engineer)
            self.methods(engineer)
            self.subscriptions(engineer)
            self.alarms(engineer)
            self.refresh(engineer)
            self.history(engineer)
        self.restart()
        return self.answer

    def id(self, name: str) -> Any:
        return ua.NodeId(name, self.index)

    def policies(self) -> None:
        with opcua.Client(self.hall.url, timeout=10) as client:
            self.index = client.get_namespace_index(NAMESPACE_URI)
            node, limit = client.get_node(self.id(_SINR)), client.get_node(self.id(_LIMIT))
            self.answer["None None"] = [node.get_value(), outcome(lambda: limit.set_value(ua.Variant(0.4, _DOUBLE)))]
        for policy in SECURE:
            # the client takes a policy's class by its name
            known = hasattr(security_policies, f"SecurityPolicy{policy.replace('_', '')}")
            for mode in ("SignAndEncrypt", "Sign"):
                key = f"{policy} {mode}"
                if not known:
                    self.answer[key] = NEVER
                    continue
                with self.client("vera", mode) as client:
                    self.answer[key] = client.get_node(self.id(_SINR)).get_value()
        self.answer["wrong password"] = outcome(self.client("vera", password="another word").connect)

    def refusals(self, viewer: Any) -> None:
        node, limit = viewer.get_node(self.id(_SINR)), viewer.get_node(self.id(_LIMIT))
        self.answer["viewer writes value"] = outcome(lambda: node.set_value(ua.Variant(99.0, _DOUBLE)))
        self.answer["viewer writes setting"] = outcome(lambda: limit.set_value(ua.Variant(0.6, _DOUBLE)))
        self.answer["viewer calls"] = self.call(viewer, "SetSpeed", ua.Variant(2.0, _DOUBLE))
        self.answer["viewer acknowledges"] = self.see(viewer, _ACKNOWLEDGE, b"any")

    def reading(self, client: Any) -> None:
        names = [f"{self.index}:{name}" for name in ("FactoryTwin", "Links", "agv-01", "SinrDownlink")]
        self.answer["path"] = client.get_objects_node().get_child(names).nodeid.Identifier
        children = client.get_node(self.id("Links/agv-01")).get_children()
        self.answer["browse"] = {self.id(_SINR), self.id("Links/agv-01/Margin")} <= {child.nodeid for child in children}
        node, limit = client.get_node(self.id(_SINR)), client.get_node(self.id(_LIMIT))
        self.answer["read"] = node.get_value()
        self.answer["engineer writes value"] = outcome(lambda: node.set_value(ua.Variant(99.0, _DOUBLE)))
        written = outcome(lambda: limit.set_value(ua.Variant(0.6, _DOUBLE)))
        self.answer["engineer writes setting"] = [written, limit.get_value()]

    def call(self, client: Any, method: str, *arguments: Any) -> str:
        target = client.get_node(self.id("Methods"))
        return outcome(lambda: target.call_method(self.id(f"Methods/{method}"), *arguments))

    def methods(self, client: Any) -> None:
        one = ua.Variant(1.0, _DOUBLE)
        for key, method, arguments in (
            ("right arguments", "SetSpeed", [one]),
            ("no arguments", "SetSpeed", []),
            ("too many arguments", "SetSpeed", [one, one]),
            ("out of range", "SetSpeed", [ua.Variant(1000.0, _DOUBLE)]),
            ("wrong type", "SetSpeed", [ua.Variant("fast", _STRING)]),
            ("unknown target", "StopAgv", [ua.Variant("agv-99", _STRING)]),
        ):
            self.answer[key] = self.call(client, method, *arguments)

    def subscriptions(self, client: Any) -> None:
        plain, banded = Kept(), Kept()
        first, second = client.create_subscription(20, plain), client.create_subscription(20, banded)
        node = client.get_node(self.id(_FACTOR))
        first.subscribe_data_change(node, queuesize=10)
        second.deadband_monitor(node, 0.5, queuesize=10)
        plain.wait("values", 1)
        banded.wait("values", 1)
        for factor in (1.2, 1.4, 1.6, 3.0, 1.0):
            self.call(client, "SetSpeed", ua.Variant(factor, _DOUBLE))
            time.sleep(0.06)  # the client samples at its publishing interval, not at every change
        plain.wait("values", 6)
        banded.wait("values", 4)
        self.answer["subscription"], self.answer["dead-band"] = plain.values, banded.values
        first.delete()
        second.delete()

    def see(self, client: Any, method: Any, event: bytes) -> str:
        alarm = client.get_node(self.id("Alarms/MachineStopped/agv-01"))
        comment = ua.Variant(ua.LocalizedText("seen"), ua.VariantType.LocalizedText)
        return outcome(lambda: alarm.call_method(method, ua.Variant(event, ua.VariantType.ByteString), comment))

    def stop(self, client: Any, *agvs: str, method: str = "StopAgv") -> None:
        for agv in agvs:
            self.call(client, method, ua.Variant(agv, _STRING))

    def filter(self, least: int) -> Any:
        def operand(name: str) -> Any:
            made = ua.SimpleAttributeOperand()
            made.TypeDefinitionId = ua.NodeId(ua.ObjectIds.BaseEventType)
            made.BrowsePath = [ua.QualifiedName(part) for part in name.split("/")]
            made.AttributeId = ua.AttributeIds.Value
            return made

        limit, element, made = ua.LiteralOperand(), ua.ContentFilterElement(), ua.EventFilter()
        limit.Value = ua.Variant(least, ua.VariantType.UInt16)
        element.FilterOperator = ua.FilterOperator.GreaterThanOrEqual
        element.FilterOperands = [operand("Severity"), limit]
        made.SelectClauses = [operand(name) for name in _FIELDS]
        made.WhereClause.Elements = [element]
        return made

    def alarms(self, client: Any) -> None:
        kept = Kept()
        subscription = client.create_subscription(50, kept)
        subscription.subscribe_events(evfilter=self.filter(600), queuesize=100)
        self.stop(client, "agv-02", "agv-01")
        kept.wait("events", 1)
        event = kept.events[0][0]
        codes = [self.see(client, _ACKNOWLEDGE, b"no such event"), self.see(client, _ACKNOWLEDGE, event)]
        codes.append(self.see(client, _ACKNOWLEDGE, event))
        self.stop(client, "agv-01", "agv-02", method="ReleaseAgv")
        kept.wait("events", 3)
        codes.append(self.see(client, _CONFIRM, event))
        kept.wait("events", 4)
        self.answer["alarm"] = codes
        self.answer["events"] = [event[1:] for event in kept.events]
        subscription.delete()

    def refresh(self, client: Any) -> None:
        self.stop(client, "agv-01", "agv-02")
        kept = Kept()
        subscription = client.create_subscription(50, kept)
        subscription.subscribe_events(evfilter=self.filter(0), queuesize=100)

        def refresh(number: int) -> str:
            kind = client.get_node(ua.NodeId(ua.ObjectIds.ConditionType))
            method = ua.NodeId(ua.ObjectIds.ConditionType_ConditionRefresh)
            return outcome(lambda: kind.call_method(method, ua.Variant(number, ua.VariantType.UInt32)))

        code = refresh(subscription.subscription_id)
        kept.wait("events", 4)  # begin, two alarms, end
        names = sorted(f"{event[1]} {event[2]}" for event in kept.events if event[1] is not None)
        self.answer["refresh"] = [code, names, refresh(subscription.subscription_id + 99)]
        self.stop(client, "agv-01", "agv-02", method="ReleaseAgv")
        subscription.delete()

    def history(self, client: Any) -> None:
        begin = self.hall.begin.replace(tzinfo=None)  # the package takes times without a zone for UTC
        end = begin + timedelta(seconds=HISTORY_S)

        def ask(name: str, details: Any, point: bytes | None = None) -> Any:
            value = ua.HistoryReadValueId()
            value.NodeId, value.ContinuationPoint = self.id(name), point
            params = ua.HistoryReadParameters()
            params.HistoryReadDetails, params.NodesToRead, params.ReleaseContinuationPoints = details, [value], False
            return client.uaclient.history_read(params)[0]

        raw = ua.ReadRawModifiedDetails()
        raw.IsReadModified, raw.StartTime, raw.EndTime, raw.NumValuesPerNode, raw.ReturnBounds = False, begin, end, 0, False
        kept, name = "Services/control/Availability", "Machines/agv-01/X"
        first = client.get_node(self.id(kept)).read_raw_history(begin, end)
        values, pages, point = [], 0, None
        while point or not pages:
            result = ask(kept, raw, point)
            values += [v.Value.Value for v in result.HistoryData.DataValues]
            pages, point = pages + 1, result.ContinuationPoint
        same = [v.Value.Value for v in first] == values[: len(first)]
        right = values == [availability(k) for k in range(HISTORY_S)]
        self.answer["history"] = [len(values), pages, right and same and 0 < len(first) < len(values)]
        self.answer["bad point"] = ask(kept, raw, b"none").StatusCode.name
        self.answer["aggregates"] = {}
        for aggregate in AGGREGATES:
            details = ua.ReadProcessedDetails()
            details.StartTime, details.EndTime, details.ProcessingInterval = begin, end, INTERVAL_S * 1000.0
            details.AggregateType = [ua.NodeId(getattr(ua.ObjectIds, f"AggregateFunction_{aggregate}"))]
            self.answer["aggregates"][aggregate] = [v.Value.Value for v in ask(kept, details).HistoryData.DataValues]
        details.AggregateType = [ua.NodeId(ua.ObjectIds.AggregateFunction_Average)]
        details.ProcessingInterval = PAIR_S * 1000.0
        means: list[float] = []
        count, point = 0, None
        while point or not count:
            result = ask(kept, details, point)
            means += [v.Value.Value for v in result.HistoryData.DataValues]
            count, point = count + 1, result.ContinuationPoint
        self.answer["aggregate pages"] = [count, means_agree(means)]
        self.answer["no history"] = outcome(lambda: client.get_node(self.id(name)).read_raw_history(begin, end))

    def restart(self) -> None:
        first = self.client("egon")
        first.connect()
        self.hall.restart()
        try:
            first.get_node(self.id(_SINR)).get_value()
            self.answer["restart"] = "the old connection went on"
            return
        except Exception:  # the package raises whatever its socket or its futures raise
            first.keepalive.stop()
            first.disconnect_socket()
        with self.client("egon") as second:
            kept = Kept()
            subscription = second.create_subscription(50, kept)
            subscription.subscribe_data_change(second.get_node(self.id(_FACTOR)), queuesize=10)
            kept.wait("values", 1)
            self.call(second, "SetSpeed", ua.Variant(1.5, _DOUBLE))
            kept.wait("values", 2)
            self.answer["restart"] = [second.get_node(self.id(_SINR)).get_value(), kept.values[-1]]
            self.call(second, "SetSpeed", ua.Variant(1.0, _DOUBLE))


def use(hall: MatrixHall, folder: Path) -> dict[str, Any]:
    """Do everything, and return what came of each point."""
    return Opcua(hall, folder).run()
