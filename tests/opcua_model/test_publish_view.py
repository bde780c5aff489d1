"""What the twin puts into its views: transmission points, risks ahead, causes, and people only where they are asked for."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from bridges.config import OpcUaConfig
from bridges.inbox import Command
from factory.link_outlook import FUTURES, HORIZONS_S, risk_of_futures
from factory.publish import Publisher, build_view
from factory.publish_trps import shortfall_db
from factory.scenario import load_scenario
from factory.twin import Twin
from radio.messages.delivery import CAUSES

OUTAGE = "radio.outages=[{trp: corner-east, from_s: 0.4}]"


def small(*overrides: str) -> Twin:
    return Twin(load_scenario("small", list(overrides)))


@pytest.fixture(scope="module")
def watched():
    """Run a small hall for 1.5 s, watched with forecasts and people, and the same one with nobody watching."""
    twin, alone = small("bridges.opcua.people_for_safety=true"), small()
    publisher, views = Publisher(twin), []
    for _ in range(150):
        publisher.watch(twin.tick())
        alone.tick()
        if twin.time_us % 100_000 == 0:
            views.append(publisher.view(1.0))
    yield twin, alone, views
    twin.close()
    alone.close()


def test_watching_changes_nothing(watched):
    twin, alone, _ = watched
    assert np.array_equal(twin.people.capsule_a, alone.people.capsule_a)
    assert np.array_equal(twin.agvs.position_m, alone.agvs.position_m)
    one, other = twin.networks[0], alone.networks[0]
    assert np.array_equal(one.state.sinr_dl_db, other.state.sinr_dl_db, equal_nan=True)
    assert np.array_equal(one.kpi.tables.causes, other.kpi.tables.causes)


def test_every_link_has_a_risk_at_every_horizon(watched):
    twin, _, views = watched
    first, last = views[0], views[-1]
    assert [f.device for f in last.forecasts] == list(twin.devices)
    assert {f.horizon_s for f in last.forecasts} == {HORIZONS_S}
    most = FUTURES / (FUTURES + 1) + 0.2
    for forecast, link in zip(last.forecasts, last.links, strict=True):
        assert all(0.0 < risk <= most or risk == 1.0 for risk in forecast.risk)
        assert link.risk == max(forecast.risk)
    assert any(None in f.risk for f in first.forecasts), "one horizon is worked out per view"
    json.dumps(last.to_json_dict(), allow_nan=False)


def test_transmission_points_say_whom_they_serve(watched):
    _, _, views = watched
    view = views[-1]
    served = {device: (trp.name, beam) for trp in view.trps for device, beam in zip(trp.devices, trp.serving_beams, strict=True)}
    assert served == {link.device: (link.trp, link.beam) for link in view.links if link.trp}
    for trp in view.trps:
        assert trp.state == "in service"
        assert 0.0 <= trp.load_dl <= 1.0
        assert trp.shortfall_db is None or abs(trp.shortfall_db) < 10.0


def test_people_are_places_without_names(watched):
    twin, _, views = watched
    people = views[-1].people
    assert len(people) == int(twin.people.present.sum())
    places = [(p.x_m, p.y_m) for p in people]
    assert places == sorted(places), "the order is that of the places, so no row stays anybody's"
    assert sorted(places) == sorted(map(tuple, twin.people.position_m[twin.people.present].tolist()))
    assert all(-math.pi <= p.heading_rad < math.pi for p in people)
    told = json.dumps(views[-1].to_json_dict())
    assert "people_for" not in told
    assert not any(f"{p.x_m:.3f}" in told for p in people)


def test_nobody_is_in_a_view_that_was_not_asked_for_people(watched):
    assert OpcUaConfig().people_for_safety is False
    _, alone, _ = watched
    view = build_view(alone, 1.0)
    assert view.people == ()
    assert view.forecasts == ()
    assert sum(zone.people for zone in view.zones) <= int(alone.people.present.sum())


def test_a_transmission_point_that_fails_is_seen_and_named_as_the_cause():
    twin = small(OUTAGE)
    publisher = Publisher(twin, forecasts=False)
    try:
        before = None
        for _ in range(70):
            publisher.watch(twin.tick())
            if twin.time_us == 400_000:
                before = publisher.view(1.0)
        after = publisher.view(1.0)
    finally:
        twin.close()
    states = {t.name: t.state for t in after.trps}
    assert {t.name: t.state for t in before.trps}["corner-east"] == "in service"
    assert states["corner-east"] == "off"
    assert {t.name: t.shortfall_db for t in after.trps}["corner-east"] is None
    assert [n for n, s in states.items() if s != "in service"] == ["corner-east"]
    down = [o for o in after.outages if o.since_us is not None]
    assert {o.cause for o in down} <= set(CAUSES)
    by_trp = [o for o in down if o.cause == "trp_down"]
    assert by_trp
    for outage in by_trp:
        assert outage.trp == "corner-east"
        assert outage.since_us >= 400_000
        assert outage.blocked_by == ""
    services = {o.service: o for o in after.service_outages}
    assert any(services[o.service].cause == "trp_down" for o in by_trp)


def test_shortfall_is_the_median_of_those_that_should_hear():
    expected = np.array([[1.0, 1e-3], [0.5, 1e-3], [0.25, 1e-3], [1e-9, 1e-3], [1e-9, 0.0], [1e-9, 0.0]])
    measured = expected.copy()
    measured[0, 0] /= 1000.0  # somebody stands before one device
    assert shortfall_db(measured, expected)[0] == pytest.approx(0.0)
    measured[:3, 0] = expected[:3, 0] / 100.0
    measured[:, 1] = 0.0
    fall = shortfall_db(measured, expected)
    assert fall[0] == pytest.approx(20.0)
    assert fall[1] is None


def test_risk_is_a_share_of_futures_and_of_what_is_usual():
    margin_db = np.array([[1.0, -1.0, -1.0], [1.0, 1.0, -1.0], [1.0, 1.0, -1.0]])
    assert risk_of_futures(margin_db, 0.01) == pytest.approx([0.01, 0.01 + 0.99 / 4, 0.01 + 0.99 * 3 / 4])


def test_a_transmission_point_that_an_engineer_switches_off_is_off():
    twin = small()
    publisher = Publisher(twin, forecasts=False)
    try:
        for name, state in (("switch_trp_off", "off"), ("switch_trp_on", "in service")):
            twin.inbox.put(Command("test", name, target="corner-east"))
            for _ in range(3):
                publisher.watch(twin.tick())
            assert {t.name: t.state for t in publisher.view(1.0).trps}["corner-east"] == state
    finally:
        twin.close()
