"""The image method in plain Python, one candidate at a time: the reference that ``radio.paths`` is tested against."""

from __future__ import annotations

import cmath
import math

import numpy as np

from radio.geometry import PreparedHall
from radio.materials import fresnel
from radio.types import FloatArray, Paths


def reference_paths(
    prepared: PreparedHall, trp_position_m: FloatArray, ue_position_m: FloatArray, max_paths: int, reach_db: float
) -> Paths:
    """Compute what ``compute_paths`` computes, slowly. Parameters and result are the same."""
    offset = [0]
    vertex: list[FloatArray] = []
    length: list[float] = []
    amplitude: list[complex] = []
    facet: list[int] = []
    for ue in ue_position_m:
        for trp in trp_position_m:
            found = _link(prepared, np.asarray(trp, float), np.asarray(ue, float))
            found.sort(key=lambda path: -abs(path[1]))
            kept = [path for path in found if abs(path[1]) >= abs(found[0][1]) * 10 ** (-reach_db / 20)][:max_paths]
            for point, a, d, f in kept:
                vertex.append(np.array([trp, point, ue]))
                length.append(d)
                amplitude.append(a)
                facet.append(f)
            offset.append(len(length))
    v = np.array(vertex).reshape(-1, 3, 3)
    line = np.array(facet, dtype=np.int64) < 0
    out = v[:, 1] - v[:, 0]
    back = np.where(line[:, None], v[:, 0], v[:, 1]) - v[:, 2]
    return Paths(
        n_ue=len(ue_position_m),
        n_trp=len(trp_position_m),
        offset=np.array(offset, dtype=np.int64),
        vertex_m=v,
        length_m=np.array(length),
        amplitude=np.array(amplitude, dtype=np.complex128),
        departure=out / np.linalg.norm(out, axis=1, keepdims=True),
        arrival=back / np.linalg.norm(back, axis=1, keepdims=True),
        facet=np.array(facet, dtype=np.int64),
    )


def _link(prepared: PreparedHall, trp: FloatArray, ue: FloatArray) -> list[tuple[FloatArray, complex, float, int]]:
    if (ue < 0).any() or (ue > prepared.size_m).any():
        return []
    wavelength = prepared.wavelength_m
    found = []
    d = float(np.linalg.norm(ue - trp))
    if not crosses_box(prepared, trp, ue):
        found.append((ue, wavelength / (4 * math.pi * d) * cmath.exp(-2j * math.pi * d / wavelength), d, -1))
    for f in range(len(prepared.center_m)):
        c, n = prepared.center_m[f], prepared.normal[f]
        over_trp, over_ue = float((trp - c) @ n), float((ue - c) @ n)
        if over_trp <= 1e-9 or over_ue <= 1e-9:
            continue
        image = trp - 2 * over_trp * n
        point = image + (ue - image) * over_trp / (over_trp + over_ue)
        across = np.abs([(point - c) @ prepared.axis_u[f], (point - c) @ prepared.axis_v[f]])
        if (across > prepared.half_m[f]).any():
            continue
        own = int(prepared.facet_box[f])
        if crosses_box(prepared, trp, point, own) or crosses_box(prepared, point, ue, own):
            continue
        d = float(np.linalg.norm(ue - image))
        gamma = bounce(trp, point, ue, n, prepared.axis_u[f], complex(prepared.permittivity[f]))
        found.append((point, gamma * wavelength / (4 * math.pi * d) * cmath.exp(-2j * math.pi * d / wavelength), d, f))
    return found


def crosses_box(prepared: PreparedHall, a: FloatArray, b: FloatArray, skip: int = -1) -> bool:
    """Tell whether the leg a-b runs through a box other than ``skip``, by clipping it with each pair of faces."""
    for k in range(len(prepared.box_center_m)):
        if k == skip:
            continue
        cos, sin = prepared.box_axis[k]
        turn = np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
        o = turn @ (a - prepared.box_center_m[k])
        d = turn @ (b - a)
        enter, leave = 0.0, 1.0
        for i in range(3):
            h = prepared.box_half_m[k, i]
            if abs(d[i]) < 1e-15:
                if abs(o[i]) >= h:
                    leave = -1.0
                continue
            t0, t1 = sorted(((-h - o[i]) / d[i], (h - o[i]) / d[i]))
            enter, leave = max(enter, t0), min(leave, t1)
        if enter + 1e-9 < leave:
            return True
    return False


def theta_hat(direction: FloatArray) -> FloatArray:
    """Return the unit vector of increasing zenith angle at a direction: the field of a vertical antenna."""
    x, y, z = (float(c) for c in direction)
    theta, phi = math.acos(max(-1.0, min(1.0, z))), (math.atan2(y, x) if math.hypot(x, y) > 1e-12 else 0.0)
    return np.array([math.cos(theta) * math.cos(phi), math.cos(theta) * math.sin(phi), -math.sin(theta)])


def bounce(trp: FloatArray, point: FloatArray, ue: FloatArray, normal: FloatArray, axis_u: FloatArray, eps: complex) -> complex:
    """Theta-theta coefficient of one reflection, from the 3 x 3 dyadic of the bounce."""
    k_in = (point - trp) / np.linalg.norm(point - trp)
    k_out = (ue - point) / np.linalg.norm(ue - point)
    te, tm = fresnel(eps, np.array(-k_in @ normal))
    s = np.cross(k_in, normal)
    s = axis_u if np.linalg.norm(s) < 1e-9 else s / np.linalg.norm(s)
    dyadic = complex(te) * np.outer(s, s) + complex(tm) * np.outer(np.cross(s, k_out), np.cross(s, k_in))
    return complex(theta_hat(k_out) @ dyadic @ theta_hat(k_in))
