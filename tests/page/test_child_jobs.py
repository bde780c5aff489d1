"""Work in child processes: progress, results, failures, limits, and that nothing of the parent is held on to."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator

import pytest

from factory.child_jobs import JOBS_AT_ONCE, ChildJobs, Job, JobError, Json, Teller
from factory.errors import UserError


@pytest.fixture
def jobs() -> Iterator[ChildJobs]:
    desk = ChildJobs(limit_s=20.0)
    yield desk
    desk.close()


def _ended(jobs: ChildJobs, job: Job, seconds: float = 15.0) -> Json:
    end = time.monotonic() + seconds
    while jobs.read(job.id).state == "running":
        assert time.monotonic() < end
        time.sleep(0.02)
    told: Json = json.loads(jobs.read(job.id).to_json_text())
    return told


def _sleeps(teller: Teller) -> Json:
    for n in range(600):
        teller(n / 600, "asleep")
        time.sleep(0.1)
    return {}


def test_a_result_larger_than_a_pipe_comes_back_whole(jobs: ChildJobs) -> None:
    values = list(range(400_000))

    def work(teller: Teller) -> Json:
        teller(0.5, "half")
        teller.about({"found": "this"})
        return {"values": values, "pid": os.getpid()}

    told = _ended(jobs, jobs.start("whatif", {"asked": 1}, work))
    assert (told["state"], told["progress"], told["asked"], told["found"]) == ("done", 1.0, 1, "this")
    assert told["result"]["values"] == values
    assert told["result"]["pid"] != os.getpid()


def test_progress_is_told_while_it_works(jobs: ChildJobs) -> None:
    job = jobs.start("whatif", {}, _sleeps)
    end = time.monotonic() + 10
    while not jobs.read(job.id).progress > 0:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert jobs.read(job.id).words == "asleep"


@pytest.mark.parametrize(
    ("error", "words"), [(UserError("the rack is gone"), "the rack is gone"), (ValueError("odd"), "ValueError: odd")]
)
def test_a_failure_is_told(jobs: ChildJobs, error: Exception, words: str) -> None:
    def work(teller: Teller) -> Json:
        raise error

    told = _ended(jobs, jobs.start("whatif", {}, work))
    assert (told["state"], told["words"], told["result"]) == ("failed", words, None)


def test_a_child_that_dies_or_takes_too_long_is_a_failure() -> None:
    jobs = ChildJobs(limit_s=0.5)

    def dies(teller: Teller) -> Json:
        os.kill(os.getpid(), signal.SIGKILL)
        return {}

    for work in (dies, _sleeps):
        told = _ended(jobs, jobs.start("whatif", {}, work), 5.0)
        assert told["state"] == "failed"
        assert "limit is" in told["words"]


def test_jobs_at_once_are_limited_and_a_cancelled_one_makes_room(jobs: ChildJobs) -> None:
    started = [jobs.start("whatif", {}, _sleeps) for _ in range(JOBS_AT_ONCE)]
    pid = started[0].pid
    with pytest.raises(JobError, match="wait for one, or cancel it"):
        jobs.start("whatif", {}, _sleeps)
    assert jobs.cancel(started[0].id).state == "cancelled"
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    jobs.start("whatif", {}, _sleeps)
    with pytest.raises(JobError, match="there is no job 99; known: 1, 2, 3"):
        jobs.read(99)


def test_a_child_holds_no_socket_of_its_parent(jobs: ChildJobs) -> None:
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        job = jobs.start("whatif", {}, _sleeps)
        end = time.monotonic() + 10
        while not jobs.read(job.id).progress > 0:
            assert time.monotonic() < end
            time.sleep(0.02)
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))
        again.listen()


def test_old_jobs_are_forgotten(jobs: ChildJobs) -> None:
    for _ in range(25):
        _ended(jobs, jobs.start("whatif", {}, lambda teller: {}))
    assert len(jobs.all()) <= 21
    with pytest.raises(JobError, match="there is no job 1;"):
        jobs.read(1)
