"""Line of sight and first-order reflections by the image method.

The transmitting antenna is vertical: its field is the theta-hat vector. At a bounce it is split across (TE) and in (TM) the
plane of incidence, each part takes its Fresnel coefficient, and the receiving antenna takes the theta-hat part of the sum.
``radio/paths_oracle.py`` says the same in plain Python.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from radio.geometry import PreparedHall
from radio.paths_kernels import paths_kernel
from radio.types import FloatArray, Paths

_NOBODY = np.zeros((0, 3))
NO_PATHS = Paths(
    0, 0, np.zeros(1, np.int64), np.zeros((0, 3, 3)), np.zeros(0), np.zeros(0, np.complex128),
    np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0, np.int64),
)  # fmt: skip


def compute_paths(
    prepared: PreparedHall,
    trp_position_m: FloatArray,
    ue_position_m: FloatArray,
    max_paths: int,
    reach_db: float,
    last: tuple[FloatArray, Paths] | None = None,
) -> Paths:
    """Line of sight and first-order reflections of every link.

    Parameters
    ----------
    prepared : the hall's facets at the carrier frequency.
    trp_position_m : (T, 3) TRP antennas [m].
    ue_position_m : (U, 3) UE antennas [m]. A UE outside the hall or inside a box has no path.
    max_paths : paths kept per link, strongest first.
    reach_db : paths weaker than the link's strongest by more than this are dropped [dB].
    last : UE positions [m] and paths of an earlier call whose other arguments were the same. The paths of a UE that has not
        moved since are copied from there, which changes no result.

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
    last_ue, of = (_NOBODY, NO_PATHS) if last is None else last
    out: Any = paths_kernel(
        trp, ue, prepared.size_m, prepared.center_m, prepared.normal, prepared.axis_u, prepared.axis_v, prepared.half_m,
        prepared.permittivity, prepared.facet_box,
        prepared.box_center_m, prepared.box_half_m, prepared.box_axis, prepared.box_low_m, prepared.box_high_m,
        prepared.wavelength_m, max_paths, 10.0 ** (-reach_db / 20.0),
        last_ue, of.offset, of.vertex_m, of.length_m, of.amplitude, of.departure, of.arrival, of.facet,
    )  # fmt: skip
    if not out[0]:
        _require_finite("TRP", trp)
        _require_finite("UE", ue)
    return Paths(ue.shape[0], trp.shape[0], *out[1:])


def _require_finite(what: str, position: FloatArray) -> None:
    if not np.isfinite(position).all():
        i = int(np.argwhere(~np.isfinite(position))[0, 0])
        raise ValueError(f"position_m of {what} {i} is {position[i].tolist()}, wanted three finite numbers in m")
