"""``factory-twin optimise``: places, tilts and powers of TRPs, or how many of them, searched for over common seeds."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from factory.errors import UserError
from factory.study.gate_run import Json, SeedTask, run_seed, run_seeds, seed_pool
from factory.study.measures import measures
from factory.study.optimise import Evaluate, Point, Trial, asked_for, pareto, search_points
from factory.study.optimise_output import table, write_results
from factory.study.optimise_spec import Search, read_search


def optimise_command(
    file: Path, out: Path, workers: int | None, console: Console, runner: Callable[[SeedTask], Json] = run_seed
) -> int:
    """Run a search, or go on with one, and tell its Pareto front.

    Returns
    -------
    int
        0 where a point was found that can be run and holds all constraints, 1 where none was.

    Raises
    ------
    UserError
        For wrong input (exit code 2); the folder is as it was then.
    """
    search = read_search(file)
    n = min(workers or len(os.sched_getaffinity(0)), search.spec.seeds)
    columns = (TextColumn("trial"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[best]}"), TimeRemainingColumn())
    done: list[Trial] = []
    with seed_pool(n) if n > 1 else nullcontext() as pool, Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=search.spec.trials, best="")

        def told(trial: Trial) -> None:
            done.append(trial)
            progress.update(bar, advance=1, best=_best(search, done))

        trials = search_points(search, out, evaluator(search, runner, pool), told)
    files = write_results(search, trials, out)
    front = pareto(search, trials)
    if not front:
        failed = sum(bool(t.failed) for t in trials)
        console.print(
            f"None of {len(trials)} trials holds all constraints ({failed} could not be run); see {files[0]}", soft_wrap=True
        )
        return 1
    console.print(table(search, trials))
    console.print(
        f"{len(trials)} trials of {search.spec.seeds} seeds. Figures are those of the seeds that were searched with: the best of "
        "many looks better than it is; run the winner again with other seeds.",
        soft_wrap=True,
    )
    console.print("Files: " + ", ".join(str(f) for f in files), soft_wrap=True, highlight=False)
    return 0


def evaluator(search: Search, runner: Callable[[SeedTask], Json] = run_seed, pool: ProcessPoolExecutor | None = None) -> Evaluate:
    """Return what runs a point over the seeds that all points share.

    Parameters
    ----------
    search : the search.
    runner : runs a seed.
    pool : worker processes; seeds are run here, one after the other, when absent.
    """
    keys = asked_for(search)

    def evaluate(point: Point) -> list[dict[str, float]] | str:
        overrides = search.variant(point)
        tasks = [
            SeedTask(search.text, str(search.loaded.path), overrides, search.loaded.scenario.seed + k)
            for k in range(search.spec.seeds)
        ]
        try:
            kpis = run_seeds(tasks, 1, runner, pool=pool)
        except UserError as error:
            return str(error)
        return [{key: m.value for key, m in measures(kpi).items() if key in keys} for kpi in kpis]

    return evaluate


def _best(search: Search, trials: list[Trial]) -> str:
    front = pareto(search, trials)
    if not front:
        return "no trial holds all constraints yet"
    if len(search.spec.objectives) == 2:
        return f"{len(front)} on the front"
    return f"best {front[0].figures[search.spec.objectives[0].kpi]:.3g}"
