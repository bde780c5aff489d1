"""Controllers of other makers feed the twin: node-opcua's server, and that of the older Python package ``opcua``.

How fast values are back after a power cut is told by ``plants.py``: on a busy machine seconds say little, so here they only
have to be back.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import HERE, require
from plants import MAKERS, USER, Plant, following, joint, kill_and_return, mapping_text, password_login, trust, until

from bridges.opcua.certificate import load_or_make

pytestmark = pytest.mark.counterpart

ROOT = HERE.parents[1]


@pytest.fixture(scope="module")
def user(tmp_path_factory):
    """Return a certificate that node-opcua's server knows as a user's."""
    return load_or_make(tmp_path_factory.mktemp("user"), "127.0.0.1")


@pytest.fixture(scope="module", params=MAKERS)
def maker(request):
    if request.param == "node-opcua":
        request.getfixturevalue("node_opcua")
        require((HERE / "node_modules" / "node-opcua-server").is_dir(), "node-opcua-server")
    else:
        pytest.importorskip("opcua", reason="the package opcua is in the test extra", exc_type=ImportError)
    return request.param


@pytest.fixture(scope="module")
def plant(maker, user, tmp_path_factory):
    with Plant(maker, tmp_path_factory.mktemp("plant"), Path(user.certificate)) as running:
        yield running


@pytest.fixture(scope="module")
def folder(maker, plant, tmp_path_factory):
    """Return a folder whose client trusts the controller: refused once, then moved to the trusted ones."""
    made = tmp_path_factory.mktemp("twin")
    with following(made, mapping_text(plant.url, password_login(made))) as (client, _, _):
        trust(made / "own", client)
        assert client.wait_connected(60), client.problem
    return made


def test_values_follow_and_advice_comes_back(plant, folder):
    with following(folder, mapping_text(plant.url, password_login(folder), advice=True)) as (client, values, audit):
        assert client.wait_connected(60), client.problem
        assert until(lambda: not values.take(time.time()).stale[:8].any())
        assert [joint(values, j) for j in range(1, 8)] == pytest.approx([10.0 * j for j in range(1, 8)])
        plant.set("A3", -45.0)
        assert until(lambda: joint(values, 3) == pytest.approx(-45.0))
        plant.set("Running", False)
        assert until(lambda: values.take(time.time()).value[7] == 0.0)
        client.writer.advise(client.writer.entries[0].row, 0.25)
        assert until(lambda: plant.get("Risk") == pytest.approx(25.0))
        assert until(lambda: [line[2] for line in audit] == ["Good"]), "the answer to the write comes after the write"
        plant.set("A3", 30.0)
        plant.set("Running", True)


def test_a_wrong_password_is_refused(plant, folder):
    login = password_login(folder)
    (folder / "password").write_text("another-word\n")
    with following(folder, mapping_text(plant.url, login)) as (client, _, _):
        assert until(lambda: client.problem != "")
        assert not client.connected
        assert "denied" in client.problem.lower() or "BadUserAccessDenied" in client.problem


def test_a_login_by_certificate(maker, plant, folder, user, tmp_path):
    """The server of ``opcua`` looks at no certificate of a user, so only node-opcua's can refuse one."""
    if maker == "opcua":
        pytest.skip("the server of opcua 0.98.13 looks at tokens with a user name alone (its internal_server.py)")
    stranger = load_or_make(tmp_path / "stranger", "127.0.0.1")

    def login(who):
        return f"    user_certificate_file: {who.certificate}\n    user_key_file: {who.private_key}\n"

    with following(folder, mapping_text(plant.url, login(user))) as (client, values, _):
        assert client.wait_connected(60), client.problem
        assert until(lambda: joint(values, 2) == pytest.approx(20.0))
    with following(folder, mapping_text(plant.url, login(stranger))) as (client, _, _):
        assert until(lambda: client.problem != "")
        assert not client.connected
        assert "Bad" in client.problem or "denied" in client.problem.lower()


def twin(folder, *words):
    """Run factory-twin as its user does; return exit code and what it said."""
    code = "import sys; from factory.cli import main; sys.exit(main())"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


def test_a_first_mapping_from_the_command_line(maker, plant, tmp_path):
    if maker != "node-opcua":
        pytest.skip("done with node-opcua's server; the commands are the same")
    password_login(tmp_path)
    browse = ("map", "browse", plant.url, *"--out cell.yaml --scenario small --password-file password --user".split(), USER)
    code, said = twin(tmp_path, *browse)
    assert code == 2
    assert "is not trusted" in said
    own = tmp_path / "state" / "opcua-client"
    (rejected,) = (own / "rejected").iterdir()
    rejected.rename(own / "trusted" / rejected.name)
    code, said = twin(tmp_path, *browse)
    assert code == 0, said
    assert "cell.yaml: 8 of " in said, said
    text = (tmp_path / "cell.yaml").read_text()
    assert text.count("# guess: cobot-1 / A") == 7
    assert "machines.cobot-1.running" in text
    check = ("map", "check", "cell.yaml", "small", "--dry-run", "--seconds", "3")
    code, said = twin(tmp_path, *check)
    assert code == 1, "the controller has degrees, which nothing but a person can know"
    (tmp_path / "cell.yaml").write_text(text.replace("unit: 'rad'", "unit: deg"))
    code, said = twin(tmp_path, *check)
    assert code == 0, said
    assert "cobots.cobot-1.joint_7" in said
    assert "1.222" in said  # 70 degrees


def test_values_are_back_after_a_power_cut(plant, folder):
    with following(folder, mapping_text(plant.url, password_login(folder))) as (client, values, _):
        assert client.wait_connected(60), client.problem
        assert until(lambda: joint(values, 7) == pytest.approx(70.0))
        kill_and_return(plant, client, values, 77.0)
        assert client.counters.connections == 2
        assert client.counters.restarts == 1
