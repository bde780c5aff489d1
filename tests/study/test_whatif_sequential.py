"""The early stop: its error rates and its intervals over synthetic studies, and what feeds it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import whatif_stub
from scipy import stats

from factory.errors import UserError
from factory.study.early_stop import EarlyStop
from factory.study.sequential import ALPHA, MIN_PAIRS, RISK_FLOOR, SequentialTest, boundaries
from factory.study.sequential_study import KINDS, MOST, many, studies
from factory.study.study_folder import StudyContent, StudyFolder, StudyVariant
from factory.study.worker import PointTask, run_point


def test_boundaries_fall_and_end_a_little_above_a_single_look():
    bound = np.array(boundaries(16))
    assert np.isinf(bound[: MIN_PAIRS - 1]).all()
    assert (np.diff(bound[MIN_PAIRS - 1 :]) < 0.1).all()
    once = stats.t.ppf(1 - ALPHA / 2, 15)
    assert once < bound[-1] < 1.3 * once


@pytest.mark.parametrize("most", MOST)
@pytest.mark.parametrize("kind", KINDS)
def test_no_difference_is_called_one_in_at_most_five_percent_of_studies(kind, most):
    rates = many(kind, most, effect=1.0)
    assert rates.called <= 0.05
    assert rates.cover >= 0.95


def test_intervals_after_stopping_cover_what_is_true():
    for most in MOST:
        for effect in (1.0, 2.0, 10.0):
            assert many("normal", most, effect).cover >= 0.93
            assert many("lognormal", most, effect, decades=True).cover >= 0.93
            assert many("zero-inflated", most, effect, decades=True).cover >= 0.93


def test_a_clear_difference_saves_points():
    assert many("normal", 16, 2.0).pairs < 0.75 * 16
    assert many("lognormal", 16, 10.0, decades=True).pairs < 0.5 * 16
    assert many("normal", 16, 1.0).pairs > 0.95 * 16


def test_the_fast_studies_stop_where_the_test_itself_stops():
    a, b, _ = studies("lognormal", 16, 2.0, 40, np.random.default_rng(3))
    fast = many("lognormal", 16, 2.0, decades=True, drawn=(a, b))
    pairs, called = [], []
    for one, other in zip(a, b, strict=True):
        test = SequentialTest(["v"], 16, scale="decades")
        for base, value in zip(one, other, strict=True):
            (look,) = test.add(base, {"v": value})
            if test.certain:
                break
        pairs.append(look.pairs)
        called.append(look.verdict == "differs")
    assert fast.pairs == pytest.approx(np.mean(pairs))
    assert fast.called == pytest.approx(np.mean(called))


def test_a_margin_lets_a_study_end_that_finds_nothing():
    rng = np.random.default_rng(1)
    test = SequentialTest(["v"], 32, margin=1.0)
    for _ in range(32):
        base = rng.normal(50.0, 10.0)
        (look,) = test.add(base, {"v": base + rng.normal(0.0, 0.3)})
        if test.certain:
            break
    assert look.verdict == "alike"
    assert -1.0 < look.low < look.high < 1.0
    assert MIN_PAIRS <= look.pairs < 16


def test_pairs_in_which_nothing_happens_prove_nothing():
    test = SequentialTest(["v"], 16, margin=0.5, scale="decades")
    for _ in range(12):
        (look,) = test.add(0.0, {"v": RISK_FLOOR / 10})
    assert look.verdict == "open"
    assert look.mean == 0.0


def test_several_variants_share_the_error():
    assert SequentialTest(["a", "b"], 16)._bound[-1] > SequentialTest(["a"], 16)._bound[-1]
    test = SequentialTest(["a", "b"], 16)
    rng = np.random.default_rng(2)
    for _ in range(16):
        base = rng.normal()
        looks = test.add(base, {"a": base + 3.0 + 0.1 * rng.normal(), "b": base + rng.normal()})
        if looks[0].verdict == "differs":
            assert not test.certain
    assert [look.verdict for look in test.looks()] == ["differs", "open"]


def test_wrong_use_is_refused():
    with pytest.raises(ValueError, match="3 pairs at most and 5 at least"):
        boundaries(3)
    with pytest.raises(ValueError, match=r"alpha 1\.5"):
        boundaries(16, 1.5)
    with pytest.raises(ValueError, match="finite"):
        SequentialTest(["v"], 16).add(1.0, {"v": float("nan")})
    with pytest.raises(ValueError, match="at least one variant"):
        SequentialTest([], 16)
    with pytest.raises(ValueError, match="margin -1"):
        SequentialTest(["v"], 16, margin=-1.0)


VARIANTS = (StudyVariant("base"), StudyVariant("a", "", ("x=1",)))


def filled(tmp_path, seeds: int, monkeypatch) -> StudyFolder:
    monkeypatch.setenv("STUB_S", "0")
    folder = StudyFolder.create(tmp_path / "study", StudyContent.of("small", "name: x\n", VARIANTS, range(1, 17), 0.1))
    for seed in range(1, seeds + 1):
        for variant in folder.variants:
            run_point(PointTask(variant, seed, "", "", (), 0.1, str(folder.point(variant, seed))), whatif_stub.measured)
    return folder


def test_a_study_is_looked_at_seed_by_seed_in_order(tmp_path, monkeypatch):
    folder = filled(tmp_path, 4, monkeypatch)
    test = EarlyStop.of("production.orders", folder)
    assert not test.certain()
    assert "4 pairs" in test.in_words()
    filled(tmp_path, 12, monkeypatch)
    assert test.certain()
    (line,) = test.verdicts()
    assert line.startswith("a: production.orders differs from the base after 5 pairs, +2.")
    written = json.loads(test.write().read_text())
    assert written["stopped"]
    assert written["seeds"] == [1, 2, 3, 4, 5]
    assert written["variants"][0]["verdict"] == "differs"


def test_a_kpi_that_no_run_has_is_told_with_what_comes_near(tmp_path, monkeypatch):
    folder = filled(tmp_path, 1, monkeypatch)
    with pytest.raises(UserError, match=r"no such KPI; did you mean production\.orders"):
        EarlyStop.of("production.order", folder).certain()
    for text, why in ((":0.1", "name a KPI"), ("production.orders:many", "difference that would not matter")):
        with pytest.raises(UserError, match=why):
            EarlyStop.of(text, folder)
