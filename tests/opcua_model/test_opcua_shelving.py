"""Alarms: transmission points that fail, risks ahead, and shelving."""

from __future__ import annotations

import dataclasses
import time

import pytest
from asyncua import ua
from asyncua.ua.object_ids import ObjectIds

from bridges.opcua.conditions import situations
from bridges.opcua.sample import sample_view
from bridges.view import ForecastView

ONE_SHOT = ua.NodeId(ObjectIds.ShelvedStateMachineType_OneShotShelve)
TIMED = ua.NodeId(ObjectIds.ShelvedStateMachineType_TimedShelve)
UNSHELVE = ua.NodeId(ObjectIds.ShelvedStateMachineType_Unshelve)
ALARM = "Alarms/TrpDegraded/trp-1"


def off():
    view = sample_view()
    return dataclasses.replace(view, trps=(dataclasses.replace(view.trps[0], in_service=False),))


def state(hall) -> str:
    return hall.value(f"{ALARM}/ShelvingState/CurrentState").Text


def minutes(n: float) -> ua.Variant:
    return ua.Variant(60_000.0 * n, ua.VariantType.Double)


@pytest.fixture
def alarm(hall):
    """Return the alarm of a transmission point that is off, not shelved."""
    hall.show(off())
    hall.call("engineer", hall.id(ALARM), UNSHELVE)
    assert state(hall) == "Unshelved"
    return hall.id(ALARM)


def found(view, name, before=False):
    return {s.key: s for s in situations(view, 0.5, lambda n, k: before) if s.name == name}


def test_a_transmission_point_that_fails_is_an_alarm():
    view = sample_view()
    assert not found(view, "TrpDegraded")["trp-1"].active
    assert found(off(), "TrpDegraded")["trp-1"].active
    assert "out of service" in found(off(), "TrpDegraded")["trp-1"].message
    weak = dataclasses.replace(view, trps=(dataclasses.replace(view.trps[0], shortfall_db=17.0),))
    told = found(weak, "TrpDegraded")["trp-1"]
    assert told.active
    assert told.message == "transmission point trp-1 is heard 17 dB below expectation"


@pytest.mark.parametrize(("shortfall_db", "before", "active"), [(9.0, False, False), (9.0, True, True), (7.9, True, False)])
def test_a_shortfall_near_the_limit_does_not_ring_twice(shortfall_db, before, active):
    view = sample_view()
    weak = dataclasses.replace(view, trps=(dataclasses.replace(view.trps[0], shortfall_db=shortfall_db),))
    assert found(weak, "TrpDegraded", before)["trp-1"].active == active


@pytest.mark.parametrize(
    ("risks", "before", "active"),
    [
        ((0.1, 0.2, 0.49), False, False),
        ((0.1, 0.2, 0.5), False, True),
        ((0.41, 0.2, 0.1), True, True),
        ((None, None, 0.39), True, False),
    ],
)
def test_a_risk_at_any_horizon_counts(risks, before, active):
    view = sample_view()
    ahead = (ForecastView("agv-01", (0.5, 1.0, 2.0), risks), *view.forecasts[1:])
    assert found(dataclasses.replace(view, forecasts=ahead), "RiskHigh", before)["agv-01"].active == active


def test_the_message_names_the_horizon():
    view = sample_view()
    ahead = (ForecastView("agv-01", (0.5, 1.0, 2.0), (0.1, 0.2, 0.9)), *view.forecasts[1:])
    assert found(dataclasses.replace(view, forecasts=ahead), "RiskHigh")["agv-01"].message == "risk of agv-01 is 0.90 in 2 s"
    plain = dataclasses.replace(view, forecasts=())
    assert found(plain, "RiskHigh")["agv-01"].message == "risk of agv-01 is 0.10"


