"""Line of sight and first-order reflections by the image method.

The transmitting antenna is vertical: its field is the theta-hat vector. At a bounce it is split across (TE) and in (TM) the
plane of incidence, each part takes its Fresnel coefficient, and the receiving antenna takes the theta-hat part of the sum.
``radio/paths_oracle.py`` says the same in plain Python.
"""

from __future__ import annotations

import cmath
import math
from typing import Any

import numba as nb
import numpy as np

from radio.geometry import PreparedHall
from radio.types import FloatArray, Paths

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
def _blocked(ax, ay, az, bx, by, bz, skip, center, half, axis, low, high):  # type: ignore[no-untyped-def]
    """Tell whether the leg a-b runs through a box other than ``skip`` (slab test in the box's frame)."""
    lx, hx = min(ax, bx), max(ax, bx)
    ly, hy = min(ay, by), max(ay, by)
    lz = min(az, bz)
    hz = max(az, bz)
    for k in range(center.shape[0]):
        if hx < low[k, 0] or lx > high[k, 0] or hy < low[k, 1] or ly > high[k, 1] or lz > high[k, 2] or hz < low[k, 2]:
            continue
        if k == skip:
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
def _paths_kernel(  # type: ignore[no-untyped-def]
    trp, ue, size, center, normal, axis_u, axis_v, half, eps, facet_box,
    box_center, box_half, box_axis, box_low, box_high, wavelength, max_paths, reach,
):  # fmt: skip
    n_trp, n_ue, n_facet = trp.shape[0], ue.shape[0], center.shape[0]
    n_out = n_trp * n_ue * max_paths
    offset = np.zeros(n_trp * n_ue + 1, np.int64)
    vertex = np.empty((n_out, 3, 3))
    length = np.empty(n_out)
    amplitude = np.empty(n_out, np.complex128)
    departure = np.empty((n_out, 3))
    arrival = np.empty((n_out, 3))
    facet = np.empty(n_out, np.int64)
    # In-plane coordinates and height of each antenna over each facet: (u, v, height).
    over = np.empty((n_trp, n_facet, 3))
    for t in range(n_trp):
        for f in range(n_facet):
            dx, dy, dz = trp[t, 0] - center[f, 0], trp[t, 1] - center[f, 1], trp[t, 2] - center[f, 2]
            over[t, f, 0] = dx * axis_u[f, 0] + dy * axis_u[f, 1] + dz * axis_u[f, 2]
            over[t, f, 1] = dx * axis_v[f, 0] + dy * axis_v[f, 1] + dz * axis_v[f, 2]
            over[t, f, 2] = dx * normal[f, 0] + dy * normal[f, 1] + dz * normal[f, 2]
    mine = np.empty((n_facet, 3))
    # The link's best so far, strongest first: magnitude, real, imaginary, length, point.
    best = np.empty((max_paths, 7))
    best_facet = np.empty(max_paths, np.int64)
    wave_number = 2.0 * math.pi / wavelength
    scale = wavelength / (4.0 * math.pi)
    n = 0
    for u in range(n_ue):
        x, y, z = ue[u, 0], ue[u, 1], ue[u, 2]
        outside = not (0.0 <= x <= size[0] and 0.0 <= y <= size[1] and 0.0 <= z <= size[2])
        for f in range(n_facet):
            dx, dy, dz = x - center[f, 0], y - center[f, 1], z - center[f, 2]
            mine[f, 0] = dx * axis_u[f, 0] + dy * axis_u[f, 1] + dz * axis_u[f, 2]
            mine[f, 1] = dx * axis_v[f, 0] + dy * axis_v[f, 1] + dz * axis_v[f, 2]
            mine[f, 2] = dx * normal[f, 0] + dy * normal[f, 1] + dz * normal[f, 2]
        for t in range(n_trp):
            link = u * n_trp + t
            offset[link] = n
            if outside:
                continue
            tx, ty, tz = trp[t, 0], trp[t, 1], trp[t, 2]
            count = 0
            d = math.sqrt((x - tx) ** 2 + (y - ty) ** 2 + (z - tz) ** 2)
            if d > 1e-6 and not _blocked(tx, ty, tz, x, y, z, -1, box_center, box_half, box_axis, box_low, box_high):
                best[0, 0] = scale / d
                best[0, 1] = scale / d * math.cos(wave_number * d)
                best[0, 2] = -scale / d * math.sin(wave_number * d)
                best[0, 3] = d
                best[0, 4], best[0, 5], best[0, 6] = x, y, z
                best_facet[0] = -1
                count = 1
            for f in range(n_facet):
                ht = over[t, f, 2]
                hu = mine[f, 2]
                if ht <= 1e-9 or hu <= 1e-9:
                    continue
                h = ht + hu
                pu = over[t, f, 0] * hu + mine[f, 0] * ht
                if abs(pu) > half[f, 0] * h:
                    continue
                pv = over[t, f, 1] * hu + mine[f, 1] * ht
                if abs(pv) > half[f, 1] * h:
                    continue
                gu, gv = mine[f, 0] - over[t, f, 0], mine[f, 1] - over[t, f, 1]
                d = math.sqrt(gu * gu + gv * gv + h * h)  # distance to the image
                # No reflection exceeds free space, so a path that would not be kept at |Gamma| = 1 needs no more work.
                floor = best[count - 1, 0] if count == max_paths else 0.0
                if count > 0:
                    floor = max(floor, best[0, 0] * reach)
                if scale / d <= floor:
                    continue
                pu /= h
                pv /= h
                px = center[f, 0] + pu * axis_u[f, 0] + pv * axis_v[f, 0]
                py = center[f, 1] + pu * axis_u[f, 1] + pv * axis_v[f, 1]
                pz = center[f, 2] + pu * axis_u[f, 2] + pv * axis_v[f, 2]
                d1 = d * ht / h
                d2 = d * hu / h
                gamma = _copolar(
                    (px - tx) / d1, (py - ty) / d1, (pz - tz) / d1, (x - px) / d2, (y - py) / d2, (z - pz) / d2,
                    normal[f, 0], normal[f, 1], normal[f, 2], axis_u[f, 0], axis_u[f, 1], axis_u[f, 2], eps[f],
                )  # fmt: skip
                magnitude = scale / d * math.sqrt(gamma.real * gamma.real + gamma.imag * gamma.imag)
                if magnitude <= floor:
                    continue
                k = facet_box[f]
                # Both legs lie before the face and the box behind it, so the face's own box cannot block them.
                if _blocked(x, y, z, px, py, pz, k, box_center, box_half, box_axis, box_low, box_high):
                    continue
                if _blocked(tx, ty, tz, px, py, pz, k, box_center, box_half, box_axis, box_low, box_high):
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
    return offset, vertex[:n], length[:n], amplitude[:n], departure[:n], arrival[:n], facet[:n]


