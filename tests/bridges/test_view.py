"""The view: JSON-safe, and silent about persons."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest
from demo_view import demo_view
from hypothesis import given, settings
from hypothesis import strategies as st

from bridges import view as view_module
from bridges.view import LinkView, ServiceView, TwinView

anything = st.floats(allow_nan=True, allow_infinity=True)


def test_the_whole_view_is_json_and_names_every_field():
    view = demo_view(3_000_000)
    back = json.loads(json.dumps(view.to_json_dict(), allow_nan=False))
    assert back["time_us"] == 3_000_000
    assert set(back) == {f.name for f in dataclasses.fields(TwinView)} - {"people"}
    for part, kind in (
        ("machines", view_module.MachineView),
        ("links", LinkView),
        ("services", ServiceView),
        ("zones", view_module.ZoneView),
        ("trps", view_module.TrpView),
        ("forecasts", view_module.ForecastView),
        ("outages", view_module.OutageView),
        ("service_outages", view_module.OutageView),
    ):
        assert set(back[part][0]) == {f.name for f in dataclasses.fields(kind)}
    assert (len(back["machines"]), len(back["links"])) == (16, 19)


def test_a_missing_number_is_null():
    back = demo_view(0).to_json_dict()
    assert back["links"][-1]["sinr_dl_db"] is None
    assert back["services"][1]["mtbf_s"] is None
    assert back["machines"][-1]["battery"] is None


def test_eight_nines_survive_the_rounding():
    assert ServiceView("s", "p", 0.999_999_99, None, 1e-8, True, None).to_json_dict()["availability"] == 0.999_999_99


@given(sinr=anything, margin=anything, risk=anything)
@settings(deadline=None, max_examples=60, derandomize=True)
def test_any_number_becomes_json(sinr, margin, risk):
    link = LinkView("agv-01", "t", 1, sinr, -sinr, margin, "", 0.0, risk).to_json_dict()
    json.dumps(link, allow_nan=False)
    assert (link["sinr_dl_db"] is None) == (not math.isfinite(sinr))


def test_one_part_of_the_view_alone_can_hold_a_person():
    # privacy is a matter of types: people appear as a count per zone and as the word "person", and as places without a name in
    # the one part that is empty unless the scenario asks for it, and that is never written as JSON
    assert {f.name for f in dataclasses.fields(TwinView)} == {
        "time_us", "name", "running", "real_time_factor", "machines", "links", "services", "zones",
        "trps", "forecasts", "outages", "service_outages", "people", "assets", "advice",
        "calibration", "qos",
    }  # fmt: skip
    # of an asset there are figures, and of people those of all together; no place
    assert not {f.name for f in dataclasses.fields(view_module.AssetView)} & {"x_m", "y_m", "position_m", "zone", "pseudonym"}
    assert {f.name for f in dataclasses.fields(view_module.ZoneView)} == {"name", "people"}
    assert {f.name for f in dataclasses.fields(view_module.PoseView)} == {"x_m", "y_m", "heading_rad"}
    peopled = dataclasses.replace(demo_view(0), people=(view_module.PoseView(31.415926, 27.182818, 1.0),))
    assert peopled.to_json_dict() == demo_view(0).to_json_dict()
    assert "31.4" not in repr(peopled)


def test_a_view_cannot_be_changed_by_a_bridge():
    with pytest.raises(dataclasses.FrozenInstanceError):
        demo_view(0).name = "other"
