"""A TRP cut in mid-shift: it radiates and receives nothing, nobody is told, and every policy makes of it what it measures."""

from __future__ import annotations

import numpy as np
import pytest

from factory.errors import ScenarioError
from factory.scenario import load_scenario
from factory.twin import Twin
from radio.config import RadioConfig
from radio.figures.trp_outages import SILENCE_DB, TrpOutages, silence_legs, silenced_sweep
from radio.messages.delivery import CAUSES
from radio.types import LinkStates, Plan, Sweep

WEST, EAST = 0, 1
POLICIES = ("static", "reactive", "human_aware")
CUT_S, END_S = 3, 9
CUT = f"radio.outages=[{{trp: ceiling-west, from_s: {CUT_S}}}]"


def _messages(twin, seconds):
    """Per policy and second: messages sent and lost; and the plans' TRPs after every second."""
    counts, legs = np.zeros((len(POLICIES), seconds, 2), int), []
    for k in range(seconds * 100):
        tick = twin.tick()
        for p, d in enumerate(tick.delivered):
            counts[p, k // 100] += len(d.ok), int((~d.ok).sum())
        if k % 100 == 99:
            legs.append([n.plan.trp.copy() for n in twin.networks])
    return counts, legs


@pytest.fixture(scope="module")
def cut():
    twin = Twin(load_scenario("small", [CUT, "radio.policy=static", "people.count=2"]))
    assert tuple(n.policy for n in twin.networks) == POLICIES
    counts, legs = _messages(twin, END_S)
    yield twin, counts, legs
    twin.close()


def test_nothing_changes_before_the_cut(cut):
    _, counts, legs = cut
    other = Twin(load_scenario("small", ["radio.policy=static", "people.count=2"]))
    same, same_legs = _messages(other, CUT_S)
    assert (same == counts[:, :CUT_S]).all()
    assert all((a == b).all() for x, y in zip(same_legs, legs, strict=False) for a, b in zip(x, y, strict=True))
    assert any((leg == WEST).any() for leg in same_legs[-1])
    other.close()


def test_static_loses_its_devices_for_good_and_the_others_find_another_trp(cut):
    _, counts, legs = cut
    share = counts[:, :, 1] / counts[:, :, 0]
    after = slice(CUT_S + 1, END_S)
    on_west = [(legs[s][0][:, 0] == WEST).mean() for s in range(CUT_S, END_S)]
    assert min(on_west) > 0.1  # the map of the empty hall knows nothing of the cut
    assert share[0, after].min() > 0.1
    for p in (1, 2):
        assert counts[p, CUT_S, 1] > 0  # it did cost something
        assert share[p, CUT_S + 2 :].max() < 0.01
        assert all((legs[s][p][:, 0] == EAST).all() for s in range(CUT_S, END_S))
    assert all((legs[s][2][:, 1] != WEST).all() for s in range(CUT_S, END_S))  # nor is it prepared as a second leg


def test_the_network_hears_nothing_of_it_but_by_its_reports(cut):
    twin, _, _ = cut
    known = twin.ether.begin(twin.time_us, twin.dt_us, twin.scene(twin.time_us, twin.people, twin.agvs).ues)
    assert not known.report.gain[:, WEST].any()
    assert known.report.gain[:, EAST].any()
    assert known.survey.gain[:, WEST].any()
    assert all(not f.gain[:, WEST].any() for f in known.forecast)


def test_what_is_lost_on_it_has_that_cause_and_the_causes_add_up(cut):
    twin, counts, _ = cut
    for p, network in enumerate(twin.networks):
        services = network.kpi.result(END_S)["services"]
        causes = {c: sum(s.get("causes", {}).get(c, 0) for s in services) for c in CAUSES}
        assert sum(causes.values()) == counts[p, :, 1].sum() == sum(s.get("lost", 0) for s in services)
        assert causes["trp_down"] > 0
        assert causes["none"] == 0
    static = twin.networks[0].kpi.result(END_S)["services"]
    assert sum(s["causes"].get("trp_down", 0) for s in static if "causes" in s) > 0.95 * counts[0, CUT_S:, 1].sum()


def test_machines_stop_for_it_and_the_ledger_says_so(cut):
    twin, _, _ = cut
    assert twin.fleet.production()["stops"]["communication"] + twin.cobots.production()["stops"]["communication"] > 0
    assert twin.stops.radio_s()["total"].sum() > 1.0


def test_a_trp_that_comes_back_is_measured_again():
    overrides = ["radio.outages=[{trp: ceiling-west, from_s: 1, to_s: 2}]", "radio.policy=reactive", "radio.compare=[]"]
    twin = Twin(load_scenario("small", [*overrides, "people.count=0"]))
    heard = []
    for _ in range(400):
        twin.tick()
        report = twin.ether._reports.latest(twin.time_us)
        heard.append(report is not None and bool(report.gain[:, WEST].any()))
    assert all(heard[10:100])
    assert not any(heard[110:198])
    assert all(heard[210:])
    assert (twin.networks[0].plan.trp[:, 0] == WEST).any()
    twin.close()


def test_legs_on_a_dead_trp_have_no_signal_and_no_body_to_blame():
    levels, whom = np.full((1, 9, 3, 2), 12.0), np.full((1, 2, 3, 2), 4)
    states = LinkStates(levels, whom)
    trp = np.array([[0, -1], [1, 0], [1, -1]])
    plan = Plan(trp, trp, trp, trp >= 0, np.ones(3, np.int64), np.zeros(3), np.zeros(3))
    silence_legs(states, (plan,), np.array([True, False]))
    dead = np.array([[True, False], [False, True], [False, False]])
    assert (levels[0, :6][:, dead] == SILENCE_DB).all()
    assert (levels[0, :6][:, ~dead] == 12.0).all()
    assert (levels[0, 6:8] == 12.0).all()  # what the place allows stays
    assert (levels[0, 8][dead] == 0.0).all()
    assert (whom[0][:, dead] == -1).all()
    assert (whom[0][:, ~dead] == 4).all()


def test_sweeps_do_not_hear_it_and_are_left_alone_while_all_is_well():
    sweep = Sweep(5, np.ones((2, 3, 4, 1)))
    assert silenced_sweep(sweep, None) is sweep
    heard = silenced_sweep(sweep, np.array([False, True, False]))
    assert (heard.gain.sum(axis=(0, 2, 3)) == [8, 0, 8]).all()
    assert sweep.gain.all()


def _radio(*outages):
    trps = [{"name": n, "position_m": (1, 1, 3)} for n in ("a", "b")]
    return RadioConfig.model_validate({"trps": trps, "outages": outages})


def test_outages_hold_from_their_first_to_before_their_last_instant():
    outages = TrpOutages(
        _radio({"trp": "b", "from_s": 1, "to_s": 2}, {"trp": "b", "from_s": 4}, {"trp": "a", "from_s": 1.5, "to_s": 9})
    )
    off = [outages.at(round(t * 1e6)) for t in (0.99, 1.0, 1.99, 2.0, 4.0, 100.0)]
    assert [None if o is None else o.tolist() for o in off] == [
        None, [False, True], [True, True], [True, False], [True, True], [False, True]
    ]  # fmt: skip
    assert TrpOutages(_radio()).at(0) is None
    assert not TrpOutages(_radio()).any_planned


@pytest.mark.parametrize(
    ("outages", "words"),
    [
        ("[{trp: roof, from_s: 1}]", "no TRP 'roof' to switch off; the TRPs are ceiling-west, corner-east"),
        ("[{trp: ceiling-west, from_s: 5, to_s: 5}]", "to_s 5 is not after from_s 5"),
        ("[{trp: ceiling-west, from_s: 5}, {trp: ceiling-west, from_s: 1, to_s: 6}]", "overlap; make them one"),
        ("[{trp: ceiling-west, from_s: -1}]", "greater than or equal to 0"),
    ],
)
def test_wrong_outages_are_told_with_their_place(outages, words):
    with pytest.raises(ScenarioError, match=r"radio\.outages") as told:
        load_scenario("small", [f"radio.outages={outages}"])
    assert words in str(told.value)
