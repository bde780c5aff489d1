"""The commands ``factory-twin import`` and ``factory-twin export``."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from rich.console import Console

from factory.errors import ScenarioError, UserError
from factory.layouts.export_gltf import export_gltf
from factory.layouts.export_lif import export_lif, sidecar_of, source_record
from factory.layouts.export_mitsuba import export_mitsuba
from factory.layouts.read import Reading, read_layout
from factory.layouts.report import LayoutError, Report
from factory.layouts.to_scenario import Options, Plan, plan_scenario
from factory.layouts.write_scenario import write_scenario
from factory.scenario import LoadedScenario, load_scenario

FORMATS = ("gltf", "lif", "mitsuba")


def import_layout(path: Path, reading: Reading, options: Options) -> tuple[Plan, str]:
    """Read a layout and return the plan and its scenario's text; nothing is written.

    Raises
    ------
    LayoutError
        If the file cannot be used.
    """
    found = read_layout(path, reading)
    plan = plan_scenario(found, options)
    return plan, write_scenario(plan)


def import_command(
    path: Path, reading: Reading, options: Options, out: Path, json_file: Path | None, force: bool, console: Console
) -> int:
    """Write a scenario from a layout file, and tell what was read, repaired, ignored, assumed and is missing.

    Returns
    -------
    int
        0 once the scenario is written and can be loaded.

    Raises
    ------
    UserError
        If the file cannot be used, or ``out`` exists already; nothing is written then.
    """
    sidecar = sidecar_of(out)
    for target in (out, json_file):
        if target is None:
            continue
        if target.exists() and not force:
            raise UserError(f"{target} exists already; choose another name, or overwrite it with --force")
        if not target.parent.is_dir():
            raise UserError(f"{target.parent} is no folder; make it first")
    plan, text = import_layout(path, reading, options)
    report = plan.found.report
    record = source_record(plan) if plan.found.document is not None else None
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".import-") as folder:
        draft = Path(folder) / out.name
        draft.write_text(text, encoding="utf-8")
        _check(draft, report)
        if record is not None:
            (Path(folder) / sidecar.name).write_text(record, encoding="utf-8")
        if json_file is not None:
            (Path(folder) / "report.json").write_text(report.as_json(), encoding="utf-8")
            os.replace(Path(folder) / "report.json", json_file)
        if record is not None:
            os.replace(Path(folder) / sidecar.name, sidecar)
        os.replace(draft, out)
    console.print(report.text(), soft_wrap=True, highlight=False, markup=False)
    console.print(
        f"Scenario: {out}" + (f", and {sidecar} for export --as lif" if record is not None else ""), soft_wrap=True, markup=False
    )
    return 0


def _check(draft: Path, report: Report) -> LoadedScenario:
    """Load the draft; what the twin refuses is told with the layout's name."""
    try:
        return load_scenario(str(draft))
    except ScenarioError as error:
        faults = "\n".join(f"  {p.key}: {p.message}" for p in error.problems[:20])
        raise LayoutError(report.source, "", f"makes no scenario that the twin can run:\n{faults}") from None


def export_command(scenario: str, form: str, out: Path, force: bool, console: Console) -> int:
    """Write a scenario's scene for another tool.

    Raises
    ------
    UserError
        If the scenario or the form is not known, or ``out`` exists already.
    """
    if form not in FORMATS:
        raise UserError(f"--as {form}: give one of {', '.join(FORMATS)}")
    loaded = load_scenario(scenario)
    if out.exists() and not force:
        raise UserError(f"{out} exists already; choose another name, or overwrite it with --force")
    if not out.parent.is_dir():
        raise UserError(f"{out.parent} is no folder; make it first")
    if form == "gltf":
        lines = export_gltf(loaded.scenario, out)
    elif form == "lif":
        lines = export_lif(loaded, out)
    else:
        lines = export_mitsuba(loaded.scenario, out)
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    return 0
