"""What moving bodies cost a path: TR 38.901 7.6.4.2, blockage model B.

A body part is a screen that always faces the ray. Of the prism (footprint swept from ``start_m`` to ``end_m``) the screen takes
the silhouette's bounding rectangle on the plane across the ray: its long side runs along the projected axis, and each half
side is the footprint's half extent in that direction, plus half the projected axis along the long side. For an upright body
and a level ray that is TR 38.901's vertical rectangle; seen from above it grows by the body's depth, as a real body does.
A capsule's half extents are its radius in every direction.

Additions of this model to 7.6.4.2, the same in ``radio/blockage_oracle.py``:

* A reflected path is unfolded: on the first leg the far end is the UE's image, on the second the TRP's image, each at the full
  unfolded length. The screen stands where its axis passes the ray, and counts on a leg only if that point lies on that
  leg; so a head over a panel counts although the body's middle lies behind the antenna.
* Beyond ``TAPER_START`` Fresnel radii from the screen's edge the shadow is faded out, to zero at ``TAPER_END``.
* Screens of one owner overlap, so of one owner only the largest loss on the path counts; owners add in dB.
* One owner costs at most 60 dB, the end of the formula's validity.
"""

from __future__ import annotations

import math
from typing import Any

import numba as nb
import numpy as np

from radio.types import SHAPE_CAPSULE, SHAPE_RECTANGLE, Blockage, Blockers, FloatArray, IntArray, Paths

TAPER_START = 4.0
TAPER_END = 6.0
LARGEST_SHADOW = 1.0 - 10.0 ** (-60.0 / 20.0)
BOUND = math.sqrt(math.pi / 2.0)
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
def _view(offset, half, near, far, k):  # type: ignore[no-untyped-def]
    """F1 + F2 of one view (TR 38.901 equation 7.6-29): + on both edges inside, - on the nearer edge outside."""
    x1 = _edge(half - offset, near, far, k)
    x2 = _edge(half + offset, near, far, k)
    # atan x1 + atan x2 in one call; it lies in 0..pi, since the farther edge is always + and the sum is not negative
    top, bottom = x1 + x2, 1.0 - x1 * x2
    if bottom > 0.0:
        return math.atan(top / bottom) / math.pi
    return 0.5 - math.atan(bottom / top) / math.pi


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


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _blockage_kernel(  # type: ignore[no-untyped-def]
    offset, n_trp, vertex, length, departure, arrival, facet,
    start, end, half, yaw, shape, owner, part, ue_owner, wavelength, loss, worst_owner, worst_part, worst_db,
):  # fmt: skip
    n = start.shape[0]
    centre = np.empty((3, n))
    radius = np.empty(n)
    group_start = np.empty(n + 1, np.int64)
    group = np.empty((4, n))
    runs, owners = _prepare(start, end, half, shape, owner, centre, radius, group_start, group)
    if runs < 0:
        return runs, owners
    cos_yaw = np.cos(yaw)
    sin_yaw = np.sin(yaw)
    near_group = np.empty(runs, np.bool_)
    shadow = np.zeros(owners)
    by_part = np.empty(owners, np.int64)
    touched = np.empty(owners, np.int64)
    k = math.pi / wavelength
    for link in range(offset.shape[0] - 1):
        own = ue_owner[link // n_trp]
        for p in range(offset[link], offset[link + 1]):
            n_touched = 0
            total = length[p]
            first = total
            if facet[p] >= 0:
                first = math.sqrt(
                    (vertex[p, 1, 0] - vertex[p, 0, 0]) ** 2
                    + (vertex[p, 1, 1] - vertex[p, 0, 1]) ** 2
                    + (vertex[p, 1, 2] - vertex[p, 0, 2]) ** 2
                )
            for leg in range(2 if facet[p] >= 0 else 1):
                if leg == 0:
                    ax, ay, az = vertex[p, 0, 0], vertex[p, 0, 1], vertex[p, 0, 2]
                    wx, wy, wz = departure[p, 0], departure[p, 1], departure[p, 2]
                    leg_length = first
                else:
                    ax, ay, az = vertex[p, 2, 0], vertex[p, 2, 1], vertex[p, 2, 2]
                    wx, wy, wz = arrival[p, 0], arrival[p, 1], arrival[p, 2]
                    leg_length = total - first
                # Largest Fresnel radius on the leg.
                middle = min(leg_length, 0.5 * total)
                widest = TAPER_END * math.sqrt(wavelength * middle * (total - middle) / total)
                for g in range(runs):
                    dx, dy, dz = group[0, g] - ax, group[1, g] - ay, group[2, g] - az
                    s = dx * wx + dy * wy + dz * wz
                    beyond = s - min(max(s, 0.0), leg_length)
                    limit = group[3, g] + widest
                    near_group[g] = dx * dx + dy * dy + dz * dz - s * s + beyond * beyond < limit * limit
                for g in range(runs):
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
                        limit = radius[i] + widest
                        if dx * dx + dy * dy + dz * dz - s * s > limit * limit:
                            continue
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
                        if axis > 0.0:  # the point of the axis that passes the ray, as a share of the axis from its middle
                            share = -(dx * ux + dy * uy + dz * uz) / axis
                            s += min(max(share, -0.5), 0.5) * along
                        if s <= 0.0 or s >= leg_length:
                            continue
                        fresnel = math.sqrt(wavelength * s * (total - s) / total)
                        vx, vy, vz = wy * uz - wz * uy, wz * ux - wx * uz, wx * uy - wy * ux
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
                            continue
                        fade = 1.0
                        if gap > TAPER_START * fresnel:
                            x = (TAPER_END - gap / fresnel) / (TAPER_END - TAPER_START)
                            fade = x * x * (3.0 - 2.0 * x)
                        # Stop when the product cannot be the owner's largest. A view's sum is below 1, and below
                        # sqrt(pi/2) half / fresnel, since x <= (pi/2) sqrt(pi/2) edge / fresnel and atan x <= x.
                        bound = fade * min(1.0, BOUND * half_u / fresnel) * min(1.0, BOUND * half_v / fresnel)
                        if bound <= shadow[o]:
                            continue
                        product = fade * _view(off_v, half_v, s, total - s, k)
                        if product <= shadow[o]:
                            continue
                        product *= _view(off_u, half_u, s, total - s, k)
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


def blockage_db(paths: Paths, blockers: Blockers, ue_owner: IntArray, wavelength_m: float) -> Blockage:
    """Loss that moving bodies cost each path, by blockage model B.

    Parameters
    ----------
    paths : propagation paths of every link.
    blockers : screens. Screens of one owner that stand next to each other in the arrays are culled together, so keep them so.
    ue_owner : (U,) owner that carries the UE and does not block its links, -1 for none.
    wavelength_m : carrier wavelength [m].

    Returns
    -------
    Blockage
        Losses [dB], and per path the owner and part that cost most. ``worst_db`` is 0 where ``worst_owner`` is -1.

    Raises
    ------
    ValueError
        If a screen has no owner (below 0) or a coordinate that is not finite, or an array has the wrong length.

    Notes
    -----
    TR 38.901 7.6.4.2 with the additions listed at the head of this module.
    """
    if ue_owner.shape != (paths.n_ue,):
        raise ValueError(f"ue_owner has shape {ue_owner.shape}, wanted ({paths.n_ue},), one owner per UE")
    n = paths.length_m.shape[0]
    loss, worst_db = np.empty(n), np.empty(n)
    worst_owner, worst_part = np.empty(n, np.int64), np.empty(n, np.int64)
    status: Any = _blockage_kernel(
        paths.offset,
        paths.n_trp,
        paths.vertex_m,
        paths.length_m,
        paths.departure,
        paths.arrival,
        paths.facet,
        *_arrays(blockers),
        np.ascontiguousarray(ue_owner, dtype=np.int64),
        wavelength_m,
        loss,
        worst_owner,
        worst_part,
        worst_db,
    )
    if status[0] == -1:
        raise ValueError(f"blocker {status[1]} has owner {int(blockers.owner[status[1]])}, wanted 0 or above")
    if status[0] == -2:
        i = status[1]
        raise ValueError(
            f"blocker {i} runs from {blockers.start_m[i].tolist()} to {blockers.end_m[i].tolist()} with half widths "
            f"{blockers.half_width_m[i].tolist()}, wanted finite numbers in m"
        )
    return Blockage(loss, worst_owner, worst_part, worst_db)


def _arrays(blockers: Blockers) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, IntArray, IntArray, IntArray]:
    """Arrays of one layout and type, so that the kernel is compiled once, and of one length, so that it stays inside them."""
    n = len(blockers.owner)
    shapes = (
        blockers.start_m.shape,
        blockers.end_m.shape,
        blockers.half_width_m.shape,
        blockers.yaw_rad.shape,
        blockers.shape.shape,
        blockers.part.shape,
    )
    wanted = ((n, 3), (n, 3), (n, 2), (n,), (n,), (n,))
    if shapes != wanted:
        raise ValueError(
            f"blockers start_m, end_m, half_width_m, yaw_rad, shape, part have shapes {shapes}, wanted {wanted} for {n} owners"
        )
    return (
        np.ascontiguousarray(blockers.start_m, dtype=np.float64),
        np.ascontiguousarray(blockers.end_m, dtype=np.float64),
        np.ascontiguousarray(blockers.half_width_m, dtype=np.float64),
        np.ascontiguousarray(blockers.yaw_rad, dtype=np.float64),
        np.ascontiguousarray(blockers.shape, dtype=np.int64),
        np.ascontiguousarray(blockers.owner, dtype=np.int64),
        np.ascontiguousarray(blockers.part, dtype=np.int64),
    )


