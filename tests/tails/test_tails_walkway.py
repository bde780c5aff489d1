"""Counting beside which the estimators are judged, and what is kept of it."""

from __future__ import annotations

import numpy as np
import pytest

from factory.scenario import load_scenario
from factory.validate import tails_walkway
from factory.validate.tails_walkway import SCENARIO, _spans, count, counted_down, judged, kept, truth_of
from radio.figures.tails import share_interval
from radio.messages.reliability import service_down_probability
from radio.messages.traffic import resolve


def test_certain_losses_are_counted_by_the_survival_time_rule():
    loss = np.array([[0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0], [1.0] * 9])
    for m, down in ((1, 6 + 9), (2, 3 + 8), (3, 1 + 7)):
        counted = counted_down(loss, m, 5, np.random.default_rng(1))
        assert counted.tolist() == [down] * 5


@pytest.mark.parametrize("m", [1, 2, 3])
def test_draws_come_to_the_probability_of_being_down(m):
    loss = np.random.default_rng(m).random((3, 400)) ** 2
    counted = counted_down(loss, m, 400, np.random.default_rng(7))
    expected = sum(float(service_down_probability(row, m)[0][m - 1 :].sum()) for row in loss)
    assert counted.mean() == pytest.approx(expected, abs=4.0 * counted.std() / 20.0)
    assert counted.std() > 0.0


def test_messages_that_cannot_be_down_are_left_out_and_no_others():
    wanted = np.array([True, True, False, True, False, False] + [True] * 9)
    spans = _spans(wanted, longest=4)
    assert spans == [(0, 2), (3, 4), (6, 10), (10, 14), (14, 15)]
    assert _spans(np.zeros(5, np.bool_)) == []


def test_counting_independent_messages_costs_what_the_binomial_says():
    rng = np.random.default_rng(5)
    runs = [np.full((4, 2000), 0.01) for _ in range(12)]
    found = truth_of(runs, 1, 200, 3)
    assert found["low"] < 0.01 < found["high"]
    assert found["luck"] == pytest.approx(99.0, rel=0.1)
    assert found["geometry"] < 5.0
    shared = [np.full((4, 2000), 0.01 * rng.gamma(4.0, 0.25)) for _ in range(40)]
    # a relative variance of 1 / 4 between runs of 8000 messages
    assert truth_of(shared, 1, 200, 3)["geometry"] == pytest.approx(2000.0, rel=0.5)


def test_neighbours_that_share_a_message_go_down_together():
    loss = np.tile(np.repeat([0.0, 0.9], [90, 10]), 20)[None, :]
    found = truth_of([loss] * 4, 2, 400, 1)
    n, pairs = 1999, 20 * 9
    assert found["value"] == pytest.approx(0.81 * pairs / n, rel=0.02)
    # variance of a pair, and twice its covariance with the next one
    alone, beside = 0.81 * 0.19, 2 * (0.9**3 - 0.9**4)
    variance = pairs * alone + 20 * 8 * beside
    assert found["luck"] == pytest.approx(n * variance / (0.81 * pairs) ** 2, rel=0.15)


def test_judgement_counts_coverage_width_and_cost():
    truth = {"value": 1e-4, "geometry": 500.0, "luck": 9_500.0}
    one = {"value": 1.1e-4, "low": 0.8e-4, "high": 1.5e-4, "packets": 1000}
    missed = one | {"low": 0.2e-4, "high": 0.9e-4, "value": 0.9e-4}
    found = judged([one] * 3 + [missed, one | {"value": None}], truth)
    assert (found["given"], found["of"], found["covered"], found["too_low"]) == (4, 5, 3, 1)
    assert found["relative_error"] == pytest.approx(0.1)
    assert found["times_fewer_clustered"] == pytest.approx(10_000 / 0.01 / 1000)
    assert found["times_fewer_independent"] == pytest.approx(9_999 / 0.01 / 1000)
    assert found["half_width"] == pytest.approx(0.35 / 1.1, rel=1e-6)
    assert found["times_fewer_by_width"] == pytest.approx(10 * (1.96 * 1.1 / 0.35) ** 2)
    assert judged([one], truth) == {"given": 1, "of": 1}


def test_few_units_cover_as_often_as_many():
    """Eight replicas, whose variance is badly known: without Student's t 377 of these 400 would hold the truth."""
    rng = np.random.default_rng(11)
    covered = 0
    for _ in range(400):
        _, low, high = share_interval(rng.gamma(9.0, 1.0, 8), np.full(8, 100.0), 0.0)
        covered += low <= 0.09 <= high
    assert covered >= 381


def test_kept_study_is_of_the_walkway_that_is_shipped_and_reaches_its_aim():
    found, services = kept(), load_scenario(str(SCENARIO)).scenario.radio.services
    assert [s["name"] for s in found["services"]] == [s.name for s in services]
    assert [s["survival"] for s in found["services"]] == [resolve(s).survival for s in services]
    assert found["draws"] == tails_walkway.DRAWS
    beat, status = (s["truth"] for s in found["services"])
    assert 3e-7 < beat["low"] < beat["value"] < beat["high"] < 3e-6
    assert 5e-5 < status["low"] < status["value"] < status["high"] < 3e-4
    for service in found["services"]:
        assert {f["kind"] for f in service["estimators"]} == {"conditional", "peaks_over_threshold", "splitting"}
        assert service["truth"]["low"] < service["truth"]["conditional"] < service["truth"]["high"]
        # the twin's own draws, a Poisson count of a few dozen at most
        mean = service["truth"]["value"] * service["truth"]["own_messages"]
        assert abs(service["truth"]["own_draws"] - mean) < 4.0 * np.sqrt(mean) + 4.0


def test_a_run_is_kept_message_by_message(tmp_path, monkeypatch):
    monkeypatch.setattr(tails_walkway, "WARM_UP_S", 10)
    count(1, 20, tmp_path)
    run = np.load(tmp_path / "count-0001.npz")
    loss, sums, service = run["loss"], run["sums"], run["service"]
    assert loss.shape == (12, 100)
    assert sums.shape == (2, 2, 3)
    assert run["margins"].sum(axis=(1, 2)).tolist() == sums[:, :, 0].sum(axis=1).tolist()
    assert ((loss >= 0.0) & (loss <= 1.0)).all()
    for v in range(2):
        down = sum(float(service_down_probability(row, 2)[0][1:].sum()) for row in loss[service == v])
        assert sums[v, :, 1].sum() == pytest.approx(down, rel=0.2)
