"""Searches for places, tilts, powers and the number of TRPs: points are proposed by Optuna and run over common seeds.

A search is its list of trials on disk. It is gone on with by asking the sampler for the same trials again and telling it what
they came to; a sampler with a seed proposes the same points, so that a search that was stopped ends as one that was not.

References
----------
S. Watanabe, Tree-structured Parzen estimator, arXiv:2304.11127 (2023). K. Deb et al., NSGA-II, IEEE Trans. Evol. Comput. 6
(2002) 182-197.
"""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factory.errors import UserError
from factory.run_folder import write_json
from factory.study.optimise_spec import COST, Search

FORMAT = 1
Point = dict[str, float | bool]
Evaluate = Callable[[Point], "list[dict[str, float]] | str"]
"""Runs a point: figures of every seed, or the reason for which it cannot be run."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One point of a search and what it came to.

    Attributes
    ----------
    number : 0 is the scenario as it is, where it lies within the ranges.
    point : its parameters.
    figures : mean over the seeds of every figure that is asked for; empty where it cannot be run.
    spread : standard error of each of these means, NaN of a single seed.
    excess : how far every constraint is missed, at most 0 where it holds.
    failed : why it cannot be run, "" where it can.
    """

    number: int
    point: Point
    figures: dict[str, float]
    spread: dict[str, float]
    excess: tuple[float, ...]
    failed: str = ""

    @property
    def feasible(self) -> bool:
        """Whether it can be run and all constraints hold."""
        return not self.failed and all(e <= 0.0 for e in self.excess)


def search_points(
    search: Search, folder: Path, evaluate: Evaluate, on_trial: Callable[[Trial], None] = lambda trial: None
) -> list[Trial]:
    """Run a search, or go on with it.

    Parameters
    ----------
    search : what is searched for.
    folder : keeps the trials; made where it is absent.
    evaluate : runs a point.
    on_trial : called after every trial, those that were there already included.

    Raises
    ------
    UserError
        Where Optuna is not installed, or the folder holds another search.
    """
    optuna = _optuna()
    _claim(folder, search)
    spec, parameters = search.spec, search.parameters()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna calls arguments that it documents experimental
        study = optuna.create_study(directions=[o.direction for o in spec.objectives], sampler=_sampler(optuna, search))
    limits = {
        name: optuna.distributions.CategoricalDistribution((True, False))
        if between is None
        else optuna.distributions.FloatDistribution(*between)
        for name, between in parameters.items()
    }
    first = _as_it_is(search)
    if first is not None:
        study.enqueue_trial(first)
    trials: list[Trial] = []
    for number in range(spec.trials):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            asked = study.ask(limits)
            trial = _trial(search, folder, number, dict(asked.params), evaluate)
            # a point that cannot be run misses every constraint by more than any other, and tells no value
            asked.set_user_attr("excess", [1e30] * max(1, len(spec.constraints)) if trial.failed else list(trial.excess))
            if trial.failed:
                study.tell(asked, state=optuna.trial.TrialState.FAIL)
            else:
                study.tell(asked, [trial.figures[o.kpi] for o in spec.objectives])
        trials.append(trial)
        on_trial(trial)
    return trials


def pareto(search: Search, trials: Sequence[Trial]) -> list[Trial]:
    """Return the feasible trials that no other feasible one beats, sorted by the first objective; of equal ones the first."""
    signs = [1.0 if o.direction == "minimize" else -1.0 for o in search.spec.objectives]
    keys = [o.kpi for o in search.spec.objectives]
    able = [t for t in trials if t.feasible]
    worth = {t.number: tuple(s * t.figures[k] for s, k in zip(signs, keys, strict=True)) for t in able}

    def beaten(t: Trial) -> bool:
        mine = worth[t.number]
        for other in able:
            theirs = worth[other.number]
            no_worse = all(a <= b for a, b in zip(theirs, mine, strict=True))
            if no_worse and (theirs != mine or other.number < t.number):
                return True
        return False

    return sorted((t for t in able if not beaten(t)), key=lambda t: worth[t.number])


