"""Messages through mini-slots: error, latency, resources, causes, and what may never happen."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from packet_scene import CLASSES, DT_US, make_plan, make_state, one_stream, radio_config
from scipy.stats import kstest

from radio.config import CarrierConfig, LinkAdaptationConfig, ServiceConfig
from radio.messages import nr
from radio.messages.delivery import CAUSES, Cause, Delivery
from radio.messages.delivery_causes import uniform
from radio.messages.reliability import block_error_oracle, required_sinr_db
from radio.messages.traffic import build_traffic


def run(delivery, plan, state, ticks, start_us=0):
    """Deliver some ticks under one plan and state; return the list of results."""
    return [delivery.deliver(start_us + k * DT_US, DT_US, plan, state) for k in range(ticks)]


def column(results, name):
    return np.concatenate([getattr(r, name) for r in results])


def oracle(config, traffic, message, plan_sinr_db, leg_sinr_db, repetitions):
    """Follow one message of a lone control stream in plain Python: MCS, loss probability, latency."""
    tdd, mu = nr.tdd_pattern(config.carrier), nr.numerology(config.carrier.subcarrier_spacing_hz)
    gaps = config.link_adaptation
    penalty = gaps.implementation_gap_db + gaps.channel_estimation_loss_db
    bits = int(traffic.bits[0]) + nr.crc_bits(int(traffic.bits[0]))
    efficiency = nr.SPECTRAL_EFFICIENCY
    fits = [i for i in range(29) if required_sinr_db(bits / efficiency[i], bits, gaps.target_bler) + penalty <= plan_sinr_db]
    mcs = max(fits, default=0)
    per_symbol = 12 * config.carrier.resource_blocks
    symbols = max(2, math.ceil(bits / efficiency[mcs] / per_symbol))
    n_re = min(symbols * per_symbol, bits / efficiency[0])
    loss = 1.0
    for sinr_db in leg_sinr_db:
        loss *= float(block_error_oracle(sinr_db - penalty + 10 * np.log10(repetitions), n_re, bits))
    direction = int(traffic.direction[0])
    n1, n2 = nr.pdsch_processing_us(mu), nr.pusch_preparation_us(mu)
    arrival = int(traffic.offset_us[0]) + message * int(traffic.interval_us[0])
    ready = arrival + n2 / 2 + (config.core_delay_us if direction == 0 else 0)
    assume(symbols <= min(14, tdd.usable[direction]))  # longer ones take symbols as they come
    period, end, left = int(ready // tdd.period_us), 0.0, repetitions
    while left:
        for first in range(int(tdd.usable[direction]) - symbols + 1):
            begin = period * tdd.period_us + (int(tdd.first[direction]) + first) * tdd.symbol_us
            if left and begin >= max(ready, end) - 1e-6:
                end = begin + symbols * tdd.symbol_us
                left -= 1
        period += 1
        if period * tdd.period_us % DT_US == 0 and left:  # a tick holds all repetitions or none
            end, left = 0.0, repetitions
    latency = end + n1 / 2 + (config.core_delay_us if direction == 1 else 0) - arrival
    return mcs, loss, latency


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    direction=st.sampled_from(["downlink", "uplink"]),
    size=st.integers(20, 400),
    reckoned=st.floats(-6, 25),
    first=st.floats(-14, 10),
    second=st.one_of(st.none(), st.floats(-14, 10)),
    repetitions=st.sampled_from([1, 2, 4]),
    spacing=st.sampled_from([60_000, 120_000]),
)
def test_control_messages_agree_with_the_oracle(direction, size, reckoned, first, second, repetitions, spacing):
    config = radio_config(2, carrier=CarrierConfig(subcarrier_spacing_hz=spacing))
    traffic = one_stream(config, profile="mobile-robot", direction=direction, message_bytes=size)
    delivery = Delivery(config, traffic, draw_seed=9)
    plan = make_plan(1, 2, reckoned, second=second is not None, repetitions=repetitions)
    results = run(delivery, plan, make_state(1, first, second_db=second), 20)
    legs = [first] if second is None else [first, second]
    loss, latency, message = column(results, "loss_probability"), column(results, "latency_us"), column(results, "message")
    assert len(message) >= 19
    for j, p, us, mcs, ok in zip(message, loss, latency, column(results, "mcs"), column(results, "ok"), strict=True):
        want_mcs, want_loss, want_us = oracle(config, traffic, int(j), reckoned, legs, repetitions)
        assert mcs == want_mcs
        assert p == pytest.approx(want_loss, rel=1e-6, abs=1e-200)
        assert ok == (uniform(9, 0, int(j)) >= p)
        if ok:
            assert us == math.ceil(want_us - 1e-6) or us == math.ceil(want_us + 1e-6)


def test_draws_are_uniform_and_independent_of_order():
    draws = np.array([uniform(2**62 + 5, s, m) for s in range(50) for m in range(400)])
    assert kstest(draws, "uniform").pvalue > 0.01
    pairs = draws.reshape(50, 400)
    assert abs(np.corrcoef(pairs[:, :-1].ravel(), pairs[:, 1:].ravel())[0, 1]) < 0.03
    assert abs(np.corrcoef(pairs[:-1].ravel(), pairs[1:].ravel())[0, 1]) < 0.03
    assert len(np.unique(draws)) == len(draws)


def test_drawn_losses_match_the_loss_probability():
    config = radio_config(1)
    delivery = Delivery(config, one_stream(config, profile="mobile-robot"), 4)
    results = run(delivery, make_plan(1, 1, 20.0), make_state(1, -3.6), 4000)
    p = float(results[1].loss_probability[0])
    assert 0.05 < p < 0.6
    assert np.mean(~column(results, "ok")) == pytest.approx(p, abs=5 * np.sqrt(p * (1 - p) / 4000))


def test_policies_meet_the_same_luck():
    config = radio_config(1)
    traffic = one_stream(config, profile="mobile-robot")
    weak = run(Delivery(config, traffic, 4), make_plan(1, 1, 20.0), make_state(1, -3.8), 1000)
    strong = run(Delivery(config, traffic, 4), make_plan(1, 1, 20.0), make_state(1, -3.5), 1000)
    lost_weak, lost_strong = ~column(weak, "ok"), ~column(strong, "ok")
    assert lost_weak.sum() > lost_strong.sum() > 0
    assert not np.any(lost_strong & ~lost_weak)  # a better channel never loses what a worse one carried


def test_repetitions_cost_symbols_and_buy_reliability():
    config = radio_config(1)
    traffic = one_stream(config, profile="mobile-robot")
    spent, loss = [], []
    for repetitions in (1, 2, 4):
        delivery = Delivery(config, traffic, 1)
        result = delivery.deliver(0, DT_US, make_plan(1, 1, 20.0, repetitions=repetitions), make_state(1, -5.0))
        spent.append(int(result.spent_dl[0]))
        loss.append(float(result.loss_probability[0]))
    assert spent == [2, 4, 8]
    assert loss[0] > 10 * loss[1] > 100 * loss[2]


def test_second_leg_spends_on_its_own_trp_and_multiplies():
    config = radio_config(2)
    traffic = one_stream(config, profile="mobile-robot")
    one = Delivery(config, traffic, 1).deliver(0, DT_US, make_plan(1, 2, 20.0), make_state(1, -4.0))
    two = Delivery(config, traffic, 1).deliver(0, DT_US, make_plan(1, 2, 20.0, second=True), make_state(1, -4.0))
    assert (one.spent_dl.tolist(), two.spent_dl.tolist()) == ([2, 0], [2, 2])
    assert two.loss_probability[0] == pytest.approx(one.loss_probability[0] ** 2)


def test_low_mcs_takes_more_symbols():
    config = radio_config(1)
    traffic = one_stream(config, profile="control-to-control")
    config_a = config.model_copy(update={"services": (ServiceConfig(name="c", profile="control-to-control", devices="agv"),)})
    traffic = build_traffic(config_a, ("agv",), np.random.default_rng(3))
    high = Delivery(config, traffic, 1).deliver(0, DT_US, make_plan(1, 1, 25.0), make_state(1, 25.0))
    low = Delivery(config, traffic, 1).deliver(0, DT_US, make_plan(1, 1, -5.0), make_state(1, 0.0))
    assert (int(high.mcs[0]), int(high.spent_dl[0])) == (28, 3)  # 8024 bit at 4.5234 bit/RE, 792 RE a symbol
    assert int(low.spent_dl[0]) == math.ceil(8024 / nr.SPECTRAL_EFFICIENCY[int(low.mcs[0])] / 792) > 14


def test_unusable_leg_waits_while_the_deadline_allows():
    config = radio_config(1)
    traffic = one_stream(config, profile="mobile-robot")
    delivery = Delivery(config, traffic, 1)
    blocked, free, state = make_plan(1, 1, usable=False), make_plan(1, 1), make_state(1, body_db=15.0, owner=4)
    assert delivery.deliver(0, DT_US, blocked, state).stream.size == 0
    later = delivery.deliver(DT_US, DT_US, free, state)
    assert later.message.tolist() == [0, 1]
    assert later.ok.all()
    assert int(later.latency_us[0]) > DT_US - int(traffic.offset_us[0])  # it waited for the next tick


def test_cause_recovery_keeps_the_owner():
    config = radio_config(1)
    delivery = Delivery(config, one_stream(config, profile="mobile-robot"), 1)
    results = run(delivery, make_plan(1, 1, usable=False), make_state(1, body_db=15.0, owner=4), 5)
    assert set(column(results, "cause")) == {Cause.RECOVERY}
    assert set(column(results, "owner")) == {4}
    assert set(column(results, "loss_probability")) == {1.0}
    assert column(results, "latency_us").max() == -1


@pytest.mark.parametrize(
    ("state", "reckoned", "cause", "owner"),
    [
        ({"sinr_db": -9.0, "clear_db": 20.0, "body_db": 29.0, "owner": 3}, 20.0, Cause.BODY, 3),
        ({"sinr_db": -9.0, "quiet_db": 20.0}, 20.0, Cause.INTERFERENCE, -1),
        ({"sinr_db": -6.0, "owner": 3, "body_db": 0.6}, 20.0, Cause.ADAPTATION, -1),
        ({"sinr_db": -30.0}, 20.0, Cause.STATIC_SHADOW, -1),
        ({"sinr_db": -30.0, "shadow_db": 20.0}, 20.0, Cause.STALE_BEAM, -1),
    ],
)
def test_cause_of_a_decoding_failure(state, reckoned, cause, owner):
    config = radio_config(1)
    delivery = Delivery(config, one_stream(config, profile="mobile-robot"), 1)
    results = run(delivery, make_plan(1, 1, reckoned), make_state(1, **state), 30)
    lost = ~column(results, "ok")
    assert lost.sum() > 5
    assert set(column(results, "cause")[lost]) == {cause}
    assert set(column(results, "owner")[lost]) == {owner}
    assert set(column(results, "part")[lost]) == {2 * owner if owner >= 0 else -1}
    assert set(column(results, "cause")[~lost]) <= {Cause.NONE}


def test_bad_luck_within_the_design_is_called_decoding():
    config = radio_config(1)
    delivery = Delivery(config, one_stream(config, profile="mobile-robot"), 6)
    results = run(delivery, make_plan(1, 1, 20.0), make_state(1, -2.79, body_db=0.0), 40_000)
    lost = ~column(results, "ok")
    assert 1e-5 < results[0].loss_probability[0] < 1e-3
    assert lost.sum() > 0
    assert set(column(results, "cause")[lost]) == {Cause.DECODING}


def test_cause_no_resources_where_symbols_run_out():
    config = radio_config(1, carrier=CarrierConfig(resource_blocks=11, bandwidth_hz=20e6))
    services = (
        ServiceConfig(name="c", profile="control-to-control", devices="agv", transfer_interval_us=1_000, survival_time_us=1_000),
    )
    config = config.model_copy(update={"services": services})
    traffic = build_traffic(config, ("agv",) * 6, np.random.default_rng(3))
    state = make_state(6, 3.0, clear_db=25.0, body_db=22.0, owner=5)
    results = run(Delivery(config, traffic, 1), make_plan(6, 1, 0.0), state, 5)
    lost = ~column(results, "ok")
    assert lost.sum() > 50
    assert set(column(results, "cause")[lost]) == {Cause.NO_RESOURCES}
    assert set(column(results, "owner")[lost]) == {5}  # without the body a higher MCS would have needed fewer symbols
    clear = run(Delivery(config, traffic, 1), make_plan(6, 1, 0.0), make_state(6, 3.0, owner=5), 5)
    assert set(column(clear, "owner")) == {-1}


def video_config(**changes):
    return radio_config(1, services=(ServiceConfig(name="v", profile="video", devices="agv"),), **changes)


def test_video_frame_takes_the_symbols_its_bits_need():
    config = video_config()
    traffic = build_traffic(config, ("agv",), np.random.default_rng(3))
    results = run(Delivery(config, traffic, 1), make_plan(1, 1, 20.0), make_state(1, 30.0), 100)
    frames = int(column(results, "ok").sum())
    assert frames == len(column(results, "ok")) >= 29
    spent = sum(int(r.spent_ul[0]) for r in results)
    assert spent == frames * math.ceil(800_000 / (4.5234 * 792))
    # 224 symbols at 24 per 500 us, and the fixed delays
    assert 4_600 < column(results, "latency_us").mean() < 7_500


def test_late_video_names_its_cause():
    config = video_config()
    traffic = build_traffic(config, ("agv",), np.random.default_rng(3))
    cases = {
        Cause.BODY: make_state(1, -9.0, clear_db=25.0, body_db=34.0, owner=2),
        Cause.INTERFERENCE: make_state(1, -9.0, quiet_db=25.0),
        Cause.ADAPTATION: make_state(1, 8.0),
        Cause.STALE_BEAM: make_state(1, -9.0, shadow_db=25.0),
        Cause.STATIC_SHADOW: make_state(1, -9.0),
    }
    for cause, state in cases.items():
        results = run(Delivery(config, traffic, 1), make_plan(1, 1, 20.0), state, 30)
        assert set(column(results, "cause")) == {cause}
        assert not column(results, "ok").any()
        assert set(column(results, "owner")) == ({2} if cause == Cause.BODY else {-1})
    results = run(Delivery(config, traffic, 1), make_plan(1, 1, usable=False), cases[Cause.BODY], 30)
    assert set(column(results, "cause")) == {Cause.RECOVERY}
    assert set(column(results, "owner")) == {2}


def test_more_video_than_the_carrier_holds_lacks_resources():
    config = video_config(carrier=CarrierConfig(resource_blocks=11, bandwidth_hz=20e6))
    traffic = build_traffic(config, ("agv",) * 4, np.random.default_rng(3))
    results = run(Delivery(config, traffic, 1), make_plan(4, 1, 25.0), make_state(4, 30.0), 60)
    lost = ~column(results, "ok")
    assert lost.sum() > 10
    assert set(column(results, "cause")[lost]) == {Cause.NO_RESOURCES}


def test_control_goes_before_video():
    services = (
        ServiceConfig(name="c", profile="mobile-robot", devices="agv", direction="uplink"),
        ServiceConfig(name="v", profile="video", devices="agv"),
    )
    config = radio_config(1, services=services, carrier=CarrierConfig(resource_blocks=11, bandwidth_hz=20e6))
    traffic = build_traffic(config, ("agv",) * 6, np.random.default_rng(3))
    results = run(Delivery(config, traffic, 1), make_plan(6, 1, 20.0), make_state(6, 30.0), 60)
    ok, video = column(results, "ok"), traffic.video[column(results, "stream")]
    assert ok[~video].all()
    assert not ok[video].all()


@settings(deadline=None, max_examples=40, derandomize=True)
@given(seed=st.integers(0, 10_000), chains=st.integers(1, 3), blocks=st.sampled_from([11, 32, 66]), start=st.integers(0, 3))
def test_invariants_under_random_plans(seed, chains, blocks, start):
    rng = np.random.default_rng(seed)
    config = radio_config(3, carrier=CarrierConfig(resource_blocks=blocks))
    trps = tuple(t.model_copy(update={"rf_chains": chains}) for t in config.trps)
    config = config.model_copy(update={"trps": trps})
    traffic = build_traffic(config, CLASSES, rng)
    delivery, twin = Delivery(config, traffic, seed), Delivery(config, traffic, seed)
    n_ue, seen = len(CLASSES), {}
    for k in range(start, start + 15):
        plan, state = make_plan(n_ue, 3, second=True), make_state(n_ue, owner=1)
        plan.trp[:] = rng.integers(-1, 3, plan.trp.shape)
        plan.usable[:] = rng.random(plan.usable.shape) < 0.8
        plan.repetitions[:] = rng.choice([1, 2, 4, 8], n_ue)
        for values in (
            plan.sinr_dl_db,
            plan.sinr_ul_db,
            state.sinr_dl_db,
            state.sinr_ul_db,
            state.clear_dl_db,
            state.shadow_ul_db,
        ):
            values[:] = rng.uniform(-20, 30, values.shape)
        for values in (state.sinr_dl_db, state.sinr_ul_db, state.clear_dl_db, state.quiet_ul_db, state.shadow_dl_db):
            values[plan.trp < 0] = np.nan
        got, again = delivery.deliver(k * DT_US, DT_US, plan, state), twin.deliver(k * DT_US, DT_US, plan, state)
        for name in ("stream", "message", "ok", "loss_probability", "latency_us", "cause", "owner", "sinr_db", "spent_ul"):
            np.testing.assert_array_equal(getattr(got, name), getattr(again, name))
        assert np.all(got.available_dl == 480 * chains)
        assert np.all((got.spent_dl >= 0) & (got.spent_dl <= got.available_dl))
        assert np.all((got.spent_ul >= 0) & (got.spent_ul <= got.available_ul))
        assert np.all((got.load_ul >= 0) & (got.load_ul <= 1))
        assert np.all((got.loss_probability >= 0) & (got.loss_probability <= 1))
        assert np.all((got.cause == Cause.NONE) == got.ok)
        assert np.all((got.owner < 0) | np.isin(got.cause, (Cause.BODY, Cause.RECOVERY, Cause.NO_RESOURCES)))
        assert np.all(got.latency_us[got.ok] <= traffic.deadline_us[got.stream[got.ok]])
        assert np.all(got.latency_us[got.ok] > 0)
        for s, j, t in zip(got.stream, got.message, got.time_us, strict=True):
            assert j == seen.get(int(s), int(j) - 1) + 1  # every message exactly once and in order
            assert t == traffic.offset_us[s] + j * traffic.interval_us[s] >= start * DT_US
            assert t + traffic.deadline_us[s] >= k * DT_US
            seen[int(s)] = int(j)


def test_a_run_may_start_late_and_change_its_tick():
    config = radio_config(1)
    traffic = one_stream(config, profile="mobile-robot")
    delivery = Delivery(config, traffic, 1)
    plan, state = make_plan(1, 1), make_state(1)
    first = run(delivery, plan, state, 3, start_us=500_000)
    short = [delivery.deliver(530_000 + k * 5_000, 5_000, plan, state) for k in range(6)]
    assert column(first + short, "message").tolist() == list(range(50, 56))


def test_ticks_and_shapes_that_do_not_fit_are_refused():
    config = radio_config(1)
    traffic = one_stream(config, profile="mobile-robot")
    with pytest.raises(ValueError, match="whole multiples of the TDD period, 500 us"):
        Delivery(config, traffic, 1).deliver(0, 9_900, make_plan(1, 1), make_state(1))
    with pytest.raises(ValueError, match="plan holds 1 UEs and state 2"):
        Delivery(config, traffic, 1).deliver(0, DT_US, make_plan(1, 1), make_state(2))


def test_cause_names_follow_the_codes():
    assert [CAUSES[c] for c in Cause] == [c.name.lower() for c in Cause]
    assert CAUSES[Cause.STATIC_SHADOW] == "static_shadow"


def test_margin_is_returned_to_video():
    config = video_config(link_adaptation=LinkAdaptationConfig(margin_db=10.0))
    traffic = build_traffic(config, ("agv",), np.random.default_rng(3))
    result = run(Delivery(config, traffic, 1), make_plan(1, 1, 10.0), make_state(1, 30.0), 10)
    assert set(column(result, "mcs")) == {28}  # 10 dB with 10 dB of margin off is 20 dB
