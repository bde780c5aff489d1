"""A risk that the look ahead expects opens a session at the network, and the end of the risk closes it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridges.errors import BridgeError
from bridges.opcua.audit import AuditLog
from bridges.qos import QosConfig, QosKeeper
from bridges.qos.adapters import create_port
from factory.live_config import LiveConfig, live_faults
from factory.live_connect import connect_plant
from factory.live_lookahead import Outlooks
from factory.live_qos import LiveQos
from factory.scenario import load_scenario
from factory.twin import Twin


@pytest.fixture
def network() -> Iterator[tuple[dict[str, Any], str]]:
    """Give a mock of CAMARA's sessions: what it holds, and its address."""
    held: dict[str, Any] = {}

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            code: int = 200
            said: Any = [] if self.path.endswith("retrieve-sessions") else None
            if self.command == "POST" and self.path.endswith("/sessions"):
                held["s-1"] = body
                code, said = 201, {**body, "sessionId": "s-1", "qosStatus": "AVAILABLE"}
            elif self.command == "DELETE":
                code = 204 if held.pop(self.path.rsplit("/", 1)[-1], None) else 404
            raw = b"" if said is None else json.dumps(said).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield held, f"http://127.0.0.1:{server.server_address[1]}/quality-on-demand/vwip"
    server.shutdown()
    server.server_close()
    thread.join()


def outlook(risk: float) -> Outlooks:
    return Outlooks(0, np.array([risk, 0.0]), np.full(2, 400_000), np.zeros(2), np.full(2, -1))


def until(what: Any) -> bool:
    begun = time.monotonic()
    while not what() and time.monotonic() - begun < 60.0:
        time.sleep(0.01)
    return bool(what())


def test_risk_opens_a_session_and_its_end_closes_it(network: tuple[dict[str, Any], str], tmp_path: Path) -> None:
    held, url = network
    config = QosConfig(enabled=True, url=url, device_ip={"agv-01": "10.0.0.1"}, calm_s=3.0)
    clock = [0.0]
    live = LiveQos(QosKeeper(config, create_port(config)), ("agv-01", "agv-02"), AuditLog(tmp_path), lambda: clock[0])

    def step(second: int, risk: float) -> None:
        clock[0] = float(second)
        live.step(second * 1_000_000, outlook(risk))

    live.step(0, None)
    assert not held
    step(1, 0.6)
    assert until(lambda: held)
    assert until(lambda: not live.keeper._answers.empty())
    step(2, 0.6)
    assert live.view().open == ("agv-01",)
    for second in range(3, 8):
        step(second, 0.0)
    assert until(lambda: not held)
    assert until(lambda: not live.keeper._answers.empty())
    step(8, 0.0)
    assert live.view().open == ()
    assert live.view().closed == 1
    live.stop()
    lines = [json.loads(line) for line in (tmp_path / "audit.log").read_text().splitlines()]
    assert [(x["action"], x["target"]) for x in lines] == [("begin", "qos_session agv-01"), ("end", "qos_session agv-01")]


def test_a_network_that_does_not_answer_does_not_hold_the_tick() -> None:
    class Slow:
        endless = False

        def open(self, device: str, duration_s: int) -> Any:
            time.sleep(0.5)
            raise AssertionError("never reached in time")

    config = QosConfig(enabled=True, device_ip={"agv-01": "10.0.0.1"})
    live = LiveQos(QosKeeper(config, Slow()), ("agv-01", "agv-02"), None, lambda: 0.0)  # type: ignore[arg-type]
    begun = time.process_time()
    live.step(1_000_000, outlook(1.0))
    assert time.process_time() - begun < 0.1
    assert live.view().open == ()


@pytest.mark.parametrize(
    ("told", "key"),
    [
        (["live.recalibration.enabled=true"], "live.recalibration.enabled"),
        (["bridges.radio_reports.enabled=true"], "bridges.radio_reports.enabled"),
        (["bridges.qos.enabled=true"], "bridges.qos.enabled"),
        (["live.mode=act", "live.may=[qos_session]"], "live.may"),
        (["live.mode=act", "live.may=[radio_offsets]"], "live.may"),
    ],
)
def test_what_does_not_fit_is_said(told: list[str], key: str) -> None:
    from factory.errors import UserError

    with pytest.raises(UserError, match=key.replace(".", r"\.")):
        load_scenario("small", told)


def test_a_device_that_is_not_there_is_named(tmp_path: Path) -> None:
    told = ["live.mode=act", "live.may=[qos_session]", "bridges.qos.enabled=true", 'bridges.qos.device_ip={"agv-99": "10.0.0.1"}']
    twin = Twin(load_scenario("small", told), beside_a_plant=True)
    with pytest.raises(BridgeError, match="'agv-99' is no machine of the hall"):
        connect_plant(twin, tmp_path)
    twin.close()


def test_sessions_belong_to_mode_act() -> None:
    from bridges.config import BridgesConfig

    bridges = BridgesConfig(qos=QosConfig(enabled=True, device_ip={"agv-01": "10.0.0.1"}))
    assert [key for key, _ in live_faults(LiveConfig(), bridges)] == ["bridges.qos.enabled"]
    assert not list(live_faults(LiveConfig(mode="act", may=("qos_session",)), bridges))
