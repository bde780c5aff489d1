"""A second try for tests whose other side is a process on the wall clock."""

from __future__ import annotations

from pathlib import Path

import pytest

_HERE = Path(__file__).parent
_WALL_CLOCK = ("bridges", "counterparts", "live", "live_record", "mapping", "opcua_abuse", "opcua_model", "page", "qos")
"""Rooms of tests with servers, brokers, clients and browsers. What is simulated has no second try."""
_WALL_CLOCK_FILES = ("test_whatif_command.py", "test_whatif_engine.py", "test_orders_outlive_the_twin.py")
"""Tests elsewhere that kill and restart processes."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark these tests; pytest names every test that needed its second try at the end."""
    for item in items:
        room = item.path.relative_to(_HERE).parts[0] if item.path.is_relative_to(_HERE) else ""
        if room in _WALL_CLOCK or item.path.name in _WALL_CLOCK_FILES:
            item.add_marker(pytest.mark.flaky(reruns=1))
