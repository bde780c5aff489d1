"""How the Bullet scene looks: racks with goods, machines, floor, framing of the camera and shading.

Everything here is visual only. No body made here collides, so rays, contacts and a run's numbers are the same with and without a
picture. A scene is dressed once, when its first picture is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from factory.bullet import pybullet

Floats = npt.NDArray[np.float64]
Colour = tuple[float, float, float]

# Okabe & Ito's colours for what moves, so that a picture reads for colour-blind people; quiet tones for what stands.
AGV_BLUE: Colour = (0.0, 0.45, 0.70)
LOAD_AMBER: Colour = (0.90, 0.62, 0.0)
TRP_PURPLE: Colour = (0.80, 0.10, 0.55)
_VEST: Colour = (0.98, 0.42, 0.05)
_SKIN: Colour = (0.87, 0.70, 0.58)
_TROUSERS: Colour = (0.16, 0.20, 0.32)
_SLEEVES: Colour = (0.30, 0.36, 0.48)
_ARM_ORANGE: Colour = (0.93, 0.42, 0.13)
_STEEL: Colour = (0.62, 0.65, 0.68)
_DARK: Colour = (0.20, 0.22, 0.25)
_RACK_BLUE: Colour = (0.16, 0.31, 0.55)
_RACK_BEAM: Colour = (0.89, 0.45, 0.13)
_PALLET: Colour = (0.72, 0.58, 0.40)
_GOODS: tuple[Colour, ...] = ((0.80, 0.66, 0.48), (0.74, 0.60, 0.43), (0.86, 0.74, 0.57), (0.62, 0.68, 0.74))
_FLOOR: Colour = (0.86, 0.87, 0.87)
_SHADOW: Colour = (0.72, 0.73, 0.74)
_JOINT: Colour = (0.78, 0.79, 0.80)
_WALL: Colour = (0.91, 0.92, 0.93)
_SKIRTING: Colour = (0.74, 0.78, 0.82)
_BACKGROUND = (247, 248, 250)
_CLIP_M = (5.0, 1500.0)
"""Nearest and farthest that the camera sees."""
_SUN = (0.45, -0.30)
"""Horizontal displacement of a shadow per metre of height."""


_UNIT_NORMALS = np.concatenate((-np.eye(3), np.eye(3)))
_ACROSS = np.roll(_UNIT_NORMALS, 1, axis=1)
_ALONG = np.cross(_UNIT_NORMALS, _ACROSS)
_UNIT_CORNERS = np.stack([_UNIT_NORMALS + u * _ACROSS + v * _ALONG for u, v in ((-1, -1), (1, -1), (1, 1), (-1, 1))], axis=1)
"""Faces of the cube from -1 to 1: corners (6, 4, 3), counter-clockwise seen from outside."""


@dataclass
class Meshes:
    """Boxes collected by colour, so that a whole hall is a dozen bodies and not a thousand."""

    boxes: dict[Colour, list[tuple[Floats, Floats, float]]] = field(default_factory=dict)

    def add(
        self, colour: Colour, center_m: Sequence[float] | Floats, half_m: Sequence[float] | Floats, yaw_rad: float = 0.0
    ) -> None:
        """Add a box turned about its own vertical axis [m, rad]."""
        self.boxes.setdefault(colour, []).append((np.asarray(center_m, float), np.asarray(half_m, float), yaw_rad))

    def build(self, client: int) -> list[int]:
        """Make one body per colour; return their ids."""
        made = []
        for colour, boxes in self.boxes.items():
            # Bullet limits the vertices of one mesh; a box has 24.
            for first in range(0, len(boxes), 2000):
                vertices, normals = _box_faces(boxes[first : first + 2000])
                made.append(_mesh_body(client, vertices, normals, colour))
        return made


def _box_faces(boxes: Sequence[tuple[Floats, Floats, float]]) -> tuple[Floats, Floats]:
    """Corners (f, 4, 3) and normals (f, 3) of the faces of boxes."""
    center, half = np.array([b[0] for b in boxes]), np.array([b[1] for b in boxes])
    yaw = np.array([b[2] for b in boxes])
    turn = np.zeros((len(boxes), 3, 3))
    turn[:, 0, 0] = turn[:, 1, 1] = np.cos(yaw)
    turn[:, 1, 0] = np.sin(yaw)
    turn[:, 0, 1] = -turn[:, 1, 0]
    turn[:, 2, 2] = 1.0
    corners = np.einsum("bij,bfcj->bfci", turn, _UNIT_CORNERS * half[:, None, None, :]) + center[:, None, None, :]
    normals = np.einsum("bij,fj->bfi", turn, _UNIT_NORMALS)
    return corners.reshape(-1, 4, 3), normals.reshape(-1, 3)


def _mesh_body(client: int, corners: Floats, normals: Floats, colour: Colour) -> int:
    """Make a visual body of four-cornered faces."""
    quads = 4 * np.arange(len(corners))[:, None] + np.array([0, 1, 2, 0, 2, 3])
    shape = pybullet.createVisualShape(
        pybullet.GEOM_MESH,
        vertices=corners.reshape(-1, 3).tolist(),
        indices=quads.ravel().tolist(),
        normals=np.repeat(normals, 4, axis=0).tolist(),
        rgbaColor=(*colour, 1.0),
        physicsClientId=client,
    )
    return int(pybullet.createMultiBody(0.0, -1, shape, physicsClientId=client))


def dress_hall(client: int, size_m: Floats, trp_position_m: Floats) -> None:
    """Floor with a joint every 5 m, the two walls behind, kerbs in front, and the transmission points."""
    length, width, height = (float(v) for v in size_m)
    meshes = Meshes()
    meshes.add(_FLOOR, (length / 2, width / 2, -0.05), (length / 2, width / 2, 0.05))
    for x in np.arange(5.0, length, 5.0):
        meshes.add(_JOINT, (x, width / 2, 0.0), (0.05, width / 2, 0.004))
    for y in np.arange(5.0, width, 5.0):
        meshes.add(_JOINT, (length / 2, y, 0.0), (length / 2, 0.05, 0.004))
    for colour, low, high in ((_SKIRTING, 0.0, 1.2), (_WALL, 1.2, height)):
        z, half = (low + high) / 2, (high - low) / 2
        meshes.add(colour, (length / 2, width + 0.15, z), (length / 2 + 0.3, 0.15, half))
        meshes.add(colour, (length + 0.15, width / 2, z), (0.15, width / 2 + 0.3, half))
    meshes.add(_SKIRTING, (-0.1, width / 2, 0.1), (0.1, width / 2 + 0.2, 0.15))
    meshes.add(_SKIRTING, (length / 2, -0.1, 0.1), (length / 2, 0.1, 0.15))
    for x, y, z in trp_position_m:
        # A panel hangs below the ceiling or stands on a mast; plumb line and plate show where it is in the plan.
        thick = 0.03 if z > 0.7 * height else 0.05
        meshes.add(_STEEL, (x, y, z / 2), (thick, thick, z / 2))
        meshes.add(TRP_PURPLE, (x, y, z), (0.3, 0.3, 0.3), math.pi / 4)
        meshes.add(TRP_PURPLE, (x, y, 0.012), (0.45, 0.45, 0.004), math.pi / 4)
    meshes.build(client)


def dress_boxes(client: int, center_m: Floats, half_m: Floats, yaw_rad: Floats, kind: Sequence[str]) -> None:
    """Racks with goods, machines with doors, benches, walls and offices, each with its shadow on the floor.

    Parameters
    ----------
    center_m, half_m : (n, 3) [m]. yaw_rad : (n,) [rad]. kind : n kinds of ``factory.config.BoxConfig``.
    """
    meshes = Meshes()
    for i, what in enumerate(kind):
        local = Meshes()
        half = half_m[i]
        if what == "rack":
            _rack(local, half, np.random.default_rng(i))  # the same goods in every picture of a hall
        elif what in ("cell", "machine"):
            _bench(local, half) if half[2] < 0.6 else _machine(local, half)
        elif what == "office":
            local.add(_WALL, (0, 0, 0), half)
            local.add((0.42, 0.55, 0.66), (0, 0, min(1.5, half[2]) - half[2]), (half[0] + 0.01, half[1] + 0.01, 0.45 * half[2]))
        else:
            local.add(_WALL, (0, 0, 0), half)
        c, s = math.cos(yaw_rad[i]), math.sin(yaw_rad[i])
        turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
        for colour, boxes in local.boxes.items():
            for at, size, yaw in boxes:
                meshes.add(colour, center_m[i] + turn @ at, size, yaw + float(yaw_rad[i]))
    meshes.build(client)
    if len(kind):
        quads = np.concatenate([_shadow(center_m[i], half_m[i], float(yaw_rad[i])) for i in range(len(kind))])
        _mesh_body(client, quads, np.tile((0.0, 0.0, 1.0), (len(quads), 1)), _SHADOW)


def _shadow(center_m: Floats, half_m: Floats, yaw_rad: float) -> Floats:
    """Shadow of a box that stands on the floor, as quads (5, 4, 3): the moved footprint, and what it sweeps on its way."""
    c, s = math.cos(yaw_rad), math.sin(yaw_rad)
    signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    foot = (signs * half_m[:2]) @ np.array([[c, s], [-s, c]]) + center_m[:2]
    moved = foot + 2 * half_m[2] * np.array(_SUN)
    sides = [np.array([foot[k], foot[k - 3], moved[k - 3], moved[k]]) for k in range(4)]
    quads = []
    for quad in (moved, *sides):
        (ax, ay), (bx, by) = quad[1] - quad[0], quad[2] - quad[0]
        quads.append(quad if ax * by - ay * bx > 0 else quad[::-1])  # faces up
    return np.dstack((np.array(quads), np.full((5, 4), 0.008)))


def _rack(meshes: Meshes, half: Floats, rng: np.random.Generator) -> None:
    """Pallet rack: uprights, beams and pallets with goods within a box of these half sizes, long side along x."""
    if half[1] > half[0]:
        turned = Meshes()
        _rack(turned, half[[1, 0, 2]], rng)
        for colour, boxes in turned.boxes.items():
            for at, size, _ in boxes:
                meshes.add(colour, (-at[1], at[0], at[2]), (size[1], size[0], size[2]))
        return
    length, depth, height = (2 * float(v) for v in half)
    bays = max(1, round(length / 2.7))
    levels = max(1, round(height / 1.6))
    bay, level = length / bays, height / levels
    for k in range(bays + 1):
        x = -half[0] + min(max(k * bay, 0.05), length - 0.05)
        for side in (-1, 1):
            meshes.add(_RACK_BLUE, (x, side * (half[1] - 0.05), 0.0), (0.05, 0.05, half[2]))
    for n in range(levels):
        deck = -half[2] + n * level + (0.02 if n == 0 else 0.0)
        if n:
            for side in (-1, 1):
                meshes.add(_RACK_BEAM, (0.0, side * (half[1] - 0.04), deck - 0.06), (half[0], 0.03, 0.07))
        for k in range(bays):
            for p in range(3):
                x = -half[0] + k * bay + bay * (p + 0.5) / 3
                tall = (level - 0.45) * float(rng.choice((0.0, 0.55, 0.75, 0.9, 1.0), p=(0.10, 0.15, 0.25, 0.25, 0.25)))
                colour = _GOODS[int(rng.integers(len(_GOODS)))]
                meshes.add(_PALLET, (x, 0.0, deck + 0.07), (bay / 6 - 0.06, 0.46 * depth, 0.06))
                if tall > 0:
                    meshes.add(colour, (x, 0.0, deck + 0.13 + tall / 2), (bay / 6 - 0.09, 0.43 * depth, tall / 2))


def _machine(meshes: Meshes, half: Floats) -> None:
    """Enclosed machine tool: plinth, housing, windows on the long sides, a control panel and a signal tower."""
    x, y, z = (float(v) for v in half)
    meshes.add(_DARK, (0, 0, 0.12 - z), (0.97 * x, 0.97 * y, 0.12))
    meshes.add((0.88, 0.90, 0.91), (0, 0, 0.12), (x, y, z - 0.12))
    meshes.add((0.10, 0.42, 0.47), (0, 0, z - 0.16), (x + 0.01, y + 0.01, 0.12))
    for side in (-1, 1):
        meshes.add((0.16, 0.24, 0.30), (-0.2 * x, side * (y + 0.005), 0.1), (0.45 * x, 0.01, 0.35 * z))
        meshes.add(_DARK, (0.62 * x, side * (y + 0.03), 0.15), (0.12 * x, 0.04, 0.22 * z))
    for k, colour in enumerate(((0.20, 0.60, 0.30), (0.95, 0.75, 0.10), (0.80, 0.15, 0.12))):
        meshes.add(colour, (0.85 * x, 0.7 * y, z + 0.20 + 0.14 * k), (0.06, 0.06, 0.06))
    meshes.add(_STEEL, (0.85 * x, 0.7 * y, z + 0.08), (0.03, 0.03, 0.08))


def _bench(meshes: Meshes, half: Floats) -> None:
    """Workbench: a top, legs, a shelf and a tray of parts."""
    x, y, z = (float(v) for v in half)
    meshes.add(_PALLET, (0, 0, z - 0.03), (x, y, 0.03))
    meshes.add(_STEEL, (0, 0, -0.4 * z), (0.95 * x, 0.95 * y, 0.02))
    for sx in (-1, 1):
        for sy in (-1, 1):
            meshes.add(_STEEL, (sx * (x - 0.05), sy * (y - 0.05), -0.03), (0.04, 0.04, z - 0.03))
    meshes.add((0.10, 0.42, 0.47), (0.3 * x, 0.4 * y, z + 0.05), (0.4 * x, 0.3 * y, 0.05))


def agv_trim(client: int, half_extent_m: Floats, body_height_m: float) -> list[int]:
    """Skirt, light strip and antenna mast of one AGV, as bodies whose origin is the floor below its centre."""
    x, y = (float(v) for v in half_extent_m)
    meshes = Meshes()
    meshes.add(_DARK, (0, 0, 0.06), (x + 0.02, y + 0.02, 0.05))
    meshes.add((0.97, 0.97, 0.97), (x + 0.005, 0, 0.65 * body_height_m), (0.01, 0.7 * y, 0.04))
    meshes.add(_DARK, (-x + 0.06, 0, body_height_m / 2 + 0.6), (0.025, 0.025, body_height_m / 2 + 0.6))
    meshes.add((0.97, 0.97, 0.97), (-x + 0.06, 0, body_height_m + 1.2), (0.07, 0.07, 0.05))
    return meshes.build(client)


def colour_person(client: int, bodies: Sequence[int], part_names: Sequence[str]) -> None:
    """Work clothes: a safety vest on the trunk, dark trousers, bare head."""
    for body, name in zip(bodies, part_names, strict=True):
        colour = _SLEEVES
        if name.startswith(("head", "neck")):
            colour = _SKIN
        elif name.startswith(("trunk", "torso")):
            colour = _VEST
        elif name.startswith(("pelvis", "thigh", "shank")):
            colour = _TROUSERS
        pybullet.changeVisualShape(body, -1, rgbaColor=(*colour, 1.0), physicsClientId=client)


def colour_arm(client: int, arm: int) -> None:
    """KUKA's orange with grey wrist parts."""
    for link in range(-1, 7):
        colour = _DARK if link == -1 else _STEEL if link in (5, 6) else _ARM_ORANGE
        pybullet.changeVisualShape(arm, link, rgbaColor=(*colour, 1.0), physicsClientId=client)


