"""The page's acceptance in one go: what an engineer does in a shift, in a real headless Chromium that can reach nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from page_browser import Browser
from page_feed import PASSWORDS, free_port, wait_until
from page_jobs import JobsTwin

from bridges.page.story import Story

OUTAGE_US = (3_000_000, 4_000_000)
"""When the panels' service is down in the fake hall."""


class _Told:
    """Tells the story of the outage."""

    def tell(self, service: str, start_us: int, end_us: int | None, see_people: bool) -> Story | None:
        """Return it for the right question only."""
        if (service, start_us, end_us) != ("panel-estop", *OUTAGE_US):
            return None
        sections = (("Why", "a person stood in the path of ceiling-north."), ("Saved by", "a second leg at aisle-west"))
        return Story("agv-02 lost 9 messages.", sections, "agv-02", service, "ceiling-north", *OUTAGE_US)


@pytest.fixture
def twin(tmp_path: Path) -> Iterator[JobsTwin]:
    twin = JobsTwin(tmp_path, free_port())
    twin.time_us = 2_500_000
    twin.server.stories = _Told()
    with twin:
        yield twin


def _visit(browser: Browser, name: str) -> None:
    browser.click(f"nav a[href='/{name}']")
    browser.wait(f"document.querySelector('nav a[aria-current]')?.pathname === '/{name}'")


def _wind(browser: Browser, seconds: float) -> None:
    browser.run(
        f"(() => {{ const e = document.querySelector('#scrub'); e.value = {seconds}; e.dispatchEvent(new Event('input')); }})()"
    )


def _watch_and_read_the_cause(browser: Browser, twin: JobsTwin) -> None:
    browser.wait("window.factoryTwinFloor.drawn > 3")
    before = browser.run("window.factoryTwin.state.tick.machines[0].x")
    browser.wait(f"Math.abs(window.factoryTwin.state.tick.machines[0].x - {before}) > 0.05")
    wait_until(lambda: twin.time_us > 4_500_000)
    browser.wait("window.factoryTwin.state.tick?.time > 4500000 && !document.querySelector('#scrub').disabled")
    _wind(browser, 3.4)
    browser.wait("!window.factoryTwin.state.live && window.factoryTwin.state.tick?.time === 3400000")
    browser.wait("document.querySelector('#details').innerText.includes('panel-estop')")
    browser.click("[data-why]")
    browser.wait("!!document.querySelector('#close-story')")
    assert "a person stood in the path of ceiling-north." in browser.text("#story")
    assert "a second leg at aisle-west" in browser.text("#story")
    browser.wait("document.querySelector('.moment').textContent === 'messages are being lost'")
    browser.click("#close-story")
    browser.click("#live")
    browser.wait("window.factoryTwin.state.live && window.factoryTwin.state.tick?.time > 4500000")


def _move_a_trp_and_read_the_answer(browser: Browser, twin: JobsTwin) -> None:
    _visit(browser, "whatif")
    browser.wait("window.factoryTwinDraft?.drawn > 1 && document.querySelector('#whatif-thing').options.length > 4")
    (x0, y0), (x1, y1) = browser.run(
        "(f => { const b = f.canvas.getBoundingClientRect(); return [[31, 19], [20, 25]].map(([x, y]) => f.at(x, y))"
        ".map(([x, y]) => [b.x + x, b.y + y]); })(window.factoryTwinDraft)"
    )
    browser.call("Input.dispatchMouseEvent", type="mousePressed", x=x0, y=y0, button="left", clickCount=1)
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x1, y=y1, button="left", buttons=1)
    browser.call("Input.dispatchMouseEvent", type="mouseReleased", x=x1, y=y1, button="left", clickCount=1)
    browser.wait("document.querySelector('.changes').innerText.includes('aisle-west to [')")
    browser.click("form.whatif button[type=submit]")
    browser.wait("document.querySelector('.card')?.hidden === false")
    answer = browser.text(".card")
    assert re.search(r"What if aisle-west were at 20(\.\d)?, 2[45](\.\d)?, 3 m\?", answer), answer
    assert "lost to radio\tbetter\t0.40 min\t0.12 min" in answer
    (asked,) = [c for c in twin.commands if c.name == "start_whatif"]
    assert asked.payload is not None
    assert str(next(iter(asked.payload["changes"]))).startswith("radio.trps[2].position_m=[20")


def _acknowledge(browser: Browser, twin: JobsTwin) -> None:
    _visit(browser, "outages")
    browser.wait("document.querySelectorAll('[data-alarm]').length >= 2")
    browser.click("[data-alarm]")
    browser.wait("document.querySelector('#alarm-count').textContent === '1'")
    browser.click("#acknowledge-over")
    browser.wait("document.querySelector('#alarm-count').hidden && !document.querySelector('[data-alarm]')")
    assert "Nothing needs a look now." in browser.text("main")


def _stop_and_release(browser: Browser, twin: JobsTwin) -> None:
    _visit(browser, "machines")
    for act, words in (("stop", "Stop agv-03?"), ("release", "Release agv-03?")):
        browser.click(f"[data-act={act}][aria-label$=agv-03]")
        browser.wait("document.querySelector('#confirm').open")
        assert words in browser.text("#confirm-text")
        browser.click("#confirm-yes")
        browser.wait("document.querySelector('#told').textContent.startsWith('Done')")
        wait_until(lambda act=act: ("agv-03" in twin.stopped) == (act == "stop"))


def _break_the_socket(browser: Browser, twin: JobsTwin) -> None:
    browser.run("window.factoryTwin.socket.close()")
    browser.wait("document.querySelector('#connection').dataset.state === 'lost'")
    lost_us = browser.run("window.factoryTwin.state.tick.time")
    browser.wait("document.querySelector('#connection').dataset.state === 'live'")
    now_us = twin.time_us
    browser.wait(f"window.factoryTwin.state.tick?.time >= {now_us}")
    # what was missed can be looked back at
    missed_us = (lost_us + now_us) // 200_000 * 100_000
    _wind(browser, missed_us / 1e6)
    browser.wait(f"!window.factoryTwin.state.live && window.factoryTwin.state.tick?.time === {missed_us}")
    browser.click("#live")


def test_an_engineer_watches_understands_and_acts(twin: JobsTwin) -> None:
    with Browser() as browser:
        browser.log_in(twin.server.url, "emil", PASSWORDS["emil"])
        _watch_and_read_the_cause(browser, twin)
        _move_a_trp_and_read_the_answer(browser, twin)
        _acknowledge(browser, twin)
        _stop_and_release(browser, twin)
        _break_the_socket(browser, twin)
        browser.wait("window.factoryTwin.state.live")
        host = urlsplit(twin.server.url).netloc
        assert [u for u in browser.requests if not u.startswith("data:") and urlsplit(u).netloc != host] == []
        assert len(browser.requests) > 15
        assert browser.problems == []
        audit = (Path(twin.config.user_file or "").parent / "page" / "audit.jsonl").read_text(encoding="utf-8")
        for what in ("login", "start_whatif", "acknowledge", "stop_agv", "release_agv"):
            assert f'"{what}"' in audit, what
