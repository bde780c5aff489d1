"""Do imported layouts drive? Every layout of a folder is imported as it is and simulated; a table of what came of it.

``python -m factory.layouts.study FOLDER RESULT.json [--minutes 10] [NAME...]`` adds one row per layout to RESULT.json and leaves
rows that are there; ``--table RESULT.json`` prints them as Markdown.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from factory.errors import UserError
from factory.kpi import collect
from factory.layouts.command import import_layout
from factory.layouts.read import Reading, kind_of
from factory.layouts.to_scenario import Options
from factory.scenario import load_scenario
from factory.twin import Twin

PATTERNS = ("lif/*.json", "opentcs/*.xml", "rmf/*.building.yaml", "ros/*.yaml")
_COLUMNS = ("file", "nodes", "edges", "boxes", "repaired", "ignored", "assumed", "AGVs", "orders", "people walked m",
            "lost / sent", "build s", "factor")  # fmt: skip


def study_layout(path: Path, minutes: float) -> dict[str, Any]:
    """Import a layout with nothing but its file, simulate it, and return a row.

    The factor is simulated time per CPU time of this process, so that a busy machine does not change it.
    """
    plan, text = import_layout(path, Reading(), Options())
    report = plan.found.report
    with tempfile.TemporaryDirectory() as folder:
        scenario = Path(folder) / "scenario.yaml"
        scenario.write_text(text, encoding="utf-8")
        loaded = load_scenario(str(scenario), [f"duration_s={60 * minutes:g}"])
    begun = time.process_time()
    twin = Twin(loaded)
    built = time.process_time()
    end_us, walked_m, place = round(60e6 * minutes), 0.0, twin.people.position_m.copy()
    driven_m, agv_place = 0.0, twin.agvs.position_m.copy()
    try:
        while twin.time_us < end_us:
            twin.tick()
            if twin.time_us % 500_000 == 0:
                walked_m += float(np.hypot(*(twin.people.position_m[:, :2] - place[:, :2]).T).sum())
                driven_m += float(np.hypot(*(twin.agvs.position_m[:, :2] - agv_place[:, :2]).T).sum())
                place, agv_place = twin.people.position_m.copy(), twin.agvs.position_m.copy()
        ran = time.process_time()
        kpi = collect(twin)
    finally:
        twin.close()
    return {
        "file": path.name,
        "kind": kind_of(path),
        **report.counts,
        **report.number(),
        "agvs": plan.vehicle.count or 0,
        "people": plan.people,
        "trps": len(plan.trps),
        "minutes": minutes,
        "orders": kpi["production"]["orders"],
        "driven_m": round(driven_m, 1),
        "walked_m": round(walked_m, 1),
        "messages": sum(s["messages"] for s in kpi["services"]),
        "lost": sum(s.get("lost", 0) for s in kpi["services"]),
        "build_s": round(built - begun, 2),
        "factor": round(60 * minutes / (ran - built), 2),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Return rows as Markdown."""
    lines = ["| " + " | ".join(_COLUMNS) + " |", "|" + "|".join(["---"] + ["---:"] * (len(_COLUMNS) - 1)) + "|"]
    for r in rows:
        cells = [
            r["file"], r["nodes"], r["edges"], r["boxes"], r["repaired"], r["ignored"], r["assumed"], r["agvs"], r["orders"],
            f"{r['walked_m']:.0f}", f"{r['lost']} / {r['messages']}", f"{r['build_s']:.1f}", f"{r['factor']:.1f}",
        ]  # fmt: skip
        lines.append("| " + " | ".join(str(c) for c in cells) + " |")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Run the study from the command line."""
    parser = argparse.ArgumentParser(prog="python -m factory.layouts.study", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="folder with lif/, opentcs/, rmf/, ros/")
    parser.add_argument("result", nargs="?", type=Path, help="JSON file of rows")
    parser.add_argument("names", nargs="*", help="only these files")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--table", type=Path, help="print the rows of this file")
    options = parser.parse_args(arguments)
    if options.table is not None:
        print(table(json.loads(options.table.read_text(encoding="utf-8"))))
        return 0
    if options.folder is None or options.result is None:
        parser.error("give a folder and a result file")
    rows = json.loads(options.result.read_text(encoding="utf-8")) if options.result.is_file() else []
    done = {row["file"] for row in rows}
    for path in sorted(p for pattern in PATTERNS for p in options.folder.glob(pattern)):
        if path.name in done or (options.names and path.name not in options.names):
            continue
        try:
            row = study_layout(path, options.minutes)
        except UserError as error:
            print(f"{path.name}: {error}", file=sys.stderr)
            continue
        rows.append(row)
        options.result.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        print(json.dumps(row), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
