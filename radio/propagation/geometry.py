"""The static hall as the radio sees it: its own six faces and boxes that stand in it.

Coordinates are the hall frame: x along the length 0..L, y along the width 0..W, z up from the floor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from radio.propagation.materials import VACUUM_PERMITTIVITY_F_PER_M, permittivity
from radio.types import SPEED_OF_LIGHT_MPS, BoolArray, ComplexArray, FloatArray, IntArray

__all__ = ["SPEED_OF_LIGHT_MPS", "Hall", "PreparedHall", "prepare_hall"]

# Thickness of Sionna RT's ITU materials, taken where a hall says nothing else [m].
DEFAULT_THICKNESS_M = 0.1
# A box whose bottom is higher than this above the floor floats: its bottom reflects [m].
STANDS_M = 1e-6


@dataclass(frozen=True, slots=True)
class Hall:
    """A rectangular hall with opaque boxes.

    Attributes
    ----------
    size_m : (3,) length, width, height [m].
    box_center_m : (N, 3) centres of the boxes [m].
    box_half_m : (N, 3) half sizes along the box's own axes [m].
    box_yaw_rad : (N,) rotation about the vertical, counter-clockwise from +x [rad].
    box_material : (N) material names of ITU-R P.2040.
    wall_material, floor_material, ceiling_material : material names of the hall's own faces.
    wall_thickness_m, floor_thickness_m, ceiling_thickness_m : what the waves meet behind these faces is a layer of this
        thickness and free space behind it [m].
    box_thickness_m : (N,) the same of the boxes' faces [m], None for ``DEFAULT_THICKNESS_M`` everywhere.

    Raises
    ------
    ValueError
        If a size or thickness is not positive, a number is not finite, or the arrays' lengths differ.
    """

    size_m: FloatArray
    box_center_m: FloatArray
    box_half_m: FloatArray
    box_yaw_rad: FloatArray
    box_material: tuple[str, ...]
    wall_material: str = "concrete"
    floor_material: str = "concrete"
    ceiling_material: str = "metal"
    wall_thickness_m: float = DEFAULT_THICKNESS_M
    floor_thickness_m: float = DEFAULT_THICKNESS_M
    ceiling_thickness_m: float = DEFAULT_THICKNESS_M
    box_thickness_m: FloatArray | None = None

    def __post_init__(self) -> None:
        n = len(self.box_material)
        for name, value, shape in (
            ("size_m", self.size_m, (3,)),
            ("box_center_m", self.box_center_m, (n, 3)),
            ("box_half_m", self.box_half_m, (n, 3)),
            ("box_yaw_rad", self.box_yaw_rad, (n,)),
            *((("box_thickness_m", self.box_thickness_m, (n,)),) if self.box_thickness_m is not None else ()),
        ):
            if value.shape != shape:
                raise ValueError(f"hall {name} has shape {value.shape}, wanted {shape} ({n} box materials are named)")
            if not np.isfinite(value).all():
                where = tuple(int(i) for i in np.argwhere(~np.isfinite(value))[0])
                raise ValueError(f"hall {name}{list(where)} is {value[where]}, wanted a finite number")
        if (self.size_m <= 0).any():
            raise ValueError(f"hall size_m is {self.size_m.tolist()}, wanted three lengths above 0 m")
        if (self.box_half_m <= 0).any():
            i = int(np.argwhere(self.box_half_m <= 0)[0, 0])
            raise ValueError(f"hall box_half_m[{i}] is {self.box_half_m[i].tolist()}, wanted three half sizes above 0 m")
        if self.box_thickness_m is not None and (self.box_thickness_m <= 0).any():
            i = int(np.argwhere(self.box_thickness_m <= 0)[0, 0])
            raise ValueError(f"hall box_thickness_m[{i}] is {self.box_thickness_m[i]}, wanted a thickness above 0 m")
        for name, thickness in (
            ("wall_thickness_m", self.wall_thickness_m),
            ("floor_thickness_m", self.floor_thickness_m),
            ("ceiling_thickness_m", self.ceiling_thickness_m),
        ):
            if not (np.isfinite(thickness) and thickness > 0):
                raise ValueError(f"hall {name} is {thickness}, wanted a thickness above 0 m, for example {DEFAULT_THICKNESS_M}")

    @classmethod
    def empty(
        cls,
        size_m: tuple[float, float, float],
        wall_material: str = "concrete",
        floor_material: str = "concrete",
        ceiling_material: str = "metal",
    ) -> Hall:
        """Hall without boxes, ``size_m`` = (length, width, height) [m]."""
        return cls(
            np.array(size_m, dtype=np.float64),
            np.zeros((0, 3)),
            np.zeros((0, 3)),
            np.zeros(0),
            (),
            wall_material,
            floor_material,
            ceiling_material,
        )

    def inside_any_box(self, point_m: FloatArray) -> BoolArray:
        """Tell which points lie strictly inside a box.

        Parameters
        ----------
        point_m : (K, 3) points [m].

        Returns
        -------
        (K,) True where a box contains the point.
        """
        point = np.asarray(point_m, dtype=np.float64).reshape(-1, 3)
        d = point[:, None, :] - self.box_center_m[None, :, :]
        cos, sin = np.cos(self.box_yaw_rad), np.sin(self.box_yaw_rad)
        x = d[..., 0] * cos + d[..., 1] * sin
        y = -d[..., 0] * sin + d[..., 1] * cos
        half = self.box_half_m
        within = (np.abs(x) < half[:, 0]) & (np.abs(y) < half[:, 1]) & (np.abs(d[..., 2]) < half[:, 2])
        return np.asarray(within.any(axis=1), dtype=np.bool_)

    def contains(self, point_m: FloatArray) -> BoolArray:
        """Tell which of the (K, 3) points [m] lie inside the hall or on its faces, as a (K,) mask."""
        point = np.asarray(point_m, dtype=np.float64).reshape(-1, 3)
        return np.asarray(((point >= 0.0) & (point <= self.size_m)).all(axis=1), dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class PreparedHall:
    """Facets and boxes of a hall as arrays, for C carriers. Made by ``prepare_hall``.

    Facets 0-5 are the hall's own (x = 0, x = L, y = 0, y = W, floor, ceiling), seen from inside; facet ``6 + 5 k + i`` is face
    i of box k (its +x, -x, +y, -y, top). After them come the bottoms of the boxes that float; a box that stands on the floor
    has none.

    Attributes
    ----------
    frequency_hz, wavelength_m : (C,) carrier frequencies [Hz] and wavelengths [m].
    size_m : (3,) size of the hall [m].
    center_m : (F, 3) facet centres [m].
    normal : (F, 3) unit normals into the free space.
    axis_u, axis_v : (F, 3) unit in-plane axes.
    half_m : (F, 2) half sizes along ``axis_u`` and ``axis_v`` [m].
    permittivity : (C, F) complex relative permittivity.
    thickness_m : (F,) thickness of the layer that reflects [m].
    facet_box : (F,) box that a facet belongs to, -1 for the hall's own.
    facet_name : (F) names for reports, for example ``floor`` or ``box 3 +x``.
    box_center_m, box_half_m : (N, 3) boxes [m].
    box_axis : (N, 2) cosine and sine of the box's yaw.
    box_low_m, box_high_m : (N, 3) axis-aligned bounds [m].
    """

    frequency_hz: FloatArray
    wavelength_m: FloatArray
    size_m: FloatArray
    center_m: FloatArray
    normal: FloatArray
    axis_u: FloatArray
    axis_v: FloatArray
    half_m: FloatArray
    permittivity: ComplexArray
    thickness_m: FloatArray
    facet_box: IntArray
    facet_name: tuple[str, ...]
    box_center_m: FloatArray
    box_half_m: FloatArray
    box_axis: FloatArray
    box_low_m: FloatArray
    box_high_m: FloatArray


_Row = tuple[list[float], list[float], list[float], list[float], tuple[float, float], int, str]


def _own_faces(size_m: FloatArray) -> list[_Row]:
    """Centre, normal, axes, half sizes, box and name of the hall's own six faces."""
    length, width, height = (float(s) for s in size_m)
    x, y, z = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]
    mid = [length / 2, width / 2, height / 2]
    return [
        ([0.0, mid[1], mid[2]], x, y, z, (mid[1], mid[2]), -1, "wall x=0"),
        ([length, mid[1], mid[2]], [-1.0, 0.0, 0.0], y, z, (mid[1], mid[2]), -1, "wall x=L"),
        ([mid[0], 0.0, mid[2]], y, x, z, (mid[0], mid[2]), -1, "wall y=0"),
        ([mid[0], width, mid[2]], [0.0, -1.0, 0.0], x, z, (mid[0], mid[2]), -1, "wall y=W"),
        ([mid[0], mid[1], 0.0], z, x, y, (mid[0], mid[1]), -1, "floor"),
        ([mid[0], mid[1], height], [0.0, 0.0, -1.0], x, y, (mid[0], mid[1]), -1, "ceiling"),
    ]


