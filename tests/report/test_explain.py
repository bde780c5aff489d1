"""Spells, causes, places and stories from recorded events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_run import scenario

from factory.explain import (
    SPELL_GAP_US,
    Places,
    by_hour,
    by_place,
    by_role,
    clock,
    find_spells,
    outages_by_cause,
    rounded_shares,
    story,
    worst_blockers,
    worst_spell,
)
from factory.run_folder import Run

EMPTY: dict[str, Any] = {
    "time_us": 0,
    "kind": "packet_lost",
    "device": "agv-07",
    "service": "agv-video",
    "policy": "reactive",
    "cause": "body",
    "blocker": "",
    "part": "",
    "role": "",
    "trp": "aisle-west",
    "beam": 27,
    "x_m": 10.0,
    "y_m": 31.0,
    "sinr_db": -2.5,
    "loss_probability": 0.7,
    "detail": "",
}


def events(*rows: dict[str, Any]) -> pd.DataFrame:
    frame = pd.DataFrame([EMPTY | r for r in rows], columns=list(EMPTY))
    for name in ("kind", "device", "service", "policy", "cause", "blocker", "part", "role", "trp"):
        frame[name] = frame[name].astype("category")
    return frame


def loss(ms: float, **changes: Any) -> dict[str, Any]:
    return {"time_us": int(ms * 1000)} | changes


def test_losses_close_to_each_other_are_one_spell() -> None:
    spells = find_spells(events(loss(0), loss(33), loss(133), loss(234), loss(500)))
    assert spells["messages"].to_list() == [3, 1, 1]
    assert spells["start_us"].to_list() == [0, 234_000, 500_000]
    assert spells["duration_s"].to_list() == [0.133, 0.0, 0.0]


def test_devices_services_and_policies_have_their_own_spells() -> None:
    spells = find_spells(
        events(loss(0), loss(10, device="agv-08"), loss(20, service="agv-control"), loss(30, policy="static"), loss(40))
    )
    assert sorted(spells["messages"]) == [1, 1, 1, 2]
    assert spells["policy"].to_list() == ["reactive"] * 3 + ["static"]


def test_consecutive_messages_of_a_slow_service_are_neighbours() -> None:
    slow = events(loss(0), loss(500), loss(1000), loss(2000))
    assert find_spells(slow)["messages"].to_list() == [1, 1, 1, 1]
    spells = find_spells(slow, intervals_us={"agv-video": 500_000})
    assert spells["messages"].to_list() == [3, 1]
    assert spells["duration_s"].to_list() == [1.5, 0.5]


def test_a_spell_takes_the_cause_of_most_messages_and_its_blocker() -> None:
    spells = find_spells(
        events(
            loss(0, cause="recovery", blocker="agv-01", part="load", role="agv"),
            loss(10, blocker="person-2", part="trunk", role="picker"),
            loss(20, blocker="person-2", part="left forearm", role="picker", sinr_db=-7.0),
            loss(30, blocker="person-2", part="trunk", role="picker"),
            loss(40, blocker="person-1", part="trunk", role="assembler"),
        )
    )
    (row,) = spells.to_dict("records")
    assert (row["cause"], row["blocker"], row["part"], row["role"]) == ("body", "person-2", "trunk", "picker")
    assert row["lowest_sinr_db"] == -7.0


def test_a_spell_knows_whether_the_service_went_down() -> None:
    down = {"kind": "service_down", "cause": ""}
    spells = find_spells(events(loss(0), loss(50), loss(60, **down), loss(900), loss(5000, **down, device="agv-09")))
    assert spells["service_down"].to_list() == [True, False]


def test_no_losses_give_empty_tables() -> None:
    spells = find_spells(events(loss(0, kind="beam_switch")))
    assert spells.empty
    assert outages_by_cause(spells, "reactive").empty
    assert by_place(spells, "reactive").empty
    assert worst_blockers(spells, "reactive").empty
    assert worst_spell(spells, "reactive") is None


@settings(deadline=None, max_examples=30, derandomize=True)
@given(
    st.lists(
        st.tuples(st.integers(0, 3_000), st.sampled_from(["a", "b"]), st.sampled_from(["body", "late", "recovery"])), min_size=1
    )
)
def test_every_loss_is_in_one_spell_and_spells_are_apart(rows: list[tuple[int, str, str]]) -> None:
    frame = events(*(loss(ms, device=d, cause=c) for ms, d, c in rows))
    spells = find_spells(frame)
    assert spells["messages"].sum() == len(rows)
    for _, mine in spells.groupby("device"):
        start, end = mine["start_us"].to_numpy(), mine["end_us"].to_numpy()
        assert (start[1:] - end[:-1] > SPELL_GAP_US).all()
        assert (start <= end).all()
    table = outages_by_cause(spells, "reactive", frame)
    assert table["messages"].sum() == len(rows)
    assert table["share_percent"].sum() == pytest.approx(100.0, abs=1e-9)
    counted = frame["cause"].astype(object).value_counts()
    assert {r["cause"]: r["messages"] for _, r in table.iterrows()} == counted.to_dict()


@settings(deadline=None, max_examples=100, derandomize=True)
@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=12).filter(lambda v: sum(v) > 0), st.integers(0, 3))
def test_rounded_shares_sum_to_100_and_stay_within_one_step(amounts: list[int], digits: int) -> None:
    shares = rounded_shares(np.array(amounts, dtype=float), digits)
    exact = np.array(amounts) / sum(amounts) * 100
    assert shares.sum() == pytest.approx(100.0, abs=1e-9)
    assert (np.abs(shares - exact) < 10.0**-digits + 1e-9).all()


def test_thirds_are_rounded_to_a_sum_of_100() -> None:
    assert rounded_shares(np.array([1.0, 1.0, 1.0])).tolist() == [33.4, 33.3, 33.3]


def test_places_are_named_after_what_stands_there() -> None:
    places = Places.from_scenario(scenario())
    assert places.name(18.0, 31.0) == "aisle rack-a1 / rack-a2"
    assert places.name(18.0, 27.0) == "aisle rack-a2 / rack-a3"
    assert places.name(44.0, 33.0) == "beside cell-1"
    assert places.name(44.0, 20.0) == "open floor near cell-1"
    assert places.name(float("nan"), 20.0) == "unknown place"
    assert Places.from_scenario({}).name(1.0, 1.0) == "open floor"


def test_a_turned_box_is_measured_from_its_turned_side() -> None:
    hall = {"boxes": [{"name": "bar", "kind": "cell", "center_m": [10, 10], "size_m": [8, 1, 2], "yaw_deg": 90}]}
    places = Places.from_scenario({"hall": hall})
    assert places.name(10.0, 16.5) == "beside bar"  # 2.5 m beyond its end at y = 14
    assert places.name(14.5, 10.0) == "open floor near bar"  # 4 m from its side at x = 10.5


def test_zones_come_first_and_walls_name_nothing() -> None:
    hall = {
        "zones": [{"name": "loading", "x_m": [0, 5], "y_m": [0, 5]}, {"name": "all", "x_m": [0, 9], "y_m": [0, 9]}],
        "boxes": [{"name": "partition", "kind": "wall", "center_m": [20, 20], "size_m": [8, 0.1, 2]}],
    }
    places = Places.from_scenario({"hall": hall})
    assert places.name(2.0, 2.0) == "loading"
    assert places.name(7.0, 2.0) == "all"
    assert places.name(20.0, 20.5) == "open floor"
    assert places.names_of(np.array([[2.0, 2.0], [7.0, 2.0], [2.0, 2.0]])) == ["loading", "all", "loading"]


def test_the_clock_counts_minutes_and_hours() -> None:
    assert clock(192_400_000) == "03:12.4"
    assert clock(3_792_400_000) == "1:03:12.4"


def test_a_story_names_who_where_and_how_much() -> None:
    start = 192_400
    frame = events(
        *(loss(start + 33 * k, blocker="person-3f2a", part="trunk", role="picker") for k in range(14)),
        loss(start + 40, kind="service_down", cause=""),
        loss(start + 500, kind="beam_switch", service="", trp="aisle-east", beam=5),
    )
    spell = find_spells(frame, Places.from_scenario(scenario()), {"agv-video": 33_000}).iloc[0]
    ticks = pd.DataFrame({"time_us": [192_300_000, 192_600_000], "device": ["agv-07"] * 2, "body_loss_db": [3.0, 18.2]})
    assert story(spell, ticks, frame, "video frame") == (
        "At 03:12.4 agv-07 lost 14 video frames of agv-video over 0.5 s (aisle rack-a1 / rack-a2): "
        "person-3f2a's trunk was in the path of TRP aisle-west beam 27 (-18.2 dB); the service was down; "
        "reactive moved to aisle-east beam 5 0.5 s after the first loss."
    )


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        ("interference", "other cells drowned TRP aisle-west beam 27 at -2.5 dB SINR"),
        ("recovery", "recovering its beam or changing its TRP (last TRP aisle-west beam 27)"),
        ("no_resources", "TRP aisle-west beam 27 had no beam time or resource blocks left"),
        ("adaptation", "the modulation was chosen too high"),
        ("static_shadow", "the place itself is in the shadow"),
        ("decoding", "decoding failed at -2.5 dB SINR"),
        ("late", "after their deadline"),
        ("body", "a body was in the path of TRP aisle-west beam 27"),
        ("sabotage", "cause sabotage, TRP aisle-west beam 27"),
    ],
)
def test_every_cause_has_its_story(cause: str, words: str) -> None:
    spell = find_spells(events(loss(1000, cause=cause))).iloc[0]
    text = story(spell)
    assert words in text
    assert text.startswith("At 00:01.0 agv-07 lost 1 message of agv-video (open floor): ")


def test_the_worst_spell_put_a_service_down() -> None:
    frame = events(
        *(loss(90 * k) for k in range(20)),
        loss(60_000, device="agv-02"),
        loss(60_010, device="agv-02"),
        loss(60_010, device="agv-02", kind="service_down"),
    )
    worst = worst_spell(find_spells(frame), "reactive")
    assert worst is not None
    assert worst["device"] == "agv-02"


def test_tables_of_a_run_add_up(run_path: Path) -> None:
    run = Run(run_path)
    frame = run.events()
    spells = find_spells(frame, Places.from_scenario(run.info["scenario"]))
    lost = frame[(frame["kind"] == "packet_lost") & (frame["policy"] == "reactive")]
    cause = outages_by_cause(spells, "reactive", frame)
    expected = run.kpi["outages_by_cause"]
    assert {r["cause"]: r["messages"] for _, r in cause.iterrows()} == {c: v["messages"] for c, v in expected.items()}
    for table in (cause, by_place(spells, "reactive"), by_hour(spells, "reactive")):
        assert table["messages"].sum() == len(lost)
        assert table["share_percent"].sum() == pytest.approx(100.0, abs=1e-9)
    blockers = worst_blockers(spells, "reactive", 100)
    assert blockers["messages"].sum() == by_role(spells, "reactive")["messages"].sum()
    assert blockers["messages"].is_monotonic_decreasing
    assert set(by_role(spells, "reactive")["role"]) <= {"picker", "assembler", "maintenance"}
