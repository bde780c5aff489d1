"""Methods by which engineers steer the twin: ``FactoryTwin/Methods``.

A call becomes a command in the twin's inbox and is answered when a tick has carried it out. What came of anyone's last command is
also told in words, in ``Methods/LastAnswer``: a bad status has no room for a text, unless the client asks for diagnostics.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from asyncua import ua
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes

from bridges.inbox import Answer, Command, Inbox, Value
from bridges.opcua.session import GuardedSession, MethodRule
from bridges.opcua.space import GOOD, node_id, status

if TYPE_CHECKING:
    from bridges.opcua.nodes import TwinNodes
    from bridges.opcua.security import GuardedServer

__all__ = ["Methods"]

_TIMEOUT_S = 5.0
_STEERS = frozenset({"engineer", "safety"})
_MAX_NAME = 64
_DOUBLE, _STRING = ua.VariantType.Double, ua.VariantType.String
_NUMBERS = frozenset(
    (
        *(ua.VariantType.Double, ua.VariantType.Float, ua.VariantType.Byte, ua.VariantType.SByte, ua.VariantType.Int16),
        *(ua.VariantType.UInt16, ua.VariantType.Int32, ua.VariantType.UInt32, ua.VariantType.Int64, ua.VariantType.UInt64),
    )
)


@dataclass(frozen=True, slots=True)
class _Argument:
    """One argument: what it is, and the range of a number."""

    name: str
    kind: ua.VariantType
    text: str
    low: float = -math.inf
    high: float = math.inf


@dataclass(frozen=True, slots=True)
class _Method:
    """One method and the command it becomes; the argument called ``target`` is the command's target."""

    name: str
    command: str
    text: str
    arguments: tuple[_Argument, ...] = ()


_AGV = (_Argument("target", _STRING, "Id of the AGV, for example agv-07"),)
_METHODS = (
    _Method("Pause", "pause", "Stop the twin's time; the hall is still shown."),
    _Method("Resume", "resume", "Let the twin's time go on."),
    _Method(
        "SetSpeed",
        "set_speed",
        "Set how fast the twin's time runs.",
        (_Argument("factor", _DOUBLE, "Twin time over wall time, 0.1 to 20", 0.1, 20.0),),
    ),
    _Method(
        "SetPolicy",
        "set_policy",
        "Let the network go on under another policy.",
        (_Argument("policy", _STRING, "Name of the policy, for example reactive or human_aware"),),
    ),
    _Method("StopAgv", "stop_agv", "Pause an AGV (VDA 5050 startPause).", _AGV),
    _Method("ReleaseAgv", "release_agv", "Let a paused AGV go on (VDA 5050 stopPause).", _AGV),
)


def _refusal(code: int, text: str, results: list[ua.StatusCode] | None = None) -> tuple[ua.CallMethodResult, str]:
    result = ua.CallMethodResult()
    result.StatusCode = status(code)
    result.InputArgumentResults = results or []
    result.InputArgumentDiagnosticInfos = [
        ua.DiagnosticInfo(AdditionalInfo=ua.String("" if r.is_good() else text)) for r in results or []
    ]
    return result, text


def _judge(argument: _Argument, given: Any) -> tuple[Value | None, int, str]:
    """Return the value of an argument, or the status code and the text that refuse it."""
    kind = given.VariantType if isinstance(given, ua.Variant) else None
    value = given.Value if isinstance(given, ua.Variant) else None
    wanted = "a number" if argument.kind is _DOUBLE else "a string"
    fits = kind in _NUMBERS if argument.kind is _DOUBLE else kind is _STRING
    if not fits or given.is_array or value is None:
        return None, StatusCodes.BadTypeMismatch, f"{argument.name} should be {wanted}: {argument.text}"
    if argument.kind is _DOUBLE:
        if not argument.low <= float(value) <= argument.high:
            return None, StatusCodes.BadOutOfRange, f"{argument.name} is {value!r}, should be {argument.text}"
        return float(value), StatusCodes.Good, ""
    if not 0 < len(value) <= _MAX_NAME or not value.isprintable():
        return None, StatusCodes.BadOutOfRange, f"{argument.name} should have 1 to {_MAX_NAME} printable characters"
    return str(value), StatusCodes.Good, ""


