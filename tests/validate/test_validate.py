"""The validation: every row agrees, rows can disagree, and the pages in docs/ are the ones that the code writes."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import factory.validate as validation
from factory.validate import Row, all_rows, markdown, run
from factory.validate.page import CROSSING
from factory.validate.page_notes import FIGURES as AFTER
from factory.validate.page_notes import NOTES
from factory.validate.rows import number
from factory.validate.silhouette_rows import brute_force_errors_db
from factory.validate.walker import crossing

FIGURES = (CROSSING, *(file for figures in AFTER.values() for _, file in figures))
DOCS = Path(__file__).parents[2] / "docs"
GOOD = Row("table", "case", 1.02, 1.0, "dB", 0.05, "source")


@pytest.fixture(scope="module")
def rows() -> tuple[Row, ...]:
    return all_rows()


def quiet() -> Console:
    return Console(file=io.StringIO(), width=200)


def test_every_row_agrees(rows):
    assert [row for row in rows if not row.ok] == []


def test_no_subject_is_left_out(rows):
    count = {row.table: 0 for row in rows}
    for row in rows:
        count[row.table] += 1
    assert count["Blockage model B"] >= 38  # 16 + 16 + 6 vectors
    assert count["Normal approximation"] == 21
    assert count["RAN4 requirements at BLER 1e-5"] == 12
    assert count["One knife edge"] == 10
    assert count["Silhouette of a tall screen against two knife edges"] == 38  # 2 widths x 4 links x 4 carriers, 6 offsets
    assert count["Silhouette against brute force"] == 15  # three fine and two tick figures a frequency
    assert count["InF calibration layout"] == 8 * 5 + 4 * 3 + 7
    assert count["IMMERSE: pedestrians, runs held out"] == count["IMMERSE: AGV, runs held out"] == 20
    assert set(NOTES) | set(AFTER) <= set(count)  # no note and no figure without its table
    assert len(FIGURES) == 11
    assert {"Survival time", "Key figures of a run", "Link budget, 28 GHz", "Walking", "Protective separation"} <= set(count)
    assert len({(row.table, row.case, row.source) for row in rows}) == len(rows)  # nothing is counted twice
    assert all(row.source and row.tolerance >= 0 for row in rows)
    held_out = [row for row in rows if row.table == "IMMERSE: pedestrians, runs held out" and row.rule == "within"]
    assert [row.tolerance for row in held_out if "depth" in row.case] == [2.0, 2.0]  # dB
    assert [row.tolerance / row.reference for row in held_out if "below" in row.case] == pytest.approx([0.15, 0.15], abs=1e-3)


def test_references_are_apart_from_ours(rows):
    # a reference that were copied from our own function would equal it to the last bit everywhere
    same = [row for row in rows if row.ours == row.reference]
    assert len(same) < 0.1 * len(rows)


@pytest.mark.parametrize(
    ("change", "ok"),
    [
        ({}, True),
        ({"ours": 1.06}, False),
        ({"ours": 0.94}, False),
        ({"ours": 0.94, "rule": "at most"}, True),
        ({"ours": 1.06, "rule": "at most"}, False),
        ({"ours": 1.06, "rule": "at least"}, True),
        ({"ours": 0.94, "rule": "at least"}, False),
        ({"ours": 1.06, "rule": "reported"}, True),
        ({"ours": float("nan"), "rule": "reported"}, False),
        ({"ours": float("nan")}, False),
        ({"ours": 1.06, "known": True}, True),
        ({"ours": float("nan"), "known": True}, False),
        ({"ours": 1.02, "reference": float("nan")}, False),
        ({"ours": 1.02, "reference": float("nan"), "rule": "reported"}, True),
        ({"ours": float("-inf"), "rule": "at most"}, False),
    ],
)
def test_a_row_says_whether_it_agrees(change, ok):
    assert replace(GOOD, **change).ok is ok


@pytest.mark.parametrize(
    ("value", "tolerance", "text"),
    [
        (9.83971, 0.02, "9.840"),
        (70.67, 0.75, "70.67"),
        (3.17e-10, 2e-11, "3.17e-10"),
        (0.0, 0.1, "0.00"),
        (-8.5, 0.0, "-8.50"),
        (1e-16, 0.0, "1e-16"),
        (float("nan"), 0.1, "–"),
    ],
)
def test_numbers_are_written_to_their_tolerance(value, tolerance, text):
    assert number(value, tolerance) == text


def test_run_prints_and_writes_every_row(tmp_path, rows, monkeypatch):
    console = quiet()
    monkeypatch.setattr(validation, "all_rows", lambda: rows)
    monkeypatch.setattr(validation, "live_rows", tuple)  # another program's numbers are not the page's
    monkeypatch.setattr(validation.immerse, "refresh", lambda: False)
    monkeypatch.setattr(validation.motion, "refresh", lambda: False)
    assert run(tmp_path / "rows.json", tmp_path / "page.md", console) == 0
    records = json.loads((tmp_path / "rows.json").read_text())
    assert len(records) == len(rows)
    assert set(records[0]) == {"table", "case", "ours", "reference", "unit", "tolerance", "rule", "source", "agrees", "ok"}
    assert all(record["ok"] is True for record in records)
    text = console.file.getvalue()
    bound = sum(row.rule != "reported" for row in rows)
    missed = sum(row.missed for row in rows)
    assert missed == sum(not record["agrees"] for record in records) > 0
    told = (
        f"{bound - missed} of {bound} rows agree, {missed} are known to miss their bound; {len(rows) - bound} more are reported."
    )
    assert told in text
    assert "human screen" in text
    for name in FIGURES:
        assert (tmp_path / name).read_text().startswith("<?xml")
        assert f"]({name})" in (tmp_path / "page.md").read_text()


def test_a_wrong_row_ends_in_exit_code_1_and_is_named(tmp_path, monkeypatch):
    told = replace(GOOD, case="told", ours=3.0, rule="reported")
    monkeypatch.setattr(validation, "all_rows", lambda: (GOOD, replace(GOOD, case="bent ruler", ours=3.0), told))
    monkeypatch.setattr(validation, "live_rows", tuple)
    console = quiet()
    assert run(tmp_path / "rows.json", None, console) == 1
    text = console.file.getvalue()
    assert "bent ruler: ours 3.000, reference 1.000 dB" in text
    assert "1 of 2 rows agree; 1 more are reported." in text
    assert [record["ok"] for record in json.loads((tmp_path / "rows.json").read_text())] == [True, False, True]
    assert "| told | 3.000 | 1.000 | dB | – | source | reported |" in markdown(validation.all_rows())
    missed = replace(GOOD, case="known", ours=3.0, known=True)
    assert "| known | 3.000 | 1.000 | dB | ± 0.05 | source | missed |" in markdown((missed,))
    assert "**0 of 1 rows agree, 1 are known to miss their bound; 0 more are reported.**" in markdown((missed,))
    assert replace(missed, ours=1.0).cells()[-1] == "yes"  # one that was known to miss and agrees after all is no miss
    assert "| bent ruler | 3.000 | 1.000 | dB | ± 0.05 | source | NO |" in markdown(validation.all_rows())


def test_the_page_in_docs_is_up_to_date(rows):
    page = (DOCS / "validation.md").read_text(encoding="utf-8")
    assert page == markdown(rows), "run: factory-twin validate --docs docs/validation.md"


def test_the_figures_in_docs_are_up_to_date(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        validation.write_figures(tmp_path / name)
    for name in FIGURES:
        first = (tmp_path / "one" / name).read_bytes()
        assert first == (tmp_path / "two" / name).read_bytes()
        assert b"<dc:date>" not in first
        assert first == (DOCS / name).read_bytes(), "run: factory-twin validate --docs docs/validation.md"


def test_a_person_who_crosses_casts_a_shadow_that_swings_and_one_that_does_not():
    time_s = np.linspace(-1.0, 1.0, 401)
    silhouette, model_b, formula = crossing(time_s)
    # TR 38.901 equations 7.6-28 and 7.6-29, 0.3 m x 1.7 m, 5 + 5 m: 8.77 dB at the screen's middle, less at 1.2 m height
    assert formula.max() == pytest.approx(8.6, abs=0.1)
    assert abs(time_s[model_b.argmax()]) < 0.03
    assert 0.75 < model_b.max() / formula.max() < 1.0  # from the side a trunk is narrower than the screen
    assert np.abs(np.diff(model_b)).max() < 0.6  # in 5 ms a body moves 7 mm: no jumps
    assert np.abs(np.diff(silhouette)).max() < 3.0
    assert abs(time_s[silhouette > 5.0]).max() < 0.25
    assert formula.max() < silhouette.max() < 25.0
    assert -3.0 < silhouette.min() < -0.5  # an edge's field adds up beside the body
    assert max(*np.abs(model_b[[0, -1]]), *np.abs(silhouette[[0, -1]])) < 0.3


def test_brute_force_is_another_calculation():
    error = brute_force_errors_db(28.0)
    assert len(error) > 100
    assert error.max() > 1e-4  # equal to the last digit would mean that both are one
