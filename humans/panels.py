"""Where hand-held panels are: before the chest, and never inside a rack or a wall."""

from __future__ import annotations

import numpy as np
from numba import njit

from humans.types import FloatArray, IntArray, WalkSpace

REACHES = np.array((1.0, 0.85, 0.7, 0.55, 0.4))
"""Shares of the comfortable reach that a holder tries, farthest first."""
GAP_M = 0.05


@njit(cache=True)
def hold(panel, position, holder, size, box_c, box_h, box_yaw, reaches, gap) -> None:  # type: ignore[no-untyped-def]
    """Draw panels in; see :func:`hold_clear`."""
    for k in range(holder.shape[0]):
        px, py = position[holder[k], 0], position[holder[k], 1]
        dx, dy = panel[k, 0] - px, panel[k, 1] - py
        for r in range(reaches.shape[0]):
            x, y = px + reaches[r] * dx, py + reaches[r] * dy
            free = gap < x < size[0] - gap and gap < y < size[1] - gap
            for b in range(box_c.shape[0]):
                reach = box_h[b, 0] + box_h[b, 1] + 2.0 * gap  # farther than this from its middle is outside the box anyway
                if abs(x - box_c[b, 0]) > reach or abs(y - box_c[b, 1]) > reach:
                    continue
                c, s = np.cos(box_yaw[b]), np.sin(box_yaw[b])
                u, v = (x - box_c[b, 0]) * c + (y - box_c[b, 1]) * s, -(x - box_c[b, 0]) * s + (y - box_c[b, 1]) * c
                if abs(u) < box_h[b, 0] + gap and abs(v) < box_h[b, 1] + gap:
                    free = False
                    break
            panel[k, 0], panel[k, 1] = x, y
            if free:
                break


def hold_clear(panel_m: FloatArray, position_m: FloatArray, holder: IntArray, space: WalkSpace) -> FloatArray:
    """Draw panels (k, 3) [m] of ``holder`` (k,) towards their holders' bodies (n, 2) where a box or wall is in the way, in place.

    Returns
    -------
    (k, 3) the same array.
    """
    hold(
        panel_m, position_m, holder, space.size_m, space.box_center_m, space.box_half_m, space.box_yaw_rad,
        REACHES, GAP_M,
    )  # fmt: skip
    return panel_m
