"""The free floor as a grid, the shortest ways over it, and how far ahead a walker sees along them."""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy.ndimage import distance_transform_edt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components, dijkstra

from humans.types import BoolArray, FloatArray, IntArray, WalkSpace

CELL_M = 0.5
CLEARANCE_M = 0.35  # half a shoulder breadth and a hand
WALL_CLEARANCE_M = 0.30
FINE = 4  # fine cells along the side of a cell
SIGHT_CLEARANCE_M = 0.45  # a line that people walk along straight keeps this far from boxes, so that nobody brushes corners
_SIGHT_STEP_M = 0.12
_LOOK_AHEAD_CELLS = 16


def box_distance_m(space: WalkSpace, xy_m: FloatArray) -> FloatArray:
    """Distance (k, N) of points (k, 2) from each box, negative inside [m]."""
    d = xy_m[:, None, :] - space.box_center_m[None, :, :]
    cos, sin = np.cos(space.box_yaw_rad), np.sin(space.box_yaw_rad)
    along = np.abs(d[..., 0] * cos + d[..., 1] * sin) - space.box_half_m[:, 0]
    across = np.abs(-d[..., 0] * sin + d[..., 1] * cos) - space.box_half_m[:, 1]
    outside = np.hypot(np.maximum(along, 0.0), np.maximum(across, 0.0))
    return np.asarray(outside + np.minimum(np.maximum(along, across), 0.0), dtype=np.float64)


def box_that_holds(space: WalkSpace, xy_m: tuple[float, float], margin_m: float = 0.0) -> str | None:
    """Name of the box that holds a point or comes nearer than ``margin_m``, None where the point is free."""
    if not len(space.box_name):
        return None
    distance = box_distance_m(space, np.array([xy_m], dtype=np.float64))[0]
    k = int(distance.argmin())
    return space.box_name[k] if distance[k] < margin_m or distance[k] < 0.0 else None


@njit(cache=True)
def _block(free, step_m, center, half, yaw, clearance_m) -> None:  # type: ignore[no-untyped-def]
    """Clear the cells of ``free`` (nx, ny) whose middle comes nearer to a box than the clearance, in place."""
    for b in range(center.shape[0]):
        c, s = np.cos(yaw[b]), np.sin(yaw[b])
        reach = np.sqrt(half[b, 0] ** 2 + half[b, 1] ** 2) + clearance_m
        first_i = max(int((center[b, 0] - reach) / step_m[0]), 0)
        first_j = max(int((center[b, 1] - reach) / step_m[1]), 0)
        for i in range(first_i, min(int((center[b, 0] + reach) / step_m[0]) + 1, free.shape[0])):
            for j in range(first_j, min(int((center[b, 1] + reach) / step_m[1]) + 1, free.shape[1])):
                dx, dy = (i + 0.5) * step_m[0] - center[b, 0], (j + 0.5) * step_m[1] - center[b, 1]
                u, v = max(abs(dx * c + dy * s) - half[b, 0], 0.0), max(abs(-dx * s + dy * c) - half[b, 1], 0.0)
                if u * u + v * v < clearance_m * clearance_m:
                    free[i, j] = False


@njit(cache=True)
def sees(wide, fine_m, ax, ay, bx, by, ignore_m):  # type: ignore[no-untyped-def]
    """Tell whether the line from a to b keeps clear of boxes; its first and last ``ignore_m`` are not looked at."""
    dx, dy = bx - ax, by - ay
    length = np.sqrt(dx * dx + dy * dy)
    at = ignore_m
    while at <= length - ignore_m:
        i = min(max(int((ax + dx * at / length) / fine_m[0]), 0), wide.shape[0] - 1)
        j = min(max(int((ay + dy * at / length) / fine_m[1]), 0), wide.shape[1] - 1)
        if not wide[i, j]:
            return False
        at += _SIGHT_STEP_M
    return True


@njit(cache=True)
def _steer(next_cell, nearest, centre, wide, fine_m, out) -> None:  # type: ignore[no-untyped-def]
    """Write per goal and cell the farthest cell on the way that is seen from it, (g, cells); ``nearest`` (cells,) are free."""
    ahead = np.empty(_LOOK_AHEAD_CELLS, np.int64)
    for g in range(next_cell.shape[0]):
        for cell in range(next_cell.shape[1]):
            # From close by a box one sees as from the nearest place to stand; the first steps lead away from the box.
            at, count, spare_m = nearest[cell], 0, 0.3
            if at != cell:
                ahead[0] = at
                count, spare_m = 1, 0.5
            while count < _LOOK_AHEAD_CELLS and next_cell[g, at] >= 0:
                at = next_cell[g, at]
                ahead[count] = at
                count += 1
            out[g, cell] = ahead[0] if count else -1
            for k in range(count - 1, 0, -1):
                if sees(wide, fine_m, centre[cell, 0], centre[cell, 1], centre[ahead[k], 0], centre[ahead[k], 1], spare_m):
                    out[g, cell] = ahead[k]
                    break


