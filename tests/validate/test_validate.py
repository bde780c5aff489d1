"""The validation: every row agrees, rows can disagree, and the pages in docs/ are the ones that the code writes."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import factory.validate as validation
from factory.validate import FIGURE_NAME, Row, all_rows, markdown, run
from factory.validate.rows import number
from factory.validate.walker import crossing

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
    assert {"Survival time", "Key figures of a run", "Link budget, 28 GHz", "Walking", "Protective separation"} <= set(count)
    assert len({(row.table, row.case, row.source) for row in rows}) == len(rows)  # nothing is counted twice
    assert all(row.source and row.tolerance >= 0 for row in rows)


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
        ({"ours": float("nan")}, False),
        ({"ours": float("-inf"), "rule": "at most"}, False),
    ],
)
def test_a_row_says_whether_it_agrees(change, ok):
    assert replace(GOOD, **change).ok is ok


@pytest.mark.parametrize(
    ("value", "tolerance", "text"),
    [(9.83971, 0.02, "9.840"), (70.67, 0.75, "70.67"), (3.17e-10, 2e-11, "3.17e-10"), (0.0, 0.1, "0.00"), (-8.5, 0.0, "-8.50")],
)
def test_numbers_are_written_to_their_tolerance(value, tolerance, text):
    assert number(value, tolerance) == text


def test_run_prints_and_writes_every_row(tmp_path, rows):
    console = quiet()
    assert run(tmp_path / "rows.json", tmp_path / "page.md", console) == 0
    records = json.loads((tmp_path / "rows.json").read_text())
    assert len(records) == len(rows)
    assert set(records[0]) == {"table", "case", "ours", "reference", "unit", "tolerance", "rule", "source", "ok"}
    assert all(record["ok"] is True for record in records)
    text = console.file.getvalue()
    assert f"{len(rows)} of {len(rows)} rows agree." in text
    assert "human screen" in text
    assert (tmp_path / FIGURE_NAME).read_text().startswith("<?xml")


def test_a_wrong_row_ends_in_exit_code_1_and_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(validation, "all_rows", lambda: (GOOD, replace(GOOD, case="bent ruler", ours=3.0)))
    console = quiet()
    assert run(tmp_path / "rows.json", None, console) == 1
    text = console.file.getvalue()
    assert "bent ruler: ours 3.000, reference 1.000 dB" in text
    assert "1 of 2 rows agree." in text
    assert [record["ok"] for record in json.loads((tmp_path / "rows.json").read_text())] == [True, False]
    assert "| bent ruler | 3.000 | 1.000 | dB | ± 0.05 | source | NO |" in markdown(validation.all_rows())


def test_the_page_in_docs_is_up_to_date(rows):
    page = (DOCS / "validation.md").read_text(encoding="utf-8")
    assert page == markdown(rows), "run: factory-twin validate --docs docs/validation.md"


def test_the_figure_in_docs_is_up_to_date(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        validation.write_crossing(tmp_path / name / FIGURE_NAME)
    first = (tmp_path / "one" / FIGURE_NAME).read_bytes()
    assert first == (tmp_path / "two" / FIGURE_NAME).read_bytes()
    assert b"<dc:date>" not in first
    assert first == (DOCS / FIGURE_NAME).read_bytes(), "run: factory-twin validate --docs docs/validation.md"


def test_a_person_who_crosses_casts_one_smooth_shadow():
    time_s = np.linspace(-1.0, 1.0, 401)
    kernel, formula = crossing(time_s)
    # TR 38.901 equations 7.6-28 and 7.6-29, 0.3 m x 1.7 m, 5 + 5 m: 8.77 dB at the screen's middle, less at 1.2 m height
    assert formula.max() == pytest.approx(8.6, abs=0.1)
    assert abs(time_s[kernel.argmax()]) < 0.03
    assert 0.75 < kernel.max() / formula.max() < 1.0  # from the side a trunk is narrower than the screen
    assert np.abs(np.diff(kernel)).max() < 0.6  # in 5 ms a body moves 7 mm: no jumps
    assert max(kernel[0], kernel[-1]) < 0.2
