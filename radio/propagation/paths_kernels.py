"""Kernels of ``radio.propagation.paths``, where the model is described.

Candidates of a link are tried strongest bound first. Those that hit their facets with no box in the way are gathered in tiles
of four, whose fields are then computed side by side in straight runs that a compiler can put into vector registers;
therefore the sines and the exponential are spelt out as polynomials.

No kernel here calls one of another file: numba's cache of a kernel looks at the kernel's own file only.
"""

from __future__ import annotations

import math

import numba as nb
import numpy as np

# A leg is blocked only if it runs inside a box for more than this share of itself, so that touching an edge does not count.
GRAZE = 1e-9
# An antenna sees a facet from this far in front of its plane on [m].
IN_FRONT_M = 1e-9
# A UE closer than this to a TRP has no path [m].
NEAREST_M = 1e-3
# Adding and taking off 1.5 * 2**52 rounds a double to the nearest whole number.
ROUNDING = 6755399441055744.0
# A tile holds four paths, value by value, so value r of lane j stands at LANES r + j. The values:
# 0 length, 1-3 direction of the last leg,
# 4-10 of the first bounce: normal, permittivity (re, im), thickness in wavelengths, 1 if it exists,
# 11-17 of the second bounce,
# 18-25 transfer, 26-28 amplitude (re, im) and its magnitude, 29-31 departure, 32-34 and 35-37 where it bounces, or the UE.
LANES = 4
VALUES = 38


@nb.njit(cache=True, fastmath=False, error_model="numpy", inline="always")
def cos_sin_of_turns(turns):  # type: ignore[no-untyped-def]
    """Cosine and sine of ``2 pi turns``: the nearest whole number off, a quarter of the angle, doubled twice."""
    x = (0.5 * math.pi) * (turns - ((turns + ROUNDING) - ROUNDING))
    y = x * x
    s = 1.0 / 1307674368000.0
    s = 1.0 / 6227020800.0 - y * s
    s = 1.0 / 39916800.0 - y * s
    s = 1.0 / 362880.0 - y * s
    s = 1.0 / 5040.0 - y * s
    s = 1.0 / 120.0 - y * s
    s = 1.0 / 6.0 - y * s
    s = x * (1.0 - y * s)
    c = 1.0 / 20922789888000.0
    c = 1.0 / 87178291200.0 - y * c
    c = 1.0 / 479001600.0 - y * c
    c = 1.0 / 3628800.0 - y * c
    c = 1.0 / 40320.0 - y * c
    c = 1.0 / 720.0 - y * c
    c = 1.0 / 24.0 - y * c
    c = 0.5 - y * c
    c = 1.0 - y * c
    s, c = 2.0 * s * c, 1.0 - 2.0 * s * s
    return 1.0 - 2.0 * s * s, 2.0 * s * c


@nb.njit(cache=True, fastmath=False, error_model="numpy", inline="always")
def exp_of_negative(x):  # type: ignore[no-untyped-def]
    """Exponential of ``x <= 0``, of -40 where x is less: the 256th part's, squared eight times."""
    y = (0.5 / 256.0) * (x - 40.0 + abs(x + 40.0))
    e = 1.0 + y * (1.0 / 9.0)
    e = 1.0 + y * (1.0 / 8.0) * e
    e = 1.0 + y * (1.0 / 7.0) * e
    e = 1.0 + y * (1.0 / 6.0) * e
    e = 1.0 + y * (1.0 / 5.0) * e
    e = 1.0 + y * (1.0 / 4.0) * e
    e = 1.0 + y * (1.0 / 3.0) * e
    e = 1.0 + y * 0.5 * e
    e = 1.0 + y * e
    e = e * e
    e = e * e
    e = e * e
    e = e * e
    e = e * e
    e = e * e
    e = e * e
    return e * e


