"""The inputs of a recorded day at the doors of a twin: it takes them as it took the plant's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from bridges.inbox import Command
from bridges.mapping_values import CameIn, MappedValues
from bridges.radio_reports import RadioReadings
from bridges.tags import TagObservations
from bridges.vda5050.shadow import AgvObservations
from bridges.view import AdviceView
from factory.errors import UserError
from factory.fleet_bridge import FleetBridge
from factory.live_agvs import LiveAgvs
from factory.live_lookahead import Outlooks
from factory.live_people import LivePeople
from factory.live_radio import LiveRadio
from factory.live_record_day import DayReader
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
    array_of,
)
from factory.live_twin import LiveTwin
from factory.observed_feed import mapping_file_of, observed_of
from factory.twin import Twin
from humans.tracked_crowd import TrackedCrowd

__all__ = ["DayFeed"]

_ELSEWHERE = "what was advised then is not recorded, so it cannot be accepted in a replay"
_R = TypeVar("_R", TagsRow, RadioRow, MappedRow)


class _RecordedActs:
    """Does what the twin did, when it did it; it does not look ahead, for what it would find is recorded."""

    def __init__(
        self,
        take: Callable[[], list[Command]],
        apply: Callable[[list[Command]], None],
        within: Callable[[], tuple[list[Command], str]],
    ) -> None:
        self.ahead: Outlooks | None = None
        self._take, self._apply, self._within = take, apply, within

    def look(self, time_us: int) -> None:
        """Carry out the acts of this tick."""
        acts = self._take()
        if acts:
            self._apply(acts)

    def published(self) -> tuple[AdviceView, ...]:
        """Return nothing: advice is no input and is not recorded."""
        return ()

    def accept(self, now: int, kind: str, target: str, user: str) -> str:
        """Carry out what came of it then; returns why nothing did, "" where it did."""
        acts, error = self._within()
        if acts:
            self._apply(acts)
        return error

    def give_up(self, now: int, kind: str, target: str, user: str) -> str:
        """End what was ended then; as :meth:`accept`."""
        return self.accept(now, kind, target, user)

    def stop(self, time_us: int) -> None:
        """Leave everything as it is."""


@dataclass(frozen=True)
class _Now:
    """What holds until it is said otherwise: an instant of twin [us] and plant [s], real AGVs, and when sources were heard."""

    time_us: int = 0
    plant_s: float = 0.0
    agvs: AgvObservations | None = None
    heard_s: np.ndarray | None = None


class DayFeed:
    """Stands where the plant stood.

    Parameters
    ----------
    twin : made with ``beside_a_plant``; its ``live`` and ``observed`` are set. reader : at the first row.

    Raises
    ------
    UserError
        The scenario of the record cannot be used here: its mapping has gone. From :meth:`begin_tick`: a row is damaged.
    """

    def __init__(self, twin: Twin, reader: DayReader) -> None:
        self._twin, self._reader = twin, reader
        self._rows: dict[str, Row] = {}
        self._acts: list[Command] = []
        self._within: tuple[list[Command], str] = ([], _ELSEWHERE)
        self._now = _Now()
        self._fleet: FleetBridge | None = None
        scenario = twin.scenario
        vda5050, live = scenario.bridges.vda5050, scenario.live
        if vda5050.enabled:
            self._fleet = FleetBridge(twin.fleet, twin.devices[: twin.fleet.n], vda5050.map_id)
            twin.steering.also(self._fleet.carry_out)
        people = agvs = radio = None
        if isinstance(twin.crowd, TrackedCrowd):
            people = LivePeople(twin.crowd, self._tags, scenario.bridges.tags.same_instant_ms * 1e-3)
        if live.agvs_from == "vda5050":
            row = [twin.devices.index(agv.twin) for agv in vda5050.real]
            agvs = LiveAgvs(self._observe, row, live.shadows)
        if scenario.bridges.radio_reports.enabled:
            radio = LiveRadio(twin, live.recalibration, self._radio, "radio_offsets" in live.may)
        acts = _RecordedActs(self._take_acts, twin.steering.apply, lambda: self._within)
        LiveTwin(twin, people, agvs, acts, now=self._plant_s, radio=radio)
        n_sources = 0
        if scenario.bridges.mapping.file is not None:
            bound = mapping_file_of(twin)
            n_sources = len(bound.mapping.sources)
            twin.observed = observed_of(bound, MappedValues(bound, lambda text: None), twin)
            twin.observed.take = self._mapped
        self._most = {
            "ue": len(twin.devices), "trp": len(scenario.radio.trps), "agvs": len(vda5050.real),
            "mapped": 0 if twin.observed is None else len(bound.entries), "sources": n_sources,
        }  # fmt: skip

    def begin_tick(self) -> None:
        """Give the commands of this time, and lay out what the tick will take; call it before every tick."""
        now_us = self._twin.time_us
        self._rows, self._acts = {}, []
        for row in self._reader.up_to(now_us):
            self._check(row)
            if isinstance(row, PrintRow | ReachedRow | EndRow):
                continue
            if isinstance(row, RecalledRow):
                self._recall(row)
            elif not isinstance(row, CommandRow):
                self._rows[row.kind] = row
            elif row.own:
                self._acts.append(row.command())
            else:
                # not through the inbox, whose bound was kept when the day was recorded
                self._within = [act.command() for act in row.acts], row.error
                self._twin.steering.apply((row.command(),))
                self._within = [], _ELSEWHERE
        clock = self._rows.get("clock")
        if isinstance(clock, ClockRow):
            self._now = replace(self._now, time_us=now_us, plant_s=clock.now_s)

    def keep(self) -> tuple[Any, ...]:
        """Return where the feed stands between two ticks, for :meth:`go_back`."""
        return self._reader.place(), self._now

    def go_back(self, kept: tuple[Any, ...]) -> None:
        """Go on from where it stood."""
        place, self._now = kept
        self._reader.go_to(place)

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def _check(self, row: Row) -> None:
        """Raise where a row names what this hall does not have."""
        most = self._most
        indices: tuple[tuple[str, list[int], int], ...] = ()
        if isinstance(row, RadioRow):
            indices = (("ue", row.ue, most["ue"]), ("trp", row.trp, most["trp"]))
        elif isinstance(row, AgvsRow):
            indices = (("row", row.row, most["agvs"]), ("online", [len(row.online) - 1], most["agvs"]))
        elif isinstance(row, MappedRow):
            heard = [] if row.heard_s is None else [len(row.heard_s) - 1]
            indices = (("row", row.row, most["mapped"]), ("heard_s", heard, most["sources"]))
        for name, values, n in indices:
            if any(not 0 <= v < n for v in values):
                raise self._reader.fault(f"{row.kind}.{name}: the scenario of the record has {n} of these; the two do not fit")
        if isinstance(row, AgvsRow) and len(row.online) != most["agvs"]:
            raise self._reader.fault(f"agvs.online: {len(row.online)} AGVs; the scenario of the record has {most['agvs']}")

    def _recall(self, row: RecalledRow) -> None:
        if self._fleet is None:
            raise self._reader.fault("recalled: AGVs of this scenario take no orders (bridges.vda5050.enabled is false)")
        fault = self._fleet.take_up(row.orders)
        if fault:
            raise UserError(f"{self._reader.path}: recalled: the orders do not fit the scenario of the record: {fault}")

    # ------------------------------------------------------------------ what the tick takes
    def _take(self, kind: type[_R]) -> _R | None:
        row = self._rows.pop(kind.model_fields["kind"].default, None)
        return row if isinstance(row, kind) else None

    def _plant_s(self) -> float:
        return self._now.plant_s + (self._twin.time_us - self._now.time_us) * 1e-6

    def _take_acts(self) -> list[Command]:
        acts, self._acts = self._acts, []
        return acts

    def _tags(self) -> TagObservations:
        row = self._take(TagsRow)
        return TagsRow.empty() if row is None else row.observations()

    def _radio(self) -> RadioReadings:
        row = self._take(RadioRow)
        return RadioRow.empty() if row is None else row.readings()

    def _observe(self, now_s: float) -> AgvObservations:
        row = self._rows.pop("agvs", None)
        seen = self._now.agvs or _nothing_seen(tuple(a.serial_number for a in self._twin.scenario.bridges.vda5050.real))
        if isinstance(row, AgvsRow):
            seen = _with(seen, row)
            self._now = replace(self._now, agvs=seen)
        return seen

    def _mapped(self) -> tuple[float, CameIn]:
        row, heard_s = self._take(MappedRow), self._now.heard_s
        if row is None:  # every tick of the day has one; a branch goes on beyond its end
            return self._plant_s(), CameIn((), np.full(self._most["sources"], -np.inf) if heard_s is None else heard_s)
        if row.heard_s is not None:
            heard_s = np.array([-np.inf if s is None else s for s in row.heard_s])
        elif heard_s is None:
            heard_s = np.full(self._most["sources"], -np.inf)
        self._now = _Now(self._twin.time_us, row.now_s, self._now.agvs, heard_s)
        rows = zip(row.row, array_of(row.value).tolist(), row.quality, row.measured_s, strict=True)
        return row.now_s, CameIn(tuple(rows), heard_s)


def _nothing_seen(serial: tuple[str, ...]) -> AgvObservations:
    n = len(serial)
    nan, off = np.full(n, np.nan), np.zeros(n, np.bool_)
    nowhere = np.full((n, 2), np.nan)
    return AgvObservations(
        serial, off, nan, nan, nowhere, nan, nowhere, nan, nan, off, np.zeros(n), ("",) * n, (0,) * n, ("",) * n, ((),) * n
    )


def _with(seen: AgvObservations, row: AgvsRow) -> AgvObservations:
    """Return observations with the news of a row."""

    def put(column: np.ndarray, values: Any) -> np.ndarray:
        column = column.copy()
        column[row.row] = values
        return column

    return replace(
        seen,
        online=np.array(row.online, np.bool_),
        measured_s=put(seen.measured_s, row.measured_s),
        position_m=put(seen.position_m, np.stack([array_of(row.x_m), array_of(row.y_m)], axis=1)),
        heading_rad=put(seen.heading_rad, array_of(row.heading_rad)),
        velocity_mps=put(seen.velocity_mps, np.stack([array_of(row.vx_mps), array_of(row.vy_mps)], axis=1)),
        turn_radps=put(seen.turn_radps, array_of(row.turn_radps)),
        driving=put(seen.driving, row.driving),
    )
