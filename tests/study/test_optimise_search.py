"""Searches with known answers, stopped and gone on with, and a short one on the twin."""

import csv
import itertools
import json
from pathlib import Path
from typing import Any

import gate_stub
import pytest
from rich.console import Console

from factory.errors import UserError
from factory.study import optimise
from factory.study.gate_run import SeedTask
from factory.study.optimise import Point, Trial, pareto, search_points
from factory.study.optimise_command import optimise_command
from factory.study.optimise_output import words, write_results
from factory.study.optimise_spec import Search, read_search
from factory.study.worker import warm_up

TWO = """
scenario: ci
trps:
  west: {position_m: {x: [1, 23]}}
objectives:
  - {kpi: left}
  - {kpi: right}
seeds: 2
trials: 60
seed: 3
"""
CHEAPEST = """
scenario: small
choose: {ceiling-west: 3, corner-east: 2}
trps:
  corner-east: {tx_power_dbm: [10, 30]}
objectives:
  - {kpi: cost}
constraints:
  - {kpi: loss, at_most: 1.0}
  - {kpi: parts, at_least: 5}
seeds: 1
trials: 25
"""


def _search(folder: Path, text: str) -> Search:
    file = folder / "search.yaml"
    file.write_text(text)
    return read_search(file)


def _two(point: Point) -> list[dict[str, float]]:
    """Squares of the distances to 6 m and 12 m: the front is every place between them."""
    x = float(point["west/position_m.x"])
    return [{"left": (x - 6.0) ** 2 + noise, "right": (x - 12.0) ** 2 - noise} for noise in (-0.1, 0.1)]


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_a_known_front_is_found(tmp_path: Path, sampler: str) -> None:
    search = _search(tmp_path, TWO + f"sampler: {sampler}\n")
    trials = search_points(search, tmp_path / "out", _two)
    assert len(trials) == 60
    assert trials[0].point["west/position_m.x"] == 5.0  # the scenario as it is comes first
    front = pareto(search, trials)
    places = [float(t.point["west/position_m.x"]) for t in front]
    assert len(front) >= 12
    assert min(places) > 5.5
    assert max(places) < 12.5
    assert max(b - a for a, b in itertools.pairwise(places)) < 2.0
    assert [t.figures["left"] for t in front] == sorted(t.figures["left"] for t in front)
    assert all(t.spread["left"] == pytest.approx(0.1) for t in trials)


def test_a_search_that_was_stopped_ends_as_one_that_was_not(tmp_path: Path) -> None:
    search = _search(tmp_path, TWO)
    whole = search_points(search, tmp_path / "whole", _two)
    asked = 0

    def stopped(point: Point) -> list[dict[str, float]]:
        nonlocal asked
        asked += 1
        if asked == 23:
            raise KeyboardInterrupt
        return _two(point)

    with pytest.raises(KeyboardInterrupt):
        search_points(search, tmp_path / "part", stopped)
    assert len(list((tmp_path / "part" / "trials").iterdir())) == 22
    assert search_points(search, tmp_path / "part", stopped) == whole
    assert asked == 61  # 22, the one that was interrupted, and the 38 that were left
    assert search_points(search, tmp_path / "part", stopped) == whole
    assert asked == 61


def _cheapest(point: Point) -> list[dict[str, float]] | str:
    """Either TRP alone is enough, the eastern one from 20 dBm on; below 12 dBm it is refused."""
    if point["corner-east/tx_power_dbm"] < 12.0:
        return "too weak to start"
    enough = point["ceiling-west/present"] or float(point["corner-east/tx_power_dbm"]) >= 20.0
    return [{"loss": 0.5 if enough else 3.0, "parts": 9.0}]


def test_the_cheapest_that_holds_is_found(tmp_path: Path) -> None:
    search = _search(tmp_path, CHEAPEST)
    trials = search_points(search, tmp_path / "out", _cheapest)
    (best,) = pareto(search, trials)
    assert best.figures["cost"] == 2.0
    assert not best.point["ceiling-west/present"]
    assert float(best.point["corner-east/tx_power_dbm"]) >= 20.0
    overrides = search.variant(best.point)
    (left,) = json.loads(overrides[-1].removeprefix("radio.trps="))
    assert left["name"] == "corner-east"
    assert left["tx_power_dbm"] == best.point["corner-east/tx_power_dbm"]
    assert any(t.failed == "no TRP is left" for t in trials)
    assert not any(t.feasible for t in trials if t.failed or t.figures["loss"] > 1.0)
    assert words(best.point).startswith("without ceiling-west, corner-east tx_power_dbm=")


def test_results_are_written_and_the_same_every_time(tmp_path: Path) -> None:
    search = _search(tmp_path, CHEAPEST)
    trials = search_points(search, tmp_path / "out", _cheapest)
    files = {f.name: f.read_bytes() for f in write_results(search, trials, tmp_path)}
    assert files == {f.name: f.read_bytes() for f in write_results(search, trials, tmp_path)}
    rows = list(csv.DictReader(files["trials.csv"].decode().splitlines()))
    assert [int(r["trial"]) for r in rows] == list(range(25))
    assert {r["feasible"] for r in rows} == {"True", "False"}
    assert files["pareto.svg"].startswith(b"<?xml")
    assert b"not beaten (1)" in files["pareto.svg"] or b"<svg" in files["pareto.svg"]
    (variant,) = json.loads(files["pareto.json"])
    assert variant["overrides"] == list(search.variant(pareto(search, trials)[0].point))


