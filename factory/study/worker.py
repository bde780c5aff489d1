"""What a worker does with one point: run the shift into a folder beside its own, and rename it when it is whole.

Points are described by text and numbers alone, so that they travel to any machine on which the same factory-twin is installed.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from factory.errors import UserError
from factory.run_folder import RunFolder
from factory.study.study_folder import new_point
from factory.study.versions import point_versions, version_difference

Runner = Callable[["PointTask", Path], None]
"""Runs a task into a folder that it makes."""


@dataclass(frozen=True, slots=True)
class PointTask:
    """One point of a study.

    Attributes
    ----------
    variant, seed : which point.
    base_text, base_source : the base scenario's text, and its path for messages and for relative paths in it.
    overrides : texts ``key=value`` that make the variant of it.
    minutes : simulated length [min].
    target : folder of the point.
    versions : what a worker must run, name to version.
    """

    variant: str
    seed: int
    base_text: str
    base_source: str
    overrides: tuple[str, ...]
    minutes: float
    target: str
    versions: tuple[tuple[str, str], ...] = ()

    @property
    def all_overrides(self) -> tuple[str, ...]:
        """Overrides with length and seed of this point."""
        return (*self.overrides, f"duration_s={self.minutes * 60:.10g}", f"seed={self.seed}")


@dataclass(frozen=True, slots=True)
class PointDone:
    """What a worker reports of a finished point: times on the wall clock and of the processor [s], and where it ran."""

    variant: str
    seed: int
    wall_s: float
    cpu_s: float
    host: str


def warm_up() -> None:
    """Import the twin, so that the first point of a worker does not wait for it."""
    import factory.twin  # noqa: F401


def run_point(task: PointTask, runner: Runner | None = None) -> PointDone:
    """Run one point into its folder; does nothing where the point is there already.

    Parameters
    ----------
    task : the point.
    runner : what runs it, the twin when absent.

    Raises
    ------
    UserError
        Where the scenario cannot be run, or this worker runs other versions than the study.
    OSError
        Where the folder cannot be written.
    """
    wall, cpu = time.monotonic(), time.process_time()
    target = Path(task.target)
    if task.versions:
        difference = version_difference(dict(task.versions), point_versions())
        if difference is not None:
            raise UserError(f"worker on {socket.gethostname()}: {difference}; install the same factory-twin on all workers")
    if not (target / "kpi.json").is_file():
        with new_point(target, f"{socket.gethostname()}-{os.getpid()}") as folder:
            (runner or simulate)(task, folder)
    return PointDone(task.variant, task.seed, time.monotonic() - wall, time.process_time() - cpu, socket.gethostname())


def simulate(task: PointTask, path: Path) -> None:
    """Run the twin into ``path`` as ``factory-twin run`` does, without progress, picture and report."""
    from factory.blocked_paths import BlockedPaths
    from factory.journal import Journal
    from factory.kpi import collect
    from factory.scenario import load_text
    from factory.twin import Twin

    loaded = load_text(task.base_text, Path(task.base_source), task.all_overrides)
    twin = Twin(loaded)
    try:
        begun = time.monotonic()
        folder = RunFolder.create(path, loaded.text, loaded.scenario.model_dump(mode="json"), loaded.scenario.seed)
        journal, blocked_paths = Journal(twin, folder), BlockedPaths(twin, folder)
        end_us = round(loaded.scenario.duration_s * 1e6)
        with journal.recorder:
            while twin.time_us < end_us:
                tick = twin.tick()
                journal.add(tick)
                blocked_paths.add(tick)
            blocked_paths.close()
            journal.close()
            journal.recorder.close(collect(twin), simulated_s=twin.time_us / 1e6, wall_s=time.monotonic() - begun)
    finally:
        twin.close()
