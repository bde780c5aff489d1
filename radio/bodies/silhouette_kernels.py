"""Kernels of the silhouettes in ``radio.bodies.blockage``, where the model is described.

One owner and one leg is a pair. A pair's parts are projected along the ray (metres across it), the plane and the nearest edge are
found, and only then the silhouette is turned and scaled to Fresnel units (u, v), with u across its nearest edge. There
``1 - j/2`` times the integral of ``exp(-j pi (u^2 + v^2) / 2)`` is summed over slabs of v: exact in u between the silhouette's
edges by Fresnel integrals; along v by Filon's rule of two Gauss places a slab, whose weights carry the oscillation exactly. With
effort ``tick`` the slabs' place is taken by the integral round the outline, or by rows.
"""

from __future__ import annotations

import math

import numba as nb
import numpy as np

from radio.bodies.silhouette_outline import MAX_PAIRS, outline_field
from radio.bodies.silhouette_parts import project, turn
from radio.bodies.silhouette_rows import MAX_ROWS, integrate_rows
from radio.bodies.silhouette_slabs import MAX_SLABS, integrate
from radio.types import SHAPE_CAPSULE

# Slabs reach this far along the edge while the nearest one stands within WINDOW_FROM; on the way to WINDOW_TO they shrink to
# WINDOW_FAR and become coarse.
WINDOW_NEAR, WINDOW_FAR = 80.0, 8.0
WINDOW_FROM, WINDOW_TO = 1.5, 4.0
# What an effort is: how far out edges start to fade, and are gone [Fresnel units]; from how far out on rows will do instead of
# slabs (fine) or the outline (tick); paths weaker than which share of their link's strongest field are weak, which take rows
# only; what share of the fade's distances weak paths have; and from how far out on far rows will do, and for weak paths.
FINE_EFFORT = np.array([6.0, 9.0, np.inf, 0.0, 1.0, np.inf, np.inf])
TICK_EFFORT = np.array([3.5, 5.0, -0.25, 10.0 ** (-10.0 / 20.0), 0.45, 2.0, 1.0])
SMALLEST_FIELD = 1e-3
WORST_FROM = 10.0 ** (-0.5 / 20.0)
# An antenna inside a body is given this distance to the body's plane [m].
NEAREST_PLANE_M = 0.01


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def prepare_owners(start, end, half, yaw, shape, owner):  # type: ignore[no-untyped-def]
    """Parts in the order of their owners, and one bounding sphere and upright cylinder per owner.

    Returns
    -------
    status, i : 0, or -1 where part i has no owner, -2 where it is not finite.
    order : (N,) parts sorted by owner. first : (G + 1,) first part of each owner present. name : (G,) its owner.
    parts : (N, 11) middle, half axis, two half extents of the footprint (x, y each), capsule radius.
    sphere : (4, G) centre and radius. cylinder : (5, G) x, y, radius, lowest and highest z.
    """
    n = start.shape[0]
    order = np.empty(n, np.int64)
    first = np.empty(n + 1, np.int64)
    name = np.empty(n, np.int64)
    parts = np.empty((n, 11))
    empty = np.empty((5, 0))
    owners = 0
    for i in range(n):
        if owner[i] < 0:
            return -1, i, order, first, name, parts, empty, empty
        owners = max(owners, owner[i] + 1)
    count = np.zeros(owners + 1, np.int64)
    for i in range(n):
        count[owner[i] + 1] += 1
    groups = 0
    for o in range(owners):
        if count[o + 1] > 0:
            name[groups] = o
            first[groups] = count[o]
            groups += 1
        count[o + 1] += count[o]
    first[groups] = n
    for i in range(n):
        order[count[owner[i]]] = i
        count[owner[i]] += 1
    sphere = np.empty((4, groups))
    cylinder = np.empty((5, groups))
    for g in range(groups):
        low_x, low_y, low_z = math.inf, math.inf, math.inf
        high_x, high_y, high_z = -math.inf, -math.inf, -math.inf
        for k in range(first[g], first[g + 1]):
            i = order[k]
            total = 0.0
            for c in range(3):
                parts[k, c] = 0.5 * (start[i, c] + end[i, c])
                parts[k, 3 + c] = 0.5 * (end[i, c] - start[i, c])
                total += abs(start[i, c]) + abs(end[i, c])
            if shape[i] == SHAPE_CAPSULE:
                parts[k, 6] = half[i, 0]
                parts[k, 7] = 0.0
                parts[k, 8] = 0.0
                parts[k, 9] = half[i, 0]
                parts[k, 10] = half[i, 0]
                wide_x, wide_y, wide_z = half[i, 0], half[i, 0], half[i, 0]
                total += abs(half[i, 0])
            else:
                cos, sin = math.cos(yaw[i]), math.sin(yaw[i])
                parts[k, 6] = half[i, 0] * cos
                parts[k, 7] = half[i, 0] * sin
                parts[k, 8] = -half[i, 1] * sin
                parts[k, 9] = half[i, 1] * cos
                parts[k, 10] = 0.0
                wide_x, wide_y = abs(parts[k, 6]) + abs(parts[k, 8]), abs(parts[k, 7]) + abs(parts[k, 9])
                wide_z = 0.0
                total += wide_x + wide_y
            if not math.isfinite(total):
                return -2, i, order, first, name, parts, empty, empty
            low_x = min(low_x, parts[k, 0] - abs(parts[k, 3]) - wide_x)
            high_x = max(high_x, parts[k, 0] + abs(parts[k, 3]) + wide_x)
            low_y = min(low_y, parts[k, 1] - abs(parts[k, 4]) - wide_y)
            high_y = max(high_y, parts[k, 1] + abs(parts[k, 4]) + wide_y)
            low_z = min(low_z, parts[k, 2] - abs(parts[k, 5]) - wide_z)
            high_z = max(high_z, parts[k, 2] + abs(parts[k, 5]) + wide_z)
        x, y, z = 0.5 * (low_x + high_x), 0.5 * (low_y + high_y), 0.5 * (low_z + high_z)
        reach2, across = 0.0, 0.0
        for k in range(first[g], first[g + 1]):
            if parts[k, 10] > 0.0:
                wide = parts[k, 10]
                thick = wide
            else:
                wide = math.sqrt(parts[k, 6] ** 2 + parts[k, 7] ** 2 + parts[k, 8] ** 2 + parts[k, 9] ** 2)
                thick = 0.0
            for side in (-1.0, 1.0):
                dx, dy = parts[k, 0] + side * parts[k, 3] - x, parts[k, 1] + side * parts[k, 4] - y
                dz = abs(parts[k, 2] + side * parts[k, 5] - z) + thick
                out = math.sqrt(dx * dx + dy * dy) + wide
                across = max(across, out)
                reach2 = max(reach2, out * out + dz * dz)
        sphere[0, g], sphere[1, g], sphere[2, g], sphere[3, g] = x, y, z, math.sqrt(reach2)
        cylinder[0, g], cylinder[1, g], cylinder[2, g], cylinder[3, g], cylinder[4, g] = x, y, across, low_z, high_z
    return 0, groups, order, first, name, parts, sphere, cylinder


