"""The twin follows observations, carries them on by their age, and goes back or stands when they are stale."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from bridges.mapping_file import read_mapping
from bridges.mapping_values import GOOD, MappedValues
from factory.errors import UserError
from factory.live import start_bridges
from factory.observed import Observed
from factory.observed_feed import STATUS_FILE, hall_variables
from factory.publish import build_view
from factory.scenario import load_scenario
from factory.twin import Twin
from robots.state import BREAKDOWN, MODES

OFF = ["radio.enabled=false", "bridges.opcua.enabled=false", "bridges.mqtt.enabled=false", "bridges.page.enabled=false"]
NAMES = ("agvs.agv-01.x", "agvs.agv-01.y", "agvs.agv-01.heading", "agvs.agv-01.speed", "agvs.agv-02.x", "agvs.agv-02.y",
         *(f"cobots.cobot-1.joint_{k}" for k in range(1, 8)), "machines.cobot-2.running", "machines.agv-03.running")  # fmt: skip


@pytest.fixture
def followed(tmp_path):
    """Return a twin whose mapping is fed by hand, its values and its clock."""
    twin = Twin(load_scenario("small", OFF))
    path = tmp_path / "m.yaml"
    lines = "".join(f"  - {{twin: {name}, source: tape, column: c, stale_after_s: 0.5}}\n" for name in NAMES)
    head = "version: 1\nsources: {tape: {kind: csv, file: t.csv}}\nassets: {agv-02: {when_stale: stand}}\n"
    text = f"{head}variables:\n{lines}"
    path.write_text(text)
    bound = read_mapping(path, hall_variables(twin.scenario))
    values, clock = MappedValues(bound, print), [1000.0]
    agvs = twin.scenario.robots.agvs
    twin.observed = Observed(
        bound, values, twin.devices[: twin.fleet.n], twin.cobots.names, (*agvs.antenna_offset_m, agvs.antenna_height_m),
        lambda: clock[0],
    )  # fmt: skip

    def tick(count: int = 1) -> None:
        for _ in range(count):
            clock[0] += 0.01
            twin.tick()

    yield twin, values, clock, tick
    twin.close()


def test_machines_follow_go_back_and_stand(followed):
    twin, values, clock, tick = followed
    tick(5)
    simulated = twin.agvs.position_m.copy()
    assert twin.observed.figures()["agv-01"]["state"] == "simulated"

    def feed(age_s=0.0):
        for row, value in enumerate((20.0, 6.45, math.pi / 2, 1.0, 8.0, 8.2, 0.3, -0.4, 0.5, -0.6, 0.7, -0.8, 0.9, 0.0, 0.0)):
            values.put(row, value, GOOD, clock[0] - age_s, clock[0])

    for _ in range(60):  # the arms need some time to get there, for they have dynamics
        feed(0.2)
        tick()
    # 0.2 s old and one tick, at 1 m/s along +y
    assert twin.agvs.position_m[0] == pytest.approx([20.0, 6.66], abs=1e-6)
    assert twin.agvs.velocity_mps[0] == pytest.approx([0.0, 1.0], abs=1e-9)
    offset = twin.scenario.robots.agvs.antenna_offset_m
    assert twin.agvs.antenna_m[0, :2] == pytest.approx([20.0 - offset[1], 6.66 + offset[0]], abs=1e-6)
    assert twin.agvs.position_m[1] == pytest.approx([8.0, 8.2])
    assert twin.world.cobot_joint_position()[0] == pytest.approx([0.3, -0.4, 0.5, -0.6, 0.7, -0.8, 0.9], abs=0.02)
    assert twin.observed.ahead(twin.fleet.state_ahead(0.5), 0.5).position_m[0] == pytest.approx([20.0, 7.16], abs=1e-6)
    # the others go on by themselves
    assert np.hypot(*(twin.agvs.position_m[3] - simulated[3])) < 2.0
    # what does not run stands
    assert MODES[twin.cobot_state.mode[1]] == "breakdown"
    assert twin.agvs.mode[2] == BREAKDOWN
    figures = twin.observed.figures()
    assert figures["agv-01"]["state"] == "followed"
    assert figures["agv-01"]["age_s"] == pytest.approx(0.21, abs=1e-6)
    assert figures["agv-01"]["offset"] > 1.0
    assert not twin.observed.uncertain("agv-01")

    tick(60)  # nothing more is told
    figures = twin.observed.figures()
    assert [figures[name]["state"] for name in ("agv-01", "agv-02", "cobot-1")] == ["simulated", "stands", "simulated"]
    assert twin.agvs.position_m[0] == pytest.approx(twin.fleet.state().position_m[0])
    assert twin.agvs.position_m[1] == pytest.approx([8.0, 8.2])
    assert twin.agvs.speed_mps[1] == 0.0
    assert twin.cobot_state.mode[1] != BREAKDOWN
    assert twin.agvs.mode[2] != BREAKDOWN
    assert twin.observed.uncertain("agv-01")
    assert figures["agv-02"]["stands_s"] > 0.0
    assert sum(figures["agv-02"][f"{s}_s"] for s in ("simulated", "followed", "stands")) == pytest.approx(1.25)


def test_speed_comes_from_places_where_none_is_told(followed):
    twin, values, clock, tick = followed
    for k in range(20):
        for row, value in ((4, 8.0 + 0.1 * k), (5, 8.2)):
            values.put(row, value, GOOD, clock[0], clock[0])
        tick(10)
    assert twin.agvs.velocity_mps[1] == pytest.approx([1.0, 0.0], abs=1e-6)
    assert twin.agvs.heading_rad[1] == pytest.approx(0.0, abs=1e-9)


def test_a_live_twin_replays_a_recording_and_says_how_it_is(tmp_path):
    (tmp_path / "drive.csv").write_text("t;x;y\n0;20000;6.5\n0.05;20100;6.5\n0.1;20200;6.5\n")
    mapping = tmp_path / "m.yaml"
    mapping.write_text(
        "version: 1\nsources: {tape: {kind: csv, file: drive.csv, separator: ;, time_column: t, repeat: true}}\nvariables:\n"
        "  - {twin: agvs.agv-01.x, source: tape, column: x, unit: mm, stale_after_s: 60}\n"
        "  - {twin: agvs.agv-01.y, source: tape, column: y, stale_after_s: 60}\n"
    )
    loaded = load_scenario("small", [*OFF, f"bridges.mapping.file={mapping}"])
    twin = Twin(loaded)
    bridges, notices = start_bridges(loaded.scenario.bridges, tmp_path / "state", build_view(twin, 1.0), twin)
    try:
        assert bridges[0].sources["tape"].wait_connected(5)
        for _ in range(100):
            twin.tick()
            if twin.observed.figures()["agv-01"]["state"] == "followed":
                break
        assert twin.agvs.position_m[0, 1] == pytest.approx(6.5)
        bridges[0].publish(build_view(twin, 1.0))
        status = json.loads((tmp_path / "state" / STATUS_FILE).read_text())
        assert status["assets"]["agv-01"]["state"] == "followed"
        assert any("2 variables in, 0 out" in notice for notice in notices)
    finally:
        for bridge in bridges:
            bridge.stop()
        twin.close()


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("time_s,y\n0,1\n", "there is no column 'x'; there are time_s, y"),
        ("time_s,x\n0,1\nnow,2\n", "drive.csv:3: time_s: 'now' is no time in s"),
        ("time_s,x\n1,1\n0.5,2\n", "drive.csv:3: time_s: 0.5 s comes after 1 s"),
        ("time_s,x\n1\n", "drive.csv:2: 1 columns, the first line has 2"),
        ("time_s,x\n", "has no line"),
    ],
)
def test_a_recording_that_cannot_be_used_is_told(tmp_path, table, says):
    from rich.console import Console

    from factory.observed_command import check_mapping_command

    (tmp_path / "drive.csv").write_text(table)
    (tmp_path / "m.yaml").write_text(
        "version: 1\nsources: {tape: {kind: csv, file: drive.csv}}\nvariables:\n"
        "  - {twin: agvs.agv-01.x, source: tape, column: x}\n"
    )
    with pytest.raises(UserError, match=r"drive\.csv") as caught:
        check_mapping_command(tmp_path / "m.yaml", "small", [], True, 0.1, tmp_path, Console(quiet=True))
    assert says in str(caught.value)
