"""Keeps the geometry behind losses: the paths of the link, the body that stood in one, and the part that stood deepest.

A lost message names its blocker; this is what lets an engineer see it: path by path what the bodies took, and every part of the
blocker's body as it stood at that instant. Of losses for any other reason the paths alone are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from factory.snapshot import AGV_PARTS, person_parts
from radio.messages.delivery import CAUSES
from radio.types import SHAPE_CAPSULE

if TYPE_CHECKING:
    from factory.run_folder import RunFolder
    from factory.twin import Tick, Twin

Floats = npt.NDArray[np.float64]

CASES_MAX = 40
QUIET_US = 5_000_000
"""One case per device and this time: a spell of losses is one case."""
PATHS_SHOWN = 6
LINKS_MAX = 400
LINK_QUIET_US, LINK_AGAIN_US = 100_000, 1_000_000
"""The paths of a link are kept when it loses a message after this long without, and again while it goes on losing."""


class BlockedPaths:
    """Collects cases while a shift runs.

    Parameters
    ----------
    twin : the twin; the losses of its acting policy are kept.
    folder : run folder that takes ``blocked_paths.json``.

    Notes
    -----
    At most :data:`CASES_MAX` cases are kept, those in which the body took most; and the paths of :data:`LINKS_MAX` links that
    lost messages, those first that put a service down.
    """

    def __init__(self, twin: Twin, folder: RunFolder) -> None:
        self._twin = twin
        self._folder = folder
        self._cases: list[dict[str, Any]] = []
        self._last_us: dict[int, int] = {}
        self._links: list[dict[str, Any]] = []
        self._last_link: dict[int, dict[str, Any]] = {}
        self._last_loss_us: dict[int, int] = {}

    def add(self, tick: Tick) -> None:
        """Look at the losses of one tick."""
        if not tick.delivered or tick.air is None or tick.delivered[0].ok.all():
            return
        d = tick.delivered[0]
        for row in np.flatnonzero(~d.ok & (d.trp >= 0)):
            ue = int(self._twin.traffic.ue[d.stream[row]])
            quiet_us = tick.time_us - self._last_loss_us.get(ue, -LINK_QUIET_US - 1)
            self._last_loss_us[ue] = tick.time_us
            last = self._last_link.get(ue) if quiet_us <= LINK_QUIET_US else None
            if (
                last is None
                or last["trp"] != self._twin.scenario.radio.trps[d.trp[row]].name
                or tick.time_us >= last["time_us"] + LINK_AGAIN_US
            ):
                self._last_link[ue] = self._link(tick, int(row), ue)
                self._links.append(self._last_link[ue])
            if d.owner[row] < 0 or tick.time_us < self._last_us.get(ue, -QUIET_US) + QUIET_US:
                continue
            case = self._case(tick, int(row), ue)
            if case is not None:
                self._last_us[ue] = tick.time_us
                self._cases.append(case)
                self._cases.sort(key=lambda c: (-c["loss_db"], c["time_us"], c["device"]))
                del self._cases[CASES_MAX:]
        if tick.changes is not None:
            for ue in self._twin.traffic.ue[tick.changes.stream[tick.changes.down]].tolist():
                if ue in self._last_link:
                    self._last_link[ue]["service_down"] = True
        if len(self._links) > 2 * LINKS_MAX:
            self._keep_links()

    def _keep_links(self) -> None:
        self._links.sort(key=lambda c: (not c["service_down"], c["time_us"], c["device"]))
        del self._links[LINKS_MAX:]

    def links_since(self, time_us: int) -> list[dict[str, Any]]:
        """Forget what is older than a time [us], and return the links that lost messages since, in order of time."""
        self._cases = [c for c in self._cases if c["time_us"] >= time_us]
        self._links = [c for c in self._links if c["time_us"] >= time_us]
        return sorted(self._links, key=lambda c: (c["time_us"], c["device"]))

    def close(self) -> None:
        """Write what was kept, in order of time."""
        self._keep_links()
        cases, links = (sorted(kept, key=lambda c: (c["time_us"], c["device"])) for kept in (self._cases, self._links))
        self._folder.write_blocked_paths(cases, links)

    def _link(self, tick: Tick, row: int, ue: int) -> dict[str, Any]:
        """Return the paths of a link that lost a message, with the body where one was behind it."""
        assert tick.air is not None  # add() looked
        d, paths, blockage = tick.delivered[0], tick.air.paths, tick.air.blockage
        trp, owner, part = int(d.trp[row]), int(d.owner[row]), int(d.part[row])
        link = ue * paths.n_trp + trp
        index = np.arange(paths.offset[link], paths.offset[link + 1])
        mine = index[blockage.worst_owner[index] == owner] if owner >= 0 else index
        main = int(mine[np.argmax(np.abs(paths.amplitude[mine]))]) if len(mine) else -1
        blockers = tick.scene.blockers
        parts = np.flatnonzero((blockers.owner == owner) & (blockers.part == part)) if owner >= 0 else index[:0]
        if not len(parts):
            parts = np.flatnonzero(blockers.owner == owner) if owner >= 0 else index[:0]
        at_m = 0.5 * (blockers.start_m[parts] + blockers.end_m[parts]).mean(axis=0) if len(parts) else None
        corners = paths.vertex_m[main, _corners(int(paths.order[main]))] if main >= 0 else np.zeros((0, 3))
        traffic = self._twin.traffic
        return {
            "time_us": int(tick.time_us),
            "device": self._twin.devices[ue],
            "service": traffic.service_name[traffic.service[d.stream[row]]],
            "cause": CAUSES[d.cause[row]],
            "service_down": False,
            "trp": self._twin.scenario.radio.trps[trp].name,
            "beam": int(d.beam[row]),
            "blocker": self._name(tick, owner) if owner >= 0 else "",
            "part": self._part_name(owner, part) if owner >= 0 and part >= 0 else "",
            "blocker_m": None if at_m is None else np.round(at_m, 2).tolist(),
            "vertices_m": np.round(corners, 3).tolist(),
            "paths": self._paths(tick, index, main),
        }

    def _paths(self, tick: Tick, index: npt.NDArray[np.int64], hit: int) -> list[dict[str, Any]]:
        """Return the strongest of the paths ``index``, and which of them the body stood in."""
        assert tick.air is not None  # add() looked
        paths, blockage = tick.air.paths, tick.air.blockage
        shown = index[:PATHS_SHOWN]
        gain_db = 20.0 * np.log10(np.maximum(np.abs(paths.amplitude[shown]), 1e-15))
        return [
            {
                "via": [self._face(int(f)) for f in paths.facet[p] if f >= 0],
                "length_m": round(float(paths.length_m[p]), 3),
                "gain_db": round(float(gain), 2),
                "body_loss_db": round(float(blockage.loss_db[p]), 2),
                "hit": bool(p == hit),
            }
            for p, gain in zip(shown, gain_db, strict=True)
        ]

    def _case(self, tick: Tick, row: int, ue: int) -> dict[str, Any] | None:
        assert tick.air is not None  # add() looked
        d, paths, blockage = tick.delivered[0], tick.air.paths, tick.air.blockage
        trp, owner = int(d.trp[row]), int(d.owner[row])
        link = ue * paths.n_trp + trp
        index = np.arange(paths.offset[link], paths.offset[link + 1])
        mine = index[blockage.worst_owner[index] == owner]
        if not len(mine):
            return None  # the body has left the link since it cost the message
        hit = int(mine[np.argmax(np.abs(paths.amplitude[mine]))])
        traffic, part = self._twin.traffic, int(blockage.worst_part[hit])
        return {
            "time_us": int(tick.time_us),
            "device": self._twin.devices[ue],
            "service": traffic.service_name[traffic.service[d.stream[row]]],
            "cause": CAUSES[d.cause[row]],
            "trp": self._twin.scenario.radio.trps[trp].name,
            "wavelength_m": float(paths.wavelength_m[trp]),
            "blocker": self._name(tick, owner),
            "part": self._part_name(owner, part),
            "loss_db": round(float(blockage.worst_db[hit]), 2),
            "vertices_m": np.round(paths.vertex_m[hit, _corners(int(paths.order[hit]))], 4).tolist(),
            "paths": self._paths(tick, index, hit),
            "body": self._body(tick, owner, part),
        }

    def _face(self, facet: int) -> str:
        """Name of a reflecting face: "floor", or "rack-a +y" by the box's name in the scenario."""
        prepared = self._twin.channel.prepared
        name, box = prepared.facet_name[facet], int(prepared.facet_box[facet])
        return name if box < 0 else f"{self._twin.scenario.hall.boxes[box].name} {name.rsplit(' ', 1)[-1]}"

    def _name(self, tick: Tick, owner: int) -> str:
        people = tick.people.pseudonym
        return people[owner] if owner < len(people) else self._twin.devices[owner - len(people)]

    def _part_name(self, owner: int, part: int) -> str:
        people = len(self._twin.people.pseudonym)
        if owner < people:
            return person_parts(self._twin.scenario.radio.blockage.model)[part]
        return AGV_PARTS[part] if owner < people + self._twin.fleet.n else f"link {part}"

    def _body(self, tick: Tick, owner: int, part: int) -> list[dict[str, Any]]:
        """Return the blocker's parts: axis, half widths, turn, and whether this part stood deepest in the path."""
        b = tick.scene.blockers
        return [
            {
                "part": self._part_name(owner, int(b.part[i])),
                "axis_m": np.round([b.start_m[i], b.end_m[i]], 4).tolist(),
                "half_m": np.round(b.half_width_m[i], 4).tolist(),
                "yaw_rad": round(float(b.yaw_rad[i]), 4),
                "capsule": bool(b.shape[i] == SHAPE_CAPSULE),
                "deepest": bool(b.part[i] == part),
            }
            for i in np.flatnonzero(b.owner == owner)
        ]


def _corners(order: int) -> list[int]:
    """Rows of ``Paths.vertex_m`` that are a path of this order: TRP, reflections, UE."""
    return [*range(order + 1), 3]
