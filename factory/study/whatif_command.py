"""``factory-twin whatif``: reads what is asked, makes or resumes the study's folder, and runs its points with progress."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from factory.errors import UserError
from factory.study.early_stop import EarlyStop
from factory.study.engine import Outcome, Report, Workers
from factory.study.study_folder import StudyContent, StudyFolder
from factory.study.variants import Base, VariantsFile, axes_of, base_variant, grid_size, grid_variants
from factory.study.worker import PointDone, Runner

POINTS_UNASKED = 1_000
"""More points than this are run only where it is asked for with ``--yes``."""
ASSUMED_SPEED = 5.0
"""Times real time at which a worker is reckoned to run, before anything was run."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for.

    Attributes
    ----------
    base : scenario, by name or file. variants : file of variants or None. sets, fixes : ``--set`` and ``--fix`` options.
    seeds : number of seeds, or a list of them. minutes : length of a point, the scenario's own when None.
    workers : local worker processes, the cores when None. cluster : address of a scheduler instead.
    out : folder of the study, under studies/ when None. stop_early : KPI, with a margin after a colon. yes : run whatever number.
    """

    base: str
    variants: Path | None = None
    sets: tuple[str, ...] = ()
    fixes: tuple[str, ...] = ()
    seeds: str = "8"
    minutes: float | None = None
    workers: int | None = None
    cluster: str | None = None
    out: Path | None = None
    stop_early: str | None = None
    yes: bool = False


def seeds_of(text: str) -> tuple[int, ...]:
    """Return the seeds of ``16`` (1 to 16) or of a list ``3,5,8``.

    Raises
    ------
    UserError
        For anything else.
    """
    bare = text.strip().strip("[]").strip()
    if not re.fullmatch(r"\d{1,18}(\s*,\s*\d{1,18})*\s*,?", bare):
        raise UserError(f"--seeds {text}: give their number, --seeds 16, or a list of them, --seeds 3,5,8")
    listed = "," in bare or text.strip().startswith("[")
    numbers = [int(n) for n in re.findall(r"\d+", bare)]
    if listed:
        twice = [n for n in numbers if numbers.count(n) > 1]
        if twice:
            raise UserError(f"--seeds {text}: seed {twice[0]} is there twice; give each once")
        return tuple(numbers)
    if not 1 <= numbers[0] <= 1_000_000:
        raise UserError(f"--seeds {text}: give a number from 1 to 1000000, or a list with commas, --seeds {numbers[0]},")
    return tuple(range(1, numbers[0] + 1))


def whatif_command(asked: Asked, console: Console, errors: Console, runner: Runner | None = None) -> int:
    """Run a study, or go on with one.

    Parameters
    ----------
    asked : what the command line asks for.
    console, errors : where to write.
    runner : what runs a point, the twin when absent.

    Returns
    -------
    int
        0 when all points are there or the answer was certain before, 1 where some could not be run, 130 when interrupted.

    Raises
    ------
    UserError
        For wrong input, before any point is run; for a KPI to stop by that the first point turns out not to have.
    """
    folder = prepare(asked, console)
    test = None if asked.stop_early is None else EarlyStop.of(asked.stop_early, folder)
    with folder.locked(), _asked_to_stop() as stop:
        folder.clean()
        folder.forget_failures()
        try:
            outcome = _run(folder, asked, test, stop, console, runner)
            if test is not None:
                test.write()
        except OSError as error:  # the notes beside the points, which the workers write
            outcome = Outcome(fatal=f"{error.filename or folder.path}: {error.strerror or error}")
        finally:
            folder.clean()
    return _tell(folder, outcome, test, console, errors)


def prepare(asked: Asked, console: Console) -> StudyFolder:
    """Make the folder of a study, or open it where it is there.

    Raises
    ------
    UserError
        For wrong input; nothing has been written then.
    """
    seeds, axes = seeds_of(asked.seeds), axes_of(asked.sets)
    file = None if asked.variants is None else VariantsFile.read(asked.variants)
    if file is None and not axes:
        raise UserError("nothing to compare the scenario with: give a file of variants, or --set KEY=VALUE")
    if asked.workers is not None and not 1 <= asked.workers <= 512:
        raise UserError(f"--workers {asked.workers}: give a number of processes from 1 to 512")
    if asked.minutes is not None and not 0 < asked.minutes <= 10_080:
        raise UserError(f"--minutes {asked.minutes:g}: give simulated minutes above 0, up to 10080 (a week)")
    base = Base.load(asked.base, asked.fixes)
    minutes = asked.minutes if asked.minutes is not None else base.minutes
    size = 1 + grid_size(axes) + (file.size if file is not None else 0)
    _check_number(size, len(seeds), minutes, asked)
    with console.status("checking the variants"):
        named, same = file.variants(base) if file is not None else ([], [])
        grid, grid_same = grid_variants(base, axes)
    names = [v.name for v in named]
    clash = [v.name for v in grid if v.name in names]
    if clash:
        raise UserError(f"--set: the grid has a point {clash[0]!r}, which is the name of a variant of {asked.variants}")
    for name in (*same, *grid_same):
        console.print(f"{name}: changes nothing in {asked.base}; it is the base itself and is left out", soft_wrap=True)
    if not named and not grid:
        raise UserError("no variant differs from the base; nothing to compare")
    source = str(base.path)
    content = StudyContent.of(source, base.text, [base_variant(base), *named, *grid], seeds, minutes)
    path = asked.out or Path("studies") / f"{base.scenario.name}-{datetime.now():%Y%m%d-%H%M%S}"
    if asked.stop_early is not None:
        EarlyStop.of(asked.stop_early, StudyFolder(path, content))  # before the folder is made
    if asked.cluster is not None:
        with Workers(None, asked.cluster):
            pass  # one that is not there is refused before the folder is made, too
    return StudyFolder.create(path, content)


def _check_number(variants: int, seeds: int, minutes: float, asked: Asked) -> None:
    points = variants * seeds
    if points <= POINTS_UNASKED or asked.yes:
        return
    workers = asked.workers if asked.workers is not None else Workers.cores()
    hours = points * minutes / 60.0 / ASSUMED_SPEED / workers
    raise UserError(
        f"{points:,} points ({variants:,} variants x {seeds:,} seeds) of {minutes:g} simulated minutes: about {hours:,.1f} h on "
        f"{workers} workers at {ASSUMED_SPEED:g} x real time; add --yes to run them all, or take fewer values or seeds"
    )


def _run(
    folder: StudyFolder,
    asked: Asked,
    test: EarlyStop | None,
    stop: threading.Event,
    console: Console,
    runner: Runner | None,
) -> Outcome:
    """Start the workers and run what is not there yet, seeds first, so that whatever ends the study leaves whole pairs."""
    points = [(v, s) for s in folder.seeds for v in folder.variants]
    there = sum(folder.done(*p) for p in points)
    if there == len(points) or (test is not None and test.certain()):
        return Outcome(stopped=there < len(points), left=len(points) - there)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("points,"),
        TimeElapsedColumn(),
        TextColumn("gone,"),
        TimeRemainingColumn(),
        TextColumn("left {task.fields[known]}"),
    )
    with console.status("starting workers"):
        workers = Workers(asked.workers, asked.cluster, runner).__enter__()
    try:
        with Progress(*columns, console=console, refresh_per_second=2, speed_estimate_period=3600) as progress:
            bar = progress.add_task("whatif", total=len(points), completed=there, known="")

            def after(report: Report, _: int) -> bool:
                progress.advance(bar)
                if test is None:
                    return False
                if isinstance(report, PointDone):
                    test.check(report.variant, report.seed)
                certain = test.certain()
                progress.update(bar, known=test.in_words())
                return certain

            return workers.run(folder, points, after, stop)
    finally:
        workers.close()


def _tell(folder: StudyFolder, outcome: Outcome, test: EarlyStop | None, console: Console, errors: Console) -> int:
    there = sum(folder.done(v, s) for v in folder.variants for s in folder.seeds)
    total = len(folder.variants) * len(folder.seeds)
    if outcome.done:
        console.print(
            f"{len(outcome.done)} points in {outcome.wall_s:.1f} s ({outcome.cpu_s:.1f} s of processor time)", soft_wrap=True
        )
    for failed in outcome.failed:
        errors.print(f"{failed.variant}, seed {failed.seed}: {failed.message}", soft_wrap=True, highlight=False, markup=False)
    if test is not None and (outcome.stopped or there == total):
        for line in test.verdicts():
            console.print(line, soft_wrap=True, highlight=False, markup=False)
    again = f"{there} of {total} points are in {folder.path}; the same command goes on with the others"
    if outcome.fatal is not None:
        errors.print(f"the study cannot be written: {outcome.fatal}; {again}", soft_wrap=True, highlight=False, markup=False)
        return 1
    if outcome.interrupted:
        errors.print(f"interrupted: {again}", soft_wrap=True, highlight=False, markup=False)
        return 130
    if outcome.failed:
        errors.print(f"{len(outcome.failed)} points could not be run; {again}", soft_wrap=True, highlight=False, markup=False)
        return 1
    what = f"stopped early with {there} of {total} points" if outcome.stopped else f"{total} points"
    console.print(f"Study: {folder.path} ({what}); factory-twin compare {folder.path} tells what they say", soft_wrap=True)
    return 0


@contextmanager
def _asked_to_stop() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C and SIGTERM set; a second Ctrl-C breaks off."""
    stop = threading.Event()

    def ask(signum: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    previous = {s: signal.signal(s, ask) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for s, handler in previous.items():
            signal.signal(s, handler)
