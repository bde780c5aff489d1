"""The client against a controller that is asyncua's own server: values, quality, age, restarts, trust, advice."""

from __future__ import annotations

import datetime
import math
import socket
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import pytest
from plant_server import PASSWORD, URI, USER, Plant, bound

from bridges.mapping_values import BAD, GOOD, UNCERTAIN, MappedValues
from bridges.opcua.client import OpcUaClient

HEAD = "version: 1\nsources:\n  cell:\n    kind: opcua\n    url: {url}\n"
OPEN = "    policy: None\n    insecure: true\n".replace("None", "'None'")
JOINTS = "variables:\n" + "".join(
    f"  - {{twin: cobots.cobot-1.joint_{j}, source: cell, node: 'nsu={URI};s=Robot/A{j}', unit: deg, stale_after_s: 300}}\n"
    for j in range(1, 8)
)


def until(true: Callable[[], bool], seconds: float = 30.0) -> bool:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@contextmanager
def following(folder: Path, text: str, lines: list | None = None):
    mapping = bound(folder, text)
    told: list[str] = []
    values = MappedValues(mapping, told.append)
    audit = [] if lines is None else lines
    client = OpcUaClient(
        "cell", mapping.mapping.sources["cell"], mapping.of_source("cell"), mapping.advice_to("cell"), values, folder / "state",
        lambda *line: audit.append(line),
    )  # fmt: skip
    client.start()
    try:
        yield client, values, told
    finally:
        client.stop()


