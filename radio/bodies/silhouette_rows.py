"""The quick integral over a silhouette: every part's intervals at all heights at once, joined by Filon's rule.

``silhouette_slabs`` places its slabs by the corners of all parts and halves them where edges change; that is what the
model's accuracy is measured on. A tick of a twin asks for hundreds of pairs, and its answer is good enough with fewer slabs,
which mind the silhouette's two ends only. As their heights are known beforehand, a part's left and right ends at all of them are
computed in one straight loop, part by part, and only then merged height by height.
"""

from __future__ import annotations

import math

import numba as nb
import numpy as np

from radio.bodies.fresnel import fresnel_and_phase, fresnel_everywhere
from radio.bodies.silhouette_slabs import GAUSS
from radio.types import SHAPE_RECTANGLE

# How far the slabs reach, how thick they are beside the ray, and which share of their distance farther out [Fresnel units]: where
# the nearest edge is close to the ray, and where it is not; and the same for weak paths.
ROWS = np.array([[7.0, 0.3, 0.2], [4.5, 0.7, 0.3], [5.0, 0.6, 0.3], [4.5, 0.8, 0.35]])
# Slabs fade out from this share of their reach on.
_FADE_FROM = 0.55
MAX_ROWS = 128


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _heights(low, high, rows, table, height, weight):  # type: ignore[no-untyped-def]
    """Two Gauss places a slab from low to high, and their Filon weights (real, imaginary); returns how many."""
    reach, thick, growth = rows[0], rows[1], rows[2]
    n = 0
    at = low
    c1, s1, cos1, sin1 = fresnel_and_phase(low, table)
    while n < MAX_ROWS:
        step = max(thick, growth * at, -growth / (1.0 + growth) * at)
        rest = high - at
        if rest <= 1.25 * step or n == MAX_ROWS - 2:
            to = high
        elif rest <= 2.0 * step:
            to = at + 0.5 * rest
        else:
            to = at + step
        c2, s2, cos2, sin2 = fresnel_and_phase(to, table)
        middle, part = 0.5 * (at + to), 0.5 * GAUSS * (to - at)
        m0r, m0i = c2 - c1, s1 - s2
        # Integral of v exp(...) is (E1 - E2) / (j pi) with E = cos - j sin.
        m1r = ((sin2 - sin1) / math.pi - middle * m0r) / part
        m1i = ((cos2 - cos1) / math.pi - middle * m0i) / part
        x = min(max((abs(middle) / reach - _FADE_FROM) / (1.0 - _FADE_FROM), 0.0), 1.0)
        fade = 0.5 * (1.0 - x * x * (3.0 - 2.0 * x))
        height[n], height[n + 1] = middle - part, middle + part
        weight[0, n], weight[1, n] = fade * (m0r - m1r), fade * (m0i - m1i)
        weight[0, n + 1], weight[1, n + 1] = fade * (m0r + m1r), fade * (m0i + m1i)
        n += 2
        if to >= high:
            break
        at, c1, s1, cos1, sin1 = to, c2, s2, cos2, sin2
    return n


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _round(cut, v, left, right):  # type: ignore[no-untyped-def]
    """Left and right ends of a round part at heights v."""
    c2, c3, c4, c5, c6, c7 = cut[2], cut[3], cut[4], cut[5], cut[6], cut[7]
    c8, c9, c10, c11 = cut[8], cut[9], cut[10], cut[11]
    for i in range(v.shape[0]):
        t = min(max((v[i] - c6) * c8, 0.0), 1.0)
        off = v[i] - c3 - t * c5
        e = off * c11
        right[i] = c2 + t * c4 + c9 * off + c10 * math.sqrt(max(1.0 - e * e, 0.0))
        t = min(max((v[i] - c7) * c8, 0.0), 1.0)
        off = v[i] - c3 - t * c5
        e = off * c11
        left[i] = c2 + t * c4 + c9 * off - c10 * math.sqrt(max(1.0 - e * e, 0.0))


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _square(cut, v, left, right):  # type: ignore[no-untyped-def]
    """Left and right ends of a box at heights v."""
    for i in range(v.shape[0]):
        a = cut[2]
        b = a
        rest = v[i] - cut[0]
        for j in range(3, 12, 3):
            b += cut[j + 1] * min(max(rest * cut[j + 2], 0.0), 1.0)
            rest -= cut[j]
        rest = v[i] - cut[0]
        for j in range(9, 2, -3):
            a += cut[j + 1] * min(max(rest * cut[j + 2], 0.0), 1.0)
            rest -= cut[j]
        left[i], right[i] = a, b


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def integrate_rows(n, cut, kind, rows, table, height, weight, edge, count, ends):  # type: ignore[no-untyped-def]
    """Integral of exp(-j pi (u^2 + v^2) / 2) over the union of the parts, as real and imaginary part.

    Room: ``height`` (MAX_ROWS,), ``weight`` and ``edge`` (2, MAX_ROWS), ``count`` (MAX_ROWS,), ``ends`` (MAX_ROWS, n, 2).
    """
    low, high = math.inf, -math.inf
    for i in range(n):
        low = min(low, cut[i, 0])
        high = max(high, cut[i, 1])
    low, high = max(low, -rows[0]), min(high, rows[0])
    if low >= high:
        return 0.0, 0.0
    m = _heights(low, high, rows, table, height, weight)
    count[:m] = 0
    for p in range(n):
        first = 0
        while first < m and height[first] <= cut[p, 0]:
            first += 1
        last = first
        while last < m and height[last] < cut[p, 1]:
            last += 1
        if first == last:
            continue
        if kind[p] == SHAPE_RECTANGLE:
            _square(cut[p], height[first:last], edge[0], edge[1])
        else:
            _round(cut[p], height[first:last], edge[0], edge[1])
        for k in range(first, last):
            a, b = edge[0, k - first], edge[1, k - first]
            # Swallow every interval that the new one touches, then put it at the end: order does not matter for a sum.
            i, c = 0, count[k]
            while i < c:
                if ends[k, i, 0] <= b and ends[k, i, 1] >= a:
                    a, b = min(a, ends[k, i, 0]), max(b, ends[k, i, 1])
                    c -= 1
                    ends[k, i, 0], ends[k, i, 1] = ends[k, c, 0], ends[k, c, 1]
                else:
                    i += 1
            ends[k, c, 0], ends[k, c, 1] = a, b
            count[k] = c + 1
    sum_r, sum_i = 0.0, 0.0
    for k in range(m):
        re, im = 0.0, 0.0
        for i in range(count[k]):
            ca, sa = fresnel_everywhere(ends[k, i, 0], table)
            cb, sb = fresnel_everywhere(ends[k, i, 1], table)
            re += cb - ca
            im += sa - sb
        sum_r += re * weight[0, k] - im * weight[1, k]
        sum_i += re * weight[1, k] + im * weight[0, k]
    return sum_r, sum_i
