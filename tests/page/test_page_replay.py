"""Finished runs behind the page: what is sent of them, to whom, and what is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from page_feed import PASSWORDS, free_port, write_users
from page_run import DOWN_US, END_US, PANEL_M, PERSON, PERSON_M, SERVICE, UP_US, place, write_run
from typer.testing import CliRunner

from bridges.page.config import PageConfig
from factory.cli import app
from factory.errors import UserError
from factory.run_view import PageRun, headings
from factory.view_command import RunPage


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "shift-a")


@pytest.fixture(scope="module")
def run(folder: Path) -> PageRun:
    return PageRun(folder)


@pytest.fixture(scope="module")
def page(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunPage]:
    state = tmp_path_factory.mktemp("state")
    served = RunPage(PageConfig(port=free_port(), user_file=write_users(state / "users.txt")), state, [PageRun(folder)])
    served.open()
    yield served
    served.stop()


@contextmanager
def _client(page: RunPage, user: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=page.url, trust_env=False) as client:
        client.post("/api/login", json={"user": user, "password": PASSWORDS[user]}).raise_for_status()
        yield client


def test_a_run_is_shown_as_it_was_recorded(run: PageRun) -> None:
    assert (run.card.start_us, run.card.end_us, run.card.period_us) == (0, END_US - 100_000, 100_000)
    view = run.view(5_000_000)
    assert view is not None
    assert [m.id for m in view.machines] == ["agv-01", "agv-02", "agv-03", "cobot-1"]
    for i in range(3):
        x_m, y_m, _ = place(i, 5_000_000)
        assert (view.machines[i].x_m, view.machines[i].y_m) == pytest.approx((x_m, y_m), abs=1e-4)
    # a circle counter-clockwise: at right angles to the radius
    machine = view.machines[0]
    ahead = math.atan2(machine.y_m - 20.0, (machine.x_m - 30.0) * 14.0**2 / 20.0**2) + math.pi / 2
    assert math.cos(machine.heading_rad - ahead) > 0.99
    before, stood = run.view(3_800_000), run.view(11_000_000)
    assert before is not None
    assert stood is not None
    assert math.cos(stood.machines[2].heading_rad - before.machines[2].heading_rad) > 0.99
    assert view.machines[3].heading_rad == pytest.approx(math.pi / 2)
    assert [z.people for z in view.zones] == [1, 0, 0]


def test_frames_come_in_steps_and_end_with_the_run(run: PageRun) -> None:
    times = [json.loads(t)["t"] for t in run.frames(1_050_000, 5, 3)]
    assert times == [1_100_000 + 300_000 * k for k in range(5)]
    assert [json.loads(t)["t"] for t in run.frames(END_US, 5, 1)] == [END_US - 100_000]
    assert len(run.frames(END_US - 300_000, 50, 1)) == 3
    assert len(run.people(0, 7, 2)) == 7


def test_services_are_counted_up_to_the_moment(run: PageRun) -> None:
    during, after = run.view(3_400_000), run.view(10_000_000)
    assert during is not None
    assert after is not None
    assert not during.services[0].up
    assert during.services[0].down_since_us == DOWN_US
    lived_s = 3 * 10.0
    down_s = (UP_US - DOWN_US) / 1e6
    assert after.services[0].up
    assert after.services[0].availability == pytest.approx(1 - down_s / lived_s)
    assert after.services[0].mtbf_s == pytest.approx(lived_s)
    assert after.services[0].packet_error_ratio == pytest.approx(45 / 1500)
    assert run.figures()[0]["availability"]["high"] == 0.95
    first = run.outages()[0]
    assert (first["device"], first["service"], first["down"], first["blocked_by"]) == ("agv-02", SERVICE, True, "person")
    assert (first["start_us"], first["messages"]) == (3_000_000, 44)


def test_the_story_names_people_for_the_safety_role_only(run: PageRun) -> None:
    told, kept = run.story(0, True), run.story(0, False)
    assert told is not None
    assert kept is not None
    assert PERSON in json.dumps(told.to_json_dict())
    assert ("Why", "a person stood in the path of north.") in kept.sections
    for word in (PERSON, "picker", "torso"):
        assert word not in json.dumps(kept.to_json_dict())
    panel = run.story(1, False)
    assert panel is not None
    assert ("Where", "panel-1 in cells south.") in panel.sections
    assert "7.8" not in json.dumps(panel.sections)
    assert run.story(99, True) is None


@pytest.mark.parametrize("user", ["vera", "emil"])
def test_no_answer_tells_others_where_people_are(page: RunPage, user: str) -> None:
    with _client(page, user) as client:
        assert client.get("/api/runs/0/people?start_us=0&count=5").status_code == 403
        paths = ["/api/runs", "/api/view", "/api/solid", *(f"/api/runs/0/{p}" for p in ("hello", "outages", "figures"))]
        paths += ["/api/runs/0/frames?start_us=0&count=50", "/api/runs/0/outages/0/story", "/api/runs/0/outages/1/story"]
        for path in paths:
            answer = client.get(path)
            assert answer.status_code == 200, path
            for secret in (PERSON, "1234,3321", "777,888", *(f"{v:.2f}" for v in (*PERSON_M, *PANEL_M))):
                assert secret not in answer.text, (path, secret)


def test_the_safety_role_is_shown_people_and_that_is_noted(page: RunPage) -> None:
    with _client(page, "sara") as client:
        people = client.get("/api/runs/0/people?start_us=0&count=2").json()
        assert people == [{"type": "people", "p": [[1234, 3321]]}] * 2
        noted = [e for e in client.get("/api/audit").json() if e.get("run") == "shift-a"]
        assert [e["user"] for e in noted] == ["sara"]


def test_what_is_not_there_is_refused(page: RunPage) -> None:
    with httpx.Client(base_url=page.url, trust_env=False) as stranger:
        for path in ("/api/runs", "/api/runs/0/frames?start_us=0", "/api/runs/0/outages/0/story", "/api/solid"):
            assert stranger.get(path).status_code == 401
    with _client(page, "emil") as client:
        assert client.get("/api/runs/1/frames?start_us=0").status_code == 404
        assert client.get("/api/runs/2/frames?start_us=0").status_code == 422
        assert client.get("/api/runs/0/frames?start_us=-1").status_code == 422
        assert client.get("/api/runs/0/frames?start_us=0&count=51").status_code == 422
        assert client.get("/api/runs/0/outages/77/story").status_code == 404
        assert client.get("/api/outages/1/story").status_code == 404
        assert client.post("/api/commands", json={"name": "pause"}).status_code == 409


def test_the_command_line_says_what_is_wrong(tmp_path: Path, folder: Path) -> None:
    answer = CliRunner().invoke(app, ["view", str(tmp_path / "none")])
    assert isinstance(answer.exception, UserError)
    assert "not a folder" in str(answer.exception)
    with pytest.raises(UserError, match="side by side"):
        RunPage(PageConfig(), tmp_path, [PageRun(folder)] * 3)


def test_view_serves_until_its_time_is_over(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: bool(opened.append(url)))
    port = str(free_port())
    answer = CliRunner().invoke(
        app, ["view", str(folder), "--port", port, "--state", str(tmp_path), "--open", "--seconds", "0.2"]
    )
    assert answer.exit_code == 0, answer.output
    assert opened == [f"http://127.0.0.1:{port}/"]
    assert f"http://127.0.0.1:{port}/" in answer.output
    assert "No browser could be opened" in answer.output


@settings(deadline=None, derandomize=True, max_examples=50)
@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=1, max_size=12), st.floats(-3, 3))
def test_who_stands_keeps_pointing(steps: list[tuple[float, float]], before: float) -> None:
    xy = np.concatenate((np.zeros((1, 2)), np.cumsum(np.array(steps), axis=0)))[:, None]
    found = headings(xy, np.array([before]))[:, 0]
    last = before
    for k, (dx, dy) in enumerate(np.diff(xy[:, 0], axis=0)):
        if math.hypot(dx, dy) >= 0.01:
            last = math.atan2(dy, dx)
        assert found[k] == pytest.approx(last)
    assert found[-1] == pytest.approx(last)
