"""What the page costs: ``python -m tests.page.bench_viewers viewers|growth|share|memory|fps`` prints JSON.

``viewers`` alternates blocks of ticks with and without 20 open sockets in one run, paced by the clock as live mode paces them.
``growth`` lets a real headless Chromium read the tick messages of an hour at 10 Hz as fast as it can, and weighs its heap.
``share`` weighs the server of 100 bodies and 500 links at 10 Hz, with no viewer, one and 20. ``memory`` weighs the server's hub
over an hour of such views, as fast as it can. ``fps`` draws floor and 3D in headless Chromium without a graphics card, once with
100 bodies and 500 links, and once with 500 machines, for only the link of a machine is drawn. Results are kept in
``bench_viewers.json`` beside this file.
"""

from __future__ import annotations

import argparse
import json
import math
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

sys.path.insert(0, str(Path(__file__).parent))

VIEWERS = 20
MESSAGES_AN_HOUR = 36_000
_WATCHERS = """
import asyncio, sys
from websockets.asyncio.client import connect
async def watch(url, cookie):
    async with connect(url, proxy=None, max_size=None, additional_headers={"Cookie": cookie}) as socket:
        async for _ in socket:
            pass
async def main(url, cookie, n):
    loop = asyncio.get_running_loop()
    while (await loop.run_in_executor(None, sys.stdin.readline)).strip() == "open":
        tasks = [asyncio.create_task(watch(url, cookie)) for _ in range(n)]
        await loop.run_in_executor(None, sys.stdin.readline)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def viewers(scenario: str, pairs: int, ticks: int) -> dict[str, Any]:
    """Measure the tick with and without viewers; ratios are of paired neighbouring blocks, with Student's t over the pairs."""
    import httpx
    from page_feed import PASSWORDS, write_users

    from bridges.page.config import PageConfig
    from factory.page_view import Page
    from factory.publish import build_view
    from factory.scenario import load_scenario
    from factory.twin import Twin

    twin = Twin(load_scenario(scenario))
    folder = Path(tempfile.mkdtemp())
    page = Page(PageConfig(port=free_port(), user_file=write_users(folder / "users.txt")), folder, twin)
    page.start(build_view(twin, 1.0))
    with httpx.Client(base_url=page.url, trust_env=False) as client:
        client.post("/api/login", json={"user": "emil", "password": PASSWORDS["emil"]}).raise_for_status()
        cookie = "; ".join(f"{k}={v}" for k, v in client.cookies.items())
    url = page.url.replace("http", "ws") + "api/socket"
    watchers = subprocess.Popen([sys.executable, "-c", _WATCHERS, url, cookie, str(VIEWERS)], stdin=subprocess.PIPE, text=True)
    assert watchers.stdin is not None

    def switch(on: bool) -> None:
        assert watchers.stdin is not None
        watchers.stdin.write("open\n" if on else "close\n")
        watchers.stdin.flush()
        end = time.monotonic() + 120
        while (page.viewers < VIEWERS) if on else page.viewers:
            assert time.monotonic() < end
            time.sleep(0.05)

    def block() -> tuple[float, float]:
        """Mean time of the tick's thread on a processor, and median on the wall, per tick [ms]."""
        cpu, wall = [], []
        begun = time.monotonic()
        for n in range(ticks):
            c, w = time.thread_time(), time.perf_counter()
            twin.tick()
            cpu.append(time.thread_time() - c)
            wall.append(time.perf_counter() - w)
            if twin.time_us % 100_000 == 0:
                page.publish(build_view(twin, 1.0))
            time.sleep(max(0.0, begun + (n + 1) / 100 - time.monotonic()))
        return 1e3 * float(np.mean(cpu)), 1e3 * float(np.median(wall))

    block()
    rows = []
    for n in range(pairs):
        found = {}
        for on in (n % 2 == 0, n % 2 == 1):
            if on:
                switch(True)
            found[on] = block()
            if on:
                switch(False)
        rows.append((*found[False], *found[True]))
    watchers.stdin.close()
    watchers.wait(30)
    page.stop()
    twin.close()
    table = np.array(rows)
    return {
        "scenario": scenario, "viewers": VIEWERS, "pairs": pairs, "ticks_per_block": ticks,
        "tick_cpu_ms": {"alone": round(float(table[:, 0].mean()), 3), "viewers": round(float(table[:, 2].mean()), 3)},
        "cpu_ratio": _interval(table[:, 2] / table[:, 0]),
        "tick_wall_ms": {"alone": round(float(table[:, 1].mean()), 3), "viewers": round(float(table[:, 3].mean()), 3)},
        "wall_ratio": _interval(table[:, 3] / table[:, 1]),
    }  # fmt: skip


