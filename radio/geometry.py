"""The static hall as the radio sees it: its own six faces and boxes that stand in it.

Coordinates are the hall frame: x along the length 0..L, y along the width 0..W, z up from the floor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radio.materials import permittivity
from radio.types import BoolArray, ComplexArray, FloatArray, IntArray

SPEED_OF_LIGHT_MPS = 299_792_458.0


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

    Raises
    ------
    ValueError
        If a size is not positive, a number is not finite, or the arrays' lengths differ.
    """

    size_m: FloatArray
    box_center_m: FloatArray
    box_half_m: FloatArray
    box_yaw_rad: FloatArray
    box_material: tuple[str, ...]
    wall_material: str = "concrete"
    floor_material: str = "concrete"
    ceiling_material: str = "metal"

    def __post_init__(self) -> None:
        n = len(self.box_material)
        for name, value, shape in (
            ("size_m", self.size_m, (3,)),
            ("box_center_m", self.box_center_m, (n, 3)),
            ("box_half_m", self.box_half_m, (n, 3)),
            ("box_yaw_rad", self.box_yaw_rad, (n,)),
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
    """Facets and boxes of a hall as arrays, at one carrier frequency. Made by ``prepare_hall``.

    Facets 0-5 are the hall's own (x = 0, x = L, y = 0, y = W, floor, ceiling), seen from inside; facet ``6 + 5 k + i`` is face
    i of box k (its +x, -x, +y, -y, top). The bottoms of boxes are left out.

    Attributes
    ----------
    frequency_hz, wavelength_m : carrier frequency [Hz] and wavelength [m].
    size_m : (3,) size of the hall [m].
    center_m : (F, 3) facet centres [m].
    normal : (F, 3) unit normals into the free space.
    axis_u, axis_v : (F, 3) unit in-plane axes.
    half_m : (F, 2) half sizes along ``axis_u`` and ``axis_v`` [m].
    permittivity : (F,) complex relative permittivity.
    facet_box : (F,) box that a facet belongs to, -1 for the hall's own.
    facet_name : (F) names for reports, for example ``floor`` or ``box 3 +x``.
    box_center_m, box_half_m : (N, 3) boxes [m].
    box_axis : (N, 2) cosine and sine of the box's yaw.
    box_low_m, box_high_m : (N, 3) axis-aligned bounds [m].
    """

    frequency_hz: float
    wavelength_m: float
    size_m: FloatArray
    center_m: FloatArray
    normal: FloatArray
    axis_u: FloatArray
    axis_v: FloatArray
    half_m: FloatArray
    permittivity: ComplexArray
    facet_box: IntArray
    facet_name: tuple[str, ...]
    box_center_m: FloatArray
    box_half_m: FloatArray
    box_axis: FloatArray
    box_low_m: FloatArray
    box_high_m: FloatArray


def prepare_hall(hall: Hall, frequency_hz: float) -> PreparedHall:
    """Turn a hall into facets with their permittivity at one frequency.

    Parameters
    ----------
    hall : the hall.
    frequency_hz : carrier frequency [Hz].

    Raises
    ------
    ValueError
        If a material is unknown or undefined at that frequency; the message names the wall or box.
    """
    length, width, height = (float(s) for s in hall.size_m)
    rows: list[tuple[list[float], list[float], list[float], list[float], tuple[float, float], complex, int, str]] = []

    def material(name: str, what: str) -> complex:
        try:
            return permittivity(name, frequency_hz)
        except ValueError as error:
            raise ValueError(f"{what}: {error}") from error

    wall = material(hall.wall_material, "hall wall_material")
    floor = material(hall.floor_material, "hall floor_material")
    ceiling = material(hall.ceiling_material, "hall ceiling_material")
    x, y, z = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]
    mid = [length / 2, width / 2, height / 2]
    rows += [
        ([0.0, mid[1], mid[2]], x, y, z, (mid[1], mid[2]), wall, -1, "wall x=0"),
        ([length, mid[1], mid[2]], [-1.0, 0.0, 0.0], y, z, (mid[1], mid[2]), wall, -1, "wall x=L"),
        ([mid[0], 0.0, mid[2]], y, x, z, (mid[0], mid[2]), wall, -1, "wall y=0"),
        ([mid[0], width, mid[2]], [0.0, -1.0, 0.0], x, z, (mid[0], mid[2]), wall, -1, "wall y=W"),
        ([mid[0], mid[1], 0.0], z, x, y, (mid[0], mid[1]), floor, -1, "floor"),
        ([mid[0], mid[1], height], [0.0, 0.0, -1.0], x, y, (mid[0], mid[1]), ceiling, -1, "ceiling"),
    ]
    cos, sin = np.cos(hall.box_yaw_rad), np.sin(hall.box_yaw_rad)
    for k, name in enumerate(hall.box_material):
        eps = material(name, f"hall box {k}")
        hx, hy, hz = (float(h) for h in hall.box_half_m[k])
        along = [float(cos[k]), float(sin[k]), 0.0]
        across = [-float(sin[k]), float(cos[k]), 0.0]
        c = hall.box_center_m[k]
        for n, h, u, v, half, face in (
            (along, hx, across, z, (hy, hz), "+x"),
            ([-a for a in along], hx, across, z, (hy, hz), "-x"),
            (across, hy, along, z, (hx, hz), "+y"),
            ([-a for a in across], hy, along, z, (hx, hz), "-y"),
            (z, hz, along, across, (hx, hy), "top"),
        ):
            centre = [float(c[i]) + h * n[i] for i in range(3)]
            rows.append((centre, n, u, v, half, eps, k, f"box {k} {face}"))

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
        frequency_hz=float(frequency_hz),
        wavelength_m=SPEED_OF_LIGHT_MPS / float(frequency_hz),
        size_m=np.array(hall.size_m, dtype=np.float64),
        center_m=np.array([r[0] for r in rows]),
        normal=np.array([r[1] for r in rows]),
        axis_u=np.array([r[2] for r in rows]),
        axis_v=np.array([r[3] for r in rows]),
        half_m=np.array([r[4] for r in rows]),
        permittivity=np.array([r[5] for r in rows], dtype=np.complex128),
        facet_box=np.array([r[6] for r in rows], dtype=np.int64),
        facet_name=tuple(r[7] for r in rows),
        box_center_m=np.ascontiguousarray(hall.box_center_m, dtype=np.float64),
        box_half_m=np.ascontiguousarray(hall.box_half_m, dtype=np.float64),
        box_axis=np.stack([cos, sin], axis=1),
        box_low_m=hall.box_center_m - extent,
        box_high_m=hall.box_center_m + extent,
    )
