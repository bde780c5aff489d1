"""Who may see what: what concerns people is for the role safety alone, advice for those who may act; browsing goes page by page.

Everything below ``FactoryTwin/People`` does not exist for other roles than safety, nor ``FactoryTwin/Advice`` for viewers: no
browse shows it, no path leads to it, it can be neither read, subscribed to, nor asked for its past (OPC 10000-3 clause 8.55:
without the permission Browse a node is unknown). A session that changes its user and thereby loses the right loses its
subscriptions there, and whatever was waiting in them. The audit log is told, once a session, who of the role safety looked at
people.

asyncua answers every Browse in full and knows no BrowseNext. Here the client's ``requestedMaxReferencesPerNode`` counts, and the
rest is kept behind a continuation point (OPC 10000-4 clauses 5.8.2 and 5.8.3).
"""

from __future__ import annotations

import dataclasses
import logging
import secrets
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.ua.status_codes import StatusCodes

from bridges.opcua.security import GuardedServer
from bridges.opcua.session import GuardedSession
from bridges.opcua.space import status

__all__ = ["ADVICE", "PEOPLE", "RightsServer", "RightsSession", "concerns_advice", "concerns_people"]

_log = logging.getLogger(__name__)

PEOPLE = "People"
"""Identifier of the folder that only the role safety sees."""

ADVICE = "Advice"
"""Identifier of the folder that viewers do not see."""

_SEES_PEOPLE = "safety"
_SEE_ADVICE = ("engineer", "safety")
_MAX_REFERENCES = 1000  # of one node in one answer, whatever the client asks for
_MAX_POINTS = 50  # continuation points of a session; the oldest gives way
_MAX_BROWSED = 2000  # nodes of one request
_UNKNOWN = StatusCodes.BadNodeIdUnknown


def concerns_people(node: ua.NodeId | None) -> bool:
    """Tell whether a node shows where people are."""
    return _is_below(node, PEOPLE)


def concerns_advice(node: ua.NodeId | None) -> bool:
    """Tell whether a node shows advice."""
    return _is_below(node, ADVICE)


def _is_below(node: ua.NodeId | None, folder: str) -> bool:
    name = node.Identifier if node is not None and node.NamespaceIndex else None
    return isinstance(name, str) and (name == folder or name.startswith(f"{folder}/"))


def _sees(role: str, node: ua.NodeId | None) -> bool:
    if concerns_people(node):
        return role == _SEES_PEOPLE
    return role in _SEE_ADVICE or not concerns_advice(node)