def compute_paths(
    prepared: PreparedHall, trp_position_m: FloatArray, ue_position_m: FloatArray, max_paths: int, reach_db: float
) -> Paths:
    """Line of sight and first-order reflections of every link.

    Parameters
    ----------
    prepared : the hall's facets at the carrier frequency.
    trp_position_m : (T, 3) TRP antennas [m].
    ue_position_m : (U, 3) UE antennas [m]. A UE outside the hall or inside a box has no path.
    max_paths : paths kept per link, strongest first.
    reach_db : paths weaker than the link's strongest by more than this are dropped [dB].

    Returns
    -------
    Paths
        Link ``u * T + t`` holds the paths from TRP t to UE u.

    Raises
    ------
    ValueError
        If a position is not finite.
    """
    trp = np.ascontiguousarray(trp_position_m, dtype=np.float64)
    ue = np.ascontiguousarray(ue_position_m, dtype=np.float64)
    _require_finite("TRP", trp)
    _require_finite("UE", ue)
    out: Any = _paths_kernel(
        trp,
        ue,
        prepared.size_m,
        prepared.center_m,
        prepared.normal,
        prepared.axis_u,
        prepared.axis_v,
        prepared.half_m,
        prepared.permittivity,
        prepared.facet_box,
        prepared.box_center_m,
        prepared.box_half_m,
        prepared.box_axis,
        prepared.box_low_m,
        prepared.box_high_m,
        prepared.wavelength_m,
        max_paths,
        10.0 ** (-reach_db / 20.0),
    )
    return Paths(ue.shape[0], trp.shape[0], *out)


def _require_finite(what: str, position: FloatArray) -> None:
    if not np.isfinite(position).all():
        i = int(np.argwhere(~np.isfinite(position))[0, 0])
        raise ValueError(f"position_m of {what} {i} is {position[i].tolist()}, wanted three finite numbers in m")
