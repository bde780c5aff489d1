"""Blockage of radio links over recorded ways: bodies on the link block it, scores are what they are called."""

from __future__ import annotations

import numpy as np
import pytest

from factory.blockage_forecast import forecast_blockage
from factory.snapshot import Scene, person_blockers
from factory.validate.forecast_data import Track
from factory.validate.forecast_links import (
    BLOCKED_DB,
    HORIZONS_S,
    LinkReplay,
    channel_round,
    people_state,
    replay_links,
    summary,
    walkers_of,
)
from factory.validate.forecast_recovery import PAIRS, after_change, counted_from_s, interval
from factory.validate.forecast_rows import kept
from humans.forecast_numbers import fitted_numbers


def _ways(seconds: float = 8.0) -> list[Track]:
    t = np.arange(0, seconds + 0.05, 0.1)
    return [
        Track(t, np.stack([1.3 * t, 2.0 + 0.0 * t], axis=1), 1, 0),
        Track(t, np.stack([9.0 - 1.0 * t, 3.0 + 0.1 * t], axis=1), 2, 0),
        Track(t, np.full((len(t), 2), 5.0), 3, 0),
    ]


def test_walkers_face_their_way_and_step_as_they_go() -> None:
    walkers = walkers_of(_ways(), np.random.default_rng(1))
    slot = [int(np.flatnonzero(walkers.person[0] == p)[0]) for p in (1, 2, 3)]
    np.testing.assert_allclose(walkers.heading_rad[:, slot[0]], 0.0, atol=1e-9)
    np.testing.assert_allclose(np.cos(walkers.heading_rad[:, slot[1]]), np.cos(np.arctan2(0.1, -1.0)), atol=1e-6)
    np.testing.assert_allclose(walkers.speed_mps[5:-5, slot[0]], 1.3, atol=1e-6)
    walked = walkers.phase[-1] - walkers.phase[0]
    assert walked[slot[0]] == pytest.approx(1.3 * 8.0 / (2.0 * np.sqrt(60.0 * 0.0065 * 1.3)), rel=0.02)  # step = sqrt(60 W v)
    assert walked[slot[2]] == 0.0


def test_a_body_in_front_of_a_device_blocks_it() -> None:
    walkers = walkers_of(_ways(), np.random.default_rng(1))
    channel, ues, origin = channel_round(walkers.place_m, 3.0, np.random.default_rng(2))
    assert (channel.trp_position_m[:, 2] == 3.0).all()
    device, trp = ues.position_m[0, :2], channel.trp_position_m[0, :2]
    toward = (trp - device) / np.hypot(*(trp - device))
    one = np.ones(1, np.bool_)
    losses = []
    for place in (device + 0.6 * toward, device - 1.5 * toward):
        state = people_state(0, one, place[None], np.zeros(1), np.zeros(1), np.zeros(1), np.array([1.75]))
        found = forecast_blockage(channel, 0, [[Scene(1, person_blockers(state), ues)]])
        losses.append(found.loss_db[0, 0, 0, 0])
    assert losses[0] >= BLOCKED_DB
    assert abs(losses[1]) < 1.0
    assert (origin < walkers.place_m[np.isfinite(walkers.place_m[..., 0])].min(axis=0)).all()


def test_replayed_links_are_scored_the_same_again_and_beat_the_base_rate() -> None:
    first, again = (replay_links(_ways(), fitted_numbers(), seed=3, every_s=1.2, futures=20, trp_height_m=1.2) for _ in range(2))
    np.testing.assert_array_equal(first.probability, again.probability)
    assert first.probability.shape == first.blocked.shape == (len(first.block), len(HORIZONS_S))
    assert 0.0 < first.blocked[:, 0].mean() < 0.5
    assert ((first.rank >= 0.0) & (first.rank <= 1.0)).all()
    straight = replay_links(_ways(), fitted_numbers(), seed=3, every_s=1.2, futures=20, trp_height_m=1.2, constant_velocity=True)
    np.testing.assert_array_equal(straight.blocked, first.blocked)  # the truth does not depend on who forecasts
    for found in (first, straight):
        assert summary(found, np.random.default_rng(1))["brier_skill"][0] > 0.5


def test_summary_of_a_right_forecast() -> None:
    rng = np.random.default_rng(4)
    p = rng.random((6000, 5))
    replay = LinkReplay(
        p, (rng.random(p.shape) < p).astype(float), rng.random(p.shape), np.ones(p.shape), np.arange(6000) // 100.0
    )
    told = summary(replay, rng)
    assert told["blocks"] == 60
    assert max(told["calibration_error"]) < 0.03
    assert np.abs(np.array(told["open_cover90"]) - 0.9).max() < 0.02
    for value, (low, high) in zip(told["brier_skill"], told["brier_skill_interval"], strict=True):
        assert low < value < high
        assert value == pytest.approx(1.0 / 3.0, abs=0.04)  # 1 - E[p(1 - p)] / 0.25 for an even p


def test_changes_of_scene() -> None:
    rng = np.random.default_rng(5)
    hit = (rng.random(2000) < 0.9).astype(float)
    low, high = interval(hit, np.arange(2000) // 50.0, rng)
    assert low < hit.mean() < high
    assert high - low < 0.05
    assert all(first != second for first, second in PAIRS)
    assert counted_from_s("hermes_uni") == 20.0
    assert counted_from_s("dut_intersection") == 60.0
    found = after_change(_ways(), _ways(), fitted_numbers(), None)
    assert found.watched_s.min() >= 1.6
    assert found.inside.shape[1:] == (6, 2)


def test_what_is_kept_names_every_pair_and_link() -> None:
    assert [(p["first"], p["second"]) for p in kept()["recovery"]] == list(PAIRS)
    for height in ("3", "1.2"):
        for part in kept()["links"][height].values():
            assert part["forecast"]["base_rate"] == part["constant velocity"]["base_rate"]
