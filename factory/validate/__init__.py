"""``factory-twin validate``: our numbers beside the standards', table by table.

A reference is a literal of a standard or paper, or of a second implementation of its formulas; it is never computed by the
function that is being checked.
"""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.table import Table

from factory.validate.people_rows import people_rows, safety_rows
from factory.validate.radio_rows import antenna_rows, blockage_rows, budget_rows
from factory.validate.rows import Row
from factory.validate.service_rows import block_error_rows, survival_rows
from factory.validate.walker import write_crossing

__all__ = ["Row", "all_rows", "markdown", "run"]

FIGURE_NAME = "person-crossing.svg"
_HEADINGS = ("case", "ours", "reference", "unit", "tolerance", "source", "ok")


def all_rows() -> tuple[Row, ...]:
    """Compute every row, table after table."""
    parts = (blockage_rows, antenna_rows, budget_rows, block_error_rows, survival_rows, people_rows, safety_rows)
    return tuple(row for part in parts for row in part())


def run(json_path: Path | None, docs_path: Path | None, console: Console | None = None) -> int:
    """Print every table, and write them where asked.

    Parameters
    ----------
    json_path : file for the rows as JSON, None for none.
    docs_path : file for the tables as Markdown, with the figure of a person who crosses a link beside it, None for none.
    console : where to print, the terminal when absent.

    Returns
    -------
    0, or 1 where a row is out of tolerance.
    """
    console = console or Console()
    rows = all_rows()
    for name, members in groupby(rows, key=lambda row: row.table):
        table = Table(title=name, title_justify="left", title_style="bold", header_style="dim")
        for heading in _HEADINGS:
            table.add_column(heading, justify="right" if heading in ("ours", "reference", "tolerance") else "left")
        for row in members:
            table.add_row(*row.cells(), style=None if row.ok else "bold red")
        console.print(table)
    if json_path is not None:
        json_path.write_text(json.dumps([_record(row) for row in rows], indent=1, allow_nan=False) + "\n", encoding="utf-8")
    if docs_path is not None:
        docs_path.write_text(markdown(rows), encoding="utf-8")
        write_crossing(docs_path.with_name(FIGURE_NAME))
    wrong = [row for row in rows if not row.ok]
    for row in wrong:
        case, ours, reference, unit, tolerance, source, _ = row.cells()
        console.print(f"[bold red]{row.table}: {case}: ours {ours}, reference {reference} {unit} ({tolerance}), {source}")
    console.print(f"{len(rows) - len(wrong)} of {len(rows)} rows agree.")
    return 1 if wrong else 0


def markdown(rows: tuple[Row, ...]) -> str:
    """Return the tables as a page."""
    wrong = sum(not row.ok for row in rows)
    lines = [
        "# Validation",
        "",
        "Written by `factory-twin validate --docs docs/validation.md`; the tests check that it is up to date. Ours are computed",
        "by the functions that a run uses. A reference is a number of a standard or paper, or of a second implementation of its",
        "formula.",
        "",
        f"**{len(rows) - wrong} of {len(rows)} rows agree.**",
        "",
        f"![Loss against time while a person walks through a link]({FIGURE_NAME})",
        "",
        "The walking body is a trunk and limbs. Seen from the side, as here, its trunk is 0.24 m wide, so that it costs less",
        "than the one upright screen of 0.3 m; seen from the front it costs more.",
    ]
    for name, members in groupby(rows, key=lambda row: row.table):
        lines += ["", f"## {name}", "", f"| {' | '.join(_HEADINGS)} |", "|---|--:|--:|---|--:|---|---|"]
        lines += [f"| {' | '.join(row.cells())} |" for row in members]
    return "\n".join(lines) + "\n"


def _record(row: Row) -> dict[str, object]:
    return {
        "table": row.table,
        "case": row.case,
        "ours": row.ours,
        "reference": row.reference,
        "unit": row.unit,
        "tolerance": row.tolerance,
        "rule": row.rule,
        "source": row.source,
        "ok": row.ok,
    }
