"""Symbol times, MCS table and processing times against TS 38.211 and 38.214."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radio.config import CarrierConfig
from radio.messages import nr
from radio.messages.delivery_symbols import end_of, ordinal_at


def test_spectral_efficiency_is_order_times_rate():
    # TS 38.214 Table 5.1.3.1-3 prints the product to four decimals
    np.testing.assert_allclose(nr.SPECTRAL_EFFICIENCY, nr.MODULATION_ORDER * nr.CODE_RATE_X1024 / 1024, atol=5.1e-5)
    assert len(nr.SPECTRAL_EFFICIENCY) == 29
    assert np.all(np.diff(nr.SPECTRAL_EFFICIENCY) > 0)


def test_cqi_table_is_a_choice_of_the_mcs_table():
    # TS 38.214 Table 5.2.2.1-4: its efficiencies are order times rate, and all of them in the MCS table
    np.testing.assert_allclose(nr.CQI_EFFICIENCY, nr.CQI_MODULATION_ORDER * nr.CQI_CODE_RATE_X1024 / 1024, atol=5.1e-5)
    assert np.isin(nr.CQI_EFFICIENCY, nr.SPECTRAL_EFFICIENCY).all()
    allowed = nr.reported_efficiency()
    assert allowed[[0, 1, 2, 3, 28]].tolist() == [0.0586, 0.0977, 0.0977, 0.1523, 4.5234]
    assert np.all(allowed >= nr.SPECTRAL_EFFICIENCY)


@pytest.mark.parametrize(("mu", "slot"), [(0, 1000), (1, 500), (2, 250), (3, 125)])
def test_slot_durations(mu, slot):
    assert nr.slot_us(mu) == slot  # TS 38.211 4.3.2


@pytest.mark.parametrize(("mu", "symbols", "us"), [(1, 2, 71), (1, 4, 143), (1, 7, 250), (3, 2, 18), (3, 4, 36), (3, 7, 62.5)])
def test_mini_slot_durations(mu, symbols, us):
    assert nr.mini_slot_us(mu, symbols) == pytest.approx(us, abs=0.5)


@pytest.mark.parametrize(
    ("mu", "capability", "n1_us", "n2_us"),
    [(0, 1, 571, 714), (1, 1, 357, 428), (2, 1, 303, 410), (3, 1, 178, 321), (0, 2, 214, 357), (1, 2, 161, 196)],
)
def test_processing_times(mu, capability, n1_us, n2_us):
    # TS 38.214 Tables 5.3-1, 5.3-2, 6.4-1, 6.4-2 in symbols of 71.354 / 2^mu us
    assert nr.pdsch_processing_us(mu, capability) == pytest.approx(n1_us, abs=1.0)
    assert nr.pusch_preparation_us(mu, capability) == pytest.approx(n2_us, abs=1.0)


@pytest.mark.parametrize("times", [nr.pdsch_processing_us, nr.pusch_preparation_us])
def test_capability_2_does_not_exist_at_120_khz(times):
    with pytest.raises(ValueError, match=r"capability 2 has no processing time at mu 3 \(120 kHz\); use capability 1"):
        times(3, 2)


def test_unknown_numerology_capability_and_mini_slot_are_refused():
    with pytest.raises(ValueError, match="subcarrier_spacing_hz 28 is no NR data numerology"):
        nr.numerology(28)
    with pytest.raises(ValueError, match="capability 3 is unknown"):
        nr.pdsch_processing_us(1, 3)
    with pytest.raises(ValueError, match="mu 7 is outside the table"):
        nr.pusch_preparation_us(7, 1)
    with pytest.raises(ValueError, match="symbols 15"):
        nr.mini_slot_us(1, 15)


def test_crc_length_changes_at_3824_bits():
    assert (nr.crc_bits(3824), nr.crc_bits(3825)) == (16, 24)  # TS 38.212 7.2.1


def test_pattern_of_the_default_carrier():
    tdd = nr.tdd_pattern(CarrierConfig())
    assert (tdd.period_us, tdd.symbols) == (500, 56)
    # half of 56 each way, less 14 % overhead
    assert tdd.usable.tolist() == [24, 24]
    assert tdd.first.tolist() == [4, 32]
    assert tdd.symbols_in(10_000, 0) == 480
    assert tdd.start_us(24, 1) == pytest.approx(500 + 32 * 125 / 14)


def test_pattern_without_room_for_a_mini_slot_is_refused():
    with pytest.raises(ValueError, match="leaves the downlink 0 of 14 symbols"):
        nr.tdd_pattern(CarrierConfig(subcarrier_spacing_hz=15_000, downlink_share=0.06))


@settings(deadline=None, max_examples=100, derandomize=True)
@given(
    spacing=st.sampled_from([15_000, 30_000, 60_000, 120_000]),
    share=st.floats(0.3, 0.7),
    direction=st.sampled_from([0, 1]),
    time_us=st.floats(0, 20_000),
)
def test_ordinals_and_times_are_inverse(spacing, share, direction, time_us):
    tdd = nr.tdd_pattern(CarrierConfig(subcarrier_spacing_hz=spacing, downlink_share=share))
    first, usable = int(tdd.first[direction]), int(tdd.usable[direction])
    q = ordinal_at(time_us, tdd.period_us, tdd.symbol_us, first, usable)
    assert tdd.start_us(q, direction) >= time_us - 1e-6
    assert q == 0 or tdd.start_us(q - 1, direction) < time_us
    assert end_of(q, tdd.period_us, tdd.symbol_us, first, usable) == pytest.approx(tdd.start_us(q, direction) + tdd.symbol_us)
