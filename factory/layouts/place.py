"""Proposals for what no layout file says: where transmission points hang and where people stand. All in the hall frame [m].

Rule for TRPs: the floor is divided into equal fields of at most 20 m x 20 m; one TRP hangs in the middle of each, 1 m below the
ceiling, its panel looking straight down.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from factory.checks import box_at
from factory.config import HallConfig
from factory.rooms import walk_space
from humans.floor import Floor, box_distance_m

TRP_FIELD_M = 20.0
TRP_BELOW_CEILING_M = 1.0
MOST_TRPS = 16
_LANE_DISTANCE_M = 0.5  # kept between a lane's edge and a person's middle, so that AGVs pass whom they need not stop for
_BOX_DISTANCE_M = 0.4
_DIRECTIONS = 24
_RINGS_M = (0.0, 0.6, 0.9, 1.2, 1.5, 1.8, 2.2, 2.6, 3.0, 3.5, 4.0, 5.0, 6.0)


def trp_places(hall: HallConfig) -> list[tuple[float, float, float]]:
    """Return the proposed TRPs; a field's side grows where there would be more than ``MOST_TRPS``."""
    length, width, height = hall.size_m
    field_m = TRP_FIELD_M
    while math.ceil(length / field_m) * math.ceil(width / field_m) > MOST_TRPS:
        field_m += 1.0
    nx, ny = math.ceil(length / field_m), math.ceil(width / field_m)
    z = max(height - TRP_BELOW_CEILING_M, 0.5 * height)
    places = []
    for j in range(ny):
        for i in range(nx):
            x, y = (i + 0.5) * length / nx, (j + 0.5) * width / ny
            places.append((*_beside_boxes(hall, x, y, z), z))
    return places


def _beside_boxes(hall: HallConfig, x: float, y: float, z: float) -> tuple[float, float]:
    for px, py in _around(x, y):
        if 0.2 < px < hall.size_m[0] - 0.2 and 0.2 < py < hall.size_m[1] - 0.2 and box_at(hall, px, py, z, 0.1) is None:
            return px, py
    return x, y


def _around(x: float, y: float) -> Iterator[tuple[float, float]]:
    for ring in _RINGS_M:
        for k in range(_DIRECTIONS if ring else 1):
            angle = 2 * math.pi * k / _DIRECTIONS
            yield x + ring * math.cos(angle), y + ring * math.sin(angle)


class StandingRoom:
    """Free places for people: off the lanes, clear of boxes, and all within reach of each other.

    Parameters
    ----------
    hall : the hall with its boxes.
    lane_points_m : (k, 2) points along the lanes [m].
    agv_width_m : width of the AGVs [m].
    """

    def __init__(self, hall: HallConfig, lane_points_m: npt.NDArray[np.float64], agv_width_m: float) -> None:
        self._space = walk_space(hall)
        self._floor = Floor(self._space)
        self._lane_reach_m = agv_width_m / 2 + _LANE_DISTANCE_M
        self._taken: list[tuple[float, float]] = []
        free = np.flatnonzero(self._floor.free)
        self._tree = cKDTree(self._floor.centre_m[free]) if len(free) else None
        self._part_of = self._floor.part[free]
        self._lane_tree = cKDTree(lane_points_m) if len(lane_points_m) else None
        beside = self._parts_at(lane_points_m) if len(lane_points_m) and len(free) else self._part_of
        self._part = int(np.bincount(beside).argmax()) if len(beside) else -1  # where AGVs drive, people work

    def _parts_at(self, xy_m: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """Return the connected part of the floor that each point's nearest free cell is in."""
        if self._tree is None:
            return np.full(len(xy_m), -2)
        return np.asarray(self._part_of[self._tree.query(xy_m)[1]], dtype=np.int64)

    def near(self, x_m: float, y_m: float) -> tuple[float, float, float] | None:
        """Return the free place nearest to a point and its distance from it [m], None where there is none within 6 m."""
        around = np.array(list(_around(x_m, y_m)))
        good = self._free(around, beside_boxes=True)
        if not good.any():
            return None
        x, y = around[int(np.flatnonzero(good)[0])]
        self._taken.append((float(x), float(y)))
        return float(x), float(y), math.dist((x, y), (x_m, y_m))

    def spread(self, count: int) -> list[tuple[float, float]]:
        """Return up to ``count`` free places, each as far as possible from those before."""
        cells = self._floor.centre_m[self._floor.free & (self._floor.part == self._part)]
        cells = cells[self._free(cells, beside_boxes=False)] if len(cells) else cells  # free cells keep clear of boxes already
        places: list[tuple[float, float]] = []
        while len(cells) and len(places) < count:
            if self._taken:
                gap = np.min([np.hypot(*(cells - p).T) for p in self._taken], axis=0)
            else:
                gap = -np.hypot(*(cells - cells.mean(axis=0)).T)
            k = int(gap.argmax())
            if self._taken and gap[k] < 1.5:
                break
            places.append((float(cells[k, 0]), float(cells[k, 1])))
            self._taken.append(places[-1])
        return places

    def _free(self, xy_m: npt.NDArray[np.float64], beside_boxes: bool) -> npt.NDArray[np.bool_]:
        size = self._space.size_m
        good: npt.NDArray[np.bool_] = np.asarray(((xy_m > 0.5) & (xy_m < size - 0.5)).all(axis=1))
        if beside_boxes and len(self._space.box_name):
            good &= box_distance_m(self._space, xy_m).min(axis=1) > _BOX_DISTANCE_M
        if self._lane_tree is not None:
            good &= self._lane_tree.query(xy_m)[0] > self._lane_reach_m
        for place in self._taken:
            good &= np.hypot(*(xy_m - place).T) > 1.0
        return np.asarray(good & (self._parts_at(xy_m) == self._part))
