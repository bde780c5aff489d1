"""Recalibration on made-up residuals whose truth is known: a TRP gets weaker, something is put in the way, nothing happens."""

from __future__ import annotations

import math

import numpy as np
import pytest

from radio.recalibration.base import Finding, RecalibrationConfig, Residuals, mean_run_length, threshold_for
from radio.recalibration.places import cells_of_ray
from radio.recalibration.recalibrator import Recalibrator

TRPS = np.array([[2.0, 2.0, 4.0], [38.0, 2.0, 4.0], [20.0, 28.0, 4.0]])
SIZE = (40.0, 30.0)
LEARNING_S, DEVICES = 300, 10


def through(place: np.ndarray, trp: np.ndarray, at: tuple[float, float], radius_m: float) -> bool:
    """Whether a ray passes a place in plan view."""
    way = place[:2] - trp[:2]
    share = np.clip((np.array(at) - trp[:2]) @ way / (way @ way), 0, 1)
    return bool(np.hypot(*(trp[:2] + share * way - at)) < radius_m)


def run(
    seed: int, seconds: int, event_s: int = 10**9, trp: int = -1, at: tuple[float, float] | None = None, accept: bool = False
) -> list[Finding]:
    """Let ten devices go round; every sample has a place's own error, 2 dB of noise, and 3 % stand behind somebody unseen."""
    rng = np.random.default_rng(seed)
    recalibrator = Recalibrator(RecalibrationConfig(learning_s=LEARNING_S), TRPS, SIZE)
    wrong = rng.normal(0.0, 3.0, (len(TRPS), 40, 30))
    phase, lane = rng.random(DEVICES), 4.0 + 2.4 * np.arange(DEVICES)
    found: list[Finding] = []
    for second in range(seconds):
        x = 3 + 34 * np.abs(1 - 2 * ((phase + second / (40 + 3 * np.arange(DEVICES))) % 1))
        place = np.stack((x, lane, np.full(DEVICES, 1.0)), axis=1)
        residual = wrong[:, x.astype(int), lane.astype(int)].T + rng.normal(0.0, 2.0, (DEVICES, len(TRPS)))
        residual -= 18.0 * (rng.random(residual.shape) < 0.03)
        if second >= event_s:
            if trp >= 0:
                residual[:, trp] -= 6.0
            if at is not None:
                hit = [[through(p, t, at, 1.5) for t in TRPS] for p in place]
                residual -= 12.0 * np.array(hit)
        ue, t = np.repeat(np.arange(DEVICES), len(TRPS)), np.tile(np.arange(len(TRPS)), DEVICES)
        stamp = np.full(len(ue), second * 1_000_000)
        fresh = recalibrator.add(Residuals(stamp, ue, t, place[ue], residual.ravel(), np.zeros(len(ue))))
        if accept and fresh:
            recalibrator.accept_places()
        found += fresh
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_trp_that_loses_6_db_is_named_within_two_minutes(seed: int) -> None:
    found = run(seed, 560, 420, trp=1)
    assert [(f.kind, f.trp) for f in found] == [("trp", 1)]
    assert found[0].time_us <= 540e6
    assert found[0].change_db == pytest.approx(-6, abs=2)


@pytest.mark.parametrize("seed", [1, 2])
def test_something_in_the_way_is_named_with_its_place(seed: int) -> None:
    found = run(seed, 560, 420, at=(24.0, 16.0))
    assert found
    assert {f.kind for f in found} == {"place"}
    assert found[0].time_us <= 540e6
    assert math.dist(found[0].position_m, (24.0, 16.0)) < 3.0
    assert found[0].change_db < -5


def test_place_that_was_accepted_is_not_found_again() -> None:
    assert len(run(1, 1200, 420, at=(24.0, 16.0), accept=True)) == 1


def test_nothing_is_found_where_nothing_happens() -> None:
    assert run(3, 1500) == []


def one(second: float, value_db: float, trp: int = 0) -> Residuals:
    """Return samples of five devices at five places, all the same."""
    ue = np.arange(5)
    place = np.stack((3.0 + 5 * ue, np.full(5, 9.0), np.ones(5)), axis=1)
    return Residuals(np.full(5, int(second * 1e6)), ue, np.full(5, trp), place, np.full(5, value_db), np.zeros(5))


def test_drift_is_followed_no_faster_than_allowed_and_can_be_taken_back() -> None:
    config = RecalibrationConfig(learning_s=60)
    recalibrator = Recalibrator(config, TRPS, SIZE)
    for second in range(1800):
        recalibrator.add(one(second, min(2.0, max(0, second - 100) / 300)))
    offset = float(recalibrator.offset_db[0])
    assert 0.3 < offset <= config.largest_rate_db_per_h * 1800 / 3600
    assert {c.reason for c in recalibrator.audit} == {"drift"}
    recalibrator.revert(60_000_000)
    assert abs(recalibrator.offset_db[0]) < 0.1
    assert recalibrator.audit[-1].reason == "reverted"
    assert recalibrator.audit[-1].before_db == pytest.approx(offset, abs=0.1)


def test_fault_is_not_calibrated_away_until_somebody_accepts_it() -> None:
    recalibrator = Recalibrator(RecalibrationConfig(learning_s=60), TRPS, SIZE)
    found: list[Finding] = []
    for second in range(400):
        found += recalibrator.add(one(second, -8.0 if second > 200 else 0.0))
    assert [f.kind for f in found] == ["trp"]
    assert abs(recalibrator.offset_db[0]) < 0.5
    recalibrator.accept(0)
    assert recalibrator.offset_db[0] == pytest.approx(-8.0, abs=0.5)
    assert recalibrator.audit[-1].reason == "accepted"


def test_blocked_late_and_broken_samples_are_counted() -> None:
    recalibrator = Recalibrator(RecalibrationConfig(), TRPS, SIZE)
    sound = one(10.0, 1.0)
    recalibrator.add(Residuals(sound.time_us, sound.ue, sound.trp, sound.position_m, sound.residual_db, np.full(5, 9.0)))
    recalibrator.add(one(10.5, math.nan))
    recalibrator.add(one(20.0, 0.0, trp=7))
    recalibrator.add(one(5.0, 0.0))
    recalibrator.add(one(30.0, 0.0))
    assert recalibrator.counts == {"blocked": 5, "unknown": 10, "late": 5, "used": 0}


def test_run_length_is_siegmunds() -> None:
    # Page (1954) and many after: k = 0.5, h = 5 gives a one-sided run length of about 930
    assert mean_run_length(5.0, 0.5) == pytest.approx(930, rel=0.02)
    assert mean_run_length(threshold_for(1e6, 0.7), 0.7) == pytest.approx(1e6, rel=1e-6)


def test_ray_counts_only_where_it_is_low() -> None:
    cells = cells_of_ray(np.array([0.5, 0.5, 9.0]), np.array([8.5, 0.5, 1.0]), 5.0, (10, 10))
    assert sorted({int(c) // 10 for c in cells}) == [4, 5, 6, 7, 8]