@nb.njit(cache=True, fastmath=False, error_model="numpy", inline="always")
def _layer(nr, ni, dr, di, er, ei):  # type: ignore[no-untyped-def]
    """Reflection of a layer whose front face alone has R' = n / d (P.2040 equation 43), as one quotient."""
    # n d (1 - e) / (d^2 - n^2 e)
    pr, pi = nr * dr - ni * di, nr * di + ni * dr
    tr, ti = pr * (1.0 - er) + pi * ei, pi * (1.0 - er) - pr * ei
    n2r, n2i = nr * nr - ni * ni, 2.0 * nr * ni
    br = dr * dr - di * di - (n2r * er - n2i * ei)
    bi = 2.0 * dr * di - (n2r * ei + n2i * er)
    scale = 1.0 / (br * br + bi * bi)
    return (tr * br + ti * bi) * scale, (ti * br - tr * bi) * scale


@nb.njit(cache=True, fastmath=False, error_model="numpy", inline="always")
def slab_scalar(cos, er, ei, in_wavelengths):  # type: ignore[no-untyped-def]
    """TE and TM reflection of a layer, real and imaginary parts, as ``radio.propagation.materials.slab``."""
    ar = er - (1.0 - cos * cos)
    rr = math.sqrt(0.5 * (math.sqrt(ar * ar + ei * ei) + ar))
    ri = 0.5 * ei / rr
    c, s = cos_sin_of_turns(2.0 * in_wavelengths * rr)
    through = exp_of_negative(4.0 * math.pi * in_wavelengths * ri)
    xr, xi = through * c, -through * s
    te = _layer(cos - rr, -ri, cos + rr, ri, xr, xi)
    er_c, ei_c = er * cos, ei * cos
    tm = _layer(er_c - rr, ei_c - ri, er_c + rr, ei_c + ri, xr, xi)
    return te[0], te[1], tm[0], tm[1]


@nb.njit(cache=True, fastmath=False, error_model="numpy", inline="always")
def _theta_hat(x, y, z):  # type: ignore[no-untyped-def]
    """Theta-hat of a direction; straight up or down it is -x."""
    rho = math.sqrt(x * x + y * y)
    pole = 1.0 if rho < 1e-9 else 0.0
    share = (1.0 - pole) / (rho + pole)
    return x * z * share - pole, y * z * share, -rho * (1.0 - pole)


