"""A recorded day is replayed bit by bit, can be cut off, and branched."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from rich.console import Console

from bridges.inbox import Command
from factory.errors import UserError
from factory.live_record import LiveRecord, fingerprint
from factory.live_record_day import DayReader, read_day
from factory.live_record_replay import Replay, branch_commands, replay_command
from factory.scenario import load_scenario
from factory.twin import Twin


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Record two seconds of the small hall with inputs, one of them refused."""
    folder = tmp_path_factory.mktemp("day") / "record"
    twin = Twin(load_scenario("small", ["seed=5"]))
    record = LiveRecord(folder, twin)
    record.begin()
    for tick in range(200):
        if tick == 40:
            twin.inbox.put(Command("test", "stop_agv", twin.devices[0]))
            twin.inbox.put(Command("test", "set_policy", "", (("policy", "static"),)))
        if tick == 90:
            twin.inbox.put(Command("test", "stop_agv", "nobody"))
            twin.inbox.put(Command("test", "pause"))
            twin.inbox.put(Command("test", "resume"))
        twin.tick()
    record.close()
    last = fingerprint(twin)
    twin.close()
    return folder, last


def test_replay_is_the_day_bit_by_bit(day: tuple[Path, str]) -> None:
    folder, last = day
    recorded = read_day(folder)
    assert recorded.whole
    with closing(DayReader(folder)) as reader:
        rows = [(row.t, row.kind) for row in reader.up_to(1_900_000)]
    assert rows == [(400_000, "command")] * 2 + [(900_000, "command")] * 3 + [(1_000_000, "reached")]
    replay = Replay(recorded)
    replay.run(recorded.end_us)
    assert replay.checked == 1
    assert replay.differs_us is None
    assert fingerprint(replay.twin) == last
    replay.close()


def test_replay_without_an_input_is_another_day(day: tuple[Path, str], tmp_path: Path) -> None:
    folder, _ = day
    for name in ("day.json", "inputs.jsonl"):
        lines = (folder / name).read_text(encoding="utf-8").splitlines(keepends=True)
        (tmp_path / name).write_text("".join(x for x in lines if '"set_policy"' not in x), encoding="utf-8")
    assert replay_command(tmp_path, 0.0, None, [], 1.0, None, Console(quiet=True)) == 1


def test_a_killed_twin_leaves_what_it_took(day: tuple[Path, str], tmp_path: Path) -> None:
    folder, _ = day
    (tmp_path / "day.json").write_bytes((folder / "day.json").read_bytes())
    text = (folder / "inputs.jsonl").read_text(encoding="utf-8")
    (tmp_path / "inputs.jsonl").write_text(text[:-20], encoding="utf-8")
    cut = read_day(tmp_path)
    assert not cut.whole
    assert (cut.rows, cut.end_us) == (5, 1_000_000)  # the end was cut off


def test_branch_differs_and_the_record_does_not(day: tuple[Path, str]) -> None:
    folder, last = day
    replay = Replay(read_day(folder))
    replay.run(1_500_000)
    recorded, changed = replay.branch(branch_commands(["policy=duplicate"]), 0.5)
    assert recorded["acting_policy"] == "static"
    assert changed["acting_policy"] == "duplicate"
    assert fingerprint(replay.twin) != last
    replay.close()


def test_what_cannot_be_is_said(day: tuple[Path, str]) -> None:
    folder, _ = day
    with pytest.raises(UserError, match="whatif"):
        branch_commands(["people.count=30"])
    with pytest.raises(UserError, match=r"known up to 2\.00 s"):
        replay_command(folder, 0.0, 99.0, [], 1.0, None, Console(quiet=True))
    twin = Twin(load_scenario("small", []))
    with pytest.raises(UserError, match="exists already"):
        LiveRecord(folder, twin)
    twin.close()
