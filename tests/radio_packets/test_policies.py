"""One contract for every policy, and what each does against the timers of the standard."""

import time
from dataclasses import fields

import numpy as np
import pytest
from packet_scene import DT_US, radio_config
from policy_drive import column, drive, report_of, state_of, sweep_of

from radio.config import BeamManagementConfig, HumanAwareConfig
from radio.policies import LinkBudget, Observation, Policy, ServingMonitor, SweepReports, create_policy
from radio.policies.base import capped_db, recovery_tail_us

NAMES = ("static", "reactive", "duplicate", "human_aware", "oracle", "decentralised", "adaptive")
EVM_CEILING_DB = -20 * np.log10(0.035)


def world(*trps, beams=4):
    """SNR of one UE: each TRP a dict from beam to dB, all else -20 dB, one sector."""
    snr = np.full((1, len(trps), beams, 1), -20.0)
    for t, levels in enumerate(trps):
        for beam, level in levels.items():
            snr[0, t, beam, 0] = level
    return snr


def random_world(seed, n_ue=5, n_trp=3, n_beam=6, n_sector=2):
    """Let the SNR wander slowly, with deep, sudden dips of whole TRPs."""
    rng = np.random.default_rng(seed)
    base = rng.uniform(-10, 30, (n_ue, n_trp, n_beam, n_sector))
    dips = rng.random((40, n_ue, n_trp)) < 0.2
    return lambda t: base + 3 * np.sin(t * 1e-6 + base) - 35.0 * dips[(t // 100_000) % 40][:, :, None, None]


def oracle_forecast(snr_at, config, horizons_us=(100_000, 250_000, 500_000), period_us=50_000):
    def forecast(now, budget):
        made = now // period_us * period_us
        return tuple(budget.report(sweep_of(config, snr_at(made + h), made + h)) for h in horizons_us)

    return forecast


# the contract


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("forecast", [False, True])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_contract(name, forecast, seed):
    config = radio_config(3)
    snr_at = random_world(seed)
    ahead = oracle_forecast(snr_at, config) if forecast else None
    plans = drive(name, config, snr_at, 150, forecast_at=ahead)
    again = drive(name, config, snr_at, 150, forecast_at=ahead)
    for plan, twin in zip(plans, again, strict=True):
        assert plan.trp.shape == plan.beam.shape == plan.sector.shape == plan.usable.shape == (5, 2)
        assert plan.repetitions.shape == plan.sinr_dl_db.shape == plan.sinr_ul_db.shape == (5,)
        assert plan.trp.dtype == plan.beam.dtype == plan.sector.dtype == plan.repetitions.dtype == np.int64
        assert plan.usable.dtype == np.bool_
        assert np.all((plan.trp[:, 0] >= 0) & (plan.trp < 3).all(axis=1))
        assert np.all((plan.beam < 6) & (plan.sector < 2))
        unused = plan.trp < 0
        assert np.all((plan.beam < 0) == unused)
        assert np.all((plan.sector < 0) == unused)
        assert not np.any(plan.usable & unused)
        assert np.all(np.isin(plan.repetitions, (1, 2, 4, 8)))
        assert np.all(np.isfinite(plan.sinr_dl_db) & np.isfinite(plan.sinr_ul_db))
        assert np.all(plan.sinr_dl_db <= EVM_CEILING_DB + 10)
        for field in fields(plan):
            np.testing.assert_array_equal(getattr(plan, field.name), getattr(twin, field.name))


@pytest.mark.parametrize("name", NAMES)
def test_observation_is_left_alone_and_plans_share_nothing(name):
    config = radio_config(3)
    policy = create_policy(name, config, 5)
    assert isinstance(policy, Policy)
    assert policy.name == name
    snr_at, budget, monitor, load = random_world(4), LinkBudget(config), ServingMonitor(config, 5), np.zeros(3)
    survey = budget.report(sweep_of(config, snr_at(0), 0))
    ahead = oracle_forecast(snr_at, config)
    plans = []
    for k in range(30):
        now = k * DT_US
        report = budget.report(sweep_of(config, snr_at(now), now - now % 20_000), 1.0)
        truth = budget.report(sweep_of(config, snr_at(now), now))
        observation = monitor.observe(now, survey, report, load, load, ahead(now, budget), truth)
        arrays = [survey.gain, report.gain, truth.gain, monitor.dl_db, monitor.ul_db]
        before = [a.copy() for a in arrays]
        plans.append(policy.plan(observation))
        for a, b in zip(arrays, before, strict=True):
            np.testing.assert_array_equal(a, b)
        state = state_of(plans[-1], snr_at(now))
        monitor.measure(now, DT_US, state.sinr_dl_db, state.sinr_ul_db)
    kept = plans[-1].trp.copy()
    for plan in plans[:-1]:
        if plan is plans[-1]:
            continue  # the same plan again, because nothing changed
        plan.usable[:] = False
        plan.trp[:] = -7  # writing into another plan must not reach the policy or this one
        plan.sinr_dl_db[:] = -99
    np.testing.assert_array_equal(plans[-1].trp, kept)
    assert plans[-1].sinr_dl_db.min() > -99
    now = 30 * DT_US
    final = policy.plan(monitor.observe(now, survey, None, load, load, None, survey))
    assert np.all(final.trp[:, 0] >= 0)


def test_unknown_policy_is_refused():
    with pytest.raises(
        ValueError, match=r"^policy 'clairvoyant' is unknown; known: static, reactive, duplicate, human_aware, oracle"
    ):
        create_policy("clairvoyant", radio_config(), 3)


@pytest.mark.parametrize("name", NAMES)
def test_a_plan_takes_well_below_a_tick(name):
    config = radio_config(4)
    rng = np.random.default_rng(0)
    snr = rng.uniform(-10, 40, (19, 4, 64, 4))
    reports = [report_of(snr + k, k * 20_000) for k in range(5)]
    policy, load = create_policy(name, config, 19), np.zeros(4)
    legs = np.full((19, 2), 20.0)
    spans = []
    for k in range(400):
        now = k * DT_US
        forecast = tuple(report_of(snr - 10, now - now % 50_000 + h) for h in (100_000, 250_000, 500_000))
        observation = Observation(
            now, reports[0], reports[(k // 2) % 5], now - DT_US, 1, legs, legs, load, load, forecast, reports[k % 5]
        )
        begin = time.perf_counter()
        policy.plan(observation)
        spans.append(time.perf_counter() - begin)
    assert np.median(spans) < 1e-3


# what a network can know


def test_reports_are_rounded_and_late():
    config = radio_config(2, beam_management=BeamManagementConfig(ssb_period_ms=20, report_delay_ms=14.0))
    reports = SweepReports(config)
    assert [reports.due(k * DT_US, DT_US) for k in range(4)] == [True, False, True, False]
    reports.add(sweep_of(config, world({0: 10.4}, {1: 3.6}), 20_000))
    assert reports.latest(33_999) is None
    report = reports.latest(34_000)
    assert report is not None
    assert (report.snr_dl_db[0, 0, 0, 0], report.snr_dl_db[0, 1, 1, 0]) == (10.0, 4.0)
    assert reports.latest(99_000) is report


def test_link_budget_of_the_design():
    # 28 GHz, 30 dBm over 100 MHz, 26 dBi + 11 dBi, NF 9: 71 / 63 / 57 dB at 10 / 25 / 50 m; uplink 23 dBm, NF 6
    budget = LinkBudget(radio_config(1))
    for distance, snr_db in ((10, 71), (25, 63), (50, 57)):
        gain_db = 26 + 11 - 20 * np.log10(4 * np.pi * distance * 28e9 / 299_792_458)
        assert gain_db + budget.offset_dl_db[0] == pytest.approx(snr_db, abs=0.5)
        assert budget.offset_ul_db[0] == pytest.approx(budget.offset_dl_db[0] - 7 + 3)


@pytest.mark.parametrize(("period_ms", "counts"), [(10, [1, 1, 1, 1]), (20, [1, 0, 1, 0]), (1, [5, 5, 5, 5]), (4, [3, 2, 3, 2])])
def test_failure_detection_occasions(period_ms, counts):
    # TS 38.213 clause 6: never more often than every 2 ms
    config = radio_config(1, beam_management=BeamManagementConfig(bfd_rs_period_ms=period_ms))
    monitor = ServingMonitor(config, 1)
    plan = drive("static", config, lambda t: world({0: 20.0}), 1)[0]
    seen = []
    for k in range(4):
        state = state_of(plan, world({0: 20.0}))
        monitor.measure(k * DT_US, DT_US, state.sinr_dl_db, state.sinr_ul_db)
        seen.append(monitor.occasions)
    assert seen == counts


def test_evm_caps_what_a_receiver_sees():
    assert capped_db(np.array([80.0]), 0.035**2)[0] == pytest.approx(EVM_CEILING_DB, abs=1e-3)
    assert capped_db(np.array([0.0]), 0.035**2)[0] == pytest.approx(0.0, abs=0.01)
    assert np.isfinite(capped_db(np.array([-np.inf]), 0.035**2)[0])


# static


def test_static_never_reacts_to_a_body():
    def snr_at(t):
        return world({2: 25.0}, {1: 20.0}) if t < 200_000 else world({2: -15.0}, {1: 20.0})

    plans = drive("static", radio_config(2), snr_at, 100)
    assert set(column(plans, "trp", leg=0)) == {0}
    assert set(column(plans, "beam", leg=0)) == {2}
    assert all(p.usable[0, 0] for p in plans)
    expected = capped_db(np.array([25.0]), 0.035**2)[0] - 6.0
    assert column(plans, "sinr_dl_db") == pytest.approx(expected)
    assert np.all(column(plans, "sinr_ul_db") < expected - 2.5)


def test_static_follows_the_survey_as_the_ue_moves():
    config = radio_config(2)
    budget, policy, load, legs = LinkBudget(config), create_policy("static", config, 1), np.zeros(2), np.zeros((1, 2))
    served = []
    for k, other in enumerate((10.0, 21.0, 24.0, 21.0, 10.0)):
        survey = budget.report(sweep_of(config, world({0: 20.0}, {3: other}), k))
        served.append(int(policy.plan(Observation(k, survey, None, -1, 0, legs, legs, load, load, None)).trp[0, 0]))
    assert served == [0, 0, 1, 1, 0]  # 3 dB of hysteresis both ways


# reactive


def test_reactive_switches_beam_after_report_and_tci_activation():
    def snr_at(t):
        return world({0: 20.0}) if t < 100_000 else world({0: 8.0, 3: 20.0})

    config = radio_config(1)
    plans = drive("reactive", config, snr_at, 30)
    beam = column(plans, "beam", leg=0)
    # swept at 100 ms, report usable 4 ms later (tick 110), active 3 ms after that (tick 120)
    assert np.flatnonzero(beam == 3)[0] == 12
    assert all(p.usable[0, 0] for p in plans)


def test_reactive_ignores_a_gain_within_the_hysteresis():
    plans = drive("reactive", radio_config(2), lambda t: world({0: 20.0, 1: 22.9}, {0: 22.9}), 60, survey=world({0: 20.0}, {}))
    assert set(column(plans, "beam", leg=0)) == {0}
    assert set(column(plans, "trp", leg=0)) == {0}


@pytest.mark.parametrize(("trigger_ms", "change_ms"), [(0, 110), (40, 150), (100, 210)])
def test_reactive_changes_trp_after_time_to_trigger_with_an_interruption(trigger_ms, change_ms):
    def snr_at(t):
        return world({0: 20.0}, {1: 10.0}) if t < 100_000 else world({0: 5.0}, {1: 20.0})

    config = radio_config(2, beam_management=BeamManagementConfig(time_to_trigger_ms=trigger_ms, trp_switch_interruption_ms=20.0))
    plans = drive("reactive", config, snr_at, 40)
    trp, usable = column(plans, "trp", leg=0), column(plans, "usable", leg=0)
    assert np.flatnonzero(trp == 1)[0] * 10 == change_ms
    assert (np.flatnonzero(~usable) * 10).tolist() == [change_ms, change_ms + 10]


def test_reactive_forgets_a_candidate_that_does_not_last():
    def snr_at(t):
        return world({0: 5.0}, {1: 20.0}) if t % 60_000 < 30_000 else world({0: 20.0}, {1: 10.0})

    plans = drive("reactive", radio_config(2), snr_at, 100, survey=world({0: 20.0}, {1: 10.0}))
    assert set(column(plans, "trp", leg=0)) == {0}


def test_reactive_recovers_from_beam_failure():
    def snr_at(t):
        return world({0: 20.0}, {1: 15.0}) if t < 200_000 else world({0: -12.0}, {1: 15.0})

    beams = BeamManagementConfig(ssb_period_ms=160, beam_failure_max_count=3, prach_period_ms=40.0)
    config = radio_config(2, beam_management=beams)
    # 4 slots, a PDCCH of 2 symbols, 28 symbols at 120 kHz
    assert recovery_tail_us(config) == pytest.approx(500 + 30 * 125 / 14)
    plans = drive("reactive", config, snr_at, 60)
    usable, trp = column(plans, "usable", leg=0), column(plans, "trp", leg=0)
    # failing at 200, 210, 220 ms; declared for the tick at 230; PRACH at 240; back 0.77 ms later, that is in the tick at 250.
    # The latest report, of 160 ms, still prefers the failed beam, so that it fails again and recovers by the sweep of 320 ms.
    assert (np.flatnonzero(~usable) * 10).tolist()[:2] == [230, 240]
    assert usable[25]
    assert trp[25] == 0
    assert np.flatnonzero(trp == 1)[0] * 10 >= 330
    assert usable[-1]
    assert trp[-1] == 1


def test_link_adaptation_is_the_last_measurement_less_margin():
    def snr_at(t):
        return world({0: 20.0 if t < 200_000 else 11.0})

    plans = drive("reactive", radio_config(1), snr_at, 40)
    sinr = column(plans, "sinr_dl_db")
    assert sinr[15:21] == pytest.approx(20.0 - 6.0, abs=0.6)  # at 200 ms the drop is not yet known; 3.5 % EVM takes 0.5 dB
    assert sinr[21:] == pytest.approx(11.0 - 6.0, abs=0.1)


# human-aware


@pytest.mark.parametrize("seed", range(4))
def test_without_a_forecast_it_is_the_reactive_policy(seed):
    config = radio_config(3)
    reactive, aware = (drive(n, config, random_world(seed), 200) for n in ("reactive", "human_aware"))
    for a, b in zip(reactive, aware, strict=True):
        for field in fields(a):
            np.testing.assert_array_equal(getattr(a, field.name), getattr(b, field.name))


def test_a_forecast_of_the_past_is_ignored():
    config = radio_config(3)
    snr_at = random_world(7)

    def stale(now, budget):
        return (budget.report(sweep_of(config, snr_at(5_000_000), -1)),)

    reactive = drive("reactive", config, snr_at, 100)
    aware = drive("human_aware", config, snr_at, 100, forecast_at=stale)
    for a, b in zip(reactive, aware, strict=True):
        np.testing.assert_array_equal(a.trp, b.trp)
        np.testing.assert_array_equal(a.sinr_dl_db, b.sinr_dl_db)


def body_at_one_second(t):
    """Take 40 dB from TRP 0 between 1.0 and 1.6 s."""
    return world({0: 25.0}, {1: 18.0}) if not 1_000_000 <= t < 1_600_000 else world({0: -15.0}, {1: 18.0})


def test_human_aware_has_a_second_leg_before_the_body_arrives():
    config = radio_config(2)
    plans = drive("human_aware", config, body_at_one_second, 300, forecast_at=oracle_forecast(body_at_one_second, config))
    second, active = column(plans, "trp", leg=1), column(plans, "usable", leg=1)
    first_second = np.flatnonzero(second >= 0)[0] * 10
    assert 500 <= first_second <= 550  # the horizon of 500 ms reaches the body
    # it stands ready, and is sent on when the body is near: within the shortest horizon (100 ms) of its arrival
    first_use = np.flatnonzero(active)[0]
    assert 88 <= first_use <= 95
    assert not active[first_second // 10 : 88].any()
    # in every tick of the shadow a usable leg of TRP 1 carries data, none is interrupted
    for p in plans[100:160]:
        assert np.any((p.trp[0] == 1) & p.usable[0])
        assert p.usable[0, 0]
    assert np.all(second[:49] < 0)
    assert np.all(second[-50:] < 0)  # given up once the risk is over
    primary = column(plans, "trp", leg=0)
    assert np.count_nonzero(np.diff(primary)) <= 2  # there and back, no flapping
    assert np.count_nonzero(np.diff((second >= 0).astype(int))) <= 4


def test_reactive_is_out_where_human_aware_is_not():
    config = radio_config(2)

    def out(plans):
        count = 0
        for k in range(100, 160):  # ticks of the shadow
            p, snr = plans[k], body_at_one_second(k * DT_US)
            count += not any(p.usable[0, j] and snr[0, p.trp[0, j], p.beam[0, j], 0] > 0 for j in range(2) if p.trp[0, j] >= 0)
        return count

    ahead = oracle_forecast(body_at_one_second, config)
    assert out(drive("reactive", config, body_at_one_second, 300)) > 2
    assert out(drive("human_aware", config, body_at_one_second, 300, forecast_at=ahead)) == 0
    assert out(drive("static", config, body_at_one_second, 300)) == 60


def test_link_adaptation_falls_before_the_body():
    def snr_at(t):
        return world({0: 25.0 if t < 1_000_000 else -2.0})

    config = radio_config(1)
    plans = drive("human_aware", config, snr_at, 110, forecast_at=oracle_forecast(snr_at, config))
    sinr = column(plans, "sinr_dl_db")
    assert 15.0 < sinr[85] <= 23.6 - 6.0  # no lower than is free of charge: two symbols carry 64 byte from 2 dB on
    assert np.all(sinr[92:100] < 0.0)  # the rung for -2 dB, with what may be worse than forecast, before the body is there
    reactive = column(drive("reactive", config, snr_at, 110), "sinr_dl_db")
    assert reactive[100] == pytest.approx(23.6 - 6.0, abs=0.2)


def test_another_beam_of_the_same_trp_serves_where_there_is_no_other():
    def snr_at(t):
        return world({0: 25.0, 2: 15.0}) if t < 1_000_000 else world({0: -15.0, 2: 15.0})

    config = radio_config(1)
    plans = drive("human_aware", config, snr_at, 130, forecast_at=oracle_forecast(snr_at, config))
    assert plans[95].trp[0].tolist() == [0, 0]  # the serving pair is forecast to fail from 100 ms ahead on
    assert plans[95].beam[0].tolist() == [0, 2]
    assert plans[95].usable[0].tolist() == [True, True]
    beams = np.array([[p.beam[0, 0], p.beam[0, 1]] for p in plans[100:]])
    assert np.all((beams == 2).any(axis=1))


def test_no_second_leg_is_prepared_without_risk():
    config = radio_config(2, human_aware=HumanAwareConfig(risk_sinr_db=8.0))

    def snr_at(t):
        return world({0: 25.0 + np.sin(t * 1e-5)}, {1: 24.0})

    plans = drive("human_aware", config, snr_at, 200, forecast_at=oracle_forecast(snr_at, config))
    assert set(column(plans, "trp", leg=1)) == {-1}


def test_a_forecast_turn_of_the_device_prepares_the_other_beam_and_leaves_the_first():
    config = radio_config(1)

    def turned(now, budget):
        return tuple(budget.report(sweep_of(config, world({0: -32.0, 2: 25.0}), now + h)) for h in (100_000, 250_000))

    plans = drive("human_aware", config, lambda t: world({0: 25.0, 2: 10.0}), 60, forecast_at=turned)
    assert set(column(plans, "beam", leg=0)) == {0}  # beam 2, at 10 dB, does not work yet as well
    second = column(plans, "beam", leg=1)
    assert set(second[3:25]) == {2}
    assert second[-1] == -1  # given up once these forecasts were found to be wrong


@pytest.mark.parametrize(("second_ul_db", "primary"), [(2.0, 0), (28.0, 1)])
def test_legs_are_compared_in_their_worse_direction(second_ul_db, primary):
    config = radio_config(2)
    budget, policy, load = LinkBudget(config), create_policy("human_aware", config, 1), np.zeros(2)
    survey = budget.report(sweep_of(config, world({0: 20.0}, {1: 19.0}), 0))
    dl, ul = np.array([[14.0, 28.0]]), np.array([[14.0, second_ul_db]])
    for k in range(30):  # the first leg keeps its place for the hold time
        now = k * DT_US
        forecast = (budget.report(sweep_of(config, world({0: -30.0}, {1: 5.0}), 500_000)),)
        observation = Observation(now, survey, survey, now - DT_US, int(k > 0), dl, ul, load, load, forecast)
        plan = policy.plan(observation)
        if plan.trp[0, 0] != 0:
            break
    assert plan.trp[0, 0] == primary


def test_adaptive_is_told_nothing_of_where_people_go():
    config = radio_config(2)
    ahead = oracle_forecast(body_at_one_second, config)
    told, untold = (drive("adaptive", config, body_at_one_second, 300, forecast_at=f) for f in (ahead, None))
    for one, other in zip(told, untold, strict=True):
        for name in ("trp", "beam", "sector", "usable", "repetitions", "sinr_dl_db", "sinr_ul_db"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    aware = drive("human_aware", config, body_at_one_second, 300, forecast_at=ahead)
    assert any(not np.array_equal(one.trp, other.trp) for one, other in zip(aware, told, strict=True))


def test_frames_are_reckoned_with_what_the_leg_that_carries_them_has():
    """Two legs let a control message have a rung that the first alone could not carry: frames go over one leg."""
    config = radio_config(2)
    plans = drive("human_aware", config, body_at_one_second, 200, forecast_at=oracle_forecast(body_at_one_second, config))
    both = 0
    for k in range(60, 200):
        p, snr = plans[k], body_at_one_second(k * DT_US)
        leg = 0 if p.usable[0, 0] else 1
        if k in range(100, 103) or k in range(160, 163):
            continue  # measurements come later than the body
        assert p.frames_db[0, 0] == pytest.approx(snr[0, p.trp[0, leg], p.beam[0, leg], 0], abs=1.5)
        both += p.usable[0].all()
    assert both > 0
    plain = plans[150]
    np.testing.assert_allclose(plain.frames_margin_db(6.0)[0] + plain.sinr_dl_db, plain.frames_db[0])


def test_frames_have_the_margin_back_where_a_plan_says_nothing_of_them():
    plan = drive("reactive", radio_config(2), body_at_one_second, 5)[-1]
    np.testing.assert_array_equal(plan.frames_margin_db(6.0), np.full((2, len(plan.trp)), 6.0))
