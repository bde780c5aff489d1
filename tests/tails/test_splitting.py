"""Multilevel splitting where the truth is known, and on a whole twin."""

from __future__ import annotations

import json

import numpy as np
import pytest
from rich.console import Console
from toy_processes import GaussianFade
from typer.testing import CliRunner

from factory.cli import app
from factory.errors import UserError
from factory.scenario import load_scenario
from factory.splitting import levels_from, split
from factory.splitting_twin import Effort, estimate
from factory.tails_command import tails_command
from factory.validate.tails_rows import GilbertSpells
from radio.figures.tails import share_interval

SMALL = [
    "radio.compare=[]", "robots.cobots=[]", "people.panels=0", "people.count=4", "radio.paths.max_order=0",
    "radio.services=[{name: control, profile: mobile-robot, devices: agv, message_bytes: 250}]",
]  # fmt: skip


def _replicas(make, levels, steps, first, factor=4):
    return [split(make(first + k), levels, factor, steps, (first + k,)) for k in range(8)]


def _figures(parts, unmet):
    down, messages = np.array([p.sums[1] for p in parts]), np.array([p.main[0] for p in parts])
    return share_interval(down, messages, unmet), sum(p.cost[0] for p in parts)


def test_spells_of_a_markov_channel_are_found_a_hundred_times_cheaper():
    truth = GilbertSpells(0.01, 0.3, 8, (0,)).truth
    assert truth == pytest.approx(2.187e-6)
    values, covered, cost = [], 0, 0.0
    for first in range(0, 160, 8):
        parts = _replicas(lambda s: GilbertSpells(0.01, 0.3, 8, (s,)), [1, 2, 3, 4, 5, 6, 7, 8], 1500, first)
        (value, low, high), packets = _figures(parts, 4.0**-8)
        values.append(value)
        covered += low <= truth <= high
        cost += packets / 20
    assert np.mean(values) == pytest.approx(truth, rel=0.25)
    assert covered >= 17
    counting = 1.0 / (truth * (np.std(values) / truth) ** 2)
    assert counting / cost > 100


def test_fades_are_found_without_bias():
    truth = GaussianFade(15.03, 3.0, 0.95, 0).truth
    values = []
    for first in range(0, 96, 8):
        parts = _replicas(lambda s: GaussianFade(15.03, 3.0, 0.95, s), [-11.0, -9.0, -7.0, -5.5, -4.0, -2.5, -1.0], 1000, first)
        values.append(_figures(parts, 4.0**-7)[0][0])
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values) - truth) < 4.0 * error
    assert error < 0.4 * truth


def test_without_levels_it_is_plain_simulation():
    part = split(GilbertSpells(0.2, 0.5, 2, (1,)), [], 4, 500)
    assert part.steps == part.main_steps == 500
    assert (part.sums == part.main).all()
    assert part.futures is None


def test_weights_of_all_branches_add_up_to_the_main_run():
    """The weighted number of steps is that of the main run on average, whatever is split."""
    parts = [split(GilbertSpells(0.05, 0.5, 3, (s,)), [1, 2, 3], 5, 400, (s,)) for s in range(100)]
    shares = np.array([p.sums[0] / p.main[0] for p in parts])
    assert shares.mean() == pytest.approx(1.0, abs=4 * shares.std() / np.sqrt(len(shares)))
    assert all(p.reached[0] == 1 and p.cost[0] == p.steps for p in parts)


def test_same_key_gives_the_same_replica():
    a, b = (split(GaussianFade(8.0, 3.0, 0.9, 5), [-6.0, -3.0], 4, 300, (5,)) for _ in range(2))
    assert (a.sums == b.sums).all()
    assert (a.reached == b.reached).all()


def test_levels_that_do_not_rise_are_refused():
    with pytest.raises(ValueError, match="must increase"):
        split(GilbertSpells(0.2, 0.5, 2, (1,)), [2.0, 1.0], 4, 10)


def test_levels_too_close_are_given_up(monkeypatch):
    monkeypatch.setattr("factory.splitting.MOST_BRANCHES", 100)
    with pytest.raises(ValueError, match="branches: give fewer levels"):
        split(GilbertSpells(0.9, 0.99, 2, (1,)), [1.0 + k for k in range(60)], 40, 100)


def test_levels_of_a_pilot_thin_out_by_the_factor():
    importance = -np.random.default_rng(1).exponential(10.0, 50_000)
    levels = levels_from(-np.abs(importance + 60.0), 4, 5, 0.0)
    assert len(levels) == 5
    assert (np.diff(levels) > 0).all()
    assert levels_from(np.full(1000, -5.0), 4, 3, 0.0) == (-5.0,)


def test_a_twin_is_split_deterministically_and_costs_are_counted():
    loaded = load_scenario("small", SMALL)
    effort = Effort(replicas=2, seconds=4.0, warm_up_s=1.0, factor=3, margins=(250.0, 150.0))
    a, b = (estimate(loaded, 0, effort) for _ in range(2))
    assert a.estimate == b.estimate
    assert a.estimate["packets"] >= 2 * 500 * 4 - 8
    assert a.estimate["low"] <= a.estimate["value"] <= a.estimate["high"]
    steps = [part.steps for part in a.replicas]
    assert a.branch_s == pytest.approx(sum(steps) * 0.01)
    assert all(part.reached[0] == 1 for part in a.replicas)


def test_command_adds_to_a_kpi_file(tmp_path):
    path = tmp_path / "kpi.json"
    services = [{"name": "control", "estimators": {"conditional": {"value": 0.5}}}]
    kpi = {"acting_policy": "reactive", "services": services, "policies": {"reactive": {"services": services}}}
    path.write_text(json.dumps(kpi))
    console = Console(width=80, record=True)
    effort = Effort(replicas=2, seconds=1.0, warm_up_s=0.2, factor=2)
    assert tails_command("small", SMALL, "control", effort, "300,200", path, console) == 0
    kpi = json.loads(path.read_text())
    for place in (kpi["services"], kpi["policies"]["reactive"]["services"]):
        assert place[0]["estimators"]["conditional"] == {"value": 0.5}
        assert set(place[0]["estimators"]["splitting"]) == {"value", "low", "high", "packets", "reason"}
    text = console.export_text()
    assert "Unavailability" in text
    assert max(map(len, text.splitlines())) <= 80 or str(tmp_path) in text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--service", "contol"], "--service 'contol' is no service; this scenario has"),
        ([], "--service is missing"),
        (["--service", "agv-video"], "frames of video have no margin"),
        (["--service", "agv-control", "--levels", "10,20"], "margins must fall"),
        (["--service", "agv-control", "--levels", "a"], "wanted margins separated by commas"),
        (["--service", "agv-control", "--replicas", "1"], "--replicas 1: wanted 2 or more"),
        (["--service", "agv-control", "--seconds", "0"], "--seconds 0: wanted seconds from 1"),
        (["--service", "agv-control", "--out", "nowhere.json"], "--out nowhere.json: cannot be read"),
        (["--service", "agv-control", "--set", "radio.enabled=false"], "no message can be lost"),
    ],
)
def test_wrong_input_is_refused_before_anything_runs(options, words):
    result = CliRunner().invoke(app, ["tails", "small", *options])
    assert isinstance(result.exception, UserError)
    assert words in str(result.exception)
