"""Export of the scene as glTF 2.0: one file, no textures, every thing a named node.

glTF looks along -z with y up; a root node turns the hall frame (z up) into that, so that nodes keep hall coordinates. All boxes
share one cube, scaled. (Khronos glTF 2.0, ISO/IEC 12113)
"""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from factory.layouts.scene import Block, blocks
from factory.scenario import Scenario

_FLOAT, _UNSIGNED_SHORT, _ARRAY_BUFFER, _ELEMENT_ARRAY_BUFFER = 5126, 5123, 34962, 34963
# RGBA by kind, the colours of the twin's pictures where it has them
_COLOUR = {
    "floor": (0.62, 0.62, 0.62, 1.0),
    "rack": (0.80, 0.55, 0.25, 1.0),
    "cell": (0.35, 0.55, 0.75, 1.0),
    "machine": (0.30, 0.40, 0.55, 1.0),
    "wall": (0.75, 0.75, 0.72, 1.0),
    "office": (0.70, 0.75, 0.60, 1.0),
    "agv": (0.95, 0.75, 0.10, 1.0),
    "cobot": (0.90, 0.35, 0.10, 1.0),
    "trp": (0.80, 0.10, 0.20, 1.0),
}
_DULL = {"metallicFactor": 0.0, "roughnessFactor": 0.9}
_FLOOR_M = 0.02


def gltf_of(scenario: Scenario) -> dict[str, Any]:
    """Return the scene as a glTF document with its buffer inside."""
    position, normal, index = _cube()
    data = position.tobytes() + normal.tobytes() + index.tobytes()
    kinds = list(_COLOUR)
    size = np.array(scenario.hall.size_m)
    floor = Block(
        "floor", "floor", np.array([size[0] / 2, size[1] / 2, -_FLOOR_M / 2]), np.array([size[0], size[1], _FLOOR_M]), 0.0, 0.0,
        scenario.hall.floor_material, {"hall_height_m": float(size[2])},
    )  # fmt: skip
    things = [floor, *blocks(scenario)]
    half = math.sqrt(0.5)
    nodes: list[dict[str, Any]] = [
        {"name": scenario.name, "rotation": [-half, 0.0, 0.0, half], "children": list(range(1, len(things) + 1))}
    ]
    nodes += [_node(thing, kinds.index(thing.kind)) for thing in things]
    return {
        "asset": {"version": "2.0", "generator": "factory-twin"},
        "scene": 0,
        "scenes": [{"name": scenario.name, "nodes": [0]}],
        "nodes": nodes,
        "meshes": [
            {"name": kind, "primitives": [{"attributes": {"POSITION": 0, "NORMAL": 1}, "indices": 2, "material": k}]}
            for k, kind in enumerate(kinds)
        ],
        "materials": [
            {"name": kind, "pbrMetallicRoughness": {"baseColorFactor": list(_COLOUR[kind]), **_DULL}}
            for kind in kinds
        ],
        "accessors": [
            {"bufferView": 0, "componentType": _FLOAT, "count": 24, "type": "VEC3", "min": [-0.5] * 3, "max": [0.5] * 3},
            {"bufferView": 1, "componentType": _FLOAT, "count": 24, "type": "VEC3"},
            {"bufferView": 2, "componentType": _UNSIGNED_SHORT, "count": 36, "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": position.nbytes, "target": _ARRAY_BUFFER},
            {"buffer": 0, "byteOffset": position.nbytes, "byteLength": normal.nbytes, "target": _ARRAY_BUFFER},
            {"buffer": 0, "byteOffset": 2 * normal.nbytes, "byteLength": index.nbytes, "target": _ELEMENT_ARRAY_BUFFER},
        ],
        "buffers": [
            {"byteLength": len(data), "uri": "data:application/octet-stream;base64," + base64.b64encode(data).decode("ascii")}
        ],
    }  # fmt: skip


def export_gltf(scenario: Scenario, out: Path) -> list[str]:
    """Write the scene to ``out`` (``.gltf``) and return what to tell the user."""
    document = gltf_of(scenario)
    out.write_text(json.dumps(document, ensure_ascii=False) + "\n", encoding="utf-8")
    return [f"glTF: {out}, {len(document['nodes']) - 1} nodes"]


def _node(thing: Block, mesh: int) -> dict[str, Any]:
    extras: dict[str, float | str] = {"kind": thing.kind, **thing.about}
    if thing.material:
        extras["itu_material"] = thing.material
    return {
        "name": thing.name,
        "mesh": mesh,
        "translation": [float(v) for v in thing.center_m],
        "rotation": _quaternion(thing.yaw_rad, thing.pitch_rad),
        "scale": [float(v) for v in thing.size_m],
        "extras": extras,
    }


def _quaternion(yaw_rad: float, pitch_rad: float) -> list[float]:
    """Return x, y, z, w of a turn about z after a turn about y."""
    cy, sy, cp, sp = math.cos(yaw_rad / 2), math.sin(yaw_rad / 2), math.cos(pitch_rad / 2), math.sin(pitch_rad / 2)
    return [-sy * sp, cy * sp, sy * cp, cy * cp]


def _cube() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return positions and normals (24, 3) and indices (36,) of a cube of side 1 with flat faces, counter-clockwise outside."""
    positions: list[list[float]] = []
    normals: list[list[float]] = []
    indices: list[int] = []
    for axis in range(3):
        for sign in (1.0, -1.0):
            u, v = (axis + 1) % 3, (axis + 2) % 3
            if sign < 0:
                u, v = v, u
            first = len(positions)
            for a, b in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)):
                corner, normal = [0.0] * 3, [0.0] * 3
                corner[axis], corner[u], corner[v] = 0.5 * sign, a, b
                normal[axis] = sign
                positions.append(corner)
                normals.append(normal)
            indices += [first, first + 1, first + 2, first, first + 2, first + 3]
    return np.array(positions, np.float32), np.array(normals, np.float32), np.array(indices, np.uint16)
