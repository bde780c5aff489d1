"""Runs the points of a study on worker processes: a local cluster, or one that is there (dask.distributed).

The engine keeps as many points in flight as there are worker threads and hands out the next one when one is done, so that it can
stop after any point. A worker that dies takes its point with it; the scheduler gives the point to another. A point that fails by
itself is tried three times, then noted as failed, and the study goes on. A folder that cannot be written ends the study.
"""

from __future__ import annotations

import errno
import logging
import os
import queue
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import dask
from distributed import Client, KilledWorker, LocalCluster, WorkerPlugin

from factory.errors import UserError
from factory.study.study_folder import StudyFolder
from factory.study.versions import point_versions, version_difference
from factory.study.worker import PointDone, PointTask, Runner, run_point, warm_up

ATTEMPTS = 3
DEATHS_ALLOWED = 9
"""Worker processes that may die on one point before it is given up."""
CONNECT_S = 5.0
_POLL_S = 0.2
_RESULT_S = 5.0
"""A result of a few hundred bytes that takes longer to fetch is lost [s]."""
_QUIET = ("distributed", "distributed.nanny", "distributed.worker", "distributed.scheduler", "distributed.core", "asyncio")
_FATAL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ENOTDIR}
"""Errors of a folder that no other worker would fare better with."""

Point = tuple[str, int]
Future = Any
"""A future of distributed, which has no types."""


@dataclass(frozen=True, slots=True)
class PointFailed:
    """A point that could not be run.

    Attributes
    ----------
    variant, seed : which.
    message : why.
    final : whether trying again is no use.
    fatal : whether the study cannot go on, for its folder cannot be written.
    wrong : whether the scenario itself is at fault, so that no seed of the variant can be run.
    """

    variant: str
    seed: int
    message: str
    final: bool = False
    fatal: bool = False
    wrong: bool = False


Report = PointDone | PointFailed


@dataclass(slots=True)
class Outcome:
    """What came of a call of :meth:`Workers.run`.

    Attributes
    ----------
    done : points run by this call. failed : points given up. left : points not run.
    stopped : whether the caller's ``after`` asked to stop. interrupted : whether the stop event was set.
    fatal : why the study could not go on, None where it could.
    wall_s : time taken [s]. cpu_s : processor time of the points that were run [s].
    """

    done: list[PointDone] = field(default_factory=list)
    failed: list[PointFailed] = field(default_factory=list)
    left: int = 0
    stopped: bool = False
    interrupted: bool = False
    fatal: str | None = None
    wall_s: float = 0.0

    @property
    def cpu_s(self) -> float:
        """Processor time of the points that were run [s]."""
        return sum(d.cpu_s for d in self.done)


class _WarmUp(WorkerPlugin):
    """Imports the twin as a worker starts, a restarted one included."""

    name = "factory-twin-warm-up"

    def setup(self, worker: Any) -> None:
        warm_up()


def attempt(task: PointTask, runner: Runner | None) -> Report:
    """Run a point on a worker; what goes wrong comes back as a message, for not every error can travel."""
    try:
        return run_point(task, runner)
    except UserError as error:
        return PointFailed(task.variant, task.seed, str(error), final=True, wrong=True)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        message = f"{where}{error.strerror or error} (on {socket.gethostname()})"
        return PointFailed(task.variant, task.seed, message, fatal=error.errno in _FATAL)
    except Exception as error:  # whatever a point dies of, the others go on
        return PointFailed(task.variant, task.seed, f"{type(error).__name__}: {error}")