@nb.njit(cache=True, fastmath=False, error_model="numpy", inline="always")
def _across(kx, ky, kz, nx, ny, nz):  # type: ignore[no-untyped-def]
    """Return the unit vector across the plane of incidence, k x n; met head-on any direction across the ray will do."""
    sx, sy, sz = ky * nz - kz * ny, kz * nx - kx * nz, kx * ny - ky * nx
    norm = math.sqrt(sx * sx + sy * sy + sz * sz)
    head_on = 1.0 if norm < 1e-9 else 0.0
    share = (1.0 - head_on) / (norm + head_on)
    # A facet is upright or level, so (-ny, nx, nz') lies in it: nz' counts only where the normal is vertical, as x.
    return sx * share + head_on * (abs(nz) - ny), sy * share + head_on * nx, sz * share


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def fields_kernel(tile, wavelength, cos_t, sin_t, cos_r, sin_r):  # type: ignore[no-untyped-def]
    """Transfer, amplitude and departure of a tile's four paths."""
    for j in range(LANES):
        d = tile[LANES * 0 + j]
        wx, wy, wz = tile[LANES * 1 + j], tile[LANES * 2 + j], tile[LANES * 3 + j]
        n1x, n1y, n1z = tile[LANES * 4 + j], tile[LANES * 5 + j], tile[LANES * 6 + j]
        e1r, e1i, l1, b1 = tile[LANES * 7 + j], tile[LANES * 8 + j], tile[LANES * 9 + j], tile[LANES * 10 + j]
        n2x, n2y, n2z = tile[LANES * 11 + j], tile[LANES * 12 + j], tile[LANES * 13 + j]
        e2r, e2i, l2, b2 = tile[LANES * 14 + j], tile[LANES * 15 + j], tile[LANES * 16 + j], tile[LANES * 17 + j]
        # Directions of the legs, from the last one back to the first.
        cos2 = n2x * wx + n2y * wy + n2z * wz
        m = 2.0 * b2 * cos2
        kx, ky, kz = wx - m * n2x, wy - m * n2y, wz - m * n2z
        cos1 = n1x * kx + n1y * ky + n1z * kz
        m = 2.0 * b1 * cos1
        vx, vy, vz = kx - m * n1x, ky - m * n1y, kz - m * n1z
        s1x, s1y, s1z = _across(kx, ky, kz, n1x, n1y, n1z)
        s2x, s2y, s2z = _across(kx, ky, kz, n2x, n2y, n2z)
        te1r, te1i, tm1r, tm1i = slab_scalar(abs(cos1), e1r, e1i, l1)
        te2r, te2i, tm2r, tm2i = slab_scalar(abs(cos2), e2r, e2i, l2)
        # Where there is no bounce both parts pass. No branches here: they would keep the four from being done side by side.
        te1r, te1i, tm1r, tm1i = b1 * te1r + (1.0 - b1), b1 * te1i, b1 * tm1r + (1.0 - b1), b1 * tm1i
        te2r, te2i, tm2r, tm2i = b2 * te2r + (1.0 - b2), b2 * te2i, b2 * tm2r + (1.0 - b2), b2 * tm2i
        # Sent theta and phi in the parts (s, p = s x k) of the first bounce: (a, b) and (b, -a).
        tx, ty, tz = _theta_hat(vx, vy, vz)
        a = s1x * tx + s1y * ty + s1z * tz
        b = s1x * (vy * tz - vz * ty) + s1y * (vz * tx - vx * tz) + s1z * (vx * ty - vy * tx)
        ts_r, ts_i, tp_r, tp_i = te1r * a, te1i * a, tm1r * b, tm1i * b
        ps_r, ps_i, pp_r, pp_i = te1r * b, te1i * b, -tm1r * a, -tm1i * a
        # From the parts of the first bounce to those of the second.
        a = s2x * s1x + s2y * s1y + s2z * s1z
        b = s2x * (s1y * kz - s1z * ky) + s2y * (s1z * kx - s1x * kz) + s2z * (s1x * ky - s1y * kx)
        ts_r, tp_r = a * ts_r + b * tp_r, a * tp_r - b * ts_r
        ts_i, tp_i = a * ts_i + b * tp_i, a * tp_i - b * ts_i
        ps_r, pp_r = a * ps_r + b * pp_r, a * pp_r - b * ps_r
        ps_i, pp_i = a * ps_i + b * pp_i, a * pp_i - b * ps_i
        ts_r, ts_i = ts_r * te2r - ts_i * te2i, ts_r * te2i + ts_i * te2r
        tp_r, tp_i = tp_r * tm2r - tp_i * tm2i, tp_r * tm2i + tp_i * tm2r
        ps_r, ps_i = ps_r * te2r - ps_i * te2i, ps_r * te2i + ps_i * te2r
        pp_r, pp_i = pp_r * tm2r - pp_i * tm2i, pp_r * tm2i + pp_i * tm2r
        # To theta and phi of the direction the wave comes from, whose phi-hat is the opposite of the ray's.
        tx, ty, tz = _theta_hat(wx, wy, wz)
        a = s2x * tx + s2y * ty + s2z * tz
        b = s2x * (wy * tz - wz * ty) + s2y * (wz * tx - wx * tz) + s2z * (wx * ty - wy * tx)
        # Friis, and the phase of the way.
        scale = wavelength / (4.0 * math.pi * d)
        c, s = cos_sin_of_turns(d / wavelength)
        gr, gi = scale * c, -scale * s
        xr, xi = a * ts_r + b * tp_r, a * ts_i + b * tp_i
        tt_r, tt_i = gr * xr - gi * xi, gr * xi + gi * xr
        xr, xi = a * ps_r + b * pp_r, a * ps_i + b * pp_i
        tp2_r, tp2_i = gr * xr - gi * xi, gr * xi + gi * xr
        xr, xi = a * tp_r - b * ts_r, a * tp_i - b * ts_i
        pt_r, pt_i = gr * xr - gi * xi, gr * xi + gi * xr
        xr, xi = a * pp_r - b * ps_r, a * pp_i - b * ps_i
        pp2_r, pp2_i = gr * xr - gi * xi, gr * xi + gi * xr
        amp_r = cos_r * (tt_r * cos_t + tp2_r * sin_t) + sin_r * (pt_r * cos_t + pp2_r * sin_t)
        amp_i = cos_r * (tt_i * cos_t + tp2_i * sin_t) + sin_r * (pt_i * cos_t + pp2_i * sin_t)
        tile[LANES * 18 + j], tile[LANES * 19 + j] = tt_r, tt_i
        tile[LANES * 20 + j], tile[LANES * 21 + j] = tp2_r, tp2_i
        tile[LANES * 22 + j], tile[LANES * 23 + j] = pt_r, pt_i
        tile[LANES * 24 + j], tile[LANES * 25 + j] = pp2_r, pp2_i
        tile[LANES * 26 + j], tile[LANES * 27 + j] = amp_r, amp_i
        tile[LANES * 28 + j] = math.sqrt(amp_r * amp_r + amp_i * amp_i)
        tile[LANES * 29 + j], tile[LANES * 30 + j], tile[LANES * 31 + j] = vx, vy, vz


