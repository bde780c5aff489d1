"""Every page by axe-core (WCAG 2.2 AA), and everything that can be pressed by the Tab key, in a real headless Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import free_port
from page_browser import Browser, require
from page_feed import PASSWORDS
from page_jobs import JobsTwin

AXE = Path(__file__).parents[1] / "counterparts" / "node_modules" / "axe-core" / "axe.min.js"
PAGES = ("floor", "services", "outages", "machines", "whatif", "map", "settings")
_CHECK = """
axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']}).then(found => ({
  passes: found.passes.length,
  violations: found.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html.slice(0, 120) + n.failureSummary).join(' | ')),
}))
"""
_FOCUSABLE = """
[...document.querySelectorAll('a, button, select, input, [tabindex="0"]')]
  .filter(e => e.checkVisibility() && !e.disabled && e.tabIndex >= 0)
  .map((e, i) => { e.dataset.walk = i; return i; }).length
"""


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobsTwin]:
    with JobsTwin(tmp_path_factory.mktemp("page-axe"), free_port()) as running:
        yield running


@pytest.fixture(scope="module")
def browser(twin: JobsTwin) -> Iterator[Browser]:
    with Browser() as running:
        yield running


def _axe(browser: Browser) -> dict[str, Any]:
    if not browser.run("!!window.axe"):
        browser.run(f"{AXE.read_text(encoding='utf-8')}; 1")
    found: dict[str, Any] = browser.run(_CHECK)
    return found


def _visit(browser: Browser, name: str) -> None:
    browser.click(f"nav a[href='/{name}']")
    browser.wait(f"document.querySelector('nav a[aria-current]')?.pathname === '/{name}'")


def test_axe_finds_nothing_on_any_page(browser: Browser, twin: JobsTwin) -> None:
    require(AXE.exists(), "axe-core")
    browser.call("Network.clearBrowserCookies")
    browser.open(twin.server.url)
    browser.wait("location.pathname === '/login' && !!document.querySelector('#user')")
    assert _axe(browser)["violations"] == [], "login"
    browser.log_in(twin.server.url, "emil", PASSWORDS["emil"])
    for width, height in ((1280, 800), (820, 1180)):
        browser.resize(width, height)
        for name in PAGES:
            _visit(browser, name)
            if name in ("whatif", "map") and width == 1280:
                _fill(browser, name)
            found = _axe(browser)
            assert found["violations"] == [], f"{name} at {width} x {height}"
            assert found["passes"] > 10
    browser.resize(1280, 800)


def _fill(browser: Browser, name: str) -> None:
    """Have an answer on the page, with its table or legend."""
    if name == "whatif":
        browser.type("#whatif-other", "people.count=20")
        browser.key("Enter", 13)
        browser.wait("document.querySelectorAll('.changes li').length > 0")
        browser.click("form.whatif button[type=submit]")
        browser.wait("!document.querySelector('.card').hidden")
    else:
        browser.click("form.whatif button[type=submit]")
        browser.wait("document.querySelectorAll('#map-legend li').length > 3")


def test_the_tab_key_reaches_everything_that_can_be_pressed(browser: Browser, twin: JobsTwin) -> None:
    browser.call("Network.clearBrowserCookies")
    browser.log_in(twin.server.url, "emil", PASSWORDS["emil"])
    for name in PAGES:
        _visit(browser, name)
        browser.wait("document.querySelector('main').children.length > 0 && window.factoryTwin.state.tick !== null")
        n = browser.run(_FOCUSABLE)
        assert n > 12, name
        browser.run("document.activeElement?.blur()")
        reached: set[str] = set()
        for _ in range(n + 40):  # a slider or a number field is one stop; rows may come while one walks
            browser.key("Tab", 9)
            at = browser.run("document.activeElement?.dataset.walk ?? ''")
            if at in reached and len(reached) >= n:
                break
            if at:
                reached.add(at)
        missed = browser.run(
            f"[...document.querySelectorAll('[data-walk]')].filter(e => !{sorted(reached)}.includes(e.dataset.walk))"
            ".map(e => e.outerHTML.slice(0, 100))"
        )
        assert missed == [], name
