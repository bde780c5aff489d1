"""The free floor as a grid, and the shortest ways over it to every station."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from humans.types import BoolArray, FloatArray, IntArray, WalkSpace

CELL_M = 0.5
CLEARANCE_M = 0.35  # half a shoulder breadth and a hand
WALL_CLEARANCE_M = 0.30


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


class Floor:
    """Free cells of a hall and the ways between them.

    Parameters
    ----------
    space : the hall's floor.

    Attributes
    ----------
    nx, ny : cells along and across. free : (nx * ny,) cells that a person can stand in.
    centre_m : (nx * ny, 2) middles of the cells [m].
    """

    def __init__(self, space: WalkSpace) -> None:
        self.space = space
        self.nx, self.ny = (max(1, int(np.floor(s / CELL_M))) for s in space.size_m)
        x = (np.arange(self.nx) + 0.5) * (space.size_m[0] / self.nx)
        y = (np.arange(self.ny) + 0.5) * (space.size_m[1] / self.ny)
        self.step_m: FloatArray = np.array([space.size_m[0] / self.nx, space.size_m[1] / self.ny])
        self.centre_m: FloatArray = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1).reshape(-1, 2)
        free = np.ones(len(self.centre_m), np.bool_)
        if len(space.box_name):
            free &= box_distance_m(space, self.centre_m).min(axis=1) >= CLEARANCE_M
        edge = np.minimum(self.centre_m, space.size_m - self.centre_m).min(axis=1)
        self.free: BoolArray = free & (edge >= min(WALL_CLEARANCE_M, 0.45 * CELL_M))
        self._graph = self._edges()

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

    def ways_to(self, cells: IntArray) -> tuple[FloatArray, IntArray]:
        """Shortest ways to goal cells.

        Parameters
        ----------
        cells : (g,) goals.

        Returns
        -------
        distance_m, next_cell : (g, nx * ny) way from each cell to each goal (inf where there is none), and the next cell on it.
        """
        distance, before = dijkstra(self._graph, directed=False, indices=cells, return_predecessors=True)
        return np.asarray(distance, np.float64), np.asarray(before, np.int64)
