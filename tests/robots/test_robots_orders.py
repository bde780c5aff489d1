"""Orders in VDA 5050's words: what the twin's own are like, and what an AGV accepts, rejects and carries out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from robot_graphs import NOBODY, config, grid, ring

from robots.action_queue import ActionQueue
from robots.fleet import Fleet
from robots.orders import BLOCKING_TYPES, RUNS_ALONE, STOPS_DRIVING, Action, ActionState, malformed, order_of
from robots.state import MODES

DT_US = 50_000


class Yard:
    """A fleet that takes orders from outside, and its clock."""

    def __init__(self, routes, count=1, **agvs):
        self.fleet = Fleet(config(routes, count, orders_from="outside", **agvs), np.random.default_rng(0))
        self.time_us, self.age = 0, np.zeros(count, np.int64)

    def run(self, seconds):
        for _ in range(round(seconds * 1e6 / DT_US)):
            self.time_us += DT_US
            self.fleet.step(self.time_us, DT_US, self.age, *NOBODY)

    def node(self, i=0):
        return self.fleet.graph.node_id[self.fleet.state().node[i]]

    def mode(self, i=0):
        return MODES[self.fleet.state().mode[i]]

    def status(self, action_id, i=0):
        return {s.action.action_id: s.status for s in self.fleet.action_states(i)}[action_id]


def _order(names, n_base=None, update=0, name="o-1", first=0, actions=None):
    return order_of(name, update, names, len(names) if n_base is None else n_base, first, actions)


def _ring_yard(**agvs):
    yard = Yard(ring(), **agvs)
    assert yard.node() == "r0"
    return yard


def test_the_base_is_driven_and_the_horizon_is_not_until_an_update_releases_it():
    yard = _ring_yard()
    names = ["r0", "r1", "r2", "r3"]
    assert yard.fleet.receive(0, _order(names, 2)) is None
    yard.run(40)
    assert yard.node() == "r1"
    assert yard.mode() == "no_order"  # it waits at its decision point
    assert [n.released for n in yard.fleet.order(0).nodes] == [True, False, False]
    assert yard.fleet.receive(0, _order(names[1:], 3, 1, first=2)) is None
    yard.run(60)
    assert yard.node() == "r3"
    assert [(n.node_id, n.sequence_id) for n in yard.fleet.order(0).nodes] == [("r3", 6)]
    assert yard.fleet.receive(0, _order(["r3", "r4"], name="o-2")) is None  # finished: a new order is welcome


def test_a_horizon_may_be_replaced_but_not_the_base():
    yard = Yard(grid(3, 3))
    start = yard.node()
    x, y = (int(v) for v in start[1:].split("-"))
    names = [f"n{x}-{y}", f"n{x}-{y + 1}" if y < 2 else f"n{x}-{y - 1}"]
    side = f"n{x + 1}-{names[1][-1]}" if x < 2 else f"n{x - 1}-{names[1][-1]}"
    assert yard.fleet.receive(0, _order([*names, side], 2)) is None
    error = yard.fleet.receive(0, _order([*names, side], 3, 1))
    assert error.error_type == "VALIDATION_FAILURE"
    assert f"it continues the base at '{names[1]}' with sequenceId 2" in error.description
    assert yard.fleet.receive(0, _order([names[1], names[0]], 2, 2, first=2)) is None
    yard.run(60)
    assert yard.node() == start


@pytest.mark.parametrize(
    ("order", "error_type", "words"),
    [
        (_order(["r0", "nowhere"]), "NO_ROUTE_TO_TARGET", "node 'nowhere' is not in the routes"),
        (_order(["r0", "r3"]), "NO_ROUTE_TO_TARGET", "no edge leads from 'r0' to 'r3'"),
        (_order(["r2", "r3"]), "START_NODE_OUT_OF_RANGE", "starts at 'r2'; the AGV is at 'r0'"),
        (_order(["r0", "r1"], update=4), "VALIDATION_FAILURE", "orderUpdateId 4 of a new order"),
        (_order(["r0", "r1"], actions={2: (Action("a", "dance"),)}), "INVALID_ORDER_ACTION", "AGVs do pick, drop"),
        (
            _order(["r0", "r1"], actions={2: (Action("a", "drop"),)}),
            "INVALID_ORDER_ACTION",
            "'r1', which is no drop node; there are r4",
        ),
        (
            _order(["r0", "r1"], actions={2: (Action("a", "pick", parameters={"loadHeight": 7.5}),)}),
            "INVALID_ORDER_ACTION",
            "loadHeight 7.5 m; the AGV carries loads above 0 and up to 6 m",
        ),
        (
            _order(["r0", "r1"], actions={2: (Action("a", "pick", parameters={"loadType": "cow"}),)}),
            "INVALID_ORDER_ACTION",
            "loadType 'cow' is unknown",
        ),
    ],
)
def test_orders_that_cannot_be_carried_out_are_rejected_by_the_standards_names(order, error_type, words):
    yard = _ring_yard()
    error = yard.fleet.receive(0, order)
    assert error.error_type == error_type
    assert error.error_level == "WARNING"
    assert words in error.description
    assert ("orderId", "o-1") in error.references
    assert yard.fleet.errors(0) == (error,)
    yard.run(5)
    assert yard.node() == "r0"
    assert yard.fleet.receive(0, _order(["r0", "r1"])) is None
    assert yard.fleet.errors(0) == ()  # reported until an order is accepted


def test_updates_that_are_old_known_changed_or_foreign_are_told_apart():
    yard = _ring_yard()
    first = _order(["r0", "r1", "r2"], 2)
    assert yard.fleet.receive(0, first) is None
    assert yard.fleet.receive(0, _order(["r1", "r2"], 2, 3, first=2)) is None
    assert yard.fleet.receive(0, _order(["r1", "r2"], 2, 3, first=2)) is None  # the same again is ignored
    kinds = {
        "OUTDATED_ORDER_UPDATE": _order(["r1", "r2"], 2, 1, first=2),
        "SAME_ORDER_UPDATE_ID": _order(["r1", "r2", "r3"], 2, 3, first=2),
        "OTHER_ORDER_ACTIVE": _order(["r0", "r1"], name="o-2"),
    }
    for error_type, order in kinds.items():
        error = yard.fleet.receive(0, order)
        assert error.error_type == error_type
        assert error.error_type_2_1 in ("orderUpdateError", "orderError")
    yard.run(60)
    assert yard.node() == "r2"


def test_malformed_orders_name_what_is_wrong():
    good = _order(["r0", "r1", "r2"], 2)
    assert malformed(good) is None
    nodes, edges = good.nodes, good.edges
    for bad, words in (
        (replace(good, nodes=(), edges=()), "there are none"),
        (replace(good, edges=edges[:1]), "1 for 3 nodes"),
        (replace(good, nodes=(replace(nodes[0], sequence_id=1), *nodes[1:])), "nodes have even ones"),
        (replace(good, nodes=(replace(nodes[0], released=False), *nodes[1:])), "the first node is always released"),
        (replace(good, nodes=(nodes[0], replace(nodes[1], sequence_id=4), nodes[2])), "4 where 2 follows"),
        (replace(good, nodes=(nodes[0], replace(nodes[1], released=False), replace(nodes[2], released=True))), "released"),
        (replace(good, edges=(replace(edges[0], end_node_id="r5"), edges[1])), "does not join"),
        (replace(good, nodes=(replace(nodes[0], actions=(Action("a", "x"), Action("a", "y"))), *nodes[1:])), "used twice"),
    ):
        error = malformed(bad)
        assert error is not None, words
        assert words in error.description


def test_pick_and_drop_hold_the_agv_and_change_its_load():
    yard = _ring_yard(load_heights_m=(1.2,))
    names = ["r0", "r1", "r2", "r3", "r4", "r5"]
    actions = {2: (Action("p", "pick"),), 8: (Action("d", "drop"),)}
    assert yard.fleet.receive(0, _order(names, actions=actions)) is None
    assert yard.status("p") == "WAITING"
    while yard.mode() != "working":
        yard.run(0.05)
    assert (yard.node(), yard.status("p"), yard.fleet.state().load_height_m[0]) == ("r1", "RUNNING", 0.0)
    yard.run(15.1)
    assert yard.status("p") == "FINISHED"
    assert yard.fleet.state().load_height_m[0] == 1.2
    yard.run(60)
    assert (yard.node(), yard.status("d")) == ("r5", "FINISHED")
    assert not yard.fleet.state().loaded[0]


def test_an_action_that_blocks_nothing_runs_while_the_agv_drives_on():
    yard = _ring_yard()
    actions = {2: (Action("f", "finePositioning", "NONE"),)}
    assert yard.fleet.receive(0, _order(["r0", "r1", "r2"], actions=actions)) is None
    while yard.status("f") != "RUNNING":
        yard.run(0.05)
    yard.run(1.0)
    assert yard.fleet.state().speed_mps[0] > 1.0
    assert yard.mode() == "driving"


@pytest.mark.parametrize("blocking", STOPS_DRIVING)
def test_an_action_that_blocks_driving_stops_the_agv_in_the_middle_of_its_base(blocking):
    yard = _ring_yard()
    actions = {2: (Action("f", "finePositioning", blocking),)}
    assert yard.fleet.receive(0, _order(["r0", "r1", "r2"], actions=actions)) is None
    while yard.status("f") != "RUNNING":
        yard.run(0.05)
    assert yard.node() == "r1"
    yard.run(2.5)
    assert yard.fleet.state().speed_mps[0] == 0.0
    yard.run(30)
    assert yard.node() == "r2"


def test_an_action_of_an_edge_runs_on_it_alone_and_a_blocking_one_before_it():
    fine = Action("f", "finePositioning", "NONE")  # 3 s, longer than the second edge takes
    order = _order(["r0", "r1", "r2", "r3"])
    for blocking in ("NONE", "HARD"):
        yard = Yard(ring(4.0))
        action = replace(fine, blocking_type=blocking)
        edges = (order.edges[0], replace(order.edges[1], actions=(action,)), order.edges[2])
        assert yard.fleet.receive(0, replace(order, edges=edges)) is None
        seen = []
        while yard.node() != "r3":
            yard.run(0.05)
            seen.append((yard.status("f"), yard.node(), float(yard.fleet.state().speed_mps[0])))
        running = [(node, speed) for status, node, speed in seen if status == "RUNNING"]
        assert {node for node, _ in running} == {"r1"}
        if blocking == "NONE":
            assert min(speed for _, speed in running) < max(speed for _, speed in running)
            assert 1.0 < 0.05 * len(running) < 3.0
            assert yard.fleet.action_states(0)[0].result == "edge left"
        else:
            assert {speed for _, speed in running} == {0.0}
            assert 0.05 * len(running) == pytest.approx(3.0, abs=0.11)
        assert seen[-1][0] == "FINISHED"


def test_cancel_order_stops_at_the_next_node_fails_what_waits_and_takes_no_update():
    yard = _ring_yard()
    actions = {8: (Action("d", "drop"),)}
    assert yard.fleet.receive(0, _order(["r0", "r1", "r2", "r3", "r4"], actions=actions)) is None
    yard.run(3)
    assert yard.fleet.instant_action(0, Action("c", "cancelOrder", "NONE")) is None
    assert yard.fleet.instant_action_states(0)[0].status == "RUNNING"
    assert yard.status("d") == "FAILED"
    yard.run(40)
    assert yard.node() == "r1"
    assert yard.fleet.instant_action_states(0)[0].status == "FINISHED"
    error = yard.fleet.receive(0, _order(["r4", "r5"], update=1, first=8))
    assert error.error_type == "ORDER_UPDATE_FOLLOWING_CANCEL"
    assert yard.fleet.receive(0, _order(["r1", "r2"], name="o-2")) is None
    yard.run(30)
    assert yard.node() == "r2"


def test_cancel_without_order_and_unknown_instant_actions_fail():
    yard = _ring_yard()
    error = yard.fleet.instant_action(0, Action("c", "cancelOrder", "NONE"))
    assert (error.error_type, error.references) == ("NO_ORDER_TO_CANCEL", (("actionId", "c"),))
    error = yard.fleet.instant_action(0, Action("j", "jump", "NONE"))
    assert error.error_type == "INVALID_INSTANT_ACTION"
    assert [s.status for s in yard.fleet.instant_action_states(0)] == ["FAILED", "FAILED"]
    assert yard.fleet.receive(0, _order(["r0", "r1"])) is None
    wrong = Action("c2", "cancelOrder", "NONE", {"orderId": "o-9"})
    assert yard.fleet.instant_action(0, wrong).error_type == "NO_ORDER_TO_CANCEL"


def test_pause_brakes_at_the_service_deceleration_and_resumes_where_it_was():
    yard = _ring_yard()
    assert yard.fleet.receive(0, _order(["r0", "r1", "r2"])) is None
    yard.run(6)
    speed = yard.fleet.state().speed_mps[0]
    assert speed > 1.0
    assert yard.fleet.instant_action(0, Action("s", "startPause", "NONE")) is None
    yard.run(0.5)
    assert abs(yard.fleet.state().speed_mps[0] - (speed - 0.5 * 0.7)) < 0.05
    assert yard.fleet.instant_action_states(0)[0].status == "RUNNING"
    yard.run(3)
    assert (yard.mode(), yard.fleet.paused(0)) == ("paused", True)
    assert yard.fleet.instant_action_states(0)[0].status == "FINISHED"
    there = yard.fleet.state().position_m.copy()
    yard.run(20)
    assert (yard.fleet.state().position_m == there).all()
    assert yard.fleet.instant_action(0, Action("g", "stopPause", "NONE")) is None
    yard.run(40)
    assert yard.node() == "r2"


def test_the_twins_own_fleet_takes_no_orders_from_outside():
    fleet = Fleet(config(ring(), 1), np.random.default_rng(0))
    assert fleet.receive(0, _order(["r0", "r1"])).error_type == "MOBILE_ROBOT_NOT_AVAILABLE"


def test_the_twins_own_orders_are_valid_orders_whose_updates_another_fleet_accepts_and_drives():
    routes = grid(4, 4)
    own = Fleet(config(routes, 2), np.random.default_rng(3))
    yard = Yard(routes, 2)
    age, letters = np.zeros(2, np.int64), [[], []]
    sent = [("", -1, 0), ("", -1, 0)]
    for step in range(1, 6001):
        own.step(step * DT_US, DT_US, age, *NOBODY)
        for i in range(2):
            order = own.order(i)
            name, update, decision = sent[i]
            if not order.order_id or (order.order_id, order.order_update_id) == (name, update) or len(order.nodes) < 2:
                continue
            assert malformed(order) is None
            assert order.order_id != name or order.order_update_id > update
            message = order.since(decision) if order.order_id == name else order
            letters[i].append(message)
            sent[i] = (order.order_id, order.order_update_id, message.base[-1].sequence_id)
    assert min(len(box) for box in letters) > 20
    taken = 0
    for _ in range(30_000):
        for i in range(2):
            while letters[i]:
                message = letters[i][0]
                held = yard.fleet.order(i)
                if held.order_id not in ("", message.order_id) and yard.mode(i) != "no_order":
                    break
                error = yard.fleet.receive(i, message)
                if error is not None and error.error_type in ("OTHER_ORDER_ACTIVE", "START_NODE_OUT_OF_RANGE"):
                    break  # its order is not finished yet
                assert error is None, error
                letters[i].pop(0)
                taken += 1
        yard.run(0.05)
        if not any(letters):
            break
    assert not any(letters)
    assert taken > 40


def test_an_internal_transport_is_one_order_with_pick_and_drop_and_can_be_cancelled():
    fleet = Fleet(config(grid(4, 4), 1), np.random.default_rng(3))
    age, seen, step = np.zeros(1, np.int64), [], 0
    while not fleet.finished_orders:
        step += 1
        fleet.step(step * DT_US, DT_US, age, *NOBODY)
        order = fleet.order(0)
        if order.order_id:
            seen.append((order.order_id, tuple(a.action_type for a in order.actions())))
        assert step < 20_000
    first = [actions for name, actions in seen if name == "transport-0"]
    assert ("pick",) in first
    assert ("drop",) in first
    while fleet.state().load_height_m[0] == 0.0:
        step += 1
        fleet.step(step * DT_US, DT_US, age, *NOBODY)
        assert step < 40_000
    name = fleet.order(0).order_id
    before = len(fleet.finished_orders)
    assert fleet.instant_action(0, Action("c", "cancelOrder", "NONE", {"orderId": name})) is None
    while fleet.instant_action_states(0)[0].status != "FINISHED":
        step += 1
        fleet.step(step * DT_US, DT_US, age, *NOBODY)
        assert step < 60_000
    while len(fleet.finished_orders) == before:
        step += 1
        fleet.step(step * DT_US, DT_US, age, *NOBODY)
        assert step < 80_000
    assert f"transport-{fleet.finished_orders[-1].order_id}" != name  # what was loaded went away as an order of its own


@settings(deadline=None, max_examples=150, derandomize=True)
@given(st.lists(st.tuples(st.sampled_from(BLOCKING_TYPES), st.integers(0, 5)), min_size=1, max_size=8))
def test_blocking_types_hold_for_any_list_of_actions(wanted):
    states = [ActionState(Action(str(k), "finePositioning", blocking)) for k, (blocking, _) in enumerate(wanted)]
    queue = ActionQueue(lambda action: wanted[int(action.action_id)][1] * 1000)
    queue.meet(states)
    began, clock = [], 0
    while not queue.empty:
        started, _ = queue.advance(500)
        began += [int(s.action.action_id) for s in started]
        running = [s for s in states if s.status == "RUNNING"]
        if any(s.action.blocking_type in RUNS_ALONE for s in running):
            assert len(running) == 1
        left = [s for s in states if s.status in ("WAITING", "RUNNING")]
        assert queue.may_drive == (not any(s.action.blocking_type in STOPS_DRIVING for s in left))
        clock += 1
        assert clock < 200
    assert began == sorted(began)
    assert all(s.status == "FINISHED" for s in states)
