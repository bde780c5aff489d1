"""Compares variants: gathers the measures of their runs, pairs them by seed, and says what differs and how sure that is.

Families of comparisons, each with a family-wise error rate of 5 % (Holm): the chosen measure over all variants, which the answer
rests on; the other measures that are told first, over all variants; and every measure over all variants, for the long table.
Measures that are zero in every run are left out of all of them, and those that tell another one in other units are not tested.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from factory.errors import UserError
from factory.run_folder import Run
from factory.study.measures import GROUPS, Measure, read
from factory.study.paired import (
    CONFIDENCE,
    FEWEST_FOR_RATIO,
    Estimate,
    Ranked,
    fewest_pairs,
    holm,
    mean_difference,
    pooled_ratio,
    ranking,
    subsets,
    variance_saved,
)
from factory.study.study_folder import StudyFolder

Floats = npt.NDArray[np.float64]
Verdict = Literal["better", "worse", "higher", "lower", "open", "equal", "too few"]

SHIFT_MIN = 480.0
"""Length of a shift that effects are told for [min]: 8 h."""
_FIRST_CHOICES = ("radio_minutes.total", "stops.communication")


class CompareError(UserError):
    """Folders that cannot be compared; the message says which, and what would be right."""


@dataclass(frozen=True, slots=True)
class VariantRuns:
    """A variant and its runs.

    Attributes
    ----------
    name : of the variant.
    changes, overrides : what it changes, as text and as ``key=value``; empty of a plain run.
    runs : one per seed, in the order of the seeds.
    figures : measures of every run.
    """

    name: str
    changes: str
    overrides: tuple[str, ...]
    runs: tuple[Run, ...]
    figures: tuple[dict[str, Measure], ...]


@dataclass(frozen=True, slots=True)
class Material:
    """What is compared.

    Attributes
    ----------
    title : name of the study or the runs.
    variants : the one that the others are compared with comes first.
    seeds : seeds that all variants have; of plain runs those of each run.
    minutes : simulated time that extensive measures are for [min].
    paired : True where runs of the same row share their seed.
    base_text : scenario of the base as text.
    notes : what was left out, in words.
    """

    title: str
    variants: tuple[VariantRuns, ...]
    seeds: tuple[int, ...]
    minutes: float
    paired: bool
    base_text: str
    notes: tuple[str, ...] = ()

    def values(self, key: str) -> dict[str, Floats]:
        """Values of a measure by variant, over the seeds; of those variants alone that have it in every run."""
        return {v.name: np.array([f[key].value for f in v.figures]) for v in self.variants if all(key in f for f in v.figures)}


@dataclass(frozen=True, slots=True)
class Row:
    """One measure of one variant against the base.

    Attributes
    ----------
    measure : the measure, with the base's mean as its value.
    variant : name of the variant.
    base, other : means over the seeds.
    difference : of the means, in the measure's unit; of a risk what its factor comes to at the base's level.
    factor : ratio of the means, of risks; None of other measures.
    p, p_holm : p value of "no difference", and adjusted for the row's family.
    verdict : what can be said.
    saved : share of the variance of the difference that common seeds saved, NaN where nothing varies.
    """

    measure: Measure
    variant: str
    base: float
    other: float
    difference: Estimate
    factor: Estimate | None
    p: float
    p_holm: float
    verdict: Verdict
    saved: float

    @property
    def reason(self) -> str:
        """Why an interval is not told, "" where it is."""
        return (self.factor or self.difference).reason


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result.

    Attributes
    ----------
    material : what was compared.
    key : the measure that the answer rests on.
    rows : all rows, by measure and then by variant.
    ranking : variants by that measure, the best first.
    unchanged : words of measures that are zero in every run.
    absent : why a measure could not be compared, by its key.
    families : number of comparisons of the chosen measure, of those told first, and of all.
    """

    material: Material
    key: str
    rows: tuple[Row, ...]
    ranking: tuple[Ranked, ...]
    unchanged: tuple[str, ...]
    absent: dict[str, str]
    families: tuple[int, int, int]

    @property
    def chosen(self) -> tuple[Row, ...]:
        """Rows of the chosen measure."""
        return tuple(r for r in self.rows if r.measure.key == self.key)

    @property
    def headline(self) -> tuple[Row, ...]:
        """Rows that are told first, those of the chosen measure before the others."""
        return self.chosen + tuple(r for r in self.rows if r.measure.headline and r.measure.key != self.key)

    @property
    def seeds_needed(self) -> int:
        """Seeds from which a risk can be marked in the table that is told first."""
        return fewest_pairs(max(self.families[:2]))