class Methods:
    """Makes the methods and carries their calls to the twin.

    Parameters
    ----------
    server : whose sessions may call them.
    nodes : address space they are made in.
    inbox : where commands go.
    timeout_s : how long a call waits for the tick.
    """

    def __init__(self, server: GuardedServer, nodes: TwinNodes, inbox: Inbox, timeout_s: float = _TIMEOUT_S) -> None:
        self._server = server
        self._nodes = nodes
        self._inbox = inbox
        self._timeout_s = timeout_s
        self._last = node_id("Methods/LastAnswer", nodes.index)

    async def make(self) -> None:
        """Make the nodes, and let the server's sessions call them."""
        space, index = self._nodes.space, self._nodes.index
        folder = await space.object(
            self._nodes.root,
            node_id("Methods", index),
            ua.QualifiedName("Methods", index),
            ObjectIds.BaseObjectType,
            text="Steer the twin",
        )
        name = ua.QualifiedName("LastAnswer", index)
        await space.variable(folder, self._last, name, _STRING, "", "What came of the last command, in words")
        for method in _METHODS:
            node = await space.method(folder, node_id(f"Methods/{method.name}", index), method.name, method.text)
            if method.arguments:
                await space.arguments(node, "InputArguments", [_described(a) for a in method.arguments])
            answer = _Argument("Message", _STRING, "What was done")
            await space.arguments(node, "OutputArguments", [_described(answer)])
            self._server.methods[node] = MethodRule(method.name, _STEERS, self._caller(method))

    def _caller(self, method: _Method) -> Callable[..., Any]:
        async def call(session: GuardedSession, object_id: ua.NodeId, given: list[Any]) -> tuple[ua.CallMethodResult, str]:
            result, text = await self._call(method, session, given)
            told = f"{method.name}: {text}"
            await self._nodes.space.put(self._last, _STRING, told, GOOD, datetime.now(UTC))
            return result, text

        return call

    async def _call(self, method: _Method, session: GuardedSession, given: list[Any]) -> tuple[ua.CallMethodResult, str]:
        if len(given) != len(method.arguments):
            many = len(given) > len(method.arguments)
            code = StatusCodes.BadTooManyArguments if many else StatusCodes.BadArgumentsMissing
            wanted = ", ".join(a.name for a in method.arguments) or "none"
            return _refusal(code, f"{len(given)} arguments were given, should be: {wanted}")
        judged = [_judge(argument, value) for argument, value in zip(method.arguments, given, strict=True)]
        codes = [code for _, code, _ in judged]
        if any(code != StatusCodes.Good for code in codes):
            # a number outside of its range is told as such, everything else as an invalid argument (OPC 10000-4 table 63)
            first = next(code for code in codes if code != StatusCodes.Good)
            overall = first if first == StatusCodes.BadOutOfRange else StatusCodes.BadInvalidArgument
            return _refusal(overall, "; ".join(t for _, _, t in judged if t), [status(code) for code in codes])
        values = {a.name: v for a, (v, _, _) in zip(method.arguments, judged, strict=True) if v is not None}
        return await self._ask(method, str(values.pop("target", "")), tuple(values.items()), session)

    async def _ask(
        self, method: _Method, target: str, arguments: tuple[tuple[str, Value], ...], session: GuardedSession
    ) -> tuple[ua.CallMethodResult, str]:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Answer] = loop.create_future()

        def deliver(answer: Answer) -> None:
            if not answered.done():
                answered.set_result(answer)

        def reply(answer: Answer) -> None:
            try:
                loop.call_soon_threadsafe(deliver, answer)
            except RuntimeError:
                pass  # the server was stopped meanwhile: nobody waits

        user = f"opcua:{session.user.name}"
        if not self._inbox.put(Command(user, method.command, target, arguments, reply)):
            return _refusal(StatusCodes.BadTooManyOperations, "the twin has too many commands waiting; try again")
        try:
            answer = await asyncio.wait_for(answered, self._timeout_s)
        except TimeoutError:
            text = f"the twin did not answer within {self._timeout_s:g} s; the command may still be carried out"
            return _refusal(StatusCodes.BadTimeout, text)
        if not answer.done:
            bad = status(StatusCodes.BadOutOfRange)
            # the twin refuses what it does not have: an AGV, a policy; without arguments it is its state that does not allow it
            if method.arguments:
                return _refusal(StatusCodes.BadOutOfRange, answer.message, [bad] * len(method.arguments))
            return _refusal(StatusCodes.BadInvalidState, answer.message)
        result = ua.CallMethodResult()
        result.InputArgumentResults = [GOOD] * len(method.arguments)
        result.OutputArguments = [ua.Variant(answer.message, _STRING)]
        return result, answer.message


def _described(argument: _Argument) -> ua.Argument:
    return ua.Argument(
        Name=ua.String(argument.name),
        DataType=node_id(argument.kind.value),
        ValueRank=ua.Int32(ua.ValueRank.Scalar),
        Description=ua.LocalizedText(argument.text),
    )
