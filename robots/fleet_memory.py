"""What a fleet with orders from outside must not forget when its process ends: where its AGVs are and what they were told.

A snapshot is plain JSON. It is exact to the step in which it was taken, but for speeds: a fleet that is taken up again stands, as
a vehicle does whose controller was started anew. Times count from the start of the twin and are shifted when it is taken up.

Invariant: a snapshot is taken up as a whole or not at all.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from robots.agv import ACTING
from robots.books import Books
from robots.instant import InstantActions
from robots.outside import OutsideOrders
from robots.rightofway import find_schedule

__all__ = ["FleetMemory"]

_NEVER_US = int(np.iinfo(np.int64).max)
_FORM = 1


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Vehicle(_Model):
    """One AGV: its way as node names, where it is on it, what it carries, and what it was told."""

    path: list[str] = Field(min_length=1)
    at_k: int = Field(ge=0)
    head_k: int = Field(ge=0)
    along_m: float = Field(ge=0)
    freed: bool
    heading_rad: float
    position_m: tuple[float, float]
    battery: float = Field(ge=0, le=1)
    loaded: bool
    load_height_m: float = Field(ge=0)
    load_kind: int = Field(ge=-1)
    paused: bool
    stage: int = Field(ge=0, le=12)
    busy_us: int | None
    errand: int
    errand_kind: str
    first_sequence: int
    way_changes: int
    told_from: int
    order: dict[str, Any]
    instant: dict[str, Any]


class _Snapshot(_Model):
    form: int
    routes: str
    vehicles: list[_Vehicle]
    holder: list[int]


class FleetMemory:
    """Takes snapshots of a fleet and takes them up again.

    Parameters
    ----------
    books : the fleet's state. outside, instant : its orders and instant actions.
    """

    def __init__(self, books: Books, outside: OutsideOrders, instant: InstantActions) -> None:
        self._books, self._outside, self._instant = books, outside, instant
        config = books.config
        text = f"{config.agvs.count} {config.routes.model_dump_json()}"
        self._routes = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    @property
    def changes(self) -> int:
        """Rises with everything that somebody outside may be told of."""
        return self._outside.changes + self._instant.changes

    def take(self) -> dict[str, Any]:
        """Give a snapshot."""
        books = self._books
        vehicles = [self._vehicle(i) for i in range(books.n)]
        return {"form": _FORM, "routes": self._routes, "vehicles": vehicles, "holder": books.tables.holder.tolist()}

    def _vehicle(self, i: int) -> dict[str, Any]:
        books, traffic, machines = self._books, self._books.traffic, self._books.machines
        busy = int(machines.busy_until_us[i])
        return {
            "path": [books.graph.node_id[v] for v in traffic.path[i, : int(traffic.path_len[i])]],
            "at_k": int(traffic.at_k[i]),
            "head_k": int(traffic.head_k[i]),
            "along_m": float(traffic.along_m[i]),
            "freed": bool(traffic.freed[i]),
            "heading_rad": float(traffic.heading_rad[i]),
            "position_m": machines.position_m[i].tolist(),
            "battery": float(machines.battery[i]),
            "loaded": bool(books.loaded[i]),
            "load_height_m": float(books.load_height_m[i]),
            "load_kind": int(books.load_kind[i]),
            "paused": bool(traffic.paused[i]),
            "stage": int(machines.stage[i]),
            "busy_us": None if busy == _NEVER_US else max(0, busy - books.time_us),
            "errand": int(books.errand[i]),
            "errand_kind": books.errand_kind[i],
            "first_sequence": int(books.first_sequence[i]),
            "way_changes": int(books.way_changes[i]),
            "told_from": int(books.told_from[i]),
            "order": self._outside.remember(i),
            "instant": self._instant.remember(i),
        }

    def give(self, snapshot: Any) -> None:
        """Take a snapshot up; only for a fleet that was never stepped.

        Parameters
        ----------
        snapshot : as :meth:`take` gave it, or what was read of it.

        Raises
        ------
        ValueError
            It is of another hall, another number of AGVs, or cannot be read. The fleet is as it was.
        """
        try:
            seen = _Snapshot.model_validate(snapshot)
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            raise ValueError(f"{'.'.join(str(part) for part in fault['loc']) or 'snapshot'}: {fault['msg']}") from error
        if seen.form != _FORM:
            raise ValueError(f"form: {seen.form}; form {_FORM} is read here")
        if seen.routes != self._routes or len(seen.vehicles) != self._books.n:
            raise ValueError("routes: it was taken in a hall with other routes or another number of AGVs")
        before = _Snapshot.model_validate(self.take())
        try:
            self._take_up(seen)
        except (KeyError, TypeError, IndexError, OverflowError, ValueError) as error:
            self._take_up(before)
            if type(error) is ValueError:
                raise
            raise ValueError(f"a part is missing or of another kind: {error!r}") from error

    def _take_up(self, seen: _Snapshot) -> None:
        for i, vehicle in enumerate(seen.vehicles):
            self._outside.recall(i, vehicle.order, vehicle.paused)
            self._instant.recall(i, vehicle.instant)
            self._place(i, vehicle)
        self._hold(seen)

    def _place(self, i: int, seen: _Vehicle) -> None:
        books, traffic, machines = self._books, self._books.traffic, self._books.machines
        index = {name: k for k, name in enumerate(books.graph.node_id)}
        length = len(seen.path)
        if length > traffic.path.shape[1] or not seen.at_k <= seen.head_k < length:
            raise ValueError(f"the way of AGV number {i + 1} does not fit: {length} nodes, at {seen.at_k}, up to {seen.head_k}")
        traffic.path[i, :length] = [index[name] for name in seen.path]
        traffic.path_len[i], traffic.at_k[i], traffic.head_k[i] = length, seen.at_k, seen.head_k
        traffic.along_m[i], traffic.freed[i], traffic.heading_rad[i] = seen.along_m, seen.freed, seen.heading_rad
        traffic.paused[i] = seen.paused
        machines.position_m[i], machines.battery[i], machines.stage[i] = seen.position_m, seen.battery, seen.stage
        if seen.busy_us is None or seen.stage == ACTING:
            machines.busy_until_us[i] = _NEVER_US
        else:
            machines.busy_until_us[i] = books.time_us + seen.busy_us
        books.loaded[i], books.load_height_m[i] = seen.loaded, seen.load_height_m
        if seen.load_kind >= max(1, len(books.config.agvs.loads)):
            raise ValueError(f"load_kind: {seen.load_kind}; the scenario has {len(books.config.agvs.loads)} kinds of loads")
        books.load_kind[i] = seen.load_kind
        books.errand[i], books.errand_kind[i] = seen.errand, seen.errand_kind
        books.first_sequence[i], books.way_changes[i] = seen.first_sequence, seen.way_changes
        books.told_from[i], books.goal[i] = seen.told_from, traffic.path[i, length - 1]

    def _hold(self, seen: _Snapshot) -> None:
        """Give everybody the nodes and lanes that they held; a way out of where all stand must be known."""
        books, traffic = self._books, self._books.traffic
        holder = np.asarray(seen.holder, np.int64)
        if holder.shape != books.tables.holder.shape or holder.min(initial=-1) < -1 or holder.max(initial=-1) >= books.n:
            raise ValueError("holder: not one AGV or -1 for each node and lane")
        books.tables.holder[:] = holder
        for i in range(books.n):
            here = int(traffic.path[i, traffic.head_k[i]])
            if traffic.node_holder[here] != i:
                raise ValueError(f"holder: AGV number {i + 1} does not hold {books.graph.node_id[here]!r}, where its way leads")
        if not find_schedule(traffic.path, traffic.path_len, traffic.head_k, books.lanes, books.schedule):
            raise ValueError("path: no way out is known of where the AGVs stand")
        traffic.version[0] += 1
