"""Kernels of ``radio.paths``, where the model is described.

No kernel here calls one of another file: numba's cache of a kernel looks at the kernel's own file only.
"""

from __future__ import annotations

import cmath
import math

import numba as nb
import numpy as np

# A leg is blocked only if it runs inside a box for more than this share of itself, so that touching an edge does not count.
GRAZE = 1e-9


@nb.njit(cache=True, fastmath=False, error_model="numpy", inline="always")
def fresnel_scalar(relative_permittivity: complex, cos_incidence: float) -> tuple[complex, complex]:
    """Return (te, tm) of one bounce, as ``radio.materials.fresnel`` does.

    It stands here because numba's cache of a kernel looks at the kernel's own file only.
    """
    root = cmath.sqrt(relative_permittivity - (1.0 - cos_incidence * cos_incidence))
    te = (cos_incidence - root) / (cos_incidence + root)
    scaled = relative_permittivity * cos_incidence
    tm = (scaled - root) / (scaled + root)
    return te, tm


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _blocked(ax, ay, az, bx, by, bz, skip, center, half, axis, low, high, near):  # type: ignore[no-untyped-def]
    """Tell whether the leg a-b runs through a box other than ``skip`` (slab test in the box's frame).

    ``low``, ``high`` (3, N) are the boxes' bounds, axis by axis so that all boxes are tested in one straight run; ``near`` (N,)
    is scratch.
    """
    lx, hx = min(ax, bx), max(ax, bx)
    ly, hy = min(ay, by), max(ay, by)
    lz, hz = min(az, bz), max(az, bz)
    for k in range(near.shape[0]):
        near[k] = (
            (hx >= low[0, k])
            & (lx <= high[0, k])
            & (hy >= low[1, k])
            & (ly <= high[1, k])
            & (lz <= high[2, k])
            & (hz >= low[2, k])
        )
    for k in range(near.shape[0]):
        if not near[k] or k == skip:
            continue
        c, s = axis[k, 0], axis[k, 1]
        ox, oy, oz = ax - center[k, 0], ay - center[k, 1], az - center[k, 2]
        dx, dy, dz = bx - ax, by - ay, bz - az
        enter = 0.0
        leave = 1.0
        for i in range(3):
            if i == 0:
                o, d, h = ox * c + oy * s, dx * c + dy * s, half[k, 0]
            elif i == 1:
                o, d, h = -ox * s + oy * c, -dx * s + dy * c, half[k, 1]
            else:
                o, d, h = oz, dz, half[k, 2]
            if abs(d) < 1e-15:
                if abs(o) >= h:
                    leave = -1.0
                continue
            inverse = 1.0 / d
            t0 = (-h - o) * inverse
            t1 = (h - o) * inverse
            if t0 > t1:
                t0, t1 = t1, t0
            enter = max(enter, t0)
            leave = min(leave, t1)
            if enter + GRAZE >= leave:
                break
        if enter + GRAZE < leave:
            return True
    return False


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _copolar(ix, iy, iz, rx, ry, rz, nx, ny, nz, ux, uy, uz, eps):  # type: ignore[no-untyped-def]
    """Theta-theta coefficient of a bounce from direction i to direction r at a surface of normal n and in-plane axis u."""
    cos_i = -(ix * nx + iy * ny + iz * nz)
    te, tm = fresnel_scalar(eps, cos_i)
    sx, sy, sz = iy * nz - iz * ny, iz * nx - ix * nz, ix * ny - iy * nx
    norm = math.sqrt(sx * sx + sy * sy + sz * sz)
    if norm < 1e-9:  # head-on: any direction across the ray will do
        sx, sy, sz = ux, uy, uz
    else:
        sx, sy, sz = sx / norm, sy / norm, sz / norm
    tix, tiy, tiz = _theta_hat(ix, iy, iz)
    trx, try_, trz = _theta_hat(rx, ry, rz)
    # p = s x k, before and after the bounce
    pix, piy, piz = sy * iz - sz * iy, sz * ix - sx * iz, sx * iy - sy * ix
    prx, pry, prz = sy * rz - sz * ry, sz * rx - sx * rz, sx * ry - sy * rx
    across = (tix * sx + tiy * sy + tiz * sz) * (trx * sx + try_ * sy + trz * sz)
    along = (tix * pix + tiy * piy + tiz * piz) * (trx * prx + try_ * pry + trz * prz)
    return te * across + tm * along


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _theta_hat(x, y, z):  # type: ignore[no-untyped-def]
    """Theta-hat of a direction; straight up or down it is taken along x."""
    rho = math.sqrt(x * x + y * y)
    if rho < 1e-12:
        return z, 0.0, 0.0
    return x * z / rho, y * z / rho, -rho


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _over_facets(x, y, z, center, normal, axis_u, axis_v, out):  # type: ignore[no-untyped-def]
    """Write a point's in-plane coordinates u, v and its height over each facet, (3, F)."""
    for f in range(center.shape[0]):
        dx, dy, dz = x - center[f, 0], y - center[f, 1], z - center[f, 2]
        out[0, f] = dx * axis_u[f, 0] + dy * axis_u[f, 1] + dz * axis_u[f, 2]
        out[1, f] = dx * axis_v[f, 0] + dy * axis_v[f, 1] + dz * axis_v[f, 2]
        out[2, f] = dx * normal[f, 0] + dy * normal[f, 1] + dz * normal[f, 2]


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _sees(trp, ue, half_u, half_v, seen):  # type: ignore[no-untyped-def]
    """Tell on which facets a point reflects between two antennas, both given as by ``_over_facets``, without a branch."""
    for f in range(seen.shape[0]):
        ht, hu = trp[2, f], ue[2, f]
        h = ht + hu
        seen[f] = (
            (ht > 1e-9)
            & (hu > 1e-9)
            & (abs(trp[0, f] * hu + ue[0, f] * ht) <= half_u[f] * h)
            & (abs(trp[1, f] * hu + ue[1, f] * ht) <= half_v[f] * h)
        )


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def paths_kernel(  # type: ignore[no-untyped-def]
    trp, ue, size, center, normal, axis_u, axis_v, half, eps, facet_box,
    box_center, box_half, box_axis, box_low, box_high, wavelength, max_paths, reach,
    last_ue, last_offset, last_vertex, last_length, last_amplitude, last_departure, last_arrival, last_facet,
):  # fmt: skip
    """Whether all positions are finite, and the arrays of Paths; see ``radio.paths.compute_paths``."""
    n_trp, n_ue, n_facet = trp.shape[0], ue.shape[0], center.shape[0]
    n_out = n_trp * n_ue * max_paths
    offset = np.zeros(n_trp * n_ue + 1, np.int64)
    vertex = np.empty((n_out, 3, 3))
    length = np.empty(n_out)
    amplitude = np.empty(n_out, np.complex128)
    departure = np.empty((n_out, 3))
    arrival = np.empty((n_out, 3))
    facet = np.empty(n_out, np.int64)
    low, high = np.ascontiguousarray(box_low.T), np.ascontiguousarray(box_high.T)
    near = np.empty(box_low.shape[0], np.bool_)
    # In-plane coordinates and height of each antenna over each facet: u, v, height.
    over = np.empty((n_trp, 3, n_facet))
    for t in range(n_trp):
        _over_facets(trp[t, 0], trp[t, 1], trp[t, 2], center, normal, axis_u, axis_v, over[t])
    mine = np.empty((3, n_facet))
    seen = np.empty(n_facet, np.bool_)
    half_u, half_v = half[:, 0].copy(), half[:, 1].copy()
    # The link's best so far, strongest first: magnitude, real, imaginary, length, point.
    best = np.empty((max_paths, 7))
    best_facet = np.empty(max_paths, np.int64)
    wave_number = 2.0 * math.pi / wavelength
    scale = wavelength / (4.0 * math.pi)
    n = 0
    finite = np.isfinite(trp).all()
    for u in range(n_ue):
        x, y, z = ue[u, 0], ue[u, 1], ue[u, 2]
        if u < last_ue.shape[0] and x == last_ue[u, 0] and y == last_ue[u, 1] and z == last_ue[u, 2]:
            # Not moved: the paths are those of last time.
            first, last = last_offset[u * n_trp], last_offset[(u + 1) * n_trp]
            for t in range(n_trp):
                offset[u * n_trp + t] = n + last_offset[u * n_trp + t] - first
            until = n + last - first
            vertex[n:until] = last_vertex[first:last]
            length[n:until] = last_length[first:last]
            amplitude[n:until] = last_amplitude[first:last]
            departure[n:until] = last_departure[first:last]
            arrival[n:until] = last_arrival[first:last]
            facet[n:until] = last_facet[first:last]
            n = until
            continue
        outside = not (0.0 <= x <= size[0] and 0.0 <= y <= size[1] and 0.0 <= z <= size[2])
        finite = finite and math.isfinite(x) and math.isfinite(y) and math.isfinite(z)
        _over_facets(x, y, z, center, normal, axis_u, axis_v, mine)
        for t in range(n_trp):
            link = u * n_trp + t
            offset[link] = n
            if outside:
                continue
            tx, ty, tz = trp[t, 0], trp[t, 1], trp[t, 2]
            count = 0
            d = math.sqrt((x - tx) ** 2 + (y - ty) ** 2 + (z - tz) ** 2)
            if d > 1e-6 and not _blocked(tx, ty, tz, x, y, z, -1, box_center, box_half, box_axis, low, high, near):
                best[0, 0] = scale / d
                best[0, 1] = scale / d * math.cos(wave_number * d)
                best[0, 2] = -scale / d * math.sin(wave_number * d)
                best[0, 3] = d
                best[0, 4], best[0, 5], best[0, 6] = x, y, z
                best_facet[0] = -1
                count = 1
            _sees(over[t], mine, half_u, half_v, seen)
            for f in range(n_facet):
                if not seen[f]:
                    continue
                ht = over[t, 2, f]
                hu = mine[2, f]
                h = ht + hu
                gu, gv = mine[0, f] - over[t, 0, f], mine[1, f] - over[t, 1, f]
                d = math.sqrt(gu * gu + gv * gv + h * h)  # distance to the image
                # No reflection exceeds free space, so a path that would not be kept at |Gamma| = 1 needs no more work.
                floor = best[count - 1, 0] if count == max_paths else 0.0
                if count > 0:
                    floor = max(floor, best[0, 0] * reach)
                if scale / d <= floor:
                    continue
                pu = (over[t, 0, f] * hu + mine[0, f] * ht) / h
                pv = (over[t, 1, f] * hu + mine[1, f] * ht) / h
                px = center[f, 0] + pu * axis_u[f, 0] + pv * axis_v[f, 0]
                py = center[f, 1] + pu * axis_u[f, 1] + pv * axis_v[f, 1]
                pz = center[f, 2] + pu * axis_u[f, 2] + pv * axis_v[f, 2]
                k = facet_box[f]
                # Both legs lie before the face and the box behind it, so the face's own box cannot block them.
                if _blocked(x, y, z, px, py, pz, k, box_center, box_half, box_axis, low, high, near):
                    continue
                if _blocked(tx, ty, tz, px, py, pz, k, box_center, box_half, box_axis, low, high, near):
                    continue
                d1 = d * ht / h
                d2 = d * hu / h
                gamma = _copolar(
                    (px - tx) / d1, (py - ty) / d1, (pz - tz) / d1, (x - px) / d2, (y - py) / d2, (z - pz) / d2,
                    normal[f, 0], normal[f, 1], normal[f, 2], axis_u[f, 0], axis_u[f, 1], axis_u[f, 2], eps[f],
                )  # fmt: skip
                magnitude = scale / d * math.sqrt(gamma.real * gamma.real + gamma.imag * gamma.imag)
                if magnitude <= floor:
                    continue
                cos_d, sin_d = math.cos(wave_number * d), math.sin(wave_number * d)
                j = min(count, max_paths - 1)
                while j > 0 and best[j - 1, 0] < magnitude:
                    for i in range(7):
                        best[j, i] = best[j - 1, i]
                    best_facet[j] = best_facet[j - 1]
                    j -= 1
                best[j, 0] = magnitude
                best[j, 1] = scale / d * (gamma.real * cos_d + gamma.imag * sin_d)
                best[j, 2] = scale / d * (gamma.imag * cos_d - gamma.real * sin_d)
                best[j, 3] = d
                best[j, 4], best[j, 5], best[j, 6] = px, py, pz
                best_facet[j] = f
                count = min(count + 1, max_paths)
            for j in range(count):
                if best[j, 0] < best[0, 0] * reach:
                    break
                px, py, pz = best[j, 4], best[j, 5], best[j, 6]
                vertex[n, 0, 0], vertex[n, 0, 1], vertex[n, 0, 2] = tx, ty, tz
                vertex[n, 1, 0], vertex[n, 1, 1], vertex[n, 1, 2] = px, py, pz
                vertex[n, 2, 0], vertex[n, 2, 1], vertex[n, 2, 2] = x, y, z
                length[n] = best[j, 3]
                amplitude[n] = complex(best[j, 1], best[j, 2])
                facet[n] = best_facet[j]
                d1 = math.sqrt((px - tx) ** 2 + (py - ty) ** 2 + (pz - tz) ** 2)
                departure[n, 0], departure[n, 1], departure[n, 2] = (px - tx) / d1, (py - ty) / d1, (pz - tz) / d1
                if best_facet[j] < 0:
                    px, py, pz = tx, ty, tz
                d2 = math.sqrt((px - x) ** 2 + (py - y) ** 2 + (pz - z) ** 2)
                arrival[n, 0], arrival[n, 1], arrival[n, 2] = (px - x) / d2, (py - y) / d2, (pz - z) / d2
                n += 1
    offset[n_trp * n_ue] = n
    return finite, offset, vertex[:n], length[:n], amplitude[:n], departure[:n], arrival[:n], facet[:n]