@nb.njit(cache=True, fastmath=False, error_model="numpy", inline="always")
def _beside(ray, leg, cylinder, g, widest):  # type: ignore[no-untyped-def]
    """Whether owner g's upright cylinder, ``widest`` wider all round, meets the leg's stretch at the cylinder's heights."""
    low, high = 0.0, leg
    if abs(ray[5]) > 1e-9:
        a = (cylinder[3, g] - widest - ray[2]) / ray[5]
        b = (cylinder[4, g] + widest - ray[2]) / ray[5]
        low, high = max(low, min(a, b)), min(high, max(a, b))
        if low > high:
            return False
    elif ray[2] < cylinder[3, g] - widest or ray[2] > cylinder[4, g] + widest:
        return False
    dx, dy = cylinder[0, g] - ray[0], cylinder[1, g] - ray[1]
    flat2 = ray[3] * ray[3] + ray[4] * ray[4]
    s = (dx * ray[3] + dy * ray[4]) / flat2 if flat2 > 1e-18 else 0.0
    s = min(max(s, low), high)
    dx, dy = dx - s * ray[3], dy - s * ray[4]
    limit = cylinder[2, g] + widest
    return dx * dx + dy * dy < limit * limit


@nb.njit(cache=True, fastmath=False, error_model="numpy", inline="always")
def _same_paths(offset, facet, last_offset, last_facet, link):  # type: ignore[no-untyped-def]
    """Whether the link had the same paths, in the same order, when its last factors were computed."""
    if link + 1 >= last_offset.shape[0]:
        return False
    first, back = offset[link], last_offset[link] - offset[link]
    if last_offset[link + 1] - offset[link + 1] != back:
        return False
    for p in range(first, offset[link + 1]):
        if facet[p, 0] != last_facet[p + back, 0] or facet[p, 1] != last_facet[p + back, 1]:
            return False
    return True


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def silhouette_kernel(  # type: ignore[no-untyped-def]
    offset, n_trp, wavelength, path_order, vertex, amplitude, ue_owner, shape, part,
    order, first, name, parts, groups, sphere, cylinder, table, edge_table, effort, grain, rows,
    facet, needed, last_offset, last_facet, last_field, last_loss, last_owner, last_part, last_db,
    field, loss_db, worst_owner, worst_part, worst_db,
):  # fmt: skip
    """Fill the complex factor and its loss, and the worst owner, its part and its loss, of every path.

    The cheap tests come first: owners' spheres against the leg, then their cylinders, then the projected parts' nearest edge.
    """
    most = 1
    for g in range(groups):
        most = max(most, first[g + 1] - first[g])
    near = np.zeros(groups + 7 - (groups + 7) % 8, np.bool_)
    near_eight = near.view(np.uint64)
    flat, kind, box = np.empty((most, 8)), np.empty(most, np.int64), np.empty(12)
    cut, ends = np.empty((most, 12)), np.empty(6 * most)
    border, active, stack = np.empty(MAX_SLABS + 1), np.empty(most, np.uint64), np.empty((32, 3))
    row_ends, row_parts = np.empty((2, most + 1, 2)), np.empty((2, most + 1, 2), np.int64)
    height, weight, edge = np.empty(MAX_ROWS), np.empty((2, MAX_ROWS)), np.empty((2, MAX_ROWS))
    count, merged = np.empty(MAX_ROWS, np.int64), np.empty((MAX_ROWS, most, 2))
    corner, line = np.empty((most, 2 * MAX_PAIRS + 1, 2)), np.empty((most, MAX_PAIRS + 1, 4))
    bound, open_low, open_high = np.empty((most, 4)), np.empty(most + 1), np.empty(most + 1)
    ray = np.empty(12)
    quick_from, weak2, fine = effort[2], effort[3] * effort[3], effort[2] == np.inf
    owner_re, owner_im = np.empty(groups), np.empty(groups)
    owner_gap, owner_part = np.full(groups, np.inf), np.empty(groups, np.int64)
    touched = np.empty(groups, np.int64)
    for link in range(offset.shape[0] - 1):
        own = ue_owner[link // n_trp]
        lam = wavelength[link % n_trp]
        if not needed[link] and _same_paths(offset, facet, last_offset, last_facet, link):
            back = last_offset[link] - offset[link]
            for p in range(offset[link], offset[link + 1]):
                field[p], loss_db[p] = last_field[p + back], last_loss[p + back]
                worst_owner[p], worst_part[p], worst_db[p] = last_owner[p + back], last_part[p + back], last_db[p + back]
            continue
        weak = 0.0
        for p in range(offset[link], offset[link + 1]):
            n_touched = 0
            power = amplitude[p].real ** 2 + amplitude[p].imag ** 2
            if p == offset[link]:
                weak = weak2 * power
            quick = power < weak
            narrow = effort[4] if quick else 1.0
            taper_start, taper_end = narrow * effort[0], narrow * effort[1]
            total = 0.0
            for k in range(path_order[p] + 1):
                total += math.sqrt(
                    (vertex[p, k + 1, 0] - vertex[p, k, 0]) ** 2
                    + (vertex[p, k + 1, 1] - vertex[p, k, 1]) ** 2
                    + (vertex[p, k + 1, 2] - vertex[p, k, 2]) ** 2
                )
            before = 0.0
            for k in range(path_order[p] + 1):
                wx, wy, wz = (
                    vertex[p, k + 1, 0] - vertex[p, k, 0],
                    vertex[p, k + 1, 1] - vertex[p, k, 1],
                    vertex[p, k + 1, 2] - vertex[p, k, 2],
                )
                leg = math.sqrt(wx * wx + wy * wy + wz * wz)
                if not leg > 0.0:
                    continue
                wx, wy, wz = wx / leg, wy / leg, wz / leg
                ax, ay, az = vertex[p, k, 0], vertex[p, k, 1], vertex[p, k, 2]
                # Longest Fresnel unit on the leg [m].
                middle = min(max(0.5 * total, before), before + leg)
                widest = taper_end * math.sqrt(0.5 * lam * middle * (total - middle) / total)
                for g in range(groups):
                    dx, dy, dz = sphere[0, g] - ax, sphere[1, g] - ay, sphere[2, g] - az
                    s = dx * wx + dy * wy + dz * wz
                    beyond = s - min(max(s, 0.0), leg)
                    limit = sphere[3, g] + widest
                    near[g] = dx * dx + dy * dy + dz * dz - s * s + beyond * beyond < limit * limit
                ready = False
                for eight in range(near_eight.shape[0]):
                    if near_eight[eight] == 0:
                        continue
                    for g in range(8 * eight, min(8 * eight + 8, groups)):
                        if not near[g] or name[g] == own:
                            continue
                        if not ready:
                            ready = True
                            ray[0], ray[1], ray[2], ray[3], ray[4], ray[5] = ax, ay, az, wx, wy, wz
                            level = math.sqrt(wx * wx + wy * wy)
                            if level > 1e-9:
                                ray[6], ray[7] = -wy / level, wx / level
                            else:
                                ray[6], ray[7] = 0.0, 1.0
                            ray[8] = 0.0
                            # up = direction x across
                            ray[9] = -wz * ray[7]
                            ray[10] = wz * ray[6]
                            ray[11] = wx * ray[7] - wy * ray[6]
                        # Longest Fresnel unit that the owner's plane may have [m].
                        s = (sphere[0, g] - ax) * wx + (sphere[1, g] - ay) * wy + (sphere[2, g] - az) * wz
                        low, high = max(s - sphere[3, g], 0.0), min(s + sphere[3, g], leg)
                        d1 = min(max(0.5 * total, before + low), before + high)
                        d1 = min(max(d1, NEAREST_PLANE_M), total - NEAREST_PLANE_M)
                        reach = widest
                        if d1 >= NEAREST_PLANE_M:
                            reach = taper_end * math.sqrt(0.5 * lam * d1 * (total - d1) / total)
                        if not _beside(ray, leg, cylinder, g, reach):
                            continue
                        n, at, gap, nx, ny, deepest = project(
                            parts, order, shape, first[g], first[g + 1], ray, leg, flat, kind, box
                        )
                        if n == 0:
                            continue
                        d1 = min(max(before + at, NEAREST_PLANE_M), total - NEAREST_PLANE_M)
                        if d1 < NEAREST_PLANE_M:
                            d1 = 0.5 * total
                        scale = math.sqrt(2.0 * total / (lam * d1 * (total - d1)))
                        off = gap * scale
                        if off >= taper_end:
                            continue
                        window, coarse = WINDOW_NEAR, 0.0
                        if off > WINDOW_FROM:
                            x = min((off - WINDOW_FROM) / (WINDOW_TO - WINDOW_FROM), 1.0)
                            window = WINDOW_NEAR * (WINDOW_FAR / WINDOW_NEAR) ** x
                            coarse = x
                        if quick or off > quick_from or fine:
                            m = turn(n, flat, kind, scale, nx, ny, cut, ends)
                        if quick or off > quick_from:
                            sort = (2 if off < effort[6] else 3) if quick else (0 if off < effort[5] else 1)
                            re, im = integrate_rows(n, cut, kind, rows[sort], table, height, weight, edge, count, merged)
                            re, im = 1.0 + 0.5 * im, -0.5 * re
                        elif fine:
                            re, im = integrate(
                                n, cut, kind, ends, m, window, coarse, grain, table, border, active, row_ends, row_parts, stack
                            )
                            # 1 - j/2 (re + j im)
                            re, im = 1.0 + 0.5 * im, -0.5 * re
                        else:
                            re, im = outline_field(
                                n, flat, kind, scale, edge_table, corner, line, bound, active, open_low, open_high
                            )
                        if off > taper_start:
                            x = (taper_end - off) / (taper_end - taper_start)
                            fade = x * x * (3.0 - 2.0 * x)
                            re, im = 1.0 + fade * (re - 1.0), fade * im
                        if owner_gap[g] == np.inf:
                            touched[n_touched] = g
                            n_touched += 1
                            owner_re[g], owner_im[g] = re, im
                        else:
                            owner_re[g], owner_im[g] = owner_re[g] * re - owner_im[g] * im, owner_re[g] * im + owner_im[g] * re
                        if gap < owner_gap[g]:
                            owner_gap[g] = gap
                            owner_part[g] = part[order[deepest]]
                before += leg
            if n_touched == 0:
                field[p], loss_db[p] = 1.0, 0.0
                worst_owner[p], worst_part[p], worst_db[p] = -1, -1, 0.0
                continue
            through_re, through_im = 1.0, 0.0
            smallest, worst = WORST_FROM, -1
            for i in range(n_touched):
                g = touched[i]
                re, im = owner_re[g], owner_im[g]
                size = math.sqrt(re * re + im * im)
                if size < SMALLEST_FIELD:
                    if size > 0.0:
                        re, im = re * SMALLEST_FIELD / size, im * SMALLEST_FIELD / size
                    else:
                        re = SMALLEST_FIELD
                    size = SMALLEST_FIELD
                through_re, through_im = through_re * re - through_im * im, through_re * im + through_im * re
                if size <= smallest and (size < smallest or worst < 0):
                    smallest, worst = size, g
                owner_gap[g] = np.inf
            field[p] = complex(through_re, through_im)
            loss_db[p] = -10.0 * math.log10(through_re * through_re + through_im * through_im)
            worst_owner[p] = name[worst] if worst >= 0 else -1
            worst_part[p] = owner_part[worst] if worst >= 0 else -1
            worst_db[p] = -20.0 * math.log10(smallest) if worst >= 0 else 0.0
