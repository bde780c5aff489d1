"""Seeded shifts from the command line to the run folder."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from factory.recording import Run
from factory.scenario import SCHEMA_FILE, SHIPPED, json_schema, load_scenario, shipped_scenario
from factory.twin import Twin

pytestmark = pytest.mark.system


def _run(folder: Path, *options: str) -> Run:
    result = subprocess.run(
        [sys.executable, "-m", "factory.cli", "run", "small", "--minutes", "0.1", "--out", str(folder), *options],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return Run(folder)


@pytest.fixture(scope="module")
def shift(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return _run(tmp_path_factory.mktemp("shift") / "run")


def _digest(path: Path) -> dict[str, str]:
    files = [path / "kpi.json", path / "events.parquet", path / "grids.npz", *sorted((path / "ticks").iterdir())]
    return {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def test_same_seed_gives_identical_files_and_another_seed_does_not(shift: Run, tmp_path: Path) -> None:
    again, other = _run(tmp_path / "again"), _run(tmp_path / "other", "--seed", "2")
    assert _digest(again.path) == _digest(shift.path)
    assert _digest(other.path)["part-0000.parquet"] != _digest(shift.path)["part-0000.parquet"]
    assert again.info["scenario_sha256"] == shift.info["scenario_sha256"]


def test_run_folder_holds_what_it_promises(shift: Run) -> None:
    assert shift.info["state"] == "finished"
    assert shift.info["simulated_s"] == pytest.approx(6.0)
    assert shift.info["real_time_factor"] > 0
    assert set(shift.kpi["policies"]) == {"static", "reactive", "human_aware"}
    names = {s["name"] for s in shift.kpi["services"]}
    assert names == {"agv-control", "cobot-control", "panel-estop", "agv-video"}
    for service in shift.kpi["services"]:
        for figure in ("availability", "packet_error_ratio"):
            f = service[figure]
            assert 0.0 <= f["low"] <= f["value"] <= f["high"] <= 1.0
    assert (
        sum(c["share"] for c in shift.kpi["outages_by_cause"].values()) == pytest.approx(1.0) or not shift.kpi["outages_by_cause"]
    )
    assert {"orders", "stops", "minutes_lost", "parts"} <= set(shift.kpi["production"])
    ticks = shift.ticks()
    assert set(ticks["device"].unique()) == {"agv-01", "agv-02", "agv-03", "agv-04", "cobot-1", "cobot-2", "panel-1"}
    assert len(ticks) == 7 * 60
    assert (shift.path / "report.html").stat().st_size < 2_000_000
    assert shift.scene_png() is not None


def test_no_file_of_a_run_holds_a_position_of_a_person(shift: Run) -> None:
    assert not (shift.path / "people").exists()
    assert "person" not in set(shift.ticks(["device"])["device"])


def test_policies_meet_the_same_messages(shift: Run) -> None:
    counts = {p: [s["messages"] for s in figures["services"]] for p, figures in shift.kpi["policies"].items()}
    assert counts["static"] == counts["reactive"] == counts["human_aware"]


def test_every_lost_message_has_a_cause(shift: Run) -> None:
    events = shift.events()
    lost = events[events["kind"] == "packet_lost"]
    counted = sum(s["lost"] for figures in shift.kpi["policies"].values() for s in figures["services"])
    assert len(lost) == counted
    assert not (lost["cause"].isin(["", "none"])).any()


def test_interrupted_run_keeps_what_it_has(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-m", "factory.cli", "run", "small", "--minutes", "60", "--out", str(folder)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not (folder / "scene.png").exists() and not (folder / "ticks").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(2.0)
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "are kept in" in errors
    run = Run(folder)
    assert run.info["state"] == "interrupted"
    assert len(run.ticks()) > 0
    assert (folder / "report.html").exists()


def test_radio_can_be_switched_off(tmp_path: Path) -> None:
    run = _run(tmp_path / "run", "--set", "radio.enabled=false")
    assert run.kpi["services"] == []
    assert run.kpi["production"]["stops"]["communication"] == 0


def test_hall_without_one_kind_of_device_runs_and_says_so(tmp_path: Path) -> None:
    run = _run(tmp_path / "run", "--set", "people.count=0", "--set", "robots.cobots=[]")
    idle = {s["name"]: s["reason"] for s in run.kpi["services"] if not s["messages"]}
    assert set(idle) == {"cobot-control", "panel-estop"}
    assert "no device" in idle["panel-estop"]


def test_lost_commands_stop_machines_and_they_come_back() -> None:
    """The loop closes: with the network cut for half a second every machine stops, and drives again after its delay."""
    twin = Twin(load_scenario("small", ["people.count=0"]))
    for _ in range(300):
        twin.tick()
    stops = lambda: {**twin.fleet.production()["stops"]}["communication"] + twin.cobots.production()["stops"]["communication"]  # noqa: E731
    before = stops()
    twin.tracker.last_ok_us -= 500_000  # as if nothing had come through for half a second
    twin.tick()
    assert stops() - before >= 4
    assert set(np.flatnonzero(twin.fleet.watchdog.tripped)) == {0, 1, 2, 3}
    for _ in range(800):
        twin.tick()
    assert not twin.fleet.watchdog.tripped.any()
    twin.close()


def test_schema_in_the_package_is_current() -> None:
    shipped = shipped_scenario("small").parent / SCHEMA_FILE
    assert shipped.read_text() == json_schema(), "run: factory-twin schema > factory/scenarios/scenario.schema.json"


@pytest.mark.parametrize("name", sorted(set(SHIPPED.values())))
def test_shipped_scenarios_follow_the_schema_and_name_it(name: str) -> None:
    import jsonschema
    from ruamel.yaml import YAML

    path = shipped_scenario("small").parent / name
    assert path.read_text().startswith(f"# yaml-language-server: $schema={SCHEMA_FILE}\n")
    jsonschema.validate(YAML(typ="safe", pure=True).load(path.read_text()), json.loads(json_schema()))


def test_medium_is_the_size_it_says() -> None:
    scenario = load_scenario("medium").scenario
    assert (scenario.robots.agvs.count, len(scenario.robots.cobots), scenario.people.count, len(scenario.radio.trps)) == (
        20,
        8,
        30,
        6,
    )
