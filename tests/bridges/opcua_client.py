"""An asyncua client as plants have them: certificate, encryption, user and password."""

from __future__ import annotations

import socket
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

from asyncua import Client, ua
from asyncua.crypto import security_policies

from bridges.credentials import hash_password
from bridges.inbox import Answer, Command, Inbox
from bridges.opcua.certificate import load_or_make
from bridges.opcua.nodes import NAMESPACE_URI

USER, PASSWORD = "viewer", "aisle seven, cell 3"


async def secured(
    url: str,
    folder: Path,
    user: str | None = USER,
    password: str | None = PASSWORD,
    policy: str = "Basic256Sha256",
    mode: ua.MessageSecurityMode = ua.MessageSecurityMode.SignAndEncrypt,
) -> Client:
    """Return a client, not yet connected, on a secure channel; its certificate is made in the folder."""
    own = load_or_make(folder, "127.0.0.1")
    client = Client(url, timeout=10)
    client.application_uri = own.application_uri
    await client.set_security(
        getattr(security_policies, f"SecurityPolicy{policy}"),
        certificate=own.certificate,
        private_key=own.private_key,
        mode=mode,
    )
    if user is not None:
        client.set_user(user)
        client.set_password(password or "")
    return client


async def node_id(client: Client, identifier: str) -> ua.NodeId:
    """Return the id of a node of the twin's namespace."""
    return ua.NodeId(identifier, await client.get_namespace_index(NAMESPACE_URI))


def port_of_its_own() -> int:
    """Return a TCP port that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


PASSWORDS = {"vera": "a viewer's", "egon": "an engineer's", "sara": "one for safety"}
ROLES = {"vera": "viewer", "egon": "engineer", "sara": "safety"}
_LINES: dict[str, str] = {}


def user_lines() -> str:
    """Return the content of a user file with a viewer, an engineer and one for safety."""
    if not _LINES:
        _LINES.update({name: f"{name}:{ROLES[name]}:{hash_password(password)}" for name, password in PASSWORDS.items()})
    return "\n".join(_LINES.values()) + "\n"


async def name_of_error(awaitable: Awaitable[object]) -> str:
    """Return the name of the status code that an operation ends in, or what it returned."""
    try:
        return f"was let through: {await awaitable}"
    except ua.UaStatusCodeError as error:
        return type(error).__name__
    except (ConnectionError, TimeoutError) as error:
        return type(error).__name__


class Twin:
    """Stands for the tick: takes commands from an inbox every few milliseconds and answers them.

    Parameters
    ----------
    inbox : where commands come.
    answer : what becomes of a command; None leaves it without an answer.
    """

    def __init__(self, inbox: Inbox, answer: Callable[[Command], Answer | None]) -> None:
        self.commands: list[Command] = []
        self._inbox, self._answer = inbox, answer
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._stop.wait(0.005):
            for command in self._inbox.drain():
                self.commands.append(command)
                answer = self._answer(command)
                if answer is not None:
                    command.answer(answer.done, answer.message)

    def __enter__(self) -> Twin:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


class Raw:
    """A subscription whose items are made as asked for, and what it told, value by value and event by event.

    Parameters
    ----------
    client : a connected client.
    period_ms : publishing interval.
    """

    def __init__(self, client: Client, period_ms: float) -> None:
        self.client, self.period_ms = client, period_ms
        self.values: list[ua.DataValue] = []
        self.events: list[list[object]] = []
        self.number = 0

    async def __aenter__(self) -> Raw:
        params = ua.CreateSubscriptionParameters(
            RequestedPublishingInterval=self.period_ms,
            RequestedLifetimeCount=1000,
            RequestedMaxKeepAliveCount=100,
            PublishingEnabled=True,
        )
        self.number = (await self.client.uaclient.create_subscription(params, self._take)).SubscriptionId
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.uaclient.delete_subscriptions([self.number])

    def _take(self, result: ua.PublishResult) -> None:
        for part in result.NotificationMessage.NotificationData or []:
            if isinstance(part, ua.DataChangeNotification):
                self.values += [item.Value for item in part.MonitoredItems]
            elif isinstance(part, ua.EventNotificationList):
                self.events += [[field.Value for field in event.EventFields] for event in part.Events]

    def numbers(self) -> list[object]:
        """Return the values that came, without their stamps."""
        return [value.Value.Value for value in self.values]

    async def item(
        self,
        identifier: str | ua.NodeId,
        rule: object = None,
        sampling_ms: float = 0.0,
        queue: int = 1,
        discard_oldest: bool = True,
        mode: ua.MonitoringMode = ua.MonitoringMode.Reporting,
        attribute: ua.AttributeIds = ua.AttributeIds.Value,
    ) -> ua.MonitoredItemCreateResult:
        """Make an item and return what the server answered."""
        node = identifier if isinstance(identifier, ua.NodeId) else await node_id(self.client, identifier)
        request = ua.MonitoredItemCreateRequest(
            ItemToMonitor=ua.ReadValueId(NodeId=node, AttributeId=attribute),
            MonitoringMode=mode,
            RequestedParameters=ua.MonitoringParameters(
                ClientHandle=201, SamplingInterval=sampling_ms, Filter=rule, QueueSize=queue, DiscardOldest=discard_oldest
            ),
        )
        params = ua.CreateMonitoredItemsParameters(SubscriptionId=self.number, ItemsToCreate=[request])
        return (await self.client.uaclient.create_monitored_items(params))[0]
