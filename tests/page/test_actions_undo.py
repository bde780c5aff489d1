"""TRPs switched off and on by command, and actions that are undone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from bridges.inbox import Answer, Command
from factory.branching import present
from factory.scenario import load_scenario
from factory.twin import Twin


@pytest.fixture(scope="module")
def twin() -> Iterator[Twin]:
    running = Twin(load_scenario("small", ["people.count=2", "people.panels=0", "radio.compare=[]"]))
    for _ in range(50):
        running.tick()
    yield running
    running.close()


def _ask(twin: Twin, name: str, target: str = "", **arguments: str) -> Answer:
    answers: list[Answer] = []
    assert twin.inbox.put(Command("test", name, target, tuple(arguments.items()), answers.append))
    twin.tick()
    (answer,) = answers
    return answer


def _serving(twin: Twin) -> set[int]:
    plan = twin.networks[0].plan
    assert plan is not None
    return set(np.unique(plan.trp[:, 0]).tolist())


def test_a_trp_that_is_off_serves_nobody_until_it_is_on_again(twin: Twin) -> None:
    served = _serving(twin)
    assert 0 in served
    assert _ask(twin, "switch_trp_off", "ceiling-west") == Answer(True, "TRP ceiling-west is off")
    for _ in range(200):
        twin.tick()
    assert _serving(twin) == {1}
    assert [o.trp for o in present(twin).scenario.radio.outages] == ["ceiling-west"]
    assert "off already" in _ask(twin, "switch_trp_off", "ceiling-west").message
    assert "the last one that is on" in _ask(twin, "switch_trp_off", twin.scenario.radio.trps[1].name).message
    assert _ask(twin, "undo").message == "switching ceiling-west off is undone: TRP ceiling-west is on"
    for _ in range(300):
        twin.tick()
    assert 0 in _serving(twin)
    assert present(twin).scenario.radio.outages == ()
    assert "was not switched off" in _ask(twin, "switch_trp_on", "ceiling-west").message
    assert "did you mean 'ceiling-west'?" in _ask(twin, "switch_trp_off", "ceiling-wst").message


def test_actions_are_undone_the_last_one_first(twin: Twin) -> None:
    before = twin.networks[0].policy
    assert _ask(twin, "set_policy", policy="human_aware").done
    assert _ask(twin, "stop_agv", "agv-01").done
    assert not _ask(twin, "set_policy", policy="nonsense").done  # what was refused is not there to be undone
    assert _ask(twin, "undo").message == "stop of agv-01 is undone: agv-01 goes on"
    assert _ask(twin, "undo").message == f"policy human_aware is undone: the acting policy is {before}"
    assert twin.networks[0].policy == before
    assert _ask(twin, "undo") == Answer(False, "there is nothing to undo")


def test_an_agv_is_sent_another_way_or_the_twin_says_that_there_is_none(twin: Twin) -> None:
    said = set()
    for k in range(200):
        name = twin.devices[k % twin.fleet.n]
        order = twin.fleet.order(k % twin.fleet.n)
        answer = _ask(twin, "detour_agv", name)
        if answer.done:
            lane = answer.message.split("not ")[1].split(" -> ")
            assert next(e.start_node_id for e in order.edges if not e.released) == lane[0]
            changed = twin.fleet.order(k % twin.fleet.n)
            assert changed.nodes[-1].node_id == order.nodes[-1].node_id
            assert changed.order_update_id == order.order_update_id + 1
        said.add(answer.done)
        for _ in range(20):
            twin.tick()
    assert said == {True, False}
    assert "did you mean" in _ask(twin, "detour_agv", "agv-1").message
