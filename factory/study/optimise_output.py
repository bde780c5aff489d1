"""What a search tells: a table and an SVG of its Pareto front, and every trial as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from rich.table import Table

from factory.run_folder import write_bytes
from factory.study.optimise import Point, Trial, pareto
from factory.study.optimise_spec import COST, Search

_FRONT, _ABLE, _NOT = "#0072b2", "#999999", "#d55e00"  # of Okabe and Ito, told apart by the colour-blind


def write_results(search: Search, trials: Sequence[Trial], folder: Path) -> list[Path]:
    """Write ``trials.csv``, ``pareto.csv``, ``pareto.svg`` and ``pareto.json`` (overrides for ``run --set``) of a search."""
    front = pareto(search, trials)
    files = [folder / name for name in ("trials.csv", "pareto.csv", "pareto.svg", "pareto.json")]
    write_bytes(files[0], _csv(search, trials))
    write_bytes(files[1], _csv(search, front))
    write_bytes(files[2], draw(search, trials))
    variants = [{"trial": t.number, "figures": t.figures, "overrides": list(search.variant(t.point))} for t in front]
    write_bytes(files[3], (json.dumps(variants, indent=1) + "\n").encode())
    return files


def table(search: Search, trials: Sequence[Trial]) -> Table:
    """Return the Pareto front, with standard errors over the seeds and what changes against the scenario."""
    out = Table(title=f"{search.loaded.scenario.name}: what no other trial beats")
    out.add_column("trial", justify="right")
    for key in _keys(search):
        out.add_column(key, justify="right", overflow="fold")
    out.add_column("point", overflow="fold")
    for trial in pareto(search, trials):
        out.add_row(str(trial.number), *(_figure(trial, key) for key in _keys(search)), words(trial.point))
    return out


def words(point: Point) -> str:
    """Tell a point: what is left out, and the values of the rest, three digits."""
    told = []
    for name, value in sorted(point.items()):
        trp, _, what = name.rpartition("/")
        if what == "present":
            told += [] if value else [f"without {trp}"]
        elif point.get(f"{trp}/present", True):
            told.append(f"{trp} {what.removeprefix('position_m.')}={value:.3g}")
    return ", ".join(told) or "all of them"


def draw(search: Search, trials: Sequence[Trial]) -> bytes:
    """Draw the trials as SVG: two objectives against each other, one against the number of the trial."""
    spec, front = search.spec, pareto(search, trials)
    two = len(spec.objectives) == 2
    best = {t.number for t in front}
    with matplotlib.rc_context(
        {"svg.hashsalt": "factory-twin", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    ):
        figure = Figure(figsize=(6.4, 4.2), layout="constrained")
        axes = figure.add_subplot()

        def place(t: Trial) -> tuple[float, float]:
            a = t.figures[spec.objectives[0].kpi]
            return (a, t.figures[spec.objectives[1].kpi]) if two else (float(t.number), a)

        groups = (
            ("misses a constraint", "x", _NOT, [t for t in trials if not t.failed and not t.feasible]),
            ("beaten by another", "o", _ABLE, [t for t in trials if t.feasible and t.number not in best]),
            ("not beaten", "D", _FRONT, front),
        )
        for label, marker, colour, members in groups:
            if members:
                x, y = zip(*(place(t) for t in members), strict=True)
                axes.scatter(x, y, s=22, marker=marker, color=colour, label=f"{label} ({len(members)})", zorder=3)
        if two and len(front) > 1:
            x, y = zip(*(place(t) for t in front), strict=True)
            axes.plot(x, y, drawstyle="steps-post", color=_FRONT, linewidth=1, zorder=2)
        names = [_axis(o.kpi, o.direction) for o in spec.objectives]
        axes.set_xlabel(names[0] if two else "trial")
        axes.set_ylabel(names[1] if two else names[0])
        shown = [t.figures[o.kpi] for o in spec.objectives[:1] for t in trials if not t.failed]
        if shown and min(shown) > 0.0 and max(shown) > 50.0 * min(shown):
            (axes.set_xscale if two else axes.set_yscale)("log")
        if two:
            shown = [t.figures[spec.objectives[1].kpi] for t in trials if not t.failed]
            if shown and min(shown) > 0.0 and max(shown) > 50.0 * min(shown):
                axes.set_yscale("log")
        axes.grid(color="#e5e5e5", linewidth=0.6)
        if any(members for *_, members in groups):
            axes.legend(frameon=False, fontsize=8)
        out = io.BytesIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def _axis(key: str, direction: str) -> str:
    return f"{key} ({'less' if direction == 'minimize' else 'more'} is better)"


def _keys(search: Search) -> list[str]:
    keys = [o.kpi for o in search.spec.objectives] + [c.kpi for c in search.spec.constraints]
    return list(dict.fromkeys(keys))


def _figure(trial: Trial, key: str) -> str:
    value, spread = trial.figures[key], trial.spread[key]
    return f"{value:.3g}" if key == COST or not spread == spread else f"{value:.3g} ± {spread:.1g}"


def _csv(search: Search, trials: Sequence[Trial]) -> bytes:
    out = io.StringIO()
    keys, names = _keys(search), list(search.parameters())
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["trial", "feasible", *keys, *(f"standard error of {k}" for k in keys), *names, "failed"])
    for t in trials:
        figures = [t.figures.get(k, "") for k in keys] + [t.spread.get(k, "") for k in keys]
        writer.writerow([t.number, t.feasible, *figures, *(t.point[n] for n in names), t.failed])
    return out.getvalue().encode()