@pytest.fixture(scope="module")
def one_plant():
    """One server for all tests that do not restart it, for it takes seconds to start."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with Plant(port) as plant:
        yield plant


@pytest.fixture
def plant(one_plant):
    """Return the server with its first values."""
    one_plant.reset()
    return one_plant


def test_values_come_in_the_twins_units_and_follow(tmp_path, plant):
    more = (
        f"  - {{twin: agvs.agv-01.x, source: cell, node: 'nsu={URI};s=Robot/X', unit: mm, offset: 500, stale_after_s: 300}}\n"
        f"  - {{twin: machines.press-2.running, source: cell, node: 'nsu={URI};s=Robot/Running', stale_by: connection}}\n"
    )
    with following(tmp_path, HEAD.replace("{url}", plant.url) + OPEN + JOINTS + more) as (client, values, told):
        assert client.wait_connected(30)
        assert until(lambda: not values.take(time.time()).stale.any())
        now = values.take(time.time())
        assert now.value[:7] == pytest.approx([math.radians(10 * j) for j in range(1, 8)])
        assert now.value[7:] == pytest.approx([5.5, 1.0])
        assert (now.quality == GOOD).all()
        plant.set("A3", -45.0)
        assert until(lambda: values.take(time.time()).value[2] == pytest.approx(math.radians(-45.0)))
        assert values.take(time.time()).age_s[2] < 1.0
        assert not told


def test_quality_follows_the_status_code(tmp_path, plant):
    with following(tmp_path, HEAD.replace("{url}", plant.url) + OPEN + JOINTS) as (client, values, _):
        assert client.wait_connected(30)
        assert until(lambda: (values.take(time.time()).quality == GOOD).all())
        plant.set("A1", 11.0, 0x40900000)  # UncertainLastUsableValue
        plant.set("A2", 21.0, 0x80310000)  # BadNoCommunication
        assert until(lambda: values.take(time.time()).quality[:2].tolist() == [UNCERTAIN, BAD])
        now = values.take(time.time())
        assert math.degrees(now.value[0]) == pytest.approx(11.0)
        assert math.degrees(now.value[1]) == pytest.approx(20.0)  # of a bad value the last usable one is kept
        assert now.stale.tolist()[:3] == [False, True, False]


def test_a_value_grows_stale_by_its_own_time_and_dead_time(tmp_path, plant):
    text = HEAD.replace("{url}", "{url}") + OPEN + (
        "variables:\n"
        f"  - {{twin: agvs.agv-01.y, source: cell, node: 'nsu={URI};s=Robot/Y', dead_time_ms: 2000, stale_after_s: 10}}\n"
        f"  - {{twin: agvs.agv-01.x, source: cell, node: 'nsu={URI};s=Robot/X', unit: mm, stale_after_s: 0.5}}\n"
        f"  - {{twin: agvs.agv-02.x, source: cell, node: 'nsu={URI};s=Robot/A1', stale_after_s: 0.9, stale_by: connection}}\n"
    )  # fmt: skip
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=60)
    plant.set("X", 5000.0, 0, past)
    plant.set("A1", 10.0, 0, past)
    with following(tmp_path, text.replace("{url}", plant.url)) as (client, values, _):
        assert client.wait_connected(30)

        assert until(lambda: not any(map(math.isnan, values.take(time.time()).value)))
        plant.set("Y", 7.6, 0, datetime.datetime.now(datetime.UTC))
        assert until(lambda: values.take(time.time()).value[0] == pytest.approx(7.6))
        now = values.take(time.time())
        assert 2.0 <= now.age_s[0] < 3.0
        assert now.age_s[1] == pytest.approx(60.0, abs=5.0)
        assert now.stale.tolist() == [False, True, False]  # the third is as new as the connection


def test_a_restarted_server_is_followed_again_within_two_seconds(tmp_path, free_port):
    with following(tmp_path, HEAD.replace("{url}", f"opc.tcp://127.0.0.1:{free_port}") + OPEN + JOINTS) as (client, values, _):
        with Plant(free_port):
            assert client.wait_connected(30)
            assert until(lambda: not values.take(time.time()).stale.any())
        assert until(lambda: not client.connected)
        time.sleep(1.2)
        with Plant(free_port) as plant:
            plant.set("A7", 77.0)
            back = time.monotonic()
            assert until(lambda: values.take(time.time()).value[6] == pytest.approx(math.radians(77.0)))
            assert time.monotonic() - back < 2.0
            assert client.counters.connections == 2
            assert client.counters.restarts == 1


def test_a_missing_node_and_a_wrong_type_are_named_and_the_others_go_on(tmp_path, plant):
    text = HEAD + OPEN + (
        f"variables:\n  - {{twin: agvs.agv-01.x, source: cell, node: 'nsu={URI};s=Robot/Gone'}}\n"
        f"  - {{twin: agvs.agv-01.y, source: cell, node: 'nsu={URI};s=Robot/Text'}}\n"
        f"  - {{twin: agvs.agv-02.x, source: cell, node: 'nsu=urn:nobody;s=Robot/X'}}\n"
        f"  - {{twin: agvs.agv-02.y, source: cell, node: 'nsu={URI};s=Robot/Y', stale_after_s: 300}}\n"
        f"  - {{twin: agvs.agv-02.heading, source: cell, node: 'nsu={URI};s=Robot/X', unit: rad}}\n"
    )  # fmt: skip
    with following(tmp_path, text.replace("{url}", plant.url)) as (client, values, told):
        assert client.wait_connected(30)
        assert until(lambda: len(told) >= 4)
        now = values.take(time.time())
        assert now.stale.tolist() == [True, True, True, False, True]
        assert now.value[3] == pytest.approx(7.5)
        all_told = "\n".join(told)
        for said in (
            "Robot/Gone: BadNodeIdUnknown",
            "'hello' (str) is no number",
            "no namespace 'urn:nobody'",
            "5000.0 (float) gives 5000",
        ):
            assert said in all_told
        assert "mapping.yaml:9:5: agvs.agv-01.x: " in all_told
        assert client.counters.missing == 2


def test_the_servers_certificate_must_be_trusted_and_the_password_right(tmp_path, free_port):
    secret = tmp_path / "password"
    secret.write_text(PASSWORD + "\n")
    secret.chmod(0o600)
    text = HEAD + f"    user: {USER}\n    password_file: password\n    certificate_dir: own\n" + JOINTS
    with Plant(free_port, tmp_path / "plant") as plant:
        with following(tmp_path, text.replace("{url}", plant.url)) as (client, values, _):
            assert until(lambda: "is not trusted (BadCertificateUntrusted)" in client.problem)
            assert not client.connected
            rejected = list((tmp_path / "own" / "rejected").iterdir())
            assert len(rejected) == 1
            rejected[0].rename(tmp_path / "own" / "trusted" / rejected[0].name)
            assert client.wait_connected(30)
            assert until(lambda: not values.take(time.time()).stale.any())
        secret.write_text("another word\n")
        with following(tmp_path, text.replace("{url}", plant.url)) as (client, values, _):
            assert until(lambda: client.problem != "")
            assert "denied" in client.problem.lower() or "BadUserAccessDenied" in client.problem or "Bad" in client.problem
            assert not client.connected


def test_advice_is_written_as_often_as_allowed_and_never_when_uncertain(tmp_path, plant):
    text = HEAD + OPEN + (
        "variables:\n"
        f"  - {{twin: links.agv-01.risk, source: cell, node: 'nsu={URI};s=Robot/Risk', unit: '%', "
        "write_back: {min_interval_s: 0.4}}\n"
        "  - {twin: links.cobot-1.risk, source: cell, node: 'i=2258', write_back: {}}\n"
    )  # fmt: skip
    lines: list = []
    with following(tmp_path, text.replace("{url}", plant.url), lines) as (client, _, _):
        assert client.wait_connected(30)
        client.writer.advise(0, None)
        assert plant.get("Risk") == 0.0
        began = time.monotonic()
        for k in range(60):
            client.writer.advise(0, 0.25 + 0.001 * k)
            client.writer.advise(1, 0.5)
            time.sleep(0.02)
        took = time.monotonic() - began
        assert until(lambda: plant.get("Risk") == pytest.approx(30.9))
        writes = [line for line in lines if "Risk" in line[0]]
        assert 2 <= len(writes) <= took / 0.4 + 2
        assert lines[0][1:] == (pytest.approx(25.0, abs=0.5), "Good") or lines[0][0] == "i=2258"
        assert {line[2] for line in lines if line[0] == "i=2258"} <= {"BadNotWritable", "BadUserAccessDenied", "BadTypeMismatch"}
        assert client.counters.writes_refused >= 1
        assert client.counters.withheld == 1
