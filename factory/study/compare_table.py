"""The comparison as a table for a terminal of 80 columns, and as CSV and Parquet."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa

from factory.report.words import number
from factory.run_folder import write_bytes, write_parquet
from factory.study.compare import Comparison, Row, frame_rows, narrowed
from factory.study.compare_runs import own_interval
from factory.study.compare_words import amount, answer, effect, factor_text, per_shift, plain, signed

WIDTH = 80
_LABEL, _VALUE, _CHANGE = 27, 10, 22
_VARIANTS_MAX = 6


def write_tables(comparison: Comparison, folder: Path) -> tuple[Path, Path]:
    """Write compare.csv and compare.parquet, one row per measure and variant; docs/comparing.md lists the columns."""
    frame = pd.DataFrame(frame_rows(comparison))
    buffer = io.StringIO()
    frame.to_csv(buffer, index=False, lineterminator="\n")
    csv, parquet = folder / "compare.csv", folder / "compare.parquet"
    write_bytes(csv, buffer.getvalue().encode())
    write_parquet(parquet, pa.Table.from_pandas(frame, preserve_index=False))
    return csv, parquet


def shown(row: Row, minutes: float) -> tuple[str, str, str]:
    """Return label with unit, and the two means, of extensive measures per shift of 8 h."""
    m = row.measure
    if m.extensive:
        scale = per_shift(minutes)
        label = f"{m.label}, {m.unit + '/' if m.unit else 'per '}shift"
        return label, number(row.base * scale, 3), number(row.other * scale, 3)
    return m.label, amount(m, row.base), amount(m, row.other)


def change(row: Row, minutes: float) -> str:
    """Return factor or difference with its interval in one short text."""
    factor, ends = factor_text(row)
    if factor:
        return f"{factor} ({ends})" if ends else factor
    if not row.measure.extensive or (row.measure.risk and row.base == row.other == 0):
        words, ends = effect(row, minutes)
        return f"{words} ({ends})" if ends else words
    d, scale = row.difference, per_shift(minutes)

    def write(x: float) -> str:
        return signed(number(abs(round(x * scale, 6)), 2), x)

    return write(d.value) + (f" ({write(d.low)} … {write(d.high)})" if d.told else "")


def text(comparison: Comparison) -> str:
    """Write the comparison for a terminal: the answer first, then the measures that are told first, variant by variant."""
    return plain("\n".join(_lines(comparison)))


def _lines(comparison: Comparison) -> Iterator[str]:
    for paragraph in answer(comparison):
        yield from textwrap.wrap(paragraph, WIDTH, break_on_hyphens=False)
        yield ""
    if len(comparison.material.variants) - 1 > _VARIANTS_MAX:
        yield from _places(comparison)
    comparison, beyond = narrowed(comparison, _VARIANTS_MAX)
    material = comparison.material
    base = material.variants[0].name
    count = f"{len(material.seeds)} seeds" if material.paired else "single runs"
    for variant in material.variants[1:]:
        rows = [r for r in comparison.headline if r.variant == variant.name]
        length = f" of {number(material.minutes, 3)} min" if material.paired else ""
        yield _cut(f"{variant.name} against {base}, {count}{length}", WIDTH)
        heads = ("change (95 %)", "verdict") if material.paired else ("change", "")
        yield f"{'':{_LABEL}}{'base':>{_VALUE}}{'variant':>{_VALUE}}  {heads[0]:{_CHANGE}} {heads[1]}".rstrip()
        yield "-" * WIDTH
        for row in rows:
            yield from _row(row, material.minutes, material.paired)
        yield ""
    for line in own_lines(comparison) if not material.paired else ():
        yield from textwrap.wrap(f"{line}.", WIDTH, subsequent_indent="  ")
    notes = [
        *material.notes,
        *([f"the tables of {len(beyond)} other variants are in compare.html and compare.csv"] if beyond else []),
    ]
    for note in notes:
        yield from textwrap.wrap(f"Note: {note}.", WIDTH, subsequent_indent="  ")
    if material.paired:
        legend = (
            "Verdicts hold for all rows together (Holm, 5 %). Risks (×) are compared by the ratio of their means, "
            "other figures by the difference."
        )
        if len(material.seeds) < comparison.seeds_needed:
            legend += (
                f" With fewer than {comparison.seeds_needed} seeds no risk but that of the answer can pass the correction; "
                "its interval stands beside it."
            )
        yield from textwrap.wrap(legend, WIDTH)


def _places(comparison: Comparison) -> Iterator[str]:
    """Tell the whole ranking, where there are too many variants for a table each."""
    measure = comparison.chosen[0].measure
    scale = per_shift(comparison.material.minutes) if measure.extensive else 1.0
    yield f"Ranking by “{measure.label}”{', per shift' if measure.extensive else ''} (one letter: cannot be told apart)"
    for k, place in enumerate(comparison.ranking, start=1):
        yield f"{k:4}  {_cut(place.name, 44):44}  {amount(measure, place.mean * scale):>14}  {place.groups}"
    yield ""


def _row(row: Row, minutes: float, paired: bool) -> Iterator[str]:
    label, before, after = shown(row, minutes)
    verdict = "" if not paired else row.verdict
    labels = textwrap.wrap(label, _LABEL - 1)
    changes = textwrap.wrap(plain(change(row, minutes)), _CHANGE) or [""]
    olds, news = (textwrap.wrap(value, _VALUE - 1) or [""] for value in (before, after))
    for k in range(max(len(labels), len(changes), len(olds), len(news))):
        left = labels[k] if k < len(labels) else ""
        middle = changes[k] if k < len(changes) else ""
        values = (olds[k] if k < len(olds) else "", news[k] if k < len(news) else "", verdict if k == 0 else "")
        yield f"{left:{_LABEL}}{values[0]:>{_VALUE}}{values[1]:>{_VALUE}}  {middle:{_CHANGE}} {values[2]}".rstrip()


def own_lines(comparison: Comparison, policy: str | None = None) -> list[str]:
    """Tell each run's own intervals of the measures that are told first, where it has any."""
    lines = []
    for variant in comparison.material.variants:
        kpi = variant.runs[0].kpi
        parts = []
        for key, measure in variant.figures[0].items():
            ends = own_interval(kpi, key, policy) if measure.headline else None
            if ends is not None:
                low, high = (amount(measure, x) if math.isfinite(x) else "no end" for x in ends)
                parts.append(f"{measure.label} {amount(measure, measure.value)} ({low} … {high})")
        if parts:
            lines.append(f"{variant.name} by itself, 95 % within the run: {'; '.join(parts)}")
    return lines


def _cut(words: str, width: int) -> str:
    return words if len(words) <= width else words[: width - 1] + "…"
