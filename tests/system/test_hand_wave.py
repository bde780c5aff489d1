"""A hand wave at the edge of a link: the trace shows it, and the report names the forearm."""

import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from factory.recording import Run
from factory.runner import run_shift

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("wave") / "run"
    quiet = Console(quiet=True)
    assert run_shift("hand-wave", ["duration_s=20"], folder, quiet, quiet) == 0
    return Run(folder)


def test_the_trace_shows_the_wave_and_nothing_else(run: Run) -> None:
    ticks = run.ticks()
    loss_db = ticks["body_loss_db"].to_numpy(dtype=np.float64)
    assert loss_db.max() > 8.0
    strong = ticks[ticks["body_loss_db"] > 3.0]
    assert set(strong["blocker_part"]) == {"right forearm"}
    # Most of the time the arm hangs, and the body beside the link takes less than a decibel of it.
    assert np.quantile(loss_db, 0.5) < 1.0


def test_the_report_names_the_forearm_and_draws_it(run: Run) -> None:
    events = run.events()
    lost = events[(events["kind"] == "packet_lost") & (events["cause"] == "body")]
    assert len(lost) >= 10
    assert set(lost["part"]) == {"right forearm"}
    page = (run.path / "report.html").read_text()
    assert "right forearm was in the path of TRP west" in page
    assert "right forearm stood in the path from west to cobot-1 in line of sight" in page
    assert "Seen along the path" in page
    cases = json.loads((run.path / "blocked_paths.json").read_text())["cases"]
    assert cases
    assert all(c["part"] == "right forearm" and c["loss_db"] > 3.0 for c in cases)


def test_who_keeps_his_hand_down_costs_nothing(tmp_path: Path) -> None:
    quiet = Console(quiet=True)
    assert run_shift("hand-wave", ["duration_s=20", "people.roles[0].wave_per_min=0"], tmp_path / "run", quiet, quiet) == 0
    run = Run(tmp_path / "run")
    assert run.ticks()["body_loss_db"].max() < 1.5
    assert not (run.events()["kind"] == "packet_lost").any()
