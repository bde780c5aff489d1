"""Numbers and sentences of the report."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.report import words
from factory.report.data import production_totals


def plain(text: str) -> str:
    return text.replace("\u202f", " ")


@pytest.mark.parametrize(
    ("value", "text", "nines"),
    [
        (0.9, "90.0 %", "1.0"),
        (0.999, "99.90 %", "3.0"),
        (0.99987, "99.987 %", "3.9"),
        (0.999999, "99.99990 %", "6.0"),
        (0.99999999, "99.9999990 %", "8.0"),
        (1.0, "100 %", "all"),
        (0.0, "0.0 %", "0.0"),
    ],
)
def test_availability_shows_what_is_missing(value: float, text: str, nines: str) -> None:
    assert plain(words.availability(value)) == text
    assert words.nines(value).replace("-0.0", "0.0") == nines


@settings(deadline=None, max_examples=200, derandomize=True)
@given(st.floats(1e-11, 0.5))
def test_written_availability_keeps_the_unavailability_within_a_tenth(missing: float) -> None:
    written = float(plain(words.availability(1.0 - missing)).removesuffix(" %"))
    assert 100.0 - written == pytest.approx(100 * missing, rel=0.1)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (0.04, "40 ms"),
        (3.21, "3.21 s"),
        (60.0, "60 s"),
        (600.0, "10 min"),
        (9000.0, "2.5 h"),
        (691_200.0, "8 days"),
        (3.15576e8, "10 years"),
        (1e20, "more than 10 000 years"),
    ],
)
def test_durations_take_the_unit_that_suits_them(seconds: float, text: str) -> None:
    assert plain(words.duration(seconds)) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (0.00881, "0.881 %"), (0.25, "25 %"), (2.84e-4, "2.8 · 10⁻⁴"), (9.97e-9, "1.0 · 10⁻⁸")]
)
def test_shares_are_percent_or_powers_of_ten(value: float, text: str) -> None:
    assert plain(words.ratio(value)) == text


def test_numbers_are_grouped_and_short() -> None:
    assert [plain(words.number(v)) for v in (0, 1234567, 12.3456, 0.000123456, 7.0)] == [
        "0",
        "1 234 567",
        "12.3",
        "0.000123",
        "7",
    ]
    assert [plain(words.count(n, "outage")) for n in (0, 1, 1204)] == ["no outage", "1 outage", "1 204 outages"]


def test_comparison_says_fewer_or_more_on_the_same_footsteps() -> None:
    text = plain(words.compare_sentence("reactive", {"static": 120, "reactive": 100, "human_aware": 5}, {"human_aware": 0.5}))
    assert text == (
        "On the same footsteps static would have lost 120 (20 % more) and "
        "human_aware would have lost 5 (20 times fewer) with services down for 500 ms."
    )
    assert "would have lost none either" in words.compare_sentence("reactive", {"static": 0, "reactive": 0}, {})
    assert "static would have lost 4." in words.compare_sentence("reactive", {"static": 4, "reactive": 0}, {})
    assert words.compare_sentence("reactive", {"reactive": 3}, {}) == ""


def test_targets_are_met_missed_or_open() -> None:
    asked = {"availability": 0.999, "mtbf_s": None}
    services = [
        {"name": "a", "targets": asked, "met": True},
        {"name": "b", "targets": asked, "met": False},
        {"name": "c", "targets": asked, "met": None},
        {"name": "d", "targets": {"availability": None, "mtbf_s": None}, "met": None},
    ]
    assert [words.verdict(s)[0] for s in services] == ["met", "missed", "open", "none"]
    assert words.target_sentence(services) == "Targets: missed by b; met by a; not decided by a run of this length for c."
    assert words.target_sentence([]) == "No service has a target."


def test_shortest_time_between_failures_is_a_bound_where_none_is_known() -> None:
    short, long = ({"name": n, "mtbf_s": {"value": None, "low": low, "high": None}} for n, low in (("a", 60.0), ("b", 7200.0)))
    assert plain(words.shortest_cell([long, short]).text) == "> 60 s"
    known = {"name": "c", "mtbf_s": {"value": 240.0, "low": 90.0, "high": 600.0}}
    cell = words.shortest_cell([short, known, long])
    assert (plain(cell.text), cell.small) == ("4 min", ("c",))
    assert words.shortest_cell([{"name": "d", "reason": "no device"}]).text == "not known"


def test_cells_show_a_bound_where_there_is_no_value() -> None:
    cell = words.mtbf_cell({"mtbf_s": {"value": None, "low": 7200.0, "high": None, "reason": "no failure"}})
    assert (plain(cell.text), [plain(s) for s in cell.small]) == ("> 2 h", ["no failure"])
    both = words.mtbf_cell({"mtbf_s": {"value": None, "low": 600.0, "high": 4.0e7}})
    assert (plain(both.text), [plain(s) for s in both.small]) == (
        "> 10 min",
        ["at most 463 days", "all that a run of this length proves"],
    )
    assert words.mtbf_cell({"mtbf_s": {"value": None, "low": None, "high": None}}).text == "not known"
    assert words.mtbf_cell({"reason": "no device"}) == words.Cell("not known", ("no device",))
    assert words.ratio_cell({"packet_error_ratio": {"value": 0.0, "low": 0.0, "high": 2e-5}}).text == "none seen"
    assert words.availability_cell({"availability": {"value": math.nan}}).text == "not known"
    assert words.availability_cell({"availability": {"value": 1.0, "low": 0.999, "high": 1.0}}).small[0] == "at least 3.0 nines"


def test_production_adds_up_kinds_of_machines() -> None:
    nested = {
        "agvs": {"orders_finished": 12, "orders_per_hour": 72.0, "stops": {"communication": 2}, "minutes_lost": {"queue": 3.0}},
        "cobots": {"parts": 40, "stops": {"person_near": 1}, "minutes_lost": {"queue": 1.0, "person_near": 0.5}},
    }
    totals = production_totals(nested)
    assert totals["stops"] == {"communication": 2.0, "person_near": 1.0}
    assert totals["minutes_lost"] == {"queue": 4.0, "person_near": 0.5}
    assert plain(words.production_sentence(totals)) == (
        "The fleet finished 12 orders (72 an hour), the cobots 40 parts; machines stopped 3 times "
        "(2 for radio, 1 for a person too near); 4.5 machine minutes were lost, 4 of them to waiting for the right of way."
    )


def test_flat_production_reads_the_same() -> None:
    flat = production_totals({"orders": 1, "orders_per_hour": 6.0, "stops": 0, "minutes_lost": {}, "parts": 2})
    assert (
        words.production_sentence(flat) == "The fleet finished 1 order (6 an hour), the cobots 2 parts; machines never stopped."
    )
    assert words.production_sentence(production_totals({})) == ""


def test_sums_of_production_are_not_counted_twice() -> None:
    from factory.report.data import production_totals

    fleet = {"orders_finished": 5, "stops": {"communication": 2}, "minutes_lost": {"queue": 1.5}}
    cobots = {"parts": 7, "stops": {"communication": 1}, "minutes_lost": {"queue": 0.0}}
    nested = production_totals({"agvs": fleet, "cobots": cobots})
    flat = production_totals(
        {"orders": 5, "parts": 7, "stops": {"communication": 3}, "minutes_lost": {"queue": 1.5}, "agvs": fleet, "cobots": cobots}
    )
    assert nested["stops"] == flat["stops"] == {"communication": 3.0}
    assert nested["minutes_lost"] == flat["minutes_lost"] == {"queue": 1.5}
    assert nested["parts"] == flat["parts"] == 7
