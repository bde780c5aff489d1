"""The page end to end in a real headless Chromium, against a fake twin."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from page_browser import Browser
from page_feed import PASSWORDS, FakeTwin, wait_until


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as running:
        yield running


@pytest.fixture
def fresh(browser: Browser) -> Browser:
    browser.call("Network.clearBrowserCookies")
    browser.resize(1280, 800)
    for log in (browser.requests, browser.frames, browser.problems):
        log.clear()
    return browser


def _foreign(browser: Browser, twin: FakeTwin) -> list[str]:
    host = urlsplit(twin.server.url).netloc
    return [url for url in browser.requests if not url.startswith("data:") and urlsplit(url).netloc != host]


def test_an_engineer_logs_in_watches_and_stops_an_agv(fresh: Browser, twin: FakeTwin) -> None:
    fresh.log_in(twin.server.url, "emil", PASSWORDS["emil"])
    before = fresh.run("window.factoryTwin.state.tick.machines[0].x")
    fresh.wait(f"Math.abs(window.factoryTwin.state.tick.machines[0].x - {before}) > 0.05")
    fresh.wait("window.factoryTwinFloor.drawn > 5")
    place = (
        "(() => { const f = window.factoryTwinFloor, b = f.canvas.getBoundingClientRect(), p = f.place('agv-03');"
        " return [b.x + p[0], b.y + p[1]]; })()"
    )
    fresh.click_at(*fresh.run(place))
    fresh.wait("document.querySelector('#details h2').textContent === 'agv-03'")
    assert "ceiling" in fresh.text("#details") or "aisle" in fresh.text("#details")
    fresh.click("[data-act=stop]")
    fresh.wait("document.querySelector('#confirm').open")
    assert twin.commands == []
    fresh.click("#confirm-yes")
    fresh.wait("document.querySelector('#told').textContent.startsWith('Done')")
    assert (twin.commands[-1].name, twin.commands[-1].target, twin.commands[-1].source) == ("stop_agv", "agv-03", "page:emil")
    fresh.wait("document.querySelector('#details').innerText.includes('paused')")
    fresh.click("[data-act=release]")
    fresh.wait("document.querySelector('#confirm').open")
    fresh.key("Escape", 27)
    fresh.wait("!document.querySelector('#confirm').open")
    assert "agv-03" in twin.stopped
    fresh.click("[data-act=release]")
    fresh.wait("document.querySelector('#confirm').open")
    fresh.run("document.querySelector('#confirm-yes').focus()")
    fresh.key("Enter", 13)
    wait_until(lambda: not twin.stopped)
    assert _foreign(fresh, twin) == []
    assert len(fresh.requests) > 8
    assert fresh.problems == []


def test_the_past_can_be_looked_at_and_its_outage_read(fresh: Browser, twin: FakeTwin) -> None:
    wait_until(lambda: twin.time_us > 4_500_000)
    fresh.log_in(twin.server.url, "emil", PASSWORDS["emil"])
    fresh.wait("!document.querySelector('#scrub').disabled")
    fresh.click("#previous-outage")
    fresh.wait("!window.factoryTwin.state.live && window.factoryTwin.state.tick?.time === 3000000")
    fresh.wait("document.querySelector('#details').innerText.includes('panel-estop')")
    assert "agv-02" in fresh.text("#details")
    fresh.click("nav a[href='/outages']")
    fresh.wait("document.querySelector('main').innerText.includes('agv-02 6 dB short at ceiling-north')")
    fresh.wait("document.querySelectorAll('[data-alarm]').length > 0")
    number = fresh.run("document.querySelector('[data-alarm]').dataset.alarm")
    fresh.click(f"[data-alarm='{number}']")
    fresh.wait(f"document.querySelector('[data-alarm=\"{number}\"]') === null")
    fresh.click("#all-alarms")  # what is acknowledged and over leaves the list
    fresh.wait("document.querySelector('main').innerText.includes('emil')")
    fresh.click("#live")
    fresh.wait("window.factoryTwin.state.tick?.time > 4500000")


def test_an_engineer_accepts_advice_and_sees_what_lies_ahead(fresh: Browser, twin: FakeTwin) -> None:
    fresh.log_in(twin.server.url, "emil", PASSWORDS["emil"])
    fresh.click("nav a[href='/outages']")
    fresh.wait("document.querySelectorAll('#advice tbody tr').length === 4")
    assert "agv-02: drive at 0.60 m/s at most" in fresh.text("#advice")
    assert "-6.5 dB of margin expected in 0.4 s" in fresh.text("#advice")
    assert fresh.run("document.querySelectorAll('#advice button').length") == 3  # the last one is for the network
    fresh.run("document.querySelector('[data-advice=\"agv_slow agv-02\"]').focus()")
    fresh.key("Enter", 13)
    fresh.wait("document.querySelector('#confirm').open")
    assert "Pause agv-02" in fresh.text("#confirm-text")
    fresh.click("#confirm-yes")
    fresh.wait("document.querySelector('#advice').innerText.includes('being done')")
    assert twin.commands[-1].name == "accept_advice"
    assert fresh.run("document.querySelectorAll('#advice button').length") == 2
    fresh.click("nav a[href='/floor']")
    fresh.wait("window.factoryTwinFloor?.drawn > 1")
    fresh.run("window.factoryTwinFloor.pick('agv-02')")
    fresh.wait("document.querySelector('#details').innerText.includes('Risk in 0.5 s')")
    details = fresh.text("#details")
    assert "12.5 %" in details
    assert "25.0 %" in details
    assert "agv-02: drive at 0.60 m/s at most" in details


def test_a_viewer_is_told_zones_only_and_has_no_buttons(fresh: Browser, twin: FakeTwin) -> None:
    fresh.log_in(twin.server.url, "vera", PASSWORDS["vera"])
    fresh.wait("window.factoryTwin.frames > 8")
    kinds = {json.loads(text)["type"] for text in fresh.frames}
    assert kinds == {"hello", "tick", "watch"}
    pose = re.compile(r"(?<![\d.])(1234|3321|12\.34|33\.21)(?![\d.])")  # a number of its own, not a part of a time
    assert not any(pose.search(text) for text in fresh.frames if '"tick"' in text)
    assert fresh.run("getComputedStyle(document.querySelector('#steer')).display") == "none"
    fresh.click("nav a[href='/machines']")
    fresh.wait("document.querySelectorAll('tbody tr').length >= 16")
    assert fresh.run("document.querySelectorAll('[data-act]').length") == 0


def test_the_safety_role_sees_people(fresh: Browser, twin: FakeTwin) -> None:
    fresh.log_in(twin.server.url, "sara", PASSWORDS["sara"])
    fresh.wait("window.factoryTwin.state.poses?.length === 6")
    assert fresh.run("window.factoryTwin.state.poses[0]") == [12.34, 33.21]
    assert '"people_shown"' in (Path(twin.config.user_file or "").parent / "page" / "audit.jsonl").read_text(encoding="utf-8")


def test_a_broken_socket_comes_back(fresh: Browser, twin: FakeTwin) -> None:
    fresh.log_in(twin.server.url, "vera", PASSWORDS["vera"])
    fresh.run("window.factoryTwin.socket.close()")
    fresh.wait("document.querySelector('#connection').dataset.state === 'lost'")
    fresh.wait("document.querySelector('#connection').dataset.state === 'live'")
    seen = fresh.run("window.factoryTwin.frames")
    fresh.wait(f"window.factoryTwin.frames > {seen} + 3")


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (820, 1180)])
def test_every_page_fits_its_screen_and_names_what_can_be_pressed(
    fresh: Browser, twin: FakeTwin, width: int, height: int
) -> None:
    fresh.resize(width, height)
    fresh.log_in(twin.server.url, "emil", PASSWORDS["emil"])
    for name in ("floor", "services", "outages", "machines"):
        fresh.click(f"nav a[href='/{name}']")
        fresh.wait(f"document.querySelector('nav a[aria-current]')?.pathname === '/{name}'")
        assert fresh.run("document.documentElement.scrollWidth <= window.innerWidth"), name
        clipped = (
            "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth + 1)"
            ".map(e => e.getAttribute('aria-label'))"
        )
        assert fresh.run(clipped) == [], name
        unnamed = (
            "[...document.querySelectorAll('button, select, input, a')].filter(e => e.checkVisibility() && !(e.innerText ||"
            " e.getAttribute('aria-label') || e.labels?.length)).map(e => e.outerHTML)"
        )
        assert fresh.run(unnamed) == [], name
    assert fresh.problems == []


def test_a_wrong_password_is_told(fresh: Browser, twin: FakeTwin) -> None:
    fresh.open(twin.server.url)
    fresh.wait("location.pathname === '/login'")
    fresh.type("#user", "emil")
    fresh.type("#password", "wrong")
    fresh.click("button[type=submit]")
    fresh.wait("document.querySelector('#problem').textContent.includes('wrong user or password')")
