"""Occupied cells as few rectangles."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit


def cover(cells: npt.NDArray[np.bool_]) -> list[tuple[int, int, int, int]]:
    """Cover the true cells exactly by rectangles that do not overlap, the largest first.

    Parameters
    ----------
    cells : (rows, columns).

    Returns
    -------
    list of (row, column, height, width), in cells. Taking the largest rectangle that is left, again and again, is not the
    fewest there can be, but near it for walls and racks.
    """
    left = np.ascontiguousarray(cells, dtype=np.uint8).copy()
    rectangles = []
    while left.any():
        row, column, height, width = (int(v) for v in _largest(left))
        left[row : row + height, column : column + width] = 0
        rectangles.append((row, column, height, width))
    return rectangles


@njit(cache=True)
def _largest(cells):  # type: ignore[no-untyped-def]
    """Return row, column, height and width of the largest rectangle of ones (histogram of heights and a stack per row)."""
    rows, columns = cells.shape
    high = np.zeros(columns + 1, np.int64)
    stack = np.zeros(columns + 1, np.int64)
    best, at = 0, (0, 0, 0, 0)
    for i in range(rows):
        top = 0
        for j in range(columns + 1):
            if j < columns:
                high[j] = high[j] + 1 if cells[i, j] else 0
            while top > 0 and high[stack[top - 1]] >= high[j]:
                tall = high[stack[top - 1]]
                top -= 1
                left = stack[top - 1] + 1 if top > 0 else 0
                area = tall * (j - left)
                if area > best:
                    best = area
                    at = (i - tall + 1, left, tall, j - left)
            stack[top] = j
            top += 1
    return at
