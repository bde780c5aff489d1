"""A run's stop ledger, its folder and its figures: all stopped seconds have a cause, and every table adds up to the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from factory.journal import Journal
from factory.kpi import collect
from factory.planned import busy_spans_us
from factory.report import build_report
from factory.run_folder import Run, RunFolder
from factory.scenario import load_scenario
from factory.twin import Twin
from humans.shift_plan import FREE, PAUSE, TASK, ShiftPlan
from robots.state import MODES
from robots.stop_ledger import STOPS

pytestmark = pytest.mark.system
SECONDS = 45
OVERRIDES = (
    f"duration_s={SECONDS}",
    "radio.policy=static",
    "radio.compare=[]",
    "radio.outages=[{trp: ceiling-west, from_s: 8, to_s: 12}, {trp: corner-east, from_s: 20, to_s: 26}]",
    "people.emergency_stops_per_panel_hour=360",
    "people.emergency_acknowledge_s=3",
    "robots.breakdowns={agvs: {mtbf_s: 30, mttr_s: 5}}",
)


@pytest.fixture(scope="module")
def shift(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, dict[str, Any]]:
    loaded = load_scenario("small", OVERRIDES)
    twin = Twin(loaded)
    path = tmp_path_factory.mktemp("shift") / "run"
    folder = RunFolder.create(path, loaded.text, loaded.scenario.model_dump(mode="json"), loaded.scenario.seed)
    journal = Journal(twin, folder)
    for _ in range(SECONDS * 100):
        journal.add(twin.tick())
    journal.close()
    kpi = collect(twin)
    journal.recorder.close(kpi, simulated_s=SECONDS)
    twin.close()
    return Run(path), kpi


def test_every_stopped_second_has_one_cause_and_the_causes_add_up(shift: tuple[Run, dict[str, Any]]) -> None:
    run, kpi = shift
    ledger, stops = kpi["production"]["ledger"], run.stops()
    assert set(ledger["machines"]) == {"agv-01", "agv-02", "agv-03", "agv-04", "cobot-1", "cobot-2"}
    for name, machine in ledger["machines"].items():
        assert sum(machine["stopped_min"].values()) == pytest.approx(machine["downtime_min"], rel=1e-3)
        assert machine["downtime_min"] + machine["running_min"] == pytest.approx(SECONDS / 60, rel=1e-3)
        mine = stops[stops["machine"] == name]
        assert (mine["start_us"].to_numpy()[1:] >= mine["end_us"].to_numpy()[:-1]).all()
        seconds = (mine["end_us"] - mine["start_us"]).groupby(mine["cause"], observed=True).sum() / 6e7
        for cause in (MODES[c] for c in STOPS):
            assert seconds.get(cause, 0.0) == pytest.approx(machine["stopped_min"][cause], abs=1e-9)
    hall = ledger["hall"]["stopped_min"]
    for cause, minutes in hall.items():
        assert sum(part["stopped_min"][cause] for part in ledger["classes"].values()) == pytest.approx(minutes)
    assert {c for c, m in hall.items() if m > 0} >= {"communication", "queue", "breakdown", "emergency_stop"}
    lost = kpi["production"]["agvs"]["minutes_lost"]
    assert all(ledger["classes"]["agvs"]["stopped_min"][c] == pytest.approx(m) for c, m in lost.items())


def test_a_stop_names_what_was_behind_it(shift: tuple[Run, dict[str, Any]]) -> None:
    stops = shift[0].stops()
    silent = stops[stops["cause"] == "communication"]
    assert len(silent) > 3
    own = silent["detail"].astype(str) == "agv-control of " + silent["machine"].astype(str)
    assert own[silent["kind"] == "agv"].all()
    cobots = silent[silent["kind"] == "cobot"]["detail"].astype(str)
    assert cobots.isin(["cobot-control of cobot-1", "cobot-control of cobot-2", "panel-estop of panel-1"]).all()
    assert set(stops[stops["cause"] == "emergency_stop"]["detail"]) == {"panel-1"}
    assert set(stops[stops["cause"] == "emergency_stop"]["machine"]) == {"cobot-1"}
    queue = stops[(stops["cause"] == "queue") & (stops["root"] != "queue")]
    assert (queue["blocker"].astype(str) != "").all()
    assert (stops[stops["cause"] != "queue"]["root"].astype(str) == stops[stops["cause"] != "queue"]["cause"].astype(str)).all()


def test_devices_zones_and_hours_add_up_to_the_services(shift: tuple[Run, dict[str, Any]]) -> None:
    _, kpi = shift
    for service in kpi["services"]:
        for parts in (kpi["per_device"].values(), kpi["per_zone"].values(), kpi["per_hour"]):
            mine = [p["services"][service["name"]] for p in parts if service["name"] in p["services"]]
            assert sum(p["messages"] for p in mine) == service["messages"]
            assert sum(p["lost"] for p in mine) == service["lost"]
            assert sum(p["outages"] for p in mine) == service["outages"]
            assert sum(p["down_s"] for p in mine) == pytest.approx(service["down_s"])
            weighed = sum(p["unavailability"]["value"] * p["messages"] for p in mine)
            assert weighed / service["messages"] == pytest.approx(service["unavailability"]["value"], abs=1e-12)
            assert all(p["unavailability"]["low"] <= p["unavailability"]["value"] <= p["unavailability"]["high"] for p in mine)
    ledger = kpi["production"]["ledger"]["hall"]
    for parts in (kpi["per_device"].values(), kpi["per_zone"].values(), kpi["per_hour"]):
        stood = [p for p in parts if "stopped_min" in p]
        assert sum(sum(p["stopped_min"].values()) for p in stood) == pytest.approx(ledger["downtime_min"])
        assert sum(p["machine_min"] for p in stood) == pytest.approx(ledger["total_min"])
        assert sum(sum(p["stops"].values()) for p in stood) == sum(ledger["stops"].values())


def test_oee_follows_from_the_ledger_and_has_a_radio_share(shift: tuple[Run, dict[str, Any]]) -> None:
    production = shift[1]["production"]
    for of, figures in (*production["oee"]["classes"].items(), ("hall", production["oee"]["hall"])):
        ledger = production["ledger"]["hall"] if of == "hall" else production["ledger"]["classes"][of]
        assert figures["pbt_s"] == pytest.approx(60 * ledger["total_min"])
        assert figures["apt_s"] == pytest.approx(60 * ledger["running_min"])
        assert figures["aubt_s"] + figures["idle_s"] == pytest.approx(figures["pbt_s"])
        assert sum(figures["losses_s"].values()) == pytest.approx(figures["pbt_s"])
        assert 0 < figures["radio_share_of_delay"] < 1
        assert 0 < figures["radio_share_of_loss"] < 1
        assert figures["radio_s"] == pytest.approx(60 * ledger["radio_min"]["total"])
    cobots = production["oee"]["classes"]["cobots"]
    assert cobots["pri_s"] == pytest.approx(8.0)
    assert cobots["oee"] == pytest.approx(8.0 * production["parts"] / (2 * SECONDS))


def test_emergency_stops_tell_how_long_the_machine_took(shift: tuple[Run, dict[str, Any]]) -> None:
    run, kpi = shift
    events = run.events()
    pressed = events[events["kind"] == "emergency_stop"]
    figures = kpi["production"]["emergency_stops"]
    assert len(pressed) == figures["count"] >= 2
    assert (pressed["device"] == "panel-1").all()
    assert 0 < figures["message_ms"]["value"] < 20  # an interval of 8 ms and the latency, unless the radio is out
    assert figures["standing_ms"]["largest"] <= 1000
    assert pressed["detail"].str.contains("cobot-1 stood after").all()


def test_the_report_shows_minutes_oee_and_the_cut(shift: tuple[Run, dict[str, Any]]) -> None:
    page = build_report(shift[0].path).read_text(encoding="utf-8")
    for words in ("Where the minutes went", "What the radio cost of them", "Overall equipment effectiveness", "stopped by radio"):
        assert words in page
    assert "At 00:08.0 ceiling-west went out of service for" in page
    assert "At 00:20.0 corner-east went out of service for" in page
    assert page.count('id="oee-') > 10


def test_a_killed_run_keeps_the_stops_of_its_finished_minutes(shift: tuple[Run, dict[str, Any]], tmp_path: Path) -> None:
    run, _ = shift
    (tmp_path / "stops").mkdir()
    for name in ("run.json",):
        (tmp_path / name).write_bytes((run.path / name).read_bytes())
    (tmp_path / "stops" / "part-0000.parquet").write_bytes((run.path / "stops.parquet").read_bytes())
    pd.testing.assert_frame_equal(Run(tmp_path).stops(), run.stops())


def test_planned_time_is_that_in_which_anybody_is_to_work() -> None:
    kind = np.array([FREE, PAUSE, TASK, FREE])
    start, end = np.array([-5, 40, 50, 20]), np.array([40, 50, 90, 60])
    empty = np.zeros(0, np.int64)
    plan = ShiftPlan(empty, empty, (), empty, empty, empty, kind, start, end, empty, empty, empty)
    assert busy_spans_us(plan, 80).tolist() == [[0, 80]]
    assert busy_spans_us(plan, 80).dtype == np.int64
    gap = ShiftPlan(empty, empty, (), empty, empty, empty, kind[:3], start[:3], end[:3], empty, empty, empty)
    assert busy_spans_us(gap, 1000).tolist() == [[0, 40], [50, 90]]


def test_stops_of_a_shift_with_a_break_count_in_the_planned_time_alone() -> None:
    twin = Twin(load_scenario("small", ["radio.enabled=false", "duration_s=10"]))
    twin.stops._changes_us = [0, 4_000_000, 6_000_000]  # planned, a break from 4 to 6 s, planned
    for _ in range(1000):
        twin.tick()
    planned = twin.stops.planned()
    assert (planned.spent_us.sum(axis=1) == 8_000_000).all()
    assert (twin.stops.ledger.spent_us.sum(axis=1) == 10_000_000).all()
    assert planned.made.sum() <= twin.cobot_state.parts.sum() + len(twin.fleet.finished_orders)
    twin.close()


def test_the_separation_can_reckon_with_the_survival_time_and_the_measured_latency() -> None:
    twin = Twin(load_scenario("small", ["robots.safety.radio_delay=survival_and_latency", "radio.compare=[]"]))
    assert twin._radio_delay_us(1) is not None
    streams = twin._guarding[(twin._guarded >= twin.fleet.n) & (twin.traffic.ue[twin._guarding] < twin.n_machines)]
    deadline_us, survival_us = int(twin.traffic.deadline_us[streams].max()), int(twin.cobots.watchdog.survival_us[0])
    assert twin._delay_us is not None
    assert twin._delay_us.tolist() == [survival_us + deadline_us] * 2  # nothing has arrived yet
    for _ in range(150):
        twin.tick()
    latency_us = twin._delay_us - survival_us
    assert (latency_us == latency_us[0]).all()
    assert 500 < latency_us[0] < deadline_us
    kept = twin.networks[0].kpi.result(1.5)["services"]
    (control,) = (s for s in kept if s["name"] == "cobot-control")
    assert latency_us[0] / 1e3 >= 0.97 * control["latency_ms"]["p99"]["value"]
    twin.close()
