"""Compiled steps of the policies and reports against plain NumPy."""

import numpy as np
import pytest
from packet_scene import radio_config

from radio.policies import LinkBudget, Report
from radio.policies.human_aware import judge_exchange
from radio.policies.reactive import follow_report
from radio.policies.reports import best_pairs_oracle
from radio.types import Sweep


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
    np.testing.assert_array_equal(report.snr_dl_db, dl_db)
    np.testing.assert_array_equal(report.snr_ul_db, dl_db + (budget.offset_ul_db - budget.offset_dl_db)[:, None, None])
    assert report.time_us == 7


def test_the_best_of_a_report_is_found_once():
    rng = np.random.default_rng(1)
    dl_db, ul_db = rng.integers(0, 9, (2, 6, 4, 16, 4)).astype(float)
    report = Report(0, dl_db, ul_db)
    best = report.best()
    for got, want in zip((best.dl_db, best.beam, best.sector), best_pairs_oracle(dl_db), strict=True):
        np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(best.ul_db, ul_db.max(axis=(2, 3)))
    assert report.best() is best


def follow_report_oracle(snr, now_us, report_us, hysteresis_db, tci_us, ttt_us, s):
    best_db, beam, sector = best_pairs_oracle(snr)
    rows = np.arange(len(snr))
    settled = (s["free"] <= now_us) & ~s["recovering"]
    s["sector"] = np.where(settled, snr[rows, s["trp"], s["beam"]].argmax(axis=1), s["sector"])
    own_db = best_db[rows, s["trp"]]
    switch = settled & (own_db > snr[rows, s["trp"], s["beam"], s["sector"]] + hysteresis_db)
    s["next_beam"] = np.where(switch, beam[rows, s["trp"]], s["next_beam"])
    s["next_sector"] = np.where(switch, sector[rows, s["trp"]], s["next_sector"])
    s["switch"] = np.where(switch, now_us + tci_us, -1)
    others_db = best_db.copy()
    others_db[rows, s["trp"]] = -np.inf
    other = others_db.argmax(axis=1)
    better = settled & ~s["held"] & (others_db[rows, other] > own_db + hysteresis_db)
    fresh = better & (other != s["candidate"])
    s["candidate"] = np.where(better, other, -1)
    s["candidate_us"] = np.where(fresh, report_us, s["candidate_us"])
    return better & (report_us - s["candidate_us"] >= ttt_us), other


@pytest.mark.parametrize("seed", range(10))
def test_following_a_report_equals_the_rules_on_arrays(seed):
    rng = np.random.default_rng(seed)
    n_ue, n_trp = 12, 1 if seed == 9 else 3
    snr = rng.integers(0, 12, (n_ue, n_trp, 4, 2)).astype(float)  # whole decibels, so ties happen
    now_us, report_us = 100_000, 96_000

    def ints(low, high):
        return rng.integers(low, high, n_ue)

    order = (
        "trp",
        "beam",
        "sector",
        "free",
        "recovering",
        "held",
        "next_beam",
        "next_sector",
        "switch",
        "candidate",
        "candidate_us",
    )
    values = (
        ints(0, n_trp), ints(0, 4), ints(0, 2), ints(0, 2) * 200_000, rng.random(n_ue) < 0.2, rng.random(n_ue) < 0.3,
        ints(0, 4), ints(0, 2), ints(-1, 1), ints(-1, n_trp), ints(0, 96) * 1000,
    )  # fmt: skip
    expected = dict(zip(order, (v.copy() for v in values), strict=True))
    best_db, beam, sector = best_pairs_oracle(snr)
    change, other, any_change = follow_report(snr, best_db, beam, sector, now_us, report_us, 1.5, 3_000, 40_000, *values)
    want, want_other = follow_report_oracle(snr, now_us, report_us, 1.5, 3_000, 40_000, expected)
    np.testing.assert_array_equal(change, want)
    np.testing.assert_array_equal(other[change], want_other[change])
    assert any_change == want.any()
    for name, value in zip(order, values, strict=True):
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


@pytest.mark.parametrize("foreseen", [False, True])
def test_legs_change_places_by_the_written_rule(foreseen):
    rng = np.random.default_rng(2)
    n_ue, now_us, serving_us = 200, 50_000, 45_000
    dl_db, ul_db = rng.uniform(-5, 20, (2, n_ue, 2))
    dl_db[::7, 1] = np.nan
    gain_db = rng.uniform(-8, 8, n_ue)
    since_us, second_us = rng.integers(0, 60_000, n_ue), rng.integers(0, 60_000, n_ue)
    second_trp, recovering = rng.integers(-1, 3, n_ue), rng.random(n_ue) < 0.2
    swap, any_swap = judge_exchange(
        now_us, serving_us, dl_db, ul_db, gain_db, foreseen, since_us, recovering, second_trp, second_us, 3.0, 14.0
    )
    active = (second_trp >= 0) & (second_us <= now_us) & ~recovering
    fresh = (second_us <= serving_us) & (since_us <= serving_us)
    first_db, second_db = np.minimum(dl_db, ul_db).T
    better = fresh & (second_db > first_db + 3.0)
    if foreseen:
        works = fresh & (second_db >= np.minimum(first_db, 14.0))
        better = (better & (gain_db > -3.0)) | (works & (gain_db > 3.0))
    np.testing.assert_array_equal(swap, active & better)
    assert any_swap
    assert not swap.all()
