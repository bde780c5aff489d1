"""The report page: complete, self-contained, the same every time, and readable whatever the run held."""

from __future__ import annotations

import io
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from PIL import Image
from synthetic_run import make_run

from factory.report import build_report
from factory.report.build import PAGE_BYTES_MAX, PICTURE_BYTES_MAX
from factory.run_folder import Run, RunFolder, RunFolderError

_VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """Collects what the page refers to, its ids and its visible text; fails on tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in _VOID:
            self.open.append(tag)
        self._attributes(attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._attributes(attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    def _attributes(self, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "xlink:href", "srcset", "action", "data", "poster"):
                self.links.append(value or "")

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture(scope="module")
def page(run_path: Path) -> Page:
    return Page(build_report(run_path).read_text(encoding="utf-8"))


def copy_with(run_path: Path, target: Path, kpi: dict[str, Any] | None) -> Path:
    shutil.copytree(run_path, target)
    if kpi is None:
        (target / "kpi.json").unlink()
    else:
        (target / "kpi.json").write_text(json.dumps(kpi), encoding="utf-8")
    return target


def test_the_page_asks_for_nothing_but_itself(run_path: Path, page: Page) -> None:
    path = run_path / "report.html"
    text = path.read_text(encoding="utf-8")
    assert path.stat().st_size < PAGE_BYTES_MAX
    assert "script" not in page.tags
    assert "iframe" not in page.tags
    assert all(link.startswith(("data:", "#")) for link in page.links)
    assert all(target.startswith(("#", "data:")) for target in re.findall(r"url\(([^)]*)\)", text))
    assert "@import" not in text
    inside = {link[1:] for link in page.links if link.startswith("#")} | set(re.findall(r"url\(#([^)]*)\)", text))
    assert inside <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


def test_the_page_starts_with_the_answer_and_keeps_its_order(page: Page) -> None:
    text = page.text
    parts = [
        "were lost or late",
        "On the same footsteps",
        "Policies on the same footsteps",
        "Services against their targets",
        "Lost messages by cause",
        "Where on the floor",
        "One row per device",
        "The worst of",
        "Production",
        "The scene",
        "Scenario",
        "Provenance",
        "nines",
    ]
    at = 0
    for part in parts:
        found = text.find(part, at)
        assert found >= 0, part
        at = found


def test_no_figure_is_shown_as_nan_or_none(page: Page) -> None:
    assert not re.search(r"\b(nan|NaN|None|inf|undefined|null)\b", page.text)


def test_the_page_names_policies_services_blockers_and_provenance(run_path: Path, page: Page) -> None:
    info = Run(run_path).info
    for word in ("static", "reactive", "human_aware", "panel-estop", "aisle-west", "trunk", info["scenario_sha256"], "2.4.6"):
        assert word in page.text, word
    assert re.search(r"person-[0-9a-f]{4}", page.text)
    assert "machines stopped 23 times (7 for radio, 16 for a person too near)" in page.text


def test_the_same_folder_gives_the_same_page(run_path: Path) -> None:
    first = build_report(run_path).read_bytes()
    assert build_report(run_path).read_bytes() == first


def test_matplotlib_is_left_as_it_was(run_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    build_report(run_path)
    assert dict(matplotlib.rcParams) == before


def test_a_run_without_losses_reads_well(lossless_path: Path) -> None:
    page = Page(build_report(lossless_path).read_text(encoding="utf-8"))
    assert "no packet was lost" in page.text
    assert "No service was down" in page.text
    assert "so there is no cause to name" in page.text
    assert re.search(r"> \d+\u202f(s|min) no failure in the run", re.sub(r"[ \n]+", " ", " ".join(page.words)))
    assert "No machine lost time." in page.text
    assert not re.search(r"\b(nan|None|inf)\b", page.text)


def test_a_run_that_was_broken_off_says_so(run_path: Path, tmp_path: Path) -> None:
    path = copy_with(run_path, tmp_path / "run", None)
    info = json.loads((path / "run.json").read_text(encoding="utf-8")) | {"state": "interrupted", "simulated_s": 90.0}
    (path / "run.json").write_text(json.dumps(info), encoding="utf-8")
    page = Page(build_report(path).read_text(encoding="utf-8"))
    assert "did not come to its end (state: interrupted)" in page.text
    assert "broken off after 90" in page.text
    assert "Services against their targets" not in page.text
    assert "Lost messages by cause" in page.text


def test_a_run_that_recorded_nothing_still_has_a_page(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run", "name: empty\n", {"name": "empty", "hall": {"size_m": [20, 10, 5]}}, 1)
    page = Page(build_report(folder.path).read_text(encoding="utf-8"))
    assert "No state of any device is recorded." in page.text
    assert "state: running" in page.text


def test_figures_that_are_not_known_come_with_their_reason(run_path: Path, tmp_path: Path) -> None:
    kpi = Run(run_path).kpi
    reason = "the hall has no device of this service"
    kpi["services"].append(
        {"name": "spare", "profile": "mobile-robot", "devices": 0, "messages": 0, "reason": reason, "met": None}
    )
    kpi["services"][0]["latency_ms"] = dict.fromkeys(("p50", "p95", "p99", "p999"))
    kpi["services"][1]["mtbf_s"] = {"value": None, "low": 4000.0, "high": None, "reason": "no failure is expected"}
    page = Page(build_report(copy_with(run_path, tmp_path / "run", kpi)).read_text(encoding="utf-8"))
    assert f"not known {reason}" in page.text
    assert "too few messages" in page.text
    assert "> 66.7\u202fmin no failure is expected" in re.sub(r"[ \n]+", " ", " ".join(page.words))


def test_a_run_without_radio_says_so(run_path: Path, tmp_path: Path) -> None:
    kpi = Run(run_path).kpi | {"services": [], "policies": {}, "acting_policy": None, "outages_by_cause": {}}
    page = Page(build_report(copy_with(run_path, tmp_path / "run", kpi)).read_text(encoding="utf-8"))
    assert "This run had no radio service" in page.text
    assert "the fleet finished 3 orders" in page.text.replace("The fleet", "the fleet")


def test_a_large_picture_is_made_small_enough(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run", duration_s=3.0, scene=False)
    noise = np.random.default_rng(1).integers(0, 255, (900, 1400, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, format="PNG")
    assert len(buffer.getvalue()) > PICTURE_BYTES_MAX
    (path / "scene.png").write_bytes(buffer.getvalue())
    report = build_report(path)
    assert report.stat().st_size < PAGE_BYTES_MAX
    (picture,) = [link for link in Page(report.read_text(encoding="utf-8")).links if link.startswith("data:image/jpeg")]
    assert len(picture) * 3 / 4 <= PICTURE_BYTES_MAX + 100


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"holds no run\.json"):
        build_report(tmp_path)