@nb.njit(cache=True, fastmath=False, error_model="numpy", forceinline=True)
def _between(o, d, h):  # type: ignore[no-untyped-def]
    """Shares of a leg at which it enters and leaves -h..h along one axis. A level one that touches never enters."""
    level = abs(d) < 1e-15
    inverse = 1.0 / (d if not level else (1e-15 if o >= 0.0 else -1e-15))
    t0, t1 = (-h - o) * inverse, (h - o) * inverse
    return (t0 if t0 < t1 else t1), (t1 if t0 < t1 else t0)


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _blocked(ax, ay, az, bx, by, bz, boxes, first, last, solid):  # type: ignore[no-untyped-def]
    """Tell whether the leg a-b runs through a listed box (slab test in the box's frame)."""
    dx, dy, dz = bx - ax, by - ay, bz - az
    for i in range(first, last):
        k = boxes[i]
        ox, oy, oz = ax - solid[k, 0], ay - solid[k, 1], az - solid[k, 2]
        c, s = solid[k, 6], solid[k, 7]
        x0, x1 = _between(ox * c + oy * s, dx * c + dy * s, solid[k, 3])
        y0, y1 = _between(oy * c - ox * s, dy * c - dx * s, solid[k, 4])
        z0, z1 = _between(oz, dz, solid[k, 5])
        enter = max(max(x0, y0), max(z0, 0.0))
        leave = min(min(x1, y1), min(z1, 1.0))
        if enter + GRAZE < leave:
            return True
    return False


@nb.njit(cache=True, fastmath=False, error_model="numpy", forceinline=True)
def _outside(x, y, z, size):  # type: ignore[no-untyped-def]
    """Tell whether a bounce lies outside the hall, on the part of a box that sticks out of it."""
    return (
        x < -IN_FRONT_M
        or y < -IN_FRONT_M
        or z < -IN_FRONT_M
        or x > size[0] + IN_FRONT_M
        or y > size[1] + IN_FRONT_M
        or z > size[2] + IN_FRONT_M
    )


