"""Comparisons of studies and runs: who pays, in which words, from which folders."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from compare_study import make_run, make_study, scenario

from factory.errors import UserError
from factory.study.compare import Comparison, compare, load_runs, load_study, narrowed
from factory.study.compare_runs import own_interval
from factory.study.compare_table import WIDTH, text, write_tables
from factory.study.compare_words import answer, effect
from factory.study.measures import GROUPS, measures, missing

SEEDS = tuple(range(1, 11))


@pytest.fixture(scope="module")
def study_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a study in which one variant halves what the radio costs, one takes a tenth, and one changes nothing but orders."""
    path = tmp_path_factory.mktemp("study") / "hall-study"
    make_study(path, {"base": 1.0, "half": 0.5, "tenth": 0.1, "more": 1.001}, SEEDS)
    return path


@pytest.fixture(scope="module")
def comparison(study_path: Path) -> Comparison:
    return compare(load_study(study_path))


def test_measures_have_unique_keys_known_groups_and_reasons_for_what_is_missing(study_path: Path) -> None:
    kpi = json.loads((study_path / "points/base/seed-1/kpi.json").read_text())
    found = measures(kpi)
    assert all(key == m.key and m.group in GROUPS and math.isfinite(m.value) for key, m in found.items())
    assert found["radio_minutes.total"].value == pytest.approx(kpi["production"]["ledger"]["hall"]["radio_min"]["total"])
    assert found["service.agv-control.failures_per_hour"].value == pytest.approx(
        kpi["policies"]["reactive"]["services"][0]["expected_outages"] / (4 / 60)
    )
    assert found["service.agv-control.nines"].value == pytest.approx(
        -math.log10(found["service.agv-control.unavailability"].value)
    )
    assert missing(kpi)["production.order_time_s"] == "no order was finished"


def test_a_loss_below_what_probabilities_can_tell_is_none() -> None:
    service = {"name": "a", "messages": 10, "unavailability": {"value": 1e-80}, "packet_error_ratio": {"value": 1e-13}}
    kpi = {"acting_policy": "p", "policies": {"p": {"services": [service]}}}
    found = measures(kpi)
    assert (found["service.a.unavailability"].value, found["service.a.lost_per_million"].value) == (0.0, 0.0)
    assert "service.a.nines" in missing(kpi)


def test_of_a_policy_that_moved_no_machine_there_is_no_production() -> None:
    service = {"name": "a", "messages": 10, "unavailability": {"value": 0.1}}
    kpi = {"acting_policy": "p", "policies": {"p": {}, "q": {"services": [service]}}, "production": {"orders": 3}}
    assert "production.orders" in measures(kpi)
    assert "production.orders" not in measures(kpi, "q")
    assert "moved no machine" in missing(kpi, "q")["production"]
    with pytest.raises(ValueError, match="the run has p, q"):
        measures(kpi, "oracle")


def test_the_answer_names_the_best_variant_by_how_much_how_sure_and_why(comparison: Comparison) -> None:
    first, why, *_ = answer(comparison)
    assert first.startswith("tenth pays: “lost to radio” goes from ")
    assert "10 seeds, p = " in first
    assert "half helps less" in first
    assert "a body in the path" in why
    row = next(r for r in comparison.chosen if r.variant == "tenth")
    assert row.factor is not None
    assert row.factor.low < 0.1 < row.factor.high < 0.2
    assert (row.verdict, next(r for r in comparison.chosen if r.variant == "more").verdict) == ("better", "open")
    assert [r.name for r in comparison.ranking][:2] == ["tenth", "half"]


def test_paired_seeds_save_variance_where_seeds_matter(comparison: Comparison) -> None:
    row = next(r for r in comparison.chosen if r.variant == "more")
    assert row.saved > 0.8


def test_effects_are_told_in_the_plant_s_terms(comparison: Comparison) -> None:
    rows = {(r.measure.key, r.variant): r for r in comparison.rows}
    assert effect(rows["production.orders", "more"], 2.0)[0] == "+480 per shift"
    nines, span = effect(rows["service.agv-control.unavailability", "tenth"], 2.0)
    assert nines.endswith("nines")
    assert 0.7 < float(nines.split()[0].lstrip("+")) < 1.3
    assert span.startswith("+")
    minutes = effect(rows["radio_minutes.total", "half"], 2.0)[0]
    assert minutes.startswith("−")
    assert minutes.endswith("min per shift")
    assert "was one per" in effect(rows["service.agv-control.failures_per_hour", "half"], 2.0)[0]


