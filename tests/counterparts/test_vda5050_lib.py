"""vda-5050-lib, a fleet manager of another maker, drives one of the twin's AGVs."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest
from conftest import require
from mqtt_listener import Listener
from test_mosquitto import run_broker
from vda_plant import Plant
from vda_schemas import FOLDER, schema

HERE = Path(__file__).parent

pytestmark = pytest.mark.counterpart


@pytest.fixture(scope="session")
def node() -> str:
    """Path of node, with vda-5050-lib beside this file."""
    path = shutil.which("node")
    require(path is not None, "node")
    require((HERE / "node_modules" / "vda-5050-lib").is_dir(), "vda-5050-lib")
    return str(path)


def test_a_fleet_manager_drives_an_order_with_an_update_and_a_cancel(node, mosquitto, tmp_path, new_port):
    port = new_port()
    broker = run_broker(mosquitto, tmp_path, port, "allow_anonymous true")
    try:
        with Listener(port, "uagv/v2/#") as ear, Plant(port, speed=10.0) as plant:
            command = [node, str(HERE / "fleet_manager.mjs"), f"mqtt://127.0.0.1:{port}", "factory-twin", "agv-01"]
            manager = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            assert manager.stdout, manager.stderr
            told = json.loads(manager.stdout.splitlines()[-1])
            assert manager.returncode == 0, told
            refused = {k: n for k, n in plant.agvs.counts().items() if k not in ("order", "instantActions", "contradicted")}
        assert told["processed"][0] == {
            "orderId": "first", "orderUpdateId": 0, "byCancelation": False, "active": True, "error": None,
        }  # fmt: skip
        assert told["processed"][1] == {
            "orderId": "first", "orderUpdateId": 1, "byCancelation": False, "active": False, "error": None,
        }  # fmt: skip
        assert told["processed"][2]["orderId"] == "second"
        assert told["processed"][2]["byCancelation"]
        assert told["nodes"][:5] == ["r0", "r1", "r2", "r3", "r4"]
        assert told["edges"][:4] == [f"edge-r{k}-r{k + 1}" for k in range(4)]
        for action in ("pick-1", "drop-1", "cancel-1"):
            assert f"{action} FINISHED" in told["actions"]
        assert told["errors"] == []
        assert told["connection"][0] == "ONLINE"
        assert refused == {}
        if FOLDER is not None:
            heard = [(t.rsplit("/", 1)[-1], m) for t, m, _ in ear.messages]
            for topic, message in heard:
                jsonschema.validate(message, schema("2.1.0", topic))
    finally:
        broker.terminate()
        broker.wait(10)
