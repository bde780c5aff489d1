"""Kernels of ``radio.propagation.visibility``, where the arrays and the argument are described.

No kernel here calls one of another file: numba's cache of a kernel looks at the kernel's own file only.
"""

from __future__ import annotations

import cmath
import math

import numba as nb
import numpy as np

# Slack of every test that drops a sequence or a box for a whole cell [m]: far above rounding, far below a wavelength.
SLACK_M = 1e-6
# A box hides a cell only if it does so shrunk by this on every side, so that no ray of the cell merely touches it [m].
SHRINK_M = 1e-5
# An antenna sees a facet from this far in front of its plane on [m].
IN_FRONT_M = 1e-9


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _height(x, y, z, center, normal, f):  # type: ignore[no-untyped-def]
    """Height of a point over facet f's plane."""
    return (x - center[f, 0]) * normal[f, 0] + (y - center[f, 1]) * normal[f, 1] + (z - center[f, 2]) * normal[f, 2]


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _affine(row, of, axis, center, known, height):  # type: ignore[no-untyped-def]
    """Write ``known * h(x) + (axis . (x - center)) * height`` as four coefficients, ``of`` being those of h(x)."""
    constant = 0.0
    for i in range(3):
        row[i] = known * of[i] + height * axis[i]
        constant += axis[i] * center[i]
    row[3] = known * of[3] - height * constant


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def sequences_kernel(trp, max_order, center, normal, axis_u, axis_v, half):  # type: ignore[no-untyped-def]
    """List the facet sequences that one TRP can use at all, with their images; see ``radio.propagation.visibility.Sequences``."""
    n_facet = center.shape[0]
    corner = np.empty((n_facet, 4, 3))
    for f in range(n_facet):
        for j in range(4):
            su = half[f, 0] * (1.0 if j % 2 == 0 else -1.0)
            sv = half[f, 1] * (1.0 if j < 2 else -1.0)
            for i in range(3):
                corner[f, j, i] = center[f, i] + su * axis_u[f, i] + sv * axis_v[f, i]
    first = np.empty((n_facet, 3))
    over = np.empty(n_facet)
    for f in range(n_facet):
        over[f] = _height(trp[0], trp[1], trp[2], center, normal, f)
        for i in range(3):
            first[f, i] = trp[i] - 2.0 * over[f] * normal[f, i]
    pairs = np.empty((0, 2), np.int64)
    n_pairs = 0
    # Counted first, then written.
    for run in range(2):
        if run == 1:
            pairs = np.empty((n_pairs, 2), np.int64)
        n_pairs = 0
        for f in range(-1, n_facet):
            for g in range(-1, n_facet):
                if g >= 0 and (f < 0 or max_order < 2 or f == g):
                    continue
                if f >= 0 and (max_order < 1 or over[f] <= IN_FRONT_M):
                    continue
                if g >= 0 and not _faces(f, g, first, over, corner, center, normal, axis_u, axis_v, half):
                    continue
                if run == 1:
                    pairs[n_pairs, 0], pairs[n_pairs, 1] = f, g
                n_pairs += 1
    affine = np.zeros((n_pairs, 6, 4))
    image = np.empty((n_pairs, 2, 3))
    height = np.zeros((n_pairs, 2))
    at = np.zeros(4)
    for s in range(n_pairs):
        f, g = pairs[s, 0], pairs[s, 1]
        for i in range(3):
            image[s, 0, i] = image[s, 1, i] = trp[i] if f < 0 else first[f, i]
        if f < 0:
            continue
        last = f if g < 0 else g
        # The image before the last bounce, whose height and place over the last facet make the projection.
        bx, by, bz = trp[0], trp[1], trp[2]
        height[s, 0] = over[f]
        height[s, 1] = over[f]
        if g >= 0:
            bx, by, bz = first[f, 0], first[f, 1], first[f, 2]
            height[s, 1] = _height(bx, by, bz, center, normal, g)
            for i in range(3):
                image[s, 1, i] = first[f, i] - 2.0 * height[s, 1] * normal[g, i]
        h = height[s, 1]
        row = affine[s]
        row[0, :3] = normal[last]
        row[0, 3] = -(normal[last, 0] * center[last, 0] + normal[last, 1] * center[last, 1] + normal[last, 2] * center[last, 2])
        dx, dy, dz = bx - center[last, 0], by - center[last, 1], bz - center[last, 2]
        known_u = dx * axis_u[last, 0] + dy * axis_u[last, 1] + dz * axis_u[last, 2]
        known_v = dx * axis_v[last, 0] + dy * axis_v[last, 1] + dz * axis_v[last, 2]
        _affine(row[1], row[0], axis_u[last], center[last], known_u, h)
        _affine(row[2], row[0], axis_v[last], center[last], known_v, h)
        if g < 0:
            continue
        # Over the first facet: the last bounce times its divisor is affine in x, so its height and place there are too.
        dx, dy, dz = trp[0] - center[f, 0], trp[1] - center[f, 1], trp[2] - center[f, 2]
        trp_u = dx * axis_u[f, 0] + dy * axis_u[f, 1] + dz * axis_u[f, 2]
        trp_v = dx * axis_v[f, 0] + dy * axis_v[f, 1] + dz * axis_v[f, 2]
        for kind in range(3):
            axis = normal[f] if kind == 0 else (axis_u[f] if kind == 1 else axis_v[f])
            by_center = by_u = by_v = 0.0
            for i in range(3):
                by_center += (center[g, i] - center[f, i]) * axis[i]
                by_u += axis_u[g, i] * axis[i]
                by_v += axis_v[g, i] * axis[i]
            for i in range(4):
                divisor = row[0, i] + (h if i == 3 else 0.0)
                at[i] = by_center * divisor + by_u * row[1, i] + by_v * row[2, i]
            if kind == 0:
                row[3, :] = at
            else:
                known = trp_u if kind == 1 else trp_v
                for i in range(4):
                    row[3 + kind, i] = known * row[3, i] + over[f] * at[i]
    return pairs, affine, image, height


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _faces(f, g, first, over, corner, center, normal, axis_u, axis_v, half):  # type: ignore[no-untyped-def]
    """Tell whether a wave from the TRP that bounces on facet f can bounce on facet g next."""
    if _height(first[f, 0], first[f, 1], first[f, 2], center, normal, g) <= IN_FRONT_M:
        return False
    top_f = top_g = -np.inf
    low_g = np.inf
    low_u = low_v = np.inf
    high_u = high_v = -np.inf
    h = over[f]
    for j in range(4):
        top_f = max(top_f, _height(corner[f, j, 0], corner[f, j, 1], corner[f, j, 2], center, normal, g))
        over_f = _height(corner[g, j, 0], corner[g, j, 1], corner[g, j, 2], center, normal, f)
        top_g = max(top_g, over_f)
        low_g = min(low_g, over_f)
        # Where the line from the image to g's corner pierces f's plane: the image of g on f lies in these points' hull.
        share = h / (h + over_f)
        u = v = 0.0
        for i in range(3):
            at = first[f, i] + (corner[g, j, i] - first[f, i]) * share - center[f, i]
            u += at * axis_u[f, i]
            v += at * axis_v[f, i]
        low_u, high_u = min(low_u, u), max(high_u, u)
        low_v, high_v = min(low_v, v), max(high_v, v)
    if top_f <= IN_FRONT_M or top_g <= IN_FRONT_M:
        return False
    if low_g + h <= SLACK_M:
        return True
    hu, hv = half[f, 0] + SLACK_M, half[f, 1] + SLACK_M
    return low_u <= hu and high_u >= -hu and low_v <= hv and high_v >= -hv


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def reflection_bound(permittivity, thickness_in_wavelengths, cos_incidence):  # type: ignore[no-untyped-def]
    """Return what no reflection of a layer exceeds, in either polarisation, at this or a steeper incidence.

    Of a half-space TE reflects more than TM, and the more the flatter the incidence; the layer's far face adds at most
    ``exp(-4 pi d / lambda |Im sqrt(eps)|)``, the attenuation of the way there and back at normal incidence.
    """
    root = cmath.sqrt(permittivity - (1.0 - cos_incidence * cos_incidence))
    r = abs((cos_incidence - root) / (cos_incidence + root))
    through = math.exp(-4.0 * math.pi * thickness_in_wavelengths * abs(cmath.sqrt(permittivity).imag))
    rest = 1.0 - r * r * through
    return 1.0 if rest <= 0.0 else min(1.0, r * (1.0 + through) / rest)


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _apart(points, n, ax, ay, az, c, s, box_center, box_half, k):  # type: ignore[no-untyped-def]
    """Tell whether an axis separates the points' hull from box k, whose own axes are turned by (c, s)."""
    low, high = np.inf, -np.inf
    for j in range(n):
        at = points[j, 0] * ax + points[j, 1] * ay + points[j, 2] * az
        low, high = min(low, at), max(high, at)
    middle = box_center[k, 0] * ax + box_center[k, 1] * ay + box_center[k, 2] * az
    reach = abs(ax * c + ay * s) * box_half[k, 0] + abs(-ax * s + ay * c) * box_half[k, 1] + abs(az) * box_half[k, 2]
    slack = SLACK_M * (abs(ax) + abs(ay) + abs(az))
    return low > middle + reach + slack or high < middle - reach - slack


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _crosses(a, b, k, center, half, axis):  # type: ignore[no-untyped-def]
    """Tell whether the leg a-b runs through the shrunk box k."""
    c, s = axis[k, 0], axis[k, 1]
    ox, oy, oz = a[0] - center[k, 0], a[1] - center[k, 1], a[2] - center[k, 2]
    dx, dy, dz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    enter, leave = 0.0, 1.0
    for i in range(3):
        if i == 0:
            o, d = ox * c + oy * s, dx * c + dy * s
        elif i == 1:
            o, d = -ox * s + oy * c, -dx * s + dy * c
        else:
            o, d = oz, dz
        h = half[k, i] - SHRINK_M
        if abs(d) < 1e-15:
            if abs(o) >= h:
                return False
            continue
        t0, t1 = (-h - o) / d, (h - o) / d
        enter, leave = max(enter, min(t0, t1)), min(leave, max(t0, t1))
    return enter < leave


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _boxes_of_leg(  # type: ignore[no-untyped-def]
    start, n_start, end, n_end, skip, other, box_center, box_half, box_axis, box_low, box_high, points, out, n_out
):
    """Append the boxes that may stand in a leg from the hull of ``start`` to the hull of ``end``; return the new length."""
    n = n_start + n_end
    lx = ly = lz = np.inf
    hx = hy = hz = -np.inf
    ex = ey = ez = 0.0
    for j in range(n):
        p = start[j] if j < n_start else end[j - n_start]
        weight = -1.0 / n_start if j < n_start else 1.0 / n_end
        points[j] = p
        lx, ly, lz = min(lx, p[0]), min(ly, p[1]), min(lz, p[2])
        hx, hy, hz = max(hx, p[0]), max(hy, p[1]), max(hz, p[2])
        ex, ey, ez = ex + weight * p[0], ey + weight * p[1], ez + weight * p[2]
    for k in range(box_center.shape[0]):
        if (
            k == skip
            or k == other
            or lx > box_high[k, 0] + SLACK_M
            or hx < box_low[k, 0] - SLACK_M
            or ly > box_high[k, 1] + SLACK_M
            or hy < box_low[k, 1] - SLACK_M
            or lz > box_high[k, 2] + SLACK_M
            or hz < box_low[k, 2] - SLACK_M
        ):
            continue
        c, s = box_axis[k, 0], box_axis[k, 1]
        # Across the leg, level and upward, and along the box's own sides.
        if (
            _apart(points, n, -ey, ex, 0.0, c, s, box_center, box_half, k)
            or _apart(points, n, -ex * ez, -ey * ez, ex * ex + ey * ey, c, s, box_center, box_half, k)
            or _apart(points, n, c, s, 0.0, c, s, box_center, box_half, k)
            or _apart(points, n, -s, c, 0.0, c, s, box_center, box_half, k)
        ):
            continue
        out[n_out] = k
        n_out += 1
    return n_out


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _hidden(start, end, boxes, first, last, box_center, box_half, box_axis):  # type: ignore[no-untyped-def]
    """Tell whether one of the listed boxes stands in the leg of all eight corners; ``start`` may be one point for all."""
    for i in range(first, last):
        k = boxes[i]
        hides = True
        for j in range(8):
            if not _crosses(start[j if start.shape[0] == 8 else 0], end[j], k, box_center, box_half, box_axis):
                hides = False
                break
        if hides:
            return True
    return False


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _at_corners(affine, first, last, corner, out):  # type: ignore[no-untyped-def]
    """Write affine functions ``first`` to ``last`` at the cell's eight corners."""
    for r in range(first, last):
        for j in range(8):
            out[r, j] = affine[r, 0] * corner[j, 0] + affine[r, 1] * corner[j, 1] + affine[r, 2] * corner[j, 2] + affine[r, 3]


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _patch(at_u, at_v, f, center, axis_u, axis_v, half, out):  # type: ignore[no-untyped-def]
    """Corners of the part of facet f that eight points' bounds cover; False where they miss the facet."""
    low_u, high_u, low_v, high_v = at_u[0], at_u[0], at_v[0], at_v[0]
    for j in range(1, 8):
        low_u, high_u = min(low_u, at_u[j]), max(high_u, at_u[j])
        low_v, high_v = min(low_v, at_v[j]), max(high_v, at_v[j])
    low_u, high_u, low_v, high_v = low_u - SLACK_M, high_u + SLACK_M, low_v - SLACK_M, high_v + SLACK_M
    hu, hv = half[f, 0], half[f, 1]
    if low_u > hu or high_u < -hu or low_v > hv or high_v < -hv:
        return False
    low_u, high_u, low_v, high_v = max(low_u, -hu), min(high_u, hu), max(low_v, -hv), min(high_v, hv)
    for j in range(4):
        u = low_u if j % 2 == 0 else high_u
        v = low_v if j < 2 else high_v
        for i in range(3):
            out[j, i] = center[f, i] + u * axis_u[f, i] + v * axis_v[f, i]
    return True


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def cell_kernel(  # type: ignore[no-untyped-def]
    low, high, listed, pairs, affine, image, height, trp, wavelength, permittivity, in_wavelengths,
    center, axis_u, axis_v, half, facet_box, box_center, box_half, box_axis, box_low, box_high, direct_share,
):  # fmt: skip
    """Pick the listed sequences that a UE in the cell low..high may see, strongest bound first, and the boxes to test.

    ``direct_share`` is the least gain of interest as a share of that of a clear line of sight. Returns the sequences, their
    bounds, and the boxes of their legs as a list with the places where each leg's part starts, (n, 4).
    """
    n_box = box_center.shape[0]
    most = listed.shape[0]
    sequence, bound = np.empty(most, np.int64), np.empty(most)
    place = np.zeros((most, 4), np.int64)
    boxes = np.empty(max(3 * n_box, 1) * most, np.int64)
    corner, last_point, first_point = np.empty((8, 3)), np.empty((8, 3)), np.empty((8, 3))
    last_patch, first_patch = np.empty((4, 3)), np.empty((4, 3))
    points = np.empty((12, 3))
    start_point = trp.copy().reshape(1, 3)
    at = np.empty((6, 8))
    at_u, at_v = np.empty(8), np.empty(8)
    for j in range(8):
        corner[j, 0] = low[0] if j & 1 == 0 else high[0]
        corner[j, 1] = low[1] if j & 2 == 0 else high[1]
        corner[j, 2] = low[2] if j & 4 == 0 else high[2]
    least = 0.0
    n = n_boxes = 0
    for s in listed:
        f, g = pairs[s, 0], pairs[s, 1]
        ax, ay, az = image[s, 1, 0], image[s, 1, 1], image[s, 1, 2]
        dx, dy, dz = (
            max(max(low[0] - ax, ax - high[0]), 0.0),
            max(max(low[1] - ay, ay - high[1]), 0.0),
            max(max(low[2] - az, az - high[2]), 0.0),
        )
        gain = wavelength / (4.0 * math.pi * max(math.sqrt(dx * dx + dy * dy + dz * dz), 1e-6))
        if gain < least:  # the cheapest test first; reflections only take from the gain
            continue
        tame = True
        all_before = True
        if f >= 0:
            # The cell's corners over the last facet: hull and bounds hold where every divisor is positive.
            h, ht = height[s, 1], height[s, 0]
            farthest = -np.inf
            _at_corners(affine[s], 0, 1, corner, at)
            cos_last = cos_first = 1.0
            for j in range(8):
                farthest = max(farthest, at[0, j])
                all_before = all_before and at[0, j] > 0.0
                tame = tame and at[0, j] + h > SLACK_M
            if farthest <= 0.0:
                continue
            last = f if g < 0 else g
            if tame:
                _at_corners(affine[s], 1, 3, corner, at)
                for j in range(8):
                    divisor = at[0, j] + h
                    at_u[j], at_v[j] = at[1, j] / divisor, at[2, j] / divisor
                if not _patch(at_u, at_v, last, center, axis_u, axis_v, half, last_patch):
                    continue
                for j in range(8):
                    divisor = at[0, j] + h
                    d = math.sqrt((corner[j, 0] - ax) ** 2 + (corner[j, 1] - ay) ** 2 + (corner[j, 2] - az) ** 2)
                    cos_last = min(cos_last, divisor / d)
                    for i in range(3):
                        last_point[j, i] = center[last, i] + at_u[j] * axis_u[last, i] + at_v[j] * axis_v[last, i]
            if tame and g >= 0:
                farthest = -np.inf
                _at_corners(affine[s], 3, 4, corner, at)
                for j in range(8):
                    over = at[3, j] / (at[0, j] + h)
                    farthest = max(farthest, over)
                    all_before = all_before and over > 0.0
                    tame = tame and over + ht > SLACK_M
                if farthest <= 0.0:
                    continue
                if tame:
                    _at_corners(affine[s], 4, 6, corner, at)
                    for j in range(8):
                        divisor = ht * (at[0, j] + h) + at[3, j]
                        at_u[j], at_v[j] = at[4, j] / divisor, at[5, j] / divisor
                    if not _patch(at_u, at_v, f, center, axis_u, axis_v, half, first_patch):
                        continue
                    for j in range(8):
                        d = 0.0
                        for i in range(3):
                            d += (last_point[j, i] - image[s, 0, i]) ** 2
                            first_point[j, i] = center[f, i] + at_u[j] * axis_u[f, i] + at_v[j] * axis_v[f, i]
                        cos_first = min(cos_first, (ht + at[3, j] / (at[0, j] + h)) / math.sqrt(d))
            if tame:
                gain *= reflection_bound(permittivity[last], in_wavelengths[last], cos_last * (1.0 - 1e-9))
                if g >= 0:
                    gain *= reflection_bound(permittivity[f], in_wavelengths[f], cos_first * (1.0 - 1e-9))
        if gain < least:
            continue
        place[n, 0] = n_boxes
        own_first = facet_box[f] if f >= 0 else -1
        own_last = facet_box[g] if g >= 0 else own_first
        if not tame:
            for leg in range(3 if g >= 0 else 2):
                for k in range(n_box):
                    before = own_first if leg < 2 else own_last
                    after = own_first if leg == 0 else own_last
                    if k != before and k != after:
                        boxes[n_boxes] = k
                        n_boxes += 1
                place[n, leg + 1] = n_boxes
            place[n, 3] = n_boxes
        else:
            hidden = False
            for leg in range(1 if f < 0 else (2 if g < 0 else 3)):
                first = n_boxes
                if leg == 0:
                    a, na, a8, own = start_point, 1, start_point, own_first
                elif leg == 1 and g >= 0:
                    a, na, a8, own = first_patch, 4, first_point, own_first
                else:
                    a, na, a8, own = last_patch, 4, last_point, own_last
                if f < 0 or leg == 2 or (leg == 1 and g < 0):
                    b, mb, b8, other = corner, 8, corner, own_last
                elif leg == 0 and g >= 0:
                    b, mb, b8, other = first_patch, 4, first_point, own_first
                else:
                    b, mb, b8, other = last_patch, 4, last_point, own_last
                n_boxes = _boxes_of_leg(
                    a, na, b, mb, own, other, box_center, box_half, box_axis, box_low, box_high, points, boxes, n_boxes
                )
                hidden = all_before and _hidden(a8, b8, boxes, first, n_boxes, box_center, box_half, box_axis)
                if hidden:
                    break
                for later in range(leg + 1, 4):
                    place[n, later] = n_boxes
            if hidden:
                n_boxes = place[n, 0]
                continue
            if f < 0 and n_boxes == place[n, 0]:
                d = 0.0
                for j in range(8):
                    d = max(d, (corner[j, 0] - ax) ** 2 + (corner[j, 1] - ay) ** 2 + (corner[j, 2] - az) ** 2)
                least = direct_share * wavelength / (4.0 * math.pi * math.sqrt(d)) * (1.0 - 1e-9)
        sequence[n], bound[n] = s, gain * (1.0 + 1e-9)
        n += 1
    order = np.argsort(-bound[:n], kind="mergesort")
    return sequence[:n][order], bound[:n][order], place[:n][order], boxes[:n_boxes].copy()