@nb.njit(cache=True, fastmath=False, error_model="numpy", forceinline=True)
def _gather(  # type: ignore[no-untyped-def]
    x, y, z, s, i, tx, ty, tz, pairs, affine, image, height, half, place, boxes, solid, size, facet, work, o
):
    """Write path s to the tile's lane at ``work[o]``; False where it misses a facet or a box is in the way."""
    f, g = pairs[s, 0], pairs[s, 1]
    dx, dy, dz = x - image[s, 1, 0], y - image[s, 1, 1], z - image[s, 1, 2]
    px, py, pz = qx, qy, qz = x, y, z
    if f >= 0:
        last = f if g < 0 else g
        over = affine[s, 0, 0] * x + affine[s, 0, 1] * y + affine[s, 0, 2] * z + affine[s, 0, 3]
        divisor = over + height[s, 1]
        if over <= IN_FRONT_M:
            return False
        if abs(affine[s, 1, 0] * x + affine[s, 1, 1] * y + affine[s, 1, 2] * z + affine[s, 1, 3]) > half[last, 0] * divisor:
            return False
        if abs(affine[s, 2, 0] * x + affine[s, 2, 1] * y + affine[s, 2, 2] * z + affine[s, 2, 3]) > half[last, 1] * divisor:
            return False
        if g >= 0:
            over_first = affine[s, 3, 0] * x + affine[s, 3, 1] * y + affine[s, 3, 2] * z + affine[s, 3, 3]
            divisor_first = over_first + height[s, 0] * divisor
            if over_first <= IN_FRONT_M * divisor:
                return False
            if (
                abs(affine[s, 4, 0] * x + affine[s, 4, 1] * y + affine[s, 4, 2] * z + affine[s, 4, 3])
                > half[f, 0] * divisor_first
            ):
                return False
            if (
                abs(affine[s, 5, 0] * x + affine[s, 5, 1] * y + affine[s, 5, 2] * z + affine[s, 5, 3])
                > half[f, 1] * divisor_first
            ):
                return False
        share = height[s, 1] / divisor
        qx, qy, qz = image[s, 1, 0] + share * dx, image[s, 1, 1] + share * dy, image[s, 1, 2] + share * dz
        if _outside(qx, qy, qz, size):
            return False
        if _blocked(x, y, z, qx, qy, qz, boxes, place[i, 1 if g < 0 else 2], place[i, 2 if g < 0 else 3], solid):
            return False
        px, py, pz = qx, qy, qz
        if g < 0:
            qx, qy, qz = x, y, z
        else:
            share = height[s, 0] * divisor / divisor_first
            ix, iy, iz = image[s, 0, 0], image[s, 0, 1], image[s, 0, 2]
            px, py, pz = ix + share * (qx - ix), iy + share * (qy - iy), iz + share * (qz - iz)
            if _outside(px, py, pz, size):
                return False
            if _blocked(px, py, pz, qx, qy, qz, boxes, place[i, 1], place[i, 2], solid):
                return False
        if _blocked(tx, ty, tz, px, py, pz, boxes, place[i, 0], place[i, 1], solid):
            return False
    elif _blocked(tx, ty, tz, x, y, z, boxes, place[i, 0], place[i, 1], solid):
        return False
    d = math.sqrt(dx * dx + dy * dy + dz * dz)
    inverse = 1.0 / d
    work[o] = d
    work[o + LANES * 1], work[o + LANES * 2], work[o + LANES * 3] = dx * inverse, dy * inverse, dz * inverse
    # A path with fewer bounces takes any plane, and no reflection there.
    at = max(f, 0)
    work[o + LANES * 4], work[o + LANES * 5], work[o + LANES * 6] = facet[at, 0], facet[at, 1], facet[at, 2]
    work[o + LANES * 7], work[o + LANES * 8], work[o + LANES * 9] = facet[at, 3], facet[at, 4], facet[at, 5]
    work[o + LANES * 10] = 1.0 if f >= 0 else 0.0
    at = g if g >= 0 else at
    work[o + LANES * 11], work[o + LANES * 12], work[o + LANES * 13] = facet[at, 0], facet[at, 1], facet[at, 2]
    work[o + LANES * 14], work[o + LANES * 15], work[o + LANES * 16] = facet[at, 3], facet[at, 4], facet[at, 5]
    work[o + LANES * 17] = 1.0 if g >= 0 else 0.0
    work[o + LANES * 32], work[o + LANES * 33], work[o + LANES * 34] = px, py, pz
    work[o + LANES * 35], work[o + LANES * 36], work[o + LANES * 37] = qx, qy, qz
    return True


