"""The integral over a silhouette: exact across it, by Filon's rule of two Gauss places a slab along its nearest edge."""

from __future__ import annotations

import math

import numba as nb
import numpy as np

from radio.bodies.fresnel import fresnel_and_phase, fresnel_everywhere
from radio.types import SHAPE_RECTANGLE

# How fine slabs are: how thick beside the ray, and which share of their distance farther out [Fresnel units]; how near to each
# other ends of parts share a border [Fresnel units]; by how much these three grow where only the nearest edge matters
# (``coarse`` 1); how often a slab is halved where its two places see different edges; by how many times about pi an edge's own
# phase may turn within half a slab before it is integrated with that phase.
FINE = np.array([0.06, 0.03, 0.03, 0.08, 0.04, 0.02, 3.0, 0.3, 0.005])
SWING, SPLIT_AREA = 7, 8
# ... and only if that may matter by this area.
SPLIT_GAP = 0.1
GAUSS = 1.0 / math.sqrt(3.0)
MAX_SLABS = 800


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _slabs(low, high, ends, m, coarse, grain, border):  # type: ignore[no-untyped-def]
    """Set slabs' borders from low to high: at the ends of parts, and as dense as v = 0 is near; returns how many."""
    for i in range(1, m):
        value = ends[i]
        k = i
        while k > 0 and ends[k - 1] > value:
            ends[k] = ends[k - 1]
            k -= 1
        ends[k] = value
    border[0] = low
    slab, growth, same = grain[0] + coarse * grain[3], grain[1] + coarse * grain[4], grain[2] + coarse * grain[5]
    n = 1
    i = 0
    at = low
    while n < MAX_SLABS:
        while i < m and ends[i] < at + same:
            i += 1
        to = high if i >= m or ends[i] > high - same else ends[i]
        step = max(slab, growth * at, -growth / (1.0 + growth) * at)
        rest = to - at
        if rest <= 1.25 * step:
            at = to
        elif rest <= 2.0 * step:
            at += 0.5 * rest
        else:
            at += step
        border[n] = at
        n += 1
        if at >= high:
            break
    border[n - 1] = high
    return n


@nb.njit(cache=True, fastmath=False, error_model="numpy", inline="always")
def _row(v, active, n_active, cut, kind, ends, parts):  # type: ignore[no-untyped-def]
    """Merge the parts' intervals at height v: ``ends`` (n, 2) from left to right, ``parts`` (n, 2) whose edges they are."""
    n = 0
    for index in range(n_active):
        p = active[index]
        if v <= cut[p, 0] or v >= cut[p, 1]:
            continue
        if kind[p] == SHAPE_RECTANGLE:
            a = cut[p, 2]
            b = a
            rest = v - cut[p, 0]
            for j in range(3, 12, 3):
                b += cut[p, j + 1] * min(max(rest * cut[p, j + 2], 0.0), 1.0)
                rest -= cut[p, j]
            rest = v - cut[p, 0]
            for j in range(9, 2, -3):
                a += cut[p, j + 1] * min(max(rest * cut[p, j + 2], 0.0), 1.0)
                rest -= cut[p, j]
        else:
            t = min(max((v - cut[p, 6]) * cut[p, 8], 0.0), 1.0)
            off = v - cut[p, 3] - t * cut[p, 5]
            e = off * cut[p, 11]
            b = cut[p, 2] + t * cut[p, 4] + cut[p, 9] * off + cut[p, 10] * math.sqrt(max(1.0 - e * e, 0.0))
            t = min(max((v - cut[p, 7]) * cut[p, 8], 0.0), 1.0)
            off = v - cut[p, 3] - t * cut[p, 5]
            e = off * cut[p, 11]
            a = cut[p, 2] + t * cut[p, 4] + cut[p, 9] * off - cut[p, 10] * math.sqrt(max(1.0 - e * e, 0.0))
        i = 0
        while i < n and ends[i, 1] < a:
            i += 1
        if i == n or ends[i, 0] > b:
            for j in range(n, i, -1):
                ends[j, 0], ends[j, 1] = ends[j - 1, 0], ends[j - 1, 1]
                parts[j, 0], parts[j, 1] = parts[j - 1, 0], parts[j - 1, 1]
            ends[i, 0], ends[i, 1] = a, b
            parts[i, 0], parts[i, 1] = p, p
            n += 1
            continue
        if a < ends[i, 0]:
            ends[i, 0] = a
            parts[i, 0] = p
        if b > ends[i, 1]:
            ends[i, 1] = b
            parts[i, 1] = p
            j = i + 1
            while j < n and ends[j, 0] <= b:
                if ends[j, 1] > b:
                    ends[i, 1] = ends[j, 1]
                    parts[i, 1] = parts[j, 1]
                    j += 1
                    break
                j += 1
            gone = j - i - 1
            if gone > 0:
                for k in range(j, n):
                    ends[k - gone, 0], ends[k - gone, 1] = ends[k, 0], ends[k, 1]
                    parts[k - gone, 0], parts[k - gone, 1] = parts[k, 0], parts[k, 1]
                n -= gone
    return n


