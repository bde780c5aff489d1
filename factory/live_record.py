"""A live day on disk: everything that came in, with the tick that took it, and fingerprints of what came of it.

A twin is a function of its scenario, its seed and its inputs: commands, orders that it goes on with, and what it observes of its
plant (tags, AGVs, radio measurements, mapped values, the plant's clock). So a folder with these is the whole day; the same code
replays it bit by bit, and the fingerprints tell whether it did.

Nobody is named in it. People are where their tags were, under the pseudonyms of the live twin, whose key is never written down;
of who gave a command only the bridge is kept.
"""

from __future__ import annotations

import hashlib
import json
import logging
import zlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bridges.inbox import Answer, Command
from bridges.mapping_values import CameIn
from bridges.radio_reports import RadioReadings
from bridges.tags import TagObservations
from bridges.vda5050.shadow import AgvObservations
from factory.errors import UserError
from factory.live_modes import ACT_SOURCE
from factory.live_people import PlantClock
from factory.live_record_file import LineFile
from factory.live_record_rows import (
    AgvsRow,
    ClockRow,
    CommandRow,
    EndRow,
    MappedRow,
    PrintRow,
    RadioRow,
    ReachedRow,
    RecalledRow,
    Row,
    TagsRow,
    numbers,
)
from factory.steering import JOB_WORDS
from factory.twin import Twin

__all__ = ["DAY", "FINGERPRINT_US", "FORMAT", "INPUTS", "LiveRecord", "fingerprint"]

_log = logging.getLogger(__name__)

FINGERPRINT_US = 10_000_000
_REACHED_US = 1_000_000
FORMAT = 2
DAY, INPUTS = "day.json", "inputs.jsonl"
_PATHS = ("people.replay", "bridges.mapping.file")
_PROVIDERS = 100  # kinds of location systems that are told apart


def fingerprint(twin: Twin) -> str:
    """Return a hash over where everybody and everything is, and over the figures of every service, bit by bit.

    The figures are many megabytes, so they go in as checksums of 32 bits: four times as fast, and a tick is not late for it.
    """
    digest = hashlib.blake2b(digest_size=16)
    agvs, people = twin.agvs, twin.people
    parts: list[np.ndarray] = [
        agvs.position_m, agvs.heading_rad, agvs.speed_mps, agvs.mode, twin.cobot_state.joint_target_rad,
        people.present, people.position_m, people.heading_rad,
    ]  # fmt: skip
    for part in parts:
        digest.update(np.ascontiguousarray(part).data)
    for table in (table for network in twin.networks for table in network.kpi.totals):
        digest.update(zlib.crc32(np.ascontiguousarray(table).data).to_bytes(4, "big"))
    return digest.hexdigest()


