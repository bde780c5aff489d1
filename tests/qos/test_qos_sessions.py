"""QoS on demand against mocks; CAMARA requests and answers are held against the published OpenAPI where it lies."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError
from ruamel.yaml import YAML

from bridges.qos import QosConfig, QosKeeper
from bridges.qos.adapters import create_port
from bridges.qos.port import QosError

OPENAPI = Path(__file__).parents[3] / "shared" / "data" / "camara" / "quality-on-demand.yaml"
IP = {"agv-1": "10.0.0.1", "agv-2": "10.0.0.2", "agv-3": "10.0.0.3"}


class Network:
    """A mock of all three interfaces: what it holds, what it was asked, and which faults come next."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, str, Any]] = []
        self.faults: list[str] = []
        self.longest_s = 10_000
        self.number = 0

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any, dict[str, str]]:
        parts = path.strip("/").split("/")
        last = parts[-1]
        if last == "retrieve-sessions":
            ip = body["device"]["ipv4Address"]["publicAddress"]
            return 200, [s for s in self.held.values() if s["device"]["ipv4Address"]["publicAddress"] == ip], {}
        if method == "POST" and last in ("sessions", "subscriptions"):
            self.number += 1
            name = f"00000000-0000-4000-8000-{self.number:012d}"
            if last == "sessions":
                self.held[name] = {
                    "sessionId": name, "device": body["device"], "applicationServer": body["applicationServer"],
                    "qosProfile": body["qosProfile"], "duration": min(body["duration"], self.longest_s), "qosStatus": "AVAILABLE",
                }  # fmt: skip
                return 201, self.held[name], {}
            self.held[name] = {**body, "self": f"http://network/{path.strip('/')}/{name}"}
            return 201, self.held[name], {"Location": self.held[name]["self"]}
        if last == "subscriptions":
            return 200, list(self.held.values()), {}
        if method == "PUT":
            known = last in self.held
            self.held[last] = body
            return 200 if known else 201, body, {}
        name = parts[-2] if last in ("extend", "status") else last
        if name not in self.held:
            return 404, {"code": "NOT_FOUND"}, {}
        if last == "status":
            return 200, {"enforceStatus": "ENFORCED"}, {}
        if last == "extend":
            session = self.held[name]
            session["duration"] = min(session["duration"] + body["requestedAdditionalDuration"], self.longest_s)
        if method == "DELETE":
            del self.held[name]
            return 204, None, {}
        return 200, self.held[name], {}


@pytest.fixture
def network() -> Iterator[tuple[Network, str]]:
    state = Network()

    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            fault = state.faults.pop(0) if state.faults else ""
            state.asked.append((self.command, self.path, body))
            if fault.isdigit():
                status, answer, headers = int(fault), {"code": "FAULT"}, {}
            else:
                status, answer, headers = state.answer(self.command, self.path, body)
            if fault == "lost":  # done, but the answer never arrives
                self.close_connection = True
                return
            raw = b"<html>" if fault == "garbage" else b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = do_PUT = do_DELETE = _do  # noqa: N815 - names of http.server

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield state, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def keeper(url: str, **settings: Any) -> QosKeeper:
    config = QosConfig(url=url, device_ip=IP, **{"calm_s": 5, "profile": "QOS_E", **settings})
    return QosKeeper(config, create_port(config), threaded=False)


@pytest.mark.parametrize("interface", ["camara", "as-session-with-qos", "a1"])
def test_opened_ahead_kept_and_closed_once_calm(network: tuple[Network, str], interface: str) -> None:
    state, url = network
    qos = keeper(url, interface=interface, duration_s=20, renew_s=5)
    for second in range(60):
        qos.step(second, {"agv-1": 0.01 if second < 40 else 5e-4 if second < 44 else 0.0})
        assert len(state.held) == (1 if second < 49 else 0), second
    assert qos.counts["opened"] == qos.counts["closed"] == 1
    assert qos.counts["extended"] >= 1
    assert not qos.sessions


@pytest.mark.parametrize("interface", ["camara", "as-session-with-qos", "a1"])
@pytest.mark.parametrize("fault", ["lost", "garbage", "503"])
def test_a_lost_answer_makes_no_second_session(network: tuple[Network, str], interface: str, fault: str) -> None:
    state, url = network
    qos = keeper(url, interface=interface)
    state.faults = [fault] if interface != "as-session-with-qos" else ["", fault]
    for second in range(5):
        qos.step(second, {"agv-1": 0.01})
    assert len(state.held) == 1 == len(qos.sessions)
    assert qos.counts["failed"] == 1


@pytest.mark.parametrize("interface", ["as-session-with-qos", "a1"])
def test_what_has_no_end_is_cleared_after_a_lost_answer(network: tuple[Network, str], interface: str) -> None:
    state, url = network
    qos = keeper(url, interface=interface, calm_s=0)
    state.faults = ["lost"] if interface == "a1" else ["", "lost"]
    qos.step(0, {"agv-1": 0.01})
    assert len(state.held) == 1
    assert not qos.sessions
    for second in range(1, 5):
        qos.step(second, {})
    assert not state.held


