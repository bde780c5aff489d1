"""How two legs carry one message: errors against closed forms, symbols, timing, and what is refused."""

import math

import numpy as np
import pytest
from packet_scene import DT_US, make_plan, make_state, radio_config
from pydantic import ValidationError

from radio.config import CarrierConfig, LinkAdaptationConfig, NamedCarrierConfig, RadioConfig, ServiceConfig, TrpConfig
from radio.messages import delivery_tables as tables
from radio.messages import nr
from radio.messages.delivery import Delivery
from radio.messages.delivery_causes import legs_error, soft_combined_error
from radio.messages.reliability import block_error_oracle
from radio.messages.traffic import build_traffic

PENALTY_DB = 2.0
FIRST_DB, SECOND_DB = -6.5, -5.0
BITS = 64 * 8 + 16
ELEMENTS = 2 * 12 * 66  # two symbols of 66 PRBs, the shortest there is


def scene(scheme, carriers=(None, None), combining="chase", first_carrier=None):
    trps = tuple(TrpConfig(name=f"t{i}", position_m=(10.0 * i, 5.0, 7.0), carrier=c) for i, c in enumerate(carriers))
    named = (NamedCarrierConfig(name="second", frequency_hz=3.7e9),) if "second" in carriers else ()
    config = RadioConfig(
        trps=trps,
        carriers=named,
        carrier=first_carrier or CarrierConfig(),
        link_adaptation=LinkAdaptationConfig(redundancy=scheme, soft_combining=combining),
        services=(ServiceConfig(name="c", profile="mobile-robot", devices="agv"),),
    )
    return config, build_traffic(config, ("agv",), np.random.default_rng(3))


def deliver(scheme, first_db=FIRST_DB, second_db=SECOND_DB, ticks=1, repetitions=1, reckoned=20.0, **more):
    config, traffic = scene(scheme, **more)
    delivery = Delivery(config, traffic, 1)
    plan = make_plan(1, 2, reckoned, second=True, repetitions=repetitions)
    state = make_state(1, first_db, second_db=second_db)
    return [delivery.deliver(k * DT_US, DT_US, plan, state) for k in range(ticks)]


def error(snr, elements=ELEMENTS):
    return float(block_error_oracle(10 * math.log10(snr) - PENALTY_DB, elements, BITS))


A, B = 10 ** (FIRST_DB / 10), 10 ** (SECOND_DB / 10)
MEAN_INFORMATION = (
    math.sqrt((1 + A * 10 ** (-PENALTY_DB / 10)) * (1 + B * 10 ** (-PENALTY_DB / 10))) - 1
) * 10 ** (PENALTY_DB / 10)  # fmt: skip


@pytest.mark.parametrize(
    ("scheme", "carriers", "expected"),
    [
        ("independent_repetition", (None, None), error(A) * error(B)),
        ("pdcp_duplication", (None, "second"), error(A) * error(B)),
        ("tdm_repetition", (None, None), error(A + B)),
        ("tdm_a", (None, None), error(A + B)),
        ("fdm_a", (None, None), error(MEAN_INFORMATION)),
        ("fdm_b", (None, None), error(A + B, ELEMENTS / 2)),
    ],
)
def test_each_scheme_has_its_error(scheme, carriers, expected):
    result = deliver(scheme, carriers=carriers)[0]
    assert result.loss_probability[0] == pytest.approx(expected, rel=1e-9, abs=1e-300)
    assert result.spent_symbols[0] == 4  # two symbols on each leg
    assert result.spent_dl.tolist() == [2, 2]


def test_soft_combining_beats_codewords_of_their_own():
    losses = {s: float(deliver(s)[0].loss_probability[0]) for s in tables.SCHEMES if s != "pdcp_duplication"}
    assert losses["tdm_repetition"] == losses["tdm_a"] < losses["independent_repetition"]
    # one codeword over both halves lacks the power of the other symbols, but never loses to the weaker leg alone
    assert losses["fdm_a"] < error(A)


def starts_us(result, config):
    """Latency less the fixed parts: when the last symbol that was needed ended, after the tick's begin."""
    n1 = nr.pdsch_processing_us(3)
    return result.time_us[0] + result.latency_us[0] - 0.5 * n1


def test_time_division_follows_on_and_frequency_division_does_not_wait():
    # the first leg is hopeless, so the second decides when it is over; 120 kHz: symbols of 8.93 us, slots of 125 us
    ends = {}
    for scheme in ("independent_repetition", "tdm_a", "tdm_repetition", "fdm_b"):
        config, _ = scene(scheme)
        ends[scheme] = starts_us(deliver(scheme, -30.0, 20.0)[0], config)
    symbol_us = 125 / 14
    assert ends["tdm_a"] - ends["independent_repetition"] == pytest.approx(2 * symbol_us, abs=1.5)
    assert ends["fdm_b"] == pytest.approx(ends["independent_repetition"], abs=1.5)
    later = ends["tdm_repetition"] - 2 * symbol_us
    assert later % 125 == pytest.approx(0.0, abs=1.5)  # begins with the next slot


