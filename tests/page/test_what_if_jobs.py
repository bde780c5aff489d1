"""What-if from here: pairs of futures of a running twin, commands that ask for them, and maps of the floor."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from bridges.inbox import Answer, Command
from factory.branching import branch, changed, channel_of, present, why_not
from factory.child_jobs import JobError, Teller
from factory.errors import UserError
from factory.radio_map import MapSpec, radio_map
from factory.saved_state import forget, generators_of, reseed, restore, save
from factory.scenario import load_scenario
from factory.study.measures import Measure
from factory.twin import Twin
from factory.what_if_jobs import WhatIfJobs
from factory.what_if_run import card


class Quiet(Teller):
    """A teller whom nobody hears."""

    def __init__(self) -> None:
        super().__init__(0, -1)

    def __call__(self, progress: float, words: str) -> None:
        assert 0.0 <= progress <= 1.0


@pytest.fixture(scope="module")
def twin() -> Iterator[Twin]:
    running = Twin(load_scenario("small"))
    for _ in range(200):
        running.tick()
    yield running
    running.close()


@pytest.fixture
def jobs(twin: Twin) -> Iterator[WhatIfJobs]:
    desk = WhatIfJobs(twin)
    yield desk
    desk.close()


def _wait(jobs: WhatIfJobs, number: int, seconds: float = 60.0) -> dict[str, Any]:
    end = time.monotonic() + seconds
    while (told := jobs.status(number))["state"] == "running":
        assert time.monotonic() < end, told
        time.sleep(0.05)
    return told


def _rows(told: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["key"]: row for row in told["result"]["rows"]}


def test_a_trp_that_is_off_from_now_costs_service_in_paired_futures(twin: Twin, jobs: WhatIfJobs) -> None:
    now, places = twin.time_us, twin.people.position_m.copy()
    number = jobs.start(["radio.outages=[{trp: ceiling-west, from_s: 0}]"], 2.0, 2)
    told = _wait(jobs, number)
    assert (told["state"], told["from"], told["from_us"]) == ("done", "present", now), told
    row = _rows(told)["service.agv-control.unavailability"]
    assert row["base"] == 0.0
    assert row["other"] > 1e-4
    assert told["result"]["pairs"] == 2
    assert twin.time_us == now  # the twin itself was not moved
    assert np.array_equal(places, twin.people.position_m)


def test_one_pair_has_no_interval(jobs: WhatIfJobs) -> None:
    told = _wait(jobs, jobs.start(["radio.trps[0].tx_power_dbm=10"], 1.0, 1))
    assert told["result"]["note"] == "one pair: no interval"
    assert all(row["low"] is None and row["verdict"] in ("equal", "too few") for row in told["result"]["rows"])


def test_what_a_state_cannot_take_begins_with_the_scenario(jobs: WhatIfJobs) -> None:
    told = _wait(jobs, jobs.start(["people.count=9"], 1.0, 1))
    assert (told["state"], told["from"]) == ("done", "start"), told
    assert told["why"] == "people differs, which the state of now cannot take"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["people.count=-4"], "people.count: -4"),
        (["radio.policy=reactve"], "reactive"),
        (["nonsense"], "write key=value"),
        (["radio.policy=reactive"], "nothing differs from the present"),
        (["radio.trps[9].position_m=[1, 1, 1]"], "radio.trps[9]"),
    ],
)
def test_a_change_that_cannot_be_made_is_told(jobs: WhatIfJobs, changes: list[str], words: str) -> None:
    told = _wait(jobs, jobs.start(changes, 1.0))
    assert told["state"] == "failed"
    assert words in told["words"]


def test_limits_are_told_at_once(jobs: WhatIfJobs) -> None:
    with pytest.raises(JobError, match="give 1 to 600 s"):
        jobs.start(["people.count=1"], 601.0)
    with pytest.raises(JobError, match="give 1 to 16"):
        jobs.start(["people.count=1"], 10.0, 17)
    with pytest.raises(JobError, match="3600 s are the most"):
        jobs.start(["people.count=1"], 600.0, 4)
    with pytest.raises(JobError, match="no change"):
        jobs.start([], 10.0)


def test_futures_of_one_seed_without_a_change_are_alike_and_seeds_differ(twin: Twin) -> None:
    base, generators = present(twin), []
    channel, state = channel_of(base), save(twin)
    ends = []
    for seed in (1, 1, 2):
        restore(state)
        branch(twin, base, channel)
        generators = list(generators_of(twin))
        reseed(twin, (seed,), tuple(generators))
        for _ in range(250):
            tick = twin.tick()
        ends.append((twin.people.capsule_a.copy(), twin.networks[0].kpi.tables.units.copy(), tick.delivered[0].sinr_db.copy()))
    restore(state)
    forget(state)
    assert all(np.array_equal(a, b) for a, b in zip(ends[0], ends[1], strict=True))
    assert not np.array_equal(ends[0][0], ends[2][0])


def test_figures_of_a_branch_begin_with_it(twin: Twin) -> None:
    base, state = present(twin), save(twin)
    branch(twin, base, channel_of(base))
    for _ in range(100):
        twin.tick()
    messages = {s["name"]: s["messages"] for s in twin.networks[0].kpi.result(1.0, replicates=1)["services"]}
    streams = twin.traffic
    for s, name in enumerate(streams.service_name):
        rows = (streams.service == s) & ~streams.sent.poisson
        if rows.any() and not streams.video[rows].any():
            assert messages[name] == pytest.approx(float((1e6 / streams.interval_us[rows]).sum()), rel=0.05), name
    restore(state)
    forget(state)


def test_why_not_names_what_differs(twin: Twin) -> None:
    base = present(twin)
    for changes, words in (
        (["radio.trps[1].position_m=[20, 10, 5]"], ""),
        (["radio.policy=human_aware"], ""),
        (["hall.boxes[0].center_m=[20, 4.2]"], "hall differs"),
        (["radio.ue.antenna=dipole"], "radio.ue differs"),
        (["radio.trps[0].rf_chains=2"], "rf_chains of TRP ceiling-west differs"),
    ):
        reason = why_not(base.scenario, changed(base, changes).scenario)
        assert reason.startswith(words), reason
        assert bool(reason) == bool(words)


def test_commands_start_read_and_cancel(twin: Twin) -> None:
    answers: list[Answer] = []

    def asked(name: str, target: str = "", **payload: Any) -> Answer:
        twin.steering.apply([Command("test", name, target, reply=answers.append, payload=payload)])
        return answers[-1]

    started = asked("start_whatif", changes=["radio.policy=human_aware"], seconds=300, seeds=2)
    assert started.done, started
    number = json.loads(started.message)["job"]
    told = json.loads(asked("read_whatif", job=number).message)
    assert (told["job"], told["state"], told["changes"]) == (number, "running", ["radio.policy=human_aware"])
    assert json.loads(asked("cancel_job", str(number)).message)["state"] == "cancelled"
    for name, payload, words in (
        ("start_whatif", {"changes": "radio.policy"}, None),
        ("start_whatif", {"changes": 5}, "give a list of texts"),
        ("start_whatif", {"changes": ["a=1"], "seconds": "x"}, "give a number"),
        ("start_whatif", {"changes": ["a=1"], "seeds": 1.5}, "give a whole number"),
        ("read_whatif", {"job": "one"}, "give the number of a job"),
        ("start_radio_map", {"device": "crane"}, "it has agv"),
        ("start_radio_map", {"height_m": 99.0}, "give 0.05 to 5.95 m"),
    ):
        answer = asked(name, **payload)
        if words is None:  # a text is read, one change a line
            assert json.loads(answer.message)["changes"] == ["radio.policy"]
            continue
        assert not answer.done
        assert words in answer.message


def test_a_card_of_eight_pairs_has_intervals_and_a_verdict() -> None:
    rng = np.random.default_rng(7)
    base = [_figure(10.0 + n) for n in rng.normal(size=8)]
    other = [_figure(m["production.orders"].value + 4.0 + 0.1 * rng.normal()) for m in base]
    (row,) = card(base, other, 60.0)["rows"]
    assert row["verdict"] == "better"
    assert 3.5 < row["low"] < 4.0 < row["high"] < 4.5


def _figure(value: float) -> dict[str, Measure]:
    return {"production.orders": Measure("production.orders", value, "", "orders finished", "higher", "production", True, True)}


def test_a_map_is_the_channel_at_its_places_and_people_only_take(twin: Twin) -> None:
    empty = radio_map(twin, MapSpec(1.0, 1.0, "agv", 0), Quiet())
    crowd = radio_map(twin, MapSpec(1.0, 1.0, "agv", 10), Quiet())
    assert (empty["nx"], empty["ny"]) == (30, 20)
    inside_rack = 4 * 30 + 20  # rack-a stands at 21, 4.2
    assert empty["margin_db"][inside_rack] is None
    known = np.array([v if v is not None else np.nan for v in empty["margin_db"]])
    among = np.array([v if v is not None else np.nan for v in crowd["margin_db"]])
    assert np.isfinite(known).sum() > 500
    assert np.nanmax(among - known) <= 0.11  # rounding
    assert np.nanmin(among - known) < -0.5
    assert max(v for v in crowd["shaded"] if v is not None) > 0
    assert max(v for v in empty["shaded"] if v is not None) == 0
    assert crowd == radio_map(twin, MapSpec(1.0, 1.0, "agv", 10), Quiet())


def test_a_map_tells_zones_counts_and_no_persons_place(twin: Twin) -> None:
    state = save(twin)
    before = radio_map(twin, MapSpec(1.5, 1.0, "agv", 3), Quiet())
    twin.people.position_m[:] += 0.01  # within their zones: whoever is elsewhere in a zone gives the same map
    twin.people.capsule_a[:, :, :2] += 0.01
    twin.people.capsule_b[:, :, :2] += 0.01
    after = radio_map(twin, MapSpec(1.5, 1.0, "agv", 3), Quiet())
    restore(state)
    forget(state)
    assert before == after


def test_a_map_of_nothing_is_refused(twin: Twin) -> None:
    for spec in (MapSpec(cell_m=0.1), MapSpec(draws=500), MapSpec(kind="drone")):
        with pytest.raises(UserError, match=r"give|has"):
            spec.check(twin)
