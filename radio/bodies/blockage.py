"""What moving bodies cost a path: silhouettes by Fresnel-Kirchhoff diffraction, or TR 38.901 7.6.4.2, blockage model B.

Both models look at every leg of every path. A reflected path is unfolded: on each leg one end is the TRP (its image), the other
the UE (its image), each at its distance along the unfolded path. Bodies that carry the UE do not block it.

**Silhouettes** (the default). On each leg an owner's parts are projected along the ray onto one plane across it, which stands at
the parts' places along the leg, averaged with their projected areas as weights. With (u, v) the places on that plane in Fresnel
units, metres times ``sqrt(2 (d1 + d2) / (lambda d1 d2))``, the field over the free field is

    1 - j/2 * integral over the union of the projected parts of exp(-j pi (u^2 + v^2) / 2) du dv

(Babinet's principle; ``exp(+j 2 pi f t)``). Owners, and legs, multiply as complex numbers. What follows is this model's own, the
same in ``radio/bodies/silhouette_oracle.py``:

* Parts are clipped to the leg: what stands behind an antenna or a wall does not count. An axis is cut half a thickness outside
  the leg's end; a part that lies outside altogether is thinned, to nothing at that distance, so that it enters gradually. A box
  gives way along its own edges, the more the longer they are along the ray.
* An owner whose nearest edge is more than 6 Fresnel units off the ray is faded out, to nothing at 9; an edge moves the field by
  less than 4 % where the fade starts, and 3 % at its end. With effort ``tick`` the fade goes from 3.5 (6 %) to 5 units (5 %),
  and on paths 10 dB or more below their link's strongest from 1.6 (14 %) to 2.25 (10 %).
* An owner leaves at least 1/1000 of the field (60 dB).
* The part that is named is the one that stands deepest in the ray: least signed distance from the ray to its outline.

**Model B.** A body part is a screen that always faces the ray. Of the prism (footprint swept from ``start_m`` to ``end_m``) the
screen takes the silhouette's bounding rectangle on the plane across the ray: its long side runs along the projected axis, and
each half side is the footprint's half extent in that direction, plus half the projected axis along the long side. For an upright
body and a level ray that is TR 38.901's vertical rectangle; seen from above it grows by the body's depth, as a real body does.
A capsule's half extents are its radius in every direction.

Additions to 7.6.4.2, the same in ``radio/bodies/blockage_oracle.py``:

* The screen stands where its axis passes the ray, and counts on a leg only if that point lies on that leg; so a head over a
  panel counts although the body's middle lies behind the antenna.
* Beyond ``TAPER_START`` Fresnel radii from the screen's edge the shadow is faded out, to zero at ``TAPER_END``.
* Screens of one owner overlap, so of one owner only the largest loss on the path counts; owners add in dB.
* One owner costs at most 60 dB, the end of the formula's validity.
"""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

import numpy as np

from radio.bodies.blockage_kernels import LARGEST_SHADOW, blockage_kernel, view
from radio.bodies.fresnel import FRESNEL_TABLE
from radio.bodies.silhouette_kernels import FINE_EFFORT, TICK_EFFORT, prepare_owners, silhouette_kernel
from radio.bodies.silhouette_outline import EDGE_TABLE
from radio.bodies.silhouette_rows import ROWS
from radio.bodies.silhouette_slabs import FINE
from radio.types import SHAPE_CAPSULE, SHAPE_ELLIPSE, Blockage, Blockers, BoolArray, FloatArray, IntArray, Paths

BlockageModel: TypeAlias = Literal["silhouette", "model_b"]
Effort: TypeAlias = Literal["fine", "tick"]


def blockage_db(
    paths: Paths,
    blockers: Blockers,
    ue_owner: IntArray,
    model: BlockageModel = "silhouette",
    effort: Effort = "fine",
    keep: tuple[BoolArray, Paths, Blockage] | None = None,
) -> Blockage:
    """Compute what moving bodies cost each path.

    Parameters
    ----------
    paths : propagation paths of every link, with the wavelength of each TRP.
    blockers : parts of bodies.
    ue_owner : (U,) owner that carries the UE and does not block its links, -1 for none.
    model : ``silhouette``, or ``model_b`` of TR 38.901, whose field factor is real.
    effort : how finely silhouettes are integrated. ``fine`` is what the model's accuracy is stated for. ``tick`` is for hundreds
        of pairs every few milliseconds: through an outline of few straight edges (``silhouette_outline``) where the ray
        meets a body on a strong path; by few rows (``silhouette_rows``) beside bodies, and for paths 10 dB or more below
        their link's strongest; and with a narrower fade. docs/validation.md has the errors of both.
    keep : links (U * T,) that have to be computed, and paths and blockage of an earlier call. The other links keep what that
        call found, as long as they have the same paths in the same order. Silhouettes only.

    Returns
    -------
    Blockage
        Factor on the field, loss [dB], and per path the owner and part that cost most. ``worst_db`` is 0 where ``worst_owner``
        is -1.

    Raises
    ------
    ValueError
        If the model is unknown, a part has no owner (below 0), an unknown shape or a number that is not finite, or an array has
        the wrong length.

    Notes
    -----
    Both models are described at the head of this module.
    """
    if ue_owner.shape != (paths.n_ue,):
        raise ValueError(f"ue_owner has shape {ue_owner.shape}, wanted ({paths.n_ue},), one owner per UE")
    if model not in ("silhouette", "model_b"):
        raise ValueError(f"model is {model!r}, wanted 'silhouette' or 'model_b'")
    carried_by = np.ascontiguousarray(ue_owner, dtype=np.int64)
    bodies = _arrays(blockers)
    return _silhouettes(paths, bodies, carried_by, effort, keep) if model == "silhouette" else _model_b(paths, bodies, carried_by)