class RightsSession(GuardedSession):
    """A session to which nodes exist as far as its role may see them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._rest: OrderedDict[bytes, tuple[list[ua.ReferenceDescription], int]] = OrderedDict()
        self._noted = ""

    def may_see(self, node: ua.NodeId | None) -> bool:
        """Tell whether a node exists for the user of this session; the server's own sessions see all."""
        return not self.external or _sees(self.role, node)

    def activate_session(self, params: ua.ActivateSessionParameters, peer_certificate: bytes | None) -> ua.ActivateSessionResult:
        """Let a user in, or another one; who may no longer see people or advice keeps nothing of them."""
        before = self.role
        result = super().activate_session(params, peer_certificate)
        lost_people = before == _SEES_PEOPLE and self.role != _SEES_PEOPLE
        lost_advice = before in _SEE_ADVICE and self.role not in _SEE_ADVICE
        if lost_people or lost_advice:
            self._rest.clear()
            self._forget_unseen()
        return result

    def _forget_unseen(self) -> None:
        for number in self._own():
            subscription = self.subscription_service.subscriptions[number]
            subscription._not_acknowledged_results.clear()
            items = subscription.monitored_item_srv
            doomed = [
                mid
                for mid, data in items._monitored_items.items()
                if data.read_value_id is None or not _sees(self.role, data.read_value_id.NodeId)
            ]
            for mid in doomed:
                items._delete_monitored_items(mid)

    def _note(self, nodes: Iterable[ua.NodeId]) -> None:
        """Tell the audit log once a session and user that somebody looks at people."""
        name = str(self.user.name or "")
        if self.external and self.role == _SEES_PEOPLE and name != self._noted and any(concerns_people(n) for n in nodes):
            self._noted = name
            self._tell("see people", self.role, PEOPLE, [], "Good", name)

    async def read(self, params: ua.ReadParameters) -> list[ua.DataValue]:
        """Read what the role may see."""
        self._note(what.NodeId for what in params.NodesToRead)
        results = await super().read(params)
        for i, what in enumerate(params.NodesToRead):
            if not self.may_see(what.NodeId):
                results[i] = ua.DataValue(StatusCode=status(_UNKNOWN))
        return results

    async def history_read(self, params: ua.HistoryReadParameters) -> list[ua.HistoryReadResult]:
        """Read history of what the role may see."""
        results = await super().history_read(params)
        for i, what in enumerate(params.NodesToRead):
            if not self.may_see(what.NodeId):
                results[i] = ua.HistoryReadResult(StatusCode=status(_UNKNOWN))
        return results

    async def write(self, params: ua.WriteParameters) -> list[ua.StatusCode]:
        """Write what the role may write; what it may not see is told as unknown."""
        results = await super().write(params)
        pairs = zip(params.NodesToWrite, results, strict=True)
        return [result if self.may_see(item.NodeId) else status(_UNKNOWN) for item, result in pairs]

    async def call(self, params: list[ua.CallMethodRequest]) -> list[ua.CallMethodResult]:
        """Call methods; objects that the role may not see are told as unknown."""
        results = await super().call(params)
        for request, result in zip(params, results, strict=True):
            if not self.may_see(request.ObjectId):
                result.StatusCode = status(_UNKNOWN)
        return results

    async def create_monitored_items(self, params: ua.CreateMonitoredItemsParameters) -> list[ua.MonitoredItemCreateResult]:
        """Make monitored items on what the role may see."""
        wanted = list(params.ItemsToCreate)
        self._note(item.ItemToMonitor.NodeId for item in wanted)
        seen = [item for item in wanted if self.may_see(item.ItemToMonitor.NodeId)]
        if len(seen) == len(wanted):
            return await super().create_monitored_items(params)
        made = iter(await super().create_monitored_items(dataclasses.replace(params, ItemsToCreate=seen)))
        refused = ua.MonitoredItemCreateResult(StatusCode=status(_UNKNOWN))
        return [next(made) if self.may_see(item.ItemToMonitor.NodeId) else refused for item in wanted]

    async def translate_browsepaths_to_nodeids(self, params: list[ua.BrowsePath]) -> list[ua.BrowsePathResult]:
        """Follow paths as far as the role may see them."""
        results = await super().translate_browsepaths_to_nodeids(params)
        for path, result in zip(params, results, strict=True):
            kept = [t for t in result.Targets if self.may_see(_plain(t.TargetId))]
            if not self.may_see(path.StartingNode):
                result.StatusCode, kept = status(_UNKNOWN), []
            elif result.Targets and not kept:
                result.StatusCode = status(StatusCodes.BadNoMatch)
            result.Targets = kept
        return results

    async def browse(self, params: ua.BrowseParameters) -> list[ua.BrowseResult]:
        """Browse what the role may see, at most so many references a node as the client asks for."""
        if len(params.NodesToBrowse) > _MAX_BROWSED:
            raise ServiceError(StatusCodes.BadTooManyOperations)
        results = await super().browse(params)
        if not self.external:
            return results
        asked = int(params.RequestedMaxReferencesPerNode or 0)
        most = min(asked, _MAX_REFERENCES) if asked else _MAX_REFERENCES
        for what, result in zip(params.NodesToBrowse, results, strict=True):
            if what.NodeId not in self.aspace or not self.may_see(what.NodeId):
                result.References, result.StatusCode = [], status(_UNKNOWN)
                continue
            if self.role != _SEES_PEOPLE:
                result.References = [r for r in result.References if self.may_see(_plain(r.NodeId))]
            self._keep_rest(result, result.References, most)
        return results

    async def browse_next(self, parameters: ua.BrowseNextParameters) -> list[ua.BrowseResult]:
        """Give the next references behind continuation points of this session, or let the points go."""
        points, release = list(parameters.ContinuationPoints or []), bool(parameters.ReleaseContinuationPoints)
        if len(points) > _MAX_BROWSED:
            raise ServiceError(StatusCodes.BadTooManyOperations)
        results = []
        for point in points:
            result = ua.BrowseResult()
            rest = self._rest.pop(bytes(point or b""), None)
            if rest is None:
                result.StatusCode = status(StatusCodes.BadContinuationPointInvalid)
            elif not release:
                self._keep_rest(result, *rest)
            results.append(result)
        return results

    def _keep_rest(self, result: ua.BrowseResult, references: list[ua.ReferenceDescription], most: int) -> None:
        result.References = references[:most]
        if len(references) <= most:
            return
        point = secrets.token_bytes(16)
        self._rest[point] = (references[most:], most)
        while len(self._rest) > _MAX_POINTS:
            self._rest.popitem(last=False)
        result.ContinuationPoint = ua.ByteString(point)


class RightsServer(GuardedServer):
    """A server whose sessions are of the kind above."""

    def create_session(
        self,
        name: str,
        user: User = User(role=UserRole.Anonymous),  # noqa: B008 - asyncua's own signature
        external: bool = False,
    ) -> RightsSession:
        """Open a session; it may do nothing until it is activated."""
        return RightsSession(self, self.aspace, self.subscription_service, name, user=user, external=external)


def _plain(node: ua.NodeId | ua.ExpandedNodeId) -> ua.NodeId:
    return node
