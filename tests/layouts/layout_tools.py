"""What the tests of layouts share."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from rich.console import Console

from factory.layouts.command import import_command
from factory.layouts.read import Reading, read_layout
from factory.layouts.report import Report
from factory.layouts.to_scenario import Options, Plan, plan_scenario
from factory.scenario import LoadedScenario, load_scenario

_ROOT = Path(__file__).resolve().parents[2]
SAMPLES = _ROOT / "tests" / "data" / "layouts"


def recorded_layouts() -> Path:
    """Return the folder of recorded layouts; skip the test where there is none."""
    folder = Path(os.environ.get("FACTORY_TWIN_SHARED", _ROOT.parent / "shared" / "data")) / "layouts"
    if not (folder / "lif").is_dir():
        pytest.skip(f"no recorded layouts at {folder}; set FACTORY_TWIN_SHARED to the folder that holds layouts/")
    return folder


def plan_of(path: Path, reading: Reading | None = None, options: Options | None = None) -> Plan:
    return plan_scenario(read_layout(path, reading or Reading()), options or Options())


def imported(path: Path, out: Path, reading: Reading | None = None, options: Options | None = None) -> tuple[LoadedScenario, str]:
    """Import a file, and return the scenario that was written and what was printed."""
    printed = io.StringIO()
    code = import_command(path, reading or Reading(), options or Options(), out, None, False, Console(file=printed, width=200))
    assert code == 0
    return load_scenario(str(out)), printed.getvalue()


def lines(report: Report, verdict: str) -> str:
    return "\n".join(str(note) for note in report.notes if note.verdict == verdict)
