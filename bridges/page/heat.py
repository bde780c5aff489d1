"""What has happened where on the floor since the page was started: layers of the floor, summed from the views.

From views alone, so nothing finer than a view goes in: of people their number in a zone, spread evenly over it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from bridges.page.scene import SceneView
from bridges.page.watch import STOPPED
from bridges.view import TwinView

__all__ = ["LAYERS", "Heat"]

LAYERS = ("short_s", "blocked_s", "people")
"""Seconds in which a device's link was short of its need; seconds that AGVs stood where they should move; people per 100 m²."""
CELL_M = 1.0
_GAP_US = 1_000_000  # views further apart are no time that anybody saw


class Heat:
    """Sums over cells of 1 m.

    Parameters
    ----------
    scene : the hall, with its zones.
    """

    def __init__(self, scene: SceneView) -> None:
        self.nx, self.ny = (max(1, math.ceil(size / CELL_M)) for size in scene.size_m[:2])
        shape = (self.ny, self.nx)
        self._short_s: npt.NDArray[np.float64] = np.zeros(shape)
        self._blocked_s: npt.NDArray[np.float64] = np.zeros(shape)
        x, y = np.meshgrid((np.arange(self.nx) + 0.5) * CELL_M, (np.arange(self.ny) + 0.5) * CELL_M)
        taken = np.zeros(shape, np.bool_)
        self._cells: list[npt.NDArray[np.bool_]] = []
        for _, x0, x1, y0, y1 in scene.zones:
            inside = (x >= x0) & (x < x1) & (y >= y0) & (y < y1) & ~taken
            self._cells.append(inside)
            taken |= inside
        self._cells.append(~taken)
        self._people_s: npt.NDArray[np.float64] = np.zeros(len(self._cells))
        self._seen_s = 0.0
        self._last_us: int | None = None

    def add(self, view: TwinView) -> None:
        """Take a view, in order of time."""
        last, self._last_us = self._last_us, view.time_us
        if last is None or not 0 < view.time_us - last <= _GAP_US:
            return
        step_s = (view.time_us - last) / 1e6
        self._seen_s += step_s
        place = {}
        for machine in view.machines:
            cell = self._cell(machine.x_m, machine.y_m)
            place[machine.id] = cell
            if machine.kind == "agv" and machine.mode in STOPPED:
                self._blocked_s[cell] += step_s
        for link in view.links:
            if link.device in place and not link.margin_db >= 0:  # no link at all is short, too
                self._short_s[place[link.device]] += step_s
        for z, zone in enumerate(view.zones[: len(self._people_s)]):
            self._people_s[z] += zone.people * step_s

    def _cell(self, x_m: float, y_m: float) -> tuple[int, int]:
        return min(max(int(y_m / CELL_M), 0), self.ny - 1), min(max(int(x_m / CELL_M), 0), self.nx - 1)

    def to_json_dict(self, layer: str) -> dict[str, Any]:
        """Return a layer of :data:`LAYERS`: size, ``seconds`` watched, and ``values`` of the cells, row by row from y = 0."""
        if layer == "people":
            grid = np.zeros((self.ny, self.nx))
            for cells, people_s in zip(self._cells, self._people_s, strict=True):
                area_m2 = float(cells.sum()) * CELL_M**2
                if area_m2 and self._seen_s:
                    grid[cells] = 100.0 * people_s / self._seen_s / area_m2
        else:
            grid = self._short_s if layer == "short_s" else self._blocked_s
        values = [round(v, 2) for v in grid.ravel().tolist()]
        return {"nx": self.nx, "ny": self.ny, "cell_m": CELL_M, "seconds": round(self._seen_s, 1), "values": values}
