"""The page's REST interface, its socket and what they refuse."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from page_feed import PASSWORDS, FakeTwin, make_view, wait_until, write_users
from pydantic import ValidationError
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from bridges.credentials import hash_password
from bridges.errors import BridgeError, CredentialsError, PortInUseError
from bridges.page.app import COOKIE
from bridges.page.config import PageConfig
from bridges.page.guard import BODY_BYTES_MAX
from bridges.page.hub import History
from bridges.page.server import PageServer
from bridges.page.users import Sessions, load_page_users
from bridges.page.watch import AGAIN_US, STOP_LONG_US, Watch
from bridges.view import TwinView
from bridges.view_parts import OutageView
from bridges.view_radio import CalibrationView, RadioAlarmView

_READ = ("view", "machines", "links", "services", "zones", "outages", "alarms", "scene", "history", "frames?start_us=0&count=50")


@contextmanager
def _client(twin: FakeTwin, user: str = "") -> Iterator[httpx.Client]:
    with httpx.Client(base_url=twin.server.url, trust_env=False) as client:
        if user:
            client.post("/api/login", json={"user": user, "password": PASSWORDS[user]}).raise_for_status()
        yield client


def _read_to_the_end(socket: ClientConnection) -> None:
    for _ in range(100):
        socket.recv(timeout=5)


def _socket_url(twin: FakeTwin) -> str:
    return twin.server.url.replace("http", "ws") + "api/socket"


def _audit(twin: FakeTwin) -> str:
    return (Path(twin.config.user_file or "").parent / "page" / "audit.jsonl").read_text(encoding="utf-8")


def test_nothing_is_told_without_a_login(twin: FakeTwin) -> None:
    with _client(twin) as client:
        for name in (*_READ, "audit"):
            assert client.get(f"/api/{name}").status_code == 401, name
        assert client.post("/api/commands", json={"name": "pause"}).status_code == 401
        for name in ("floor", "services", "outages", "machines"):
            assert client.get(f"/{name}").headers["location"] == "/login"
    with connect(_socket_url(twin), proxy=None) as socket, pytest.raises(ConnectionClosed) as closed:
        socket.recv(timeout=5)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


def test_the_cookie_cannot_be_read_by_scripts_nor_sent_by_other_pages(twin: FakeTwin) -> None:
    with _client(twin) as client:
        cookie = client.post("/api/login", json={"user": "vera", "password": PASSWORDS["vera"]}).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie


def test_no_answer_to_a_viewer_holds_a_persons_place(twin: FakeTwin) -> None:
    wait_until(lambda: twin.time_us > 500_000)
    with _client(twin, "vera") as client:
        told = "".join(client.get(f"/api/{name}").raise_for_status().text for name in _READ)
        assert client.get("/api/audit").status_code == 403
        token = client.cookies[COOKIE]
    with connect(_socket_url(twin), proxy=None, additional_headers={"Cookie": f"{COOKIE}={token}"}) as socket:
        told += "".join(str(socket.recv(timeout=5)) for _ in range(12))
    assert '"tick"' in told
    # pairs: an AGV may pass one of the numbers
    for secret in ("1234,3321", '"x_m":12.34,"y_m":33.21', "12.34,33.21", '"people",'):
        assert secret not in told


@pytest.mark.parametrize("role", ["vera", "emil"])
def test_the_safety_role_alone_gets_places(twin: FakeTwin, role: str) -> None:
    def types(user: str) -> set[str]:
        with _client(twin, user) as client:
            token = client.cookies[COOKIE]
        with connect(_socket_url(twin), proxy=None, additional_headers={"Cookie": f"{COOKIE}={token}"}) as socket:
            return {json.loads(socket.recv(timeout=5))["type"] for _ in range(12)}

    assert "people" not in types(role)
    assert "people" in types("sara")


def test_commands_reach_the_twin_and_are_written_down(twin: FakeTwin) -> None:
    with _client(twin, "emil") as client:
        answer = client.post("/api/commands", json={"name": "set_speed", "factor": 2.0})
        assert answer.json() == {"done": True, "message": "set_speed"}
        assert twin.commands[-1].argument("factor") == 2.0
        refused = client.post("/api/commands", json={"name": "stop_agv", "target": "agv-99"})
        assert (refused.status_code, refused.json()["detail"]) == (409, "AGV 'agv-99' is unknown")
        assert client.post("/api/alarms/9999/acknowledge").status_code == 404
        assert client.get("/api/audit").json()[0]["target"] == "agv-99"
    with _client(twin, "vera") as client:
        assert client.post("/api/commands", json={"name": "pause"}).status_code == 403
        assert client.post("/api/alarms/1/acknowledge").status_code == 403
    assert '"target": "agv-99", "done": false' in _audit(twin)


def test_advice_is_for_who_may_steer_and_is_accepted_by_command(twin: FakeTwin) -> None:
    wait_until(lambda: twin.time_us > 300_000)

    def seen(user: str) -> tuple[set[str], str]:
        with _client(twin, user) as client:
            token, told = client.cookies[COOKIE], client.get("/api/view").text
        with connect(_socket_url(twin), proxy=None, additional_headers={"Cookie": f"{COOKIE}={token}"}) as socket:
            texts = [str(socket.recv(timeout=5)) for _ in range(12)]
        return {json.loads(text)["type"] for text in texts}, told + "".join(texts)

    types, told = seen("vera")
    assert "advice" not in types
    assert "avoid n3" not in told
    types, told = seen("emil")
    assert "advice" in types
    assert "avoid n3" in told
    with _client(twin, "vera") as client:
        assert client.get("/api/advice").status_code == 403
        body = {"name": "accept_advice", "kind": "agv_slow", "target": "agv-02"}
        assert client.post("/api/commands", json=body).status_code == 403
    with _client(twin, "emil") as client:
        assert {a["kind"] for a in client.get("/api/advice").json()} == {"risk", "agv_slow", "agv_detour", "serve_from"}
        assert client.post("/api/commands", json=body).json()["done"]
        stale = client.post("/api/commands", json=body | {"target": "agv-05"})
        assert (stale.status_code, stale.json()["detail"]) == (409, "agv_slow of agv-05 is not advised")
        assert client.post("/api/commands", json=body | {"kind": "fly"}).status_code == 422
        wait_until(lambda: any(a["act"] == "agv_pause" for a in client.get("/api/advice").json()))
    assert '"kind": "agv_slow"' in _audit(twin)


def test_other_pages_and_other_names_of_this_machine_are_refused(twin: FakeTwin) -> None:
    with _client(twin, "emil") as client:
        before = len(twin.commands)
        for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
            assert client.post("/api/commands", json={"name": "pause"}, headers=headers).status_code == 403, headers
        assert client.get("/api/view", headers={"Host": "evil.example"}).status_code == 421
        assert len(twin.commands) == before
        token = client.cookies[COOKIE]
    headers = {"Cookie": f"{COOKIE}={token}", "Origin": "http://evil.example"}
    with pytest.raises(Exception, match="403"), connect(_socket_url(twin), proxy=None, additional_headers=headers):
        pass
    assert "the request comes from another page" in _audit(twin)


def test_oversized_and_malformed_messages_are_refused(twin: FakeTwin) -> None:
    with _client(twin, "emil") as client:
        assert client.post("/api/commands", content=b"x" * (BODY_BYTES_MAX + 1)).status_code == 413
        for body in (b"", b"{", b'{"name": "explode"}', b'{"name": "pause", "more": 1}', b'{"name": "set_speed", "factor": 1e9}'):
            assert client.post("/api/commands", content=body).status_code == 422, body
        token = client.cookies[COOKIE]
    for message in ("hello", "x" * 10_000):
        with connect(_socket_url(twin), proxy=None, additional_headers={"Cookie": f"{COOKIE}={token}"}) as socket:
            socket.send(message)
            with pytest.raises(ConnectionClosed) as closed:
                _read_to_the_end(socket)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code in (1003, 1009)


def test_every_answer_keeps_the_browser_on_this_machine(twin: FakeTwin) -> None:
    with _client(twin) as client:
        for path in ("/login", "/static/app.js", "/api/view", "/nowhere"):
            policy = client.get(path).headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
        assert client.get("/static/../app.py").status_code == 404
    static = Path(__file__).parents[2] / "bridges" / "page" / "static"
    for file in static.iterdir():
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text, file
        assert "https://" not in text, file


def test_guessing_passwords_has_to_wait(tmp_path: Path, port: int) -> None:
    with FakeTwin(tmp_path, port) as twin, _client(twin) as client:
        codes = [client.post("/api/login", json={"user": "emil", "password": f"no{i}"}).status_code for i in range(6)]
        assert codes == [401] * 5 + [429]
        assert client.post("/api/login", json={"user": "vera", "password": PASSWORDS["vera"]}).status_code == 200


def test_a_session_ends_after_its_last_use() -> None:
    now = [0.0]
    sessions = Sessions(10.0, lambda: now[0])
    token = sessions.open("emil", "engineer")
    now[0] = 500.0
    assert sessions.find(token) is not None
    now[0] = 1099.0
    assert sessions.find(token, use=False) is not None
    now[0] = 1100.0
    assert sessions.find(token) is None
    again = sessions.open("emil", "engineer")
    sessions.close(again)
    assert sessions.find(again) is None


def test_history_keeps_its_minutes_and_finds_a_time() -> None:
    history = History(0.1)
    for time_us in range(0, 10_000_000, 100_000):
        history.add(time_us, f"at {time_us}")
    assert history.span_us == (3_900_000, 9_900_000)
    assert history.frames(5_050_000, 2) == ["at 5100000", "at 5200000"]
    assert history.frames(99_000_000, 3) == ["at 9900000"]
    history.add(200_000, "again")
    assert history.span_us == (200_000, 200_000)
    assert History(1.0).frames(0, 5) == []


def test_alarms_count_up_instead_of_flooding() -> None:
    watch = Watch()
    for second in range(0, 60):  # the fake hall is down from 3 s to 4 s: shown here as flapping every 5 s
        watch.add(_at(second * 1_000_000, 3_500_000 if second % 5 == 0 else 100_000))
    down = [a for a in watch.alarms if a.kind == "service_down"]
    assert [a.count for a in down] == [12]
    assert len(watch.outages) == 12
    assert all(o.end_us is not None for o in watch.outages)
    assert "a person is in the way" in watch.outages[0].seen
    watch.add(_at(60_000_000 + AGAIN_US, 3_500_000))
    assert len([a for a in watch.alarms if a.kind == "service_down"]) == 2


def test_an_agv_that_stands_long_raises_one_alarm() -> None:
    watch = Watch()
    for time_us in range(0, 3 * STOP_LONG_US, 500_000):
        view = _at(time_us, 100_000)
        first = replace(view.machines[0], mode="communication")
        watch.add(replace(view, machines=(first, *view.machines[1:])))
    (alarm,) = watch.alarms
    assert (alarm.kind, alarm.subject, alarm.since_us) == ("agv_stopped", "agv-01", STOP_LONG_US)
    assert watch.acknowledge(alarm.id, "emil")
    assert alarm.acknowledged_by == "emil"


def test_a_flickering_risk_is_one_alarm_and_a_short_one_none() -> None:
    watch = Watch()
    for tick in range(100):
        calm = _at(100_000 * tick, 100_000)
        # agv-01 for 0.2 s; agv-03 flickers from 1 s to 5 s
        risky = {"agv-01": tick in (3, 4), "agv-03": 10 <= tick < 50 and tick % 3 == 0}
        watch.add(replace(calm, links=tuple(replace(k, risk=0.9 if risky.get(k.device) else 0.0) for k in calm.links)))
    (alarm,) = watch.alarms
    assert (alarm.kind, alarm.subject, alarm.count, alarm.active) == ("risk_high", "agv-03", 1, False)
    assert watch.acknowledge_over("emil") == 1
    assert watch.acknowledge_over("sara") == 0
    assert alarm.acknowledged_by == "emil"


def test_a_change_that_measurements_show_is_an_alarm_until_a_person_answers_it() -> None:
    watch = Watch()
    gone = RadioAlarmView("box", "", "rack-b", 44.0, 12.5, 9.0, 5, 100_000, 900_000, "rack-b no longer stands at (44.0, 12.5) m")
    place = RadioAlarmView("place", "", "", 20.4, 8.2, -9.0, 4, 100_000, 900_000, "something new stands in the way")
    for second, alarms in enumerate(((), (gone,), (gone, place), ())):
        watch.add(replace(_at(second * 1_000_000, 100_000), calibration=CalibrationView(False, False, 9, 0, 0, (), alarms)))
    assert [(a.kind, a.subject, a.text, a.active, a.last_us) for a in watch.alarms] == [
        ("radio_changed", "rack-b", gone.words, False, 3_000_000),
        ("radio_changed", "20, 8 m", place.words, False, 3_000_000),
    ]


def test_an_alarm_that_comes_again_must_be_acknowledged_again() -> None:
    watch = Watch()
    for time_us, like_us in ((0, 3_500_000), (100_000, 100_000)):
        watch.add(_at(time_us, like_us))
    (alarm,) = [a for a in watch.alarms if a.kind == "service_down"]
    assert watch.acknowledge(alarm.id, "emil")
    watch.add(_at(5_000_000, 3_500_000))
    assert (alarm.count, alarm.active, alarm.acknowledged_by) == (2, True, "")
    assert watch.acknowledge_over("emil") == 0  # it is not over


def test_an_outage_tells_the_cause_that_the_view_has() -> None:
    watch = Watch()
    last = OutageView("agv-02", "panel-estop", 3_000_000, None, "body", "person", "ceiling-north")
    watch.add(replace(_at(3_500_000, 3_500_000), service_outages=(last,)))
    assert watch.outages[0].seen == "agv-02 lost messages over ceiling-north: a body in the path; a person is in the way"


def _at(time_us: int, like_us: int) -> TwinView:
    view = make_view(like_us)
    services = tuple(replace(s, down_since_us=None if s.up else time_us) for s in view.services)
    return replace(view, time_us=time_us, services=services)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"host": "0.0.0.0"}, "unencrypted"),
        ({"certificate_file": "a.pem"}, "belong together"),
        ({"session_minutes": 0}, "greater than or equal"),
        ({"port": 0}, "greater than or equal"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(fields: dict[str, object], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        PageConfig(**fields)  # type: ignore[arg-type]


def test_users_files_are_read_or_refused(tmp_path: Path) -> None:
    users, told = load_page_users(write_users(tmp_path / "users"), tmp_path / "password.txt", {})
    assert (users.role_of("vera", PASSWORDS["vera"]), users.role_of("sara", PASSWORDS["sara"]), told) == ("viewer", "safety", "")
    assert users.role_of("vera", "wrong") is None
    assert users.role_of("nobody", "wrong") is None
    for line in ("emil", "emil:boss:" + hash_password("x"), "emil:engineer:nonsense", "# nobody", "a:b:c:d"):
        (tmp_path / "bad").write_text(line + "\n", encoding="utf-8")
        with pytest.raises(CredentialsError, match="bad"):
            load_page_users(tmp_path / "bad", tmp_path / "password.txt", {})
    with pytest.raises(CredentialsError, match="_PASSWORD is not"):
        load_page_users(None, tmp_path / "password.txt", {"FACTORY_TWIN_PAGE_USER": "emil"})
    users, told = load_page_users(None, tmp_path / "password.txt", {})
    password = (tmp_path / "password.txt").read_text(encoding="utf-8").strip().partition(":")[2]
    assert users.role_of("engineer", password) == "engineer"
    assert str(tmp_path / "password.txt") in told


def test_a_port_in_use_and_a_broken_certificate_are_told(tmp_path: Path, twin: FakeTwin, port: int) -> None:
    with pytest.raises(PortInUseError, match=r"bridges\.page\.port"):
        PageServer(PageConfig(port=twin.config.port), tmp_path, None, twin.server._scene).start()
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate", encoding="utf-8")
    config = PageConfig(port=port, certificate_file=broken, key_file=broken)
    with pytest.raises(BridgeError, match="certificate"):
        PageServer(config, tmp_path, None, twin.server._scene).start()
    assert not [t for t in threading.enumerate() if t.name == "page-server" and t is not twin.server._thread]
