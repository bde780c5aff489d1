"""Timelines of single packets against timelines worked out by hand, to the symbol; patterns, repetitions and HARQ numbers."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radio.messages.timeline import LinkTiming, check_deadline, downlink_latency, largest_latency_us, latency, smallest_latency_us
from radio.messages.timeline import uplink_latency as uplink
from radio.messages.timeline_grid import fdd_grid, tdd_grid
from radio.messages.timeline_harq import (
    configured_grant_harq_process,
    first_occasions,
    pdsch_capability,
    pdsch_extra_symbols,
    processing,
    pusch_extra_symbols,
    redundancy_versions,
    sps_harq_process,
)

# Symbol with prefix, kappa Tc (2048 + 144): what processing times are counted in.
PREFIX_US = {0: 71.3542, 1: 35.6771, 3: 8.91927}


def symbols(timeline):
    return [(s.what, s.symbol) for s in timeline.steps if s.symbol is not None]


def test_configured_grant_at_15_khz():
    # N2 = 10 symbols; half of them, 356.8 us, end inside symbol 4, so symbols 5 and 6 are sent and end at 500 us
    t = uplink(LinkTiming(fdd_grid(0), processing(0)), 0.0)
    assert symbols(t) == [("PUSCH", 5)]
    assert t.latency_us == pytest.approx(500.0 + 4 * PREFIX_US[0], abs=0.01)  # and half of N1 = 8


def test_configured_grant_waits_for_the_special_slot_at_30_khz():
    # DDDSU, special slot 6:4:4: uplink symbols are 52 to 55 and 56 to 69; N2 / 2 = 6 symbols, 214.1 us
    t = uplink(LinkTiming(tdd_grid(1, "DDDSU", "6:4:4"), processing(1), length=4), 0.0)
    assert symbols(t) == [("PUSCH", 52)]
    assert t.latency_us == pytest.approx(2000.0 + 5 * PREFIX_US[1], abs=0.01)  # symbol 56 begins at 2 ms; N1 / 2 = 5
    late = uplink(LinkTiming(tdd_grid(1, "DDDSU", "6:4:4"), processing(1), length=5), 0.0)
    assert symbols(late) == [("PUSCH", 56)]  # five symbols do not fit before the slot ends


def test_downlink_and_its_retransmission_at_120_khz():
    # DDSU in 0.5 ms; N2 / 2 = 18 symbols, 160.5 us: symbol 18; seven symbols end with slot 1's symbol 24, at 25 x 8.929 us.
    # T_proc,1 = 20 symbols end in symbol 44, so HARQ-ACK in uplink symbol 45; 10 + 18 symbols at the gNB end in symbol 73:
    # retransmission in symbol 74 = 56 + 18, downlink again.
    timing = LinkTiming(tdd_grid(3, "DDSU", "6:4:4"), processing(3), length=7, access="dynamic")
    once, twice = downlink_latency(timing, 0.0), downlink_latency(timing, 0.0, 2)
    assert symbols(once) == [("PDSCH", 18)]
    assert once.latency_us == pytest.approx(25 * 125 / 14 + 10 * PREFIX_US[3], abs=0.01)
    assert symbols(twice) == [("PDSCH", 18), ("HARQ-ACK (PUCCH)", 45), ("PDSCH again", 74)]
    assert twice.latency_us == pytest.approx(81 * 125 / 14 + 10 * PREFIX_US[3], abs=0.01)


def test_scheduling_request_and_grant_at_30_khz():
    # 214.1 us of preparation miss the request's occasion at 0, the next is at 1 ms, symbol 28. 5 + 6 symbols at the gNB
    # (392.4 us) end in symbol 39: grant in 40. N2 = 12 symbols end in symbol 52: PUSCH in 53 and 54.
    timing = LinkTiming(fdd_grid(1), processing(1), access="dynamic", sr_period_us=1000)
    t = uplink(timing, 0.0)
    assert symbols(t) == [("scheduling request", 28), ("grant (PDCCH)", 40), ("PUSCH", 53)]
    assert t.latency_us == pytest.approx(55 * 500 / 14 + 5 * PREFIX_US[1], abs=0.01)
    retransmitted = uplink(timing, 0.0, 2)
    # PUSCH ends at 1964.3 us; 392.4 us later symbol 65 runs: grant in 66; N2 ends in symbol 78: 79 and 80
    assert symbols(retransmitted)[3:] == [("grant (PDCCH)", 66), ("PUSCH again", 79)]


def test_capability_2_is_faster_and_does_not_exist_at_120_khz():
    fast = uplink(LinkTiming(fdd_grid(1), processing(1, 2)), 0.0)
    # N2 = 5.5: 98.1 us, symbol 3 begins at 107.1; symbols 3 and 4; N1 / 2 = 2.25 symbols
    assert symbols(fast) == [("PUSCH", 3)]
    assert fast.latency_us == pytest.approx(5 * 500 / 14 + 2.25 * PREFIX_US[1], abs=0.01)
    with pytest.raises(ValueError, match="processing_capability 2 does not exist at 120 kHz"):
        processing(3, 2)
    with pytest.raises(ValueError, match=r"60 kHz exists below 7\.125 GHz only"):
        processing(2, 2, fr2=True)
    # above 136 PRBs at 30 kHz PDSCH falls back to N1 = 10, PUSCH keeps 5.5
    wide = processing(1, 2, resource_blocks=137)
    assert wide.pdsch_us == pytest.approx(10 * PREFIX_US[1], abs=0.01)
    assert wide.pusch_us == pytest.approx(5.5 * PREFIX_US[1], abs=0.01)
    assert pdsch_capability(1, 2, 136) == 2


def test_additional_symbols_of_short_allocations():
    # TS 38.214 5.3, type B, capability 1: L >= 7: 0, 4 to 6: 7 - L, 3: 3 + min(d, 1), 2: 3 + d
    assert [pdsch_extra_symbols(1, length, 2) for length in (2, 3, 4, 5, 6, 7, 13)] == [5, 4, 3, 2, 1, 0, 0]
    # capability 2: 3 to 6: d; 2: d, or 3 with a CORESET of three symbols that starts with the PDSCH
    assert [pdsch_extra_symbols(2, length, 1) for length in (2, 3, 6, 7)] == [1, 1, 1, 0]
    assert pdsch_extra_symbols(2, 2, 1, same_coreset_of_3=True) == 3
    assert (pusch_extra_symbols(True), pusch_extra_symbols(False)) == (0, 1)
    with pytest.raises(ValueError, match="type B PDSCH has 2 to 13 symbols"):
        pdsch_extra_symbols(1, 14)
    assert processing(0, 1, d_11=3, d_21=1).pdsch_us == pytest.approx(11 * PREFIX_US[0], abs=0.01)
    assert processing(0, 1, d_11=3, d_21=1).pusch_us == pytest.approx(11 * PREFIX_US[0], abs=0.01)


def test_redundancy_versions_and_where_a_packet_may_begin():
    # the n-th occasion takes the (mod(n - 1, 4) + 1)th value
    assert redundancy_versions("0231", 8) == (0, 2, 3, 1, 0, 2, 3, 1)
    assert redundancy_versions("0303", 4) == (0, 3, 0, 3)
    assert first_occasions("0231", 4) == (0,)
    assert first_occasions("0303", 8) == (0, 2, 4, 6)
    assert first_occasions("0000", 4) == (0, 1, 2, 3)
    assert first_occasions("0000", 8) == tuple(range(7))
    with pytest.raises(ValueError, match="repetitions 3: repK is one of 1, 2, 4, 8"):
        redundancy_versions("0231", 3)
    with pytest.raises(ValueError, match="repK-RV"):
        redundancy_versions("0123", 4)


@pytest.mark.parametrize(("sequence", "sent"), [("0231", [56, 57, 58, 59]), ("0303", [30, 31]), ("0000", [30, 31])])
def test_a_packet_begins_where_its_sequence_lets_it(sequence, sent):
    # 30 kHz, every 1 ms four repetitions of one symbol: 28 to 31 at 1 ms, 56 to 59 at 2 ms. Ready at 1050 us, in symbol 29:
    # 0231 waits for the next period; 0303 has RV 0 at the third repetition as well, 0000 at any
    timing = LinkTiming(fdd_grid(1), processing(1), 1, periodicity_us=1000, repetitions=4, rv_sequence=sequence)
    t = uplink(timing, 1050.0 - 6 * PREFIX_US[1])
    assert [symbol for _, symbol in symbols(t)] == sent


def test_harq_process_numbers():
    # TS 38.321 5.3.1: 20 slots a frame, period 5 ms, 8 processes: slot 47 is in the fifth period (index 4)
    assert [sps_harq_process(slot, 20, 5, 8) for slot in (0, 9, 10, 47, 80)] == [0, 0, 1, 4, 0]
    # TS 38.321 5.4.1: period of 28 symbols, 4 processes
    assert [configured_grant_harq_process(symbol, 28, 4) for symbol in (0, 27, 28, 84, 112)] == [0, 0, 1, 3, 0]


def test_semi_persistent_downlink_waits_for_its_occasion():
    timing = LinkTiming(fdd_grid(1), processing(1), access="semi_persistent", periodicity_us=2000, core_delay_us=500.0)
    t = downlink_latency(timing, 0.0)
    assert symbols(t) == [("PDSCH", 56)]
    assert t.latency_us == pytest.approx(58 * 500 / 14 + 5 * PREFIX_US[1], abs=0.01)


@pytest.mark.parametrize(
    ("mu", "pattern", "special", "match"),
    [
        (1, "DDDSU", None, "special_slot None: give downlink:guard:uplink"),
        (1, "DDDSU", "6:4:5", "has 15 symbols"),
        (1, "DDDSU", "7:0:7", "turning around takes at least one"),
        (1, "DDDU", "6:4:4", "no S slot"),
        (1, "DDDXU", None, "use the letters D, S and U"),
        (1, "DUDU", None, "downlink slots first"),
        (1, "DDDDDDU", None, "7 slots at 30 kHz last 3.5 ms, no period of"),
        (0, "DDDDDDDDU", None, "9 slots at 15 kHz last 9 ms"),
        (1, "DDDDDU", None, "repeats after 3 ms, which does not divide 20 ms"),
        (0, "DU+DU+DU", None, "knows one or two"),
        (0, "DD", None, "has no uplink symbol"),
    ],
)
def test_patterns_that_the_standard_does_not_know(mu, pattern, special, match):
    with pytest.raises(ValueError, match=match):
        tdd_grid(mu, pattern, special)


def test_patterns_that_it_knows():
    assert tdd_grid(1, "DDDSU", "6:4:4").period_us == 2500.0
    assert tdd_grid(3, "DDDSU", "10:2:2").period_us == 625.0
    two = tdd_grid(1, "DDDSUU+DDDD", "6:4:4")  # 3 ms and 2 ms
    assert two.period_us == 5000.0
    assert (two.downlink.sum(), two.uplink.sum()) == (7 * 14 + 6, 2 * 14 + 4)


def test_impossible_deadlines_name_the_least_latency():
    timing = LinkTiming(tdd_grid(3, "DDSU", "6:4:4"), processing(3), core_delay_us=500.0)
    least = smallest_latency_us(timing, "uplink")
    # N2 / 2 + two symbols + N1 / 2 and the core
    assert least == pytest.approx(18 * PREFIX_US[3] + 2 * 125 / 14 + 10 * PREFIX_US[3] + 500.0, abs=0.01)
    message = r"max_latency_us 700 is impossible: uplink by configured_grant at 120 kHz .* allow at least 768 us"
    with pytest.raises(ValueError, match=message):
        check_deadline(timing, "uplink", 700)
    check_deadline(timing, "uplink", 768)


def test_a_timeline_can_be_read():
    text = str(uplink(LinkTiming(fdd_grid(1), processing(1), access="dynamic", sr_period_us=1000), 100.0))
    assert text.splitlines()[2] == "    900.0     935.7      28  scheduling request"


@settings(deadline=None, max_examples=150, derandomize=True)
@given(
    mu=st.sampled_from([0, 1, 2, 3]),
    pattern=st.sampled_from([None, "DDSU", "DDDSU+", "DSUU"]),
    access=st.sampled_from(["configured_grant", "dynamic"]),
    direction=st.sampled_from(["uplink", "downlink"]),
    length=st.integers(1, 4),
    spacing=st.sampled_from([None, 500, 1000, 2500]),
    repetitions=st.sampled_from([1, 2]),
    transmissions=st.integers(1, 3),
    arrival=st.floats(2_000, 12_000),
)
def test_steps_follow_one_another(mu, pattern, access, direction, length, spacing, repetitions, transmissions, arrival):
    slots = {0: "DSUUU", 1: "DDSU", 2: "DDSU", 3: "DDSU"}[mu] if pattern == "DDDSU+" else pattern
    grid = fdd_grid(mu) if slots is None else tdd_grid(mu, slots, "6:4:4")
    if direction == "downlink" and access == "configured_grant":
        access = "semi_persistent"
    timing = LinkTiming(
        grid, processing(mu), length, access, spacing, spacing, repetitions, "0000", core_delay_us=100.0
    )  # fmt: skip
    t = latency(timing, direction, arrival, transmissions)
    assert t.steps[0].start_us == arrival
    assert all(a.end_us <= b.start_us + 1e-3 for a, b in itertools.pairwise(t.steps))
    assert t.latency_us == pytest.approx(t.steps[-1].end_us - arrival)
    for step in t.steps:
        if step.symbol is not None:
            down = "PDSCH" in step.what or "grant" in step.what
            n = round((step.end_us - step.start_us) * 14 / (1000 >> mu))
            taken = np.arange(step.symbol, step.symbol + n)
            assert grid.carries("downlink" if down else "uplink")[taken % grid.period].all()
            assert taken[0] // 14 == taken[-1] // 14  # no transmission crosses a slot
    bounds = smallest_latency_us(timing, direction, transmissions), largest_latency_us(timing, direction, transmissions)
    assert bounds[0] - 1e-2 <= t.latency_us <= bounds[1] + 1e-2
