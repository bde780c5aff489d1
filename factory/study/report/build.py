"""Puts the comparison report together: one page without any request to a host."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from factory.report.words import Cell, number, percent
from factory.run_folder import write_bytes
from factory.study.compare import Comparison, Row, narrowed
from factory.study.compare_curves import curves
from factory.study.compare_maps import MAPS, FloorMaps, floor_maps, table_total_s
from factory.study.compare_runs import own_interval
from factory.study.compare_table import shown
from factory.study.compare_words import VERDICTS, amount, answer, effect, factor_text, per_shift
from factory.study.measures import BLOCKING, GROUPS
from factory.study.paired import FEWEST_FOR_RATIO
from factory.study.report import charts, maps

PAGE_BYTES_MAX = 3_000_000
VARIANTS_MAX = 12
"""Variants beside the base that the page shows below its ranking."""
_MAPPED = 4
_SUMS = {"outage_s": (1.0, "s down"), "blocked_s": (60.0, "AGV minutes"), "people_s": (3600.0, "person hours")}


def build_comparison(comparison: Comparison, folder: Path, policy: str | None = None) -> Path:
    """Write ``compare.html`` into a folder.

    Parameters
    ----------
    comparison : what was compared.
    folder : where to write to.
    policy : whose services, as the comparison was asked for.

    Returns
    -------
    Path of the page.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("factory.study.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("page.html.j2").render(**_context(comparison, policy))
    target = folder / "compare.html"
    write_bytes(target, page.encode())
    return target


def _context(whole: Comparison, policy: str | None) -> dict[str, Any]:
    comparison, beyond = narrowed(whole, VARIANTS_MAX)
    material = comparison.material
    names = [v.name for v in material.variants]
    floor = floor_maps(material)
    drawn = _drawn(comparison)
    scale = per_shift(material.minutes)
    scenarios = {v.name: v.runs[0].info["scenario"] for v in material.variants}
    saved = [r.saved for r in comparison.headline if not math.isnan(r.saved)]
    chosen = comparison.chosen[0].measure
    return {
        "title": material.title,
        "subtitle": _subtitle(whole),
        "answer": answer(whole),
        "paired": material.paired,
        "ranking": _ranking(whole),
        "chosen": chosen.label,
        "base": names[0],
        "blocks": _blocks(comparison.headline, material.minutes),
        "own": _own(comparison, policy) if not material.paired else [],
        "forest": charts.forest(comparison) if material.paired else "",
        "seeds_svg": charts.seeds(comparison) if material.paired else "",
        "time_svg": charts.over_time(comparison, curves(material, BLOCKING)),
        "causes_svg": charts.causes(comparison),
        "maps": [
            (words, svg)
            for name, (words, _) in MAPS.items()
            if floor.grids and (svg := maps.map_figure(name, floor.grids[name], scenarios, drawn, scale))
        ],
        "no_maps": floor.reason,
        "left_out": [n for n in names if n not in drawn],
        "totals": _totals(comparison, floor) if floor.grids else [],
        "total_heads": [f"{words} [{_SUMS[name][1]}]" for name, (words, _) in MAPS.items()],
        "variants": [(v.name, v.changes.strip(), list(v.overrides)) for v in material.variants],
        "groups": [
            (words, _blocks([r for r in comparison.rows if r.measure.group == group], material.minutes))
            for group, words in GROUPS.items()
        ],
        "unchanged": comparison.unchanged,
        "absent": sorted(comparison.absent.items()),
        "notes": [*material.notes, *_beyond(beyond)],
        "families": comparison.families,
        "few": len(material.seeds) < comparison.seeds_needed,
        "seeds_needed": comparison.seeds_needed,
        "fewest": FEWEST_FOR_RATIO,
        "saved": percent(100 * float(np.median(saved))) if saved else "",
        "base_text": material.base_text,
        "provenance": _provenance(comparison),
    }


def _beyond(names: Sequence[str]) -> list[str]:
    """Say which variants the page leaves out below the ranking."""
    if not names:
        return []
    first = f"below the ranking this page shows the {VARIANTS_MAX} variants that come first"
    return [f"{first}; compare.csv holds the other {len(names)} too"]


def _subtitle(comparison: Comparison) -> str:
    material = comparison.material
    names = [v.name for v in material.variants]
    against = f"{names[0]} against {', '.join(names[1:])}" if len(names) <= 5 else f"{names[0]} against {len(names) - 1} variants"
    if not material.paired:
        return f"Comparison of single runs: {against}"
    return f"Comparison of {against}: {len(material.seeds)} common seeds, {number(material.minutes, 3)} simulated minutes each"


def _ranking(comparison: Comparison) -> list[dict[str, str]]:
    measure = comparison.chosen[0].measure
    rows = {r.variant: r for r in comparison.chosen}
    scale = per_shift(comparison.material.minutes) if measure.extensive else 1.0
    out = []
    for k, place in enumerate(comparison.ranking):
        row = rows.get(place.name)
        unit = f"{measure.unit} per shift".strip() if measure.extensive else ""
        value = f"{number(place.mean * scale, 3)} {unit}" if measure.extensive else amount(measure, place.mean)
        verdict = VERDICTS[row.verdict] if row is not None else "what the others are compared with"
        out.append({"place": str(k + 1), "name": place.name, "value": value, "groups": place.groups, "verdict": verdict})
    return out


def _blocks(rows: Sequence[Row], minutes: float) -> list[dict[str, Any]]:
    """Rows of one measure together: label, base, and a line for every variant."""
    blocks: list[dict[str, Any]] = []
    for row in rows:
        label, base, other = shown(row, minutes)
        words, span = effect(row, minutes)
        factor, ends = factor_text(row)
        line = {
            "variant": row.variant,
            "value": other,
            "effect": Cell(words, (span,) if span else ()),
            "factor": Cell(factor, (ends,) if ends else ()),
            "p": _p(row.p_holm),
            "verdict": VERDICTS[row.verdict],
            "kind": row.verdict.replace(" ", "-"),
        }
        if blocks and blocks[-1]["key"] == row.measure.key:
            blocks[-1]["lines"].append(line)
        else:
            blocks.append({"key": row.measure.key, "label": label, "base": base, "lines": [line]})
    return blocks


def _p(value: float) -> str:
    return "" if math.isnan(value) else "< 0.0001" if value < 1e-4 else number(value, 2)


def _own(comparison: Comparison, policy: str | None) -> list[dict[str, Any]]:
    """Each run's own intervals of its services' figures."""
    variants = comparison.material.variants
    kpis = {v.name: v.runs[0].kpi for v in variants}
    keys = list(dict.fromkeys(k for v in variants for k, m in v.figures[0].items() if m.group == "services" and not m.extensive))
    out = []
    for key in keys:
        cells, label = [], ""
        for v in variants:
            measure = v.figures[0].get(key)
            if measure is None:
                cells.append(Cell("not known"))
                continue
            label = measure.label
            ends = own_interval(kpis[v.name], key, policy)
            small = () if ends is None else (" … ".join(amount(measure, x) for x in ends),)
            cells.append(Cell(amount(measure, measure.value), small))
        out.append({"label": label, "cells": cells})
    return out


def _drawn(comparison: Comparison) -> list[str]:
    """Variants that the maps show: the base and those that the ranking puts first."""
    names = [v.name for v in comparison.material.variants]
    ranked = [r.name for r in comparison.ranking if r.name != names[0]] or names[1:]
    return [names[0], *sorted(ranked[: _MAPPED - 1], key=names.index)]


def _totals(comparison: Comparison, floor: FloorMaps) -> list[dict[str, Any]]:
    """Give sums of the maps beside the figures of the table, per shift."""
    material = comparison.material
    scale = per_shift(material.minutes)
    out = []
    for variant in material.variants:
        cells = []
        for name in MAPS:
            part, _ = _SUMS[name]
            told = table_total_s(material, name, variant.name)
            total = number(float(floor.grids[name][variant.name].sum()) * scale / part, 4)
            cells.append(Cell(total, () if told is None else (f"table: {number(told * scale / part, 4)}",)))
        out.append({"label": variant.name, "cells": cells})
    return out


def _provenance(comparison: Comparison) -> list[tuple[str, str]]:
    material = comparison.material
    info = material.variants[0].runs[0].info
    seeds = ", ".join(str(s) for s in material.seeds)
    return [
        ("seeds", seeds),
        ("simulated minutes of a run", number(material.minutes, 4)),
        ("scenario SHA-256 of the base", str(info["scenario_sha256"])),
        *((f"version of {k}", str(v)) for k, v in sorted(info["versions"].items())),
    ]