CROWD = {"agvs": 100, "cobots": 4, "extra_links": 396}
"""100 bodies that move and 4 arms, 500 links."""


def share(seconds: float) -> dict[str, Any]:
    """Weigh the server's part of a core: the whole process, whose other thread hands ready views over ten times a second."""
    from dataclasses import replace

    import httpx
    from page_feed import PASSWORDS, SCENE, make_view, write_users

    from bridges.inbox import Inbox
    from bridges.page.config import PageConfig
    from bridges.page.server import PageServer

    folder = Path(tempfile.mkdtemp())
    config = PageConfig(port=free_port(), user_file=write_users(folder / "users.txt"))
    page = PageServer(config, folder, Inbox(), SCENE)
    ready = [make_view(100_000 * i, **CROWD) for i in range(20)]
    page.start(ready[0])
    with httpx.Client(base_url=page.url, trust_env=False) as client:
        client.post("/api/login", json={"user": "emil", "password": PASSWORDS["emil"]}).raise_for_status()
        cookie = "; ".join(f"{k}={v}" for k, v in client.cookies.items())
    url = page.url.replace("http", "ws") + "api/socket"
    found: dict[str, float] = {}
    at = 0
    for n in (0, 1, VIEWERS):
        watchers = subprocess.Popen([sys.executable, "-c", _WATCHERS, url, cookie, str(n)], stdin=subprocess.PIPE, text=True)
        assert watchers.stdin is not None
        watchers.stdin.write("open\n")
        watchers.stdin.flush()
        end = time.monotonic() + 120
        while page.viewers < n:
            assert time.monotonic() < end, "the viewers did not come"
            time.sleep(0.05)
        cpu, begun = time.process_time(), time.monotonic()
        for i in range(round(10 * seconds)):
            at += 1
            page.publish(replace(ready[at % len(ready)], time_us=100_000 * at))
            time.sleep(max(0.0, begun + (i + 1) / 10 - time.monotonic()))
        found[str(n)] = round((time.process_time() - cpu) / (time.monotonic() - begun), 4)
        watchers.terminate()
        watchers.wait(30)
    page.stop()
    return {"bodies": 100, "links": 500, "hz": 10, "seconds_each": seconds, "share_of_a_core_by_viewers": found}


