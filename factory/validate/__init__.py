"""``factory-twin validate``: our numbers beside the standards', table by table.

A reference is a literal of a standard or paper, of a measurement, or of a second implementation of its formulas; it is never
computed by the function that is being checked.
"""

from __future__ import annotations

import json
from itertools import groupby
from math import isnan
from pathlib import Path

from rich.console import Console
from rich.table import Table

from factory.validate import immerse, motion
from factory.validate.beam_figures import write_beams
from factory.validate.beam_measurements import beam_rows
from factory.validate.cobot_soak import cobot_rows
from factory.validate.energy_rows import energy_rows
from factory.validate.fatigue_rows import endurance_rows, lifting_rows
from factory.validate.fleet_rows import fleet_rows, write_fleet
from factory.validate.forecast_figures import write_forecast
from factory.validate.forecast_rows import forecast_rows
from factory.validate.immerse import extraction_rows, immerse_rows
from factory.validate.immerse_figures import write_immerse
from factory.validate.inf_rows import inf_rows
from factory.validate.loop_rows import loop_rows
from factory.validate.motion import motion_rows
from factory.validate.motion_figures import write_motion
from factory.validate.page import CROSSING, markdown
from factory.validate.people_rows import people_rows, safety_rows
from factory.validate.planner_gap import planner_rows
from factory.validate.radio_rows import antenna_rows, blockage_rows, budget_rows
from factory.validate.rows import HEADINGS, Row, tally
from factory.validate.service_rows import block_error_rows, survival_rows
from factory.validate.silhouette_rows import body_rows, brute_force_rows, double_edge_rows, knife_edge_rows
from factory.validate.sionna_live import unavailable
from factory.validate.sionna_rows import sionna_rows
from factory.validate.tails_rows import tails_rows
from factory.validate.walker import write_crossing

__all__ = ["Row", "all_rows", "live_rows", "markdown", "run", "write_figures"]


def all_rows() -> tuple[Row, ...]:
    """Compute every row that needs no other program, table after table."""
    radio = (antenna_rows, budget_rows, knife_edge_rows, double_edge_rows, body_rows, brute_force_rows, blockage_rows)
    measured = (immerse_rows, extraction_rows)
    services = (block_error_rows, survival_rows, planner_rows, tails_rows, energy_rows, loop_rows, people_rows, safety_rows)
    bodies = (endurance_rows, lifting_rows, motion_rows, forecast_rows, fleet_rows, cobot_rows, beam_rows)
    before = tuple(row for part in radio for row in part())
    after = (*measured, inf_rows, *services, *bodies)
    return (*before, *sionna_rows(live=False), *(row for part in after for row in part()))


def live_rows() -> tuple[Row, ...]:
    """Compute the rows for which Sionna RT works out its side now; none where it cannot run."""
    return sionna_rows(live=True) if unavailable() is None else ()


def write_figures(folder: Path) -> None:
    """Write the page's figures, the same bytes every time."""
    write_crossing(folder / CROSSING)
    write_immerse(folder)
    write_motion(folder)
    write_forecast(folder)
    write_fleet(folder)
    write_beams(folder)


def run(json_path: Path | None, docs_path: Path | None, console: Console | None = None) -> int:
    """Print every table, and write them where asked.

    Parameters
    ----------
    json_path : file for the rows as JSON, None for none.
    docs_path : file for the tables as Markdown, with its figures beside it, None for none. What is kept of the recordings of
        IMMERSE and of people's motion is brought up to date first where they are at hand.
    console : where to print, the terminal when absent.

    Returns
    -------
    0, or 1 where a row is out of tolerance.
    """
    console = console or Console()
    if docs_path is not None and not immerse.refresh():
        console.print("[dim]The IMMERSE recordings are not at hand: the statistics kept of them stay as they are.")
    if docs_path is not None and not motion.refresh():
        console.print("[dim]The recordings of people's motion are not at hand: the statistics kept of them stay as they are.")
    stored = all_rows()
    rows = (*stored, *live_rows())
    for name, members in groupby(rows, key=lambda row: row.table):
        table = Table(title=name, title_justify="left", title_style="bold", header_style="dim")
        for heading in HEADINGS:
            table.add_column(heading, justify="right" if heading in ("ours", "reference", "tolerance") else "left")
        for row in members:
            table.add_row(*row.cells(), style=None if row.ok else "bold red")
        console.print(table)
    if json_path is not None:
        json_path.write_text(json.dumps([_record(row) for row in rows], indent=1, allow_nan=False) + "\n", encoding="utf-8")
    if docs_path is not None:
        docs_path.write_text(markdown(stored), encoding="utf-8")
        write_figures(docs_path.parent)
    wrong = [row for row in rows if not row.ok]
    for row in wrong:
        case, ours, reference, unit, tolerance, source, _ = row.cells()
        console.print(f"[bold red]{row.table}: {case}: ours {ours}, reference {reference} {unit} ({tolerance}), {source}")
    console.print(tally(rows))
    return 1 if wrong else 0


def _record(row: Row) -> dict[str, object]:
    return {
        "table": row.table,
        "case": row.case,
        "ours": row.ours,
        "reference": None if isnan(row.reference) else row.reference,
        "unit": row.unit,
        "tolerance": row.tolerance,
        "rule": row.rule,
        "source": row.source,
        "agrees": row.agrees,
        "ok": row.ok,
    }
