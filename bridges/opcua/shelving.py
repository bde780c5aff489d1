"""Shelving of alarms: OneShotShelve, TimedShelve and Unshelve (OPC 10000-9 clause 5.8.17, ShelvedStateMachineType).

A shelved alarm goes on as before, and its events say ``SuppressedOrShelved``, by which clients leave it out of their lists.
TimedShelve ends after the time that was given, OneShotShelve when the alarm becomes inactive; both after eight hours at the
latest, so that nothing is forgotten.
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from asyncua import ua
from asyncua.common.events import Event
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes

from bridges.opcua.conditions import Condition
from bridges.opcua.session import GuardedSession, MethodRule
from bridges.opcua.space import GOOD, Space, node_id, status

if TYPE_CHECKING:
    from bridges.opcua.security import GuardedServer

__all__ = ["MAX_SHELVED_S", "Shelving"]

MAX_SHELVED_S = 8 * 3600.0
"""Longest time that an alarm stays shelved [s]: a shift (assumed)."""

_STATES = {
    "Unshelved": ObjectIds.ShelvedStateMachineType_Unshelved,
    "TimedShelved": ObjectIds.ShelvedStateMachineType_TimedShelved,
    "OneShotShelved": ObjectIds.ShelvedStateMachineType_OneShotShelved,
}
_METHODS = {
    "OneShotShelved": (ObjectIds.ShelvedStateMachineType_OneShotShelve, "OneShotShelve"),
    "TimedShelved": (ObjectIds.ShelvedStateMachineType_TimedShelve, "TimedShelve"),
    "Unshelved": (ObjectIds.ShelvedStateMachineType_Unshelve, "Unshelve"),
}
_TEXT, _ID, _DOUBLE = ua.VariantType.LocalizedText, ua.VariantType.NodeId, ua.VariantType.Double


class Shelving:
    """The shelving states of all alarms.

    Parameters
    ----------
    server : whose sessions may shelve. space : where the nodes are made.
    conditions : conditions by their nodes.
    tell : says what has become of a condition, as an event.
    """

    def __init__(
        self,
        server: GuardedServer,
        space: Space,
        conditions: dict[ua.NodeId, Condition],
        tell: Callable[[Condition, datetime], Awaitable[None]],
    ) -> None:
        self._server, self._space, self._conditions, self._tell = server, space, conditions, tell
        self._of_machine: dict[ua.NodeId, Condition] = {}

    def allow(self, roles: frozenset[str]) -> None:
        """Let sessions of some roles shelve."""
        for state, (number, name) in _METHODS.items():
            self._server.methods[node_id(number)] = MethodRule(name, roles, self._caller(state))

    async def make(self, condition: Condition) -> None:
        """Make the state machine of a condition."""
        base, index, space = str(condition.node.Identifier), condition.node.NamespaceIndex, self._space
        machine = await space.object(
            condition.node,
            node_id(f"{base}/ShelvingState", index),
            ua.QualifiedName("ShelvingState", 0),
            ObjectIds.ShelvedStateMachineType,
        )
        self._of_machine[machine] = condition
        current = await space.variable(
            machine,
            node_id(f"{base}/ShelvingState/CurrentState", index),
            ua.QualifiedName("CurrentState", 0),
            _TEXT,
            ua.LocalizedText(condition.shelved),
            type_id=ObjectIds.FiniteStateVariableType,
        )
        await space.property(current, "Id", _ID, node_id(_STATES[condition.shelved]))
        duration = node_id(ObjectIds.Duration)
        await space.property(machine, "UnshelveTime", _DOUBLE, 0.0, duration)
        await space.property(condition.node, "MaxTimeShelved", _DOUBLE, 1000.0 * MAX_SHELVED_S, duration)
        for number, _ in _METHODS.values():
            await space.reference(machine, ObjectIds.HasComponent, node_id(number), ua.NodeClass.Method, both=False)

    async def show(self, condition: Condition, stamp: datetime) -> None:
        """Write a condition's shelving state into its nodes."""
        base, index = f"{condition.node.Identifier!s}/ShelvingState", condition.node.NamespaceIndex
        await self._space.put(node_id(f"{base}/CurrentState", index), _TEXT, ua.LocalizedText(condition.shelved), GOOD, stamp)
        state = node_id(_STATES[condition.shelved])
        await self._space.put(node_id(f"{base}/CurrentState/Id", index), _ID, state, GOOD, stamp)
        await self._show_left(condition, stamp)

    async def _show_left(self, condition: Condition, stamp: datetime) -> None:
        node = node_id(f"{condition.node.Identifier!s}/ShelvingState/UnshelveTime", condition.node.NamespaceIndex)
        await self._space.put(node, _DOUBLE, _left_ms(condition), GOOD, stamp)

    def say(self, condition: Condition, event: Event) -> None:
        """Put a condition's shelving state into an event."""
        shelved = condition.shelved != "Unshelved"
        event.add_property("SuppressedOrShelved", shelved, ua.VariantType.Boolean)
        event.add_property("ShelvingState/CurrentState", ua.LocalizedText(condition.shelved), _TEXT)
        event.add_property("ShelvingState/CurrentState/Id", node_id(_STATES[condition.shelved]), _ID)
        event.add_property("ShelvingState/UnshelveTime", _left_ms(condition), _DOUBLE)
        event.add_property("MaxTimeShelved", 1000.0 * MAX_SHELVED_S, _DOUBLE)

    def cleared(self, condition: Condition) -> None:
        """Take a OneShotShelved alarm that became inactive from the shelf."""
        if condition.shelved == "OneShotShelved":
            condition.shelved = "Unshelved"

    async def expire(self, stamp: datetime) -> None:
        """Take from the shelf what has been there long enough, and show how long the others will be."""
        now = time.monotonic()
        for condition in self._conditions.values():
            if condition.shelved == "Unshelved":
                continue
            if now >= condition.until_s:
                condition.shelved = "Unshelved"
                await self._tell(condition, stamp)
            else:
                await self._show_left(condition, stamp)

    def _caller(self, state: str) -> Callable[..., Awaitable[tuple[ua.CallMethodResult, str]]]:
        async def call(session: GuardedSession, node: ua.NodeId, given: list[Any]) -> tuple[ua.CallMethodResult, str]:
            condition = self._conditions.get(node) or self._of_machine.get(node)
            result = ua.CallMethodResult()
            result.StatusCode = status(self._judge(condition, state, given))
            if not result.StatusCode.is_good() or condition is None:
                return result, ""
            condition.shelved = state
            seconds = float(given[0].Value) / 1000.0 if state == "TimedShelved" else MAX_SHELVED_S
            condition.until_s = time.monotonic() + seconds
            condition.user = str(session.user.name)
            await self._tell(condition, datetime.now(UTC))
            return result, f"{condition.name} {condition.source_name}"

        return call

    def _judge(self, condition: Condition | None, state: str, given: list[Any]) -> int:
        """Return Good, or the status code that refuses a call."""
        wanted = 1 if state == "TimedShelved" else 0
        if condition is None:
            return StatusCodes.BadNodeIdUnknown
        if len(given) != wanted:
            return StatusCodes.BadArgumentsMissing if len(given) < wanted else StatusCodes.BadTooManyArguments
        if condition.shelved == state:
            shelved = state != "Unshelved"
            return StatusCodes.BadConditionAlreadyShelved if shelved else StatusCodes.BadConditionNotShelved
        if wanted:
            value = given[0].Value if isinstance(given[0], ua.Variant) and not given[0].is_array else None
            if isinstance(value, bool) or not isinstance(value, int | float):
                return StatusCodes.BadInvalidArgument
            if not math.isfinite(value) or not 0.0 < value <= 1000.0 * MAX_SHELVED_S:
                return StatusCodes.BadShelvingTimeOutOfRange
        return StatusCodes.Good


def _left_ms(condition: Condition) -> float:
    return 0.0 if condition.shelved == "Unshelved" else max(0.0, 1000.0 * (condition.until_s - time.monotonic()))
