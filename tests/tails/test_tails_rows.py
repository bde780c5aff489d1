"""What is kept of the study of the estimators, and its rows."""

from __future__ import annotations

import numpy as np
import pytest

from factory.scenario import load_scenario
from factory.validate.tails_rows import NOTES, tails_rows
from factory.validate.tails_study import SCENARIO, _coverage, judge_service, kept
from radio.figures.tails_kernels import BINS


def test_rows_agree_and_tell_every_estimator():
    rows = list(tails_rows())
    assert all(row.ok for row in rows)
    cases = " ".join(row.case for row in rows)
    for words in ("conditional expectation", "peaks over threshold", "splitting", "status", "maps", "beat"):
        assert words in cases
    assert {row.table for row in rows} == set(NOTES)


def test_kept_study_is_of_the_hall_that_is_shipped():
    found, services = kept(), load_scenario(str(SCENARIO)).scenario.radio.services
    assert [s["name"] for s in found["services"]] == [s.name for s in services]
    for service in found["services"]:
        assert 0.0 < service["truth"]["low"] <= service["truth"]["value"] <= service["truth"]["high"] < 1.0
        assert service["estimators"]["conditional"]["given"] >= 8


def test_a_shift_of_known_share_is_judged_right():
    rng = np.random.default_rng(7)
    messages = np.full(400, 2000.0)
    counted = rng.poisson(0.2, 400).astype(np.float64)
    sums = np.stack([messages, np.full(400, 0.2), counted], axis=1)
    found = judge_service("x", sums, np.zeros((400, BINS), np.int64), [])
    assert found["truth"]["low"] < 1e-4 < found["truth"]["high"]
    # Poisson counts: a relative error of 1 takes 1 / U messages
    assert found["counting_packets"] == pytest.approx(1e4, rel=0.25)
    assert found["estimators"]["conditional"]["given"] == 20
    assert found["estimators"]["peaks_over_threshold"] == {"given": 0, "of": 20}


def test_coverage_counts_intervals_that_hold_the_truth():
    truth = {"value": 1.0, "low": 0.9, "high": 1.2}
    one = {"low": 0.5, "high": 2.0, "value": 1.1, "packets": 100}
    found = _coverage([one] * 5 + [one | {"low": 1.05}, one | {"value": None}], truth, 1000.0)
    assert (found["given"], found["of"], found["covered"], found["overlaps"]) == (6, 7, 5, 6)
    assert _coverage([one], truth, 1000.0)["times_fewer"] is None
    assert found["times_fewer"] == pytest.approx(1000.0 / 0.1**2 / 100)
