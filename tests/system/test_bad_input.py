"""Wrong input ends in one message with its place, exit code 2, no traceback and nothing written."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from factory.scenario import shipped_scenario

SMALL = shipped_scenario("small").read_text()


def _run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "factory.cli", *arguments], cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )


def _line_of(text: str, needle: str) -> int:
    return next(i for i, line in enumerate(text.splitlines(), 1) if needle in line)


CASES = {
    "unknown key": (("policy: reactive", "polcy: reactive"), r"unknown key 'polcy'; did you mean 'policy'\?"),
    "misspelt policy": (("policy: reactive", "policy: reactiv"), r"'reactiv'.*did you mean 'reactive'\?"),
    "negative speed": (("max_speed_mps: 1.5", "max_speed_mps: -1.5"), r"-1\.5: .*greater than 0"),
    "TRP outside the hall": (("[29.5, 2.0, 3.0]", "[29.5, 80.7, 3.0]"), r"TRP 'corner-east' is outside the hall.*y 0\.\.20"),
    "TRP inside a rack": (("[29.5, 2.0, 3.0]", "[20.0, 8.7, 3.0]"), r"TRP 'corner-east' is inside rack 'rack-b'"),
    "route to a missing node": (("{start: v4, end: w3,", "{start: v4, end: w33,"), r"w33"),
    "person inside a rack": (("position_m: [10.2, 3.0]", "position_m: [20.0, 4.2]"), r"station 'desk-1' is inside rack 'rack-a'"),
    "wrong unit": (("frequency_hz: 28e9", "frequency_hz: 28"), r"28: .*28 GHz is 28e9"),
    "material unknown at this frequency": (("floor_material: concrete", "floor_material: floorboard"), r"floorboard"),
    "more PRBs than the carrier holds": (("resource_blocks: 32", "resource_blocks: 66"), r"66 PRBs at 120 kHz take 95\.04 MHz"),
    "box outside the hall": (("center_m: [21, 4.2]", "center_m: [29, 4.2]"), r"box 'rack-a' reaches outside the hall"),
    "not YAML": (("radio:\n", "radio: [\n"), r"not valid YAML"),
}


@pytest.mark.parametrize("case", CASES)
def test_fault_in_the_file_is_named_with_its_place(case: str, tmp_path: Path) -> None:
    (old, new), message = CASES[case]
    assert old in SMALL
    file = tmp_path / "hall.yaml"
    file.write_text(SMALL.replace(old, new, 1))
    result = _run("run", "hall.yaml", "--out", "run", cwd=tmp_path)
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    first = result.stderr.splitlines()[0]
    place = re.match(r"hall\.yaml:(\d+):(\d+): ", first)
    assert place, first
    if case != "not YAML":
        assert int(place.group(1)) == _line_of(file.read_text(), new.splitlines()[0])
    assert re.search(message, first), first
    assert sorted(p.name for p in tmp_path.iterdir()) == ["hall.yaml"]


def test_person_who_starts_inside_a_rack(tmp_path: Path) -> None:
    result = _run("run", "small", "--set", "people.start=[[20.0, 4.2]]", "--out", "run", cwd=tmp_path)
    assert result.returncode == 2
    assert re.search(r"--set people\.start.*person 1 is inside rack 'rack-a'", result.stderr), result.stderr
    assert not list(tmp_path.iterdir())


REPLAYS = {
    "empty": ("", r"empty"),
    "header only": ("t,id,x,y\n", r"no track|empty"),
    "NaN": ("t,id,x,y\n0.0,1,1.0,2.0\n0.4,1,nan,2.0\n", r":3.*nan"),
    "text": ("t,id,x,y\n0.0,1,1.0,2.0\n0.4,1,abc,2.0\n", r":3.*abc"),
    "times step back": ("t,id,x,y\n0.0,1,1.0,2.0\n0.8,1,1.1,2.0\n0.4,1,1.2,2.0\n", r":4.*0\.4"),
    "missing column": ("t,id,x\n0.0,1,1.0\n", r":1.*\by\b"),
}


@pytest.mark.parametrize("case", REPLAYS)
def test_replay_file_that_cannot_be_used(case: str, tmp_path: Path) -> None:
    text, message = REPLAYS[case]
    (tmp_path / "tracks.csv").write_text(text)
    result = _run("run", "small", "--set", "people.replay=tracks.csv", "--out", "run", cwd=tmp_path)
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    assert "tracks.csv" in result.stderr
    assert re.search(message, result.stderr, re.IGNORECASE), result.stderr
    assert not (tmp_path / "run").exists()


def test_replay_file_that_is_absent_or_a_folder(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    for name in ("absent.csv", "folder.csv"):
        result = _run("run", "small", "--set", f"people.replay={name}", "--out", "run", cwd=tmp_path)
        assert result.returncode == 2
        assert name in result.stderr
        assert "Traceback" not in result.stderr


def test_scenario_that_does_not_exist(tmp_path: Path) -> None:
    result = _run("run", "nowhere.yaml", cwd=tmp_path)
    assert result.returncode == 2
    assert "nowhere.yaml: no such file" in result.stderr


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("people.cuont=3", r"unknown key 'cuont'; did you mean 'count'\?"),
        ("radio.trps[9].tx_power_dbm=3", r"radio\.trps\[9\] does not exist; the list has 2 entries"),
        ("people.count", r"write key=value"),
        ("people.count=-3", r"--set people\.count=-3: people\.count: -3: .*greater than or equal to 0"),
    ],
)
def test_override_that_cannot_be_used(option: str, message: str, tmp_path: Path) -> None:
    result = _run("run", "small", "--set", option, "--out", "run", cwd=tmp_path)
    assert result.returncode == 2
    assert re.search(message, result.stderr), result.stderr
    assert not list(tmp_path.iterdir())


def test_output_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "mine.txt").write_text("keep")
    result = _run("run", "small", "--minutes", "0.01", "--out", "run", cwd=tmp_path)
    assert result.returncode == 2
    assert re.search(r"run.*exists", result.stderr), result.stderr
    assert [p.name for p in folder.iterdir()] == ["mine.txt"]


def test_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = _run(
            "live",
            "small",
            "--set",
            f"bridges.opcua.port={port}",
            "--set",
            "bridges.mqtt.enabled=false",
            "--seconds",
            "1",
            cwd=tmp_path,
        )
    assert result.returncode == 2, result.stderr
    assert str(port) in result.stderr
    assert "Traceback" not in result.stderr