def test_refused_is_not_asked_again_soon_and_waits_double(network: tuple[Network, str]) -> None:
    state, url = network
    qos = keeper(url, retry_min_s=1, retry_max_s=8)
    state.faults = ["503"] * 2 + ["422"]
    for second in range(8):
        qos.step(second, {"agv-1": 0.01})
    creations = [a for a in state.asked if a[1] == "/sessions"]
    assert len(creations) < 3  # at 0, 1 and after two seconds more a look for a lost one, refused
    assert qos.counts == {"failed": 2, "refused": 1}
    assert "422" in qos.last_error


def test_most_at_risk_come_first_within_budget(network: tuple[Network, str]) -> None:
    _, url = network
    qos = keeper(url, most_sessions=1, duration_s=60, budget_s_per_h=100)
    qos.step(0, {"agv-1": 0.01, "agv-2": 0.5})
    assert list(qos.sessions) == ["agv-2"]
    for second in range(1, 80):
        qos.step(second, {"agv-1": 0.01, "agv-2": 0.5})
    assert qos.counts["expired"] == 1
    assert qos.counts["over_budget"] > 0
    assert qos.counts["opened"] == 1


def test_session_that_the_network_ends_is_noticed(network: tuple[Network, str]) -> None:
    state, url = network
    qos = keeper(url, duration_s=20, renew_s=10)
    qos.step(0, {"agv-1": 0.01})
    state.held.clear()
    for second in range(1, 14):
        qos.step(second, {"agv-1": 0.01})
    assert qos.counts["lost"] == 1
    assert qos.counts["opened"] == 2


def test_capped_extension_is_believed(network: tuple[Network, str]) -> None:
    state, url = network
    state.longest_s = 25
    qos = keeper(url, duration_s=20, renew_s=5, most_sessions=1)
    for second in range(26):
        qos.step(second, {"agv-1": 0.01})
    assert qos.counts["expired"] == 1


def test_step_returns_at_once_while_the_network_is_silent() -> None:
    config = QosConfig(url="http://127.0.0.1:9", device_ip=IP)

    class Silent:
        endless = False

        def open(self, device: str, duration_s: int) -> Any:
            time.sleep(0.3)
            raise QosError("no answer", again=True)

        extend = status = close = open

    qos = QosKeeper(config, Silent())  # type: ignore[arg-type]
    begun = time.perf_counter()
    qos.step(0.0, {"agv-1": 0.01})
    assert time.perf_counter() - begun < 0.2
    assert qos.stop() == 0
    assert qos.counts["failed"] == 1


def test_configuration_refuses_what_would_flap_or_leak() -> None:
    with pytest.raises(ValidationError, match="flap"):
        QosConfig(open_risk=1e-4, close_risk=1e-3)
    with pytest.raises(ValidationError, match="unencrypted"):
        QosConfig(url="http://operator.example/qod")


def test_a_session_id_cannot_lead_to_another_path(network: tuple[Network, str]) -> None:
    state, url = network
    port = create_port(QosConfig(url=url, device_ip=IP))
    state.answer = lambda *_: (201, {"sessionId": "../x", "qosStatus": "AVAILABLE", "duration": 5}, {})  # type: ignore[assignment]
    with pytest.raises(QosError, match="no name"):
        port.open("10.0.0.1", 5)


@pytest.mark.recorded
@pytest.mark.skipif(not OPENAPI.exists(), reason="the published OpenAPI does not lie beside this checkout")
def test_requests_and_mock_keep_to_the_published_openapi(network: tuple[Network, str]) -> None:
    state, url = network
    published = YAML(typ="safe").load(OPENAPI.read_text(encoding="utf-8"))

    def local(node: Any) -> Any:
        """Schemas of the other CAMARA files are not here; what they describe is left open."""
        if isinstance(node, list):
            return [local(n) for n in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node and not node["$ref"].startswith("#"):
            return {}
        return {k: local(v) for k, v in node.items()}

    document = local(published)

    def valid(name: str, value: Any) -> None:
        Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": document["components"]}).validate(value)

    qos = keeper(url, duration_s=20, renew_s=5)
    for second in range(40):
        qos.step(second, {"agv-1": 0.01 if second < 30 else 0.0})
    paths = {"createSession": 0, "extend": 0, "delete": 0}
    for method, path, body in state.asked:
        template = (
            "/sessions/{sessionId}/extend"
            if path.endswith("extend")
            else "/sessions/{sessionId}"
            if path.count("/") == 2
            else path
        )
        assert method.lower() in published["paths"][template]
        if template == "/sessions":
            valid("CreateSession", body)
            paths["createSession"] += 1
        elif path.endswith("extend"):
            valid("ExtendSessionDuration", body)
            paths["extend"] += 1
        else:
            paths["delete"] += 1
    assert min(paths.values()) >= 1
    port = create_port(QosConfig(url=url, device_ip=IP))
    session = port.open("10.0.0.2", 30)
    valid("SessionInfo", state.held[session.id])
    assert port.status(session) == session
