"""Stand-ins for the twin: what a worker runs in tests of the engine. In a module of their own, which workers can import."""

from __future__ import annotations

import errno
import json
import os
import time
from pathlib import Path

from factory.errors import UserError
from factory.study.worker import PointTask


def quick(task: PointTask, path: Path) -> None:
    """Take what the seed says, and note every beginning beside the study, so that a test sees who ran how often."""
    path.mkdir(parents=True)
    (path / "started").write_text(task.variant)
    log = Path(task.target).parents[2] / "begun.txt"
    with log.open("a") as file:
        file.write(f"{task.variant} {task.seed} {os.getpid()}\n")
    time.sleep(float(os.environ.get("STUB_S", "0.05")))
    (path / "run.json").write_text(json.dumps({"format": 1, "state": "finished"}))
    (path / "kpi.json").write_text(json.dumps({"seed": task.seed, "overrides": list(task.overrides)}))


def slow(task: PointTask, path: Path) -> None:
    """As quick, but long enough to be killed in."""
    os.environ["STUB_S"] = "1.2"
    quick(task, path)


def failing(task: PointTask, path: Path) -> None:
    """Fail on one point by itself, on another variant by a wrong scenario."""
    quick(task, path)
    if (task.variant, task.seed) == ("a", 2):
        raise ZeroDivisionError("one by nothing")
    if task.variant == "b":
        raise UserError("station 'bay-1' stands in a box")


def full_disk(task: PointTask, path: Path) -> None:
    """Find the disk full from the second seed on, while a file beside the study says so."""
    quick(task, path)
    if task.seed > 1 and (Path(task.target).parents[2] / "full").is_file():
        raise OSError(errno.ENOSPC, "No space left on device", str(path / "kpi.json"))


def measured(task: PointTask, path: Path) -> None:
    """Give a kpi.json with orders that grow by two in variant a and by noise alone in the others."""
    quick(task, path)
    orders = 50.0 + 5.0 * ((task.seed * 7919) % 13) + (2.0 if task.variant == "a" else 0.0) + 0.1 * ((task.seed * 31) % 7)
    if task.variant != "base":
        orders += 0.05 * ((task.seed * 17) % 5)
    kpi = {"acting_policy": None, "production": {"orders": orders, "orders_per_hour": orders * 6}}
    (path / "kpi.json").write_text(json.dumps(kpi))
