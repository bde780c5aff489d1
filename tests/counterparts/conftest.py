"""Counterparts: real clients and brokers of other makers. ``install.sh`` installs them.

A test that needs one asks :func:`require`. Where the counterpart is absent the test is skipped with a reason, or fails where
FACTORY_TWIN_REQUIRE_COUNTERPARTS=1, as in CI.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# the view and the listener that the bridges' own tests use
sys.path.insert(0, str(HERE.parent / "bridges"))


def require(present: bool, what: str) -> None:
    """Go on where a counterpart is present; else skip, or fail where counterparts are required."""
    if present:
        return
    reason = f"{what} is not installed; tests/counterparts/install.sh installs it"
    if os.environ.get("FACTORY_TWIN_REQUIRE_COUNTERPARTS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def mosquitto() -> str:
    """Path of the mosquitto broker."""
    path = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    require(path is not None, "mosquitto")
    return str(path)


@pytest.fixture(scope="session")
def mosquitto_sub() -> str:
    """Path of mosquitto's own subscriber."""
    path = shutil.which("mosquitto_sub")
    require(path is not None, "mosquitto_sub (Debian package mosquitto-clients)")
    return str(path)


@pytest.fixture(scope="session")
def mosquitto_passwd() -> str:
    """Path of mosquitto's tool for password files."""
    path = shutil.which("mosquitto_passwd")
    require(path is not None, "mosquitto_passwd (Debian package mosquitto)")
    return str(path)


@pytest.fixture(scope="session")
def node_opcua() -> str:
    """Path of node, with node-opcua beside this file."""
    path = shutil.which("node")
    require(path is not None, "node")
    require((HERE / "node_modules" / "node-opcua-client").is_dir(), "node-opcua")
    return str(path)


@pytest.fixture
def new_port() -> Callable[[], int]:
    """Return a function that finds a TCP port free at this moment."""

    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    return find


@pytest.fixture(autouse=True)
def _no_secrets_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FACTORY_TWIN_OPCUA_USER", "FACTORY_TWIN_OPCUA_PASSWORD", "FACTORY_TWIN_MQTT_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
