"""What a live twin would gather without end is taken away while it runs, and all doors to a what-if have the same limits."""

from __future__ import annotations

import gc
import threading

import pytest
from rich.console import Console
from rich.live import Live

from bridges.inbox import Command
from bridges.opcua.methods import _METHODS
from bridges.page.whatif import WhatIfBody
from bridges.view import TwinView
from factory.child_jobs import JobError
from factory.live import _follow_the_clock, settle
from factory.scenario import load_scenario
from factory.twin import Twin
from factory.what_if_jobs import WhatIfJobs


class _Plant:
    """A bridge that stops an AGV and lets it go on, again and again."""

    def __init__(self, twin: Twin) -> None:
        self._twin, self._views = twin, 0

    def publish(self, view: TwinView) -> None:
        name = "release_agv" if self._views % 2 else "stop_agv"
        self._views += 1
        self._twin.inbox.put(Command("test", name, self._twin.devices[0]))

    def stop(self) -> None:
        """Nothing to free."""


@pytest.fixture(scope="module")
def twin():
    twin = Twin(load_scenario("small", ["people.count=2"]))
    yield twin
    twin.close()


def test_stops_and_risks_do_not_pile_up_in_live(twin):
    ended = []
    take = twin.stops.take

    def counted():
        taken = take()
        ended.extend(taken)
        return taken

    twin.stops.take = counted
    with Live("", console=Console(quiet=True)) as screen:
        for _ in range(20):  # a machine that others use takes longer to come to a stop that has ended
            _follow_the_clock(twin, [_Plant(twin)], threading.Event(), 1.0, screen)
            if ended:
                break
    assert ended  # stops did end
    assert take() == []  # and none is kept
    assert twin.tracker.take()[0].max() < 1.0  # time down since the last view, not since the start


@pytest.mark.parametrize(
    ("seconds", "seeds", "told"), [(601.0, 1, "1 to 600"), (60.0, 17, "1 to 16"), (600.0, 4, "3600 s are the")]
)
def test_the_job_tells_its_limits(twin, seconds, seeds, told):
    jobs = WhatIfJobs(twin)
    with pytest.raises(JobError, match=told):
        jobs.start(["radio.policy=static"], seconds, seeds)


def test_opc_ua_and_the_page_let_through_what_the_job_takes():
    start = next(m for m in _METHODS if m.name == "StartWhatIf")
    opcua = {a.name: (a.low, a.high) for a in start.arguments}
    page = WhatIfBody.model_json_schema()["properties"]
    for name, low, high in (("seconds", 1, 600), ("seeds", 1, 16)):
        assert opcua[name] == (low, high) == (page[name]["minimum"], page[name]["maximum"])


def test_what_was_built_does_not_keep_garbage_from_being_collected():
    built = [[] for _ in range(600_000)]  # more objects than a hall has
    settle()
    try:
        before = gc.get_stats()[2]["collections"]
        for _ in range(95_000):  # a full collection is due every 77,000, unless what it left the last time is four times as many
            knot: list[object] = []
            knot.append(knot)
            built.append(knot)
        assert gc.get_stats()[2]["collections"] > before
    finally:
        gc.unfreeze()
