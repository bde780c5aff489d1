"""The command ``hall``: write a generated scenario."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console

from factory.errors import UserError
from factory.halls.options import HallOptions
from factory.halls.write import generate
from factory.scenario import load_text


def asked(**given: object) -> HallOptions:
    """Return options of the command line.

    Raises
    ------
    UserError
        For a value outside of what an option takes.
    """
    try:
        return HallOptions.model_validate({name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        lines = []
        for fault in error.errors():
            name = str(fault["loc"][0])
            field = HallOptions.model_fields.get(name)
            about = field.description if field else ""
            lines.append(f"--{name.replace('_', '-')} {fault['input']}: {fault['msg'][:1].lower()}{fault['msg'][1:]}. {about}")
        raise UserError("\n".join(lines)) from None


def hall_command(ask: HallOptions, out: Path, force: bool, console: Console) -> int:
    """Write the hall that was asked for.

    Returns
    -------
    int
        0 once the scenario is written.

    Raises
    ------
    UserError
        If it cannot be made, ``out`` exists already, or its folder does not; nothing is written then.
    """
    if out.exists() and not force:
        raise UserError(f"{out} exists already; choose another name, or overwrite it with --force")
    if out.is_dir():
        raise UserError(f"{out} is a folder; give the name of a file in it, such as {out / 'my-hall.yaml'}")
    if not out.parent.is_dir():
        raise UserError(f"{out.parent} is no folder; make it first")
    text = generate(ask)
    scenario = load_text(text, out).scenario
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".hall-") as folder:
        draft = Path(folder) / out.name
        draft.write_text(text, encoding="utf-8", newline="\n")
        os.replace(draft, out)
    size = " x ".join(f"{s:g}" for s in scenario.hall.size_m)
    console.print(
        f"{size} m, {len(scenario.radio.trps)} TRPs, {scenario.robots.agvs.count} AGVs, {len(scenario.robots.cobots)} cobots, "
        f"{scenario.people.count} people, {scenario.people.panel_count} panels\nScenario: {out}",
        soft_wrap=True, highlight=False, markup=False,
    )  # fmt: skip
    return 0
