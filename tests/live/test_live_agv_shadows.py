"""Shadows of real AGVs: against matrices, on an arc, jumps, silence, rest, and the fleet that they are put into."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robots import shadow_kernels as kernel
from robots.shadows import AgvShadows, ShadowConfig, shadowed, update_reference
from robots.state import AgvState

CONFIG = ShadowConfig()


@settings(deadline=None, derandomize=True, max_examples=15)
@given(st.integers(0, 2**31), st.sampled_from([0.0, 1e-5, 0.3, -1.2]), st.floats(0.02, 1.5))
def test_the_kernels_are_the_matrices(seed, turn, dt_s):
    rng = np.random.default_rng(seed)
    state = np.array([*rng.normal(0, 5, 2), rng.uniform(-3, 3), rng.uniform(-0.5, 2), turn])
    root = rng.normal(0, 0.1, (5, 5))
    cov = root @ root.T + 1e-4 * np.eye(5)
    noise, variance = np.array([0.25, 0.3, 1e-4]), rng.uniform(1e-4, 1e-2, 5)
    out, out_cov = np.empty(5), np.empty((5, 5))
    kernel.predict(state, cov, dt_s, noise, out, out_cov)
    measured = out + rng.normal(0, 0.05, 5)
    want, want_cov = update_reference(state, cov, dt_s, measured, variance, noise)
    kernel.update(out, out_cov, measured, variance, np.inf)
    assert np.allclose(out, want, atol=1e-5)
    assert np.allclose(out_cov, want_cov, atol=1e-6)


def drive(shadows, i, until_s, rate_hz=5.0, radius_m=4.0, speed=1.2, rng=None, tell_speed=True, start_s=0.0):
    w = speed / radius_m
    rng = rng or np.random.default_rng(1)
    for k in range(round(start_s * rate_hz), round(until_s * rate_hz) + 1):
        at = k / rate_hz
        pose = radius_m * math.sin(w * at), radius_m * (1 - math.cos(w * at)), (w * at + math.pi) % (2 * math.pi) - math.pi
        noisy = tuple(np.array(pose) + rng.normal(0, 1, 3) * (0.03, 0.03, math.radians(1)))
        told = (speed, w) if tell_speed else (math.nan, math.nan)
        shadows.take(i, round(at * 1e6), noisy, *told, True)
    return lambda at: np.array([radius_m * math.sin(w * at), radius_m * (1 - math.cos(w * at))])


@pytest.mark.parametrize("tell_speed", [True, False])
def test_a_turning_agv_is_followed_and_foreseen(tell_speed):
    shadows = AgvShadows(2, CONFIG)
    truth = drive(shadows, 1, 20.0, tell_speed=tell_speed)
    now, ahead = shadows.estimate(20_000_000), shadows.estimate(20_500_000)
    assert now.known.tolist() == [False, True]
    assert math.hypot(*(now.position_m[1] - truth(20.0))) < 0.06
    assert math.hypot(*(ahead.position_m[1] - truth(20.5))) < 0.12
    assert now.speed_mps[1] == pytest.approx(1.2, abs=0.1)
    assert now.turn_radps[1] == pytest.approx(0.3, abs=0.1)
    assert shadows.skill[1] > 0.9
    assert math.isnan(shadows.skill[0])
    assert shadows.counts["gated"] == 0
    assert 0.5 < shadows.squared_innovation[1] < 4.5


def test_spread_grows_with_silence_and_hardly_for_who_stands():
    moving, standing = AgvShadows(1, CONFIG), AgvShadows(1, CONFIG)
    drive(moving, 0, 5.0)
    for k in range(26):
        standing.take(0, k * 200_000, (1.0, 2.0, 0.5), math.nan, math.nan, False)
    grown = [moving.estimate(5_000_000 + t).sigma_m[0] for t in (0, 500_000, 2_000_000)]
    assert grown[0] < 0.03 < grown[1] < 0.5 < grown[2]
    later = standing.estimate(30_000_000)
    assert later.sigma_m[0] < 1.0  # half a minute of silence: VDA 5050 has states every 30 s from who stands
    assert later.position_m[0].tolist() == pytest.approx([1.0, 2.0], abs=0.01)
    assert not standing.estimate(5_000_000 + 36_000_000).known[0]


def test_a_jump_is_not_followed_until_others_agree():
    shadows = AgvShadows(1, CONFIG)
    for k in range(10):
        shadows.take(0, k * 200_000, (1.0, 2.0, 0.0), 0.0, 0.0, False)
    assert not shadows.take(0, 2_000_000, (9.0, 2.0, 0.0), 0.0, 0.0, False)
    assert shadows.take(0, 2_200_000, (1.0, 2.0, 0.0), 0.0, 0.0, False)
    for k in range(3):
        followed = shadows.take(0, 2_400_000 + k * 200_000, (9.0, 2.0, 0.0), 0.0, 0.0, False)
        assert followed == (k == 2)
    assert shadows.estimate(2_900_000).position_m[0, 0] == pytest.approx(9.0)
    assert (shadows.counts["restarted"], shadows.counts["gated"]) == (1, 4)


def test_what_is_not_newer_changes_nothing():
    shadows = AgvShadows(1, CONFIG)
    assert shadows.take(0, 1_000_000, (1.0, 2.0, 0.0), 0.0, 0.0, False)
    assert not shadows.take(0, 1_000_000, (1.1, 2.0, 0.0), 0.0, 0.0, False)
    assert not shadows.take(0, 900_000, (1.1, 2.0, 0.0), 0.0, 0.0, False)
    assert shadows.counts["old"] == 2
    with pytest.raises(ValueError, match="must be finite"):
        shadows.take(0, 2_000_000, (math.nan, 2.0, 0.0), 0.0, 0.0, False)


def test_headings_wrap():
    shadows = AgvShadows(1, CONFIG)
    for k in range(10):
        heading = math.pi - 0.01 if k % 2 else -math.pi + 0.01
        assert shadows.take(0, k * 200_000, (1.0, 2.0, heading), 0.0, 0.0, False)
    assert abs(abs(shadows.estimate(2_000_000).heading_rad[0]) - math.pi) < 0.05


def test_the_fleet_takes_the_shadows_places_and_antennas_turn_along():
    n = 3
    heading = np.array([0.0, np.pi / 2, 0.0])
    position = np.array([[1.0, 1.0], [5.0, 5.0], [9.0, 9.0]])
    antenna = np.concatenate([position + 0.2 * np.stack([np.cos(heading), np.sin(heading)], 1), np.full((n, 1), 1.5)], axis=1)
    fleet = AgvState(
        0, position, heading, np.zeros(n), np.zeros((n, 2)), np.zeros(n, np.bool_), np.zeros(n), np.zeros(n, np.int64),
        np.ones(n), np.zeros(n, np.int64), np.full(n, -1), antenna, np.ones((n, 2)), np.ones(n), 0.4,
    )  # fmt: skip
    shadows = AgvShadows(2, CONFIG)
    row = np.array([2, 0])
    assert shadowed(fleet, row, shadows.estimate(0)) is fleet
    for k in range(5):
        shadows.take(0, k * 100_000, (4.0 + 0.1 * k, 3.0, 0.0), 1.0, 0.0, True)
    seen = shadowed(fleet, row, shadows.estimate(400_000))
    assert seen.position_m[2] == pytest.approx([4.4, 3.0], abs=0.02)
    assert seen.antenna_m[2] == pytest.approx([4.6, 3.0, 1.5], abs=0.02)
    assert seen.velocity_mps[2] == pytest.approx([1.0, 0.0], abs=0.02)
    assert seen.position_m[:2].tolist() == position[:2].tolist()
    assert fleet.position_m[2].tolist() == [9.0, 9.0]