class LiveRecord:
    """Writes a folder while a twin runs.

    Parameters
    ----------
    folder : to be made; must not exist yet. twin : fresh, before its first tick.

    Attributes
    ----------
    fault : why the record has ended before the day, "" while it has not.

    Raises
    ------
    UserError
        The folder exists or cannot be made, or the twin has run already.
    """

    def __init__(self, folder: Path, twin: Twin) -> None:
        if twin.time_us:
            raise UserError(f"a record begins with the day; this twin stands at {twin.time_us / 1e6:.2f} s already")
        try:
            folder.mkdir(mode=0o700, parents=True)
        except FileExistsError:
            raise UserError(f"{folder} exists already; choose another folder with --record or remove it") from None
        except OSError as error:
            raise UserError(f"{folder} cannot be made: {error.strerror}") from error
        day = {"format": FORMAT, "scenario": _scenario(twin), "sha256": twin.loaded.sha256}
        day["base"] = str(twin.loaded.path)
        try:
            (folder / DAY).write_text(json.dumps(day, indent=1) + "\n", encoding="utf-8")
            self._file = LineFile(folder / INPUTS)
        except OSError as error:
            raise UserError(f"{folder} cannot be written: {error.strerror}") from error
        self._folder, self._twin = folder, twin
        self.fault = ""
        self._told_us = 0
        self._acts: list[CommandRow] | None = None
        self._clock = PlantClock()
        self._clock_told = False
        self._online: list[bool] | None = None
        self._heard_s = np.zeros(0)
        self._heard: list[float | None] | None = None
        self._providers: dict[str, int] = {}
        self._undo: list[Callable[[], None]] = []

    def begin(self, recalled: dict[str, Any] | None = None) -> None:
        """Watch everything that comes in from now on; call it when the plant is connected, before the first tick.

        Parameters
        ----------
        recalled : orders of a twin before this one that the AGVs go on with, None where there are none.
        """
        twin, live, observed = self._twin, self._twin.live, self._twin.observed
        if recalled is not None:
            self._put(RecalledRow(t=0, orders=recalled))
        self._tap(twin.steering, "apply", self._applied)
        if live is not None:
            self._tap(live, "now", self._now)
            if live.people is not None:
                self._tap(live.people, "drain", self._tags)
            if live.agvs is not None:
                self._tap(live.agvs, "observe", self._agvs)
            if live.radio is not None:
                self._tap(live.radio, "drain", self._radio)
        if observed is not None:
            self._tap(observed, "take", self._mapped)

    def close(self) -> None:
        """Write the end of the day, and let go of the twin."""
        self._put(EndRow(t=self._twin.time_us, value=fingerprint(self._twin)))
        for undo in reversed(self._undo):
            undo()
        self._undo.clear()
        self._file.close()
        self._note_fault()

    def abandon(self) -> None:
        """Remove a record of a day that did not begin."""
        self._file.close()
        for name in (DAY, INPUTS):
            (self._folder / name).unlink(missing_ok=True)
        self._folder.rmdir()

    def _tap(self, owner: Any, name: str, tap: Callable[..., Any]) -> None:
        """Put ``tap`` before what an attribute does; it is called with that first."""
        inner = getattr(owner, name)
        setattr(owner, name, lambda *given: tap(inner, *given))
        self._undo.append(lambda: setattr(owner, name, inner))

    def _put(self, row: Row) -> None:
        if self.fault:
            return
        try:
            self._file.put(row.model_dump_json().encode() + b"\n")
        except ValueError as error:  # text that is no Unicode
            self._file.fault = f"an input cannot be written: {error}"
        self._note_fault()

    def _note_fault(self) -> None:
        if self._file.fault and not self.fault:
            self.fault = f"{self._folder / INPUTS}: {self._file.fault}; the record ends there, the twin goes on"
            _log.warning("%s", self.fault)

    # ------------------------------------------------------------------ what comes in
    def _applied(self, apply: Callable[[Iterable[Command]], None], commands: Iterable[Command]) -> None:
        now_us = self._twin.time_us
        if now_us % _REACHED_US == 0 and now_us != self._told_us:
            self._told_us = now_us
            prints = now_us % FINGERPRINT_US == 0
            self._put(PrintRow(t=now_us, value=fingerprint(self._twin)) if prints else ReachedRow(t=now_us))
        for c in commands:
            if c.name in JOB_WORDS:  # they ask for work beside the twin, and change nothing of it
                apply((c,))
            else:
                self._carried_out(apply, c)

    def _carried_out(self, apply: Callable[[Iterable[Command]], None], command: Command) -> None:
        """Carry a command out, and write it down with what became of it and what the twin did because of it."""
        answers: list[Answer] = []

        def reply(answer: Answer) -> None:
            answers.append(answer)
            if command.reply is not None:
                command.reply(answer)

        around, self._acts = self._acts, []
        try:
            apply((replace(command, reply=reply),))
        finally:
            acts, self._acts = self._acts, around
        row = CommandRow.model_construct(
            t=self._twin.time_us, source=command.source.partition(":")[0], name=command.name, target=command.target,
            arguments=list(command.arguments), payload=None if command.payload is None else dict(command.payload),
            own=command.source == ACT_SOURCE, acts=acts, error="".join(a.message for a in answers if not a.done),
        )  # fmt: skip
        if around is None:
            self._put(row)
        else:  # done within another command
            around.append(row)

    def _now(self, now: Callable[[], float]) -> float:
        now_s, now_us = now(), self._twin.time_us
        if self._clock.follow(now_us, now_s) or not self._clock_told:
            self._clock_told = True
            self._put(ClockRow(t=now_us, now_s=now_s))
        return now_s

    def _tags(self, drain: Callable[[], TagObservations]) -> TagObservations:
        places = drain()
        if len(places.tag):
            self._put(TagsRow.model_construct(
                t=self._twin.time_us, epoch=places.epoch, tag=places.tag.tolist(), measured_s=places.measured_s.tolist(),
                x_m=numbers(places.position_m[:, 0]), y_m=numbers(places.position_m[:, 1]), accuracy_m=places.accuracy_m.tolist(),
                provider=[self._provider(name) for name in places.provider],
            ))  # fmt: skip
        return places

    def _provider(self, name: str) -> int:
        """Return a number for a location system; what it calls itself is not written down."""
        if name not in self._providers and len(self._providers) < _PROVIDERS:
            self._providers[name] = len(self._providers)
        return self._providers.get(name, _PROVIDERS)

    def _agvs(self, observe: Callable[[float], AgvObservations], now_s: float) -> AgvObservations:
        seen = observe(now_s)
        if self._online is None:
            self._heard_s = np.full(len(seen.online), np.nan)
        fresh = np.flatnonzero(np.isfinite(seen.measured_s) & (seen.measured_s != self._heard_s))
        online: list[bool] = seen.online.tolist()
        if len(fresh) or online != self._online:
            self._heard_s[fresh], self._online = seen.measured_s[fresh], online
            at = seen.position_m[fresh], seen.velocity_mps[fresh]
            self._put(AgvsRow.model_construct(
                t=self._twin.time_us, online=online, row=fresh.tolist(), measured_s=seen.measured_s[fresh].tolist(),
                x_m=numbers(at[0][:, 0]), y_m=numbers(at[0][:, 1]), heading_rad=numbers(seen.heading_rad[fresh]),
                vx_mps=numbers(at[1][:, 0]), vy_mps=numbers(at[1][:, 1]), turn_radps=numbers(seen.turn_radps[fresh]),
                driving=seen.driving[fresh].tolist(),
            ))  # fmt: skip
        return seen

    def _radio(self, drain: Callable[[], RadioReadings]) -> RadioReadings:
        told = drain()
        if len(told.ue):
            self._put(RadioRow.model_construct(
                t=self._twin.time_us, ue=told.ue.tolist(), trp=told.trp.tolist(), measured_s=told.measured_s.tolist(),
                rsrp_dbm=told.rsrp_dbm.tolist(), sinr_db=numbers(told.sinr_db),
            ))  # fmt: skip
        return told

    def _mapped(self, take: Callable[[], tuple[float, CameIn]]) -> tuple[float, CameIn]:
        now_s, came = take()
        heard = numbers(came.heard_s)
        row, value, quality, measured_s = zip(*came.rows, strict=True) if came.rows else ((), (), (), ())
        self._put(MappedRow.model_construct(
            t=self._twin.time_us, now_s=now_s, row=list(row), value=numbers(value), quality=list(quality),
            measured_s=list(measured_s), heard_s=None if heard == self._heard else heard,
        ))  # fmt: skip
        self._heard = heard
        return now_s, came


def _scenario(twin: Twin) -> dict[str, Any]:
    """Return the scenario as JSON values; paths that --set gave begin in the working folder, so they are made whole."""
    scenario: dict[str, Any] = twin.loaded.scenario.model_dump(mode="json")
    for key in _PATHS:
        part, (*parents, name) = scenario, key.split(".")
        for parent in parents:
            part = part.get(parent) or {}
        if isinstance(part.get(name), str) and twin.loaded.base_dir(key) is None:
            part[name] = str(Path(part[name]).absolute())
    return scenario
