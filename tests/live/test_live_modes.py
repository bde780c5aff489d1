"""Observe, advise, act: hysteresis, what may leave, what is done, its limits, audit, and what a killed twin left."""

from __future__ import annotations

import json

import numpy as np
import pytest

from factory.live_config import AdviceConfig, LiveConfig, live_faults
from factory.live_lookahead import Outlooks
from factory.live_modes import Machines, Modes, has_open_acts

RULES = AdviceConfig(look_ms=100, hold_s=0.5, detour_after_s=3.0, acts_per_min=4, longest_act_s=2.0, rest_s=5.0)
NAMES = ("agv-01", "agv-02", "cobot-1")


@pytest.fixture
def make(tmp_path):
    """Make halls, and close their logs in the end."""
    made = []

    def hall(**more):
        made.append(Hall(tmp_path, **more))
        return made[-1]

    yield hall
    for one in made:
        one.fails.clear()
        one.modes.stop(one.now)


class Hall:
    """Three machines whose risks a test sets; remembers what was done."""

    def __init__(self, tmp_path, mode="act", may=("agv_pause",), rules=RULES):
        self.risk, self.speed, self.other = [0.0] * 3, [1.2, 1.2, 0.0], [-1] * 3
        self.done, self.fails = [], set()
        self.now = 0
        live = LiveConfig(mode=mode, may=may if mode == "act" else (), advice=rules)
        self.folder = tmp_path
        self.modes = Modes(
            live, self.look, lambda: Machines(NAMES, 2, self.speed, ("n1 -> n2", "")), ("trp-a", "trp-b"),
            {"agv_pause": self, "radio_policy": self}, tmp_path,
        )  # fmt: skip

    def look(self, time_us):
        n = len(NAMES)
        return Outlooks(time_us, np.array(self.risk), np.full(n, 400_000), np.full(n, -3.0), np.array(self.other))

    def begin(self, target):
        if "begin" in self.fails:
            return "no answer"
        self.done.append(("begin", target))
        return ""

    def end(self, target):
        if "end" in self.fails:
            return "no answer"
        self.done.append(("end", target))
        return ""

    def go(self, seconds):
        for _ in range(round(seconds * 100)):
            self.modes.look(self.now)
            self.now += 10_000

    def kinds(self):
        return [(a.kind, a.target) for a in self.modes.published()]

    def audit(self):
        path = self.folder / "audit.log"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_warning_needs_looks_that_agree_and_ends_when_the_risk_has_been_low_for_a_while(make):
    hall = make(mode="advise")
    hall.risk[0] = 0.8
    hall.go(0.05)
    assert hall.kinds() == []  # one look
    hall.go(0.1)
    assert hall.kinds() == [("agv_slow", "agv-01"), ("risk", "agv-01")]
    first = hall.modes.published()[0]
    assert (first.value, first.risk, first.act) == ("0.60 m/s", 0.8, "")
    assert "-3.0 dB" in first.reason
    hall.risk[0] = 0.4  # between the thresholds: it stands
    hall.go(2.0)
    assert ("risk", "agv-01") in hall.kinds()
    hall.risk[0] = 0.0
    hall.go(0.3)
    assert ("risk", "agv-01") in hall.kinds()
    hall.go(0.5)
    assert hall.kinds() == []
    assert hall.modes.counts["raised"] == hall.modes.counts["withdrawn"] == 2
    assert hall.done == []
    assert hall.audit() == []


def test_a_risk_that_lasts_advises_a_detour_and_a_better_trp(make):
    hall = make(mode="advise")
    hall.risk, hall.other = [0.8, 0.8, 0.8], [1, -1, -1]
    hall.go(2.0)
    assert ("serve_from", "agv-01") in hall.kinds()
    assert not any(kind == "agv_detour" for kind, _ in hall.kinds())
    hall.go(2.0)
    detours = [a for a in hall.modes.published() if a.kind == "agv_detour"]
    assert [(a.target, a.value) for a in detours] == [("agv-01", "avoid n1 -> n2")]  # of the other no lane is known
    assert ("risk", "cobot-1") in hall.kinds()
    assert ("agv_slow", "cobot-1") not in hall.kinds()
    assert next(a.value for a in hall.modes.published() if a.kind == "serve_from") == "trp-b"


