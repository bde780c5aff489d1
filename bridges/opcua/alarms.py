"""Alarms: conditions of OPC 10000-9 that become active as a view shows them, and stay until somebody has seen to them.

====================  =============================================  ======================================  ========
condition             active while                                   source                                  severity
====================  =============================================  ======================================  ========
ServiceDown           a service is down on any device                ``Services/<name>``                     900
MachineStopped        a machine is broken or in emergency stop       ``Machines/<id>``                       700
PersonClose           a machine stands for a person                  ``Machines/<id>``                       500
TrpDegraded           a transmission point is off or impaired        ``Trps/<name>``                         600
RiskHigh              a link's risk, now or at a horizon, is above   ``Links/<device>``                      300
                      ``Settings/RiskLimit``
====================  =============================================  ======================================  ========

Each is an AlarmConditionType at ``Alarms/<condition>/<source>``, made when it is first active; events are sent by the Server
object. It is retained until it is inactive, acknowledged and confirmed. Engineers and safety acknowledge, everybody refreshes. No
event tells who came close: the source is the machine. Engineers and safety also shelve alarms (:mod:`bridges.opcua.shelving`).
"""

from __future__ import annotations

import logging
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from asyncua import ua
from asyncua.common.events import Event
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes

from bridges.opcua.conditions import Condition, situations
from bridges.opcua.session import GuardedSession, MethodRule, WriteRule
from bridges.opcua.shelving import Shelving
from bridges.opcua.space import GOOD, Analog, node_id, status
from bridges.view import TwinView

if TYPE_CHECKING:
    from bridges.opcua.nodes import TwinNodes
    from bridges.opcua.security import GuardedServer

__all__ = ["Alarms"]

_log = logging.getLogger(__name__)

_RISK_LIMIT = 0.5
_KEPT_IDS = 4
_MAX_COMMENT = 256
_ACKNOWLEDGES = frozenset({"engineer", "safety"})
_EVERYBODY = frozenset({"viewer", "engineer", "safety"})
_BOOL, _TEXT, _STRING, _ID = ua.VariantType.Boolean, ua.VariantType.LocalizedText, ua.VariantType.String, ua.VariantType.NodeId
_STATES = {"ActiveState": ("Inactive", "Active"), "AckedState": ("Unacknowledged", "Acknowledged")}
_STATES["ConfirmedState"] = ("Unconfirmed", "Confirmed")


