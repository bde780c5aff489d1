"""The REST interface fuzzed against its own OpenAPI, and what an attacker sends to it and to the socket: refused, never a 5xx."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import jsonschema
import pytest
from conftest import free_port
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from page_feed import PASSWORDS
from page_jobs import JobsTwin
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from bridges.page.app import COOKIE
from bridges.page.guard import BODY_BYTES_MAX
from bridges.page.users import Sessions

Json = dict[str, Any]
_ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=20), st.just([]), st.just({"a": [1]}),
    st.sampled_from(["\x00", "\ud7ff", "1e999", "../../etc/passwd", "a" * 3000, "radio.trps[0", "x=!!python/object:os.system"]),
)  # fmt: skip
_LEFT_OUT = ("/api/login", "/api/logout")  # one would lock the user out for a minute, the other ends the session: see below


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobsTwin]:
    with JobsTwin(tmp_path_factory.mktemp("page-fuzz"), free_port()) as running:
        yield running


@pytest.fixture(scope="module")
def client(twin: JobsTwin) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=twin.server.url, trust_env=False, timeout=30.0) as http:
        http.post("/api/login", json={"user": "sara", "password": PASSWORDS["sara"]}).raise_for_status()
        yield http


def _values(schema: Json, whole: Json) -> st.SearchStrategy[Any]:
    """Return values of a schema, now and then something else."""
    if "$ref" in schema:
        return _values(whole["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], whole)
    if "enum" in schema or "const" in schema:
        good: st.SearchStrategy[Any] = st.sampled_from(schema.get("enum", [schema.get("const")]))
    elif "anyOf" in schema:
        good = st.one_of(*(_values(s, whole) for s in schema["anyOf"]))
    elif schema.get("type") == "object":
        fields = {name: _values(part, whole) for name, part in schema.get("properties", {}).items()}
        needed = {name: fields.pop(name) for name in schema.get("required", ()) if name in fields}
        good = st.fixed_dictionaries(needed, optional=fields)
    elif schema.get("type") == "array":
        good = st.lists(_values(schema["items"], whole), min_size=schema.get("minItems", 0), max_size=3)
    elif schema.get("type") == "integer":
        good = st.integers(schema.get("minimum", -10), min(schema.get("maximum", 10), 10**6))
    elif schema.get("type") == "number":
        good = st.floats(schema.get("minimum", -1e9), schema.get("maximum", 1e9))
    elif schema.get("type") == "boolean":
        good = st.booleans()
    elif schema.get("type") == "null":
        good = st.none()
    else:
        good = st.text(min_size=schema.get("minLength", 0), max_size=min(schema.get("maxLength", 30), 30))
    return st.one_of(good, good, good, _ODD)


def _read_to_the_end(watching: ClientConnection) -> None:
    for _ in range(200):
        watching.recv(timeout=10)


def _operations(whole: Json) -> list[tuple[str, str, Json]]:
    return [
        (method, path, operation)
        for path, methods in sorted(whole["paths"].items())
        for method, operation in methods.items()
        if path not in _LEFT_OUT
    ]


def _check(answer: httpx.Response, operation: Json, whole: Json) -> None:
    documented = operation["responses"]
    assert answer.status_code < 500, answer.text
    assert str(answer.status_code) in documented, (answer.request.url, answer.status_code, answer.text[:300])
    found = documented[str(answer.status_code)].get("content", {}).get("application/json", {}).get("schema")
    if found:
        jsonschema.validate(answer.json(), {**found, "components": whole["components"]})


def _fuzz(client: httpx.Client, whole: Json, method: str, path: str, operation: Json) -> set[int]:
    """Send requests that fit an operation, and some that do not; return the codes of the answers."""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    parameters = {p["name"]: p for p in operation.get("parameters", ()) if p["in"] in ("path", "query")}
    strategy = st.fixed_dictionaries({name: _values(p["schema"], whole) for name, p in parameters.items()})
    codes: set[int] = set()

    @settings(max_examples=20, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(strategy, _values(body, whole) if body else st.none())
    def send(values: Json, content: Any) -> None:
        url, query = path, {}
        for name, p in parameters.items():
            text = quote(str(values[name]).encode("utf-8", "replace"), safe="")
            if p["in"] == "path":
                url = url.replace("{" + name + "}", text.replace(".", "%2E") or "%20")
            else:
                query[name] = values[name]
        sent: dict[str, Any] = {"content": json.dumps(content).encode()} if body else {}
        answer = client.request(method.upper(), url, params=query, headers={"Content-Type": "application/json"}, **sent)
        codes.add(answer.status_code)
        if answer.status_code in (404, 405) and answer.json().get("detail") in ("Not Found", "Method Not Allowed"):
            return  # a slash in a parameter: another path
        _check(answer, operation, whole)

    send()
    return codes


def test_no_request_that_the_openapi_describes_or_forbids_makes_a_5xx(client: httpx.Client) -> None:
    whole = client.get("/api/openapi.json").raise_for_status().json()
    operations = _operations(whole)
    assert len(operations) >= 17
    seen = {path: _fuzz(client, whole, method, path, operation) for method, path, operation in operations}
    # what lies behind the checks was reached, not the refusals alone
    for path in ("/api/view", "/api/whatif", "/api/radio-map", "/api/commands", "/api/frames"):
        assert 200 in seen[path], path
    assert 422 in seen["/api/whatif"]


_MALFORMED = {
    "empty": b"", "broken": b"{", "not utf-8": b"\xff\xfe", "deep": b"[" * 4000, "null": b"null", "nan": b'{"name": NaN}',
    "twice": b'{"name": "pause", "name": 5}', "surrogate": b'{"user": "\\ud800"}', "number": b"9" * 5000,
}  # fmt: skip


@pytest.mark.parametrize("content", _MALFORMED.values(), ids=_MALFORMED)
@pytest.mark.parametrize("path", ["/api/commands", "/api/whatif", "/api/radio-map", "/api/login"])
def test_malformed_bodies_are_refused(client: httpx.Client, path: str, content: bytes) -> None:
    answer = client.post(path, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422, 429), answer.text
    assert "detail" in answer.json()


def test_a_wrong_request_is_not_repeated_to_whoever_sent_it(client: httpx.Client) -> None:
    answer = client.post("/api/login", json={"user": "emil", "password": ["secret-word"]})
    assert answer.status_code == 422
    assert "secret-word" not in answer.text
    assert answer.json()["detail"][0]["loc"] == ["body", "password"]


def test_oversized_bodies_are_refused_before_they_are_read(client: httpx.Client, twin: JobsTwin) -> None:
    for path in ("/api/commands", "/api/whatif", "/api/login"):
        answer = client.post(path, content=b"x" * (BODY_BYTES_MAX + 1), headers={"Content-Type": "application/json"})
        assert answer.status_code == 413, path
    with httpx.Client(base_url=twin.server.url, trust_env=False) as stranger:
        assert stranger.get("/" + "a" * 60_000).status_code in (307, 400, 404, 414)
        assert stranger.get("/api/view", headers={"Cookie": f"{COOKIE}=" + "x" * 20_000}).status_code == 401


def test_no_other_origin_can_act(client: httpx.Client, twin: JobsTwin) -> None:
    before = len(twin.commands)
    for path, body in (
        ("/api/whatif", {"changes": ["people.count=1"]}),
        ("/api/radio-map", {}),
        ("/api/jobs/1/cancel", {}),
        ("/api/commands", {"name": "pause"}),
        ("/api/login", {"user": "emil", "password": PASSWORDS["emil"]}),
        ("/api/logout", {}),
    ):
        for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "same-site"}):
            assert client.post(path, json=body, headers=headers).status_code == 403, (path, headers)
    assert len(twin.commands) == before
    token = client.cookies[COOKIE]
    with pytest.raises(Exception, match="403"):
        connect(
            twin.server.url.replace("http", "ws") + "api/socket", proxy=None,
            additional_headers={"Cookie": f"{COOKIE}={token}", "Origin": "http://evil.example"},
        )  # fmt: skip


def test_a_viewer_may_read_jobs_and_start_none(twin: JobsTwin, client: httpx.Client) -> None:
    job = client.post("/api/whatif", json={"changes": ["people.count=1"]}).raise_for_status().json()["job"]
    with httpx.Client(base_url=twin.server.url, trust_env=False) as viewer:
        assert viewer.get(f"/api/jobs/{job}").status_code == 401
        viewer.post("/api/login", json={"user": "vera", "password": PASSWORDS["vera"]}).raise_for_status()
        assert viewer.get(f"/api/jobs/{job}").json()["job"] == job
        assert viewer.post("/api/whatif", json={"changes": ["people.count=1"]}).status_code == 403
        assert viewer.post("/api/radio-map", json={}).status_code == 403
        assert viewer.post(f"/api/jobs/{job}/cancel").status_code == 403
        assert viewer.get("/api/jobs/99999").status_code == 404
    audit = (Path(twin.config.user_file or "").parent / "page" / "audit.jsonl").read_text(encoding="utf-8")
    assert '"name": "start_whatif", "changes": ["people.count=1"]' in audit


def test_an_expired_login_reads_nothing_and_its_socket_ends(monkeypatch: pytest.MonkeyPatch, twin: JobsTwin) -> None:
    with httpx.Client(base_url=twin.server.url, trust_env=False) as old:
        old.post("/api/login", json={"user": "emil", "password": PASSWORDS["emil"]}).raise_for_status()
        headers = {"Cookie": f"{COOKIE}={old.cookies[COOKIE]}"}
        url = twin.server.url.replace("http", "ws") + "api/socket"
        with connect(url, proxy=None, additional_headers=headers) as watching:
            watching.recv(timeout=10)
            monkeypatch.setattr(Sessions, "find", lambda self, token, use=True: None)
            with pytest.raises(ConnectionClosed) as closed:
                _read_to_the_end(watching)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401
        for path in ("/api/view", "/api/jobs/1", "/api/heat/people"):
            assert old.get(path).status_code == 401
        assert old.post("/api/whatif", json={"changes": ["people.count=1"]}).status_code == 401


@pytest.mark.parametrize(
    "message", ["{}", b"\x00" * 100, "x" * 5000, '{"type": "hello", "role": "safety"}'], ids=["json", "bytes", "long", "hello"]
)
def test_a_message_on_the_socket_ends_it_and_nothing_else(twin: JobsTwin, client: httpx.Client, message: str | bytes) -> None:
    headers = {"Cookie": f"{COOKIE}={client.cookies[COOKIE]}"}
    with connect(twin.server.url.replace("http", "ws") + "api/socket", proxy=None, additional_headers=headers) as talker:
        talker.recv(timeout=10)
        talker.send(message)
        with pytest.raises(ConnectionClosed) as closed:
            _read_to_the_end(talker)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code in (1003, 1009)
    assert client.get("/api/view").status_code == 200


@pytest.mark.parametrize(
    "text",
    [b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"POST /api/login HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
     b"GET /api/socket HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", b"A" * 100_000],
    ids=["version", "tls", "length", "half a handshake", "noise"],
)  # fmt: skip
def test_bytes_that_are_no_request_harm_nobody(twin: JobsTwin, client: httpx.Client, text: bytes) -> None:
    with socket.create_connection(("127.0.0.1", twin.config.port), timeout=10) as raw:
        try:
            raw.sendall(text)
            raw.shutdown(socket.SHUT_WR)
            answer = raw.recv(65536)
        except (ConnectionError, ssl.SSLError):
            answer = b""
    assert b" 500 " not in answer
    assert b"Traceback" not in answer
    assert client.get("/api/view").status_code == 200
