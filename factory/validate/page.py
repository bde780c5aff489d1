"""The tables as a page: what each is about, what was fitted to what, and what does not agree."""

from __future__ import annotations

from itertools import groupby

from factory.validate.immerse_fit import AGV_RANGES, RANGES
from factory.validate.immerse_model import FITTED, Site
from factory.validate.page_notes import FIGURES, NOTES
from factory.validate.rows import HEADINGS, Row, tally

CROSSING = "person-crossing.svg"

_HEAD = """# Validation

Written by `factory-twin validate --docs docs/validation.md`; the tests check that it is up to date. Ours are computed by the
functions that a run uses. A reference is a number of a standard, a paper or a measurement, or of a second implementation of a
formula; none is computed by the function that is being checked. Rows marked *reported* stand for information: no bound was set
for them, and they do not count as agreement. Rows marked *missed* have a bound that the twin is known not to keep.
"""

_CROSSING_NOTE = f"""![Loss against time while a person walks through a link]({CROSSING})

The default takes the whole walking body as one silhouette: its two sides light the shadow, so that the loss swings where arms
and legs pass, and falls below 0 dB beside the body where the edge's field adds to the direct one. Model B has no such swings."""


def markdown(rows: tuple[Row, ...]) -> str:
    """Return the tables as a page."""
    lines = [
        _HEAD,
        f"**{tally(rows)}**",
        "",
        _CROSSING_NOTE,
    ]
    for name, members in groupby(rows, key=lambda row: row.table):
        lines += ["", f"## {name}", ""]
        if name in NOTES:
            lines += [NOTES[name], ""]
        if name == "IMMERSE: pedestrians, runs held out":
            lines += [*_site(FITTED), ""]
        lines += [f"| {' | '.join(HEADINGS)} |", "|---|--:|--:|---|--:|---|---|"]
        lines += [f"| {' | '.join(row.cells())} |" for row in members]
        for words, file in FIGURES.get(name, ()):
            lines += ["", f"![{words}]({file})"]
    return "\n".join(lines) + "\n"


def _site(site: Site) -> list[str]:
    """Fitted numbers and their ranges as a table."""
    lines = ["| fitted | value | range |", "|---|--:|---|"]
    for name, (low, high) in {**RANGES, **AGV_RANGES}.items():
        stem, _, unit = name.rpartition("_")
        unit = {"mps": "m/s", "db": "dB", "deg": "°"}.get(unit, unit)
        words = " ".join(word.upper() if word in ("trp", "ue", "agv") else word for word in stem.split("_"))
        lines.append(f"| {words} | {getattr(site, name):.3g} {unit} | {low:g} to {high:g} |")
    return lines
