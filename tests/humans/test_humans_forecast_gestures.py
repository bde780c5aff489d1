"""Gestures in drawn futures: rates by task, calibration against the simulation, and poses."""

from __future__ import annotations

import numpy as np
import pytest
from humans_hall import assembly_hall, assembly_people, run
from humans_shifts import shift_hall, shift_people

from factory.validate.motion_gestures import reliability
from humans.animation import Animation
from humans.crowd import Crowd
from humans.forecast import Forecaster, bodies_of_samples
from humans.forecast_gestures import GestureWatch, draw_gestures, with_gestures
from humans.forecast_types import ForecastConfig
from humans.gestures import GESTURE_KNEEL, GESTURE_REACH, GESTURE_WAVE, NO_GESTURE, GestureRates, gesture_timing
from humans.shift_crowd import ShiftCrowd
from humans.types import REACH, WALK, WORK

_HORIZON_US = np.array([250_000, 1_000_000], dtype=np.int64)


def test_rates_are_those_of_the_role_and_the_place():
    crowd = Crowd(assembly_people(panels=1), assembly_hall(), np.random.default_rng(3))
    run(crowd, 60.0)
    people, rates = crowd.state(), crowd.gesture_rates()
    roles = assembly_people().roles
    reaches = np.array([roles[r].reach_per_min for r in people.role]) / 60
    standing = people.activity == WORK
    standing[people.panel_holder] = False
    assert standing.any()
    assert (people.activity == WALK).any()
    assert np.allclose(rates.per_s[standing, 1], reaches[standing])
    assert (rates.per_s[people.activity == WALK, 1:] == 0).all()
    assert (rates.per_s[people.panel_holder, 1:] == 0).all()
    assert np.allclose(rates.per_s[:, 0], np.array([roles[r].wave_per_min for r in people.role]) / 60)


def test_a_task_has_its_own_rates():
    task = {"name": "assemble", "station_kinds": ["cell"], "duration_mean_s": 600, "reach_per_min": 12, "kneel_per_min": 3,
            "wave_per_min": 2, "carries": True}  # fmt: skip
    config = shift_people({"tasks": [task]}, {"tasks": ["assemble"], "breaks": []}, panels=0)
    crowd = ShiftCrowd(config, shift_hall(), np.random.default_rng(0), None)
    run(crowd, 240.0)
    people, rates = crowd.state(), crowd.gesture_rates()
    at_work = np.flatnonzero((people.activity == WORK) | (people.activity == REACH))
    at_work = np.setdiff1d(at_work, people.load_holder)
    assert len(at_work)
    assert np.allclose(rates.per_s[at_work], np.array([2, 12, 3]) / 60)
    assert np.allclose(rates.lift_per_s[at_work], 1 / 600)
    assert (rates.per_s[~people.present] == 0).all()


def test_a_gesture_begins_as_often_as_its_rate_says():
    crowd = Crowd(assembly_people(count=3, panels=0), assembly_hall(), np.random.default_rng(0))
    people = crowd.state()
    assert (people.activity == WALK).all()
    rates = GestureRates(np.array([[0.3, 0.0, 0.0], [0.0, 0.2, 0.1], [0.0, 0.0, 0.0]]), np.zeros(3))
    watch = GestureWatch(3)
    drawn = draw_gestures(people, watch.since_us, rates, _HORIZON_US, 40_000, np.random.default_rng(1))
    share = (drawn.kind != NO_GESTURE).mean(axis=0)
    assert share == pytest.approx(np.array([[1 - np.exp(-0.3 * h) for h in (0.25, 1.0)]] * 2 + [[0, 0]]), abs=0.006)
    assert set(np.unique(drawn.kind[:, 0])) == {NO_GESTURE, GESTURE_WAVE}
    kinds = drawn.kind[:, 1][drawn.kind[:, 1] != NO_GESTURE]
    assert (kinds == GESTURE_KNEEL).mean() == pytest.approx(1 / 3, abs=0.02)
    assert (drawn.age_s >= 0).all()
    assert (drawn.age_s[..., 1] <= 1.0).all()
    with pytest.raises(ValueError, match="do not fit 3 people"):
        draw_gestures(people, watch.since_us, GestureRates.nothing_known(2), _HORIZON_US, 1, np.random.default_rng(1))


