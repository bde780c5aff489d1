"""Searches for a beam pair on cases small enough to check by hand, and wide beams beside the codebook they are made of."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radio.config import RadioConfig, RemainderConfig, TrpConfig
from radio.figures.beam_search import SearchTiming, loss_db, narrow_beams, search_ranked, search_two_level, wide_fields
from radio.links import Channel
from radio.propagation.geometry import Hall
from radio.types import Ues


def steering(n: int, cosine: float) -> np.ndarray:
    """Phases of n elements half a wavelength apart towards a direction cosine, unit norm, around their middle."""
    return np.exp(1j * np.pi * (np.arange(n) - (n - 1) / 2) * cosine) / np.sqrt(n)


def fields(n: int, cosine: float) -> np.ndarray:
    """Field factors (1, n) of the n DFT beams towards a direction cosine."""
    towards = np.sqrt(n) * steering(n, cosine)
    return np.array([[np.vdot(steering(n, 2.0 * (k - n // 2) / n), towards).real for k in range(n)]])


@pytest.mark.parametrize("cosine", [-0.9, -0.4, 0.0, 0.13, 0.31, 0.77])
def test_a_wide_beam_is_what_its_weights_radiate(cosine):
    n = 8
    weights = [
        (steering(n, 2.0 * (2 * j - n // 2) / n) + steering(n, 2.0 * (2 * j + 1 - n // 2) / n)) / np.sqrt(2.0)
        for j in range(n // 2)
    ]
    assert [np.linalg.norm(w) for w in weights] == pytest.approx([1.0] * 4)  # the same total power
    radiated = [np.vdot(w, np.sqrt(n) * steering(n, cosine)).real for w in weights]
    np.testing.assert_allclose(wide_fields(fields(n, cosine))[0], radiated, atol=1e-12)


def test_a_wide_beam_loses_three_decibels_at_a_peak_and_one_midway():
    peak = wide_fields(fields(8, 0.0))[0, 2] ** 2  # beams 4 (cosine 0) and 5 (0.25)
    midway = wide_fields(fields(8, 0.125))[0, 2] ** 2
    assert 10 * np.log10(peak / 8) == pytest.approx(-3.01, abs=0.01)
    assert 10 * np.log10(midway / 8) == pytest.approx(-0.9, abs=0.05)


def test_narrow_beams_below_a_wide_one():
    assert narrow_beams(0, 8).tolist() == [0, 1, 8, 9]
    assert narrow_beams(5, 8).tolist() == [18, 19, 26, 27]  # second row, second column of the wide ones
    assert sorted(b for w in range(16) for b in narrow_beams(w, 8).tolist()) == list(range(64))


def test_two_levels_measure_few_and_can_be_led_astray():
    narrow, wide = np.ones((2, 16, 2)), np.ones((2, 4, 2))
    narrow[1, 6, 1], wide[1, 1, 1] = 9.0, 5.0  # beam 6 is below wide beam 1 of four columns
    assert search_two_level(wide, narrow, 4) == ((1 * 16 + 6) * 2 + 1, 16 + 4)
    narrow[0, 15, 0] = 20.0  # the best of all, but its wide beam does not show it
    assert search_two_level(wide, narrow, 4)[0] == (1 * 16 + 6) * 2 + 1
    wide[0, 3, 0] = 4.0
    assert search_two_level(wide, narrow, 4, kept=2) == (15 * 2, 16 + 8)


def test_a_ranked_list_is_measured_from_its_top():
    expected = np.array([1.0, 5.0, 4.0, 5.0, 0.0])  # order 1, 3, 2, 0, 4
    measured = np.array([9.0, 1.0, 6.0, 2.0, 50.0])
    assert search_ranked(measured, expected, np.array([1, 2, 3, 4, 5])).tolist() == [1, 3, 2, 0, 4]


@settings(deadline=None, derandomize=True, max_examples=50)
@given(seed=st.integers(0, 2**31), n=st.integers(2, 40))
def test_more_measurements_lose_no_more_and_all_of_them_lose_nothing(seed, n):
    rng = np.random.default_rng(seed)
    gain, expected = rng.exponential(1.0, n), rng.exponential(1.0, n)
    losses = loss_db(gain, search_ranked(gain, expected, np.arange(1, n + 1)))
    assert np.all(np.diff(losses) <= 1e-12)
    assert losses[-1] == 0.0
    assert loss_db(gain, search_ranked(gain, gain, np.array([1])))[0] == 0.0


def test_what_a_selection_takes():
    timing = SearchTiming(120_000, 20.0, 2)
    every = timing.exhaustive(64, 4)
    assert (every.pairs, every.symbols) == (512, 2048)
    assert every.latency_ms == pytest.approx(70 + 5 + 1)  # half a period, three whole ones, the burst, and what follows
    two = timing.two_level(64, 4)
    assert (two.pairs, two.symbols) == (128 + 4, 512 + 4)
    assert two.latency_ms == pytest.approx(every.latency_ms + 2.125)
    listed = timing.ranked(16)
    assert (listed.pairs, listed.symbols) == (16, 16)
    assert listed.latency_ms == pytest.approx(2.0 + 2 * 0.125)  # two slots of 0.125 ms


def test_the_channels_wide_sweep_is_made_of_its_narrow_one():
    """Over one path, without a remainder, fields of wide beams are sums of narrow ones'; powers tell but for their signs."""
    hall = Hall(np.array([30.0, 20.0, 8.0]), np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0), ())
    config = RadioConfig(
        trps=(TrpConfig(name="a", position_m=(1.0, 10.0, 6.0), downtilt_deg=20),), remainder=RemainderConfig(enabled=False),
        paths={"max_order": 0},
    )  # fmt: skip
    channel = Channel(config, hall)
    rng = np.random.default_rng(5)
    ues = Ues(np.column_stack([rng.uniform(5, 28, 30), rng.uniform(2, 18, 30), np.full(30, 1.2)]), np.zeros(30), np.full(30, -1))
    paths = channel.paths(ues)
    narrow = channel.sweep(paths, ues, None, 0).gain[:, 0].reshape(30, 8, 8, 4)
    wide = channel.wide_sweep(paths, ues, None, 0).gain[:, 0].reshape(30, 4, 4, 4)
    field = np.sqrt(narrow)
    most = (field[:, 0::2] + field[:, 1::2])[:, :, 0::2] + (field[:, 0::2] + field[:, 1::2])[:, :, 1::2]
    assert np.all(np.sqrt(wide) <= 0.5 * most * (1 + 1e-9) + 1e-15)
    best = narrow.reshape(30, -1).argmax(axis=1)
    row, column, _ = np.unravel_index(best, (8, 8, 4))
    above = wide.reshape(30, 16, 4).max(axis=2).argmax(axis=1)
    share = np.mean(above == row // 2 * 4 + column // 2)
    assert share > 0.8  # seldom is the best narrow beam below another wide one
