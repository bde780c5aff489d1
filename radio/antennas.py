"""Antennas: the TRP's panel with its DFT codebook, and the device.

A panel's own axes are boresight x', left y', up z' (all unit vectors, ``panel_axes``). Its elements stand 0.5 wavelengths
apart along y' (columns) and z' (rows) around the panel's position, which is the phase reference, so every beam's array factor
is real and is the product of a factor of the columns and one of the rows.

Codebook numbering: ``beam = row_beam * columns + column_beam``. Beam index k of n elements points to the direction cosine
``2 (k - n // 2) / n`` along the array's axis (TS 38.214 type I codebook without oversampling, centred): column_beam grows to
the left of the panel, row_beam upwards, and ``k = n // 2`` is broadside.
"""

from __future__ import annotations

import math
from typing import Literal

import numba as nb
import numpy as np

from radio.types import ComplexArray, FloatArray

# TR 38.901 table 7.3-1
TRP_ELEMENT_GAIN_DBI = 8.0
TRP_BEAMWIDTH_DEG = 65.0
TRP_LARGEST_ATTENUATION_DB = 30.0
# TR 38.802 table A.2.1-8, UE above 6 GHz
UE_ELEMENT_GAIN_DBI = 5.0
UE_BEAMWIDTH_DEG = 90.0
UE_LARGEST_ATTENUATION_DB = 25.0
UE_SECTORS = 4
LARGEST_PANEL_SIDE = 32
# Cosine and sine of pi (k - n // 2) / n at [n, k]: half the phase step between elements that beam k of n makes up for.
_ANGLE = np.pi * (np.arange(LARGEST_PANEL_SIDE)[None, :] - np.arange(LARGEST_PANEL_SIDE + 1)[:, None] // 2)
_ANGLE = _ANGLE / np.maximum(np.arange(LARGEST_PANEL_SIDE + 1), 1)[:, None]
_TURN = np.stack([np.cos(_ANGLE), np.sin(_ANGLE)], axis=2)


def panel_axes(azimuth_deg: float, downtilt_deg: float) -> FloatArray:
    """Axes of a panel in the hall frame.

    Parameters
    ----------
    azimuth_deg : boresight, counter-clockwise from +x [deg].
    downtilt_deg : boresight below the horizon [deg].

    Returns
    -------
    (3, 3) rows: boresight, left, up.
    """
    a, d = math.radians(azimuth_deg), math.radians(downtilt_deg)
    boresight = [math.cos(a) * math.cos(d), math.sin(a) * math.cos(d), -math.sin(d)]
    left = [-math.sin(a), math.cos(a), 0.0]
    up = [math.cos(a) * math.sin(d), math.sin(a) * math.sin(d), math.cos(d)]
    return np.array([boresight, left, up])


def codebook(rows: int, columns: int) -> ComplexArray:
    """Element weights of every beam, of unit norm.

    Returns
    -------
    (rows * columns, rows, columns) conjugate-matched weights; the gain towards a direction is
    ``|sum(conj(w) * exp(j pi (m z' + n y')))|**2`` with element coordinates m, n counted from the panel's centre.
    """
    column_phase = _steering(columns)
    row_phase = _steering(rows)
    weights: ComplexArray = np.einsum("ar,bc->abrc", row_phase, column_phase).reshape(rows * columns, rows, columns)
    return weights


def _steering(n: int) -> ComplexArray:
    element = np.arange(n) - (n - 1) / 2.0
    steering: ComplexArray = np.exp(1j * np.pi * beam_cosines(n)[:, None] * element[None, :]) / math.sqrt(n)
    return steering


def beam_cosines(n: int) -> FloatArray:
    """Direction cosines (n,) along the array's axis that the n DFT beams of n elements point to."""
    return 2.0 * (np.arange(n) - n // 2) / n


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def array_factors(cosine, n, out, p):  # type: ignore[no-untyped-def]
    """Write into row ``p`` of ``out`` the array factors of n half-wavelength elements towards a direction cosine, beam by beam.

    Beam k of the n DFT beams gives ``sin(n a) / sin(a) / sqrt(n)`` with ``a = pi (cosine - cosine_k) / 2``.
    """
    half = 0.5 * math.pi * cosine
    sin_half, cos_half = math.sin(half), math.cos(half)
    top = math.sin(n * half)
    scale = 1.0 / math.sqrt(n)
    if (n // 2) % 2 == 1:
        top = -top
    for k in range(n):
        bottom = sin_half * _TURN[n, k, 0] - cos_half * _TURN[n, k, 1]
        if abs(bottom) > 1e-7:
            out[p, k] = top / bottom * scale
        else:  # towards the beam itself: the limit
            a = half - math.pi * (k - n // 2) / n
            out[p, k] = n * math.cos(n * a) / math.cos(a) * scale
        top = -top


@nb.njit(cache=True, fastmath=False, error_model="numpy", inline="always")
def element_loss_db(azimuth_deg, elevation_deg, beamwidth_deg, largest_db):  # type: ignore[no-untyped-def]
    """Loss of an element of TR 38.901 table 7.3-1's shape against its boresight, at angles from there [deg]."""
    across = 12.0 * (azimuth_deg / beamwidth_deg) ** 2
    upright = 12.0 * (elevation_deg / beamwidth_deg) ** 2
    # Capping the sum alone is the same as capping each of the two first, as the table writes it.
    return min(across + upright, largest_db)


@nb.njit(cache=True, fastmath=False, error_model="numpy", inline="always")
def field_gain(gain_db):  # type: ignore[no-untyped-def]
    """Field gain of a power gain in dB."""
    return math.exp(math.log(10.0) / 20.0 * gain_db)


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def panel_factors(dx, dy, dz, axes, t, rows, columns, azimuth_out, elevation_out, p):  # type: ignore[no-untyped-def]
    """Write row ``p``: field gains towards one direction, the columns' factors with the element's gain in them, and the rows'."""
    x = dx * axes[t, 0, 0] + dy * axes[t, 0, 1] + dz * axes[t, 0, 2]
    y = dx * axes[t, 1, 0] + dy * axes[t, 1, 1] + dz * axes[t, 1, 2]
    z = dx * axes[t, 2, 0] + dy * axes[t, 2, 1] + dz * axes[t, 2, 2]
    array_factors(y, columns, azimuth_out, p)
    array_factors(z, rows, elevation_out, p)
    loss_db = element_loss_db(
        math.degrees(math.atan2(y, x)),
        math.degrees(math.asin(min(1.0, max(-1.0, z)))),
        TRP_BEAMWIDTH_DEG,
        TRP_LARGEST_ATTENUATION_DB,
    )
    element = field_gain(TRP_ELEMENT_GAIN_DBI - loss_db)
    for k in range(columns):
        azimuth_out[p, k] *= element


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def ue_fields(dx, dy, dz, turn_cos, turn_sin, weakest, out, p):  # type: ignore[no-untyped-def]
    """Write into row ``p`` the field gain of each of a UE's sectors towards one direction; a single column is isotropic.

    ``turn_cos``, ``turn_sin`` are those of the UE's heading, ``weakest`` the field gain of an element at its largest loss, which
    most sectors have. Sector k looks level to ``heading + 90 k`` degrees and holds 2 x 2 elements, fed for broadside.
    """
    if out.shape[1] == 1:
        out[p, 0] = 1.0
        return
    x = dx * turn_cos + dy * turn_sin
    y = dy * turn_cos - dx * turn_sin
    z = min(1.0, max(-1.0, dz))
    azimuth = math.atan2(y, x)
    elevation_deg = math.degrees(math.asin(z))
    # Two elements half a wavelength apart, unit-norm weights: sqrt(2) cos(pi/2 direction cosine) in each plane.
    column_even = math.cos(0.5 * math.pi * y)
    column_odd = math.cos(0.5 * math.pi * x)
    row = 2.0 * math.cos(0.5 * math.pi * z)
    for k in range(UE_SECTORS):
        angle = azimuth - 0.5 * math.pi * k
        if angle < -math.pi:
            angle += 2.0 * math.pi
        loss_db = element_loss_db(math.degrees(angle), elevation_deg, UE_BEAMWIDTH_DEG, UE_LARGEST_ATTENUATION_DB)
        element = weakest if loss_db == UE_LARGEST_ATTENUATION_DB else field_gain(UE_ELEMENT_GAIN_DBI - loss_db)
        out[p, k] = element * row * (column_even if k % 2 == 0 else column_odd)


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def weakest_ue_field():  # type: ignore[no-untyped-def]
    """Field gain of a UE's element at its largest loss, for ``ue_fields``."""
    return field_gain(UE_ELEMENT_GAIN_DBI - UE_LARGEST_ATTENUATION_DB)


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def factors_kernel(  # type: ignore[no-untyped-def]
    offset, n_trp, departure, arrival, heading, axes, rows, columns, n_sectors,
    last_offset, last_departure, last_arrival, last_heading, last_azimuth, last_elevation, last_sector,
):  # fmt: skip
    """Field gains of both antennas along every path: (P, columns), (P, rows) and (P, S).

    ``last_*`` are the inputs and outputs of an earlier call at the same TRPs; a link whose paths and heading did not change since
    takes its gains from there.
    """
    n_paths = departure.shape[0]
    azimuth = np.zeros((n_paths, columns.max()))
    elevation = np.zeros((n_paths, rows.max()))
    sector = np.empty((n_paths, n_sectors))
    weakest = weakest_ue_field()
    for u in range(heading.shape[0]):
        turn_cos, turn_sin = math.cos(heading[u]), math.sin(heading[u])
        known = u < last_heading.shape[0] and heading[u] == last_heading[u]
        for t in range(n_trp):
            link = u * n_trp + t
            first, last = offset[link], offset[link + 1]
            if known:
                back = last_offset[link] - first
                same = last_offset[link + 1] - last == back
                for p in range(first, last if same else first):
                    for c in range(3):
                        same = (
                            same and departure[p, c] == last_departure[p + back, c] and arrival[p, c] == last_arrival[p + back, c]
                        )
                if same:
                    azimuth[first:last] = last_azimuth[first + back : last + back]
                    elevation[first:last] = last_elevation[first + back : last + back]
                    sector[first:last] = last_sector[first + back : last + back]
                    continue
            for p in range(first, last):
                panel_factors(
                    departure[p, 0], departure[p, 1], departure[p, 2], axes, t, rows[t], columns[t], azimuth, elevation, p
                )
                ue_fields(arrival[p, 0], arrival[p, 1], arrival[p, 2], turn_cos, turn_sin, weakest, sector, p)
    return azimuth, elevation, sector


def panel_gain(direction: FloatArray, axes: FloatArray, rows: int, columns: int) -> FloatArray:
    """Power gain of every beam of a panel.

    Parameters
    ----------
    direction : (K, 3) unit vectors from the panel in the hall frame.
    axes : (3, 3) as ``panel_axes`` gives them.
    rows, columns : elements of the panel.

    Returns
    -------
    (K, rows * columns) linear gains over isotropic; 8 dBi + 10 lg(rows * columns) at most.

    Raises
    ------
    ValueError
        If the panel has no element, or more than 32 a side.
    """
    if not (1 <= rows <= LARGEST_PANEL_SIDE and 1 <= columns <= LARGEST_PANEL_SIDE):
        raise ValueError(f"panel of {rows} rows and {columns} columns, wanted 1 to {LARGEST_PANEL_SIDE} of each")
    gain = np.empty((len(direction), rows * columns))
    azimuth, elevation = np.empty((1, columns)), np.empty((1, rows))
    for i, d in enumerate(np.asarray(direction, dtype=np.float64)):
        panel_factors(d[0], d[1], d[2], axes[None], 0, rows, columns, azimuth, elevation, 0)
        gain[i] = np.outer(elevation**2, azimuth**2).ravel()
    return gain


def ue_gain(direction: FloatArray, heading_rad: float, antenna: Literal["isotropic", "quad_sector"]) -> FloatArray:
    """Power gain of every sector of a UE.

    Parameters
    ----------
    direction : (K, 3) unit vectors from the UE in the hall frame.
    heading_rad : yaw of sector 0 [rad].
    antenna : ``isotropic`` (S = 1, 0 dBi) or ``quad_sector`` (S = 4, 11 dBi at most).

    Returns
    -------
    (K, S) linear gains over isotropic.
    """
    field = np.empty((len(direction), ue_sectors(antenna)))
    weakest = weakest_ue_field()
    for i, d in enumerate(np.asarray(direction, dtype=np.float64)):
        ue_fields(d[0], d[1], d[2], math.cos(heading_rad), math.sin(heading_rad), weakest, field, i)
    power: FloatArray = field**2
    return power


def ue_sectors(antenna: Literal["isotropic", "quad_sector"]) -> int:
    """Return the number of receive sectors S of a UE's antenna."""
    return UE_SECTORS if antenna == "quad_sector" else 1
