"""Transmission points, forecasts and causes of outages as nodes."""

from __future__ import annotations

import dataclasses

import pytest

from bridges.opcua.sample import sample_view
from bridges.view import ForecastView, OutageView, TrpView


def test_a_transmission_point_shows_its_load_and_whom_it_serves(hall):
    assert hall.value("Trps/trp-1/InService") is True
    assert hall.value("Trps/trp-1/Health") == "in service"
    assert hall.value("Trps/trp-1/ServedDevices") == ["agv-01", "cobot-1", "panel-1"]
    assert hall.value("Trps/trp-1/ServingBeams") == [0, 1, 2]
    assert hall.value("Trps/trp-1/SecondDevices") == []
    assert hall.value("Trps/trp-1/LoadDownlink") == 0.1
    unit = hall.value("Trps/trp-1/Shortfall/EngineeringUnits")
    assert (unit.UnitId, unit.DisplayName.Text) == (12878, "dB")  # UNECE "2N"


@pytest.mark.parametrize(
    ("in_service", "shortfall_db", "health"),
    [(True, None, "in service"), (True, 9.9, "in service"), (True, 10.0, "impaired"), (False, None, "off"), (False, 30.0, "off")],
)
def test_health_is_a_word(in_service, shortfall_db, health):
    trp = TrpView("t", 0.0, 0.0, 5.0, 0.0, 0.0, 28e9, 64, in_service, 0.0, 0.0, shortfall_db)
    assert trp.state == health


def test_what_nobody_can_measure_has_no_number(hall):
    view = sample_view()
    hall.show(dataclasses.replace(view, trps=(dataclasses.replace(view.trps[0], in_service=False, shortfall_db=None),)))
    assert hall.status("Trps/trp-1/Shortfall") == "BadNoData"
    assert hall.value("Trps/trp-1/Health") == "off"


def test_risks_ahead_stand_beside_the_link(hall):
    view = sample_view()
    ahead = (ForecastView("agv-01", (0.5, 1.0, 2.0), (0.1, 0.4, None)), *view.forecasts[1:])
    hall.show(dataclasses.replace(view, forecasts=ahead))
    assert hall.value("Links/agv-01/RiskIn500ms") == 0.1
    assert hall.value("Links/agv-01/RiskIn1s") == 0.4
    assert hall.status("Links/agv-01/RiskIn2s") == "BadNoData"
    assert hall.value("Links/agv-01/RiskIn1s/EURange").High == 1.0


def test_the_last_outage_says_why(hall):
    view = sample_view()
    assert hall.status("Links/agv-01/LastOutage") == "BadNoData"
    lasting = OutageView("agv-01", "agv-control", 2_500_000, None, "body", "person", "trp-1")
    over = dataclasses.replace(lasting, until_us=2_750_000)
    hall.show(dataclasses.replace(view, outages=(lasting, *view.outages[1:]), service_outages=(lasting,)))
    assert hall.value("Links/agv-01/LastOutage") == 2.5
    assert hall.status("Links/agv-01/LastOutageDuration") == "BadNoData"
    assert hall.value("Links/agv-01/LastOutageCause") == "body"
    assert hall.value("Links/agv-01/LastOutageBlockedBy") == "person"
    assert hall.value("Services/agv-control/LastOutageDevice") == "agv-01"
    hall.show(dataclasses.replace(view, outages=(over, *view.outages[1:]), service_outages=(over,)))
    assert hall.value("Services/agv-control/LastOutageDuration") == 0.25


def test_what_left_is_not_connected_and_what_is_late_is_uncertain(hall):
    view = sample_view()
    hall.show(dataclasses.replace(view, trps=(), forecasts=()))
    assert hall.status("Trps/trp-1/LoadDownlink") == "BadNotConnected"
    assert hall.status("Links/agv-01/RiskIn1s") == "BadNotConnected"
    assert hall.status("Links/agv-01/SinrDownlink") == "Good"
    hall.show(view)
    assert hall.status("Trps/trp-1/LoadDownlink") == "Good"
    hall.run(hall.model.mark_stale())
    axis = "Robotics/cobot-1/MotionDevices/cobot-1/Axes/Axis_1/ParameterSet/ActualPosition"
    late = ("Trps/trp-1/LoadDownlink", "Links/agv-01/RiskIn1s", "Machines/agv-01/SpatialObject/PositionFrame", axis)
    assert {hall.status(node) for node in late} == {"UncertainLastUsableValue"}
    hall.show(view)
    assert {hall.status(node) for node in late} == {"Good"}


def test_no_history_is_offered_of_what_comes_near_people(hall):
    nodes = [n for n in hall.sample.nodes if n.NamespaceIndex == hall.index]
    kept = {str(n.Identifier).split("/")[0] for n in nodes if _historizing(hall, n)}
    assert kept <= {"Services"}


def _historizing(hall, node) -> bool:
    from asyncua.ua.attribute_ids import AttributeIds

    data = hall.data(node, AttributeIds.Historizing)
    return bool(data.Value is not None and data.Value.Value)