@nb.njit(cache=True, fastmath=False, error_model="numpy", forceinline=True)
def _kept(link, x, y, z, place, needed):  # type: ignore[no-untyped-def]
    """Tell whether a link's paths are those of last time: its UE has not moved since, or they are not needed."""
    if link >= place.shape[0]:
        return False
    return not needed[link] or (x == place[link, 0] and y == place[link, 1] and z == place[link, 2])


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def missing_cells(ue, n_trp, place, needed, size, cell_m, slot):  # type: ignore[no-untyped-def]
    """Index of the first UE without a finite position, -1 if there is none, and the cells that are not known yet.

    A cell is asked for where a link's paths are not those of last time, see ``_kept``.
    """
    new = np.empty(ue.shape[0], np.int64)
    n = 0
    for u in range(ue.shape[0]):
        x, y, z = ue[u, 0], ue[u, 1], ue[u, 2]
        if not (math.isfinite(x) and math.isfinite(y) and math.isfinite(z)):
            return u, new[:0]
        kept = True
        for link in range(u * n_trp, (u + 1) * n_trp):
            kept = kept and _kept(link, x, y, z, place, needed)
        if not kept and 0.0 <= x <= size[0] and 0.0 <= y <= size[1] and 0.0 <= z <= size[2]:
            cell = _cell(x, y, z, cell_m, slot)
            if slot[cell // (slot.shape[1] * slot.shape[2]), cell // slot.shape[2] % slot.shape[1], cell % slot.shape[2]] < 0:
                new[n] = cell
                n += 1
    return -1, new[:n]


@nb.njit(cache=True, fastmath=False, error_model="numpy", forceinline=True)
def _cell(x, y, z, cell_m, slot):  # type: ignore[no-untyped-def]
    """Return the number of the cell that holds a point of the hall."""
    ix = min(int(x / cell_m[0]), slot.shape[0] - 1)
    iy = min(int(y / cell_m[1]), slot.shape[1] - 1)
    iz = min(int(z / cell_m[2]), slot.shape[2] - 1)
    return (ix * slot.shape[1] + iy) * slot.shape[2] + iz


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def find_kernel(  # type: ignore[no-untyped-def]
    ue, trp, aerial, ue_slant, size, cell_m, slot, start, sequence, bound, place, boxes,
    pairs, affine, image, height, half, material, solid, max_paths, reach, work, needed, glance,
    last_place, last_offset, last_order, last_vertex, last_length, last_transfer, last_amplitude, last_departure, last_arrival,
    last_facet,
):  # fmt: skip
    """Compute the arrays of Paths from ``offset`` on; see ``radio.propagation.paths`` and ``radio.propagation.visibility``.

    Links (L,) that are not ``needed``, and those of UEs that have not moved, keep what ``last_*``, the last call's results, say;
    at a ``glance`` those that are not needed have no paths.
    Ahead of the arrays comes ``place`` (L, 3), where the UE stood when the link's paths were found.
    """
    n_trp, n_ue = trp.shape[0], ue.shape[0]
    n_out = n_trp * n_ue * max_paths
    place_of = np.empty((n_trp * n_ue, 3))
    offset = np.zeros(n_trp * n_ue + 1, np.int64)
    order = np.empty(n_out, np.int64)
    vertex = np.empty((n_out, 4, 3))
    length = np.empty(n_out)
    transfer = np.empty((n_out, 2, 2), np.complex128)
    amplitude = np.empty(n_out, np.complex128)
    departure = np.empty((n_out, 3))
    arrival = np.empty((n_out, 3))
    facet = np.empty((n_out, 2), np.int64)
    # The link's best so far, strongest first: magnitude, sequence, and where its values stand.
    best = np.empty(max_paths)
    best_sequence = np.empty(max_paths, np.int64)
    best_at = np.empty(max_paths, np.int64)
    lane_sequence = np.empty(LANES, np.int64)
    cos_r, sin_r = math.cos(ue_slant), math.sin(ue_slant)
    n = run_end = 0
    for u in range(n_ue):
        x, y, z = ue[u, 0], ue[u, 1], ue[u, 2]
        entry = -1
        if 0.0 <= x <= size[0] and 0.0 <= y <= size[1] and 0.0 <= z <= size[2]:
            cell = _cell(x, y, z, cell_m, slot)
            entry = n_trp * slot.ravel()[cell]
        for t in range(n_trp):
            link = u * n_trp + t
            if link < run_end:
                continue
            if glance and not needed[link]:
                offset[link] = n
                continue
            if _kept(link, x, y, z, last_place, needed):
                # Links in a row whose paths are those of last time are copied at once.
                first = last_offset[link]
                run_end = link
                while run_end < n_trp * n_ue:
                    at = run_end // n_trp
                    absent = glance and not needed[run_end]
                    if absent or not _kept(run_end, ue[at, 0], ue[at, 1], ue[at, 2], last_place, needed):
                        break
                    offset[run_end] = n + last_offset[run_end] - first
                    place_of[run_end] = last_place[run_end]
                    run_end += 1
                last = last_offset[run_end]
                until = n + last - first
                order[n:until] = last_order[first:last]
                vertex[n:until] = last_vertex[first:last]
                length[n:until] = last_length[first:last]
                transfer[n:until] = last_transfer[first:last]
                amplitude[n:until] = last_amplitude[first:last]
                departure[n:until] = last_departure[first:last]
                arrival[n:until] = last_arrival[first:last]
                facet[n:until] = last_facet[first:last]
                n = until
                continue
            offset[link] = n
            place_of[link, 0], place_of[link, 1], place_of[link, 2] = x, y, z
            if entry < 0:
                continue
            if (x - trp[t, 0]) ** 2 + (y - trp[t, 1]) ** 2 + (z - trp[t, 2]) ** 2 < NEAREST_M * NEAREST_M:
                continue
            wavelength, cos_t, sin_t = aerial[t, 0], aerial[t, 1], aerial[t, 2]
            layer = material[int(aerial[t, 3])]
            tx, ty, tz = trp[t, 0], trp[t, 1], trp[t, 2]
            count = lane = base = 0
            floor = 0.0
            i, last = start[entry + t], start[entry + t + 1]
            while i < last or lane > 0:
                # No sequence exceeds its bound, and the bounds descend.
                more = i < last and bound[i] >= floor
                if not more:
                    i = last
                    if lane == 0:
                        break
                else:
                    s = sequence[i]
                    if _gather(
                        x, y, z, s, i, tx, ty, tz, pairs, affine, image, height, half, place, boxes, solid, size,
                        layer, work, base + lane,
                    ):  # fmt: skip
                        lane_sequence[lane] = s
                        lane += 1
                    i += 1
                if lane == LANES or (i == last and lane > 0):
                    fields_kernel(work[base : base + LANES * VALUES], wavelength, cos_t, sin_t, cos_r, sin_r)
                    for j in range(lane):
                        magnitude, s = work[base + LANES * 28 + j], lane_sequence[j]
                        if count == max_paths:
                            weakest = best[count - 1]
                            if magnitude < weakest or (magnitude == weakest and s > best_sequence[count - 1]):
                                continue
                        k = min(count, max_paths - 1)
                        while k > 0 and (best[k - 1] < magnitude or (best[k - 1] == magnitude and best_sequence[k - 1] > s)):
                            best[k], best_sequence[k], best_at[k] = best[k - 1], best_sequence[k - 1], best_at[k - 1]
                            k -= 1
                        best[k], best_sequence[k], best_at[k] = magnitude, s, base + j
                        count = min(count + 1, max_paths)
                    floor = best[0] * reach
                    if count == max_paths:
                        floor = max(floor, best[count - 1])
                    base += LANES * VALUES
                    lane = 0
            for j in range(count):
                if best[j] < best[0] * reach:
                    break
                o, s = best_at[j], best_sequence[j]
                f, g = pairs[s, 0], pairs[s, 1]
                bounces = 0 if f < 0 else (1 if g < 0 else 2)
                order[n], facet[n, 0], facet[n, 1] = bounces, f, g
                vertex[n, 0, 0], vertex[n, 0, 1], vertex[n, 0, 2] = tx, ty, tz
                for c in range(3):
                    vertex[n, 1, c], vertex[n, 2, c] = work[o + LANES * (32 + c)], work[o + LANES * (35 + c)]
                vertex[n, 3, 0], vertex[n, 3, 1], vertex[n, 3, 2] = x, y, z
                length[n] = work[o]
                transfer[n, 0, 0] = complex(work[o + LANES * 18], work[o + LANES * 19])
                transfer[n, 0, 1] = complex(work[o + LANES * 20], work[o + LANES * 21])
                transfer[n, 1, 0] = complex(work[o + LANES * 22], work[o + LANES * 23])
                transfer[n, 1, 1] = complex(work[o + LANES * 24], work[o + LANES * 25])
                amplitude[n] = complex(work[o + LANES * 26], work[o + LANES * 27])
                departure[n, 0], departure[n, 1], departure[n, 2] = (
                    work[o + LANES * 29],
                    work[o + LANES * 30],
                    work[o + LANES * 31],
                )
                arrival[n, 0], arrival[n, 1], arrival[n, 2] = -work[o + LANES * 1], -work[o + LANES * 2], -work[o + LANES * 3]
                n += 1
    offset[n_trp * n_ue] = n
    return (
        place_of, offset, order[:n], vertex[:n], length[:n], transfer[:n], amplitude[:n], departure[:n], arrival[:n], facet[:n],
    )  # fmt: skip
