"""The image method in plain Python, one candidate at a time: the reference that ``radio.propagation.paths`` is tested against.

Nothing is cached, nothing is bounded: every ordered choice of facets is mirrored, traced back, tested against every box, and
its field carried along as a vector of three components.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from radio.propagation.geometry import PreparedHall
from radio.propagation.materials import slab
from radio.types import ComplexArray, FloatArray, Paths

# A UE closer than this to a TRP has no path [m].
NEAREST_M = 1e-3
# An antenna sees a facet from this far in front of its plane on [m].
IN_FRONT_M = 1e-9


@dataclass(frozen=True, slots=True)
class _Found:
    """One path: its points from TRP to UE, the facets, the unfolded length, the transfer and the co-polar gain."""

    points: list[FloatArray]
    facets: tuple[int, ...]
    length_m: float
    transfer: ComplexArray
    amplitude: complex


def reference_paths(
    prepared: PreparedHall,
    trp_position_m: FloatArray,
    ue_position_m: FloatArray,
    max_paths: int,
    reach_db: float,
    max_order: int = 2,
    *,
    trp_carrier: tuple[int, ...] | None = None,
    trp_slant_rad: tuple[float, ...] | None = None,
    ue_slant_rad: float = 0.0,
) -> Paths:
    """Compute what ``radio.propagation.paths.compute_paths`` computes, slowly. Parameters and result are the same."""
    n_trp = len(trp_position_m)
    carriers = trp_carrier if trp_carrier is not None else (0,) * n_trp
    slants = trp_slant_rad if trp_slant_rad is not None else (0.0,) * n_trp
    offset, kept = [0], []
    for ue in ue_position_m:
        for trp, carrier, slant in zip(trp_position_m, carriers, slants, strict=True):
            found = _link(prepared, np.asarray(trp, float), np.asarray(ue, float), max_order, carrier, slant, ue_slant_rad)
            found.sort(key=lambda path: -abs(path.amplitude))
            kept += [p for p in found if abs(p.amplitude) >= abs(found[0].amplitude) * 10 ** (-reach_db / 20)][:max_paths]
            offset.append(len(kept))
    vertex = np.array([[*p.points, *[p.points[-1]] * (4 - len(p.points))] for p in kept]).reshape(-1, 4, 3)
    out = np.array([p.points[1] - p.points[0] for p in kept]).reshape(-1, 3)
    back = np.array([p.points[-2] - p.points[-1] for p in kept]).reshape(-1, 3)
    return Paths(
        n_ue=len(ue_position_m),
        n_trp=n_trp,
        wavelength_m=np.array([prepared.wavelength_m[c] for c in carriers]),
        offset=np.array(offset, dtype=np.int64),
        order=np.array([len(p.facets) for p in kept], dtype=np.int64),
        vertex_m=vertex,
        length_m=np.array([p.length_m for p in kept]),
        transfer=np.array([p.transfer for p in kept], dtype=np.complex128).reshape(-1, 2, 2),
        amplitude=np.array([p.amplitude for p in kept], dtype=np.complex128),
        departure=out / np.linalg.norm(out, axis=1, keepdims=True),
        arrival=back / np.linalg.norm(back, axis=1, keepdims=True),
        facet=np.array([(*p.facets, -1, -1)[:2] for p in kept], dtype=np.int64).reshape(-1, 2),
    )


def _link(
    prepared: PreparedHall, trp: FloatArray, ue: FloatArray, max_order: int, carrier: int, trp_slant: float, ue_slant: float
) -> list[_Found]:
    if (ue < 0).any() or (ue > prepared.size_m).any() or float(np.linalg.norm(ue - trp)) < NEAREST_M:
        return []
    facets = range(len(prepared.center_m))
    sequences: list[tuple[int, ...]] = [()]
    if max_order >= 1:
        sequences += [(f,) for f in facets]
    if max_order >= 2:
        sequences += [(f, g) for f in facets for g in facets if f != g]
    found = []
    for sequence in sequences:
        points = trace(prepared, trp, ue, sequence)
        if points is None or _is_blocked(prepared, points, sequence):
            continue
        length = sum(float(np.linalg.norm(b - a)) for a, b in pairwise(points))
        wavelength = float(prepared.wavelength_m[carrier])
        gain = wavelength / (4 * math.pi * length) * cmath.exp(-2j * math.pi * length / wavelength)
        transfer = gain * polarisation(prepared, points, sequence, carrier)
        sent = np.array([math.cos(trp_slant), math.sin(trp_slant)])
        received = np.array([math.cos(ue_slant), math.sin(ue_slant)])
        found.append(_Found(points, sequence, length, transfer, complex(received @ transfer @ sent)))
    return found


def trace(prepared: PreparedHall, trp: FloatArray, ue: FloatArray, sequence: tuple[int, ...]) -> list[FloatArray] | None:
    """Points of the path TRP, bounces, UE by the image method, None where it misses a facet or meets one from behind."""
    images = [trp]
    for f in sequence:
        c, n = prepared.center_m[f], prepared.normal[f]
        height = float((images[-1] - c) @ n)
        if height <= IN_FRONT_M:
            return None
        images.append(images[-1] - 2 * height * n)
    points = [ue]
    for f, image in zip(reversed(sequence), reversed(images[:-1]), strict=True):
        c, n = prepared.center_m[f], prepared.normal[f]
        behind, before = float((image - c) @ n), float((points[0] - c) @ n)
        if before <= IN_FRONT_M:
            return None
        mirrored = image - 2 * behind * n
        point = mirrored + (points[0] - mirrored) * behind / (behind + before)
        across = np.abs([(point - c) @ prepared.axis_u[f], (point - c) @ prepared.axis_v[f]])
        if (across > prepared.half_m[f]).any() or (point < -1e-9).any() or (point > prepared.size_m + 1e-9).any():
            return None
        points.insert(0, point)
    return [trp, *points]


def _is_blocked(prepared: PreparedHall, points: list[FloatArray], sequence: tuple[int, ...]) -> bool:
    """Tell whether a box stands in a leg. The boxes whose faces end the leg lie behind those faces and cannot."""
    ends = [int(prepared.facet_box[f]) for f in sequence]
    for i, (a, b) in enumerate(pairwise(points)):
        if crosses_box(prepared, a, b, {*ends[max(i - 1, 0) : i + 1]}):
            return True
    return False


def crosses_box(prepared: PreparedHall, a: FloatArray, b: FloatArray, skip: set[int] | None = None) -> bool:
    """Tell whether the leg a-b runs through a box other than those to ``skip``, by clipping it with each pair of faces."""
    for k in range(len(prepared.box_center_m)):
        if skip is not None and k in skip:
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


def basis(direction: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Spherical unit vectors theta-hat and phi-hat at a direction; straight up and down theta-hat is -x."""
    x, y, z = (float(c) for c in direction)
    rho = math.hypot(x, y)
    theta = np.array([x * z / rho, y * z / rho, -rho]) if rho > 1e-9 else np.array([-1.0, 0.0, 0.0])
    return theta, np.cross(direction, theta)