def test_in_observe_nothing_leaves_and_nothing_is_done(make):
    hall = make(mode="observe")
    hall.risk[0] = 1.0
    hall.go(3.0)
    assert hall.kinds() == []
    assert hall.modes.standing
    assert hall.done == []


def test_only_what_may_be_done_is_done(make):
    hall = make(may=("radio_policy",))
    hall.risk[0] = 1.0
    hall.go(1.0)
    assert hall.done == [("begin", "network")]
    assert next(a.act for a in hall.modes.published() if a.kind == "risk") == "radio_policy"
    hall.risk[0] = 0.0
    hall.go(1.0)
    assert hall.done == [("begin", "network"), ("end", "network")]


def test_an_act_ends_with_its_reason_and_is_audited(make):
    hall = make()
    hall.risk[0] = 1.0
    hall.go(0.3)
    assert hall.done == [("begin", "agv-01")]
    hall.speed[0] = 0.0  # it stands now; the warning is reason enough to keep it so
    hall.go(0.5)
    assert hall.done == [("begin", "agv-01")]
    hall.risk[0] = 0.0
    hall.go(0.8)
    assert hall.done == [("begin", "agv-01"), ("end", "agv-01")]
    lines = hall.audit()
    assert [(line["action"], line["target"], line["result"]) for line in lines] == [
        ("begin", "agv_pause agv-01", "done"), ("end", "agv_pause agv-01", "done"),
    ]  # fmt: skip
    assert "dB of margin" in lines[0]["arguments"][0]
    assert "reason has ended" in lines[1]["arguments"][0]


def test_an_act_is_withdrawn_after_its_longest_time_and_rests(make):
    hall = make()
    hall.risk[0] = 1.0
    hall.go(2.5)
    assert hall.done == [("begin", "agv-01"), ("end", "agv-01")]
    hall.go(4.0)
    assert len(hall.done) == 2
    hall.go(1.0)
    assert hall.done[2:] == [("begin", "agv-01")]


def test_no_more_acts_begin_in_a_minute_than_allowed_and_failures_count(make):
    rules = RULES.model_copy(update={"rest_s": 0.0, "longest_act_s": 0.5})
    hall = make(rules=rules)
    hall.fails.add("begin")
    hall.risk[0] = 1.0
    hall.go(30.0)
    assert hall.modes.counts["failed"] == 4
    assert hall.modes.counts["held_back"] > 0
    assert all(line["result"] == "no answer" for line in hall.audit())
    hall.fails.clear()
    hall.go(31.0)
    assert hall.done[0] == ("begin", "agv-01")


def test_what_could_not_be_ended_is_tried_again(make):
    hall = make()
    hall.risk[0] = 1.0
    hall.go(0.3)
    hall.fails.add("end")
    hall.risk[0] = 0.0
    hall.go(1.5)
    assert hall.done == [("begin", "agv-01")]
    assert hall.modes.counts["failed"] > 1
    hall.fails.clear()
    hall.go(0.2)
    assert hall.done == [("begin", "agv-01"), ("end", "agv-01")]


def test_a_killed_twin_ends_what_it_began_when_it_is_back(make, tmp_path):
    killed = make()
    killed.risk[0] = 1.0
    killed.go(0.3)
    assert killed.done == [("begin", "agv-01")]
    back = make()
    back.go(0.1)
    assert back.done == [("end", "agv-01")]
    assert json.loads((tmp_path / "open-acts.json").read_text()) == []
    (tmp_path / "open-acts.json").write_text('[["agv_pause", "agv-02"]]')
    assert has_open_acts(tmp_path)
    milder = make(mode="advise")  # it may not pause any more, but it may take a pause back
    milder.go(0.1)
    assert milder.done == [("end", "agv-02")]
    assert not has_open_acts(tmp_path)
    (tmp_path / "open-acts.json").write_text("{broken")
    make().go(0.1)


def test_a_twin_that_stops_takes_everything_back(make):
    hall = make()
    hall.risk[:2] = [1.0, 1.0]
    hall.go(0.3)
    hall.modes.stop(hall.now)
    assert sorted(hall.done) == sorted([(w, a) for w in ("begin", "end") for a in NAMES[:2]])
    assert hall.kinds() == []


