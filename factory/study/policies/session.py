"""Runs the points of the study's parts: a what-if folder per part and hall, one pool of workers for all of them."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from factory.errors import UserError
from factory.study.engine import PointFailed, Report, Workers
from factory.study.policies.figures import Pool
from factory.study.policies.point import POINT_FORMAT, simulate_policies
from factory.study.policies.settings import Effort, Hall
from factory.study.study_folder import StudyContent, StudyFolder, StudyVariant
from factory.study.worker import Runner


class StudyInterruptedError(Exception):
    """The study was asked to stop; what is there is whole."""


def of_policies(policies: Sequence[str], acting: str | None = None, *more: str) -> tuple[str, ...]:
    """Return the overrides under which policies are evaluated side by side; reactive moves the machines where nothing is said."""
    moves = acting or ("reactive" if "reactive" in policies else policies[0])
    return (f"radio.policy={moves}", f"radio.compare={json.dumps(list(policies))}", *more)


@dataclass(slots=True)
class Session:
    """Workers and the folder of the study; a context manager.

    Parameters
    ----------
    out : folder of the study. workers : worker processes. console : where to write. runner : what runs a point.

    Attributes
    ----------
    failed : points that could not be run. points, cpu_s : points run by this call, and their processor time [s].
    """

    out: Path
    workers: int
    console: Console
    runner: Runner = simulate_policies
    failed: list[str] = field(default_factory=list)
    points: int = 0
    cpu_s: float = 0.0
    begun: float = field(default_factory=time.monotonic)
    _pool: Workers | None = None
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[Session]:
        """Let Ctrl-C and SIGTERM end the study after what is whole; a second Ctrl-C breaks off."""

        def ask(signum: int, frame: FrameType | None) -> None:
            if self._stop.is_set():
                raise KeyboardInterrupt
            self._stop.set()

        previous = {s: signal.signal(s, ask) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield self
        finally:
            if self._pool is not None:
                self._pool.close()
                self._pool = None
            for s, handler in previous.items():
                signal.signal(s, handler)

    def folder(self, part: str, hall: Hall, variants: Sequence[StudyVariant], effort: Effort) -> StudyFolder:
        """Make the folder of a part and a hall, or open it; variants that a search added before stay in it.

        Raises
        ------
        UserError
            Where another study is there.
        """
        base, path = hall.base, self.out / part / hall.name
        content = StudyContent.of(str(base.path), base.text, variants, effort.seeds, effort.minutes)
        content = replace(content, versions=content.versions | {"policies point": str(POINT_FORMAT)})
        if (path / "study.json").is_file():
            there = StudyFolder.open(path)
            known = {v.name for v in variants}
            kept = tuple(v for v in there.content.variants if v.name not in known)
            if kept and part.startswith("capacity"):
                content = replace(content, variants=(*content.variants, *kept))
                content = replace(content, variants=tuple(sorted(content.variants, key=lambda v: v.name)))
                ordered = replace(there.content, variants=tuple(sorted(there.content.variants, key=lambda v: v.name)))
                difference = ordered.difference(content)
                if difference is not None:
                    raise UserError(f"{path} holds another study: {difference}; choose another folder with --out or remove it")
                return there
        return StudyFolder.create(path, content)

    def run(self, folder: StudyFolder, label: str, variants: Sequence[str] | None = None, quiet: bool = False) -> None:
        """Run what is not there yet of a folder (of some of its variants), seed by seed; ``quiet`` leaves out the last line.

        Raises
        ------
        StudyInterruptedError
            Where the study was asked to stop.
        UserError
            Where the folder cannot be written.
        """
        names = folder.variants if variants is None else tuple(variants)
        points = [(v, s) for s in folder.seeds for v in names if not folder.done(v, s)]
        if self._stop.is_set():
            raise StudyInterruptedError
        if not points:
            return
        if self._pool is None:
            self._pool = Workers(self.workers, None, self.runner).__enter__()
        columns = (
            TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("gone,"),
            TimeRemainingColumn(), TextColumn("left"),
        )  # fmt: skip
        with folder.locked(), Progress(*columns, console=self.console, refresh_per_second=1, transient=True) as progress:
            folder.clean()
            folder.forget_failures()
            bar = progress.add_task(label, total=len(points))

            def after(report: Report, _: int) -> bool:
                progress.advance(bar)
                if isinstance(report, PointFailed):
                    self.failed.append(f"{label}, {report.variant}, seed {report.seed}: {report.message}")
                return False

            outcome = self._pool.run(folder, points, after, self._stop)
            folder.clean()
        self.points += len(outcome.done)
        self.cpu_s += outcome.cpu_s
        if not quiet:
            self.console.print(
                f"{label}: {len(outcome.done)} points in {outcome.wall_s:.0f} s ({outcome.cpu_s:.0f} s of processor time)",
                soft_wrap=True, highlight=False, markup=False,
            )  # fmt: skip
        if outcome.fatal is not None:
            raise UserError(f"the study cannot be written: {outcome.fatal}; free the folder and run the same command again")
        if outcome.interrupted:
            raise StudyInterruptedError


def pool_of(folder: StudyFolder, variant: str) -> Pool | None:
    """Read the points of a variant that are there, None where none is."""
    files = [folder.point(variant, s) / "kpi.json" for s in folder.seeds if folder.done(variant, s)]
    return Pool.read(files) if files else None


def pairs_of(folder: StudyFolder, *variants: str) -> list[Pool] | None:
    """Read variants over the seeds that all of them have, None where there is no such seed."""
    seeds = [s for s in folder.seeds if all(folder.done(v, s) for v in variants)]
    if not seeds:
        return None
    return [Pool.read([folder.point(v, s) / "kpi.json" for s in seeds]) for v in variants]
