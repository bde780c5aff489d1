"""A recorded day once more: at any speed, up to any moment, and from there on with a change beside it.

``factory-twin replay FOLDER --speed 10 --until 600 --branch policy=human_aware --seconds 120``
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from bridges.inbox import Command
from factory.errors import UserError
from factory.kpi import collect
from factory.live_record import DAY, fingerprint
from factory.live_record_day import DayReader, RecordedDay, read_day, seconds_text
from factory.live_record_feed import DayFeed
from factory.saved_state import forget, restore, save
from factory.scenario import load_text
from factory.twin import Twin

__all__ = ["Replay", "branch_commands", "replay_command"]

_BRANCHES = {
    "policy": "set_policy",
    "stop_agv": "stop_agv",
    "release_agv": "release_agv",
    "trp_off": "switch_trp_off",
    "trp_on": "switch_trp_on",
}


class Replay:
    """A twin that is given the inputs of a recorded day.

    Parameters
    ----------
    day : what was recorded.

    Attributes
    ----------
    twin : the twin. checked : fingerprints that agreed so far. differs_us : first that did not [us], None while all agree.

    Raises
    ------
    UserError
        The scenario of the record cannot be used, or its inputs do not fit it.
    """

    def __init__(self, day: RecordedDay) -> None:
        self._day = day
        try:
            loaded = load_text(json.dumps(day.scenario), day.base)
        except UserError as error:
            raise UserError(f"{day.folder / DAY}: the scenario cannot be used: {error}") from error
        self.twin = Twin(loaded, beside_a_plant=True)
        try:
            self._feed = DayFeed(self.twin, DayReader(day.folder))
        except UserError:
            self.twin.close()
            raise
        self.checked = 0
        self.differs_us: int | None = None

    def tick(self) -> None:
        """Give what was taken at this time, and advance by one tick."""
        self._feed.begin_tick()
        self.twin.tick()
        self.twin.stops.take()  # nobody keeps a journal here, and stops that nobody takes would pile up

    def close(self) -> None:
        """Close the record, and let go of the twin."""
        self._feed.close()
        self.twin.close()

    def check(self) -> None:
        """Compare with the fingerprint of this time, where there is one."""
        expected = self._day.fingerprints.get(self.twin.time_us)
        if expected is None:
            return
        if expected == fingerprint(self.twin):
            self.checked += 1
        elif self.differs_us is None:
            self.differs_us = self.twin.time_us

    def run(self, until_us: int, speed: float = 0.0, check: bool = True, each: Callable[[], None] | None = None) -> None:
        """Run up to a time [us]; ``speed`` is twin time over wall time, 0 as fast as it goes."""
        begun, begun_us = time.monotonic(), self.twin.time_us
        while self.twin.time_us < until_us:
            self.tick()
            if check:
                self.check()
            if each is not None:
                each()
            if speed > 0:
                ahead_s = (self.twin.time_us - begun_us) / 1e6 / speed - (time.monotonic() - begun)
                if ahead_s > 0:
                    time.sleep(ahead_s)

    def branch(self, commands: Sequence[Command], seconds: float) -> tuple[dict[str, Any], dict[str, Any]]:
        """Go on for some time as recorded, and once more with commands given now; returns the figures of both.

        Both meet the same footsteps' draws and the same inputs of the day; the figures count from the day's begin.

        Raises
        ------
        UserError
            A command is refused.
        """
        state, place = save(self.twin), self._feed.keep()
        end_us = self.twin.time_us + round(seconds * 1e6)
        self.run(end_us, check=False)
        as_recorded = collect(self.twin)
        restore(state)
        self._feed.go_back(place)
        refused: list[str] = []
        for c in commands:
            told = Command(c.source, c.name, c.target, c.arguments, lambda a: None if a.done else refused.append(a.message))
            self.twin.steering.apply((told,))
        if refused:
            raise UserError("--branch: " + "; ".join(refused))
        self.run(end_us, check=False)
        changed = collect(self.twin)
        forget(state)
        return as_recorded, changed


def branch_commands(words: Sequence[str]) -> list[Command]:
    """Read ``policy=NAME``, ``stop_agv=ID``, ``release_agv=ID``, ``trp_off=NAME`` and ``trp_on=NAME``.

    Raises
    ------
    UserError
        For anything else: what a hall is made of cannot change in the middle of a day.
    """
    commands = []
    for word in words:
        key, _, value = word.partition("=")
        if key not in _BRANCHES or not value:
            raise UserError(
                f"--branch {word!r}: at a moment {', '.join(f'{k}=...' for k in _BRANCHES)} can change; what the hall is made of "
                "cannot: compare scenarios with factory-twin whatif"
            )
        arguments: tuple[tuple[str, str], ...] = (("policy", value),) if key == "policy" else ()
        commands.append(Command("replay:branch", _BRANCHES[key], "" if key == "policy" else value, arguments))
    return commands


def replay_command(
    folder: Path,
    speed: float,
    until_s: float | None,
    branch: Sequence[str],
    seconds: float,
    json_file: Path | None,
    console: Console,
) -> int:
    """Replay a folder; returns 0, or 1 where a fingerprint differs (another version of the code, or another machine)."""
    commands = branch_commands(branch)
    day = read_day(folder)
    until_us = day.end_us if until_s is None else round(until_s * 1e6)
    if not 0 <= until_us <= day.end_us:
        raise UserError(f"--until {until_s:g} s: the day in {folder} is known up to {seconds_text(day.end_us)}")
    if json_file is not None and json_file.exists():
        raise UserError(f"{json_file} exists already; choose another file with --json")
    replay = Replay(day)
    try:
        replay.run(until_us, speed)
        console.print(f"replayed {seconds_text(replay.twin.time_us)}; {replay.checked} fingerprints agree", soft_wrap=True)
        if replay.differs_us is not None:
            console.print(f"the first that does not: {seconds_text(replay.differs_us)}; was it recorded by other code?")
            return 1
        result: dict[str, Any] = {"time_s": replay.twin.time_us / 1e6}
        if commands:
            result["as_recorded"], result["branch"] = replay.branch(commands, seconds)
            for name in ("as_recorded", "branch"):
                for service in result[name]["services"]:
                    console.print(f"{name}: {service['name']}: {service.get('lost', 0)} of {service['messages']} messages lost")
        else:
            result["kpi"] = collect(replay.twin)
        if json_file is not None:
            json_file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    finally:
        replay.close()
    return 0
