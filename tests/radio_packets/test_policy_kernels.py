"""Compiled steps of the policies and reports against plain NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packet_scene import radio_config
from policy_drive import report_of

from radio.policies import LinkBudget, Report, kernels
from radio.policies.base import capped_db
from radio.policies.reports import best_pairs_oracle
from radio.types import Sweep

EVM = 0.035**2


@pytest.mark.parametrize("step_db", [0.0, 1.0, 0.5])
def test_a_report_is_the_link_budget_of_the_sweep(step_db):
    rng = np.random.default_rng(0)
    budget = LinkBudget(radio_config(3))
    gain = 10.0 ** rng.uniform(-14, -5, (5, 3, 8, 4))
    gain[0, 0] = 0.0
    report = budget.report(Sweep(7, gain), step_db)
    dl_db = 10.0 * np.log10(np.maximum(gain, 1e-30)) + budget.offset_dl_db[:, None, None]
    if step_db:
        dl_db = np.rint(dl_db / step_db) * step_db
    np.testing.assert_allclose(report.snr_dl_db, dl_db, rtol=0, atol=1e-12)
    np.testing.assert_allclose(report.snr_ul_db, dl_db + (budget.offset_ul_db - budget.offset_dl_db)[:, None, None], atol=1e-12)
    assert report.time_us == 7


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    seed=st.integers(0, 1000), shape=st.tuples(*[st.integers(1, 5)] * 2, st.integers(1, 80), st.integers(1, 4)),
    step_db=st.sampled_from([0.0, 1.0, 0.5]),
)  # fmt: skip
def test_the_best_of_a_report_agrees_with_the_oracle(seed, shape, step_db):
    rng = np.random.default_rng(seed)
    # in eighths of a decibel, so that gains tie, values tie when rounded, and some lie right on the edge of being rounded up
    gain = 10.0 ** (rng.integers(0, 40, shape) / 80.0 - 8.0)
    gain[rng.random(shape) < 0.1] = 0.0
    if seed % 3 == 0:
        gain[0, 0] = 0.0
    budget = np.stack((rng.integers(80, 90, shape[1]), rng.uniform(-9, 9, shape[1]), np.full(shape[1], step_db)))
    report = Report(0, gain, budget)
    best = report.best()
    want_db, beam, sector = best_pairs_oracle(report.snr_dl_db)
    np.testing.assert_array_equal(best.dl_db, want_db)
    np.testing.assert_array_equal(best.ul_db, want_db + budget[1])
    np.testing.assert_array_equal(best.beam, beam)
    np.testing.assert_array_equal(best.sector, sector)
    assert report.best() is best


def random_state(rng, n_ue, n_trp, n_beam, n_sector, now_us):
    """Make serving legs with every kind of timer running, about a third with a second leg."""
    legs = np.zeros((kernels.ROWS, n_ue), dtype=np.int64)
    legs[kernels.TRP], legs[kernels.SECOND_TRP] = rng.integers(0, n_trp, (2, n_ue))
    legs[kernels.BEAM], legs[kernels.SECOND_BEAM], legs[kernels.NEXT_BEAM] = rng.integers(0, n_beam, (3, n_ue))
    legs[kernels.SECTOR], legs[kernels.SECOND_SECTOR], legs[kernels.NEXT_SECTOR] = rng.integers(0, n_sector, (3, n_ue))
    none = rng.random(n_ue) < 0.6
    for row in (kernels.SECOND_TRP, kernels.SECOND_BEAM, kernels.SECOND_SECTOR):
        legs[row, none] = -1
    legs[kernels.RECOVERING] = rng.random(n_ue) < 0.2
    legs[kernels.FREE] = np.where(legs[kernels.RECOVERING] | (rng.random(n_ue) < 0.3), 2 * now_us, 0)
    legs[kernels.SINCE], legs[kernels.SECOND_FROM] = rng.integers(0, int(1.2 * now_us), (2, n_ue))
    legs[kernels.SWITCH] = rng.integers(-1, 1, n_ue)
    legs[kernels.CANDIDATE] = rng.integers(-1, n_trp, n_ue)
    legs[kernels.CANDIDATE_SINCE] = rng.integers(0, 96, n_ue) * 1000
    legs[kernels.RISK_UNTIL] = -1
    return legs, rng.uniform(-5, 20, (2, n_ue))


def rules(**changes):
    timers, levels = np.zeros(kernels.TIMERS, dtype=np.int64), np.zeros(kernels.LEVELS)
    timers[[kernels.TTT, kernels.INTERRUPTION, kernels.TCI, kernels.PRACH]] = 40_000, 10_000, 3_000, 10_000
    timers[[kernels.MAX_COUNT, kernels.HOLD, kernels.NEAR]] = 2, 200_000, 100_000
    levels[[kernels.HYSTERESIS, kernels.QOUT, kernels.MARGIN, kernels.EVM, kernels.RISK]] = 1.5, -6.0, 6.0, EVM, 8.0
    for name, value in changes.items():
        levels[getattr(kernels, name)] = value
    return timers, levels


@pytest.mark.parametrize("seed", range(10))
def test_following_a_report_equals_the_rules_on_arrays(seed):
    rng = np.random.default_rng(seed)
    n_ue, n_trp = 300, 1 if seed == 9 else 3
    now_us, report_us = 100_000, 96_000
    # whole decibels, so ties happen
    report = report_of(rng.integers(0, 12, (n_ue, n_trp, 4, 2)).astype(float), report_us, step_db=1.0)
    snr, rows = report.snr_dl_db, np.arange(n_ue)
    legs, known = random_state(rng, n_ue, n_trp, 4, 2, now_us)
    old, best = legs.copy(), report.best()
    timers, levels = rules()
    nothing = np.zeros((n_ue, 2))
    kernels.advance(
        now_us, report_us, True, 0, 0, nothing, nothing, legs, known, timers, levels, np.zeros(n_trp),
        report.gain, report.budget, best.dl_db, best.beam, best.sector, best.dl_db,
    )  # fmt: skip
    trp, beam = old[kernels.TRP], old[kernels.BEAM]
    settled = (old[kernels.FREE] <= now_us) & (old[kernels.RECOVERING] == 0)
    sector = np.where(settled, snr[rows, trp, beam].argmax(axis=1), old[kernels.SECTOR])
    best_db, best_beam, best_sector = best_pairs_oracle(snr)
    own_db = best_db[rows, trp]
    switch = settled & (own_db > snr[rows, trp, beam, sector] + 1.5)
    others_db = best_db.copy()
    others_db[rows, trp] = -np.inf
    other = others_db.argmax(axis=1)
    better = settled & (old[kernels.SECOND_TRP] < 0) & (others_db[rows, other] > own_db + 1.5)
    since = np.where(better & (other != old[kernels.CANDIDATE]), report_us, old[kernels.CANDIDATE_SINCE])
    change = better & (report_us - since >= 40_000)
    assert change.any() == (n_trp > 1)
    for row, stays, changed in (
        (kernels.TRP, trp, other),
        (kernels.BEAM, beam, best_beam[rows, other]),
        (kernels.SECTOR, sector, best_sector[rows, other]),
        (kernels.SINCE, old[kernels.SINCE], now_us),
        (kernels.FREE, old[kernels.FREE], now_us + 10_000),
        (kernels.NEXT_BEAM, np.where(switch, best_beam[rows, trp], old[kernels.NEXT_BEAM]), None),
        (kernels.NEXT_SECTOR, np.where(switch, best_sector[rows, trp], old[kernels.NEXT_SECTOR]), None),
        (kernels.SWITCH, np.where(switch, now_us + 3_000, -1), -1),
        (kernels.CANDIDATE, np.where(better, other, -1), -1),
        (kernels.CANDIDATE_SINCE, since, None),
    ):
        want = stays if changed is None else np.where(change, changed, stays)
        np.testing.assert_array_equal(legs[row], want, err_msg=str(row))
    reported = capped_db(snr[rows, legs[kernels.TRP], legs[kernels.BEAM], legs[kernels.SECTOR]], EVM)
    np.testing.assert_allclose(known[0, change], reported[change])


@pytest.mark.parametrize("foreseen", [False, True])
def test_legs_change_places_by_the_written_rule(foreseen):
    rng = np.random.default_rng(2)
    n_ue, now_us, serving_us = 400, 50_000, 45_000
    report = report_of(rng.uniform(0, 12, (n_ue, 3, 4, 2)), 0)
    legs, known = random_state(rng, n_ue, 3, 4, 2, now_us)
    _, levels = rules(HYSTERESIS=3.0)
    dl_db, ul_db = rng.uniform(-5, 20, (2, n_ue, 2))
    dl_db[::7, 1] = np.nan
    gain_db = rng.uniform(-8, 8, n_ue)
    old = legs.copy()
    kernels.exchange_by_merit(
        now_us, serving_us, dl_db, ul_db, gain_db, foreseen, legs, known, levels, report.gain, report.budget
    )  # fmt: skip
    second_us = old[kernels.SECOND_FROM]
    active = (old[kernels.SECOND_TRP] >= 0) & (second_us <= now_us) & (old[kernels.RECOVERING] == 0)
    fresh = (second_us <= serving_us) & (old[kernels.SINCE] <= serving_us)
    first_db, second_db = np.minimum(dl_db, ul_db).T
    better = fresh & (second_db > first_db + 3.0)
    if foreseen:
        works = fresh & (second_db >= np.minimum(first_db, 14.0))
        better = (better & (gain_db > -3.0)) | (works & (gain_db > 3.0))
    swap = active & better
    assert 10 < swap.sum() < n_ue / 2
    for first, second in ((kernels.TRP, kernels.SECOND_TRP), (kernels.BEAM, kernels.SECOND_BEAM)):
        np.testing.assert_array_equal(legs[first], np.where(swap, old[second], old[first]))
        np.testing.assert_array_equal(legs[second], np.where(swap, old[first], old[second]))
    np.testing.assert_array_equal(known[0, swap], dl_db[swap, 1])
    np.testing.assert_array_equal(known[1, swap], ul_db[swap, 1])
    np.testing.assert_array_equal(legs[kernels.FREE], np.where(swap, now_us, old[kernels.FREE]))
