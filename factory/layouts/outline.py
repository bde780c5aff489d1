"""The smallest rectangle around an outline."""

from __future__ import annotations

import math

import numpy as np
from scipy.spatial import ConvexHull, QhullError


def smallest_rectangle(points: list[tuple[float, float]]) -> tuple[float, float, float, float, float, float]:
    """Return the rectangle of least area around points.

    One of its sides lies along a side of the convex hull (Freeman and Shapira 1975), so only those directions are tried.

    Parameters
    ----------
    points : outline, at least two points [m].

    Returns
    -------
    x, y, length, width : centre and sides [m], length the longer one. yaw_deg : direction of the length, -90 < yaw <= 90.
    share : part of the rectangle that the outline's area fills, 0..1.
    """
    p = np.array(points, dtype=np.float64)
    try:
        hull = p[ConvexHull(p).vertices]
    except (QhullError, ValueError):  # all on one line
        a, b = p[0], p[int(np.hypot(*(p - p[0]).T).argmax())]
        middle = (a + b) / 2
        return float(middle[0]), float(middle[1]), float(np.hypot(*(b - a))), 0.0, 0.0, 0.0
    side = np.roll(hull, -1, axis=0) - hull
    best: tuple[float, ...] = ()
    for angle in np.unique(np.round(np.arctan2(side[:, 1], side[:, 0]) % (math.pi / 2), 9)):
        cos, sin = math.cos(angle), math.sin(angle)
        u, v = hull[:, 0] * cos + hull[:, 1] * sin, -hull[:, 0] * sin + hull[:, 1] * cos
        area = float((u.max() - u.min()) * (v.max() - v.min()))
        if not best or area < best[0] - 1e-9:
            best = (area, float(angle), float(u.min()), float(u.max()), float(v.min()), float(v.max()))
    area, angle, u0, u1, v0, v1 = best
    u, v = (u0 + u1) / 2, (v0 + v1) / 2
    x, y = u * math.cos(angle) - v * math.sin(angle), u * math.sin(angle) + v * math.cos(angle)
    length, width, yaw = u1 - u0, v1 - v0, angle
    if width > length:
        length, width, yaw = width, length, angle + math.pi / 2
    yaw_deg = math.degrees(yaw)
    yaw_deg = yaw_deg - 180.0 if yaw_deg > 90.0 + 1e-9 else yaw_deg
    q = np.roll(p, -1, axis=0)
    filled = abs(float((p[:, 0] * q[:, 1] - q[:, 0] * p[:, 1]).sum())) / 2
    return x, y, length, width, yaw_deg, min(1.0, filled / area) if area > 0 else 0.0
