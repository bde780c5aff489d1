"""The engine of what-if studies: every point once, whatever dies on the way."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import whatif_stub

from factory.errors import UserError
from factory.study import engine
from factory.study.engine import PointFailed, Workers
from factory.study.study_folder import StudyContent, StudyFolder, StudyFolderError, StudyVariant, new_point
from factory.study.versions import point_versions
from factory.study.worker import PointTask, run_point

HERE = Path(__file__).parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[1])])}
VARIANTS = (StudyVariant("base"), StudyVariant("a", "- policy: {name: static}", ('radio.policy="static"',)), StudyVariant("b"))


def study(path: Path, seeds: int = 3, variants: tuple[StudyVariant, ...] = VARIANTS) -> StudyFolder:
    content = StudyContent.of("small", "name: x\n", variants, range(1, seeds + 1), 0.1)
    return StudyFolder.create(path / "study", replace(content, versions={}))  # code may be edited while tests run


def points(folder: StudyFolder) -> list[tuple[str, int]]:
    return [(v, s) for s in folder.seeds for v in folder.variants]


def begun(folder: StudyFolder) -> list[str]:
    return [" ".join(line.split()[:2]) for line in (folder.path / "begun.txt").read_text().splitlines()]


@pytest.fixture(scope="module")
def workers():
    """Two worker processes for all tests of this file; each test says what they run."""
    with Workers(2, runner=whatif_stub.quick) as two:
        yield two


def running(workers: Workers, runner) -> Workers:
    workers._runner = runner
    return workers


def test_every_point_is_run_once_and_seeds_come_first(workers, tmp_path):
    folder = study(tmp_path)
    outcome = running(workers, whatif_stub.quick).run(folder, points(folder))
    assert sorted((d.variant, d.seed) for d in outcome.done) == sorted(points(folder))
    assert outcome.left == 0
    assert not outcome.failed
    assert folder.complete_seeds == (1, 2, 3)
    assert len(begun(folder)) == 9
    order = [f"{v} {s}" for v, s in points(folder)]
    for i, point in enumerate(begun(folder)):  # with two at work, at most one that comes before it has not begun
        assert len(set(order[: order.index(point)]) - set(begun(folder)[:i])) <= 1
    assert folder.kpi("a", 2)["overrides"] == ['radio.policy="static"']


def test_a_point_that_is_there_is_not_run_again(workers, tmp_path):
    folder = study(tmp_path, seeds=2)
    running(workers, whatif_stub.quick).run(folder, points(folder)[:4])
    outcome = workers.run(folder, points(folder))
    assert len(outcome.done) == 2
    assert len(begun(folder)) == len(set(begun(folder))) == 6


def test_a_worker_killed_in_mid_point_loses_that_attempt_alone(workers, tmp_path):
    folder = study(tmp_path, seeds=2)

    def kill_who_runs_the_first_point() -> None:
        log, since_s = folder.path / "begun.txt", time.monotonic()
        while not log.is_file() or len(log.read_text().splitlines()) < 2:
            assert time.monotonic() - since_s < 90, "no worker began"
            time.sleep(0.02)
        os.kill(int(log.read_text().split()[2]), signal.SIGKILL)

    killer = threading.Thread(target=kill_who_runs_the_first_point)
    killer.start()
    outcome = running(workers, whatif_stub.slow).run(folder, points(folder))
    killer.join()
    assert len(outcome.done) == 6
    assert not outcome.failed
    assert folder.complete_seeds == (1, 2)
    assert len(begun(folder)) == 7
    folder.clean()
    assert not list((folder.path / "points").glob("*/.*"))


def test_a_point_that_fails_is_tried_three_times_and_a_wrong_scenario_once(workers, tmp_path):
    folder = study(tmp_path, seeds=2)
    outcome = running(workers, whatif_stub.failing).run(folder, points(folder))
    assert begun(folder).count("a 2") == engine.ATTEMPTS
    assert begun(folder).count("b 1") == 1
    assert "b 2" not in begun(folder)
    assert {(f.variant, f.seed) for f in outcome.failed} == {("a", 2), ("b", 1)}
    assert folder.failure("a", 2) == "ZeroDivisionError: one by nothing"
    assert folder.failure("b", 1) == "station 'bay-1' stands in a box"
    assert folder.failure("base", 1) is None
    assert folder.complete_seeds == ()
    assert all(folder.done("base", s) for s in (1, 2))
    assert outcome.left == 1


def test_a_full_disk_ends_the_study_and_the_rest_is_run_when_there_is_room(workers, tmp_path):
    folder = study(tmp_path)
    (folder.path / "full").touch()
    outcome = running(workers, whatif_stub.full_disk).run(folder, points(folder))
    assert outcome.fatal is not None
    assert "No space left" in outcome.fatal
    assert not any(folder.done(v, s) for v in folder.variants for s in (2, 3))
    (folder.path / "full").unlink()
    outcome = workers.run(folder, points(folder))
    assert outcome.fatal is None
    assert folder.complete_seeds == (1, 2, 3)


def test_who_asks_stops_after_a_point_or_at_once(workers, tmp_path):
    folder = study(tmp_path)
    outcome = running(workers, whatif_stub.quick).run(folder, points(folder), after=lambda report, flying: report.seed == 1)
    assert outcome.stopped
    assert 0 < outcome.left < 9
    assert len(outcome.done) + outcome.left == 9
    stop = threading.Event()
    stop.set()
    outcome = workers.run(folder, points(folder), stop=stop)
    assert outcome.interrupted


def test_two_writers_of_one_point_leave_the_first(tmp_path):
    target = tmp_path / "seed-1"
    with new_point(target, "slow") as first:
        first.mkdir()
        (first / "kpi.json").write_text("slow")
        with new_point(target, "fast") as second:
            second.mkdir()
            (second / "kpi.json").write_text("fast")
    assert (target / "kpi.json").read_text() == "fast"
    assert [p.name for p in tmp_path.iterdir()] == ["seed-1"]


def test_a_point_that_breaks_leaves_nothing(tmp_path):
    def write() -> None:
        with new_point(tmp_path / "v" / "seed-1", "x") as path:
            path.mkdir()
            raise KeyError("broken")

    with pytest.raises(KeyError):
        write()
    assert not list((tmp_path / "v").iterdir())


def test_a_worker_of_another_version_refuses_the_point(tmp_path):
    wrong = point_versions() | {"numpy": "0.9"}
    task = PointTask("base", 1, "", "small", (), 1.0, str(tmp_path / "points" / "base" / "seed-1"), tuple(wrong.items()))
    with pytest.raises(UserError, match=r"numpy .* instead of 0\.9; install the same factory-twin"):
        run_point(task, whatif_stub.quick)
    assert not (tmp_path / "points").exists()


def test_one_study_is_run_by_one_process(tmp_path):
    folder = study(tmp_path)
    with folder.locked(), pytest.raises(StudyFolderError, match="another factory-twin is at work"), folder.locked():
        pass


def test_a_scheduler_that_is_not_there_is_told_within_ten_seconds():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # nobody listens
        address = f"tcp://127.0.0.1:{held.getsockname()[1]}"
        begun_s = time.monotonic()
        with pytest.raises(UserError, match=rf"--cluster {address}: no scheduler there"), Workers(cluster=address):
            pass
        assert time.monotonic() - begun_s < 10.0
    with pytest.raises(UserError, match="--cluster nonsense: no scheduler there"), Workers(cluster="nonsense"):
        pass


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """Start a dask scheduler in a process of its own, and give its address."""
    file = tmp_path_factory.mktemp("cluster") / "scheduler.json"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    with subprocess.Popen(
        [*command, "--no-show", "--scheduler-file", str(file)],
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            begun_s = time.monotonic()
            while not file.is_file() or not file.read_text():
                assert time.monotonic() - begun_s < 60, "the scheduler did not start"
                time.sleep(0.05)
            yield json.loads(file.read_text())["address"]
        finally:
            process.terminate()


def test_workers_in_other_processes_are_reached_by_an_address(scheduler, tmp_path):
    with pytest.raises(UserError, match="the scheduler has no workers"), Workers(cluster=scheduler):
        pass
    command = [sys.executable, "-m", "distributed.cli.dask_worker", scheduler, "--nworkers", "2", "--nthreads", "1"]
    with subprocess.Popen(
        [*command, "--no-dashboard", "--host", "127.0.0.1", "--local-directory", str(tmp_path / "scratch")],
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            _wait_for_workers(scheduler)
            folder = study(tmp_path)
            with Workers(cluster=scheduler, runner=whatif_stub.quick) as remote:
                assert remote.threads == 2
                outcome = remote.run(folder, points(folder))
            assert len(outcome.done) == 9
            assert len({line.split()[2] for line in (folder.path / "begun.txt").read_text().splitlines()}) == 2
            other = Workers(cluster=scheduler)
            other._versions = other._versions | {"numba": "0.1"}
            with pytest.raises(UserError, match=r"the scheduler runs numba .* instead of 0\.1; install the same"), other:
                pass
        finally:
            process.terminate()


def _wait_for_workers(address: str) -> None:
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)


def test_reports_travel_without_their_exceptions(tmp_path):
    task = PointTask("v", 1, "not: [valid", "x.yaml", (), 1.0, str(tmp_path / "v" / "seed-1"))
    failed = engine.attempt(task, None)
    assert isinstance(failed, PointFailed)
    assert (failed.final, failed.wrong) == (True, True)
    assert failed.message.startswith("x.yaml:")


class LostWithItsWorker:
    """A future that is done, and whose result nobody holds any more."""

    def exception(self, timeout=None):
        assert timeout is not None  # or the study would wait for ever
        return None

    def result(self, timeout=None):
        assert timeout is not None
        raise TimeoutError


def test_a_result_that_is_lost_with_its_worker_is_tried_again() -> None:
    report = engine._report(("base", 1), LostWithItsWorker())
    assert isinstance(report, engine.PointFailed)
    assert not report.final
    assert not report.fatal
