"""Commands to a running twin: carried out between ticks, answered, refused in words."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from rich.console import Console
from rich.live import Live

from bridges.inbox import Answer, Command
from factory.live import _follow_the_clock
from factory.scenario import load_scenario
from factory.twin import Twin
from robots.state import MODES


@pytest.fixture(scope="module")
def twin():
    built = Twin(load_scenario("small", ["people.count=2", "people.panels=0"]))
    yield built
    built.close()


def ask(twin: Twin, name: str, target: str = "", **arguments) -> Answer:
    answers: list[Answer] = []
    assert twin.inbox.put(Command("test", name, target, tuple(arguments.items()), answers.append))
    assert not answers  # nothing happens before a tick
    twin.tick()
    (answer,) = answers
    return answer


def test_an_agv_stops_and_goes_on(twin):
    for _ in range(100):
        twin.tick()
    assert ask(twin, "stop_agv", "agv-02") == Answer(True, "agv-02 is paused")
    for _ in range(300):
        twin.tick()
    assert MODES[twin.agvs.mode[1]] == "paused"
    there = twin.agvs.position_m[1].copy()
    for _ in range(100):
        twin.tick()
    assert np.array_equal(twin.agvs.position_m[1], there)
    assert ask(twin, "release_agv", "agv-02").done
    for _ in range(500):
        twin.tick()
    assert np.hypot(*(twin.agvs.position_m[1] - there)) > 0.2


def test_the_acting_policy_changes_in_the_middle_of_a_run(twin):
    lost = twin.networks[0].kpi.running()[0]
    assert ask(twin, "set_policy", policy="human_aware") == Answer(True, "the acting policy is human_aware")
    assert twin.networks[0].policy == "human_aware"
    for _ in range(30):
        twin.tick()
    assert twin.networks[0].kpi.running()[0] is not lost
    assert ask(twin, "set_policy", policy="reactive").done


@pytest.mark.parametrize(
    ("name", "target", "arguments", "says"),
    [
        ("fly", "", {}, "known: pause, resume"),
        ("stop_agv", "agv-2", {}, "did you mean 'agv-02'"),
        ("set_speed", "", {"factor": 400.0}, "0.1 to 20"),
        ("set_speed", "", {"factor": True}, "0.1 to 20"),
        ("set_speed", "", {}, "0.1 to 20"),
        ("set_policy", "", {"policy": "oracle"}, "no network can be run by it"),
        ("set_policy", "", {"policy": "reactiv"}, "did you mean 'reactive'"),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(twin, name, target, arguments, says):
    policy = twin.networks[0].policy
    answer = ask(twin, name, target, **arguments)
    assert not answer.done
    assert says in answer.message
    assert twin.networks[0].policy == policy
    assert twin.steering.speed == 1.0


def test_others_are_asked_about_what_is_no_command_of_the_twin(twin):
    asked: list[str] = []

    def carry_out(command: Command) -> bool:
        asked.append(command.name)
        command.answer(True, "theirs")
        return command.name == "vda5050_order"

    twin.steering.also(carry_out)
    assert ask(twin, "vda5050_order", "agv-01") == Answer(True, "theirs")
    assert ask(twin, "stop_agv", "agv-01").message == "agv-01 is paused"
    assert ask(twin, "release_agv", "agv-01").done
    assert asked == ["vda5050_order"]
    twin.steering._others.clear()


class _Listener:
    """A bridge that resumes the twin once it has seen it stand."""

    def __init__(self, twin: Twin) -> None:
        self.twin, self.views = twin, []

    def publish(self, view) -> None:
        self.views.append(view)
        if not view.running:
            self.twin.inbox.put(Command("test", "resume"))

    def stop(self) -> None:
        """Nothing to free."""


def test_a_paused_twin_stands_shows_itself_and_goes_on(twin):
    listener, began_us = _Listener(twin), twin.time_us
    ask(twin, "pause")
    with Live("", console=Console(quiet=True)) as screen:
        _follow_the_clock(twin, [listener], threading.Event(), 1.5, screen)
    stood = [view for view in listener.views if not view.running]
    assert stood
    assert {view.time_us for view in stood} == {began_us + twin.dt_us}
    assert listener.views[-1].running
    assert twin.time_us > began_us + 5 * twin.dt_us
