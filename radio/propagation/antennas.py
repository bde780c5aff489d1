"""Antennas: the TRP's panel with its DFT codebook, and what a device can carry.

A panel's own axes are boresight x', left y', up z' (all unit vectors, ``panel_axes``). Its elements stand 0.5 wavelengths
apart along y' (columns) and z' (rows) around the panel's position, which is the phase reference, so every beam's array factor
is real and is the product of a factor of the columns and one of the rows.

Codebook numbering: ``beam = row_beam * columns + column_beam``. Beam index k of n elements points to the direction cosine
``2 (k - n // 2) / n`` along the array's axis (TS 38.214 type I codebook without oversampling, centred): column_beam grows to
the left of the panel, row_beam upwards, and ``k = n // 2`` is broadside.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba as nb
import numpy as np

from radio.config import UeConfig
from radio.types import ComplexArray, FloatArray, IntArray

# TR 38.901 table 7.3-1
TRP_ELEMENT_GAIN_DBI = 8.0
TRP_BEAMWIDTH_DEG = 65.0
TRP_LARGEST_ATTENUATION_DB = 30.0
# TR 38.802 table A.2.1-8, UE above 6 GHz
UE_ELEMENT_GAIN_DBI = 5.0
UE_BEAMWIDTH_DEG = 90.0
UE_LARGEST_ATTENUATION_DB = 25.0
# Half-wave dipole (Balanis, Antenna Theory, equation 4-91): directivity 4 / Cin(2 pi).
DIPOLE_GAIN = 1.6409223769845852
UE_ISOTROPIC, UE_DIPOLE, UE_QUAD_SECTOR, UE_PANEL = range(4)
_UE_KINDS = {"isotropic": UE_ISOTROPIC, "dipole": UE_DIPOLE, "quad_sector": UE_QUAD_SECTOR, "panel": UE_PANEL}
QUAD_SECTORS = 4
LARGEST_PANEL_SIDE = 32
# Cosine and sine of pi (k - n // 2) / n at [n, k]: half the phase step between elements that beam k of n makes up for.
_ANGLE = np.pi * (np.arange(LARGEST_PANEL_SIDE)[None, :] - np.arange(LARGEST_PANEL_SIDE + 1)[:, None] // 2)
_ANGLE = _ANGLE / np.maximum(np.arange(LARGEST_PANEL_SIDE + 1), 1)[:, None]
_TURN_COS, _TURN_SIN = np.cos(_ANGLE), np.sin(_ANGLE)
# (-1)**(k - n // 2) / sqrt(n) at [n, k].
_SIGN = (-1.0) ** (np.arange(LARGEST_PANEL_SIDE)[None, :] + np.arange(LARGEST_PANEL_SIDE + 1)[:, None] // 2)
_SIGN = _SIGN / np.sqrt(np.maximum(np.arange(LARGEST_PANEL_SIDE + 1), 1))[:, None]
# Sine of half the phase step towards a beam below which its factor is taken from a series: 1e-11 exact for 32 elements.
SERIES_BELOW = 1e-3


@dataclass(frozen=True, slots=True)
class UeAntenna:
    """A device's antenna as arrays.

    Attributes
    ----------
    kind : UE_ISOTROPIC, UE_DIPOLE, UE_QUAD_SECTOR or UE_PANEL.
    n_sectors : receive sectors S: 1, 1, 4, or the beams of the panel's codebook.
    axes : (3, 3) boresight, left and up of a panel in the device's frame (x along its heading).
    size : (2,) rows and columns of a panel.
    """

    kind: int
    n_sectors: int
    axes: FloatArray
    size: IntArray


def ue_antenna(config: UeConfig) -> UeAntenna:
    """Return the antenna that a configuration describes."""
    panel = config.panel
    kind = _UE_KINDS[config.antenna]
    sectors = {UE_QUAD_SECTOR: QUAD_SECTORS, UE_PANEL: panel.rows * panel.columns}.get(kind, 1)
    axes = panel_axes(panel.heading_offset_deg, -panel.elevation_deg)
    return UeAntenna(kind, sectors, axes, np.array([panel.rows, panel.columns], dtype=np.int64))


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


@nb.njit(cache=True, fastmath=False, error_model="numpy", inline="always")
def _atan2(y, x):  # type: ignore[no-untyped-def]
    """Angle of (x, y) within 1e-12 rad, without a branch; a polynomial of atan(sqrt(t)) / sqrt(t) at Chebyshev's points."""
    ax, ay = abs(x), abs(y)
    ratio = min(ax, ay) / max(max(ax, ay), 1e-300)
    t = ratio * ratio
    r = 0.002162828043635403 - 0.0002666058550987925 * t
    r = -0.008242022819883593 + r * t
    r = 0.019937697232567844 + r * t
    r = -0.03526805434947685 + r * t
    r = 0.05045586936116057 + r * t
    r = -0.0636610967334974 + r * t
    r = 0.07614257331297938 + r * t
    r = -0.090768008448413 + r * t
    r = 0.11109428718679196 + r * t
    r = -0.1428559243348065 + r * t
    r = 0.19999995342779264 + r * t
    r = -0.33333333262544423 + r * t
    r = (0.9999999999982006 + r * t) * ratio
    r = 0.5 * math.pi - r if ay > ax else r
    r = math.pi - r if x < 0.0 else r
    return -r if y < 0.0 else r


