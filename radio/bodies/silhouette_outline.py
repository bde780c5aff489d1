"""The integral over a silhouette as one round its outline: no slabs, no window, and no cancellation in deep shadow.

With (r, theta) the polar coordinates about the ray, in Fresnel units, Stokes' theorem turns the surface integral of
``radio.bodies.blockage`` into

    field = 1 - inside + 1 / (2 pi) * integral round the outline of exp(-j pi r^2 / 2) dtheta

where ``inside`` is 1 for a ray that runs through the silhouette and 0 beside it. This is the boundary-diffraction wave of Maggi
and Rubinowicz for a distant source, and exact. Along a straight edge at distance a from the ray, with t counted from the foot of
the perpendicular, the integral from t to infinity is ``exp(-j pi (a^2 + t^2) / 2)`` times a smooth function of a and t, which is
read from a table. A part is a polygon with a middle: three pairs of edges for a box; for a round part its two straight sides, and
caps of three to six chords each, of the same area as the round cap. What of each edge lies inside another part is cut off.
"""

from __future__ import annotations

import math

import numba as nb
import numpy as np

from radio.types import SHAPE_CAPSULE, SHAPE_RECTANGLE, FloatArray

# Pairs of edges of a round part, by its largest half width [Fresnel units]: up to 1, up to 2, and beyond.
_PAIRS = (4, 5, 7)
_WIDE, _WIDER = 1.0, 2.0
MAX_PAIRS = max(_PAIRS)
# Edges nearer than this to each other are the same edge [Fresnel units]; the first part's counts.
SAME_EDGE = 1e-6
# The table's steps; in a / (a + t) and in (a + t) / (1 + a + t).
_STEPS = 64


def _edge_table() -> FloatArray:
    """Integral over s from t to infinity of a / (a^2 + s^2) exp(-j pi (s^2 - t^2) / 2), (65 * 65, 2), real and imaginary part."""
    share = np.linspace(0.0, 1.0, _STEPS + 1)
    share[-1] = 1.0 - 1e-4  # stands for infinity, where nothing is left
    total = np.maximum(share / (1.0 - share), 1e-6)[None, :, None]
    a = np.linspace(0.0, 1.0, _STEPS + 1)[:, None, None] * total
    t = total - a
    # Turned by 45 degrees into the lower half plane the integrand does not oscillate; it is sampled denser near its start.
    node, weight = np.polynomial.legendre.leggauss(48)
    span = np.log1p(8.0 / total)
    way = np.expm1(0.5 * span * (node + 1.0)) * total
    turn = np.exp(-0.25j * np.pi)
    s = t + turn * way
    with np.errstate(divide="ignore", invalid="ignore"):
        value = a / (a * a + s * s) * np.exp(-0.5j * np.pi * (s * s - t * t)) * turn * (way + total)
    tail = (np.nan_to_num(value) * weight * 0.5 * span).sum(axis=2)
    tail[:, -1] = 0.0
    return np.ascontiguousarray(np.stack((tail.real, tail.imag), axis=-1).reshape(-1, 2))


def _cap(pairs: int) -> FloatArray:
    """Corners of a cap about +x for a radius of 1, (MAX_PAIRS, 2), from its right side y = -1 round to its left."""
    angle = np.pi * (np.arange(1, pairs) / pairs - 0.5)
    low, high = 0.9, 1.0
    for _ in range(60):
        reach = 0.5 * (low + high)
        # Lines: the side y = -1, the chords at distance `reach`, the side y = 1.
        normal = np.concatenate(([-0.5 * np.pi], angle, [0.5 * np.pi]))
        off = np.concatenate(([1.0], np.full(len(angle), reach), [1.0]))
        n = np.stack((np.cos(normal), np.sin(normal)), axis=1)
        corner = np.stack([np.linalg.solve(n[k : k + 2], off[k : k + 2]) for k in range(pairs)])
        x, y = np.concatenate((corner, [[0.0, 1.0], [0.0, -1.0]])).T
        area = 0.5 * float(x @ np.roll(y, -1) - y @ np.roll(x, -1))
        if area < 0.5 * np.pi:
            low = reach
        else:
            high = reach
    return np.concatenate((corner, np.zeros((MAX_PAIRS - pairs, 2))))