def test_what_is_in_neither_of_two_is_said_so(tmp_path: Path) -> None:
    make_study(tmp_path / "s", {"base": 0.0, "b": 0.0, "c": 1.0}, range(8))
    result = compare(load_study(tmp_path / "s"))
    rows = {r.variant: r for r in result.chosen}
    assert (effect(rows["b"], 2.0)[0], rows["b"].verdict) == ("none in either", "equal")
    assert (rows["c"].verdict, "from none" in text(result)) == ("worse", True)


def test_holm_corrects_the_chosen_measure_and_the_others_apart(comparison: Comparison) -> None:
    assert comparison.families[0] == 3
    for rows in (comparison.chosen, [r for r in comparison.headline if r.measure.key != comparison.key]):
        known = [r for r in rows if not math.isnan(r.p_holm)]
        smallest = min(known, key=lambda r: r.p)
        assert smallest.p_holm == pytest.approx(min(1.0, smallest.p * len(known)))
    derived = [r for r in comparison.rows if r.measure.derived]
    assert derived
    assert all(math.isnan(r.p_holm) for r in derived)


def test_what_is_zero_everywhere_is_named_and_not_tested(comparison: Comparison) -> None:
    assert "stood: a breakdown" in comparison.unchanged
    assert all(r.base or r.other for r in comparison.rows if r.measure.key.startswith("minutes."))


def test_the_terminal_s_table_fits_and_starts_with_the_answer(comparison: Comparison) -> None:
    lines = text(comparison).splitlines()
    assert max(len(line) for line in lines) <= WIDTH
    assert lines[0].startswith("tenth pays")
    assert not any("nan" in line or "inf" in line.split() for line in lines)


def test_many_variants_are_ranked_and_the_first_are_told_in_full(tmp_path: Path) -> None:
    factors = {"base": 1.0} | {f"v{k:02d}": 0.9**k for k in range(1, 15)}
    make_study(tmp_path / "s", factors, range(1, 9))
    result = compare(load_study(tmp_path / "s"))
    told = text(result)
    assert max(len(line) for line in told.splitlines()) <= WIDTH
    assert all(f"  {name} " in told for name in factors)
    assert "v14 against base" in told
    assert "v01 against base" not in told
    assert "the tables of 8 other variants are in compare.html and compare.csv" in " ".join(told.split())
    few, beyond = narrowed(result, 12)
    assert (len(few.material.variants), beyond) == (13, tuple(r.name for r in result.ranking if r.name != "base")[12:])
    assert {r.p_holm for r in few.chosen} <= {r.p_holm for r in result.chosen}


def test_csv_and_parquet_hold_every_row(comparison: Comparison, tmp_path: Path) -> None:
    csv, parquet = write_tables(comparison, tmp_path)
    one, two = pd.read_csv(csv), pd.read_parquet(parquet)
    assert len(one) == len(two) == len(comparison.rows)
    assert list(one.columns) == list(two.columns)
    row = two[(two["measure"] == "radio_minutes.total") & (two["variant"] == "half")].iloc[0]
    assert row["factor_low"] < row["factor"] == pytest.approx(row["variant_mean"] / row["base_mean"])
    assert row["difference_low"] == pytest.approx((row["factor_low"] - 1) * row["base_mean"])
    assert row["method"] == "subset ratios"


def test_a_measure_can_be_chosen(study_path: Path) -> None:
    result = compare(load_study(study_path), "production.orders")
    assert result.key == "production.orders"
    assert answer(result)[0].startswith("more pays: “orders finished” goes")


def test_no_difference_is_not_called_one(tmp_path: Path) -> None:
    make_study(tmp_path / "s", {"base": 1.0, "b": 1.002, "c": 1.003}, range(8))
    result = compare(load_study(tmp_path / "s"))
    assert {r.verdict for r in result.chosen} == {"open"}
    assert answer(result)[0].startswith("No variant can be said to be better than base")
    assert {r.groups for r in result.ranking} == {"a"}


def test_too_few_seeds_are_said_so(tmp_path: Path) -> None:
    make_study(tmp_path / "s", {"base": 1.0, "b": 0.1}, range(4))
    result = compare(load_study(tmp_path / "s"))
    assert "cannot be said yet: too few seeds: 4, at least 6 are needed" in answer(result)[0]
    assert {r.verdict for r in result.chosen} == {"too few"}


def test_seeds_that_lack_a_variant_are_left_out_and_told(tmp_path: Path) -> None:
    make_study(tmp_path / "s", {"base": 1.0, "b": 0.1, "c": 0.5}, range(4), skip=[("b", 2), *(("c", k) for k in range(4))])
    material = load_study(tmp_path / "s")
    assert material.seeds == (0, 1, 3)
    assert [v.name for v in material.variants] == ["base", "b"]
    assert "variant c is left out" in material.notes[0]
    assert "3 of 4 seeds" in material.notes[1]


