"""The report's tables of minutes and OEE, and its story of a TRP that went out of service."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from factory.oee import WorkUnit, together
from factory.report.cuts import cuts
from factory.report.output import minutes_table, oee_bars, oee_table
from robots.state import MODES
from robots.stop_ledger import STOPS

RADIO = ("standing", "anyway", "behind", "tail", "restart", "separation", "total")


def _part(running: float, stopped: dict[str, float], root: dict[str, float], radio: dict[str, float]) -> dict[str, Any]:
    minutes = {MODES[c]: stopped.get(MODES[c], 0.0) for c in STOPS}
    down = sum(minutes.values())
    return {
        "stopped_min": minutes, "downtime_min": down, "running_min": running, "total_min": running + down,
        "queue_root_min": root, "slow_min": {}, "stops": {}, "radio_min": {k: radio.get(k, 0.0) for k in RADIO},
    }  # fmt: skip


@pytest.fixture
def production() -> dict[str, Any]:
    agvs = _part(30, {"queue": 6, "communication": 4}, {"queue": 5, "communication": 1}, {"standing": 4, "behind": 1, "total": 5})
    cobots = _part(15, {"person_near": 5}, {}, {})
    hall = _part(
        45, {"queue": 6, "communication": 4, "person_near": 5}, {"queue": 5, "communication": 1}, {"standing": 4, "total": 5}
    )
    a = WorkUnit(pbt_s=2400, apt_s=1800, adet_s=600, pq=10, gq=10, planned_s=1500, radio_s=300, radio_adet_s=300)
    c = WorkUnit(pbt_s=1200, apt_s=900, adet_s=300, pq=100, gq=90, planned_s=800)
    oee = {"classes": {"agvs": a.figures(), "cobots": c.figures()}, "hall": together((a, c)).figures()}
    return {"ledger": {"classes": {"agvs": agvs, "cobots": cobots}, "hall": hall}, "oee": oee}


def test_minutes_by_class_and_cause_add_up_to_the_machine_time(production: dict[str, Any]) -> None:
    table = minutes_table(production)
    assert table is not None
    assert table["heads"] == ["AGVs", "cobots", "all machines"]
    cells = {row["name"]: [c.text for c in row["cells"]] for row in table["rows"]}
    assert cells["driving, working"] == ["30", "15", "45"]
    assert cells["radio"] == ["4", "0", "4"]
    assert cells["a person too near"] == ["0", "5", "5"]
    assert cells["waiting for the right of way"] == ["6", "0", "6"]
    assert cells["of it, behind one that stood for radio"] == ["1", "0", "1"]
    assert cells["stopped in all"] == ["10", "5", "15"]
    assert cells["machine time"] == ["40", "20", "60"]
    names = [row["name"] for row in table["rows"] if not row["part"]]
    assert names[1:4] == ["waiting for the right of way", "a person too near", "radio"]  # most minutes first
    assert [row["name"] for row in table["radio"]][-1] == "lost to radio in all"
    assert [c.text for c in table["radio"][-1]["cells"]] == ["5", "0", "5"]


def test_oee_by_class_and_its_bars(production: dict[str, Any]) -> None:
    rows = {row["name"]: [c.text for c in row["cells"]] for row in oee_table(production)}
    assert rows["AGVs"][0] == "62.5\u202f%"
    assert rows["AGVs"][4] == "50\u202f%"
    assert rows["cobots"][:4] == ["60\u202f%", "75\u202f%", "88.9\u202f%", "90\u202f%"]
    svg = oee_bars(production)
    assert svg.startswith("<svg")
    for words in ("AGVs", "all machines", "stopped by radio", "good production at the planned rate"):
        assert words in svg


def test_faster_than_planned_is_no_negative_bar(production: dict[str, Any]) -> None:
    fast = WorkUnit(pbt_s=1000, apt_s=500, adet_s=500, pq=10, gq=10, planned_s=700)
    assert fast.losses_s["speed"] == -200
    production["oee"] = {"classes": {"agvs": fast.figures()}, "hall": fast.figures()}
    assert "50.0 %" in oee_bars(production)


def test_a_run_without_a_ledger_has_neither() -> None:
    assert minutes_table({}) is None
    assert oee_table({}) == []
    assert oee_bars({}) == ""
    empty = together(()).figures()
    assert oee_bars({"oee": {"classes": {}, "hall": empty}}) == ""


def _events(*rows: dict[str, Any]) -> pd.DataFrame:
    plain = {"device": "", "policy": "", "trp": "", "cause": "", "detail": ""}
    return pd.DataFrame([plain | row for row in rows])


def test_a_cut_is_told_with_the_reaction_the_stops_and_the_minutes() -> None:
    def switch(ms: int, device: str, trp: str) -> dict[str, Any]:
        return {"time_us": 10_000_000 + ms * 1000, "kind": "beam_switch", "device": device, "policy": "reactive", "trp": trp}

    def lost(ms: int, device: str, policy: str = "reactive") -> dict[str, Any]:
        return {"time_us": 10_000_000 + ms * 1000, "kind": "packet_lost", "device": device, "policy": policy, "trp": "west"}

    events = _events(
        {"time_us": 10_000_000, "kind": "trp_down", "trp": "west"},
        lost(5, "agv-01"), lost(15, "agv-01"), lost(5, "agv-01", "static"), lost(25, "agv-01", "static"),
        switch(2, "agv-01", "west"), switch(40, "agv-01", "east"), switch(300, "agv-01", "north"), switch(60, "agv-02", "east"),
        {"time_us": 40_000_000, "kind": "trp_up", "trp": "west"},
        lost(50_000, "agv-01"),
    )  # fmt: skip
    ticks = pd.DataFrame(
        {
            "time_us": [9_900_000] * 3 + [9_800_000],
            "device": ["agv-01", "agv-02", "agv-03", "agv-02"],
            "trp": ["west", "east", "west", "west"],
        }
    )
    stops = pd.DataFrame(
        {
            "start_us": [10_050_000, 12_000_000, 39_000_000, 60_000_000],
            "end_us": [13_050_000, 18_000_000, 45_000_000, 61_000_000],
            "cause": ["communication", "queue", "communication", "communication"],
            "root": ["communication"] * 4,
        }
    )
    (told,) = cuts(events, stops, ticks, "reactive", ("static", "reactive"), 90_000_000)
    assert told["title"] == "west out of service"
    assert told["rows"] == [
        {
            "device": "agv-01",
            "to": "east",
            "waited": "40\u202fms" if "\u202f" in told["rows"][0]["waited"] else "40 ms",
            "lost": "2",
        },
        {"device": "agv-03", "to": "nowhere", "waited": "never", "lost": "0"},
    ]
    words = " ".join(told["words"])
    assert "At 00:10.0 west went out of service for 30" in words
    assert "It served 2 devices under reactive." in words
    assert "1 of them went to another TRP" in words
    assert "1 did not within 5 s" in words
    assert "static 2, reactive 2" in words
    assert "Meanwhile 2 stops for want of commands began, 0.0667 machine minutes; 1 wait in queues behind them." in words


def test_a_cut_to_the_end_of_the_run_without_stops_is_told_too() -> None:
    events = _events({"time_us": 10_000_000, "kind": "trp_down", "trp": "west"})
    ticks = pd.DataFrame({"time_us": [9_000_000], "device": ["agv-01"], "trp": ["east"]})
    stops = pd.DataFrame({"start_us": [], "end_us": [], "cause": [], "root": []})
    (told,) = cuts(events, stops, ticks, "reactive", ("reactive",), 20_000_000)
    assert told["rows"] == []
    assert "to the end of the run" in told["words"][0]
    assert "no stop" in told["words"][-1]
