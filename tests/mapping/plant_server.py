"""A controller of the plant, as an OPC UA server of asyncua in a thread of its own, for the tests of the client."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from asyncua import Server, ua
from asyncua.crypto.permission_rules import SimpleRoleRuleset, User, UserRole
from asyncua.server.user_managers import UserManager

from bridges.mapping_file import BoundMapping, read_mapping
from bridges.mapping_variables import twin_variables
from bridges.opcua.certificate import load_or_make

URI = "urn:plant:cell-3"
USER, PASSWORD = "twin", "a word of the cell"
FIRST: dict[str, Any] = {f"A{j}": float(10 * j) for j in range(1, 8)} | {
    "X": 5000.0,
    "Y": 7.5,
    "Running": True,
    "Text": "hello",
    "Risk": 0.0,
}


class Users(UserManager):
    def get_user(self, iserver, username=None, password=None, certificate=None):
        if username is None and not self.needed:
            return User(role=UserRole.Admin)
        return User(role=UserRole.Admin) if (username, password) == (USER, PASSWORD) else None

    def __init__(self, needed: bool) -> None:
        self.needed = needed


class Plant:
    """Joints, an AGV's place, a state and a text; ``secure`` is the folder of its certificate, or None for no encryption."""

    def __init__(self, port: int, secure: Path | None = None) -> None:
        self.url, self._secure = f"opc.tcp://127.0.0.1:{port}", secure
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.nodes: dict[str, Any] = {}

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(90)

    def __enter__(self) -> Plant:
        self._thread.start()
        self._do(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self.server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        self.server = Server(user_manager=Users(self._secure is not None))
        await self.server.init()
        self.server.set_endpoint(self.url)
        if self._secure is None:
            self.server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        else:
            own = load_or_make(self._secure, "127.0.0.1")
            await self.server.set_application_uri(own.application_uri)
            await self.server.load_certificate(own.certificate)
            await self.server.load_private_key(own.private_key)
            policy = ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt
            self.server.set_security_policy([policy], permission_ruleset=SimpleRoleRuleset())
        index = await self.server.register_namespace(URI)
        robot = await self.server.nodes.objects.add_object(index, "Robot")
        for name, value in FIRST.items():
            node = await robot.add_variable(ua.NodeId(f"Robot/{name}", index), ua.QualifiedName(name, index), value)
            await node.set_writable()
            self.nodes[name] = node
        await self.server.start()

    def reset(self) -> None:
        """Give every node its first value, good and new."""
        for name, value in FIRST.items():
            self.set(name, value, 0, datetime.now(UTC))

    def set(self, name: str, value: Any, status: int = 0, source_time: Any = "now") -> None:
        """Write a value, with a status code and a source time of its own."""
        data = ua.DataValue(ua.Variant(value), ua.StatusCode(status))
        if source_time != "now":
            data = ua.DataValue(ua.Variant(value), ua.StatusCode(status), SourceTimestamp=source_time)
        self._do(self.nodes[name].write_value(data))

    def get(self, name: str) -> Any:
        return self._do(self.nodes[name].read_value())


HALL = twin_variables(["agv-01", "agv-02"], ["cobot-1"], ["press-2"], ["agv-01", "cobot-1"], ["control"], (30.0, 20.0))


def bound(folder: Path, text: str) -> BoundMapping:
    """Return a mapping from its text, bound to a small hall."""
    path = folder / "mapping.yaml"
    path.write_text(text)
    return read_mapping(path, HALL)