def test_any_variant_can_be_the_one_compared_with(study_path: Path) -> None:
    forth, back = compare(load_study(study_path)), compare(load_study(study_path, against="half"))
    assert [v.name for v in back.material.variants] == ["half", "base", "tenth", "more"]
    assert "compared with variant half" in back.material.notes[0]
    there = {r.measure.key: r for r in forth.rows if r.variant == "half"}
    again = {r.measure.key: r for r in back.rows if r.variant == "base"}
    assert there
    assert all(again[k].difference.value == pytest.approx(-r.difference.value) for k, r in there.items() if not r.measure.risk)
    with pytest.raises(UserError, match="no such variant; did you mean half"):
        load_study(study_path, against="halv")


def test_a_study_without_a_complete_seed_is_refused(tmp_path: Path) -> None:
    make_study(tmp_path / "s", {"base": 1.0, "b": 0.1}, (1, 2), skip=[("base", 1), ("b", 2)])
    with pytest.raises(UserError, match="no seed has a run of every variant yet"):
        load_study(tmp_path / "s")


def test_single_runs_give_no_interval_but_their_own(tmp_path: Path) -> None:
    a, b = make_run(tmp_path / "a", 1, 1.0), make_run(tmp_path / "b", 2, 0.2)
    result = compare(load_runs([a, b]))
    told = text(result)
    assert "no interval of a difference can be given" in " ".join(told.split())
    assert "a by itself, 95 % within the run" in told
    assert all(math.isnan(r.difference.low) for r in result.rows)
    kpi = json.loads((a / "kpi.json").read_text())
    service = kpi["policies"]["reactive"]["services"][0]
    assert own_interval(kpi, "service.agv-control.unavailability") == (
        service["unavailability"]["low"],
        service["unavailability"]["high"],
    )
    assert own_interval(kpi, "service.agv-control.failures_per_hour") == (0.0, 9.0)
    assert own_interval(kpi, "production.orders") is None
    service["packet_error_ratio"] = {"value": 1e-70, "low": 1e-90, "high": 3e-5}
    assert own_interval(kpi, "service.agv-control.lost_per_million") == (0.0, pytest.approx(30.0))


def test_runs_of_different_length_are_brought_to_one(tmp_path: Path) -> None:
    a, b = make_run(tmp_path / "a", 1, 1.0, minutes=2.0), make_run(tmp_path / "b", 1, 1.0, minutes=4.0)
    material = load_runs([a, b])
    orders = material.values("production.orders")
    raw = [json.loads((p / "kpi.json").read_text())["production"]["orders"] for p in (a, b)]
    assert np.concatenate(list(orders.values())) == pytest.approx([raw[0] * 30, raw[1] * 15])
    assert "differ in length" in material.notes[0]


def test_runs_are_named_by_what_tells_them_apart(tmp_path: Path) -> None:
    paths = [make_run(tmp_path / d / "run", 1, 1.0, spec=scenario(name=d)) for d in ("old", "new")]
    material = load_runs(paths)
    assert [v.name for v in material.variants] == ["old/run", "new/run"]
    assert "different scenarios (old, new)" in material.notes[0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: [p / "absent", p / "a"], "is not a folder"),
        (lambda p: [p, p / "a"], "holds no run.json"),
        (lambda p: [p / "a"], "give at least two run folders"),
        (lambda p: [p / "a", p / "a"], "given twice"),
        (lambda p: [p / "s", p / "a"], "is a what-if study; give it alone"),
        (lambda p: [p / "a", p / "broken"], "holds no kpi.json"),
    ],
)
def test_folders_that_cannot_be_compared_are_named(tmp_path: Path, make, message: str) -> None:  # type: ignore[no-untyped-def]
    make_run(tmp_path / "a", 1, 1.0)
    (make_run(tmp_path / "broken", 1, 1.0) / "kpi.json").unlink()
    make_study(tmp_path / "s", {"base": 1.0, "b": 0.1}, (1,))
    with pytest.raises(UserError, match=message):
        load_runs(make(tmp_path))


@pytest.mark.parametrize(
    ("key", "message"), [("nonsense", "no such measure; there is"), ("minutes.breakdown", "zero in every run")]
)
def test_a_measure_that_cannot_be_chosen_is_refused(study_path: Path, key: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        compare(load_study(study_path), key)