def test_both_occasions_of_tdm_a_are_in_one_slot():
    config, traffic = scene("tdm_a", first_carrier=CarrierConfig(tdd_pattern="DDSU", special_slot="6:4:4"))
    sent = 0
    for seed in range(12):
        traffic = build_traffic(config, ("agv",), np.random.default_rng(seed))
        delivery = Delivery(config, traffic, 1)
        plan, state = make_plan(1, 2, 0.0, second=True), make_state(1, 20.0)
        delivery.deliver(0, DT_US, plan, state)
        slots = []
        tdd = nr.tdd_pattern(config.carrier)
        for t in range(2):
            taken = np.flatnonzero(delivery._used[t, 0])
            symbol = tdd.first[0] + taken % tdd.usable[0] + taken // tdd.usable[0] * tdd.symbols
            slots += (symbol // 14).tolist()
        assert len(set(slots)) <= 1  # none where the message arrives too late for this tick
        sent += len(set(slots))
    assert sent > 6


def test_frequency_division_takes_the_same_symbols():
    config, traffic = scene("fdm_b")
    delivery = Delivery(config, traffic, 1)
    delivery.deliver(0, DT_US, make_plan(1, 2, 5.0, second=True), make_state(1, 20.0))
    np.testing.assert_array_equal(delivery._used[0, 0], delivery._used[1, 0])
    assert delivery._used[0, 0].any()


def test_copies_are_never_on_one_carrier():
    config, traffic = scene("pdcp_duplication", (None, None, "second"))
    delivery, state = Delivery(config, traffic, 1), make_state(1, FIRST_DB, second_db=SECOND_DB)
    plan = make_plan(1, 3, 20.0, second=True)  # legs on TRPs 0 and 1, the same carrier
    result = delivery.deliver(0, DT_US, plan, state)
    assert result.loss_probability[0] == pytest.approx(error(A), rel=1e-9)
    assert result.spent_dl.tolist() == [2, 0, 0]
    plan.trp[:, 1] = 2
    result = delivery.deliver(DT_US, DT_US, plan, state)
    assert result.loss_probability[0] == pytest.approx(error(A) * error(B), rel=1e-9)
    plan.usable[:, 0] = False  # the other leg goes on alone
    result = delivery.deliver(2 * DT_US, DT_US, plan, state)
    assert result.loss_probability[0] == pytest.approx(error(B), rel=1e-9)


def test_schemes_over_two_carriers_or_one_use_the_first_leg():
    config, traffic = scene("tdm_repetition", (None, None, "second"))
    plan, state = make_plan(1, 3, 20.0, second=True), make_state(1, FIRST_DB, second_db=SECOND_DB)
    plan.trp[:, 1] = 2
    result = Delivery(config, traffic, 1).deliver(0, DT_US, plan, state)
    assert result.loss_probability[0] == pytest.approx(error(A), rel=1e-9)


def test_repetitions_and_legs_combine():
    result = deliver("tdm_repetition", repetitions=2)[0]
    assert result.loss_probability[0] == pytest.approx(error(2 * A + 2 * B), rel=1e-9, abs=1e-300)
    assert result.spent_symbols[0] == 8


def test_incremental_redundancy_adds_information_until_the_buffer_is_through():
    # k = 1000 bit at 16QAM in 400 elements; the circular buffer of rate 1/5 holds 5 k / 4 = 1250 elements
    k, n, circular = 1000.0, 400.0, 1250.0
    for count, elements, repeated in ((1, 400.0, 1.0), (2, 800.0, 1.0), (3, 1200.0, 1.0), (5, 1250.0, 2000.0 / 1250.0)):
        snr = 1.3
        got = soft_combined_error(snr * count, float(count), n, k, circular, True)
        assert got == pytest.approx(float(block_error_oracle(10 * math.log10(snr * repeated), elements, k)), rel=1e-9, abs=1e-300)
    # two legs at one SINR are as good as two receptions of one; at different ones between them
    n_re = np.array([n, n])
    scheme = tables.TDM_SLOTS
    both = legs_error(1.3, 1.3, 1, 1, n_re, k, circular, scheme, True)
    assert both == pytest.approx(soft_combined_error(2.6, 2.0, n, k, circular, True), rel=1e-9)
    mixed = legs_error(1.5, 1.1, 1, 1, n_re, k, circular, scheme, True)
    assert soft_combined_error(3.0, 2.0, n, k, circular, True) < mixed < soft_combined_error(2.2, 2.0, n, k, circular, True)


@pytest.mark.parametrize(
    ("scheme", "carriers", "match"),
    [
        ("pdcp_duplication", (None, None), "needs TRPs on two carriers, for copies are never on the same one"),
        ("tdm_a", (None, "second"), "needs two TRPs on one carrier; every carrier has one alone"),
    ],
)
def test_schemes_that_the_carriers_do_not_allow(scheme, carriers, match):
    with pytest.raises(ValidationError, match=match):
        scene(scheme, carriers)


def test_the_default_is_what_it_says():
    assert radio_config(2).link_adaptation.redundancy == "independent_repetition"