def polarisation(prepared: PreparedHall, points: list[FloatArray], sequence: tuple[int, ...], carrier: int) -> ComplexArray:
    """Return received (theta, phi) by sent (theta, phi) field after the bounces, as the product of 3 x 3 dyadics."""
    legs = [(b - a) / np.linalg.norm(b - a) for a, b in pairwise(points)]
    dyadic = np.eye(3, dtype=np.complex128)
    for f, k_in, k_out in zip(sequence, legs[:-1], legs[1:], strict=True):
        dyadic = bounce(prepared, f, k_in, k_out, carrier) @ dyadic
    sent = np.stack(basis(legs[0]), axis=1)
    received = np.stack(basis(-legs[-1]))
    out: ComplexArray = received @ dyadic @ sent
    return out


def bounce(prepared: PreparedHall, f: int, k_in: FloatArray, k_out: FloatArray, carrier: int) -> ComplexArray:
    """3 x 3 dyadic of one reflection."""
    n = prepared.normal[f]
    eps, d = complex(prepared.permittivity[carrier, f]), float(prepared.thickness_m[f])
    te, tm = slab(eps, np.array(-k_in @ n), d, float(prepared.wavelength_m[carrier]))
    s = np.cross(k_in, n)
    s = prepared.axis_u[f] if np.linalg.norm(s) < 1e-9 else s / np.linalg.norm(s)
    out: ComplexArray = complex(te) * np.outer(s, s) + complex(tm) * np.outer(np.cross(s, k_out), np.cross(s, k_in))
    return out
