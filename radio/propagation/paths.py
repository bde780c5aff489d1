"""Line of sight and reflections of first and second order by the image method, with full polarisation.

A path leaves the TRP, bounces on up to two facets of the hall or its boxes, and reaches the UE; a box in the way of a leg ends
it. At a bounce the field is split across (TE) and in (TM) the plane of incidence and each part takes the coefficient of a
single layer (ITU-R P.2040 equations 43 and 44).

Polarisation is told in spherical unit vectors, theta-hat of increasing zenith angle and phi-hat of increasing azimuth: at the
TRP those of the direction in which the wave leaves (``departure``), at the UE those of the direction from which it comes
(``arrival``), as in TR 38.901 7.3 and in Sionna RT. ``transfer[p, i, j]`` is the received component i per sent component j, so
in free space it is ``g [[1, 0], [0, -1]]``. Straight up or down, where azimuth is undefined, theta-hat is -x.
An antenna of slant s (TR 38.901 7.3.2, polarisation model-2; 0 is vertical) sends and takes ``(cos s, sin s)``.

Visibility is cached (``visibility``), geometry is exact at every call. ``paths_oracle.py`` says the same in plain Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from radio.propagation.geometry import PreparedHall
from radio.propagation.paths_kernels import LANES, VALUES, find_kernel, missing_cells
from radio.propagation.visibility import Visibility
from radio.types import BoolArray, FloatArray, Paths

NO_PATHS = Paths(
    n_ue=0,
    n_trp=0,
    wavelength_m=np.zeros(0),
    offset=np.zeros(1, np.int64),
    order=np.zeros(0, np.int64),
    vertex_m=np.zeros((0, 4, 3)),
    length_m=np.zeros(0),
    transfer=np.zeros((0, 2, 2), np.complex128),
    amplitude=np.zeros(0, np.complex128),
    departure=np.zeros((0, 3)),
    arrival=np.zeros((0, 3)),
    facet=np.zeros((0, 2), np.int64),
)


class PathFinder:
    """Finds the paths between fixed TRPs and moving UEs of a hall.

    Parameters
    ----------
    prepared : the hall's facets at the carrier frequencies.
    trp_position_m : (T, 3) TRP antennas [m].
    trp_carrier : (T,) index of each TRP's carrier in ``prepared``, the first one when absent.
    trp_slant_rad : (T,) slant of each TRP's polarisation, vertical when absent [rad].
    ue_slant_rad : slant of the UEs' polarisation [rad].
    max_paths : paths kept per link, strongest first by ``|amplitude|``; of equals the first in order of facets.
    reach_db : paths weaker than the link's strongest by more than this are dropped [dB].
    max_order : largest number of reflections, 0 to 2.

    Attributes
    ----------
    visibility : the cache of what is seen from where.

    Raises
    ------
    ValueError
        If a TRP is not finite, outside the hall or inside a box, or another argument is out of its range.
    """

    def __init__(
        self,
        prepared: PreparedHall,
        trp_position_m: FloatArray,
        *,
        trp_carrier: Sequence[int] | None = None,
        trp_slant_rad: Sequence[float] | None = None,
        ue_slant_rad: float = 0.0,
        max_paths: int = 12,
        reach_db: float = 40.0,
        max_order: int = 2,
    ) -> None:
        trp = np.array(trp_position_m, dtype=np.float64, order="C").reshape(-1, 3)
        n_trp = len(trp)
        carrier = np.zeros(n_trp, np.int64) if trp_carrier is None else np.array(trp_carrier, dtype=np.int64)
        slant = np.zeros(n_trp) if trp_slant_rad is None else np.array(trp_slant_rad, dtype=np.float64)
        _check(prepared, trp, carrier, slant, ue_slant_rad, max_paths, reach_db, max_order)
        p = prepared
        self._prepared = p
        self._trp = trp
        self._ue_slant = float(ue_slant_rad)
        self._limits = (int(max_paths), 10.0 ** (-float(reach_db) / 20.0))
        self._wavelength_m = p.wavelength_m[carrier]
        self._aerial = np.stack([self._wavelength_m, np.cos(slant), np.sin(slant), carrier.astype(np.float64)], axis=1)
        # What a bounce needs of its facet at each carrier: (C, F, 6) normal, permittivity, thickness in wavelengths.
        layer = p.thickness_m / p.wavelength_m[:, None]
        material = np.stack([p.permittivity.real, p.permittivity.imag, layer], axis=2)
        normal = np.broadcast_to(p.normal, (*material.shape[:2], 3))
        self._material = np.ascontiguousarray(np.concatenate([normal, material], axis=2))
        self._solid = np.ascontiguousarray(np.concatenate([p.box_center_m, p.box_half_m, p.box_axis], axis=1))
        # A clear line of sight arrives in full only between antennas of mirrored slants: phi-hat is opposite at the UE.
        share = np.abs(np.cos(slant + self._ue_slant)) * self._limits[1]
        self.visibility = Visibility(p, trp, carrier, share, max_order)
        self._work = np.zeros(LANES * VALUES)
        # Where the UEs stood (L, 3) when the last call's paths were found, and these.
        self._last: tuple[Any, ...] = (np.zeros((0, 3)), *_arrays(NO_PATHS))
        self._all: BoolArray = np.zeros(0, np.bool_)

    def find(self, ue_position_m: FloatArray, needed: BoolArray | None = None, *, remember: bool = True) -> Paths:
        """Return the paths of every link to UEs at the given places.

        Parameters
        ----------
        ue_position_m : (U, 3) UE antennas [m]. One that is outside the hall, inside a box or within 1 mm of a TRP has no path
            there. The paths of one that stands where it stood at the last call are copied.
        needed : (U * T,) links that have to be found, all when absent. The others keep the paths that they had at the last call,
            wherever the UE has gone since: their vertices end, and lengths and phases hold, where it stood then. A link that
            was not there at the last call is found.
        remember : whether the next call looks back to this one. A glance ahead, as a forecast takes, need not be remembered, and
            then links that are not needed have no paths.

        Raises
        ------
        ValueError
            If a position is not finite, or ``needed`` has another length.
        """
        ue = np.array(ue_position_m, dtype=np.float64, order="C").reshape(-1, 3)
        v, p = self.visibility, self._prepared
        n_trp = len(self._trp)
        if needed is None:
            if len(self._all) != len(ue) * n_trp:
                self._all = np.ones(len(ue) * n_trp, np.bool_)
            needed = self._all
        elif needed.shape != (len(ue) * n_trp,):
            raise ValueError(f"needed has shape {needed.shape}, wanted ({len(ue) * n_trp},), one value per link")
        found: Any = missing_cells(ue, n_trp, self._last[0], needed, p.size_m, v.cell_m, v.slot)
        if found[0] >= 0:
            _require_finite("UE", ue)
        if len(found[1]) > 0:
            if v.is_full():
                v.forget()
                found = missing_cells(ue, n_trp, self._last[0], needed, p.size_m, v.cell_m, v.slot)
            v.enter(found[1])
            tiles = (v.most_candidates + LANES) // LANES
            if len(self._work) < tiles * LANES * VALUES:
                self._work = np.zeros(2 * tiles * LANES * VALUES)
        q = v.sequences
        out: Any = find_kernel(
            ue, self._trp, self._aerial, self._ue_slant, p.size_m, v.cell_m, v.slot, v.start,
            v.sequence, v.bound, v.place, v.boxes, q.facet, q.affine, q.image_m, q.height_m, p.half_m,
            self._material, self._solid, *self._limits, self._work, needed, not remember, *self._last,
        )  # fmt: skip
        if remember:
            self._last = out
        return Paths(len(ue), n_trp, self._wavelength_m, *out[1:])


def compute_paths(
    prepared: PreparedHall,
    trp_position_m: FloatArray,
    ue_position_m: FloatArray,
    max_paths: int,
    reach_db: float,
    max_order: int = 2,
    *,
    trp_carrier: Sequence[int] | None = None,
    trp_slant_rad: Sequence[float] | None = None,
    ue_slant_rad: float = 0.0,
) -> Paths:
    """Return what a new ``PathFinder`` of these parameters finds for UEs at ``ue_position_m`` (U, 3) [m]."""
    finder = PathFinder(
        prepared,
        trp_position_m,
        trp_carrier=trp_carrier,
        trp_slant_rad=trp_slant_rad,
        ue_slant_rad=ue_slant_rad,
        max_paths=max_paths,
        reach_db=reach_db,
        max_order=max_order,
    )
    return finder.find(ue_position_m)


def _arrays(paths: Paths) -> tuple[Any, ...]:
    return (
        paths.offset,
        paths.order,
        paths.vertex_m,
        paths.length_m,
        paths.transfer,
        paths.amplitude,
        paths.departure,
        paths.arrival,
        paths.facet,
    )


def _check(
    prepared: PreparedHall,
    trp: FloatArray,
    carrier: Any,
    slant: Any,
    ue_slant: float,
    max_paths: int,
    reach_db: float,
    max_order: int,
) -> None:
    """Refuse what the kernels cannot take, by name."""
    _require_finite("TRP", trp)
    if len(carrier) != len(trp) or len(slant) != len(trp):
        raise ValueError(f"trp_carrier has {len(carrier)} and trp_slant_rad {len(slant)} values, wanted {len(trp)}, one per TRP")
    for t in range(len(trp)):
        where = f"TRP {t} at {trp[t].tolist()} m"
        if (trp[t] < 0).any() or (trp[t] > prepared.size_m).any():
            raise ValueError(f"{where} lies outside the hall of {' x '.join(f'{s:g}' for s in prepared.size_m)} m")
        d = trp[t] - prepared.box_center_m
        cos, sin = prepared.box_axis[:, 0], prepared.box_axis[:, 1]
        own = np.stack([d[:, 0] * cos + d[:, 1] * sin, d[:, 1] * cos - d[:, 0] * sin, d[:, 2]], axis=1)
        inside = np.flatnonzero((np.abs(own) < prepared.box_half_m).all(axis=1))
        if len(inside):
            raise ValueError(f"{where} lies inside box {inside[0]}; put it above or beside the box")
        if not 0 <= carrier[t] < len(prepared.wavelength_m):
            raise ValueError(
                f"trp_carrier[{t}] is {carrier[t]}; the hall is prepared for {len(prepared.wavelength_m)} carriers from 0"
            )
        if not np.isfinite(slant[t]):
            raise ValueError(f"trp_slant_rad[{t}] is {slant[t]}, wanted a finite angle in rad")
    if not np.isfinite(ue_slant):
        raise ValueError(f"ue_slant_rad is {ue_slant}, wanted a finite angle in rad")
    if max_paths < 1:
        raise ValueError(f"max_paths is {max_paths}, wanted 1 or more")
    if not (np.isfinite(reach_db) and reach_db >= 0):
        raise ValueError(f"reach_db is {reach_db}, wanted a finite number of dB, 0 or more")
    if max_order not in (0, 1, 2):
        raise ValueError(f"max_order is {max_order}, wanted 0, 1 or 2 reflections")


def _require_finite(what: str, position: FloatArray) -> None:
    if not np.isfinite(position).all():
        i = int(np.argwhere(~np.isfinite(position))[0, 0])
        raise ValueError(f"position_m of {what} {i} is {position[i].tolist()}, wanted three finite numbers in m")
