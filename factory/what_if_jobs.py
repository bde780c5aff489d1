"""What-if from here: the present and a changed present, run ahead side by side in a child process, and what the pairs say.

Both futures of a seed begin in the same state with the same draws (common random numbers), so what differs between them is the
change and what came of it. Where a state cannot take a change both begin with the scenario; the answer says which it was.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from bridges.inbox import Command
from bridges.what_if_limits import CHANGE_CHARS, CHANGES_MOST, SECONDS, SEEDS, TOTAL_S
from factory.child_jobs import LIMIT_S, ChildJobs, JobError, Json, Teller
from factory.radio_map import MapSpec, radio_map
from factory.twin import Twin


class WhatIfJobs:
    """Answers what a change would come to, and draws radio maps, in child processes.

    Parameters
    ----------
    twin : the running twin; every call is made on the thread of its tick.
    limit_s : time on the wall clock that a job may take [s].
    """

    def __init__(self, twin: Twin, limit_s: float = LIMIT_S) -> None:
        self._twin, self.jobs = twin, ChildJobs(limit_s)
        self._does = {
            "start_whatif": self._start_whatif,
            "read_whatif": self._read,
            "read_job": self._read,
            "cancel_job": self._cancel,
            "start_radio_map": self._start_map,
        }

    def start(self, changes: list[str], seconds: float, seeds: int = 1, from_state: bool = True) -> int:
        """Start a job; returns its number at once.

        Parameters
        ----------
        changes : texts ``key=value`` as of ``--set``, for example ``radio.trps[1].position_m=[12, 4, 5]``.
        seconds : twin time of every future [s], 1 to 600.
        seeds : pairs of futures, 1 to 16; of one pair there is no interval.
        from_state : begin at the present moment where the change allows it, else with the scenario.

        Raises
        ------
        UserError
            For limits, and where two jobs are running. A change that is none, or that the scenario refuses, is found out in the
        child, for validation takes longer than a tick: the job then ends as ``failed`` with the reason.
        """
        _check(changes, seconds, seeds)
        twin, asked = self._twin, list(changes)

        def work(teller: Teller) -> Json:
            from factory.what_if_run import what_if

            return what_if(twin, asked, seconds, seeds, from_state, teller)

        about: Json = {
            "changes": asked,
            "seconds": seconds,
            "seeds": seeds,
            "from": "present",
            "from_us": twin.time_us,
            "why": "",
        }
        return self.jobs.start("whatif", about, work).id

    def status(self, number: int) -> Json:
        """Return progress and, once it is there, the card. Raises :class:`JobError` where there is no such job."""
        read: Json = json.loads(self.jobs.read(number).to_json_text())
        return read

    def map(self, spec: MapSpec) -> int:
        """Start a radio map of the present; returns the job's number at once.

        Raises
        ------
        JobError
            Where it cannot be computed, and where two jobs are running.
        """
        twin = self._twin
        spec.check(twin)
        about: Json = {"height_m": spec.height_m, "cell_m": spec.cell_m, "device": spec.kind, "draws": spec.draws}
        return self.jobs.start("radio_map", about | {"from_us": twin.time_us}, lambda teller: radio_map(twin, spec, teller)).id

    def close(self) -> None:
        """Stop all jobs."""
        self.jobs.close()

    def carry_out(self, word: str, command: Command) -> str:
        """Carry a command out; the answer is the job as JSON.

        ``start_whatif`` takes changes (a list, or a text with one a line or a JSON list), seconds, seeds, from_state;
        ``start_radio_map`` height_m, cell_m, device, draws; ``read_whatif``, ``read_job`` and ``cancel_job`` take job.

        Raises
        ------
        UserError
            Where it cannot be carried out.
        """
        given = dict(command.arguments) | dict(command.payload or {})
        if command.target:
            given.setdefault("job", command.target)
        return self.jobs.read(self._does[word](given)).to_json_text()

    def _start_whatif(self, given: Mapping[str, Any]) -> int:
        changes = given.get("changes")
        if isinstance(changes, str):
            changes = _listed(changes)
        if not isinstance(changes, list | tuple) or not all(isinstance(c, str) for c in changes):
            raise JobError(f"changes {changes!r}: give a list of texts KEY=VALUE, for example radio.policy=reactive")
        seconds, seeds = _number(given, "seconds", 60.0), _whole(given, "seeds", 1)
        return self.start(list(changes), seconds, seeds, given.get("from_state", True) is not False)

    def _start_map(self, given: Mapping[str, Any]) -> int:
        spec = MapSpec(
            _number(given, "height_m", 1.0),
            _number(given, "cell_m", 0.5),
            str(given.get("device", "agv")),
            _whole(given, "draws", 0),
        )
        return self.map(spec)

    def _read(self, given: Mapping[str, Any]) -> int:
        return self.jobs.read(self._job(given)).id

    def _cancel(self, given: Mapping[str, Any]) -> int:
        return self.jobs.cancel(self._job(given)).id

    @staticmethod
    def _job(given: Mapping[str, Any]) -> int:
        number = given.get("job")
        try:
            return int(number)  # type: ignore[arg-type]  # whatever was given
        except (TypeError, ValueError, OverflowError):
            raise JobError(f"job {number!r}: give the number of a job that was started") from None


def _number(given: Mapping[str, Any], name: str, default: float) -> float:
    value = given.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise JobError(f"{name} {value!r}: give a number")
    return float(value)


def _whole(given: Mapping[str, Any], name: str, default: int) -> int:
    value = _number(given, name, default)
    if value != int(value):
        raise JobError(f"{name} {value:g}: give a whole number")
    return int(value)


def _listed(text: str) -> list[str]:
    """Return the changes of a text: a JSON list, or one change a line."""
    if text.lstrip().startswith("["):
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if isinstance(found, list) and all(isinstance(c, str) for c in found):
            return found
    return [line.strip() for line in text.splitlines() if line.strip()]


def _check(changes: list[str], seconds: float, seeds: int) -> None:
    if not changes:
        raise JobError("no change is given; write KEY=VALUE, for example radio.policy=reactive")
    if len(changes) > CHANGES_MOST or max(map(len, changes)) > CHANGE_CHARS:
        raise JobError(f"{len(changes)} changes: at most {CHANGES_MOST} of at most {CHANGE_CHARS} characters are taken")
    if not SECONDS[0] <= seconds <= SECONDS[1]:
        raise JobError(f"seconds {seconds:g}: give {SECONDS[0]:g} to {SECONDS[1]:g} s of twin time")
    if not SEEDS[0] <= seeds <= SEEDS[1]:
        raise JobError(f"seeds {seeds}: give {SEEDS[0]} to {SEEDS[1]}")
    if 2 * seconds * seeds > TOTAL_S:
        raise JobError(f"2 x {seeds} futures of {seconds:g} s are {2 * seconds * seeds:g} s; {TOTAL_S:g} s are the most of a job")
