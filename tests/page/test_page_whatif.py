"""What-if, radio map, layers and settings in a real headless Chromium, against a fake twin."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from conftest import free_port
from page_browser import Browser
from page_feed import PASSWORDS, wait_until
from page_jobs import JobsTwin


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobsTwin]:
    with JobsTwin(tmp_path_factory.mktemp("page-jobs"), free_port()) as running:
        yield running


@pytest.fixture(scope="module")
def browser(twin: JobsTwin) -> Iterator[Browser]:
    with Browser() as running:
        running.log_in(twin.server.url, "emil", PASSWORDS["emil"])
        yield running


def _visit(browser: Browser, name: str) -> None:
    browser.click(f"nav a[href='/{name}']")
    browser.wait(f"document.querySelector('nav a[aria-current]')?.pathname === '/{name}'")


def _choose(browser: Browser, selector: str, value: str) -> None:
    browser.run(f"document.querySelector('{selector}').value = '{value}'")
    browser.run(f"document.querySelector('{selector}').dispatchEvent(new Event('change'))")


def _at(browser: Browser, floor: str, x_m: float, y_m: float) -> tuple[float, float]:
    """Return where a place of the hall is on the screen [px]."""
    script = f"(f => {{ const b = f.canvas.getBoundingClientRect(), p = f.at({x_m}, {y_m}); return [b.x + p[0], b.y + p[1]]; }})"
    x, y = browser.run(f"{script}(window.{floor})")
    return x, y


def test_a_trp_is_dragged_and_the_answer_of_a_what_if_read(browser: Browser, twin: JobsTwin) -> None:
    _visit(browser, "whatif")
    browser.wait("window.factoryTwinDraft?.drawn > 1 && document.querySelector('#whatif-thing').options.length > 4")
    (from_x, from_y), (to_x, to_y) = (_at(browser, "factoryTwinDraft", *place) for place in ((31, 19), (20, 25)))
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=from_x, y=from_y)
    browser.call("Input.dispatchMouseEvent", type="mousePressed", x=from_x, y=from_y, button="left", clickCount=1)
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=to_x, y=to_y, button="left", buttons=1)
    browser.call("Input.dispatchMouseEvent", type="mouseReleased", x=to_x, y=to_y, button="left", clickCount=1)
    browser.wait("document.querySelector('.changes').innerText.includes('aisle-west to [')")
    assert float(browser.run("document.querySelector('#whatif-x').value")) == pytest.approx(20.0, abs=0.2)
    _choose(browser, "#whatif-policy", "human_aware")
    browser.click("form.whatif button[type=submit]")
    browser.wait("document.querySelector('.job-words').textContent.includes('50 %')")
    browser.wait("!document.querySelector('.card').hidden")
    started = next(c for c in reversed(twin.commands) if c.name == "start_whatif")
    assert started.payload is not None
    first, second = started.payload["changes"]
    assert first.startswith("radio.trps[2].position_m=[20")
    assert second == "radio.policy=human_aware"
    text = browser.text(".card")
    assert "-0.36 min to -0.11 min" in text
    assert "better" in text
    assert "no clear difference" in text
    for selector, name in ((".card .actions button", "set_policy"), ("#undo", "undo")):  # do it now, and take it back
        browser.click(selector)
        browser.wait("document.querySelector('#confirm').open")
        assert twin.commands[-1].name != name
        browser.click("#confirm-yes")
        wait_until(lambda name=name: twin.commands[-1].name == name)
    assert [c.argument("policy") for c in twin.commands if c.name == "set_policy"] == ["human_aware"]
    assert browser.problems == []


def test_everything_of_a_what_if_can_be_done_with_the_keyboard(browser: Browser, twin: JobsTwin) -> None:
    _visit(browser, "floor")
    _visit(browser, "whatif")
    browser.wait("document.querySelectorAll('.changes li').length === 2")  # what was asked is still there
    before = len([c for c in twin.commands if c.name == "start_whatif"])
    for _ in range(2):
        browser.run("document.querySelector('.changes button').focus()")
        browser.key("Enter", 13)
    browser.wait("document.querySelectorAll('.changes li').length === 0")
    browser.run("document.querySelector('#whatif-other').focus()")
    browser.type("#whatif-other", "people.count=20")
    browser.key("Enter", 13)
    browser.wait("document.querySelector('.changes').innerText.includes('people.count=20')")
    browser.run("document.querySelector('form.whatif button[type=submit]').focus()")
    browser.key("Enter", 13)
    wait_until(lambda: len([c for c in twin.commands if c.name == "start_whatif"]) > before)
    browser.wait("document.querySelector('.job button') && !document.querySelector('.job button').hidden")
    browser.run("document.querySelector('.job button').focus()")
    browser.key("Enter", 13)
    browser.wait("/Stopped|Done/.test(document.querySelector('.job-words').textContent)")


def test_a_radio_map_is_computed_and_its_layers_have_units(browser: Browser) -> None:
    _visit(browser, "map")
    browser.wait("window.factoryTwinMap?.drawn > 1")
    browser.click("#map-people")
    browser.click("form.whatif button[type=submit]")
    browser.wait("document.querySelectorAll('#map-legend li').length === 7")
    assert "30 dB and more" in browser.text("#map-legend")
    assert "76.0 %" in browser.text("#map-facts")
    seen = "(f => { const p = f.at(3, 3); return [...f.context.getImageData(p[0], p[1], 1, 1).data]; })(window.factoryTwinMap)"
    margin = browser.run(seen)
    _choose(browser, "#map-layer", "shaded")
    browser.wait("document.querySelector('#map-legend').innerText.includes('20 % and more')")
    browser.wait(f"JSON.stringify({seen}) !== JSON.stringify({margin})")
    assert browser.problems == []


def test_the_floor_shows_where_agvs_stood_since_the_start(browser: Browser, twin: JobsTwin) -> None:
    twin.stopped.add("agv-01")
    try:
        _visit(browser, "floor")
        _choose(browser, "#layer-heat", "blocked_s")
        browser.wait("document.querySelector('#heat-legend').innerText.includes('AGVs standing where they should move [s]')")
        with httpx.Client(base_url=twin.server.url, trust_env=False) as client:
            client.post("/api/login", json={"user": "vera", "password": PASSWORDS["vera"]}).raise_for_status()
            wait_until(lambda: sum(client.get("/api/heat/blocked_s").json()["values"]) > 0.3)
            people = client.get("/api/heat/people").json()
            assert len(set(people["values"])) <= 4  # one value per zone, nothing finer
            assert max(people["values"]) > 1
            assert client.get("/api/heat/shoes").status_code == 422
    finally:
        twin.stopped.clear()
        _choose(browser, "#layer-heat", "")


def test_settings_are_kept_and_the_audit_log_is_shown(browser: Browser) -> None:
    _visit(browser, "settings")
    browser.wait("document.querySelector('tbody tr') !== null")
    assert "start_whatif" in browser.text("main") or "login" in browser.text("main")
    _choose(browser, "#setting-size", "130")
    assert browser.run("getComputedStyle(document.body).fontSize") == "19.5px"
    browser.call("Page.reload")
    browser.wait("document.querySelector('#setting-size')?.value === '130'")
    assert browser.run("getComputedStyle(document.body).fontSize") == "19.5px"
    _choose(browser, "#setting-size", "100")


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (820, 1180)])
def test_the_new_pages_fit_their_screen(browser: Browser, width: int, height: int) -> None:
    browser.resize(width, height)
    for name in ("whatif", "map", "settings"):
        _visit(browser, name)
        assert browser.run("document.documentElement.scrollWidth <= window.innerWidth"), name
        wide = (
            "[...document.querySelectorAll('aside, .card, .scroll')]"
            ".filter(e => e.checkVisibility() && e.scrollWidth > e.clientWidth + 1).map(e => e.className)"
        )
        assert browser.run(wide) == [], name
    browser.resize(1280, 800)
