"""The short form of the drills: every pair of broker, twin and fleet manager is killed once and comes back; see ``drills.py``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from drills import _judge

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

pytestmark = pytest.mark.counterpart

_RUN = (
    "import sys, json; from pathlib import Path; import drills; "
    "result = drills.run_drills(sys.argv[1], Path(sys.argv[2]), 3, 5, speed=20.0, opcua=False, longest_s=0.6); "
    "print(json.dumps(result))"
)


def test_every_pair_may_die_during_an_order(mosquitto, tmp_path):
    # a process of its own: the parties are forked, which wants a process without threads
    command = [sys.executable, "-c", _RUN, mosquitto, str(tmp_path)]
    path = {"PYTHONPATH": f"{ROOT}:{HERE}:{HERE.parent / 'bridges'}", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, env=path, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout.splitlines()[-1])
    assert (result["drills"], result["kills"]) == (3, {"broker": 2, "twin": 2, "manager": 2})
    assert (result["lost"], result["went_back"], result["began_again"], result["state_never_back"]) == (0, 0, 0, 0)
    assert result["twins"] == 3
    assert result["stops_without_a_reason"] == 0
    assert result["back_max_s"] < 20.0  # docs/vda5050.md has the figures of long runs


def test_the_judge_sees_what_must_not_happen():
    def state(t, order, at, left=1, driving=True, why=(), **actions):
        return {"t": t, "order": order, "at": at, "left": left, "driving": driving, "why": list(why), "actions": actions}

    good = [state(0, "a", 0), state(1, "a", 2, x="FINISHED"), state(2, "b", 0), state(3, "b", 2, 0, False)]
    assert _judge(good, [])["went_back"] == _judge(good, [])["began_again"] == 0
    assert _judge([*good, state(4, "a", 0)], [])["began_again"] == 1
    assert _judge([*good[:2], state(2, "a", 0, x="FINISHED")], [])["went_back"] == 1
    assert _judge([*good[:2], state(2, "a", 2, x="RUNNING")], [])["went_back"] == 1
    silent = [state(0, "a", 0), state(1, "a", 0, driving=False), state(3, "a", 0, driving=False), state(4, "a", 0)]
    assert _judge(silent, [])["stops_without_a_reason"] == 1
    told = [state(0, "a", 0), state(1, "a", 0, driving=False, why=["communication"]), state(4, "a", 0)]
    assert _judge(told, [])["stops_without_a_reason"] == 0
    assert _judge(told, [])["stops_with_a_reason"] == {"communication": 1}
    twice = [{"what": "order", "a": s} for s in ("RUNNING", "FINISHED", "RUNNING", "FINISHED")]
    assert _judge([], twice)["redone_before_anybody_was_told"] == 1


def test_the_long_runs_that_are_kept_lost_nothing():
    runs = [json.loads((HERE / name).read_text(encoding="utf-8")) for name in ("drills.json", "drills_three.json")]
    assert sum(run["drills"] for run in runs) >= 100
    assert set(runs[0]["kills"]) == {"broker", "twin", "manager", "reader"}
    assert len(runs[0]["pairs"]) == 6
    for run in runs:
        assert run["longest_outage_s"] == 60.0
        assert run["lost"] == run["went_back"] == run["began_again"] == run["state_never_back"] == 0
        assert run["back_max_s"] < 2.0
        assert run["stops_without_a_reason"] == 0


def test_every_message_of_the_run_that_is_kept_fulfils_its_schema():
    run = json.loads((HERE / "schema_run.json").read_text(encoding="utf-8"))
    assert run["wall_minutes"] >= 10
    assert run["against_the_schema"] == 0
    for version in ("v2", "v3"):
        for topic in ("order", "instantActions", "state", "visualization", "connection", "factsheet"):
            assert run["by_topic"][f"{version} {topic}"] > 0
