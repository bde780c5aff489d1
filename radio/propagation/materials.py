"""Building materials and what they reflect.

Permittivities are those of ITU-R P.2040 (``eps_r = a f**b``, ``sigma = c f**d``, f in GHz). TR 38.901 table 7.6.8-1 has other
values; the two sets are never mixed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radio.types import ComplexArray, FloatArray

VACUUM_PERMITTIVITY_F_PER_M = 8.8541878128e-12


@dataclass(frozen=True, slots=True)
class Material:
    """One row of ITU-R P.2040 table 3.

    Attributes
    ----------
    a, b : relative permittivity ``a f**b``, f in GHz.
    c, d : conductivity ``c f**d`` [S/m], f in GHz.
    low_hz, high_hz : range of frequencies that the row was fitted to [Hz].
    """

    a: float
    b: float
    c: float
    d: float
    low_hz: float
    high_hz: float


MATERIALS: dict[str, Material] = {
    "concrete": Material(5.24, 0.0, 0.0462, 0.7822, 1e9, 100e9),
    "brick": Material(3.91, 0.0, 0.0238, 0.16, 1e9, 40e9),
    "plasterboard": Material(2.73, 0.0, 0.0085, 0.9395, 1e9, 100e9),
    "wood": Material(1.99, 0.0, 0.0047, 1.0718, 0.001e9, 100e9),
    "glass": Material(6.31, 0.0, 0.0036, 1.3394, 1e9, 100e9),
    "chipboard": Material(2.58, 0.0, 0.0217, 0.78, 1e9, 100e9),
    "marble": Material(7.074, 0.0, 0.0055, 0.9262, 1e9, 60e9),
    "floorboard": Material(3.66, 0.0, 0.0044, 1.3515, 50e9, 100e9),
    "metal": Material(1.0, 0.0, 1e7, 0.0, 1e9, 100e9),
}


def permittivity(material: str, frequency_hz: float) -> complex:
    """Complex relative permittivity of a building material (ITU-R P.2040 equations 28 and 29).

    Parameters
    ----------
    material : name of a row of ``MATERIALS``.
    frequency_hz : carrier frequency [Hz].

    Returns
    -------
    complex
        ``eps_r - j sigma / (2 pi f eps_0)``, for the time convention ``exp(+j 2 pi f t)``.

    Raises
    ------
    ValueError
        If the material is unknown or the frequency is outside the range its row was fitted to.
    """
    row = MATERIALS.get(material)
    if row is None:
        raise ValueError(f"material {material!r} is unknown; known: {', '.join(sorted(MATERIALS))}")
    if not row.low_hz <= frequency_hz <= row.high_hz:
        fitting = sorted(name for name, m in MATERIALS.items() if m.low_hz <= frequency_hz <= m.high_hz)
        raise ValueError(
            f"material {material!r} is defined from {row.low_hz / 1e9:g} to {row.high_hz / 1e9:g} GHz (ITU-R P.2040), "
            f"not at {frequency_hz / 1e9:g} GHz; defined there: {', '.join(fitting) or 'none'}"
        )
    f_ghz = frequency_hz / 1e9
    sigma = row.c * f_ghz**row.d
    return complex(row.a * f_ghz**row.b, -sigma / (2.0 * np.pi * frequency_hz * VACUUM_PERMITTIVITY_F_PER_M))


def fresnel(relative_permittivity: complex, cos_incidence: FloatArray) -> tuple[ComplexArray, ComplexArray]:
    """Reflection coefficients of a half-space (ITU-R P.2040 equations 31a and 31b).

    Parameters
    ----------
    relative_permittivity : complex relative permittivity of the half-space.
    cos_incidence : (...) cosine of the angle between the ray and the surface's normal, 0..1.

    Returns
    -------
    te, tm : (...) coefficients of the field across and in the plane of incidence. A perfect conductor gives -1 and +1, the
        TM reference direction being turned with the ray.
    """
    cos_i = np.asarray(cos_incidence, dtype=np.float64)
    root = np.sqrt(relative_permittivity - (1.0 - cos_i**2) + 0j)
    te = (cos_i - root) / (cos_i + root)
    tm = (relative_permittivity * cos_i - root) / (relative_permittivity * cos_i + root)
    return te, tm


def slab(
    relative_permittivity: complex, cos_incidence: FloatArray, thickness_m: float, wavelength_m: float
) -> tuple[ComplexArray, ComplexArray]:
    """Reflection coefficients of a single layer with free space on both sides (ITU-R P.2040 equations 43 and 44).

    Parameters
    ----------
    relative_permittivity : complex relative permittivity of the layer.
    cos_incidence : (...) cosine of the angle between the ray and the surface's normal, 0..1.
    thickness_m : thickness of the layer [m].
    wavelength_m : wavelength in free space [m].

    Returns
    -------
    te, tm : (...) coefficients, with the reference directions of ``fresnel``. They refer to the front face.

    Raises
    ------
    ValueError
        If the thickness or the wavelength is not positive.
    """
    for name, value in (("thickness_m", thickness_m), ("wavelength_m", wavelength_m)):
        if not value > 0.0:
            raise ValueError(f"{name} is {value}, wanted a length above 0 m")
    cos_i = np.asarray(cos_incidence, dtype=np.float64)
    q = 2.0 * np.pi * thickness_m / wavelength_m * np.sqrt(relative_permittivity - (1.0 - cos_i**2) + 0j)
    twice = np.exp(-2j * q)
    te, tm = fresnel(relative_permittivity, cos_i)
    return te * (1.0 - twice) / (1.0 - te**2 * twice), tm * (1.0 - twice) / (1.0 - tm**2 * twice)
