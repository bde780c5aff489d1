"""vda-5050-lib's virtual AGV, shadowed by the twin and driven by its fleet manager's end."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from test_mosquitto import run_broker
from test_vda5050_lib import node  # noqa: F401  # a fixture
from vda_plant import wait_for

from bridges.config import MqttConfig
from bridges.vda5050.config import RealAgvConfig, Vda5050Config
from bridges.vda5050.fleet_manager import FleetManager

HERE = Path(__file__).parent

pytestmark = pytest.mark.counterpart


def test_a_foreign_agv_is_followed_and_obeys(node, mosquitto, tmp_path, new_port):  # noqa: F811
    port = new_port()
    broker = run_broker(mosquitto, tmp_path, port, "allow_anonymous true")
    real = RealAgvConfig(manufacturer="other", serial_number="x-1", twin="agv-01")
    manager = FleetManager(MqttConfig(host="127.0.0.1", port=port), Vda5050Config(real=(real,), may_send=("order",)))
    manager.start()
    command = [node, str(HERE / "agv.mjs"), f"mqtt://127.0.0.1:{port}", "other", "x-1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as agv:
        try:
            wait_for(lambda: manager.observe().battery[0] == pytest.approx(0.8, abs=0.01), lambda: said(manager))
            assert manager.observe().position_m[0] == pytest.approx([2.0, 2.0])
            places = [("r0", 2.0), ("r1", 8.0), ("r2", 14.0)]
            nodes = [
                {"nodeId": name, "sequenceId": 2 * k, "released": True, "actions": [],
                 "nodePosition": {"x": x, "y": 2.0, "mapId": "hall"}}
                for k, (name, x) in enumerate(places)
            ]  # fmt: skip
            edges = [
                {"edgeId": f"e{k}", "sequenceId": 2 * k + 1, "released": True, "startNodeId": f"r{k}", "endNodeId": f"r{k + 1}",
                 "actions": []}
                for k in range(2)
            ]  # fmt: skip
            assert manager.send_order("x-1", {"orderId": "o-1", "orderUpdateId": 0, "nodes": nodes, "edges": edges})
            xs, ages = [], []
            deadline = time.monotonic() + 20
            while manager.observe().last_node[0] != "r2":
                assert time.monotonic() < deadline, said(manager)
                seen = manager.observe()
                xs.append(seen.position_m[0, 0])
                ages.append(seen.age_s[0])
                time.sleep(0.05)
            assert len({round(x, 2) for x in xs}) > 10  # it was followed on its way
            assert max(ages) < 5.0  # a state every 0.3 s or sooner was followed, not one and then none
            assert sum(manager.counts.values()) == 0, manager.counts
            assert manager.observe().online[0]
            agv.kill()
            agv.wait()
            wait_for(lambda: not manager.observe().online[0], lambda: said(manager))  # its last will
        finally:
            agv.kill()
            agv.wait()
            manager.stop()
            broker.terminate()
            broker.wait(10)


def said(manager: FleetManager) -> str:
    """Say what is known, for a test that fails."""
    return f"{manager.observe()} {manager.counts} {manager.agvs['x-1'].counts}"