def _box_faces(hall: Hall) -> list[_Row]:
    """Five faces of every box, then the bottoms of those that float."""
    rows: list[_Row] = []
    bottoms: list[_Row] = []
    z, down = [0.0, 0.0, 1.0], [0.0, 0.0, -1.0]
    for k in range(len(hall.box_material)):
        cos, sin = float(np.cos(hall.box_yaw_rad[k])), float(np.sin(hall.box_yaw_rad[k]))
        hx, hy, hz = (float(h) for h in hall.box_half_m[k])
        along, across = [cos, sin, 0.0], [-sin, cos, 0.0]
        c = [float(v) for v in hall.box_center_m[k]]
        faces: list[tuple[list[float], float, list[float], list[float], tuple[float, float], str]] = [
            (along, hx, across, z, (hy, hz), "+x"),
            ([-a for a in along], hx, across, z, (hy, hz), "-x"),
            (across, hy, along, z, (hx, hz), "+y"),
            ([-a for a in across], hy, along, z, (hx, hz), "-y"),
            (z, hz, along, across, (hx, hy), "top"),
        ]
        for n, h, u, v, half, face in faces:
            rows.append(([c[i] + h * n[i] for i in range(3)], n, u, v, half, k, f"box {k} {face}"))
        if c[2] - hz > STANDS_M:
            bottoms.append(([c[0], c[1], c[2] - hz], down, along, across, (hx, hy), k, f"box {k} bottom"))
    return rows + bottoms


