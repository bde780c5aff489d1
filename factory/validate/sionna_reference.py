"""Reference halls with the paths that Sionna RT found in them, as JSON, and how ours compare.

Sionna RT computes in float32: at 60 m a coordinate is worth 4 um and, at 28 GHz, 0.13 degrees of phase. Lengths and the
coefficients without the propagation phase are therefore compared separately.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from radio.propagation.geometry import DEFAULT_THICKNESS_M, Hall, prepare_hall
from radio.types import BoolArray, ComplexArray, FloatArray, IntArray, Paths

FACET_EDGE_M = 0.01  # a reflection is this near to its facet's edge
BOX_EDGE_M = 0.001  # a leg passes a box's edge this near
CONVENTION = (
    "tt, tp, pt, pp: field gain between isotropic antennas, received component (theta, phi) first, then the sent one, each at "
    "the direction away from its antenna; time convention exp(+j 2 pi f t), without the propagation phase "
    "exp(-j 2 pi f length / c); "
    "facet: 0-5 the hall's x=0, x=L, y=0, y=W, floor, ceiling, 6 + 5 k + i face i (+x, -x, +y, -y, top) of box k, after them the "
    "bottoms of boxes that float, -1 for none; angles: zenith and azimuth of departure, then of arrival, in rad"
)
_COLUMNS = (
    "ue trp facet_1 facet_2 length_m tt_re tt_im tp_re tp_im pt_re pt_im pp_re pp_im "
    "x1_m y1_m z1_m x2_m y2_m z2_m theta_t phi_t theta_r phi_r"
).split()


@dataclass(frozen=True, slots=True)
class ReferencePaths:
    """Paths of all links as a counterpart found them.

    Attributes
    ----------
    ue, trp : (P,) ends of the path.
    facet : (P, 2) reflecting facets from the TRP on, numbered as in ``radio.propagation.geometry.PreparedHall``, -1 for none.
    length_m : (P,) unfolded length [m].
    transfer : (P, 2, 2) field gain, received (theta, phi) by sent (theta, phi), without antennas and the propagation phase.
    point_m : (P, 2, 3) reflection points, NaN for none [m].
    angle_rad : (P, 4) zenith and azimuth of departure, zenith and azimuth of arrival [rad].
    """

    ue: IntArray
    trp: IntArray
    facet: IntArray
    length_m: FloatArray
    transfer: ComplexArray
    point_m: FloatArray
    angle_rad: FloatArray


@dataclass(frozen=True, slots=True)
class Reference:
    """A hall without people, antennas in it, and the counterpart's paths.

    Attributes
    ----------
    name : what kind of hall it is.
    source : program and version that computed the paths.
    frequency_hz : carrier frequency [Hz].
    hall : the hall.
    trp_position_m, ue_position_m : (T, 3) and (U, 3) antennas [m].
    paths : the counterpart's paths.
    samples : rays that the counterpart sent from each TRP.
    """

    name: str
    source: str
    frequency_hz: float
    hall: Hall
    trp_position_m: FloatArray
    ue_position_m: FloatArray
    paths: ReferencePaths
    samples: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """How two sets of paths of one hall agree. Paths match where they reflect at the same facets in the same order.

    Attributes
    ----------
    ours, theirs, matched : numbers of paths.
    only_ours, only_theirs : (K,) paths without a partner, as indices into either set.
    excused_ours, excused_theirs : (K,) which of them pass an edge so closely that float32 decides; see ``on_an_edge``.
    power_error_db : (L,) difference of each link's power, the sum of ``|gain|^2`` over all paths that are not excused [dB].
    length_error_m, phase_error_rad, point_error_m, angle_error_rad : (matched,) differences; the phase is that of the gain
        without the propagation phase, points and directions count where they differ most along the path.
    transfer_error : (matched,) magnitude of the difference of the transfer's entries, the largest, as a share of free space.
    """

    ours: int
    theirs: int
    matched: int
    only_ours: IntArray
    only_theirs: IntArray
    excused_ours: BoolArray
    excused_theirs: BoolArray
    power_error_db: FloatArray
    length_error_m: FloatArray
    phase_error_rad: FloatArray
    point_error_m: FloatArray
    angle_error_rad: FloatArray
    transfer_error: FloatArray

    @property
    def unexplained(self) -> int:
        """Number of paths of either side without a partner and without an edge to blame."""
        return int((~self.excused_ours).sum() + (~self.excused_theirs).sum())


def compare(paths: Paths, reference: Reference) -> Agreement:
    """Match our paths to the counterpart's by link and facets, and measure how they differ.

    Parameters
    ----------
    paths : ours, of all links of the reference, isotropic vertical antennas.
    reference : theirs.

    Raises
    ------
    ValueError
        If one side lists a sequence of facets twice in one link.
    """
    them = reference.paths
    link = np.repeat(np.arange(paths.n_ue * paths.n_trp), np.diff(paths.offset))
    their_link = them.ue * paths.n_trp + them.trp
    ours = {(int(i), int(f[0]), int(f[1])): n for n, (i, f) in enumerate(zip(link, paths.facet, strict=True))}
    theirs = {(int(i), int(f[0]), int(f[1])): n for n, (i, f) in enumerate(zip(their_link, them.facet, strict=True))}
    if len(ours) != len(link) or len(theirs) != len(their_link):
        raise ValueError(f"{reference.name}: a sequence of facets occurs twice in one link")
    pairs = np.array([(n, theirs[key]) for key, n in ours.items() if key in theirs], dtype=np.int64).reshape(-1, 2)
    i, j = pairs[:, 0], pairs[:, 1]
    only_ours = np.array([n for key, n in ours.items() if key not in theirs], dtype=np.int64)
    only_theirs = np.array([n for key, n in theirs.items() if key not in ours], dtype=np.int64)
    trp, ue = reference.trp_position_m, reference.ue_position_m
    their_vertex = np.concatenate((trp[them.trp][:, None], them.point_m, ue[them.ue][:, None]), axis=1)
    excused_ours = on_an_edge(reference, paths.vertex_m[only_ours], paths.facet[only_ours])
    excused_theirs = on_an_edge(reference, their_vertex[only_theirs], them.facet[only_theirs])

    wavelength = paths.wavelength_m[link % paths.n_trp]
    turned_back = np.exp(2j * np.pi * paths.length_m / wavelength)
    gain, their_gain = paths.amplitude * turned_back, them.transfer[:, 0, 0]
    transfer = paths.transfer[i] * turned_back[i, None, None]
    weight, their_weight = np.abs(gain) ** 2, np.abs(their_gain) ** 2
    weight[only_ours[excused_ours]] = 0.0
    their_weight[only_theirs[excused_theirs]] = 0.0
    n_link = paths.n_ue * paths.n_trp
    power, their_power = np.bincount(link, weight, n_link), np.bincount(their_link, their_weight, n_link)
    some = (power > 0) | (their_power > 0)
    with np.errstate(divide="ignore"):
        power_error_db = 10 * np.log10(power[some] / their_power[some])
    gap = np.linalg.norm(paths.vertex_m[i, 1:3] - them.point_m[j], axis=2)
    theta, phi = them.angle_rad[j][:, (0, 2)], them.angle_rad[j][:, (1, 3)]
    direction = np.stack((np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)), axis=2)
    turn = np.linalg.norm(np.stack((paths.departure[i], paths.arrival[i]), axis=1) - direction, axis=2)
    return Agreement(
        ours=len(ours),
        theirs=len(theirs),
        matched=len(pairs),
        only_ours=only_ours,
        only_theirs=only_theirs,
        excused_ours=excused_ours,
        excused_theirs=excused_theirs,
        power_error_db=power_error_db,
        length_error_m=np.abs(paths.length_m[i] - them.length_m[j]),
        phase_error_rad=np.abs(np.angle(gain[i] * np.conj(their_gain[j]))),
        point_error_m=np.max(np.where(them.facet[j] >= 0, gap, 0.0), axis=1, initial=0.0),
        angle_error_rad=np.max(turn, axis=1, initial=0.0),
        transfer_error=np.abs(transfer - them.transfer[j]).max(axis=(1, 2)) * (4 * np.pi * paths.length_m / wavelength)[i],
    )


def on_an_edge(reference: Reference, vertex_m: FloatArray, facet: IntArray) -> BoolArray:
    """Tell which paths pass an edge so closely that a float32 ray may fall on either side of it.

    That is: a reflection within ``FACET_EDGE_M`` of its facet's edge, because a ray that leaves a surface is set off from it
    and misses a second one in the corner; or a leg that a box would block if it were larger by ``BOX_EDGE_M`` on every side and
    not if it were smaller by as much.

    Parameters
    ----------
    reference : the hall.
    vertex_m : (K, 4, 3) TRP, reflection points, UE; what is left over is the UE or NaN [m].
    facet : (K, 2) reflecting facets, -1 for none.
    """
    prepared = prepare_hall(reference.hall, reference.frequency_hz)
    result = np.zeros(len(facet), dtype=np.bool_)
    for n, (vertex, sequence) in enumerate(zip(vertex_m, facet, strict=True)):
        used = [int(f) for f in sequence if f >= 0]
        for f, point in zip(used, vertex[1:], strict=False):
            d = point - prepared.center_m[f]
            across = np.abs([d @ prepared.axis_u[f], d @ prepared.axis_v[f]])
            result[n] |= bool((prepared.half_m[f] - across < FACET_EDGE_M).any())
        corners = [vertex[0], *vertex[1 : 1 + len(used)], vertex[3]]
        own = {int(prepared.facet_box[f]) for f in used}
        for a, b in pairwise(corners):
            for k in set(range(len(reference.hall.box_material))) - own:
                result[n] |= _runs_inside(reference.hall, k, a, b, BOX_EDGE_M) != _runs_inside(
                    reference.hall, k, a, b, -BOX_EDGE_M
                )
    return result


def _runs_inside(hall: Hall, k: int, a: FloatArray, b: FloatArray, grown_m: float) -> bool:
    """Tell whether the leg a-b runs inside box k, grown on every side (slab test in the box's frame)."""
    cos, sin = np.cos(hall.box_yaw_rad[k]), np.sin(hall.box_yaw_rad[k])
    turn = np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
    origin, along, half = turn @ (a - hall.box_center_m[k]), turn @ (b - a), hall.box_half_m[k] + grown_m
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.sort([(-half - origin) / along, (half - origin) / along], axis=0)
    return bool(max(0.0, float(np.nanmax(t[0]))) < min(1.0, float(np.nanmin(t[1]))))


def read_reference(path: Path) -> Reference:
    """Read a reference hall.

    Raises
    ------
    ValueError
        If the file does not hold the columns that are expected; the message names it.
    """
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if data["columns"] != _COLUMNS:
        raise ValueError(f"{path.name}: columns are {data['columns']}, wanted {_COLUMNS}")
    h = data["hall"]
    n = len(h["box_material"])
    hall = Hall(
        np.array(h["size_m"], dtype=np.float64),
        np.array(h["box_center_m"], dtype=np.float64).reshape(n, 3),
        np.array(h["box_half_m"], dtype=np.float64).reshape(n, 3),
        np.array(h["box_yaw_rad"], dtype=np.float64),
        tuple(h["box_material"]),
        h["wall_material"],
        h["floor_material"],
        h["ceiling_material"],
        float(h["wall_thickness_m"]),
        float(h["floor_thickness_m"]),
        float(h["ceiling_thickness_m"]),
        np.array(h["box_thickness_m"], dtype=np.float64),
    )
    rows = np.array([[np.nan if x is None else x for x in row] for row in data["paths"]]).reshape(-1, len(_COLUMNS))
    paths = ReferencePaths(
        rows[:, 0].astype(np.int64),
        rows[:, 1].astype(np.int64),
        rows[:, 2:4].astype(np.int64),
        rows[:, 4],
        (rows[:, 5:13:2] + 1j * rows[:, 6:13:2]).reshape(-1, 2, 2),
        rows[:, 13:19].reshape(-1, 2, 3),
        rows[:, 19:23],
    )
    return Reference(
        data["name"], data["source"], float(data["frequency_hz"]), hall, np.array(data["trp_position_m"], dtype=np.float64),
        np.array(data["ue_position_m"], dtype=np.float64), paths, int(data["samples_per_trp"]),
    )  # fmt: skip


def write_reference(path: Path, reference: Reference) -> None:
    """Write a reference hall, one path a line: lengths to 0.1 um, points to 1 um, gains to 7 digits, angles to 1e-6 rad."""
    hall, p = reference.hall, reference.paths
    thickness = np.full(len(hall.box_material), DEFAULT_THICKNESS_M) if hall.box_thickness_m is None else hall.box_thickness_m
    head = {
        "name": reference.name,
        "source": reference.source,
        "convention": CONVENTION,
        "frequency_hz": reference.frequency_hz,
        "samples_per_trp": reference.samples,
        "hall": {
            "size_m": hall.size_m.tolist(),
            "box_center_m": hall.box_center_m.tolist(),
            "box_half_m": hall.box_half_m.tolist(),
            "box_yaw_rad": hall.box_yaw_rad.tolist(),
            "box_material": list(hall.box_material),
            "wall_material": hall.wall_material,
            "floor_material": hall.floor_material,
            "ceiling_material": hall.ceiling_material,
            "wall_thickness_m": hall.wall_thickness_m,
            "floor_thickness_m": hall.floor_thickness_m,
            "ceiling_thickness_m": hall.ceiling_thickness_m,
            "box_thickness_m": thickness.tolist(),
        },
        "trp_position_m": reference.trp_position_m.tolist(),
        "ue_position_m": reference.ue_position_m.tolist(),
        "columns": _COLUMNS,
    }
    lines = []
    for n in range(len(p.ue)):
        row: list[float | int | None] = [int(p.ue[n]), int(p.trp[n]), int(p.facet[n, 0]), int(p.facet[n, 1])]
        row.append(round(float(p.length_m[n]), 7))
        row += [float(f"{x:.7g}") for entry in p.transfer[n].ravel() for x in (entry.real, entry.imag)]
        row += [None if np.isnan(x) else round(float(x), 6) for x in p.point_m[n].ravel()]
        row += [round(float(x), 6) for x in p.angle_rad[n]]
        lines.append(json.dumps(row, separators=(",", ":"), allow_nan=False))
    text = json.dumps(head, indent=1, allow_nan=False)
    path.write_text(text[:-2] + ',\n "paths": [\n' + ",\n".join(lines) + "\n ]\n}\n", encoding="utf-8")
