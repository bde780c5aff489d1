"""``factory-twin check``: what it compares, refuses, writes and says, and with which exit code it ends."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as Xml

import gate_stub
import numpy as np
import pytest
from rich.console import Console

from factory.errors import UserError
from factory.scenario import load_scenario
from factory.study.baseline import read_baseline, refuse_other, scenario_hash
from factory.study.check_command import CheckOptions, check, check_command, parse_seeds, update
from factory.study.gate_run import SeedTask, run_seeds

SAME = CheckOptions(workers=1, runner=gate_stub.unchanged)
WORSE = replace(SAME, runner=gate_stub.four_times_worse)


@pytest.fixture
def baseline(tmp_path: Path) -> Path:
    file = tmp_path / "baseline.json"
    update("ci", file, SAME, "first one", None)
    return file


def _command(file: Path, options: CheckOptions, **given: object) -> tuple[int, str]:
    console = Console(record=True, width=200)
    asked = {"renew": False, "reason": None, "junit": None, "markdown": None, "github": False} | given
    code = check_command("ci", file, options, **asked, console=console)  # type: ignore[arg-type]
    return code, console.export_text()


def test_the_same_seeds_of_the_same_code_pass(baseline: Path) -> None:
    code, told = _command(baseline, SAME)
    assert code == 0
    assert "no figure is worse" in told


def test_code_that_draws_otherwise_passes(baseline: Path) -> None:
    assert _command(baseline, replace(SAME, runner=gate_stub.other_draws))[0] == 0


def test_code_that_costs_nines_is_caught_and_told(baseline: Path) -> None:
    code, told = _command(baseline, WORSE)
    assert code == 1
    assert "WORSE control unavailability: 0.000" in told
    assert "p = " in told
    assert "Causes that grew: " in told
    assert "body" in told.split("Causes that grew: ")[1]
    assert "interference" not in told.split("Causes that grew: ")[1].splitlines()[0]
    assert "factory-twin run ci --seed" in told
    assert "ok    orders finished" in told
    verdict = check("ci", baseline, WORSE)
    first = next(k for k in verdict.kpis if k.key == "service.control.unavailability")
    assert first.factor[0] < 4.0 < first.factor[1]
    assert first.now / first.before == pytest.approx(4.0)


def test_a_tolerance_may_be_edited_and_stays(baseline: Path) -> None:
    content = json.loads(baseline.read_text())
    for kpi in content["kpis"].values():
        kpi["tolerance"] = 8.0
    baseline.write_text(json.dumps(content))
    assert _command(baseline, WORSE)[0] == 0
    update("ci", baseline, replace(SAME, seeds="30"), "more seeds", None)
    made = read_baseline(baseline)
    assert {k.tolerance for k in made.kpis.values()} == {8.0}
    assert [(h.reason, h.seeds) for h in made.history] == [("first one", 24), ("more seeds", 30)]
    assert made.reason == "more seeds"
    assert made.seeds == tuple(range(1, 31))


def test_a_figure_that_is_gone_is_an_alarm(baseline: Path) -> None:
    code, told = _command(baseline, replace(SAME, runner=gate_stub.silent))
    assert code == 1
    assert "24 runs have no such figure any more" in told


def test_what_is_nothing_already_is_not_gated(tmp_path: Path) -> None:
    made = update("ci", tmp_path / "b.json", SAME, "x", None)
    assert made.kpis["production.orders"].better == "higher"
    assert "stops.person_near" in made.kpis
    none = replace(SAME, runner=_without_orders)
    assert "production.orders" not in update("ci", tmp_path / "c.json", none, "x", None).kpis


def _without_orders(task: SeedTask) -> dict[str, object]:
    kpi = gate_stub.stub_kpi(task.seed)
    kpi["production"]["orders"] = 0
    return kpi


def test_reports_for_machines(baseline: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    folder = baseline.parent
    summary = folder / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    code, _ = _command(baseline, WORSE, junit=folder / "j.xml", markdown=folder / "m.md", github=True)
    assert code == 1
    suite = Xml.parse(folder / "j.xml").getroot().find("testsuite")
    assert suite is not None
    failures = int(suite.get("failures", "0"))
    assert failures == len(suite.findall("testcase/failure")) >= 2
    assert int(suite.get("tests", "0")) == len(suite.findall("testcase"))
    found = {p.get("name"): p.get("value") for p in suite.findall("properties/property")}
    now = float(str(found["service.control.unavailability.now"]))
    assert now == pytest.approx(4.0 * float(str(found["service.control.unavailability.before"])), rel=1e-4)
    text = (folder / "m.md").read_text()
    assert "| **worse** | control unavailability |" in text
    assert summary.read_text() == "before\n" + text
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("::")]
    assert len(lines) == failures
    assert all(line.startswith("::error file=") and "title=worse%3A " in line for line in lines)
    assert any("%0Agrew: " in line for line in lines)
    assert _command(baseline, SAME, github=True)[0] == 0
    assert "::notice title=factory-twin check::ci: no figure is worse" in capsys.readouterr().out


def test_baselines_that_do_not_fit_are_refused(baseline: Path) -> None:
    content = json.loads(baseline.read_text())

    def refused(words: str, options: CheckOptions = SAME, **changed: object) -> None:
        baseline.write_text(json.dumps(content | changed))
        with pytest.raises(UserError, match=words):
            check("ci", baseline, options)

    refused("its content has changed, or a --set differs.*--update --reason", replace(SAME, overrides=("people.count=5",)))
    refused("baseline of scenario 'small', not of 'ci'", scenario="small")
    refused("made with factory-twin 0.0.1, this is .*--across-versions", versions={"factory-twin": "0.0.1"})
    refused("format 7, this factory-twin reads format 1", format=7)
    refused("no baseline of factory-twin check", kind="something")
    refused("23 values for 24 seeds", kpis={**content["kpis"], "x": _cut(content["kpis"]["production.parts"])})
    refused("kpis.x.tolerance: Input should be greater", kpis={"x": content["kpis"]["production.parts"] | {"tolerance": 0.5}})
    refused("can never raise an alarm", replace(SAME, seeds="2"))
    baseline.write_text("{")
    with pytest.raises(UserError, match=r"baseline.json:1:2: not valid JSON"):
        check("ci", baseline, SAME)
    with pytest.raises(UserError, match="no such file; make it with"):
        check("ci", baseline.parent / "other.json", SAME)
    baseline.write_text(json.dumps(content | {"versions": {"factory-twin": "0.0.1"}}))
    assert not check("ci", baseline, replace(SAME, across_versions=True)).alarms


def _cut(kpi: dict[str, object]) -> dict[str, object]:
    values = kpi["values"]
    assert isinstance(values, list)
    return kpi | {"values": values[1:]}


def test_updates_that_are_refused_write_nothing(tmp_path: Path, baseline: Path) -> None:
    before = baseline.read_bytes()
    for options, reason, words in (
        (SAME, "  ", "asks for a reason"),
        (replace(SAME, seeds="1"), "why", "at least two seeds"),
        (replace(SAME, seeds="3"), "why", "can never raise an alarm"),
        (replace(SAME, runner=gate_stub.refused), "why", "no way from here to there"),
    ):
        with pytest.raises(UserError, match=words):
            update("ci", baseline, options, reason, None)
    assert baseline.read_bytes() == before
    with pytest.raises(UserError, match="--reason belongs to --update"):
        _command(baseline, SAME, reason="why")
    with pytest.raises(UserError, match="its folder does not exist"):
        _command(baseline, SAME, junit=tmp_path / "no" / "j.xml")
    assert not list(tmp_path.glob("*.tmp"))


def test_seeds_as_they_may_be_written() -> None:
    assert parse_seeds(None, None) == tuple(range(1, 25))
    assert parse_seeds(None, (7, 8)) == (7, 8)
    assert parse_seeds("3", (7, 8)) == (7, 8, 1)
    assert parse_seeds("101-104", (7, 8)) == (101, 102, 103, 104)
    assert parse_seeds("5,3", None) == (5, 3)
    for wrong in ("0", "x", "3,3", "9-4", "-3", "1,,2", "99999999"):
        with pytest.raises(UserError, match="--seeds"):
            parse_seeds(wrong, None)


def test_the_shipped_baseline_is_of_the_shipped_scenario() -> None:
    shipped = Path(__file__).parents[2] / "examples" / "ci" / "baseline.json"
    refuse_other(read_baseline(shipped), shipped, load_scenario("ci"), across_versions=True)


def test_a_baseline_is_of_what_a_scenario_asks_for() -> None:
    plain = scenario_hash(load_scenario("ci"))
    assert scenario_hash(load_scenario("ci", ["seed=9"])) == plain
    assert scenario_hash(load_scenario("ci", ["clock.tick_hz=100"])) == plain  # its default
    assert scenario_hash(load_scenario("ci", ["radio.trps[0].tx_power_dbm=-7"])) != plain


def test_seeds_of_the_twin_on_two_processes_are_those_of_one() -> None:
    loaded = load_scenario("ci")
    tasks = [SeedTask(loaded.text, "ci.yaml", ("duration_s=0.1",), seed) for seed in (3, 4)]
    told: list[int] = []
    apart = run_seeds(tasks, 2)
    assert apart == run_seeds(tasks, 1, on_done=told.append)
    assert told == [3, 4]
    assert apart[0] != apart[1]
    assert apart[0]["services"][0]["messages"] >= 10
    assert np.isfinite(apart[0]["services"][1]["unavailability"]["value"])
    with pytest.raises(UserError, match=r"people\.start"):
        run_seeds([replace(t, overrides=("people.start=[[12.0, 9.0]]",)) for t in tasks], 2)
