"""Drawn futures of bodies become probabilities that links are blocked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from factory.blockage_forecast import BlockageForecast, forecast_blockage
from factory.scenario import load_scenario
from factory.twin import Twin

AHEAD_US = (100_000, 500_000)


@pytest.fixture(scope="module")
def twin():
    twin = Twin(load_scenario("hand-wave"))
    twin.tick()
    yield twin
    twin.close()


def _moved(people, shift_m):
    shift = np.array([*shift_m, 0.0])
    return replace(
        people,
        position_m=people.position_m + shift[:2],
        capsule_a=people.capsule_a + shift,
        capsule_b=people.capsule_b + shift,
    )


def _futures(twin, shifts):
    return [[twin.scene(twin.time_us + ahead, _moved(twin.people, shift), twin.agvs) for ahead in AHEAD_US] for shift in shifts]


def _onto_the_link(twin, trp=0, ue=0):
    """Shift that puts the first person onto the middle of a link."""
    scene = twin.scene(0, twin.people, twin.agvs)
    middle = 0.85 * scene.ues.position_m[ue, :2] + 0.15 * twin.channel.trp_position_m[trp, :2]
    return middle - twin.people.position_m[0]


def test_a_body_on_the_link_in_every_future_blocks_it_and_one_far_away_does_not(twin):
    away, on = (0.0, 1e3), _onto_the_link(twin)
    certain = forecast_blockage(twin.channel, twin.time_us, _futures(twin, [on] * 9))
    never = forecast_blockage(twin.channel, twin.time_us, _futures(twin, [away] * 9))
    assert certain.horizon_us.tolist() == list(AHEAD_US)
    assert certain.loss_db.shape[:2] == (9, 2)
    assert certain.probability()[:, 0, 0] == pytest.approx(9.5 / 10)
    assert never.probability()[:, 0, 0] == pytest.approx(0.5 / 10)
    assert np.abs(never.loss_db).max() < 0.1  # the arm is still there
    assert (certain.quantile_db(0.5)[:, 0, 0] > 10.0).all()


def test_what_is_lost_agrees_with_the_channel_itself(twin):
    future = _futures(twin, [_onto_the_link(twin)])
    forecast = forecast_blockage(twin.channel, twin.time_us, future, beams=True)
    scene, channel = future[0][0], twin.channel
    paths = channel.paths(scene.ues, remember=False)
    clear = channel.sweep(paths, scene.ues, None, scene.time_us).gain
    now = channel.sweep(paths, scene.ues, channel.blockage(paths, scene.blockers, scene.ues).loss_db, scene.time_us).gain
    beam, sector = np.unravel_index(clear[0, 0].argmax(), clear[0, 0].shape)
    loss_db = 10 * np.log10(clear[0, 0, beam, sector] / now[0, 0, beam, sector])
    assert forecast.loss_db[0, 0, 0, 0] == pytest.approx(loss_db, abs=1e-9)
    assert forecast.beam_loss_db[0, 0, 0, 0, beam] == pytest.approx(loss_db, abs=1e-9)
    assert forecast.beam_probability().shape == forecast.beam_loss_db.shape[1:]


def test_futures_that_are_blocked_together_are_counted_together():
    # Two TRPs: each blocked in half of the futures, together in all of these halves, or in none.
    blocked = np.zeros((8, 1, 1, 3))
    blocked[:4, 0, 0, 0] = blocked[:4, 0, 0, 1] = blocked[4:, 0, 0, 2] = 20.0
    forecast = BlockageForecast(0, np.array([100_000]), blocked, None)
    assert forecast.probability()[0, 0] == pytest.approx([0.5, 0.5, 0.5])
    assert forecast.joint_probability(0, (0, 1)) == pytest.approx([4.5 / 9])
    assert forecast.joint_probability(0, (0, 2)) == pytest.approx([0.5 / 9])
    assert forecast.quantile_db(1.0)[0, 0] == pytest.approx([20.0] * 3)


def test_a_link_without_a_path_has_no_probability_and_wrong_questions_are_answered_in_words(twin):
    forecast = BlockageForecast(0, np.array([1]), np.full((2, 1, 1, 1), np.nan), None)
    assert np.isnan(forecast.probability()).all()
    assert np.isnan(forecast.joint_probability(0, (0,))).all()
    with pytest.raises(ValueError, match="beams=True"):
        forecast.beam_probability()
    with pytest.raises(ValueError, match="no quantile"):
        forecast.quantile_db(90)
    with pytest.raises(ValueError, match="no futures"):
        forecast_blockage(twin.channel, 0, [])
    one, other = _futures(twin, [(0.0, 0.0)])[0], _futures(twin, [(0.0, 0.0)])[0][:1]
    with pytest.raises(ValueError, match="different instants"):
        forecast_blockage(twin.channel, 0, [one, other])


def test_a_glance_ahead_leaves_the_present_alone(twin):
    scene = twin.scene(twin.time_us, twin.people, twin.agvs)
    paths = twin.channel.paths(scene.ues)
    before = twin.channel.blockage(paths, scene.blockers, scene.ues)
    forecast_blockage(twin.channel, twin.time_us, _futures(twin, [_onto_the_link(twin)]))
    none_needed = np.zeros(len(scene.ues.position_m) * twin.channel.n_trp, np.bool_)
    again = twin.channel.blockage(twin.channel.paths(scene.ues, none_needed), scene.blockers, scene.ues, none_needed)
    assert np.array_equal(before.field, again.field)
