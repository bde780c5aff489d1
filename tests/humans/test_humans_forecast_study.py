"""Fitting and scoring of the forecast: trees find what is there, scores are what they are called, and recorded people agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from factory.validate.forecast_boost import fit
from factory.validate.forecast_data import TEST_PERSONS, Track, read_scene, recorded_folder, turned, windows
from factory.validate.forecast_figures import write_forecast
from factory.validate.forecast_fit import of, what_they_did
from factory.validate.forecast_rows import SCENE_NAMES, forecast_rows, kept
from factory.validate.forecast_score import brier_skill, calibration_error, crosses, frames_of, random_links, replay
from factory.validate.forecast_study import constant_velocity
from humans.forecast_numbers import GO_ON, SET_OFF, STOP, TURN_LEFT, TURN_RIGHT, fitted_numbers


def _recordings() -> Path:
    folder = recorded_folder()
    if folder is None:
        pytest.skip("no recorded people at hand; set FACTORY_TWIN_SHARED to the folder that holds people/")
    return folder


def test_trees_find_a_step_that_a_line_would_blur() -> None:
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, (4000, 3))
    y = np.where(x[:, :1] > 0.2, 1.0, 0.0) * np.array([[1.0, -0.5]])
    noisy = y + np.where(rng.random((4000, 1)) < 0.1, rng.normal(0, 5, (4000, 2)), 0.0)
    trees = fit(x, noisy, np.ones(4000), rng, loss="distance", trees=30, rate=0.3, rows=2000)
    off = np.abs(of(trees, x) - y)
    assert np.median(off) < 0.05  # outliers do not draw a median
    classes = np.eye(2)[(x[:, 1] > 0.0).astype(int)]
    odds = of(fit(x, classes, np.ones(4000), rng, loss="classes", trees=20, rate=0.3, rows=2000), x)
    assert (odds.argmax(axis=1) == classes.argmax(axis=1)).mean() > 0.97
    size = fit(x, np.log(0.1 + (x[:, 2:] > 0)), np.ones(4000), rng, loss="absolute", trees=40, rate=0.4, rows=2000)
    assert np.corrcoef(of(size, x)[:, 0], x[:, 2] > 0)[0, 1] > 0.95


def test_what_people_did_is_named() -> None:
    knots = np.array([0.2, 0.4, 0.8, 1.2, 1.6, 2.0])
    straight = np.stack([knots, 0 * knots], axis=1)
    halted = np.minimum(straight, 0.5)
    left = np.where(knots[:, None] > 0.8, np.stack([0 * knots + 0.8, knots - 0.8], axis=1), straight)
    ways = np.stack([straight, halted, left, left * [1, -1], 2 * straight, 0 * straight, straight])
    speed = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0])
    assert what_they_did(ways, speed).tolist() == [GO_ON, STOP, TURN_LEFT, TURN_RIGHT, SET_OFF, STOP, SET_OFF]


def test_windows_hold_the_truth_in_the_body_frame() -> None:
    t = np.arange(0, 6, 0.1)
    way = np.stack([3.0 + 0 * t, 1.5 * t], axis=1)
    cut = windows([Track(t, way, 7, 0)], every_s=0.4, rng=np.random.default_rng(1))
    np.testing.assert_allclose(
        cut.ahead_m[:, :, 0], np.tile(1.5 * np.array([0.2, 0.4, 0.8, 1.2, 1.6, 2.0]), (len(cut.person), 1))
    )
    np.testing.assert_allclose(cut.ahead_m[:, :, 1], 0.0, atol=1e-9)
    np.testing.assert_allclose(cut.constant_velocity_m, cut.ahead_m, atol=1e-9)
    frame = np.array([[0.0, 1.0, 1.0, 0.0, 0.0]])
    np.testing.assert_allclose(turned(np.array([[[2.0, 3.0]]]), frame)[0, 0], [3.0, -2.0])


def test_scores_are_what_they_are_called() -> None:
    rng = np.random.default_rng(2)
    chance = rng.random((20_000, 1))
    met = (rng.random((20_000, 1)) < chance).astype(float)
    assert calibration_error(chance, met)[0] < 0.02
    assert calibration_error(np.clip(chance + 0.2, 0, 1), met)[0] > 0.1
    assert brier_skill(met, met)[0] == 1.0
    assert brier_skill(np.full_like(met, met.mean()), met)[0] == pytest.approx(0.0)
    a, b = np.array([0.0, 0.0]), np.array([10.0, 0.0])
    assert crosses(np.array([5.0, 0.29]), a, b, 0.3)
    assert not crosses(np.array([5.0, 0.31]), a, b, 0.3)
    assert not crosses(np.array([10.4, 0.0]), a, b, 0.3)


def test_frames_reuse_a_slot_only_when_it_is_long_free() -> None:
    ways = [Track(np.arange(s, s + 3, 0.5), np.full((6, 2), float(s)), s, 0) for s in (0, 1, 5, 20)]
    times, place, slot = frames_of(ways)
    assert slot.tolist() == [0, 1, 2, 0]
    assert np.isfinite(place[..., 0]).sum() == 24
    assert len(times) == len(np.unique(np.concatenate([w.t_s for w in ways])))
    spread = np.random.default_rng(1).uniform(0, 20, (50, 3, 2))
    ends = random_links(spread, np.random.default_rng(1))
    assert (np.hypot(*(ends[:, 1] - ends[:, 0]).T) >= 4.0).all()


def test_the_page_tells_every_bound(tmp_path: Path) -> None:
    rows = list(forecast_rows())
    assert all(row.ok for row in rows)
    assert {"citr_veh_lat_uni", "thor_a", "dut_intersection", "hermes_uni"} == set(SCENE_NAMES) == set(kept()["clean"])
    errors = [row for row in rows if row.table == "Forecast: final displacement error"]
    assert len(errors) == 20
    missed = [row for row in rows if row.missed]
    assert missed
    assert all(row.cells()[-1] == "missed" for row in missed)
    write_forecast(tmp_path)
    first = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    write_forecast(tmp_path)
    assert first == {p.name: p.read_bytes() for p in tmp_path.iterdir()}


@pytest.mark.recorded
def test_constant_velocity_is_as_published() -> None:
    found = constant_velocity(_recordings())
    np.testing.assert_allclose(found["worker"], [0.027, 0.071, 0.126, 0.268], atol=0.001)
    np.testing.assert_allclose(found["visitor"], [0.028, 0.072, 0.127, 0.283], rtol=0.08)
    np.testing.assert_allclose(found["worker"], kept()["published"]["worker"], atol=1e-4)


@pytest.mark.recorded
def test_a_scene_held_out_is_forecast_better_than_by_constant_velocity() -> None:
    result = replay(read_scene(_recordings(), "citr_veh_lat_uni"), fitted_numbers(), seed=1, blockage=False)
    ours, constant = result.error_m.mean(axis=0), result.constant_m.mean(axis=0)
    assert (ours < constant).all()
    assert ours[-1] < 0.9 * constant[-1]
    np.testing.assert_allclose(ours, kept()["clean"]["citr_veh_lat_uni"]["fde_m"], rtol=0.02)
    late = result.inside[result.watched_s >= 60.0].mean(axis=0)
    assert (np.abs(late[:, 1] - 0.905) <= 0.035).all()


@pytest.mark.recorded
def test_joined_tracks_hold_every_window_once() -> None:
    tracks = read_scene(_recordings(), "thor_a")
    assert sum(len(t.t_s) for t in tracks) == 32_100
    assert len(tracks) == 66
    assert {t.person for t in tracks} >= set(TEST_PERSONS)
    assert max(np.hypot(*np.diff(t.xy_m, axis=0).T).max() for t in tracks) < 1.5