def memory(messages: int, parts: int = 6) -> dict[str, Any]:
    """Weigh the process of the server's hub after each part of so many views, with ten minutes of history."""
    import asyncio
    import gc
    from dataclasses import replace

    from page_feed import SCENE, make_view

    from bridges.page.hub import Hub

    hub = Hub(SCENE, 10.0)
    ready = [make_view(100_000 * i, **CROWD) for i in range(100)]
    resident = []

    async def feed(first: int, last: int) -> None:
        for i in range(first, last):
            hub.show(replace(ready[i % len(ready)], time_us=100_000 * i), None)

    for part in range(parts):
        asyncio.run(feed(part * messages // parts, (part + 1) * messages // parts))
        gc.collect()
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        resident.append(round(int(status.split("VmRSS:")[1].split()[0]) / 1e3, 1))
    return {"messages": messages, "links": 500, "history_minutes": 10, "resident_mb": resident}


def fps(seconds: float) -> dict[str, Any]:
    """Draw floor and 3D, whose eye turns, as often as the browser lets one: frames a second, in two halls."""
    return {
        "100 bodies, 500 links": _frames(seconds, people=40, agvs=56, cobots=4, extra_links=440),
        "500 machines with a link each, 100 people": _frames(seconds, people=100, agvs=496, cobots=4, extra_links=0),
        "seconds_each": seconds,
    }


def _frames(seconds: float, **sizes: int) -> dict[str, Any]:
    from page_browser import Browser
    from page_feed import PASSWORDS, FakeTwin

    count = (
        "(async (view, ask) => { const from = performance.now(), n = view.drawn; let now = from;"
        f" while (now - from < {1e3 * seconds}) {{ ask(); await new Promise(requestAnimationFrame);"
        " now = performance.now(); }"
        " return 1000 * (view.drawn - n) / (now - from); })"
    )
    with FakeTwin(Path(tempfile.mkdtemp()), free_port(), **sizes) as twin, Browser() as browser:
        browser.log_in(twin.server.url, "sara", PASSWORDS["sara"])
        browser.wait("window.factoryTwinFloor.drawn > 5")
        floor = browser.run(f"{count}(window.factoryTwinFloor, () => window.factoryTwinFloor.ask())")
        browser.click("#view3d")
        browser.wait("window.factoryTwinSolid?.drawn > 3")
        solid = browser.run(f"{count}(window.factoryTwinSolid, () => window.factoryTwinSolid.move(2, 0))")
        points = browser.run("window.factoryTwinSolid.points ?? 1")
    return {"floor": round(floor, 1), "3d": round(solid, 1), "share of points in 3d": round(points, 2)}


def _interval(ratio: np.ndarray) -> dict[str, float]:
    mean = float(ratio.mean())
    half = float(stats.t.ppf(0.975, len(ratio) - 1) * ratio.std(ddof=1) / math.sqrt(len(ratio)))
    return {"mean": round(mean, 4), "low": round(mean - half, 4), "high": round(mean + half, 4)}


def growth(messages: int, parts: int = 6) -> dict[str, Any]:
    """Weigh the heap of the floor's page after each part of so many tick messages, with rubbish collected."""
    from page_browser import Browser
    from page_feed import PASSWORDS, FakeTwin

    with FakeTwin(Path(tempfile.mkdtemp()), free_port(), agvs=100, cobots=4, extra_links=396) as twin, Browser() as browser:
        browser.log_in(twin.server.url, "emil", PASSWORDS["emil"])
        return {"messages": messages, "links": 500, **feed_page(browser, messages, parts)}


def feed_page(browser: Any, messages: int, parts: int) -> dict[str, Any]:
    """Feed an open page with copies of its latest tick, each a tenth of a second later, and weigh its heap."""
    browser.wait("window.factoryTwin.frames > 2")
    browser.call("HeapProfiler.enable")
    browser.run(
        "window.feed = async (n) => { const s = window.factoryTwin.socket; s.onceFed ??= new Promise((d) => s.addEventListener("
        "'message', ({data}) => { if (data.startsWith('{\"type\":\"tick\"')) d(data); }));"
        " const text = await s.onceFed; const t0 = window.fedTo ?? JSON.parse(text).t;"
        " for (let i = 1; i <= n; i += 1) { window.fedTo = t0 + 100000 * i;"
        ' s.dispatchEvent(new MessageEvent(\'message\', {data: text.replace(/"t":\\d+/, `"t":${window.fedTo}`)}));'
        " if (i % 50 === 0) await new Promise((d) => setTimeout(d, 0)); } return true; }; 1"
    )
    heap = []
    for _ in range(parts):
        left = messages // parts
        while left > 0:
            browser.run(f"window.feed({min(left, 300)})")
            left -= 300
        browser.call("HeapProfiler.collectGarbage")
        heap.append(round(browser.call("Runtime.getHeapUsage")["usedSize"] / 1e6, 3))
    nodes = browser.run("document.getElementsByTagName('*').length")
    return {"heap_mb": heap, "dom_nodes": nodes, "frames": browser.run("window.factoryTwin.frames")}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("viewers", "growth", "share", "memory", "fps"))
    parser.add_argument("--scenario", default="default")
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--ticks", type=int, default=300)
    parser.add_argument("--messages", type=int, default=MESSAGES_AN_HOUR)
    parser.add_argument("--seconds", type=float, default=20.0)
    asked = parser.parse_args()
    jobs = {
        "viewers": lambda: viewers(asked.scenario, asked.pairs, asked.ticks),
        "growth": lambda: growth(asked.messages),
        "share": lambda: share(asked.seconds),
        "memory": lambda: memory(asked.messages),
        "fps": lambda: fps(asked.seconds),
    }
    print(json.dumps(jobs[asked.what](), indent=2))