EDGE_TABLE = _edge_table()
_CAPS = np.stack([_cap(pairs) for pairs in _PAIRS])


@nb.njit(cache=True, fastmath=False, error_model="numpy", inline="always")
def _wave(a, t, table):  # type: ignore[no-untyped-def]
    """Integral of exp(-j pi r^2 / 2) dtheta along an edge at distance a > 0 from t >= 0 to infinity."""
    total = a + t
    over = _STEPS / (total * (1.0 + total))
    x, y = a * (1.0 + total) * over, total * total * over
    i, k = int(min(x, _STEPS - 1.0)), int(min(y, _STEPS - 1.0))
    x -= i
    y -= k
    at = np.uint64(i * (_STEPS + 1) + k)
    up, next_row = np.uint64(1), np.uint64(_STEPS + 1)
    w00, w01, w10, w11 = (1.0 - x) * (1.0 - y), (1.0 - x) * y, x * (1.0 - y), x * y
    re = w00 * table[at, 0] + w01 * table[at + up, 0] + w10 * table[at + next_row, 0] + w11 * table[at + next_row + up, 0]
    im = w00 * table[at, 1] + w01 * table[at + up, 1] + w10 * table[at + next_row, 1] + w11 * table[at + next_row + up, 1]
    # exp(-j pi q / 2): quarter turns, and Taylor's series of what is left.
    q = a * a + t * t
    quarter = np.int64(q + 0.5)
    f = 0.5 * math.pi * (q - quarter)
    f2 = f * f
    cos = 1.0 - f2 * (0.5 - f2 * (1.0 / 24.0 - f2 / 720.0))
    sin = f * (1.0 - f2 * (1.0 / 6.0 - f2 * (1.0 / 120.0 - f2 / 5040.0)))
    if quarter & 1:
        cos, sin = -sin, cos
    if quarter & 2:
        cos, sin = -cos, -sin
    return re * cos + im * sin, im * cos - re * sin


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _polygons(n, flat, kind, scale, corner, line, bound):  # type: ignore[no-untyped-def]
    """Fill every part's corners, anticlockwise, its pairs of edges and its bounding box.

    ``corner`` (n, 2 MAX_PAIRS + 1, 2) with the first repeated; ``line`` (n, MAX_PAIRS + 1, 4): normal, middle along it and half
    width of each pair, and the number of pairs in the last; ``bound`` (n, 4): least x and y, most x and y.
    """
    for i in range(n):
        x, y = scale * flat[i, 0], scale * flat[i, 1]
        hx, hy = scale * flat[i, 2], scale * flat[i, 3]
        if kind[i] == SHAPE_RECTANGLE:
            ax, ay, bx, by = scale * flat[i, 4], scale * flat[i, 5], scale * flat[i, 6], scale * flat[i, 7]
            # Half edges by the angle in which they are walked, 0 to 180 degrees.
            if hy < 0.0 or (hy == 0.0 and hx < 0.0):
                hx, hy = -hx, -hy
            if ay < 0.0 or (ay == 0.0 and ax < 0.0):
                ax, ay = -ax, -ay
            if by < 0.0 or (by == 0.0 and bx < 0.0):
                bx, by = -bx, -by
            if hx * by - hy * bx < 0.0:
                hx, hy, bx, by = bx, by, hx, hy
            if hx * ay - hy * ax < 0.0:
                hx, hy, ax, ay = ax, ay, hx, hy
            if ax * by - ay * bx < 0.0:
                ax, ay, bx, by = bx, by, ax, ay
            pairs = 3
            px, py = hx - ax - bx, hy - ay - by
            corner[i, 0, 0], corner[i, 0, 1] = px - 2.0 * hx, py - 2.0 * hy
            corner[i, 1, 0], corner[i, 1, 1] = px, py
            corner[i, 2, 0], corner[i, 2, 1] = px + 2.0 * ax, py + 2.0 * ay
        else:
            # In coordinates that make the ellipse a unit circle, a cap looks along the axis.
            if kind[i] == SHAPE_CAPSULE:
                m00, m10, m11 = scale * flat[i, 4], 0.0, scale * flat[i, 4]
            else:
                ax, ay, bx, by = scale * flat[i, 4], scale * flat[i, 5], scale * flat[i, 6], scale * flat[i, 7]
                m00 = max(math.sqrt(ax * ax + bx * bx), 1e-3)
                m10 = (ax * ay + bx * by) / m00
                m11 = math.sqrt(max(ay * ay + by * by - m10 * m10, 1e-6))
            ux = hx / m00
            uy = (hy - m10 * ux) / m11
            length = math.sqrt(ux * ux + uy * uy)
            if length > 1e-9:
                ux, uy = ux / length, uy / length
            else:
                ux, uy = 1.0, 0.0
            most = max(m00, abs(m10) + m11)
            sort = 0 if most < _WIDE else (1 if most < _WIDER else 2)
            pairs = _PAIRS[sort]
            for k in range(pairs):
                cx, cy = _CAPS[sort, k, 0] * ux - _CAPS[sort, k, 1] * uy, _CAPS[sort, k, 0] * uy + _CAPS[sort, k, 1] * ux
                corner[i, k, 0], corner[i, k, 1] = hx + m00 * cx, hy + m10 * cx + m11 * cy
        wide, high = 0.0, 0.0
        for k in range(pairs):
            px, py = corner[i, k, 0], corner[i, k, 1]
            wide, high = max(wide, abs(px)), max(high, abs(py))
            corner[i, k, 0], corner[i, k, 1] = x + px, y + py
            corner[i, pairs + k, 0], corner[i, pairs + k, 1] = x - px, y - py
        corner[i, 2 * pairs, 0], corner[i, 2 * pairs, 1] = corner[i, 0, 0], corner[i, 0, 1]
        bound[i, 0], bound[i, 1], bound[i, 2], bound[i, 3] = x - wide, y - high, x + wide, y + high
        for k in range(pairs):
            dx, dy = corner[i, k + 1, 0] - corner[i, k, 0], corner[i, k + 1, 1] - corner[i, k, 1]
            length = math.sqrt(dx * dx + dy * dy)
            over = 1.0 / length if length > 1e-9 else 0.0
            nx, ny = dy * over, -dx * over
            line[i, k, 0], line[i, k, 1], line[i, k, 2] = nx, ny, nx * x + ny * y
            line[i, k, 3] = nx * corner[i, k, 0] + ny * corner[i, k, 1] - line[i, k, 2] if length > 1e-9 else 1.0
        line[i, MAX_PAIRS, 0] = pairs


