"""Finished runs, stories and the 3D view in a real headless Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from page_browser import Browser
from page_feed import PASSWORDS, FakeTwin, free_port, wait_until, write_users
from page_run import END_US, write_run

from bridges.page.config import PageConfig
from bridges.page.story import Story
from factory.run_view import PageRun
from factory.view_command import RunPage

HEADSET = """
(() => {
  const eye = (x) => ({ projectionMatrix: new Float32Array([1,0,0,0, 0,1,0,0, 0,0,-1,-1, 0,0,-0.2,0]), x,
    transform: { inverse: { matrix: new Float32Array([1,0,0,0, 0,1,0,0, 0,0,1,0, -x,-1.6,0,1]) } } });
  window.viewports = new Set();
  window.XRWebGLLayer = class {
    constructor() { this.framebuffer = null; }
    getViewport(view) { window.viewports.add(view.x); return { x: view.x < 0 ? 0 : 64, y: 0, width: 64, height: 64 }; }
  };
  class Session extends EventTarget {
    updateRenderState(state) { this.state = state; }
    async requestReferenceSpace(kind) { if (kind !== "local") throw new Error("unknown here"); return kind; }
    requestAnimationFrame(draw) {
      setTimeout(() => draw(0, { getViewerPose: () => ({ views: [eye(-0.03), eye(0.03)] }) }), 20);
    }
    end() { this.dispatchEvent(new Event("end")); }
  }
  WebGL2RenderingContext.prototype.makeXRCompatible = async () => {};
  Object.defineProperty(navigator, "xr", { value: {
    isSessionSupported: async (mode) => mode === "immersive-vr", requestSession: async () => new Session() } });
})()
"""
"""A headset with two eyes that knows no floor: enough of WebXR for the page to enter and leave it."""


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


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunPage, RunPage]]:
    """One run, and two beside each other."""
    runs = tmp_path_factory.mktemp("runs")
    first, second = write_run(runs / "shift-a"), write_run(runs / "shift-b", "human_aware", outage=False, shift_m=1.0)
    served = []
    for folders in ((first,), (first, second)):
        state = tmp_path_factory.mktemp("state")
        config = PageConfig(port=free_port(), user_file=write_users(state / "users.txt"))
        page = RunPage(config, state, [PageRun(f) for f in folders])
        page.open()
        served.append(page)
    yield served[0], served[1]
    for page in served:
        page.stop()


def _set(browser: Browser, selector: str, value: str, event: str) -> None:
    find = f"const e = document.querySelector('{selector}')"
    browser.run(f"(() => {{ {find}; e.value = {value}; e.dispatchEvent(new Event('{event}')); }})()")


def _seconds(browser: Browser) -> float:
    return float(browser.run("window.factoryTwin.state.tick?.time")) / 1e6


def test_a_run_is_watched_wound_and_explained(fresh: Browser, pages: tuple[RunPage, RunPage]) -> None:
    fresh.log_in(pages[0].url, "emil", PASSWORDS["emil"])
    fresh.wait("window.factoryTwin.state.tick?.time >= 300000")
    fresh.click("#play")
    stood = _seconds(fresh)
    fresh.click("#next-outage")
    fresh.wait("window.factoryTwin.player.us === 3000000 && window.factoryTwin.state.tick?.time === 3000000")
    assert stood < 3.0
    assert "44 of agv-control: a body in the path" in fresh.text("#told")
    fresh.click("[data-why]")
    fresh.wait("!!document.querySelector('#close-story')")
    assert "a person stood in the path of north." in fresh.text("#story")
    assert fresh.run("window.factoryTwinFloor.picked") == "agv-02"
    fresh.run("window.factoryTwin.player.seek(3500000)")
    fresh.wait("document.querySelector('.moment').textContent === 'messages are being lost'")
    fresh.run("window.factoryTwin.player.seek(5820000)")  # its seconds end 2 s after the last loss, and begin again
    fresh.wait("window.factoryTwin.state.tick?.time < 3000000 && window.factoryTwin.player.playing")
    fresh.click("#close-story")
    fresh.wait("document.querySelector('#close-story') === null && !window.factoryTwin.player.playing")
    _set(fresh, "#scrub", "10", "input")
    fresh.wait("window.factoryTwin.state.tick?.time === 10000000")
    fresh.click("nav a[href='/services']")
    fresh.wait("document.querySelector('main').innerText.includes('1.53')")  # 0.89 s down of 3 x 10 s
    fresh.click("nav a[href='/outages']")
    fresh.wait("document.querySelectorAll('[data-story]').length === 1")
    fresh.click("#all-losses")
    fresh.wait("document.querySelectorAll('[data-story]').length === 2")
    _set(fresh, "#play-speed", "60", "change")
    fresh.click("#play")
    fresh.wait(f"window.factoryTwin.player.us === {END_US - 100_000} && !window.factoryTwin.player.playing")
    assert fresh.run("document.querySelector('#steer').hidden")
    assert fresh.problems == []


def test_two_runs_share_their_clock(fresh: Browser, pages: tuple[RunPage, RunPage]) -> None:
    fresh.log_in(pages[1].url, "emil", PASSWORDS["emil"])
    fresh.wait("document.querySelectorAll('.halves canvas').length === 2")
    together = (
        "(() => { const s = window.factoryTwin.state, x = (tick) => tick.machines[0].x;"
        " return [s.tick.time - s.other.tick.time, x(s.other.tick) - x(s.tick)]; })()"
    )
    for us in (500_000, 7_000_000):
        fresh.run(f"window.factoryTwin.player.seek({us})")
        fresh.wait(f"window.factoryTwin.state.tick?.time >= {us}")
        apart_us, apart_m = fresh.run(together)
        assert apart_us == 0
        assert apart_m == pytest.approx(1.0, abs=0.011)
    assert fresh.text("#connection") == "shift-a (reactive) | shift-b (human_aware)"
    fresh.run("window.factoryTwinFloor.zoomBy(2)")
    fresh.click("#previous-outage")
    fresh.wait("window.factoryTwin.state.other.tick.time === 3000000")
    fresh.run("window.factoryTwin.player.seek(3500000)")
    fresh.run("window.factoryTwinFloor.pick('agv-02')")
    fresh.wait("document.querySelector('#details').innerText.includes('a person | nothing')")
    for width, height in ((1280, 800), (820, 1180)):
        fresh.resize(width, height)
        assert fresh.run("document.documentElement.scrollWidth <= window.innerWidth")
    assert fresh.problems == []


@pytest.mark.parametrize(("user", "people"), [("vera", 0), ("sara", 1)])
def test_the_hall_is_seen_in_3d_and_entered(fresh: Browser, pages: tuple[RunPage, RunPage], user: str, people: int) -> None:
    script = fresh.call("Page.addScriptToEvaluateOnNewDocument", source=HEADSET)["identifier"]
    try:
        fresh.log_in(pages[0].url, user, PASSWORDS[user])
        fresh.click("#play")
        fresh.click("#view3d")
        fresh.wait("window.factoryTwinSolid?.drawn > 0")
        # a capsule and a head of a person: three balls more than the arm and the links have
        balls = "window.factoryTwinSolid.scene.parts.get('ball').length / 20"
        assert fresh.run(balls) == 16 + 3 * people
        assert fresh.run("window.factoryTwinSolid.scene.parts.has('cone clear')")
        colours = (
            "(() => { const v = window.factoryTwinSolid, g = v.renderer.gl, p = new Uint8Array(4 * 64 * 64); v.draw();"
            " g.readPixels(v.canvas.width / 2 - 32, v.canvas.height / 2 - 32, 64, 64, g.RGBA, g.UNSIGNED_BYTE, p);"
            " return new Set(new Uint32Array(p.buffer)).size; })()"
        )
        assert fresh.run(colours) > 1
        _set(fresh, "#solid-from", "'north'", "change")
        fresh.wait("document.querySelector('.solid-note').textContent.startsWith('What north sees: it serves 2 of 5')")
        # seen from north, which looks south, a machine that it serves is on the picture
        assert fresh.run(
            "(() => { const v = window.factoryTwinSolid, at = v.at([30, 20, 1]); return at[0] > 0 && at[0] < v.width; })()"
        )
        fresh.wait("!document.querySelector('#solid-headset').hidden")
        fresh.click("#solid-headset")
        fresh.wait("window.factoryTwinSolid.xr.frames > 2 && window.viewports.size === 2")
        fresh.click("#solid-headset")
        fresh.wait("window.factoryTwinSolid.xr.session === null")
        fresh.click("#view3d")
        fresh.wait("document.querySelector('#solid') === null")
        assert fresh.problems == []
    finally:
        fresh.call("Page.removeScriptToEvaluateOnNewDocument", identifier=script)


class _Told:
    """Tells one story and notes what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, int | None, bool]] = []

    def tell(self, service: str, start_us: int, end_us: int | None, see_people: bool) -> Story | None:
        self.asked.append((service, start_us, end_us, see_people))
        sections = (("Why", "a person stood in the path of ceiling-north."),)
        return Story("agv-02 lost 9 messages.", sections, "agv-02", service, "ceiling-north", 3_000_000, 3_900_000)


def test_an_outage_of_the_last_minutes_is_told_while_the_twin_runs(fresh: Browser, tmp_path: Path) -> None:
    twin, told = FakeTwin(tmp_path, free_port()), _Told()
    twin.time_us = 2_500_000
    twin.server.stories = told
    with twin:
        fresh.log_in(twin.server.url, "emil", PASSWORDS["emil"])
        wait_until(lambda: twin.time_us > 4_200_000)
        fresh.click("nav a[href='/outages']")
        fresh.click("[data-story]")
        fresh.wait("location.pathname === '/floor' && !!document.querySelector('#close-story')")
        assert told.asked == [("panel-estop", 3_000_000, 4_000_000, False)]
        fresh.wait("!window.factoryTwin.state.live && window.factoryTwin.state.tick?.time >= 3000000")
        assert "a person stood in the path" in fresh.text("#story")
        fresh.click("#close-story")
        fresh.click("#live")
        fresh.wait("window.factoryTwin.state.live && window.factoryTwin.state.tick?.time > 4200000")
        assert fresh.problems == []
