"""Records a run: the state of every device ten times a second, every event, and two maps of the floor.

`Recorder` is called from the tick, so its calls only copy arrays into buffers of one simulated minute; names travel as integer
codes and become words when a minute is written. Files and their columns: ``docs/run-folder.md``.
"""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from numba import njit
from pydantic import BaseModel, ConfigDict, Field

from factory.record_columns import (
    DEVICE_COLUMNS,
    EVENT_KINDS,
    EVENT_TYPES,
    LOSS_COLUMNS,
    PEOPLE_TYPES,
    TICK_TYPES,
    Buffer,
)
from factory.run_folder import MINUTE_US, Run, RunFolder, RunFolderError, current_versions, write_bytes, write_parquet

__all__ = ["EVENT_KINDS", "Recorder", "RecordingConfig", "Run", "RunFolder", "RunFolderError", "current_versions"]

_EVENT_ROWS_MAX = 262_144  # events of a busy minute beyond this are written early, so memory stays bounded

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@njit(cache=True)
def spend_time(position_m, time_s, nx, ny, grid) -> None:  # type: ignore[no-untyped-def]
    """Add times (k,) [s] to the cells of one metre, ``grid`` (ny * nx,) row by row, that places (k, 2 or 3) [m] lie in.

    Places outside, or that are no number, count nowhere.
    """
    for i in range(position_m.shape[0]):
        x, y = position_m[i, 0], position_m[i, 1]
        if 0.0 <= x < nx and 0.0 <= y < ny:
            grid[int(y) * nx + int(x)] += time_s[i]


