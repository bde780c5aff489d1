"""The page before a real twin: a what-if and a radio map are asked for over REST while it ticks, and answered."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import httpx
from page_feed import PASSWORDS, write_users

from bridges.page.config import PageConfig
from factory.page_view import Page
from factory.publish import build_view
from factory.scenario import load_scenario
from factory.twin import Twin


def _asked(url: str, found: dict[str, Any]) -> None:
    with httpx.Client(base_url=url, trust_env=False, timeout=60.0) as client:
        client.post("/api/login", json={"user": "emil", "password": PASSWORDS["emil"]}).raise_for_status()
        found["scene"] = client.get("/api/scene").json()
        for name, path, body in (
            ("whatif", "/api/whatif", {"changes": ["radio.outages=[{trp: ceiling-west, from_s: 0}]"], "seconds": 2.0}),
            ("map", "/api/radio-map", {"cell_m": 1.0, "draws": 2}),
        ):
            job = client.post(path, json=body).raise_for_status().json()
            while job["state"] == "running":
                time.sleep(0.05)
                job = client.get(f"/api/jobs/{job['job']}").raise_for_status().json()
            found[name] = job
        found["people"] = client.get("/api/heat/people").json()


def test_a_what_if_and_a_map_are_asked_of_a_running_twin(tmp_path: Path, port: int) -> None:
    twin = Twin(load_scenario("small"))
    page = Page(PageConfig(port=port, user_file=write_users(tmp_path / "users.txt")), tmp_path, twin)
    found: dict[str, Any] = {}
    try:
        page.start(build_view(twin, 1.0))
        asking = threading.Thread(target=_asked, args=(page.url, found))
        asking.start()
        end = time.monotonic() + 300
        while asking.is_alive():
            assert time.monotonic() < end, found
            twin.tick()
            if twin.time_us % 100_000 == 0:
                page.publish(build_view(twin, 1.0))
            time.sleep(0.002)
        asking.join()
    finally:
        page.stop()
        twin.close()
    assert (found["whatif"]["state"], found["whatif"]["from"]) == ("done", "present"), found["whatif"]
    assert found["whatif"]["from_us"] > 0
    rows = {row["key"]: row for row in found["whatif"]["result"]["rows"]}
    assert rows["service.agv-control.unavailability"]["other"] > 0
    assert (found["map"]["state"], found["map"]["result"]["nx"]) == ("done", 30)
    assert found["scene"]["movable"]
    assert ["people.count", "People", 6.0, 0.0, 200.0, 1.0] in found["scene"]["knobs"]
    assert found["people"]["seconds"] > 0.5