@nb.njit(cache=True, fastmath=False, error_model="numpy", inline="always")
def _sine(turns):  # type: ignore[no-untyped-def]
    """``sin(2 pi turns)`` for a quarter turn at most either way, within 2e-15 (Chebyshev's points)."""
    t = turns * turns
    r = -0.5956515132880977 - 0.3831340107797589 * t
    r = 3.807359179210507 + r * t
    r = -15.093963045634522 + r * t
    r = 42.05867339668644 + r * t
    r = -76.70585940902653 + r * t
    r = 81.60524927313908 + r * t
    r = -41.34170224038931 + r * t
    return (6.283185307179577 + r * t) * turns


@nb.njit(cache=True, fastmath=False, error_model="numpy", inline="always")
def _cosine(turns):  # type: ignore[no-untyped-def]
    """``cos(2 pi turns)`` for a quarter turn at most either way, within 2e-15 (Chebyshev's points)."""
    t = turns * turns
    r = -1.7016996931444521 + 0.2275667343507385 * t
    r = 7.902238397776662 + r * t
    r = -26.426185547786762 + r * t
    r = 60.244639150250464 + r * t
    r = -85.45681716778678 + r * t
    r = 64.9393940223139 + r * t
    r = -19.739208802177323 + r * t
    return 0.9999999999999987 + r * t


@nb.njit(cache=True, fastmath=False, error_model="numpy", inline="always")
def _falling(x):  # type: ignore[no-untyped-def]
    """``exp(-x)`` for 0 <= x <= 4, within 1e-11 of itself: a series at x / 8, raised to the eighth power."""
    t = -0.125 * x
    r = 1.0 + t * (1.0 / 10.0)
    r = 1.0 + r * t * (1.0 / 9.0)
    r = 1.0 + r * t * (1.0 / 8.0)
    r = 1.0 + r * t * (1.0 / 7.0)
    r = 1.0 + r * t * (1.0 / 6.0)
    r = 1.0 + r * t * (1.0 / 5.0)
    r = 1.0 + r * t * (1.0 / 4.0)
    r = 1.0 + r * t * (1.0 / 3.0)
    r = 1.0 + r * t * (1.0 / 2.0)
    r = 1.0 + r * t
    r *= r
    r *= r
    return r * r


