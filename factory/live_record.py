"""A live day on disk: everything that crossed the inbox, with the tick it was taken at, and fingerprints of what came of it.

A twin is a function of its scenario, its seed and its inputs. So a folder with these three is the whole day; the same code
replays it bit by bit, and the fingerprints tell whether it did.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from bridges.inbox import Command
from factory.errors import UserError
from factory.twin import Twin

__all__ = ["FINGERPRINT_US", "LiveRecord", "RecordedDay", "fingerprint", "read_day"]

FINGERPRINT_US = 10_000_000
_FORMAT = 1
_DAY, _INPUTS = "day.json", "inputs.jsonl"


def fingerprint(twin: Twin) -> str:
    """Return a hash over where everybody and everything is, and over the figures of every service, bit by bit."""
    digest = hashlib.blake2b(digest_size=16)
    parts: list[np.ndarray] = [
        twin.agvs.position_m,
        twin.agvs.heading_rad,
        twin.cobot_state.joint_target_rad,
        twin.people.position_m,
    ]
    parts += [table for network in twin.networks for table in network.kpi.totals]
    for part in parts:
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


class LiveRecord:
    """Writes a folder while a twin runs.

    Parameters
    ----------
    folder : to be made; must not exist yet. twin : fresh, before its first tick. Its inbox is watched from now on.

    Raises
    ------
    UserError
        The folder exists or cannot be made, or the twin has run already.
    """

    def __init__(self, folder: Path, twin: Twin) -> None:
        if twin.time_us:
            raise UserError(f"a record begins with the day; this twin stands at {twin.time_us / 1e6:.2f} s already")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            raise UserError(f"{folder} exists already; choose another folder with --record or remove it") from None
        except OSError as error:
            raise UserError(f"{folder} cannot be made: {error.strerror}") from error
        day = {"format": _FORMAT, "scenario": twin.loaded.scenario.model_dump(mode="json"), "sha256": twin.loaded.sha256}
        day["base"] = str(twin.loaded.path)
        (folder / _DAY).write_text(json.dumps(day, indent=1) + "\n", encoding="utf-8")
        self._file: TextIO = (folder / _INPUTS).open("w", encoding="utf-8")
        self._twin, self._drain = twin, twin.inbox.drain
        self.written, self._printed_us = 0, 0
        twin.inbox.drain = self._taken  # type: ignore[method-assign]

    def close(self) -> None:
        """Write the end of the day, and let go of the inbox."""
        self._line({"t": self._twin.time_us, "fingerprint": fingerprint(self._twin), "end": True})
        self._file.close()
        self._twin.inbox.drain = self._drain  # type: ignore[method-assign]

    def _taken(self) -> tuple[Command, ...]:
        now_us = self._twin.time_us
        if now_us % FINGERPRINT_US == 0 and now_us != self._printed_us:
            self._printed_us = now_us
            self._line({"t": now_us, "fingerprint": fingerprint(self._twin)})
        commands = self._drain()
        for c in commands:
            row: dict[str, Any] = {"t": now_us, "source": c.source, "name": c.name, "target": c.target}
            row |= {"arguments": c.arguments, "payload": None if c.payload is None else dict(c.payload)}
            self._line(row)
        return commands

    def _line(self, row: dict[str, Any]) -> None:
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()  # a twin that is killed leaves what it took
        self.written += 1


@dataclass(frozen=True)
class RecordedDay:
    """A day as it was recorded.

    Attributes
    ----------
    scenario : the scenario as JSON values. base : file it was read from, where relative paths in it begin.
    inputs : commands and the time of the tick that took them [us], in order.
    fingerprints : by time [us]. end_us : last time that is known of the day [us]. whole : whether its end was written.
    """

    scenario: dict[str, Any]
    base: Path
    inputs: tuple[tuple[int, Command], ...]
    fingerprints: dict[int, str]
    end_us: int
    whole: bool


def read_day(folder: Path) -> RecordedDay:
    """Read a folder; a last line that was cut off by a kill is left out.

    Raises
    ------
    UserError
        A file is absent or damaged; it says where.
    """
    try:
        day = json.loads((folder / _DAY).read_text(encoding="utf-8"))
        lines = (folder / _INPUTS).read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise UserError(f"{folder} is no record of live: {error.filename}: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{folder / _DAY} is damaged: {error}") from error
    if not isinstance(day, dict) or day.get("format") != _FORMAT:
        raise UserError(f"{folder / _DAY}: format {_FORMAT} is read; record the day again with this version")
    inputs: list[tuple[int, Command]] = []
    prints: dict[int, str] = {}
    end_us, whole = 0, False
    for number, row in _rows(folder / _INPUTS, lines):
        try:
            t = int(row["t"])
            if "fingerprint" in row:
                prints[t], whole = str(row["fingerprint"]), bool(row.get("end"))
            else:
                arguments = tuple((str(k), v) for k, v in row["arguments"])
                command = Command(row["source"], row["name"], row["target"], arguments, None, row["payload"])
                inputs.append((t, command))
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{folder / _INPUTS}:{number}: no input and no fingerprint ({error})") from error
        if t < end_us:
            raise UserError(f"{folder / _INPUTS}:{number}: time {t} us goes back; {end_us} us was before it")
        end_us = t
    return RecordedDay(day["scenario"], Path(day["base"]), tuple(inputs), prints, end_us, whole)


def _rows(path: Path, lines: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            if number == len(lines):  # cut off: no newline behind it
                return
            raise UserError(f"{path}:{number}: no JSON ({error}); the file was damaged after it was written") from error
        if not isinstance(row, dict):
            raise UserError(f"{path}:{number}: {line[:40]!r} is no input")
        yield number, row


def seconds_text(time_us: float) -> str:
    """Write a time of the day in s, for messages."""
    return "the end" if math.isinf(time_us) else f"{time_us / 1e6:.2f} s"
