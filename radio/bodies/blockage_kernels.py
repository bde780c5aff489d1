"""Kernels of ``radio.bodies.blockage``, where the model is described; equations of TR 38.901 7.6.4.2.

No kernel here calls one of another file: numba's cache of a kernel looks at the kernel's own file only.
"""

from __future__ import annotations

import math

import numba as nb
import numpy as np

from radio.types import SHAPE_CAPSULE, SHAPE_RECTANGLE

TAPER_START = 4.0
TAPER_END = 6.0
LARGEST_SHADOW = 1.0 - 10.0 ** (-60.0 / 20.0)
BOUND = math.sqrt(math.pi / 2.0)
# 1 / (pi 0.97 (pi/2) sqrt(pi/2)), rounded up: see view_bound.
OUTSIDE = 0.1668
WORST_FROM = 1.0 - 10.0 ** (-0.5 / 20.0)


@nb.njit(cache=True, fastmath=False, error_model="numpy", inline="always")
def _edge(edge, near, far, k):  # type: ignore[no-untyped-def]
    """Argument of the arctangent for an edge this far from the ray [m], its sign kept: (pi/2) sqrt((pi/lambda)(D1 + D2 - r))."""
    e2 = edge * edge
    if e2 == 0.0:
        return 0.0
    # D - r in the form that does not cancel: sqrt(r^2 + e^2) - r = e^2 / (sqrt(r^2 + e^2) + r)
    to_near = math.sqrt(near * near + e2) + near
    to_far = math.sqrt(far * far + e2) + far
    excess = e2 * (to_near + to_far) / (to_near * to_far)
    x = 0.5 * math.pi * math.sqrt(k * excess)
    return x if edge >= 0.0 else -x


@nb.njit(cache=True, fastmath=False, error_model="numpy", inline="always")
def view(offset, half, near, far, k):  # type: ignore[no-untyped-def]
    """F1 + F2 of one view (TR 38.901 equation 7.6-29): + on both edges inside, - on the nearer edge outside."""
    x1 = _edge(half - offset, near, far, k)
    x2 = _edge(half + offset, near, far, k)
    # atan x1 + atan x2 in one call; it lies in 0..pi, since the farther edge is always + and the sum is not negative
    top, bottom = x1 + x2, 1.0 - x1 * x2
    if bottom > 0.0:
        return math.atan(top / bottom) / math.pi
    return 0.5 - math.atan(bottom / top) / math.pi


@nb.njit(cache=True, fastmath=False, error_model="numpy", inline="always")
def view_bound(gap, half, fresnel, nearest):  # type: ignore[no-untyped-def]
    """Cheap upper bound of ``view`` for an edge that lies ``gap`` outside the ray (0: the screen covers it).

    A view's sum is below 1, and below sqrt(pi/2) half / fresnel, since x <= (pi/2) sqrt(pi/2) edge / fresnel and atan x <= x.
    Outside it is atan x2 - atan x1 over pi, so at most 1/2 and below 1 / (pi x1), where
    x1 >= 0.97 (pi/2) sqrt(pi/2) gap / fresnel as long as the gap is at most half the distance to the ``nearest`` end of the ray.
    """
    bound = min(1.0, BOUND * half / fresnel)
    if gap > 0.0:
        bound = min(bound, 0.5)
        if 2.0 * gap <= nearest:
            bound = min(bound, OUTSIDE * fresnel / gap)
    return bound


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _prepare(start, end, half, shape, owner, centre, radius, group_start, group_sphere):  # type: ignore[no-untyped-def]
    """Screen centres and bounding radii, and one bounding sphere per run of screens with the same owner.

    Returns the number of runs and the number of owners, or (-1, i) where screen i has no owner, (-2, i) where it is not finite.
    """
    n = start.shape[0]
    runs = 0
    owners = 0
    for i in range(n):
        if owner[i] < 0:
            return -1, i
        owners = max(owners, owner[i] + 1)
        along = 0.0
        for c in range(3):
            centre[c, i] = 0.5 * (start[i, c] + end[i, c])
            along += (end[i, c] - start[i, c]) ** 2
        wide = half[i, 0] if shape[i] == SHAPE_CAPSULE else math.sqrt(half[i, 0] ** 2 + half[i, 1] ** 2)
        # The corner of the bounding rectangle: (half axis + wide) one way, wide the other.
        reach = 0.5 * math.sqrt(along) + wide
        radius[i] = math.sqrt(reach * reach + wide * wide)
        if not math.isfinite(radius[i] + centre[0, i] + centre[1, i] + centre[2, i]):
            return -2, i
        if i == 0 or owner[i] != owner[i - 1]:
            group_start[runs] = i
            runs += 1
    group_start[runs] = n
    for g in range(runs):
        first, last = group_start[g], group_start[g + 1]
        for c in range(3):
            low = centre[c, first]
            high = low
            for i in range(first + 1, last):
                low = min(low, centre[c, i])
                high = max(high, centre[c, i])
            group_sphere[c, g] = 0.5 * (low + high)
        reach = 0.0
        for i in range(first, last):
            d = 0.0
            for c in range(3):
                d += (centre[c, i] - group_sphere[c, g]) ** 2
            reach = max(reach, math.sqrt(d) + radius[i])
        group_sphere[3, g] = reach
    return runs, owners