def render(
    client: int, size_m: Floats, width: int, height: int, azimuth_deg: float, elevation_deg: float
) -> npt.NDArray[np.uint8]:
    """Picture of the whole hall, (height, width, 3) RGB.

    Parameters
    ----------
    size_m : (3,) hall that must fit into the picture [m].
    width, height : size [pixel].
    azimuth_deg : where the camera stands, seen from the middle of the hall, counter-clockwise from +x.
    elevation_deg : how high it stands above the horizon.
    """
    view, lens = _camera(size_m, width / height, azimuth_deg, elevation_deg)
    image = pybullet.getCameraImage(
        width,
        height,
        view,
        lens,
        renderer=pybullet.ER_TINY_RENDERER,
        shadow=0,
        lightDirection=[-_SUN[0] * 1.2, _SUN[1] * 2.2, 1.0],
        lightAmbientCoeff=0.68,
        lightDiffuseCoeff=0.42,
        lightSpecularCoeff=0.0,
        physicsClientId=client,
    )
    colour = np.reshape(np.asarray(image[2], dtype=np.uint8), (height, width, 4))[:, :, :3].astype(np.float32)
    colour[np.reshape(np.asarray(image[4]), (height, width)) < 0] = _BACKGROUND
    return np.rint(_smooth_edges(colour)).astype(np.uint8)


