"""``factory-twin map``: look through a server, check a mapping file, and show what it would read."""

from __future__ import annotations

import time
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from bridges.errors import BridgeError
from bridges.mapping import OpcUaSource
from bridges.mapping_file import BoundMapping
from bridges.mapping_values import QUALITIES, MappedObservations, MappedValues
from bridges.opcua.client_browse import browse, mapping_text
from factory.errors import UserError
from factory.observed_feed import hall_variables, make_sources, mapping_of
from factory.scenario import load_scenario

__all__ = ["browse_command", "check_mapping_command"]


def browse_command(
    url: str,
    scenario: str,
    out: Path,
    user: str | None,
    password_file: Path | None,
    insecure: bool,
    state: Path,
    console: Console,
) -> int:
    """Write a first mapping of an OPC UA server for a scenario.

    Returns
    -------
    int
        Exit code 0; wrong input raises :class:`UserError`.
    """
    variables = list(hall_variables(load_scenario(scenario).scenario).values())
    if out.exists():
        raise UserError(f"{out}: is there already; name another file, or move it away")
    given = {"kind": "opcua", "url": url, "user": user, "password_file": password_file}
    try:
        source = OpcUaSource.model_validate(given | ({"insecure": True, "policy": "None"} if insecure else {}))
    except ValidationError as error:
        raise UserError(f"{url}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None
    try:
        found = browse(source, state)
    except BridgeError as error:
        raise UserError(str(error)) from error
    text = mapping_text(source, found, variables)
    out.write_text(text, encoding="utf-8")
    console.print(
        f"{out}: {text.count('# guess: ')} of {len(found)} nodes recognised; check each before you use it", soft_wrap=True
    )
    return 0


def check_mapping_command(
    mapping: Path, scenario: str, overrides: list[str], dry_run: bool, seconds: float, state: Path, console: Console
) -> int:
    """Check a mapping file for a scenario; with ``dry_run`` show what it would read.

    Returns
    -------
    int
        0; 1 where in a dry run a variable had no good value. Wrong input raises :class:`UserError`.
    """
    loaded = load_scenario(scenario, overrides)
    bound = mapping_of(mapping, loaded.scenario)
    n_out = sum(b.entry.write_back is not None for b in bound.entries)
    console.print(
        f"{mapping}: {len(bound.entries) - n_out} variables in, {n_out} out, {len(bound.mapping.sources)} sources", soft_wrap=True
    )
    if not dry_run:
        return 0
    told: list[str] = []
    values = MappedValues(bound, told.append)
    try:
        sources = make_sources(bound, values, loaded.scenario.bridges.mqtt, state, None)
        for source in sources.values():
            source.start()
    except BridgeError as error:
        raise UserError(str(error)) from error
    end = time.monotonic() + seconds
    try:
        with console.status(f"listening for {seconds:g} s; nothing is written"):
            while time.monotonic() < end:
                time.sleep(min(0.1, max(end - time.monotonic(), 0.0)))
                now = values.take(time.time())
        now = values.take(time.time())
        problems = {name: source.problem for name, source in sources.items() if source.problem}
    finally:
        for source in sources.values():
            source.stop()
    console.print(_table(bound, now))
    for name, problem in problems.items():
        console.print(f"source {name}: {problem}", soft_wrap=True, markup=False)
    for line in told:
        console.print(line, soft_wrap=True, markup=False)
    read = [b.row for b in bound.entries if b.entry.write_back is None]
    return 1 if now.stale[read].any() else 0


def _table(bound: BoundMapping, now: MappedObservations) -> Table:
    table = Table(title="what the twin would read")
    for column in ("variable", "value", "unit", "quality", "age s", "from"):
        table.add_column(column, no_wrap=column == "variable")
    for b in bound.entries:
        if b.entry.write_back is not None:
            continue
        value, quality = now.value[b.row], QUALITIES[now.quality[b.row]]
        came = now.age_s[b.row] < float("inf")
        truth = b.variable.dimension == "truth"
        shown = "-" if value != value else str(bool(value)).lower() if truth else f"{value:.4g}"
        quality = (quality if came else "none yet") + (", stale" if came and now.stale[b.row] else "")
        where = b.entry.node or b.entry.column or f"{b.entry.topic} {b.entry.path}"
        table.add_row(
            b.entry.twin, shown, b.variable.unit, quality,
            f"{now.age_s[b.row]:.2f}" if came else "-", f"{b.entry.source}: {where}",
        )  # fmt: skip
    return table