@nb.njit(cache=True, fastmath=False, error_model="numpy", inline="always")
def _top(turns):  # type: ignore[no-untyped-def]
    """``sin(2 pi turns)`` of any number of turns."""
    half_turns = np.floor(2.0 * turns + 0.5)
    part = _sine(turns - 0.5 * half_turns)
    return part if half_turns - 2.0 * np.floor(0.5 * half_turns) == 0.0 else -part


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _beams(cosine, top, sin_half, cos_half, n, out, p):  # type: ignore[no-untyped-def]
    """Write row ``p`` of ``out`` as ``array_factors``, from ``sin(n h)``, ``sin h`` and ``cos h`` with ``h = pi cosine / 2``."""
    for k in range(n):
        bottom = sin_half * _TURN_COS[n, k] - cos_half * _TURN_SIN[n, k]
        out[p, k] = top * _SIGN[n, k] / (bottom if abs(bottom) > SERIES_BELOW else 1.0)
    # Towards a beam itself (or its alias half a turn away, the same beam): the series about there.
    k = math.floor(0.5 * n * cosine + 0.5) + n // 2
    k = k % n
    if abs(sin_half * _TURN_COS[n, k] - cos_half * _TURN_SIN[n, k]) <= SERIES_BELOW:
        a = 0.5 * math.pi * cosine - math.pi * (k - n // 2) / n
        away = math.floor(a / math.pi + 0.5)
        a -= math.pi * away
        square = a * a
        value = n * (1.0 - (n * n - 1.0) * square / 6.0 * (1.0 - (3.0 * n * n - 7.0) * square / 60.0))
        out[p, k] = (-value if n % 2 == 0 and away % 2.0 != 0.0 else value) / math.sqrt(n)


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def array_factors(cosine, n, out, p):  # type: ignore[no-untyped-def]
    """Write into row ``p`` of ``out`` the array factors of n half-wavelength elements towards a direction cosine, beam by beam.

    Beam k of the n DFT beams gives ``sin(n a) / sin(a) / sqrt(n)`` with ``a = pi (cosine - cosine_k) / 2``.
    """
    _beams(cosine, _top(0.25 * n * cosine), _sine(0.25 * cosine), _cosine(0.25 * cosine), n, out, p)


@nb.njit(cache=True, fastmath=False, error_model="numpy", inline="always")
def _element(azimuth_rad, elevation_rad, gain_db, beamwidth_deg, largest_db):  # type: ignore[no-untyped-def]
    """Field gain of an element of TR 38.901 table 7.3-1's shape, at angles from its boresight."""
    scale = 12.0 * (180.0 / math.pi / beamwidth_deg) ** 2
    # Capping the sum alone is the same as capping each of the two first, as the table writes it.
    loss_db = min(scale * (azimuth_rad * azimuth_rad + elevation_rad * elevation_rad), largest_db)
    return 10.0 ** (gain_db / 20.0) * _falling(loss_db * (math.log(10.0) / 20.0))


@nb.njit(cache=True, fastmath=False, error_model="numpy", inline="always")
def _elevation(z):  # type: ignore[no-untyped-def]
    """Elevation of a unit vector with upward part ``z`` [rad]."""
    return _atan2(z, math.sqrt(max(0.0, 1.0 - z * z)))


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def panel_factors(dx, dy, dz, axes, t, rows, columns, azimuth_out, elevation_out, p):  # type: ignore[no-untyped-def]
    """Write row ``p``: field gains towards one direction, the columns' factors with the element's gain in them, and the rows'."""
    x = dx * axes[t, 0, 0] + dy * axes[t, 0, 1] + dz * axes[t, 0, 2]
    y = dx * axes[t, 1, 0] + dy * axes[t, 1, 1] + dz * axes[t, 1, 2]
    z = dx * axes[t, 2, 0] + dy * axes[t, 2, 1] + dz * axes[t, 2, 2]
    array_factors(y, columns, azimuth_out, p)
    array_factors(z, rows, elevation_out, p)
    element = _element(_atan2(y, x), _elevation(z), TRP_ELEMENT_GAIN_DBI, TRP_BEAMWIDTH_DEG, TRP_LARGEST_ATTENUATION_DB)
    for k in range(columns):
        azimuth_out[p, k] *= element


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def ue_fields(dx, dy, dz, turn_cos, turn_sin, kind, axes, size, row, column, out, p):  # type: ignore[no-untyped-def]
    """Write into row ``p`` of ``out`` the field gain of each of a UE's sectors towards one direction.

    ``turn_cos``, ``turn_sin`` are those of the UE's heading; ``kind``, ``axes``, ``size`` as in ``UeAntenna``; ``row`` (1, rows)
    and ``column`` (1, columns) are room to work in. Sector k of a quad_sector looks level to ``heading + 90 k`` degrees and holds
    2 x 2 elements, fed for broadside. Sectors of a panel are the beams of its codebook.
    """
    z = min(1.0, max(-1.0, dz))
    if kind == UE_ISOTROPIC:
        out[p, 0] = 1.0
        return
    if kind == UE_DIPOLE:
        level2 = max(1.0 - z * z, 1e-24)  # towards the rod's ends the field falls to 0 like the angle itself
        out[p, 0] = math.sqrt(DIPOLE_GAIN / level2) * _cosine(0.25 * z) if level2 > 1e-24 else 0.0
        return
    x = dx * turn_cos + dy * turn_sin
    y = dy * turn_cos - dx * turn_sin
    if kind == UE_PANEL:
        ahead = x * axes[0, 0] + y * axes[0, 1] + z * axes[0, 2]
        left = x * axes[1, 0] + y * axes[1, 1] + z * axes[1, 2]
        up = min(1.0, max(-1.0, x * axes[2, 0] + y * axes[2, 1] + z * axes[2, 2]))
        element = _element(_atan2(left, ahead), _elevation(up), UE_ELEMENT_GAIN_DBI, UE_BEAMWIDTH_DEG, UE_LARGEST_ATTENUATION_DB)
        array_factors(up, size[0], row, 0)
        array_factors(left, size[1], column, 0)
        for r in range(size[0]):
            for c in range(size[1]):
                out[p, r * size[1] + c] = element * row[0, r] * column[0, c]
        return
    azimuth, elevation = _atan2(y, x), _elevation(z)
    # Two elements half a wavelength apart, unit-norm weights: sqrt(2) cos(pi/2 direction cosine) in each plane.
    upright = 2.0 * _cosine(0.25 * z)
    column_even = upright * _cosine(0.25 * y)
    column_odd = upright * _cosine(0.25 * x)
    for k in range(QUAD_SECTORS):
        angle = azimuth - 0.5 * math.pi * k
        angle = angle + 2.0 * math.pi if angle < -math.pi else angle
        element = _element(angle, elevation, UE_ELEMENT_GAIN_DBI, UE_BEAMWIDTH_DEG, UE_LARGEST_ATTENUATION_DB)
        out[p, k] = element * (column_even if k % 2 == 0 else column_odd)


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _changed(offset, n_trp, departure, arrival, heading, last_offset, last_departure, last_arrival, last_heading):  # type: ignore[no-untyped-def]
    """Paths of links that are not as they were: (L,) first path of the same link before or -1, and those paths' indices."""
    before = np.full(offset.shape[0] - 1, -1)
    changed = np.empty(departure.shape[0], np.int64)
    n = 0
    for link in range(offset.shape[0] - 1):
        u = link // n_trp
        first, last = offset[link], offset[link + 1]
        same = False
        if u < last_heading.shape[0] and heading[u] == last_heading[u]:
            back = last_offset[link] - first
            same = last_offset[link + 1] - last == back
            for p in range(first, last if same else first):
                for c in range(3):
                    same = same and departure[p, c] == last_departure[p + back, c] and arrival[p, c] == last_arrival[p + back, c]
        if same:
            before[link] = last_offset[link]
        else:
            for p in range(first, last):
                changed[n] = p
                n += 1
    return before, changed[:n]


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _panel_rows(changed, trp, departure, axes, rows, columns, trp_field, azimuth, elevation):  # type: ignore[no-untyped-def]
    """Write the TRPs' factors of the changed paths. Every loop over a whole array is free of branches, so it is vectorised."""
    n = changed.shape[0]
    x, y, z, element = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    wide, high = np.empty(n), np.empty(n)
    for i in range(n):
        p, t = changed[i], trp[i]
        dx, dy, dz = departure[p, 0], departure[p, 1], departure[p, 2]
        x[i] = dx * axes[t, 0, 0] + dy * axes[t, 0, 1] + dz * axes[t, 0, 2]
        y[i] = dx * axes[t, 1, 0] + dy * axes[t, 1, 1] + dz * axes[t, 1, 2]
        z[i] = dx * axes[t, 2, 0] + dy * axes[t, 2, 1] + dz * axes[t, 2, 2]
        wide[i] = 0.25 * columns[t] * y[i]
        high[i] = 0.25 * rows[t] * z[i]
        element[i] = trp_field[t]
    for i in range(n):
        around, upright = _atan2(y[i], x[i]), _elevation(z[i])
        element[i] *= _element(around, upright, TRP_ELEMENT_GAIN_DBI, TRP_BEAMWIDTH_DEG, TRP_LARGEST_ATTENUATION_DB)
    sin_y, cos_y, sin_z, cos_z = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    for i in range(n):
        wide[i] = _top(wide[i])
        high[i] = _top(high[i])
        sin_y[i] = _sine(0.25 * y[i])
        cos_y[i] = _cosine(0.25 * y[i])
        sin_z[i] = _sine(0.25 * z[i])
        cos_z[i] = _cosine(0.25 * z[i])
    for i in range(n):
        p, t = changed[i], trp[i]
        _beams(y[i], wide[i], sin_y[i], cos_y[i], columns[t], azimuth, p)
        _beams(z[i], high[i], sin_z[i], cos_z[i], rows[t], elevation, p)
        for k in range(columns[t]):
            azimuth[p, k] *= element[i]


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def _quad_rows(changed, ue, arrival, turn, sector):  # type: ignore[no-untyped-def]
    """Write ``ue_fields`` of quad_sector antennas for the changed paths, loop by loop over all of them."""
    n = changed.shape[0]
    x, y, z, around, upright = np.empty(n), np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    for i in range(n):
        p, c, s = changed[i], turn[ue[i], 0], turn[ue[i], 1]
        x[i] = arrival[p, 0] * c + arrival[p, 1] * s
        y[i] = arrival[p, 1] * c - arrival[p, 0] * s
        z[i] = min(1.0, max(-1.0, arrival[p, 2]))
    for i in range(n):
        around[i] = _atan2(y[i], x[i])
        upright[i] = _elevation(z[i])
    for i in range(n):
        row = 2.0 * _cosine(0.25 * z[i])
        y[i] = row * _cosine(0.25 * y[i])
        x[i] = row * _cosine(0.25 * x[i])
    for k in range(QUAD_SECTORS):
        pair = y if k % 2 == 0 else x
        for i in range(n):
            angle = around[i] - 0.5 * math.pi * k
            angle = angle + 2.0 * math.pi if angle < -math.pi else angle
            z[i] = pair[i] * _element(angle, upright[i], UE_ELEMENT_GAIN_DBI, UE_BEAMWIDTH_DEG, UE_LARGEST_ATTENUATION_DB)
        for i in range(n):
            sector[changed[i], k] = z[i]


@nb.njit(cache=True, fastmath=False, error_model="numpy")
def factors_kernel(  # type: ignore[no-untyped-def]
    offset, n_trp, departure, arrival, heading, axes, rows, columns, trp_field, ue_kind, ue_axes, ue_size, n_sectors,
    last_offset, last_departure, last_arrival, last_heading, last_azimuth, last_elevation, last_sector,
):  # fmt: skip
    """Field gains of both antennas along every path: (P, columns), (P, rows) and (P, S).

    ``trp_field`` (T,) is the field gain of the TRPs' ``gain_offset_db``. ``last_*`` are the inputs and outputs of an earlier call
    at the same TRPs; a link whose paths and heading did not change since takes its gains from there.
    """
    n_paths = departure.shape[0]
    azimuth = np.zeros((n_paths, columns.max()))
    elevation = np.zeros((n_paths, rows.max()))
    sector = np.empty((n_paths, n_sectors))
    before, changed = _changed(
        offset, n_trp, departure, arrival, heading, last_offset, last_departure, last_arrival, last_heading
    )
    turn = np.empty((heading.shape[0], 2))
    for u in range(heading.shape[0]):
        turn[u, 0], turn[u, 1] = math.cos(heading[u]), math.sin(heading[u])
    trp, ue = np.empty(changed.shape[0], np.int64), np.empty(changed.shape[0], np.int64)
    i = 0
    for link in range(offset.shape[0] - 1):
        first, last, back = offset[link], offset[link + 1], before[link]
        if back >= 0:
            azimuth[first:last] = last_azimuth[back : back + last - first]
            elevation[first:last] = last_elevation[back : back + last - first]
            sector[first:last] = last_sector[back : back + last - first]
            continue
        for _ in range(first, last):
            ue[i], trp[i] = link // n_trp, link % n_trp
            i += 1
    _panel_rows(changed, trp, departure, axes, rows, columns, trp_field, azimuth, elevation)
    if ue_kind == UE_QUAD_SECTOR:
        _quad_rows(changed, ue, arrival, turn, sector)
        return azimuth, elevation, sector
    row, column = np.empty((1, ue_size[0])), np.empty((1, ue_size[1]))
    for i in range(changed.shape[0]):
        p, u = changed[i], ue[i]
        ue_fields(
            arrival[p, 0], arrival[p, 1], arrival[p, 2], turn[u, 0], turn[u, 1], ue_kind, ue_axes, ue_size, row, column, sector, p
        )
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


def ue_gain(direction: FloatArray, heading_rad: float, antenna: str | UeConfig) -> FloatArray:
    """Power gain of every sector of a UE.

    Parameters
    ----------
    direction : (K, 3) unit vectors from the UE in the hall frame.
    heading_rad : yaw of the device [rad].
    antenna : the device's configuration, or the name of an antenna: ``isotropic`` (S = 1, 0 dBi), ``dipole`` (S = 1, 2.15 dBi),
        ``quad_sector`` (S = 4, 11 dBi at most) or ``panel`` (of the default size).

    Returns
    -------
    (K, S) linear gains over isotropic.
    """
    of = ue_antenna(_ue_config(antenna))
    field = np.empty((len(direction), of.n_sectors))
    row, column = np.empty((1, of.size[0])), np.empty((1, of.size[1]))
    turn = math.cos(heading_rad), math.sin(heading_rad)
    for i, d in enumerate(np.asarray(direction, dtype=np.float64)):
        ue_fields(d[0], d[1], d[2], *turn, of.kind, of.axes, of.size, row, column, field, i)
    power: FloatArray = field**2
    return power


def ue_sectors(antenna: str | UeConfig) -> int:
    """Return the number of receive sectors S of a UE's antenna, given as for ``ue_gain``."""
    return ue_antenna(_ue_config(antenna)).n_sectors


def _ue_config(antenna: str | UeConfig) -> UeConfig:
    return antenna if isinstance(antenna, UeConfig) else UeConfig.model_validate({"antenna": antenna})
