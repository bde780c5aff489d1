"""What the planner makes of loads: the price of a symbol, and where devices with video are served."""

import numpy as np
import pytest
from packet_scene import DT_US, one_stream, radio_config
from policy_drive import report_of, sweep_of

from radio.policies import LinkBudget, Report, ServingMonitor, choice, create_policy, planner_load
from radio.policies.base import capped_db
from radio.policies.demand import demand_of
from radio.policies.kernels import BEAM, ROWS, SECTOR, TRP
from radio.policies.planner_kernels import heard_db, served_by

EVM = 0.035**2


def test_a_symbol_is_dearer_where_little_is_free():
    price = planner_load.prices(np.array([[0.0, 0.5, 0.75, 0.97]]))
    np.testing.assert_allclose(price, [[1.0, 4.0, 16.0, 100.0]])  # bounded, for a full TRP has to be used too


def test_robustness_that_pays_where_there_is_room_does_not_where_there_is_none():
    cost = np.array([[[1.0, 0.0], [2.0, 0.0], [1.0, 1.0]]])  # short; robust; over another TRP as well
    risk, target, decade = np.array([[1e-4, 1e-6, 1e-6]]), np.array([1e-6]), np.array([2.0])
    there, limit = np.ones((1, 3), bool), np.array([100.0, 100.0])

    def chosen(*price):
        return choice.choose(cost, choice.worth(cost, risk, target, decade, there, np.array(price)), limit).tolist()

    assert chosen(1.0, 1.5) == [1]
    assert chosen(16.0, 1.0) == [2]
    assert chosen(16.0, 16.0) == [0]


@pytest.mark.parametrize("seed", range(5))
def test_merits_are_what_frames_would_get(seed):
    rng = np.random.default_rng(seed)
    n_ue, n_trp = 7, 3
    report = report_of(rng.uniform(-5, 30, (n_ue, n_trp, 4, 2)), 0, ul_over_dl_db=-4.0)
    best = report.best()
    legs = np.zeros((ROWS, n_ue), np.int64)
    legs[TRP] = best.dl_db.argmax(axis=1)
    legs[BEAM], legs[SECTOR] = best.beam[np.arange(n_ue), legs[TRP]], best.sector[np.arange(n_ue), legs[TRP]]
    video = rng.random((n_ue, 2)) < 0.5
    load, carrier = rng.uniform(0.0, 1.0, (2, n_trp)), np.array([0, 0, 1])
    got = best.dl_db.copy()
    planner_load.prefer_for_frames(
        legs, video, load, report.gain, report.budget, carrier, best.beam, EVM, got
    )  # fmt: skip
    served = served_by(legs, n_trp)
    for u in range(n_ue):
        for t in range(n_trp):
            want = best.dl_db[u, t] if not video[u].any() else np.inf
            for d in np.flatnonzero(video[u]):
                snr_db = best.dl_db[u, t] - 4.0 * d
                inr_db = heard_db(
                    u, t, best.beam[u, t], best.sector[u, t], d, legs, served, load, report.gain, report.budget, carrier
                )
                noise = (1.0 + 10 ** (inr_db / 10)) * 10 ** (-snr_db / 10) + EVM
                want = min(want, -10.0 * np.log10(noise) - (20.0 if load[d, t] > 0.9 else 0.0))
            assert got[u, t] == pytest.approx(want, abs=1e-9)


@pytest.mark.parametrize(("service", "busy", "served_by_trp"), [
    ({"profile": "video", "message_bytes": 60_000}, 1.0, 1),
    ({"profile": "video", "message_bytes": 60_000}, 0.5, 0),
    ({"profile": "mobile-robot"}, 1.0, 0),
])  # fmt: skip
def test_a_device_with_video_leaves_a_trp_that_is_full(service, busy, served_by_trp):
    config = radio_config(2)
    budget, policy, monitor = LinkBudget(config), create_policy("human_aware", config, 1), ServingMonitor(config, 1)
    policy.take_demand(demand_of(config, one_stream(config, **service), 1))
    snr = np.full((1, 2, 4, 1), -20.0)
    snr[0, :, 0, 0] = 25.0, 22.0
    survey = budget.report(sweep_of(config, snr, 0))
    load, plans = np.array([busy, 0.0]), []
    for k in range(400):
        now = k * DT_US
        made = now - now % 100_000
        if plans:
            legs = [25.0 - 3.0 * t if t >= 0 else np.nan for t in plans[-1].trp[0]]
            monitor.dl_db, monitor.ul_db = capped_db(np.array([legs]), EVM), capped_db(np.array([legs]) - 4.0, EVM)
            monitor.time_us, monitor.occasions = now - DT_US, 1
        ahead = tuple(Report(made + h, survey.gain, survey.budget) for h in (200_000, 500_000))
        report = budget.report(sweep_of(config, snr, now - now % 20_000), 1.0)
        plans.append(policy.plan(monitor.observe(now, survey, report, load, load, ahead)))
    assert plans[0].trp[0, 0] == 0
    assert plans[-1].trp[0, 0] == served_by_trp
    assert all(plan.usable[0].any() for plan in plans)  # on the way nothing was interrupted
