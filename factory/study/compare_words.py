"""Comparisons in words: effects in the plant's terms, and the answer in a few sentences."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from factory.report.words import count, duration, number, percent
from factory.study.compare import SHIFT_MIN, Comparison, Row
from factory.study.measures import Measure
from factory.study.paired import fewest_pairs

VERDICTS: dict[str, str] = {
    "better": "better",
    "worse": "worse",
    "higher": "higher",
    "lower": "lower",
    "open": "open",
    "equal": "equal",
    "too few": "too few seeds",
}
_ENOUGH_SHARE = 0.1  # causes below this share of the change are not named


def plain(text: str) -> str:
    """Replace the narrow spaces of the report by ordinary ones, for terminals and CSV."""
    return text.replace("\u202f", " ")


def amount(measure: Measure, value: float) -> str:
    """Write a value of a measure with its unit."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "no end"
    if measure.key.endswith("unavailability"):
        return number(value, 3) if value == 0 or value >= 1e-3 else f"{value:.1e}".replace("e-0", "e-")
    if _is_share(measure):
        return f"{number(100 * value, 3)}\u202f%"
    if 0 < abs(value) < 1e-4:
        return f"{value:.1e}\u202f{measure.unit}".replace("e-0", "e-").strip()
    unit = measure.unit.replace("1e-6", "per million").replace("1/(device h)", "per device h").replace("1/h", "per h")
    return f"{number(value, 3)}\u202f{unit}".strip()


def _is_share(measure: Measure) -> bool:
    return measure.unit == "" and (measure.key.startswith("oee.") or "share" in measure.key or ".symbols" in measure.key)


def signed(text: str, value: float) -> str:
    """Put a sign before the text of an absolute value."""
    return f"+{text}" if value > 0 else f"−{text}" if value < 0 else text


def _span(low: float, high: float, write: Callable[[float], str]) -> str:
    if math.isnan(low) or math.isnan(high):
        return ""
    ends = ["no end" if math.isinf(x) else signed(write(abs(x)), x) for x in (low, high)]
    return f"{ends[0]} … {ends[1]}"


def factor_text(row: Row) -> tuple[str, str]:
    """Factor and its interval as two texts; "" where there is none."""
    f = row.factor
    if f is None or math.isnan(f.value):
        return "", ""
    if math.isinf(f.value):
        return "from none", ""
    ends = "" if math.isnan(f.low) else f"{_times(f.low)} … {'no end' if math.isinf(f.high) else _times(f.high)}"
    return f"× {_times(f.value)}", ends


def _times(value: float) -> str:
    return number(value, 2) if value == 0 or 1e-3 <= value < 1e4 else f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")


def per_shift(minutes: float) -> float:
    """Factor from a run of this length to a shift of 8 h."""
    return SHIFT_MIN / minutes


def effect(row: Row, minutes: float) -> tuple[str, str]:
    """Effect size of a row in the plant's terms, and its interval.

    Parameters
    ----------
    row : the row.
    minutes : simulated time that extensive measures are for [min].

    Returns
    -------
    For example ("−14 min per shift", "−20 … −6"), ("+0.8 nines", "+0.3 … +1.1"), ("one per 2.3 h instead of per 40 min", "").
    """
    m, d, key = row.measure, row.difference, row.measure.key
    if m.risk and row.base == row.other == 0:
        return "none in either", ""
    if key.endswith((".unavailability", ".nines")) and row.factor is not None:
        return _decades(row)
    if key.startswith("stops."):
        return _stop_rate(row, minutes)
    if key.endswith(".failures_per_hour"):
        now, before = (3600 / x if x else math.inf for x in (row.other, row.base))
        return f"{_one_per(now)}, was {_one_per(before)}", ""
    if m.extensive:
        scale = per_shift(minutes)
        unit = f"{m.unit} per shift".strip()

        def rate(x: float) -> str:
            return number(round(x * scale, 6), 3)

        return f"{signed(rate(abs(d.value)), d.value)} {unit}", _span(d.low, d.high, rate)
    if _is_share(m):

        def points(x: float) -> str:
            return number(100 * x, 2)

        return f"{signed(points(abs(d.value)), d.value)} points", _span(d.low, d.high, points)
    if row.base:

        def part(x: float) -> str:
            return number(100 * x / abs(row.base), 2)

        return f"{signed(part(abs(d.value)), d.value)}\u202f%", _span(d.low, d.high, part)
    return signed(amount(m, abs(d.value)), d.value), ""