@nb.njit(cache=True, fastmath=False, error_model="numpy", inline="always")
def _across(ends, n, table):  # type: ignore[no-untyped-def]
    """Sum of F = C - j S between both ends of n intervals, as real and imaginary part."""
    re, im = 0.0, 0.0
    for j in range(n):
        ca, sa = fresnel_everywhere(ends[j, 0], table)
        cb, sb = fresnel_everywhere(ends[j, 1], table)
        re += cb - ca
        im += sa - sb
    return re, im


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _edge_integral(u1, u2, v1, v2, slope, table):  # type: ignore[no-untyped-def]
    """Integral of F(u(v)) exp(-j pi v^2 / 2) from v1 to v2 along a straight edge from u1 to u2 that does not cross u = 0.

    F(u) is its limit plus exp(-j pi u^2/2) h(u) with a smooth h; the two phases together are quadratic along the edge, so that h
    may be taken as linear and the rest is exact.
    """
    limit = 0.5 if u1 + u2 > 0.0 else -0.5
    c, s, cos, sin = fresnel_and_phase(u1, table)
    c, s = c - limit, limit - s
    h1r, h1i = c * cos - s * sin, c * sin + s * cos
    c, s, cos, sin = fresnel_and_phase(u2, table)
    c, s = c - limit, limit - s
    h2r, h2i = c * cos - s * sin, c * sin + s * cos
    c1, s1 = fresnel_everywhere(v1, table)
    c2, s2 = fresnel_everywhere(v2, table)
    # limit (1 - j) (dC - j dS)
    dc, ds = limit * (c2 - c1), limit * (s2 - s1)
    re, im = dc - ds, -dc - ds
    norm = math.sqrt(1.0 + slope * slope)
    t1, t2 = (v1 + slope * u1) / norm, (v2 + slope * u2) / norm
    a = (u1 - slope * v1) / norm
    c1, s1, cos1, sin1 = fresnel_and_phase(t1, table)
    c2, s2, cos2, sin2 = fresnel_and_phase(t2, table)
    m0r, m0i = c2 - c1, s1 - s2
    m1r, m1i = (sin2 - sin1) / math.pi, (cos2 - cos1) / math.pi
    # h = h1 + (h2 - h1) (t - t1) / (t2 - t1)
    span = max(t2 - t1, 1e-12)
    m1r, m1i = (m1r - t1 * m0r) / span, (m1i - t1 * m0i) / span
    h2r, h2i = h2r - h1r, h2i - h1i
    xr = h1r * m0r - h1i * m0i + h2r * m1r - h2i * m1i
    xi = h1r * m0i + h1i * m0r + h2r * m1i + h2i * m1r
    _, _, cos, sin = fresnel_and_phase(a, table)
    cos, sin = cos / norm, sin / norm
    return re + xr * cos + xi * sin, im + xi * cos - xr * sin


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def integrate(n, cut, kind, ends, m, window, coarse, grain, table, border, active, row_ends, row_parts, stack):  # type: ignore[no-untyped-def]
    """Integral of exp(-j pi (u^2 + v^2) / 2) over the union of the parts, as real and imaginary part."""
    low, high = math.inf, -math.inf
    for i in range(n):
        low = min(low, cut[i, 0])
        high = max(high, cut[i, 1])
    low, high = max(low, -window), min(high, window)
    if low >= high:
        return 0.0, 0.0
    borders = _slabs(low, high, ends, m, coarse, grain, border)
    ends1, ends2, parts1, parts2 = row_ends[0], row_ends[1], row_parts[0], row_parts[1]
    sum_re, sum_im = 0.0, 0.0
    swing, split_area = grain[SWING], grain[SPLIT_AREA]
    splits = grain[6] if coarse < 0.5 else 0.0
    at, c2, s2, cos2, sin2 = math.inf, 0.0, 0.0, 0.0, 0.0
    for slab in range(borders - 1):
        n_active = 0
        for i in range(n):
            if cut[i, 0] < border[slab + 1] and cut[i, 1] > border[slab]:
                active[n_active] = i
                n_active += 1
        if n_active == 0:
            continue
        stack[0, 0], stack[0, 1] = border[slab], border[slab + 1]
        stack[0, 2] = 0.0
        waiting = 1
        while waiting > 0:
            waiting -= 1
            v1, v2, depth = stack[waiting, 0], stack[waiting, 1], stack[waiting, 2]
            middle, half = 0.5 * (v1 + v2), 0.5 * (v2 - v1)
            step = GAUSS * half
            n1 = _row(middle - step, active, n_active, cut, kind, ends1, parts1)
            n2 = _row(middle + step, active, n_active, cut, kind, ends2, parts2)
            if depth < splits:
                wrong = 0.0
                if n1 == n2:
                    for j in range(n1):
                        for side in range(2):
                            if parts1[j, side] != parts2[j, side]:
                                wrong += abs(ends1[j, side] - ends2[j, side])
                else:
                    for j in range(n1):
                        wrong += ends1[j, 1] - ends1[j, 0]
                    for j in range(n2):
                        wrong -= ends2[j, 1] - ends2[j, 0]
                    wrong = abs(wrong) + SPLIT_GAP
                if wrong * half > split_area:
                    stack[waiting, 0], stack[waiting, 1], stack[waiting, 2] = middle, v2, depth + 1.0
                    stack[waiting + 1, 0], stack[waiting + 1, 1], stack[waiting + 1, 2] = v1, middle, depth + 1.0
                    waiting += 2
                    continue
            # Filon weights of the two Gauss places, from the moments of exp(-j pi v^2 / 2).
            if v1 != at:
                c2, s2, cos2, sin2 = fresnel_and_phase(v1, table)
            c1, s1, cos1, sin1 = c2, s2, cos2, sin2
            c2, s2, cos2, sin2 = fresnel_and_phase(v2, table)
            at = v2
            m0r, m0i = c2 - c1, s1 - s2
            # Integral of v exp(...) is (E1 - E2) / (j pi) with E = cos - j sin.
            m1r = ((sin2 - sin1) / math.pi - middle * m0r) / step
            m1i = ((cos2 - cos1) / math.pi - middle * m0i) / step
            w1r, w1i, w2r, w2i = 0.5 * (m0r - m1r), 0.5 * (m0i - m1i), 0.5 * (m0r + m1r), 0.5 * (m0i + m1i)
            re, im = 0.0, 0.0
            if n1 == n2:
                for j in range(n1):
                    for side in range(2):
                        sign = 2.0 * side - 1.0
                        x1, x2 = ends1[j, side], ends2[j, side]
                        slope = (x2 - x1) / (2.0 * step)
                        x0 = 0.5 * (x1 + x2)
                        reach = abs(slope) * half
                        if (abs(x0) + reach) * reach < swing:
                            ca, sa = fresnel_everywhere(x1, table)
                            cb, sb = fresnel_everywhere(x2, table)
                            dr = w1r * ca + w1i * sa + w2r * cb + w2i * sb
                            di = w1i * ca - w1r * sa + w2i * cb - w2r * sb
                        else:
                            u1, u2 = x0 - slope * half, x0 + slope * half
                            if u1 * u2 < 0.0:
                                v0 = v1 - u1 / slope
                                er, ei = _edge_integral(u1, 0.0, v1, v0, slope, table)
                                fr, fi = _edge_integral(0.0, u2, v0, v2, slope, table)
                                dr, di = er + fr, ei + fi
                            else:
                                dr, di = _edge_integral(u1, u2, v1, v2, slope, table)
                        re += sign * dr
                        im += sign * di
            else:
                c, s = _across(ends1, n1, table)
                re += w1r * c - w1i * s
                im += w1r * s + w1i * c
                c, s = _across(ends2, n2, table)
                re += w2r * c - w2i * s
                im += w2r * s + w2i * c
            far = max(abs(middle) / window - 0.6, 0.0) * 2.5
            if far > 0.0:
                fade = max(1.0 - far * far * (3.0 - 2.0 * far), 0.0)
                re *= fade
                im *= fade
            sum_re += re
            sum_im += im
    return sum_re, sum_im
