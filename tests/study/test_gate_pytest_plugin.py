"""The fixture ``kpi_gate`` in a test run of its own."""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as Xml

import gate_stub
import pytest

from factory.study.check_command import CheckOptions, update

TESTS = """
import gate_stub


def test_unchanged(kpi_gate):
    assert kpi_gate("ci", "baseline.json", workers=1, runner=gate_stub.unchanged).alarms == ()


def test_worse(kpi_gate):
    kpi_gate("ci", "baseline.json", workers=1, runner=gate_stub.four_times_worse)


def test_wrong(kpi_gate):
    kpi_gate("ci", "baseline.json", seeds=2, workers=1, runner=gate_stub.unchanged)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp("project")
    update("ci", folder / "baseline.json", CheckOptions(workers=1, runner=gate_stub.unchanged), "first one", None)
    (folder / "test_hall.py").write_text(TESTS)
    root = Path(__file__).parents[2]
    paths = os.pathsep.join((str(root), str(Path(__file__).parent)))
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", "--junitxml=j.xml", "test_hall.py"]
    # where the package is installed with this entry point, pytest loads the plugin by itself
    if not _installed():
        command[3:3] = ["-p", "factory.study.pytest_plugin"]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout, folder / "j.xml"


def _installed() -> bool:
    from importlib.metadata import entry_points

    return any(point.value == "factory.study.pytest_plugin" for point in entry_points(group="pytest11"))


def test_it_fails_where_the_hall_is_worse_and_says_why(run: tuple[str, Path]) -> None:
    told = run[0]
    assert "2 failed, 1 passed" in told
    assert "WORSE control unavailability" in told
    assert "Causes that grew" in told
    assert "factory-twin run ci --seed" in told
    assert "wrong input: 2 seeds against 24 of the baseline can never raise an alarm" in told
    assert "Traceback" not in told


def test_its_figures_are_properties_of_the_test(run: tuple[str, Path]) -> None:
    root = Xml.parse(run[1]).getroot()
    for name in ("test_unchanged", "test_worse"):
        (case,) = [c for c in root.iter("testcase") if c.get("name") == name]
        found = {p.get("name"): p.get("value") for p in case.iter("property")}
        assert found["scenario"] == "ci"
        assert float(str(found["service.control.unavailability.now"])) > 0.0
        assert (float(str(found["service.control.unavailability.p"])) < 0.01) == (name == "test_worse")
