"""Orders that outlived a twin, and mapped controllers, are part of a day that ``live --record`` writes and ``replay`` takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from bridges.inbox import Command
from bridges.vda5050.vehicle import ORDER_COMMAND
from factory.errors import UserError
from factory.fleet_bridge import FleetBridge
from factory.live import run_live
from factory.live_connect import connect_plant
from factory.live_lookahead import Outlooks
from factory.live_modes import Modes
from factory.live_record import LiveRecord, fingerprint
from factory.live_record_day import read_day
from factory.live_record_replay import Replay, replay_command
from factory.scenario import load_scenario
from factory.twin import Twin

QUIET = ["bridges.opcua.enabled=false", "bridges.mqtt.enabled=false", "bridges.page.enabled=false"]
OUTSIDE = [
    "robots.agvs.orders_from=outside", "radio.enabled=false", "bridges.vda5050.enabled=true", "bridges.mqtt.enabled=true",
]  # fmt: skip


def order_along_a_lane(twin: Twin) -> dict[str, Any]:
    """Order agv-01 two nodes on from where it stands."""
    graph = twin.fleet.graph
    ends = dict(zip(graph.edge_start.tolist(), graph.edge_end.tolist(), strict=True))
    nodes = [int(twin.fleet.state().node[0])]
    for _ in range(2):
        nodes.append(ends[nodes[-1]])
    names = [graph.node_id[n] for n in nodes]
    return {
        "headerId": 0, "timestamp": "2026-01-31T08:00:00.000Z", "version": "2.1.0", "manufacturer": "m", "serialNumber": "agv-01",
        "orderId": "o-1", "orderUpdateId": 0,
        "nodes": [{"nodeId": n, "sequenceId": 2 * k, "released": True, "actions": []} for k, n in enumerate(names)],
        "edges": [
            {"edgeId": f"e{k}", "sequenceId": 2 * k + 1, "released": True, "actions": [], "startNodeId": names[k],
             "endNodeId": names[k + 1]} for k in range(2)
        ],
    }  # fmt: skip


def test_orders_that_outlived_a_twin_are_part_of_the_day(tmp_path: Path) -> None:
    def outside() -> tuple[Twin, FleetBridge]:
        twin = Twin(load_scenario("small", OUTSIDE))
        bridge = FleetBridge(twin.fleet, twin.devices[: twin.fleet.n])
        twin.steering.also(bridge.carry_out)
        return twin, bridge

    twin, bridge = outside()
    twin.inbox.put(Command("vda5050", ORDER_COMMAND, "agv-01", payload=order_along_a_lane(twin)))
    for _ in range(150):
        twin.tick()
    assert twin.fleet.order(0).order_id == "o-1"
    left_m, snapshot = twin.agvs.position_m[0].copy(), json.loads(json.dumps(bridge.view().memory))
    twin.close()

    twin, bridge = outside()
    assert bridge.take_up(snapshot) == ""
    record = LiveRecord(tmp_path / "day", twin)
    record.begin(bridge.recalled)
    for _ in range(200):
        twin.tick()
    record.close()
    assert ((twin.agvs.position_m[0] - left_m) ** 2).sum() > 0.1  # it went on
    last = fingerprint(twin)
    twin.close()

    day = read_day(tmp_path / "day")
    replay = Replay(day)
    replay.run(day.end_us)
    assert (fingerprint(replay.twin), replay.differs_us) == (last, None)
    replay.close()

    inputs = tmp_path / "day" / "inputs.jsonl"
    text = inputs.read_text()
    inputs.write_text(text.replace('"vehicles":[', '"vehicles":[{}, ', 1))
    replay = Replay(read_day(tmp_path / "day"))
    with pytest.raises(UserError, match=r"inputs\.jsonl: recalled: the orders do not fit the scenario"):
        replay.tick()
    replay.close()
    inputs.write_text("".join(line for line in text.splitlines(keepends=True) if '"recalled"' not in line))
    assert replay_command(tmp_path / "day", 0.0, None, [], 1.0, None, Console(quiet=True)) == 1


def test_advice_that_a_person_accepts_and_gives_up_is_replayed(tmp_path: Path) -> None:
    told = ["people.count=0", "people.panels=0", "radio.compare=[]", "live.mode=advise"]
    twin = Twin(load_scenario("small", told), beside_a_plant=True)
    connected = connect_plant(twin, tmp_path)
    assert connected is not None
    assert twin.live is not None
    modes = twin.live.modes
    assert isinstance(modes, Modes)
    n = twin.n_machines

    def look(time_us: int) -> Outlooks:
        """Say that the first AGV is at risk, all day."""
        risk = np.zeros(n)
        risk[0] = 1.0
        return Outlooks(time_us, risk, np.full(n, 400_000), np.full(n, -3.0), np.full(n, -1))

    modes._look = look
    record = LiveRecord(tmp_path / "day", twin)
    record.begin()
    answers: list[bool] = []
    policies, prints = [], []
    asked = {100: ("accept_advice", "agv-99"), 150: ("accept_advice", "agv-01"), 250: ("undo", ""), 300: ("undo", "")}
    for k in range(350):
        if k in asked:
            name, target = asked[k]
            arguments = (("kind", "risk" if target == "agv-01" else "agv_slow"),)
            twin.inbox.put(Command("page:emil", name, target, arguments, lambda a: answers.append(a.done)))
        twin.tick()
        policies.append(twin.networks[0].policy)
        prints.append(fingerprint(twin))
    connected[0].stop()
    record.close()
    twin.close()
    assert answers == [False, True, True, False]
    assert len(set(policies)) == 2  # accepted: another policy; undone: the one before
    replay = Replay(read_day(tmp_path / "day"))
    try:
        for k in range(350):
            replay.tick()
            assert (replay.twin.networks[0].policy, fingerprint(replay.twin)) == (policies[k], prints[k]), k
    finally:
        replay.close()


def test_a_live_run_with_mapped_machines_is_recorded_and_replayed(tmp_path: Path) -> None:
    (tmp_path / "drive.csv").write_text("t,x,y\n0,20.0,6.5\n0.3,20.2,6.5\n0.6,20.5,6.5\n")
    (tmp_path / "m.yaml").write_text(
        "version: 1\nsources: {tape: {kind: csv, file: drive.csv, time_column: t, repeat: true}}\nvariables:\n"
        "  - {twin: agvs.agv-01.x, source: tape, column: x, stale_after_s: 60}\n"
        "  - {twin: agvs.agv-01.y, source: tape, column: y, stale_after_s: 60}\n"
    )
    told = [*QUIET, f"bridges.mapping.file={tmp_path / 'm.yaml'}"]
    day = tmp_path / "day"
    assert run_live("small", told, tmp_path / "state", 3.0, Console(quiet=True), record=day) == 0
    read = read_day(day)
    assert read.whole
    assert read.end_us > 0
    rows = [json.loads(line) for line in (day / "inputs.jsonl").read_text().splitlines()]
    assert sum(len(row.get("row", ())) for row in rows) > 2
    replay = Replay(read)
    try:
        replay.run(read.end_us)
        assert (replay.checked, replay.differs_us) == (1, None)
        assert replay.twin.agvs.position_m[0, 1] == pytest.approx(6.5)
    finally:
        replay.close()


def test_a_day_that_cannot_begin_leaves_no_folder(tmp_path: Path) -> None:
    told = [*QUIET, "bridges.mapping.file=nowhere.yaml"]
    with pytest.raises(UserError, match=r"nowhere\.yaml"):
        run_live("small", told, tmp_path / "state", 1.0, Console(quiet=True), record=tmp_path / "day")
    assert not (tmp_path / "day").exists()
