"""Runs the seeds of a check on worker processes and gives back their figures; nothing is recorded.

A check needs figures alone, so it does without the folders of a what-if study: a seed then costs what its ticks cost.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factory.errors import UserError

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SeedTask:
    """One seed of a scenario that travels as text.

    Attributes
    ----------
    text, source : the scenario file's text, and its path for messages and relative paths.
    overrides : texts ``key=value``.
    seed : the seed.
    """

    text: str
    source: str
    overrides: tuple[str, ...]
    seed: int


def run_seed(task: SeedTask) -> Json:
    """Run one seed to its end and return its kpi.json; ``{"error": message}`` where the scenario cannot be run."""
    from factory.kpi import collect
    from factory.scenario import load_text
    from factory.twin import Twin

    try:
        twin = Twin(load_text(task.text, Path(task.source), (*task.overrides, f"seed={task.seed}")))
    except UserError as error:
        return {"error": str(error)}  # as text: errors with fields of their own do not survive the way between processes
    try:
        end_us = round(twin.scenario.duration_s * 1e6)
        while twin.time_us < end_us:
            twin.tick()
        return collect(twin)
    finally:
        twin.close()


def run_seeds(
    tasks: Sequence[SeedTask],
    workers: int | None = None,
    runner: Callable[[SeedTask], Json] = run_seed,
    on_done: Callable[[int], None] = lambda seed: None,
    pool: ProcessPoolExecutor | None = None,
) -> list[Json]:
    """Run seeds on worker processes and return their figures in the order of the tasks.

    Parameters
    ----------
    tasks : the seeds.
    workers : processes; as many as there are processors when absent.
    runner : runs one seed; importable, for it travels by its name. One process or fewer tasks than two run it here.
    on_done : called with every seed that is done.
    pool : processes to use, as `seed_pool` made them, which stay; made for this call alone when absent.

    Raises
    ------
    UserError
        Where the scenario cannot be run, or a worker process dies.
    """
    n = min(workers or len(os.sched_getaffinity(0)), len(tasks))
    if n <= 1 and pool is None:
        found = []
        for task in tasks:
            found.append(_checked(runner(task)))
            on_done(task.seed)
        return found
    used = pool or seed_pool(n)
    try:
        futures = {used.submit(runner, task): task for task in tasks}
        for future in as_completed(futures):
            _checked(future.result())
            on_done(futures[future].seed)
        done = {task.seed: future.result() for future, task in futures.items()}
    except BrokenProcessPool:
        raise UserError("a worker process died (out of memory?): try again with fewer --workers") from None
    finally:
        if pool is None:
            used.shutdown(wait=True, cancel_futures=True)
    return [done[task.seed] for task in tasks]


def seed_pool(workers: int | None = None) -> ProcessPoolExecutor:
    """Return worker processes for `run_seeds`: fresh ones, for a forked one would inherit Bullet's clients and the threads."""
    n = workers or len(os.sched_getaffinity(0))
    # Ctrl-C goes to the whole group of processes: workers finish their seed, whoever called them says that it was interrupted
    ignore = (signal.SIGINT, signal.SIG_IGN)
    return ProcessPoolExecutor(n, multiprocessing.get_context("spawn"), initializer=signal.signal, initargs=ignore)


def _checked(kpi: Json) -> Json:
    if "error" in kpi:
        raise UserError(str(kpi["error"]))
    return kpi