def test_timed_shelve_ends_by_itself(hall, alarm, monkeypatch):
    assert hall.call("engineer", alarm, TIMED, minutes(10)).StatusCode.is_good()
    assert state(hall) == "TimedShelved"
    assert hall.value(f"{ALARM}/ShelvingState/CurrentState/Id") == ua.NodeId(ObjectIds.ShelvedStateMachineType_TimedShelved)
    hall.show(off())
    assert 590_000 < hall.value(f"{ALARM}/ShelvingState/UnshelveTime") <= 600_000
    now = time.monotonic()
    monkeypatch.setattr("bridges.opcua.shelving.time.monotonic", lambda: now + 601.0)
    hall.show(off())
    assert state(hall) == "Unshelved"
    assert hall.value(f"{ALARM}/ShelvingState/UnshelveTime") == 0.0


def test_one_shot_shelve_ends_with_the_alarm(hall, alarm):
    machine = hall.id(f"{ALARM}/ShelvingState")
    assert hall.call("safety", machine, ONE_SHOT).StatusCode.is_good()
    hall.show(off())
    assert state(hall) == "OneShotShelved"
    hall.show(sample_view())
    assert state(hall) == "Unshelved"
    hall.show(off())
    assert state(hall) == "Unshelved"


def test_events_say_that_an_alarm_is_shelved(hall, alarm):
    condition = hall.model._alarms._conditions[alarm]
    assert condition.event.SuppressedOrShelved is False
    hall.call("engineer", alarm, TIMED, minutes(1))
    assert condition.event.SuppressedOrShelved is True
    assert getattr(condition.event, "ShelvingState/CurrentState").Text == "TimedShelved"
    assert condition.active, "a shelved alarm goes on"
    hall.call("engineer", alarm, UNSHELVE)
    assert condition.event.SuppressedOrShelved is False


@pytest.mark.parametrize(
    ("role", "method", "arguments", "code"),
    [
        ("viewer", ONE_SHOT, (), "BadUserAccessDenied"),
        ("viewer", TIMED, (minutes(1),), "BadUserAccessDenied"),
        ("engineer", UNSHELVE, (), "BadConditionNotShelved"),
        ("engineer", TIMED, (), "BadArgumentsMissing"),
        ("engineer", ONE_SHOT, (minutes(1),), "BadTooManyArguments"),
        ("engineer", TIMED, (minutes(0),), "BadShelvingTimeOutOfRange"),
        ("engineer", TIMED, (minutes(481),), "BadShelvingTimeOutOfRange"),
        ("engineer", TIMED, (ua.Variant(float("nan"), ua.VariantType.Double),), "BadShelvingTimeOutOfRange"),
        ("engineer", TIMED, (ua.Variant("an hour"),), "BadInvalidArgument"),
        ("engineer", TIMED, (ua.Variant([1.0, 2.0], ua.VariantType.Double),), "BadInvalidArgument"),
    ],
)
def test_what_cannot_be_shelved_is_refused(hall, alarm, role, method, arguments, code):
    assert hall.call(role, alarm, method, *arguments).StatusCode.name == code
    assert state(hall) == "Unshelved"


def test_shelving_twice_and_from_one_to_the_other(hall, alarm):
    assert hall.call("engineer", alarm, TIMED, minutes(1)).StatusCode.is_good()
    assert hall.call("engineer", alarm, TIMED, minutes(1)).StatusCode.name == "BadConditionAlreadyShelved"
    assert hall.call("engineer", alarm, ONE_SHOT).StatusCode.is_good()
    assert hall.call("engineer", alarm, ONE_SHOT).StatusCode.name == "BadConditionAlreadyShelved"
    assert hall.call("engineer", alarm, UNSHELVE).StatusCode.is_good()
    assert hall.call("engineer", hall.id("Twin"), ONE_SHOT).StatusCode.name == "BadNodeIdUnknown"


def test_a_client_finds_the_methods_below_the_alarm(hall, alarm):
    machine = hall.guarded.aspace[hall.id(f"{ALARM}/ShelvingState")]
    children = {r.BrowseName.Name: r.NodeId for r in machine.references if r.IsForward}
    assert {children[name] for name in ("OneShotShelve", "TimedShelve", "Unshelve")} == {ONE_SHOT, TIMED, UNSHELVE}
    assert hall.value(f"{ALARM}/MaxTimeShelved") == 8 * 3600 * 1000.0