def asked_for(search: Search) -> tuple[str, ...]:
    """Return the figures that objectives and constraints name, without the cost."""
    keys = [o.kpi for o in search.spec.objectives] + [c.kpi for c in search.spec.constraints]
    return tuple(dict.fromkeys(k for k in keys if k != COST))


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise UserError("optimise needs Optuna: pip install 'factory-twin[optimise]'") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _sampler(optuna: Any, search: Search) -> Any:
    spec = search.spec
    held = (lambda trial: trial.user_attrs["excess"]) if spec.constraints else None
    if spec.sampler == "nsga2":
        population = max(8, min(50, spec.trials // 8))
        return optuna.samplers.NSGAIISampler(population_size=population, seed=spec.seed, constraints_func=held)
    startup = max(5, min(20, spec.trials // 4))
    return optuna.samplers.TPESampler(n_startup_trials=startup, seed=spec.seed, constraints_func=held)


def _as_it_is(search: Search) -> Point | None:
    """Return the scenario itself as a point; None where it lies outside of the ranges."""
    trps = {trp.name: trp for trp in search.loaded.scenario.radio.trps}
    found: Point = {}
    for name, between in search.parameters().items():
        trp, _, what = name.rpartition("/")
        if between is None:
            found[name] = True
            continue
        key, _, axis = what.partition(".")
        value = getattr(trps[trp], key)
        found[name] = float(value["xyz".index(axis)] if axis else value)
        if not between[0] <= found[name] <= between[1]:
            return None
    return found


def _trial(search: Search, folder: Path, number: int, point: Point, evaluate: Evaluate) -> Trial:
    file = folder / "trials" / f"trial-{number:04d}.json"
    if file.is_file():
        kept = json.loads(file.read_text(encoding="utf-8"))
        if kept["point"] == point:
            seeds: list[dict[str, float]] | str = kept["failed"] or kept["seeds"]
            return _judged(search, number, point, seeds)
    found = _nothing_left(search, point) or evaluate(point)
    failed = found if isinstance(found, str) else ""
    write_json(file, {"number": number, "point": point, "seeds": [] if failed else found, "failed": failed})
    return _judged(search, number, point, found)


def _nothing_left(search: Search, point: Point) -> str:
    left = [t.name for t in search.loaded.scenario.radio.trps if point.get(f"{t.name}/present", True)]
    return "" if left else "no TRP is left"


def _judged(search: Search, number: int, point: Point, seeds: list[dict[str, float]] | str) -> Trial:
    if isinstance(seeds, str):
        return Trial(number, point, {}, {}, (), seeds)
    figures: dict[str, float] = {}
    spread: dict[str, float] = {}
    for key in asked_for(search):
        values = [row[key] for row in seeds if key in row]
        if len(values) < len(seeds):
            return Trial(number, point, {}, {}, (), f"{len(seeds) - len(values)} of {len(seeds)} seeds have no figure {key}")
        figures[key], n = math.fsum(values) / len(values), len(values)
        variance = math.fsum((v - figures[key]) ** 2 for v in values) / max(n - 1, 1)
        spread[key] = math.sqrt(variance / n) if n > 1 else float("nan")
    if search.spec.choose:
        figures[COST], spread[COST] = search.cost(point), 0.0
    excess = tuple(c.excess(figures[c.kpi]) for c in search.spec.constraints)
    return Trial(number, point, figures, spread, excess)


def _claim(folder: Path, search: Search) -> None:
    """Make the folder, or refuse one that holds another search; more trials of the same search are no other search."""
    content: Mapping[str, Any] = {
        "spec": search.spec.model_dump(mode="json", exclude={"trials"}),
        "scenario": search.loaded.scenario.model_dump(mode="json"),
        "startup": search.spec.trials // 4 if search.spec.trials < 80 or search.spec.sampler == "nsga2" else 20,
    }
    sha256 = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    file = folder / "optimise.json"
    if file.is_file():
        kept = json.loads(file.read_text(encoding="utf-8"))
        if kept.get("sha256") != sha256:
            raise UserError(f"{folder} holds another search (its file or its scenario was different); choose another --out")
        return
    if folder.exists() and any(folder.iterdir()):
        raise UserError(f"{folder} is there already and holds no search; choose another --out")
    try:
        (folder / "trials").mkdir(parents=True, exist_ok=True)
        write_json(file, {"format": FORMAT, "sha256": sha256, **content})
    except OSError as error:
        raise UserError(f"{folder}: cannot be written: {error.strerror}") from None
