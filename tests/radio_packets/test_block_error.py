"""Normal approximation against published points, and the survival-time rule against its formulas."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radio.config import LinkAdaptationConfig
from radio.messages import nr
from radio.messages.reliability import (
    block_error,
    block_error_oracle,
    effective_sinr_db,
    iid_mtbf_s,
    iid_unavailability,
    markov_unavailability,
    required_sinr_db,
    service_down,
    service_down_probability,
    survival_messages,
)

GAPS = LinkAdaptationConfig()


@pytest.mark.parametrize(
    ("mcs", "at_1e5", "at_1e6"),
    [
        (0, -12.02, -11.81),
        (3, -8.63, -8.42),
        (5, -6.64, -6.43),
        (8, -3.47, -3.26),
        (10, -1.08, -0.88),
        (12, 1.01, 1.21),
        (14, 2.80, 3.01),
        (16, 4.34, 4.55),
        (20, 8.28, 8.51),
    ],
)
def test_required_sinr_of_32_bytes(mcs, at_1e5, at_1e6):
    # 256 bit + 16 CRC spread over 272 / SE resource elements, complex normal approximation
    bits = 8 * 32 + nr.crc_bits(8 * 32)
    n_re = bits / nr.SPECTRAL_EFFICIENCY[mcs]
    assert required_sinr_db(n_re, bits, 1e-5) == pytest.approx(at_1e5, abs=0.05)
    assert required_sinr_db(n_re, bits, 1e-6) == pytest.approx(at_1e6, abs=0.05)


@pytest.mark.parametrize(
    ("n_re", "bits", "antennas", "ran4_db", "approximation_db"),
    [
        (6864, 8064 + 24, 2, 3.2, -1.64),  # TS 38.101-4 5.2.2.1.5, PDSCH, LowSE MCS 14, 1x2
        (6864, 8064 + 24, 4, 0.7, -4.65),  # the same, 1x4
        (3600, 720, 2, -5.1, -10.16),  # TS 38.104 8.2.6, PUSCH A3A-1, 1x2
        (7488, 1496, 2, -5.9, -10.50),  # A3A-2
        (3456, 688, 2, -5.4, -10.16),  # A3A-3
        (15264, 2992, 2, -6.2, -10.82),  # A3A-4
    ],
)
def test_model_lies_between_the_approximation_and_ran4(n_re, bits, antennas, ran4_db, approximation_db):
    per_antenna = float(required_sinr_db(n_re, bits, 1e-5)) - 10 * np.log10(antennas)
    assert per_antenna == pytest.approx(approximation_db, abs=0.05)
    gap = GAPS.implementation_gap_db + GAPS.channel_estimation_loss_db
    assert approximation_db < per_antenna + gap < ran4_db
    # and the model's block error at the RAN4 point keeps its 0.001 %
    model = effective_sinr_db(ran4_db + 10 * np.log10(antennas), GAPS.implementation_gap_db, GAPS.channel_estimation_loss_db)
    assert block_error(model, n_re, bits) < 1e-5


@settings(deadline=None, max_examples=200, derandomize=True)
@given(sinr_db=st.floats(-40, 40), n_re=st.floats(50, 2e5), rate=st.floats(0.02, 6))
def test_kernel_agrees_with_the_oracle(sinr_db, n_re, rate):
    bits = max(1.0, rate * n_re)
    np.testing.assert_allclose(block_error(sinr_db, n_re, bits), block_error_oracle(sinr_db, n_re, bits), rtol=1e-6, atol=1e-290)


@settings(deadline=None, max_examples=100, derandomize=True)
@given(n_re=st.floats(100, 5e4), rate=st.floats(0.03, 4.5), target=st.floats(1e-9, 0.4))
def test_required_sinr_inverts_block_error(n_re, rate, target):
    bits = max(20.0, rate * n_re)
    assert block_error(required_sinr_db(n_re, bits, target), n_re, bits) == pytest.approx(target, rel=1e-6)


def test_block_error_broadcasts_and_orders():
    grid = block_error(np.array([[-5.0], [0.0], [5.0]]), np.array([600.0, 1600.0]), 528.0)
    assert grid.shape == (3, 2)
    assert np.all(np.diff(grid, axis=0) < 0)  # more SINR, fewer errors
    assert np.all(np.diff(grid, axis=1) < 0)  # more resource elements, fewer errors


def test_no_signal_is_an_error_and_a_bad_target_is_refused():
    assert block_error(-400.0, 1000.0, 500.0) == 1.0
    assert block_error(np.nan, 1000.0, 500.0) == 1.0
    with pytest.raises(ValueError, match="target 10 is no block error ratio"):
        required_sinr_db(1000.0, 500.0, 10)


@pytest.mark.parametrize(
    ("survival", "interval", "m"), [(0, 10_000, 1), (10_000, 10_000, 2), (16_000, 8_000, 3), (15_999, 8_000, 2)]
)
def test_survival_messages(survival, interval, m):
    assert survival_messages(survival, interval) == m


def test_survival_arguments_are_checked():
    with pytest.raises(ValueError, match="the interval must be above 0"):
        survival_messages(10, 0)
    with pytest.raises(ValueError, match="m 0 must be at least 1"):
        service_down(np.array([True]), 0)
    with pytest.raises(ValueError, match="loss 0 gives no finite time"):
        iid_mtbf_s(0, 2, 1000)


def test_service_is_down_from_the_mth_bad_message_until_the_next_good_one():
    ok = np.array([1, 0, 1, 0, 0, 0, 1, 0, 0], dtype=bool)
    assert service_down(ok, 1).tolist() == [False, True, False, True, True, True, False, True, True]
    assert service_down(ok, 2).tolist() == [False, False, False, False, True, True, False, False, True]
    assert service_down(ok, 3).tolist() == [False, False, False, False, False, True, False, False, False]


@pytest.mark.parametrize("m", [1, 2, 3])
def test_iid_formulas_hold_exactly_and_in_counts(m):
    p, n, interval_us = 0.05, 1_000_000, 10_000
    down, entry = service_down_probability(np.full(50, p), m)
    # TS 22.104 C.3: U = p^m, entries p^m (1 - p) per message, once the history is full
    assert down[-1] == pytest.approx(iid_unavailability(p, m), rel=1e-12)
    assert interval_us * 1e-6 / entry[-1] == pytest.approx(iid_mtbf_s(p, m, interval_us), rel=1e-12)
    counted = service_down(np.random.default_rng(11).random(n) >= p, m)
    spread = 5 * np.sqrt(p**m * (1 + 2 * p) / n) + 1e-9
    assert counted.mean() == pytest.approx(p**m, abs=spread)
    entries = np.count_nonzero(counted[1:] & ~counted[:-1])
    assert entries * 1.0 == pytest.approx(n * p**m * (1 - p), abs=5 * np.sqrt(n * p**m))


@pytest.mark.parametrize(("m", "published"), [(1, 0.0476), (2, 0.0381), (3, 0.0305)])
def test_markov_formula_against_the_exact_chain(m, published):
    # Gilbert(0.01, 0.2): good to bad 0.01, bad to good 0.2
    into, out = 0.01, 0.2
    bad, bad_after_bad = into / (into + out), 1 - out
    assert markov_unavailability(bad, bad_after_bad, m) == pytest.approx(published, abs=5e-5)
    # exact: states count the consecutive bad messages 0, 1, .. m (m: down)
    step = np.zeros((m + 1, m + 1))
    step[0, 0], step[0, 1] = 1 - into, into
    for k in range(1, m + 1):
        step[k, 0], step[k, min(k + 1, m)] = out, bad_after_bad
    stationary = np.linalg.matrix_power(step, 4096)[0]
    assert markov_unavailability(bad, bad_after_bad, m) == pytest.approx(stationary[m], rel=1e-9)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(loss=st.lists(st.sampled_from([0.0, 0.1, 0.7, 1.0]), min_size=1, max_size=8), m=st.integers(1, 4))
def test_down_probability_is_the_expectation_over_all_outcomes(loss, m):
    p = np.array(loss)
    down, entry = np.zeros(len(p)), np.zeros(len(p))
    for code in range(2 ** len(p)):
        lost = np.array([(code >> i) & 1 for i in range(len(p))], dtype=bool)
        weight = np.prod(np.where(lost, p, 1 - p))
        is_down = service_down(~lost, m)
        down += weight * is_down
        entry += weight * (is_down & ~np.concatenate(([False], is_down[:-1])))
    got_down, got_entry = service_down_probability(p, m)
    np.testing.assert_allclose(got_down, down, atol=1e-12)
    np.testing.assert_allclose(got_entry, entry, atol=1e-12)