def _decades(row: Row) -> tuple[str, str]:
    """Factor of an unavailability as nines won or lost."""
    f = row.factor
    if f is None or math.isnan(f.value) or math.isinf(f.value):
        return "no time down before" if row.base == 0 else "", ""

    def nines(factor: float) -> float:
        return -math.log10(factor) if factor > 0 else math.inf

    def write(x: float) -> str:
        return number(x, 2)

    if f.value == 0:
        return "no time down left", ""
    won = nines(f.value)
    low, high = (nines(x) if math.isfinite(x) else math.nan for x in (f.high, f.low))
    return f"{signed(write(abs(won)), won)} nines", _span(low, high, write)


def _stop_rate(row: Row, minutes: float) -> tuple[str, str]:
    before, now = (60 * minutes / x if x else math.inf for x in (row.base, row.other))
    scale = per_shift(minutes)
    span = _span(row.difference.low, row.difference.high, lambda x: number(round(x * scale, 6), 2))
    return f"{_one_per(now)}, was {_one_per(before)}", f"{span} per shift" if span else ""


def _one_per(seconds: float) -> str:
    return "none" if math.isinf(seconds) else f"one per {duration(seconds)}"


def certainty(row: Row, comparisons: int) -> str:
    """Say how sure a row is: seeds, p value, correction."""
    p = row.p_holm
    many = f" after correction for {comparisons} comparisons" if comparisons > 1 else ""
    return f"{row.difference.pairs} seeds, p = {number(p, 2) if p >= 1e-4 else 'below 0.0001'}{many}"


def answer(comparison: Comparison) -> list[str]:
    """Write the answer: which variant pays, by how much, how certain, and why."""
    material = comparison.material
    if not material.paired:
        return _single(comparison)
    rows = {r.variant: r for r in comparison.chosen}
    measure = next(iter(rows.values())).measure
    what, base = measure.label, material.variants[0].name
    ranked = [r.name for r in comparison.ranking if r.name in rows]
    wanted = ("better",) if measure.better is not None else ("higher", "lower")
    good = [v for v in ranked if rows[v].verdict in wanted]
    out = []
    if good:
        best = rows[good[0]]
        out.append(f"{good[0]} pays: {_moved(best, comparison)} ({certainty(best, comparison.families[0])}).")
        tied = [v for v in good[1:] if _share_group(comparison, good[0], v)]
        if tied:
            out[-1] += f" It cannot be told apart from {_list(tied)}."
        rest = [v for v in good[1:] if v not in tied]
        if rest:
            out[-1] += f" {_list(rest)} {'helps' if len(rest) == 1 else 'help'} less."
        why = causes(comparison, good[0])
        if why:
            out.append(why)
    else:
        first = next((rows[v] for v in ranked), None)
        seeds = len(material.seeds)
        if first is not None and first.verdict == "too few":
            out.append(
                f"Which variant pays in \u201c{what}\u201d cannot be said yet: {first.reason or 'too few seeds'}. "
                f"At the face of it {first.variant} comes first, {_moved(first, comparison, False)}."
            )
        else:
            needed = fewest_pairs(comparison.families[0])
            few = measure.risk and seeds < needed
            told = count(comparison.families[0], "variant")
            more = f"; {needed} seeds are the fewest with which {told} can be told apart" if few else ""
            looks = ""
            if first is not None and first.verdict not in ("equal", "worse") and first.other != first.base:
                gains = (first.other < first.base) == (measure.better == "lower")
                how = "looks best" if gains else "comes nearest and still looks worse"
                looks = f" {first.variant} {how}, {_moved(first, comparison)}, but that can be chance."
            out.append(
                f"No variant can be said to be better than {base} in \u201c{what}\u201d with {count(seeds, 'seed')}{more}.{looks}"
            )
    bad = [v for v in ranked if rows[v].verdict == "worse"]
    if bad:
        parts = [f"{v} ({effect(rows[v], material.minutes)[0]})" for v in bad]
        out.append(f"Worse than {base} in \u201c{what}\u201d: {_list(parts)}.")
    if good:
        out += _beside(comparison, good[0])
    return out