_NO_PATHS = (np.zeros(0, np.int64), np.zeros((0, 2), np.int64))
_NO_BLOCKAGE = (np.zeros(0, np.complex128), np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))

_Bodies: TypeAlias = tuple[FloatArray, FloatArray, FloatArray, FloatArray, IntArray, IntArray, IntArray]


def _silhouettes(
    paths: Paths, bodies: _Bodies, ue_owner: IntArray, effort: Effort, keep: tuple[BoolArray, Paths, Blockage] | None
) -> Blockage:
    start, end, half, yaw, shape, owner, part = bodies
    prepared: Any = prepare_owners(start, end, half, yaw, shape, owner)
    status, groups, order, first, name, parts, sphere, cylinder = prepared
    if status != 0:
        _refuse(status, groups, bodies)
    n = paths.length_m.shape[0]
    if keep is None:
        needed, last_paths, last = np.ones(paths.n_ue * paths.n_trp, np.bool_), _NO_PATHS, _NO_BLOCKAGE
    else:
        needed, last_paths = keep[0], (keep[1].offset, keep[1].facet)
        last = (keep[2].field, keep[2].loss_db, keep[2].worst_owner, keep[2].worst_part, keep[2].worst_db)
    field, loss_db, worst_db = np.empty(n, np.complex128), np.empty(n), np.empty(n)
    worst_owner, worst_part = np.empty(n, np.int64), np.empty(n, np.int64)
    silhouette_kernel(
        paths.offset, paths.n_trp, paths.wavelength_m, paths.order, paths.vertex_m, paths.amplitude, ue_owner, shape, part,
        order, first, name, parts, groups, sphere, cylinder, FRESNEL_TABLE, EDGE_TABLE,
        FINE_EFFORT if effort == "fine" else TICK_EFFORT, FINE, ROWS,
        paths.facet, needed, *last_paths, *last, field, loss_db, worst_owner, worst_part, worst_db,
    )  # fmt: skip
    return Blockage(field, loss_db, worst_owner, worst_part, worst_db)


def _model_b(paths: Paths, bodies: _Bodies, ue_owner: IntArray) -> Blockage:
    n = paths.length_m.shape[0]
    loss, worst_db = np.empty(n), np.empty(n)
    worst_owner, worst_part = np.empty(n, np.int64), np.empty(n, np.int64)
    status: Any = blockage_kernel(
        paths.offset, paths.n_trp, paths.wavelength_m, paths.order, paths.vertex_m, *bodies, ue_owner,
        loss, worst_owner, worst_part, worst_db,
    )  # fmt: skip
    _refuse(status[0], status[1], bodies)
    return Blockage((10.0 ** (loss / -20.0)).astype(np.complex128), loss, worst_owner, worst_part, worst_db)


def _refuse(status: int, i: int, bodies: _Bodies) -> None:
    """Raise what a kernel's status stands for."""
    start, end, half, yaw, _, owner, _ = bodies
    if status == -1:
        raise ValueError(f"blocker {i} has owner {int(owner[i])}, wanted 0 or above")
    if status == -2:
        raise ValueError(
            f"blocker {i} runs from {start[i].tolist()} to {end[i].tolist()} with half widths {half[i].tolist()} and yaw "
            f"{float(yaw[i])}, wanted finite numbers in m and rad"
        )


def _arrays(blockers: Blockers) -> _Bodies:
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
    known = (blockers.shape >= SHAPE_ELLIPSE) & (blockers.shape <= SHAPE_CAPSULE)
    if not known.all():
        i = int(np.argmin(known))
        raise ValueError(
            f"blocker {i} has shape {blockers.shape[i]}, wanted one of SHAPE_ELLIPSE, SHAPE_RECTANGLE, SHAPE_CAPSULE"
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