def test_a_figure_that_a_run_lacks_is_told(tmp_path: Path) -> None:
    search = _search(tmp_path, TWO.replace("trials: 60", "trials: 1"))
    (trial,) = search_points(search, tmp_path / "out", lambda point: [{"left": 1.0, "right": 2.0}, {"left": 1.0}])
    assert trial.failed == "1 of 2 seeds have no figure right"
    assert pareto(search, [trial]) == []


@pytest.mark.parametrize(
    ("old", "new", "words_told"),
    [
        ("west:", "wset:", r"search.yaml:4:3: trps.wset: no TRP of that name in the scenario; it has west, east"),
        ("[1, 23]", "[23, 1]", r"search.yaml:4:22: trps.west.position_m: x: \[23, 1\] should be \[from, to\]"),
        ("[1, 23]", "[1, 99]", r"west.*99"),
        ("position_m", "postion_m", "unknown key 'postion_m'"),
        ("trials: 60", "trials: 0", "search.yaml:9:9: trials: 0: "),
        ("{kpi: right}", "{kpi: left}", "the same figure is asked for twice"),
        ("{kpi: right}", "{kpi: cost}", "objective 'cost' needs choose"),
        ("{x: [1, 23]}", "{}", "nothing may change"),
        ("scenario: ci", "scenario: nowhere", "nowhere: no such file"),
    ],
)
def test_files_that_are_wrong(tmp_path: Path, old: str, new: str, words_told: str) -> None:
    with pytest.raises(UserError, match=words_told):
        _search(tmp_path, TWO.replace(old, new, 1))


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    search = _search(tmp_path, TWO.replace("trials: 60", "trials: 2"))
    search_points(search, tmp_path / "out", _two)
    more = _search(tmp_path, TWO.replace("trials: 60", "trials: 2").replace("seed: 3", "seed: 4"))
    with pytest.raises(UserError, match="holds another search"):
        search_points(more, tmp_path / "out", _two)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="holds no search"):
        search_points(search, tmp_path / "full", _two)
    assert [f.name for f in (tmp_path / "full").iterdir()] == ["notes.txt"]


def test_without_optuna_one_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError, match=r"pip install 'factory-twin\[optimise\]'"):
        search_points(_search(tmp_path, TWO), tmp_path / "out", _two)
    assert not (tmp_path / "out").exists()


def _weaker_is_worse(task: SeedTask) -> dict[str, Any]:
    """Run a seed of the stub: ten times worse for every 10 dB less of the western TRP."""
    (row,) = [o for o in task.overrides if o.startswith("radio.trps=")]
    west = next(t for t in json.loads(row.removeprefix("radio.trps=")) if t["name"] == "west")
    return gate_stub.stub_kpi(task.seed, 10.0 ** (-west["tx_power_dbm"] / 10.0))


POWER = """
scenario: ci
minutes: {minutes}
trps: {{west: {{tx_power_dbm: [-6, 6]}}}}
objectives: [{{kpi: {kpi}}}]
seeds: {seeds}
trials: {trials}
"""


def test_the_command_tells_the_best_and_ends_with_1_where_nothing_holds(tmp_path: Path) -> None:
    file = tmp_path / "power.yaml"
    file.write_text(POWER.format(minutes=0.1, kpi="service.control.unavailability", seeds=2, trials=20))
    console = Console(record=True, width=160)
    assert optimise_command(file, tmp_path / "out", 1, console, _weaker_is_worse) == 0
    told = console.export_text()
    assert "run the winner again with other seeds" in told
    best = json.loads((tmp_path / "out" / "pareto.json").read_text())[0]
    west = json.loads(best["overrides"][-1].removeprefix("radio.trps="))[0]
    assert west["tx_power_dbm"] > 5.0
    file.write_text(file.read_text() + "constraints: [{kpi: production.parts, at_least: 100}]\n")
    assert optimise_command(file, tmp_path / "none", 1, console, _weaker_is_worse) == 1
    assert "None of 20 trials holds all constraints (0 could not be run)" in console.export_text()


def test_a_short_search_on_the_twin(tmp_path: Path) -> None:
    warm_up()
    file = tmp_path / "power.yaml"
    file.write_text(POWER.format(minutes=0.003, kpi="resources.downlink_share", seeds=1, trials=3))
    seen: list[Trial] = []
    assert optimise_command(file, tmp_path / "out", 1, Console(quiet=True)) == 0
    search = read_search(file)
    optimise.search_points(search, tmp_path / "out", lambda point: pytest.fail("all trials are there"), seen.append)
    assert [t.number for t in seen] == [0, 1, 2]
    assert all(0.0 < t.figures["resources.downlink_share"] <= 1.0 for t in seen)


@pytest.mark.parametrize("name", ["cheapest.yaml", "place.yaml"])
def test_the_examples_are_valid(name: str) -> None:
    search = read_search(Path(__file__).parents[2] / "examples" / "optimise" / name)
    assert len(search.parameters()) == 3