class RecordingConfig(BaseModel):
    """What a run writes down."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    period_ms: int = Field(100, ge=10, le=10_000, description="Time between two recorded states of every device in ms.")
    people_tracks: bool = Field(False, description="true keeps the positions of people under their pseudonyms; off by default.")
    people_tracks_days: int = Field(30, ge=1, le=3650, description="Days after which kept tracks of people are to be removed.")


class Recorder:
    """Writes the ticks, events and floor grids of one run.

    Used as a context manager it closes itself as "interrupted" when an exception passes through.

    Parameters
    ----------
    folder : the run folder.
    devices : (D,) names of the devices with a radio, in the order of every (D,) array given later.
    modes : (D,) for every device the words of its mode codes.
    services : (S,) names of the services.
    trps : (T,) names of the transmission points.
    causes : words of the cause codes.
    hall_size_m : length, width, height of the hall [m].
    config : what to write down.

    Notes
    -----
    Codes are indices into these tuples, -1 for none. Blockers and people change their pseudonyms during a run: `set_blockers` and
    `set_people` give the words that hold from then on.
    """

    def __init__(
        self,
        folder: RunFolder,
        *,
        devices: Sequence[str],
        modes: Sequence[Sequence[str]],
        services: Sequence[str],
        trps: Sequence[str],
        causes: Sequence[str],
        hall_size_m: Sequence[float],
        config: RecordingConfig | None = None,
    ) -> None:
        if len(modes) != len(devices):
            raise ValueError(
                f"modes has {len(modes)} entries for {len(devices)} devices; give every device its tuple of mode names"
            )
        self.folder = folder
        self.config = config if config is not None else RecordingConfig()
        self._period_s = self.config.period_ms / 1000.0
        self._minute = -1
        self._last_us = -1
        self._closed = False
        self._event_parts = 0
        n = len(devices)
        self._ticks = Buffer(TICK_TYPES, max(n, 1) * (60_000 // self.config.period_ms + 1))
        self._events = Buffer(EVENT_TYPES, 4096)
        self._people = Buffer(PEOPLE_TYPES, 4096)
        names = self._ticks.names
        self._device_codes = names["device"].lookup(devices)[1:]
        self._mode_codes = names["mode"].lookup_rows(modes)
        self._device_rows = np.arange(1, n + 1)
        self._device_s = np.full(n, self._period_s)
        self._trp_codes = names["trp"].lookup(trps)
        self._second_codes = names["second_trp"].lookup(trps)
        self._other_codes = names["other_trp"].lookup(trps)
        event = self._events.names
        self._event_device = event["device"].lookup(devices)
        self._event_service = event["service"].lookup(services)
        self._event_trp = event["trp"].lookup(trps)
        self._event_cause = event["cause"].lookup(causes)
        self._event_trps = {name: event[name].lookup(trps) for name in ("other_trp", "interferer")}
        self._kinds = {kind: event["kind"].code(kind) for kind in EVENT_KINDS}
        self._set_lookups((), (), ())
        self._person_codes = self._people.names["person"].lookup(())
        self._nx, self._ny = int(np.ceil(hall_size_m[0])), int(np.ceil(hall_size_m[1]))
        self._grids = {name: np.zeros(self._ny * self._nx) for name in ("people_s", "device_s", "outage_s")}
        for kind in ("ticks", "events"):
            (folder.path / kind).mkdir()
        if self.config.people_tracks:
            (folder.path / "people").mkdir()
            folder.update(people_tracks_days=self.config.people_tracks_days)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if not self._closed:
            self.close(state="interrupted")

    def set_blockers(self, names: Sequence[str], parts: Sequence[Sequence[str]], roles: Sequence[str]) -> None:
        """Give the words for blocker and part codes from now on.

        Parameters
        ----------
        names : (B,) name or pseudonym of each blocker, for example "person-3f2a", "agv-03".
        parts : (B,) for each blocker the names of its parts.
        roles : (B,) role for the tables by role, for example "picker", "agv".
        """
        if not len(names) == len(parts) == len(roles):
            raise ValueError(
                f"{len(names)} blockers, {len(parts)} tuples of parts, {len(roles)} roles; give one of each per blocker"
            )
        self._set_lookups(names, parts, roles)

    def _set_lookups(self, names: Sequence[str], parts: Sequence[Sequence[str]], roles: Sequence[str]) -> None:
        tick, event = self._ticks.names, self._events.names
        self._tick_blocker, self._tick_part = tick["blocker"].lookup(names), tick["blocker_part"].lookup_rows(parts)
        self._event_blocker, self._event_part = event["blocker"].lookup(names), event["part"].lookup_rows(parts)
        self._event_role = event["role"].lookup(roles)
        self._role_of = dict(zip(names, roles, strict=True))

    def set_people(self, pseudonyms: Sequence[str]) -> None:
        """Give the (k,) pseudonyms of people from now on; used only where their tracks are kept."""
        self._person_codes = self._people.names["person"].lookup(pseudonyms)

    def add_ticks(
        self,
        time_us: int,
        *,
        position_m: Floats,
        speed_mps: Floats,
        mode: Codes,
        trp: Codes,
        beam: Codes,
        second_trp: Codes,
        sinr_dl_db: Floats,
        sinr_ul_db: Floats,
        margin_db: Floats,
        body_loss_db: Floats,
        blocker: Codes,
        blocker_part: Codes,
        loss_probability: Floats,
        down_s: Floats | None = None,
        more: Mapping[str, npt.NDArray[Any]] | None = None,
    ) -> None:
        """Record the state of every device at one instant.

        Parameters
        ----------
        time_us : the instant [us], later than the one before.
        position_m : (D, 3) antenna positions [m]; NaN for a device that is not in the hall.
        speed_mps : (D,) speed [m/s].
        mode, trp, beam, second_trp, blocker, blocker_part : (D,) codes, -1 for none.
        sinr_dl_db, sinr_ul_db : (D,) SINR of the leg that serves [dB].
        margin_db : (D,) SINR above the one that the device's services need [dB].
        body_loss_db : (D,) loss by bodies on the serving beam pair [dB].
        loss_probability : (D,) largest loss probability of a message since the last call.
        down_s : (D,) time since the last call in which a service of the device was down [s], none when absent.
        more : (D,) each of `factory.record_columns.DEVICE_COLUMNS`, none when absent; TRPs as codes.
        """
        if time_us <= self._last_us:
            raise ValueError(f"time_us {time_us} does not follow {self._last_us}; record instants in order")
        minute = time_us // MINUTE_US
        if minute != self._minute:
            self._flush()
            self._minute = minute
        self._last_us = time_us
        rows = self._ticks.reserve(len(self._device_codes))
        c = self._ticks.columns
        c["time_us"][rows] = time_us
        c["device"][rows] = self._device_codes
        c["x_m"][rows] = position_m[:, 0]
        c["y_m"][rows] = position_m[:, 1]
        c["z_m"][rows] = position_m[:, 2]
        c["speed_mps"][rows] = speed_mps
        c["mode"][rows] = self._mode_codes[self._device_rows, mode + 1]
        c["trp"][rows] = self._trp_codes[trp + 1]
        c["beam"][rows] = beam
        c["second_trp"][rows] = self._second_codes[second_trp + 1]
        c["sinr_dl_db"][rows] = sinr_dl_db
        c["sinr_ul_db"][rows] = sinr_ul_db
        c["margin_db"][rows] = margin_db
        c["body_loss_db"][rows] = body_loss_db
        c["blocker"][rows] = self._tick_blocker[blocker + 1]
        c["blocker_part"][rows] = self._tick_part[blocker + 1, blocker_part + 1]
        c["loss_probability"][rows] = loss_probability
        if more is None:
            self._ticks.blank(rows, DEVICE_COLUMNS)
        else:
            for name in DEVICE_COLUMNS:
                c[name][rows] = self._other_codes[more[name] + 1] if name == "other_trp" else more[name]
        spend_time(position_m, self._device_s, self._nx, self._ny, self._grids["device_s"])
        if down_s is not None:
            spend_time(position_m, down_s, self._nx, self._ny, self._grids["outage_s"])

    def add_down(self, position_m: Floats, down_s: Floats) -> None:
        """Add time with a service down after the last recorded instant, so that the map holds all of it.

        Parameters
        ----------
        position_m : (D, 3) antenna positions [m].
        down_s : (D,) time since the last instant in which a service of the device was down [s].
        """
        spend_time(position_m, down_s, self._nx, self._ny, self._grids["outage_s"])

    def add_people(self, time_us: int, position_m: Floats, present: npt.NDArray[np.bool_]) -> None:
        """Add one recording period of presence to the density grid, and the tracks where the scenario keeps them.

        Parameters
        ----------
        time_us : the instant [us].
        position_m : (k, 2) positions [m].
        present : (k,) who is in the hall.
        """
        spend_time(position_m, present * self._period_s, self._nx, self._ny, self._grids["people_s"])
        if self.config.people_tracks:
            who = np.flatnonzero(present)
            rows = self._people.reserve(len(who))
            c = self._people.columns
            c["time_us"][rows] = time_us
            c["person"][rows] = self._person_codes[who + 1]
            c["x_m"][rows] = position_m[who, 0]
            c["y_m"][rows] = position_m[who, 1]

    def add_event(
        self,
        time_us: int,
        kind: str,
        device: str = "",
        service: str = "",
        policy: str = "",
        cause: str = "",
        blocker: str = "",
        part: str = "",
        trp: str = "",
        beam: int = -1,
        x_m: float = float("nan"),
        y_m: float = float("nan"),
        sinr_db: float = float("nan"),
        loss_probability: float = float("nan"),
        detail: str = "",
    ) -> None:
        """Record one event; ``kind`` is one of `EVENT_KINDS`, words that do not apply stay empty, numbers NaN, the beam -1."""
        if kind not in self._kinds:
            raise ValueError(f"unknown kind of event {kind!r}; known are {', '.join(EVENT_KINDS)}")
        i = self._events.reserve(1).start
        c, names = self._events.columns, self._events.names
        c["time_us"][i] = time_us
        c["kind"][i] = self._kinds[kind]
        words = (device, service, policy, cause, blocker, part, self._role_of.get(blocker, ""), trp, detail)
        for name, word in zip(
            ("device", "service", "policy", "cause", "blocker", "part", "role", "trp", "detail"), words, strict=True
        ):
            c[name][i] = names[name].code(word)
        c["beam"][i], c["x_m"][i], c["y_m"][i] = beam, x_m, y_m
        c["sinr_db"][i], c["loss_probability"][i] = sinr_db, loss_probability
        self._events.blank(slice(i, i + 1), LOSS_COLUMNS)

    def add_losses(
        self,
        policy: str,
        *,
        time_us: Codes,
        device: Codes,
        service: Codes,
        cause: Codes,
        blocker: Codes,
        part: Codes,
        trp: Codes,
        beam: Codes,
        x_m: Floats,
        y_m: Floats,
        sinr_db: Floats,
        loss_probability: Floats,
        more: Mapping[str, npt.NDArray[Any]] | None = None,
    ) -> None:
        """Record the messages that one policy lost in a tick as "packet_lost" events.

        Parameters
        ----------
        policy : the policy.
        time_us : (n,) when each message should have arrived [us].
        device, service, cause, blocker, part, trp, beam : (n,) codes, -1 for none.
        x_m, y_m : (n,) where the device was [m].
        sinr_db : (n,) SINR of the message [dB].
        loss_probability : (n,) probability with which it was lost.
        more : (n,) each of `factory.record_columns.LOSS_COLUMNS`, none when absent; TRPs as codes.
        """
        if len(time_us) == 0:
            return
        rows = self._events.reserve(len(time_us))
        c, names = self._events.columns, self._events.names
        c["time_us"][rows] = time_us
        c["kind"][rows] = self._kinds["packet_lost"]
        c["device"][rows] = self._event_device[device + 1]
        c["service"][rows] = self._event_service[service + 1]
        c["policy"][rows] = names["policy"].code(policy)
        c["cause"][rows] = self._event_cause[cause + 1]
        c["blocker"][rows] = self._event_blocker[blocker + 1]
        c["part"][rows] = self._event_part[blocker + 1, part + 1]
        c["role"][rows] = self._event_role[blocker + 1]
        c["trp"][rows] = self._event_trp[trp + 1]
        c["beam"][rows] = beam
        c["x_m"][rows] = x_m
        c["y_m"][rows] = y_m
        c["sinr_db"][rows] = sinr_db
        c["loss_probability"][rows] = loss_probability
        c["detail"][rows] = names["detail"].code("")
        if more is None:
            self._events.blank(rows, LOSS_COLUMNS)
        else:
            for name in LOSS_COLUMNS:
                c[name][rows] = self._event_trps[name][more[name] + 1] if name in self._event_trps else more[name]
        if self._events.rows >= _EVENT_ROWS_MAX:
            self._flush_events()

    def held(self) -> dict[str, pa.Table]:
        """Return copies of the ticks and events that are not written yet, events in order of time."""
        n = self._events.rows
        order = np.argsort(self._events.columns["time_us"][:n], kind="stable")
        ticks, events = self._ticks.table(), self._events.table(order)
        return {"ticks": ticks.take(pa.array(np.arange(ticks.num_rows))), "events": events.take(pa.array(np.arange(n)))}

    def close(
        self,
        kpi: Mapping[str, Any] | None = None,
        *,
        simulated_s: float | None = None,
        wall_s: float | None = None,
        state: str = "finished",
    ) -> None:
        """Write what is still held, join the events into one file, write kpi.json and set the state of the run.

        Parameters
        ----------
        kpi : figures of the run; an interrupted run may have none.
        simulated_s : simulated time reached [s]; the last recorded instant when absent.
        wall_s : time on the wall clock [s].
        state : "finished" or "interrupted".
        """
        if self._closed:
            raise RunFolderError(f"{self.folder.path} is closed already; a run is closed once")
        self._closed = True
        self._flush()
        self._join_events()
        if kpi is not None:
            self.folder.write_kpi(kpi)
        reached_s = max(self._last_us, 0) / 1e6 if simulated_s is None else simulated_s
        self.folder.end(state, reached_s, wall_s)

    def _flush(self) -> None:
        """Write the minute that is held."""
        if self._ticks.rows:
            write_parquet(self.folder.path / "ticks" / f"part-{self._minute:04d}.parquet", self._ticks.table())
            self._ticks.rows = 0
        if self._people.rows:
            write_parquet(self.folder.path / "people" / f"part-{self._minute:04d}.parquet", self._people.table())
            self._people.rows = 0
        self._flush_events()
        buffer = io.BytesIO()
        shape = (self._ny, self._nx)
        people_s, device_s, outage_s = (self._grids[name].reshape(shape) for name in ("people_s", "device_s", "outage_s"))
        np.savez_compressed(buffer, cell_m=np.array(1.0), people_s=people_s, device_s=device_s, outage_s=outage_s)
        write_bytes(self.folder.path / "grids.npz", buffer.getvalue())

    def _flush_events(self) -> None:
        if self._events.rows:
            order = np.argsort(self._events.columns["time_us"][: self._events.rows], kind="stable")
            write_parquet(self.folder.path / "events" / f"part-{self._event_parts:04d}.parquet", self._events.table(order))
            self._event_parts += 1
            self._events.rows = 0

    def _join_events(self) -> None:
        """Copy the parts into events.parquet, one row group each, so that memory does not grow with the length of the run."""
        target = self.folder.path / "events.parquet"
        temporary = target.with_name(target.name + ".tmp")
        schema = self._events.table().schema
        with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
            for part in _parts(self.folder.path / "events"):
                table = pq.read_table(part)
                writer.write_table(table, row_group_size=max(table.num_rows, 1))
        os.replace(temporary, target)
        shutil.rmtree(self.folder.path / "events")


def _parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-*.parquet"))
