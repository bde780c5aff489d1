"""Maps of the floor for a device at a height: which margin the best TRP leaves, in the empty hall and among people.

Where people stand is not told to everyone, and a map of their shadows would tell it. So the people of a map are drawn: as many as
are in each zone now, at random places in it, again and again. What is told is what a device that stands there must reckon with:
the margin that is undercut in one draw of twenty, the share of draws in which it suffices, and the share in which people cost
3 dB or more.

SNR of the best beam pair of each TRP in both directions, with the receiver's ceiling (EVM) and without interference of the other
cells. A device there does not shade its own antenna.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from factory.child_jobs import JobError, Json, Teller
from factory.margin import LinkMargin
from factory.rooms import generator, walk_space, zone_index, zone_names
from factory.snapshot import blockers_of
from factory.twin import Twin
from humans.types import PeopleState, WalkSpace
from radio.types import Blockers, Ues

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

KINDS = ("agv", "cobot", "panel")
CELL_M = (0.25, 5.0)
HEIGHT_M = (0.05, 20.0)
DRAWS = (1, 100)
CELLS_MAX = 40_000
WORST_SHARE = 0.05
SHADED_DB = 3.0
_BATCH = 256
_CLEAR_M = 0.35  # a person's middle keeps this far from racks and machines
_TRIES = 200


@dataclass(frozen=True, slots=True)
class MapSpec:
    """What a map is asked for.

    Attributes
    ----------
    height_m : of the device's antenna above the floor [m]. cell_m : edge of a cell [m].
    kind : whose services the margin is for: ``agv``, ``cobot`` or ``panel``.
    draws : places of people drawn; 0 for the empty hall.
    """

    height_m: float = 1.0
    cell_m: float = 0.5
    kind: str = "agv"
    draws: int = 0

    def check(self, twin: Twin) -> None:
        """Refuse what cannot be computed.

        Raises
        ------
        JobError
            With the value and what would be right.
        """
        length, width, height = twin.scenario.hall.size_m
        if not twin.networks:
            raise JobError("the scenario has no radio (radio.enabled: false), so there is no map of it")
        if not HEIGHT_M[0] <= self.height_m <= min(HEIGHT_M[1], height - 0.05):
            raise JobError(f"height {self.height_m:g} m: give {HEIGHT_M[0]:g} to {min(HEIGHT_M[1], height - 0.05):g} m")
        if not CELL_M[0] <= self.cell_m <= CELL_M[1]:
            raise JobError(f"cell {self.cell_m:g} m: give {CELL_M[0]:g} to {CELL_M[1]:g} m")
        if self.draws and not DRAWS[0] <= self.draws <= DRAWS[1]:
            raise JobError(f"draws {self.draws}: give 0 for the empty hall, or up to {DRAWS[1]}")
        cells = np.ceil(length / self.cell_m) * np.ceil(width / self.cell_m)
        if cells > CELLS_MAX:
            raise JobError(f"{cells:.0f} cells of {self.cell_m:g} m: at most {CELLS_MAX} are computed; take larger cells")
        if not devices_of(twin, self.kind).any():
            raise JobError(f"device {self.kind!r}: the scenario has none; it has {', '.join(kinds_of(twin)) or 'no device'}")


def devices_of(twin: Twin, kind: str) -> Bools:
    """Return which devices (U,) are of a kind."""
    n_agv, n_cobot = twin.fleet.n, len(twin.cobots.names)
    kinds = np.array([0] * n_agv + [1] * n_cobot + [2] * (len(twin.devices) - n_agv - n_cobot))
    return np.asarray(kinds == (KINDS.index(kind) if kind in KINDS else -1))


def kinds_of(twin: Twin) -> tuple[str, ...]:
    """Return the kinds of devices that there are."""
    return tuple(kind for kind in KINDS if devices_of(twin, kind).any())


def radio_map(twin: Twin, spec: MapSpec, teller: Teller) -> Json:
    """Compute a map.

    Parameters
    ----------
    twin : at the moment whose machines stand in the way, and whose people are counted.
    spec : what is asked, checked.
    teller : told of progress.

    Returns
    -------
    ``nx``, ``ny``, ``cell_m``; by cell, row by row from y = 0: ``margin_db`` (None where nothing is heard or the cell is inside
    a box; with people the 5th percentile), ``snr_db`` (likewise, downlink), ``trp`` (index of the best, -1), ``covered`` (share
    of draws with a margin of at least 0 dB, 0 or 1 in the empty hall), ``shaded`` (share of draws in which people and machines
    take 3 dB or more of what the best TRP sends there, 0 in the empty hall). ``covered_cells`` is the share of cells whose
    ``covered`` is at least 0.95.
    """
    spec.check(twin)
    hall, channel = twin.scenario.hall, twin.channel
    nx, ny = (int(np.ceil(size / spec.cell_m)) for size in hall.size_m[:2])
    x_m, y_m = np.meshgrid((np.arange(nx) + 0.5) * spec.cell_m, (np.arange(ny) + 0.5) * spec.cell_m)
    place_m = np.column_stack([x_m.ravel(), y_m.ravel(), np.full(nx * ny, spec.height_m)])
    inside = (place_m[:, 0] < hall.size_m[0]) & (place_m[:, 1] < hall.size_m[1])
    place_m[~inside, :2] = 0.5 * np.array(hall.size_m[:2])  # a cell that sticks out of the hall is no place
    wanted = devices_of(twin, spec.kind)
    need_db = LinkMargin(twin.scenario.radio, twin.traffic, len(twin.devices)).need_db[:, :, wanted].max(axis=2)
    crowds = [_people(twin, spec, k) for k in range(spec.draws)]
    model = twin.scenario.radio.blockage.model
    bodies = [blockers_of(people, twin.agvs, twin._links, model) for people in crowds]
    parts = [_batch(twin, place_m[at : at + _BATCH], need_db, bodies, teller, at / len(place_m)) for at in _starts(len(place_m))]
    margin_db, snr_db, trp, covered, shaded = (np.concatenate(column) for column in zip(*parts, strict=True))
    nothing = ~inside | ~np.isfinite(snr_db) | (snr_db < -100.0)
    margin_db, snr_db = np.where(nothing, np.nan, margin_db), np.where(nothing, np.nan, snr_db)
    return {
        "nx": nx,
        "ny": ny,
        "cell_m": spec.cell_m,
        "trps": [t.name for t in twin.scenario.radio.trps],
        "time_us": twin.time_us,
        "people": int(crowds[0].present.sum()) if crowds else 0,
        "margin_db": _rounded(margin_db, 1),
        "snr_db": _rounded(snr_db, 1),
        "trp": [-1 if none else int(t) for t, none in zip(trp, nothing, strict=True)],
        "covered": _rounded(np.where(nothing & inside, 0.0, covered), 2),
        "shaded": _rounded(np.where(nothing, np.nan, shaded), 2),
        "covered_cells": float(np.mean(covered[inside & ~nothing] >= 1 - WORST_SHARE)) if (inside & ~nothing).any() else 0.0,
        "channel": channel.config.channel,
    }


def _starts(n: int) -> range:
    return range(0, n, _BATCH)


def _batch(
    twin: Twin,
    place_m: Floats,
    need_db: Floats,
    bodies: list[Blockers],
    teller: Teller,
    share: float,
) -> tuple[Floats, Floats, npt.NDArray[np.int64], Floats, Floats]:
    """Margin, SNR, best TRP, covered and shaded share of some places, (n,) each."""
    channel, n = twin.channel, len(place_m)
    ues = Ues(place_m, np.zeros(n), np.full(n, -1, np.int64))
    paths = channel.paths(ues, remember=False)
    losses: list[Floats | None] = [None]
    if bodies:
        losses += [channel.blockage(paths, b, ues).loss_db for b in bodies]
    margins, snrs, levels, best = [], [], [], np.zeros(n, np.int64)
    for k, loss_db in enumerate(losses):
        teller(share, f"{100 * share:.0f} % of the floor")
        gain = channel.sweep(paths, ues, loss_db, twin.time_us).gain
        pair = gain.reshape(n, channel.n_trp, -1).max(axis=2)
        level = channel.snr_dl_db(pair)
        down = channel.cap_sinr_db(level)
        up = channel.cap_sinr_db(channel.snr_ul_db(pair))
        margin = np.minimum(down - need_db[0], up - need_db[1])
        at = margin.argmax(axis=1)
        if k == 0:
            best = at
        margins.append(margin[np.arange(n), at])
        snrs.append(down[np.arange(n), at])
        levels.append(level.max(axis=1))
    drawn = slice(1, None) if bodies else slice(None)
    margin_db, snr_db = np.stack(margins[drawn]), np.stack(snrs[drawn])
    shaded = (np.stack(levels[drawn]) <= levels[0] - SHADED_DB).mean(axis=0)
    covered = (margin_db >= 0.0).mean(axis=0)
    return np.quantile(margin_db, WORST_SHARE, axis=0), np.quantile(snr_db, WORST_SHARE, axis=0), best, covered, shaded


def _people(twin: Twin, spec: MapSpec, k: int) -> PeopleState:
    """Return as many people as each zone holds now, at places and headings drawn in it."""
    people, hall = twin.people, twin.scenario.hall
    rng = generator(twin.scenario.seed + k, "radio map")
    zone = zone_index(hall, people.position_m)
    space = walk_space(hall, twin.scenario.robots.cobots)
    to = people.position_m.copy()
    for i in np.flatnonzero(people.present):
        to[i] = _place(rng, twin, int(zone[i]), space)
    turn = rng.uniform(-np.pi, np.pi, len(to))
    cos, sin = np.cos(turn)[:, None], np.sin(turn)[:, None]

    def moved(ends: Floats) -> Floats:
        offset = ends[:, :, :2] - people.position_m[:, None, :]
        out = ends.copy()
        out[:, :, 0] = to[:, None, 0] + cos * offset[:, :, 0] - sin * offset[:, :, 1]
        out[:, :, 1] = to[:, None, 1] + sin * offset[:, :, 0] + cos * offset[:, :, 1]
        return out

    empty = np.zeros((0, 3))
    return replace(
        people,
        position_m=to,
        heading_rad=people.heading_rad + turn,
        capsule_a=moved(people.capsule_a),
        capsule_b=moved(people.capsule_b),
        load_holder=np.zeros(0, np.int64),
        load_center_m=empty,
        load_half_m=empty,
    )


def _place(rng: np.random.Generator, twin: Twin, zone: int, space: WalkSpace) -> Floats:
    """Draw a place in a zone that no rack or machine stands on; the zone's middle where none is found."""
    hall = twin.scenario.hall
    low, high = np.zeros(2), np.array(hall.size_m[:2])
    if zone < len(zone_names(hall)) - 1:
        box = hall.zones[zone]
        low, high = np.array([box.x_m[0], box.y_m[0]]), np.array([box.x_m[1], box.y_m[1]])
    points = rng.uniform(low, high, (_TRIES, 2))
    free = (zone_index(hall, points) == zone) & ~_inside(space, points)
    found = points[free]
    chosen: Floats = found[0] if len(found) else 0.5 * (low + high)
    return chosen


def _inside(space: WalkSpace, points: Floats) -> Bools:
    """Tell which points (k, 2) are in or beside a box."""
    offset = points[:, None, :] - space.box_center_m[None, :, :]
    cos, sin = np.cos(space.box_yaw_rad), np.sin(space.box_yaw_rad)
    along = np.abs(offset[:, :, 0] * cos + offset[:, :, 1] * sin)
    across = np.abs(-offset[:, :, 0] * sin + offset[:, :, 1] * cos)
    half = space.box_half_m + _CLEAR_M
    return np.asarray(((along < half[:, 0]) & (across < half[:, 1])).any(axis=1))


def _rounded(values: Floats, digits: int) -> list[float | None]:
    return [round(v, digits) if np.isfinite(v) else None for v in values.tolist()]