def test_a_person_may_accept_what_the_twin_may_not_do_by_itself(make):
    hall = make(mode="advise")
    hall.risk[0] = 1.0
    hall.go(0.3)
    assert hall.done == []
    assert hall.modes.accept(hall.now, "agv_slow", "agv-01", "page:emil") == ""
    assert hall.done == [("begin", "agv-01")]
    assert "already" in hall.modes.accept(hall.now, "agv_slow", "agv-01", "page:emil")
    hall.speed[0] = 0.0  # it stands, so slowing down is no advice any more; the warning keeps the act
    hall.go(1.0)
    assert hall.done == [("begin", "agv-01")]
    hall.risk[0] = 0.0
    hall.go(1.0)
    assert hall.done == [("begin", "agv-01"), ("end", "agv-01")]
    hall.speed[0] = 1.2
    hall.risk[0] = 1.0
    hall.go(8.0)
    assert len(hall.done) == 2  # accepted once is not accepted for ever
    assert [(line["action"], line["user"], line["role"]) for line in hall.audit()] == [
        ("begin", "page:emil", "accepted"), ("end", "factory-twin", "act"),
    ]  # fmt: skip


def test_an_accepted_act_lasts_no_longer_than_any_and_can_be_given_up(make):
    hall = make(mode="advise")
    hall.risk[:2] = [1.0, 1.0]
    hall.go(0.3)
    assert hall.modes.accept(hall.now, "agv_slow", "agv-01", "page:emil") == ""
    assert hall.modes.accept(hall.now, "agv_slow", "agv-02", "page:emil") == ""
    assert hall.modes.give_up(hall.now, "agv_slow", "agv-02", "page:emil") == ""
    assert hall.done == [("begin", "agv-01"), ("begin", "agv-02"), ("end", "agv-02")]
    hall.go(2.2)
    assert hall.done[3:] == [("end", "agv-01")]
    assert "not being carried out" in hall.modes.give_up(hall.now, "agv_slow", "agv-01", "page:emil")


def test_what_is_not_advised_or_has_no_act_is_not_accepted(make):
    hall = make(mode="advise")
    assert "is not advised, or was withdrawn; advised now: nothing" in hall.modes.accept(0, "agv_slow", "agv-01", "page:emil")
    hall.risk[0], hall.other[0] = 1.0, 1
    hall.go(0.3)
    assert "advised now: agv_slow agv-01, risk agv-01" in hall.modes.accept(hall.now, "agv_slow", "agv-02", "page:emil")
    assert "cannot carry out serve_from; hand trp-b to" in hall.modes.accept(hall.now, "serve_from", "agv-01", "page:emil")
    hall.fails.add("begin")
    assert hall.modes.accept(hall.now, "agv_slow", "agv-01", "page:emil") == "no answer"
    hall.fails.clear()
    assert hall.modes.accept(hall.now, "agv_slow", "agv-01", "page:emil") == ""  # a person may try again at once
    silent = make(mode="observe")
    silent.risk[0] = 1.0
    silent.go(0.3)
    assert "is not advised" in silent.modes.accept(silent.now, "agv_slow", "agv-01", "page:emil")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"mode": "act"}, "may is empty"),
        ({"mode": "advise", "may": ["agv_pause"]}, "mode is advise"),
        ({"advice": {"raise_at": 0.2, "clear_at": 0.3}}, "must be below raise_at"),
        ({"advice": {"horizons_ms": [800, 400]}}, "must ascend"),
    ],
)
def test_what_does_not_fit_together_is_refused(given, text):
    with pytest.raises(ValueError, match=text):
        LiveConfig.model_validate(given)


def test_what_others_do_not_give_is_named():
    from bridges.config import BridgesConfig

    live = LiveConfig(
        people_from="tags", agvs_from="vda5050", mode="act", may=("agv_pause", "radio_policy"),
        advice=AdviceConfig(policy_at_risk="oracle"),
    )  # fmt: skip
    faults = dict(live_faults(live, BridgesConfig()))
    assert set(faults) == {"live.people_from", "live.agvs_from", "live.may", "live.advice.policy_at_risk"}
    assert "bridges.tags.enabled" in faults["live.people_from"]
