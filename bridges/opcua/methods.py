"""Methods by which engineers steer the twin: ``FactoryTwin/Methods``.

A call becomes a command in the twin's inbox and is answered when a tick has carried it out. What came of anyone's last command is
also told in words, in ``Methods/LastAnswer``: a bad status has no room for a text, unless the client asks for diagnostics.

A what-if is a job: ``StartWhatIf`` answers with its number at once, and ``ReadWhatIf`` tells how far it is. The commands are
``start_whatif`` with the payload ``changes`` (texts ``KEY=VALUE``), ``seconds`` and ``seeds``, and ``read_whatif`` with ``job``;
the answer is the job as JSON, with its number as ``job`` and its ``progress`` from 0 to 1.
"""

from __future__ import annotations

import asyncio
import json
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
from bridges.what_if_limits import CHANGE_CHARS, CHANGES_MOST, SECONDS, SEEDS, TOTAL_S

if TYPE_CHECKING:
    from bridges.opcua.nodes import TwinNodes
    from bridges.opcua.security import GuardedServer

__all__ = ["Methods"]

_TIMEOUT_S = 5.0
_STEERS = frozenset({"engineer", "safety"})
_MAX_NAME = 64
_MAX_TOLD = 512  # of an answer in the audit log and in LastAnswer
_DOUBLE, _STRING, _COUNT = ua.VariantType.Double, ua.VariantType.String, ua.VariantType.UInt32
_NUMBERS = frozenset(
    (
        *(ua.VariantType.Double, ua.VariantType.Float, ua.VariantType.Byte, ua.VariantType.SByte, ua.VariantType.Int16),
        *(ua.VariantType.UInt16, ua.VariantType.Int32, ua.VariantType.UInt32, ua.VariantType.Int64, ua.VariantType.UInt64),
    )
)


@dataclass(frozen=True, slots=True)
class _Argument:
    """One argument: what it is, the range of a number, and how long a text may be."""

    name: str
    kind: ua.VariantType
    text: str
    low: float = -math.inf
    high: float = math.inf
    array: bool = False
    longest: int = _MAX_NAME


@dataclass(frozen=True, slots=True)
class _Method:
    """One method and the command it becomes; the argument called ``target`` is the command's target.

    A job's arguments go as the command's payload, and its answer is the job as JSON text, of which ``outputs`` are told apart.
    """

    name: str
    command: str
    text: str
    arguments: tuple[_Argument, ...] = ()
    outputs: tuple[_Argument, ...] = (_Argument("Message", ua.VariantType.String, "What was done"),)
    job: bool = False


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
    _Method(
        "StartWhatIf",
        "start_whatif",
        "Run the twin ahead with some changes and without them, in processes of their own; ReadWhatIf tells what came of it.",
        (
            _Argument(
                "changes", _STRING, "Changes KEY=VALUE, for example radio.policy=reactive", array=True, longest=CHANGE_CHARS
            ),
            _Argument("seconds", _DOUBLE, f"Twin time that each run takes, {SECONDS[0]:g} to {SECONDS[1]:g} s", *SECONDS),
            _Argument("seeds", _COUNT, f"Pairs of runs, {SEEDS[0]} to {SEEDS[1]}, {TOTAL_S:g} s in all runs together", *SEEDS),
        ),
        (_Argument("Job", _STRING, "Number of the job, for ReadWhatIf"), _Argument("Message", _STRING, "The job as JSON")),
        job=True,
    ),
    _Method(
        "ReadWhatIf",
        "read_whatif",
        "Tell how far a what-if is, and its result once it is done.",
        (_Argument("job", _STRING, "Number of the job, as StartWhatIf gave it"),),
        (
            _Argument("Result", _STRING, "The job as JSON: its state, and the comparison once it is done"),
            _Argument("Progress", _DOUBLE, "Share of the work that is done, 0 to 1; NaN where it is not known"),
        ),
        job=True,
    ),
)


def _refusal(code: int, text: str, results: list[ua.StatusCode] | None = None) -> tuple[ua.CallMethodResult, str]:
    result = ua.CallMethodResult()
    result.StatusCode = status(code)
    result.InputArgumentResults = results or []
    result.InputArgumentDiagnosticInfos = [
        ua.DiagnosticInfo(AdditionalInfo=ua.String("" if r.is_good() else text)) for r in results or []
    ]
    return result, text


def _judge(argument: _Argument, given: Any) -> tuple[Value | list[str] | None, int, str]:
    """Return the value of an argument, or the status code and the text that refuse it."""
    kind = given.VariantType if isinstance(given, ua.Variant) else None
    value = given.Value if isinstance(given, ua.Variant) else None
    wanted = "a number" if argument.kind is not _STRING else "an array of strings" if argument.array else "a string"
    fits = kind in _NUMBERS if argument.kind is not _STRING else kind is _STRING
    if not fits or given.is_array != argument.array or value is None:
        return None, StatusCodes.BadTypeMismatch, f"{argument.name} should be {wanted}: {argument.text}"
    if argument.kind is not _STRING:
        whole = argument.kind is _DOUBLE or float(value).is_integer()
        if not whole or not argument.low <= float(value) <= argument.high:
            return None, StatusCodes.BadOutOfRange, f"{argument.name} is {value!r}, should be {argument.text}"
        return (float(value) if argument.kind is _DOUBLE else int(value)), StatusCodes.Good, ""
    texts = list(value) if argument.array else [value]
    good = all(isinstance(t, str) and 0 < len(t) <= argument.longest and t.isprintable() for t in texts)
    if not good or not 0 < len(texts) <= CHANGES_MOST:
        each = f"1 to {CHANGES_MOST} texts, each of " if argument.array else ""
        return None, StatusCodes.BadOutOfRange, f"{argument.name} should have {each}1 to {argument.longest} printable characters"
    return (texts if argument.array else str(value)), StatusCodes.Good, ""


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
            await space.arguments(node, "OutputArguments", [_described(a) for a in method.outputs])
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
        if method.job:
            return await self._ask(method, "", (), values, session)
        target = str(values.pop("target", ""))
        plain = tuple((name, value) for name, value in values.items() if not isinstance(value, list))
        return await self._ask(method, target, plain, None, session)

    async def _ask(
        self,
        method: _Method,
        target: str,
        arguments: tuple[tuple[str, Value], ...],
        payload: dict[str, Any] | None,
        session: GuardedSession,
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
        if not self._inbox.put(Command(user, method.command, target, arguments, reply, payload)):
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
        result.OutputArguments = _outputs(method, answer.message)
        return result, answer.message[:_MAX_TOLD]


def _outputs(method: _Method, message: str) -> list[ua.Variant]:
    """Return what a method gives back for an answer: of a job, what its JSON text says."""
    if not method.job:
        return [ua.Variant(message, _STRING)]
    try:
        read = json.loads(message)
    except ValueError:
        read = None
    job = read if isinstance(read, dict) else {}
    if method.command == "start_whatif":
        number = job.get("job", "")
        return [ua.Variant(str(number), _STRING), ua.Variant(message, _STRING)]
    progress = job.get("progress")
    known = isinstance(progress, int | float) and not isinstance(progress, bool)
    return [ua.Variant(message, _STRING), ua.Variant(float(progress) if known else math.nan, _DOUBLE)]  # type: ignore[arg-type]


def _described(argument: _Argument) -> ua.Argument:
    return ua.Argument(
        Name=ua.String(argument.name),
        DataType=node_id(argument.kind.value),
        ValueRank=ua.Int32(ua.ValueRank.OneDimension if argument.array else ua.ValueRank.Scalar),
        Description=ua.LocalizedText(argument.text),
    )
