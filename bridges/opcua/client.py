"""A client of a plant's OPC UA server: reads what the mapping names, and writes advice where the mapping says so.

It runs in a thread of its own with its own event loop. A server may be away, come back, be restarted or lose single nodes: the
client tries again with growing waits, subscribes anew, and nothing of this reaches the tick but values that grow old.

Three things that servers do are reckoned with. A value that does not change is not told again, so values that are about to grow
stale are read (many servers put the present time on what is read). A server's clock may be wrong: an offset of more than
``CLOCK_S`` is taken off, a smaller one is taken for honest delay. And a restarted server may number its namespaces anew, so nodes
are looked up with every connection.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.subscription import DataChangeEvent, OverflowPolicy, StatusChangeEvent, Subscription
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes, get_name_and_doc
from asyncua.ua.uaerrors import UaError

from bridges.errors import BridgeError
from bridges.mapping import OpcUaSource
from bridges.mapping_file import BoundEntry
from bridges.mapping_values import BAD, MappedValues
from bridges.opcua.client_session import ClientIdentity, ServerStatus, open_session, prepare, read_status, resolve
from bridges.opcua.client_writing import AdviceWriter

__all__ = ["CLOCK_S", "OpcUaClient", "OpcUaClientCounters"]

_log = logging.getLogger(__name__)

CLOCK_S = 2.0  # assumed: clocks kept by NTP differ by less, and servers renew their time once a second
_WATCH_S = 0.5  # how often the server is asked how it is
_AGAIN_S = 10.0  # how often nodes that were missing are asked for again
_TURN_S = 0.05  # shortest time between two writes
_STABLE_S = 5.0  # a connection that lasted this long is taken for a good one: the back-off begins anew
_AT_ONCE = 500  # nodes in a request; servers limit it, the smallest profile to 100 monitored items in all (OPC 10000-7)
_QUEUE = 20_000
_STOP_TIMEOUT_S = 5.0
_FAILURES = (OSError, TimeoutError, UaError, BridgeError, asyncio.TimeoutError, EOFError)


@dataclass(frozen=True, slots=True)
class OpcUaClientCounters:
    """What happened since the start.

    Attributes
    ----------
    connections : sessions that began. failures : times that there was none to be had, or one was lost.
    restarts : times the server had been started anew. notifications : values that it told. reads : values that were asked for.
    missing : nodes that are not there now. writes, writes_refused, withheld : advice written, refused by the server, and not
        written because the twin was not certain.
    """

    connections: int
    failures: int
    restarts: int
    notifications: int
    reads: int
    missing: int
    writes: int
    writes_refused: int
    withheld: int


class OpcUaClient:
    """Follows one server.

    Parameters
    ----------
    name : of the source. source : how to reach it. entries : what to read. advice : what to write.
    values : takes what comes. state : folder of the twin. audit : takes a line for each write: node, value, result.
    """

    def __init__(
        self,
        name: str,
        source: OpcUaSource,
        entries: Sequence[BoundEntry],
        advice: Sequence[BoundEntry],
        values: MappedValues,
        state: Path,
        audit: Callable[[str, object, str], None],
    ) -> None:
        self._name, self._source, self._values, self._state = name, source, values, state
        self._entries = {b.row: b for b in entries}
        self.writer = AdviceWriter(name, advice, audit)
        self._identity: ClientIdentity | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._random = random.Random()  # spreads reconnections; no result depends on it
        self._online = threading.Event()
        self._problem = ""
        self._start_s = 0.0
        self._offset_s = 0.0
        self._missing: set[int] = set()
        self._last_heard: dict[int, float] = {}
        self._nodes: dict[int, ua.NodeId] = {}
        self._connections = self._failures = self._restarts = self._notifications = self._reads = 0

    @property
    def connected(self) -> bool:
        """Whether there is a session with subscriptions."""
        return self._online.is_set()

    @property
    def problem(self) -> str:
        """Why there is no session, "" where there is one."""
        return self._problem

    @property
    def clock_offset_s(self) -> float:
        """Our clock minus the server's where they differ by more than an honest delay, else 0 [s]."""
        return self._offset_s

    @property
    def counters(self) -> OpcUaClientCounters:
        """What happened since the start."""
        writer = self.writer
        return OpcUaClientCounters(
            self._connections, self._failures, self._restarts, self._notifications, self._reads, len(self._missing),
            writer.written, writer.refused, writer.withheld,
        )  # fmt: skip

    def wait_connected(self, timeout_s: float) -> bool:
        """Wait for a session; False where there is none by then."""
        return self._online.wait(timeout_s)

    def start(self) -> None:
        """Begin to connect, and go on until :meth:`stop`; the server need not be there yet.

        Raises
        ------
        BridgeError
            Password or certificates cannot be used.
        """
        self._identity = prepare(self._source, self._state)
        self._thread = threading.Thread(target=self._run, name=f"opcua-client-{self._name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the session and end; harmless where nothing runs."""
        thread, loop, stop = self._thread, self._loop, self._stop
        if thread is None:
            return
        if loop is not None and stop is not None and not loop.is_closed():
            try:
                loop.call_soon_threadsafe(stop.set)
            except RuntimeError:
                pass  # it ended by itself meanwhile
        thread.join(_STOP_TIMEOUT_S + self._source.timeout_s)
        self._thread = None

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._follow())

    async def _follow(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        source, tries = self._source, 0
        assert self._identity is not None
        while not self._stop.is_set():
            began = time.monotonic()
            client: Client | None = None
            try:
                async with asyncio.timeout(3 * source.timeout_s):
                    client = await open_session(source, self._identity)
                await self._serve(client)
            except _FAILURES as error:
                self._failed(error)
            except Exception as error:  # a server can answer with anything; the twin goes on
                _log.exception("OPC UA source %s: unexpected answer", self._name)
                self._failed(error)
            finally:
                self._online.clear()
                if client is not None:
                    await self._leave(client)
            if time.monotonic() - began >= _STABLE_S:
                tries = 0
            longest = min(source.reconnect_max_s, source.reconnect_min_s * 2.0 ** min(tries, 30))
            tries += 1
            await self._sleep(longest * (1.0 - 0.5 * self._random.random()))

    async def _sleep(self, seconds: float) -> None:
        assert self._stop is not None
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            pass

    def _failed(self, error: BaseException) -> None:
        self._failures += 1
        text = str(error).strip() or type(error).__name__
        if text != self._problem:
            _log.warning("OPC UA source %s: %s: %s; trying again", self._name, self._source.url, text)
        self._problem = text

    async def _leave(self, client: Client) -> None:
        """Close the session where the server still listens, and let go of the socket in any case."""
        try:
            async with asyncio.timeout(1.0):
                await client.disconnect()
        except (*_FAILURES, RuntimeError, asyncio.CancelledError):
            client.disconnect_socket()

    async def _serve(self, client: Client) -> None:
        """Keep one session, until it is lost or we are to stop."""
        assert self._stop is not None
        self._note(await read_status(client))
        subscription = await self._subscribe(client)
        self._connections += 1
        self._problem = ""
        self._online.set()
        listening = asyncio.create_task(self._listen(subscription))
        watch_s = min([_WATCH_S, *(0.4 * b.entry.stale_after_s for b in self._entries.values())])
        watched = again = time.monotonic()
        try:
            while not self._stop.is_set():
                await self._sleep(_TURN_S if self.writer.has_entries else watch_s)
                now = time.monotonic()
                if listening.done():
                    listening.result()
                    raise ConnectionError("the server ended the subscription")
                if now - watched >= watch_s:
                    watched = now
                    async with asyncio.timeout(self._source.timeout_s):
                        self._note(await read_status(client))
                        await self._read_old(client)
                if self._missing and now - again >= _AGAIN_S:
                    again = now
                    await self._monitor(client, subscription, sorted(self._missing))
                await self.writer.write(client, now)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    def _note(self, status: ServerStatus) -> None:
        """Take note of how the server is."""
        if self._start_s and status.start_s != self._start_s:
            self._restarts += 1
            _log.warning("OPC UA source %s: the server was started anew", self._name)
        self._start_s = status.start_s
        # a slow answer says little of the clock; the server's time is rounded to its own step as well
        if status.doubt_s > 0.25 * CLOCK_S:
            self._is_there(status)
            return
        offset_s = status.clock_offset_s if abs(status.clock_offset_s) > CLOCK_S else 0.0
        if abs(offset_s - self._offset_s) > CLOCK_S:
            _log.warning("OPC UA source %s: our clock minus its own is %.1f s; it is taken off", self._name, offset_s)
        self._offset_s = offset_s
        self._is_there(status)

    def _is_there(self, status: ServerStatus) -> None:
        if status.running:
            self._values.heard(self._name, time.time())

    async def _subscribe(self, client: Client) -> Subscription:
        subscription = await client.create_subscription(
            self._source.publishing_ms, None, queue_maxsize=_QUEUE, overflow=OverflowPolicy.DROP_OLDEST
        )
        self._nodes.clear()
        self._missing.clear()
        rows = list(self._entries)
        for at in range(0, len(rows), _AT_ONCE):
            await self._monitor(client, subscription, rows[at : at + _AT_ONCE])
        await self.writer.resolve(client)
        return subscription

    async def _monitor(self, client: Client, subscription: Subscription, rows: Sequence[int], with_time: bool = True) -> None:
        """Monitor nodes; those that cannot be are told by name, and the others go on."""
        requests, asked = [], []
        for row in rows:
            entry = self._entries[row].entry
            try:
                self._nodes[row] = await resolve(client, entry.node or "")
            except (LookupError, ValueError, UaError) as error:
                self._is_missing(row, str(error))
                continue
            asked.append(row)
            requests.append(self._request(row, with_time))
        without_time = []
        for row, result in zip(asked, await subscription.create_monitored_items(requests) if requests else (), strict=True):
            if not isinstance(result, ua.StatusCode):
                self._missing.discard(row)
            elif with_time and result.value in (
                StatusCodes.BadMonitoredItemFilterUnsupported, StatusCodes.BadFilterNotAllowed,
                StatusCodes.BadMonitoredItemFilterInvalid,
            ):  # fmt: skip
                without_time.append(row)
            else:
                self._is_missing(row, f"{result.name}: {get_name_and_doc(result.value)[1]}")
        if without_time:
            await self._monitor(client, subscription, without_time, False)

    def _request(self, row: int, with_time: bool) -> ua.MonitoredItemCreateRequest:
        request = ua.MonitoredItemCreateRequest()
        request.ItemToMonitor.NodeId = self._nodes[row]
        request.ItemToMonitor.AttributeId = AttributeIds.Value
        request.MonitoringMode = ua.MonitoringMode.Reporting
        parameters = request.RequestedParameters
        parameters.ClientHandle = row + 1
        parameters.SamplingInterval = self._source.sampling_ms
        parameters.QueueSize = 1  # the twin wants the present
        parameters.DiscardOldest = True
        if with_time:  # else a value that is measured anew and is the same would not be told
            parameters.Filter = ua.DataChangeFilter(Trigger=ua.DataChangeTrigger.StatusValueTimestamp)
        return request

    def _is_missing(self, row: int, reason: str) -> None:
        self._missing.add(row)
        self._values.fault(row, "missing", f"node {self._entries[row].entry.node}: {reason} (the others go on)")
        now = time.time()
        self._values.put(row, None, BAD, now, now)

    async def _listen(self, subscription: Subscription) -> None:
        async for event in subscription:
            if isinstance(event, DataChangeEvent):
                item = event.data.monitored_item
                self._notifications += 1
                self._take(int(item.ClientHandle) - 1, item.Value)
            elif isinstance(event, StatusChangeEvent):
                status = event.notification.Status
                if status is not None and not status.is_good():
                    raise ConnectionError(f"the server ended the subscription: {status.name}")

    def _take(self, row: int, data: ua.DataValue | None) -> None:
        arrived_s = time.time()
        self._last_heard[row] = time.monotonic()
        if data is None:
            return
        quality = BAD if data.StatusCode is None else min(int(data.StatusCode.value) >> 30, BAD)
        stamp = data.SourceTimestamp or data.ServerTimestamp
        measured_s = arrived_s if stamp is None else stamp.timestamp() + self._offset_s
        raw: Any = None if data.Value is None else data.Value.Value
        self._values.put(row, raw, quality, measured_s, arrived_s)

    async def _read_old(self, client: Client) -> None:
        """Read what has not been told for long and would grow stale by its own time."""
        now = time.monotonic()
        rows = [
            row
            for row, bound in self._entries.items()
            if row not in self._missing
            and bound.entry.stale_by == "source_time"
            and now - self._last_heard.get(row, -1e9) > 0.4 * bound.entry.stale_after_s
        ]
        for at in range(0, len(rows), _AT_ONCE):
            part = rows[at : at + _AT_ONCE]
            answers = await client.read_attributes([client.get_node(self._nodes[row]) for row in part])
            self._reads += len(part)
            for row, data in zip(part, answers, strict=True):
                self._take(row, data)
