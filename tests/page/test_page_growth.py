"""An open page does not grow: its heap after many tick messages, with rubbish collected."""

from __future__ import annotations

from bench_viewers import feed_page
from page_browser import Browser
from page_feed import PASSWORDS, FakeTwin


def test_an_open_page_does_not_grow(twin: FakeTwin) -> None:
    with Browser() as browser:
        browser.log_in(twin.server.url, "emil", PASSWORDS["emil"])
        found = feed_page(browser, 1800, 3)  # three minutes at 10 Hz; bench_viewers.json has an hour
    first, *_, last = found["heap_mb"]
    assert found["frames"] >= 1800
    assert last < first + 1.5, found  # a message is 2 kB: keeping them would take 3 MB and more
