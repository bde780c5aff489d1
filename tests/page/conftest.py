"""What the page's tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from page_feed import FakeTwin, free_port


@pytest.fixture(autouse=True)
def _no_secrets_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("USER", "PASSWORD", "ROLE"):
        monkeypatch.delenv(f"FACTORY_TWIN_PAGE_{name}", raising=False)


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeTwin]:
    with FakeTwin(tmp_path_factory.mktemp("page"), free_port()) as running:
        yield running