class Floor:
    """Free cells of a hall and the ways between them.

    Parameters
    ----------
    space : the hall's floor.

    Attributes
    ----------
    nx, ny : cells along and across. step_m : (2,) their sides [m].
    free : (nx * ny,) cells that a person can stand in. part : (nx * ny,) number of the connected part that a free cell is in.
    centre_m : (nx * ny, 2) middles of the cells [m].
    wide : (4 nx, 4 ny) fine cells that a straight walk may cross. fine_m : (2,) their sides [m].
    """

    def __init__(self, space: WalkSpace) -> None:
        self.space = space
        self.nx, self.ny = (max(1, int(np.floor(s / CELL_M))) for s in space.size_m)
        x = (np.arange(self.nx) + 0.5) * (space.size_m[0] / self.nx)
        y = (np.arange(self.ny) + 0.5) * (space.size_m[1] / self.ny)
        self.step_m: FloatArray = np.array([space.size_m[0] / self.nx, space.size_m[1] / self.ny])
        self.centre_m: FloatArray = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1).reshape(-1, 2)
        free = np.ones((self.nx, self.ny), np.bool_)
        boxes = (space.box_center_m, space.box_half_m, space.box_yaw_rad)
        _block(free, self.step_m, *boxes, CLEARANCE_M)
        edge = np.minimum(self.centre_m, space.size_m - self.centre_m).min(axis=1)
        self.free: BoolArray = free.ravel() & (edge >= min(WALL_CLEARANCE_M, 0.45 * CELL_M))
        self.fine_m: FloatArray = self.step_m / FINE
        self.wide: BoolArray = np.ones((self.nx * FINE, self.ny * FINE), np.bool_)
        _block(self.wide, self.fine_m, *boxes, SIGHT_CLEARANCE_M)
        self._graph = self._edges()
        self.part: IntArray = np.asarray(connected_components(self._graph, directed=False)[1], np.int64)

    def _edges(self) -> csr_matrix:
        free = self.free.reshape(self.nx, self.ny)
        index = np.arange(free.size).reshape(self.nx, self.ny)
        rows, columns, costs = [], [], []
        for dx, dy in ((1, 0), (0, 1), (1, 1), (1, -1)):
            a = (slice(0, self.nx - dx), slice(max(0, -dy), self.ny - max(0, dy)))
            b = (slice(dx, self.nx), slice(max(0, dy), self.ny + min(0, dy)))
            joined = free[a] & free[b]
            if dx and dy:  # no cutting of corners
                c = (slice(dx, self.nx), a[1])
                e = (slice(0, self.nx - dx), b[1])
                joined &= free[c] & free[e]
            rows.append(index[a][joined])
            columns.append(index[b][joined])
            costs.append(np.full(int(joined.sum()), float(np.hypot(dx * self.step_m[0], dy * self.step_m[1]))))
        size = free.size
        return csr_matrix((np.concatenate(costs), (np.concatenate(rows), np.concatenate(columns))), shape=(size, size))

    def cell(self, xy_m: FloatArray) -> IntArray:
        """Cells (k,) of points (k, 2) [m], the nearest one for points outside."""
        ij = np.clip((xy_m / self.step_m).astype(np.int64), 0, (self.nx - 1, self.ny - 1))
        return np.asarray(ij[:, 0] * self.ny + ij[:, 1], dtype=np.int64)

    def nearest_free(self, xy_m: FloatArray) -> IntArray:
        """Nearest free cell (k,) of each point (k, 2) [m]."""
        cells = np.flatnonzero(self.free)
        out = np.empty(len(xy_m), np.int64)
        for k, point in enumerate(xy_m):
            out[k] = cells[np.hypot(*(self.centre_m[cells] - point).T).argmin()]
        return out

    def sees(self, a_m: FloatArray, b_m: FloatArray) -> bool:
        """Tell whether one can walk straight from a (2,) to b (2,) [m], apart from the 0.4 m around both."""
        return bool(sees(self.wide, self.fine_m, a_m[0], a_m[1], b_m[0], b_m[1], 0.4))

    def ways_to(self, cells: IntArray) -> tuple[FloatArray, IntArray]:
        """Shortest ways to goal cells.

        Parameters
        ----------
        cells : (g,) goals.

        Returns
        -------
        distance_m, ahead : (g, nx * ny) way from each cell to each goal (inf where there is none), and the farthest cell
            on it that one sees, up to 16 cells ahead; -1 in the goal itself and where there is no way.
        """
        distance, before = dijkstra(self._graph, directed=False, indices=cells, return_predecessors=True)
        ahead = np.empty(before.shape, np.int32)
        _, (i, j) = distance_transform_edt(~self.free.reshape(self.nx, self.ny), return_indices=True)
        nearest = np.asarray(i.ravel() * self.ny + j.ravel(), np.int64)
        _steer(np.asarray(before, np.int64), nearest, self.centre_m, self.wide, self.fine_m, ahead)
        return np.asarray(distance, np.float64), np.asarray(ahead)
