"""The last minutes of a live twin: they can be told, and they go."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridges.page.config import PageConfig
from bridges.page.story import Story
from factory.page_view import Page
from factory.publish import build_view
from factory.scenario import load_scenario
from factory.twin import Twin

_MINUTE_US = 1_000_000  # a minute of a second: what is over goes after seconds


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Return a page whose twin has lost its TRPs from 1.0 s to 1.6 s and gone on to 2.2 s."""
    outages = "[{trp: corner-east, from_s: 1.0, to_s: 1.6}, {trp: ceiling-west, from_s: 1.0, to_s: 1.6}]"
    twin = Twin(load_scenario("small", [f"radio.outages={outages}", "radio.compare=[]"]))
    with pytest.MonkeyPatch.context() as patch:
        for module in ("page_record", "recording", "run_folder"):
            patch.setattr(f"factory.{module}.MINUTE_US", _MINUTE_US)
        made = Page(PageConfig(history_minutes=0.1), tmp_path_factory.mktemp("state"), twin)
        _run(made, twin, 2_200_000)
        yield made
        twin.close()


def _run(page: Page, twin: Twin, until_us: int) -> None:
    while twin.time_us < until_us:
        page.add(twin.tick())
        if twin.time_us % 100_000 == 0:
            page.publish(build_view(twin, 1.0))


def _told(page: Page, service: str, start_us: int, end_us: int | None, see_people: bool = False) -> Story | None:
    """Ask as the page's thread does, while the twin's thread publishes."""
    answers: list[Story | None] = []
    assert page.record is not None
    asking = threading.Thread(target=lambda: answers.append(page.record.tell(service, start_us, end_us, see_people)))  # type: ignore[union-attr]
    asking.start()
    while asking.is_alive():
        page.publish(build_view(page._twin, 0.0))
        asking.join(0.02)
    return answers[0]


def test_an_outage_of_the_last_minutes_is_told(page: Page) -> None:
    down = _told(page, "agv-control", 1_000_000, 1_700_000)
    assert down is not None
    assert 980_000 <= down.start_us <= 1_200_000
    assert down.service == "agv-control"
    assert "was out of service and the device still on it" in dict(down.sections)["Why"]
    assert down.causes[0][0] == "transmission point out of service"
    assert _told(page, "no-such-service", 1_000_000, None) is None
    assert _told(page, "agv-control", 100_000, 200_000) is None


def test_what_is_over_is_removed(page: Page) -> None:
    record = page.record
    assert record is not None
    folder = record._path
    assert [p.name for p in sorted((folder / "ticks").glob("*"))] == ["part-0000.parquet", "part-0001.parquet"]
    record._kept_us = 2_000_000
    _run(page, page._twin, 6_100_000)
    kept = [p.name for p in sorted((folder / "ticks").glob("*"))]
    assert kept[-1] == "part-0005.parquet"
    assert "part-0000.parquet" not in kept
    assert len(kept) <= 5
    page.stop()
    assert not folder.exists()


def test_without_stories_nothing_is_recorded(tmp_path: Path, page: Page) -> None:
    plain = Page(PageConfig(stories=False), tmp_path, page._twin)
    assert plain.record is None
    assert plain.stories is None
    assert list(tmp_path.iterdir()) == []
