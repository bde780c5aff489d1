"""A real headless Chromium over the DevTools protocol: open, click, type, evaluate, and a log of every request."""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

REQUIRE = os.environ.get("FACTORY_TWIN_REQUIRE_COUNTERPARTS") == "1"
WAIT_S = 60.0
"""A wait ends when it comes true; on a busy machine that takes long, and only what never comes true is a failure."""
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def require(present: bool, what: str) -> None:
    """Go on where something is present; else skip, or fail where FACTORY_TWIN_REQUIRE_COUNTERPARTS=1, as in CI."""
    if present:
        return
    reason = f"{what} is not installed; tests/counterparts/install.sh installs it"
    if REQUIRE:
        pytest.fail(reason)
    pytest.skip(reason)


class Browser:
    """One page in one browser with an empty profile.

    Attributes
    ----------
    requests : URLs of all requests of the page. frames : texts that came over its sockets. problems : exceptions and violations.
    """

    def __init__(self, width: int = 1280, height: int = 800) -> None:
        require(CHROMIUM is not None, "chromium")
        assert CHROMIUM is not None
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            [
                CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                "--enable-unsafe-swiftshader",  # WebGL without a graphics card
                "--remote-debugging-port=0", f"--user-data-dir={self._folder.name}", "--disable-background-networking",
                "--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # the cable is pulled
                f"--window-size={width},{height}", "about:blank",
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        port_file = Path(self._folder.name) / "DevToolsActivePort"
        end = time.monotonic() + WAIT_S
        while not port_file.exists() or not port_file.read_text(encoding="utf-8").count("\n"):
            assert time.monotonic() < end, "the browser did not start"
            time.sleep(0.05)
        port = port_file.read_text(encoding="utf-8").splitlines()[0]
        targets = httpx.get(f"http://127.0.0.1:{port}/json/list", trust_env=False).json()
        page = next(t for t in targets if t["type"] == "page")
        self._socket: ClientConnection = connect(page["webSocketDebuggerUrl"], max_size=None, proxy=None)
        self._numbers = itertools.count(1)
        self.requests: list[str] = []
        self.frames: list[str] = []
        self.problems: list[str] = []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.resize(width, height)

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *failure: object) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait(10)
        self._folder.cleanup()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result; events that come meanwhile are noted."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=WAIT_S))
            if message.get("id") == number:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        method, found = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(found["request"]["url"])
        elif method == "Network.webSocketCreated":
            self.requests.append(found["url"])
        elif method == "Network.webSocketFrameReceived":
            self.frames.append(found["response"]["payloadData"])
        elif method == "Runtime.exceptionThrown":
            self.problems.append(json.dumps(found["exceptionDetails"])[:500])
        elif method == "Log.entryAdded" and found["entry"]["level"] == "error":
            self.problems.append(found["entry"]["text"])

    def resize(self, width: int, height: int) -> None:
        """Set the size of the page [px]."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def run(self, script: str) -> Any:
        """Evaluate an expression on the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, script: str, seconds: float = WAIT_S) -> Any:
        """Wait until an expression is true and return it."""
        end = time.monotonic() + seconds
        while True:
            value = self.run(script)
            if value:
                return value
            assert time.monotonic() < end, f"{script}; {self.problems}"
            time.sleep(0.05)

    def open(self, url: str) -> None:
        """Go to an address and wait until it is loaded."""
        self.call("Page.navigate", url=url)
        self.wait(f"document.readyState === 'complete' && location.href !== 'about:blank' && {json.dumps(url)} !== ''")

    def click(self, selector: str) -> None:
        """Click the middle of an element with the mouse."""
        quoted = json.dumps(selector)
        self.wait(f"!!document.querySelector({quoted})")
        box = self.run(
            f"(() => {{ const e = document.querySelector({quoted}); e.scrollIntoView({{block: 'center'}});"
            " const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        self.click_at(*box)

    def click_at(self, x: float, y: float) -> None:
        """Click a point [px]."""
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def type(self, selector: str, text: str) -> None:
        """Type into a field."""
        self.run(f"document.querySelector({json.dumps(selector)}).focus()")
        self.call("Input.insertText", text=text)

    def key(self, key: str, code: int) -> None:
        """Press and release a key."""
        text = {"text": "\r"} if key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def text(self, selector: str) -> str:
        """Return the visible text of an element."""
        return str(self.run(f"document.querySelector({json.dumps(selector)}).innerText"))

    def picture(self, path: Path) -> None:
        """Write a PNG of the page."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def log_in(self, url: str, user: str, password: str) -> None:
        """Open the page and log in."""
        self.open(url)
        self.wait("location.pathname === '/login' && !!document.querySelector('#user')")
        self.type("#user", user)
        self.type("#password", password)
        self.click("button[type=submit]")
        self.wait("location.pathname === '/floor' && window.factoryTwin?.frames > 2")
