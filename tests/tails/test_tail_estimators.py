"""Estimators of unavailability where the truth is known in closed form, and their kernels beside SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_ndtr, ndtr
from scipy.stats import genpareto
from toy_processes import gaussian_margins

from radio.figures.tails import _tail_of, conditional, down_probability, estimators, peaks_over_threshold, share_interval
from radio.figures.tails_kernels import (
    BINS,
    CERTAIN,
    EDGES,
    LONGEST_WINDOW,
    RING,
    WIDEST,
    add_down,
    bin_of,
    inverse_log_q,
    log_q,
    margin_of,
    window_margin,
)
from radio.messages.reliability import block_error, markov_unavailability, required_sinr_db, service_down_probability

MEAN, SD, KEEP = 15.03, 3.0, 0.9
TRUTH = float(ndtr(-MEAN / np.hypot(1.0, SD)))


def test_logarithm_of_q_and_its_inverse_are_scipys():
    x = np.linspace(-5.0, 40.0, 500)
    assert np.array([log_q(v) for v in x]) == pytest.approx(log_ndtr(-x), rel=1e-7)
    assert np.array([inverse_log_q(v) for v in log_ndtr(-x)]) == pytest.approx(x, abs=1e-6)
    assert inverse_log_q(0.0) == CERTAIN
    assert inverse_log_q(-0.5 * 600.0**2) == pytest.approx(600.0, abs=0.02)


def test_margin_is_the_argument_of_the_block_error():
    for sinr_db in np.linspace(-20.0, 30.0, 26):
        margin = margin_of(float(sinr_db), 500.0, 300.0, 2.0)
        assert ndtr(-margin) == pytest.approx(float(block_error(sinr_db - 2.0, 500.0, 300.0)), rel=1e-9, abs=2e-9)
    half = float(required_sinr_db(500.0, 300.0, 0.5))
    assert margin_of(half, 500.0, 300.0, 0.0) == pytest.approx(0.0, abs=1e-6)
    assert margin_of(float("nan"), 500.0, 300.0, 0.0) == CERTAIN


def test_bins_hold_what_their_edges_say():
    for z in (-np.inf, -7.0, CERTAIN, -5.9, -0.1, 0.0, 0.2, 5.99, 6.01, 7.3, 100.0, 699.0, 1e9):
        b = bin_of(z)
        assert 0 <= b < BINS
        assert b == 0 or EDGES[b - 1] <= z + 1e-9
        assert b == BINS - 1 or z <= EDGES[b] + 1e-9


@pytest.mark.parametrize("m", [1, 2, 3, 7])
def test_window_margin_gives_the_products_of_the_survival_time_rule(m):
    rng = np.random.default_rng(m)
    margins = np.repeat(rng.normal(1.0, 2.0, 60), 3)
    ring, state = np.zeros(LONGEST_WINDOW), np.zeros(RING)
    window = np.array([window_margin(float(x), m, ring, state) for x in margins])
    down = service_down_probability(ndtr(-margins), m)[0]
    assert (window[: m - 1] == WIDEST).all()
    assert down_probability(window[m - 1 :], m) == pytest.approx(down[m - 1 :], rel=1e-6)


def test_down_probabilities_of_ticks_are_those_of_the_rule():
    rng = np.random.default_rng(4)
    loss = rng.random((2, 40))
    ints, floats = np.zeros((10, 80), np.int64), np.zeros((3, 80))
    ints[0], floats[0] = np.tile([0, 1], 40), loss.T.ravel()
    history, seen, sums = np.zeros((2, 4)), np.zeros(2, np.int64), np.zeros(3)
    for first in range(0, 80, 16):
        part = slice(first, first + 16)
        wanted, survival = np.array([0, 1]), np.array([1, 3])
        add_down(ints[:, part].copy(), floats[:, part].copy(), 16, wanted, survival, history, seen, sums)
    down, entry = service_down_probability(loss[1], 3)
    assert sums == pytest.approx([40.0, down.sum(), entry.sum()])


def test_tails_are_scipys_generalised_pareto():
    depth = np.linspace(0.0, 30.0, 40)
    for shape in (-0.8, -0.1, 0.0, 0.3):
        got = _tail_of(depth[None, :], np.array([[4.0]]), np.array([[shape]]))[0]
        assert got == pytest.approx(genpareto.sf(depth, shape, scale=4.0), abs=1e-7)


def test_interval_of_a_share_covers_where_few_units_carry_it():
    rng = np.random.default_rng(9)
    for rate, least in ((0.03, 0.92), (0.5, 0.92)):
        covered = 0
        for _ in range(300):
            weight = np.where(rng.random(100) < rate, rng.exponential(10.0, 100), 0.0)
            _, low, high = share_interval(weight, np.full(100, 1000.0), unmet=20.0)
            covered += low <= rate * 10.0 / 1000.0 <= high
        assert covered / 300 >= least, rate


def test_units_that_hang_together_widen_the_interval():
    rng = np.random.default_rng(3)
    alone = rng.gamma(1.0, 1.0, 400)
    runs = np.repeat(rng.gamma(1.0, 1.0, 100), 4)
    messages = np.full(400, 100.0)
    width = [share_interval(w, messages)[2] - share_interval(w, messages)[1] for w in (alone, runs)]
    assert width[1] > 1.4 * width[0]


def test_nothing_met_is_bounded_by_an_episode_that_was_not():
    value, low, high = share_interval(np.zeros(50), np.full(50, 1000.0), unmet=20.0)
    assert value == low == 0.0
    # -ln 0.025 unmet episodes of 20 messages, two-sided 95 %
    assert high == pytest.approx(3.689 * 20 / 50_000, rel=1e-3)
    tiny = share_interval(np.full(50, 1e-200), np.full(50, 1000.0), unmet=20.0)
    assert tiny[0] == pytest.approx(1e-203)
    assert tiny[2] == pytest.approx(high, rel=1e-3)


def test_conditional_expectation_covers_a_markov_channel():
    bad, again, m, n = 0.02, 0.5, 3, 100_000
    truth = markov_unavailability(bad, again, m)
    covered = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        spells = np.stack((rng.geometric(bad * (1 - again) / (1 - bad), n), rng.geometric(1 - again, n)), axis=1).ravel()
        state = np.repeat(np.arange(2 * n) % 2, spells)[:n].astype(np.float64)
        down = service_down_probability(state, m)[0].reshape(100, -1).sum(axis=1)
        found = conditional(down, np.full(100, n / 100.0), 0.01)
        assert found["packets"] == n
        covered += found["low"] <= truth <= found["high"]
    assert covered >= 17


def test_peaks_over_threshold_reach_beyond_what_was_met():
    """1e5 messages, truth 1e-6: the tail's own interval covers, and does not cover everything."""
    assert pytest.approx(1.0e-6, rel=0.01) == TRUTH
    covered, widths, met = 0, [], 0
    for seed in range(20):
        margins, counts = gaussian_margins(MEAN, SD, KEEP, 100, 1000, seed)
        found = peaks_over_threshold(counts, 1, seed)
        covered += found["low"] <= TRUTH <= found["high"]
        widths.append(found["high"])
        met += (margins < 0.0).any()
    assert covered >= 17
    assert met < 10
    assert np.median(widths) < 1e-3


def test_estimates_that_cannot_be_given_say_why():
    one = np.ones(3)
    none = np.zeros((3, BINS), np.int64)
    assert "video" in peaks_over_threshold(none, 1, 0)["reason"]
    quiet = none.copy()
    quiet[:, BINS - 1] = 1000
    assert "run longer" in peaks_over_threshold(quiet, 1, 0)["reason"]
    told = estimators(one, 1000 * one, None, 0.01, 1, True, 0)
    assert set(told) == {"conditional", "peaks_over_threshold", "splitting"}
    assert "frames" in told["peaks_over_threshold"]["reason"]
    assert "40 messages" in estimators(one, 1000 * one, quiet, 0.01, 40, False, 0)["peaks_over_threshold"]["reason"]
    assert told["splitting"]["value"] is None
    assert "factory-twin tails" in told["splitting"]["reason"]
    assert conditional(np.zeros(0), np.zeros(0), 0.01)["value"] is None