def _moved(row: Row, comparison: Comparison, interval: bool = True) -> str:
    """Say what a row's measure went from and to, with effect and factor."""
    m, minutes = row.measure, comparison.material.minutes
    if m.extensive:
        scale = per_shift(minutes)
        unit = f"{m.unit or ''} per shift of 8\u202fh".strip()
        values = f"from {number(row.base * scale, 3)} to {number(row.other * scale, 3)} {unit}"
    else:
        values = f"from {amount(m, row.base)} to {amount(m, row.other)}"
    name = m.label if m.label.isupper() else m.label[0].lower() + m.label[1:]
    text = f"\u201c{name}\u201d goes {values}"
    factor, ends = factor_text(row)
    if factor and factor != "from none":
        text += f", {factor}" + (f" (95 %: {ends})" if ends and interval else "")
    elif interval:
        change, span = effect(row, minutes)
        text += f", {change}" + (f" (95 %: {span})" if span else "")
    return text


def causes(comparison: Comparison, variant: str) -> str:
    """Name the causes of lost messages that changed most, and what share of the change they are; "" where none changed."""
    rows = [r for r in comparison.rows if r.variant == variant and r.measure.group == "causes"]
    change = {r.measure.label.removeprefix("lost: "): r.other - r.base for r in rows}
    total = sum(change.values())
    if not total:
        return ""
    same = {c: d for c, d in change.items() if d * total > 0}
    along = sum(same.values())
    main = sorted((c for c in same if abs(same[c]) >= _ENOUGH_SHARE * abs(along)), key=lambda c: -abs(same[c]))[:3]
    before = sum(r.base for r in rows)
    fewer = "Fewer" if total < 0 else "More"
    scale = per_shift(comparison.material.minutes)
    text = f"{fewer} messages are lost ({number(before * scale, 3)} to {number((before + total) * scale, 3)} per shift), by "
    text += _list([f"{c} ({percent(100 * same[c] / along)} of the change)" for c in main])
    against = {c: d for c, d in change.items() if d * total < 0 and abs(d) >= _ENOUGH_SHARE * abs(along)}
    if against:
        text += "; against it went " + _list(
            [f"{c} ({signed(number(abs(d) * scale, 3), d)} per shift)" for c, d in against.items()]
        )
    return text + "."


def _beside(comparison: Comparison, variant: str) -> list[str]:
    """Tell what else changed for sure with a variant, good and bad."""
    minutes = comparison.material.minutes
    rows = [r for r in comparison.headline if r.variant == variant and r.measure.key != comparison.key]
    out = []
    for verdict, opening in (("better", "Better as well"), ("worse", "The price")):
        found = [f"{r.measure.label} ({effect(r, minutes)[0]})" for r in rows if r.verdict == verdict]
        if found:
            out.append(f"{opening}: {_list(found[:4])}.")
    return out


def _share_group(comparison: Comparison, one: str, two: str) -> bool:
    groups = {r.name: set(r.groups) for r in comparison.ranking}
    return bool(groups[one] & groups[two])


def _single(comparison: Comparison) -> list[str]:
    """Answer where there is one run of each: numbers, and that nothing certain can be said."""
    material = comparison.material
    base = material.variants[0].name
    rows = comparison.chosen
    moved = _list([f"{_moved(r, comparison, False)} in {r.variant}" for r in rows])
    seeds = {int(s) for s in material.seeds}
    same = "they share their seed" if len(seeds) == 1 else f"their seeds are {', '.join(str(s) for s in material.seeds)}"
    return [
        f"Against {base}: {moved}.",
        f"These are single runs ({same}), so what differs between them may be chance: no interval of a difference can be given, "
        "only each run's own, where it has one. To know, run both over common seeds: factory-twin whatif.",
    ]


def _list(items: Sequence[str]) -> str:
    """Join words: "a, b and c"."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""