@nb.njit(cache=True, fastmath=False, error_model="numpy", inline="always")
def _screen_shadow(  # type: ignore[no-untyped-def]
    dx, dy, dz, wx, wy, wz, s, before, total, leg_length, largest, wavelength, start, end, half, cos_yaw, sin_yaw, shape, i
):
    """Shadow (F_h1 + F_h2)(F_w1 + F_w2) of screen i with its taper, or anything up to ``largest`` where it is not above that.

    The screen's centre lies at d from the leg's start, s along the leg's direction w, and the leg starts ``before`` along the
    path [m].
    """
    # The projected axis u and v = w x u span the plane across the ray.
    ex, ey, ez = end[i, 0] - start[i, 0], end[i, 1] - start[i, 1], end[i, 2] - start[i, 2]
    along = ex * wx + ey * wy + ez * wz
    ux, uy, uz = ex - along * wx, ey - along * wy, ez - along * wz
    axis = math.sqrt(ux * ux + uy * uy + uz * uz)
    if axis > 1e-9:
        ux, uy, uz = ux / axis, uy / axis, uz / axis
    else:  # the ray runs along the axis: u across the ray, as level as can be
        axis = 0.0
        level = math.sqrt(wx * wx + wy * wy)
        if level > 1e-9:
            ux, uy, uz = -wy / level, wx / level, 0.0
        else:
            ux, uy, uz = 1.0, 0.0, 0.0
    vx, vy, vz = wy * uz - wz * uy, wz * ux - wx * uz, wx * uy - wy * ux
    if axis > 0.0:  # the point of the axis that passes the ray, as a share of the axis from its middle
        share = -(dx * ux + dy * uy + dz * uz) / axis
        s += min(max(share, -0.5), 0.5) * along
    if s <= 0.0 or s >= leg_length:
        return 0.0
    s += before
    fresnel = math.sqrt(wavelength * s * (total - s) / total)
    if shape[i] == SHAPE_CAPSULE:
        half_u = half[i, 0]
        half_v = half[i, 0]
    else:
        ua = half[i, 0] * (ux * cos_yaw[i] + uy * sin_yaw[i])
        ub = half[i, 1] * (uy * cos_yaw[i] - ux * sin_yaw[i])
        va = half[i, 0] * (vx * cos_yaw[i] + vy * sin_yaw[i])
        vb = half[i, 1] * (vy * cos_yaw[i] - vx * sin_yaw[i])
        if shape[i] == SHAPE_RECTANGLE:
            half_u = abs(ua) + abs(ub)
            half_v = abs(va) + abs(vb)
        else:
            half_u = math.sqrt(ua * ua + ub * ub)
            half_v = math.sqrt(va * va + vb * vb)
    half_u += 0.5 * axis
    off_u = abs(dx * ux + dy * uy + dz * uz)
    off_v = abs(dx * vx + dy * vy + dz * vz)
    # Distance from the ray to the screen's edge in Fresnel radii.
    gap_u = max(off_u - half_u, 0.0)
    gap_v = max(off_v - half_v, 0.0)
    gap = math.sqrt(gap_u * gap_u + gap_v * gap_v)
    if gap >= TAPER_END * fresnel:
        return 0.0
    fade = 1.0
    if gap > TAPER_START * fresnel:
        x = (TAPER_END - gap / fresnel) / (TAPER_END - TAPER_START)
        fade = x * x * (3.0 - 2.0 * x)
    # Stop when the product cannot be the owner's largest.
    nearest = min(s, total - s)
    bound_u = view_bound(gap_u, half_u, fresnel, nearest)
    if fade * bound_u * view_bound(gap_v, half_v, fresnel, nearest) <= largest:
        return 0.0
    k = math.pi / wavelength
    product = fade * view(off_v, half_v, s, total - s, k)
    if product * bound_u <= largest:
        return 0.0
    return product * view(off_u, half_u, s, total - s, k)