def prepare_hall(
    hall: Hall, frequency_hz: float | Sequence[float], measured: Mapping[str, tuple[float, float]] | None = None
) -> PreparedHall:
    """Turn a hall into facets with their permittivity at each carrier.

    Parameters
    ----------
    hall : the hall.
    frequency_hz : carrier frequency, or the frequencies of several carriers [Hz].
    measured : relative permittivity and conductivity [S/m] of materials by name, at every carrier; P.2040 for the others.

    Raises
    ------
    ValueError
        If no frequency is given, or a material is unknown or undefined at one of them; the message names the wall or box.
    """
    frequency = np.atleast_1d(np.asarray(frequency_hz, dtype=np.float64))
    if frequency.ndim != 1 or len(frequency) == 0 or not (np.isfinite(frequency) & (frequency > 0)).all():
        raise ValueError(f"frequency_hz is {frequency_hz}, wanted one or more carrier frequencies in Hz, for example 28e9")
    own, faces = _own_faces(hall.size_m), _box_faces(hall)
    rows = own + faces

    def materials(name: str, what: str) -> list[complex]:
        if measured is not None and name in measured:
            relative, conductivity = measured[name]
            return [complex(relative, -conductivity / (2.0 * np.pi * f * VACUUM_PERMITTIVITY_F_PER_M)) for f in frequency]
        try:
            return [permittivity(name, float(f)) for f in frequency]
        except ValueError as error:
            raise ValueError(f"{what}: {error}") from error

    wall = materials(hall.wall_material, "hall wall_material")
    floor = materials(hall.floor_material, "hall floor_material")
    ceiling = materials(hall.ceiling_material, "hall ceiling_material")
    boxes = [materials(name, f"hall box {k}") for k, name in enumerate(hall.box_material)]
    thickness = hall.box_thickness_m
    box_thickness = np.full(len(boxes), DEFAULT_THICKNESS_M) if thickness is None else np.asarray(thickness, dtype=np.float64)
    of_box = [r[5] for r in faces]

    cos, sin = np.cos(hall.box_yaw_rad), np.sin(hall.box_yaw_rad)
    # Half extents of a turned box along the hall's axes.
    extent = np.stack(
        [
            np.abs(cos) * hall.box_half_m[:, 0] + np.abs(sin) * hall.box_half_m[:, 1],
            np.abs(sin) * hall.box_half_m[:, 0] + np.abs(cos) * hall.box_half_m[:, 1],
            hall.box_half_m[:, 2],
        ],
        axis=1,
    )
    return PreparedHall(
        frequency_hz=frequency,
        wavelength_m=SPEED_OF_LIGHT_MPS / frequency,
        size_m=np.array(hall.size_m, dtype=np.float64),
        center_m=np.array([r[0] for r in rows]),
        normal=np.array([r[1] for r in rows]),
        axis_u=np.array([r[2] for r in rows]),
        axis_v=np.array([r[3] for r in rows]),
        half_m=np.array([r[4] for r in rows]),
        permittivity=np.array([wall] * 4 + [floor, ceiling] + [boxes[k] for k in of_box], dtype=np.complex128).T.copy(),
        thickness_m=np.array(
            [hall.wall_thickness_m] * 4
            + [hall.floor_thickness_m, hall.ceiling_thickness_m]
            + [float(box_thickness[k]) for k in of_box]
        ),
        facet_box=np.array([r[5] for r in rows], dtype=np.int64),
        facet_name=tuple(r[6] for r in rows),
        box_center_m=np.ascontiguousarray(hall.box_center_m, dtype=np.float64),
        box_half_m=np.ascontiguousarray(hall.box_half_m, dtype=np.float64),
        box_axis=np.stack([cos, sin], axis=1),
        box_low_m=hall.box_center_m - extent,
        box_high_m=hall.box_center_m + extent,
    )
