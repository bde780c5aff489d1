"""The planner's kernels beside plain references, the choice within the resources, and its distance from the optimum."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radio.policies import choice, planner_kernels
from radio.policies.kernels import BEAM, ROWS, SECTOR, TRP
from radio.policies.milp import choose_exactly
from radio.policies.planner_kernels import BINS, LOW_DB, STEP_DB
from radio.policies.planner_options import expect


def problem(seed, n_ue=None, tight=True):
    """Options of a few devices over a few TRPs: one or two legs at four rungs, and to send nothing."""
    rng = np.random.default_rng(seed)
    n_ue, n_trp = n_ue or int(rng.integers(3, 9)), int(rng.integers(2, 5))
    n_option = 2 * n_trp + 1
    cost, risk = np.zeros((n_ue, n_option, 2 * n_trp)), np.ones((n_ue, n_option))
    for u in range(n_ue):
        home, d, base, depth = (
            rng.integers(n_trp),
            rng.integers(2),
            rng.choice([200.0, 250.0, 500.0]),
            rng.uniform(-6, -1.5, n_trp),
        )
        for o in range(n_option - 1):
            other, rung = o // 2, int(rng.integers(4))
            for t in {home, other}:
                cost[u, o, d * n_trp + t] += base * 2.0**rung
                risk[u, o] *= 10 ** (depth[t] * (1 + 0.3 * rung))
    value = choice.worth(
        cost, np.maximum(risk, 1e-12), np.full(n_ue, 1e-5), rng.uniform(500, 4000, n_ue), np.ones(risk.shape, bool)
    )
    wanted = cost[np.arange(n_ue), value.argmin(axis=1)].sum(axis=0)
    limit = np.maximum(wanted * rng.uniform(0.3, 0.9, wanted.size) if tight else wanted * 1.01, 100.0)
    return cost, value, limit


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.integers(0, 10**6), st.booleans())
def test_resources_are_never_overspent(seed, tight):
    cost, value, limit = problem(seed, tight=tight)
    chosen = choice.choose(cost, value, limit)
    rows = np.arange(len(chosen))
    assert np.all(cost[rows, chosen].sum(axis=0) <= limit * (1 + 1e-6))
    if not tight:
        np.testing.assert_array_equal(value[rows, chosen], value.min(axis=1))


def test_the_choice_is_near_the_best_of_all_and_the_programme_is_the_best():
    gaps = []
    for seed in range(20):
        cost, value, limit = problem(seed, n_ue=4)
        rows = np.arange(4)
        totals = [value[rows, way(cost, value, limit)].sum() for way in (choice.choose, choose_exactly, choice.choose_plain)]
        assert totals[1] == pytest.approx(totals[2], rel=1e-6)
        gaps.append(totals[0] / totals[2] - 1.0)
    assert min(gaps) > -1e-6
    assert np.median(gaps) <= 0.05


def test_where_nothing_fits_the_programme_says_so():
    with pytest.raises(ValueError, match="no choice within the limits"):
        choose_exactly(np.ones((1, 1, 1)), np.ones((1, 1)), np.array([0.5]))


@pytest.mark.parametrize("d", [0, 1])
def test_interference_is_that_of_the_loads_and_the_report(d):
    rng = np.random.default_rng(d)
    n_ue, n_trp, n_beam, n_sector = 6, 3, 4, 2
    gain = 10.0 ** rng.uniform(-12, -8, (n_ue, n_trp, n_beam, n_sector))
    budget = np.array([rng.uniform(90, 100, n_trp), np.full(n_trp, -4.0), np.zeros(n_trp)])
    legs = np.zeros((ROWS, n_ue), np.int64)
    legs[TRP], legs[BEAM], legs[SECTOR] = rng.integers(n_trp, size=n_ue), rng.integers(4, size=n_ue), rng.integers(2, size=n_ue)
    load, carrier = rng.uniform(0.1, 1, (2, n_trp)), np.array([0, 0, 1])
    served = planner_kernels.served_by(legs, n_trp)
    np.testing.assert_array_equal(served, np.bincount(legs[TRP], minlength=n_trp))
    for u, t in itertools.product(range(n_ue), range(n_trp)):
        total = 0.0
        for v in range(n_ue):
            o = legs[TRP, v]
            if o == t or carrier[o] != carrier[t]:
                continue
            if d == 0:
                total += load[0, o] / served[o] * gain[u, o, legs[BEAM, v], 1] * 10 ** (budget[0, o] / 10)
            elif v != u:
                total += load[1, o] / served[o] * gain[v, t, 2, legs[SECTOR, v]] * 10 ** ((budget[0, t] - 4.0) / 10)
        got = planner_kernels.heard_db(u, t, 2, 1, d, legs, served, load, gain, budget, carrier)
        assert got == pytest.approx(10 * np.log10(total) if total > 0 else -200.0)
        coarse = np.vstack((budget[:2], np.ones(n_trp)))  # a network learns it in whole decibels
        assert planner_kernels.heard_db(u, t, 2, 1, d, legs, served, load, gain, coarse, carrier) == np.rint(got)


def test_the_residuals_distribution_is_the_empirical_one_with_an_exponential_tail():
    rng = np.random.default_rng(3)
    samples = np.concatenate((rng.normal(0, 1.0, 20_000), -rng.exponential(5.0, 2_000)))
    counts = np.zeros((1, 2, BINS))
    measured = np.full((2, 1, 2), np.nan)
    joint = np.zeros((1, 2))
    for x in samples:
        measured[0, 0] = x
        planner_kernels.learn(measured, np.zeros((2, 1, 2)), 1.0, counts, joint, 6.0)
    assert counts[0].sum() == 2 * len(samples)
    assert joint.sum() == 0.0  # one leg alone says nothing of two
    out = np.empty((1, 2, BINS))
    planner_kernels.residual_shares(counts, np.zeros(1, np.int64), np.full(BINS, 1e-3), out)
    for x in (-4.0, -2.0, 0.0, 1.0):
        assert planner_kernels.share_below(out[0, 0], x) == pytest.approx((samples < x).mean(), rel=0.05)
    # beyond what was seen: a tenth every 5 ln 10 dB, which the excesses have
    ratio = planner_kernels.share_below(out[0, 1], -20.0) / planner_kernels.share_below(out[0, 1], -31.5)
    assert 5.0 < ratio < 20.0
    shares = [planner_kernels.share_below(out[0, 0], x) for x in np.arange(LOW_DB - 3, 20, STEP_DB / 3)]
    assert np.all(np.diff(shares) >= -1e-15)


def test_falls_of_two_legs_are_counted_together():
    counts, joint = np.zeros((1, 2, BINS)), np.zeros((1, 2))
    for first, second in ((-10.0, -10.0), (-10.0, 0.0), (0.0, 0.0), (0.0, -7.0)):
        measured = np.full((2, 1, 2), np.nan)
        measured[:, 0, 1] = first, second
        planner_kernels.learn(measured, np.zeros((2, 1, 2)), 1.0, counts, joint, 6.0)
    assert joint[0].tolist() == [3.0, 1.0]


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.integers(0, 10**6))
def test_the_cheapest_rung_is_the_cheapest_of_all(seed):
    rng = np.random.default_rng(seed)
    n, n_rung, target = 3, 8, 10 ** rng.uniform(-6, -2)
    log_shares = np.sort(np.log(10 ** rng.uniform(-10, 0, BINS)))
    first, second = rng.uniform(-10, 25, n), rng.uniform(-10, 25, n) if seed % 2 else np.full(n, np.nan)
    needed, cost = np.sort(rng.uniform(-12, 15, n_rung))[::-1].copy(), np.sort(rng.choice([200.0, 400.0, 800.0], n_rung))
    share = rng.uniform(0, 1)

    def risk(k):
        total = 0.0
        for s in range(n):
            a, b = (
                planner_kernels.share_below(log_shares, needed[k] - x) for x in (first[s], np.nan_to_num(second[s], nan=-500))
            )
            total += a if np.isnan(second[s]) else share * min(a, b) + (1 - share) * a * b
        return max(total / n, planner_kernels.SURE)

    rung, found = planner_kernels.cheapest_rung(target, 1400.0, first, second, needed, needed, cost, log_shares, share)
    worth = [c + 1400.0 * max(np.log10(risk(k) / target), 0.0) for k, c in enumerate(cost)]
    assert worth[rung] == pytest.approx(min(worth))
    assert found == pytest.approx(risk(rung))


def test_a_fall_that_was_measured_is_not_taken_twice():
    level = expect(20.0, -200.0, 0.0, 0.0, 1e-9)
    assert expect(20.0, -200.0, 15.0, 0.0, 1e-9) == pytest.approx(level - 15.0, abs=0.01)
    assert expect(20.0, -200.0, 15.0, -12.0, 1e-9) == pytest.approx(level - 15.0, abs=0.01)
    assert expect(20.0, -200.0, 5.0, -12.0, 1e-9) == pytest.approx(level - 12.0, abs=0.01)
    assert expect(20.0, -200.0, 5.0, 2.0, 1e-9) == pytest.approx(level - 3.0, abs=0.01)


def test_drops_are_of_the_instants_looked_at_and_of_covered_links():
    budget = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    report_db = np.array([[20.0, 10.0]])
    ahead = 10 ** (np.array([[[[20.0, 0.0]]], [[[5.0, 0.0]]]]) / 10)
    for used, want in (([True, False], [0.0, 9.5]), ([True, True], [14.5, 9.5]), ([False, False], [0.0, 0.0])):
        got = planner_kernels.drops_ahead(report_db, ahead, budget, np.array([True, True]), np.array(used))
        np.testing.assert_allclose(got[0, 0], want, atol=1e-9)
    got = planner_kernels.drops_ahead(report_db, ahead, budget, np.array([True, False]), np.array([True, True]))
    np.testing.assert_allclose(got[0, 0], [14.5, 0.0], atol=1e-9)