class Workers:
    """Worker processes for points; a context manager.

    Parameters
    ----------
    number : local worker processes, one thread each; the cores of this machine when absent.
    cluster : address of a scheduler (``tcp://host:port``) instead of local processes.
    runner : what runs a point into a folder, the twin when absent; for tests and for other models.

    Raises
    ------
    UserError
        Where the cluster cannot be reached, has no workers, or runs other versions.
    """

    def __init__(self, number: int | None = None, cluster: str | None = None, runner: Runner | None = None) -> None:
        self._number = number if number is not None else self.cores()
        self._address, self._runner = cluster, runner
        self._versions = point_versions()
        self._cluster: Any = None
        self._client: Any = None

    @staticmethod
    def cores() -> int:
        """Cores that this process may use."""
        return len(os.sched_getaffinity(0))

    def __enter__(self) -> Workers:
        for name in _QUIET:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        quiet = {"logging": dict.fromkeys(_QUIET, "critical")}
        settings = {"distributed.scheduler.allowed-failures": DEATHS_ALLOWED, "distributed.scheduler.http.routes": []}
        with dask.config.set({**settings, **quiet}):
            self._connect() if self._address is not None else self._start()
        if self._runner is None:
            self._client.register_plugin(_WarmUp())
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _start(self) -> None:
        # A terminal sends Ctrl-C to the workers too, and one that is just starting would answer with a traceback. The cluster's
        # thread and all that it ever starts inherit the mask; who ends workers is close().
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._start_local()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _start_local(self) -> None:
        self._cluster = LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=self._number,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # its HTTP server: no routes, any port
            memory_limit=0,
            silence_logs=logging.CRITICAL,
        )
        self._client = Client(self._cluster, set_as_default=False)  # type: ignore[no-untyped-call]

    def _connect(self) -> None:
        address = self._address
        try:
            self._client = Client(address, timeout=CONNECT_S, set_as_default=False)  # type: ignore[no-untyped-call]
        except (OSError, TimeoutError, ValueError) as error:
            why = str(error).splitlines()[0] if str(error) else "no answer"
            raise UserError(
                f"--cluster {address}: no scheduler there ({why}); give the address that dask scheduler prints, tcp://host:8786"
            ) from None
        workers = self._client.scheduler_info(n_workers=-1)["workers"]
        if not workers:
            self._client.close()
            raise UserError(f"--cluster {address}: the scheduler has no workers; start some with dask worker {address}")
        try:
            # The scheduler unpacks tasks as well, so it needs the twin as much as the workers do.
            found = {"the scheduler": self._client.run_on_scheduler(point_versions), **self._client.run(point_versions)}
        except Exception as error:  # whatever they say, they cannot run the twin
            self._client.close()
            raise UserError(
                f"--cluster {address}: scheduler or workers cannot import factory-twin ({error}); install the same version there"
            ) from None
        for worker, versions in found.items():
            difference = version_difference(self._versions, versions)
            if difference is not None:
                self._client.close()
                raise UserError(f"--cluster {address}: {worker} runs {difference}; install the same factory-twin on all machines")

    @property
    def threads(self) -> int:
        """Points that run at the same time."""
        return max(1, sum(self._client.nthreads().values()) if self._address is not None else self._number)

    def close(self) -> None:
        """End the workers; what they were at is lost."""
        client, cluster, self._client, self._cluster = self._client, self._cluster, None, None
        if cluster is not None:
            _kill(cluster)
        if client is not None:
            client.close(timeout=2)
        if cluster is not None:
            cluster.close(timeout=5)

    def run(
        self,
        folder: StudyFolder,
        points: Sequence[Point],
        after: Callable[[Report, int], bool] | None = None,
        stop: threading.Event | None = None,
    ) -> Outcome:
        """Run points into their folders, in this order; those that are there are passed over.

        Parameters
        ----------
        folder : the study.
        points : variants and seeds.
        after : called with every point that is done or given up and the number in flight; True stops the study after those.
        stop : set from elsewhere to stop at once.
        """
        client = self._client
        if client is None:
            raise RuntimeError("workers are started with 'with Workers(...) as workers'")
        begun, outcome = time.monotonic(), Outcome()
        waiting = deque(p for p in points if not folder.done(*p))
        tries: dict[Point, int] = {}
        flight: dict[Point, Future] = {}
        ended: queue.SimpleQueue[tuple[Point, Future]] = queue.SimpleQueue()
        hopeless: set[str] = set()
        while (waiting and not outcome.stopped) or flight:
            while waiting and not outcome.stopped and len(flight) < self.threads:
                point = waiting.popleft()
                if point[0] in hopeless:
                    outcome.left += 1
                    continue
                tries[point] = tries.get(point, 0) + 1
                task = _task(folder, point, checked=self._address is not None)
                future = client.submit(
                    attempt, task, self._runner, key=f"point-{point[0]}-{point[1]}-{time.time_ns()}", pure=False
                )
                flight[point] = future
                future.add_done_callback(lambda f, p=point: ended.put((p, f)))
            if stop is not None and stop.is_set():
                outcome.interrupted = True
                break
            try:
                point, future = ended.get(timeout=_POLL_S)
            except queue.Empty:
                continue
            if flight.get(point) is not future:
                continue
            del flight[point]
            report = _report(point, future)
            if isinstance(report, PointFailed):
                if report.fatal:
                    outcome.fatal = report.message
                    break
                if not report.final and tries[point] < ATTEMPTS:
                    waiting.appendleft(point)
                    continue
                folder.fail(*point, report.message)
                outcome.failed.append(report)
                if report.wrong:
                    hopeless.add(point[0])
            else:
                outcome.done.append(report)
            if after is not None and after(report, len(flight)):
                outcome.stopped = True
        client.cancel(list(flight.values()))
        outcome.left += len(waiting) + len(flight)
        outcome.wall_s = time.monotonic() - begun
        return outcome


def _task(folder: StudyFolder, point: Point, checked: bool) -> PointTask:
    """Return what a worker is to do; one of another machine checks its versions, one of this machine runs the same code."""
    content, (variant, seed) = folder.content, point
    return PointTask(
        variant,
        seed,
        content.base_text,
        content.base_source,
        folder.variant(variant).overrides,
        content.minutes,
        str(folder.point(variant, seed).resolve()),
        tuple(sorted(content.versions.items())) if checked else (),
    )


def _report(point: Point, future: Future) -> Report:
    """Tell what became of a point whose future is done; its result may be lost with the worker that held it."""
    try:
        error = future.exception(timeout=_RESULT_S)
        if error is None:
            report: Report = future.result(timeout=_RESULT_S)
            return report
    except TimeoutError:
        return PointFailed(*point, "its worker died with the result")  # where the point is there, the next try finds it
    if isinstance(error, KilledWorker):
        return PointFailed(*point, "its worker process died again and again: killed, or out of memory", final=True)
    return PointFailed(*point, f"{type(error).__name__}: {error}")


def _kill(cluster: Any) -> None:
    """Kill the worker processes of a local cluster, so that closing it does not wait for the points they are at."""
    for nanny in cluster.workers.values():
        process = getattr(getattr(nanny, "process", None), "process", None)
        nanny.auto_restart = False
        pid = getattr(process, "pid", None)
        if pid is not None and process is not None and process.is_alive():
            os.kill(pid, 9)
