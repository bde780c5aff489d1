"""Writes the pictures of docs/page.md: ``python -m tests.page.screenshots FOLDER [RUN [RUN2]]``.

Without run folders the small runs of the tests are shown. Pictures have few colours, so that they stay small.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))  # as pytest has it: these folders are no packages

from page_browser import Browser
from page_feed import PASSWORDS, free_port, write_users
from page_run import write_run

from bridges.page.config import PageConfig
from factory.run_view import PageRun
from factory.view_command import RunPage

_COLOURS = 255


def _take(browser: Browser, path: Path) -> None:
    time.sleep(0.8)  # what was asked for is drawn with the next frames
    browser.picture(path)
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
    small.save(path, optimize=True)
    print(f"{path}  {path.stat().st_size / 1000:.0f} kB")


def main(folder: Path, runs: list[Path]) -> None:
    """Take four pictures: a story, two runs beside each other, the hall in 3D, and what a TRP sees."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as state, Browser(1280, 800) as browser:
        if not runs:
            runs = [write_run(Path(state) / "shift-a"), write_run(Path(state) / "shift-b", "human_aware", outage=False)]
        users = write_users(Path(state) / "users.txt")
        for shown in ([runs[0]], runs):
            browser.call("Network.clearBrowserCookies")
            page = RunPage(PageConfig(port=free_port(), user_file=users), Path(state), [PageRun(r) for r in shown])
            page.open()
            try:
                browser.log_in(page.url, "emil", PASSWORDS["emil"])
                browser.click("#next-outage")
                if len(shown) > 1:
                    _take(browser, folder / "page-two-runs.png")
                    continue
                browser.click("#view3d")
                browser.wait("window.factoryTwinSolid?.drawn > 0", 60)
                _take(browser, folder / "page-3d.png")
                trp = browser.run(
                    "window.factoryTwin.state.tick.links.filter((l) => l.trp).sort((a, b) => a.margin - b.margin)[0].trp.name"
                )
                select = "const s = document.querySelector('#solid-from')"
                browser.run(f"(() => {{ {select}; s.value = '{trp}'; s.dispatchEvent(new Event('change')); }})()")
                _take(browser, folder / "page-trp.png")
                browser.click("#view3d")
                browser.click("[data-why]")
                browser.wait("!!document.querySelector('#close-story')")
                browser.wait("document.querySelector('.moment').classList.contains('bad')", 60)
                browser.click("#play")
                _take(browser, folder / "page-story.png")
            finally:
                page.stop()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit("usage: python -m tests.page.screenshots FOLDER [RUN [RUN2]]")
    main(Path(sys.argv[1]), [Path(a) for a in sys.argv[2:4]])
