"""``factory-twin view``: one or two finished runs in the page of this machine's browser."""

from __future__ import annotations

import signal
import threading
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from rich.console import Console

from bridges.errors import BridgeError
from bridges.page.config import PageConfig
from bridges.page.replay import RUNS_MAX
from bridges.page.server import PageServer
from factory.errors import UserError
from factory.page_solid import solid_of_json
from factory.run_view import PageRun

__all__ = ["RunPage", "open_browser", "view_command"]


class RunPage(PageServer):
    """The page of finished runs.

    Parameters
    ----------
    config : address, users and TLS. state_dir : folder of the made password and the audit log.
    runs : one or two runs.

    Raises
    ------
    UserError
        For no run, or more than two.
    """

    def __init__(self, config: PageConfig, state_dir: Path, runs: Sequence[PageRun]) -> None:
        if not 1 <= len(runs) <= RUNS_MAX:
            raise UserError(f"{len(runs)} runs to view; give one, or two to see them side by side")
        super().__init__(config, state_dir, None, runs[0].scene)
        self.runs = tuple(runs)
        self.solid = solid_of_json(runs[0].facts.scenario)
        self._first = runs[0].view(runs[0].card.start_us)

    def open(self) -> None:
        """Start serving."""
        self.start(self._first)


def view_command(
    folders: Sequence[Path],
    state: Path,
    port: int,
    show: bool,
    seconds: float | None,
    console: Console,
    stop: threading.Event | None = None,
) -> int:
    """Serve the page of runs until Ctrl-C, SIGTERM or ``seconds``.

    Parameters
    ----------
    folders : one or two run folders. state : folder of password and audit log. port : TCP port.
    show : open the browser. seconds : end by itself after so long, None for never.
    stop : ends it from outside.

    Returns
    -------
    int
        Exit code 0; wrong input raises :class:`UserError`.
    """
    with console.status("reading"):
        page = RunPage(PageConfig(port=port), state, [PageRun(folder) for folder in folders])
    try:
        page.open()
    except BridgeError as error:
        raise UserError(str(error)) from error
    console.print(f"Page:   {page.url}", soft_wrap=True)
    for notice in page.notices:
        console.print(notice, soft_wrap=True)
    console.print("Ctrl-C stops.")
    ended = stop if stop is not None else threading.Event()

    def ask_to_stop(signum: int, frame: FrameType | None) -> None:
        ended.set()

    previous = {s: signal.signal(s, ask_to_stop) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        if show:
            open_browser(page.url, console.print)
        ended.wait(seconds)
    finally:
        page.stop()
        for s, handler in previous.items():
            signal.signal(s, handler)
    return 0


def open_browser(url: str, tell: Callable[[str], None]) -> None:
    """Open an address in the person's browser; where there is none, say what to do instead."""
    if not webbrowser.open(url):
        tell(f"No browser could be opened here; open {url} in one.")
