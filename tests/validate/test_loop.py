"""The study of the ledger against an ideal radio: what is booked and found, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from factory.scenario import load_scenario
from factory.validate.loop_rows import loop_rows, lost
from factory.validate.loop_study import cases, interval, kept


def _shift(orders, distance_m, parts, agv_lost_s, cobot_lost_s, driving_min):
    return {
        "orders": orders,
        "distance_m": distance_m,
        "parts": parts,
        "agv_s": 1200.0,
        "cobot_s": 600.0,
        "agv_minutes": {"driving": driving_min, "working": 2.0, "communication": agv_lost_s / 60.0},
        # of what stops took, AGVs drove a tenth while they braked, and lost as much while they sped up again
        "agv_lost_s": {"total": agv_lost_s, "standing": 0.9 * agv_lost_s, "restart": 0.1 * agv_lost_s},
        "cobot_lost_s": {"total": cobot_lost_s},
    }


def test_loss_by_hand():
    real, ideal = _shift(8, 1000.0, 40, 200.0, 80.0, 10.0), _shift(10, 1180.0, 51, 0.0, 0.0, 12.5)
    both = lost((real, ideal))
    assert both["parts"] == (pytest.approx(10.0), 11)  # 80 s of 8 s each
    assert both["orders"] == (pytest.approx(1.6), 2)  # a fifth more time
    assert both["way of AGVs"] == (pytest.approx(200.0), pytest.approx(180.0))
    assert both["productive time of AGVs"] == (pytest.approx(144.0), pytest.approx(150.0))


def test_interval_is_students():
    mean, low, high = interval(np.array([1.0, 2.0, 3.0, 4.0]))
    assert mean == 2.5
    half = 3.182446 * np.sqrt(5 / 3) / 2  # t(0.975, 3)
    assert (low, high) == (pytest.approx(2.5 - half), pytest.approx(2.5 + half))


def test_the_cases_are_scenarios_in_which_every_trp_goes_and_comes_back():
    for overrides in cases(2.0).values():
        outages = load_scenario("small", ["duration_s=120", *overrides]).scenario.radio.outages
        assert all(o.to_s is not None for o in outages)
        assert not outages or {o.trp for o in outages} == {"ceiling-west", "corner-east"}


@pytest.mark.skipif(kept() is None, reason="no study was kept; python -m factory.validate.loop_study makes one")
def test_the_kept_study_has_pairs_of_all_cases_and_rows_with_an_interval():
    found = kept()
    assert set(found["cases"]) == set(cases(1.0))
    assert len(found["ideal"]) >= 4
    for shift in found["ideal"]:
        assert shift["agv_lost_s"]["total"] == shift["cobot_lost_s"]["total"] == shift["stops"] == 0
    rows = list(loop_rows())
    assert len(rows) == 5 * len(found["cases"])
    assert all(np.isfinite(r.ours) for r in rows)
    often = [r for r in rows if "4 s in 20 s" in r.case and np.isfinite(r.reference)]
    assert all(r.ours > 0 and r.tolerance > 0 for r in often)
