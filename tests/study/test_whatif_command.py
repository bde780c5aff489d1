"""The command: interrupted and resumed, wrong input refused before anything is written, points that are ordinary runs."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import whatif_stub
from rich.console import Console
from typer.testing import CliRunner

from factory.cli import app
from factory.errors import UserError
from factory.runner import run_shift
from factory.study.study_folder import StudyContent, StudyFolder, StudyFolderError, StudyVariant
from factory.study.whatif_command import Asked, seeds_of, whatif_command
from factory.study.worker import PointTask, run_point

HERE = Path(__file__).parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[1])])}
CHANGED = "people-stature-p95-m-1.75"


def command(folder: Path, runner: str, seeds: int) -> list[str]:
    return [sys.executable, str(HERE / "whatif_process.py"), str(folder), runner, str(seeds)]


def test_ctrl_c_keeps_whole_points_and_the_same_command_goes_on(tmp_path):
    folder = tmp_path / "study"
    with subprocess.Popen(
        command(folder, "slow", 4),
        env=ENVIRONMENT,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        waited_s = time.monotonic()
        while not (folder / "points" / "base" / "seed-2" / "kpi.json").is_file():
            assert time.monotonic() - waited_s < 240, "the study did not get going"
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the command and all its workers
        _, errors = process.communicate(timeout=180)
    assert process.returncode == 130
    assert re.fullmatch(r"interrupted: \d of 8 points are in .*; the same command goes on with the others\n+", errors)
    study = StudyFolder.open(folder)
    there = [(v, s) for s in study.seeds for v in study.variants if study.done(v, s)]
    assert 1 <= len(there) < 8  # whatever was whole when the signal came
    assert not list((folder / "points").glob("*/.*"))
    again = subprocess.run(command(folder, "slow", 4), env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False)
    assert again.returncode == 0, again.stderr
    assert study.complete_seeds == (1, 2, 3, 4)
    lines = [" ".join(line.split()[:2]) for line in (folder / "begun.txt").read_text().splitlines()]
    assert all(lines.count(f"{v} {s}") == 1 for v, s in there)
    assert len(lines) <= 8 + 2  # at most the points in flight were begun twice


def ask(folder: Path, **changes) -> Asked:
    fields = {"base": "hand-wave", "sets": ("people.stature_p95_m=1.75",), "seeds": "2", "minutes": 1.0, "workers": 1}
    return Asked(**{**fields, "out": folder, **changes})


def run(asked: Asked, runner=whatif_stub.quick) -> tuple[int, str]:
    said = io.StringIO()
    console = Console(file=said, width=200)
    return whatif_command(asked, console, console, runner), said.getvalue()


def test_the_folder_is_as_promised_and_another_study_leaves_it_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("STUB_S", "0")
    folder = tmp_path / "study"
    status, said = run(ask(folder))
    assert status == 0
    assert f"Study: {folder} (4 points)" in said
    study = StudyFolder.open(folder)
    assert (study.variants, study.seeds, study.minutes) == (("base", CHANGED), (1, 2), 1.0)
    assert study.variant(CHANGED).overrides == ("people.stature_p95_m=1.75",)
    assert study.variant(CHANGED).changes == "--set people.stature_p95_m=1.75"
    assert study.point(CHANGED, 2) == folder / "points" / CHANGED / "seed-2"
    assert study.kpi("base", 1) == {"seed": 1, "overrides": []}
    assert "name: hand-wave" in study.content.base_text
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.name != "study.lock"}
    for asked, why in (
        (ask(folder, seeds="3"), r"2 seeds \(1, 2\) instead of 3"),
        (ask(folder, minutes=2.0), "1 minutes instead of 2"),
        (ask(folder, base="small", sets=("people.count=3",)), "another base scenario"),
        (ask(folder, sets=("people.stature_p95_m=1.8",)), f"a variant '{CHANGED}' that is not asked for"),
        (ask(folder, fixes=("radio.policy=reactive",)), "other changes under the name 'base'"),
    ):
        with pytest.raises(StudyFolderError, match=f"holds another study: {why}"):
            run(asked)
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.name != "study.lock"} == before
    status, said = run(ask(folder))
    assert status == 0
    assert len((folder / "begun.txt").read_text().splitlines()) == 4


def test_a_study_stops_when_the_answer_is_certain(tmp_path, monkeypatch):
    monkeypatch.setenv("STUB_S", "0")
    file = tmp_path / "v.yaml"
    file.write_text("variants:\n  - {name: a, set: {people.stature_p95_m: 1.75}}\n")
    asked = ask(tmp_path / "study", sets=(), variants=file, seeds="16", stop_early="production.orders")
    status, said = run(asked, whatif_stub.measured)
    assert status == 0
    assert "a: production.orders differs from the base after 5 pairs, +2." in said
    assert re.search(r"stopped early with 1[0-4] of 32 points", said)
    there = len(StudyFolder.open(tmp_path / "study").complete_seeds)
    status, _ = run(asked, whatif_stub.measured)
    assert status == 0
    assert len(StudyFolder.open(tmp_path / "study").complete_seeds) == there


def test_failed_points_are_told_and_tried_again_by_the_next_command(tmp_path, monkeypatch):
    monkeypatch.setenv("STUB_S", "0")
    file = tmp_path / "v.yaml"
    file.write_text("variants:\n  - {name: a, set: {people.stature_p95_m: 1.75}}\n  - {name: b, set: {people.panels: 1}}\n")
    asked = ask(tmp_path / "study", sets=(), variants=file)
    status, said = run(asked, whatif_stub.failing)
    assert status == 1
    assert "a, seed 2: ZeroDivisionError: one by nothing" in said
    assert "b, seed 1: station 'bay-1' stands in a box" in said
    status, said = run(asked)
    assert status == 0
    assert StudyFolder.open(tmp_path / "study").failure("a", 2) is None


WRONG = {
    "nothing to compare": ({"sets": ()}, "give a file of variants, or --set KEY=VALUE"),
    "missing key": ({"sets": ("people.cuont=3",)}, r"unknown key 'cuont'; did you mean 'count'"),
    "empty grid": ({"sets": ("people.count=",)}, r"--set people\.count=: there is no value"),
    "only the base": ({"sets": ("people.count=1",)}, "no variant differs from the base"),
    "no such scenario": ({"base": "nowhere.yaml"}, r"nowhere\.yaml: no such file"),
    "no such file": ({"variants": Path("nowhere.yaml")}, r"nowhere\.yaml: cannot be read as a file of variants"),
    "seeds": ({"seeds": "many"}, "--seeds many: give their number"),
    "no seed": ({"seeds": "0"}, "give a number from 1 to 1000000"),
    "seed twice": ({"seeds": "3,4,3"}, "seed 3 is there twice"),
    "minutes": ({"minutes": -1.0}, "give simulated minutes above 0"),
    "workers": ({"workers": 0}, "--workers 0: give a number of processes"),
    "too many": (
        {"sets": ("people.count=" + ",".join(map(str, range(500))), "people.panels=" + ",".join(map(str, range(500))))},
        r"500,002 points \(250,001 variants x 2 seeds\) of 1 simulated minutes: about [\d,.]+ h on 1 workers.*add --yes",
    ),
    "too few seeds to stop": ({"stop_early": "production.orders"}, "2 seeds are too few"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_refused_with_what_would_be_right(case, tmp_path):
    changes, message = WRONG[case]
    with pytest.raises(UserError, match=message):
        run(ask(tmp_path / "study", **changes))
    assert not (tmp_path / "study").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "precious.txt").write_text("x")
    with pytest.raises(StudyFolderError, match="exists already and is no study folder"):
        run(ask(tmp_path))
    assert [p.name for p in tmp_path.iterdir()] == ["precious.txt"]
    with pytest.raises(StudyFolderError, match=r"holds no study\.json"):
        StudyFolder.open(tmp_path)


def test_a_search_adds_variants_one_by_one(tmp_path):
    folder = StudyFolder.create(tmp_path / "s", StudyContent.of("small", "name: x\n", [StudyVariant("base")], [1], 1.0))
    folder.add_variants([StudyVariant("trial-1", "", ("people.count=3",)), StudyVariant("base")])
    assert StudyFolder.open(tmp_path / "s").variants == ("base", "trial-1")
    with pytest.raises(StudyFolderError, match="'trial-1' is there with other changes"):
        folder.add_variants([StudyVariant("trial-1", "", ("people.count=4",))])
    with pytest.raises(StudyFolderError, match="no variant 'trial-2'; there is base, trial-1"):
        folder.variant("trial-2")
    with pytest.raises(StudyFolderError, match="this point was not run yet"):
        folder.kpi("base", 1)


def test_a_damaged_study_is_told(tmp_path):
    (tmp_path / "study.json").write_text('{"format": 1}')
    with pytest.raises(StudyFolderError, match="the study folder is damaged"):
        StudyFolder.open(tmp_path)
    (tmp_path / "study.json").write_text('{"format": 7}')
    with pytest.raises(StudyFolderError, match="format 7; this version reads format 1"):
        StudyFolder.open(tmp_path)


def test_the_command_line_takes_all_of_it(tmp_path):
    line = ["whatif", "hand-wave", "--set", "people.cuont=1,2", "--seeds", "3,5", "--minutes", "1", "--workers", "1"]
    result = CliRunner().invoke(app, [*line, "--fix", "radio.compare=[]", "--out", str(tmp_path / "s"), "--yes"])
    assert isinstance(result.exception, UserError)
    assert "did you mean 'count'" in str(result.exception)


def test_seeds_are_a_number_or_a_list():
    assert seeds_of("3") == (1, 2, 3)
    assert seeds_of("5,3,8") == (5, 3, 8)
    assert seeds_of("[7]") == (7,)
    assert seeds_of("7,") == (7,)


@pytest.mark.system
def test_a_point_is_the_run_that_the_same_overrides_give(tmp_path):
    overrides = ["people.stature_p95_m=1.75", "duration_s=1", "seed=3"]
    quiet = Console(file=io.StringIO())
    assert run_shift("hand-wave", overrides, tmp_path / "run", quiet, quiet) == 0
    from factory.scenario import shipped_scenario

    base = shipped_scenario("hand-wave")
    task = PointTask("a", 3, base.read_text(), str(base), (overrides[0],), 1 / 60, str(tmp_path / "point"))
    run_point(task)
    names = {p.relative_to(tmp_path / "point") for p in (tmp_path / "point").rglob("*") if p.is_file()}
    assert {p.relative_to(tmp_path / "run") for p in (tmp_path / "run").rglob("*") if p.is_file()} - names == {
        Path("report.html"),
        Path("scene.png"),
    }
    for name in names - {Path("run.json")}:
        assert (tmp_path / "point" / name).read_bytes() == (tmp_path / "run" / name).read_bytes(), name