def _smooth_edges(colour: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Soften the stairs along edges: a 3 x 3 binomial blur where the contrast is high, nothing elsewhere."""
    framed = np.pad(colour, ((1, 1), (1, 1), (0, 0)), mode="edge")
    rows = 0.25 * framed[:-2] + 0.5 * framed[1:-1] + 0.25 * framed[2:]
    blurred = 0.25 * rows[:, :-2] + 0.5 * rows[:, 1:-1] + 0.25 * rows[:, 2:]
    contrast = np.abs(blurred - colour).max(axis=2, keepdims=True)
    share = np.clip(contrast / 24.0 - 0.25, 0.0, 0.85)
    return np.asarray(colour + share * (blurred - colour), dtype=np.float32)


def _camera(size_m: Floats, aspect: float, azimuth_deg: float, elevation_deg: float) -> tuple[list[float], list[float]]:
    """View and projection matrices whose picture just holds the hall: the frustum is the bounding box of its corners."""
    size = np.asarray(size_m, dtype=np.float64)
    azimuth, elevation = math.radians(azimuth_deg), math.radians(elevation_deg)
    away = np.array([math.cos(elevation) * math.cos(azimuth), math.cos(elevation) * math.sin(azimuth), math.sin(elevation)])
    middle = size / 2
    eye = middle + 1.3 * float(np.linalg.norm(size)) * away
    view = pybullet.computeViewMatrix(eye.tolist(), middle.tolist(), [0.0, 0.0, 1.0])
    corners = np.array([(x, y, z) for x in (0, size[0]) for y in (0, size[1]) for z in (0, size[2])])
    seen = np.column_stack((corners, np.ones(8))) @ np.reshape(view, (4, 4))
    flat = seen[:, :2] / -seen[:, 2:3]
    low, high = flat.min(axis=0), flat.max(axis=0)
    middle2, half = (low + high) / 2, 1.03 * (high - low) / 2
    half = np.array([max(half[0], half[1] * aspect), max(half[1], half[0] / aspect)])
    (left, bottom), (right, top) = _CLIP_M[0] * (middle2 - half), _CLIP_M[0] * (middle2 + half)
    lens = pybullet.computeProjectionMatrix(left, right, bottom, top, *_CLIP_M)
    return view, lens
