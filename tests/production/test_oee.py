"""The formulas of ISO 22400-2 by hand: a machine planned for 8 h, of which it produced 5 h."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory import oee
from factory.oee import WorkUnit, together

# A shift of 480 min: 300 min producing, 20 min set up, 100 min delayed (25 by radio), 60 min without work; 1400 parts of 0.2 min
# planned, 1330 good.
UNIT = WorkUnit(
    pbt_s=28_800, apt_s=18_000, aust_s=1_200, adet_s=6_000, idle_s=3_600, aoet_s=24_000, pq=1400, gq=1330, planned_s=1400 * 12.0,
    radio_s=1_800, radio_adet_s=1_500,
)  # fmt: skip


@pytest.mark.parametrize(
    ("formula", "given_", "by_hand"),
    [
        (oee.availability, (300, 480), 0.625),
        (oee.effectiveness, (0.2, 1400, 300), 280 / 300),
        (oee.quality_ratio, (1330, 1400), 0.95),
        (oee.oee, (300, 480, 0.2, 1400, 1330), 0.625 * (280 / 300) * 0.95),
        (oee.nee, (320, 480, 0.2, 1400, 300, 1330), (320 / 480) * (280 / 300) * 0.95),
        (oee.allocation_efficiency, (420, 480), 0.875),
        (oee.allocation_ratio, (420, 400), 1.05),
        (oee.utilization_efficiency, (300, 420), 300 / 420),
        (oee.technical_efficiency, (300, 100), 0.75),
        (oee.throughput_rate, (1400, 400), 3.5),
        (oee.process_ratio, (300, 400), 0.75),
        (oee.setup_ratio, (20, 320), 0.0625),
        (oee.worker_efficiency, (400, 480), 400 / 480),
        (oee.first_pass_yield, (1300, 1400), 1300 / 1400),
        (oee.scrap_ratio, (42, 1400), 0.03),
        (oee.rework_ratio, (28, 1400), 0.02),
    ],
)
def test_formula_by_hand(formula, given_, by_hand):
    assert formula(*given_) == pytest.approx(by_hand, rel=1e-12)


@pytest.mark.parametrize(
    ("formula", "given_"),
    [
        (oee.availability, (0, 0)),
        (oee.effectiveness, (12, 0, 0)),
        (oee.quality_ratio, (0, 0)),
        (oee.oee, (0, 0, 12, 0, 0)),
        (oee.nee, (0, 0, 12, 0, 0, 0)),
        (oee.allocation_efficiency, (0, 0)),
        (oee.allocation_ratio, (10, 0)),
        (oee.utilization_efficiency, (0, 0)),
        (oee.technical_efficiency, (0, 0)),
        (oee.throughput_rate, (0, 0)),
        (oee.process_ratio, (0, 0)),
        (oee.setup_ratio, (0, 0)),
        (oee.worker_efficiency, (0, 0)),
        (oee.first_pass_yield, (0, 0)),
        (oee.scrap_ratio, (0, 0)),
        (oee.rework_ratio, (0, 0)),
    ],
)
def test_what_is_not_defined_is_none(formula, given_):
    assert formula(*given_) is None


def test_planned_time_in_which_nothing_was_made_is_an_oee_of_zero():
    assert oee.oee(0, 480, 0.2, 0, 0) == 0.0
    assert oee.oee(300, 480, 0.2, 0, 0) == 0.0
    assert oee.nee(0, 480, 480, 0.2, 0, 0) == 0.0


def test_a_work_unit_by_hand():
    figures = UNIT.figures()
    assert figures["aupt_s"] == 19_200
    assert figures["aubt_s"] == 25_200
    assert figures["pri_s"] == pytest.approx(12.0)
    assert figures["oee"] == pytest.approx(0.625 * (16_800 / 18_000) * 0.95)
    assert figures["technical_efficiency"] == pytest.approx(0.75)
    assert figures["throughput_per_hour"] == pytest.approx(210.0)
    assert figures["scrap_ratio"] == pytest.approx(0.05)
    assert figures["radio_share_of_delay"] == pytest.approx(0.25)
    assert figures["radio_share_of_loss"] == pytest.approx(1_800 / (28_800 - 15_960))


def test_the_losses_add_up_to_the_planned_time_and_what_is_left_is_the_oee():
    losses = UNIT.losses_s
    assert losses == {
        "good": pytest.approx(15_960),
        "quality": pytest.approx(840),
        "speed": pytest.approx(1_200),
        "setup": 1_200,
        "idle": 3_600,
        "delay_radio": 1_500,
        "delay_other": 4_500,
    }
    assert sum(losses.values()) == pytest.approx(UNIT.pbt_s)
    assert losses["good"] / UNIT.pbt_s == pytest.approx(UNIT.oee)


times = st.floats(0.0, 1e6)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(st.lists(st.tuples(times, times, times, times, st.floats(0, 1e4), st.floats(0, 1)), min_size=1, max_size=5))
def test_sums_of_units_keep_the_time_model(parts):
    units = [
        WorkUnit(pbt_s=a + b + c + d, apt_s=a, aust_s=b, adet_s=c, idle_s=d, pq=q, gq=g * q, planned_s=q * 10, radio_adet_s=g * c)
        for a, b, c, d, q, g in parts
    ]
    total = together(units)
    assert total.pbt_s == pytest.approx(sum(u.pbt_s for u in units))
    assert sum(total.losses_s.values()) == pytest.approx(total.pbt_s, abs=1e-6)
    figures = total.figures()
    if figures["oee"]:
        assert figures["oee"] == pytest.approx(total.losses_s["good"] / total.pbt_s)
    assert total.aubt_s + total.idle_s == pytest.approx(total.pbt_s)


def test_no_unit_at_all_has_figures_that_say_so():
    figures = together(()).figures()
    assert figures["oee"] is None
    assert figures["radio_share_of_loss"] is None
    assert figures["pq"] == 0