@nb.njit(cache=True, fastmath=False, error_model="numpy", inline="always")
def _hide(line, j, first, px, py, dx, dy, length):  # type: ignore[no-untyped-def]
    """From which to which share of an edge (start, way) part j hides it; nothing where the first is not below the second.

    Of two edges that coincide, the part's that comes ``first`` counts.
    """
    low, high = 0.0, 1.0
    for k in range(np.int64(line[j, MAX_PAIRS, 0])):
        nx, ny, wide = line[j, k, 0], line[j, k, 1], line[j, k, 3]
        o, d = nx * px + ny * py - line[j, k, 2], nx * dx + ny * dy
        if abs(d) > 1e-7 * length:
            over = 1.0 / d
            middle, half = -o * over, abs(wide * over)
            low, high = max(low, middle - half), min(high, middle + half)
        elif abs(o) > wide - SAME_EDGE:
            # Outward normals (dy, -dx) of the edge, and n on the side where the edge is.
            same = o * (nx * dy - ny * dx) > 0.0
            if abs(o) > wide + SAME_EDGE or not same or first:
                return 1.0, 0.0
        if low >= high:
            break
    return low, high


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def outline_field(n, flat, kind, scale, table, corner, line, bound, near, open_low, open_high):  # type: ignore[no-untyped-def]
    """Field behind the union of the projected parts, over the free field, as real and imaginary part.

    ``flat`` and ``kind`` are as ``radio.bodies.silhouette_parts.project`` fills them, ``scale`` Fresnel units per metre. The
    other arrays but ``table`` are room: see ``_polygons``; ``near`` (n,), ``open_low`` and ``open_high`` (n + 1,).
    """
    _polygons(n, flat, kind, scale, corner, line, bound)
    inside = False
    sum_re, sum_im = 0.0, 0.0
    for i in range(n):
        beside = 0
        for j in range(n):
            if j != i and not (
                bound[j, 0] > bound[i, 2] or bound[j, 2] < bound[i, 0] or bound[j, 1] > bound[i, 3] or bound[j, 3] < bound[i, 1]
            ):
                near[beside] = j
                beside += 1
        pairs = np.int64(line[i, MAX_PAIRS, 0])
        around = True
        for e in range(2 * pairs):
            px, py = corner[i, e, 0], corner[i, e, 1]
            dx, dy = corner[i, e + 1, 0] - px, corner[i, e + 1, 1] - py
            length = math.sqrt(dx * dx + dy * dy)
            if length < 1e-9:
                continue
            a = (px * dy - py * dx) / length
            around = around and a > 0.0
            low_x, high_x = min(px, px + dx), max(px, px + dx)
            low_y, high_y = min(py, py + dy), max(py, py + dy)
            pieces, rest = 1, 0.0
            open_low[0], open_high[0] = 0.0, 1.0
            for index in range(beside):
                j = near[index]
                if bound[j, 0] > high_x or bound[j, 2] < low_x or bound[j, 1] > high_y or bound[j, 3] < low_y:
                    continue
                low, high = _hide(line, j, i < j, px, py, dx, dy, length)
                if low >= high:
                    continue
                k, split = 0, False
                while k < pieces:
                    if low >= open_high[k] or high <= open_low[k]:
                        k += 1
                    elif low <= open_low[k] and high >= open_high[k]:
                        pieces -= 1
                        open_low[k], open_high[k] = open_low[pieces], open_high[pieces]
                    else:
                        if low <= open_low[k]:
                            open_low[k] = high
                        elif high >= open_high[k]:
                            open_high[k] = low
                        else:
                            rest, split = open_high[k], True
                            open_high[k] = low
                        k += 1
                if split:
                    open_low[pieces], open_high[pieces] = high, rest
                    pieces += 1
                if pieces == 0:
                    break
            sign = 1.0 if a > 0.0 else -1.0
            a = max(abs(a), 1e-12)
            foot = (px * dx + py * dy) / length
            for k in range(pieces):
                t1, t2 = foot + open_low[k] * length, foot + open_high[k] * length
                r1, i1 = _wave(a, abs(t1), table)
                r2, i2 = _wave(a, abs(t2), table)
                if t1 >= 0.0:
                    re, im = r1 - r2, i1 - i2
                elif t2 <= 0.0:
                    re, im = r2 - r1, i2 - i1
                else:
                    r0, i0 = _wave(a, 0.0, table)
                    re, im = 2.0 * r0 - r1 - r2, 2.0 * i0 - i1 - i2
                sum_re += sign * re
                sum_im += sign * im
        inside = inside or around
    over = 0.5 / math.pi
    return (0.0 if inside else 1.0) + over * sum_re, over * sum_im