class Alarms:
    """Makes conditions of views, and takes what operators say of them.

    Parameters
    ----------
    server : whose sessions may acknowledge.
    nodes : address space they are made in.
    """

    def __init__(self, server: GuardedServer, nodes: TwinNodes) -> None:
        self._server, self._nodes, self._space = server, nodes, nodes.space
        self._conditions: dict[ua.NodeId, Condition] = {}
        self._limit = node_id("Settings/RiskLimit", nodes.index)
        self._folder = node_id("Alarms", nodes.index)
        self._shelving = Shelving(server, nodes.space, self._conditions, self._tell)

    async def make(self) -> None:
        """Make the folders and the limit, and let sessions acknowledge, confirm and refresh."""
        index = self._nodes.index
        for name in ("Alarms", "Settings"):
            qualified = ua.QualifiedName(name, index)
            await self._space.object(self._nodes.root, node_id(name, index), qualified, ObjectIds.FolderType, ObjectIds.Organizes)
        await self._space.variable(
            node_id("Settings", index),
            self._limit,
            ua.QualifiedName("RiskLimit", index),
            ua.VariantType.Double,
            _RISK_LIMIT,
            "Risk of a link above which it is high",
            Analog("C62", "1", "one", 0.0, 1.0),
            writable=True,
        )
        self._server.writable[self._limit] = WriteRule("RiskLimit", _ACKNOWLEDGES, _accept_share)
        self._space.allow_events(node_id(ObjectIds.Server))
        methods = (
            (ObjectIds.AcknowledgeableConditionType_Acknowledge, "Acknowledge", self._acknowledge, _ACKNOWLEDGES, True),
            (ObjectIds.AcknowledgeableConditionType_Confirm, "Confirm", self._confirm, _ACKNOWLEDGES, True),
            (ObjectIds.ConditionType_ConditionRefresh, "ConditionRefresh", self._refresh, _EVERYBODY, False),
            (ObjectIds.ConditionType_ConditionRefresh2, "ConditionRefresh2", self._refresh, _EVERYBODY, False),
        )
        for number, name, call, roles, audited in methods:
            self._server.methods[node_id(number)] = MethodRule(name, roles, call, audited)
        self._shelving.allow(_ACKNOWLEDGES)

    async def write(self, view: TwinView, stamp: datetime) -> None:
        """Let conditions become active and inactive as a view shows them."""
        limit = float(self._space.value(self._limit))
        gone = {c.node for c in self._conditions.values() if c.active}
        for found in situations(view, limit, self._is_active):
            gone.discard(self._node(found.name, found.key))
            await self._set(found.name, found.folder, found.key, found.severity, found.active, found.message, stamp)
        for node in gone:  # its source left the hall
            await self._turn(self._conditions[node], False, stamp)
        await self._shelving.expire(stamp)

    def _is_active(self, name: str, key: str) -> bool:
        known = self._conditions.get(self._node(name, key))
        return known is not None and known.active

    def _node(self, name: str, key: str) -> ua.NodeId:
        return node_id(f"Alarms/{name}/{key}", self._nodes.index)

    async def _set(self, name: str, folder: str, key: str, severity: int, active: bool, text: str, stamp: datetime) -> None:
        node = self._node(name, key)
        condition = self._conditions.get(node)
        if condition is None:
            if not active:
                return
            source = node_id(f"{folder}/{key}", self._nodes.index)
            condition = self._conditions[node] = Condition(node, name, source, key, severity)
            await self._make_node(condition)
        if condition.active != active:
            if active:
                condition.message = text
            await self._turn(condition, active, stamp)

    async def _turn(self, condition: Condition, active: bool, stamp: datetime) -> None:
        condition.active = active
        if active:
            condition.acked = condition.confirmed = False
            condition.comment = condition.user = ""
        else:
            self._shelving.cleared(condition)
        await self._tell(condition, stamp)

    async def _make_node(self, condition: Condition) -> None:
        name = ua.QualifiedName(f"{condition.name} {condition.source_name}", self._nodes.index)
        node = await self._space.object(self._folder, condition.node, name, ObjectIds.AlarmConditionType)
        for state in _STATES:
            variable = await self._space.variable(
                node,
                node_id(f"{node.Identifier!s}/{state}", node.NamespaceIndex),
                ua.QualifiedName(state, 0),
                _TEXT,
                type_id=ObjectIds.TwoStateVariableType,
            )
            await self._space.property(variable, "Id", _BOOL, False)
        await self._space.property(node, "Retain", _BOOL, True)
        await self._space.property(node, "Severity", ua.VariantType.UInt16, condition.severity)
        await self._shelving.make(condition)

    async def _tell(self, condition: Condition, stamp: datetime) -> None:
        """Write a condition's state into its nodes, and send an event."""
        values = {"ActiveState": condition.active, "AckedState": condition.acked, "ConfirmedState": condition.confirmed}
        base, index = condition.node.Identifier, condition.node.NamespaceIndex
        for state, value in values.items():
            text = ua.LocalizedText(_STATES[state][value])
            await self._space.put(node_id(f"{base!s}/{state}", index), _TEXT, text, GOOD, stamp)
            await self._space.put(node_id(f"{base!s}/{state}/Id", index), _BOOL, value, GOOD, stamp)
        await self._space.put(node_id(f"{base!s}/Retain", index), _BOOL, condition.retain, GOOD, stamp)
        await self._shelving.show(condition, stamp)
        event = _event(ObjectIds.AlarmConditionType, condition.source, condition.source_name, condition.severity, stamp)
        event.add_property("Message", ua.LocalizedText(condition.message), _TEXT)
        event.add_property("NodeId", condition.node, _ID)  # the ConditionId (OPC 10000-9 clause 5.5.2)
        event.add_property("ConditionClassId", node_id(ObjectIds.ProcessConditionClassType), _ID)
        event.add_property("ConditionClassName", ua.LocalizedText("ProcessConditionClass"), _TEXT)
        event.add_property("ConditionName", condition.name, _STRING)
        event.add_property("BranchId", ua.NodeId(), _ID)
        event.add_property("Retain", condition.retain, _BOOL)
        event.add_property("EnabledState", ua.LocalizedText("Enabled"), _TEXT)
        event.add_property("EnabledState/Id", True, _BOOL)
        event.add_property("Quality", GOOD, ua.VariantType.StatusCode)
        event.add_property("LastSeverity", condition.severity, ua.VariantType.UInt16)
        event.add_property("Comment", ua.LocalizedText(condition.comment), _TEXT)
        event.add_property("ClientUserId", condition.user, _STRING)
        event.add_property("InputNode", condition.source, _ID)
        self._shelving.say(condition, event)
        for state, value in values.items():
            event.add_property(state, ua.LocalizedText(_STATES[state][value]), _TEXT)
            event.add_property(f"{state}/Id", value, _BOOL)
        condition.event = event
        condition.ids = [*condition.ids, event.EventId][-_KEPT_IDS:]  # type: ignore[attr-defined]
        for subscription in tuple(self._server.subscription_service.subscriptions.values()):
            await subscription.monitored_item_srv.trigger_event(event)

    async def _acknowledge(self, session: GuardedSession, node: ua.NodeId, given: list[Any]) -> tuple[ua.CallMethodResult, str]:
        condition, code, comment = self._of(node, given)
        if condition is None:
            return _result(code)
        if condition.acked:
            return _result(StatusCodes.BadConditionBranchAlreadyAcked)
        condition.acked, condition.comment, condition.user = True, comment, str(session.user.name)
        await self._tell(condition, datetime.now(UTC))
        return _result(StatusCodes.Good, f"{condition.name} {condition.source_name}")

    async def _confirm(self, session: GuardedSession, node: ua.NodeId, given: list[Any]) -> tuple[ua.CallMethodResult, str]:
        condition, code, comment = self._of(node, given)
        if condition is None:
            return _result(code)
        if condition.confirmed or not condition.acked:  # what nobody has seen cannot have been dealt with
            already = StatusCodes.BadConditionBranchAlreadyConfirmed
            return _result(already if condition.confirmed else StatusCodes.BadInvalidState)
        condition.confirmed, condition.comment, condition.user = True, comment, str(session.user.name)
        await self._tell(condition, datetime.now(UTC))
        return _result(StatusCodes.Good, f"{condition.name} {condition.source_name}")

    def _of(self, node: ua.NodeId, given: list[Any]) -> tuple[Condition | None, int, str]:
        """Return the condition that a call is about and the comment, or a status code."""
        if len(given) != 2:
            few = len(given) < 2
            return None, StatusCodes.BadArgumentsMissing if few else StatusCodes.BadTooManyArguments, ""
        condition = self._conditions.get(node)
        if condition is None:
            return None, StatusCodes.BadNodeIdUnknown, ""
        event_id, comment = given[0].Value, given[1].Value
        if not isinstance(event_id, bytes) or event_id not in condition.ids:
            return None, StatusCodes.BadEventIdUnknown, ""
        return condition, StatusCodes.Good, str(getattr(comment, "Text", None) or "")[:_MAX_COMMENT]

    async def _refresh(self, session: GuardedSession, node: ua.NodeId, given: list[Any]) -> tuple[ua.CallMethodResult, str]:
        numbers = [g.Value for g in given]
        if not 1 <= len(numbers) <= 2:
            return _result(StatusCodes.BadArgumentsMissing if not numbers else StatusCodes.BadTooManyArguments)
        subscription = self._server.subscription_service.subscriptions.get(numbers[0])
        if subscription is None or subscription.session_id != session.session_id:
            return _result(StatusCodes.BadSubscriptionIdInvalid)
        items = subscription.monitored_item_srv
        only = numbers[1] if len(numbers) == 2 else None
        if only is not None and only not in items._monitored_items:
            return _result(StatusCodes.BadMonitoredItemIdInvalid)
        now, server = datetime.now(UTC), node_id(ObjectIds.Server)
        begin = _event(ObjectIds.RefreshStartEventType, server, "Server", 100, now)
        end = _event(ObjectIds.RefreshEndEventType, server, "Server", 100, now)
        retained = [c.event for c in self._conditions.values() if c.retain and c.event is not None]
        for event in (begin, *retained, end):
            await items.trigger_event(event, only)
        return _result(StatusCodes.Good)


