"""The comparison page: whole, self-contained, answer first; its maps add up to the table."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from compare_study import make_run, make_study, scenario
from rich.console import Console
from typer.testing import CliRunner

from factory.cli import app
from factory.errors import UserError
from factory.run_folder import Run
from factory.study.compare import compare, load_runs, load_study
from factory.study.compare_command import compare_command
from factory.study.compare_curves import cumulative_min, outage_lengths_s
from factory.study.compare_maps import MAPS, blocked_s, floor_maps, table_total_s
from factory.study.report import build_comparison
from factory.study.report.build import PAGE_BYTES_MAX

_VOID = {"meta", "link", "br", "hr", "img"}


class Page(HTMLParser):
    """Collects references, ids and visible words; fails on tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _VOID:
            self.open.append(tag)
        self.handle_startendtag(tag, attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "xlink:href", "srcset", "action", "data"):
                self.links.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)


@pytest.fixture(scope="module")
def study_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("study") / "hall-study"
    make_study(path, {"base": 1.0, "half": 0.5, "tenth": 0.1}, range(1, 9))
    return path


@pytest.fixture(scope="module")
def page_path(study_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_comparison(compare(load_study(study_path)), tmp_path_factory.mktemp("page"))


def test_the_page_asks_for_nothing_but_itself(page_path: Path) -> None:
    text = page_path.read_text(encoding="utf-8")
    page = Page(text)
    assert page_path.stat().st_size < PAGE_BYTES_MAX
    assert not {"script", "iframe", "object"} & set(page.tags)
    assert all(link.startswith(("data:", "#")) for link in page.links)
    assert all(target.startswith(("#", "data:")) for target in re.findall(r"url\(([^)]*)\)", text))
    inside = {link[1:] for link in page.links if link.startswith("#")} | set(re.findall(r"url\(#([^)]*)\)", text))
    assert inside <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert "@media print" in text


def test_the_page_tells_its_parts_in_order(page_path: Path) -> None:
    text = Page(page_path.read_text(encoding="utf-8")).text
    parts = [
        "8 common seeds, 2 simulated minutes each", "tenth pays:", "Fewer messages are lost", "Ranking by", "Paired differences",
        "lost to radio", "Curves", "Messages lost, by cause", "Time with a service down", "Time that AGVs stood blocked",
        "Presence of people", "Sums of the maps", "The variants as text", "costs: 0.5", "--set x=0.5", "Every figure",
        "Zero in every run", "How it was reckoned", "variance of the differences",
    ]  # fmt: skip
    at = 0
    for part in parts:
        found = text.find(part, at)
        assert found >= 0, part
        at = found
    assert not re.search(r"\b(nan|NaN|None|inf|undefined)\b", text)


def test_the_same_study_gives_the_same_page(study_path: Path, page_path: Path, tmp_path: Path) -> None:
    assert build_comparison(compare(load_study(study_path)), tmp_path).read_bytes() == page_path.read_bytes()


def test_the_maps_add_up_to_the_table(study_path: Path) -> None:
    material = load_study(study_path)
    floor = floor_maps(material)
    assert set(floor.grids) == set(MAPS)
    for variant in material.variants:
        for name in ("outage_s", "blocked_s"):
            told = table_total_s(material, name, variant.name)
            assert told is not None
            assert told > 0
            assert floor.grids[name][variant.name].sum() == pytest.approx(told, rel=1e-5)
    assert floor.grids["blocked_s"]["base"][9, 12] == pytest.approx(5.0)
    assert floor.grids["blocked_s"]["base"][2, 20] == 0.0  # without an order nobody is blocked


def test_a_stop_on_the_wall_counts_at_the_edge(tmp_path: Path) -> None:
    run = Run(make_run(tmp_path / "r", 1, 1.0))
    stops = run.stops()
    stops["x_m"], stops["y_m"] = -0.01, 20.0
    stub = type("Stub", (), {"stops": lambda _: stops})()
    assert blocked_s(stub, (20, 30))[19, 0] > 5.0


def test_halls_of_different_size_have_no_common_map_and_the_page_says_why(tmp_path: Path) -> None:
    paths = [make_run(tmp_path / "a", 1, 1.0), make_run(tmp_path / "b", 1, 1.0, spec=scenario((40.0, 20.0, 6.0)))]
    material = load_runs(paths)
    assert "no cell of one is a cell of the other: a 30 m x 20 m; b 40 m x 20 m" in floor_maps(material).reason
    text = Page(build_comparison(compare(material), tmp_path).read_text()).text
    assert "No maps: the halls differ in size" in text
    assert "Each run by itself, with the 95 % interval within the run" in text


def test_minutes_add_up_and_outages_have_their_length(tmp_path: Path) -> None:
    run = Run(make_run(tmp_path / "r", 3, 1.0))
    stops = run.stops()
    time_s = np.linspace(0, 120, 25)
    lost = cumulative_min(stops, ["communication"], time_s)
    assert np.all(np.diff(lost) >= 0)
    assert lost[0] == 0
    assert lost[-1] == pytest.approx(run.kpi["production"]["ledger"]["hall"]["stopped_min"]["communication"], rel=1e-5)
    assert outage_lengths_s(run) == pytest.approx([run.kpi["services"][0]["down_s"]], rel=1e-5)


def test_the_command_writes_three_files_and_prints_the_answer(study_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    console = Console(file=io.StringIO(), width=80)
    assert compare_command([study_path], None, None, out, console) == 0
    assert sorted(p.name for p in out.iterdir()) == ["compare.csv", "compare.html", "compare.parquet"]
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert printed.startswith("tenth pays")
    assert "compare.html" in printed


def test_wrong_input_leaves_nothing_behind(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a", 1, 1.0)
    with pytest.raises(UserError, match="at least two"):
        compare_command([run], None, None, tmp_path / "out", Console(file=io.StringIO()))
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").write_text("")
    other = make_run(tmp_path / "b", 2, 1.0)
    with pytest.raises(UserError, match="that is a file; give a folder"):
        compare_command([run, other], None, None, tmp_path / "file", Console(file=io.StringIO()))


def test_the_command_line_knows_it(study_path: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["compare", str(study_path), "--kpi", "production.orders", "--out", str(tmp_path / "o")])
    assert done.exit_code == 0, done.output
    assert "orders finished" in done.output
