"""The file of a record: killed, on a bad disk, in a copied process, and damaged afterwards."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridges.inbox import Command
from factory.errors import UserError
from factory.live_record import FORMAT, LiveRecord
from factory.live_record_day import read_day
from factory.live_record_file import LineFile
from factory.live_record_replay import Replay
from factory.live_record_rows import TagsRow, numbers, read_row
from factory.scenario import load_scenario
from factory.twin import Twin

WRITER = """
import sys, time
from pathlib import Path
from factory.live_record_file import LineFile
file = LineFile(Path(sys.argv[1]))
for k in range(10**9):
    file.put(b'%d\\n' % k)
    time.sleep(0.001)
"""


def test_who_is_killed_loses_no_more_than_the_last_moment(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    root = Path(__file__).resolve().parents[2]
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], cwd=root, env={**os.environ, "PYTHONPATH": str(root)})
    try:
        deadline = time.monotonic() + 120
        while not path.exists() or path.stat().st_size < 2000:
            assert time.monotonic() < deadline
            assert writer.poll() is None
            time.sleep(0.02)
    finally:
        writer.send_signal(signal.SIGKILL)
        writer.wait(30)
    text = path.read_text()
    assert text == "".join(f"{k}\n" for k in range(text.count("\n")))
    assert path.stat().st_mode & 0o077 == 0


def test_a_copy_of_the_process_writes_nothing(tmp_path: Path) -> None:
    file = LineFile(tmp_path / "lines")
    file.put(b"ours\n")
    child = os.fork()
    if child == 0:
        file.put(b"the child's\n")
        file.close()
        os._exit(0)
    os.waitpid(child, 0)
    file.put(b"ours too\n")
    file.close()
    assert (tmp_path / "lines").read_text() == "ours\nours too\n"
    assert not file.put(b"after the end\n")


def test_what_waits_for_a_slow_disk_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = time.monotonic()

    def slow(fd: int, data: bytes) -> int:
        while not file.fault and time.monotonic() - begun < 60:
            time.sleep(0.01)
        return len(data)

    monkeypatch.setattr("factory.live_record_file.os.write", slow)
    file = LineFile(tmp_path / "lines", waiting_bytes=200_000)
    taken = sum(file.put(bytes(1000)) for _ in range(10_000))
    assert taken < 10_000
    assert "the disk is too slow" in file.fault
    file.close()


def test_a_full_disk_ends_the_record_and_not_the_twin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    twin = Twin(load_scenario("small", ["radio.enabled=false"]))
    record = LiveRecord(tmp_path / "day", twin)
    record.begin()
    try:
        twin.inbox.put(Command("test", "stop_agv", "agv-01"))
        twin.tick()
        deadline = time.monotonic() + 60
        while not record._file.written_bytes:
            assert time.monotonic() < deadline
            time.sleep(0.01)

        def full(fd: int, data: bytes) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr("factory.live_record_file.os.write", full)
        while not record.fault:
            assert time.monotonic() < deadline
            twin.inbox.put(Command("test", "release_agv", "agv-01"))
            twin.tick()
            time.sleep(0.01)
        assert "No space left on device; the record ends there, the twin goes on" in record.fault
    finally:
        record.close()
        twin.close()
    day = read_day(tmp_path / "day")
    assert (day.rows, day.whole) == (1, False)


@settings(deadline=None, derandomize=True)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5))
def test_numbers_come_back_bit_by_bit(values: list[float]) -> None:
    n = len(values)
    ones = [1.0] * n
    row = TagsRow.model_construct(
        t=0, epoch=1, tag=[2**63 - 1] * n, measured_s=values, x_m=numbers(values), y_m=numbers(values), accuracy_m=ones,
        provider=[0] * n,
    )  # fmt: skip
    back = read_row(row.model_dump_json().encode())
    assert isinstance(back, TagsRow)
    assert [v.hex() for v in back.measured_s] == [v.hex() for v in values]
    assert back.observations().position_m[:, 0].tolist() == values
    assert back.tag == [2**63 - 1] * n


PLANT = [
    "live.people_from=tags", "bridges.tags.enabled=true", "bridges.mqtt.enabled=true", "live.agvs_from=vda5050",
    "bridges.vda5050.real=[{manufacturer: acme, serial_number: s1, version: 2.1.0, twin: agv-02}]",
    "bridges.radio_reports.enabled=true", "live.recalibration.enabled=true", "radio.enabled=false",
]  # fmt: skip
TAGS = {"t": 0, "kind": "tags", "epoch": 1, "tag": [1], "measured_s": [1.0], "x_m": [1.0], "y_m": [1.0], "accuracy_m": [0.1],
        "provider": [0]}  # fmt: skip
AGVS = {"t": 0, "kind": "agvs", "online": [True], "row": [0], "measured_s": [1.0], "x_m": [1.0], "y_m": [1.0],
        "heading_rad": [0.0], "vx_mps": [None], "vy_mps": [None], "turn_radps": [None], "driving": [True]}  # fmt: skip
RADIO = {"t": 0, "kind": "radio", "ue": [0], "trp": [0], "measured_s": [1.0], "rsrp_dbm": [-80.0], "sinr_db": [None]}
MAPPED = {"t": 0, "kind": "mapped", "now_s": 1.0, "row": [0], "value": [1.0], "quality": [0], "measured_s": [1.0]}
PRINT = {"t": 0, "kind": "fingerprint", "value": "x"}


def folder_with(folder: Path, *rows: object, **day: object) -> Path:
    """Write a record with these rows after a sound one."""
    scenario = load_scenario("small", PLANT)
    head = {"format": FORMAT, "scenario": scenario.scenario.model_dump(mode="json"), "base": str(scenario.path), **day}
    (folder / "day.json").write_text(json.dumps(head))
    lines = [row if isinstance(row, str) else json.dumps(row) for row in (PRINT, *rows)]
    (folder / "inputs.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return folder


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("{broken", "Invalid JSON"),
        ("[" * 10_000, "Invalid JSON"),
        ("5", "should be an object"),
        ({"t": 0}, "kind"),
        ({**PRINT, "kind": "song"}, "song"),
        ({**PRINT, "t": -1}, "fingerprint.t: .*found '-1'"),
        ({**PRINT, "t": "0"}, "fingerprint.t: "),
        ({**TAGS, "x_m": [1.0, 2.0]}, "its lists differ in length: tag has 1, measured_s has 1, x_m has 2"),
        ({**TAGS, "accuracy_m": [0.0]}, "tags.accuracy_m.0: .*greater than 0"),
        ({**TAGS, "tag": [2**63]}, "tags.tag.0"),
        ({**TAGS, "name": "anna"}, "tags.name: Extra inputs"),
        (json.dumps({**TAGS, "measured_s": [float("inf")]}), "tags.measured_s.0: .*finite"),
        ({"t": 0, "kind": "command", "name": "pause"}, "command.source: Field required"),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, row: object, says: str) -> None:
    with pytest.raises(UserError, match=r"inputs\.jsonl:3: .*" + says):
        read_day(folder_with(tmp_path, PRINT, row))


def test_times_go_on_and_nothing_follows_the_end(tmp_path: Path) -> None:
    end = {**PRINT, "kind": "end", "t": 20_000}
    with pytest.raises(UserError, match=r"inputs\.jsonl:3: time 10000 us goes back; 20000 us was before it"):
        read_day(folder_with(tmp_path, {**PRINT, "t": 20_000}, {**PRINT, "t": 10_000}))
    with pytest.raises(UserError, match=r"inputs\.jsonl:3: nothing may follow the end"):
        read_day(folder_with(tmp_path, end, end))


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({**AGVS, "row": [1]}, "agvs.row: the scenario of the record has 1 of these"),
        ({**AGVS, "online": [True, True]}, "agvs.online: "),
        ({**RADIO, "ue": [999]}, "radio.ue: the scenario of the record has"),
        ({**RADIO, "trp": [-1]}, "radio.trp: the scenario of the record has 2"),
        (MAPPED, "mapped.row: the scenario of the record has 0"),
        ({"t": 0, "kind": "recalled", "orders": {}}, "recalled: AGVs of this scenario take no orders"),
    ],
)
def test_inputs_that_do_not_fit_the_scenario_are_named(tmp_path: Path, row: object, says: str) -> None:
    replay = Replay(read_day(folder_with(tmp_path, row)))
    try:
        with pytest.raises(UserError, match=r"inputs\.jsonl:2: " + says):
            replay.tick()
    finally:
        replay.close()


@pytest.mark.parametrize(
    ("day", "says"),
    [
        ({"format": 1}, "format 1; format 2 is read. Record the day again"),
        ({"scenario": None}, "scenario: 'None'; it holds the scenario"),
        ({"base": 5}, "base: '5'; it holds"),
    ],
)
def test_the_head_of_a_record_is_checked(tmp_path: Path, day: dict[str, object], says: str) -> None:
    with pytest.raises(UserError, match=r"day\.json: " + says):
        read_day(folder_with(tmp_path, **day))
    (tmp_path / "day.json").write_text("[]")
    with pytest.raises(UserError, match=r"day\.json: format \[\]"):
        read_day(tmp_path)


def test_the_command_line_tells_a_bad_record_and_ends_with_2(tmp_path: Path) -> None:
    folder_with(tmp_path, {**TAGS, "tag": ["anna"]})
    root = Path(__file__).resolve().parents[2]
    command, env = [sys.executable, "-m", "factory.cli", "replay", str(tmp_path)], {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "inputs.jsonl:2: tags.tag.0: " in done.stderr
    assert "Traceback" not in done.stderr
    scenario = load_scenario("small", PLANT).scenario.model_dump(mode="json") | {"seed": -1}
    with pytest.raises(UserError, match=r"day\.json: the scenario cannot be used: .*seed"):
        Replay(read_day(folder_with(tmp_path, scenario=scenario)))