def screen_loss_db(
    near_m: float,
    far_m: float,
    half_width_m: float,
    half_height_m: float,
    offset_width_m: float,
    offset_height_m: float,
    wavelength_m: float,
) -> float:
    """Loss of one screen across the ray (TR 38.901 equations 7.6-28 and 7.6-29), without the taper of ``blockage_db``.

    Parameters
    ----------
    near_m, far_m : distances from the screen's plane to the two ends of the ray [m].
    half_width_m, half_height_m : half sizes of the screen [m]; ``math.inf`` for an endless one.
    offset_width_m, offset_height_m : where the ray pierces the plane, from the screen's centre [m].
    wavelength_m : wavelength [m].

    Returns
    -------
    float
        ``-20 lg(1 - (F_h1 + F_h2)(F_w1 + F_w2))``, at most 60 dB.

    Raises
    ------
    ValueError
        If a distance, size or the wavelength is not positive.
    """
    for name, value in (
        ("near_m", near_m),
        ("far_m", far_m),
        ("half_width_m", half_width_m),
        ("half_height_m", half_height_m),
        ("wavelength_m", wavelength_m),
    ):
        if not value > 0.0:
            raise ValueError(f"{name} is {value}, wanted a length above 0 m")
    k = math.pi / wavelength_m
    product = 1.0
    for offset, half in ((offset_width_m, half_width_m), (offset_height_m, half_height_m)):
        product *= 1.0 if math.isinf(half) else float(_view(abs(offset), half, near_m, far_m, k))
    return -20.0 * math.log10(1.0 - min(product, LARGEST_SHADOW))