def load_study(path: Path, policy: str | None = None, against: str | None = None) -> Material:
    """Read a what-if study.

    Parameters
    ----------
    path : the study's folder.
    policy : whose services and resources; the acting policy of each run when absent.
    against : the variant that the others are compared with; the scenario without changes when absent.

    Raises
    ------
    StudyFolderError, CompareError
        Where the folder is no study, has no variant ``against``, or no seed has a run of the base and of another variant.
    """
    study = StudyFolder.open(path)
    notes = []
    base = study.variants[0] if against is None else against
    if base not in study.variants:
        near = get_close_matches(base, study.variants, 1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise CompareError(f"--against {base}: {path} has no such variant; {hint}known: {', '.join(study.variants)}")
    if base != study.variants[0]:
        notes.append(f"all are compared with variant {base}, not with {study.variants[0]}")
    with_base = [s for s in study.seeds if study.done(base, s)]
    kept = [base]
    for name in study.variants:
        if name == base:
            continue
        if any(study.done(name, s) for s in with_base):
            kept.append(name)
        else:
            failed = next((m for s in study.seeds if (m := study.failure(name, s))), "")
            notes.append(f"variant {name} is left out: it has no run beside one of {base}" + (f" ({failed})" if failed else ""))
    seeds = tuple(s for s in with_base if all(study.done(v, s) for v in kept))
    if not seeds or len(kept) < 2:
        raise CompareError(
            f"{path}: no seed has a run of every variant yet, so there is nothing to pair; "
            "the same whatif command goes on where it stopped"
        )
    if len(seeds) < len(study.seeds):
        notes.append(f"{len(seeds)} of {len(study.seeds)} seeds have a run of every variant; the others are left out")
    variants = []
    for name in kept:
        runs = tuple(study.run(name, s) for s in seeds)
        text = study.variant(name)
        variants.append(VariantRuns(name, text.changes, text.overrides, runs, tuple(_figures(r, policy) for r in runs)))
    return Material(Path(path).resolve().name, tuple(variants), seeds, study.minutes, True, study.content.base_text, tuple(notes))


def load_runs(paths: Sequence[Path], policy: str | None = None) -> Material:
    """Read single runs; the first is what the others are compared with.

    Raises
    ------
    RunFolderError, CompareError
        Where a folder is no run, a run has no figures, or a run is given twice.
    """
    if len(paths) < 2:
        raise CompareError(
            f"{paths[0] if paths else 'nothing'} is one run; give at least two run folders, or the folder of a what-if study"
        )
    resolved = [p.resolve() for p in paths]
    for path in paths:
        if (path / "study.json").is_file():
            raise CompareError(f"{path} is a what-if study; give it alone, or give run folders only")
        if resolved.count(path.resolve()) > 1:
            raise CompareError(f"{path} is given twice; a run does not differ from itself")
    runs = [Run(p) for p in paths]
    figures = [_figures(r, policy) for r in runs]
    notes = [f"{r.path} is {r.info['state']}: its figures are those up to then" for r in runs if not r.finished]
    if len({str(r.info["scenario"].get("name")) for r in runs}) > 1:
        scenarios = ", ".join(str(r.info["scenario"].get("name")) for r in runs)
        notes.append(f"these are runs of different scenarios ({scenarios}): they differ in more than one thing")
    lengths = [r.kept_s / 60 for r in runs]
    minutes = lengths[0]
    if max(lengths) - min(lengths) > 1e-6 * max(lengths):
        if min(lengths) <= 0:
            raise CompareError(
                f"{paths[lengths.index(min(lengths))]} has no simulated time in it; nothing can be compared with it"
            )
        minutes = 60.0
        figures = [{k: _per_hour(m, length) for k, m in f.items()} for f, length in zip(figures, lengths, strict=True)]
        notes.append(
            "the runs differ in length ("
            + ", ".join(f"{length:.3g} min" for length in lengths)
            + "): stops, minutes, orders and losses are scaled to one length"
        )
    variants = tuple(VariantRuns(name, "", (), (r,), (f,)) for name, r, f in zip(_names(paths), runs, figures, strict=True))
    title = " against ".join(v.name for v in variants)
    seeds = tuple(int(r.info["seed"]) for r in runs)
    return Material(title, variants, seeds, minutes, False, str(runs[0].info["scenario_text"]), tuple(notes))


def _figures(run: Run, policy: str | None) -> dict[str, Measure]:
    try:
        return read(run.kpi, policy)[0]
    except ValueError as error:
        raise CompareError(f"{run.path}: {error}") from None


def _per_hour(measure: Measure, minutes: float) -> Measure:
    return replace(measure, value=measure.value * 60 / minutes) if measure.extensive else measure


def _names(paths: Sequence[Path]) -> list[str]:
    """Shortest endings of the paths that tell them apart."""
    resolved = [p.resolve().parts for p in paths]
    for k in range(1, max(len(p) for p in resolved) + 1):
        names = ["/".join(p[-k:]) for p in resolved]
        if len(set(names)) == len(names):
            return names
    return [f"run {i + 1}" for i in range(len(paths))]


def compare(material: Material, key: str | None = None) -> Comparison:
    """Compare every variant with the first one in every measure.

    Parameters
    ----------
    material : the runs.
    key : measure that the answer rests on; without one the first of minutes and stops by radio, service unavailabilities and
        orders that is above zero in any run.

    Raises
    ------
    CompareError
        For an unknown measure.
    """
    base, others = material.variants[0], material.variants[1:]
    known: dict[str, Measure] = {}
    for v in material.variants:
        for figures in v.figures:
            for k, m in figures.items():
                known.setdefault(k, m)
    absent: dict[str, str] = {}
    told: list[str] = []
    unchanged: list[str] = []
    for k, m in known.items():
        having = material.values(k)
        if base.name not in having or len(having) < 2:
            lacking = [v.name for v in material.variants if v.name not in having]
            absent[k] = f"not known in every run of {', '.join(lacking)}"
        elif not any(values.any() for values in having.values()):
            unchanged.append(m.label)
        else:
            told.append(k)
    order = list(GROUPS)
    told.sort(key=lambda k: (order.index(known[k].group), list(known).index(k)))
    chosen = _choose(key, told, known, unchanged)
    which = subsets(len(material.seeds)) if material.paired else None
    rows = [
        _row(known[k], v.name, values[base.name], values[v.name], material.paired, which)
        for k in told
        for values in (material.values(k),)
        for v in others
        if v.name in values
    ]
    first = [n for n, r in enumerate(rows) if r.measure.key == chosen]
    second = [n for n, r in enumerate(rows) if r.measure.headline and not r.measure.derived and r.measure.key != chosen]
    tested = [n for n, r in enumerate(rows) if not r.measure.derived]
    rest = set(range(len(rows))) - set(first) - set(second)
    adjusted: dict[int, float] = {}
    for family in (first, second):
        adjusted.update(zip(family, holm([rows[n].p for n in family]), strict=True))
    for number, p in zip(tested, holm([rows[n].p for n in tested]), strict=True):
        if number in rest:
            adjusted[number] = p
    rows = [_judged(r, adjusted.get(number, math.nan)) for number, r in enumerate(rows)]
    values = material.values(chosen)
    measure = known[chosen]
    places = tuple(ranking(values, measure.better != "higher", measure.risk, base.name)) if material.paired else ()
    return Comparison(
        material, chosen, tuple(rows), places, tuple(dict.fromkeys(unchanged)), absent, (len(first), len(second), len(tested))
    )


def _choose(key: str | None, told: Sequence[str], known: dict[str, Measure], unchanged: Sequence[str]) -> str:
    if key is not None:
        if key in told:
            return key
        if key in known:
            why = "it is zero in every run" if known[key].label in unchanged else "it has no value in every run of two variants"
            raise CompareError(f"--kpi {key}: nothing can be told of it here, {why}; take another one, for example {told[0]}")
        near = [k for k in known if k.startswith(key.split(".")[0] + ".")] or [k for k, m in known.items() if m.headline]
        raise CompareError(f"--kpi {key}: no such measure; there is {', '.join(near[:12])}")
    if not told:
        raise CompareError("every measure is zero or unknown in all these runs; there is nothing to compare")
    risks = [k for k in told if k.endswith(".unavailability")]
    for candidate in (*_FIRST_CHOICES, *risks, "production.orders"):
        if candidate in told:
            return candidate
    return told[0]


def _row(measure: Measure, variant: str, a: Floats, b: Floats, paired: bool, which: Floats | None) -> Row:
    base, other = float(a.mean()), float(b.mean())
    shown = replace(measure, value=base)
    if not paired:
        reason = "single runs: no interval of their difference can be given"
        difference = Estimate(other - base, math.nan, math.nan, math.nan, 1, reason)
        ratio = Estimate(other / base, math.nan, math.nan, math.nan, 1, reason) if measure.risk and base > 0 else None
        return Row(shown, variant, base, other, difference, ratio, math.nan, math.nan, "too few", math.nan)
    saved = variance_saved(a, b)
    if not measure.risk:
        difference = mean_difference(a, b)
        return Row(shown, variant, base, other, difference, None, difference.p, math.nan, "open", saved)
    factor = pooled_ratio(a, b, which)
    low, high = ((f - 1) * base for f in (factor.low, factor.high))
    difference = Estimate(other - base, low, high, factor.p, factor.pairs, factor.reason)
    return Row(shown, variant, base, other, difference, factor, factor.p, math.nan, "open", saved)


def _judged(row: Row, p_holm: float) -> Row:
    """Add the adjusted p value and what can be said."""
    difference = row.other - row.base
    verdict: Verdict
    if math.isnan(row.p):
        verdict = "too few"
    elif row.p == 1.0 and difference == 0 and row.difference.low == row.difference.high:
        verdict = "equal"
    elif math.isnan(p_holm) or p_holm > 1 - CONFIDENCE:
        few = row.measure.risk and row.difference.pairs < FEWEST_FOR_RATIO
        verdict = "too few" if few else "open"
    elif row.measure.better is None:
        verdict = "higher" if difference > 0 else "lower"
    else:
        verdict = "better" if (difference > 0) == (row.measure.better == "higher") else "worse"
    return replace(row, p_holm=p_holm, verdict=verdict)


def narrowed(comparison: Comparison, most: int) -> tuple[Comparison, tuple[str, ...]]:
    """Keep the base and the variants that rank first, for a page that can be read; what is said of them stays as it was.

    Returns
    -------
    The comparison of at most ``most`` variants beside the base, and the names of those left out.
    """
    base, *others = comparison.material.variants
    ranked = [r.name for r in comparison.ranking if r.name != base.name] or [v.name for v in others]
    ranked += [v.name for v in others if v.name not in ranked]
    if len(ranked) <= most:
        return comparison, ()
    kept = set(ranked[:most])
    material = replace(comparison.material, variants=(base, *(v for v in others if v.name in kept)))
    return replace(comparison, material=material, rows=tuple(r for r in comparison.rows if r.variant in kept)), tuple(
        ranked[most:]
    )


def frame_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Return the rows as flat records, for CSV and Parquet."""
    out = []
    for r in comparison.rows:
        factor = r.factor
        out.append(
            {
                "measure": r.measure.key,
                "words": r.measure.label,
                "unit": r.measure.unit,
                "group": r.measure.group,
                "better": r.measure.better or "",
                "variant": r.variant,
                "base_variant": comparison.material.variants[0].name,
                "pairs": r.difference.pairs if comparison.material.paired else 0,
                "base_mean": r.base,
                "variant_mean": r.other,
                "difference": r.difference.value,
                "difference_low": r.difference.low,
                "difference_high": r.difference.high,
                "factor": factor.value if factor else math.nan,
                "factor_low": factor.low if factor else math.nan,
                "factor_high": factor.high if factor else math.nan,
                "method": "subset ratios" if factor else "paired t",
                "p": r.p,
                "p_holm": r.p_holm,
                "verdict": r.verdict,
                "variance_saved": r.saved,
                "reason": r.reason,
            }
        )
    return out
