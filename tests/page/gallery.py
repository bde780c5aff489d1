"""Takes every screen of the page at both sizes, to be looked at: ``python -m tests.page.gallery FOLDER [RUN [RUN2]]``.

Without run folders a real twin runs live beside it (``--scenario``, ``--set``) and every screen of it is taken for an engineer,
the floor for the other roles as well; with one or two run folders the screens of finished runs are taken.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parent))  # as pytest has it: these folders are no packages

from page_browser import Browser
from page_feed import PASSWORDS, free_port, write_users
from page_jobs import JobsTwin

from bridges.page.config import PageConfig
from factory.run_view import PageRun
from factory.view_command import RunPage

SIZES = ((1280, 800), (820, 1180))
_JOB_S = 180.0


class Gallery:
    """Takes pictures of what a browser shows.

    Parameters
    ----------
    browser : logged in. folder : where the pictures go.
    """

    def __init__(self, browser: Browser, folder: Path) -> None:
        self.browser, self.folder = browser, folder
        folder.mkdir(parents=True, exist_ok=True)

    def take(self, name: str) -> None:
        """Take a screen at every size."""
        for width, height in SIZES:
            self.browser.resize(width, height)
            time.sleep(1.0)  # what was asked for is drawn with the next messages
            path = self.folder / f"{name}-{width}.png"
            self.browser.picture(path)
            wide = self.browser.run("document.documentElement.scrollWidth - window.innerWidth")
            print(f"{path}{'' if wide <= 0 else f'  {wide} px too wide'}")
        self.browser.resize(*SIZES[0])

    def visit(self, name: str) -> None:
        """Go to a page by its link."""
        self.browser.click(f"nav a[href='/{name}']")
        self.browser.wait(f"document.querySelector('nav a[aria-current]')?.pathname === '/{name}'")

    def choose(self, selector: str, value: str) -> None:
        """Choose an entry of a list as a hand does."""
        self.browser.run(
            f"(() => {{ const e = document.querySelector('{selector}'); e.value = '{value}';"
            " e.dispatchEvent(new Event('change')); })()"
        )


@contextmanager
def _live(scenario: str, changes: list[str], folder: Path) -> Iterator[str]:
    """Run a twin live in a process of its own; yields the address of its page."""
    port = free_port()
    sets = [f"bridges.page.port={port}", f"bridges.page.user_file={write_users(folder / 'users.txt')}",
            "bridges.opcua.enabled=false", "bridges.mqtt.enabled=false", *changes]  # fmt: skip
    command = [sys.executable, "-m", "factory.cli", "live", scenario, "--state", str(folder / "state")]
    log = folder / "live.log"
    with log.open("w", encoding="utf-8") as out:
        process = subprocess.Popen([*command, *(a for s in sets for a in ("--set", s))], stdout=out, stderr=out)
        try:
            url, end = f"http://127.0.0.1:{port}/", time.monotonic() + 120
            while True:
                try:
                    httpx.get(url, trust_env=False)
                    break
                except httpx.TransportError:
                    assert process.poll() is None, log.read_text(encoding="utf-8")
                    assert time.monotonic() < end, "the twin does not answer"
                    time.sleep(0.2)
            yield url
        finally:
            process.terminate()
            process.wait(30)


def live_screens(gallery: Gallery, url: str, watch_s: float, fake: bool = False) -> None:
    """Take every screen of a live twin; a fake one tells no stories."""
    browser = gallery.browser
    browser.open(url)
    browser.wait("location.pathname === '/login' && !!document.querySelector('#user')")
    gallery.take("login")
    browser.log_in(url, "emil", PASSWORDS["emil"])
    for name in ("services", "outages"):
        gallery.visit(name)
        gallery.take(f"{name}-first")
    gallery.visit("floor")
    time.sleep(watch_s)
    gallery.take("floor")
    browser.click("#layer-names")
    browser.run("window.factoryTwinFloor.pick(window.factoryTwin.state.tick.machines[0].id)")
    gallery.take("floor-picked")
    browser.click("[data-act=stop]")
    browser.wait("document.querySelector('#confirm').open")
    gallery.take("floor-question")
    browser.click("#confirm-yes")
    browser.wait("document.querySelector('#told').textContent.startsWith('Done')")
    gallery.take("floor-stopped")
    browser.click("[data-act=release]")
    browser.wait("document.querySelector('#confirm').open")
    browser.click("#confirm-yes")
    browser.run("window.factoryTwinFloor.pick(null)")
    gallery.choose("#layer-heat", "people")
    gallery.take("floor-heat")
    gallery.choose("#layer-heat", "")
    browser.click("#view3d")
    browser.wait("window.factoryTwinSolid?.drawn > 0")
    gallery.take("floor-3d")
    browser.click("#view3d")
    for name in ("services", "outages", "machines", "settings", "whatif", "map"):
        gallery.visit(name)
        gallery.take(name)
    gallery.visit("outages")
    if browser.run("document.querySelectorAll('[data-story]').length") and not fake:
        browser.click("[data-story]")
        browser.wait("!!document.querySelector('#close-story')")
        browser.wait("document.querySelector('.moment').classList.contains('bad')")
        browser.click("#play")
        gallery.take("story")
        browser.click("#live")
    _ask(gallery)
    for user in ("vera", "sara"):
        browser.click("#logout")
        browser.wait("location.pathname === '/login'")
        browser.log_in(url, user, PASSWORDS[user])
        gallery.take(f"floor-{user}")
        if user == "vera":
            for name in ("outages", "machines", "whatif", "map"):
                gallery.visit(name)
                gallery.take(f"{name}-{user}")


def _ask(gallery: Gallery) -> None:
    browser = gallery.browser
    gallery.visit("whatif")
    trp = browser.run(
        "(() => { const f = window.factoryTwinDraft, t = f.all().find((x) => x.kind === 'trp'), p = f.at(t.x, t.y),"
        " b = f.canvas.getBoundingClientRect(); return [b.x + p[0], b.y + p[1]]; })()"
    )
    for kind, dx in (("mouseMoved", 0), ("mousePressed", 0), ("mouseMoved", 40), ("mouseMoved", 80), ("mouseReleased", 80)):
        held = {} if kind == "mouseMoved" and dx == 0 else {"button": "left", "buttons": 1, "clickCount": 1}
        browser.call("Input.dispatchMouseEvent", type=kind, x=trp[0] + dx, y=trp[1], **held)
    browser.run("document.querySelector('#whatif-seconds').value = 10")
    browser.wait("document.querySelectorAll('.changes li').length > 0")
    browser.click("form.whatif button[type=submit]")
    time.sleep(1.0)
    gallery.take("whatif-running")
    browser.wait("!document.querySelector('.card').hidden", _JOB_S)
    gallery.take("whatif-answer")
    gallery.visit("map")
    browser.click("form.whatif button[type=submit]")
    browser.wait("document.querySelectorAll('#map-legend li').length > 3", _JOB_S)
    gallery.take("map-answer")


def run_screens(gallery: Gallery, runs: list[Path], folder: Path) -> None:
    """Take every screen of finished runs."""
    browser = gallery.browser
    config = PageConfig(port=free_port(), user_file=write_users(folder / "users.txt"))
    page = RunPage(config, folder, [PageRun(r) for r in runs])
    page.open()
    try:
        browser.log_in(page.url, "emil", PASSWORDS["emil"])
        browser.click("#next-outage")
        gallery.take("run-floor")
        browser.click("#view3d")
        browser.wait("window.factoryTwinSolid?.drawn > 0")
        gallery.take("run-3d")
        browser.click("#view3d")
        for name in ("services", "outages", "machines", "whatif", "map", "settings"):
            gallery.visit(name)
            gallery.take(f"run-{name}")
        gallery.visit("outages")
        if browser.run("document.querySelectorAll('[data-story]').length"):
            browser.click("[data-story]")
            browser.wait("!!document.querySelector('#close-story')")
            gallery.take("run-story")
    finally:
        page.stop()


def main() -> None:
    """Take the pictures that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("runs", type=Path, nargs="*")
    parser.add_argument("--fake", action="store_true", help="a fake twin instead, which costs little")
    parser.add_argument("--scenario", default="default")
    parser.add_argument("--set", action="append", default=[], dest="changes")
    parser.add_argument("--watch-s", type=float, default=20.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as state, Browser(*SIZES[0]) as browser:
        gallery = Gallery(browser, asked.folder)
        if asked.runs:
            run_screens(gallery, asked.runs, Path(state))
        elif asked.fake:
            with JobsTwin(Path(state), free_port()) as twin:
                live_screens(gallery, twin.server.url, asked.watch_s, fake=True)
        else:
            with _live(asked.scenario, asked.changes, Path(state)) as url:
                live_screens(gallery, url, asked.watch_s)
        if browser.problems:
            print("problems:", *browser.problems, sep="\n  ")


if __name__ == "__main__":
    main()
