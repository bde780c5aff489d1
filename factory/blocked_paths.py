"""Keeps the geometry behind losses by a body: the path, the body that stood in it, and the part that stood deepest.

A lost message names its blocker; this is what lets an engineer see it: path by path what the bodies took, and every part of the
blocker's body as it stood at that instant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from factory.snapshot import AGV_PARTS, person_parts
from radio.delivery import CAUSES
from radio.types import SHAPE_CAPSULE

if TYPE_CHECKING:
    from factory.run_folder import RunFolder
    from factory.twin import Tick, Twin

Floats = npt.NDArray[np.float64]

CASES_MAX = 40
QUIET_US = 5_000_000
"""One case per device and this time: a spell of losses is one case."""
PATHS_SHOWN = 6


class BlockedPaths:
    """Collects cases while a shift runs.

    Parameters
    ----------
    twin : the twin; the losses of its acting policy are kept.
    folder : run folder that takes ``blocked_paths.json``.

    Notes
    -----
    At most :data:`CASES_MAX` cases are kept, those in which the body took most.
    """

    def __init__(self, twin: Twin, folder: RunFolder) -> None:
        self._twin = twin
        self._folder = folder
        self._cases: list[dict[str, Any]] = []
        self._last_us: dict[int, int] = {}

    def add(self, tick: Tick) -> None:
        """Look at the losses of one tick."""
        if not tick.delivered or tick.air is None or tick.delivered[0].ok.all():
            return
        d = tick.delivered[0]
        for row in np.flatnonzero(~d.ok & (d.owner >= 0)):
            ue = int(self._twin.traffic.ue[d.stream[row]])
            if d.trp[row] < 0 or tick.time_us < self._last_us.get(ue, -QUIET_US) + QUIET_US:
                continue
            case = self._case(tick, int(row), ue)
            if case is not None:
                self._last_us[ue] = tick.time_us
                self._cases.append(case)
                self._cases.sort(key=lambda c: (-c["loss_db"], c["time_us"], c["device"]))
                del self._cases[CASES_MAX:]

    def close(self) -> None:
        """Write what was kept, in order of time."""
        self._folder.write_blocked_paths(sorted(self._cases, key=lambda c: (c["time_us"], c["device"])))

    def _case(self, tick: Tick, row: int, ue: int) -> dict[str, Any] | None:
        assert tick.air is not None  # add() looked
        d, paths, blockage = tick.delivered[0], tick.air.paths, tick.air.blockage
        trp, owner = int(d.trp[row]), int(d.owner[row])
        link = ue * paths.n_trp + trp
        index = np.arange(paths.offset[link], paths.offset[link + 1])
        mine = index[blockage.worst_owner[index] == owner]
        if not len(mine):
            return None  # the body has left the link since it cost the message
        gain_db = 20.0 * np.log10(np.maximum(np.abs(paths.amplitude[index]), 1e-15))
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
            "paths": [
                {
                    "via": [self._face(int(f)) for f in paths.facet[p] if f >= 0],
                    "length_m": round(float(paths.length_m[p]), 3),
                    "gain_db": round(float(gain_db[p - index[0]]), 2),
                    "body_loss_db": round(float(blockage.loss_db[p]), 2),
                    "hit": bool(p == hit),
                }
                for p in index[:PATHS_SHOWN]
            ],
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
