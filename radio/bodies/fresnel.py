"""Fresnel integrals, and what one and two knife edges cost.

Everywhere here a place across the ray is told in Fresnel units: metres times ``sqrt(2 (d1 + d2) / (lambda d1 d2))``, which is the
parameter v of ITU-R P.526. ``F(x)`` is the integral of ``exp(-j pi t**2 / 2)`` from 0 to x, ``C(x) - j S(x)``; its conjugate
belongs to the other time convention, ``exp(-j omega t)``.
"""

from __future__ import annotations

import math

import numba as nb
import numpy as np
import numpy.typing as npt
from scipy.special import fresnel

from radio.types import FloatArray

# The table of the kernels: cubics in 1/32 of a unit from -16 to 16.
STEPS_PER_UNIT = 32.0
TABLE_END = 16.0
# Up to here cos and sin of the table's slopes will do, too.
SLOPES_END = 8.0


def _table() -> FloatArray:
    """Coefficients (1024, 8) of C's and S's cubics, through values and slopes at both ends of each step."""
    x = np.arange(-TABLE_END, TABLE_END + 0.5 / STEPS_PER_UNIT, 1.0 / STEPS_PER_UNIT)
    s, c = fresnel(x)
    phase = 0.5 * np.pi * x * x
    columns = []
    for y, slope in ((c, np.cos(phase) / STEPS_PER_UNIT), (s, np.sin(phase) / STEPS_PER_UNIT)):
        rise, first, last = np.diff(y), slope[:-1], slope[1:]
        columns += [y[:-1], first, 3.0 * rise - 2.0 * first - last, first + last - 2.0 * rise]
    return np.ascontiguousarray(np.stack(columns, axis=1))


FRESNEL_TABLE = _table()


@nb.njit(cache=True, fastmath=False, error_model="numpy", inline="always")
def fresnel_integrals(x, table):  # type: ignore[no-untyped-def]
    """C(x) and S(x) to 4e-4 (4e-5 up to 8), without a branch; beyond 16 they stay as they are at 16, which is wrong by 2 %."""
    place = min(max((x + TABLE_END) * STEPS_PER_UNIT, 0.0), 2.0 * TABLE_END * STEPS_PER_UNIT - 1e-6)
    whole = np.int64(place)
    t = place - whole
    k = np.uint64(whole)  # unsigned: no wrap-around test at each access
    c = table[k, 0] + t * (table[k, 1] + t * (table[k, 2] + t * table[k, 3]))
    s = table[k, 4] + t * (table[k, 5] + t * (table[k, 6] + t * table[k, 7]))
    return c, s


@nb.njit(cache=True, fastmath=False, error_model="numpy", inline="always")
def fresnel_and_phase(x, table):  # type: ignore[no-untyped-def]
    """C(x) and S(x) to 4e-5, and cos and sin of pi x^2 / 2 to 4e-3 (1e-4 up to 2); all far better beyond 8."""
    if x > -SLOPES_END and x < SLOPES_END:
        place = (x + TABLE_END) * STEPS_PER_UNIT
        whole = np.int64(place)
        t = place - whole
        k = np.uint64(whole)
        c = table[k, 0] + t * (table[k, 1] + t * (table[k, 2] + t * table[k, 3]))
        s = table[k, 4] + t * (table[k, 5] + t * (table[k, 6] + t * table[k, 7]))
        cos = STEPS_PER_UNIT * (table[k, 1] + t * (2.0 * table[k, 2] + 3.0 * t * table[k, 3]))
        sin = STEPS_PER_UNIT * (table[k, 5] + t * (2.0 * table[k, 6] + 3.0 * t * table[k, 7]))
        return c, s, cos, sin
    # Abramowitz and Stegun 7.3.9, 7.3.10, 7.3.27, 7.3.28; f and g are odd in x, so the signs come out by themselves.
    phase = 0.5 * math.pi * x * x
    cos, sin = math.cos(phase), math.sin(phase)
    f = 1.0 / (math.pi * x)
    g = f / (math.pi * x * x)
    half = 0.5 if x > 0.0 else -0.5
    return half + f * sin - g * cos, half - f * cos - g * sin, cos, sin


@nb.njit(cache=True, fastmath=False, error_model="numpy", inline="always")
def fresnel_everywhere(x, table):  # type: ignore[no-untyped-def]
    """C(x) and S(x) as ``fresnel_integrals``, and by their asymptotic series beyond the table."""
    if x > -TABLE_END and x < TABLE_END:
        return fresnel_integrals(x, table)
    c, s, _, _ = fresnel_and_phase(x, table)
    return c, s


def knife_edge_loss_db(v: npt.ArrayLike) -> FloatArray:
    """Loss of one knife edge by the closed form of ITU-R P.526.

    Parameters
    ----------
    v : edge above the ray in Fresnel units, below 0 where the ray is clear; any shape.

    Returns
    -------
    Loss [dB], ``6.9 + 20 lg(sqrt((v - 0.1)**2 + 1) + v - 0.1)`` for v above -0.78 and 0 below, in the shape of ``v``.

    Notes
    -----
    ITU-R P.526-15 section 4.1, equation 31.
    """
    x = np.asarray(v, dtype=np.float64) - 0.1
    # 1 / (sqrt(x^2 + 1) - x) is the same and does not cancel for a clear ray.
    loss: FloatArray = np.where(x > -0.88, 6.9 - 20.0 * np.log10(np.hypot(x, 1.0) - x), 0.0)
    return loss


