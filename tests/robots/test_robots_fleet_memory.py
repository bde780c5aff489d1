"""What a fleet keeps beyond its process: nothing is lost, nothing is done twice, and what floods it stays bounded."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from robot_graphs import NOBODY, config, ring

from robots.fleet import Fleet
from robots.orders import Action, order_of

DT_US = 50_000
NAMES = ["r0", "r1", "r2", "r3", "r4"]
ACTIONS = {
    2: (Action("pick-1", "pick"),),
    4: (Action("fine-1", "finePositioning", "SINGLE"),),
    8: (Action("drop-1", "drop"),),
}


def make(count=1):
    agvs = {"orders_from": "outside", "load_time_s": 2.0, "unload_time_s": 2.0}
    return Fleet(config(ring(), count, **agvs), np.random.default_rng(0))


class Yard:
    """A fleet, its clock, and what it did: nodes passed and actions that ended."""

    def __init__(self, count=1):
        self.count = count
        self.fleet, self.time_us, self.passed, self.ended = make(count), 0, [], []
        self.seen = {}

    def step(self):
        self.time_us += DT_US
        self.fleet.step(self.time_us, DT_US, np.zeros(self.count, np.int64), *NOBODY)
        for i in range(self.count):
            node = self.fleet.graph.node_id[self.fleet.state().node[i]]
            if node != self.seen.get((i, "node"), "r0"):
                self.passed.append((i, node))
            self.seen[i, "node"] = node
            for state in self.fleet.action_states(i):
                if state.status == "FINISHED" and self.seen.get((i, state.action.action_id)) != "FINISHED":
                    self.ended.append((i, state.action.action_id))
                self.seen[i, state.action.action_id] = state.status

    def die_and_come_back(self):
        text = json.dumps(self.fleet.memory.take())
        self.fleet, self.time_us = make(self.count), 0
        self.fleet.memory.give(json.loads(text))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(deaths=st.lists(st.integers(1, 700), min_size=1, max_size=4))
def test_an_order_is_carried_out_once_whenever_its_fleet_dies(deaths):
    yard = Yard()
    order = order_of("o-1", 0, NAMES, 5, actions=ACTIONS)
    assert yard.fleet.receive(0, order) is None
    for k in range(1600):
        if k in deaths:
            before = yard.fleet.memory.take()
            yard.die_and_come_back()
            assert yard.fleet.memory.take() == before
            assert yard.fleet.receive(0, order) is None  # a fleet manager sends again what it is not sure of
        yard.step()
    assert yard.passed == [(0, n) for n in NAMES[1:]]
    assert yard.ended == [(0, "pick-1"), (0, "fine-1"), (0, "drop-1")]
    assert not yard.fleet.state().loaded[0]
    assert yard.fleet.receive(0, order_of("o-2", 0, ["r4", "r5"], 2)) is None


def test_several_agvs_in_motion_keep_their_right_of_way():
    yard = Yard(3)
    finished = 0
    for k in range(3000):
        for i in range(3):
            if not yard.fleet._outside.active(i):
                at = int(yard.fleet.graph.node_id[yard.fleet.state().node[i]][1:])
                names = [f"r{(at + j) % 6}" for j in range(4)]
                error = yard.fleet.receive(i, order_of(f"o-{i}-{k}", 0, names, 4))
                assert error is None, error
                finished += 1
        if k % 97 == 40:
            yard.die_and_come_back()
        yard.step()
        p = yard.fleet.state().position_m
        gaps = np.hypot(*(p[:, None] - p[None]).transpose(2, 0, 1)) + 9.0 * np.eye(3)
        assert gaps.min() > 0.5, k
    assert finished >= 9


def test_pause_and_cancel_survive():
    yard = Yard()
    yard.fleet.receive(0, order_of("o-1", 0, NAMES, 5))
    for _ in range(60):
        yard.step()
    assert yard.fleet.instant_action(0, Action("i-1", "startPause")) is None
    yard.die_and_come_back()
    for _ in range(100):
        yard.step()
    assert yard.fleet.paused(0)
    assert yard.fleet.instant_action_states(0)[0].status == "FINISHED"
    at = yard.fleet.state().position_m[0].copy()
    yard.die_and_come_back()
    for _ in range(100):
        yard.step()
    assert np.array_equal(at, yard.fleet.state().position_m[0])
    yard.fleet.instant_action(0, Action("i-2", "stopPause"))
    yard.step()
    yard.fleet.instant_action(0, Action("i-3", "cancelOrder"))
    yard.die_and_come_back()
    for _ in range(400):
        yard.step()
    assert [s.status for s in yard.fleet.instant_action_states(0)] == ["FINISHED"] * 3
    error = yard.fleet.receive(0, order_of("o-1", 1, NAMES, 5))
    assert error.error_type == "ORDER_UPDATE_FOLLOWING_CANCEL"


def test_an_earlier_order_that_comes_again_is_known():
    yard = Yard()
    circle = order_of("o-1", 0, ["r0", "r1"], 2)
    assert yard.fleet.receive(0, circle) is None
    for _ in range(400):
        yard.step()
    rest = order_of("o-2", 0, ["r1", "r2", "r3", "r4", "r5", "r0"], 6)
    assert yard.fleet.receive(0, rest) is None
    for _ in range(1600):
        yard.step()
    yard.die_and_come_back()
    error = yard.fleet.receive(0, circle)  # a copy that was on its way for long: it would begin where the AGV stands
    assert error.error_type == "OUTDATED_ORDER_UPDATE"
    assert "was carried out already" in error.description
    assert yard.fleet.receive(0, order_of("o-1", 0, ["r0", "r1", "r2"], 3)) is None  # the same name with other contents


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.update(form=9), "form: 9; form 1 is read here"),
        (lambda s: s.update(routes="other"), "another number of AGVs"),
        (lambda s: s["vehicles"][0].update(path=["cellar"] * 5), "a part is missing or of another kind"),
        (lambda s: s["vehicles"][0].update(at_k=3), "does not fit"),
        (lambda s: s["vehicles"][0].update(battery=7), "vehicles.0.battery"),
        (lambda s: s["vehicles"][0]["order"].pop("queue"), "missing"),
        (lambda s: s["vehicles"][0]["order"].update(order={"nodes": 1}), "cannot be read"),
        (lambda s: s["vehicles"][0].update(load_kind=8), "load_kind: 8"),
        (lambda s: s["vehicles"][0].update(first_sequence=10**30), "a part is missing or of another kind"),
        (lambda s: s.update(holder=[-1]), "not one AGV or -1"),
        (lambda s: s.update(holder=[-1] * len(s["holder"])), "does not hold 'r"),
        (lambda s: s.clear(), "form: Field required"),
    ],
)
def test_what_is_no_snapshot_of_this_hall_is_refused(change, words):
    yard = Yard()
    yard.fleet.receive(0, order_of("o-1", 0, NAMES, 5, actions=ACTIONS))
    yard.step()
    snapshot = copy.deepcopy(yard.fleet.memory.take())
    change(snapshot)
    other = make()
    other.receive(0, order_of("o-9", 0, NAMES[:3], 3))
    before = other.memory.take()
    with pytest.raises(ValueError, match=words.replace("'", "['\"]")):
        other.memory.give(snapshot)
    assert other.memory.take() == before  # as a whole or not at all


def test_a_fleet_with_its_own_orders_keeps_none():
    assert Fleet(config(ring(), 1), np.random.default_rng(0)).memory is None


def test_floods_leave_a_bounded_fleet():
    yard = Yard()
    fleet = yard.fleet
    for k in range(3000):
        fleet.receive(0, order_of(f"wrong-{k}", 0, ["r3", "r4"], 2))
        fleet.instant_action(0, Action(f"i-{k}", ("dance", "cancelOrder", "startPause", "stopPause")[k % 4]))
    assert len(fleet.errors(0)) == 10
    assert len(fleet.instant_action_states(0)) <= 60
    assert len(fleet._instant.ids[0]) == 300
    size = len(json.dumps(fleet.memory.take()))
    assert size < 60_000


def test_an_order_that_goes_on_by_updates_for_days_stays_small():
    yard = Yard()
    fleet, sequence, sizes = yard.fleet, 0, []
    assert fleet.receive(0, order_of("o-1", 0, ["r0", "r1"], 2)) is None
    for update in range(1, 230):
        while yard.fleet._outside.active(0):
            yard.step()
        sequence += 2
        names = [f"r{update % 6}", f"r{(update + 1) % 6}"]
        known = fleet.order(0).nodes[0].actions
        actions = {sequence: known, sequence + 2: (Action(f"f-{update}", "finePositioning", "NONE"),)}
        assert fleet.receive(0, order_of("o-1", update, names, 2, sequence, actions)) is None, update
        vehicle = fleet._outside._vehicles[0]
        sizes.append((len(vehicle.node), len(vehicle.edge), len(vehicle.met), len(vehicle.queue._left_us), len(vehicle.actions)))
    assert max(s[:4] for s in sizes) <= (4, 4, 4, 4)
    assert max(s[4] for s in sizes) <= 205
