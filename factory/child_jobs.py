"""Work in a child process that begins as a copy of this one: it has the twin as it stands, and the tick goes on without it.

A copy (fork) is the only way to take a twin elsewhere: Bullet's arms, Numba's tables and the saved state live in memory alone.
The child keeps none of the parent's files and sockets, has a low priority, and ends by itself when its time is over, when its
parent has gone, or when nobody can read what it says any more. What it says travels as lines of JSON through a pipe.

All of it is called on one thread, the tick's: the copy is then made between two ticks.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from factory.errors import UserError

Json = dict[str, Any]
Tell = Callable[[float, str], None]
"""Takes the share 0..1 that is done, and words for people."""
State = Literal["running", "done", "failed", "cancelled"]

JOBS_AT_ONCE = 2
LIMIT_S = 900.0
_KEPT = 20
_NICE = 10
_TELL_S = 0.2
_RESULT = b"result "
_PIPE_BYTES, _SET_PIPE_SIZE = 1 << 20, 1031  # Linux: a map of the floor fits into the pipe, so that its child need not wait


class Teller:
    """What a child says to its parent while it works.

    Parameters
    ----------
    parent : process that must still be there. pipe : file descriptor to write to.
    """

    def __init__(self, parent: int, pipe: int) -> None:
        self._parent, self._pipe, self._told = parent, pipe, 0.0

    def __call__(self, progress: float, words: str) -> None:
        """Tell how far the work is, 0..1, a few times a second; the process ends where nobody is there to hear it."""
        if time.monotonic() - self._told < _TELL_S:
            return
        self._told = time.monotonic()
        if os.getppid() != self._parent:
            os._exit(1)
        self.say({"progress": progress, "words": words})

    def about(self, about: Json) -> None:
        """Add to what is known of the job."""
        self.say({"about": about})

    def say(self, content: Json) -> None:
        """Send a line of JSON."""
        self._write(json.dumps(content, separators=(",", ":"), allow_nan=False).encode())

    def end(self, result: Json) -> None:
        """Send the result."""
        self._write(_RESULT + json.dumps(result, separators=(",", ":"), allow_nan=False).encode())

    def _write(self, line: bytes) -> None:
        line += b"\n"
        while line:
            line = line[os.write(self._pipe, line) :]


Work = Callable[[Teller], Json]


class JobError(UserError):
    """A job that cannot be started, or is not there; the message says why, and what would be right."""


@dataclass(slots=True)
class Job:
    """One job.

    Attributes
    ----------
    id : number since the start. kind : what it works out. about : what was asked, as JSON.
    state, progress, words : how far it is. pid : of the child, 0 when it has ended. pipe : descriptor that it is heard on.
    result : what it came to as JSON text, None before; a tick has no time to read a map of the floor.
    """

    id: int
    kind: str
    about: Json
    pid: int
    pipe: int
    state: State = "running"
    progress: float = 0.0
    words: str = "starting"
    result: bytes | None = None
    rest: bytearray = field(default_factory=bytearray)

    def to_json_text(self) -> str:
        """Return the job as JSON text: what it is about, how far it is, and its result."""
        told = {"job": self.id, "kind": self.kind, "state": self.state, "progress": round(self.progress, 3), "words": self.words}
        return f'{json.dumps({**told, **self.about})[:-1]}, "result": {"null" if self.result is None else self.result.decode()}}}'


class ChildJobs:
    """Starts jobs, follows them and stops them.

    Parameters
    ----------
    limit_s : time on the wall clock after which a child is ended [s].
    """

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        self._limit_s = limit_s
        self._jobs: dict[int, Job] = {}
        self._numbers = 0

    def start(self, kind: str, about: Json, work: Work) -> Job:
        """Let a copy of this process do ``work``; returns at once.

        Raises
        ------
        JobError
            Where as many jobs are running as may be, or the system gives no child.
        """
        running = [j for j in self.all() if j.state == "running"]
        if len(running) >= JOBS_AT_ONCE:
            numbers = " and ".join(str(j.id) for j in running)
            raise JobError(f"jobs {numbers} are running, and {JOBS_AT_ONCE} may run at once; wait for one, or cancel it")
        ours, theirs = os.pipe()
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            os.close(ours)
            os.close(theirs)
            raise JobError(f"no process can be started: {error.strerror}") from error
        if pid == 0:
            _child(parent, theirs, self._limit_s, work)
        os.close(theirs)
        os.set_blocking(ours, False)
        with contextlib.suppress(OSError):  # another system, or no memory left for pipes: it is read in more turns then
            fcntl.fcntl(ours, _SET_PIPE_SIZE, _PIPE_BYTES)
        self._numbers += 1
        job = self._jobs[self._numbers] = Job(self._numbers, kind, about, pid, ours)
        for old in [n for n, j in self._jobs.items() if j.state != "running"][: max(0, len(self._jobs) - _KEPT)]:
            del self._jobs[old]
        return job

    def read(self, number: int) -> Job:
        """Return a job as it stands now.

        Raises
        ------
        JobError
            Where there is none of this number.
        """
        if number not in self._jobs:
            known = ", ".join(str(n) for n in self._jobs) or "none yet"
            raise JobError(f"there is no job {number}; known: {known} (the last {_KEPT} are kept)")
        job = self._jobs[number]
        self._follow(job)
        return job

    def all(self) -> tuple[Job, ...]:
        """Return all jobs as they stand now, the first one first."""
        return tuple(self.read(number) for number in list(self._jobs))

    def cancel(self, number: int) -> Job:
        """Stop a job; harmless where it has ended. Raises as :meth:`read`."""
        job = self.read(number)
        if job.state == "running":
            os.kill(job.pid, signal.SIGKILL)
            self._end(job, "cancelled", "cancelled")
        return job

    def close(self) -> None:
        """Stop all jobs."""
        for job in self._jobs.values():
            if job.state == "running":
                self.cancel(job.id)

    def _follow(self, job: Job) -> None:
        while job.state == "running":
            try:
                part = os.read(job.pipe, 65536)
            except BlockingIOError:
                return
            if not part:
                self._end(job, "failed", f"its process ended without an answer (the limit is {self._limit_s:.0f} s)")
                return
            job.rest += part
            *lines, rest = job.rest.split(b"\n")
            job.rest = bytearray(rest)
            for line in lines:
                self._hear(job, bytes(line))

    def _hear(self, job: Job, line: bytes) -> None:
        if line.startswith(_RESULT):
            job.result, job.progress = line[len(_RESULT) :], 1.0
            self._end(job, "done", "done")
            return
        said = json.loads(line)
        if "error" in said:
            self._end(job, "failed", str(said["error"]))
        elif "about" in said:
            job.about |= said["about"]
        elif job.state == "running":
            job.progress, job.words = float(said["progress"]), str(said["words"])

    @staticmethod
    def _end(job: Job, state: State, words: str) -> None:
        job.state, job.words = state, words
        os.close(job.pipe)
        os.waitpid(job.pid, 0)  # it has said its last word or was killed: this does not wait
        job.pid, job.pipe = 0, -1


def _child(parent: int, pipe: int, limit_s: float, work: Work) -> None:
    """Do the work and end the process; never returns."""
    code, teller = 1, Teller(parent, pipe)
    try:
        _leave_home(pipe, limit_s)
        teller.end(work(teller))
        code = 0
    except UserError as error:
        teller.say({"error": str(error)})
    except BaseException as error:  # whatever it was, the person who waits must hear of it
        teller.say({"error": f"{type(error).__name__}: {error}"})
    finally:
        os._exit(code)


def _leave_home(pipe: int, limit_s: float) -> None:
    """Let go of what belongs to the parent: files, sockets, signals; its port would stay taken otherwise."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    os.nice(_NICE)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.closerange(3, pipe)
    os.closerange(pipe + 1, os.sysconf("SC_OPEN_MAX"))