def test_forecast_gestures_come_as_often_as_forecast():
    for seen in reliability(5, 8.0, (0.5, 1.0)):
        assert len(seen.came) > 3000
        assert seen.calibration_error() < 0.03
        assert seen.skill(float(seen.came.mean())) > 0.5
        assert seen.skill(seen.now) > 0.1
        table = seen.table()
        assert [n for n, _, _ in table]
        assert sum(n for n, _, _ in table) == len(seen.came)


def test_courses_are_those_that_people_take():
    rng = np.random.default_rng(4)
    for kind in (GESTURE_WAVE, GESTURE_REACH, GESTURE_KNEEL):
        for seed in range(20):
            body = Animation.create(np.array([1.7]), np.zeros(1), np.zeros(0, np.int64), True)
            body.begin(0, kind, 0, np.random.default_rng(seed))
            draw = np.random.default_rng(seed).random(5)[:4]
            assert np.allclose(gesture_timing(np.array(kind), draw), body.timing[0])
    assert gesture_timing(np.zeros((2, 3), np.int64), rng.random((2, 3, 4))).shape == (2, 3, 4)


def test_a_drawn_reach_puts_the_hand_out_and_an_ended_one_takes_it_back():
    crowd = Crowd(assembly_people(panels=0), assembly_hall(), np.random.default_rng(3))
    watch = GestureWatch(crowd.n)
    forecaster = Forecaster(crowd.n, ForecastConfig(), None, np.random.default_rng(0))
    now = 0
    for _ in range(600):
        now = run(crowd, 0.1, from_us=now)
        people = crowd.state()
        watch.observe(people)
        forecaster.observe(now, people.position_m, people.present)
        if now > 30_000_000 and (people.activity == REACH).any() and (people.activity == WORK).any():
            break
    samples = forecaster.samples(people, _HORIZON_US, 200)
    still = np.flatnonzero(people.activity == WORK)
    rates = GestureRates(np.zeros((crowd.n, 3)), np.zeros(crowd.n))
    rates.per_s[still, 1] = 50.0
    drawn = draw_gestures(people, watch.since_us, rates, _HORIZON_US, 200, np.random.default_rng(0))
    reached, ended = 0, 0
    for s in range(200):
        plain = bodies_of_samples(people, samples, s, 1)
        posed = with_gestures(plain, people, samples, drawn, s, 1)
        stays = samples.speed_mps[s, :, 1] < 0.3
        out = np.linalg.norm(posed.capsule_b[:, 6:8, :2] - posed.position_m[:, None], axis=2).max(axis=1)
        before = np.linalg.norm(plain.capsule_b[:, 6:8, :2] - plain.position_m[:, None], axis=2).max(axis=1)
        reached += int((out[still] > before[still] + 0.03)[stays[still]].sum())
        ends = (people.activity == REACH) & stays & (drawn.kind[s, :, 1] == NO_GESTURE)
        ended += int(ends.sum())
        same = ~np.isin(np.arange(crowd.n), still) & (people.activity != REACH)
        assert np.array_equal(posed.capsule_a[same], plain.capsule_a[same])
        limb = np.linalg.norm(posed.capsule_b - posed.capsule_a, axis=2) - np.linalg.norm(
            people.capsule_b - people.capsule_a, axis=2
        )
        assert np.abs(limb).max() < 1e-9
    assert reached > 100
    none = draw_gestures(people, watch.since_us, GestureRates.nothing_known(crowd.n), _HORIZON_US, 5, np.random.default_rng(0))
    assert ended >= 0
    assert set(np.unique(none.kind)) <= {NO_GESTURE, GESTURE_REACH, GESTURE_WAVE}
