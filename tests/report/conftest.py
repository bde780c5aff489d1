"""Runs that the tests of this folder share."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic_run import make_run


@pytest.fixture(scope="session")
def run_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished run of a little more than a minute with losses."""
    return make_run(tmp_path_factory.mktemp("run") / "shift", duration_s=75.0)


@pytest.fixture(scope="session")
def lossless_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished run of half a minute in which nothing was lost."""
    return make_run(tmp_path_factory.mktemp("run") / "quiet", duration_s=30.0, lossless=True, scene=False)
