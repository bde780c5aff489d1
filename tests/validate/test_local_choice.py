"""Networks of several settings on the same footsteps, what their plans change and signal, and what is kept of the studies."""

from __future__ import annotations

import numpy as np
import pytest

from factory.scenario import load_scenario
from factory.validate import beam_measurements, local_choice_study, spectrum_sharing
from factory.validate.beam_measurements import beam_rows, needed, needed_like, summary
from factory.validate.local_choice_study import signalling_bits, variants
from factory.validate.page_notes import NOTES
from factory.validate.policy_variants import changed, run_variants
from radio.types import Plan


def plan_of(trp, beam):
    trp, beam = np.array(trp), np.array(beam)
    n = len(trp)
    return Plan(trp, beam, np.where(trp >= 0, 0, -1), trp >= 0, np.ones(n, np.int64), np.zeros(n), np.zeros(n))


def test_what_a_plan_changes_is_counted_once():
    before = plan_of([[0, -1], [0, -1], [0, 1], [0, 1], [0, 1]], [[3, -1], [3, -1], [3, 4], [3, 4], [3, 4]])
    # another beam; another TRP; legs swapped; second leg given up; second leg on another beam
    after = plan_of([[0, -1], [1, -1], [1, 0], [0, -1], [0, 1]], [[5, -1], [3, -1], [4, 3], [3, -1], [3, 6]])
    assert changed(before, after) == [1, 1, 1, 1]
    assert changed(after, after) == [0, 0, 0, 0]
    assert changed(None, after) == [0, 0, 0, 0]


def test_signalling_is_reports_on_one_side_and_beacons_on_the_other():
    config = load_scenario("small", []).scenario.radio
    quiet = dict.fromkeys(("beam", "trp", "second_leg", "second_leg_given_up"), 0)
    assert signalling_bits(quiet, "static", 4, 10.0, config) == 0.0
    assert signalling_bits(quiet, "reactive", 4, 10.0, config) == pytest.approx(36 / 0.02)
    assert signalling_bits(quiet, "decentralised", 4, 10.0, config) == pytest.approx(300 / 0.1)
    assert signalling_bits(quiet, "decentralised", 4, 10.0, config, beacons=False) == 0.0
    busy = {**quiet, "beam": 40, "trp": 2}
    assert signalling_bits(busy, "static", 4, 10.0, config) == pytest.approx((40 * 24 + 2 * 800) / 40.0)
    assert signalling_bits(busy, "decentralised", 4, 10.0, config, beacons=False) == pytest.approx((40 * 48 + 2 * 824) / 40.0)


def test_variants_share_their_footsteps_and_their_luck():
    chosen = {
        "a": ("reactive", []), "b": ("reactive", []), "loop": ("reactive", ["radio.link_adaptation.outer_loop.enabled=true"]),
        "own": ("decentralised", []), "blind": ("decentralised", ["radio.decentralised.sensing_radius_m=0"]),
    }  # fmt: skip
    found = run_variants("small", ["seed=3"], chosen, 1.0)
    assert found["a"] == found["b"]
    sent = {name: [s["messages"] for s in of["services"].values()] for name, of in found.items()}
    assert sent["loop"] == sent["a"]
    assert found["own"]["devices"] == 7
    with pytest.raises(ValueError, match="change the channel, which all variants share"):
        run_variants("small", [], {"x": ("reactive", ["radio.carrier.bandwidth_hz=60e6"])}, 1.0)


def test_the_fewest_pairs_are_found():
    budgets = [1, 2, 4]
    hall = {
        "losses": {
            "list": {
                "median": [2.0, 0.4, 0.0], "p90": [9.0, 3.0, 1.0], "p99": [20.0, 9.0, 6.0],
                "medians": [[0.3, 0.0, 0.0], [3.0, 1.0, 0.6]],
            },
            "sweep": {"median": 0.1, "p90": 2.0, "p99": 7.0},
            "best": {"median": 0.0, "p90": 0.5, "p99": 1.0},
        }
    }  # fmt: skip
    assert needed(hall, "list", budgets) == 2
    assert needed(hall, "list", budgets, seed=0) == 1
    assert needed(hall, "list", budgets, seed=1) is None
    assert needed_like(hall, "list", budgets, "sweep") == 4
    assert needed_like(hall, "list", budgets, "best") is None
    of_two = summary([np.array([[0.0, 1.0], [2.0, 1.0]]), np.array([[4.0, 1.0]])])
    assert of_two["median"] == [2.0, 1.0]
    assert of_two["medians"] == [[1.0, 1.0], [4.0, 1.0]]


def test_beam_rows_tell_every_way_and_agree():
    rows = list(beam_rows())
    assert all(row.ok for row in rows)
    assert {row.table for row in rows} == {beam_measurements.TABLE}
    assert beam_measurements.TABLE in NOTES
    cases = " ".join(row.case for row in rows)
    for words in (*beam_measurements.WAYS, "twin 0.5 m", beam_measurements.NO_BODIES, beam_measurements.WRONG):
        assert words in cases


def test_kept_studies_are_of_what_they_say():
    choice, beams, shared = local_choice_study.kept(), beam_measurements.kept(), spectrum_sharing.kept()
    for hall in local_choice_study.HALLS:
        for run in choice["halls"][hall]:
            assert list(run) == list(variants(choice["seconds"]))
            messages = {tuple(s["messages"] for n, s in of["services"].items() if "video" not in n) for of in run.values()}
            spread = np.ptp(np.array(list(messages)), axis=0)
            assert spread.max() <= 20  # what is still queued at the end
            assert run["decentralised"] == run["decentralised, centre silent"]
    for hall in beam_measurements.HALLS:
        radio = load_scenario(hall, []).scenario.radio
        pairs = len(radio.trps) * radio.trps[0].panel.rows * radio.trps[0].panel.columns * 4
        assert beams["halls"][hall]["costs"]["exhaustive"]["pairs"] == pairs
    powers = [f"{p:g}" for p in spectrum_sharing.POWERS_DBM]
    for run in shared["runs"]:
        assert list(run) == powers
        airtime = [run[p]["permitted"]["airtime"] for p in powers]
        assert airtime == sorted(airtime, reverse=True)
        assert all(run[p]["always"]["airtime"] == pytest.approx(1.0) for p in powers)
