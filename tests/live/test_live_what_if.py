"""A what-if of a twin beside a plant: it does nothing in the plant, and says where the present has no known future."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bridges.tags import TagObservations
from factory.live_people import LivePeople
from factory.live_record_rows import TagsRow
from factory.live_twin import LiveTwin
from factory.scenario import load_scenario
from factory.twin import Twin
from factory.what_if_jobs import WhatIfJobs
from humans.tracked_crowd import TrackedCrowd

Started = Callable[[Twin], dict[str, Any]]


@pytest.fixture
def started() -> Iterator[Started]:
    """Return what asks a twin what a weaker TRP would come to, and waits for the answer."""
    open_desks: list[WhatIfJobs] = []

    def start(twin: Twin) -> dict[str, Any]:
        jobs = WhatIfJobs(twin)
        open_desks.append(jobs)
        number = jobs.start(["radio.trps[0].tx_power_dbm=10"], 1.0, 1)
        deadline = time.monotonic() + 120
        while (told := jobs.status(number))["state"] == "running":
            assert time.monotonic() < deadline, told
            time.sleep(0.05)
        return told

    yield start
    for jobs in open_desks:
        jobs.close()


class Acting:
    """Somebody who looks ahead and leaves a mark in a folder at every tick, as acts do."""

    def __init__(self, folder: Path) -> None:
        self.ahead, self._folder = None, folder

    def look(self, time_us: int) -> None:
        (self._folder / str(time_us)).touch()

    def published(self) -> tuple[()]:
        return ()

    def stop(self, time_us: int) -> None:
        """Nothing to take back."""


def test_a_look_into_a_future_does_nothing_in_the_plant(started: Started, tmp_path: Path) -> None:
    twin = Twin(load_scenario("small", ["people.count=2"]))
    LiveTwin(twin, modes=Acting(tmp_path))
    for _ in range(20):
        twin.tick()
    told = started(twin)
    assert (told["state"], told["from"], told["why"]) == ("done", "present", ""), told
    assert len(list(tmp_path.iterdir())) == 20  # the twin's own ticks, and none of the future's
    assert twin.live is not None
    twin.close()


def test_people_of_the_plant_have_no_known_future(started: Started) -> None:
    def nobody() -> TagObservations:
        return TagsRow.empty()

    twin = Twin(load_scenario("small", ["live.people_from=tags", "bridges.tags.enabled=true"]), beside_a_plant=True)
    assert isinstance(twin.crowd, TrackedCrowd)
    LiveTwin(twin, LivePeople(twin.crowd, nobody, 0.01), now=lambda: 1e9 + twin.time_us * 1e-6)
    for _ in range(20):
        twin.tick()
    told = started(twin)
    assert (told["state"], told["from"]) == ("done", "start"), told
    assert "no tag tells where they will go" in told["why"]
    twin.close()