@nb.njit(cache=True, fastmath=False, error_model="numpy", inline="always")
def _step(vertex, p, leg):  # type: ignore[no-untyped-def]
    """Leg ``leg`` of path p as a vector [m]."""
    return (
        vertex[p, leg + 1, 0] - vertex[p, leg, 0],
        vertex[p, leg + 1, 1] - vertex[p, leg, 1],
        vertex[p, leg + 1, 2] - vertex[p, leg, 2],
    )


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def blockage_kernel(  # type: ignore[no-untyped-def]
    offset, n_trp, wavelength_of, path_order, vertex,
    start, end, half, yaw, shape, owner, part, ue_owner, loss, worst_owner, worst_part, worst_db,
):  # fmt: skip
    """Fill loss and worst owner, part and loss of every path; returns as ``_prepare`` does.

    The cheap tests come first: runs of screens against the leg, screens against the leg, bounds, and only then the views.
    """
    n = start.shape[0]
    centre = np.empty((3, n))
    radius = np.empty(n)
    group_start = np.empty(n + 1, np.int64)
    group = np.empty((4, n))
    runs, owners = _prepare(start, end, half, shape, owner, centre, radius, group_start, group)
    if runs < 0:
        return runs, owners
    cos_yaw, sin_yaw = np.empty(n), np.empty(n)
    for i in range(n):
        if shape[i] != SHAPE_CAPSULE:  # a capsule has no yaw
            cos_yaw[i], sin_yaw[i] = math.cos(yaw[i]), math.sin(yaw[i])
    # Few runs are near a leg, so eight answers are looked at at once.
    near_group = np.zeros(runs + 7 - (runs + 7) % 8, np.bool_)
    near_eight = near_group.view(np.uint64)
    shadow = np.zeros(owners)
    by_part = np.empty(owners, np.int64)
    touched = np.empty(owners, np.int64)
    for link in range(offset.shape[0] - 1):
        own = ue_owner[link // n_trp]
        wavelength = wavelength_of[link % n_trp]
        for p in range(offset[link], offset[link + 1]):
            n_touched = 0
            total = 0.0
            for leg in range(path_order[p] + 1):
                wx, wy, wz = _step(vertex, p, leg)
                total += math.sqrt(wx * wx + wy * wy + wz * wz)
            before, leg_length = 0.0, 0.0
            for leg in range(path_order[p] + 1):
                before += leg_length
                ax, ay, az = vertex[p, leg, 0], vertex[p, leg, 1], vertex[p, leg, 2]
                wx, wy, wz = _step(vertex, p, leg)
                leg_length = math.sqrt(wx * wx + wy * wy + wz * wz)
                if not leg_length > 0.0:
                    continue
                wx, wy, wz = wx / leg_length, wy / leg_length, wz / leg_length
                # Largest Fresnel radius on the leg.
                middle = min(max(0.5 * total, before), before + leg_length)
                widest = TAPER_END * math.sqrt(wavelength * middle * (total - middle) / total)
                for g in range(runs):
                    dx, dy, dz = group[0, g] - ax, group[1, g] - ay, group[2, g] - az
                    s = dx * wx + dy * wy + dz * wz
                    beyond = s - min(max(s, 0.0), leg_length)
                    limit = group[3, g] + widest
                    near_group[g] = dx * dx + dy * dy + dz * dz - s * s + beyond * beyond < limit * limit
                for eight in range(near_eight.shape[0]):
                    if near_eight[eight] == 0:
                        continue
                    for g in range(8 * eight, min(8 * eight + 8, runs)):
                        if not near_group[g]:
                            continue
                        o = owner[group_start[g]]
                        if o == own:
                            continue
                        for i in range(group_start[g], group_start[g + 1]):
                            dx, dy, dz = centre[0, i] - ax, centre[1, i] - ay, centre[2, i] - az
                            s = dx * wx + dy * wy + dz * wz
                            if s <= -radius[i] or s >= leg_length + radius[i]:
                                continue
                            across2 = dx * dx + dy * dy + dz * dz - s * s
                            limit = radius[i] + widest
                            if across2 > limit * limit:
                                continue
                            product = _screen_shadow(
                                dx, dy, dz, wx, wy, wz, s, before, total, leg_length, shadow[o], wavelength,
                                start, end, half, cos_yaw, sin_yaw, shape, i,
                            )  # fmt: skip
                            if product <= shadow[o]:
                                continue
                            if shadow[o] == 0.0:
                                touched[n_touched] = o
                                n_touched += 1
                            shadow[o] = product
                            by_part[o] = part[i]
            through = 1.0
            worst = -1
            largest = WORST_FROM
            for j in range(n_touched):
                o = touched[j]
                x = min(shadow[o], LARGEST_SHADOW)
                shadow[o] = 0.0
                through *= 1.0 - x
                if x >= largest and (x > largest or worst < 0):
                    largest = x
                    worst = o
            loss[p] = -20.0 * math.log10(through) if n_touched > 0 else 0.0
            worst_owner[p] = worst
            worst_part[p] = by_part[worst] if worst >= 0 else -1
            worst_db[p] = -20.0 * math.log10(1.0 - largest) if worst >= 0 else 0.0
    return runs, owners