def _event(kind: int, source: ua.NodeId, name: str, severity: int, stamp: datetime) -> Event:
    event = Event(ObjectIds.Server)
    event.add_property("EventId", uuid.uuid4().bytes, ua.VariantType.ByteString)
    event.add_property("EventType", node_id(kind), _ID)
    event.add_property("SourceNode", source, _ID)
    event.add_property("SourceName", name, _STRING)
    event.add_property("Time", stamp, ua.VariantType.DateTime)
    event.add_property("ReceiveTime", datetime.now(UTC), ua.VariantType.DateTime)
    event.add_property("Message", ua.LocalizedText(""), _TEXT)
    event.add_property("Severity", severity, ua.VariantType.UInt16)
    return event


def _result(code: int, text: str = "") -> tuple[ua.CallMethodResult, str]:
    result = ua.CallMethodResult()
    result.StatusCode = status(code)
    return result, text


def _accept_share(data: ua.DataValue) -> ua.StatusCode:
    """Accept a number from above 0 to 1."""
    variant = data.Value
    if variant is None or variant.VariantType != ua.VariantType.Double or variant.is_array:
        return status(StatusCodes.BadTypeMismatch)
    return status(StatusCodes.Good if 0.0 < variant.Value <= 1.0 else StatusCodes.BadOutOfRange)
