"""What moving bodies cost a path: TR 38.901 7.6.4.2, blockage model B.

A body part is a screen that always faces the ray. Of the prism (footprint swept from ``start_m`` to ``end_m``) the screen takes
the silhouette's bounding rectangle on the plane across the ray: its long side runs along the projected axis, and each half
side is the footprint's half extent in that direction, plus half the projected axis along the long side. For an upright body
and a level ray that is TR 38.901's vertical rectangle; seen from above it grows by the body's depth, as a real body does.
A capsule's half extents are its radius in every direction.

Additions of this model to 7.6.4.2, the same in ``radio/blockage_oracle.py``:

* A reflected path is unfolded: on the first leg the far end is the UE's image, on the second the TRP's image, each at the full
  unfolded length. The screen stands where its axis passes the ray, and counts on a leg only if that point lies on that
  leg; so a head over a panel counts although the body's middle lies behind the antenna.
* Beyond ``TAPER_START`` Fresnel radii from the screen's edge the shadow is faded out, to zero at ``TAPER_END``.
* Screens of one owner overlap, so of one owner only the largest loss on the path counts; owners add in dB.
* One owner costs at most 60 dB, the end of the formula's validity.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from radio.blockage_kernels import LARGEST_SHADOW, blockage_kernel, view
from radio.types import Blockage, Blockers, FloatArray, IntArray, Paths


def blockage_db(paths: Paths, blockers: Blockers, ue_owner: IntArray, wavelength_m: float) -> Blockage:
    """Loss that moving bodies cost each path, by blockage model B.

    Parameters
    ----------
    paths : propagation paths of every link.
    blockers : screens. Screens of one owner that stand next to each other in the arrays are culled together, so keep them so.
    ue_owner : (U,) owner that carries the UE and does not block its links, -1 for none.
    wavelength_m : carrier wavelength [m].

    Returns
    -------
    Blockage
        Losses [dB], and per path the owner and part that cost most. ``worst_db`` is 0 where ``worst_owner`` is -1.

    Raises
    ------
    ValueError
        If a screen has no owner (below 0) or a coordinate that is not finite, or an array has the wrong length.

    Notes
    -----
    TR 38.901 7.6.4.2 with the additions listed at the head of this module.
    """
    if ue_owner.shape != (paths.n_ue,):
        raise ValueError(f"ue_owner has shape {ue_owner.shape}, wanted ({paths.n_ue},), one owner per UE")
    n = paths.length_m.shape[0]
    loss, worst_db = np.empty(n), np.empty(n)
    worst_owner, worst_part = np.empty(n, np.int64), np.empty(n, np.int64)
    status: Any = blockage_kernel(
        paths.offset,
        paths.n_trp,
        paths.vertex_m,
        paths.length_m,
        paths.departure,
        paths.arrival,
        paths.facet,
        *_arrays(blockers),
        np.ascontiguousarray(ue_owner, dtype=np.int64),
        wavelength_m,
        loss,
        worst_owner,
        worst_part,
        worst_db,
    )
    if status[0] == -1:
        raise ValueError(f"blocker {status[1]} has owner {int(blockers.owner[status[1]])}, wanted 0 or above")
    if status[0] == -2:
        i = status[1]
        raise ValueError(
            f"blocker {i} runs from {blockers.start_m[i].tolist()} to {blockers.end_m[i].tolist()} with half widths "
            f"{blockers.half_width_m[i].tolist()}, wanted finite numbers in m"
        )
    return Blockage(loss, worst_owner, worst_part, worst_db)


def _arrays(blockers: Blockers) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, IntArray, IntArray, IntArray]:
    """Arrays of one layout and type, so that the kernel is compiled once, and of one length, so that it stays inside them."""
    n = len(blockers.owner)
    shapes = (
        blockers.start_m.shape,
        blockers.end_m.shape,
        blockers.half_width_m.shape,
        blockers.yaw_rad.shape,
        blockers.shape.shape,
        blockers.part.shape,
    )
    wanted = ((n, 3), (n, 3), (n, 2), (n,), (n,), (n,))
    if shapes != wanted:
        raise ValueError(
            f"blockers start_m, end_m, half_width_m, yaw_rad, shape, part have shapes {shapes}, wanted {wanted} for {n} owners"
        )
    return (
        np.ascontiguousarray(blockers.start_m, dtype=np.float64),
        np.ascontiguousarray(blockers.end_m, dtype=np.float64),
        np.ascontiguousarray(blockers.half_width_m, dtype=np.float64),
        np.ascontiguousarray(blockers.yaw_rad, dtype=np.float64),
        np.ascontiguousarray(blockers.shape, dtype=np.int64),
        np.ascontiguousarray(blockers.owner, dtype=np.int64),
        np.ascontiguousarray(blockers.part, dtype=np.int64),
    )


def screen_loss_db(
    near_m: float,
    far_m: float,
    half_width_m: float,
    half_height_m: float,
    offset_width_m: float,
    offset_height_m: float,
    wavelength_m: float,
) -> float:
    """Loss of one screen across the ray (TR 38.901 equations 7.6-28 and 7.6-29), without the taper of ``blockage_db``.

    Parameters
    ----------
    near_m, far_m : distances from the screen's plane to the two ends of the ray [m].
    half_width_m, half_height_m : half sizes of the screen [m]; ``math.inf`` for an endless one.
    offset_width_m, offset_height_m : where the ray pierces the plane, from the screen's centre [m].
    wavelength_m : wavelength [m].

    Returns
    -------
    float
        ``-20 lg(1 - (F_h1 + F_h2)(F_w1 + F_w2))``, at most 60 dB.

    Raises
    ------
    ValueError
        If a distance, size or the wavelength is not positive.
    """
    for name, value in (
        ("near_m", near_m),
        ("far_m", far_m),
        ("half_width_m", half_width_m),
        ("half_height_m", half_height_m),
        ("wavelength_m", wavelength_m),
    ):
        if not value > 0.0:
            raise ValueError(f"{name} is {value}, wanted a length above 0 m")
    k = math.pi / wavelength_m
    product = 1.0
    for offset, half in ((offset_width_m, half_width_m), (offset_height_m, half_height_m)):
        product *= 1.0 if math.isinf(half) else float(view(abs(offset), half, near_m, far_m, k))
    return -20.0 * math.log10(1.0 - min(product, LARGEST_SHADOW))