def fresnel_edge_loss_db(v: npt.ArrayLike) -> FloatArray:
    """Loss of one knife edge by the Fresnel integral itself; parameters as ``knife_edge_loss_db``.

    Below 0 dB by up to 1.4 dB where the edge is just off the ray.

    Notes
    -----
    ITU-R P.526-15 section 4.1, equation 30: ``-20 lg |(1 + j)/2 (F(inf) - F(v))|``.
    """
    s, c = fresnel(np.asarray(v, dtype=np.float64))
    loss: FloatArray = -10.0 * np.log10(0.5 * ((0.5 - c) ** 2 + (0.5 - s) ** 2))
    return loss


def fresnel_scale(near_m: float, far_m: float, wavelength_m: float) -> float:
    """Fresnel units per metre, ``sqrt(2 (d1 + d2) / (lambda d1 d2))`` [1/m].

    Parameters
    ----------
    near_m, far_m : distances from the plane across the ray to the two antennas [m].
    wavelength_m : wavelength [m].

    Raises
    ------
    ValueError
        If a length is not above 0 m.
    """
    for name, value in (("near_m", near_m), ("far_m", far_m), ("wavelength_m", wavelength_m)):
        if not value > 0.0:
            raise ValueError(f"{name} is {value}, wanted a length above 0 m")
    return math.sqrt(2.0 * (near_m + far_m) / (wavelength_m * near_m * far_m))


def screen_field(
    near_m: float,
    far_m: float,
    half_width_m: float,
    half_height_m: float,
    offset_width_m: npt.ArrayLike,
    offset_height_m: npt.ArrayLike,
    wavelength_m: float,
) -> npt.NDArray[np.complex128]:
    """Field behind a flat rectangular screen across the ray, over the field without it.

    Parameters
    ----------
    near_m, far_m : distances from the screen's plane to the two antennas [m].
    half_width_m, half_height_m : half sizes of the screen [m]; ``math.inf`` for an endless one.
    offset_width_m, offset_height_m : where the ray pierces the plane, from the screen's centre [m]; any shapes that broadcast.
    wavelength_m : wavelength [m].

    Returns
    -------
    Complex factor in the shape of the offsets, ``1 - j/2 dF_width dF_height`` with ``dF`` the difference of F between two edges.

    Raises
    ------
    ValueError
        If a distance, size or the wavelength is not above 0 m.

    Notes
    -----
    Fresnel-Kirchhoff diffraction and Babinet's principle. Both heights endless, it is the double knife edge.
    """
    scale = fresnel_scale(near_m, far_m, wavelength_m)
    views = []
    for name, half, offset in (
        ("half_width_m", half_width_m, offset_width_m),
        ("half_height_m", half_height_m, offset_height_m),
    ):
        if not half > 0.0:
            raise ValueError(f"{name} is {half}, wanted a length above 0 m")
        at = np.asarray(offset, dtype=np.float64)
        high_s, high_c = fresnel(scale * (half - at))
        low_s, low_c = fresnel(scale * (-half - at))
        views.append((high_c - low_c) - 1j * (high_s - low_s))
    field: npt.NDArray[np.complex128] = 1.0 - 0.5j * views[0] * views[1]
    return field


def silhouette_loss_db(
    near_m: float,
    far_m: float,
    half_width_m: float,
    half_height_m: float,
    offset_width_m: npt.ArrayLike,
    offset_height_m: npt.ArrayLike,
    wavelength_m: float,
) -> FloatArray:
    """Loss ``-20 lg`` of ``screen_field`` [dB]; parameters and errors as there."""
    field = screen_field(near_m, far_m, half_width_m, half_height_m, offset_width_m, offset_height_m, wavelength_m)
    loss: FloatArray = -20.0 * np.log10(np.maximum(np.abs(field), 1e-15))
    return loss


def double_knife_edge_loss_db(
    near_m: float, far_m: float, width_m: float, offset_m: npt.ArrayLike, wavelength_m: float
) -> FloatArray:
    """Loss of an endless strip: the fields past its two edges, summed.

    Parameters
    ----------
    near_m, far_m : distances from the strip to the two antennas [m].
    width_m : width of the strip [m].
    offset_m : where the ray pierces the strip's plane, from its middle [m]; any shape.
    wavelength_m : wavelength [m].

    Returns
    -------
    Loss [dB] in the shape of ``offset_m``; below 0 where the edges' fields add up.

    Raises
    ------
    ValueError
        If a length is not above 0 m.
    """
    if not width_m > 0.0:
        raise ValueError(f"width_m is {width_m}, wanted a length above 0 m")
    return silhouette_loss_db(near_m, far_m, 0.5 * width_m, math.inf, offset_m, 0.0, wavelength_m)
